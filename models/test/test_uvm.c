/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "models/test/rig.h"

#include "models/mm_uvm.h"

#define VA (1ULL << 40)

static const char *const small[] = { "device.hbm.capacity=8 MiB", NULL }; /* four chunks */

static struct mm_uvm_stats *own(struct rig *r)
{
	return &uvm_of(r->mm)->stats;
}

/* Everything that came equals everything that left plus what is there. */
static void assert_bytes_closed(const struct rig *r)
{
	const struct mm_stats *s = &r->mm->stats;

	assert_int_equal(s->h2d_demand_bytes + s->h2d_prefetch_bytes + s->zeroed_bytes,
			 s->d2h_evict_bytes + s->d2h_cpu_bytes + s->discarded_bytes + s->hbm_bytes);
	assert_int_equal(r->machine.links[0].stats[HW_H2D].bytes,
			 s->h2d_demand_bytes + s->h2d_prefetch_bytes);
	assert_int_equal(r->machine.links[0].stats[HW_D2H].bytes,
			 s->d2h_evict_bytes + s->d2h_cpu_bytes);
}

/* ---- density tree ---- */

static void ascending_touch_of_a_cold_block_takes_six_services(void **state)
{
	static const u64 kib[] = { 64, 64, 128, 256, 512, 1024 };
	struct rig r;
	u64 page = 0;

	rig_open(&r, &mm_uvm, NULL);
	mm_add(r.mm, VA, 2 * MIB);
	for (int i = 0; i < 6; i++) {
		u64 before = r.mm->stats.zeroed_bytes;

		rig_touch(&r, 0, VA + page * UVM_PAGE, UVM_PAGE, 1);
		assert_int_equal(own(&r)->services, i + 1);
		assert_int_equal(r.mm->stats.zeroed_bytes - before, kib[i] * KIB);
		page += kib[i] * KIB / UVM_PAGE;
	}
	rig_touch(&r, 0, VA, 2 * MIB, 1);
	assert_int_equal(own(&r)->services, 6);
	rig_close(&r);
}

static void descending_touch_of_a_cold_block_takes_six_services(void **state)
{
	struct rig r;

	rig_open(&r, &mm_uvm, NULL);
	mm_add(r.mm, VA, 2 * MIB);
	for (u64 page = UVM_PAGES; page-- > 0;)
		rig_touch(&r, 0, VA + page * UVM_PAGE, UVM_PAGE, 1);
	assert_int_equal(own(&r)->services, 6);
	rig_close(&r);
}

static void services_of_a_block_at_threshold(const char *threshold, u64 services)
{
	const char *sets[] = { threshold, NULL };
	struct rig r;

	rig_open(&r, &mm_uvm, sets);
	mm_add(r.mm, VA, 2 * MIB);
	rig_touch(&r, 0, VA, 2 * MIB, 1);
	assert_int_equal(own(&r)->services, services);
	rig_close(&r);
}

static void threshold_25_takes_three_services(void **state)
{
	services_of_a_block_at_threshold("manager.uvm.perf_prefetch_threshold=25 %", 3);
}

static void threshold_75_takes_twenty_services(void **state)
{
	services_of_a_block_at_threshold("manager.uvm.perf_prefetch_threshold=75 %", 20);
}

static void without_prefetch_each_page_is_a_service(void **state)
{
	services_of_a_block_at_threshold("manager.uvm.perf_prefetch_enable=false", 512);
}

static void the_tree_does_not_leave_the_range(void **state)
{
	struct rig r;

	rig_open(&r, &mm_uvm, NULL);
	mm_add(r.mm, VA, 12 * KIB);
	rig_touch(&r, 0, VA, 1, 1);
	assert_int_equal(r.mm->stats.hbm_bytes, 12 * KIB);
	rig_close(&r);
}

/* ---- times ---- */

static void a_first_touch_takes_25_us(void **state)
{
	struct rig r;

	rig_open(&r, &mm_uvm, NULL);
	mm_add(r.mm, VA, 2 * MIB);
	rig_touch(&r, 0, VA, 1, 1);
	assert_in_range(gs_now(r.sim), 20 * GS_US, 30 * GS_US);
	rig_close(&r);
}

