/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * replay_kernel.c - one running kernel against the memory manager
 *
 * The operands' bytes are spread over the duration in order, each in
 * proportion to its weight.  The kernel touches as far as the next pending
 * event allows in one question, since until then nobody else changes anything:
 *
 *      start                                     start + duration
 *        |--- operand 0 ----|-- operand 1 --|--- operand 2 ---|
 *             ^ at           ^ next event: ask for [at, here)
 *
 * Absent units go on record and the kernel goes on, until the window of
 * outstanding units is full.  A stall moves `start`, so that what follows is
 * later by as much.  At its end a kernel waits for all that it missed.
 */
#include "sim/replay_impl.h"

static void step(struct gs_sim *sim, struct gs_event *ev);

/* When the byte at run->at of the current operand is due. */
static gs_time due(const struct kernel_run *run, const struct item *it)
{
	const struct operand *o = &it->operands[run->operand];
	u64 weight = run->done_weight + gs_muldiv(o->weight, run->at, o->bytes);

	return run->start + gs_muldiv(it->duration, weight, run->total_weight);
}

/* Bytes of the current operand that are due before @when. */
static u64 bytes_before(const struct kernel_run *run, const struct item *it, gs_time when)
{
	const struct operand *o = &it->operands[run->operand];
	u64 weight;

	if (when == GS_NEVER || when - run->start >= it->duration)
		return o->bytes;
	weight = gs_muldiv(when - run->start, run->total_weight, it->duration);
	return weight > run->done_weight ? gs_muldiv(weight - run->done_weight, o->bytes, o->weight)
					 : 0;
}

/* How far to ask: to the next event, a unit at least, and whole units, so that
 * none is asked for twice.  min is asked about each touch by itself. */
static u64 ask_until(const struct replay *r, const struct kernel_run *run, const struct item *it)
{
	const struct operand *o = &it->operands[run->operand];
	u64 end = r->future ? 0 : bytes_before(run, it, gs_next_time(r->sim));

	end = o->va + gs_max(end, run->at + 1);
	return gs_min((end + r->unit - 1) / r->unit * r->unit - o->va, o->bytes);
}

