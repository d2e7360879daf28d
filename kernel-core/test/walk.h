/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * walk.h - random operations on a world (world.h), one a step
 *
 * The numbers come from a seed (test_model.c) or from a fuzzer (fuzz_ops.c).
 */
#ifndef GM_TEST_WALK_H
#define GM_TEST_WALK_H

#include "kernel-core/test/world.h"

static inline void walk_device(struct world *w)
{
	u32 d = (u32)rnd(w, w->devs), i = (u32)rnd(w, w->units), n = 1 + (u32)rnd(w, 8);

	dev_access(w, d, i, min(n, w->units - i), chance(w, 40));
}

static inline void walk_advice(struct world *w)
{
	static const u8 kinds[] = { GM_ADVISE_PREFETCH, GM_ADVISE_FREE_EAGER, GM_ADVISE_WILLNEED,
				    GM_ADVISE_PIN, GM_ADVISE_UNPIN };
	u32 kind = kinds[rnd(w, w->spotless ? 2 : 5)], d = (u32)rnd(w, w->devs);
	u64 va = rnd(w, w->units * UNIT);

	if (kind == GM_ADVISE_PREFETCH && chance(w, 30))
		d = (u32)GM_HOST_NODE;
	advise(w, kind, d, va, 1 + rnd(w, 10 * UNIT));
}

static inline void walk_map(struct world *w)
{
	u32 i = (u32)rnd(w, w->units), n = 1 + (u32)rnd(w, 16);

	map_some(w, i, min(n, w->units - i));
}

static inline void walk_unmap(struct world *w)
{
	u32 i = (u32)rnd(w, w->units), n = 1 + (u32)rnd(w, 12);

	unmap_some(w, i, min(n, w->units - i));
}

/* Devices come, go, fall ill and get well. */
static inline void walk_attach(struct world *w)
{
	u32 d = (u32)rnd(w, w->devs);

	if (!w->ctx[d]) {
		gm_as_attach(w->as, w->dev[d]);
	} else if (w->sick[d]) {
		w->sick[d] = false;
	} else if (w->percent && chance(w, 30)) {
		w->sick[d] = true;
		injected[F_SICK]++;
	} else if (chance(w, 30)) {
		detach(w, d);
	}
}

static inline void walk_one(struct world *w)
{
	u64 what = rnd(w, 100);

	if (w->stales && what < 3)
		answer_stale(w, (u32)rnd(w, w->stales));
	else if (w->ops && what < 55)
		complete(w, (u32)rnd(w, w->ops));
	else if (what < 78)
		walk_device(w);
	else if (what < 87)
		cpu_access(w, (u32)rnd(w, w->units), chance(w, 50));
	else if (what < 93)
		walk_advice(w);
	else if (what < 95)
		walk_map(w);
	else if (what < 97)
		walk_unmap(w);
	else
		walk_attach(w);
}

static inline void walk_step(struct world *w)
{
	w->steps++;
	if (!w->spotless && chance(w, 3)) {
		if (!w->stales)
			empty_pools(w->core);
		gm_port_fail_nth(1 + rnd(w, 3));
	}
	walk_one(w);
	injected[F_ALLOC] += gm_port_failed();
	gm_port_fail_nth(0);
	find_ctxs(w);
	if (!w->glance || w->steps % 8 == 0)
		check(w);
}

/* Switches and sizes at random, so that they meet in all combinations. */
static inline void walk_choose(struct world *w, bool plain)
{
	struct gm_params *p = &w->params;
	u32 *sw[] = { &p->host_frames,	&p->put_back,	 &p->dirty_tracking, &p->background,
		      &p->async_evict,	&p->batching,	 &p->thrash_damping, &p->d2d,
		      &p->multi_device, &p->cap_enforced };
	u32 i;

	gm_params_init(p);
	w->percent = w->spotless ? 0 : (u32)rnd(w, 3) * 4;
	w->host_limit = w->spotless || chance(w, 50) ? HOST : 8 + (u32)rnd(w, 40);
	p->policy.next_n = 1 + (u32)rnd(w, 8);
	p->policy.tree_region = 16 * UNIT;
	p->thrash_window = 400;
	for (i = 0; !plain && i < ARRAY_SIZE(sw); i++)
		*sw[i] = (u32)rnd(w, 3);
	if (w->spotless)
		p->put_back = GM_ON;
	if (plain)
		return;
	p->evict_batch = (u32)rnd(w, 6);
	p->evict_rounds = (u32)rnd(w, 4);
	p->import_batch = (u32)rnd(w, 4);
	p->batch_max = (u32)rnd(w, 6);
	p->cap = rnd(w, 2) * (1 + rnd(w, FRAMES)) * UNIT;
	p->wmark_low = (1 + rnd(w, 3)) * UNIT;
	p->wmark_high = (1 + rnd(w, 6)) * UNIT;
}

/* [w->rnd or w->in, w->spotless] */
static inline void walk_begin(struct world *w, const char *variant, const char *evictor,
			      const char *prefetcher, bool plain)
{
	struct gm_setup setup = {
		.params = &w->params,
		.variant = variant,
		.evictor = evictor,
		.prefetcher = prefetcher,
		.unit = UNIT,
		.random_seed = w->rnd,
	};
	u32 frames[DEVS], d;

	w->units = UNITS;
	walk_choose(w, plain);
	for (d = 0; d < DEVS; d++)
		frames[d] = 1 + (u32)rnd(w, FRAMES);
	set_up(w, &setup, frames);
}

#endif