static void an_isolated_far_fault_takes_10_to_50_us(void **state)
{
	gs_time before;
	struct rig r;

	rig_open(&r, &mm_uvm, small);
	mm_add(r.mm, VA, 16 * MIB);
	rig_touch(&r, 0, VA, 16 * MIB, 256);
	rig_cpu_touch(&r, VA + 14 * MIB, 2 * MIB); /* makes room */
	before = gs_now(r.sim);
	rig_touch(&r, 0, VA, 1, 1);
	assert_in_range(gs_now(r.sim) - before, 10 * GS_US, 50 * GS_US);
	rig_close(&r);
}

static void a_scattered_batch_of_256_takes_milliseconds(void **state)
{
	struct waiter w;
	struct rig r;

	rig_open(&r, &mm_uvm, NULL);
	mm_add(r.mm, VA, GIB);
	waiter_init(&w, &r, 0);
	for (u64 i = 0; i < 256; i++)
		rig_ask(&r, &w, VA + i * UVM_BLOCK, UVM_PAGE, 256, GS_READ);
	gs_run(r.sim);
	assert_int_equal(own(&r)->batches, 1);
	assert_int_equal(w.outstanding, 0);
	assert_in_range(gs_now(r.sim), 2 * GS_MS, 10 * GS_MS);
	rig_close(&r);
}

static void copies_overlap_the_service_of_the_next_block(void **state)
{
	/* one fault brings the block: 85 us of copy, 40 us of CPU */
	static const char *const sets[] = { "manager.uvm.perf_prefetch_threshold=1 %",
					    "manager.uvm.cost.copy_page=0 ns", NULL };
	gs_time before, copies;
	struct waiter w;
	struct rig r;

	rig_open(&r, &mm_uvm, sets);
	mm_add(r.mm, VA, 64 * MIB);
	rig_cpu_touch(&r, VA, 64 * MIB);
	before = gs_now(r.sim);
	waiter_init(&w, &r, 0);
	for (u64 i = 0; i < 32; i++)
		rig_ask(&r, &w, VA + i * UVM_BLOCK, UVM_PAGE, 32, GS_READ);
	gs_run(r.sim);
	copies = hw_link_time(&r.machine.links[0], HW_H2D, 2 * MIB) * 32;
	assert_in_range(gs_now(r.sim) - before, copies, copies + 100 * GS_US);
	rig_close(&r);
}

static void phases_of_a_fault_add_up(void **state)
{
	struct waiter w;
	struct rig r;

	rig_open(&r, &mm_uvm, small);
	mm_add(r.mm, VA, 16 * MIB);
	rig_touch(&r, 0, VA, 16 * MIB, 512);
	waiter_init(&w, &r, 0);
	rig_ask(&r, &w, VA, UVM_PAGE, 1, GS_READ);
	gs_run(r.sim);
	assert_true(w.end[MM_SERVICE] > w.end[MM_QUEUE]);
	assert_true(w.end[MM_EVICT] > w.end[MM_SERVICE]); /* 2 MiB go out first */
	assert_true(w.end[MM_LINK] > w.end[MM_EVICT]);
	assert_int_equal(w.end[MM_FINISH], w.answered);
	rig_close(&r);
}

/* ---- eviction ---- */

static void a_cyclic_sweep_over_one_chunk_too_many_reuses_nothing(void **state)
{
	struct rig r;

	rig_open(&r, &mm_uvm, small);
	mm_add(r.mm, VA, 10 * MIB);
	rig_touch(&r, 0, VA, 10 * MIB, 512);
	for (int sweep = 1; sweep < 4; sweep++) {
		u64 h2d = r.mm->stats.h2d_demand_bytes + r.mm->stats.h2d_prefetch_bytes;

		rig_touch(&r, 0, VA, 10 * MIB, 512);
		assert_int_equal(r.mm->stats.h2d_demand_bytes + r.mm->stats.h2d_prefetch_bytes -
					 h2d,
				 10 * MIB);
	}
	assert_bytes_closed(&r);
	rig_close(&r);
}

