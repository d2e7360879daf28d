/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "models/mm_range.h"
#include "models/test/rig.h"

#define VA (1ULL << 40)

/* The link of the machine that XeTHP measured: 2 MiB in 106 us. */
#define XE_LINK                                                                             \
	"link.h2d.bandwidth=19.8 GB/s", "link.d2h.bandwidth=19.8 GB/s", "link.latency=0 s", \
		"link.setup=0 s", "link.duplex=100 %"

static const char *const xe[] = { XE_LINK, NULL };
static const char *const xe_thp[] = { XE_LINK, "manager.hmm.thp=true", NULL };

static struct mm_range *range_of(struct rig *r)
{
	return gs_container_of(r->mm, struct mm_range, mm);
}

/* A device touch of @bytes that the CPU has written; how long it takes. */
static gs_time fault_time(struct rig *r, u64 bytes)
{
	gs_time begin;

	mm_add(r->mm, VA, bytes);
	rig_cpu_touch(r, VA, bytes);
	begin = gs_now(r->sim);
	rig_touch(r, 0, VA, bytes, 1);
	return gs_now(r->sim) - begin;
}

/* ---- published times ---- */

static void a_2_mib_hmm_fault_takes_966_us_with_small_pages(void **state)
{
	struct rig r;

	rig_open(&r, &mm_hmm, xe);
	assert_in_range(fault_time(&r, 2 * MIB), 960 * GS_US, 972 * GS_US);
	rig_close(&r);
}

static void a_2_mib_hmm_fault_takes_132_us_with_huge_pages(void **state)
{
	struct rig r;

	rig_open(&r, &mm_hmm, xe_thp);
	assert_in_range(fault_time(&r, 2 * MIB), 130 * GS_US, 134 * GS_US);
	rig_close(&r);
}

static void hmm_faults_at_2_2_gb_per_s_or_15_9_with_huge_pages(void **state)
{
	struct rig r;

	rig_open(&r, &mm_hmm, xe);
	assert_in_range(256 * MIB * 1000 / (fault_time(&r, 256 * MIB) / GS_NS), 2100, 2300);
	rig_close(&r);
	rig_open(&r, &mm_hmm, xe_thp);
	assert_in_range(256 * MIB * 1000 / (fault_time(&r, 256 * MIB) / GS_NS), 15500, 16300);
	rig_close(&r);
}

static void svm_faults_at_2_8_gb_per_s(void **state)
{
	static const char *const mi250x[] = { "link.h2d.bandwidth=26 GB/s",
					      "link.d2h.bandwidth=26 GB/s", NULL };
	struct rig r;

	rig_open(&r, &mm_svm, mi250x);
	assert_in_range(256 * MIB * 1000 / (fault_time(&r, 256 * MIB) / GS_NS), 2600, 3000);
	rig_close(&r);
}

/* ---- mechanism ---- */

static void a_chunk_that_is_not_whole_moves_as_small_pages(void **state)
{
	struct rig r;

	rig_open(&r, &mm_hmm, xe_thp);
	fault_time(&r, MIB);
	assert_int_equal(range_of(&r)->stats.huge_migrations, 0);
	assert_int_equal(r.mm->stats.h2d_demand_bytes, MIB);
	rig_close(&r);
}

static void a_smaller_chunk_brings_less(void **state)
{
	static const char *const sets[] = { XE_LINK, "manager.hmm.chunk=64 KiB", NULL };
	struct rig r;

	rig_open(&r, &mm_hmm, sets);
	mm_add(r.mm, VA, 2 * MIB);
	rig_touch(&r, 0, VA, 1, 1);
	assert_int_equal(r.mm->stats.hbm_bytes, 64 * KIB);
	rig_close(&r);
}

static const char *const four[] = { XE_LINK, "device.hbm.capacity=8 MiB", NULL };

static void hmm_evicts_what_was_faulted_longest_ago(void **state)
{
	struct rig r;

	rig_open(&r, &mm_hmm, four);
	mm_add(r.mm, VA, 10 * MIB);
	rig_touch(&r, 0, VA, 8 * MIB, 1);
	rig_touch(&r, 0, VA, 2 * MIB, 1); /* a hit: not seen */
	rig_touch(&r, 0, VA + 8 * MIB, 2 * MIB, 1);
	assert_int_equal(r.mm->stats.evictions, 1);
	rig_touch(&r, 0, VA, 2 * MIB, 1);
	assert_int_equal(r.mm->stats.evictions, 2);
	assert_int_equal(r.mm->stats.d2h_evict_bytes, 4 * MIB);
	rig_close(&r);
}

