/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gmt_enc.h - the frame that is being written, for gmt_enc.c and gmt_enc_pages.c */
#ifndef TR_GMT_ENC_H
#define TR_GMT_ENC_H

#include "traces/gmt.h"
#include "traces/gmt_col.h"
#include "traces/gmt_guess.h"
#include "traces/names.h"

enum { GMT_KIND_SLOTS = 256 };

/* Page accesses: those that wait to become one record, and their kinds. */
struct gmt_enc_pages {
	u32 n;
	u64 va[GMT_BATCH], when[GMT_BATCH];
	struct gmt_page_kind kinds[GMT_KIND_SLOTS]; /* direct-mapped */
	u32 kind_refs[GMT_KIND_SLOTS];		    /* 0: free slot */
	u32 nkinds;
};

struct gmt_enc {
	struct gmt_state st;
	u32 first_tensor; /* delta bases at the start of the frame */
	u64 first_va;
	u64 first_op, nops;
	u32 recent; /* tensors from here on were allocated in this iteration */
	struct tr_buf bytes[GMT_NR_SECTIONS]; /* each section is of one sort: */
	struct gmt_col numbers[GMT_NR_SECTIONS];
	struct tr_names names;
	struct gmt_like like;
	struct gmt_places places;
	struct gmt_enc_pages pages;
};

void gmt_enc_page(struct gmt_enc *e, const struct gs_op *op);
void gmt_enc_flush_pages(struct gmt_enc *e);

static inline void gmt_put(struct gmt_enc *e, enum gmt_section s, u64 v)
{
	gmt_col_put(&e->numbers[s], v);
}

static inline void gmt_put_u8(struct gmt_enc *e, enum gmt_section s, u8 v)
{
	tr_put_u8(&e->bytes[s], v);
}

#endif
