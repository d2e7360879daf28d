/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_range.c - chunks that migrate_vma moves: faults, eviction, calls
 *
 * A fault reserves a thread and the link at once, so that its end is known and
 * one event tells the kernel.  A chunk is where it goes, in the books, from that
 * moment; until `ready` nobody touches it and no later move of it begins.
 */
#include <errno.h>
#include <stdlib.h>

#include "models/mm_range.h"

/* Somebody to tell at some time. */
struct range_done {
	struct gs_event ev;
	struct mm_range *r;
	struct mm_wait *wait;
	struct mm_done *done;
	gs_time end[MM_NR_PHASES];
	struct range_done *next;
};

static struct mm_range *of(struct mm *m)
{
	return gs_container_of(m, struct mm_range, mm);
}

/* ---- chunks ---- */

static size_t slot_of(const struct mm_range *r, u64 va)
{
	size_t i = (va / r->c.chunk * 0x9e3779b97f4a7c15ULL >> 20) & (r->cap - 1);

	while (r->slots[i] && r->slots[i]->va != va)
		i = (i + 1) & (r->cap - 1);
	return i;
}

static struct range_chunk *find(struct mm_range *r, u64 va)
{
	return r->cap ? r->slots[slot_of(r, va & ~(r->c.chunk - 1))] : NULL;
}

static void grow(struct mm_range *r)
{
	struct range_chunk **old = r->slots;
	size_t n = r->cap;

	r->cap = n ? 2 * n : 256;
	r->slots = gs_calloc(r->cap, sizeof(*r->slots));
	for (size_t i = 0; i < n; i++)
		if (old[i])
			r->slots[slot_of(r, old[i]->va)] = old[i];
	free(old);
}

static struct range_chunk *chunk_of(struct mm_range *r, u64 va)
{
	struct range_chunk *k;
	size_t i;

	if (2 * r->nchunks >= r->cap)
		grow(r);
	va &= ~(r->c.chunk - 1);
	i = slot_of(r, va);
	if (r->slots[i])
		return r->slots[i];
	k = r->slots[i] = gs_calloc(1, sizeof(*k));
	INIT_LIST_HEAD(&k->lru);
	k->va = va;
	r->nchunks++;
	return k;
}

/* End of the part of [va, end) that lies in one chunk. */
static u64 cut(const struct mm_range *r, u64 va, u64 end)
{
	return gs_min(end, (va | (r->c.chunk - 1)) + 1);
}

static u64 bytes_of(const struct range_chunk *k)
{
	return k->pages * RANGE_PAGE;
}

/* @k goes where @where says; the bytes follow in the books. */
static void put(struct mm_range *r, struct range_chunk *k, enum range_where where, u16 device)
{
	struct mm_stats *s = &r->mm.stats;

	if (k->where == RANGE_DEVICE) {
		list_del_init(&k->lru);
		r->gpus[k->device].nr_free++;
		s->hbm_bytes -= bytes_of(k);
		s->prefetch_wasted += k->brought;
		k->brought = false;
	} else if (k->where == RANGE_HOST) {
		r->stats.host_bytes -= bytes_of(k);
		if (where != RANGE_HOST)
			hw_host_shrink(&r->mm.machine->hostmem, &k->hold, 0);
	}
	k->where = where;
	k->device = device;
	k->remote = false;
	if (where == RANGE_DEVICE) {
		list_add_tail(&k->lru, &r->gpus[device].lru);
		r->gpus[device].nr_free--;
		s->hbm_bytes += bytes_of(k);
		s->hbm_peak_bytes = gs_max(s->hbm_peak_bytes, s->hbm_bytes);
	} else if (where == RANGE_HOST) {
		r->stats.host_bytes += bytes_of(k);
	}
}

/* Host memory for @k, with what is in it, for a copy or for the CPU. */
static gs_time open_host(struct mm_range *r, struct range_chunk *k, gs_time t, enum hw_opener who)
{
	return mm_host_open(&r->mm, &k->hold, bytes_of(k), t, who);
}

/* @k is mapped remotely, or by the CPU, but has left host memory since. */
static bool swapped(const struct range_chunk *k)
{
	return k->where == RANGE_HOST && k->hold.tier == HW_SSD;
}

