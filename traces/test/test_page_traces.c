/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_page_traces.c - page traces of others are imported; accesses are read in any portions */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "traces/import.h"
#include "traces/test/files.h"
#include "traces/test/packed.h"
#include "traces/test/said.h"

static const char in[] = "build/test_page_traces.in", out[] = "build/test_page_traces.gmt";

typedef int importer(const char *path, const char *out, const struct tr_page_options *o,
		     struct tr_writer **w);

static struct gs_page page[16];

/* Import @n bytes; the accesses are in page[] then.  Returns how many. */
static u32 import(importer *f, const void *bytes, size_t n, const struct tr_page_options *o)
{
	struct tr_writer *w;
	struct gs_source *src;
	struct gs_op op;
	u32 k = 0;

	spill(in, bytes, n);
	gs_quiet = true;
	assert_int_equal(f(in, out, o, &w), 0);
	gs_quiet = false;
	assert_int_equal(tr_writer_finish(w), 0);
	assert_int_equal(tr_open(out, &src), 0);
	while (gs_source_next(src, &op) == 1)
		page[k++] = (struct gs_page){ op.page.va, op.page.when_ps, op.page.bytes, op.device,
					      op.page.access };
	gs_source_close(src);
	return k;
}

static void refused(importer *f, const void *bytes, size_t n, const char *words)
{
	const struct tr_page_options o = { .page = 4096 };
	struct tr_writer *w;
	const char *said;

	spill(in, bytes, n);
	said_begin();
	assert_true(f(in, out, &o, &w) < 0);
	said = said_end();
	if (!strstr(said, words))
		fail_msg("wanted '%s', got '%s'", words, said);
}

/* ---- oracleGeneral -------------------------------------------------------- */

struct records {
	u8 bytes[24 * 8];
	size_t n;
};

static void put_le(u8 *p, u64 v, u32 bytes)
{
	for (; bytes--; v >>= 8)
		*p++ = (u8)v;
}

static void record(struct records *r, u64 id, u32 size)
{
	put_le(r->bytes + r->n, 77, 4);
	put_le(r->bytes + r->n + 4, id, 8);
	put_le(r->bytes + r->n + 12, size, 4);
	put_le(r->bytes + r->n + 16, -1ULL, 8);
	r->n += 24;
}

static const struct tr_page_options kib4 = { .page = 4096 }, kib64 = { .page = 65536 };

static void dense_ids_are_numbers_of_pages(void **state)
{
	struct records r = { .n = 0 };

	record(&r, 3, 1);
	record(&r, 1, 1);
	record(&r, 2, 0); /* passed over */
	record(&r, 3, 999);
	assert_int_equal(import(tr_oracle_import, r.bytes, r.n, &kib64), 3);
	assert_int_equal(page[0].va, 3 * 65536);
	assert_int_equal(page[1].va, 1 * 65536);
	assert_int_equal(page[2].va, 3 * 65536);
	assert_int_equal(page[2].bytes, 65536);
	assert_int_equal(page[2].access, GS_READ | GS_WRITE);
	assert_int_equal(page[2].when_ps, 0);
}

static void sparse_ids_are_numbered_as_they_come(void **state)
{
	struct records r = { .n = 0 };

	record(&r, -1ULL, 1);
	record(&r, 0, 1);
	record(&r, 1ULL << 63, 1);
	record(&r, -1ULL, 1);
	assert_int_equal(import(tr_oracle_import, r.bytes, r.n, &kib4), 4);
	assert_int_equal(page[0].va, 0);
	assert_int_equal(page[1].va, 4096);
	assert_int_equal(page[2].va, 8192);
	assert_int_equal(page[3].va, 0);
}

static void page_traces_may_be_compressed(void **state)
{
	static const char text[] = "address\n4096\n8192\n";
	struct records r = { .n = 0 };
	u8 packed[1000];
	size_t n;

	record(&r, 1, 1);
	record(&r, 2, 1);
	for (size_t i = 0; i < GS_ARRAY_SIZE(packers); i++) {
		n = packers[i](packed, sizeof(packed), text, sizeof(text) - 1);
		assert_int_equal(import(tr_csv_import, packed, n, &kib4), 2);
		assert_int_equal(page[1].va, 8192);
		n = packers[i](packed, sizeof(packed), r.bytes, r.n);
		assert_int_equal(import(tr_oracle_import, packed, n, &kib4), 2);
		assert_int_equal(page[1].va, 2 * 4096);
		refused(tr_oracle_import, packed, n - 1, "the file is truncated");
		packed[i ? 10 : 4] |= i ? 6 : 8; /* a kind of block that there is not */
		refused(tr_oracle_import, packed, n,
			"test_page_traces.in: offset 0: the file is damaged");
	}
}

