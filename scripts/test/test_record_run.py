#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recorder as a command: scripts run as python runs them, limits, endings, files."""
import glob
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import types
import unittest

import torch_runs
from torch_runs import PYTHON

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, "..", "..")
RECORDER = os.path.join(ROOT, "scripts", "record_torch.py")
GMT = os.path.join(ROOT, "traces", "gmt.py")
sys.path.insert(0, os.path.join(ROOT, "scripts"))
from gmemsim_record import out as record_out  # noqa: E402
GMEMSIM = os.environ.get("GMEMSIM", os.path.join(ROOT, "build", "gmemsim"))


# Two layers, some iterations; what it does then is the case's own.
TRAIN = """
import sys, torch, torch.nn as nn
torch.manual_seed(1)
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8))
opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
def iteration():
    opt.zero_grad()
    model(torch.randn(16, 64)).square().mean().backward()
    opt.step()
"""

OPERATORS = """
import torch
from torch.optim import SGD
table = torch.nn.Embedding(1000, 16, sparse=True)
opt = SGD(table.parameters(), lr=0.1)
rows = torch.tensor([7, 8, 8, 500])
x, y, o = torch.ones(8, 4), torch.ones(8, 4), torch.zeros(8, 4)
for i in range(3):
    opt.zero_grad(set_to_none=True)
    loss = table(rows).sum()
    torch.add(x, y, out=o)
    x[2:4].mul_(2)
    torch.neg(o.view(4, 8)[1])
    loss.backward()
    opt.step()
"""

# Keys and values grow by one token a call, as transformers do it.
CHAT = """
import torch, torch.nn as nn
class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(32, 96)
        self.k = self.v = None
    def forward(self, x):
        q, k, v = self.qkv(x).split(32, -1)
        self.k = k.clone() if self.k is None else torch.cat([self.k, k])
        self.v = v.clone() if self.v is None else torch.cat([self.v, v])
        return torch.softmax(q @ self.k.t(), -1) @ self.v
model, x = Attention(), torch.randn(5, 32)
with torch.no_grad():
    for token in range(6):
        x = model(x)[-1:].tanh()
"""

# The meta device knows shapes only, but it is another device than the host's.
DEVICE = """
import sys, torch, torch.nn as nn
sys.modules["gmemsim_record.emit"].HOST = ("cpu",)
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8)).to("meta")
opt = torch.optim.Adam(model.parameters())
for i in range(3):
    x = torch.randn(16, 64).abs().to("meta")
    opt.zero_grad()
    model(x).square().mean().backward()
    opt.step()
"""

# Lives that the tensors do not tell: x is saved by autograd alone, y by a view; p gets other
# data behind the recorder's back. `z.neg()` comes once each is known to live or to be dead.
LIVES = TRAIN + """
p = nn.Parameter(torch.zeros(3000))
for i in range(4):
    opt.zero_grad()
    model(torch.ones(1, 64))
    x = torch.full((1000,), 2.).requires_grad_()
    out = (x * x.detach().clone()).sum()
    z = torch.ones(1)
    del x
    z.neg()
    out.backward()
    del out
    z.neg()
    y = torch.ones(2000)[:5]
    z.neg()
    y = None
    z.neg()
    p.data = torch.ones(3000)
    z.neg()
    opt.step()
"""

# Rows as spans, by tensors, against the same by hand.
SPANS = """
import random, sys, torch
sys.path.insert(0, sys.argv[1])
from gmemsim_record.spans import coarsened, merged, pairs, row_spans
random.seed(1)
for case in range(300):
    rows, limit = random.randint(1, 60), random.choice([1, 2, 3, 5, 4096])
    table = torch.zeros(rows, 8)[:, :random.choice([3, 8, 8])]
    index = torch.tensor([random.randrange(rows) for _ in range(random.randint(0, 20))]).long()
    got, size = row_spans(table, index, limit)
    got = list(pairs(got))
    named, width = sorted(set(index.tolist())), 4 * table.shape[1]
    want = coarsened(merged([32 * r, width] for r in named), limit) if named else []
    assert size == len(named) * width
    assert (len(got), sum(n for _, n in got)) == (len(want), sum(n for _, n in want))
    assert limit < 4096 or [list(x) for x in got] == [list(x) for x in want]
    assert all(any(o <= 32 * r and 32 * r + width <= o + n for o, n in got) for r in named)
"""

