/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_run.h - a program (gm_program.h) on the core that is linked here
 *
 * It does what gmem.ko does with parameter serial when the same program runs on
 * /dev/gmem: while something is waited for, operations are answered in the order
 * that gm_serial.h tells; a fault is repeated until the unit is there.
 */
#ifndef GM_RUN_H
#define GM_RUN_H

#include <stdio.h>

#include "gm_core.h"
#include "gm_program.h"

struct gm_run {
	/* the caller's */
	const char *variant, *evictor, *prefetcher; /* of gmem.ko */
	u64 seed, serial;
	void (*decision)(void *arg, u64 n, u64 va, s16 from, s16 to, const char *cause);
	void *arg;
	u64 most_units; /* mapped at any time and of devices, together; 0: GM_RUN_UNITS */

	/* the answer */
	struct gm_program_head head;
	u64 calls, decided;
	u64 refused; /* lines that the core has refused, wholly or from some unit on */
	u64 line;    /* of the file: where it is wrong */
	char why[160];
};

#define GM_RUN_UNITS (1ULL << 24) /* 1 GiB of tables */

/* 0, or -EINVAL: @r->line and @r->why tell. */
int gm_run_file(struct gm_run *r, FILE *f);

#endif
