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

void gmt_like_kernel(struct gmt_like *l, u32 name)
{
	while (l->nlast <= name) {
		GS_PUSH_ROOM(l->last, l->nlast, l->last_cap);
		l->last[l->nlast++] = (struct gmt_like_kernel){ 0 };
	}
	l->name = name;
	l->before = l->last[name];
	l->now = (struct gmt_like_kernel){ .at = l->ntold };
}

void gmt_like_kernel_end(struct gmt_like *l)
{
	l->last[l->name] = l->now;
}

void gmt_like_tell(struct gmt_like *l, u32 tensor)
{
	GS_PUSH_ROOM(l->told, l->ntold, l->told_cap);
	l->told[l->ntold++] = tensor;
	l->now.n++;
}

/* ---- addresses ---------------------------------------------------------- */

struct gmt_size {
	u64 bytes;
	u32 n, cap; /* 0: a free slot */
	u64 *va;    /* the one used last is the last */
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

	if (2 * p->n >= p->nslots)
		grow(p);
	s = slot_of(p, bytes);
	if (!s->cap) {
		GS_PUSH_ROOM(s->va, s->n, s->cap);
		s->bytes = bytes;
		p->n++;
	}
	return s;
}

/* The entry @at goes to the end. */
static void use(struct gmt_size *s, u32 at)
{
	u64 va = s->va[at];

	memmove(s->va + at, s->va + at + 1, (s->n - 1 - at) * sizeof(*s->va));
	s->va[s->n - 1] = va;
}

static void add(struct gmt_size *s, u64 va)
{
	if (s->n == GMT_PLACES) {
		use(s, 0); /* the oldest makes room */
	} else {
		GS_PUSH_ROOM(s->va, s->n, s->cap);
		s->n++;
	}
	s->va[s->n - 1] = va;
}

u32 gmt_place_find(struct gmt_places *p, u64 bytes, u64 va)
{
	struct gmt_size *s = size_of(p, bytes);

	for (u32 i = s->n; i; i--)
		if (s->va[i - 1] == va) {
			u32 place = s->n - (i - 1);

			use(s, i - 1);
			return place;
		}
	add(s, va);
	return 0;
}

bool gmt_place_get(struct gmt_places *p, u64 bytes, u64 place, u64 *va)
{
	struct gmt_size *s = size_of(p, bytes);

	if (!place)
		add(s, *va);
	if (place > s->n)
		return false;
	if (place) {
		use(s, s->n - (u32)place);
		*va = s->va[s->n - 1];
	}
	return true;
}
