// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * test_model.c - the core against a naive model, under random operations
 *
 * The model knows one thing about a unit: the version that was written last, by
 * whoever wrote it.  The host below holds a version in each frame and moves it
 * when it is told to copy or to clear; a fresh host frame holds rubbish, and so
 * does the target of a failed copy.  Whatever the CPU or a device reads has to
 * be the newest version (I6).  Operations end in random order, some fail; after
 * each step gm_check() looks at everything else.
 *
 *	GM_MODEL_STEPS=n   steps for each combination (default 500)
 *	GM_MODEL_SEED=n    another course of events
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gm_pager.h"
#include "gm_policy.h"
#include "gm_port_host.h"

#define UNIT	4096ULL
#define UNITS	48
#define DEVS	2
#define FRAMES	12
#define HOST	256
#define OPS	4096
#define WAITS	64
#define RUBBISH 0xdeadULL

struct wait {
	struct gm_waiter w;
	bool busy, write;
	int node; /* GM_HOST_NODE, a device, or GM_ANYWHERE: many units */
	u32 unit, n;
	bool frees;
};

struct world {
	u64 rnd;
	struct gm_params params;
	struct gm_core *core;
	struct gm_as *as;
	struct gm_dev *dev[DEVS];
	struct gm_ctx *ctx[DEVS];
	u32 devs;
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
	u32 fail_percent;
	bool spotless; /* nothing may fail here */
	u64 steps;
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

static u64 rnd(struct world *w, u64 n)
{
	w->rnd ^= w->rnd << 13;
	w->rnd ^= w->rnd >> 7;
	w->rnd ^= w->rnd << 17;
	return w->rnd % n;
}

static bool chance(struct world *w, u32 percent)
{
	return rnd(w, 100) < percent;
}

/* ---- the host --------------------------------------------------------- */

static void host_submit(void *host, struct gm_op *op)
{
	struct world *w = host;

	CHECK(w->ops < OPS, "too many operations");
	w->op[w->ops++] = op;
}

static void host_free(void *host, u64 frame)
{
	struct world *w = host;

	CHECK(frame < HOST && w->host_used[frame], "host frame %llu freed twice", frame);
	w->host_used[frame] = false;
	w->host[frame] = RUBBISH;
	w->hosts--;
}

static u64 host_clock(void *host)
{
	return ((struct world *)host)->now;
}

static u64 host_next_use(void *host, u32 dev, u64 va)
{
	return (va * 2654435761u) >> 7 & 1023;
}

static const struct gm_host_ops host_ops = {
	.submit = host_submit,
	.host_free = host_free,
	.clock = host_clock,
	.next_use = host_next_use,
};

static u64 *content(struct world *w, s16 node, u64 host_frame, u32 frame)
{
	if (node == GM_HOST_NODE) {
		CHECK(host_frame < HOST && w->host_used[host_frame], "no host frame");
		return &w->host[host_frame];
	}
	CHECK(frame < FRAMES, "no frame of device %d", node);
	return &w->on_dev[node][frame];
}

static int do_alloc(struct world *w, struct gm_op *op)
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

static void do_copy(struct world *w, const struct gm_op *op, const struct gm_op_unit *u, int err)
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

static void do_unit(struct world *w, struct gm_op *op, const struct gm_op_unit *u, int err)
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
		CHECK(*content(w, op->to, 0, op->to == u->owner ? u->from_frame : u->to_frame) !=
			      RUBBISH,
		      "unit %u mapped without content", i);
		w->dev_map[op->to][i] = !err;
		break;
	case GM_OP_DEV_UNMAP:
		w->dev_map[op->to][i] = !gone && w->dev_map[op->to][i];
		break;
	}
}

static void complete(struct world *w, u32 k)
{
	static const int errs[] = { -EIO, -ETIMEDOUT, -ENOMEM };
	struct gm_op *op = w->op[k];
	struct gm_op_unit u;
	int err = 0;
	u32 i;

	w->op[k] = w->op[--w->ops];
	w->now += 1 + rnd(w, 10);
	if (chance(w, w->fail_percent))
		err = op->type == GM_OP_MSG ? -ETIMEDOUT : errs[rnd(w, 2)];
	if (op->type == GM_OP_HOST_ALLOC && !err)
		err = do_alloc(w, op);
	else if (op->type != GM_OP_MSG && op->type != GM_OP_TIMER && op->type != GM_OP_DEV_ALLOC)
		for (i = 0; i < op->units; i++) {
			gm_op_unit(op, i, &u);
			do_unit(w, op, &u, err);
		}
	gm_op_done(op, err);
}

/* ---- reading and writing ---------------------------------------------- */

