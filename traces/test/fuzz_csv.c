/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_csv.c - CSV page traces */
#include "traces/test/fuzz_read.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const char *path = fuzz_file(data, size);

	fuzz_import("csv", path, NULL);
	fuzz_import("csv", path, "time,address,size,rw,device");
	return 0;
}
