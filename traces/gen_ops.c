/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gen_ops.c - operators on whole tensors, forward and backward
 *
 * Names, FLOPs an element and bytes are those that scripts/record_torch.py
 * writes down for the same operators.
 */
#include "traces/gen.h"

/* FLOPs an element that the recorder counts. */
enum { NORM = 7, NORM_BACK = 14 };

/* ---- linear ------------------------------------------------------------------ */

static struct gen_val *mm(struct gen *g, u64 flops, struct gen_val *a, struct gen_val *b,
			  struct gen_val *out)
{
	gen_k(g, "aten.mm", GS_GEMM, flops);
	gen_in(g, a, b);
	gen_out(g, out);
	gen_k_end(g);
	return out;
}

static void bias_back(struct gen *g, struct gen_param *b, struct gen_val *dy)
{
	struct gen_val *db = gen_grad_begin(g, b);

	gen_k(g, "aten.sum", GS_REDUCE, dy->elems);
	gen_in(g, dy);
	gen_out(g, db);
	gen_k_end(g);
	gen_grad_end(g, b, db);
}

static void linear_back(struct gen *g, struct gen_node *n)
{
	u64 rows = n->dim[0], in = n->dim[1], out = n->dim[2], flops = 2 * rows * in * out;
	struct gen_val *dy = gen_take_grad(n), *x = n->saved[0], *dw;

	if (n->in[0]->wants_grad)
		gen_give_grad(g, n->in[0],
			      mm(g, flops, dy, n->p[0]->w, gen_tmp(g, g->dtype, rows * in, "mm")));
	if (!x)
		x = gen_gathered(g, n->in[0]);
	dw = gen_grad_begin(g, n->p[0]);
	gen_grad_end(g, n->p[0], mm(g, flops, dy, x, dw));
	if (n->p[1])
		bias_back(g, n->p[1], dy);
	gen_drop(g, dy);
}

struct gen_val *gen_linear(struct gen *g, struct gen_val *x, struct gen_param *w,
			   struct gen_param *b, u64 rows, u64 in, u64 out)
{
	struct gen_val *y = gen_tmp(g, g->dtype, rows * out, b ? "addmm" : "mm");
	struct gen_node *n = gen_node(g, linear_back, x, y);

	gen_k(g, b ? "aten.addmm" : "aten.mm", GS_GEMM, 2 * rows * in * out);
	if (b)
		gen_touch(g, b->w, GS_READ);
	gen_touch_part(g, x, 0, gs_min(x->bytes, rows * in * gen_dtype_bytes(x->dtype)), GS_READ);
	gen_in(g, w->w);
	gen_out(g, y);
	gen_k_end(g);
	if (!x->rows)
		gen_save(n, 0, x);
	if (n) {
		n->p[0] = w;
		n->p[1] = b;
		n->dim[0] = rows;
		n->dim[1] = in;
		n->dim[2] = out;
	}
	return y;
}

/* ---- layer norm and RMS norm ---------------------------------------------------- */

static void norm_back(struct gen *g, struct gen_node *n)
{
	struct gen_val *dy = gen_take_grad(n), *x = n->saved[0], *dw, *db = NULL;
	struct gen_val *dx = gen_tmp(g, g->dtype, x->elems, "native_layer_norm_backward");

	dw = gen_grad_begin(g, n->p[0]);
	if (n->p[1])
		db = gen_grad_begin(g, n->p[1]);
	gen_k(g, n->p[1] ? "aten.native_layer_norm_backward" : "aten.rms_norm_backward", GS_NORM,
	      NORM_BACK * x->elems);
	gen_in(g, dy, x, n->saved[1]);
	if (n->saved[2])
		gen_in(g, n->saved[2]);
	gen_in(g, n->p[0]->w);
	if (db)
		gen_in(g, n->p[1]->w);
	gen_out(g, dx, dw);
	if (db)
		gen_out(g, db);
	gen_k_end(g);
	gen_grad_end(g, n->p[0], dw);
	if (db)
		gen_grad_end(g, n->p[1], db);
	gen_drop(g, dy);
	gen_give_grad(g, n->in[0], dx);
}

