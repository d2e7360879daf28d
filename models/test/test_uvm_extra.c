/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Advice, far mappings, copies, thrashing and access counters of the UVM manager. */
#include "models/test/rig.h"

#include "models/mm_uvm_extra.h"

#define VA (1ULL << 40)

static const char *const small[] = { "device.hbm.capacity=8 MiB", NULL }; /* four chunks */

static struct mm_uvm_stats *own(struct rig *r)
{
	return &uvm_of(r->mm)->stats;
}

static struct uvm_block *block(struct rig *r)
{
	return uvm_block_at(uvm_of(r->mm), VA);
}

/* One access of a kernel on @device, waited for. */
static u8 one_touch(struct rig *r, u16 device, u64 va, u64 bytes, u8 access)
{
	struct waiter w;
	struct mm_touch t;

	waiter_init(&w, r, device);
	t = rig_ask(r, &w, va, bytes, 512, access);
	gs_run(r->sim);
	assert_int_equal(w.outstanding, 0);
	assert_int_equal(r->mm->ops->check(r->mm), 0);
	return t.kind;
}

static void cpu(struct rig *r, u64 va, u64 bytes, u8 access)
{
	struct caller c = { .done.fn = caller_done };
	int err = mm_cpu_touch(r->mm, va, bytes, access, &c.done);

	gs_run(r->sim);
	assert_int_equal(c.answers, err == -EINPROGRESS);
	assert_int_equal(r->mm->ops->check(r->mm), 0);
}

static void advise(struct rig *r, u16 device, u8 advice, u64 va, u64 bytes)
{
	assert_in_set(rig_advise(r, device, advice, va, bytes),
		      ((const LargestIntegralType[]){ 0, (LargestIntegralType)-EINPROGRESS }), 2);
	assert_int_equal(r->mm->ops->check(r->mm), 0);
}

/* ---- preferred location ---- */

static void what_prefers_the_host_is_mapped_and_stays_there(void **state)
{
	struct rig r;

	rig_open(&r, &mm_uvm, NULL);
	mm_add(r.mm, VA, 2 * MIB);
	cpu(&r, VA, 2 * MIB, GS_WRITE);
	advise(&r, 0, GS_ADV_PREFER_HOST, VA, 2 * MIB);
	assert_int_equal(one_touch(&r, 0, VA, 4 * KIB, GS_READ | GS_WRITE), MM_MISS);
	assert_int_equal(r.mm->stats.hbm_bytes, 0);
	assert_int_equal(own(&r)->far_pages, 1);
	assert_int_equal(one_touch(&r, 0, VA, 4 * KIB, GS_READ | GS_WRITE), MM_REMOTE);
	assert_int_equal(r.machine.links[0].stats[HW_H2D].bytes, 0);
	rig_close(&r);
}

static void a_first_touch_populates_the_preferred_host(void **state)
{
	struct rig r;

	rig_open(&r, &mm_uvm, NULL);
	mm_add(r.mm, VA, 2 * MIB);
	advise(&r, 0, GS_ADV_PREFER_HOST, VA, MIB);
	assert_int_equal(one_touch(&r, 0, VA, 4 * KIB, GS_WRITE), MM_MISS);
	assert_int_equal(bits_count(&block(&r)->host), 256); /* all that prefers it */
	assert_int_equal(r.mm->stats.hbm_bytes, 0);
	assert_int_equal(one_touch(&r, 0, VA + MIB, 4 * KIB, GS_WRITE), MM_MISS);
	assert_int_equal(r.mm->stats.hbm_bytes, 64 * KIB); /* the rest goes by the tree */
	rig_close(&r);
}

static void a_first_touch_populates_all_of_a_block_that_prefers_the_device(void **state)
{
	struct rig r;

	rig_open(&r, &mm_uvm, NULL);
	mm_add(r.mm, VA, 2 * MIB);
	advise(&r, 0, GS_ADV_PREFER, VA, 2 * MIB);
	one_touch(&r, 0, VA, 4 * KIB, GS_WRITE);
	assert_int_equal(r.mm->stats.hbm_bytes, 2 * MIB);
	assert_int_equal(own(&r)->services, 1);
	rig_close(&r);
}

static void a_remote_touch_costs_bytes_over_the_rate(void **state)
{
	static const char *const sets[] = { "link.h2d.bandwidth=10 GB/s",
					    "link.curve=", "manager.uvm.remote_rate=50 %", NULL };
	struct waiter w;
	struct rig r;

	rig_open(&r, &mm_uvm, sets);
	mm_add(r.mm, VA, 2 * MIB);
	cpu(&r, VA, 2 * MIB, GS_WRITE);
	advise(&r, 0, GS_ADV_ACCESSED_BY, VA, 2 * MIB);
	waiter_init(&w, &r, 0);
	/* 1 MiB at 5 GB/s */
	assert_int_equal(rig_ask(&r, &w, VA, MIB, 512, GS_READ).cost, MIB * 200 * GS_NS / 1000);
	assert_int_equal(own(&r)->far_bytes, MIB);
	rig_close(&r);
}

