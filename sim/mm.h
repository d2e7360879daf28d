/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm.h - what a memory manager is to the replay
 *
 * A manager decides where the bytes of the job are.  The replay tells it which
 * ranges exist and which bytes a kernel touches; it answers HIT, REMOTE or
 * MISS, and on a MISS later says that the bytes have come.  Callers use the
 * mm_*() wrappers, never a slot: they check the state, count, and fill in for
 * slots left NULL.
 */
#ifndef GS_MM_H
#define GS_MM_H

#include "sim/config.h"
#include "sim/op.h"

struct mm;

/* Phases of a fault's life, in order; each ends at a time stamp. */
enum mm_phase {
	MM_QUEUE,   /* waiting until somebody begins to serve it */
	MM_SERVICE, /* driver and CPU work, messages */
	MM_EVICT,   /* waiting for room */
	MM_LINK,    /* the copy: waiting for the link and crossing it */
	MM_FINISH,  /* map, answer, replay */
	MM_NR_PHASES
};
extern const char *const mm_phase_names[]; /* NULL-terminated */

/*
 * A kernel's claim on units that are on their way.  Owned by the replay, one a
 * running kernel; the manager keeps the pointer in its fault records and calls
 * mm_resolved() until all units that it answered as missing are settled.
 */
struct mm_wait {
	void (*resolved)(struct mm_wait *w, u32 units, const gs_time end[MM_NR_PHASES]);
	u16 device;
};

enum mm_kind { MM_HIT, MM_REMOTE, MM_MISS };

/* One question of the replay and its answer. */
struct mm_touch {
	/* asked */
	u16 device;
	u8 access;     /* GS_READ | GS_WRITE */
	u64 va, bytes; /* bytes > 0, inside added ranges */
	u32 window;    /* a MISS may cover at most so many units, > 0 */
	struct mm_wait *wait;
	/* answered: what holds for the first @covered bytes */
	u8 kind;      /* enum mm_kind */
	u64 covered;  /* > 0; the replay asks again for the rest */
	u32 units;    /* MISS: distinct units now outstanding for @wait */
	gs_time cost; /* REMOTE: link time of the covered bytes */
};

/* The completion of an advice; owned by the caller, NULL when nobody waits. */
struct mm_done {
	void (*fn)(struct mm_done *d, int err);
};

/* Counted by every manager, per iteration and in total. */
struct mm_stats {
	u64 touches; /* units asked for */
	u64 misses;  /* units absent when touched */
	u64 faults;  /* faults served (a batch of n units counts n) */
	u64 remote;  /* units answered as remote */
	u64 h2d_demand_bytes, h2d_prefetch_bytes;
	u64 d2h_evict_bytes, d2h_cpu_bytes;
	u64 d2d_bytes;
	u64 zeroed_bytes;     /* first touches: no transfer */
	u64 evictions;	      /* units (uvm: 2 MiB chunks) */
	u64 clean_drops;      /* evicted without a copy */
	u64 discarded_bytes;  /* freed without a copy */
	u64 prefetched_bytes; /* asked for before the touch, moved or zeroed */
	u64 prefetch_useful, prefetch_late, prefetch_wasted; /* units */
	u64 cpu_faults;
	u64 ssd_read_bytes, ssd_write_bytes; /* the tier below host memory */
	u64 host_evictions;		     /* chunks that left host memory for it */
	u64 hbm_bytes;			     /* gauge: resident now, all devices */
	u64 hbm_peak_bytes;		     /* gauge */
};
extern const struct gm_stat mm_stat_rows[];

/* ---- the job in advance, for managers that plan ---- */

struct mm_operand {
	u32 tensor;
	u8 access; /* GS_READ | GS_WRITE */
};

/* A kernel as the dry pass saw it. */
struct mm_kernel {
	u16 device;
	u8 phase;		      /* enum gs_phase */
	gs_time duration;	      /* at full residency */
	gs_time fault_out, fault_all; /* as measured with faults; 0 unknown */
	u32 noperands;
	const struct mm_operand *operands;
};

struct mm_tensor {
	u64 bytes;
	bool lasting;	/* is there before the first iteration, and stays */
	u32 born, died; /* how many kernels come before; ~0: stays to the end */
};

struct mm_plan {
	u32 nkernels, ntensors, niterations;
	const u32 *first;		 /* kernel of each iteration, and nkernels */
	const struct mm_kernel *kernels; /* of recorded iterations, in order of the trace */
	const struct mm_tensor *tensors; /* by id */
};

/*
 * What a planner advises, beside whoever manages: before kernel @kernel of the
 * plan, about all of a tensor.  GS_ADV_FREE_EAGER is for its end, whenever that is.
 */
struct mm_hint {
	u32 kernel, tensor;
	u8 advice;
};
struct mm_hints { /* ascending by kernel */
	struct mm_hint *v;
	size_t n, cap;
};

struct gs_machine; /* models/hw.h: the described machine */

