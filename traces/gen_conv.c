/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gen_conv.c - convolution, batch normalisation and pooling, forward and backward */
#include "traces/gen.h"

enum { NORM = 7, NORM_BACK = 14, POOL_KERNEL = 3, POOL_STRIDE = 2 };

u64 gen_conv_edge(const struct gen_conv *c, u64 edge)
{
	return (edge + 2 * c->pad - c->kernel) / c->stride + 1;
}

/*
 * cuDNN computes f32 convolutions in TF32 where the device has it, unless it is told
 * not to (PyTorch: torch.backends.cudnn.allow_tf32 is True, for products it is False).
 */
static void conv_k(struct gen *g, const char *name, u64 flops)
{
	gen_k(g, name, GS_CONV, flops);
	if (g->o.kernels == GEN_CUDA && g->dtype == GS_F32)
		g->op.kernel.dtype = GS_TF32;
}

/*
 * Kernels for matrix units want the channels of a pixel side by side (nhwc); what lies
 * in planes (nchw, as PyTorch has it) cuDNN converts on the way in and out (NVIDIA,
 * Deep Learning Performance, Convolutional Layers).  Windows of one pixel, each taken,
 * are plain products either way.
 */
static bool converts(const struct gen *g, const struct gen_conv *c)
{
	return g->o.kernels == GEN_CUDA && g->o.layout == GEN_NCHW &&
	       (c->kernel > 1 || c->stride > 1);
}

static void copy(struct gen *g, const char *name, struct gen_val *from, struct gen_val *to)
{
	gen_k(g, name, GS_COPY, 0);
	gen_in(g, from);
	gen_out(g, to);
	gen_k_end(g);
}

/* Room for @v in the other layout; @v itself, held, where nothing is converted. */
static struct gen_val *other(struct gen *g, struct gen_val *v, bool converted)
{
	return converted ? gen_new(g, GS_WORKSPACE, v->dtype, v->elems, "nhwc") : gen_hold(v);
}

static struct gen_val *convert(struct gen *g, struct gen_val *v, bool converted)
{
	struct gen_val *to = other(g, v, converted);

	if (converted)
		copy(g, "nchw_to_nhwc", v, to);
	return to;
}

static void convert_back(struct gen *g, struct gen_val *from, struct gen_val *v)
{
	if (from != v)
		copy(g, "nhwc_to_nchw", from, v);
	gen_drop(g, from);
}

static void conv_back(struct gen *g, struct gen_node *n)
{
	struct gen_val *x = n->saved[0], *dy = gen_take_grad(n), *dx = NULL, *dw, *db = NULL;
	struct gen_val *to = NULL;
	bool input = n->in[0]->wants_grad, conv = n->dim[1];
	u64 flops = n->dim[0] * (input ? 2 : 1) + (n->p[1] ? dy->elems : 0);

	if (input)
		dx = gen_tmp(g, g->dtype, x->elems, "convolution_backward");
	dw = gen_grad_begin(g, n->p[0]);
	if (n->p[1])
		db = gen_grad_begin(g, n->p[1]);
	dy = gen_next(g, dy, convert(g, dy, conv));
	x = convert(g, x, conv);
	to = input ? other(g, dx, conv) : NULL;
	conv_k(g, "aten.convolution_backward", flops);
	gen_in(g, dy, x, n->p[0]->w);
	if (to)
		gen_out(g, to);
	gen_out(g, dw);
	if (db)
		gen_out(g, db);
	gen_k_end(g);
	gen_drop(g, x);
	gen_drop(g, dy);
	gen_grad_end(g, n->p[0], dw);
	if (db)
		gen_grad_end(g, n->p[1], db);
	if (!input)
		return;
	convert_back(g, to, dx);
	gen_give_grad(g, n->in[0], dx);
}

struct gen_val *gen_convolution(struct gen *g, struct gen_val *x, struct gen_param *w,
				struct gen_param *b, const struct gen_conv *c, u64 batch, u64 edge)
{
	u64 out = gen_conv_edge(c, edge), elems = batch * c->cout * out * out;
	u64 flops = 2 * elems * c->cin * c->kernel * c->kernel;
	struct gen_val *y = gen_tmp(g, g->dtype, elems, "convolution"), *from, *to;
	struct gen_node *n = gen_node(g, conv_back, x, y);
	bool conv = converts(g, c);

