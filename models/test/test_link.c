/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "models/test/rig.h"

/* 10 GB/s one way, 5 GB/s the other, 1 us of latency, 2 us of setup. */
static struct hw_link_cfg cfg = { .h2d_bps = 10000000000,
				  .d2h_bps = 5000000000,
				  .latency_ps = GS_US,
				  .setup_ps = 2 * GS_US,
				  .duplex_pct = 50 };

static struct hw_link link_of(const struct hw_link_cfg *c)
{
	struct hw_link l;
	const char *why;

	assert_int_equal(hw_link_init(&l, c, &why), 0);
	return l;
}

static void a_transfer_takes_latency_setup_and_bytes_over_rate(void **state)
{
	struct hw_link l = link_of(&cfg);
	gs_time start;

	assert_int_equal(hw_link_send(&l, HW_H2D, 10000, 7, &start), 7 + 4 * GS_US);
	assert_int_equal(start, 7);
}

static void directions_have_their_own_rates(void **state)
{
	struct hw_link l = link_of(&cfg);

	assert_int_equal(hw_link_time(&l, HW_H2D, 10000), 3 * GS_US);
	assert_int_equal(hw_link_time(&l, HW_D2H, 10000), 4 * GS_US);
}

static void latency_is_pipelined(void **state)
{
	struct hw_link l = link_of(&cfg);
	gs_time start;

	hw_link_send(&l, HW_H2D, 10000, 0, NULL);
	assert_int_equal(hw_link_send(&l, HW_H2D, 10000, 0, &start), 7 * GS_US);
	assert_int_equal(start, 3 * GS_US);
}

static void the_other_direction_slows_a_transfer(void **state)
{
	struct hw_link l = link_of(&cfg);

	hw_link_send(&l, HW_D2H, 1000000, 0, NULL);
	assert_int_equal(hw_link_send(&l, HW_H2D, 10000, 0, NULL),
			 1 * GS_US + 2 * GS_US + 2 * GS_US);
}

static void an_idle_other_direction_does_not(void **state)
{
	struct hw_link l = link_of(&cfg);

	hw_link_send(&l, HW_D2H, 10000, 0, NULL);
	assert_int_equal(hw_link_send(&l, HW_H2D, 10000, 4 * GS_US, NULL), 8 * GS_US);
}

static void each_run_pays_its_setup(void **state)
{
	struct hw_link l = link_of(&cfg);

	assert_int_equal(hw_link_send_runs(&l, HW_H2D, 30000, 3, 0, 0, NULL), 10 * GS_US);
	assert_int_equal(l.stats[HW_H2D].transfers, 3);
}

static void bytes_and_busy_time_are_counted_by_direction(void **state)
{
	struct hw_link l = link_of(&cfg);

	hw_link_send(&l, HW_H2D, 10000, 0, NULL);
	hw_link_send(&l, HW_H2D, 10000, 0, NULL);
	assert_int_equal(l.stats[HW_H2D].bytes, 20000);
	assert_int_equal(l.stats[HW_H2D].busy_ps, 6 * GS_US);
	assert_int_equal(l.stats[HW_H2D].wait_ps, 3 * GS_US);
	assert_int_equal(l.stats[HW_D2H].bytes, 0);
}

/* ---- measured curves ---- */

static struct hw_link_cfg curved(const char *curve)
{
	struct hw_link_cfg c = cfg;

	c.curve = curve;
	return c;
}

static const char *const usual = "4 KiB:1 GB/s, 64 KiB:5 GB/s, 2 MiB:10 GB/s";

static void a_curve_passes_through_its_points(void **state)
{
	struct hw_link_cfg c = curved(usual);
	struct hw_link l = link_of(&c);

	assert_in_range(hw_link_time(&l, HW_H2D, 4 * KIB), 4095 * GS_NS, 4097 * GS_NS);
	assert_in_range(hw_link_time(&l, HW_H2D, 64 * KIB), 13106 * GS_NS, 13108 * GS_NS);
	assert_in_range(hw_link_time(&l, HW_H2D, 2 * MIB), 209714 * GS_NS, 209716 * GS_NS);
	hw_link_fini(&l);
}

