/* SPDX-License-Identifier: GPL-3.0-or-later */
/* names.c - how the words of op.h are spelt in traces, results and configurations */
#include "sim/op.h"

/* A table that lost step with its enum does not compile. */
#define NAMES(table, count, ...)                           \
	const char *const table[] = { __VA_ARGS__, NULL }; \
	_Static_assert(GS_ARRAY_SIZE(table) == (count) + 1, "a word without a name")

NAMES(gs_tensor_kind_names, GS_NR_TENSOR_KINDS, "weight", "gradient", "optimizer", "activation",
      "workspace", "input", "kv_cache", "other");
NAMES(gs_opclass_names, GS_NR_OPCLASSES, "gemm", "conv", "attention", "norm", "softmax", "reduce",
      "elementwise", "gather", "pool", "copy", "optimizer", "other");
NAMES(gs_dtype_names, GS_NR_DTYPES, "f64", "f32", "tf32", "f16", "bf16", "f8", "i64", "i32", "i8",
      "other");
NAMES(gs_phase_names, GS_NR_PHASES, "data", "forward", "backward", "optimizer", "other");
NAMES(gs_advice_names, GS_NR_ADVICE, "prefetch", "free_eager", "pin", "unpin", "willneed",
      "prefetch_host", "prefer", "prefer_host", "unprefer", "accessed_by", "unaccessed_by",
      "read_mostly", "unread_mostly");
NAMES(gs_pattern_names, GS_NR_PATTERNS, "sequential", "strided", "random");
