/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_uvm.h - what the parts of the UVM manager share; nobody else includes it
 *
 *   mm_uvm.c        ops: touches, ranges, self-check
 *   mm_uvm_rows.c   parameters and statistics
 *   mm_uvm_block.c  VA blocks: which page is where
 *   mm_uvm_fault.c  fault ring -> batches -> services
 *   mm_uvm_replay.c the end of a batch: flush, replay, faults anew
 *   mm_uvm_move.c   one service of one block: what it costs and copies
 *   mm_uvm_evict.c  chunks of device memory and who leaves
 *   mm_uvm_call.c   calls of the host thread: prefetch, discard, CPU faults
 *   mm_uvm_extra.h  blocks with advice, far mappings, copies, thrashing
 *
 * A page's content is in exactly one place: nowhere (it reads as zero), in the
 * host's memory, or on one device (read-only copies apart: mm_uvm_extra.h).  It moves, in the books, at the moment when
 * the driver pushes the copy; until the copy has arrived the page belongs to
 * the block's flight and no kernel may touch it.
 */
#ifndef MM_UVM_H
#define MM_UVM_H

#include "kernel-core/gm_policy.h"
#include "models/mm_host.h"

#define UVM_PAGE_SHIFT	12
#define UVM_PAGE	(1ULL << UVM_PAGE_SHIFT)
#define UVM_BLOCK_SHIFT 21 /* UVM_VA_BLOCK_BITS */
#define UVM_BLOCK	(1ULL << UVM_BLOCK_SHIFT)
#define UVM_PAGES	(UVM_BLOCK / UVM_PAGE)
#define UVM_WORDS	GM_TREE_WORDS
#define UVM_LEAF_SHIFT	30 /* blocks are allocated by the GiB */
#define UVM_LEAF_BLOCKS (1U << (UVM_LEAF_SHIFT - UVM_BLOCK_SHIFT))

enum uvm_replay { UVM_REPLAY_BLOCK, UVM_REPLAY_BATCH, UVM_REPLAY_BATCH_FLUSH, UVM_REPLAY_ONCE };

struct mm_uvm_params {
	u32 batch_count, max_batches, max_throttles, replay_policy, update_put;
	bool prefetch;
	/* memory of others */
	bool coherent, ats, peer_access;
	bool map_on_eviction;
	u32 far_rate;
	bool access_counters;
	u32 counter_threshold, counter_batch, counter_line;
	bool thrashing, lapse_grows;
	u32 threshold, pin_threshold, nap, epoch, pin, max_resets, lapse_votes;
	gs_time lapse;
	u32 prefetch_threshold, prefetch_min_faults;
	/* what the driver's CPU work takes */
	gs_time irq, fetch, prep;	 /* a batch, an entry, a distinct page */
	gs_time block, chunk, push, pte; /* a service */
	gs_time unmap, unmap_page, dma_page;
	gs_time alloc_failed, evict;
	gs_time copy_page; /* extra, for a host page that lies anywhere */
	gs_time warm_up;   /* servicing threads are slow for about so long */
	u32 cold_pct;	   /* ... by so much at first */
	bool cpu_chunk_huge;
	gs_time flush, replay, refault;
	gs_time cpu_fault, cpu_map;
};

struct mm_uvm_stats {
	u64 batches, services, already_there, refaults;
	u64 duplicates;
	u64 tree_pages;
	u64 chunk_allocs, restarts, cpu_unmaps, dma_maps;
	u64 api_blocks;
	u64 notifications;
	u64 far_pages, far_bytes;
	u64 copied_pages, collapsed_pages;
	u64 thrashing_pages, throttles, pinned_pages, unpinned_pages;
	u64 host_bytes; /* gauge */
};

/* Why pages move. */
enum uvm_cause { UVM_FAULT, UVM_COUNTER, UVM_CALL };

/* Pages on their way to a device; they are resident in the books already. */
struct uvm_flight {
	struct gs_event ev; /* arrival; only armed if nobody else looks then */
	struct mm_uvm *u;
	struct uvm_block *block;
	struct gm_bitmap pages;
	u16 device;
};

enum uvm_list { UVM_NO_CHUNK, UVM_UNUSED, UVM_DISCARDED, UVM_USED, UVM_NR_LISTS };

/* A block's part on one device: at most one root chunk of 2 MiB. */
struct uvm_side {
	struct list_head lru;	   /* if it has a chunk */
	struct gm_bitmap resident; /* with the flight's */
	struct gm_bitmap brought;  /* ahead of a touch; not touched since */
	struct gm_bitmap dead;	   /* discarded: no copy when it leaves */
	struct uvm_flight *flight; /* NULL: all has arrived */
	/* of the last service: CPU work done, room made, copies arrived */
	gs_time served, room, in;
	gs_time out; /* last copy out of the chunk done */
	u32 batch, entry;
	u16 device;
	u8 list;       /* enum uvm_list */
	u16 nresident; /* pages */
};

