/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_plan.c - managers that plan see the job in advance, and run kernels whole */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sim/test/fake.h"

#define BASE 0x100000ULL
#define U    FAKE_UNIT
#define D    (100 * GS_US)

struct counted {
	u64 kernels;
};

static struct planner {
	struct mm mm;
	struct counted own;
	u32 plans, runs;
	u64 nth[16];
	struct mm_kernel first, last;
	struct mm_tensor tensors[2];
	u32 nkernels;
	bool fails;
} planner;

static int take_plan(struct mm *m, const struct mm_plan *p)
{
	(void)m;
	planner.plans++;
	planner.nkernels = p->nkernels;
	planner.first = p->kernels[0];
	planner.last = p->kernels[p->nkernels - 1];
	memcpy(planner.tensors, p->tensors, sizeof(planner.tensors));
	assert_int_equal(p->ntensors, 2);
	assert_int_equal(p->kernels[0].operands[0].tensor, 0);
	assert_int_equal(p->kernels[0].operands[0].access, GS_READ);
	return planner.fails ? -5 : 0;
}

/* Every kernel takes half as long again. */
static gs_time run_kernel(struct mm *m, u64 nth, gs_time start, gs_time duration)
{
	(void)m;
	planner.nth[planner.runs++] = nth;
	planner.own.kernels++;
	return start + duration + duration / 2;
}

static void never_touched(struct mm *m, struct mm_touch *t)
{
	(void)m;
	(void)t;
	fail();
}

static const struct gm_stat rows[] = { GM_COUNT(struct counted, kernels, GM_NONE, "Kernels run"),
				       GM_STAT_END };

static const struct mm_ops planner_ops = {
	.name = "planner",
	.state_size = sizeof(struct planner),
	.stats = rows,
	.stats_offset = offsetof(struct planner, own),
	.stats_by_iteration = true,
	.touch = never_touched,
	.plan = take_plan,
	.run = run_kernel,
};

/* A weight and a tensor of the iteration; one kernel before it, two in it. */
static int run_with(const struct mm_ops *mm,
		    int (*hints)(void *, const struct mm_plan *, struct mm_hints *), u32 iterations,
		    struct gs_result *res)
{
	static const struct gs_touch w[] = { { .tensor = 0, .access = GS_READ, .bytes = U } };
	static const struct gs_touch wt[] = { { .tensor = 0, .access = GS_READ, .bytes = U },
					      { .tensor = 1, .access = GS_WRITE, .bytes = U } };
	const struct gs_op ops[] = {
		OP_ALLOC(0, BASE, U),	  OP_KERNEL(7 * D, w),	OP_MARK(0), OP_KERNEL(D, w),
		OP_ALLOC(1, BASE + U, U), OP_KERNEL(2 * D, wt), OP_FREE(1)
	};
	const struct gs_workload_cfg work = { .iterations = iterations };
	const struct gs_sim_cfg cfg = { .seed = 1, .series_points = 100 };
	struct fake_job job = fake_job(ops, GS_ARRAY_SIZE(ops));
	struct gs_replay_args a = { .sim = gs_sim_new(1),
				    .mm = &planner.mm,
				    .source = &job.src,
				    .workload = &work,
				    .cfg = &cfg,
				    .ndevices = 1,
				    .fault_window = 1,
				    .duration = fake_duration,
				    .hints = hints };
	int ret;

	planner.mm.ops = mm;
	planner.mm.sim = a.sim;
	ret = gs_replay(&a, res);
	gs_sim_free(a.sim);
	return ret;
}

static int run(u32 iterations, bool fails, struct gs_result *res)
{
	memset(&planner, 0, sizeof(planner));
	planner.fails = fails;
	return run_with(&planner_ops, NULL, iterations, res);
}

static void plan_lists_the_iteration_and_who_outlives_it(void **state)
{
	struct gs_result r;

	(void)state;
	assert_int_equal(run(1, false, &r), 0);
	assert_int_equal(planner.plans, 1);
	assert_int_equal(planner.nkernels, 2);
	assert_true(planner.first.duration == D && planner.last.duration == 2 * D);
	assert_int_equal(planner.last.noperands, 2);
	assert_true(planner.tensors[0].lasting && planner.tensors[0].bytes == U);
	assert_false(planner.tensors[1].lasting);
	gs_result_free(&r);
}

