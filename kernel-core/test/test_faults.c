// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * test_faults.c - everything that can go wrong does so once, everywhere
 *
 * A scenario is a line of operations.  It is played again and again: the first
 * time the first allocation fails, then the second, and so on until there are no
 * more; likewise each copy, each other operation, each message lost, late or
 * answered twice, and each device detached after each step.  After the fault
 * the invariants and contents are looked at; at the end the CPU reads every unit,
 * and every device can use all of its memory again.
 *
 *	GM_FAULTS=all	detach at every step, not at each fourth; and with put_back
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel-core/test/world.h"

/*
 * Words of a scenario: a letter, a unit, and how many (1).  Capitals are about
 * device 1, or write where they are about the CPU.
 *
 *	r w	device reads, writes		R W	device 1
 *	c C	CPU reads, writes
 *	p P	prefetch			f	free-eager
 *	i o	pin, unpin			n	will-need
 *	m u	mmap, munmap			d a	detach, attach device
 *	.	everything in progress ends
 */
static const char *const scenarios[] = {
	/* first touches, fetches and ways back */
	"w0. c0. r0. C1. w1. c1. C2. r2. c2.",
	/* more than there are frames: evictions, clean and dirty */
	"w0. w1. w2. w3. C4. r4. w5. r0. r1. w6. c2. r7.",
	/* faults that are not waited for share groups and victims */
	"C0. C1. C2. w0 w1 w2 w3 w4 w5. r6 r7 c0 c1 w2. w0 w1 r3 C3.",
	/* prefetches, hints, and faults that overtake them */
	"C0. C1. C5. p0+8. w3 p4+8 r9. p0+2. p1+11 w8 c8.",
	/* advice on contents */
	"w0. w1. C2. C3. f0+4. w0 w1 f0+2 r0. n0+4 w4 w5 w6 n1. c0.",
	/* pins (refused where they are unknown) */
	"i0+2. w2 w3 w4. c0. i5 o0+2. w5. C0. o0+8.",
	/* munmap of what is at rest, on its way, and in the middle of a range */
	"w0. w1. C2. C3. u0+1. m0 w0. w4 c5 u3+4 m3+2 w3. u1+14. m1+14 r1.",
	/* between devices */
	"w0. W0. w0 W1. w1 W0. r0 R0 c0. p0+3 P0+3. W4 W5 W6 W7. w4 w5 w6 w7. W0 w4.",
	/* detached in mid-transfer and back again */
	"w0. w1. w2 p3+4 d0. a0 r0. W3 W4 d1 w3. a1 R0. c0 w1 d0 d1. a0 a1 w2.",
};

enum { SCENE_UNITS = 16 };
static const u32 scene_frames[DEVS] = { 4, 3 };

enum { LOOK_CLOSELY = 24 }; /* so many steps after the fault, then at each so-manieth */

static u32 victim; /* the device that is detached */
static u32 since;  /* steps since the fault */

static void look(struct world *w)
{
	w->steps++;
	find_ctxs(w);
	if (w->plan.kind == F_DETACH && victim < w->devs && plan_hits(w)) {
		injected[F_DETACH]--; /* detach() counts it */
		detach(w, victim);
		find_ctxs(w);
	}
	if (w->plan.kind == F_ALLOC && gm_port_failed())
		w->plan.hit = true;
	if (!w->plan.hit)
		since = 0;
	else if (since++ < LOOK_CLOSELY || since % LOOK_CLOSELY == 0)
		check(w);
}

static void settle(struct world *w)
{
	while (w->ops) {
		complete(w, 0);
		look(w);
		if (w->stales && w->steps % 3 == 0)
			answer_stale(w, 0);
	}
}

static void play_word(struct world *w, char letter, u32 i, u32 n)
{
	static const char letters[] = "pfion";
	static const u8 kinds[] = { GM_ADVISE_PREFETCH, GM_ADVISE_FREE_EAGER, GM_ADVISE_PIN,
				    GM_ADVISE_UNPIN, GM_ADVISE_WILLNEED };
	bool other = letter < 'a';
	char low = (char)(letter | 0x20);
	const char *at = strchr(letters, low);

	if (other && w->devs < 2 && low != 'c')
		return;
	if (at)
		advise(w, kinds[at - letters], other, i * UNIT, n * UNIT);
	else if (low == 'r' || low == 'w')
		dev_access(w, other, i, n, low == 'w');
	else if (low == 'c')
		cpu_access(w, i, other);
	else if (low == 'm')
		map_some(w, i, n);
	else if (low == 'u')
		unmap_some(w, i, n);
	else if (low == 'd' && i < w->devs)
		detach(w, i);
	else if (low == 'a' && i < w->devs && !gm_as_ctx(w->as, w->dev[i]))
		gm_as_attach(w->as, w->dev[i]);
}

static void play(struct world *w, const char *s)
{
	while (*s) {
		char letter = *s++, *end;
		u32 i, n = 1;

		if (letter == '.') {
			settle(w);
		} else if (letter != ' ') {
			i = (u32)strtoul(s, &end, 10);
			if (*end == '+')
				n = (u32)strtoul(end + 1, &end, 10);
			s = end;
			play_word(w, letter, i, n);
			look(w);
		}
	}
	settle(w);
}

static void ask(struct world *w, struct wait *t, const char *what, u32 i)
{
	while (w->ops)
		complete(w, 0);
	CHECK(!t || (!t->busy && !t->err), "%s %u afterwards: error %d", what, i, t->err);
}

