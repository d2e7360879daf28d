/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gmt_enc.c - operations into the raw content of .gmt frames
 *
 * Numbers that repeat from iteration to iteration (structure) and numbers that
 * do not (times) go into sections of their own: zstd then finds whole
 * iterations again, and what costs bytes is what is new.
 */
#include "traces/gmt.h"
#include "traces/names.h"

#include <errno.h>

enum { KIND_SLOTS = 256 };

struct gmt_enc {
	struct gmt_state st;
	u32 first_tensor; /* delta bases at the start of the frame */
	u64 first_va;
	u64 first_op, nops;
	u32 recent; /* tensors from here on were allocated in this iteration */
	struct tr_buf sec[GMT_NR_SECTIONS];
	struct tr_buf rec; /* the record under construction */

	struct tr_names names;
	u32 npages; /* waiting to become one record */
	u64 va[GMT_BATCH], when[GMT_BATCH];
	struct gmt_page_kind kinds[KIND_SLOTS]; /* direct-mapped */
	u32 kind_refs[KIND_SLOTS];		/* 0: free slot */
	u32 nkinds;
};

struct gmt_enc *gmt_enc_new(void)
{
	struct gmt_enc *e = gs_calloc(1, sizeof(*e));

	tr_names_init(&e->names);
	gmt_state_begin(&e->st, 0, 0);
	return e;
}

void gmt_enc_free(struct gmt_enc *e)
{
	if (!e)
		return;
	for (int i = 0; i < GMT_NR_SECTIONS; i++)
		tr_buf_fini(&e->sec[i]);
	tr_buf_fini(&e->rec);
	tr_names_fini(&e->names);
	free(e);
}

/* ---- records ---------------------------------------------------------- */

static int put_name(struct gmt_enc *e, const char *s)
{
	size_t len = s ? strlen(s) : 0;
	s64 number;

	if (!len) {
		tr_put(&e->rec, GMT_NAME_EMPTY);
		return 0;
	}
	if (len > TR_MAX_NAME)
		return -EINVAL;
	number = tr_names_find(&e->names, s, len);
	if (number >= 0) {
		tr_put(&e->rec, GMT_NAME_FIRST + (u64)number);
		return 0;
	}
	if (!tr_check_name(s, len))
		return -EINVAL;
	tr_put(&e->rec, GMT_NAME_NEW);
	tr_put(&e->rec, len);
	tr_put_bytes(&e->rec, s, len + 1); /* readers point at it: with its NUL */
	return 0;
}

static void put_word(struct gmt_enc *e, u8 v, u8 other)
{
	tr_put_u8(&e->rec, v == other ? GMT_OTHER : v);
}

/*
 * A tensor of this iteration is named by its distance from the newest one,
 * an older one by its id: both then look the same in every iteration.
 */
static void put_tensor(struct gmt_enc *e, u32 tensor)
{
	if (tensor >= e->recent && tensor < e->st.next_tensor)
		tr_put(&e->rec, (u64)(e->st.next_tensor - 1 - tensor) << 1 | 1);
	else
		tr_put(&e->rec, (u64)tensor << 1);
}

static int put_alloc(struct gmt_enc *e, const struct gs_op *op)
{
	put_word(e, op->alloc.kind, GS_OTHER_KIND);
	tr_put(&e->rec, op->device);
	tr_put_delta(&e->rec, e->st.next_tensor, op->alloc.tensor);
	tr_put_delta(&e->rec, e->st.next_va, op->alloc.va);
	tr_put(&e->rec, op->alloc.bytes);
	e->st.next_tensor = op->alloc.tensor + 1;
	e->st.next_va = op->alloc.va + op->alloc.bytes;
	return put_name(e, op->alloc.name);
}

static int put_free(struct gmt_enc *e, const struct gs_op *op)
{
	put_tensor(e, op->free.tensor);
	return 0;
}

