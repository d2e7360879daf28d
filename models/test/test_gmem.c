/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GMEM in the simulator against sums of its parts and against brute force. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "kernel-core/gm_variant.h"
#include "models/test/world.h"
#include "sim/rng.h"

#define BASE (1ULL << 40)
#define D    (1 * GS_MS)
#define M    (10 * GS_US)

#define TOUCH(t, a, first, units)                                                        \
	{                                                                                \
		.tensor = (t), .access = (a), .off = (first)*UNIT, .bytes = (units)*UNIT \
	}

static void set(struct world *w, const char *key, const char *text)
{
	world_set(gm_param_rows, w->params, key, text);
}

/* No eviction but on demand, nothing but the policy decides. */
static void bare(struct world *w, const char *variant, const char *evictor)
{
	w->common.variant = variant;
	w->common.evictor = evictor;
	w->common.prefetcher = "none";
	set(w, "background", "off");
	set(w, "async_evict", "off");
	set(w, "thrash_damping", "off");
	set(w, "evict_batch", "1");
}

static void first_touch_costs_four_messages_and_a_zeroed_page(void **state)
{
	const struct gs_touch t[] = { TOUCH(0, GS_WRITE, 0, 1) };
	const struct gs_op ops[] = { OP_ALLOC(0, BASE, UNIT), OP_KERNEL(D, t) };
	struct world w;

	(void)state;
	world_init(&w, "gmem", 1000);
	w.common.variant = "gmem-23.09";
	assert_int_equal(world_run(&w, ops, 2), 0);
	/* device: allocate 3, clear 2, map 7 */
	assert_true(w.res.iterations[0].stall_ps == 4 * M + (3 + 2 + 7) * GS_US);
	assert_true(w.res.total_ps == D + w.res.iterations[0].stall_ps);
	world_fini(&w);
}

static void fault_on_a_host_page_adds_unmap_dma_map_and_copy(void **state)
{
	const struct gs_touch t[] = { TOUCH(0, GS_READ, 0, 1) };
	const struct gs_op ops[] = { OP_ALLOC(0, BASE, UNIT), OP_MARK(0), OP_KERNEL(D, t) };
	struct world w;

	(void)state;
	world_init(&w, "gmem", 1000);
	w.common.variant = "gmem-23.09";
	assert_int_equal(world_run(&w, ops, 3), 0);
	assert_true(w.res.iterations[0].stall_ps == 4 * M + (5 + 13 + 3 + 7) * GS_US + COPY);
	assert_true(w.res.iterations[0].stall_by[MM_LINK] == COPY);
	assert_true(w.res.iterations[0].mm.h2d_demand_bytes == UNIT);
	world_fini(&w);
}

static void olk66_needs_two_messages(void **state)
{
	const struct gs_touch t[] = { TOUCH(0, GS_WRITE, 0, 1) };
	const struct gs_op ops[] = { OP_ALLOC(0, BASE, UNIT), OP_KERNEL(D, t) };
	struct world w;

	(void)state;
	world_init(&w, "gmem", 1000);
	w.common.variant = "gmem-olk66";
	set(&w, "import_batch", "1");
	assert_int_equal(world_run(&w, ops, 2), 0);
	assert_in_range(w.res.iterations[0].stall_ps, 2 * M + 9 * GS_US, 2 * M + 13 * GS_US);
	world_fini(&w);
}

/* Misses of a loop over n + 1 units in n frames, r times. */
static u64 loop_misses(const char *evictor, u32 frames, u32 units, u32 rounds)
{
	const struct gs_touch t[] = { TOUCH(0, GS_READ, 0, units) };
	const struct gs_op ops[] = { OP_ALLOC(0, BASE, units * UNIT), OP_MARK(0), OP_KERNEL(D, t) };
	struct world w;
	u64 misses = 0;

	world_init(&w, "gmem", frames);
	bare(&w, "gmem+", evictor);
	w.workload.iterations = rounds;
	assert_int_equal(world_run(&w, ops, 3), 0);
	for (u32 i = 0; i < w.res.niterations; i++)
		misses += w.res.iterations[i].mm.misses;
	world_fini(&w);
	return misses;
}

static void lru_and_fifo_miss_everything_on_a_loop(void **state)
{
	(void)state;
	assert_true(loop_misses("lru", 20, 21, 10) == 210);
	assert_true(loop_misses("fifo", 20, 21, 10) == 210);
	assert_true(loop_misses("lru", 21, 21, 10) == 21);
}

/* Belady by brute force on a loop of `units`. */
static u64 belady(u32 frames, u32 units, u32 rounds)
{
	bool in[64] = { false };
	u32 used = 0;
	u64 misses = 0;

	for (u32 i = 0; i < units * rounds; i++) {
		u32 u = i % units, victim = units, far = 0;

		if (in[u])
			continue;
		misses++;
		for (u32 v = 0; used == frames && v < units; v++) {
			u32 next = (v + units - u - 1) % units; /* steps until v comes */

			/* what never comes again may go first */
			if (i + 1 + next >= units * rounds)
				next = ~0U >> 1;
			if (in[v] && (victim == units || next > far)) {
				victim = v;
				far = next;
			}
		}
		if (victim < units)
			in[victim] = false;
		else
			used++;
		in[u] = true;
	}
	return misses;
}

static void min_is_belady_on_a_loop(void **state)
{
	(void)state;
	assert_true(loop_misses("min", 20, 21, 10) == belady(20, 21, 10));
	assert_true(loop_misses("min", 10, 40, 7) == belady(10, 40, 7));
}