static void what_fits_is_never_fetched_twice(void **state)
{
	struct rig r;

	rig_open(&r, &mm_uvm, small);
	mm_add(r.mm, VA, 8 * MIB);
	for (int sweep = 0; sweep < 3; sweep++)
		rig_touch(&r, 0, VA, 8 * MIB, 512);
	assert_int_equal(r.mm->stats.zeroed_bytes, 8 * MIB);
	assert_int_equal(r.mm->stats.evictions, 0);
	rig_close(&r);
}

static void a_hit_does_not_keep_a_chunk(void **state)
{
	struct waiter w;
	struct rig r;

	rig_open(&r, &mm_uvm, small);
	mm_add(r.mm, VA, 10 * MIB);
	rig_touch(&r, 0, VA, 8 * MIB, 512);
	rig_touch(&r, 0, VA, 2 * MIB, 512);	      /* hits the oldest */
	rig_touch(&r, 0, VA + 8 * MIB, 2 * MIB, 512); /* which leaves all the same */
	waiter_init(&w, &r, 0);
	assert_int_equal(rig_ask(&r, &w, VA, UVM_PAGE, 1, GS_READ).kind, MM_MISS);
	gs_run(r.sim);
	rig_close(&r);
}

static void a_discarded_chunk_leaves_first_and_uncopied(void **state)
{
	struct waiter w;
	struct rig r;

	rig_open(&r, &mm_uvm, small);
	mm_add(r.mm, VA, 10 * MIB);
	rig_touch(&r, 0, VA, 8 * MIB, 512);
	assert_int_equal(rig_advise(&r, 0, GS_ADV_FREE_EAGER, VA + 4 * MIB, 2 * MIB), 0);
	rig_touch(&r, 0, VA + 8 * MIB, 2 * MIB, 512);
	assert_int_equal(r.mm->stats.d2h_evict_bytes, 0);
	assert_int_equal(r.mm->stats.discarded_bytes, 2 * MIB);
	waiter_init(&w, &r, 0);
	assert_int_equal(rig_ask(&r, &w, VA, 2 * MIB, 1, GS_READ).kind, MM_HIT);
	assert_bytes_closed(&r);
	rig_close(&r);
}

static void a_touch_revives_a_discarded_page(void **state)
{
	struct rig r;

	rig_open(&r, &mm_uvm, small);
	mm_add(r.mm, VA, 18 * MIB);
	rig_touch(&r, 0, VA, 2 * MIB, 512);
	rig_advise(&r, 0, GS_ADV_FREE_EAGER, VA, 2 * MIB);
	rig_touch(&r, 0, VA, UVM_PAGE, 1);
	rig_touch(&r, 0, VA + 2 * MIB, 16 * MIB, 512);
	assert_int_equal(r.mm->stats.discarded_bytes, 2 * MIB - UVM_PAGE);
	assert_bytes_closed(&r);
	rig_close(&r);
}

static void more_faults_than_chunks_still_end(void **state)
{
	struct waiter w;
	struct rig r;

	rig_open(&r, &mm_uvm, small);
	mm_add(r.mm, VA, 64 * MIB);
	waiter_init(&w, &r, 0);
	for (u64 i = 0; i < 32; i++)
		rig_ask(&r, &w, VA + i * UVM_BLOCK, UVM_PAGE, 32, GS_READ);
	gs_run(r.sim);
	assert_int_equal(w.outstanding, 0);
	assert_true(own(&r)->refaults > 0);
	assert_bytes_closed(&r);
	rig_close(&r);
}

static void a_full_host_ends_the_run(void **state)
{
	static const char *const sets[] = { "device.hbm.capacity=8 MiB", "host.dram.capacity=1 MiB",
					    NULL };
	struct waiter w;
	struct rig r;

	rig_open(&r, &mm_uvm, sets);
	mm_add(r.mm, VA, 64 * MIB);
	waiter_init(&w, &r, 0);
	for (u64 i = 0; i < 5; i++)
		rig_ask(&r, &w, VA + i * UVM_BLOCK, 2 * MIB, 512, GS_READ);
	gs_run(r.sim);
	assert_int_equal(r.mm->err, -ENOMEM);
	rig_close(&r);
}

