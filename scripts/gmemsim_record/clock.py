# SPDX-License-Identifier: GPL-3.0-or-later
"""How long an operator took.

On a GPU: CUDA events on its stream, read when the iteration has ended. On a CPU: the
monotonic clock. Being watched costs an operator time twice: inside what is timed (it is
called through Python) and outside (PyTorch finds its way to the recorder). Both are
probed with an operator that does next to nothing, and taken off each.
"""
import os
import time

import torch

from .mode import Mode

# --cpu-time sets this before anything is imported
now = time.thread_time_ns if os.environ.get("GMEMSIM_RECORD_CPU_TIME") else time.perf_counter_ns


class Timer:
    """Duration of one operator; @device is None on the host."""
    __slots__ = ("device", "stream", "ns", "events")
    spare = []                                      # CUDA events are reused

    def __init__(self, device):
        self.device, self.stream, self.ns, self.events = device, 0, 0, None
        if device is None or device.type != "cuda" or torch.cuda.is_current_stream_capturing():
            return
        stream = torch.cuda.current_stream(device)
        self.stream = stream.cuda_stream
        self.events = self.spare.pop() if self.spare else \
            [torch.cuda.Event(enable_timing=True) for _ in range(2)]
        self.events[0].record(stream)

    def stop(self, device, ns):
        self.ns = ns
        if self.events:
            self.events[1].record(torch.cuda.current_stream(self.device))
        self.device = device

    def nanoseconds(self):
        """Waits for the device; to be asked once."""
        if self.events:
            self.events[1].synchronize()
            self.ns = max(0, round(self.events[0].elapsed_time(self.events[1]) * 1e6))
            self.spare.append(self.events)
            self.events = None
        return self.ns


class _Bare(Mode):
    """Does what any mode must, and measures how long each part takes."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        begin = now()
        start = now()
        out = func(*args, **(kwargs or {}))
        stop = now()
        self.inside = stop - start
        self.whole = now() - begin
        return out


class Watching:
    """What being watched costs an operator above a plain one: @inside ns of what is timed,
    @outside ns on the way to the recorder and back. Probed in the field, between operators
    of the warm-up, where caches are as cold as they will be."""

    PROBES, EVERY = 100, 8

    def __init__(self):
        self.x, self.mode, self.probes, self.tick = torch.ones(1), _Bare(), [], 0
        with torch.no_grad():
            self.plain = min(self._plain() for _ in range(1000))
            for _ in range(9):
                self._probe()
        self._settle()
        self.probes = []

    def _plain(self):
        begin = now()
        torch.mul(self.x, self.x)
        return now() - begin

    def _probe(self):
        with self.mode:
            begin = now()
            torch.mul(self.x, self.x)
            total = now() - begin
        self.probes.append((self.mode.inside - self.plain, total - self.mode.whole))

    def _settle(self):
        self.inside, self.outside = (max(0, sorted(xs)[len(xs) // 2]) for xs in zip(*self.probes))

    def probe(self):
        """At an operator of the warm-up, in the recorder (whose mode is off just there)."""
        self.tick += 1
        if self.tick % self.EVERY == 0 and len(self.probes) < self.PROBES:
            with torch.no_grad():
                self._probe()
            self._settle()
