// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * test_core.c - the core against GMEM as published
 *
 * A host that writes down what it is asked, in a few letters, and answers when
 * the test says so.  Messages are the type's word with an arrow, > from device
 * to host and < from host to device:
 *
 *	PAGE_FAULT>  ALLOC_PAGE<  copy<  dmap  ok>  ok<
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gm_pager.h"
#include "gm_policy.h"
#include "gm_port_host.h"

#define UNIT (2ULL << 20)
#define OPS  4096

static struct {
	struct gm_op *op[OPS]; /* a ring of what is not answered */
	u32 head, tail;
	char log[16384];
	size_t len;
	bool log_va;
	u64 now, host_frames, host_limit;
	u32 nr, fail_at; /* answers given; the one that is an error */
	int fail_err;
	u32 copies, copy_units;
} H;

static struct gm_params params;
static struct gm_core *core;
static struct gm_as *as;
static struct gm_dev *dev[2];
static struct gm_ctx *ctx[2];

/* ---- the host --------------------------------------------------------- */

static void say(const char *word)
{
	if (H.len + strlen(word) + 2 < sizeof(H.log))
		H.len += (size_t)sprintf(H.log + H.len, "%s%s", H.len ? " " : "", word);
}

static void submit(void *host, struct gm_op *op)
{
	static const char *const msgs[] = { "PAIR",	  "EXIT_O",	"EXIT_R",    "ALLOC_VMA",
					    "FREE_VMA",	  "ALLOC_PAGE", "FREE_PAGE", "PAGE_FAULT",
					    "EVICT_PAGE", "ADVISE",	"MEMCPY",    "ok" };
	static const char *const ops[] = { "",	     "copy", "zero", "halloc", "dalloc", "dma",
					   "hunmap", "hmap", "dmap", "dunmap", "timer" };
	const char *arrow = op->to == GM_HOST_NODE ? ">" : op->from == GM_HOST_NODE ? "<" : "=";
	char word[64];

	if (op->type == GM_OP_MSG)
		snprintf(word, sizeof(word), "%s%s", msgs[op->msg], arrow);
	else if (op->type == GM_OP_COPY || op->type == GM_OP_ZERO)
		snprintf(word, sizeof(word), "%s%s", ops[op->type], arrow);
	else
		snprintf(word, sizeof(word), "%s", ops[op->type]);
	if (H.log_va)
		snprintf(word + strlen(word), sizeof(word) - strlen(word), "%llu", op->va / UNIT);
	if (op->type == GM_OP_COPY) {
		H.copies++;
		H.copy_units += op->units;
	}
	say(word);
	H.op[H.tail++ % OPS] = op;
}

static void host_free(void *host, u64 frame)
{
	H.host_frames--;
}

static u64 host_clock(void *host)
{
	return H.now;
}

static u64 next_use(void *host, u32 d, u64 va)
{
	return va;
}

static const struct gm_host_ops ops = { submit, host_free, host_clock, next_use, NULL };

static bool answer_one(void)
{
	struct gm_op *op;
	int err = 0;

	if (H.head == H.tail)
		return false;
	op = H.op[H.head++ % OPS];
	H.now += 10;
	if (++H.nr == H.fail_at)
		err = H.fail_err;
	if (op->type == GM_OP_HOST_ALLOC && !err) {
		if (H.host_frames >= H.host_limit)
			err = -ENOMEM;
		else
			op->frame = ++H.host_frames;
	}
	gm_op_done(op, err);
	return true;
}

static void check(void)
{
	char why[160] = "";

	if (gm_check(core, why, sizeof(why)))
		fail_msg("%s", why);
}

/* Everything that is asked is answered, in the order it was asked. */
static void settle(void)
{
	while (answer_one())
		check();
}

static void forget_log(void)
{
	H.len = 0;
	H.log[0] = 0;
	H.copies = 0;
	H.copy_units = 0;
}

/* ---- a space with a device -------------------------------------------- */

static void set_up(const char *variant, u64 frames, u64 units)
{
	struct gm_setup setup = { .params = &params,
				  .variant = variant,
				  .evictor = "",
				  .prefetcher = "none",
				  .unit = UNIT,
				  .random_seed = 1 };

	memset(&H, 0, sizeof(H));
	H.host_limit = ~0ULL;
	core = gm_core_new(&setup, &ops, NULL);
	assert_false(IS_ERR(core));
	dev[0] = gm_dev_create(core, frames);
	as = gm_as_create(core);
	ctx[0] = gm_as_attach(as, dev[0]);
	assert_int_equal(gm_mmap(as, 0, units * UNIT), 0);
}

static void second_device(u64 frames)
{
	dev[1] = gm_dev_create(core, frames);
	ctx[1] = gm_as_attach(as, dev[1]);
}

static void tear_down(void)
{
	settle();
	gm_as_destroy(as);
	assert_int_equal(gm_dev_used(dev[0]), 0);
	assert_int_equal(H.host_frames, 0);
	gm_core_free(core);
	gm_params_init(&params);
	assert_int_equal(gm_port_live(), 0);
}

