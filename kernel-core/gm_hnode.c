// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_hnode.c - frames, and the lists that resident units hang on
 */
#include "gm_pager.h"
#include "gm_policy.h"

#define NO_FRAME U32_MAX

/* Watermarks made for 32 GiB would leave nothing of a small device. */
static void set_watermarks(struct gm_hnode *n)
{
	const struct gm_variant *v = &n->core->variant;
	u64 usable = min(n->cap, n->nr_frames);

	n->low = min(v->wmark_low >> n->core->unit_shift, usable / 8);
	n->high = min(v->wmark_high >> n->core->unit_shift, usable / 4);
}

static int init_lists(struct gm_hnode *n)
{
	u32 i, groups = n->core->variant.evict_groups;

	INIT_LIST_HEAD(&n->guarded);
	INIT_LIST_HEAD(&n->demand);
	INIT_LIST_HEAD(&n->ahead);
	INIT_LIST_HEAD(&n->kick);
	n->bg = kcalloc(groups, sizeof(*n->bg), GFP_KERNEL);
	if (!n->bg)
		return -ENOMEM;
	for (i = 0; i < groups; i++) {
		n->bg[i].node = n;
		INIT_LIST_HEAD(&n->bg[i].victims);
		INIT_LIST_HEAD(&n->bg[i].kick);
	}
	return 0;
}

/* Hand @k more frames to the core.  Their rows are not touched: memory that is
 * never used costs nothing. */
static void import(struct gm_hnode *n, u64 k)
{
	n->imported += k;
	n->nr_free += k;
	n->core->stats.frames_imported += k;
}

static int init_frames(struct gm_hnode *n)
{
	u64 head = n->nr_frames;

	n->frames = kvcalloc(head + 1, sizeof(*n->frames), GFP_KERNEL);
	if (!n->frames)
		return -ENOMEM;
	n->frames[head].next = n->frames[head].prev = (u32)head;
	if (!n->core->variant.thrash_damping)
		return 0;
	n->guard_until = kvcalloc(head, sizeof(*n->guard_until), GFP_KERNEL);
	return n->guard_until ? 0 : -ENOMEM;
}

int gm_hnode_init(struct gm_hnode *n, u64 frames)
{
	const struct gm_params *p = n->core->params;

	n->nr_frames = frames;
	n->cap = p->cap ? min(p->cap >> n->core->unit_shift, frames) : frames;
	n->pin_limit = div_u64(n->cap * p->pin_limit, 100);
	n->free = NO_FRAME;
	if (init_frames(n) || init_lists(n))
		goto fail;
	set_watermarks(n);
	if (!n->core->variant.import_batch)
		import(n, n->cap);
	n->evict = n->core->evictor;
	if (n->evict->init(n))
		goto fail;
	return 0;
fail:
	kfree(n->bg);
	kvfree(n->guard_until);
	kvfree(n->frames);
	return -ENOMEM;
}

void gm_hnode_fini(struct gm_hnode *n)
{
	n->evict->fini(n);
	kfree(n->bg);
	kvfree(n->guard_until);
	kvfree(n->frames);
}

/*
 * What the next import would bring.  OLK-6.6 tests used < cap and then imports a
 * whole batch, so up to a batch less one too many; never beyond the device.
 */
static u64 importable(const struct gm_hnode *n)
{
	u64 batch = n->core->variant.import_batch;

	if (!batch || n->imported >= n->cap)
		return 0;
	if (n->core->variant.cap_enforced)
		return min(batch, n->cap - n->imported);
	return min(batch, n->nr_frames - n->imported);
}

u64 gm_hnode_avail(const struct gm_hnode *n)
{
	return n->nr_free ? n->nr_free : importable(n);
}

u32 gm_hnode_take(struct gm_hnode *n, struct gm_mapping *m, u32 *imported)
{
	struct gm_stats *st = &n->core->stats;
	u32 f;

	if (!n->nr_free) {
		u64 k = importable(n);

		import(n, k);
		*imported += (u32)k;
	}
	f = n->free;
	if (f != NO_FRAME)
		n->free = n->frames[f].next;
	else
		f = (u32)n->fresh++;
	n->frames[f].m = m;
	n->nr_free--;
	n->nr_inflight++;
	st->frames_used++;
	st->frames_peak = max(st->frames_peak, st->frames_used);
	n->peak = max(n->peak, n->imported - n->nr_free);
	return f;
}

void gm_hnode_give(struct gm_hnode *n, u32 frame)
{
	n->frames[frame].m = NULL;
	n->frames[frame].next = n->free;
	n->free = frame;
	n->nr_free++;
	n->nr_inflight--;
	n->core->stats.frames_used--;
}

/* ---- where resident units hang ---------------------------------------- */

static void list_unit(struct gm_hnode *n, struct gm_mapping *m)
{
	m->flags |= GM_MAP_LISTED;
	n->nr_listed++;
	n->evict->insert(n, m);
}

static bool may_guard(const struct gm_hnode *n)
{
	u64 share = n->core->params->thrash_share;

	return n->nr_guarded < div_u64(n->cap * share, 100);
}

