/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_g10_pages.c - the page simulator: base UVM, DeepUM, G10
 *
 * Ticks of the link at multiples of a fixed time move pages from queues; a move
 * takes no time of its own.  A kernel that finds all its pages runs for its
 * duration.  Otherwise it queues what it misses, and ends when its duration and
 * its faults' cost are over and a tick has left nothing of it in any queue:
 *
 *	kernel  |== duration ==|== faults ==|
 *	ticks   |   |   |   |   |   |   |   |   |      end = the later of both
 *	                                  ^ last page here
 *
 * Nothing outside changes what happens in between, so that a kernel's end is
 * computed when it begins.
 */
#include <math.h>
#include <stdlib.h>

#include "models/mm_g10.h"

#define NEVER (~0ULL)

/* ---- queues -------------------------------------------------------------------- */

static void grow(struct g10_fifo *q)
{
	u32 cap = q->cap ? 2 * q->cap : 16;
	struct g10_part *v = gs_calloc(cap, sizeof(*v));

	for (u32 i = 0; i < q->n; i++)
		v[i] = q->v[(q->head + i) & (q->cap - 1)];
	free(q->v);
	*q = (struct g10_fifo){ .v = v, .cap = cap, .n = q->n };
}

void g10_push(struct g10_sim *s, u8 queue, u32 run, u32 first, u32 pages)
{
	u32 tensor = g10_run(&s->runs, run)->tensor;
	struct g10_fifo *q = &s->queues[queue];
	struct g10_part *last = q->n ? &q->v[(q->head + q->n - 1) & (q->cap - 1)] : NULL;

	s->queued += pages;
	if (last && last->tensor == tensor && last->first + last->pages == first) {
		last->pages += pages;
		return;
	}
	if (q->n == q->cap)
		grow(q);
	q->v[(q->head + q->n++) & (q->cap - 1)] = (struct g10_part){ tensor, first, pages, run };
}

bool g10_needed_queued(const struct g10_sim *s)
{
	const struct g10_kernel *k = &s->net->kernels[s->kernel];

	for (u32 u = 0; u < k->nin + k->nout; u++)
		if (s->runs.sets[s->net->uses[k->first + u]].queued)
			return true;
	return false;
}

/* ---- ticks ---------------------------------------------------------------------- */

/* A tick without work ends the time in which the link was in use. */
static void idle(struct g10_sim *s)
{
	if (s->moving)
		s->moved_cycles += s->next_tick * s->tick_cycles - s->moving_since;
	s->moving = false;
}

static void tick(struct g10_sim *s)
{
	if (!s->queued) {
		idle(s);
	} else {
		if (!s->moving)
			s->moving_since = s->next_tick * s->tick_cycles;
		s->moving = true;
		g10_tick(s);
	}
	s->next_tick++;
}

/* Cycles before @t in which the link was in use. */
static u64 moved_until(const struct g10_sim *s, u64 t)
{
	return s->moved_cycles + (s->moving && t > s->moving_since ? t - s->moving_since : 0);
}

/* Ticks before @t or, with @at, until @t. */
static void run_ticks(struct g10_sim *s, u64 t, bool at)
{
	/* the first tick that is not to be done */
	u64 end = t / s->tick_cycles + (at || t % s->tick_cycles);

	while (s->next_tick < end) {
		tick(s);
		if (!s->queued && !s->moving)
			s->next_tick = gs_max(s->next_tick, end);
		else if (s->queued)
			s->next_tick += g10_repeat(s, end - gs_min(end, s->next_tick));
	}
}

void g10_sim_until(struct g10_sim *s, u64 t)
{
	run_ticks(s, t, !s->queued_first);
}

/* ---- hints -------------------------------------------------------------------------- */

/* Where a page that is at @loc has to queue to get to @to; 0: nowhere. */
static u8 way(u8 loc, u8 to)
{
	static const u8 come[] = { [G10_NOWHERE] = G10_AHEAD_NEW,
				   [G10_SSD] = G10_AHEAD_SSD,
				   [G10_DRAM] = G10_AHEAD_HOST,
				   [G10_GPU] = G10_Q_NONE };

	if (to == G10_GPU)
		return come[loc];
	if (loc != G10_GPU || to == G10_NOWHERE)
		return G10_Q_NONE;
	return to == G10_SSD ? G10_OUT_SSD : G10_OUT_HOST;
}

