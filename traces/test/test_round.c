/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_round.c - rounded durations stay near, and so do their sums */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "traces/round.h"
#include "traces/test/ops.h"

static u64 round_one(struct tr_round *r, u16 device, u64 ps)
{
	struct gs_op op = { .type = GS_OP_KERNEL, .device = device };

	op.kernel.duration_ps = ps;
	tr_round(r, &op);
	return op.kernel.duration_ps;
}

static void each_is_near_and_so_is_the_sum(void **state)
{
	static const u32 ppms[] = { 1, 100, 1000, 10000, TR_ROUND_MAX };

	for (size_t p = 0; p < GS_ARRAY_SIZE(ppms); p++) {
		struct tr_round r = { .ppm = ppms[p] };
		struct ops o = { .state = p };
		u64 longest[2] = { 0 }, sum[2] = { 0 }, rounded[2] = { 0 };

		for (u32 i = 0; i < 20000; i++) {
			u64 ps = ops_random(&o, 1ULL << (10 + ops_random(&o, 40)));
			u32 device = (u32)ops_random(&o, 2);
			u64 to = round_one(&r, (u16)device, ps);
			u64 off = to > ps ? to - ps : ps - to;

			assert_true(off <= ps / 1e6 * ppms[p]);
			sum[device] += ps;
			rounded[device] += to;
			longest[device] = gs_max(longest[device], ps);
			off = sum[device] > rounded[device] ? sum[device] - rounded[device]
							    : rounded[device] - sum[device];
			assert_true(off <= longest[device] / 1e6 * ppms[p] * 2);
		}
	}
}

static void digits_are_gone(void **state)
{
	struct tr_round r = { .ppm = 1000 };
	u64 to = round_one(&r, 0, 123456789000);

	assert_int_equal(to % (1000 << 17), 0);		    /* 131 us of 123 ms */
	assert_int_equal(round_one(&r, 1, 499999), 499999); /* 0.1 % is not a ns */
	r.ppm = 0;
	assert_int_equal(round_one(&r, 1, 123456789123), 123456789123);
}

static void a_precision_is_told_in_percent(void **state)
{
	static const char *const bad[] = { "", "1", "%", "0 %", "11 %", "-1 %", "nan %", "1 % x" };
	u32 ppm = 0;

	assert_true(tr_round_parse("0.1%", &ppm));
	assert_int_equal(ppm, 1000);
	assert_true(tr_round_parse("1 %", &ppm));
	assert_int_equal(ppm, 10000);
	for (size_t i = 0; i < GS_ARRAY_SIZE(bad); i++)
		assert_false(tr_round_parse(bad[i], &ppm));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_near_and_so_is_the_sum),
		cmocka_unit_test(digits_are_gone),
		cmocka_unit_test(a_precision_is_told_in_percent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
