/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_g10.h - the systems of the G10 paper, as that paper's artifact models them
 *
 * What the files of this manager share; nobody else includes it.
 *
 *   mm_g10.c         the manager: kernels in, their ends out
 *   mm_g10_rows.c    parameters, statistics
 *   mm_g10_net.c     the job in advance: lives and inactive intervals of tensors
 *   mm_g10_plan.c    who leaves and comes back when: hints for kernels
 *   mm_g10_budget.c  ... how much of each kernel's link time is spoken for
 *   mm_g10_sort.c    ... the order that it takes intervals in
 *   mm_g10_runs.c    pages in runs, and the order of their arrival
 *   mm_g10_pages.c   the page simulator: queues, kernels, faults
 *   mm_g10_tick.c    ... what one tick of the link moves
 *   mm_g10_repeat.c  ... ticks that all do the same, in closed form
 *   mm_g10_fault.c   ... what faults add to a kernel's time
 *   mm_g10_room.c    device memory in blocks, first fit
 *   mm_g10_hints.c   the plan as advice to another manager
 *   mm_g10_tensors.c the tensor simulator: FlashNeuron and G10 over GPUDirect
 *
 * "The artifact" is the program published with Zhang et al., G10, MICRO'23.
 * Its time is the cycle of a clock; ours are picoseconds at the manager's door.
 */
#ifndef MM_G10_H
#define MM_G10_H

#include "models/table.h"

enum { G10_PAGE = 4096 }; /* of the artifact, everywhere */

enum g10_policy {
	G10_BASE_UVM,	 /* faults only, oldest page out */
	G10_DEEPUM,	 /* prefetch of the operands some kernels ahead */
	G10_G10,	 /* planned migration */
	G10_FLASHNEURON, /* offload what the way back needs late */
	G10_GDS,	 /* the plan over GPUDirect: to the SSD */
	G10_HOST	 /* ... to the host as well */
};

struct g10_params {
	u32 policy;
	u64 clock_hz;
	u32 batch_pages;	  /* that a tick moves each way */
	u32 degree;		  /* DeepUM: kernels ahead */
	double alloc_us_per_byte; /* zeroing and mapping a new page */
	gs_time system_latency, ssd_latency;
	u64 ssd_bps;		    /* each way */
	double fill, loosen, delta; /* planner: share of memory, times this; slack */
	double variation;	    /* of kernel times, after planning */
	u64 variation_seed;
	u64 gds_memory; /* that the GPUDirect variants may fill */
	/* what the published numbers rest on; see the rows */
	bool whole_seconds, measured, charge_alloc, faults_cost, overlap;
	bool keep_dead, drop_dead, true_lru;
	bool first_twice, hints_until_fit, short_to_host, stop_at_short, move_uncounted;
	bool start_early, wait_offloads;
	u32 buckets; /* of the artifact's sets of tensors; 0: operands as listed */
};
extern const struct gm_param g10_rows[];

struct g10_stats {
	u64 exec_cycles;  /* kernels with everything there */
	u64 total_cycles; /* ... as it was */
	u64 stall_cycles, overlap_cycles, compute_cycles;
	u64 ssd_in_pages, ssd_out_pages, host_in_pages, host_out_pages;
	u64 ahead_pages;     /* of those in: by hint */
	u64 new_pages;	     /* allocated without a copy */
	u64 dropped_pages;   /* dead ones that left without a copy */
	u64 ticks, repeated; /* that moved something; of these in closed form */
};
extern const struct gm_stat g10_stat_rows[];

/* ---- the job in advance ------------------------------------------------- */

struct g10_kernel {
	u64 cycles;		  /* with all data resident */
	u64 fault_out, fault_all; /* outputs faulting; inputs as well */
	u64 first;		  /* net->uses[first ...]: inputs, then outputs that are none */
	u32 nin, nout;
	u8 phase;
};

struct g10_tensor {
	u64 bytes; /* whole pages */
	bool global;
	/* first kernel that uses it; last that reads it plus 1, -1: none reads it */
	int birth, death;
};

