// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_replay.c - a log's calls, one after another; its answers in its order
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "gm_replay.h"
#include "gm_variant.h"

#define MAX_SPACES (1U << 12) /* at a time */
#define MAX_OPS	   (1U << 16) /* not answered at a time */

struct space {
	struct gm_as *as; /* NULL: free */
	u32 id;
	struct gm_ctx *ctxs[GM_LOG_DEVICES];
};

struct world {
	struct gm_replay *r;
	struct gm_params params;
	struct gm_core *core;
	struct gm_dev *devs[GM_LOG_DEVICES];
	u32 nr_devs;
	u64 frames, units; /* host frames ever given; units mapped or of devices */
	struct space spaces[MAX_SPACES];
	struct gm_op *ops[MAX_OPS]; /* by ticket */
	struct list_head waiters;
	enum gm_replay_end end;
};

struct waiter {
	struct gm_waiter w;
	struct list_head link;
};

static void __printf(3, 4) fail(struct world *w, enum gm_replay_end end, const char *fmt, ...)
{
	va_list args;

	if (w->end)
		return;
	w->end = end;
	va_start(args, fmt);
	vsnprintf(w->r->why, sizeof(w->r->why), fmt, args);
	va_end(args);
}

/* ---- the host --------------------------------------------------------- */

static void submit(void *host, struct gm_op *op)
{
	struct world *w = host;
	struct gm_op **slot = &w->ops[op->ticket % MAX_OPS];

	if (*slot)
		fail(w, GM_REPLAY_DIFFERS, "more than %u operations at a time", MAX_OPS);
	*slot = op;
}

static void host_free(void *host, u64 frame) {}

/* The kernel's clock is not recorded: the core must not decide by it. */
static u64 host_clock(void *host)
{
	return ((struct world *)host)->r->calls;
}

static void decision(void *host, u64 va, s16 from, s16 to, u8 cause)
{
	static const char *const causes[GM_NR_CAUSES] = GM_CAUSE_NAMES;
	struct gm_replay *r = ((struct world *)host)->r;
	u64 n = r->decided++;

	if (r->decision)
		r->decision(r->arg, n, va, from, to, causes[cause]);
}

static const struct gm_host_ops host_ops = {
	.submit = submit, .host_free = host_free, .clock = host_clock, .decision = decision
};

static void woken(struct gm_waiter *waiter, int err, const u64 end[GM_NR_PHASES])
{
	struct waiter *w = container_of(waiter, struct waiter, w);

	list_del(&w->link);
	free(w);
}

/* ---- calls ------------------------------------------------------------ */

static struct space *space_of(struct world *w, u32 id)
{
	struct space *s = &w->spaces[id % MAX_SPACES];

	return s->as && s->id == id ? s : NULL;
}

static int create(struct world *w, const struct gm_log_entry *e)
{
	struct space *s = &w->spaces[e->space % MAX_SPACES];
	struct gm_as *as;

	if (s->as) {
		fail(w, GM_REPLAY_BAD, "space %u is made while space %u is there", e->space, s->id);
		return 0;
	}
	as = gm_as_create(w->core);
	if (IS_ERR(as))
		return (int)PTR_ERR(as);
	*s = (struct space){ .as = as, .id = e->space };
	return 0;
}

static int attach(struct world *w, struct space *s, const struct gm_log_entry *e)
{
	struct gm_ctx *ctx;

	if (e->dev < 0 || (u32)e->dev >= w->nr_devs) {
		fail(w, GM_REPLAY_BAD, "there is no device %d", e->dev);
		return 0;
	}
	ctx = gm_as_attach(s->as, w->devs[e->dev]);
	if (IS_ERR(ctx))
		return (int)PTR_ERR(ctx);
	s->ctxs[e->dev] = ctx;
	return 0;
}

static int destroy(struct world *w, struct space *s)
{
	if (!gm_as_is_idle(s->as)) {
		fail(w, GM_REPLAY_DIFFERS, "space %u is not idle", s->id);
		return 0;
	}
	gm_as_destroy(s->as);
	*s = (struct space){ .as = NULL };
	return 0;
}

static bool room_for(struct world *w, u64 units)
{
	u64 most = w->r->most_units ? w->r->most_units : GM_REPLAY_UNITS;

	if (units > most - w->units) {
		fail(w, GM_REPLAY_BAD, "more than %llu units", most);
		return false;
	}
	w->units += units;
	return true;
}

