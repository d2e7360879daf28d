#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record the memory behaviour of an unmodified PyTorch training script.

  record_torch.py -o job.jsonl.zst --iterations 3 -- train.py --batch 4

The script runs as it is, under a dispatch mode that sees each aten operator of
forward, backward and optimizer: what it read and wrote, how long it took, which
tensors appeared and died. The first --skip iterations only warm up (the optimizer
makes its state in the first); then --iterations are recorded and the script is
stopped. The result is a gmemsim-jsonl trace, which `gmemsim trace import jsonl`
turns into a .gmt.

An iteration ends when Optimizer.step() returns (of the optimizer that stepped
first, where there are several). A script whose loop is another may say so itself:

  import record_torch
  record_torch.mark_iteration()     # begins an iteration; once more ends the last

What one must know to read a trace:
 - Tensors are storages. Views move no memory and are left out; a touch names the
   storage, the offset and the span that the view covers.
 - Frees stand where they happened, between two operators. That costs one look at
   every live storage per operator (about 0.13 us each).
 - `bytes` is what an operator must move (elements, not the gaps of a strided view;
   a tensor updated in place counts twice). Scratch memory inside an operator
   (an im2col buffer, a cuDNN workspace) is invisible.
 - On a GPU durations come from CUDA events around each operator. The recorder
   launches slower than plain PyTorch, so operators below some 10 us look longer
   than they are. Only device tensors are recorded; the caching allocator's
   slack is not. Eager mode only: torch.compile hides its operators.
 - On a CPU the operators stand for a device's kernels; what the script does between
   optimizer and forward (phase data) and item() are written as host accesses. The
   optimizer's scalars (step counts) are left out: beside a GPU they live on the host.

