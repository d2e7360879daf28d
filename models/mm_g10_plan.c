/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_g10_plan.c - G10's planner: which tensor leaves when, and comes back when
 *
 * Pretend that every tensor is resident all the time; the estimate is that sum
 * for each kernel.  Then, until it fits:
 *   1. tensors are allocated right before their birth and freed at their death;
 *   2. the inactive interval that relieves the most bytes times time above the
 *      device's memory is used for a round trip, and so on.
 * A round trip goes to the SSD, or to the host where the SSD's time is given
 * away.  Last, reads move forward into memory that is left.
 * Times are us from the iteration's begin, were nothing ever late.
 */
#include <stdlib.h>

#include "models/mm_g10.h"

struct planner {
	struct g10_plan *plan;
	struct g10_net *net;
	const struct g10_params *par;
	const struct g10_machine *m;
	int n; /* kernels */
	long long target, line, host_line;
	long long *est, *host_est; /* bytes by kernel */
	struct g10_budget in, out;
	u32 *order; /* of intervals */
	u32 *trips; /* intervals whose read is still to be placed */
	size_t ntrips;
	bool gds;
	double ssd_gbps, pcie_gbps;
	/* what changed since the benefits were computed, as ranges of kernels */
	struct span {
		int from, to;
	} est_changed, in_changed, out_changed;
};

static void touch(struct span *s, int from, int to)
{
	s->from = from < s->from ? from : s->from;
	s->to = to > s->to ? to : s->to;
}

static bool meets(const struct span *s, int from, int to)
{
	return s->from <= to && from <= s->to;
}

static void hint(struct planner *p, u8 to, int at, u32 tensor)
{
	struct g10_plan *plan = p->plan;

	GS_PUSH_ROOM(plan->hints, plan->nhints, plan->cap);
	plan->hints[plan->nhints++] = (struct g10_hint){ (u32)at, tensor, to };
}

/* Benefits change only where the estimate crosses the device's memory. */
static void add_est(struct planner *p, int from, int to, long long bytes)
{
	for (int j = from; j < to; j++) {
		long long *est = &p->est[j % p->n];
		bool above = *est > p->line;

		*est += bytes;
		if (above != (*est > p->line))
			touch(&p->est_changed, j % p->n, j % p->n);
	}
}

/* Is the estimate at or below the target for kernels [from, to)? */
static bool fits(const struct planner *p, int from, int to)
{
	for (int j = from; j < to; j++)
		if (p->est[j % p->n] > p->target)
			return false;
	return true;
}

static bool host_fits(const struct planner *p, u64 bytes)
{
	for (int j = 0; j < p->n; j++)
		if (p->host_est[j] > p->host_line - (long long)bytes)
			return false;
	return true;
}

/* The kernel of [from, to) that runs at @us; -1: none. */
static int kernel_at(const struct planner *p, double us, int from, int to)
{
	for (int j = from; j < to; j++)
		if (p->net->us[j] <= us && p->net->us[j + 1] > us)
			return j;
	return -1;
}

/* ---- births and deaths ------------------------------------------------------------ */

static void place_life(struct planner *p, u32 id)
{
	const struct g10_tensor *t = &p->net->tensors[id];
	int death = t->death < 0 ? t->birth + 1 : t->death;
	double us = p->net->us[t->birth] - (double)t->bytes * p->par->alloc_us_per_byte;
	int at = us < 0 ? 0 : kernel_at(p, us, 0, t->birth);

	if (at < 0)
		at = 0;
	if (!p->gds)
		hint(p, G10_GPU, at, id);
	add_est(p, 0, us < 0 ? 0 : at, -(long long)t->bytes);
	if (!p->gds)
		hint(p, G10_NOWHERE, death, id);
	add_est(p, death, p->n, -(long long)t->bytes);
}

/* The artifact leaves the first tensor out, and stops as soon as all fits. */
static void place_lives(struct planner *p)
{
	for (u32 t = p->par->first_twice ? 1 : 0; t < p->net->ntensors; t++) {
		if (p->par->hints_until_fit && fits(p, 0, p->n))
			return;
		if (!p->net->tensors[t].global && p->net->tensors[t].birth >= 0)
			place_life(p, t);
	}
}

/* ---- what an interval is worth -------------------------------------------------------- */

static double relief(const struct planner *p, const struct g10_interval *v)
{
	double bytes = (double)p->net->tensors[v->tensor].bytes, sum = 0;
	int n = p->n;

	if (!v->looped) {
		for (int j = v->half_out; j < v->half_in; j++)
			if (p->est[j] > p->line)
				sum += bytes * (p->net->us[j + 1] - p->net->us[j]);
		return sum;
	}
	/* the artifact counts modulo n + 1 here: one kernel too far, and the time
	 * of the whole iteration less where it passes the end */
	for (int j = v->a; j < v->b + n; j++)
		if (p->est[j % n] > p->line)
			sum += bytes * (p->net->us[(j + 1) % (n + 1)] - p->net->us[j % (n + 1)]);
	return sum;
}

