/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The caching allocator's rules, the union of ranges, and the future. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sim/replay_impl.h"
#include "sim/rng.h"

#define KIB (1ULL << 10)
#define MIB (1ULL << 20)

static u64 segments, segment_bytes;

static int count_segment(void *arg, u16 device, u64 va, u64 bytes)
{
	(void)arg;
	(void)device;
	assert_true(va % (2 * MIB) == 0);
	segments++;
	segment_bytes += bytes;
	return 0;
}

static struct gs_layout *fresh(void)
{
	segments = segment_bytes = 0;
	return gs_layout_new(2, count_segment, NULL);
}

static void small_tensors_share_a_segment(void **state)
{
	struct gs_layout *l = fresh();
	struct gs_block a, b;

	(void)state;
	assert_int_equal(gs_layout_alloc(l, 0, 1, &a), 0);
	assert_int_equal(gs_layout_alloc(l, 0, 1000, &b), 0);
	assert_true(a.bytes == 512 && b.bytes == 1024);
	assert_true(b.va == a.va + 512);
	assert_true(segments == 1 && segment_bytes == 2 * MIB);
	gs_layout_free(l);
}

static void segment_sizes_follow_the_thresholds(void **state)
{
	struct gs_layout *l = fresh();
	struct gs_block b;

	(void)state;
	gs_layout_alloc(l, 0, 1 * MIB + 1, &b);
	assert_true(segment_bytes == 20 * MIB);
	gs_layout_alloc(l, 0, 11 * MIB, &b); /* fits the rest */
	assert_true(segment_bytes == 20 * MIB);
	gs_layout_alloc(l, 0, 11 * MIB + 1, &b);
	assert_true(segment_bytes == 32 * MIB);
	assert_true(b.bytes == 12 * MIB); /* rest of 1 MiB or less is not cut */
	gs_layout_free(l);
}

static void freed_neighbours_merge_and_are_used_again(void **state)
{
	struct gs_layout *l = fresh();
	struct gs_block a, b, c;

	(void)state;
	gs_layout_alloc(l, 0, 6 * MIB, &a);
	gs_layout_alloc(l, 0, 7 * MIB, &b);
	gs_layout_alloc(l, 0, 7 * MIB, &c);
	gs_layout_release(l, &a);
	gs_layout_release(l, &b);
	gs_layout_alloc(l, 0, 13 * MIB, &b);
	assert_true(b.va == a.va);
	assert_true(segments == 1);
	gs_layout_free(l);
}

static void best_fit_takes_the_smallest_hole(void **state)
{
	struct gs_layout *l = fresh();
	struct gs_block big, wall, little, rest, x;

	(void)state;
	gs_layout_alloc(l, 0, 8 * MIB, &big);
	gs_layout_alloc(l, 0, 2 * MIB, &wall);
	gs_layout_alloc(l, 0, 4 * MIB, &little);
	gs_layout_alloc(l, 0, 6 * MIB, &rest);
	gs_layout_release(l, &big);
	gs_layout_release(l, &little);
	gs_layout_alloc(l, 0, 3 * MIB, &x);
	assert_true(x.va == little.va);
	gs_layout_free(l);
}

static void devices_have_ranges_of_their_own(void **state)
{
	struct gs_layout *l = fresh();
	struct gs_block a, b;

	(void)state;
	gs_layout_alloc(l, 0, MIB, &a);
	gs_layout_alloc(l, 1, MIB, &b);
	assert_true(b.va > a.va + (1ULL << 40));
	gs_layout_free(l);
}

/* Live blocks never overlap, whatever comes and goes. */
static void live_blocks_never_overlap(void **state)
{
	enum { N = 200, STEPS = 20000 };
	struct gs_layout *l = fresh();
	struct gs_rng *rng = gs_rng_new(7, "layout");
	struct gs_block live[N];
	bool used[N] = { false };

	(void)state;
	for (u32 step = 0; step < STEPS; step++) {
		u64 i = gs_rng_below(rng, N);

		if (used[i]) {
			gs_layout_release(l, &live[i]);
			used[i] = false;
			continue;
		}
		u64 bytes = gs_rng_below(rng, 1ULL << (10 + gs_rng_below(rng, 16)));

		gs_layout_alloc(l, 0, bytes, &live[i]);
		assert_true(live[i].bytes >= bytes);
		for (u32 k = 0; k < N; k++)
			assert_true(!used[k] || live[k].va >= live[i].va + live[i].bytes ||
				    live[i].va >= live[k].va + live[k].bytes);
		used[i] = true;
	}
	gs_rng_free(rng);
	gs_layout_free(l);
}

static void extents_are_rounded_and_merged(void **state)
{
	struct gs_extents *x = gs_extents_new(4 * KIB);
	u64 va, bytes;

	(void)state;
	gs_extents_add(x, 100 * KIB, 1);
	gs_extents_add(x, 10 * KIB, 5 * KIB);
	gs_extents_add(x, 15 * KIB, 2 * KIB);
	gs_extents_settle(x);
	assert_int_equal(gs_extents_count(x), 2);
	gs_extents_get(x, 0, &va, &bytes);
	assert_true(va == 8 * KIB && bytes == 12 * KIB);
	gs_extents_get(x, 1, &va, &bytes);
	assert_true(va == 100 * KIB && bytes == 4 * KIB);
	assert_true(gs_extents_bytes(x) == 16 * KIB);
	gs_extents_free(x);
}

static void check_future(bool dense)
{
	struct gs_future *f = gs_future_new(4 * KIB);

	if (dense)
		gs_future_span(f, 0, 7 * 4 * KIB, 2);
	for (u32 i = 0; i < 5000; i++) /* unit i % 7 */
		gs_future_use(f, 0, (i % 7) * 4 * KIB);
	for (u32 i = 0; i < 4900; i += 13)
		for (u32 u = 0; u < 7; u++) {
			u64 next = gs_future_next(f, 0, u * 4 * KIB, i);

			assert_true(next > i && next <= i + 7 && next % 7 == u);
		}
	assert_true(gs_future_next(f, 0, 0, 4999) == ~0ULL);
	assert_true(gs_future_next(f, 1, 0, 0) == ~0ULL);
	gs_future_free(f);
}

static void future_tells_the_next_use(void **state)
{
	(void)state;
	check_future(false);
	check_future(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_tensors_share_a_segment),
		cmocka_unit_test(segment_sizes_follow_the_thresholds),
		cmocka_unit_test(freed_neighbours_merge_and_are_used_again),
		cmocka_unit_test(best_fit_takes_the_smallest_hole),
		cmocka_unit_test(devices_have_ranges_of_their_own),
		cmocka_unit_test(live_blocks_never_overlap),
		cmocka_unit_test(extents_are_rounded_and_merged),
		cmocka_unit_test(future_tells_the_next_use),
	};

	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
