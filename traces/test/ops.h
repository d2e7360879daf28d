/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * ops.h - random jobs for tests: valid operation streams from a seed, and
 * comparison of operations
 */
#ifndef TR_TEST_OPS_H
#define TR_TEST_OPS_H

#include <string.h>

#include "traces/trace.h"

enum { OPS_MAX_TOUCHES = 8, OPS_MAX_LIVE = 64, OPS_SEGMENTS = 16 };

struct ops {
	u64 state; /* of the generator */
	u64 index;
	u32 next_tensor, nlive, iteration;
	u32 live[OPS_MAX_LIVE];
	u64 size[OPS_MAX_LIVE];
	u64 segment[OPS_SEGMENTS]; /* its bytes, 0: none */
	struct gs_touch touches[OPS_MAX_TOUCHES];
	char name[32];
};

/* splitmix64 (Steele et al. 2014) */
static inline u64 ops_random(struct ops *o, u64 below)
{
	u64 z = o->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return (z ^ z >> 31) % below;
}

/* A number of random magnitude. */
static inline u64 ops_wide(struct ops *o)
{
	return ops_random(o, U64_MAX) >> ops_random(o, 64);
}

static inline const char *ops_name(struct ops *o)
{
	static const char *const words[] = { "", "aten.addmm", "h.0.attn", "\xc3\xa9t\xc3\xa9" };
	u64 n = ops_random(o, 40);

	if (n < GS_ARRAY_SIZE(words))
		return words[n];
	snprintf(o->name, sizeof(o->name), "name %llu", ops_random(o, 300));
	return o->name;
}

static inline void ops_alloc(struct ops *o, struct gs_op *op)
{
	u64 bytes = 1 + (ops_wide(o) >> 24);

	op->type = GS_OP_ALLOC;
	op->device = (u16)ops_random(o, 2);
	op->alloc.tensor = o->next_tensor;
	op->alloc.kind = (u8)ops_random(o, GS_NR_TENSOR_KINDS);
	op->alloc.va = ops_wide(o) >> 2;
	op->alloc.bytes = bytes;
	op->alloc.name = ops_name(o);
	o->live[o->nlive] = o->next_tensor++;
	o->size[o->nlive++] = bytes;
}

/* A part of a random live tensor. */
static inline u32 ops_part(struct ops *o, u64 *off, u64 *bytes)
{
	u32 i = (u32)ops_random(o, o->nlive);
	bool whole = ops_random(o, 2);

	*off = whole ? 0 : ops_random(o, o->size[i]);
	*bytes = whole ? o->size[i] : 1 + ops_random(o, o->size[i] - *off);
	return o->live[i];
}

static inline void ops_kernel(struct ops *o, struct gs_op *op)
{
	op->type = GS_OP_KERNEL;
	op->device = (u16)ops_random(o, 2);
	op->stream = (u16)ops_random(o, 3);
	op->kernel.name = ops_name(o);
	op->kernel.opclass = (u8)ops_random(o, GS_NR_OPCLASSES);
	op->kernel.dtype = (u8)ops_random(o, GS_NR_DTYPES);
	op->kernel.phase = (u8)ops_random(o, GS_NR_PHASES);
	op->kernel.duration_ps = (ops_wide(o) >> 34) * (ops_random(o, 2) ? 1000 : 1);
	op->kernel.fault_out_ps = ops_random(o, 4) ? 0 : ops_wide(o) >> 1;
	op->kernel.fault_all_ps = ops_random(o, 4) ? 0 : ops_wide(o) >> 20;
	op->kernel.flops = ops_random(o, 2) ? ops_wide(o) : 0;
	op->kernel.bytes = ops_random(o, 2) ? ops_wide(o) : 0;
	op->kernel.ntouches = o->nlive ? (u32)ops_random(o, OPS_MAX_TOUCHES + 1) : 0;
	op->kernel.touches = o->touches;
	for (u32 i = 0; i < op->kernel.ntouches; i++) {
		struct gs_touch *t = &o->touches[i];

		*t = (struct gs_touch){ 0 };
		t->tensor = ops_part(o, &t->off, &t->bytes);
		t->access = (u8)(1 + ops_random(o, 3));
		t->pattern = (u8)ops_random(o, GS_NR_PATTERNS);
		t->share = ops_random(o, 4) ? 0 : (u16)ops_random(o, 1 << 16);
		t->stride = t->pattern == GS_STRIDED ? ops_wide(o) : 0;
	}
}

static inline void ops_on_tensor(struct ops *o, struct gs_op *op)
{
	if (ops_random(o, 2)) {
		op->type = GS_OP_HOST;
		op->host.tensor = ops_part(o, &op->host.off, &op->host.bytes);
		op->host.access = (u8)(1 + ops_random(o, 3));
		op->host.duration_ps = ops_wide(o) >> 20;
	} else {
		op->type = GS_OP_ADVICE;
		op->device = (u16)ops_random(o, 2);
		op->advice.tensor = ops_part(o, &op->advice.off, &op->advice.bytes);
		op->advice.advice = (u8)ops_random(o, GS_NR_ADVICE);
	}
}

static inline void ops_free(struct ops *o, struct gs_op *op)
{
	u32 i = (u32)ops_random(o, o->nlive);

	op->type = GS_OP_FREE;
	op->free.tensor = o->live[i];
	o->live[i] = o->live[--o->nlive];
	o->size[i] = o->size[o->nlive];
}

static inline void ops_mark(struct ops *o, struct gs_op *op)
{
	op->type = GS_OP_MARK;
	op->mark.iteration = ops_random(o, 2);
	op->mark.number = op->mark.iteration ? o->iteration++ : (u32)ops_random(o, 9);
	op->mark.name = op->mark.iteration ? "iteration" : "backward";
}

