/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_uvm_call.c - what the host thread asks for: prefetch, discard, its own faults
 *
 * cudaMemPrefetchAsync (UvmMigrate) walks the range block by block on a thread
 * of its own, one call after the other on each device.  It needs no fault and
 * no replay, but competes for chunks and for the link.
 */
#include <errno.h>

#include "models/mm_uvm_extra.h"

struct job {
	struct list_head link; /* prefetches: of the device's queue */
	struct gs_event ev;
	struct mm_uvm *u;
	struct mm_done *done;
	u64 at, end;
	gs_time ready; /* what was pushed has arrived */
	u16 device;
	u8 access;	 /* of the CPU */
	bool to_host;	 /* a prefetch */
	bool submitting; /* the caller has no answer yet ... */
	bool over;	 /* ... and will get this one */
};

static struct job *job_new(struct mm_uvm *u, u64 va, u64 bytes, struct mm_done *d)
{
	struct job *job;

	u->jobs.size = sizeof(*job);
	job = uvm_pool_get(&u->jobs);
	job->u = u;
	job->at = va;
	job->end = va + bytes;
	job->done = d;
	job->submitting = true;
	return job;
}

/* All is done: answer, or leave that to submit() if the caller still asks. */
static void job_over(struct job *job)
{
	struct mm_done *d = job->done;

	job->over = true;
	if (job->submitting)
		return;
	uvm_pool_put(&job->u->jobs, job);
	if (d)
		d->fn(d, 0);
}

static int job_submitted(struct job *job)
{
	job->submitting = false;
	if (!job->over)
		return -EINPROGRESS;
	uvm_pool_put(&job->u->jobs, job);
	return 0;
}

static u64 next_block(u64 va)
{
	return (va | (UVM_BLOCK - 1)) + 1;
}

/* ---- prefetch ---- */

static void call_step(struct gs_sim *sim, struct gs_event *ev);

void uvm_call_init(struct uvm_gpu *g)
{
	INIT_LIST_HEAD(&g->jobs);
	g->call_ev.fn = call_step;
}

static void arrived(struct gs_sim *sim, struct gs_event *ev)
{
	job_over(gs_container_of(ev, struct job, ev));
}

/* The block at job->at, at @t; returns when the thread is done with it. */
static gs_time prefetch_block(struct job *job, gs_time t)
{
	struct mm_uvm *u = job->u;
	struct uvm_block *b = uvm_block_at(u, job->at);
	struct gm_bitmap touched = uvm_pages_touched(job->at, job->end);
	struct uvm_want want;
	struct uvm_side *s;

	if (!b || !b->leaf)
		return t;
	s = &b->side[job->device];
	uvm_arrive(u, b, job->device);
	want.all = bits_and(&touched, &b->mapped);
	bits_clear(&want.all, &s->resident);
	bits_clear(&s->dead, &touched); /* wanted again */
	want.ahead = want.all;
	want.n = want.nahead = bits_count(&want.all);
	want.cause = UVM_CALL;
	want.copies = false;
	if (want.n) {
		t = b->extra ? uvm_call_extra(u, b, job->device, &want.all, t)
			     : uvm_make_resident(u, b, job->device, &want, t);
		u->stats.api_blocks++;
	} else if (s->list != UVM_NO_CHUNK) {
		uvm_relist(u, b, job->device, UVM_USED);
		uvm_resettle(u, b, job->device);
	}
	if (s->flight)
		job->ready = gs_max(job->ready, s->in);
	return t;
}

