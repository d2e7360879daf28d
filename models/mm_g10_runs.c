/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_g10_runs.c - pages in runs, and the order of their arrival
 *
 * A tensor's pages are a list of runs of equal state, in order of address.
 * Pages on the device that nobody has queued are in a heap by their arrival,
 * so that "the oldest" is a run, not a page: its front leaves, however long.
 */
#include <stdlib.h>

#include "models/mm_g10.h"

/* ---- arrivals --------------------------------------------------------------- */

/* Let the run's first @i pages go from the description of its arrivals. */
static void skip(struct g10_run *run, u64 i)
{
	u64 group;

	if (!run->per || i < run->left) {
		run->arrival += i;
		run->left -= run->per ? (u32)i : 0;
		return;
	}
	group = run->arrival + run->left - run->per; /* where the first one began */
	i -= run->left;
	run->arrival = group + run->stride * (1 + i / run->per) + i % run->per;
	run->left = run->per - (u32)(i % run->per);
}

u64 g10_arrival(const struct g10_run *run, u64 i)
{
	struct g10_run copy = *run;

	skip(&copy, i);
	return copy.arrival;
}

/* Can @pages in groups of @per go on where @run ends?  Then say so in it. */
static bool continues(struct g10_run *run, u64 arrival, u32 pages, u32 per, u64 stride)
{
	struct g10_run end = *run;
	bool one = !per || pages <= per;

	skip(&end, run->pages);
	if (!run->per) {
		if (one || per == stride)
			if (end.arrival == arrival)
				return true;
		if (one ? pages > run->pages
			: per != run->pages || stride != arrival - run->arrival)
			return false;
		/* two groups make a pattern */
		run->stride = arrival - run->arrival;
		run->per = run->left = run->pages;
		return true;
	}
	if (end.arrival != arrival)
		return false;
	if (one)
		return pages <= end.left;
	return end.left == run->per && per == run->per && stride == run->stride;
}

/* ---- heaps ----------------------------------------------------------------------- */

static void place(struct g10_runs *r, struct g10_heap *h, u32 slot, u32 id)
{
	h->v[slot] = id;
	r->v[id].slot = slot;
}

static void sift_up(struct g10_runs *r, struct g10_heap *h, u32 slot)
{
	u32 id = h->v[slot];

	while (slot && r->v[id].arrival < r->v[h->v[(slot - 1) / 2]].arrival) {
		place(r, h, slot, h->v[(slot - 1) / 2]);
		slot = (slot - 1) / 2;
	}
	place(r, h, slot, id);
}

static void sift_down(struct g10_runs *r, struct g10_heap *h, u32 slot)
{
	u32 id = h->v[slot];

	for (;;) {
		u32 child = 2 * slot + 1;

		if (child >= h->n)
			break;
		if (child + 1 < h->n && r->v[h->v[child + 1]].arrival < r->v[h->v[child]].arrival)
			child++;
		if (r->v[id].arrival < r->v[h->v[child]].arrival)
			break;
		place(r, h, slot, h->v[child]);
		slot = child;
	}
	place(r, h, slot, id);
}

void g10_heap_in(struct g10_runs *r, u32 id)
{
	struct g10_run *run = &r->v[id];
	u8 which = r->sets[run->tensor].window;
	struct g10_heap *h = &r->heaps[which];

	gs_assert(!run->heap && run->loc == G10_GPU && !run->queue);
	GS_PUSH_ROOM(h->v, h->n, h->cap);
	run->heap = which + 1;
	h->v[h->n] = id;
	sift_up(r, h, (u32)h->n++);
}

void g10_heap_out(struct g10_runs *r, u32 id)
{
	struct g10_run *run = &r->v[id];
	struct g10_heap *h;
	u32 slot = run->slot, last;

	if (!run->heap)
		return;
	h = &r->heaps[run->heap - 1];
	run->heap = 0;
	last = h->v[--h->n];
	if (last == id)
		return;
	place(r, h, slot, last);
	sift_up(r, h, slot);
	sift_down(r, h, r->v[last].slot);
}

static void aged(struct g10_runs *r, u32 id)
{
	struct g10_run *run = &r->v[id];

	if (run->heap)
		sift_down(r, &r->heaps[run->heap - 1], run->slot);
}

