/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * spill.h - a table of records that need not fit into memory
 *
 * Records of one size are put in any order and then read, as often as wanted, in
 * the order of a comparison; equal ones, and all where there is none, as they came.
 * What has no room lies in a file without a name (in TMPDIR).  An error is said
 * once; from then on nothing is put or read any more, and tr_spill_err() tells.
 */
#ifndef TR_SPILL_H
#define TR_SPILL_H

#include "sim/base.h"

typedef int tr_order(const void *x, const void *y);

/* A table of records of @size bytes that keeps about @memory bytes; @order may be NULL. */
struct tr_spill *tr_spill_new(size_t size, tr_order *order, size_t memory);
void tr_spill_free(struct tr_spill *s);

/* [tr_spill_rewind() has not been called] */
void tr_spill_put(struct tr_spill *s, const void *record);
u64 tr_spill_count(const struct tr_spill *s);
/* Read from the first record on. */
void tr_spill_rewind(struct tr_spill *s);
/* The next one, there until the next call; NULL: there is none, or an error. */
const void *tr_spill_next(struct tr_spill *s);
/* 0 or -EIO (said), so that several may be joined by |.  NULL is without error. */
int tr_spill_err(const struct tr_spill *s);

/* A file without a name.  A descriptor, or -1 and errno. */
int tr_spill_file(void);

#endif
