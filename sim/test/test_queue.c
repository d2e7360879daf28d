/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The engine against queueing theory: one server, customers that arrive at random
 * and are all served equally long (M/D/1).  Pollaczek and Khinchine: they wait
 * rho * D / (2 * (1 - rho)) on average.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "sim/event.h"
#include "sim/rng.h"

enum { BATCHES = 30, BATCH = 5000, WARMUP = 2000 };

static const gs_time service = 10 * GS_US;

struct queue {
	struct gs_event arrival, departure;
	struct gs_rng *rng;
	double mean_gap;
	gs_time *line; /* arrival times of those who wait, in a ring */
	u32 head, waiting, size;
	bool busy;
	u32 served;
	double wait[BATCHES]; /* sums of a batch */
};

/* The first in line steps up; its wait ends. */
static void serve(struct gs_sim *sim, struct queue *q)
{
	gs_time arrived = q->line[q->head % q->size];

	q->head++;
	q->waiting--;
	q->busy = true;
	gs_after(sim, &q->departure, service);
	if (q->served >= WARMUP)
		q->wait[(q->served - WARMUP) / BATCH] += (double)(gs_now(sim) - arrived);
	if (++q->served == WARMUP + BATCHES * BATCH)
		gs_stop(sim);
}

static void arrive(struct gs_sim *sim, struct gs_event *ev)
{
	struct queue *q = gs_container_of(ev, struct queue, arrival);

	gs_after(sim, ev, (gs_time)llround(gs_rng_exponential(q->rng, q->mean_gap)));
	assert_true(q->waiting < q->size);
	q->line[(q->head + q->waiting++) % q->size] = gs_now(sim);
	if (!q->busy)
		serve(sim, q);
}

static void depart(struct gs_sim *sim, struct gs_event *ev)
{
	struct queue *q = gs_container_of(ev, struct queue, departure);

	q->busy = false;
	if (q->waiting)
		serve(sim, q);
}

/* Mean wait, and its standard error from the spread of the batches. */
static double simulate(double rho, u64 seed, double *error)
{
	struct gs_sim *sim = gs_sim_new(seed);
	struct queue q = { .arrival.fn = arrive, .departure.fn = depart, .size = 100000 };
	double sum = 0, squares = 0, mean;

	q.rng = gs_rng_new(seed, "arrivals");
	q.mean_gap = (double)service / rho;
	q.line = gs_calloc(q.size, sizeof(*q.line));
	gs_at(sim, &q.arrival, 0);
	gs_run(sim);
	for (u32 i = 0; i < BATCHES; i++) {
		sum += q.wait[i] / BATCH;
		squares += q.wait[i] / BATCH * (q.wait[i] / BATCH);
	}
	mean = sum / BATCHES;
	*error = sqrt((squares / BATCHES - mean * mean) / (BATCHES - 1));
	free(q.line);
	gs_rng_free(q.rng);
	gs_sim_free(sim);
	return mean;
}

/* Within four standard errors, which themselves are small. */
static void agrees(double rho, double tolerance)
{
	double expected = rho * (double)service / (2 * (1 - rho)), error;
	double mean = simulate(rho, 11, &error);

	if (error > tolerance * expected || fabs(mean - expected) > 4 * error)
		fail_msg("rho %g: %g ps, expected %g, standard error %g", rho, mean, expected,
			 error);
}

static void test_mean_wait_at_half_load_is_that_of_m_d_1(void **state)
{
	agrees(0.5, 0.01);
}

static void test_mean_wait_at_high_load_is_that_of_m_d_1(void **state)
{
	agrees(0.9, 0.05);
}

static void test_mean_wait_at_low_load_is_that_of_m_d_1(void **state)
{
	agrees(0.1, 0.02);
}

static void test_the_same_seed_gives_the_same_wait_to_the_last_bit(void **state)
{
	double error;

	assert_true(simulate(0.7, 3, &error) == simulate(0.7, 3, &error));
	assert_true(simulate(0.7, 3, &error) != simulate(0.7, 4, &error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mean_wait_at_half_load_is_that_of_m_d_1),
		cmocka_unit_test(test_mean_wait_at_high_load_is_that_of_m_d_1),
		cmocka_unit_test(test_mean_wait_at_low_load_is_that_of_m_d_1),
		cmocka_unit_test(test_the_same_seed_gives_the_same_wait_to_the_last_bit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