CUDA_TIMER = """
import sys, types, torch
sys.path.insert(0, sys.argv[1])
from gmemsim_record.clock import Timer
made = []
class Event:
    def __init__(self, enable_timing):
        made.append(self)
    def record(self, stream):
        self.stream = stream
    def synchronize(self):
        self.waited = True
    def elapsed_time(self, end):
        assert end.waited
        return 1.5
capturing = False
torch.cuda.Event = Event
torch.cuda.current_stream = lambda device: types.SimpleNamespace(cuda_stream=77)
torch.cuda.is_current_stream_capturing = lambda: capturing
gpu = torch.device("cuda", 0)
for i in range(3):
    t = Timer(gpu)
    t.stop(gpu, 10)
    assert (t.nanoseconds(), t.stream, len(made)) == (1500000, 77, 2)
capturing = True                # events would end up in the graph
t = Timer(gpu)
t.stop(gpu, 10)
assert (t.nanoseconds(), len(made)) == (10, 2)
"""


class Run:
    """One recording, in a folder of its own."""

    def __init__(self, script, *options, args=(), name="job.gmt", env=None, limit=None, module=None,
                 relative=False):
        self.folder = tempfile.TemporaryDirectory()
        path = os.path.join(self.folder.name, "job.py")
        with open(path, "w") as f:
            f.write(script)
        self.path = os.path.join(self.folder.name, name)
        what = ["-m", module] if module else [path]
        p = torch_runs.run([RECORDER, "-o", name if relative else self.path, *options, "--", *what, *args],
                           cwd=self.folder.name, env=env, limit=limit)
        self.status, self.out, self.err = p.returncode, p.stdout, p.stderr
        self.files = sorted(os.path.basename(f) for f in glob.glob(self.folder.name + "/*.*")
                            if not f.endswith(".py"))

    def rows(self):
        if self.path.endswith(".jsonl"):
            with open(self.path) as f:
                text = f.read()
        else:
            text = subprocess.run([PYTHON, GMT, "cat", self.path], check=True, text=True,
                                  stdout=subprocess.PIPE).stdout
        return [json.loads(line) for line in text.splitlines()]

    def iterations(self):
        return self.rows()[-1]["iterations"]


def kernels(rows, name):
    return [r for r in rows if r["ev"] == "kernel" and r["name"] == name]


