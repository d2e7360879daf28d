// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_policy.c - which policies there are, and the queue that evictors share
 *
 * The two lists give the arrays of ops and of names (C wants names spelt as
 * constants; a test compares them with the ops).  The first evictor is GMEM's.
 */
#include "gm_policies.h"

#define EVICTORS(row)                                                                         \
	row(fifo, "fifo") row(lru, "lru") row(clock, "clock") row(lfu, "lfu") row(arc, "arc") \
		row(s3fifo, "s3fifo") row(random, "random") row(min, "min")

#define PREFETCHERS(row)                                                                  \
	row(none, "none") row(hints, "hints") row(planned, "planned") row(next, "next-n") \
		row(stride, "stride") row(tree, "tree")

#define EVICT_OPS(id, name)    &gm_evict_##id,
#define PREFETCH_OPS(id, name) &gm_prefetch_##id,
#define NAME(id, name)	       name,

/* Nothing on its own: every slot is NULL. */
static const struct gm_prefetch_ops gm_prefetch_none = {
	.name = "none",
	.help = "units come when they fault",
};

/* The same to the core; its name tells the host to pass advice on. */
static const struct gm_prefetch_ops gm_prefetch_hints = {
	.name = "hints",
	.help = "only what the program or the trace advises",
};

/* Likewise: the host has a planner that sees the whole job. */
static const struct gm_prefetch_ops gm_prefetch_planned = {
	.name = "planned",
	.help = "what a planner advises that knows the job: G10's",
};

const struct gm_evict_ops *const gm_evictors[] = { EVICTORS(EVICT_OPS) NULL };
const char *const gm_evictor_names[] = { EVICTORS(NAME) NULL };
const struct gm_prefetch_ops *const gm_prefetchers[] = { PREFETCHERS(PREFETCH_OPS) NULL };
const char *const gm_prefetcher_names[] = { PREFETCHERS(NAME) NULL };

const struct gm_evict_ops *gm_evictor_find(const char *name)
{
	const struct gm_evict_ops *const *e = gm_evictors;

	while (*e && strcmp((*e)->name, name))
		e++;
	return *e;
}

const struct gm_prefetch_ops *gm_prefetcher_find(const char *name)
{
	const struct gm_prefetch_ops *const *p = gm_prefetchers;

	while (*p && strcmp((*p)->name, name))
		p++;
	return *p;
}

const char *gm_evictor_help(u32 i)
{
	return i < ARRAY_SIZE(gm_evictors) - 1 ? gm_evictors[i]->help : NULL;
}

const char *gm_prefetcher_help(u32 i)
{
	return i < ARRAY_SIZE(gm_prefetchers) - 1 ? gm_prefetchers[i]->help : NULL;
}

int gm_queue_init(struct gm_hnode *node)
{
	struct gm_queue *q = kzalloc(sizeof(*q), GFP_KERNEL);

	if (!q)
		return -ENOMEM;
	INIT_LIST_HEAD(&q->units);
	node->policy = q;
	return 0;
}

void gm_queue_fini(struct gm_hnode *node)
{
	kfree(node->policy);
	node->policy = NULL;
}

void gm_queue_insert(struct gm_hnode *node, struct gm_mapping *m)
{
	struct gm_queue *q = node->policy;

	list_add_tail(&m->lru, &q->units);
	q->n++;
}

void gm_queue_to_tail(struct gm_hnode *node, struct gm_mapping *m)
{
	struct gm_queue *q = node->policy;

	list_move_tail(&m->lru, &q->units);
}

void gm_queue_remove(struct gm_hnode *node, struct gm_mapping *m)
{
	struct gm_queue *q = node->policy;

	list_del_init(&m->lru);
	q->n--;
}

struct gm_mapping *gm_queue_head(struct gm_hnode *node)
{
	struct gm_queue *q = node->policy;

	return list_first_entry_or_null(&q->units, struct gm_mapping, lru);
}

u64 gm_queue_count(const struct gm_hnode *node)
{
	const struct gm_queue *q = node->policy;

	return q->n;
}