static void read_unit(struct world *w, u32 i, u64 seen)
{
	if (w->maybe_zero[i] && (seen == 0 || seen == w->newest[i])) {
		w->newest[i] = seen;
		w->maybe_zero[i] = w->freeing[i];
		return;
	}
	CHECK(seen == w->newest[i], "unit %u reads version %llx, not %llx (I6)", i, seen,
	      w->newest[i]);
}

static void write_unit(struct world *w, u32 i, u64 *to)
{
	w->newest[i] = *to = ++w->version;
	w->maybe_zero[i] = w->freeing[i];
}

static void access_unit(struct world *w, u32 i, int node, bool write)
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

static void free_done(struct world *w, u32 first, u32 n)
{
	while (n--)
		w->freeing[first++]--;
}

static void woken(struct gm_waiter *waiter, int err, const u64 end[GM_NR_PHASES])
{
	struct wait *t = container_of(waiter, struct wait, w);
	struct world *w = W;
	u32 i;

	CHECK(t->busy, "woken twice");
	t->busy = false;
	w->waiting--;
	for (i = 1; i < GM_NR_PHASES; i++)
		CHECK(end[i] >= end[i - 1], "phase %u ends before the one before", i);
	CHECK(end[GM_PHASE_FINISH] <= w->now, "ends in the future");
	if (t->frees)
		free_done(w, t->unit, t->n);
	CHECK(err <= 0 && err != -EINPROGRESS, "error %d", err);
	if (w->spotless)
		CHECK(!err || err == -EFAULT || err == -ENODEV, "error %d though nothing failed",
		      err);
	if (!err && t->node != GM_ANYWHERE)
		access_unit(w, t->unit, t->node, t->write);
}

/* ---- random operations ------------------------------------------------ */

static struct wait *new_wait(struct world *w, int node, u32 unit, u32 n, bool write)
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
		.unit = unit,
		.n = n,
	};
	w->waiting++;
	return &w->wait[i];
}

/* The call that got @t has answered @err. */
static void answered(struct world *w, struct wait *t, int err)
{
	if (err == -EINPROGRESS)
		return;
	CHECK(t->busy, "woken before the answer");
	t->busy = false;
	w->waiting--;
	if (t->frees)
		free_done(w, t->unit, t->n);
	if (!err && t->node != GM_ANYWHERE)
		access_unit(w, t->unit, t->node, t->write);
}

static void dev_access(struct world *w)
{
	u32 d = (u32)rnd(w, w->devs), i = (u32)rnd(w, UNITS), n = 1 + (u32)rnd(w, 8), k;
	bool write = chance(w, 40);
	struct wait *t;
	u64 got;

	if (!w->ctx[d])
		return;
	n = min(n, UNITS - i);
	got = gm_dev_touch(w->ctx[d], i * UNIT, n, write);
	CHECK(got <= n, "touched %llu of %u", got, n);
	for (k = 0; k < got; k++)
		access_unit(w, i + k, (int)d, write);
	if (got == n)
		return;
	t = new_wait(w, (int)d, i + (u32)got, 1, write);
	if (t)
		answered(w, t, gm_dev_fault(w->ctx[d], (i + got) * UNIT, write, &t->w));
}

static void cpu_access(struct world *w)
{
	u32 i = (u32)rnd(w, UNITS);
	bool write = chance(w, 50);
	struct wait *t = new_wait(w, GM_HOST_NODE, i, 1, write);

	if (t)
		answered(w, t, gm_cpu_fault(w->as, i * UNIT, write, &t->w));
}

static void advice(struct world *w)
{
	static const u8 kinds[] = { GM_ADVISE_PREFETCH, GM_ADVISE_FREE_EAGER, GM_ADVISE_WILLNEED,
				    GM_ADVISE_PIN, GM_ADVISE_UNPIN };
	u32 kind = kinds[rnd(w, w->spotless ? 2 : 5)], d = (u32)rnd(w, w->devs);
	u64 va = rnd(w, UNITS * UNIT), bytes = 1 + rnd(w, 10 * UNIT);
	u32 first = (u32)DIV_ROUND_UP(va, UNIT), end = (u32)((va + bytes) / UNIT), i;
	struct wait *t;
	int err;

	end = min(end, (u32)UNITS);
	t = new_wait(w, GM_ANYWHERE, first, end > first ? end - first : 0, false);
	if (!t)
		return;
	if (kind == GM_ADVISE_FREE_EAGER) {
		t->frees = true;
		for (i = 0; i < t->n; i++) {
			w->freeing[first + i]++;
			w->maybe_zero[first + i] = true;
		}
	}
	err = gm_advise(w->as, (s32)d, va, bytes, kind, &t->w);
	CHECK(err != -EINVAL, "advice %u refused", kind);
	answered(w, t, err);
}

