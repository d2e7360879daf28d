/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_et.c - execution traces of PyTorch */
#include "traces/test/fuzz_read.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const char *path = fuzz_file(data, size);

	fuzz_import("et", path, NULL);
	return 0;
}
