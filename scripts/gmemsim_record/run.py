# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a script or a module as python would: __main__, sys.argv, sys.path, exit status."""
import os
import runpy
import signal
import sys
import threading
import traceback
from contextlib import contextmanager

from . import loop as loops
from .hooks import hooks


def run(rec, loop, argv, module):
    """Returns (exit status, how it ended in words or None). Errors have been shown."""
    sys.argv = list(argv)
    if module:
        sys.path.insert(0, os.getcwd())
    else:
        sys.path.insert(0, os.path.dirname(os.path.abspath(argv[0])))
    os.register_at_fork(after_in_child=lambda: setattr(rec, "off", True))   # data loader workers
    loops.active = loop
    try:
        with terminated_as_exit(), threads_stop_quietly(), hooks(rec, loop), rec:
            if module:
                runpy.run_module(argv[0], run_name="__main__", alter_sys=True)
            else:
                runpy.run_path(argv[0], run_name="__main__")
    except loops.Stop:
        return 0, None
    except KeyboardInterrupt:
        return 130, "was interrupted"
    except SystemExit as e:
        if isinstance(e.code, str):
            print(e.code, file=sys.stderr)
        status = e.code if isinstance(e.code, int) else int(e.code is not None)
        return status, f"ended with exit status {status}" if status else None
    except Exception as e:
        show(e)
        return 1, f"failed ({type(e).__name__})"
    finally:
        loops.active = None
    return 0, None


def show(e):
    """The traceback as the script alone would give it: without our frames at its top."""
    tb = e.__traceback__
    while tb is not None and tb.tb_frame.f_globals.get("__name__") != "__main__":
        tb = tb.tb_next
    traceback.print_exception(type(e), e, tb or e.__traceback__)


@contextmanager
def threads_stop_quietly():
    def hook(args):
        if args.exc_type is not loops.Stop:
            before(args)

    before, threading.excepthook = threading.excepthook, hook
    try:
        yield
    finally:
        threading.excepthook = before


@contextmanager
def terminated_as_exit():
    """SIGTERM (a batch system's time limit) ends the script, not the recording."""
    def leave(*_):
        raise SystemExit(143)

    try:
        before = signal.signal(signal.SIGTERM, leave)
    except ValueError:                              # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
