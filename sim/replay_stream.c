/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * replay_stream.c - queues of work and the order between them
 *
 *   stream 0  [k0][k3][ | ][k5]        | = barrier: an iteration begins when
 *   stream 1  [k1][k2][ | ][k4]            every stream has come to it
 *   host      [h0]    [ | ]
 *
 * Items of one stream run in order.  Between streams an item waits for those
 * earlier in the trace that wrote what it touches, or read what it writes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/replay_impl.h"

enum { FIRST_RING = 16, NEAR = 64, FAR = 4096 }; /* kernels */

int streams_init(struct replay *r)
{
	r->per_device = r->job->nstreams ? r->job->nstreams : 1;
	r->nstreams = r->a->ndevices * r->per_device + 1;
	r->streams = gs_calloc(r->nstreams, sizeof(*r->streams));
	for (u32 i = 0; i < r->nstreams; i++) {
		struct stream *s = &r->streams[i];

		s->r = r;
		s->index = i;
		s->host = i + 1 == r->nstreams;
		s->device = s->host ? 0 : (u16)(i / r->per_device);
		s->cap = FIRST_RING;
		s->ring = gs_calloc(s->cap, sizeof(*s->ring));
		s->next_seq = 1;
	}
	/* One stream: just far enough ahead for hints; several: enough that a busy one
	 * does not keep the others from their work.  Several devices are run by threads
	 * that do not wait for each other: a whole micro-batch of a pipeline's stage. */
	r->depth = 1 + (r->a->workload->hints ? r->a->workload->hint_depth : 0);
	if (r->nstreams > 2)
		r->depth = (u32)gs_max(r->depth, r->a->ndevices > 1 ? FAR : NEAR);
	r->iteration = ~0U;
	return 0;
}

void streams_fini(struct replay *r)
{
	for (u32 i = 0; i < r->nstreams; i++) {
		for (u32 k = 0; k < r->streams[i].cap; k++) {
			free(r->streams[i].ring[k].operands);
			free(r->streams[i].ring[k].deps);
			free(r->streams[i].ring[k].pages);
		}
		free(r->streams[i].ring);
	}
	free(r->streams);
}

struct stream *stream_of(struct replay *r, u16 device, u16 stream)
{
	gs_assert(device < r->a->ndevices && stream < r->per_device);
	return &r->streams[device * r->per_device + stream];
}

struct stream *stream_of_host(struct replay *r)
{
	return &r->streams[r->nstreams - 1];
}

static void grow_ring(struct stream *s)
{
	struct item *bigger = gs_calloc(2 * (size_t)s->cap, sizeof(*bigger));

	for (u32 i = 0; i < s->cap; i++)
		bigger[i] = *stream_at(s, i);
	free(s->ring);
	s->ring = bigger;
	s->head = 0;
	s->cap *= 2;
}

struct item *stream_push(struct stream *s, u8 type)
{
	struct item *it, keep;

	if (s->count == s->cap)
		grow_ring(s);
	it = stream_at(s, s->count++);
	/* the arrays of an earlier item in this place are used again */
	keep = *it;
	*it = (struct item){ .type = type,
			     .device = s->device,
			     .seq = s->next_seq++,
			     .operands = keep.operands,
			     .cap_operands = keep.cap_operands,
			     .pages = keep.pages,
			     .deps = keep.deps,
			     .cap_deps = keep.cap_deps };
	s->kernels_queued += type <= ITEM_PAGES;
	return it;
}

void item_depends(struct item *it, struct dep d)
{
	if (!d.seq)
		return;
	GS_PUSH_ROOM(it->deps, it->ndeps, it->cap_deps);
	it->deps[it->ndeps++] = d;
}

void streams_barrier(struct replay *r, u32 iteration)
{
	for (u32 i = 0; i < r->nstreams; i++)
		stream_push(&r->streams[i], ITEM_BARRIER)->iteration = iteration;
}

/* Take the head item off the queue. */
static void pop(struct stream *s)
{
	struct item *it = stream_head(s);

	s->done_seq = it->seq;
	s->kernels_queued -= it->type <= ITEM_PAGES;
	s->head = (s->head + 1) & (s->cap - 1);
	s->count--;
	s->busy = false;
}

void stream_finish(struct stream *s)
{
	pop(s);
	streams_poll(s->r);
}

bool stream_reach(struct stream *s, gs_time when)
{
	struct gs_sim *sim = s->r->sim;

	if (when <= gs_now(sim))
		return true;
	if (when < gs_next_time(sim)) {
		gs_advance(sim, when);
		return true;
	}
	gs_at(sim, &s->run.ev, when);
	return false;
}

static bool may_start(struct replay *r, const struct item *it)
{
	for (u32 i = 0; i < it->ndeps; i++)
		if (r->streams[it->deps[i].stream].done_seq < it->deps[i].seq)
			return false;
	return true;
}

static void cross_barrier(struct replay *r)
{
	book_iteration(r, stream_head(&r->streams[0])->iteration);
	r->at_barrier = 0;
	for (u32 i = 0; i < r->nstreams; i++)
		pop(&r->streams[i]);
}

static void host_worked(struct gs_sim *sim, struct gs_event *ev)
{
	(void)sim;
	stream_finish(gs_container_of(ev, struct stream, run.ev));
}

/* The bytes are there: now the host thread's own work. */
static void host_touched(struct mm_done *d, int err)
{
	struct stream *s = gs_container_of(d, struct stream, host_done);
	struct item *it = stream_head(s);

	if (err && !s->r->err) {
		if (!s->r->mm->err) /* else the manager has said why */
			gs_err("the host cannot touch %llu bytes at 0x%llx: %s", it->bytes, it->va,
			       strerror(-err));
		s->r->err = err;
	}
	s->run.ev = (struct gs_event){ .fn = host_worked };
	gs_after(s->r->sim, &s->run.ev, it->duration);
}

static void start_host(struct stream *s)
{
	struct item *it = stream_head(s);
	int err = 0;

	s->host_done.fn = host_touched;
	if (s->r->mm)
		err = mm_cpu_touch(s->r->mm, it->va, it->bytes, it->access, &s->host_done);
	if (err != -EINPROGRESS)
		host_touched(&s->host_done, err);
}

static void start_advice(struct stream *s)
{
	struct item *it = stream_head(s);

	/* advice is a hint: what a manager does not know it ignores */
	if (s->r->mm)
		mm_advise(s->r->mm, it->device, it->advice, it->va, it->bytes, NULL);
	pop(s);
}

/* Start the head item of @s if that can be done now. */
static bool try_start(struct replay *r, struct stream *s)
{
	struct item *it = stream_head(s);

	if (s->busy || !s->count || !may_start(r, it))
		return false;
	s->busy = true;
	switch (it->type) {
	case ITEM_KERNEL:
		kernel_start(s);
		break;
	case ITEM_PAGES:
		pages_start(s);
		break;
	case ITEM_HOST:
		start_host(s);
		break;
	case ITEM_ADVICE:
		start_advice(s);
		break;
	default:
		if (++r->at_barrier == r->nstreams)
			cross_barrier(r);
		break;
	}
	return true;
}

void streams_poll(struct replay *r)
{
	bool moved;

	r->poll_again = true;
	if (r->polling)
		return;
	r->polling = true;
	do {
		r->poll_again = false;
		moved = job_dispatch(r);
		for (u32 i = 0; i < r->nstreams && !r->err; i++)
			while (try_start(r, &r->streams[i]))
				moved = true;
	} while ((moved || r->poll_again) && !r->err);
	r->polling = false;
	if (r->err)
		gs_stop(r->sim);
}
