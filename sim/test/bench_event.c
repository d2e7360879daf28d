/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bench_event.c - the future event list beside simple alternatives, in one run
 *
 * The hold test: n events are pending, and the earliest is taken out and put
 * back a random time later, over and over.  An event stands in an object of 192
 * bytes, as in a stream or a copy, and the objects lie anywhere, because a list
 * that looks into its events pays for their cache lines.  Prints lines
 * "name value unit"; ratios are the alternative's time over the engine's.
 *
 *	engine		what event.c does
 *	heap2 4 8	inline keys, that many children, places kept in the events
 *	pointers2	binary heap of pointers, keys in the events (the textbook)
 *	handles4	inline keys; no places: cancelling leaves a tombstone behind
 *	pairing		pairing heap threaded through the events
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sim/event.h"

typedef unsigned __int128 u128;

/* What each list has in an object; the engine's event stands in the same place. */
struct item {
	union {
		struct gs_event ev;
		struct {
			void (*fn)(struct item *it);
			u32 slot;
			u16 prio;
		};
	};
	u128 key; /* pointers2, pairing */
	struct item *child, *next;
};

struct node {
	u128 key;
	struct item *it;
};

struct handle_node {
	u128 key;
	u32 handle;
};

struct list {
	struct node *heap;
	struct item **pointers;
	struct handle_node *hheap;
	struct item **handles;
	u32 *unused, nunused;
	struct item *root;
	u32 n;
	u64 seq;
};

static u64 random_state;

