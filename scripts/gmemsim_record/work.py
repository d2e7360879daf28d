# SPDX-License-Identifier: GPL-3.0-or-later
"""What a call of an operator moves and computes. It depends on the layouts of its operands,
and is worked out once for each; only look-ups by row depend on what is in them.
"""
from array import array
from itertools import chain

import torch

from .flops import count_flops
from .ops import dtype_of
from .spans import coarsened, flat, merged, pairs, span_of


def layouts(xs):
    """Of nested arguments, as something to look up. What a float says changes no layout."""
    key = []
    for x in xs:
        if type(x) is torch.Tensor or isinstance(x, torch.Tensor):
            key.append((x.shape, x.stride(), x.storage_offset(), x.dtype))
        elif isinstance(x, (tuple, list)):
            key.append(layouts(x))
        else:
            key.append(float if type(x) is float else x)
    return tuple(key)


class Work:
    """One operator's: @touches are (position among its storages, access, flat spans)."""
    __slots__ = ("name", "cls", "flops", "moved", "dtype", "touches", "count", "odd")

    def __init__(self, plan, a, ins, held, made, outs, limit):
        self.name, self.cls, self.odd = plan.name, plan.cls, None
        ins = list(zip(ins, held))
        try:
            accesses = list(plan.accesses(a, ins, made, limit))
            self.flops = count_flops(plan.op, plan.cls, a, outs)
        except (IndexError, TypeError, AttributeError, ValueError, RuntimeError) as e:
            # an operator whose arguments have changed since: whole operands, no FLOPs
            self.odd = f"{type(e).__name__}: {e}"
            accesses = [(t, s, "r", None) for t, s in ins] + [(t, s, "w", None) for t, s in made]
            self.flops = 0
        self.dtype = dtype_of(plan.cls, [t for t, _ in ins], outs)
        where = {}
        for i, s in enumerate(held + [s for _, s in made]):
            where.setdefault(id(s), i)
        self.touch(accesses, where, limit)

    def touch(self, accesses, where, limit):
        spans, once, self.moved = {}, set(), 0
        for t, s, access, part in accesses:
            if s is None or not t.numel() or not s.bytes:
                continue
            whole, i = span_of(t), where[id(s)]
            same = (i, whole, t.shape, t.stride(), access)
            if same not in once:
                once.add(same)
                n = part[1] if part else min(whole[1], t.numel() * t.element_size())
                self.moved += n * len(access)
            spans.setdefault((i, access), []).append(part[0] if part else array("Q", whole))
        self.touches, self.count = [], 0
        for (i, access), xs in spans.items():
            if len(xs) > 1:
                xs = [flat(coarsened(merged(chain(*map(pairs, xs))), limit))]
            if access == "r" and (i, "rw") in spans:    # read again what is updated in place
                over = merged(chain(*map(pairs, spans[i, "rw"])))
                xs = [flat(x for x in pairs(xs[0])
                           if not any(o[0] <= x[0] and sum(x) <= sum(o) for o in over))]
            self.touches.append((i, access, xs[0]))
            self.count += len(xs[0]) // 2


class Works:
    """Those that were met, by operator, layouts and which operands share a storage."""
    MOST = 100_000

    def __init__(self, limit):
        self.limit, self.known = limit, {}

    def of(self, plan, a, ins, held, made, outs):
        try:
            key = None if plan.by_value else \
                (plan, layouts(a), layouts([t for t, _ in made]),
                 shared(held + [s for _, s in made]))
            work = self.known.get(key)
        except (TypeError, RuntimeError):           # sparse, or no layout to speak of
            key = work = None
        if work is None:
            work = Work(plan, a, ins, held, made, outs, self.limit)
            if key is not None and len(self.known) < self.MOST:
                self.known[key] = work
        return work


def shared(owners):
    """Which of the storages are the same, which have no memory; None: all differ and have."""
    ids = [id(s) if s is not None and s.bytes else 0 for s in owners]
    if 0 not in ids and len(set(ids)) == len(ids):
        return None
    first = {0: -1}
    return tuple(first.setdefault(s, i) for i, s in enumerate(ids))
