/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bytes.c - the bytes of a file: plain, gzip or zstd, and one member of a tar
 *
 *	file -> in[] -> (zlib | zstd | copy) -> out[] -> (tar member) -> caller
 */
#define _GNU_SOURCE /* memrchr */
#include "traces/bytes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "sim/out.h"

enum { IN = 1 << 16, OUT = 1 << 17, PEEK = 4096, BLOCK = 512, SHOWN = 8 };

enum packing { PLAIN, GZIP, ZSTD };

struct tr_bytes {
	char *path, *member; /* of a tar: the part behind the colon */
	int fd, err;
	enum packing packing;
	z_stream gz;
	ZSTD_DStream *zstd;
	bool mid_frame; /* compressed data must go on */
	bool eof;	/* of the file */
	u8 *in, *out;
	size_t in_pos, in_len, pos, len; /* out[pos, len) is to come */
	bool tar;
	u64 left; /* tar: bytes of the member to come */
	u64 at;
	struct gs_progress bar; /* bytes of the file */
};

static int fail(struct tr_bytes *b, const char *why)
{
	gs_err("%s: offset %llu: %s", b->path, b->at, why);
	b->err = -EINVAL;
	return b->err;
}

/* ---- the file, decompressed ---------------------------------------------- */

static int read_file(struct tr_bytes *b)
{
	ssize_t n;

	do {
		n = read(b->fd, b->in, IN);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		b->err = -errno;
		gs_err("%s: cannot read: %s", b->path, strerror(errno));
		return b->err;
	}
	b->in_pos = 0;
	b->in_len = (size_t)n;
	b->eof = !n;
	gs_progress_update(&b->bar, b->bar.done + b->in_len);
	return 0;
}

static int take_gzip(struct tr_bytes *b)
{
	int ret;

	if (!b->mid_frame) /* a new member: gzip files may be joined */
		inflateReset(&b->gz);
	b->gz.next_in = b->in + b->in_pos;
	b->gz.avail_in = (uInt)(b->in_len - b->in_pos);
	b->gz.next_out = b->out + b->len;
	b->gz.avail_out = (uInt)(OUT - b->len);
	ret = inflate(&b->gz, Z_NO_FLUSH);
	b->in_pos = b->in_len - b->gz.avail_in;
	b->len = OUT - b->gz.avail_out;
	b->mid_frame = ret != Z_STREAM_END;
	if (ret == Z_OK || ret == Z_STREAM_END || ret == Z_BUF_ERROR)
		return 0;
	return fail(b, "the file is damaged: it does not decompress");
}

static int take_zstd(struct tr_bytes *b)
{
	ZSTD_inBuffer in = { b->in, b->in_len, b->in_pos };
	ZSTD_outBuffer out = { b->out, OUT, b->len };
	size_t ret = ZSTD_decompressStream(b->zstd, &out, &in);

	if (ZSTD_isError(ret))
		return fail(b, "the file is damaged: it does not decompress");
	b->in_pos = in.pos;
	b->len = out.pos;
	b->mid_frame = ret > 0;
	return 0;
}

static int take(struct tr_bytes *b)
{
	size_t n;

	if (b->packing == GZIP)
		return take_gzip(b);
	if (b->packing == ZSTD)
		return take_zstd(b);
	n = gs_min(OUT - b->len, b->in_len - b->in_pos);
	memcpy(b->out + b->len, b->in + b->in_pos, n);
	b->in_pos += n;
	b->len += n;
	return 0;
}

/* Have at least @want bytes in out[], fewer only at the end.  0 or -errno. */
static int fill(struct tr_bytes *b, size_t want)
{
	size_t before;

	while (!b->err && b->len - b->pos < want) {
		if (b->pos) {
			memmove(b->out, b->out + b->pos, b->len - b->pos);
			b->len -= b->pos;
			b->pos = 0;
		}
		before = b->len;
		if (b->in_pos < b->in_len || b->mid_frame)
			take(b); /* also what a decompressor holds back */
		if (b->err || b->len > before || b->in_pos < b->in_len)
			continue;
		if (b->eof || read_file(b))
			break;
	}
	if (!b->err && b->len - b->pos < want && b->mid_frame)
		fail(b, "the file is truncated: compressed data end here");
	return b->err;
}

/* ---- tar -------------------------------------------------------------- */

static bool is_tar(const u8 *p, size_t n)
{
	return n >= BLOCK && !memcmp(p + 257, "ustar", 5);
}

