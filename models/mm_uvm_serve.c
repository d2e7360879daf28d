/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_uvm_serve.c - services of blocks with advice, far mappings, copies or thrashing
 *
 * As in mm_uvm_fault.c and mm_uvm_call.c, but the pages of one service may go
 * several ways: some are copied, some move, some are only mapped where they
 * are, some have to wait.
 */
#include "models/mm_uvm_extra.h"

static const struct gm_bitmap nothing;

/* ---- what comes along ---- */

/*
 * The driver's rules for prefetching around @demand on its way to @place: all
 * of a block that is nowhere yet if that is its preferred location; nothing if
 * another one is; else the tree.  Never pages that thrash.
 */
static struct gm_bitmap come_along(struct mm_uvm *u, struct uvm_block *b, u16 place,
				   const struct gm_bitmap *demand)
{
	struct gm_bitmap content = uvm_content(u, b), elsewhere, calm = *demand, more = { 0 };
	const struct gm_bitmap *thrashing = uvm_thrashing(b);
	struct uvm_want want = { 0 };
	struct gm_bitmap home = bits_and(uvm_preferred(u, b, place), &b->mapped);

	elsewhere = bits_and(&home, demand);
	if (bits_any(&elsewhere) && !bits_any(&content))
		return u->p->prefetch ? bits_andnot(&home, demand) : nothing;
	elsewhere = uvm_preferred_elsewhere(u, b, place);
	bits_clear(&calm, &elsewhere);
	if (thrashing)
		bits_clear(&calm, thrashing);
	if (place == UVM_HOST || !bits_any(&calm))
		return more;
	want.all = calm;
	want.n = bits_count(&calm);
	uvm_tree(&u->gpus[place], b, &want);
	more = bits_andnot(&want.all, demand);
	bits_clear(&more, &elsewhere);
	if (thrashing)
		bits_clear(&more, thrashing);
	return more;
}

/* ---- a device's faults ---- */

struct service {
	struct mm_uvm *u;
	struct uvm_block *b;
	struct uvm_gpu *g;
	enum uvm_cause cause;
	struct uvm_choice c;
	gs_time t, ready; /* the CPU is here; what was pushed has arrived */
};

/* @pages come to the device of who faulted, with what else the driver takes along. */
static void come(struct service *s, const struct gm_bitmap *pages, const struct gm_bitmap *wanted,
		 bool copies)
{
	struct uvm_want want =
		uvm_want_of(pages, s->cause == UVM_FAULT ? wanted : &nothing, s->cause, copies);

	s->t = uvm_make_resident(s->u, s->b, s->g->device, &want, s->t);
	s->ready = gs_max(s->ready, s->b->side[s->g->device].in);
}

static void copy(struct service *s)
{
	u16 device = s->g->device;
	struct gm_bitmap want = bits_andnot(&s->c.copy, &s->b->side[device].resident), more;

	if (!bits_any(&want))
		return;
	more = come_along(s->u, s->b, device, &want);
	more = bits_and(&more, &s->b->extra->read_mostly);
	bits_set(&more, &want);
	come(s, &more, &want, true);
}

/* Copies elsewhere are unmapped and dropped: a write is to be. */
static void drop_others(struct service *s, const struct gm_bitmap *pages)
{
	struct gm_bitmap shared = bits_and(pages, &s->b->extra->copied), cpu;

	if (!bits_any(&shared))
		return;
	cpu = bits_and(&shared, &s->b->cpu);
	if (bits_any(&cpu))
		s->t += s->u->p->unmap + bits_count(&cpu) * s->u->p->unmap_page;
	s->t += s->u->p->evict;
	uvm_collapse(s->u, s->b, &shared, s->g->device);
}

static void bring(struct service *s)
{
	u16 device = s->g->device;
	struct gm_bitmap want = *uvm_chosen(s->u, &s->c, device), more;

	if (!bits_any(&want))
		return;
	drop_others(s, &want);
	bits_clear(&want, &s->b->side[device].resident);
	if (!bits_any(&want)) { /* a right was missing, not the page */
		s->t += s->u->p->block + s->u->p->pte;
		return;
	}
	more = come_along(s->u, s->b, device, &want);
	bits_clear(&more, &s->b->extra->copied);
	bits_clear(&more, &s->b->extra->read_mostly);
	bits_set(&more, &want);
	come(s, &more, &want, false);
	uvm_thrash_map(s->u, s->b, &want);
}

/* Content of @pages gets to @place, another than who faulted. */
static void take_to(struct service *s, u16 place, const struct gm_bitmap *pages)
{
	struct gm_bitmap there = uvm_content_at(s->b, place), absent = bits_andnot(pages, &there);
	struct gm_bitmap more;
	struct uvm_want want;

	if (!bits_any(&absent)) {
		s->t += s->u->p->block;
		return;
	}
	more = come_along(s->u, s->b, place, &absent);
	bits_set(&more, &absent);
	if (place != UVM_HOST) {
		uvm_collapse(s->u, s->b, &more, place);
		bits_clear(&more, &s->b->side[place].resident);
		want = uvm_want_of(&more, &nothing, s->cause, false);
		s->t = uvm_make_resident(s->u, s->b, place, &want, s->t);
		return;
	}
	there = uvm_content(s->u, s->b);
	absent = bits_and(&more, &there);
	if (bits_any(&absent)) /* unmap there */
		s->t += s->u->p->evict;
	uvm_thrash_moved(s->u, s->b, UVM_HOST, &absent, s->cause, s->t);
	s->t = uvm_bring_home(s->u, s->b, &more, false, s->t + s->u->p->block);
	s->t = uvm_fill_home(s->u, s->b, &more, s->t);
}

