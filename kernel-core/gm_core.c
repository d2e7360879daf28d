// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_core.c - making a core and its devices, and what hosts and policies ask
 */
#include "gm_pager.h"
#include "gm_policy.h"

#define POOL 64 /* moves allocated ahead; more come when they are needed */

static const char *own_if_auto(const char *name, const char *own)
{
	return name && *name && strcmp(name, "auto") ? name : own;
}

static int choose_policies(struct gm_core *core, const struct gm_setup *setup)
{
	const struct gm_variant *v = &core->variant;

	core->evictor = gm_evictor_find(own_if_auto(setup->evictor, v->evictor));
	core->prefetcher = gm_prefetcher_find(own_if_auto(setup->prefetcher, v->prefetcher));
	if (!core->evictor || !core->prefetcher)
		return -EINVAL;
	return core->evictor->needs_future && !core->ops->next_use ? -EINVAL : 0;
}

static int fill_pool(struct gm_core *core)
{
	struct gm_txn *t;

	while (core->txns < POOL) {
		t = kzalloc(sizeof(*t), GFP_KERNEL);
		if (!t)
			return -ENOMEM;
		list_add(&t->link, &core->pool);
		core->txns++;
	}
	return 0;
}

static void init_lists(struct gm_core *core)
{
	struct list_head *const heads[] = {
		&core->spaces,	   &core->landed, &core->woken,	      &core->runnable,
		&core->reclaims,   &core->kicked, &core->kicked_devs, &core->retries,
		&core->works,	   &core->queued, &core->spans,	      &core->pool,
		&core->works_free,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(heads); i++)
		INIT_LIST_HEAD(heads[i]);
}

struct gm_core *gm_core_new(const struct gm_setup *setup, const struct gm_host_ops *ops, void *host)
{
	struct gm_core *core;
	int err;

	if (setup->unit < 4096 || (setup->unit & (setup->unit - 1)))
		return ERR_PTR(-EINVAL);
	core = kzalloc(sizeof(*core), GFP_KERNEL);
	if (!core)
		return ERR_PTR(-ENOMEM);
	init_lists(core);
	core->ops = ops;
	core->host = host;
	core->params = setup->params;
	core->unit = setup->unit;
	core->unit_shift = (u32)(fls64(setup->unit) - 1);
	core->random = setup->random_seed;
	err = gm_variant_resolve(setup->variant, setup->params, &core->variant);
	err = err ? err : choose_policies(core, setup);
	err = err ? err : fill_pool(core);
	if (!err)
		return core;
	gm_core_free(core);
	return ERR_PTR(err);
}

void gm_core_free(struct gm_core *core)
{
	struct gm_as *as, *next_as;
	struct gm_txn *t, *next_t;
	struct gm_work *w, *next_w;
	u32 i;

	list_for_each_entry_safe(as, next_as, &core->spaces, link)
		gm_as_destroy(as);
	for (i = 0; i < core->nr_devs; i++) {
		gm_hnode_fini(&core->devs[i]->node);
		kfree(core->devs[i]);
	}
	list_for_each_entry_safe(t, next_t, &core->pool, link)
		kfree(t);
	list_for_each_entry_safe(w, next_w, &core->works_free, link)
		kfree(w);
	kfree(core);
}

struct gm_dev *gm_dev_create(struct gm_core *core, u64 frames)
{
	struct gm_dev *dev;
	int err;

	if (core->nr_devs == GM_MAX_DEVICES || !frames || frames >= U32_MAX)
		return ERR_PTR(-EINVAL);
	dev = kzalloc(sizeof(*dev), GFP_KERNEL);
	if (!dev)
		return ERR_PTR(-ENOMEM);
	dev->core = core;
	dev->id = core->nr_devs;
	INIT_LIST_HEAD(&dev->faults);
	INIT_LIST_HEAD(&dev->kick);
	dev->node.core = core;
	dev->node.dev = dev;
	err = gm_hnode_init(&dev->node, frames);
	if (err) {
		kfree(dev);
		return ERR_PTR(err);
	}
	core->devs[core->nr_devs++] = dev;
	return dev;
}

bool gm_op_answer(struct gm_core *core, struct gm_op *op, u64 ticket, int err)
{
	if (!ticket || op->ticket != ticket) {
		core->stats.msg_stale++;
		return false;
	}
	gm_op_done(op, err);
	return true;
}

const struct gm_stats *gm_core_stats(const struct gm_core *core)
{
	return &core->stats;
}

u64 gm_core_unit(const struct gm_core *core)
{
	return core->unit;
}

u64 gm_dev_used(const struct gm_dev *dev)
{
	return dev->node.imported - dev->node.nr_free;
}

u64 gm_dev_frames(const struct gm_dev *dev)
{
	return dev->node.nr_frames;
}

u32 gm_dev_id(const struct gm_dev *dev)
{
	return dev->id;
}

const struct gm_policy_params *gm_core_policy_params(const struct gm_core *core)
{
	return &core->params->policy;
}

/* splitmix64 (Steele, Lea, Flood 2014): any seed will do. */
u64 gm_core_random(struct gm_core *core)
{
	u64 z = core->random += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

u64 gm_core_next_use(struct gm_core *core, u32 dev, u64 va)
{
	return core->ops->next_use(core->host, dev, va);
}
