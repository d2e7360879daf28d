/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * world.h - a small machine with round numbers, for tests that use a pencil
 *
 * Link 20 GB/s each way, set-up 1 us, latency 0; messages 10 us without a gap;
 * every other cost is a distinct number of microseconds, so that a sum tells
 * what it is made of.
 */
#ifndef HW_TEST_WORLD_H
#define HW_TEST_WORLD_H

#include <string.h>

#include "models/hw.h"
#include "models/table.h"
#include "sim/test/fake.h"

#define MIB  (1ULL << 20)
#define UNIT (2 * MIB)

struct world {
	struct gs_machine machine;
	struct mm_common common;
	void *params;
	struct gs_workload_cfg workload;
	struct gs_sim_cfg cfg;
	struct gs_sim *sim;
	struct mm *mm;
	struct gs_result res;
	bool unchecked; /* a benchmark: the manager's self-check takes time */
};

static inline void world_defaults(const struct gm_param *rows, void *obj)
{
	const char *why;

	for (; rows && rows->key; rows++)
		assert_int_equal(gs_param_parse(rows, rows->def, obj, &why), 0);
}

/* Set one row by its text, as a user would. */
static inline void world_set(const struct gm_param *rows, void *obj, const char *key,
			     const char *text)
{
	const char *why;

	while (rows->key && strcmp(rows->key, key))
		rows++;
	assert_non_null(rows->key);
	assert_int_equal(gs_param_parse(rows, text, obj, &why), 0);
}

static inline void world_init(struct world *w, const char *type, u64 hbm_units)
{
	struct hw_host_cfg *h = &w->machine.host;
	const struct mm_ops *ops = mm_find(type);

	memset(w, 0, sizeof(*w));
	world_defaults(hw_device_rows, &w->machine.device);
	world_defaults(hw_host_rows, h);
	world_defaults(hw_link_rows, &w->machine.link);
	world_defaults(hw_peer_rows, &w->machine.peer);
	world_defaults(mm_common_rows, &w->common);
	world_defaults(gs_workload_rows, &w->workload);
	world_defaults(gs_sim_rows, &w->cfg);
	w->common.type = type;
	w->params = gs_calloc(1, ops->params_size + 1);
	world_defaults(ops->params, w->params);
	w->machine.device.count = 1;
	w->machine.device.hbm_capacity = hbm_units * UNIT;
	w->machine.device.hbm_reserve = 0;
	w->machine.device.fault_window = 1;
	w->machine.device.launch_ps = 0;
	w->machine.link = (struct hw_link_cfg){ .h2d_bps = 20000000000ULL,
						.d2h_bps = 20000000000ULL,
						.setup_ps = 1 * GS_US,
						.duplex_pct = 100,
						.curve = "" };
	w->machine.peer = w->machine.link;
	w->machine.peer.h2d_bps = w->machine.peer.d2h_bps = 100000000000ULL;
	h->dram_capacity = 1ULL << 40;
	h->msg_latency_ps = 10 * GS_US;
	h->msg_gap_ps = 0;
	h->fault_threads = 4;
	h->alloc_huge_ps = 2 * GS_US;
	h->zero_bps = h->device_zero_bps = 1048576000000ULL; /* 2 us a unit */
	h->device_alloc_ps = 3 * GS_US;
	h->host_unmap_ps = 5 * GS_US;
	h->device_map_ps = 7 * GS_US;
	h->device_unmap_ps = 11 * GS_US;
	h->dma_map_ps = 13 * GS_US;
}

/* Time of one unit on the link. */
#define COPY (1 * GS_US + gs_muldiv_up(UNIT, GS_S, 20000000000ULL))

/* Replay @src; the result is w->res. */
static inline int world_replay(struct world *w, struct gs_source *src)
{
	const struct mm_ops *mm = mm_find(w->common.type);
	struct gs_replay_args a = {
		.source = src,
		.workload = &w->workload,
		.cfg = &w->cfg,
		.ndevices = w->machine.device.count,
		.fault_window = w->machine.device.fault_window,
		.duration = fake_duration,
	};
	int err;

	assert_int_equal(hw_machine_init(&w->machine, NULL), 0);
	w->sim = a.sim = gs_sim_new(1);
	w->mm = a.mm = mm_create(mm, w->sim, &w->machine, &src->job, &w->common, w->params);
	assert_non_null(w->mm);
	err = gs_replay(&a, &w->res);
	if (!err && mm->check && !w->unchecked)
		assert_int_equal(mm->check(w->mm), 0);
	return err;
}

/* Replay @ops. */
static inline int world_run(struct world *w, const struct gs_op *ops, size_t n)
{
	struct fake_job job = fake_job(ops, n);

	return world_replay(w, &job.src);
}

static inline void world_fini(struct world *w)
{
	gs_result_free(&w->res);
	mm_free(w->mm);
	gs_sim_free(w->sim);
	hw_machine_fini(&w->machine);
	free(w->params);
}

#endif
