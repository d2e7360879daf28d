/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Drives, and host memory above them, with a pencil. */
#include "models/test/rig.h"
#include "sim/rng.h"

/* 10 GB/s in, 5 GB/s out, 40 us and 20 us, commands of 100 kB: 10 us and 20 us each. */
static struct hw_ssd_cfg cfg = { .count = 1,
				 .capacity = 1000000000,
				 .bps = { 10000000000, 5000000000 },
				 .latency = { 40 * GS_US, 20 * GS_US },
				 .queue_depth = 128,
				 .command = 100000 };

static struct hw_ssd ssd_of(const struct hw_ssd_cfg *c)
{
	struct hw_ssd s;

	hw_ssd_init(&s, c);
	return s;
}

static void a_command_takes_latency_and_bytes_over_rate(void **state)
{
	struct hw_ssd s = ssd_of(&cfg);

	assert_int_equal(hw_ssd_send(&s, HW_SSD_READ, 100000, 7), 7 + 50 * GS_US);
	assert_int_equal(hw_ssd_send(&s, HW_SSD_WRITE, 100000, 7), 7 + 40 * GS_US);
	assert_int_equal(hw_ssd_send(&s, HW_SSD_READ, 0, 7), 7);
	hw_ssd_fini(&s);
}

static void a_deep_queue_pays_the_latency_once(void **state)
{
	struct hw_ssd s = ssd_of(&cfg);

	assert_int_equal(hw_ssd_send(&s, HW_SSD_READ, 10000000, 0), 40 * GS_US + 100 * 10 * GS_US);
	assert_int_equal(s.stats[HW_SSD_READ].commands, 100);
	assert_int_equal(s.stats[HW_SSD_READ].bytes, 10000000);
	hw_ssd_fini(&s);
}

static void a_queue_of_one_pays_it_each_time(void **state)
{
	struct hw_ssd_cfg c = cfg;
	struct hw_ssd s;

	c.queue_depth = 1;
	s = ssd_of(&c);
	assert_int_equal(hw_ssd_send(&s, HW_SSD_READ, 1000000, 0), 10 * 50 * GS_US);
	hw_ssd_fini(&s);
}

/* In each round of two the second's bytes wait for the first's. */
static void a_queue_of_two_is_bound_by_the_latency(void **state)
{
	struct hw_ssd_cfg c = cfg;
	struct hw_ssd s;

	c.queue_depth = 2;
	s = ssd_of(&c);
	assert_int_equal(hw_ssd_send(&s, HW_SSD_READ, 1000000, 0), 5 * 50 * GS_US + 10 * GS_US);
	hw_ssd_fini(&s);
}

static void transfers_queue_and_ways_do_not(void **state)
{
	struct hw_ssd s = ssd_of(&cfg);

	hw_ssd_send(&s, HW_SSD_READ, 10000000, 0);
	assert_int_equal(hw_ssd_send(&s, HW_SSD_READ, 100000, 0), 40 * GS_US + 101 * 10 * GS_US);
	assert_int_equal(hw_ssd_send(&s, HW_SSD_WRITE, 100000, 0), 40 * GS_US);
	hw_ssd_fini(&s);
}

static void two_drives_take_half_each(void **state)
{
	struct hw_ssd_cfg c = cfg;
	struct hw_ssd s;

	c.count = 2;
	s = ssd_of(&c);
	assert_int_equal(hw_ssd_send(&s, HW_SSD_READ, 10000000, 0), 40 * GS_US + 50 * 10 * GS_US);
	hw_ssd_fini(&s);
}

/* ---- host memory ---- */

struct memory {
	struct hw_ssd ssd;
	struct hw_host m;
};

static void memory_init(struct memory *x, const struct hw_ssd_cfg *c, u64 capacity)
{
	x->ssd = (struct hw_ssd){ .cfg = NULL };
	if (c)
		hw_ssd_init(&x->ssd, c);
	hw_host_init(&x->m, capacity, &x->ssd);
}

static void memory_fini(struct memory *x)
{
	hw_host_fini(&x->m);
	hw_ssd_fini(&x->ssd);
}

/* @h is written by a device, in no time. */
static gs_time fill(struct hw_host *m, struct hw_hold *h, u64 bytes, gs_time t)
{
	t = hw_host_open(m, h, bytes, t, HW_BY_DEVICE);
	assert_true(t != GS_NEVER);
	return hw_host_copied(m, h, true, bytes, t, t);
}