struct g10_interval { /* kernels [a, b): between two uses of the tensor */
	u32 tensor;
	int a, b;
	bool looped; /* from the last use to the first of the next iteration */
	double us;
	/* the planner's */
	double benefit;
	int half_out, half_in; /* the benefit is of the kernels between */
	bool handled, moved;
	int prefetch, evicted; /* kernels: read from, written at */
};

struct g10_net {
	u32 nkernels, ntensors;
	struct g10_kernel *kernels;
	struct g10_tensor *tensors;
	u32 *uses;
	u32 *hashed; /* the same, all operands of a kernel as the artifact's sets list them */
	u64 total_bytes, global_bytes;
	int border;	 /* the last kernel of the way forth */
	double *us;	 /* 2 * nkernels + 1: when kernels start if nothing stalls */
	u32 *users;	 /* kernels by tensor, ascending: users[first_user[t] ...] */
	u64 *first_user; /* ntensors + 1 */
	struct g10_interval *intervals;
	u32 nintervals;
};

/* From what the dry pass saw; fini accepts zeroes. */
void g10_net_init(struct g10_net *n, const struct mm_plan *plan, const struct g10_params *par);
void g10_net_fini(struct g10_net *n);
/* Does kernel @k use tensor @t? */
bool g10_uses(const struct g10_net *n, u32 k, u32 t);
/* Is there data of @t that somebody wants at kernel @k? */
static inline bool g10_alive(const struct g10_tensor *t, int k)
{
	return t->global || (t->death < 0 ? k == t->birth : k >= t->birth && k < t->death);
}

/* ---- the plan ------------------------------------------------------------ */

enum g10_loc { G10_NOWHERE, G10_SSD, G10_DRAM, G10_GPU, G10_ANYWHERE };

struct g10_hint { /* at kernel @at (@at = nkernels: at the first, before its own) */
	u32 at, tensor;
	u8 to;
};

struct g10_plan {
	struct g10_hint *hints; /* in order of @at */
	size_t nhints, cap;
	bool *leaves; /* by tensor: some hint takes it off the device */
};

struct g10_machine { /* what planner and simulators know of it */
	u64 gpu_bytes, host_bytes, pcie_bps, ssd_bps;
};

void g10_plan_init(struct g10_plan *p, struct g10_net *n, const struct g10_params *par,
		   const struct g10_machine *m);
void g10_plan_fini(struct g10_plan *p);

/* How much each kernel's time lets each way carry, and how much is given away. */
struct g10_budget {
	u32 n;
	struct g10_slot {
		double capacity, used;
		bool full;
	} * ssd, *pcie; /* n each; the SSD's traffic crosses the PCIe link too */
};
void g10_budget_init(struct g10_budget *b, const struct g10_net *n, double ssd_gbps,
		     double pcie_gbps);
void g10_budget_fini(struct g10_budget *b);
/* Kernel in which @bytes are out, or from which they have to come in, on what is free. */
int g10_walk_out(const struct g10_slot *s, u32 n, u64 bytes, int from);
int g10_walk_in(const struct g10_slot *s, u64 bytes, int needed);
void g10_book_ssd(struct g10_budget *b, u64 bytes, int from);
void g10_book_pcie(struct g10_budget *b, u64 bytes, int from);

/*
 * Sort @v as the standard library of the artifact's language does: the order of
 * equals is part of the published numbers.
 */
void g10_sort(u32 *v, size_t n, bool (*before)(const void *arg, u32 a, u32 b), const void *arg);

/* ---- pages in runs ------------------------------------------------------- */

enum g10_queue {
	G10_Q_NONE,
	G10_FAULT_SSD, /* fetch because a kernel waits */
	G10_FAULT_HOST,
	G10_FAULT_NEW, /* allocate */
	G10_AHEAD_SSD, /* the same, by hint */
	G10_AHEAD_HOST,
	G10_AHEAD_NEW,
	G10_OUT_SSD, /* evict by hint */
	G10_OUT_HOST,
	G10_NR_QUEUES
};

/*
 * Pages [first, first + pages) of a tensor that are alike.  On the device, page
 * i arrived as number `arrival` + i, or, where several flows came at once, in
 * groups of `per` that are `stride` arrivals apart:
 *
 *	arrival          + stride            + 2 stride
 *	|--left--|.......|---per---|.........|---per---|....
 */