/* ---- accessed by ---- */

static void what_a_device_accesses_stays_mapped_after_it_left(void **state)
{
	static const char *const sets[] = { "device.hbm.capacity=8 MiB", NULL };
	struct rig r;

	rig_open(&r, &mm_uvm, sets);
	mm_add(r.mm, VA, 12 * MIB);
	cpu(&r, VA, 2 * MIB, GS_WRITE);
	advise(&r, 0, GS_ADV_ACCESSED_BY, VA, 2 * MIB);
	assert_int_equal(one_touch(&r, 0, VA, 2 * MIB, GS_READ), MM_REMOTE); /* no fault at all */
	assert_int_equal(r.mm->stats.faults, 0);
	advise(&r, 0, GS_ADV_PREFETCH, VA, 2 * MIB); /* only a call moves it */
	assert_int_equal(one_touch(&r, 0, VA, 2 * MIB, GS_READ), MM_HIT);
	rig_touch(&r, 0, VA + 2 * MIB, 8 * MIB, 512); /* out with it */
	assert_int_equal(r.mm->stats.evictions, 1);
	assert_int_equal(one_touch(&r, 0, VA, 2 * MIB, GS_READ), MM_REMOTE);
	rig_close(&r);
}

static void another_device_is_read_where_it_has_it(void **state)
{
	static const char *const sets[] = { "device.count=2", NULL };
	static const char *const apart[] = { "device.count=2", "manager.uvm.peer_access=false",
					     NULL };
	struct rig r;

	rig_open(&r, &mm_uvm, sets);
	mm_add(r.mm, VA, 2 * MIB);
	advise(&r, 1, GS_ADV_ACCESSED_BY, VA, 2 * MIB);
	rig_touch(&r, 0, VA, 2 * MIB, 512);
	assert_int_equal(one_touch(&r, 1, VA, 2 * MIB, GS_READ), MM_REMOTE);
	assert_int_equal(r.mm->stats.d2d_bytes, 0);
	rig_close(&r);
	rig_open(&r, &mm_uvm, apart);
	mm_add(r.mm, VA, 2 * MIB);
	advise(&r, 1, GS_ADV_ACCESSED_BY, VA, 2 * MIB);
	rig_touch(&r, 0, VA, 2 * MIB, 512);
	assert_int_equal(one_touch(&r, 1, VA, 4 * KIB, GS_READ), MM_MISS);
	assert_true(r.mm->stats.d2d_bytes > 0);
	rig_close(&r);
}

/* ---- read-mostly ---- */

static void readers_get_copies_and_a_write_leaves_one(void **state)
{
	u64 h2d;
	struct rig r;

	rig_open(&r, &mm_uvm, NULL);
	mm_add(r.mm, VA, 2 * MIB);
	cpu(&r, VA, 2 * MIB, GS_WRITE);
	advise(&r, 0, GS_ADV_READ_MOSTLY, VA, 2 * MIB);
	rig_touch(&r, 0, VA, 0 + 4 * KIB, 1); /* a write: moves */
	assert_int_equal(bits_count(&block(&r)->extra->copied), 0);
	assert_int_equal(one_touch(&r, 0, VA + MIB, MIB, GS_READ), MM_MISS);
	assert_int_equal(bits_count(&block(&r)->extra->copied), 256);
	assert_int_equal(own(&r)->copied_pages, 256);
	/* both sides read for nothing */
	h2d = r.machine.links[0].stats[HW_H2D].bytes;
	assert_int_equal(one_touch(&r, 0, VA + MIB, MIB, GS_READ), MM_HIT);
	assert_int_equal(mm_cpu_touch(r.mm, VA + MIB, MIB, GS_READ, NULL), 0);
	assert_int_equal(r.machine.links[0].stats[HW_H2D].bytes, h2d);
	assert_int_equal(r.machine.links[0].stats[HW_D2H].bytes, 0);
	/* the device writes one page: no copy, but a fault */
	assert_int_equal(one_touch(&r, 0, VA + MIB, 4 * KIB, GS_WRITE), MM_MISS);
	assert_int_equal(r.machine.links[0].stats[HW_H2D].bytes, h2d);
	assert_int_equal(own(&r)->collapsed_pages, 1);
	assert_int_equal(bits_count(&block(&r)->extra->copied), 255);
	assert_int_equal(one_touch(&r, 0, VA + MIB, 4 * KIB, GS_WRITE), MM_HIT);
	/* the CPU writes another: the device's copy goes */
	cpu(&r, VA + MIB + 4 * KIB, 4 * KIB, GS_WRITE);
	assert_int_equal(own(&r)->collapsed_pages, 2);
	assert_int_equal(one_touch(&r, 0, VA + MIB + 4 * KIB, 4 * KIB, GS_READ), MM_MISS);
	rig_close(&r);
}

