/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_gmt.c - what is written to a .gmt is read again, and damage is found */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "traces/gmt.h"
#include "traces/test/files.h"
#include "traces/test/ops.h"
#include "traces/test/said.h"

static const char file[] = "build/test_gmt.gmt", copy[] = "build/test_gmt_copy.gmt";

/* The rest of @src are the operations of @o and nothing else: 1; damage: 0. */
static int reads_as(struct gs_source *src, struct ops *o, u64 n)
{
	struct gs_op want, got;
	int ret;

	for (; n; n--) {
		ret = gs_source_next(src, &got);
		if (ret < 0)
			return 0;
		ops_next(o, &want);
		assert_int_equal(ret, 1);
		assert_true(ops_same(&want, &got));
	}
	ret = gs_source_next(src, &got);
	assert_true(ret <= 0);
	return ret == 0;
}

static void round_trip(u64 seed, u64 n)
{
	struct ops o = { .state = seed };
	struct gs_source *src;

	assert_int_equal(tr_writer_finish(ops_write(file, seed, n)), 0);
	assert_int_equal(tr_open(file, &src), 0);
	assert_int_equal(src->job.nops, n);
	assert_int_equal(reads_as(src, &o, n), 1);
	assert_int_equal(gs_source_seek(src, GS_REWIND), 0);
	o = (struct ops){ .state = seed };
	assert_int_equal(reads_as(src, &o, n), 1);
	gs_source_close(src);
}

static void what_is_written_is_read(void **state)
{
	for (u64 seed = 1; seed <= 20; seed++)
		round_trip(seed, seed * 50);
	round_trip(21, 0);
	round_trip(22, 1);
	round_trip(23, 150000); /* several frames */
}

static void the_job_is_described(void **state)
{
	struct tr_writer *w = ops_write(file, 5, 5000);
	struct gs_job want = *tr_writer_job(w);
	struct gs_source *src;

	assert_int_equal(tr_writer_finish(w), 0);
	assert_int_equal(tr_open(file, &src), 0);
	assert_string_equal(src->job.name, "random");
	assert_string_equal(src->job.framework, "tests");
	assert_string_equal(src->job.source, "");
	assert_int_equal(src->job.ndevices, 2);
	assert_string_equal(src->job.device_names[1], "right");
	assert_int_equal(src->job.page_hint, 4096);
	assert_int_equal(src->job.nops, 5000);
	assert_int_equal(src->job.nkernels, want.nkernels);
	assert_int_equal(src->job.npages, want.npages);
	assert_int_equal(src->job.ntensors, want.ntensors);
	assert_int_equal(src->job.niterations, want.niterations);
	assert_int_equal(src->job.nstreams, 3);
	assert_int_equal(src->job.bytes_peak, want.bytes_peak);
	assert_int_equal(src->job.va_high, want.va_high);
	assert_int_not_equal(src->job.hash, 0);
	gs_source_close(src);
}

static void the_same_operations_give_the_same_file(void **state)
{
	size_t n, m;
	u8 *a, *b;

	assert_int_equal(tr_writer_finish(ops_write(file, 9, 3000)), 0);
	assert_int_equal(tr_writer_finish(ops_write(copy, 9, 3000)), 0);
	a = slurp(file, &n);
	b = slurp(copy, &m);
	assert_int_equal(n, m);
	assert_memory_equal(a, b, n);
	free(a);
	free(b);
}

/* Operations from the mark of iteration @n on. */
static void from_iteration(struct ops *o, u64 seed, u32 n, u64 *index)
{
	struct gs_op op;

	*o = (struct ops){ .state = seed };
	do {
		*index = o->index;
		ops_next(o, &op);
	} while (op.type != GS_OP_MARK || !op.mark.iteration || op.mark.number != n);
}

