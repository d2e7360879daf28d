/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gen_attn.c - attention, written out or fused, and with a cache of keys
 *
 * Written out (math), for each head, with what backward keeps in brackets:
 *
 *	[q] [k] -> scores -> scaled -> masked -> [softmax] -> [dropped] with [mask]
 *	[v]     -> context
 *
 * Fused (flash) the square matrices never exist: [q] [k] [v] [context] and one
 * number for each row are kept, and backward makes the scores again.  So does
 * --checkpoint attention with what is written out: [q] [k] [v] are kept.
 */
#include <stdlib.h>

#include "traces/gen.h"

enum { SOFTMAX = 5, SOFTMAX_BACK = 4 };

/* Elements of queries, of keys or values as they come, and of one square. */
static u64 q_elems(const struct gen_attn *a)
{
	return a->batch * a->len * a->heads * a->depth;
}

static u64 kv_elems(const struct gen_attn *a)
{
	return a->batch * a->len * a->kv_heads * a->depth;
}

static u64 square(const struct gen_attn *a)
{
	return a->batch * a->heads * a->len * a->len;
}

static u64 product_flops(const struct gen_attn *a)
{
	return 2 * square(a) * a->depth;
}

/*
 * Gradients of q, k, v go on to where these came from; @d is of the shape that the
 * products have, keys and values maybe repeated for groups of heads.
 */
static void give_parts(struct gen *g, struct gen_node *n, struct gen_val *dq, struct gen_val *dk,
		       struct gen_val *dv)
{
	struct gen_val *all, *d[] = { dq, dk, dv };

	if (n->in[1]) {
		for (u32 i = 0; i < 3; i++)
			gen_give_grad(g, n->in[i], d[i]);
		return;
	}
	all = gen_tmp(g, g->dtype, dq->elems + dk->elems + dv->elems, "cat");
	gen_k(g, "aten.cat", GS_COPY, 0);
	gen_in(g, dq, dk, dv);
	gen_out(g, all);
	gen_k_end(g);
	for (u32 i = 0; i < 3; i++)
		gen_drop(g, d[i]);
	gen_give_grad(g, n->in[0], all);
}

/* ---- written out ----------------------------------------------------------------- */

enum { Q, K, V, SOFT, DROPPED, MASK };

/* From heads back to rows of the model; a sum where heads shared keys. */
static struct gen_val *from_heads(struct gen *g, struct gen_val *d, u64 elems)
{
	if (elems != d->elems)
		return gen_next(g, d, gen_op(g, "aten.sum", GS_REDUCE, d->elems, d, NULL, elems));
	return gen_next(g, d, gen_op(g, "aten.clone", GS_COPY, 0, d, NULL, elems));
}

static struct gen_val *scores_back(struct gen *g, struct gen_node *n, struct gen_val *d)
{
	const struct gen_attn *a = n->arg;
	u64 sq = square(a);

	if (n->saved[MASK]) {
		const char *name =
			g->o.kernels == GEN_CPU ? "aten.mul" : "aten.native_dropout_backward";

		d = gen_next(g, d, gen_op(g, name, GS_ELEMENTWISE, sq, d, n->saved[MASK], sq));
		gen_drop(g, n->saved[MASK]);
		n->saved[MASK] = NULL;
	}
	d = gen_next(g, d,
		     gen_op(g, "aten._softmax_backward_data", GS_SOFTMAX, SOFTMAX_BACK * sq, d,
			    n->saved[SOFT], sq));
	gen_drop(g, n->saved[SOFT]);
	n->saved[SOFT] = NULL;
	if (a->causal)
		d = gen_next(g, d, gen_op(g, "aten.masked_fill", GS_ELEMENTWISE, sq, d, NULL, sq));
	return gen_next(g, d, gen_op(g, "aten.div", GS_ELEMENTWISE, sq, d, NULL, sq));
}

/* Softmax and dropout of the scores; what backward needs goes into @n. */
static struct gen_val *weights(struct gen *g, const struct gen_attn *a, struct gen_node *n,
			       struct gen_val *s)
{
	struct gen_tape *tape = g->tape, inner = { 0 };
	u64 sq = square(a);
	struct gen_val *p, *dropped;

