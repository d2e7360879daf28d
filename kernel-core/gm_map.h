/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_map.h - address range -> unit -> where its content is
 *
 * The logical page table: a space holds ranges, a range (GMEM's vm_object)
 * holds one struct gm_mapping for each unit.
 *
 *	gm_as  ranges ─► gm_range  map ─► gm_mapping [n]      64 bytes a unit
 *	       ctxs   ─► gm_ctx              ▲  │
 *	                   dev               │  ▼ owner, frame
 *	                 gm_dev  node ─►  frames[]             16 bytes a frame
 */
#ifndef GM_MAP_H
#define GM_MAP_H

#include "gm_core.h"

enum gm_state {
	GM_NOMAP,     /* nowhere: the next touch reads zeroes */
	GM_CPU,	      /* in a host frame */
	GM_DEVICE,    /* in a frame of device @owner */
	GM_TO_DEVICE, /* in flight: frames are held on both sides */
	GM_TO_CPU,
	GM_TO_PEER, /* device to device */
	GM_NR_STATES
};

struct gm_txn; /* a move in progress: gm_pager.h */
struct gm_evict_ops;
struct gm_prefetch_ops;

struct gm_mapping {
	struct list_head lru; /* the evictor's while LISTED */
	u64 priv[2];	      /* the evictor's, from expect() or insert() to remove() */
	struct gm_range *range;
	struct gm_txn *txn; /* in-flight states */
	u64 host_frame;	    /* cookie of the host, while GM_MAP_HOSTED */
	union {
		u32 frame;	/* on @owner, while on a device */
		u32 evicted_at; /* else: gm_core.evictions then, 0 never */
	};
	s16 owner; /* device id or GM_HOST_NODE */
	u8 state;  /* enum gm_state */
	u8 flags;  /* GM_MAP_* */
};

/*
 * Where the content of a unit on a device is besides:
 *
 *	HOSTED	DIRTY
 *	  -	  -	nowhere, but it is still the zeroes it began with
 *	  x	  -	in the host frame too (clean copy)
 *	  -	  x	nowhere
 *	  x	  x	nowhere, the host frame is kept with an old content
 *
 * Variants without dirty tracking set DIRTY whenever a unit lands on a device.
 */
enum {
	GM_MAP_HOSTED = 1,  /* a host frame is held */
	GM_MAP_CPU_PTE = 2, /* the CPU has a translation */
	GM_MAP_DIRTY = 4,   /* nobody but the device has this content */
	GM_MAP_PINNED = 8,
	GM_MAP_PREFETCHED = 16, /* brought ahead, not touched yet */
	GM_MAP_LISTED = 32,	/* on the evictor of its hnode */
	GM_MAP_WILLNEED = 64,	/* wanted again: the eviction in progress is vetoed */
	GM_MAP_GUARDED = 128	/* thrash damping keeps it off the evictor */
};

/* GMEM's vm_object with its logical page table: [va, va + n * unit). */
struct gm_range {
	struct list_head link; /* gm_as.ranges, ascending; or a munmap's */
	struct gm_as *as;
	u64 va, n;		/* start, units */
	struct gm_mapping *map; /* n of them, in @slab */
	struct gm_slab *slab;
	bool dying; /* unmapped, its units are being dropped */
};

/* What one gm_mmap() allocated; a partial munmap leaves ranges that share it. */
struct gm_slab {
	u64 refs;   /* ranges */
	u64 pad[7]; /* each unit in a cache line of its own */
	struct gm_mapping map[];
};

struct gm_as {
	struct list_head link; /* gm_core.spaces */
	struct gm_core *core;
	u32 id;			  /* spaces created before */
	struct list_head ranges;  /* ascending */
	struct gm_range **sorted; /* the same, for binary search */
	u64 nr_ranges, max_ranges;
	struct gm_range *last; /* found by the last lookup */
	struct list_head ctxs;
	u64 nr_works;		 /* advice, munmaps and wishes of prefetchers */
	struct list_head dying;	 /* munmaps in progress, gm_work.as_link */
	struct list_head parked; /* moves of units where a dying range was */
};

/* One unit of device memory. */
struct gm_frame {
	struct gm_mapping *m; /* reverse map; NULL: free */
	/* Free: @next below it on the stack.  While @m is HOSTED in GM_DEVICE:
	 * its neighbours on the ring of copies, whose head is frames[nr_frames]. */
	u32 next, prev;
};

/*
 * Memory of one device as a NUMA-like node.  At any time
 *
 *	nr_frames = not imported + nr_free + nr_inflight
 *		  + nr_listed + nr_pinned + nr_guarded + nr_isolated + nr_stranded
 */
struct gm_hnode {
	struct gm_core *core;
	struct gm_dev *dev;
	const struct gm_evict_ops *evict;
	void *policy;  /* the evictor's state */
	u64 nr_frames; /* capacity in units */
	u64 nr_free;   /* imported and unused */
	u64 nr_listed; /* on the evictor */
	u64 nr_pinned;
	u64 nr_inflight; /* frames held by moves in progress */
	u64 nr_guarded;
	u64 nr_isolated; /* chosen as victims, not begun */
	u64 nr_stranded; /* off every list for good: put_back is off */
	u64 nr_evicting; /* of nr_inflight: evictions */
	u64 imported;	 /* frames handed to the core so far */
	u64 cap;	 /* units that may be imported */
	u64 low, high;	 /* watermarks of free units */
	u64 pin_limit;
	u64 peak;
	u32 free;  /* top of the stack of frames given back; U32_MAX: none */
	u64 fresh; /* frames from here to imported were never used; taken last */
	struct gm_frame *frames;
	u32 *guard_until;	  /* by frame, of GUARDED ones: gm_core.evictions then; or NULL */
	struct list_head guarded; /* oldest first */
	struct list_head demand;  /* moves that wait for frames ... */
	struct list_head ahead;	  /* ... prefetches among them, served last */
	u64 want;		  /* frames that those wait for */
	u32 vain;		  /* asynchronous evictions in a row that failed */
	struct list_head kick;	  /* gm_core.kicked */
	bool swapd;		  /* free fell under low and is not above high yet */
	struct gm_reclaim *bg;	  /* background evictions: params.evict_groups */
};

/* A device attached to a space. */
struct gm_ctx {
	struct list_head link; /* gm_as.ctxs */
	struct gm_core *core;
	struct gm_as *as;
	struct gm_dev *dev;
	const struct gm_prefetch_ops *prefetcher;
	void *prefetch; /* the prefetcher's state */
	bool detaching;
};

/* What policies may be told by the user (`manager.gmem.*`). */
struct gm_policy_params {
	u32 next_n;	    /* next-n: units ahead */
	u32 stride_degree;  /* stride: units ahead along the stride */
	u32 stride_confirm; /* equal strides seen before it fires */
	u64 tree_region;    /* tree: bytes that one tree spans */
	u32 tree_threshold; /* percent, strict */
};
const struct gm_policy_params *gm_core_policy_params(const struct gm_core *core);
u64 gm_core_random(struct gm_core *core); /* the random evictor's stream */
u64 gm_core_next_use(struct gm_core *core, u32 dev, u64 va);

static inline u64 gm_mapping_index(const struct gm_mapping *m)
{
	return (u64)(m - m->range->map);
}

u64 gm_mapping_va(const struct gm_mapping *m);
u64 gm_range_end(const struct gm_range *r);

#define gm_for_each_range(r, as) list_for_each_entry(r, &(as)->ranges, link)

/* ---- the table (gm_map.c) ----------------------------------------------- */

/* The unit at @va, NULL if nothing is mapped there.  Amortised O(1). */
struct gm_mapping *gm_as_find(struct gm_as *as, u64 va);
/*
 * For those who will touch many units: find() for @n addresses, the first at
 * @va and each @stride bytes after the one before, with the units on their way
 * into the cache ...
 */
void gm_as_gather(struct gm_as *as, const u64 *va, size_t stride, u32 n, struct gm_mapping **out);
/* ... and, a while later, their neighbours on the evictor's list. */
void gm_gather_links(struct gm_mapping *const *m, u32 n);
/* The range that holds @va, or else the next one above; NULL if none. */
struct gm_range *gm_as_range_from(struct gm_as *as, u64 va);
/* Whether an older range at the address of @m is still being unmapped. */
bool gm_as_is_haunted(const struct gm_mapping *m);
/* 0, -EEXIST if something is mapped there, -ENOMEM. */
int gm_as_add(struct gm_as *as, u64 va, u64 n);
/* Cut [va, end) out of the space; its ranges go to @out.  0 or -ENOMEM. */
int gm_as_cut(struct gm_as *as, u64 va, u64 end, struct list_head *out);
void gm_range_free(struct gm_range *r);

/*
 * The only place where a state changes.  Legal moves:
 *
 *	from \ to   NOMAP  CPU  DEVICE  TO_DEVICE  TO_CPU  TO_PEER
 *	NOMAP         .     .     .         x         x       .
 *	CPU           x     .     .         x         x       .
 *	DEVICE        .     .     .         .         x       x
 *	TO_DEVICE     u     u     x         .         .       .
 *	TO_CPU        x     x     u         .         .       .
 *	TO_PEER       .     .     x         .         .       .
 *
 * x by itself, u when a move is undone.  CPU -> NOMAP frees a unit that the
 * CPU has no translation for; every other change takes time and goes through
 * an in-flight state, which is what other designs hold a mutex for.
 */
void gm_set_state(struct gm_mapping *m, u8 to);

#endif