static void seek_is_as_good_as_reading(void **state)
{
	const u64 seed = 23, count = 150000;
	struct gs_source *src;
	struct gs_op op;
	struct ops o;
	u64 index;

	assert_int_equal(tr_writer_finish(ops_write(file, seed, count)), 0);
	for (int raw = 0; raw < 2; raw++) {
		assert_int_equal((raw ? tr_open_raw : tr_open)(file, &src), 0);
		for (u32 i = 0; i < 10; i++) {
			u32 n = (i * 7 + 5) % 10 * (src->job.niterations - 1) / 9;

			assert_int_equal(gs_source_seek(src, n), 0);
			from_iteration(&o, seed, n, &index);
			assert_int_equal(gs_source_next(src, &op), 1);
			assert_int_equal(op.index, index);
			assert_int_equal(op.mark.number, n);
			assert_int_equal(reads_as(src, &o, count - index - 1), 1);
		}
		gs_source_close(src);
	}
}

/* Open and read @path: 1 as written, 0 an error was said. */
static int try_to_read(const char *path, u64 seed, u64 n)
{
	struct ops o = { .state = seed };
	struct gs_source *src;
	int ok = 0;

	said_begin();
	if (!tr_open(path, &src)) {
		ok = reads_as(src, &o, n);
		gs_source_close(src);
	}
	assert_true(ok || said_end()[0]);
	if (ok)
		said_end();
	return ok;
}

static void a_truncated_file_is_refused_at_open(void **state)
{
	struct gs_source *src;
	const char *words;
	size_t n;
	u8 *p;

	assert_int_equal(tr_writer_finish(ops_write(file, 3, 300)), 0);
	p = slurp(file, &n);
	for (size_t len = 0; len < n; len++) {
		spill(copy, p, len);
		said_begin();
		assert_true(tr_open(copy, &src) < 0);
		words = said_end();
		assert_non_null(strstr(words, copy));
		assert_non_null(strstr(words, len ? "truncated" : "empty"));
	}
	free(p);
}

static void a_flipped_bit_is_found_or_harmless(void **state)
{
	struct ops o = { .state = 77 };
	int harmless = 0;
	size_t n;
	u8 *p;

	assert_int_equal(tr_writer_finish(ops_write(file, 3, 300)), 0);
	p = slurp(file, &n);
	for (size_t i = 0; i < 2000; i++) {
		/* beginning and end bit by bit, the middle at random */
		u64 bit = i < 8 * 64	? i
			  : i < 16 * 64 ? 8 * n - 1 - (i - 8 * 64)
					: ops_random(&o, 8 * n);

		p[bit / 8] ^= (u8)(1 << bit % 8);
		spill(copy, p, n);
		harmless += try_to_read(copy, 3, 300);
		p[bit / 8] ^= (u8)(1 << bit % 8);
	}
	assert_true(harmless < 20);
	free(p);
}

static void bytes_behind_the_end_are_found(void **state)
{
	size_t n;
	u8 *p;

	assert_int_equal(tr_writer_finish(ops_write(file, 3, 300)), 0);
	p = slurp(file, &n);
	p = gs_realloc_array(p, 2 * n, 1);
	memcpy(p + n, p, n);
	spill(copy, p, 2 * n);
	assert_int_equal(try_to_read(copy, 3, 300), 0);
	free(p);
}

static void the_place_of_damage_is_told(void **state)
{
	struct gs_source *src;
	const char *words;
	struct gs_op op;
	size_t n;
	u8 *p;
	int ret;

	assert_int_equal(tr_writer_finish(ops_write(file, 23, 100000)), 0);
	p = slurp(file, &n);
	p[n / 2] ^= 4;
	spill(copy, p, n);
	said_begin();
	assert_int_equal(tr_open(copy, &src), 0);
	do {
		ret = gs_source_next(src, &op);
	} while (ret == 1);
	assert_int_equal(ret, -EINVAL);
	assert_int_equal(gs_source_next(src, &op), -EINVAL); /* and stays so */
	gs_source_close(src);
	words = said_end();
	assert_non_null(strstr(words, "build/test_gmt_copy.gmt: offset "));
	assert_non_null(strstr(words, ": frame "));
	assert_non_null(strstr(words, "record or import it again"));
	free(p);
}

