/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lines.c - lines of a text file, plain or compressed with zstd */
#include "traces/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "traces/buf.h"

enum { CHUNK = 1 << 17, MAGIC = 4 };

struct tr_lines {
	char *path;
	int fd, err;
	u64 number;
	bool binary;	    /* read by tr_lines_read() */
	u64 offset;	    /* ... bytes of it */
	ZSTD_DStream *zstd; /* NULL: plain text */
	bool mid_frame;	    /* of zstd: more must come */
	bool held_back;	    /* ... and is there already, decompressed */
	bool eof;
	u8 *in; /* as read from the file */
	size_t in_pos, in_len;
	struct tr_buf text; /* lines to come, from pos on */
	size_t pos;
};

bool tr_lines_is_zstd(const char *magic, size_t len)
{
	return len >= MAGIC && !memcmp(magic, "\x28\xb5\x2f\xfd", MAGIC);
}

static int fail(struct tr_lines *l, const char *why)
{
	if (l->binary)
		gs_err("%s: offset %llu: %s", l->path, l->offset + l->text.n - l->pos, why);
	else
		gs_err("%s: line %llu: %s", l->path, l->number + 1, why);
	l->err = -EINVAL;
	return l->err;
}

/* More bytes of the file into l->in.  1, 0 at the end, -errno. */
static int read_more(struct tr_lines *l)
{
	ssize_t n;

	do {
		n = read(l->fd, l->in, CHUNK);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		l->err = -errno;
		gs_err("%s: cannot read: %s", l->path, strerror(errno));
		return l->err;
	}
	l->in_pos = 0;
	l->in_len = (size_t)n;
	return n > 0;
}

struct tr_lines *tr_lines_new(int fd, const char *path)
{
	struct tr_lines *l = gs_calloc(1, sizeof(*l));

	l->path = gs_strdup(path);
	l->fd = fd;
	l->in = gs_calloc(CHUNK, 1);
	if (read_more(l) < 0) {
		tr_lines_close(l);
		return NULL;
	}
	if (tr_lines_is_zstd((char *)l->in, l->in_len)) {
		l->zstd = ZSTD_createDStream();
		gs_assert(l->zstd);
	}
	return l;
}

struct tr_lines *tr_lines_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		gs_err("%s: %s", path, strerror(errno));
		return NULL;
	}
	return tr_lines_new(fd, path);
}

void tr_lines_close(struct tr_lines *l)
{
	if (!l)
		return;
	ZSTD_freeDStream(l->zstd);
	close(l->fd);
	tr_buf_fini(&l->text);
	free(l->in);
	free(l->path);
	free(l);
}

/* What is in l->in to the end of l->text. */
static int take(struct tr_lines *l)
{
	ZSTD_inBuffer in = { l->in, l->in_len, l->in_pos };
	ZSTD_outBuffer out = { tr_buf_room(&l->text, CHUNK), CHUNK, 0 };
	size_t ret;

	if (!l->zstd) {
		tr_put_bytes(&l->text, l->in + l->in_pos, l->in_len - l->in_pos);
		l->in_pos = l->in_len;
		return 0;
	}
	ret = ZSTD_decompressStream(l->zstd, &out, &in);
	if (ZSTD_isError(ret))
		return fail(l, "the file is damaged: it does not decompress");
	l->mid_frame = ret > 0;
	l->held_back = ret > 0 && out.pos == out.size;
	l->in_pos = in.pos;
	l->text.n += out.pos;
	return 0;
}

/* Make l->text longer.  0, or -errno; l->eof when there is no more. */
static int fill(struct tr_lines *l)
{
	int ret;

	if (l->pos) {
		l->text.n -= l->pos;
		memmove(l->text.p, l->text.p + l->pos, l->text.n);
		l->pos = 0;
	}
	if (l->text.n > TR_MAX_LINE)
		return fail(l, "a line of more than 32 MiB");
	if (l->in_pos == l->in_len && !l->held_back) {
		ret = read_more(l);
		if (ret < 0)
			return ret;
		l->eof = !ret;
		if (l->eof && l->mid_frame)
			return fail(l, "the file is truncated: compressed data end here");
		if (l->eof)
			return 0;
	}
	return take(l);
}

int tr_lines_next(struct tr_lines *l, char **line, size_t *len)
{
	size_t seen = 0;
	u8 *end;

	if (l->err)
		return l->err;
	for (;;) {
		size_t have = l->text.n - l->pos;

		end = have > seen ? memchr(l->text.p + l->pos + seen, '\n', have - seen) : NULL;
		if (end || l->eof)
			break;
		seen = have;
		if (fill(l))
			return l->err;
	}
	if (!end && l->text.n == l->pos)
		return 0;
	if (!end) { /* the last line has no new line */
		*tr_buf_room(&l->text, 1) = 0;
		end = l->text.p + l->text.n;
	}
	*line = (char *)l->text.p + l->pos;
	*len = (size_t)(end - l->text.p) - l->pos;
	*end = 0;
	l->pos = gs_min(l->pos + *len + 1, l->text.n);
	l->number++;
	return 1;
}

ssize_t tr_lines_read(struct tr_lines *l, const u8 **bytes, size_t n)
{
	l->binary = true;
	while (l->text.n - l->pos < n && !l->eof && !l->err)
		fill(l);
	if (l->err)
		return l->err;
	n = gs_min(n, l->text.n - l->pos);
	*bytes = n ? l->text.p + l->pos : NULL;
	l->pos += n;
	l->offset += n;
	return (ssize_t)n;
}

u64 tr_lines_number(const struct tr_lines *l)
{
	return l->number;
}

const char *tr_lines_path(const struct tr_lines *l)
{
	return l->path;
}

int tr_lines_err(const struct tr_lines *l, const char *fmt, ...)
{
	char what[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	gs_err("%s:%llu: %s", l->path, l->number, what);
	return -EINVAL;
}
