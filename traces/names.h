/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * names.h - the names of one frame and the numbers that stand for them
 */
#ifndef TR_NAMES_H
#define TR_NAMES_H

#include "traces/buf.h"

struct tr_names {
	struct tr_name *slots; /* hash table, half full at most */
	u32 nslots, n;
	struct tr_buf arena; /* their bytes */
};

void tr_names_init(struct tr_names *t);
void tr_names_fini(struct tr_names *t);
void tr_names_clear(struct tr_names *t);
/* The number of a name, from 0; -1: it is new, and has the next number now. */
s64 tr_names_find(struct tr_names *t, const char *s, size_t len);

#endif