	from = convert(g, x, conv);
	to = other(g, y, conv);
	conv_k(g, "aten.convolution", flops);
	gen_in(g, from, w->w);
	if (b)
		gen_in(g, b->w);
	gen_out(g, to);
	gen_k_end(g);
	gen_drop(g, from);
	convert_back(g, to, y);
	gen_save(n, 0, x);
	if (n) {
		n->p[0] = w;
		n->p[1] = b;
		n->dim[0] = flops;
		n->dim[1] = conv;
	}
	return y;
}

static void batch_norm_back(struct gen *g, struct gen_node *n)
{
	const struct gen_bn *bn = n->arg;
	struct gen_val *dy = gen_take_grad(n), *x = n->saved[0], *dx, *dw, *db;

	dx = gen_tmp(g, g->dtype, x->elems, "native_batch_norm_backward");
	dw = gen_grad_begin(g, bn->w);
	db = gen_grad_begin(g, bn->b);
	gen_k(g, "aten.native_batch_norm_backward", GS_NORM, NORM_BACK * x->elems);
	gen_in(g, dy, x, bn->w->w, bn->mean, bn->var, n->saved[1], n->saved[2]);
	gen_out(g, dx, dw, db);
	gen_k_end(g);
	gen_grad_end(g, bn->w, dw);
	gen_grad_end(g, bn->b, db);
	gen_drop(g, dy);
	gen_give_grad(g, n->in[0], dx);
}

struct gen_val *gen_batch_norm(struct gen *g, struct gen_val *x, const struct gen_bn *bn,
			       u64 channels)
{
	struct gen_val *y, *mean, *rstd;
	struct gen_node *n;

	gen_k(g, "aten.add_", GS_ELEMENTWISE, 1);
	g->op.kernel.dtype = GS_I64;
	gen_touch(g, bn->count, GS_READ | GS_WRITE);
	gen_k_end(g);
	y = gen_tmp(g, g->dtype, x->elems, "native_batch_norm");
	mean = gen_tmp(g, GS_F32, channels, "native_batch_norm");
	rstd = gen_tmp(g, GS_F32, channels, "native_batch_norm");
	gen_k(g, "aten.native_batch_norm", GS_NORM, NORM * x->elems);
	gen_in(g, x, bn->w->w, bn->b->w);
	gen_touch(g, bn->mean, GS_READ | GS_WRITE);
	gen_touch(g, bn->var, GS_READ | GS_WRITE);
	gen_out(g, y, mean, rstd);
	gen_k_end(g);
	n = gen_node(g, batch_norm_back, x, y);
	gen_save(n, 0, x);
	gen_save(n, 1, mean);
	gen_save(n, 2, rstd);
	if (n)
		n->arg = bn;
	gen_drop(g, mean);
	gen_drop(g, rstd);
	return y;
}

static void max_pool_back(struct gen *g, struct gen_node *n)
{
	u64 elems = n->saved[0]->elems;

	gen_back_op(g, n, "aten.max_pool2d_with_indices_backward", GS_POOL, elems, n->saved[1],
		    elems);
}

/* Windows of 3 x 3, two apart. */
struct gen_val *gen_max_pool(struct gen *g, struct gen_val *x, u64 batch, u64 channels, u64 edge)
{
	static const struct gen_conv window = { 0, 0, POOL_KERNEL, POOL_STRIDE, 1 };
	u64 out = gen_conv_edge(&window, edge), elems = batch * channels * out * out;
	struct gen_val *y = gen_tmp(g, g->dtype, elems, "max_pool2d_with_indices");
	struct gen_val *index = gen_tmp(g, GS_I64, elems, "max_pool2d_with_indices");
	struct gen_node *n = gen_node(g, max_pool_back, x, y);

	gen_k(g, "aten.max_pool2d_with_indices", GS_POOL, elems * POOL_KERNEL * POOL_KERNEL);
	gen_in(g, x);
	gen_out(g, y, index);
	gen_k_end(g);
	gen_save(n, 0, x);
	gen_save(n, 1, index);
	gen_drop(g, index);
	return y;
}

static void avg_pool_back(struct gen *g, struct gen_node *n)
{
	gen_back_op(g, n, "aten.div", GS_ELEMENTWISE, n->dim[0], NULL, n->dim[0]);
}

/* The mean of each of @rows planes. */
struct gen_val *gen_avg_pool(struct gen *g, struct gen_val *x, u64 rows)
{
	struct gen_val *y = gen_op(g, "aten.mean", GS_REDUCE, x->elems, x, NULL, rows);
	struct gen_node *n = gen_node(g, avg_pool_back, x, y);

	if (n)
		n->dim[0] = x->elems;
	return y;
}
