/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_g10_repeat.c - ticks that all do the same, in closed form
 *
 * When two ticks in a row have done the same acts, the next ones do so too until
 * a queue's front part or a victims' run is used up, an older page comes into
 * reach, or device or host fill.  So many ticks at once are one act each:
 * as many groups of pages leave, as many arrive, interleaved as in each tick.
 */
#include "models/mm_g10.h"

enum { FEW = 8, MARGIN = 8192 }; /* pages; more than a tick moves or allocates */

struct flow {	/* acts on one run or one queue, summed over a tick */
	u32 id; /* run of victims, or queue */
	u8 to;	/* victims: where they go */
	bool spared;
	u32 tensor, pages;
	u64 arrival, step; /* of the first; by how much that moves in a tick */
};

struct flows {
	u32 nin, nout;
	struct flow in[FEW], out[FEW];
	u32 arrivals; /* pages that come in a tick */
};

/* ---- is this tick like the one before? ------------------------------------------ */

static bool same(const struct g10_act *a, const struct g10_act *b)
{
	return a->queue == b->queue && a->to == b->to && a->spared == b->spared &&
	       a->pages == b->pages && a->tensor == b->tensor && a->victim == b->victim;
}

static bool same_ticks(const struct g10_sim *s)
{
	u32 n = s->nacts[0];

	if (n != s->nacts[1] || n > G10_MAX_ACTS || !n)
		return false;
	for (u32 i = 0; i < n; i++)
		if (!same(&s->acts[0][i], &s->acts[1][i]))
			return false;
	return true;
}

/* ---- what flows ------------------------------------------------------------------ */

/* Pages that come from one part of a queue, one after the other. */
static bool add_in(struct flows *f, const struct g10_act *a)
{
	struct flow *last = f->nin ? &f->in[f->nin - 1] : NULL;

	if (last && last->id == a->queue) {
		bool row = a->queue >= G10_OUT_SSD || last->arrival + last->pages == a->arrival;

		last->pages += a->pages;
		return last->tensor == a->tensor && row;
	}
	if (f->nin == FEW)
		return false;
	f->in[f->nin++] = (struct flow){ .id = a->queue,
					 .tensor = a->tensor,
					 .pages = a->pages,
					 .to = a->to,
					 .arrival = a->arrival };
	return true;
}

static bool add_out(struct flows *f, const struct g10_sim *s, const struct g10_act *a,
		    const struct g10_act *before)
{
	u64 step = a->victim_arrival - before->victim_arrival;

	for (u32 i = 0; i < f->nout; i++) {
		struct flow *x = &f->out[i];

		if (x->id != a->victim)
			continue;
		x->pages += a->pages;
		return x->to == a->to && x->spared == a->spared && x->step == step;
	}
	if (f->nout == FEW)
		return false;
	f->out[f->nout++] = (struct flow){ .id = a->victim,
					   .to = a->to,
					   .spared = a->spared,
					   .pages = a->pages,
					   .arrival = a->victim_arrival,
					   .step = step };
	(void)s;
	return true;
}

static bool find_flows(const struct g10_sim *s, struct flows *f)
{
	const struct g10_act *acts = s->acts[s->now], *before = s->acts[s->now ^ 1];

	*f = (struct flows){ .nin = 0 };
	for (u32 i = 0; i < s->nacts[s->now]; i++) {
		if (!add_in(f, &acts[i]))
			return false;
		if (acts[i].victim && !add_out(f, s, &acts[i], &before[i]))
			return false;
		if (acts[i].queue < G10_OUT_SSD)
			f->arrivals += acts[i].pages;
	}
	return true;
}

/* ---- how long it can go on --------------------------------------------------------- */

/* Victims: the run is there, goes by whole groups, and has enough. */
static u64 limit_victims(const struct g10_sim *s, const struct flow *x)
{
	const struct g10_run *r = &s->runs.v[x->id];
	u64 step;

	if (!r->heap || r->arrival != x->arrival + x->step)
		return 0;
	if (!r->per)
		step = x->pages;
	else if (x->pages % r->per == 0)
		step = x->pages / r->per * r->stride;
	else
		return 0;
	return step == x->step ? r->pages / x->pages : 0;
}

static bool flows_out(const struct flows *f, u32 id)
{
	for (u32 i = 0; i < f->nout; i++)
		if (f->out[i].id == id)
			return true;
	return false;
}

/* Oldest arrival in @h of runs that give no victims now. */
static u64 oldest_other(const struct g10_sim *s, const struct flows *f, const struct g10_heap *h,
			size_t slot)
{
	if (slot >= h->n)
		return ~0ULL;
	if (!flows_out(f, h->v[slot]))
		return s->runs.v[h->v[slot]].arrival;
	return gs_min(oldest_other(s, f, h, 2 * slot + 1), oldest_other(s, f, h, 2 * slot + 2));
}

