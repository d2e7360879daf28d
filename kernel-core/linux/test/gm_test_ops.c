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

#define RANGES	3
#define UNKNOWN (~0ULL)

static struct range {
	u64 *p, units;
	u64 *value; /* of each unit's first word; 0 after free or munmap; UNKNOWN */
	bool *hole;
} ranges[RANGES];

static u64 seed, stamp;
static u64 operations; /* touches of a unit, advice, mappings */

static u64 rnd(u64 n)
{
	return next_random(&seed) % n;
}

static void cpu_touch(struct range *r, u64 i)
{
	u64 *p = r->p + i * unit / 8, seen;

	if (r->hole[i])
		return;
	operations++;
	if (rnd(2)) {
		if (!try_write(p, ++stamp))
			r->value[i] = stamp;
	} else if (!try_read(p, &seen) && seen != r->value[i] && r->value[i] != UNKNOWN) {
		die("unit %llu has %llx, not %llx", (unsigned long long)i, (unsigned long long)seen,
		    (unsigned long long)r->value[i]);
	}
}

/* The device adds to the first words of units [i, i + n), which are no holes. */
static void device_write(struct range *r, u64 i, u64 n)
{
	int err = prog(GMEM_OP_STRIDE, 0, r->p + i * unit / 8, NULL, n * unit, ++stamp, unit, NULL);
	u64 k;

	for (k = i; k < i + n; k++)
		r->value[k] = err || r->value[k] == UNKNOWN ? UNKNOWN : r->value[k] + stamp;
}

/* ... or reads the units: their other words are 0. */
static void device_read(struct range *r, u64 i, u64 n)
{
	u64 sum, expected = 0, k;
	bool known = true;

	for (k = 0; k < n; k++) {
		known &= r->value[i + k] != UNKNOWN;
		expected += r->value[i + k] * (2 * k * unit / 8 + 1);
	}
	if (!prog(GMEM_OP_CHECKSUM, 0, r->p + i * unit / 8, NULL, n * unit, 0, 0, &sum) && known &&
	    sum != expected)
		die("%llu units from %llu on: the device reads %llx, not %llx",
		    (unsigned long long)n, (unsigned long long)i, (unsigned long long)sum,
		    (unsigned long long)expected);
}

static void device_touch(struct range *r, u64 i, u64 n)
{
	u64 end = i + n < r->units ? i + n : r->units, k;

	for (; i < end; i = k + 1) {
		for (k = i; k < end && !r->hole[k]; k++)
			;
		if (k == i)
			continue;
		on_device = (u32)rnd(devices);
		if (rnd(2))
			device_write(r, i, k - i);
		else
			device_read(r, i, k - i);
		operations += k - i;
	}
}

static void give_advice(struct range *r, u64 i, u64 n)
{
	static const int kinds[] = { GMEM_MADV_PREFETCH, GMEM_MADV_PREFETCH, GMEM_MADV_DONTNEED,
				     GMEM_MADV_WILLNEED, GMEM_MADV_PINNED,   GMEM_MADV_UNPINNED,
				     GMEM_MADV_UNPINNED };
	int kind = kinds[rnd(sizeof(kinds) / sizeof(kinds[0]))];
	u64 k;
	int err;

	operations++;
	n = n < r->units - i ? n : r->units - i;
	if (kind == GMEM_MADV_PINNED)
		n = 1;
	err = advise((int)rnd(devices), r->p + i * unit / 8, n * unit, kind);
	for (k = i; k < i + n && kind == GMEM_MADV_DONTNEED; k++)
		r->value[k] = err ? UNKNOWN : 0; /* some of them may be freed */
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
	operations++;
	r->hole[i] = !r->hole[i];
	r->value[i] = 0;
}

static void random_op(u64 step)
{
	struct range *r = &ranges[rnd(RANGES)];
	u64 i = rnd(r->units);

	switch (r->hole[i] ? 0 : rnd(20)) {
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
		device_touch(r, 3 * step % r->units, 3);
}

/*
 * Random ones, and now and then a copy, an allocation or a message fails.  Not more
 * often: gmem-23.09 loses a victim whose eviction fails, and with most of them lost
 * it evicts in the background what has just come, for ever.
 */
static void failing_op(u64 step)
{
	static const char *const what[] = { "fail_copy", "fail_alloc", "fail_msg" };

	if (step % 64 == 0)
		fail_nth(what[rnd(3)], 1 + (u32)rnd(40), 0);
	random_op(step);
}

/* Weights forward and backward with prefetch, the CPU reads now and then. */
static void training_op(u64 step)
{
	struct range *r = &ranges[step / 64 % RANGES];
	u64 n = r->units, at = 3 * step % (2 * n), i = at < n ? at : 2 * n - 1 - at;

	if (step % 4 == 0) {
		advise(0, r->p + i * unit / 8, (n - i < 4 ? n - i : 4) * unit, GMEM_MADV_PREFETCH);
		operations++;
	}
	device_touch(r, i, 3);
	if (step % 16 == 15)
		cpu_touch(r, i);
}

static void (*kind_of(const char *name))(u64 step)
{
	static const struct {
		const char *name;
		void (*op)(u64 step);
	} kinds[] = {
		{ "random", random_op },
		{ "hostile", hostile_op },
		{ "training", training_op },
		{ "failing", failing_op },
	};
	u32 i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, name))
			return kinds[i].op;
	die("there is no kind %s", name);
}

/* ops SEED N [random|hostile|training|failing] */
void test_ops(int argc, char **argv)
{
	u64 n = argc > 1 ? strtoull(argv[1], NULL, 0) : 1000, i, frames;
	void (*op)(u64 step) = kind_of(argc > 2 ? argv[2] : "random");
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
	for (i = 0; operations < n; i++)
		op(i);
	check_core();
}
