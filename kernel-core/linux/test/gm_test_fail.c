// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_test_fail.c - what goes wrong, is killed or is interrupted loses no byte
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gm_test.h"

static u64 refused;

/* A CPU access that was refused is tried again, and then has to succeed. */
static u64 get(u64 *p)
{
	u64 value = 0, tries = 0;

	while (try_read(p, &value)) {
		refused++;
		expect(++tries < 100);
	}
	return value;
}

static void put(u64 *p, u64 value)
{
	u64 tries = 0;

	while (try_write(p, value)) {
		refused++;
		expect(++tries < 100);
	}
}

/* The device's increment of one word, which it did or did not do. */
static void device_add(u64 *p)
{
	u64 tries = 0;

	on_device = (on_device + 1) % devices;
	while (prog(GMEM_OP_STRIDE, 0, p, NULL, 8, 1, 8, NULL)) {
		refused++;
		expect(++tries < 100);
	}
}

/* More units than the device holds, each incremented here and there in turn. */
static void walk(u64 *p, u64 units)
{
	u64 w = unit / 8, i;

	for (i = 0; i < units; i++)
		put(&p[i * w], i);
	for (i = 0; i < units; i++)
		device_add(&p[i * w]);
	advise((int)devices - 1, p, units / 2 * unit, GMEM_MADV_PREFETCH);
	for (i = 0; i < units; i++)
		if (get(&p[i * w]) != i + 1)
			die("unit %llu is wrong", (unsigned long long)i);
	for (i = units; i--;)
		device_add(&p[i * w]);
	for (i = 0; i < units; i++)
		if (get(&p[i * w]) != i + 2)
			die("unit %llu is wrong at the end", (unsigned long long)i);
	advise(-1, p, units * unit, GMEM_MADV_DONTNEED);
}

/* fail N STEP: in turn the 1st, 1 + STEP-th ... N-th copy, allocation, message fails */
void test_fail(int argc, char **argv)
{
	static const char *const what[] = { "fail_copy", "fail_alloc", "fail_msg" };
	u32 n = argc > 0 ? (u32)atoi(argv[0]) : 40, step = argc > 1 ? (u32)atoi(argv[1]) : 1, i, k;
	struct gmem_info info;
	u64 units, *p, injected = 0;

	expect(!ioctl(dev, GMEM_INFO, &info));
	units = info.hbm_bytes / unit * devices * 3 / 2;
	p = map(units * unit);
	for (k = 0; k < 3; k++) {
		for (i = 1; i <= n; i += step) {
			fail_nth(what[k], i, 0);
			walk(p, units);
			injected += failed_so_far(what[k]);
			check_core();
		}
		fail_nth(what[k], 1, 7 + k); /* and then again and again */
		walk(p, units);
		injected += failed_so_far(what[k]);
		fail_nth(what[k], 0, 0);
		walk(p, units);
		check_core();
	}
	printf("fail: %llu failures, %llu accesses repeated, no byte lost\n",
	       (unsigned long long)injected, (unsigned long long)refused);
	munmap(p, units * unit);
	close(dev);
	check_gone();
}

/* ---- killed ----------------------------------------------------------- */

static void victim(void)
{
	struct gmem_info info;
	u64 i, units, w, *p;

	open_dev();
	w = unit / 8;
	expect(!ioctl(dev, GMEM_INFO, &info));
	units = info.hbm_bytes / unit * 3 / 2;
	p = map(units * unit);
	for (;;)
		for (i = 0; i < units; i++) {
			struct gmem_prog q = { .op = GMEM_OP_FILL,
					       .stream = (u32)(i % 3),
					       .dst = (uintptr_t)(p + i * 7 % units * w),
					       .bytes = unit };

			p[i * w] = i;
			ioctl(dev, i % 2 ? GMEM_PROG_SUBMIT : GMEM_PROG_RUN, &q);
		}
}