static int octal(struct tr_bytes *b, const u8 *p, size_t n, u64 *v)
{
	size_t i = 0;

	for (*v = 0; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		*v = *v << 3 | (p[i] - '0');
	return i && i < n && (p[i] == ' ' || !p[i]) ? 0 : fail(b, "the tar archive is damaged");
}

static int skip(struct tr_bytes *b, u64 n)
{
	while (n) {
		size_t step;

		if (fill(b, 1))
			return b->err;
		step = gs_min(n, b->len - b->pos);
		if (!step)
			return fail(b, "the tar archive is truncated");
		b->pos += step;
		n -= step;
	}
	return 0;
}

static u64 padded(u64 n)
{
	return (n + BLOCK - 1) / BLOCK * BLOCK;
}

/* The part of a member's name that is worth showing; NULL for what Macs add. */
static const char *leaf(const char *name)
{
	const char *slash = strrchr(name, '/');

	name = slash ? slash + 1 : name;
	return !strncmp(name, "._", 2) ? NULL : name;
}

/* Go to the next regular member.  1: its @name (256 bytes) and size; 0: the end. */
static int next_member(struct tr_bytes *b, char *name, u64 *bytes)
{
	for (;;) {
		const u8 *p;
		u8 type;

		if (fill(b, BLOCK))
			return b->err;
		p = b->out + b->pos;
		if (b->len - b->pos < BLOCK || !*p)
			return 0;
		if (!is_tar(p, BLOCK) || octal(b, p + 124, 12, bytes))
			return b->err ? b->err : fail(b, "the tar archive is damaged");
		if (*bytes > U64_MAX / 4)
			return fail(b, "the tar archive is damaged");
		snprintf(name, 256, "%.100s", (const char *)p);
		type = p[156];
		b->pos += BLOCK;
		if ((type == '0' || !type) && leaf(name))
			return 1;
		if (skip(b, padded(*bytes)))
			return b->err;
	}
}

static bool wanted(const struct tr_bytes *b, const char *name)
{
	return !b->member || !strcmp(b->member, name) || !strcmp(b->member, leaf(name));
}

/* Say which members there are, unless one was found. */
static int no_choice(struct tr_bytes *b, unsigned int found, const char *names)
{
	if (b->member)
		gs_err("%s: holds no '%s'; it holds %s", b->path, b->member, names);
	else if (found)
		gs_err("%s: holds %u files; name one as ARCHIVE:MEMBER: %s", b->path, found, names);
	else
		gs_err("%s: the tar archive holds no file", b->path);
	b->err = -EINVAL;
	return b->err;
}

/* Read through the archive: which member is meant? */
static int choose(struct tr_bytes *b)
{
	char name[256], names[1024] = "", *chosen = NULL;
	unsigned int all = 0, fit = 0;
	u64 bytes;
	int ret;

	while ((ret = next_member(b, name, &bytes)) == 1) {
		size_t n = strlen(names);

		if (all < SHOWN)
			snprintf(names + n, sizeof(names) - n, "%s%s", all ? ", " : "", leaf(name));
		else if (all == SHOWN)
			snprintf(names + n, sizeof(names) - n, ", ...");
		all++;
		if (wanted(b, name) && !fit++)
			chosen = gs_strdup(name);
		ret = skip(b, padded(bytes));
		if (ret)
			break;
	}
	if (!ret && fit != 1)
		ret = no_choice(b, all, names);
	if (!ret) {
		free(b->member);
		b->member = chosen;
		return 0;
	}
	free(chosen);
	return ret;
}

static int rewind_file(struct tr_bytes *b)
{
	if (lseek(b->fd, 0, SEEK_SET) < 0)
		return fail(b, "a tar archive is read from a file only");
	b->in_pos = b->in_len = b->pos = b->len = 0;
	b->bar.done = 0;
	b->mid_frame = b->eof = false;
	if (b->zstd)
		ZSTD_initDStream(b->zstd);
	return 0;
}

static int open_tar(struct tr_bytes *b)
{
	char name[256];
	int ret = choose(b);

	if (ret || rewind_file(b))
		return b->err;
	while ((ret = next_member(b, name, &b->left)) == 1 && !wanted(b, name))
		if (skip(b, padded(b->left)))
			return b->err;
	b->tar = ret == 1;
	return ret < 0 ? ret : ret ? 0 : fail(b, "the tar archive changed while it was read");
}

/* ---- open ------------------------------------------------------------- */

/* The file at @path, or the archive before its colon. */
static int open_path(struct tr_bytes *b, const char *path)
{
	const char *colon = strrchr(path, ':');
	struct stat st;

	b->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (b->fd < 0 && errno == ENOENT && colon && colon > path && colon[1]) {
		char *archive = gs_asprintf("%.*s", (int)(colon - path), path);

		b->fd = open(archive, O_RDONLY | O_CLOEXEC);
		free(archive);
		b->member = gs_strdup(colon + 1);
	}
	if (b->fd < 0) {
		gs_err("%s: %s", path, strerror(errno));
		return -EINVAL;
	}
	if (fstat(b->fd, &st) || S_ISDIR(st.st_mode)) {
		gs_err("%s: is a folder, not a file", path);
		return -EINVAL;
	}
	return 0;
}

static int begin(struct tr_bytes *b)
{
	struct stat st;
	const u8 *p;
	size_t n;

	gs_progress_begin(&b->bar, "read",
			  !fstat(b->fd, &st) && S_ISREG(st.st_mode) ? (u64)st.st_size : 0);
	if (read_file(b))
		return b->err;
	if (b->in_len >= 2 && b->in[0] == 0x1f && b->in[1] == 0x8b) {
		b->packing = GZIP;
		gs_assert(inflateInit2(&b->gz, 15 + 16) == Z_OK);
	} else if (b->in_len >= 4 && !memcmp(b->in, "\x28\xb5\x2f\xfd", 4)) {
		b->packing = ZSTD;
		b->zstd = ZSTD_createDStream();
		gs_assert(b->zstd);
	}
	n = tr_bytes_peek(b, &p, BLOCK);
	if (b->err)
		return b->err;
	if (is_tar(p, n))
		return open_tar(b);
	if (b->member) {
		gs_err("%s: is not in a tar archive", b->path);
		return -EINVAL;
	}
	return 0;
}

static struct tr_bytes *new_bytes(int fd, const char *path)
{
	struct tr_bytes *b = gs_calloc(1, sizeof(*b));

	b->path = gs_strdup(path);
	b->fd = fd;
	b->in = gs_calloc(IN, 1);
	b->out = gs_calloc(OUT, 1);
	return b;
}

struct tr_bytes *tr_bytes_open(const char *path)
{
	struct tr_bytes *b = new_bytes(-1, path);

	if (!open_path(b, path) && !begin(b))
		return b;
	tr_bytes_close(b);
	return NULL;
}

struct tr_bytes *tr_bytes_new(int fd, const char *path)
{
	struct tr_bytes *b = new_bytes(fd, path);

	if (!begin(b))
		return b;
	tr_bytes_close(b);
	return NULL;
}

void tr_bytes_close(struct tr_bytes *b)
{
	if (!b)
		return;
	gs_progress_end(&b->bar);
	if (b->packing == GZIP)
		inflateEnd(&b->gz);
	ZSTD_freeDStream(b->zstd);
	if (b->fd >= 0)
		close(b->fd);
	free(b->in);
	free(b->out);
	free(b->path);
	free(b->member);
	free(b);
}

/* ---- read ------------------------------------------------------------- */

/* Bytes of out[] that are the caller's. */
static size_t have(const struct tr_bytes *b)
{
	size_t n = b->len - b->pos;

	return b->tar ? gs_min(n, b->left) : n;
}

static void take_out(struct tr_bytes *b, size_t n)
{
	b->pos += n;
	b->at += n;
	if (b->tar)
		b->left -= n;
}

int tr_bytes_next(struct tr_bytes *b, const u8 **p, size_t *n)
{
	if (b->tar && !b->left)
		return b->err;
	if (fill(b, 1))
		return b->err;
	*n = have(b);
	*p = b->out + b->pos;
	if (!*n && b->tar)
		return fail(b, "the tar archive is truncated");
	take_out(b, *n);
	return *n > 0;
}

size_t tr_bytes_peek(struct tr_bytes *b, const u8 **p, size_t want)
{
	gs_assert(want <= PEEK);
	*p = b->out;
	if (fill(b, want))
		return 0;
	*p = b->out + b->pos;
	return gs_min(want, have(b));
}

int tr_bytes_exact(struct tr_bytes *b, void *to, size_t n)
{
	size_t done = 0;

	while (done < n) {
		size_t step;

		if (fill(b, 1))
			return b->err;
		step = gs_min(n - done, have(b));
		if (!step)
			return done ? fail(b, "the file is truncated") : 0;
		memcpy((u8 *)to + done, b->out + b->pos, step);
		take_out(b, step);
		done += step;
	}
	return 1;
}

u64 tr_bytes_at(const struct tr_bytes *b)
{
	return b->at;
}

const char *tr_bytes_path(const struct tr_bytes *b)
{
	return b->path;
}
