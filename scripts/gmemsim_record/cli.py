# SPDX-License-Identifier: GPL-3.0-or-later
"""The command record_torch.py: options, limits, and what it prints."""
import argparse
import datetime
import importlib.util
import os
import platform
import re
import sys
import time

from . import out

ABOUT = """Record the memory behaviour of an unmodified PyTorch script.

  record_torch.py -o job.gmt -- train.py --batch 4       a training, three iterations of it
  record_torch.py -o job.gmt -- -m my.train --batch 4    as python -m would run it
  record_torch.py -o job.gmt --per forward -- chat.py    inference: an iteration is a call
  record_torch.py --time-only -- train.py --batch 4      what the iterations take unwatched

The script runs as it is, under a dispatch mode that sees each operator of forward, backward
and optimizer: what it read and wrote, how long it took, which tensors appeared and died.
The first --skip iterations only warm up (the optimizer makes its state in the first); then
--iterations are recorded; --control more run unwatched, to tell what being watched cost;
then the script is stopped, or goes on alone with --go-on.

An iteration ends when Optimizer.step() returns (of the optimizer that stepped first, where
there are several). A script whose loop is another may say so itself:

  import record_torch
  record_torch.mark_iteration()     # begins an iteration; once more ends the last
"""

READING = """what one must know to read a trace:
  Tensors are storages. Views move no memory and are left out; a touch names the storage,
  the offset and the span that the view covers. `bytes` is what an operator must move
  (elements, not the gaps of a strided view; a tensor updated in place counts twice).
  Scratch memory inside an operator (an im2col buffer, a cuDNN workspace) is invisible.
  Frees stand where they happened, between two operators.

  On a GPU durations come from CUDA events around each operator. The recorder launches
  slower than plain PyTorch, so operators below some 10 us look longer than they are, and
  idle time between operators is not recorded. Addresses are those of the caching allocator,
  and what it maps and unmaps (its segments) stands before the operator that made it do so;
  only device tensors are recorded. torch.compile is switched off (it hides operators).

  On a CPU the operators stand for a device's kernels. Time between them is a kernel
  `host.time` at each turn of the loop, so an iteration adds up to its wall time less the
  recorder's; what it still took longer than the unwatched ones is taken off too. What the script does between optimizer and forward (phase data) and item()
  are host accesses. The optimizer's scalars are left out: beside a GPU they live on the host.

kinds: weight (parameters, buffers), gradient (a parameter's .grad), optimizer (tensors in
  Optimizer.state), kv_cache (without gradients: written in one call of the outermost module
  and read in a later one), input (made in phase data, or made before training and read by
  then or in forward), activation (made in forward and used by a second kernel), workspace
  (the other temporaries), other (the rest of what was there before).

distributed jobs: each rank (RANK of torchrun) writes a file of its own, job.rank0.gmt ...;
  `gmemsim trace merge` joins them.

exit status: the script's; 0 where it was stopped with enough recorded; 2 where nothing could
  be recorded. The trace appears whole or not at all, and has only whole iterations.
"""


def size(text):
    m = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT]?)(?:i?B)?", text)
    if not m:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; as in 500M or 2G")
    return int(float(m[1]) * 1024 ** " KMGT".index(m[2] or " "))


def percentage(text):
    m = re.fullmatch(r"(\d+(?:\.\d+)?) ?%", text)
    if not m or float(m[1]) > 10:
        raise argparse.ArgumentTypeError(f"{text!r} is none up to 10 %; as in 0.1%")
    return float(m[1]) / 100


def at_least(low, kind=int):
    def number(text):
        n = kind(text)
        if n < low:
            raise argparse.ArgumentTypeError(f"must be at least {low}")
        return n
    number.__name__ = "number"
    return number