static void without_an_ssd_a_full_memory_is_the_end(void **state)
{
	struct hw_hold h[3] = { 0 };
	struct memory x;

	memory_init(&x, NULL, 200000);
	assert_int_equal(fill(&x.m, &h[0], 100000, 5), 5);
	assert_int_equal(fill(&x.m, &h[1], 100000, 5), 5);
	assert_int_equal(hw_host_open(&x.m, &h[2], 1, 5, HW_BY_DEVICE), GS_NEVER);
	hw_host_shrink(&x.m, &h[0], 0);
	assert_int_equal(hw_host_open(&x.m, &h[2], 1, 5, HW_BY_DEVICE), 5);
	memory_fini(&x);
}

static void the_least_recently_copied_leaves(void **state)
{
	struct hw_hold h[3] = { 0 };
	struct memory x;

	memory_init(&x, &cfg, 200000);
	fill(&x.m, &h[0], 100000, 0);
	fill(&x.m, &h[1], 100000, 0);
	hw_host_open(&x.m, &h[0], 0, 0, HW_BY_CPU);
	assert_int_equal(fill(&x.m, &h[2], 100000, 0), 40 * GS_US);
	assert_int_equal(h[0].tier, HW_DRAM);
	assert_int_equal(h[1].tier, HW_SSD);
	/* and comes back, when another has left */
	assert_int_equal(hw_host_open(&x.m, &h[1], 0, GS_MS, HW_BY_DEVICE),
			 GS_MS + 40 * GS_US + 50 * GS_US);
	assert_int_equal(h[0].tier, HW_SSD);
	assert_int_equal(x.m.stats.fetches, 1);
	memory_fini(&x);
}

static void what_the_ssd_has_still_is_not_written_again(void **state)
{
	struct hw_hold h[2] = { 0 };
	struct memory x;

	memory_init(&x, &cfg, 100000);
	fill(&x.m, &h[0], 100000, 0);
	fill(&x.m, &h[1], 100000, 0);
	for (int i = 0; i < 4; i++)
		hw_host_open(&x.m, &h[i % 2], 0, 0, HW_BY_DEVICE);
	assert_int_equal(x.ssd.stats[HW_SSD_WRITE].bytes, 200000);
	assert_int_equal(x.ssd.stats[HW_SSD_READ].bytes, 400000);
	hw_host_written(&x.m, &h[1]);
	hw_host_open(&x.m, &h[0], 0, 0, HW_BY_DEVICE);
	assert_int_equal(x.ssd.stats[HW_SSD_WRITE].bytes, 300000);
	memory_fini(&x);
}

static void what_nobody_wants_goes_first(void **state)
{
	struct hw_hold h[3] = { 0 };
	struct memory x;

	memory_init(&x, &cfg, 200000);
	fill(&x.m, &h[0], 100000, 0);
	fill(&x.m, &h[1], 100000, 0);
	hw_host_stale(&x.m, &h[1]);
	x.m.content = NULL; /* all: only stale() knows */
	fill(&x.m, &h[2], 100000, 0);
	assert_int_equal(h[1].tier, HW_SSD);
	assert_int_equal(h[0].tier, HW_DRAM);
	memory_fini(&x);
}

static u64 nothing(void *arg, const struct hw_hold *h)
{
	return 0;
}

static void what_has_no_content_is_not_written(void **state)
{
	struct hw_hold h[2] = { 0 };
	struct memory x;

	memory_init(&x, &cfg, 100000);
	x.m.content = nothing;
	fill(&x.m, &h[0], 100000, 0);
	assert_int_equal(fill(&x.m, &h[1], 100000, 9), 9);
	assert_int_equal(h[0].tier, HW_NO_TIER);
	assert_int_equal(x.ssd.stats[HW_SSD_WRITE].bytes, 0);
	memory_fini(&x);
}

static void with_headroom_room_is_made_ahead(void **state)
{
	struct hw_ssd_cfg c = cfg;
	struct hw_hold h[4] = { 0 };
	struct memory x;

	c.headroom = 100000;
	memory_init(&x, &c, 300000);
	for (int i = 0; i < 3; i++) /* the third sets the write of the first off */
		assert_int_equal(fill(&x.m, &h[i], 100000, 0), 0);
	assert_int_equal(h[0].tier, HW_SSD);
	assert_int_equal(fill(&x.m, &h[3], 100000, 50 * GS_US), 50 * GS_US);
	memory_fini(&x);
}

