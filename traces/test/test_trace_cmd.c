/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_trace_cmd.c - the commands `gmemsim trace ...` as a user types them */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "sim/out.h"
#include "traces/test/command.h"
#include "traces/test/files.h"
#include "traces/test/ops.h"

static const char file[] = "build/test_trace_cmd.gmt", copy[] = "build/test_trace_cmd_copy.gmt",
		  text[] = "build/test_trace_cmd.jsonl";

static void contains(const char *where, const char *words)
{
	if (!strstr(where, words))
		fail_msg("wanted '%s', got '%s'", words, where);
}

static void write_random(u64 seed, u64 n)
{
	assert_int_equal(tr_writer_finish(ops_write(file, seed, n)), 0);
}

static void wrong_usage_is_the_users_fault(void **state)
{
	static const char *const words[][2] = {
		{ "", "usage: gmemsim trace COMMAND" },
		{ "nonsense", "there is no command 'nonsense'" },
		{ "inof x", "did you mean 'info'?" },
		{ "info", "trace info: no FILE; usage: gmemsim trace info FILE..." },
		{ "stat", "one FILE is wanted" },
		{ "stat --top x a", "'x' is not a number" },
		{ "cat a b", "one FILE is wanted" },
		{ "cat --count", "--count wants a value" },
		{ "cat --nonsense a", "unknown option --nonsense" },
		{ "verify", "no FILE" },
		{ "verify build/no/such/file.gmt", "build/no/such/file.gmt: No such file" },
		{ "info build", "is not a file; a folder is imported" },
		{ "import", "no FORMAT" },
		{ "import g10", "one INPUT is wanted" },
		{ "import g1 x", "did you mean 'g10'?" },
		{ "import kineto x", "x: No such file" },
		{ "import et Makefile", "Makefile" },
		{ "cut x", "one of --iterations and --time is wanted" },
		{ "cut --iterations 2-1 x", "is empty" },
		{ "cut --time 1-2 x", "1-2" },
		{ "cut --precision 1 x", "want 0.0001 % to 10 %" },
		{ "merge x", "two FILEs or more" },
		{ "diff x", "two FILEs are wanted" },
	};

	for (size_t i = 0; i < GS_ARRAY_SIZE(words); i++) {
		assert_int_equal(run(words[i][0]), GS_EXIT_USER);
		contains(err, words[i][1]);
		assert_string_equal(out, "");
	}
}

static void every_command_has_help(void **state)
{
	static const char *const names[] = { "import", "info", "stat", "cat", "verify" };
	char words[64];

	assert_int_equal(run("--help"), GS_EXIT_OK);
	for (size_t i = 0; i < GS_ARRAY_SIZE(names); i++)
		contains(out, names[i]);
	for (size_t i = 0; i < GS_ARRAY_SIZE(names); i++) {
		snprintf(words, sizeof(words), "%s --help", names[i]);
		assert_int_equal(run(words), GS_EXIT_OK);
		contains(out, "usage: gmemsim trace ");
		contains(out, names[i]);
	}
}

static void verify_says_ok_or_why_not(void **state)
{
	FILE *f;

	write_random(4, 2000);
	assert_int_equal(run("verify build/test_trace_cmd.gmt"), GS_EXIT_OK);
	contains(out, "build/test_trace_cmd.gmt: ok, 2000 operations");
	f = fopen(file, "r+b");
	assert_non_null(f);
	fseek(f, 2000, SEEK_SET);
	fputs("damage", f);
	fclose(f);
	assert_int_equal(run("verify build/test_trace_cmd.gmt"), GS_EXIT_USER);
	contains(err, ": frame 0: ");
	truncate(file, 3000);
	assert_int_equal(run("verify build/test_trace_cmd.gmt"), GS_EXIT_USER);
	contains(err, "truncated");
}

static void info_shows_the_header(void **state)
{
	write_random(4, 2000);
	assert_int_equal(run("info build/test_trace_cmd.gmt"), GS_EXIT_OK);
	contains(out, "  name         random\n");
	contains(out, "  device       1: right\n");
	contains(out, "  operations   2000: ");
	contains(out, ".gmt 2.1, 1 frame, ");
}

