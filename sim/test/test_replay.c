/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The replay against what a pencil says. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sim/test/fake.h"

#define BASE 0x100000ULL
#define U    FAKE_UNIT
#define D    (1000 * GS_US)
#define L    (10 * GS_US)

static struct fake_mm fake;

static struct gs_result run(const struct gs_op *ops, size_t n, u32 iterations, u32 window)
{
	const struct gs_workload_cfg w = { .iterations = iterations };
	const struct gs_sim_cfg cfg = { .seed = 1, .series_points = 100 };
	struct fake_job job = fake_job(ops, n);
	struct gs_result res;
	struct gs_replay_args a = {
		.sim = gs_sim_new(1),
		.mm = &fake.mm,
		.source = &job.src,
		.workload = &w,
		.cfg = &cfg,
		.ndevices = job.src.job.ndevices,
		.fault_window = window,
		.duration = fake_duration,
	};

	memset(&fake, 0, sizeof(fake));
	fake.mm.ops = &fake_mm_ops;
	fake.mm.sim = a.sim;
	fake.base = BASE;
	fake.latency = L;
	assert_int_equal(gs_replay(&a, &res), 0);
	gs_sim_free(a.sim);
	return res;
}

static void blocking_device_pays_for_each_unit(void **state)
{
	const struct gs_touch t[] = { { .tensor = 0, .access = GS_READ, .bytes = 10 * U } };
	const struct gs_op ops[] = { OP_ALLOC(0, BASE, 10 * U), OP_KERNEL(D, t) };
	struct gs_result r = run(ops, 2, 1, 1);

	(void)state;
	assert_true(r.total_ps == D + 10 * L);
	assert_true(r.ideal_ps == D);
	assert_true(r.iterations[0].stall_ps == 10 * L);
	assert_true(r.iterations[0].stall_by[MM_QUEUE] == L);
	assert_true(r.iterations[0].stall_by[MM_LINK] == 9 * L);
	assert_true(r.tensors[0].stall_ps == 10 * L && r.tensors[0].misses == 10);
	assert_true(r.kernels[0].stall_ps == 10 * L && r.kernels[0].faults == 10);
	gs_result_free(&r);
}

/* Two units are due every D/10 = 100 us, a fault takes 10: only the window of
 * one stalls; with two the kernel goes on, and waits only for the last unit. */
static void wider_window_hides_faults(void **state)
{
	const struct gs_touch t[] = { { .tensor = 0, .access = GS_READ, .bytes = 10 * U } };
	const struct gs_op ops[] = { OP_ALLOC(0, BASE, 10 * U), OP_KERNEL(D, t) };
	struct gs_result r = run(ops, 2, 1, 2);

	(void)state;
	assert_true(r.total_ps == D);
	assert_int_equal(r.tensors[0].misses, 10);
	gs_result_free(&r);
}

static void kernel_without_time_waits_for_all_it_missed(void **state)
{
	const struct gs_touch t[] = { { .tensor = 0, .access = GS_WRITE, .bytes = 8 * U } };
	const struct gs_op ops[] = { OP_ALLOC(0, BASE, 8 * U), OP_KERNEL(0, t) };
	struct gs_result r = run(ops, 2, 1, 4);

	(void)state;
	assert_true(r.total_ps == 2 * L); /* two windows full */
	gs_result_free(&r);
}

static void resident_range_costs_one_question(void **state)
{
	const struct gs_touch t[] = { { .tensor = 0, .access = GS_READ, .bytes = 1000 * U } };
	const struct gs_op ops[] = { OP_ALLOC(0, BASE, 1000 * U), OP_KERNEL(D, t),
				     OP_KERNEL(D, t) };
	struct gs_result r = run(ops, 3, 1, 1);
	u64 questions = fake.questions;

	(void)state;
	assert_true(r.total_ps == 2 * D + 1000 * L);
	assert_true(questions <= 1000 + 2);
	gs_result_free(&r);
}

static void last_iteration_repeats(void **state)
{
	const struct gs_touch t[] = { { .tensor = 0, .access = GS_READ, .bytes = 10 * U } };
	const struct gs_op ops[] = { OP_ALLOC(0, BASE, 10 * U), OP_MARK(0), OP_KERNEL(D, t) };
	struct gs_result r = run(ops, 3, 4, 1);

	(void)state;
	assert_int_equal(r.niterations, 4);
	assert_true(r.iterations[0].time_ps == D + 10 * L);
	for (u32 i = 1; i < 4; i++)
		assert_true(r.iterations[i].time_ps == D);
	assert_true(r.ideal_ps == 4 * D);
	gs_result_free(&r);
}

/* Gradient 1 dies in the iteration, 2 is born and lives on: in the next pass
 * "1" is what 2 was, and 2 comes to lie where 1 was. */
