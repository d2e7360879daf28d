/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * replay_impl.h - what the parts of the replay share; nobody else includes it
 *
 *   replay.c        entry: the dry pass, the real pass, the result
 *   replay_job.c    operations -> tensors and stream queues; iterations repeat
 *   replay_stream.c queues -> kernels, dependencies, barriers
 *   replay_kernel.c one running kernel against the manager
 *   replay_pages.c  page accesses against the manager
 *   replay_segments.c  memory that the job's allocator maps and unmaps
 *   replay_book.c   who stalled where: rows of the result
 *   replay_plan.c   the job in advance, for managers that plan
 *   layout.c        addresses        future.c  next uses, for min
 */
#ifndef GS_REPLAY_IMPL_H
#define GS_REPLAY_IMPL_H

#include "sim/layout.h"
#include "sim/ranges.h"
#include "sim/replay.h"

struct gs_extents;
struct gs_future;
struct plan;
struct replay;
struct stream;

/* Position in a stream's history: the item with this number has to be done. */
struct dep {
	u32 stream;
	u64 seq; /* 0: nothing to wait for */
};

struct tensor {
	struct gs_block block; /* where it lies */
	u64 bytes;
	u64 recorded_va;
	char *name;
	u16 device;
	u8 kind;
	bool alive;
	bool apart;	    /* mapped by itself, for an exact manager */
	bool wanted;	    /* a planner has hinted at it before its birth */
	bool mortal;	    /* ... that its content dies with it */
	struct dep written; /* its last writer ... */
	struct dep *reads;  /* ... and readers since, by stream (several streams) */
	u64 touches, misses;
	gs_time stall_ps;
	u64 va; /* of its last life */
	gs_time born, died;
};

/* What stands in a stream's queue. */
enum item_type { ITEM_KERNEL, ITEM_PAGES, ITEM_HOST, ITEM_ADVICE, ITEM_BARRIER };

/* Page accesses in one item: few enough for the processor's first cache. */
#define PAGES_AT_ONCE 512

struct operand { /* a touch with its address resolved at dispatch */
	u64 va, bytes, stride;
	u32 tensor;
	u64 weight; /* its part of the duration */
	u8 access, pattern;
};

struct item {
	u8 type;
	u8 access, advice, opclass, phase;
	bool hinted;   /* its operands were prefetched by advice */
	u32 row;       /* of the kernel table */
	u32 iteration; /* ITEM_BARRIER: begins this one; ~0: the end */
	u64 seq;
	u64 nth;       /* kernel of the plan, ~0: none of it */
	u64 va, bytes; /* ITEM_HOST, ITEM_ADVICE */
	u16 device;
	gs_time duration;
	u32 noperands, cap_operands;
	struct operand *operands;
	bool timed; /* some of the page accesses have a time */
	u32 npages;
	struct gs_page *pages; /* PAGES_AT_ONCE of them, or NULL */
	u32 ndeps, cap_deps;
	struct dep *deps;
};

struct kernel_run { /* the kernel that a stream runs now */
	struct gs_event ev;
	struct mm_wait wait;
	gs_time start; /* moved forward by each stall */
	gs_time stalled_at;
	u32 operand; /* being touched; of pages: the access */
	u64 at;	     /* bytes of it done */
	u64 done_weight, total_weight;
	u32 outstanding; /* units */
	u32 last_tensor; /* of the last miss */
	bool stalled, ending;
	bool gone; /* pages: the time before the access is in start */
	u64 perm_key;
};

struct stream {
	struct replay *r;
	u32 index;
	u16 device;
	bool host;
	struct item *ring; /* power of two */
	u32 cap, head, count;
	u64 next_seq, done_seq; /* items pushed, items done; from 1 */
	u32 kernels_queued;
	bool busy; /* the head item is under way */
	struct kernel_run run;
	u64 page_when;	   /* recorded time of the last page access */
	gs_time page_work; /* recorded between those of this iteration */
	struct mm_done host_done;
};

struct replay {
	const struct gs_replay_args *a;
	struct gs_sim *sim;
	struct mm *mm; /* NULL in the dry pass */
	struct gs_source *source;
	const struct gs_job *job;
	struct gs_result *res;
	u64 unit;

	/* replay_job.c */
	struct gs_layout *layout; /* NULL: recorded addresses */
	struct tensor *tensors;	  /* job->ntensors of them */
	u32 iterations;		  /* to replay */
	u32 passes;		  /* iterations begun */
	bool source_ended;
	u8 *live_at_loop; /* live tensors when the repeated one began */
	u64 ops_done;
	u64 next_kernel; /* of the plan */
	u64 loop_kernel; /* the first of the iteration that repeats */
	struct mm_hints hints;
	int err;

	/* replay_stream.c */
	u32 nstreams; /* the host's comes last */
	u32 per_device;
	struct stream *streams;
	u32 depth; /* kernels queued ahead, at most */
	u32 at_barrier;
	bool polling, poll_again;
	u32 iteration; /* current, ~0 before the first */

	/* replay_book.c */
	gs_time iter_start;
	struct mm_stats iter_mm;
	void *iter_own; /* own rows of the manager when the iteration began */
	u32 *row_hash;
	u32 row_hash_size;
	size_t cap_rows, cap_samples;
	gs_time sample_step, next_sample;
	gs_time stall_total;

