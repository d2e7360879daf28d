// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_stats.c - a row for each counter
 */
#include "gm_map.h"
#include "gm_stats.h"

#define N(f, help) GM_COUNT(struct gm_stats, f, GM_NONE, help)
#define B(f, help) GM_COUNT(struct gm_stats, f, GM_BYTES, help)
#define G(f, help) GM_GAUGE(struct gm_stats, f, GM_NONE, help)
#define ARRAY_ROW(a, i, k, n, h)                                                                \
	{                                                                                       \
		.name = (n), .offset = (u32)(offsetof(struct gm_stats, a) + (i) * sizeof(u64)), \
		.kind = (k), .help = (h),                                                       \
	}
#define MSG(t, n)      ARRAY_ROW(msg, GM_MSG_##t, GM_STAT_COUNT, "msg_" n, "messages " #t)
#define UNITS(s, n, h) ARRAY_ROW(units, GM_##s, GM_STAT_GAUGE, "units_" n, h)

/* clang-format off */
const struct gm_stat gm_stat_rows[] = {
	N(dev_fault_zero, "device faults on units without content"),
	N(dev_fault_fetch, "device faults on units that were on the host"),
	N(dev_fault_resident, "device faults on units that had come in the meantime"),
	N(dev_fault_peer, "device faults on units of another device"),
	N(dev_fault_failed, "device faults answered with an error"),
	N(cpu_fault_zero, "CPU faults on units without content"),
	N(cpu_fault_remap, "CPU faults on units that had been evicted"),
	N(cpu_fault_fetch, "CPU faults on units of a device"),
	N(cpu_fault_resident, "CPU faults on units that had come in the meantime"),
	N(cpu_fault_pinned, "CPU faults refused: pinned on a device"),
	N(cpu_fault_failed, "CPU faults answered with an error"),
	N(fault_joined, "faults on units in flight, that waited with the move"),
	N(fault_retried, "of these: began again, the unit went elsewhere"),
	B(h2d_demand, "to devices for faults"),
	B(h2d_prefetch, "to devices ahead of faults"),
	B(d2h_cpu, "to the host for CPU faults"),
	B(d2h_evict_direct, "to the host for frames that a move waited for"),
	B(d2h_evict_background, "to the host for frames ahead of need"),
	B(d2h_other, "to the host for detach and for moves between devices"),
	B(d2d, "between devices"),
	B(zeroed, "device frames cleared instead of copied"),
	B(discarded, "freed on a device without a copy"),
	B(refetched, "fetched within the thrash window of their eviction"),
	N(evict_direct, "evictions begun for a waiting move"),
	N(evict_background, "evictions begun ahead of need"),
	N(evict_done, "units evicted"),
	N(evict_clean, "of these: without a copy"),
	N(evict_veto, "evictions stopped, the unit is wanted"),
	N(evict_host_nomem, "evictions failed, no host memory"),
	N(evict_dev_error, "evictions failed, message, unmap or copy"),
	N(put_back, "units put back on the evictor after a failed eviction"),
	N(lost_to_policy, "units not put back (openEuler's defect)"),
	N(evict_rounds, "direct evictions' rounds"),
	N(evict_raced, "victims that left by themselves before their turn"),
	N(advised_out, "taken off a device by a prefetch to the host"),
	N(alloc_fail, "moves that got no frame"),
	N(wmark_wakeups, "free frames fell under the low watermark"),
	N(host_copies_dropped, "clean copies given up for host memory"),
	N(frames_imported, "device frames handed to the core"),
	N(prefetch_calls, "ranges asked for ahead"),
	N(prefetch_requested, "units in them"),
	N(prefetch_resident, "of these: there already"),
	N(prefetch_moved, "brought ahead"),
	N(prefetch_useful, "brought ahead and touched"),
	N(prefetch_late, "touched while on their way"),
	N(prefetch_wasted, "brought ahead and left untouched"),
	N(prefetch_dropped, "given up, no frame"),
	N(prefetch_failed, "failed otherwise"),
	N(hints, "resident units marked as recently used"),
	MSG(TASK_PAIRING, "task_pairing"),
	MSG(TASK_EXIT_ORIGIN, "task_exit_origin"),
	MSG(TASK_EXIT_REMOTE, "task_exit_remote"),
	MSG(ALLOC_VMA, "alloc_vma"),
	MSG(FREE_VMA, "free_vma"),
	MSG(ALLOC_PAGE, "alloc_page"),
	MSG(FREE_PAGE, "free_page"),
	MSG(PAGE_FAULT, "page_fault"),
	MSG(EVICT_PAGE, "evict_page"),
	MSG(HMADVISE, "hmadvise"),
	MSG(HMEMCPY, "hmemcpy"),
	MSG(RESPONSE, "response"),
	N(msg_failed, "messages lost or late"),
	G(msg_owed, "requests not answered yet"),
	N(msg_stale, "answers discarded: late, or given twice"),
	N(batches, "groups of several units moved together"),
	N(batched, "units in them"),
	N(moves, "moves begun, units"),
	N(moves_undone, "moves that failed and were undone"),
	N(late_errors, "errors past the point of no return, or of an undo"),
	G(txns_in_use, "moves in progress"),
	N(refaults, "faults on units within the thrash window of their eviction"),
	N(refault_distance, "sum of the evictions in between"),
	G(guarded, "units that thrash damping keeps"),
	N(guards, "times that it began to keep one"),
	UNITS(NOMAP, "nomap", "units without content"),
	UNITS(CPU, "cpu", "units on the host"),
	UNITS(DEVICE, "device", "units on devices"),
	UNITS(TO_DEVICE, "to_device", "units on their way to a device"),
	UNITS(TO_CPU, "to_cpu", "units on their way to the host, or being freed"),
	UNITS(TO_PEER, "to_peer", "units between devices"),
	G(frames_used, "device frames in use"),
	G(frames_peak, "the most so far"),
	G(frames_pinned, "device frames pinned"),
	G(host_copies, "host frames held for units on devices"),
	N(broken_move, "illegal changes of state"),
	N(broken_order, "second moves of a unit in flight"),
	N(broken_pin, "pinned units chosen as victims"),
	N(broken_rounds, "direct eviction went on beyond its bound"),
	N(broken_answer, "moves that ended with a request unanswered"),
	GM_RATIO(struct gm_stats, "refault_distance_mean", refault_distance, refaults,
		 "evictions between a unit's eviction and its refault"),
	GM_RATIO(struct gm_stats, "batch_mean", batched, batches, "units in a group of several"),
	GM_STAT_END
};
/* clang-format on */

GM_STATS_COMPLETE(struct gm_stats, gm_stat_rows, 2);
_Static_assert(GM_NR_STATES == 6, "gm_stats.units");
