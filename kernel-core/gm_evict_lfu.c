// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_evict_lfu.c - the least frequently used unit leaves
 *
 * Counts accesses since arrival (1 on arrival, forgotten on eviction); among
 * equals the least recent leaves.  All units are on one list, by frequency and
 * then by recency; those of one frequency are a run, and each knows its run,
 * which knows its end:
 *
 *	units	a  b | c | d  e		the victim is a
 *	freq	1  1   2   7  7
 *	run	   ^   ^      ^
 *
 * A hint makes a unit the last of its run.  There are as many runs as units at
 * most; they are allocated once.  Memory that was never used stays untouched,
 * since distinct frequencies are few.
 */
#include "gm_policies.h"

#define RUN(m)	((m)->priv[0])
#define FREQ(m) ((m)->priv[1])

union run {
	struct list_head *last; /* gm_mapping.lru */
	u64 next_free;		/* run + 1; 0: none */
};

struct lfu {
	struct list_head units;
	union run *runs;
	u64 free;  /* given back, as next_free */
	u64 fresh; /* runs[fresh..] have never been used */
	u64 n;
};

static struct gm_mapping *unit_at(const struct lfu *l, struct list_head *e)
{
	return e == &l->units ? NULL : list_entry(e, struct gm_mapping, lru);
}

static int lfu_init(struct gm_hnode *node)
{
	struct lfu *l = kzalloc(sizeof(*l), GFP_KERNEL);

	if (!l)
		return -ENOMEM;
	l->runs = kvcalloc(node->nr_frames, sizeof(*l->runs), GFP_KERNEL);
	if (!l->runs) {
		kfree(l);
		return -ENOMEM;
	}
	INIT_LIST_HEAD(&l->units);
	node->policy = l;
	return 0;
}

static void lfu_fini(struct gm_hnode *node)
{
	struct lfu *l = node->policy;

	if (l)
		kvfree(l->runs);
	kfree(l);
	node->policy = NULL;
}

static u64 run_new(struct lfu *l)
{
	u64 run = l->free;

	if (!run)
		return l->fresh++;
	l->free = l->runs[run - 1].next_free;
	return run - 1;
}

/* Link @m behind @before, where the run of @freq is or has to begin. */
static void put(struct lfu *l, struct gm_mapping *m, struct list_head *before, u64 freq)
{
	struct gm_mapping *next = unit_at(l, before->next);

	FREQ(m) = freq;
	if (next && FREQ(next) == freq) {
		RUN(m) = RUN(next);
		before = l->runs[RUN(m)].last;
	} else {
		RUN(m) = run_new(l);
	}
	list_add(&m->lru, before);
	l->runs[RUN(m)].last = &m->lru;
}

static bool is_alone(const struct lfu *l, const struct gm_mapping *m)
{
	const struct gm_mapping *prev = unit_at(l, m->lru.prev);

	return l->runs[RUN(m)].last == &m->lru && (!prev || RUN(prev) != RUN(m));
}

/* Unlink @m; what stands before the next run now. */
static struct list_head *take_out(struct lfu *l, struct gm_mapping *m)
{
	union run *run = &l->runs[RUN(m)];
	struct list_head *end = run->last == &m->lru ? m->lru.prev : run->last;

	if (is_alone(l, m)) {
		run->next_free = l->free;
		l->free = RUN(m) + 1;
	} else {
		run->last = end;
	}
	list_del_init(&m->lru);
	return end;
}

static void lfu_insert(struct gm_hnode *node, struct gm_mapping *m)
{
	struct lfu *l = node->policy;

	put(l, m, &l->units, 1);
	l->n++;
}

static void lfu_touch(struct gm_hnode *node, struct gm_mapping *m)
{
	struct lfu *l = node->policy;
	struct gm_mapping *next = unit_at(l, m->lru.next);
	u64 freq = FREQ(m) + 1;

	if (is_alone(l, m) && (!next || FREQ(next) > freq))
		FREQ(m) = freq; /* the run is of @freq now */
	else
		put(l, m, take_out(l, m), freq);
}

static void lfu_hint(struct gm_hnode *node, struct gm_mapping *m)
{
	struct lfu *l = node->policy;
	struct list_head **last = &l->runs[RUN(m)].last;

	if (*last == &m->lru)
		return;
	list_move(&m->lru, *last);
	*last = &m->lru;
}

static void lfu_remove(struct gm_hnode *node, struct gm_mapping *m)
{
	struct lfu *l = node->policy;

	take_out(l, m);
	l->n--;
}

static struct gm_mapping *lfu_victim(struct gm_hnode *node)
{
	struct lfu *l = node->policy;

	return list_first_entry_or_null(&l->units, struct gm_mapping, lru);
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
