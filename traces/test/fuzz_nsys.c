/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_nsys.c - SQLite exports of Nsight Systems; SQLite wants a file with a name */
#include "traces/test/fuzz_read.h"

static char path[64];

static void clean(void)
{
	unlink(path);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	FILE *f;

	if (!*path) {
		snprintf(path, sizeof(path), "/dev/shm/gmemsim-fuzz-%d.sqlite", (int)getpid());
		atexit(clean);
	}
	f = fopen(path, "wb");
	fuzz_check(f && fwrite(data, 1, size, f) == size && !fclose(f));
	fuzz_import("nsys", path, NULL);
	return 0;
}