static void a_device_without_a_chunk_is_refused(void **state)
{
	static const char *const sets[] = { "device.hbm.capacity=1 MiB", NULL };
	struct rig r;

	rig_open(&r, &mm_uvm, sets);
	assert_null(r.mm);
	assert_int_equal(r.err, -EINVAL);
	rig_close(&r);
}

/* ---- calls of the host ---- */

static void a_prefetched_range_is_hit(void **state)
{
	struct waiter w;
	struct rig r;

	rig_open(&r, &mm_uvm, NULL);
	mm_add(r.mm, VA, 64 * MIB);
	assert_int_equal(rig_advise(&r, 0, GS_ADV_PREFETCH, VA, 64 * MIB), -EINPROGRESS);
	waiter_init(&w, &r, 0);
	assert_int_equal(rig_ask(&r, &w, VA, 64 * MIB, 1, GS_READ).covered, 64 * MIB);
	assert_int_equal(r.mm->stats.misses, 0);
	assert_int_equal(r.mm->stats.prefetch_useful, 64 * MIB / UVM_PAGE);
	assert_int_equal(own(&r)->batches, 0);
	assert_int_equal(rig_advise(&r, 0, GS_ADV_PREFETCH, VA, 64 * MIB), 0);
	rig_close(&r);
}

static gs_time time_to_prefetch_64_mib(const char *const *sets, gs_time *link)
{
	gs_time before, took;
	struct rig r;

	rig_open(&r, &mm_uvm, sets);
	mm_add(r.mm, VA, 64 * MIB);
	rig_cpu_touch(&r, VA, 64 * MIB);
	before = gs_now(r.sim);
	rig_advise(&r, 0, GS_ADV_PREFETCH, VA, 64 * MIB);
	took = gs_now(r.sim) - before;
	*link = 32 * hw_link_time(&r.machine.links[0], HW_H2D, 2 * MIB);
	rig_close(&r);
	return took;
}

static void a_prefetch_of_host_data_is_bound_by_the_link(void **state)
{
	static const char *const sets[] = { "manager.uvm.cost.copy_page=0 ns", NULL };
	gs_time link, took = time_to_prefetch_64_mib(sets, &link);

	assert_in_range(took, link, link + link / 10);
}

static void pages_that_the_cpu_faulted_in_copy_one_by_one(void **state)
{
	gs_time link, took = time_to_prefetch_64_mib(NULL, &link);
	gs_time pages = 64 * MIB / UVM_PAGE * 780 * GS_NS;

	assert_in_range(took, link + pages, link + pages + link / 10);
}

/* G10's fault traces of an A100: element-wise kernels get 5 to 8 and 2 to 3 GB/s. */
static void faulting_streams_run_as_measured(void **state)
{
	const u64 bytes = 256 * MIB;
	gs_time before;
	struct rig r;

	rig_open(&r, &mm_uvm, NULL);
	mm_add(r.mm, VA, 2 * bytes);
	rig_touch(&r, 0, VA, bytes, 256);
	assert_in_range(bytes * 1000 / (gs_now(r.sim) / GS_NS), 5000, 8000);
	rig_cpu_touch(&r, VA + bytes, bytes);
	before = gs_now(r.sim);
	rig_touch(&r, 0, VA + bytes, bytes, 256);
	assert_in_range(bytes * 1000 / ((gs_now(r.sim) - before) / GS_NS), 2000, 3000);
	rig_close(&r);
}

static void a_touch_of_pages_in_flight_waits_for_them(void **state)
{
	struct waiter w;
	struct rig r;

	rig_open(&r, &mm_uvm, NULL);
	mm_add(r.mm, VA, 2 * MIB);
	rig_cpu_touch(&r, VA, 2 * MIB);
	assert_int_equal(mm_advise(r.mm, 0, GS_ADV_PREFETCH, VA, 2 * MIB, NULL), -EINPROGRESS);
	waiter_init(&w, &r, 0);
	assert_int_equal(rig_ask(&r, &w, VA, 2 * MIB, 8, GS_READ).kind, MM_MISS);
	gs_run(r.sim);
	assert_int_equal(w.outstanding, 0);
	assert_int_equal(r.mm->stats.prefetch_late, 8);
	assert_int_equal(r.mm->stats.h2d_prefetch_bytes, 2 * MIB);
	assert_int_equal(r.mm->stats.h2d_demand_bytes, 0);
	rig_close(&r);
}

