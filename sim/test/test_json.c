/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sim/json.h"

static char *text;
static size_t size;
static struct gs_json j;

static void begin(bool pretty)
{
	gs_json_init(&j, open_memstream(&text, &size), pretty);
}

static void check(const char *expected)
{
	fclose(j.f);
	assert_string_equal(text, expected);
	free(text);
}

static void test_nested_members_have_commas_where_due(void **state)
{
	begin(false);
	gs_json_object(&j, NULL);
	gs_json_u64(&j, "a", 1);
	gs_json_array(&j, "b");
	gs_json_u64(&j, NULL, 2);
	gs_json_object(&j, NULL);
	gs_json_end(&j);
	gs_json_array(&j, NULL);
	gs_json_end_array(&j);
	gs_json_bool(&j, NULL, true);
	gs_json_end(&j); /* closes the array: the innermost of both */
	gs_json_object(&j, "c");
	gs_json_str(&j, "d", "e");
	gs_json_end(&j);
	gs_json_bool(&j, "f", false);
	gs_json_end(&j);
	check("{\"a\":1,\"b\":[2,{},[],true],\"c\":{\"d\":\"e\"},\"f\":false}");
}

static void test_pretty_output_indents_by_tabs(void **state)
{
	begin(true);
	gs_json_object(&j, NULL);
	gs_json_array(&j, "a");
	gs_json_u64(&j, NULL, 1);
	gs_json_u64(&j, NULL, 2);
	gs_json_end(&j);
	gs_json_object(&j, "b");
	gs_json_end(&j);
	gs_json_end(&j);
	check("{\n\t\"a\": [\n\t\t1,\n\t\t2\n\t],\n\t\"b\": {}\n}");
}

static void test_whole_numbers_keep_all_digits(void **state)
{
	begin(false);
	gs_json_u64(&j, NULL, 18446744073709551615ULL);
	check("18446744073709551615");
}

static void test_reals_have_nine_digits_and_odd_ones_are_null(void **state)
{
	begin(false);
	gs_json_array(&j, NULL);
	gs_json_real(&j, NULL, 1.0 / 3);
	gs_json_real(&j, NULL, 1.5);
	gs_json_real(&j, NULL, -0.0);
	gs_json_real(&j, NULL, 1e300);
	gs_json_real(&j, NULL, NAN);
	gs_json_real(&j, NULL, INFINITY);
	gs_json_end(&j);
	check("[0.333333333,1.5,0,1e+300,null,null]");
}

static void test_strings_are_escaped(void **state)
{
	begin(false);
	gs_json_str(&j, NULL, "q\" b\\ n\n t\t c\x01 d\x7f \xc2\xb5s");
	check("\"q\\\" b\\\\ n\\n t\\t c\\u0001 d\\u007f \xc2\xb5s\"");
}

static void test_bytes_that_are_no_utf8_are_replaced(void **state)
{
	begin(false);
	gs_json_str(&j, NULL, "a\xff\xc3z\xed\xa0\x80");
	check("\"a\\ufffd\\ufffdz\\ufffd\\ufffd\\ufffd\"");
}

static void test_no_string_is_null(void **state)
{
	begin(false);
	gs_json_str(&j, NULL, NULL);
	check("null");
}

struct counts {
	u64 hits, touches, none;
};

static const struct gm_stat rows[] = {
	GM_COUNT(struct counts, hits, GM_NONE, "h"),
	GM_COUNT(struct counts, touches, GM_NONE, "t"),
	GM_GAUGE(struct counts, none, GM_NONE, "n"),
	GM_RATIO(struct counts, "hit_ratio", hits, touches, "r"),
	GM_RATIO(struct counts, "undefined", none, none, "r"),
	GM_STAT_END,
};
GM_STATS_COMPLETE(struct counts, rows, 2);

static void test_statistics_rows_become_an_object(void **state)
{
	const struct counts c = { .hits = 3, .touches = 4 };

	begin(false);
	gs_json_object(&j, NULL);
	gs_json_stats(&j, "mm", rows, &c);
	gs_json_end(&j);
	check("{\"mm\":{\"hits\":3,\"touches\":4,\"none\":0,\"hit_ratio\":0.75,"
	      "\"undefined\":null}}");
}

static void test_the_deepest_nesting_is_64(void **state)
{
	begin(false);
	for (int i = 0; i < 64; i++)
		gs_json_array(&j, NULL);
	for (int i = 0; i < 64; i++)
		gs_json_end_array(&j);
	fclose(j.f);
	assert_int_equal(size, 128);
	assert_int_equal(text[63], '[');
	assert_int_equal(text[64], ']');
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nested_members_have_commas_where_due),
		cmocka_unit_test(test_pretty_output_indents_by_tabs),
		cmocka_unit_test(test_whole_numbers_keep_all_digits),
		cmocka_unit_test(test_reals_have_nine_digits_and_odd_ones_are_null),
		cmocka_unit_test(test_strings_are_escaped),
		cmocka_unit_test(test_bytes_that_are_no_utf8_are_replaced),
		cmocka_unit_test(test_no_string_is_null),
		cmocka_unit_test(test_statistics_rows_become_an_object),
		cmocka_unit_test(test_the_deepest_nesting_is_64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
