/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_uvm_counter.c - access counters (uvm_gpu_access_counters.c)
 *
 * The device counts its accesses to memory that it has mapped but does not
 * hold, by 2 MiB, and remembers which of the 32 regions of 64 KiB they fell in.
 * At the threshold it notifies the driver; the one thread that also serves
 * faults takes notifications in batches, brings what was accessed as if it had
 * been faulted on (with the tree's neighbours), and clears the counter.  The
 * driver does this for host kernels with pages of 64 KiB; with 4 KiB, release
 * 595 drops notifications.
 */
#include "models/mm_uvm_extra.h"

#define REGION_SHIFT 4 /* 16 pages: 64 KiB */

u64 uvm_count_left(const struct mm_uvm *u, const struct uvm_extra_side *s)
{
	u64 left = (u64)(u->p->counter_threshold - s->count) * u->p->counter_line;

	return s->noted ? ~0ULL : (left + UVM_PAGE - 1) & ~(UVM_PAGE - 1);
}

void uvm_count(struct mm_uvm *u, struct uvm_block *b, u16 device, u32 first, u64 bytes)
{
	struct uvm_extra_side *s = &b->extra->side[device];
	struct uvm_gpu *g = &u->gpus[device];
	u64 last = gs_min(first + (bytes - 1) / UVM_PAGE, UVM_PAGES - 1);
	u64 lines = gs_max(bytes / u->p->counter_line, 1);

	s->last_region = (u8)(last >> REGION_SHIFT);
	for (u32 r = first >> REGION_SHIFT; r <= s->last_region; r++)
		s->regions |= 1U << r;
	s->count = (u32)gs_min(s->count + lines, u->p->counter_threshold);
	if (s->count < u->p->counter_threshold || s->noted)
		return;
	s->noted = true;
	u->stats.notifications++;
	list_add_tail(&s->note, &g->notes);
	if (g->phase == UVM_IDLE)
		uvm_counter_begin(g);
}

void uvm_counter_clear(struct uvm_extra_side *s)
{
	if (s->noted)
		list_del(&s->note);
	s->noted = false;
	s->count = s->regions = 0;
}

bool uvm_counter_pending(const struct uvm_gpu *g)
{
	return !list_empty(&g->notes);
}

void uvm_counter_begin(struct uvm_gpu *g)
{
	g->phase = UVM_NOTIFY;
	g->notes_left = g->u->p->counter_batch;
	gs_after(g->u->mm.sim, &g->ev, g->u->p->irq);
}

static gs_time serve_note(struct uvm_gpu *g, struct uvm_extra_side *s, gs_time t)
{
	struct uvm_block *b = s->block;
	struct gm_bitmap pages = { 0 };

	/* of a host chunk that is not 2 MiB the driver knows one address only */
	for (u32 r = 0; r < UVM_PAGES >> REGION_SHIFT; r++)
		if (b->scattered ? r == s->last_region : s->regions >> r & 1) {
			struct gm_bitmap one =
				bits_range(r << REGION_SHIFT, (r + 1) << REGION_SHIFT);

			bits_set(&pages, &one);
		}
	uvm_counter_clear(s);
	pages = bits_and(&pages, &b->host);
	uvm_arrive(g->u, b, g->device);
	t += g->u->p->fetch + g->u->p->push; /* take it out, clear the counter */
	return bits_any(&pages) ? uvm_serve_extra(g, b, &pages, UVM_COUNTER, t) : t;
}

/* Faults that came meanwhile are next; then the notifications that are left. */
static void over(struct uvm_gpu *g)
{
	if (!list_empty(&g->ring)) {
		g->phase = UVM_FETCH;
		g->batches_in_service = 0;
		gs_after(g->u->mm.sim, &g->ev, 0);
	} else if (uvm_counter_pending(g)) {
		uvm_counter_begin(g);
	} else {
		g->phase = UVM_IDLE;
	}
}

void uvm_counter_step(struct uvm_gpu *g)
{
	struct gs_sim *sim = g->u->mm.sim;

	if (!g->notes_left || !uvm_counter_pending(g)) {
		over(g);
		return;
	}
	g->notes_left--;
	gs_at(sim, &g->ev,
	      serve_note(g, list_first_entry(&g->notes, struct uvm_extra_side, note), gs_now(sim)));
}
