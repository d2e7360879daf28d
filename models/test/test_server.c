/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "models/test/rig.h"

#include "sim/rng.h"

static void an_idle_server_starts_when_asked(void **state)
{
	struct hw_server s = { 0 };

	assert_int_equal(hw_reserve(&s, 100, 10), 100);
	assert_int_equal(s.free_at, 110);
	assert_int_equal(s.wait_ps, 0);
}

static void a_busy_server_queues_in_order_of_arrival(void **state)
{
	struct hw_server s = { 0 };

	hw_reserve(&s, 0, 10);
	assert_int_equal(hw_reserve(&s, 3, 10), 10);
	assert_int_equal(hw_reserve(&s, 4, 10), 20);
	assert_int_equal(s.wait_ps, 7 + 16);
	assert_int_equal(s.busy_ps, 30);
}

/*
 * M/D/1: the mean wait is rho / (2 (1 - rho)) services.  Arrivals are
 * exponential with a mean of 1 us, a service takes 0.7 us.
 */
static void mean_wait_is_that_of_m_d_1(void **state)
{
	struct gs_rng *rng = gs_rng_new(1, "arrivals");
	struct hw_server s = { 0 };
	double rho = 0.7, expected = rho / (2 * (1 - rho)) * rho * (double)GS_US, mean;
	const u64 n = 1000000;
	gs_time now = 0;

	for (u64 i = 0; i < n; i++) {
		now += (gs_time)gs_rng_exponential(rng, (double)GS_US);
		hw_reserve(&s, now, 700 * GS_NS);
	}
	mean = (double)s.wait_ps / (double)n;
	assert_true(mean > 0.97 * expected && mean < 1.03 * expected);
	gs_rng_free(rng);
}

static void a_pool_of_k_serves_k_at_once(void **state)
{
	struct hw_pool p;

	hw_pool_init(&p, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(hw_pool_reserve(&p, 5, 10), 5);
	assert_int_equal(hw_pool_reserve(&p, 5, 10), 15);
	hw_pool_fini(&p);
}

static void a_pool_takes_the_server_that_is_free_first(void **state)
{
	struct hw_pool p;

	hw_pool_init(&p, 2);
	hw_pool_reserve(&p, 0, 100);
	hw_pool_reserve(&p, 0, 10);
	assert_int_equal(hw_pool_reserve(&p, 1, 1), 10);
	hw_pool_fini(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_server_starts_when_asked),
		cmocka_unit_test(a_busy_server_queues_in_order_of_arrival),
		cmocka_unit_test(mean_wait_is_that_of_m_d_1),
		cmocka_unit_test(a_pool_of_k_serves_k_at_once),
		cmocka_unit_test(a_pool_takes_the_server_that_is_free_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