struct uvm_block { /* 2 MiB of addresses, aligned */
	struct uvm_leaf *leaf;
	u64 va;
	struct gm_bitmap mapped;  /* pages that the job has */
	struct gm_bitmap host;	  /* content is in host memory */
	struct gm_bitmap cpu;	  /* ... and the CPU has it mapped; within host */
	gs_time host_ready;	  /* last copy to the host done */
	struct hw_hold hold;	  /* of host_pages, as far as they are in memory */
	u64 dma_mapped;		  /* bit per device */
	u32 nmapped;		  /* pages */
	u32 host_pages;		  /* host memory taken; kept while data is on a device */
	bool scattered;		  /* ... page by page, not as one chunk */
	u16 fault_device, faults; /* faulted pages towards that device, saturating */
	u16 mover;		  /* who took pages last from another, plus 1; 0: nobody */
	gs_time moved;		  /* ... and when */
	struct uvm_extra *extra;  /* NULL for most */
	struct uvm_side side[];	  /* one a device */
};

struct uvm_leaf {
	u64 index;    /* va >> UVM_LEAF_SHIFT */
	u64 *settled; /* bit per block, UVM_WORDS a device: nothing to do at a touch */
	char *blocks;
};

/* Missing pages of one block, asked for at once by one kernel. */
struct uvm_record {
	struct list_head link;
	struct uvm_block *block;
	struct gm_bitmap pending;
	u32 npending;
	struct mm_wait *wait;
	gs_time since;
	gs_time arrived; /* in the buffer; later than since after a replay */
	u32 batch;	 /* that took it last */
};

struct uvm_entry { /* a block in the batch */
	struct gs_event ev;
	struct uvm_gpu *gpu;
	struct uvm_block *block;
	struct gm_bitmap faulted;
};

struct uvm_wake { /* what to tell a kernel */
	struct mm_wait *wait;
	u32 units;
	gs_time end[MM_NR_PHASES];
};

enum uvm_phase { UVM_IDLE, UVM_FETCH, UVM_SERVE, UVM_FINISH, UVM_NOTIFY };

struct uvm_gpu { /* one servicer, one pool of chunks, one calling thread */
	struct mm_uvm *u;
	u16 device;

	struct list_head lists[UVM_NR_LISTS]; /* head: leaves first */
	u64 nr_chunks, nr_free;
	gs_time first_copy_at; /* from the host; 0: none yet */
	struct hw_server pmm;  /* evictions go one at a time */

	struct list_head ring; /* records, oldest first */
	struct gs_event ev;
	u8 phase;
	u32 batch, batches_in_service, throttled_in_service;
	bool throttled;		/* something in this batch */
	struct list_head notes; /* of access counters */
	u32 notes_left;
	u32 raw, repeated; /* entries of the batch; those of a page of another one */
	u32 stale;	   /* entries in the buffer that nobody waits for */
	u32 echo;	   /* accesses replayed although their entries are in the buffer */
	bool at_once;	   /* there are entries that somebody waits for */
	gs_time fetched;   /* the batch */
	gs_time copied;	   /* its last copy arrives */
	struct uvm_entry *entries;
	u32 nentries, next;
	struct uvm_wake *wake;
	size_t nwake, cap_wake;

	struct list_head jobs; /* prefetch calls, in order */
	struct gs_event call_ev;
	bool calling;
};

/* Objects of one size that are used again and never given back before the end. */
struct uvm_pool {
	size_t size;
	void *idle; /* linked through the first word */
	void **slabs;
	size_t n, cap;
};
void *uvm_pool_get(struct uvm_pool *p); /* zeroed */
void uvm_pool_put(struct uvm_pool *p, void *obj);

struct mm_uvm {
	struct mm mm;
	const struct mm_uvm_params *p;
	struct mm_uvm_stats stats;
	u32 ndevices;
	struct uvm_gpu *gpus;
	size_t stride;		    /* of a block in a leaf */
	struct uvm_leaf **leaves;   /* open hash by index */
	size_t nleaves, cap_leaves; /* cap: power of two */
	struct uvm_leaf *last;
	struct uvm_pool records, flights, jobs;
	u64 content_pages;	  /* somewhere; for the self-check */
	struct gm_bitmap *chosen; /* scratch of uvm_choose(): two sets a place */
	gs_time lapse;		  /* of thrashing, as it is now */
	int lapse_votes;
};

