/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gmt_dec_pages.c - page accesses of a .gmt frame, by one or by many */
#include <errno.h>

#include "traces/gmt_dec.h"

int gmt_begin_pages(struct gmt_dec *d)
{
	u64 n = gmt_below(d, GMT_OTHER_NUMBERS, U32_MAX);

	d->page_flags = gmt_u8(d, GMT_OTHER_BYTES);
	d->page_shift = gmt_u8(d, GMT_OTHER_BYTES);
	d->page_base = gmt_number(d, GMT_OTHER_NUMBERS);
	d->page_when = d->page_flags & GMT_P_TIMED ? gmt_number(d, GMT_OTHER_NUMBERS) : 0;
	if (!n || n > d->end - d->index || d->page_shift > 63)
		return gmt_bad(d, "a batch of page accesses that cannot be");
	d->npages = (u32)n;
	return 0;
}

static int define_page_kind(struct gmt_dec *d, struct gmt_page_kind *k)
{
	struct tr_cur *c = &d->sec[GMT_PAGE_KIND].c;

	k->device = (u16)tr_get_below(c, 1 << 16);
	k->access = tr_get_u8(c);
	k->bytes = (u32)tr_get_below(c, 1ULL << 32);
	GS_PUSH_ROOM(d->kinds, d->nkinds, d->kinds_cap);
	d->kinds[d->nkinds++] = *k;
	return 0;
}

static int get_page_kind(struct gmt_dec *d, struct gmt_page_kind *k)
{
	u64 ref = tr_get(&d->sec[GMT_PAGE_KIND].c);

	if (!ref)
		return define_page_kind(d, k);
	if (ref > d->nkinds)
		return gmt_bad(d, "a kind of page access that was not defined");
	*k = d->kinds[ref - 1];
	return 0;
}

static void get_addresses(struct gmt_dec *d, struct gs_page *p, u32 n)
{
	struct tr_cur c = d->sec[GMT_PAGE_VA].c;
	u64 base = d->page_base;

	if (d->page_flags & GMT_P_ABSOLUTE) {
		for (u32 i = 0; i < n; i++)
			p[i].va = (base + tr_get_mixed(&c)) << d->page_shift;
	} else {
		for (u32 i = 0; i < n; i++) {
			base += tr_unzigzag(tr_get_mixed(&c));
			p[i].va = base << d->page_shift;
		}
	}
	d->page_base = base;
	d->sec[GMT_PAGE_VA].c = c;
}

static void get_times(struct gmt_dec *d, struct gs_page *p, u32 n)
{
	u64 unit = d->page_flags & GMT_P_NS ? 1000 : 1;

	for (u32 i = 0; i < n; i++) {
		d->page_when = tr_get_delta(&d->sec[GMT_PAGE_TIME].c, d->page_when);
		p[i].when_ps = d->page_when * unit;
	}
}

/* How many of the next references, at most @max, are like the first. */
static u32 equal_kinds(const struct tr_cur *c, u32 max)
{
	u32 n = 1;

	max = (u32)gs_min(max, tr_left(c));
	while (n < max && c->p[n] == *c->p)
		n++;
	return n;
}

/* Fills all fields of @p but addresses and times. */
static int get_kinds(struct gmt_dec *d, struct gs_page *p, u32 n)
{
	struct tr_cur *c = &d->sec[GMT_PAGE_KIND].c;

	for (u32 i = 0; i < n;) {
		bool known = tr_left(c) && *c->p && *c->p < 0x80;
		u32 k = known ? equal_kinds(c, n - i) : 1;
		struct gmt_page_kind kind = { 0 };
		struct gs_page like;

		if (get_page_kind(d, &kind))
			return -EINVAL;
		if (known)
			c->p += k - 1;
		like = (struct gs_page){ .bytes = kind.bytes,
					 .device = kind.device,
					 .access = kind.access };
		while (k--)
			p[i++] = like;
	}
	return 0;
}

int gmt_get_pages(struct gmt_dec *d, struct gs_page *p, u32 n)
{
	if (get_kinds(d, p, n))
		return -EINVAL;
	get_addresses(d, p, n);
	if (d->page_flags & GMT_P_TIMED)
		get_times(d, p, n);
	if (d->sec[GMT_PAGE_VA].c.bad || d->sec[GMT_PAGE_TIME].c.bad || d->sec[GMT_PAGE_KIND].c.bad)
		return gmt_bad(d, "fewer page accesses than announced");
	d->npages -= n;
	d->index += n;
	return (int)n;
}

int gmt_get_page(struct gmt_dec *d, struct gs_op *op)
{
	struct gs_page p;
	int ret = gmt_get_pages(d, &p, 1);

	op->type = GS_OP_PAGE;
	op->device = p.device;
	op->page.va = p.va;
	op->page.bytes = p.bytes;
	op->page.access = p.access;
	op->page.when_ps = p.when_ps;
	return ret;
}
