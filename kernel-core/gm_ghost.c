// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_ghost.c - which units left a short while ago
 *
 *	heads[hash] ─► slot ─► slot		chain
 *	oldest ─► slot ◄─► slot ◄─► slot ◄─ newest	each list
 */
#include "gm_ghost.h"

/* Slots are counted from 1. */
static struct gm_ghost *at(const struct gm_ghosts *g, u32 slot)
{
	return &g->slot[slot - 1];
}

int gm_ghosts_init(struct gm_ghosts *g, u64 max)
{
	u64 heads = 1;

	memset(g, 0, sizeof(*g));
	while (heads < max)
		heads *= 2;
	g->max = max;
	g->mask = heads - 1;
	g->heads = kvcalloc(heads, sizeof(*g->heads), GFP_KERNEL);
	g->slot = kvcalloc(max + 1, sizeof(*g->slot), GFP_KERNEL);
	if (g->heads && g->slot)
		return 0;
	gm_ghosts_fini(g);
	return -ENOMEM;
}

void gm_ghosts_fini(struct gm_ghosts *g)
{
	kvfree(g->heads);
	kvfree(g->slot);
	memset(g, 0, sizeof(*g));
}

static u64 address(const struct gm_hnode *n, const struct gm_mapping *m)
{
	return m->range->va + gm_mapping_index(m) * gm_core_unit(n->core);
}

/* Fibonacci hashing; the low bits of an address are all alike. */
static u32 *head_of(const struct gm_ghosts *g, const struct gm_as *as, u64 va)
{
	u64 h = ((va >> 12) ^ (unsigned long)as) * 0x9e3779b97f4a7c15ULL;

	return &g->heads[(h >> 32) & g->mask];
}

/* What points to the slot of the unit; to 0 where there is none. */
static u32 *link_to(const struct gm_ghosts *g, const struct gm_as *as, u64 va)
{
	u32 *link = head_of(g, as, va);

	while (*link && (at(g, *link)->va != va || at(g, *link)->as != as))
		link = &at(g, *link)->chain;
	return link;
}

u32 gm_ghosts_find(const struct gm_ghosts *g, const struct gm_hnode *n, const struct gm_mapping *m)
{
	u32 slot = *link_to(g, m->range->as, address(n, m));

	return slot ? at(g, slot)->list : 0;
}

static void drop(struct gm_ghosts *g, u32 *link)
{
	u32 slot = *link;
	struct gm_ghost *x = at(g, slot);

	*link = x->chain;
	if (x->older)
		at(g, x->older)->newer = x->newer;
	else
		g->oldest[x->list] = x->newer;
	if (x->newer)
		at(g, x->newer)->older = x->older;
	else
		g->newest[x->list] = x->older;
	g->n[x->list]--;
	x->chain = g->free;
	g->free = slot;
}

u32 gm_ghosts_take(struct gm_ghosts *g, const struct gm_hnode *n, const struct gm_mapping *m)
{
	u32 *link = link_to(g, m->range->as, address(n, m)), list;

	if (!*link)
		return 0;
	list = at(g, *link)->list;
	drop(g, link);
	return list;
}

void gm_ghosts_drop_oldest(struct gm_ghosts *g, u32 list)
{
	const struct gm_ghost *x;

	if (!g->oldest[list])
		return;
	x = at(g, g->oldest[list]);
	drop(g, link_to(g, x->as, x->va));
}

static u32 new_slot(struct gm_ghosts *g)
{
	u32 slot = g->free;

	if (!slot)
		return ++g->fresh;
	g->free = at(g, slot)->chain;
	return slot;
}

void gm_ghosts_add(struct gm_ghosts *g, const struct gm_hnode *n, const struct gm_mapping *m,
		   u32 list)
{
	struct gm_ghost *x;
	u32 *head, slot;

	gm_ghosts_take(g, n, m);
	if (!g->max)
		return;
	if (g->n[1] + g->n[2] >= g->max)
		gm_ghosts_drop_oldest(g, g->n[list] ? list : 3 - list);
	slot = new_slot(g);
	x = at(g, slot);
	x->as = m->range->as;
	x->va = address(n, m);
	x->list = list;
	head = head_of(g, x->as, x->va);
	x->chain = *head;
	*head = slot;
	x->newer = 0;
	x->older = g->newest[list];
	if (x->older)
		at(g, x->older)->newer = slot;
	else
		g->oldest[list] = slot;
	g->newest[list] = slot;
	g->n[list]++;
}
