/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * world.h - a host with memories for the core, and a naive model beside it
 *
 * The model knows one thing about a unit: the version that was written last, by
 * whoever wrote it.  The host holds a version in each frame and moves it when it
 * is told to copy or to clear; a fresh host frame holds rubbish, and so does the
 * target of a failed copy.  Wherever a unit is at rest, there its newest version
 * has to be (I6), and whatever the CPU or a device reads has to be it.
 *
 * Things go wrong by chance (world.percent) or once (world.plan).  Programs that
 * include this end by abort() when something is not as it should be.
 */
#ifndef GM_TEST_WORLD_H
#define GM_TEST_WORLD_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gm_pager.h"
#include "gm_policy.h"
#include "gm_port_host.h"

#define UNIT	4096ULL
#define UNITS	48 /* at most */
#define DEVS	2
#define FRAMES	12
#define HOST	256
#define OPS	4096
#define WAITS	64
#define STALE	64
#define RUBBISH 0xdeadULL

/* What can go wrong. */
enum fault {
	F_NONE,
	F_ALLOC, /* the core gets no memory */
	F_COPY,	 /* a copy fails, its target is rubbish */
	F_OP,	 /* so does any other operation but a message */
	F_LOST,	 /* a message is not answered: -ETIMEDOUT */
	F_LATE,	 /* ... and the answer comes when nobody waits for it */
	F_TWICE, /* an answer comes again */
	F_SICK,	 /* a device stops answering for a while */
	F_DETACH,
	NR_FAULTS
};
static const char *const fault_names[] = { "none", "allocation", "copy", "operation", "lost",
					   "late", "twice",	 "sick", "detach" };
static u64 injected[NR_FAULTS]; /* by all worlds so far */

struct wait {
	struct gm_waiter w;
	bool busy, write;
	int node; /* GM_HOST_NODE, a device, or GM_ANYWHERE: many units */
	int err;  /* that it was answered with last */
	u32 unit, n;
	bool frees;
};

struct world {
	u64 rnd;
	const u8 *in, *in_end; /* taken as random numbers as long as there are any */
	struct gm_params params;
	struct gm_core *core;
	struct gm_as *as;
	struct gm_dev *dev[DEVS];
	struct gm_ctx *ctx[DEVS];
	u32 devs, units;
	struct gm_op *op[OPS];
	u32 ops;
	u64 now;
	/* frames and what is in them */
	u64 host[HOST], on_dev[DEVS][FRAMES];
	bool host_used[HOST];
	u32 hosts, host_limit;
	/* translations that the host was told to install */
	bool cpu_map[UNITS], dev_map[DEVS][UNITS];
	/* the model */
	bool mapped[UNITS];
	u64 newest[UNITS], version;
	u32 freeing[UNITS];
	bool maybe_zero[UNITS];
	struct wait wait[WAITS];
	u32 waiting;
	/* what goes wrong: so many of a hundred operations ... */
	u32 percent;
	bool sick[DEVS];
	bool spotless; /* nothing may fail here */
	/* ... or the @left-th that could, once */
	struct {
		enum fault kind;
		u32 left;
		bool hit;
	} plan;
	/* answers that are still on their way though nobody waits for them */
	struct {
		struct gm_op *op;
		u64 ticket;
	} stale[STALE];
	u32 stales;
	u64 steps;
	bool glance; /* look at all of it after some steps only */
};

static struct world *W; /* wake() has no other way to find it */
static char where[256];

#define CHECK(cond, ...)                                                    \
	do {                                                                \
		if (!(cond)) {                                              \
			fprintf(stderr, "%s step %llu: ", where, W->steps); \
			fprintf(stderr, __VA_ARGS__);                       \
			fprintf(stderr, "\n");                              \
			abort();                                            \
		}                                                           \
	} while (0)

