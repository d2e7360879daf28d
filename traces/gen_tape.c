/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gen_tape.c - what backward will do, and the gradients on the way
 *
 *	forward   n0 -> n1 -> n2        each holds the bytes its backward reads
 *	backward  n0 <- n1 <- n2        and lets go of them right after
 *
 * All consumers of a value stand behind its producer, so its gradient is
 * complete when its producer's turn comes.
 */
#include <stdlib.h>

#include "traces/gen.h"

struct gen_node *gen_node(struct gen *g, void (*backward)(struct gen *, struct gen_node *),
			  struct gen_val *in, struct gen_val *out)
{
	struct gen_node *n;

	if (!g->tape)
		return NULL;
	n = gs_calloc(1, sizeof(*n));
	n->backward = backward;
	n->prev = g->tape->last;
	g->tape->last = n;
	n->out = out ? gen_ref(out) : NULL;
	gen_also(n, in);
	return n;
}

void gen_also(struct gen_node *n, struct gen_val *in)
{
	u32 i = 0;

	if (!n || !in)
		return;
	while (n->in[i])
		i++;
	gs_assert(i < GS_ARRAY_SIZE(n->in));
	n->in[i] = gen_ref(in);
}

void gen_save(struct gen_node *n, u32 i, struct gen_val *v)
{
	if (!n)
		return;
	gs_assert(i < GS_ARRAY_SIZE(n->saved) && !n->saved[i]);
	n->saved[i] = gen_hold(v);
}

void gen_give_grad(struct gen *g, struct gen_val *v, struct gen_val *grad)
{
	struct gen_val *sum;

	if (!v || !v->wants_grad) {
		gen_drop(g, grad);
		return;
	}
	if (!v->grad) {
		v->grad = grad;
		return;
	}
	sum = gen_tmp(g, grad->dtype, grad->elems, "add");
	gen_k(g, "aten.add", GS_ELEMENTWISE, grad->elems);
	gen_in(g, v->grad, grad);
	gen_out(g, sum);
	gen_k_end(g);
	gen_drop(g, v->grad);
	gen_drop(g, grad);
	v->grad = sum;
}

struct gen_val *gen_take_grad(struct gen_node *n)
{
	struct gen_val *grad = n->out->grad;

	gs_assert(grad);
	n->out->grad = NULL;
	return grad;
}

void gen_back_op(struct gen *g, struct gen_node *n, const char *name, u8 opclass, u64 flops,
		 struct gen_val *saved, u64 elems)
{
	struct gen_val *dy = gen_take_grad(n);
	struct gen_val *dx = gen_op(g, name, opclass, flops, dy, saved, elems);

	gen_drop(g, dy);
	gen_give_grad(g, n->in[0], dx);
}

static void node_free(struct gen *g, struct gen_node *n)
{
	for (u32 i = 0; i < GS_ARRAY_SIZE(n->saved); i++)
		gen_drop(g, n->saved[i]);
	gen_unref(g, n->out);
	for (u32 i = 0; i < GS_ARRAY_SIZE(n->in); i++)
		gen_unref(g, n->in[i]);
	free(n);
}

void gen_backward(struct gen *g, struct gen_tape *t)
{
	struct gen_tape *outer = g->tape;

	g->tape = NULL;
	g->forward = false;
	while (t->last) {
		struct gen_node *n = t->last;

		t->last = n->prev;
		n->backward(g, n);
		node_free(g, n);
	}
	g->tape = outer;
}

/* ---- segments ------------------------------------------------------------- */

static void gather_back(struct gen *g, struct gen_node *n)
{
	gen_seg_gather(g, n->seg);
}

static void reduce_back(struct gen *g, struct gen_node *n)
{
	gen_seg_release(g, n->seg);
	gen_seg_reduce(g, n->seg);
}

/* What a checkpointed block needs to be run again. */
struct again {
	gen_fn fn;
	const void *arg;
};

static void recompute_back(struct gen *g, struct gen_node *n)
{
	const struct again *again = n->arg;
	struct gen_tape tape = { 0 };
	struct gen_val *y, *grad = gen_take_grad(n);

	gen_seg_gather(g, n->seg);
	g->tape = &tape;
	g->forward = true;
	y = again->fn(g, again->arg, n->saved[0]);
	y->grad = grad;
	gen_ref(y);
	gen_drop(g, y);
	gen_backward(g, &tape);
	gen_unref(g, y);
	g->tape = NULL;
	gen_seg_release(g, n->seg);
	gen_seg_reduce(g, n->seg);
	free((void *)n->arg);
}

static struct gen_val *checkpointed(struct gen *g, struct gen_seg *seg, gen_fn fn, const void *arg,
				    struct gen_val *x)
{
	struct gen_tape *tape = g->tape;
	struct again *again;
	struct gen_node *n;
	struct gen_val *y;

	g->tape = NULL;
	y = fn(g, arg, x);
	g->tape = tape;
	again = gs_calloc(1, sizeof(*again));
	*again = (struct again){ fn, arg };
	n = gen_node(g, recompute_back, x, y);
	gen_save(n, 0, x);
	n->seg = seg;
	n->arg = again;
	return y;
}

struct gen_val *gen_segment(struct gen *g, struct gen_seg *seg, gen_fn fn, const void *arg,
			    struct gen_val *x, bool checkpoint)
{
	struct gen_node *n;
	struct gen_val *y;

	gen_seg_gather(g, seg);
	if (checkpoint && g->tape) {
		y = checkpointed(g, seg, fn, arg, x);
	} else {
		n = gen_node(g, reduce_back, NULL, NULL);
		if (n)
			n->seg = seg;
		y = fn(g, arg, x);
		n = gen_node(g, gather_back, NULL, NULL);
		if (n)
			n->seg = seg;
	}
	gen_seg_release(g, seg);
	return y;
}
