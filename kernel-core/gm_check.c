// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_check.c - the invariants of GMEM, and whether they hold now
 *
 * One row each, numbered as in DESIGN.md.  A row looks at every unit, at every
 * device, or at the core as a whole.  Some invariants are about a course of
 * events and not about a state: counters are kept where they would break
 * (gm_stats.broken_*), or the row names the test that shows them.
 */
#include "gm_pager.h"
#include "gm_policy.h"

/* Each answers NULL, or what is wrong. */
struct invariant {
	u32 number;
	const char *text;
	const char *(*unit)(const struct gm_core *core, const struct gm_mapping *m);
	const char *(*node)(const struct gm_hnode *n);
	const char *(*core)(const struct gm_core *core);
	const char *test; /* where it is shown besides, or instead */
};

/* ---- units ------------------------------------------------------------ */

static const char *one_place(const struct gm_core *core, const struct gm_mapping *m)
{
	bool hosted = m->flags & GM_MAP_HOSTED;

	if (m->state >= GM_NR_STATES)
		return "no such state";
	if (gm_in_flight(m) != !!m->txn)
		return "in flight without a move, or moved without being in flight";
	if (m->txn && m->txn->m != m)
		return "moved by another unit's move";
	if (m->state == GM_NOMAP && (hosted || m->owner != GM_HOST_NODE))
		return "NOMAP holds a frame";
	if (m->state == GM_CPU && (!hosted || m->owner != GM_HOST_NODE))
		return "CPU without a host frame, or on a device besides";
	if (m->state == GM_DEVICE && (u32)m->owner >= core->nr_devs)
		return "DEVICE without a device";
	return NULL;
}

static const char *one_copy(const struct gm_core *core, const struct gm_mapping *m)
{
	bool clean = !(m->flags & GM_MAP_DIRTY);

	if (m->state == GM_CPU && !clean)
		return "CPU but newer on a device";
	if (m->state != GM_DEVICE || core->variant.dirty_tracking)
		return NULL;
	if (clean || m->flags & GM_MAP_HOSTED)
		return "a second copy without dirty tracking";
	return NULL;
}

static const char *translations(const struct gm_core *core, const struct gm_mapping *m)
{
	const struct gm_txn *t = m->txn;

	if (!(m->flags & GM_MAP_CPU_PTE) || m->state == GM_CPU)
		return NULL;
	if (t && !t->leader->committed && t->from == GM_CPU)
		return NULL; /* HOST_UNMAP is still to come */
	if (t && m->state == GM_TO_CPU)
		return NULL; /* HOST_MAP has been, or munmap is about to unmap */
	return "a CPU translation of content that is elsewhere";
}

static const char *frame_of(const struct gm_core *core, const struct gm_mapping *m)
{
	const struct gm_hnode *n;

	if (m->owner == GM_HOST_NODE)
		return NULL;
	n = &core->devs[m->owner]->node;
	if (m->frame >= n->nr_frames || n->frames[m->frame].m != m)
		return "its frame is another unit's";
	return NULL;
}

static const char *pins(const struct gm_core *core, const struct gm_mapping *m)
{
	u8 listed = GM_MAP_LISTED | GM_MAP_GUARDED;

	if (m->flags & GM_MAP_PINNED && (m->state != GM_DEVICE || m->flags & listed))
		return "pinned, and on a list of victims or not on a device";
	return NULL;
}

static const char *lists(const struct gm_core *core, const struct gm_mapping *m)
{
	u8 listed = m->flags & (GM_MAP_LISTED | GM_MAP_GUARDED);

	if (listed && m->state != GM_DEVICE)
		return "a victim that is not on a device";
	if (listed == (GM_MAP_LISTED | GM_MAP_GUARDED))
		return "on two lists";
	return NULL;
}

/* ---- devices ---------------------------------------------------------- */

static const char *capacity(const struct gm_hnode *n)
{
	u64 over = n->core->variant.cap_enforced ? 0 : n->core->variant.import_batch;

	if (n->imported > n->nr_frames)
		return "more frames in use than there are";
	if (n->imported > n->cap + (over ? over - 1 : 0))
		return "more frames in use than the cap allows";
	return n->nr_free > n->imported ? "more frames free than handed out" : NULL;
}

static u64 length(const struct list_head *head)
{
	const struct list_head *e;
	u64 n = 0;

	for (e = head->next; e != head; e = e->next)
		n++;
	return n;
}

