/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gmt.h - the layout of a .gmt file, as FORMAT.md describes it
 *
 *	prologue | HEAD | DATA 0 | DATA 1 | ... | SUMM | INDX | footer
 *
 * Each block is a block head of 32 bytes and one zstd frame.  All integers of
 * fixed size are little-endian.  Numbers in this file are the format: they may
 * be added to, never changed.
 */
#ifndef TR_GMT_H
#define TR_GMT_H

#include "sim/op.h"
#include "traces/buf.h"
#include "traces/check.h"

#define GMT_MAGIC     "\x89GMT\r\n\x1a\n"
#define GMT_END_MAGIC "GMT-END\n"

enum {
	GMT_MAJOR = 2,
	GMT_MINOR = 1,
	GMT_MINOR_1 = 2, /* of major version 1, which is still read */

	GMT_PROLOGUE = 16,
	GMT_BLOCK_HEAD = 32,
	GMT_FOOTER = 64,

	GMT_FRAME_TARGET = 1 << 21, /* raw bytes after which a frame ends */
	GMT_RAW_MAX = 1 << 24,	    /* raw bytes of any block */
	GMT_BATCH = 4096	    /* page accesses of one record, at most */
};

/* Tags of blocks, as four letters in the file. */
#define GMT_TAG(a, b, c, d) ((u32)(a) | (u32)(b) << 8 | (u32)(c) << 16 | (u32)(d) << 24)
#define GMT_HEAD	    GMT_TAG('H', 'E', 'A', 'D')
#define GMT_DATA	    GMT_TAG('D', 'A', 'T', 'A')
#define GMT_SUMM	    GMT_TAG('S', 'U', 'M', 'M')
#define GMT_INDX	    GMT_TAG('I', 'N', 'D', 'X')

/* Rows of HEAD and SUMM: key, length, value (text, or one varint). */
enum gmt_key {
	GMT_KEY_NAME = 1,
	GMT_KEY_FRAMEWORK = 2,
	GMT_KEY_SOURCE = 3,
	GMT_KEY_RECORDED = 4,
	GMT_KEY_DEVICE = 5, /* one row a device, in order */
	GMT_KEY_PAGE_HINT = 6,
	GMT_KEY_NOPS = 16,
	GMT_KEY_NKERNELS = 17,
	GMT_KEY_NPAGES = 18,
	GMT_KEY_NTENSORS = 19,
	GMT_KEY_NITERATIONS = 20,
	GMT_KEY_NSTREAMS = 21,
	GMT_KEY_VA_LOW = 22,
	GMT_KEY_VA_HIGH = 23,
	GMT_KEY_BYTES_TOTAL = 24,
	GMT_KEY_BYTES_PEAK = 25,
	GMT_KEY_NTOUCHES = 26,
	GMT_KEY_KERNEL_PS = 27,
	GMT_KEY_BYTES_RESERVED = 28,
	GMT_KEY_SEGMENTS_LOW = 29,
	GMT_KEY_SEGMENTS_HIGH = 30
};

/*
 * Sections of a DATA frame: each field of the records is a column of its own,
 * of bytes or of numbers (gmt_col.h); those of page accesses are varints.  In
 * version 1 the first three were all, and GMT_TYPES held whole records.
 */
enum gmt_section {
	GMT_TYPES = 1, /* bytes: enum gmt_record */
	GMT_DURATIONS = 2,
	GMT_PAGE_VA = 3,
	GMT_PAGE_TIME = 4,
	GMT_PAGE_KIND = 5,
	GMT_TEXTS = 6,	     /* new names, each with its NUL */
	GMT_ALLOC_KIND = 7,  /* bytes */
	GMT_ALLOC_ID = 8,    /* device, id */
	GMT_ALLOC_PLACE = 9, /* gmt_guess.h */
	GMT_ALLOC_VA = 10,   /* where there is no place */
	GMT_ALLOC_BYTES = 11,
	GMT_ALLOC_NAME = 12,
	GMT_FREE_TENSOR = 13,
	GMT_KERNEL_NAME = 14,
	GMT_KERNEL_FLAGS = 15, /* bytes */
	GMT_KERNEL_PLACE = 16, /* device, stream */
	GMT_KERNEL_WHAT = 17,  /* bytes: class, element type, phase */
	GMT_KERNEL_FLOPS = 18,
	GMT_KERNEL_BYTES = 19,
	GMT_KERNEL_TOUCHES = 20,
	GMT_KERNEL_FAULTS = 21,
	GMT_TOUCH_FLAGS = 22,  /* bytes */
	GMT_TOUCH_TENSOR = 23, /* a frame has this */
	GMT_TOUCH_LIKE = 24,   /* ... or this (gmt_guess.h) */
	GMT_TOUCH_BYTES = 25,
	GMT_TOUCH_OFF = 26,
	GMT_TOUCH_STEP = 27,
	GMT_TOUCH_PATTERN = 28, /* bytes */
	GMT_TOUCH_REST = 29,	/* stride, share */
	GMT_OTHER_BYTES = 30,	/* of host accesses, advice, marks and batches of pages */
	GMT_OTHER_NUMBERS = 31,
	GMT_SEGMENTS = 32,    /* since 2.1 */
	GMT_NR_SECTIONS = 33, /* above the last */
	GMT_NR_SECTIONS_1 = 6 /* in version 1 */
};

