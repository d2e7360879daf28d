/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gmt_file.h - a .gmt file that is open for reading
 *
 * gmt_open.c fills it from footer, header, summary and index; gmt_read.c reads
 * blocks and, from the frames, operations.
 */
#ifndef TR_GMT_FILE_H
#define TR_GMT_FILE_H

#include <zstd.h>

#include "traces/gmt.h"

struct gmt_frame {
	u64 offset, first_op, hash;
};

struct gmt {
	struct gs_source base;
	struct gmt_totals totals;
	char *path;
	int fd, err;
	u64 size;
	u16 major, minor;
	ZSTD_DCtx *zstd;
	struct tr_buf packed, raw;
	struct gmt_dec *dec;

	struct gmt_frame *frames; /* one more than there are: its first_op is the count */
	u32 nframes;
	u64 *marks; /* index of the operation that begins iteration i */

	u32 cur;   /* the frame being read; U32_MAX: before the first */
	bool held; /* a seek has read one operation too many: */
	struct gs_op op;

	const char **devices;
	char *texts[GMT_KEY_RECORDED + 1];
};

/* What every message about damage ends in. */
#define GMT_AGAIN "(the file is damaged; record or import it again)"

/* Say that the file is damaged at @offset; -EINVAL, now and from every later call. */
int gmt_damaged(struct gmt *g, u64 offset, const char *fmt, ...) GS_PRINTF(3, 4);

/* Exactly @n bytes at @offset.  0 or -errno (said). */
int gmt_read_at(struct gmt *g, u64 offset, void *p, size_t n);

struct gmt_block {
	const char *name; /* for messages: "header", "frame 3" */
	u64 offset;
	u32 tag, number;
};

/* Read block @b into g->raw; the hash of its content goes to @hash.  0 or -errno (said). */
int gmt_read_block(struct gmt *g, const struct gmt_block *b, u64 *hash);

extern const struct gs_source_ops gmt_ops; /* in gmt_open.c */
int gmt_next(struct gs_source *src, struct gs_op *op);
int gmt_pages(struct gs_source *src, struct gs_page *p, u32 max, u64 *first);
int gmt_seek(struct gs_source *src, u32 n);

#endif
