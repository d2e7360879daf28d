/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * event.c - the future event list: a heap with the keys beside the pointers
 *
 * The whole key (when, prio, order of scheduling) stands in the heap's array,
 * so that sifting compares without a look into the events, which lie
 * anywhere.  Each event knows its place, which makes cancelling a sift from
 * there.  Four children a node, chosen among without a branch, are the fastest
 * of what bench_event.c compares up to some thousand events, which is where a
 * simulation lives.
 */
#include "sim/event.h"

#include <stdlib.h>

enum {
	ARITY = 4,
	SEQ_BITS = 48,
	CACHED = 8192, /* nodes that the second-level cache surely holds */
	CACHE_LINE = 64
};

struct node {
	gs_time when;
	u64 order; /* prio above, sequence number in the low SEQ_BITS */
	struct gs_event *ev;
};

struct gs_sim {
	gs_time now;
	struct node *heap;
	size_t n, cap;
	u64 seq;
	u64 fired;
	u64 seed;
	bool running, stopped;
};

struct gs_sim *gs_sim_new(u64 seed)
{
	struct gs_sim *sim = gs_calloc(1, sizeof(*sim));

	sim->seed = seed;
	return sim;
}

/* Pending events are their owners'; some of them may be gone already. */
void gs_sim_free(struct gs_sim *sim)
{
	if (!sim)
		return;
	free(sim->heap);
	free(sim);
}

gs_time gs_now(const struct gs_sim *sim)
{
	return sim->now;
}

u64 gs_seed(const struct gs_sim *sim)
{
	return sim->seed;
}

u64 gs_fired(const struct gs_sim *sim)
{
	return sim->fired;
}

/* One number of 128 bits: no branch on a tie of times. */
static inline unsigned __int128 key(u64 when, u64 order)
{
	return (unsigned __int128)when << 64 | order;
}

static inline bool before(const struct node *a, const struct node *b)
{
	return key(a->when, a->order) < key(b->when, b->order);
}

static inline void place(struct gs_sim *sim, size_t i, const struct node *nd)
{
	sim->heap[i] = *nd;
	nd->ev->slot = (u32)(i + 1);
}

/*
 * Put @nd into the hole at @i, or above it.  Inline, so that a new node stays in
 * registers: written to the stack in parts and read back as a whole it would wait
 * for the event's cache line, which may be far away.
 */
static inline __attribute__((always_inline)) void sift_up(struct gs_sim *sim, size_t i,
							  struct node nd)
{
	while (i > 0) {
		size_t parent = (i - 1) / ARITY;

		if (!before(&nd, &sim->heap[parent]))
			break;
		place(sim, i, &sim->heap[parent]);
		i = parent;
	}
	place(sim, i, &nd);
}

/*
 * The earliest of the children from @first on.  Which one it is cannot be
 * predicted, so the choice is arithmetic and not a branch.
 */
static inline size_t earliest(const struct node *heap, size_t first, size_t last)
{
	u64 when = heap[first].when, order = heap[first].order;
	size_t best = first;

	for (size_t c = first + 1; c < last; c++) {
		u64 w = heap[c].when, o = heap[c].order;
		u64 less = 0 - (u64)(key(w, o) < key(when, order)); /* all bits or none */

		when ^= (when ^ w) & less;
		order ^= (order ^ o) & less;
		best ^= (best ^ c) & less;
	}
	return best;
}

/*
 * Without branches there is no speculation either: a large heap waits for memory
 * at each level unless the children of all children are asked for beforehand.
 */
static inline void fetch_grandchildren(const struct gs_sim *sim, size_t first)
{
	size_t grand = first * ARITY + 1;
	size_t end = gs_min(grand + ARITY * ARITY, sim->n);

	if (sim->n <= CACHED)
		return;
	for (size_t i = grand; i < end; i += CACHE_LINE / sizeof(struct node))
		__builtin_prefetch(&sim->heap[i]);
}

/* Put @nd into the hole at @i, or below it. */
static void sift_down(struct gs_sim *sim, size_t i, struct node nd)
{
	for (;;) {
		size_t first = i * ARITY + 1, best;

		fetch_grandchildren(sim, first);
		if (first + ARITY <= sim->n) /* a count known beforehand: unrolled */
			best = earliest(sim->heap, first, first + ARITY);
		else if (first < sim->n)
			best = earliest(sim->heap, first, sim->n);
		else
			break;
		if (!before(&sim->heap[best], &nd))
			break;
		place(sim, i, &sim->heap[best]);
		i = best;
	}
	place(sim, i, &nd);
}

void gs_at(struct gs_sim *sim, struct gs_event *ev, gs_time when)
{
	struct node nd = { .when = when, .ev = ev };

	gs_assert(ev->fn);
	gs_assert(!gs_queued(ev));
	gs_assert(when >= sim->now); /* the past cannot be changed */
	gs_assert(when != GS_NEVER);
	gs_assert(sim->seq >> SEQ_BITS == 0 && sim->n < U32_MAX);
	nd.order = (u64)ev->prio << SEQ_BITS | sim->seq++;
	GS_PUSH_ROOM(sim->heap, sim->n, sim->cap);
	sift_up(sim, sim->n++, nd);
}

void gs_after(struct gs_sim *sim, struct gs_event *ev, gs_time delay)
{
	gs_assert(delay < GS_NEVER - sim->now);
	gs_at(sim, ev, sim->now + delay);
}

/* Take out what stands at @i: the last node fills the hole. */
static void take(struct gs_sim *sim, size_t i)
{
	struct node last = sim->heap[--sim->n];

	sim->heap[i].ev->slot = 0;
	if (i == sim->n)
		return;
	if (i > 0 && before(&last, &sim->heap[(i - 1) / ARITY]))
		sift_up(sim, i, last);
	else
		sift_down(sim, i, last);
}

void gs_cancel(struct gs_sim *sim, struct gs_event *ev)
{
	if (!gs_queued(ev))
		return;
	gs_assert(ev->slot <= sim->n && sim->heap[ev->slot - 1].ev == ev);
	take(sim, ev->slot - 1);
}

gs_time gs_next_time(const struct gs_sim *sim)
{
	return sim->n ? sim->heap[0].when : GS_NEVER;
}

void gs_advance(struct gs_sim *sim, gs_time when)
{
	gs_assert(when >= sim->now);
	gs_assert(when <= gs_next_time(sim) && when != GS_NEVER);
	sim->now = when;
}

void gs_run(struct gs_sim *sim)
{
	gs_assert(!sim->running); /* not from inside a handler */
	sim->running = true;
	sim->stopped = false;
	gs_clock = &sim->now;
	while (sim->n && !sim->stopped) {
		struct gs_event *ev = sim->heap[0].ev;

		sim->now = sim->heap[0].when;
		take(sim, 0);
		sim->fired++;
		ev->fn(sim, ev);
	}
	gs_clock = NULL;
	sim->running = false;
}

void gs_stop(struct gs_sim *sim)
{
	sim->stopped = true;
}
