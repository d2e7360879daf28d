/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gmt_write.c - .gmt files, written in one pass
 *
 * The file grows under a temporary name beside its own and is renamed when it
 * is whole and on the disk.
 */
#include "traces/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <zstd.h>

#include "sim/out.h"
#include "traces/gmt.h"
#include "traces/spill.h"

/*
 * zstd's levels.  A file is written once: 12 makes jobs of many devices a quarter
 * smaller than 6, of others a little, at two thirds of the speed.  What is gone
 * with the process is not worth it.
 */
enum { LEVEL = 12, LEVEL_UNNAMED = 1 };

struct tr_writer {
	char *path, *tmp; /* NULL: no name */
	int fd, err;
	u64 pos;
	struct tr_check check;
	struct gmt_enc *enc;
	struct tr_buf raw, packed;
	ZSTD_CCtx *zstd;

	struct tr_buf hashes; /* of HEAD and all frames, as in the file */
	struct tr_buf frames; /* the index: of each frame offset, operations, hash */
	u64 last_offset;
	u32 nframes;
	struct tr_buf iterations; /* the index: distances of the marks in operations */
	u64 last_mark;
};

/* ---- the file --------------------------------------------------------- */

static int fail(struct tr_writer *w, const char *what)
{
	w->err = -errno;
	gs_err("%s: %s: %s", w->path ? w->path : "temporary trace", what, strerror(errno));
	return w->err;
}