/* Absent pages that a service brings; none of those @ahead was faulted. */
struct uvm_want {
	struct gm_bitmap all, ahead;
	u32 n, nahead; /* @ahead stands only if there are any */
	u8 cause;      /* enum uvm_cause */
	bool copies;   /* where the pages are now, they stay as well */
};

/* @all of them, of which @demand was faulted. */
struct uvm_want uvm_want_of(const struct gm_bitmap *all, const struct gm_bitmap *demand,
			    enum uvm_cause cause, bool copies);

extern const struct gm_param mm_uvm_rows[];
extern const struct gm_stat mm_uvm_stat_rows[];

static inline struct mm_uvm *uvm_of(struct mm *m)
{
	return gs_container_of(m, struct mm_uvm, mm);
}

/* ---- bits: 64 pages at a time ---- */

/* Unrolled: a loop would be half of the work. */
#define bits_each_word(i) _Pragma("GCC unroll 8") for (int i = 0; i < UVM_WORDS; i++)

static inline bool bits_any(const struct gm_bitmap *a)
{
	u64 x = 0;

	bits_each_word(i)
		x |= a->w[i];
	return x;
}

static inline u32 bits_count(const struct gm_bitmap *a)
{
	u32 n = 0;

	bits_each_word(i) {
		if (a->w[i] + 1 > 1)
			n += (u32)hweight64(a->w[i]);
		else /* none or all, as a rule */
			n += (u32)(a->w[i] & 64);
	}
	return n;
}

static inline struct gm_bitmap bits_and(const struct gm_bitmap *a, const struct gm_bitmap *b)
{
	struct gm_bitmap r;

	bits_each_word(i)
		r.w[i] = a->w[i] & b->w[i];
	return r;
}

static inline struct gm_bitmap bits_andnot(const struct gm_bitmap *a, const struct gm_bitmap *b)
{
	struct gm_bitmap r;

	bits_each_word(i)
		r.w[i] = a->w[i] & ~b->w[i];
	return r;
}

static inline void bits_set(struct gm_bitmap *a, const struct gm_bitmap *b)
{
	bits_each_word(i)
		a->w[i] |= b->w[i];
}

static inline void bits_clear(struct gm_bitmap *a, const struct gm_bitmap *b)
{
	bits_each_word(i)
		a->w[i] &= ~b->w[i];
}

/* Pages [first, last).  [first < last <= 512] */
struct gm_bitmap bits_range(u32 first, u32 last);
/* First page at or behind @first, before @last, whose bit is @value; else @last. */
static inline u32 bits_find(const struct gm_bitmap *a, u32 first, u32 last, bool value)
{
	u64 flip = value ? 0 : ~0ULL, word;
	u32 i = first / 64;

	if (first >= last)
		return last;
	word = (a->w[i] ^ flip) & ~0ULL << first % 64;
	while (!word) {
		if (++i * 64 >= last)
			return last;
		word = a->w[i] ^ flip;
	}
	return (u32)gs_min(i * 64 + (u32)__builtin_ctzll(word), last);
}
/* Maximal runs of set bits: what a copy engine takes as one command each. */
u32 bits_runs(const struct gm_bitmap *a);
/* The lowest @n of the set bits. */
struct gm_bitmap bits_lowest(const struct gm_bitmap *a, u32 n);

/* ---- mm_uvm_block.c ---- */

/* The block of @va; NULL if nothing was ever added within its GiB. */
struct uvm_block *uvm_block_at(struct mm_uvm *u, u64 va);
struct uvm_block *uvm_block_add(struct mm_uvm *u, u64 va);
struct uvm_block *uvm_leaf_block(const struct mm_uvm *u, const struct uvm_leaf *l, u32 i);
/* End of the run of settled blocks on @device from @va on, at most @end. */
u64 uvm_skip_settled(struct mm_uvm *u, u16 device, u64 va, u64 end);
/* Pages of [va, end) within the block of @va, whole ones or also cut ones. */
bool uvm_pages_inside(u64 va, u64 end, struct gm_bitmap *out);
void uvm_span_touched(u64 va, u64 end, u32 *first, u32 *last);
struct gm_bitmap uvm_pages_touched(u64 va, u64 end);
void uvm_resettle(struct mm_uvm *u, struct uvm_block *b, u16 device);
void uvm_blocks_fini(struct mm_uvm *u);
static inline struct uvm_block *uvm_side_block(struct uvm_side *s)
{
	return gs_container_of(s - s->device, struct uvm_block, side);
}

/* @pages, absent there and @n of them, come to @device in the books. */
void uvm_enter(struct mm_uvm *u, struct uvm_block *b, u16 device, const struct gm_bitmap *pages,
	       u32 n);