struct wait {
	struct gm_waiter w;
	int err, woken;
	u64 end[GM_NR_PHASES];
};

static void woken(struct gm_waiter *w, int err, const u64 end[GM_NR_PHASES])
{
	struct wait *t = container_of(w, struct wait, w);

	t->err = err;
	t->woken++;
	memcpy(t->end, end, sizeof(t->end));
}

static struct wait *fresh(struct wait *t)
{
	*t = (struct wait){ .w.wake = woken, .err = -EINPROGRESS };
	return t;
}

static int dev_fault(u64 unit, bool write)
{
	struct wait t;
	int err = gm_dev_fault(ctx[0], unit * UNIT, write, &fresh(&t)->w);

	settle();
	return err == -EINPROGRESS ? t.err : err;
}

static int cpu_fault(u64 unit)
{
	struct wait t;
	int err = gm_cpu_fault(as, unit * UNIT, true, &fresh(&t)->w);

	settle();
	return err == -EINPROGRESS ? t.err : err;
}

static int advise(u32 what, u64 va, u64 bytes)
{
	struct wait t;
	int err = gm_advise(as, 0, va, bytes, what, &fresh(&t)->w);

	settle();
	return err == -EINPROGRESS ? t.err : err;
}

static const struct gm_mapping *unit_at(u64 unit)
{
	return gm_as_find(as, unit * UNIT);
}

static u64 stat(const char *name)
{
	const struct gm_stat *row;

	for (row = gm_stat_rows; row->name; row++)
		if (!strcmp(row->name, name))
			return *(const u64 *)((const char *)gm_core_stats(core) + row->offset);
	fail_msg("no counter %s", name);
	return 0;
}

#define assert_log(text)                          \
	do {                                      \
		assert_string_equal(H.log, text); \
		forget_log();                     \
	} while (0)

/* ---- the event templates (reference 1.4) ------------------------------ */

static void device_owned_sequences(void **state)
{
	set_up("gmem-23.09", 8, 8);
	assert_int_equal(dev_fault(0, true), 0);
	assert_log("PAGE_FAULT> ALLOC_PAGE< dalloc zero< dmap ok> ok<"); /* 4M + Ad + Z */
	assert_int_equal(cpu_fault(0), 0);
	assert_log("halloc zero> dma FREE_PAGE< dunmap copy> ok> hmap"); /* 2M + Ah + Z + T + D2H */
	assert_int_equal(dev_fault(0, false), 0);
	assert_log("PAGE_FAULT> hunmap dma ALLOC_PAGE< dalloc copy< dmap ok> ok<");
	assert_int_equal(cpu_fault(1), 0);
	assert_log("halloc zero> hmap");
	assert_int_equal(advise(GM_ADVISE_PREFETCH, UNIT, UNIT), 0);
	assert_log("hunmap dma ALLOC_PAGE< dalloc copy< dmap ok>"); /* 2M + T + Ad + H2D */
	assert_int_equal(advise(GM_ADVISE_PREFETCH, 2 * UNIT, UNIT), 0);
	assert_log("ALLOC_PAGE< dalloc zero< dmap ok>");
	assert_int_equal(advise(GM_ADVISE_PREFETCH, 2 * UNIT, UNIT), 0);
	assert_log("ALLOC_PAGE< ok>"); /* a hint costs messages */
	tear_down();
}

static void eviction_is_inserted_before_the_frame(void **state)
{
	params.background = GM_OFF;
	set_up("gmem-23.09", 1, 4);
	dev_fault(0, true);
	forget_log();
	assert_int_equal(dev_fault(1, true), 0);
	assert_log("PAGE_FAULT> ALLOC_PAGE< "
		   "EVICT_PAGE> halloc dma FREE_PAGE< dunmap copy> ok> ok< " /* 4M+Ah+T+D2H */
		   "dalloc zero< dmap ok> ok<");
	assert_int_equal(unit_at(0)->state, GM_CPU);
	assert_int_equal(cpu_fault(0), 0); /* no allocation, no zeroing, no copy */
	assert_log("hmap");
	tear_down();
}

static void host_owned_sequences(void **state)
{
	set_up("gmem-olk66", 1, 4);
	assert_int_equal(dev_fault(0, true), 0);
	assert_log("dalloc ALLOC_PAGE< zero< dmap ok>"); /* the import, then peer_map */
	assert_int_equal(dev_fault(1, true), 0);
	assert_log("halloc dma FREE_PAGE< dunmap copy> ok> ALLOC_PAGE< zero< dmap ok>");
	assert_int_equal(dev_fault(0, true), 0);
	forget_log();
	assert_int_equal(advise(GM_ADVISE_PREFETCH, 0, UNIT), 0);
	assert_log(""); /* a hint without a message */
	assert_int_equal(stat("hints"), 1);
	tear_down();
}

/* ---- transitions (reference 1.2) -------------------------------------- */

