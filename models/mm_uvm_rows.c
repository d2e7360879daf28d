/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_uvm_rows.c - parameters and statistics of the UVM manager
 *
 * Keys are the driver's module parameters without "uvm_" where there is one.
 * Times: SC21 is Allen & Ge, SC'21 (Titan V, driver 460); ARIADNE is HPCA'26.
 * Both give shares and orders of magnitude, so most numbers are guesses that
 * were set to meet what was measured as a whole:
 *
 *   an isolated fault                  25 us (10 to 50 us are published)
 *   a stream of first touches         7.0 GB/s } element-wise kernels on an A100,
 *   ... of what the CPU has written   2.5 GB/s } G10's fault traces: 5 to 8, 2 to 3
 */
#include "models/mm_uvm.h"

static const char *const replay_names[] = { "block", "batch", "batch_flush", "once", NULL };

#define P struct mm_uvm_params
#define COST(field, key, def, help, src) \
	GM_P_U64(P, field, "cost." key, GM_PS, def, 0, GS_S, help, src)

const struct gm_param mm_uvm_rows[] = {
	GM_P_U32(P, batch_count, "perf_fault_batch_count", GM_NONE, "256", 1, 65536,
		 "Ring entries fetched at once", "uvm_gpu_replayable_faults.c"),
	GM_P_U32(P, max_batches, "perf_fault_max_batches_per_service", GM_NONE, "20", 1, U32_MAX,
		 "Batches before the servicer gives way", "uvm_gpu_replayable_faults.c"),
	GM_P_ENUM(P, replay_policy, "perf_fault_replay_policy", replay_names, "batch_flush",
		  "When stalled accesses are tried again", "uvm_gpu_replayable_faults.c: 2"),
	GM_P_U32(P, update_put, "perf_fault_replay_update_put_ratio", GM_PERCENT, "50 %", 0, 100,
		 "Duplicates in a batch above which the flush drops all that came since",
		 "uvm_gpu_replayable_faults.c"),
	GM_P_BOOL(P, prefetch, "perf_prefetch_enable", "true", "Density-tree prefetch",
		  "uvm_perf_prefetch.c"),
	GM_P_U32(P, prefetch_threshold, "perf_prefetch_threshold", GM_PERCENT, "51 %", 1, 100,
		 "Density above which a subtree is fetched whole", "uvm_perf_prefetch.c"),
	GM_P_BOOL(P, cpu_chunk_huge, "cpu_chunk_huge", "true",
		  "Evicted blocks get one host page of 2 MiB, not 512 of 4 KiB",
		  "uvm_cpu_chunk_allocation_sizes: all"),
	GM_P_U32(P, prefetch_min_faults, "perf_prefetch_min_faults", GM_NONE, "1", 1, 20,
		 "Faulted pages of a block before the tree is asked", "uvm_perf_prefetch.c"),

	GM_P_U32(P, max_throttles, "perf_fault_max_throttle_per_service", GM_NONE, "5", 1, U32_MAX,
		 "Batches with throttled pages before the servicer gives way",
		 "uvm_gpu_replayable_faults.c"),

	GM_P_BOOL(P, coherent, "coherent_link", "false",
		  "The CPU maps memory of devices (NVLink-C2C)", "PCIe: it cannot"),
	GM_P_BOOL(P, ats, "ats_mode", "false",
		  "Device and CPU reach each other's pages without a fault: malloc() on GH200",
		  "uvm_ats_mode: 1, where the system has it; managed memory does not"),
	GM_P_BOOL(P, peer_access, "peer_access", "true", "Devices map each other's memory",
		  "guess: NVLink, or peer-to-peer on"),
	GM_P_U32(P, far_rate, "remote_rate", GM_PERCENT, "70 %", 1, 100,
		 "Of the link's rate, when a kernel reads memory in place", "guess: 60 to 80 %"),
	GM_P_BOOL(P, map_on_eviction, "perf_map_remote_on_eviction", "true",
		  "With access counters: evicted pages stay mapped, in the host's memory",
		  "uvm_va_block.c"),
	GM_P_BOOL(P, access_counters, "perf_access_counter_migration_enable", "false",
		  "What a device often accesses from afar is brought to it",
		  "uvm_gpu_access_counters.c: -1, on for ATS (GH200), else off"),
	GM_P_U32(P, counter_threshold, "perf_access_counter_threshold", GM_NONE, "256", 1, 65535,
		 "Accesses to 2 MiB from afar before a notification", "uvm_gpu_access_counters.c"),
	GM_P_U32(P, counter_batch, "perf_access_counter_batch_count", GM_NONE, "256", 1, 65536,
		 "Notifications served at once", "uvm_gpu_access_counters.c"),
	GM_P_U32(P, counter_line, "access_counter_line", GM_BYTES, "128 B", 1, 4096,
		 "Bytes that count as one access", "guess: a cache line of the device"),

	GM_P_BOOL(P, thrashing, "perf_thrashing_enable", "true",
		  "Find pages that processors fight for; throttle, then pin",
		  "uvm_perf_thrashing.c"),
	GM_P_U32(P, threshold, "perf_thrashing_threshold", GM_NONE, "3", 1, 7,
		 "Events in a row that make a page thrash", "uvm_perf_thrashing.c"),
	GM_P_U32(P, pin_threshold, "perf_thrashing_pin_threshold", GM_NONE, "10", 1, 255,
		 "Throttlings before it is pinned", "uvm_perf_thrashing.c"),
	GM_P_U64(P, lapse, "perf_thrashing_lapse", GM_PS, "500 us", 5 * GS_US, 500 * GS_MS,
		 "Two events are in a row if not further apart",
		 "uvm_perf_thrashing.c: uvm_perf_thrashing_lapse_usec"),
	GM_P_BOOL(P, lapse_grows, "thrashing_lapse_grows", "true",
		  "A lapse left at its default adjusts itself, which makes it grow to 500 ms",
		  "uvm_perf_thrashing.c, release 595: signed votes meet an unsigned bound"),
	GM_P_U32(P, lapse_votes, "perf_lapse_vote_threshold", GM_NONE, "32", 1, 500,
		 "Votes that adjust the lapse", "uvm_perf_thrashing.c"),
	GM_P_U32(P, nap, "perf_thrashing_nap", GM_NONE, "1", 1, 100, "Throttled so many lapses",
		 "uvm_perf_thrashing.c"),
	GM_P_U32(P, epoch, "perf_thrashing_epoch", GM_NONE, "2000", 1, 100000,
		 "Lapses of quiet after which a block begins anew", "uvm_perf_thrashing.c"),
	GM_P_U32(P, max_resets, "perf_thrashing_max_resets", GM_NONE, "4", 0, U32_MAX,
		 "... at most so often", "uvm_perf_thrashing.c"),
	GM_P_U32(P, pin, "perf_thrashing_pin", GM_NONE, "300", 0, 100000,
		 "Pinned so many lapses; 0: for ever", "uvm_perf_thrashing.c"),

	COST(irq, "irq", "5 us", "Fault to servicer", "guess: 3 to 10 us"),
	COST(fetch, "fetch", "100 ns", "An entry out of the ring", "guess: reads behind BAR0"),
	COST(prep, "prep", "400 ns", "A distinct page: sort, look up",
	     "guess: a stream of first touches then runs at 7 GB/s (see above)"),
	COST(block, "block", "4 us", "Begin a block's service: locks, masks, policy", "guess"),
	COST(chunk, "chunk", "8 us", "Take a chunk: allocator, page tables",
	     "guess: makes an isolated fault 25 us; ARIADNE: populate takes tens of us"),
	COST(push, "push", "1.5 us", "A command to a copy engine", "guess: 1 to 2 us"),
	COST(pte, "pte", "2 us", "PTE writes of a block", "guess: one push"),
	COST(unmap, "cpu_unmap", "8 us", "Unmap a block from the CPU: fixed part",
	     "guess: SC21 calls unmap_mapping_range() large"),
	COST(unmap_page, "cpu_unmap_page", "40 ns", "... and a page", "guess"),
	COST(dma_page, "dma_map_page", "50 ns", "Map a host page for DMA, once",
	     "guess: SC21, up to 64 % of a batch at first touches"),
	COST(copy_page, "copy_page", "780 ns",
	     "Copy engine, for each 4 KiB host page that the CPU had faulted in",
	     "UVMSmart's fit for 24 GB/s links: 4.34 GB/s at 4 KiB"),
	COST(warm_up, "warm_up", "0 s", "Until servicing from the host is at full speed",
	     "guess: nothing in a job that runs on; a new process: see uvm-a100.yaml"),
	GM_P_U32(P, cold_pct, "cost.cold", GM_PERCENT, "0 %", 0, 100000,
		 "... and how much longer it takes at first",
		 "guess: nothing in a job that runs on; a new process: see uvm-a100.yaml"),
	COST(alloc_failed, "alloc_failed", "5 us", "Find that no chunk is free", "guess"),
	COST(evict, "evict", "3 us", "Unmap a chunk from a device, with TLB invalidate",
	     "guess: a push, and 1 to 3 us for the invalidate"),
	COST(flush, "flush", "1 us", "Drop what is left in the ring", "guess: one register"),
	COST(replay, "replay", "4 us", "Replay and refill of the uTLBs", "guess: 2 to 5 us"),
	COST(refault, "refault", "1 us", "Replayed access to its next fault", "guess: page walk"),
	COST(cpu_fault, "cpu_fault", "15 us", "CPU fault on a block of a device, without the copy",
	     "guess: 10 to 20 us"),
	COST(cpu_map, "cpu_map", "1 us", "Map a block for the CPU", "guess"),
	GM_P_END
};