static const char *accounts(const struct gm_hnode *n)
{
	u64 sum = n->nr_free + n->nr_inflight + n->nr_listed + n->nr_pinned + n->nr_guarded +
		  n->nr_isolated + n->nr_stranded;
	u64 free = n->imported - n->fresh, want = 0;
	const struct gm_txn *t;
	u32 f;

	for (f = n->free; f != U32_MAX && free <= n->nr_free; f = n->frames[f].next)
		free++;
	list_for_each_entry(t, &n->demand, queue)
		want += t->n;
	list_for_each_entry(t, &n->ahead, queue)
		want += t->n;
	if (sum != n->imported)
		return "the counters do not add up to the frames handed out";
	if (free != n->nr_free)
		return "the free stack is not as long as counted";
	if (n->evict->count(n) != n->nr_listed)
		return "the evictor's list is not as long as counted";
	if (length(&n->guarded) != n->nr_guarded)
		return "the guarded list is not as long as counted";
	if (want != n->want)
		return "the queue for frames is not as long as counted";
	return n->nr_evicting > n->nr_inflight ? "more evictions than units in flight" : NULL;
}

static const char *reachable(const struct gm_hnode *n)
{
	u64 listed = 0, pinned = 0, guarded = 0, on_list = 0, flying = 0, i;

	for (i = 0; i < n->nr_frames; i++) {
		const struct gm_mapping *m = n->frames[i].m;

		if (!m)
			continue;
		flying += gm_in_flight(m);
		listed += !!(m->flags & GM_MAP_LISTED);
		pinned += !!(m->flags & GM_MAP_PINNED);
		guarded += !!(m->flags & GM_MAP_GUARDED);
		on_list += m->state == GM_DEVICE &&
			   !(m->flags & (GM_MAP_LISTED | GM_MAP_PINNED | GM_MAP_GUARDED)) &&
			   !list_empty(&m->lru);
	}
	if (listed != n->nr_listed || pinned != n->nr_pinned || guarded != n->nr_guarded)
		return "units are not on the lists that their flags name";
	if (on_list != n->nr_isolated || flying != n->nr_inflight)
		return "units in between are not counted right";
	if (n->nr_stranded && n->core->variant.put_back == GM_PUT_BACK_ALWAYS)
		return "a unit that the policy cannot find";
	return NULL;
}

static const char *reverse_map(const struct gm_hnode *n)
{
	u64 used = 0, i;

	for (i = 0; i < n->nr_frames; i++) {
		const struct gm_mapping *m = n->frames[i].m;
		bool there, coming;

		if (!m)
			continue;
		used++;
		there = m->owner == gm_dev_node(n->dev) && m->frame == i;
		coming = m->txn && m->txn->framed && m->txn->dev == n->dev && m->txn->frame == i;
		if (there == coming)
			return "a frame whose unit does not know it";
	}
	return used == n->imported - n->nr_free ? NULL : "used frames without a unit";
}

static const char *pin_limit(const struct gm_hnode *n)
{
	return n->nr_pinned > n->pin_limit ? "more pinned than allowed" : NULL;
}

/* ---- the core --------------------------------------------------------- */

/* Position of a step in @script, or @none. */
static u32 at(const struct gm_step *script, u8 type, u32 none)
{
	u32 i;

	for (i = 0; script[i].type != GM_S_END; i++)
		if (script[i].type == type)
			return i;
	return none;
}

static const char *step_order(const struct gm_core *core)
{
	u32 i;

	for (i = 0; i < GM_NR_CASES; i++) {
		const struct gm_step *s = gm_scripts[core->variant.family][i];
		u32 copy = at(s, GM_S_COPY, U32_MAX), commit = at(s, GM_S_COMMIT, 0);

		if (copy != U32_MAX &&
		    (copy > commit || at(s, GM_S_DEV_MAP, U32_MAX) < copy ||
		     at(s, GM_S_HOST_MAP, U32_MAX) < copy || at(s, GM_S_DEV_UNMAP, 0) > copy ||
		     at(s, GM_S_HOST_UNMAP, 0) > copy || at(s, GM_S_FRAME, 0) > copy))
			return "a script copies while somebody can see it";
		if (at(s, GM_S_DEV_FREE, U32_MAX) < commit ||
		    at(s, GM_S_HOST_FREE, U32_MAX) < commit)
			return "a script frees what it may have to go back to";
	}
	return NULL;
}

static const char *entry_lock(const struct gm_core *core)
{
	if (core->stats.broken_move)
		return "an illegal change of state";
	return core->stats.broken_order ? "a second move of a unit in flight" : NULL;
}

static const char *never_pinned(const struct gm_core *core)
{
	return core->stats.broken_pin ? "a pinned unit was a victim" : NULL;
}

