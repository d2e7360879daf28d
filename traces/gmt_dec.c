/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gmt_dec.c - the raw content of a .gmt frame, back into operations
 *
 * Nothing in a frame is trusted, although its checksum was right: lengths stay
 * inside their section, references inside what was defined.  Whether the
 * operations make sense together is check.c's to say.
 */
#include "traces/gmt.h"

#include <errno.h>

struct gmt_dec {
	struct gmt_state st;
	bool newer;
	u64 index, end; /* of the operations */
	struct tr_cur sec[GMT_NR_SECTIONS];
	const char *why;

	const char **names;
	size_t nnames, names_cap;
	struct gs_touch *touches;
	size_t touches_cap;
	struct gmt_page_kind *kinds;
	size_t nkinds, kinds_cap;

	u32 npages; /* left of the batch */
	u8 page_flags, page_shift;
	u64 page_base, page_when;
};

struct gmt_dec *gmt_dec_new(bool newer)
{
	struct gmt_dec *d = gs_calloc(1, sizeof(*d));

	d->newer = newer;
	return d;
}

void gmt_dec_free(struct gmt_dec *d)
{
	if (!d)
		return;
	free(d->names);
	free(d->touches);
	free(d->kinds);
	free(d);
}

const char *gmt_dec_why(const struct gmt_dec *d)
{
	return d->why;
}

static int bad(struct gmt_dec *d, const char *why)
{
	d->why = why;
	return -EINVAL;
}

/* ---- fields ----------------------------------------------------------- */

/* A reference to a name, or its definition.  "" when the cursor is bad. */
static const char *get_name(struct gmt_dec *d, struct tr_cur *c)
{
	u64 ref = tr_get(c), len;
	const char *s;

	if (ref == GMT_NAME_EMPTY)
		return "";
	if (ref != GMT_NAME_NEW) {
		if (ref - GMT_NAME_FIRST < d->nnames)
			return d->names[ref - GMT_NAME_FIRST];
		tr_cur_fail(c);
		return "";
	}
	len = tr_get(c);
	s = (const char *)c->p;
	if (len >= tr_left(c) || s[len] || !tr_check_name(s, len)) {
		tr_cur_fail(c);
		return "";
	}
	c->p += len + 1;
	GS_PUSH_ROOM(d->names, d->nnames, d->names_cap);
	d->names[d->nnames++] = s;
	return s;
}

/* A word of an enum; newer files may know more words than we do. */
static u8 get_word(struct gmt_dec *d, struct tr_cur *c, u8 other)
{
	u8 v = tr_get_u8(c);

	if (v == GMT_OTHER || (v >= other && d->newer))
		return other;
	return v < other ? v : (u8)tr_cur_fail(c);
}

static u32 get_tensor(struct gmt_dec *d, struct tr_cur *c)
{
	u64 v = tr_get_below(c, 1ULL << 33);

	return v & 1 ? d->st.next_tensor - 1 - (u32)(v >> 1) : (u32)(v >> 1);
}

/* ---- records: 1 filled, 0 pass over ------------------------------------ */

static int get_alloc(struct gmt_dec *d, struct tr_cur *c, struct gs_op *op)
{
	u64 tensor;

	op->type = GS_OP_ALLOC;
	op->alloc.kind = get_word(d, c, GS_OTHER_KIND);
	op->device = (u16)tr_get_below(c, 1 << 16);
	tensor = tr_get_delta(c, d->st.next_tensor);
	if (tensor >= U32_MAX)
		tr_cur_fail(c);
	op->alloc.tensor = (u32)tensor;
	op->alloc.va = tr_get_delta(c, d->st.next_va);
	op->alloc.bytes = tr_get(c);
	op->alloc.name = get_name(d, c);
	d->st.next_tensor = op->alloc.tensor + 1;
	d->st.next_va = op->alloc.va + op->alloc.bytes;
	return 1;
}

static int get_free(struct gmt_dec *d, struct tr_cur *c, struct gs_op *op)
{
	op->type = GS_OP_FREE;
	op->free.tensor = get_tensor(d, c);
	return 1;
}