class Script(unittest.TestCase):
    """What the script sees and what becomes of it."""

    def test_runs_as_python_runs_it(self):
        r = Run(TRAIN + "print(__name__, sys.argv[1:], __file__ == sys.argv[0], sys.path[0])\n"
                "for i in range(4): iteration()\n"
                "print('the end')\nsys.exit(7)", "--iterations", "0", args=["--", "-x", "a b"])
        self.assertEqual(r.out.splitlines()[0],
                         f"__main__ ['--', '-x', 'a b'] True {r.folder.name}")
        self.assertIn("the end", r.out)
        self.assertEqual((r.status, r.iterations()), (7, 3))

    def test_module_runs_as_python_m_runs_it(self):
        r = Run(TRAIN + "print(__name__, sys.argv[1:])\n"
                "for i in range(4): iteration()", module="job", args=["5"])
        self.assertEqual((r.status, r.out), (0, "__main__ ['5']\n"))
        self.assertEqual(r.iterations(), 3)

    def test_stops_when_enough_is_recorded(self):
        r = Run(TRAIN + "for i in range(9):\n"
                "    try: iteration()\n"
                "    except Exception: pass\n"
                "    print(i)", "--iterations", "2", "--control", "1")
        self.assertEqual((r.status, r.out.split(), r.iterations()), (0, ["0", "1", "2"], 2))
        self.assertIn("stopped the script: 2 iterations are recorded", r.err)

    def test_goes_on_unwatched_when_asked_to(self):
        r = Run(TRAIN + "from torch.utils import _python_dispatch as d\n"
                "for i in range(5):\n    iteration()\n"
                "    print(d._get_current_dispatch_mode() is not None)", "--iterations", "2", "--go-on")
        self.assertEqual((r.status, r.out.split()), (0, ["True"] * 2 + ["False"] * 3))
        self.assertEqual(r.iterations(), 2)

    def test_iterations_are_those_of_the_optimizer_that_stepped_first(self):
        r = Run(TRAIN + "other = torch.optim.Adam(model.parameters())\n"
                "for i in range(8):\n    iteration()\n"
                "    if i % 2: other.step()", "--iterations", "0")
        self.assertEqual((r.status, r.iterations()), (0, 7))
        rows = r.rows()
        marks = [i for i, row in enumerate(rows) if row["ev"] == "mark"]
        adam = [len(kernels(rows[a:b], "aten.addcdiv_"))
                for a, b in zip(marks, marks[1:] + [len(rows)])]
        self.assertEqual(adam, [0, 4, 0, 4, 0, 4, 0])   # a step of it opens the next iteration

    def test_failure_keeps_whole_iterations_and_shows_the_scripts_frames_only(self):
        r = Run(TRAIN + "for i in range(9):\n    iteration()\n    if i == 2: model(torch.ones(3))",
                "--iterations", "5")
        self.assertEqual((r.status, r.iterations()), (1, 2))
        self.assertIn("RuntimeError", r.err)
        self.assertIn("the script failed (RuntimeError); 2 whole iterations are kept", r.err)
        self.assertNotIn("runpy", r.err)

    def test_interrupt_keeps_whole_iterations(self):
        r = Run(TRAIN + "import os, signal\nfor i in range(9):\n    iteration()\n"
                "    if i == 2: os.kill(os.getpid(), signal.SIGINT)", "--iterations", "5")
        self.assertEqual((r.status, r.iterations()), (130, 2))
        self.assertIn("was interrupted; 2 whole iterations are kept", r.err)

    def test_script_may_change_its_folder(self):
        r = Run(TRAIN + "import os\nos.mkdir('away')\nos.chdir('away')\n"
                "for i in range(4): iteration()", relative=True)
        self.assertEqual((r.status, r.files), (0, ["job.gmt"]), r.err)

    def test_tensors_of_another_class(self):
        r = Run(TRAIN.replace("(torch.randn(16, 64))", "(torch.randn(16, 64).as_subclass(Mine))") +
                "class Mine(torch.Tensor): pass\nfor i in range(4): iteration()")
        self.assertEqual((r.status, r.iterations()), (0, 3), r.err)

    def test_sigterm_keeps_whole_iterations(self):
        r = Run(TRAIN + "import os, signal\nfor i in range(9):\n    iteration()\n"
                "    if i == 2: os.kill(os.getpid(), signal.SIGTERM)", "--iterations", "5")
        self.assertEqual((r.status, r.iterations()), (128 + signal.SIGTERM, 2))


