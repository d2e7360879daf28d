/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bench_uvm.c - how fast the UVM manager answers
 *
 * A kernel sweeps 148 GiB in order on a device of 40 GiB, the shape of G10's
 * BERT at batch 256: every page is missed, every chunk evicted.  Then a sweep
 * over what is resident.  Prints lines "name,value,unit".
 */
#include <time.h>

#include "models/test/rig.h"

#include "models/mm_uvm.h"

#define VA (1ULL << 40)

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double resident_sweep(struct rig *r, u64 va, u64 bytes)
{
	enum { SWEEPS = 1000 };
	double start = cpu_seconds();
	struct waiter w;

	waiter_init(&w, r, 0);
	for (int i = 0; i < SWEEPS; i++)
		gs_assert(rig_ask(r, &w, va, bytes, 256, GS_READ).covered == bytes);
	return (cpu_seconds() - start) / SWEEPS;
}

int main(void)
{
	static const char *const sets[] = { "device.hbm.capacity=40 GiB", NULL };
	const u64 bytes = 148 * GIB;
	double first, second, hit;
	struct rig r;

	rig_open(&r, &mm_uvm, sets);
	mm_add(r.mm, VA, bytes);
	first = cpu_seconds();
	rig_touch(&r, 0, VA, bytes, 256);
	first = cpu_seconds() - first;
	second = cpu_seconds();
	rig_touch(&r, 0, VA, bytes, 256);
	second = cpu_seconds() - second;
	hit = resident_sweep(&r, VA + bytes - 38 * GIB, 38 * GIB);
	printf("uvm_first_touch_148GiB %.3f s\n", first);
	printf("uvm_thrash_148GiB %.3f s\n", second);
	printf("uvm_service %.0f ns\n",
	       1e9 * (first + second) / (double)uvm_of(r.mm)->stats.services);
	printf("uvm_hit_38GiB %.0f ns\n", 1e9 * hit);
	rig_close(&r);
	return 0;
}
