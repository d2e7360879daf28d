// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_replay.c - the calls that a kernel recorded, made again in userland
 *
 *	gm_replay OPLOG >decisions
 *
 * Linked with the very core.a that the simulator runs.  Each call has to give the
 * answer that it gave in the kernel, each operation that was answered there has to
 * be one that was asked here, and the decisions that come out are printed as the
 * kernel prints its own: compare them with cmp.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gm_core.h"
#include "gm_log.h"
#include "gm_variant.h"

#define MAX_SPACES (1U << 16)
#define MAX_OPS	   (1U << 16) /* not answered at a time */

static struct gm_core *core;
static struct gm_dev *devs[GM_MAX_DEVICES];
static struct gm_as *spaces[MAX_SPACES];
static struct gm_ctx *ctxs[MAX_SPACES][8];
static struct gm_op *ops[MAX_OPS]; /* by ticket */
static u64 entry, decided, frames;

static void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fprintf(stderr, "gm_replay: entry %llu: ", entry);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	exit(1);
}

/* ---- the host --------------------------------------------------------- */

static void submit(void *host, struct gm_op *op)
{
	if (ops[op->ticket % MAX_OPS])
		die("too many operations at a time");
	ops[op->ticket % MAX_OPS] = op;
}

static void host_free(void *host, u64 frame) {}

/* The kernel's clock is not recorded: the core must not decide by it. */
static u64 host_clock(void *host)
{
	return entry;
}

static void decision(void *host, u64 va, s16 from, s16 to, u8 cause)
{
	static const char *const causes[GM_NR_CAUSES] = GM_CAUSE_NAMES;

	printf(GM_DECISION_FORMAT, decided++, va, from, to, causes[cause]);
}

static const struct gm_host_ops host_ops = {
	.submit = submit, .host_free = host_free, .clock = host_clock, .decision = decision
};

static void woken(struct gm_waiter *w, int err, const u64 end[GM_NR_PHASES])
{
	free(w);
}

/* ---- calls ------------------------------------------------------------ */

static int attach(const struct gm_log_entry *e)
{
	struct gm_ctx *ctx = gm_as_attach(spaces[e->space % MAX_SPACES], devs[e->dev]);

	if (IS_ERR(ctx))
		return (int)PTR_ERR(ctx);
	ctxs[e->space % MAX_SPACES][e->dev] = ctx;
	return 0;
}

static int create(const struct gm_log_entry *e)
{
	struct gm_as *as = gm_as_create(core);

	if (IS_ERR(as))
		return (int)PTR_ERR(as);
	if (spaces[e->space % MAX_SPACES])
		die("too many spaces");
	spaces[e->space % MAX_SPACES] = as;
	return 0;
}

static int answer(const struct gm_log_entry *e)
{
	struct gm_op *op = ops[e->va % MAX_OPS];

	if (!op || op->ticket != e->va || op->type != e->arg)
		die("operation %llu was not asked here", e->va);
	ops[e->va % MAX_OPS] = NULL;
	if (op->type == GM_OP_HOST_ALLOC && !e->ret)
		op->frame = ++frames;
	gm_op_done(op, e->ret);
	return e->ret;
}

/* @w is the core's when this gives -EINPROGRESS. */
static int waiting_call(const struct gm_log_entry *e, struct gm_as *as, struct gm_ctx *ctx,
			struct gm_waiter *w)
{
	switch (e->what) {
	case GM_LOG_CPU_FAULT:
		return gm_cpu_fault(as, e->va, e->arg, w);
	case GM_LOG_DEV_FAULT:
		return gm_dev_fault(ctx, e->va, e->arg, w);
	default:
		return gm_advise(as, e->dev, e->va, e->bytes, e->arg, w);
	}
}

static int call_waiting(const struct gm_log_entry *e, struct gm_as *as, struct gm_ctx *ctx)
{
	struct gm_waiter *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		die("no memory");
	w->wake = woken;
	err = waiting_call(e, as, ctx, w);
	if (err != -EINPROGRESS)
		free(w);
	return err;
}

static int call(const struct gm_log_entry *e)
{
	struct gm_as *as = spaces[e->space % MAX_SPACES];
	struct gm_ctx *ctx = e->dev >= 0 ? ctxs[e->space % MAX_SPACES][e->dev] : NULL;

	switch (e->what) {
	case GM_LOG_CREATE:
		return create(e);
	case GM_LOG_ATTACH:
		return attach(e);
	case GM_LOG_DESTROY:
		if (!gm_as_is_idle(as))
			die("space %u is not idle", e->space);
		gm_as_destroy(as);
		spaces[e->space % MAX_SPACES] = NULL;
		return 0;
	case GM_LOG_MMAP:
		return gm_mmap(as, e->va, e->bytes);
	case GM_LOG_MUNMAP:
		return gm_munmap(as, e->va, e->bytes, NULL);
	case GM_LOG_DEV_TOUCH:
		return (int)gm_dev_touch(ctx, e->va, e->bytes, e->arg);
	case GM_LOG_DONE:
		return answer(e);
	default:
		return call_waiting(e, as, ctx);
	}
}

/* ---- reading ---------------------------------------------------------- */

static void make_core(FILE *f)
{
	static struct gm_params params;
	struct gm_log_head head;
	struct gm_setup setup;
	u32 i;

	if (fread(&head, sizeof(head), 1, f) != 1 || head.magic != GM_LOG_MAGIC)
		die("not an operation log");
	if (head.lost)
		die("%u entries are missing: load the module with a larger oplog=", head.lost);
	gm_params_init(&params);
	setup = (struct gm_setup){ .params = &params,
				   .variant = head.variant,
				   .evictor = head.evictor,
				   .prefetcher = head.prefetcher,
				   .unit = head.unit,
				   .random_seed = head.seed };
	core = gm_core_new(&setup, &host_ops, NULL);
	if (IS_ERR(core))
		die("variant %s, evictor %s, prefetcher %s: no such core", head.variant,
		    head.evictor, head.prefetcher);
	for (i = 0; i < head.devices && i < 8; i++) {
		devs[i] = gm_dev_create(core, head.frames);
		if (IS_ERR(devs[i]))
			die("no device of %llu frames", head.frames);
	}
}

int main(int argc, char **argv)
{
	FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
	struct gm_log_entry e;
	int ret;

	if (!f) {
		fprintf(stderr, "usage: gm_replay OPLOG\n");
		return 2;
	}
	make_core(f);
	for (; fread(&e, sizeof(e), 1, f) == 1; entry++) {
		if (e.what >= GM_NR_LOG || e.dev >= 8)
			die("damaged");
		ret = call(&e);
		if (ret != e.ret)
			die("call %u of 0x%llx gave %d in the kernel and %d here", e.what, e.va,
			    e.ret, ret);
	}
	fclose(f);
	fprintf(stderr, "gm_replay: %llu calls, %llu decisions\n", entry, decided);
	return 0;
}