	s = gen_next(g, s, gen_op(g, "aten.div", GS_ELEMENTWISE, sq, s, NULL, sq));
	if (a->causal)
		s = gen_next(g, s, gen_op(g, "aten.masked_fill", GS_ELEMENTWISE, sq, s, NULL, sq));
	p = gen_next(g, s, gen_op(g, "aten._softmax", GS_SOFTMAX, SOFTMAX * sq, s, NULL, sq));
	gen_save(n, SOFT, p);
	/* dropout's own node would keep its mask: take it over */
	g->tape = n ? &inner : NULL;
	dropped = gen_dropout(g, p);
	g->tape = tape;
	if (inner.last) {
		gen_save(n, MASK, inner.last->saved[0]);
		gen_drop(g, inner.last->saved[0]);
		gen_unref(g, inner.last->in[0]);
		gen_unref(g, inner.last->out);
		free(inner.last);
	}
	gen_save(n, DROPPED, dropped);
	gen_drop(g, p);
	return dropped;
}

static void math_back(struct gen *g, struct gen_node *n)
{
	const struct gen_attn *a = n->arg;
	u64 q = q_elems(a), f = product_flops(a);
	struct gen_val *dout = gen_take_grad(n), *d, *dq, *dk, *dv;

	if (!n->saved[SOFT]) { /* let go of, to be made again */
		d = gen_op(g, "aten.bmm", GS_GEMM, f, n->saved[Q], n->saved[K], square(a));
		gen_drop(g, weights(g, a, n, d));
	}
	d = gen_next(g, dout, gen_op(g, "aten.clone", GS_COPY, 0, dout, NULL, q));
	dv = gen_op(g, "aten.bmm", GS_GEMM, f, n->saved[DROPPED], d, q);
	gen_drop(g, n->saved[DROPPED]);
	n->saved[DROPPED] = NULL;
	d = gen_next(g, d, gen_op(g, "aten.bmm", GS_GEMM, f, d, n->saved[V], square(a)));
	d = scores_back(g, n, d);
	dk = gen_op(g, "aten.bmm", GS_GEMM, f, n->saved[Q], d, q);
	dq = gen_next(g, d, gen_op(g, "aten.bmm", GS_GEMM, f, d, n->saved[K], q));
	dv = from_heads(g, dv, kv_elems(a));
	dq = from_heads(g, dq, q);
	if (n->in[1] || kv_elems(a) != q)
		dk = from_heads(g, dk, kv_elems(a));
	give_parts(g, n, dq, dk, dv);
}

/*
 * Rows of the model to heads: @elems of @x from @from on, keys and values repeated for
 * the heads that share them.
 */
static struct gen_val *to_heads(struct gen *g, const struct gen_attn *a, struct gen_val *x,
				u64 from, u64 elems)
{
	struct gen_val *out = gen_tmp(g, g->dtype, q_elems(a), "clone");
	u64 size = gen_dtype_bytes(x->dtype);

	gen_k(g, "aten.clone", GS_COPY, 0);
	gen_touch_part(g, x, from * size, elems * size, GS_READ);
	gen_out(g, out);
	gen_k_end(g);
	return out;
}

static struct gen_val *math(struct gen *g, const struct gen_attn *a, struct gen_val *q,
			    struct gen_val *k, struct gen_val *v)
{
	u64 n_q = q_elems(a), n_kv = kv_elems(a), at_k = k ? 0 : n_q, at_v = v ? 0 : n_q + n_kv;
	struct gen_val *hq = to_heads(g, a, q, 0, n_q);
	struct gen_val *hk = to_heads(g, a, k ? k : q, at_k, n_kv);
	struct gen_val *s = gen_op(g, "aten.bmm", GS_GEMM, product_flops(a), hq, hk, square(a)),
		       *hv, *o;
	struct gen_node *n = gen_node(g, math_back, q, NULL);

	gen_also(n, k);
	gen_also(n, v);
	gen_save(n, Q, hq);
	gen_save(n, K, hk);
	gen_drop(g, hq);
	gen_drop(g, hk);
	s = weights(g, a, g->o.checkpoint == GEN_ATTN_AGAIN ? NULL : n, s);
	hv = to_heads(g, a, v ? v : q, at_v, n_kv);
	gen_save(n, V, hv);
	o = gen_op(g, "aten.bmm", GS_GEMM, product_flops(a), s, hv, n_q);
	gen_drop(g, s);
	gen_drop(g, hv);
	o = gen_next(g, o, gen_op(g, "aten.clone", GS_COPY, 0, o, NULL, n_q));
	if (n) {
		n->out = gen_ref(o);
		n->arg = a;
	}
	return o;
}

/* ---- fused ------------------------------------------------------------------------- */

enum { OUT = 3, LSE = 4 };