/* ---- moving ---- */

/* Unmap and remap by the CPU: by huge pages where the chunk is made of them. */
static gs_time remap(struct mm_range *r, const struct range_chunk *k)
{
	if (!r->c.huge || bytes_of(k) % RANGE_HUGE)
		return k->pages * r->c.page;
	r->stats.huge_migrations++;
	return bytes_of(k) / RANGE_HUGE * r->c.huge;
}

/* The thread waits for each window; returns the end of the last. */
static gs_time copy(struct mm_range *r, struct range_chunk *k, enum hw_dir dir, gs_time t)
{
	struct hw_link *l = &r->mm.machine->links[k->device];
	u64 left = bytes_of(k);
	bool huge = r->c.huge && left % RANGE_HUGE == 0;
	gs_time begin = t = open_host(r, k, t, HW_BY_DEVICE);

	while (left) {
		u64 n = gs_min(left, r->c.copy_window);
		gs_time extra = huge ? 0 : n / RANGE_PAGE * r->c.copy_page;

		t = hw_link_send_runs(l, dir, n, 1, extra, t, NULL) + r->c.copy_wait;
		left -= n;
	}
	return mm_host_copied(&r->mm, &k->hold, dir == HW_D2H, bytes_of(k), begin, t);
}

/* A move out of the device by the thread that is at @t; returns where it is then. */
static gs_time move_out(struct mm_range *r, struct range_chunk *k, gs_time t, u64 *bytes)
{
	t = gs_max(t, k->ready) + r->c.evict + remap(r, k);
	t = copy(r, k, HW_D2H, t);
	*bytes += bytes_of(k);
	put(r, k, RANGE_HOST, k->device);
	k->ready = t;
	if (r->c.restore)
		k->restore = t + r->c.restore;
	return t;
}

/* Room for one more chunk on @device. */
static gs_time make_room(struct mm_range *r, u16 device, gs_time t)
{
	struct range_gpu *g = &r->gpus[device];

	if (g->nr_free)
		return t;
	r->mm.stats.evictions++;
	return move_out(r, list_first_entry(&g->lru, struct range_chunk, lru), t,
			&r->mm.stats.d2h_evict_bytes);
}

static gs_time map(struct mm_range *r, const struct range_chunk *k)
{
	return r->c.bind + k->pages * r->c.bind_page;
}

/* The content comes to @device, by the thread that is at @t. */
static gs_time move_in(struct mm_range *r, struct range_chunk *k, u16 device, gs_time t, u64 *bytes)
{
	if (k->where == RANGE_HOST) {
		k->device = device;
		t = copy(r, k, HW_H2D, t + remap(r, k));
		*bytes += bytes_of(k);
	} else { /* migrate_vma fills holes with cleared device pages */
		t += remap(r, k) +
		     gs_muldiv_up(bytes_of(k), GS_S, r->mm.machine->host.device_zero_bps);
		r->mm.stats.zeroed_bytes += bytes_of(k);
	}
	put(r, k, RANGE_DEVICE, device);
	r->stats.migrations++;
	return t;
}

/* Device memory is full: the device reads the host's pages from now on. */
static gs_time map_remote(struct mm_range *r, struct range_chunk *k, u16 device, gs_time t)
{
	t = open_host(r, k, t, HW_BY_CPU);
	if (k->where == RANGE_NOWHERE) {
		t += gs_muldiv_up(bytes_of(k), GS_S, r->mm.machine->host.zero_bps);
		put(r, k, RANGE_HOST, device);
	}
	k->device = device;
	k->remote = true;
	r->stats.remote_maps++;
	return t;
}

