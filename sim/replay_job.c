/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * replay_job.c - operations become tensors with addresses and items in queues
 *
 * Operations are taken in the order of the trace, so that the layout does not
 * depend on timing.  What they ask of the manager happens when their item's
 * turn comes in its stream.
 *
 * Repeating the last iteration.  A tensor that lives across its beginning is
 * often replaced in it: gradients of the iteration before die, new ones are
 * born and live on.  At the end of a pass such pairs (same kind and size, in
 * order of id) swap their storage, so that in the next pass "the old gradient"
 * names what this pass has made:
 *
 *      pass 1:  old g3 dies,  new g9 is born, lives on
 *      swap:    g3 <-> g9
 *      pass 2:  g3 (what g9 was) dies,  g9 is born where g3 was
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/replay_impl.h"

/* Items in one queue before reading pauses, kernels or not. */
#define MAX_QUEUED 4096

int job_init(struct replay *r)
{
	const struct gs_workload_cfg *w = r->a->workload;
	u32 n = r->job->niterations;

	r->tensors = gs_calloc((size_t)r->job->ntensors + 1, sizeof(*r->tensors));
	for (u32 t = 0; t < r->job->ntensors; t++)
		r->tensors[t].reads = gs_calloc(r->nstreams, sizeof(struct dep));
	r->iterations = w->iterations ? w->iterations : (u32)gs_max(n, 1);
	r->res->niterations = r->iterations;
	r->res->iterations = gs_calloc(r->iterations, sizeof(*r->res->iterations));
	if (n < r->iterations)
		r->live_at_loop = gs_calloc((size_t)r->job->ntensors + 1, 1);
	if (!n) { /* no marks: the whole trace is one iteration */
		r->passes = 1;
		if (r->plan)
			plan_iteration(r->plan);
		streams_barrier(r, 0);
	}
	return gs_source_seek(r->source, GS_REWIND);
}

void job_fini(struct replay *r)
{
	for (u32 t = 0; t < r->job->ntensors; t++) {
		free(r->tensors[t].reads);
		free(r->tensors[t].name);
	}
	free(r->tensors);
	free(r->live_at_loop);
}

bool job_fail(struct replay *r, int err)
{
	r->err = err;
	r->source_ended = true;
	return false;
}

static struct dep dep_on(const struct stream *s, const struct item *it)
{
	return (struct dep){ .stream = s->index, .seq = it->seq };
}

/* @it of stream @s accesses @t: wait for who did before, and be remembered. */
static void order(struct replay *r, struct stream *s, struct item *it, struct tensor *t, u8 access)
{
	if (t->written.stream != s->index)
		item_depends(it, t->written);
	if (!(access & GS_WRITE)) {
		t->reads[s->index] = dep_on(s, it);
		return;
	}
	for (u32 i = 0; i < r->nstreams; i++) {
		if (i != s->index)
			item_depends(it, t->reads[i]);
		t->reads[i].seq = 0;
	}
	t->written = dep_on(s, it);
}

static void push_host(struct replay *r, struct tensor *t, u64 off, u64 bytes, u8 access,
		      gs_time duration)
{
	struct stream *s = stream_of_host(r);
	struct item *it = stream_push(s, ITEM_HOST);

	it->va = t->block.va + off;
	it->bytes = bytes;
	it->access = access;
	it->duration = duration;
	order(r, s, it, t, access);
}

static void push_advice(struct replay *r, struct stream *s, struct tensor *t, u8 advice)
{
	struct item *it;

	if (!t->bytes)
		return;
	it = stream_push(s, ITEM_ADVICE);
	it->advice = advice;
	it->va = t->block.va;
	it->bytes = t->bytes;
	order(r, s, it, t, GS_WRITE);
}

/* The dry pass writes the job down, each recorded iteration once. */
static bool recording(const struct replay *r)
{
	return r->plan && r->passes <= gs_max(r->job->niterations, 1);
}

static int place(struct replay *r, struct tensor *t)
{
	if (r->layout)
		return gs_layout_alloc(r->layout, t->device, t->bytes, &t->block);
	t->block = (struct gs_block){ t->recorded_va, t->bytes, t->device };
	if (r->segmented && segments_have(r, t))
		return 0;
	if (r->mm && r->mm->ops->exact) {
		t->apart = t->bytes;
		return t->bytes ? mm_add(r->mm, t->block.va, t->bytes) : 0;
	}
	if (r->segmented)
		return segments_keep(r, t);
	if (r->extents)
		gs_extents_add(r->extents, t->block.va, t->bytes);
	return 0;
}

static void unplace(struct replay *r, struct tensor *t)
{
	if (r->layout)
		gs_layout_release(r->layout, &t->block);
	else if (t->apart)
		mm_remove(r->mm, t->block.va, t->bytes, NULL);
	t->apart = false;
	t->alive = false;
	t->died = gs_now(r->sim);
}

