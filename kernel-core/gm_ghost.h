/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_ghost.h - which units left a short while ago
 *
 * For evictors that learn from their mistakes: the names (space, address) of
 * units that are gone, on up to two lists in order of leaving, found by a hash.
 * All memory is allocated at the start, everything is O(1).  A name says
 * nothing of the unit's life: it may be unmapped by now, which does no harm.
 */
#ifndef GM_GHOST_H
#define GM_GHOST_H

#include "gm_map.h"

#define GM_GHOST_LISTS 2

struct gm_ghost {
	u64 name;	  /* 0: an empty slot */
	u32 older, newer; /* slot + 1, 0: none */
};

struct gm_ghosts {
	u64 max;
	u64 n[GM_GHOST_LISTS + 1]; /* on list 1, 2 */
	u32 oldest[GM_GHOST_LISTS + 1], newest[GM_GHOST_LISTS + 1];
	u32 slots;
	struct gm_ghost *slot;
};

/* Room for @max names.  0 or -ENOMEM. */
int gm_ghosts_init(struct gm_ghosts *g, u64 max);
void gm_ghosts_fini(struct gm_ghosts *g); /* zeroes are accepted */
/* The list that the unit is on, 0: none. */
u32 gm_ghosts_find(const struct gm_ghosts *g, const struct gm_hnode *n, const struct gm_mapping *m);
/* The same, and it is on none then. */
u32 gm_ghosts_take(struct gm_ghosts *g, const struct gm_hnode *n, const struct gm_mapping *m);
/* The newest of @list now; when there is no room the oldest of a list goes. */
void gm_ghosts_add(struct gm_ghosts *g, const struct gm_hnode *n, const struct gm_mapping *m,
		   u32 list);
void gm_ghosts_drop_oldest(struct gm_ghosts *g, u32 list);

#endif
