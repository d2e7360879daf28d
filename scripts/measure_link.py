#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure the link between host and GPU, and write it as a configuration.

  measure_link.py --base configs/machine/h100.yaml -o my-h100.yaml

and then `base: my-h100.yaml` in place of the machine's file in an experiment.

Copies of 4 KiB to 256 MiB between pinned host memory and the device, back to back on one
stream, in each direction, then in both at once; the fastest of several rounds counts. The
copies are launched while the device is held up, so launching them is not what is measured.
Needs PyTorch with CUDA and an idle machine; takes a few seconds.
"""
import argparse
import datetime
import os
import sys

SIZES = [4096 << i for i in range(17)]              # 4 KiB to 256 MiB
ROUND_BYTES = 1 << 30                               # copied in a round, but for small sizes
COPIES = 200                                        # at most, in a round
HOLD_CYCLES = 20_000_000                            # longer than launching those takes


class CudaLink:
    """The device that is measured; tests put another in its place."""

    def __init__(self, number, largest):
        import torch
        self.torch, self.device = torch, torch.device("cuda", number)
        self.host = [torch.empty(largest, dtype=torch.uint8, pin_memory=True) for _ in range(2)]
        self.there = [torch.empty(largest, dtype=torch.uint8, device=self.device) for _ in range(2)]
        self.streams = [torch.cuda.Stream(self.device) for _ in range(2)]
        self.about = f"{torch.cuda.get_device_name(self.device)}, PyTorch {torch.__version__}, " \
                     f"CUDA {torch.version.cuda}"

    def _event(self):
        return self.torch.cuda.Event(enable_timing=True)

    def _copy(self, way, size, copies):
        a, b = self.host[way][:size], self.there[way][:size]
        for _ in range(copies):
            (a if way else b).copy_(b if way else a, non_blocking=True)

    def seconds(self, ways, size, copies):
        """Of one copy of @size in each of @ways (0 to the device, 1 back) at once."""
        begin, end = self._event(), self._event()
        first, others = self.streams[ways[0]], [self.streams[w] for w in ways[1:]]
        with self.torch.cuda.device(self.device):
            with self.torch.cuda.stream(first):
                if hasattr(self.torch.cuda, "_sleep"):
                    self.torch.cuda._sleep(HOLD_CYCLES)
                begin.record(first)
            for s in others:
                s.wait_event(begin)
            for way in ways:
                with self.torch.cuda.stream(self.streams[way]):
                    self._copy(way, size, copies)
            for s in others:
                first.wait_stream(s)
            end.record(first)
            end.synchronize()
        return begin.elapsed_time(end) / 1e3 / copies


def fastest(link, ways, size, rounds):
    copies = max(2, min(COPIES, ROUND_BYTES // size))
    link.seconds(ways, size, 2)                     # warm
    return min(link.seconds(ways, size, copies) for _ in range(rounds))


def measure(link, sizes=SIZES, rounds=5, progress=lambda text: None):
    """Returns ([(size, seconds to the device, seconds back)], duplex in percent)."""
    rows = []
    for size in sizes:
        rows.append((size, fastest(link, (0,), size, rounds), fastest(link, (1,), size, rounds)))
        progress("{:>12}  to the device {:8.3f} GB/s   back {:8.3f} GB/s".format(
            text_of(size), *(size / s / 1e9 for s in rows[-1][1:])))
    size, there, back = rows[-1]
    both = fastest(link, (0, 1), size, rounds)
    return rows, max(1, min(100, round(100 * (there + back) / 2 / both)))


def text_of(size):
    for unit, n in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size % n == 0:
            return f"{size // n} {unit}"
    return f"{size} B"


def curve_of(rows):
    """A larger copy is never faster than a smaller one: what says so is noise, and gets the
    time of the smaller one. One curve serves both directions: the mean of their times."""
    points, slowest = [], 0
    for size, there, back in rows:
        slowest = max(slowest * (1 + 1e-6), (there + back) / 2)     # more than a rounding
        points.append(f"{text_of(size)}:{size / slowest / 1e9:.7g} GB/s")
    return ", ".join(points)


def configuration(about, base, rows, duplex):
    largest, there, back = rows[-1]
    lines = [f"# {about}", f"# measured by scripts/measure_link.py, {datetime.date.today()}",
             "# size: GB/s to the device, back"]
    lines += [f"#   {text_of(n)}: {n / a / 1e9:.3f}, {n / b / 1e9:.3f}" for n, a, b in rows]
    if base:
        lines += [f"base: {base}"]
    lines += ["link:", "  h2d:",
              f"    bandwidth: {largest / there / 1e9:.3f} GB/s  # copies of {text_of(largest)}",
              "  d2h:",
              f"    bandwidth: {largest / back / 1e9:.3f} GB/s  # copies of {text_of(largest)}",
              f"  duplex: {duplex} %  # both directions at once, {text_of(largest)}",
              f'  curve: "{curve_of(rows)}"  # mean of both directions']
    return "\n".join(lines) + "\n"


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("-o", "--output", metavar="FILE", help="the configuration (default: print it)")
    p.add_argument("--base", metavar="FILE", help="the machine that this link belongs to")
    p.add_argument("--device", type=int, default=0, metavar="N", help="which GPU (default: 0)")
    p.add_argument("--rounds", type=int, default=5, metavar="R", help="rounds a size (default: 5)")
    a = p.parse_args()
    if a.base and not os.path.isfile(a.base):
        p.error(f"{a.base}: no such file")
    try:
        import torch
    except ImportError:
        p.error(f"{sys.executable} has no PyTorch; run this with the Python that has it")
    if not torch.cuda.is_available() or a.device >= torch.cuda.device_count():
        p.error(f"PyTorch {torch.__version__} sees no GPU {a.device} here")
    link = CudaLink(a.device, SIZES[-1])
    rows, duplex = measure(link, rounds=a.rounds, progress=lambda x: print(x, file=sys.stderr))
    folder = os.path.dirname(os.path.abspath(a.output)) if a.output else os.getcwd()
    text = configuration(link.about, a.base and os.path.relpath(a.base, folder), rows, duplex)
    if not a.output:
        sys.stdout.write(text)
        return
    with open(a.output + ".part", "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(a.output + ".part", a.output)


if __name__ == "__main__":
    main()