/* All bits of the result depend on all of @z (the finalizer of SplitMix64). */
static u64 mix(u64 z)
{
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* A permutation of [0, n) from four Feistel rounds over its even bit length. */
static u64 permute(u64 x, u64 n, u64 key)
{
	u32 half = 1;

	while (half < 32 && 1ULL << (2 * half) < n)
		half++;
	do { /* walk the cycle until inside */
		u64 left = x >> half, right = x & ((1ULL << half) - 1);

		for (u32 i = 0; i < 4; i++) {
			u64 f = mix(key + ((u64)i << 40) + right);
			u64 next = left ^ (f & ((1ULL << half) - 1));

			left = right;
			right = next;
		}
		x = left << half | right;
	} while (x >= n);
	return x;
}

/*
 * The unit visited as the k-th: offsets are counted from the unit boundary at
 * or below the operand's address.
 */
static u64 kth_unit(const struct operand *o, u64 k, u64 n, u64 unit, u64 key)
{
	u64 stride, rows;

	if (o->pattern == GS_RANDOM)
		return permute(k, n, key);
	stride = gs_max(1, o->stride / unit);
	rows = n / stride; /* full rows; the rest follows in order */
	return k < rows * stride ? k % rows * stride + k / rows : k;
}

/* What to ask next: the bytes at run->at, in the operand's order. */
static void question(const struct kernel_run *run, const struct item *it, u64 end, u64 unit,
		     struct mm_touch *t)
{
	const struct operand *o = &it->operands[run->operand];
	u64 base, n, u, from, to;

	t->va = o->va + run->at;
	t->bytes = end - run->at;
	if (o->pattern == GS_SEQUENTIAL)
		return;
	base = o->va / unit * unit;
	n = (o->va + o->bytes - base + unit - 1) / unit;
	u = kth_unit(o, (o->va + run->at - base) / unit, n, unit, run->perm_key);
	from = gs_max(base + u * unit, o->va);
	to = gs_min(base + (u + 1) * unit, o->va + o->bytes);
	t->va = from;
	t->bytes = to - from;
}

/* Prefetch by advice what the next kernels of the stream touch. */
static void hint_ahead(struct stream *s)
{
	struct replay *r = s->r;
	u32 left = r->a->workload->hint_depth;

	for (u32 i = 1; i < s->count && left; i++) {
		struct item *it = stream_at(s, i);

		if (it->type != ITEM_KERNEL)
			continue;
		left--;
		if (it->hinted)
			continue;
		it->hinted = true;
		for (u32 k = 0; k < it->noperands; k++)
			mm_advise(r->mm, it->device, GS_ADV_PREFETCH, it->operands[k].va,
				  it->operands[k].bytes, NULL);
	}
}

static void finish(struct stream *s)
{
	struct replay *r = s->r;
	struct item *it = stream_head(s);

	if (r->mm)
		mm_kernel_end(r->mm, s->device, it->seq);
	book_kernel(r, it);
	stream_finish(s);
}

/* The kernel cannot go on: wait for the manager. */
static void stall(struct stream *s)
{
	s->run.stalled = true;
	s->run.stalled_at = gs_now(s->r->sim);
}

static void resolved(struct mm_wait *w, u32 units, const gs_time end[MM_NR_PHASES])
{
	struct kernel_run *run = gs_container_of(w, struct kernel_run, wait);
	struct stream *s = gs_container_of(run, struct stream, run);
	struct replay *r = s->r;
	gs_time now = gs_now(r->sim);

	gs_assert(units <= run->outstanding);
	run->outstanding -= units;
	if (!run->stalled ||
	    (run->ending ? run->outstanding > 0 : run->outstanding >= r->a->fault_window))
		return;
	run->stalled = false;
	book_stall(r, stream_head(s), run->last_tensor, run->stalled_at, now, end);
	run->start += now - run->stalled_at;
	gs_at(r->sim, &run->ev, now);
}

static void answered(struct stream *s, struct item *it, const struct mm_touch *t)
{
	struct kernel_run *run = &s->run;
	struct replay *r = s->r;
	struct operand *o = &it->operands[run->operand];
	u64 units = (t->va % r->unit + t->covered + r->unit - 1) / r->unit;
	struct tensor *tensor = o->tensor < r->job->ntensors ? &r->tensors[o->tensor] : NULL;

	gs_assert(t->covered > 0 && t->covered <= t->bytes);
	r->unit_touches += units;
	if (tensor)
		tensor->touches += units;
	if (t->kind == MM_REMOTE) {
		gs_time end[MM_NR_PHASES] = { 0 };

		end[MM_LINK] = end[MM_FINISH] = gs_now(r->sim) + t->cost;
		book_stall(r, it, o->tensor, gs_now(r->sim), gs_now(r->sim) + t->cost, end);
		run->start += t->cost;
	} else if (t->kind == MM_MISS) {
		run->outstanding += t->units;
		run->last_tensor = o->tensor;
		book_misses(r, it, o->tensor, units);
	}
	run->at += t->covered;
	if (run->at < o->bytes)
		return;
	run->at = 0;
	run->done_weight += o->weight;
	run->operand++;
}

/* Touch until something has to be waited for.  True: all is touched. */
static bool touch_on(struct stream *s)
{
	struct kernel_run *run = &s->run;
	struct replay *r = s->r;

	for (;;) {
		struct item *it = stream_head(s);
		struct mm_touch t = { .device = s->device, .wait = &run->wait };

		if (run->outstanding >= r->a->fault_window) {
			stall(s);
			return false;
		}
		if (run->operand == it->noperands)
			return true;
		if (!stream_reach(s, due(run, it)))
			return false;
		question(run, it, ask_until(r, run, it), r->unit, &t);
		t.access = it->operands[run->operand].access;
		t.window = r->a->fault_window - run->outstanding;
		mm_touch(r->mm, &t);
		answered(s, it, &t);
	}
}

static void step(struct gs_sim *sim, struct gs_event *ev)
{
	struct kernel_run *run = gs_container_of(ev, struct kernel_run, ev);
	struct stream *s = gs_container_of(run, struct stream, run);
	struct item *it = stream_head(s);

	(void)sim;
	if (s->r->mm && !touch_on(s))
		return;
	if (!stream_reach(s, run->start + it->duration))
		return;
	if (run->outstanding) {
		run->ending = true;
		stall(s);
		return;
	}
	finish(s);
}

static void over(struct gs_sim *sim, struct gs_event *ev)
{
	struct kernel_run *run = gs_container_of(ev, struct kernel_run, ev);
	struct stream *s = gs_container_of(run, struct stream, run);
	struct item *it = stream_head(s);
	gs_time ideal = run->start + it->duration, end[MM_NR_PHASES] = { 0 };

	end[MM_LINK] = gs_now(sim);
	if (gs_now(sim) > ideal)
		book_stall(s->r, it, ~0U, ideal, gs_now(sim), end);
	finish(s);
}

/* The manager models whole kernels: it says when this one ends. */
static void run_whole(struct stream *s)
{
	struct kernel_run *run = &s->run;
	struct item *it = stream_head(s);
	gs_time end = mm_run(s->r->mm, it->nth, run->start, it->duration);

	run->ev.fn = over;
	if (end != GS_NEVER)
		gs_at(s->r->sim, &run->ev, end);
}

void kernel_start(struct stream *s)
{
	struct kernel_run *run = &s->run;
	struct replay *r = s->r;
	struct item *it = stream_head(s);

	*run = (struct kernel_run){ .ev.fn = step, .wait.resolved = resolved };
	run->wait.device = s->device;
	run->start = gs_now(r->sim) + r->a->launch_ps;
	run->perm_key = gs_hash(&it->seq, sizeof(it->seq), gs_seed(r->sim));
	for (u32 i = 0; i < it->noperands; i++)
		run->total_weight += it->operands[i].weight;
	if (r->future && !r->mm)
		for (u32 i = 0; i < it->noperands; i++)
			book_uses(r, it, &it->operands[i]);
	if (r->mm) {
		mm_kernel_begin(r->mm, s->device, it->seq);
		if (r->a->workload->hints)
			hint_ahead(s);
	}
	if (r->mm && r->mm->ops->run)
		run_whole(s);
	else
		gs_at(r->sim, &run->ev, run->start);
}
