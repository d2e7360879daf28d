/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_g10sim.c - lives, intervals, plan, ticks and runs of the G10 systems
 *
 * The network is five kernels over four tensors of a few pages:
 *
 *	kernel      0    1    2    3    4
 *	0 weight    R              RW        outlives the iteration
 *	1           W    R              R    inactive in [2, 4)
 *	2                W    R
 *	3 scratch             W              never read
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "models/mm_g10.h"

#define PAGES(n) ((n)*4096ULL)
#define MS	 GS_MS

static const struct mm_operand ops[5][2] = {
	{ { 0, GS_READ }, { 1, GS_WRITE } }, { { 1, GS_READ }, { 2, GS_WRITE } },
	{ { 2, GS_READ }, { 3, GS_WRITE } }, { { 0, GS_READ | GS_WRITE }, { 0, GS_WRITE } },
	{ { 1, GS_READ }, { 1, GS_READ } },
};

static struct g10_params paper(u32 policy)
{
	return (struct g10_params){
		.policy = policy,
		.clock_hz = 1200000000,
		.batch_pages = 50,
		.degree = 8,
		.alloc_us_per_byte = 8.14e-7,
		.system_latency = 45 * GS_US,
		.ssd_latency = 20 * GS_US,
		.ssd_bps = 3200000000ULL,
		.fill = 0.99,
		.loosen = 1,
		.delta = 0.5,
		.gds_memory = 160ULL << 30,
		.whole_seconds = true,
		.measured = true,
		.faults_cost = true,
		.charge_alloc = true,
		.overlap = true,
		.keep_dead = true,
		.drop_dead = true,
		.first_twice = true,
		.hints_until_fit = true,
		.short_to_host = true,
		.stop_at_short = true,
		.move_uncounted = true,
		.start_early = true,
		.wait_offloads = true,
		.buckets = 13,
	};
}

static const struct g10_machine a100 = {
	.gpu_bytes = 40ULL << 30,
	.host_bytes = 128ULL << 30,
	.pcie_bps = 15754000000ULL,
	.ssd_bps = 3200000000ULL,
};

static struct g10_net network(const struct g10_params *par, u64 pages)
{
	static struct mm_tensor tensors[4];
	static struct mm_kernel kernels[5];
	const struct mm_plan plan = {
		.nkernels = 5, .ntensors = 4, .kernels = kernels, .tensors = tensors
	};
	struct g10_net n;

	for (u32 t = 0; t < 4; t++)
		tensors[t] = (struct mm_tensor){ .bytes = PAGES(pages) - 1, .lasting = !t };
	for (u32 k = 0; k < 5; k++)
		kernels[k] = (struct mm_kernel){ .duration = 10 * MS,
						 .phase = k < 3 ? GS_FORWARD : GS_BACKWARD,
						 .noperands = 2,
						 .operands = ops[k] };
	g10_net_init(&n, &plan, par);
	return n;
}

static void lives_go_from_first_use_to_last_read(void **state)
{
	struct g10_params par = paper(G10_G10);
	struct g10_net n = network(&par, 3);

	assert_int_equal(n.tensors[1].birth, 0);
	assert_int_equal(n.tensors[1].death, 5);
	assert_int_equal(n.tensors[2].birth, 1);
	assert_int_equal(n.tensors[2].death, 3);
	assert_int_equal(n.tensors[3].birth, 2);
	assert_int_equal(n.tensors[3].death, -1);
	assert_true(g10_alive(&n.tensors[3], 2) && !g10_alive(&n.tensors[3], 3));
	assert_true(g10_alive(&n.tensors[0], 4));
	assert_int_equal(n.tensors[0].bytes, PAGES(3)); /* whole pages */
	assert_int_equal(n.border, 2);
	/* an operand listed twice, or in both roles, is one input */
	assert_int_equal(n.kernels[3].nin, 1);
	assert_int_equal(n.kernels[3].nout, 0);
	assert_int_equal(n.kernels[4].nin, 1);
	g10_net_fini(&n);
}

static void intervals_lie_between_uses_and_wrap_for_weights(void **state)
{
	struct g10_params par = paper(G10_G10);
	struct g10_net n = network(&par, 3);
	const struct g10_interval *v = n.intervals;

	assert_int_equal(n.nintervals, 3);
	assert_true(v[0].tensor == 0 && v[0].a == 1 && v[0].b == 3 && !v[0].looped);
	assert_true(v[1].tensor == 0 && v[1].a == 4 && v[1].b == 0 && v[1].looped);
	assert_true(v[2].tensor == 1 && v[2].a == 2 && v[2].b == 4 && !v[2].looped);
	assert_true(v[0].us == 20000 && v[1].us == 10000 && v[2].us == 20000);
	g10_net_fini(&n);
}

static void a_plan_that_fits_has_no_hints(void **state)
{
	struct g10_params par = paper(G10_G10);
	struct g10_net n = network(&par, 3);
	struct g10_plan p;

	g10_plan_init(&p, &n, &par, &a100);
	assert_int_equal(p.nhints, 0);
	g10_plan_fini(&p);
	g10_net_fini(&n);
}

