/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_g10_rows.c - parameters and statistics of the systems of the G10 paper
 *
 * "artifact" is the program published with G10, MICRO'23 (platformxlab/G10,
 * commit de2c8c6), with the configurations that it ships.  Device and host
 * memory and the link are those of the machine: device.hbm, host.dram, link.
 *
 * Switches that default to what the artifact does, and are so in its published
 * numbers, say "as published"; the other position is what one would expect.
 */
#include "models/mm_g10.h"

static const char *const policies[] = { "base-uvm", "deepum",	"g10", "flashneuron",
					"g10-gds",  "g10-host", NULL };

#define P			     struct g10_params
#define PAPER			     "artifact: all configurations"
#define QUIRK(field, key, def, help) GM_P_BOOL(P, field, "quirk." key, def, help, "as published")

const struct gm_param g10_rows[] = {
	GM_P_ENUM(P, policy, "policy", policies, "g10",
		  "base-uvm, deepum, g10 by pages; flashneuron, g10-gds, g10-host by tensors",
		  "the paper's own"),
	GM_P_U64(P, clock_hz, "clock_hz", GM_NONE, "1200000000", 1000000, 1000000000000ULL,
		 "Cycles a second, in which its times are counted and cut", PAPER),
	GM_P_U32(P, batch_pages, "batch_pages", GM_NONE, "50", 1, 4096,
		 "Pages that the link moves each way in a tick, at least", PAPER),
	GM_P_U32(P, degree, "prefetch_degree", GM_NONE, "8", 1, 4096,
		 "deepum: kernels ahead of which operands are fetched", PAPER),
	GM_P_REAL(P, alloc_us_per_byte, "alloc_us_per_byte", GM_NONE, "8.14e-7", 0, 1,
		  "Time to allocate a byte of device memory, us", PAPER),
	GM_P_U64(P, system_latency, "system_latency", GM_PS, "45 us", 0, GS_S,
		 "A far fault; for the planner and for the rate of SSD faults", PAPER),
	GM_P_U64(P, ssd_latency, "ssd.latency", GM_PS, "20 us", 0, GS_S, "The SSD's; likewise",
		 PAPER),
	GM_P_U64(P, ssd_bps, "ssd.bandwidth", GM_BPS, "3.2 GB/s", 1000000, 1000000000000000ULL,
		 "The SSD's, each way", "artifact: all but the sweep over it"),
	GM_P_REAL(P, fill, "plan.fill", GM_NONE, "0.99", 0, 1,
		  "Share of device memory that a plan may use", "artifact: scheduling_prefetch"),
	GM_P_REAL(P, loosen, "plan.loosen", GM_NONE, "1", 0, 100, "... times this",
		  "artifact: 1; other values for single workloads in its code"),
	GM_P_REAL(P, delta, "plan.delta", GM_NONE, "0.5", 0, 100,
		  "Slack of a transfer, as a share of its time", PAPER),
	GM_P_REAL(P, variation, "variation", GM_NONE, "0", 0, 1,
		  "Kernel times vary by up to this share, which no plan knows",
		  "artifact: 0, up to 0.25 in one figure"),
	GM_P_U64(P, variation_seed, "variation_seed", GM_NONE, "5489", 1, U32_MAX,
		 "... drawn with the Mersenne twister from this seed",
		 "artifact: the generator's default"),
	GM_P_U64(P, gds_memory, "gds_memory", GM_BYTES, "160 GiB", 4096, U64_MAX,
		 "g10-gds, g10-host: what their memory manager hands out",
		 "artifact: four times the device, since only the plan keeps the limit"),
	QUIRK(whole_seconds, "whole_seconds", "true",
	      "Measured times lose all below a second, so that most faults run at link rate"),
	QUIRK(measured, "measured_rates", "true", "Fault rates come from the measured times"),
	QUIRK(faults_cost, "fault_time", "true", "Faults add time to a kernel"),
	QUIRK(charge_alloc, "charge_allocation", "true",
	      "New pages are charged as if they had crossed the link"),
	QUIRK(overlap, "overlap", "true", "A kernel runs while its own faults are served"),
	QUIRK(keep_dead, "keep_dead", "true",
	      "base-uvm, g10: dead victims are copied like all others"),
	QUIRK(drop_dead, "drop_dead", "true", "deepum: dead victims go without a copy"),
	QUIRK(true_lru, "true_lru", "false",
	      "Victims by last use; else, though it is called LRU, by arrival"),
	QUIRK(first_twice, "first_tensor_twice", "true",
	      "The plan counts the first tensor twice and never frees it"),
	QUIRK(hints_until_fit, "hints_until_fit", "true",
	      "Births and deaths are planned only until the estimate fits"),
	QUIRK(short_to_host, "short_to_host", "true",
	      "What can leave within one kernel goes to the host"),
	QUIRK(stop_at_short, "stop_at_short", "true",
	      "Planning ends at the first interval that is too short"),
	QUIRK(move_uncounted, "move_uncounted", "true",
	      "Reads move forward without counting what they bring"),
	QUIRK(start_early, "start_early", "true",
	      "g10-gds, g10-host: a kernel starts before data that got their space late"),
	QUIRK(wait_offloads, "wait_offloads", "true",
	      "flashneuron: the way back waits for all offloads"),
	GM_P_U32(P, buckets, "quirk.hash_buckets", GM_NONE, "13", 0, 4096,
		 "Operands are visited in the order of a hash set of so many buckets; 0: as listed",
		 "as published: libstdc++'s first table"),
	GM_P_END
};

#define S struct g10_stats

const struct gm_stat g10_stat_rows[] = {
	GM_COUNT(S, exec_cycles, GM_NONE, "Cycles of kernels with all data there"),
	GM_COUNT(S, total_cycles, GM_NONE, "... and as it was"),
	GM_COUNT(S, stall_cycles, GM_NONE, "Of it: beyond the kernels' own"),
	GM_COUNT(S, overlap_cycles, GM_NONE, "... kernels while data moved"),
	GM_COUNT(S, compute_cycles, GM_NONE, "... while none did"),
	GM_COUNT(S, ssd_in_pages, GM_NONE, "Pages from the SSD"),
	GM_COUNT(S, ssd_out_pages, GM_NONE, "... to it"),
	GM_COUNT(S, host_in_pages, GM_NONE, "Pages from the host"),
	GM_COUNT(S, host_out_pages, GM_NONE, "... to it"),
	GM_COUNT(S, ahead_pages, GM_NONE, "Pages that came by hint"),
	GM_COUNT(S, new_pages, GM_NONE, "Pages allocated"),
	GM_COUNT(S, dropped_pages, GM_NONE, "Dead pages that left without a copy"),
	GM_COUNT(S, ticks, GM_NONE, "Ticks of the link that moved something"),
	GM_COUNT(S, repeated, GM_NONE, "... done in closed form"),
	GM_STAT_END
};
GM_STATS_COMPLETE(S, g10_stat_rows, 0);
