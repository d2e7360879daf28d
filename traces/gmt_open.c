/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gmt_open.c - what a .gmt file says of itself, read and checked at open
 *
 * Footer, index and summary come first: a truncated file is refused before
 * replay begins.
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "traces/gmt_file.h"

/* ---- header and summary ----------------------------------------------- */

/* A copy of a text row; false when it is no text. */
static bool text(struct tr_cur c, char **to)
{
	if (!tr_check_name((const char *)c.p, tr_left(&c)))
		return false;
	free(*to);
	*to = gs_calloc(tr_left(&c) + 1, 1);
	memcpy(*to, c.p, tr_left(&c));
	return true;
}

static bool add_device(struct gmt *g, struct tr_cur c)
{
	char *name = NULL;

	if (g->base.job.ndevices == TR_MAX_DEVICES || !text(c, &name))
		return false;
	g->devices = gs_realloc_array(g->devices, g->base.job.ndevices + 1, sizeof(char *));
	g->devices[g->base.job.ndevices++] = name;
	return true;
}

static bool set_total(struct gmt *g, u64 key, u64 value)
{
	for (size_t i = 0; i < gmt_ntotal_rows; i++) {
		const struct gmt_total_row *row = &gmt_total_rows[i];
		void *field = (u8 *)&g->totals + row->offset;

		if (row->key != key)
			continue;
		if (row->size == 4 && value > U32_MAX)
			return false;
		if (row->size == 4)
			*(u32 *)field = (u32)value;
		else
			*(u64 *)field = value;
	}
	return true;
}

/* Keys that are not known are passed over: later versions may add some. */
static int parse_rows(struct gmt *g, const struct gmt_block *b)
{
	struct tr_cur c = { g->raw.p, g->raw.p + g->raw.n, false };
	bool ok = true;

	while (ok && c.p < c.end) {
		u64 key = tr_get(&c);
		struct tr_cur value = tr_get_part(&c, tr_get(&c));

		if (c.bad)
			break;
		if (key >= GMT_KEY_NAME && key <= GMT_KEY_RECORDED)
			ok = text(value, &g->texts[key]);
		else if (key == GMT_KEY_DEVICE)
			ok = add_device(g, value);
		else if (key == GMT_KEY_PAGE_HINT)
			g->totals.job.page_hint = tr_get(&value);
		else if (key >= GMT_KEY_NOPS && key <= GMT_KEY_SEGMENTS_HIGH)
			ok = set_total(g, key, tr_get(&value));
		ok = ok && (!value.bad || key < GMT_KEY_PAGE_HINT);
	}
	if (!ok || c.bad)
		return gmt_damaged(g, b->offset, "%s: holds nonsense", b->name);
	return 0;
}

/* The job as consumers see it, from rows and totals. */
static void fill_job(struct gmt *g, u64 hash)
{
	struct gs_job *j = &g->base.job;
	u32 ndevices = j->ndevices;

	for (int i = 0; i <= GMT_KEY_RECORDED; i++)
		if (!g->texts[i])
			g->texts[i] = gs_strdup("");
	*j = g->totals.job;
	j->name = g->texts[GMT_KEY_NAME];
	j->framework = g->texts[GMT_KEY_FRAMEWORK];
	j->source = g->texts[GMT_KEY_SOURCE];
	j->recorded = g->texts[GMT_KEY_RECORDED];
	j->ndevices = ndevices;
	j->device_names = g->devices;
	j->hash = hash;
}

/* ---- the index -------------------------------------------------------- */

static bool parse_frames(struct gmt *g, struct tr_cur *c)
{
	u64 offset = 0, op = 0;

	for (u32 i = 0; i < g->nframes; i++) {
		u64 step = tr_get(c), nops = tr_get(c);
		struct tr_cur hash = tr_get_part(c, 8);

		/* no frame is empty, none lies before its predecessor, no operation is free */
		if (c->bad || !step || offset + step < offset || !nops || nops > GMT_RAW_MAX ||
		    op + nops < op)
			return false;
		offset += step;
		g->frames[i] = (struct gmt_frame){ offset, op, tr_le(hash.p, 8) };
		op += nops;
	}
	g->frames[g->nframes].first_op = op;
	return op == g->totals.job.nops;
}