static void units_change_state_as_published(void **state)
{
	set_up("gmem-23.09", 8, 8);
	cpu_fault(0);
	assert_int_equal(unit_at(0)->state, GM_CPU);
	dev_fault(0, false);
	assert_int_equal(unit_at(0)->state, GM_DEVICE);
	assert_int_equal(H.host_frames, 0); /* exclusive */
	forget_log();
	assert_int_equal(dev_fault(0, true), 0);
	assert_log(""); /* resident: nothing happens */
	assert_int_equal(advise(GM_ADVISE_FREE_EAGER, 0, UNIT), 0);
	assert_log("FREE_PAGE< dunmap ok>"); /* discarded without a copy */
	assert_int_equal(unit_at(0)->state, GM_NOMAP);
	cpu_fault(0);
	forget_log();
	assert_int_equal(advise(GM_ADVISE_FREE_EAGER, 0, UNIT), 0);
	assert_log("hunmap");
	assert_int_equal(unit_at(0)->state, GM_NOMAP);
	assert_int_equal(gm_dev_used(dev[0]), 0);
	assert_int_equal(H.host_frames, 0);
	tear_down();
}

static void advice_rounds_and_is_cut_for_workers(void **state)
{
	set_up("gmem-23.09", 64, 64);
	assert_int_equal(advise(GM_ADVISE_PREFETCH, 3 * UNIT + 1, UNIT), 0); /* outward: 3, 4 */
	assert_int_equal(gm_dev_used(dev[0]), 2);
	assert_int_equal(unit_at(3)->state, GM_DEVICE);
	assert_int_equal(unit_at(4)->state, GM_DEVICE);
	assert_int_equal(advise(GM_ADVISE_FREE_EAGER, 3 * UNIT + 1, UNIT), 0); /* inward: none */
	assert_int_equal(gm_dev_used(dev[0]), 2);
	assert_int_equal(advise(GM_ADVISE_FREE_EAGER, 3 * UNIT - 1, UNIT + 1), 0);
	assert_int_equal(unit_at(3)->state, GM_NOMAP);
	assert_int_equal(gm_advise(as, 0, ~0ULL, ~0ULL, GM_ADVISE_FREE_EAGER, NULL), -EINVAL);
	assert_int_equal(gm_advise(as, 7, 0, UNIT, GM_ADVISE_PREFETCH, NULL), -EINVAL);

	/* 11 units: quarters of 2, the last one takes 3; four go at once */
	forget_log();
	H.log_va = true;
	assert_int_equal(gm_advise(as, 0, 20 * UNIT, 11 * UNIT, GM_ADVISE_PREFETCH, NULL), 0);
	assert_log("ALLOC_PAGE<20 ALLOC_PAGE<22 ALLOC_PAGE<24 ALLOC_PAGE<26");
	settle();
	assert_int_equal(stat("prefetch_moved"), 13);
	assert_int_equal(stat("units_device"), 12);
	/* below four units there is one piece, page by page */
	forget_log();
	assert_int_equal(gm_advise(as, 0, 40 * UNIT, 3 * UNIT, GM_ADVISE_PREFETCH, NULL), 0);
	assert_log("ALLOC_PAGE<40");
	tear_down();
}

static void advice_is_done_when_its_waiter_is_woken(void **state)
{
	struct wait t;
	u32 v;

	for (v = 0; gm_variant_names[v]; v++) {
		set_up(gm_variant_names[v], 32, 32);
		cpu_fault(3);
		assert_int_equal(gm_advise(as, 0, 0, 11 * UNIT, GM_ADVISE_PREFETCH, &fresh(&t)->w),
				 -EINPROGRESS);
		while (!t.woken)
			assert_true(answer_one());
		assert_int_equal(stat("units_device"), 11);
		assert_int_equal(stat("txns_in_use"), 0);
		tear_down();
	}
}

static void prefetches_are_useful_late_or_wasted(void **state)
{
	struct wait a;

	params.background = GM_OFF;
	set_up("gmem-23.09", 2, 8);
	advise(GM_ADVISE_PREFETCH, 0, 2 * UNIT);
	assert_int_equal(gm_dev_touch(ctx[0], 0, 1, false), 1);
	assert_int_equal(stat("prefetch_useful"), 1);
	gm_advise(as, 0, 4 * UNIT, UNIT, GM_ADVISE_PREFETCH, NULL);
	assert_int_equal(gm_dev_fault(ctx[0], 4 * UNIT, false, &fresh(&a)->w), -EINPROGRESS);
	settle();
	assert_int_equal(a.woken, 1);
	assert_int_equal(stat("prefetch_late"), 1);
	dev_fault(5, false); /* evicts 1, which nobody has touched */
	assert_int_equal(unit_at(1)->state, GM_CPU);
	assert_int_equal(stat("prefetch_wasted"), 1);
	tear_down();
}

/* ---- constants -------------------------------------------------------- */