static const struct g10_hint *hint_of(const struct g10_plan *p, u32 tensor, u8 to)
{
	for (size_t i = 0; i < p->nhints; i++)
		if (p->hints[i].tensor == tensor && p->hints[i].to == to)
			return &p->hints[i];
	return NULL;
}

static void tight_memory_sends_the_inactive_tensor_out_and_back(void **state)
{
	struct g10_params par = paper(G10_G10);
	struct g10_machine m = a100;
	struct g10_net n = network(&par, 1000);
	struct g10_plan p;

	par.first_twice = false;
	m.gpu_bytes = PAGES(2000); /* two of the three that kernel 2 has alive */
	g10_plan_init(&p, &n, &par, &m);
	assert_non_null(hint_of(&p, 2, G10_GPU));
	assert_int_equal(hint_of(&p, 2, G10_NOWHERE)->at, 3);
	/* weights have as long an interval, and more time above the line */
	assert_true(p.leaves[0] || p.leaves[1]);
	for (size_t i = 1; i < p.nhints; i++)
		assert_true(p.hints[i - 1].at <= p.hints[i].at);
	g10_plan_fini(&p);
	g10_net_fini(&n);
}

static void ahead_hints_are_the_operands_some_kernels_on(void **state)
{
	struct g10_params par = paper(G10_DEEPUM);
	struct g10_net n = network(&par, 3);
	struct g10_plan p;

	par.degree = 2;
	g10_plan_init(&p, &n, &par, &a100);
	assert_int_equal(p.nhints, 8);
	/* kernel 2's operands at kernel 0, the later one first */
	assert_true(p.hints[0].at == 0 && p.hints[0].tensor == 3);
	assert_true(p.hints[1].at == 0 && p.hints[1].tensor == 2);
	assert_true(p.hints[7].at == 4 && p.hints[7].tensor == 1);
	g10_plan_fini(&p);
	g10_net_fini(&n);
}

static void ticks_are_those_of_the_paper(void **state)
{
	struct g10_params par = paper(G10_BASE_UVM);
	struct g10_machine m = a100;
	struct g10_net n = network(&par, 3);
	struct g10_plan p = { .hints = NULL };
	struct g10_sim s;

	g10_sim_init(&s, &par, &n, &p, &m);
	assert_int_equal(s.tick_cycles, 15599);
	assert_int_equal(s.ssd_batch, 10);
	assert_int_equal(s.new_batch, 3899);
	assert_int_equal(s.gpu_pages, 10485760);
	assert_int_equal(s.host_pages, 33554432);
	g10_sim_fini(&s);
	m.pcie_bps = 32000000000ULL;
	g10_sim_init(&s, &par, &n, &p, &m);
	assert_int_equal(s.tick_cycles, 7680);
	assert_int_equal(s.ssd_batch, 5);
	g10_sim_fini(&s);
	g10_net_fini(&n);
}

static u64 run(const struct g10_params *par, const struct g10_machine *m, u64 pages, u32 iterations,
	       struct g10_stats *stats, bool in_steps)
{
	struct g10_net n = network(par, pages);
	struct g10_plan p;
	struct g10_sim s;
	u64 t = 0;

	g10_plan_init(&p, &n, par, m);
	g10_sim_init(&s, par, &n, &p, m);
	*stats = (struct g10_stats){ 0 };
	s.stats = stats;
	s.one_by_one = in_steps;
	for (u32 i = 0; i < iterations * 5; i++) {
		t = g10_sim_kernel(&s, i % 5, t, n.kernels[i % 5].cycles);
		g10_runs_check(&s.runs);
	}
	g10_sim_fini(&s);
	g10_plan_fini(&p);
	g10_net_fini(&n);
	return t;
}

static void first_kernel_fetches_its_weight_from_the_ssd(void **state)
{
	struct g10_params par = paper(G10_BASE_UVM);
	struct g10_stats st;

	/* 3 pages of weight and 12 new ones; all fits into a tick of each kernel */
	run(&par, &a100, 3, 1, &st, false);
	assert_int_equal(st.ssd_in_pages, 3);
	assert_int_equal(st.new_pages, 9);
	assert_int_equal(st.exec_cycles, 5 * 12000000);
	assert_int_equal(st.host_out_pages + st.ssd_out_pages, 0);
}

static void repeated_ticks_are_ticks(void **state)
{
	static const u32 policies[] = { G10_BASE_UVM, G10_DEEPUM, G10_G10 };
	struct g10_machine m = a100;

	/* memory for two and a half tensors; a host for three, for half a one, for none */
	for (u32 i = 0; i < 9; i++) {
		struct g10_params par = paper(policies[i % 3]);
		struct g10_stats a, b;

		par.degree = 1;
		m.gpu_bytes = PAGES(50000);
		m.host_bytes = PAGES(i / 3 == 0 ? 60000 : i / 3 == 1 ? 10000 : 0);
		assert_true(run(&par, &m, 20000, 3, &a, false) ==
			    run(&par, &m, 20000, 3, &b, true));
		assert_true(a.repeated > 0);
		assert_int_equal(b.repeated, 0);
		a.repeated = 0;
		assert_memory_equal(&a, &b, sizeof(a));
	}
}

