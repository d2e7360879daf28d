/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * op.h - what a job does, one operation at a time, and where operations come from
 *
 * The replay consumes a stream of operations and does not know how they were
 * stored.  A trace reader implements struct gs_source_ops.  Pointers inside an
 * operation (names, touches) stay valid until the next call of next().
 */
#ifndef GS_OP_H
#define GS_OP_H

#include "sim/event.h"

enum gs_op_type {
	GS_OP_ALLOC,  /* a tensor comes to life */
	GS_OP_FREE,   /* ... and dies */
	GS_OP_KERNEL, /* work on a device stream */
	GS_OP_HOST,   /* the host thread reads or writes */
	GS_OP_ADVICE, /* prefetch, free-eager, pin ... recorded in the job */
	GS_OP_MARK,   /* iteration or phase begins */
	GS_OP_PAGE,   /* page-level record: one access without a kernel */
	/* the job's allocator maps memory to cut tensors from, and unmaps it */
	GS_OP_SEGMENT_ALLOC,
	GS_OP_SEGMENT_FREE
};

enum gs_tensor_kind {
	GS_WEIGHT,
	GS_GRADIENT,
	GS_OPTIMIZER,
	GS_ACTIVATION,
	GS_WORKSPACE,
	GS_INPUT,
	GS_KV_CACHE,
	GS_OTHER_KIND,
	GS_NR_TENSOR_KINDS
};
extern const char *const gs_tensor_kind_names[]; /* NULL-terminated */

enum gs_opclass {
	GS_GEMM,
	GS_CONV,
	GS_ATTENTION,
	GS_NORM,
	GS_SOFTMAX,
	GS_REDUCE,
	GS_ELEMENTWISE,
	GS_GATHER,
	GS_POOL,
	GS_COPY,
	GS_OPTIMIZER_STEP,
	GS_OTHER_CLASS,
	GS_NR_OPCLASSES
};
extern const char *const gs_opclass_names[]; /* "gemm", "conv", ... */

enum gs_dtype {
	GS_F64,
	GS_F32,
	GS_TF32,
	GS_F16,
	GS_BF16,
	GS_F8,
	GS_I64,
	GS_I32,
	GS_I8,
	GS_OTHER_DTYPE,
	GS_NR_DTYPES
};
extern const char *const gs_dtype_names[]; /* "f64", "f32", ... */

enum gs_phase { GS_DATA, GS_FORWARD, GS_BACKWARD, GS_STEP, GS_OTHER_PHASE, GS_NR_PHASES };
extern const char *const gs_phase_names[]; /* "data" "forward" "backward" "optimizer" "other" */

enum gs_advice {
	GS_ADV_PREFETCH,
	GS_ADV_FREE_EAGER,
	GS_ADV_PIN,
	GS_ADV_UNPIN,
	GS_ADV_WILLNEED,
	/* of cudaMemAdvise and its like; the device is the one named, the host is
	 * a word of its own, for devices are numbers */
	GS_ADV_PREFETCH_HOST,
	GS_ADV_PREFER,
	GS_ADV_PREFER_HOST,
	GS_ADV_UNPREFER,
	GS_ADV_ACCESSED_BY,
	GS_ADV_UNACCESSED_BY,
	GS_ADV_READ_MOSTLY,
	GS_ADV_UNREAD_MOSTLY,
	GS_NR_ADVICE
};
extern const char *const gs_advice_names[]; /* "prefetch" "free_eager" ... */

enum gs_pattern { GS_SEQUENTIAL, GS_STRIDED, GS_RANDOM, GS_NR_PATTERNS };
extern const char *const gs_pattern_names[];

enum { GS_READ = 1, GS_WRITE = 2 }; /* access bits; 3 = both */

/* One operand of a kernel: bytes [off, off + bytes) of a tensor. */
struct gs_touch {
	u32 tensor;
	u8 access;  /* GS_READ | GS_WRITE */
	u8 pattern; /* enum gs_pattern */
	u16 share;  /* weight of its part of the duration; 0: by bytes */
	u64 off, bytes;
	u64 stride; /* GS_STRIDED: distance of two accesses in bytes */
};

