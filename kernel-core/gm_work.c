// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_work.c - going over many units
 *
 * A work visits its units in order of address, begins moves (one at a time, or a
 * group with batching), waits for units that others move, and ends when its own
 * moves have.  Prefetches take one of a few workers that all spaces share, as
 * the four of openEuler's work queue.  What a visit does is gm_advice.c's.
 *
 *	launch ─► queued ─► worker ─► visit, visit ... ─┬─► ends ─► waiter
 *	                              ▲                 │
 *	                              └── move landed ◄─┘ window full, unit in
 *	                                  message told      flight, message
 */
#include "gm_pager.h"
#include "gm_policy.h"

#define SPANS_A_WORKER 16 /* guess: older wishes than these have been overtaken */

struct gm_work *gm_work_new(struct gm_as *as, u8 kind, u64 va, u64 end)
{
	struct gm_core *core = as->core;
	struct gm_work *w = list_first_entry_or_null(&core->works_free, struct gm_work, link);

	if (w) {
		list_del(&w->link);
		memset(w, 0, sizeof(*w));
	} else {
		w = kzalloc(sizeof(*w), GFP_NOWAIT);
		if (!w)
			return NULL;
		core->nr_works++;
	}
	INIT_LIST_HEAD(&w->link);
	INIT_LIST_HEAD(&w->dying);
	INIT_LIST_HEAD(&w->as_link);
	as->nr_works++;
	w->core = core;
	w->as = as;
	w->kind = kind;
	w->va = va;
	w->end = end;
	return w;
}

void gm_work_free(struct gm_work *w)
{
	w->as->nr_works--;
	if (w->spare)
		list_add(&w->spare->link, &w->core->pool);
	list_add(&w->link, &w->core->works_free);
}

void gm_work_ready(struct gm_work *w)
{
	if (w->ready)
		return;
	w->ready = true;
	list_add_tail(&w->link, &w->core->works);
}

/* ---- moves of a work -------------------------------------------------- */

static void flush(struct gm_work *w)
{
	if (w->group)
		gm_txn_start(w->group);
	w->group = NULL;
}

/* A move from the pool, from new memory, or with what munmap has put by. */
static struct gm_txn *new_move(struct gm_work *w, struct gm_mapping *m, u8 kind, u8 cause,
			       struct gm_dev *dev)
{
	struct gm_txn *t = gm_txn_new(m, kind, cause, dev);

	if (t || !w->spare)
		return t;
	list_add(&w->spare->link, &w->core->pool);
	w->spare = NULL;
	return gm_txn_new(m, kind, cause, dev);
}

bool gm_work_begin(struct gm_work *w, struct gm_mapping *m, u8 kind, u8 cause, struct gm_dev *dev)
{
	struct gm_txn *t = new_move(w, m, kind, cause, dev), *g = w->group;

	if (!t && w->kind == GM_W_UNMAP) {
		w->starved = true;
		return false;
	}
	if (!t) {
		w->err = -ENOMEM;
		return false;
	}
	t->work = w;
	t->pin = t->pin || w->kind == GM_W_PIN;
	w->pending++;
	if (g && g->script == t->script && g->dev == t->dev && g->src == t->src &&
	    g->n < w->core->variant.batch_max) {
		gm_txn_group(g, t);
		return true;
	}
	flush(w);
	w->group = t;
	return true;
}

void gm_work_landed(struct gm_work *w, const struct gm_txn *t)
{
	struct gm_stats *st = &w->core->stats;
	bool ahead = t->cause == GM_CAUSE_PREFETCH && t->dest != GM_HOST_NODE;
	int err = t->err;

	/* half of a prefetch between devices: visit_prefetch() did not go on */
	if (err && t->kind == GM_C_OUT && t->cause == GM_CAUSE_PREFETCH && t->va == w->va)
		w->va += w->core->unit;
	if (ahead && err == -ENOMEM) {
		st->prefetch_dropped++;
		if (w->kind != GM_W_PIN)
			err = 0;
	} else if (ahead && err) {
		st->prefetch_failed++;
	}
	if (err && !w->err)
		w->err = err;
	gm_work_ready(w);
}