static void the_cpu_gets_a_copy_too(void **state)
{
	struct rig r;

	rig_open(&r, &mm_uvm, NULL);
	mm_add(r.mm, VA, 2 * MIB);
	rig_touch(&r, 0, VA, 2 * MIB, 512);
	advise(&r, 0, GS_ADV_READ_MOSTLY, VA, 2 * MIB);
	cpu(&r, VA, 2 * MIB, GS_READ);
	assert_int_equal(r.mm->stats.hbm_bytes, 2 * MIB);
	assert_int_equal(r.mm->stats.d2h_cpu_bytes, 2 * MIB);
	assert_int_equal(one_touch(&r, 0, VA, 2 * MIB, GS_READ), MM_HIT);
	rig_close(&r);
}

static void an_evicted_copy_is_not_written_back(void **state)
{
	struct rig r;

	rig_open(&r, &mm_uvm, small);
	mm_add(r.mm, VA, 12 * MIB);
	cpu(&r, VA, 2 * MIB, GS_WRITE);
	advise(&r, 0, GS_ADV_READ_MOSTLY, VA, 2 * MIB);
	advise(&r, 0, GS_ADV_PREFETCH, VA, 2 * MIB);
	assert_int_equal(bits_count(&block(&r)->extra->copied), 512);
	rig_touch(&r, 0, VA + 2 * MIB, 8 * MIB, 512);
	assert_int_equal(r.mm->stats.evictions, 1);
	assert_int_equal(r.mm->stats.clean_drops, 1);
	assert_int_equal(r.mm->stats.d2h_evict_bytes, 0);
	assert_int_equal(bits_count(&block(&r)->extra->copied), 0);
	rig_close(&r);
}

static void two_devices_read_one_page(void **state)
{
	static const char *const sets[] = { "device.count=2", NULL };
	struct rig r;

	rig_open(&r, &mm_uvm, sets);
	mm_add(r.mm, VA, 2 * MIB);
	advise(&r, 0, GS_ADV_READ_MOSTLY, VA, 2 * MIB);
	rig_touch(&r, 0, VA, 2 * MIB, 512);
	one_touch(&r, 1, VA, 2 * MIB, GS_READ);
	assert_int_equal(r.mm->stats.hbm_bytes, 4 * MIB);
	assert_int_equal(one_touch(&r, 0, VA, 2 * MIB, GS_READ), MM_HIT);
	assert_int_equal(one_touch(&r, 1, VA, 2 * MIB, GS_READ), MM_HIT);
	one_touch(&r, 1, VA, 2 * MIB, GS_WRITE);
	assert_int_equal(r.mm->stats.hbm_bytes, 2 * MIB);
	assert_int_equal(one_touch(&r, 1, VA, 2 * MIB, GS_WRITE), MM_HIT);
	rig_close(&r);
}

/* ---- calls ---- */

static void a_prefetch_to_the_host_spares_the_cpu_its_faults(void **state)
{
	struct rig r;

	rig_open(&r, &mm_uvm, NULL);
	mm_add(r.mm, VA, 4 * MIB);
	rig_touch(&r, 0, VA, 4 * MIB, 512);
	advise(&r, 0, GS_ADV_PREFETCH_HOST, VA, 4 * MIB);
	assert_int_equal(r.mm->stats.d2h_cpu_bytes, 4 * MIB);
	assert_int_equal(r.mm->stats.hbm_bytes, 0);
	assert_int_equal(mm_cpu_touch(r.mm, VA, 4 * MIB, GS_WRITE, NULL), 0);
	assert_int_equal(r.mm->stats.cpu_faults, 0);
	rig_close(&r);
}

static void a_discarded_page_that_was_mapped_from_afar_is_gone(void **state)
{
	struct rig r;

	rig_open(&r, &mm_uvm, NULL);
	mm_add(r.mm, VA, 2 * MIB);
	cpu(&r, VA, 2 * MIB, GS_WRITE);
	advise(&r, 0, GS_ADV_ACCESSED_BY, VA, 2 * MIB);
	advise(&r, 0, GS_ADV_FREE_EAGER, VA, 2 * MIB);
	assert_int_equal(one_touch(&r, 0, VA, 4 * KIB, GS_READ), MM_MISS);
	assert_int_equal(r.mm->stats.h2d_demand_bytes, 0);
	rig_close(&r);
}

/* ---- access counters ---- */

static const char *const ats[] = { "manager.uvm.perf_access_counter_migration_enable=true",
				   "manager.uvm.ats_mode=true", "manager.uvm.coherent_link=true",
				   NULL };

