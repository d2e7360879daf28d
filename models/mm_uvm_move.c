/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_uvm_move.c - one service of one block: what it costs and what it copies
 *
 *   CPU   base | chunk (evict, restart) | unmap | DMA map | pushes | PTEs |
 *   link                                                  |--- copies ---|
 *
 * Copies and PTE writes are only pushed: the CPU goes on with the next block
 * while they run (uvm_va_block.c, trackers).
 */
#include "models/mm_uvm_extra.h"

struct move {
	struct mm_uvm *u;
	struct uvm_block *block;
	const struct uvm_want *want;
	u16 device;
	gs_time t;    /* the CPU is here */
	gs_time room; /* the chunk may be written */
	gs_time end;  /* of the last copy */
	bool from_host;
};

static void count_h2d(struct move *mv, const struct gm_bitmap *pages, u32 n)
{
	u32 nahead = 0;

	if (mv->want->nahead) {
		struct gm_bitmap ahead = bits_and(pages, &mv->want->ahead);

		nahead = bits_count(&ahead);
	}
	mv->u->mm.stats.h2d_demand_bytes += (n - nahead) * UVM_PAGE;
	mv->u->mm.stats.h2d_prefetch_bytes += nahead * UVM_PAGE;
}

/* Extra for @work of the CPU: a thread that has slept begins at a low clock. */
static gs_time cold(const struct mm_uvm *u, const struct uvm_gpu *g, gs_time work, gs_time t)
{
	gs_time tau = u->p->warm_up, since = t - g->first_copy_at;

	if (!tau || !u->p->cold_pct)
		return 0;
	work = gs_muldiv(work, u->p->cold_pct, 100);
	return gs_muldiv(gs_muldiv(work, tau, tau + since), tau, tau + since);
}

static void from_host(struct move *mv, const struct gm_bitmap *pages, u32 n)
{
	struct mm_uvm *u = mv->u;
	struct uvm_block *b = mv->block;
	struct gm_bitmap mapped = bits_and(pages, &b->cpu);
	u32 runs = bits_runs(pages);
	gs_time arrived;

	mv->from_host = true;
	if (!u->gpus[mv->device].first_copy_at)
		u->gpus[mv->device].first_copy_at = mv->t;
	if (bits_any(&mapped)) { /* unmap_mapping_range() */
		mv->t += u->p->unmap + bits_count(&mapped) * u->p->unmap_page;
		u->stats.cpu_unmaps++;
		bits_clear(&b->cpu, &mapped);
	}
	mv->t = uvm_host_ready(u, b, mv->device, mv->t) + runs * u->p->push;
	arrived = uvm_host_copy(u, b, mv->device, HW_H2D, n, runs,
				gs_max(gs_max(mv->t, mv->room), b->host_ready));
	mv->end = gs_max(mv->end, arrived);
	if (mv->want->copies) {
		bits_set(&b->cpu, &mapped); /* to read */
		u->stats.copied_pages += n;
	} else {
		uvm_thrash_moved(u, b, mv->device, pages, mv->want->cause, mv->t);
		bits_clear(&b->host, pages);
		if (!bits_any(&b->host))
			hw_host_stale(&u->mm.machine->hostmem, &b->hold);
	}
	count_h2d(mv, pages, n);
}

/* Both ports carry the copy: out of one device, into the other. */
static void from_peer(struct move *mv, u16 peer, const struct gm_bitmap *pages)
{
	struct mm_uvm *u = mv->u;
	struct uvm_side *s = &mv->block->side[peer];
	u64 bytes = bits_count(pages) * UVM_PAGE;
	u32 runs = bits_runs(pages);
	gs_time start, left, arrived;

	mv->t += u->p->evict + runs * u->p->push; /* unmap there, copy */
	left = hw_link_send_runs(&u->mm.machine->peers[peer], HW_D2H, bytes, runs, 0,
				 gs_max(gs_max(mv->t, mv->room), s->in), &start);
	arrived = hw_link_send_runs(&u->mm.machine->peers[mv->device], HW_H2D, bytes, runs, 0,
				    start, NULL);
	mv->end = gs_max(mv->end, gs_max(left, arrived));
	s->out = gs_max(s->out, mv->end);
	u->mm.stats.d2d_bytes += bytes;
	if (!mv->want->copies)
		uvm_thrash_moved(u, mv->block, mv->device, pages, mv->want->cause, mv->t);
}