static void room_is_first_fit_from_either_end(void **state)
{
	struct g10_room r;

	g10_room_init(&r, 100);
	assert_int_equal(g10_room_take(&r, 10, false), 0);
	assert_int_equal(g10_room_take(&r, 20, true), 80);
	assert_int_equal(g10_room_take(&r, 30, false), 10);
	g10_room_give(&r, 0, 10);
	assert_int_equal(g10_room_largest(&r), 40);
	assert_true(g10_room_take(&r, 41, false) == ~0ULL);
	assert_int_equal(g10_room_take(&r, 10, true), 70);
	g10_room_give(&r, 10, 30);
	g10_room_give(&r, 80, 20);
	g10_room_give(&r, 70, 10);
	assert_int_equal(g10_room_largest(&r), 100);
	g10_room_fini(&r);
}

static bool greater(const void *arg, u32 a, u32 b)
{
	return ((const u32 *)arg)[a] > ((const u32 *)arg)[b];
}

static void sorting_sorts(void **state)
{
	u32 key[500], v[500], x = 1;

	for (u32 i = 0; i < 500; i++) {
		x = x * 1664525 + 1013904223;
		key[i] = x >> 26;
		v[i] = i;
	}
	g10_sort(v, 500, greater, key);
	for (u32 i = 1; i < 500; i++)
		assert_true(key[v[i - 1]] >= key[v[i]]);
}

/*
 * Two iterations: the second has tensors 4 to 6 in place of 1 to 3; the weight
 * stays.  Memory holds two and a half of the tensors, of 256 MiB.
 */
static void each_iteration_is_planned_and_told_as_advice(void **state)
{
	static const u32 first[] = { 0, 5, 10 };
	static struct mm_operand again[5][2];
	static struct mm_tensor tensors[7];
	static struct mm_kernel kernels[10];
	const struct mm_plan plan = { .nkernels = 10,
				      .ntensors = 7,
				      .niterations = 2,
				      .first = first,
				      .kernels = kernels,
				      .tensors = tensors };
	struct g10_params par = paper(G10_G10);
	struct gs_machine mc = { .device.hbm_capacity = 640ULL << 20,
				 .host.dram_capacity = 1ULL << 40,
				 .link = { .h2d_bps = 25000000000, .d2h_bps = 25000000000 } };
	struct mm_hints h = { .v = NULL };
	u32 out[2] = { 0 }, in[2] = { 0 }, ends[2] = { 0 };

	for (u32 t = 0; t < 7; t++)
		tensors[t] = (struct mm_tensor){ .bytes = 256ULL << 20,
						 .lasting = !t,
						 .born = t > 3 ? 5 : 0,
						 .died = !t	 ? ~0U
							 : t > 3 ? 10
								 : 5 };
	for (u32 k = 0; k < 10; k++) {
		for (u32 i = 0; i < 2; i++) {
			again[k % 5][i] = ops[k % 5][i];
			again[k % 5][i].tensor += ops[k % 5][i].tensor ? 3 : 0;
		}
		kernels[k] = (struct mm_kernel){ .duration = 100 * MS,
						 .noperands = 2,
						 .operands = k < 5 ? ops[k] : again[k - 5] };
	}
	g10_hints(&plan, &par, &mc, 0, &h);
	for (size_t i = 0; i < h.n; i++) {
		const struct mm_hint *x = &h.v[i];
		u32 nth = x->kernel >= 5;

		assert_true(!i || h.v[i - 1].kernel <= x->kernel);
		/* no tensor is advised on in an iteration that does not have it */
		assert_true(!x->tensor || nth == (x->tensor > 3));
		out[nth] += x->advice == GS_ADV_PREFETCH_HOST;
		in[nth] += x->advice == GS_ADV_PREFETCH;
		ends[nth] += x->advice == GS_ADV_FREE_EAGER;
	}
	for (u32 i = 0; i < 2; i++) { /* 1, or its like, goes and comes; three are born and die */
		assert_true(out[i] >= 1);
		assert_true(in[i] >= out[i] + 3);
		assert_int_equal(ends[i], 3);
	}
	free(h.v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lives_go_from_first_use_to_last_read),
		cmocka_unit_test(intervals_lie_between_uses_and_wrap_for_weights),
		cmocka_unit_test(a_plan_that_fits_has_no_hints),
		cmocka_unit_test(tight_memory_sends_the_inactive_tensor_out_and_back),
		cmocka_unit_test(ahead_hints_are_the_operands_some_kernels_on),
		cmocka_unit_test(ticks_are_those_of_the_paper),
		cmocka_unit_test(first_kernel_fetches_its_weight_from_the_ssd),
		cmocka_unit_test(repeated_ticks_are_ticks),
		cmocka_unit_test(room_is_first_fit_from_either_end),
		cmocka_unit_test(sorting_sorts),
		cmocka_unit_test(each_iteration_is_planned_and_told_as_advice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
