/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "models/test/rig.h"

/* An A100-40, as the defaults have it. */
static struct gs_machine a100(void)
{
	struct rig r;

	rig_machine(&r, NULL, NULL);
	hw_machine_fini(&r.machine);
	gs_config_free(r.cfg);
	return r.machine; /* strings are gone; rates are what a roofline needs */
}

static void a_large_matmul_is_bound_by_its_type(void **state)
{
	struct gs_machine m = a100();
	gs_time bf16 = hw_roofline(&m, GS_GEMM, GS_BF16, 312000000000, 1);

	assert_in_range(bf16, GS_MS * 100 / 70, GS_MS * 100 / 70 + GS_NS);
	assert_int_equal(hw_roofline(&m, GS_GEMM, GS_TF32, 156000000000, 1), bf16);
}

static void an_elementwise_kernel_is_bound_by_bytes(void **state)
{
	struct gs_machine m = a100();

	assert_in_range(hw_roofline(&m, GS_ELEMENTWISE, GS_F32, 1350000, 1350000000),
			GS_MS * 100 / 95, GS_MS * 100 / 95 + GS_NS);
}

static void vector_kernels_do_not_use_the_matrix_units(void **state)
{
	struct gs_machine m = a100();

	assert_int_equal(hw_roofline(&m, GS_ELEMENTWISE, GS_BF16, 1ULL << 40, 0),
			 hw_roofline(&m, GS_ELEMENTWISE, GS_F32, 1ULL << 40, 0));
}

static void a_type_without_a_peak_runs_as_f32(void **state)
{
	struct gs_machine m = a100();

	assert_int_equal(hw_roofline(&m, GS_GEMM, GS_F8, 1ULL << 40, 0),
			 hw_roofline(&m, GS_GEMM, GS_F32, 1ULL << 40, 0));
}

static void nothing_takes_no_time(void **state)
{
	struct gs_machine m = a100();

	for (u8 c = 0; c < GS_NR_OPCLASSES; c++)
		assert_int_equal(hw_roofline(&m, c, GS_F32, 0, 0), 0);
}

static void every_class_has_an_efficiency(void **state)
{
	struct gs_machine m = a100();

	for (u8 c = 0; c < GS_NR_OPCLASSES; c++)
		for (u8 d = 0; d < GS_NR_DTYPES; d++)
			assert_true(hw_roofline(&m, c, d, 1ULL << 40, 1ULL << 30) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_large_matmul_is_bound_by_its_type),
		cmocka_unit_test(an_elementwise_kernel_is_bound_by_bytes),
		cmocka_unit_test(vector_kernels_do_not_use_the_matrix_units),
		cmocka_unit_test(a_type_without_a_peak_runs_as_f32),
		cmocka_unit_test(nothing_takes_no_time),
		cmocka_unit_test(every_class_has_an_efficiency),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
