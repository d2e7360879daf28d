// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_reclaim.c - who gets a frame, and who leaves for it
 *
 * A move at its step FRAME takes free frames if nobody is before it, else it
 * queues: faults before prefetches.  How the queue gets frames is the variant's:
 *
 *	one by one (openEuler)		each mover in the queue takes its own batch
 *					of victims, evicts these one after another,
 *					and looks again: at most evict_rounds times
 *					in vain.  Besides, swapd evicts one unit at
 *					a time from the low to the high watermark.
 *	async_evict			evictions are counted against what the
 *					queue and the watermarks want together, and
 *					up to evict_groups groups are out at once.
 */
#include "gm_pager.h"
#include "gm_policy.h"

void gm_hnode_kick(struct gm_hnode *n)
{
	if (list_empty(&n->kick))
		list_add_tail(&n->kick, &n->core->kicked);
}

/* ---- taking frames ---------------------------------------------------- */

/* What could be handed out, imported or not. */
static u64 free_frames(const struct gm_hnode *n)
{
	return n->nr_free + n->cap - min(n->cap, n->imported);
}

static void check_watermark(struct gm_hnode *n)
{
	if (!n->core->variant.background || n->swapd || free_frames(n) >= n->low)
		return;
	n->swapd = true;
	n->core->stats.wmark_wakeups++;
	gm_hnode_kick(n);
}

static void enqueue(struct gm_hnode *n, struct gm_txn *leader, bool first)
{
	struct list_head *queue = leader->demand ? &n->demand : &n->ahead;

	if (first)
		list_add(&leader->queue, queue);
	else
		list_add_tail(&leader->queue, queue);
	leader->queued = true;
	n->want += leader->n;
	gm_hnode_kick(n);
}

static void dequeue(struct gm_hnode *n, struct gm_txn *leader)
{
	list_del_init(&leader->queue);
	leader->queued = false;
	n->want -= leader->n;
}

/* As many as there are; the members that got none become a group that waits. */
static void take_frames(struct gm_hnode *n, struct gm_txn *leader)
{
	struct gm_txn *t;
	u32 got = 0;

	list_for_each_entry(t, &leader->members, link) {
		if (!gm_hnode_avail(n))
			break;
		t->frame = gm_hnode_take(n, t->m, &leader->imported);
		t->framed = true;
		got++;
	}
	if (got < leader->n)
		enqueue(n, gm_txn_split(leader, got), true);
	check_watermark(n);
}

bool gm_frames_get(struct gm_txn *leader)
{
	struct gm_hnode *n = &leader->dev->node;
	bool first = list_empty(&n->demand) && (leader->demand || list_empty(&n->ahead));

	if (first && gm_hnode_avail(n)) {
		take_frames(n, leader);
		return true;
	}
	enqueue(n, leader, false);
	return false;
}

void gm_frames_promote(struct gm_txn *leader)
{
	struct gm_hnode *n = &leader->dev->node;
	struct gm_txn *t;

	list_for_each_entry(t, &leader->members, link)
		t->demand = true;
	if (leader->queued) {
		list_move_tail(&leader->queue, &n->demand);
		gm_hnode_kick(n);
	}
}

/* ---- victims ---------------------------------------------------------- */

/* The number of victims taken for @r, up to @want. */
static u32 isolate(struct gm_reclaim *r, u64 want)
{
	bool front = r->node->core->variant.youngest_first;
	u32 got = 0;

	while (got < want && gm_hnode_isolate(r->node, &r->victims, front))
		got++;
	r->freed = 0;
	return got;
}

/* The first isolated victim goes in flight; NULL: no memory, it is put back. */
static struct gm_txn *begin_eviction(struct gm_reclaim *r)
{
	struct gm_hnode *n = r->node;
	struct gm_stats *st = &n->core->stats;
	struct gm_mapping *m = list_first_entry(&r->victims, struct gm_mapping, lru);
	struct gm_txn *t;

