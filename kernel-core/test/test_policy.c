// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * test_policy.c - evictors against naive twins, prefetchers against their word
 *
 * The core is not needed: what policies ask of it is faked here, so that the
 * future, the dice and the parameters are the test's.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gm_policy.h"
#include "gm_port_host.h"

#define UNITS 96

/* ---- a core for policies ---------------------------------------------- */

struct gm_core {
	u64 unit;
	struct gm_policy_params params;
	u64 dice;
	u64 next_use[UNITS];
};
struct gm_dev {
	u32 id;
};

static struct gm_core core;
static struct gm_dev dev = { .id = 3 };
static struct gm_mapping map[UNITS];
static struct gm_as as;
static struct gm_range range = { .as = &as, .va = 1ULL << 32, .n = UNITS, .map = map };
static struct gm_hnode node = { .core = &core, .dev = &dev, .nr_frames = UNITS };
static struct gm_ctx ctx = { .core = &core, .dev = &dev };

const struct gm_policy_params *gm_core_policy_params(const struct gm_core *c)
{
	return &c->params;
}

u64 gm_core_unit(const struct gm_core *c)
{
	return c->unit;
}

u64 gm_core_random(struct gm_core *c)
{
	return c->dice;
}

u32 gm_dev_id(const struct gm_dev *d)
{
	return d->id;
}

u64 gm_core_next_use(struct gm_core *c, u32 d, u64 va)
{
	assert_int_equal(d, dev.id);
	assert_in_range(va, range.va, range.va + (UNITS - 1) * c->unit);
	return c->next_use[(va - range.va) / c->unit];
}

static u64 rng_state;

static u32 rng(u32 below)
{
	rng_state = rng_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)((rng_state >> 33) % below);
}

static void evictor_start(const char *name, u64 frames)
{
	memset(&core, 0, sizeof(core));
	memset(map, 0, sizeof(map));
	core.unit = 2ULL << 20;
	for (u32 i = 0; i < UNITS; i++) {
		map[i].range = &range;
		map[i].owner = GM_HOST_NODE;
	}
	node.nr_frames = frames;
	node.evict = gm_evictor_find(name);
	assert_non_null(node.evict);
	assert_int_equal(node.evict->init(&node), 0);
}

static void evictor_stop(void)
{
	node.evict->fini(&node);
	assert_int_equal(gm_port_live(), 0);
}

/* ---- the twin: arrays and loops ---------------------------------------- */

struct unit {
	bool listed, used;
	u64 arrived; /* place in the queue of fifo and clock */
	u64 seen;    /* last arrival, access or hint */
	u64 freq, next;
};

static struct unit twin[UNITS];
static u64 tick;

/* Whether @a leaves before @b. */
static bool twin_before(const char *name, const struct unit *a, const struct unit *b)
{
	if (!strcmp(name, "fifo") || !strcmp(name, "clock"))
		return a->arrived < b->arrived;
	if (!strcmp(name, "lru"))
		return a->seen < b->seen;
	if (!strcmp(name, "lfu"))
		return a->freq != b->freq ? a->freq < b->freq : a->seen < b->seen;
	return a->next > b->next; /* min */
}

static int twin_first(const char *name)
{
	int best = -1;

	for (int i = 0; i < UNITS; i++)
		if (twin[i].listed && (best < 0 || twin_before(name, &twin[i], &twin[best])))
			best = i;
	return best;
}

static int twin_victim(const char *name)
{
	int i = twin_first(name);

	while (i >= 0 && !strcmp(name, "clock") && twin[i].used) {
		twin[i].used = false;
		twin[i].arrived = ++tick;
		i = twin_first(name);
	}
	return i;
}

static void do_insert(u32 i)
{
	node.evict->insert(&node, &map[i]);
	twin[i] = (struct unit){ .listed = true, .freq = 1, .next = core.next_use[i] };
	twin[i].arrived = twin[i].seen = ++tick;
}

static void do_touch(u32 i)
{
	if (node.evict->touch)
		node.evict->touch(&node, &map[i]);
	twin[i].used = true;
	twin[i].seen = ++tick;
	twin[i].freq++;
	twin[i].next = core.next_use[i];
}

static void do_hint(u32 i)
{
	if (node.evict->hint)
		node.evict->hint(&node, &map[i]);
	twin[i].used = true;
	twin[i].seen = ++tick;
	if (!strcmp(node.evict->name, "fifo"))
		twin[i].arrived = tick;
}

