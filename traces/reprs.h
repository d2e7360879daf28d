/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * reprs.h - lists as Python or JSON write them, inside a text, as a tree
 *
 *	[[4, 5, 0, 64, 4, 'cuda:0'], True, <None>]
 */
#ifndef TR_REPRS_H
#define TR_REPRS_H

#include "traces/buf.h"
#include "traces/jsontree.h"

/* Several texts share one table; offsets in it stay valid while it grows. */
struct tr_reprs {
	struct tr_value *values;
	u32 n, cap;
	struct tr_buf texts;
};

void tr_reprs_init(struct tr_reprs *r);
void tr_reprs_fini(struct tr_reprs *r);
void tr_reprs_clear(struct tr_reprs *r);
/* The number of the root of @len letters at @s; U32_MAX when they are no list. */
u32 tr_reprs_add(struct tr_reprs *r, const char *s, size_t len);
/* As a tree, valid until the next add; a root of U32_MAX is NULL. */
struct tr_tree tr_reprs_tree(const struct tr_reprs *r);
const struct tr_value *tr_reprs_root(const struct tr_reprs *r, u32 root);

#endif