static void a_cyclic_sweep_over_one_chunk_too_many_reuses_nothing(void **state)
{
	struct rig r;

	rig_open(&r, &mm_hmm, four);
	mm_add(r.mm, VA, 10 * MIB);
	for (int i = 0; i < 3; i++)
		rig_touch(&r, 0, VA, 10 * MIB, 4);
	assert_int_equal(r.mm->stats.faults, 15);
	rig_close(&r);
}

static void full_svm_maps_host_memory_where_it_cannot_evict(void **state)
{
	static const char *const sets[] = { XE_LINK, "device.hbm.capacity=8 MiB",
					    "manager.svm.map_remote=true", NULL };
	struct rig r;
	struct waiter w;
	struct mm_touch t;

	rig_open(&r, &mm_svm, sets);
	mm_add(r.mm, VA, 10 * MIB);
	rig_touch(&r, 0, VA, 10 * MIB, 1);
	assert_int_equal(r.mm->stats.evictions, 0);
	assert_int_equal(range_of(&r)->stats.remote_maps, 1);
	assert_int_equal(range_of(&r)->stats.host_bytes, 2 * MIB);
	waiter_init(&w, &r, 0);
	t = rig_ask(&r, &w, VA + 8 * MIB, 2 * MIB, 1, GS_READ);
	assert_int_equal(t.kind, MM_REMOTE);
	assert_true(t.cost > hw_link_time(&r.machine.links[0], HW_H2D, 2 * MIB));
	rig_close(&r);
}

/* amdkfd_fence_check_mm(): buffers of SVM support overcommitment. */
static void full_svm_evicts(void **state)
{
	struct rig r;

	rig_open(&r, &mm_svm, four);
	mm_add(r.mm, VA, 10 * MIB);
	rig_touch(&r, 0, VA, 10 * MIB, 1);
	assert_int_equal(r.mm->stats.evictions, 1);
	assert_int_equal(range_of(&r)->stats.remote_maps, 0);
	rig_close(&r);
}

static void a_cpu_touch_brings_a_chunk_back_after_its_timeslice(void **state)
{
	struct rig r;
	gs_time begin;

	rig_open(&r, &mm_hmm, xe);
	mm_add(r.mm, VA, 2 * MIB);
	rig_touch(&r, 0, VA, 2 * MIB, 1);
	begin = gs_now(r.sim);
	rig_cpu_touch(&r, VA, 1);
	assert_in_range(gs_now(r.sim) - begin, 5 * GS_MS, 7 * GS_MS);
	assert_int_equal(r.mm->stats.d2h_cpu_bytes, 2 * MIB);
	assert_int_equal(r.mm->stats.hbm_bytes, 0);
	rig_close(&r);
}

/* Device, CPU, device: how long the second fault takes. */
static gs_time after_ping_pong(const char *set, struct mm_range_stats *stats)
{
	const char *sets[] = { XE_LINK, set, NULL };
	struct rig r;
	gs_time begin;

	rig_open(&r, &mm_svm, sets);
	fault_time(&r, 2 * MIB);
	rig_cpu_touch(&r, VA, 1);
	begin = gs_now(r.sim);
	rig_touch(&r, 0, VA, 1, 1);
	*stats = range_of(&r)->stats;
	begin = gs_now(r.sim) - begin;
	rig_close(&r);
	return begin;
}

static void a_fault_on_what_was_just_mapped_waits_for_the_filter(void **state)
{
	struct mm_range_stats s;
	gs_time with = after_ping_pong("manager.svm.xnack=true", &s), without;

	assert_int_equal(s.filtered, 1);
	without = after_ping_pong("manager.svm.retry_fault_pending=0 s", &s);
	assert_int_equal(s.filtered, 0);
	assert_in_range(with - without, 1 * GS_MS, 2 * GS_MS);
}

