/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * replay.h - a job, operation by operation, against a memory manager
 *
 * Streams run their kernels in order; a kernel passes resident units for
 * nothing, goes on past absent ones until the fault window is full, then
 * stalls until the manager lets it go on.  Each picosecond of stall is booked
 * to the kernel, the tensor and the phase of the fault that it waited for.
 */
#ifndef GS_REPLAY_H
#define GS_REPLAY_H

#include "sim/mm.h"

enum gs_timing { GS_RECORDED, GS_SCALED, GS_ROOFLINE };
enum gs_layout_kind { GS_LAYOUT_RECORDED, GS_LAYOUT_CACHING };
enum gs_on_free { GS_FREE_KEEP, GS_FREE_DISCARD };

struct gs_workload_cfg {   /* `workload.*` */
	const char *trace; /* .gmt, .jsonl[.zst]; relative to its YAML file */
	u32 iterations;	   /* to replay; the last one recorded repeats; 0: as recorded */
	u32 timing;	   /* enum gs_timing */
	double scale;	   /* timing: scaled */
	u32 layout;	   /* enum gs_layout_kind */
	u32 on_free;	   /* enum gs_on_free */
	bool hints;	   /* prefetch a kernel's operands ahead by advice */
	u32 hint_depth;	   /* kernels ahead */
	u32 warmup;	   /* iterations left out of slowdown and of sweep rows */
};
extern const struct gm_param gs_workload_rows[];
extern const char *const gs_timing_names[];

struct gs_sim_cfg { /* `sim.*` */
	u64 seed;
	u32 series_points; /* rows of series.csv, about */
	bool check;	   /* run the manager's self-check at the end */
};
extern const struct gm_param gs_sim_rows[];

struct gs_iter_result {
	gs_time start_ps;
	gs_time time_ps, kernel_ps, stall_ps; /* kernel: at full residency */
	gs_time stall_by[MM_NR_PHASES];
	struct mm_stats mm; /* what the manager counted in it */
	void *own;	    /* the same for its own rows, where it tells them so */
};

struct gs_kernel_result { /* one row a kernel name and operator class */
	const char *name;
	u8 opclass, phase;
	u64 calls, faults;
	gs_time kernel_ps, stall_ps, stall_by[MM_NR_PHASES];
};

struct gs_tensor_result { /* one row a tensor */
	const char *name;
	u8 kind;
	u64 bytes, touches, misses; /* touches, misses in units */
	gs_time stall_ps;
	u64 va;			  /* of its last life ... */
	gs_time born_ps, died_ps; /* ... which ends with the run at the latest */
};

struct gs_sample { /* one row of series.csv */
	gs_time t;
	u64 hbm_bytes, h2d_bytes, d2h_bytes, faults, misses;
	gs_time stall_ps;
	gs_time h2d_busy_ps, d2h_busy_ps; /* of all links; filled in by args->links */
};

struct gs_result {
	u32 niterations;
	struct gs_iter_result *iterations;
	gs_time total_ps;
	gs_time ideal_ps;    /* same iterations, nothing ever missing */
	u64 footprint_bytes; /* units that the job maps, most at once */
	u64 hbm_peak_bytes;
	const struct gm_stat *own_rows; /* NULL: iterations have none */
	size_t nkernels, ntensors, nsamples;
	struct gs_kernel_result *kernels;
	struct gs_tensor_result *tensors;
	struct gs_sample *samples;
};

struct gs_replay_args {
	struct gs_sim *sim;
	struct mm *mm;
	struct gs_source *source;
	const struct gs_workload_cfg *workload;
	const struct gs_sim_cfg *cfg;
	u32 ndevices;
	u32 fault_window; /* distinct units, >= 1, already cut by reach */
	gs_time launch_ps;
	/* Duration at full residency of a kernel op, or of a host op's own work
	 * (timing, roofline). */
	gs_time (*duration)(void *arg, const struct gs_op *op);
	void *arg;
	/* A planner beside the manager: what it advises; 0 or -errno (said).  May be NULL. */
	int (*hints)(void *arg, const struct mm_plan *plan, struct mm_hints *out);
	void (*progress)(void *arg, u64 done, u64 total); /* may be NULL */
	/* How long links have been busy until now; may be NULL. */
	void (*links)(void *arg, struct gs_sample *s);
};

/* 0 and @res filled, or -errno (said).  @res is freed by the caller. */
int gs_replay(const struct gs_replay_args *args, struct gs_result *res);
void gs_result_free(struct gs_result *res);

/*
 * Bytes of all units (of @unit bytes) that the job will map, most at once,
 * from a pass over the trace: "footprint" in configurations.
 */
int gs_footprint(struct gs_source *source, const struct gs_workload_cfg *w, u64 unit, u64 *bytes);

#endif