static void map_some(struct world *w)
{
	u32 i = (u32)rnd(w, UNITS), n = 1 + (u32)rnd(w, 16), k;
	bool taken = false;
	int err;

	n = min(n, UNITS - i);
	for (k = i; k < i + n; k++)
		taken |= w->mapped[k];
	err = gm_mmap(w->as, i * UNIT, n * UNIT);
	CHECK(err == (taken ? -EEXIST : 0) || (err == -ENOMEM && gm_port_failed()), "mmap %d", err);
	for (k = i; !err && k < i + n; k++) {
		w->mapped[k] = true;
		w->newest[k] = 0;
		w->maybe_zero[k] = w->freeing[k];
	}
}

static void unmap_some(struct world *w)
{
	u32 i = (u32)rnd(w, UNITS), n = 1 + (u32)rnd(w, 12), k;
	struct wait *t = new_wait(w, GM_ANYWHERE, i, 1, false);
	int err;

	if (!t)
		return;
	n = min(n, UNITS - i);
	err = gm_munmap(w->as, i * UNIT, n * UNIT, &t->w);
	if (err != -ENOMEM)
		for (k = i; k < i + n; k++)
			w->mapped[k] = false;
	answered(w, t, err);
}

static void attach_or_detach(struct world *w)
{
	u32 d = (u32)rnd(w, w->devs);
	struct wait *t;

	if (!w->ctx[d])
		gm_as_attach(w->as, w->dev[d]);
	else if (chance(w, 20) && (t = new_wait(w, GM_ANYWHERE, d, 0, false)))
		answered(w, t, gm_as_detach(w->ctx[d], &t->w));
}

/* Detaching takes its time and may fail: ask which devices there are. */
static void find_ctxs(struct world *w)
{
	u32 d;

	for (d = 0; d < w->devs; d++) {
		w->ctx[d] = gm_as_ctx(w->as, w->dev[d]);
		if (w->ctx[d] && w->ctx[d]->detaching)
			w->ctx[d] = NULL;
	}
}

/* ---- a course of events ----------------------------------------------- */

static void check(struct world *w)
{
	char why[160];
	u32 i, d;

	CHECK(!gm_check(w->core, why, sizeof(why)), "%s", why);
	for (i = 0; i < UNITS; i++) {
		const struct gm_mapping *m = gm_as_find(w->as, i * UNIT);

		if (!m || gm_in_flight(m) || gm_as_is_haunted(m))
			continue;
		CHECK(w->cpu_map[i] == !!(m->flags & GM_MAP_CPU_PTE), "unit %u: CPU map", i);
		for (d = 0; d < w->devs; d++)
			CHECK(!w->dev_map[d][i] || gm_on_device(m, w->dev[d]),
			      "unit %u is mapped on device %u but not there (I3)", i, d);
	}
}

static void step(struct world *w)
{
	u64 what = rnd(w, 100);

	w->steps++;
	if (!w->spotless && chance(w, 3))
		gm_port_fail_nth(1 + rnd(w, 3));
	if (w->ops && what < 55)
		complete(w, (u32)rnd(w, w->ops));
	else if (what < 78)
		dev_access(w);
	else if (what < 87)
		cpu_access(w);
	else if (what < 93)
		advice(w);
	else if (what < 96)
		map_some(w);
	else if (what < 99)
		unmap_some(w);
	else
		attach_or_detach(w);
	gm_port_fail_nth(0);
	find_ctxs(w);
	check(w);
}

/* Nobody waits for ever. */
static void drain(struct world *w)
{
	u32 fail = w->fail_percent, ops = 0;

	w->fail_percent = 0;
	while (w->ops) {
		CHECK(ops++ < 20000, "it never comes to rest");
		complete(w, (u32)rnd(w, w->ops));
		check(w);
	}
	w->fail_percent = fail;
	find_ctxs(w);
	CHECK(!w->waiting, "%u waiters are left and nothing is in progress", w->waiting);
	CHECK(!w->core->stats.txns_in_use, "moves are left and nothing is in progress");
}

/* All is unmapped: nothing may be left anywhere (I20). */
static void tear_down(struct world *w)
{
	struct wait *t;
	u32 d;

	drain(w);
	t = new_wait(w, GM_ANYWHERE, 0, 1, false);
	answered(w, t, gm_munmap(w->as, 0, UNITS * UNIT, &t->w));
	drain(w);
	CHECK(!w->hosts, "%u host frames are left", w->hosts);
	for (d = 0; d < w->devs; d++)
		CHECK(!gm_dev_used(w->dev[d]), "frames of device %u are left", d);
	gm_core_free(w->core);
}