static void map_at(struct service *s, u16 place)
{
	struct gm_bitmap want = *uvm_chosen(s->u, &s->c, place);
	u16 device = s->g->device;

	if (place == device || !bits_any(&want))
		return;
	take_to(s, place, &want);
	if (place == UVM_HOST)
		s->t = uvm_host_in_place(s->u, s->b, device, s->t);
	s->t += s->u->p->pte;
	uvm_map_far(s->u, s->b, device, &want);
	uvm_thrash_map(s->u, s->b, &want);
	s->b->side[device].served = s->t;
	s->ready = gs_max(s->ready, place == UVM_HOST ? s->b->host_ready : s->b->side[place].in);
}

/* What is mapped from afar and was faulted on all the same is not in DRAM. */
static gs_time back_from_ssd(struct uvm_gpu *g, struct uvm_block *b,
			     const struct gm_bitmap *faulted, gs_time t)
{
	struct gm_bitmap far = uvm_authorised(g->u, b, g->device);

	bits_clear(&far, &b->side[g->device].resident);
	far = bits_and(&far, faulted);
	return bits_any(&far) ? uvm_host_in_place(g->u, b, g->device, t) : t;
}

gs_time uvm_serve_extra(struct uvm_gpu *g, struct uvm_block *b, const struct gm_bitmap *faulted,
			enum uvm_cause cause, gs_time t)
{
	struct mm_uvm *u = g->u;
	struct uvm_extra_side *x = &b->extra->side[g->device];
	struct service s = { .u = u, .b = b, .g = g, .cause = cause, .t = t };
	struct gm_bitmap demand = bits_and(faulted, &b->mapped), may;

	uvm_thrash_expire(u, b);
	may = cause == UVM_COUNTER ? b->side[g->device].resident : uvm_authorised(u, b, g->device);
	if (b->hold.tier == HW_SSD && cause == UVM_FAULT)
		s.t = t = back_from_ssd(g, b, &demand, t);
	bits_clear(&demand, &may);
	if (!bits_any(&demand)) {
		bits_clear(&x->wants_write, faulted);
		u->stats.already_there++;
		g->copied = gs_max(g->copied, gs_max(b->side[g->device].in, b->host_ready));
		return t;
	}
	uvm_choose(u, b, g->device, &demand, &x->wants_write, cause, &s.c);
	bits_clear(&demand, &s.c.throttled);
	g->throttled |= bits_any(&s.c.throttled);
	if (!bits_any(&demand))
		return t + u->p->block;
	if (cause == UVM_FAULT)
		u->mm.stats.faults += bits_count(&demand);
	copy(&s);
	bring(&s);
	for (u32 n = 0; n <= u->ndevices; n++)
		map_at(&s, uvm_nth_place(u, n));
	demand = bits_andnot(faulted, &s.c.throttled);
	bits_clear(&x->wants_write, &demand);
	g->copied = gs_max(g->copied, s.ready);
	return s.t;
}

/* ---- prefetch calls ---- */

gs_time uvm_call_extra(struct mm_uvm *u, struct uvm_block *b, u16 device,
		       const struct gm_bitmap *want, gs_time t)
{
	struct gm_bitmap copies = bits_and(want, &b->extra->read_mostly);
	struct gm_bitmap moves = bits_andnot(want, &copies);
	struct uvm_want w = uvm_want_of(&copies, &nothing, UVM_CALL, true);

	uvm_thrash_reset(u, b, want);
	if (w.n)
		t = uvm_make_resident(u, b, device, &w, t);
	w = uvm_want_of(&moves, &nothing, UVM_CALL, false);
	if (!w.n)
		return t;
	uvm_collapse(u, b, &moves, device);
	return uvm_make_resident(u, b, device, &w, t);
}

/* ---- the CPU ---- */

/* What the CPU reaches on devices. */
static struct gm_bitmap cpu_far(const struct mm_uvm *u, const struct uvm_block *b, u8 access)
{
	struct gm_bitmap r = b->extra->cpu_far;

	for (u32 d = 0; u->p->ats && d < u->ndevices; d++) {
		struct gm_bitmap there = uvm_visible(&b->side[d]);

		bits_set(&r, &there);
	}
	if (access & GS_WRITE)
		bits_clear(&r, &b->extra->copied);
	bits_clear(&r, &b->host);
	return r;
}

