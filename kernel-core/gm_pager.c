// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_pager.c - executes scripts
 *
 * The life of a group:
 *
 *	gm_txn_new ─► gm_txn_group ─► gm_txn_start
 *	                                   │
 *	           ┌───────────────────────▼──────────┐
 *	           │ submit the step's operations     │◄── gm_op_done()
 *	           │ apply the step to the members    │
 *	           └──┬──────────────┬────────────┬───┘
 *	     no frame │        error │ some       │ END
 *	   gm_frames_get()     all ──┤ split      │
 *	              │              ▼            ▼
 *	       gm_txn_resume       undo ───────► land ─► wake ─► pool
 */
#include "gm_pager.h"

#define NO_FRAME U32_MAX

struct step_ops {
	u8 op; /* enum gm_op_type */
	bool takes_time;
	bool whole;			       /* one operation for the group, else one a run */
	bool single;			       /* ... or one a member */
	bool (*wants)(const struct gm_txn *t); /* NULL: always */
	int (*done)(struct gm_txn *t);	       /* applied to each member */
};

/* ---- what steps do to a unit ------------------------------------------ */

static struct gm_stats *stats_of(const struct gm_txn *t)
{
	return &t->core->stats;
}

static bool has_pte(const struct gm_txn *t)
{
	return t->m->flags & GM_MAP_CPU_PTE;
}
static bool has_content(const struct gm_txn *t)
{
	return t->copies;
}
/* Units without content go to the host only when the CPU asks for them. */
static bool wants_host_frame(const struct gm_txn *t)
{
	bool cpu = t->kind == GM_C_CPU_ZERO || t->kind == GM_C_CPU_FETCH;

	return !(t->m->flags & GM_MAP_HOSTED) && (t->copies || cpu);
}
static bool wants_zeroes(const struct gm_txn *t)
{
	return t->alloced && (!t->copies || t->core->variant.zero_first);
}

static int host_unmapped(struct gm_txn *t)
{
	t->m->flags &= (u8)~GM_MAP_CPU_PTE;
	return 0;
}
static int host_mapped(struct gm_txn *t)
{
	t->m->flags |= GM_MAP_CPU_PTE;
	return 0;
}
static int host_alloced(struct gm_txn *t)
{
	t->m->host_frame = t->op.frame;
	t->m->flags |= GM_MAP_HOSTED;
	t->alloced = true;
	return 0;
}

static void host_release(struct gm_mapping *m, struct gm_core *core)
{
	if (!(m->flags & GM_MAP_HOSTED))
		return;
	core->ops->host_free(core->host, m->host_frame);
	m->flags &= (u8)~GM_MAP_HOSTED;
}
static int host_freed(struct gm_txn *t)
{
	if (!t->core->variant.dirty_tracking)
		host_release(t->m, t->core);
	return 0;
}

static int zeroed(struct gm_txn *t)
{
	stats_of(t)->zeroed += t->core->unit;
	return 0;
}

static int copied(struct gm_txn *t)
{
	struct gm_stats *st = stats_of(t);
	u64 *bytes = &st->d2h_other;

	if (t->m->state == GM_TO_PEER)
		bytes = &st->d2d;
	else if (t->m->state == GM_TO_DEVICE)
		bytes = t->demand ? &st->h2d_demand : &st->h2d_prefetch;
	else if (t->cause == GM_CAUSE_CPU_FAULT)
		bytes = &st->d2h_cpu;
	else if (t->cause == GM_CAUSE_EVICT_DIRECT)
		bytes = &st->d2h_evict_direct;
	else if (t->cause == GM_CAUSE_EVICT_BACKGROUND)
		bytes = &st->d2h_evict_background;
	*bytes += t->core->unit;
	if (t->refault)
		st->refetched += t->core->unit;
	return 0;
}

static int vetoed(struct gm_txn *t)
{
	if (!(t->m->flags & GM_MAP_WILLNEED))
		return 0;
	stats_of(t)->evict_veto++;
	return -EAGAIN;
}

/* The frame that the unit leaves is free; the unit is nowhere but in flight. */
static int dev_freed(struct gm_txn *t)
{
	struct gm_mapping *m = t->m;
	struct gm_hnode *n = &t->core->devs[m->owner]->node;

	if (t->kind == GM_C_EVICT)
		n->nr_evicting--;
	gm_hnode_give(n, m->frame);
	m->owner = GM_HOST_NODE;
	m->evicted_at = 0;
	gm_hnode_kick(n);
	return 0;
}