/* Benefits are those of the round before where nothing in reach has changed. */
static void weigh(struct planner *p, struct g10_interval *v)
{
	u64 half = p->net->tensors[v->tensor].bytes / 2;
	bool fresh = v->half_out < 0;

	if (v->handled)
		return;
	if (v->looped) {
		if (fresh || p->est_changed.from <= p->est_changed.to)
			v->benefit = relief(p, v);
		v->half_out = v->a;
		return;
	}
	if (fresh || meets(&p->out_changed, v->a, v->half_out)) {
		int half_out = g10_walk_out(p->out.ssd, (u32)p->n, half, v->a);

		fresh |= half_out != v->half_out;
		v->half_out = half_out;
	}
	if (fresh || meets(&p->in_changed, v->half_in, v->b)) {
		int half_in = g10_walk_in(p->in.ssd, half, v->b);

		fresh |= half_in != v->half_in;
		v->half_in = half_in;
	}
	if (fresh || meets(&p->est_changed, v->half_out, v->half_in))
		v->benefit = relief(p, v);
}

static double area(const struct planner *p, const struct g10_interval *v)
{
	return v->us * (double)p->net->tensors[v->tensor].bytes;
}

static bool worth_more(const void *arg, u32 x, u32 y)
{
	const struct planner *p = arg;
	const struct g10_interval *a = &p->net->intervals[x], *b = &p->net->intervals[y];
	double va = a->handled ? 0 : a->benefit, vb = b->handled ? 0 : b->benefit;

	if (va - vb < 0.000001 && va - vb > -0.000001 && va != 0 && vb != 0)
		return area(p, a) > area(p, b);
	return va > vb;
}

static bool larger_area(const void *arg, u32 x, u32 y)
{
	const struct planner *p = arg;

	return area(p, &p->net->intervals[x]) > area(p, &p->net->intervals[y]);
}

static void sort_intervals(struct planner *p)
{
	for (u32 i = 0; i < p->net->nintervals; i++)
		weigh(p, &p->net->intervals[i]);
	p->est_changed = p->in_changed = p->out_changed = (struct span){ p->n + 1, -1 };
	g10_sort(p->order, p->net->nintervals, worth_more, p);
}

/* ---- round trips ---------------------------------------------------------------------- */

/* One way. */
static double way_us(const struct planner *p, u8 to, u64 bytes)
{
	double latency = (double)p->par->system_latency / (double)GS_US, gbps = p->pcie_gbps;

	if (to == G10_SSD) {
		latency = (double)p->par->ssd_latency / (double)GS_US + latency;
		gbps = p->ssd_gbps;
	}
	return latency + (double)bytes / (gbps * 1024 * 1024 * 1024 / 1000000);
}

static void host_holds(struct planner *p, const struct g10_interval *v)
{
	int end = v->b < v->a ? v->b + p->n : v->b;

	for (int j = v->a; j < end; j++)
		p->host_est[j % p->n] += (long long)p->net->tensors[v->tensor].bytes;
}

static void book(struct planner *p, const struct g10_interval *v, u8 to)
{
	u64 bytes = p->net->tensors[v->tensor].bytes;

	if (to == G10_SSD) {
		g10_book_ssd(&p->in, bytes, v->prefetch);
		g10_book_ssd(&p->out, bytes, v->a);
	} else {
		g10_book_pcie(&p->in, bytes, v->prefetch);
		g10_book_pcie(&p->out, bytes, v->a);
	}
	/* books reach at most as far as the walks that found these kernels */
	touch(&p->in_changed, v->prefetch, p->n);
	touch(&p->out_changed, v->a, p->n);
}

/* Out at a, read so that it is back before b, if that leaves any time between. */
static bool round_trip(struct planner *p, u32 id, u8 to)
{
	struct g10_interval *v = &p->net->intervals[id];
	u64 bytes = p->net->tensors[v->tensor].bytes;
	bool ssd = to == G10_SSD;

	v->prefetch = g10_walk_in(ssd ? p->in.ssd : p->in.pcie, bytes, v->b);
	v->evicted = g10_walk_out(ssd ? p->out.ssd : p->out.pcie, (u32)p->n, bytes, v->a);
	if (v->prefetch <= v->evicted)
		return false;
	hint(p, to, v->a, v->tensor);
	v->moved = true;
	p->trips[p->ntrips++] = id;
	book(p, v, to);
	return true;
}