static void a_trace_from_the_future_is_refused(void **state)
{
	struct gs_source *src;
	size_t n;
	u8 *p;

	assert_int_equal(tr_writer_finish(ops_write(file, 3, 300)), 0);
	p = slurp(file, &n);
	p[8] = GMT_MAJOR + 1;
	spill(copy, p, n);
	said_begin();
	assert_true(tr_open(copy, &src) < 0);
	assert_non_null(strstr(said_end(), "was written by a newer gmemsim: format 3, this one "
					   "reads 2"));
	free(p);
}

/* A frame as version 1.1 might write it: a mark, a strange record, a long record, a section. */
static size_t frame_of_1_1(u8 *p)
{
	static const u8 frame[] = {
		4,	   0,	      3, 0, 0,	   /* preamble */
		GMT_TYPES, 5 + 4 + 6,		   /* section */
		GMT_MARK,  3,	      0, 7, 0,	   /* a phase without a name */
		99,	   2,	      1, 2,	   /* what is this? */
		GMT_MARK,  4,	      0, 8, 0, 42, /* one field more */
		17,	   2,	      5, 5,	   /* a section of another kind */
	};

	memcpy(p, frame, sizeof(frame));
	return sizeof(frame);
}

static void later_minor_versions_can_be_read(void **state)
{
	struct gmt_dec *d = gmt_dec_new(1, GMT_MINOR_1 + 1);
	struct gs_op op;
	u8 raw[64];
	size_t n = frame_of_1_1(raw);

	assert_int_equal(gmt_dec_begin(d, raw, n, 0, 3), 0);
	assert_int_equal(gmt_dec_next(d, &op), 1);
	assert_int_equal(op.mark.number, 7);
	assert_int_equal(gmt_dec_next(d, &op), 1);
	assert_int_equal(op.index, 2);
	assert_int_equal(op.mark.number, 8);
	assert_int_equal(gmt_dec_next(d, &op), 0);
	gmt_dec_free(d);

	d = gmt_dec_new(1, GMT_MINOR_1);
	assert_int_equal(gmt_dec_begin(d, raw, n, 0, 3), 0);
	assert_int_equal(gmt_dec_next(d, &op), 1);
	assert_int_equal(gmt_dec_next(d, &op), -EINVAL);
	gmt_dec_free(d);
}

/* A frame as version 2.1 might write it: a phase, a strange record, a phase, a section. */
static size_t frame_of_2_1(u8 *p)
{
	static const u8 frame[] = {
		4,
		0,
		3,
		0,
		0, /* preamble */
		GMT_TYPES,
		3,
		GMT_MARK,
		99,
		GMT_MARK, /* what is the second? */
		GMT_OTHER_BYTES,
		2,
		0,
		0, /* phases */
		GMT_OTHER_NUMBERS,
		5,
		0,
		7,
		0,
		8,
		0, /* varints: numbers without names */
		40,
		2,
		5,
		5, /* a section of another kind */
	};

	memcpy(p, frame, sizeof(frame));
	return sizeof(frame);
}

static void later_minor_versions_of_columns_can_be_read(void **state)
{
	struct gmt_dec *d = gmt_dec_new(2, GMT_MINOR + 1);
	struct gs_op op;
	u8 raw[64];
	size_t n = frame_of_2_1(raw);

	assert_int_equal(gmt_dec_begin(d, raw, n, 0, 3), 0);
	assert_int_equal(gmt_dec_next(d, &op), 1);
	assert_int_equal(op.mark.number, 7);
	assert_int_equal(gmt_dec_next(d, &op), 1);
	assert_int_equal(op.index, 2);
	assert_int_equal(op.mark.number, 8);
	assert_int_equal(gmt_dec_next(d, &op), 0);
	gmt_dec_free(d);

	d = gmt_dec_new(2, GMT_MINOR);
	assert_int_equal(gmt_dec_begin(d, raw, n, 0, 3), 0);
	assert_int_equal(gmt_dec_next(d, &op), 1);
	assert_int_equal(gmt_dec_next(d, &op), -EINVAL);
	gmt_dec_free(d);
}

