/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_uvm_fault.c - faults of a device: ring, batches, services, replay
 *
 *   IDLE --fault--> FETCH --after the interrupt--> SERVE --last block--> FINISH
 *    ^                ^       <= 256 entries,      one event a block        |
 *    |                |       sorted by address                             |
 *    +----------------+--------------------- copies arrived, replay --------+
 *
 * One servicer a device, strictly serial (uvm_gpu_replayable_faults.c).  A
 * record in the ring stands for a run of missing pages that one kernel asked
 * for at once; it stays until all its pages have become accessible at some
 * replay, so that what a flush drops, or what was evicted again, is simply
 * fetched again.
 */
#include <stdlib.h>

#include "models/mm_uvm_extra.h"

static void servicer(struct gs_sim *sim, struct gs_event *ev);
static void block_replayed(struct gs_sim *sim, struct gs_event *ev);

void uvm_gpu_init(struct mm_uvm *u, struct uvm_gpu *g, u16 device)
{
	g->u = u;
	g->device = device;
	g->nr_chunks = hw_hbm_usable(u->mm.machine, UVM_PAGE) / UVM_BLOCK;
	g->nr_free = g->nr_chunks;
	for (u32 i = 0; i < UVM_NR_LISTS; i++)
		INIT_LIST_HEAD(&g->lists[i]);
	INIT_LIST_HEAD(&g->ring);
	INIT_LIST_HEAD(&g->notes);
	g->ev.fn = servicer;
	g->entries = gs_calloc(u->p->batch_count, sizeof(*g->entries));
	for (u32 i = 0; i < u->p->batch_count; i++) {
		g->entries[i].ev.fn = block_replayed;
		g->entries[i].gpu = g;
	}
	uvm_call_init(g);
}

void uvm_gpu_fini(struct uvm_gpu *g)
{
	free(g->entries);
	free(g->wake);
}

void uvm_fault(struct uvm_gpu *g, struct uvm_block *b, const struct gm_bitmap *pages, u32 n,
	       struct mm_wait *wait)
{
	struct uvm_record *rec = uvm_pool_get(&g->u->records);

	rec->block = b;
	rec->pending = *pages;
	rec->npending = n;
	rec->wait = wait;
	rec->since = gs_now(g->u->mm.sim);
	list_add_tail(&rec->link, &g->ring);
	if (g->phase != UVM_IDLE)
		return;
	g->phase = UVM_FETCH;
	g->batches_in_service = g->throttled_in_service = 0;
	gs_after(g->u->mm.sim, &g->ev, g->u->p->irq);
}

/* ---- fetch ---- */

/* The batch's entry for @b, made if there is none. */
static struct uvm_entry *entry_of(struct uvm_gpu *g, struct uvm_block *b)
{
	struct uvm_side *s = &b->side[g->device];
	struct uvm_entry *e;

	if (s->batch == g->batch)
		return &g->entries[s->entry];
	s->batch = g->batch;
	s->entry = g->nentries;
	e = &g->entries[g->nentries++];
	e->block = b;
	e->faulted = (struct gm_bitmap){ 0 };
	return e;
}

static int by_address(const void *a, const void *b)
{
	u64 x = ((const struct uvm_entry *)a)->block->va;
	u64 y = ((const struct uvm_entry *)b)->block->va;

	return x < y ? -1 : x > y;
}

static void sort_batch(struct uvm_gpu *g)
{
	for (u32 i = 1; i < g->nentries; i++)
		if (g->entries[i - 1].block->va > g->entries[i].block->va) {
			qsort(g->entries, g->nentries, sizeof(*g->entries), by_address);
			return;
		}
}

/* Take the oldest entries of the ring, coalesce, sort; returns the CPU time. */
static gs_time fetch(struct uvm_gpu *g)
{
	const struct mm_uvm_params *p = g->u->p;
	u32 raw = 0, distinct = 0;
	struct uvm_record *rec;

	g->batch++;
	g->nentries = g->next = 0;
	g->copied = 0;
	g->throttled = false;
	g->fetched = gs_now(g->u->mm.sim);
	g->batches_in_service++;
	list_for_each_entry(rec, &g->ring, link) {
		u32 n = gs_min(rec->npending, p->batch_count - raw);
		struct uvm_entry *e;

		if (!n)
			break;
		e = entry_of(g, rec->block);
		raw += n;
		if (n == rec->npending) {
			bits_set(&e->faulted, &rec->pending);
		} else {
			struct gm_bitmap take = bits_lowest(&rec->pending, n);

			bits_set(&e->faulted, &take);
		}
	}
	for (u32 i = 0; i < g->nentries; i++)
		distinct += bits_count(&g->entries[i].faulted);
	sort_batch(g);
	g->u->stats.batches++;
	return raw * p->fetch + distinct * p->prep;
}

