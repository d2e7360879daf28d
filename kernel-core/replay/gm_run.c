// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_run.c - a program on the core, as gmem.ko runs it under parameter serial
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "gm_log.h"
#include "gm_map.h"
#include "gm_run.h"
#include "gm_serial.h"
#include "gm_variant.h"

#define NOT_YET 1

struct world {
	struct gm_run *r;
	struct gm_params params;
	struct gm_core *core;
	struct gm_as *as;
	struct gm_dev *devs[GM_LOG_DEVICES];
	struct gm_ctx *ctxs[GM_LOG_DEVICES]; /* NULL: not attached */
	struct gm_op **asked;
	size_t nr_asked, room;
	u64 state, frames, units;
	struct gm_waiter waiter; /* the program waits for one thing at a time */
	int woken;
	int bad;
};

static void __printf(2, 3) fail(struct world *w, const char *fmt, ...)
{
	va_list args;

	w->bad = -EINVAL;
	va_start(args, fmt);
	vsnprintf(w->r->why, sizeof(w->r->why), fmt, args);
	va_end(args);
}

static bool room_for(struct world *w, u64 units)
{
	u64 most = w->r->most_units ? w->r->most_units : GM_RUN_UNITS;

	if (units > most - w->units) {
		fail(w, "more than %llu units", most);
		return false;
	}
	w->units += units;
	return true;
}

/* ---- the host --------------------------------------------------------- */

static void submit(void *host, struct gm_op *op)
{
	struct world *w = host;

	if (w->nr_asked == w->room) {
		w->room = w->room ? 2 * w->room : 64;
		w->asked = realloc(w->asked, w->room * sizeof(struct gm_op *));
		if (!w->asked)
			abort();
	}
	w->asked[w->nr_asked++] = op;
}

static void host_free(void *host, u64 frame) {}

static u64 host_clock(void *host)
{
	return ((struct world *)host)->r->calls;
}

static void decision(void *host, u64 va, s16 from, s16 to, u8 cause)
{
	static const char *const causes[GM_NR_CAUSES] = GM_CAUSE_NAMES;
	struct gm_run *r = ((struct world *)host)->r;
	u64 n = r->decided++;

	if (r->decision)
		r->decision(r->arg, n, va, from, to, causes[cause]);
}

static const struct gm_host_ops host_ops = {
	.submit = submit, .host_free = host_free, .clock = host_clock, .decision = decision
};

/* Answer what was asked for, and what comes of it, until the waiter is woken. */
static void answer(struct world *w)
{
	while (w->nr_asked && w->woken == NOT_YET) {
		u64 i = gm_serial_pick(&w->state, w->r->serial, w->nr_asked);
		struct gm_op *op = w->asked[i];

		w->nr_asked--;
		memmove(&w->asked[i], &w->asked[i + 1], (w->nr_asked - i) * sizeof(op));
		if (op->type == GM_OP_HOST_ALLOC)
			op->frame = ++w->frames;
		gm_op_done(op, 0);
	}
}

static void woken(struct gm_waiter *waiter, int err, const u64 end[GM_NR_PHASES])
{
	container_of(waiter, struct world, waiter)->woken = err;
}

/* What a call that may wait has come to. */
static int waited(struct world *w, int err)
{
	w->r->calls++;
	if (err != -EINPROGRESS)
		return err;
	w->woken = NOT_YET;
	answer(w);
	if (w->woken == NOT_YET) {
		fail(w, "the core never tells what has become of this");
		return -EIO;
	}
	return w->woken;
}

/* ---- lines ------------------------------------------------------------ */

/* As gm_accel.c: it faults until the unit is there. */
static int reach(struct world *w, struct gm_ctx *ctx, u64 va, bool write)
{
	int err = 0;

	while (!err) {
		w->r->calls++;
		if (gm_dev_touch(ctx, va, 1, write))
			return 0;
		err = waited(w, gm_dev_fault(ctx, va, write, &w->waiter));
	}
	return err;
}

/* As gm_space.c: what a first fault has come to is not looked at. */
static int cpu_fault(struct world *w, u64 va, bool write)
{
	bool first;
	int err = 0;

	for (first = true; !w->bad && (first || !err); first = false) {
		err = gm_cpu_fault(w->as, va, write, &w->waiter);
		if (err != -EINPROGRESS) {
			w->r->calls++;
			return err;
		}
		err = waited(w, err);
	}
	return err;
}

static int touch(struct world *w, const struct gm_program_line *l)
{
	u64 unit = gm_core_unit(w->core), i;
	int err = 0;

	if (l->what == GM_PROGRAM_DEV && !w->ctxs[l->device])
		return -ENODEV;
	for (i = 0; i < l->units && !err; i++)
		err = l->what == GM_PROGRAM_CPU
			      ? cpu_fault(w, l->va + i * unit, l->write)
			      : reach(w, w->ctxs[l->device], l->va + i * unit, l->write);
	return err;
}

