// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * test_model.c - the core against a naive model, under random operations
 *
 * Operations end in random order.  In two of three worlds some fail: memory is
 * refused, copies and maps fail, messages are lost, late or doubled, devices
 * are detached or stop answering.  After each step gm_check() looks at the state
 * and the model at the contents (world.h).
 *
 *	GM_MODEL_STEPS=n   steps for each combination (default 2000)
 *	GM_MODEL_SEED=n    another course of events
 *	GM_MODEL_ONLY=n    the n-th combination only ("mix" of a message)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel-core/test/walk.h"

static u64 steps_done;

static void run(const char *variant, const char *evictor, const char *prefetcher, u64 seed, u32 mix,
		u64 steps, struct gm_stats *out)
{
	struct world *w = calloc(1, sizeof(*w));
	u64 live = gm_port_live(), i;

	snprintf(where, sizeof(where), "%s/%s/%s seed %llu mix %u", variant, evictor, prefetcher,
		 seed, mix);
	w->rnd = seed * 0x9e3779b97f4a7c15ULL + 1;
	w->spotless = mix % 5 == 3;
	walk_begin(w, variant, evictor, prefetcher, mix % 5 == 0);
	for (i = 0; i < steps; i++) {
		walk_step(w);
		if (i % 97 == 96)
			drain(w, true);
	}
	*out = w->core->stats;
	tear_down(w);
	CHECK(gm_port_live() == live, "%llu allocations are left", gm_port_live() - live);
	steps_done += steps;
	free(w);
}

static u64 env(const char *name, u64 otherwise)
{
	const char *s = getenv(name);

	return s ? strtoull(s, NULL, 10) : otherwise;
}

static void report(void)
{
	u32 f;

	printf("# %llu steps; faults:", steps_done);
	for (f = F_ALLOC; f < NR_FAULTS; f++)
		printf(" %s %llu", fault_names[f], injected[f]);
	printf("\n");
}

/* Every variant with every evictor and prefetcher, plain and mixed. */
static void newest_content_is_read(void **state)
{
	u64 steps = env("GM_MODEL_STEPS", 2000), seed = env("GM_MODEL_SEED", 1);
	u64 only = env("GM_MODEL_ONLY", U64_MAX);
	u32 v, e, p, mix = 0;
	struct gm_stats st;

	for (v = 0; gm_variant_names[v]; v++)
		for (e = 0; gm_evictor_names[e]; e++)
			for (p = 0; gm_prefetcher_names[p]; p++, mix++)
				if (only == U64_MAX || only == mix)
					run(gm_variant_names[v], gm_evictor_names[e],
					    gm_prefetcher_names[p], seed + mix, mix, steps, &st);
	report();
}

static void same_calls_give_same_counters(void **state)
{
	struct gm_stats a, b;
	u32 v;

	for (v = 0; gm_variant_names[v]; v++) {
		run(gm_variant_names[v], "random", "tree", 7, 1, 300, &a);
		run(gm_variant_names[v], "random", "tree", 7, 1, 300, &b);
		assert_memory_equal(&a, &b, sizeof(a));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(newest_content_is_read),
		cmocka_unit_test(same_calls_give_same_counters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
