/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_reuse.c - reuse distances are those that counting finds */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "traces/reuse_pages.h"
#include "traces/test/ops.h"

static const u64 sizes[] = { 1, 2, 3, 5, 8, 13, 21, 34, 55, 89 };
static u64 misses[GS_ARRAY_SIZE(sizes)];

enum { OBJECTS = 6, BYTES = 20 };

/* When each byte was touched last, from 1; 0: never. */
static u64 last[OBJECTS][BYTES];
/* The most that since() ever said of it. */
static u64 most[OBJECTS][BYTES];

/* Living bytes touched since @when, those of that time among them. */
static u64 since(u64 when)
{
	u64 n = 0;

	for (int i = 0; i < OBJECTS; i++)
		for (int b = 0; b < BYTES; b++)
			n += last[i][b] >= when;
	return n;
}

/* The same by hand: what misses in each size, and first touches. */
static void touch_by_hand(u64 now, u32 object, u64 off, u64 end, u64 *want, u64 *first)
{
	for (u64 b = off; b < end; b++) {
		u64 distance = last[object][b] ? most[object][b] : 0;

		*first += !distance;
		for (u32 i = 0; i < GS_ARRAY_SIZE(sizes); i++)
			want[i] += distance > sizes[i];
	}
	for (u64 b = off; b < end; b++) {
		last[object][b] = now;
		most[object][b] = 0;
	}
	for (int i = 0; i < OBJECTS; i++)
		for (int b = 0; b < BYTES; b++)
			if (last[i][b])
				most[i][b] = gs_max(most[i][b], since(last[i][b]));
}

static void distances_are_those_that_counting_finds(void **state)
{
	u64 want[GS_ARRAY_SIZE(sizes)] = { 0 }, first = 0;
	struct ops o = { .state = 5 };
	struct tr_reuse r;

	tr_reuse_init(&r, sizes, misses, GS_ARRAY_SIZE(sizes));
	for (u64 now = 1; now < 9000; now++) {
		u32 object = (u32)ops_random(&o, OBJECTS);
		u64 off = ops_random(&o, BYTES), end = off + 1 + ops_random(&o, BYTES - off);

		if (!ops_random(&o, 10)) {
			tr_reuse_drop(&r, object);
			memset(last[object], 0, sizeof(last[object]));
			continue;
		}
		touch_by_hand(now, object, off, end, want, &first);
		tr_reuse_touch(&r, object, off, end);
		assert_int_equal(r.first, first);
		assert_memory_equal(misses, want, sizeof(want));
	}
	tr_reuse_fini(&r);
}

/* A loop over n objects of one size: each byte at the distance of the whole loop. */
static void a_loop_misses_all_or_nothing(void **state)
{
	struct tr_reuse r;

	tr_reuse_init(&r, sizes, misses, GS_ARRAY_SIZE(sizes));
	for (u32 i = 0; i < 13 * 10; i++)
		tr_reuse_touch(&r, i % 13, 0, 1);
	assert_int_equal(r.first, 13);
	for (u32 i = 0; i < GS_ARRAY_SIZE(sizes); i++)
		assert_int_equal(misses[i], sizes[i] < 13 ? 13 * 9 : 0);
	assert_int_equal(r.again[4], 13 * 9); /* 8 to 15 */
	tr_reuse_fini(&r);
}

/* Pages that never die, by bits and by pieces; so many that times are used up twice. */
static void pages_have_the_distances_of_pieces(void **state)
{
	u64 by_bits[GS_ARRAY_SIZE(sizes)];
	struct ops o = { .state = 6 };
	struct tr_reuse r, counts;
	struct tr_reuse_pages p;

	tr_reuse_init(&r, sizes, misses, GS_ARRAY_SIZE(sizes));
	tr_reuse_init(&counts, sizes, by_bits, GS_ARRAY_SIZE(sizes));
	tr_reuse_pages_init(&p, &counts, 3);
	for (u32 i = 0; i < 200000; i++) {
		size_t page = ops_random(&o, 1 + ops_random(&o, i < 100000 ? 30 : 30000));

		page = i % 5 ? page : 2 * i / 5; /* a scan: each once */
		tr_reuse_touch(&r, page, 0, 3);
		tr_reuse_page(&p, page);
	}
	assert_int_equal(counts.first, r.first);
	assert_int_equal(p.n * 3, r.first);
	assert_memory_equal(by_bits, misses, sizeof(by_bits));
	assert_memory_equal(counts.again, r.again, sizeof(r.again));
	assert_true(r.again[2] && r.again[8] && r.again[16]);
	tr_reuse_pages_fini(&p);
	tr_reuse_fini(&counts);
	tr_reuse_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(distances_are_those_that_counting_finds),
		cmocka_unit_test(a_loop_misses_all_or_nothing),
		cmocka_unit_test(pages_have_the_distances_of_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
