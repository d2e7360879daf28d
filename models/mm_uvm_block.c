/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_uvm_block.c - VA blocks: which page is where
 *
 * Blocks lie in leaves of one GiB, found by a hash of the address: a job's
 * ranges are dense, address spaces are not.  A leaf has one bit a block and
 * device that says "settled": every page of the block is on the device,
 * arrived, live, and was touched if it had been prefetched.  A touch runs over
 * settled blocks 64 at a time.
 */
#include <stdlib.h>

#include "models/mm_uvm_extra.h"

/* ---- pools ---- */

#define SLAB_OBJECTS 64

void *uvm_pool_get(struct uvm_pool *p)
{
	void *obj = p->idle;

	if (!obj) {
		char *slab = gs_calloc(SLAB_OBJECTS, p->size);

		GS_PUSH_ROOM(p->slabs, p->n, p->cap);
		p->slabs[p->n++] = slab;
		for (int i = 0; i < SLAB_OBJECTS; i++)
			uvm_pool_put(p, slab + (size_t)i * p->size);
		obj = p->idle;
	}
	p->idle = *(void **)obj;
	memset(obj, 0, p->size);
	return obj;
}

void uvm_pool_put(struct uvm_pool *p, void *obj)
{
	*(void **)obj = p->idle;
	p->idle = obj;
}

static void pool_fini(struct uvm_pool *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->slabs[i]);
	free(p->slabs);
	*p = (struct uvm_pool){ 0 };
}

/* ---- leaves ---- */

static size_t slot_of(const struct mm_uvm *u, u64 index)
{
	size_t i = index * 0x9e3779b97f4a7c15ULL >> 20 & (u->cap_leaves - 1);

	while (u->leaves[i] && u->leaves[i]->index != index)
		i = (i + 1) & (u->cap_leaves - 1);
	return i;
}

static struct uvm_leaf *leaf_find(struct mm_uvm *u, u64 index)
{
	struct uvm_leaf *l = u->last;

	if (l && l->index == index)
		return l;
	if (!u->cap_leaves)
		return NULL;
	l = u->leaves[slot_of(u, index)];
	if (l)
		u->last = l;
	return l;
}

static void grow(struct mm_uvm *u)
{
	struct uvm_leaf **old = u->leaves;
	size_t n = u->cap_leaves;

	u->cap_leaves = n ? 2 * n : 64;
	u->leaves = gs_calloc(u->cap_leaves, sizeof(struct uvm_leaf *));
	for (size_t i = 0; i < n; i++)
		if (old[i])
			u->leaves[slot_of(u, old[i]->index)] = old[i];
	free(old);
}

static struct uvm_leaf *leaf_add(struct mm_uvm *u, u64 index)
{
	struct uvm_leaf *l = leaf_find(u, index);

	if (l)
		return l;
	if (2 * u->nleaves >= u->cap_leaves)
		grow(u);
	l = gs_calloc(1, sizeof(*l));
	l->index = index;
	l->settled = gs_calloc((size_t)u->ndevices * UVM_WORDS, sizeof(u64));
	l->blocks = gs_calloc(UVM_LEAF_BLOCKS, u->stride);
	u->leaves[slot_of(u, index)] = l;
	u->nleaves++;
	u->last = l;
	return l;
}

static u32 index_in_leaf(u64 va)
{
	return va >> UVM_BLOCK_SHIFT & (UVM_LEAF_BLOCKS - 1);
}

struct uvm_block *uvm_leaf_block(const struct mm_uvm *u, const struct uvm_leaf *l, u32 i)
{
	return (struct uvm_block *)(l->blocks + i * u->stride);
}

struct uvm_block *uvm_block_at(struct mm_uvm *u, u64 va)
{
	struct uvm_leaf *l = leaf_find(u, va >> UVM_LEAF_SHIFT);

	return l ? uvm_leaf_block(u, l, index_in_leaf(va)) : NULL;
}

struct uvm_block *uvm_block_add(struct mm_uvm *u, u64 va)
{
	struct uvm_leaf *l = leaf_add(u, va >> UVM_LEAF_SHIFT);
	struct uvm_block *b = uvm_leaf_block(u, l, index_in_leaf(va));

	if (b->leaf)
		return b;
	b->leaf = l;
	b->va = va & ~(UVM_BLOCK - 1);
	for (u32 d = 0; d < u->ndevices; d++)
		b->side[d].device = (u16)d;
	return b;
}

void uvm_blocks_fini(struct mm_uvm *u)
{
	for (size_t i = 0; i < u->cap_leaves; i++) {
		if (!u->leaves[i])
			continue;
		for (u32 k = 0; k < UVM_LEAF_BLOCKS; k++)
			uvm_extra_fini(uvm_leaf_block(u, u->leaves[i], k));
		free(u->leaves[i]->settled);
		free(u->leaves[i]->blocks);
		free(u->leaves[i]);
	}
	free(u->leaves);
	pool_fini(&u->records);
	pool_fini(&u->flights);
	pool_fini(&u->jobs);
}

/* ---- addresses ---- */

static u32 page_of(u64 va)
{
	return (va & (UVM_BLOCK - 1)) >> UVM_PAGE_SHIFT;
}

/* Bytes of [va, end) that lie in the block of @va. */
static u64 cut(u64 va, u64 end)
{
	return gs_min(end, (va | (UVM_BLOCK - 1)) + 1) - va;
}

void uvm_span_touched(u64 va, u64 end, u32 *first, u32 *last)
{
	*first = page_of(va);
	*last = page_of(va + cut(va, end) - 1) + 1;
}

struct gm_bitmap uvm_pages_touched(u64 va, u64 end)
{
	u32 first, last;

