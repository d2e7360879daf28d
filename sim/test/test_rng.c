/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sim/rng.h"

enum { DRAWS = 200000 };

static void test_the_same_seed_and_name_give_the_same_numbers(void **state)
{
	struct gs_rng *a = gs_rng_new(1, "link"), *b = gs_rng_new(1, "link");

	for (u32 i = 0; i < 1000; i++)
		assert_int_equal(gs_rng_bits(a), gs_rng_bits(b));
	gs_rng_free(a);
	gs_rng_free(b);
}

static void test_another_name_or_seed_gives_other_numbers(void **state)
{
	struct gs_rng *a = gs_rng_new(1, "link"), *b = gs_rng_new(1, "hbm"),
		      *c = gs_rng_new(2, "link");
	u64 x = gs_rng_bits(a);

	assert_true(x != gs_rng_bits(b));
	assert_true(x != gs_rng_bits(c));
	gs_rng_free(a);
	gs_rng_free(b);
	gs_rng_free(c);
}

/* Golden: a change of these changes every result that anybody has stored. */
static void test_the_numbers_are_these_on_every_machine(void **state)
{
	struct gs_rng *r = gs_rng_new(42, "replay");

	assert_int_equal(gs_rng_bits(r), 13924226999733188902ULL);
	assert_int_equal(gs_rng_below(r, 1000000), 869922);
	assert_true(gs_rng_uniform(r) == 0x1.23b5eb6fe47fp-3);
	assert_true(gs_rng_exponential(r, 1) == 0x1.c9f09e13175p-9);
	gs_rng_free(r);
}

/* Chi-square with 6 degrees of freedom is below 22.5 with probability 0.999. */
static void test_below_is_uniform(void **state)
{
	struct gs_rng *r = gs_rng_new(5, "below");
	double counts[7] = { 0 }, expected = DRAWS / 7.0, chi2 = 0;

	for (u32 i = 0; i < DRAWS; i++)
		counts[gs_rng_below(r, 7)]++;
	for (u32 i = 0; i < 7; i++)
		chi2 += (counts[i] - expected) * (counts[i] - expected) / expected;
	assert_true(chi2 < 22.5);
	gs_rng_free(r);
}

/* With n = 3/4 of 2^64, bits % n would fall below 2^62 half of the time. */
static void test_below_has_no_modulo_bias(void **state)
{
	struct gs_rng *r = gs_rng_new(6, "bias");
	u64 n = 3ULL << 62;
	double low = 0;

	for (u32 i = 0; i < DRAWS; i++)
		low += gs_rng_below(r, n) < n / 3;
	/* five standard deviations of a share of 1/3 */
	assert_true(fabs(low / DRAWS - 1.0 / 3) < 5 * sqrt(2.0 / 9 / DRAWS));
	gs_rng_free(r);
}

static void test_below_keeps_its_bound(void **state)
{
	struct gs_rng *r = gs_rng_new(7, "bound");

	for (u32 i = 0; i < 1000; i++) {
		u64 n = (gs_rng_bits(r) >> gs_rng_below(r, 64)) | 1;

		assert_true(gs_rng_below(r, n) < n);
		assert_int_equal(gs_rng_below(r, 1), 0);
	}
	assert_true(gs_rng_below(r, U64_MAX) < U64_MAX);
	gs_rng_free(r);
}

static void test_uniform_is_in_its_interval_with_mean_one_half(void **state)
{
	struct gs_rng *r = gs_rng_new(8, "uniform");
	double sum = 0;

	for (u32 i = 0; i < DRAWS; i++) {
		double u = gs_rng_uniform(r);

		assert_true(u >= 0 && u < 1);
		sum += u;
	}
	assert_true(fabs(sum / DRAWS - 0.5) < 5 / sqrt(12.0 * DRAWS));
	gs_rng_free(r);
}

/* Kolmogorov-Smirnov against 1 - exp(-x); 1.95 / sqrt(n) is the 0.999 point. */
static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void test_exponential_has_its_distribution(void **state)
{
	struct gs_rng *r = gs_rng_new(9, "exponential");
	double *x = gs_calloc(DRAWS, sizeof(*x)), worst = 0;

	for (u32 i = 0; i < DRAWS; i++)
		x[i] = gs_rng_exponential(r, 3);
	qsort(x, DRAWS, sizeof(*x), by_value);
	for (u32 i = 0; i < DRAWS; i++) {
		double f = -expm1(-x[i] / 3);

		worst = fmax(worst, fmax(f - (double)i / DRAWS, (i + 1.0) / DRAWS - f));
	}
	assert_true(worst < 1.95 / sqrt(DRAWS));
	free(x);
	gs_rng_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_same_seed_and_name_give_the_same_numbers),
		cmocka_unit_test(test_another_name_or_seed_gives_other_numbers),
		cmocka_unit_test(test_the_numbers_are_these_on_every_machine),
		cmocka_unit_test(test_below_is_uniform),
		cmocka_unit_test(test_below_has_no_modulo_bias),
		cmocka_unit_test(test_below_keeps_its_bound),
		cmocka_unit_test(test_uniform_is_in_its_interval_with_mean_one_half),
		cmocka_unit_test(test_exponential_has_its_distribution),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
