// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * fuzz_program.c - any text as a program: refused, or run to its end
 */
#include <stdlib.h>

#include "kernel-core/port/user/gm_port_host.h"
#include "kernel-core/replay/gm_run.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const char *const variants[] = { "gmem+", "gmem-olk66", "gmem-23.09" };
	struct gm_run r = { .variant = size ? variants[data[size / 2] % 3] : "gmem+",
			    .evictor = "auto",
			    .prefetcher = "auto",
			    .serial = size ? 1 + data[size - 1] % 3 : 1,
			    .most_units = 4096 };
	FILE *f = size ? fmemopen((void *)data, size, "rb") : NULL;
	u64 live = gm_port_live();
	int err;

	if (!f)
		return 0;
	err = gm_run_file(&r, f);
	fclose(f);
	if (gm_port_live() != live || !err != !*r.why)
		abort();
	return 0;
}
