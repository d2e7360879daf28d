/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_g10.c - the systems of the G10 paper as managers of whole kernels
 *
 * One manager with six policies, since they share planner, simulators and
 * parameters and differ by a row or two.  The job has to be one iteration: lives
 * and intervals wrap around at its end.  Kernels run one after the other.
 */
#include <errno.h>
#include <stdlib.h>
#include <gsl/gsl_rng.h>

#include "models/mm_g10.h"

struct mm_g10 {
	struct mm mm;
	const struct g10_params *par;
	struct g10_stats stats;
	struct g10_machine machine;
	struct g10_net net;
	struct g10_plan plan;
	struct g10_sim sim;    /* by pages */
	struct g10_tsim *tsim; /* by tensors */
	u64 *cycles;	       /* of kernels, as varied */
	u64 last;	       /* cycle at which the last kernel ended */
	u64 began;	       /* by tensors: ... at which the iteration began */
	bool planned;
};

static struct mm_g10 *of(struct mm *m)
{
	return gs_container_of(m, struct mm_g10, mm);
}

static bool by_tensors(const struct mm_g10 *g)
{
	return g->par->policy >= G10_FLASHNEURON;
}

static int g10_init(struct mm *m)
{
	of(m)->par = m->params;
	if (m->job->niterations <= 1 && m->job->ndevices <= 1 && !m->job->npages)
		return 0;
	gs_err("g10sim: plans one iteration of kernels on one device; this job has %u iterations, "
	       "%u devices and %llu page accesses",
	       m->job->niterations, m->job->ndevices, m->job->npages);
	return -EOPNOTSUPP;
}

static void g10_fini(struct mm *m)
{
	struct mm_g10 *g = of(m);

	if (!g->planned)
		return;
	g10_sim_fini(&g->sim);
	g10_tsim_free(g->tsim);
	g10_plan_fini(&g->plan);
	g10_net_fini(&g->net);
	free(g->cycles);
}

/* ---- kernel times that no plan knows ------------------------------------------ */

/* As the artifact's language draws a double in [0, 1) from 32-bit numbers. */
static double draw(gsl_rng *rng)
{
	double low = (double)gsl_rng_get(rng);
	double sum = low + (double)gsl_rng_get(rng) * 4294967296.0;

	return sum / 4294967296.0 / 4294967296.0;
}

static void vary(struct mm_g10 *g)
{
	double v = g->par->variation;
	gsl_rng *rng = gsl_rng_alloc(gsl_rng_mt19937);

	gsl_rng_set(rng, g->par->variation_seed);
	for (u32 k = 0; k < g->net.nkernels; k++) {
		double ratio = draw(rng) * ((1 + v) - (1 - v)) + (1 - v);

		ratio = ratio < 0.1 ? 0.1 : ratio > 1.9 ? 1.9 : ratio;
		g->cycles[k] = (u64)((double)g->net.kernels[k].cycles * ratio);
	}
	gsl_rng_free(rng);
}

/* ---- the plan --------------------------------------------------------------------- */

static int check_kernels(const struct mm_g10 *g)
{
	for (u32 i = 0; i < g->net.nkernels; i++) {
		const struct g10_kernel *k = &g->net.kernels[i];
		u64 bytes = 0;

		for (u32 u = 0; u < k->nin + k->nout; u++)
			bytes += g->net.tensors[g->net.uses[k->first + u]].bytes;
		if (bytes <= g->machine.gpu_bytes)
			continue;
		gs_err("g10sim: does not fit: kernel %u alone needs %llu bytes, the device has "
		       "%llu",
		       i, bytes, g->machine.gpu_bytes);
		return -ENOSPC;
	}
	return 0;
}

static int start_tensors(struct mm_g10 *g)
{
	g10_tsim_free(g->tsim);
	g->tsim = g10_tsim_new(g->par, &g->net, &g->plan, &g->machine, &g->stats);
	return g->tsim ? 0 : -ENOSPC;
}