struct gen_val *gen_norm(struct gen *g, struct gen_val *x, struct gen_param *w, struct gen_param *b,
			 u64 rows)
{
	const char *what = b ? "native_layer_norm" : "rms_norm";
	struct gen_val *y = gen_tmp(g, g->dtype, x->elems, what);
	struct gen_val *rstd = gen_tmp(g, GS_F32, rows, what);
	struct gen_val *mean = b ? gen_tmp(g, GS_F32, rows, what) : NULL;
	struct gen_node *n = gen_node(g, norm_back, x, y);

	gen_k(g, b ? "aten.native_layer_norm" : "aten.rms_norm", GS_NORM, NORM * x->elems);
	gen_in(g, x, w->w);
	if (b)
		gen_in(g, b->w);
	gen_out(g, y, rstd);
	if (mean)
		gen_out(g, mean);
	gen_k_end(g);
	gen_save(n, 0, x);
	gen_save(n, 1, rstd);
	if (mean)
		gen_save(n, 2, mean);
	if (n) {
		n->p[0] = w;
		n->p[1] = b;
	}
	gen_drop(g, rstd);
	gen_drop(g, mean);
	return y;
}

/* ---- element by element -------------------------------------------------------- */

/* clang-format off */
const struct gen_unary gen_gelu = { "aten.gelu", "aten.gelu_backward", 8, 16, GEN_KEEP_IN };
const struct gen_unary gen_relu = { "aten.relu", "aten.threshold_backward", 1, 1, GEN_KEEP_OUT };
const struct gen_unary gen_silu = { "aten.silu", "aten.silu_backward", 3, 6, GEN_KEEP_IN };
const struct gen_unary gen_tanh = { "aten.tanh", "aten.tanh_backward", 1, 1, GEN_KEEP_OUT };
const struct gen_unary gen_sigmoid = { "aten.sigmoid", "aten.sigmoid_backward", 1, 1, GEN_KEEP_OUT };
/* a fused rotation of pairs: two products and a sum for each element */
const struct gen_unary gen_rope = { "rope", "rope_backward", 3, 3, GEN_KEEP_NONE };
/* clang-format on */

static void unary_back(struct gen *g, struct gen_node *n)
{
	const struct gen_unary *u = n->arg;
	u64 elems = n->out->elems;

	gen_back_op(g, n, u->back, GS_ELEMENTWISE, u->back_flops * elems, n->saved[0], elems);
}

struct gen_val *gen_unary(struct gen *g, struct gen_val *x, const struct gen_unary *u)
{
	struct gen_val *y =
		gen_op(g, u->name, GS_ELEMENTWISE, u->flops * x->elems, x, NULL, x->elems);
	struct gen_node *n = gen_node(g, unary_back, x, y);

	if (u->keep != GEN_KEEP_NONE)
		gen_save(n, 0, u->keep == GEN_KEEP_IN ? x : y);
	if (n)
		n->arg = u;
	return y;
}

struct gen_val *gen_relu_(struct gen *g, struct gen_val *x)
{
	struct gen_node *n = gen_node(g, unary_back, x, x);

	gen_k(g, "aten.relu_", GS_ELEMENTWISE, x->elems);
	gen_touch(g, x, GS_READ | GS_WRITE);
	gen_k_end(g);
	gen_save(n, 0, x);
	if (n)
		n->arg = &gen_relu;
	return gen_hold(x);
}

/* An operand that was repeated along the batch has the sum for a gradient. */
static void add_back(struct gen *g, struct gen_node *n)
{
	struct gen_val *dy = gen_take_grad(n), *b = n->in[1];

	if (b && b->wants_grad && b->elems < dy->elems)
		gen_give_grad(g, b,
			      gen_op(g, "aten.sum", GS_REDUCE, dy->elems, dy, NULL, b->elems));
	else if (b)
		gen_give_grad(g, b, gen_hold(dy));
	gen_give_grad(g, n->in[0], dy);
}

struct gen_val *gen_add(struct gen *g, struct gen_val *a, struct gen_val *b)
{
	struct gen_val *y = gen_op(g, "aten.add", GS_ELEMENTWISE, a->elems, a, b, a->elems);

