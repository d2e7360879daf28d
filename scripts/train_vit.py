#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Train a vision transformer on random images: a subject for record_torch.py.

ViT-S/16 by its defaults (Dosovitskiy et al. 2021, in the size of Touvron et al. 2021):
patches of 16 x 16, a class token, learnt positions, 12 pre-norm blocks of width 384 with
6 heads; 22,050,664 parameters, AdamW. Attention is written out, as in train_gpt2.py.
Images and labels are random; memory traffic does not depend on what they show.
"""
import argparse
import math
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def attend(self, x):
        batch, tokens, width = x.shape
        heads = (batch, tokens, self.heads, width // self.heads)
        q, k, v = (z.reshape(heads).transpose(1, 2) for z in self.qkv(x).split(width, dim=2))
        scores = q @ k.transpose(-2, -1) / math.sqrt(width // self.heads)
        out = F.softmax(scores, dim=-1) @ v
        return self.proj(out.transpose(1, 2).reshape(batch, tokens, width))

    def forward(self, x):
        x = x + self.attend(self.norm1(x))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class ViT(nn.Module):
    def __init__(self, size, patch, layers, width, heads, classes):
        super().__init__()
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, (size // patch) ** 2 + 1, width) * 0.02)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(layers)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], dim=1) + self.positions
        return self.head(self.norm(self.blocks(x))[:, 0])


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0],
                                formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    p.add_argument("--batch", type=int, default=32, help="images in a batch")
    p.add_argument("--size", type=int, default=224, help="edge of an image in pixels")
    p.add_argument("--patch", type=int, default=16, help="edge of a patch in pixels")
    p.add_argument("--layers", type=int, default=12)
    p.add_argument("--width", type=int, default=384)
    p.add_argument("--heads", type=int, default=6)
    p.add_argument("--classes", type=int, default=1000)
    p.add_argument("--iterations", type=int, default=100, help="optimizer steps to run")
    p.add_argument("--lr", type=float, default=1e-3)
    p.add_argument("--device", default="cpu")
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()

    torch.manual_seed(a.seed)
    model = ViT(a.size, a.patch, a.layers, a.width, a.heads, a.classes).to(a.device)
    opt = torch.optim.AdamW(model.parameters(), lr=a.lr, weight_decay=0.05)
    print(f"ViT: {sum(x.numel() for x in model.parameters()):,} parameters", flush=True)
    for i in range(a.iterations):
        begin = time.perf_counter()
        images = torch.randn(a.batch, 3, a.size, a.size).to(a.device)
        labels = torch.randint(a.classes, (a.batch,)).to(a.device)
        opt.zero_grad(set_to_none=True)
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        opt.step()
        print(f"iteration {i}: loss {loss.item():.4f}, {time.perf_counter() - begin:.2f} s",
              flush=True)


if __name__ == "__main__":
    main()
