/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ranges.c - a set of addresses that changes: few ranges, in order */
#include "sim/ranges.h"

#include <stdlib.h>
#include <string.h>

void gs_ranges_fini(struct gs_ranges *r)
{
	free(r->v);
	*r = (struct gs_ranges){ 0 };
}

/* The first range that ends behind @va. */
static size_t first_behind(const struct gs_ranges *r, u64 va)
{
	size_t lo = 0, hi = r->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (r->v[mid].end <= va)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

bool gs_ranges_gap(const struct gs_ranges *r, u64 begin, u64 end, struct gs_range *gap)
{
	size_t i = first_behind(r, begin);

	if (i < r->n && r->v[i].begin <= begin)
		begin = r->v[i++].end;
	if (begin >= end)
		return false;
	*gap = (struct gs_range){ begin, i < r->n ? gs_min(end, r->v[i].begin) : end };
	return true;
}

bool gs_ranges_some(const struct gs_ranges *r, u64 begin, u64 end)
{
	size_t i = first_behind(r, begin);

	return i < r->n && r->v[i].begin < end;
}

bool gs_ranges_all(const struct gs_ranges *r, u64 begin, u64 end)
{
	struct gs_range gap;

	return !gs_ranges_gap(r, begin, end, &gap);
}

/* Put @n ranges in the place of [from, to). */
static void replace(struct gs_ranges *r, size_t from, size_t to, const struct gs_range *by,
		    size_t n)
{
	if (r->n == r->cap) /* one more at most */
		GS_PUSH_ROOM(r->v, r->n, r->cap);
	if (to < r->n)
		memmove(r->v + from + n, r->v + to, (r->n - to) * sizeof(*r->v));
	if (n)
		memcpy(r->v + from, by, n * sizeof(*r->v));
	r->n = r->n - (to - from) + n;
}

void gs_ranges_add(struct gs_ranges *r, u64 begin, u64 end)
{
	size_t from = first_behind(r, begin), to;

	if (from && r->v[from - 1].end == begin)
		from--;
	for (to = from; to < r->n && r->v[to].begin <= end; to++)
		;
	if (from < to) {
		begin = gs_min(begin, r->v[from].begin);
		end = gs_max(end, r->v[to - 1].end);
	}
	replace(r, from, to, &(struct gs_range){ begin, end }, 1);
}

void gs_ranges_remove(struct gs_ranges *r, u64 begin, u64 end)
{
	size_t from = first_behind(r, begin), to, n = 0;
	struct gs_range left[2];

	for (to = from; to < r->n && r->v[to].begin < end; to++)
		;
	if (from == to)
		return;
	if (r->v[from].begin < begin)
		left[n++] = (struct gs_range){ r->v[from].begin, begin };
	if (r->v[to - 1].end > end)
		left[n++] = (struct gs_range){ end, r->v[to - 1].end };
	replace(r, from, to, left, n);
}
