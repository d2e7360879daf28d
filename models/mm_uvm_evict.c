/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_uvm_evict.c - chunks of device memory, and who leaves
 *
 * Device memory is handed out in root chunks of 2 MiB, one a block (uvm_pmm_gpu.c).
 * When none is free the head of the lists UNUSED, DISCARDED, USED leaves.  Only
 * a service moves a chunk to the tail of USED: hits are not seen, so the order
 * is that of the last migration.  Everything resident and not discarded is
 * copied back; there is no dirty bit.
 */
#include "models/mm_uvm_extra.h"

void uvm_relist(struct mm_uvm *u, struct uvm_block *b, u16 device, enum uvm_list list)
{
	struct uvm_side *s = &b->side[device];
	struct uvm_gpu *g = &u->gpus[device];

	if (s->list != UVM_NO_CHUNK)
		list_del(&s->lru);
	if (list != UVM_NO_CHUNK)
		list_add_tail(&s->lru, &g->lists[list]);
	else if (s->list != UVM_NO_CHUNK)
		g->nr_free++;
	s->list = list;
}

void uvm_sort_chunk(struct mm_uvm *u, struct uvm_block *b, u16 device)
{
	struct uvm_side *s = &b->side[device];
	struct gm_bitmap live = bits_andnot(&s->resident, &s->dead);
	enum uvm_list list = UVM_USED;

	if (s->list == UVM_NO_CHUNK)
		return;
	if (!bits_any(&s->resident))
		list = bits_any(&b->mapped) ? UVM_UNUSED : UVM_NO_CHUNK;
	else if (!bits_any(&live))
		list = UVM_DISCARDED;
	if (list != s->list)
		uvm_relist(u, b, device, list);
}

/* Host pages, once taken, stay while the data is on a device (uvm_va_block.c). */
gs_time uvm_host_hold(struct mm_uvm *u, struct uvm_block *b, bool scattered, gs_time t,
		      enum hw_opener who)
{
	u32 pages = b->nmapped;

	t = mm_host_open(&u->mm, &b->hold, gs_max(pages, b->host_pages) * UVM_PAGE, t, who);
	if (b->host_pages >= pages)
		return t;
	scattered |= !u->p->cpu_chunk_huge;
	u->stats.host_bytes += (pages - b->host_pages) * UVM_PAGE;
	b->host_pages = pages;
	b->scattered |= scattered;
	return t + (scattered ? 0 : u->mm.machine->host.alloc_huge_ps);
}

/* Host pages are mapped for DMA once, when a device first meets them. */
static gs_time dma_map(struct mm_uvm *u, struct uvm_block *b, u16 device)
{
	if (b->dma_mapped >> device & 1)
		return 0;
	b->dma_mapped |= 1ULL << device;
	u->stats.dma_maps++;
	return b->nmapped * u->p->dma_page;
}

gs_time uvm_host_ready(struct mm_uvm *u, struct uvm_block *b, u16 device, gs_time t)
{
	return uvm_host_hold(u, b, false, t, HW_BY_DEVICE) + dma_map(u, b, device);
}

gs_time uvm_host_copy(struct mm_uvm *u, struct uvm_block *b, u16 device, enum hw_dir dir, u32 n,
		      u32 runs, gs_time earliest)
{
	struct hw_link *l = &u->mm.machine->links[device];
	gs_time extra = 0, start, end;

	if (b->scattered && l->curve)
		runs = n; /* the curve knows what small transfers take */
	else if (b->scattered)
		extra = n * u->p->copy_page;
	end = hw_link_send_runs(l, dir, n * UVM_PAGE, runs, extra, earliest, &start);
	return mm_host_copied(&u->mm, &b->hold, dir == HW_D2H, n * UVM_PAGE, start, end);
}

gs_time uvm_copy_out(struct mm_uvm *u, struct uvm_block *b, u16 device,
		     const struct gm_bitmap *pages, u32 n, gs_time t, u64 *bytes)
{
	struct uvm_side *s = &b->side[device];
	u32 runs = bits_runs(pages);

	t = uvm_host_ready(u, b, device, t) + runs * u->p->push;
	/* what is still on its way in has to arrive first */
	s->out = uvm_host_copy(u, b, device, HW_D2H, n, runs, gs_max(t, s->in));
	b->host_ready = gs_max(b->host_ready, s->out);
	bits_set(&b->host, pages);
	*bytes += n * UVM_PAGE;
	return t;
}

static struct uvm_side *victim(struct uvm_gpu *g)
{
	for (u32 i = UVM_UNUSED; i < UVM_NR_LISTS; i++)
		if (!list_empty(&g->lists[i]))
			return list_first_entry(&g->lists[i], struct uvm_side, lru);
	gs_assert(!"a full device has a chunk to evict");
	return NULL;
}

/*
 * Mappings follow what was evicted, in a work item behind the service: of those
 * it is accessed by, and with access counters of the device that it left.
 */
static void remap_evicted(struct mm_uvm *u, struct uvm_block *b, u16 device,
			  const struct gm_bitmap *pages)
{
	bool left_behind = u->p->access_counters && u->p->map_on_eviction;

	if (left_behind)
		uvm_extra_get(u, b);
	if (!b->extra)
		return;
	uvm_remap(u, b, pages);
	if (left_behind)
		uvm_map_far(u, b, device, pages);
}

/* Empty one chunk from @t on; returns when the CPU is done, *room when the copy is. */
static gs_time evict(struct uvm_gpu *g, gs_time t, gs_time *room)
{
	struct mm_uvm *u = g->u;
	struct uvm_side *s = victim(g);
	struct uvm_block *b = uvm_side_block(s);
	struct gm_bitmap all = s->resident, live = bits_andnot(&all, &s->dead), copies;
	gs_time begin = gs_max(t, g->pmm.free_at), end = begin + u->p->alloc_failed + u->p->evict;
	u32 n = s->nresident, nlive = bits_count(&live), dead = n - nlive;

	if (b->extra) { /* there is another one */
		copies = bits_and(&live, &b->extra->copied);
		bits_clear(&live, &copies);
		nlive = bits_count(&live);
		u->mm.stats.clean_drops += !nlive && bits_any(&copies);
	}
	if (nlive)
		end = uvm_copy_out(u, b, g->device, &live, nlive, end,
				   &u->mm.stats.d2h_evict_bytes);
	*room = gs_max(s->in, s->out);
	u->mm.stats.discarded_bytes += dead * UVM_PAGE;
	u->content_pages -= dead;
	uvm_leave(u, b, g->device, &all, n);
	uvm_relist(u, b, g->device, UVM_NO_CHUNK);
	remap_evicted(u, b, g->device, &all);
	u->mm.stats.evictions++;
	hw_reserve(&g->pmm, t, end - begin);
	return end;
}

gs_time uvm_take_chunk(struct mm_uvm *u, struct uvm_block *b, u16 device, gs_time t, gs_time *room)
{
	struct uvm_gpu *g = &u->gpus[device];

	*room = 0;
	if (!g->nr_free) {
		t = evict(g, t, room);
		/* NV_ERR_MORE_PROCESSING_REQUIRED: the block's service starts again */
		t += u->p->block;
		u->stats.restarts++;
	}
	g->nr_free--;
	u->stats.chunk_allocs++;
	uvm_relist(u, b, device, UVM_USED);
	return t + u->p->chunk;
}