static int map(struct world *w, struct space *s, const struct gm_log_entry *e)
{
	u64 units = e->bytes / gm_core_unit(w->core);
	int err;

	if (!room_for(w, units))
		return 0;
	err = gm_mmap(s->as, e->va, e->bytes);
	if (err)
		w->units -= units;
	return err;
}

static int unmap(struct world *w, struct space *s, const struct gm_log_entry *e)
{
	u64 units = e->bytes / gm_core_unit(w->core);
	int err = gm_munmap(s->as, e->va, e->bytes, NULL);

	if (!err || err == -EINPROGRESS)
		w->units -= min(units, w->units); /* of holes too: a bound, no account */
	return err;
}

static int answer(struct world *w, const struct gm_log_entry *e)
{
	struct gm_op *op = w->ops[e->va % MAX_OPS];

	if (!op || op->ticket != e->va || op->type != e->arg) {
		fail(w, GM_REPLAY_DIFFERS, "operation %llu of type %u was not asked for here",
		     e->va, e->arg);
		return 0;
	}
	if (e->ret > 0 || e->ret < -MAX_ERRNO) {
		fail(w, GM_REPLAY_BAD, "%d is no answer to an operation", e->ret);
		return 0;
	}
	w->ops[e->va % MAX_OPS] = NULL;
	if (op->type == GM_OP_HOST_ALLOC && !e->ret)
		op->frame = ++w->frames;
	gm_op_done(op, e->ret);
	return e->ret;
}

/* @waiter is the core's when this gives -EINPROGRESS. */
static int call_waiting(struct world *w, struct space *s, struct gm_ctx *ctx,
			const struct gm_log_entry *e, struct gm_waiter *waiter)
{
	switch (e->what) {
	case GM_LOG_CPU_FAULT:
		return gm_cpu_fault(s->as, e->va, e->arg, waiter);
	case GM_LOG_DEV_FAULT:
		return gm_dev_fault(ctx, e->va, e->arg, waiter);
	default:
		return gm_advise(s->as, e->dev, e->va, e->bytes, e->arg, waiter);
	}
}

static int wait_for(struct world *w, struct space *s, struct gm_ctx *ctx,
		    const struct gm_log_entry *e)
{
	struct waiter *waiter = calloc(1, sizeof(*waiter));
	int err;

	if (!waiter)
		abort();
	waiter->w.wake = woken;
	list_add_tail(&waiter->link, &w->waiters);
	err = call_waiting(w, s, ctx, e, &waiter->w);
	if (err != -EINPROGRESS)
		woken(&waiter->w, err, NULL);
	return err;
}

static int call_space(struct world *w, struct space *s, const struct gm_log_entry *e)
{
	bool by_device = e->what == GM_LOG_DEV_TOUCH || e->what == GM_LOG_DEV_FAULT;
	struct gm_ctx *ctx = NULL;

	if (by_device && e->dev >= 0 && (u32)e->dev < w->nr_devs)
		ctx = s->ctxs[e->dev];
	if (by_device && !ctx) {
		fail(w, GM_REPLAY_BAD, "device %d is not attached to space %u", e->dev, s->id);
		return 0;
	}
	switch (e->what) {
	case GM_LOG_ATTACH:
		return attach(w, s, e);
	case GM_LOG_DESTROY:
		return destroy(w, s);
	case GM_LOG_MMAP:
		return map(w, s, e);
	case GM_LOG_MUNMAP:
		return unmap(w, s, e);
	case GM_LOG_DEV_TOUCH:
		return (int)gm_dev_touch(ctx, e->va, e->bytes, e->arg);
	default:
		return wait_for(w, s, ctx, e);
	}
}

static void entry(struct world *w, const struct gm_log_entry *e)
{
	static const char *const names[GM_NR_LOG] = GM_LOG_NAMES;
	struct space *s = space_of(w, e->space);
	int ret;

	if (e->what >= GM_NR_LOG) {
		fail(w, GM_REPLAY_BAD, "there is no call %u", e->what);
		return;
	}
	if (e->what == GM_LOG_DONE) {
		ret = answer(w, e);
	} else if (e->what == GM_LOG_CREATE) {
		ret = create(w, e);
	} else if (s) {
		ret = call_space(w, s, e);
	} else {
		fail(w, GM_REPLAY_BAD, "there is no space %u", e->space);
		return;
	}
	if (ret != e->ret)
		fail(w, GM_REPLAY_DIFFERS, "%s of 0x%llx gave %d in the kernel and gives %d here",
		     names[e->what], e->va, e->ret, ret);
}

