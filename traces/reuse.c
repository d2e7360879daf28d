/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reuse.c - reuse distances in bytes, exact */
#include "traces/reuse.h"

#include <stdlib.h>
#include <string.h>

enum { FEW = 4096 }; /* times that the tree holds at least */

/* What was touched at one time, and since in no part. */
struct piece {
	u64 off, end;
	size_t time;
};

struct tr_reuse_object {
	struct piece *p; /* in order of addresses, without overlap */
	size_t n, cap;
};

void tr_reuse_init(struct tr_reuse *r, const u64 *sizes, u64 *misses, u32 nsizes)
{
	*r = (struct tr_reuse){ .sizes = sizes, .misses = misses, .nsizes = nsizes };
	memset(misses, 0, nsizes * sizeof(*misses));
}

void tr_reuse_fini(struct tr_reuse *r)
{
	for (size_t i = 0; i < r->nobjects; i++)
		free(r->objects[i].p);
	free(r->objects);
	free(r->tree);
}

/* ---- the tree ----------------------------------------------------------- */

/*
 * A leaf: the depth now and the greatest since it was set.  Above: what is to be
 * added to all leaves below, and the most that sum was on its way.
 */
struct tr_depth {
	s64 now, most;
};

static void hand_down(const struct tr_depth *from, struct tr_depth *to)
{
	s64 most = to->now + from->most;

	to->most = to->most > most ? to->most : most;
	to->now += from->now;
}

static void push(struct tr_reuse *r, size_t node)
{
	struct tr_depth *d = &r->tree[node];

	if (!d->now && !d->most)
		return;
	hand_down(d, &r->tree[2 * node]);
	hand_down(d, &r->tree[2 * node + 1]);
	*d = (struct tr_depth){ 0, 0 };
}

/* The leaf of @time, nothing pending above it. */
static struct tr_depth *leaf(struct tr_reuse *r, size_t time)
{
	size_t at = r->slots + time;

	for (u32 level = (u32)__builtin_ctzll(r->slots); level; level--)
		push(r, at >> level);
	return &r->tree[at];
}

/* @bytes more lie above what was touched last at @time or before. */
static void add(struct tr_reuse *r, size_t time, s64 bytes)
{
	const struct tr_depth more = { bytes, bytes > 0 ? bytes : 0 };
	size_t at = r->slots + time;

	leaf(r, time);
	hand_down(&more, &r->tree[at]);
	for (; at > 1; at /= 2)
		if (at & 1)
			hand_down(&more, &r->tree[at - 1]);
}

static int by_time(const void *a, const void *b)
{
	size_t x = (*(struct piece *const *)a)->time, y = (*(struct piece *const *)b)->time;

	return x < y ? -1 : x > y;
}

/* The times are used up: those that still stand for something move together. */
static void renumber(struct tr_reuse *r)
{
	struct piece **all = gs_calloc(r->npieces + 1, sizeof(*all));
	struct tr_depth *depths = gs_calloc(r->npieces + 1, sizeof(*depths));
	size_t n = 0, times = 0, last = 0;

	for (size_t i = 0; i < r->nobjects; i++)
		for (size_t k = 0; k < r->objects[i].n; k++)
			all[n++] = &r->objects[i].p[k];
	qsort(all, n, sizeof(*all), by_time);
	for (size_t i = 0; i < n; i++) {
		if (!i || all[i]->time != last)
			depths[times++] = *leaf(r, all[i]->time);
		last = all[i]->time;
		all[i]->time = times - 1;
	}
	free(r->tree);
	for (r->slots = FEW; r->slots < 4 * times;)
		r->slots *= 2;
	r->tree = gs_calloc(2 * r->slots, sizeof(*r->tree));
	memcpy(r->tree + r->slots, depths, times * sizeof(*depths));
	r->now = times;
	free(depths);
	free(all);
}

/* ---- touches ------------------------------------------------------------ */

void tr_reuse_count(struct tr_reuse *r, u64 bytes, u64 distance)
{
	r->again[gs_min((u64)fls64(distance), TR_REUSE_BUCKETS - 1)] += bytes;
	for (u32 i = 0; i < r->nsizes && r->sizes[i] < distance; i++)
		r->misses[i] += bytes;
}

static struct tr_reuse_object *object_at(struct tr_reuse *r, size_t object)
{
	while (r->nobjects <= object) {
		GS_PUSH_ROOM(r->objects, r->nobjects, r->objects_cap);
		r->objects[r->nobjects++] = (struct tr_reuse_object){ 0 };
	}
	return &r->objects[object];
}

/* The first piece of @o that ends behind @off. */
static size_t piece_behind(const struct tr_reuse_object *o, u64 off)
{
	size_t lo = 0, hi = o->n;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (o->p[mid].end > off)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/* Count what of the pieces [i, j) lies in [off, end), and take it out; how many bytes. */
static u64 take_out(struct tr_reuse *r, const struct tr_reuse_object *o, size_t i, size_t j,
		    u64 off, u64 end)
{
	u64 known = 0;

	for (size_t k = i; k < j; k++)
		tr_reuse_count(r, gs_min(o->p[k].end, end) - gs_max(o->p[k].off, off),
			       (u64)leaf(r, o->p[k].time)->most);
	for (; i < j; i++) {
		u64 bytes = gs_min(o->p[i].end, end) - gs_max(o->p[i].off, off);

		add(r, o->p[i].time, -(s64)bytes);
		known += bytes;
	}
	return known;
}

/* Pieces [i, j) of @o give way to @k in @by. */
static void replace(struct tr_reuse *r, struct tr_reuse_object *o, size_t i, size_t j,
		    const struct piece *by, size_t k)
{
	for (size_t m = 0; m < k; m++) /* room, whatever goes */
		GS_PUSH_ROOM(o->p, o->n + m, o->cap);
	memmove(o->p + i + k, o->p + j, (o->n - j) * sizeof(*by));
	memcpy(o->p + i, by, k * sizeof(*by));
	o->n += k - (j - i);
	r->npieces += k - (j - i);
}

void tr_reuse_touch(struct tr_reuse *r, size_t object, u64 off, u64 end)
{
	struct tr_reuse_object *o = object_at(r, object);
	struct piece by[3];
	size_t i, j, k = 0;

	if (r->now == r->slots)
		renumber(r);
	i = piece_behind(o, off);
	for (j = i; j < o->n && o->p[j].off < end;)
		j++;
	r->first += end - off - take_out(r, o, i, j, off, end);
	if (i < j && o->p[i].off < off)
		by[k++] = (struct piece){ o->p[i].off, off, o->p[i].time };
	by[k++] = (struct piece){ off, end, r->now };
	if (i < j && o->p[j - 1].end > end)
		by[k++] = (struct piece){ end, o->p[j - 1].end, o->p[j - 1].time };
	*leaf(r, r->now) = (struct tr_depth){ 0, 0 };
	add(r, r->now++, (s64)(end - off));
	replace(r, o, i, j, by, k);
}

void tr_reuse_drop(struct tr_reuse *r, size_t object)
{
	struct tr_reuse_object *o;

	if (object >= r->nobjects)
		return;
	o = &r->objects[object];
	for (size_t i = 0; i < o->n; i++)
		add(r, o->p[i].time, -(s64)(o->p[i].end - o->p[i].off));
	r->npieces -= o->n;
	free(o->p);
	*o = (struct tr_reuse_object){ 0 };
}