static void half_a_record_is_an_error(void **state)
{
	struct records r = { .n = 0 };

	record(&r, 1, 1);
	record(&r, 2, 1);
	refused(tr_oracle_import, r.bytes, r.n - 1, "offset 24: 23 bytes are left");
	refused(tr_oracle_import, r.bytes, 25, "offset 24: 1 bytes are left");
	refused(tr_oracle_import, r.bytes, 3, "offset 0: 3 bytes are left");
}

/* ---- CSV ------------------------------------------------------------------ */

static u32 csv(const char *text, const char *columns)
{
	const struct tr_page_options o = { .page = 4096, .columns = columns };

	return import(tr_csv_import, text, strlen(text), &o);
}

static void columns_stand_in_any_order(void **state)
{
	assert_int_equal(csv("# of no use\n rw, junk ,Address,device,size,time_us\r\n"
			     "w,x,0x1000,1,16,2.5\r\n\n"
			     "READ,,4097,0,0x20,3 # done\n",
			     NULL),
			 2);
	assert_int_equal(page[0].va, 0x1000);
	assert_int_equal(page[0].device, 1);
	assert_int_equal(page[0].bytes, 16);
	assert_int_equal(page[0].access, GS_WRITE);
	assert_int_equal(page[0].when_ps, 2500000);
	assert_int_equal(page[1].va, 4097);
	assert_int_equal(page[1].bytes, 32);
	assert_int_equal(page[1].access, GS_READ);
}

static void what_has_no_column_is_assumed(void **state)
{
	assert_int_equal(csv("7\n0x8\n", "page"), 2);
	assert_int_equal(page[0].va, 7 * 4096);
	assert_int_equal(page[0].bytes, 4096);
	assert_int_equal(page[0].access, GS_READ | GS_WRITE);
	assert_int_equal(page[0].device, 0);
	assert_int_equal(page[1].va, 8 * 4096);
}

static void csv_is_wrong_at_a_line_and_a_column(void **state)
{
	static const char *const cases[][2] = {
		{ "", "is empty" },
		{ "time,size\n", ":1: no column is called address or page" },
		{ "page,va\n", ":1: both an address and a page" },
		{ "va,rw,op\n", ":1: column 3: a second op" },
		{ "va,rw\n1,r\n2\n", ":3: column 2 is missing" },
		{ "va,rw\n1,r,1\n", ":2: column 3: there are only 2 columns" },
		{ "va,rw\n1,x\n", ":2: column 2: \"x\" is not r, w or rw" },
		{ "va\n-1\n", ":2: column 1: \"-1\" is not an address" },
		{ "va\n0x\n", ":2: column 1: \"0x\" is not an address" },
		{ "va\n18446744073709551616\n", ":2: column 1: \"18446744073709551616\" is not" },
		{ "page\n18446744073709551615\n", ":2: column 1: \"18446744073709551615\" is not" },
		{ "va,size\n1,0\n", ":2: column 2: \"0\" is not a size" },
		{ "va,device\n1,64\n", ":2: column 2: \"64\" is not a device" },
		{ "va,time\n1,soon\n", ":2: column 2: \"soon\" is not a time" },
		{ "va,size\n18446744073709551615,2\n", ":2: 2 bytes at address" },
	};

	for (size_t i = 0; i < GS_ARRAY_SIZE(cases); i++)
		refused(tr_csv_import, cases[i][0], strlen(cases[i][0]), cases[i][1]);
}

/* ---- lackey --------------------------------------------------------------- */

