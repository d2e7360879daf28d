/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gmt_dec.c - the raw content of a .gmt frame, back into operations
 *
 * Nothing in a frame is trusted, although its checksum was right: lengths stay
 * inside their section, references inside what was defined.  Whether the
 * operations make sense together is check.c's to say.
 */
#include <errno.h>

#include "traces/gmt_dec.h"

struct gmt_dec *gmt_dec_new(u16 major, u16 minor)
{
	struct gmt_dec *d = gs_calloc(1, sizeof(*d));

	d->records = major == 1;
	d->newer = minor > (d->records ? GMT_MINOR_1 : GMT_MINOR);
	for (u32 i = 0; i < GMT_NR_SECTIONS; i++)
		d->col[i] = d->records && (i == GMT_TYPES || i >= GMT_NR_SECTIONS_1) ? &d->rec
										     : &d->sec[i];
	return d;
}

void gmt_dec_free(struct gmt_dec *d)
{
	if (!d)
		return;
	free(d->names);
	free(d->touches);
	free(d->kinds);
	gmt_like_fini(&d->like);
	gmt_places_fini(&d->places);
	free(d);
}

const char *gmt_dec_why(const struct gmt_dec *d)
{
	return d->why;
}

/* ---- fields ----------------------------------------------------------- */

/* A name is defined: its length is told (version 1) or by its NUL. */
static const char *new_name(struct gmt_dec *d)
{
	struct tr_cur *c = &d->col[GMT_TEXTS]->c;
	u64 len = d->records ? tr_get(c) : 0;
	const char *s = (const char *)c->p;

	if (!d->records && tr_left(c))
		len = strnlen(s, tr_left(c));
	if (len >= tr_left(c) || s[len] || !tr_check_name(s, len)) {
		d->bad = true;
		return "";
	}
	c->p += len + 1;
	GS_PUSH_ROOM(d->names, d->nnames, d->names_cap);
	d->names[d->nnames++] = s;
	return s;
}

/* A reference to a name, or its definition; *slot as gmt_name_slot() has it. */
static inline const char *get_name(struct gmt_dec *d, enum gmt_section s, u32 *slot)
{
	u64 ref = gmt_number(d, s);
	const char *name = "";

	if (ref - GMT_NAME_FIRST < d->nnames) {
		*slot = (u32)(ref - 1);
		return d->names[ref - GMT_NAME_FIRST];
	}
	if (ref == GMT_NAME_NEW)
		name = new_name(d);
	else
		d->bad |= ref != GMT_NAME_EMPTY;
	*slot = d->bad ? 0 : gmt_name_slot(ref, (u32)d->nnames);
	return name;
}

/* A word of an enum; newer files may know more words than we do. */
static u8 get_word(struct gmt_dec *d, enum gmt_section s, u8 other)
{
	u8 v = gmt_u8(d, s);

	if (v < other)
		return v;
	d->bad |= v != GMT_OTHER && !d->newer;
	return other;
}

static u32 get_tensor(struct gmt_dec *d, enum gmt_section s)
{
	u64 v = gmt_below(d, s, 1ULL << 33);

	return v & 1 ? d->st.next_tensor - 1 - (u32)(v >> 1) : (u32)(v >> 1);
}

static inline u64 get_delta(struct gmt_dec *d, enum gmt_section s, u64 from)
{
	return from + tr_unzigzag(gmt_number(d, s));
}

/* ---- records: 1 filled, 0 pass over ------------------------------------ */

/* Address and bytes. */
static void get_extent(struct gmt_dec *d, struct gs_op *op)
{
	u64 place;

	if (d->records) {
		op->alloc.va = get_delta(d, GMT_ALLOC_VA, d->st.next_va);
		op->alloc.bytes = gmt_number(d, GMT_ALLOC_BYTES);
		return;
	}
	op->alloc.bytes = gmt_number(d, GMT_ALLOC_BYTES);
	place = gmt_number(d, GMT_ALLOC_PLACE);
	op->alloc.va = place ? 0 : get_delta(d, GMT_ALLOC_VA, d->st.next_va);
	d->bad |= !gmt_place_get(&d->places, op->alloc.bytes, place, &op->alloc.va);
}

