/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_uvm.c - NVIDIA UVM: managed memory with faults, density tree and eviction
 *
 * Modelled on the open driver (nvidia-uvm, release 595): what decides, which
 * steps exclude each other and which overlap are its; the times are parameters.
 * Left out: atomics (and so revocations), range groups, confidential computing.
 */
#include <errno.h>
#include <stdlib.h>

#include "models/mm_uvm_extra.h"
#include "models/table.h"

/* What the host has of a block, and nobody else. */
static u64 host_content(void *arg, const struct hw_hold *h)
{
	return bits_count(&gs_container_of(h, struct uvm_block, hold)->host) * UVM_PAGE;
}

static int uvm_init(struct mm *m)
{
	struct mm_uvm *u = uvm_of(m);

	m->machine->hostmem.content = host_content;

	u->p = m->params;
	u->ndevices = m->machine->device.count;
	u->stride = sizeof(struct uvm_block) + u->ndevices * sizeof(struct uvm_side);
	u->records.size = sizeof(struct uvm_record);
	u->flights.size = sizeof(struct uvm_flight);
	u->chosen = gs_calloc(2 * (u->ndevices + 1), sizeof(*u->chosen));
	uvm_thrash_init(u);
	u->gpus = gs_calloc(u->ndevices, sizeof(*u->gpus));
	for (u32 d = 0; d < u->ndevices; d++)
		uvm_gpu_init(u, &u->gpus[d], (u16)d);
	if (u->gpus[0].nr_chunks)
		return 0;
	gs_err("uvm: device memory of %llu bytes does not hold one chunk of 2 MiB; raise "
	       "device.hbm.capacity",
	       hw_hbm_usable(m->machine, UVM_PAGE));
	return -EINVAL;
}

static void uvm_fini(struct mm *m)
{
	struct mm_uvm *u = uvm_of(m);

	for (u32 d = 0; u->gpus && d < u->ndevices; d++)
		uvm_gpu_fini(&u->gpus[d]);
	free(u->gpus);
	free(u->chosen);
	uvm_blocks_fini(u);
}

static u64 uvm_unit(const struct mm *m)
{
	return UVM_PAGE;
}

/* ---- ranges ---- */

static u64 next_block(u64 va)
{
	return (va | (UVM_BLOCK - 1)) + 1;
}

static int uvm_add(struct mm *m, u64 va, u64 bytes)
{
	struct mm_uvm *u = uvm_of(m);

	for (u64 end = va + bytes; va < end; va = next_block(va)) {
		struct uvm_block *b = uvm_block_add(u, va);
		struct gm_bitmap pages = uvm_pages_touched(va, end);

		bits_set(&b->mapped, &pages);
		b->nmapped = bits_count(&b->mapped);
		for (u32 d = 0; d < u->ndevices; d++)
			uvm_resettle(u, b, (u16)d);
	}
	return 0;
}

static void remove_pages(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *pages)
{
	if (b->extra)
		uvm_forget(u, b, pages);
	uvm_host_drop(u, b, pages);
	bits_clear(&b->mapped, pages);
	b->nmapped = bits_count(&b->mapped);
	if (b->host_pages > b->nmapped) {
		u->stats.host_bytes -= (b->host_pages - b->nmapped) * UVM_PAGE;
		b->host_pages = b->nmapped;
		hw_host_shrink(&u->mm.machine->hostmem, &b->hold, b->nmapped * UVM_PAGE);
	}
	for (u16 d = 0; d < u->ndevices; d++) {
		struct gm_bitmap here = bits_and(pages, &b->side[d].resident);
		u32 n = bits_count(&here);

		u->content_pages -= n;
		uvm_leave(u, b, d, &here, n);
		uvm_sort_chunk(u, b, d);
	}
}

/* A page at the edge that another range shares stays. */
static int uvm_remove(struct mm *m, u64 va, u64 bytes, struct mm_done *d)
{
	struct mm_uvm *u = uvm_of(m);

	for (u64 end = va + bytes; va < end; va = next_block(va)) {
		struct uvm_block *b = uvm_block_at(u, va);
		struct gm_bitmap pages;

		if (b && b->leaf && uvm_pages_inside(va, end, &pages))
			remove_pages(u, b, &pages);
	}
	return 0;
}

