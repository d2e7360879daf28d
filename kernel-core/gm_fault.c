// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_fault.c - accesses of devices and of the CPU
 */
#include "gm_pager.h"
#include "gm_policy.h"

struct gm_ctx *gm_as_ctx(const struct gm_as *as, const struct gm_dev *dev)
{
	struct gm_ctx *ctx;

	list_for_each_entry(ctx, &as->ctxs, link)
		if (ctx->dev == dev)
			return ctx;
	return NULL;
}

/* ---- prefetchers ------------------------------------------------------ */

static void fetch_spans(struct gm_ctx *ctx, struct gm_range *r, const struct gm_span *spans, u32 n)
{
	u32 shift = ctx->core->unit_shift, i;

	for (i = 0; i < n; i++) {
		u64 first = min(spans[i].first, r->n), k = min(spans[i].n, r->n - first);

		if (k)
			gm_prefetch_span(ctx->as, ctx->dev, r->va + (first << shift),
					 r->va + ((first + k) << shift));
	}
}

static void policy_fault(struct gm_ctx *ctx, struct gm_mapping *m)
{
	struct gm_span spans[GM_MAX_SPANS];

	if (ctx->prefetcher->on_fault)
		fetch_spans(ctx, m->range, spans,
			    ctx->prefetcher->on_fault(ctx, m->range, gm_mapping_index(m), spans));
}

void gm_prefetch_hit(struct gm_ctx *ctx, struct gm_mapping *m)
{
	struct gm_span spans[GM_MAX_SPANS];

	if (ctx->prefetcher->on_hit)
		fetch_spans(ctx, m->range, spans,
			    ctx->prefetcher->on_hit(ctx, m->range, gm_mapping_index(m), spans));
}

/* ---- touches ---------------------------------------------------------- */

/* What a touch changes besides the evictor's order; rare. */
static void touch_flags(struct gm_ctx *ctx, struct gm_mapping *m, bool write)
{
	struct gm_stats *st = &ctx->core->stats;

	if (write)
		gm_hnode_dirty(&ctx->dev->node, m);
	if (m->flags & GM_MAP_PREFETCHED) {
		m->flags &= (u8)~GM_MAP_PREFETCHED;
		st->prefetch_useful++;
		gm_prefetch_hit(ctx, m);
	}
}

/* A device access; false: @m is not there. */
static inline bool touch_unit(struct gm_ctx *ctx, struct gm_mapping *m, bool write)
{
	struct gm_hnode *node = &ctx->dev->node;
	u8 care = (u8)(GM_MAP_PREFETCHED | (write ? GM_MAP_DIRTY : 0));
	u8 good = write ? GM_MAP_DIRTY : 0;

	if (m->state != GM_DEVICE || m->owner != gm_dev_node(ctx->dev))
		return false;
	if (unlikely((m->flags & care) != good))
		touch_flags(ctx, m, write);
	if (node->evict->touch && (m->flags & GM_MAP_LISTED))
		node->evict->touch(node, m);
	return true;
}

static u64 touch_run(struct gm_ctx *ctx, struct gm_mapping *m, u64 n, bool write)
{
	u64 i;

	for (i = 0; i < n; i++)
		if (!touch_unit(ctx, &m[i], write))
			break;
	return i;
}

u64 gm_dev_touch(struct gm_ctx *ctx, u64 va, u64 n, bool write)
{
	struct gm_core *core = ctx->core;
	u64 done = 0;

	while (done < n) {
		struct gm_mapping *m = gm_as_find(ctx->as, va + (done << core->unit_shift));
		u64 k, got;

		if (!m)
			break;
		k = min(n - done, m->range->n - gm_mapping_index(m));
		got = touch_run(ctx, m, k, write);
		done += got;
		if (got < k)
			break;
	}
	gm_run(core); /* prefetches that hits have asked for */
	return done;
}

#define AT_ONCE 32 /* enough to hide the way to memory */

