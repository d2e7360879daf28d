#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Train a recommendation model on random clicks: a subject for record_torch.py.

The network of Naumov et al. 2019 (DLRM): a perceptron for the dense features, a large table
for each categorical one, the dot products of all pairs, a perceptron above. Gradients of the
tables are sparse and SGD updates only the rows that were looked up, as in the original.
Categories are drawn log-uniformly (Zipf's law with exponent 1) and spread over the table, so
a few rows are hot and most are cold, which is what makes such tables worth paging.
"""
import argparse
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


def perceptron(*widths):
    layers = []
    for a, b in zip(widths, widths[1:]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers)


class DLRM(nn.Module):
    def __init__(self, dense, tables, rows, width):
        super().__init__()
        self.bottom = perceptron(dense, 512, 256, width)
        self.tables = nn.ModuleList(nn.EmbeddingBag(rows, width, mode="sum", sparse=True)
                                    for _ in range(tables))
        for t in self.tables:
            nn.init.uniform_(t.weight, -rows ** -0.5, rows ** -0.5)
        pairs = (tables + 1) * tables // 2
        self.top = nn.Sequential(perceptron(pairs + width, 512, 256), nn.Linear(256, 1))
        self.register_buffer("pairs", torch.tril_indices(tables + 1, tables + 1, -1),
                             persistent=False)

    def forward(self, dense, categories):
        x = self.bottom(dense)
        vectors = torch.stack([x] + [t(c) for t, c in zip(self.tables, categories)], dim=1)
        products = torch.bmm(vectors, vectors.transpose(1, 2))
        pairs = products[:, self.pairs[0], self.pairs[1]]
        return self.top(torch.cat([x, pairs], dim=1)).squeeze(1)


def draw(rows, shape):
    """Ranks of a Zipf law, spread over the table by a multiplication without fixed points."""
    rank = torch.exp(torch.rand(shape) * torch.log(torch.tensor(float(rows)))).long() - 1
    return (rank.clamp(0, rows - 1) * 2654435761 + 12345) % rows


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0],
                                formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    p.add_argument("--batch", type=int, default=2048, help="clicks in a batch")
    p.add_argument("--dense", type=int, default=13, help="dense features")
    p.add_argument("--tables", type=int, default=8, help="categorical features")
    p.add_argument("--rows", type=int, default=1000003, help="rows of each table")
    p.add_argument("--width", type=int, default=64, help="columns of each table")
    p.add_argument("--hot", type=int, default=4, help="look-ups in a table for a click")
    p.add_argument("--iterations", type=int, default=100, help="optimizer steps to run")
    p.add_argument("--lr", type=float, default=0.1)
    p.add_argument("--device", default="cpu")
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()

    torch.manual_seed(a.seed)
    model = DLRM(a.dense, a.tables, a.rows, a.width).to(a.device)
    opt = torch.optim.SGD(model.parameters(), lr=a.lr)
    print(f"DLRM: {sum(x.numel() for x in model.parameters()):,} parameters", flush=True)
    for i in range(a.iterations):
        begin = time.perf_counter()
        dense = torch.rand(a.batch, a.dense).to(a.device)
        categories = [draw(a.rows, (a.batch, a.hot)).to(a.device) for _ in range(a.tables)]
        clicks = torch.randint(2, (a.batch,)).float().to(a.device)
        opt.zero_grad(set_to_none=True)
        loss = F.binary_cross_entropy_with_logits(model(dense, categories), clicks)
        loss.backward()
        opt.step()
        print(f"iteration {i}: loss {loss.item():.4f}, {time.perf_counter() - begin:.2f} s",
              flush=True)


if __name__ == "__main__":
    main()
