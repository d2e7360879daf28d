/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/main_a100_data.c"
#include "sim/main_a100_kernel.c"
#include "sim/main_a100_ops.c"
#include "sim/main_setup.c"

/* main_list.c has the real one; tests run in the top folder */
char *main_configs(const char *name)
{
	return gs_asprintf("configs/%s", name);
}

static struct a100_kernel kernel(const char *name, const struct a100_listed *l)
{
	struct a100_kernel k = { .op = a100_find(name) };

	assert_non_null(k.op);
	assert_int_equal(a100_operands(&k, l), 0);
	return k;
}

/* ---- operands ---- */

static void every_row_is_made_of_known_words(void **state)
{
	for (const struct a100_op *op = a100_ops; op->name; op++) {
		assert_ptr_equal(a100_find(op->name), op);
		assert_true(op->window > 0 && op->why && *op->why);
		for (const char *w = op->operands; *w; w += strcspn(w, " ")) {
			w += strspn(w, " ");
			assert_non_null(strchr("ioh", *w));
			assert_non_null(strchr("IOWMmAPFSLepHJ", w[1]));
		}
	}
}

static void an_element_wise_kernel_has_operands_of_the_size_of_its_output(void **state)
{
	struct a100_listed l = { .in = { 4096, 4096 }, .nin = 2, .out = { 64 * MIB }, .nout = 1 };
	struct a100_kernel k = kernel("Divide_Forward", &l);

	assert_int_equal(k.noperands, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(k.operand[i].touched, 64 * MIB);
	assert_int_equal(k.operand[2].role, A100_OUT);
}

static void a_launch_of_more_than_1024_threads_touches_nothing(void **state)
{
	struct a100_listed l = { .in = { MIB, MIB }, .nin = 2, .out = { MIB }, .nout = 1 };

	l.channels = 1024;
	assert_int_equal(kernel("Conv2d_Apply_Grad", &l).noperands, 2);
	l.channels = 1025;
	assert_int_equal(kernel("Conv2d_Apply_Grad", &l).noperands, 0);
}

static void a_gradient_of_a_product_is_timed_as_the_product(void **state)
{
	struct a100_listed l = { .in = { 2 * MIB, 6 * MIB },
				 .nin = 2,
				 .out = { 12 * MIB },
				 .nout = 1,
				 .forward_in = { 12 * MIB, 6 * MIB } };
	struct a100_kernel k = kernel("BatchMatMul_Backward", &l);

	assert_int_equal(k.operand[0].bytes, 12 * MIB);
	assert_int_equal(k.operand[1].bytes, 6 * MIB);
	assert_int_equal(k.operand[2].bytes, 6 * MIB);
}

static void a_concatenation_touches_heads_only(void **state)
{
	struct a100_listed l = { .in = { MIB, MIB }, .nin = 2, .out = { 2 * MIB }, .nout = 1 };
	struct a100_kernel k = kernel("Concat_Forward", &l);

	for (u32 i = 0; i < k.noperands; i++)
		assert_int_equal(k.operand[i].touched, 4096);
}

/* ---- the closed form against the whole simulation ---- */

static void forms_agree(const char *name, u64 bytes, double tolerance)
{
	struct a100_listed l = {
		.in = { bytes, bytes }, .nin = 2, .out = { bytes }, .nout = 1, .channels = 64
	};
	struct a100_kernel k = kernel(name, &l);
	struct setup s;

	assert_int_equal(setup_load(&s, "configs/exp/a100.yaml", NULL, 0), 0);
	for (int c = 0; c < A100_CASES; c++) {
		double whole = (double)a100_simulate(&s, &k, c, ~0ULL) / GS_MS;

		assert_true(whole > 1);
		assert_true(fabs(a100_fault_ms(&s, &k, c) / whole - 1) < tolerance);
	}
	setup_fini(&s);
}

static void the_closed_form_is_the_simulation_of_small_kernels(void **state)
{
	forms_agree("Multiply_Forward", 12 * MIB, 1e-9);
}

static void the_closed_form_continues_a_stream(void **state)
{
	forms_agree("Multiply_Forward", 256 * MIB, 0.03);
	forms_agree("Add_Forward", 100 * MIB + 12345, 0.03);
	forms_agree("ReLU_Forward", 256 * MIB, 0.03);
}

static void the_closed_form_continues_a_wide_front(void **state)
{
	/* the link is busier at first than later, so that the slow start hides a part */
	forms_agree("BatchNorm2d_Backward", 256 * MIB, 0.09);
	forms_agree("Sum_Forward", 256 * MIB, 0.09);
}

/* ---- the measurements ---- */

static double share_within_15_percent(const struct a100_data *d)
{
	size_t below = 0;

	for (size_t i = 0; i < d->nkernels; i++)
		below += fabs(d->kernels[i].predicted_ms[A100_ALL] /
				      d->kernels[i].measured_ms[A100_ALL] -
			      1) < 0.15;
	return (double)below / (double)d->nkernels;
}

static void most_kernels_that_were_fitted_are_within_15_percent(void **state)
{
	struct a100_data d = { 0 };
	struct setup s;

	if (access(data_folder(), R_OK)) {
		print_message("%s is not here: skipped\n", data_folder());
		skip();
	}
	assert_int_equal(a100_load(&s, &d, NULL, "calibrate"), 0);
	a100_predict(&s, &d);
	assert_true(share_within_15_percent(&d) > 0.55);
	a100_fini(&d);
	setup_fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_made_of_known_words),
		cmocka_unit_test(an_element_wise_kernel_has_operands_of_the_size_of_its_output),
		cmocka_unit_test(a_launch_of_more_than_1024_threads_touches_nothing),
		cmocka_unit_test(a_gradient_of_a_product_is_timed_as_the_product),
		cmocka_unit_test(a_concatenation_touches_heads_only),
		cmocka_unit_test(the_closed_form_is_the_simulation_of_small_kernels),
		cmocka_unit_test(the_closed_form_continues_a_stream),
		cmocka_unit_test(the_closed_form_continues_a_wide_front),
		cmocka_unit_test(most_kernels_that_were_fitted_are_within_15_percent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
