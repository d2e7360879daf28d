/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gmt_enc.c - operations into the raw content of .gmt frames
 *
 * Each field has a column of its own.  Fields that repeat from iteration to
 * iteration (structure) compress to nothing there; fields that do not (times,
 * rows drawn at random) disturb nobody.
 */
#include "traces/gmt_enc.h"

#include <errno.h>

enum { OWN_BLOCK = 1024 }; /* bytes; smaller sections share zstd's tables */

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
	for (int i = 0; i < GMT_NR_SECTIONS; i++) {
		tr_buf_fini(&e->bytes[i]);
		gmt_col_fini(&e->numbers[i]);
	}
	tr_names_fini(&e->names);
	gmt_like_fini(&e->like);
	gmt_places_fini(&e->places);
	free(e);
}

/* ---- records ---------------------------------------------------------- */

/* *ref: the number of the name, told in the section of texts if it is new.  0 or -EINVAL. */
static int name_ref(struct gmt_enc *e, const char *s, u64 *ref)
{
	size_t len = s ? strlen(s) : 0;
	s64 number;

	*ref = GMT_NAME_EMPTY;
	if (!len)
		return 0;
	if (len > TR_MAX_NAME || !tr_check_name(s, len))
		return -EINVAL;
	number = tr_names_find(&e->names, s, len);
	*ref = number < 0 ? GMT_NAME_NEW : GMT_NAME_FIRST + (u64)number;
	if (number < 0)
		tr_put_bytes(&e->bytes[GMT_TEXTS], s,
			     len + 1); /* readers point at it: with its NUL */
	return 0;
}

static void put_word(struct gmt_enc *e, enum gmt_section s, u8 v, u8 other)
{
	gmt_put_u8(e, s, v == other ? GMT_OTHER : v);
}

/*
 * A tensor of this iteration is named by its distance from the newest one,
 * an older one by its id: both then look the same in every iteration.
 */
static void put_tensor(struct gmt_enc *e, enum gmt_section s, u32 tensor)
{
	if (tensor >= e->recent && tensor < e->st.next_tensor)
		gmt_put(e, s, (u64)(e->st.next_tensor - 1 - tensor) << 1 | 1);
	else
		gmt_put(e, s, (u64)tensor << 1);
}

static int put_alloc(struct gmt_enc *e, const struct gs_op *op)
{
	u64 ref;
	u32 place;

	if (name_ref(e, op->alloc.name, &ref))
		return -EINVAL;
	put_word(e, GMT_ALLOC_KIND, op->alloc.kind, GS_OTHER_KIND);
	gmt_put(e, GMT_ALLOC_ID, op->device);
	gmt_put(e, GMT_ALLOC_ID, tr_zigzag((u64)op->alloc.tensor - e->st.next_tensor));
	gmt_put(e, GMT_ALLOC_BYTES, op->alloc.bytes);
	place = gmt_place_find(&e->places, op->alloc.bytes, op->alloc.va);
	gmt_put(e, GMT_ALLOC_PLACE, place);
	if (!place)
		gmt_put(e, GMT_ALLOC_VA, tr_zigzag(op->alloc.va - e->st.next_va));
	gmt_put(e, GMT_ALLOC_NAME, ref);
	e->st.next_tensor = op->alloc.tensor + 1;
	e->st.next_va = op->alloc.va + op->alloc.bytes;
	return 0;
}