static void swapd_works_between_the_watermarks(void **state)
{
	u64 i;

	set_up("gmem-23.09", 2048, 2048);
	for (i = 0; i < 2048 - 64; i++)
		assert_int_equal(dev_fault(i, true), 0);
	assert_int_equal(stat("evict_background"), 0); /* 128 MiB are 64 units: not under */
	assert_int_equal(dev_fault(i, true), 0);
	assert_int_equal(stat("wmark_wakeups"), 1);
	/* until more than 256 MiB are free */
	assert_int_equal(2048 - gm_dev_used(dev[0]), 129);
	assert_int_equal(stat("evict_direct"), 0);
	tear_down();
}

static void batches_of_16_leave_youngest_first(void **state)
{
	u64 i;

	set_up("gmem-olk66", 20, 64);
	for (i = 0; i < 20; i++)
		dev_fault(i, true);
	H.log_va = true;
	forget_log();
	dev_fault(20, true);
	assert_int_equal(stat("evict_done"), 16);
	for (i = 0; i < 20; i++)
		assert_int_equal(unit_at(i)->state, i < 16 ? GM_CPU : GM_DEVICE);
	/* the 16 oldest, youngest first, one after another, then the fault */
	for (i = 16; i-- > 0;) {
		char word[32];
		const char *at;

		snprintf(word, sizeof(word), "copy>%llu ", i);
		at = strstr(H.log, word);
		assert_non_null(at);
		memset(H.log, '.', (size_t)(at - H.log) + 4);
	}
	assert_non_null(strstr(H.log, "ALLOC_PAGE<20"));
	assert_int_equal(gm_dev_used(dev[0]), 5);
	tear_down();
}

static void direct_eviction_ends_after_so_many_rounds(void **state)
{
	params.background = GM_OFF;
	params.put_back = GM_ON;
	set_up("gmem-23.09", 2, 8);
	dev_fault(0, true);
	dev_fault(1, true);
	H.host_limit = 0;
	assert_int_equal(dev_fault(2, true), -ENOMEM);
	assert_int_equal(stat("evict_host_nomem"), 10);
	assert_int_equal(stat("put_back"), 10);
	assert_int_equal(unit_at(0)->state, GM_DEVICE);
	assert_int_equal(unit_at(2)->state, GM_NOMAP);
	H.host_limit = 9;
	assert_int_equal(dev_fault(2, true), 0);
	tear_down();
	set_up("gmem-olk66", 2, 8);
	dev_fault(0, true);
	dev_fault(1, true);
	H.host_limit = 0;
	assert_int_equal(dev_fault(2, true), -ENOMEM);
	assert_int_equal(stat("evict_rounds"), 11);
	tear_down();
}

static void the_cap_is_overshot_by_an_import_only(void **state)
{
	u64 i;

	params.cap = 20 * UNIT;
	set_up("gmem-olk66", 64, 64);
	for (i = 0; i < 40; i++)
		assert_int_equal(dev_fault(i, true), 0);
	assert_int_equal(stat("frames_imported"), 32); /* 16, then 16 more while 16 < 20 */
	tear_down();
	params.cap = 20 * UNIT;
	params.cap_enforced = GM_ON;
	set_up("gmem-olk66", 64, 64);
	for (i = 0; i < 40; i++)
		assert_int_equal(dev_fault(i, true), 0);
	assert_int_equal(stat("frames_imported"), 20);
	tear_down();
}

/* ---- failures --------------------------------------------------------- */

/* Each operation fails once: the unit is where it was or where it was to go. */
static void every_step_is_rolled_back(const char *variant, u8 before, bool cpu)
{
	u32 k;
	int err = -1;

	for (k = 1; err; k++) {
		params.background = GM_OFF;
		params.put_back = GM_ON;
		set_up(variant, 1, 4);
		if (before == GM_CPU)
			cpu_fault(0);
		dev_fault(cpu ? 0 : 1, true);
		H.nr = 0;
		H.fail_at = k;
		H.fail_err = -EIO;
		err = cpu ? cpu_fault(0) : dev_fault(0, true);
		if (H.nr < k) {
			assert_int_equal(err, 0);
			assert_int_equal(unit_at(0)->state, cpu ? GM_CPU : GM_DEVICE);
			tear_down();
			break;
		}
		if (err && unit_at(0)->state != before)
			assert_int_equal(unit_at(0)->state, GM_CPU); /* there, HOST_MAP failed */
		if (!cpu) /* whoever had to leave for it */
			assert_true(unit_at(1)->state == GM_CPU || unit_at(1)->state == GM_DEVICE);
		assert_int_equal(stat("msg_owed"), 0);
		H.fail_at = 0;
		assert_int_equal(cpu ? cpu_fault(0) : dev_fault(0, true), 0);
		err = -1;
		tear_down();
	}
	assert_true(k > 4);
}

static void failures_lose_nothing(void **state)
{
	u32 v;

	for (v = 0; gm_variant_names[v]; v++) {
		every_step_is_rolled_back(gm_variant_names[v], GM_NOMAP, false);
		every_step_is_rolled_back(gm_variant_names[v], GM_CPU, false);
		every_step_is_rolled_back(gm_variant_names[v], GM_DEVICE, true);
	}
}