/* Nothing fails any more: every unit is there, and so is every frame. */
static void recover(struct world *w)
{
	u32 i, d;

	drain(w, false);
	for (d = 0; d < w->devs; d++) {
		if (!w->ctx[d])
			CHECK(!IS_ERR(gm_as_attach(w->as, w->dev[d])), "cannot attach");
		find_ctxs(w);
		if (w->core->variant.pins)
			ask(w, advise(w, GM_ADVISE_UNPIN, d, 0, SCENE_UNITS * UNIT), "unpin", d);
	}
	for (i = 0; i < SCENE_UNITS; i++)
		if (w->mapped[i])
			ask(w, cpu_access(w, i, false), "CPU read", i);
	for (d = 0; d < w->devs; d++)
		for (i = 0; i < SCENE_UNITS; i++)
			if (w->mapped[i])
				ask(w, dev_access(w, d, i, 1, true), "device write", i);
}

/* One scenario with the @n-th of @kind; false: there are fewer. */
static bool scene(const struct gm_setup *setup, const char *script, enum fault kind, u32 n)
{
	struct world *w = calloc(1, sizeof(*w));
	u64 live = gm_port_live();
	bool hit;

	w->rnd = 1;
	w->units = SCENE_UNITS;
	w->host_limit = HOST;
	snprintf(where, sizeof(where), "%s, put_back %u: \"%s\", %s %u", setup->variant,
		 setup->params->put_back, script, fault_names[kind], n);
	set_up(w, setup, scene_frames);
	map_some(w, 0, SCENE_UNITS);
	empty_pools(w->core);
	w->plan.kind = kind;
	w->plan.left = n;
	if (kind == F_ALLOC)
		gm_port_fail_nth(n);
	play(w, script);
	injected[F_ALLOC] += gm_port_failed();
	gm_port_fail_nth(0);
	hit = w->plan.hit;
	w->plan.kind = F_NONE;
	recover(w);
	tear_down(w);
	CHECK(gm_port_live() == live, "%llu allocations are left", gm_port_live() - live);
	free(w);
	return hit;
}

/* The @n-th of @kind for each n, or for every @stride-th. */
static u32 each_of(const struct gm_setup *setup, u32 script, enum fault kind, u32 stride)
{
	u32 n = 1 + script % stride;

	while (scene(setup, scenarios[script], kind, n))
		n += stride;
	return n - 1;
}

/* All variants and scenarios; if there is time, with failed evictions put back too. */
static void each_once(enum fault kind)
{
	struct gm_params params;
	struct gm_setup setup = { .params = &params, .evictor = "", .unit = UNIT };
	bool all = getenv("GM_FAULTS");
	u32 stride = kind == F_DETACH && !all ? 4 : 1, v, s, most = 0;

	gm_params_init(&params);
	for (v = 0; gm_variant_names[v]; v++)
		for (s = 0; s < ARRAY_SIZE(scenarios); s++) {
			setup.variant = gm_variant_names[v];
			setup.prefetcher = s % 2 ? "stride" : "none";
			params.put_back = GM_AUTO;
			most = max(most, each_of(&setup, s, kind, stride));
			params.put_back = GM_ON;
			if (all)
				each_of(&setup, s, kind, stride);
		}
	printf("# %s: %llu times so far, up to %u in a scenario\n", fault_names[kind],
	       injected[kind], most);
	assert_true(most > 2);
}

static void each_allocation_may_fail(void **state)
{
	each_once(F_ALLOC);
}
static void each_copy_may_fail(void **state)
{
	each_once(F_COPY);
}
static void each_operation_may_fail(void **state)
{
	each_once(F_OP);
}
static void each_message_may_be_lost(void **state)
{
	each_once(F_LOST);
}
static void each_message_may_be_late(void **state)
{
	each_once(F_LATE);
}
static void each_answer_may_come_twice(void **state)
{
	each_once(F_TWICE);
}
static void each_device_may_be_detached_at_any_step(void **state)
{
	for (victim = 0; victim < DEVS; victim++)
		each_once(F_DETACH);
}

/* Whoever makes a core gets all of it or an error, and nothing is left. */
static void make(const struct gm_setup *setup)
{
	struct gm_core *core = gm_core_new(setup, &host_ops, NULL);
	struct gm_dev *dev;
	struct gm_as *as;
	bool ok = !IS_ERR(core);

	if (ok) {
		dev = gm_dev_create(core, 8);
		as = gm_as_create(core);
		ok = !IS_ERR(dev) && !IS_ERR(as) && !IS_ERR(gm_as_attach(as, dev));
		ok = ok && !gm_mmap(as, 0, 8 * UNIT);
		gm_core_free(core);
	}
	CHECK(ok != gm_port_failed(), "no memory, and nobody says so");
}

static void making_a_core_may_fail_anywhere(void **state)
{
	struct world none = { .steps = 0 };
	struct gm_params params;
	struct gm_setup setup = { .params = &params, .unit = UNIT };
	u32 v, e, p, n;
	bool failed;

	W = &none;
	gm_params_init(&params);
	for (v = 0; (setup.variant = gm_variant_names[v]); v++)
		for (e = 0; (setup.evictor = gm_evictor_names[e]); e++)
			for (p = 0; (setup.prefetcher = gm_prefetcher_names[p]); p++)
				for (n = 1, failed = true; failed; n++) {
					gm_port_fail_nth(n);
					make(&setup);
					failed = gm_port_failed();
					gm_port_fail_nth(0);
					assert_int_equal(gm_port_live(), 0);
				}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(making_a_core_may_fail_anywhere),
		cmocka_unit_test(each_allocation_may_fail),
		cmocka_unit_test(each_copy_may_fail),
		cmocka_unit_test(each_operation_may_fail),
		cmocka_unit_test(each_message_may_be_lost),
		cmocka_unit_test(each_message_may_be_late),
		cmocka_unit_test(each_answer_may_come_twice),
		cmocka_unit_test(each_device_may_be_detached_at_any_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
