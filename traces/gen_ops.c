/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gen_ops.c - operators on whole tensors, forward and backward
 *
 * Names, FLOPs an element and bytes are those that scripts/record_torch.py
 * writes down for the same operators.
 */
#include "traces/gen.h"

/* FLOPs an element that the recorder counts. */
enum { NORM = 7, NORM_BACK = 14, LOG_SOFTMAX = 5, LOG_SOFTMAX_BACK = 4 };

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

static const char *bare(const char *name)
{
	return name[0] == 'a' && name[4] == '.' ? name + 5 : name;
}

static void unary_back(struct gen *g, struct gen_node *n)
{
	const struct gen_unary *u = n->arg;
	struct gen_val *dy = gen_take_grad(n), *dx;

	dx = gen_tmp(g, g->dtype, dy->elems, bare(u->back));
	gen_k(g, u->back, GS_ELEMENTWISE, u->back_flops * dy->elems);
	gen_in(g, dy);
	if (n->saved[0])
		gen_in(g, n->saved[0]);
	gen_out(g, dx);
	gen_k_end(g);
	gen_drop(g, dy);
	gen_give_grad(g, n->in[0], dx);
}

struct gen_val *gen_unary(struct gen *g, struct gen_val *x, const struct gen_unary *u)
{
	struct gen_val *y = gen_tmp(g, g->dtype, x->elems, bare(u->name));
	struct gen_node *n = gen_node(g, unary_back, x, y);

	gen_k(g, u->name, GS_ELEMENTWISE, u->flops * x->elems);
	gen_in(g, x);
	gen_out(g, y);
	gen_k_end(g);
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

/* The smaller operand was repeated along the batch: its gradient is a sum. */
static struct gen_val *sum_to(struct gen *g, struct gen_val *dy, u64 elems)
{
	struct gen_val *sum = gen_tmp(g, g->dtype, elems, "sum");

	gen_k(g, "aten.sum", GS_REDUCE, dy->elems);
	gen_in(g, dy);
	gen_out(g, sum);
	gen_k_end(g);
	return sum;
}

static void add_back(struct gen *g, struct gen_node *n)
{
	struct gen_val *dy = gen_take_grad(n), *b = n->in[1];

	if (b && b->wants_grad && b->elems < dy->elems)
		gen_give_grad(g, b, sum_to(g, dy, b->elems));
	else if (b)
		gen_give_grad(g, b, gen_hold(dy));
	gen_give_grad(g, n->in[0], dy);
}

struct gen_val *gen_add(struct gen *g, struct gen_val *a, struct gen_val *b)
{
	struct gen_val *y = gen_tmp(g, g->dtype, a->elems, "add");

	gen_also(gen_node(g, add_back, a, y), b);
	gen_k(g, "aten.add", GS_ELEMENTWISE, a->elems);
	gen_in(g, a, b);
	gen_out(g, y);
	gen_k_end(g);
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
	struct gen_val *y = gen_tmp(g, g->dtype, a->elems, "mul");

	gen_k(g, "aten.mul", GS_ELEMENTWISE, a->elems);
	gen_in(g, a, b);
	gen_out(g, y);
	gen_k_end(g);
	return y;
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
	struct gen_val *dy = gen_take_grad(n), *dx;

	if (g->o.kernels == GEN_CPU) {
		dx = mul(g, dy, n->saved[0]);
	} else {
		dx = gen_tmp(g, g->dtype, dy->elems, "native_dropout_backward");
		gen_k(g, "aten.native_dropout_backward", GS_ELEMENTWISE, dy->elems);
		gen_in(g, dy, n->saved[0]);
		gen_out(g, dx);
		gen_k_end(g);
	}
	gen_drop(g, dy);
	gen_give_grad(g, n->in[0], dx);
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
	struct gen_val *dy = gen_take_grad(n);
	struct gen_val *dx = gen_tmp(g, g->dtype, n->dim[0], "select_backward");