static void slot_release(struct gm_txn *t)
{
	struct gm_dev *dev = t->dev;

	if (!t->slot)
		return;
	t->slot = false;
	dev->groups--;
	if (list_empty(&dev->kick))
		list_add_tail(&dev->kick, &t->core->kicked_devs);
}

/* clang-format off */
static const struct step_ops step_ops[GM_NR_STEPS] = {
	[GM_S_MSG]        = { .op = GM_OP_MSG, .takes_time = true, .whole = true },
	[GM_S_HOST_UNMAP] = { .op = GM_OP_HOST_UNMAP, .takes_time = true, .wants = has_pte, .done = host_unmapped },
	[GM_S_HOST_MAP]   = { .op = GM_OP_HOST_MAP, .takes_time = true, .done = host_mapped },
	[GM_S_HOST_ALLOC] = { .op = GM_OP_HOST_ALLOC, .takes_time = true, .single = true,
			      .wants = wants_host_frame, .done = host_alloced },
	[GM_S_HOST_ZERO]  = { .op = GM_OP_ZERO, .takes_time = true, .wants = wants_zeroes },
	[GM_S_DMA_MAP]    = { .op = GM_OP_DMA_MAP, .takes_time = true, .wants = has_content },
	[GM_S_IMPORT]     = { .op = GM_OP_DEV_ALLOC, .takes_time = true, .whole = true },
	[GM_S_DEV_ALLOC]  = { .op = GM_OP_DEV_ALLOC, .takes_time = true, .whole = true },
	[GM_S_DEV_ZERO]   = { .op = GM_OP_ZERO, .takes_time = true, .done = zeroed },
	[GM_S_COPY]       = { .op = GM_OP_COPY, .takes_time = true, .wants = has_content, .done = copied },
	[GM_S_DEV_MAP]    = { .op = GM_OP_DEV_MAP, .takes_time = true },
	[GM_S_DEV_UNMAP]  = { .op = GM_OP_DEV_UNMAP, .takes_time = true },
	[GM_S_VETO]       = { .done = vetoed },
	[GM_S_DEV_FREE]   = { .done = dev_freed },
	[GM_S_HOST_FREE]  = { .done = host_freed },
};
/* clang-format on */

/* ---- submitting ------------------------------------------------------- */

static s16 end_node(const struct gm_txn *t, u8 end)
{
	const struct gm_dev *dev = end == GM_E_SRC ? t->src : t->dev;

	return end == GM_E_HOST || !dev ? GM_HOST_NODE : gm_dev_node(dev);
}

static void op_done(struct gm_op *op, int err)
{
	struct gm_txn *t = container_of(op, struct gm_txn, op), *leader = t->leader;

	t->op_err = err;
	if (--leader->pending)
		return;
	list_add_tail(&leader->queue, &leader->core->runnable);
	gm_run(leader->core);
}

static void submit(struct gm_txn *t, const struct gm_step *s, u8 type, u32 units)
{
	struct gm_op *op = &t->op;
	struct gm_core *core = t->core;

	op->type = type;
	op->msg = s->msg;
	op->cause = t->cause;
	op->from = end_node(t, s->from);
	op->to = end_node(t, s->to);
	op->units = units;
	op->va = t->va;
	op->bytes = (u64)units << core->unit_shift;
	op->frame = t->m->flags & GM_MAP_HOSTED ? t->m->host_frame : 0;
	op->delay = 0;
	op->done = op_done;
	t->op_err = 0;
	t->leader->pending++;
	t->leader->submitted = true;
	if (type == GM_OP_MSG)
		core->stats.msg[s->msg]++;
	core->ops->submit(core->host, op);
}

/* Cut the members that want @so into runs of consecutive addresses. */
static void find_runs(struct gm_txn *leader, const struct step_ops *so)
{
	u64 unit = leader->core->unit;
	struct gm_txn *t, *run = NULL;

	list_for_each_entry (t, &leader->members, link) {
		t->run = 0;
		if (so->wants && !so->wants(t)) {
			run = NULL;
		} else if (run && !so->single && t->va == run->va + run->run * unit) {
			run->run++;
		} else {
			run = t;
			t->run = 1;
		}
	}
}