/* @prev: the touch before; all zero for the first. */
static void get_touch(struct gmt_dec *d, struct tr_cur *c, struct gs_touch *t,
		      const struct gs_touch *prev)
{
	u8 flags = tr_get_u8(c);

	t->access = flags & GMT_T_ACCESS;
	t->tensor = flags & GMT_T_NEXT ? prev->tensor : get_tensor(d, c);
	t->bytes = flags & GMT_T_SAME ? prev->bytes : tr_get(c);
	t->off = 0;
	if (flags & GMT_T_NEXT)
		t->off = gmt_to_step(prev->off + prev->bytes, tr_get(c), t->bytes);
	else if (flags & GMT_T_OFF)
		t->off = tr_get(c);
	t->pattern = flags & GMT_T_PATTERN ? tr_get_u8(c) : GS_SEQUENTIAL;
	t->stride = t->pattern == GS_STRIDED ? tr_get(c) : 0;
	if (t->pattern >= GS_NR_PATTERNS && d->newer)
		t->pattern = GS_SEQUENTIAL;
	t->share = flags & GMT_T_SHARE ? (u16)tr_get_below(c, 1 << 16) : 0;
	if (flags & GMT_T_MORE)
		tr_get_part(c, tr_get(c));
}

static u8 get_kernel_head(struct gmt_dec *d, struct tr_cur *c, struct gs_op *op)
{
	struct gmt_state *s = &d->st;
	u8 flags;

	op->kernel.name = get_name(d, c);
	flags = tr_get_u8(c);
	if (flags & GMT_K_PLACE) {
		s->device = (u16)tr_get_below(c, 1 << 16);
		s->stream = (u16)tr_get_below(c, 1 << 16);
	}
	if (flags & GMT_K_WHAT) {
		s->opclass = get_word(d, c, GS_OTHER_CLASS);
		s->dtype = get_word(d, c, GS_OTHER_DTYPE);
		s->phase = get_word(d, c, GS_OTHER_PHASE);
	}
	op->device = s->device;
	op->stream = s->stream;
	op->kernel.opclass = s->opclass;
	op->kernel.dtype = s->dtype;
	op->kernel.phase = s->phase;
	op->kernel.flops = flags & GMT_K_FLOPS ? tr_get(c) : 0;
	op->kernel.bytes = flags & GMT_K_BYTES ? tr_get(c) : 0;
	return flags;
}

static int get_kernel(struct gmt_dec *d, struct tr_cur *c, struct gs_op *op)
{
	static const struct gs_touch none;
	u8 flags;
	u64 n;

	op->type = GS_OP_KERNEL;
	flags = get_kernel_head(d, c, op);
	/* a touch takes two bytes at least, so what follows bounds their number */
	n = tr_get_below(c, TR_MAX_TOUCHES + 1);
	if (n > tr_left(c) / 2)
		return bad(d, "a kernel with more operands than its record holds");
	if (n > d->touches_cap) {
		d->touches_cap = gs_max(n, 2 * d->touches_cap);
		d->touches = gs_realloc_array(d->touches, d->touches_cap, sizeof(*d->touches));
	}
	for (u64 i = 0; i < n; i++)
		get_touch(d, c, &d->touches[i], i ? &d->touches[i - 1] : &none);
	op->kernel.ntouches = (u32)n;
	op->kernel.touches = d->touches;
	op->kernel.fault_out_ps = flags & GMT_K_FAULTS ? gmt_to_ps(tr_get(c)) : 0;
	op->kernel.fault_all_ps = flags & GMT_K_FAULTS ? gmt_to_ps(tr_get(c)) : 0;
	op->kernel.duration_ps = gmt_to_ps(tr_get(&d->sec[GMT_DURATIONS]));
	return 1;
}

static int get_host(struct gmt_dec *d, struct tr_cur *c, struct gs_op *op)
{
	op->type = GS_OP_HOST;
	op->host.access = tr_get_u8(c);
	op->host.tensor = get_tensor(d, c);
	op->host.off = tr_get(c);
	op->host.bytes = tr_get(c);
	op->host.duration_ps = gmt_to_ps(tr_get(&d->sec[GMT_DURATIONS]));
	return 1;
}

