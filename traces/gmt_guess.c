/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gmt_guess.c - what writer and reader of a .gmt frame both expect next */
#include "traces/gmt_guess.h"

#include <stdlib.h>
#include <string.h>

/* ---- tensors of kernels ------------------------------------------------- */

void gmt_like_clear(struct gmt_like *l)
{
	l->ntold = l->nlast = 0;
	l->now = l->before = (struct gmt_like_kernel){ 0 };
}

void gmt_like_fini(struct gmt_like *l)
{
	free(l->told);
	free(l->last);
}

void gmt_like_kernel(struct gmt_like *l, u32 name, u32 n)
{
	if (l->told_cap - l->ntold < n) {
		l->told_cap = gs_max(l->ntold + n, 2 * l->told_cap);
		l->told = gs_realloc_array(l->told, l->told_cap, sizeof(*l->told));
	}
	while (l->nlast <= name) {
		GS_PUSH_ROOM(l->last, l->nlast, l->last_cap);
		l->last[l->nlast++] = (struct gmt_like_kernel){ 0 };
	}
	l->name = name;
	l->before = l->last[name];
	l->now = (struct gmt_like_kernel){ .at = l->ntold };
}

/* ---- addresses ---------------------------------------------------------- */

/* Addresses va[first ...], the one used last is the last. */
struct gmt_size {
	u64 bytes;
	u32 first, n, cap; /* cap 0: a free slot */
	u64 *va;
};

void gmt_places_clear(struct gmt_places *p)
{
	for (u32 i = 0; i < p->nslots; i++)
		free(p->sizes[i].va);
	if (p->sizes)
		memset(p->sizes, 0, p->nslots * sizeof(*p->sizes));
	p->n = 0;
}

void gmt_places_fini(struct gmt_places *p)
{
	gmt_places_clear(p);
	free(p->sizes);
}

static struct gmt_size *slot_of(const struct gmt_places *p, u64 bytes)
{
	u64 i = bytes * 0x9e3779b97f4a7c15ULL >> 32 & (p->nslots - 1);

	while (p->sizes[i].cap && p->sizes[i].bytes != bytes)
		i = (i + 1) & (p->nslots - 1);
	return &p->sizes[i];
}

static void grow(struct gmt_places *p)
{
	struct gmt_places old = *p;

	p->nslots = old.nslots ? 2 * old.nslots : 64;
	p->sizes = gs_calloc(p->nslots, sizeof(*p->sizes));
	for (u32 i = 0; i < old.nslots; i++)
		if (old.sizes[i].cap)
			*slot_of(p, old.sizes[i].bytes) = old.sizes[i];
	free(old.sizes);
}

static struct gmt_size *size_of(struct gmt_places *p, u64 bytes)
{
	struct gmt_size *s;

	if (!p->nslots)
		grow(p);
	s = slot_of(p, bytes);
	if (s->cap)
		return s;
	if (2 * ++p->n > p->nslots) {
		grow(p);
		s = slot_of(p, bytes);
	}
	*s = (struct gmt_size){ .bytes = bytes };
	GS_PUSH_ROOM(s->va, s->n, s->cap);
	return s;
}

/* Entry @i goes, counted from the one used longest ago. */
static void drop(struct gmt_size *s, u32 i)
{
	u64 *va = s->va + s->first;

	if (i)
		memmove(va + i, va + i + 1, (s->n - 1 - i) * sizeof(*va));
	else
		s->first++;
	s->n--;
}

/* Room is made seldom: so often the entry used longest ago is the one to go. */
static void append(struct gmt_size *s, u64 va)
{
	if (s->first + s->n == s->cap && s->first >= GMT_PLACES) {
		memmove(s->va, s->va + s->first, s->n * sizeof(*s->va));
		s->first = 0;
	} else {
		GS_PUSH_ROOM(s->va, s->first + s->n, s->cap);
	}
	s->va[s->first + s->n++] = va;
}

static void add(struct gmt_size *s, u64 va)
{
	if (s->n == GMT_PLACES)
		drop(s, 0);
	append(s, va);
}

u32 gmt_place_find(struct gmt_places *p, u64 bytes, u64 va)
{
	struct gmt_size *s = size_of(p, bytes);
	u32 i = s->n;

	while (i && s->va[s->first + i - 1] != va)
		i--;
	if (!i) {
		add(s, va);
		return 0;
	}
	i = s->n + 1 - i;
	drop(s, s->n - i);
	append(s, va);
	return i;
}

bool gmt_place_get(struct gmt_places *p, u64 bytes, u64 place, u64 *va)
{
	struct gmt_size *s = size_of(p, bytes);
	u32 i = s->n - (u32)place;

	if (!place) {
		add(s, *va);
		return true;
	}
	if (place > s->n)
		return false;
	*va = s->va[s->first + i];
	drop(s, i);
	append(s, *va);
	return true;
}
