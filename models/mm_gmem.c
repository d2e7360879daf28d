/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_gmem.c - GMEM: hosts kernel-core
 *
 * The core decides; this file answers what a Linux host would: it gives each
 * operation that the core submits to the resource that does the work, and
 * reports the end of it from an event.
 *
 *   message          the device's message channel, then its latency
 *   copy             link of the device (or peer link), one direction
 *   zero             the memory of the node, device or host
 *   host alloc, unmap, DMA map   a CPU thread that serves faults
 *   device alloc, map, unmap     the device's own kernel: a delay
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel-core/gm_policy.h"
#include "kernel-core/gm_stats.h"
#include "kernel-core/gm_variant.h"
#include "models/mm_gmem.h"
#include "models/table.h"

/* One unit that a kernel misses, or an advice or CPU touch under way. */
struct fault {
	struct gm_waiter w;
	struct mm_wait *wait; /* a kernel's ... */
	struct mm_done *done; /* ... or somebody else's */
	struct mm_gmem *g;
	struct fault *next; /* in the pool */
};

/* The host thread's touch, unit by unit. */
struct cpu_touch {
	struct gm_waiter w;
	struct gs_event ev; /* what it touches comes from the SSD */
	u64 va, end;
	bool write, waiting;
	struct mm_done *done;
};

struct mm_gmem {
	struct mm mm;
	struct gm_core *core;
	struct gm_as *as;
	u32 ndevices;
	struct gm_ctx *ctx[HW_MAX_DEVICES];
	struct gm_dev *dev[HW_MAX_DEVICES];
	struct fault *idle; /* pool */
	struct fault **chunks;
	size_t nchunks, cap_chunks;
	struct cpu_touch cpu;
	struct gmem_frames frames;
	bool host_full;	       /* it has refused a frame */
	struct gm_stats stats; /* the core's, as of the last kernel's end */
};

#define FAULTS_PER_CHUNK 64

static struct mm_gmem *gmem_of(struct mm *m)
{
	return gs_container_of(m, struct mm_gmem, mm);
}

/* ---- what takes time ---------------------------------------------------- */

/* What the host keeps in gm_op.host. */
struct op_event {
	struct gs_event ev;
	int err;
	struct mm_gmem *waits; /* a copy, for what comes from the SSD */
};
_Static_assert(sizeof(struct op_event) <= sizeof(((struct gm_op *)0)->host),
	       "an operation has room for its event");

static struct op_event *event_of(struct gm_op *op)
{
	return (struct op_event *)(void *)op->host;
}

static gs_time on_copy(struct mm_gmem *g, struct gm_op *op);

/* What the SSD had for a copy is there, and it begins; or all is over. */
static void op_ended(struct gs_sim *sim, struct gs_event *ev)
{
	struct op_event *e = gs_container_of(ev, struct op_event, ev);
	struct gm_op *op = gs_container_of((u64(*)[8])(void *)e, struct gm_op, host);

	if (e->waits)
		gs_at(sim, ev, on_copy(e->waits, op));
	else
		gm_op_done(op, e->err);
}

/* The device that an operation is about: the one end that is not the host. */
static u32 device_of(const struct gm_op *op)
{
	return (u32)(op->from != GM_HOST_NODE ? op->from : op->to);
}

static gs_time on_cpu(struct mm_gmem *g, gs_time cost)
{
	struct hw_pool *threads = &g->mm.machine->fault_threads;

	return hw_pool_reserve(threads, gs_now(g->mm.sim), cost) + cost;
}

static gs_time on_message(struct mm_gmem *g, const struct gm_op *op)
{
	const struct hw_host_cfg *host = &g->mm.machine->host;
	enum hw_dir dir = op->from == GM_HOST_NODE ? HW_H2D : HW_D2H;
	struct hw_server *channel = &g->mm.machine->msg[dir][device_of(op)];

	return hw_reserve(channel, gs_now(g->mm.sim), host->msg_gap_ps) + host->msg_latency_ps;
}

/* The link carries all of @op at once, from now on. */
static gs_time on_link(struct mm_gmem *g, struct gm_op *op)
{
	struct hw_link *l = &g->mm.machine->links[device_of(op)];
	enum hw_dir dir = op->to == GM_HOST_NODE ? HW_D2H : HW_H2D;
	gs_time start, end = hw_link_send(l, dir, op->bytes, gs_now(g->mm.sim), &start);

	return g->mm.machine->hostmem.ssd ? gmem_frames_copied(&g->frames, op, start, end) : end;
}

