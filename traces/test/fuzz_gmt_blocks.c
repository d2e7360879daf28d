/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * fuzz_gmt_blocks.c - header, frame, summary and index of a .gmt, checksums right
 *
 * The input: a byte, 1: the index is made to fit the frame, 2: version 1; then the content
 * of each block, the first three after their length in two bytes.
 */
#include "traces/test/fuzz_read.h"

#include "traces/test/blocks.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct tr_buf b[NBLOCKS] = { 0 }, out = { 0 };
	const u8 *end = data + size;
	u8 flags = size ? *data++ : 0;

	for (int i = 0; i < NBLOCKS; i++) {
		size_t left = (size_t)(end - data), n = left;

		if (i < NBLOCKS - 1) {
			n = left < 2 ? 0 : tr_le(data, 2);
			data += left < 2 ? 0 : 2;
			n = gs_min(n, (u64)(end - data));
		}
		tr_buf_room(&b[i], n);
		tr_put_bytes(&b[i], data, n);
		data += n;
	}
	blocks_join(b, flags & 2 ? 1 : GMT_MAJOR, flags & 1, &out);
	fuzz_open(fuzz_file(out.p, out.n));
	tr_buf_fini(&out);
	for (int i = 0; i < NBLOCKS; i++)
		tr_buf_fini(&b[i]);
	return 0;
}
