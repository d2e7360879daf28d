/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * segments.h - which device memory a job's allocator has mapped
 *
 * Tensors are cut from segments.  One may be freed in parts, or together with
 * its neighbours: what counts is which addresses are mapped.
 */
#ifndef TR_SEGMENTS_H
#define TR_SEGMENTS_H

#include "sim/op.h"
#include "sim/ranges.h"

struct tr_segments {	      /* all 0: there was none */
	struct gs_ranges *of; /* by device */
	u32 ndevices;
	u64 bytes, most; /* now, and at once */
	u64 low, high;	 /* around all that ever were */
};

void tr_segments_fini(struct tr_segments *s);
/* Alloc or free of one of @ndevices devices.  NULL, or what is wrong with it. */
const char *tr_segments_pass(struct tr_segments *s, u32 ndevices, const struct gs_op *op);

#endif