class Control(unittest.TestCase):
    """Iterations without the recorder, after those with it."""

    def test_runs_unwatched_and_is_said(self):
        r = Run(TRAIN + "from torch.utils import _python_dispatch as d\n"
                "for i in range(99):\n    iteration()\n"
                "    print(d._get_current_dispatch_mode() is not None)", "--iterations", "2")
        self.assertEqual((r.status, r.out.split()), (0, ["True"] * 2 + ["False"] * 3))
        self.assertEqual(r.iterations(), 2)
        said = re.search(r"unwatched iterations after them: (.*)\n.*taken off: (.*) us", r.err)
        self.assertEqual([len(x.split()) for x in said.groups()], [3, 2])

    def test_failure_in_it_keeps_what_was_recorded(self):
        r = Run(TRAIN + "for i in range(9):\n    iteration()\n    if i == 4: boom")
        self.assertEqual((r.status, r.iterations()), (1, 3))
        self.assertIn("3 whole iterations are kept", r.err)

    def test_arithmetic(self):
        """Kernels of 100, 5000 and 9000 ns, gaps of 10000 and 500 with 4 and 1 operators."""
        sys.path.insert(0, os.path.join(ROOT, "scripts"))
        from gmemsim_record.control import excess, host_ns, relieved
        from gmemsim_record.events import GAP, KERNEL
        sys.path.pop(0)
        work = types.SimpleNamespace(name="aten.add")
        events = [(GAP, 10000, "forward", 4), *[(KERNEL, n, None, work, "other", "forward")
                                                     for n in (100, 5000, 9000)],
                  (KERNEL, 7777, "of a device"), (GAP, 500, "backward", 1)]
        self.assertEqual(relieved(events, 5, 0, 0.25), events)
        # a quarter of 400 from each kernel, three from each gap's operators; two operators
        # were no kernels and theirs comes from the gaps in proportion
        self.assertEqual([e[1] for e in relieved(events, 5, 400, 0.25)],
                         [8800 - 195, 0, 4900, 8900, 7777, 200 - 5])
        for each, left in ((4000, 4600), (6000, 0)):
            self.assertEqual(host_ns(relieved(events, 5, each, 0.25)), left)
        self.assertEqual(host_ns(relieved(events, 5, -1000, 0.25)), host_ns(events) + 5000)
        # 10000 is usual; 10 us more of 4 operators, at most the recorder's 2 each; 0.2 back
        told = [9000, 10000, 11000]
        mine = [(20000, 8000, 4), (9800, 8000, 4), (8000, 8000, 4)]
        self.assertEqual(excess(mine, told, 200), [2000, -50, -200])
        self.assertEqual(excess(mine, [], 200), [0, 0, 0])
        self.assertEqual(excess([*mine[:2], (8000, 8000, 3)], told, 200), [-50] * 3)