static void a_veto_strands_or_puts_back(void **state)
{
	struct wait t;
	u32 on;

	for (on = 0; on < 2; on++) {
		params.background = GM_OFF;
		params.put_back = on ? GM_ON : GM_AUTO;
		set_up("gmem-23.09", 2, 8);
		dev_fault(0, true);
		dev_fault(1, true);
		gm_dev_fault(ctx[0], 2 * UNIT, true, &fresh(&t)->w);
		while (unit_at(0)->state == GM_DEVICE)
			answer_one();
		assert_int_equal(gm_advise(as, 0, 0, UNIT, GM_ADVISE_WILLNEED, NULL), 0);
		settle();
		assert_int_equal(t.err, 0);
		assert_int_equal(unit_at(0)->state, GM_DEVICE); /* 1 has gone instead */
		assert_int_equal(unit_at(1)->state, GM_CPU);
		assert_int_equal(stat("evict_veto"), 1);
		assert_int_equal(stat("lost_to_policy"), !on);
		dev_fault(3, true); /* off with who is left: 2, or 0 if it was put back first */
		assert_int_equal(unit_at(0)->state, on ? GM_CPU : GM_DEVICE);
		if (!on) { /* found again when somebody prefetches it */
			advise(GM_ADVISE_PREFETCH, 0, UNIT);
			dev_fault(4, true);
			dev_fault(5, true);
			assert_int_equal(unit_at(0)->state, GM_CPU);
		}
		tear_down();
	}
}

static void a_prefetch_to_the_host_takes_whole_units_off(void **state)
{
	struct wait t;

	set_up("gmem+", 8, 8);
	for (u64 i = 0; i < 4; i++)
		dev_fault(i, true);
	advise(GM_ADVISE_PIN, 3 * UNIT, UNIT);
	gm_advise(as, GM_HOST_NODE, UNIT / 2, 5 * UNIT, GM_ADVISE_PREFETCH, &fresh(&t)->w);
	settle();
	assert_int_equal(t.err, 0);
	assert_int_equal(unit_at(0)->state, GM_DEVICE); /* not whole */
	assert_int_equal(unit_at(1)->state, GM_CPU);
	assert_int_equal(unit_at(2)->state, GM_CPU);
	assert_int_equal(unit_at(3)->state, GM_DEVICE); /* pinned */
	assert_int_equal(stat("advised_out"), 2);
	assert_int_equal(stat("d2h_evict_background"), 2 * UNIT);
	/* clean when it leaves again: nothing is copied */
	assert_int_equal(dev_fault(1, false), 0);
	gm_advise(as, GM_HOST_NODE, UNIT, UNIT, GM_ADVISE_PREFETCH, NULL);
	settle();
	assert_int_equal(unit_at(1)->state, GM_CPU);
	assert_int_equal(stat("d2h_evict_background"), 2 * UNIT);
	tear_down();
}

static void without_victims_a_fault_fails(void **state)
{
	set_up("gmem+", 2, 8);
	params.pin_limit = 100;
	dev[0]->node.pin_limit = 2;
	assert_int_equal(advise(GM_ADVISE_PIN, 0, 2 * UNIT), 0);
	assert_int_equal(dev_fault(3, true), -ENOMEM);
	assert_int_equal(advise(GM_ADVISE_PREFETCH, 3 * UNIT, UNIT), 0); /* dropped */
	assert_int_equal(stat("prefetch_dropped"), 1);
	assert_int_equal(cpu_fault(0), -EBUSY);
	assert_int_equal(advise(GM_ADVISE_UNPIN, 0, UNIT), 0);
	assert_int_equal(dev_fault(3, true), 0);
	assert_int_equal(unit_at(1)->state, GM_DEVICE);
	tear_down();
	set_up("gmem-23.09", 2, 8);
	assert_int_equal(advise(GM_ADVISE_PIN, 0, UNIT), -EOPNOTSUPP);
	tear_down();
}

/* Late, or given twice: nobody waits for it, whatever the operation does by now (I16). */
static void stale_answers_change_nothing(void **state)
{
	struct gm_op *op;
	struct wait t;
	u64 ticket;

	set_up("gmem-23.09", 4, 8);
	gm_dev_fault(ctx[0], 0, true, &fresh(&t)->w);
	op = H.op[H.head++ % OPS];
	ticket = op->ticket;
	assert_true(gm_op_answer(core, op, ticket, 0));
	assert_false(gm_op_answer(core, op, ticket, 0)); /* it is another request now */
	settle();
	assert_int_equal(t.err, 0);
	assert_false(gm_op_answer(core, op, ticket, 0)); /* or none */
	gm_dev_fault(ctx[0], UNIT, true, &fresh(&t)->w);
	op = H.op[H.head++ % OPS];
	ticket = op->ticket;
	assert_true(gm_op_answer(core, op, ticket, -ETIMEDOUT));
	assert_int_equal(t.err, -ETIMEDOUT);
	assert_false(gm_op_answer(core, op, ticket, 0));
	assert_int_equal(unit_at(1)->state, GM_NOMAP);
	assert_int_equal(stat("msg_stale"), 3);
	tear_down();
}

