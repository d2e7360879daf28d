// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_txn.c - the life of a move, and groups of them
 */
#include "gm_pager.h"

struct gm_txn *gm_txn_alloc(struct gm_core *core)
{
	struct gm_txn *t = list_first_entry_or_null(&core->pool, struct gm_txn, link);

	if (t) {
		list_del(&t->link);
		memset(t, 0, sizeof(*t));
	} else {
		t = kzalloc(sizeof(*t), GFP_NOWAIT);
		if (!t)
			return NULL;
		core->txns++;
	}
	INIT_LIST_HEAD(&t->link);
	INIT_LIST_HEAD(&t->waiters);
	INIT_LIST_HEAD(&t->members);
	INIT_LIST_HEAD(&t->queue);
	INIT_LIST_HEAD(&t->own.victims);
	INIT_LIST_HEAD(&t->own.kick);
	return t;
}

/* The unit leaves the lists of the device it is on; its frame stays with it. */
static void take_off(struct gm_txn *t)
{
	struct gm_mapping *m = t->m;
	struct gm_hnode *n = &t->src->node;

	if (m->flags & GM_MAP_HOSTED)
		gm_hnode_copy_del(n, m);
	gm_hnode_remove(n, m);
	n->nr_inflight++;
	n->nr_evicting += t->kind == GM_C_EVICT;
	t->pin = m->flags & GM_MAP_PINNED;
	gm_stats_of(t)->prefetch_wasted += !!(m->flags & GM_MAP_PREFETCHED);
	m->flags &= (u8) ~(GM_MAP_PINNED | GM_MAP_PREFETCHED);
}

/* Is @m back so soon after its eviction that it better had stayed? */
static void note_refault(struct gm_txn *t)
{
	struct gm_core *core = t->core;
	struct gm_mapping *m = t->m;
	u64 window = div_u64(t->dev->node.cap * core->params->thrash_window, 100);
	u32 distance = core->evictions - m->evicted_at;

	if (!t->demand || !m->evicted_at || distance > window)
		return;
	t->refault = true;
	core->stats.refaults++;
	core->stats.refault_distance += distance;
}

static void txn_aim(struct gm_txn *t)
{
	struct gm_mapping *m = t->m;

	t->dest = t->kind <= GM_C_AHEAD_PEER ? gm_dev_node(t->dev) : GM_HOST_NODE;
	t->from = m->state;
	if (m->state == GM_DEVICE) {
		t->src = t->core->devs[m->owner];
		t->copies = m->flags & GM_MAP_DIRTY || t->dest != GM_HOST_NODE;
		take_off(t);
	} else {
		t->copies = m->state == GM_CPU;
		if (t->dest != GM_HOST_NODE)
			note_refault(t);
	}
	if (t->dest == GM_HOST_NODE)
		gm_set_state(m, GM_TO_CPU);
	else
		gm_set_state(m, t->from == GM_DEVICE ? GM_TO_PEER : GM_TO_DEVICE);
}

struct gm_txn *gm_txn_new(struct gm_mapping *m, u8 kind, u8 cause, struct gm_dev *dev)
{
	struct gm_core *core = m->range->as->core;
	struct gm_txn *t;

	if (gm_in_flight(m)) {
		core->stats.broken_order++;
		return NULL;
	}
	t = gm_txn_alloc(core);
	if (!t)
		return NULL;
	t->core = core;
	t->m = m;
	t->va = gm_mapping_va(m);
	t->dev = dev;
	t->src = dev;
	t->kind = kind;
	t->cause = cause;
	t->demand = cause == GM_CAUSE_DEV_FAULT || cause == GM_CAUSE_CPU_FAULT;
	t->script = gm_scripts[core->variant.family][kind];
	t->leader = t;
	t->n = 1;
	list_add(&t->link, &t->members);
	t->born = gm_now(core);
	t->mark = t->born;
	t->own.node = dev ? &dev->node : NULL;
	t->own.owner = t;
	t->own.cause = GM_CAUSE_EVICT_DIRECT;
	txn_aim(t);
	m->txn = t;
	core->stats.moves++;
	core->stats.txns_in_use++;
	return t;
}

void gm_txn_group(struct gm_txn *leader, struct gm_txn *t)
{
	list_move_tail(&t->link, &leader->members);
	t->leader = leader;
	t->n = 0;
	leader->n++;
}

/*
 * Addresses of some members may still belong to a range that is being unmapped:
 * these wait apart.  Returns who begins, NULL if nobody can.
 */