static void issue(struct gm_txn *leader, const struct gm_step *s)
{
	const struct step_ops *so = &step_ops[s->type];
	struct gm_txn *t;

	leader->issued = true;
	leader->pending = 1; /* an answer that comes at once does not run ahead of us */
	if (so->takes_time && so->whole) {
		list_for_each_entry (t, &leader->members, link)
			t->run = 0;
		leader->run = leader->n;
		submit(leader, s, so->op, s->type == GM_S_IMPORT ? leader->imported : leader->n);
	} else if (so->takes_time) {
		find_runs(leader, so);
		list_for_each_entry (t, &leader->members, link)
			if (t->run)
				submit(t, s, so->op, t->run);
	}
	leader->pending--;
}

void gm_op_unit(const struct gm_op *op, u32 i, struct gm_op_unit *out)
{
	const struct gm_txn *t = container_of(op, struct gm_txn, op);
	bool leaves;

	while (i--)
		t = list_next_entry(t, link);
	leaves = t->m->owner != GM_HOST_NODE;
	out->va = t->va;
	out->host_frame = t->m->flags & GM_MAP_HOSTED ? t->m->host_frame : 0;
	out->from_frame = leaves ? t->m->frame : NO_FRAME;
	out->to_frame = t->framed ? t->frame : NO_FRAME;
}

/* ---- groups ----------------------------------------------------------- */

struct gm_txn *gm_txn_split(struct gm_txn *leader, u32 keep)
{
	struct gm_txn *t, *next, *other = NULL;
	u32 i = 0;

	list_for_each_entry_safe (t, next, &leader->members, link) {
		if (i++ < keep)
			continue;
		if (!other)
			other = t;
		t->leader = other;
		list_move_tail(&t->link, &other->members);
		other->n++;
	}
	leader->n -= other->n;
	other->script = leader->script;
	other->pc = leader->pc;
	other->owed = leader->owed;
	other->rounds = leader->rounds;
	other->submitted = leader->submitted;
	other->committed = leader->committed;
	stats_of(leader)->msg_owed += other->owed;
	return other;
}

/* Failed members to the end, order kept; returns how many have not failed. */
static u32 sort_out_failed(struct gm_txn *leader)
{
	struct gm_txn *t, *next;
	LIST_HEAD(failed);
	u32 good = 0;

	list_for_each_entry_safe (t, next, &leader->members, link) {
		if (t->err)
			list_move_tail(&t->link, &failed);
		else
			good++;
	}
	list_splice_tail_init(&failed, &leader->members);
	return good;
}

/*
 * The first of the members has to lead.  It is another one now because members
 * were sorted: it takes over what the leader was.
 */
static struct gm_txn *hand_over(struct gm_txn *old)
{
	struct gm_txn *t, *leader = list_first_entry(&old->members, struct gm_txn, link);

	if (leader == old)
		return old;
	leader->n = old->n;
	leader->script = old->script;
	leader->pc = old->pc;
	leader->owed = old->owed;
	leader->rounds = old->rounds;
	leader->imported = old->imported;
	leader->issued = old->issued;
	leader->submitted = old->submitted;
	leader->slot = old->slot;
	old->n = 0;
	old->owed = 0;
	old->slot = false;
	list_splice_tail_init(&old->members, &leader->members);
	list_for_each_entry (t, &leader->members, link)
		t->leader = leader;
	return leader;
}

static void undo_from_here(struct gm_txn *leader)
{
	leader->undoing = true;
	leader->issued = false;
	list_add_tail(&leader->queue, &leader->core->runnable);
}

/* ---- answers ---------------------------------------------------------- */

/* Count requests and answers: each of the former gets one of the latter. */
static void settle_message(struct gm_txn *leader, u8 msg, int err)
{
	struct gm_stats *st = stats_of(leader);

	if (err)
		st->msg_failed++;
	if (msg == GM_MSG_RESPONSE) {
		leader->owed--;
		st->msg_owed--;
	} else if (!err) {
		leader->owed++;
		st->msg_owed++;
	}
}

/* Give each member of a run the answer to the run's operation. */
static void spread_errors(struct gm_txn *leader)
{
	struct gm_txn *t;
	u32 left = 0;
	int err = 0;

	list_for_each_entry (t, &leader->members, link) {
		if (t->run) {
			left = t->run;
			err = t->op_err;
		}
		if (left) {
			left--;
			t->op_err = err;
		} else {
			t->op_err = 0;
		}
	}
}

