/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_policy.c - an evictor of the kernel core and nothing else
 *
 * Who is resident, who leaves: the core's evictors on the core's page table,
 * but no pager, no messages, no copies.  A miss takes no time, so that a page
 * trace is counted as fast as the evictor can be called.  The counts are those
 * of gmem where that serves one fault at a time and evicts one unit, only when
 * it must (configs/exp/pages.yaml).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel-core/gm_policy.h"
#include "kernel-core/gm_variant.h"
#include "models/table.h"

/* Somebody to tell, as soon as the touch has returned. */
struct waiting {
	struct mm_wait *wait;
	u32 units;
};

struct mm_policy {
	struct mm mm;
	struct gm_params params;
	struct gm_core *core;
	struct gm_as *as;
	u32 ndevices;
	struct gm_hnode nodes[HW_MAX_DEVICES];
	struct gs_event ev;
	struct waiting *waiting;
	size_t nwaiting, cap_waiting;
};

static struct mm_policy *policy_of(struct mm *m)
{
	return gs_container_of(m, struct mm_policy, mm);
}

/* ---- the evictor -------------------------------------------------------- */

static struct gm_hnode *node_of(struct mm_policy *p, const struct gm_mapping *m)
{
	return &p->nodes[m->owner];
}

static bool is_here(const struct gm_mapping *m, const struct gm_hnode *n)
{
	return m->flags & GM_MAP_LISTED && m->owner == (s16)gm_dev_id(n->dev);
}

static void leave(struct gm_mapping *m, struct gm_hnode *n)
{
	n->evict->remove(n, m);
	n->nr_listed--;
	m->flags = 0;
}

/* @m comes to @n, from wherever it is; somebody leaves where it is full. */
static void bring(struct mm_policy *p, struct gm_hnode *n, struct gm_mapping *m)
{
	p->mm.stats.misses++;
	p->mm.stats.faults++;
	if (m->flags & GM_MAP_LISTED)
		leave(m, node_of(p, m));
	if (n->evict->expect)
		n->evict->expect(n, m);
	if (n->nr_listed == n->nr_frames) {
		leave(n->evict->victim(n), n);
		p->mm.stats.evictions++;
	}
	m->flags = GM_MAP_LISTED;
	m->owner = (s16)gm_dev_id(n->dev);
	n->evict->insert(n, m);
	n->nr_listed++;
}

/* Whether it was missing. */
static bool use(struct mm_policy *p, struct gm_hnode *n, struct gm_mapping *m)
{
	p->mm.ahead++;
	if (!is_here(m, n)) {
		bring(p, n, m);
		return true;
	}
	if (n->evict->touch)
		n->evict->touch(n, m);
	return false;
}

static void note_hbm(struct mm_policy *p)
{
	struct mm_stats *s = &p->mm.stats;
	u64 units = 0;

	for (u32 d = 0; d < p->ndevices; d++)
		units += p->nodes[d].nr_listed;
	s->hbm_bytes = units * p->mm.common->unit;
	s->hbm_peak_bytes = gs_max(s->hbm_peak_bytes, s->hbm_bytes);
}

/* ---- page accesses ------------------------------------------------------ */

#define AT_ONCE 32 /* enough to hide the way to memory */

/* All units of an access but the first. */
static void use_rest(struct mm_policy *p, struct gm_hnode *n, const struct gs_page *a)
{
	u64 unit = p->mm.common->unit, va = a->va & ~(unit - 1), end = a->va + a->bytes;

	while ((va += unit) < end)
		use(p, n, gm_as_find(p->as, va));
}

static void use_pages(struct mm_policy *p, struct gm_hnode *n, const struct gs_page *a, u32 k,
		      struct gm_mapping **first)
{
	u64 unit = p->mm.common->unit;

	for (u32 i = 0; i < k; i++) {
		use(p, n, first[i]);
		if (unlikely((a[i].va & (unit - 1)) + a[i].bytes > unit))
			use_rest(p, n, &a[i]);
	}
}

/* While some are used, the next are on their way from memory. */
static u32 pages(struct mm *m, const struct gs_page *a, u32 n)
{
	struct mm_policy *p = policy_of(m);
	struct gm_hnode *node = &p->nodes[a->device];
	struct gm_mapping *units[2][AT_ONCE];
	u32 k = (u32)gs_min(n, AT_ONCE), more;

	gm_as_gather(p->as, &a->va, sizeof(*a), k, units[0]);
	for (u32 i = 0, turn = 0; i < n; i += k, k = more, turn ^= 1) {
		if (node->evict->relinks)
			gm_gather_links(units[turn], k);
		more = (u32)gs_min(n - i - k, AT_ONCE);
		gm_as_gather(p->as, &a[i + k].va, sizeof(*a), more, units[turn ^ 1]);
		use_pages(p, node, &a[i], k, units[turn]);
	}
	m->stats.touches += m->ahead;
	note_hbm(p);
	return n;
}

/* ---- touches of kernels ------------------------------------------------- */