/* So many moves more have begun, or it takes too long. */
static void await_moves(u64 n)
{
	u64 until = stat_of("moves") + n;
	double start = seconds();

	while (stat_of("moves") < until && seconds() < start + 2)
		sched_yield();
}

/* kill N: two processes at a time, each killed after a random number of moves */
void test_kill(int argc, char **argv)
{
	u32 n = argc > 0 ? (u32)atoi(argv[0]) : 50, i, k;
	u64 state = 7, moves = stat_of("moves"), busy = 0;
	pid_t pid[2];

	close(dev);
	dev = -1;
	for (i = 0; i < n; i += 2) {
		for (k = 0; k < 2; k++) {
			pid[k] = fork();
			if (!pid[k]) {
				signal(SIGBUS, SIG_DFL);
				victim();
			}
		}
		await_moves(1 + next_random(&state) % 40);
		kill(pid[0], SIGKILL);
		await_moves(next_random(&state) % 20);
		kill(pid[1], SIGKILL);
		busy += live_of("ops") != 0;
		for (k = 0; k < 2; k++)
			waitpid(pid[k], NULL, 0);
		if (i % 16 == 0)
			check_core();
	}
	check_gone();
	printf("kill: %u processes, %llu moves, %llu times in mid-migration\n", n,
	       (unsigned long long)(stat_of("moves") - moves), (unsigned long long)busy);
}

/* ---- signals ---------------------------------------------------------- */

static volatile u64 ticks;

static void on_tick(int sig)
{
	ticks++;
}

/* A timer that ticks all the time: waits are interrupted and go on. */
void test_signals(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_tick };
	struct itimerval it = { { 0, 2000 }, { 0, 2000 } };
	u64 w = unit / 8, i, r, units = 16, *p = map(units * unit),
	    latency = param_of("latency_ns");
	u64 interrupted = 0;
	int err;

	set_param("latency_ns", 5000000);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
	for (r = 1; r <= 3; r++)
		for (i = 0; i < units; i++) {
			p[i * w] += 1;
			err = advise(0, &p[i * w], unit, GMEM_MADV_PREFETCH);
			expect(!err || err == -EINTR);
			interrupted += err == -EINTR;
			expect(p[i * w] == r);
		}
	it = (struct itimerval){ { 0, 0 }, { 0, 0 } };
	setitimer(ITIMER_REAL, &it, NULL);
	set_param("latency_ns", latency);
	expect(ticks > 10);
	printf("signals: %llu ticks, %llu advices interrupted\n", (unsigned long long)ticks,
	       (unsigned long long)interrupted);
	munmap(p, units * unit);
}

/* ---- no memory -------------------------------------------------------- */

/* Neither the host's nor the device's end is the end of the process. */
void test_oom(int argc, char **argv)
{
	struct gmem_info info;
	u64 w = unit / 8, i, n, units, *p, value;

	expect(!ioctl(dev, GMEM_INFO, &info));
	units = info.hbm_bytes / unit + 24;
	p = map(units * unit);
	set_param("host_limit", 8 * unit);
	for (n = 0; n < 24 && !try_write(&p[n * w], n + 1); n++)
		;
	expect(n == 8);
	expect(try_read(&p[8 * w], &value) == SIGBUS);
	/* those move to the device and make room here */
	for (i = 0; i < n; i++)
		expect(!prog(GMEM_OP_STRIDE, 0, &p[i * w], NULL, 8, 1, 8, NULL));
	for (i = 0; i < n; i++)
		expect(get(&p[i * w]) == i + 2);
	/* the device is full and what would leave it has nowhere to go */
	for (n = 8; n < units; n++)
		if (prog(GMEM_OP_FILL, 0, &p[n * w], NULL, 8, n, 0, NULL))
			break;
	expect(n < units);
	set_param("host_limit", 0);
	for (i = 0; i < n; i++)
		expect(get(&p[i * w]) == (i < 8 ? i + 2 : i));
	check_core();
	munmap(p, units * unit);
	close(dev);
	check_gone();
}
