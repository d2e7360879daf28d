// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_as.c - spaces, the devices attached to them, mmap and munmap
 */
#include "gm_pager.h"
#include "gm_policy.h"

struct gm_as *gm_as_create(struct gm_core *core)
{
	struct gm_as *as = kzalloc(sizeof(*as), GFP_KERNEL);

	if (!as)
		return ERR_PTR(-ENOMEM);
	as->core = core;
	as->id = core->spaces_created++;
	INIT_LIST_HEAD(&as->ranges);
	INIT_LIST_HEAD(&as->ctxs);
	INIT_LIST_HEAD(&as->dying);
	INIT_LIST_HEAD(&as->parked);
	list_add_tail(&as->link, &core->spaces);
	return as;
}

/* At exit nobody waits for a message: the content is gone at once (I20). */
static void forget(struct gm_mapping *m, struct gm_core *core)
{
	if (m->state == GM_DEVICE) {
		struct gm_hnode *n = &core->devs[m->owner]->node;

		if (m->flags & GM_MAP_HOSTED)
			gm_hnode_copy_del(n, m);
		gm_hnode_remove(n, m);
		n->nr_inflight++;
		gm_hnode_give(n, m->frame);
	}
	if (m->flags & GM_MAP_HOSTED)
		core->ops->host_free(core->host, m->host_frame);
	core->stats.units[m->state]--;
	core->stats.units[GM_NOMAP]++;
}

void gm_as_destroy(struct gm_as *as)
{
	struct gm_core *core = as->core;
	struct gm_range *r, *next_r;
	struct gm_ctx *ctx, *next_ctx;
	u64 i;

	list_for_each_entry_safe(r, next_r, &as->ranges, link) {
		for (i = 0; i < r->n; i++)
			forget(&r->map[i], core);
		gm_range_free(r);
	}
	list_for_each_entry_safe(ctx, next_ctx, &as->ctxs, link)
		gm_ctx_free(ctx);
	list_del(&as->link);
	kvfree(as->sorted);
	kfree(as);
}

bool gm_as_is_idle(const struct gm_as *as)
{
	return !as->nr_ranges && !as->nr_works;
}

struct gm_ctx *gm_as_attach(struct gm_as *as, struct gm_dev *dev)
{
	struct gm_core *core = as->core;
	struct gm_ctx *ctx;
	int err;

	if (gm_as_ctx(as, dev))
		return ERR_PTR(-EBUSY);
	if (!core->variant.multi_device && !list_empty(&as->ctxs))
		return ERR_PTR(-EOPNOTSUPP);
	ctx = kzalloc(sizeof(*ctx), GFP_KERNEL);
	if (!ctx)
		return ERR_PTR(-ENOMEM);
	ctx->core = core;
	ctx->as = as;
	ctx->dev = dev;
	ctx->prefetcher = core->prefetcher;
	err = ctx->prefetcher->init ? ctx->prefetcher->init(ctx) : 0;
	if (err) {
		kfree(ctx);
		return ERR_PTR(err);
	}
	list_add_tail(&ctx->link, &as->ctxs);
	return ctx;
}

void gm_ctx_free(struct gm_ctx *ctx)
{
	if (ctx->prefetcher->fini)
		ctx->prefetcher->fini(ctx);
	list_del(&ctx->link);
	kfree(ctx);
}

int gm_as_detach(struct gm_ctx *ctx, struct gm_waiter *waiter)
{
	struct gm_work *w;

	if (ctx->detaching)
		return -EBUSY;
	w = gm_work_new(ctx->as, GM_W_DETACH, 0, U64_MAX);
	if (!w)
		return -ENOMEM;
	w->dev = ctx->dev;
	ctx->detaching = true;
	return gm_work_start(w, waiter);
}

static bool bad_range(const struct gm_core *core, u64 va, u64 bytes)
{
	return !bytes || !IS_ALIGNED(va, core->unit) || !IS_ALIGNED(bytes, core->unit) ||
	       va + bytes < va || va + bytes > U64_MAX - core->unit;
}

int gm_mmap(struct gm_as *as, u64 va, u64 bytes)
{
	if (bad_range(as->core, va, bytes))
		return -EINVAL;
	return gm_as_add(as, va, bytes >> as->core->unit_shift);
}

int gm_munmap(struct gm_as *as, u64 va, u64 bytes, struct gm_waiter *waiter)
{
	struct gm_work *w;
	int err;

	if (bad_range(as->core, va, bytes))
		return -EINVAL;
	w = gm_work_new(as, GM_W_UNMAP, va, va + bytes);
	if (!w)
		return -ENOMEM;
	w->spare = gm_txn_alloc(as->core);
	err = w->spare ? gm_as_cut(as, va, va + bytes, &w->dying) : -ENOMEM;
	if (err || list_empty(&w->dying)) {
		gm_work_free(w);
		return err;
	}
	list_add_tail(&w->as_link, &as->dying);
	return gm_work_start(w, waiter);
}

void gm_as_unpark(struct gm_as *as)
{
	struct gm_txn *t, *next;
	LIST_HEAD(parked);

	list_splice_tail_init(&as->parked, &parked);
	list_for_each_entry_safe(t, next, &parked, queue) {
		list_del_init(&t->queue);
		gm_txn_start(t);
	}
}
