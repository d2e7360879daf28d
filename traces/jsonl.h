/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * jsonl.h - one line of our recorder's trace, as keys and values
 *
 * jsonl.c parses and knows which key holds what; tr_jsonl.c knows which event
 * has which keys and makes operations of them.
 */
#ifndef TR_JSONL_H
#define TR_JSONL_H

#include "sim/op.h"
#include "traces/lines.h"

enum jsonl_key {
	JK_EV,
	JK_T,
	JK_VA,
	JK_BYTES,
	JK_KIND,
	JK_NAME,
	JK_DEV,
	JK_STREAM,
	JK_CLASS,
	JK_DTYPE,
	JK_PHASE,
	JK_NS,
	JK_PS,
	JK_FLOPS,
	JK_FAULT_OUT,
	JK_FAULT_ALL,
	JK_TOUCH,
	JK_INDEX,
	JK_OFF,
	JK_RW,
	JK_ADVICE,
	JK_FORMAT,
	JK_VERSION,
	JK_FRAMEWORK,
	JK_SOURCE,
	JK_RECORDED,
	JK_DEVICES,
	JK_PAGE_HINT,
	JK_KERNELS,
	JK_ITERATIONS,
	JK_NR
};
extern const char *const jsonl_key_names[]; /* NULL-terminated */

struct jsonl_row {
	u64 seen;		 /* bit k: key k is there */
	size_t column[JK_NR];	 /* of its value, from 1 */
	u64 number[JK_NR];	 /* 0 where absent */
	const char *text[JK_NR]; /* "" where absent */
	struct gs_touch *touches;
	u32 ntouches;
	char **devices;
	u32 ndevices;
};

static inline bool jsonl_has(const struct jsonl_row *r, enum jsonl_key k)
{
	return r->seen >> k & 1;
}

struct jsonl;

/* The lines stay the caller's. */
struct jsonl *jsonl_new(struct tr_lines *lines);
void jsonl_free(struct jsonl *j);
/* 1: @row is the next line, valid until the next call; 0: the end; -errno: said. */
int jsonl_next(struct jsonl *j, const struct jsonl_row **row);
/* Say "PATH:LINE:COLUMN: ..." of the row; -EINVAL. */
int jsonl_err(const struct jsonl *j, size_t column, const char *fmt, ...) GS_PRINTF(3, 4);
/* The index of a word in @names; -EINVAL (said, with the nearest) when it is none. */
int jsonl_word(const struct jsonl *j, size_t column, const char *word, const char *const *names,
	       const char *what);
/* "r", "w" or "rw" as access bits; 0 for anything else. */
u8 jsonl_access(const char *s);

#endif
