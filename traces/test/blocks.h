/* SPDX-License-Identifier: GPL-3.0-or-later */
/* blocks.h - a .gmt file of one frame, put together from the content of its blocks */
#ifndef TR_TEST_BLOCKS_H
#define TR_TEST_BLOCKS_H

#include <zstd.h>

#include "traces/gmt.h"

enum { HEAD, DATA, SUMM, INDX, NBLOCKS };

static const u32 block_tags[NBLOCKS] = { GMT_HEAD, GMT_DATA, GMT_SUMM, GMT_INDX };
static inline u64 put_block(struct tr_buf *out, u32 tag, const struct tr_buf *content)
{
	size_t room = ZSTD_compressBound(content->n), n, head = out->n;
	u64 hash = gs_hash(content->p, content->n, 0);
	u8 *packed = gs_calloc(room, 1);

	n = ZSTD_compress(packed, room, content->p, content->n, 1);
	tr_put_le(out, tag, 4);
	tr_put_le(out, 0, 4);
	tr_put_le(out, content->n, 4);
	tr_put_le(out, n, 4);
	tr_put_le(out, hash, 8);
	tr_put_le(out, gs_hash(out->p + head, 24, 0), 8);
	tr_put_bytes(out, packed, n);
	free(packed);
	return hash;
}

/* The index of the one frame, at its new place and with its new hash. */
static inline void mend_index(struct tr_buf *index, u64 offset, u64 hash)
{
	struct tr_cur c = { index->p, index->p + index->n, false };
	struct tr_buf mended = { 0 };

	tr_put(&mended, tr_get(&c));
	tr_get(&c);
	tr_put(&mended, offset);
	tr_put(&mended, tr_get(&c));
	tr_put_le(&mended, hash, 8);
	if (tr_left(&c) > 8)
		tr_put_bytes(&mended, c.p + 8, tr_left(&c) - 8);
	tr_buf_fini(index);
	*index = mended;
}

/* Blocks @b as a file of version @major in @out whose every checksum is right. */
static inline void blocks_join(struct tr_buf *b, u16 major, bool mend, struct tr_buf *out)
{
	u16 minor = major == GMT_MAJOR ? GMT_MINOR : GMT_MINOR_1;
	struct tr_buf hashes = { 0 };
	u64 at[NBLOCKS], hash;

	tr_put_bytes(out, GMT_MAGIC, 8);
	tr_put_le(out, major, 2);
	tr_put_le(out, minor, 2);
	tr_put_le(out, 0, 4);
	for (int i = 0; i < NBLOCKS; i++) {
		at[i] = out->n;
		hash = put_block(out, block_tags[i], &b[i]);
		if (i <= DATA)
			tr_put_le(&hashes, hash, 8);
		if (i == DATA && mend)
			mend_index(&b[INDX], at[i], hash);
	}
	hash = out->n;
	tr_put_le(out, at[SUMM], 8);
	tr_put_le(out, at[INDX], 8);
	tr_put_le(out, gs_hash(hashes.p, hashes.n, 0), 8);
	tr_put_le(out, hash + GMT_FOOTER, 8);
	tr_put_le(out, 1, 4);
	tr_put_le(out, major, 2);
	tr_put_le(out, minor, 2);
	tr_put_le(out, 0, 8);
	tr_put_le(out, gs_hash(out->p + hash, 48, 0), 8);
	tr_put_bytes(out, GMT_END_MAGIC, 8);
	tr_buf_fini(&hashes);
}

#endif
