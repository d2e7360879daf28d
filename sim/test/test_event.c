/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "sim/event.h"

/* An event that writes its number into a log when it fires. */
struct note {
	struct gs_event ev;
	u32 id;
	gs_time when;
	bool done;
};

static u32 log_ids[20000];
static gs_time log_times[20000];
static size_t logged;

static void write_down(struct gs_sim *sim, struct gs_event *ev)
{
	struct note *n = gs_container_of(ev, struct note, ev);

	assert_false(gs_queued(ev));
	n->done = true;
	log_times[logged] = gs_now(sim);
	log_ids[logged++] = n->id;
}

static struct note note(u32 id, u16 prio)
{
	return (struct note){ .ev = { .fn = write_down, .prio = prio }, .id = id };
}

static int setup(void **state)
{
	*state = gs_sim_new(7);
	logged = 0;
	return 0;
}

static int teardown(void **state)
{
	gs_sim_free(*state);
	return 0;
}

static void test_events_fire_in_order_of_time(void **state)
{
	struct note a = note(1, 0), b = note(2, 0), c = note(3, 0);

	gs_at(*state, &a.ev, 30);
	gs_at(*state, &b.ev, 10);
	gs_at(*state, &c.ev, 20);
	gs_run(*state);
	assert_int_equal(logged, 3);
	assert_int_equal(log_ids[0], 2);
	assert_int_equal(log_ids[1], 3);
	assert_int_equal(log_ids[2], 1);
	assert_int_equal(gs_now(*state), 30);
	assert_int_equal(gs_fired(*state), 3);
}

static void test_equal_times_fire_by_priority_then_as_scheduled(void **state)
{
	struct note n[] = { note(0, 5), note(1, 0), note(2, 5), note(3, 0), note(4, 65535) };
	const u32 expected[] = { 1, 3, 0, 2, 4 };

	for (size_t i = 0; i < GS_ARRAY_SIZE(n); i++)
		gs_at(*state, &n[i].ev, 1000);
	gs_run(*state);
	assert_memory_equal(log_ids, expected, sizeof(expected));
}

static void test_a_cancelled_event_does_not_fire(void **state)
{
	struct note a = note(1, 0), b = note(2, 0);

	gs_at(*state, &a.ev, 10);
	gs_at(*state, &b.ev, 20);
	gs_cancel(*state, &a.ev);
	assert_false(gs_queued(&a.ev));
	gs_cancel(*state, &a.ev); /* idle: left alone */
	gs_run(*state);
	assert_int_equal(logged, 1);
	assert_int_equal(log_ids[0], 2);
}

static void test_a_cancelled_event_can_be_started_again(void **state)
{
	struct note a = note(1, 0);

	gs_at(*state, &a.ev, 10);
	gs_cancel(*state, &a.ev);
	gs_at(*state, &a.ev, 5);
	assert_int_equal(gs_next_time(*state), 5);
	gs_run(*state);
	assert_int_equal(log_times[0], 5);
}

static void test_no_event_means_never(void **state)
{
	assert_true(gs_next_time(*state) == GS_NEVER);
	gs_run(*state);
	assert_int_equal(gs_now(*state), 0);
	assert_int_equal(gs_seed(*state), 7);
}

static void stop_here(struct gs_sim *sim, struct gs_event *ev)
{
	gs_stop(sim);
}

static void test_stop_leaves_the_rest_for_the_next_run(void **state)
{
	struct gs_event stop = { .fn = stop_here };
	struct note a = note(1, 0), b = note(2, 0);

	gs_at(*state, &a.ev, 1);
	gs_at(*state, &stop, 2);
	gs_at(*state, &b.ev, 3);
	gs_run(*state);
	assert_int_equal(logged, 1);
	assert_int_equal(gs_now(*state), 2);
	gs_run(*state);
	assert_int_equal(logged, 2);
}

static void go_on(struct gs_sim *sim, struct gs_event *ev)
{
	assert_int_equal(gs_next_time(sim), 100);
	gs_advance(sim, 60);
	assert_int_equal(gs_now(sim), 60);
	gs_advance(sim, 100); /* up to the next event, but not past it */
	gs_after(sim, ev, 7);
	ev->fn = write_down;
}

static void test_advance_moves_the_clock_inside_a_handler(void **state)
{
	struct note a = note(1, 0), b = note(2, 0);

	a.ev.fn = go_on;
	gs_at(*state, &a.ev, 50);
	gs_at(*state, &b.ev, 100);
	gs_run(*state);
	assert_int_equal(log_ids[0], 2);
	assert_int_equal(log_times[0], 100);
	assert_int_equal(log_times[1], 107);
}

