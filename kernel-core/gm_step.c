// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_step.c - one step of a script: its operations, its effect, its undoing
 *
 * A step's operations are submitted together and cover runs of consecutive
 * addresses among the members of the group.  When all are answered, the step is
 * applied to the members; those whose run failed leave the group and go back.
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

void gm_host_release(struct gm_mapping *m, struct gm_core *core)
{
	if (!(m->flags & GM_MAP_HOSTED))
		return;
	core->ops->host_free(core->host, m->host_frame);
	m->flags &= (u8)~GM_MAP_HOSTED;
}
static int host_freed(struct gm_txn *t)
{
	if (!t->core->variant.dirty_tracking)
		gm_host_release(t->m, t->core);
	return 0;
}

static int zeroed(struct gm_txn *t)
{
	gm_stats_of(t)->zeroed += t->core->unit;
	return 0;
}

static int copied(struct gm_txn *t)
{
	struct gm_stats *st = gm_stats_of(t);
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
	gm_stats_of(t)->evict_veto++;
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

void gm_slot_release(struct gm_txn *t)
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

void gm_step_submit(struct gm_txn *t, const struct gm_step *s, u8 type, u32 units)
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
	op->ticket = ++core->tickets;
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

	list_for_each_entry(t, &leader->members, link) {
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

void gm_step_issue(struct gm_txn *leader, const struct gm_step *s)
{
	const struct step_ops *so = &step_ops[s->type];
	struct gm_txn *t;

	leader->issued = true;
	leader->pending = 1; /* an answer that comes at once does not run ahead of us */
	if (so->takes_time && so->whole) {
		list_for_each_entry(t, &leader->members, link)
			t->run = 0;
		leader->run = leader->n;
		gm_step_submit(leader, s, so->op,
			       s->type == GM_S_IMPORT ? leader->imported : leader->n);
	} else if (so->takes_time) {
		find_runs(leader, so);
		list_for_each_entry(t, &leader->members, link)
			if (t->run)
				gm_step_submit(t, s, so->op, t->run);
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
	out->owner = t->m->owner;
	out->va = t->va;
	out->host_frame = t->m->flags & GM_MAP_HOSTED ? t->m->host_frame : 0;
	out->from_frame = leaves ? t->m->frame : NO_FRAME;
	out->to_frame = t->framed ? t->frame : NO_FRAME;
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
	struct gm_stats *st = gm_stats_of(leader);

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

	list_for_each_entry(t, &leader->members, link) {
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
	gm_stats_of(t)->late_errors++;
	if (s->type == GM_S_HOST_MAP)
		t->err = err;
	if (s->type == GM_S_HOST_UNMAP && so->done)
		so->done(t); /* munmap goes on regardless */
}

/* All operations of the step are answered.  Returns who goes on, or NULL. */
struct gm_txn *gm_step_done(struct gm_txn *leader, const struct gm_step *s)
{
	struct gm_txn *t;
	u32 good;

	if (s->type == GM_S_MSG)
		settle_message(leader, s->msg, leader->op_err);
	spread_errors(leader);
	list_for_each_entry(t, &leader->members, link)
		member_done(t, s);
	leader->issued = false;
	if (leader->committed) {
		leader->pc++;
		return leader;
	}
	good = gm_txn_sort_failed(leader);
	leader = gm_txn_hand_over(leader);
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
		gm_host_release(t->m, t->core);
		t->alloced = false;
	}
}

/* Take back the step before; operations may be in progress on return. */
void gm_step_undo(struct gm_txn *leader)
{
	const struct gm_step *s = &leader->script[--leader->pc];
	struct gm_step back = *s;
	struct gm_txn *t;

	list_for_each_entry(t, &leader->members, link)
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
	gm_step_issue(leader, &back);
}

void gm_step_undone(struct gm_txn *leader)
{
	struct gm_txn *t;

	if (leader->script[leader->pc].type == GM_S_MSG)
		settle_message(leader, GM_MSG_RESPONSE, leader->op_err);
	list_for_each_entry(t, &leader->members, link)
		if (t->run && t->op_err)
			gm_stats_of(t)->late_errors++;
	leader->issued = false;
}