static int write_all(struct tr_writer *w, const u8 *p, size_t n)
{
	while (n) {
		ssize_t done = write(w->fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return fail(w, "cannot write");
		p += done;
		n -= (size_t)done;
		w->pos += (u64)done;
	}
	return 0;
}

static int open_named(struct tr_writer *w)
{
	gs_leftovers(w->path);
	w->tmp = gs_tmp_beside(w->path);
	unlink(w->tmp); /* of a killed process that had our number */
	return open(w->tmp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
}

/* Where the content of a block is cut for zstd: what is alike is compressed by itself. */
struct ends {
	size_t at[3 * GMT_NR_SECTIONS];
	u32 n;
};

/* @raw as one zstd frame into w->packed. */
static void pack(struct tr_writer *w, const struct tr_buf *raw, const struct ends *ends)
{
	size_t room = ZSTD_compressBound(raw->n) + (ends->n + 1) * 64, at = 0, left;
	ZSTD_outBuffer out = { tr_buf_room(&w->packed, room), room, 0 };

	ZSTD_CCtx_reset(w->zstd, ZSTD_reset_session_only);
	ZSTD_CCtx_setPledgedSrcSize(w->zstd, raw->n);
	for (u32 i = 0; i <= ends->n; i++) {
		size_t end = i < ends->n ? ends->at[i] : raw->n;
		ZSTD_inBuffer in = { raw->p + at, end - at, 0 };

		left = ZSTD_compressStream2(w->zstd, &out, &in,
					    i < ends->n ? ZSTD_e_flush : ZSTD_e_end);
		gs_assert(!left && in.pos == in.size);
		at = end;
	}
	w->packed.n = out.pos;
}

/* One block: head and zstd frame.  The hash of its content goes to @hash. */
static int write_block(struct tr_writer *w, u32 tag, u32 number, const struct tr_buf *raw,
		       const struct ends *ends, u64 *hash)
{
	static const struct ends whole;
	struct tr_buf head = { 0 };
	int ret;

	gs_assert(raw->n <= GMT_RAW_MAX);
	w->packed.n = 0;
	pack(w, raw, ends ? ends : &whole);
	*hash = gs_hash(raw->p, raw->n, 0);
	tr_put_le(&head, tag, 4);
	tr_put_le(&head, number, 4);
	tr_put_le(&head, raw->n, 4);
	tr_put_le(&head, w->packed.n, 4);
	tr_put_le(&head, *hash, 8);
	tr_put_le(&head, gs_hash(head.p, head.n, 0), 8);
	ret = write_all(w, head.p, head.n);
	if (!ret)
		ret = write_all(w, w->packed.p, w->packed.n);
	tr_buf_fini(&head);
	return ret;
}

/* ---- HEAD, frames, SUMM, INDX, footer ---------------------------------- */

/* @s as a reader takes it: '?' for what is no letter, not longer than a name. */
static size_t clean_text(const char *s, char *to)
{
	size_t n = 0, len;
	u32 cp;

	for (; *s; s += len ? len : 1) {
		len = gs_utf8(s, &cp);
		if (n + gs_max(len, 1) > TR_MAX_NAME)
			break;
		if (!len || cp < 0x20 || cp == 0x7f) {
			to[n++] = '?';
			continue;
		}
		memcpy(to + n, s, len);
		n += len;
	}
	return n;
}

static void put_text(struct tr_buf *b, enum gmt_key key, const char *s)
{
	char clean[TR_MAX_NAME];
	size_t n = s ? clean_text(s, clean) : 0;

	if (!n && key != GMT_KEY_DEVICE)
		return;
	tr_put(b, key);
	tr_put(b, n);
	tr_put_bytes(b, clean, n);
}

static void put_number(struct tr_buf *b, enum gmt_key key, u64 v)
{
	struct tr_buf value = { 0 };

	tr_put(&value, v);
	tr_put(b, key);
	tr_put(b, value.n);
	tr_put_bytes(b, value.p, value.n);
	tr_buf_fini(&value);
}

static int write_head(struct tr_writer *w, const struct tr_meta *meta)
{
	u64 hash;
	int ret;

	tr_put_bytes(&w->raw, GMT_MAGIC, 8);
	tr_put_le(&w->raw, GMT_MAJOR, 2);
	tr_put_le(&w->raw, GMT_MINOR, 2);
	tr_put_le(&w->raw, 0, 4);
	ret = write_all(w, w->raw.p, w->raw.n);
	if (ret)
		return ret;
	w->raw.n = 0;
	put_text(&w->raw, GMT_KEY_NAME, meta->name);
	put_text(&w->raw, GMT_KEY_FRAMEWORK, meta->framework);
	put_text(&w->raw, GMT_KEY_SOURCE, meta->source);
	put_text(&w->raw, GMT_KEY_RECORDED, meta->recorded);
	for (u32 i = 0; i < meta->ndevices; i++)
		put_text(&w->raw, GMT_KEY_DEVICE, meta->device_names[i]);
	put_number(&w->raw, GMT_KEY_PAGE_HINT, meta->page_hint);
	ret = write_block(w, GMT_HEAD, 0, &w->raw, NULL, &hash);
	tr_put_le(&w->hashes, hash, 8);
	return ret;
}

static int write_frame(struct tr_writer *w)
{
	u64 hash, offset = w->pos, nops = gmt_enc_nops(w->enc);
	struct ends ends;
	int ret;

	if (!nops)
		return 0;
	w->raw.n = 0;
	ends.n = gmt_enc_end(w->enc, &w->raw, ends.at);
	ret = write_block(w, GMT_DATA, w->nframes, &w->raw, &ends, &hash);
	tr_put(&w->frames, offset - w->last_offset);
	tr_put(&w->frames, nops);
	tr_put_le(&w->frames, hash, 8);
	tr_put_le(&w->hashes, hash, 8);
	w->last_offset = offset;
	w->nframes++;
	return ret;
}

static int write_summary(struct tr_writer *w)
{
	struct gmt_totals t = { w->check.job, w->check.ntouches, w->check.kernel_ps };
	u64 hash;

	w->raw.n = 0;
	for (size_t i = 0; i < gmt_ntotal_rows; i++) {
		const struct gmt_total_row *row = &gmt_total_rows[i];
		const void *field = (const u8 *)&t + row->offset;

		put_number(&w->raw, row->key,
			   row->size == 4 ? *(const u32 *)field : *(const u64 *)field);
	}
	return write_block(w, GMT_SUMM, 0, &w->raw, NULL, &hash);
}

static int write_index(struct tr_writer *w)
{
	u64 hash;

	w->raw.n = 0;
	tr_put(&w->raw, w->nframes);
	tr_put_bytes(&w->raw, w->frames.p, w->frames.n);
	tr_put(&w->raw, w->check.job.niterations);
	tr_put_bytes(&w->raw, w->iterations.p, w->iterations.n);
	return write_block(w, GMT_INDX, 0, &w->raw, NULL, &hash);
}

static int write_footer(struct tr_writer *w, u64 summary, u64 index)
{
	w->check.job.hash = gs_hash(w->hashes.p, w->hashes.n, 0);
	w->raw.n = 0;
	tr_put_le(&w->raw, summary, 8);
	tr_put_le(&w->raw, index, 8);
	tr_put_le(&w->raw, w->check.job.hash, 8);
	tr_put_le(&w->raw, w->pos + GMT_FOOTER, 8);
	tr_put_le(&w->raw, w->nframes, 4);
	tr_put_le(&w->raw, GMT_MAJOR, 2);
	tr_put_le(&w->raw, GMT_MINOR, 2);
	tr_put_le(&w->raw, 0, 8);
	tr_put_le(&w->raw, gs_hash(w->raw.p, w->raw.n, 0), 8);
	tr_put_bytes(&w->raw, GMT_END_MAGIC, 8);
	gs_assert(w->raw.n == GMT_FOOTER);
	return write_all(w, w->raw.p, w->raw.n);
}

/* All that follows the operations. */
static int write_tail(struct tr_writer *w)
{
	u64 summary, index;
	int ret = write_frame(w);

	summary = w->pos;
	if (!ret)
		ret = write_summary(w);
	index = w->pos;
	if (!ret)
		ret = write_index(w);
	if (!ret)
		ret = write_footer(w, summary, index);
	return ret;
}

/* ---- interface -------------------------------------------------------- */

static void writer_free(struct tr_writer *w)
{
	if (w->fd >= 0)
		close(w->fd);
	if (w->tmp)
		unlink(w->tmp);
	ZSTD_freeCCtx(w->zstd);
	gmt_enc_free(w->enc);
	tr_check_fini(&w->check);
	tr_buf_fini(&w->raw);
	tr_buf_fini(&w->packed);
	tr_buf_fini(&w->hashes);
	tr_buf_fini(&w->frames);
	tr_buf_fini(&w->iterations);
	free(w->path);
	free(w->tmp);
	free(w);
}

struct tr_writer *tr_writer_new(const char *path, const struct tr_meta *meta)
{
	struct tr_writer *w = gs_calloc(1, sizeof(*w));

	gs_assert(meta->ndevices >= 1 && meta->ndevices <= TR_MAX_DEVICES);
	w->path = path ? gs_strdup(path) : NULL;
	w->fd = path ? open_named(w) : tr_spill_file();
	w->enc = gmt_enc_new();
	w->zstd = ZSTD_createCCtx();
	gs_assert(w->zstd);
	ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, path ? LEVEL : LEVEL_UNNAMED);
	tr_check_init(&w->check, meta->ndevices);
	if (w->fd < 0)
		fail(w, "cannot create");
	if (w->fd < 0 || write_head(w, meta)) {
		writer_free(w);
		return NULL;
	}
	return w;
}

int tr_writer_put(struct tr_writer *w, const struct gs_op *op)
{
	int ret = w->err;

	if (!ret)
		ret = tr_check_op(&w->check, op);
	if (!ret && op->type == GS_OP_MARK && op->mark.iteration) {
		tr_put(&w->iterations, w->check.job.nops - 1 - w->last_mark);
		w->last_mark = w->check.job.nops - 1;
	}
	if (!ret && gmt_enc_put(w->enc, op)) {
		snprintf(w->check.why, sizeof(w->check.why),
			 "a name that is not UTF-8, or holds control characters, or is longer "
			 "than %d bytes",
			 TR_MAX_NAME);
		ret = -EINVAL;
	}
	if (!ret && gmt_enc_bytes(w->enc) >= GMT_FRAME_TARGET)
		ret = write_frame(w);
	w->err = ret;
	return ret;
}

const char *tr_writer_why(const struct tr_writer *w)
{
	return w->check.why;
}

const struct gs_job *tr_writer_job(const struct tr_writer *w)
{
	return &w->check.job;
}

u64 tr_writer_kernel_ps(const struct tr_writer *w)
{
	return w->check.kernel_ps;
}

/* Totals, index and footer; nothing is put afterwards. */
static int complete(struct tr_writer *w)
{
	int ret = w->err;

	if (!ret) {
		ret = tr_check_end(&w->check);
		if (ret)
			gs_err("%s: %s", w->path ? w->path : "trace", w->check.why);
	}
	return ret ? ret : write_tail(w);
}

int tr_writer_finish(struct tr_writer *w)
{
	int ret = complete(w);

	gs_assert(w->path);
	if (!ret && fsync(w->fd))
		ret = fail(w, "cannot write");
	if (!ret && rename(w->tmp, w->path))
		ret = fail(w, "cannot rename");
	if (!ret) {
		free(w->tmp);
		w->tmp = NULL;
	}
	writer_free(w);
	return ret;
}

int tr_writer_source(struct tr_writer *w, const char *name, struct gs_source **out)
{
	int ret = complete(w), fd = w->fd;

	if (!ret)
		w->fd = -1;
	writer_free(w);
	return ret ? ret : gmt_open(fd, name, out);
}

void tr_writer_abort(struct tr_writer *w)
{
	if (w)
		writer_free(w);
}