/* A copy to or from the host; what the SSD has is waited for, once. */
static gs_time on_copy(struct mm_gmem *g, struct gm_op *op)
{
	gs_time now = gs_now(g->mm.sim), there = now;
	struct op_event *e = event_of(op);

	if (g->mm.machine->hostmem.ssd && !e->waits)
		there = gmem_frames_open(&g->frames, op);
	e->waits = there > now ? g : NULL;
	return e->waits ? there : on_link(g, op);
}

/* Out of one device's port and into the other's, at the same time. */
static gs_time on_peers(struct mm_gmem *g, const struct gm_op *op)
{
	struct gs_machine *mc = g->mm.machine;
	gs_time now = gs_now(g->mm.sim), start, left;

	left = hw_link_send(&mc->peers[op->from], HW_D2H, op->bytes, now, &start);
	return gs_max(left, hw_link_send(&mc->peers[op->to], HW_H2D, op->bytes, start, &start));
}

static gs_time on_zero(struct mm_gmem *g, const struct gm_op *op)
{
	const struct hw_host_cfg *host = &g->mm.machine->host;

	if (op->to == GM_HOST_NODE)
		return on_cpu(g, gs_muldiv_up(op->bytes, GS_S, host->zero_bps));
	return gs_now(g->mm.sim) + gs_muldiv_up(op->bytes, GS_S, host->device_zero_bps);
}

static gs_time on_host_alloc(struct mm_gmem *g, struct gm_op *op, int *err)
{
	gs_time room = gmem_frame_get(&g->frames, op);
	gs_time done = on_cpu(g, g->mm.machine->host.alloc_huge_ps);

	if (room != GS_NEVER)
		return gs_max(done, room);
	g->host_full = true;
	*err = -ENOMEM;
	return done;
}

static void submit(void *arg, struct gm_op *op)
{
	struct mm_gmem *g = arg;
	const struct hw_host_cfg *host = &g->mm.machine->host;
	gs_time now = gs_now(g->mm.sim), end = now;
	int err = 0;

	*event_of(op) = (struct op_event){ .ev.fn = op_ended };
	switch (op->type) {
	case GM_OP_MSG:
		end = on_message(g, op);
		break;
	case GM_OP_COPY:
		end = op->from != GM_HOST_NODE && op->to != GM_HOST_NODE ? on_peers(g, op)
									 : on_copy(g, op);
		break;
	case GM_OP_ZERO:
		end = on_zero(g, op);
		break;
	case GM_OP_HOST_ALLOC:
		end = on_host_alloc(g, op, &err);
		break;
	case GM_OP_DMA_MAP:
		end = on_cpu(g, op->units * host->dma_map_ps);
		break;
	case GM_OP_HOST_UNMAP:
		end = on_cpu(g, op->units * host->host_unmap_ps);
		break;
	case GM_OP_HOST_MAP:
		end = on_cpu(g, 0);
		break;
	case GM_OP_DEV_ALLOC:
		end = now + host->device_alloc_ps;
		break;
	case GM_OP_DEV_MAP:
		end = now + host->device_map_ps;
		break;
	case GM_OP_DEV_UNMAP:
		end = now + host->device_unmap_ps;
		break;
	default:
		end = now + op->delay;
		break;
	}
	event_of(op)->err = err;
	gs_at(g->mm.sim, &event_of(op)->ev, end);
}

static void host_free(void *arg, u64 frame)
{
	gmem_frame_put(&((struct mm_gmem *)arg)->frames, frame);
}

static u64 host_clock(void *arg)
{
	return gs_now(((struct mm_gmem *)arg)->mm.sim);
}

static u64 host_next_use(void *arg, u32 dev, u64 va)
{
	struct mm_gmem *g = arg;

	return g->mm.next_use ? g->mm.next_use(g->mm.next_use_arg, (u16)dev, va) : ~0ULL;
}

static const struct gm_host_ops host_ops = {
	.submit = submit,
	.host_free = host_free,
	.clock = host_clock,
	.next_use = host_next_use,
};

/* ---- faults ------------------------------------------------------------- */

static struct fault *fault_get(struct mm_gmem *g)
{
	struct fault *f;

	if (!g->idle) {
		struct fault *chunk = gs_calloc(FAULTS_PER_CHUNK, sizeof(*chunk));

		GS_PUSH_ROOM(g->chunks, g->nchunks, g->cap_chunks);
		g->chunks[g->nchunks++] = chunk;
		for (u32 i = 0; i < FAULTS_PER_CHUNK; i++) {
			chunk[i].next = g->idle;
			g->idle = &chunk[i];
		}
	}
	f = g->idle;
	g->idle = f->next;
	*f = (struct fault){ .g = g };
	return f;
}