static const char *bounded(const struct gm_core *core)
{
	return core->stats.broken_rounds ? "direct eviction beyond its bound" : NULL;
}

static bool is_quiet(const struct gm_core *core)
{
	return !core->stats.txns_in_use && !core->works_asking;
}

static const char *answered(const struct gm_core *core)
{
	if (core->stats.broken_answer)
		return "a move ended with a request unanswered";
	return is_quiet(core) && core->stats.msg_owed ? "a request was never answered" : NULL;
}

static const char *ranges(const struct gm_core *core)
{
	const struct gm_as *as;
	const struct gm_range *r;
	u64 i;

	list_for_each_entry(as, &core->spaces, link) {
		u64 end = 0;

		i = 0;
		list_for_each_entry(r, &as->ranges, link) {
			if (i >= as->nr_ranges || as->sorted[i] != r || r->va < end)
				return "ranges overlap or are out of order";
			end = r->va + (r->n << core->unit_shift);
			i++;
		}
		if (i != as->nr_ranges)
			return "a range that cannot be found";
	}
	return NULL;
}

/* ---- the table -------------------------------------------------------- */

#define MODEL "test_model.c"
#define CORE  "test_core.c"

static const struct invariant invariants[] = {
	{ 1, "a unit is in exactly one place", .unit = one_place },
	{ 2, "one valid copy; a clean one more only with dirty tracking", .unit = one_copy },
	{ 3, "translations only where the content is", .unit = translations },
	{ 4, "no two devices hold a unit", .node = reverse_map, .test = CORE },
	{ 5, "unmap before copy before map", .core = step_order, .test = CORE },
	{ 6, "first touch reads zeroes, a move changes nothing", .test = MODEL },
	{ 7, "states change as drawn, one move a unit", .core = entry_lock },
	{ 8, "capacity and cap hold", .node = capacity },
	{ 9, "frames add up", .node = accounts },
	{ 10, "the policy finds every unit", .unit = lists, .node = reachable },
	{ 11, "frames know their units and units their frames", .unit = frame_of,
	  .node = reverse_map },
	{ 12, "pinned units stay, and are few", .unit = pins, .node = pin_limit,
	  .core = never_pinned },
	{ 13, "evictions find host memory or change nothing", .test = CORE },
	{ 14, "direct eviction is bounded", .core = bounded, .test = CORE },
	{ 15, "lock order: the host holds one lock around every call", .test = "gm_core.h" },
	{ 16, "a request has one answer or one timeout", .core = answered, .test = MODEL },
	{ 17, "faults on one unit move it once", .core = entry_lock, .test = CORE },
	{ 18, "advice is done before its waiter goes on", .test = CORE },
	{ 19, "prefetch rounds outward, free inward", .test = CORE },
	{ 20, "munmap and exit give everything back once", .test = MODEL },
	{ 21, "ranges are disjoint; a failed mmap leaves no trace", .core = ranges, .test = CORE },
	{ 22, "the same calls give the same counters", .test = MODEL },
};

static int complain(const struct invariant *inv, const char *what, char *why, size_t size)
{
	scnprintf(why, size, "I%u (%s): %s", inv->number, inv->text, what);
	return (int)inv->number;
}

static const char *check_range(const struct gm_core *core, const struct gm_range *r,
			       const struct invariant *inv)
{
	const char *what = NULL;
	u64 i;

	for (i = 0; i < r->n && !what; i++)
		what = inv->unit(core, &r->map[i]);
	return what;
}

static const char *check_units(const struct gm_core *core, const struct invariant *inv)
{
	const struct gm_as *as;
	const struct gm_range *r;
	const struct gm_work *w;
	const char *what;

	list_for_each_entry(as, &core->spaces, link) {
		list_for_each_entry(r, &as->ranges, link)
			if ((what = check_range(core, r, inv)))
				return what;
		list_for_each_entry(w, &as->dying, as_link)
			list_for_each_entry(r, &w->dying, link)
				if ((what = check_range(core, r, inv)))
					return what;
	}
	return NULL;
}

int gm_check(const struct gm_core *core, char *why, size_t size)
{
	u32 i, d;

	for (i = 0; i < ARRAY_SIZE(invariants); i++) {
		const struct invariant *inv = &invariants[i];
		const char *what = inv->core ? inv->core(core) : NULL;

		for (d = 0; d < core->nr_devs && !what && inv->node; d++)
			what = inv->node(&core->devs[d]->node);
		if (!what && inv->unit)
			what = check_units(core, inv);
		if (what)
			return complain(inv, what, why, size);
	}
	return 0;
}