static void from_peers(struct move *mv, struct gm_bitmap *want)
{
	for (u16 d = 0; d < mv->u->ndevices; d++) {
		struct uvm_side *s = &mv->block->side[d];
		struct gm_bitmap here = bits_and(want, &s->resident), live;
		u32 n, dead;

		if (d == mv->device || !bits_any(&here))
			continue;
		live = bits_andnot(&here, &s->dead);
		if (bits_any(&live))
			from_peer(mv, d, &live);
		bits_clear(want, &live); /* the dead ones are nowhere now */
		if (mv->want->copies) {
			mv->u->stats.copied_pages += bits_count(&live);
			bits_clear(&here, &live);
			bits_clear(&live, &live);
		}
		n = bits_count(&here);
		dead = n - bits_count(&live);
		mv->u->content_pages -= dead;
		mv->u->mm.stats.discarded_bytes += dead * UVM_PAGE;
		uvm_leave(mv->u, mv->block, d, &here, n);
		uvm_sort_chunk(mv->u, mv->block, d);
	}
}

/* First touches: cleared in place by the copy engine. */
static void from_nowhere(struct move *mv, const struct gm_bitmap *pages, u32 n)
{
	struct mm_uvm *u = mv->u;
	u64 bytes = n * UVM_PAGE;

	mv->t += bits_runs(pages) * u->p->push;
	mv->end = gs_max(mv->end,
			 gs_max(mv->t, mv->room) +
				 gs_muldiv_up(bytes, GS_S, u->mm.machine->host.device_zero_bps));
	u->mm.stats.zeroed_bytes += bytes;
	u->content_pages += n;
}

static void gather(struct move *mv)
{
	const struct uvm_want *want = mv->want;
	struct gm_bitmap host = bits_and(&want->all, &mv->block->host), rest;
	u32 n = bits_count(&host);

	if (n)
		from_host(mv, &host, n);
	if (n == want->n)
		return;
	rest = bits_andnot(&want->all, &host);
	if (mv->u->ndevices > 1)
		from_peers(mv, &rest);
	n = bits_count(&rest);
	if (n)
		from_nowhere(mv, &rest, n);
}

struct uvm_want uvm_want_of(const struct gm_bitmap *all, const struct gm_bitmap *demand,
			    enum uvm_cause cause, bool copies)
{
	struct uvm_want w = { .all = *all, .ahead = bits_andnot(all, demand) };

	w.n = bits_count(&w.all);
	w.nahead = bits_count(&w.ahead);
	w.cause = cause;
	w.copies = copies;
	return w;
}

gs_time uvm_make_resident(struct mm_uvm *u, struct uvm_block *b, u16 device,
			  const struct uvm_want *want, gs_time t)
{
	struct uvm_side *s = &b->side[device];
	struct move mv = { u, b, want, device, t + u->p->block, 0, 0, false };

	if (s->list == UVM_NO_CHUNK)
		mv.t = uvm_take_chunk(u, b, device, mv.t, &mv.room);
	else
		mv.room = s->out; /* pages that left it may still be read */
	gather(&mv);
	mv.t += u->p->pte;
	if (mv.from_host)
		mv.t += cold(u, &u->gpus[device], mv.t - t, mv.t);
	uvm_enter(u, b, device, &want->all, want->n);
	if (b->extra)
		mv.t += uvm_remap(u, b, &want->all);
	s->served = mv.t;
	s->room = mv.room;
	s->in = gs_max(s->in, gs_max(mv.end, mv.t));
	if (want->nahead)
		bits_set(&s->brought, &want->ahead);
	/* a batch looks itself when it ends; nobody looks after a prefetch */
	uvm_take_off(u, b, device, &want->all, want->nahead == want->n);
	uvm_relist(u, b, device, UVM_USED);
	uvm_resettle(u, b, device);
	u->mm.stats.prefetched_bytes += want->nahead * UVM_PAGE;
	u->stats.services++;
	return mv.t;
}