static inline void ops_page(struct ops *o, struct gs_op *op)
{
	op->type = GS_OP_PAGE;
	op->device = (u16)ops_random(o, 2);
	op->page.va = ops_random(o, 3) ? ops_random(o, 1 << 20) << 12 : ops_wide(o) >> 1;
	op->page.bytes = ops_random(o, 9) ? 4096 : 1 + (u32)ops_random(o, U32_MAX);
	op->page.access = (u8)(1 + ops_random(o, 3));
	op->page.when_ps = ops_random(o, 9) ? o->index * 1000 : ops_wide(o);
}

/* One above the addresses of tensors comes, or goes. */
static inline void ops_segment(struct ops *o, struct gs_op *op)
{
	u64 i = ops_random(o, OPS_SEGMENTS), *bytes = &o->segment[i];

	op->type = *bytes ? GS_OP_SEGMENT_FREE : GS_OP_SEGMENT_ALLOC;
	op->device = (u16)(i % 2);
	op->segment.va = 1ULL << 63 | i << 21;
	op->segment.bytes = *bytes ? *bytes : 1 + ops_random(o, 1 << 21);
	*bytes = *bytes ? 0 : op->segment.bytes;
}

/* The next operation of a job with two devices. */
static inline void ops_next(struct ops *o, struct gs_op *op)
{
	u64 n = ops_random(o, 100);

	*op = (struct gs_op){ .index = o->index++ };
	if (n < 15 && o->nlive < OPS_MAX_LIVE)
		ops_alloc(o, op);
	else if (n < 25 && o->nlive)
		ops_free(o, op);
	else if (n < 32 && o->nlive)
		ops_on_tensor(o, op);
	else if (n < 34)
		ops_mark(o, op);
	else if (n < 35)
		ops_segment(o, op);
	else if (n < 64)
		ops_page(o, op);
	else
		ops_kernel(o, op);
}

static inline bool ops_same_touches(const struct gs_op *a, const struct gs_op *b)
{
	for (u32 i = 0; i < a->kernel.ntouches; i++) {
		const struct gs_touch *s = &a->kernel.touches[i], *t = &b->kernel.touches[i];

		if (s->tensor != t->tensor || s->access != t->access || s->off != t->off ||
		    s->bytes != t->bytes || s->pattern != t->pattern || s->share != t->share ||
		    s->stride != t->stride)
			return false;
	}
	return true;
}

static inline bool ops_same_kernel(const struct gs_op *a, const struct gs_op *b)
{
	return !strcmp(a->kernel.name, b->kernel.name) && a->device == b->device &&
	       a->stream == b->stream && a->kernel.opclass == b->kernel.opclass &&
	       a->kernel.dtype == b->kernel.dtype && a->kernel.phase == b->kernel.phase &&
	       a->kernel.duration_ps == b->kernel.duration_ps &&
	       a->kernel.fault_out_ps == b->kernel.fault_out_ps &&
	       a->kernel.fault_all_ps == b->kernel.fault_all_ps &&
	       a->kernel.flops == b->kernel.flops && a->kernel.bytes == b->kernel.bytes &&
	       a->kernel.ntouches == b->kernel.ntouches && ops_same_touches(a, b);
}

static inline bool ops_same(const struct gs_op *a, const struct gs_op *b)
{
	if (a->type != b->type || a->index != b->index || a->device != b->device)
		return false;
	switch (a->type) {
	case GS_OP_ALLOC:
		return a->alloc.tensor == b->alloc.tensor && a->alloc.kind == b->alloc.kind &&
		       a->alloc.va == b->alloc.va && a->alloc.bytes == b->alloc.bytes &&
		       !strcmp(a->alloc.name, b->alloc.name);
	case GS_OP_FREE:
		return a->free.tensor == b->free.tensor;
	case GS_OP_KERNEL:
		return ops_same_kernel(a, b);
	case GS_OP_HOST:
		return a->host.tensor == b->host.tensor && a->host.access == b->host.access &&
		       a->host.off == b->host.off && a->host.bytes == b->host.bytes &&
		       a->host.duration_ps == b->host.duration_ps;
	case GS_OP_ADVICE:
		return a->advice.tensor == b->advice.tensor &&
		       a->advice.advice == b->advice.advice && a->advice.off == b->advice.off &&
		       a->advice.bytes == b->advice.bytes;
	case GS_OP_MARK:
		return a->mark.iteration == b->mark.iteration && a->mark.number == b->mark.number &&
		       !strcmp(a->mark.name, b->mark.name);
	case GS_OP_SEGMENT_ALLOC:
	case GS_OP_SEGMENT_FREE:
		return a->segment.va == b->segment.va && a->segment.bytes == b->segment.bytes;
	default:
		return a->page.va == b->page.va && a->page.bytes == b->page.bytes &&
		       a->page.access == b->page.access && a->page.when_ps == b->page.when_ps;
	}
}

static const char *const ops_devices[] = { "left", "right" };
static const struct tr_meta ops_meta = {
	.name = "random",
	.framework = "tests",
	.device_names = ops_devices,
	.ndevices = 2,
	.page_hint = 4096,
};

/* Write @n operations of seed @seed to @path (NULL: unnamed); the writer. */
static inline struct tr_writer *ops_write(const char *path, u64 seed, u64 n)
{
	struct tr_writer *w = tr_writer_new(path, &ops_meta);
	struct ops o = { .state = seed };
	struct gs_op op;

	gs_assert(w);
	while (n--) {
		ops_next(&o, &op);
		if (tr_writer_put(w, &op)) {
			gs_err("operation %llu: %s", op.index, tr_writer_why(w));
			gs_assert(!"a random operation is refused");
		}
	}
	return w;
}

#endif
