/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gen_param.c - parameters, their gradients, and the optimizer
 *
 *	            f32            f16, bf16 (mixed precision)
 *	weight      4              2
 *	gradient    4              2
 *	master      -              4           bytes a parameter
 *	moments     4 or 8         4 or 8
 *
 * zero1 cuts master and moments into as many parts as there are replicas, zero2
 * gradients too, zero3 also weights.
 */
#include <stdarg.h>
#include <stdlib.h>

#include "traces/gen.h"

static bool zero(const struct gen *g)
{
	return g->s.dp > 1 && g->s.zero;
}

/* Elements of a part, whole ones on each device. */
static u64 part(const struct gen *g, const struct gen_param *p)
{
	return zero(g) ? (p->local + g->s.dp - 1) / g->s.dp : p->local;
}

static void seg_add(struct gen_seg *seg, struct gen_param *p, bool owner)
{
	if (seg->n == seg->cap) {
		seg->cap = seg->cap ? 2 * seg->cap : 16;
		seg->p = gs_realloc_array(seg->p, seg->cap, sizeof(*seg->p));
		seg->owner = gs_realloc_array(seg->owner, seg->cap, sizeof(*seg->owner));
	}
	seg->p[seg->n] = p;
	seg->owner[seg->n++] = owner;
}

void gen_param_share(struct gen_seg *seg, struct gen_param *p)
{
	seg_add(seg, p, false);
}

void gen_seg_fini(struct gen_seg *seg)
{
	free(seg->p);
	free(seg->owner);
}