/* @prev: the touch before, NULL for the first. */
static u8 touch_flags(const struct gs_touch *t, const struct gs_touch *prev)
{
	u8 flags = t->access;

	if (prev && prev->tensor == t->tensor && gmt_step_fits(prev->off + prev->bytes, t->off))
		flags |= GMT_T_NEXT;
	else if (t->off)
		flags |= GMT_T_OFF;
	flags |= prev && t->bytes == prev->bytes ? GMT_T_SAME : 0;
	flags |= t->pattern != GS_SEQUENTIAL ? GMT_T_PATTERN : 0;
	flags |= t->share ? GMT_T_SHARE : 0;
	return flags;
}

static void put_touch(struct gmt_enc *e, const struct gs_touch *t, const struct gs_touch *prev)
{
	u8 flags = touch_flags(t, prev);

	tr_put_u8(&e->rec, flags);
	if (!(flags & GMT_T_NEXT))
		put_tensor(e, t->tensor);
	if (!(flags & GMT_T_SAME))
		tr_put(&e->rec, t->bytes);
	if (flags & GMT_T_NEXT)
		tr_put(&e->rec, gmt_from_step(prev->off + prev->bytes, t->off, t->bytes));
	if (flags & GMT_T_OFF)
		tr_put(&e->rec, t->off);
	if (flags & GMT_T_PATTERN)
		tr_put_u8(&e->rec, t->pattern);
	if (t->pattern == GS_STRIDED)
		tr_put(&e->rec, t->stride);
	if (flags & GMT_T_SHARE)
		tr_put(&e->rec, t->share);
}

static u8 kernel_flags(const struct gmt_enc *e, const struct gs_op *op)
{
	const struct gmt_state *s = &e->st;
	u8 flags = 0;

	if (op->device != s->device || op->stream != s->stream)
		flags |= GMT_K_PLACE;
	if (op->kernel.opclass != s->opclass || op->kernel.dtype != s->dtype ||
	    op->kernel.phase != s->phase)
		flags |= GMT_K_WHAT;
	flags |= op->kernel.flops ? GMT_K_FLOPS : 0;
	flags |= op->kernel.bytes ? GMT_K_BYTES : 0;
	flags |= op->kernel.fault_out_ps || op->kernel.fault_all_ps ? GMT_K_FAULTS : 0;
	return flags;
}

static int put_kernel(struct gmt_enc *e, const struct gs_op *op)
{
	u8 flags = kernel_flags(e, op);
	int ret = put_name(e, op->kernel.name);

	if (ret)
		return ret;
	tr_put_u8(&e->rec, flags);
	if (flags & GMT_K_PLACE) {
		tr_put(&e->rec, op->device);
		tr_put(&e->rec, op->stream);
	}
	if (flags & GMT_K_WHAT) {
		put_word(e, op->kernel.opclass, GS_OTHER_CLASS);
		put_word(e, op->kernel.dtype, GS_OTHER_DTYPE);
		put_word(e, op->kernel.phase, GS_OTHER_PHASE);
	}
	if (flags & GMT_K_FLOPS)
		tr_put(&e->rec, op->kernel.flops);
	if (flags & GMT_K_BYTES)
		tr_put(&e->rec, op->kernel.bytes);
	tr_put(&e->rec, op->kernel.ntouches);
	for (u32 i = 0; i < op->kernel.ntouches; i++)
		put_touch(e, &op->kernel.touches[i], i ? &op->kernel.touches[i - 1] : NULL);
	if (flags & GMT_K_FAULTS) {
		tr_put(&e->rec, gmt_from_ps(op->kernel.fault_out_ps));
		tr_put(&e->rec, gmt_from_ps(op->kernel.fault_all_ps));
	}
	tr_put(&e->sec[GMT_DURATIONS], gmt_from_ps(op->kernel.duration_ps));
	e->st.device = op->device;
	e->st.stream = op->stream;
	e->st.opclass = op->kernel.opclass;
	e->st.dtype = op->kernel.dtype;
	e->st.phase = op->kernel.phase;
	return 0;
}

