/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_g10_room.c - device memory in blocks of pages, first fit from either end
 */
#include <stdlib.h>
#include <string.h>

#include "models/mm_g10.h"

void g10_room_init(struct g10_room *r, u64 pages)
{
	*r = (struct g10_room){ .v = NULL };
	if (pages)
		g10_room_give(r, 0, pages);
}

void g10_room_fini(struct g10_room *r)
{
	free(r->v);
}

static void remove_at(struct g10_room *r, size_t i)
{
	r->n--;
	memmove(r->v + i, r->v + i + 1, (r->n - i) * sizeof(*r->v));
}

u64 g10_room_take(struct g10_room *r, u64 pages, bool high)
{
	for (size_t i = 0; i < r->n; i++) {
		struct g10_block *b = &r->v[high ? r->n - 1 - i : i];
		u64 first;

		if (b->pages < pages)
			continue;
		b->pages -= pages;
		first = b->first + (high ? b->pages : 0);
		b->first += high ? 0 : pages;
		if (!b->pages)
			remove_at(r, (size_t)(b - r->v));
		return first;
	}
	return ~0ULL;
}

void g10_room_give(struct g10_room *r, u64 first, u64 pages)
{
	size_t i = 0;

	while (i < r->n && r->v[i].first < first)
		i++;
	if (i && r->v[i - 1].first + r->v[i - 1].pages == first) {
		i--;
		r->v[i].pages += pages;
	} else {
		GS_PUSH_ROOM(r->v, r->n, r->cap);
		memmove(r->v + i + 1, r->v + i, (r->n++ - i) * sizeof(*r->v));
		r->v[i] = (struct g10_block){ first, pages };
	}
	if (i + 1 < r->n && r->v[i].first + r->v[i].pages == r->v[i + 1].first) {
		r->v[i].pages += r->v[i + 1].pages;
		remove_at(r, i + 1);
	}
}

u64 g10_room_largest(const struct g10_room *r)
{
	u64 most = 0;

	for (size_t i = 0; i < r->n; i++)
		most = gs_max(most, r->v[i].pages);
	return most;
}
