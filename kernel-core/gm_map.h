/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_map.h - address range -> unit -> where its content is
 *
 * The logical page table: a space holds ranges, a range (GMEM's vm_object)
 * holds one struct gm_mapping for each unit.
 */
#ifndef GM_MAP_H
#define GM_MAP_H

#include "gm_core.h"

enum gm_state {
	GM_NOMAP,	/* nowhere: the next touch reads zeroes */
	GM_CPU,		/* in a host frame */
	GM_DEVICE,	/* in a frame of device @owner */
	GM_TO_DEVICE,	/* in flight: frames are held on both sides */
	GM_TO_CPU,
	GM_TO_PEER,	/* device to device */
	GM_NR_STATES
};

struct gm_txn;		/* a move in progress: gm_pager.h */
struct gm_evict_ops;
struct gm_prefetch_ops;

struct gm_mapping {
	struct list_head lru;	/* the evictor's */
	u64 priv[2];		/* the evictor's */
	struct gm_range *range;
	struct gm_txn *txn;	/* in-flight states */
	u64 host_frame;		/* cookie of the host, while GM_MAP_HOSTED */
	u32 frame;		/* on @owner, while on a device */
	s16 owner;		/* device id or GM_HOST_NODE */
	u8 state;		/* enum gm_state */
	u8 flags;		/* GM_MAP_* */
};

enum {
	GM_MAP_HOSTED = 1,	/* a host frame is held (its content may be stale) */
	GM_MAP_CPU_PTE = 2,	/* the CPU has a translation */
	GM_MAP_DIRTY = 4,	/* device content is newer than the host frame */
	GM_MAP_PINNED = 8,
	GM_MAP_PREFETCHED = 16,	/* brought ahead, not touched yet */
	GM_MAP_LISTED = 32,	/* on the evictor of its hnode */
	GM_MAP_WILLNEED = 64
};

/* GMEM's vm_object with its logical page table: [va, va + n * unit). */
struct gm_range {
	struct list_head link;	/* gm_as.ranges, ascending */
	struct gm_as *as;
	u64 va, n;		/* start, units */
	struct gm_mapping *map;	/* n of them, owned */
};

/* Memory of one device as a NUMA-like node. */
struct gm_hnode {
	struct gm_core *core;
	struct gm_dev *dev;
	const struct gm_evict_ops *evict;
	void *policy;		/* the evictor's state */
	u64 nr_frames;		/* capacity in units */
	u64 nr_free;
	u64 nr_listed;		/* on the evictor */
	u64 nr_pinned;
	u64 nr_inflight;	/* frames held by moves in progress */
};

/* A device attached to a space. */
struct gm_ctx {
	struct list_head link;	/* gm_as.ctxs */
	struct gm_core *core;
	struct gm_as *as;
	struct gm_dev *dev;
	const struct gm_prefetch_ops *prefetcher;
	void *prefetch;		/* the prefetcher's state */
};

/* What policies may be told by the user (`manager.gmem.*`). */
struct gm_policy_params {
	u32 next_n;		/* next-n: units ahead */
	u32 stride_degree;	/* stride: units ahead along the stride */
	u32 stride_confirm;	/* equal strides seen before it fires */
	u64 tree_region;	/* tree: bytes that one tree spans */
	u32 tree_threshold;	/* percent, strict */
};
const struct gm_policy_params *gm_core_policy_params(const struct gm_core *core);
u64 gm_core_random(struct gm_core *core);	/* the random evictor's stream */
u64 gm_core_next_use(struct gm_core *core, u32 dev, u64 va);

static inline u64 gm_mapping_index(const struct gm_mapping *m)
{
	return (u64)(m - m->range->map);
}

#endif
