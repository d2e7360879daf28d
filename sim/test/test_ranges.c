/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_ranges.c - the set of addresses against one bit for each */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "sim/ranges.h"
#include "sim/rng.h"

enum { SPACE = 96, STEPS = 20000 };

static bool bits[SPACE + 1];

static u32 count(u64 begin, u64 end)
{
	u32 n = 0;

	for (u64 i = begin; i < end; i++)
		n += bits[i];
	return n;
}

/* In order, apart, and what the bits say. */
static void compare(const struct gs_ranges *r)
{
	u64 at = 0;

	for (size_t i = 0; i < r->n; i++) {
		assert_true(r->v[i].begin < r->v[i].end && (!i || r->v[i].begin > at));
		assert_int_equal(count(at, r->v[i].begin), 0);
		assert_int_equal(count(r->v[i].begin, r->v[i].end), r->v[i].end - r->v[i].begin);
		at = r->v[i].end;
	}
	assert_int_equal(count(at, SPACE), 0);
}

static void compare_gap(const struct gs_ranges *r, u64 begin, u64 end)
{
	struct gs_range gap;

	if (!gs_ranges_gap(r, begin, end, &gap)) {
		assert_int_equal(count(begin, end), end - begin);
		return;
	}
	assert_int_equal(count(begin, gap.begin), gap.begin - begin);
	assert_int_equal(count(gap.begin, gap.end), 0);
	assert_true(gap.begin < gap.end && (gap.end == end || bits[gap.end]));
}

static void a_set_of_ranges_is_a_set_of_addresses(void **state)
{
	struct gs_ranges r = { 0 };
	struct gs_rng *rng = gs_rng_new(7, "ranges");

	(void)state;
	for (u32 step = 0; step < STEPS; step++) {
		u64 begin = gs_rng_below(rng, SPACE);
		u64 end = begin + 1 + gs_rng_below(rng, gs_min(12, SPACE - begin));
		bool add = gs_rng_below(rng, 2);

		assert_true(gs_ranges_some(&r, begin, end) == (count(begin, end) > 0));
		assert_true(gs_ranges_all(&r, begin, end) == (count(begin, end) == end - begin));
		compare_gap(&r, begin, end);
		(add ? gs_ranges_add : gs_ranges_remove)(&r, begin, end);
		for (u64 i = begin; i < end; i++)
			bits[i] = add;
		compare(&r);
	}
	gs_rng_free(rng);
	gs_ranges_fini(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_set_of_ranges_is_a_set_of_addresses),
	};

	return cmocka_run_group_tests_name("ranges", tests, NULL, NULL);
}
