/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_tree.h - the two steps of gm_tree_expand(), for the tree prefetcher
 */
#ifndef GM_TREE_H
#define GM_TREE_H

#include "gm_policy.h"

/*
 * Set in @b each aligned group of @group leaves in [@skip, @npages) that holds
 * a bit of @faulted.  Leaves before @skip do not exist, but nodes count them.
 */
void gm_tree_grow(struct gm_bitmap *b, const struct gm_bitmap *faulted, u32 skip, u32 npages,
		  u32 group);

/*
 * The largest node [*first, *last) above @leaf of which more than @threshold
 * percent are in @b; false if there is none.  [leaf < npages <= GM_TREE_MAX]
 */
bool gm_tree_node(const struct gm_bitmap *b, u32 npages, u32 leaf, u32 threshold, u32 *first,
		  u32 *last);

#endif
