/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/main_a100_compare.c"
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

/* ---- comparing ---- */

/* Networks "x-1", "x-2" ... of two kernels each, measured to take @ms. */
static struct a100_data measured(const double (*ms)[2], size_t n)
{
	struct a100_data d = { 0 };

	for (size_t i = 0; i < n; i++) {
		GS_PUSH_ROOM(d.nets, d.nnets, d.nets_cap);
		d.nets[d.nnets++] = (struct a100_net){ gs_asprintf("x-%zu", i + 1), 2 * i, 2 };
		for (int k = 0; k < 2; k++) {
			GS_PUSH_ROOM(d.kernels, d.nkernels, d.cap);
			d.kernels[d.nkernels++] = (struct a100_kernel){
				.op = a100_find(k ? "ReLU_Forward" : "Add_Forward"),
				.listed = 1000000,
				.resident_ms = 1,
				.measured_ms = { ms[i][k], ms[i][k] },
				.net = (u32)i,
			};
		}
	}
	return d;
}

static void errors_are_quantiles_of_the_relative_size(void **state)
{
	static const double ms[][2] = { { 10, 10 }, { 10, 10 } };
	const double said[] = { 11, 8, 10, 16 };
	struct a100_data d = measured(ms, 2);
	struct a100_errors e = a100_errors_of(&d, A100_ALL, said, NULL, NULL);

	assert_int_equal(e.n, 4);
	assert_true(fabs(e.median - 0.2) < 1e-9 && fabs(e.p75 - 0.6) < 1e-9);
	assert_true(fabs(e.total - 5.0 / 40) < 1e-9);
	a100_fini(&d);
}

/* 1 MB: 10 ms beyond the resident one for one operator, 1 to 3 ms for the other. */
static void rivals_have_the_rates_of_what_they_are_fitted_to(void **state)
{
	static const double fitted[][2] = { { 11, 2 }, { 11, 3 }, { 11, 5 } },
			    other[][2] = { { 9, 9 } };
	struct a100_data fit = measured(fitted, 3), d = measured(other, 1);
	struct a100_rivals r;

	a100_rivals(&r, &d, &fit, A100_ALL, 1e9);
	assert_int_equal(r.noperators, 2);
	assert_true(fabs(r.ms[RIVAL_LINK][0] - 2) < 1e-9);
	assert_true(fabs(r.ms[RIVAL_MEDIAN][0] - 11) < 1e-9);
	assert_true(fabs(r.ms[RIVAL_MEDIAN][1] - 3) < 1e-9);
	assert_true(fabs(r.ms[RIVAL_TOTAL][1] - (1 + 7 / 3.0)) < 1e-9);
	a100_rivals_fini(&r);
	a100_rivals(&r, &d, &d, A100_ALL, 1e9); /* all take 8 ms for 1 MB */
	assert_true(fabs(r.rate_bps / 125e6 - 1) < 0.01);
	a100_rivals_fini(&r);
	a100_fini(&fit);
	a100_fini(&d);
}

static void a_network_on_a_line_through_two_others_is_found(void **state)
{
	static const double line[][2] = { { 10, 7 }, { 20, 6 }, { 30, 5 } };
	static const double bent[][2] = { { 10, 7 }, { 20, 6 }, { 31, 5 } };
	struct a100_data d = measured(line, 3);
	size_t one, other;

	assert_true(a100_interpolated(&d, 1, &one, &other));
	assert_int_equal(one, 0);
	assert_int_equal(other, 2);
	assert_true(a100_interpolated(&d, 2, &one, &other)); /* extrapolated, one cannot tell */
	a100_fini(&d);
	d = measured(bent, 3);
	assert_false(a100_interpolated(&d, 1, &one, &other));
	a100_fini(&d);
	d = measured(line, 2);
	assert_false(a100_interpolated(&d, 1, &one, &other));
	a100_fini(&d);
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
		cmocka_unit_test(errors_are_quantiles_of_the_relative_size),
		cmocka_unit_test(rivals_have_the_rates_of_what_they_are_fitted_to),
		cmocka_unit_test(a_network_on_a_line_through_two_others_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
