/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * replay_pages.c - page accesses, thousands in one item
 *
 * An access belongs to no kernel: it takes no time of its own, and the next one
 * of its device follows when it is done, or later by as much as was recorded
 * between the two.  So one access is outstanding at most, whatever the fault
 * window is, and what is resident can be passed in one call to the manager:
 *
 *	item    [ hit hit hit hit MISS hit hit hit ... ]   PAGES_AT_ONCE of them
 *	          mm_pages(): 4   │ mm_touch(), stall
 *	                          └──► mm_pages() ...
 *
 * The ideal time is the recorded time between accesses, 0 where none was.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/replay_impl.h"

/* ---- which pages there are ---------------------------------------------- */

bool pages_only(const struct gs_job *job)
{
	return job->npages && !job->nkernels && !job->ntensors;
}

/*
 * Page tables and the set of pages seen cover all of the job's addresses if
 * these are no more than a few units an access; else ranges are collected.
 */
bool pages_dense(const struct replay *r)
{
	const struct gs_job *job = r->job;

	return pages_only(job) && (job->va_high - job->va_low) / r->unit < 2 * job->npages + 65536;
}

void pages_init(struct replay *r)
{
	u64 first = r->job->va_low / r->unit, last = (r->job->va_high - 1) / r->unit;

	gs_assert(!(r->unit & (r->unit - 1)));
	r->unit_shift = (u32)__builtin_ctzll(r->unit);
	if (!pages_dense(r))
		return;
	r->seen_first = first;
	r->seen_units = last - first + 1;
	r->seen = gs_calloc(r->seen_units / 64 + 1, sizeof(*r->seen));
	if (r->future && !r->mm)
		gs_future_span(r->future, r->job->va_low, r->job->va_high - r->job->va_low,
			       r->a->ndevices);
	if (r->extents)
		gs_extents_add(r->extents, first * r->unit, r->seen_units * r->unit);
}

void pages_fini(struct replay *r)
{
	free(r->page_buf);
	free(r->seen);
	r->page_buf = NULL;
	r->seen = NULL;
}

u64 pages_footprint(const struct replay *r)
{
	u64 n = 0;

	for (u64 i = 0; r->seen && i <= r->seen_units / 64; i++)
		n += (u64)__builtin_popcountll(r->seen[i]);
	return n * r->unit;
}

/* All units of @p but the first are seen; false: they are not among the job's. */
static bool mark_rest(struct replay *r, const struct gs_page *p)
{
	u64 u = (p->va >> r->unit_shift) - r->seen_first;
	u64 last = ((p->va + p->bytes - 1) >> r->unit_shift) - r->seen_first;

	if (last >= r->seen_units)
		return false;
	for (; u <= last; u++)
		r->seen[u / 64] |= 1ULL << (u & 63);
	return true;
}

/* Units of @p are seen.  Returns how many are fine. */
static u32 mark(struct replay *r, const struct gs_page *p, u32 n)
{
	u64 first = r->seen_first, units = r->seen_units;
	u32 shift = r->unit_shift, i;

	for (i = 0; i < n; i++) {
		u64 u = (p[i].va >> shift) - first;

		if (u >= units)
			break;
		r->seen[u / 64] |= 1ULL << (u & 63);
		if ((p[i].va + p[i].bytes - 1) >> shift != u + first && !mark_rest(r, &p[i]))
			break;
	}
	return i;
}

/* Page accesses just read: 0 or -errno (said). */
static int note(struct replay *r, const struct gs_page *p, u32 n)
{
	u32 good = r->seen ? mark(r, p, n) : n;

	for (u32 i = 0; i < n && r->extents && !r->seen; i++)
		gs_extents_add(r->extents, p[i].va, p[i].bytes);
	if (good == n)
		return 0;
	gs_err("%s: a page access at 0x%llx is outside of the trace's addresses (the file is "
	       "damaged; import it again)",
	       r->job->name, p[good].va);
	return -EINVAL;
}

/* ---- from the trace into items ------------------------------------------ */

/* The item of @s that takes further accesses. */
static struct item *open_item(struct stream *s)
{
	struct item *it = s->count ? stream_at(s, s->count - 1) : NULL;

	if (it && it->type == ITEM_PAGES && it->npages < PAGES_AT_ONCE &&
	    !(s->busy && s->count == 1))
		return it;
	it = stream_push(s, ITEM_PAGES);
	if (!it->pages)
		it->pages = gs_calloc(PAGES_AT_ONCE, sizeof(*it->pages));
	return it;
}