static void do_remove(u32 i)
{
	node.evict->remove(&node, &map[i]);
	twin[i].listed = false;
}

/* 40,000 random steps, each decision and each count compared. */
static void compare_with_twin(const char *name)
{
	u64 listed = 0;

	evictor_start(name, UNITS);
	memset(twin, 0, sizeof(twin));
	rng_state = 11;
	for (u32 step = 0; step < 40000; step++) {
		u32 i = rng(UNITS), what = rng(16);
		struct gm_mapping *v;
		int want;

		core.next_use[i] = (u64)rng(1u << 20) * UNITS + i; /* no equals */
		if (!twin[i].listed && what < 12) {
			do_insert(i);
			listed++;
		} else if (twin[i].listed && what < 10) {
			do_touch(i);
		} else if (twin[i].listed && what < 12) {
			do_hint(i);
		} else if (twin[i].listed && what == 12) {
			do_remove(i);
			listed--;
		} else if (what > 12) {
			v = node.evict->victim(&node);
			want = twin_victim(name);
			assert_int_equal(v ? (int)(v - map) : -1, want);
			if (v && what > 13) {
				do_remove((u32)want);
				listed--;
			}
		}
		assert_int_equal(node.evict->count(&node), listed);
	}
	evictor_stop();
}

static void fifo_agrees_with_its_twin(void **state)
{
	compare_with_twin("fifo");
}

static void lru_agrees_with_its_twin(void **state)
{
	compare_with_twin("lru");
}

static void clock_agrees_with_its_twin(void **state)
{
	compare_with_twin("clock");
}

static void lfu_agrees_with_its_twin(void **state)
{
	compare_with_twin("lfu");
}

static void min_agrees_with_its_twin(void **state)
{
	compare_with_twin("min");
}

/* ---- sequences by hand -------------------------------------------------- */

static void expect_victims(const char *want)
{
	for (; *want; want++) {
		struct gm_mapping *v = node.evict->victim(&node);

		assert_non_null(v);
		assert_int_equal(v - map, *want - 'a');
		node.evict->remove(&node, v);
	}
	assert_null(node.evict->victim(&node));
	assert_int_equal(node.evict->count(&node), 0);
}

/* Letters arrive, capitals are accesses, letters behind '^' are hints. */
static void play(const char *what)
{
	for (; *what; what++) {
		if (*what == '^')
			node.evict->hint(&node, &map[*++what - 'a']);
		else if (*what >= 'a')
			node.evict->insert(&node, &map[*what - 'a']);
		else if (node.evict->touch)
			node.evict->touch(&node, &map[*what - 'A']);
	}
}

static void orders_by_hand(void **state)
{
	static const struct {
		const char *name, *what, *victims;
	} seq[] = {
		{ "fifo", "abcAB", "abc" },    { "fifo", "abc^a", "bca" },
		{ "lru", "abcA", "bca" },      { "lru", "abcBA^c", "bac" },
		{ "clock", "abcA", "bca" },    { "clock", "abcABC", "abc" },
		{ "clock", "abcdBC", "adbc" }, { "clock", "abc^b", "acb" },
		{ "lfu", "abcAABCCC", "bac" }, { "lfu", "abcABC", "abc" },
		{ "lfu", "abcCBA", "cba" },    { "lfu", "ab^a", "ba" },
	};

	for (u32 i = 0; i < ARRAY_SIZE(seq); i++) {
		evictor_start(seq[i].name, 8);
		play(seq[i].what);
		expect_victims(seq[i].victims);
		evictor_stop();
	}
}

static void clock_forgets_a_bit_when_the_hand_passes(void **state)
{
	evictor_start("clock", 8);
	play("abcA");
	/* The hand passes a, whose bit is spent now, and stops at b. */
	assert_ptr_equal(node.evict->victim(&node), &map[1]);
	play("BC");
	assert_ptr_equal(node.evict->victim(&node), &map[0]);
	expect_victims("abc");
	evictor_stop();
}

static void min_asks_again_after_an_access(void **state)
{
	evictor_start("min", 8);
	core.next_use[0] = 10;
	core.next_use[1] = 20;
	core.next_use[2] = 30;
	play("abc");
	core.next_use[0] = U64_MAX; /* never again */
	assert_ptr_equal(node.evict->victim(&node), &map[2]);
	play("A");
	expect_victims("acb");
	evictor_stop();
}

