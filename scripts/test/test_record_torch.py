#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records two tiny jobs and holds the traces against arithmetic done by hand."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

import torch_runs
from torch_runs import PYTHON


UNZSTD = """
import sys, zstandard
zstandard.ZstdDecompressor().copy_stream(sys.stdin.buffer, sys.stdout.buffer)
"""
RECORDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "record_torch.py")

# 32 x 256 -> 512 -> 64. AdamW, so that there is optimizer state of two kinds.
MLP = """
import sys, torch, torch.nn as nn, torch.nn.functional as F
torch.manual_seed(1)
model = nn.Sequential(nn.Linear(256, 512), nn.ReLU(), nn.Linear(512, 64))
opt = torch.optim.AdamW(model.parameters(), foreach=False)
for i in range(int(sys.argv[1])):
    x, y = torch.randn(32, 256), torch.randint(64, (32,))
    opt.zero_grad(set_to_none=True)
    F.cross_entropy(model(x), y).backward()
    opt.step()
"""

# Grouped, strided and transposed convolutions, and running statistics; SGD without state.
CONV = """
import torch, torch.nn as nn
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=2)
        self.bn = nn.BatchNorm2d(8)
        self.up = nn.ConvTranspose2d(8, 6, 2, stride=2, bias=False)
    def forward(self, x):
        return self.up(self.bn(self.first(x)))
torch.manual_seed(1)
model = Net()
opt = torch.optim.SGD(model.parameters(), lr=0.1)
for i in range(9):
    x = torch.randn(5, 4, 16, 16)
    opt.zero_grad(set_to_none=True)
    model(x).square().mean().backward()
    opt.step()
"""

# Prints the peak of what one more iteration allocates above weights and optimizer state.
PROFILED = MLP + """
from torch.profiler import profile
del x, y
opt.zero_grad(set_to_none=True)
with profile(profile_memory=True) as p:
    x, y = torch.randn(32, 256), torch.randint(64, (32,))
    F.cross_entropy(model(x), y).backward()
    opt.step()
def sizes(nodes):
    for n in nodes:
        if n.tag.name == "Allocation":
            yield n.start_time_ns, n.extra_fields.alloc_size
        yield from sizes(n.children)
live = peak = 0
for _, size in sorted(sizes(p.profiler.kineto_results.experimental_event_tree())):
    live += size
    peak = max(peak, live)
assert peak
print(peak)
"""

# No modules, lists of tensors in one operator, a gradient that is clipped, a dataset.
FUNCTIONAL = """
import torch, torch.nn.functional as F
torch.manual_seed(1)
data = torch.randn(64, 32)
w = torch.randn(32, 8, requires_grad=True)
b = torch.zeros(8, requires_grad=True)
opt = torch.optim.SGD([w, b], lr=0.1, momentum=0.9, foreach=True)
for i in range(9):
    x = data[i * 4:i * 4 + 4].abs()
    noise = torch.empty(4, 32).uniform_()
    opt.zero_grad()
    torch.relu((x + noise) @ w + b)[:, 1:3].sum().backward()
    torch.nn.utils.clip_grad_norm_([w, b], 1.0)
    opt.step()
"""

# A loop that the hooks cannot know: two steps an iteration, rows of a table looked up.
MARKED = """
import record_torch, torch, torch.nn as nn
model = nn.Embedding(1000, 16)
opt = torch.optim.SGD(model.parameters(), lr=0.1)
rows = torch.tensor([7, 8, 8, 500])
for i in range(4):
    record_torch.mark_iteration()
    for half in range(2):
        opt.zero_grad(set_to_none=True)
        model(rows).sum().backward()
        opt.step()
record_torch.mark_iteration()
"""


def record(script, *options, args=(), name="job.jsonl", status=0):
    with tempfile.TemporaryDirectory() as d:
        path, out = os.path.join(d, "job.py"), os.path.join(d, name)
        with open(path, "w") as f:
            f.write(script)
        p = torch_runs.run([RECORDER, "-o", out, *options, "--", path, *args])
        if p.returncode != status:
            raise AssertionError(f"exit {p.returncode}: {p.stderr}")
        if not os.path.exists(out):
            return p.stderr
        if name.endswith(".zst"):
            with open(out, "rb") as f:
                text = subprocess.run([PYTHON, "-c", UNZSTD], stdin=f, check=True,
                                      stdout=subprocess.PIPE).stdout.decode()
        else:
            with open(out) as f:
                text = f.read()
    return [json.loads(line) for line in text.splitlines()]