static struct gm_txn *park_haunted(struct gm_txn *leader)
{
	struct gm_as *as = leader->m->range->as;
	struct gm_txn *t, *apart;
	u32 free;

	list_for_each_entry(t, &leader->members, link)
		t->err = gm_as_is_haunted(t->m) ? -EAGAIN : 0;
	free = gm_txn_sort_failed(leader);
	if (free == leader->n)
		return leader;
	leader = gm_txn_hand_over(leader);
	apart = free ? gm_txn_split(leader, free) : leader;
	list_for_each_entry(t, &apart->members, link)
		t->err = 0;
	gm_slot_release(apart);
	list_add_tail(&apart->queue, &as->parked);
	return free ? leader : NULL;
}

void gm_txn_start(struct gm_txn *leader)
{
	struct gm_core *core = leader->core;

	/* a group stays within one space, munmap's own moves do not wait */
	if (!list_empty(&leader->m->range->as->dying) && leader->kind < GM_C_DROP_DEV)
		leader = park_haunted(leader);
	if (!leader)
		return;
	gm_txn_charge(leader, GM_PHASE_QUEUE);
	if (leader->n > 1) {
		core->stats.batches++;
		core->stats.batched += leader->n;
	}
	list_add_tail(&leader->queue, &core->runnable);
}

/* [at a step FRAME, on no queue] */
void gm_txn_resume(struct gm_txn *leader, int err)
{
	struct gm_txn *t;

	gm_txn_charge(leader, GM_PHASE_EVICT);
	if (err) {
		list_for_each_entry(t, &leader->members, link)
			t->err = err;
		leader->undoing = true;
	} else {
		leader->pc++;
	}
	list_add_tail(&leader->queue, &leader->core->runnable);
}

void gm_txn_wait(struct gm_txn *t, struct gm_waiter *w, struct gm_mapping *m, s16 node, bool write)
{
	w->as = m->range->as;
	w->va = t->va;
	w->node = node;
	w->write = write;
	w->err = 0;
	list_add_tail(&w->link, &t->waiters);
}

/* ---- groups ----------------------------------------------------------- */

struct gm_txn *gm_txn_split(struct gm_txn *leader, u32 keep)
{
	struct gm_txn *t, *next, *other = NULL;
	u32 i = 0;

	list_for_each_entry_safe(t, next, &leader->members, link) {
		if (i++ < keep)
			continue;
		if (!other)
			other = t;
		t->leader = other;
		list_move_tail(&t->link, &other->members);
		other->n++;
	}
	leader->n -= other->n;
	other->script = leader->script;
	other->pc = leader->pc;
	other->owed = leader->owed;
	other->rounds = leader->rounds;
	other->submitted = leader->submitted;
	other->committed = leader->committed;
	gm_stats_of(leader)->msg_owed += other->owed;
	return other;
}

/* Failed members to the end, order kept; returns how many have not failed. */
u32 gm_txn_sort_failed(struct gm_txn *leader)
{
	struct gm_txn *t, *next;
	LIST_HEAD(failed);
	u32 good = 0;

	list_for_each_entry_safe(t, next, &leader->members, link) {
		if (t->err)
			list_move_tail(&t->link, &failed);
		else
			good++;
	}
	list_splice_tail_init(&failed, &leader->members);
	return good;
}

/*
 * The first of the members has to lead.  It is another one now because members
 * were sorted: it takes over what the leader was.
 */
struct gm_txn *gm_txn_hand_over(struct gm_txn *old)
{
	struct gm_txn *t, *leader = list_first_entry(&old->members, struct gm_txn, link);

	if (leader == old)
		return old;
	leader->n = old->n;
	leader->script = old->script;
	leader->pc = old->pc;
	leader->owed = old->owed;
	leader->rounds = old->rounds;
	leader->imported = old->imported;
	leader->issued = old->issued;
	leader->submitted = old->submitted;
	leader->slot = old->slot;
	old->n = 0;
	old->owed = 0;
	old->slot = false;
	list_splice_tail_init(&old->members, &leader->members);
	list_for_each_entry(t, &leader->members, link)
		t->leader = leader;
	return leader;
}

void gm_txn_charge(struct gm_txn *leader, u8 phase)
{
	u64 now = gm_now(leader->core);
	struct gm_txn *t;

	list_for_each_entry(t, &leader->members, link) {
		t->spent[phase] += now - t->mark;
		t->mark = now;
	}
}
