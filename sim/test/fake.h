/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * fake.h - a job from an array, and a manager with one fixed fault time
 *
 * For tests only: everything about them can be worked out with a pencil.
 */
#ifndef GS_TEST_FAKE_H
#define GS_TEST_FAKE_H

#include <string.h>

#include "sim/replay.h"

/* ---- a job ---------------------------------------------------------------- */

struct fake_job {
	struct gs_source src;
	const struct gs_op *ops;
	size_t n, at;
};

static int fake_next(struct gs_source *src, struct gs_op *op)
{
	struct fake_job *j = gs_container_of(src, struct fake_job, src);

	if (j->at == j->n)
		return 0;
	*op = j->ops[j->at];
	op->index = j->at++;
	return 1;
}

static int fake_seek(struct gs_source *src, u32 n)
{
	struct fake_job *j = gs_container_of(src, struct fake_job, src);

	j->at = 0;
	if (n == GS_REWIND)
		return 0;
	while (j->ops[j->at].type != GS_OP_MARK || j->ops[j->at].mark.number != n)
		j->at++;
	return 0;
}

static const struct gs_source_ops fake_source_ops = {
	.name = "fake",
	.next = fake_next,
	.seek = fake_seek,
};

static inline struct fake_job fake_job(const struct gs_op *ops, size_t n)
{
	struct fake_job j = { .src.ops = &fake_source_ops, .ops = ops, .n = n };
	struct gs_job *job = &j.src.job;

	job->name = "fake";
	job->ndevices = job->nstreams = 1;
	for (size_t i = 0; i < n; i++) {
		if (ops[i].type == GS_OP_KERNEL)
			job->nkernels++;
		if (ops[i].type == GS_OP_PAGE) {
			u64 end = ops[i].page.va + ops[i].page.bytes;

			job->va_low =
				job->npages ? gs_min(job->va_low, ops[i].page.va) : ops[i].page.va;
			job->va_high = gs_max(job->va_high, end);
			job->npages++;
		}
		if (ops[i].type == GS_OP_ALLOC)
			job->ntensors++;
		if (ops[i].type == GS_OP_SEGMENT_ALLOC) /* that there are some is enough */
			job->bytes_reserved += ops[i].segment.bytes;
		if (ops[i].type == GS_OP_MARK)
			job->niterations++;
		job->ndevices = (u32)gs_max(job->ndevices, ops[i].device + 1U);
		job->nstreams = (u32)gs_max(job->nstreams, ops[i].stream + 1U);
	}
	return j;
}

#define OP_ALLOC(t, va_, n)                     \
	{                                       \
		.type = GS_OP_ALLOC, .alloc = { \
			.tensor = (t),          \
			.va = (va_),            \
			.bytes = (n),           \
			.kind = GS_ACTIVATION,  \
			.name = "t" #t          \
		}                               \
	}
#define OP_FREE(t)                                           \
	{                                                    \
		.type = GS_OP_FREE, .free = {.tensor = (t) } \
	}
#define OP_SEGMENT(what, va_, n)                                                      \
	{                                                                             \
		.type = GS_OP_SEGMENT_##what, .segment = {.va = (va_), .bytes = (n) } \
	}
#define OP_MARK(i)                                                                          \
	{                                                                                   \
		.type = GS_OP_MARK, .mark = {.iteration = true, .number = (i), .name = "" } \
	}
#define OP_KERNEL(ps, touches_)                              \
	{                                                    \
		.type = GS_OP_KERNEL, .kernel = {            \
			.name = "k",                         \
			.duration_ps = (ps),                 \
			.ntouches = GS_ARRAY_SIZE(touches_), \
			.touches = (touches_)                \
		}                                            \
	}

static inline gs_time fake_duration(void *arg, const struct gs_op *op)
{
	(void)arg;
	return op->type == GS_OP_KERNEL ? op->kernel.duration_ps : op->host.duration_ps;
}

/* ---- a manager -------------------------------------------------------------- */

#define FAKE_UNIT  4096ULL
#define FAKE_UNITS 4096

/* Each miss takes `latency`, misses are served side by side; nothing is evicted. */
struct fake_mm {
	struct mm mm;
	struct fake_fault {
		struct gs_event ev;
		struct fake_mm *f;
		struct mm_wait *wait;
		u64 unit;
		gs_time asked;
	} fault[FAKE_UNITS];
	u64 base;
	bool resident[FAKE_UNITS];
	gs_time latency;
	u64 questions, added, removed, order[FAKE_UNITS], norder;
};

static void fake_arrived(struct gs_sim *sim, struct gs_event *ev)
{
	struct fake_fault *x = gs_container_of(ev, struct fake_fault, ev);
	gs_time now = gs_now(sim);
	/* a tenth waits in the queue, the rest crosses the link */
	gs_time begun = x->asked + x->f->latency / 10;
	gs_time end[MM_NR_PHASES] = { begun, begun, begun, now, now };

	x->f->resident[x->unit] = true;
	mm_resolved(x->wait, 1, end);
}

static void fake_touch(struct mm *m, struct mm_touch *t)
{
	struct fake_mm *f = gs_container_of(m, struct fake_mm, mm);
	u64 u = (t->va - f->base) / FAKE_UNIT, last = (t->va + t->bytes - 1 - f->base) / FAKE_UNIT;
	u64 n = 0;

	f->questions++;
	while (u + n <= last && f->resident[u + n])
		n++;
	t->kind = MM_HIT;
	t->covered = gs_min(t->bytes, f->base + (u + n) * FAKE_UNIT - t->va);
	if (n)
		return;
	f->order[f->norder++ % FAKE_UNITS] = u;
	f->fault[u] = (struct fake_fault){
		.ev.fn = fake_arrived, .f = f, .wait = t->wait, .unit = u, .asked = gs_now(m->sim)
	};
	gs_after(m->sim, &f->fault[u].ev, f->latency);
	t->kind = MM_MISS;
	t->units = 1;
	t->covered = gs_min(t->bytes, f->base + (u + 1) * FAKE_UNIT - t->va);
}

static int fake_add(struct mm *m, u64 va, u64 bytes)
{
	struct fake_mm *f = gs_container_of(m, struct fake_mm, mm);

	(void)va;
	f->added += bytes;
	return 0;
}

static int fake_remove(struct mm *m, u64 va, u64 bytes, struct mm_done *d)
{
	struct fake_mm *f = gs_container_of(m, struct fake_mm, mm);

	(void)d;
	f->removed += bytes;
	memset(f->resident + (va - f->base) / FAKE_UNIT, 0, bytes / FAKE_UNIT);
	return 0;
}

static const struct mm_ops fake_mm_ops = {
	.name = "fake",
	.state_size = sizeof(struct fake_mm),
	.touch = fake_touch,
	.add = fake_add,
	.remove = fake_remove,
};

#endif