u32 g10_oldest(const struct g10_runs *r, bool spare_window, u32 *pages)
{
	const struct g10_heap *h = r->heaps;
	const struct g10_run *run;
	u32 id = h[0].n ? h[0].v[0] : 0;

	if (!spare_window && h[1].n && (!id || r->v[h[1].v[0]].arrival < r->v[id].arrival))
		id = h[1].v[0];
	if (!id)
		return 0;
	run = &r->v[id];
	*pages = run->per ? (u32)gs_min(run->left, run->pages) : run->pages;
	return id;
}

u64 g10_newest(const struct g10_runs *r)
{
	u64 newest = 0;

	for (int w = 0; w < 2; w++)
		for (size_t i = 0; i < r->heaps[w].n; i++) {
			const struct g10_run *run = &r->v[r->heaps[w].v[i]];

			newest = gs_max(newest, g10_arrival(run, run->pages - 1));
		}
	return newest;
}

/* ---- lists --------------------------------------------------------------------------- */

static u32 new_run(struct g10_runs *r)
{
	u32 id = r->free;

	if (id) {
		r->free = r->v[id].next;
	} else {
		GS_PUSH_ROOM(r->v, r->n, r->cap);
		id = r->n++;
	}
	r->v[id] = (struct g10_run){ .tensor = 0 };
	return id;
}

/* Put a new run behind @id: the last pages of it, from the @keep-th on. */
static u32 split(struct g10_runs *r, u32 id, u32 keep)
{
	u32 tail = new_run(r);
	struct g10_run *run = &r->v[id], *t = &r->v[tail];

	*t = *run;
	t->heap = 0;
	t->first += keep;
	t->pages -= keep;
	t->prev = id;
	if (run->loc == G10_GPU)
		skip(t, keep);
	run->pages = keep;
	run->next = tail;
	if (t->next)
		r->v[t->next].prev = tail;
	if (run->heap)
		g10_heap_in(r, tail);
	return tail;
}

/* @id swallows the run behind it. */
static void join(struct g10_runs *r, u32 id)
{
	struct g10_run *run = &r->v[id];
	u32 gone = run->next;

	g10_heap_out(r, gone);
	run->pages += r->v[gone].pages;
	run->next = r->v[gone].next;
	if (run->next)
		r->v[run->next].prev = id;
	r->v[gone] = (struct g10_run){ .next = r->free };
	r->free = gone;
}

static bool holds(const struct g10_run *run, u32 tensor, u32 page)
{
	return run->tensor == tensor && run->first <= page && page < run->first + run->pages;
}

u32 g10_find(const struct g10_runs *r, u32 tensor, u32 page, u32 hint)
{
	u32 id = hint;

	if (holds(&r->v[id], tensor, page))
		return id;
	for (id = r->sets[tensor].head; !holds(&r->v[id], tensor, page); id = r->v[id].next)
		;
	return id;
}

u32 g10_cut(struct g10_runs *r, u32 id, u32 first)
{
	return r->v[id].first < first ? split(r, id, first - r->v[id].first) : id;
}

static bool alike(const struct g10_run *a, const struct g10_run *b)
{
	/* when they came matters on the device, but for those about to leave */
	return a->loc == b->loc && a->queue == b->queue && (a->loc != G10_GPU || a->queue);
}

static void account(struct g10_page_set *set, const struct g10_run *run, int sign)
{
	if (run->loc == G10_GPU && !run->queue)
		set->here += (u32)sign * run->pages;
	if (run->queue)
		set->queued += (u32)sign * run->pages;
}

/* The first @pages of @id go to the run before it; it gets them as its last. */
static void shift(struct g10_runs *r, u32 id, u32 pages)
{
	struct g10_run *run = &r->v[id], *prev = &r->v[run->prev];
	struct g10_page_set *set = &r->sets[run->tensor];

	gs_assert(pages <= run->pages);
	if (pages == run->pages) {
		account(set, run, -1);
		account(set, prev, -1);
		join(r, run->prev);
		account(set, prev, 1);
		return;
	}
	account(set, run, -1);
	account(set, prev, -1);
	prev->pages += pages;
	run->first += pages;
	run->pages -= pages;
	account(set, prev, 1);
	account(set, run, 1);
	if (run->loc == G10_GPU)
		skip(run, pages);
	aged(r, id);
}

/* A run of its own, in no heap, from the first @pages of @id. */
static u32 front_of(struct g10_runs *r, u32 id, u32 pages)
{
	u32 front;

	gs_assert(pages <= r->v[id].pages);
	if (r->v[id].pages == pages) {
		g10_heap_out(r, id);
		return id;
	}
	front = new_run(r);
	r->v[front] = r->v[id];
	r->v[front].heap = 0;
	r->v[front].pages = 0;
	r->v[front].next = id;
	r->v[id].prev = front;
	if (r->v[front].prev)
		r->v[r->v[front].prev].next = front;
	else
		r->sets[r->v[id].tensor].head = front;
	shift(r, id, pages);
	return front;
}