struct g10_run {
	u32 tensor, next, prev; /* neighbours in the tensor, 0: none */
	u32 first, pages;
	u8 loc, queue;
	u8 heap;  /* which one holds it, plus 1 */
	u32 slot; /* in it */
	u64 arrival, stride;
	u32 per, left; /* per = 0: one after the other */
};

struct g10_heap { /* of runs, oldest arrival first */
	u32 *v;
	size_t n, cap;
};

struct g10_pages; /* of one tensor */

struct g10_runs {
	const struct g10_net *net;
	struct g10_run *v; /* v[0] is none */
	u32 n, cap, free;  /* free: chained by next */
	struct g10_page_set {
		u32 head; /* run */
		u32 pages;
		u32 here;	  /* on the device and not queued */
		u32 queued;	  /* in any queue */
		bool needed;	  /* by the kernel that runs */
		bool window;	  /* DeepUM: by it or one of the next */
	} * sets;		  /* by tensor */
	struct g10_heap heaps[2]; /* evictable runs; [1]: of the window */
	u64 arrivals;
};

void g10_runs_init(struct g10_runs *r, const struct g10_net *n);
void g10_runs_fini(struct g10_runs *r);
static inline struct g10_run *g10_run(struct g10_runs *r, u32 id)
{
	return &r->v[id];
}
/* The run that begins with page @first of @run: cut where needed. */
u32 g10_cut(struct g10_runs *r, u32 run, u32 first);
/*
 * The first @pages of run @id become so, and join their neighbours; the run that
 * holds them then.  Not for arrivals.
 */
u32 g10_become(struct g10_runs *r, u32 id, u32 pages, u8 loc, u8 queue);
/* ... arrive on the device: in groups of @per, @stride apart, the first as @arrival. */
void g10_arrive(struct g10_runs *r, u32 id, u32 pages, u64 arrival, u32 per, u64 stride);
/* The run of @page; @hint is one that may hold it. */
u32 g10_find(const struct g10_runs *r, u32 tensor, u32 page, u32 hint);
/* All on the device that @tensor has arrive again, in order of pages. */
void g10_renew(struct g10_runs *r, u32 tensor);
/* The window begins or ceases to hold @tensor. */
void g10_set_window(struct g10_runs *r, u32 tensor, bool window);
/* Oldest evictable run; pages of it that no other interrupts.  0: none. */
u32 g10_oldest(const struct g10_runs *r, bool spare_window, u32 *pages);
/* Arrival of page @i of the run. */
u64 g10_arrival(const struct g10_run *run, u64 i);
/* Latest arrival of all evictable pages. */
u64 g10_newest(const struct g10_runs *r);
void g10_heap_out(struct g10_runs *r, u32 id);
void g10_heap_in(struct g10_runs *r, u32 id);
void g10_runs_check(const struct g10_runs *r);

/* ---- the page simulator ---------------------------------------------------- */

struct g10_part { /* what waits in a queue */
	u32 tensor, first, pages;
	u32 run; /* that held its first page when it was looked at last */
};

struct g10_fifo {
	struct g10_part *v; /* ring, power of two */
	u32 cap, head, n;
};

enum g10_force { G10_FREE_CHOICE, G10_TO_HOST, G10_TO_SSD };

struct g10_tick { /* what this one has done */
	u32 in, in_ssd, in_host, out, out_ssd, out_host, fresh, dropped;
	u8 force; /* where victims go */
};

/* One act of a tick, so that the next can be seen to do the same. */
struct g10_act {
	u8 queue;    /* that was served */
	u8 to;	     /* of the victims; G10_ANYWHERE: none */
	bool spared; /* the window's pages were no victims */
	u32 pages, tensor;
	u32 victim;	    /* run */
	u64 victim_arrival; /* of the first */
	u64 arrival;	    /* of the first that came */
};

enum { G10_MAX_ACTS = 24 };

struct g10_sim {
	const struct g10_params *par;
	const struct g10_net *net;
	const struct g10_plan *plan;
	struct g10_stats *stats;
	struct mm_stats *mm;