	gen_k(g, "aten.select_backward", GS_COPY, 0);
	gen_in(g, dy);
	gen_out(g, dx);
	gen_k_end(g);
	gen_drop(g, dy);
	gen_give_grad(g, n->in[0], dx);
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

/* ---- cross entropy: where backward begins --------------------------------------------- */

static struct gen_val *cast(struct gen *g, struct gen_val *x, u8 dtype)
{
	struct gen_val *y = gen_tmp(g, dtype, x->elems, "_to_copy");

	gen_k(g, "aten._to_copy", GS_COPY, 0);
	gen_in(g, x);
	gen_out(g, y);
	gen_k_end(g);
	return y;
}

static void loss_back(struct gen *g, struct gen_node *n)
{
	struct gen_val *logp = n->saved[0], *labels = n->saved[1], *one, *d, *dx;

	one = gen_tmp(g, GS_F32, 1, "ones_like");
	gen_k(g, "aten.ones_like", GS_COPY, 0);
	gen_out(g, one);
	gen_k_end(g);
	d = gen_tmp(g, GS_F32, logp->elems, "nll_loss_backward");
	gen_k(g, "aten.nll_loss_backward", GS_GATHER, 0);
	gen_in(g, one, labels, n->saved[2]);
	gen_out(g, d);
	gen_k_end(g);
	gen_drop(g, one);
	dx = gen_tmp(g, GS_F32, logp->elems, "_log_softmax_backward_data");
	gen_k(g, "aten._log_softmax_backward_data", GS_SOFTMAX, LOG_SOFTMAX_BACK * logp->elems);
	gen_in(g, d, logp);
	gen_out(g, dx);
	gen_k_end(g);
	gen_drop(g, d);
	gen_drop(g, n->saved[0]);
	n->saved[0] = NULL;
	if (g->dtype != GS_F32)
		dx = gen_next(g, dx, cast(g, dx, g->dtype));
	gen_give_grad(g, n->in[0], dx);
}

static void nll(struct gen *g, struct gen_val *logp, struct gen_val *labels, u64 rows,
		struct gen_val *loss, struct gen_val *weight)
{
	gen_k(g, "aten.nll_loss_forward", GS_GATHER, 0);
	gen_touch_row(g, logp, logp->bytes / rows, GS_READ);
	gen_in(g, labels);
	gen_out(g, loss, weight);
	gen_k_end_bytes(g, rows * 4 + labels->bytes + 8);
}

struct gen_val *gen_loss(struct gen *g, struct gen_val *logits, struct gen_val *labels, u64 rows,
			 u64 classes, bool cut)
{
	struct gen_val *x = g->dtype == GS_F32 ? gen_hold(logits) : cast(g, logits, GS_F32);
	struct gen_val *logp = gen_tmp(g, GS_F32, rows * classes, "_log_softmax"), *sums;
	struct gen_val *loss, *weight;
	struct gen_node *n;

	gen_k(g, "aten._log_softmax", GS_SOFTMAX, LOG_SOFTMAX * logp->elems);
	gen_in(g, x);
	gen_out(g, logp);
	gen_k_end(g);
	gen_drop(g, x);
	if (g->s.tp > 1 && cut) { /* largest and sum of each row */
		sums = gen_tmp(g, GS_F32, 2 * rows, "row_sums");
		gen_k(g, "aten.logsumexp", GS_REDUCE, logp->elems);
		gen_in(g, logp);
		gen_out(g, sums);
		gen_k_end(g);
		gen_all_reduce(g, sums);
		gen_drop(g, sums);
	}
	loss = gen_tmp(g, GS_F32, 1, "nll_loss_forward");
	weight = gen_tmp(g, GS_F32, 1, "nll_loss_forward");
	nll(g, logp, labels, rows, loss, weight);
	n = gen_node(g, loss_back, logits, loss);
	gen_save(n, 0, logp);
	gen_save(n, 1, labels);
	gen_save(n, 2, weight);
	gen_drop(g, logp);
	gen_drop(g, weight);
	return loss;
}