static void lackey_says_what_is_written(void **state)
{
	static const char text[] = "==12== Lackey\nI  04000a70,3\n L 1ffefff9f0,8\n"
				   " S 1000,4\n M 2000,2\n==12== bye\n";

	assert_int_equal(import(tr_lackey_import, text, strlen(text), &kib4), 4);
	assert_int_equal(page[0].va, 0x4000a70);
	assert_int_equal(page[0].bytes, 3);
	assert_int_equal(page[0].access, GS_READ);
	assert_int_equal(page[1].va, 0x1ffefff9f0);
	assert_int_equal(page[2].access, GS_WRITE);
	assert_int_equal(page[3].access, GS_READ | GS_WRITE);
	refused(tr_lackey_import, "I  1,2\nhello\n", 13, ":2: \"hello\" is not an access");
	refused(tr_lackey_import, " L 10,0\n", 8, ":1: \" L 10,0\" is not an access");
}

/* ---- portions ------------------------------------------------------------- */

static struct gs_op nth(u32 i)
{
	struct gs_op op = { .type = GS_OP_PAGE,
			    .device = i / 7 % 2,
			    .page = { .va = (i * 2654435761ULL % 100000) * 64,
				      .bytes = i / 100 % 2 ? 64 : 8,
				      .access = (u8)(1 + i / 3 % 3) } };

	if (i > 6000) /* a frame of times in between */
		op.page.when_ps = 1000ULL * i;
	if (i % 5000 == 4999)
		op = (struct gs_op){ .type = GS_OP_MARK, .mark = { .name = "phase" } };
	return op;
}

static void same(const struct gs_page *p, u32 i)
{
	const struct gs_op op = nth(i);

	assert_int_equal(op.type, GS_OP_PAGE);
	assert_int_equal(p->va, op.page.va);
	assert_int_equal(p->when_ps, op.page.when_ps);
	assert_int_equal(p->bytes, op.page.bytes);
	assert_int_equal(p->device, op.device);
	assert_int_equal(p->access, op.page.access);
}

#define MANY 30000

static struct gs_source *many(void)
{
	static const char *const devices[] = { "a", "b" };
	const struct tr_meta meta = { .name = "t", .device_names = devices, .ndevices = 2 };
	struct tr_writer *w = tr_writer_new(NULL, &meta);
	struct gs_source *src;

	for (u32 i = 0; i < MANY; i++) {
		const struct gs_op op = nth(i);

		assert_int_equal(tr_writer_put(w, &op), 0);
	}
	assert_int_equal(tr_writer_source(w, "t", &src), 0);
	return src;
}

/* Read on from @i in portions of 1 to @max accesses. */
static void read_on(struct gs_source *src, u32 i, u32 max)
{
	struct gs_page p[600];
	struct gs_op op;

	while (i < MANY) {
		int n = gs_source_pages(src, p, 1 + i % max);

		assert_in_range(n, 0, 1 + i % max);
		for (int k = 0; k < n; k++)
			same(&p[k], i++);
		if (n)
			continue;
		assert_int_equal(gs_source_next(src, &op), 1);
		assert_int_equal(op.type, nth(i).type);
		assert_int_equal(op.index, i);
		i++;
	}
	assert_int_equal(gs_source_pages(src, p, 10), 0);
	assert_int_equal(gs_source_next(src, &op), 0);
}

static void accesses_come_in_any_portions(void **state)
{
	struct gs_source *src = many();

	for (u32 max = 1; max <= 600; max = max * 3 + 1) {
		read_on(src, 0, max);
		assert_int_equal(gs_source_seek(src, GS_REWIND), 0);
	}
	gs_source_close(src);
}

/* One by one for a while, then again from the beginning in portions. */
static void checking_goes_on_where_it_was(void **state)
{
	struct gs_source *src = many();
	struct gs_op op;

	for (u32 i = 0; i < 4500; i++)
		assert_int_equal(gs_source_next(src, &op), 1);
	assert_int_equal(gs_source_seek(src, GS_REWIND), 0);
	read_on(src, 0, 512);
	gs_source_close(src);
}

static int clean(void **state)
{
	unlink(in);
	unlink(out);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dense_ids_are_numbers_of_pages),
		cmocka_unit_test(sparse_ids_are_numbered_as_they_come),
		cmocka_unit_test(page_traces_may_be_compressed),
		cmocka_unit_test(half_a_record_is_an_error),
		cmocka_unit_test(columns_stand_in_any_order),
		cmocka_unit_test(what_has_no_column_is_assumed),
		cmocka_unit_test(csv_is_wrong_at_a_line_and_a_column),
		cmocka_unit_test(lackey_says_what_is_written),
		cmocka_unit_test(accesses_come_in_any_portions),
		cmocka_unit_test(checking_goes_on_where_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, clean);
}
