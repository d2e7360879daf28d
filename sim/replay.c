/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * replay.c - a dry pass, then the real one
 *
 * The dry pass runs the same code without a manager: it gives the ideal time
 * (nothing is ever missing), the address ranges that exist, and, where min asks
 * for it, the future.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/replay_impl.h"

const char *const gs_timing_names[] = { "recorded", "scaled", "roofline", NULL };
static const char *const layout_names[] = { "recorded", "caching", NULL };
static const char *const on_free_names[] = { "keep", "discard", NULL };

#define W struct gs_workload_cfg
const struct gm_param gs_workload_rows[] = {
	GM_P_STR(W, trace, "trace", "", "Trace to replay: .gmt, or the recorder's .jsonl[.zst]",
		 "none"),
	GM_P_U32(W, iterations, "iterations", GM_NONE, "0", 0, 1000000,
		 "Iterations to replay; the last recorded one repeats. 0: as many as recorded",
		 "choice"),
	GM_P_ENUM(W, timing, "timing", gs_timing_names, "recorded",
		  "Kernel durations: as recorded, times `scale`, or by the device's roofline from "
		  "FLOPs and bytes (as recorded where the trace has neither)",
		  "choice"),
	GM_P_REAL(W, scale, "scale", GM_NONE, "1", 0, 1000000, "Factor of `timing: scaled`",
		  "choice"),
	GM_P_ENUM(W, layout, "layout", layout_names, "recorded",
		  "Addresses: as recorded (mapped in segments, where the trace tells them), or as "
		  "PyTorch's caching allocator would place tensors",
		  "choice"),
	GM_P_ENUM(W, on_free, "on_free", on_free_names, "keep",
		  "When a tensor dies: nothing (its allocator keeps the memory), or tell the "
		  "manager to discard its content (gmemFreeEager, cuMemDiscard)",
		  "PyTorch keeps memory: CUDACachingAllocator"),
	GM_P_BOOL(W, hints, "hints", "false",
		  "Prefetch the operands of coming kernels by advice (gmemPrefetch, "
		  "cudaMemPrefetchAsync); also on with manager.prefetcher: hints",
		  "choice"),
	GM_P_U32(W, hint_depth, "hint_depth", GM_NONE, "8", 1, 1000, "Kernels that hints run ahead",
		 "G10's DeepUM looks 8 kernels ahead"),
	GM_P_U32(W, warmup, "warmup", GM_NONE, "0", 0, 1000000,
		 "Iterations at the start that totals and slowdown leave out", "choice"),
	GM_P_END
};

#define S struct gs_sim_cfg
const struct gm_param gs_sim_rows[] = {
	GM_P_U64(S, seed, "seed", GM_NONE, "1", 0, ~0ULL, "Seed of every random stream", "choice"),
	GM_P_U32(S, series_points, "series_points", GM_NONE, "1000", 2, 1000000,
		 "Rows of series.csv, about", "choice"),
	GM_P_BOOL(S, check, "check", "false", "Let the manager check itself after the run",
		  "choice"),
	GM_P_END
};

static bool has_layout(const struct gs_replay_args *a)
{
	return a->workload->layout == GS_LAYOUT_CACHING && !a->source->job.npages;
}

static int new_segment(void *arg, u16 device, u64 va, u64 bytes)
{
	struct replay *r = arg;

	(void)device;
	if (r->extents)
		gs_extents_add(r->extents, va, bytes);
	return r->mm ? mm_add(r->mm, va, bytes) : 0;
}

/* Units around the recorded addresses are addresses too.  0 or -EINVAL (said). */
static int check_addresses(const struct gs_replay_args *a, u64 unit)
{
	const struct gs_job *job = &a->source->job;
	u64 high = gs_max(job->va_high, job->segments_high);

	if (has_layout(a) || U64_MAX - high >= 2 * unit)
		return 0;
	gs_err("%s: addresses up to 0x%llx leave no room for units of %llu bytes; set "
	       "workload.layout: caching, or a smaller unit",
	       job->name, high, unit);
	return -EINVAL;
}

/* One pass over the job.  0 or -errno (said). */
static int pass(struct replay *r)
{
	int err;

	r->source = r->a->source;
	r->job = &r->a->source->job;
	book_init(r);
	streams_init(r);
	if (has_layout(r->a))
		r->layout = gs_layout_new(r->a->ndevices, new_segment, r);
	r->segmented = segments_told(r->job, r->a->workload);
	pages_init(r);
	err = job_init(r);
	if (!err) {
		streams_poll(r);
		gs_run(r->sim);
		err = r->err ? r->err : r->mm ? r->mm->err : 0;
	}
	if (!err) {
		for (u32 i = 0; i < r->nstreams; i++) /* else a wake-up was lost */
			gs_assert(!r->streams[i].count);
		book_finish(r);
	}
	if (r->seen && !err)
		r->footprint = pages_footprint(r);
	pages_fini(r);
	segments_fini(r);
	gs_layout_free(r->layout);
	job_fini(r);
	streams_fini(r);
	book_fini(r);
	return err;
}

/* What the dry pass finds out. */
struct dry {
	gs_time *iterations; /* ideal times */
	u32 niterations;
	struct gs_extents *extents;
	struct gs_future *future;
	struct plan *plan;
	u64 footprint;
};

