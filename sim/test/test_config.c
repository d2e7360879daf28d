/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "sim/config.h"
#include "sim/json.h"
#include "sim/rng.h"

/* ---- what the tests configure -------------------------------------------- */

struct dev {
	u64 capacity, bandwidth, latency, flops, seed;
	u32 duplex, count, evictor;
	bool pinned;
	const char *name;
	double scale, setup;
};

static const char *const evictors[] = { "fifo", "lru", "clock", NULL };

static const struct gm_param dev_rows[] = {
	GM_P_U64(struct dev, capacity, "hbm.capacity", GM_BYTES, "40 GiB", 1 << 20, 8ULL << 40,
		 "Memory of one device", "datasheet"),
	GM_P_U64(struct dev, bandwidth, "hbm.bandwidth", GM_BPS, "1555 GB/s", 1, U64_MAX, "Rate",
		 "datasheet"),
	GM_P_U64(struct dev, latency, "latency", GM_PS, "1.3 us", 0, U64_MAX, "First | last byte",
		 "guess: none"),
	GM_P_U64(struct dev, flops, "flops", GM_FLOPS, "19.5 TFLOP/s", 0, U64_MAX, "Rate", ""),
	GM_P_U64(struct dev, seed, "seed", GM_NONE, "1", 0, U64_MAX, "Seed", ""),
	GM_P_U32(struct dev, duplex, "duplex", GM_PERCENT, "51 %", 0, 100, "Share", ""),
	GM_P_U32(struct dev, count, "count", GM_NONE, "1", 1, U32_MAX, "How many", ""),
	GM_P_ENUM(struct dev, evictor, "evictor", evictors, "lru", "Who goes", ""),
	GM_P_BOOL(struct dev, pinned, "pinned", "no", "Pinned", ""),
	GM_P_STR(struct dev, name, "name", "", "Name", ""),
	GM_P_REAL(struct dev, scale, "scale", GM_NONE, "1.5", 0, 100, "Factor", ""),
	GM_P_REAL(struct dev, setup, "setup", GM_PS, "2 ns", 0, U64_MAX, "Setup", ""),
	GM_P_END,
};

struct nested {
	u64 depth;
};

static const struct gm_param nested_rows[] = {
	GM_P_U64(struct nested, depth, "depth", GM_NONE, "4", 0, 9, "Depth", ""),
	GM_P_END,
};

static struct dev dev;
static struct nested nested;
static const struct gs_section sections[] = {
	{ "device", dev_rows, &dev },
	{ "device.tree", nested_rows, &nested },
	{ NULL, NULL, NULL },
};
static const char *const ignore[] = { "sweep", NULL };

/* ---- a folder of its own, and stderr in a string -------------------------- */

static char folder[64];
static char said[8192];
static struct gs_config *cfg;

static int setup(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/gs-config-XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	cfg = gs_config_new();
	said[0] = 0;
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = { "c.yaml", "b.yaml", "a.yaml", "d/e.yaml", "stderr" };

	gs_config_free(cfg);
	for (size_t i = 0; i < GS_ARRAY_SIZE(names); i++)
		unlink(names[i]);
	rmdir("d");
	assert_int_equal(chdir("/"), 0);
	return rmdir(folder);
}

static void write_bytes(const char *name, const void *p, size_t n)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	fclose(f);
}

static void write_text(const char *name, const char *text)
{
	write_bytes(name, text, strlen(text));
}

static int saved_stderr;

static void listen(void)
{
	fflush(stderr);
	saved_stderr = dup(STDERR_FILENO);
	assert_non_null(freopen("stderr", "w+", stderr));
}

static void hear(void)
{
	size_t n;

	fflush(stderr);
	rewind(stderr);
	n = fread(said, 1, sizeof(said) - 1, stderr);
	said[n] = 0;
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
}

static int load_and_bind(const char *name, const char *set)
{
	int err;

	listen();
	err = gs_config_load(cfg, name);
	if (!err && set)
		err = gs_config_set(cfg, set);
	if (!err)
		err = gs_config_bind(cfg, sections, ignore);
	hear();
	return err;
}

static void accept(const char *yaml)
{
	write_text("c.yaml", yaml);
	if (load_and_bind("c.yaml", NULL))
		fail_msg("%s", said);
	assert_string_equal(said, "");
}

/* @message is all of what is said, without "gmemsim: " and the new line. */
static void refuse(const char *yaml, const char *message)
{
	char line[1024];

	snprintf(line, sizeof(line), "gmemsim: %s\n", message);
	write_text("c.yaml", yaml);
	assert_int_equal(load_and_bind("c.yaml", NULL), -EINVAL);
	assert_string_equal(said, line);
}

static void refuse_set(const char *set, const char *message)
{
	char line[1024];

	snprintf(line, sizeof(line), "gmemsim: --set %s: %s\n", set, message);
	write_text("c.yaml", "");
	assert_int_equal(load_and_bind("c.yaml", set), -EINVAL);
	assert_string_equal(said, line);
}

/* ---- values --------------------------------------------------------------- */

static const struct gm_param *row_of(const char *key)
{
	for (const struct gm_param *r = dev_rows; r->key; r++)
		if (!strcmp(r->key, key))
			return r;
	fail_msg("no row %s", key);
	return NULL;
}

static void parses(const char *key, const char *text, u64 expected)
{
	const struct gm_param *row = row_of(key);
	struct dev d = { 0 };
	const char *why = "";
	u64 got = 0;

	if (gs_param_parse(row, text, &d, &why))
		fail_msg("%s: %s", text, why);
	memcpy(&got, (char *)&d + row->offset, row->kind == GM_KIND_U64 ? 8 : 4);
	assert_int_equal(got, expected);
}

