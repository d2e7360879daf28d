/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gmt_col.h - columns of numbers in a .gmt frame
 *
 * A section of numbers begins with its coding.  Varints suit numbers that come
 * again (zstd finds them by bytes); parts suit what never does, such as
 * measured times: how long a number is goes into a byte, which compresses, and
 * the rest into bits, which do not.
 *
 *	varints   u8 0, varints
 *	parts     u8 1, varint n, n classes (u8), bits, lowest first
 *		  class = length of v >> 2 in bits, * 4, + v & 3;
 *		  bits: v >> 2 without its top bit
 */
#ifndef TR_GMT_COL_H
#define TR_GMT_COL_H

#include "traces/buf.h"

enum gmt_coding { GMT_VARINTS = 0, GMT_PARTS = 1 };

struct gmt_col {
	u64 *v;
	size_t n, cap;
	size_t bytes; /* as varints */
};

static inline unsigned int gmt_varint_bytes(u64 v)
{
	return v ? ((unsigned int)fls64(v) + 6) / 7 : 1;
}

static inline void gmt_col_put(struct gmt_col *c, u64 v)
{
	GS_PUSH_ROOM(c->v, c->n, c->cap);
	c->v[c->n++] = v;
	c->bytes += gmt_varint_bytes(v);
}

static inline void gmt_col_clear(struct gmt_col *c)
{
	c->n = c->bytes = 0;
}

void gmt_col_fini(struct gmt_col *c);
/*
 * All numbers to the end of @out, by the coding that a compressor makes less of.
 * Returns where in @out bits begin that do not compress, 0 if there are none.
 */
size_t gmt_col_write(const struct gmt_col *c, struct tr_buf *out);
/* How much a compressor makes of them as varints, to compare two columns. */
u64 gmt_col_weight(const struct gmt_col *c);

enum { GMT_AHEAD = 32 }; /* parts that are put together at once */

/* A section that is read. */
struct gmt_cur {
	struct tr_cur c; /* varints, or other bytes */
	bool parts;
	u8 at, n; /* of v[], put together already */
	struct tr_cur classes;
	const u8 *bits;
	u64 nbits, bit; /* how many; that comes next */
	u64 v[GMT_AHEAD];
};

/* The coding at the begin of a section of numbers.  false: it is none. */
bool gmt_cur_begin(struct gmt_cur *k);
/* All of it was read. */
bool gmt_cur_ended(const struct gmt_cur *k);
u64 gmt_get_part(struct gmt_cur *k);

/*
 * The next number; k->c.bad if there is none.  Inline in each place, which is one
 * column: processors guess its lengths well there, and badly for all columns together.
 */
static inline __attribute__((always_inline)) u64 gmt_get(struct gmt_cur *k)
{
	if (k->c.p < k->c.end)
		return *k->c.p < 0x80 ? *k->c.p++ : tr_get_long(&k->c);
	if (k->at < k->n)
		return k->v[k->at++];
	return gmt_get_part(k);
}

#endif