static int get_alloc(struct gmt_dec *d, struct gs_op *op)
{
	u64 tensor;
	u32 slot;

	op->type = GS_OP_ALLOC;
	op->alloc.kind = get_word(d, GMT_ALLOC_KIND, GS_OTHER_KIND);
	op->device = (u16)gmt_below(d, GMT_ALLOC_ID, 1 << 16);
	tensor = get_delta(d, GMT_ALLOC_ID, d->st.next_tensor);
	d->bad |= tensor >= U32_MAX;
	op->alloc.tensor = (u32)tensor;
	get_extent(d, op);
	op->alloc.name = get_name(d, GMT_ALLOC_NAME, &slot);
	d->st.next_tensor = op->alloc.tensor + 1;
	d->st.next_va = op->alloc.va + op->alloc.bytes;
	return 1;
}

static int get_free(struct gmt_dec *d, struct gs_op *op)
{
	op->type = GS_OP_FREE;
	op->free.tensor = get_tensor(d, GMT_FREE_TENSOR);
	return 1;
}

static u32 touched_tensor(struct gmt_dec *d)
{
	u64 tensor;

	if (!d->alike)
		return get_tensor(d, GMT_TOUCH_TENSOR);
	tensor = get_delta(d, GMT_TOUCH_LIKE, gmt_like_guess(&d->like));
	gmt_like_tell(&d->like, (u32)tensor);
	return (u32)tensor;
}

/* What few touches have. */
static void get_touch_more(struct gmt_dec *d, struct gs_touch *t, u8 flags)
{
	if ((flags & (GMT_T_OFF | GMT_T_NEXT)) == GMT_T_OFF)
		t->off = gmt_number(d, GMT_TOUCH_OFF);
	if (flags & GMT_T_PATTERN)
		t->pattern = gmt_u8(d, GMT_TOUCH_PATTERN);
	if (t->pattern == GS_STRIDED)
		t->stride = gmt_number(d, GMT_TOUCH_REST);
	if (t->pattern >= GS_NR_PATTERNS && d->newer)
		t->pattern = GS_SEQUENTIAL;
	if (flags & GMT_T_SHARE)
		t->share = (u16)gmt_below(d, GMT_TOUCH_REST, 1 << 16);
	if (d->records && flags & GMT_T_MORE)
		tr_get_part(&d->rec.c, tr_get(&d->rec.c));
}

/* @prev: the touch before; all zero for the first. */
static inline void get_touch(struct gmt_dec *d, struct gs_touch *t, const struct gs_touch *prev)
{
	u8 flags = gmt_u8(d, GMT_TOUCH_FLAGS);

	*t = (struct gs_touch){ .access = flags & GMT_T_ACCESS,
				.tensor = prev->tensor,
				.bytes = prev->bytes };
	if (!(flags & GMT_T_NEXT))
		t->tensor = touched_tensor(d);
	if (!(flags & GMT_T_SAME))
		t->bytes = gmt_number(d, GMT_TOUCH_BYTES);
	if (flags & GMT_T_NEXT)
		t->off = gmt_to_step(prev->off + prev->bytes, gmt_number(d, GMT_TOUCH_STEP),
				     t->bytes);
	if (flags & ~(GMT_T_ACCESS | GMT_T_SAME | GMT_T_NEXT))
		get_touch_more(d, t, flags);
}

static u8 get_kernel_head(struct gmt_dec *d, struct gs_op *op, u32 *slot)
{
	struct gmt_state *s = &d->st;
	u8 flags;

	op->kernel.name = get_name(d, GMT_KERNEL_NAME, slot);
	flags = gmt_u8(d, GMT_KERNEL_FLAGS);
	if (flags & GMT_K_PLACE) {
		s->device = (u16)gmt_below(d, GMT_KERNEL_PLACE, 1 << 16);
		s->stream = (u16)gmt_below(d, GMT_KERNEL_PLACE, 1 << 16);
	}
	if (flags & GMT_K_WHAT) {
		s->opclass = get_word(d, GMT_KERNEL_WHAT, GS_OTHER_CLASS);
		s->dtype = get_word(d, GMT_KERNEL_WHAT, GS_OTHER_DTYPE);
		s->phase = get_word(d, GMT_KERNEL_WHAT, GS_OTHER_PHASE);
	}
	op->device = s->device;
	op->stream = s->stream;
	op->kernel.opclass = s->opclass;
	op->kernel.dtype = s->dtype;
	op->kernel.phase = s->phase;
	op->kernel.flops = flags & GMT_K_FLOPS ? gmt_number(d, GMT_KERNEL_FLOPS) : 0;
	op->kernel.bytes = flags & GMT_K_BYTES ? gmt_number(d, GMT_KERNEL_BYTES) : 0;
	return flags;
}