class Precision(unittest.TestCase):
    def test_is_said_in_the_trace(self):
        r = Run(TRAIN + "for i in range(4): iteration()", "--precision", "1%")
        self.assertEqual(r.status, 0)
        self.assertIn("durations rounded to 1 %", r.rows()[0]["recorded"])
        for k in r.rows():
            ns = k.get("ns", 0)                     # of at least 50 steps, a power of two each
            self.assertEqual(ns % (1 << (ns // 101).bit_length()), 0, ns)

    def test_durations_and_their_sums_stay_near(self):
        rows, rng = [], random.Random(1)
        sink = types.SimpleNamespace(put=rows.append, size=None, close=None, drop=None)
        rounded, sums, longest = record_out.Rounded(sink, 0.001), {}, 0
        for _ in range(5000):
            ns, dev = rng.randrange(1 << rng.randrange(1, 40)), rng.randrange(2)
            rounded.put({"ev": "kernel", "dev": dev, "ns": ns})
            self.assertLessEqual(abs(rows[-1]["ns"] - ns), ns / 1000)
            longest = max(longest, ns)
            sums[dev] = sums.get(dev, 0) + ns - rows[-1]["ns"]
            self.assertLessEqual(abs(sums[dev]), longest / 1000 * 2)


class Limits(unittest.TestCase):
    def test_bytes_are_not_passed(self):
        loop = "for i in range(400): iteration()"
        r = Run(TRAIN + loop, "--iterations", "0", "--max-bytes", "20K")
        self.assertEqual(r.status, 0)
        self.assertGreater(r.iterations(), 1)
        self.assertLessEqual(os.path.getsize(r.path), 20 * 1024)
        self.assertIn("--max-bytes", r.err)

    def test_seconds_end_the_iteration_that_runs(self):
        r = Run(TRAIN + "import time\nfor i in range(3): iteration()\n"
                "time.sleep(60)", "--max-seconds", "0.001")
        self.assertEqual((r.status, r.files), (2, []))
        self.assertIn("no iteration had been recorded by then", r.err)

    def test_seconds_stop_a_script_between_its_operators(self):
        r = Run(TRAIN + "import time\nfor i in range(3): iteration()\n"
                "now = time.monotonic\ntime.monotonic = lambda: now() + 3600\n"
                "for i in range(1000): torch.ones(9).sum()\nprint('not reached')",
                "--iterations", "5", "--max-seconds", "1800")
        self.assertEqual((r.status, r.out, r.iterations()), (0, "", 2))

    def test_iteration_without_end_is_not_buffered(self):
        r = Run(TRAIN + "sys.modules['gmemsim_record.recorder'].BUFFER = 200\n"
                "for i in range(3): iteration()\n"
                "for i in range(60): model(torch.ones(1, 64))\n"
                "print('not reached')", "--iterations", "0")
        self.assertEqual((r.status, r.out, r.iterations()), (0, "", 2))
        self.assertIn("one iteration passes 200 touches", r.err)


class Refusals(unittest.TestCase):
    """Each names what is wrong and what to do; none leaves a file."""

    def refused(self, r, status, *words):
        self.assertEqual((r.status, r.files), (status, []), r.err)
        for w in words:
            self.assertIn(w, r.err)

    def test_script_without_an_optimizer(self):
        self.refused(Run(CHAT), 2, "no iteration was recorded", "--per forward")

    def test_training_in_a_thread_of_its_own(self):
        r = Run(TRAIN + "import threading\nt = threading.Thread(target=lambda: "
                "[iteration() for i in range(9)])\nt.start()\nt.join()")
        self.refused(r, 2, "run in another thread")
        self.assertNotIn("Traceback", r.err)

    def test_script_that_fails_before_its_first_iteration(self):
        self.refused(Run("raise SystemExit('no data')"), 1, "no data", "nothing is kept")

    def test_name_of_the_output(self):
        self.refused(Run(TRAIN, name="job.txt"), 2, "must end in one of .gmt")

    def test_script_that_is_not_there(self):
        p = torch_runs.run([RECORDER, "--", "nowhere.py"])
        self.assertEqual(p.returncode, 2)
        self.assertIn("nowhere.py: no such script", p.stderr)

    def test_python_without_torch(self):
        p = subprocess.run([PYTHON, "-S", RECORDER, "--", __file__], capture_output=True, text=True)
        self.assertEqual(p.returncode, 2)
        self.assertIn("has no PyTorch. Run the recorder with the Python that runs", p.stderr)

    def test_full_disk(self):
        r = Run(TRAIN + "for i in range(90):\n"
                "    try: iteration()\n"
                "    except OSError: pass", "--iterations", "50", limit=40000, name="job.jsonl")
        self.refused(r, 1, "File too large; nothing is kept")


class Trace(unittest.TestCase):
    def test_same_in_every_format(self):
        script = TRAIN + "for i in range(4): iteration()"
        drop = ("va", "ns", "ps", "recorded")
        absent = {"class": "other", "dtype": "other", "flops": 0}

        def plain(r):
            return [{k: v for k, v in row.items()
                     if k not in drop and absent.get(k, "-") != v} for row in r.rows()]
        a, b = Run(script, name="job.gmt"), Run(script, name="job.jsonl")
        self.assertEqual((a.files, b.files), (["job.gmt"], ["job.jsonl"]))
        self.assertEqual(plain(a), plain(b))
        if os.path.exists(GMEMSIM):
            subprocess.run([GMEMSIM, "trace", "verify", a.path], check=True, capture_output=True)

    def test_replay_and_profiler_agree_with_the_recording(self):
        if not os.path.exists(GMEMSIM):
            self.skipTest("gmemsim is not built")
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "job.py")
            with open(path, "w") as f:
                f.write(TRAIN.replace("64", "256") + "for i in range(4): iteration()")
            p = torch_runs.run([os.path.join(ROOT, "scripts", "check_recording.py"),
                                "--repeat", "1", "--gmemsim", GMEMSIM, "--", path])
        self.assertEqual(p.returncode, 0, p.stderr)
        self.assertLess(float(re.search(r"at most ([\d.]+) % off", p.stdout)[1]), 2)
        peak = re.search(r"peak bytes  trace (\d+)  profiler (\d+)", p.stdout)
        self.assertGreater(int(peak[1]), 3 * 4 * 256 * 256)     # weight, gradient, momentum
        self.assertLess(abs(int(peak[1]) / int(peak[2]) - 1), 0.02)

    def test_ranks_write_files_of_their_own(self):
        r = Run(TRAIN + "for i in range(2): iteration()", env={"RANK": "3", "WORLD_SIZE": "8"})
        self.assertEqual((r.status, r.files), (0, ["job.rank3.gmt"]))

    def test_views_in_place_and_out(self):
        rows = Run(OPERATORS, "--iterations", "1").rows()
        add = kernels(rows, "aten.add")[0]["touch"]
        self.assertEqual([t[1:] for t in add], [[0, 128, "r"], [0, 128, "r"], [0, 128, "w"]])
        self.assertEqual(len({t[0] for t in add}), 3)
        mul = [k["touch"] for k in kernels(rows, "aten.mul_") if k["phase"] == "forward"]
        self.assertEqual(mul, [[[add[0][0], 32, 32, "rw"]]])        # rows 2 and 3 of x
        neg = kernels(rows, "aten.neg")[0]["touch"][0]
        self.assertEqual(neg, [add[2][0], 32, 32, "r"])             # row 1 of a view of o

    def test_deaths_are_seen_at_the_next_operator(self):
        size, live, seen = {}, set(), []
        for row in Run(LIVES, "--iterations", "1", "--skip", "2").rows():
            if row["ev"] == "alloc":
                size[row["t"]] = row["bytes"]
                live.add(row["t"])
            elif row["ev"] == "free":
                live.remove(row["t"])
            elif row["ev"] == "kernel" and row["name"] == "aten.neg":
                seen.append([sum(size[t] == 4000 * n for t in live) for n in (1, 2, 3)])
        # of x: itself and its clone; their product has died
        self.assertEqual(seen, [[2, 0, 1], [0, 0, 1], [0, 1, 1], [0, 0, 1], [0, 0, 1]])

    def test_closure_of_a_step_goes_forward_and_back(self):
        rows = Run(TRAIN.replace("SGD(model.parameters(), lr=0.1, momentum=0.9)",
                                 "LBFGS(model.parameters(), max_iter=2)") + """
x = torch.randn(16, 64)
def closure():
    opt.zero_grad()
    loss = model(x).square().mean()
    loss.backward()
    return loss
for i in range(2): opt.step(closure)
""").rows()
        phases = [r["phase"] for r in rows if r["ev"] == "kernel" and r["name"] != "host.time"]
        runs = [p for i, p in enumerate(phases) if i == 0 or phases[i - 1] != p]
        if runs[0] == "optimizer":                  # before 2.0 zero_grad() zeroed
            runs = runs[1:]
        self.assertEqual(runs, ["forward", "backward", "optimizer"] * 2)
        kinds = {r["name"]: r["kind"] for r in rows if r["ev"] == "alloc"}
        self.assertEqual((kinds["randn"], kinds["0/addmm"]), ("input", "activation"))

    def test_sparse_gradient_touches_its_rows_only(self):
        rows = Run(OPERATORS, "--iterations", "1").rows()
        table = next(r["t"] for r in rows if r["ev"] == "alloc" and r["kind"] == "weight")
        for name, access in (("aten.embedding", "r"), ("aten.add_", "rw")):
            touched = [t[1:] for k in kernels(rows, name) for t in k["touch"] if t[0] == table]
            self.assertEqual(touched, [[7 * 64, 2 * 64, access], [500 * 64, 64, access]], name)

    def test_batches_from_elsewhere_are_input(self):
        loader = "iter(torch.utils.data.DataLoader(torch.ones(96, 64), batch_size=16, num_workers=1))"
        for batch in ("next(batches)", "torch.from_numpy(numpy.ones((16, 64), 'f'))"):
            r = Run(TRAIN.replace("torch.randn(16, 64)", batch) + f"batches = {loader}\n"
                    "import numpy\nfor i in range(4): iteration()")
            self.assertEqual(r.status, 0, r.err)
            rows = r.rows()
            kind = {row["t"]: row["kind"] for row in rows if row["ev"] == "alloc"}
            first = [k["touch"][1][0] for k in kernels(rows, "aten.addmm")[::2]]
            self.assertEqual([kind[t] for t in first], ["input"] * 3, batch)

    def test_cache_of_keys_and_values(self):
        r = Run(CHAT, "--per", "forward", "--iterations", "0")
        rows = r.rows()
        self.assertEqual((r.status, rows[-1]["iterations"]), (0, 4))
        caches = [a["bytes"] for a in rows if a["ev"] == "alloc" and a["kind"] == "kv_cache"]
        # two are there when call 2 begins (6 tokens); each call makes two more
        self.assertEqual(caches, [4 * 32 * n for n in (6, 6, 7, 7, 8, 8, 9, 9, 10, 10)])
        self.assertEqual({a["kind"] for a in rows if a["ev"] == "alloc" and "weight" in a["name"]},
                         {"weight"})

    def test_inference_mode_shows_the_parts_of_operators(self):
        def kernels_of(script):
            rows = Run(script, "--per", "forward", "--iterations", "2").rows()
            return [(r["name"], r["class"], r.get("flops")) for r in rows if r["ev"] == "kernel"]
        plain = kernels_of(CHAT)
        self.assertIn(("aten.addmm", "gemm", 2 * 1 * 32 * 96), plain)
        self.assertEqual(kernels_of(CHAT.replace("no_grad", "inference_mode")), plain)

    def test_time_only_writes_nothing(self):
        r = Run(TRAIN + "for i in range(4): iteration()", "--time-only", "--iterations", "2")
        self.assertEqual((r.status, r.files), (0, []))
        self.assertEqual(len(re.search(r"seconds of the iterations: (.*)", r.err)[1].split()), 2)

    def test_beside_a_device_the_host_is_left_out(self):
        r = Run(DEVICE, "--iterations", "2")
        rows = r.rows()
        self.assertEqual(rows[0]["devices"], ["meta"])
        self.assertEqual({row["ev"] for row in rows}, {"meta", "alloc", "free", "kernel", "mark", "end"})
        names = {row["name"] for row in rows if row["ev"] == "kernel"}
        self.assertFalse(names & {"host.time", "aten.randn", "aten.abs"})
        copies = kernels(rows, "aten._to_copy")     # of the batch
        self.assertEqual([[t[1:] for t in k["touch"]] for k in copies], [[[0, 4096, "w"]]] * 2)
        self.assertEqual({k["phase"] for k in copies}, {"data"})
        kinds = [row["kind"] for row in rows if row["ev"] == "alloc"]
        self.assertEqual([kinds.count(k) for k in ("weight", "optimizer", "input")], [4, 8, 3])

    def helper(self, script):
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "helper.py")
            with open(path, "w") as f:
                f.write(script)
            p = torch_runs.run([path, os.path.join(ROOT, "scripts")])
        self.assertEqual(p.returncode, 0, p.stderr)

    def test_rows_as_spans(self):
        self.helper(SPANS)

    def test_cuda_events_are_read_once_and_used_again(self):
        self.helper(CUDA_TIMER)


if __name__ == "__main__":
    unittest.main()
