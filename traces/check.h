/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * check.h - what every operation of a trace must fulfil
 *
 * Tensors are allocated once, before use, and not used after they are freed;
 * accesses stay inside the tensor; devices exist; iterations count from 0; segments
 * do not overlap, and no tensor lies in what is unmapped.
 * On the way the totals of struct gs_job are gathered.  Memory is proportional
 * to the tensors alive, not to the length of the trace.
 * (Segments are the larger pieces that a job's allocator maps and cuts tensors from.)
 */
#ifndef TR_CHECK_H
#define TR_CHECK_H

#include "sim/op.h"
#include "traces/segments.h"

enum {
	TR_MAX_TOUCHES = 1 << 18, /* operands of one kernel */
	TR_MAX_NAME = 1 << 16,	  /* bytes of any name */
	TR_MAX_DEVICES = 1 << 10
};

struct tr_check {
	struct gs_job job; /* totals so far; names and hash are not touched */
	u64 ntouches;
	u64 kernel_ps;	/* sum of durations */
	u64 live_bytes; /* alive now */
	u64 live_tensors;
	u64 nallocs;
	char why[256];

	struct tr_segments segments;
	struct tr_tensors *chunks; /* private */
	size_t nchunks;
};

void tr_check_init(struct tr_check *c, u32 ndevices);
void tr_check_fini(struct tr_check *c);

/* 0, or -EINVAL and the reason in @c->why. */
int tr_check_op(struct tr_check *c, const struct gs_op *op);
/* The same for many page accesses. */
int tr_check_pages(struct tr_check *c, const struct gs_page *p, u32 n);
/* After the last operation: every id below ntensors was allocated.  The same result. */
int tr_check_end(struct tr_check *c);
/* Is @s a name: UTF-8 without control characters, not overlong? */
bool tr_check_name(const char *s, size_t len);
/* Bytes of a live tensor in @bytes; false when @tensor is not alive. */
bool tr_check_live(const struct tr_check *c, u32 tensor, u64 *bytes);

/*
 * A source that passes on what @inner gives, checked; @path and the offset of
 * a faulty operation go into the message.  It owns @inner.  Operations that
 * were seen before (after a seek back) are not checked again; a seek forward
 * reads what it skips.
 */
struct gs_source *tr_checked(struct gs_source *inner, const char *path);
/* The state of the check inside such a source. */
const struct tr_check *tr_checked_state(const struct gs_source *src);

#endif