static void random_draws_every_slot(void **state)
{
	bool seen[8] = { false };

	evictor_start("random", 8);
	play("abcdefgh");
	node.evict->remove(&node, &map[2]); /* h takes its place */
	for (core.dice = 70; core.dice < 77; core.dice++)
		seen[node.evict->victim(&node) - map] = true;
	for (u32 i = 0; i < 8; i++)
		assert_int_equal(seen[i], i != 2);
	core.dice = 2;
	assert_ptr_equal(node.evict->victim(&node), &map[7]);
	core.dice = 0;
	expect_victims("agfedhb"); /* the last of the array takes slot 0 each time */
	evictor_stop();
}

static void an_allocation_that_fails_leaves_nothing(void **state)
{
	for (u32 i = 0; gm_evictors[i]; i++) {
		u64 n;

		node.evict = gm_evictors[i];
		node.nr_frames = 4;
		for (n = 1;; n++) {
			int err;

			node.policy = NULL;
			gm_port_fail_nth(n);
			err = node.evict->init(&node);
			gm_port_fail_nth(0);
			if (!err)
				break;
			assert_int_equal(err, -ENOMEM);
			assert_null(node.policy);
			assert_int_equal(gm_port_live(), 0);
			node.evict->fini(&node); /* takes what init left: nothing */
		}
		assert_true(n > 1);
		evictor_stop();
	}
}

static void a_full_node_can_touch_without_memory(void **state)
{
	evictor_start("lfu", UNITS);
	for (u32 i = 0; i < UNITS; i++)
		node.evict->insert(&node, &map[i]);
	/* As many frequencies as units: one bucket each, and one in between. */
	for (u32 i = 0; i < UNITS; i++)
		for (u32 k = 0; k < i; k++)
			node.evict->touch(&node, &map[i]);
	for (u32 i = UNITS; i-- > 0;)
		node.evict->touch(&node, &map[i]);
	for (u32 i = 0; i < UNITS; i++) {
		assert_ptr_equal(node.evict->victim(&node), &map[i]);
		node.evict->remove(&node, &map[i]);
	}
	evictor_stop();
}

/* ---- loops: closed forms ------------------------------------------------ */

static void set_next_use(const u8 *trace, u32 n, u32 at, u32 unit)
{
	u32 k = at + 1;

	while (k < n && trace[k] != unit)
		k++;
	core.next_use[unit] = k < n ? k : U64_MAX;
}

/* Misses of demand paging with @frames frames. */
static u32 misses(const char *name, const u8 *trace, u32 n, u32 frames)
{
	bool here[UNITS] = { false };
	u32 used = 0, missed = 0;

	evictor_start(name, frames);
	for (u32 t = 0; t < n; t++) {
		struct gm_mapping *m = &map[trace[t]];

		set_next_use(trace, n, t, trace[t]);
		if (here[trace[t]]) {
			if (node.evict->touch)
				node.evict->touch(&node, m);
			continue;
		}
		missed++;
		if (node.evict->expect)
			node.evict->expect(&node, m);
		if (used == frames) {
			struct gm_mapping *v = node.evict->victim(&node);

			node.evict->remove(&node, v);
			here[v - map] = false;
			used--;
		}
		node.evict->insert(&node, m);
		here[trace[t]] = true;
		used++;
	}
	evictor_stop();
	return missed;
}

#define LOOP   20
#define ROUNDS 40

/* LRU, FIFO and CLOCK never hit in a loop of one unit more than there are frames. */
static void a_loop_just_too_long_defeats_recency(void **state)
{
	static const char *const names[] = { "lru", "fifo", "clock" };
	u8 trace[LOOP * ROUNDS];

	for (u32 t = 0; t < ARRAY_SIZE(trace); t++)
		trace[t] = t % LOOP;
	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		assert_int_equal(misses(names[i], trace, ARRAY_SIZE(trace), LOOP - 1),
				 ARRAY_SIZE(trace));
		assert_int_equal(misses(names[i], trace, ARRAY_SIZE(trace), LOOP), LOOP);
	}
}

/*
 * Belady in a loop over N units with C frames: N misses to begin with, then
 * C - 1 hits and N - C misses take turns, i.e. a miss rate of
 * (N - C) / (N - 1).
 */
