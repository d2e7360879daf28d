// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_evict_lfu.c - the least frequently used unit leaves
 *
 * Counts accesses since arrival (1 on arrival, forgotten on eviction); among
 * equals the least recent leaves.  One bucket for each frequency that occurs,
 * in ascending order, each with its units by recency:
 *
 *	buckets   1 ----> 2 ----> 7
 *	units     a       c       d     the victim is a
 *	          b               e
 *
 * A hint makes a unit the most recent of its bucket.  Buckets that occur are
 * not empty, so nr_frames of them and one for a unit on its way from one to
 * the next are enough, and they are allocated once.  Memory that was never
 * used stays untouched, since distinct frequencies are few.
 */
#include "gm_policies.h"

struct bucket {
	struct list_head link;	/* lfu.buckets or lfu.free */
	struct list_head units; /* gm_mapping.lru, least recent first */
	u64 freq;
};

struct lfu {
	struct list_head buckets; /* ascending frequency */
	struct list_head free;
	struct bucket *pool;
	u64 fresh; /* pool[fresh..] has never been used */
	u64 n;
};

static struct bucket *bucket_of(const struct gm_mapping *m)
{
	return (struct bucket *)(unsigned long)m->priv[0];
}

static int lfu_init(struct gm_hnode *node)
{
	struct lfu *l = kzalloc(sizeof(*l), GFP_KERNEL);

	if (!l)
		return -ENOMEM;
	l->pool = kvcalloc(node->nr_frames + 1, sizeof(*l->pool), GFP_KERNEL);
	if (!l->pool) {
		kfree(l);
		return -ENOMEM;
	}
	INIT_LIST_HEAD(&l->buckets);
	INIT_LIST_HEAD(&l->free);
	node->policy = l;
	return 0;
}

static void lfu_fini(struct gm_hnode *node)
{
	struct lfu *l = node->policy;

	if (l)
		kvfree(l->pool);
	kfree(l);
	node->policy = NULL;
}

/* The bucket for @freq, which belongs right behind @before. */
static struct bucket *bucket_get(struct lfu *l, struct list_head *before, u64 freq)
{
	struct bucket *b = list_first_entry(before, struct bucket, link);

	if (before->next != &l->buckets && b->freq == freq)
		return b;
	if (list_empty(&l->free)) {
		b = &l->pool[l->fresh++];
		INIT_LIST_HEAD(&b->units);
		INIT_LIST_HEAD(&b->link);
	} else {
		b = list_first_entry(&l->free, struct bucket, link);
	}
	b->freq = freq;
	list_move(&b->link, before);
	return b;
}

static void bucket_put(struct lfu *l, struct bucket *b)
{
	if (list_empty(&b->units))
		list_move(&b->link, &l->free);
}

static void lfu_insert(struct gm_hnode *node, struct gm_mapping *m)
{
	struct lfu *l = node->policy;
	struct bucket *b = bucket_get(l, &l->buckets, 1);

	m->priv[0] = (unsigned long)b;
	list_add_tail(&m->lru, &b->units);
	l->n++;
}

static void lfu_touch(struct gm_hnode *node, struct gm_mapping *m)
{
	struct lfu *l = node->policy;
	struct bucket *old = bucket_of(m), *b = bucket_get(l, &old->link, old->freq + 1);

	m->priv[0] = (unsigned long)b;
	list_move_tail(&m->lru, &b->units);
	bucket_put(l, old);
}

static void lfu_hint(struct gm_hnode *node, struct gm_mapping *m)
{
	list_move_tail(&m->lru, &bucket_of(m)->units);
}

static void lfu_remove(struct gm_hnode *node, struct gm_mapping *m)
{
	struct lfu *l = node->policy;

	list_del_init(&m->lru);
	bucket_put(l, bucket_of(m));
	l->n--;
}

static struct gm_mapping *lfu_victim(struct gm_hnode *node)
{
	struct lfu *l = node->policy;
	struct bucket *b = list_first_entry_or_null(&l->buckets, struct bucket, link);

	return b ? list_first_entry(&b->units, struct gm_mapping, lru) : NULL;
}

static u64 lfu_count(const struct gm_hnode *node)
{
	const struct lfu *l = node->policy;

	return l->n;
}

const struct gm_evict_ops gm_evict_lfu = {
	.name = "lfu",
	.help = "least frequently used since arrival, the least recent of equals",
	.relinks = true,
	.init = lfu_init,
	.fini = lfu_fini,
	.insert = lfu_insert,
	.touch = lfu_touch,
	.hint = lfu_hint,
	.remove = lfu_remove,
	.victim = lfu_victim,
	.count = lfu_count,
};
