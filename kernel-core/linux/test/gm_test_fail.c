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
	int err;

	on_device = (on_device + 1) % devices;
	while ((err = prog(GMEM_OP_STRIDE, 0, p, NULL, 8, 1, 8, NULL))) {
		refused++;
		if (++tries == 100)
			die("device %u refuses a word at last with %d, unit %c", on_device, err,
			    place(p));
	}
}

void walk(u64 *p, u64 units)
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

/* Is a unit of @pid's on its way? */
static bool in_flight(pid_t pid)
{
	FILE *f = fopen(DEBUG "units", "r");
	char line[512];
	bool his = false, moves = false;
	int owner;

	if (!f)
		die("units cannot be read");
	while (!moves && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "space %*u pid %d", &owner) == 1)
			his = owner == pid;
		else
			moves = his && strpbrk(line, "<>=");
	}
	fclose(f);
	return moves;
}

static pid_t begin_victim(void)
{
	pid_t pid = fork();

	if (!pid) {
		signal(SIGBUS, SIG_DFL);
		victim();
	}
	return pid;
}

/*
 * kill N: of two processes at a time one is killed and replaced, until N have been
 * killed while a unit of theirs was on its way
 */
void test_kill(int argc, char **argv)
{
	u32 n = argc > 0 ? (u32)atoi(argv[0]) : 50, killed = 0, others = 0;
	u64 state = 7, moves = stat_of("moves");
	pid_t pid[2];

	close(dev);
	dev = -1;
	pid[0] = begin_victim();
	pid[1] = begin_victim();
	while (killed < n) {
		pid_t *who = &pid[(killed + others) % 2];
		double end = seconds() + 2;
		bool moving;

		usleep((useconds_t)(next_random(&state) % 20000));
		while (!(moving = in_flight(*who)) && seconds() < end)
			sched_yield();
		kill(*who, SIGKILL);
		waitpid(*who, NULL, 0);
		*who = begin_victim();
		killed += moving;
		others += !moving;
		expect(others < 20 + n / 4);
		if (killed % 16 == 0)
			check_core();
	}
	for (n = 0; n < 2; n++) {
		kill(pid[n], SIGKILL);
		waitpid(pid[n], NULL, 0);
	}
	check_gone();
	printf("kill: %u processes in mid-migration, %u otherwise, %llu moves\n", killed,
	       others + 2, (unsigned long long)(stat_of("moves") - moves));
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