static void min_on_a_loop_meets_the_closed_form(void **state)
{
	u8 trace[LOOP * ROUNDS];

	for (u32 t = 0; t < ARRAY_SIZE(trace); t++)
		trace[t] = t % LOOP;
	for (u32 frames = 2; frames < LOOP; frames++) {
		u32 got = misses("min", trace, ARRAY_SIZE(trace), frames);
		u32 rest = ARRAY_SIZE(trace) - LOOP;
		/* exact over whole periods of N - 1 accesses; else within one */
		u32 want = LOOP + rest * (LOOP - frames) / (LOOP - 1);

		assert_in_range(got, want - (LOOP - frames), want + (LOOP - frames));
	}
	/* 38 periods of 19 accesses and LOOP first ones: 20 + 38 */
	assert_int_equal(misses("min", trace, LOOP + 38 * (LOOP - 1), LOOP - 1), LOOP + 38);
}

/* The reference string of the textbooks. */
static void textbook_reference_string(void **state)
{
	static const u8 s[] = { 7, 0, 1, 2, 0, 3, 0, 4, 2, 3, 0, 3, 2, 1, 2, 0, 1, 7, 0, 1 };
	static const u8 belady[] = { 1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5 };

	assert_int_equal(misses("fifo", s, sizeof(s), 3), 15);
	assert_int_equal(misses("lru", s, sizeof(s), 3), 12);
	assert_int_equal(misses("min", s, sizeof(s), 3), 9);
	/* FIFO's anomaly: more frames, more misses */
	assert_int_equal(misses("fifo", belady, sizeof(belady), 3), 9);
	assert_int_equal(misses("fifo", belady, sizeof(belady), 4), 10);
}

static void min_is_never_beaten(void **state)
{
	u8 trace[600];

	rng_state = 5;
	for (u32 round = 0; round < 20; round++) {
		u32 frames = 2 + rng(20), best;

		for (u32 t = 0; t < sizeof(trace); t++)
			trace[t] = (u8)min(rng(32), rng(32));
		best = misses("min", trace, sizeof(trace), frames);
		for (u32 i = 0; gm_evictors[i]; i++)
			assert_true(misses(gm_evictors[i]->name, trace, sizeof(trace), frames) >=
				    best);
	}
}

/* ---- names --------------------------------------------------------------- */

static void names_are_those_of_the_ops(void **state)
{
	u32 i;

	for (i = 0; gm_evictors[i]; i++) {
		assert_string_equal(gm_evictor_names[i], gm_evictors[i]->name);
		assert_ptr_equal(gm_evictor_find(gm_evictor_names[i]), gm_evictors[i]);
		assert_string_equal(gm_evictor_help(i), gm_evictors[i]->help);
	}
	assert_null(gm_evictor_names[i]);
	assert_null(gm_evictor_help(i));
	assert_null(gm_evictor_find("auto"));
	for (i = 0; gm_prefetchers[i]; i++) {
		assert_string_equal(gm_prefetcher_names[i], gm_prefetchers[i]->name);
		assert_ptr_equal(gm_prefetcher_find(gm_prefetcher_names[i]), gm_prefetchers[i]);
		assert_string_equal(gm_prefetcher_help(i), gm_prefetchers[i]->help);
	}
	assert_null(gm_prefetcher_names[i]);
	assert_null(gm_prefetcher_help(i));
	assert_null(gm_prefetcher_find(""));
}

/* ---- prefetchers --------------------------------------------------------- */

static struct gm_span span[GM_MAX_SPANS];

static void prefetcher_start(const char *name, u64 unit)
{
	memset(&core, 0, sizeof(core));
	memset(map, 0, sizeof(map));
	core.unit = unit;
	core.params = (struct gm_policy_params){
		.next_n = 4,
		.stride_degree = 3,
		.stride_confirm = 2,
		.tree_region = 2ULL << 20,
		.tree_threshold = 51,
	};
	range.va = 1ULL << 32;
	range.n = UNITS;
	for (u32 i = 0; i < UNITS; i++) {
		map[i].range = &range;
		map[i].owner = GM_HOST_NODE;
	}
	ctx.prefetcher = gm_prefetcher_find(name);
	assert_non_null(ctx.prefetcher);
	if (ctx.prefetcher->init)
		assert_int_equal(ctx.prefetcher->init(&ctx), 0);
}

static void prefetcher_stop(void)
{
	if (ctx.prefetcher->fini)
		ctx.prefetcher->fini(&ctx);
	range.va = 1ULL << 32;
	range.n = UNITS;
	assert_int_equal(gm_port_live(), 0);
}

