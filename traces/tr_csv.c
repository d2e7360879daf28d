/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tr_csv.c - page traces as comma-separated values
 *
 * The first line names the columns, or --columns does:
 *
 *	address, addr, va   of the access, in bytes
 *	page                the same in pages: times the page size
 *	size, bytes         of the access; else a page
 *	rw, op              r, w, rw, read, write, 0 (read) or 1 (write); else rw
 *	device, gpu         number; else 0
 *	time                when, in ns; time_ps, time_us, time_ms, time_s likewise
 *
 * Other columns are passed over.  Numbers are decimal or 0x hexadecimal; times
 * may have a fraction.  Empty lines and lines from '#' on are comments.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/result.h"
#include "traces/import.h"
#include "traces/pages.h"

enum { MAX_COLUMNS = 64, MAX_DEVICES = 64 };

enum column { NONE, ADDRESS, PAGE, SIZE, RW, DEVICE, TIME };

static const struct word {
	const char *name;
	enum column column;
	u64 unit; /* TIME: in ps */
} words[] = {
	{ "address", ADDRESS, 0 },
	{ "addr", ADDRESS, 0 },
	{ "va", ADDRESS, 0 },
	{ "page", PAGE, 0 },
	{ "size", SIZE, 0 },
	{ "bytes", SIZE, 0 },
	{ "rw", RW, 0 },
	{ "op", RW, 0 },
	{ "device", DEVICE, 0 },
	{ "gpu", DEVICE, 0 },
	{ "time", TIME, GS_NS },
	{ "time_ps", TIME, 1 },
	{ "time_ns", TIME, GS_NS },
	{ "time_us", TIME, GS_US },
	{ "time_ms", TIME, GS_MS },
	{ "time_s", TIME, GS_S },
};

struct csv {
	struct tr_lines *lines;
	u64 page;
	const struct word *columns[MAX_COLUMNS]; /* NULL: passed over */
	u32 ncolumns;
	struct tr_writer *w;
	u64 devices; /* highest + 1 */
};

static char *trim(char *s)
{
	size_t n;

	s += strspn(s, " \t");
	n = strlen(s);
	while (n && strchr(" \t\r", s[n - 1]))
		s[--n] = 0;
	return s;
}

/* The next field of *rest, NULL after the last. */
static char *field(char **rest)
{
	char *f = strsep(rest, ",");

	return f ? trim(f) : NULL;
}

static int at(const struct csv *c, u32 column, const char *what, const char *text)
{
	return tr_lines_err(c->lines, "column %u: \"%.40s\" is not %s", column + 1, text, what);
}

/* ---- the columns -------------------------------------------------------- */

static const struct word *word_of(const char *name)
{
	for (size_t i = 0; i < GS_ARRAY_SIZE(words); i++)
		if (!strcasecmp(name, words[i].name))
			return &words[i];
	return NULL;
}

static int name_columns(struct csv *c, char *header)
{
	bool seen[TIME + 1] = { false };
	char *name;

	while ((name = field(&header))) {
		const struct word *w = word_of(name);

		if (c->ncolumns == MAX_COLUMNS)
			return tr_lines_err(c->lines, "more than %d columns", MAX_COLUMNS);
		if (w && seen[w->column])
			return tr_lines_err(c->lines, "column %u: a second %s", c->ncolumns + 1,
					    name);
		if (w)
			seen[w->column] = true;
		c->columns[c->ncolumns++] = w;
	}
	if (seen[ADDRESS] != seen[PAGE])
		return 0;
	return tr_lines_err(c->lines, seen[PAGE] ? "both an address and a page are named"
						 : "no column is called address or page; the first "
						   "line (or --columns) names the columns");
}

/* ---- fields ------------------------------------------------------------- */

/* "123", "0x7b"; *end is behind it. */
static bool number(const char *s, u64 *v, const char **end)
{
	bool hex = s[0] == '0' && (s[1] | 32) == 'x';
	char *e;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	*v = strtoull(s, &e, hex ? 16 : 10);
	*end = e;
	return !errno && (!hex || e > s + 2);
}

static bool whole(const char *s, u64 *v)
{
	const char *end;

	return number(s, v, &end) && !*end;
}

/* "12.25" times @unit ps, rounded down. */
static bool moment(const char *s, u64 unit, u64 *ps)
{
	u64 v, digit = unit;

	if (!number(s, &v, &s) || v > U64_MAX / 2 / unit)
		return false;
	v *= unit;
	if (*s == '.')
		for (s++; *s >= '0' && *s <= '9'; s++) {
			digit /= 10;
			v += digit * (u64)(*s - '0');
		}
	*ps = v;
	return !*s;
}

