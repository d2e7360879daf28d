/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lives.c - live memory over time, lives of tensors, and when they lie idle */
#include "traces/lives.h"

#include <stdlib.h>
#include <string.h>

void tr_lives_init(struct tr_lives *l, bool by_kernels, const u64 *sizes, u64 *above, u32 nsizes,
		   FILE *csv)
{
	*l = (struct tr_lives){ .by_kernels = by_kernels,
				.step = 1,
				.sizes = sizes,
				.above = above,
				.nsizes = nsizes,
				.csv = csv };
	memset(above, 0, nsizes * sizeof(*above));
	l->samples = gs_calloc(TR_LIVE_SAMPLES, sizeof(*l->samples));
}

void tr_lives_fini(struct tr_lives *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->lives[i].name);
	free(l->lives);
	free(l->samples);
	tr_clock_fini(&l->clock);
}

/* ---- live memory ---------------------------------------------------------- */

/* Twice the time a sample; of two the larger stays. */
static void thin(struct tr_lives *l)
{
	size_t n = 0;

	l->step *= 2;
	for (size_t i = 0; i < l->nsamples; i++) {
		if (!n || l->samples[i].time / l->step != l->samples[n - 1].time / l->step)
			l->samples[n++] = l->samples[i];
		else if (l->samples[i].bytes > l->samples[n - 1].bytes)
			l->samples[n - 1] = l->samples[i];
	}
	l->nsamples = n;
}

static void sample(struct tr_lives *l)
{
	struct tr_live *last;

	l->live.time = l->now;
	while (l->nsamples == TR_LIVE_SAMPLES)
		thin(l);
	last = l->nsamples ? &l->samples[l->nsamples - 1] : NULL;
	if (!last || last->time / l->step != l->now / l->step)
		l->samples[l->nsamples++] = l->live;
	else if (l->live.bytes >= last->bytes)
		*last = l->live;
}

static void born(struct tr_lives *l, const struct gs_op *op)
{
	while (l->n <= op->alloc.tensor) {
		GS_PUSH_ROOM(l->lives, l->n, l->cap);
		l->lives[l->n++] = (struct tr_life){ 0 };
	}
	l->lives[op->alloc.tensor] = (struct tr_life){ .name = gs_strdup(op->alloc.name),
						       .bytes = op->alloc.bytes,
						       .kind = op->alloc.kind,
						       .born = l->now,
						       .died = U64_MAX,
						       .first = U64_MAX };
	l->live.bytes += op->alloc.bytes;
	l->live.kinds[op->alloc.kind] += op->alloc.bytes;
	if (l->live.bytes > l->peak) {
		l->peak = l->live.bytes;
		l->peak_at = l->now;
	}
	sample(l);
}

static void died(struct tr_lives *l, u32 tensor)
{
	struct tr_life *t = &l->lives[tensor];

	sample(l); /* as it was up to here */
	t->died = gs_max(l->now, t->used);
	l->live.bytes -= t->bytes;
	l->live.kinds[t->kind] -= t->bytes;
	sample(l);
}

/* ---- touches ------------------------------------------------------------ */

static void lay_idle(struct tr_lives *l, u32 tensor, u64 from, u64 to)
{
	struct tr_life *t = &l->lives[tensor];
	u64 time = to - from;
	u32 digits = 0;

	for (u64 v = time; v >= 10; v /= 10)
		digits++;
	t->idle += time;
	t->longest = gs_max(t->longest, time);
	l->idle[gs_min(digits, TR_IDLE_BUCKETS - 1)].periods++;
	l->idle[gs_min(digits, TR_IDLE_BUCKETS - 1)].bytes += (double)t->bytes;
	l->idle[gs_min(digits, TR_IDLE_BUCKETS - 1)].byte_times += (double)t->bytes * (double)time;
	if (l->csv)
		fprintf(l->csv, "%u,%s,%llu,%llu,%llu\n", tensor, gs_tensor_kind_names[t->kind],
			t->bytes, from, to);
}

static void touch(struct tr_lives *l, u32 tensor, u64 bytes, u64 begin, u64 end)
{
	struct tr_life *t = &l->lives[tensor];

	t->touches++;
	t->touched += bytes;
	if (t->first == U64_MAX)
		t->first = begin;
	else if (begin > t->used)
		lay_idle(l, tensor, t->used, begin);
	t->used = gs_max(t->used, end);
}

static void pass_kernel(struct tr_lives *l, const struct gs_op *op)
{
	u64 begin = tr_clock_pass(&l->clock, op), end = begin + op->kernel.duration_ps,
	    was = l->now;

	if (l->by_kernels) {
		begin = l->kernels;
		end = begin + 1;
	}
	l->kernels++;
	for (u32 i = 0; i < op->kernel.ntouches; i++)
		touch(l, op->kernel.touches[i].tensor, op->kernel.touches[i].bytes, begin, end);
	l->now = gs_max(l->now, end);
	for (u32 i = 0; i < l->nsizes; i++)
		l->above[i] += l->live.bytes > l->sizes[i] ? l->now - was : 0;
}

void tr_lives_pass(struct tr_lives *l, const struct gs_op *op)
{
	switch (op->type) {
	case GS_OP_ALLOC:
		born(l, op);
		break;
	case GS_OP_FREE:
		died(l, op->free.tensor);
		break;
	case GS_OP_KERNEL:
		pass_kernel(l, op);
		break;
	case GS_OP_HOST:
		touch(l, op->host.tensor, op->host.bytes, l->now, l->now);
		break;
	default:
		break;
	}
}

void tr_lives_end(struct tr_lives *l, struct tr_kind_lives kinds[GS_NR_TENSOR_KINDS])
{
	memset(kinds, 0, GS_NR_TENSOR_KINDS * sizeof(*kinds));
	sample(l);
	for (size_t i = 0; i < l->n; i++) {
		struct tr_life *t = &l->lives[i];
		struct tr_kind_lives *k = &kinds[t->kind];
		double bytes = (double)t->bytes;
		u64 end = t->died == U64_MAX ? l->now : t->died, first = gs_min(t->first, end);

		k->tensors++;
		k->life += (double)(end - t->born);
		k->before += bytes * (double)(first - gs_min(t->born, first));
		k->idle += bytes * (double)t->idle;
		if (t->touches) {
			k->busy += bytes * (double)(t->used - t->first - t->idle);
			k->after += bytes * (double)(gs_max(end, t->used) - t->used);
		}
	}
}
