/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * aten.h - what the names and shapes of PyTorch's operators say
 *
 * Shared by the importers of PyTorch's traces: classes, element types,
 * operators that move nothing, operands that are parameters, FLOPs, and how
 * long a kernel takes where nobody measured it.
 */
#ifndef TR_ATEN_H
#define TR_ATEN_H

#include "sim/op.h"

enum { TR_DIMS = 8 };

/* A tensor operand. */
struct tr_shape {
	u64 dim[TR_DIMS];
	u8 ndims;
	u8 dtype; /* enum gs_dtype */
};

/* Class of an operator ("aten::addmm"), or of a kernel ("volta_sgemm_64x64_tn"). */
u8 tr_aten_class(const char *name);
/* "float", "Tensor(c10::Half)", "long int" ...: the element type; its bytes, 0 when unknown. */
u8 tr_aten_dtype(const char *type, u32 *bytes);

/* Does the operator launch nothing: a view, an allocation, a wrapper? */
bool tr_aten_idle(const char *name);
/* Is operand @i of the operator written / not read although it is an input? */
bool tr_aten_in_place(const char *name);
bool tr_aten_overwrites(const char *name);
/* Bit i: operand i is a parameter of the model when the operator runs forward. */
u32 tr_aten_parameters(const char *name);
/* Phase that a name announces for all below it; GS_OTHER_PHASE: none. */
u8 tr_aten_phase(const char *name);
/* "ProfilerStep#12": an iteration begins. */
bool tr_aten_is_step(const char *name);

u64 tr_shape_elements(const struct tr_shape *s); /* saturates */
/*
 * FLOPs of the operator from its operands; 0 where the shapes do not tell.
 * @out may be NULL; convolutions need it.
 */
u64 tr_aten_flops(const char *name, const struct tr_shape *in, u32 n, const struct tr_shape *out);
/* Bytes of the result of @n operands of @bytes each, as far as shapes tell; 0: none or unknown. */
u64 tr_aten_result(const char *name, const struct tr_shape *in, const u64 *bytes, u32 n);

/*
 * A duration by roofline, for traces without times: of an NVIDIA A100 40 GB
 * at 60 % of its FLOPs (dense: f32 as tf32 19.5 TFLOP/s vector, 16 bit 312)
 * and 80 % of its 1555 GB/s, at least 2 us.
 */
u64 tr_aten_roofline_ps(u8 dtype, u64 flops, u64 bytes);
#define TR_ATEN_ROOFLINE_TEXT                                                                \
	"roofline of an A100 40 GB (60 percent of 19.5 TFLOP/s f32, 312 TFLOP/s 16 bit; 80 " \
	"percent of "                                                                        \
	"1555 "                                                                              \
	"GB/s; at least 2 us)"

#endif
