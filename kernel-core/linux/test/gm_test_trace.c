// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_test_trace.c - a program (gm_program.h) on /dev/gmem, its data checked
 *
 * Each unit is filled with one number, a new one each time, so what is read tells
 * which write it comes from.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "gm_program.h"
#include "gm_test.h"

#define UNKNOWN (~0ULL)

/* What was mapped, and the number in each of its units. */
static struct piece {
	u64 va, units, *value;
} * pieces;
static u32 nr_pieces;
static u64 stamp, refused;

static u64 *value_of(u64 va)
{
	u32 i;

	for (i = 0; i < nr_pieces; i++)
		if (va >= pieces[i].va && va < pieces[i].va + pieces[i].units * unit)
			return &pieces[i].value[(va - pieces[i].va) / unit];
	return NULL;
}

static void set_values(const struct gm_program_line *l, u64 value)
{
	u64 i, *v;

	for (i = 0; i < l->units; i++) {
		v = value_of(l->va + i * unit);
		if (v)
			*v = value;
	}
}

static void run_map(const struct gm_program_line *l)
{
	void *at = (void *)(uintptr_t)l->va;

	if (mmap(at, l->units * unit, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED_NOREPLACE, dev,
		 0) != at)
		die("%llu units cannot be mapped at %p", l->units, at);
	pieces = realloc(pieces, ++nr_pieces * sizeof(*pieces));
	pieces[nr_pieces - 1] = (struct piece){ l->va, l->units, calloc(l->units, sizeof(u64)) };
}

static void run_unmap(const struct gm_program_line *l)
{
	expect(!munmap((void *)(uintptr_t)l->va, l->units * unit));
	set_values(l, UNKNOWN);
}

/* What GMEM_OP_CHECKSUM gives for these units; UNKNOWN: one of them is. */
static u64 sum_of(const struct gm_program_line *l)
{
	u64 words = unit / 8, sum = 0, i;

	for (i = 0; i < l->units; i++) {
		const u64 *v = value_of(l->va + i * unit);

		if (!v || *v == UNKNOWN)
			return UNKNOWN;
		/* the sum of 2 k + 1 over k < n is n squared */
		sum += *v * words * words * ((i + 1) * (i + 1) - i * i);
	}
	return sum;
}

static void run_dev(const struct gm_program_line *l)
{
	void *at = (void *)(uintptr_t)l->va;
	u64 expected = sum_of(l), sum;
	int err;

	on_device = (u32)l->device;
	if (l->write) {
		err = prog(GMEM_OP_FILL, 0, at, NULL, l->units * unit, ++stamp, 0, NULL);
		set_values(l, err ? UNKNOWN : stamp);
	} else {
		err = prog(GMEM_OP_CHECKSUM, 0, at, NULL, l->units * unit, 0, 0, &sum);
		if (!err && sum != expected && expected != UNKNOWN)
			die("%llu units at %p: the device reads %llx, not %llx", l->units, at,
			    (unsigned long long)sum, (unsigned long long)expected);
	}
	refused += err != 0;
}

static int cpu_unit(u64 *p, bool write, u64 *value)
{
	u64 seen, i;

	if (!write) {
		if (try_read(p, &seen))
			return -1;
		if (value && *value != UNKNOWN && seen != *value)
			die("%p has %llx, not %llx", p, (unsigned long long)seen,
			    (unsigned long long)*value);
		return 0;
	}
	if (try_write(p, stamp))
		return -1;
	for (i = 1; i < unit / 8; i++)
		p[i] = stamp;
	if (value)
		*value = stamp;
	return 0;
}

static void run_cpu(const struct gm_program_line *l)
{
	u64 i;

	stamp += l->write;
	for (i = 0; i < l->units; i++)
		if (cpu_unit((u64 *)(uintptr_t)(l->va + i * unit), l->write,
			     value_of(l->va + i * unit))) {
			refused++;
			return;
		}
}

static void run_advise(const struct gm_program_line *l)
{
	static const int behaviors[] = { GMEM_MADV_PREFETCH, GMEM_MADV_DONTNEED, GMEM_MADV_PINNED,
					 GMEM_MADV_UNPINNED, GMEM_MADV_WILLNEED };
	int behavior = behaviors[l->advice];
	int err = advise(l->device, (void *)(uintptr_t)l->va, l->units * unit, behavior);

	if (behavior == GMEM_MADV_DONTNEED)
		set_values(l, err ? UNKNOWN : 0);
	refused += err != 0;
}

static void run_line(const struct gm_program_line *l)
{
	static void (*const run[])(const struct gm_program_line *) = {
		[GM_PROGRAM_MAP] = run_map,	  [GM_PROGRAM_UNMAP] = run_unmap,
		[GM_PROGRAM_DEV] = run_dev,	  [GM_PROGRAM_CPU] = run_cpu,
		[GM_PROGRAM_ADVISE] = run_advise,
	};

	run[l->what](l);
}

/* trace FILE */
void test_trace(int argc, char **argv)
{
	FILE *f = argc > 0 ? fopen(argv[0], "r") : NULL;
	struct gm_program_head head;
	struct gm_program_line l;
	u64 lines = 0, n = 1;
	const char *why;
	char text[256];
	int got;

	if (!f || !fgets(text, sizeof(text), f) || gm_program_parse_head(text, &head))
		die("trace: no program");
	if (head.unit != unit || head.devices != devices)
		die("the program is for %u devices and units of %llu bytes", head.devices,
		    head.unit);
	while (fgets(text, sizeof(text), f)) {
		n++;
		got = gm_program_parse(text, &head, &l, &why);
		if (got < 0)
			die("%s:%llu: %s", argv[0], (unsigned long long)n, why);
		if (!got)
			continue;
		run_line(&l);
		lines++;
	}
	fclose(f);
	check_core();
	printf("trace: %llu lines, %llu refused\n", (unsigned long long)lines,
	       (unsigned long long)refused);
}
