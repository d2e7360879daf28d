/* SPDX-License-Identifier: GPL-3.0-or-later */
/* packed.h - bytes as compressors leave them, in tests; include after cmocka.h */
#ifndef TR_TEST_PACKED_H
#define TR_TEST_PACKED_H

#include <zlib.h>
#include <zstd.h>

#include "sim/base.h"

/* @n bytes of @p into @to, with room for @room; how many they are then. */
typedef size_t packer(void *to, size_t room, const void *p, size_t n);

static size_t pack_zstd(void *to, size_t room, const void *p, size_t n)
{
	size_t len = ZSTD_compress(to, room, p, n, 3);

	assert_false(ZSTD_isError(len));
	return len;
}

static size_t pack_gzip(void *to, size_t room, const void *p, size_t n)
{
	z_stream z = { 0 };

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_in = (u8 *)p;
	z.avail_in = (uInt)n;
	z.next_out = to;
	z.avail_out = (uInt)room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

static packer *const packers[] = { pack_zstd, pack_gzip };

#endif