static void add(struct replay *r, const struct gs_page *p)
{
	struct item *it = open_item(stream_of(r, p->device, 0));

	it->timed |= p->when_ps > 0;
	it->pages[it->npages++] = *p;
}

/* What follows @op in the trace, one device: straight into its item. */
static int fill_item(struct replay *r, u16 device)
{
	struct item *it = open_item(stream_of(r, device, 0));
	int n = gs_source_pages(r->source, it->pages + it->npages, PAGES_AT_ONCE - it->npages);
	u64 timed = 0;

	if (n <= 0 || note(r, it->pages + it->npages, (u32)n))
		return n < 0 ? n : n ? -EINVAL : 0;
	for (int i = 0; i < n; i++)
		timed |= it->pages[it->npages + (u32)i].when_ps;
	it->timed |= timed > 0;
	it->npages += (u32)n;
	return n;
}

/* ... several devices. */
static int spread(struct replay *r)
{
	int n;

	if (!r->page_buf)
		r->page_buf = gs_calloc(PAGES_AT_ONCE, sizeof(*r->page_buf));
	n = gs_source_pages(r->source, r->page_buf, PAGES_AT_ONCE);
	if (n > 0 && note(r, r->page_buf, (u32)n))
		return -EINVAL;
	for (int i = 0; i < n; i++)
		add(r, &r->page_buf[i]);
	return n;
}

bool pages_dispatch(struct replay *r, const struct gs_op *op)
{
	const struct gs_page p = { .va = op->page.va,
				   .when_ps = op->page.when_ps,
				   .bytes = op->page.bytes,
				   .device = op->device,
				   .access = op->page.access };
	int n;

	if (note(r, &p, 1))
		return job_fail(r, -EINVAL);
	add(r, &p);
	n = r->job->ndevices == 1 ? fill_item(r, op->device) : spread(r);
	if (n < 0)
		return job_fail(r, n);
	r->ops_done += (u64)n;
	return true;
}

/* ---- running ------------------------------------------------------------ */

/* Time between the access before and the one at @i. */
static gs_time gap(const struct stream *s, const struct item *it, u32 i)
{
	u64 before = i ? it->pages[i - 1].when_ps : s->page_when, when = it->pages[i].when_ps;
	const struct gs_workload_cfg *w = s->r->a->workload;

	if (!before || when <= before)
		return 0;
	return w->timing == GS_SCALED ? (gs_time)((double)(when - before) * w->scale)
				      : when - before;
}

/* All gaps of the item, which is its duration at full residency. */
static gs_time work_of(const struct stream *s, const struct item *it)
{
	gs_time sum = 0;

	for (u32 i = 0; it->timed && i < it->npages; i++)
		sum += gap(s, it, i);
	return sum;
}

/* Accesses from run->operand on that are due before anything else happens. */
static u32 due_now(const struct stream *s, const struct item *it, gs_time next)
{
	gs_time at = s->run.start;
	u32 i = s->run.operand;

	if (!it->duration)
		return it->npages - i;
	for (; i < it->npages; i++) {
		at += gap(s, it, i);
		if (at >= next)
			break;
	}
	return i - s->run.operand;
}

/* @n accesses are done, the last of them at run->start then. */
static void passed(struct stream *s, const struct item *it, u32 n)
{
	struct kernel_run *run = &s->run;

	for (u32 i = 0; it->duration && i < n; i++)
		run->start += gap(s, it, run->operand + i);
	run->operand += n;
}

static u64 units_of(const struct replay *r, u64 va, u64 bytes)
{
	return ((va + bytes - 1) >> r->unit_shift) - (va >> r->unit_shift) + 1;
}

/* What needs no waiting, in one call.  True: the item is done. */
static bool take(struct stream *s, struct item *it)
{
	struct replay *r = s->r;
	u32 first = s->run.operand, n = due_now(s, it, gs_next_time(r->sim));

	n = mm_pages(r->mm, &it->pages[first], n);
	if (r->future)
		for (u32 i = 0; i < n; i++)
			r->unit_touches +=
				units_of(r, it->pages[first + i].va, it->pages[first + i].bytes);
	passed(s, it, n);
	return s->run.operand == it->npages;
}

/* Dry: nothing is ever missing. */
static void take_all(struct stream *s, struct item *it)
{
	struct replay *r = s->r;
	struct operand o = { 0 };

	for (u32 i = 0; r->future && i < it->npages; i++) {
		o.va = it->pages[i].va;
		o.bytes = it->pages[i].bytes;
		book_uses(r, it, &o);
	}
	passed(s, it, it->npages);
}

