/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * build.h - a job put together from what a foreign trace tells
 *
 * An importer adds buffers and kernels in program order, and the events
 * between them; tb_write() derives what is missing (lifetimes, addresses,
 * kinds) and writes the whole as a .gmt.  Memory is proportional to the
 * buffers; kernels and their operands lie in temporary files.
 */
#ifndef TR_BUILD_H
#define TR_BUILD_H

#include "traces/buf.h"
#include "traces/spill.h"
#include "traces/trace.h"

enum tb_life {
	TB_USED,   /* from the first kernel that uses it to the last */
	TB_BEFORE, /* there before the first kernel, and never freed */
	TB_EVENTS  /* as tb_alloc() and tb_free() say */
};

struct tb_buf {
	u64 bytes, va;	 /* va 0: unknown */
	u32 first, last; /* kernels that use it; first > last: none */
	u32 name;
	u32 id; /* as written; U32_MAX: not yet */
	u16 device;
	u8 life, kind;
	u8 born;	  /* phase of the first kernel */
	u8 reads, writes; /* bit p: in phase p */
	bool old;	  /* TB_EVENTS: alive before the first kernel */
};

struct tb_use {
	u32 buf;
	u8 access;
	u64 off, bytes;
};

struct tb_kernel {
	u64 ps, flops;
	u32 name;
	u16 nuses, device, stream;
	u8 opclass, dtype, phase;
};

enum tb_event_type { TB_ALLOC, TB_FREE, TB_ITERATION };

struct tb_event {
	u32 kernel; /* right before this one */
	u32 type : 2, buf : 30;
};

struct tr_build {
	const char *path; /* for messages */
	struct tb_buf *bufs;
	size_t nbufs, bufs_cap;
	struct tb_kernel last; /* the last kernel ... */
	struct tb_use *uses;   /* ... and its operands */
	size_t uses_cap;
	u32 nkernels, most_uses;
	bool open; /* the last kernel is not in kernels yet */
	bool iterations;
	struct tr_spill *kernels, *kernel_uses, *events; /* in program order */
	struct tr_buf texts; /* names, each once; begins with an empty one */
	u32 *slots;	     /* hash table of their offsets */
	u32 nslots, nnames;
};

void tb_init(struct tr_build *b, const char *path);
void tb_fini(struct tr_build *b);

/* A name as a number: the same for the same letters; what is no text is made one. */
u32 tb_name(struct tr_build *b, const char *s);
const char *tb_text(const struct tr_build *b, u32 name);

u32 tb_buffer(struct tr_build *b, u64 bytes, enum tb_life life, u16 device);
/* Kernels follow in program order; each is there until the next, its operands by tb_use(). */
struct tb_kernel *tb_kernel(struct tr_build *b);
/* The last kernel was none.  [it has no operands] */
void tb_kernel_drop(struct tr_build *b);
/* The last kernel uses [off, off + bytes) of a buffer; one that is used already is joined. */
void tb_use(struct tr_build *b, u32 buf, u8 access, u64 off, u64 bytes);
/* TB_EVENTS: before the next kernel; and the mark of an iteration. */
void tb_alloc(struct tr_build *b, u32 buf);
void tb_free(struct tr_build *b, u32 buf);
void tb_iteration(struct tr_build *b);

/* Bytes that the last kernel's operands have. */
u64 tb_kernel_bytes(const struct tr_build *b);

/* Nothing more comes: kernels, operands and events are read from the first on. */
void tb_rewind(struct tr_build *b);
/* Write all of it into a new writer for @out.  0 or -errno (said). */
int tb_write(struct tr_build *b, const char *out, const struct tr_meta *meta, struct tr_writer **w);

#endif