static void a_rounded_trace_says_so(void **state)
{
	assert_int_equal(run("cut --precision 1% traces/sample/vit-small.gmt -o "
			     "build/test_trace_cmd.gmt"),
			 GS_EXIT_OK);
	assert_int_equal(run("info build/test_trace_cmd.gmt"), GS_EXIT_OK);
	contains(out, "CPU time; durations rounded to 1 %\n");
	contains(out, "35.4 s at full residency");
	assert_int_equal(run("diff build/test_trace_cmd.gmt traces/sample/vit-small.gmt"), 1);
	contains(out, " operations differ, place by place; where counts differ");
	contains(out, "\n  kernel ps ");
}

static void stat_counts(void **state)
{
	write_random(4, 2000);
	assert_int_equal(run("stat --top 3 build/test_trace_cmd.gmt"), GS_EXIT_OK);
	contains(out, "random: 2000 operations, ");
	contains(out, "\nkind ");
	contains(out, "\noperator class ");
	contains(out, " pages of 4096 bytes");
}

/* Three tensors of 64 bytes; t1 dies in between, t0 waits for it. */
static void stat_tells_lives_and_distances(void **state)
{
	static const char job[] =
		"{\"ev\":\"meta\",\"format\":\"gmemsim-jsonl\",\"version\":1,\"devices\":[\"d\"]}\n"
		"{\"ev\":\"alloc\",\"t\":0,\"bytes\":64,\"kind\":\"weight\"}\n"
		"{\"ev\":\"kernel\",\"name\":\"a\",\"ns\":10000,\"touch\":[[0,0,64,\"r\"]]}\n"
		"{\"ev\":\"alloc\",\"t\":1,\"bytes\":64}\n"
		"{\"ev\":\"alloc\",\"t\":2,\"bytes\":64}\n"
		"{\"ev\":\"kernel\",\"name\":\"b\",\"ns\":30000,\"touch\":[[1,0,64,\"w\"],[2,0,64,"
		"\"w\"]]}\n"
		"{\"ev\":\"free\",\"t\":1}\n"
		"{\"ev\":\"kernel\",\"name\":\"c\",\"ns\":60000,\"touch\":[[0,0,64,\"r\"]]}\n"
		"{\"ev\":\"end\",\"kernels\":3,\"iterations\":0}\n";
	size_t n;
	u8 *p;

	spill(text, job, sizeof(job) - 1);
	assert_int_equal(run("stat --csv build/test_trace_cmd_stat build/test_trace_cmd.jsonl"),
			 GS_EXIT_OK);
	contains(out, "most of it after 10 us of 100 us\n");
	contains(out, "weight              1     100 us   0.0 %  70.0 %  30.0 %   0.0 %\n");
	contains(out, "touched for the first time: 192 B, again: 64 B\n");
	/* 192 bytes lay above each other before t1 died; 64 of 192 bytes were a third too few */
	contains(out, "   100 %       192 B          0 B           0.0 %                  0 B\n");
	contains(out, "    90 %       173 B         19 B          30.0 %                 64 B\n");
	p = slurp("build/test_trace_cmd_stat/idle.csv", &n);
	p = gs_realloc_array(p, n + 1, 1);
	p[n] = 0;
	assert_string_equal((char *)p,
			    "tensor,kind,bytes,from,to\n0,weight,64,10000000,40000000\n");
	free(p);
	assert_int_equal(run("stat --csv build/test_trace_cmd_stat build/test_trace_cmd.jsonl"),
			 GS_EXIT_OK); /* again, in its place */
	assert_int_equal(run("stat --csv build build/test_trace_cmd.jsonl"), GS_EXIT_USER);
	contains(err, "build");
	gs_remove_tree("build/test_trace_cmd_stat");
}

static void cat_prints_one_line_an_operation(void **state)
{
	size_t lines = 0;

	write_random(4, 2000);
	assert_int_equal(run("cat --from 100 --count 50 build/test_trace_cmd.gmt"), GS_EXIT_OK);
	for (const char *p = out; *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 50);
	assert_memory_equal(out, "100 ", 4);
}

static void what_cat_prints_as_json_is_imported_to_the_same_file(void **state)
{
	for (u64 seed = 1; seed < 6; seed++) {
		size_t n, m;
		u8 *a, *b;

		write_random(seed, 3000);
		assert_int_equal(run("cat --json build/test_trace_cmd.gmt"), GS_EXIT_OK);
		spill(text, out, strlen(out));
		assert_int_equal(run("import jsonl build/test_trace_cmd.jsonl -o "
				     "build/test_trace_cmd_copy.gmt"),
				 GS_EXIT_OK);
		a = slurp(file, &n);
		b = slurp(copy, &m);
		assert_int_equal(n, m);
		assert_memory_equal(a, b, n);
		free(a);
		free(b);
	}
}