/* ---- serve ---- */

/* UVM counts faulted pages of a block towards one destination. */
static bool may_prefetch(struct uvm_gpu *g, struct uvm_block *b, u32 faulted)
{
	const struct mm_uvm_params *p = g->u->p;

	if (b->fault_device != g->device) {
		b->fault_device = g->device;
		b->faults = 0;
	}
	b->faults = (u16)gs_min(b->faults + faulted, U16_MAX);
	return p->prefetch && b->faults >= p->prefetch_min_faults;
}

void uvm_tree(struct uvm_gpu *g, struct uvm_block *b, struct uvm_want *want)
{
	const struct uvm_side *s = &b->side[g->device];

	if (!may_prefetch(g, b, want->n) || s->nresident + want->n == b->nmapped)
		return; /* or nothing is left to bring */
	/* 16 pages: a fault brings 64 KiB at least */
	gm_tree_expand(&s->resident, &want->all, UVM_PAGES, 16, g->u->p->prefetch_threshold,
		       &want->ahead);
	want->ahead = bits_and(&want->ahead, &b->mapped);
	want->nahead = bits_count(&want->ahead);
	want->n += want->nahead;
	bits_set(&want->all, &want->ahead);
	g->u->stats.tree_pages += want->nahead;
}

/* A block of the long way; replayed by itself where the policy says so. */
static gs_time serve_extra(struct uvm_gpu *g, struct uvm_entry *e, gs_time t)
{
	t = uvm_serve_extra(g, e->block, &e->faulted, UVM_FAULT, t);
	if (g->u->p->replay_policy == UVM_REPLAY_BLOCK) {
		t += g->u->p->push;
		gs_at(g->u->mm.sim, &e->ev, gs_max(g->copied, t) + g->u->p->replay);
	}
	return t;
}

/* One block of the batch; returns when the CPU is done. */
static gs_time serve(struct uvm_gpu *g, struct uvm_entry *e, gs_time t)
{
	struct mm_uvm *u = g->u;
	struct uvm_block *b = e->block;
	struct uvm_side *s = &b->side[g->device];
	struct uvm_want want;

	uvm_arrive(u, b, g->device);
	if (b->extra)
		return serve_extra(g, e, t);
	bits_each_word(i)
		want.all.w[i] = e->faulted.w[i] & b->mapped.w[i] & ~s->resident.w[i];
	want.n = bits_count(&want.all);
	want.nahead = 0;
	want.cause = UVM_FAULT;
	want.copies = false;
	if (!want.n) { /* somebody else brought it, perhaps just now */
		u->stats.already_there++;
		g->copied = gs_max(g->copied, s->in);
		return t;
	}
	u->mm.stats.faults += want.n;
	uvm_tree(g, b, &want);
	t = uvm_make_resident(u, b, g->device, &want, t);
	g->copied = gs_max(g->copied, s->in);
	if (u->p->replay_policy == UVM_REPLAY_BLOCK) {
		t += u->p->push;
		gs_at(u->mm.sim, &e->ev, gs_max(s->in, t) + u->p->replay);
	}
	return t;
}

/* ---- replay ---- */

static void stamp(struct uvm_gpu *g, const struct uvm_record *rec, gs_time end[MM_NR_PHASES])
{
	const struct uvm_side *s = &rec->block->side[g->device];
	gs_time now = gs_now(g->u->mm.sim);

	end[MM_QUEUE] = gs_min(gs_max(rec->since, g->fetched), now);
	end[MM_SERVICE] = gs_min(gs_max(end[MM_QUEUE], s->served), now);
	end[MM_EVICT] = gs_min(gs_max(end[MM_SERVICE], s->room), now);
	end[MM_LINK] = gs_min(gs_max(end[MM_EVICT], s->in), now);
	end[MM_FINISH] = now;
}

