/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_jsonl.c - our recorder's lines are read; what is wrong with them is told by place */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "traces/test/files.h"
#include "traces/test/ops.h"
#include "traces/test/packed.h"
#include "traces/test/said.h"

static const char file[] = "build/test_jsonl.jsonl";

#define META                                                                                \
	"{\"ev\":\"meta\",\"format\":\"gmemsim-jsonl\",\"version\":1,\"devices\":[\"cpu\"," \
	"\"gpu\"]}\n"
#define END "{\"ev\":\"end\",\"kernels\":0,\"iterations\":0}\n"

/* The operations of @text, up to @max; all of it is right. */
static size_t read_text(const char *text, struct gs_op *ops, size_t max)
{
	struct gs_source *src;
	size_t n = 0;

	spill(file, text, strlen(text));
	assert_int_equal(tr_open(file, &src), 0);
	while (n < max && gs_source_next(src, &ops[n]) == 1)
		n++;
	gs_source_close(src);
	return n;
}

/* @text is refused, with @words in the message. */
static void refused(const char *text, const char *words)
{
	struct gs_source *src;
	const char *said;

	spill(file, text, strlen(text));
	said_begin();
	assert_true(tr_open(file, &src) < 0);
	said = said_end();
	if (!strstr(said, words))
		fail_msg("wanted '%s', got '%s'", words, said);
}

static void the_job_is_described(void **state)
{
	struct gs_source *src;
	static const char text[] =
		"{\"ev\":\"meta\",\"format\":\"gmemsim-jsonl\",\"version\":1,\"framework\":"
		"\"PyTorch "
		"\\u00e9\",\"source\":\"a b.py\",\"recorded\":\"today\",\"devices\":[\"cpu\"],"
		"\"page_hint\":4096}\n\n" END;

	spill(file, text, strlen(text));
	assert_int_equal(tr_open(file, &src), 0);
	assert_string_equal(src->job.name, "test_jsonl");
	assert_string_equal(src->job.framework, "PyTorch \xc3\xa9");
	assert_string_equal(src->job.source, "a b.py");
	assert_string_equal(src->job.recorded, "today");
	assert_string_equal(src->job.device_names[0], "cpu");
	assert_int_equal(src->job.ndevices, 1);
	assert_int_equal(src->job.page_hint, 4096);
	gs_source_close(src);
}