static void joined(struct gm_waiter *waiter, int err, const u64 end[GM_NR_PHASES])
{
	struct gm_work *w = container_of(waiter, struct gm_work, join);

	w->joined = false;
	gm_work_ready(w);
}

void gm_work_join(struct gm_work *w, struct gm_mapping *m)
{
	w->joined = true;
	w->join.wake = joined;
	gm_txn_wait(m->txn, &w->join, m, GM_ANYWHERE, false);
}

/* ---- messages of a work ----------------------------------------------- */

static void told(struct gm_op *op, int err)
{
	struct gm_work *w = container_of(op, struct gm_work, op);
	struct gm_core *core = w->core;
	struct gm_mapping *m;

	core->stats.msg_failed += !!err;
	if (op->msg == GM_MSG_RESPONSE)
		core->stats.msg_owed--;
	else if (!err)
		core->stats.msg_owed++;
	if (op->msg != GM_MSG_RESPONSE && !err) {
		gm_work_tell(w, GM_MSG_RESPONSE, core->devs[op->to]);
		return;
	}
	w->asking = false;
	core->works_asking--;
	m = gm_as_find(w->as, op->va);
	if (w->kind != GM_W_UNMAP && m && gm_on_device(m, w->dev))
		gm_hnode_hint(&w->dev->node, m);
	gm_work_ready(w);
	gm_run(core);
}

void gm_work_tell(struct gm_work *w, u8 msg, struct gm_dev *dev)
{
	struct gm_op *op = &w->op;
	bool answer = msg == GM_MSG_RESPONSE;

	w->core->works_asking += !w->asking;
	w->asking = true;
	op->type = GM_OP_MSG;
	op->msg = msg;
	op->cause = w->kind == GM_W_UNMAP ? GM_CAUSE_UNMAP : GM_CAUSE_PREFETCH;
	op->from = answer ? gm_dev_node(dev) : GM_HOST_NODE;
	op->to = answer ? GM_HOST_NODE : gm_dev_node(dev);
	op->units = 1;
	if (!answer)
		op->va = w->va;
	op->bytes = w->core->unit;
	op->frame = 0;
	op->delay = 0;
	op->ticket = ++w->core->tickets;
	op->done = told;
	w->core->stats.msg[msg]++;
	w->core->ops->submit(w->core->host, op);
}

/* ---- going over units ------------------------------------------------- */

/* The range of the next unit, w->va moved up to it; NULL: none is left. */
static struct gm_range *next_range(struct gm_work *w)
{
	struct gm_range *hit;

	if (w->kind == GM_W_UNMAP) {
		hit = w->at ? w->at : list_first_entry(&w->dying, struct gm_range, link);
		while (!list_entry_is_head(hit, &w->dying, link) && w->va >= gm_range_end(hit))
			hit = list_next_entry(hit, link);
		w->at = hit;
		if (list_entry_is_head(hit, &w->dying, link))
			return NULL;
	} else {
		hit = gm_as_range_from(w->as, w->va);
	}
	if (!hit || hit->va >= w->end)
		return NULL;
	w->va = max(w->va, hit->va);
	return w->va < w->end ? hit : NULL;
}

/* The device has left the space, or is about to. */
static bool is_moot(const struct gm_work *w)
{
	const struct gm_ctx *ctx;

	if (!gm_work_takes_worker(w))
		return false;
	ctx = gm_as_ctx(w->as, w->dev);
	return !ctx || ctx->detaching;
}

static void go_on(struct gm_work *w)
{
	u32 window = w->core->variant.batch_max;
	struct gm_range *r;

	if (is_moot(w)) {
		w->va = w->end;
		w->err = w->err ? w->err : -ENODEV;
	}
	while (!w->joined && !w->asking && !w->starved && w->pending < window &&
	       (r = next_range(w))) {
		u64 i = (w->va - r->va) >> w->core->unit_shift;

		if (gm_work_visit(w, &r->map[i]))
			w->va += w->core->unit;
	}
	flush(w);
}

static bool is_over(struct gm_work *w)
{
	return !w->pending && !w->joined && !w->asking && !next_range(w);
}