static void fails(const char *key, const char *text, const char *message)
{
	struct dev d = { 0 };
	const char *why = "";

	assert_int_equal(gs_param_parse(row_of(key), text, &d, &why), -EINVAL);
	assert_string_equal(why, message);
}

static void test_defaults_fill_what_is_not_written(void **state)
{
	accept("");
	assert_true(dev.capacity == 40ULL << 30);
	assert_int_equal(dev.bandwidth, 1555000000000);
	assert_int_equal(dev.latency, 1300000);
	assert_int_equal(dev.flops, 19500000000000);
	assert_int_equal(dev.duplex, 51);
	assert_int_equal(dev.evictor, 1);
	assert_false(dev.pinned);
	assert_string_equal(dev.name, "");
	assert_true(dev.scale == 1.5 && dev.setup == 2000);
	assert_int_equal(nested.depth, 4);
}

static void test_written_values_win_over_defaults(void **state)
{
	accept("device:\n"
	       "  hbm: {capacity: 80 GiB}\n"
	       "  count: 8\n"
	       "  evictor: clock\n"
	       "  pinned: on\n"
	       "  name: \"H200 \\u00b5\"\n"
	       "  scale: 0.25\n"
	       "  tree:\n"
	       "    depth: 9\n");
	assert_true(dev.capacity == 80ULL << 30);
	assert_int_equal(dev.count, 8);
	assert_int_equal(dev.evictor, 2);
	assert_true(dev.pinned);
	assert_string_equal(dev.name, "H200 \xc2\xb5");
	assert_true(dev.scale == 0.25);
	assert_int_equal(nested.depth, 9);
}

static void test_each_unit_of_size_is_read(void **state)
{
	parses("hbm.capacity", "1048576 B", 1 << 20);
	parses("hbm.capacity", "1024 KiB", 1 << 20);
	parses("hbm.capacity", "1.5 MiB", 3 << 19);
	parses("hbm.capacity", "2GiB", 2ULL << 30);
	parses("hbm.capacity", " 1 TiB ", 1ULL << 40);
	parses("hbm.capacity", "2000 KB", 2000000);
	parses("hbm.capacity", "2000 kB", 2000000);
	parses("hbm.capacity", "1.5 MB", 1500000);
	parses("hbm.capacity", "1.000000001 GB", 1000000001);
	parses("hbm.capacity", "0.5 TB", 500000000000);
}

static void test_each_unit_of_bandwidth_is_read(void **state)
{
	parses("hbm.bandwidth", "5 B/s", 5);
	parses("hbm.bandwidth", "5 KB/s", 5000);
	parses("hbm.bandwidth", "5 MB/s", 5000000);
	parses("hbm.bandwidth", "25 GB/s", 25000000000);
	parses("hbm.bandwidth", "3.35 TB/s", 3350000000000);
	parses("hbm.bandwidth", "1 GiB/s", 1 << 30);
	parses("hbm.bandwidth", "100 Gbit/s", 12500000000);
}

static void test_each_unit_of_time_is_read(void **state)
{
	parses("latency", "7 ps", 7);
	parses("latency", "400 ns", 400000);
	parses("latency", "1.3 us", 1300000);
	parses("latency", "1.3 \xc2\xb5s", 1300000);
	parses("latency", "2 ms", 2000000000);
	parses("latency", "18446744.073709551615 s", U64_MAX);
}

static void test_other_quantities_are_read(void **state)
{
	parses("flops", "19.5 TFLOP/s", 19500000000000);
	parses("flops", "1.2 EFLOP/s", 1200000000000000000);
	parses("duplex", "51 %", 51);
	parses("duplex", "51%", 51);
	parses("seed", "18446744073709551615", U64_MAX);
	parses("count", "4294967295", U32_MAX);
	parses("count", "007", 7);
	parses("count", "5.0", 5);
}

static void test_decimals_are_exact(void **state)
{
	/* 0.1 + 0.2 in binary is not 0.3; in powers of ten it is */
	parses("latency", "0.3 s", 300000000000);
	parses("latency", "1.000000000001 s", 1000000000001);
	parses("latency", "9007199.254740993 s", 9007199254740993000); /* 2^53 + 1 us */
	fails("hbm.capacity", "1.0000001 GiB", "\"1.0000001 GiB\" is not a whole number of bytes");
}

static void test_times_and_rates_round_to_the_nearest(void **state)
{
	parses("latency", "1.4 ps", 1);
	parses("latency", "1.5 ps", 2);
	parses("latency", "0.0015 ns", 2);
	parses("hbm.bandwidth", "1.0004 KB/s", 1000);
}

static void test_a_bare_number_where_a_unit_is_due_is_refused(void **state)
{
	fails("hbm.capacity", "40", "a size needs a unit, such as \"40 GiB\"");
	fails("hbm.capacity", "0", "a size needs a unit, such as \"40 GiB\"");
	fails("hbm.bandwidth", "25", "a bandwidth needs a unit, such as \"25 GB/s\"");
	fails("latency", "1.3", "a time needs a unit, such as \"1.3 us\"");
	fails("duplex", "51", "a percentage needs a unit, such as \"51 %\"");
	fails("setup", "2", "a time needs a unit, such as \"1.3 us\"");
}