static int put_free(struct gmt_enc *e, const struct gs_op *op)
{
	put_tensor(e, GMT_FREE_TENSOR, op->free.tensor);
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

	gmt_put_u8(e, GMT_TOUCH_FLAGS, flags);
	if (!(flags & GMT_T_NEXT)) {
		put_tensor(e, GMT_TOUCH_TENSOR, t->tensor);
		gmt_put(e, GMT_TOUCH_LIKE, tr_zigzag((u64)t->tensor - gmt_like_guess(&e->like)));
		gmt_like_tell(&e->like, t->tensor);
	}
	if (!(flags & GMT_T_SAME))
		gmt_put(e, GMT_TOUCH_BYTES, t->bytes);
	if (flags & GMT_T_NEXT)
		gmt_put(e, GMT_TOUCH_STEP,
			gmt_from_step(prev->off + prev->bytes, t->off, t->bytes));
	if (flags & GMT_T_OFF)
		gmt_put(e, GMT_TOUCH_OFF, t->off);
	if (flags & GMT_T_PATTERN)
		gmt_put_u8(e, GMT_TOUCH_PATTERN, t->pattern);
	if (t->pattern == GS_STRIDED)
		gmt_put(e, GMT_TOUCH_REST, t->stride);
	if (flags & GMT_T_SHARE)
		gmt_put(e, GMT_TOUCH_REST, t->share);
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

static void put_touches(struct gmt_enc *e, const struct gs_op *op, u64 name)
{
	gmt_put(e, GMT_KERNEL_TOUCHES, op->kernel.ntouches);
	gmt_like_kernel(&e->like, gmt_name_slot(name, e->names.n), op->kernel.ntouches);
	for (u32 i = 0; i < op->kernel.ntouches; i++)
		put_touch(e, &op->kernel.touches[i], i ? &op->kernel.touches[i - 1] : NULL);
	gmt_like_kernel_end(&e->like);
}

static int put_kernel(struct gmt_enc *e, const struct gs_op *op)
{
	u8 flags = kernel_flags(e, op);
	u64 ref;

	if (name_ref(e, op->kernel.name, &ref))
		return -EINVAL;
	gmt_put(e, GMT_KERNEL_NAME, ref);
	gmt_put_u8(e, GMT_KERNEL_FLAGS, flags);
	if (flags & GMT_K_PLACE) {
		gmt_put(e, GMT_KERNEL_PLACE, op->device);
		gmt_put(e, GMT_KERNEL_PLACE, op->stream);
	}
	if (flags & GMT_K_WHAT) {
		put_word(e, GMT_KERNEL_WHAT, op->kernel.opclass, GS_OTHER_CLASS);
		put_word(e, GMT_KERNEL_WHAT, op->kernel.dtype, GS_OTHER_DTYPE);
		put_word(e, GMT_KERNEL_WHAT, op->kernel.phase, GS_OTHER_PHASE);
	}
	if (flags & GMT_K_FLOPS)
		gmt_put(e, GMT_KERNEL_FLOPS, op->kernel.flops);
	if (flags & GMT_K_BYTES)
		gmt_put(e, GMT_KERNEL_BYTES, op->kernel.bytes);
	put_touches(e, op, ref);
	if (flags & GMT_K_FAULTS) {
		gmt_put(e, GMT_KERNEL_FAULTS, gmt_from_ps(op->kernel.fault_out_ps));
		gmt_put(e, GMT_KERNEL_FAULTS, gmt_from_ps(op->kernel.fault_all_ps));
	}
	gmt_put(e, GMT_DURATIONS, gmt_from_ps(op->kernel.duration_ps));
	e->st.device = op->device;
	e->st.stream = op->stream;
	e->st.opclass = op->kernel.opclass;
	e->st.dtype = op->kernel.dtype;
	e->st.phase = op->kernel.phase;
	return 0;
}

static int put_host(struct gmt_enc *e, const struct gs_op *op)
{
	gmt_put_u8(e, GMT_OTHER_BYTES, op->host.access);
	put_tensor(e, GMT_OTHER_NUMBERS, op->host.tensor);
	gmt_put(e, GMT_OTHER_NUMBERS, op->host.off);
	gmt_put(e, GMT_OTHER_NUMBERS, op->host.bytes);
	gmt_put(e, GMT_DURATIONS, gmt_from_ps(op->host.duration_ps));
	return 0;
}

static int put_advice(struct gmt_enc *e, const struct gs_op *op)
{
	gmt_put_u8(e, GMT_OTHER_BYTES, op->advice.advice);
	gmt_put(e, GMT_OTHER_NUMBERS, op->device);
	put_tensor(e, GMT_OTHER_NUMBERS, op->advice.tensor);
	gmt_put(e, GMT_OTHER_NUMBERS, op->advice.off);
	gmt_put(e, GMT_OTHER_NUMBERS, op->advice.bytes);
	return 0;
}

static int put_mark(struct gmt_enc *e, const struct gs_op *op)
{
	u64 ref;

	if (name_ref(e, op->mark.name, &ref))
		return -EINVAL;
	gmt_put_u8(e, GMT_OTHER_BYTES, op->mark.iteration ? GMT_M_ITERATION : 0);
	gmt_put(e, GMT_OTHER_NUMBERS, op->mark.number);
	gmt_put(e, GMT_OTHER_NUMBERS, ref);
	if (op->mark.iteration)
		e->recent = e->st.next_tensor;
	return 0;
}

static int put_segment(struct gmt_enc *e, const struct gs_op *op)
{
	gmt_put(e, GMT_SEGMENTS, op->type == GS_OP_SEGMENT_FREE ? GMT_S_FREE : 0);
	gmt_put(e, GMT_SEGMENTS, op->device);
	gmt_put(e, GMT_SEGMENTS, op->segment.va);
	gmt_put(e, GMT_SEGMENTS, op->segment.bytes);
	return 0;
}

int gmt_enc_put(struct gmt_enc *e, const struct gs_op *op)
{
	static const struct {
		enum gmt_record type;
		int (*put)(struct gmt_enc *, const struct gs_op *);
	} recs[] = {
		[GS_OP_ALLOC] = { GMT_ALLOC, put_alloc },
		[GS_OP_FREE] = { GMT_FREE, put_free },
		[GS_OP_KERNEL] = { GMT_KERNEL, put_kernel },
		[GS_OP_HOST] = { GMT_HOST, put_host },
		[GS_OP_ADVICE] = { GMT_ADVICE, put_advice },
		[GS_OP_MARK] = { GMT_MARK, put_mark },
		[GS_OP_SEGMENT_ALLOC] = { GMT_SEGMENT, put_segment },
		[GS_OP_SEGMENT_FREE] = { GMT_SEGMENT, put_segment },
	};
	int ret = 0;

	if (op->type == GS_OP_PAGE) {
		gmt_enc_page(e, op);
	} else {
		gmt_enc_flush_pages(e);
		ret = recs[op->type].put(e, op);
		if (!ret)
			gmt_put_u8(e, GMT_TYPES, (u8)recs[op->type].type);
	}
	e->nops += !ret;
	return ret;
}

/* ---- frames ----------------------------------------------------------- */

size_t gmt_enc_bytes(const struct gmt_enc *e)
{
	size_t n = 4 * (size_t)e->pages.n;

	for (int i = 0; i < GMT_NR_SECTIONS; i++)
		n += e->bytes[i].n + e->numbers[i].bytes;
	return n - e->numbers[GMT_TOUCH_LIKE].bytes; /* one of two */
}

u64 gmt_enc_nops(const struct gmt_enc *e)
{
	return e->nops;
}

static void put_preamble(const struct gmt_enc *e, struct tr_buf *out)
{
	struct tr_buf pre = { 0 };

	tr_put(&pre, e->first_op);
	tr_put(&pre, e->nops);
	tr_put(&pre, e->first_tensor);
	tr_put(&pre, e->first_va);
	tr_put(out, pre.n);
	tr_put_bytes(out, pre.p, pre.n);
	tr_buf_fini(&pre);
}

/* Of the two columns of tensors the lighter one stays. */
static void choose_tensors(struct gmt_enc *e)
{
	struct gmt_col *told = &e->numbers[GMT_TOUCH_TENSOR], *like = &e->numbers[GMT_TOUCH_LIKE];

	gmt_col_clear(gmt_col_weight(like) < gmt_col_weight(told) ? told : like);
}

/* Where zstd begins a new block: what is small shares one. */
struct ends {
	size_t begin, last, *at;
	u32 n;
};

static void end_block(struct ends *e, size_t at)
{
	if (at - e->last < OWN_BLOCK)
		return;
	e->at[e->n++] = at - e->begin;
	e->last = at;
}

static void put_section(struct gmt_enc *e, u32 id, struct tr_buf *out, struct ends *ends)
{
	struct tr_buf *b = &e->bytes[id];
	size_t bits = 0, at;

	if (e->numbers[id].n)
		bits = gmt_col_write(&e->numbers[id], b);
	if (!b->n)
		return;
	if (b->n >= OWN_BLOCK)
		end_block(ends, out->n);
	tr_put(out, id);
	tr_put(out, b->n);
	at = out->n;
	tr_put_bytes(out, b->p, b->n);
	if (b->n < OWN_BLOCK)
		return;
	if (bits)
		end_block(ends, at + bits);
	end_block(ends, out->n);
}

static void clear(struct gmt_enc *e)
{
	for (int i = 0; i < GMT_NR_SECTIONS; i++) {
		e->bytes[i].n = 0;
		gmt_col_clear(&e->numbers[i]);
	}
	tr_names_clear(&e->names);
	gmt_like_clear(&e->like);
	gmt_places_clear(&e->places);
	memset(e->pages.kind_refs, 0, sizeof(e->pages.kind_refs));
	e->pages.nkinds = 0;
	e->first_op += e->nops;
	e->nops = 0;
	e->first_tensor = e->st.next_tensor;
	e->first_va = e->st.next_va;
	gmt_state_begin(&e->st, e->first_tensor, e->first_va);
}

u32 gmt_enc_end(struct gmt_enc *e, struct tr_buf *out, size_t *at)
{
	struct ends ends = { out->n, out->n, at, 0 };

	gmt_enc_flush_pages(e);
	choose_tensors(e);
	put_preamble(e, out);
	for (u32 i = 1; i < GMT_NR_SECTIONS; i++)
		put_section(e, i, out, &ends);
	clear(e);
	return ends.n;
}