/* Below @n: from the input, or from xorshift when that is used up. */
static inline u64 rnd(struct world *w, u64 n)
{
	u64 v = 0, span;

	if (w->in < w->in_end) {
		for (span = n; span && w->in < w->in_end; span >>= 8)
			v = v << 8 | *w->in++;
		return v % n;
	}
	w->rnd ^= w->rnd << 13;
	w->rnd ^= w->rnd >> 7;
	w->rnd ^= w->rnd << 17;
	return w->rnd % n;
}

static inline bool chance(struct world *w, u32 percent)
{
	return rnd(w, 100) < percent;
}

/* ---- the host --------------------------------------------------------- */

static inline void host_submit(void *host, struct gm_op *op)
{
	struct world *w = host;

	CHECK(w->ops < OPS, "too many operations");
	CHECK(op->ticket, "an operation without a ticket");
	w->op[w->ops++] = op;
}

static inline void host_free(void *host, u64 frame)
{
	struct world *w = host;

	CHECK(frame < HOST && w->host_used[frame], "host frame %llu freed twice", frame);
	w->host_used[frame] = false;
	w->host[frame] = RUBBISH;
	w->hosts--;
}

static inline u64 host_clock(void *host)
{
	return ((struct world *)host)->now;
}

static inline u64 host_next_use(void *host, u32 dev, u64 va)
{
	return (va * 2654435761u) >> 7 & 1023;
}

static const struct gm_host_ops host_ops = {
	.submit = host_submit,
	.host_free = host_free,
	.clock = host_clock,
	.next_use = host_next_use,
};

static inline u64 *content(struct world *w, s16 node, u64 host_frame, u32 frame)
{
	if (node == GM_HOST_NODE) {
		CHECK(host_frame < HOST && w->host_used[host_frame], "no host frame");
		return &w->host[host_frame];
	}
	CHECK(frame < FRAMES, "no frame of device %d", node);
	return &w->on_dev[node][frame];
}

static inline int do_alloc(struct world *w, struct gm_op *op)
{
	u32 i;

	if (w->hosts >= w->host_limit)
		return -ENOMEM;
	for (i = 0; w->host_used[i]; i++)
		;
	w->host_used[i] = true;
	w->host[i] = RUBBISH;
	w->hosts++;
	op->frame = i;
	return 0;
}

static inline void do_copy(struct world *w, const struct gm_op *op, const struct gm_op_unit *u,
			   int err)
{
	u32 i = (u32)(u->va / UNIT);
	u64 *from = content(w, op->from, u->host_frame, u->from_frame);
	u64 *to = content(w, op->to, u->host_frame, u->to_frame);
	u32 d;

	CHECK(!w->cpu_map[i], "unit %u copied while the CPU has it (I5)", i);
	for (d = 0; d < DEVS; d++)
		CHECK(!w->dev_map[d][i], "unit %u copied while device %u has it (I5)", i, d);
	*to = err ? RUBBISH : *from;
}

static inline void do_unit(struct world *w, struct gm_op *op, const struct gm_op_unit *u, int err)
{
	u32 i = (u32)(u->va / UNIT);
	/* nobody asks again at munmap: what could not be unmapped is torn down */
	bool gone = !err || op->cause == GM_CAUSE_UNMAP;

	switch (op->type) {
	case GM_OP_COPY:
		do_copy(w, op, u, err);
		break;
	case GM_OP_ZERO:
		*content(w, op->to, u->host_frame, u->to_frame) = err ? RUBBISH : 0;
		break;
	case GM_OP_HOST_MAP:
		CHECK(!w->cpu_map[i], "unit %u mapped twice", i);
		w->cpu_map[i] = !err;
		break;
	case GM_OP_HOST_UNMAP:
		w->cpu_map[i] = !gone;
		break;
	case GM_OP_DEV_MAP:
		CHECK(!w->dev_map[!op->to][i], "unit %u mapped on two devices (I4)", i);
		w->dev_map[op->to][i] = !err;
		break;
	case GM_OP_DEV_UNMAP:
		w->dev_map[op->to][i] = !gone && w->dev_map[op->to][i];
		break;
	}
}

