# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in its loop the script is: phases, iterations, limits.

   setup | data  forward  backward  optimizer | data  forward ...
         ^ first sign of training             ^ step() returned: an iteration has ended

An iteration ends when step() of the optimizer that stepped first returns. With per=forward
(inference) one begins with each call of an outermost module, and where the script says
mark_iteration() it begins there; the last one then ends with the script.
"""
import threading
import time
from contextlib import contextmanager

from .clock import now

active = None                                       # the Loop of the script that runs


class Stop(BaseException):
    """Unwinds the script once enough is recorded. Not an Exception, so no script eats it."""


class Loop:
    """@sink is told: start(), mark(n), whole(n), restart(), stop(); and settle(), with the
    seconds of the @control iterations that follow without it."""

    def __init__(self, sink, iterations=3, skip=1, per="step", max_seconds=None, go_on=False,
                 control=0):
        self.sink, self.want, self.skip, self.per, self.go_on = sink, iterations, skip, per, go_on
        self.deadline = time.monotonic() + max_seconds if max_seconds else None
        self.max_seconds, self.thread = max_seconds, threading.get_ident()
        self.base, self.nested = "setup", []        # phase, and those entered inside it
        self.manual = per == "forward"              # iterations are marked at their begin
        self.inside = False                         # such a one has begun
        self.recording, self.done, self.why = False, False, None
        self.control = control if iterations else 0
        self.resting, self.unwatched = False, []
        self.ended, self.whole = 0, 0
        self.seconds = []                           # of each whole iteration, recorder and all

    @property
    def phase(self):
        return self.nested[-1] if self.nested else self.base

    @contextmanager
    def inside_phase(self, name):
        depth = len(self.nested)
        self.nested.append(name)
        try:
            yield
        finally:
            del self.nested[depth:]

    # What the hooks tell

    def training_begins(self):
        """A gradient is cleared or a module is called."""
        if self.base == "setup":
            self.base = "data"
            if not self.manual and self.skip == 0:
                self._begin()

    def stepped(self):
        if self.per == "step" and not self.manual:
            self.training_begins()
            self._boundary()

    def called(self):
        """An outermost module."""
        self.training_begins()
        if self.per == "forward":
            self.iteration_begins()

    def iteration_begins(self):
        if not self.manual:                         # what the hooks took for iterations was not
            self.manual, self.ended, self.whole, self.seconds = True, 0, 0, []
            if self.recording:
                self.recording = False
                self.sink.restart()
        if self.base == "setup":
            self.base = "data"
        if self.inside:
            self._boundary()
        else:
            self.inside = True
            if self.skip == 0:
                self._begin()

    # Iterations

    def _begin(self):
        if not self.done:
            self.recording = True
            self.sink.start()
            self._mark()

    def _mark(self):
        self.sink.mark(self.whole)
        self.began = now()

    def _boundary(self):
        """An iteration has ended."""
        if threading.get_ident() != self.thread:    # modes are a thread's own
            self.stop("the iterations run in another thread than the one that began the script, "
                      "which is the one that is recorded")
        self.ended += 1
        self.base = "data"
        if self.done:
            self.stop(self.why)                     # a script may have caught the first Stop
        elif self.resting:
            self._rested()
        elif self.recording:
            self._end()
            if self.recording and self.want and self.whole >= self.want:
                self._enough()
            if self.recording:
                self._mark()
        elif self.ended >= self.skip:
            self._begin()

    def _end(self):
        self.seconds.append((now() - self.began) / 1e9)
        self.whole += 1
        self.sink.whole(self.whole - 1)

    def _enough(self):
        self.why = f"{self.want} iterations are recorded"
        if not self.control:
            self.stop(self.why)
            return
        self.recording, self.resting = False, True
        self.sink.stop()
        self.began = now()

    def _rested(self):
        """An iteration went by without the sink."""
        self.unwatched.append((now() - self.began) / 1e9)
        if len(self.unwatched) >= self.control or self._late():
            self.resting = False
            self.sink.settle(self.unwatched)
            self.stop(self.why)
        self.began = now()

    def _late(self):
        return self.deadline and time.monotonic() > self.deadline

    def check_time(self):
        if not self.done and self._late():
            self.stop(f"--max-seconds {self.max_seconds:g} have passed")

    def stop(self, why):
        """Nothing more is recorded; the iteration that runs is dropped."""
        self.recording, self.done, self.why = False, True, why
        if not self.go_on:
            raise Stop
        self.sink.stop()

    def close(self, ended_well):
        """The script is over. One that marks where its iterations begin has ended its last."""
        if self.recording and self.manual and ended_well:
            self._end()
        self.recording = False
        try:
            self.sink.settle(self.unwatched)
        except Stop:                                # the disk is full; there is nothing to stop
            pass


class Stopwatch:
    """A sink that only times the iterations: the script without a recorder."""

    off, failed = True, None

    def __init__(self):
        self.loop, self.seconds = None, []

    def whole(self, n):
        self.seconds.append(self.loop.seconds[-1])

    def __enter__(self):
        return self

    def __exit__(self, *about):
        pass

    def start(self, *_):
        pass

    mark = restart = stop = settle = turn = own_time = start
