/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_gmt.c - .gmt files as they are: mostly their checksums are wrong */
#include "traces/test/fuzz_read.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	fuzz_open(fuzz_file(data, size));
	return 0;
}