static void replaced_tensors_swap_their_storage(void **state)
{
	const struct gs_touch old[] = { { .tensor = 0, .access = GS_READ, .bytes = U } };
	const struct gs_touch new[] = { { .tensor = 1, .access = GS_WRITE, .bytes = U } };
	const struct gs_op ops[] = { OP_ALLOC(0, BASE, U),     OP_MARK(0),
				     OP_KERNEL(D, old),	       OP_FREE(0),
				     OP_ALLOC(1, BASE + U, U), OP_KERNEL(D, new) };
	struct gs_result r = run(ops, 6, 3, 1);

	(void)state;
	/* pass 1 misses both units, later passes find them */
	assert_true(r.iterations[0].time_ps == 2 * D + 2 * L);
	assert_true(r.iterations[1].time_ps == 2 * D && r.iterations[2].time_ps == 2 * D);
	assert_int_equal(fake.norder, 2);
	gs_result_free(&r);
}

static void streams_run_side_by_side_and_writers_come_first(void **state)
{
	const struct gs_touch w0[] = { { .tensor = 0, .access = GS_WRITE, .bytes = U } };
	const struct gs_touch r0[] = { { .tensor = 0, .access = GS_READ, .bytes = U } };
	const struct gs_touch w1[] = { { .tensor = 1, .access = GS_WRITE, .bytes = U } };
	struct gs_op ops[] = { OP_ALLOC(0, BASE, U), OP_ALLOC(1, BASE + U, U), OP_KERNEL(D, w0),
			       OP_KERNEL(D, w1), OP_KERNEL(D, r0) };
	struct gs_result r;

	(void)state;
	ops[3].stream = 1; /* beside the first */
	ops[4].stream = 1; /* reads what stream 0 writes */
	r = run(ops, 5, 1, 1);
	assert_true(r.ideal_ps == 2 * D);
	assert_true(r.total_ps == 2 * (D + L) - L); /* the read finds it resident */
	gs_result_free(&r);
}

static void random_order_visits_each_unit_once(void **state)
{
	struct gs_touch t[] = {
		{ .tensor = 0, .access = GS_READ, .bytes = 1000 * U, .pattern = GS_RANDOM }
	};
	const struct gs_op ops[] = { OP_ALLOC(0, BASE, 1000 * U), OP_KERNEL(D, t) };
	bool seen[1000] = { false };
	struct gs_result r = run(ops, 2, 1, 1);
	u32 in_order = 0, above[8] = { 0 };

	(void)state;
	assert_int_equal(fake.norder, 1000);
	for (u32 i = 0; i < 1000; i++) {
		assert_false(seen[fake.order[i]]);
		seen[fake.order[i]] = true;
		in_order += i && fake.order[i] == fake.order[i - 1] + 1;
		/* of neighbours 1, 2, 4 ... apart each is first as often as not */
		for (u32 k = 0; k < 8; k++)
			above[k] +=
				fake.order[i] + (1 << k) < 1000 && !seen[fake.order[i] + (1 << k)];
	}
	assert_true(in_order < 20);
	for (u32 k = 0; k < 8; k++)
		assert_in_range(above[k], (1000 - (1 << k)) / 2 - 50, (1000 - (1 << k)) / 2 + 50);
	gs_result_free(&r);
}

static void strided_order_goes_column_by_column(void **state)
{
	struct gs_touch t[] = { { .tensor = 0,
				  .access = GS_READ,
				  .bytes = 10 * U,
				  .pattern = GS_STRIDED,
				  .stride = 4 * U } };
	const struct gs_op ops[] = { OP_ALLOC(0, BASE, 10 * U), OP_KERNEL(D, t) };
	const u64 expected[] = { 0, 4, 1, 5, 2, 6, 3, 7, 8, 9 };
	struct gs_result r = run(ops, 2, 1, 1);

	(void)state;
	for (u32 i = 0; i < 10; i++)
		assert_true(fake.order[i] == expected[i]);
	gs_result_free(&r);
}

static void segments_are_mapped_while_they_live(void **state)
{
	const struct gs_touch t[] = { { .tensor = 0, .access = GS_READ, .bytes = 10 * U } };
	const struct gs_touch v[] = { { .tensor = 1, .access = GS_READ, .bytes = 30 * U } };
	const u64 far = BASE + 100 * U;
	const struct gs_op ops[] = {
		OP_SEGMENT(ALLOC, BASE, 20 * U),
		OP_ALLOC(0, BASE, 10 * U),
		OP_KERNEL(D, t),
		OP_FREE(0),
		OP_SEGMENT(FREE, BASE, 20 * U),
		OP_SEGMENT(ALLOC, far, 40 * U),
		OP_ALLOC(1, far + U, 30 * U),
		OP_KERNEL(D, v),
	};
	struct gs_result r = run(ops, 8, 1, 1);

	(void)state;
	assert_true(r.footprint_bytes == 40 * U);
	assert_true(fake.added == 60 * U && fake.removed == 20 * U);
	assert_true(r.total_ps == 2 * D + 40 * L);
	gs_result_free(&r);
}