static void every_event_is_read(void **state)
{
	struct gs_op op[16];
	size_t n = read_text(
		META
		"{\"ev\":\"alloc\",\"t\":0,\"va\":18446744073709547520,\"bytes\":4095,\"kind\":"
		"\"weight\",\"name\":\"w\",\"dev\":1}\n"
		"{\"bytes\":100,\"t\":1,\"ev\":\"alloc\"}\n"
		"{\"ev\":\"mark\",\"name\":\"iteration\",\"index\":0}\n"
		"{\"ev\":\"mark\",\"name\":\"backward\"}\n"
		"{\"ev\":\"kernel\",\"name\":\"mm\",\"class\":\"gemm\",\"dev\":1,\"stream\":2,"
		"\"ns\":7,\"flops\":10,\"bytes\":20,\"dtype\":\"bf16\",\"phase\":\"optimizer\","
		"\"touch\":[[0,1,2,\"r\"],[1,0,0,\"w\"],[1,4,8,\"rw\",\"strided\",16,3]]}\n"
		"{\"ev\":\"kernel\",\"name\":\"\",\"ps\":7}\n"
		"{\"ev\":\"host\",\"t\":1,\"bytes\":4,\"rw\":\"w\",\"ns\":1000}\n"
		"{\"ev\":\"advice\",\"advice\":\"pin\",\"t\":0,\"off\":5,\"bytes\":6,\"dev\":1}\n"
		"{\"ev\":\"page\",\"va\":4096,\"bytes\":8,\"rw\":\"rw\",\"dev\":1,\"ns\":3}\r\n"
		"{\"ev\":\"free\",\"t\":0}\n"
		"{\"ev\":\"segment_alloc\",\"va\":4096,\"bytes\":300,\"dev\":1}\n"
		"{\"ev\":\"segment_free\",\"va\":4196,\"bytes\":200,\"dev\":1}\n"
		"{\"ev\":\"end\",\"kernels\":2,\"iterations\":1}",
		op, 16);

	assert_int_equal(n, 12);
	assert_true(op[0].type == GS_OP_ALLOC && op[0].alloc.kind == GS_WEIGHT &&
		    op[0].device == 1);
	assert_true(op[0].alloc.va == 18446744073709547520ULL && op[0].alloc.bytes == 4095);
	assert_true(op[1].alloc.tensor == 1 && op[1].alloc.kind == GS_OTHER_KIND);
	assert_true(op[2].mark.iteration && !op[3].mark.iteration);
	assert_true(op[4].kernel.opclass == GS_GEMM && op[4].kernel.dtype == GS_BF16);
	assert_true(op[4].kernel.phase == GS_STEP && op[4].kernel.duration_ps == 7000);
	assert_true(op[4].kernel.flops == 10 && op[4].kernel.bytes == 20 && op[4].stream == 2);
	assert_int_equal(op[4].kernel.ntouches, 2); /* one touches nothing */
	assert_true(op[5].kernel.duration_ps == 7 && op[5].kernel.ntouches == 0);
	assert_true(op[6].host.access == GS_WRITE && op[6].host.duration_ps == 1000000);
	assert_true(op[7].advice.advice == GS_ADV_PIN && op[7].advice.off == 5);
	assert_true(op[8].page.va == 4096 && op[8].page.when_ps == 3000 && op[8].page.access == 3);
	assert_true(op[9].type == GS_OP_FREE && op[9].index == 9);
	assert_true(op[10].type == GS_OP_SEGMENT_ALLOC && op[10].device == 1);
	assert_true(op[11].type == GS_OP_SEGMENT_FREE && op[11].segment.va == 4196 &&
		    op[11].segment.bytes == 200);
}

static void touches_are_read(void **state)
{
	const char *text = META "{\"ev\":\"alloc\",\"t\":0,\"bytes\":100}\n"
				"{\"ev\":\"kernel\",\"name\":\"k\",\"touch\":[[0,1,2,\"r\"],"
				"[0,4,8,\"rw\",\"strided\",16,3],[0,9,1,\"w\",\"random\"]]}\n"
				"{\"ev\":\"end\",\"kernels\":1,\"iterations\":0}\n";
	const struct gs_touch *t;
	struct gs_source *src;
	struct gs_op op;

	spill(file, text, strlen(text));
	assert_int_equal(tr_open(file, &src), 0);
	assert_int_equal(gs_source_next(src, &op), 1);
	assert_int_equal(gs_source_next(src, &op), 1);
	assert_int_equal(op.kernel.ntouches, 3);
	t = op.kernel.touches;
	assert_true(t[0].off == 1 && t[0].bytes == 2 && t[0].access == GS_READ);
	assert_true(t[1].pattern == GS_STRIDED && t[1].stride == 16 && t[1].share == 3);
	assert_true(t[2].pattern == GS_RANDOM && t[2].access == GS_WRITE);
	gs_source_close(src);
}