Kinds: weight (parameters, buffers), gradient (a parameter's .grad), optimizer
(tensors in Optimizer.state), input (made in phase data, or made before training
and read by then or in forward), activation (made in forward and used by a second
kernel), workspace (the other temporaries: used by one kernel only, or born in
backward or optimizer), other (the rest of what was there before).
"""
import argparse
import datetime
import functools
import json
import os
import platform
import re
import runpy
import sys
import time
import traceback
from contextlib import contextmanager

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.modules import module as nn_module
from torch.utils._python_dispatch import TorchDispatchMode


# --- what an operator is: class, FLOPs, accesses ------------------------------------

# First match wins; an aten operator that matches none is elementwise, others are other.
CLASSES = [(c, re.compile(r)) for c, r in (
    ("gemm", r"(add)?(mm|bmm|mv|r)|baddbmm|addbmm|v?dot|linear|_scaled_mm|_int_mm"),
    ("conv", r".*convolution.*|.*slow_conv.*|.*conv_depthwise.*"),
    ("attention", r".*(scaled_dot_product|flash_attention|efficient_attention).*"),
    ("norm", r".*(layer|batch|group|instance|rms)_norm.*"),
    ("softmax", r".*softmax.*"),
    ("pool", r".*pool.*"),
    ("gather", r"_?embedding.*|_?index.*|gather.*|scatter.*|take.*|nll_loss.*|masked_s.*|"
               r"nonzero.*"),
    ("optimizer", r"_fused_.*"),
    ("copy", r"_?(foreach_)?(copy|clone|to_copy|zero|fill)_?|cat|stack|repeat|roll|flip|.*_copy|"
             r"(new_)?(zeros|ones|full)(_like)?|arange|scalar_tensor|_local_scalar_dense|"
             r"constant_pad_nd|slice_backward|select_backward|tri[ul]_?"),
    ("reduce", r"sum|mean|a?max|a?min|aminmax|var.*|std.*|(_foreach_|linalg_vector_)?norm|argm..|"
               r"prod|all|any|cumsum|cumprod|logsumexp|topk|sort|equal|sum_.*|mean_.*|bincount"),
)]

# Floating-point operations per element where it is not 1. A special function counts
# as one, a multiply-add as two. These kernels are bound by memory: a wrong factor
# here moves no roofline, the table only keeps sums honest.
PER_ELEMENT = {
    "_softmax": 5, "_log_softmax": 5,               # max, subtract, exp, sum, divide or log
    "_softmax_backward_data": 4, "_log_softmax_backward_data": 4,
    "native_layer_norm": 7, "native_layer_norm_backward": 14,   # mean, variance, scale, affine
    "native_batch_norm": 7, "native_batch_norm_backward": 14,
    "cudnn_batch_norm": 7, "cudnn_batch_norm_backward": 14,
    "native_group_norm": 7, "native_group_norm_backward": 14,
    "gelu": 8, "gelu_backward": 16, "silu": 3, "silu_backward": 6,
    "addcmul": 3, "addcdiv": 3, "lerp": 3, "lerp_": 3, "addcmul_": 3, "addcdiv_": 3,
    "_foreach_addcmul_": 3, "_foreach_addcdiv_": 3, "_foreach_lerp_": 3,
    "_fused_adam_": 14, "_fused_adamw_": 14, "_fused_sgd_": 4,  # two moments, bias, decay, step
}

# These only make or look at tensors: an allocation may follow, but no memory moves.
NO_KERNEL = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "resize_",
             "set_", "record_stream", "is_pinned", "is_same_size", "lift_fresh",
             "_to_functional_tensor"}

# In-place operators that overwrite their target without reading it.
OVERWRITES = {"zero_", "fill_", "copy_", "_foreach_zero_", "_foreach_copy_", "normal_", "uniform_",
              "random_", "bernoulli_", "exponential_", "log_normal_", "cauchy_", "geometric_"}

# Schemas that hide a write: running statistics change when `training` is true.
HIDDEN_WRITES = {"native_batch_norm", "cudnn_batch_norm", "miopen_batch_norm"}

# Arguments that lend their shape only; convolution_backward adds to these by its mask.
UNREAD = {"nll_loss_backward": {1}, "nll_loss2d_backward": {1}, "avg_pool2d_backward": {1},
          "max_pool2d_with_indices_backward": {1}, "_adaptive_avg_pool2d_backward": {1}}
SHAPE_ONLY = re.compile(r".*_like|new_.*")

# Operators that read some rows of a table: (table argument, index argument).
ROW_READS = {"embedding": (0, 1), "_embedding_bag": (0, 1), "_embedding_bag_forward_only": (0, 1)}

DTYPES = {torch.float64: "f64", torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16",
          torch.int64: "i64", torch.int32: "i32",
          torch.int8: "i8", torch.uint8: "i8", torch.bool: "i8"}
for _name in ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"):
    if hasattr(torch, _name):
        DTYPES[getattr(torch, _name)] = "f8"


def product(xs):
    n = 1
    for x in xs:
        n *= int(x)
    return n


def tensors_in(x):
    """The tensors of nested tuples, lists and dicts, in order."""
    if isinstance(x, torch.Tensor):
        return [x]
    if isinstance(x, dict):
        x = x.values()
    elif not isinstance(x, (tuple, list)):
        return []
    return [t for y in x for t in tensors_in(y)]


def flops_conv(weight, image, transposed):
    """2 * (output channels and positions) * (inputs to each): @image is the output, or
    the input when transposed, since a kernel is laid over each of its positions."""
    return 2 * image.shape[0] * product(image.shape[2:]) * weight.numel()


def flops_matmul(a, b):
    return 2 * product(a.shape) * (b.shape[-1] if b.dim() > 1 else 1)


def flops_attention(a, gemms):
    """@gemms products of (queries x depth x keys) per head; softmax is small beside them.
    What a causal mask saves is not subtracted: not every kernel saves it."""
    q, k = a[0], a[1]
    return 2 * gemms * product(q.shape[:-1]) * int(q.shape[-1]) * int(k.shape[-2])


def count_flops(op, cls, a, outs):
    """Floating-point operations of @op on arguments @a (by position)."""
    if op in ("mm", "bmm", "mv", "dot", "vdot", "_int_mm", "_scaled_mm"):
        return flops_matmul(a[0], a[1])
    if op in ("addmm", "baddbmm", "addmv", "addbmm"):
        return flops_matmul(a[1], a[2])
    if op == "linear":
        return 2 * product(a[0].shape) * int(a[1].shape[0])
    if op in ("convolution", "_convolution"):
        return flops_conv(a[1], a[0] if a[6] else outs[0], a[6])
    if op == "convolution_backward":
        # The gradients of input and weight cost one forward each, that of the bias a sum.
        one = flops_conv(a[2], a[1] if a[7] else a[0], a[7])
        mask = a[10]
        return one * (bool(mask[0]) + bool(mask[1])) + (a[0].numel() if mask[2] else 0)
    if cls == "attention":
        # Forward: scores and context. Backward: both again for two gradients, scores once more.
        return flops_attention(a[1:] if "backward" in op else a, 5 if "backward" in op else 2)
    if cls in ("copy", "gather"):
        return 0
    if cls == "pool" and outs and "backward" not in op and "adaptive" not in op and len(a) > 1:
        return outs[0].numel() * product(a[1] if isinstance(a[1], (tuple, list)) else [a[1]])
    if a and isinstance(a[0], (tuple, list)):       # _foreach_*: one element each of the first list
        n = sum(t.numel() for t in tensors_in(a[0]))
    else:
        n = max([t.numel() for t in tensors_in(a) + outs], default=0)
    return n * PER_ELEMENT.get(op, 1)


def dtype_of(cls, ins, outs):
    """The type computed in: the first floating one of the outputs, or for products the inputs."""
    ts = ins + outs if cls in ("gemm", "conv", "attention") else outs + ins
    ts = [t for t in ts if t.is_floating_point()] or ts
    if not ts:
        return "other"
    name = DTYPES.get(ts[0].dtype, "other")
    if name == "f32" and ts[0].is_cuda:
        if (cls == "gemm" and torch.backends.cuda.matmul.allow_tf32) or \
           (cls == "conv" and torch.backends.cudnn.allow_tf32):
            return "tf32"
    return name


class Plan:
    """What is the same in each call of an operator, worked out once from its schema."""

    def __init__(self, func):
        schema = func._schema
        self.op = schema.name.split("::")[-1]
        self.name = schema.name.replace("::", ".")
        rest = "elementwise" if self.name.startswith("aten.") else "other"
        self.cls = next((c for c, r in CLASSES if r.fullmatch(self.op)), rest)
        self.args = [a.name for a in schema.arguments]
        self.writes = {}                            # argument position -> access
        for i, arg in enumerate(schema.arguments):
            if arg.alias_info is not None and arg.alias_info.is_write:
                over = self.op in OVERWRITES or (arg.kwarg_only and arg.name.startswith("out"))
                self.writes[i] = "w" if over else "rw"
        self.view = not self.writes and any(r.alias_info is not None for r in schema.returns)
        self.no_kernel = self.op in NO_KERNEL
        self.unread = {0} if SHAPE_ONLY.fullmatch(self.op) else UNREAD.get(self.op, set())

    def positional(self, args, kwargs):
        """Arguments in the order of the schema; absent ones are None."""
        if not kwargs and len(args) == len(self.args):
            return args
        return list(args) + [kwargs.get(n) for n in self.args[len(args):]]


# --- spans ---------------------------------------------------------------------------

def span_of(t):
    """Byte offset and length that the view @t covers in its storage."""
    size = t.element_size()
    reach = 1 + sum((n - 1) * s for n, s in zip(t.shape, t.stride()))
    return t.storage_offset() * size, reach * size


def merged(spans):
    """Sorted, with overlapping and adjacent ones joined."""
    out = []
    for off, n in sorted(spans):
        if out and off <= out[-1][0] + out[-1][1]:
            out[-1][1] = max(out[-1][1], off + n - out[-1][0])
        else:
            out.append([off, n])
    return out


def coarsened(spans, limit):
    """At most @limit spans: the smallest gaps are closed first."""
    if len(spans) <= limit:
        return spans
    gaps = sorted(range(1, len(spans)), key=lambda i: spans[i][0] - sum(spans[i - 1]))
    keep = set(gaps[len(gaps) - (limit - 1):]) if limit > 1 else set()
    out = [list(spans[0])]
    for i in range(1, len(spans)):
        if i in keep:
            out.append(list(spans[i]))
        else:
            out[-1][1] = sum(spans[i]) - out[-1][0]
    return out


def row_spans(table, index):
    """Spans of the rows of @table that @index names."""
    size = table.element_size()
    pitch, base = table.stride(0) * size, table.storage_offset() * size
    width = span_of(table[0])[1]
    return merged([base + r * pitch, width] for r in torch.unique(index).tolist())


def element_spans(x, target):
    """Spans of x[i, target[i]], which is what a negative log likelihood reads."""
    size = x.element_size()
    if x.dim() == 1:
        x, target = x.unsqueeze(0), target.reshape(1)
    rows = torch.arange(x.shape[0], device=x.device)
    ok = (target >= 0) & (target < x.shape[1])
    at = (x.storage_offset() + rows * x.stride(0) + target * x.stride(1))[ok]
    return merged([o * size, size] for o in at.tolist())


# --- recorder ------------------------------------------------------------------------

ALLOC, FREE, KERNEL, MARK = range(4)
KERNEL_LINE, TOUCH_LINE, ALLOC_LINE = 170, 22, 110      # typical bytes of JSON, for --max-mib
_active = None


class Stop(BaseException):
    """Unwinds the script once enough is recorded. Not an Exception, so no script eats it."""


class Storage:
    __slots__ = ("ref", "bytes", "va", "device", "kind", "name", "born", "kernels", "consumed", "t")

    def __init__(self, ref, st, device, born, name):
        self.ref, self.bytes, self.va, self.device = ref, st.nbytes(), st.data_ptr(), device
        self.kind, self.name, self.born = None, name, born
        self.kernels, self.consumed, self.t = 0, False, None

    def final_kind(self):
        if self.kind:
            return self.kind
        if self.born == "data" or (self.born == "setup" and self.consumed):
            return "input"
        if self.born == "setup":
            return "other"
        return "activation" if self.born == "forward" and self.kernels > 1 else "workspace"


def storage_of(t):
    return t.untyped_storage() if hasattr(t, "untyped_storage") else t._storage()


class Recorder(TorchDispatchMode):
    """Events of a run, kept in memory: kinds and names are often known only later."""

    def __init__(self, iterations=3, skip=1, max_seconds=None, max_mib=None, gather_spans=4096):
        super().__init__()
        self.iterations, self.skip, self.gather_spans = iterations, skip, gather_spans
        self.deadline = time.monotonic() + max_seconds if max_seconds else None
        self.max_bytes = max_mib * 2**20 if max_mib else None
        self.live, self.plans, self.events = {}, {}, []
        self.recording, self.manual, self.off = False, False, False
        self.ended, self.marks = 0, []          # iterations ended; where in events the marks are
        self.size = 0                           # JSON bytes so far, roughly
        self.base, self.nested = "setup", []            # phase, and those entered inside it
        self.mods, self.paths, self.taken = [], {}, {}
        self.param_names, self.steps, self.leader = {}, 0, None
        self.seen, self.inside = 0, 0           # operators; nanoseconds in the recorder
        self.seconds = []                       # of each whole iteration

    # Phases and iterations

    @property
    def phase(self):
        return self.nested[-1] if self.nested else self.base

    def begin(self):
        """Recording starts here: all that lives is allocated first."""
        self.poll()
        self.recording, self.size = True, 0
        self.events = [(ALLOC, s) for s in self.live.values() if s.bytes]
        self.marks, self.seconds = [], []
        self.mark()

    def mark(self):
        self.marks.append(len(self.events))
        self.events.append((MARK, len(self.marks) - 1))
        self.began = time.monotonic()

    def boundary(self):
        """An iteration has ended."""
        self.poll()
        self.ended += 1
        self.base = "data"
        if self.recording:
            self.seconds.append(time.monotonic() - self.began)
            if len(self.seconds) >= self.iterations or self.spent():
                raise Stop
            self.mark()
        elif self.ended >= self.skip:
            self.begin()

    def spent(self):
        return (self.deadline and time.monotonic() > self.deadline) or \
               (self.max_bytes and self.size > self.max_bytes)

    def first_sign(self):
        """Training begins: a gradient is cleared or a module is called."""
        if self.base == "setup":
            self.base = "data"
            if not self.manual and self.skip == 0:
                self.begin()

    def mark_iteration(self):
        if not self.manual:                     # what the hooks took for iterations was not
            self.manual, self.ended, self.base = True, 0, "data"
            if self.skip == 0:
                self.begin()
            else:
                self.recording, self.events = False, []
        else:
            self.boundary()

    @contextmanager
    def inside_phase(self, name):
        self.nested.append(name)
        try:
            yield
        finally:
            self.nested.pop()

    # Who is who

    def tag(self, t, kind, name):
        s = self.storage(t)
        if s is not None and s.kind in (None, kind):
            s.kind, s.name = kind, name

    def meet(self, root):
        """Names of an outermost module's parts; done at each call, as models may grow."""
        cls = type(root).__name__
        for name, m in root.named_modules():
            self.paths[id(m)] = name or cls
        for kind in (root.named_parameters(), root.named_buffers()):
            for name, p in kind:
                if self.taken.setdefault(name, id(p)) != id(p):
                    name = f"{cls}.{name}"          # a second network with the same names
                self.param_names[id(p)] = name
                self.tag(p, "weight", name)

    def survey(self, opt):
        """Kinds that an optimizer knows."""
        for g, group in enumerate(opt.param_groups):
            for i, p in enumerate(group["params"]):
                name = self.param_names.setdefault(id(p), f"param.{g}.{i}")
                self.tag(p, "weight", name)
                if p.grad is not None:
                    self.tag(p.grad, "gradient", name + ".grad")
                state = opt.state.get(p)
                for key, t in (state.items() if isinstance(state, dict) else ()):
                    for x in tensors_in(t):
                        self.tag(x, "optimizer", f"{name}.{key}")

    def module_enters(self, mod, args):
        if self.off:
            return
        if not self.mods:
            if next(mod.parameters(), None) is not None:
                self.meet(mod)
                self.first_sign()
            if self.base != "setup":
                self.base = "forward"
        self.mods.append(self.paths.get(id(mod), type(mod).__name__))

    def module_leaves(self, mod, args, out):
        if self.mods:
            self.mods.pop()

    # Storages

    def storage(self, t):
        """The record of @t's storage, made at first sight; None where there is no memory."""
        try:
            st = storage_of(t)
            key, size = st._cdata, st.nbytes()
        except (NotImplementedError, RuntimeError):     # sparse, fake, functional
            return None
        s = self.live.get(key)
        if s is not None and s.bytes == size:
            return s
        if s is not None and self.recording and s.bytes:    # resized: another tensor in this trace
            self.events.append((FREE, s))
        ref = s.ref if s is not None else StorageWeakRef(st)
        name = f"{self.mods[-1]}/{self.op}" if self.mods else self.op
        s = Storage(ref, st, t.device, self.phase, name)
        self.live[key] = s
        if self.recording and size:
            self.events.append((ALLOC, s))
            self.size += ALLOC_LINE
        return s

    op = ""

    def poll(self):
        """Book the deaths since the last operator. The weak reference keeps the husk of a
        storage, so its address, our key, is not reused before we have looked."""
        expired = torch.storage.UntypedStorage._expired
        for key in [k for k in self.live if expired(k)]:
            s = self.live.pop(key)
            if self.recording and s.bytes:
                self.events.append((FREE, s))

    # Operators

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if self.off or not hasattr(func, "_schema"):
            return func(*args, **kwargs)
        begin = time.perf_counter_ns()
        plan = self.plans.get(func)
        if plan is None:
            plan = self.plans[func] = Plan(func)
        self.poll()
        self.op = plan.op
        a = plan.positional(args, kwargs)
        ins = tensors_in(a)
        held = [self.storage(t) for t in ins]
        if self.base == "data" and not self.nested and not plan.view and \
           any(s is not None and s.kind == "weight" for s in held):
            self.base = "forward"               # a network without modules
        phase = self.phase
        moves = not plan.view and not plan.no_kernel
        device = next((t.device for t in ins if t.device.type != "cpu"), None)
        timer = Timer(device) if moves and self.recording else None
        start = time.perf_counter_ns()
        out = func(*args, **kwargs)
        stop = time.perf_counter_ns()
        outs = tensors_in(out)
        known = {id(s) for s in held}
        made = [(t, s) for t, s in ((t, self.storage(t)) for t in outs) if id(s) not in known]
        if moves and (made or plan.writes or not outs):
            for s in {id(s): s for s in held + [s for _, s in made] if s is not None}.values():
                s.kernels += phase != "data"
            for s in held:
                if s is not None:
                    s.consumed |= phase in ("setup", "data", "forward")
            if timer:
                timer.stop(made[0][0].device if device is None and made else device, stop - start)
                self.kernel(plan, a, list(zip(ins, held)), made, outs, timer)
        self.seen += 1
        self.inside += time.perf_counter_ns() - begin - (stop - start)
        return out

    def accesses(self, plan, a, ins, made):
        """(tensor, storage, access, spans or None for the whole view) of one call."""
        written = {}
        for i, access in plan.writes.items():
            for t in tensors_in(a[i]) if i < len(a) else ():
                written[id(t)] = access
        if plan.op in HIDDEN_WRITES and a[5]:
            for t in tensors_in(a[3:5]):
                written[id(t)] = "rw"
        partial = {}
        if plan.op in ROW_READS:
            table, index = (a[i] for i in ROW_READS[plan.op])
            partial[id(table)] = row_spans(table, index)
        elif plan.op == "nll_loss_forward":
            partial[id(a[0])] = element_spans(a[0], a[1])
        unread = set(plan.unread)
        if plan.op == "convolution_backward":       # each gradient needs the other factor
            unread = {i for i, needed in ((2, a[10][0]), (1, a[10][1])) if not needed}
        unread = {id(a[i]) for i in unread}
        for t, s in ins:
            if id(t) in unread:
                continue
            yield t, s, written.get(id(t), "r"), partial.get(id(t))
        for t, s in made:
            yield t, s, "w", None

    def kernel(self, plan, a, ins, made, outs, timer):
        spans, moved, once = {}, 0, set()
        for t, s, access, part in self.accesses(plan, a, ins, made):
            if s is None or not t.numel() or not s.bytes:
                continue
            whole = span_of(t)
            same = (id(s), whole, t.shape, t.stride(), access)
            if same not in once:
                once.add(same)
                n = sum(x[1] for x in part) if part else min(whole[1], t.numel() * t.element_size())
                moved += n * len(access)
            spans.setdefault((id(s), access), (s, access, []))[2].extend(part or [whole])
        touches = []
        for (sid, access), (s, _, xs) in spans.items():
            xs = coarsened(merged(xs), self.gather_spans)
            if access == "r" and (sid, "rw") in spans:  # read again what is updated in place
                over = merged(spans[sid, "rw"][2])
                xs = [x for x in xs if not any(o[0] <= x[0] and sum(x) <= sum(o) for o in over)]
            touches += [(s, off, n, access) for off, n in xs]
        cls = "optimizer" if plan.cls == "elementwise" and "optimizer" in self.nested else plan.cls
        flops = count_flops(plan.op, plan.cls, a, outs)
        dtype = dtype_of(plan.cls, [t for t, _ in ins], outs)
        self.events.append((KERNEL, plan.name, cls, timer, flops, moved, dtype, self.phase,
                            touches))
        self.size += KERNEL_LINE + TOUCH_LINE * len(touches)

    def finish(self, ended_well):
        """Cut to whole iterations; returns how many there are. A script that marks its
        iterations and ends well has ended its last one."""
        if self.manual and ended_well and len(self.seconds) < len(self.marks):
            self.seconds.append(time.monotonic() - self.began)
        done = len(self.seconds)
        if done < len(self.marks):
            del self.events[self.marks[done]:]
        return done


class Timer:
    """Duration of one operator: CUDA events on its stream, or the host's clock."""
    __slots__ = ("device", "stream", "ns", "events")

    def __init__(self, device):
        self.device, self.stream, self.ns, self.events = device, 0, 0, None
        if device is not None and device.type == "cuda":
            stream = torch.cuda.current_stream(device)
            self.stream = stream.cuda_stream
            self.events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
            self.events[0].record(stream)

    def stop(self, device, ns):
        self.ns = ns
        if self.events:
            self.events[1].record(torch.cuda.current_stream(self.device))
        self.device = device if device is not None else torch.device("cpu")

    def nanoseconds(self):
        if self.events:
            return max(0, round(self.events[0].elapsed_time(self.events[1]) * 1e6))
        return self.ns


@contextmanager
def hooks(rec):
    """Let @rec see optimizers, backward passes and modules; all is put back at the end."""
    undo = []

    def patch(owner, name, make):
        old = getattr(owner, name)
        own = name in vars(owner)
        new = functools.wraps(old)(make(old))
        new.gmemsim = True
        setattr(owner, name, new)
        undo.append(lambda: setattr(owner, name, old) if own else delattr(owner, name))

    def make_step(fn):
        def step(opt, *args, **kwargs):
            rec.steps += 1
            try:
                with rec.inside_phase("optimizer"):
                    out = fn(opt, *args, **kwargs)
            finally:
                rec.steps -= 1
            rec.survey(opt)
            rec.leader = rec.leader or id(opt)
            if not rec.steps and not rec.manual and rec.leader == id(opt):
                rec.first_sign()
                rec.boundary()
            return out
        return step

    def make_zero(fn):
        def zero_grad(opt, *args, **kwargs):
            rec.survey(opt)
            rec.first_sign()
            with rec.inside_phase("optimizer"):
                return fn(opt, *args, **kwargs)
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
            with rec.inside_phase("backward"):
                out = fn(*args, **kwargs)
            if not rec.nested and rec.base != "setup":
                rec.base = "optimizer"          # what follows is clipping and the like
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

    for name in ("__init__", "__enter__", "__exit__"):
        patch(torch.autograd.profiler.record_function, name, make_quiet)
    patch(torch.optim.Optimizer, "__init__", make_init)
    patch(torch.autograd, "backward", make_backward)
    patch(torch.autograd, "grad", make_backward)
    handles = [nn_module.register_module_forward_pre_hook(rec.module_enters),
               nn_module.register_module_forward_hook(rec.module_leaves)]
    try:
        yield
    finally:
        for h in handles:
            h.remove()
        for u in reversed(undo):
            u()


def mark_iteration():
    """For scripts: an iteration begins here. Does nothing when no recorder runs."""
    if _active is not None:
        _active.mark_iteration()


# --- writing ---------------------------------------------------------------------------

class Writer:
    """Events to JSON lines, in program order. Where a device took part, the host's own
    tensors and operators are left out: their memory is not the device's."""

    def __init__(self, rec, put):
        self.rec, self.put = rec, put
        touched = {s.device for e in rec.events if e[0] == ALLOC for s in e[1:]}
        devices = sorted((d for d in touched if d.type not in ("cpu", "meta")), key=str)
        self.host_is_device = not devices
        self.devices = devices or [torch.device("cpu")]
        self.index = {d: i for i, d in enumerate(self.devices)}
        self.streams = {}
        self.kernels = self.tensors = self.live = self.peak = 0
        self.peak_by_kind, self.by_kind, self.flops, self.bytes = {}, {}, 0, 0

    def all(self, meta):
        self.put({"ev": "meta", "format": "gmemsim-jsonl", "version": 1, **meta,
                  "devices": [device_name(d) for d in self.devices], "page_hint": 4096})
        for e in self.rec.events:
            (self.alloc, self.free, self.kernel, self.mark)[e[0]](*e[1:])
        self.put({"ev": "end", "kernels": self.kernels, "iterations": len(self.rec.seconds)})

    def account(self, s, sign):
        kind = s.final_kind()
        self.live += sign * s.bytes
        self.by_kind[kind] = self.by_kind.get(kind, 0) + sign * s.bytes
        if self.live > self.peak:
            self.peak, self.peak_by_kind = self.live, dict(self.by_kind)

    def alloc(self, s):
        count = self.host_is_device and s.bytes <= 8 and s.final_kind() == "optimizer"
        if s.device not in self.index or count:
            return
        s.t = self.tensors
        self.tensors += 1
        self.account(s, 1)
        self.put({"ev": "alloc", "t": s.t, "va": s.va, "bytes": s.bytes, "kind": s.final_kind(),
                  "name": s.name, "dev": self.index[s.device]})

    def free(self, s):
        if s.t is not None:
            self.account(s, -1)
            self.put({"ev": "free", "t": s.t})

    def mark(self, i):
        self.put({"ev": "mark", "name": "iteration", "index": i})

    def kernel(self, name, cls, timer, flops, moved, dtype, phase, touches):
        if timer.device not in self.index:
            return
        had = bool(touches)
        touches = [[s.t, off, n, access] for s, off, n, access in touches if s.t is not None]
        if had and not touches:
            return
        ns = timer.nanoseconds()
        if self.host_is_device and (phase == "data" or name == "aten._local_scalar_dense"):
            self.host(touches, ns)
            return
        dev = self.index[timer.device]
        streams = self.streams.setdefault(dev, {})
        self.kernels += 1
        self.flops += flops
        self.bytes += moved
        self.put({"ev": "kernel", "name": name, "class": cls, "dev": dev,
                  "stream": streams.setdefault(timer.stream, len(streams)), "ns": ns,
                  "flops": flops, "bytes": moved, "dtype": dtype, "phase": phase, "touch": touches})

    def host(self, touches, ns):
        """One access a line; the first carries the operator's time."""
        for t, off, n, access in touches:
            for rw in access:
                self.put({"ev": "host", "t": t, "off": off, "bytes": n, "rw": rw, "ns": ns})
                ns = 0


def device_name(d):
    return f"{d} {torch.cuda.get_device_name(d)}" if d.type == "cuda" else str(d)


def cpu_model():
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
            return next(x.split(":", 1)[1].strip() for x in f if x.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def write_trace(rec, path, meta):
    """The file appears whole or not at all."""
    part = f"{path}.part"
    try:
        with open(part, "wb") as raw:
            out = raw
            if path.endswith(".zst"):
                import zstandard
                out = zstandard.ZstdCompressor(level=19).stream_writer(raw, closefd=False)
            encode = json.JSONEncoder(separators=(",", ":")).encode
            w = Writer(rec, lambda line: out.write(encode(line).encode() + b"\n"))
            w.all(meta)
            if out is not raw:
                out.close()
        os.replace(part, path)
    finally:
        if os.path.exists(part):
            os.unlink(part)
    return w


def run_script(rec, argv):
    """Run the script as python would; returns the exit status, errors have been shown."""
    global _active
    script, sys.argv = argv[0], argv
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
    sys.modules.setdefault("record_torch", sys.modules[__name__])
    os.register_at_fork(after_in_child=lambda: setattr(rec, "off", True))   # data loader workers
    _active = rec
    try:
        with hooks(rec), rec:
            runpy.run_path(script, run_name="__main__")
    except Stop:
        pass
    except KeyboardInterrupt:
        print("record_torch: interrupted; whole iterations are kept", file=sys.stderr)
        return 130
    except SystemExit as e:
        if isinstance(e.code, str):
            print(e.code, file=sys.stderr)
        return e.code if isinstance(e.code, int) else int(e.code is not None)
    except Exception:
        traceback.print_exc()
        return 1
    finally:
        _active = None
    return 0


def arguments():
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="record_torch.py [options] -- train.py [its arguments]")
    p.add_argument("-o", "--output", default="job.jsonl.zst", metavar="FILE",
                   help="the trace; compressed when the name ends in .zst (default: %(default)s)")
    p.add_argument("--iterations", type=int, default=3, metavar="N",
                   help="iterations to record (default: 3)")
    p.add_argument("--skip", type=int, default=1, metavar="K",
                   help="iterations to let pass before; 0 records the first too (default: 1)")
    p.add_argument("--max-seconds", type=float, metavar="S",
                   help="end with the iteration that is running after S seconds")
    p.add_argument("--max-mib", type=float, metavar="M",
                   help="end with the iteration in which the trace passes M MiB of plain JSON")
    p.add_argument("--gather-spans", type=int, default=4096, metavar="G",
                   help="an embedding look-up lists the rows it reads; beyond G spans near rows "
                        "are joined, 1 reads from the first to the last row (default: 4096)")
    p.add_argument("--note", default="", metavar="TEXT", help="goes into the trace's `recorded`")
    p.add_argument("script", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    a = p.parse_args()
    a.script = a.script[a.script[:1] == ["--"]:]
    if not a.script:
        p.error("which script? (record_torch.py [options] -- train.py [its arguments])")
    if a.iterations < 1 or a.skip < 0 or a.gather_spans < 1:
        p.error("--iterations and --gather-spans must be at least 1, --skip at least 0")
    if not os.path.isfile(a.script[0]):
        p.error(f"{a.script[0]}: no such script")
    return a


def main():
    a = arguments()
    rec = Recorder(a.iterations, a.skip, a.max_seconds, a.max_mib, a.gather_spans)
    began = time.monotonic()
    status = run_script(rec, a.script)
    wall = time.monotonic() - began
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    done = rec.finish(status == 0)
    if not done:
        sys.exit(f"record_torch: no iteration was recorded: the script ended after {rec.ended} "
                 f"and --skip is {a.skip}; see --help for what ends an iteration")
    about = (f"record_torch.py, iterations {a.skip} to {a.skip + done - 1} of the script, "
             f"{cpu_model()}, {torch.get_num_threads()} threads, {datetime.date.today()}")
    w = write_trace(rec, a.output, {
        "framework": f"PyTorch {torch.__version__}",
        "source": " ".join([os.path.basename(a.script[0])] + a.script[1:]),
        "recorded": about + (f"; {a.note}" if a.note else "")})
    kinds = sorted(w.peak_by_kind.items(), key=lambda x: -x[1])
    kinds = ", ".join(f"{k} {v / 2**20:.1f}" for k, v in kinds if v)
    print(f"record_torch: {a.output}: {done} iterations, {w.kernels} kernels, {w.tensors} tensors, "
          f"{os.path.getsize(a.output)} bytes\n"
          f"  live peak {w.peak} bytes (MiB: {kinds})\n"
          f"  {w.flops / done / 1e9:.1f} GFLOP and {w.bytes / done / 2**30:.2f} GiB moved per "
          "iteration; seconds " + " ".join(f"{s:.2f}" for s in rec.seconds) +
          f"\n  overhead {rec.inside / max(rec.seen, 1) / 1e3:.0f} us an operator, "
          f"{rec.inside / 1e9:.2f} s of {wall:.1f} s", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