static int dry_pass(const struct gs_replay_args *a, u64 unit, bool future, struct dry *d)
{
	struct gs_result res = { 0 };
	struct replay r = { .a = a, .res = &res, .unit = unit };
	int err;

	r.sim = gs_sim_new(a->cfg->seed);
	r.extents = d->extents = gs_extents_new(unit);
	if ((a->mm && a->mm->ops->plan) || a->hints)
		r.plan = d->plan = plan_new(&a->source->job);
	if (future)
		r.future = d->future = gs_future_new(unit);
	err = pass(&r);
	if (!err) {
		gs_extents_settle(d->extents);
		d->footprint = r.footprint ?: r.mapped_peak ?: gs_extents_bytes(d->extents);
		d->niterations = res.niterations;
		d->iterations = gs_calloc(res.niterations, sizeof(*d->iterations));
		for (u32 i = 0; i < res.niterations; i++)
			d->iterations[i] = res.iterations[i].time_ps;
	}
	gs_result_free(&res);
	gs_sim_free(r.sim);
	return err;
}

static void dry_fini(struct dry *d)
{
	free(d->iterations);
	gs_extents_free(d->extents);
	gs_future_free(d->future);
	plan_free(d->plan);
}

static u64 next_use(void *arg, u16 device, u64 va)
{
	struct replay *r = arg;

	return gs_future_next(r->future, device, va, r->unit_touches + r->mm->ahead);
}

/* Recorded addresses: all ranges exist from the start. */
static int add_extents(struct replay *r, const struct gs_extents *x)
{
	int err = 0;

	if (has_layout(r->a) || (r->mm->ops->exact && !pages_only(&r->a->source->job)))
		return 0;
	for (size_t i = 0; i < gs_extents_count(x) && !err; i++) {
		u64 va, bytes;

		gs_extents_get(x, i, &va, &bytes);
		err = mm_add(r->mm, va, bytes);
	}
	return err;
}

static void totals(const struct gs_replay_args *a, const struct dry *d, struct gs_result *res)
{
	u32 first = a->workload->warmup < res->niterations ? a->workload->warmup : 0;

	for (u32 i = first; i < res->niterations; i++) {
		res->total_ps += res->iterations[i].time_ps;
		res->ideal_ps += d->iterations[i];
	}
	res->footprint_bytes = d->footprint;
	res->hbm_peak_bytes = a->mm->stats.hbm_peak_bytes;
}

/* Nothing to find out before: ranges are known, and the real pass tells the rest. */
static void dry_skip(struct replay *r, struct dry *d)
{
	const struct gs_job *job = &r->a->source->job;
	u32 n = gs_max(r->a->workload->iterations ? r->a->workload->iterations : job->niterations,
		       1);

	d->extents = gs_extents_new(r->unit);
	gs_extents_add(d->extents, job->va_low, job->va_high - job->va_low);
	gs_extents_settle(d->extents);
	d->iterations = gs_calloc(n, sizeof(*d->iterations));
	r->page_ideal = d->iterations;
}

int gs_replay(const struct gs_replay_args *a, struct gs_result *res)
{
	u64 unit = mm_unit(a->mm);
	struct replay r = { .a = a, .res = res, .unit = unit, .mm = a->mm, .sim = a->sim };
	struct dry d = { 0 };
	int err = 0;

	memset(res, 0, sizeof(*res));
	r.job = &a->source->job;
	err = check_addresses(a, unit);
	if (!err && pages_dense(&r) && !a->mm->needs_future && !a->hints)
		dry_skip(&r, &d);
	else if (!err)
		err = dry_pass(a, unit, a->mm->needs_future, &d);
	if (err)
		goto out;
	r.future = d.future;
	a->mm->next_use = next_use;
	a->mm->next_use_arg = &r;
	err = add_extents(&r, d.extents);
	if (!err && a->mm->ops->plan)
		err = a->mm->ops->plan(a->mm, plan_tell(d.plan));
	if (!err && a->hints)
		err = a->hints(a->arg, plan_tell(d.plan), &r.hints);
	if (!err)
		err = pass(&r);
	a->mm->next_use = NULL;
	if (r.footprint)
		d.footprint = r.footprint;
	if (!err)
		totals(a, &d, res);
out:
	free(r.hints.v);
	dry_fini(&d);
	if (err)
		gs_result_free(res);
	return err;
}

static gs_time no_time(void *arg, const struct gs_op *op)
{
	(void)arg;
	(void)op;
	return 0;
}

int gs_footprint(struct gs_source *source, const struct gs_workload_cfg *w, u64 unit, u64 *bytes)
{
	const struct gs_sim_cfg cfg = { .seed = 1, .series_points = 2 };
	const struct gs_replay_args a = { .source = source,
					  .workload = w,
					  .cfg = &cfg,
					  .ndevices = source->job.ndevices,
					  .fault_window = 1,
					  .duration = no_time };
	struct dry d = { 0 };
	int err = check_addresses(&a, unit) ?: dry_pass(&a, unit, false, &d);

	*bytes = d.footprint;
	dry_fini(&d);
	return err;
}
