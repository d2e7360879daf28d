// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_map.c - ranges, their units, and the legal moves of these
 */
#include "gm_pager.h"

/* Row: from, bit: to.  The table in gm_map.h. */
#define TO(s) (1u << GM_##s)
static const u8 legal[GM_NR_STATES] = {
	[GM_NOMAP] = TO(TO_DEVICE) | TO(TO_CPU),
	[GM_CPU] = TO(NOMAP) | TO(TO_DEVICE) | TO(TO_CPU),
	[GM_DEVICE] = TO(TO_CPU) | TO(TO_PEER),
	[GM_TO_DEVICE] = TO(NOMAP) | TO(CPU) | TO(DEVICE),
	[GM_TO_CPU] = TO(NOMAP) | TO(CPU) | TO(DEVICE),
	[GM_TO_PEER] = TO(DEVICE),
};

void gm_set_state(struct gm_mapping *m, u8 to)
{
	struct gm_stats *st = &m->range->as->core->stats;

	if (!(legal[m->state] & (1u << to))) {
		st->broken_move++;
		WARN_ON_ONCE(true);
	}
	st->units[m->state]--;
	st->units[to]++;
	m->state = to;
}

u64 gm_mapping_va(const struct gm_mapping *m)
{
	return m->range->va + (gm_mapping_index(m) << m->range->as->core->unit_shift);
}

u64 gm_range_end(const struct gm_range *r)
{
	return r->va + (r->n << r->as->core->unit_shift);
}