/* 256 accesses of 128 bytes are 32 KiB: then the region of 64 KiB comes. */
static void a_region_comes_after_256_accesses(void **state)
{
	struct rig r;

	rig_open(&r, &mm_uvm, ats);
	mm_add(r.mm, VA, 2 * MIB);
	cpu(&r, VA, 2 * MIB, GS_WRITE);
	assert_int_equal(one_touch(&r, 0, VA + 64 * KIB, 16 * KIB, GS_READ), MM_REMOTE);
	assert_int_equal(own(&r)->notifications, 0);
	assert_int_equal(r.mm->stats.hbm_bytes, 0);
	assert_int_equal(one_touch(&r, 0, VA + 80 * KIB, 16 * KIB, GS_READ), MM_REMOTE);
	assert_int_equal(own(&r)->notifications, 1);
	assert_int_equal(r.mm->stats.hbm_bytes, 64 * KIB);
	assert_int_equal(r.mm->stats.faults, 0);
	assert_int_equal(one_touch(&r, 0, VA + 64 * KIB, 64 * KIB, GS_READ), MM_HIT);
	assert_int_equal(one_touch(&r, 0, VA, 4 * KIB, GS_READ), MM_REMOTE);
	rig_close(&r);
}

static void a_first_touch_faults_with_counters_too(void **state)
{
	struct rig r;

	rig_open(&r, &mm_uvm, ats);
	mm_add(r.mm, VA, 2 * MIB);
	rig_touch(&r, 0, VA, 2 * MIB, 16);
	assert_int_equal(r.mm->stats.remote, 0);
	assert_true(r.mm->stats.faults > 0);
	rig_close(&r);
}

/* A host chunk of 2 MiB tells all its regions; one of 4 KiB pages only the last. */
static void all_regions_of_a_huge_host_page_come_at_once(void **state)
{
	struct rig r;

	rig_open(&r, &mm_uvm, ats);
	mm_add(r.mm, VA, 2 * MIB);
	rig_touch(&r, 0, VA, 2 * MIB, 512);
	advise(&r, 0, GS_ADV_PREFETCH_HOST, VA, 2 * MIB);
	assert_false(block(&r)->scattered);
	for (u64 i = 0; i < 8; i++) /* 4 KiB in each of 8 regions, none beside another */
		one_touch(&r, 0, VA + i * 256 * KIB, 4 * KIB, GS_READ);
	assert_int_equal(own(&r)->notifications, 1);
	assert_int_equal(r.mm->stats.hbm_bytes, 8 * 64 * KIB);
	rig_close(&r);
}

static void the_threshold_is_a_parameter(void **state)
{
	static const char *const sets[] = { "manager.uvm.perf_access_counter_migration_enable=true",
					    "manager.uvm.ats_mode=true",
					    "manager.uvm.perf_access_counter_threshold=1024",
					    NULL };
	struct rig r;

	rig_open(&r, &mm_uvm, sets);
	mm_add(r.mm, VA, 2 * MIB);
	cpu(&r, VA, 2 * MIB, GS_WRITE);
	one_touch(&r, 0, VA, 124 * KIB, GS_READ);
	assert_int_equal(own(&r)->notifications, 0);
	one_touch(&r, 0, VA + 124 * KIB, 4 * KIB, GS_READ);
	assert_int_equal(own(&r)->notifications, 1);
	rig_close(&r);
}

/* Managed memory faults and moves; only what was evicted is left to the counters. */
static void evicted_managed_memory_stays_mapped_and_is_counted(void **state)
{
	static const char *const sets[] = { "device.hbm.capacity=8 MiB",
					    "manager.uvm.perf_access_counter_migration_enable=true",
					    NULL };
	static const char *const off[] = { "device.hbm.capacity=8 MiB",
					   "manager.uvm.perf_access_counter_migration_enable=true",
					   "manager.uvm.perf_map_remote_on_eviction=false", NULL };
	struct rig r;

	rig_open(&r, &mm_uvm, sets);
	mm_add(r.mm, VA, 12 * MIB);
	cpu(&r, VA, 2 * MIB, GS_WRITE);
	assert_int_equal(one_touch(&r, 0, VA, 2 * MIB, GS_READ), MM_MISS);
	rig_touch(&r, 0, VA + 2 * MIB, 8 * MIB, 512);
	assert_int_equal(one_touch(&r, 0, VA, 28 * KIB, GS_READ), MM_REMOTE);
	assert_int_equal(own(&r)->notifications, 0);
	one_touch(&r, 0, VA + 28 * KIB, 4 * KIB, GS_READ);
	assert_int_equal(own(&r)->notifications, 1);
	assert_int_equal(one_touch(&r, 0, VA, 28 * KIB, GS_READ), MM_HIT);
	rig_close(&r);
	rig_open(&r, &mm_uvm, off);
	mm_add(r.mm, VA, 12 * MIB);
	rig_touch(&r, 0, VA, 10 * MIB, 512);
	assert_int_equal(one_touch(&r, 0, VA, 4 * KIB, GS_READ), MM_MISS);
	rig_close(&r);
}

