/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bench_pages.c - page traces and the page table, by the CPU second
 *
 * A Zipf trace of 20 M requests over a million pages, as those that miss counts
 * are published for; 800,000 units of memory.  An LRU list of 32-bit indices in
 * arrays runs beside, on the same decoded requests: what the rest costs is the
 * ratio.  Prints lines "name value unit".
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "kernel-core/port/user/gm_port_host.h"
#include "kernel-core/gm_policy.h"
#include "kernel-core/gm_variant.h"
#include "models/test/world.h"
#include "traces/trace.h"

enum { PAGES = 1000000, REQUESTS = 20000000, MEMORY = 800000, KIB4 = 4096 };

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void line(const char *name, double value, const char *unit)
{
	printf("%s %.*f %s\n", name, value < 10 ? 3 : value < 1000 ? 1 : 0, value, unit);
	fflush(stdout);
}

/* ---- the trace ------------------------------------------------------------ */

static u64 rng(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static u32 draw(const u64 *upto, u64 x)
{
	u32 lo = 1, hi = PAGES;

	while (lo < hi) {
		u32 mid = (lo + hi) / 2;

		if (upto[mid] > x)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/* Page k with weight 1/k. */
static struct gs_source *zipf(u32 requests)
{
	static const char *const devices[] = { "d" };
	const struct tr_meta meta = { .name = "zipf", .device_names = devices, .ndevices = 1 };
	struct tr_writer *w = tr_writer_new(NULL, &meta);
	u64 *upto = gs_calloc(PAGES + 1, sizeof(*upto)), state = 42;
	struct gs_op op = { .type = GS_OP_PAGE, .page.bytes = KIB4, .page.access = 3 };
	struct gs_source *src;

	for (u32 k = 1; k <= PAGES; k++)
		upto[k] = upto[k - 1] + (1ULL << 50) / k;
	for (u32 i = 0; i < requests; i++) {
		op.page.va = (u64)draw(upto, rng(&state) % upto[PAGES]) * KIB4;
		gs_assert(!tr_writer_put(w, &op));
	}
	free(upto);
	gs_assert(!tr_writer_source(w, "zipf", &src));
	return src;
}

/* ---- decoding -------------------------------------------------------------- */

static u64 read_all(struct gs_source *src, bool many)
{
	struct gs_page p[512];
	struct gs_op op;
	u64 sum = 0;
	int n;

	gs_assert(!gs_source_seek(src, GS_REWIND));
	while (gs_source_next(src, &op) == 1)
		for (sum += op.page.va; many && (n = gs_source_pages(src, p, 512)) > 0;)
			for (int i = 0; i < n; i++)
				sum += p[i].va;
	return sum;
}

/* Returns how many seconds many at a time take. */
static double bench_decode(struct gs_source *src)
{
	double t0, one, many;
	u64 sum = read_all(src, false); /* the checker has seen all of it now */

	t0 = cpu_seconds();
	gs_assert(read_all(src, false) == sum);
	one = cpu_seconds() - t0;
	t0 = cpu_seconds();
	gs_assert(read_all(src, true) == sum);
	many = cpu_seconds() - t0;
	line("pages.decode_one", REQUESTS / one / 1e6, "M/s");
	line("pages.decode_many", REQUESTS / many / 1e6, "M/s");
	return many;
}

/* ---- LRU in arrays --------------------------------------------------------- */

struct lru {
	u32 newer[PAGES + 2], older[PAGES + 2]; /* [0] is the list's head */
	bool here[PAGES + 2];
	u32 n;
};

static void unlink_page(struct lru *l, u32 p)
{
	l->newer[l->older[p]] = l->newer[p];
	l->older[l->newer[p]] = l->older[p];
}

static bool use(struct lru *l, u32 p)
{
	bool hit = l->here[p];
	u32 victim;

	if (hit) {
		unlink_page(l, p);
	} else if (l->n++ == MEMORY) {
		victim = l->newer[0];
		unlink_page(l, victim);
		l->here[victim] = false;
		l->n--;
	}
	l->here[p] = true;
	l->older[p] = l->older[0];
	l->newer[p] = 0;
	l->newer[l->older[0]] = p;
	l->older[0] = p;
	return hit;
}

/* Decoded and replayed; *misses of them. */
static double bench_arrays(struct gs_source *src, u64 *misses)
{
	struct lru *l = gs_calloc(1, sizeof(*l));
	double t0 = cpu_seconds();
	struct gs_page p[512];
	struct gs_op op;
	int n;

	*misses = 0;
	gs_assert(!gs_source_seek(src, GS_REWIND));
	while (gs_source_next(src, &op) == 1) {
		*misses += !use(l, (u32)(op.page.va / KIB4));
		while ((n = gs_source_pages(src, p, 512)) > 0)
			for (int i = 0; i < n; i++)
				*misses += !use(l, (u32)(p[i].va / KIB4));
	}
	free(l);
	return cpu_seconds() - t0;
}

/* ---- replay ---------------------------------------------------------------- */

static u64 core_bytes; /* allocated by the core when the run ended */

/* CPU seconds of a replay; *misses of it. */
static double replay(struct gs_source *src, const char *type, const char *evictor, u64 units,
		     u64 *misses)
{
	const struct gm_param *rows = mm_find("gmem")->params;
	double t0;
	struct world w;

	world_init(&w, type, 1);
	w.unchecked = true;
	w.common.evictor = evictor;
	w.common.prefetcher = "none";
	w.common.unit = KIB4;
	w.machine.device.hbm_capacity = units * KIB4;
	if (!strcmp(type, "gmem")) {
		world_set(rows, w.params, "background", "off");
		world_set(rows, w.params, "async_evict", "off");
		world_set(rows, w.params, "thrash_damping", "off");
		world_set(rows, w.params, "evict_batch", "1");
	}
	t0 = cpu_seconds();
	gs_assert(!world_replay(&w, src));
	core_bytes = gm_port_live_bytes();
	*misses = w.res.iterations[0].mm.misses;
	world_fini(&w);
	return cpu_seconds() - t0;
}

static void bench_policies(struct gs_source *src, double arrays, u64 want)
{
	char name[64];
	double t;
	u64 misses;

	for (u32 i = 0; gm_evictors[i]; i++) {
		t = replay(src, "policy", gm_evictors[i]->name, MEMORY, &misses);
		snprintf(name, sizeof(name), "pages.policy_%s", gm_evictors[i]->name);
		line(name, REQUESTS / t / 1e6, "M/s");
		if (strcmp(gm_evictors[i]->name, "lru"))
			continue;
		gs_assert(misses == want);
		line("pages.policy_lru_over_arrays", t / arrays, "ratio");
	}
}

static void bench_timed(struct gs_source *src, double read, u64 want)
{
	double full, small;
	u64 misses, many;

	full = replay(src, "gmem", "lru", MEMORY, &misses);
	gs_assert(misses == want);
	line("pages.gmem_lru", REQUESTS / full / 1e6, "M/s");
	line("pages.replay_gmem_over_read", full / read, "ratio");
	small = replay(src, "gmem", "lru", MEMORY / 10, &many);
	line("pages.gmem_miss", 1e9 * (small - full) / (double)(many - misses), "ns");
}

/* Units, frames for 80 % of them, moves, and what the evictor has. */
static void bench_bytes(struct gs_source *src)
{
	char name[64];
	u64 misses;

	for (u32 i = 0; gm_evictors[i]; i++) {
		replay(src, "gmem", gm_evictors[i]->name, MEMORY, &misses);
		snprintf(name, sizeof(name), "pages.gmem_%s_bytes", gm_evictors[i]->name);
		line(name, (double)core_bytes / PAGES, "bytes/unit");
	}
}

/* ---- growth ---------------------------------------------------------------- */

/* The better of two: others use the machine as well. */
static double best(struct gs_source *src, const char *type, u64 units)
{
	u64 misses;
	double a = replay(src, type, "lru", units, &misses);
	double b = replay(src, type, "lru", units, &misses);

	return a < b ? a : b;
}

/* Ten times the touches, and memory ten times as large with nothing missing. */
static void bench_growth(struct gs_source *src, struct gs_source *tenth)
{
	static const char *const types[] = { "policy", "gmem" };
	char name[64];

	for (u32 i = 0; i < 2; i++) {
		double all = best(src, types[i], MEMORY), some = best(tenth, types[i], MEMORY);
		double large = best(src, types[i], 10ULL * MEMORY);
		double fits = best(src, types[i], PAGES + 1);

		snprintf(name, sizeof(name), "pages.%s_10x_touches", types[i]);
		line(name, all / some, "ratio");
		snprintf(name, sizeof(name), "pages.%s_8x_memory", types[i]);
		line(name, large / fits, "ratio");
	}
}

/* ---- the page table -------------------------------------------------------- */

static double sweep(struct mm *m, u64 bytes_each)
{
	enum { TIMES = 20 };
	struct mm_wait wait = { 0 };
	double t0 = cpu_seconds();

	for (u32 i = 0; i < TIMES; i++)
		for (u64 va = 0; va < (u64)PAGES * KIB4;) {
			struct mm_touch t = { .access = GS_WRITE,
					      .va = va,
					      .bytes = bytes_each,
					      .window = 1,
					      .wait = &wait };

			mm_touch(m, &t);
			gs_assert(t.kind == MM_HIT);
			va += t.covered;
		}
	return (cpu_seconds() - t0) / TIMES / PAGES;
}

/* Resident units: touched as one range, and each by itself. */
static void bench_table(void)
{
	struct gs_op *ops = gs_calloc(PAGES, sizeof(*ops));
	struct world w;

	for (u64 i = 0; i < PAGES; i++)
		ops[i] = (struct gs_op){ .type = GS_OP_PAGE,
					 .page = { .va = i * KIB4, .bytes = KIB4, .access = 3 } };
	world_init(&w, "gmem", 1);
	w.common.unit = KIB4;
	w.common.prefetcher = "none";
	w.common.evictor = "lru";
	w.machine.device.hbm_capacity = (u64)PAGES * KIB4 * 2;
	gs_assert(!world_run(&w, ops, PAGES));
	line("table.touch_in_ranges", 1e9 * sweep(w.mm, (u64)PAGES * KIB4 / 1000), "ns/unit");
	line("table.touch_by_unit", 1e9 * sweep(w.mm, KIB4), "ns/unit");
	world_fini(&w);
	free(ops);
}

int main(void)
{
	double t0 = cpu_seconds(), arrays, read;
	struct gs_source *src = zipf(REQUESTS), *tenth;
	u64 misses;

	line("pages.make_trace", REQUESTS / (cpu_seconds() - t0) / 1e6, "M/s");
	tenth = zipf(REQUESTS / 10);
	read = bench_decode(src);
	arrays = bench_arrays(src, &misses);
	line("pages.arrays_lru", REQUESTS / arrays / 1e6, "M/s");
	bench_policies(src, arrays, misses);
	bench_timed(src, read, misses);
	bench_bytes(tenth);
	bench_growth(src, tenth);
	bench_table();
	gs_source_close(tenth);
	gs_source_close(src);
	return 0;
}
