/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_policy.h - replaceable policies: who leaves, and what comes early
 *
 * A policy is one file with one ops table, listed in one visible array.  It
 * sees units through struct gm_mapping (two list links and two words of each
 * are the evictor's) and never moves anything itself.
 *
 * The core keeps units that cannot be evicted (in flight, pinned) off the
 * evictor, so a victim is always usable: insert() when a unit has become
 * resident and evictable, remove() when it leaves or is pinned.  All slots are
 * O(1) but those of min, which is an oracle (O(log n)).
 */
#ifndef GM_POLICY_H
#define GM_POLICY_H

#include "gm_map.h"

struct gm_evict_ops {
	const char *name;
	const char *help;
	bool needs_future; /* asks gm_host_ops.next_use */
	bool relinks;	   /* touch() moves the unit on its list */
	/* Set n->policy.  0 or -ENOMEM. */
	int (*init)(struct gm_hnode *n);
	void (*fini)(struct gm_hnode *n);
	/* The device faulted on @m, and room may have to be made for it.  NULL:
	 * who comes makes no difference to who leaves. */
	void (*expect)(struct gm_hnode *n, struct gm_mapping *m);
	void (*insert)(struct gm_hnode *n, struct gm_mapping *m);
	/* A device access.  NULL: accesses do not count (GMEM's list_lru). */
	void (*touch)(struct gm_hnode *n, struct gm_mapping *m);
	/* Prefetch of a resident unit: mark it recently used.  May be NULL. */
	void (*hint)(struct gm_hnode *n, struct gm_mapping *m);
	void (*remove)(struct gm_hnode *n, struct gm_mapping *m);
	/* Who goes next (stays listed until remove()), NULL if none is left. */
	struct gm_mapping *(*victim)(struct gm_hnode *n);
	/* Units listed now; gm_check() compares with the hnode's counters. */
	u64 (*count)(const struct gm_hnode *n);
};

extern const struct gm_evict_ops *const gm_evictors[]; /* NULL-terminated */

/* Units [first, first + n) counted from the start of the faulting mapping range. */
struct gm_span {
	u64 first, n;
};
#define GM_MAX_SPANS 8

struct gm_prefetch_ops {
	const char *name;
	const char *help;
	int (*init)(struct gm_ctx *ctx); /* set ctx->prefetch */
	void (*fini)(struct gm_ctx *ctx);
	/*
	 * The device faulted on unit @index of @r, or (on_hit) touched for the
	 * first time a unit that a prefetch brought.  Fill at most GM_MAX_SPANS
	 * spans inside @r; the core drops what is resident or in flight.
	 * Returns how many.  NULL slots: nothing.
	 */
	u32 (*on_fault)(struct gm_ctx *ctx, struct gm_range *r, u64 index, struct gm_span *out);
	u32 (*on_hit)(struct gm_ctx *ctx, struct gm_range *r, u64 index, struct gm_span *out);
};

extern const struct gm_prefetch_ops *const gm_prefetchers[]; /* NULL-terminated */

const struct gm_evict_ops *gm_evictor_find(const char *name);
const struct gm_prefetch_ops *gm_prefetcher_find(const char *name);

/*
 * UVM's density rule as a pure function (systems.md A.3 tells it), shared by
 * the tree prefetcher and the simulator's uvm manager.  @npages <= 512 leaves;
 * @group: leaves that a fault grows to at least (64 KiB / leaf); bitmaps are
 * arrays of u64, bit i = leaf i.  @out: what to fetch besides the faulted
 * leaves.  @threshold in percent, strict.
 */
#define GM_TREE_MAX   512
#define GM_TREE_WORDS (GM_TREE_MAX / 64)
struct gm_bitmap {
	u64 w[GM_TREE_WORDS];
};
void gm_tree_expand(const struct gm_bitmap *resident, const struct gm_bitmap *faulted, u32 npages,
		    u32 group, u32 threshold, struct gm_bitmap *out);

#endif
