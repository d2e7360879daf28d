/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gmt_dec.h - the frame that is being read, for gmt_dec.c and gmt_dec_pages.c
 *
 * A field is read from its column.  In version 1 the fields of a record stood
 * one behind the other: all columns are that record then.
 */
#ifndef TR_GMT_DEC_H
#define TR_GMT_DEC_H

#include "traces/gmt.h"
#include "traces/gmt_col.h"
#include "traces/gmt_guess.h"

struct gmt_dec {
	struct gmt_state st;
	bool records;	/* version 1 */
	bool newer;	/* minor version */
	bool alike;	/* tensors are told by those of the last kernel of the name */
	bool bad;	/* a field was not there, or cannot be */
	u64 index, end; /* of the operations */
	struct gmt_cur sec[GMT_NR_SECTIONS], rec;
	struct gmt_cur *col[GMT_NR_SECTIONS];
	const char *why;

	const char **names;
	size_t nnames, names_cap;
	struct gs_touch *touches;
	size_t touches_cap;
	struct gmt_like like;
	struct gmt_places places;

	struct gmt_page_kind *kinds;
	size_t nkinds, kinds_cap;
	u32 npages; /* left of the batch */
	u8 page_flags, page_shift;
	u64 page_base, page_when;
};

static inline int gmt_bad(struct gmt_dec *d, const char *why)
{
	d->why = why;
	return -EINVAL;
}

static inline __attribute__((always_inline)) u64 gmt_number(struct gmt_dec *d, enum gmt_section s)
{
	struct gmt_cur *k = d->col[s];
	u64 v;

	if (k->c.p < k->c.end && *k->c.p < 0x80)
		return *k->c.p++;
	v = gmt_get(k);
	d->bad |= k->c.bad;
	return v;
}

static inline u64 gmt_below(struct gmt_dec *d, enum gmt_section s, u64 limit)
{
	u64 v = gmt_number(d, s);

	if (v < limit)
		return v;
	d->bad = true;
	return 0;
}

static inline __attribute__((always_inline)) u8 gmt_u8(struct gmt_dec *d, enum gmt_section s)
{
	struct tr_cur *c = &d->col[s]->c;

	if (c->p < c->end)
		return *c->p++;
	d->bad = true;
	return 0;
}

int gmt_begin_pages(struct gmt_dec *d);
int gmt_get_page(struct gmt_dec *d, struct gs_op *op);
int gmt_get_pages(struct gmt_dec *d, struct gs_page *p, u32 n); /* [n <= d->npages] */

#endif
