/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gmt_col.c - columns of numbers, to bytes and back */
#include "traces/gmt_col.h"

enum {
	FEW = 64,	/* numbers; fewer are varints */
	SEEN = 1 << 16, /* runs of numbers that are remembered to weigh codings */
	CLASS_BITS = 3	/* of a class, compressed: a guess */
};

void gmt_col_fini(struct gmt_col *c)
{
	free(c->v);
	*c = (struct gmt_col){ 0 };
}

/* ---- writing ------------------------------------------------------------ */

static void put_varints(const struct gmt_col *c, struct tr_buf *out)
{
	for (size_t i = 0; i < c->n; i++)
		tr_put(out, c->v[i]);
}

struct bits {
	u64 word;
	unsigned int n; /* below 8 between calls */
};

static void put_bits(struct bits *b, u64 v, unsigned int n, struct tr_buf *out)
{
	while (n) {
		unsigned int take = n < 56 ? n : 56;

		b->word |= (v & ((1ULL << take) - 1)) << b->n;
		for (b->n += take; b->n >= 8; b->n -= 8, b->word >>= 8)
			tr_put_u8(out, (u8)b->word);
		v >>= take;
		n -= take;
	}
}

/* Returns where the bits begin. */
static size_t put_parts(const struct gmt_col *c, struct tr_buf *out)
{
	struct bits b = { 0 };
	size_t at;

	tr_put(out, c->n);
	for (size_t i = 0; i < c->n; i++)
		tr_put_u8(out, (u8)(fls64(c->v[i] >> 2) << 2 | (int)(c->v[i] & 3)));
	at = out->n;
	for (size_t i = 0; i < c->n; i++) {
		unsigned int len = (unsigned int)fls64(c->v[i] >> 2);

		if (len > 1)
			put_bits(&b, c->v[i] >> 2, len - 1, out);
	}
	if (b.n)
		tr_put_u8(out, (u8)b.word);
	return at;
}

/*
 * Bits of both codings behind a compressor, about.  A number that follows the
 * same three as before costs nothing but for its bits among parts, which are not
 * found again.  Computed here and not tried out: what a file says, and the hash
 * of it, must not hang on the version of a library.
 */
struct weights {
	u64 varints, parts;
};

static struct weights weigh(const struct gmt_col *c)
{
	u32 *seen = gs_calloc(SEEN, sizeof(*seen));
	struct weights w = { 0 };

	for (size_t i = 0; i < c->n; i++) {
		unsigned int len = (unsigned int)fls64(c->v[i] >> 2);
		u64 key = c->v[i] * 0x9e3779b97f4a7c15ULL;

		for (size_t k = 1; k <= 3; k++)
			key = (key ^ (i >= k ? c->v[i - k] : 0) ^ key >> 29) *
			      0xbf58476d1ce4e5b9ULL;
		w.parts += len > 1 ? len - 1 : 0;
		if (seen[key >> 48] == (u32)key)
			continue;
		seen[key >> 48] = (u32)key;
		w.parts += CLASS_BITS;
		w.varints += 8 * gmt_varint_bytes(c->v[i]);
	}
	free(seen);
	return w;
}

u64 gmt_col_weight(const struct gmt_col *c)
{
	return weigh(c).varints;
}

size_t gmt_col_write(const struct gmt_col *c, struct tr_buf *out)
{
	struct tr_buf parts = { 0 };
	struct weights w = { 0 };
	size_t bits = 0;

	if (c->n >= FEW && c->bytes > c->n)
		w = weigh(c);
	if (w.parts < w.varints)
		bits = put_parts(c, &parts);
	if (parts.n && parts.n <= c->bytes + c->bytes / 4) { /* a block has a limit */
		tr_put_u8(out, GMT_PARTS);
		bits += out->n;
		tr_put_bytes(out, parts.p, parts.n);
	} else {
		bits = 0;
		tr_put_u8(out, GMT_VARINTS);
		put_varints(c, out);
	}
	tr_buf_fini(&parts);
	return bits;
}

/* ---- reading ------------------------------------------------------------ */

bool gmt_cur_begin(struct gmt_cur *k)
{
	u8 coding = tr_get_u8(&k->c);

	k->parts = coding == GMT_PARTS;
	if (k->parts) {
		struct tr_cur classes = tr_get_part(&k->c, tr_get(&k->c));

		k->bits = k->c.p;
		k->bits_end = k->c.end;
		k->bit = 0;
		k->c.p = classes.p;
		k->c.end = classes.end;
		k->c.bad |= classes.bad;
	}
	return coding <= GMT_PARTS && !k->c.bad;
}

bool gmt_cur_ended(const struct gmt_cur *k)
{
	if (tr_left(&k->c))
		return false;
	return !k->parts || k->bits + (k->bit > 0) == k->bits_end;
}

/* @n bits, at most 56; false: there are not so many. */
static inline bool take_bits(struct gmt_cur *k, unsigned int n, u64 *v)
{
	size_t left = (size_t)(k->bits_end - k->bits);
	u64 word;

	if (left >= 8) {
		word = tr_le64(k->bits);
	} else {
		if (8 * left < (u64)k->bit + n)
			return false;
		word = tr_le(k->bits, (unsigned int)left);
	}
	*v = word >> k->bit & ((1ULL << n) - 1);
	k->bits += (k->bit + n) / 8;
	k->bit = (k->bit + n) % 8;
	return true;
}

u64 gmt_get_part(struct gmt_cur *k)
{
	u8 class = tr_get_u8(&k->c);
	unsigned int n = class >> 2; /* bits of v >> 2, the top one among them */
	u64 low = 0, high = 0;

	if (n < 2)
		return class;
	n--;
	if (n > 61 || !take_bits(k, n < 56 ? n : 56, &low) ||
	    (n > 56 && !take_bits(k, n - 56, &high)))
		return tr_cur_fail(&k->c);
	return (1ULL << n | high << 56 | low) << 2 | (class & 3);
}
