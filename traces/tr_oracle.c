/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tr_oracle.c - oracleGeneral page traces (libCacheSim), plain or zstd
 *
 * The file is a row of packed little-endian records and nothing else:
 *
 *	0   u32  time in seconds	not used: whole seconds say nothing of the
 *					gaps between accesses
 *	4   u64  object id		the page
 *	12  u32  object size		0: the record is skipped, as the reference
 *					does; else one page whatever it says
 *	16  s64  next access		not used: the replay finds out
 *
 * Page of an id: the id itself, so that neighbours stay neighbours, where ids
 * are dense: the largest is below four times the number of records.  Else the
 * pages are numbered in order of first appearance.
 */
#include <errno.h>
#include <string.h>

#include "traces/buf.h"
#include "traces/import.h"
#include "traces/pages.h"

enum { RECORD = 24, BATCH = 4096 };

/* Call @each for all records that count.  0 or -errno (said). */
static int read_records(const char *path, int (*each)(void *arg, u64 id), void *arg)
{
	struct tr_lines *l = tr_lines_open(path);
	const u8 *p;
	u64 offset = 0;
	ssize_t n;
	int ret = l ? 0 : -EINVAL;

	while (!ret && (n = tr_lines_read(l, &p, RECORD * BATCH)) != 0) {
		if (n < 0)
			ret = (int)n;
		for (; !ret && n >= RECORD; n -= RECORD, p += RECORD, offset += RECORD)
			if (tr_le(p + 12, 4))
				ret = each(arg, tr_le(p + 4, 8));
		if (!ret && n) {
			gs_err("%s: offset %llu: %zd bytes are left: records have %d (is the file "
			       "truncated?)",
			       path, offset, n, RECORD);
			ret = -EINVAL;
		}
	}
	tr_lines_close(l);
	return ret;
}

struct extent {
	u64 records, largest;
};

static int measure(void *arg, u64 id)
{
	struct extent *e = arg;

	e->records++;
	e->largest = gs_max(e->largest, id);
	return 0;
}

struct reader {
	struct tr_writer *w;
	u64 page;
	struct tr_numbers *numbers; /* NULL: ids are dense */
	struct gs_op op;
};

static int put(void *arg, u64 id)
{
	struct reader *r = arg;

	r->op.page.va = (r->numbers ? tr_number_of(r->numbers, id) : id) * r->page;
	return tr_writer_put(r->w, &r->op);
}

static struct tr_writer *new_writer(const char *path, const char *out, u64 page)
{
	static const char *const suffixes[] = { ".gz", ".zst", ".bin", ".oracleGeneral", NULL };
	char *name = tr_base_name(path, suffixes);
	struct tr_writer *w = tr_pages_writer(out, name, "oracleGeneral page trace", 1, page);

	free(name);
	return w;
}

static void tell(const char *path, const struct extent *e, const struct reader *r)
{
	char page[24];

	gs_info("%s: each record is a read and a write of one page of %s; %s", path,
		gs_text_bytes(r->page, page),
		r->numbers ? "ids are sparse: pages are numbered in order of first appearance"
			   : "an id is the page's number");
	if (!e->records)
		gs_warn("%s: has no records", path);
}

int tr_oracle_import(const char *path, const char *out, const struct tr_page_options *o,
		     struct tr_writer **w)
{
	struct extent e = { 0 };
	/* nothing says which accesses write: what may have been written is copied */
	struct reader r = { .page = o->page,
			    .op = { .type = GS_OP_PAGE, .page.access = GS_READ | GS_WRITE } };
	int ret = read_records(path, measure, &e);

	r.op.page.bytes = (u32)gs_min(o->page, U32_MAX);
	if (!ret && e.largest / 4 >= e.records)
		r.numbers = tr_numbers_new();
	if (!ret) {
		r.w = new_writer(path, out, o->page);
		ret = r.w ? read_records(path, put, &r) : -EIO;
	}
	if (ret == -EINVAL && r.w && *tr_writer_why(r.w))
		gs_err("%s: %s", path, tr_writer_why(r.w));
	if (ret)
		tr_writer_abort(r.w);
	else
		tell(path, &e, &r);
	tr_numbers_free(r.numbers);
	*w = ret ? NULL : r.w;
	return ret;
}
