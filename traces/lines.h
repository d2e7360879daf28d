/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * lines.h - lines of a text file, plain or compressed (bytes.h)
 *
 * Reads in constant memory (a line at a time); what is wrong with the file is
 * said here, with its name.
 */
#ifndef TR_LINES_H
#define TR_LINES_H

#include "sim/base.h"

enum { TR_MAX_LINE = 1 << 25 }; /* bytes; the longest line that is read */

struct tr_lines;

/* NULL on error (said). */
struct tr_lines *tr_lines_open(const char *path);
/* The same for an open file, owned from now on; messages call it @path. */
struct tr_lines *tr_lines_new(int fd, const char *path);
void tr_lines_close(struct tr_lines *l);

/*
 * 1: the next line, ending in NUL in place of its new line, valid until the
 * next call; 0: end of file; -errno: said.
 */
int tr_lines_next(struct tr_lines *l, char **line, size_t *len);
/*
 * The next @n bytes instead, for files that are not text: how many there are
 * (fewer at the end only), or -errno (said).  *bytes is valid until the next call.
 */
ssize_t tr_lines_read(struct tr_lines *l, const u8 **bytes, size_t n);
/* Number of the line last read, from 1. */
u64 tr_lines_number(const struct tr_lines *l);
const char *tr_lines_path(const struct tr_lines *l);

/* Say "PATH:LINE: ..." of the line last read.  -EINVAL. */
int tr_lines_err(const struct tr_lines *l, const char *fmt, ...) GS_PRINTF(2, 3);

#endif