static void test_a_unit_of_another_kind_is_named(void **state)
{
	fails("hbm.capacity", "25 GB/s",
	      "\"25 GB/s\" is a bandwidth; a size is due, such as \"40 GiB\"");
	fails("latency", "3 GiB", "\"3 GiB\" is a size; a time is due, such as \"1.3 us\"");
	fails("count", "3 us", "\"3 us\" is a time; a number is due, such as \"12\"");
}

static void test_a_unit_that_is_nearly_one_is_suggested(void **state)
{
	fails("hbm.capacity", "40 gib", "unknown unit in \"40 gib\"; did you mean \"GiB\"?");
	fails("flops", "3 TFLOPS", "unknown unit in \"3 TFLOPS\"; did you mean \"TFLOP/s\"?");
	fails("hbm.capacity", "4 apples",
	      "unknown unit in \"4 apples\"; write a size as in \"40 GiB\"");
}

static void test_what_is_no_number_is_refused(void **state)
{
	fails("hbm.capacity", "much", "\"much\" is not a size, such as \"40 GiB\"");
	fails("hbm.capacity", "", "\"\" is not a size, such as \"40 GiB\"");
	fails("hbm.capacity", "-1 GiB",
	      "\"-1 GiB\" is negative; a size is due, such as \"40 GiB\"");
	fails("count", "nan", "\"nan\" is not a number, such as \"12\"");
	fails("count", "0x10", "unknown unit in \"0x10\"; write a number as in \"12\"");
	fails("count", "1.5", "\"1.5\" is not a whole number");
	fails("scale", "inf", "\"inf\" is not a number, such as \"12\"");
	fails("scale", "-1", "\"-1\" is negative; a number is due, such as \"12\"");
}

static void test_ranges_are_named_in_the_users_units(void **state)
{
	fails("hbm.capacity", "9 TiB", "\"9 TiB\" is out of range: 1 MiB to 8 TiB");
	fails("hbm.capacity", "1 KiB", "\"1 KiB\" is out of range: 1 MiB to 8 TiB");
	fails("hbm.bandwidth", "0 B/s", "\"0 B/s\" is out of range: at least 1 B/s");
	fails("duplex", "101 %", "\"101 %\" is out of range: 0 % to 100 %");
	fails("count", "4294967296", "\"4294967296\" is out of range: 1 to 4294967295");
	fails("scale", "1e999", "\"1e999\" is out of range: 0 to 100");
	fails("seed", "18446744073709551616",
	      "\"18446744073709551616\" is out of range: 0 to 18446744073709551615");
	fails("seed", "184467440737095516160", "\"184467440737095516160\" has too many digits");
	fails("flops", "99999999999999999999 EFLOP/s",
	      "\"99999999999999999999 EFLOP/s\" is out of range: 0 FLOP/s to "
	      "18446744073709551615 FLOP/s");
}

static void test_booleans_have_three_spellings(void **state)
{
	static const char *const yes[] = { "true", "yes", "on", "True" };
	static const char *const no[] = { "false", "no", "off", "OFF" };
	const char *why;
	struct dev d;

	for (size_t i = 0; i < GS_ARRAY_SIZE(yes); i++) {
		assert_int_equal(gs_param_parse(row_of("pinned"), yes[i], &d, &why), 0);
		assert_true(d.pinned);
		assert_int_equal(gs_param_parse(row_of("pinned"), no[i], &d, &why), 0);
		assert_false(d.pinned);
	}
	fails("pinned", "1", "\"1\" is neither true nor false");
}

static void test_enums_list_their_names(void **state)
{
	parses("evictor", "fifo", 0);
	fails("evictor", "lur", "\"lur\" is none of fifo, lru, clock; did you mean \"lru\"?");
	fails("evictor", "belady", "\"belady\" is none of fifo, lru, clock");
}

static void formats(const char *key, u64 v, const char *expected)
{
	const struct gm_param *row = row_of(key);
	struct dev d = { 0 };
	char buf[64];

	memcpy((char *)&d + row->offset, &v, row->kind == GM_KIND_U64 ? 8 : 4);
	gs_param_format(row, &d, buf, sizeof(buf));
	assert_string_equal(buf, expected);
}

static void test_values_are_spelt_in_the_unit_that_fits(void **state)
{
	formats("hbm.capacity", 40ULL << 30, "40 GiB");
	formats("hbm.capacity", 3ULL << 29, "1.5 GiB");
	formats("hbm.capacity", 1500000000, "1.5 GB");
	formats("hbm.capacity", 0, "0 B");
	formats("hbm.capacity", 1000001, "1000001 B");
	formats("hbm.bandwidth", 25000000000, "25 GB/s");
	formats("latency", 1300000, "1.3 us");
	formats("latency", U64_MAX, "18446744073709551615 ps");
	formats("duplex", 51, "51 %");
	formats("seed", U64_MAX, "18446744073709551615");
}

/* Values of all magnitudes: the bits of a random number, shifted anywhere. */
static void test_what_is_formatted_parses_to_the_same(void **state)
{
	static const struct gm_param any[] = {
		GM_P_U64(struct dev, capacity, "b", GM_BYTES, "", 0, U64_MAX, "", ""),
		GM_P_U64(struct dev, capacity, "r", GM_BPS, "", 0, U64_MAX, "", ""),
		GM_P_U64(struct dev, capacity, "t", GM_PS, "", 0, U64_MAX, "", ""),
		GM_P_U64(struct dev, capacity, "f", GM_FLOPS, "", 0, U64_MAX, "", ""),
		GM_P_U64(struct dev, capacity, "p", GM_PERCENT, "", 0, U64_MAX, "", ""),
		GM_P_U64(struct dev, capacity, "n", GM_NONE, "", 0, U64_MAX, "", ""),
	};
	struct gs_rng *r = gs_rng_new(1, "format");

	for (u32 i = 0; i < 20000; i++) {
		const struct gm_param *row = &any[i % GS_ARRAY_SIZE(any)];
		struct dev a = { 0 }, b = { 0 };
		u64 round = gs_rng_below(r, 2) ? 1 : 1000000;
		const char *why = "";
		char buf[64];

		a.capacity = (gs_rng_bits(r) >> gs_rng_below(r, 64)) / round * round;
		gs_param_format(row, &a, buf, sizeof(buf));
		if (gs_param_parse(row, buf, &b, &why))
			fail_msg("%s: %s", buf, why);
		if (a.capacity != b.capacity)
			fail_msg("%llu became %s", a.capacity, buf);
	}
	gs_rng_free(r);
}