/* To the host: unmapped from the devices, copied, mapped for the CPU. */
static gs_time fetch_block(struct job *job, gs_time t)
{
	struct mm_uvm *u = job->u;
	struct uvm_block *b = uvm_block_at(u, job->at);
	struct gm_bitmap pages = uvm_pages_touched(job->at, job->end), want;

	if (!b || !b->leaf)
		return t;
	pages = bits_and(&pages, &b->mapped);
	want = bits_andnot(&pages, &b->host);
	if (b->extra)
		uvm_thrash_reset(u, b, &pages);
	if (bits_any(&want)) {
		struct gm_bitmap copies = { 0 };

		if (b->extra)
			copies = bits_and(&want, &b->extra->read_mostly);
		t = uvm_bring_home(u, b, &copies, true, t + u->p->block + u->p->evict);
		bits_clear(&want, &copies);
		t = uvm_bring_home(u, b, &want, false, t);
		t = uvm_fill_home(u, b, &pages, t) + u->p->cpu_map;
		u->stats.api_blocks++;
	}
	bits_set(&b->cpu, &pages);
	job->ready = gs_max(job->ready, b->host_ready);
	return t;
}

/* The thread of @g works until a block takes time, or all calls are served. */
static void call_run(struct uvm_gpu *g)
{
	struct gs_sim *sim = g->u->mm.sim;
	gs_time now = gs_now(sim);

	g->calling = true;
	while (!list_empty(&g->jobs)) {
		struct job *job = list_first_entry(&g->jobs, struct job, link);
		gs_time t = now;

		while (t == now && job->at < job->end) {
			t = job->to_host ? fetch_block(job, now) : prefetch_block(job, now);
			job->at = next_block(job->at);
		}
		if (t > now) {
			gs_at(sim, &g->call_ev, t);
			return;
		}
		list_del(&job->link);
		if (job->ready > now)
			gs_at(sim, &job->ev, job->ready);
		else
			job_over(job);
	}
	g->calling = false;
}

static void call_step(struct gs_sim *sim, struct gs_event *ev)
{
	call_run(gs_container_of(ev, struct uvm_gpu, call_ev));
}

static int prefetch(struct mm_uvm *u, u16 device, bool to_host, u64 va, u64 bytes,
		    struct mm_done *d)
{
	struct uvm_gpu *g = &u->gpus[device];
	struct job *job = job_new(u, va, bytes, d);

	job->device = device;
	job->to_host = to_host;
	job->ev.fn = arrived;
	list_add_tail(&job->link, &g->jobs);
	if (!g->calling)
		call_run(g);
	return job_submitted(job);
}

/* ---- discard ---- */

static void discard_block(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *pages)
{
	struct gm_bitmap here;

	if (b->extra)
		uvm_collapse(u, b, pages, UVM_NOBODY);
	here = bits_and(pages, &b->host);
	u->mm.stats.discarded_bytes += bits_count(&here) * UVM_PAGE;
	uvm_host_drop(u, b, &here);
	for (u16 d = 0; d < u->ndevices; d++) {
		struct uvm_side *s = &b->side[d];

		here = bits_and(pages, &s->resident);
		if (!bits_any(&here))
			continue;
		bits_set(&s->dead, &here);
		uvm_sort_chunk(u, b, d);
		uvm_resettle(u, b, d);
	}
	if (b->extra)
		uvm_remap(u, b, pages);
}

/* UvmDiscard: the contents are dead; a partly covered page is not. */
static void discard(struct mm_uvm *u, u64 va, u64 end)
{
	for (; va < end; va = next_block(va)) {
		struct uvm_block *b = uvm_block_at(u, va);
		struct gm_bitmap pages;

		if (b && b->leaf && uvm_pages_inside(va, end, &pages))
			discard_block(u, b, &pages);
	}
}

int uvm_advise(struct mm *m, u16 device, u8 advice, u64 va, u64 bytes, struct mm_done *d)
{
	struct mm_uvm *u = uvm_of(m);

	gs_assert(device < u->ndevices);
	switch (advice) {
	case GS_ADV_PREFETCH:
	case GS_ADV_PREFETCH_HOST:
		return prefetch(u, device, advice == GS_ADV_PREFETCH_HOST, va, bytes, d);
	case GS_ADV_FREE_EAGER:
		discard(u, va, va + bytes);
		return 0;
	case GS_ADV_PREFER:
	case GS_ADV_PREFER_HOST:
	case GS_ADV_UNPREFER:
	case GS_ADV_ACCESSED_BY:
	case GS_ADV_UNACCESSED_BY:
	case GS_ADV_READ_MOSTLY:
	case GS_ADV_UNREAD_MOSTLY:
		return uvm_set_policy(u, device, advice, va, va + bytes);
	default:
		return -EOPNOTSUPP;
	}
}