	/* from here as if it had been stranded: on no list */
	list_del_init(&m->lru);
	n->nr_isolated--;
	n->nr_stranded++;
	t = gm_txn_new(m, GM_C_EVICT, r->cause, n->dev);
	if (!t) {
		n->nr_stranded--;
		gm_hnode_insert(n, m, false);
		return NULL;
	}
	if (r->cause == GM_CAUSE_EVICT_DIRECT)
		st->evict_direct++;
	else
		st->evict_background++;
	t->reclaim = r;
	r->inflight++;
	return t;
}

static void begin_some(struct gm_reclaim *r)
{
	u32 most = r->node->core->variant.batch_max, i = 0;
	struct gm_txn *leader = NULL, *t;

	while (i < most && !list_empty(&r->victims)) {
		t = begin_eviction(r);
		if (!t)
			continue;
		i++;
		if (leader)
			gm_txn_group(leader, t);
		else
			leader = t;
	}
	if (leader)
		gm_txn_start(leader);
}

/* Nothing holds a frame but who cannot be evicted: none will ever come. */
static bool is_stuck(const struct gm_hnode *n)
{
	return !n->nr_inflight && !n->nr_isolated;
}

/*
 * No victim for @t.  A prefetch gives up, a move between devices takes the way
 * through the host (two full devices would wait for each other), a fault waits
 * for whatever is in flight.  Returns whether it goes on waiting.
 */
static bool starves(struct gm_hnode *n, struct gm_txn *t)
{
	bool hopeful = t->m->state == GM_TO_PEER ? n->nr_evicting : !is_stuck(n);

	if (!t->demand)
		hopeful = n->nr_evicting || n->nr_isolated;
	if (hopeful)
		return true;
	dequeue(n, t);
	n->core->stats.alloc_fail += t->demand;
	gm_txn_resume(t, -ENOMEM);
	return false;
}

/*
 * Who is first in a queue may hope for a frame that a move between devices is
 * about to leave, and that one stands further back in another queue, behind who
 * hopes likewise.  [no victims are left]
 */
static void uncross(struct gm_hnode *n)
{
	struct list_head *const queues[] = { &n->demand, &n->ahead };
	struct gm_txn *t, *next;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(queues); i++)
		list_for_each_entry_safe(t, next, queues[i], queue)
			if (t->m->state == GM_TO_PEER)
				starves(n, t);
}

/* ---- one by one ------------------------------------------------------- */

static void give_up(struct gm_hnode *n, struct list_head *queue)
{
	struct gm_txn *t;

	while ((t = list_first_entry_or_null(queue, struct gm_txn, queue))) {
		dequeue(n, t);
		n->core->stats.alloc_fail += t->demand;
		gm_txn_resume(t, -ENOMEM);
	}
}

/*
 * Evictions that belong to no mover have ended.  One that freed nothing would
 * fail again at once: swapd sleeps until the next frame is taken, and those who
 * wait for asynchronous evictions are told after so many in vain.
 */
static void background_ends(struct gm_reclaim *r)
{
	struct gm_hnode *n = r->node;
	const struct gm_variant *v = &n->core->variant;

	n->swapd = n->swapd && r->freed && free_frames(n) <= n->high;
	n->vain = r->freed ? 0 : n->vain + 1;
	if (v->async_evict && n->vain >= v->evict_rounds * v->evict_groups) {
		n->vain = 0;
		give_up(n, &n->demand);
		give_up(n, &n->ahead);
	}
	gm_hnode_kick(n);
}

/* @r is done with its victims: its mover looks whether it has a frame now. */
static void round_ends(struct gm_reclaim *r)
{
	struct gm_txn *t = r->owner;
	struct gm_hnode *n = r->node;
	const struct gm_variant *v = &n->core->variant;

	if (!t) {
		background_ends(r);
		return;
	}
	if (gm_hnode_avail(n)) {
		take_frames(n, t);
		gm_txn_resume(t, 0);
		return;
	}
	t->rounds = r->freed ? 0 : t->rounds + 1;
	if (t->rounds > v->evict_rounds)
		n->core->stats.broken_rounds++;
	if (t->rounds >= v->evict_rounds) {
		n->core->stats.alloc_fail += t->demand;
		gm_txn_resume(t, -ENOMEM);
		return;
	}
	enqueue(n, t, true);
}