static void wrong_json_is_told_by_line_and_column(void **state)
{
	refused(META "{\"ev\":\"mark\",,}\n" END, "jsonl:2:14: ");
	refused(META "{\"ev\":\"mark\"\n" END, "jsonl:2:13: the line ends before its object does");
	refused(META "[1]\n" END, "jsonl:2:1: an array is not expected here");
	refused(META "42\n" END, "jsonl:2:");
	refused(META "{\"ev\":\"free\",\"t\":0}{\"ev\":\"free\",\"t\":0}\n" END,
		"jsonl:2:20: an object is not expected here");
	refused(META "{\"ev\":\"free\",\"t\":null}\n" END, "jsonl:2:18: null is not expected");
	refused(META "{\"ev\":\"free\",\"t\":\"0\"}\n" END, "jsonl:2:18: a text is not expected");
	refused(META "{\"ev\":7,\"t\":0}\n" END, "jsonl:2:7: a number is not expected");
	refused(META "{\"ev\":\"free\",\"t\":{}}\n" END, "jsonl:2:18: an object is not expected");
	refused(META "{\"ev\":\"free\",\"t\":1.5}\n" END, "jsonl:2:18: 1.5 is not a whole number");
	refused(META "{\"ev\":\"free\",\"t\":-1}\n" END, "jsonl:2:18: -1 is not a whole number");
	refused(META "{\"ev\":\"free\",\"t\":18446744073709551616}\n" END, "is not a whole number");
	refused(META "{\"ev\":\"mark\",\"name\":\"a\\nb\"}\n" END, "control characters");
	refused(META "{\"ev\":\"mark\",\"name\":\"\xff\"}\n" END, "jsonl:2:");
}

static void unknown_words_are_told_with_the_nearest(void **state)
{
	refused(META "{\"ev\":\"free\",\"tt\":0}\n" END,
		"jsonl:2:14: unknown key 'tt'; did you mean 't'?");
	refused(META "{\"ev\":\"free\",\"t\":0,\"t\":0}\n" END, "jsonl:2:20: key 't' comes twice");
	refused(META "{\"ev\":\"fre\",\"t\":0}\n" END,
		"jsonl:2:7: unknown event 'fre'; did you mean 'free'?");
	refused(META "{\"ev\":\"free\"}\n" END, "jsonl:2:7: 'free' lacks its key 't'");
	refused(META "{\"ev\":\"free\",\"t\":0,\"va\":1}\n" END,
		"jsonl:2:25: 'free' has no key 'va'");
	refused(META "{\"t\":0}\n" END, "jsonl:2:1: a line without its key 'ev'");
	refused(META "{\"ev\":\"kernel\",\"name\":\"k\",\"class\":\"gem\"}\n" END,
		"unknown class 'gem'; did you mean 'gemm'?");
	refused(META "{\"ev\":\"kernel\",\"name\":\"k\",\"ns\":1,\"ps\":1}\n" END,
		"exclude each other");
	refused(META "{\"ev\":\"kernel\",\"name\":\"k\",\"ns\":18446744073709551615}\n" END,
		"too large for 'ns'");
	refused(META "{\"ev\":\"kernel\",\"name\":\"k\",\"touch\":[[0,0,1]]}\n" END,
		"a touch is [");
	refused(META "{\"ev\":\"kernel\",\"name\":\"k\",\"touch\":[[0,0,1,\"x\"]]}\n" END,
		"jsonl:2:43: 'x' is not \"r\"");
	refused(META "{\"ev\":\"kernel\",\"name\":\"k\",\"touch\":[[0,0,1,\"r\",\"randm\"]]}\n" END,
		"unknown pattern 'randm'; did you mean 'random'?");
}

static void operations_that_make_no_sense_are_refused(void **state)
{
	refused(META "{\"ev\":\"free\",\"t\":0}\n" END,
		"jsonl:2:18: tensor 0 is used before it is allocated");
	refused(META "{\"ev\":\"alloc\",\"t\":0,\"bytes\":1,\"dev\":2}\n" END,
		"jsonl:2:19: device 2 does not exist (the trace names 2)");
	refused(META "{\"ev\":\"alloc\",\"t\":1,\"bytes\":1}\n" END, "tensor 0 is never allocated");
	refused(META "{\"ev\":\"mark\",\"name\":\"iteration\",\"index\":1}\n" END,
		"iteration 1 begins where 0 is due");
	refused(META "{\"ev\":\"segment_free\",\"va\":0,\"bytes\":1}\n" END,
		"jsonl:2:7: a segment of 1 bytes at address 0: not all of it is mapped");
}