/* A touch takes a byte of flags at least (two in version 1), which bounds their number. */
static bool room_for_touches(const struct gmt_dec *d, u64 n)
{
	return n <= TR_MAX_TOUCHES && n << d->records <= tr_left(&d->col[GMT_TOUCH_FLAGS]->c);
}

static int get_touches(struct gmt_dec *d, u32 slot, struct gs_op *op)
{
	static const struct gs_touch none;
	u64 n = gmt_number(d, GMT_KERNEL_TOUCHES);

	if (!room_for_touches(d, n))
		return gmt_bad(d, "a kernel with more operands than its record holds");
	if (n > d->touches_cap) {
		d->touches_cap = gs_max(n, 2 * d->touches_cap);
		d->touches = gs_realloc_array(d->touches, d->touches_cap, sizeof(*d->touches));
	}
	if (d->alike)
		gmt_like_kernel(&d->like, slot, (u32)n);
	for (u64 i = 0; i < n; i++)
		get_touch(d, &d->touches[i], i ? &d->touches[i - 1] : &none);
	if (d->alike)
		gmt_like_kernel_end(&d->like);
	op->kernel.ntouches = (u32)n;
	op->kernel.touches = d->touches;
	return 0;
}

static int get_kernel(struct gmt_dec *d, struct gs_op *op)
{
	u32 slot;
	u8 flags;
	int ret;

	op->type = GS_OP_KERNEL;
	flags = get_kernel_head(d, op, &slot);
	ret = get_touches(d, slot, op);
	if (ret)
		return ret;
	op->kernel.fault_out_ps =
		flags & GMT_K_FAULTS ? gmt_to_ps(gmt_number(d, GMT_KERNEL_FAULTS)) : 0;
	op->kernel.fault_all_ps =
		flags & GMT_K_FAULTS ? gmt_to_ps(gmt_number(d, GMT_KERNEL_FAULTS)) : 0;
	op->kernel.duration_ps = gmt_to_ps(gmt_number(d, GMT_DURATIONS));
	return 1;
}

static int get_host(struct gmt_dec *d, struct gs_op *op)
{
	op->type = GS_OP_HOST;
	op->host.access = gmt_u8(d, GMT_OTHER_BYTES);
	op->host.tensor = get_tensor(d, GMT_OTHER_NUMBERS);
	op->host.off = gmt_number(d, GMT_OTHER_NUMBERS);
	op->host.bytes = gmt_number(d, GMT_OTHER_NUMBERS);
	op->host.duration_ps = gmt_to_ps(gmt_number(d, GMT_DURATIONS));
	return 1;
}

static int get_advice(struct gmt_dec *d, struct gs_op *op)
{
	op->type = GS_OP_ADVICE;
	op->advice.advice = gmt_u8(d, GMT_OTHER_BYTES);
	op->device = (u16)gmt_below(d, GMT_OTHER_NUMBERS, 1 << 16);
	op->advice.tensor = get_tensor(d, GMT_OTHER_NUMBERS);
	op->advice.off = gmt_number(d, GMT_OTHER_NUMBERS);
	op->advice.bytes = gmt_number(d, GMT_OTHER_NUMBERS);
	return !(op->advice.advice >= GS_NR_ADVICE && d->newer);
}

static int get_mark(struct gmt_dec *d, struct gs_op *op)
{
	u32 slot;

	op->type = GS_OP_MARK;
	op->mark.iteration = gmt_u8(d, GMT_OTHER_BYTES) & GMT_M_ITERATION;
	op->mark.number = (u32)gmt_below(d, GMT_OTHER_NUMBERS, 1ULL << 32);
	op->mark.name = get_name(d, GMT_OTHER_NUMBERS, &slot);
	return 1;
}

static int get_segment(struct gmt_dec *d, struct gs_op *op)
{
	op->type =
		gmt_number(d, GMT_SEGMENTS) & GMT_S_FREE ? GS_OP_SEGMENT_FREE : GS_OP_SEGMENT_ALLOC;
	op->device = (u16)gmt_below(d, GMT_SEGMENTS, 1 << 16);
	op->segment.va = gmt_number(d, GMT_SEGMENTS);
	op->segment.bytes = gmt_number(d, GMT_SEGMENTS);
	return 1;
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
		return gmt_bad(d, "its preamble differs from the index");
	d->end += d->index;
	gmt_state_begin(&d->st, next_tensor, next_va);
	return 0;
}

