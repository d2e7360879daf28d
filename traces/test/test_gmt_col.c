/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_gmt_col.c - columns of numbers are read as they were written; guesses agree */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "traces/gmt_col.h"
#include "traces/gmt_guess.h"
#include "traces/test/ops.h"

/* Write @c and read it again; the coding. */
static u8 round_trip(const struct gmt_col *c)
{
	struct tr_buf b = { 0 };
	struct gmt_cur k = { 0 };
	size_t bits = gmt_col_write(c, &b);
	u8 coding = b.p[0];

	assert_true(!bits == (coding == GMT_VARINTS));
	k.c = (struct tr_cur){ b.p, b.p + b.n, false };
	assert_true(gmt_cur_begin(&k));
	for (size_t i = 0; i < c->n; i++) {
		assert_false(gmt_cur_ended(&k));
		assert_int_equal(gmt_get(&k), c->v[i]);
	}
	assert_true(gmt_cur_ended(&k));
	gmt_get(&k);
	assert_true(k.c.bad);
	tr_buf_fini(&b);
	return coding;
}

static void numbers_of_any_length_come_back(void **state)
{
	struct ops o = { .state = 1 };
	struct gmt_col c = { 0 };
	u32 parts = 0;

	for (u32 round = 0; round < 300; round++) {
		u64 n = 1 + ops_random(&o, 300), shift = ops_random(&o, 64);

		gmt_col_clear(&c);
		while (n--)
			gmt_col_put(&c, ops_random(&o, 2) ? ops_random(&o, U64_MAX) >> shift
							  : ops_wide(&o));
		parts += round_trip(&c);
	}
	assert_in_range(parts, 50, 299);
	gmt_col_clear(&c);
	for (int i = 0; i < 200; i++)
		gmt_col_put(&c, U64_MAX - (u64)i);
	round_trip(&c);
	gmt_col_fini(&c);
}

static void what_comes_again_stays_in_bytes(void **state)
{
	struct ops o = { .state = 2 };
	struct gmt_col c = { 0 };
	u64 once[100];

	for (u32 i = 0; i < 100; i++)
		once[i] = ops_random(&o, 1 << 20);
	for (u32 i = 0; i < 100; i++)
		gmt_col_put(&c, once[i]);
	assert_int_equal(round_trip(&c), GMT_PARTS);
	for (u32 i = 100; i < 1000; i++)
		gmt_col_put(&c, once[i % 100]);
	assert_int_equal(round_trip(&c), GMT_VARINTS);
	gmt_col_fini(&c);
}

/* Rows that a job looks up, and updates an iteration of other things later. */
static void what_comes_again_much_later_stays_in_bytes(void **state)
{
	enum { MANY = 100000 };
	struct gmt_col c = { 0 };

	for (u32 twice = 0; twice < 2; twice++) {
		struct ops o = { .state = 4 };

		for (u32 i = 0; i < MANY; i++)
			gmt_col_put(&c, ops_random(&o, 1 << 12));
	}
	assert_int_equal(round_trip(&c), GMT_VARINTS);
	c.n = MANY;
	assert_int_equal(round_trip(&c), GMT_PARTS);
	gmt_col_fini(&c);
}

static void a_section_cut_anywhere_is_found(void **state)
{
	struct ops o = { .state = 3 };
	struct gmt_col c = { 0 };
	struct tr_buf b = { 0 };

	for (u32 i = 0; i < 100; i++)
		gmt_col_put(&c, ops_random(&o, 1 << 30));
	gmt_col_write(&c, &b);
	assert_int_equal(b.p[0], GMT_PARTS);
	for (size_t len = 0; len < b.n; len++) {
		struct gmt_cur k = { .c = { b.p, b.p + len, false } };

		if (!gmt_cur_begin(&k))
			continue;
		for (size_t i = 0; i < c.n; i++)
			gmt_get(&k);
		assert_true(k.c.bad);
	}
	tr_buf_fini(&b);
	gmt_col_fini(&c);
}

static void places_are_found_as_they_are_told(void **state)
{
	struct gmt_places writer = { 0 }, reader = { 0 };
	struct ops o = { .state = 4 };
	u32 known = 0;

	for (u32 i = 0; i < 20000; i++) {
		u64 bytes = ops_random(&o, 40) * 512, want = ops_random(&o, 100) << 12, va = want;
		u32 place = gmt_place_find(&writer, bytes, want);

		known += place > 0;
		if (place)
			va = 0;
		assert_true(gmt_place_get(&reader, bytes, place, &va));
		assert_int_equal(va, want);
	}
	assert_in_range(known, 5000, 19999);
	assert_int_equal(gmt_place_find(&writer, 1 << 20, 7), 0);
	assert_int_equal(gmt_place_find(&writer, 1 << 20, 9), 0);
	assert_int_equal(gmt_place_find(&writer, 1 << 20, 7), 2);
	assert_int_equal(gmt_place_find(&writer, 1 << 20, 7), 1);
	assert_false(gmt_place_get(&reader, 1 << 20, 1, &(u64){ 0 }));
	gmt_places_fini(&writer);
	gmt_places_fini(&reader);
}

static void the_next_layer_is_guessed(void **state)
{
	struct gmt_like l = { 0 };

	gmt_like_kernel(&l, 1, 2);
	assert_int_equal(gmt_like_guess(&l), 0);
	gmt_like_tell(&l, 5);
	assert_int_equal(gmt_like_guess(&l), 5);
	gmt_like_tell(&l, 9);
	gmt_like_kernel_end(&l);
	gmt_like_kernel(&l, 2, 1);
	gmt_like_tell(&l, 70);
	gmt_like_kernel_end(&l);
	gmt_like_kernel(&l, 1, 2);
	assert_int_equal(gmt_like_guess(&l), 5);
	gmt_like_tell(&l, 6);
	assert_int_equal(gmt_like_guess(&l), 9);
	gmt_like_tell(&l, 10);
	assert_int_equal(gmt_like_guess(&l), 10);
	gmt_like_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_of_any_length_come_back),
		cmocka_unit_test(what_comes_again_stays_in_bytes),
		cmocka_unit_test(what_comes_again_much_later_stays_in_bytes),
		cmocka_unit_test(a_section_cut_anywhere_is_found),
		cmocka_unit_test(places_are_found_as_they_are_told),
		cmocka_unit_test(the_next_layer_is_guessed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