/* Those that hold bytes, or varints without a coding in front. */
#define GMT_BIT(s) (1ULL << GMT_##s)
#define GMT_BYTES                                                                              \
	(GMT_BIT(TYPES) | GMT_BIT(PAGE_VA) | GMT_BIT(PAGE_TIME) | GMT_BIT(PAGE_KIND) |         \
	 GMT_BIT(TEXTS) | GMT_BIT(ALLOC_KIND) | GMT_BIT(KERNEL_FLAGS) | GMT_BIT(KERNEL_WHAT) | \
	 GMT_BIT(TOUCH_FLAGS) | GMT_BIT(TOUCH_PATTERN) | GMT_BIT(OTHER_BYTES))

enum gmt_record {
	GMT_ALLOC = 1,
	GMT_FREE = 2,
	GMT_KERNEL = 3,
	GMT_HOST = 4,
	GMT_ADVICE = 5,
	GMT_MARK = 6,
	GMT_PAGES = 7,
	GMT_SEGMENT = 8
};

/* Flags of a kernel record: which fields follow; without one the value is ... */
enum {
	GMT_K_PLACE = 1,  /* device, stream; else as in the kernel before */
	GMT_K_WHAT = 2,	  /* class, element type, phase; else as before */
	GMT_K_FLOPS = 4,  /* else 0 */
	GMT_K_BYTES = 8,  /* else 0 */
	GMT_K_FAULTS = 16 /* two times behind the touches; since 1.1 */
};

/* Flags of a touch; bits 0 and 1 are the access. */
enum {
	GMT_T_ACCESS = 3,
	GMT_T_OFF = 4,	      /* offset; else 0 */
	GMT_T_SAME = 8,	      /* no length: that of the touch before */
	GMT_T_PATTERN = 0x10, /* pattern, and stride if strided; else sequential */
	GMT_T_SHARE = 0x20,   /* else 0 */
	GMT_T_NEXT = 0x40,    /* tensor of the touch before, at a distance from its end */
	GMT_T_MORE = 0x80     /* version 1: length and bytes that later versions define */
};

/*
 * The distance of a touch from the end of the one before it in the same
 * tensor: bit 0 tells whether it counts bytes (0) or lengths of the touch (1),
 * which is what rows of an embedding table have in common.
 */
static inline bool gmt_step_fits(u64 from, u64 to)
{
	return to - from + (1ULL << 61) < 1ULL << 62;
}

static inline u64 gmt_from_step(u64 from, u64 to, u64 bytes)
{
	s64 d = (s64)(to - from);

	if (bytes <= 1ULL << 61 && d % (s64)bytes == 0)
		return tr_zigzag((u64)(d / (s64)bytes)) << 1 | 1;
	return tr_zigzag((u64)d) << 1;
}

static inline u64 gmt_to_step(u64 from, u64 v, u64 bytes)
{
	return from + tr_unzigzag(v >> 1) * (v & 1 ? bytes : 1);
}

enum { GMT_M_ITERATION = 1 }; /* flags of a mark */
enum { GMT_S_FREE = 1 };      /* ... of a segment */

/* Flags of a batch of page accesses. */
enum {
	GMT_P_ABSOLUTE = 1, /* addresses less the base; else differences */
	GMT_P_TIMED = 2,    /* times are given; else all are 0 */
	GMT_P_NS = 4	    /* times are whole nanoseconds */
};

/* "other" of tensor kinds, classes, element types and phases. */
enum { GMT_OTHER = 255 };

/* A name reference: 0 is "", 1 defines the next number, from 2. */
enum { GMT_NAME_EMPTY = 0, GMT_NAME_NEW = 1, GMT_NAME_FIRST = 2 };