static int g10_take_plan(struct mm *m, const struct mm_plan *plan)
{
	struct mm_g10 *g = of(m);
	int err;

	g->planned = true;
	g->machine = (struct g10_machine){
		.gpu_bytes = hw_hbm_usable(m->machine, G10_PAGE),
		.host_bytes = m->machine->host.dram_capacity,
		.pcie_bps = m->machine->link.h2d_bps,
		.ssd_bps = g->par->ssd_bps,
	};
	g10_net_init(&g->net, plan, g->par);
	g->cycles = gs_calloc(gs_max(g->net.nkernels, 1), sizeof(*g->cycles));
	for (u32 k = 0; k < g->net.nkernels; k++)
		g->cycles[k] = g->net.kernels[k].cycles;
	err = check_kernels(g);
	g10_plan_init(&g->plan, &g->net, g->par, &g->machine);
	if (g->par->variation > 0)
		vary(g);
	g10_sim_init(&g->sim, g->par, &g->net, &g->plan, &g->machine);
	g->sim.stats = &g->stats;
	return !err && by_tensors(g) ? start_tensors(g) : err;
}

/* ---- kernels ------------------------------------------------------------------------ */

static gs_time ps_of(const struct mm_g10 *g, u64 cycle)
{
	return gs_muldiv(cycle, GS_S, g->par->clock_hz);
}

/* What all managers count, from what this one does. */
static void count(struct mm_g10 *g)
{
	const struct g10_stats *s = &g->stats;
	struct mm_stats *m = &g->mm.stats;
	u64 in = s->ssd_in_pages + s->host_in_pages, out = s->ssd_out_pages + s->host_out_pages;
	u64 ahead = gs_min(s->ahead_pages, in);

	m->h2d_prefetch_bytes = ahead * G10_PAGE;
	m->h2d_demand_bytes = (in - ahead) * G10_PAGE;
	m->d2h_evict_bytes = out * G10_PAGE;
	m->zeroed_bytes = s->new_pages * G10_PAGE;
	m->prefetched_bytes = s->ahead_pages * G10_PAGE;
	m->discarded_bytes = s->dropped_pages * G10_PAGE;
	m->evictions = out + s->dropped_pages;
	m->misses = m->faults = in - ahead + s->new_pages;
	m->hbm_bytes = (g->sim.gpu_pages - g->sim.gpu_free) * G10_PAGE;
}

static u64 end_by_tensors(struct mm_g10 *g, u32 k, u64 t)
{
	double hz = (double)g->par->clock_hz, ms;

	if (!k) {
		g->began = t;
		if (g->stats.total_cycles && start_tensors(g))
			return ~0ULL;
	}
	ms = g10_tsim_kernel(g->tsim, k, (double)g->cycles[k] / hz * 1000);
	return ms < 0 ? ~0ULL : g->began + (u64)(ms / 1000 * hz);
}

static gs_time g10_run_kernel(struct mm *m, u64 nth, gs_time start, gs_time duration)
{
	struct mm_g10 *g = of(m);
	u32 k = (u32)nth;
	u64 t = g->last, end;

	gs_assert(nth < g->net.nkernels);
	if (ps_of(g, t) < start)
		t = gs_muldiv_up(start, g->par->clock_hz, GS_S);
	end = by_tensors(g) ? end_by_tensors(g, k, t) : g10_sim_kernel(&g->sim, k, t, g->cycles[k]);
	if (end == ~0ULL) {
		mm_fail(m, -ENOSPC, "g10sim: kernel %u never gets all its data", k);
		return GS_NEVER;
	}
	g->last = gs_max(end, t);
	count(g);
	return ps_of(g, g->last);
}

static void g10_touch(struct mm *m, struct mm_touch *t)
{
	t->kind = MM_HIT; /* kernels are run whole: nobody asks */
	t->covered = t->bytes;
}

static u64 g10_unit(const struct mm *m)
{
	return G10_PAGE;
}

static int g10_check(struct mm *m)
{
	g10_runs_check(&of(m)->sim.runs);
	return 0;
}

const struct mm_ops mm_g10 = {
	.name = "g10sim",
	.help = "base UVM, DeepUM, FlashNeuron and G10 as the G10 paper models them",
	.prefix = "manager.g10",
	.params = g10_rows,
	.params_size = sizeof(struct g10_params),
	.state_size = sizeof(struct mm_g10),
	.stats = g10_stat_rows,
	.stats_offset = offsetof(struct mm_g10, stats),
	.stats_by_iteration = true,
	.one_iteration = true,
	.init = g10_init,
	.fini = g10_fini,
	.touch = g10_touch,
	.plan = g10_take_plan,
	.run = g10_run_kernel,
	.unit = g10_unit,
	.check = g10_check,
};