static void fault_put(struct fault *f)
{
	f->next = f->g->idle;
	f->g->idle = f;
}

static void note_hbm(struct mm_gmem *g)
{
	struct mm_stats *s = &g->mm.stats;
	u64 used = 0;

	for (u32 d = 0; d < g->ndevices; d++)
		used += gm_dev_used(g->dev[d]);
	s->hbm_bytes = used * gm_core_unit(g->core);
	s->hbm_peak_bytes = gs_max(s->hbm_peak_bytes, s->hbm_bytes);
}

/* A unit that cannot be had ends the run: there is no kernel to kill here. */
static void refuse(struct mm_gmem *g, int err)
{
	if (err == -ENOMEM && g->host_full)
		mm_host_full(&g->mm);
	else
		mm_fail(&g->mm, err, "gmem: a unit cannot be brought to the device: %s%s",
			strerror(-err), err == -ENOMEM ? " (raise device.hbm.capacity)" : "");
}

static void fault_woken(struct gm_waiter *w, int err, const u64 end[GM_NR_PHASES])
{
	struct fault *f = gs_container_of(w, struct fault, w);
	struct mm_wait *wait = f->wait;
	struct mm_done *done = f->done;
	struct mm_gmem *g = f->g;

	fault_put(f);
	note_hbm(g);
	if (done)
		done->fn(done, err);
	if (!wait)
		return;
	if (err)
		refuse(g, err);
	mm_resolved(wait, 1, end);
}
_Static_assert((int)MM_NR_PHASES == (int)GM_NR_PHASES, "one meaning of phases");

static void touch(struct mm *m, struct mm_touch *t)
{
	struct mm_gmem *g = gmem_of(m);
	u64 unit = gm_core_unit(g->core);
	u64 first = t->va & ~(unit - 1), last = (t->va + t->bytes - 1) & ~(unit - 1);
	bool write = t->access & GS_WRITE;
	u64 hits = gm_dev_touch(g->ctx[t->device], first, (last - first) / unit + 1, write);
	struct fault *f;
	int err;

	t->kind = MM_HIT;
	t->covered = gs_min(first + hits * unit - t->va, t->bytes);
	if (hits)
		return;
	f = fault_get(g);
	f->wait = t->wait;
	f->w.wake = fault_woken;
	err = gm_dev_fault(g->ctx[t->device], first, write, &f->w);
	t->covered = gs_min(first + unit - t->va, t->bytes);
	if (err == -EINPROGRESS) {
		t->kind = MM_MISS;
		t->units = 1;
		return;
	}
	fault_put(f);
	if (err)
		refuse(g, err);
}

#define AT_ONCE	 128
#define AT_FIRST 16 /* behind a miss; the next are often not far */

/* Accesses of one unit each, up to the first that is not: how many. */
static u32 single_units(const struct gs_page *p, u32 n, u64 unit, u64 *access)
{
	u32 i;

	for (i = 0; i < n && (p[i].va & (unit - 1)) + p[i].bytes <= unit; i++)
		access[i] =
			(p[i].va & ~(unit - 1)) | (p[i].access & GS_WRITE ? GM_ACCESS_WRITE : 0);
	return i;
}

/* What is resident; a miss is a touch of its own. */
static u32 pages(struct mm *m, const struct gs_page *p, u32 n)
{
	struct mm_gmem *g = gmem_of(m);
	struct gm_ctx *ctx = g->ctx[p->device];
	u64 access[AT_ONCE];
	/* min is told where it is in the trace before each */
	u32 most = m->needs_future ? 1 : AT_ONCE, step = (u32)gs_min(most, AT_FIRST);
	u32 asked, hits;

	do {
		asked = single_units(p + m->ahead, (u32)gs_min(n - m->ahead, step),
				     gm_core_unit(g->core), access);
		step = (u32)gs_min(2 * step, most);
		hits = gm_dev_touch_each(ctx, access, asked);
		m->ahead += hits;
	} while (asked && hits == asked && m->ahead < n);
	m->stats.touches += m->ahead;
	return (u32)m->ahead;
}

/* The unit at @va is mapped; does it have to come from the SSD? */
static bool cpu_waits(struct mm_gmem *g, u64 va)
{
	struct cpu_touch *c = &g->cpu;
	gs_time there;

	if (!g->mm.machine->hostmem.ssd)
		return false;
	there = gmem_cpu_open(&g->frames, va, c->write);
	if (there == gs_now(g->mm.sim))
		return false;
	gs_at(g->mm.sim, &c->ev, there);
	return true;
}