/* 0 for "", i + 1 for name i.  @nnames: how many there are, with a new one. */
static inline u32 gmt_name_slot(u64 ref, u32 nnames)
{
	return ref == GMT_NAME_NEW ? nnames : ref ? (u32)(ref - 1) : 0;
}

/*
 * What is left of the number written for a duration: bit 0 tells whether the
 * rest is ps (1) or ns (0).  Recorders count ns, and ten bits a kernel are a
 * third of its size.
 */
static inline u64 gmt_from_ps(u64 ps)
{
	return ps % 1000 ? ps << 1 | 1 : ps / 1000 << 1;
}

static inline u64 gmt_to_ps(u64 v)
{
	return v & 1 ? v >> 1 : (v >> 1) * 1000;
}

/* State that encoder and decoder of a frame keep in step. */
struct gmt_state {
	u32 next_tensor; /* id after the tensor allocated last */
	u64 next_va;	 /* end of the tensor allocated last */
	u16 device, stream;
	u8 opclass, dtype, phase; /* of the kernel before */
};

/* Start of a frame: nothing before it is known but the two delta bases. */
static inline void gmt_state_begin(struct gmt_state *s, u32 next_tensor, u64 next_va)
{
	*s = (struct gmt_state){ .next_tensor = next_tensor,
				 .next_va = next_va,
				 .opclass = GS_OTHER_CLASS,
				 .dtype = GS_OTHER_DTYPE,
				 .phase = GS_OTHER_PHASE };
}

/* One kind of page access: what the page column's numbers stand for. */
struct gmt_page_kind {
	u16 device;
	u8 access;
	u32 bytes;
};

/* Operations into the raw content of frames (gmt_enc.c). */
struct gmt_enc;
struct gmt_enc *gmt_enc_new(void);
void gmt_enc_free(struct gmt_enc *e);
/* 0, or -EINVAL for a name that is none.  [@op passed tr_check_op()] */
int gmt_enc_put(struct gmt_enc *e, const struct gs_op *op);
size_t gmt_enc_bytes(const struct gmt_enc *e); /* of the frame so far, about */
u64 gmt_enc_nops(const struct gmt_enc *e);     /* in the frame so far */
/*
 * Append the frame's raw content to @out and begin the next frame.  @at: where
 * in it parts end that are best compressed by themselves, at most
 * 3 * GMT_NR_SECTIONS of them; how many.
 */
u32 gmt_enc_end(struct gmt_enc *e, struct tr_buf *out, size_t *at);

/*
 * ... and back (gmt_dec.c).  The raw bytes stay the caller's and in place
 * while the frame is read; names point into them.  Where the minor version is
 * above ours, unknown words and records are passed over.
 */
struct gmt_dec;
struct gmt_dec *gmt_dec_new(u16 major, u16 minor);
void gmt_dec_free(struct gmt_dec *d);
/* 0 or -EINVAL.  @first, @nops: what the index says of the frame. */
int gmt_dec_begin(struct gmt_dec *d, const u8 *raw, size_t n, u64 first, u64 nops);
/* 1: @op filled (but for .where), 0: the frame has ended well, -EINVAL: it is nonsense. */
int gmt_dec_next(struct gmt_dec *d, struct gs_op *op);
/*
 * Page accesses, where they come next: how many of them, at most @max; 0: ask
 * gmt_dec_next(); -EINVAL.  *index is that of the first.
 */
int gmt_dec_pages(struct gmt_dec *d, struct gs_page *p, u32 max, u64 *index);
/* What was wrong, after -EINVAL. */
const char *gmt_dec_why(const struct gmt_dec *d);

/* Read the .gmt open at @fd (owned from now on); messages call it @path. */
int gmt_open(int fd, const char *path, struct gs_source **out);

/* What a file says about itself besides struct gs_job. */
struct gmt_info {
	u16 major, minor;
	u64 file_bytes, kernel_ps, ntouches;
	u32 nframes;
};
void gmt_info(const struct gs_source *src, struct gmt_info *info);

/* Rows of the summary: key and place in struct gs_job (or behind it). */
struct gmt_totals {
	struct gs_job job;
	u64 ntouches, kernel_ps;
};
struct gmt_total_row {
	u16 key;
	u8 size; /* of the field: 4 or 8 bytes */
	u32 offset;
};
extern const struct gmt_total_row gmt_total_rows[];
extern const size_t gmt_ntotal_rows;

#endif