static void the_cpu_reads_system_memory_on_the_device_in_place(void **state)
{
	struct rig r;
	gs_time before;

	rig_open(&r, &mm_uvm, ats);
	mm_add(r.mm, VA, 2 * MIB);
	rig_touch(&r, 0, VA, 2 * MIB, 512);
	before = gs_now(r.sim);
	cpu(&r, VA, MIB, GS_READ);
	assert_int_equal(gs_now(r.sim) - before, uvm_cpu_far(uvm_of(r.mm), 0, MIB, GS_READ));
	assert_int_equal(r.mm->stats.hbm_bytes, 2 * MIB);
	assert_int_equal(r.mm->stats.cpu_faults, 0);
	rig_close(&r);
}

/* ---- thrashing ---- */

/* The CPU and the device write one page in turn, @n times each, as fast as they can. */
static void ping_pong(struct rig *r, int n)
{
	while (n--) {
		cpu(r, VA, 4 * KIB, GS_WRITE);
		one_touch(r, 0, VA, 4 * KIB, GS_WRITE);
	}
}

/*
 * Moves are events.  The first one that is within a lapse of another processor's
 * makes the block watched and is the page's first; three more that follow closely
 * make it thrash.
 */
static void a_page_thrashes_after_three_events_in_a_row(void **state)
{
	struct rig r;

	rig_open(&r, &mm_uvm, NULL);
	mm_add(r.mm, VA, 4 * KIB);
	ping_pong(&r, 1); /* the device took it: the block's first event */
	assert_null(block(&r)->extra);
	cpu(&r, VA, 4 * KIB, GS_WRITE); /* the page's first */
	assert_non_null(block(&r)->extra);
	one_touch(&r, 0, VA, 4 * KIB, GS_WRITE);
	cpu(&r, VA, 4 * KIB, GS_WRITE);
	assert_int_equal(own(&r)->thrashing_pages, 0);
	one_touch(&r, 0, VA, 4 * KIB, GS_WRITE);
	assert_int_equal(own(&r)->thrashing_pages, 1);
	assert_int_equal(own(&r)->throttles, 0);
	rig_close(&r);
}

static void slow_turns_do_not_thrash(void **state)
{
	struct rig r;

	rig_open(&r, &mm_uvm, NULL);
	mm_add(r.mm, VA, 4 * KIB);
	for (int i = 0; i < 50; i++) {
		cpu(&r, VA, 4 * KIB, GS_WRITE);
		gs_advance(r.sim, gs_now(r.sim) + 600 * GS_US);
		one_touch(&r, 0, VA, 4 * KIB, GS_WRITE);
		gs_advance(r.sim, gs_now(r.sim) + 600 * GS_US);
	}
	assert_int_equal(own(&r)->thrashing_pages, 0);
	rig_close(&r);
}

static void throttling_lasts_a_nap(void **state)
{
	struct rig r;
	gs_time before;

	rig_open(&r, &mm_uvm, NULL);
	mm_add(r.mm, VA, 4 * KIB);
	while (!own(&r)->thrashing_pages)
		ping_pong(&r, 1);
	/* the CPU is first to fault now, so the nap is its own ... */
	cpu(&r, VA, 4 * KIB, GS_WRITE);
	before = gs_now(r.sim);
	assert_int_equal(own(&r)->throttles, 0);
	/* ... and the device waits for its end */
	one_touch(&r, 0, VA, 4 * KIB, GS_WRITE);
	assert_true(own(&r)->throttles > 0);
	assert_in_range(gs_now(r.sim) - before, 400 * GS_US, 560 * GS_US);
	rig_close(&r);
}

static void a_page_is_pinned_after_ten_throttlings(void **state)
{
	struct rig r;
	u64 h2d;
	gs_time pinned;

	rig_open(&r, &mm_uvm, NULL);
	mm_add(r.mm, VA, 4 * KIB);
	for (int i = 0; i < 100 && !own(&r)->pinned_pages; i++)
		ping_pong(&r, 1);
	assert_int_equal(own(&r)->pinned_pages, 1);
	pinned = gs_now(r.sim);
	/* the CPU cannot reach the device, so it ends on the host: all have it mapped */
	ping_pong(&r, 2);
	h2d = r.machine.links[0].stats[HW_H2D].bytes;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(mm_cpu_touch(r.mm, VA, 4 * KIB, GS_WRITE, NULL), 0);
		assert_int_equal(one_touch(&r, 0, VA, 4 * KIB, GS_WRITE), MM_REMOTE);
	}
	assert_int_equal(r.machine.links[0].stats[HW_H2D].bytes, h2d);
	/* 300 lapses of 500 us, less the timer's 20 us */
	gs_advance(r.sim, pinned + 149 * GS_MS);
	assert_int_equal(one_touch(&r, 0, VA, 4 * KIB, GS_WRITE), MM_REMOTE);
	gs_advance(r.sim, pinned + 150 * GS_MS);
	assert_int_equal(one_touch(&r, 0, VA, 4 * KIB, GS_WRITE), MM_MISS);
	assert_int_equal(own(&r)->unpinned_pages, 1);
	assert_int_equal(r.mm->stats.hbm_bytes, 4 * KIB);
	rig_close(&r);
}

