/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_config_sweep.c - the ways to write an axis all become cases */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/config_sweep.h"

struct obj {
	u64 size;
	u32 count;
	double factor;
	const char *name;
};
static const struct gm_param rows[] = {
	GM_P_U64(struct obj, size, "size", GM_BYTES, "1 GiB", 1, ~0ULL, "a size", "test"),
	GM_P_U32(struct obj, count, "part.count", GM_NONE, "1", 1, 100, "a count", "test"),
	GM_P_REAL(struct obj, factor, "factor", GM_NONE, "1", 0, 10, "a factor", "test"),
	GM_P_STR(struct obj, name, "name", "", "a name", "test"), GM_P_END
};
static const struct gs_section sections[] = { { "box", rows, NULL }, { NULL, NULL, NULL } };

/* The grid of the axes in @text; the answer of gs_grid_load(). */
static int load(struct gs_grid *g, const char *text)
{
	char path[] = "/tmp/gm-sweep-XXXXXX";
	int fd = mkstemp(path), err;
	struct gs_config *cfg = gs_config_new();

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	assert_int_equal(gs_config_load(cfg, path), 0);
	unlink(path);
	err = gs_grid_load(g, cfg, sections);
	gs_config_free(cfg);
	return err;
}

static void assert_case(const struct gs_case *c, const char *label, const char *set)
{
	assert_string_equal(c->label, label);
	assert_int_equal(c->nsets, 1);
	assert_string_equal(c->sets[0], set);
}

static void test_values_become_cases(void **state)
{
	struct gs_grid g;

	assert_int_equal(load(&g, "sweep:\n  axes:\n    - key: box.size\n"
				  "      values: [1 GiB, 40 MiB]\n"),
			 0);
	assert_string_equal(g.axes[0].name, "box.size");
	assert_int_equal(g.npoints, 2);
	assert_case(gs_grid_case(&g, 1, 0), "40 MiB", "box.size=40 MiB");
	gs_grid_free(&g);
}

static void test_range_includes_its_end(void **state)
{
	struct gs_grid g;

	assert_int_equal(load(&g, "sweep: {axes: [{key: box.size, from: 1 GiB, to: 2 GiB, step: "
				  "256 MiB}]}\n"),
			 0);
	assert_int_equal(g.npoints, 5);
	assert_case(gs_grid_case(&g, 0, 0), "1 GiB", "box.size=1 GiB");
	assert_case(gs_grid_case(&g, 4, 0), "2 GiB", "box.size=2 GiB");
	gs_grid_free(&g);
}

static void test_range_of_reals_includes_its_end(void **state)
{
	struct gs_grid g;

	assert_int_equal(load(&g,
			      "sweep: {axes: [{key: box.factor, from: 0, to: 1, step: 0.1}]}\n"),
			 0);
	assert_int_equal(g.npoints, 11);
	gs_grid_free(&g);
}

static void test_range_of_counts(void **state)
{
	struct gs_grid g;

	assert_int_equal(load(&g,
			      "sweep: {axes: [{key: box.part.count, from: 2, to: 9, step: 3}]}\n"),
			 0);
	assert_int_equal(g.npoints, 3);
	assert_case(gs_grid_case(&g, 2, 0), "8", "box.part.count=8");
	gs_grid_free(&g);
}

static void test_percent_is_short_for_a_key(void **state)
{
	struct gs_grid g;

	assert_int_equal(load(&g, "sweep: {axes: [{hbm_percent: [100, 50 %]}]}\n"), 0);
	assert_string_equal(g.axes[0].name, "hbm_percent");
	assert_case(gs_grid_case(&g, 0, 0), "100 %", "device.hbm.capacity_percent=100 %");
	assert_case(gs_grid_case(&g, 1, 0), "50 %", "device.hbm.capacity_percent=50 %");
	gs_grid_free(&g);
}

static void test_last_axis_runs_fastest(void **state)
{
	struct gs_grid g;

	assert_int_equal(load(&g, "sweep:\n  axes:\n"
				  "    - {key: box.part.count, values: [1, 2, 3]}\n"
				  "    - name: both\n      cases:\n"
				  "        - {label: a, set: {box.name: x, box.size: 1 B}}\n"
				  "        - {label: b}\n"),
			 0);
	assert_int_equal(g.npoints, 6);
	for (size_t i = 0; i < 6; i++) {
		char count[2] = { (char)('1' + i / 2), '\0' };

		assert_string_equal(gs_grid_case(&g, i, 0)->label, count);
		assert_string_equal(gs_grid_case(&g, i, 1)->label, i % 2 ? "b" : "a");
	}
	assert_int_equal(gs_grid_case(&g, 0, 1)->nsets, 2);
	assert_string_equal(gs_grid_case(&g, 0, 1)->sets[1], "box.size=1 B");
	assert_int_equal(gs_grid_case(&g, 1, 1)->nsets, 0);
	gs_grid_free(&g);
}

static void test_what_is_no_axis_is_refused(void **state)
{
	static const char *const bad[] = {
		"box: {count: 1}\n",
		"sweep: {axes: []}\n",
		"sweep: {axes: [{name: x}]}\n",
		"sweep: {axes: [{key: box.size}]}\n",
		"sweep: {axes: [{key: box.size, values: []}]}\n",
		"sweep: {axes: [{key: box.siz, values: [1 B]}]}\n",
		"sweep: {axes: [{key: box.size, vaules: [1 B]}]}\n",
		"sweep: {axes: [{key: box.size, values: [[1 B]]}]}\n",
		"sweep: {axes: [{key: box.size, from: 1 B, to: 2 B}]}\n",
		"sweep: {axes: [{key: box.size, from: 1 B, to: 2 B, step: 0 B}]}\n",
		"sweep: {axes: [{key: box.size, from: 3 B, to: 2 B, step: 1 B}]}\n",
		"sweep: {axes: [{key: box.size, from: 1, to: 2 B, step: 1 B}]}\n",
		"sweep: {axes: [{key: box.name, from: a, to: z, step: 1}]}\n",
		"sweep: {axes: [{cases: [{set: {box.name: x}}]}]}\n",
		"sweep: {axes: [{cases: [{label: a}, {label: a}]}]}\n",
		"sweep: {axes: [{key: box.size, from: 1 B, to: 1 TiB, step: 1 B}]}\n",
	};

	for (size_t i = 0; i < GS_ARRAY_SIZE(bad); i++) {
		struct gs_grid g;

		assert_int_not_equal(load(&g, bad[i]), 0);
		gs_grid_free(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_become_cases),
		cmocka_unit_test(test_range_includes_its_end),
		cmocka_unit_test(test_range_of_reals_includes_its_end),
		cmocka_unit_test(test_range_of_counts),
		cmocka_unit_test(test_percent_is_short_for_a_key),
		cmocka_unit_test(test_last_axis_runs_fastest),
		cmocka_unit_test(test_what_is_no_axis_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