/* ---- what is our own mistake ends the program --------------------------- */

static bool dies(void (*fn)(struct gs_sim *), struct gs_sim *sim)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		fclose(stderr);
		fn(sim);
		_exit(0);
	}
	assert_true(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) && WEXITSTATUS(status) == GS_EXIT_BUG;
}

static void into_the_past(struct gs_sim *sim)
{
	struct note a = note(1, 0);

	gs_advance(sim, 10);
	gs_at(sim, &a.ev, 9);
}

static void twice(struct gs_sim *sim)
{
	struct note a = note(1, 0);

	gs_at(sim, &a.ev, 10);
	gs_at(sim, &a.ev, 11);
}

static void advance_past_an_event(struct gs_sim *sim)
{
	struct note a = note(1, 0);

	gs_at(sim, &a.ev, 10);
	gs_advance(sim, 11);
}

static void beyond_the_end_of_time(struct gs_sim *sim)
{
	struct note a = note(1, 0);

	gs_advance(sim, 100);
	gs_after(sim, &a.ev, GS_NEVER - 100);
}

static void cancel_a_strangers(struct gs_sim *sim)
{
	struct note a = note(1, 0), b = note(2, 0);

	gs_at(sim, &a.ev, 10);
	b.ev.slot = a.ev.slot; /* a copy of a queued event is not queued */
	gs_cancel(sim, &b.ev);
}

static void test_the_past_is_refused(void **state)
{
	assert_true(dies(into_the_past, *state));
}

static void test_an_event_is_queued_once_only(void **state)
{
	assert_true(dies(twice, *state));
}

static void test_the_clock_does_not_jump_over_an_event(void **state)
{
	assert_true(dies(advance_past_an_event, *state));
}

static void test_the_end_of_time_is_refused(void **state)
{
	assert_true(dies(beyond_the_end_of_time, *state));
}

static void test_a_copy_of_an_event_cannot_be_cancelled(void **state)
{
	assert_true(dies(cancel_a_strangers, *state));
}

/* ---- against a naive reference ------------------------------------------ */

static u64 lcg(u64 *x)
{
	*x = *x * 6364136223846793005ULL + 1442695040888963407ULL;
	return *x >> 33;
}

struct planned {
	gs_time when;
	u32 prio, order, id;
};

static int by_key(const void *x, const void *y)
{
	const struct planned *a = x, *b = y;

	if (a->when != b->when)
		return a->when < b->when ? -1 : 1;
	if (a->prio != b->prio)
		return a->prio < b->prio ? -1 : 1;
	return a->order < b->order ? -1 : 1;
}

/* Few distinct times and priorities, so that ties are the rule. */
static void test_random_starts_and_cancels_fire_as_a_sorted_list_does(void **state)
{
	enum { N = 20000 };
	static struct note n[N];
	static struct planned plan[N];
	u64 x = 42;
	size_t left = 0;

	for (u32 i = 0; i < N; i++) {
		n[i] = note(i, (u16)(lcg(&x) % 3));
		n[i].when = lcg(&x) % 500;
		gs_at(*state, &n[i].ev, n[i].when);
		if (i % 2)
			gs_cancel(*state, &n[lcg(&x) % i].ev);
	}
	for (u32 i = 0; i < N; i++)
		if (gs_queued(&n[i].ev))
			plan[left++] = (struct planned){ n[i].when, n[i].ev.prio, i, i };
	qsort(plan, left, sizeof(plan[0]), by_key);
	gs_run(*state);
	assert_int_equal(logged, left);
	assert_in_range(left, N / 3, N - 1);
	for (size_t i = 0; i < left; i++)
		assert_int_equal(log_ids[i], plan[i].id);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_events_fire_in_order_of_time),
		TEST(test_equal_times_fire_by_priority_then_as_scheduled),
		TEST(test_a_cancelled_event_does_not_fire),
		TEST(test_a_cancelled_event_can_be_started_again),
		TEST(test_no_event_means_never),
		TEST(test_stop_leaves_the_rest_for_the_next_run),
		TEST(test_advance_moves_the_clock_inside_a_handler),
		TEST(test_the_past_is_refused),
		TEST(test_an_event_is_queued_once_only),
		TEST(test_the_clock_does_not_jump_over_an_event),
		TEST(test_the_end_of_time_is_refused),
		TEST(test_a_copy_of_an_event_cannot_be_cancelled),
		TEST(test_random_starts_and_cancels_fire_as_a_sorted_list_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
