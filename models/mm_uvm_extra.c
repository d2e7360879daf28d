/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_uvm_extra.c - pages that are mapped from afar, or are in several places
 */
#include <stdlib.h>

#include "models/mm_uvm_extra.h"

struct uvm_extra *uvm_extra_get(struct mm_uvm *u, struct uvm_block *b)
{
	if (b->extra)
		return b->extra;
	b->extra = gs_calloc(1, sizeof(*b->extra) + u->ndevices * sizeof(b->extra->side[0]));
	for (u32 d = 0; d < u->ndevices; d++) {
		b->extra->side[d].block = b;
		b->extra->side[d].device = (u16)d;
	}
	return b->extra;
}

void uvm_extra_fini(struct uvm_block *b)
{
	if (b->extra)
		free(b->extra->thrash);
	free(b->extra);
}

/* ---- who reaches whom ---- */

/* Host memory is reached by every device; a device's only over links made for it. */
bool uvm_can_access(const struct mm_uvm *u, u16 who, u16 place)
{
	return who == place || place == UVM_HOST || uvm_is_near(u, who, place);
}

bool uvm_is_near(const struct mm_uvm *u, u16 who, u16 place)
{
	if (who == place)
		return true;
	return who == UVM_HOST || place == UVM_HOST ? u->p->coherent : u->p->peer_access;
}

/* ---- where content is ---- */

struct gm_bitmap uvm_content_at(const struct uvm_block *b, u16 place)
{
	return place == UVM_HOST ? b->host : b->side[place].resident;
}

struct gm_bitmap uvm_content(const struct mm_uvm *u, const struct uvm_block *b)
{
	struct gm_bitmap r = b->host;

	for (u32 d = 0; d < u->ndevices; d++)
		bits_set(&r, &b->side[d].resident);
	return r;
}

const struct gm_bitmap *uvm_preferred(const struct mm_uvm *u, const struct uvm_block *b, u16 place)
{
	return place == UVM_HOST ? &b->extra->prefer_host : &b->extra->side[place].preferred;
}

struct gm_bitmap uvm_preferred_elsewhere(const struct mm_uvm *u, const struct uvm_block *b,
					 u16 place)
{
	struct gm_bitmap r = { 0 };

	if (place != UVM_HOST)
		r = b->extra->prefer_host;
	for (u32 d = 0; d < u->ndevices; d++)
		if (d != place)
			bits_set(&r, &b->extra->side[d].preferred);
	return r;
}

u16 uvm_place_of(const struct mm_uvm *u, const struct uvm_block *b, u32 page)
{
	u16 d = 0;

	if (b->host.w[page / 64] >> page % 64 & 1)
		return UVM_HOST;
	while (d < u->ndevices && !(b->side[d].resident.w[page / 64] >> page % 64 & 1))
		d++;
	return d < u->ndevices ? d : UVM_NOBODY;
}

/* ---- mappings ---- */

/* What @device has mapped although it is elsewhere. */
static struct gm_bitmap far_of(const struct mm_uvm *u, const struct uvm_block *b, u16 device)
{
	struct gm_bitmap far = b->extra->side[device].far;

	if (u->p->ats) {
		bits_set(&far, &b->host);
		bits_clear(&far, &b->side[device].resident);
	}
	return far;
}

/* Without those that are read-only and are to be written. */
static struct gm_bitmap permitted(const struct uvm_block *b, u16 device, struct gm_bitmap pages)
{
	struct gm_bitmap no = bits_and(&b->extra->copied, &b->extra->side[device].wants_write);

	return bits_andnot(&pages, &no);
}

struct gm_bitmap uvm_authorised(const struct mm_uvm *u, const struct uvm_block *b, u16 device)
{
	struct gm_bitmap r = far_of(u, b, device);

	bits_set(&r, &b->side[device].resident);
	return permitted(b, device, r);
}

/* Content that can be read where it is, by others. */
static struct gm_bitmap arrived(const struct mm_uvm *u, const struct uvm_block *b)
{
	struct gm_bitmap r = { 0 };

	if (b->host_ready <= gs_now(u->mm.sim) && b->hold.tier != HW_SSD)
		r = b->host;
	for (u32 d = 0; d < u->ndevices; d++) {
		struct gm_bitmap there = uvm_visible(&b->side[d]);

		if (b->side[d].flight && gs_now(u->mm.sim) >= b->side[d].in)
			there = b->side[d].resident;
		bits_set(&r, &there);
	}
	return r;
}

struct gm_bitmap uvm_reach(const struct mm_uvm *u, const struct uvm_block *b, u16 device)
{
	struct gm_bitmap far = far_of(u, b, device), there = arrived(u, b), r;

	r = uvm_visible(&b->side[device]);
	far = bits_and(&far, &there);
	bits_set(&r, &far);
	return permitted(b, device, r);
}