static void tell(struct gs_sim *sim, struct gs_event *ev)
{
	struct mm_policy *p = gs_container_of(ev, struct mm_policy, ev);
	struct waiting *list = p->waiting;
	size_t n = p->nwaiting;
	gs_time end[MM_NR_PHASES];

	for (u32 i = 0; i < MM_NR_PHASES; i++)
		end[i] = gs_now(sim);
	p->waiting = NULL;
	p->nwaiting = p->cap_waiting = 0;
	for (size_t i = 0; i < n; i++)
		mm_resolved(list[i].wait, list[i].units, end);
	free(list);
}

/* The first unit is missing: it is here when all that is known now is done. */
static void touch(struct mm *m, struct mm_touch *t)
{
	struct mm_policy *p = policy_of(m);
	u64 unit = m->common->unit, va = t->va & ~(unit - 1), end = t->va + t->bytes;
	bool missing = use(p, &p->nodes[t->device], gm_as_find(p->as, va));

	m->ahead = 0;
	t->kind = missing ? MM_MISS : MM_HIT;
	t->covered = gs_min(va + unit, end) - t->va;
	if (!missing)
		return;
	m->stats.misses--; /* the caller counts it */
	t->units = 1;
	GS_PUSH_ROOM(p->waiting, p->nwaiting, p->cap_waiting);
	p->waiting[p->nwaiting++] = (struct waiting){ t->wait, 1 };
	p->ev.fn = tell;
	if (!gs_queued(&p->ev))
		gs_after(m->sim, &p->ev, 0);
	note_hbm(p);
}

/* ---- life --------------------------------------------------------------- */

static void never(void *host, struct gm_op *op)
{
	(void)host;
	(void)op;
	gs_assert(!"the pager is not asked");
}

static u64 next_use(void *host, u32 device, u64 va)
{
	struct mm *m = host;

	return m->next_use ? m->next_use(m->next_use_arg, (u16)device, va) : ~0ULL;
}

static const struct gm_host_ops host_ops = { .submit = never, .next_use = next_use };

/* The core's device is there for its number; memory is counted here. */
static int add_device(struct mm_policy *p, u32 d, const char *evictor, u64 units)
{
	struct gm_dev *dev = gm_dev_create(p->core, 1);
	struct gm_hnode *n = &p->nodes[d];

	if (IS_ERR(dev))
		return (int)PTR_ERR(dev);
	*n = (struct gm_hnode){ .core = p->core,
				.dev = dev,
				.evict = gm_evictor_find(evictor),
				.nr_frames = units,
				.cap = units };
	p->mm.needs_future = n->evict->needs_future;
	return n->evict->init(n);
}

static int init(struct mm *m)
{
	struct mm_policy *p = policy_of(m);
	struct gm_setup setup = {
		.params = &p->params,
		.variant = "gmem+",
		.evictor = m->common->evictor,
		.prefetcher = "none",
		.unit = m->common->unit,
		.random_seed = gs_hash("gmem.evict", 10, gs_seed(m->sim)),
	};
	u64 units = hw_hbm_usable(m->machine, setup.unit) / setup.unit;
	int err = 0;

	if (!*setup.evictor || !strcmp(setup.evictor, "auto"))
		setup.evictor = "lru";
	gm_params_init(&p->params);
	p->core = gm_core_new(&setup, &host_ops, m);
	if (IS_ERR(p->core)) {
		err = (int)PTR_ERR(p->core);
		p->core = NULL;
		gs_err("policy: cannot start evictor '%s', unit %llu: %s", setup.evictor,
		       setup.unit, strerror(-err));
		return err;
	}
	p->as = gm_as_create(p->core);
	for (; p->ndevices < m->machine->device.count && !err; p->ndevices++)
		err = add_device(p, p->ndevices, setup.evictor, units);
	return err;
}

static void fini(struct mm *m)
{
	struct mm_policy *p = policy_of(m);

	for (u32 d = 0; d < p->ndevices; d++)
		if (p->nodes[d].evict)
			p->nodes[d].evict->fini(&p->nodes[d]);
	if (p->as)
		gm_as_destroy(p->as);
	if (p->core)
		gm_core_free(p->core);
	free(p->waiting);
}

static int add(struct mm *m, u64 va, u64 bytes)
{
	u64 unit = m->common->unit, first = va & ~(unit - 1);
	int err = gm_mmap(policy_of(m)->as, first, ((va + bytes + unit - 1) & ~(unit - 1)) - first);

	if (err)
		gs_err("policy: cannot map %llu bytes at 0x%llx: %s", bytes, va, strerror(-err));
	return err;
}

static int drop(struct mm *m, u64 va, u64 bytes, struct mm_done *d)
{
	struct mm_policy *p = policy_of(m);

	for (u64 at = va; at < va + bytes; at += m->common->unit) {
		struct gm_mapping *unit = gm_as_find(p->as, at);

		if (unit && unit->flags & GM_MAP_LISTED)
			leave(unit, node_of(p, unit));
	}
	note_hbm(p);
	return gm_munmap(p->as, va, bytes, NULL);
}

static u64 unit_of(const struct mm *m)
{
	return m->common->unit;
}

const struct mm_ops mm_policy = {
	.name = "policy",
	.help = "an evictor alone: counts misses, which take no time",
	.state_size = sizeof(struct mm_policy),
	.init = init,
	.fini = fini,
	.add = add,
	.remove = drop,
	.touch = touch,
	.pages = pages,
	.unit = unit_of,
};