/* The step is over for @t: apply it, or note why not. */
static void member_done(struct gm_txn *t, const struct gm_step *s)
{
	const struct step_ops *so = &step_ops[s->type];
	bool took = so->takes_time && (!so->wants || so->wants(t));
	bool committed = t->leader->committed;
	int err = took ? t->op_err : 0;

	if (err == -ENOMEM && s->type == GM_S_HOST_ALLOC &&
	    gm_core_reuse_copy(t->core, &t->op.frame))
		err = 0;
	if (!err && so->done && (took || !so->takes_time))
		err = so->done(t);
	if (!err)
		return;
	if (!committed) {
		t->err = err;
		return;
	}
	stats_of(t)->late_errors++;
	if (s->type == GM_S_HOST_MAP)
		t->err = err;
	if (s->type == GM_S_HOST_UNMAP && so->done)
		so->done(t); /* munmap goes on regardless */
}

/* All operations of the step are answered.  Returns who goes on, or NULL. */
static struct gm_txn *step_done(struct gm_txn *leader, const struct gm_step *s)
{
	struct gm_txn *t;
	u32 good;

	if (s->type == GM_S_MSG)
		settle_message(leader, s->msg, leader->op_err);
	spread_errors(leader);
	list_for_each_entry (t, &leader->members, link)
		member_done(t, s);
	leader->issued = false;
	if (leader->committed) {
		leader->pc++;
		return leader;
	}
	good = sort_out_failed(leader);
	leader = hand_over(leader);
	if (!good) {
		undo_from_here(leader);
		return NULL;
	}
	if (good < leader->n)
		undo_from_here(gm_txn_split(leader, good));
	leader->pc++;
	return leader;
}

/* ---- undoing ---------------------------------------------------------- */

static void undo_member(struct gm_txn *t, u8 type)
{
	if (type == GM_S_FRAME && t->framed) {
		gm_hnode_give(&t->dev->node, t->frame);
		t->framed = false;
		gm_hnode_kick(&t->dev->node);
	} else if (type == GM_S_HOST_ALLOC && t->alloced) {
		host_release(t->m, t->core);
		t->alloced = false;
	}
}

/* Take back the step before; operations may be in progress on return. */
static void undo_step(struct gm_txn *leader)
{
	const struct gm_step *s = &leader->script[--leader->pc];
	struct gm_step back = *s;
	struct gm_txn *t;

	list_for_each_entry (t, &leader->members, link)
		undo_member(t, s->type);
	if (s->type == GM_S_MSG && leader->owed) {
		back.msg = GM_MSG_RESPONSE;
		back.from = s->to;
		back.to = s->from;
	} else if (s->type == GM_S_DEV_UNMAP) {
		back.type = GM_S_DEV_MAP;
	} else {
		return;
	}
	issue(leader, &back);
}

static void undo_done(struct gm_txn *leader)
{
	struct gm_txn *t;

	if (leader->script[leader->pc].type == GM_S_MSG)
		settle_message(leader, GM_MSG_RESPONSE, leader->op_err);
	list_for_each_entry (t, &leader->members, link)
		if (t->run && t->op_err)
			stats_of(t)->late_errors++;
	leader->issued = false;
}

/* ---- landing ---------------------------------------------------------- */

static bool is_there(const struct gm_mapping *m, const struct gm_waiter *w)
{
	if (w->node == GM_HOST_NODE)
		return m->state == GM_CPU && (m->flags & GM_MAP_CPU_PTE);
	return m->state == GM_DEVICE && m->owner == w->node;
}

static bool shares_error(const struct gm_txn *t, const struct gm_waiter *w)
{
	if (!t->err || t->cause == GM_CAUSE_PREFETCH)
		return false;
	/* two full devices would wait for each other: there is a way around */
	if (t->kind == GM_C_PEER && t->err == -ENOMEM)
		return false;
	/* the first half of a move between devices */
	if (t->kind == GM_C_OUT && t->cause == GM_CAUSE_DEV_FAULT)
		return true;
	return t->dest == w->node;
}

/*
 * Who waits is content, or shares the error of a move to where he waits, or
 * begins again: then something else moved the unit.
 */