static void without_a_timeout_a_page_is_pinned_for_ever(void **state)
{
	static const char *const sets[] = { "manager.uvm.perf_thrashing_pin=0", NULL };
	struct rig r;

	rig_open(&r, &mm_uvm, sets);
	mm_add(r.mm, VA, 4 * KIB);
	for (int i = 0; i < 100 && !own(&r)->pinned_pages; i++)
		ping_pong(&r, 1);
	ping_pong(&r, 2);
	gs_advance(r.sim, gs_now(r.sim) + 10 * GS_S);
	assert_int_equal(one_touch(&r, 0, VA, 4 * KIB, GS_WRITE), MM_REMOTE);
	rig_close(&r);
}

static void on_a_coherent_link_it_is_pinned_at_once(void **state)
{
	static const char *const sets[] = { "manager.uvm.coherent_link=true", NULL };
	struct rig r;

	rig_open(&r, &mm_uvm, sets);
	mm_add(r.mm, VA, 4 * KIB);
	for (int i = 0; i < 5; i++)
		ping_pong(&r, 1);
	assert_int_equal(own(&r)->pinned_pages, 1);
	assert_int_equal(own(&r)->throttles, 0);
	assert_int_equal(r.mm->stats.hbm_bytes, 4 * KIB); /* the CPU reaches over */
	assert_int_equal(one_touch(&r, 0, VA, 4 * KIB, GS_WRITE), MM_HIT);
	rig_close(&r);
}

/* The device's turn, then the CPU's, and so on. */
static void turn(struct rig *r, int *nth)
{
	if ((*nth)++ % 2)
		cpu(r, VA, 4 * KIB, GS_WRITE);
	else
		one_touch(r, 0, VA, 4 * KIB, GS_WRITE);
}

/* Turns until a page thrashes: the block's event, the page's, three in a row. */
static int turns_to_thrash(struct rig *r, int *nth)
{
	u64 before = own(r)->thrashing_pages;
	int begin = *nth;

	while (own(r)->thrashing_pages == before)
		turn(r, nth);
	return *nth - begin;
}

static void after_a_quiet_epoch_a_block_begins_anew(void **state)
{
	struct rig r;
	int nth = 0;

	rig_open(&r, &mm_uvm, NULL);
	mm_add(r.mm, VA, 4 * KIB);
	cpu(&r, VA, 4 * KIB, GS_WRITE);
	for (int round = 0; round < 7; round++) {
		/* after four resets the block stays watched: its own event is over */
		assert_int_equal(turns_to_thrash(&r, &nth), round < 5 ? 5 : 4);
		gs_advance(r.sim, gs_now(r.sim) + 1001 * GS_MS);
		turn(&r, &nth);
		assert_false(bits_any(uvm_thrashing(block(&r))));
		gs_advance(r.sim, gs_now(r.sim) + 1001 * GS_MS);
	}
	assert_int_equal(own(&r)->throttles, 0);
	rig_close(&r);
}

static void no_epoch_ends_without_resets(void **state)
{
	static const char *const sets[] = { "manager.uvm.perf_thrashing_max_resets=0", NULL };
	struct rig r;
	int nth = 0;

	rig_open(&r, &mm_uvm, sets);
	mm_add(r.mm, VA, 4 * KIB);
	cpu(&r, VA, 4 * KIB, GS_WRITE);
	assert_int_equal(turns_to_thrash(&r, &nth), 5);
	gs_advance(r.sim, gs_now(r.sim) + 1001 * GS_MS);
	turn(&r, &nth);
	gs_advance(r.sim, gs_now(r.sim) + 1001 * GS_MS);
	assert_int_equal(turns_to_thrash(&r, &nth), 4);
	rig_close(&r);
}

