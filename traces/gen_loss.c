/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gen_loss.c - cross entropy, in f32: where backward begins */
#include "traces/gen.h"

/* FLOPs an element that the recorder counts. */
enum { LOG_SOFTMAX = 5, LOG_SOFTMAX_BACK = 4 };

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