static void a_cpu_touch_brings_the_block_back(void **state)
{
	gs_time before;
	struct rig r;

	rig_open(&r, &mm_uvm, NULL);
	mm_add(r.mm, VA, 2 * MIB);
	rig_touch(&r, 0, VA, 2 * MIB, 512);
	before = gs_now(r.sim);
	assert_int_equal(rig_cpu_touch(&r, VA, 1), -EINPROGRESS);
	assert_true(gs_now(r.sim) - before >
		    10 * GS_US + hw_link_time(&r.machine.links[0], HW_D2H, 2 * MIB));
	assert_int_equal(r.mm->stats.d2h_cpu_bytes, 2 * MIB);
	assert_int_equal(r.mm->stats.hbm_bytes, 0);
	assert_int_equal(rig_cpu_touch(&r, VA, 1), 0);
	assert_bytes_closed(&r);
	rig_close(&r);
}

static void a_removed_range_gives_its_chunk_back(void **state)
{
	struct rig r;

	rig_open(&r, &mm_uvm, small);
	for (int i = 0; i < 20; i++) {
		mm_add(r.mm, VA + (u64)i * 8 * MIB, 8 * MIB);
		rig_touch(&r, 0, VA + (u64)i * 8 * MIB, 8 * MIB, 512);
		mm_remove(r.mm, VA + (u64)i * 8 * MIB, 8 * MIB, NULL);
	}
	assert_int_equal(r.mm->stats.evictions, 0);
	assert_int_equal(r.mm->stats.hbm_bytes, 0);
	rig_close(&r);
}

/* ---- several devices ---- */

static void a_fault_on_another_device_takes_the_pages_there(void **state)
{
	static const char *const sets[] = { "device.count=2", NULL };
	struct rig r;

	rig_open(&r, &mm_uvm, sets);
	mm_add(r.mm, VA, 2 * MIB);
	rig_touch(&r, 0, VA, 2 * MIB, 512);
	rig_touch(&r, 1, VA, 2 * MIB, 512);
	assert_int_equal(r.mm->stats.d2d_bytes, 2 * MIB);
	assert_int_equal(r.mm->stats.hbm_bytes, 2 * MIB);
	rig_close(&r);
}

/* ---- replay policies ---- */

static void a_batch_ends_under_every_replay_policy(void **state)
{
	static const char *const policies[] = { "block", "batch", "batch_flush", "once" };

	for (size_t i = 0; i < GS_ARRAY_SIZE(policies); i++) {
		char set[80];
		const char *sets[] = { set, "device.hbm.capacity=64 MiB", NULL };
		struct waiter w;
		struct rig r;

		snprintf(set, sizeof(set), "manager.uvm.perf_fault_replay_policy=%s", policies[i]);
		rig_open(&r, &mm_uvm, sets);
		mm_add(r.mm, VA, GIB);
		waiter_init(&w, &r, 0);
		for (u64 k = 0; k < 300; k++)
			rig_ask(&r, &w, VA + k * UVM_BLOCK, UVM_PAGE, 300, GS_READ);
		gs_run(r.sim);
		assert_int_equal(w.outstanding, 0);
		assert_bytes_closed(&r);
		rig_close(&r);
	}
}

/* ---- duplicates ---- */

struct later { /* one more access, while a batch is served */
	struct gs_event ev;
	struct rig *r;
	struct waiter w;
	u64 va;
};

static void touch_later(struct gs_sim *sim, struct gs_event *ev)
{
	struct later *l = gs_container_of(ev, struct later, ev);

	(void)sim;
	rig_ask(l->r, &l->w, l->va, UVM_PAGE, 1, GS_READ);
}