static void two_devices_on_nvlink_share_a_pinned_page(void **state)
{
	static const char *const sets[] = { "device.count=2", NULL };
	struct rig r;

	rig_open(&r, &mm_uvm, sets);
	mm_add(r.mm, VA, 4 * KIB);
	for (int i = 0; i < 5; i++) {
		one_touch(&r, 0, VA, 4 * KIB, GS_WRITE);
		one_touch(&r, 1, VA, 4 * KIB, GS_WRITE);
	}
	assert_int_equal(own(&r)->pinned_pages, 1);
	assert_int_equal(one_touch(&r, 0, VA, 4 * KIB, GS_WRITE) +
				 one_touch(&r, 1, VA, 4 * KIB, GS_WRITE),
			 MM_HIT + MM_REMOTE);
	rig_close(&r);
}

static void thrashing_can_be_switched_off(void **state)
{
	static const char *const sets[] = { "manager.uvm.perf_thrashing_enable=false", NULL };
	struct rig r;

	rig_open(&r, &mm_uvm, sets);
	mm_add(r.mm, VA, 4 * KIB);
	ping_pong(&r, 100);
	assert_null(block(&r)->extra);
	rig_close(&r);
}

/* A device that is merely too small fights with nobody. */
static void capacity_misses_are_no_thrashing(void **state)
{
	struct rig r;

	rig_open(&r, &mm_uvm, small);
	mm_add(r.mm, VA, 16 * MIB);
	for (int sweep = 0; sweep < 10; sweep++)
		rig_touch(&r, 0, VA, 16 * MIB, 512);
	assert_int_equal(own(&r)->thrashing_pages, 0);
	assert_null(block(&r)->extra);
	rig_close(&r);
}

/* The driver's votes: a lapse left at its default grows by an eighth a hint. */
static void the_default_lapse_grows(void **state)
{
	static const char *const fixed[] = { "manager.uvm.thrashing_lapse_grows=false", NULL };
	static const char *const set[] = { "manager.uvm.perf_thrashing_lapse=499 us", NULL };
	struct rig r;

	rig_open(&r, &mm_uvm, NULL);
	mm_add(r.mm, VA, 4 * KIB);
	for (int i = 0; i < 20; i++)
		ping_pong(&r, 1);
	assert_true(uvm_of(r.mm)->lapse > 550 * GS_US);
	rig_close(&r);
	rig_open(&r, &mm_uvm, fixed);
	mm_add(r.mm, VA, 4 * KIB);
	ping_pong(&r, 20);
	assert_int_equal(uvm_of(r.mm)->lapse, 500 * GS_US);
	rig_close(&r);
	rig_open(&r, &mm_uvm, set);
	mm_add(r.mm, VA, 4 * KIB);
	ping_pong(&r, 20);
	assert_int_equal(uvm_of(r.mm)->lapse, 499 * GS_US);
	rig_close(&r);
}

/* ---- the long way ---- */

struct traffic {
	u16 devices;
	bool advice; /* of all kinds */
};

static void random_traffic(struct rig *r, const struct traffic *k, u64 x, int n)
{
	while (n--) {
		u64 page, len;
		u8 kind, access;

		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		page = (x >> 33) % (32 * MIB / UVM_PAGE);
		len = gs_min((x >> 20) % 700 + 1, 32 * MIB / UVM_PAGE - page);
		kind = (x >> 59) % 16;
		access = (u8)((x >> 8) % 3 + 1);
		if (kind < 3)
			cpu(r, VA + page * UVM_PAGE, len * UVM_PAGE, access);
		else if (kind == 3)
			rig_advise(r, (u16)((x >> 50) % k->devices),
				   k->advice ? (u8)((x >> 40) % GS_NR_ADVICE) : GS_ADV_PREFETCH,
				   VA + page * UVM_PAGE, len * UVM_PAGE);
		else if (kind == 4)
			rig_advise(r, 0, GS_ADV_FREE_EAGER, VA + page * UVM_PAGE, len * UVM_PAGE);
		else if (kind == 5) {
			mm_remove(r->mm, VA + page * UVM_PAGE, len * UVM_PAGE, NULL);
			mm_add(r->mm, VA + page * UVM_PAGE, len * UVM_PAGE);
		} else if (access == (GS_READ | GS_WRITE))
			rig_touch(r, (u16)((x >> 50) % k->devices), VA + page * UVM_PAGE,
				  len * UVM_PAGE, (u32)((x >> 10) % 300 + 1));
		else
			one_touch(r, (u16)((x >> 50) % k->devices), VA + page * UVM_PAGE,
				  len * UVM_PAGE, access);
		assert_int_equal(r->mm->ops->check(r->mm), 0);
	}
}

