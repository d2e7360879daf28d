#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The job behind tiny.jsonl: a perceptron small enough to check by hand."""
import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(1)
model = nn.Sequential(nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 64))
opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for i in range(5):
    x = torch.randn(32, 256)
    y = torch.randint(64, (32,))
    opt.zero_grad(set_to_none=True)
    loss = F.cross_entropy(model(x), y)
    loss.backward()
    opt.step()
