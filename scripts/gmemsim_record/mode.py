# SPDX-License-Identifier: GPL-3.0-or-later
"""A dispatch mode that is reached quickly.

PyTorch 1.13 goes to the mode on top by way of a context manager in Python, 4 us an operator.
Where a mode is alone this takes its place; later versions do the same in C++.
"""
from torch.utils import _python_dispatch
from torch.utils._python_dispatch import TorchDispatchMode

_names = ("_len_torch_dispatch_stack", "_pop_torch_dispatch_stack",
          "_push_on_torch_dispatch_stack", "_set_torch_dispatch_mode", "_TorchDispatchStackMode")
QUICK = all(hasattr(_python_dispatch, n) for n in _names)
if QUICK:
    _depth, _pop, _push, _set, _Slow = (getattr(_python_dispatch, n) for n in _names)


class _Alone:
    def __init__(self, mode):
        self.handle, self.others = mode.__torch_dispatch__, _Slow()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if _depth() != 1:                           # another mode came above
            return self.others.__torch_dispatch__(func, types, args, kwargs)
        mode = _pop()
        try:
            return self.handle(func, types, args, kwargs)
        finally:
            _push(mode)


class Mode(TorchDispatchMode):
    def __enter__(self):
        super().__enter__()
        if QUICK and _depth() == 1:
            _set(_Alone(self))
        return self
