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

/* ---- the interpreter -------------------------------------------------- */

static void run_undo(struct gm_txn *leader)
{
	for (;;) {
		if (leader->issued && leader->pending)
			return;
		if (leader->issued && leader->op.type == GM_OP_TIMER)
			leader->issued = false; /* of lands_too_early() */
		else if (leader->issued)
			gm_step_undone(leader);
		if (!leader->pc) {
			gm_txn_land(leader);
			return;
		}
		gm_step_undo(leader);
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
			gm_txn_charge(leader, s->phase);
			leader = gm_step_done(leader, s);
			continue;
		}
		switch (s->type) {
		case GM_S_END:
			gm_txn_land(leader);
			return;
		case GM_S_FRAME:
			if (!gm_frames_get(leader))
				return;
			gm_txn_charge(leader, s->phase);
			leader->pc++;
			break;
		case GM_S_COMMIT:
			leader->committed = true;
			leader->pc++;
			break;
		case GM_S_SENT:
			gm_slot_release(leader);
			leader->pc++;
			break;
		default:
			if ((s->type == GM_S_IMPORT && !leader->imported) ||
			    (s->msg == GM_MSG_RESPONSE && !leader->owed))
				leader->pc++;
			else
				gm_step_issue(leader, s);
		}
	}
}

/* ---- the loop --------------------------------------------------------- */

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
		gm_txn_wake(list_entry(e, struct gm_txn, link));
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