/* What a fault on @index fetches, as "first+n first+n". */
static const char *fault(u64 index)
{
	static char text[256];
	u32 nr = ctx.prefetcher->on_fault(&ctx, &range, index, span);
	int len = 0;

	assert_in_range(nr, 0, GM_MAX_SPANS);
	text[0] = 0;
	for (u32 i = 0; i < nr; i++) {
		assert_in_range(span[i].first, 0, range.n - 1);
		assert_in_range(span[i].n, 1, range.n - span[i].first);
		len += snprintf(text + len, sizeof(text) - (size_t)len, "%s%llu+%llu", i ? " " : "",
				span[i].first, span[i].n);
	}
	return text;
}

static void here(u64 first, u64 n)
{
	for (u64 i = first; i < first + n; i++) {
		map[i].state = GM_DEVICE;
		map[i].owner = (s16)dev.id;
	}
}

static void none_and_hints_have_no_slots(void **state)
{
	static const char *const names[] = { "none", "hints", "planned" };

	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		const struct gm_prefetch_ops *p = gm_prefetcher_find(names[i]);

		assert_null(p->init);
		assert_null(p->on_fault);
		assert_null(p->on_hit);
	}
}

static void next_n_stays_inside_the_range(void **state)
{
	prefetcher_start("next-n", 4096);
	assert_string_equal(fault(0), "1+4");
	assert_string_equal(fault(UNITS - 3), "94+2");
	assert_string_equal(fault(UNITS - 1), "");
	assert_int_equal(ctx.prefetcher->on_hit(&ctx, &range, 10, span), 1);
	assert_int_equal(span[0].first, 11);
	prefetcher_stop();
}

static void stride_fires_when_confirmed(void **state)
{
	prefetcher_start("stride", 4096);
	assert_string_equal(fault(10), "");
	assert_string_equal(fault(15), "");		  /* one step of 5 */
	assert_string_equal(fault(20), "25+1 30+1 35+1"); /* the second */
	assert_string_equal(fault(22), "");		  /* another step */
	assert_string_equal(fault(21), "");
	assert_string_equal(fault(20), "17+3"); /* downwards, one span */
	assert_string_equal(fault(20), "");	/* again: no step */
	assert_string_equal(fault(19), "16+3");
	assert_string_equal(fault(1), "");
	assert_string_equal(fault(2), "");
	assert_string_equal(fault(3), "4+3");
	prefetcher_stop();
}

static void stride_ends_with_the_range(void **state)
{
	prefetcher_start("stride", 4096);
	fault(80);
	fault(87);
	assert_string_equal(fault(94), "");
	fault(5);
	fault(3);
	assert_string_equal(fault(1), "");
	fault(93);
	fault(94);
	assert_string_equal(fault(95), "");
	prefetcher_stop();
}

static void stride_gives_no_more_spans_than_there_is_room_for(void **state)
{
	prefetcher_start("stride", 4096);
	core.params.stride_degree = 40;
	fault(0);
	fault(2);
	assert_string_equal(fault(4), "6+1 8+1 10+1 12+1 14+1 16+1 18+1 20+1");
	fault(5);
	assert_string_equal(fault(6), "7+40");
	prefetcher_stop();
}

static void stride_follows_ranges_apart(void **state)
{
	struct gm_range other = range;

	prefetcher_start("stride", 4096);
	other.va += 1ULL << 30;
	for (u64 i = 0; i < 3; i++) {
		struct gm_span s[GM_MAX_SPANS];

		ctx.prefetcher->on_fault(&ctx, &other, 50 - i, s);
		assert_string_equal(fault(3 * i), i == 2 ? "9+1 12+1 15+1" : "");
	}
	prefetcher_stop();
}

static void stride_forgets_the_range_seen_longest_ago(void **state)
{
	struct gm_range other = range;

	prefetcher_start("stride", 4096);
	fault(0);
	fault(1);
	for (u32 i = 0; i < 16; i++) {
		other.va += 1ULL << 30;
		ctx.prefetcher->on_fault(&ctx, &other, 0, span);
	}
	assert_string_equal(fault(2), "");
	prefetcher_stop();
}

static void stride_without_memory_says_so(void **state)
{
	ctx.prefetcher = gm_prefetcher_find("stride");
	gm_port_fail_nth(1);
	assert_int_equal(ctx.prefetcher->init(&ctx), -ENOMEM);
	gm_port_fail_nth(0);
	assert_int_equal(gm_port_live(), 0);
}

