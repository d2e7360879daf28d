#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Train GPT-2 small on random tokens: a subject for record_torch.py.

The network is GPT-2 as published (Radford et al. 2019): pre-norm blocks, learnt
positions, tanh GELU, dropout 0.1, the output layer tied to the token embedding;
124,439,808 parameters at the defaults. Attention is written out (scores, mask,
softmax, dropout, context), as in the original code and before fused kernels, so
each of its tensors shows in a trace. The tokens are random: memory traffic does
not depend on their meaning, and nobody has to download anything.
"""
import argparse
import math
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


class Attention(nn.Module):
    def __init__(self, width, heads, context, dropout):
        super().__init__()
        self.heads = heads
        self.c_attn = nn.Linear(width, 3 * width)
        self.c_proj = nn.Linear(width, width)
        self.attn_dropout = nn.Dropout(dropout)
        self.resid_dropout = nn.Dropout(dropout)
        mask = torch.ones(context, context, dtype=torch.bool).triu(1)
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x):
        batch, seq, width = x.shape
        heads = (batch, seq, self.heads, width // self.heads)
        q, k, v = self.c_attn(x).split(width, dim=2)
        q, k, v = (z.view(heads).transpose(1, 2) for z in (q, k, v))
        scores = q @ k.transpose(-2, -1) / math.sqrt(width // self.heads)
        scores = scores.masked_fill(self.mask[:seq, :seq], float("-inf"))
        out = self.attn_dropout(F.softmax(scores, dim=-1)) @ v
        out = out.transpose(1, 2).reshape(batch, seq, width)
        return self.resid_dropout(self.c_proj(out))


class MLP(nn.Module):
    def __init__(self, width, dropout):
        super().__init__()
        self.c_fc = nn.Linear(width, 4 * width)
        self.act = nn.GELU(approximate="tanh")
        self.c_proj = nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        return self.dropout(self.c_proj(self.act(self.c_fc(x))))


class Block(nn.Module):
    def __init__(self, width, heads, context, dropout):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads, context, dropout)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = MLP(width, dropout)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class GPT2(nn.Module):
    def __init__(self, layers, width, heads, vocab, context, dropout):
        super().__init__()
        self.wte = nn.Embedding(vocab, width)
        self.wpe = nn.Embedding(context, width)
        self.drop = nn.Dropout(dropout)
        self.h = nn.ModuleList(Block(width, heads, context, dropout) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width)
        self.lm_head = nn.Linear(width, vocab, bias=False)
        self.lm_head.weight = self.wte.weight
        for name, p in self.named_parameters():
            if p.dim() > 1:     # residual outputs are scaled down by depth, as in GPT-2
                deep = math.sqrt(2 * layers) if name.endswith("c_proj.weight") else 1
                nn.init.normal_(p, std=0.02 / deep)

    def forward(self, tokens, targets):
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.shape[1], device=tokens.device))
        x = self.drop(x)
        for block in self.h:
            x = block(x)
        logits = self.lm_head(self.ln_f(x))
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.view(-1))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0],
                                formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    p.add_argument("--batch", type=int, default=8, help="sequences in a batch")
    p.add_argument("--seq", type=int, default=512, help="tokens in a sequence, at most --context")
    p.add_argument("--iterations", type=int, default=100, help="optimizer steps to run")
    p.add_argument("--layers", type=int, default=12)
    p.add_argument("--width", type=int, default=768)
    p.add_argument("--heads", type=int, default=12)
    p.add_argument("--vocab", type=int, default=50257)
    p.add_argument("--context", type=int, default=1024)
    p.add_argument("--dropout", type=float, default=0.1)
    p.add_argument("--lr", type=float, default=3e-4)
    p.add_argument("--device", default="cpu")
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()

    torch.manual_seed(a.seed)
    model = GPT2(a.layers, a.width, a.heads, a.vocab, a.context, a.dropout).to(a.device)
    opt = torch.optim.AdamW(model.parameters(), lr=a.lr, betas=(0.9, 0.95), weight_decay=0.1)
    print(f"GPT-2: {sum(x.numel() for x in model.parameters()):,} parameters", flush=True)
    for i in range(a.iterations):
        begin = time.perf_counter()
        data = torch.randint(a.vocab, (a.batch, a.seq + 1))
        tokens = data[:, :-1].contiguous().to(a.device)
        targets = data[:, 1:].contiguous().to(a.device)
        opt.zero_grad(set_to_none=True)
        loss = model(tokens, targets)
        loss.backward()
        opt.step()
        print(f"iteration {i}: loss {loss.item():.4f}, {time.perf_counter() - begin:.2f} s",
              flush=True)


if __name__ == "__main__":
    main()