	/* constants of the machine */
	u64 tick_cycles;
	u32 ssd_batch, host_batch, new_batch;
	u64 gpu_pages, host_pages;
	double pcie_bpms, ssd_bpms;

	struct g10_runs runs;
	struct g10_fifo queues[G10_NR_QUEUES];
	u64 queued; /* pages in all of them */
	u64 gpu_free, host_used;
	u64 next_tick; /* number of the next one */
	bool moving;   /* the tick before found work */
	u64 moving_since, moved_cycles;

	u32 kernel; /* that runs or ran last */
	u32 next_hint;
	bool waits;	 /* for its pages */
	bool one_by_one; /* no closed form: for tests */
	bool end_known, exhausted;
	u64 last_end, moved_at_end;
	bool queued_first; /* the kernel's start was known before the tick's at its time */

	struct g10_tick tick;
	struct g10_act acts[2][G10_MAX_ACTS];
	u32 nacts[2];
	u8 now; /* index into acts */
	u64 host_before, gpu_before;
};

void g10_sim_init(struct g10_sim *s, const struct g10_params *par, const struct g10_net *net,
		  const struct g10_plan *plan, const struct g10_machine *m);
void g10_sim_fini(struct g10_sim *s);
/* Kernel @k starts at cycle @t; returns the cycle of its end, ~0: never. */
u64 g10_sim_kernel(struct g10_sim *s, u32 k, u64 t, u64 cycles);
/* Ticks before @t, and that at @t if it comes before a kernel that starts then. */
void g10_sim_until(struct g10_sim *s, u64 t);

u32 g10_front(struct g10_sim *s, u8 queue);
void g10_pop(struct g10_sim *s, u8 queue, u32 pages);
void g10_leave(struct g10_sim *s, u32 run, u32 pages, u8 to);
/* Pages [first, first + pages) of run @run, which queues them already. */
void g10_push(struct g10_sim *s, u8 queue, u32 run, u32 first, u32 pages);
static inline bool g10_faults_pending(const struct g10_sim *s)
{
	return s->queues[G10_FAULT_SSD].n || s->queues[G10_FAULT_HOST].n ||
	       s->queues[G10_FAULT_NEW].n;
}
/* Pages that the running kernel needs are in some queue. */
bool g10_needed_queued(const struct g10_sim *s);
/* Do what the link does in one tick; the clock is the caller's. */
void g10_tick(struct g10_sim *s);
/* Do as many more ticks like the last two as are alike, @most at most; how many. */
u64 g10_repeat(struct g10_sim *s, u64 most);

struct g10_missing { /* pages of a kernel's operands: [0] inputs, [1] outputs */
	u64 pages[2], fresh[2], ssd[2], host[2];
};
/* Cycles that a kernel which finds so much missing takes longer. */
u64 g10_fault_cycles(const struct g10_sim *s, const struct g10_kernel *k, u64 cycles,
		     const struct g10_missing *miss);

/* ---- the tensor simulator ------------------------------------------------ */

struct g10_tsim;
/* NULL: the job does not fit (said). */
struct g10_tsim *g10_tsim_new(const struct g10_params *par, const struct g10_net *net,
			      const struct g10_plan *plan, const struct g10_machine *m,
			      struct g10_stats *stats);
void g10_tsim_free(struct g10_tsim *s);
/* End of kernel @k that starts now, ms; below 0: no space, ever (said). */
double g10_tsim_kernel(struct g10_tsim *s, u32 k, double exec_ms);

/* Device memory, in blocks of pages. */
struct g10_room {
	struct g10_block {
		u64 first, pages;
	} * v; /* free ones, ascending */
	size_t n, cap;
};
void g10_room_init(struct g10_room *r, u64 pages);
void g10_room_fini(struct g10_room *r);
/* First page, from the low end or the high end; ~0: no block is large enough. */
u64 g10_room_take(struct g10_room *r, u64 pages, bool high);
void g10_room_give(struct g10_room *r, u64 first, u64 pages);
u64 g10_room_largest(const struct g10_room *r);

#endif
