/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_g10.c - networks of the G10 artifact: four files, "=====" between them */
#include "traces/test/fuzz_read.h"

#include <sys/stat.h>

static const char *const names[] = { "tensors.config", "kernels.config", "cudnn1.txt",
				     "cudnn1Workspace.txt" };
static char folder[64];

static void clean(void)
{
	for (size_t i = 0; i < GS_ARRAY_SIZE(names); i++) {
		char *path = gs_asprintf("%s/%s", folder, names[i]);

		unlink(path);
		free(path);
	}
	rmdir(folder);
}

static void write_file(const char *name, const u8 *p, size_t n)
{
	char *path = gs_asprintf("%s/%s", folder, name);
	FILE *f = fopen(path, "wb");

	fuzz_check(f && fwrite(p, 1, n, f) == n && !fclose(f));
	free(path);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const u8 *end = data + size;

	if (!*folder) {
		snprintf(folder, sizeof(folder), "/dev/shm/gmemsim-fuzz-%d", (int)getpid());
		fuzz_check(!mkdir(folder, 0700));
		atexit(clean);
	}
	for (size_t i = 0; i < GS_ARRAY_SIZE(names); i++) {
		const u8 *cut = memmem(data, (size_t)(end - data), "=====\n", 6);

		write_file(names[i], data, (size_t)((cut ? cut : end) - data));
		data = cut ? cut + 6 : end;
	}
	fuzz_import("g10", folder, NULL);
	return 0;
}