static int get_advice(struct gmt_dec *d, struct tr_cur *c, struct gs_op *op)
{
	op->type = GS_OP_ADVICE;
	op->advice.advice = tr_get_u8(c);
	op->device = (u16)tr_get_below(c, 1 << 16);
	op->advice.tensor = get_tensor(d, c);
	op->advice.off = tr_get(c);
	op->advice.bytes = tr_get(c);
	return !(op->advice.advice >= GS_NR_ADVICE && d->newer);
}

static int get_mark(struct gmt_dec *d, struct tr_cur *c, struct gs_op *op)
{
	op->type = GS_OP_MARK;
	op->mark.iteration = tr_get_u8(c) & GMT_M_ITERATION;
	op->mark.number = (u32)tr_get_below(c, 1ULL << 32);
	op->mark.name = get_name(d, c);
	return 1;
}

/* ---- page accesses ---------------------------------------------------- */

static int begin_pages(struct gmt_dec *d, struct tr_cur *c)
{
	u64 n = tr_get_below(c, U32_MAX);

	d->page_flags = tr_get_u8(c);
	d->page_shift = tr_get_u8(c);
	d->page_base = tr_get(c);
	d->page_when = d->page_flags & GMT_P_TIMED ? tr_get(c) : 0;
	if (!n || n > d->end - d->index || d->page_shift > 63)
		return bad(d, "a batch of page accesses that cannot be");
	d->npages = (u32)n;
	return 0;
}

static int define_page_kind(struct gmt_dec *d, struct gmt_page_kind *k)
{
	struct tr_cur *c = &d->sec[GMT_PAGE_KIND];

	k->device = (u16)tr_get_below(c, 1 << 16);
	k->access = tr_get_u8(c);
	k->bytes = (u32)tr_get_below(c, 1ULL << 32);
	GS_PUSH_ROOM(d->kinds, d->nkinds, d->kinds_cap);
	d->kinds[d->nkinds++] = *k;
	return 0;
}

static int get_page_kind(struct gmt_dec *d, struct gmt_page_kind *k)
{
	u64 ref = tr_get(&d->sec[GMT_PAGE_KIND]);

	if (!ref)
		return define_page_kind(d, k);
	if (ref > d->nkinds)
		return bad(d, "a kind of page access that was not defined");
	*k = d->kinds[ref - 1];
	return 0;
}

static void get_addresses(struct gmt_dec *d, struct gs_page *p, u32 n)
{
	struct tr_cur c = d->sec[GMT_PAGE_VA];
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
	d->sec[GMT_PAGE_VA] = c;
}