/* Bring @k by a thread that begins at @t; the ends of the phases in @end. */
static void bring(struct mm_range *r, struct range_chunk *k, u16 device, gs_time t, u64 *bytes,
		  gs_time end[MM_NR_PHASES])
{
	end[MM_QUEUE] = t;
	t += r->c.entry;
	if (k->where == RANGE_DEVICE) /* of another device: by way of the host */
		t = move_out(r, k, t, &r->mm.stats.d2h_evict_bytes);
	t = gs_max(t, k->restore);
	end[MM_SERVICE] = t;
	if (r->c.remote_pct && !r->gpus[device].nr_free) {
		end[MM_EVICT] = t;
		t = map_remote(r, k, device, t);
	} else {
		t = end[MM_EVICT] = make_room(r, device, t);
		t = move_in(r, k, device, t, bytes);
	}
	end[MM_LINK] = t;
	end[MM_FINISH] = t + map(r, k);
	k->ready = k->mapped = end[MM_FINISH];
}

/* ---- telling ---- */

static void tell(struct gs_sim *sim, struct gs_event *ev)
{
	struct range_done *d = gs_container_of(ev, struct range_done, ev);
	struct mm_wait *wait = d->wait;
	struct mm_done *done = d->done;
	gs_time end[MM_NR_PHASES];

	memcpy(end, d->end, sizeof(end));
	d->next = d->r->idle;
	d->r->idle = d;
	if (wait)
		mm_resolved(wait, 1, end);
	if (done)
		done->fn(done, 0);
}

static struct range_done *teller(struct mm_range *r)
{
	struct range_done *d = r->idle;

	if (d)
		r->idle = d->next;
	else
		d = gs_calloc(1, sizeof(*d));
	*d = (struct range_done){ .ev.fn = tell, .r = r };
	return d;
}

/* ---- touches ---- */

/* The thread that is free first serves, as long as it takes. */
static void fault(struct mm_range *r, struct range_chunk *k, const struct mm_touch *t)
{
	struct range_done *d = teller(r);
	struct hw_pool *pool = &r->gpus[t->device].threads;
	gs_time now = gs_now(r->mm.sim), begin = now;

	if (k->mapped && now < k->mapped + r->c.filter) {
		begin = k->mapped + r->c.filter;
		r->stats.filtered++;
	}
	begin = hw_pool_reserve(pool, gs_max(begin, k->ready), 0);
	r->stats.restores += begin < k->restore;
	bring(r, k, t->device, begin, &r->mm.stats.h2d_demand_bytes, d->end);
	hw_pool_reserve(pool, begin, d->end[MM_FINISH] - begin);
	r->mm.stats.faults++;
	d->wait = t->wait;
	gs_at(r->mm.sim, &d->ev, d->end[MM_FINISH]);
}

/* On its way: told when it is there. */
static void join(struct mm_range *r, struct range_chunk *k, const struct mm_touch *t)
{
	struct range_done *d = teller(r);

	for (int i = 0; i < MM_NR_PHASES; i++)
		d->end[i] = i < MM_LINK ? gs_now(r->mm.sim) : k->ready;
	r->mm.stats.prefetch_late += k->brought;
	k->brought = false;
	d->wait = t->wait;
	gs_at(r->mm.sim, &d->ev, k->ready);
}

static bool reachable(const struct range_chunk *k, u16 device)
{
	return k && k->device == device && (k->where == RANGE_DEVICE || k->remote) && !swapped(k);
}

/* Hits from t->va on; returns where they end. */
static u64 hits(struct mm_range *r, const struct mm_touch *t)
{
	u64 va = t->va, end = va + t->bytes;
	gs_time now = gs_now(r->mm.sim);

	while (va < end) {
		struct range_chunk *k = find(r, va);

		if (!reachable(k, t->device) || k->remote || k->ready > now)
			break;
		r->mm.stats.prefetch_useful += k->brought;
		k->brought = false;
		va = cut(r, va, end);
	}
	return va;
}

static gs_time remote_cost(const struct mm_range *r, u16 device, u64 bytes)
{
	return gs_muldiv_up(hw_link_time(&r->mm.machine->links[device], HW_H2D, bytes), 100,
			    r->c.remote_pct);
}