/* A CPU fault takes along what else of the block its device has, without reason to stay. */
static struct gm_bitmap rest_of_block(const struct mm_uvm *u, const struct uvm_block *b,
				      const struct gm_bitmap *want, bool copies)
{
	const struct gm_bitmap *thrashing = uvm_thrashing(b);
	struct gm_bitmap more = { 0 }, stays = uvm_preferred_elsewhere(u, b, UVM_HOST);

	for (u32 d = 0; d < u->ndevices; d++) {
		struct gm_bitmap here = bits_and(&b->side[d].resident, want);

		if (bits_any(&here))
			bits_set(&more, &b->side[d].resident);
	}
	bits_clear(&more, &b->host);
	bits_clear(&more, &stays);
	if (thrashing)
		bits_clear(&more, thrashing);
	return copies ? bits_and(&more, &b->extra->read_mostly)
		      : bits_andnot(&more, &b->extra->read_mostly);
}

/* Device by device, and waited for: what @all has there comes home. */
static gs_time fetch_home(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *all,
			  bool keep, gs_time t)
{
	for (u32 d = 0; d < u->ndevices; d++) {
		struct gm_bitmap here = bits_and(all, &b->side[d].resident);

		bits_clear(&here, &b->host);
		if (!bits_any(&here))
			continue;
		t += u->p->cpu_fault;
		if (!keep)
			uvm_thrash_moved(u, b, UVM_HOST, &here, UVM_FAULT, t);
		t = uvm_bring_home(u, b, &here, keep, t);
		t = gs_max(t, b->host_ready);
	}
	return t;
}

static gs_time cpu_copies(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *want,
			  gs_time t)
{
	struct gm_bitmap all = rest_of_block(u, b, want, true);

	if (!bits_any(want))
		return t;
	bits_set(&all, want);
	uvm_thrash_reset(u, b, &all);
	t = fetch_home(u, b, &all, true, t);
	return uvm_fill_home(u, b, want, t);
}

static gs_time cpu_moves(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *want,
			 gs_time t)
{
	struct gm_bitmap all = bits_and(want, &b->extra->copied);

	if (!bits_any(want))
		return t;
	if (bits_any(&all))
		t += u->p->evict; /* unmap the copies */
	uvm_collapse(u, b, want, UVM_HOST);
	all = rest_of_block(u, b, want, false);
	bits_set(&all, want);
	t = fetch_home(u, b, &all, false, t);
	t = uvm_fill_home(u, b, want, t);
	uvm_thrash_map(u, b, want);
	return t;
}

/* The CPU maps @want on @device, over a coherent link. */
static gs_time cpu_maps(struct mm_uvm *u, struct uvm_block *b, u16 device,
			const struct gm_bitmap *want, gs_time t)
{
	struct gm_bitmap absent = bits_andnot(want, &b->side[device].resident);
	struct uvm_want w = uvm_want_of(&absent, &nothing, UVM_FAULT, false);

	if (!bits_any(want))
		return t;
	if (w.n) {
		uvm_collapse(u, b, &absent, device);
		t = uvm_make_resident(u, b, device, &w, t);
		t = gs_max(t, b->side[device].in);
	}
	bits_set(&b->extra->cpu_far, want);
	uvm_thrash_map(u, b, want);
	return t;
}

static gs_time cpu_faults(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *need,
			  u8 access, gs_time t, bool *again)
{
	struct gm_bitmap served;
	struct uvm_choice c;

	u->mm.stats.cpu_faults++;
	uvm_choose(u, b, UVM_HOST, need, access & GS_WRITE ? need : &nothing, UVM_FAULT, &c);
	*again = bits_any(&c.throttled);
	served = bits_andnot(need, &c.throttled);
	if (!bits_any(&served)) /* sleeps, as long as its nap is */
		return gs_max(c.until, t + GS_NS);
	t = cpu_copies(u, b, &c.copy, t);
	t = cpu_moves(u, b, uvm_chosen(u, &c, UVM_HOST), t);
	for (u16 d = 0; d < u->ndevices; d++)
		t = cpu_maps(u, b, d, uvm_chosen(u, &c, d), t);
	t = gs_max(t, b->host_ready) + u->p->cpu_map;
	served = bits_and(&served, &b->host);
	bits_set(&b->cpu, &served);
	return *again ? gs_max(c.until, t) : t;
}

gs_time uvm_serve_cpu(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *pages,
		      u8 access, gs_time t, bool *again)
{
	struct gm_bitmap need, far;

	*again = false;
	uvm_thrash_expire(u, b);
	far = cpu_far(u, b, access);
	need = bits_andnot(pages, &far);
	if (access & GS_WRITE)
		far = bits_andnot(&b->cpu, &b->extra->copied);
	else
		far = b->cpu;
	bits_clear(&need, &far);
	if (bits_any(&need))
		t = cpu_faults(u, b, &need, access, t, again);
	if (*again)
		return t;
	far = cpu_far(u, b, access);
	for (u16 d = 0; d < u->ndevices; d++) {
		struct gm_bitmap here = bits_and(&far, &b->side[d].resident);

		here = bits_and(&here, pages);
		bits_clear(&far, &here);
		if (bits_any(&here))
			t += uvm_cpu_far(u, d, bits_count(&here) * UVM_PAGE, access);
	}
	return t;
}