static int cpu_go_on(struct mm_gmem *g)
{
	struct cpu_touch *c = &g->cpu;
	u64 unit = gm_core_unit(g->core);

	while (c->va < c->end) {
		u64 va = c->va & ~(unit - 1);
		int err;

		c->va = va + unit;
		err = gm_cpu_fault(g->as, va, c->write, &c->w);
		if (!err && cpu_waits(g, va))
			err = -EINPROGRESS;
		if (err)
			return err;
	}
	return 0;
}

/* On with the touch, unless @err says how it has ended. */
static void cpu_resume(struct mm_gmem *g, int err)
{
	note_hbm(g);
	if (!err)
		err = cpu_go_on(g);
	if (err == -EINPROGRESS)
		return;
	g->cpu.waiting = false;
	if (err == -ENOMEM && g->host_full)
		mm_host_full(&g->mm);
	g->cpu.done->fn(g->cpu.done, err);
}

static void cpu_woken(struct gm_waiter *w, int err, const u64 end[GM_NR_PHASES])
{
	struct cpu_touch *c = gs_container_of(w, struct cpu_touch, w);
	struct mm_gmem *g = gs_container_of(c, struct mm_gmem, cpu);

	(void)end;
	if (err || !cpu_waits(g, c->va - gm_core_unit(g->core)))
		cpu_resume(g, err);
}

static void cpu_fetched(struct gs_sim *sim, struct gs_event *ev)
{
	struct cpu_touch *c = gs_container_of(ev, struct cpu_touch, ev);

	(void)sim;
	cpu_resume(gs_container_of(c, struct mm_gmem, cpu), 0);
}

static int cpu_touch(struct mm *m, u64 va, u64 bytes, u8 access, struct mm_done *d)
{
	struct mm_gmem *g = gmem_of(m);
	int err;

	gs_assert(!g->cpu.waiting); /* there is one host thread */
	g->cpu = (struct cpu_touch){ .w.wake = cpu_woken,
				     .ev.fn = cpu_fetched,
				     .va = va,
				     .end = va + bytes,
				     .write = access & GS_WRITE,
				     .done = d };
	err = cpu_go_on(g);
	g->cpu.waiting = err == -EINPROGRESS;
	return err;
}

static int advise(struct mm *m, u16 device, u8 advice, u64 va, u64 bytes, struct mm_done *d)
{
	struct mm_gmem *g = gmem_of(m);
	struct fault *f;
	int err;

	_Static_assert((int)GS_ADV_PREFETCH_HOST == (int)GM_NR_ADVICE, "the first are GMEM's");
	if (advice > GS_ADV_PREFETCH_HOST)
		return -EOPNOTSUPP;
	f = fault_get(g);
	f->done = d;
	f->w.wake = fault_woken;
	if (advice == GS_ADV_PREFETCH_HOST)
		err = gm_advise(g->as, GM_HOST_NODE, va, bytes, GM_ADVISE_PREFETCH, &f->w);
	else
		err = gm_advise(g->as, device, va, bytes, advice, &f->w);
	if (err != -EINPROGRESS)
		fault_put(f);
	return err;
}

/* What the core counted, in the words that all managers share. */
static void sync_stats(struct mm *m)
{
	struct mm_gmem *g = gmem_of(m);
	const struct gm_stats *s = gm_core_stats(g->core);
	u64 unit = gm_core_unit(g->core);

	g->stats = *s;
	m->stats.faults = s->dev_fault_zero + s->dev_fault_fetch + s->dev_fault_peer;
	m->stats.h2d_demand_bytes = s->h2d_demand;
	m->stats.h2d_prefetch_bytes = s->h2d_prefetch;
	m->stats.d2h_evict_bytes = s->d2h_evict_direct + s->d2h_evict_background + s->d2h_other;
	m->stats.d2h_cpu_bytes = s->d2h_cpu;
	m->stats.d2d_bytes = s->d2d;
	m->stats.zeroed_bytes = s->zeroed;
	m->stats.evictions = s->evict_done + s->advised_out;
	m->stats.clean_drops = s->evict_clean;
	m->stats.discarded_bytes = s->discarded;
	m->stats.prefetched_bytes = s->prefetch_moved * unit;
	m->stats.prefetch_useful = s->prefetch_useful;
	m->stats.prefetch_late = s->prefetch_late;
	m->stats.prefetch_wasted = s->prefetch_wasted;
	m->stats.cpu_faults = s->cpu_fault_zero + s->cpu_fault_remap + s->cpu_fault_fetch;
	note_hbm(g);
}

static void kernel_end(struct mm *m, u16 device, u64 seq)
{
	(void)device;
	(void)seq;
	sync_stats(m);
}

