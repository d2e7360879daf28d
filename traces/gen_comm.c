/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gen_comm.c - collectives as kernels that read their peers' tensors
 *
 *	all-reduce        device 0   1   2     reduce: d reads part d of all x, writes c_d
 *	 x  [0|1|2]   ->  c_0  c_1  c_2        gather: d reads all c, writes its x
 *
 * Parts go through tensors of their own, so that no device waits for another's
 * whole result and the n kernels of a phase run side by side.  Each device
 * reads 2 (n-1)/n of the bytes from peers, as a ring does.
 *
 * With --comm local nothing of a peer is read but a flag, and the kernel lasts
 * as long as a ring of links at --link needs.
 */
#include "traces/gen.h"

enum { FLAG_BYTES = 512 };

void gen_comm_init(struct gen *g)
{
	if (g->o.comm == GEN_LOCAL && g->grp->n > 1)
		g->flags = gen_new(g, GS_WORKSPACE, GS_I8, FLAG_BYTES, "comm.flag");
}

/* Part @i of @n of @bytes; its length. */
static u64 part_of(u64 bytes, u32 i, u32 n, u64 *off)
{
	u64 each = (bytes + n - 1) / n;

	*off = gs_min(bytes, i * each);
	return gs_min(bytes - *off, each);
}

/* Time that a link needs for @bytes. */
static u64 link_ps(const struct gen *g, u64 bytes)
{
	return gs_muldiv_up(bytes, GS_S, g->o.link_bps);
}

/* Operands that make the devices wait for each other, and their sum of bytes. */
static void touch_flags(struct gen *g, u32 i)
{
	for (u32 e = 0; e < g->grp->n; e++)
		if (e != i)
			gen_touch_peer(g, g->flags, e, 0, FLAG_BYTES, GS_READ);
}

/* Every device says that its @v is ready. */
static void raise_flags(struct gen *g, struct gen_val *v)
{
	if (g->o.comm != GEN_LOCAL)
		return;
	gen_k(g, "comm.ready", GS_COPY, 0);
	gen_touch_part(g, v, 0, gs_min(v->bytes, FLAG_BYTES), GS_READ);
	gen_touch(g, g->flags, GS_WRITE);
	gen_k_end(g);
}

/* Device i: part i of everybody's @v, summed, into its @part. */
static void reduce_scatter(struct gen *g, struct gen_val *v, struct gen_val *part)
{
	u32 n = g->grp->n;

	raise_flags(g, v);
	for (u32 i = 0; i < n; i++) {
		u64 off, bytes = part_of(v->bytes, i, n, &off), adds = bytes * (n - 1);

		gen_k(g, "comm.reduce_scatter", GS_REDUCE, 0);
		if (g->o.comm == GEN_LOCAL) {
			touch_flags(g, i);
			gen_touch_part(g, v, off, bytes, GS_READ);
		} else {
			g->op.kernel.flops = adds / gen_dtype_bytes(v->dtype);
			for (u32 e = 0; e < n; e++)
				gen_touch_peer(g, v, e, off, bytes, GS_READ);
		}
		gen_touch_part(g, part, 0, gs_min(bytes, part->bytes), GS_WRITE);
		if (g->o.comm == GEN_LOCAL)
			gen_k_end_on(g, i, 0, link_ps(g, adds));
		else
			gen_k_end_on(g, i, g->kbytes, 0);
	}
}

/* Everybody's @part into the whole @v of each. */
static void all_gather(struct gen *g, struct gen_val *part, struct gen_val *v)
{
	u32 n = g->grp->n;

	raise_flags(g, part);
	for (u32 i = 0; i < n; i++) {
		gen_k(g, "comm.all_gather", GS_COPY, 0);
		if (g->o.comm == GEN_LOCAL) {
			touch_flags(g, i);
			gen_touch(g, part, GS_READ);
		} else {
			for (u32 e = 0; e < n; e++)
				gen_touch_peer(g, part, e, 0, part->bytes, GS_READ);
		}
		gen_touch(g, v, GS_WRITE);
		if (g->o.comm == GEN_LOCAL)
			gen_k_end_on(g, i, 0, link_ps(g, part->bytes * (n - 1)));
		else
			gen_k_end_on(g, i, g->kbytes, 0);
	}
}