def parser():
    p = argparse.ArgumentParser(
        prog="record_torch.py", description=ABOUT, epilog=READING,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="record_torch.py [options] -- train.py [its arguments]")
    p.add_argument("-o", "--output", default="job.gmt", metavar="FILE",
                   help="the trace; its name ends in .gmt, .jsonl or .jsonl.zst "
                        "(default: %(default)s)")
    p.add_argument("--iterations", type=at_least(0), default=3, metavar="N",
                   help="iterations to record; 0: all until the script ends (default: 3)")
    p.add_argument("--skip", type=at_least(0), metavar="K",
                   help="iterations to let pass before; 0 records the first too "
                        "(default: 1; with --per forward 2)")
    p.add_argument("--per", choices=("step", "forward"), default="step",
                   help="what an iteration is: a step of the optimizer, or a call of an "
                        "outermost module (default: step)")
    p.add_argument("--control", type=at_least(0), default=3, metavar="C",
                   help="iterations that follow unwatched, to tell what being watched cost the "
                        "recorded ones; without --max-bytes only (default: %(default)s)")
    p.add_argument("--go-on", action="store_true",
                   help="let the script run to its end when enough is recorded")
    p.add_argument("--max-seconds", type=at_least(0, float), metavar="S",
                   help="stop recording S seconds after the start; the iteration that runs "
                        "is dropped")
    p.add_argument("--max-bytes", type=size, metavar="B",
                   help="stop before the file passes B bytes (500M, 2G)")
    p.add_argument("--gather-spans", type=at_least(1), default=4096, metavar="G",
                   help="an embedding look-up lists the rows it reads; beyond G spans near rows "
                        "are joined, 1 reads from the first to the last row (default: 4096)")
    p.add_argument("--cpu-time", action="store_true",
                   help="count CPU time of the script's thread in place of wall time: for one "
                        "thread (OMP_NUM_THREADS=1) on a machine that does other things")
    p.add_argument("--precision", type=percentage, default=0, metavar="P",
                   help="round each duration to P percent (0.1%%); sums stay, and the file is 6 to "
                        "10 %% smaller (default: as measured)")
    p.add_argument("--time-only", action="store_true",
                   help="record nothing, only say what the iterations take without a recorder")
    p.add_argument("--note", default="", metavar="TEXT", help="goes into the trace's `recorded`")
    p.add_argument("script", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return p


def arguments(argv):
    p = parser()
    a = p.parse_args(argv)
    a.script = a.script[a.script[:1] == ["--"]:]
    a.module = a.script[:1] == ["-m"]
    a.script = a.script[a.module:]
    if not a.script:
        p.error("which script? (record_torch.py [options] -- train.py [its arguments])")
    if not a.module and not os.path.isfile(a.script[0]):
        p.error(f"{a.script[0]}: no such script (from {os.getcwd()})")
    if out.format_of(a.output) is None:
        p.error(f"{a.output}: the name must end in one of {' '.join(out.FORMATS)}")
    folder = os.path.dirname(os.path.abspath(a.output))
    if not a.time_only and not os.access(folder, os.W_OK):
        p.error(f"{a.output}: cannot write into {folder}")
    if importlib.util.find_spec("torch") is None:
        p.error(f"{sys.executable} has no PyTorch. Run the recorder with the Python that runs "
                f"your training: /path/to/python {sys.argv[0]} ...")
    lacks = out.missing_module(a.output)
    if lacks and not a.time_only:
        p.error(f"{a.output}: {sys.executable} lacks the module {lacks} (pip install {lacks}); "
                "or write plain .jsonl")
    if a.skip is None:
        a.skip = 2 if a.per == "forward" else 1
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        suffix = out.format_of(a.output)
        rank = os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0"))
        a.output = f"{a.output[:-len(suffix)]}.rank{rank}{suffix}"
    a.path = os.path.abspath(a.output)              # the script may change its folder
    return a


def cpu_model():
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
            return next(x.split(":", 1)[1].strip() for x in f if x.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def say(text):
    print(f"record_torch: {text}", file=sys.stderr)


def nothing(a, loop, how):
    """Why there is no trace, and what to do."""
    if loop.ended <= a.skip and loop.why:
        return f"{loop.why}, and no iteration had been recorded by then"
    ends = "a step of the optimizer" if not loop.manual else \
        "the next call of an outermost module" if a.per == "forward" else "mark_iteration()"
    text = f"no iteration was recorded: the script {how or 'ended'} after {loop.ended} of them, " \
           f"and --skip is {a.skip}. An iteration ends with {ends}"
    if loop.ended == 0 and a.per == "step" and not loop.manual:
        text += "; a script without an optimizer wants --per forward, any other loop " \
                "record_torch.mark_iteration() (--help); processes that the script starts are " \
                "not seen, torchrun's are"
    return text


def report(a, rec, loop, emitter, wall):
    kinds = sorted(emitter.peak_by_kind.items(), key=lambda x: -x[1])
    kinds = ", ".join(f"{k} {v / 2**20:.1f}" for k, v in kinds if v)
    n = loop.whole
    say(f"{a.output}: {n} iterations, {emitter.kernels} kernels, {emitter.tensors} tensors, "
        f"{os.path.getsize(a.path)} bytes\n"
        f"  live peak {emitter.peak} bytes (MiB: {kinds})\n"
        f"  {emitter.flops / n / 1e9:.1f} GFLOP and {emitter.bytes / n / 2**30:.2f} GiB moved per "
        f"iteration")
    raw, net = sum(loop.seconds), sum(rec.seconds)
    say("seconds of the iterations, without the recorder: " +
        " ".join(f"{s:.6g}" for s in rec.seconds) +
        f"\n  being recorded took {raw / net:.3f} times as long "
        f"({rec.all_own / max(rec.watched, 1) / 1e3:.0f} us an operator); "
        f"whole run {wall:.1f} s")
    if loop.unwatched:
        say("unwatched iterations after them: " + " ".join(f"{s:.6g}" for s in loop.unwatched) +
            "\n  by them were taken off: "
            + " ".join(f"{ns / 1e3:.1f}" for ns in rec.excess) + " us an operator")
    for d in sorted(emitter.absent):
        say(f"warning: {d} first took part after the first recorded iteration and is left out; "
            "raise --skip")
    for name, why in sorted(rec.odd.items()):
        say(f"warning: {name} has unknown arguments ({why}): whole operands, no FLOPs")


def main(argv=None):
    a = arguments(argv)
    if a.cpu_time:
        os.environ["GMEMSIM_RECORD_CPU_TIME"] = "1"
    os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")   # a compiled graph hides its operators
    import torch

    from .clock import Watching
    from .emit import Emitter, cuda_memory
    from .loop import Loop, Stopwatch
    from .recorder import Recorder
    from .run import run

    about = (f"record_torch.py, from iteration {a.skip} of the script on, {cpu_model()}, "
             f"{torch.get_num_threads()} threads, {datetime.date.today()}"
             + (", CPU time" if a.cpu_time else "")
             + (f"; durations rounded to {100 * a.precision:g} %" if a.precision else ""))

    def open_out(meta):
        f = out.open_out(a.path, meta)
        return out.Rounded(f, a.precision) if a.precision else f

    emitter = Emitter(open_out, {
        "name": os.path.basename(a.output)[:-len(out.format_of(a.output))],
        "framework": f"PyTorch {torch.__version__}",
        "source": " ".join([os.path.basename(a.script[0])] + a.script[1:]),
        "recorded": about + (f"; {a.note}" if a.note else "")})
    rec = Stopwatch() if a.time_only else \
        Recorder(emitter, Watching(), a.max_bytes, a.gather_spans)
    loop = rec.loop = Loop(rec, a.iterations, a.skip, a.per, a.max_seconds, a.go_on,
                           0 if a.time_only or a.max_bytes else a.control)
    began = time.monotonic()
    try:
        status, how = run(rec, loop, a.script, a.module)
        loop.close(how is None)
        done = loop.whole
        if rec.failed:
            raise rec.failed
        if done and emitter.out:
            emitter.out.close()
            emitter.out = None
    except OSError as e:                            # of the trace; the script's end in run()
        say(f"{a.output}: {e.strerror or e}; nothing is kept")
        return 1
    finally:
        if emitter.out:
            emitter.out.drop()
    if how:
        say(f"the script {how}; " + (f"{done} whole iterations are kept" if done else
                                     "nothing is kept"))
    if not done:
        say(nothing(a, loop, how))
        return status or 2
    if a.time_only:
        say("seconds of the iterations: " + " ".join(f"{s:.6g}" for s in loop.seconds))
        return status
    report(a, rec, loop, emitter, time.monotonic() - began)
    for line in cuda_memory(emitter):
        say(line)
    if rec.segments.why_not:
        say(f"warning: the allocator's segments are not in the trace: {rec.segments.why_not}")
    if loop.why and not a.go_on:
        say(f"stopped the script: {loop.why}")
    return status
