#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""points-traces.py DIR - the small jobs of configs/exp/points, as JSON lines

One function a job.  Kernels take no time of their own unless they say so: what is
compared is the time that faults take.
"""
import json
import os
import random
import sys

KIB, MIB = 1 << 10, 1 << 20
PAGE = 4 * KIB
BLOCK = 2 * MIB


class Job:
    def __init__(self, about):
        self.lines = [{"ev": "meta", "format": "gmemsim-jsonl", "version": 1, "framework": "by hand",
                       "source": about, "recorded": "scripts/points-traces.py", "devices": ["dev0"],
                       "page_hint": PAGE}]
        self.va = 1 << 40
        self.n = {"t": 0, "kernel": 0, "mark": 0}

    def tensor(self, size, kind="weight"):
        """Before the first mark, a weight: the host has written it."""
        self.lines.append({"ev": "alloc", "t": self.n["t"], "va": self.va, "bytes": size, "kind": kind})
        self.va += (size + BLOCK - 1) // BLOCK * BLOCK
        self.n["t"] += 1
        return self.n["t"] - 1

    def iteration(self):
        self.lines.append({"ev": "mark", "name": "iteration", "index": self.n["mark"]})
        self.n["mark"] += 1

    def host(self, t, size):
        self.lines.append({"ev": "host", "t": t, "bytes": size, "rw": "w"})

    def kernel(self, touches, ns=1):
        self.lines.append({"ev": "kernel", "name": "kernel", "ns": ns, "touch": touches})
        self.n["kernel"] += 1

    def text(self):
        end = {"ev": "end", "kernels": self.n["kernel"], "iterations": self.n["mark"]}
        return "".join(json.dumps(x, separators=(",", ":")) + "\n" for x in self.lines + [end])


def fault_2mib():
    j = Job("one read of 2 MiB that the host has written")
    t = j.tensor(BLOCK)
    j.iteration()
    j.kernel([[t, 0, BLOCK, "r"]])
    return j


def stream():
    j = Job("one read of 256 MiB that the host has written")
    t = j.tensor(256 * MIB)
    j.iteration()
    j.kernel([[t, 0, 256 * MIB, "r"]])
    return j


def tree_up():
    j = Job("2 MiB page by page, upwards")
    t = j.tensor(BLOCK)
    j.iteration()
    j.kernel([[t, 0, BLOCK, "r"]])
    return j


def tree_down():
    j = Job("2 MiB page by page, downwards")
    t = j.tensor(BLOCK)
    j.iteration()
    j.kernel([[t, p * PAGE, PAGE, "r"] for p in reversed(range(BLOCK // PAGE))])
    return j


def tree_groups():
    j = Job("64 KiB groups of 2 MiB, even ones first")
    t = j.tensor(BLOCK)
    j.iteration()
    j.kernel([[t, g * 64 * KIB, PAGE, "r"] for g in list(range(0, 32, 2)) + list(range(1, 32, 2))])
    return j


def tree_random():
    j = Job("64 blocks of 2 MiB, the pages of each in an order of its own")
    t = j.tensor(64 * BLOCK)
    j.iteration()
    for b in range(64):
        j.kernel([[t, b * BLOCK, BLOCK, "r", "random"]])
    return j


def batch(k):
    def make():
        r = random.Random(k)
        j = Job("%d pages at once of each of 32 empty blocks" % k)
        t = j.tensor(32 * BLOCK)
        j.iteration()
        for b in range(32):
            j.kernel([[t, b * BLOCK + p * PAGE, PAGE, "r"] for p in r.sample(range(512), k)])
        return j
    return make


ARRAY = 2048 * MIB  # of the jobs for overcommit; 1 ms of compute for a GiB
PARTS = 16


def one_pass(about, touches):
    """Two iterations of one pass; what it touches goes into 16 kernels of equal length."""
    j = Job("2 GiB, one pass an iteration: " + about)
    t = j.tensor(ARRAY)
    for _ in range(2):
        j.iteration()
        for k in range(PARTS):
            j.kernel(touches(t, k), ARRAY * 1000000 // (1024 * MIB) // PARTS)
    return j


def in_order():
    return one_pass("from beginning to end", lambda t, k: [[t, k * ARRAY // PARTS, ARRAY // PARTS, "rw"]])


def graph():
    """A quarter is used at random all the time, the rest goes by: vertices and edges."""
    hot, part = ARRAY // 4, ARRAY * 3 // 4 // PARTS
    return one_pass("a quarter at random with each sixteenth of the rest",
                    lambda t, k: [[t, hot + k * part, part, "r"], [t, 0, hot, "rw", "random"]])


def scatter():
    """All pages in random order, in one kernel."""
    j = Job("2 GiB, one pass an iteration: all pages in random order")
    t = j.tensor(ARRAY)
    for _ in range(2):
        j.iteration()
        j.kernel([[t, 0, ARRAY, "rw", "random"]], ARRAY * 1000000 // (1024 * MIB))
    return j


def mixed(blocks, groups, passes):
    """Pages come in random order out of so many blocks at a time, as batches were seen to."""
    def make():
        j = Job("groups of %d blocks in turn, the pages of a group in random order" % blocks)
        group = blocks * BLOCK
        t = j.tensor(groups * group)
        for _ in range(2 if passes > 1 else 1):
            j.iteration()
            for _ in range(passes):
                for g in range(groups):
                    j.kernel([[t, g * group, group, "rw", "random"]], group * 1000000 // (1024 * MIB))
        return j
    return make


def gemm():
    """C = A B of 8192 x 8192 floats, 512 rows of A and C at a time; against each all of B, column by
    column, of which a page holds 1024: a page of each of the 8192 rows of 32 KiB, then the next."""
    n, row = 256 * MIB, 32 * KIB
    j = Job("a product of two matrices of 8192 x 8192 floats, operand by operand")
    a, b, c = (j.tensor(n) for _ in range(3))
    j.iteration()
    for i in range(0, n, 512 * row):
        j.kernel([[a, i, 512 * row, "r"], [b, 0, n, "r", "strided", row], [c, i, 512 * row, "w"]], 1000)
    return j


def matmul_reuse():
    """C = A B by row panels: B is used by each, A and C go by.  1 GiB in all, of which B is 400 MiB."""
    panels, b_bytes, ac = 16, 400 * MIB, 312 * MIB
    j = Job("panels of rows go by, the other matrix is used by each")
    a, b, c = j.tensor(ac), j.tensor(b_bytes), j.tensor(ac)
    part = ac // panels // PAGE * PAGE
    tiles, tile = 8, b_bytes // 8
    for _ in range(3):
        j.iteration()
        for i in range(panels):
            for k in range(tiles):
                j.kernel([[a, i * part, part, "r"], [b, k * tile, tile, "r"], [c, i * part, part, "rw"]],
                         1000000)
    return j


def ping_pong():
    j = Job("the host writes 1 GiB, the device reads it, three times")
    t = j.tensor(1024 * MIB)
    for _ in range(3):
        j.iteration()
        j.host(t, 1024 * MIB)
        j.kernel([[t, 0, 1024 * MIB, "r"]])
    return j


JOBS = {"fault-2mib": fault_2mib, "stream": stream, "tree-up": tree_up, "tree-down": tree_down,
        "tree-groups": tree_groups, "tree-random": tree_random, "batch-1": batch(1), "batch-4": batch(4),
        "batch-16": batch(16), "batch-32": batch(32), "scatter": scatter, "in-order": in_order, "graph": graph, "gemm": gemm,
        "mixed-7": mixed(7, 16, 1), "mixed-2": mixed(2, 64, 4), "matmul": matmul_reuse, "ping-pong": ping_pong}


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: " + __doc__)
    for name, make in JOBS.items():
        with open(os.path.join(sys.argv[1], name + ".jsonl"), "w") as f:
            f.write(make().text())


if __name__ == "__main__":
    main()
