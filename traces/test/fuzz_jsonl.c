/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_jsonl.c - our recorder's JSON lines, imported and read directly */
#include "traces/test/fuzz_read.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const char *path = fuzz_file(data, size);

	fuzz_import("jsonl", path, NULL);
	fuzz_open(path);
	return 0;
}