/* ---- what goes wrong -------------------------------------------------- */

static inline bool is_sick(const struct world *w, const struct gm_op *op)
{
	return (op->from >= 0 && w->sick[op->from]) || (op->to >= 0 && w->sick[op->to]);
}

static inline bool suits(enum fault kind, const struct gm_op *op)
{
	switch (kind) {
	case F_COPY:
		return op->type == GM_OP_COPY;
	case F_OP:
		return op->type != GM_OP_COPY && op->type != GM_OP_MSG && op->type != GM_OP_TIMER;
	case F_LOST:
	case F_LATE:
	case F_TWICE:
		return op->type == GM_OP_MSG;
	default:
		return false;
	}
}

/* Is now the moment of the plan? */
static inline bool plan_hits(struct world *w)
{
	if (w->plan.hit || --w->plan.left)
		return false;
	w->plan.hit = true;
	injected[w->plan.kind]++;
	return true;
}

static inline enum fault fault_of(struct world *w, const struct gm_op *op)
{
	static const u8 of_messages[] = { F_LOST, F_LATE, F_TWICE };
	enum fault f = op->type == GM_OP_COPY ? F_COPY : F_OP;

	if (suits(w->plan.kind, op))
		return plan_hits(w) ? w->plan.kind : F_NONE;
	if (is_sick(w, op))
		f = op->type == GM_OP_MSG ? F_LOST : f;
	else if (!w->percent || !chance(w, w->percent))
		return F_NONE;
	else if (op->type == GM_OP_MSG)
		f = of_messages[rnd(w, ARRAY_SIZE(of_messages))];
	if (!suits(f, op))
		return F_NONE;
	injected[f]++;
	return f;
}

/* An answer that is still to come though nobody will wait for it. */
static inline void keep_stale(struct world *w, struct gm_op *op, u64 ticket)
{
	if (w->stales == STALE)
		return;
	w->stale[w->stales].op = op;
	w->stale[w->stales++].ticket = ticket;
}

/* It comes, and changes nothing but its counter (I16). */
static inline void answer_stale(struct world *w, u32 k)
{
	struct gm_stats before = w->core->stats;
	u32 ops = w->ops, waiting = w->waiting;

	before.msg_stale++;
	CHECK(!gm_op_answer(w->core, w->stale[k].op, w->stale[k].ticket, k % 2 ? -EIO : 0),
	      "an answer is taken though nobody waits for it (I16)");
	CHECK(!memcmp(&before, &w->core->stats, sizeof(before)) && ops == w->ops &&
		      waiting == w->waiting,
	      "an answer changes something though nobody waits for it (I16)");
	w->stale[k] = w->stale[--w->stales];
}

/* The @k-th operation in progress ends. */
static inline void complete(struct world *w, u32 k)
{
	static const int errs[] = { -EIO, -ETIMEDOUT };
	struct gm_op *op = w->op[k];
	u64 ticket = op->ticket;
	struct gm_op_unit u;
	enum fault f;
	int err = 0;
	u32 i;

	w->op[k] = w->op[--w->ops];
	w->now += 1 + rnd(w, 10);
	f = fault_of(w, op);
	if (f == F_LOST || f == F_LATE)
		err = -ETIMEDOUT;
	else if (f == F_COPY || f == F_OP)
		err = errs[w->plan.hit ? 0 : rnd(w, 2)];
	if (op->type == GM_OP_HOST_ALLOC && !err)
		err = do_alloc(w, op);
	else if (op->type != GM_OP_MSG && op->type != GM_OP_TIMER && op->type != GM_OP_DEV_ALLOC)
		for (i = 0; i < op->units; i++) {
			gm_op_unit(op, i, &u);
			do_unit(w, op, &u, err);
		}
	if (f == F_LATE || f == F_TWICE)
		keep_stale(w, op, ticket);
	CHECK(gm_op_answer(w->core, op, ticket, err), "an answer is not taken");
}

/* ---- reading and writing ---------------------------------------------- */

