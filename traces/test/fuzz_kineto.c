/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_kineto.c - traces of PyTorch's profiler */
#include "traces/test/fuzz_read.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const char *path = fuzz_file(data, size);

	fuzz_import("kineto", path, NULL);
	return 0;
}
