// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_evict_clock.c - second chance by a reference bit
 *
 * The head of the queue is where the hand points, its tail the place just
 * behind the hand.  A unit arrives behind the hand with its bit clear; an
 * access or a hint sets the bit.  The hand clears set bits and passes on, and
 * stops at the first clear one.  Each pass undoes one setting, so that a
 * victim costs O(1) amortised over accesses.
 */
#include "gm_policies.h"

#define BIT_USED(m) ((m)->priv[0])

static void clock_insert(struct gm_hnode *n, struct gm_mapping *m)
{
	BIT_USED(m) = 0;
	gm_queue_insert(n, m);
}

static void clock_touch(struct gm_hnode *n, struct gm_mapping *m)
{
	BIT_USED(m) = 1;
}

static struct gm_mapping *clock_victim(struct gm_hnode *n)
{
	struct gm_mapping *m;

	while ((m = gm_queue_head(n)) && BIT_USED(m)) {
		BIT_USED(m) = 0;
		gm_queue_to_tail(n, m);
	}
	return m;
}

const struct gm_evict_ops gm_evict_clock = {
	.name = "clock",
	.help = "second chance: a reference bit per unit, clear on arrival, set by accesses",
	.init = gm_queue_init,
	.fini = gm_queue_fini,
	.insert = clock_insert,
	.touch = clock_touch,
	.hint = clock_touch,
	.remove = gm_queue_remove,
	.victim = clock_victim,
	.count = gm_queue_count,
};
