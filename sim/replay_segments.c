/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * replay_segments.c - memory that the job's own allocator maps and unmaps
 *
 * The trace tells segments in bytes, the manager maps units: one is mapped while
 * some byte of it is held by the job.
 *
 *	segments   ....[=======)[====)..........[===)....
 *	tensors outside of all ................[==)......
 *	units      |===|===|===|===|...|...|===|===|===|...
 *
 * A tensor outside of all segments (of another allocator) is mapped at its birth
 * and stays mapped.  A free is cudaFree: the program waits until the work that it
 * launched before has ended.  When the last iteration repeats, its segments do
 * too; what still has a tensor stays then.
 */
#include <errno.h>
#include <string.h>

#include "sim/replay_impl.h"

/* Page accesses are mapped by their own addresses, and all that is there with them. */
bool segments_told(const struct gs_job *job, const struct gs_workload_cfg *w)
{
	return job->bytes_reserved && !job->npages && w->layout == GS_LAYOUT_RECORDED;
}

void segments_fini(struct replay *r)
{
	gs_ranges_fini(&r->held);
	gs_ranges_fini(&r->kept);
}

static u64 down(const struct replay *r, u64 va)
{
	return va / r->unit * r->unit;
}

static u64 up(const struct replay *r, u64 va)
{
	return down(r, va + r->unit - 1);
}

/* The next run of units from *at on, before @end, of which nothing is held. */
static bool next_free(const struct replay *r, u64 *at, u64 end, struct gs_range *run)
{
	struct gs_range gap;

	while (*at < end && gs_ranges_gap(&r->held, *at, end, &gap)) {
		*run = (struct gs_range){ up(r, gap.begin), down(r, gap.end) };
		*at = gap.end;
		if (run->begin < run->end)
			return true;
	}
	return false;
}

/* 0 or -errno (said). */
static int hold(struct replay *r, u64 begin, u64 end)
{
	u64 at = down(r, begin);
	struct gs_range run;
	int err = 0;

	while (!err && next_free(r, &at, up(r, end), &run)) {
		r->mapped += run.end - run.begin;
		if (r->mm)
			err = mm_add(r->mm, run.begin, run.end - run.begin);
	}
	r->mapped_peak = gs_max(r->mapped_peak, r->mapped);
	gs_ranges_add(&r->held, begin, end);
	return err;
}

static void part_gone(struct mm_done *d, int err)
{
	struct replay *r = gs_container_of(d, struct replay, gone);

	r->parts_going--;
	if (err && !r->err)
		r->err = err;
	streams_poll(r);
}

static void unmap(struct replay *r, const struct gs_range *run)
{
	int err = 0;

	r->mapped -= run->end - run->begin;
	r->gone.fn = part_gone;
	if (r->mm)
		err = mm_remove(r->mm, run->begin, run->end - run->begin, &r->gone);
	if (err == -EINPROGRESS) {
		r->parts_going++;
	} else if (err) {
		gs_err("cannot unmap %llu bytes at 0x%llx: %s", run->end - run->begin, run->begin,
		       strerror(-err));
		r->err = err;
	}
}

static void let_go(struct replay *r, u64 begin, u64 end)
{
	u64 at = begin;
	struct gs_range run;

	while (at < end && gs_ranges_gap(&r->kept, at, end, &run)) {
		gs_ranges_remove(&r->held, run.begin, run.end);
		at = run.end;
	}
	at = down(r, begin);
	while (next_free(r, &at, up(r, end), &run))
		unmap(r, &run);
}

int segments_alloc(struct replay *r, const struct gs_op *op)
{
	return hold(r, op->segment.va, op->segment.va + op->segment.bytes);
}

void segments_free(struct replay *r, const struct gs_op *op)
{
	r->going = (struct gs_range){ op->segment.va, op->segment.va + op->segment.bytes };
}

/* No tensor is in what goes; always so but when an iteration repeats. */
static bool is_empty(const struct replay *r, const struct gs_range *x)
{
	for (u32 i = 0; i < r->job->ntensors; i++) {
		const struct tensor *t = &r->tensors[i];

		if (t->alive && t->block.va < x->end && t->block.va + t->bytes > x->begin)
			return false;
	}
	return true;
}

bool segments_settled(struct replay *r)
{
	struct gs_range x = r->going;

	if (r->parts_going)
		return false;
	if (!x.end)
		return true;
	for (u32 i = 0; i < r->nstreams; i++)
		if (r->streams[i].count)
			return false;
	r->going = (struct gs_range){ 0 };
	/* a range that is not all held has gone in the pass before */
	if (gs_ranges_all(&r->held, x.begin, x.end) && is_empty(r, &x))
		let_go(r, x.begin, x.end);
	return !r->parts_going;
}

bool segments_have(const struct replay *r, const struct tensor *t)
{
	return gs_ranges_all(&r->held, t->block.va, t->block.va + t->bytes);
}

int segments_keep(struct replay *r, const struct tensor *t)
{
	gs_ranges_add(&r->kept, t->block.va, t->block.va + t->bytes);
	return hold(r, t->block.va, t->block.va + t->bytes);
}