static bool on_alloc(struct replay *r, const struct gs_op *op)
{
	struct tensor *t = &r->tensors[op->alloc.tensor];
	int err;

	if (t->alive) /* survived its pass without a mate */
		unplace(r, t);
	if (!t->name) {
		t->name = gs_strdup(op->alloc.name);
		t->recorded_va = op->alloc.va;
	}
	t->bytes = op->alloc.bytes;
	t->kind = op->alloc.kind;
	t->device = op->device;
	if (recording(r))
		plan_alloc(r->plan, op, !r->passes);
	err = place(r, t);
	if (err)
		return job_fail(r, err);
	t->alive = true;
	t->va = t->block.va;
	t->born = gs_now(r->sim);
	/* what exists before the first iteration was written by the host */
	if (!r->passes && t->bytes)
		push_host(r, t, 0, t->bytes, GS_WRITE, 0);
	if (t->wanted)
		push_advice(r, stream_of(r, op->device, op->stream), t, GS_ADV_PREFETCH);
	t->wanted = false;
	return true;
}

static bool on_free(struct replay *r, const struct gs_op *op)
{
	struct tensor *t = &r->tensors[op->free.tensor];

	if (!t->alive)
		return true;
	if (recording(r))
		plan_release(r->plan, op->free.tensor);
	if (r->a->workload->on_free == GS_FREE_DISCARD || t->mortal)
		push_advice(r, stream_of(r, t->device, op->stream), t, GS_ADV_FREE_EAGER);
	unplace(r, t);
	return true;
}

static bool dead(struct replay *r, const struct gs_op *op, u32 tensor)
{
	gs_err("%s: record %llu uses tensor %u, which died in the pass before: the last "
	       "iteration does not repeat; replay at most %u iterations",
	       r->job->name, op->index, tensor, r->job->niterations);
	return job_fail(r, -EINVAL);
}

static void add_operand(struct item *it, const struct operand *o)
{
	GS_PUSH_ROOM(it->operands, it->noperands, it->cap_operands);
	it->operands[it->noperands++] = *o;
}

/* What a planner has to say before the next kernel of the plan. */
static void push_hints(struct replay *r, struct stream *s)
{
	size_t low = 0, high = r->hints.n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (r->hints.v[mid].kernel < r->next_kernel)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < r->hints.n && r->hints.v[low].kernel == r->next_kernel; low++) {
		const struct mm_hint *h = &r->hints.v[low];
		struct tensor *t = &r->tensors[h->tensor];

		if (h->advice == GS_ADV_FREE_EAGER)
			t->mortal = true;
		else if (t->alive)
			push_advice(r, s, t, h->advice);
		else
			t->wanted |= h->advice == GS_ADV_PREFETCH;
	}
}

static bool on_kernel(struct replay *r, const struct gs_op *op)
{
	struct stream *s = stream_of(r, op->device, op->stream);
	bool shares = false;
	struct item *it;

	if (r->passes)
		push_hints(r, s);
	it = stream_push(s, ITEM_KERNEL);
	it->duration = r->a->duration(r->a->arg, op);
	it->row = book_row(r, op->kernel.name, op->kernel.opclass, op->kernel.phase);
	it->nth = r->passes ? r->next_kernel++ : ~0ULL;
	if (recording(r) && r->passes)
		plan_kernel(r->plan, op, it->duration);
	for (u32 i = 0; i < op->kernel.ntouches; i++)
		shares |= op->kernel.touches[i].share > 0;
	for (u32 i = 0; i < op->kernel.ntouches; i++) {
		const struct gs_touch *touch = &op->kernel.touches[i];
		struct tensor *t = &r->tensors[touch->tensor];

		if (!t->alive)
			return dead(r, op, touch->tensor);
		if (!touch->bytes)
			continue;
		add_operand(it, &(struct operand){
					.va = t->block.va + touch->off,
					.bytes = touch->bytes,
					.stride = touch->stride,
					.tensor = touch->tensor,
					.weight = shares ? touch->share : touch->bytes,
					.access = touch->access,
					.pattern = touch->pattern,
				});
		order(r, s, it, t, touch->access);
	}
	return true;
}

static bool on_host(struct replay *r, const struct gs_op *op)
{
	struct tensor *t = &r->tensors[op->host.tensor];

	if (!t->alive)
		return dead(r, op, op->host.tensor);
	if (op->host.bytes)
		push_host(r, t, op->host.off, op->host.bytes, op->host.access,
			  r->a->duration(r->a->arg, op));
	return true;
}

static bool on_advice(struct replay *r, const struct gs_op *op)
{
	struct tensor *t = &r->tensors[op->advice.tensor];
	struct stream *s = stream_of(r, op->device, op->stream);
	struct item *it;

	if (!t->alive)
		return dead(r, op, op->advice.tensor);
	it = stream_push(s, ITEM_ADVICE);
	it->advice = op->advice.advice;
	it->va = t->block.va + op->advice.off;
	it->bytes = op->advice.bytes;
	order(r, s, it, t, GS_WRITE);
	return true;
}

static bool end(struct replay *r)
{
	r->source_ended = true;
	streams_barrier(r, ~0U);
	return true;
}

