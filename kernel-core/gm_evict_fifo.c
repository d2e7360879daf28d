// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_evict_fifo.c - GMEM's list: who came first leaves first
 *
 * GMEM keeps a list_lru per node that is never told of device accesses (the
 * hardware does not report them), so it is a FIFO whose only refresh is a
 * prefetch of a unit that is resident already (policy_list_lru.c).
 */
#include "gm_policies.h"

const struct gm_evict_ops gm_evict_fifo = {
	.name = "fifo",
	.help = "GMEM's list: first in, first out; a prefetch of a resident unit refreshes it",
	.init = gm_queue_init,
	.fini = gm_queue_fini,
	.insert = gm_queue_insert,
	.hint = gm_queue_to_tail,
	.remove = gm_queue_remove,
	.victim = gm_queue_head,
	.count = gm_queue_count,
};
