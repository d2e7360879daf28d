// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_evict_random.c - any unit leaves, each with equal chance
 *
 * Units stand in an array without holes; the last one takes the place of one
 * that leaves.  Each call of victim() draws anew from the core's own stream.
 */
#include "gm_policies.h"

#define SLOT(m) ((m)->priv[0])

struct pool {
	u64 n;
	struct gm_mapping **unit;
};

static int pick_init(struct gm_hnode *node)
{
	struct pool *p = kzalloc(sizeof(*p), GFP_KERNEL);

	if (!p)
		return -ENOMEM;
	p->unit = kvcalloc(node->nr_frames, sizeof(struct gm_mapping *), GFP_KERNEL);
	if (!p->unit) {
		kfree(p);
		return -ENOMEM;
	}
	node->policy = p;
	return 0;
}

static void pick_fini(struct gm_hnode *node)
{
	struct pool *p = node->policy;

	if (p)
		kvfree(p->unit);
	kfree(p);
	node->policy = NULL;
}

static void pick_insert(struct gm_hnode *node, struct gm_mapping *m)
{
	struct pool *p = node->policy;

	SLOT(m) = p->n;
	p->unit[p->n++] = m;
}

static void pick_remove(struct gm_hnode *node, struct gm_mapping *m)
{
	struct pool *p = node->policy;
	struct gm_mapping *last = p->unit[--p->n];

	p->unit[SLOT(m)] = last;
	SLOT(last) = SLOT(m);
}

static struct gm_mapping *pick_victim(struct gm_hnode *node)
{
	struct pool *p = node->policy;
	u64 i;

	if (!p->n)
		return NULL;
	/* The remainder favours small slots by n / 2^64: nothing. */
	div64_u64_rem(gm_core_random(node->core), p->n, &i);
	return p->unit[i];
}

static u64 pick_count(const struct gm_hnode *node)
{
	const struct pool *p = node->policy;

	return p->n;
}

const struct gm_evict_ops gm_evict_random = {
	.name = "random",
	.help = "any unit, each with equal chance",
	.init = pick_init,
	.fini = pick_fini,
	.insert = pick_insert,
	.remove = pick_remove,
	.victim = pick_victim,
	.count = pick_count,
};
