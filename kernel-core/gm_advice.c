// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_advice.c - what advice, munmap and detach mean for one unit
 */
#include "gm_pager.h"
#include "gm_policy.h"

/* ---- visiting a unit: true if that is all there is to do with it ------- */

static bool visit_resident(struct gm_work *w, struct gm_mapping *m)
{
	w->core->stats.prefetch_resident++;
	if (!w->advice)
		return true;
	if (w->core->variant.hint_message)
		gm_work_tell(w, GM_MSG_ALLOC_PAGE, w->dev);
	else
		gm_hnode_hint(&w->dev->node, m);
	return true;
}

static bool visit_prefetch(struct gm_work *w, struct gm_mapping *m)
{
	bool away = m->state == GM_DEVICE && m->owner != gm_dev_node(w->dev);

	if (gm_in_flight(m)) {
		bool coming = m->txn->dest == gm_dev_node(w->dev);

		if (w->waiter)
			gm_work_join(w, m);
		return coming || !w->waiter;
	}
	if (gm_on_device(m, w->dev))
		return visit_resident(w, m);
	if (away && (m->flags & GM_MAP_PINNED || !w->advice))
		return true;
	if (away && w->core->variant.d2d) {
		gm_work_begin(w, m, GM_C_AHEAD_PEER, GM_CAUSE_PREFETCH, w->dev);
	} else if (away) {
		return !gm_work_begin(w, m, GM_C_OUT, GM_CAUSE_PREFETCH, w->core->devs[m->owner]);
	} else {
		gm_work_begin(w, m, m->state == GM_CPU ? GM_C_AHEAD_FETCH : GM_C_AHEAD_ZERO,
			      GM_CAUSE_PREFETCH, w->dev);
	}
	return true;
}

static bool visit_pin(struct gm_work *w, struct gm_mapping *m)
{
	struct gm_hnode *n = &w->dev->node;

	if (gm_in_flight(m)) {
		gm_work_join(w, m);
		return false;
	}
	if (!gm_on_device(m, w->dev))
		return visit_prefetch(w, m);
	if (m->flags & GM_MAP_PINNED)
		return true;
	if (n->nr_pinned >= n->pin_limit) {
		w->err = -ENOSPC;
		return true;
	}
	gm_hnode_remove(n, m);
	m->flags |= GM_MAP_PINNED;
	gm_hnode_insert(n, m, false);
	return true;
}

static bool visit_unpin(struct gm_work *w, struct gm_mapping *m)
{
	struct gm_hnode *n = &w->dev->node;

	if (gm_in_flight(m)) {
		gm_work_join(w, m);
		return false;
	}
	if (gm_on_device(m, w->dev)) {
		if (!(m->flags & GM_MAP_PINNED))
			return true;
		gm_hnode_remove(n, m);
		m->flags &= (u8)~GM_MAP_PINNED;
		gm_hnode_insert(n, m, false);
		gm_hnode_kick(n);
		return true;
	}
	return w->core->variant.unpin_fetches ? visit_prefetch(w, m) : true;
}

static bool visit_willneed(struct gm_work *w, struct gm_mapping *m)
{
	if (gm_in_flight(m) && m->txn->kind == GM_C_EVICT)
		m->flags |= GM_MAP_WILLNEED;
	else if (gm_on_device(m, w->dev))
		gm_hnode_hint(&w->dev->node, m);
	return true;
}

/* Not for evictors: who advises knows when the unit comes back. */
static bool visit_to_host(struct gm_work *w, struct gm_mapping *m)
{
	struct gm_core *core = w->core;

	if (m->state != GM_DEVICE || m->flags & GM_MAP_PINNED)
		return true;
	core->stats.advised_out +=
		gm_work_begin(w, m, GM_C_OUT, GM_CAUSE_EVICT_BACKGROUND, core->devs[m->owner]);
	return true;
}

/* The content goes: free-eager, and munmap which nothing may stop. */
static bool visit_free(struct gm_work *w, struct gm_mapping *m)
{
	struct gm_core *core = w->core;
	bool drop = w->kind == GM_W_UNMAP, begun = true;
	u8 cause = drop ? GM_CAUSE_UNMAP : GM_CAUSE_FREE;

	if (gm_in_flight(m)) {
		gm_work_join(w, m);
		return false;
	}
	if (m->state == GM_DEVICE) {
		begun = gm_work_begin(w, m, drop ? GM_C_DROP_DEV : GM_C_FREE_DEV, cause,
				      core->devs[m->owner]);
	} else if (m->flags & GM_MAP_CPU_PTE) {
		begun = gm_work_begin(w, m, drop ? GM_C_DROP_CPU : GM_C_FREE_CPU, cause, NULL);
	} else if (m->state == GM_CPU) {
		core->ops->host_free(core->host, m->host_frame);
		m->flags &= (u8)~GM_MAP_HOSTED;
		m->evicted_at = 0;
		gm_set_state(m, GM_NOMAP);
	}
	return begun || !drop;
}

