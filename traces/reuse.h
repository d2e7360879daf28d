/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * reuse.h - reuse distances in bytes, exact
 *
 * The distance of a byte that is touched again: how many living bytes, itself
 * among them, were touched since, at most at any moment in between (what dies
 * makes room, but what LRU threw out before does not come back).  An LRU memory
 * of that size still has it.
 *
 * Bytes of one touch have one time: a range is kept as pieces that were touched
 * together.  A tree over times holds the depth of each in the LRU stack, and the
 * greatest depth it ever had (after Olken 1981; prefixes are added to, with
 * historic maxima).  Memory goes by the pieces, time by their logarithm.
 */
#ifndef TR_REUSE_H
#define TR_REUSE_H

#include "sim/base.h"

enum { TR_REUSE_BUCKETS = 64 };

struct tr_reuse {
	struct tr_reuse_object *objects; /* tensors, or pages */
	size_t nobjects, objects_cap;
	struct tr_depth *tree; /* heap order; the leaves are times */
	size_t now, slots, npieces;
	u64 first;		     /* bytes touched for the first time */
	u64 again[TR_REUSE_BUCKETS]; /* bytes by the length in bits of their distance */
	const u64 *sizes;	     /* of memories, ascending, and what LRU misses there */
	u64 *misses;
	u32 nsizes;
};

/* @sizes and @misses are the caller's. */
void tr_reuse_init(struct tr_reuse *r, const u64 *sizes, u64 *misses, u32 nsizes);
void tr_reuse_fini(struct tr_reuse *r);
/* Bytes [off, end) of @object are touched. */
void tr_reuse_touch(struct tr_reuse *r, size_t object, u64 off, u64 end);
/* @bytes are touched again at @distance. */
void tr_reuse_count(struct tr_reuse *r, u64 bytes, u64 distance);
/* @object is dead: its bytes take no room any more. */
void tr_reuse_drop(struct tr_reuse *r, size_t object);

#endif