/* munmap: tell the next attached device; false: all know. */
static bool tell_next(struct gm_work *w)
{
	while (w->told < w->core->nr_devs) {
		struct gm_dev *dev = w->core->devs[w->told++];

		if (gm_as_ctx(w->as, dev)) {
			gm_work_tell(w, GM_MSG_FREE_VMA, dev);
			return true;
		}
	}
	return false;
}

static void unmap_ends(struct gm_work *w)
{
	struct gm_range *r, *next;

	list_for_each_entry_safe(r, next, &w->dying, link)
		gm_range_free(r);
	list_del_init(&w->as_link);
	gm_as_unpark(w->as);
}

static void detach_ends(struct gm_work *w)
{
	struct gm_ctx *ctx = gm_as_ctx(w->as, w->dev);

	if (w->err)
		ctx->detaching = false;
	else
		gm_ctx_free(ctx);
}

static void next_worker(struct gm_core *core)
{
	struct gm_work *w = list_first_entry_or_null(&core->queued, struct gm_work, link);

	if (!w) {
		w = list_first_entry_or_null(&core->spans, struct gm_work, link);
		if (!w)
			return;
		core->nr_spans--;
	}
	list_del_init(&w->link);
	core->workers++;
	gm_work_ready(w);
}

static void work_ends(struct gm_work *w)
{
	struct gm_core *core = w->core;
	struct gm_waiter *waiter = w->waiter;

	if (w->kind == GM_W_UNMAP)
		unmap_ends(w);
	else if (w->kind == GM_W_DETACH)
		detach_ends(w);
	if (waiter) {
		waiter->err = waiter->err ? waiter->err : w->err;
		if (!--waiter->pending)
			list_add_tail(&waiter->link, &core->woken);
	}
	if (gm_work_takes_worker(w)) {
		core->workers--;
		next_worker(core);
	}
	gm_work_free(w);
}

void gm_work_run(struct gm_work *w)
{
	w->ready = false;
	w->starved = false;
	go_on(w);
	if (!is_over(w) || (w->kind == GM_W_UNMAP && tell_next(w)))
		return;
	work_ends(w);
}

/* ---- beginning -------------------------------------------------------- */

static void launch(struct gm_work *w)
{
	struct gm_core *core = w->core;

	if (!gm_work_takes_worker(w)) {
		gm_work_ready(w);
	} else {
		list_add_tail(&w->link, w->advice ? &core->queued : &core->spans);
		core->nr_spans += !w->advice;
		if (core->workers < core->variant.prefetch_workers)
			next_worker(core);
	}
}

/*
 * Begin the works on @works for @waiter.  It has one pending part more until
 * this returns, so it is not woken before.
 */
int gm_work_launch(struct gm_core *core, struct list_head *works, struct gm_waiter *waiter)
{
	struct gm_work *w, *next;

	if (waiter) {
		waiter->pending = 1;
		waiter->err = 0;
	}
	list_for_each_entry_safe(w, next, works, link) {
		list_del_init(&w->link);
		w->waiter = waiter;
		if (waiter)
			waiter->pending++;
		launch(w);
	}
	gm_run(core);
	if (!waiter)
		return 0;
	return --waiter->pending ? -EINPROGRESS : waiter->err;
}

int gm_work_start(struct gm_work *w, struct gm_waiter *waiter)
{
	LIST_HEAD(works);

	list_add(&w->link, &works);
	return gm_work_launch(w->core, &works, waiter);
}

void gm_prefetch_span(struct gm_as *as, struct gm_dev *dev, u64 va, u64 end)
{
	struct gm_core *core = as->core;
	struct gm_work *w = gm_work_new(as, GM_W_PREFETCH, va, end);

	if (!w)
		return;
	w->dev = dev;
	core->stats.prefetch_calls++;
	core->stats.prefetch_requested += (end - va) >> core->unit_shift;
	launch(w);
	if (core->nr_spans <= SPANS_A_WORKER * core->variant.prefetch_workers)
		return;
	w = list_first_entry(&core->spans, struct gm_work, link);
	list_del(&w->link);
	core->nr_spans--;
	core->stats.prefetch_dropped += (w->end - w->va) >> core->unit_shift;
	gm_work_free(w);
}