/* splitmix64 (Steele, Lea, Flood 2014): cheap beside what is measured */
static u64 draw(void)
{
	u64 z = (random_state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static gs_time later(void)
{
	return draw() >> 44;
}

static inline u128 key_of(struct list *l, const struct item *it, gs_time when)
{
	return (u128)when << 64 | (u64)it->prio << 48 | l->seq++;
}

/* ---- heaps with inline keys --------------------------------------------------- */

static inline void put(struct list *l, u32 i, struct node nd)
{
	l->heap[i] = nd;
	nd.it->slot = i + 1;
}

static inline __attribute__((always_inline)) void up(struct list *l, u32 i, struct node nd,
						     u32 arity)
{
	while (i > 0 && nd.key < l->heap[(i - 1) / arity].key) {
		put(l, i, l->heap[(i - 1) / arity]);
		i = (i - 1) / arity;
	}
	put(l, i, nd);
}

static inline __attribute__((always_inline)) void down(struct list *l, struct node nd, u32 arity)
{
	u32 i = 0;

	for (;;) {
		u32 first = i * arity + 1, best = first;
		u32 last = first + arity < l->n ? first + arity : l->n;

		if (first >= l->n)
			break;
		for (u32 c = first + 1; c < last; c++)
			if (l->heap[c].key < l->heap[best].key)
				best = c;
		if (l->heap[best].key >= nd.key)
			break;
		put(l, i, l->heap[best]);
		i = best;
	}
	put(l, i, nd);
}

#define INLINE_HEAP(arity)                                                            \
	static void heap##arity##_push(struct list *l, struct item *it, gs_time when) \
	{                                                                             \
		up(l, l->n, (struct node){ key_of(l, it, when), it }, arity);         \
		l->n++;                                                               \
	}                                                                             \
	static struct item *heap##arity##_pop(struct list *l, gs_time *when)          \
	{                                                                             \
		struct node top = l->heap[0];                                         \
                                                                                      \
		*when = (gs_time)(top.key >> 64);                                     \
		top.it->slot = 0;                                                     \
		if (--l->n)                                                           \
			down(l, l->heap[l->n], arity);                                \
		return top.it;                                                        \
	}
INLINE_HEAP(2)
INLINE_HEAP(4)
INLINE_HEAP(8)

/* ---- a binary heap of pointers -------------------------------------------------- */

static inline void put_pointer(struct list *l, u32 i, struct item *it)
{
	l->pointers[i] = it;
	it->slot = i + 1;
}

static void pointers2_push(struct list *l, struct item *it, gs_time when)
{
	u32 i = l->n++;

	it->key = key_of(l, it, when);
	while (i > 0 && it->key < l->pointers[(i - 1) / 2]->key) {
		put_pointer(l, i, l->pointers[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	put_pointer(l, i, it);
}

static struct item *pointers2_pop(struct list *l, gs_time *when)
{
	struct item *top = l->pointers[0], *it = l->pointers[--l->n];
	u32 i = 0, c;

	*when = (gs_time)(top->key >> 64);
	top->slot = 0;
	if (!l->n)
		return top;
	for (; (c = 2 * i + 1) < l->n; i = c) {
		if (c + 1 < l->n && l->pointers[c + 1]->key < l->pointers[c]->key)
			c++;
		if (l->pointers[c]->key >= it->key)
			break;
		put_pointer(l, i, l->pointers[c]);
	}
	put_pointer(l, i, it);
	return top;
}

/* ---- handles: events do not know their places ------------------------------------ */

static void handles4_push(struct list *l, struct item *it, gs_time when)
{
	struct handle_node nd = { key_of(l, it, when), l->unused[--l->nunused] };
	u32 i = l->n++;

	l->handles[nd.handle] = it;
	it->slot = nd.handle + 1;
	while (i > 0 && nd.key < l->hheap[(i - 1) / 4].key) {
		l->hheap[i] = l->hheap[(i - 1) / 4];
		i = (i - 1) / 4;
	}
	l->hheap[i] = nd;
}

static void handles4_down(struct list *l, struct handle_node nd)
{
	u32 i = 0;

	for (;;) {
		u32 first = i * 4 + 1, best = first;
		u32 last = first + 4 < l->n ? first + 4 : l->n;

		if (first >= l->n)
			break;
		for (u32 c = first + 1; c < last; c++)
			if (l->hheap[c].key < l->hheap[best].key)
				best = c;
		if (l->hheap[best].key >= nd.key)
			break;
		l->hheap[i] = l->hheap[best];
		i = best;
	}
	l->hheap[i] = nd;
}

static struct item *handles4_pop(struct list *l, gs_time *when)
{
	for (;;) {
		struct handle_node top = l->hheap[0];
		struct item *it = l->handles[top.handle];

		l->unused[l->nunused++] = top.handle;
		if (--l->n)
			handles4_down(l, l->hheap[l->n]);
		if (!it)
			continue; /* a tombstone */
		*when = (gs_time)(top.key >> 64);
		it->slot = 0;
		return it;
	}
}

/* ---- a pairing heap ---------------------------------------------------------------- */

static struct item *meld(struct item *a, struct item *b)
{
	struct item *t;

	if (!a || !b)
		return a ? a : b;
	if (b->key < a->key) {
		t = a;
		a = b;
		b = t;
	}
	b->next = a->child;
	a->child = b;
	return a;
}

static void pairing_push(struct list *l, struct item *it, gs_time when)
{
	it->key = key_of(l, it, when);
	it->child = it->next = NULL;
	it->slot = 1;
	l->root = meld(l->root, it);
}

/* Pairs from the left, then all together from the right. */
static struct item *pairing_pop(struct list *l, gs_time *when)
{
	struct item *top = l->root, *pairs = NULL, *rest = NULL, *c = top->child;

	while (c) {
		struct item *a = c, *b = c->next;

		c = b ? b->next : NULL;
		a->next = NULL;
		if (b)
			b->next = NULL;
		a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs) {
		struct item *a = pairs;

		pairs = pairs->next;
		a->next = NULL;
		rest = meld(rest, a);
	}
	l->root = rest;
	*when = (gs_time)(top->key >> 64);
	top->slot = 0;
	return top;
}

/* ---- the hold test -------------------------------------------------------------------- */

/* Of this process: others on the machine cost it cache, but not time on paper. */
static u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

static u64 holds_left;
static gs_time the_time;
static struct list *the_list;
static void (*the_push)(struct list *l, struct item *it, gs_time when);

static void hold(struct item *it)
{
	the_push(the_list, it, the_time + later());
}

static void engine_hold(struct gs_sim *sim, struct gs_event *ev)
{
	gs_after(sim, ev, later());
	if (!--holds_left)
		gs_stop(sim);
}

enum { OBJECT = 192 };

struct contest {
	u32 pending;
	u64 holds;
	char *objects;
	u32 *order; /* objects lie anywhere: a random order of them */
};

static struct item *object(const struct contest *c, u32 i)
{
	return (struct item *)(c->objects + (size_t)c->order[i] * OBJECT);
}

/* The first round is not measured: it brings the list into its usual shape. */
static double engine_ns(const struct contest *c)
{
	struct gs_sim *sim = gs_sim_new(1);
	u64 start, ns;

	random_state = 1;
	for (u32 i = 0; i < c->pending; i++) {
		object(c, i)->ev = (struct gs_event){ .fn = engine_hold };
		gs_at(sim, &object(c, i)->ev, later());
	}
	holds_left = c->holds;
	gs_run(sim);
	holds_left = c->holds;
	start = now_ns();
	gs_run(sim);
	ns = now_ns() - start;
	gs_sim_free(sim);
	return (double)ns / (double)c->holds;
}

struct contestant {
	const char *name;
	void (*push)(struct list *l, struct item *it, gs_time when);
	struct item *(*pop)(struct list *l, gs_time *when);
};

static double list_ns(const struct contest *c, const struct contestant *k)
{
	struct list l = {
		.heap = gs_calloc(c->pending + 1, sizeof(*l.heap)),
		.pointers = gs_calloc(c->pending + 1, sizeof(*l.pointers)),
		.hheap = gs_calloc(c->pending + 1, sizeof(*l.hheap)),
		.handles = gs_calloc(c->pending + 1, sizeof(*l.handles)),
		.unused = gs_calloc(c->pending + 1, sizeof(*l.unused)),
	};
	u64 start = 0;

	random_state = 1;
	the_list = &l;
	the_push = k->push;
	for (u32 i = 0; i <= c->pending; i++)
		l.unused[l.nunused++] = c->pending - i;
	for (u32 i = 0; i < c->pending; i++) {
		memset(object(c, i), 0, sizeof(struct item));
		object(c, i)->fn = hold;
		k->push(&l, object(c, i), later());
	}
	for (u64 i = 0; i < 2 * c->holds; i++) {
		struct item *it = k->pop(&l, &the_time);

		it->fn(it);
		if (i + 1 == c->holds)
			start = now_ns();
	}
	start = now_ns() - start;
	free(l.heap);
	free(l.pointers);
	free(l.hheap);
	free(l.handles);
	free(l.unused);
	return (double)start / (double)c->holds;
}

static const struct contestant contestants[] = {
	{ "heap2", heap2_push, heap2_pop },	     { "heap4", heap4_push, heap4_pop },
	{ "heap8", heap8_push, heap8_pop },	     { "pointers2", pointers2_push, pointers2_pop },
	{ "handles4", handles4_push, handles4_pop }, { "pairing", pairing_push, pairing_pop },
};

enum { NR = GS_ARRAY_SIZE(contestants), ROUNDS = 5 };

static double least(double a, double b)
{
	return a && a < b ? a : b;
}

/* The best of some rounds, taken in turns: a busy machine slows all alike. */
static void compete(const struct contest *c)
{
	double engine = 0, ns[NR] = { 0 };

	for (u32 round = 0; round < ROUNDS; round++) {
		engine = least(engine, engine_ns(c));
		for (u32 i = 0; i < NR; i++)
			ns[i] = least(ns[i], list_ns(c, &contestants[i]));
	}
	printf("event_hold_%u_engine %.1f ns/event\n", c->pending, engine);
	for (u32 i = 0; i < NR; i++) {
		printf("event_hold_%u_%s %.1f ns/event\n", c->pending, contestants[i].name, ns[i]);
		printf("event_hold_%u_%s_over_engine %.2f ratio\n", c->pending, contestants[i].name,
		       ns[i] / engine);
	}
	fflush(stdout);
}

static void shuffle(u32 *order, u32 n)
{
	for (u32 i = 0; i < n; i++)
		order[i] = i;
	for (u32 i = n - 1; i > 0; i--) {
		u32 j = (u32)(draw() % (i + 1)), t = order[i];

		order[i] = order[j];
		order[j] = t;
	}
}

int main(void)
{
	static const u32 pending[] = { 10, 1000, 100000, 1000000 };

	for (size_t i = 0; i < GS_ARRAY_SIZE(pending); i++) {
		struct contest c = { .pending = pending[i] };

		c.holds = gs_max(300000, c.pending);
		c.objects = gs_calloc(c.pending, OBJECT);
		c.order = gs_calloc(c.pending, sizeof(*c.order));
		shuffle(c.order, c.pending);
		compete(&c);
		free(c.objects);
		free(c.order);
	}
	return 0;
}