/* Contents go at once, without a transfer. */
static void drop(struct g10_sim *s, u32 tensor)
{
	for (u32 id = s->runs.sets[tensor].head; id; id = g10_run(&s->runs, id)->next) {
		const struct g10_run *r = g10_run(&s->runs, id);

		if (r->queue || r->loc == G10_NOWHERE)
			continue;
		s->gpu_free += r->loc == G10_GPU ? r->pages : 0;
		s->host_used -= r->loc == G10_DRAM ? r->pages : 0;
		id = g10_become(&s->runs, id, r->pages, G10_NOWHERE, G10_Q_NONE);
	}
}

static void follow(struct g10_sim *s, const struct g10_hint *h)
{
	if (h->to == G10_NOWHERE) {
		drop(s, h->tensor);
		return;
	}
	for (u32 id = s->runs.sets[h->tensor].head; id; id = g10_run(&s->runs, id)->next) {
		const struct g10_run *r = g10_run(&s->runs, id);
		u8 queue = r->queue ? G10_Q_NONE : way(r->loc, h->to);

		if (!queue)
			continue;
		g10_push(s, queue, id, r->first, r->pages);
		id = g10_become(&s->runs, id, r->pages, r->loc, queue);
	}
}

static void follow_hints(struct g10_sim *s, u32 k)
{
	const struct g10_plan *p = s->plan;

	while (p->nhints && p->hints[s->next_hint].at % s->net->nkernels == k) {
		follow(s, &p->hints[s->next_hint]);
		s->next_hint = (s->next_hint + 1) % (u32)p->nhints;
	}
}

/* ---- kernels -------------------------------------------------------------------------- */

/* DeepUM does not evict for a prefetch what this kernel and the next ones need. */
static void set_window(struct g10_sim *s, u32 k)
{
	u32 n = s->net->nkernels, degree = (u32)gs_min(s->par->degree, n);
	const struct g10_kernel *gone = &s->net->kernels[(k + n - 1) % n];

	if (s->par->policy != G10_DEEPUM)
		return;
	for (u32 u = 0; u < gone->nin + gone->nout; u++)
		g10_set_window(&s->runs, s->net->uses[gone->first + u], false);
	for (u32 i = 0; i < degree; i++) {
		const struct g10_kernel *x = &s->net->kernels[(k + i) % n];

		for (u32 u = 0; u < x->nin + x->nout; u++)
			g10_set_window(&s->runs, s->net->uses[x->first + u], true);
	}
	s->exhausted = !s->runs.heaps[0].n;
}

static void set_needed(struct g10_sim *s, u32 k, bool needed)
{
	const struct g10_kernel *x = &s->net->kernels[k];

	for (u32 u = 0; u < x->nin + x->nout; u++)
		s->runs.sets[s->net->uses[x->first + u]].needed = needed;
}

static bool all_here(const struct g10_sim *s, u32 k)
{
	const struct g10_kernel *x = &s->net->kernels[k];

	for (u32 u = 0; u < x->nin + x->nout; u++) {
		const struct g10_page_set *set = &s->runs.sets[s->net->uses[x->first + u]];

		if (set->here != set->pages)
			return false;
	}
	return true;
}

/* Queue what is missing of @tensor. */
static void fault(struct g10_sim *s, u32 tensor, struct g10_missing *miss, int side)
{
	static const u8 queues[] = { [G10_NOWHERE] = G10_FAULT_NEW,
				     [G10_SSD] = G10_FAULT_SSD,
				     [G10_DRAM] = G10_FAULT_HOST };

	miss->pages[side] += s->runs.sets[tensor].pages;
	for (u32 id = s->runs.sets[tensor].head; id; id = g10_run(&s->runs, id)->next) {
		const struct g10_run *r = g10_run(&s->runs, id);

		if (r->queue || r->loc == G10_GPU)
			continue;
		miss->fresh[side] += r->loc == G10_NOWHERE ? r->pages : 0;
		miss->ssd[side] += r->loc == G10_SSD ? r->pages : 0;
		miss->host[side] += r->loc == G10_DRAM ? r->pages : 0;
		g10_push(s, queues[r->loc], id, r->first, r->pages);
		id = g10_become(&s->runs, id, r->pages, r->loc, queues[r->loc]);
	}
}

/* Tick until nothing is missing any more; the last tick's time, or NEVER. */
static u64 wait(struct g10_sim *s)
{
	s->waits = true;
	for (;;) {
		u64 before = s->queued, moved = s->runs.arrivals;

		tick(s);
		if (!g10_faults_pending(s) && !g10_needed_queued(s))
			break;
		if (s->queued == before && s->runs.arrivals == moved && !s->tick.out)
			return NEVER;
		s->next_tick += g10_repeat(s, NEVER);
		if (!g10_faults_pending(s) && !g10_needed_queued(s))
			break;
	}
	s->waits = false;
	return (s->next_tick - 1) * s->tick_cycles;
}

