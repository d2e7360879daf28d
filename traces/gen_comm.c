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

/* Who talks to whom in a group: n devices, each @stride from the next. */
struct ring {
	u32 n, stride;
};

static struct ring ring_tp(const struct gen *g)
{
	return (struct ring){ g->s.tp, 1 };
}

static struct ring ring_dp(const struct gen *g)
{
	return (struct ring){ g->s.dp, g->s.tp };
}

static u32 rank(struct ring r, u32 i)
{
	return i / r.stride % r.n;
}

/* Number @e of the ring that device @i is in. */
static u32 peer(struct ring r, u32 i, u32 e)
{
	return i - (rank(r, i) - e) * r.stride;
}

void gen_comm_init(struct gen *g)
{
	for (u32 s = 0; s < g->ngroups && g->o.comm == GEN_LOCAL && g->groups[s].n > 1; s++) {
		g->grp = &g->groups[s];
		g->grp->flag = gen_new(g, GS_WORKSPACE, GS_I8, FLAG_BYTES, "comm.flag");
	}
	g->grp = g->groups;
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

/* Device @i ends a collective: timed by links that carry @bytes, or by what it reads. */
static void end_on(struct gen *g, u32 i, u64 bytes)
{
	if (g->o.comm == GEN_LOCAL)
		gen_k_end_on(g, i, 0, link_ps(g, bytes));
	else
		gen_k_end_on(g, i, g->kbytes, 0);
}

/* Every device says that its @v is ready. */
static void raise_flags(struct gen *g, struct gen_val *v)
{
	if (g->o.comm != GEN_LOCAL)
		return;
	gen_k(g, "comm.ready", GS_COPY, 0);
	gen_touch_part(g, v, 0, gs_min(v->bytes, FLAG_BYTES), GS_READ);
	gen_touch(g, g->grp->flag, GS_WRITE);
	gen_k_end(g);
}

/* Device @i reads @bytes of everybody's @v: theirs, or their flags and its own. */
static void touch_all(struct gen *g, struct ring r, u32 i, struct gen_val *v, u64 off, u64 bytes)
{
	if (g->o.comm == GEN_LOCAL)
		gen_touch_part(g, v, off, bytes, GS_READ);
	for (u32 e = 0; e < r.n; e++) {
		if (g->o.comm == GEN_PEER)
			gen_touch_peer(g, v, peer(r, i, e), off, bytes, GS_READ);
		else if (e != rank(r, i))
			gen_touch_peer(g, g->grp->flag, peer(r, i, e), 0, FLAG_BYTES, GS_READ);
	}
}

/* Device i: its part of everybody's @v, summed, into its @part (to what is there). */
static void reduce_scatter(struct gen *g, struct ring r, struct gen_val *v, struct gen_val *part,
			   bool more)
{
	raise_flags(g, v);
	for (u32 i = 0; i < g->grp->n; i++) {
		u64 off, bytes = part_of(v->bytes, rank(r, i), r.n, &off), adds;

		adds = bytes * (r.n - 1);
		gen_k(g, "comm.reduce_scatter", GS_REDUCE, 0);
		if (g->o.comm == GEN_PEER)
			g->op.kernel.flops = adds / gen_dtype_bytes(v->dtype);
		touch_all(g, r, i, v, off, bytes);
		gen_touch_part(g, part, 0, gs_min(bytes, part->bytes),
			       more ? GS_READ | GS_WRITE : GS_WRITE);
		end_on(g, i, adds);
	}
}

/* Everybody's @part into the whole @v of each. */
static void all_gather(struct gen *g, struct ring r, struct gen_val *part, struct gen_val *v)
{
	raise_flags(g, part);
	for (u32 i = 0; i < g->grp->n; i++) {
		gen_k(g, "comm.all_gather", GS_COPY, 0);
		touch_all(g, r, i, part, 0, part->bytes);
		gen_touch(g, v, GS_WRITE);
		end_on(g, i, part->bytes * (r.n - 1));
	}
}

static void all_reduce(struct gen *g, struct ring r, struct gen_val *v)
{
	struct gen_val *part;

	part = gen_new(g, GS_WORKSPACE, v->dtype, (v->elems + r.n - 1) / r.n, "comm.part");
	reduce_scatter(g, r, v, part, false);
	all_gather(g, r, part, v);
	gen_drop(g, part);
}

/* ---- tensor parallel: x whole on each ------------------------------------- */

void gen_all_reduce(struct gen *g, struct gen_val *v)
{
	if (g->s.tp > 1)
		all_reduce(g, ring_tp(g), v);
}

static void reduce_grad_back(struct gen *g, struct gen_node *n)
{
	gen_all_reduce(g, n->out->grad);
}

void gen_reduce_grad(struct gen *g, struct gen_val *x)
{
	if (g->s.tp > 1 && x->wants_grad)
		gen_node(g, reduce_grad_back, NULL, x);
}

/* ---- ... and rows of it on each (sp) ---------------------------------------- */

static struct gen_val *gathered(struct gen *g, struct gen_val *rows)
{
	struct gen_val *x = gen_tmp(g, rows->dtype, rows->elems * g->s.tp, "gather_rows");

	all_gather(g, ring_tp(g), rows, x);
	return x;
}

static struct gen_val *scattered(struct gen *g, struct gen_val *x)
{
	struct gen_val *rows = gen_tmp(g, x->dtype, x->elems / g->s.tp, "scatter_rows");

	reduce_scatter(g, ring_tp(g), x, rows, false);
	return rows;
}

/* The gradient of what was gathered is summed and cut. */
static void gather_rows_back(struct gen *g, struct gen_node *n)
{
	struct gen_val *dy = gen_take_grad(n);

	gen_give_grad(g, n->in[0], scattered(g, dy));
	gen_drop(g, dy);
	gen_drop(g, n->out->again);
	n->out->again = n->out->rows = NULL;
}

struct gen_val *gen_gather_rows(struct gen *g, struct gen_val *x)
{
	struct gen_val *y = gathered(g, x);
	struct gen_node *n = gen_node(g, gather_rows_back, x, y);

	gen_save(n, 0, x);
	y->rows = n ? x : NULL;
	return y;
}

struct gen_val *gen_gathered(struct gen *g, struct gen_val *x)
{
	if (!x->again)
		x->again = gathered(g, x->rows);
	return x->again;
}

static void rows_back(struct gen *g, struct gen_node *n)
{
	struct gen_val *dy = gen_take_grad(n);

	gen_give_grad(g, n->in[0], gathered(g, dy));
	gen_drop(g, dy);
}

struct gen_val *gen_scatter_rows(struct gen *g, struct gen_val *x)
{
	struct gen_val *y = scattered(g, x);

	gen_node(g, rows_back, x, y);
	return y;
}

struct gen_val *gen_split_rows(struct gen *g, struct gen_val *x)
{
	struct gen_val *y = gen_tmp(g, x->dtype, x->elems / g->s.tp, "split_rows");

	for (u32 i = 0; i < g->grp->n; i++) {
		gen_k(g, "aten.clone", GS_COPY, 0);
		gen_touch_part(g, x, rank(ring_tp(g), i) * y->bytes, y->bytes, GS_READ);
		gen_out(g, y);
		gen_k_end_on(g, i, g->kbytes, 0);
	}
	gen_node(g, rows_back, x, y);
	return y;
}

/* ---- parameters of a block: gathered, let go of, reduced --------------------- */

void gen_gather_into(struct gen *g, struct gen_val *part, struct gen_val *whole)
{
	all_gather(g, ring_dp(g), part, whole);
}

void gen_seg_gather(struct gen *g, struct gen_seg *seg)
{
	for (size_t i = 0; i < seg->n; i++) {
		struct gen_param *p = seg->p[i];

		if (!p->shard || p->w)
			continue;
		p->w = gen_new(g, GS_WEIGHT, p->shard->dtype, p->local, "%s.whole", p->name);
		all_gather(g, ring_dp(g), p->shard, p->w);
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
	u64 elems = (p->local + g->s.dp - 1) / g->s.dp;
	bool more = p->gshard;

	if (!more)
		p->gshard = gen_new(g, GS_GRADIENT, p->grad->dtype, elems, "%s.grad.part", p->name);
	reduce_scatter(g, ring_dp(g), p->grad, p->gshard, more);
	if (g->s.zero >= 2) {
		gen_drop(g, p->grad);
		p->grad = NULL;
	}
}

void gen_seg_reduce(struct gen *g, struct gen_seg *seg)
{
	u16 stream = g->stream;

	if (g->s.dp == 1 || (g->s.zero < 2 && !g->last_micro))
		return; /* gradients are gathered here first */
	g->stream = 1;	/* beside the backward of the blocks below */
	for (size_t i = 0; i < seg->n; i++) {
		struct gen_param *p = seg->p[i];

		if (!seg->owner[i] || !p->grad)
			continue;
		if (g->s.zero)
			shard_grad(g, p);
		else
			all_reduce(g, ring_dp(g), p->grad);
	}
	g->stream = stream;
}

/* ---- from stage to stage ------------------------------------------------------ */

struct gen_val *gen_receive(struct gen *g, struct gen_val *v, const char *name)
{
	struct gen_val *here = gen_tmp(g, v->dtype, v->elems, name);
	bool local = g->o.comm == GEN_LOCAL;

	here->wants_grad = v->wants_grad;
	for (u32 i = 0; i < g->grp->n; i++) {
		gen_k(g, "comm.receive", GS_COPY, 0);
		gen_touch_peer(g, v, i, 0, local ? gs_min(v->bytes, FLAG_BYTES) : v->bytes,
			       GS_READ);
		gen_touch(g, here, GS_WRITE);
		end_on(g, i, v->bytes);
	}
	return here;
}
