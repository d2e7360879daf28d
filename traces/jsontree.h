/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * jsontree.h - a large JSON file, one element of its lists at a time
 *
 * Traces of others are one object (or one list) whose long lists hold one
 * event, node or kernel an element.  Each element is given as a small tree;
 * memory is that of the largest element, not of the file.
 */
#ifndef TR_JSONTREE_H
#define TR_JSONTREE_H

#include "traces/bytes.h"

enum { TR_JSON_DEPTH = 64, TR_JSON_ELEMENT = 1 << 26 /* bytes of one element, about */ };

enum tr_json_type { TJ_NULL, TJ_FALSE, TJ_TRUE, TJ_NUMBER, TJ_TEXT, TJ_LIST, TJ_OBJECT };

/* Values lie in the order of the file: the first child of @v is v + 1. */
struct tr_value {
	u8 type;
	u32 key;   /* offset of its name in the texts; 0: none */
	u32 text;  /* offset of a number's or text's letters */
	u32 count; /* children */
	u32 skip;  /* v + skip is the next sibling */
};

struct tr_tree {
	const struct tr_value *root;
	const char *texts;
};

struct tr_json_ops {
	/* Element of the list called @list ("" when the file is one list). 0, or -errno (said). */
	int (*element)(void *arg, const char *list, const struct tr_tree *t);
	/* A member of the outermost object that is no list; NULL: passed over. */
	int (*member)(void *arg, const char *key, const struct tr_tree *t);
};

/* Read all of @in.  0 or -errno (said). */
int tr_json_read(struct tr_bytes *in, const struct tr_json_ops *ops, void *arg);

/* ---- looking at a tree: NULL stands for what is absent ------------------ */

#define tr_each_child(c, v)                                                 \
	for (const struct tr_value *c = (v) ? (v) + 1 : NULL,               \
				   *c##_end = (v) ? (v) + (v)->skip : NULL; \
	     c < c##_end; c += c->skip)

/* Member @key of an object; NULL if there is none. */
const struct tr_value *tr_member(const struct tr_tree *t, const struct tr_value *v,
				 const char *key);
/* The letters of a text or number; "" for anything else. */
const char *tr_text(const struct tr_tree *t, const struct tr_value *v);
/* A whole number in [0, 2^64), also when written as a text; else @absent. */
u64 tr_number(const struct tr_tree *t, const struct tr_value *v, u64 absent);
/* A whole number that may be negative, 0 if absent; cut at +-2^62. */
s64 tr_signed(const struct tr_tree *t, const struct tr_value *v);
/* A number with a fraction, in units of 1 / @scale (a power of ten), exact; 0 if absent. */
u64 tr_decimal(const struct tr_tree *t, const struct tr_value *v, u64 scale);
bool tr_true(const struct tr_value *v);

#endif