/* While some are touched, the next are on their way from memory. */
u32 gm_dev_touch_each(struct gm_ctx *ctx, const u64 *access, u32 n)
{
	struct gm_mapping *units[2][AT_ONCE];
	bool relinks = ctx->dev->node.evict->relinks;
	u32 i, j, k = min(n, (u32)AT_ONCE), more, turn = 0;

	gm_as_gather(ctx->as, access, sizeof(*access), k, units[0]);
	for (i = 0; i < n; i += k, k = more, turn ^= 1) {
		if (relinks)
			gm_gather_links(units[turn], k);
		more = min(n - i - k, (u32)AT_ONCE);
		gm_as_gather(ctx->as, access + i + k, sizeof(*access), more, units[turn ^ 1]);
		for (j = 0; j < k; j++) {
			struct gm_mapping *m = units[turn][j];

			if (!m || !touch_unit(ctx, m, access[i + j] & GM_ACCESS_WRITE))
				goto out;
		}
	}
	j = 0;
out:
	gm_run(ctx->core); /* prefetches that hits have asked for */
	return i + j;
}

/* ---- device faults ---------------------------------------------------- */

/* A fault on a unit that moves already, wherever that goes to. */
static int join_dev(struct gm_ctx *ctx, struct gm_mapping *m, bool write, struct gm_waiter *w)
{
	struct gm_txn *t = m->txn;
	struct gm_stats *st = &ctx->core->stats;

	st->fault_joined++;
	gm_txn_wait(t, w, m, gm_dev_node(ctx->dev), write);
	if (t->cause == GM_CAUSE_PREFETCH && t->dest == gm_dev_node(ctx->dev) && !t->demand) {
		bool first = !t->late;

		t->late = true;
		gm_frames_promote(t->leader);
		if (first && !t->pin) {
			st->prefetch_late++;
			gm_prefetch_hit(ctx, m);
		}
	}
	return -EINPROGRESS;
}

/* The move that brings @m to @dev, or as far as the host. */
static struct gm_txn *fetch(struct gm_mapping *m, struct gm_dev *dev, bool via_host)
{
	struct gm_core *core = dev->core;

	switch (m->state) {
	case GM_NOMAP:
		core->stats.dev_fault_zero++;
		return gm_txn_new(m, GM_C_DEV_ZERO, GM_CAUSE_DEV_FAULT, dev);
	case GM_CPU:
		core->stats.dev_fault_fetch++;
		return gm_txn_new(m, GM_C_DEV_FETCH, GM_CAUSE_DEV_FAULT, dev);
	default:
		core->stats.dev_fault_peer++;
		if (core->variant.d2d && !via_host)
			return gm_txn_new(m, GM_C_PEER, GM_CAUSE_DEV_FAULT, dev);
		return gm_txn_new(m, GM_C_OUT, GM_CAUSE_DEV_FAULT, core->devs[m->owner]);
	}
}

/* Faults of one device share groups: they wait until one may begin. */
static void start_fault(struct gm_txn *t)
{
	struct gm_dev *dev = t->dev;

	if (!t->core->variant.batching || t->kind == GM_C_OUT) {
		gm_txn_start(t);
		return;
	}
	list_add_tail(&t->queue, &dev->faults);
	if (list_empty(&dev->kick))
		list_add_tail(&dev->kick, &dev->core->kicked_devs);
}

