#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_record_segments.py - segments of a GPU's allocator in a recording; the GPU is mocked"""
import json
import os
import subprocess
import tempfile
import unittest

import torch_runs

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(ROOT, os.environ.get("GMEMSIM", "build/gmemsim"))

# CPU tensors play those of a GPU; what is mapped is what the script says, in the shape that
# torch.cuda.memory_snapshot() has in 1.13 and in 2.x.
MOCK = """
import sys, types, torch
import gmemsim_record.storages as storages

gpu, mapped, ever = torch.device("cuda", 0), {}, [0, 0]
init = storages.Storage.__init__
def on_gpu(self, *args):
    init(self, *args)
    self.device, self.away = gpu, True
storages.Storage.__init__ = on_gpu

class Event:
    def __init__(self, enable_timing): pass
    def record(self, stream): pass
    def synchronize(self): pass
    def elapsed_time(self, end): return 1.5

def snapshot():
    if "other allocator" in sys.argv:
        raise RuntimeError("snapshot is not meaningful\\nmore")
    more = {"requested_size": 0, "segment_pool_id": (0, 0), "is_expandable": False, "frames": []}
    return [{"device": 0, "address": a, "total_size": n, "allocated_size": 0, "active_size": 0,
             "stream": 0, "segment_type": "large", "blocks": [{"size": n, "state": "inactive"}],
             **(more if "2.x" in sys.argv else {})} for a, n in mapped.items()]

def stats(device):
    return {"reserved_bytes": {"all": {"current": ever[0] - ever[1], "peak": ever[0],
                                       "allocated": ever[0], "freed": ever[1]}}}
for name, fake in dict(
        Event=Event, current_stream=lambda d: types.SimpleNamespace(cuda_stream=7),
        is_current_stream_capturing=lambda: False, is_initialized=lambda: True,
        get_device_name=lambda d: "mocked", max_memory_allocated=lambda d: 0,
        max_memory_reserved=lambda d: ever[0], memory_reserved=lambda d: ever[0] - ever[1],
        memory_stats_as_nested_dict=stats, memory_snapshot=snapshot).items():
    setattr(torch.cuda, name, fake)

def reserve(a, n):
    mapped[a] = n
    ever[0] += n
    return a

def release(a):
    ever[1] += mapped.pop(a)

lib, own = torch.library.Library("job", "DEF"), []
lib.define("make(Tensor x) -> Tensor")
def make(x):
    out = torch.ones_like(x)
    own.append(reserve(out.data_ptr(), 2800))
    return out
lib.impl("make", make, "CPU")

BASE, MIB2 = 1 << 40, 2 << 20
reserve(BASE, MIB2)
p = torch.nn.Parameter(torch.ones(10))
opt = torch.optim.SGD([p], lr=.1)
"""

LOOP = MOCK + """
for i in range(3):
    x = torch.ones(700)
    y = torch.ops.job.make(x)           # its segment comes with it ...
    z = y * 2
    y = None
    release(own.pop())                  # ... and goes after it
    reserve(BASE + MIB2 * (i + 1), MIB2)
    z.neg_()
    opt.step()
"""

# Memory that is taken from under a living tensor is told when that has died.
UNDER = MOCK + """
for i in range(2):
    y = torch.ops.job.make(torch.ones(700))
    release(own.pop())
    torch.ones(5).neg_()
    y = None
    opt.step()
"""

RANGES = """
import random, sys
sys.path.insert(0, sys.argv[1])
from gmemsim_record.segments import without
random.seed(3)
def some():
    out = []
    for device in (0, 1):
        at = 0
        while at < 20:
            begin = at + random.randrange(3)
            end = begin + random.randrange(1, 6)
            out.append((device, begin, end))
            at = end
    return [r for r in out if random.random() < .6]
for case in range(3000):
    a, b = some(), some()
    points = [{(d, i) for d, begin, end in x for i in range(begin, end)} for x in (a, b)]
    got = without(a, b)
    left = [(d, i) for d, begin, end in got for i in range(begin, end)]
    assert left == sorted(points[0] - points[1]) and all(begin < end for _, begin, end in got)
"""


class Segments(unittest.TestCase):
    def record(self, script, *args):
        with tempfile.TemporaryDirectory() as d:
            job, trace = os.path.join(d, "job.py"), os.path.join(d, "job.jsonl")
            with open(job, "w", encoding="utf-8") as f:
                f.write(script)
            r = torch_runs.run([os.path.join(ROOT, "scripts/record_torch.py"), "-o", trace,
                                "--iterations", "2", "--skip", "0", "--", job, *args])
            self.assertEqual(r.returncode, 0, r.stderr)
            p = subprocess.run([PROGRAM, "trace", "verify", trace], capture_output=True, text=True)
            self.assertEqual(p.returncode, 0, p.stderr)
            with open(trace, encoding="utf-8") as f:
                return [json.loads(line) for line in f], r.stderr

    def words(self, rows):
        """The trace of one iteration, a word a row."""
        marks = [i for i, r in enumerate(rows) if r["ev"] == "mark"]
        return [f"{r['ev']} {r['bytes'] if r['ev'][:7] == 'segment' else r.get('name', '')}"
                for r in rows[marks[1]:] if r["ev"] not in ("mark", "end")]

    def test_stand_before_the_operator_that_caused_them(self):
        for version in ("1.13", "2.x"):
            rows, said = self.record(LOOP, version)
            self.assertEqual(rows[1], {"ev": "segment_alloc", "va": 1 << 40, "bytes": 2 << 20,
                                       "dev": 0})
            self.assertEqual([w for w in self.words(rows) if "ones" not in w and w != "free "],
                             ["segment_alloc 2800", "alloc make", "kernel job.make",
                              "alloc mul", "kernel aten.mul", "segment_free 2800",
                              "segment_alloc 2097152", "kernel aten.neg_"])
            self.assertIn("segments of 6291456 bytes; memory_reserved 6291456", said)

    def test_what_is_freed_holds_no_tensor(self):
        rows, said = self.record(UNDER)
        words = self.words(rows)
        self.assertGreater(words.index("segment_free 2800"), words.index("kernel aten.neg_"))
        self.assertIn("segments of 2097152 bytes; memory_reserved 2097152", said)

    def test_an_allocator_that_does_not_tell_is_told(self):
        rows, said = self.record(LOOP, "other allocator")
        self.assertFalse([r for r in rows if r["ev"][:7] == "segment"])
        self.assertIn("segments are not in the trace: snapshot is not meaningful\n", said)

    def test_a_cpu_has_none(self):
        rows, said = self.record("import torch\np = torch.nn.Parameter(torch.ones(10))\n"
                                 "opt = torch.optim.SGD([p], lr=.1)\n"
                                 "for i in range(3):\n    p.sum().backward()\n    opt.step()\n")
        self.assertFalse([r for r in rows if r["ev"][:7] == "segment"])
        self.assertNotIn("segment", said)

    def test_ranges(self):
        with tempfile.NamedTemporaryFile("w", suffix=".py") as f:
            f.write(RANGES)
            f.flush()
            r = torch_runs.run([f.name, os.path.join(ROOT, "scripts")])
        self.assertEqual(r.returncode, 0, r.stderr)


if __name__ == "__main__":
    unittest.main()