static inline void read_unit(struct world *w, u32 i, u64 seen)
{
	if (w->maybe_zero[i] && (seen == 0 || seen == w->newest[i])) {
		w->newest[i] = seen;
		w->maybe_zero[i] = w->freeing[i];
		return;
	}
	CHECK(seen == w->newest[i], "unit %u reads version %llx, not %llx (I6)", i, seen,
	      w->newest[i]);
}

static inline void write_unit(struct world *w, u32 i, u64 *to)
{
	w->newest[i] = *to = ++w->version;
	w->maybe_zero[i] = w->freeing[i];
}

static inline void access_unit(struct world *w, u32 i, int node, bool write)
{
	struct gm_mapping *m = gm_as_find(w->as, i * UNIT);
	u64 *at;

	CHECK(m, "unit %u is not mapped", i);
	if (node == GM_HOST_NODE) {
		CHECK(m->state == GM_CPU && w->cpu_map[i], "unit %u is not with the CPU", i);
		at = content(w, GM_HOST_NODE, m->host_frame, 0);
	} else {
		/* or on its way again already, because a prefetch wants the frame */
		CHECK(m->owner == node, "unit %u is not on %d", i, node);
		at = content(w, m->owner, 0, m->frame);
	}
	read_unit(w, i, *at);
	if (write)
		write_unit(w, i, at);
}

/* ---- waiting ---------------------------------------------------------- */

static inline void wait_ends(struct world *w, struct wait *t, int err)
{
	u32 i;

	t->busy = false;
	t->err = err;
	w->waiting--;
	for (i = 0; t->frees && i < t->n; i++)
		w->freeing[t->unit + i]--;
	CHECK(err <= 0 && err != -EINPROGRESS, "error %d", err);
	if (!err && t->node != GM_ANYWHERE)
		access_unit(w, t->unit, t->node, t->write);
}

static inline void woken(struct gm_waiter *waiter, int err, const u64 end[GM_NR_PHASES])
{
	struct wait *t = container_of(waiter, struct wait, w);
	struct world *w = W;
	u32 i;

	CHECK(t->busy, "woken twice");
	for (i = 1; i < GM_NR_PHASES; i++)
		CHECK(end[i] >= end[i - 1], "phase %u ends before the one before", i);
	CHECK(end[GM_PHASE_FINISH] <= w->now, "ends in the future");
	if (w->spotless)
		CHECK(!err || err == -EFAULT || err == -ENODEV, "error %d though nothing failed",
		      err);
	wait_ends(w, t, err);
}

static inline struct wait *new_wait(struct world *w, int node, u32 unit, u32 n, bool write)
{
	u32 i;

	for (i = 0; i < WAITS && w->wait[i].busy; i++)
		;
	if (i == WAITS)
		return NULL;
	w->wait[i] = (struct wait){
		.w.wake = woken,
		.busy = true,
		.write = write,
		.node = node,
		.err = -EINPROGRESS,
		.unit = unit,
		.n = n,
	};
	w->waiting++;
	return &w->wait[i];
}

/* The call that got @t has answered @err. */
static inline struct wait *answered(struct world *w, struct wait *t, int err)
{
	if (err == -EINPROGRESS)
		return t;
	CHECK(t->busy, "woken before the answer");
	wait_ends(w, t, err);
	return t;
}

/* ---- operations; NULL: nothing was asked ------------------------------- */

static inline struct wait *dev_access(struct world *w, u32 d, u32 i, u32 n, bool write)
{
	struct wait *t;
	u32 k;
	u64 got;

	if (!w->ctx[d])
		return NULL;
	got = gm_dev_touch(w->ctx[d], i * UNIT, n, write);
	CHECK(got <= n, "touched %llu of %u", got, n);
	for (k = 0; k < got; k++)
		access_unit(w, i + k, (int)d, write);
	if (got == n)
		return NULL;
	t = new_wait(w, (int)d, i + (u32)got, 1, write);
	if (!t)
		return NULL;
	return answered(w, t, gm_dev_fault(w->ctx[d], (i + got) * UNIT, write, &t->w));
}

