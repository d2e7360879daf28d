// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_evict_min.c - Belady's optimum: the unit used farthest in the future leaves
 *
 * The host knows the future; it is asked on arrival and after each access for
 * the ordinal of the next use (U64_MAX: never).  A max-heap over that ordinal
 * holds the units, each of which knows its slot, so that all operations but
 * victim() take O(log n).  Equals leave in no order that is worth a promise,
 * but always in the same one.
 */
#include "gm_policies.h"

#define SLOT(m)	    ((m)->priv[0])
#define NEXT_USE(m) ((m)->priv[1])

struct heap {
	u64 n;
	struct gm_mapping **unit;
};

static int min_init(struct gm_hnode *node)
{
	struct heap *h = kzalloc(sizeof(*h), GFP_KERNEL);

	if (!h)
		return -ENOMEM;
	h->unit = kvcalloc(node->nr_frames, sizeof(struct gm_mapping *), GFP_KERNEL);
	if (!h->unit) {
		kfree(h);
		return -ENOMEM;
	}
	node->policy = h;
	return 0;
}

static void min_fini(struct gm_hnode *node)
{
	struct heap *h = node->policy;

	if (h)
		kvfree(h->unit);
	kfree(h);
	node->policy = NULL;
}

static void heap_set(struct heap *h, u64 slot, struct gm_mapping *m)
{
	h->unit[slot] = m;
	SLOT(m) = slot;
}

/* Put @m where it belongs, starting from the hole at @slot. */
static void heap_settle(struct heap *h, u64 slot, struct gm_mapping *m)
{
	u64 child;

	while (slot && NEXT_USE(h->unit[(slot - 1) / 2]) < NEXT_USE(m)) {
		heap_set(h, slot, h->unit[(slot - 1) / 2]);
		slot = (slot - 1) / 2;
	}
	while ((child = 2 * slot + 1) < h->n) {
		if (child + 1 < h->n && NEXT_USE(h->unit[child + 1]) > NEXT_USE(h->unit[child]))
			child++;
		if (NEXT_USE(h->unit[child]) <= NEXT_USE(m))
			break;
		heap_set(h, slot, h->unit[child]);
		slot = child;
	}
	heap_set(h, slot, m);
}

static void ask(struct gm_hnode *node, struct gm_mapping *m)
{
	u64 va = m->range->va + gm_mapping_index(m) * gm_core_unit(node->core);

	NEXT_USE(m) = gm_core_next_use(node->core, gm_dev_id(node->dev), va);
}

static void min_insert(struct gm_hnode *node, struct gm_mapping *m)
{
	struct heap *h = node->policy;

	ask(node, m);
	h->n++;
	heap_settle(h, h->n - 1, m);
}

static void min_touch(struct gm_hnode *node, struct gm_mapping *m)
{
	ask(node, m);
	heap_settle(node->policy, SLOT(m), m);
}

static void min_remove(struct gm_hnode *node, struct gm_mapping *m)
{
	struct heap *h = node->policy;
	struct gm_mapping *last = h->unit[--h->n];

	if (last != m)
		heap_settle(h, SLOT(m), last);
}

static struct gm_mapping *min_victim(struct gm_hnode *node)
{
	struct heap *h = node->policy;

	return h->n ? h->unit[0] : NULL;
}

static u64 min_count(const struct gm_hnode *node)
{
	const struct heap *h = node->policy;

	return h->n;
}

const struct gm_evict_ops gm_evict_min = {
	.name = "min",
	.help = "Belady's optimum: used farthest in the future, which the host must know",
	.needs_future = true,
	.init = min_init,
	.fini = min_fini,
	.insert = min_insert,
	.touch = min_touch,
	.remove = min_remove,
	.victim = min_victim,
	.count = min_count,
};