struct gs_op {
	u8 type; /* enum gs_op_type */
	u16 device;
	u16 stream;
	u64 index; /* ordinal of the record in the trace, from 0 */
	u64 where; /* byte offset in the file, for messages */
	union {
		struct { /* ids are dense and never used twice */
			u32 tensor;
			u8 kind;
			u64 va, bytes;
			const char *name; /* "" if unknown */
		} alloc;
		struct {
			u32 tensor;
		} free;
		struct {
			const char *name;
			u8 opclass, dtype, phase;
			u64 duration_ps; /* at full residency; 0 unknown */
			/* measured with managed memory: none of the outputs touched
			 * before; the inputs on the host as well.  0 unknown */
			u64 fault_out_ps, fault_all_ps;
			u64 flops, bytes; /* 0 where unknown */
			u32 ntouches;
			const struct gs_touch *touches;
		} kernel;
		struct {
			u32 tensor;
			u8 access;
			u64 off, bytes, duration_ps;
		} host;
		struct {
			u32 tensor;
			u8 advice;
			u64 off, bytes;
		} advice;
		struct {
			bool iteration; /* else a phase */
			u32 number;	/* of the iteration, from 0 */
			const char *name;
		} mark;
		struct {
			u64 va;
			u32 bytes;
			u8 access;
			u64 when_ps; /* as recorded; 0 unknown */
		} page;
		struct {
			u64 va, bytes;
		} segment;
	};
};

/* A page access by itself, where many are handed over at once. */
struct gs_page {
	u64 va;
	u64 when_ps; /* as recorded; 0 unknown */
	u32 bytes;   /* > 0 */
	u16 device;
	u8 access;
};

/* What is known of a job before it is read. */
struct gs_job {
	const char *name;			   /* file or network */
	const char *framework, *source, *recorded; /* "" if unknown */
	u32 ndevices, nstreams;			   /* streams: most of any device */
	const char *const *device_names;	   /* ndevices of them */
	u32 niterations;			   /* iteration marks; 0: none */
	u32 ntensors;				   /* ids are below this */
	u64 nkernels, npages, nops;
	u64 page_hint;			 /* bytes; 0: unknown */
	u64 va_low, va_high;		 /* all addresses of tensors and pages are in [low, high) */
	u64 segments_low, segments_high; /* the same of segments */
	u64 bytes_total;		 /* sum of all tensors' bytes */
	u64 bytes_peak;			 /* most bytes alive at once */
	u64 bytes_reserved;		 /* most bytes of segments at once; 0: there are none */
	u64 hash;			 /* of the content, for provenance */
};

struct gs_source;
struct gs_source_ops {
	const char *name;
	/* Fill @op.  1: filled, 0: end, -errno: damaged (said already). */
	int (*next)(struct gs_source *src, struct gs_op *op);
	/*
	 * Where page accesses come next: up to @max of them at once, how many;
	 * 0: next() has something else or the end; -errno.  @first: the index of
	 * the first.  May be NULL.
	 */
	int (*pages)(struct gs_source *src, struct gs_page *p, u32 max, u64 *first);
	/*
	 * Continue at the mark of iteration @n (0 <= n < niterations); at the
	 * very beginning with n = GS_REWIND.  0 or -errno.
	 */
	int (*seek)(struct gs_source *src, u32 n);
	void (*close)(struct gs_source *src);
};
#define GS_REWIND ((u32)-1)

/* Embedded first in the reader's own struct. */
struct gs_source {
	const struct gs_source_ops *ops;
	struct gs_job job;
};

static inline int gs_source_next(struct gs_source *s, struct gs_op *op)
{
	return s->ops->next(s, op);
}
static inline int gs_source_pages(struct gs_source *s, struct gs_page *p, u32 max)
{
	u64 first;

	return s->ops->pages ? s->ops->pages(s, p, max, &first) : 0;
}
static inline int gs_source_seek(struct gs_source *s, u32 n)
{
	return s->ops->seek(s, n);
}
static inline void gs_source_close(struct gs_source *s)
{
	if (s)
		s->ops->close(s);
}

#endif