u32 g10_become(struct g10_runs *r, u32 id, u32 pages, u8 loc, u8 queue)
{
	struct g10_run *run = &r->v[id], *prev = &r->v[run->prev];
	struct g10_page_set *set = &r->sets[run->tensor];

	gs_assert(loc != G10_GPU || queue);
	if (run->prev && prev->loc == loc && prev->queue == queue) {
		u32 to = run->prev;

		shift(r, id, pages);
		if (r->v[to].next && alike(&r->v[to], &r->v[r->v[to].next]))
			join(r, to);
		return to;
	}
	id = front_of(r, id, pages);
	run = &r->v[id];
	account(set, run, -1);
	run->loc = loc;
	run->queue = queue;
	account(set, run, 1);
	if (run->next && alike(run, &r->v[run->next]))
		join(r, id);
	return id;
}

void g10_arrive(struct g10_runs *r, u32 id, u32 pages, u64 arrival, u32 per, u64 stride)
{
	struct g10_run *run = &r->v[id], *prev = &r->v[run->prev];
	struct g10_page_set *set = &r->sets[run->tensor];

	if (run->prev && prev->loc == G10_GPU && !prev->queue &&
	    continues(prev, arrival, pages, per, stride)) {
		shift(r, id, pages);
		return;
	}
	id = front_of(r, id, pages);
	run = &r->v[id];
	account(set, run, -1);
	run->loc = G10_GPU;
	run->queue = G10_Q_NONE;
	account(set, run, 1);
	run->arrival = arrival;
	run->stride = stride;
	run->per = per == stride || per >= pages ? 0 : per;
	run->left = run->per;
	g10_heap_in(r, id);
}

void g10_renew(struct g10_runs *r, u32 tensor)
{
	for (u32 id = r->sets[tensor].head; id; id = r->v[id].next) {
		struct g10_run *run = &r->v[id];

		if (run->loc != G10_GPU || run->queue)
			continue;
		run->arrival = r->arrivals;
		run->per = run->left = 0;
		r->arrivals += run->pages;
		aged(r, id);
	}
}

void g10_set_window(struct g10_runs *r, u32 tensor, bool window)
{
	struct g10_page_set *set = &r->sets[tensor];

	if (set->window == window)
		return;
	set->window = window;
	for (u32 id = set->head; id; id = r->v[id].next) {
		if (!r->v[id].heap)
			continue;
		g10_heap_out(r, id);
		g10_heap_in(r, id);
	}
}

/* ---- begin and end ------------------------------------------------------------------- */

void g10_runs_init(struct g10_runs *r, const struct g10_net *n)
{
	*r = (struct g10_runs){ .net = n };
	new_run(r); /* none */
	r->sets = gs_calloc(gs_max(n->ntensors, 1), sizeof(*r->sets));
	for (u32 t = 0; t < n->ntensors; t++) {
		struct g10_page_set *set = &r->sets[t];

		set->pages = (u32)(n->tensors[t].bytes / G10_PAGE);
		if (!set->pages)
			continue;
		set->head = new_run(r);
		r->v[set->head].tensor = t;
		r->v[set->head].pages = set->pages;
		r->v[set->head].loc = n->tensors[t].global ? G10_SSD : G10_NOWHERE;
	}
}

void g10_runs_fini(struct g10_runs *r)
{
	free(r->v);
	free(r->sets);
	free(r->heaps[0].v);
	free(r->heaps[1].v);
}

void g10_runs_check(const struct g10_runs *r)
{
	for (u32 t = 0; t < r->net->ntensors; t++) {
		const struct g10_page_set *set = &r->sets[t];
		u32 page = 0, here = 0, queued = 0;

		for (u32 id = set->head; id; id = r->v[id].next) {
			const struct g10_run *run = &r->v[id];

			gs_assert(run->tensor == t && run->first == page && run->pages);
			gs_assert(!run->heap == (run->loc != G10_GPU || run->queue));
			page += run->pages;
			here += run->heap ? run->pages : 0;
			queued += run->queue ? run->pages : 0;
		}
		gs_assert(page == set->pages && here == set->here && queued == set->queued);
	}
}