static bool visit_detach(struct gm_work *w, struct gm_mapping *m)
{
	if (gm_in_flight(m) && (m->txn->dev == w->dev || m->txn->src == w->dev)) {
		gm_work_join(w, m);
		return false;
	}
	if (gm_on_device(m, w->dev))
		gm_work_begin(w, m, GM_C_OUT, GM_CAUSE_DETACH, w->dev);
	return true;
}

bool gm_work_visit(struct gm_work *w, struct gm_mapping *m)
{
	static bool (*const visit[])(struct gm_work * w, struct gm_mapping * m) = {
		[GM_W_PREFETCH] = visit_prefetch, [GM_W_PIN] = visit_pin,
		[GM_W_UNPIN] = visit_unpin,	  [GM_W_WILLNEED] = visit_willneed,
		[GM_W_FREE] = visit_free,	  [GM_W_UNMAP] = visit_free,
		[GM_W_DETACH] = visit_detach,	  [GM_W_TO_HOST] = visit_to_host,
	};

	return visit[w->kind](w, m);
}

/* ---- gm_advise() ------------------------------------------------------- */

/*
 * openEuler cuts a prefetch for its workers: quarters, rounded down to units,
 * the last one takes what is left when that is less than two of them; below
 * four units there is only one piece.
 */
static int cut(struct gm_as *as, struct gm_work *shape, struct list_head *works)
{
	u64 unit = as->core->unit, va = shape->va, end = shape->end;
	u64 chunk = round_down((end - va) / 4, unit);
	struct gm_work *w;

	if (!gm_work_takes_worker(shape) || !chunk)
		chunk = end - va;
	for (; va < end; va = w->end) {
		w = gm_work_new(as, shape->kind, va, end - va < 2 * chunk ? end : va + chunk);
		if (!w)
			return -ENOMEM;
		w->dev = shape->dev;
		w->advice = true;
		list_add_tail(&w->link, works);
	}
	return 0;
}

static int advise(struct gm_as *as, struct gm_work *shape, struct gm_waiter *waiter)
{
	struct gm_core *core = as->core;
	struct gm_work *w, *next;
	LIST_HEAD(works);

	if (cut(as, shape, &works)) {
		list_for_each_entry_safe(w, next, &works, link)
			gm_work_free(w);
		return -ENOMEM;
	}
	if (shape->kind == GM_W_PREFETCH) {
		core->stats.prefetch_calls++;
		core->stats.prefetch_requested += (shape->end - shape->va) >> core->unit_shift;
	}
	return gm_work_launch(core, &works, waiter);
}

/* By advice.  [as enum gm_advice] */
static const u8 work_kinds[GM_NR_ADVICE] = {
	[GM_ADVISE_PREFETCH] = GM_W_PREFETCH, [GM_ADVISE_FREE_EAGER] = GM_W_FREE,
	[GM_ADVISE_PIN] = GM_W_PIN,	      [GM_ADVISE_UNPIN] = GM_W_UNPIN,
	[GM_ADVISE_WILLNEED] = GM_W_WILLNEED,
};

int gm_advise(struct gm_as *as, s32 hnid, u64 va, u64 bytes, u32 advice, struct gm_waiter *waiter)
{
	struct gm_core *core = as->core;
	struct gm_work shape = { .va = va };
	struct gm_ctx *ctx;

	if (advice >= GM_NR_ADVICE || va + bytes < va || va + bytes > U64_MAX - core->unit)
		return -EINVAL;
	if ((advice == GM_ADVISE_PIN || advice == GM_ADVISE_UNPIN) && !core->variant.pins)
		return -EOPNOTSUPP;
	shape.kind = work_kinds[advice];
	if (advice == GM_ADVISE_PREFETCH && hnid == GM_HOST_NODE)
		shape.kind = GM_W_TO_HOST;
	if (shape.kind == GM_W_FREE || shape.kind == GM_W_TO_HOST) {
		shape.va = round_up(va, core->unit);
		shape.end = round_down(va + bytes, core->unit);
	} else {
		if (hnid < 0 || (u32)hnid >= core->nr_devs)
			return -EINVAL;
		shape.dev = core->devs[hnid];
		ctx = gm_as_ctx(as, shape.dev);
		if (!ctx || ctx->detaching)
			return -ENODEV;
		shape.va = round_down(va, core->unit);
		shape.end = round_up(va + bytes, core->unit);
	}
	if (!bytes || shape.va >= shape.end)
		return 0;
	return advise(as, &shape, waiter);
}
