/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bytes.h - the bytes of a file: plain, gzip or zstd, and one member of a tar
 *
 * Reads in constant memory.  A tar (compressed or not) stands for its only
 * member; one of several is named "ARCHIVE:MEMBER".  What is wrong with the
 * file is said here, with its name.
 */
#ifndef TR_BYTES_H
#define TR_BYTES_H

#include "sim/base.h"

struct tr_bytes;

/* NULL on error (said). */
struct tr_bytes *tr_bytes_open(const char *path);
/* The same for an open file, owned from now on; messages call it @path. */
struct tr_bytes *tr_bytes_new(int fd, const char *path);
void tr_bytes_close(struct tr_bytes *b);

/*
 * The next bytes, at least one; valid until the next call.  1; 0: the end;
 * -errno: said, and again at each further call.
 */
int tr_bytes_next(struct tr_bytes *b, const u8 **p, size_t *n);
/* Up to @want (at most 4096) of the bytes that come, without taking them; fewer at the end. */
size_t tr_bytes_peek(struct tr_bytes *b, const u8 **p, size_t want);
/* Exactly @n bytes.  1; 0: the end, before the first; -errno: said. */
int tr_bytes_exact(struct tr_bytes *b, void *to, size_t n);
/* Offset of the byte that comes next, in the uncompressed file. */
u64 tr_bytes_at(const struct tr_bytes *b);
const char *tr_bytes_path(const struct tr_bytes *b);

#endif