#define S struct mm_uvm_stats

const struct gm_stat mm_uvm_stat_rows[] = {
	GM_COUNT(S, batches, GM_NONE, "Fault batches"),
	GM_COUNT(S, services, GM_NONE, "Blocks served, for faults or calls"),
	GM_COUNT(S, already_there, GM_NONE, "Blocks of a batch that needed nothing"),
	GM_COUNT(S, refaults, GM_NONE, "Replays that left somebody waiting"),
	GM_COUNT(S, duplicates, GM_NONE,
		 "Ring entries of pages that others asked for, or that came"),
	GM_COUNT(S, tree_pages, GM_NONE, "Pages that the density tree added"),
	GM_COUNT(S, chunk_allocs, GM_NONE, "Chunks taken"),
	GM_COUNT(S, restarts, GM_NONE, "Services that began again after an eviction"),
	GM_COUNT(S, cpu_unmaps, GM_NONE, "Blocks unmapped from the CPU"),
	GM_COUNT(S, dma_maps, GM_NONE, "Blocks mapped for DMA"),
	GM_COUNT(S, api_blocks, GM_NONE, "Blocks moved by prefetch calls"),
	GM_COUNT(S, notifications, GM_NONE, "Notifications of access counters"),
	GM_COUNT(S, far_pages, GM_NONE, "Pages that devices mapped where they were"),
	GM_COUNT(S, far_bytes, GM_BYTES, "Read and written there by devices"),
	GM_COUNT(S, copied_pages, GM_NONE, "Copies made of read-mostly pages"),
	GM_COUNT(S, collapsed_pages, GM_NONE, "... dropped for a write, or to make an end"),
	GM_COUNT(S, thrashing_pages, GM_NONE, "Times that a page was found to thrash"),
	GM_COUNT(S, throttles, GM_NONE, "Faults that had to wait because of it"),
	GM_COUNT(S, pinned_pages, GM_NONE, "Pages pinned because of it"),
	GM_COUNT(S, unpinned_pages, GM_NONE, "... whose time was over"),
	GM_GAUGE(S, host_bytes, GM_BYTES, "Host memory held"),
	GM_STAT_END
};
GM_STATS_COMPLETE(S, mm_uvm_stat_rows, 0);