	uvm_span_touched(va, end, &first, &last);
	return bits_range(first, last);
}

bool uvm_pages_inside(u64 va, u64 end, struct gm_bitmap *out)
{
	u64 block = va & ~(UVM_BLOCK - 1);
	u64 first = (va - block + UVM_PAGE - 1) >> UVM_PAGE_SHIFT;
	u64 last = (va - block + cut(va, end)) >> UVM_PAGE_SHIFT;

	if (first >= last)
		return false;
	*out = bits_range((u32)first, (u32)last);
	return true;
}

/* ---- settled blocks ---- */

void uvm_resettle(struct mm_uvm *u, struct uvm_block *b, u16 device)
{
	struct uvm_side *s = &b->side[device];
	u64 *word = &b->leaf->settled[device * UVM_WORDS + index_in_leaf(b->va) / 64];
	u64 bit = 1ULL << index_in_leaf(b->va) % 64;

	if (b->extra && bits_any(&b->extra->copied))
		*word &= ~bit; /* to be read, not to be written */
	else if (b->nmapped && s->nresident == b->nmapped && !s->flight && !bits_any(&s->brought) &&
		 !bits_any(&s->dead))
		*word |= bit;
	else
		*word &= ~bit;
}

/* End of the run of settled blocks of @l from block @i on. */
static u32 settled_run(const struct uvm_leaf *l, u16 device, u32 i)
{
	const u64 *settled = l->settled + device * UVM_WORDS;
	u64 open = ~settled[i / 64] >> i % 64;

	if (open)
		return i + (u32)__builtin_ctzll(open);
	for (i = (i / 64 + 1) * 64; i < UVM_LEAF_BLOCKS; i += 64)
		if (~settled[i / 64])
			return i + (u32)__builtin_ctzll(~settled[i / 64]);
	return UVM_LEAF_BLOCKS;
}

u64 uvm_skip_settled(struct mm_uvm *u, u16 device, u64 va, u64 end)
{
	while (va < end) {
		struct uvm_leaf *l = leaf_find(u, va >> UVM_LEAF_SHIFT);
		u32 from = index_in_leaf(va), to = l ? settled_run(l, device, from) : from;

		if (to == from)
			break;
		va = (l->index << UVM_LEAF_SHIFT) + ((u64)to << UVM_BLOCK_SHIFT);
		if (to < UVM_LEAF_BLOCKS)
			break;
	}
	return gs_min(va, end);
}

/* ---- where pages are ---- */

u32 uvm_find_visible(const struct uvm_side *s, u32 first, u32 last, bool visible)
{
	struct gm_bitmap arrived;

	if (!s->flight)
		return bits_find(&s->resident, first, last, visible);
	arrived = uvm_visible(s);
	return bits_find(&arrived, first, last, visible);
}

static void flight_end(struct mm_uvm *u, struct uvm_side *s)
{
	gs_cancel(u->mm.sim, &s->flight->ev);
	uvm_pool_put(&u->flights, s->flight);
	s->flight = NULL;
}

static void flight_arrives(struct gs_sim *sim, struct gs_event *ev)
{
	struct uvm_flight *f = gs_container_of(ev, struct uvm_flight, ev);

	uvm_land(f->u, f->block, f->device);
}

void uvm_land(struct mm_uvm *u, struct uvm_block *b, u16 device)
{
	struct uvm_side *s = &b->side[device];

	if (gs_now(u->mm.sim) < s->in)
		return;
	flight_end(u, s);
	uvm_resettle(u, b, device);
}

void uvm_take_off(struct mm_uvm *u, struct uvm_block *b, u16 device, const struct gm_bitmap *pages,
		  bool armed)
{
	struct uvm_side *s = &b->side[device];
	struct uvm_flight *f = s->flight;

	if (!f) {
		f = s->flight = uvm_pool_get(&u->flights);
		f->u = u;
		f->block = b;
		f->device = device;
		f->ev.fn = flight_arrives;
	}
	bits_set(&f->pages, pages);
	armed |= gs_queued(&f->ev);
	gs_cancel(u->mm.sim, &f->ev);
	if (armed)
		gs_at(u->mm.sim, &f->ev, s->in);
}

void uvm_enter(struct mm_uvm *u, struct uvm_block *b, u16 device, const struct gm_bitmap *pages,
	       u32 n)
{
	struct mm_stats *stats = &u->mm.stats;
	struct uvm_side *s = &b->side[device];

	bits_set(&s->resident, pages);
	s->nresident = (u16)(s->nresident + n);
	stats->hbm_bytes += n * UVM_PAGE;
	stats->hbm_peak_bytes = gs_max(stats->hbm_peak_bytes, stats->hbm_bytes);
}

void uvm_leave(struct mm_uvm *u, struct uvm_block *b, u16 device, const struct gm_bitmap *pages,
	       u32 n)
{
	struct uvm_side *s = &b->side[device];
	struct gm_bitmap wasted = bits_and(&s->brought, pages);

	u->mm.stats.prefetch_wasted += bits_count(&wasted);
	u->mm.stats.hbm_bytes -= n * UVM_PAGE;
	s->nresident = (u16)(s->nresident - n);
	bits_clear(&s->resident, pages);
	bits_clear(&s->brought, pages);
	bits_clear(&s->dead, pages);
	if (s->flight) {
		bits_clear(&s->flight->pages, pages);
		if (!bits_any(&s->flight->pages))
			flight_end(u, s);
	}
	uvm_resettle(u, b, device);
}

void uvm_host_drop(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *pages)
{
	struct gm_bitmap gone = bits_and(&b->host, pages);

	u->content_pages -= bits_count(&gone);
	bits_clear(&b->host, &gone);
	bits_clear(&b->cpu, &gone);
}