/* @readers of one page at 0, one of another block 1 us after the fetch; returns the end. */
static gs_time late_fault(struct rig *r, const char *const *sets, u32 readers)
{
	struct waiter w[4];
	struct later l = { .ev.fn = touch_later, .r = r, .va = VA + UVM_BLOCK };

	rig_open(r, &mm_uvm, sets);
	mm_add(r->mm, VA, 2 * UVM_BLOCK);
	waiter_init(&l.w, r, 0);
	for (u32 i = 0; i < readers; i++) {
		waiter_init(&w[i], r, 0);
		rig_ask(r, &w[i], VA, UVM_PAGE, 1, GS_READ);
	}
	gs_at(r->sim, &l.ev, 6 * GS_US);
	gs_run(r->sim);
	assert_int_equal(l.w.outstanding, 0);
	return l.w.answered - w[0].answered;
}

/*
 * The flush drops up to where the fetch ended.  What came later is fetched at
 * once; the replay repeats its access, and that entry is a batch for nothing.
 */
static void a_fault_that_came_during_a_batch_survives_the_flush(void **state)
{
	gs_time first, took;
	struct rig r;

	took = late_fault(&r, NULL, 1);
	assert_int_equal(own(&r)->batches, 3);
	assert_int_equal(own(&r)->duplicates, 1);
	rig_close(&r);
	/* a batch of one page as the first one, without the interrupt */
	rig_open(&r, &mm_uvm, NULL);
	mm_add(r.mm, VA, 2 * MIB);
	rig_touch(&r, 0, VA, UVM_PAGE, 1);
	first = gs_now(r.sim);
	assert_int_equal(took, first - 5 * GS_US);
	rig_close(&r);
}

/* Two of three entries are duplicates: the flush drops all, the late one faults anew. */
static void many_duplicates_make_the_flush_thorough(void **state)
{
	static const char *const never[] = { "manager.uvm.perf_fault_replay_update_put_ratio=100 %",
					     NULL };
	struct rig r;
	gs_time took = late_fault(&r, NULL, 3), at_once;

	assert_int_equal(own(&r)->batches, 2);
	assert_int_equal(own(&r)->duplicates, 2);
	rig_close(&r);
	at_once = late_fault(&r, never, 3);
	assert_int_equal(own(&r)->batches, 3);
	assert_int_equal(took, at_once + 5 * GS_US + GS_US); /* interrupt, fault again */
	rig_close(&r);
}

/* ---- anything at all ---- */

static void content_is_never_lost_in_random_traffic(void **state)
{
	static const char *const sets[] = { "device.hbm.capacity=8 MiB", "device.count=2", NULL };
	u64 x = 1;
	struct rig r;

	rig_open(&r, &mm_uvm, sets);
	mm_add(r.mm, VA, 32 * MIB);
	for (int i = 0; i < 3000; i++) {
		u64 page, n;

		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		page = (x >> 33) % (32 * MIB / UVM_PAGE);
		n = gs_min((x >> 20) % 700 + 1, 32 * MIB / UVM_PAGE - page);
		switch ((x >> 60) % 8) {
		case 0:
			rig_cpu_touch(&r, VA + page * UVM_PAGE, n * UVM_PAGE);
			break;
		case 1:
			rig_advise(&r, (u16)(x >> 50) % 2, GS_ADV_PREFETCH, VA + page * UVM_PAGE,
				   n * UVM_PAGE);
			break;
		case 2:
			rig_advise(&r, 0, GS_ADV_FREE_EAGER, VA + page * UVM_PAGE, n * UVM_PAGE);
			break;
		case 3:
			mm_remove(r.mm, VA + page * UVM_PAGE, n * UVM_PAGE, NULL);
			mm_add(r.mm, VA + page * UVM_PAGE, n * UVM_PAGE);
			break;
		default:
			rig_touch(&r, (u16)(x >> 50) % 2, VA + page * UVM_PAGE, n * UVM_PAGE,
				  (u32)((x >> 10) % 300 + 1));
		}
		assert_int_equal(r.mm->ops->check(r.mm), 0);
	}
	rig_close(&r);
}

/* ---- published points ---- */

