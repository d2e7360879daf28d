/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gmt_read.c - blocks of a .gmt file, and its operations one frame at a time
 *
 * Checksums guard against damage; lengths and counts are bounded all the same,
 * since a checksum can be made to fit.
 */
#include <errno.h>
#include <stdarg.h>
#include <unistd.h>

#include "traces/gmt_file.h"

/* ---- messages --------------------------------------------------------- */

int gmt_damaged(struct gmt *g, u64 offset, const char *fmt, ...)
{
	char what[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	gs_err("%s: offset %llu: %s " GMT_AGAIN, g->path, offset, what);
	g->err = -EINVAL;
	return g->err;
}

int gmt_read_at(struct gmt *g, u64 offset, void *p, size_t n)
{
	u8 *to = p;

	while (n) {
		ssize_t got = pread(g->fd, to, n, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0) {
			g->err = -errno;
			gs_err("%s: offset %llu: cannot read: %s", g->path, offset,
			       strerror(errno));
			return g->err;
		}
		if (!got)
			return gmt_damaged(g, offset, "the file ends here while it is read");
		to += got;
		offset += (u64)got;
		n -= (size_t)got;
	}
	return 0;
}

/* ---- blocks ----------------------------------------------------------- */

static int unpack(struct gmt *g, const struct gmt_block *b, size_t raw, size_t packed, u64 hash)
{
	size_t n;

	g->packed.n = 0;
	g->raw.n = 0;
	if (gmt_read_at(g, b->offset + GMT_BLOCK_HEAD, tr_buf_room(&g->packed, packed), packed))
		return g->err;
	n = ZSTD_decompressDCtx(g->zstd, tr_buf_room(&g->raw, raw), raw, g->packed.p, packed);
	if (ZSTD_isError(n))
		return gmt_damaged(g, b->offset, "%s: does not decompress: %s", b->name,
				   ZSTD_getErrorName(n));
	if (n != raw)
		return gmt_damaged(g, b->offset, "%s: has %zu bytes, not %zu", b->name, n, raw);
	if (gs_hash(g->raw.p, raw, 0) != hash)
		return gmt_damaged(g, b->offset, "%s: checksum differs", b->name);
	g->raw.n = raw;
	return 0;
}

int gmt_read_block(struct gmt *g, const struct gmt_block *b, u64 *hash)
{
	u64 end = g->size - GMT_FOOTER;
	u8 head[GMT_BLOCK_HEAD];
	u64 raw, packed;

	if (b->offset < GMT_PROLOGUE || b->offset > end || end - b->offset < GMT_BLOCK_HEAD)
		return gmt_damaged(g, b->offset, "%s: is said to lie where no block can", b->name);
	if (gmt_read_at(g, b->offset, head, sizeof(head)))
		return g->err;
	if (gs_hash(head, 24, 0) != tr_le(head + 24, 8))
		return gmt_damaged(g, b->offset, "%s: checksum of its head differs", b->name);
	raw = tr_le(head + 8, 4);
	packed = tr_le(head + 12, 4);
	*hash = tr_le(head + 16, 8);
	if (tr_le(head, 4) != b->tag || tr_le(head + 4, 4) != b->number)
		return gmt_damaged(g, b->offset, "%s: another block is in its place", b->name);
	if (raw > GMT_RAW_MAX || packed > ZSTD_compressBound(GMT_RAW_MAX))
		return gmt_damaged(g, b->offset, "%s: larger than %d bytes", b->name, GMT_RAW_MAX);
	if (packed > end - b->offset - GMT_BLOCK_HEAD)
		return gmt_damaged(g, b->offset, "%s: passes the end of the file", b->name);
	return unpack(g, b, raw, packed, *hash);
}

/* ---- operations ------------------------------------------------------- */

static int load_frame(struct gmt *g, u32 number)
{
	const struct gmt_frame *f = &g->frames[number];
	char name[32];
	struct gmt_block b = { name, f->offset, GMT_DATA, number };
	u64 hash;

	snprintf(name, sizeof(name), "frame %u", number);
	g->cur = number;
	if (gmt_read_block(g, &b, &hash))
		return g->err;
	if (hash != f->hash)
		return gmt_damaged(g, f->offset, "%s: is not the frame of the index", name);
	if (gmt_dec_begin(g->dec, g->raw.p, g->raw.n, f->first_op, f[1].first_op - f->first_op))
		return gmt_damaged(g, f->offset, "%s: %s", name, gmt_dec_why(g->dec));
	return 0;
}

/* The index and the marks tell the same. */
static bool mark_is_indexed(const struct gmt *g, const struct gs_op *op)
{
	return op->type != GS_OP_MARK || !op->mark.iteration ||
	       (op->mark.number < g->base.job.niterations &&
		g->marks[op->mark.number] == op->index);
}

/* What gmt_dec_next() said, where that is not simply an operation. */
static int other_than_op(struct gmt *g, const struct gs_op *op, int ret)
{
	u64 offset = g->frames[g->cur].offset;

	if (ret < 0)
		return gmt_damaged(g, offset, "frame %u: %s", g->cur, gmt_dec_why(g->dec));
	if (mark_is_indexed(g, op))
		return 1;
	return gmt_damaged(g, offset, "frame %u: iteration %u is not where the index has it",
			   g->cur, op->mark.number);
}

/* As gmt_dec_next() of the next frame that holds an operation we know; 0: there is none. */
static int begin_frame(struct gmt *g, struct gs_op *op)
{
	int ret = 0;

	while (!ret && g->cur + 1 < g->nframes) /* U32_MAX + 1 is the first */
		ret = load_frame(g, g->cur + 1) ? g->err : gmt_dec_next(g->dec, op);
	return ret;
}

int gmt_next(struct gs_source *src, struct gs_op *op)
{
	struct gmt *g = gs_container_of(src, struct gmt, base);
	int ret;

	if (g->err)
		return g->err;
	if (g->held) {
		g->held = false;
		*op = g->op;
		return 1;
	}
	ret = g->cur == U32_MAX ? 0 : gmt_dec_next(g->dec, op);
	if (!ret)
		ret = begin_frame(g, op);
	if (!ret || g->err)
		return ret;
	op->where = g->frames[g->cur].offset;
	return ret == 1 && op->type != GS_OP_MARK ? 1 : other_than_op(g, op, ret);
}

int gmt_pages(struct gs_source *src, struct gs_page *p, u32 max, u64 *first)
{
	struct gmt *g = gs_container_of(src, struct gmt, base);
	int n;

	if (g->err || g->held || g->cur == U32_MAX)
		return g->err;
	n = gmt_dec_pages(g->dec, p, max, first);
	return n >= 0 ? n
		      : gmt_damaged(g, g->frames[g->cur].offset, "frame %u: %s", g->cur,
				    gmt_dec_why(g->dec));
}

/* The frame that holds operation @op. */
static u32 frame_of(const struct gmt *g, u64 op)
{
	u32 lo = 0, hi = g->nframes;

	while (hi - lo > 1) {
		u32 mid = lo + (hi - lo) / 2;

		if (g->frames[mid].first_op <= op)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

int gmt_seek(struct gs_source *src, u32 n)
{
	struct gmt *g = gs_container_of(src, struct gmt, base);
	int ret = g->err;

	g->held = false;
	if (n == GS_REWIND) {
		g->cur = U32_MAX;
		return ret;
	}
	gs_assert(n < g->base.job.niterations);
	if (!ret)
		ret = load_frame(g, frame_of(g, g->marks[n]));
	if (ret)
		return ret;
	do {
		ret = gmt_next(src, &g->op);
	} while (ret == 1 && g->op.index < g->marks[n]);
	if (ret < 0)
		return ret;
	g->held = true;
	if (!ret || g->op.type != GS_OP_MARK || !g->op.mark.iteration || g->op.mark.number != n)
		return gmt_damaged(g, g->frames[g->cur].offset,
				   "frame %u: iteration %u does not begin where the index says",
				   g->cur, n);
	return 0;
}