def kernels(events, name):
    return [e for e in events if e["ev"] == "kernel" and e["name"] == name]


def last_iteration(events):
    marks = [i for i, e in enumerate(events) if e["ev"] == "mark"]
    return events[marks[-1] + 1:-1]


class Trace(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.mlp = record(MLP, "--iterations", "2", "--note", "a word", args=["9"])
        cls.conv = record(CONV, "--iterations", "2")
        cls.functional = record(FUNCTIONAL, "--iterations", "2")

    def test_frame_is_whole(self):
        for events in (self.mlp, self.conv):
            meta, end = events[0], events[-1]
            self.assertEqual([meta["ev"], meta["format"], meta["version"]],
                             ["meta", "gmemsim-jsonl", 1])
            self.assertEqual(meta["devices"], ["cpu"])
            self.assertEqual(end["ev"], "end")
            self.assertEqual(end["kernels"], sum(e["ev"] == "kernel" for e in events))
            marks = [(e["name"], e["index"]) for e in events if e["ev"] == "mark"]
            self.assertEqual(marks, [("iteration", 0), ("iteration", 1)])
            self.assertEqual(end["iterations"], 2)
        self.assertEqual(self.mlp[0]["source"], "job.py 9")
        self.assertTrue(self.mlp[0]["recorded"].endswith("; a word"))

    def test_lives_are_well_formed(self):
        """Ids are dense, nothing is used before it is allocated or after it is freed, no
        two tensors overlap, nothing is read that was never written, touches stay inside."""
        for events in (self.mlp, self.conv, self.functional):
            live, written, setup = {}, set(), True
            ids = [e["t"] for e in events if e["ev"] == "alloc"]
            self.assertEqual(ids, list(range(len(ids))))
            for e in events:
                if e["ev"] == "alloc":
                    lo, hi = e["va"], e["va"] + e["bytes"]
                    self.assertGreater(hi, lo)
                    for o in live.values():
                        self.assertFalse(lo < o["va"] + o["bytes"] and o["va"] < hi, (e, o))
                    live[e["t"]] = e
                    written |= {e["t"]} if setup else set()
                elif e["ev"] == "free":
                    del live[e["t"]]
                elif e["ev"] == "mark":
                    setup = False
                touches = e.get("touch", [])
                if e["ev"] == "host":
                    touches = [[e["t"], e["off"], e["bytes"], e["rw"]]]
                for t, off, n, access in touches:
                    self.assertTrue(n > 0 and 0 <= off and off + n <= live[t]["bytes"], e)
                    self.assertTrue(access == "w" or t in written, e)
                    written.add(t)

    def test_iterations_are_alike(self):
        for events in (self.mlp, self.conv, self.functional):
            names = [[]]
            for e in events:
                if e["ev"] == "mark":
                    names.append([])
                elif e["ev"] == "kernel":
                    names[-1].append((e["name"], e["phase"], e["flops"]))
            self.assertEqual(names[0], [])
            self.assertTrue(names[1])
            self.assertEqual(names[1], names[2])

    def test_matmul_flops(self):
        first, second = 2 * 32 * 256 * 512, 2 * 32 * 512 * 64
        it = last_iteration(self.mlp)
        self.assertEqual([k["flops"] for k in kernels(it, "aten.addmm")], [first, second])
        # Backward: two products for the second layer, for the first only its weight's.
        self.assertEqual([k["flops"] for k in kernels(it, "aten.mm")], [second, second, first])
        for k in kernels(it, "aten.addmm"):
            self.assertEqual((k["class"], k["dtype"]), ("gemm", "f32"))

    def test_matmul_bytes(self):
        k = kernels(last_iteration(self.mlp), "aten.addmm")[0]
        parts = [512 * 4, 32 * 256 * 4, 256 * 512 * 4, 32 * 512 * 4]    # bias, x, weight, y
        self.assertEqual([t[2:] for t in k["touch"]], [[n, rw] for n, rw in zip(parts, "rrrw")])
        self.assertEqual(k["bytes"], sum(parts))

    def test_update_in_place_moves_twice(self):
        for k in kernels(last_iteration(self.mlp), "aten.mul_"):
            self.assertEqual([t[3] for t in k["touch"]], ["rw"])
            self.assertEqual(k["bytes"], 2 * k["touch"][0][2])

    def test_gaps_of_a_strided_view_are_spanned_but_not_moved(self):
        # Columns 1 and 2 of 4 x 8, summed.
        k = next(k for k in kernels(last_iteration(self.functional), "aten.sum")
                 if k["phase"] == "forward")
        self.assertEqual([t[1:] for t in k["touch"]], [[4, (3 * 8 + 2) * 4, "r"], [0, 4, "w"]])
        self.assertEqual(k["bytes"], 4 * 2 * 4 + 4)

    def test_convolution_flops(self):
        # Output 5 x 8 x 8 x 8 from 2 channels a group and 3 x 3; then 5 x 8 x 8 positions
        # each spread over 6 x 2 x 2 outputs from 8 channels.
        first, up = 2 * 5 * 8 * 8 * 8 * 2 * 9, 2 * 5 * 8 * 8 * 8 * 6 * 4
        it = last_iteration(self.conv)
        self.assertEqual([k["flops"] for k in kernels(it, "aten.convolution")], [first, up])
        # Backward of the transposed one: both gradients; of the first: weight and bias.
        back = [k["flops"] for k in kernels(it, "aten.convolution_backward")]
        self.assertEqual(back, [2 * up, first + 5 * 8 * 8 * 8])

    def test_unneeded_factor_is_not_read(self):
        weight = next(e["t"] for e in self.conv if e.get("name") == "first.weight")
        last = kernels(last_iteration(self.conv), "aten.convolution_backward")[-1]
        self.assertNotIn(weight, [t[0] for t in last["touch"]])

    def test_running_statistics_are_updated(self):
        names = ("bn.running_mean", "bn.running_var")
        stats = {e["t"] for e in self.conv if e.get("name") in names}
        k = kernels(last_iteration(self.conv), "aten.native_batch_norm")
        k = k or kernels(last_iteration(self.conv), "aten._native_batch_norm_legit")
        self.assertEqual({t[0] for t in k[0]["touch"] if t[3] == "rw"}, stats)

    def test_kinds_and_names(self):
        shapes = {"0.weight": 512 * 256, "0.bias": 512, "2.weight": 64 * 512, "2.bias": 64}
        of = {}
        for e in self.mlp:
            if e["ev"] == "alloc":
                of.setdefault(e["kind"], {})[e["name"]] = e["bytes"]
        self.assertEqual(of["weight"], {n: 4 * s for n, s in shapes.items()})
        self.assertEqual(of["gradient"], {n + ".grad": 4 * s for n, s in shapes.items()})
        self.assertEqual(of["optimizer"], {f"{n}.{m}": 4 * s for n, s in shapes.items()
                                           for m in ("exp_avg", "exp_avg_sq")})
        self.assertEqual(of["input"], {"randn": 32 * 256 * 4, "randint": 32 * 8})
        self.assertIn("0/addmm", of["activation"])
        self.assertNotIn("other", of)

    def test_phases(self):
        it = last_iteration(self.mlp)
        for events in (self.mlp, self.conv, self.functional):   # the last clips its gradients
            order = [k["phase"] for k in last_iteration(events)
                     if k["ev"] == "kernel" and k["name"] != "host.time"]
            runs = [p for i, p in enumerate(order) if i == 0 or order[i - 1] != p]
            self.assertEqual(runs[-3:], ["forward", "backward", "optimizer"])
            self.assertIn(runs[:-3], ([], ["optimizer"]))       # zero_grad
        self.assertEqual([e["rw"] for e in it if e["ev"] == "host"], ["w", "w"])
        self.assertIn("optimizer", {k["class"] for k in it if k["ev"] == "kernel"})

    def test_live_peak(self):
        """The peak is at the step: weights, gradients and two moments, what Adam needs for
        the largest weight (a root, and its quotient while the root is being dropped), and
        the batch. Counted here from shapes alone."""
        weights = [512 * 256, 512, 64 * 512, 64]
        count = 4 * (4 * sum(weights) + 2 * max(weights)) + 32 * 256 * 4 + 32 * 8
        live, peak = {}, 0
        for e in self.mlp:
            if e["ev"] == "alloc":
                live[e["t"]] = e["bytes"]
                peak = max(peak, sum(live.values()))
            elif e["ev"] == "free":
                del live[e["t"]]
        self.assertLess(abs(peak - count), 0.02 * count)

    def test_live_peak_agrees_with_the_profiler(self):
        """PyTorch's own allocation events, of a plain run, tell the same peak."""
        p = subprocess.run([PYTHON, "-c", PROFILED, "2"], capture_output=True, text=True,
                           env=dict(os.environ, OMP_NUM_THREADS="1"))
        if p.returncode:
            self.skipTest("this PyTorch's profiler has no allocation events")
        live, peak, stays = {}, 0, 0
        for e in self.mlp:
            if e["ev"] == "alloc":
                live[e["t"]] = e["bytes"]
                peak = max(peak, sum(live.values()))
            elif e["ev"] == "free":
                del live[e["t"]]
            if e.get("kind") in ("weight", "optimizer"):
                stays += e["bytes"]
        self.assertLess(abs(peak - stays - int(p.stdout)), 0.001 * peak)

    def test_live_between_iterations(self):
        """Weights, gradients, two moments, batch and nothing that leaks."""
        live = {}
        for e in self.mlp:
            if e["ev"] == "alloc":
                live[e["t"]] = e["bytes"]
            elif e["ev"] == "free":
                del live[e["t"]]
            elif e["ev"] == "mark":
                weights = 4 * (512 * 256 + 512 + 64 * 512 + 64)
                self.assertLess(abs(sum(live.values()) - 4 * weights - 32 * 256 * 4 - 32 * 8), 1024)

    def test_network_without_modules(self):
        events = self.functional
        kinds = {e["name"]: e["kind"] for e in events if e["ev"] == "alloc"}
        want = {"param.0.0": "weight", "param.0.1.grad": "gradient", "relu": "activation",
                "param.0.0.momentum_buffer": "optimizer", "randn": "input", "abs": "input"}
        self.assertEqual({n: kinds.get(n) for n in want}, want)
        it = last_iteration(events)
        self.assertEqual([k["phase"] for k in kernels(it, "aten.mm")], ["forward", "backward"])
        data = next(e for e in events if e.get("name") == "randn")
        reads = [e for e in it if e["ev"] == "host" and e["t"] == data["t"]]
        batch = [[e["off"], e["bytes"], e["rw"]] for e in reads]
        self.assertEqual(batch, [[2 * 4 * 128, 4 * 128, "r"]])      # rows of iteration 2

    def test_lists_of_tensors(self):
        many = kernels(self.functional, "aten._foreach_add_")
        self.assertTrue(many)
        for k in many:
            self.assertEqual(k["flops"], 32 * 8 + 8)
            self.assertEqual(sorted(t[2:] for t in k["touch"]),
                             [[32, "r"], [32, "rw"], [32 * 8 * 4, "r"], [32 * 8 * 4, "rw"]])


class Recording(unittest.TestCase):
    def test_same_but_for_addresses_and_times(self):
        def plain(events):
            drop = ("va", "ns", "recorded")
            return [{k: v for k, v in e.items() if k not in drop} for e in events]
        a = record(MLP, "--iterations", "2", args=["9"])
        b = record(MLP, "--iterations", "2", args=["9"], name="job.jsonl.zst")
        self.assertEqual(plain(a), plain(b))

    def test_first_iteration_makes_optimizer_state(self):
        events = record(MLP, "--skip", "0", "--iterations", "1", args=["9"])
        mark = next(i for i, e in enumerate(events) if e["ev"] == "mark")
        kinds = [{e["kind"] for e in part if e["ev"] == "alloc"}
                 for part in (events[:mark], events[mark:])]
        self.assertNotIn("optimizer", kinds[0])
        self.assertIn("optimizer", kinds[1])
        self.assertIn("weight", kinds[0])

    def test_script_that_ends_early_gives_its_whole_iterations(self):
        events = record(MLP, "--iterations", "5", args=["3"])
        self.assertEqual(events[-1]["iterations"], 2)
        self.assertIn(events[-2]["ev"], ("kernel", "free"))

    def test_script_that_fails_shows_why(self):
        script = MLP + "\nraise ValueError('after training')"
        events = record(script, "--iterations", "5", args=["3"], status=1)
        self.assertEqual(events[-1]["iterations"], 2)

    def test_marks_of_the_script_rule(self):
        events = record(MARKED, "--iterations", "2")
        self.assertEqual(events[-1]["iterations"], 2)
        it = last_iteration(events)
        looks = kernels(it, "aten.embedding")
        self.assertEqual(len(looks), 2)
        rows = [t[1:] for t in looks[0]["touch"] if t[3] == "r"]
        self.assertEqual(rows[:2], [[7 * 64, 2 * 64, "r"], [500 * 64, 64, "r"]])


if __name__ == "__main__":
    unittest.main()