/* ---- life --------------------------------------------------------------- */

static int attach(struct mm_gmem *g, u32 d, u64 frames)
{
	struct gm_dev *dev = gm_dev_create(g->core, frames);
	struct gm_ctx *ctx;

	if (IS_ERR(dev))
		return (int)PTR_ERR(dev);
	ctx = gm_as_attach(g->as, dev);
	if (IS_ERR(ctx)) {
		if (PTR_ERR(ctx) == -EOPNOTSUPP)
			gs_err("%s has one device in an address space: the job has %u "
			       "(use manager.variant: gmem+, or merge the job onto one device)",
			       g->mm.common->variant, g->ndevices);
		return (int)PTR_ERR(ctx);
	}
	g->dev[d] = dev;
	g->ctx[d] = ctx;
	return 0;
}

static int init(struct mm *m)
{
	struct mm_gmem *g = gmem_of(m);
	struct gm_setup setup = {
		.params = m->params,
		.variant = m->common->variant,
		.evictor = m->common->evictor,
		.prefetcher = m->common->prefetcher,
		.unit = m->common->unit,
		.random_seed = gs_hash("gmem.evict", 10, gs_seed(m->sim)),
	};
	u64 frames = hw_hbm_usable(m->machine, setup.unit) / setup.unit;
	const struct gm_evict_ops *evict;
	int err = 0;

	g->core = gm_core_new(&setup, &host_ops, g);
	if (IS_ERR(g->core)) {
		err = (int)PTR_ERR(g->core);
		g->core = NULL;
		gs_err("gmem: cannot start variant '%s', evictor '%s', prefetcher '%s', unit "
		       "%llu: %s (see `gmemsim list`)",
		       setup.variant, setup.evictor, setup.prefetcher, setup.unit, strerror(-err));
		return err;
	}
	evict = gm_evictor_find(setup.evictor); /* no variant's own asks for it */
	m->needs_future = evict && evict->needs_future;
	g->as = gm_as_create(g->core);
	gmem_frames_init(&g->frames, m, g->as, setup.unit);
	g->ndevices = m->machine->device.count;
	for (u32 d = 0; d < g->ndevices && !err; d++)
		err = attach(g, d, frames);
	return err;
}

static void fini(struct mm *m)
{
	struct mm_gmem *g = gmem_of(m);

	if (g->as)
		gm_as_destroy(g->as);
	if (g->core)
		gm_core_free(g->core);
	gmem_frames_fini(&g->frames);
	for (size_t i = 0; i < g->nchunks; i++)
		free(g->chunks[i]);
	free(g->chunks);
}

static int add(struct mm *m, u64 va, u64 bytes)
{
	u64 unit = m->common->unit, first = va & ~(unit - 1);
	int err = gm_mmap(gmem_of(m)->as, first, ((va + bytes + unit - 1) & ~(unit - 1)) - first);

	if (err)
		gs_err("gmem: cannot map %llu bytes at 0x%llx: %s", bytes, va, strerror(-err));
	return err;
}

/* Messages go, and what is on its way lands before it is dropped. */
static int drop(struct mm *m, u64 va, u64 bytes, struct mm_done *d)
{
	struct mm_gmem *g = gmem_of(m);
	struct fault *f = fault_get(g);
	int err;

	f->done = d;
	f->w.wake = fault_woken;
	err = gm_munmap(g->as, va, bytes, &f->w);
	if (err != -EINPROGRESS)
		fault_put(f);
	note_hbm(g);
	return err;
}

static u64 unit_of(const struct mm *m)
{
	return m->common->unit;
}

static int check(struct mm *m)
{
	char why[256];
	int broken = gm_check(gmem_of(m)->core, why, sizeof(why));

	if (!broken)
		return 0;
	gs_err("gmem: invariant I%d is broken: %s", broken, why);
	return -EUCLEAN;
}

const struct mm_ops mm_gmem = {
	.name = "gmem",
	.help = "openEuler's GMEM by the kernel core itself; see manager.variant",
	.prefix = "manager.gmem",
	.params = gm_param_rows,
	.params_size = sizeof(struct gm_params),
	.state_size = sizeof(struct mm_gmem),
	.stats = gm_stat_rows,
	.stats_offset = offsetof(struct mm_gmem, stats),
	.init = init,
	.fini = fini,
	.add = add,
	.remove = drop,
	.kernel_end = kernel_end,
	.touch = touch,
	.pages = pages,
	.cpu_touch = cpu_touch,
	.advise = advise,
	.unit = unit_of,
	.check = check,
};
