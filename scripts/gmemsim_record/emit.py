# SPDX-License-Identifier: GPL-3.0-or-later
"""Events to rows of a trace, iteration by iteration. Where a device takes part, the host's
own tensors and operators are left out: their memory is not the device's."""
import torch

from .events import ALLOC, FREE, GAP, KERNEL, MARK, RESERVED, SEGMENT, of_host

CPU = torch.device("cpu")
HOST = ("cpu", "meta")                              # types of device whose memory is not a device's


class Emitter:
    """@open_out(meta) gives the file, at the first whole iteration."""

    def __init__(self, open_out, meta):
        self.open_out, self.meta = open_out, meta
        self.out = None
        self.reset()

    def reset(self):
        self.devices, self.index, self.host_is_device = [], {}, False
        self.streams, self.absent = {}, set()
        self.unseen = 0                             # ns of kernels whose tensors are left out
        self.kernels = self.tensors = self.live = self.peak = self.flops = self.bytes = 0
        self.peak_by_kind, self.by_kind = {}, {}
        self.reserved, self.itself = {}, {}         # bytes by GPU: of the trace, PyTorch's own

    def __call__(self, events):
        """Write the events of an iteration (None: forget all); returns the size of the trace."""
        if events is None:
            if self.out:
                self.out.drop()
                self.out = None
            self.reset()
            return 0
        if self.out is None:
            self.begin(events)
        does = {ALLOC: self.alloc, FREE: self.free, KERNEL: self.kernel, GAP: self.gap,
                MARK: self.mark, SEGMENT: self.segment, RESERVED: self.reserves}
        for e in events:
            does[e[0]](*e[1:])
        return self.out.size()

    def begin(self, events):
        touched = {e[1].device for e in events if e[0] == ALLOC}
        devices = sorted((d for d in touched if d.type not in HOST), key=str)
        self.host_is_device = not devices
        self.devices = devices or [CPU]
        self.index = {d: i for i, d in enumerate(self.devices)}
        self.out = self.open_out({**self.meta, "devices": [device_name(d) for d in self.devices],
                                  "page_hint": 4096})

    def knows(self, device):
        if device in self.index:
            return True
        if device.type not in HOST:
            self.absent.add(str(device))            # came too late for the head of the trace
        return False

    def account(self, s, sign):
        self.live += sign * s.bytes
        self.by_kind[s.shown] = self.by_kind.get(s.shown, 0) + sign * s.bytes
        if self.live > self.peak:
            self.peak, self.peak_by_kind = self.live, dict(self.by_kind)

    def alloc(self, s):
        s.shown = s.final_kind()
        scalar = self.host_is_device and s.bytes <= 8 and s.shown == "optimizer"
        if not self.knows(s.device) or scalar:      # beside a GPU step counts live on the host
            return
        s.t = self.tensors
        self.tensors += 1
        self.account(s, 1)
        self.out.put({"ev": "alloc", "t": s.t, "va": s.va, "bytes": s.bytes, "kind": s.shown,
                      "name": s.name, "dev": self.index[s.device]})

    def free(self, s):
        if s.t is not None:
            self.account(s, -1)
            self.out.put({"ev": "free", "t": s.t})

    def segment(self, free, number, begin, size):
        d = torch.device("cuda", number)
        if d in self.index:
            self.reserved[d] = self.reserved.get(d, 0) + (-size if free else size)
            self.out.put({"ev": "segment_free" if free else "segment_alloc", "va": begin,
                          "bytes": size, "dev": self.index[d]})

    def reserves(self, number, size):
        self.itself[torch.device("cuda", number)] = size

    def mark(self, i):
        self.out.put({"ev": "mark", "name": "iteration", "index": i})

    def gap(self, ns, phase, _operators):
        """The host's time, in the way of a device that is the host. It moves one byte, so that
        a roofline knows that no device has work here."""
        if self.host_is_device:
            self.kernels += 1
            ns, self.unseen = ns + self.unseen, 0
            self.out.put({"ev": "kernel", "name": "host.time", "class": "other", "dev": 0,
                          "stream": 0, "ns": ns, "flops": 0, "bytes": 1, "dtype": "other",
                          "phase": phase, "touch": []})

    def kernel(self, ns, timer, work, cls, phase, owners):
        if timer:
            ns, device, stream = timer.nanoseconds(), timer.device, timer.stream
        else:
            device, stream = next((s.device for s in owners if s and s.away), CPU), 0
        if not self.knows(device):
            return
        touches = [[s.t, spans[i], spans[i + 1], access]
                   for s, access, spans in ((owners[x], *rest) for x, *rest in work.touches)
                   if s.t is not None for i in range(0, len(spans), 2)]
        if self.host_is_device and of_host(work, phase):
            self.host(touches, ns)
            return
        if work.touches and not touches:
            self.unseen += ns
            return
        dev = self.index[device]
        streams = self.streams.setdefault(dev, {})
        self.kernels += 1
        self.flops += work.flops
        self.bytes += work.moved
        self.out.put({"ev": "kernel", "name": work.name, "class": cls, "dev": dev,
                      "stream": streams.setdefault(stream, len(streams)), "ns": ns,
                      "flops": work.flops, "bytes": work.moved, "dtype": work.dtype,
                      "phase": phase, "touch": touches})

    def host(self, touches, ns):
        """One access a row; the first carries the operator's time."""
        for t, off, n, access in touches:
            for rw in access:
                self.out.put({"ev": "host", "t": t, "off": off, "bytes": n, "rw": rw, "ns": ns})
                ns = 0


def device_name(d):
    return f"{d} {torch.cuda.get_device_name(d)}" if d.type == "cuda" else str(d)


def cuda_memory(emitter):
    """What PyTorch itself says of its allocator, lines for each GPU."""
    for d in emitter.devices:
        if d.type == "cuda":
            yield (f"{d}: PyTorch's own peak {torch.cuda.max_memory_allocated(d)} bytes (with the "
                   f"operators' scratch), reserved in segments {torch.cuda.max_memory_reserved(d)}")
        if d in emitter.reserved:
            yield (f"{d}: when the last iteration ended, segments of {emitter.reserved[d]} bytes; "
                   f"memory_reserved {emitter.itself.get(d)}")