static int put_host(struct gmt_enc *e, const struct gs_op *op)
{
	tr_put_u8(&e->rec, op->host.access);
	put_tensor(e, op->host.tensor);
	tr_put(&e->rec, op->host.off);
	tr_put(&e->rec, op->host.bytes);
	tr_put(&e->sec[GMT_DURATIONS], gmt_from_ps(op->host.duration_ps));
	return 0;
}

static int put_advice(struct gmt_enc *e, const struct gs_op *op)
{
	tr_put_u8(&e->rec, op->advice.advice);
	tr_put(&e->rec, op->device);
	put_tensor(e, op->advice.tensor);
	tr_put(&e->rec, op->advice.off);
	tr_put(&e->rec, op->advice.bytes);
	return 0;
}

static int put_mark(struct gmt_enc *e, const struct gs_op *op)
{
	tr_put_u8(&e->rec, op->mark.iteration ? GMT_M_ITERATION : 0);
	tr_put(&e->rec, op->mark.number);
	if (op->mark.iteration)
		e->recent = e->st.next_tensor;
	return put_name(e, op->mark.name);
}

static void end_record(struct gmt_enc *e, enum gmt_record type)
{
	struct tr_buf *out = &e->sec[GMT_RECORDS];

	tr_put_u8(out, (u8)type);
	tr_put(out, e->rec.n);
	tr_put_bytes(out, e->rec.p, e->rec.n);
	e->rec.n = 0;
}

/* ---- page accesses ---------------------------------------------------- */

static void put_page_kind(struct gmt_enc *e, const struct gs_op *op)
{
	struct gmt_page_kind k = { op->device, op->page.access, op->page.bytes };
	u32 slot = (k.bytes * 2654435761U ^ (u32)k.device << 24 ^ (u32)k.access << 28) >> 24;
	struct gmt_page_kind *have = &e->kinds[slot];
	struct tr_buf *out = &e->sec[GMT_PAGE_KIND];

	if (e->kind_refs[slot] && have->device == k.device && have->access == k.access &&
	    have->bytes == k.bytes) {
		tr_put(out, e->kind_refs[slot]);
		return;
	}
	*have = k;
	e->kind_refs[slot] = ++e->nkinds;
	tr_put(out, 0);
	tr_put(out, k.device);
	tr_put_u8(out, k.access);
	tr_put(out, k.bytes);
}

static unsigned int varint_bytes(u64 v)
{
	return v ? ((unsigned int)fls64(v) + 6) / 7 : 1;
}

/*
 * Differences suit streams, absolute addresses suit accesses at random: count
 * what both would take.
 */
static bool absolute_is_shorter(const struct gmt_enc *e, u64 base, unsigned int shift)
{
	u64 prev = e->va[0] >> shift, absolute = 0, delta = 0;

	for (u32 i = 0; i < e->npages; i++) {
		u64 va = e->va[i] >> shift;

		absolute += varint_bytes(va - base);
		delta += varint_bytes(tr_zigzag(va - prev));
		prev = va;
	}
	return absolute < delta;
}