/* ---- several at once -------------------------------------------------- */

static void faults_on_one_unit_move_it_once(void **state)
{
	struct wait a, b, c;

	set_up("gmem-23.09", 4, 8);
	assert_int_equal(gm_dev_fault(ctx[0], 0, false, &fresh(&a)->w), -EINPROGRESS);
	assert_int_equal(gm_dev_fault(ctx[0], 0, true, &fresh(&b)->w), -EINPROGRESS);
	assert_int_equal(gm_cpu_fault(as, 0, true, &fresh(&c)->w), -EINPROGRESS);
	while (!a.woken)
		assert_true(answer_one());
	assert_int_equal(b.woken, 1);
	assert_int_equal(c.woken, 0);
	assert_int_equal(stat("moves"), 2); /* and now the CPU's */
	assert_int_equal(stat("fault_joined"), 2);
	settle();
	assert_int_equal(c.err, 0);
	assert_int_equal(unit_at(0)->state, GM_CPU);
	tear_down();
}

static void phases_tell_where_time_went(void **state)
{
	struct wait t;
	u64 born;

	params.background = GM_OFF;
	set_up("gmem-23.09", 1, 8);
	cpu_fault(1);
	dev_fault(0, true);
	born = H.now;
	gm_dev_fault(ctx[0], UNIT, false, &fresh(&t)->w);
	settle();
	assert_int_equal(t.end[GM_PHASE_QUEUE], born);
	assert_int_equal(t.end[GM_PHASE_SERVICE] - born, 50); /* M hunmap dma M dalloc */
	assert_int_equal(t.end[GM_PHASE_EVICT] - t.end[GM_PHASE_SERVICE], 80);
	assert_int_equal(t.end[GM_PHASE_LINK] - t.end[GM_PHASE_EVICT], 10);
	assert_int_equal(t.end[GM_PHASE_FINISH], H.now);
	tear_down();
}

static void batches_share_messages_and_copies(void **state)
{
	struct wait t[16];
	u64 i;

	params.background = GM_OFF;
	set_up("gmem+", 32, 64);
	for (i = 0; i < 16; i++)
		cpu_fault(i);
	forget_log();
	for (i = 0; i < 16; i++)
		gm_dev_fault(ctx[0], i * UNIT, false, &fresh(&t[i])->w);
	settle();
	for (i = 0; i < 16; i++)
		assert_int_equal(t[i].err, 0);
	assert_int_equal(H.copy_units, 16);
	assert_int_equal(H.copies, 3); /* two begin at once, the rest shares */
	assert_int_equal(stat("msg_alloc_page"), 3);
	tear_down();
}

static void clean_units_leave_without_a_copy(void **state)
{
	u64 i;

	params.background = GM_OFF;
	params.batching = GM_OFF;
	params.thrash_damping = GM_OFF;
	set_up("gmem+", 2, 8);
	cpu_fault(0);
	dev_fault(0, false);
	assert_int_equal(H.host_frames, 1); /* the copy stays */
	dev_fault(1, false);
	forget_log();
	dev_fault(2, true);
	assert_log("FREE_PAGE< dunmap ok> ALLOC_PAGE< zero< dmap ok>");
	assert_int_equal(unit_at(0)->state, GM_CPU);
	dev_fault(3, true);
	assert_int_equal(unit_at(1)->state, GM_NOMAP); /* zeroes need no copy either */
	assert_int_equal(H.copies, 0);
	/* a write makes it dirty, and the host may take its frame back */
	dev_fault(0, false);
	assert_int_equal(gm_dev_touch(ctx[0], 0, 1, true), 1);
	for (i = 4; i < 6; i++)
		dev_fault(i, false);
	assert_int_equal(stat("evict_clean"), 2);
	cpu_fault(7);
	dev_fault(7, false);
	H.host_limit = H.host_frames;
	assert_int_equal(cpu_fault(6), 0);
	assert_int_equal(stat("host_copies_dropped"), 1);
	tear_down();
}

static void damping_breaks_a_loop(void **state)
{
	u32 on;
	u64 i, hits[2] = { 0, 0 };

	for (on = 0; on < 2; on++) {
		params.background = GM_OFF;
		params.thrash_damping = on ? GM_ON : GM_OFF;
		set_up("gmem+", 16, 24);
		for (i = 0; i < 24 * 20; i++) {
			if (gm_dev_touch(ctx[0], i % 24 * UNIT, 1, true))
				hits[on]++;
			else
				assert_int_equal(dev_fault(i % 24, true), 0);
			check();
		}
		tear_down();
	}
	assert_int_equal(hits[0], 0); /* LRU on a loop */
	assert_true(hits[1] > 24 * 20 / 5);
}