static void a_device_reaches_the_ssd_past_a_full_memory(void **state)
{
	struct hw_ssd_cfg c = cfg;
	struct hw_hold h[2] = { 0 };
	struct memory x;

	c.direct = true;
	memory_init(&x, &c, 100000);
	fill(&x.m, &h[0], 100000, 0);
	/* over the link in 10 us, which the SSD's 40 us bound */
	assert_int_equal(hw_host_open(&x.m, &h[1], 100000, 0, HW_BY_DEVICE), 0);
	assert_int_equal(hw_host_copied(&x.m, &h[1], true, 100000, 0, 10 * GS_US), 40 * GS_US);
	assert_int_equal(h[1].tier, HW_SSD);
	assert_int_equal(h[0].tier, HW_DRAM);
	assert_int_equal(hw_host_open(&x.m, &h[1], 0, 0, HW_BY_DEVICE), 40 * GS_US);
	assert_int_equal(hw_host_copied(&x.m, &h[1], false, 100000, GS_MS, GS_MS),
			 GS_MS + 50 * GS_US);
	/* the CPU does not */
	hw_host_open(&x.m, &h[1], 0, GS_MS, HW_BY_CPU);
	assert_int_equal(h[1].tier, HW_DRAM);
	assert_int_equal(h[0].tier, HW_SSD);
	assert_int_equal(x.m.stats.direct_in_bytes, 100000);
	assert_int_equal(x.m.stats.direct_out_bytes, 100000);
	memory_fini(&x);
}

static void a_full_ssd_is_the_end(void **state)
{
	struct hw_ssd_cfg c = cfg;
	struct hw_hold h[3] = { 0 };
	struct memory x;

	c.capacity = 100000;
	memory_init(&x, &c, 100000);
	fill(&x.m, &h[0], 100000, 0);
	fill(&x.m, &h[1], 100000, 0);
	assert_int_equal(hw_host_open(&x.m, &h[2], 1, 0, HW_BY_DEVICE), GS_NEVER);
	hw_host_stale(&x.m, &h[0]); /* on the SSD: it is over */
	assert_int_equal(h[0].bytes, 0);
	assert_true(hw_host_open(&x.m, &h[2], 1, 0, HW_BY_DEVICE) != GS_NEVER);
	memory_fini(&x);
}

enum { HOLDS = 40 };

/* Whatever is done: memory is not overdrawn, and the books are what is there. */
static void the_books_are_right_after_anything(void **state)
{
	struct hw_ssd_cfg c = cfg;

	c.headroom = 70000;
	for (u64 seed = 1; seed < 40; seed++) {
		struct gs_rng *rng = gs_rng_new(seed, "ssd");
		struct hw_hold h[HOLDS] = { 0 };
		struct memory x;
		gs_time t = 0;

		c.direct = seed & 1;
		memory_init(&x, &c, 1000000);
		for (int step = 0; step < 2000; step++) {
			struct hw_hold *one = &h[gs_rng_below(rng, HOLDS)];
			u64 what = gs_rng_below(rng, 8), dram = 0, saved = 0;
			gs_time at;

			t += gs_rng_below(rng, 5) * GS_US;
			if (what == 0)
				hw_host_stale(&x.m, one);
			else if (what == 1)
				hw_host_shrink(&x.m, one, one->bytes / 2);
			else if (what == 2)
				hw_host_written(&x.m, one);
			else {
				at = hw_host_open(&x.m, one, 1 + gs_rng_below(rng, 100000), t,
						  what & 1 ? HW_BY_CPU : HW_BY_DEVICE);
				assert_true(at != GS_NEVER && at >= t);
				if (!(what & 1))
					hw_host_copied(&x.m, one, what == 4, one->bytes, at, at);
			}
			for (int i = 0; i < HOLDS; i++) {
				dram += h[i].tier == HW_DRAM ? h[i].bytes : 0;
				saved += h[i].saved;
				assert_true(!h[i].bytes == (h[i].tier == HW_NO_TIER));
				assert_true(h[i].saved <= h[i].bytes);
			}
			assert_int_equal(dram, x.m.stats.dram_bytes);
			assert_true(dram <= 1000000);
			assert_int_equal(saved, x.m.stats.ssd_bytes);
		}
		gs_rng_free(rng);
		memory_fini(&x);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_command_takes_latency_and_bytes_over_rate),
		cmocka_unit_test(a_deep_queue_pays_the_latency_once),
		cmocka_unit_test(a_queue_of_one_pays_it_each_time),
		cmocka_unit_test(a_queue_of_two_is_bound_by_the_latency),
		cmocka_unit_test(transfers_queue_and_ways_do_not),
		cmocka_unit_test(two_drives_take_half_each),
		cmocka_unit_test(without_an_ssd_a_full_memory_is_the_end),
		cmocka_unit_test(the_least_recently_copied_leaves),
		cmocka_unit_test(what_the_ssd_has_still_is_not_written_again),
		cmocka_unit_test(what_nobody_wants_goes_first),
		cmocka_unit_test(what_has_no_content_is_not_written),
		cmocka_unit_test(with_headroom_room_is_made_ahead),
		cmocka_unit_test(a_device_reaches_the_ssd_past_a_full_memory),
		cmocka_unit_test(a_full_ssd_is_the_end),
		cmocka_unit_test(the_books_are_right_after_anything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
