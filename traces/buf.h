/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * buf.h - growing byte buffers, and cursors that never read past their end
 *
 * Numbers are varints (7 bits a byte, lowest first); signed ones are zigzag.
 * A cursor that meets the end or nonsense turns bad and stays so: decoders
 * read a whole record and ask once.
 */
#ifndef TR_BUF_H
#define TR_BUF_H

#include <stdlib.h>
#include <string.h>

#include "sim/base.h"

struct tr_buf {
	u8 *p;
	size_t n, cap;
};

static inline void tr_buf_fini(struct tr_buf *b)
{
	free(b->p);
	*b = (struct tr_buf){ 0 };
}

/* Room for @more bytes at the end; never NULL. */
static inline u8 *tr_buf_room(struct tr_buf *b, size_t more)
{
	if (!b->p || b->cap - b->n < more) {
		b->cap = gs_max(2 * b->cap, b->n + more + 64);
		b->p = gs_realloc_array(b->p, b->cap, 1);
	}
	return b->p + b->n;
}

static inline void tr_put_u8(struct tr_buf *b, u8 v)
{
	*tr_buf_room(b, 1) = v;
	b->n++;
}

static inline void tr_put_bytes(struct tr_buf *b, const void *p, size_t n)
{
	if (n)
		memcpy(tr_buf_room(b, n), p, n);
	b->n += n;
}

static inline void tr_put(struct tr_buf *b, u64 v)
{
	u8 *p = tr_buf_room(b, 10);
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		p[n++] = (u8)v | 0x80;
	p[n++] = (u8)v;
	b->n += n;
}

static inline u64 tr_zigzag(u64 v)
{
	return v << 1 ^ -(v >> 63);
}

static inline u64 tr_unzigzag(u64 v)
{
	return v >> 1 ^ -(v & 1);
}

/* The difference @to - @from, modulo 2^64. */
static inline void tr_put_delta(struct tr_buf *b, u64 from, u64 to)
{
	tr_put(b, tr_zigzag(to - from));
}

static inline void tr_put_le(struct tr_buf *b, u64 v, unsigned int bytes)
{
	for (; bytes--; v >>= 8)
		tr_put_u8(b, (u8)v);
}

struct tr_cur {
	const u8 *p, *end;
	bool bad;
};

static inline size_t tr_left(const struct tr_cur *c)
{
	return (size_t)(c->end - c->p);
}

static inline u64 tr_cur_fail(struct tr_cur *c)
{
	c->bad = true;
	c->p = c->end;
	return 0;
}

static inline u8 tr_get_u8(struct tr_cur *c)
{
	return c->p < c->end ? *c->p++ : (u8)tr_cur_fail(c);
}

/* The rest of a varint near the end of its bytes, or one that is none. */
static __attribute__((noinline, unused)) u64 tr_get_slowly(struct tr_cur *c)
{
	u64 v = 0;

	for (unsigned int shift = 0; shift < 64 && c->p < c->end; shift += 7) {
		u8 byte = *c->p++;

		if (shift == 63 && byte > 1)
			break;
		v |= (u64)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return v;
	}
	return tr_cur_fail(c);
}

/*
 * A varint of two bytes or more.  Lengths repeat as traces do, so processors
 * guess these branches; each byte takes the top bit of the one before off.
 */
static inline __attribute__((always_inline)) u64 tr_get_long(struct tr_cur *c)
{
	const u8 *p = c->p;
	u64 v;

	if (tr_left(c) < 8)
		return tr_get_slowly(c);
	v = p[0];
#pragma GCC unroll 8
	for (unsigned int i = 1; i < 8; i++) {
		v += ((u64)p[i] - 1) << (7 * i);
		if (p[i] < 0x80) {
			c->p = p + i + 1;
			return v;
		}
	}
	return tr_get_slowly(c);
}

static inline u64 tr_get(struct tr_cur *c)
{
	return c->p < c->end && *c->p < 0x80 ? *c->p++ : tr_get_long(c);
}

/* Spelt so that compilers see one load. */
static inline u64 tr_le64(const u8 *p)
{
	return (u64)p[0] | (u64)p[1] << 8 | (u64)p[2] << 16 | (u64)p[3] << 24 | (u64)p[4] << 32 |
	       (u64)p[5] << 40 | (u64)p[6] << 48 | (u64)p[7] << 56;
}

/*
 * The same where lengths vary: a branch on the length would be guessed wrong
 * half of the time.  Reads eight bytes where there are so many; at most 56 bits.
 */
static inline u64 tr_get_mixed(struct tr_cur *c)
{
	u64 v, stop;

	if (tr_left(c) < 8)
		return tr_get(c);
	v = tr_le64(c->p);
	stop = ~v & 0x8080808080808080ULL;
	if (!stop)
		return tr_get_slowly(c);
	c->p += (__builtin_ctzll(stop) >> 3) + 1;
	v &= stop ^ (stop - 1); /* up to the first byte without the bit */
	v = (v & 0x007f007f007f007fULL) | (v & 0x7f007f007f007f00ULL) >> 1;
	v = (v & 0x00003fff00003fffULL) | (v & 0x3fff00003fff0000ULL) >> 2;
	return (v & 0x000000000fffffffULL) | (v & 0x0fffffff00000000ULL) >> 4;
}

/* A varint that must fit below @limit. */
static inline u64 tr_get_below(struct tr_cur *c, u64 limit)
{
	u64 v = tr_get(c);

	return v < limit ? v : tr_cur_fail(c);
}

static inline u64 tr_get_delta(struct tr_cur *c, u64 from)
{
	return from + tr_unzigzag(tr_get(c));
}

/* The next @n bytes as a cursor of their own. */
static inline struct tr_cur tr_get_part(struct tr_cur *c, u64 n)
{
	struct tr_cur part = { c->p, c->p, true };

	if (n > tr_left(c)) {
		tr_cur_fail(c);
		return part;
	}
	c->p += n;
	return (struct tr_cur){ part.p, c->p, false };
}

static inline u64 tr_le(const u8 *p, unsigned int bytes)
{
	u64 v = 0;

	while (bytes--)
		v = v << 8 | p[bytes];
	return v;
}

#endif
