// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_land.c - a move ends: where the unit is now, and who is told
 */
#include "gm_pager.h"

static bool is_there(const struct gm_mapping *m, const struct gm_waiter *w)
{
	if (w->node == GM_HOST_NODE)
		return m->state == GM_CPU && (m->flags & GM_MAP_CPU_PTE);
	return m->state == GM_DEVICE && m->owner == w->node;
}

static bool shares_error(const struct gm_txn *t, const struct gm_waiter *w)
{
	if (!t->err || t->cause == GM_CAUSE_PREFETCH)
		return false;
	/* two full devices would wait for each other: there is a way around */
	if (t->kind == GM_C_PEER && t->err == -ENOMEM)
		return false;
	/* the first half of a move between devices */
	if (t->kind == GM_C_OUT && t->cause == GM_CAUSE_DEV_FAULT)
		return true;
	return t->dest == w->node;
}

/*
 * Who waits is content, or shares the error of a move to where he waits, or
 * begins again: then something else moved the unit.
 */
static void settle_waiters(struct gm_txn *t)
{
	struct gm_mapping *m = t->m;
	struct gm_waiter *w, *next;

	list_for_each_entry_safe(w, next, &t->waiters, link) {
		w->err = t->err;
		if (w->node == GM_ANYWHERE)
			continue;
		if (m->range->dying) {
			w->err = -EFAULT;
		} else if (is_there(m, w)) {
			w->err = 0;
			if (w->write && m->state == GM_DEVICE)
				gm_hnode_dirty(&t->core->devs[m->owner]->node, m);
		} else if (!shares_error(t, w)) {
			w->via_host |= t->kind == GM_C_PEER && t->err == -ENOMEM;
			list_move_tail(&w->link, &t->core->retries);
			gm_stats_of(t)->fault_retried++;
		}
	}
}

static void land_on_device(struct gm_txn *t)
{
	struct gm_mapping *m = t->m;
	struct gm_hnode *n = &t->dev->node;
	bool ahead = t->cause == GM_CAUSE_PREFETCH && !t->late && !t->pin;
	bool pin = t->pin && n->nr_pinned < n->pin_limit;

	m->owner = gm_dev_node(t->dev);
	m->frame = t->frame;
	t->framed = false;
	n->nr_inflight--;
	if (!t->core->variant.dirty_tracking)
		m->flags |= GM_MAP_DIRTY;
	if (ahead)
		m->flags |= GM_MAP_PREFETCHED;
	if (pin)
		m->flags |= GM_MAP_PINNED;
	else if (t->pin)
		t->err = -ENOSPC;
	if (t->cause == GM_CAUSE_PREFETCH)
		gm_stats_of(t)->prefetch_moved++;
	gm_set_state(m, GM_DEVICE);
	if (m->flags & GM_MAP_HOSTED)
		gm_hnode_copy_add(n, m);
	gm_hnode_insert(n, m, t->refault && t->demand && t->core->variant.thrash_damping);
	gm_hnode_kick(n);
}

static void land_on_host(struct gm_txn *t)
{
	struct gm_mapping *m = t->m;
	struct gm_core *core = t->core;

	m->flags &= (u8) ~(GM_MAP_DIRTY | GM_MAP_WILLNEED);
	if (t->kind >= GM_C_FREE_DEV) {
		if (t->from == GM_DEVICE)
			core->stats.discarded += core->unit;
		gm_host_release(m, core);
	}
	if (t->kind == GM_C_EVICT) {
		core->evictions += core->evictions == U32_MAX ? 2 : 1;
		m->evicted_at = core->evictions;
		core->stats.evict_done++;
		core->stats.evict_clean += !t->copies;
	}
	gm_set_state(m, m->flags & GM_MAP_HOSTED ? GM_CPU : GM_NOMAP);
}