static void no_size_beats_a_larger_one(void **state)
{
	struct hw_link_cfg c = curved(usual);
	struct hw_link l = link_of(&c);
	gs_time last = 0;

	for (u64 bytes = 1; bytes < 64 * MIB; bytes += bytes / 16 + 1) {
		gs_time t = hw_link_time(&l, HW_H2D, bytes);

		assert_true(t >= last);
		last = t;
	}
	hw_link_fini(&l);
}

static void below_a_curve_latency_rules_above_it_the_rate(void **state)
{
	struct hw_link_cfg c = curved(usual);
	struct hw_link l = link_of(&c);

	assert_int_equal(hw_link_time(&l, HW_H2D, 1), hw_link_time(&l, HW_H2D, 4 * KIB));
	assert_in_range(hw_link_time(&l, HW_H2D, 200 * MIB), 20971 * GS_US, 20972 * GS_US);
	hw_link_fini(&l);
}

static void a_curve_of_two_points_is_a_line(void **state)
{
	struct hw_link_cfg c = curved("1 KiB:1 GB/s, 1 MiB:1 GB/s");
	struct hw_link l = link_of(&c);

	assert_in_range(hw_link_time(&l, HW_H2D, 32 * KIB), 32767 * GS_NS, 32769 * GS_NS);
	hw_link_fini(&l);
}

static void refused(const char *curve)
{
	struct hw_link_cfg c = curved(curve);
	struct hw_link l;
	const char *why;

	assert_int_equal(hw_link_init(&l, &c, &why), -EINVAL);
	assert_non_null(why);
}

static void a_curve_without_rates_is_refused(void **state)
{
	refused("4 KiB, 64 KiB");
}
static void a_descending_curve_is_refused(void **state)
{
	refused("64 KiB:5 GB/s, 4 KiB:1 GB/s");
}
static void a_curve_without_units_is_refused(void **state)
{
	refused("4096:1");
}
static void a_larger_transfer_may_not_be_faster(void **state)
{
	refused("4 KiB:1 GB/s, 8 KiB:3 GB/s");
}

static void a_wrong_curve_stops_the_machine(void **state)
{
	static const char *const sets[] = { "link.curve=nonsense", NULL };
	struct rig r;

	rig_machine(&r, NULL, sets);
	assert_int_equal(r.err, -EINVAL);
	gs_config_free(r.cfg);
}

static void links_share_host_memory(void **state)
{
	struct hw_link l[2] = { { .cfg = &cfg }, { .cfg = &cfg } };
	const struct hw_dram dram = { .bps = 5000000000ULL, .nlinks = 2, .links = l };

	(void)state;
	l[0].dram = l[1].dram = &dram;
	/* alone: memory gives 5 GB/s, the link could do 10 */
	assert_true(hw_link_send(&l[0], HW_H2D, 10000000, 0, NULL) == 2 * GS_MS + GS_US);
	/* the second at the same time gets half of it */
	assert_true(hw_link_send(&l[1], HW_H2D, 10000000, 0, NULL) == 4 * GS_MS + GS_US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_transfer_takes_latency_setup_and_bytes_over_rate),
		cmocka_unit_test(directions_have_their_own_rates),
		cmocka_unit_test(latency_is_pipelined),
		cmocka_unit_test(links_share_host_memory),
		cmocka_unit_test(the_other_direction_slows_a_transfer),
		cmocka_unit_test(an_idle_other_direction_does_not),
		cmocka_unit_test(each_run_pays_its_setup),
		cmocka_unit_test(bytes_and_busy_time_are_counted_by_direction),
		cmocka_unit_test(a_curve_passes_through_its_points),
		cmocka_unit_test(no_size_beats_a_larger_one),
		cmocka_unit_test(below_a_curve_latency_rules_above_it_the_rate),
		cmocka_unit_test(a_curve_of_two_points_is_a_line),
		cmocka_unit_test(a_curve_without_rates_is_refused),
		cmocka_unit_test(a_descending_curve_is_refused),
		cmocka_unit_test(a_curve_without_units_is_refused),
		cmocka_unit_test(a_larger_transfer_may_not_be_faster),
		cmocka_unit_test(a_wrong_curve_stops_the_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
