/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * replay_plan.c - the job in advance, for managers that plan
 *
 * The dry pass writes down the kernels of the recorded iterations and what it
 * knows of their tensors.  Repeated iterations are not written down again.
 */
#include <stdlib.h>

#include "sim/replay_impl.h"

struct plan {
	struct mm_plan told;
	u32 *first;
	size_t niterations, cap_iterations;
	struct mm_kernel *kernels;
	struct mm_tensor *tensors;
	u32 ntensors;
	size_t nkernels, cap;
};

struct plan *plan_new(const struct gs_job *job)
{
	struct plan *p = gs_calloc(1, sizeof(*p));

	p->ntensors = job->ntensors;
	p->tensors = gs_calloc((size_t)job->ntensors + 1, sizeof(*p->tensors));
	return p;
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->nkernels; i++)
		free((void *)p->kernels[i].operands);
	free(p->kernels);
	free(p->tensors);
	free(p->first);
	free(p);
}

void plan_alloc(struct plan *p, const struct gs_op *op, bool early)
{
	p->tensors[op->alloc.tensor] = (struct mm_tensor){
		.bytes = op->alloc.bytes,
		.lasting = early,
		.born = (u32)p->nkernels,
		.died = ~0U,
	};
}

void plan_release(struct plan *p, u32 tensor)
{
	p->tensors[tensor].lasting = false;
	p->tensors[tensor].died = (u32)p->nkernels;
}

void plan_iteration(struct plan *p)
{
	GS_PUSH_ROOM(p->first, p->niterations, p->cap_iterations);
	p->first[p->niterations++] = (u32)p->nkernels;
}

/* Each operand of the trace, in its order. */
static struct mm_operand *operands(const struct gs_op *op)
{
	struct mm_operand *v = gs_calloc((size_t)op->kernel.ntouches + 1, sizeof(*v));

	for (u32 i = 0; i < op->kernel.ntouches; i++) {
		const struct gs_touch *t = &op->kernel.touches[i];

		v[i] = (struct mm_operand){ t->tensor, t->access };
	}
	return v;
}

void plan_kernel(struct plan *p, const struct gs_op *op, gs_time duration)
{
	GS_PUSH_ROOM(p->kernels, p->nkernels, p->cap);
	p->kernels[p->nkernels++] = (struct mm_kernel){
		.device = op->device,
		.phase = op->kernel.phase,
		.duration = duration,
		.fault_out = op->kernel.fault_out_ps,
		.fault_all = op->kernel.fault_all_ps,
		.noperands = op->kernel.ntouches,
		.operands = operands(op),
	};
}

const struct mm_plan *plan_tell(struct plan *p)
{
	GS_PUSH_ROOM(p->first, p->niterations, p->cap_iterations);
	p->first[p->niterations] = (u32)p->nkernels;
	p->told = (struct mm_plan){
		.niterations = (u32)p->niterations,
		.first = p->first,
		.nkernels = (u32)p->nkernels,
		.ntensors = p->ntensors,
		.kernels = p->kernels,
		.tensors = p->tensors,
	};
	return &p->told;
}
