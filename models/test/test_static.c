/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "models/test/rig.h"

#define VA (1ULL << 40)

static const char *const one_gib[] = { "device.hbm.capacity=1 GiB", NULL };

static void a_job_that_fits_always_hits(void **state)
{
	struct waiter w;
	struct rig r;

	rig_open(&r, &mm_static, one_gib);
	assert_int_equal(mm_add(r.mm, VA, GIB), 0);
	waiter_init(&w, &r, 0);
	assert_int_equal(rig_ask(&r, &w, VA, GIB, 1, GS_READ).covered, GIB);
	assert_int_equal(w.outstanding, 0);
	rig_close(&r);
}

static void one_byte_too_many_is_refused(void **state)
{
	struct rig r;

	rig_open(&r, &mm_static, one_gib);
	assert_int_equal(mm_add(r.mm, VA, GIB), 0);
	assert_int_equal(mm_add(r.mm, VA + GIB, 1), -ENOSPC);
	rig_close(&r);
}

static void a_peak_that_does_not_fit_is_refused_before_the_run(void **state)
{
	struct gs_job job = { .ndevices = 1, .bytes_peak = GIB + 1 };
	struct rig r;

	rig_open_job(&r, &mm_static, one_gib, &job);
	assert_null(r.mm);
	assert_int_equal(r.err, -ENOSPC);
	rig_close(&r);
}

static void the_reserve_counts(void **state)
{
	static const char *const sets[] = { "device.hbm.capacity=1 GiB", "device.hbm.reserve=1 MiB",
					    NULL };
	struct rig r;

	rig_open(&r, &mm_static, sets);
	assert_int_equal(mm_add(r.mm, VA, GIB), -ENOSPC);
	assert_int_equal(mm_add(r.mm, VA, GIB - MIB), 0);
	rig_close(&r);
}

static void removed_ranges_make_room(void **state)
{
	struct rig r;

	rig_open(&r, &mm_static, one_gib);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(mm_add(r.mm, VA, GIB), 0);
		mm_remove(r.mm, VA, GIB, NULL);
	}
	assert_int_equal(r.mm->stats.hbm_bytes, 0);
	assert_int_equal(r.mm->stats.hbm_peak_bytes, GIB);
	rig_close(&r);
}

static void ideal_holds_anything(void **state)
{
	struct waiter w;
	struct rig r;

	rig_open(&r, &mm_ideal, one_gib);
	assert_int_equal(mm_add(r.mm, VA, 1024 * GIB), 0);
	waiter_init(&w, &r, 0);
	assert_int_equal(rig_ask(&r, &w, VA, 1024 * GIB, 1, GS_READ).covered, 1024 * GIB);
	assert_int_equal(r.mm->stats.misses, 0);
	assert_int_equal(r.mm->stats.touches, 1024 * GIB / r.common.unit);
	rig_close(&r);
}

/* ---- what a machine refuses ---- */

static void machine_is_refused(const char *const *sets)
{
	struct rig r;

	rig_machine(&r, NULL, sets);
	assert_int_equal(r.err, -EINVAL);
	gs_config_free(r.cfg);
}

static void a_device_without_memory_is_refused(void **state)
{
	static const char *const sets[] = { "device.hbm.capacity=0 B", NULL };

	machine_is_refused(sets);
}

static void a_reserve_of_everything_is_refused(void **state)
{
	static const char *const sets[] = { "device.hbm.capacity=1 GiB", "device.hbm.reserve=1 GiB",
					    NULL };

	machine_is_refused(sets);
}

static void a_unit_larger_than_memory_is_refused(void **state)
{
	struct rig r;

	rig_machine(&r, NULL, one_gib);
	assert_int_equal(hw_check_unit(&r.machine, r.cfg, GIB), 0);
	assert_int_equal(hw_check_unit(&r.machine, r.cfg, GIB + 1), -EINVAL);
	hw_machine_fini(&r.machine);
	gs_config_free(r.cfg);
}

static void capacity_in_units_wins(void **state)
{
	static const char *const sets[] = { "device.hbm.capacity_units=7", NULL };
	struct rig r;

	rig_machine(&r, NULL, sets);
	assert_int_equal(hw_hbm_usable(&r.machine, 4096), 7 * 4096);
	hw_machine_fini(&r.machine);
	gs_config_free(r.cfg);
}

static void the_window_is_cut_by_the_reach(void **state)
{
	struct rig r;

	rig_machine(&r, NULL, NULL);
	assert_int_equal(hw_fault_window(&r.machine, 4 * KIB), 256);
	assert_int_equal(hw_fault_window(&r.machine, 64 * KIB), 64);
	assert_int_equal(hw_fault_window(&r.machine, 2 * MIB), 2);
	assert_int_equal(hw_fault_window(&r.machine, GIB), 1);
	hw_machine_fini(&r.machine);
	gs_config_free(r.cfg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_that_fits_always_hits),
		cmocka_unit_test(one_byte_too_many_is_refused),
		cmocka_unit_test(a_peak_that_does_not_fit_is_refused_before_the_run),
		cmocka_unit_test(the_reserve_counts),
		cmocka_unit_test(removed_ranges_make_room),
		cmocka_unit_test(ideal_holds_anything),
		cmocka_unit_test(a_device_without_memory_is_refused),
		cmocka_unit_test(a_reserve_of_everything_is_refused),
		cmocka_unit_test(a_unit_larger_than_memory_is_refused),
		cmocka_unit_test(capacity_in_units_wins),
		cmocka_unit_test(the_window_is_cut_by_the_reach),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