static inline struct wait *cpu_access(struct world *w, u32 i, bool write)
{
	struct wait *t = new_wait(w, GM_HOST_NODE, i, 1, write);

	return t ? answered(w, t, gm_cpu_fault(w->as, i * UNIT, write, &t->w)) : NULL;
}

static inline struct wait *advise(struct world *w, u32 kind, u32 d, u64 va, u64 bytes)
{
	u32 first = (u32)DIV_ROUND_UP(va, UNIT), end = (u32)((va + bytes) / UNIT), i;
	struct wait *t;
	int err;

	end = min(end, w->units);
	t = new_wait(w, GM_ANYWHERE, first, end > first ? end - first : 0, false);
	if (!t)
		return NULL;
	if (kind == GM_ADVISE_FREE_EAGER) {
		t->frees = true;
		for (i = 0; i < t->n; i++) {
			w->freeing[first + i]++;
			w->maybe_zero[first + i] = true;
		}
	}
	err = gm_advise(w->as, (s32)d, va, bytes, kind, &t->w);
	CHECK(err != -EINVAL, "advice %u refused", kind);
	return answered(w, t, err);
}

static inline int map_some(struct world *w, u32 i, u32 n)
{
	bool taken = false;
	u32 k;
	int err;

	for (k = i; k < i + n; k++)
		taken |= w->mapped[k];
	err = gm_mmap(w->as, i * UNIT, n * UNIT);
	CHECK(err == (taken ? -EEXIST : 0) || (err == -ENOMEM && gm_port_failed()), "mmap %d", err);
	for (k = i; !err && k < i + n; k++) {
		w->mapped[k] = true;
		w->newest[k] = 0;
		w->maybe_zero[k] = w->freeing[k];
	}
	return err;
}

static inline struct wait *unmap_some(struct world *w, u32 i, u32 n)
{
	struct wait *t = new_wait(w, GM_ANYWHERE, i, 1, false);
	u32 k;
	int err;

	if (!t)
		return NULL;
	err = gm_munmap(w->as, i * UNIT, n * UNIT, &t->w);
	if (err != -ENOMEM)
		for (k = i; k < i + n; k++)
			w->mapped[k] = false;
	return answered(w, t, err);
}

static inline struct wait *detach(struct world *w, u32 d)
{
	struct wait *t = w->ctx[d] ? new_wait(w, GM_ANYWHERE, d, 0, false) : NULL;

	if (!t)
		return NULL;
	injected[F_DETACH]++;
	return answered(w, t, gm_as_detach(w->ctx[d], &t->w));
}

/* Detaching takes its time and may fail: ask which devices there are. */
static inline void find_ctxs(struct world *w)
{
	u32 d;

	for (d = 0; d < w->devs; d++) {
		w->ctx[d] = gm_as_ctx(w->as, w->dev[d]);
		if (w->ctx[d] && w->ctx[d]->detaching)
			w->ctx[d] = NULL;
	}
}

/* ---- looking ---------------------------------------------------------- */

/* A unit at rest: its newest version is where it is said to be, and mapped there only. */
static inline void check_unit(struct world *w, u32 i, const struct gm_mapping *m)
{
	u64 at = 0;
	u32 d;

	CHECK(w->cpu_map[i] == !!(m->flags & GM_MAP_CPU_PTE), "unit %u: CPU map", i);
	for (d = 0; d < w->devs; d++)
		CHECK(!w->dev_map[d][i] || gm_on_device(m, w->dev[d]),
		      "unit %u is mapped on device %u but not there (I3)", i, d);
	if (m->state == GM_CPU)
		at = *content(w, GM_HOST_NODE, m->host_frame, 0);
	else if (m->state == GM_DEVICE)
		at = *content(w, m->owner, 0, m->frame);
	CHECK(at == w->newest[i] || (!at && w->maybe_zero[i]),
	      "unit %u is lost: version %llx is there, not %llx (I6)", i, at, w->newest[i]);
	if (m->state != GM_DEVICE || m->flags & GM_MAP_DIRTY)
		return;
	if (m->flags & GM_MAP_HOSTED)
		CHECK(at == *content(w, GM_HOST_NODE, m->host_frame, 0),
		      "unit %u: the clean copy is another version (I2)", i);
	else
		CHECK(!at, "unit %u is written and nobody knows (I2)", i);
}