static bool parse_marks(struct gmt *g, struct tr_cur *c)
{
	u32 n = g->totals.job.niterations;
	u64 op = 0;

	if (tr_get(c) != n || n > tr_left(c))
		return false;
	g->marks = gs_calloc(n, sizeof(*g->marks));
	for (u32 i = 0; i < n; i++) {
		op += tr_get(c);
		g->marks[i] = op;
		if (c->bad || op >= g->totals.job.nops || (i && op <= g->marks[i - 1]))
			return false;
	}
	return true;
}

static int parse_index(struct gmt *g, const struct gmt_block *b, u32 nframes)
{
	struct tr_cur c = { g->raw.p, g->raw.p + g->raw.n, false };

	/* a frame takes ten bytes of the index at least */
	if (tr_get(&c) != nframes || nframes > tr_left(&c) / 10)
		return gmt_damaged(g, b->offset, "index: holds nonsense");
	g->nframes = nframes;
	g->frames = gs_calloc((size_t)nframes + 1, sizeof(*g->frames));
	if (!parse_frames(g, &c) || !parse_marks(g, &c))
		return gmt_damaged(g, b->offset, "index: holds nonsense");
	return 0;
}

/* The content hash covers header and frames in order. */
static u64 content_hash(const struct gmt *g, u64 head)
{
	struct tr_buf all = { 0 };
	u64 hash;

	tr_put_le(&all, head, 8);
	for (u32 i = 0; i < g->nframes; i++)
		tr_put_le(&all, g->frames[i].hash, 8);
	hash = gs_hash(all.p, all.n, 0);
	tr_buf_fini(&all);
	return hash;
}

/* ---- open ------------------------------------------------------------- */

static int check_prologue(struct gmt *g)
{
	u8 p[GMT_PROLOGUE];

	if (g->size < sizeof(p)) {
		gs_err("%s: is truncated: %llu bytes are not even the beginning of a "
		       "trace " GMT_AGAIN,
		       g->path, g->size);
		return -EINVAL;
	}
	if (gmt_read_at(g, 0, p, sizeof(p)))
		return g->err;
	g->major = (u16)tr_le(p + 8, 2);
	g->minor = (u16)tr_le(p + 10, 2);
	if (memcmp(p, GMT_MAGIC, 8) || !g->major || tr_le(p + 12, 4))
		return gmt_damaged(g, 0, "the file does not begin as a .gmt file does");
	if (g->major > GMT_MAJOR) {
		gs_err("%s: was written by a newer gmemsim: format %u, this one reads %d", g->path,
		       g->major, GMT_MAJOR);
		return -EINVAL;
	}
	return 0;
}

static int check_footer(struct gmt *g, u8 *f)
{
	u64 at = g->size - GMT_FOOTER;

	if (g->size < GMT_PROLOGUE + GMT_FOOTER || gmt_read_at(g, at, f, GMT_FOOTER) ||
	    memcmp(f + 56, GMT_END_MAGIC, 8)) {
		if (!g->err)
			gs_err("%s: offset %llu: is truncated: the end of the trace is missing "
			       "(copy, record or import it again)",
			       g->path, g->size);
		return -EINVAL;
	}
	if (gs_hash(f, 48, 0) != tr_le(f + 48, 8))
		return gmt_damaged(g, at, "footer: checksum differs");
	if (tr_le(f + 24, 8) != g->size)
		return gmt_damaged(g, at, "footer: the file had %llu bytes when it was written",
				   tr_le(f + 24, 8));
	if (tr_le(f + 36, 2) != g->major || tr_le(f + 38, 2) != g->minor)
		return gmt_damaged(g, at, "footer: the version is not that of the beginning");
	return 0;
}