void range_touch(struct mm *m, struct mm_touch *t)
{
	struct mm_range *r = of(m);
	u64 at = hits(r, t);
	struct range_chunk *k;

	t->kind = MM_HIT;
	t->covered = at - t->va;
	if (t->covered)
		return;
	k = find(r, t->va);
	gs_assert(k);
	t->covered = cut(r, t->va, t->va + t->bytes) - t->va;
	if (reachable(k, t->device) && k->ready <= gs_now(m->sim)) {
		t->kind = MM_REMOTE;
		open_host(r, k, gs_now(m->sim), HW_BY_CPU); /* it is in use */
		t->cost = remote_cost(r, t->device, t->covered);
		return;
	}
	t->kind = MM_MISS;
	t->units = 1;
	if (reachable(k, t->device))
		join(r, k, t);
	else
		fault(r, k, t);
}

/* ---- the host thread ---- */

/* Answer at @t, if that is not now. */
static int answer(struct mm_range *r, gs_time t, struct mm_done *done)
{
	struct range_done *d;

	if (t <= gs_now(r->mm.sim))
		return 0;
	d = teller(r);
	d->done = done;
	gs_at(r->mm.sim, &d->ev, t);
	return -EINPROGRESS;
}

int range_cpu_touch(struct mm *m, u64 va, u64 bytes, u8 access, struct mm_done *d)
{
	struct mm_range *r = of(m);
	gs_time t = gs_now(m->sim);

	for (u64 end = va + bytes; va < end; va = cut(r, va, end)) {
		struct range_chunk *k = find(r, va);

		if (!k)
			continue;
		if (k->where == RANGE_HOST) {
			t = open_host(r, k, t + (swapped(k) ? r->c.cpu_fault : 0), HW_BY_CPU);
			if (access & GS_WRITE)
				hw_host_written(&m->machine->hostmem, &k->hold);
			continue;
		}
		m->stats.cpu_faults++;
		if (k->where == RANGE_NOWHERE) {
			t = open_host(r, k, t, HW_BY_CPU);
			t += gs_muldiv_up(bytes_of(k), GS_S, m->machine->host.zero_bps);
			put(r, k, RANGE_HOST, 0);
			continue;
		}
		t = gs_max(t, k->mapped + r->c.timeslice) + r->c.cpu_fault;
		t = move_out(r, k, t, &m->stats.d2h_cpu_bytes);
	}
	return answer(r, t, d);
}

static int prefetch(struct mm_range *r, u16 device, u64 va, u64 bytes, struct mm_done *d)
{
	struct hw_server *caller = &r->gpus[device].caller;
	gs_time begin = gs_max(gs_now(r->mm.sim), caller->free_at), end[MM_NR_PHASES];

	end[MM_FINISH] = begin;
	for (u64 stop = va + bytes; va < stop; va = cut(r, va, stop)) {
		struct range_chunk *k = find(r, va);

		if (!k || reachable(k, device))
			continue;
		bring(r, k, device, gs_max(end[MM_FINISH], k->ready),
		      &r->mm.stats.h2d_prefetch_bytes, end);
		k->brought = k->where == RANGE_DEVICE;
		r->mm.stats.prefetched_bytes += bytes_of(k);
	}
	hw_reserve(caller, begin, end[MM_FINISH] - begin);
	return answer(r, end[MM_FINISH], d);
}

int range_advise(struct mm *m, u16 device, u8 advice, u64 va, u64 bytes, struct mm_done *d)
{
	return advice == GS_ADV_PREFETCH ? prefetch(of(m), device, va, bytes, d) : -EOPNOTSUPP;
}

/* ---- ranges ---- */

static u32 pages_in(u64 va, u64 end)
{
	return (u32)((end + RANGE_PAGE - 1) / RANGE_PAGE - va / RANGE_PAGE);
}

/* The job has @pages more of @k, or fewer; content grows and shrinks with it. */
static void resize(struct mm_range *r, struct range_chunk *k, u32 pages)
{
	u64 old = bytes_of(k), bytes = pages * RANGE_PAGE;

	if (!pages)
		put(r, k, RANGE_NOWHERE, 0);
	k->pages = pages;
	if (k->where == RANGE_DEVICE) {
		r->mm.stats.hbm_bytes += bytes - old;
	} else if (k->where == RANGE_HOST) {
		r->stats.host_bytes += bytes - old;
		if (bytes > old)
			open_host(r, k, gs_now(r->mm.sim), HW_BY_CPU);
		else
			hw_host_shrink(&r->mm.machine->hostmem, &k->hold, bytes);
	}
}

