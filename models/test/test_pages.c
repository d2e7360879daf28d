/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_pages.c - misses of page traces, to the last one
 *
 * Each evictor against a reference that was written from its paper and knows
 * nothing but arrays; and the pager with time against the evictor alone.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel-core/gm_policy.h"
#include "kernel-core/gm_variant.h"
#include "models/test/world.h"
#include "traces/trace.h"

#define PAGES	 1500
#define REQUESTS 200000

/* ---- traces ------------------------------------------------------------- */

struct trace {
	u32 n;
	u32 page[REQUESTS];
	u32 next[REQUESTS]; /* use of the same page; REQUESTS: none */
};

static struct trace zipf, loop, phases;

static u64 rng(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static void find_next(struct trace *t)
{
	u32 last[PAGES];

	for (u32 p = 0; p < PAGES; p++)
		last[p] = REQUESTS;
	for (u32 i = t->n; i-- > 0;) {
		t->next[i] = last[t->page[i]];
		last[t->page[i]] = i;
	}
}

/* Page k with weight 1/k. */
static void make_zipf(void)
{
	static u64 upto[PAGES + 1];
	u64 state = 1;

	for (u32 k = 1; k <= PAGES; k++)
		upto[k] = upto[k - 1] + (1ULL << 40) / k;
	for (zipf.n = 0; zipf.n < REQUESTS; zipf.n++) {
		u64 x = rng(&state) % upto[PAGES];
		u32 lo = 1, hi = PAGES;

		while (lo < hi) {
			u32 mid = (lo + hi) / 2;

			if (upto[mid] > x)
				hi = mid;
			else
				lo = mid + 1;
		}
		zipf.page[zipf.n] = lo - 1;
	}
	find_next(&zipf);
}

#define LOOP   1000
#define ROUNDS 20

static void make_loop(void)
{
	for (loop.n = 0; loop.n < LOOP * ROUNDS; loop.n++)
		loop.page[loop.n] = loop.n % LOOP;
	find_next(&loop);
}

/* Forward and back over what moves, with jumps: scans, reuse, returns. */
static void make_phases(void)
{
	u64 state = 7;

	for (phases.n = 0; phases.n < REQUESTS / 4; phases.n++) {
		u32 i = phases.n, turn = i / 700, at = i % 700;
		u32 base = turn * 97 % (PAGES - 700);

		phases.page[i] = rng(&state) % 8 ? base + (turn % 2 ? 699 - at : at)
						 : (u32)(rng(&state) % PAGES);
	}
	find_next(&phases);
}

static int make_traces(void **state)
{
	make_zipf();
	make_loop();
	make_phases();
	return 0;
}

/* ---- the reference: arrays, first element leaves first ------------------ */

struct row {
	u32 n, page[2 * PAGES];
};

static struct row q[5];	 /* up to four queues of the policy */
static u32 stamp[PAGES]; /* what the policy remembers of a resident page */

static int place(const struct row *r, u32 page)
{
	for (u32 i = 0; i < r->n; i++)
		if (r->page[i] == page)
			return (int)i;
	return -1;
}

static u32 take_at(struct row *r, u32 i)
{
	u32 page = r->page[i];

	memmove(&r->page[i], &r->page[i + 1], (--r->n - i) * sizeof(u32));
	return page;
}

static bool take(struct row *r, u32 page)
{
	int i = place(r, page);

	if (i >= 0)
		take_at(r, (u32)i);
	return i >= 0;
}

static void push(struct row *r, u32 page)
{
	r->page[r->n++] = page;
}

/* fifo, lru, clock, lfu, min: one row, the victim is found by looking. */
static u32 simple_victim(char kind)
{
	u32 best = 0;

	while (kind == 'c' && stamp[q->page[0]]) {
		stamp[q->page[0]] = 0;
		push(q, take_at(q, 0));
	}
	for (u32 i = 1; i < q->n && (kind == 'u' || kind == 'm'); i++) {
		u32 a = stamp[q->page[i]], b = stamp[q->page[best]];

		if (kind == 'u' ? a < b : a > b)
			best = i;
	}
	return best;
}

static u32 simple(const struct trace *t, u32 size, char kind)
{
	u32 misses = 0;

	memset(q, 0, sizeof(q));
	memset(stamp, 0, sizeof(stamp));
	for (u32 i = 0; i < t->n; i++) {
		u32 p = t->page[i];
		bool hit = place(q, p) >= 0;

		misses += !hit;
		if (!hit && q->n == size)
			take_at(q, simple_victim(kind));
		if (hit && (kind == 'l' || kind == 'u')) /* recency; of equals in lfu too */
			take(q, p);
		if (!hit || kind == 'l' || kind == 'u')
			push(q, p);
		stamp[p] = kind == 'm' ? t->next[i] : hit ? stamp[p] + 1 : kind == 'u';
	}
	return misses;
}

/* Megiddo, Modha: Figure 4, with a double. */
enum { T1, T2, B1, B2 };

static void arc_replace(u32 size, double p, bool in_b2)
{
	bool first = q[T1].n && (q[T1].n > p || (q[T1].n == p && in_b2));
	u32 from = first || !q[T2].n ? T1 : T2;

	if (q[T1].n + q[T2].n < size)
		return;
	push(&q[from + 2], take_at(&q[from], 0));
}

static void arc_miss(u32 size, double p)
{
	u32 l1 = q[T1].n + q[B1].n, l2 = q[T2].n + q[B2].n;

	if (q[T1].n + q[T2].n < size)
		return;
	if (l1 >= size && !q[B1].n) {
		take_at(&q[T1], 0);
		return;
	}
	if (l1 >= size)
		take_at(&q[B1], 0);
	else if (l1 + l2 >= 2 * size)
		take_at(&q[B2], 0);
	arc_replace(size, p, false);
}

static u32 arc(const struct trace *t, u32 size)
{
	u32 misses = 0;
	double p = 0, ratio;

	memset(q, 0, sizeof(q));
	for (u32 i = 0; i < t->n; i++) {
		u32 x = t->page[i];

		if (take(&q[T1], x) || take(&q[T2], x)) {
			push(&q[T2], x);
			continue;
		}
		misses++;
		if (place(&q[B1], x) >= 0) {
			ratio = (double)q[B2].n / q[B1].n;
			p += ratio > 1 ? ratio : 1;
			p = p < size ? p : size;
			take(&q[B1], x);
			arc_replace(size, p, false);
			push(&q[T2], x);
		} else if (place(&q[B2], x) >= 0) {
			ratio = (double)q[B1].n / q[B2].n;
			p -= ratio > 1 ? ratio : 1;
			p = p > 0 ? p : 0;
			take(&q[B2], x);
			arc_replace(size, p, true);
			push(&q[T2], x);
		} else {
			arc_miss(size, p);
			push(&q[T1], x);
		}
	}
	return misses;
}

enum { SMALL, MAIN, GHOST };

static void s3_evict(u32 size)
{
	for (;;) {
		bool main = q[MAIN].n > size - size / 10 || !q[SMALL].n;
		u32 x = take_at(&q[main ? MAIN : SMALL], 0);

		if (main && !stamp[x])
			return;
		if (main) {
			stamp[x] = (stamp[x] < 3 ? stamp[x] : 3) - 1;
			push(&q[MAIN], x);
			continue;
		}
		while (stamp[x] >= 2) { /* small is gone through to the end */
			stamp[x] = 0;
			push(&q[MAIN], x);
			if (!q[SMALL].n)
				break;
			x = take_at(&q[SMALL], 0);
		}
		if (place(&q[MAIN], x) >= 0)
			continue;
		if (q[GHOST].n == size * 9 / 10)
			take_at(&q[GHOST], 0);
		push(&q[GHOST], x);
		return;
	}
}

static u32 s3fifo(const struct trace *t, u32 size)
{
	u32 misses = 0;

	memset(q, 0, sizeof(q));
	for (u32 i = 0; i < t->n; i++) {
		u32 x = t->page[i];
		bool back;

		if (place(&q[SMALL], x) >= 0 || place(&q[MAIN], x) >= 0) {
			stamp[x]++;
			continue;
		}
		misses++;
		back = take(&q[GHOST], x);
		if (q[SMALL].n + q[MAIN].n == size)
			s3_evict(size);
		stamp[x] = 0;
		push(&q[back ? MAIN : SMALL], x);
	}
	return misses;
}

static u32 reference(const struct trace *t, u32 size, const char *evictor)
{
	if (!strcmp(evictor, "arc"))
		return arc(t, size);
	if (!strcmp(evictor, "s3fifo"))
		return s3fifo(t, size);
	/* f(ifo), l(ru), c(lock), (lf)u, m(in) */
	return simple(t, size, strcmp(evictor, "lfu") ? *evictor : 'u');
}

/* ---- the managers -------------------------------------------------------- */

/* As configs/exp/pages.yaml has it. */
static void one_at_a_time(struct world *w)
{
	const struct gm_param *rows = mm_find("gmem")->params;

	w->common.variant = "gmem+";
	w->common.prefetcher = "none";
	if (strcmp(w->common.type, "gmem"))
		return;
	world_set(rows, w->params, "background", "off");
	world_set(rows, w->params, "async_evict", "off");
	world_set(rows, w->params, "thrash_damping", "off");
	world_set(rows, w->params, "evict_batch", "1");
}

static void put_pages(struct tr_writer *w, const struct trace *t, u32 n)
{
	struct gs_op op = { .type = GS_OP_PAGE, .page.bytes = 64, .page.access = 3 };

	for (u32 i = 0; i < n; i++) {
		op.page.va = (1000 + (u64)t->page[i]) * UNIT + t->page[i] % 7 * 100;
		op.page.access = (u8)(1 + i % 3);
		assert_int_equal(tr_writer_put(w, &op), 0);
	}
}

/* Through a .gmt without a name. */
static u64 misses(const struct trace *t, u32 n, u32 size, const char *type, const char *evictor)
{
	static const char *const devices[] = { "d" };
	const struct tr_meta meta = { .name = "t", .device_names = devices, .ndevices = 1 };
	struct tr_writer *tw = tr_writer_new(NULL, &meta);
	struct gs_source *src;
	struct world w;
	u64 got;

	put_pages(tw, t, n);
	assert_int_equal(tr_writer_source(tw, "t", &src), 0);
	world_init(&w, type, size);
	w.common.evictor = evictor;
	one_at_a_time(&w);
	assert_int_equal(world_replay(&w, src), 0);
	got = w.res.iterations[0].mm.misses;
	assert_int_equal(w.res.iterations[0].mm.touches, n);
	assert_int_equal(w.res.kernels[0].calls, n);
	world_fini(&w);
	gs_source_close(src);
	return got;
}

static void all_sizes(const char *evictor)
{
	static const u32 sizes[] = { 5, 10, 97, 150, 375, 750, 1200 };

	for (u32 i = 0; i < GS_ARRAY_SIZE(sizes); i++) {
		u32 s = sizes[i];

		if (i % 2 == 0)
			assert_int_equal(misses(&zipf, zipf.n, s, "policy", evictor),
					 reference(&zipf, s, evictor));
		assert_int_equal(misses(&loop, loop.n, s, "policy", evictor),
				 reference(&loop, s, evictor));
		assert_int_equal(misses(&phases, phases.n, s, "policy", evictor),
				 reference(&phases, s, evictor));
	}
}

#define AGREES(name)                                        \
	static void name##_agrees_with_arrays(void **state) \
	{                                                   \
		all_sizes(#name);                           \
	}
AGREES(fifo)
AGREES(lru)
AGREES(clock)
AGREES(lfu)
AGREES(arc)
AGREES(s3fifo)
AGREES(min)

/* With messages, copies and evictions in events of their own. */
static void time_changes_no_miss(void **state)
{
	for (u32 i = 0; gm_evictors[i]; i++)
		for (u32 size = 50; size < 800; size += 370) {
			const char *e = gm_evictors[i]->name;

			assert_int_equal(misses(&zipf, 20000, size, "gmem", e),
					 misses(&zipf, 20000, size, "policy", e));
			assert_int_equal(misses(&phases, 20000, size, "gmem", e),
					 misses(&phases, 20000, size, "policy", e));
		}
}

/* A loop of N pages, 20 times: all pages miss once, then N - C a round. */
static void min_on_a_loop_is_20n_less_19c(void **state)
{
	for (u32 c = 100; c < LOOP; c += 100)
		assert_int_equal(misses(&loop, loop.n, c, "policy", "min"),
				 ROUNDS * LOOP - (ROUNDS - 1) * c);
}

/* ---- accesses of other shapes --------------------------------------------- */

#define PAGE(d, a, n, w)                                     \
	{                                                    \
		.type = GS_OP_PAGE, .device = (d), .page = { \
			.va = (a),                           \
			.bytes = (n),                        \
			.access = (w),                       \
			.when_ps = 0                         \
		}                                            \
	}

static const char *const managers[] = { "policy", "gmem" };

static void an_access_over_a_boundary_is_two_units(void **state)
{
	const struct gs_op ops[] = {
		PAGE(0, UNIT - 8, 16, GS_READ),
		PAGE(0, UNIT, 8, GS_READ),
		PAGE(0, 2 * UNIT - 1, 2 * UNIT + 2, GS_WRITE), /* one and three new ones */
		PAGE(0, 0, 1, GS_READ),
	};

	for (u32 i = 0; i < 2; i++) {
		struct world w;

		world_init(&w, managers[i], 8);
		one_at_a_time(&w);
		assert_int_equal(world_run(&w, ops, GS_ARRAY_SIZE(ops)), 0);
		assert_int_equal(w.res.iterations[0].mm.touches, 2 + 1 + 4 + 1);
		assert_int_equal(w.res.iterations[0].mm.misses, 2 + 0 + 3 + 0);
		assert_int_equal(w.res.footprint_bytes, 5 * UNIT);
		world_fini(&w);
	}
}

/* Addresses as a process has them: stack and heap are far apart. */
static void addresses_may_be_far_apart(void **state)
{
	const struct gs_op ops[] = {
		PAGE(0, 0x400000, 8, GS_READ),
		PAGE(0, 0x7fff00000000, 8, GS_WRITE),
		PAGE(0, 0x400010, 8, GS_READ),
	};

	for (u32 i = 0; i < 2; i++) {
		struct world w;

		world_init(&w, managers[i], 8);
		one_at_a_time(&w);
		assert_int_equal(world_run(&w, ops, GS_ARRAY_SIZE(ops)), 0);
		assert_int_equal(w.res.iterations[0].mm.misses, 2);
		assert_int_equal(w.res.footprint_bytes, 2 * UNIT);
		world_fini(&w);
	}
}

/* What was recorded between accesses passes between them, after stalls too. */
static void recorded_gaps_are_kept(void **state)
{
	struct gs_op ops[] = {
		PAGE(0, 0, 8, GS_READ),
		PAGE(0, UNIT, 8, GS_READ),
		PAGE(0, 0, 8, GS_READ),
		PAGE(0, 8, 8, GS_READ),
	};
	gs_time alone;
	struct world w;

	world_init(&w, "gmem", 8);
	one_at_a_time(&w);
	assert_int_equal(world_run(&w, ops, GS_ARRAY_SIZE(ops)), 0);
	alone = w.res.total_ps;
	assert_true(alone > 0);
	assert_int_equal(w.res.ideal_ps, 0);
	world_fini(&w);

	for (u32 i = 0; i < GS_ARRAY_SIZE(ops); i++)
		ops[i].page.when_ps = GS_S + i * 5 * GS_MS;
	world_init(&w, "gmem", 8);
	one_at_a_time(&w);
	assert_int_equal(world_run(&w, ops, GS_ARRAY_SIZE(ops)), 0);
	assert_int_equal(w.res.ideal_ps, 15 * GS_MS);
	assert_int_equal(w.res.total_ps, alone + 15 * GS_MS);
	assert_int_equal(w.res.iterations[0].kernel_ps, 15 * GS_MS);
	world_fini(&w);
}

/* Each device has its own memory and follows its own accesses. */
static void devices_go_side_by_side(void **state)
{
	struct gs_op ops[40];

	for (u32 i = 0; i < GS_ARRAY_SIZE(ops); i++) {
		const struct gs_op op = PAGE(i % 2, (i % 2 * 64 + i / 2 % 5) * UNIT, 8, GS_WRITE);

		ops[i] = op;
	}
	for (u32 i = 0; i < 2; i++) {
		struct world w;

		world_init(&w, managers[i], 4);
		w.common.evictor = "lru";
		one_at_a_time(&w);
		w.machine.device.count = 2;
		assert_int_equal(world_run(&w, ops, GS_ARRAY_SIZE(ops)), 0);
		assert_int_equal(w.res.iterations[0].mm.misses, 40); /* loops of 5 in 4 */
		world_fini(&w);
	}
}

static void a_trace_repeats(void **state)
{
	const struct gs_op ops[] = {
		PAGE(0, 0, 8, GS_READ),
		PAGE(0, UNIT, 8, GS_READ),
		PAGE(0, 2 * UNIT, 8, GS_READ),
	};

	for (u32 i = 0; i < 2; i++) {
		struct world w;

		world_init(&w, managers[i], 2);
		w.common.evictor = "min";
		one_at_a_time(&w);
		w.workload.iterations = 4;
		assert_int_equal(world_run(&w, ops, GS_ARRAY_SIZE(ops)), 0);
		assert_int_equal(w.res.niterations, 4);
		assert_int_equal(w.res.iterations[0].mm.misses, 3);
		for (u32 k = 1; k < 4; k++)
			assert_in_range(w.res.iterations[k].mm.misses, 1, 2);
		world_fini(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fifo_agrees_with_arrays),
		cmocka_unit_test(lru_agrees_with_arrays),
		cmocka_unit_test(clock_agrees_with_arrays),
		cmocka_unit_test(lfu_agrees_with_arrays),
		cmocka_unit_test(arc_agrees_with_arrays),
		cmocka_unit_test(s3fifo_agrees_with_arrays),
		cmocka_unit_test(min_agrees_with_arrays),
		cmocka_unit_test(time_changes_no_miss),
		cmocka_unit_test(min_on_a_loop_is_20n_less_19c),
		cmocka_unit_test(an_access_over_a_boundary_is_two_units),
		cmocka_unit_test(addresses_may_be_far_apart),
		cmocka_unit_test(recorded_gaps_are_kept),
		cmocka_unit_test(devices_go_side_by_side),
		cmocka_unit_test(a_trace_repeats),
	};

	return cmocka_run_group_tests(tests, make_traces, NULL);
}