struct mm_ops {
	const char *name;	       /* manager.type in YAML */
	const char *help;	       /* one line for `gmemsim list` */
	const char *prefix;	       /* of params: "manager.uvm"; NULL: none */
	const struct gm_param *params; /* rows; the struct is params_size bytes */
	size_t params_size;
	size_t state_size;	     /* of the manager's struct; mm comes first */
	const struct gm_stat *stats; /* own rows beside mm_stats; or NULL */
	u32 stats_offset;	     /* of the own statistics in the state */
	bool stats_by_iteration;     /* told for each iteration as well */
	/* Explicit allocation: add() and remove() are told single tensors where
	 * addresses are as recorded, not the ranges that all of them span. */
	bool exact;
	bool one_iteration; /* of several recorded the last one is replayed */

	/* All of m->machine, params, job, sim are set.  0 or -errno (said). */
	int (*init)(struct mm *m);
	void (*fini)(struct mm *m);
	/* [va, va + bytes) comes into being; nothing is populated. */
	int (*add)(struct mm *m, u64 va, u64 bytes);
	/* ... goes: contents are dropped on both sides.  0 done, -EINPROGRESS: @d, if
	 * not NULL, later; from now on the range may be added again. */
	int (*remove)(struct mm *m, u64 va, u64 bytes, struct mm_done *d);
	void (*kernel_begin)(struct mm *m, u16 device, u64 seq);
	void (*kernel_end)(struct mm *m, u16 device, u64 seq);
	void (*touch)(struct mm *m, struct mm_touch *t);
	/*
	 * Managers that plan: the job in advance, once, before the first kernel;
	 * @plan stays until the run is over.  0 or -errno (said).
	 */
	int (*plan)(struct mm *m, const struct mm_plan *plan);
	/*
	 * Managers that model whole kernels: the @nth of the plan begins at @start
	 * and ends when this says, at @start at the earliest; GS_NEVER after
	 * mm_fail().  Nothing is touched then.  ~0: it is not in the plan.
	 */
	gs_time (*run)(struct mm *m, u64 nth, gs_time start, gs_time duration);
	/*
	 * Page accesses of one device, one after the other and in no time, up to
	 * the first that has to wait: how many had not to.  The slot counts
	 * touches and misses itself, and keeps m->ahead.  NULL: each is a touch.
	 */
	u32 (*pages)(struct mm *m, const struct gs_page *p, u32 n);
	/*
	 * The host thread touches: -EINPROGRESS and @d later, 0 if it need not
	 * wait, another -errno if it cannot be done.
	 */
	int (*cpu_touch)(struct mm *m, u64 va, u64 bytes, u8 access, struct mm_done *d);
	/* gmemPrefetch & co.; the same answers.  -EOPNOTSUPP: not known here. */
	int (*advise)(struct mm *m, u16 device, u8 advice, u64 va, u64 bytes, struct mm_done *d);
	/* Size of what a fault brings and the fault window counts, bytes. */
	u64 (*unit)(const struct mm *m);
	/* Full self-check after a run; 0 or -errno (said). */
	int (*check)(struct mm *m);
};

struct mm {
	const struct mm_ops *ops;
	struct gs_sim *sim;
	struct gs_machine *machine;
	const struct gs_job *job;
	const void *params;		/* as bound from the configuration */
	const struct mm_common *common; /* manager.* keys that all share */
	struct mm_stats stats;
	int err; /* of mm_fail() */
	/* Set by init() where the policy asks for the future ... */
	bool needs_future;
	/* ... and by the replay then: ordinal of the next use of the unit at @va
	 * on @device after now, by the trace; ~0 never. */
	u64 (*next_use)(void *arg, u16 device, u64 va);
	void *next_use_arg;
	u64 ahead;	    /* units used in the pages() call in progress; 0 outside */
	u32 unknown_advice; /* bit a kind that was given and is not known here */
};

/* `manager.*`: the keys that stay. */
struct mm_common {
	const char *type, *variant, *evictor, *prefetcher;
	u64 unit; /* bytes; gmem's mapping unit */
};
extern const struct gm_param mm_common_rows[];

/* The run cannot go on: say why, remember @err, stop the simulation. */
void mm_fail(struct mm *m, int err, const char *fmt, ...) GS_PRINTF(3, 4);

int mm_add(struct mm *m, u64 va, u64 bytes);
int mm_remove(struct mm *m, u64 va, u64 bytes, struct mm_done *d);
void mm_kernel_begin(struct mm *m, u16 device, u64 seq);
void mm_kernel_end(struct mm *m, u16 device, u64 seq);
gs_time mm_run(struct mm *m, u64 nth, gs_time start, gs_time duration);
void mm_touch(struct mm *m, struct mm_touch *t);
/* How many of @n page accesses of one device have not to wait. */
u32 mm_pages(struct mm *m, const struct gs_page *p, u32 n);
int mm_cpu_touch(struct mm *m, u64 va, u64 bytes, u8 access, struct mm_done *d);
int mm_advise(struct mm *m, u16 device, u8 advice, u64 va, u64 bytes, struct mm_done *d);
u64 mm_unit(const struct mm *m);

static inline void mm_resolved(struct mm_wait *w, u32 units, const gs_time end[MM_NR_PHASES])
{
	w->resolved(w, units, end);
}

#endif