static void ping_pong_moves_the_unit_both_ways_each_time(void **state)
{
	const struct gs_touch t[] = { TOUCH(0, GS_READ | GS_WRITE, 0, 1) };
	const struct gs_op ops[] = {
		OP_ALLOC(0, BASE, UNIT),
		OP_MARK(0),
		{ .type = GS_OP_HOST, .host = { .tensor = 0, .access = GS_WRITE, .bytes = UNIT } },
		OP_KERNEL(D, t),
	};
	struct world w;

	(void)state;
	world_init(&w, "gmem", 1000);
	w.common.variant = "gmem-23.09";
	w.workload.iterations = 5;
	assert_int_equal(world_run(&w, ops, 4), 0);
	for (u32 i = 1; i < 5; i++) {
		const struct gs_iter_result *r = &w.res.iterations[i];

		assert_true(r->mm.h2d_demand_bytes == UNIT);
		assert_true(r->mm.d2h_cpu_bytes == UNIT);
		/* out: host page 2, clear 2, DMA map 13, 2 messages, unmap 11, copy */
		assert_true(r->time_ps ==
			    D + r->stall_ps + 2 * M + (2 + 2 + 13 + 11) * GS_US + COPY);
	}
	world_fini(&w);
}

/* Read-only data that does not fit: with clean copies no byte goes back. */
static void clean_units_leave_without_a_copy(void **state)
{
	const struct gs_touch t[] = { TOUCH(0, GS_READ, 0, 30) };
	const struct gs_op ops[] = { OP_ALLOC(0, BASE, 30 * UNIT), OP_MARK(0), OP_KERNEL(D, t) };
	const char *const modes[] = { "off", "on" };
	struct world w;

	(void)state;
	for (u32 i = 0; i < 2; i++) {
		world_init(&w, "gmem", 20);
		bare(&w, "gmem+", "lru");
		set(&w, "dirty_tracking", modes[i]);
		w.workload.iterations = 4;
		assert_int_equal(world_run(&w, ops, 3), 0);
		assert_true((w.mm->stats.d2h_evict_bytes == 0) == (i == 1));
		assert_true(w.mm->stats.h2d_demand_bytes == 4 * 30 * UNIT);
		world_fini(&w);
	}
}

/* Prefetching a stream by hints hides copies behind compute. */
static void hints_hide_what_the_link_can_carry(void **state)
{
	enum { N = 40 };
	struct gs_touch t[N];
	struct gs_op ops[N + 2];
	gs_time stall[2];

	(void)state;
	ops[0] = (struct gs_op)OP_ALLOC(0, BASE, N * 4 * UNIT);
	ops[1] = (struct gs_op)OP_MARK(0);
	for (u32 i = 0; i < N; i++) {
		t[i] = (struct gs_touch)TOUCH(0, GS_READ, 4 * i, 4);
		ops[i + 2] = (struct gs_op){ .type = GS_OP_KERNEL,
					     .kernel = { .name = "k",
							 .duration_ps = 10 * COPY,
							 .ntouches = 1,
							 .touches = &t[i] } };
	}
	for (u32 hints = 0; hints < 2; hints++) {
		struct world w;

		world_init(&w, "gmem", 1000);
		w.common.variant = "gmem+";
		w.common.prefetcher = "none";
		w.workload.hints = hints;
		w.workload.hint_depth = 2;
		assert_int_equal(world_run(&w, ops, N + 2), 0);
		stall[hints] = w.res.iterations[0].stall_ps;
		assert_true(w.mm->stats.h2d_demand_bytes + w.mm->stats.h2d_prefetch_bytes ==
			    N * 4 * UNIT);
		world_fini(&w);
	}
	assert_true(stall[1] * 10 < stall[0]); /* all but the first kernels' */
}

/* Two devices: each kernel of one reads what the other wrote. */
static int two_devices(const char *variant, struct world *w)
{
	const struct gs_touch a[] = { TOUCH(0, GS_WRITE, 0, 4) };
	const struct gs_touch b[] = { TOUCH(0, GS_READ, 0, 4), TOUCH(1, GS_WRITE, 0, 4) };
	const struct gs_touch c[] = { TOUCH(1, GS_READ, 0, 4) };
	struct gs_op ops[] = { OP_ALLOC(0, BASE, 4 * UNIT), OP_ALLOC(1, BASE + 4 * UNIT, 4 * UNIT),
			       OP_KERNEL(D, a), OP_KERNEL(D, b), OP_KERNEL(D, c) };

	ops[3].device = 1;
	world_init(w, "gmem", 100);
	w->common.variant = variant;
	w->machine.device.count = 2;
	return world_run(w, ops, GS_ARRAY_SIZE(ops));
}

static void two_devices_exchange_data_under_gmem_plus(void **state)
{
	struct world w;

	(void)state;
	assert_int_equal(two_devices("gmem+", &w), 0);
	assert_true(w.res.ideal_ps == 3 * D);
	assert_true(w.mm->stats.d2d_bytes == 8 * UNIT);
	assert_true(w.mm->stats.h2d_demand_bytes == 0);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_touch_costs_four_messages_and_a_zeroed_page),
		cmocka_unit_test(fault_on_a_host_page_adds_unmap_dma_map_and_copy),
		cmocka_unit_test(olk66_needs_two_messages),
		cmocka_unit_test(lru_and_fifo_miss_everything_on_a_loop),
		cmocka_unit_test(min_is_belady_on_a_loop),
		cmocka_unit_test(ping_pong_moves_the_unit_both_ways_each_time),
		cmocka_unit_test(clean_units_leave_without_a_copy),
		cmocka_unit_test(hints_hide_what_the_link_can_carry),
		cmocka_unit_test(two_devices_exchange_data_under_gmem_plus),
	};

	return cmocka_run_group_tests_name("gmem", tests, NULL, NULL);
}
