/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * relabel.h - operations with other tensor numbers
 *
 * Numbers in a trace are dense; a part of a trace, or several together, need
 * them anew.  A source keeps one table; several may draw from one counter.
 */
#ifndef TR_RELABEL_H
#define TR_RELABEL_H

#include "sim/op.h"

struct tr_relabel {
	u32 *next; /* the number that comes; shared */
	u32 *to;   /* by old number; U32_MAX: none yet */
	size_t n, cap;
	struct gs_touch *touches;
	size_t touches_cap;
};

void tr_relabel_init(struct tr_relabel *r, u32 *next);
void tr_relabel_fini(struct tr_relabel *r);
/* @op with new numbers in @out; an alloc draws one.  Valid until the next call. */
void tr_relabel(struct tr_relabel *r, const struct gs_op *op, struct gs_op *out);

/*
 * Time at full residency: how far the busiest stream is when an operation
 * begins.  Page accesses have their own times.
 */
struct tr_clock {
	u64 *streams; /* ps, by device << 16 | stream, in a hash table */
	u32 *keys, n, slots;
	u64 now, first_page;
	bool pages;
};

void tr_clock_fini(struct tr_clock *c);
/* The time at which @op begins; and go on behind it. */
u64 tr_clock_pass(struct tr_clock *c, const struct gs_op *op);

#endif