	gen_also(gen_node(g, add_back, a, y), b);
	return y;
}

struct gen_val *gen_add_(struct gen *g, struct gen_val *a, struct gen_val *b)
{
	gen_also(gen_node(g, add_back, a, a), b);
	gen_k(g, "aten.add_", GS_ELEMENTWISE, a->elems);
	gen_touch(g, a, GS_READ | GS_WRITE);
	gen_in(g, b);
	gen_k_end(g);
	return gen_hold(a);
}

static struct gen_val *mul(struct gen *g, struct gen_val *a, struct gen_val *b)
{
	return gen_op(g, "aten.mul", GS_ELEMENTWISE, a->elems, a, b, a->elems);
}

static void mul_back(struct gen *g, struct gen_node *n)
{
	struct gen_val *dy = gen_take_grad(n);
	struct gen_val *da = mul(g, dy, n->saved[1]), *db = mul(g, dy, n->saved[0]);

	gen_drop(g, dy);
	gen_give_grad(g, n->in[0], da);
	gen_give_grad(g, n->in[1], db);
}

struct gen_val *gen_mul(struct gen *g, struct gen_val *a, struct gen_val *b)
{
	struct gen_val *y = mul(g, a, b);
	struct gen_node *n = gen_node(g, mul_back, a, y);

	gen_also(n, b);
	gen_save(n, 0, a);
	gen_save(n, 1, b);
	return y;
}

/* ---- dropout ----------------------------------------------------------------------- */

static void dropout_back(struct gen *g, struct gen_node *n)
{
	bool cpu = g->o.kernels == GEN_CPU;
	u64 elems = n->out->elems;

	gen_back_op(g, n, cpu ? "aten.mul" : "aten.native_dropout_backward", GS_ELEMENTWISE, elems,
		    n->saved[0], elems);
}

/* On a CPU the mask is made of scaled values, in two kernels, and multiplied with. */
static struct gen_val *cpu_mask(struct gen *g, u64 elems)
{
	struct gen_val *mask = gen_tmp(g, g->dtype, elems, "empty_like");

	gen_k(g, "aten.bernoulli_", GS_ELEMENTWISE, elems);
	gen_out(g, mask);
	gen_k_end(g);
	gen_k(g, "aten.div_", GS_ELEMENTWISE, elems);
	gen_touch(g, mask, GS_READ | GS_WRITE);
	gen_k_end(g);
	return mask;
}

struct gen_val *gen_dropout(struct gen *g, struct gen_val *x)
{
	struct gen_val *y, *mask;
	struct gen_node *n;

	if (g->m.dropout <= 0 || g->o.phase != GEN_TRAIN)
		return gen_hold(x);
	if (g->o.kernels == GEN_CPU) {
		mask = cpu_mask(g, x->elems);
		y = mul(g, x, mask);
	} else {
		y = gen_tmp(g, g->dtype, x->elems, "native_dropout");
		mask = gen_tmp(g, GS_I8, x->elems, "native_dropout");
		gen_k(g, "aten.native_dropout", GS_ELEMENTWISE, x->elems);
		gen_in(g, x);
		gen_out(g, y, mask);
		gen_k_end(g);
	}
	n = gen_node(g, dropout_back, x, y);
	gen_save(n, 0, mask);
	gen_drop(g, mask);
	return y;
}

/* ---- a part of the rows ---------------------------------------------------------------- */

static void select_back(struct gen *g, struct gen_node *n)
{
	gen_back_op(g, n, "aten.select_backward", GS_COPY, 0, NULL, n->dim[0]);
}

struct gen_val *gen_select(struct gen *g, struct gen_val *x, u64 elems)
{
	struct gen_val *y = gen_tmp(g, g->dtype, elems, "clone");
	struct gen_node *n = gen_node(g, select_back, x, y);

	gen_k(g, "aten.clone", GS_COPY, 0);
	gen_touch_part(g, x, 0, y->bytes, GS_READ);
	gen_out(g, y);
	gen_k_end(g);
	if (n)
		n->dim[0] = x->elems;
	return y;
}