int gm_fault_dev(struct gm_as *as, struct gm_dev *dev, u64 va, bool write, struct gm_waiter *w)
{
	struct gm_ctx *ctx = gm_as_ctx(as, dev);
	struct gm_mapping *m = gm_as_find(as, va);
	struct gm_txn *t;

	if (!ctx || ctx->detaching)
		return -ENODEV;
	if (!m)
		return -EFAULT;
	if (gm_in_flight(m))
		return join_dev(ctx, m, write, w);
	if (gm_on_device(m, dev)) {
		dev->core->stats.dev_fault_resident++;
		touch_run(ctx, m, 1, write);
		return 0;
	}
	if (m->state == GM_DEVICE && m->flags & GM_MAP_PINNED)
		return -EBUSY;
	t = fetch(m, dev, w->via_host);
	if (!t)
		return -ENOMEM;
	if (t->dest == gm_dev_node(dev) && dev->node.evict->expect)
		dev->node.evict->expect(&dev->node, m);
	gm_txn_wait(t, w, m, gm_dev_node(dev), write);
	start_fault(t);
	policy_fault(ctx, m);
	return -EINPROGRESS;
}

int gm_dev_fault(struct gm_ctx *ctx, u64 va, bool write, struct gm_waiter *w)
{
	int err;

	w->via_host = false;
	err = gm_fault_dev(ctx->as, ctx->dev, va, write, w);
	if (err && err != -EINPROGRESS)
		ctx->core->stats.dev_fault_failed++;
	gm_run(ctx->core);
	return err;
}

void gm_faults_serve(struct gm_dev *dev)
{
	const struct gm_variant *v = &dev->core->variant;

	while (dev->groups < v->fault_groups && !list_empty(&dev->faults)) {
		struct gm_txn *leader = list_first_entry(&dev->faults, struct gm_txn, queue);
		struct gm_txn *t, *next;

		list_for_each_entry_safe(t, next, &dev->faults, queue) {
			if (leader->n >= v->batch_max)
				break;
			if (t->script != leader->script || t->src != leader->src ||
			    t->m->range->as != leader->m->range->as)
				continue;
			list_del_init(&t->queue);
			if (t != leader)
				gm_txn_group(leader, t);
		}
		list_del_init(&leader->queue);
		leader->slot = true;
		dev->groups++;
		gm_txn_start(leader);
	}
}

/* ---- CPU faults ------------------------------------------------------- */

static struct gm_txn *cpu_fetch(struct gm_mapping *m, struct gm_core *core)
{
	switch (m->state) {
	case GM_NOMAP:
		core->stats.cpu_fault_zero++;
		return gm_txn_new(m, GM_C_CPU_ZERO, GM_CAUSE_CPU_FAULT, NULL);
	case GM_CPU:
		core->stats.cpu_fault_remap++;
		return gm_txn_new(m, GM_C_CPU_REMAP, GM_CAUSE_CPU_FAULT, NULL);
	default:
		core->stats.cpu_fault_fetch++;
		return gm_txn_new(m, GM_C_CPU_FETCH, GM_CAUSE_CPU_FAULT, core->devs[m->owner]);
	}
}

int gm_fault_cpu(struct gm_as *as, u64 va, struct gm_waiter *w)
{
	struct gm_mapping *m = gm_as_find(as, va);
	struct gm_stats *st = &as->core->stats;
	struct gm_txn *t;

	if (!m)
		return -EFAULT;
	if (gm_in_flight(m)) {
		st->fault_joined++;
		gm_txn_wait(m->txn, w, m, GM_HOST_NODE, false);
		return -EINPROGRESS;
	}
	if (m->flags & GM_MAP_CPU_PTE) {
		st->cpu_fault_resident++;
		return 0;
	}
	if (m->flags & GM_MAP_PINNED) {
		st->cpu_fault_pinned++;
		return -EBUSY;
	}
	t = cpu_fetch(m, as->core);
	if (!t)
		return -ENOMEM;
	gm_txn_wait(t, w, m, GM_HOST_NODE, false);
	gm_txn_start(t);
	return -EINPROGRESS;
}

int gm_cpu_fault(struct gm_as *as, u64 va, bool write, struct gm_waiter *w)
{
	int err = gm_fault_cpu(as, va, w);

	if (err && err != -EINPROGRESS)
		as->core->stats.cpu_fault_failed++;
	gm_run(as->core);
	return err;
}