static void content_is_never_lost_whatever_is_advised(void **state)
{
	static const char *const machines[][6] = {
		{ "device.hbm.capacity=8 MiB", NULL },
		{ "device.hbm.capacity=8 MiB", "device.count=2", NULL },
		{ "device.hbm.capacity=8 MiB", "device.count=3", "manager.uvm.peer_access=false",
		  "manager.uvm.perf_access_counter_migration_enable=true", NULL },
		{ "device.hbm.capacity=8 MiB", "device.count=2", "manager.uvm.coherent_link=true",
		  "manager.uvm.perf_access_counter_migration_enable=true",
		  "manager.uvm.ats_mode=true", NULL },
		{ "device.hbm.capacity=8 MiB", "device.count=2", "manager.uvm.coherent_link=true",
		  "manager.uvm.perf_fault_replay_policy=block", NULL },
		{ "device.hbm.capacity=8 MiB", "device.count=2",
		  "manager.uvm.perf_fault_replay_policy=once", NULL },
	};
	static const u16 devices[] = { 1, 2, 3, 2, 2, 2 };

	for (size_t i = 0; i < GS_ARRAY_SIZE(machines); i++) {
		struct traffic k = { .devices = devices[i], .advice = true };
		struct rig r;

		rig_open(&r, &mm_uvm, machines[i]);
		mm_add(r.mm, VA, 32 * MIB);
		random_traffic(&r, &k, i + 1, 700);
		rig_close(&r);
	}
}

struct outcome {
	gs_time end;
	struct mm_stats stats;
};

static struct outcome traffic_on(const char *const *sets, u16 devices, bool extra)
{
	struct traffic k = { .devices = devices };
	struct outcome o;
	struct rig r;

	rig_open(&r, &mm_uvm, sets);
	mm_add(r.mm, VA, 32 * MIB);
	if (extra)
		advise(&r, 0, GS_ADV_UNPREFER, VA, 32 * MIB);
	random_traffic(&r, &k, 7, 1500);
	assert_int_equal(!!block(&r)->extra, extra);
	o.end = gs_now(r.sim);
	o.stats = r.mm->stats;
	rig_close(&r);
	return o;
}

/* Blocks that have an extra for no reason cost what the others cost. */
static void the_long_way_costs_nothing_by_itself(void **state)
{
	static const char *const sets[] = { "device.hbm.capacity=8 MiB",
					    "manager.uvm.perf_thrashing_enable=false",
					    "device.count=2", NULL };

	for (u16 devices = 1; devices <= 2; devices++) {
		struct outcome plain = traffic_on(sets, devices, false);
		struct outcome extra = traffic_on(sets, devices, true);

		assert_int_equal(plain.end, extra.end);
		assert_memory_equal(&plain.stats, &extra.stats, sizeof(plain.stats));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_prefers_the_host_is_mapped_and_stays_there),
		cmocka_unit_test(a_first_touch_populates_the_preferred_host),
		cmocka_unit_test(a_first_touch_populates_all_of_a_block_that_prefers_the_device),
		cmocka_unit_test(a_remote_touch_costs_bytes_over_the_rate),
		cmocka_unit_test(what_a_device_accesses_stays_mapped_after_it_left),
		cmocka_unit_test(another_device_is_read_where_it_has_it),
		cmocka_unit_test(readers_get_copies_and_a_write_leaves_one),
		cmocka_unit_test(the_cpu_gets_a_copy_too),
		cmocka_unit_test(an_evicted_copy_is_not_written_back),
		cmocka_unit_test(two_devices_read_one_page),
		cmocka_unit_test(a_prefetch_to_the_host_spares_the_cpu_its_faults),
		cmocka_unit_test(a_discarded_page_that_was_mapped_from_afar_is_gone),
		cmocka_unit_test(a_region_comes_after_256_accesses),
		cmocka_unit_test(a_first_touch_faults_with_counters_too),
		cmocka_unit_test(all_regions_of_a_huge_host_page_come_at_once),
		cmocka_unit_test(the_threshold_is_a_parameter),
		cmocka_unit_test(evicted_managed_memory_stays_mapped_and_is_counted),
		cmocka_unit_test(the_cpu_reads_system_memory_on_the_device_in_place),
		cmocka_unit_test(a_page_thrashes_after_three_events_in_a_row),
		cmocka_unit_test(slow_turns_do_not_thrash),
		cmocka_unit_test(throttling_lasts_a_nap),
		cmocka_unit_test(a_page_is_pinned_after_ten_throttlings),
		cmocka_unit_test(without_a_timeout_a_page_is_pinned_for_ever),
		cmocka_unit_test(on_a_coherent_link_it_is_pinned_at_once),
		cmocka_unit_test(after_a_quiet_epoch_a_block_begins_anew),
		cmocka_unit_test(no_epoch_ends_without_resets),
		cmocka_unit_test(two_devices_on_nvlink_share_a_pinned_page),
		cmocka_unit_test(thrashing_can_be_switched_off),
		cmocka_unit_test(capacity_misses_are_no_thrashing),
		cmocka_unit_test(the_default_lapse_grows),
		cmocka_unit_test(content_is_never_lost_whatever_is_advised),
		cmocka_unit_test(the_long_way_costs_nothing_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