void gm_reclaim_step(struct gm_reclaim *r)
{
	if (r->inflight)
		return;
	if (!list_empty(&r->victims))
		begin_some(r);
	if (!r->inflight)
		round_ends(r);
}

void gm_reclaim_landed(struct gm_txn *t, bool evicted)
{
	struct gm_reclaim *r = t->reclaim;

	r->inflight--;
	r->freed += evicted;
	if (list_empty(&r->kick))
		list_add_tail(&r->kick, &t->core->reclaims);
}

/* A round of direct eviction for each mover in @queue. */
static void direct_rounds(struct gm_hnode *n, struct list_head *queue)
{
	struct gm_txn *t;

	while ((t = list_first_entry_or_null(queue, struct gm_txn, queue))) {
		u64 want = max((u64)n->core->variant.evict_batch, (u64)t->n);

		if (isolate(&t->own, want)) {
			n->core->stats.evict_rounds++;
			dequeue(n, t);
			gm_reclaim_step(&t->own);
		} else if (starves(n, t)) {
			return;
		}
	}
}

/* swapd: one at a time, at least one a wake, until free > high. */
static void swapd_step(struct gm_hnode *n)
{
	struct gm_reclaim *r = &n->bg[0];

	if (!n->swapd || r->inflight || !list_empty(&r->victims))
		return;
	r->cause = GM_CAUSE_EVICT_BACKGROUND;
	if (isolate(r, n->core->variant.evict_batch))
		gm_reclaim_step(r);
}

/* ---- asynchronous ----------------------------------------------------- */

/* Frames wanted now and soon, beyond those that are on their way. */
static u64 shortage(struct gm_hnode *n)
{
	u64 free = free_frames(n), want = n->want;

	n->swapd = n->swapd && free <= n->high;
	if (n->swapd)
		want += n->high + 1;
	free += n->nr_evicting + n->nr_isolated;
	return want > free ? want - free : 0;
}

static void async_groups(struct gm_hnode *n)
{
	const struct gm_variant *v = &n->core->variant;
	u32 i;

	for (i = 0; i < v->evict_groups; i++) {
		struct gm_reclaim *r = &n->bg[i];
		u64 want = min(shortage(n), (u64)v->evict_batch);

		if (!want)
			return;
		if (r->inflight || !list_empty(&r->victims))
			continue;
		r->cause = n->want ? GM_CAUSE_EVICT_DIRECT : GM_CAUSE_EVICT_BACKGROUND;
		if (!isolate(r, want))
			return;
		gm_reclaim_step(r);
	}
}

static void async_starvation(struct gm_hnode *n, struct list_head *queue)
{
	struct gm_txn *t;

	while ((t = list_first_entry_or_null(queue, struct gm_txn, queue)))
		if (starves(n, t))
			return;
}

/* ---- serving ---------------------------------------------------------- */

static void hand_out(struct gm_hnode *n, struct list_head *queue)
{
	struct gm_txn *t;

	while (gm_hnode_avail(n) && (t = list_first_entry_or_null(queue, struct gm_txn, queue))) {
		dequeue(n, t);
		take_frames(n, t);
		gm_txn_resume(t, 0);
	}
}

void gm_hnode_serve(struct gm_hnode *n)
{
	bool async = n->core->variant.async_evict;

	hand_out(n, &n->demand);
	if (list_empty(&n->demand))
		hand_out(n, &n->ahead);
	if (async) {
		async_groups(n);
		if (n->nr_evicting || n->nr_isolated || n->nr_listed || n->nr_guarded)
			return;
		async_starvation(n, &n->demand);
		async_starvation(n, &n->ahead);
		uncross(n);
		return;
	}
	direct_rounds(n, &n->demand);
	if (list_empty(&n->demand))
		direct_rounds(n, &n->ahead);
	uncross(n);
	swapd_step(n);
}