static void settle_waiters(struct gm_txn *t)
{
	struct gm_mapping *m = t->m;
	struct gm_waiter *w, *next;

	list_for_each_entry_safe (w, next, &t->waiters, link) {
		w->err = t->err;
		if (w->node == GM_ANYWHERE)
			continue;
		if (m->range->dying) {
			w->err = -EFAULT;
		} else if (is_there(m, w)) {
			w->err = 0;
			if (w->write && m->state == GM_DEVICE)
				gm_hnode_dirty(&t->core->devs[m->owner]->node, m);
		} else if (!shares_error(t, w)) {
			w->via_host |= t->kind == GM_C_PEER && t->err == -ENOMEM;
			list_move_tail(&w->link, &t->core->retries);
			stats_of(t)->fault_retried++;
		}
	}
}

static void land_on_device(struct gm_txn *t)
{
	struct gm_mapping *m = t->m;
	struct gm_hnode *n = &t->dev->node;
	bool ahead = t->cause == GM_CAUSE_PREFETCH && !t->late && !t->pin;
	bool pin = t->pin && n->nr_pinned < n->pin_limit;

	m->owner = gm_dev_node(t->dev);
	m->frame = t->frame;
	t->framed = false;
	n->nr_inflight--;
	if (!t->core->variant.dirty_tracking)
		m->flags |= GM_MAP_DIRTY;
	if (ahead)
		m->flags |= GM_MAP_PREFETCHED;
	if (pin)
		m->flags |= GM_MAP_PINNED;
	else if (t->pin)
		t->err = -ENOSPC;
	if (t->cause == GM_CAUSE_PREFETCH)
		stats_of(t)->prefetch_moved++;
	gm_set_state(m, GM_DEVICE);
	if (m->flags & GM_MAP_HOSTED)
		gm_hnode_copy_add(n, m);
	gm_hnode_insert(n, m, t->refault && t->demand && t->core->variant.thrash_damping);
	gm_hnode_kick(n);
}

static void land_on_host(struct gm_txn *t)
{
	struct gm_mapping *m = t->m;
	struct gm_core *core = t->core;

	m->flags &= (u8) ~(GM_MAP_DIRTY | GM_MAP_WILLNEED);
	if (t->kind >= GM_C_FREE_DEV) {
		if (t->from == GM_DEVICE)
			core->stats.discarded += core->unit;
		host_release(m, core);
	}
	if (t->kind == GM_C_EVICT) {
		core->evictions += core->evictions == U32_MAX ? 2 : 1;
		m->evicted_at = core->evictions;
		core->stats.evict_done++;
		core->stats.evict_clean += !t->copies;
	}
	gm_set_state(m, m->flags & GM_MAP_HOSTED ? GM_CPU : GM_NOMAP);
}

/* An eviction that failed: is the unit found again by the policy? */
static bool puts_back(const struct gm_txn *t)
{
	u8 rule = t->core->variant.put_back;
	bool host = t->err == -ENOMEM || t->err == -EAGAIN;

	return t->kind != GM_C_EVICT || rule == GM_PUT_BACK_ALWAYS ||
	       (rule == GM_PUT_BACK_HOST && host);
}

static void land_undone(struct gm_txn *t)
{
	struct gm_mapping *m = t->m;
	struct gm_stats *st = stats_of(t);
	struct gm_hnode *n;

	st->moves_undone++;
	gm_set_state(m, t->from);
	if (t->from != GM_DEVICE)
		return;
	n = &t->core->devs[m->owner]->node;
	n->nr_inflight--;
	m->flags &= (u8)~GM_MAP_WILLNEED;
	if (t->pin && n->nr_pinned < n->pin_limit)
		m->flags |= GM_MAP_PINNED;
	if (m->flags & GM_MAP_HOSTED)
		gm_hnode_copy_add(n, m);
	if (t->kind == GM_C_EVICT) {
		n->nr_evicting--;
		if (t->err == -ENOMEM)
			st->evict_host_nomem++;
		else if (t->err != -EAGAIN)
			st->evict_dev_error++;
	}
	if (puts_back(t)) {
		st->put_back += t->kind == GM_C_EVICT;
		gm_hnode_insert(n, m, false);
	} else {
		gm_hnode_strand(n, m);
	}
	gm_hnode_kick(n);
}