/* The number of ranges that begin at or below @va. */
static u64 ranges_below(const struct gm_as *as, u64 va)
{
	u64 lo = 0, hi = as->nr_ranges;

	while (lo < hi) {
		u64 mid = lo + (hi - lo) / 2;

		if (as->sorted[mid]->va <= va)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool range_has(const struct gm_range *r, u64 va)
{
	return r && va >= r->va && va < gm_range_end(r);
}

static struct gm_range *range_at(struct gm_as *as, u64 va)
{
	u64 i;

	if (likely(range_has(as->last, va)))
		return as->last;
	i = ranges_below(as, va);
	if (!i || !range_has(as->sorted[i - 1], va))
		return NULL;
	as->last = as->sorted[i - 1];
	return as->last;
}

struct gm_mapping *gm_as_find(struct gm_as *as, u64 va)
{
	struct gm_range *r = range_at(as, va);

	return r ? &r->map[(va - r->va) >> as->core->unit_shift] : NULL;
}

void gm_as_gather(struct gm_as *as, const u64 *va, size_t stride, u32 n, struct gm_mapping **out)
{
	u32 i;

	for (i = 0; i < n; i++) {
		out[i] = gm_as_find(as, *va);
		if (out[i])
			prefetchw(out[i]);
		va = (const u64 *)(const void *)((const char *)va + stride);
	}
}

void gm_gather_links(struct gm_mapping *const *m, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++) {
		if (!m[i] || !(m[i]->flags & GM_MAP_LISTED))
			continue;
		prefetchw(m[i]->lru.next);
		prefetchw(m[i]->lru.prev);
	}
}

struct gm_range *gm_as_range_from(struct gm_as *as, u64 va)
{
	struct gm_range *r = range_at(as, va);
	u64 i;

	if (r)
		return r;
	i = ranges_below(as, va);
	return i < as->nr_ranges ? as->sorted[i] : NULL;
}

bool gm_as_is_haunted(const struct gm_mapping *m)
{
	const struct gm_as *as = m->range->as;
	u64 va = gm_mapping_va(m);
	const struct gm_range *r;
	const struct gm_work *w;

	list_for_each_entry(w, &as->dying, as_link)
		list_for_each_entry(r, &w->dying, link) {
			if (r == m->range)
				return false; /* what follows is younger */
			if (range_has(r, va))
				return true;
		}
	return false;
}

/* Room for @more ranges in the sorted array. */
static int ranges_reserve(struct gm_as *as, u64 more)
{
	u64 max = as->max_ranges ? as->max_ranges : 16;
	struct gm_range **sorted;

	if (as->nr_ranges + more <= as->max_ranges)
		return 0;
	while (max < as->nr_ranges + more)
		max *= 2;
	sorted = kvcalloc(max, sizeof(struct gm_range *), GFP_KERNEL);
	if (!sorted)
		return -ENOMEM;
	if (as->nr_ranges)
		memcpy(sorted, as->sorted, as->nr_ranges * sizeof(struct gm_range *));
	kvfree(as->sorted);
	as->sorted = sorted;
	as->max_ranges = max;
	return 0;
}

/* [room is reserved] */
static void range_link(struct gm_range *r)
{
	struct gm_as *as = r->as;
	u64 i = ranges_below(as, r->va);

	memmove(&as->sorted[i + 1], &as->sorted[i],
		(as->nr_ranges - i) * sizeof(struct gm_range *));
	as->sorted[i] = r;
	as->nr_ranges++;
	list_add(&r->link, i ? &as->sorted[i - 1]->link : &as->ranges);
}

static void range_unlink(struct gm_range *r)
{
	struct gm_as *as = r->as;
	u64 i = ranges_below(as, r->va) - 1;

	as->nr_ranges--;
	memmove(&as->sorted[i], &as->sorted[i + 1],
		(as->nr_ranges - i) * sizeof(struct gm_range *));
	list_del_init(&r->link);
	if (as->last == r)
		as->last = NULL;
}

static struct gm_slab *slab_new(u64 n)
{
	/* 2^40 units are more than any machine has; beyond, sizes would wrap */
	if (n > 1ULL << 40)
		return NULL;
	return kvzalloc(sizeof(struct gm_slab) + n * sizeof(struct gm_mapping), GFP_KERNEL);
}

int gm_as_add(struct gm_as *as, u64 va, u64 n)
{
	struct gm_range *next = gm_as_range_from(as, va), *r;
	u64 i;

	if (next && next->va < va + (n << as->core->unit_shift))
		return -EEXIST;
	if (ranges_reserve(as, 1))
		return -ENOMEM;
	r = kzalloc(sizeof(*r), GFP_KERNEL);
	if (!r)
		return -ENOMEM;
	r->slab = slab_new(n);
	if (!r->slab) {
		kfree(r);
		return -ENOMEM;
	}
	r->slab->refs = 1;
	r->as = as;
	r->va = va;
	r->n = n;
	r->map = r->slab->map;
	for (i = 0; i < n; i++) {
		INIT_LIST_HEAD(&r->map[i].lru);
		r->map[i].range = r;
		r->map[i].owner = GM_HOST_NODE;
	}
	as->core->stats.units[GM_NOMAP] += n;
	range_link(r);
	return 0;
}

/* The first @n units of @r stay in it, @tail (allocated) takes the rest. */
static void range_split(struct gm_range *r, struct gm_range *tail, u64 n)
{
	u64 i;

	tail->as = r->as;
	tail->va = r->va + (n << r->as->core->unit_shift);
	tail->n = r->n - n;
	tail->map = r->map + n;
	tail->slab = r->slab;
	tail->slab->refs++;
	r->n = n;
	for (i = 0; i < tail->n; i++)
		tail->map[i].range = tail;
	range_link(tail);
}

int gm_as_cut(struct gm_as *as, u64 va, u64 end, struct list_head *out)
{
	struct gm_range *head = range_at(as, va), *last = range_at(as, end - 1), *r;
	struct gm_range *spare[2] = { NULL, NULL };
	bool split_head = head && head->va < va;
	bool split_last = last && gm_range_end(last) > end;

	if (ranges_reserve(as, 2))
		return -ENOMEM;
	if (split_head)
		spare[0] = kzalloc(sizeof(*r), GFP_KERNEL);
	if (split_last)
		spare[1] = kzalloc(sizeof(*r), GFP_KERNEL);
	if ((split_head && !spare[0]) || (split_last && !spare[1])) {
		kfree(spare[0]);
		kfree(spare[1]);
		return -ENOMEM;
	}
	if (split_last)
		range_split(last, spare[1], (end - last->va) >> as->core->unit_shift);
	if (split_head)
		range_split(head, spare[0], (va - head->va) >> as->core->unit_shift);
	while ((r = gm_as_range_from(as, va)) && r->va < end) {
		range_unlink(r);
		r->dying = true;
		list_add_tail(&r->link, out);
	}
	return 0;
}

/* [its units hold nothing] */
void gm_range_free(struct gm_range *r)
{
	r->as->core->stats.units[GM_NOMAP] -= r->n;
	if (!--r->slab->refs)
		kvfree(r->slab);
	kfree(r);
}