/* ---- spaces and devices ----------------------------------------------- */

static void two_devices_need_a_variant_that_can(void **state)
{
	struct wait t;
	u32 direct;

	set_up("gmem-23.09", 4, 8);
	dev[1] = gm_dev_create(core, 4);
	assert_int_equal(PTR_ERR(gm_as_attach(as, dev[1])), -EOPNOTSUPP);
	assert_int_equal(PTR_ERR(gm_as_attach(as, dev[0])), -EBUSY);
	tear_down();
	for (direct = 0; direct < 2; direct++) {
		params.d2d = direct ? GM_ON : GM_OFF;
		set_up("gmem+", 4, 8);
		second_device(4);
		dev_fault(0, true);
		forget_log();
		gm_dev_fault(ctx[1], 0, false, &fresh(&t)->w);
		settle();
		assert_int_equal(t.err, 0);
		assert_int_equal(unit_at(0)->owner, 1);
		assert_int_equal(gm_dev_used(dev[0]), 0);
		if (direct)
			assert_log("FREE_PAGE< dunmap ALLOC_PAGE< copy= dmap ok> ok>");
		else
			assert_log("halloc dma FREE_PAGE< dunmap copy> ok> dma ALLOC_PAGE< "
				   "copy< dmap ok>");
		assert_int_equal(gm_dev_touch(ctx[0], 0, 1, false), 0);
		tear_down();
	}
}

/* Each holds what the other wants, and neither has a frame to spare. */
static void full_devices_swap_units(void **state)
{
	struct wait a, b;

	set_up("gmem+", 1, 8);
	second_device(1);
	dev_fault(0, true);
	gm_dev_fault(ctx[1], UNIT, true, &fresh(&b)->w);
	settle();
	gm_dev_fault(ctx[1], 0, true, &fresh(&a)->w);
	gm_dev_fault(ctx[0], UNIT, true, &fresh(&b)->w);
	settle();
	assert_int_equal(a.err, 0);
	assert_int_equal(b.err, 0);
	tear_down();
}

static void detach_brings_everything_home(void **state)
{
	struct wait t;
	u64 i;

	set_up("gmem+", 4, 8);
	for (i = 0; i < 3; i++)
		dev_fault(i, true);
	gm_dev_fault(ctx[0], 3 * UNIT, true, &fresh(&t)->w); /* in mid-transfer */
	answer_one();
	assert_int_equal(gm_as_detach(ctx[0], NULL), 0);
	settle();
	assert_int_equal(t.woken, 1);
	assert_int_equal(gm_dev_used(dev[0]), 0);
	assert_int_equal(unit_at(2)->state, GM_CPU);
	assert_true(list_empty(&as->ctxs));
	tear_down();
}

static void munmap_waits_and_mmap_does_not(void **state)
{
	struct wait t, u, v;

	set_up("gmem-23.09", 4, 8);
	dev_fault(2, true);
	forget_log();
	H.log_va = true;
	gm_dev_fault(ctx[0], 3 * UNIT, true, &fresh(&t)->w);
	assert_int_equal(gm_munmap(as, 2 * UNIT, 2 * UNIT, &fresh(&u)->w), -EINPROGRESS);
	assert_int_equal(gm_dev_touch(ctx[0], 2 * UNIT, 1, false), 0); /* gone for the device */
	assert_int_equal(gm_dev_fault(ctx[0], 2 * UNIT, true, &t.w), -EFAULT);
	assert_int_equal(gm_mmap(as, UNIT, 2 * UNIT), -EEXIST);
	assert_int_equal(gm_mmap(as, 2 * UNIT, 2 * UNIT), 0);
	gm_dev_fault(ctx[0], 2 * UNIT, true, &fresh(&v)->w); /* waits for the old one */
	while (!u.woken)
		assert_true(answer_one());
	assert_int_equal(t.err, -EFAULT);
	assert_int_equal(v.woken, 0);
	assert_non_null(strstr(H.log, "FREE_VMA<"));
	settle();
	assert_int_equal(v.err, 0);
	assert_int_equal(gm_dev_used(dev[0]), 1);
	assert_int_equal(gm_munmap(as, 0, 8 * UNIT, NULL), 0);
	settle();
	assert_int_equal(gm_dev_used(dev[0]), 0);
	assert_int_equal(stat("units_nomap"), 0);
	tear_down();
}

static void a_space_is_idle_when_all_has_gone(void **state)
{
	struct wait t;

	set_up("gmem+", 8, 8);
	assert_false(gm_as_is_idle(as));
	assert_int_equal(gm_advise(as, 0, 0, 8 * UNIT, GM_ADVISE_PREFETCH, NULL), 0);
	assert_int_equal(gm_munmap(as, 0, 8 * UNIT, &fresh(&t)->w), -EINPROGRESS);
	while (!gm_as_is_idle(as))
		assert_true(answer_one());
	assert_int_equal(t.woken, 1);
	assert_false(answer_one());
	tear_down();
}

