#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Train ResNet-50 on random images: a subject for record_torch.py.

The network of He et al. 2016 in the form everybody runs ("v1.5": the 3x3
convolution of a bottleneck carries the stride): 25,557,032 parameters, SGD with
momentum. It is written out here because torchvision is not everywhere. Images
and labels are random; memory traffic does not depend on what they show.
"""
import argparse
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


class Bottleneck(nn.Module):
    def __init__(self, channels, mid, stride):
        super().__init__()
        out = 4 * mid
        self.conv1 = nn.Conv2d(channels, mid, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(mid)
        self.conv2 = nn.Conv2d(mid, mid, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(mid)
        self.conv3 = nn.Conv2d(mid, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False),
                                            nn.BatchNorm2d(out))

    def forward(self, x):
        short = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        x = self.bn3(self.conv3(x))
        x += short
        return self.relu(x)


class ResNet50(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = 64
        for stage, (mid, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), 1):
            body = []
            for b in range(blocks):
                body.append(Bottleneck(channels, mid, 2 if b == 0 and stage > 1 else 1))
                channels = 4 * mid
            setattr(self, f"layer{stage}", nn.Sequential(*body))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, classes)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x):
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0],
                                formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    p.add_argument("--batch", type=int, default=32, help="images in a batch")
    p.add_argument("--size", type=int, default=224, help="edge of an image in pixels")
    p.add_argument("--classes", type=int, default=1000)
    p.add_argument("--iterations", type=int, default=100, help="optimizer steps to run")
    p.add_argument("--lr", type=float, default=0.1)
    p.add_argument("--device", default="cpu")
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()

    torch.manual_seed(a.seed)
    model = ResNet50(a.classes).to(a.device)
    opt = torch.optim.SGD(model.parameters(), lr=a.lr, momentum=0.9, weight_decay=1e-4)
    print(f"ResNet-50: {sum(x.numel() for x in model.parameters()):,} parameters", flush=True)
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
