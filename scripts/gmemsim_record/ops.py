# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator is, and what it reads and writes: from its schema, and from a few
rows for what schemas do not say."""
import re

import torch

from .flops import tensors_in
from .spans import element_spans, row_spans

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

# These only make or look at tensors: an allocation may follow, but no memory moves.
NO_KERNEL = {"empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "resize_",
             "set_", "record_stream", "is_pinned", "is_same_size", "lift_fresh",
             "_to_functional_tensor", "_sparse_coo_tensor_unsafe", "_coalesced_",
             "_sparse_coo_tensor_with_dims_and_tensors", "_indices", "_values"}

# In-place operators that overwrite their target without reading it.
OVERWRITES = {"zero_", "fill_", "copy_", "_foreach_zero_", "_foreach_copy_", "normal_", "uniform_",
              "random_", "bernoulli_", "exponential_", "log_normal_", "cauchy_", "geometric_"}

# Schemas that hide a write: running statistics change when `training` is true.
HIDDEN_WRITES = {"native_batch_norm", "cudnn_batch_norm", "miopen_batch_norm"}

# Arguments that lend their shape only; convolution_backward adds to these by its mask.
UNREAD = {"nll_loss_backward": {1}, "nll_loss2d_backward": {1}, "avg_pool2d_backward": {1},
          "max_pool2d_with_indices_backward": {1}, "_adaptive_avg_pool2d_backward": {1}}
SHAPE_ONLY = re.compile(r".*_like|new_.*")

# Operators that read elements named by another tensor.
ELEMENT_READS = {"nll_loss_forward": (0, 1)}

# Operators that read some rows of a table: (table argument, index argument).
ROW_READS = {"embedding": (0, 1), "_embedding_bag": (0, 1), "_embedding_bag_forward_only": (0, 1)}

DTYPES = {torch.float64: "f64", torch.float32: "f32", torch.float16: "f16", torch.bfloat16: "bf16",
          torch.int64: "i64", torch.int32: "i32",
          torch.int8: "i8", torch.uint8: "i8", torch.bool: "i8"}
for _name in ("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz"):
    if hasattr(torch, _name):
        DTYPES[getattr(torch, _name)] = "f8"


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
        self.absent = (None,) * len(self.args)
        self.writes = {}                            # argument position -> access
        for i, arg in enumerate(schema.arguments):
            if arg.alias_info is not None and arg.alias_info.is_write:
                over = self.op in OVERWRITES or (arg.kwarg_only and arg.name.startswith("out"))
                self.writes[i] = "w" if over else "rw"
        self.view = not self.writes and any(r.alias_info is not None for r in schema.returns)
        # made of other operators; seen whole only where autograd is out of the way
        self.composite = hasattr(func, "decompose") and \
            torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd")
        self.moves = not self.view and self.op not in NO_KERNEL
        self.by_value = self.op in ROW_READS or self.op in ELEMENT_READS
        self.unread = {0} if SHAPE_ONLY.fullmatch(self.op) else UNREAD.get(self.op, set())

    def positional(self, args, kwargs):
        """Arguments in the order of the schema; absent ones are None."""
        if kwargs:
            return list(args) + [kwargs.get(n) for n in self.args[len(args):]]
        return args + self.absent[len(args):]

    def accesses(self, a, ins, made, limit):
        """(tensor, storage, access, (spans, bytes) or None for the whole view) of one call."""
        written = {}
        for i, access in self.writes.items():
            for t in tensors_in(a[i]) if i < len(a) else ():
                written[id(t)] = access
        if self.op in HIDDEN_WRITES and a[5]:
            for t in tensors_in(a[3:5]):
                written[id(t)] = "rw"
        partial = partial_reads(self.op, a, limit)
        unread = set(self.unread)
        if self.op == "convolution_backward":       # each gradient needs the other factor
            unread = {i for i, needed in ((2, a[10][0]), (1, a[10][1])) if not needed}
        unread = {id(a[i]) for i in unread}
        for t, s in ins:
            if id(t) not in unread:
                yield t, s, written.get(id(t), "r"), partial.get(id(t))
        for t, s in made:
            yield t, s, "w", None


def partial_reads(op, a, limit):
    """id of a tensor -> (spans, bytes), for what is used in parts that the arguments name."""
    if op in ROW_READS:
        table, index = (a[i] for i in ROW_READS[op])
        return {id(table): row_spans(table, index, limit)}
    if op in ELEMENT_READS:
        x, target = (a[i] for i in ELEMENT_READS[op])
        return {id(x): element_spans(x, target, limit)}
    tensors = [t for t in a if isinstance(t, torch.Tensor)]
    sparse = [t for t in tensors if t.layout is torch.sparse_coo and t.sparse_dim() == 1]
    if not sparse:
        return {}
    # A sparse gradient meets its table (add_, sparse_mask): only its rows are used.
    return {id(t): row_spans(t, s._indices()[0], limit) for s in sparse for t in tensors
            if t.layout is torch.strided and t.shape == s.shape}