/* ---- CPU faults ---- */

/* Everything of the block that @device has goes back. */
static gs_time bring_back(struct mm_uvm *u, struct uvm_block *b, u16 device, gs_time t)
{
	struct uvm_side *s = &b->side[device];
	struct gm_bitmap all = s->resident, live = bits_andnot(&all, &s->dead);
	u32 n = s->nresident, nlive = bits_count(&live), dead = n - nlive;

	t += u->p->cpu_fault;
	uvm_thrash_moved(u, b, UVM_HOST, &live, UVM_FAULT, t);
	if (nlive) {
		t = uvm_copy_out(u, b, device, &live, nlive, t, &u->mm.stats.d2h_cpu_bytes);
		t = gs_max(t, b->host_ready);
	}
	u->mm.stats.discarded_bytes += dead * UVM_PAGE;
	u->content_pages -= dead;
	uvm_leave(u, b, device, &all, n);
	uvm_sort_chunk(u, b, device);
	return t;
}

gs_time uvm_populate(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *pages,
		     gs_time t)
{
	u32 n = bits_count(pages);
	u64 bytes = n * UVM_PAGE;

	t = uvm_host_hold(u, b, true, t, HW_BY_CPU);
	bits_set(&b->host, pages);
	u->content_pages += n;
	return t + gs_muldiv_up(bytes, GS_S, u->mm.machine->host.zero_bps);
}

/* The block at job->at; returns when the host thread can go on, *again there. */
static gs_time cpu_block(struct job *job, gs_time t, bool *again)
{
	struct mm_uvm *u = job->u;
	struct uvm_block *b = uvm_block_at(u, job->at);
	struct gm_bitmap touched = uvm_pages_touched(job->at, job->end), absent;

	if (!b || !b->leaf)
		return t;
	touched = bits_and(&touched, &b->mapped);
	if (b->hold.tier == HW_SSD)
		t = uvm_host_hold(u, b, true, t, HW_BY_CPU);
	hw_host_written(&u->mm.machine->hostmem, &b->hold);
	if (u->p->ats)
		uvm_extra_get(u, b);
	if (b->extra)
		return uvm_serve_cpu(u, b, &touched, job->access, t, again);
	absent = bits_andnot(&touched, &b->cpu);
	if (!bits_any(&absent))
		return t;
	u->mm.stats.cpu_faults++;
	for (u16 d = 0; d < u->ndevices; d++) {
		struct gm_bitmap here = bits_and(&touched, &b->side[d].resident);

		if (bits_any(&here))
			t = bring_back(u, b, d, t);
	}
	absent = bits_andnot(&touched, &b->host);
	if (bits_any(&absent))
		t = uvm_populate(u, b, &absent, t);
	t = gs_max(t, b->host_ready) + u->p->cpu_map;
	bits_set(&b->cpu, &touched);
	return t;
}

static void cpu_run(struct job *job)
{
	struct gs_sim *sim = job->u->mm.sim;
	gs_time now = gs_now(sim), t = now;

	while (t == now && job->at < job->end) {
		bool again = false;

		t = cpu_block(job, now, &again);
		if (!again)
			job->at = next_block(job->at);
	}
	if (t > now)
		gs_at(sim, &job->ev, t);
	else
		job_over(job);
}

static void cpu_step(struct gs_sim *sim, struct gs_event *ev)
{
	cpu_run(gs_container_of(ev, struct job, ev));
}

int uvm_cpu_touch(struct mm *m, u64 va, u64 bytes, u8 access, struct mm_done *d)
{
	struct job *job = job_new(uvm_of(m), va, bytes, d);

	job->ev.fn = cpu_step;
	job->access = access;
	cpu_run(job);
	return job_submitted(job);
}
