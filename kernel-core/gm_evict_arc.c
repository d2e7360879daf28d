// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_evict_arc.c - adaptive replacement (Megiddo, Modha: FAST 2003)
 *
 * Two lists of units, seen once (T1) and more often (T2), and the names of what
 * left each of them (B1, B2):
 *
 *	 B1 ◄── T1 ──► T2 ──► B2	T1 + T2 <= C, T1 + B1 <= C, all <= 2 C
 *	      ◄─ p ─►
 *
 * p is how long T1 should be.  A fault on a name of B1 says that T1 was too
 * short, one on a name of B2 that it was too long.  Evicts only when it must,
 * so that the trimming of names (case IV of the paper) waits for a victim too.
 */
#include "gm_ghost.h"
#include "gm_policies.h"

/* p has a fraction: the steps are ratios of lengths, at least 1. */
#define P_BITS 31
#define P_ONE  (1ULL << P_BITS)

/* What priv[0] says; also the numbers of the lists. */
enum { NOWHERE, ONCE, OFTEN, COMES_BACK };

#define PLACE(m) ((m)->priv[0])

struct arc {
	struct list_head t[3]; /* [ONCE], [OFTEN]; least recent first */
	u64 nt[3];
	struct gm_ghosts b; /* lists ONCE and OFTEN too */
	u64 size;	    /* C */
	u64 p;
	u32 asked;			 /* list of names that the unit asked for last was on */
	const struct gm_mapping *chosen; /* by victim() */
	bool forget;			 /* ... and its name is not kept */
	u32 trim;			 /* ... and the oldest name of this list goes */
};

static int arc_init(struct gm_hnode *node)
{
	struct arc *a = kzalloc(sizeof(*a), GFP_KERNEL);

	if (!a)
		return -ENOMEM;
	a->size = node->cap ? min(node->cap, node->nr_frames) : node->nr_frames;
	if (gm_ghosts_init(&a->b, a->size + 1)) {
		kfree(a);
		return -ENOMEM;
	}
	INIT_LIST_HEAD(&a->t[ONCE]);
	INIT_LIST_HEAD(&a->t[OFTEN]);
	node->policy = a;
	return 0;
}

static void arc_fini(struct gm_hnode *node)
{
	struct arc *a = node->policy;

	if (a)
		gm_ghosts_fini(&a->b);
	kfree(a);
	node->policy = NULL;
}

static void put(struct arc *a, struct gm_mapping *m, u32 list)
{
	PLACE(m) = list;
	list_add_tail(&m->lru, &a->t[list]);
	a->nt[list]++;
}

static void take_out(struct arc *a, struct gm_mapping *m)
{
	list_del_init(&m->lru);
	a->nt[PLACE(m)]--;
}

/* How much a fault on a name of one list moves p. */
static u64 step(u64 other, u64 own)
{
	return max(div64_u64(other << P_BITS, own), P_ONE);
}

static void arc_expect(struct gm_hnode *node, struct gm_mapping *m)
{
	struct arc *a = node->policy;
	u64 once = a->b.n[ONCE], often = a->b.n[OFTEN], d;

	a->asked = gm_ghosts_find(&a->b, node, m);
	if (a->asked == ONCE) {
		a->p = min(a->p + step(often, once), a->size << P_BITS);
	} else if (a->asked == OFTEN) {
		d = step(once, often);
		a->p = a->p > d ? a->p - d : 0;
	}
	gm_ghosts_take(&a->b, node, m);
	PLACE(m) = a->asked ? COMES_BACK : NOWHERE;
}

/* What nobody asked for stands where it stood. */
static void arc_insert(struct gm_hnode *node, struct gm_mapping *m)
{
	struct arc *a = node->policy;
	u32 ghost = gm_ghosts_take(&a->b, node, m);

	put(a, m, PLACE(m) == COMES_BACK ? OFTEN : ghost ? ghost : ONCE);
}

static void arc_touch(struct gm_hnode *node, struct gm_mapping *m)
{
	struct arc *a = node->policy;

	a->nt[PLACE(m)]--;
	a->nt[OFTEN]++;
	PLACE(m) = OFTEN;
	list_move_tail(&m->lru, &a->t[OFTEN]);
}

static void arc_hint(struct gm_hnode *node, struct gm_mapping *m)
{
	struct arc *a = node->policy;

	list_move_tail(&m->lru, &a->t[PLACE(m)]);
}

static void arc_remove(struct gm_hnode *node, struct gm_mapping *m)
{
	struct arc *a = node->policy;

	take_out(a, m);
	if (m == a->chosen) {
		gm_ghosts_drop_oldest(&a->b, a->trim);
		if (!a->forget)
			gm_ghosts_add(&a->b, node, m, (u32)PLACE(m));
		a->chosen = NULL;
	}
	PLACE(m) = NOWHERE;
}

/* The paper's REPLACE. */
static u32 which(const struct arc *a)
{
	u64 n = a->nt[ONCE] << P_BITS;

	if (!a->nt[ONCE] || !a->nt[OFTEN])
		return a->nt[ONCE] ? ONCE : OFTEN;
	return n > a->p || (n == a->p && a->asked == OFTEN) ? ONCE : OFTEN;
}

static struct gm_mapping *arc_victim(struct gm_hnode *node)
{
	struct arc *a = node->policy;
	u64 once = a->nt[ONCE] + a->b.n[ONCE], often = a->nt[OFTEN] + a->b.n[OFTEN];
	u32 list = which(a);

	a->trim = NOWHERE;
	a->forget = false;
	if (!a->asked && once >= a->size) {
		a->trim = ONCE;
		a->forget = !a->b.n[ONCE];
		if (a->forget)
			list = ONCE;
	} else if (!a->asked && once + often >= 2 * a->size) {
		a->trim = OFTEN;
	}
	a->chosen = list_first_entry_or_null(&a->t[list], struct gm_mapping, lru);
	return (struct gm_mapping *)a->chosen;
}

static u64 arc_count(const struct gm_hnode *node)
{
	const struct arc *a = node->policy;

	return a->nt[ONCE] + a->nt[OFTEN];
}

const struct gm_evict_ops gm_evict_arc = {
	.name = "arc",
	.help = "adaptive replacement: recency and frequency share by what came back too soon",
	.relinks = true,
	.init = arc_init,
	.fini = arc_fini,
	.expect = arc_expect,
	.insert = arc_insert,
	.touch = arc_touch,
	.hint = arc_hint,
	.remove = arc_remove,
	.victim = arc_victim,
	.count = arc_count,
};