/* @pages, resident and @n of them, leave @device in the books; where they go is the caller's. */
void uvm_leave(struct mm_uvm *u, struct uvm_block *b, u16 device, const struct gm_bitmap *pages,
	       u32 n);
/* Pages that arrive at side->in; @armed: with an event then. */
void uvm_take_off(struct mm_uvm *u, struct uvm_block *b, u16 device, const struct gm_bitmap *pages,
		  bool armed);
/* If the flight has arrived by now: it ends. */
void uvm_land(struct mm_uvm *u, struct uvm_block *b, u16 device);
static inline void uvm_arrive(struct mm_uvm *u, struct uvm_block *b, u16 device)
{
	if (b->side[device].flight)
		uvm_land(u, b, device);
}
/* Resident and arrived. */
static inline struct gm_bitmap uvm_visible(const struct uvm_side *s)
{
	return s->flight ? bits_andnot(&s->resident, &s->flight->pages) : s->resident;
}
/* First page of [first, last) that is so or is not, else @last. */
u32 uvm_find_visible(const struct uvm_side *s, u32 first, u32 last, bool visible);
/* Content that is nowhere any more: @pages of the host's copy. */
void uvm_host_drop(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *pages);

/* ---- mm_uvm_evict.c ---- */

/* Put the block's chunk at the tail of @list (UVM_NO_CHUNK: give it back). */
void uvm_relist(struct mm_uvm *u, struct uvm_block *b, u16 device, enum uvm_list list);
/* The list that fits what is in the chunk; moves only if it is another one. */
void uvm_sort_chunk(struct mm_uvm *u, struct uvm_block *b, u16 device);
/*
 * Give the block a chunk from @t on; returns when the CPU has done it, *room
 * when the chunk may be written.
 */
gs_time uvm_take_chunk(struct mm_uvm *u, struct uvm_block *b, u16 device, gs_time t, gs_time *room);
/*
 * Push copies of @n @pages to the host from @t on; they stay resident for
 * uvm_leave().  Returns when the CPU has pushed; b->host_ready is their end.
 */
gs_time uvm_copy_out(struct mm_uvm *u, struct uvm_block *b, u16 device,
		     const struct gm_bitmap *pages, u32 n, gs_time t, u64 *bytes);
/*
 * From @t on take host memory for the whole block, @scattered or in one, for
 * @who; returns when the CPU has it, with its content.
 */
gs_time uvm_host_hold(struct mm_uvm *u, struct uvm_block *b, bool scattered, gs_time t,
		      enum hw_opener who);
/* ... for @device, and make it reachable there. */
gs_time uvm_host_ready(struct mm_uvm *u, struct uvm_block *b, u16 device, gs_time t);
/* Occupy the link with @n pages in @runs of the host's memory; returns when they have arrived. */
gs_time uvm_host_copy(struct mm_uvm *u, struct uvm_block *b, u16 device, enum hw_dir dir, u32 n,
		      u32 runs, gs_time earliest);

/* ---- mm_uvm_move.c ---- */

/*
 * Service: bring @want to @device from @t on.  Returns when the CPU is done;
 * side->in is when the last copy has arrived.
 */
gs_time uvm_make_resident(struct mm_uvm *u, struct uvm_block *b, u16 device,
			  const struct uvm_want *want, gs_time t);

/* ---- mm_uvm_fault.c ---- */

/* Add to the faulted pages of @want, all absent, what the density tree wants besides. */
void uvm_tree(struct uvm_gpu *g, struct uvm_block *b, struct uvm_want *want);

void uvm_gpu_init(struct mm_uvm *u, struct uvm_gpu *g, u16 device);
void uvm_gpu_fini(struct uvm_gpu *g);
/* @wait misses @pages of @b, @n of them. */
void uvm_fault(struct uvm_gpu *g, struct uvm_block *b, const struct gm_bitmap *pages, u32 n,
	       struct mm_wait *wait);

/* ---- mm_uvm_replay.c ---- */

/* The batch is pushed at @t: when its copies are over, flushed and replayed. */
gs_time uvm_end_of_batch(const struct uvm_gpu *g, gs_time t);
/* It is: wake who can go on, see what is next. */
void uvm_replay(struct uvm_gpu *g);
void uvm_block_replayed(struct gs_sim *sim, struct gs_event *ev);

/* ---- mm_uvm_call.c ---- */

void uvm_call_init(struct uvm_gpu *g);
int uvm_advise(struct mm *m, u16 device, u8 advice, u64 va, u64 bytes, struct mm_done *d);
/* Pages of no content yet: the kernel gives zeroed ones. */
gs_time uvm_populate(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *pages,
		     gs_time t);
int uvm_cpu_touch(struct mm *m, u64 va, u64 bytes, u8 access, struct mm_done *d);

#endif