static void test_reals_parse_to_the_same_bits(void **state)
{
	static const struct gm_param any[] = {
		GM_P_REAL(struct dev, scale, "n", GM_NONE, "", 0, U64_MAX, "", ""),
		GM_P_REAL(struct dev, scale, "t", GM_PS, "", 0, U64_MAX, "", ""),
	};
	struct gs_rng *r = gs_rng_new(2, "format");

	for (u32 i = 0; i < 5000; i++) {
		struct dev a = { .scale = gs_rng_exponential(r, 1e6) / (1 + (double)i) };
		struct dev b = { 0 };
		const char *why = "";
		char buf[64];

		gs_param_format(&any[i % 2], &a, buf, sizeof(buf));
		assert_int_equal(gs_param_parse(&any[i % 2], buf, &b, &why), 0);
		assert_true(a.scale == b.scale);
	}
	gs_rng_free(r);
}

/* ---- keys ----------------------------------------------------------------- */

static void test_unknown_keys_name_the_nearest(void **state)
{
	refuse("device:\n  hbm:\n    capcity: 4 GiB\n",
	       "c.yaml:3:5: device.hbm.capcity: unknown key; did you mean "
	       "\"device.hbm.capacity\"?");
}

static void test_an_unknown_section_names_the_nearest(void **state)
{
	refuse("devise:\n  x: 1\n", "c.yaml:1:1: devise: unknown key; did you mean \"device\"?");
}

static void test_a_known_word_at_the_wrong_place_is_found(void **state)
{
	refuse("hbm:\n  capacity: 4 GiB\n",
	       "c.yaml:1:1: hbm: unknown key; did you mean \"device.hbm\"?");
}

static void test_a_strange_key_is_refused(void **state)
{
	refuse("device:\n  zzzzzzzz: 1\n",
	       "c.yaml:2:3: device.zzzzzzzz: unknown key; see --help-config");
}

static void test_dots_in_keys_of_files_are_refused(void **state)
{
	refuse("device.count: 4\n",
	       "c.yaml:1:1: device.count: keys nest in a file: write \"device:\" and below it "
	       "\"count:\"");
}

static void test_a_key_written_twice_is_refused(void **state)
{
	refuse("device:\n  count: 1\n  seed: 2\n  count: 3\n",
	       "c.yaml:4:3: count: this key was written already, in line 2");
}

static void test_keys_where_a_value_is_due_are_refused(void **state)
{
	refuse("device:\n  count: {a: 1}\n",
	       "c.yaml:2:10: device.count: a single value is due, not keys");
}

static void test_a_list_where_a_value_is_due_is_refused(void **state)
{
	refuse("device:\n  count: [1, 2]\n",
	       "c.yaml:2:10: device.count: a single value is due, not a list");
}

static void test_nothing_where_a_value_is_due_is_refused(void **state)
{
	refuse("device:\n  count:\n",
	       "c.yaml:2:9: device.count: a single value is due, not nothing");
}

static void test_a_value_where_keys_are_due_is_refused(void **state)
{
	refuse("device: 4\n", "c.yaml:1:9: device: keys are due below it, not a single value");
}

static void test_a_section_may_be_empty(void **state)
{
	accept("device:\n  hbm:\n");
}

static void test_a_file_that_is_no_mapping_is_refused(void **state)
{
	refuse("- a\n- b\n", "c.yaml:1:1: \"key: value\" is due");
}

static void test_ignored_sections_are_another_readers(void **state)
{
	accept("sweep:\n  axes:\n    device.count: [1, 2]\n    x: {}\n");
	refuse("sweeps: 1\n", "c.yaml:1:1: sweeps: unknown key; see --help-config");
}

static void test_a_key_without_default_must_be_written(void **state)
{
	static const struct gm_param rows[] = { GM_P_STR(struct dev, name, "name", NULL, "", ""),
						GM_P_END };
	const struct gs_section need[] = { { "job", rows, &dev }, { NULL, NULL, NULL } };
	const struct gs_section only_checked[] = { { "job", rows, NULL }, { NULL, NULL, NULL } };

	listen();
	assert_int_equal(gs_config_bind(cfg, need, NULL), -EINVAL);
	assert_int_equal(gs_config_bind(cfg, only_checked, NULL), 0);
	hear();
	assert_string_equal(said,
			    "gmemsim: job.name: this key has no default and must be written\n");
}

static void test_a_section_without_a_struct_is_checked_all_the_same(void **state)
{
	const struct gs_section only_checked[] = { { "device", dev_rows, NULL },
						   { NULL, NULL, NULL } };

	write_text("c.yaml", "device: {count: many}\n");
	assert_int_equal(gs_config_load(cfg, "c.yaml"), 0);
	listen();
	assert_int_equal(gs_config_bind(cfg, only_checked, NULL), -EINVAL);
	hear();
	assert_string_equal(said, "gmemsim: c.yaml:1:17: device.count: \"many\" is not a number, "
				  "such as \"12\"\n");
}