static int get_section(struct gmt_dec *d, struct tr_cur *c)
{
	u64 id = tr_get(c), len = tr_get(c);
	struct tr_cur part = tr_get_part(c, len);
	u32 known = d->records ? GMT_NR_SECTIONS_1 : GMT_NR_SECTIONS;

	if (c->bad)
		return gmt_bad(d, "a section passes its end");
	if (id >= known)
		return 0;
	if (d->sec[id].c.p)
		return gmt_bad(d, "a section comes twice");
	d->sec[id].c = part;
	if (!d->records && !(GMT_BYTES >> id & 1) && !gmt_cur_begin(&d->sec[id]))
		return gmt_bad(d, "a section of numbers in no known coding");
	return 0;
}

int gmt_dec_begin(struct gmt_dec *d, const u8 *raw, size_t n, u64 first, u64 nops)
{
	struct tr_cur c = { raw, raw + n, false };
	int ret = get_preamble(d, &c, first, nops);

	for (int i = 0; i < GMT_NR_SECTIONS; i++)
		d->sec[i] = (struct gmt_cur){ 0 };
	while (!ret && c.p < c.end)
		ret = get_section(d, &c);
	d->bad = false;
	d->alike = d->sec[GMT_TOUCH_LIKE].c.p;
	d->nnames = 0;
	d->nkinds = 0;
	d->npages = 0;
	gmt_like_clear(&d->like);
	gmt_places_clear(&d->places);
	return ret;
}

/* All that was announced has come, and nothing else. */
static int end_of_frame(struct gmt_dec *d)
{
	if (d->index != d->end)
		return gmt_bad(d, "fewer operations than announced");
	for (int i = 1; i < GMT_NR_SECTIONS; i++)
		if (!gmt_cur_ended(&d->sec[i]))
			return gmt_bad(d, "more in a section than its operations need");
	return 0;
}

/* Its fields; 0 for one that is passed over. */
static int get_fields(struct gmt_dec *d, u8 type, struct gs_op *op)
{
	switch (type) {
	case GMT_ALLOC:
		return get_alloc(d, op);
	case GMT_FREE:
		return get_free(d, op);
	case GMT_KERNEL:
		return get_kernel(d, op);
	case GMT_HOST:
		return get_host(d, op);
	case GMT_ADVICE:
		return get_advice(d, op);
	case GMT_MARK:
		return get_mark(d, op);
	case GMT_SEGMENT:
		return get_segment(d, op);
	default:
		return d->newer ? 0 : gmt_bad(d, "a record of unknown type");
	}
}

/* One record: 1 filled, 0 passed over or a batch of pages begun. */
static inline int get_record(struct gmt_dec *d, struct gs_op *op)
{
	struct tr_cur *types = &d->sec[GMT_TYPES].c;
	u8 type = tr_get_u8(types);
	int ret;

	if (d->records)
		d->rec.c = tr_get_part(types, tr_get(types));
	if (types->bad)
		return gmt_bad(d, "a record passes its end");
	ret = type == GMT_PAGES ? gmt_begin_pages(d) : get_fields(d, type, op);
	d->index += type != GMT_PAGES;
	if (ret >= 0 && (d->bad || d->rec.c.bad))
		return gmt_bad(d, "a record that is cut short or holds nonsense");
	if (ret >= 0 && d->records && tr_left(&d->rec.c) && !d->newer)
		return gmt_bad(d, "a record that is too long");
	return ret;
}

int gmt_dec_next(struct gmt_dec *d, struct gs_op *op)
{
	int ret;

	do {
		op->index = d->index;
		op->device = 0;
		op->stream = 0;
		if (d->npages)
			return gmt_get_page(d, op);
		if (!tr_left(&d->sec[GMT_TYPES].c))
			return end_of_frame(d);
		if (d->index == d->end)
			return gmt_bad(d, "more operations than announced");
		ret = get_record(d, op);
	} while (!ret);
	return ret;
}

int gmt_dec_pages(struct gmt_dec *d, struct gs_page *p, u32 max, u64 *index)
{
	const struct tr_cur *types = &d->sec[GMT_TYPES].c;
	struct gs_op op;
	int ret = 0;

	if (!d->npages && tr_left(types) && *types->p == GMT_PAGES)
		ret = get_record(d, &op);
	*index = d->index;
	return ret ? ret : gmt_get_pages(d, p, (u32)gs_min(max, d->npages));
}
