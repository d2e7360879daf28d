// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_call.c - every call of the core goes through here and is written down
 *
 * All under gml.lock, so the log is in the order that the core saw.  What a log
 * has to hold for a replay is little: the core asks nothing of its host but
 * answers, and does not look at the clock to decide.
 */
#include "gm_linux.h"

#include <linux/sched/signal.h>
#include <linux/vmalloc.h>

/* ---- the logs --------------------------------------------------------- */

int gml_log_start(u64 log_room, u64 decision_room)
{
	gml.log = log_room ? vzalloc(array_size(log_room, sizeof(*gml.log))) : NULL;
	gml.decisions = vzalloc(array_size(max(decision_room, 1ULL), sizeof(*gml.decisions)));
	if ((log_room && !gml.log) || !gml.decisions) {
		gml_log_stop();
		return -ENOMEM;
	}
	gml.log_room = log_room;
	gml.decision_room = max(decision_room, 1ULL);
	return 0;
}

void gml_log_stop(void)
{
	vfree(gml.log);
	vfree(gml.decisions);
}

void gml_decision(void *host, u64 va, s16 from, s16 to, u8 cause)
{
	u64 slot;

	div64_u64_rem(gml.decided++, gml.decision_room, &slot);
	gml.decisions[slot] = (struct gml_decision){ va, from, to, cause };
}

static void note(const struct gm_log_entry *e)
{
	lockdep_assert_held(&gml.lock);
	if (gml.logged < gml.log_room)
		gml.log[gml.logged++] = *e;
	else
		gml.head.lost++;
}

/* ---- waiting ---------------------------------------------------------- */

static void woken(struct gm_waiter *waiter, int err, const u64 end[GM_NR_PHASES])
{
	struct gml_wait *w = container_of(waiter, struct gml_wait, w);

	w->err = err;
	complete(&w->done);
	gml_wait_put(w);
}

struct gml_wait *gml_wait_new(void)
{
	struct gml_wait *w = kzalloc(sizeof(*w), GFP_KERNEL);

	if (!w)
		return NULL;
	atomic_inc(&gml.live.waits);
	init_completion(&w->done);
	refcount_set(&w->refs, 1);
	w->w.wake = woken;
	return w;
}

void gml_wait_put(struct gml_wait *w)
{
	if (!refcount_dec_and_test(&w->refs))
		return;
	atomic_dec(&gml.live.waits);
	kfree(w);
}

int gml_wait_for(struct gml_wait *w, u32 state)
{
	int err;

	gml_serial_run(&w->done);
	err = wait_for_completion_state(&w->done, state) ? -EINTR : w->err;
	gml_wait_put(w);
	return err;
}

/* The core keeps @w until it wakes it. */
static int kept(struct gml_wait *w, int err)
{
	if (err == -EINPROGRESS)
		refcount_inc(&w->refs);
	return err;
}

/* ---- calls ------------------------------------------------------------ */

int gml_call_create(struct gml_space *s)
{
	u32 i;

	s->as = gm_as_create(gml.core);
	if (IS_ERR(s->as))
		return PTR_ERR(s->as);
	note(&(struct gm_log_entry){ .what = GM_LOG_CREATE, .space = s->id });
	for (i = 0; i < gml.nr_devs; i++) {
		struct gm_ctx *ctx = gm_as_attach(s->as, gml.devs[i].core);

		if (IS_ERR(ctx) && PTR_ERR(ctx) != -EOPNOTSUPP) {
			gml_call_destroy(s);
			return PTR_ERR(ctx);
		}
		s->ctx[i] = IS_ERR(ctx) ? NULL : ctx;
		note(&(struct gm_log_entry){
			.what = GM_LOG_ATTACH,
			.space = s->id,
			.dev = (s16)i,
			.ret = IS_ERR(ctx) ? (s32)PTR_ERR(ctx) : 0,
		});
	}
	return 0;
}

void gml_call_destroy(struct gml_space *s)
{
	gm_as_destroy(s->as);
	note(&(struct gm_log_entry){ .what = GM_LOG_DESTROY, .space = s->id });
}

int gml_call_mmap(struct gml_space *s, u64 va, u64 bytes)
{
	int err = gm_mmap(s->as, va, bytes);

	note(&(struct gm_log_entry){
		.what = GM_LOG_MMAP, .space = s->id, .va = va, .bytes = bytes, .ret = err });
	return err;
}

/* Nobody waits: a range that is mapped there anew waits by itself. */
int gml_call_munmap(struct gml_space *s, u64 va, u64 bytes)
{
	int err = gm_munmap(s->as, va, bytes, NULL);

	note(&(struct gm_log_entry){
		.what = GM_LOG_MUNMAP, .space = s->id, .va = va, .bytes = bytes, .ret = err });
	return err;
}

int gml_call_cpu_fault(struct gml_space *s, u64 va, bool write, struct gml_wait *w)
{
	int err = gm_cpu_fault(s->as, va, write, &w->w);

	note(&(struct gm_log_entry){
		.what = GM_LOG_CPU_FAULT, .space = s->id, .va = va, .arg = write, .ret = err });
	return kept(w, err);
}

bool gml_call_dev_touch(struct gml_space *s, u32 dev, u64 va, bool write)
{
	u64 n = gm_dev_touch(s->ctx[dev], va, 1, write);

	note(&(struct gm_log_entry){ .what = GM_LOG_DEV_TOUCH,
				     .space = s->id,
				     .dev = (s16)dev,
				     .va = va,
				     .bytes = 1,
				     .arg = write,
				     .ret = (s32)n });
	return n;
}

int gml_call_dev_fault(struct gml_space *s, u32 dev, u64 va, bool write, struct gml_wait *w)
{
	int err = gm_dev_fault(s->ctx[dev], va, write, &w->w);

	note(&(struct gm_log_entry){ .what = GM_LOG_DEV_FAULT,
				     .space = s->id,
				     .dev = (s16)dev,
				     .va = va,
				     .arg = write,
				     .ret = err });
	return kept(w, err);
}

int gml_call_advise(struct gml_space *s, s32 hnid, u64 va, u64 bytes, u32 advice,
		    struct gml_wait *w)
{
	int err = gm_advise(s->as, hnid, va, bytes, advice, &w->w);

	note(&(struct gm_log_entry){ .what = GM_LOG_ADVISE,
				     .space = s->id,
				     .dev = (s16)hnid,
				     .va = va,
				     .bytes = bytes,
				     .arg = (u8)advice,
				     .ret = err });
	return kept(w, err);
}

/*
 * A message that was given up arrives after all; @op is another request by then,
 * or none.  The core counts it (msg_stale) and nothing else happens.
 */
static void arrives_late(struct gm_op *op, u64 ticket)
{
	WARN_ON_ONCE(gm_op_answer(gml.core, op, ticket, 0));
}

void gml_call_done(struct gm_op *op, int err)
{
	u64 ticket = op->ticket;
	bool given_up = op->type == GM_OP_MSG && err == -ETIMEDOUT;

	note(&(struct gm_log_entry){
		.what = GM_LOG_DONE, .va = ticket, .arg = op->type, .ret = err });
	WARN_ON_ONCE(!gm_op_answer(gml.core, op, ticket, err));
	if (given_up)
		arrives_late(op, ticket);
}
