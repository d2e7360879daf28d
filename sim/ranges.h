/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ranges.h - a set of addresses that changes: few ranges, in order
 *
 * Ranges that touch are one.  All of them end below 2^64.
 */
#ifndef GS_RANGES_H
#define GS_RANGES_H

#include "sim/base.h"

struct gs_ranges { /* all 0: the empty set */
	struct gs_range {
		u64 begin, end;
	} * v;
	size_t n, cap;
};

void gs_ranges_fini(struct gs_ranges *r);
/* Is some of [begin, end) in the set; is all of it? */
bool gs_ranges_some(const struct gs_ranges *r, u64 begin, u64 end);
bool gs_ranges_all(const struct gs_ranges *r, u64 begin, u64 end);
/* The first part of [begin, end) that is not in the set; false: there is none. */
bool gs_ranges_gap(const struct gs_ranges *r, u64 begin, u64 end, struct gs_range *gap);
void gs_ranges_add(struct gs_ranges *r, u64 begin, u64 end);
void gs_ranges_remove(struct gs_ranges *r, u64 begin, u64 end);

#endif
