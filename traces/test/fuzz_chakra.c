/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_chakra.c - execution traces of Chakra, protobuf and JSON */
#include "traces/test/fuzz_read.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const char *path = fuzz_file(data, size);

	fuzz_import("chakra", path, NULL);
	return 0;
}
