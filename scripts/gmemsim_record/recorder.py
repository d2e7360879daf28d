# SPDX-License-Identifier: GPL-3.0-or-later
"""The dispatch mode: what each operator did becomes an event of the iteration that runs.

Events wait until their iteration has ended, because kinds and names are often known only
then; so memory is bounded by one iteration. An iteration that breaks off is dropped.

On a CPU the time between operators (Python, the search for the kernel) is an event of its
own, so that the durations of an iteration add up to what the clock showed, less the
recorder's share.
"""
import torch
from torch.utils import _python_dispatch

from .clock import Timer, now
from .control import excess, host_ns, relieved, shortened
from .events import ALLOC, FREE, GAP, KERNEL, MARK, RESERVED, SEGMENT, of_host
from .flops import tensors_in
from .mode import Mode
from .ops import Plan
from .segments import Segments
from .storages import Storages
from .work import Works

BUFFER = 2_000_000          # touches and events that one iteration may hold: at most 2 GB


class Recorder(Mode):
    """A sink of the loop; @emit takes the events of a whole iteration and says how large
    the trace is."""

    def __init__(self, emit, watching, max_bytes=None, gather_spans=4096):
        super().__init__()
        self.emit, self.max_bytes = emit, max_bytes
        self.watching, self.works = watching, Works(gather_spans)
        self.storages = Storages(lambda s: self.event(ALLOC, s), lambda s: self.event(FREE, s),
                                 self.here)
        self.segments = Segments()
        self.plans, self.events, self.buffered = {}, [], 0
        self.waiting, self.waiting_size = [], 0     # whole iterations, as long as they fit
        self.loop, self.off, self.entered = None, False, False
        self.mods, self.op = [], ""
        self.calls, self.inference = 0, False       # of outermost modules; without gradients
        self.written, self.failed = 0, None         # bytes of the trace; why it broke off
        self.seen = self.watched = 0                # operators; those in whole iterations
        self.own = self.all_own = 0                 # ns spent here: this iteration, the whole ones
        self.gap, self.gap_phase, self.last = 0, None, now()
        self.excess = []                            # ns an operator that the control showed
        self.seconds, self.odd = [], {}             # odd: operators that could not be taken apart

    def __enter__(self):
        self.entered = True
        return super().__enter__()

    def __exit__(self, *about):
        if self.entered:
            self.entered = False
            return super().__exit__(*about)
        return None

    # What the loop tells

    def start(self):
        self.storages.look_at_all()
        self.events = [(SEGMENT, *c) for c in self.segments.begin()] + \
                      [(ALLOC, s) for s in self.storages if s.bytes]
        self.buffered = len(self.events)

    def mark(self, n):
        self.events.append((MARK, n))
        self.last, self.gap, self.gap_phase = now(), 0, None
        self.own, self.seen_before, self.gap_seen = 0, self.seen, self.seen

    def whole(self, n):
        begin = now()
        self.storages.look_at_all()
        if self.segments.moved_at_all():
            self.segments_moved(len(self.events))
        self.events += [(RESERVED, d, torch.cuda.memory_reserved(d)) for d in self.segments.seen]
        self.idle(begin)
        self.book_gap()
        events = self.events if self.gap >= 0 else shortened(self.events, -self.gap)
        seen = self.seen - self.seen_before
        own = self.own + seen * (self.watching.inside + self.watching.outside)
        ns = round(self.loop.seconds[-1] * 1e9) - own
        for e in events:
            if e[0] == KERNEL and e[2]:
                e[2].nanoseconds()
        self.waiting.append((events, ns, own, seen))
        self.waiting_size += self.buffered
        self.events, self.buffered = [], 0
        if not self.loop.control or self.max_bytes or self.waiting_size > BUFFER:
            self.loop.control = 0
            self.settle(())

    def settle(self, unwatched):
        """Write what waits. @unwatched: seconds of iterations without us."""
        waiting, self.waiting, self.waiting_size = self.waiting, [], 0
        if not waiting or self.failed:
            return
        inside, outside = self.watching.inside, self.watching.outside
        self.excess = excess([w[1:] for w in waiting], [s * 1e9 for s in unwatched],
                             inside + outside)
        for (events, ns, own, seen), each in zip(waiting, self.excess):
            before = host_ns(events)
            if each:
                events = relieved(events, seen, each, inside / max(inside + outside, 1))
            self.seconds.append((ns - before + host_ns(events)) / 1e9)
            self.all_own += own
            self.watched += seen
            self.write(events)

    def write(self, events):
        try:
            before, self.written = self.written, self.emit(events)
        except OSError as e:                        # a full disk is not the script's to catch
            self.failed = e
            self.loop.stop(str(e))
            return
        if self.max_bytes and self.written + (self.written - before) > self.max_bytes:
            self.loop.stop(f"another iteration would pass --max-bytes {self.max_bytes}")

    def restart(self):
        self.events, self.seconds, self.waiting, self.waiting_size = [], [], [], 0
        self.emit(None)

    def stop(self):
        """Recording is over, the script goes on: get out of its way, if nobody is above."""
        self.off, self.events = True, []
        if _python_dispatch._get_current_dispatch_mode() is self:
            self.__exit__(None, None, None)

    def own_time(self, ns):
        """The hooks spent this on us."""
        self.own += ns
        self.last += ns

    def turn(self):
        """The loop takes a turn: a good moment to look who of the old has died, and who is
        here to stay."""
        if not self.off:
            begin = now()
            self.storages.look_at_all()
            self.own_time(now() - begin)

    # Events

    def event(self, *e):
        if self.loop.recording and (e[0] > FREE or e[1].bytes):
            self.events.append(e)
            self.buffered += 1

    def idle(self, until):
        """Time since the last operator that was not ours. May go below 0 for a while: what
        being watched costs is taken off as a mean."""
        self.gap += until - self.last
        self.last = until

    def book_gap(self):
        ns = max(self.gap, 0)
        self.gap -= ns
        self.events.append((GAP, ns, self.gap_phase or "data", self.seen - self.gap_seen))
        self.gap_seen = self.seen

    def segments_moved(self, at):
        """Tell it before the events from @at on. What was unmapped had no tensors any more."""
        after, self.events = self.events[at:], self.events[:at]
        self.storages.look_at_all()
        for change in self.segments.changes(self.storages):
            self.event(SEGMENT, *change)
        self.events += after

    def here(self):
        return self.loop.phase, f"{self.mods[-1]}/{self.op}" if self.mods else self.op

    def module_enters(self, mod):
        """Returns whether it is an outermost one with weights."""
        root = not self.mods and next(mod.parameters(), None) is not None
        if root:
            self.storages.meet(mod)
            self.calls += 1
            self.inference = not torch.is_grad_enabled()
        self.mods.append(self.storages.paths.get(id(mod), type(mod).__name__))
        return root

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if self.off or not hasattr(func, "_schema"):
            return func(*args, **kwargs)
        begin = now()
        plan = self.plans.get(func)
        if plan is None:
            plan = self.plans[func] = Plan(func)
        if plan.composite:
            return self.parts(func, args, kwargs)
        self.idle(begin)
        loop, watching, find = self.loop, self.watching, self.storages.find
        if loop.deadline:
            loop.check_time()
        self.storages.look()
        self.op = plan.op
        a = plan.positional(args, kwargs)
        ins = tensors_in(a)
        held = [find(t) for t in ins]
        if loop.base == "data" and not loop.nested and not plan.view and \
           any(s is not None and s.kind == "weight" for s in held):
            loop.base = "forward"                   # a network without modules
        phase = loop.phase
        device = device_of(held, kwargs)
        timed = plan.moves and loop.recording
        timer = Timer(device) if timed and device is not None else None
        at = len(self.events)
        start = now()
        out = func(*args, **kwargs)
        ns = max(now() - start - watching.inside, 0)
        outs = tensors_in(out)
        known = set(map(id, held))
        made = [(t, s) for t, s in [(t, find(t)) for t in outs] if id(s) not in known]
        worked = plan.moves and (made or plan.writes or not outs)
        if worked:
            self.used(plan, a, held, made, phase)
        if timed and worked:
            if timer:
                timer.stop(place(device, made), ns)
                if timer.device.type == "cuda" and self.segments.moved(timer.device.index):
                    self.segments_moved(at)
            work = self.works.of(plan, a, ins, held, made, outs)
            self.kernel(work, [*held, *[s for _, s in made]], ns, timer, phase)
            if of_host(work, phase):
                self.gap += ns
        else:
            self.gap += ns
        if not loop.recording:
            watching.probe()
        self.seen += 1
        self.gap -= watching.outside
        self.last = now()
        self.own += self.last - begin - ns - watching.inside
        return out

    def parts(self, func, args, kwargs):
        """Under inference_mode composite operators come as one: see what they consist of."""
        super().__enter__()
        try:
            return func.decompose(*args, **kwargs)
        finally:
            super().__exit__(None, None, None)

    def used(self, plan, a, held, made, phase):
        """Book who took part, for the kinds."""
        if phase != "data":
            for s in {*held, *[s for _, s in made]}:
                if s is not None:
                    s.kernels += 1
        if phase in ("forward", "data", "setup"):
            for s in held:
                if s is not None:
                    s.consumed = True
        if self.inference and self.mods:
            changed = {id(self.storages.find(t)) for i in plan.writes if i < len(a) for t in tensors_in(a[i])}
            for s in held:
                if s is not None and (s.kind is None or s.written is not None or id(s) in changed):
                    s.used_in_inference(self.calls, id(s) in changed)
            for _, s in made:
                if s is not None:
                    s.written = self.calls

    def kernel(self, work, owners, ns, timer, phase):
        if work.odd:
            self.odd[work.name] = work.odd
        cls = work.cls
        if cls == "elementwise" and self.loop.nested[-1:] == ["optimizer"]:
            cls = "optimizer"
        if phase != self.gap_phase:                 # always at the same places of an iteration
            self.book_gap()
            self.gap_phase = phase
        self.events.append((KERNEL, ns, timer, work, cls, phase, owners))
        self.buffered += 1 + work.count
        if self.buffered > BUFFER:
            self.loop.stop(f"one iteration passes {BUFFER} touches: an iteration ends with a step "
                           "of the optimizer; is this script's loop another (--per)?")


def device_of(held, kwargs):
    """Where an operator runs; None is the host."""
    for s in held:
        if s is not None and s.away:
            return s.device
    asked = kwargs.get("device") if kwargs else None
    return asked if isinstance(asked, torch.device) and asked.type != "cpu" else None


def place(device, made):
    """The same with its number: `cuda` alone means the current one."""
    return next((t.device for t, _ in made if t.device.type == device.type), device)