/* cudaFree waits: streams that run side by side do not when one comes in between. */
static void a_free_waits_for_what_was_launched(void **state)
{
	const struct gs_touch t[] = { { .tensor = 0, .access = GS_READ, .bytes = U } };
	const struct gs_touch v[] = { { .tensor = 1, .access = GS_READ, .bytes = U } };
	struct gs_op ops[] = {
		OP_SEGMENT(ALLOC, BASE, 2 * U),
		OP_SEGMENT(ALLOC, BASE + 4 * U, U),
		OP_ALLOC(0, BASE, U),
		OP_ALLOC(1, BASE + U, U),
		OP_KERNEL(D, t),
		OP_SEGMENT(FREE, BASE + 4 * U, U),
		OP_KERNEL(D, v),
	};
	struct gs_result r;

	(void)state;
	ops[6].stream = 1;
	r = run(ops, 7, 1, 1);
	assert_true(r.ideal_ps == 2 * D && r.total_ps == 2 * (D + L));
	gs_result_free(&r);
	ops[5] = (struct gs_op)OP_SEGMENT(ALLOC, BASE + 8 * U, U);
	r = run(ops, 7, 1, 1);
	assert_true(r.ideal_ps == D && r.total_ps == D + L);
	gs_result_free(&r);
}

static void a_unit_is_mapped_while_something_is_in_it(void **state)
{
	const struct gs_op ops[] = {
		OP_SEGMENT(ALLOC, BASE + 512, U),      /* two units */
		OP_SEGMENT(ALLOC, BASE + U + 1024, U), /* the second of them, and a third */
		OP_ALLOC(0, BASE + 5 * U, 512),	       /* in no segment: stays */
		OP_SEGMENT(ALLOC, BASE + 5 * U + 512, U - 512),
		OP_FREE(0),
		OP_SEGMENT(FREE, BASE + 5 * U + 512, U - 512),
		OP_SEGMENT(FREE, BASE + 512, U),
		OP_SEGMENT(FREE, BASE + U + 1024, U - 1024), /* a part: until the third */
		OP_SEGMENT(FREE, BASE + 2 * U, 1024),
	};
	const u64 added[] = { 0, 2, 3, 4, 4, 4, 4, 4, 4, 4 };
	const u64 removed[] = { 0, 0, 0, 0, 0, 0, 0, 1, 2, 3 };

	(void)state;
	for (size_t n = 1; n <= GS_ARRAY_SIZE(ops); n++) {
		struct gs_result r = run(ops, n, 1, 1);

		assert_int_equal(fake.added, added[n] * U);
		assert_int_equal(fake.removed, removed[n] * U);
		assert_int_equal(r.footprint_bytes, added[n] * U);
		gs_result_free(&r);
	}
}

static void stall_phases_sum_to_the_stall(void **state)
{
	const struct gs_touch t[] = { { .tensor = 0, .access = GS_READ, .bytes = 33 * U + 5 } };
	const struct gs_op ops[] = { OP_ALLOC(0, BASE, 40 * U), OP_KERNEL(D / 7, t) };
	struct gs_result r = run(ops, 2, 1, 3);
	gs_time sum = 0;

	(void)state;
	for (u32 p = 0; p < MM_NR_PHASES; p++)
		sum += r.iterations[0].stall_by[p];
	assert_true(sum == r.iterations[0].stall_ps);
	assert_true(r.iterations[0].time_ps == D / 7 + r.iterations[0].stall_ps);
	gs_result_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocking_device_pays_for_each_unit),
		cmocka_unit_test(wider_window_hides_faults),
		cmocka_unit_test(kernel_without_time_waits_for_all_it_missed),
		cmocka_unit_test(resident_range_costs_one_question),
		cmocka_unit_test(last_iteration_repeats),
		cmocka_unit_test(replaced_tensors_swap_their_storage),
		cmocka_unit_test(streams_run_side_by_side_and_writers_come_first),
		cmocka_unit_test(random_order_visits_each_unit_once),
		cmocka_unit_test(strided_order_goes_column_by_column),
		cmocka_unit_test(segments_are_mapped_while_they_live),
		cmocka_unit_test(a_free_waits_for_what_was_launched),
		cmocka_unit_test(a_unit_is_mapped_while_something_is_in_it),
		cmocka_unit_test(stall_phases_sum_to_the_stall),
	};

	return cmocka_run_group_tests_name("replay", tests, NULL, NULL);
}
