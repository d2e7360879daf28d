/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm.c - what all memory managers share: checked calls, counters, their rows
 */
#include <errno.h>
#include <stdarg.h>

#include "sim/mm.h"

const char *const mm_phase_names[] = { "queue", "service", "evict", "link", "finish", NULL };

#define S struct mm_stats

const struct gm_stat mm_stat_rows[] = {
	GM_COUNT(S, touches, GM_NONE, "Units that kernels asked for"),
	GM_COUNT(S, misses, GM_NONE, "Units absent when touched"),
	GM_COUNT(S, faults, GM_NONE, "Faults served; a batch of n units counts n"),
	GM_COUNT(S, remote, GM_NONE, "Units read or written over the link"),
	GM_COUNT(S, h2d_demand_bytes, GM_BYTES, "Copied to a device because a kernel waits"),
	GM_COUNT(S, h2d_prefetch_bytes, GM_BYTES, "Copied to a device ahead of the touch"),
	GM_COUNT(S, d2h_evict_bytes, GM_BYTES, "Copied to the host to make room"),
	GM_COUNT(S, d2h_cpu_bytes, GM_BYTES, "Copied to the host because the CPU touched"),
	GM_COUNT(S, d2d_bytes, GM_BYTES, "Copied from device to device"),
	GM_COUNT(S, zeroed_bytes, GM_BYTES, "First touches: cleared, not copied"),
	GM_COUNT(S, evictions, GM_NONE, "Units evicted (uvm: 2 MiB chunks)"),
	GM_COUNT(S, clean_drops, GM_NONE, "Evicted without a copy: the host's was good"),
	GM_COUNT(S, discarded_bytes, GM_BYTES, "Freed eagerly, so never copied"),
	GM_COUNT(S, prefetched_bytes, GM_BYTES, "Brought before a touch, copied or cleared"),
	GM_COUNT(S, prefetch_useful, GM_NONE, "Prefetched units that were touched"),
	GM_COUNT(S, prefetch_late, GM_NONE, "... that were touched while on their way"),
	GM_COUNT(S, prefetch_wasted, GM_NONE, "... that left untouched"),
	GM_COUNT(S, cpu_faults, GM_NONE, "Faults of the host thread"),
	GM_COUNT(S, ssd_read_bytes, GM_BYTES, "Read from the SSD"),
	GM_COUNT(S, ssd_write_bytes, GM_BYTES, "Written to it"),
	GM_COUNT(S, host_evictions, GM_NONE, "Chunks that left host memory for the SSD"),
	GM_GAUGE(S, hbm_bytes, GM_BYTES, "Resident now, all devices"),
	GM_GAUGE(S, hbm_peak_bytes, GM_BYTES, "Most that was resident"),
	GM_RATIO(S, "miss_ratio", misses, touches, "Share of touched units that were absent"),
	GM_STAT_END
};
GM_STATS_COMPLETE(S, mm_stat_rows, 1);

#define C struct mm_common

const struct gm_param mm_common_rows[] = {
	GM_P_STR(C, type, "type", "gmem", "Memory manager: see `gmemsim list`",
		 "this is its simulator"),
	GM_P_STR(C, variant, "variant", "gmem+", "Of gmem: gmem-23.09, gmem-olk66 or gmem+",
		 "the one that keeps its invariants"),
	GM_P_STR(C, evictor, "evictor", "", "Who leaves first; empty: as the variant has it",
		 "the variant's own"),
	GM_P_STR(C, prefetcher, "prefetcher", "", "What comes early; empty: as the variant has it",
		 "the variant's own"),
	GM_P_U64(C, unit, "unit", GM_BYTES, "2 MiB", 4096, 1ULL << 40,
		 "Mapping unit of gmem: what one fault brings", "GMEM maps huge pages of 2 MiB"),
	GM_P_END
};

/* Managers change residency in events of their own as well: each keeps its peak,
 * this catches those that only change inside calls. */
static void note_peak(struct mm *m)
{
	if (m->stats.hbm_bytes > m->stats.hbm_peak_bytes)
		m->stats.hbm_peak_bytes = m->stats.hbm_bytes;
}