void uvm_map_far(struct mm_uvm *u, struct uvm_block *b, u16 device, const struct gm_bitmap *pages)
{
	struct uvm_extra_side *x = &b->extra->side[device];
	struct gm_bitmap fresh = bits_andnot(pages, &b->side[device].resident), content;

	content = uvm_content(u, b);
	fresh = bits_and(&fresh, &content);
	for (u16 d = 0; d < u->ndevices; d++)
		if (!uvm_can_access(u, device, d))
			bits_clear(&fresh, &b->side[d].resident);
	fresh = bits_andnot(&fresh, &x->far);
	u->stats.far_pages += bits_count(&fresh);
	bits_set(&x->far, &fresh);
}

/* Which of the pages are in several places. */
static void find_copies(struct mm_uvm *u, struct uvm_block *b)
{
	struct gm_bitmap once = b->host, twice = { 0 };

	for (u32 d = 0; d < u->ndevices; d++) {
		struct gm_bitmap again = bits_and(&once, &b->side[d].resident);

		bits_set(&twice, &again);
		bits_set(&once, &b->side[d].resident);
	}
	b->extra->copied = twice;
	for (u32 d = 0; d < u->ndevices; d++)
		uvm_resettle(u, b, (u16)d);
}

gs_time uvm_remap(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *pages)
{
	struct uvm_extra *x = b->extra;
	gs_time t = 0;

	bits_clear(&x->cpu_far, pages);
	for (u32 d = 0; d < u->ndevices; d++) {
		struct uvm_extra_side *s = &x->side[d];
		struct gm_bitmap keep = bits_and(pages, &s->accessed_by), had = s->far;

		bits_clear(&s->far, pages);
		if (!bits_any(&keep))
			continue;
		uvm_map_far(u, b, (u16)d, &keep);
		keep = bits_andnot(&s->far, &had);
		if (bits_any(&keep))
			t += u->p->pte;
	}
	find_copies(u, b);
	return t;
}

/* ---- copies ---- */

static void drop_copy(struct mm_uvm *u, struct uvm_block *b, u16 place,
		      const struct gm_bitmap *pages)
{
	if (!bits_any(pages))
		return;
	u->stats.collapsed_pages += bits_count(pages);
	if (place == UVM_HOST) {
		bits_clear(&b->host, pages);
		bits_clear(&b->cpu, pages);
		if (!bits_any(&b->host))
			hw_host_stale(&u->mm.machine->hostmem, &b->hold);
		return;
	}
	uvm_leave(u, b, place, pages, bits_count(pages));
	uvm_sort_chunk(u, b, place);
}

void uvm_collapse(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *pages, u16 keep)
{
	struct gm_bitmap several = bits_and(&b->extra->copied, pages), left = several;

	if (!bits_any(&several))
		return;
	bits_clear(&b->extra->copied, &several);
	for (u32 i = 0; i < u->ndevices + 2; i++) { /* @keep, the host, the devices */
		u16 place = i == 0 ? keep : i == 1 ? UVM_HOST : (u16)(i - 2);
		struct gm_bitmap here, kept;

		if (place == UVM_NOBODY || (i && place == keep))
			continue;
		here = uvm_content_at(b, place);
		here = bits_and(&here, &several);
		kept = bits_and(&here, &left);
		bits_clear(&left, &kept);
		bits_clear(&here, &kept);
		drop_copy(u, b, place, &here);
	}
	uvm_remap(u, b, &several);
}

/* ---- to the host ---- */

static gs_time home_from(struct mm_uvm *u, struct uvm_block *b, u16 device,
			 const struct gm_bitmap *pages, bool keep, gs_time t)
{
	struct uvm_side *s = &b->side[device];
	struct gm_bitmap here = bits_and(pages, &s->resident), dead, live;
	u32 ndead, nlive;

	bits_clear(&here, &b->host);
	if (!bits_any(&here))
		return t;
	dead = bits_and(&here, &s->dead);
	live = bits_andnot(&here, &dead);
	ndead = bits_count(&dead);
	nlive = bits_count(&live);
	if (nlive)
		t = uvm_copy_out(u, b, device, &live, nlive, t, &u->mm.stats.d2h_cpu_bytes);
	u->mm.stats.discarded_bytes += ndead * UVM_PAGE;
	u->content_pages -= ndead;
	if (keep)
		u->stats.copied_pages += nlive;
	uvm_leave(u, b, device, keep ? &dead : &here, keep ? ndead : ndead + nlive);
	uvm_sort_chunk(u, b, device);
	return t;
}

gs_time uvm_bring_home(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *pages,
		       bool keep, gs_time t)
{
	if (b->extra && !keep)
		uvm_collapse(u, b, pages, UVM_HOST);
	for (u16 d = 0; d < u->ndevices; d++)
		t = home_from(u, b, d, pages, keep, t);
	return b->extra ? t + uvm_remap(u, b, pages) : t;
}

gs_time uvm_fill_home(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *pages,
		      gs_time t)
{
	struct gm_bitmap content = uvm_content(u, b), absent = bits_andnot(pages, &content);

	if (!bits_any(&absent))
		return t;
	t = uvm_populate(u, b, &absent, t);
	return b->extra ? t + uvm_remap(u, b, &absent) : t;
}