static inline void check(struct world *w)
{
	char why[160];
	u32 i;

	CHECK(!gm_check(w->core, why, sizeof(why)), "%s", why);
	for (i = 0; i < w->units; i++) {
		const struct gm_mapping *m = gm_as_find(w->as, i * UNIT);

		CHECK(!m == !w->mapped[i], "unit %u is %smapped", i, m ? "" : "not ");
		if (m && !gm_in_flight(m) && !gm_as_is_haunted(m))
			check_unit(w, i, m);
	}
}

/* ---- coming to rest, and the end --------------------------------------- */

/* Nobody waits for ever; nothing fails any more. */
static inline void drain(struct world *w, bool look)
{
	u32 percent = w->percent, ops = 0;

	w->percent = 0;
	memset(w->sick, 0, sizeof(w->sick));
	while (w->ops) {
		CHECK(ops++ < 20000, "it never comes to rest");
		complete(w, (u32)rnd(w, w->ops));
		if (look && !w->glance)
			check(w);
	}
	while (w->stales)
		answer_stale(w, 0);
	w->percent = percent;
	find_ctxs(w);
	check(w);
	CHECK(!w->waiting, "%u waiters are left and nothing is in progress", w->waiting);
	CHECK(!w->core->stats.txns_in_use, "moves are left and nothing is in progress");
	CHECK(!w->core->stats.msg_owed, "requests are left and nothing is in progress");
}

/* All is unmapped: nothing may be left anywhere (I20). */
static inline void tear_down(struct world *w)
{
	struct wait *t;
	u32 d;

	drain(w, true);
	t = new_wait(w, GM_ANYWHERE, 0, 1, false);
	answered(w, t, gm_munmap(w->as, 0, w->units * UNIT, &t->w));
	memset(w->mapped, 0, sizeof(w->mapped));
	drain(w, true);
	CHECK(!w->hosts, "%u host frames are left", w->hosts);
	for (d = 0; d < w->devs; d++)
		CHECK(!gm_dev_used(w->dev[d]), "frames of device %u are left", d);
	gm_core_free(w->core);
}

/* Nothing is allocated ahead any more, so that the next of each may be refused. */
static inline void empty_pools(struct gm_core *core)
{
	struct gm_txn *t, *next_t;
	struct gm_work *work, *next_work;

	list_for_each_entry_safe(t, next_t, &core->pool, link)
		kfree(t);
	list_for_each_entry_safe(work, next_work, &core->works_free, link)
		kfree(work);
	INIT_LIST_HEAD(&core->pool);
	INIT_LIST_HEAD(&core->works_free);
}

/* A core, a space and its devices, the first with @frames[0] frames and so on. */
static inline void set_up(struct world *w, const struct gm_setup *setup, const u32 *frames)
{
	u32 d;

	W = w;
	w->core = gm_core_new(setup, &host_ops, w);
	CHECK(!IS_ERR(w->core), "no core");
	w->devs = w->core->variant.multi_device ? DEVS : 1;
	w->as = gm_as_create(w->core);
	CHECK(!IS_ERR(w->as), "no space");
	for (d = 0; d < w->devs; d++) {
		w->dev[d] = gm_dev_create(w->core, frames[d]);
		CHECK(!IS_ERR(w->dev[d]), "no device");
		w->ctx[d] = gm_as_attach(w->as, w->dev[d]);
		CHECK(!IS_ERR(w->ctx[d]), "not attached");
	}
}

#endif
