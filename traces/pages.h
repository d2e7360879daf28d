/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pages.h - what importers of page traces share */
#ifndef TR_PAGES_H
#define TR_PAGES_H

#include "sim/result.h"
#include "traces/trace.h"

/* A writer for a page trace of @ndevices devices.  NULL: said. */
struct tr_writer *tr_pages_writer(const char *out, const char *name, const char *source,
				  u32 ndevices, u64 page);

/* Numbers for names of 64 bits, from 0 in order of first appearance. */
struct tr_numbers *tr_numbers_new(void);
void tr_numbers_free(struct tr_numbers *t);
u64 tr_number_of(struct tr_numbers *t, u64 name);
/* How many there are. */
u64 tr_numbers_count(const struct tr_numbers *t);

#endif
