/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_uvm_replay.c - the end of a batch: flush, replay, who goes on and who faults again
 *
 * A flush drops the entries up to the place that the servicer knows of, which
 * it read when it fetched; with many duplicates in the batch it reads again and
 * drops all (uvm_perf_fault_replay_update_put_ratio).  What is not dropped is
 * fetched at once, and its pages come a second time as duplicates.
 */
#include "models/mm_uvm_extra.h"

/* Nothing that came before the replay is in the buffer after it. */
static bool flushes_all(const struct uvm_gpu *g)
{
	const struct mm_uvm_params *p = g->u->p;

	return p->replay_policy == UVM_REPLAY_BATCH_FLUSH &&
	       g->repeated * 100ULL > (u64)g->raw * p->update_put;
}

static bool stays_in_buffer(const struct uvm_gpu *g, const struct uvm_record *rec)
{
	if (flushes_all(g))
		return false;
	if (g->u->p->replay_policy == UVM_REPLAY_BATCH_FLUSH)
		return rec->arrived > g->fetched;
	return rec->batch != g->batch;
}

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

/*
 * After the last replay of a batch: entries that the servicer has not read are
 * in the buffer still, those of pages that came meanwhile too, and whoever
 * waits faults again beside his own entry.  Of the rest he faults once.
 */
static void note_entries(struct uvm_gpu *g, struct uvm_record *rec, u32 before, u32 left)
{
	if (stays_in_buffer(g, rec)) {
		g->stale += before - left;
		g->echo += left;
		g->at_once |= left > 0;
	} else if (left) {
		rec->arrived = gs_now(g->u->mm.sim) + g->u->p->refault;
	}
}

/* Take from @rec what is accessible; the kernel is told by wake_up(). */
static void settle(struct uvm_gpu *g, struct uvm_record *rec, bool last)
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
	if (last)
		note_entries(g, rec, rec->npending, left);
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
			settle(g, rec, !only);
	return !list_empty(&g->ring);
}

/* Last, because a kernel that goes on may fault at once. */
static void wake_up(struct uvm_gpu *g)
{
	for (size_t i = 0; i < g->nwake; i++)
		mm_resolved(g->wake[i].wait, g->wake[i].units, g->wake[i].end);
	g->nwake = 0;
}

void uvm_block_replayed(struct gs_sim *sim, struct gs_event *ev)
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

/* The next batch @after, unless others have their turn first. */
static void go_on(struct uvm_gpu *g, gs_time after)
{
	const struct mm_uvm_params *p = g->u->p;

	g->throttled_in_service += g->throttled;
	g->phase = UVM_FETCH;
	if (g->batches_in_service >= p->max_batches ||
	    g->throttled_in_service >= p->max_throttles) {
		g->batches_in_service = g->throttled_in_service = 0;
		after = gs_max(after, p->irq);
		if (uvm_counter_pending(g)) {
			g->phase = UVM_IDLE;
			return;
		}
	}
	gs_after(g->u->mm.sim, &g->ev, after);
}

void uvm_replay(struct uvm_gpu *g)
{
	const struct mm_uvm_params *p = g->u->p;
	u32 echo = flushes_all(g) ? 0 : g->echo;

	if (goes_on_without_replay(g)) {
		g->phase = UVM_FETCH;
		gs_after(g->u->mm.sim, &g->ev, 0);
		return;
	}
	g->echo = 0;
	g->at_once = false;
	if (p->replay_policy == UVM_REPLAY_BATCH_FLUSH)
		g->stale = 0; /* what a full batch left of them too */
	g->stale += echo;     /* they came during this batch */
	g->phase = UVM_IDLE;
	if (settle_all(g, NULL)) {
		g->u->stats.refaults++;
		/* an empty buffer waits for the next interrupt */
		go_on(g, g->at_once || g->stale ? 0 : p->irq + p->refault);
	} else if (g->stale) {
		go_on(g, 0);
	}
	if (g->phase == UVM_IDLE && uvm_counter_pending(g))
		uvm_counter_begin(g);
	wake_up(g);
}

gs_time uvm_end_of_batch(const struct uvm_gpu *g, gs_time t)
{
	const struct mm_uvm_params *p = g->u->p;

	t = gs_max(t, g->copied);
	if (p->replay_policy == UVM_REPLAY_BATCH_FLUSH)
		t += p->flush;
	return t + p->replay;
}