/* Switches and sizes at random, so that they meet in all combinations. */
static void choose(struct world *w, u32 mix)
{
	struct gm_params *p = &w->params;
	u32 *sw[] = { &p->host_frames,	&p->put_back,	 &p->dirty_tracking, &p->background,
		      &p->async_evict,	&p->batching,	 &p->thrash_damping, &p->d2d,
		      &p->multi_device, &p->cap_enforced };
	u32 i;

	gm_params_init(p);
	w->spotless = mix % 4 == 3;
	w->fail_percent = w->spotless ? 0 : (u32)rnd(w, 2) * 6;
	w->host_limit = w->spotless || chance(w, 50) ? HOST : 8 + (u32)rnd(w, 40);
	p->policy.next_n = 1 + (u32)rnd(w, 8);
	p->policy.tree_region = 16 * UNIT;
	p->thrash_window = 400;
	for (i = 0; mix && i < ARRAY_SIZE(sw); i++)
		*sw[i] = (u32)rnd(w, 3);
	if (w->spotless)
		p->put_back = GM_ON;
	if (!mix)
		return;
	p->evict_batch = (u32)rnd(w, 6);
	p->evict_rounds = (u32)rnd(w, 4);
	p->import_batch = (u32)rnd(w, 4);
	p->batch_max = (u32)rnd(w, 6);
	p->cap = rnd(w, 2) * (1 + rnd(w, FRAMES)) * UNIT;
	p->wmark_low = (1 + rnd(w, 3)) * UNIT;
	p->wmark_high = (1 + rnd(w, 6)) * UNIT;
}

static void set_up(struct world *w, const char *variant, const char *evictor,
		   const char *prefetcher, u64 seed, u32 mix)
{
	struct gm_setup setup = {
		.params = &w->params,
		.variant = variant,
		.evictor = evictor,
		.prefetcher = prefetcher,
		.unit = UNIT,
		.random_seed = seed,
	};
	u32 d;

	W = w;
	w->rnd = seed * 0x9e3779b97f4a7c15ULL + 1;
	choose(w, mix);
	snprintf(where, sizeof(where), "%s/%s/%s seed %llu mix %u", variant, evictor, prefetcher,
		 seed, mix);
	w->core = gm_core_new(&setup, &host_ops, w);
	CHECK(!IS_ERR(w->core), "no core");
	w->devs = w->core->variant.multi_device ? DEVS : 1;
	w->as = gm_as_create(w->core);
	for (d = 0; d < w->devs; d++) {
		w->dev[d] = gm_dev_create(w->core, 1 + rnd(w, FRAMES));
		CHECK(!IS_ERR(w->dev[d]), "no device");
		w->ctx[d] = gm_as_attach(w->as, w->dev[d]);
	}
}

static void run(const char *variant, const char *evictor, const char *prefetcher, u64 seed, u32 mix,
		u64 steps, struct gm_stats *out)
{
	struct world *w = calloc(1, sizeof(*w));
	u64 live = gm_port_live(), i;

	set_up(w, variant, evictor, prefetcher, seed, mix);
	for (i = 0; i < steps; i++) {
		step(w);
		if (i % 97 == 96)
			drain(w);
	}
	*out = w->core->stats;
	tear_down(w);
	CHECK(gm_port_live() == live, "%llu allocations are left", gm_port_live() - live);
	free(w);
}

static u64 env(const char *name, u64 otherwise)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 10) : otherwise;
}

/* Every variant with every evictor and prefetcher, plain and mixed. */
static void newest_content_is_read(void **state)
{
	u64 steps = env("GM_MODEL_STEPS", 500), seed = env("GM_MODEL_SEED", 1);
	u32 v, e, p, mix = 0;
	struct gm_stats st;

	for (v = 0; gm_variant_names[v]; v++)
		for (e = 0; gm_evictor_names[e]; e++)
			for (p = 0; gm_prefetcher_names[p]; p++, mix++)
				run(gm_variant_names[v], gm_evictor_names[e],
				    gm_prefetcher_names[p], seed + mix, mix % 5, steps, &st);
}

static void same_calls_give_same_counters(void **state)
{
	struct gm_stats a, b;
	u32 v;

	for (v = 0; gm_variant_names[v]; v++) {
		run(gm_variant_names[v], "random", "tree", 7, 1, 300, &a);
		run(gm_variant_names[v], "random", "tree", 7, 1, 300, &b);
		assert_memory_equal(&a, &b, sizeof(a));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(newest_content_is_read),
		cmocka_unit_test(same_calls_give_same_counters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
