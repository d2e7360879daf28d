/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_point.c - one run: trace, machine and manager put together and replayed
 */
#include "kernel-core/gm_variant.h"
#include "sim/main.h"
#include "traces/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINK struct hw_link_stats
static const struct gm_stat link_rows[] = {
	GM_COUNT(LINK, transfers, GM_NONE, "Transfers"),
	GM_COUNT(LINK, bytes, GM_BYTES, "Payload carried"),
	GM_COUNT(LINK, busy_ps, GM_PS, "Time that the direction was busy"),
	GM_COUNT(LINK, wait_ps, GM_PS, "Time that transfers waited for their turn"),
	GM_RATIO(LINK, "bytes_per_transfer", bytes, transfers, "Mean size"),
	GM_STAT_END
};
GM_STATS_COMPLETE(LINK, link_rows, 1);

/* What a run that failed with -errno says to the shell. */
static int exit_of(int err)
{
	switch (-err) {
	case 0:
		return GS_EXIT_OK;
	case ENOSPC: /* static: does not fit */
	case ENOMEM:
	case EOPNOTSUPP: /* two devices where the variant knows one */
		return GS_EXIT_FAILED;
	default: /* configuration or trace */
		return GS_EXIT_USER;
	}
}

static gs_time duration(void *arg, const struct gs_op *op)
{
	const struct run *r = arg;
	const struct setup *s = r->setup;
	bool kernel = op->type == GS_OP_KERNEL;
	u64 recorded = kernel ? op->kernel.duration_ps : op->host.duration_ps;

	switch (s->workload.timing) {
	case GS_SCALED:
		return (gs_time)((double)recorded * s->workload.scale);
	case GS_ROOFLINE:
		/* what the trace does not know keeps its recorded time */
		if (kernel && (op->kernel.flops || op->kernel.bytes))
			return hw_roofline(&s->machine, op->kernel.opclass, op->kernel.dtype,
					   op->kernel.flops, op->kernel.bytes);
		return recorded;
	default:
		return recorded;
	}
}

static void progress(void *arg, u64 done, u64 total)
{
	struct run *r = arg;

	r->bar->total = total;
	gs_progress_update(r->bar, done);
}

/* What is booked ahead has not been busy yet: reservations queue without gaps. */
static gs_time busy_until(const struct hw_link *l, enum hw_dir dir, gs_time now)
{
	gs_time ahead = l->dir[dir].free_at > now ? l->dir[dir].free_at - now : 0;

	return l->stats[dir].busy_ps - gs_min(ahead, l->stats[dir].busy_ps);
}

static void links_busy(void *arg, struct gs_sample *s)
{
	const struct run *r = arg;
	const struct gs_machine *m = &r->setup->machine;

	for (u32 d = 0; d < m->device.count; d++) {
		s->h2d_busy_ps += busy_until(&m->links[d], HW_H2D, s->t);
		s->d2h_busy_ps += busy_until(&m->links[d], HW_D2H, s->t);
	}
}

/* device.hbm.capacity_percent: a share of what the job maps on each device. */
static int share_footprint(struct setup *s, struct gs_source *src)
{
	struct hw_device_cfg *d = &s->machine.device;
	u64 bytes, unit = s->manager.unit;
	int err;

	if (!s->hbm_percent)
		return 0;
	err = gs_footprint(src, &s->workload, unit, &bytes);
	if (err)
		return err;
	bytes = gs_muldiv_up(bytes, s->hbm_percent, 100 * gs_max(1, src->job.ndevices));
	d->hbm_capacity = round_up(gs_max(bytes, 1), unit) + d->hbm_reserve;
	return 0;
}

int setup_machine(struct setup *s, const struct gs_job *job)
{
	int err = 0;

	if (s->planned && (job->ndevices > 1 || job->npages))
		return gs_config_error(s->cfg, "manager.prefetcher",
				       "planned: the planner knows kernels of one device; the "
				       "trace has %u devices and %llu page accesses",
				       job->ndevices, job->npages);
	if (job->ndevices > s->machine.device.count)
		err = gs_config_error(s->cfg, "device.count",
				      "the trace uses %u devices, the machine has %u",
				      job->ndevices, s->machine.device.count);
	if (!err)
		err = hw_machine_init(&s->machine, s->cfg);
	/* gmem cannot start where not one of its units fits: ask before. */
	if (!err && !strcmp(s->ops->name, "gmem"))
		err = hw_check_unit(&s->machine, s->cfg, s->manager.unit);
	return err;
}

int run_prepare(struct run *r, struct setup *s)
{
	int err;

	memset(r, 0, sizeof(*r));
	r->setup = s;
	err = setup_trace(s);
	if (!err)
		err = tr_open(s->trace, &r->source);
	if (!err && s->ops->one_iteration && r->source->job.niterations > 1) {
		r->recorded = r->source->job.niterations;
		err = tr_last_iteration(&r->source);
	}
	if (!err)
		err = share_footprint(s, r->source);
	if (!err)
		err = setup_machine(s, &r->source->job);
	if (err)
		return exit_of(err);
	r->sim = gs_sim_new(s->sim.seed);
	r->mm = mm_create(s->ops, r->sim, &s->machine, &r->source->job, &s->manager, s->ops_params);
	if (!r->mm)
		return exit_of(-errno);
	return exit_of(hw_check_unit(&s->machine, s->cfg, mm_unit(r->mm)));
}