static void kernels_end_when_the_manager_says(void **state)
{
	struct gs_result r;

	(void)state;
	assert_int_equal(run(2, false, &r), 0);
	assert_true(r.iterations[0].time_ps == 3 * D + 3 * D / 2);
	assert_true(r.iterations[0].stall_ps == 3 * D / 2);
	assert_true(r.iterations[0].stall_by[MM_LINK] == 3 * D / 2);
	assert_true(r.iterations[0].kernel_ps == 3 * D);
	assert_true(r.ideal_ps == 6 * D);
	gs_result_free(&r);
}

static void repeated_iterations_repeat_the_plan(void **state)
{
	struct gs_result r;

	(void)state;
	assert_int_equal(run(3, false, &r), 0);
	/* the kernel before the iteration is not in the plan: nobody is asked */
	assert_int_equal(planner.runs, 6);
	for (u32 i = 0; i < 6; i++)
		assert_true(planner.nth[i] == i % 2);
	for (u32 i = 0; i < 3; i++)
		assert_true(((struct counted *)r.iterations[i].own)->kernels == 2);
	gs_result_free(&r);
}

static void a_plan_that_cannot_be_ends_the_run(void **state)
{
	struct gs_result r;

	(void)state;
	assert_int_equal(run(1, true, &r), -5);
	assert_int_equal(planner.runs, 0);
}

/* ---- a planner beside the manager ---- */

static char told[64];

static int note_advice(struct mm *m, u16 device, u8 advice, u64 va, u64 bytes, struct mm_done *d)
{
	size_t n = strlen(told);

	(void)m;
	(void)device;
	(void)d;
	assert_true(bytes == U);
	snprintf(told + n, sizeof(told) - n, "%c%llu ",
		 advice == GS_ADV_PREFETCH	  ? 'p'
		 : advice == GS_ADV_PREFETCH_HOST ? 'h'
						  : 'f',
		 (va - BASE) / U);
	return -EOPNOTSUPP;
}

static gs_time note_kernel(struct mm *m, u64 nth, gs_time start, gs_time duration)
{
	size_t n = strlen(told);

	(void)m;
	snprintf(told + n, sizeof(told) - n, "k%llu ", nth);
	return start + duration;
}

static int no_plan(struct mm *m, const struct mm_plan *p)
{
	(void)m;
	(void)p;
	return 0;
}

static int advise_some(void *arg, const struct mm_plan *p, struct mm_hints *out)
{
	static const struct mm_hint some[] = { { 0, 1, GS_ADV_PREFETCH },
					       { 0, 1, GS_ADV_FREE_EAGER },
					       { 1, 0, GS_ADV_PREFETCH_HOST },
					       { 1, 0, GS_ADV_PREFETCH } };
	(void)arg;
	assert_true(p->niterations == 1 && p->first[0] == 0 && p->first[1] == 2);
	assert_true(p->tensors[0].born == 0 && p->tensors[0].died == ~0U);
	assert_true(p->tensors[1].born == 1 && p->tensors[1].died == 2);
	for (size_t i = 0; i < GS_ARRAY_SIZE(some); i++) {
		GS_PUSH_ROOM(out->v, out->n, out->cap);
		out->v[out->n++] = some[i];
	}
	return 0;
}

/* Tensor 1 is hinted at before it is born, and its end comes when it comes. */
static void advice_stands_before_its_kernel(void **state)
{
	struct mm_ops ops = planner_ops;
	struct gs_result r;

	(void)state;
	told[0] = 0;
	ops.plan = no_plan;
	ops.run = note_kernel;
	ops.advise = note_advice;
	assert_int_equal(run_with(&ops, advise_some, 2, &r), 0);
	assert_string_equal(told, "k0 p1 h0 p0 k1 f1 k0 p1 h0 p0 k1 f1 ");
	gs_result_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plan_lists_the_iteration_and_who_outlives_it),
		cmocka_unit_test(kernels_end_when_the_manager_says),
		cmocka_unit_test(repeated_iterations_repeat_the_plan),
		cmocka_unit_test(a_plan_that_cannot_be_ends_the_run),
		cmocka_unit_test(advice_stands_before_its_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