static void land_one(struct gm_txn *t, bool undone)
{
	struct gm_mapping *m = t->m;
	struct gm_core *core = t->core;
	s16 from = t->from == GM_DEVICE ? gm_dev_node(t->src) : GM_HOST_NODE;

	m->txn = NULL;
	if (undone)
		land_undone(t);
	else if (m->state == GM_TO_CPU)
		land_on_host(t);
	else
		land_on_device(t);
	if (!undone && core->ops->decision)
		core->ops->decision(core->host, t->va, from, t->dest, t->cause);
	settle_waiters(t);
	if (t->reclaim)
		gm_reclaim_landed(t, !undone);
	list_move_tail(&t->link, &core->landed);
	core->stats.txns_in_use--;
}

static void charge(struct gm_txn *leader, u8 phase)
{
	u64 now = gm_now(leader->core);
	struct gm_txn *t;

	list_for_each_entry (t, &leader->members, link) {
		t->spent[phase] += now - t->mark;
		t->mark = now;
	}
}

/* An answer before the call that asked has returned would confuse the caller. */
static bool lands_too_early(struct gm_txn *leader)
{
	static const struct gm_step now = { .from = GM_E_DEV, .to = GM_E_HOST };

	if (leader->submitted || list_empty(&leader->waiters))
		return false;
	leader->issued = true;
	submit(leader, &now, GM_OP_TIMER, 1);
	return true;
}

static void land(struct gm_txn *leader)
{
	struct gm_txn *t, *next;

	if (lands_too_early(leader))
		return;
	charge(leader, GM_PHASE_FINISH);
	slot_release(leader);
	if (leader->owed)
		stats_of(leader)->broken_answer++;
	list_for_each_entry_safe (t, next, &leader->members, link)
		land_one(t, leader->undoing);
}

/* ---- the interpreter -------------------------------------------------- */

static void run_undo(struct gm_txn *leader)
{
	for (;;) {
		if (leader->issued && leader->pending)
			return;
		if (leader->issued && leader->op.type == GM_OP_TIMER)
			leader->issued = false; /* of lands_too_early() */
		else if (leader->issued)
			undo_done(leader);
		if (!leader->pc) {
			land(leader);
			return;
		}
		undo_step(leader);
	}
}

static void run_script(struct gm_txn *leader)
{
	while (leader && !leader->undoing) {
		const struct gm_step *s = &leader->script[leader->pc];

		if (leader->issued && leader->pending)
			return;
		if (leader->issued && s->type == GM_S_END) {
			leader->issued = false; /* of lands_too_early() */
		} else if (leader->issued) {
			charge(leader, s->phase);
			leader = step_done(leader, s);
			continue;
		}
		switch (s->type) {
		case GM_S_END:
			land(leader);
			return;
		case GM_S_FRAME:
			if (!gm_frames_get(leader))
				return;
			charge(leader, s->phase);
			leader->pc++;
			break;
		case GM_S_COMMIT:
			leader->committed = true;
			leader->pc++;
			break;
		case GM_S_SENT:
			slot_release(leader);
			leader->pc++;
			break;
		default:
			if ((s->type == GM_S_IMPORT && !leader->imported) ||
			    (s->msg == GM_MSG_RESPONSE && !leader->owed))
				leader->pc++;
			else
				issue(leader, s);
		}
	}
}

/* ---- life of a move --------------------------------------------------- */

static struct gm_txn *txn_alloc(struct gm_core *core)
{
	struct gm_txn *t = list_first_entry_or_null(&core->pool, struct gm_txn, link);

	if (t) {
		list_del(&t->link);
		memset(t, 0, sizeof(*t));
	} else {
		t = kzalloc(sizeof(*t), GFP_NOWAIT);
		if (!t)
			return NULL;
		core->txns++;
	}
	INIT_LIST_HEAD(&t->link);
	INIT_LIST_HEAD(&t->waiters);
	INIT_LIST_HEAD(&t->members);
	INIT_LIST_HEAD(&t->queue);
	INIT_LIST_HEAD(&t->own.victims);
	INIT_LIST_HEAD(&t->own.kick);
	return t;
}

