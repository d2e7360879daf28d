/* SPDX-License-Identifier: GPL-3.0-or-later */
/* json.c - a small JSON writer */
#include "sim/json.h"

#include <math.h>
#include <string.h>

enum { MAX_DEPTH = 64 };

void gs_json_init(struct gs_json *j, FILE *f, bool pretty)
{
	*j = (struct gs_json){ .f = f, .first = true, .pretty = pretty };
}

static bool in_array(const struct gs_json *j)
{
	return j->depth > 0 && (j->arrays >> (j->depth - 1) & 1);
}

static void line(struct gs_json *j)
{
	if (!j->pretty)
		return;
	fputc('\n', j->f);
	for (int i = 0; i < j->depth; i++)
		fputc('\t', j->f);
}

/*
 * Escapes what JSON wants escaped.  A byte that is no UTF-8 (a kernel's name in
 * somebody's trace) becomes U+FFFD, so that the file stays readable.
 */
static void string(FILE *f, const char *s)
{
	fputc('"', f);
	while (*s) {
		u32 cp = 0;
		size_t n = gs_utf8(s, &cp);

		if (!n)
			fputs("\\ufffd", f);
		else if (cp == '"' || cp == '\\')
			fprintf(f, "\\%c", (char)cp);
		else if (cp == '\n' || cp == '\t')
			fputs(cp == '\n' ? "\\n" : "\\t", f);
		else if (cp < 0x20 || cp == 0x7f)
			fprintf(f, "\\u%04x", cp);
		else
			fwrite(s, 1, n, f);
		s += n ? n : 1;
	}
	fputc('"', f);
}

/* Comma, new line and key: all that stands before a value. */
static void lead(struct gs_json *j, const char *key)
{
	if (j->depth == 0) {
		gs_assert(!key && j->first); /* one outermost value */
	} else {
		gs_assert(!key == in_array(j));
		if (!j->first)
			fputc(',', j->f);
		line(j);
	}
	j->first = false;
	if (key) {
		string(j->f, key);
		fputs(j->pretty ? ": " : ":", j->f);
	}
}

static void open(struct gs_json *j, const char *key, bool array)
{
	lead(j, key);
	gs_assert(j->depth < MAX_DEPTH);
	j->arrays = (j->arrays & ~(1ULL << j->depth)) | (u64)array << j->depth;
	j->depth++;
	j->first = true;
	fputc(array ? '[' : '{', j->f);
}

void gs_json_object(struct gs_json *j, const char *key)
{
	open(j, key, false);
}

void gs_json_array(struct gs_json *j, const char *key)
{
	open(j, key, true);
}

void gs_json_end(struct gs_json *j)
{
	bool empty = j->first, array = in_array(j);

	gs_assert(j->depth > 0);
	j->depth--;
	j->first = false;
	if (!empty)
		line(j);
	fputc(array ? ']' : '}', j->f);
}

void gs_json_end_array(struct gs_json *j)
{
	gs_assert(in_array(j));
	gs_json_end(j);
}

void gs_json_u64(struct gs_json *j, const char *key, u64 v)
{
	lead(j, key);
	fprintf(j->f, "%llu", v);
}

/* What JSON has no number for is null; -0 is 0, as no reader keeps it. */
void gs_json_real(struct gs_json *j, const char *key, double v)
{
	lead(j, key);
	if (isfinite(v))
		fprintf(j->f, "%.9g", v == 0 ? 0.0 : v);
	else
		fputs("null", j->f);
}

void gs_json_bool(struct gs_json *j, const char *key, bool v)
{
	lead(j, key);
	fputs(v ? "true" : "false", j->f);
}

void gs_json_str(struct gs_json *j, const char *key, const char *v)
{
	lead(j, key);
	if (v)
		string(j->f, v);
	else
		fputs("null", j->f);
}

static u64 field(const void *obj, u32 offset)
{
	u64 v;

	memcpy(&v, (const char *)obj + offset, sizeof(v));
	return v;
}

void gs_json_stats(struct gs_json *j, const char *key, const struct gm_stat *rows, const void *obj)
{
	gs_json_object(j, key);
	for (; rows->name; rows++) {
		u64 v = field(obj, rows->offset);

		if (rows->kind == GM_STAT_RATIO) /* 0 / 0 is NaN is null */
			gs_json_real(j, rows->name, (double)v / (double)field(obj, rows->den));
		else
			gs_json_u64(j, rows->name, v);
	}
	gs_json_end(j);
}