/* "gmem+, evictor lru, prefetcher tree" for people. */
static void make_title(struct run *r)
{
	const struct mm_common *m = &r->setup->manager;
	size_t n;

	if (strcmp(m->type, "gmem")) {
		snprintf(r->title, sizeof(r->title), "%s", m->type);
		return;
	}
	n = (size_t)snprintf(r->title, sizeof(r->title), "%s", m->variant);
	if (*m->evictor)
		n += (size_t)snprintf(r->title + n, sizeof(r->title) - n, ", evictor %s",
				      m->evictor);
	if (*m->prefetcher)
		snprintf(r->title + n, sizeof(r->title) - n, ", prefetcher %s", m->prefetcher);
}

/* Counters of the links of all devices; device 0's suffice where there is one. */
static void make_stats(struct run *r)
{
	const struct mm_ops *ops = r->mm->ops;
	const struct gs_machine *m = &r->setup->machine;
	size_t n = 0;

	r->stats[n++] = (struct gs_stat_block){ "mm", mm_stat_rows, &r->mm->stats };
	if (ops->stats)
		r->stats[n++] = (struct gs_stat_block){ ops->name, ops->stats,
							(const char *)r->mm + ops->stats_offset };
	r->stats[n++] = (struct gs_stat_block){ "link_h2d", link_rows, &m->links->stats[HW_H2D] };
	r->stats[n++] = (struct gs_stat_block){ "link_d2h", link_rows, &m->links->stats[HW_D2H] };
	if (m->ssd.count) {
		r->stats[n++] =
			(struct gs_stat_block){ "host", hw_host_stat_rows, &m->hostmem.stats };
		r->stats[n++] = (struct gs_stat_block){ "ssd_read", hw_ssd_stat_rows,
							&m->drives.stats[HW_SSD_READ] };
		r->stats[n++] = (struct gs_stat_block){ "ssd_write", hw_ssd_stat_rows,
							&m->drives.stats[HW_SSD_WRITE] };
	}
	gs_assert(n < GS_ARRAY_SIZE(r->stats));
}

static void make_report(struct run *r)
{
	struct setup *s = r->setup;

	make_title(r);
	make_stats(r);
	r->report = (struct gs_report){
		.manager = s->ops->name,
		.title = r->title,
		.sections = s->sections,
		.job = &r->source->job,
		.workload = &s->workload,
		.res = &r->res,
		.stats = r->stats,
		.seed = s->sim.seed,
		.config_hash = setup_hash(s),
		.unit = mm_unit(r->mm),
		.hbm_usable = hw_hbm_usable(&s->machine, mm_unit(r->mm)),
	};
}

/* Memory that the manager evicts ahead of need: no plan should fill it. */
static u64 spare(const struct setup *s)
{
	struct gm_variant v;

	if (strcmp(s->ops->name, "gmem") ||
	    gm_variant_resolve(s->manager.variant, s->ops_params, &v) || !v.background)
		return 0;
	return gs_min(v.wmark_high, hw_hbm_usable(&s->machine, s->manager.unit) / 4);
}

static int plan_hints(void *arg, const struct mm_plan *plan, struct mm_hints *out)
{
	const struct setup *s = ((struct run *)arg)->setup;

	g10_hints(plan, s->g10_params, &s->machine, spare(s), out);
	return 0;
}

int run_replay(struct run *r, struct gs_progress *bar)
{
	struct setup *s = r->setup;
	const struct gs_replay_args args = {
		.sim = r->sim,
		.mm = r->mm,
		.source = r->source,
		.workload = &s->workload,
		.cfg = &s->sim,
		.ndevices = s->machine.device.count,
		.fault_window = hw_fault_window(&s->machine, mm_unit(r->mm)),
		.launch_ps = s->machine.device.launch_ps,
		.duration = duration,
		.arg = r,
		.progress = bar ? progress : NULL,
		.links = links_busy,
		.hints = s->planned ? plan_hints : NULL,
	};
	int err;

	r->bar = bar;
	err = gs_replay(&args, &r->res);
	if (err)
		return exit_of(err);
	make_report(r);
	warn_collect(r);
	if (s->sim.check && r->mm->ops->check && r->mm->ops->check(r->mm))
		return GS_EXIT_BUG;
	return GS_EXIT_OK;
}

void run_fini(struct run *r)
{
	gs_result_free(&r->res);
	warn_free(r);
	mm_free(r->mm);
	gs_sim_free(r->sim);
	if (r->setup)
		hw_machine_fini(&r->setup->machine);
	gs_source_close(r->source);
}