/* No kernel while the data leave has any of the SSD's time left. */
static bool ssd_taken(const struct planner *p, const struct g10_interval *v, double us)
{
	int clear = kernel_at(p, p->net->us[v->a] + us, v->a, v->b);

	if (clear == v->a && !p->par->short_to_host)
		return p->out.ssd[v->a].full;
	for (int j = v->a; j < clear; j++)
		if (!p->out.ssd[j].full)
			return false;
	return true;
}

/* The tensor is used again in the next iteration: no time is booked for it. */
static void loop_trip(struct planner *p, struct g10_interval *v, double us, u8 to)
{
	double start = p->net->us[v->b + p->n] - (us + p->par->delta * us);
	int evicted = kernel_at(p, p->net->us[v->a] + us, v->a, v->b + p->n);
	int prefetch = kernel_at(p, start, v->a, v->b + p->n);

	if (prefetch != v->a) {
		hint(p, to, v->a, v->tensor);
		hint(p, G10_GPU, prefetch % p->n, v->tensor);
		v->moved = true;
	}
	add_est(p, evicted + 1, prefetch, -(long long)p->net->tensors[v->tensor].bytes);
}

/* Long enough for the SSD. */
static void long_trip(struct planner *p, u32 id, double us)
{
	struct g10_interval *v = &p->net->intervals[id];
	u64 bytes = p->net->tensors[v->tensor].bytes;
	u8 to = G10_SSD;

	v->handled = true;
	if (v->looped) {
		loop_trip(p, v, us, G10_SSD);
		return;
	}
	if (ssd_taken(p, v, us) && host_fits(p, bytes))
		to = G10_DRAM;
	if (!round_trip(p, id, to))
		return;
	if (to == G10_DRAM)
		host_holds(p, v);
	add_est(p, v->evicted + 1, v->prefetch, -(long long)bytes);
}

/* Only long enough for the host. */
static void short_trip(struct planner *p, u32 id, double us)
{
	struct g10_interval *v = &p->net->intervals[id];
	u64 bytes = p->net->tensors[v->tensor].bytes;

	v->handled = true;
	if (!host_fits(p, bytes))
		return;
	if (v->looped) {
		loop_trip(p, v, us, G10_DRAM);
	} else {
		round_trip(p, id, G10_DRAM);
		add_est(p, v->evicted + 1, v->prefetch, -(long long)bytes);
	}
	host_holds(p, v);
}

static void plan_interval(struct planner *p, u32 id)
{
	struct g10_interval *v = &p->net->intervals[id];
	u64 bytes = p->net->tensors[v->tensor].bytes;
	int end = v->looped ? v->b + p->n : v->b;
	double ssd = way_us(p, G10_SSD, bytes), host = way_us(p, G10_DRAM, bytes);

	if (fits(p, v->a, end) || end - v->a == 1)
		v->handled = true;
	else if (v->us > 2 * ssd + p->par->delta * ssd)
		long_trip(p, id, ssd);
	else if (v->us > 2 * host + p->par->delta * host)
		short_trip(p, id, host);
	else
		v->handled = !p->par->stop_at_short;
}

/*
 * The first in order is too short for any trip.  The artifact marks nothing, so
 * that it comes first in all rounds that are left, unless sorting turns equals.
 */
static bool stuck(const struct planner *p)
{
	const u32 *o = p->order;
	const struct g10_interval *v = p->net->intervals;

	return !v[o[0]].handled && v[o[0]].benefit > 0 &&
	       (p->net->nintervals == 1 || worth_more(p, o[0], o[1]));
}

static void plan_trips(struct planner *p)
{
	for (u32 i = 0; i < p->net->nintervals && !fits(p, 0, p->n); i++) {
		sort_intervals(p);
		if (p->net->intervals[p->order[0]].handled)
			return;
		plan_interval(p, p->order[0]);
		if (stuck(p))
			return;
	}
}

static bool read_earlier(const void *arg, u32 x, u32 y)
{
	const struct planner *p = arg;

	return p->net->intervals[x].prefetch < p->net->intervals[y].prefetch;
}

/* Read as early as memory allows; the artifact forgets the tensor itself there. */
static void place_reads(struct planner *p)
{
	g10_sort(p->trips, p->ntrips, read_earlier, p);
	for (size_t i = 0; i < p->ntrips; i++) {
		const struct g10_interval *v = &p->net->intervals[p->trips[i]];
		long long bytes = (long long)p->net->tensors[v->tensor].bytes;
		long long own = p->par->move_uncounted ? 0 : bytes;
		int at = v->prefetch;

		while (at > v->evicted + 1 && p->target > p->est[at - 1] + own)
			at--;
		hint(p, G10_GPU, at, v->tensor);
		add_est(p, at, v->prefetch, bytes);
	}
}