void mm_fail(struct mm *m, int err, const char *fmt, ...)
{
	char why[512];
	va_list ap;

	if (m->err)
		return;
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	gs_err("%s", why);
	m->err = err;
	gs_stop(m->sim);
}

int mm_add(struct mm *m, u64 va, u64 bytes)
{
	int err;

	gs_assert(bytes > 0 && va + bytes > va);
	err = m->ops->add ? m->ops->add(m, va, bytes) : 0;
	note_peak(m);
	return err;
}

int mm_remove(struct mm *m, u64 va, u64 bytes, struct mm_done *d)
{
	gs_assert(bytes > 0 && va + bytes > va);
	return m->ops->remove ? m->ops->remove(m, va, bytes, d) : 0;
}

void mm_kernel_begin(struct mm *m, u16 device, u64 seq)
{
	if (m->ops->kernel_begin)
		m->ops->kernel_begin(m, device, seq);
}

void mm_kernel_end(struct mm *m, u16 device, u64 seq)
{
	if (m->ops->kernel_end)
		m->ops->kernel_end(m, device, seq);
}

gs_time mm_run(struct mm *m, u64 nth, gs_time start, gs_time duration)
{
	gs_time end = nth == ~0ULL ? start + duration : m->ops->run(m, nth, start, duration);

	gs_assert(end == GS_NEVER ? m->err : end >= start);
	note_peak(m);
	return end;
}

static u64 units_in(const struct mm *m, u64 va, u64 bytes)
{
	u64 unit = mm_unit(m);

	if (!(unit & (unit - 1))) {
		int shift = __builtin_ctzll(unit);

		return ((va + bytes - 1) >> shift) - (va >> shift) + 1;
	}
	return (va + bytes - 1) / unit - va / unit + 1;
}

void mm_touch(struct mm *m, struct mm_touch *t)
{
	gs_assert(t->bytes > 0 && t->va + t->bytes > t->va && t->window > 0 && t->wait);
	gs_assert(t->access & (GS_READ | GS_WRITE));
	t->units = 0;
	t->cost = 0;
	m->ops->touch(m, t);
	gs_assert(t->covered > 0 && t->covered <= t->bytes);
	m->stats.touches += units_in(m, t->va, t->covered);
	switch (t->kind) {
	case MM_HIT:
		break;
	case MM_REMOTE:
		m->stats.remote += units_in(m, t->va, t->covered);
		break;
	case MM_MISS:
		gs_assert(t->units > 0 && t->units <= t->window);
		m->stats.misses += t->units;
		break;
	default:
		gs_assert(!"a touch is a hit, remote or a miss");
	}
	note_peak(m);
}

u32 mm_pages(struct mm *m, const struct gs_page *p, u32 n)
{
	u32 done = n && m->ops->pages ? m->ops->pages(m, p, n) : 0;

	gs_assert(done <= n);
	m->ahead = 0;
	note_peak(m);
	return done;
}

int mm_cpu_touch(struct mm *m, u64 va, u64 bytes, u8 access, struct mm_done *d)
{
	int err;

	gs_assert(bytes > 0 && va + bytes > va && (access & (GS_READ | GS_WRITE)));
	err = m->ops->cpu_touch ? m->ops->cpu_touch(m, va, bytes, access, d) : 0;
	note_peak(m);
	return err;
}

int mm_advise(struct mm *m, u16 device, u8 advice, u64 va, u64 bytes, struct mm_done *d)
{
	int err;

	gs_assert(bytes > 0 && va + bytes > va && advice < GS_NR_ADVICE);
	err = m->ops->advise ? m->ops->advise(m, device, advice, va, bytes, d) : -EOPNOTSUPP;
	if (err == -EOPNOTSUPP)
		m->unknown_advice |= 1U << advice;
	note_peak(m);
	return err;
}

u64 mm_unit(const struct mm *m)
{
	return m->ops->unit ? m->ops->unit(m) : 4096;
}