/* GH200 with managed memory: 18 to 29 GB/s of 375 (dnkhng; A.9 of the references). */
static void faulting_stays_under_30_gb_per_s_on_a_375_gb_per_s_link(void **state)
{
	static const char *const sets[] = { "link.h2d.bandwidth=375 GB/s",
					    "link.d2h.bandwidth=297 GB/s", NULL };
	struct rig r;
	gs_time begin;

	rig_open(&r, &mm_uvm, sets);
	mm_add(r.mm, VA, 256 * MIB);
	rig_cpu_touch(&r, VA, 256 * MIB);
	begin = gs_now(r.sim);
	rig_touch(&r, 0, VA, 256 * MIB, 256);
	assert_in_range(256 * MIB * 1000 / ((gs_now(r.sim) - begin) / GS_NS), 1000, 30000);
	rig_close(&r);
}

/* Columns of a matrix with rows of 64 KiB, page by page: batches until all is there. */
static u64 batches_of_tiles(const char *set)
{
	const char *sets[] = { set, NULL };
	struct rig r;
	u64 n;

	rig_open(&r, &mm_uvm, sets);
	mm_add(r.mm, VA, 64 * MIB);
	for (u64 column = 0; column < 16; column++)
		for (u64 row = 0; row < 1024; row++)
			rig_touch(&r, 0, VA + (row * 16 + column) * UVM_PAGE, UVM_PAGE, 1);
	n = own(&r)->batches;
	rig_close(&r);
	return n;
}

/* Allen & Ge, SC'21: prefetching removed 93 % of the batches of sgemm. */
static void prefetching_removes_nine_batches_in_ten_of_a_walk_over_tiles(void **state)
{
	u64 without = batches_of_tiles("manager.uvm.perf_prefetch_enable=false");
	u64 with = batches_of_tiles("manager.uvm.perf_prefetch_enable=true");

	assert_in_range(100 * with / without, 0, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ascending_touch_of_a_cold_block_takes_six_services),
		cmocka_unit_test(descending_touch_of_a_cold_block_takes_six_services),
		cmocka_unit_test(threshold_25_takes_three_services),
		cmocka_unit_test(threshold_75_takes_twenty_services),
		cmocka_unit_test(without_prefetch_each_page_is_a_service),
		cmocka_unit_test(the_tree_does_not_leave_the_range),
		cmocka_unit_test(a_first_touch_takes_25_us),
		cmocka_unit_test(an_isolated_far_fault_takes_10_to_50_us),
		cmocka_unit_test(a_scattered_batch_of_256_takes_milliseconds),
		cmocka_unit_test(copies_overlap_the_service_of_the_next_block),
		cmocka_unit_test(phases_of_a_fault_add_up),
		cmocka_unit_test(a_cyclic_sweep_over_one_chunk_too_many_reuses_nothing),
		cmocka_unit_test(what_fits_is_never_fetched_twice),
		cmocka_unit_test(a_hit_does_not_keep_a_chunk),
		cmocka_unit_test(a_discarded_chunk_leaves_first_and_uncopied),
		cmocka_unit_test(a_touch_revives_a_discarded_page),
		cmocka_unit_test(more_faults_than_chunks_still_end),
		cmocka_unit_test(a_full_host_ends_the_run),
		cmocka_unit_test(a_device_without_a_chunk_is_refused),
		cmocka_unit_test(a_prefetched_range_is_hit),
		cmocka_unit_test(a_prefetch_of_host_data_is_bound_by_the_link),
		cmocka_unit_test(pages_that_the_cpu_faulted_in_copy_one_by_one),
		cmocka_unit_test(faulting_streams_run_as_measured),
		cmocka_unit_test(a_touch_of_pages_in_flight_waits_for_them),
		cmocka_unit_test(a_cpu_touch_brings_the_block_back),
		cmocka_unit_test(a_removed_range_gives_its_chunk_back),
		cmocka_unit_test(a_fault_on_another_device_takes_the_pages_there),
		cmocka_unit_test(a_batch_ends_under_every_replay_policy),
		cmocka_unit_test(faulting_stays_under_30_gb_per_s_on_a_375_gb_per_s_link),
		cmocka_unit_test(prefetching_removes_nine_batches_in_ten_of_a_walk_over_tiles),
		cmocka_unit_test(a_fault_that_came_during_a_batch_survives_the_flush),
		cmocka_unit_test(many_duplicates_make_the_flush_thorough),
		cmocka_unit_test(content_is_never_lost_in_random_traffic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