/* Of its time, what of the link's use was under the kernel, and what was alone. */
static void breakdown(struct g10_sim *s, u64 end, u64 cycles)
{
	u64 moved = moved_until(s, end), in_use = moved - s->moved_at_end;
	u64 total = end - s->last_end, stall = total - cycles;

	s->moved_at_end = moved;
	s->stats->exec_cycles += cycles;
	s->stats->total_cycles += total;
	s->stats->compute_cycles += total - in_use;
	if (in_use + cycles >= total)
		s->stats->overlap_cycles += in_use + cycles - total;
	else
		stall += total - in_use - cycles;
	s->stats->stall_cycles += stall;
}

/* Its faults are queued; when does it end? */
static u64 serve_faults(struct g10_sim *s, u32 k, u64 t, u64 cycles)
{
	const struct g10_kernel *x = &s->net->kernels[k];
	struct g10_missing miss = { .pages = { 0 } };
	u64 cost, last;

	for (u32 u = 0; u < x->nin + x->nout; u++)
		fault(s, s->net->uses[x->first + u], &miss, u >= x->nin);
	cost = g10_fault_cycles(s, x, cycles, &miss);
	last = wait(s);
	if (last == NEVER)
		return NEVER;
	set_window(s, k);
	t = s->par->overlap ? gs_max(t + cycles + cost, last) : gs_max(t + cost, last) + cycles;
	/* the tick that found it served had made the next tick already */
	s->queued_first = t > last + s->tick_cycles;
	return t;
}

u64 g10_sim_kernel(struct g10_sim *s, u32 k, u64 t, u64 cycles)
{
	const struct g10_kernel *x = &s->net->kernels[k];
	u64 on_tick = t % s->tick_cycles == 0, end;

	g10_sim_until(s, t);
	s->last_end = s->end_known ? s->last_end : t;
	set_needed(s, s->kernel, false);
	s->kernel = k;
	set_needed(s, k, true);
	set_window(s, k);
	follow_hints(s, k);
	if (s->par->true_lru)
		for (u32 u = 0; u < x->nin + x->nout; u++)
			g10_renew(&s->runs, s->net->uses[x->first + u]);
	if (!g10_faults_pending(s) && all_here(s, k)) {
		end = t + cycles;
		/* who was scheduled first comes first where both are due together */
		s->queued_first = end >= t + s->tick_cycles &&
				  (end > t + s->tick_cycles ||
				   (on_tick && s->next_tick * s->tick_cycles <= t));
	} else {
		end = serve_faults(s, k, t, cycles);
	}
	if (end == NEVER)
		return NEVER;
	g10_sim_until(s, end);
	breakdown(s, end, cycles);
	s->last_end = end;
	s->end_known = true;
	return end;
}

/* ---- begin and end ---------------------------------------------------------------------- */

void g10_sim_init(struct g10_sim *s, const struct g10_params *par, const struct g10_net *net,
		  const struct g10_plan *plan, const struct g10_machine *m)
{
	double hz = (double)par->clock_hz, gbps = (double)m->pcie_bps / 1e9;
	double pcie = gbps * 1e9 / hz, ssd = (double)m->ssd_bps / 1e9 * 1e9 / hz;
	double page_cycles = round(par->alloc_us_per_byte * G10_PAGE / 1e6 * hz);

	*s = (struct g10_sim){ .par = par, .net = net, .plan = plan, .queued_first = true };
	/* a link so fast that the SSD would move no whole page in a tick has longer ones */
	s->host_batch = (u32)gs_max(par->batch_pages, (u64)ceil(pcie / ssd));
	s->tick_cycles = (u64)(s->host_batch * G10_PAGE / pcie);
	s->ssd_batch = (u32)(s->host_batch / gbps * ((double)m->ssd_bps / 1e9));
	s->ssd_batch = (u32)gs_min(s->ssd_batch, s->host_batch);
	s->new_batch = page_cycles >= 1 ? (u32)((double)s->tick_cycles / page_cycles) : ~0U;
	s->gpu_pages = s->gpu_free = m->gpu_bytes / G10_PAGE;
	s->host_pages = m->host_bytes / G10_PAGE;
	s->pcie_bpms = pcie * hz / 1000;
	s->ssd_bpms = ssd * hz / 1000;
	g10_runs_init(&s->runs, net);
}

void g10_sim_fini(struct g10_sim *s)
{
	g10_runs_fini(&s->runs);
	for (int q = 0; q < G10_NR_QUEUES; q++)
		free(s->queues[q].v);
}
