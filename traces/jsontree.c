/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jsontree.c - a large JSON file, one element of its lists at a time */
#include "traces/jsontree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "traces/buf.h"

struct reader {
	struct tr_bytes *in;
	const struct tr_json_ops *ops;
	void *arg;
	yajl_handle yajl;
	int err;

	unsigned int depth; /* open lists and objects */
	bool is_list;	    /* the outermost value is a list */
	bool in_list;	    /* between elements of a list */
	char *outer;	    /* the member of the outermost object that is read */
	struct tr_value *values;
	u32 nvalues, cap;
	u32 open[TR_JSON_DEPTH + 2]; /* values whose children come, innermost last */
	unsigned int nopen;
	struct tr_buf texts; /* begins with an empty one */
	u32 key;
};

/* Stop: the message is out. */
static int stop(struct reader *r, int err)
{
	r->err = err;
	return 0;
}

static int complain(struct reader *r, const char *why)
{
	gs_err("%s: near offset %llu: %s", tr_bytes_path(r->in), tr_bytes_at(r->in), why);
	return stop(r, -EINVAL);
}

static u32 add_text(struct reader *r, const void *s, size_t n)
{
	u32 at = (u32)r->texts.n;

	tr_put_bytes(&r->texts, s, n);
	tr_put_u8(&r->texts, 0);
	return at;
}

/* An element is complete: hand it over. */
static int deliver(struct reader *r)
{
	struct tr_tree t = { r->values, (const char *)r->texts.p };
	int ret = 0;

	if (r->in_list || r->is_list)
		ret = r->ops->element(r->arg, r->outer, &t);
	else if (r->ops->member)
		ret = r->ops->member(r->arg, r->outer, &t);
	r->nvalues = 0;
	r->texts.n = 1;
	r->key = 0;
	return ret < 0 ? stop(r, ret) : 1;
}

static int add_value(struct reader *r, enum tr_json_type type, const void *s, size_t n)
{
	struct tr_value *v;

	if (r->texts.n + n + (size_t)r->nvalues * sizeof(*v) > TR_JSON_ELEMENT)
		return complain(r, "an element of more than 64 MiB");
	GS_PUSH_ROOM(r->values, r->nvalues, r->cap);
	v = &r->values[r->nvalues++];
	*v = (struct tr_value){ .type = (u8)type, .key = r->key, .skip = 1 };
	r->key = 0;
	if (s)
		v->text = add_text(r, s, n);
	if (r->nopen)
		r->values[r->open[r->nopen - 1]].count++;
	if (type == TJ_LIST || type == TJ_OBJECT) {
		r->open[r->nopen++] = r->nvalues - 1;
		return 1;
	}
	return r->nopen ? 1 : deliver(r);
}

static int scalar(struct reader *r, enum tr_json_type type, const void *s, size_t n)
{
	if (!r->depth)
		return complain(r, "the file holds neither an object nor a list");
	return add_value(r, type, s, n);
}

static int on_null(void *arg)
{
	return scalar(arg, TJ_NULL, NULL, 0);
}

static int on_bool(void *arg, int value)
{
	return scalar(arg, value ? TJ_TRUE : TJ_FALSE, NULL, 0);
}

static int on_number(void *arg, const char *s, size_t n)
{
	return scalar(arg, TJ_NUMBER, s, n);
}

static int on_string(void *arg, const unsigned char *s, size_t n)
{
	return scalar(arg, TJ_TEXT, s, n);
}

/* The outermost value, and lists directly in it, are not kept: their elements are. */
static int on_open(struct reader *r, enum tr_json_type type)
{
	if (r->depth >= TR_JSON_DEPTH)
		return complain(r, "nests more than 64 deep");
	r->depth++;
	if (r->depth == 1) {
		r->is_list = type == TJ_LIST;
		return 1;
	}
	if (r->depth == 2 && !r->is_list && type == TJ_LIST) {
		r->in_list = true;
		return 1;
	}
	return add_value(r, type, NULL, 0);
}

static int on_close(struct reader *r)
{
	struct tr_value *v;

	r->depth--;
	if (!r->depth)
		return 1;
	if (!r->nopen) {
		r->in_list = false;
		return 1;
	}
	v = &r->values[r->open[--r->nopen]];
	v->skip = (u32)(r->values + r->nvalues - v);
	return r->nopen ? 1 : deliver(r);
}

static int on_object(void *arg)
{
	return on_open(arg, TJ_OBJECT);
}

static int on_list(void *arg)
{
	return on_open(arg, TJ_LIST);
}