/* Runs that give victims stay the oldest, in the same order. */
static u64 limit_order(const struct g10_sim *s, const struct flows *f)
{
	u64 most = ~0ULL, other[2];

	if (!f->nout)
		return most;
	other[1] = oldest_other(s, f, &s->runs.heaps[0], 0);
	other[0] = gs_min(other[1], oldest_other(s, f, &s->runs.heaps[1], 0));
	for (u32 i = 0; i < f->nout; i++) {
		const struct flow *x = &f->out[i];
		u64 front = x->arrival + x->step, end = other[x->spared];

		for (u32 j = 0; j < f->nout; j++) {
			const struct flow *y = &f->out[j];

			/* those that are not in step may not meet */
			if (y->step != x->step && y->arrival + y->step > front)
				end = gs_min(end, y->arrival + y->step);
		}
		most = gs_min(most, end > front ? (end - front) / x->step : 0);
	}
	return most;
}

/* A level that a tick raises by @rise may do so until @room is nearly used up. */
static u64 limit_level(u64 room, long long rise)
{
	if (!rise)
		return ~0ULL;
	if (room < MARGIN)
		return 0;
	return rise > 0 ? (room - MARGIN) / (u64)rise : ~0ULL;
}

static u64 limit_levels(const struct g10_sim *s, const struct flows *f)
{
	long long gpu = (long long)(s->gpu_before - s->gpu_free);
	long long host = (long long)(s->host_used - s->host_before);

	if (f->nout && gpu)
		return 0;
	return gs_min(limit_level(s->gpu_free, gpu),
		      limit_level(s->host_pages - s->host_used, host));
}

static u64 limit_queues(const struct g10_sim *s, const struct flows *f)
{
	u64 most = ~0ULL;

	for (u32 i = 0; i < f->nin; i++) {
		const struct g10_fifo *q = &s->queues[f->in[i].id];
		const struct g10_part *p = &q->v[q->head];

		if (!q->n || p->tensor != f->in[i].tensor)
			return 0;
		most = gs_min(most, p->pages / f->in[i].pages);
	}
	return most;
}

/*
 * Victims that the running kernel needs fault again.  That they do so in a row
 * takes one run of them for each queue.
 */
static bool faults_in_rows(const struct g10_sim *s, const struct flows *f)
{
	u32 rows = 0;

	for (u32 i = 0; i < f->nout; i++)
		rows += s->runs.sets[s->runs.v[f->out[i].id].tensor].needed;
	for (u32 i = 0; i < f->nin; i++)
		if (f->in[i].id >= G10_OUT_SSD && s->runs.sets[f->in[i].tensor].needed)
			return false;
	return rows <= 1;
}

/* ---- do it ---------------------------------------------------------------------------- */

static void flow_in(struct g10_sim *s, const struct flow *x, u64 ticks, u32 stride)
{
	u32 pages = (u32)(ticks * x->pages);

	if (x->id >= G10_OUT_SSD) {
		u32 run = g10_front(s, (u8)x->id);

		g10_pop(s, (u8)x->id, pages);
		g10_leave(s, run, pages, x->to);
		return;
	}
	g10_arrive(&s->runs, g10_front(s, (u8)x->id), pages, x->arrival + stride, x->pages, stride);
	g10_pop(s, (u8)x->id, pages);
	s->gpu_free -= pages;
	s->stats->ahead_pages += x->id == G10_AHEAD_SSD || x->id == G10_AHEAD_HOST ? pages : 0;
	if (x->id == G10_FAULT_SSD || x->id == G10_AHEAD_SSD)
		s->stats->ssd_in_pages += pages;
	else if (x->id == G10_FAULT_HOST || x->id == G10_AHEAD_HOST)
		s->stats->host_in_pages += pages;
	else
		s->stats->new_pages += pages;
	if (x->id == G10_FAULT_HOST || x->id == G10_AHEAD_HOST)
		s->host_used -= pages;
}

u64 g10_repeat(struct g10_sim *s, u64 most)
{
	struct flows f;
	u64 ticks;

	if (s->one_by_one || !s->queued || !same_ticks(s) || !find_flows(s, &f) ||
	    !faults_in_rows(s, &f))
		return 0;
	ticks = gs_min(gs_min(most, limit_queues(s, &f)), limit_levels(s, &f));
	for (u32 i = 0; i < f.nout && ticks; i++)
		ticks = gs_min(ticks, limit_victims(s, &f.out[i]));
	if (ticks)
		ticks = gs_min(ticks, limit_order(s, &f));
	if (!ticks)
		return 0;
	for (u32 i = 0; i < f.nout; i++)
		g10_leave(s, f.out[i].id, (u32)(ticks * f.out[i].pages), f.out[i].to);
	for (u32 i = 0; i < f.nin; i++)
		flow_in(s, &f.in[i], ticks, f.arrivals);
	s->runs.arrivals += ticks * f.arrivals;
	s->stats->ticks += ticks;
	s->stats->repeated += ticks;
	s->nacts[0] = s->nacts[1] = 0;
	return ticks;
}