/* ---- reading ---------------------------------------------------------- */

static bool is_text(const char *s, size_t size)
{
	return memchr(s, 0, size);
}

static bool head_is_good(struct world *w)
{
	const struct gm_log_head *h = &w->r->head;

	if (h->magic != GM_LOG_MAGIC)
		fail(w, GM_REPLAY_BAD, "not an operation log of gmem.ko");
	else if (h->lost)
		fail(w, GM_REPLAY_BAD,
		     "%u entries found no room: load the module with a larger oplog=", h->lost);
	else if (!h->devices || h->devices > GM_LOG_DEVICES || h->unit > 1ULL << 40)
		fail(w, GM_REPLAY_BAD, "damaged: %u devices, units of %llu bytes", h->devices,
		     h->unit);
	else if (!is_text(h->variant, sizeof(h->variant)) ||
		 !is_text(h->evictor, sizeof(h->evictor)) ||
		 !is_text(h->prefetcher, sizeof(h->prefetcher)))
		fail(w, GM_REPLAY_BAD, "damaged: names without end");
	else if (!strcmp(h->evictor, "min"))
		fail(w, GM_REPLAY_BAD, "evictor min needs the future, which a log does not tell");
	return !w->end;
}

static void make_devices(struct world *w)
{
	u32 i;

	for (i = 0; i < w->r->head.devices; i++) {
		if (!room_for(w, w->r->head.frames))
			return;
		w->devs[i] = gm_dev_create(w->core, w->r->head.frames);
		if (IS_ERR(w->devs[i])) {
			fail(w, GM_REPLAY_BAD, "no device of %llu frames", w->r->head.frames);
			return;
		}
		w->nr_devs++;
	}
}

static void make_core(struct world *w)
{
	const struct gm_log_head *h = &w->r->head;
	struct gm_setup setup = { .params = &w->params,
				  .variant = h->variant,
				  .evictor = h->evictor,
				  .prefetcher = h->prefetcher,
				  .unit = h->unit,
				  .random_seed = h->seed };
	struct gm_core *core;

	gm_params_init(&w->params);
	core = gm_core_new(&setup, &host_ops, w);
	if (IS_ERR(core)) {
		fail(w, GM_REPLAY_BAD,
		     "no such core: variant %s, evictor %s, prefetcher %s, units of %llu bytes",
		     h->variant, h->evictor, h->prefetcher, h->unit);
		return;
	}
	w->core = core;
	make_devices(w);
}

/* A log may end, or go wrong, while much is in flight: let it land, somehow. */
static void finish(struct world *w)
{
	struct waiter *waiter, *next;
	bool any = true;
	u32 i;

	w->r->decision = NULL;
	while (any) {
		any = false;
		for (i = 0; i < MAX_OPS; i++) {
			struct gm_op *op = w->ops[i];

			if (!op)
				continue;
			any = true;
			w->ops[i] = NULL;
			op->frame = op->type == GM_OP_HOST_ALLOC ? ++w->frames : op->frame;
			gm_op_done(op, 0);
		}
	}
	gm_core_free(w->core);
	list_for_each_entry_safe(waiter, next, &w->waiters, link)
		free(waiter);
}

static bool read_some(struct world *w, FILE *f, void *to, size_t size)
{
	size_t n = fread(to, 1, size, f);

	if (n && n < size)
		fail(w, GM_REPLAY_BAD, "the file ends in the middle of an entry");
	return n == size;
}

enum gm_replay_end gm_replay_file(struct gm_replay *r, FILE *f)
{
	struct world *w = calloc(1, sizeof(*w));
	u64 decided = 0;
	struct gm_log_entry e;
	enum gm_replay_end end;

	if (!w)
		abort();
	w->r = r;
	INIT_LIST_HEAD(&w->waiters);
	r->calls = r->decided = r->offset = 0;
	if (!read_some(w, f, &r->head, sizeof(r->head)))
		fail(w, GM_REPLAY_BAD, "too short for an operation log");
	else if (head_is_good(w))
		make_core(w);
	while (!w->end) {
		r->offset = sizeof(r->head) + r->calls * sizeof(e);
		if (!read_some(w, f, &e, sizeof(e)))
			break;
		entry(w, &e);
		r->calls += !w->end;
	}
	decided = r->decided;
	if (w->core)
		finish(w);
	r->decided = decided;
	end = w->end;
	free(w);
	return end;
}