static int on_end(void *arg)
{
	return on_close(arg);
}

static int on_key(void *arg, const unsigned char *s, size_t n)
{
	struct reader *r = arg;

	if (r->depth == 1) {
		free(r->outer);
		r->outer = gs_asprintf("%.*s", (int)gs_min(n, 255), (const char *)s);
		return 1;
	}
	r->key = add_text(r, s, n);
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_end,
	.yajl_start_array = on_list,
	.yajl_end_array = on_end,
};

/* What yajl has against the file, in a line. */
static int syntax(struct reader *r, const u8 *p, size_t n)
{
	u8 *text = yajl_get_error(r->yajl, 0, p, n);
	size_t done = yajl_get_bytes_consumed(r->yajl); /* with what is wrong */
	u64 at = tr_bytes_at(r->in) - n + done - (done > 0);

	text[strcspn((char *)text, "\n")] = 0;
	gs_err("%s: offset %llu: %s", tr_bytes_path(r->in), at, (char *)text);
	yajl_free_error(r->yajl, text);
	r->err = -EINVAL;
	return r->err;
}

static int parse(struct reader *r)
{
	const u8 *p;
	size_t n;
	int ret;

	while ((ret = tr_bytes_next(r->in, &p, &n)) == 1) {
		yajl_status status = yajl_parse(r->yajl, p, n);

		if (r->err)
			return r->err;
		if (status != yajl_status_ok)
			return syntax(r, p, n);
	}
	if (ret)
		return ret;
	if (yajl_complete_parse(r->yajl) != yajl_status_ok && !r->err) {
		gs_err("%s: offset %llu: %s", tr_bytes_path(r->in), tr_bytes_at(r->in),
		       tr_bytes_at(r->in) ? "the file is truncated: its JSON is not complete"
					  : "is empty");
		r->err = -EINVAL;
	}
	return r->err;
}

int tr_json_read(struct tr_bytes *in, const struct tr_json_ops *ops, void *arg)
{
	struct reader r = { .in = in, .ops = ops, .arg = arg, .outer = gs_strdup("") };
	int ret;

	r.yajl = yajl_alloc(&callbacks, NULL, &r);
	gs_assert(r.yajl);
	yajl_config(r.yajl, yajl_dont_validate_strings, 1); /* names are made clean later */
	tr_put_u8(&r.texts, 0);
	ret = parse(&r);
	yajl_free(r.yajl);
	tr_buf_fini(&r.texts);
	free(r.values);
	free(r.outer);
	return ret;
}

/* ---- looking at a tree ---------------------------------------------------- */

const struct tr_value *tr_member(const struct tr_tree *t, const struct tr_value *v, const char *key)
{
	if (!v || v->type != TJ_OBJECT)
		return NULL;
	tr_each_child(c, v)
		if (t->texts[c->key] == *key && !strcmp(t->texts + c->key, key))
			return c;
	return NULL;
}

const char *tr_text(const struct tr_tree *t, const struct tr_value *v)
{
	return v ? t->texts + v->text : "";
}

u64 tr_number(const struct tr_tree *t, const struct tr_value *v, u64 absent)
{
	const char *s = tr_text(t, v);
	unsigned long long n;
	char *end;

	if (*s < '0' || *s > '9')
		return absent;
	errno = 0;
	n = strtoull(s, &end, 10);
	return errno || *end ? absent : n;
}

s64 tr_signed(const struct tr_tree *t, const struct tr_value *v)
{
	const char *s = tr_text(t, v);
	const s64 most = 1LL << 62;
	long long n;

	errno = 0;
	n = strtoll(s, NULL, 10);
	return n > most ? most : n < -most ? -most : n;
}

u64 tr_decimal(const struct tr_tree *t, const struct tr_value *v, u64 scale)
{
	const char *s = tr_text(t, v);
	u64 n = 0, unit = scale;
	char *end;

	if (*s < '0' || *s > '9')
		return 0;
	n = strtoull(s, &end, 10);
	if (*end == 'e' || *end == 'E' || n > U64_MAX / 2 / scale)
		return 0;
	n *= scale;
	if (*end != '.')
		return n;
	for (end++; *end >= '0' && *end <= '9' && unit > 1; end++) {
		unit /= 10;
		n += (u64)(*end - '0') * unit;
	}
	return strpbrk(end, "eE") ? (u64)(strtod(s, NULL) * (double)scale) : n;
}

bool tr_true(const struct tr_value *v)
{
	return v && v->type == TJ_TRUE;
}