static void keep_back(struct gm_hnode *n, struct gm_mapping *m)
{
	u64 lease = div_u64(n->cap * n->core->params->thrash_lease, 100);

	m->flags |= GM_MAP_GUARDED;
	n->guard_until[m->frame] = n->core->evictions + (u32)lease;
	list_add_tail(&m->lru, &n->guarded);
	n->nr_guarded++;
	n->core->stats.guarded++;
	n->core->stats.guards++;
}

void gm_hnode_insert(struct gm_hnode *n, struct gm_mapping *m, bool wanted)
{
	if (m->flags & GM_MAP_PINNED) {
		n->nr_pinned++;
		n->core->stats.frames_pinned++;
	} else if (wanted && may_guard(n)) {
		keep_back(n, m);
	} else {
		list_unit(n, m);
	}
}

void gm_hnode_remove(struct gm_hnode *n, struct gm_mapping *m)
{
	if (m->flags & GM_MAP_LISTED) {
		n->evict->remove(n, m);
		n->nr_listed--;
	} else if (m->flags & GM_MAP_GUARDED) {
		list_del(&m->lru);
		n->nr_guarded--;
		n->core->stats.guarded--;
	} else if (m->flags & GM_MAP_PINNED) {
		n->nr_pinned--;
		n->core->stats.frames_pinned--;
	} else if (!list_empty(&m->lru)) {
		list_del(&m->lru);
		n->nr_isolated--;
		n->core->stats.evict_raced++;
	} else {
		n->nr_stranded--;
	}
	m->flags &= ~(GM_MAP_LISTED | GM_MAP_GUARDED);
	INIT_LIST_HEAD(&m->lru);
}

void gm_hnode_strand(struct gm_hnode *n, struct gm_mapping *m)
{
	n->nr_stranded++;
	n->core->stats.lost_to_policy++;
}

void gm_hnode_hint(struct gm_hnode *n, struct gm_mapping *m)
{
	n->core->stats.hints++;
	if (m->flags & GM_MAP_LISTED) {
		if (n->evict->hint)
			n->evict->hint(n, m);
	} else if (!(m->flags & (GM_MAP_PINNED | GM_MAP_GUARDED))) {
		gm_hnode_remove(n, m);
		list_unit(n, m);
	}
}

/* The oldest guarded unit goes back to the evictor; all leases are equal. */
static bool unguard(struct gm_hnode *n, bool force)
{
	struct gm_mapping *m = list_first_entry_or_null(&n->guarded, struct gm_mapping, lru);

	if (!m)
		return false;
	if (!force && (s32)(n->core->evictions - n->guard_until[m->frame]) < 0)
		return false;
	gm_hnode_remove(n, m);
	list_unit(n, m);
	return true;
}

bool gm_hnode_isolate(struct gm_hnode *n, struct list_head *out, bool front)
{
	struct gm_mapping *m;

	while (unguard(n, false))
		;
	m = n->evict->victim(n);
	if (!m && unguard(n, true))
		m = n->evict->victim(n);
	if (!m)
		return false;
	if (m->flags & GM_MAP_PINNED)
		n->core->stats.broken_pin++;
	gm_hnode_remove(n, m);
	n->nr_isolated++;
	if (front)
		list_add(&m->lru, out);
	else
		list_add_tail(&m->lru, out);
	return true;
}

/* ---- host frames of units on the device ------------------------------- */

/* A ring: who is given up first comes first, dirty ones before clean ones. */
static u32 ring_head(const struct gm_hnode *n)
{
	return (u32)n->nr_frames;
}

static void ring_add(struct gm_hnode *n, u32 frame, u32 before)
{
	struct gm_frame *f = n->frames;

	f[frame].prev = before;
	f[frame].next = f[before].next;
	f[f[frame].next].prev = frame;
	f[before].next = frame;
}

static void ring_del(struct gm_hnode *n, u32 frame)
{
	struct gm_frame *f = n->frames;

	f[f[frame].prev].next = f[frame].next;
	f[f[frame].next].prev = f[frame].prev;
}

void gm_hnode_copy_add(struct gm_hnode *n, struct gm_mapping *m)
{
	u32 head = ring_head(n);

	ring_add(n, m->frame, m->flags & GM_MAP_DIRTY ? head : n->frames[head].prev);
	n->core->stats.host_copies++;
}

void gm_hnode_copy_del(struct gm_hnode *n, struct gm_mapping *m)
{
	ring_del(n, m->frame);
	n->core->stats.host_copies--;
}

void gm_hnode_dirty(struct gm_hnode *n, struct gm_mapping *m)
{
	if (!(m->flags & GM_MAP_DIRTY) && m->flags & GM_MAP_HOSTED) {
		ring_del(n, m->frame);
		ring_add(n, m->frame, ring_head(n));
	}
	m->flags |= GM_MAP_DIRTY;
}

bool gm_core_reuse_copy(struct gm_core *core, u64 *host_frame)
{
	struct gm_mapping *m;
	u32 i;

	for (i = 0; i < core->nr_devs; i++) {
		struct gm_hnode *n = &core->devs[i]->node;

		u32 frame = n->frames[ring_head(n)].next;

		if (frame == ring_head(n))
			continue;
		m = n->frames[frame].m;
		gm_hnode_copy_del(n, m);
		*host_frame = m->host_frame;
		m->flags &= (u8)~GM_MAP_HOSTED;
		m->flags |= GM_MAP_DIRTY;
		core->stats.host_copies_dropped++;
		return true;
	}
	return false;
}
