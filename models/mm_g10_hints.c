/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_g10_hints.c - G10's planner beside another manager: its plan as advice
 *
 * Each recorded iteration is planned by itself, as if it repeated for ever.  To
 * the device becomes a prefetch, to host or SSD a prefetch to the host, whose
 * memory decides what goes on to the SSD; a death is advised when it comes.
 */
#include <stdlib.h>

#include "models/mm_g10.h"

/* Does anything of iteration [first, end) touch @t, which came from before? */
static bool uses_old(const struct mm_plan *p, u32 first, u32 end)
{
	for (u32 k = first; k < end; k++)
		for (u32 i = 0; i < p->kernels[k].noperands; i++) {
			const struct mm_tensor *t = &p->tensors[p->kernels[k].operands[i].tensor];

			if (!t->lasting && t->born < first)
				return true;
		}
	return false;
}

/*
 * The tensors as the iteration sees them: what crosses its end is as good as
 * lasting, if somebody behind it wants the content.  Behind the last one comes its
 * like, which wants of it what it has wanted of the one before.
 */
static void seen(const struct mm_plan *p, u32 first, u32 end, struct mm_tensor *out)
{
	bool wants = end < p->nkernels ? uses_old(p, end, p->nkernels) : uses_old(p, first, end);

	for (u32 i = 0; i < p->ntensors; i++) {
		struct mm_tensor *t = &out[i];

		*t = p->tensors[i];
		if (t->born >= end || t->died <= first)
			t->bytes = 0;
		else if (t->died > end && (wants || t->born < first))
			t->lasting = true;
	}
}

static u8 advice_of(const struct g10_hint *h)
{
	return h->to == G10_GPU	      ? GS_ADV_PREFETCH
	       : h->to == G10_NOWHERE ? GS_ADV_FREE_EAGER
				      : GS_ADV_PREFETCH_HOST;
}

/* A death may come before the kernel that it is planned for: it is known from the start. */
static u32 when(const struct g10_hint *h, u32 nkernels)
{
	return h->to == G10_NOWHERE ? 0 : h->at % nkernels;
}

static void plan_one(const struct mm_plan *p, u32 first, u32 end, const struct g10_params *par,
		     const struct g10_machine *m, struct mm_hints *out)
{
	struct mm_tensor *tensors = gs_calloc(gs_max(p->ntensors, 1), sizeof(*tensors));
	const struct mm_plan part = { .nkernels = end - first,
				      .ntensors = p->ntensors,
				      .kernels = p->kernels + first,
				      .tensors = tensors };
	struct g10_plan plan;
	struct g10_net net;

	seen(p, first, end, tensors);
	g10_net_init(&net, &part, par);
	g10_plan_init(&plan, &net, par, m);
	for (size_t i = 0; i < plan.nhints; i++) {
		const struct g10_hint *h = &plan.hints[i];

		GS_PUSH_ROOM(out->v, out->n, out->cap);
		out->v[out->n++] =
			(struct mm_hint){ first + when(h, part.nkernels), h->tensor, advice_of(h) };
	}
	g10_plan_fini(&plan);
	g10_net_fini(&net);
	free(tensors);
}

static int by_kernel(const void *a, const void *b)
{
	const struct mm_hint *x = a, *y = b;

	if (x->kernel != y->kernel)
		return x->kernel < y->kernel ? -1 : 1;
	/* room first, then what needs it */
	if (x->advice != y->advice)
		return x->advice > y->advice ? -1 : 1;
	return x->tensor < y->tensor ? -1 : x->tensor > y->tensor;
}

void g10_hints(const struct mm_plan *p, const struct g10_params *par, const struct gs_machine *mc,
	       u64 spare, struct mm_hints *out)
{
	u64 gpu = hw_hbm_usable(mc, G10_PAGE), total = 0;
	struct g10_params own = *par;
	struct g10_machine m = {
		.gpu_bytes = gpu - gs_min(spare, gpu / 2),
		.host_bytes = mc->host.dram_capacity,
		.pcie_bps = gs_min(mc->link.h2d_bps, mc->link.d2h_bps),
	};

	own.policy = G10_G10;
	/* slips of the artifact, which would only hide what the plan is worth */
	own.first_twice = own.hints_until_fit = own.stop_at_short = own.move_uncounted = false;
	for (u32 t = 0; t < p->ntensors; t++)
		total += p->tensors[t].bytes;
	/* as long as host memory holds all, the SSD's place is taken by it */
	m.ssd_bps = m.pcie_bps;
	if (mc->ssd.count && total > m.host_bytes)
		m.ssd_bps =
			mc->ssd.count * gs_min(mc->ssd.bps[HW_SSD_READ], mc->ssd.bps[HW_SSD_WRITE]);
	m.ssd_bps = gs_min(m.ssd_bps, m.pcie_bps);
	for (u32 i = 0; i < p->niterations; i++)
		if (p->first[i] < p->first[i + 1])
			plan_one(p, p->first[i], p->first[i + 1], &own, &m, out);
	if (out->n)
		qsort(out->v, out->n, sizeof(*out->v), by_kernel);
}
