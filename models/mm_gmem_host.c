/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_gmem_host.c - host frames, and what of them is on the SSD
 */
#include <stdlib.h>

#include "models/mm_gmem.h"

#define SLAB 256

static struct gmem_frame *frame_of(const struct gmem_frames *f, u64 cookie)
{
	return &f->slabs[(cookie - 1) / SLAB][(cookie - 1) % SLAB];
}

/* The host's copy is old where a device has written since. */
static u64 content(void *arg, const struct hw_hold *h)
{
	const struct gmem_frames *f = arg;
	const struct gmem_frame *fr = gs_container_of(h, struct gmem_frame, hold);
	const struct gm_mapping *m = gm_as_find(f->as, fr->va);
	bool own = m && m->flags & GM_MAP_HOSTED && frame_of(f, m->host_frame) == fr;

	if (!fr->filled || (own && m->state == GM_DEVICE && m->flags & GM_MAP_DIRTY))
		return 0;
	return f->unit;
}

void gmem_frames_init(struct gmem_frames *f, struct mm *m, struct gm_as *as, u64 unit)
{
	*f = (struct gmem_frames){ .mm = m, .as = as, .unit = unit };
	m->machine->hostmem.content = content;
	m->machine->hostmem.arg = f;
}

void gmem_frames_fini(struct gmem_frames *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->slabs[i]);
	free(f->slabs);
}

static void more_frames(struct gmem_frames *f)
{
	struct gmem_frame *slab = gs_calloc(SLAB, sizeof(*slab));

	GS_PUSH_ROOM(f->slabs, f->n, f->cap);
	f->slabs[f->n++] = slab;
	for (u32 i = SLAB; i-- > 0;) {
		slab[i].next = f->idle;
		f->idle = (u32)((f->n - 1) * SLAB + i + 1);
	}
}

static gs_time open_one(struct gmem_frames *f, struct gmem_frame *fr, enum hw_opener who)
{
	return mm_host_open(f->mm, &fr->hold, f->unit, gs_now(f->mm->sim), who);
}

gs_time gmem_frame_get(struct gmem_frames *f, struct gm_op *op)
{
	enum hw_opener who = op->cause == GM_CAUSE_CPU_FAULT ? HW_BY_CPU : HW_BY_DEVICE;
	struct gmem_frame *fr;
	u64 cookie;
	gs_time t;

	if (!f->idle)
		more_frames(f);
	cookie = f->idle;
	fr = frame_of(f, cookie);
	t = mm_host_try(f->mm, &fr->hold, f->unit, gs_now(f->mm->sim), who);
	if (t == GS_NEVER)
		return t;
	f->idle = fr->next;
	fr->va = op->va;
	fr->filled = who == HW_BY_CPU;
	op->frame = cookie;
	return t;
}

void gmem_frame_put(struct gmem_frames *f, u64 cookie)
{
	struct gmem_frame *fr = frame_of(f, cookie);

	hw_host_shrink(&f->mm->machine->hostmem, &fr->hold, 0);
	fr->next = f->idle;
	f->idle = (u32)cookie;
}

gs_time gmem_frames_open(struct gmem_frames *f, struct gm_op *op)
{
	gs_time t = gs_now(f->mm->sim);
	struct gm_op_unit u;

	for (u32 i = 0; i < op->units; i++) {
		gm_op_unit(op, i, &u);
		frame_of(f, u.host_frame)->va = u.va; /* it may have been another's */
		t = gs_max(t, open_one(f, frame_of(f, u.host_frame), HW_BY_DEVICE));
	}
	return t;
}

gs_time gmem_frames_copied(struct gmem_frames *f, struct gm_op *op, gs_time start, gs_time end)
{
	bool to = op->to == GM_HOST_NODE;
	gs_time last = end;
	struct gm_op_unit u;

	for (u32 i = 0; i < op->units; i++) {
		struct gmem_frame *fr;

		gm_op_unit(op, i, &u);
		fr = frame_of(f, u.host_frame);
		fr->filled |= to;
		last = gs_max(last, mm_host_copied(f->mm, &fr->hold, to, f->unit, start, end));
	}
	return last;
}

gs_time gmem_cpu_open(struct gmem_frames *f, u64 va, bool write)
{
	const struct gm_mapping *m = gm_as_find(f->as, va);
	gs_time t = gs_now(f->mm->sim);
	struct gmem_frame *fr;

	if (!m || !(m->flags & GM_MAP_HOSTED))
		return t;
	fr = frame_of(f, m->host_frame);
	fr->filled = true;
	t = open_one(f, fr, HW_BY_CPU);
	if (write)
		hw_host_written(&f->mm->machine->hostmem, &fr->hold);
	return t;
}
