/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_uvm_fault.c - faults of a device: ring, batches, services
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
		g->entries[i].ev.fn = uvm_block_replayed;
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
	rec->since = rec->arrived = gs_now(g->u->mm.sim);
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

/* Up to @room entries of records into the batch; how many. */
static u32 take_records(struct uvm_gpu *g, u32 room)
{
	struct uvm_record *rec;
	u32 raw = 0;

	list_for_each_entry(rec, &g->ring, link) {
		u32 n = gs_min(rec->npending, room - raw);
		struct uvm_entry *e;

		if (!n)
			break;
		if (rec->arrived > g->fetched)
			continue;
		rec->batch = g->batch;
		e = entry_of(g, rec->block);
		raw += n;
		if (n == rec->npending) {
			bits_set(&e->faulted, &rec->pending);
		} else {
			struct gm_bitmap take = bits_lowest(&rec->pending, n);

			bits_set(&e->faulted, &take);
		}
	}
	return raw;
}

/*
 * Take the oldest entries of the ring, coalesce, sort; returns the CPU time.
 * Stale ones came before those that wait; but where they filled a whole batch,
 * the ones left or come since did not.
 */
static gs_time fetch(struct uvm_gpu *g)
{
	const struct mm_uvm_params *p = g->u->p;
	bool passed_over = g->raw && !g->nentries;
	u32 old = passed_over ? 0 : (u32)gs_min(g->stale, p->batch_count), raw, distinct = 0;

	g->batch++;
	g->nentries = g->next = 0;
	g->copied = 0;
	g->throttled = false;
	g->fetched = gs_now(g->u->mm.sim);
	g->batches_in_service++;
	raw = take_records(g, p->batch_count - old);
	if (passed_over)
		old = (u32)gs_min(g->stale, p->batch_count - raw);
	raw += old;
	g->stale -= old;
	for (u32 i = 0; i < g->nentries; i++)
		distinct += bits_count(&g->entries[i].faulted);
	sort_batch(g);
	g->u->stats.batches++;
	g->u->stats.duplicates += raw - distinct;
	g->raw = raw;
	g->repeated = raw - old - distinct;
	return raw * p->fetch + (old + distinct) * p->prep;
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

static void servicer(struct gs_sim *sim, struct gs_event *ev)
{
	struct uvm_gpu *g = gs_container_of(ev, struct uvm_gpu, ev);
	gs_time now = gs_now(sim), t = now;

	if (g->phase == UVM_NOTIFY) {
		uvm_counter_step(g);
		return;
	}
	if (g->phase == UVM_FINISH) {
		uvm_replay(g);
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
		t = uvm_end_of_batch(g, t);
	}
	gs_at(sim, ev, t);
}