/* Consumers make tables of these sizes before they read an operation. */
static bool totals_are_possible(const struct gs_job *j)
{
	return j->nkernels <= j->nops && j->npages <= j->nops && j->ntensors <= j->nops &&
	       j->niterations <= j->nops && j->nstreams <= 1 << 16;
}

static int read_tables(struct gmt *g)
{
	struct gmt_block head = { "header", GMT_PROLOGUE, GMT_HEAD, 0 };
	struct gmt_block summary = { "summary", 0, GMT_SUMM, 0 };
	struct gmt_block index = { "index", 0, GMT_INDX, 0 };
	u8 f[GMT_FOOTER];
	u64 hash, ignored;

	if (check_prologue(g) || check_footer(g, f))
		return -EINVAL;
	summary.offset = tr_le(f, 8);
	index.offset = tr_le(f + 8, 8);
	if (gmt_read_block(g, &head, &hash) || parse_rows(g, &head) ||
	    gmt_read_block(g, &summary, &ignored) || parse_rows(g, &summary) ||
	    gmt_read_block(g, &index, &ignored) || parse_index(g, &index, (u32)tr_le(f + 32, 4)))
		return -EINVAL;
	if (!totals_are_possible(&g->totals.job))
		return gmt_damaged(g, summary.offset, "summary: holds nonsense");
	if (!g->base.job.ndevices)
		return gmt_damaged(g, head.offset, "header: names no device");
	fill_job(g, content_hash(g, hash));
	if (g->base.job.hash != tr_le(f + 16, 8))
		return gmt_damaged(g, index.offset, "index: the hash of the content differs");
	return 0;
}

static void gmt_close(struct gs_source *src)
{
	struct gmt *g = gs_container_of(src, struct gmt, base);

	for (u32 i = 0; i < g->base.job.ndevices; i++)
		free((char *)g->devices[i]);
	free(g->devices);
	for (int i = 0; i <= GMT_KEY_RECORDED; i++)
		free(g->texts[i]);
	free(g->frames);
	free(g->marks);
	gmt_dec_free(g->dec);
	tr_buf_fini(&g->packed);
	tr_buf_fini(&g->raw);
	ZSTD_freeDCtx(g->zstd);
	close(g->fd);
	free(g->path);
	free(g);
}

const struct gs_source_ops gmt_ops = {
	.name = "gmt",
	.next = gmt_next,
	.pages = gmt_pages,
	.seek = gmt_seek,
	.close = gmt_close,
};

int gmt_open(int fd, const char *path, struct gs_source **out)
{
	struct gmt *g = gs_calloc(1, sizeof(*g));
	struct stat st;
	int ret = 0;

	g->base.ops = &gmt_ops;
	g->path = gs_strdup(path);
	g->fd = fd;
	g->cur = U32_MAX;
	g->zstd = ZSTD_createDCtx();
	gs_assert(g->zstd);
	if (fstat(fd, &st)) {
		ret = -errno;
		gs_err("%s: %s", path, strerror(errno));
	} else {
		g->size = (u64)st.st_size;
		ret = read_tables(g);
	}
	if (ret) {
		gmt_close(&g->base);
		return ret;
	}
	g->dec = gmt_dec_new(g->major, g->minor);
	*out = &g->base;
	return 0;
}

void gmt_info(const struct gs_source *src, struct gmt_info *info)
{
	const struct gmt *g = gs_container_of((struct gs_source *)src, struct gmt, base);

	gs_assert(src->ops == &gmt_ops);
	*info = (struct gmt_info){ .major = g->major,
				   .minor = g->minor,
				   .file_bytes = g->size,
				   .kernel_ps = g->totals.kernel_ps,
				   .ntouches = g->totals.ntouches,
				   .nframes = g->nframes };
}
