// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * test_ghost.c - names of units that left, against an array that is searched
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gm_ghost.h"
#include "gm_port_host.h"

#define UNITS  64 /* of each space */
#define SPACES 2
#define MANY   20000

struct gm_core {
	u64 unit;
};

u64 gm_core_unit(const struct gm_core *core)
{
	return core->unit;
}

static struct gm_core core = { .unit = 4096 };
static const struct gm_hnode node = { .core = &core };
static struct gm_as as[SPACES] = { { .id = 0 }, { .id = 1 } };
static struct gm_mapping map[SPACES][UNITS], many[MANY];
static struct gm_range range[SPACES] = {
	{ .as = &as[0], .va = 1ULL << 40, .n = UNITS, .map = map[0] },
	{ .as = &as[1], .va = 1ULL << 40, .n = UNITS, .map = map[1] },
};
static struct gm_range wide = { .as = &as[0], .n = MANY, .map = many };

static int setup(void **state)
{
	for (u32 s = 0; s < SPACES; s++)
		for (u32 i = 0; i < UNITS; i++)
			map[s][i].range = &range[s];
	for (u32 i = 0; i < MANY; i++)
		many[i].range = &wide;
	return 0;
}

static u64 rng_state;

static u32 rng(u32 below)
{
	rng_state = rng_state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (u32)((rng_state >> 33) % below);
}

/* ---- the twin ---------------------------------------------------------------- */

static struct {
	u32 list; /* 0: no ghost */
	u64 since;
} twin[SPACES * UNITS];
static u64 tick;

static u64 twin_count(u32 list)
{
	u64 n = 0;

	for (u32 i = 0; i < SPACES * UNITS; i++)
		n += twin[i].list == list;
	return n;
}

static void twin_drop_oldest(u32 list)
{
	int oldest = -1;

	for (int i = 0; i < SPACES * UNITS; i++)
		if (twin[i].list == list && (oldest < 0 || twin[i].since < twin[oldest].since))
			oldest = i;
	if (oldest >= 0)
		twin[oldest].list = 0;
}

static void twin_add(u32 i, u32 list, u64 max)
{
	twin[i].list = 0;
	if (!max)
		return;
	if (twin_count(1) + twin_count(2) == max)
		twin_drop_oldest(twin_count(list) ? list : 3 - list);
	twin[i].list = list;
	twin[i].since = ++tick;
}

static void random_steps(u64 max, u32 steps)
{
	struct gm_ghosts g;

	memset(twin, 0, sizeof(twin));
	assert_int_equal(gm_ghosts_init(&g, max), 0);
	while (steps--) {
		u32 i = rng(SPACES * UNITS), list = 1 + rng(2);
		const struct gm_mapping *m = &map[i / UNITS][i % UNITS];

		assert_int_equal(gm_ghosts_find(&g, &node, m), twin[i].list);
		switch (rng(8)) {
		case 0:
			gm_ghosts_drop_oldest(&g, list);
			twin_drop_oldest(list);
			break;
		case 1:
		case 2:
			assert_int_equal(gm_ghosts_take(&g, &node, m), twin[i].list);
			twin[i].list = 0;
			break;
		default:
			gm_ghosts_add(&g, &node, m, list);
			twin_add(i, list, max);
		}
		assert_int_equal(g.n[1], twin_count(1));
		assert_int_equal(g.n[2], twin_count(2));
	}
	gm_ghosts_fini(&g);
	assert_int_equal(gm_port_live(), 0);
}

static void names_agree_with_an_array(void **state)
{
	static const u64 room[] = { 0, 1, 2, 7, 40, SPACES * UNITS };

	rng_state = 5;
	for (u32 i = 0; i < ARRAY_SIZE(room); i++)
		random_steps(room[i], 10000);
}

/* ---- many ----------------------------------------------------------------------- */

static void the_last_that_left_are_known(void **state)
{
	enum { ROOM = 3000 };
	struct gm_ghosts g;

	assert_int_equal(gm_ghosts_init(&g, ROOM), 0);
	for (u32 i = 0; i < MANY; i++)
		gm_ghosts_add(&g, &node, &many[i], 1);
	for (u32 i = 0; i < MANY; i++)
		assert_int_equal(gm_ghosts_find(&g, &node, &many[i]), i >= MANY - ROOM);
	gm_ghosts_fini(&g);
}

static void a_name_takes_20_bytes_of_memory(void **state)
{
	struct gm_ghosts g;

	assert_int_equal(gm_ghosts_init(&g, MANY), 0);
	assert_in_range(gm_port_live_bytes(), 16 * MANY, 20 * MANY);
	gm_ghosts_fini(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_agree_with_an_array),
		cmocka_unit_test(the_last_that_left_are_known),
		cmocka_unit_test(a_name_takes_20_bytes_of_memory),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