/* ---- YAML that is none ------------------------------------------------------ */

static void test_syntax_errors_have_a_position(void **state)
{
	refuse("device: [1, 2\n", "c.yaml:2:1: did not find expected ',' or ']' (while parsing a "
				  "flow sequence that begins in line 1)");
}

static void test_tabs_are_named(void **state)
{
	refuse("device:\n\tcount: 1\n",
	       "c.yaml:2:1: found character that cannot start any token (while scanning for the "
	       "next token that begins in line 2); indent with spaces, not tabs");
}

static void test_bytes_that_are_no_utf8_have_a_position(void **state)
{
	refuse("device:\n  name: \xff\n", "c.yaml:2:9: invalid leading UTF-8 octet");
}

static void test_a_second_document_is_refused(void **state)
{
	refuse("sweep: 1\n---\nsweep: 2\n",
	       "c.yaml:2:1: a second document; a configuration is one");
}

static void test_an_anchor_inside_itself_is_refused(void **state)
{
	refuse("sweep: &a [*a]\n", "c.yaml:1:8: more than 32768 values, or nested deeper than 64");
}

static void test_a_billion_laughs_are_refused(void **state)
{
	char yaml[1024] = "sweep:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";

	for (int i = 1; i < 10; i++) {
		size_t n = strlen(yaml);
		int p = i - 1;

		snprintf(yaml + n, sizeof(yaml) - n, "  a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d]\n", i,
			 i, p, p, p, p, p);
	}
	write_text("c.yaml", yaml);
	assert_int_equal(load_and_bind("c.yaml", NULL), -EINVAL);
	assert_non_null(strstr(said, "more than 32768 values"));
}

static void test_a_null_character_is_refused(void **state)
{
	refuse("device:\n  name: \"a\\0b\"\n", "c.yaml:2:9: a NUL character in a value");
}

static void test_an_anchor_used_with_measure_is_fine(void **state)
{
	accept("sweep: &n 3\ndevice: {count: *n}\n");
	assert_int_equal(dev.count, 3);
}

/* ---- files ------------------------------------------------------------------ */

static void test_a_base_is_overridden_key_by_key(void **state)
{
	write_text("b.yaml", "device:\n  hbm: {capacity: 80 GiB}\n  count: 2\n  duplex: 7 %\n");
	accept("base: b.yaml\ndevice:\n  count: 3\n");
	assert_true(dev.capacity == 80ULL << 30);
	assert_int_equal(dev.count, 3);
	assert_int_equal(dev.duplex, 7);
}

static void test_of_several_bases_the_last_wins(void **state)
{
	write_text("a.yaml", "device: {count: 2, duplex: 8 %}\n");
	write_text("b.yaml", "device: {count: 5}\n");
	accept("device: {seed: 4}\nbase: [a.yaml, b.yaml]\n");
	assert_int_equal(dev.count, 5);
	assert_int_equal(dev.duplex, 8);
	assert_int_equal(dev.seed, 4);
}

static void test_a_base_is_relative_to_the_file_that_names_it(void **state)
{
	assert_int_equal(mkdir("d", 0777), 0);
	write_text("d/e.yaml", "base: ../b.yaml\n");
	write_text("b.yaml", "device: {count: 6}\n");
	accept("base: d/e.yaml\n");
	assert_int_equal(dev.count, 6);
	assert_string_equal(gs_config_dir(cfg, "device.count"), "d/..");
	assert_string_equal(gs_config_dir(cfg, "device.seed"), ".");
}

static void test_a_value_from_a_base_is_placed_there(void **state)
{
	write_text("b.yaml", "device:\n  count: 0\n");
	refuse("base: b.yaml\n",
	       "b.yaml:2:10: device.count: \"0\" is out of range: 1 to 4294967295");
}

static void test_a_file_that_is_its_own_base_is_named_with_the_chain(void **state)
{
	write_text("a.yaml", "base: b.yaml\n");
	write_text("b.yaml", "base: a.yaml\n");
	refuse("base: a.yaml\n",
	       "b.yaml:1:7: base: a file cannot be its own base: a.yaml -> b.yaml -> a.yaml");
}

static void test_a_base_read_twice_is_no_cycle(void **state)
{
	write_text("a.yaml", "device: {count: 7}\n");
	write_text("b.yaml", "base: a.yaml\n");
	accept("base: [a.yaml, b.yaml, a.yaml]\n");
	assert_int_equal(dev.count, 7);
}

static void test_a_missing_base_says_who_wanted_it(void **state)
{
	write_text("c.yaml", "base:\n  - none.yaml\n");
	assert_int_equal(load_and_bind("c.yaml", NULL), -ENOENT);
	assert_string_equal(said, "gmemsim: c.yaml:2:5: base: cannot read none.yaml: No such file "
				  "or directory\n");
}

static void test_a_missing_file_is_said(void **state)
{
	assert_int_equal(load_and_bind("none.yaml", NULL), -ENOENT);
	assert_string_equal(said, "gmemsim: cannot read none.yaml: No such file or directory\n");
}

static void test_a_folder_is_no_file(void **state)
{
	assert_int_equal(load_and_bind("/", NULL), -EISDIR);
	assert_string_equal(said, "gmemsim: cannot read /: Is a directory\n");
}