static void a_failed_import_leaves_nothing(void **state)
{
	static const char meta[] = "{\"ev\":\"meta\",\"format\":\"gmemsim-jsonl\",\"version\":1,"
				   "\"devices\":[\"x\"]}\n";

	spill(text, meta, sizeof(meta) - 1);
	unlink(copy);
	assert_int_equal(run("import jsonl build/test_trace_cmd.jsonl -o "
			     "build/test_trace_cmd_copy.gmt"),
			 GS_EXIT_USER);
	contains(err, "truncated");
	assert_int_equal(access(copy, F_OK), -1);
	assert_int_equal(run("import jsonl build/test_trace_cmd.jsonl -o build"), GS_EXIT_USER);
	contains(err, "build: is there already and is not a file");
	assert_int_equal(run("import jsonl build/test_trace_cmd.jsonl -o build/no/such/x.gmt"),
			 GS_EXIT_USER);
	contains(err, "build/no/such/x.gmt: cannot create");
}

/* A trace of one kernel, whose line is @kernel. */
static void import_kernel(const char *kernel, const char *to)
{
	char line[1024];

	snprintf(line, sizeof(line),
		 "{\"ev\":\"meta\",\"format\":\"gmemsim-jsonl\",\"version\":1,\"name\":\"k\","
		 "\"devices\":[\"\",\"b\"]}\n{\"ev\":\"alloc\",\"t\":0,\"bytes\":64}\n"
		 "{\"ev\":\"kernel\",%s}\n{\"ev\":\"end\",\"kernels\":1,\"iterations\":0}\n",
		 kernel);
	spill(text, line, strlen(line));
	snprintf(line, sizeof(line), "import jsonl %s -o %s", text, to);
	assert_int_equal(run(line), GS_EXIT_OK);
}

static void diff_sees_every_field_of_a_kernel(void **state)
{
	static const char *const other[] = {
		"\"name\":\"j\"",
		"\"name\":\"k\",\"class\":\"gemm\"",
		"\"name\":\"k\",\"dtype\":\"f32\"",
		"\"name\":\"k\",\"phase\":\"forward\"",
		"\"name\":\"k\",\"dev\":1",
		"\"name\":\"k\",\"stream\":1",
		"\"name\":\"k\",\"ps\":1",
		"\"name\":\"k\",\"fault_out_ps\":1",
		"\"name\":\"k\",\"fault_all_ps\":1",
		"\"name\":\"k\",\"flops\":1",
		"\"name\":\"k\",\"bytes\":1",
		"\"name\":\"k\",\"touch\":[[0,0,1,\"r\"]]",
	};
	static const char words[] = "diff build/test_trace_cmd.gmt build/test_trace_cmd_copy.gmt";

	import_kernel("\"name\":\"k\"", file);
	import_kernel("\"name\":\"k\"", copy);
	assert_int_equal(run(words), GS_EXIT_OK);
	contains(out, "the same: 2 operations");
	for (size_t i = 0; i < GS_ARRAY_SIZE(other); i++) {
		import_kernel(other[i], copy);
		assert_int_equal(run(words), GS_EXIT_FAILED);
		contains(out, "1 operations differ");
	}
}

static void a_device_may_have_no_name(void **state)
{
	import_kernel("\"name\":\"k\"", file);
	assert_int_equal(run("cat --json build/test_trace_cmd.gmt"), GS_EXIT_OK);
	contains(out, "\"devices\":[\"\",\"b\"]");
}

static int clean(void **state)
{
	unlink(file);
	unlink(copy);
	unlink(text);
	free(out);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_usage_is_the_users_fault),
		cmocka_unit_test(every_command_has_help),
		cmocka_unit_test(verify_says_ok_or_why_not),
		cmocka_unit_test(info_shows_the_header),
		cmocka_unit_test(a_rounded_trace_says_so),
		cmocka_unit_test(stat_counts),
		cmocka_unit_test(stat_tells_lives_and_distances),
		cmocka_unit_test(cat_prints_one_line_an_operation),
		cmocka_unit_test(what_cat_prints_as_json_is_imported_to_the_same_file),
		cmocka_unit_test(a_failed_import_leaves_nothing),
		cmocka_unit_test(diff_sees_every_field_of_a_kernel),
		cmocka_unit_test(a_device_may_have_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, clean);
}