static void the_frame_of_the_file_is_checked(void **state)
{
	refused("{}\n", "jsonl:1:1: a line without its key 'ev'");
	refused(END, "jsonl:1:7: the first line must be 'meta'");
	refused(META META END, "jsonl:2:7: a second 'meta'");
	refused(META, "is truncated: the line 'end' is missing");
	refused(META END META, "jsonl:3:7: 'meta' after 'end'");
	refused(META "{\"ev\":\"end\",\"kernels\":5,\"iterations\":0}\n",
		"jsonl:2:23: the recorder counted 5 kernels, the file holds 0");
	refused("{\"ev\":\"meta\",\"format\":\"probe\",\"version\":1,\"devices\":[\"cpu\"]}\n",
		"jsonl:1:23: the format is 'probe', not 'gmemsim-jsonl'");
	refused("{\"ev\":\"meta\",\"format\":\"gmemsim-jsonl\",\"version\":2,\"devices\":[\"c\"]}"
		"\n",
		"was written by a newer recorder: version 2, this one reads 1");
	refused("{\"ev\":\"meta\",\"format\":\"gmemsim-jsonl\",\"version\":1,\"devices\":[]}\n",
		"0 devices");
}

static void compressed_lines_are_read_and_a_cut_is_found(void **state)
{
	static const char text[] = META "{\"ev\":\"mark\",\"name\":\"x\"}\n" END;
	char packed[1024];
	struct gs_source *src;

	for (size_t i = 0; i < GS_ARRAY_SIZE(packers); i++) {
		size_t n = packers[i](packed, sizeof(packed), text, sizeof(text) - 1);

		spill(file, packed, n);
		assert_int_equal(tr_open(file, &src), 0);
		assert_int_equal(src->job.nops, 1);
		gs_source_close(src);
		for (size_t len = 4; len < n; len++) {
			spill(file, packed, len);
			said_begin();
			assert_true(tr_open(file, &src) < 0);
			assert_non_null(strstr(said_end(), "truncated"));
		}
	}
}

static void long_lines_and_many_lines_are_read(void **state)
{
	const u32 n = 20000; /* touches of one kernel: 300 kB in one line */
	struct gs_source *src;
	struct gs_op op;
	FILE *f = fopen(file, "w");
	u64 kernels = 0;

	assert_non_null(f);
	fputs(META "{\"ev\":\"alloc\",\"t\":0,\"bytes\":1000000}\n", f);
	for (int k = 0; k < 3; k++) {
		fputs("{\"ev\":\"kernel\",\"name\":\"k\",\"touch\":[", f);
		for (u32 i = 0; i < n; i++)
			fprintf(f, "%s[0,%u,1,\"r\"]", i ? "," : "", i * 7 + (u32)k);
		fputs("]}\n", f);
	}
	fputs("{\"ev\":\"end\",\"kernels\":3,\"iterations\":0}\n", f);
	fclose(f);
	assert_int_equal(tr_open(file, &src), 0);
	while (gs_source_next(src, &op) == 1) {
		if (op.type != GS_OP_KERNEL)
			continue;
		assert_int_equal(op.kernel.ntouches, n);
		assert_int_equal(op.kernel.touches[n - 1].off, (n - 1) * 7 + kernels++);
	}
	assert_int_equal(kernels, 3);
	gs_source_close(src);
}

static int clean(void **state)
{
	return unlink(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_job_is_described),
		cmocka_unit_test(every_event_is_read),
		cmocka_unit_test(touches_are_read),
		cmocka_unit_test(wrong_json_is_told_by_line_and_column),
		cmocka_unit_test(unknown_words_are_told_with_the_nearest),
		cmocka_unit_test(operations_that_make_no_sense_are_refused),
		cmocka_unit_test(the_frame_of_the_file_is_checked),
		cmocka_unit_test(compressed_lines_are_read_and_a_cut_is_found),
		cmocka_unit_test(long_lines_and_many_lines_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, clean);
}