static void test_a_base_that_is_no_name_is_refused(void **state)
{
	refuse("base: {a: b}\n", "c.yaml:1:7: base: a file name or a list of them is due");
	refuse("base: [\"\"]\n", "c.yaml:1:8: base: a file name or a list of them is due");
}

static void test_an_empty_section_hides_no_base(void **state)
{
	write_text("b.yaml", "device: {count: 2}\n");
	accept("base: b.yaml\ndevice:\n");
	assert_int_equal(dev.count, 2);
}

/* ---- --set -------------------------------------------------------------------- */

static void test_set_wins_over_files(void **state)
{
	write_text("c.yaml", "device: {count: 2, hbm: {capacity: 1 GiB}}\n");
	assert_int_equal(load_and_bind("c.yaml", "device.hbm.capacity=2 GiB"), 0);
	assert_true(dev.capacity == 2ULL << 30);
	assert_int_equal(dev.count, 2);
}

static void test_the_last_set_wins_and_bound_strings_stay(void **state)
{
	const char *first;

	assert_int_equal(gs_config_set(cfg, "device.name=a=b"), 0);
	assert_int_equal(gs_config_bind(cfg, sections, ignore), 0);
	first = dev.name;
	assert_int_equal(gs_config_set(cfg, "device.name="), 0);
	assert_int_equal(gs_config_bind(cfg, sections, ignore), 0);
	assert_string_equal(first, "a=b");
	assert_string_equal(dev.name, "");
}

static void test_errors_of_set_print_it_as_typed(void **state)
{
	refuse_set("device.hbm.capacity=40",
		   "device.hbm.capacity: a size needs a unit, such as \"40 GiB\"");
	refuse_set("device.cuont=4", "device.cuont: unknown key; did you mean \"device.count\"?");
}

static void test_set_without_key_or_value_is_refused(void **state)
{
	refuse_set("device.count", "write --set key.path=value");
	refuse_set("=4", "write --set key.path=value");
	refuse_set("device..count=4", "write --set key.path=value");
	refuse_set(".device=4", "write --set key.path=value");
	refuse_set("device.=4", "write --set key.path=value");
	refuse_set("device.name=\xff", "not UTF-8");
}

static void test_set_takes_lists(void **state)
{
	const char *key, *value;

	assert_int_equal(gs_config_set(cfg, "sweep.x=[1 GiB, {a: b}]"), 0);
	assert_int_equal(gs_config_children(cfg, "sweep.x"), 2);
	assert_int_equal(gs_config_child(cfg, "sweep.x", 0, &key, &value), 0);
	assert_string_equal(value, "1 GiB");
	assert_string_equal(key, "");
	assert_int_equal(gs_config_child(cfg, "sweep.x", 1, &key, &value), 0);
	assert_null(value);
	assert_int_equal(gs_config_child(cfg, "sweep.x", 2, &key, &value), -ENOENT);
}

/* ---- questions ------------------------------------------------------------------ */

static void test_raw_access_reads_what_rows_do_not(void **state)
{
	const char *key, *value;

	accept("sweep:\n  axes:\n    device.count: [1, 2, 3]\n    b: {c: d}\n  list: [{x: y}]\n");
	assert_int_equal(gs_config_children(cfg, "sweep.axes"), 2);
	assert_int_equal(gs_config_child(cfg, "sweep.axes", 0, &key, &value), 0);
	assert_string_equal(key, "device.count");
	assert_null(value);
	assert_int_equal(gs_config_children(cfg, "sweep.axes.device.count"), 3);
	assert_string_equal(gs_config_get(cfg, "sweep.axes.device.count.2"), "3");
	assert_string_equal(gs_config_get(cfg, "sweep.axes.b.c"), "d");
	assert_string_equal(gs_config_get(cfg, "sweep.list.0.x"), "y");
	assert_null(gs_config_get(cfg, "sweep.list.1.x"));
	assert_null(gs_config_get(cfg, "sweep.axes"));
	assert_null(gs_config_get(cfg, "nowhere"));
	assert_int_equal(gs_config_children(cfg, "nowhere"), 0);
}

static void test_errors_of_others_have_the_place_too(void **state)
{
	accept("device:\n  name: x\n");
	listen();
	assert_int_equal(gs_config_error(cfg, "device.name", "no file %s", "x"), -EINVAL);
	gs_config_error(cfg, "device.count", "too many");
	hear();
	assert_string_equal(said, "gmemsim: c.yaml:2:9: device.name: no file x\n"
				  "gmemsim: (default): device.count: too many\n");
}

static void test_control_characters_do_not_reach_the_terminal(void **state)
{
	refuse("\"a\\e[2Jb\": 1\n", "c.yaml:1:1: a?[2Jb: unknown key; see --help-config");
}

/* ---- printing ------------------------------------------------------------------- */

static char *yaml_of_effective(void)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	gs_config_print_yaml(f, sections);
	fclose(f);
	return text;
}

static void test_the_effective_configuration_loads_back_as_the_same(void **state)
{
	struct dev before;
	char *first, *second;

	assert_int_equal(gs_config_set(cfg,
				       "device.name=q\" \\ \t \xc2\x85 \xef\xbb\xbf \x7f: - #"),
			 0);
	assert_int_equal(gs_config_set(cfg, "device.scale=0.1"), 0);
	assert_int_equal(gs_config_set(cfg, "device.latency=1.234567 us"), 0);
	assert_int_equal(gs_config_bind(cfg, sections, ignore), 0);
	before = dev;
	first = yaml_of_effective();
	accept(first);
	second = yaml_of_effective();
	assert_string_equal(first, second);
	assert_string_equal(dev.name, before.name);
	before.name = dev.name;
	assert_memory_equal(&before, &dev, offsetof(struct dev, pinned));
	assert_true(before.scale == dev.scale && before.setup == dev.setup);
	free(first);
	free(second);
}