/* Operations whose columns are long enough to be coded as parts, and hardly repeat. */
static void measured_numbers_become_parts(void **state)
{
	struct tr_writer *w = tr_writer_new(file, &ops_meta);
	struct gs_op op = { .type = GS_OP_KERNEL, .kernel.name = "k" }, got;
	struct ops o = { .state = 8 };
	struct gs_source *src;
	u64 want[2000];
	struct stat st;

	for (op.index = 0; op.index < 2000; op.index++) {
		op.kernel.duration_ps = (want[op.index] = ops_random(&o, 1 << 16)) * 1000;
		assert_int_equal(tr_writer_put(w, &op), 0);
	}
	assert_int_equal(tr_writer_finish(w), 0);
	assert_int_equal(stat(file, &st), 0);
	assert_in_range(st.st_size, 4000, 4600); /* two random bytes each; as varints 5300 */
	assert_int_equal(tr_open(file, &src), 0);
	for (u32 i = 0; i < 2000; i++) {
		assert_int_equal(gs_source_next(src, &got), 1);
		assert_int_equal(got.kernel.duration_ps, want[i] * 1000);
	}
	assert_int_equal(gs_source_next(src, &got), 0);
	gs_source_close(src);
}

static void a_frame_of_noise_does_no_harm(void **state)
{
	struct gmt_dec *decs[2] = { gmt_dec_new(1, GMT_MINOR_1), gmt_dec_new(2, GMT_MINOR) };
	struct ops o = { .state = 4 };
	struct gs_op op;
	u8 raw[64];

	for (int round = 0; round < 100000; round++) {
		struct gmt_dec *d = decs[round % 2];
		size_t n = round % 2 ? frame_of_2_1(raw) : frame_of_1_1(raw);

		for (u64 i = ops_random(&o, 6); i; i--)
			raw[ops_random(&o, n)] = (u8)ops_random(&o, 256);
		if (gmt_dec_begin(d, raw, n, 0, 3))
			continue;
		while (gmt_dec_next(d, &op) == 1)
			;
	}
	gmt_dec_free(decs[0]);
	gmt_dec_free(decs[1]);
}

static void a_file_without_a_name_is_read_back(void **state)
{
	struct ops o = { .state = 6 };
	struct gs_source *src;

	assert_int_equal(tr_writer_source(ops_write(NULL, 6, 1000), "job.jsonl", &src), 0);
	assert_int_equal(reads_as(src, &o, 1000), 1);
	gs_source_close(src);
}

static void nothing_appears_when_writing_stops(void **state)
{
	unlink(copy);
	tr_writer_abort(ops_write(copy, 3, 300));
	assert_int_equal(access(copy, F_OK), -1);
	said_begin();
	assert_null(tr_writer_new("build/no/such/folder/x.gmt", &ops_meta));
	assert_non_null(strstr(said_end(), "build/no/such/folder/x.gmt: cannot create"));
}

static int clean(void **state)
{
	unlink(file);
	unlink(copy);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(the_job_is_described),
		cmocka_unit_test(the_same_operations_give_the_same_file),
		cmocka_unit_test(seek_is_as_good_as_reading),
		cmocka_unit_test(a_truncated_file_is_refused_at_open),
		cmocka_unit_test(a_flipped_bit_is_found_or_harmless),
		cmocka_unit_test(bytes_behind_the_end_are_found),
		cmocka_unit_test(the_place_of_damage_is_told),
		cmocka_unit_test(a_trace_from_the_future_is_refused),
		cmocka_unit_test(later_minor_versions_can_be_read),
		cmocka_unit_test(later_minor_versions_of_columns_can_be_read),
		cmocka_unit_test(measured_numbers_become_parts),
		cmocka_unit_test(a_frame_of_noise_does_no_harm),
		cmocka_unit_test(a_file_without_a_name_is_read_back),
		cmocka_unit_test(nothing_appears_when_writing_stops),
	};

	return cmocka_run_group_tests(tests, NULL, clean);
}
