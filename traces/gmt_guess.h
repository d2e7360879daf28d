/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gmt_guess.h - what writer and reader of a .gmt frame both expect next
 *
 * The tensors of a kernel lie like those of the last kernel of its name: the
 * next layer's, the next device's.  An address is likely one that a tensor of
 * the same size had.  Both know the frame up to here and nothing before it.
 */
#ifndef TR_GMT_GUESS_H
#define TR_GMT_GUESS_H

#include "sim/base.h"

/* Tensors of kernels, by the reference of the name (0: none). */
struct gmt_like {
	u32 *told; /* all tensors that were told in this frame */
	size_t ntold, told_cap;
	struct gmt_like_kernel {
		size_t at, n;  /* its tensors in told[] */
	} * last, now, before; /* of each name; now: being told; before: that it is like */
	size_t nlast, last_cap;
	u32 name;
};

void gmt_like_clear(struct gmt_like *l);
void gmt_like_fini(struct gmt_like *l);
void gmt_like_kernel(struct gmt_like *l, u32 name, u32 n); /* at most @n tensors follow */

static inline void gmt_like_kernel_end(struct gmt_like *l)
{
	l->last[l->name] = l->now;
}

static inline void gmt_like_tell(struct gmt_like *l, u32 tensor)
{
	l->told[l->ntold++] = tensor;
	l->now.n++;
}

/* The tensor that is likely told next. */
static inline u32 gmt_like_guess(const struct gmt_like *l)
{
	if (l->now.n < l->before.n)
		return l->told[l->before.at + l->now.n];
	return l->ntold ? l->told[l->ntold - 1] : 0;
}

/* Addresses of allocations, by size. */
enum { GMT_PLACES = 64 }; /* that are remembered of each size */

struct gmt_places {
	struct gmt_size *sizes; /* hash table, half full at most */
	u32 nslots, n;
};

void gmt_places_clear(struct gmt_places *p);
void gmt_places_fini(struct gmt_places *p);
/*
 * The place of @va among those of @bytes, from 1, the one used last first; 0: it
 * is new.  It is the first then.
 */
u32 gmt_place_find(struct gmt_places *p, u64 bytes, u64 va);
/* The address at @place, from 1, which is the first then.  false: there is none. */
bool gmt_place_get(struct gmt_places *p, u64 bytes, u64 place, u64 *va);

#endif