static bool access_of(const char *s, u8 *access)
{
	static const struct {
		const char *name;
		u8 access;
	} names[] = {
		{ "r", GS_READ },
		{ "read", GS_READ },
		{ "0", GS_READ },
		{ "w", GS_WRITE },
		{ "write", GS_WRITE },
		{ "1", GS_WRITE },
		{ "rw", GS_READ | GS_WRITE },
	};

	for (size_t i = 0; i < GS_ARRAY_SIZE(names); i++)
		if (!strcasecmp(s, names[i].name)) {
			*access = names[i].access;
			return true;
		}
	return false;
}

static int read_field(struct csv *c, u32 i, const char *s, struct gs_op *op)
{
	const struct word *w = c->columns[i];
	u64 v = 0;

	switch (w ? w->column : NONE) {
	case ADDRESS:
		return whole(s, &op->page.va) ? 0 : at(c, i, "an address", s);
	case PAGE:
		if (!whole(s, &v) || v > (U64_MAX - c->page) / c->page)
			return at(c, i, "the number of a page", s);
		op->page.va = v * c->page;
		return 0;
	case SIZE:
		if (!whole(s, &v) || !v || v > U32_MAX)
			return at(c, i, "a size in bytes, from 1 to 2^32 - 1", s);
		op->page.bytes = (u32)v;
		return 0;
	case RW:
		return access_of(s, &op->page.access) ? 0 : at(c, i, "r, w or rw", s);
	case DEVICE:
		if (!whole(s, &v) || v >= MAX_DEVICES)
			return at(c, i, "a device, from 0 to 63", s);
		op->device = (u16)v;
		return 0;
	case TIME:
		return moment(s, w->unit, &op->page.when_ps) ? 0 : at(c, i, "a time", s);
	default:
		return 0;
	}
}

static int read_row(struct csv *c, char *line, struct gs_op *op)
{
	u32 i = 0;
	int ret = 0;
	char *f;

	*op = (struct gs_op){ .type = GS_OP_PAGE,
			      .page.bytes = (u32)gs_min(c->page, U32_MAX),
			      .page.access = GS_READ | GS_WRITE };
	for (; !ret && (f = field(&line)); i++) {
		if (i == c->ncolumns)
			return tr_lines_err(c->lines, "column %u: there are only %u columns", i + 1,
					    c->ncolumns);
		ret = read_field(c, i, f, op);
	}
	if (!ret && i < c->ncolumns)
		ret = tr_lines_err(c->lines, "column %u is missing", i + 1);
	return ret;
}

/* ---- the file ----------------------------------------------------------- */

/* Call @each for all rows.  0 or -errno (said). */
static int read_rows(struct csv *c, const char *path, const char *columns,
		     int (*each)(struct csv *c, struct gs_op *op))
{
	char *line, *names = columns ? gs_strdup(columns) : NULL;
	struct gs_op op;
	size_t len;
	int ret;

	c->ncolumns = 0;
	c->lines = tr_lines_open(path);
	ret = c->lines ? 0 : -EINVAL;
	if (!ret && names)
		ret = name_columns(c, names);
	while (!ret && (ret = tr_lines_next(c->lines, &line, &len)) == 1) {
		line[strcspn(line, "#")] = 0;
		line = trim(line);
		ret = 0;
		if (!*line)
			continue;
		if (!c->ncolumns)
			ret = name_columns(c, line);
		else if (!(ret = read_row(c, line, &op)))
			ret = each(c, &op);
	}
	if (!ret && !c->ncolumns)
		ret = tr_lines_err(c->lines, "is empty: the first line names the columns");
	tr_lines_close(c->lines);
	free(names);
	return ret;
}

static int measure(struct csv *c, struct gs_op *op)
{
	c->devices = gs_max(c->devices, op->device + 1U);
	return 0;
}

static int put(struct csv *c, struct gs_op *op)
{
	int ret = tr_writer_put(c->w, op);

	if (ret == -EINVAL && *tr_writer_why(c->w))
		tr_lines_err(c->lines, "%s", tr_writer_why(c->w));
	return ret;
}

int tr_csv_import(const char *path, const char *out, const struct tr_page_options *o,
		  struct tr_writer **w)
{
	static const char *const suffixes[] = { ".gz", ".zst", ".csv", NULL };
	struct csv c = { .page = o->page, .devices = 1 };
	char *name = tr_base_name(path, suffixes);
	int ret = read_rows(&c, path, o->columns, measure);

	if (!ret) {
		c.w = tr_pages_writer(out, name, "page trace (CSV)", (u32)c.devices, o->page);
		ret = c.w ? read_rows(&c, path, o->columns, put) : -EIO;
	}
	if (ret)
		tr_writer_abort(c.w);
	*w = ret ? NULL : c.w;
	free(name);
	return ret;
}