static void flash_back(struct gen *g, struct gen_node *n)
{
	const struct gen_attn *a = n->arg;
	struct gen_val *dy = gen_take_grad(n), *dq, *dk, *dv;
	const char *what = "_flash_attention_backward";

	dq = gen_tmp(g, g->dtype, q_elems(a), what);
	dk = gen_tmp(g, g->dtype, kv_elems(a), what);
	dv = gen_tmp(g, g->dtype, kv_elems(a), what);
	gen_k(g, "aten._flash_attention_backward", GS_ATTENTION, 5 * product_flops(a));
	gen_in(g, dy);
	for (u32 i = 0; i <= LSE; i++)
		if (n->saved[i])
			gen_touch(g, n->saved[i], GS_READ);
	gen_out(g, dq, dk, dv);
	gen_k_end(g);
	gen_drop(g, dy);
	give_parts(g, n, dq, dk, dv);
}

static struct gen_val *flash(struct gen *g, const struct gen_attn *a, struct gen_val *q,
			     struct gen_val *k, struct gen_val *v)
{
	const char *what = "_flash_attention_forward";
	struct gen_val *o = gen_tmp(g, g->dtype, q_elems(a), what);
	struct gen_val *lse = gen_tmp(g, GS_F32, a->batch * a->heads * a->len, what);
	struct gen_node *n = gen_node(g, flash_back, q, o);

	gen_k(g, "aten._flash_attention_forward", GS_ATTENTION, 2 * product_flops(a));
	gen_in(g, q);
	gen_save(n, Q, q);
	if (k) {
		gen_in(g, k, v);
		gen_also(n, k);
		gen_also(n, v);
		gen_save(n, K, k);
		gen_save(n, V, v);
	}
	gen_out(g, o, lse);
	gen_k_end(g);
	gen_save(n, OUT, o);
	gen_save(n, LSE, lse);
	gen_drop(g, lse);
	if (n)
		n->arg = a;
	return o;
}

struct gen_val *gen_attention(struct gen *g, const struct gen_attn *a, struct gen_val *q,
			      struct gen_val *k, struct gen_val *v)
{
	return (a->flash ? flash : math)(g, a, q, k, v);
}

/* ---- a cache of keys and values ------------------------------------------------------ */

static u64 token_elems(const struct gen_attn *a)
{
	return 2 * a->batch * a->kv_heads * a->depth;
}

void gen_kv_append(struct gen *g, struct gen_kv *kv, const struct gen_attn *a, struct gen_val *k,
		   struct gen_val *v, u64 tokens)
{
	u64 each = token_elems(a) * gen_dtype_bytes(g->dtype);

	while (tokens) {
		u64 at = kv->len % kv->block, n = gs_min(tokens, kv->block - at);

		if (!at) {
			GS_PUSH_ROOM(kv->piece, kv->n, kv->cap);
			kv->piece[kv->n] =
				gen_new(g, GS_KV_CACHE, g->dtype, token_elems(a) * kv->block,
					"%s/kv.%zu", g->scope, kv->n);
			kv->n++;
		}
		gen_k(g, "kv_append", GS_COPY, 0);
		if (k) {
			gen_touch_part(g, k, 0, gs_min(k->bytes, n * each / 2), GS_READ);
			gen_touch_part(g, v, 0, gs_min(v->bytes, n * each / 2), GS_READ);
		}
		gen_touch_part(g, kv->piece[kv->n - 1], at * each, n * each, GS_WRITE);
		gen_k_end(g);
		kv->len += n;
		tokens -= n;
	}
}

void gen_kv_drop(struct gen *g, struct gen_kv *kv)
{
	for (size_t i = 0; i < kv->n; i++)
		gen_drop(g, kv->piece[i]);
	kv->n = 0;
	kv->len = 0;
}

struct gen_val *gen_attend_kv(struct gen *g, const struct gen_kv *kv, const struct gen_attn *a,
			      struct gen_val *q)
{
	u64 each = token_elems(a) * gen_dtype_bytes(g->dtype);
	struct gen_val *o = gen_tmp(g, g->dtype, q_elems(a), "paged_attention");

	gen_k(g, "paged_attention", GS_ATTENTION, 4 * a->batch * a->heads * a->depth * kv->len);
	gen_touch_part(g, q, 0, o->bytes, GS_READ);
	for (size_t i = 0; i < kv->n; i++)
		gen_touch_part(g, kv->piece[i], 0,
			       each * gs_min(kv->block, kv->len - i * kv->block), GS_READ);
	gen_out(g, o);
	gen_k_end(g);
	return o;
}
