// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_evict_lru.c - the least recently used unit leaves
 *
 * Exact LRU: arrival, each access and each hint make a unit the most recent.
 * No hardware reports accesses so finely; it is here to be compared with.
 */
#include "gm_policies.h"

const struct gm_evict_ops gm_evict_lru = {
	.name = "lru",
	.help = "least recently used, with every device access seen",
	.relinks = true,
	.init = gm_queue_init,
	.fini = gm_queue_fini,
	.insert = gm_queue_insert,
	.touch = gm_queue_to_tail,
	.hint = gm_queue_to_tail,
	.remove = gm_queue_remove,
	.victim = gm_queue_head,
	.count = gm_queue_count,
};