/* GPUDirect variants cannot fault: take more out around the peak, for good. */
static void cut_peak(struct planner *p, int peak)
{
	long long high = p->est[peak];

	g10_sort(p->order, p->net->nintervals, larger_area, p);
	for (u32 i = 0; i < p->net->nintervals; i++) {
		struct g10_interval *v = &p->net->intervals[p->order[i]];

		if ((double)high < (double)p->target * 0.9)
			return;
		if (v->moved || v->looped || v->a > peak || v->b <= peak)
			continue;
		hint(p, G10_SSD, v->a, v->tensor);
		v->moved = true;
		high -= (long long)p->net->tensors[v->tensor].bytes;
	}
}

/* ---- all of it -------------------------------------------------------------------------- */

static bool hint_earlier(const void *arg, u32 x, u32 y)
{
	const struct g10_hint *h = arg;

	return h[x].at < h[y].at;
}

static void sort_hints(struct g10_plan *plan)
{
	u32 *order = gs_calloc(gs_max(plan->nhints, 1), sizeof(*order));
	struct g10_hint *sorted = gs_calloc(gs_max(plan->nhints, 1), sizeof(*sorted));

	for (u32 i = 0; i < plan->nhints; i++)
		order[i] = i;
	g10_sort(order, plan->nhints, hint_earlier, plan->hints);
	for (u32 i = 0; i < plan->nhints; i++)
		sorted[i] = plan->hints[order[i]];
	free(plan->hints);
	free(order);
	plan->hints = sorted;
}

static int peak_of(const struct planner *p)
{
	int peak = 0;

	for (int j = 1; j < p->n; j++)
		if (p->est[j] > p->est[peak])
			peak = j;
	return peak;
}

static void planner_init(struct planner *p)
{
	const struct g10_net *n = p->net;
	long long first = p->par->first_twice && n->ntensors ? (long long)n->tensors[0].bytes : 0;

	p->n = (int)n->nkernels;
	p->gds = p->par->policy == G10_GDS || p->par->policy == G10_HOST;
	p->ssd_gbps = (double)p->m->ssd_bps / 1e9;
	p->pcie_gbps = (double)p->m->pcie_bps / 1e9;
	p->line = (long long)p->m->gpu_bytes;
	p->host_line = (long long)p->m->host_bytes;
	p->target = (long long)((double)p->line * p->par->fill);
	p->target = (long long)(p->par->loosen * (double)p->target);
	p->est = gs_calloc(n->nkernels, sizeof(*p->est));
	p->host_est = gs_calloc(n->nkernels, sizeof(*p->host_est));
	p->order = gs_calloc(gs_max(n->nintervals, 1), sizeof(*p->order));
	p->trips = gs_calloc(gs_max(n->nintervals, 1), sizeof(*p->trips));
	g10_budget_init(&p->in, n, p->ssd_gbps, p->pcie_gbps);
	g10_budget_init(&p->out, n, p->ssd_gbps, p->pcie_gbps);
	for (int j = 0; j < p->n; j++)
		p->est[j] = (long long)n->total_bytes + first;
	for (u32 i = 0; i < n->nintervals; i++)
		p->order[i] = i;
}

/* DeepUM: at each kernel, all operands of the one so many ahead. */
static void plan_ahead(struct planner *p)
{
	for (u32 i = 0; i < p->net->nkernels; i++) {
		const struct g10_kernel *k =
			&p->net->kernels[(i + p->par->degree) % p->net->nkernels];

		for (u32 u = 0; u < k->nin + k->nout; u++)
			hint(p, G10_GPU, (int)i, p->net->hashed[k->first + u]);
	}
}

static void plan_all(struct planner *p)
{
	int peak;

	planner_init(p);
	place_lives(p);
	peak = peak_of(p);
	plan_trips(p);
	place_reads(p);
	if (p->gds)
		cut_peak(p, peak);
	sort_hints(p->plan);
	g10_budget_fini(&p->in);
	g10_budget_fini(&p->out);
	free(p->est);
	free(p->host_est);
	free(p->order);
	free(p->trips);
}

void g10_plan_init(struct g10_plan *plan, struct g10_net *n, const struct g10_params *par,
		   const struct g10_machine *m)
{
	struct planner p = { .plan = plan, .net = n, .par = par, .m = m };

	*plan = (struct g10_plan){ .hints = NULL };
	plan->leaves = gs_calloc(gs_max(n->ntensors, 1), sizeof(*plan->leaves));
	if (!n->nkernels || par->policy == G10_BASE_UVM || par->policy == G10_FLASHNEURON)
		return;
	if (par->policy == G10_DEEPUM)
		plan_ahead(&p);
	else
		plan_all(&p);
	for (size_t i = 0; i < plan->nhints; i++)
		if (plan->hints[i].to == G10_SSD || plan->hints[i].to == G10_DRAM)
			plan->leaves[plan->hints[i].tensor] = true;
}

void g10_plan_fini(struct g10_plan *p)
{
	free(p->hints);
	free(p->leaves);
}
