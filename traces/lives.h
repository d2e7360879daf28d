/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lives.h - live memory over time, lives of tensors, and when they lie idle
 *
 * Time is that of the busiest stream at full residency (struct tr_clock), or,
 * where no duration is known, the number of the kernel.
 */
#ifndef TR_LIVES_H
#define TR_LIVES_H

#include <stdio.h>

#include "traces/relabel.h"

enum { TR_LIVE_SAMPLES = 4096, TR_IDLE_BUCKETS = 20 };

/* Live bytes of each kind; the most of its stretch of time. */
struct tr_live {
	u64 time, bytes, kinds[GS_NR_TENSOR_KINDS];
};

struct tr_life {
	char *name;
	u64 bytes, born, died; /* died: U64_MAX while it lives */
	u64 first, used;       /* begin of the first touch and end of the last; none: U64_MAX, 0 */
	u64 longest, idle;     /* between touches */
	u64 touches, touched;  /* operands, and their bytes */
	u8 kind;
};

/* Of one kind: byte times of its tensors' lives, by what they do. */
struct tr_kind_lives {
	u64 tensors;
	double before, busy, idle, after, life; /* life: times, without bytes */
};

struct tr_lives {
	struct tr_clock clock;
	bool by_kernels;
	u64 now; /* end of what was passed */
	u64 kernels;
	struct tr_life *lives;
	size_t n, cap;
	struct tr_live live, *samples;
	size_t nsamples;
	u64 step;    /* of samples */
	u64 peak_at; /* when live.bytes was most */
	u64 peak;
	struct {
		u64 periods;
		double bytes, byte_times;
	} idle[TR_IDLE_BUCKETS]; /* by the decimal digits of their time */
	const u64 *sizes;	 /* of memories, and how long more than that was alive */
	u64 *above;
	u32 nsizes;
	FILE *csv; /* idle periods, or NULL */
};

/* @sizes, @above and @csv are the caller's. */
void tr_lives_init(struct tr_lives *l, bool by_kernels, const u64 *sizes, u64 *above, u32 nsizes,
		   FILE *csv);
void tr_lives_fini(struct tr_lives *l);
void tr_lives_pass(struct tr_lives *l, const struct gs_op *op);
/* The trace has ended, and with it what lives; sums by kind in @kinds. */
void tr_lives_end(struct tr_lives *l, struct tr_kind_lives kinds[GS_NR_TENSOR_KINDS]);

#endif