static void test_sections_that_share_a_prefix_are_one_mapping(void **state)
{
	char *text;

	accept("");
	text = yaml_of_effective();
	assert_string_equal(text, "device:\n"
				  "  hbm:\n"
				  "    capacity: 40 GiB\n"
				  "    bandwidth: 1555 GB/s\n"
				  "  latency: 1.3 us\n"
				  "  flops: 19.5 TFLOP/s\n"
				  "  seed: 1\n"
				  "  duplex: 51 %\n"
				  "  count: 1\n"
				  "  evictor: lru\n"
				  "  pinned: false\n"
				  "  name: \"\"\n"
				  "  scale: 1.5\n"
				  "  setup: 2000 ps\n"
				  "  tree:\n"
				  "    depth: 4\n");
	free(text);
}

static void test_json_has_numbers_bare_and_units_as_text(void **state)
{
	struct gs_json j;
	char *text;
	size_t size;

	accept("");
	gs_json_init(&j, open_memstream(&text, &size), false);
	gs_json_object(&j, NULL);
	gs_config_print_json(&j, sections);
	gs_json_end(&j);
	fclose(j.f);
	assert_string_equal(text,
			    "{\"device\":{\"hbm\":{\"capacity\":\"40 GiB\",\"bandwidth\":"
			    "\"1555 GB/s\"},\"latency\":\"1.3 us\",\"flops\":\"19.5 TFLOP/s\","
			    "\"seed\":1,\"duplex\":\"51 %\",\"count\":1,\"evictor\":\"lru\","
			    "\"pinned\":false,\"name\":\"\",\"scale\":1.5,\"setup\":\"2000 ps\","
			    "\"tree\":{\"depth\":4}}}");
	free(text);
}

static char *help(bool markdown)
{
	char *text;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	gs_config_print_help(f, sections, markdown);
	fclose(f);
	return text;
}

static void test_help_tells_all_of_a_row(void **state)
{
	char *text = help(false);

	assert_non_null(strstr(text,
			       "  device.hbm.capacity = 40 GiB\n"
			       "        Memory of one device\n"
			       "        takes a size, 1 MiB to 8 TiB; default from: datasheet\n"));
	assert_non_null(strstr(text, "takes fifo, lru, clock"));
	assert_non_null(strstr(text, "takes a bandwidth, at least 1 B/s;"));
	assert_non_null(strstr(text, "  device.tree.depth = 4\n"));
	free(text);
}

static void test_the_schema_escapes_bars(void **state)
{
	char *text = help(true);

	assert_non_null(strstr(text, "| `device.latency` | 1.3 us | a time | First \\| last byte | "
				     "guess: none |\n"));
	assert_non_null(strstr(text, "| `device.name` | \"\" | text | Name |  |\n"));
	free(text);
}

/* ---- garbage -------------------------------------------------------------------- */

static const char seed_text[] = "base: [b.yaml]\n"
				"device: &d\n"
				"  hbm: {capacity: 40 GiB, bandwidth: \"1.5 TB/s\"}\n"
				"  latency: 1.3 us # comment\n"
				"  name: 'it''s'\n"
				"  tree:\n"
				"    depth: 4\n"
				"sweep:\n"
				"  axes: {device.count: [1, 2], x: *d}\n"
				"  text: |\n"
				"    block\n"
				"    more\n";

/* Some bytes of a good file become others; some go, some come twice. */
static size_t mutate(struct gs_rng *r, char *buf, size_t n, size_t size)
{
	static const char spice[] = "\0\t\n\r []{}:,-&*?|>'\"%#!~.\x80\xff\xc3";
	u64 rounds = 1 + gs_rng_below(r, 6);

	for (u64 i = 0; i < rounds && n > 2; i++) {
		size_t at = gs_rng_below(r, n), len = 1 + gs_rng_below(r, gs_min(n - at, 40));
		u64 how = gs_rng_below(r, 4);

		if (how == 0) {
			buf[at] = spice[gs_rng_below(r, sizeof(spice))];
		} else if (how == 1) {
			buf[at] = (char)gs_rng_bits(r);
		} else if (how == 2) {
			memmove(buf + at, buf + at + len, n - at - len);
			n -= len;
		} else if (n + len <= size) {
			memmove(buf + at + len, buf + at, n - at);
			n += len;
		}
	}
	return n;
}

static void test_mutated_files_are_read_or_refused_but_never_crash(void **state)
{
	struct gs_rng *r = gs_rng_new(3, "mutate");
	u32 bound = 0;

	write_text("b.yaml", "device: {count: 2}\n");
	listen();
	for (u32 i = 0; i < 4000; i++) {
		struct gs_config *c = gs_config_new();
		char buf[1024];
		size_t n = sizeof(seed_text) - 1;

		memcpy(buf, seed_text, n);
		n = mutate(r, buf, n, sizeof(buf));
		write_bytes("c.yaml", buf, n);
		if (!gs_config_load(c, "c.yaml"))
			bound += !gs_config_bind(c, sections, ignore);
		gs_config_free(c);
		rewind(stderr); /* thousands of messages; only the last matters */
	}
	hear();
	gs_rng_free(r);
	assert_in_range(bound, 1, 3999);
}

