/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_lackey.c - page traces of valgrind's lackey */
#include "traces/test/fuzz_read.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const char *path = fuzz_file(data, size);

	fuzz_import("lackey", path, NULL);
	return 0;
}