static bool on_mark(struct replay *r, const struct gs_op *op)
{
	if (!op->mark.iteration)
		return true;
	if (r->passes == r->iterations)
		return end(r);
	if (r->live_at_loop && op->mark.number + 1 == r->job->niterations &&
	    r->passes < r->job->niterations)
		for (u32 t = 0; t < r->job->ntensors; t++)
			r->live_at_loop[t] = r->tensors[t].alive;
	if (recording(r) && r->passes < r->job->niterations)
		plan_iteration(r->plan);
	if (r->passes < r->job->niterations)
		r->loop_kernel = r->next_kernel;
	else
		r->next_kernel = r->loop_kernel;
	streams_barrier(r, r->passes++);
	return true;
}

/* Two tensors change places: storage, life and history. */
static void swap_storage(struct tensor *a, struct tensor *b)
{
	struct tensor keep = *a;

	a->block = b->block;
	a->recorded_va = b->recorded_va;
	a->alive = b->alive;
	a->apart = b->apart;
	a->written = b->written;
	a->reads = b->reads;
	b->block = keep.block;
	b->recorded_va = keep.recorded_va;
	b->alive = keep.alive;
	b->apart = keep.apart;
	b->written = keep.written;
	b->reads = keep.reads;
}

struct mate {
	u64 bytes;
	u32 id;
	u8 kind, device;
	bool born; /* in the iteration, and alive at its end */
};

static int by_likeness(const void *x, const void *y)
{
	const struct mate *a = x, *b = y;

	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? -1 : 1;
	if (a->kind != b->kind || a->device != b->device)
		return a->kind != b->kind ? a->kind - b->kind : a->device - b->device;
	if (a->born != b->born)
		return a->born - b->born;
	return a->id < b->id ? -1 : a->id > b->id;
}

/* Pair those that died in the pass with those that were born and live on. */
static void pair_up(struct replay *r)
{
	struct mate *v = NULL;
	size_t n = 0, cap = 0;

	for (u32 t = 0; t < r->job->ntensors; t++) {
		const struct tensor *x = &r->tensors[t];

		if (x->alive == (bool)r->live_at_loop[t])
			continue;
		GS_PUSH_ROOM(v, n, cap);
		v[n++] = (struct mate){ x->bytes, t, x->kind, (u8)x->device, x->alive };
	}
	if (n)
		qsort(v, n, sizeof(*v), by_likeness);
	for (size_t i = 0; i < n;) {
		size_t dead_end, born_end, k;

		for (dead_end = i;
		     dead_end < n && !v[dead_end].born && v[dead_end].bytes == v[i].bytes &&
		     v[dead_end].kind == v[i].kind && v[dead_end].device == v[i].device;
		     dead_end++)
			;
		for (born_end = dead_end;
		     born_end < n && v[born_end].born && v[born_end].bytes == v[i].bytes &&
		     v[born_end].kind == v[i].kind && v[born_end].device == v[i].device;
		     born_end++)
			;
		for (k = 0; i + k < dead_end && dead_end + k < born_end; k++)
			swap_storage(&r->tensors[v[i + k].id], &r->tensors[v[dead_end + k].id]);
		i = born_end;
	}
	free(v);
}

/* The trace has ended: once more, or the end. */
static bool on_eof(struct replay *r)
{
	u32 n = r->job->niterations;

	if (r->passes >= r->iterations)
		return end(r);
	if (!n)
		streams_barrier(r, r->passes++);
	r->next_kernel = r->loop_kernel;
	pair_up(r);
	int err = gs_source_seek(r->source, n ? n - 1 : GS_REWIND);

	return err ? job_fail(r, err) : true;
}

static bool on_segment(struct replay *r, const struct gs_op *op)
{
	int err = 0;

	if (r->segmented && op->type == GS_OP_SEGMENT_ALLOC)
		err = segments_alloc(r, op);
	else if (r->segmented)
		segments_free(r, op);
	return err ? job_fail(r, err) : true;
}

static bool dispatch(struct replay *r, const struct gs_op *op)
{
	r->ops_done++;
	switch (op->type) {
	case GS_OP_ALLOC:
		return on_alloc(r, op);
	case GS_OP_FREE:
		return on_free(r, op);
	case GS_OP_KERNEL:
		return on_kernel(r, op);
	case GS_OP_HOST:
		return on_host(r, op);
	case GS_OP_ADVICE:
		return on_advice(r, op);
	case GS_OP_MARK:
		return on_mark(r, op);
	case GS_OP_SEGMENT_ALLOC:
	case GS_OP_SEGMENT_FREE:
		return on_segment(r, op);
	default:
		return pages_dispatch(r, op);
	}
}

static bool room(const struct replay *r)
{
	for (u32 i = 0; i < r->nstreams; i++)
		if (r->streams[i].kernels_queued >= r->depth || r->streams[i].count >= MAX_QUEUED)
			return false;
	return true;
}

bool job_dispatch(struct replay *r)
{
	bool any = false;
	struct gs_op op;

	while (segments_settled(r) && !r->source_ended && room(r)) {
		int got = gs_source_next(r->source, &op);

		if (got < 0)
			return job_fail(r, got);
		if (!(got ? dispatch(r, &op) : on_eof(r)))
			return false;
		any = true;
	}
	return any;
}