static void tree_doubles_as_a_block_fills(void **state)
{
	prefetcher_start("tree", 65536); /* 32 leaves a window, no growth */
	assert_string_equal(fault(0), "0+1");
	here(0, 1);
	assert_string_equal(fault(1), "0+2");
	here(1, 1);
	assert_string_equal(fault(2), "0+4");
	here(2, 2);
	assert_string_equal(fault(4), "0+8");
	here(4, 4);
	/* the next window knows nothing of the first */
	assert_string_equal(fault(32), "32+1");
	prefetcher_stop();
}

static void tree_grows_small_units_to_64_kib(void **state)
{
	prefetcher_start("tree", 4096); /* 96 units: less than a window */
	assert_string_equal(fault(20), "16+16");
	here(16, 16);
	/* 0..15 and 16..31 are full: 0..31 of 64 is not above 51 % */
	assert_string_equal(fault(3), "0+32");
	prefetcher_stop();
}

static void tree_counts_what_is_on_its_way(void **state)
{
	prefetcher_start("tree", 65536);
	map[0].state = GM_TO_DEVICE;
	map[0].owner = (s16)dev.id;
	assert_string_equal(fault(1), "0+2");
	map[0].owner = (s16)dev.id + 1; /* another device's */
	assert_string_equal(fault(1), "1+1");
	prefetcher_stop();
}

/*
 * A range from page 12 of a 64 KiB group on: leaves 0..11 of its tree do not
 * exist, so 4 of 16 are not dense enough, and nothing is fetched before it.
 */
static void tree_weighs_leaves_that_do_not_exist(void **state)
{
	prefetcher_start("tree", 4096);
	range.va += 12 * 4096;
	/* node 12..15 of the group is full, which is units 0..3 */
	assert_string_equal(fault(1), "0+4");
	here(0, 4);
	/* the next group: 16 of 16, then 20 of 32 pass, 20 of 64 do not */
	assert_string_equal(fault(4), "0+20");
	/* a fault in the first group does not grow before the range: 24 of 64 */
	memset(map, 0, 4 * sizeof(map[0]));
	here(4, 20);
	assert_string_equal(fault(1), "0+20");
	prefetcher_stop();
}

static void tree_has_windows_of_one_unit_too(void **state)
{
	prefetcher_start("tree", 2ULL << 20);
	assert_string_equal(fault(5), "5+1"); /* a window is one unit */
	core.params.tree_region = 32ULL << 20;
	here(0, 3);
	assert_string_equal(fault(3), "0+4"); /* 16 leaves a window */
	core.params.tree_region = U64_MAX;    /* as large as a tree can be */
	range.n = 40;
	here(0, 20);
	assert_string_equal(fault(20), "0+40"); /* 21 of 40, the clipped root */
	prefetcher_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fifo_agrees_with_its_twin),
		cmocka_unit_test(lru_agrees_with_its_twin),
		cmocka_unit_test(clock_agrees_with_its_twin),
		cmocka_unit_test(lfu_agrees_with_its_twin),
		cmocka_unit_test(min_agrees_with_its_twin),
		cmocka_unit_test(orders_by_hand),
		cmocka_unit_test(clock_forgets_a_bit_when_the_hand_passes),
		cmocka_unit_test(min_asks_again_after_an_access),
		cmocka_unit_test(random_draws_every_slot),
		cmocka_unit_test(an_allocation_that_fails_leaves_nothing),
		cmocka_unit_test(a_full_node_can_touch_without_memory),
		cmocka_unit_test(a_loop_just_too_long_defeats_recency),
		cmocka_unit_test(min_on_a_loop_meets_the_closed_form),
		cmocka_unit_test(textbook_reference_string),
		cmocka_unit_test(min_is_never_beaten),
		cmocka_unit_test(names_are_those_of_the_ops),
		cmocka_unit_test(none_and_hints_have_no_slots),
		cmocka_unit_test(next_n_stays_inside_the_range),
		cmocka_unit_test(stride_fires_when_confirmed),
		cmocka_unit_test(stride_ends_with_the_range),
		cmocka_unit_test(stride_gives_no_more_spans_than_there_is_room_for),
		cmocka_unit_test(stride_follows_ranges_apart),
		cmocka_unit_test(stride_forgets_the_range_seen_longest_ago),
		cmocka_unit_test(stride_without_memory_says_so),
		cmocka_unit_test(tree_doubles_as_a_block_fills),
		cmocka_unit_test(tree_grows_small_units_to_64_kib),
		cmocka_unit_test(tree_counts_what_is_on_its_way),
		cmocka_unit_test(tree_weighs_leaves_that_do_not_exist),
		cmocka_unit_test(tree_has_windows_of_one_unit_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
