// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_test_data.c - every byte survives, whoever touches it in which order
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

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

static void report(const char *what, double since, u64 n)
{
	printf("cost: unit %llu, %s %.2f us\n", (unsigned long long)unit, what,
	       (seconds() - since) / (double)n * 1e6);
}

static void touch_all(u64 *p, u64 n, const char *what)
{
	double since = seconds();
	u64 i;

	for (i = 0; i < n; i++)
		p[i * unit / 8] = 1;
	report(what, since, n);
}

/*
 * Touches that move a unit, beside an anonymous page's first one, in microseconds;
 * the link takes no time.  Small units show the path, large ones the copy.
 */
void test_cost(int argc, char **argv)
{
	static const char *const link[] = { "latency_ns", "msg_latency_ns", "bandwidth" };
	u64 n = unit > 65536 ? 12 : 128, i, was[3], *p = map(n * unit), *a;
	double since;

	for (i = 0; i < 3; i++) {
		was[i] = param_of(link[i]);
		set_param(link[i], 0);
	}
	a = mmap(NULL, (n + 1) * unit, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	a = (u64 *)(((uintptr_t)a + unit - 1) / unit * unit);
	madvise(a, n * unit, unit > 65536 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	touch_all(a, n, "anonymous first touch");
	touch_all(p, n, "shared first touch");
	since = seconds();
	expect(!prog(GMEM_OP_STRIDE, 0, p, NULL, n * unit, 1, unit, NULL));
	report("device touch of what the CPU has", since, n);
	since = seconds();
	expect(!prog(GMEM_OP_STRIDE, 0, p, NULL, n * unit, 1, unit, NULL));
	report("device touch of what it has", since, n);
	touch_all(p, n, "CPU touch of what the device has");
	for (i = 0; i < 3; i++)
		set_param(link[i], was[i]);
	munmap(p, n * unit);
}