static void get_times(struct gmt_dec *d, struct gs_page *p, u32 n)
{
	u64 unit = d->page_flags & GMT_P_NS ? 1000 : 1;

	for (u32 i = 0; i < n; i++) {
		d->page_when = tr_get_delta(&d->sec[GMT_PAGE_TIME], d->page_when);
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
	struct tr_cur *c = &d->sec[GMT_PAGE_KIND];

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

/* @n of the batch.  [n <= d->npages] */
static int get_pages(struct gmt_dec *d, struct gs_page *p, u32 n)
{
	if (get_kinds(d, p, n))
		return -EINVAL;
	get_addresses(d, p, n);
	if (d->page_flags & GMT_P_TIMED)
		get_times(d, p, n);
	if (d->sec[GMT_PAGE_VA].bad || d->sec[GMT_PAGE_TIME].bad || d->sec[GMT_PAGE_KIND].bad)
		return bad(d, "fewer page accesses than announced");
	d->npages -= n;
	d->index += n;
	return (int)n;
}

static int get_page(struct gmt_dec *d, struct gs_op *op)
{
	struct gs_page p;
	int ret = get_pages(d, &p, 1);

	op->type = GS_OP_PAGE;
	op->device = p.device;
	op->page.va = p.va;
	op->page.bytes = p.bytes;
	op->page.access = p.access;
	op->page.when_ps = p.when_ps;
	return ret;
}

/* ---- frames ----------------------------------------------------------- */

static int get_preamble(struct gmt_dec *d, struct tr_cur *c, u64 first, u64 nops)
{
	struct tr_cur pre = tr_get_part(c, tr_get(c));
	u64 next_va;
	u32 next_tensor;

	d->index = tr_get(&pre);
	d->end = tr_get(&pre);
	next_tensor = (u32)tr_get_below(&pre, 1ULL << 32);
	next_va = tr_get(&pre);
	if (pre.bad || d->index != first || d->end != nops || first + nops < first)
		return bad(d, "its preamble differs from the index");
	d->end += d->index;
	gmt_state_begin(&d->st, next_tensor, next_va);
	return 0;
}

int gmt_dec_begin(struct gmt_dec *d, const u8 *raw, size_t n, u64 first, u64 nops)
{
	struct tr_cur c = { raw, raw + n, false };
	int ret = get_preamble(d, &c, first, nops);

	for (int i = 0; i < GMT_NR_SECTIONS; i++)
		d->sec[i] = (struct tr_cur){ 0 };
	while (!ret && c.p < c.end) {
		u64 id = tr_get(&c), len = tr_get(&c);
		struct tr_cur part = tr_get_part(&c, len);

		if (c.bad)
			ret = bad(d, "a section passes its end");
		else if (id < GMT_NR_SECTIONS && d->sec[id].p)
			ret = bad(d, "a section comes twice");
		else if (id < GMT_NR_SECTIONS)
			d->sec[id] = part;
	}
	d->nnames = 0;
	d->nkinds = 0;
	d->npages = 0;
	return ret;
}

/* All that was announced has come, and nothing else. */
static int end_of_frame(struct gmt_dec *d)
{
	if (d->index != d->end)
		return bad(d, "fewer operations than announced");
	for (int i = 1; i < GMT_NR_SECTIONS; i++)
		if (tr_left(&d->sec[i]))
			return bad(d, "more in a section than its operations need");
	return 0;
}

/* One record: 1 filled, 0 passed over or a batch of pages begun. */
static int get_record(struct gmt_dec *d, struct gs_op *op)
{
	static int (*const gets[])(struct gmt_dec *, struct tr_cur *, struct gs_op *) = {
		[GMT_ALLOC] = get_alloc, [GMT_FREE] = get_free,	    [GMT_KERNEL] = get_kernel,
		[GMT_HOST] = get_host,	 [GMT_ADVICE] = get_advice, [GMT_MARK] = get_mark,
	};
	struct tr_cur *recs = &d->sec[GMT_RECORDS];
	u8 type = tr_get_u8(recs);
	struct tr_cur c = tr_get_part(recs, tr_get(recs));
	int ret;

	if (recs->bad)
		return bad(d, "a record passes its end");
	if (type == GMT_PAGES) {
		ret = begin_pages(d, &c);
	} else if (type < GS_ARRAY_SIZE(gets) && gets[type]) {
		ret = gets[type](d, &c, op);
		d->index++;
	} else {
		ret = d->newer ? 0 : bad(d, "a record of unknown type");
		d->index++;
		return ret;
	}
	if (ret >= 0 && (c.bad || d->sec[GMT_DURATIONS].bad))
		return bad(d, "a record that is cut short or holds nonsense");
	if (ret >= 0 && tr_left(&c) && !d->newer)
		return bad(d, "a record that is too long");
	return ret;
}

int gmt_dec_next(struct gmt_dec *d, struct gs_op *op)
{
	int ret = 0;

	op->device = 0;
	op->stream = 0;
	while (!ret && !d->npages) {
		if (!tr_left(&d->sec[GMT_RECORDS]))
			return end_of_frame(d);
		if (d->index == d->end)
			return bad(d, "more operations than announced");
		op->index = d->index;
		ret = get_record(d, op);
	}
	if (ret)
		return ret;
	op->index = d->index;
	return get_page(d, op);
}

int gmt_dec_pages(struct gmt_dec *d, struct gs_page *p, u32 max, u64 *index)
{
	const struct tr_cur *recs = &d->sec[GMT_RECORDS];
	struct gs_op op;
	int ret = 0;

	if (!d->npages && tr_left(recs) && *recs->p == GMT_PAGES)
		ret = get_record(d, &op);
	*index = d->index;
	return ret ? ret : get_pages(d, p, gs_min(max, d->npages));
}
