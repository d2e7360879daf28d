/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gmt_enc_pages.c - page accesses into a .gmt frame, many as one record */
#include "traces/gmt_enc.h"

static void put_page_kind(struct gmt_enc *e, const struct gs_op *op)
{
	struct gmt_enc_pages *p = &e->pages;
	struct gmt_page_kind k = { op->device, op->page.access, op->page.bytes };
	u32 slot = (k.bytes * 2654435761U ^ (u32)k.device << 24 ^ (u32)k.access << 28) >> 24;
	struct gmt_page_kind *have = &p->kinds[slot];
	struct tr_buf *out = &e->bytes[GMT_PAGE_KIND];

	if (p->kind_refs[slot] && have->device == k.device && have->access == k.access &&
	    have->bytes == k.bytes) {
		tr_put(out, p->kind_refs[slot]);
		return;
	}
	*have = k;
	p->kind_refs[slot] = ++p->nkinds;
	tr_put(out, 0);
	tr_put(out, k.device);
	tr_put_u8(out, k.access);
	tr_put(out, k.bytes);
}

/*
 * Differences suit streams, absolute addresses suit accesses at random: count
 * what both would take.
 */
static bool absolute_is_shorter(const struct gmt_enc_pages *p, u64 base, unsigned int shift)
{
	u64 prev = p->va[0] >> shift, absolute = 0, delta = 0;

	for (u32 i = 0; i < p->n; i++) {
		u64 va = p->va[i] >> shift;

		absolute += gmt_varint_bytes(va - base);
		delta += gmt_varint_bytes(tr_zigzag(va - prev));
		prev = va;
	}
	return absolute < delta;
}

static void put_page_addresses(struct gmt_enc *e, bool absolute, u64 base, unsigned int shift)
{
	const struct gmt_enc_pages *p = &e->pages;
	struct tr_buf *out = &e->bytes[GMT_PAGE_VA];

	for (u32 i = 0; i < p->n; i++) {
		u64 va = p->va[i] >> shift;

		if (absolute) {
			tr_put(out, va - base);
		} else {
			tr_put_delta(out, base, va);
			base = va;
		}
	}
}

static void put_page_times(struct gmt_enc *e, u64 unit)
{
	const struct gmt_enc_pages *p = &e->pages;
	u64 prev = p->when[0] / unit;

	for (u32 i = 0; i < p->n; i++) {
		tr_put_delta(&e->bytes[GMT_PAGE_TIME], prev, p->when[i] / unit);
		prev = p->when[i] / unit;
	}
}

void gmt_enc_flush_pages(struct gmt_enc *e)
{
	struct gmt_enc_pages *p = &e->pages;
	u64 low = U64_MAX, ones = 0, base;
	unsigned int shift;
	bool ns = true;
	u8 flags = 0;

	if (!p->n)
		return;
	for (u32 i = 0; i < p->n; i++) {
		low = gs_min(low, p->va[i]);
		ones |= p->va[i];
		flags |= p->when[i] ? GMT_P_TIMED : 0;
		ns &= p->when[i] % 1000 == 0;
	}
	shift = ones ? (unsigned int)__builtin_ctzll(ones) : 0;
	if (absolute_is_shorter(p, low >> shift, shift))
		flags |= GMT_P_ABSOLUTE;
	if (flags & GMT_P_TIMED && ns)
		flags |= GMT_P_NS;
	base = (flags & GMT_P_ABSOLUTE ? low : p->va[0]) >> shift;
	gmt_put_u8(e, GMT_TYPES, GMT_PAGES);
	gmt_put(e, GMT_OTHER_NUMBERS, p->n);
	gmt_put_u8(e, GMT_OTHER_BYTES, flags);
	gmt_put_u8(e, GMT_OTHER_BYTES, (u8)shift);
	gmt_put(e, GMT_OTHER_NUMBERS, base);
	put_page_addresses(e, flags & GMT_P_ABSOLUTE, base, shift);
	if (flags & GMT_P_TIMED) {
		u64 unit = ns ? 1000 : 1;

		gmt_put(e, GMT_OTHER_NUMBERS, p->when[0] / unit);
		put_page_times(e, unit);
	}
	p->n = 0;
}

void gmt_enc_page(struct gmt_enc *e, const struct gs_op *op)
{
	struct gmt_enc_pages *p = &e->pages;

	p->va[p->n] = op->page.va;
	p->when[p->n++] = op->page.when_ps;
	put_page_kind(e, op);
	if (p->n == GMT_BATCH)
		gmt_enc_flush_pages(e);
}