/* The unit leaves the lists of the device it is on; its frame stays with it. */
static void take_off(struct gm_txn *t)
{
	struct gm_mapping *m = t->m;
	struct gm_hnode *n = &t->src->node;

	if (m->flags & GM_MAP_HOSTED)
		gm_hnode_copy_del(n, m);
	gm_hnode_remove(n, m);
	n->nr_inflight++;
	n->nr_evicting += t->kind == GM_C_EVICT;
	t->pin = m->flags & GM_MAP_PINNED;
	stats_of(t)->prefetch_wasted += !!(m->flags & GM_MAP_PREFETCHED);
	m->flags &= (u8) ~(GM_MAP_PINNED | GM_MAP_PREFETCHED);
}

/* Is @m back so soon after its eviction that it better had stayed? */
static void note_refault(struct gm_txn *t)
{
	struct gm_core *core = t->core;
	struct gm_mapping *m = t->m;
	u64 window = div_u64(t->dev->node.cap * core->params->thrash_window, 100);
	u32 distance = core->evictions - m->evicted_at;

	if (!t->demand || !m->evicted_at || distance > window)
		return;
	t->refault = true;
	core->stats.refaults++;
	core->stats.refault_distance += distance;
}

static void txn_aim(struct gm_txn *t)
{
	struct gm_mapping *m = t->m;

	t->dest = t->kind <= GM_C_AHEAD_PEER ? gm_dev_node(t->dev) : GM_HOST_NODE;
	t->from = m->state;
	if (m->state == GM_DEVICE) {
		t->src = t->core->devs[m->owner];
		t->copies = m->flags & GM_MAP_DIRTY || t->dest != GM_HOST_NODE;
		take_off(t);
	} else {
		t->copies = m->state == GM_CPU;
		if (t->dest != GM_HOST_NODE)
			note_refault(t);
	}
	if (t->dest == GM_HOST_NODE)
		gm_set_state(m, GM_TO_CPU);
	else
		gm_set_state(m, t->from == GM_DEVICE ? GM_TO_PEER : GM_TO_DEVICE);
}

struct gm_txn *gm_txn_new(struct gm_mapping *m, u8 kind, u8 cause, struct gm_dev *dev)
{
	struct gm_core *core = m->range->as->core;
	struct gm_txn *t;

	if (gm_in_flight(m)) {
		core->stats.broken_order++;
		return NULL;
	}
	t = txn_alloc(core);
	if (!t)
		return NULL;
	t->core = core;
	t->m = m;
	t->va = gm_mapping_va(m);
	t->dev = dev;
	t->src = dev;
	t->kind = kind;
	t->cause = cause;
	t->demand = cause == GM_CAUSE_DEV_FAULT || cause == GM_CAUSE_CPU_FAULT;
	t->script = gm_scripts[core->variant.family][kind];
	t->leader = t;
	t->n = 1;
	list_add(&t->link, &t->members);
	t->born = gm_now(core);
	t->mark = t->born;
	t->own.node = dev ? &dev->node : NULL;
	t->own.owner = t;
	t->own.cause = GM_CAUSE_EVICT_DIRECT;
	txn_aim(t);
	m->txn = t;
	core->stats.moves++;
	core->stats.txns_in_use++;
	return t;
}

void gm_txn_group(struct gm_txn *leader, struct gm_txn *t)
{
	list_move_tail(&t->link, &leader->members);
	t->leader = leader;
	t->n = 0;
	leader->n++;
}

/*
 * Addresses of some members may still belong to a range that is being unmapped:
 * these wait apart.  Returns who begins, NULL if nobody can.
 */
static struct gm_txn *park_haunted(struct gm_txn *leader)
{
	struct gm_as *as = leader->m->range->as;
	struct gm_txn *t, *apart;
	u32 free;

	list_for_each_entry (t, &leader->members, link)
		t->err = gm_as_is_haunted(t->m) ? -EAGAIN : 0;
	free = sort_out_failed(leader);
	if (free == leader->n)
		return leader;
	leader = hand_over(leader);
	apart = free ? gm_txn_split(leader, free) : leader;
	list_for_each_entry (t, &apart->members, link)
		t->err = 0;
	slot_release(apart);
	list_add_tail(&apart->queue, &as->parked);
	return free ? leader : NULL;
}

void gm_txn_start(struct gm_txn *leader)
{
	struct gm_core *core = leader->core;

	/* a group stays within one space, munmap's own moves do not wait */
	if (!list_empty(&leader->m->range->as->dying) && leader->kind < GM_C_DROP_DEV)
		leader = park_haunted(leader);
	if (!leader)
		return;
	charge(leader, GM_PHASE_QUEUE);
	if (leader->n > 1) {
		core->stats.batches++;
		core->stats.batched += leader->n;
	}
	list_add_tail(&leader->queue, &core->runnable);
}

