// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_ghost.c - which units left a short while ago
 *
 *	slots   .  b  a  .  .  d  c	open hash: a name stands at its place or
 *	           ▲  ▲────────│──┘	behind it, without a gap in between
 *	           └───────────┘	oldest b, then d; oldest c, then a
 *
 * A name that goes draws those behind it forward, which keeps searches short
 * and the table as small as it can be: 13 of 16 slots may be taken.
 */
#include "gm_ghost.h"

#define FILL_OF	  13
#define FILL_FROM 16

#define SPACE_BITS 11

int gm_ghosts_init(struct gm_ghosts *g, u64 max)
{
	memset(g, 0, sizeof(*g));
	g->max = max;
	g->slots = (u32)div_u64(max * FILL_FROM, FILL_OF) + 1;
	g->slot = kvcalloc(g->slots, sizeof(*g->slot), GFP_KERNEL);
	return g->slot ? 0 : -ENOMEM;
}

void gm_ghosts_fini(struct gm_ghosts *g)
{
	kvfree(g->slot);
	memset(g, 0, sizeof(*g));
}

/* ---- names ---------------------------------------------------------------- */

/*
 * Unit, space and list in one word, which is not 0.  A unit has 4 KiB at least.
 * 2047 spaces later a space has the names of an older one, which was there for
 * a wrong guess at worst.
 */
static u64 name_of(const struct gm_hnode *n, const struct gm_mapping *m)
{
	u64 va = m->range->va + gm_mapping_index(m) * gm_core_unit(n->core);
	u64 space = m->range->as->id % ((1U << SPACE_BITS) - 1) + 1;

	return ((va >> 12) << SPACE_BITS | space) << 1;
}

static bool is_name(u64 a, u64 b)
{
	return !((a ^ b) >> 1);
}

static u32 list_of(const struct gm_ghost *x)
{
	return 1 + (u32)(x->name & 1);
}

/* ---- the table -------------------------------------------------------------- */

/* Fibonacci hashing. */
static u32 place_of(const struct gm_ghosts *g, u64 name)
{
	u64 h = (name >> 1) * 0x9e3779b97f4a7c15ULL;

	return (u32)((h >> 32) * g->slots >> 32);
}

static u32 behind(const struct gm_ghosts *g, u32 i)
{
	return i + 1 == g->slots ? 0 : i + 1;
}

/* From @i forward to @k. */
static u32 distance(const struct gm_ghosts *g, u32 i, u32 k)
{
	return k >= i ? k - i : k + g->slots - i;
}

/* Where @name is, or would be. */
static u32 search(const struct gm_ghosts *g, u64 name)
{
	u32 i = place_of(g, name);

	while (g->slot[i].name && !is_name(g->slot[i].name, name))
		i = behind(g, i);
	return i;
}

/* What points to slot @x from its elder and from its successor. */
static u32 *from_older(struct gm_ghosts *g, const struct gm_ghost *x)
{
	return x->older ? &g->slot[x->older - 1].newer : &g->oldest[list_of(x)];
}

static u32 *from_newer(struct gm_ghosts *g, const struct gm_ghost *x)
{
	return x->newer ? &g->slot[x->newer - 1].older : &g->newest[list_of(x)];
}

static void move(struct gm_ghosts *g, u32 from, u32 to)
{
	const struct gm_ghost *x = &g->slot[from];

	*from_older(g, x) = to + 1;
	*from_newer(g, x) = to + 1;
	g->slot[to] = *x;
}

static void drop(struct gm_ghosts *g, u32 gap)
{
	const struct gm_ghost *x = &g->slot[gap];
	u32 i;

	*from_older(g, x) = x->newer;
	*from_newer(g, x) = x->older;
	g->n[list_of(x)]--;
	for (i = behind(g, gap); g->slot[i].name; i = behind(g, i)) {
		if (distance(g, place_of(g, g->slot[i].name), i) < distance(g, gap, i))
			continue; /* the gap is before its place */
		move(g, i, gap);
		gap = i;
	}
	g->slot[gap].name = 0;
}

/* ---- lists ------------------------------------------------------------------ */

u32 gm_ghosts_find(const struct gm_ghosts *g, const struct gm_hnode *n, const struct gm_mapping *m)
{
	const struct gm_ghost *x = &g->slot[search(g, name_of(n, m))];

	return x->name ? list_of(x) : 0;
}

u32 gm_ghosts_take(struct gm_ghosts *g, const struct gm_hnode *n, const struct gm_mapping *m)
{
	u32 i = search(g, name_of(n, m)), list;

	if (!g->slot[i].name)
		return 0;
	list = list_of(&g->slot[i]);
	drop(g, i);
	return list;
}

void gm_ghosts_drop_oldest(struct gm_ghosts *g, u32 list)
{
	if (g->oldest[list])
		drop(g, g->oldest[list] - 1);
}

void gm_ghosts_add(struct gm_ghosts *g, const struct gm_hnode *n, const struct gm_mapping *m,
		   u32 list)
{
	u64 name = name_of(n, m) | (list - 1);
	u32 i;

	gm_ghosts_take(g, n, m);
	if (!g->max)
		return;
	if (g->n[1] + g->n[2] >= g->max)
		gm_ghosts_drop_oldest(g, g->n[list] ? list : 3 - list);
	i = search(g, name);
	g->slot[i] = (struct gm_ghost){ .name = name, .older = g->newest[list] };
	*from_older(g, &g->slot[i]) = i + 1;
	g->newest[list] = i + 1;
	g->n[list]++;
}
