/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_result.c - means, CSV and the spelling of numbers */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/result.h"

/* Three iterations: a cold one and two warm ones. */
static struct gs_iter_result iterations[3];
static struct gs_result result = { .niterations = 3, .iterations = iterations };
static struct gs_workload_cfg workload;
static const struct gs_job job = { .ndevices = 2 };
static const struct gs_report report = {
	.job = &job, .workload = &workload, .res = &result, .hbm_usable = 4096
};

static int fill(void **state)
{
	for (u64 i = 0; i < 3; i++) {
		iterations[i] = (struct gs_iter_result){ .time_ps = i ? 100 * i : 1000 };
		iterations[i].mm.faults = 10 + i;
		iterations[i].mm.h2d_demand_bytes = 1000;
		iterations[i].mm.h2d_prefetch_bytes = 500;
	}
	result.ideal_ps = 200;
	result.total_ps = 300;
	workload.warmup = 1;
	return 0;
}

static void test_mean_leaves_the_warmup_out(void **state)
{
	struct gs_mean mean;

	gs_report_mean(&report, &mean);
	assert_int_equal(mean.iterations, 2);
	assert_int_equal(mean.iteration_ps, 150);
	assert_int_equal(mean.ideal_ps, 100);
	assert_int_equal(mean.faults, 12); /* 11.5, rounded */
	assert_int_equal(mean.h2d_bytes, 1500);
	assert_int_equal(mean.hbm_bytes, 8192);
}

static void test_warmup_as_long_as_the_run_counts_all(void **state)
{
	struct gs_mean mean;

	workload.warmup = 3;
	gs_report_mean(&report, &mean);
	assert_int_equal(mean.iterations, 3);
}

static void test_slowdown_is_total_over_ideal(void **state)
{
	assert_true(gs_result_slowdown(&result) == 1.5);
	result.ideal_ps = 0;
	assert_true(gs_result_slowdown(&result) == 1);
}

static void assert_csv(const char *text, const char *want)
{
	char *out = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&out, &size);

	gs_csv_text(f, text);
	fclose(f);
	assert_string_equal(out, want);
	free(out);
}

static void test_csv_quotes_what_it_must(void **state)
{
	assert_csv("plain + text", "plain + text");
	assert_csv("a,b", "\"a,b\"");
	assert_csv("a \"b\"", "\"a \"\"b\"\"\"");
	assert_csv("two\nlines", "\"two lines\"");
	assert_csv("", "");
}

static void test_columns_and_values_are_as_many(void **state)
{
	struct gs_mean mean = { .iteration_ps = 3, .ideal_ps = 2 };
	char *names = NULL, *values = NULL;
	size_t n, v, commas = 0;
	FILE *f = open_memstream(&names, &n), *g = open_memstream(&values, &v);

	gs_csv_names(f, gs_mean_rows);
	gs_csv_values(g, gs_mean_rows, &mean);
	fclose(f);
	fclose(g);
	for (const char *p = names; *p; p++)
		commas += *p == ',';
	for (const char *p = values; *p; p++)
		commas -= *p == ',';
	assert_int_equal(commas, 0);
	assert_memory_equal(names, "iterations,slowdown,", 20);
	assert_memory_equal(values, "0,1.5,", 6);
	free(names);
	free(values);
}

static void test_times_and_sizes_have_three_digits(void **state)
{
	char buf[24];

	assert_string_equal(gs_text_time(0, buf), "0 ns");
	assert_string_equal(gs_text_time(1234, buf), "1.23 ns");
	assert_string_equal(gs_text_time(12345 * GS_NS, buf), "12.3 us");
	assert_string_equal(gs_text_time(999999 * GS_NS, buf), "1.00 ms");
	assert_string_equal(gs_text_time(90 * GS_S, buf), "90 s");
	assert_string_equal(gs_text_bytes(4096, buf), "4 KiB");
	assert_string_equal(gs_text_bytes(40ULL << 30, buf), "40 GiB");
	assert_string_equal(gs_text_bytes(3ULL << 19, buf), "1.50 MiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_mean_leaves_the_warmup_out, fill),
		cmocka_unit_test_setup(test_warmup_as_long_as_the_run_counts_all, fill),
		cmocka_unit_test_setup(test_slowdown_is_total_over_ideal, fill),
		cmocka_unit_test(test_csv_quotes_what_it_must),
		cmocka_unit_test(test_columns_and_values_are_as_many),
		cmocka_unit_test(test_times_and_sizes_have_three_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
