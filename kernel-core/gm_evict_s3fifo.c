// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_evict_s3fifo.c - three queues (Yang, Zhang, Qiu, Yue, Rashmi: SOSP 2023)
 *
 *	arrives ──► small (1/10) ──┬─ used twice or more ──► main ──┬─► gone
 *	                           └─► gone, name kept        ▲      │ used: once
 *	came back soon after ─────────────────────────────────┴──────┘ more round
 *
 * Nothing moves at an access but a counter.  The names of the last 9/10 of
 * capacity that left small are kept.
 */
#include "gm_ghost.h"
#include "gm_policies.h"

enum { SMALL = 0, MAIN = 1, COMES_BACK = 2 };

#define USES(m)	 ((m)->priv[0])
#define PLACE(m) ((m)->priv[1])

#define MOVE_TO_MAIN 2 /* accesses in small */
#define MOST_ROUNDS  3

struct s3fifo {
	struct list_head q[2]; /* head leaves first */
	u64 n[2];
	u64 main_share;
	struct gm_ghosts ghosts;
	const struct gm_mapping *chosen; /* by victim() */
};

static int s3fifo_init(struct gm_hnode *node)
{
	u64 size = node->cap ? min(node->cap, node->nr_frames) : node->nr_frames;
	struct s3fifo *s = kzalloc(sizeof(*s), GFP_KERNEL);

	if (!s)
		return -ENOMEM;
	if (gm_ghosts_init(&s->ghosts, div_u64(size * 9, 10))) {
		kfree(s);
		return -ENOMEM;
	}
	s->main_share = size - div_u64(size, 10);
	INIT_LIST_HEAD(&s->q[SMALL]);
	INIT_LIST_HEAD(&s->q[MAIN]);
	node->policy = s;
	return 0;
}

static void s3fifo_fini(struct gm_hnode *node)
{
	struct s3fifo *s = node->policy;

	if (s)
		gm_ghosts_fini(&s->ghosts);
	kfree(s);
	node->policy = NULL;
}

static void put(struct s3fifo *s, struct gm_mapping *m, u32 queue, u64 uses)
{
	USES(m) = uses;
	PLACE(m) = queue;
	list_add_tail(&m->lru, &s->q[queue]);
	s->n[queue]++;
}

static void take_out(struct s3fifo *s, struct gm_mapping *m)
{
	list_del_init(&m->lru);
	s->n[PLACE(m)]--;
}

static void s3fifo_expect(struct gm_hnode *node, struct gm_mapping *m)
{
	struct s3fifo *s = node->policy;

	PLACE(m) = gm_ghosts_take(&s->ghosts, node, m) ? COMES_BACK : SMALL;
}

static void s3fifo_insert(struct gm_hnode *node, struct gm_mapping *m)
{
	struct s3fifo *s = node->policy;

	gm_ghosts_take(&s->ghosts, node, m); /* here already: it came unasked */
	put(s, m, PLACE(m) == COMES_BACK ? MAIN : SMALL, 0);
}

static void s3fifo_touch(struct gm_hnode *node, struct gm_mapping *m)
{
	USES(m)++;
}

static void s3fifo_remove(struct gm_hnode *node, struct gm_mapping *m)
{
	struct s3fifo *s = node->policy;

	take_out(s, m);
	if (m == s->chosen && PLACE(m) == SMALL)
		gm_ghosts_add(&s->ghosts, node, m, 1);
	s->chosen = NULL;
	PLACE(m) = SMALL;
}

static struct gm_mapping *head(struct s3fifo *s, u32 queue)
{
	return list_first_entry_or_null(&s->q[queue], struct gm_mapping, lru);
}

/* Used units go round until their uses are spent. */
static struct gm_mapping *from_main(struct s3fifo *s)
{
	struct gm_mapping *m;

	while ((m = head(s, MAIN)) && USES(m)) {
		take_out(s, m);
		put(s, m, MAIN, min(USES(m), (u64)MOST_ROUNDS) - 1);
	}
	return m;
}

/* Used units go to main.  NULL: all have gone there. */
static struct gm_mapping *from_small(struct s3fifo *s)
{
	struct gm_mapping *m;

	while ((m = head(s, SMALL)) && USES(m) >= MOVE_TO_MAIN) {
		take_out(s, m);
		put(s, m, MAIN, 0);
	}
	return m;
}

static struct gm_mapping *s3fifo_victim(struct gm_hnode *node)
{
	struct s3fifo *s = node->policy;
	struct gm_mapping *m = NULL;

	if (s->n[MAIN] <= s->main_share)
		m = from_small(s);
	s->chosen = m ? m : from_main(s);
	return (struct gm_mapping *)s->chosen;
}

static u64 s3fifo_count(const struct gm_hnode *node)
{
	const struct s3fifo *s = node->policy;

	return s->n[SMALL] + s->n[MAIN];
}

const struct gm_evict_ops gm_evict_s3fifo = {
	.name = "s3fifo",
	.help = "three FIFO queues: newcomers prove themselves in a tenth of the memory",
	.init = s3fifo_init,
	.fini = s3fifo_fini,
	.expect = s3fifo_expect,
	.insert = s3fifo_insert,
	.touch = s3fifo_touch,
	.hint = s3fifo_touch,
	.remove = s3fifo_remove,
	.victim = s3fifo_victim,
	.count = s3fifo_count,
};
