/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_stats.h - what the core counts
 *
 * One struct for all devices and spaces of a core; gm_stats.c has a row for
 * each field, in the same order.
 */
#ifndef GM_STATS_H
#define GM_STATS_H

#include "gm_core.h"

struct gm_stats {
	/* faults */
	u64 dev_fault_zero, dev_fault_fetch, dev_fault_resident, dev_fault_peer, dev_fault_failed;
	u64 cpu_fault_zero, cpu_fault_remap, cpu_fault_fetch, cpu_fault_resident;
	u64 cpu_fault_pinned, cpu_fault_failed;
	u64 fault_joined, fault_retried;
	/* traffic, bytes */
	u64 h2d_demand, h2d_prefetch, d2h_cpu, d2h_evict_direct, d2h_evict_background;
	u64 d2h_other, d2d, zeroed, discarded, refetched;
	/* eviction, units */
	u64 evict_direct, evict_background, evict_done, evict_clean;
	u64 evict_veto, evict_host_nomem, evict_dev_error, put_back, lost_to_policy;
	u64 evict_rounds, evict_raced, advised_out, alloc_fail;
	u64 wmark_wakeups, host_copies_dropped, frames_imported;
	/* prefetch, units */
	u64 prefetch_calls, prefetch_requested, prefetch_resident, prefetch_moved;
	u64 prefetch_useful, prefetch_late, prefetch_wasted, prefetch_dropped, prefetch_failed;
	u64 hints;
	/* messages by type, as enum gm_msg */
	u64 msg[GM_NR_MSGS];
	u64 msg_failed, msg_owed, msg_stale;
	u64 batches, batched;
	/* moves */
	u64 moves, moves_undone, late_errors, txns_in_use;
	/* thrashing */
	u64 refaults, refault_distance, guarded, guards;
	/* where units are, and the devices' frames */
	u64 units[6];
	u64 frames_used, frames_peak, frames_pinned, host_copies;
	/* always 0: counted where an invariant would break (gm_check.c) */
	u64 broken_move, broken_order, broken_pin, broken_rounds, broken_answer;
};

#endif