static void hint_ahead(struct stream *s, const struct item *it)
{
	u64 i = s->run.operand + s->r->a->workload->hint_depth;

	if (s->r->a->workload->hints && !s->run.at && i < it->npages)
		mm_advise(s->r->mm, s->device, GS_ADV_PREFETCH, it->pages[i].va, it->pages[i].bytes,
			  NULL);
}

static void answered(struct stream *s, struct item *it, const struct mm_touch *t)
{
	struct kernel_run *run = &s->run;
	struct replay *r = s->r;
	u64 units = units_of(r, t->va, t->covered);

	r->unit_touches += units;
	if (t->kind == MM_REMOTE) {
		gs_time end[MM_NR_PHASES] = { 0 };

		end[MM_LINK] = end[MM_FINISH] = run->start + t->cost;
		book_stall(r, it, ~0U, run->start, run->start + t->cost, end);
		run->start += t->cost;
	} else if (t->kind == MM_MISS) {
		run->outstanding += t->units;
		book_misses(r, it, ~0U, units);
	}
	run->at += t->covered;
	if (run->at < it->pages[run->operand].bytes)
		return;
	run->at = 0;
	run->operand++;
}

/* One touch of the access at run->operand, at its time.  False: later. */
static bool touch_one(struct stream *s, struct item *it)
{
	struct kernel_run *run = &s->run;
	const struct gs_page *p = &it->pages[run->operand];
	struct mm_touch t = { .device = s->device,
			      .access = p->access,
			      .va = p->va + run->at,
			      .bytes = p->bytes - run->at,
			      .window = 1,
			      .wait = &run->wait };

	if (!run->at && !run->gone) {
		run->start += gap(s, it, run->operand);
		run->gone = true;
	}
	if (!stream_reach(s, run->start))
		return false;
	run->gone = false;
	hint_ahead(s, it);
	mm_touch(s->r->mm, &t);
	answered(s, it, &t);
	return true;
}

static void finish(struct stream *s)
{
	struct replay *r = s->r;
	struct item *it = stream_head(s);

	s->page_when = it->pages[it->npages - 1].when_ps;
	if (r->mm)
		mm_kernel_end(r->mm, s->device, it->seq);
	book_pages(r, s, it);
	stream_finish(s);
}

static void go_on(struct stream *s)
{
	struct kernel_run *run = &s->run;
	struct item *it = stream_head(s);
	bool bulk = !s->r->a->workload->hints;

	if (!s->r->mm && run->operand < it->npages)
		take_all(s, it);
	while (run->operand < it->npages) {
		if (bulk && !run->at && !run->gone && take(s, it))
			break;
		if (!touch_one(s, it))
			return;
		if (run->outstanding) {
			run->stalled = true;
			run->stalled_at = gs_now(s->r->sim);
			return;
		}
	}
	if (stream_reach(s, run->start))
		finish(s);
}

static void wake(struct gs_sim *sim, struct gs_event *ev)
{
	struct kernel_run *run = gs_container_of(ev, struct kernel_run, ev);

	(void)sim;
	go_on(gs_container_of(run, struct stream, run));
}

static void resolved(struct mm_wait *w, u32 units, const gs_time end[MM_NR_PHASES])
{
	struct kernel_run *run = gs_container_of(w, struct kernel_run, wait);
	struct stream *s = gs_container_of(run, struct stream, run);
	gs_time now = gs_now(s->r->sim);

	gs_assert(units <= run->outstanding);
	run->outstanding -= units;
	if (run->outstanding || !run->stalled)
		return;
	run->stalled = false;
	book_stall(s->r, stream_head(s), ~0U, run->stalled_at, now, end);
	run->start = now;
	gs_at(s->r->sim, &run->ev, now);
}

void pages_start(struct stream *s)
{
	struct replay *r = s->r;
	struct item *it = stream_head(s);

	s->run = (struct kernel_run){ .ev.fn = wake, .wait.resolved = resolved };
	s->run.wait.device = s->device;
	s->run.start = gs_now(r->sim);
	it->row = book_row(r, "page", GS_OTHER_CLASS, GS_OTHER_PHASE);
	it->duration = work_of(s, it);
	if (r->mm)
		mm_kernel_begin(r->mm, s->device, it->seq);
	go_on(s);
}