static void bad_arguments_leave_no_trace(void **state)
{
	struct gm_setup bad = { .params = &params, .variant = "gmem-1", .unit = UNIT };

	assert_int_equal(PTR_ERR(gm_core_new(&bad, &ops, NULL)), -EINVAL);
	bad.variant = "gmem+";
	bad.unit = 3 << 20;
	assert_int_equal(PTR_ERR(gm_core_new(&bad, &ops, NULL)), -EINVAL);
	bad.unit = UNIT;
	bad.evictor = "best";
	assert_int_equal(PTR_ERR(gm_core_new(&bad, &ops, NULL)), -EINVAL);
	set_up("gmem+", 4, 8);
	assert_int_equal(gm_mmap(as, UNIT + 1, UNIT), -EINVAL);
	assert_int_equal(gm_mmap(as, 7 * UNIT, 2 * UNIT), -EEXIST);
	assert_int_equal(gm_mmap(as, 0 - UNIT, 2 * UNIT), -EINVAL);
	assert_int_equal(gm_mmap(as, 16 * UNIT, 0), -EINVAL);
	assert_int_equal(stat("units_nomap"), 8);
	assert_null(gm_as_find(as, 8 * UNIT));
	check();
	tear_down();
}

/* The n-th allocation fails, for every n there is. */
static void each_allocation_may_fail(void **state)
{
	struct gm_setup setup = { .params = &params,
				  .variant = "gmem+",
				  .evictor = "",
				  .prefetcher = "stride",
				  .unit = UNIT };
	u64 n;

	for (n = 1;; n++) {
		bool ok = true, failed;

		gm_port_fail_nth(n);
		core = gm_core_new(&setup, &ops, NULL);
		if (!IS_ERR(core)) {
			dev[0] = gm_dev_create(core, 8);
			as = gm_as_create(core);
			ok = !IS_ERR(dev[0]) && !IS_ERR(as);
			ok = ok && !IS_ERR(gm_as_attach(as, dev[0]));
			ok = ok && !gm_mmap(as, 0, 8 * UNIT);
			ok = ok && !gm_munmap(as, 2 * UNIT, UNIT, NULL);
			check();
			settle();
			gm_core_free(core);
		}
		failed = gm_port_failed();
		gm_port_fail_nth(0);
		assert_int_equal(gm_port_live(), 0);
		assert_true(ok || failed);
		if (!failed)
			break;
	}
	assert_true(n > 10);
}

static void parameters_are_as_documented(void **state)
{
	const struct gm_param *row;
	u32 i;

	for (row = gm_param_rows; row->key; row++) {
		assert_non_null(row->help);
		assert_non_null(row->source);
		assert_true(row->offset < gm_params_size);
	}
	for (i = 0; gm_variant_names[i]; i++)
		assert_non_null(gm_variant_help(i));
	assert_int_equal(params.policy.tree_region, UNIT);
	assert_int_equal(params.thrash_share, 50);
}

static int defaults(void **state)
{
	gm_params_init(&params);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_owned_sequences),
		cmocka_unit_test(eviction_is_inserted_before_the_frame),
		cmocka_unit_test(host_owned_sequences),
		cmocka_unit_test(units_change_state_as_published),
		cmocka_unit_test(advice_rounds_and_is_cut_for_workers),
		cmocka_unit_test(advice_is_done_when_its_waiter_is_woken),
		cmocka_unit_test(prefetches_are_useful_late_or_wasted),
		cmocka_unit_test(swapd_works_between_the_watermarks),
		cmocka_unit_test(batches_of_16_leave_youngest_first),
		cmocka_unit_test(direct_eviction_ends_after_so_many_rounds),
		cmocka_unit_test(the_cap_is_overshot_by_an_import_only),
		cmocka_unit_test(failures_lose_nothing),
		cmocka_unit_test(a_veto_strands_or_puts_back),
		cmocka_unit_test(a_prefetch_to_the_host_takes_whole_units_off),
		cmocka_unit_test(without_victims_a_fault_fails),
		cmocka_unit_test(stale_answers_change_nothing),
		cmocka_unit_test(faults_on_one_unit_move_it_once),
		cmocka_unit_test(phases_tell_where_time_went),
		cmocka_unit_test(batches_share_messages_and_copies),
		cmocka_unit_test(clean_units_leave_without_a_copy),
		cmocka_unit_test(damping_breaks_a_loop),
		cmocka_unit_test(two_devices_need_a_variant_that_can),
		cmocka_unit_test(full_devices_swap_units),
		cmocka_unit_test(detach_brings_everything_home),
		cmocka_unit_test(munmap_waits_and_mmap_does_not),
		cmocka_unit_test(a_space_is_idle_when_all_has_gone),
		cmocka_unit_test(bad_arguments_leave_no_trace),
		cmocka_unit_test(each_allocation_may_fail),
		cmocka_unit_test(parameters_are_as_documented),
	};

	return cmocka_run_group_tests(tests, defaults, NULL);
}