	/* replay_segments.c */
	bool segmented;		     /* the trace tells segments, and they count */
	struct gs_ranges held, kept; /* of the job: all; outside of segments */
	struct gs_range going;	     /* waits to be unmapped; end 0: nothing does */
	struct mm_done gone;	     /* the manager has unmapped a part ... */
	u32 parts_going;	     /* ... of these */
	u64 mapped, mapped_peak;     /* bytes of units */

	/* replay_pages.c */
	u32 unit_shift;
	u64 *seen; /* bit a unit, NULL: not dense */
	u64 seen_first, seen_units;
	u64 footprint; /* after the pass, where dense */
	struct gs_page *page_buf;
	gs_time *page_ideal; /* by iteration; NULL: the dry pass told */

	/* dry pass only */
	struct gs_extents *extents;
	struct plan *plan;
	struct gs_future *future; /* also read by the real pass */
	u64 unit_touches;	  /* ordinal of touches, for the future */
};

/* replay_job.c */
int job_init(struct replay *r);
void job_fini(struct replay *r);
/* Read operations until the streams have enough to do; did any come? */
bool job_dispatch(struct replay *r);
/* Remember @err, read no more; false. */
bool job_fail(struct replay *r, int err);

/* replay_stream.c */
int streams_init(struct replay *r);
void streams_fini(struct replay *r);
struct stream *stream_of(struct replay *r, u16 device, u16 stream);
struct stream *stream_of_host(struct replay *r);
/* A fresh item at the tail of @s, numbered; filled by the caller. */
struct item *stream_push(struct stream *s, u8 type);
void item_depends(struct item *it, struct dep d);
void streams_barrier(struct replay *r, u32 iteration);
/* Start whatever can start. */
void streams_poll(struct replay *r);
/* The head item of @s is done. */
void stream_finish(struct stream *s);
static inline struct item *stream_head(struct stream *s)
{
	return &s->ring[s->head];
}
static inline struct item *stream_at(struct stream *s, u32 i)
{
	return &s->ring[(s->head + i) & (s->cap - 1)];
}

/* Move the clock to @when, or come back to run.ev then.  True: it is @when now. */
bool stream_reach(struct stream *s, gs_time when);

/* replay_kernel.c */
void kernel_start(struct stream *s);

/* replay_pages.c */
bool pages_only(const struct gs_job *job);
bool pages_dense(const struct replay *r);
void pages_init(struct replay *r);
void pages_fini(struct replay *r);
/* Bytes of all units seen.  [dense] */
u64 pages_footprint(const struct replay *r);
/* @op, and what page accesses follow it in the trace, into their queues. */
bool pages_dispatch(struct replay *r, const struct gs_op *op);
void pages_start(struct stream *s);

/* replay_segments.c */
bool segments_told(const struct gs_job *job, const struct gs_workload_cfg *w);
void segments_fini(struct replay *r);
int segments_alloc(struct replay *r, const struct gs_op *op); /* 0 or -errno (said) */
void segments_free(struct replay *r, const struct gs_op *op);
/* What was freed is unmapped; false: not yet, go on reading when a queue has moved. */
bool segments_settled(struct replay *r);
/* Does @t lie in what is mapped; if not, map it and keep it.  0 or -errno (said). */
bool segments_have(const struct replay *r, const struct tensor *t);
int segments_keep(struct replay *r, const struct tensor *t);

/* replay_book.c */
void book_init(struct replay *r);
void book_fini(struct replay *r);
u32 book_row(struct replay *r, const char *name, u8 opclass, u8 phase);
void book_kernel(struct replay *r, const struct item *it);
void book_pages(struct replay *r, struct stream *s, const struct item *it);
void book_misses(struct replay *r, const struct item *it, u32 tensor, u64 units);
/* Dry pass: every unit of @o is used, in order. */
void book_uses(struct replay *r, const struct item *it, const struct operand *o);
void book_stall(struct replay *r, const struct item *it, u32 tensor, gs_time from, gs_time to,
		const gs_time end[MM_NR_PHASES]);
void book_iteration(struct replay *r, u32 begins);
void book_finish(struct replay *r);

/* future.c */
struct gs_future *gs_future_new(u64 unit);
void gs_future_free(struct gs_future *f);
/* All units will be in this range: an index in place of a hash.  [nothing is used yet] */
void gs_future_span(struct gs_future *f, u64 va, u64 bytes, u32 ndevices);
/* Uses come in order of their ordinals, from 0. */
void gs_future_use(struct gs_future *f, u16 device, u64 va);
/* First use of the unit after @now; ~0 if none. */
u64 gs_future_next(struct gs_future *f, u16 device, u64 va, u64 now);

/* replay_plan.c */
struct plan *plan_new(const struct gs_job *job);
void plan_free(struct plan *p);
/* @early: before the first iteration. */
void plan_alloc(struct plan *p, const struct gs_op *op, bool early);
void plan_release(struct plan *p, u32 tensor);
void plan_iteration(struct plan *p);
void plan_kernel(struct plan *p, const struct gs_op *op, gs_time duration);
const struct mm_plan *plan_tell(struct plan *p); /* valid until the next call, or free */

/* extents.c */
struct gs_extents *gs_extents_new(u64 unit);
void gs_extents_free(struct gs_extents *x);
void gs_extents_add(struct gs_extents *x, u64 va, u64 bytes);
/* Merge; then visit in order of address. */
void gs_extents_settle(struct gs_extents *x);
size_t gs_extents_count(const struct gs_extents *x);
void gs_extents_get(const struct gs_extents *x, size_t i, u64 *va, u64 *bytes);
u64 gs_extents_bytes(const struct gs_extents *x);

#endif
