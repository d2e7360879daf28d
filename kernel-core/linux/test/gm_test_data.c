// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_test_data.c - every byte survives, whoever touches it in which order
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "gm_test.h"

struct turn {
	u64 *p, words; /* of this thread */
	u32 id, rounds;
	u64 wrong;
};

static void check_words(struct turn *t, const u64 *p, u64 words, u64 first, u64 step)
{
	u64 i;

	for (i = 0; i < words; i++)
		t->wrong += p[i] != first + i * step;
}

/*
 * CPU writes, device sums; device adds the second half thrice to the first, CPU
 * checks; device copies and fills, CPU checks.
 */
static void one_round(struct turn *t, u64 seed)
{
	u64 half = t->words / 2, i, sum;
	u64 *p = t->p;

	for (i = 0; i < t->words; i++)
		p[i] = seed + i;
	expect(!prog(GMEM_OP_CHECKSUM, t->id, p, NULL, t->words * 8, 0, 0, &sum));
	t->wrong += sum != checksum(t->words, seed, 1);
	on_device = (on_device + 1) % devices;
	expect(!prog(GMEM_OP_ADD, t->id, p, p + half, half * 8, 3, 0, NULL));
	check_words(t, p, half, seed + 3 * (seed + half), 4);
	check_words(t, p + half, half, seed + half, 1);
	on_device = (on_device + 1) % devices;
	expect(!prog(GMEM_OP_COPY, t->id, p, p + half, half * 8, 0, 0, NULL));
	on_device = (on_device + 1) % devices;
	expect(!prog(GMEM_OP_FILL, t->id, p + half, NULL, half * 8, ~seed, 7, NULL));
	check_words(t, p, half, seed + half, 1);
	check_words(t, p + half, half, ~seed, 7);
}

static void *take_turns(void *arg)
{
	struct turn *t = arg;
	u32 r;

	on_device = t->id % devices;
	for (r = 0; r < t->rounds; r++)
		one_round(t, (u64)t->id << 40 | (u64)r << 32 | 0x12345);
	return NULL;
}

static void print_stats(void)
{
	static const char *const rows[] = { "dev_fault_zero",
					    "dev_fault_fetch",
					    "cpu_fault_zero",
					    "cpu_fault_remap",
					    "cpu_fault_fetch",
					    "evict_done",
					    "evict_clean",
					    "dev_fault_peer",
					    "d2d",
					    "h2d_demand",
					    "d2h_cpu",
					    "d2h_evict_direct",
					    "d2h_evict_background",
					    "moves",
					    "batched",
					    NULL };
	u32 i;

	for (i = 0; rows[i]; i++)
		printf("    %s %llu\n", rows[i], (unsigned long long)stat_of(rows[i]));
}

/* turns [MIB [THREADS [ROUNDS]]] */
void test_turns(int argc, char **argv)
{
	u64 bytes = (argc > 0 ? strtoull(argv[0], NULL, 0) : 512) << 20, i, wrong = 0;
	u32 n = argc > 1 ? (u32)atoi(argv[1]) : 4, rounds = argc > 2 ? (u32)atoi(argv[2]) : 1;
	struct turn t[GMEM_MAX_STREAMS];
	pthread_t thread[GMEM_MAX_STREAMS];
	u64 *p = map(bytes);

	expect(n >= 1 && n <= GMEM_MAX_STREAMS);
	for (i = 0; i < n; i++) {
		t[i] = (struct turn){ .p = p + i * (bytes / n / 8),
				      .words = bytes / n / 8,
				      .id = (u32)i,
				      .rounds = rounds };
		expect(!pthread_create(&thread[i], NULL, take_turns, &t[i]));
	}
	for (i = 0; i < n; i++) {
		pthread_join(thread[i], NULL);
		wrong += t[i].wrong;
	}
	check_core();
	if (wrong)
		die("%llu words are wrong", (unsigned long long)wrong);
	printf("turns: %llu MiB, %u threads, %u rounds: every byte right\n",
	       (unsigned long long)bytes >> 20, n, rounds);
	print_stats();
	munmap(p, bytes);
}

/* ---- what it costs ---------------------------------------------------- */

struct cost {
	double us, bytes_us; /* of a unit; clearing and copying in it */
};

static u64 faults_so_far(void)
{
	struct rusage r;

	getrusage(RUSAGE_SELF, &r);
	return (u64)r.ru_minflt;
}

static double bytes_ns(void)
{
	return (double)(work_of("copy_ns") + work_of("zero_ns"));
}

static void touch_all(u64 *p, u64 n)
{
	u64 i;

	for (i = 0; i < n; i++)
		p[i * unit / 8] = 1;
}

static void device_touches_all(u64 *p, u64 n)
{
	expect(!prog(GMEM_OP_STRIDE, 0, p, NULL, n * unit, 1, unit, NULL));
}

static struct cost cost_of(void (*touch)(u64 *p, u64 n), u64 *p, u64 n)
{
	double since = seconds(), bytes = bytes_ns();
	struct cost c;

	touch(p, n);
	c.us = (seconds() - since) / (double)n * 1e6;
	c.bytes_us = (bytes_ns() - bytes) / (double)n / 1e3;
	return c;
}

static void report(const char *what, struct cost c, struct cost than)
{
	printf("cost: unit %llu, %s %.2f us, %.2f times; without bytes %.2f us, %.2f times\n",
	       (unsigned long long)unit, what, c.us, c.us / than.us, c.us - c.bytes_us,
	       (c.us - c.bytes_us) / (than.us - than.bytes_us));
}

static u64 *map_anonymous(u64 n)
{
	u64 *a = mmap(NULL, (n + 1) * unit, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);

	expect(a != MAP_FAILED);
	a = (u64 *)(((uintptr_t)a + unit - 1) / unit * unit);
	madvise(a, n * unit, unit > 65536 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	return a;
}

/*
 * Touches that move a unit, beside the first touch of an anonymous page of its size,
 * in microseconds and as ratios.  The link takes no time.  "Without bytes" is without
 * what workers spend on copying and clearing; the anonymous page's clearing is taken
 * to be as long as that of a shared unit, which the same function does.
 */
void test_cost(int argc, char **argv)
{
	static const char *const link[] = { "latency_ns", "msg_latency_ns", "bandwidth" };
	u64 n = unit > 65536 ? 12 : 128, i, was[3], *p = map(n * unit), *a = map_anonymous(n),
	    faults;
	struct cost anon, first, dev_first, to_dev, to_cpu;

	for (i = 0; i < 3; i++) {
		was[i] = param_of(link[i]);
		set_param(link[i], 0);
	}
	faults = faults_so_far();
	anon = cost_of(touch_all, a, n);
	expect(faults_so_far() - faults == n); /* huge, or what is measured is another thing */
	first = cost_of(touch_all, p, n);
	to_dev = cost_of(device_touches_all, p, n);
	expect(place(p) == '0' && place(p + (n - 1) * unit / 8) == '0');
	to_cpu = cost_of(touch_all, p, n);
	expect(!advise(-1, p, n * unit, GMEM_MADV_DONTNEED));
	dev_first = cost_of(device_touches_all, p, n);
	anon.bytes_us = first.bytes_us;
	report("anonymous first touch", anon, anon);
	report("CPU's first touch", first, anon);
	report("device's first touch", dev_first, anon);
	report("device's touch of what the CPU has", to_dev, anon);
	report("CPU's touch of what the device has", to_cpu, anon);
	for (i = 0; i < 3; i++)
		set_param(link[i], was[i]);
	munmap(p, n * unit);
}
