# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets the loop see optimizers, backward passes and modules of a script that knows nothing
of it; all is put back at the end.

step() and zero_grad() are wrapped in each class of optimizer that is used. PyTorch's own
step hooks would do for the end of an iteration, but they came with 2.0 and do not tell when
a step fails.
"""
import functools
from contextlib import contextmanager

import torch
from torch.nn.modules import module as nn_module

from .clock import now


@contextmanager
def hooks(rec, loop):
    undo, steps, leader = [], [], []

    def patch(owner, name, make):
        old = getattr(owner, name)
        own = name in vars(owner)
        new = functools.wraps(old)(make(old))
        new.gmemsim = True
        setattr(owner, name, new)
        undo.append(lambda: setattr(owner, name, old) if own else delattr(owner, name))

    def survey(opt):
        if not rec.off:
            begin = now()
            rec.storages.survey(opt)
            rec.own_time(now() - begin)

    def make_step(fn):
        def step(opt, *args, **kwargs):
            steps.append(opt)                       # one optimizer may step inside another
            survey(opt)                             # by now the gradients are there
            rec.turn()
            try:
                with loop.inside_phase("optimizer"):
                    out = fn(opt, *args, **kwargs)
            finally:
                steps.pop()
            survey(opt)
            if not leader:
                leader.append(id(opt))              # several take turns: the first one counts
            if not steps and leader[0] == id(opt):
                depth.clear()                       # a forward that failed leaves modules open
                loop.stepped()
                if rec.off and not loop.manual:
                    forget_modules()
            return out
        return step

    def make_zero(fn):
        def zero_grad(opt, *args, **kwargs):
            survey(opt)
            loop.training_begins()
            with loop.inside_phase("optimizer"):
                out = fn(opt, *args, **kwargs)
            rec.turn()
            return out
        return zero_grad

    def make_init(fn):
        def init(opt, *args, **kwargs):
            fn(opt, *args, **kwargs)
            for name, make in (("step", make_step), ("zero_grad", make_zero)):
                if not hasattr(getattr(type(opt), name), "gmemsim"):
                    patch(type(opt), name, make)
        return init

    def make_backward(fn):
        def backward(*args, **kwargs):
            rec.turn()
            with loop.inside_phase("backward"):
                out = fn(*args, **kwargs)
            if loop.nested[-1:] == ["forward"]:
                loop.nested.pop()
            elif not loop.nested and loop.base != "setup":
                loop.base = "optimizer"             # what follows is clipping and the like
            return out
        return backward

    def make_quiet(fn):             # the profiler's own little tensors are not the job's
        def quiet(*args, **kwargs):
            was, rec.off = rec.off, True
            try:
                return fn(*args, **kwargs)
            finally:
                rec.off = was
        return quiet

    def make_bare(fn):
        def as_subclass(t, cls):                    # 1.13 refuses it of what a mode has seen
            _guard = torch._C._DisableTorchDispatch()
            return fn(t, cls)
        return as_subclass

    def module_enters(mod, args):
        if rec.off:
            root = not depth and next(mod.parameters(), None) is not None
        else:
            begin = now()
            root = rec.module_enters(mod)
            rec.own_time(now() - begin)
        depth.append(mod)
        if root:
            loop.called()
            rec.turn()
        if len(depth) == 1 and loop.nested[-1:] == ["optimizer"]:
            loop.nested.append("forward")           # the closure of a step
        elif len(depth) == 1 and loop.base != "setup":
            loop.base = "forward"

    def module_leaves(mod, args, out):
        if depth:
            depth.pop()
        if not rec.off and rec.mods:
            rec.mods.pop()

    def forget_modules():                           # a hook is a detour for each module
        while handles:
            handles.pop().remove()

    depth = []
    for name in ("__init__", "__enter__", "__exit__"):
        patch(torch.autograd.profiler.record_function, name, make_quiet)
    if hasattr(torch._C, "_DisableTorchDispatch"):
        patch(torch.Tensor, "as_subclass", make_bare)
    patch(torch.optim.Optimizer, "__init__", make_init)
    patch(torch.autograd, "backward", make_backward)
    patch(torch.autograd, "grad", make_backward)
    handles = [nn_module.register_module_forward_pre_hook(module_enters),
               nn_module.register_module_forward_hook(module_leaves)]
    try:
        yield
    finally:
        forget_modules()
        for u in reversed(undo):
            u()
