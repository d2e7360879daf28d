/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gmt_col.c - columns of numbers, to bytes and back */
#include "traces/gmt_col.h"

enum {
	FEW = 64,      /* numbers; fewer are varints */
	CLASS_BITS = 3 /* of a class, compressed: a guess */
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
	/* runs by hash, most of them remembered: a run comes again after a whole iteration */
	int bits = fls64(c->n) + 2;
	u32 *seen = gs_calloc(1ULL << bits, sizeof(*seen));
	struct weights w = { 0 };

	for (size_t i = 0; i < c->n; i++) {
		unsigned int len = (unsigned int)fls64(c->v[i] >> 2);
		u64 key = c->v[i] * 0x9e3779b97f4a7c15ULL;

		for (size_t k = 1; k <= 3; k++)
			key = (key ^ (i >= k ? c->v[i - k] : 0) ^ key >> 29) *
			      0xbf58476d1ce4e5b9ULL;
		w.parts += len > 1 ? len - 1 : 0;
		if (seen[key >> (64 - bits)] == (u32)key)
			continue;
		seen[key >> (64 - bits)] = (u32)key;
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
		k->classes = tr_get_part(&k->c, tr_get(&k->c));
		k->bits = k->c.p;
		k->nbits = 8 * (u64)tr_left(&k->c);
		k->c.p = k->c.end;
	}
	return coding <= GMT_PARTS && !k->c.bad;
}

bool gmt_cur_ended(const struct gmt_cur *k)
{
	return k->at == k->n && !tr_left(&k->c) && !tr_left(&k->classes) && k->nbits - k->bit < 8;
}

/* @n bits from k->bit on.  [they are there] */
static inline u64 bits_ahead(const struct gmt_cur *k, unsigned int n)
{
	const u8 *p = k->bits + k->bit / 8;
	unsigned int shift = k->bit % 8, bytes = (shift + n + 7) / 8;
	u64 v;

	if (k->nbits - k->bit >= 64 && bytes <= 8)
		v = tr_le64(p) >> shift;
	else if (bytes <= 8)
		v = tr_le(p, bytes) >> shift;
	else
		v = tr_le(p, 8) >> shift | (u64)p[8] << (64 - shift);
	return v & ((1ULL << n) - 1);
}

/* Puts some numbers together; it ends before one that is none. */
static void parts_ahead(struct gmt_cur *k)
{
	u8 n = 0, max = (u8)gs_min(tr_left(&k->classes), (size_t)GMT_AHEAD);

	for (; n < max; n++) {
		u8 class = k->classes.p[n];
		unsigned int len = class >> 2; /* bits of v >> 2, the top one among them */
		unsigned int told = len - (len > 0);

		if (len > 62 || told > k->nbits - k->bit)
			break;
		k->v[n] = (1ULL << len >> 1 | bits_ahead(k, told)) << 2 | (class & 3);
		k->bit += told;
	}
	k->classes.p += n;
	k->n = n;
	k->at = 0;
}

u64 gmt_get_part(struct gmt_cur *k)
{
	if (k->at == k->n && tr_left(&k->classes))
		parts_ahead(k);
	return k->at < k->n ? k->v[k->at++] : tr_cur_fail(&k->c);
}
