/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_range.h - what managers share that move whole chunks by migrate_vma
 *
 * Linux HMM (Xe, Nouveau) and AMD's KFD move a chunk of fixed size on a fault,
 * on one CPU thread, in one critical section: unmap, copy, remap.  Evicted is
 * the chunk that was faulted longest ago (TTM's list knows no hits).  What they
 * differ in are the costs below, which each fills from its own rows, and what
 * happens when device memory is full.
 *
 *   NOWHERE --fault--> DEVICE --evict, CPU fault--> HOST --fault--> DEVICE
 *                 \--full--> HOST, mapped by the device (svm) --/
 */
#ifndef MM_RANGE_H
#define MM_RANGE_H

#include "kernel-core/gm_policy.h"
#include "models/mm_host.h"

#define RANGE_PAGE 4096ULL
#define RANGE_HUGE (2ULL << 20)

struct range_costs {
	u64 chunk;	   /* bytes, a power of two */
	u32 threads;	   /* CPU threads that serve faults of one device */
	gs_time entry;	   /* fault to the thread that serves it, with locks */
	gs_time page;	   /* unmap, isolate, remap of a 4 KiB page */
	gs_time huge;	   /* ... of a 2 MiB page; 0: there are none */
	gs_time copy_page; /* copy engine, each separate page */
	gs_time bind;	   /* map in the device, a chunk */
	gs_time bind_page; /* ... and a page of it */
	u64 copy_window;   /* bytes the engine is handed at once */
	gs_time copy_wait; /* and for which it is waited */
	gs_time evict;	   /* a victim: invalidate in the device */
	gs_time timeslice; /* what came stays so long before the CPU takes it */
	gs_time filter;	   /* faults on what was mapped so recently are dropped */
	gs_time restore;   /* after an invalidation, until the device runs again */
	gs_time cpu_fault; /* entry of a CPU fault */
	u32 remote_pct;	   /* of the link's rate, when mapped remotely; 0: never is */
};

struct mm_range_stats {
	u64 migrations, huge_migrations, restores, filtered, remote_maps;
	u64 host_bytes; /* gauge */
};
extern const struct gm_stat mm_range_stat_rows[];

enum range_where { RANGE_NOWHERE, RANGE_HOST, RANGE_DEVICE };

struct range_chunk {
	struct list_head lru; /* if on a device */
	struct hw_hold hold;  /* host memory, while HOST */
	u64 va;
	u32 pages;	 /* that the job has in it */
	u8 where;	 /* enum range_where */
	u16 device;	 /* if there, or mapped by it */
	bool remote;	 /* HOST, and mapped by the device */
	bool brought;	 /* ahead of a touch; not touched since */
	gs_time ready;	 /* the last move is done */
	gs_time mapped;	 /* last time in the device; 0: never */
	gs_time restore; /* the device may not run before */
};

struct range_gpu {
	struct list_head lru; /* head: leaves first */
	u64 nr_chunks, nr_free;
	struct hw_pool threads;
	struct hw_server caller; /* prefetch calls, one after the other */
};

struct mm_range {
	struct mm mm; /* first */
	struct mm_range_stats stats;
	struct range_costs c;
	struct range_gpu *gpus;
	u32 ndevices;
	struct range_chunk **slots; /* open hash by va */
	size_t nchunks, cap;
	struct range_done *idle;
};

/* After r->c is filled: 0 or -errno (said). */
int range_init(struct mm_range *r);

/* Slots of mm_ops that need nothing else. */
void range_fini(struct mm *m);
int range_add(struct mm *m, u64 va, u64 bytes);
int range_remove(struct mm *m, u64 va, u64 bytes, struct mm_done *d);
void range_touch(struct mm *m, struct mm_touch *t);
int range_cpu_touch(struct mm *m, u64 va, u64 bytes, u8 access, struct mm_done *d);
int range_advise(struct mm *m, u16 device, u8 advice, u64 va, u64 bytes, struct mm_done *d);
u64 range_unit(const struct mm *m);
int range_check(struct mm *m);

#define MM_RANGE_OPS                                                                   \
	.stats = mm_range_stat_rows, .stats_offset = offsetof(struct mm_range, stats), \
	.state_size = sizeof(struct mm_range), .fini = range_fini, .add = range_add,   \
	.remove = range_remove, .touch = range_touch, .cpu_touch = range_cpu_touch,    \
	.advise = range_advise, .unit = range_unit, .check = range_check

#endif