struct gen_param *gen_param_new(struct gen *g, struct gen_seg *seg, u64 full, u64 local,
				const char *fmt, ...)
{
	struct gen_param *p = gs_calloc(1, sizeof(*p));
	struct gen_val *v;
	char name[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	p->name = gs_strdup(name);
	p->full = full;
	p->local = local;
	if (zero(g) && g->s.zero == 3)
		v = p->shard = gen_new(g, GS_WEIGHT, g->dtype, part(g, p), "%s", name);
	else
		v = p->w = gen_new(g, GS_WEIGHT, g->dtype, local, "%s", name);
	v->fixed = true;
	seg_add(seg, p, true);
	GS_PUSH_ROOM(g->params, g->nparams, g->cap_params);
	g->params[g->nparams++] = p;
	g->nparams_full += full;
	return p;
}

static struct gen_group *group_of(const struct gen_param *p)
{
	return (p->shard ? p->shard : p->w)->grp;
}

void gen_params_state(struct gen *g)
{
	static const u8 moments[] = { 0, 1, 2, 2 };
	struct gen_group *grp = g->grp;

	for (size_t i = 0; i < g->nparams; i++) {
		struct gen_param *p = g->params[i];
		u64 n;

		g->grp = group_of(p);
		n = part(g, p);
		if (p->sparse)
			continue;
		if (g->dtype != GS_F32)
			p->master = gen_new(g, GS_OPTIMIZER, GS_F32, n, "%s.master", p->name);
		if (moments[g->o.optimizer] > 0)
			p->m = gen_new(g, GS_OPTIMIZER, GS_F32, n, "%s.%s", p->name,
				       moments[g->o.optimizer] > 1 ? "exp_avg" : "momentum");
		if (moments[g->o.optimizer] > 1)
			p->v = gen_new(g, GS_OPTIMIZER, GS_F32, n, "%s.exp_avg_sq", p->name);
	}
	g->grp = grp;
}

/* A value that nobody but its parameter knows, without a trace of its end. */
static void forget(struct gen_val *v)
{
	free(v);
}

void gen_params_fini(struct gen *g)
{
	for (size_t i = 0; i < g->nparams; i++) {
		struct gen_param *p = g->params[i];

		forget(p->w);
		forget(p->shard);
		forget(p->grad);
		forget(p->gshard);
		forget(p->master);
		forget(p->m);
		forget(p->v);
		free((char *)p->name);
		free(p);
	}
	free(g->params);
}

/* ---- gradients -------------------------------------------------------------- */

struct gen_val *gen_grad_begin(struct gen *g, struct gen_param *p)
{
	if (p->grad)
		return gen_tmp(g, g->dtype, p->local, "grad");
	return gen_new(g, GS_GRADIENT, g->dtype, p->local, "%s.grad", p->name);
}

void gen_grad_end(struct gen *g, struct gen_param *p, struct gen_val *grad)
{
	if (!p->grad) {
		p->grad = grad;
		return;
	}
	gen_k(g, "aten.add_", GS_ELEMENTWISE, grad->elems);
	gen_touch(g, p->grad, GS_READ | GS_WRITE);
	gen_touch(g, grad, GS_READ);
	gen_k_end(g);
	gen_drop(g, grad);
}

void gen_zero_grad(struct gen *g)
{
	for (size_t i = 0; i < g->nparams; i++) {
		struct gen_param *p = g->params[i];

		gen_drop(g, p->grad);
		gen_drop(g, p->gshard);
		p->grad = p->gshard = NULL;
	}
}

/* ---- the step ------------------------------------------------------------------ */

static void chain(struct gen *g, const char *name, u32 flops, struct gen_val *rw,
		  struct gen_val *r1, struct gen_val *r2)
{
	gen_k(g, name, GS_OPTIMIZER_STEP, flops * rw->elems);
	gen_touch(g, rw, GS_READ | GS_WRITE);
	if (r1)
		gen_touch(g, r1, GS_READ);
	if (r2)
		gen_touch(g, r2, GS_READ);
	gen_k_end(g);
}

static struct gen_val *chain_new(struct gen *g, const char *name, u32 flops, struct gen_val *a,
				 struct gen_val *b)
{
	struct gen_val *out = gen_new(g, GS_WORKSPACE, GS_F32, a->elems, "%s", name + 5);

	gen_k(g, name, GS_OPTIMIZER_STEP, flops * a->elems);
	gen_touch(g, a, GS_READ);
	if (b)
		gen_touch(g, b, GS_READ);
	gen_touch(g, out, GS_WRITE);
	gen_k_end(g);
	return out;
}

/* Operator by operator, as torch.optim does without foreach. */
static void step_adam_eager(struct gen *g, struct gen_param *p, struct gen_val *grad)
{
	struct gen_val *w = p->master ? p->master : p->w, *t;

	if (g->o.optimizer == GEN_ADAMW)
		chain(g, "aten.mul_", 1, w, NULL, NULL);
	chain(g, "aten.mul_", 1, p->m, NULL, NULL);
	chain(g, "aten.add_", 1, p->m, grad, NULL);
	chain(g, "aten.mul_", 1, p->v, NULL, NULL);
	chain(g, "aten.addcmul_", 3, p->v, grad, NULL);
	t = chain_new(g, "aten.sqrt", 1, p->v, NULL);
	t = gen_next(g, t, chain_new(g, "aten.div", 1, t, NULL));
	chain(g, "aten.add_", 1, t, NULL, NULL);
	chain(g, "aten.addcdiv_", 3, w, p->m, t);
	gen_drop(g, t);
}

static void step_sgd_eager(struct gen *g, struct gen_param *p, struct gen_val *grad)
{
	struct gen_val *w = p->master ? p->master : p->w, *d;

	d = chain_new(g, "aten.add", 1, grad, w); /* weight decay */
	if (p->m) {
		chain(g, "aten.mul_", 1, p->m, NULL, NULL);
		chain(g, "aten.add_", 1, p->m, d, NULL);
	}
	chain(g, "aten.add_", 1, w, p->m ? p->m : d, NULL);
	gen_drop(g, d);
}

/* One kernel for the parameter: gradient in, state and weight updated. */
static void step_fused(struct gen *g, struct gen_param *p, struct gen_val *grad)
{
	static const char *const names[] = { "aten._fused_sgd_", "aten._fused_sgd_",
					     "aten._fused_adam_", "aten._fused_adamw_" };
	static const u32 flops[] = { 2, 4, 12, 14 }; /* moments, bias, decay, step */
	u64 n = part(g, p), size = gen_dtype_bytes(g->dtype);
	struct gen_val *w = p->shard ? p->shard : p->w, *state[] = { p->master, p->m, p->v };
	struct gen_val *out = NULL;

	if (zero(g) && !p->shard)
		out = gen_new(g, GS_WORKSPACE, g->dtype, n, "%s.part", p->name);
	gen_k(g, names[g->o.optimizer], GS_OPTIMIZER_STEP, flops[g->o.optimizer] * n);
	if (out) {
		if (!p->master)
			gen_touch_part(g, w, 0, gs_min(n * size, w->bytes), GS_READ);
		gen_touch(g, out, GS_WRITE);
	} else {
		gen_touch(g, w, p->master ? GS_WRITE : GS_READ | GS_WRITE);
	}
	gen_touch(g, grad, GS_READ);
	for (u32 i = 0; i < GS_ARRAY_SIZE(state); i++)
		if (state[i])
			gen_touch(g, state[i], GS_READ | GS_WRITE);
	gen_k_end(g);
	if (out) {
		gen_gather_into(g, out, w);
		gen_drop(g, out);
	}
}

void gen_step(struct gen *g)
{
	struct gen_group *grp = g->grp;

	g->phase = GS_STEP;
	for (size_t i = 0; i < g->nparams; i++) {
		struct gen_param *p = g->params[i];
		struct gen_val *grad = p->gshard ? p->gshard : p->grad;

		if (!grad)
			continue;
		g->grp = group_of(p);
		if (p->partial)
			gen_all_reduce(g, grad);
		if (g->o.kernels == GEN_CUDA || zero(g) || p->master)
			step_fused(g, p, grad);
		else if (g->o.optimizer >= GEN_ADAM)
			step_adam_eager(g, p, grad);
		else
			step_sgd_eager(g, p, grad);
	}
	g->grp = grp;
}