/* Take from @rec what is accessible; the kernel is told by wake_up(). */
static void settle(struct uvm_gpu *g, struct uvm_record *rec)
{
	struct uvm_block *b = rec->block;
	struct gm_bitmap there, absent;
	struct uvm_wake *w;
	u32 left;

	uvm_arrive(g->u, b, g->device);
	there = b->extra ? uvm_reach(g->u, b, g->device) : uvm_visible(&b->side[g->device]);
	absent = bits_and(&rec->pending, &b->mapped); /* what was freed does not come */
	bits_clear(&absent, &there);
	left = bits_count(&absent);
	if (left < rec->npending) {
		GS_PUSH_ROOM(g->wake, g->nwake, g->cap_wake);
		w = &g->wake[g->nwake++];
		w->wait = rec->wait;
		w->units = rec->npending - left;
		stamp(g, rec, w->end);
		rec->pending = absent;
		rec->npending = left;
	}
	if (left)
		return;
	list_del(&rec->link);
	uvm_pool_put(&g->u->records, rec);
}

/* What is left in the ring after a replay faults again. */
static bool settle_all(struct uvm_gpu *g, const struct uvm_block *only)
{
	struct uvm_record *rec, *next;

	list_for_each_entry_safe(rec, next, &g->ring, link)
		if (!only || rec->block == only)
			settle(g, rec);
	return !list_empty(&g->ring);
}

/* Last, because a kernel that goes on may fault at once. */
static void wake_up(struct uvm_gpu *g)
{
	for (size_t i = 0; i < g->nwake; i++)
		mm_resolved(g->wake[i].wait, g->wake[i].units, g->wake[i].end);
	g->nwake = 0;
}

static void block_replayed(struct gs_sim *sim, struct gs_event *ev)
{
	struct uvm_entry *e = gs_container_of(ev, struct uvm_entry, ev);

	settle_all(e->gpu, e->block);
	wake_up(e->gpu);
}

/* ONCE replays when the ring is empty, or after so many batches. */
static bool goes_on_without_replay(const struct uvm_gpu *g)
{
	struct uvm_record *rec;

	if (g->u->p->replay_policy != UVM_REPLAY_ONCE ||
	    g->batches_in_service >= g->u->p->max_batches)
		return false;
	list_for_each_entry(rec, &g->ring, link) {
		struct gm_bitmap absent = bits_and(&rec->pending, &rec->block->mapped);

		bits_clear(&absent, &rec->block->side[g->device].resident);
		if (bits_any(&absent) && !rec->block->extra)
			return true;
	}
	return false;
}

static void finish(struct uvm_gpu *g)
{
	const struct mm_uvm_params *p = g->u->p;
	gs_time again = p->irq + p->refault;
	bool left;

	if (goes_on_without_replay(g)) {
		g->phase = UVM_FETCH;
		gs_after(g->u->mm.sim, &g->ev, 0);
		return;
	}
	left = settle_all(g, NULL);
	if (left) {
		g->u->stats.refaults++;
		/* without a flush they are in the buffer still */
		if (p->replay_policy != UVM_REPLAY_BATCH_FLUSH)
			again = 0;
		g->throttled_in_service += g->throttled;
		g->phase = UVM_FETCH;
		if (g->batches_in_service >= p->max_batches ||
		    g->throttled_in_service >= p->max_throttles) {
			g->batches_in_service = g->throttled_in_service = 0;
			again = gs_max(again, p->irq);
			if (uvm_counter_pending(g))
				g->phase = UVM_IDLE; /* they have their turn */
		}
		if (g->phase == UVM_FETCH)
			gs_after(g->u->mm.sim, &g->ev, again);
	} else {
		g->phase = UVM_IDLE;
	}
	if (g->phase == UVM_IDLE && uvm_counter_pending(g))
		uvm_counter_begin(g);
	wake_up(g);
}

/* The batch is pushed: wait for its copies, flush, replay. */
static gs_time end_of_batch(const struct uvm_gpu *g, gs_time t)
{
	const struct mm_uvm_params *p = g->u->p;

	t = gs_max(t, g->copied);
	if (p->replay_policy == UVM_REPLAY_BATCH_FLUSH)
		t += p->flush;
	return t + p->replay;
}

static void servicer(struct gs_sim *sim, struct gs_event *ev)
{
	struct uvm_gpu *g = gs_container_of(ev, struct uvm_gpu, ev);
	gs_time now = gs_now(sim), t = now;

	if (g->phase == UVM_NOTIFY) {
		uvm_counter_step(g);
		return;
	}
	if (g->phase == UVM_FINISH) {
		finish(g);
		return;
	}
	if (g->phase == UVM_FETCH) {
		t += fetch(g);
		g->phase = UVM_SERVE;
	}
	while (t == now && g->next < g->nentries)
		t = serve(g, &g->entries[g->next++], now);
	if (g->next == g->nentries) {
		g->phase = UVM_FINISH;
		t = end_of_batch(g, t);
	}
	gs_at(sim, ev, t);
}