gs_time uvm_host_in_place(struct mm_uvm *u, struct uvm_block *b, u16 device, gs_time t)
{
	if (b->hold.tier == HW_SSD) {
		t = uvm_host_hold(u, b, true, t, HW_BY_CPU);
		b->host_ready = gs_max(b->host_ready, t);
	}
	return uvm_host_ready(u, b, device, t);
}

void uvm_forget(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *pages)
{
	struct uvm_extra *x = b->extra;

	uvm_thrash_reset(u, b, pages);
	uvm_collapse(u, b, pages, UVM_NOBODY);
	bits_clear(&x->prefer_host, pages);
	bits_clear(&x->read_mostly, pages);
	bits_clear(&x->cpu_far, pages);
	for (u32 d = 0; d < u->ndevices; d++) {
		bits_clear(&x->side[d].preferred, pages);
		bits_clear(&x->side[d].accessed_by, pages);
		bits_clear(&x->side[d].far, pages);
		bits_clear(&x->side[d].wants_write, pages);
	}
}

/* ---- touches from afar ---- */

/* Loads and stores over a link, both ways at once: no copy engine, no set-up. */
static gs_time far_time(const struct mm_uvm *u, const struct hw_link_cfg *l, u64 bytes, u8 access)
{
	u64 bps = access & GS_READ ? l->h2d_bps : l->d2h_bps;

	if (access == (GS_READ | GS_WRITE))
		bps = gs_min(l->h2d_bps, l->d2h_bps);
	return gs_muldiv_up(gs_muldiv_up(bytes, GS_S, bps), 100, u->p->far_rate);
}

gs_time uvm_cpu_far(const struct mm_uvm *u, u16 device, u64 bytes, u8 access)
{
	const struct hw_link_cfg *l = u->mm.machine->links[device].cfg;
	u8 seen_from_device =
		(u8)((access & GS_READ ? GS_WRITE : 0) | (access & GS_WRITE ? GS_READ : 0));

	return far_time(u, l, bytes, seen_from_device);
}

bool uvm_far_touch(struct mm_uvm *u, struct uvm_block *b, struct mm_touch *t)
{
	struct uvm_extra *x = uvm_extra_get(u, b);
	struct gm_bitmap far, ready = arrived(u, b), pages, there;
	u64 end = t->va + t->bytes;
	u32 first, last;
	u16 owner;

	uvm_thrash_expire(u, b);
	pages = uvm_pages_touched(t->va, end);
	first = bits_find(&pages, 0, UVM_PAGES, true);
	last = bits_find(&pages, first, UVM_PAGES, false);
	far = far_of(u, b, t->device);
	far = bits_and(&far, &ready);
	if (t->access & GS_WRITE)
		bits_clear(&far, &x->copied);
	owner = uvm_place_of(u, b, first);
	if (owner == UVM_NOBODY)
		return false;
	there = uvm_content_at(b, owner);
	far = bits_and(&far, &there);
	last = bits_find(&far, first, last, false);
	if (last == first)
		return false;
	t->kind = MM_REMOTE;
	t->covered = gs_min(end, b->va + ((u64)last << UVM_PAGE_SHIFT)) - t->va;
	if (u->p->access_counters) {
		t->covered = gs_min(t->covered, uvm_count_left(u, &x->side[t->device]));
		uvm_count(u, b, t->device, first, t->covered);
	}
	t->cost = far_time(u,
			   owner == UVM_HOST ? u->mm.machine->links[t->device].cfg
					     : u->mm.machine->peers[t->device].cfg,
			   t->covered, t->access);
	u->stats.far_bytes += t->covered;
	return true;
}

/* ---- self-check ---- */

const char *uvm_extra_check(const struct mm_uvm *u, const struct uvm_block *b)
{
	const struct uvm_extra *x = b->extra;
	struct gm_bitmap seen = b->host, several = { 0 }, bad;

	for (u32 d = 0; d < u->ndevices; d++) {
		bad = bits_and(&seen, &b->side[d].resident);
		bits_set(&several, &bad);
		bits_set(&seen, &b->side[d].resident);
		bad = bits_and(&x->side[d].far, &b->side[d].resident);
		if (bits_any(&bad))
			return "a page is mapped from afar and resident";
	}
	for (int i = 0; i < UVM_WORDS; i++)
		if (several.w[i] != x->copied.w[i])
			return "a page is in two places";
	for (u32 d = 0; d < u->ndevices; d++) {
		bad = bits_andnot(&x->side[d].far, &seen);
		if (bits_any(&bad))
			return "a page without content is mapped from afar";
	}
	bad = bits_and(&x->cpu_far, &b->cpu);
	if (bits_any(&bad))
		return "the CPU maps a page in two places";
	bad = bits_andnot(&x->cpu_far, &seen);
	if (bits_any(&bad))
		return "the CPU maps a page without content";
	return uvm_thrash_check(u, b);
}