/* ---- touches ---- */

/* A kernel has reached @pages, all visible. */
static void note_hit(struct mm_uvm *u, struct uvm_block *b, u16 device,
		     const struct gm_bitmap *pages)
{
	struct uvm_side *s = &b->side[device];
	struct gm_bitmap brought = bits_and(&s->brought, pages), dead = bits_and(&s->dead, pages);

	if (!bits_any(&brought) && !bits_any(&dead))
		return;
	u->mm.stats.prefetch_useful += bits_count(&brought);
	bits_clear(&s->brought, &brought);
	bits_clear(&s->dead, &dead); /* written again, so worth a copy again */
	uvm_sort_chunk(u, b, device);
	uvm_resettle(u, b, device);
}

/* Hits within the block at @va; returns where they end. */
static u64 hit_block(struct mm_uvm *u, u16 device, u8 access, u64 va, u64 end)
{
	struct uvm_block *b = uvm_block_at(u, va);
	struct gm_bitmap pages;
	u32 first, last, stop;

	gs_assert(b && b->leaf);
	uvm_arrive(u, b, device);
	uvm_span_touched(va, end, &first, &last);
	stop = uvm_find_visible(&b->side[device], first, last, false);
	if (b->extra && access & GS_WRITE)
		stop = bits_find(&b->extra->copied, first, stop, true);
	if (stop == first)
		return va;
	pages = bits_range(first, stop);
	note_hit(u, b, device, &pages);
	return gs_min(end, b->va + ((u64)stop << UVM_PAGE_SHIFT));
}

/* The long way: far mappings end the run as well, and a write is on record. */
static u32 until_reached(struct mm_uvm *u, struct uvm_block *b, const struct mm_touch *t, u32 first,
			 u32 last)
{
	struct gm_bitmap pages = bits_range(first, last), reach;

	if (t->access & GS_WRITE)
		bits_set(&b->extra->side[t->device].wants_write, &pages);
	reach = uvm_reach(u, b, t->device);
	return bits_find(&reach, first, last, true);
}

/* The run of pages from t->va on that are not here goes on record. */
static void miss(struct mm_uvm *u, struct mm_touch *t)
{
	struct uvm_block *b = uvm_block_at(u, t->va);
	struct uvm_side *s = &b->side[t->device];
	struct gm_bitmap pages;
	u64 end = t->va + t->bytes;
	u32 first, last;

	uvm_span_touched(t->va, end, &first, &last);
	last = b->extra ? until_reached(u, b, t, first, last)
			: uvm_find_visible(s, first, last, true);
	last = (u32)gs_min(last, (u64)first + t->window);
	pages = bits_range(first, last);
	if (bits_any(&s->brought)) {
		struct gm_bitmap late = bits_and(&s->brought, &pages);

		u->mm.stats.prefetch_late += bits_count(&late);
		bits_clear(&s->brought, &late);
	}
	bits_clear(&s->dead, &pages);
	t->kind = MM_MISS;
	t->units = last - first;
	t->covered = gs_min(end, b->va + ((u64)last << UVM_PAGE_SHIFT)) - t->va;
	uvm_fault(&u->gpus[t->device], b, &pages, t->units, t->wait);
}

static void uvm_touch(struct mm *m, struct mm_touch *t)
{
	struct mm_uvm *u = uvm_of(m);
	u64 at = t->va, end = t->va + t->bytes;

	gs_assert(t->device < u->ndevices);
	for (u64 from = ~at; at < end && at != from;) {
		from = at;
		at = uvm_skip_settled(u, t->device, at, end);
		if (at < end)
			at = hit_block(u, t->device, t->access, at, end);
	}
	if (at == t->va) {
		struct uvm_block *b = uvm_block_at(u, at);

		if ((!b->extra && !u->p->ats) || !uvm_far_touch(u, b, t))
			miss(u, t);
		return;
	}
	t->kind = MM_HIT;
	t->covered = at - t->va;
}

