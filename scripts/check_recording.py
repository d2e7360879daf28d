#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hold a recording of a job against the job itself.

  check_recording.py [options] -- train.py [its arguments]

The script runs three ways, each --repeat times in turn: plain (only timed), recorded, and
last under PyTorch's profiler, whose allocation events are a second count of live memory.
The trace is replayed by `gmemsim run` with unlimited memory and recorded durations. Said is:

  plain     seconds of an iteration without recorder
  recorded  the same less the recorder's share, as it says itself (of the middle recording)
  ideal     simulated time of the same iteration
  peak      most bytes alive: of the trace, and of the profiler's events
  segments  on a GPU: bytes of the trace's when its last iteration ends, which have to be
            torch.cuda.memory_reserved(); else the exit status is 1

On a CPU `ideal` must be what was recorded, and both near `plain`. On a GPU idle time between
operators is missing from the first two. Run it on a machine that does nothing else.
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from statistics import median

HERE = os.path.dirname(os.path.abspath(__file__))


def allocations(nodes):
    """(ns, bytes, device) of the profiler's tree, in order of time."""
    todo, found = list(nodes), []
    while todo:
        n = todo.pop()
        todo += n.children
        if n.tag.name == "Allocation":
            f = n.extra_fields
            found.append((n.start_time_ns, f.alloc_size, str(getattr(f, "device", "cpu"))))
        elif n.name == "gmemsim.start":
            found.append((n.start_time_ns, None, ""))
    return sorted(found, key=lambda e: e[0])


def count_memory(a):
    """In a process of its own: the script under the profiler; prints the peak in bytes."""
    sys.path.insert(0, HERE)
    import torch
    from torch.profiler import profile, record_function

    from gmemsim_record.loop import Loop, Stopwatch
    from gmemsim_record.run import run
    sys.path.pop(0)

    class Counter(Stopwatch):
        def start(self):
            with record_function("gmemsim.start"):
                pass

    rec = Counter()
    loop = rec.loop = Loop(rec, a.iterations, a.skip, a.per)
    with profile(profile_memory=True) as p:
        status, _ = run(rec, loop, a.script, False)
    kind = "cuda" if torch.cuda.is_available() else "cpu"
    live = peak = 0
    for _, size, device in allocations(p.profiler.kineto_results.experimental_event_tree()):
        if size is None:
            peak = live                             # what was before recording began is past
        elif kind in device:
            live += size
            peak = max(peak, live)
    print(f"gmemsim peak {peak}", file=sys.stderr)
    return status


def check(command, **more):
    p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    if p.returncode:
        sys.stderr.write(p.stderr)
        sys.exit(f"check_recording: failed: {' '.join(command)}")
    return p


def seconds(text, what):
    return [float(x) for x in re.search(what + r": ([0-9. e+-]+)", text)[1].split()]


def replay(gmemsim, trace):
    config = os.path.join(HERE, "..", "configs", "exp", "single.yaml")
    p = check([gmemsim, "run", config, "--trace", trace, "--set", "manager.type=ideal",
               "--set", "workload.timing=recorded", "--json", "--quiet"])
    return [i["time_ps"] / 1e12 for i in json.loads(p.stdout)["result"]["iterations"]]


def table(plain, recorded, ideal, stretch, peaks):
    off = max(abs(i / r - 1) for i, r in zip(ideal, recorded))
    print("seconds of an iteration")
    print(f"  plain     {min(plain):10.4f}  to {max(plain):.4f}")
    for name, xs in (("recorded", recorded), ("ideal", ideal)):
        print(f"  {name:9} {min(xs):10.4f}  to {max(xs):.4f}   "
              f"median to median of plain {100 * (median(xs) / median(plain) - 1):+.2f} %")
    print(f"  ideal to recorded, iteration by iteration: at most {100 * off:.3f} % off")
    print(f"  while being recorded: {stretch} times as long")
    if None not in peaks:
        trace, profiler = peaks
        print(f"peak bytes  trace {trace}  profiler {profiler}  "
              f"{100 * (trace / profiler - 1):+.3f} %")


def segments(said):
    """Are all GPUs' segments those of the allocator?"""
    rows = re.findall(r"(cuda:\d+): when the last iteration ended, segments of (\d+) bytes; "
                      r"memory_reserved (\d+)", said)
    for device, ours, reserved in rows:
        print(f"segments    trace {ours}  memory_reserved {reserved}  {device}  "
              f"{'the same' if ours == reserved else 'NOT THE SAME'}")
    return all(ours == reserved for _, ours, reserved in rows)


def main():
    p = argparse.ArgumentParser(description=__doc__, usage="check_recording.py [options] -- "
                                "train.py [its arguments]",
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--iterations", type=int, default=3, metavar="N")
    p.add_argument("--skip", type=int, default=1, metavar="K")
    p.add_argument("--per", choices=("step", "forward"), default="step")
    p.add_argument("--repeat", type=int, default=3, metavar="R")
    p.add_argument("--cpu-time", action="store_true", help="as record_torch.py has it")
    p.add_argument("--gmemsim", default=os.path.join(HERE, "..", "build", "gmemsim"), metavar="FILE")
    p.add_argument("-o", "--output", metavar="FILE.gmt", help="keep the middle recording")
    p.add_argument("--count-memory", action="store_true", help=argparse.SUPPRESS)
    p.add_argument("script", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    a = p.parse_args()
    a.script = a.script[a.script[:1] == ["--"]:]
    if not a.script or not os.path.isfile(a.script[0]):
        p.error(f"{a.script[0] if a.script else 'which script?'}: no such script")
    if a.count_memory:
        return count_memory(a)
    if not os.access(a.gmemsim, os.X_OK):
        p.error(f"{a.gmemsim}: no such program; run make, or name it with --gmemsim")

    options = ["--iterations", str(a.iterations), "--skip", str(a.skip), "--per", a.per]
    record = [sys.executable, os.path.join(HERE, "record_torch.py"), *options,
              *["--cpu-time"] * a.cpu_time]
    plain, recordings = [], []
    with tempfile.TemporaryDirectory() as d:
        for i in range(a.repeat):
            p = check([*record, "--time-only", "--", *a.script])
            plain += seconds(p.stderr, "seconds of the iterations")
            trace = os.path.join(d, f"{i}.gmt")
            p = check([*record, "-o", trace, "--", *a.script])
            recorded = seconds(p.stderr, "without the recorder")
            recordings.append((median(recorded), recorded, trace, p.stderr))
        _, recorded, trace, said = sorted(recordings)[(a.repeat - 1) // 2]
        p = check([sys.executable, __file__, "--count-memory", *options, "--", *a.script])
        profiler = int(re.search(r"gmemsim peak (\d+)", p.stderr)[1])
        ours = int(re.search(r"live peak (\d+)", said)[1])
        table(plain, recorded, replay(a.gmemsim, trace),
              re.search(r"took ([\d.]+) times", said)[1], (ours, profiler or None))
        if a.output:
            shutil.move(trace, a.output)
    return 0 if segments(said) else 1


if __name__ == "__main__":
    sys.exit(main())