static void deep(const char *piece, u32 times, const char *expected)
{
	size_t len = strlen(piece);
	char *text = gs_calloc(times * len + 8, 1);
	int n = snprintf(text, 8, "sweep: "), err;

	for (u32 i = 0; i < times; i++)
		memcpy(text + n + i * len, piece, len);
	write_text("c.yaml", text);
	err = load_and_bind("c.yaml", NULL);
	free(text);
	assert_int_equal(err, -EINVAL);
	assert_non_null(strstr(said, expected));
}

static void test_deep_nesting_is_refused(void **state)
{
	deep("[", 100000, "c.yaml:1:71: nested deeper than 64");
	deep("{a: ", 100000, "c.yaml:1:");
	write_text("c.yaml",
		   "sweep:\n"
		   " - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -"
		   " - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - x\n");
	assert_int_equal(load_and_bind("c.yaml", NULL), -EINVAL);
	assert_non_null(strstr(said, "nested deeper than 64"));
}

static void test_random_numbers_with_units_never_crash(void **state)
{
	static const char letters[] = "0123456789.e+- %KMGTiBbs/FLOPnump\xc2\xb5";
	struct gs_rng *r = gs_rng_new(4, "numbers");

	for (u32 i = 0; i < 20000; i++) {
		char text[40];
		size_t n = gs_rng_below(r, sizeof(text));
		const char *why = NULL;
		struct dev d;

		for (size_t k = 0; k < n; k++)
			text[k] = letters[gs_rng_below(r, sizeof(letters) - 1)];
		text[n] = 0;
		for (const struct gm_param *row = dev_rows; row->key; row++)
			if (gs_param_parse(row, text, &d, &why))
				assert_non_null(why);
	}
	gs_rng_free(r);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_defaults_fill_what_is_not_written),
		TEST(test_written_values_win_over_defaults),
		TEST(test_each_unit_of_size_is_read),
		TEST(test_each_unit_of_bandwidth_is_read),
		TEST(test_each_unit_of_time_is_read),
		TEST(test_other_quantities_are_read),
		TEST(test_decimals_are_exact),
		TEST(test_times_and_rates_round_to_the_nearest),
		TEST(test_a_bare_number_where_a_unit_is_due_is_refused),
		TEST(test_a_unit_of_another_kind_is_named),
		TEST(test_a_unit_that_is_nearly_one_is_suggested),
		TEST(test_what_is_no_number_is_refused),
		TEST(test_ranges_are_named_in_the_users_units),
		TEST(test_booleans_have_three_spellings),
		TEST(test_enums_list_their_names),
		TEST(test_values_are_spelt_in_the_unit_that_fits),
		TEST(test_what_is_formatted_parses_to_the_same),
		TEST(test_reals_parse_to_the_same_bits),
		TEST(test_unknown_keys_name_the_nearest),
		TEST(test_an_unknown_section_names_the_nearest),
		TEST(test_a_known_word_at_the_wrong_place_is_found),
		TEST(test_a_strange_key_is_refused),
		TEST(test_dots_in_keys_of_files_are_refused),
		TEST(test_a_key_written_twice_is_refused),
		TEST(test_keys_where_a_value_is_due_are_refused),
		TEST(test_a_list_where_a_value_is_due_is_refused),
		TEST(test_nothing_where_a_value_is_due_is_refused),
		TEST(test_a_value_where_keys_are_due_is_refused),
		TEST(test_a_section_may_be_empty),
		TEST(test_a_file_that_is_no_mapping_is_refused),
		TEST(test_ignored_sections_are_another_readers),
		TEST(test_a_key_without_default_must_be_written),
		TEST(test_a_section_without_a_struct_is_checked_all_the_same),
		TEST(test_syntax_errors_have_a_position),
		TEST(test_tabs_are_named),
		TEST(test_bytes_that_are_no_utf8_have_a_position),
		TEST(test_a_second_document_is_refused),
		TEST(test_an_anchor_inside_itself_is_refused),
		TEST(test_a_billion_laughs_are_refused),
		TEST(test_a_null_character_is_refused),
		TEST(test_an_anchor_used_with_measure_is_fine),
		TEST(test_a_base_is_overridden_key_by_key),
		TEST(test_of_several_bases_the_last_wins),
		TEST(test_a_base_is_relative_to_the_file_that_names_it),
		TEST(test_a_value_from_a_base_is_placed_there),
		TEST(test_a_file_that_is_its_own_base_is_named_with_the_chain),
		TEST(test_a_base_read_twice_is_no_cycle),
		TEST(test_a_missing_base_says_who_wanted_it),
		TEST(test_a_missing_file_is_said),
		TEST(test_a_folder_is_no_file),
		TEST(test_a_base_that_is_no_name_is_refused),
		TEST(test_an_empty_section_hides_no_base),
		TEST(test_set_wins_over_files),
		TEST(test_the_last_set_wins_and_bound_strings_stay),
		TEST(test_errors_of_set_print_it_as_typed),
		TEST(test_set_without_key_or_value_is_refused),
		TEST(test_set_takes_lists),
		TEST(test_raw_access_reads_what_rows_do_not),
		TEST(test_errors_of_others_have_the_place_too),
		TEST(test_control_characters_do_not_reach_the_terminal),
		TEST(test_the_effective_configuration_loads_back_as_the_same),
		TEST(test_sections_that_share_a_prefix_are_one_mapping),
		TEST(test_json_has_numbers_bare_and_units_as_text),
		TEST(test_help_tells_all_of_a_row),
		TEST(test_the_schema_escapes_bars),
		TEST(test_mutated_files_are_read_or_refused_but_never_crash),
		TEST(test_deep_nesting_is_refused),
		TEST(test_random_numbers_with_units_never_crash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