/* [at a step FRAME, on no queue] */
void gm_txn_resume(struct gm_txn *leader, int err)
{
	struct gm_txn *t;

	charge(leader, GM_PHASE_EVICT);
	if (err) {
		list_for_each_entry (t, &leader->members, link)
			t->err = err;
		leader->undoing = true;
	} else {
		leader->pc++;
	}
	list_add_tail(&leader->queue, &leader->core->runnable);
}

void gm_txn_wait(struct gm_txn *t, struct gm_waiter *w, struct gm_mapping *m, s16 node, bool write)
{
	w->as = m->range->as;
	w->va = t->va;
	w->node = node;
	w->write = write;
	w->err = 0;
	list_add_tail(&w->link, &t->waiters);
}

/* ---- the loop --------------------------------------------------------- */

/* Wake who waited for @t, one by one: each may call us again. */
static void wake_landed(struct gm_txn *t)
{
	struct gm_core *core = t->core;
	struct gm_work *work = t->work;
	u64 end[GM_NR_PHASES], at = t->born;
	struct gm_waiter *w;
	u32 i;

	for (i = 0; i < GM_NR_PHASES; i++) {
		at += t->spent[i];
		end[i] = at;
	}
	while ((w = list_first_entry_or_null(&t->waiters, struct gm_waiter, link))) {
		list_del_init(&w->link);
		if (w->err && w->node == GM_HOST_NODE)
			core->stats.cpu_fault_failed++;
		else if (w->err && w->node != GM_ANYWHERE)
			core->stats.dev_fault_failed++;
		w->wake(w, w->err, end);
	}
	if (work) {
		work->pending--;
		gm_work_landed(work, t);
	}
	list_add(&t->link, &core->pool);
}

static void wake_now(struct gm_waiter *w, struct gm_core *core)
{
	u64 end[GM_NR_PHASES];
	u32 i;

	for (i = 0; i < GM_NR_PHASES; i++)
		end[i] = gm_now(core);
	w->wake(w, w->err, end);
}

/* The unit went elsewhere while @w waited: it faults again. */
static void retry(struct gm_waiter *w, struct gm_core *core)
{
	int err;

	if (w->node == GM_HOST_NODE)
		err = gm_fault_cpu(w->as, w->va, w);
	else
		err = gm_fault_dev(w->as, core->devs[w->node], w->va, w->write, w);
	if (err == -EINPROGRESS)
		return;
	w->err = err;
	wake_now(w, core);
}

static struct list_head *pop(struct list_head *head)
{
	struct list_head *e = head->next;

	if (list_empty(head))
		return NULL;
	list_del_init(e);
	return e;
}

static void run_one(struct gm_txn *t)
{
	if (t->undoing)
		run_undo(t);
	else
		run_script(t);
}

/*
 * One thing to do; false: nothing is left.  Who has what he waited for is told
 * before anything can take it away again.
 */
static bool run_next(struct gm_core *core)
{
	struct list_head *e;

	if ((e = pop(&core->landed)))
		wake_landed(list_entry(e, struct gm_txn, link));
	else if ((e = pop(&core->woken)))
		wake_now(list_entry(e, struct gm_waiter, link), core);
	else if ((e = pop(&core->runnable)))
		run_one(list_entry(e, struct gm_txn, queue));
	else if ((e = pop(&core->reclaims)))
		gm_reclaim_step(list_entry(e, struct gm_reclaim, kick));
	else if ((e = pop(&core->kicked_devs)))
		gm_faults_serve(list_entry(e, struct gm_dev, kick));
	else if ((e = pop(&core->kicked)))
		gm_hnode_serve(list_entry(e, struct gm_hnode, kick));
	else if ((e = pop(&core->retries)))
		retry(list_entry(e, struct gm_waiter, link), core);
	else if ((e = pop(&core->works)))
		gm_work_run(list_entry(e, struct gm_work, link));
	else
		return false;
	return true;
}

void gm_run(struct gm_core *core)
{
	if (core->running)
		return;
	core->running = true;
	while (run_next(core))
		;
	core->running = false;
}