static void without_xnack_queues_wait_for_the_worker(void **state)
{
	struct mm_range_stats s;
	gs_time with = after_ping_pong("manager.svm.retry_fault_pending=0 s", &s), without;

	assert_int_equal(s.restores, 0);
	without = after_ping_pong("manager.svm.xnack=false", &s);
	assert_int_equal(s.restores, 1);
	assert_in_range(without - with, 1 * GS_MS, 1300 * GS_US);
}

static void a_prefetched_chunk_is_hit(void **state)
{
	struct rig r;

	rig_open(&r, &mm_hmm, xe);
	mm_add(r.mm, VA, 8 * MIB);
	assert_int_equal(rig_advise(&r, 0, GS_ADV_PREFETCH, VA, 8 * MIB), -EINPROGRESS);
	rig_touch(&r, 0, VA, 8 * MIB, 1);
	assert_int_equal(r.mm->stats.faults, 0);
	assert_int_equal(r.mm->stats.prefetch_useful, 4);
	rig_close(&r);
}

static void a_chunk_of_no_power_of_two_is_refused(void **state)
{
	static const char *const sets[] = { "manager.hmm.chunk=3 MiB", NULL };
	struct rig r;

	rig_open(&r, &mm_hmm, sets);
	assert_int_equal(r.err, -EINVAL);
	rig_close(&r);
}

/* The books hold after each step of random traffic on two devices. */
static void books_hold_in_random_traffic(const struct mm_ops *ops)
{
	static const char *const sets[] = { XE_LINK, "device.hbm.capacity=8 MiB", "device.count=2",
					    NULL };
	struct rig r;
	u64 x = 1;

	rig_open(&r, ops, sets);
	mm_add(r.mm, VA, 32 * MIB);
	for (int i = 0; i < 2000; i++) {
		u64 page = (x = x * 6364136223846793005ULL + 1442695040888963407ULL) >> 40;
		u64 va = VA + page % 8000 * 4096, bytes = (x >> 20) % (192 * 4096) + 1;

		switch ((x >> 60) % 8) {
		case 0:
			rig_cpu_touch(&r, va, bytes);
			break;
		case 1:
			rig_advise(&r, (u16)(x >> 50) % 2, GS_ADV_PREFETCH, va, bytes);
			break;
		case 2:
			mm_remove(r.mm, va, bytes, NULL);
			mm_add(r.mm, va, bytes);
			break;
		default:
			rig_touch(&r, (u16)(x >> 50) % 2, va, bytes, (u32)(x >> 10) % 4 + 1);
		}
		assert_int_equal(r.mm->ops->check(r.mm), 0);
	}
	rig_close(&r);
}

static void hmm_loses_nothing(void **state)
{
	books_hold_in_random_traffic(&mm_hmm);
}

static void svm_loses_nothing(void **state)
{
	books_hold_in_random_traffic(&mm_svm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_2_mib_hmm_fault_takes_966_us_with_small_pages),
		cmocka_unit_test(a_2_mib_hmm_fault_takes_132_us_with_huge_pages),
		cmocka_unit_test(hmm_faults_at_2_2_gb_per_s_or_15_9_with_huge_pages),
		cmocka_unit_test(svm_faults_at_2_8_gb_per_s),
		cmocka_unit_test(a_chunk_that_is_not_whole_moves_as_small_pages),
		cmocka_unit_test(a_smaller_chunk_brings_less),
		cmocka_unit_test(hmm_evicts_what_was_faulted_longest_ago),
		cmocka_unit_test(a_cyclic_sweep_over_one_chunk_too_many_reuses_nothing),
		cmocka_unit_test(full_svm_maps_host_memory_where_it_cannot_evict),
		cmocka_unit_test(full_svm_evicts),
		cmocka_unit_test(a_cpu_touch_brings_a_chunk_back_after_its_timeslice),
		cmocka_unit_test(a_fault_on_what_was_just_mapped_waits_for_the_filter),
		cmocka_unit_test(without_xnack_queues_wait_for_the_worker),
		cmocka_unit_test(a_prefetched_chunk_is_hit),
		cmocka_unit_test(a_chunk_of_no_power_of_two_is_refused),
		cmocka_unit_test(hmm_loses_nothing),
		cmocka_unit_test(svm_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