void gen_gather_into(struct gen *g, struct gen_val *part, struct gen_val *whole)
{
	all_gather(g, part, whole);
}

void gen_all_reduce(struct gen *g, struct gen_val *v)
{
	struct gen_val *part;

	if (g->grp->n == 1)
		return;
	part = gen_new(g, GS_WORKSPACE, v->dtype, (v->elems + g->grp->n - 1) / g->grp->n,
		       "comm.part");
	reduce_scatter(g, v, part);
	all_gather(g, part, v);
	gen_drop(g, part);
}

static void reduce_grad_back(struct gen *g, struct gen_node *n)
{
	gen_all_reduce(g, n->out->grad);
}

void gen_reduce_grad(struct gen *g, struct gen_val *x)
{
	if (g->o.parallel == GEN_TP && g->grp->n > 1 && x->wants_grad)
		gen_node(g, reduce_grad_back, NULL, x);
}

/* ---- segments ------------------------------------------------------------- */

void gen_seg_gather(struct gen *g, struct gen_seg *seg)
{
	for (size_t i = 0; i < seg->n; i++) {
		struct gen_param *p = seg->p[i];

		if (!p->shard || p->w)
			continue;
		p->w = gen_new(g, GS_WEIGHT, p->shard->dtype, p->local, "%s.whole", p->name);
		all_gather(g, p->shard, p->w);
	}
}

void gen_seg_release(struct gen *g, struct gen_seg *seg)
{
	for (size_t i = 0; i < seg->n; i++) {
		struct gen_param *p = seg->p[i];

		if (!p->shard || !p->w)
			continue;
		gen_drop(g, p->w);
		p->w = NULL;
	}
}

/* The whole gradient of @p becomes the part of this device. */
static void shard_grad(struct gen *g, struct gen_param *p)
{
	u64 elems = (p->local + g->grp->n - 1) / g->grp->n;

	if (!p->gshard)
		p->gshard = gen_new(g, GS_GRADIENT, p->grad->dtype, elems, "%s.grad.part", p->name);
	reduce_scatter(g, p->grad, p->gshard);
	if (g->o.parallel == GEN_ZERO3) {
		gen_drop(g, p->grad);
		p->grad = NULL;
	}
}

void gen_seg_reduce(struct gen *g, struct gen_seg *seg)
{
	bool zero = g->o.parallel == GEN_ZERO1 || g->o.parallel == GEN_ZERO3;
	u16 stream = g->stream;

	if (g->grp->n == 1 || (!zero && g->o.parallel != GEN_DP))
		return;
	if (g->o.parallel != GEN_ZERO3 && !g->last_micro)
		return; /* gradients are gathered here first */
	g->stream = 1;	/* beside the backward of the blocks below */
	for (size_t i = 0; i < seg->n; i++) {
		struct gen_param *p = seg->p[i];

		if (!seg->owner[i] || !p->grad)
			continue;
		if (zero)
			shard_grad(g, p);
		else
			gen_all_reduce(g, p->grad);
	}
	g->stream = stream;
}

struct gen_val *gen_receive(struct gen *g, struct gen_val *v, const char *name)
{
	struct gen_val *here = gen_tmp(g, v->dtype, v->elems, name);

	here->wants_grad = v->wants_grad;
	gen_k(g, "comm.receive", GS_COPY, 0);
	gen_touch_peer(g, v, 0, 0, v->bytes, GS_READ);
	gen_touch(g, here, GS_WRITE);
	if (g->o.comm == GEN_LOCAL)
		gen_k_end_on(g, 0, 0, link_ps(g, v->bytes));
	else
		gen_k_end(g);
	return here;
}
