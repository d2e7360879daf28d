/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gen_run.c - iterations: inputs, forward and backward of all stages, the step
 *
 * A pipeline runs one forward, one backward (1F1B): stage s of S goes S - s - 1
 * micro-batches ahead, then takes turns.  The trace has the stages' work in one
 * order that respects what they send each other; each device runs its own part.
 */
#include <stdlib.h>

#include "traces/gen.h"

struct work { /* one micro-batch on one stage */
	struct gen_tape tape;
	struct gen_val *in, *out;
};

struct stage {
	struct work *work; /* one a micro-batch */
	u32 forwards, backwards;
};

/* ---- one micro-batch ---------------------------------------------------------- */

static void run_forward(struct gen *g, const struct gen_family *f, struct stage *all, u32 s, u32 m)
{
	struct work *w = &all[s].work[m], *before = s ? &all[s - 1].work[m] : NULL;

	g->grp = &g->groups[s];
	g->micro = m;
	g->phase = GS_FORWARD;
	g->forward = true;
	g->tape = g->o.phase == GEN_TRAIN ? &w->tape : NULL;
	if (before) {
		w->in = gen_receive(g, before->out, "receive");
		gen_ref(before->out); /* its gradient comes back */
		gen_drop(g, before->out);
	}
	w->out = f->forward(g, s, w->in);
	g->tape = NULL;
}

static void run_backward(struct gen *g, struct stage *all, u32 nstages, u32 s, u32 m)
{
	struct work *w = &all[s].work[m], *behind = s + 1 < nstages ? &all[s + 1].work[m] : NULL;

	g->grp = &g->groups[s];
	g->micro = m;
	g->phase = GS_BACKWARD;
	g->forward = false;
	g->last_micro = m + 1 == g->o.microbatches;
	if (behind) {
		w->out->grad = gen_receive(g, behind->in->grad, "receive");
		gen_drop(g, behind->in->grad);
		behind->in->grad = NULL;
		gen_drop(g, behind->in);
		behind->in = NULL;
	}
	gen_backward(g, &w->tape);
	if (behind)
		gen_unref(g, w->out); /* what was sent */
	else
		gen_drop(g, w->out); /* the loss */
	w->out = NULL;
}

/* ---- a pipeline of them -------------------------------------------------------- */

/* Is it a forward's turn on stage @s? */
static bool forward_due(const struct gen *g, const struct stage *st, u32 s, u32 n)
{
	u32 ahead = (u32)gs_min(n - s, g->o.microbatches);

	return st->forwards < g->o.microbatches && st->forwards - st->backwards < ahead;
}

/* One piece of work of stage @s, if what it waits for is there. */
static bool advance(struct gen *g, const struct gen_family *f, struct stage *all, u32 n, u32 s)
{
	struct stage *st = &all[s];

	if (forward_due(g, st, s, n)) {
		if (s && all[s - 1].forwards <= st->forwards)
			return false;
		run_forward(g, f, all, s, st->forwards++);
		return true;
	}
	if (st->backwards == g->o.microbatches)
		return false;
	if (s + 1 < n && all[s + 1].backwards <= st->backwards)
		return false;
	run_backward(g, all, n, s, st->backwards++);
	return true;
}

static void train(struct gen *g, const struct gen_family *f, struct stage *all)
{
	u32 n = g->ngroups, m = g->o.microbatches;
	bool moved;

	gen_zero_grad(g);
	for (u32 s = 0; s < n; s++)
		all[s].forwards = all[s].backwards = 0;
	do {
		moved = false;
		for (u32 s = 0; s < n; s++) /* to the end even after an error: all is let go of */
			moved |= advance(g, f, all, n, s);
	} while (moved);
	gs_assert(all[0].backwards == m && all[n - 1].backwards == m);
	gen_step(g);
}

static void infer(struct gen *g, const struct gen_family *f, struct stage *all)
{
	for (u32 m = 0; m < g->o.microbatches; m++) {
		for (u32 s = 0; s < g->ngroups; s++) {
			run_forward(g, f, all, s, m);
			if (s) {
				gen_drop(g, all[s].work[m].in);
				gen_unref(g, all[s - 1].work[m].out);
			}
		}
		gen_drop(g, all[g->ngroups - 1].work[m].out);
	}
}

/* ---- the job ---------------------------------------------------------------------- */

void gen_iterations(struct gen *g, const struct gen_family *f)
{
	struct stage *all = gs_calloc(g->ngroups, sizeof(*all));

	for (u32 s = 0; s < g->ngroups; s++)
		all[s].work = gs_calloc(g->o.microbatches, sizeof(*all[s].work));
	for (u32 i = 0; i < g->o.iterations && !g->err; i++) {
		gen_mark(g, i);
		g->phase = GS_DATA;
		g->forward = true;
		for (u32 s = 0; s < g->ngroups; s++) {
			g->grp = &g->groups[s];
			f->inputs(g, s);
		}
		(g->o.phase == GEN_TRAIN ? train : infer)(g, f, all);
	}
	for (u32 s = 0; s < g->ngroups; s++)
		free(all[s].work);
	free(all);
}