static void put_page_addresses(struct gmt_enc *e, bool absolute, u64 base, unsigned int shift)
{
	struct tr_buf *out = &e->sec[GMT_PAGE_VA];

	for (u32 i = 0; i < e->npages; i++) {
		u64 va = e->va[i] >> shift;

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
	u64 prev = e->when[0] / unit;

	for (u32 i = 0; i < e->npages; i++) {
		tr_put_delta(&e->sec[GMT_PAGE_TIME], prev, e->when[i] / unit);
		prev = e->when[i] / unit;
	}
}

static void flush_pages(struct gmt_enc *e)
{
	u64 low = U64_MAX, ones = 0, base;
	unsigned int shift;
	bool ns = true;
	u8 flags = 0;

	if (!e->npages)
		return;
	for (u32 i = 0; i < e->npages; i++) {
		low = gs_min(low, e->va[i]);
		ones |= e->va[i];
		flags |= e->when[i] ? GMT_P_TIMED : 0;
		ns &= e->when[i] % 1000 == 0;
	}
	shift = ones ? (unsigned int)__builtin_ctzll(ones) : 0;
	if (absolute_is_shorter(e, low >> shift, shift))
		flags |= GMT_P_ABSOLUTE;
	if (flags & GMT_P_TIMED && ns)
		flags |= GMT_P_NS;
	base = (flags & GMT_P_ABSOLUTE ? low : e->va[0]) >> shift;
	tr_put(&e->rec, e->npages);
	tr_put_u8(&e->rec, flags);
	tr_put_u8(&e->rec, (u8)shift);
	tr_put(&e->rec, base);
	put_page_addresses(e, flags & GMT_P_ABSOLUTE, base, shift);
	if (flags & GMT_P_TIMED) {
		u64 unit = ns ? 1000 : 1;

		tr_put(&e->rec, e->when[0] / unit);
		put_page_times(e, unit);
	}
	end_record(e, GMT_PAGES);
	e->npages = 0;
}

static void put_page(struct gmt_enc *e, const struct gs_op *op)
{
	e->va[e->npages] = op->page.va;
	e->when[e->npages++] = op->page.when_ps;
	put_page_kind(e, op);
	if (e->npages == GMT_BATCH)
		flush_pages(e);
}

/* ---- frames ----------------------------------------------------------- */

int gmt_enc_put(struct gmt_enc *e, const struct gs_op *op)
{
	static const struct {
		enum gmt_record type;
		int (*put)(struct gmt_enc *, const struct gs_op *);
	} recs[] = {
		[GS_OP_ALLOC] = { GMT_ALLOC, put_alloc },    [GS_OP_FREE] = { GMT_FREE, put_free },
		[GS_OP_KERNEL] = { GMT_KERNEL, put_kernel }, [GS_OP_HOST] = { GMT_HOST, put_host },
		[GS_OP_ADVICE] = { GMT_ADVICE, put_advice }, [GS_OP_MARK] = { GMT_MARK, put_mark },
	};
	int ret = 0;

	if (op->type == GS_OP_PAGE) {
		put_page(e, op);
	} else {
		flush_pages(e);
		ret = recs[op->type].put(e, op);
		if (ret)
			e->rec.n = 0;
		else
			end_record(e, recs[op->type].type);
	}
	e->nops += !ret;
	return ret;
}

size_t gmt_enc_bytes(const struct gmt_enc *e)
{
	size_t n = 4 * (size_t)e->npages;

	for (int i = 0; i < GMT_NR_SECTIONS; i++)
		n += e->sec[i].n;
	return n;
}

u64 gmt_enc_nops(const struct gmt_enc *e)
{
	return e->nops;
}

static void put_preamble(struct gmt_enc *e, struct tr_buf *out)
{
	tr_put(&e->rec, e->first_op);
	tr_put(&e->rec, e->nops);
	tr_put(&e->rec, e->first_tensor);
	tr_put(&e->rec, e->first_va);
	tr_put(out, e->rec.n);
	tr_put_bytes(out, e->rec.p, e->rec.n);
	e->rec.n = 0;
}

void gmt_enc_end(struct gmt_enc *e, struct tr_buf *out)
{
	flush_pages(e);
	put_preamble(e, out);
	for (u32 i = 1; i < GMT_NR_SECTIONS; i++) {
		if (!e->sec[i].n)
			continue;
		tr_put(out, i);
		tr_put(out, e->sec[i].n);
		tr_put_bytes(out, e->sec[i].p, e->sec[i].n);
		e->sec[i].n = 0;
	}
	tr_names_clear(&e->names);
	memset(e->kind_refs, 0, sizeof(e->kind_refs));
	e->nkinds = 0;
	e->first_op += e->nops;
	e->nops = 0;
	e->first_tensor = e->st.next_tensor;
	e->first_va = e->st.next_va;
	gmt_state_begin(&e->st, e->first_tensor, e->first_va);
}
