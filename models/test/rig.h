/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * rig.h - a machine, a manager, and a kernel that only touches
 *
 * All functions are static inline: a test program is one file.
 */
#ifndef HW_TEST_RIG_H
#define HW_TEST_RIG_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/table.h"

#define KIB (1ULL << 10)
#define MIB (1ULL << 20)
#define GIB (1ULL << 30)

struct rig {
	struct gs_config *cfg;
	struct gs_machine machine;
	struct gs_sim *sim;
	struct gs_job job;
	struct mm_common common;
	void *params;
	struct mm *mm; /* NULL if it refused, with err set */
	int err;
};

/* @sets: "key=value", NULL-terminated. */
static inline void rig_machine(struct rig *r, const struct mm_ops *ops, const char *const *sets)
{
	struct gs_section sections[] = { { "device", hw_device_rows, &r->machine.device },
					 { "host", hw_host_rows, &r->machine.host },
					 { "link", hw_link_rows, &r->machine.link },
					 { "peer_link", hw_peer_rows, &r->machine.peer },
					 { "ssd", hw_ssd_rows, &r->machine.ssd },
					 { "manager", mm_common_rows, &r->common },
					 { ops && ops->prefix ? ops->prefix : NULL,
					   ops ? ops->params : NULL, NULL },
					 { NULL, NULL, NULL } };

	memset(r, 0, sizeof(*r));
	if (ops && ops->params_size)
		sections[6].obj = r->params = gs_calloc(1, ops->params_size);
	r->cfg = gs_config_new();
	for (; sets && *sets; sets++)
		assert_int_equal(gs_config_set(r->cfg, *sets), 0);
	assert_int_equal(gs_config_bind(r->cfg, sections, NULL), 0);
	r->err = hw_machine_init(&r->machine, r->cfg);
}

static inline void rig_open_job(struct rig *r, const struct mm_ops *ops, const char *const *sets,
				const struct gs_job *job)
{
	rig_machine(r, ops, sets);
	assert_int_equal(r->err, 0);
	r->sim = gs_sim_new(1);
	r->job = *job;
	r->mm = mm_create(ops, r->sim, &r->machine, &r->job, &r->common, r->params);
	r->err = r->mm ? 0 : -errno;
}

static inline void rig_open(struct rig *r, const struct mm_ops *ops, const char *const *sets)
{
	static const struct gs_job job = { .name = "rig", .ndevices = 1 };

	rig_open_job(r, ops, sets, &job);
}

/* The self-check holds, whatever a test did. */
static inline void rig_close(struct rig *r)
{
	if (r->mm && r->mm->ops->check)
		assert_int_equal(r->mm->ops->check(r->mm), 0);
	mm_free(r->mm);
	gs_sim_free(r->sim);
	hw_machine_fini(&r->machine);
	gs_config_free(r->cfg);
	free(r->params);
}

/* ---- a kernel ---- */

struct waiter {
	struct mm_wait wait;
	struct gs_sim *sim;
	u32 outstanding;
	gs_time answered, end[MM_NR_PHASES];
};

static inline void waiter_resolved(struct mm_wait *wait, u32 units, const gs_time end[MM_NR_PHASES])
{
	struct waiter *w = gs_container_of(wait, struct waiter, wait);
	gs_time last = 0;

	assert_true(units <= w->outstanding);
	w->outstanding -= units;
	w->answered = gs_now(w->sim);
	for (int i = 0; i < MM_NR_PHASES; i++) {
		assert_true(end[i] >= last && end[i] <= w->answered);
		w->end[i] = last = end[i];
	}
}

static inline void waiter_init(struct waiter *w, struct rig *r, u16 device)
{
	*w = (struct waiter){ .wait = { .resolved = waiter_resolved, .device = device },
			      .sim = r->sim };
}

/* One question; what is missing comes when the simulator runs. */
static inline struct mm_touch rig_ask(struct rig *r, struct waiter *w, u64 va, u64 bytes,
				      u32 window, u8 access)
{
	struct mm_touch t = { .device = w->wait.device,
			      .access = access,
			      .va = va,
			      .bytes = bytes,
			      .window = window,
			      .wait = &w->wait };

	mm_touch(r->mm, &t);
	if (t.kind == MM_MISS)
		w->outstanding += t.units;
	return t;
}

/* Touch a range in order; wait for all that is missing whenever the window is full. */
static inline void rig_touch(struct rig *r, u16 device, u64 va, u64 bytes, u32 window)
{
	struct waiter w;
	u64 end = va + bytes;

	waiter_init(&w, r, device);
	while (va < end) {
		va += rig_ask(r, &w, va, end - va, window - w.outstanding, GS_READ | GS_WRITE)
			      .covered;
		if (w.outstanding == window)
			gs_run(r->sim);
		assert_true(w.outstanding < window);
	}
	gs_run(r->sim);
	assert_int_equal(w.outstanding, 0);
}

/* ---- the host thread ---- */

struct caller {
	struct mm_done done;
	int answers;
};

static inline void caller_done(struct mm_done *d, int err)
{
	assert_int_equal(err, 0);
	gs_container_of(d, struct caller, done)->answers++;
}

/* A call to its end; the answer at once if it was not "in progress". */
static inline int rig_advise(struct rig *r, u16 device, u8 advice, u64 va, u64 bytes)
{
	struct caller c = { .done.fn = caller_done };
	int err = mm_advise(r->mm, device, advice, va, bytes, &c.done);

	gs_run(r->sim);
	assert_int_equal(c.answers, err == -EINPROGRESS);
	return err;
}

static inline int rig_cpu_touch(struct rig *r, u64 va, u64 bytes)
{
	struct caller c = { .done.fn = caller_done };
	int err = mm_cpu_touch(r->mm, va, bytes, GS_READ | GS_WRITE, &c.done);

	gs_run(r->sim);
	assert_int_equal(c.answers, err == -EINPROGRESS);
	return err;
}

#endif