int range_add(struct mm *m, u64 va, u64 bytes)
{
	struct mm_range *r = of(m);

	for (u64 end = va + bytes; va < end; va = cut(r, va, end)) {
		struct range_chunk *k = chunk_of(r, va);

		resize(r, k, k->pages + pages_in(va, cut(r, va, end)));
	}
	return 0;
}

/* A page that two ranges share was counted for each. */
int range_remove(struct mm *m, u64 va, u64 bytes, struct mm_done *d)
{
	struct mm_range *r = of(m);

	for (u64 end = va + bytes; va < end; va = cut(r, va, end)) {
		struct range_chunk *k = find(r, va);

		if (k)
			resize(r, k,
			       k->pages - (u32)gs_min(k->pages, pages_in(va, cut(r, va, end))));
	}
	return 0;
}

u64 range_unit(const struct mm *m)
{
	return gs_container_of(m, struct mm_range, mm)->c.chunk;
}

/* ---- life ---- */

int range_init(struct mm_range *r)
{
	struct mm *m = &r->mm;
	u64 chunks = hw_hbm_usable(m->machine, r->c.chunk) / r->c.chunk;

	if (r->c.chunk & (r->c.chunk - 1) || r->c.chunk < RANGE_PAGE || !chunks) {
		gs_err("%s: a chunk of %llu bytes is no power of two, or device memory does not "
		       "hold one; set the chunk, or raise device.hbm.capacity",
		       m->ops->name, r->c.chunk);
		return -EINVAL;
	}
	r->ndevices = m->machine->device.count;
	r->gpus = gs_calloc(r->ndevices, sizeof(*r->gpus));
	for (u32 d = 0; d < r->ndevices; d++) {
		struct range_gpu *g = &r->gpus[d];

		INIT_LIST_HEAD(&g->lru);
		g->nr_chunks = g->nr_free = chunks;
		hw_pool_init(&g->threads, r->c.threads);
	}
	return 0;
}

void range_fini(struct mm *m)
{
	struct mm_range *r = of(m);

	for (u32 d = 0; r->gpus && d < r->ndevices; d++)
		hw_pool_fini(&r->gpus[d].threads);
	free(r->gpus);
	for (size_t i = 0; i < r->cap; i++)
		free(r->slots[i]);
	free(r->slots);
	while (r->idle) {
		struct range_done *d = r->idle;

		r->idle = d->next;
		free(d);
	}
}

int range_check(struct mm *m)
{
	struct mm_range *r = of(m);
	u64 device = 0, host = 0, taken = 0, chunks = 0;

	for (size_t i = 0; i < r->cap; i++) {
		const struct range_chunk *k = r->slots[i];

		if (!k)
			continue;
		device += k->where == RANGE_DEVICE ? bytes_of(k) : 0;
		host += k->where == RANGE_HOST ? bytes_of(k) : 0;
		taken += k->where == RANGE_DEVICE;
	}
	for (u32 d = 0; d < r->ndevices; d++)
		chunks += r->gpus[d].nr_chunks - r->gpus[d].nr_free;
	if (device == m->stats.hbm_bytes && host == r->stats.host_bytes && taken == chunks)
		return 0;
	gs_err("%s: self-check: the books are not what is there", m->ops->name);
	return -EINVAL;
}

#define S struct mm_range_stats

const struct gm_stat mm_range_stat_rows[] = {
	GM_COUNT(S, migrations, GM_NONE, "Chunks moved to a device"),
	GM_COUNT(S, huge_migrations, GM_NONE, "... or off one, as huge pages"),
	GM_COUNT(S, restores, GM_NONE, "Faults that waited for queues to be restored"),
	GM_COUNT(S, filtered, GM_NONE, "Faults that were dropped as duplicates"),
	GM_COUNT(S, remote_maps, GM_NONE, "Chunks mapped in host memory"),
	GM_GAUGE(S, host_bytes, GM_BYTES, "Host memory held"),
	GM_STAT_END
};
GM_STATS_COMPLETE(S, mm_range_stat_rows, 0);