/* Advice but free_eager is for one range (gm_space.c). */
static int advise(struct world *w, const struct gm_program_line *l)
{
	u64 unit = gm_core_unit(w->core), end = l->va + l->units * unit;
	const struct gm_range *r = gm_as_range_from(w->as, l->va);

	if (l->advice != GM_ADVISE_FREE_EAGER && (!r || r->va > l->va || end > r->va + r->n * unit))
		return -EINVAL;
	return waited(w,
		      gm_advise(w->as, l->device, l->va, l->units * unit, l->advice, &w->waiter));
}

static int map(struct world *w, const struct gm_program_line *l)
{
	if (!room_for(w, l->units))
		return 0;
	return waited(w, gm_mmap(w->as, l->va, l->units * gm_core_unit(w->core)));
}

static int unmap(struct world *w, const struct gm_program_line *l)
{
	w->r->calls++;
	return gm_munmap(w->as, l->va, l->units * gm_core_unit(w->core), NULL);
}

static void line(struct world *w, const struct gm_program_line *l)
{
	static int (*const run[])(struct world *, const struct gm_program_line *) = {
		[GM_PROGRAM_MAP] = map,	  [GM_PROGRAM_UNMAP] = unmap,	[GM_PROGRAM_DEV] = touch,
		[GM_PROGRAM_CPU] = touch, [GM_PROGRAM_ADVISE] = advise,
	};
	int err = run[l->what](w, l);

	if (err && l->what == GM_PROGRAM_MAP)
		fail(w, "%llu units at 0x%llx cannot be mapped (%d)", l->units, l->va, err);
	w->r->refused += err && err != -EINPROGRESS;
}

/* ---- life ------------------------------------------------------------- */

static int attach(struct world *w, u32 i)
{
	struct gm_ctx *ctx;

	w->devs[i] = gm_dev_create(w->core, w->r->head.frames);
	if (IS_ERR(w->devs[i]))
		return (int)PTR_ERR(w->devs[i]);
	ctx = gm_as_attach(w->as, w->devs[i]);
	if (IS_ERR(ctx) && PTR_ERR(ctx) != -EOPNOTSUPP)
		return (int)PTR_ERR(ctx);
	w->ctxs[i] = IS_ERR(ctx) ? NULL : ctx;
	return 0;
}

static void begin(struct world *w)
{
	struct gm_run *r = w->r;
	struct gm_setup setup = { .params = &w->params,
				  .variant = r->variant,
				  .evictor = r->evictor,
				  .prefetcher = r->prefetcher,
				  .unit = r->head.unit,
				  .random_seed = r->seed };
	struct gm_core *core;
	u32 i;

	for (i = 0; i < r->head.devices; i++)
		if (!room_for(w, r->head.frames))
			return;
	gm_params_init(&w->params);
	core = gm_core_new(&setup, &host_ops, w);
	if (IS_ERR(core)) {
		fail(w, "no such core: variant %s, evictor %s, prefetcher %s", r->variant,
		     r->evictor, r->prefetcher);
		return;
	}
	w->core = core;
	w->as = gm_as_create(core);
	for (i = 0; i < r->head.devices && !w->bad; i++)
		if (attach(w, i))
			fail(w, "no device of %llu frames", r->head.frames);
}

static void lines(struct world *w, FILE *f)
{
	struct gm_program_line l;
	const char *why = NULL;
	char *text = NULL;
	size_t size = 0;
	int got = 0;

	for (w->r->line = 1; !w->bad && getline(&text, &size, f) > 0; w->r->line++) {
		if (w->r->line == 1 && gm_program_parse_head(text, &w->r->head))
			fail(w, "the first line is not '" GM_PROGRAM_HEAD "'", 4096ULL, 700ULL, 1U);
		else if (w->r->line == 1)
			begin(w);
		else
			got = gm_program_parse(text, &w->r->head, &l, &why);
		if (got < 0)
			fail(w, "%s", why);
		else if (got)
			line(w, &l);
		got = 0;
		if (w->bad)
			break;
	}
	if (!w->core && !w->bad)
		fail(w, "there is nothing in it");
	free(text);
}

int gm_run_file(struct gm_run *r, FILE *f)
{
	struct world *w = calloc(1, sizeof(*w));
	int bad;

	if (!w)
		abort();
	w->r = r;
	w->waiter.wake = woken;
	r->calls = r->decided = r->refused = 0;
	lines(w, f);
	w->woken = NOT_YET;
	answer(w);
	if (w->core)
		gm_core_free(w->core);
	bad = w->bad;
	free(w->asked);
	free(w);
	return bad;
}
