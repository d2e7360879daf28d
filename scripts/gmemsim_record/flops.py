# SPDX-License-Identifier: GPL-3.0-or-later
"""Floating-point operations of an aten operator, from its arguments."""
import torch

# Operations per element where it is not 1. A special function counts as one, a
# multiply-add as two. These kernels are bound by memory: a wrong factor here moves
# no roofline, the table only keeps sums honest.
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


def product(xs):
    n = 1
    for x in xs:
        n *= int(x)
    return n


def tensors_in(x):
    """The tensors of nested tuples, lists and dicts, in order. A sparse tensor counts
    as the two that it consists of."""
    found = []
    collect(x if type(x) in (list, tuple) else (x,), found)
    return found


def collect(xs, found):
    for x in xs:
        if isinstance(x, torch.Tensor):
            found += (x,) if x.layout is not torch.sparse_coo else (x._indices(), x._values())
        elif isinstance(x, (tuple, list)):
            collect(x, found)
        elif isinstance(x, dict):
            collect(x.values(), found)


def flops_conv(weight, image):
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
        return flops_conv(a[1], a[0] if a[6] else outs[0])
    if op == "convolution_backward":
        # The gradients of input and weight cost one forward each, that of the bias a sum.
        one = flops_conv(a[2], a[1] if a[7] else a[0])
        mask = a[10]
        return one * (bool(mask[0]) + bool(mask[1])) + (a[0].numel() if mask[2] else 0)
    if cls == "attention":
        # Forward: scores and context. Backward: both again for two gradients, scores once more.
        return flops_attention(a[1:] if "backward" in op else a, 5 if "backward" in op else 2)
    if cls in ("copy", "gather"):
        return 0
    if cls == "pool" and outs and "backward" not in op and "adaptive" not in op and len(a) > 1:
        return outs[0].numel() * product(a[1] if isinstance(a[1], (tuple, list)) else [a[1]])
    sparse = [t for t in a if isinstance(t, torch.Tensor) and t.layout is torch.sparse_coo]
    if sparse:                                      # meets some rows of its table
        return sum(t._values().numel() for t in sparse)
    if a and isinstance(a[0], (tuple, list)):       # _foreach_*: one element each of the first list
        n = sum(t.numel() for t in tensors_in(a[0]))
    else:
        n = max([t.numel() for t in tensors_in(a) + outs], default=0)
    return n * PER_ELEMENT.get(op, 1)
