/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * reuse_pages.h - reuse distances where all objects are pages that never die
 *
 * What reuse.h counts in general: how many other pages, and itself, were touched
 * since.  Each page is one bit at the time of its last touch; the distance is the
 * number of bits from there on, by a tree of sums over words of them.  An order
 * faster than pieces with historic maxima, from which only deaths can make it differ.
 */
#ifndef TR_REUSE_PAGES_H
#define TR_REUSE_PAGES_H

#include "traces/reuse.h"

struct tr_reuse_pages {
	struct tr_reuse *counts; /* the caller's */
	u64 bytes;		 /* of a page */
	u32 *last;		 /* by page: time of its last touch; U32_MAX: none */
	size_t nlast, last_cap;
	size_t n;  /* pages that were touched */
	u32 *page; /* by time: which page was touched */
	u64 *bits; /* by time: that page was not touched since */
	u32 *sums; /* Fenwick tree over the words of bits */
	u32 now, slots;
};

void tr_reuse_pages_init(struct tr_reuse_pages *p, struct tr_reuse *counts, u64 bytes);
void tr_reuse_pages_fini(struct tr_reuse_pages *p);
/* Page @page is touched; memory goes by the greatest. */
void tr_reuse_page(struct tr_reuse_pages *p, size_t page);

#endif
