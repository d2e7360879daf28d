/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reprs.c - lists as Python or JSON write them, inside a text, as a tree */
#include "traces/reprs.h"

void tr_reprs_init(struct tr_reprs *r)
{
	*r = (struct tr_reprs){ 0 };
	tr_reprs_clear(r);
}

void tr_reprs_clear(struct tr_reprs *r)
{
	r->n = 0;
	r->texts.n = 0;
	tr_put_u8(&r->texts, 0);
}

void tr_reprs_fini(struct tr_reprs *r)
{
	free(r->values);
	tr_buf_fini(&r->texts);
}

static u32 add(struct tr_reprs *r, enum tr_json_type type, const char *s, size_t n)
{
	GS_PUSH_ROOM(r->values, r->n, r->cap);
	r->values[r->n] = (struct tr_value){ .type = (u8)type, .skip = 1 };
	if (s) {
		r->values[r->n].text = (u32)r->texts.n;
		tr_put_bytes(&r->texts, s, n);
		tr_put_u8(&r->texts, 0);
	}
	return r->n++;
}

struct scan {
	const char *p, *end;
};

static char skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == ','))
		s->p++;
	return s->p < s->end ? *s->p : 0;
}

/* A word, number or quoted text; escapes stay as they are: no operand has any. */
static void scalar(struct tr_reprs *r, struct scan *s)
{
	const char *from = s->p;
	char quote = *from;

	if (quote == '\'' || quote == '"') {
		for (s->p++; s->p < s->end && *s->p != quote; s->p++)
			s->p += *s->p == '\\' && s->p + 1 < s->end;
		add(r, TJ_TEXT, from + 1, (size_t)(s->p - from - 1));
		s->p += s->p < s->end;
		return;
	}
	while (s->p < s->end && *s->p != ',' && *s->p != ']' && *s->p != ')' && *s->p != '[')
		s->p++;
	add(r, (*from >= '0' && *from <= '9') || *from == '-' ? TJ_NUMBER : TJ_TEXT, from,
	    (size_t)(s->p - from));
}

u32 tr_reprs_add(struct tr_reprs *r, const char *text, size_t len)
{
	struct scan s = { text, len ? text + len : text }; /* NULL if absent */
	u32 open[TR_JSON_DEPTH], depth = 0, root = r->n;

	if (skip_space(&s) != '[')
		return U32_MAX;
	do {
		char c = skip_space(&s);

		if (!c)
			break;
		if (c != ']' && c != ')' && depth)
			r->values[open[depth - 1]].count++;
		if (c == '[' || c == '(') {
			if (depth == TR_JSON_DEPTH)
				break;
			open[depth++] = add(r, TJ_LIST, NULL, 0);
			s.p++;
		} else if (c == ']' || c == ')') {
			depth--;
			r->values[open[depth]].skip = r->n - open[depth];
			s.p++;
		} else {
			scalar(r, &s);
		}
	} while (depth);
	if (!depth)
		return root;
	r->n = root; /* cut off, or too deep */
	return U32_MAX;
}

struct tr_tree tr_reprs_tree(const struct tr_reprs *r)
{
	return (struct tr_tree){ r->values, (const char *)r->texts.p };
}

const struct tr_value *tr_reprs_root(const struct tr_reprs *r, u32 root)
{
	return root == U32_MAX ? NULL : &r->values[root];
}
