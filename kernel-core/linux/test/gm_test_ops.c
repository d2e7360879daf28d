// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_test_ops.c - a log for the replay: one thread, many kinds of operations
 *
 * What it writes it remembers, so the data is checked on the way.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "gm_test.h"

#define RANGES 3

static struct range {
	u64 *p, units;
	u64 *value; /* of each unit's first word; 0 after free or munmap */
	bool *hole;
} ranges[RANGES];

static u64 seed, stamp;

static u64 rnd(u64 n)
{
	return next_random(&seed) % n;
}

static void cpu_touch(struct range *r, u64 i)
{
	u64 *p = r->p + i * unit / 8, seen;

	if (r->hole[i])
		return;
	if (rnd(2)) {
		if (!try_write(p, ++stamp))
			r->value[i] = stamp;
	} else if (!try_read(p, &seen) && seen != r->value[i]) {
		die("unit %llu has %llx, not %llx", (unsigned long long)i, (unsigned long long)seen,
		    (unsigned long long)r->value[i]);
	}
}

static void device_touch(struct range *r, u64 i, u64 n)
{
	u64 k, sum;

	for (k = i; k < i + n && k < r->units; k++) {
		if (r->hole[k])
			continue;
		on_device = (u32)rnd(devices);
		if (rnd(2)) {
			if (!prog(GMEM_OP_FILL, 0, r->p + k * unit / 8, NULL, 8, ++stamp, 0, NULL))
				r->value[k] = stamp;
		} else if (!prog(GMEM_OP_CHECKSUM, 0, r->p + k * unit / 8, NULL, 8, 0, 0, &sum) &&
			   sum != r->value[k]) {
			die("unit %llu has %llx on the device, not %llx", (unsigned long long)k,
			    (unsigned long long)sum, (unsigned long long)r->value[k]);
		}
	}
}

static void give_advice(struct range *r, u64 i, u64 n)
{
	static const int kinds[] = { GMEM_MADV_PREFETCH, GMEM_MADV_PREFETCH, GMEM_MADV_DONTNEED,
				     GMEM_MADV_WILLNEED, GMEM_MADV_PINNED,   GMEM_MADV_UNPINNED,
				     GMEM_MADV_UNPINNED };
	int kind = kinds[rnd(sizeof(kinds) / sizeof(kinds[0]))];
	u64 k;

	n = n < r->units - i ? n : r->units - i;
	if (kind == GMEM_MADV_PINNED)
		n = 1;
	if (advise((int)rnd(devices), r->p + i * unit / 8, n * unit, kind) ||
	    kind != GMEM_MADV_DONTNEED)
		return;
	for (k = i; k < i + n; k++)
		r->value[k] = 0;
}

/* A unit is unmapped, or comes back where it was. */
static void remap(struct range *r, u64 i)
{
	void *at = r->p + i * unit / 8;

	if (!r->hole[i])
		expect(!munmap(at, unit));
	else
		expect(mmap(at, unit, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, dev, 0) ==
		       at);
	r->hole[i] = !r->hole[i];
	r->value[i] = 0;
}

static void random_op(u64 step)
{
	struct range *r = &ranges[rnd(RANGES)];
	u64 i = rnd(r->units);

	switch (rnd(20)) {
	case 0:
		remap(r, i);
		break;
	case 1:
	case 2:
		give_advice(r, i, 1 + rnd(8));
		break;
	case 3:
	case 4:
	case 5:
	case 6:
	case 7:
		cpu_touch(r, i);
		break;
	default:
		device_touch(r, i, 1 + rnd(4));
	}
}

/* A loop just larger than the device, met by the CPU at every other place. */
static void hostile_op(u64 step)
{
	struct range *r = &ranges[0];

	if (step % 2 && rnd(4) == 0)
		cpu_touch(r, (step / 2) % r->units);
	else
		device_touch(r, step % r->units, 1);
}

/* Weights forward and backward with prefetch, the CPU reads now and then. */
static void training_op(u64 step)
{
	struct range *r = &ranges[step / 64 % RANGES];
	u64 n = r->units, at = step % (2 * n), i = at < n ? at : 2 * n - 1 - at;

	if (step % 8 == 0)
		advise(0, r->p + i * unit / 8, (n - i < 4 ? n - i : 4) * unit, GMEM_MADV_PREFETCH);
	device_touch(r, i, 1);
	if (step % 50 == 49)
		cpu_touch(r, i);
}

/* ops SEED N [random|hostile|training] */
void test_ops(int argc, char **argv)
{
	u64 n = argc > 1 ? strtoull(argv[1], NULL, 0) : 1000, i, frames;
	const char *kind = argc > 2 ? argv[2] : "random";
	struct gmem_info info;

	seed = argc > 0 ? strtoull(argv[0], NULL, 0) : 1;
	expect(!ioctl(dev, GMEM_INFO, &info));
	frames = info.hbm_bytes / unit;
	for (i = 0; i < RANGES; i++) {
		ranges[i].units = i ? frames * 2 / 3 + i : frames + frames / 4;
		ranges[i].p = map(ranges[i].units * unit);
		ranges[i].value = calloc(ranges[i].units, sizeof(u64));
		ranges[i].hole = calloc(ranges[i].units, sizeof(bool));
	}
	for (i = 0; i < n; i++) {
		if (!strcmp(kind, "hostile"))
			hostile_op(i);
		else if (!strcmp(kind, "training"))
			training_op(i);
		else
			random_op(i);
	}
	check_core();
}
