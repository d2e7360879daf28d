/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * round.h - durations to a stated precision, which their digits behind it are not worth
 *
 * A clock does not measure a kernel to the nanosecond, and noise does not compress.
 * Each duration becomes a multiple of a power of two of nanoseconds, not farther from
 * it than the precision, and what is left over goes to the device's later ones: sums do
 * not drift.
 */
#ifndef TR_ROUND_H
#define TR_ROUND_H

#include "traces/check.h"

struct tr_round {
	u32 ppm;		      /* millionths of each duration; 0: as it is */
	s64 owed[TR_MAX_DEVICES + 1]; /* ps that the durations so far have lost; last: the host's */
};

enum { TR_ROUND_MAX = 100000 }; /* ppm */

/* "0.1%" or "0.1 %"; false: it is no precision. */
bool tr_round_parse(const char *text, u32 *ppm);
/* The duration of @op, if it has one. */
void tr_round(struct tr_round *r, struct gs_op *op);

#endif