/* An eviction that failed: is the unit found again by the policy? */
static bool puts_back(const struct gm_txn *t)
{
	u8 rule = t->core->variant.put_back;
	bool host = t->err == -ENOMEM || t->err == -EAGAIN;

	return t->kind != GM_C_EVICT || rule == GM_PUT_BACK_ALWAYS ||
	       (rule == GM_PUT_BACK_HOST && host);
}

static void land_undone(struct gm_txn *t)
{
	struct gm_mapping *m = t->m;
	struct gm_stats *st = gm_stats_of(t);
	struct gm_hnode *n;

	st->moves_undone++;
	gm_set_state(m, t->from);
	if (t->from != GM_DEVICE)
		return;
	n = &t->core->devs[m->owner]->node;
	n->nr_inflight--;
	m->flags &= (u8)~GM_MAP_WILLNEED;
	if (t->pin && n->nr_pinned < n->pin_limit)
		m->flags |= GM_MAP_PINNED;
	if (m->flags & GM_MAP_HOSTED)
		gm_hnode_copy_add(n, m);
	if (t->kind == GM_C_EVICT) {
		n->nr_evicting--;
		if (t->err == -ENOMEM)
			st->evict_host_nomem++;
		else if (t->err != -EAGAIN)
			st->evict_dev_error++;
	}
	if (puts_back(t)) {
		st->put_back += t->kind == GM_C_EVICT;
		gm_hnode_insert(n, m, false);
	} else {
		gm_hnode_strand(n, m);
	}
	gm_hnode_kick(n);
}

static void land_one(struct gm_txn *t, bool undone)
{
	struct gm_mapping *m = t->m;
	struct gm_core *core = t->core;
	s16 from = t->from == GM_DEVICE ? gm_dev_node(t->src) : GM_HOST_NODE;

	m->txn = NULL;
	if (undone)
		land_undone(t);
	else if (m->state == GM_TO_CPU)
		land_on_host(t);
	else
		land_on_device(t);
	if (!undone && core->ops->decision)
		core->ops->decision(core->host, t->va, from, t->dest, t->cause);
	settle_waiters(t);
	if (t->reclaim)
		gm_reclaim_landed(t, !undone);
	list_move_tail(&t->link, &core->landed);
	core->stats.txns_in_use--;
}

/* An answer before the call that asked has returned would confuse the caller. */
static bool lands_too_early(struct gm_txn *leader)
{
	static const struct gm_step now = { .from = GM_E_DEV, .to = GM_E_HOST };

	if (leader->submitted || list_empty(&leader->waiters))
		return false;
	leader->issued = true;
	gm_step_submit(leader, &now, GM_OP_TIMER, 1);
	return true;
}

void gm_txn_land(struct gm_txn *leader)
{
	struct gm_txn *t, *next;

	if (lands_too_early(leader))
		return;
	gm_txn_charge(leader, GM_PHASE_FINISH);
	gm_slot_release(leader);
	if (leader->owed)
		gm_stats_of(leader)->broken_answer++;
	list_for_each_entry_safe(t, next, &leader->members, link)
		land_one(t, leader->undoing);
}

/* Wake who waited for @t, one by one: each may call us again. */
void gm_txn_wake(struct gm_txn *t)
{
	struct gm_core *core = t->core;
	struct gm_work *work = t->work;
	u64 end[GM_NR_PHASES], at = t->born;
	struct gm_waiter *w;
	u32 i;

	for (i = 0; i < GM_NR_PHASES; i++) {
		at += t->spent[i];
		end[i] = at;
	}
	while ((w = list_first_entry_or_null(&t->waiters, struct gm_waiter, link))) {
		list_del_init(&w->link);
		if (w->err && w->node == GM_HOST_NODE)
			core->stats.cpu_fault_failed++;
		else if (w->err && w->node != GM_ANYWHERE)
			core->stats.dev_fault_failed++;
		w->wake(w, w->err, end);
	}
	if (work) {
		work->pending--;
		gm_work_landed(work, t);
	}
	if (work && work->kind == GM_W_UNMAP && !work->spare)
		work->spare = t;
	else
		list_add(&t->link, &core->pool);
}
