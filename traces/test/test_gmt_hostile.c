/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_gmt_hostile.c - a .gmt whose checksums were made to fit its nonsense
 *
 * Checksums find accidents.  Here the content of a block is changed and all
 * checksums are computed anew: what is read must still be an error or valid
 * operations.  Run under sanitizers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "traces/test/blocks.h"
#include "traces/test/ops.h"
#include "traces/test/said.h"

static const char file[] = "build/test_gmt_hostile.gmt";

static struct tr_buf raw[NBLOCKS]; /* of a file with one frame */

/* A good file, taken apart. */
static int take_apart(void **state)
{
	static u8 f[1 << 20];
	size_t n, at = GMT_PROLOGUE;
	FILE *in;

	assert_int_equal(tr_writer_finish(ops_write(file, 3, 400)), 0);
	in = fopen(file, "rb");
	assert_non_null(in);
	n = fread(f, 1, sizeof(f), in);
	fclose(in);
	for (int i = 0; i < NBLOCKS; i++) {
		size_t want = tr_le(f + at + 8, 4), packed = tr_le(f + at + 12, 4);

		assert_int_equal(tr_le(f + at, 4), block_tags[i]);
		assert_int_equal(ZSTD_decompress(tr_buf_room(&raw[i], want), want,
						 f + at + GMT_BLOCK_HEAD, packed),
				 want);
		raw[i].n = want;
		at += GMT_BLOCK_HEAD + packed;
	}
	assert_int_equal(at + GMT_FOOTER, n);
	return 0;
}

/* Blocks @b as a file whose every checksum is right. */
static void put_together(struct tr_buf *b, bool mend)
{
	struct tr_buf out = { 0 };
	FILE *f = fopen(file, "wb");

	blocks_join(b, GMT_MAJOR, mend, &out);
	assert_int_equal(fwrite(out.p, 1, out.n, f), out.n);
	fclose(f);
	tr_buf_fini(&out);
}

/* Everything in the file, there and back; 1 when it was all good. */
static int read_file(void)
{
	struct gs_source *src;
	struct gs_op op;
	int ret;

	said_begin();
	ret = tr_open(file, &src);
	if (!ret) {
		while ((ret = gs_source_next(src, &op)) == 1)
			;
		if (!ret && src->job.niterations)
			ret = gs_source_seek(src, src->job.niterations - 1);
		gs_source_close(src);
	}
	assert_true(!ret || said_end()[0]);
	if (!ret)
		said_end();
	return !ret;
}

static void change(struct ops *o, struct tr_buf *b)
{
	static const u8 words[] = { 0, 1, 2, 0x7f, 0x80, 0xff };

	for (u64 i = 1 + ops_random(o, 3); i; i--) {
		u8 *p = b->p + ops_random(o, b->n);

		switch (ops_random(o, 3)) {
		case 0:
			*p ^= (u8)(1 << ops_random(o, 8));
			break;
		case 1:
			*p = words[ops_random(o, sizeof(words))];
			break;
		default:
			b->n = (size_t)(p - b->p) + 1; /* cut */
		}
	}
}

static int rounds(int block, int n)
{
	struct ops o = { .state = (u64)block };
	int good = 0;

	while (n--) {
		struct tr_buf b[NBLOCKS] = { 0 };

		for (int i = 0; i < NBLOCKS; i++)
			tr_put_bytes(&b[i], raw[i].p, raw[i].n);
		change(&o, &b[block]);
		put_together(b, block != INDX);
		good += read_file();
		for (int i = 0; i < NBLOCKS; i++)
			tr_buf_fini(&b[i]);
	}
	return good;
}

static void the_test_puts_files_together_rightly(void **state)
{
	put_together(raw, true);
	assert_int_equal(read_file(), 1);
}

static void a_hostile_header_does_no_harm(void **state)
{
	rounds(HEAD, 500);
}

static void a_hostile_frame_does_no_harm(void **state)
{
	rounds(DATA, 3000);
}

static void a_hostile_summary_is_refused(void **state)
{
	assert_true(rounds(SUMM, 500) < 100); /* page hints are anybody's guess */
}

static void a_hostile_index_is_refused(void **state)
{
	assert_true(rounds(INDX, 1000) < 100);
}

static int clean(void **state)
{
	for (int i = 0; i < NBLOCKS; i++)
		tr_buf_fini(&raw[i]);
	return unlink(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_test_puts_files_together_rightly),
		cmocka_unit_test(a_hostile_header_does_no_harm),
		cmocka_unit_test(a_hostile_frame_does_no_harm),
		cmocka_unit_test(a_hostile_summary_is_refused),
		cmocka_unit_test(a_hostile_index_is_refused),
	};

	return cmocka_run_group_tests(tests, take_apart, clean);
}