/* ---- self-check ---- */

struct census {
	u64 resident, host, content, blocks, chunks;
};

static const char *check_side(struct mm_uvm *u, struct uvm_block *b, u16 device,
			      struct gm_bitmap *seen, struct census *c)
{
	struct uvm_side *s = &b->side[device];
	struct gm_bitmap twice = bits_and(seen, &s->resident), x;

	if (bits_any(&twice) && !b->extra) /* else uvm_extra_check() */
		return "a page is in two places";
	bits_set(seen, &s->resident);
	x = bits_andnot(&s->resident, &b->mapped);
	if (bits_any(&x))
		return "a page that nobody mapped is resident";
	x = s->brought;
	bits_set(&x, &s->dead);
	if (s->flight)
		bits_set(&x, &s->flight->pages);
	bits_clear(&x, &s->resident);
	if (bits_any(&x))
		return "a page is marked that is not resident";
	if (bits_any(&s->resident) && (s->list == UVM_NO_CHUNK || s->list == UVM_UNUSED))
		return "a page is resident without a chunk in use";
	if (s->nresident != bits_count(&s->resident) || b->nmapped != bits_count(&b->mapped))
		return "a block's pages are miscounted";
	c->resident += s->nresident;
	c->chunks += s->list != UVM_NO_CHUNK;
	return NULL;
}

static const char *check_block(struct mm_uvm *u, struct uvm_block *b, struct census *c)
{
	struct gm_bitmap seen = b->host, x = bits_andnot(&b->cpu, &b->host);
	const char *why = NULL;

	if (bits_any(&x))
		return "the CPU maps a page that the host does not hold";
	for (u16 d = 0; d < u->ndevices && !why; d++)
		why = check_side(u, b, d, &seen, c);
	c->content += bits_count(&seen);
	c->host += b->host_pages;
	return why || !b->extra ? why : uvm_extra_check(u, b);
}

static const char *check_sums(struct mm_uvm *u, const struct census *c)
{
	u64 chunks = 0, free_chunks = 0;

	for (u32 d = 0; d < u->ndevices; d++) {
		chunks += u->gpus[d].nr_chunks;
		free_chunks += u->gpus[d].nr_free;
	}
	if (c->chunks + free_chunks != chunks)
		return "chunks are lost";
	if (c->resident * UVM_PAGE != u->mm.stats.hbm_bytes)
		return "hbm_bytes is not what is resident";
	if (c->host * UVM_PAGE != u->stats.host_bytes)
		return "host_bytes is not what the host holds";
	if (c->content != u->content_pages)
		return "content is lost or appeared from nowhere";
	return NULL;
}

static int uvm_check(struct mm *m)
{
	struct mm_uvm *u = uvm_of(m);
	struct census c = { 0 };
	const char *why = NULL;

	for (size_t i = 0; i < u->cap_leaves && !why; i++)
		for (u32 k = 0; u->leaves[i] && k < UVM_LEAF_BLOCKS && !why; k++) {
			struct uvm_block *b = uvm_leaf_block(u, u->leaves[i], k);

			if (b->leaf)
				why = check_block(u, b, &c);
		}
	if (!why)
		why = check_sums(u, &c);
	if (!why)
		return 0;
	gs_err("uvm: self-check: %s", why);
	return -EINVAL;
}

const struct mm_ops mm_uvm = {
	.name = "uvm",
	.help = "NVIDIA UVM: fault batches, density prefetch, least recently migrated leaves",
	.prefix = "manager.uvm",
	.params = mm_uvm_rows,
	.params_size = sizeof(struct mm_uvm_params),
	.state_size = sizeof(struct mm_uvm),
	.stats = mm_uvm_stat_rows,
	.stats_offset = offsetof(struct mm_uvm, stats),
	.init = uvm_init,
	.fini = uvm_fini,
	.add = uvm_add,
	.remove = uvm_remove,
	.touch = uvm_touch,
	.cpu_touch = uvm_cpu_touch,
	.advise = uvm_advise,
	.unit = uvm_unit,
	.check = uvm_check,
};
