# SPDX-License-Identifier: GPL-3.0-or-later
"""Which memory CUDA's caching allocator holds: the segments that it cuts tensors from.

Its counters are looked at after each operator on a GPU, its segments only when the counters
have moved. What is mapped now and was not, or was and is not, becomes an event right before
that operator and the tensors that it made; deaths of tensors come before, then frees, then
allocs. So the bytes that are mapped are exact before each operator and after it. Not seen is
what came and went, or went and came, between two looks, and the order inside an operator.
"""
import torch


def counters(device):
    """What the allocator of GPU number @device has ever mapped and unmapped, in bytes."""
    reserved = torch.cuda.memory_stats_as_nested_dict(device)["reserved_bytes"]["all"]
    return reserved["allocated"], reserved["freed"]


def snapshot():
    """(device, begin, end) of each segment, in order; of expandable ones each mapped part."""
    return sorted((s["device"], s["address"], s["address"] + s["total_size"])
                  for s in torch.cuda.memory_snapshot())


def without(some, others):
    """Of the ranges @some what is in none of @others; both are in order."""
    out, first = [], 0
    for device, begin, end in some:
        while first < len(others) and (others[first][0], others[first][2]) <= (device, begin):
            first += 1
        for other in others[first:]:
            if (device, end) <= other[:2]:
                break
            if begin < other[1]:
                out.append((device, begin, other[1]))
            begin = other[2]
        if begin < end:
            out.append((device, begin, end))
    return out


class Segments:
    def __init__(self):
        self.mapped, self.seen = [], {}
        self.held = []                              # unmapped, but a tensor is said to be there
        self.why_not = None                         # why nothing can be told

    def begin(self):
        """What is mapped now, as changes."""
        self.mapped = []
        return self.changes(()) if torch.cuda.is_initialized() and not self.why_not else []

    def moved(self, device):
        """Something changed since the last look at GPU number @device."""
        if self.why_not:
            return False
        try:
            now = counters(device)
        except (RuntimeError, KeyError) as e:
            return self.give_up(e)
        if now == self.seen.get(device):
            return False
        self.seen[device] = now
        return True

    def moved_at_all(self):
        """The same of all GPUs seen, and of what has not been told."""
        return any([self.moved(d) for d in list(self.seen)]) or bool(self.held)

    def changes(self, storages):
        """(is it a free, device, begin, bytes) since the last look. What a living storage lies
        in stays: its memory went to somebody else (resize_), which shows when it is used."""
        try:
            now = snapshot()
        except (RuntimeError, KeyError) as e:
            self.give_up(e)
            return []
        gone = without(self.mapped, now)
        held = self.held = [g for g in gone if any(s.bytes and s.va < g[2] and
                                                   g[1] < s.va + s.bytes for s in storages)]
        come = without(now, self.mapped)
        self.mapped = sorted(now + held)
        return [(True, d, begin, end - begin) for d, begin, end in gone
                if (d, begin, end) not in held] + \
            [(False, d, begin, end - begin) for d, begin, end in come]

    def give_up(self, e):
        """Another allocator (cudaMallocAsync, a plugged-in one) does not tell its segments."""
        self.why_not = str(e).splitlines()[0] if str(e) else type(e).__name__
        return False
