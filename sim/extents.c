/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * extents.c - the union of many address ranges, rounded outward to units
 *
 * Ranges are collected as they come and merged by a sort when the array is
 * full, so that memory follows the number of separate ranges, not of records.
 */
#include <stdlib.h>

#include "sim/replay_impl.h"

struct extent {
	u64 begin, end;
};

struct gs_extents {
	u64 unit;
	struct extent *v;
	size_t n, cap, settled;
};

struct gs_extents *gs_extents_new(u64 unit)
{
	struct gs_extents *x = gs_calloc(1, sizeof(*x));

	x->unit = unit;
	return x;
}

void gs_extents_free(struct gs_extents *x)
{
	if (!x)
		return;
	free(x->v);
	free(x);
}

static int by_begin(const void *a, const void *b)
{
	const struct extent *x = a, *y = b;

	return x->begin < y->begin ? -1 : x->begin > y->begin;
}

void gs_extents_settle(struct gs_extents *x)
{
	size_t out = 0;

	if (!x->n)
		return;
	qsort(x->v, x->n, sizeof(*x->v), by_begin);
	for (size_t i = 1; i < x->n; i++) {
		if (x->v[i].begin > x->v[out].end)
			x->v[++out] = x->v[i];
		else
			x->v[out].end = gs_max(x->v[out].end, x->v[i].end);
	}
	x->n = x->settled = out + 1;
}

void gs_extents_add(struct gs_extents *x, u64 va, u64 bytes)
{
	struct extent e = { va / x->unit * x->unit,
			    (va + bytes + x->unit - 1) / x->unit * x->unit };

	if (!bytes)
		return;
	if (x->n && x->v[x->n - 1].begin <= e.begin && e.end <= x->v[x->n - 1].end)
		return;
	/* merge before growing, unless merging has stopped helping */
	if (x->n == x->cap && x->n > 1024 && x->settled < x->n / 2)
		gs_extents_settle(x);
	GS_PUSH_ROOM(x->v, x->n, x->cap);
	x->v[x->n++] = e;
}

size_t gs_extents_count(const struct gs_extents *x)
{
	return x->n;
}

void gs_extents_get(const struct gs_extents *x, size_t i, u64 *va, u64 *bytes)
{
	*va = x->v[i].begin;
	*bytes = x->v[i].end - x->v[i].begin;
}

u64 gs_extents_bytes(const struct gs_extents *x)
{
	u64 sum = 0;

	for (size_t i = 0; i < x->n; i++)
		sum += x->v[i].end - x->v[i].begin;
	return sum;
}
