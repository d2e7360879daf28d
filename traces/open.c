/* SPDX-License-Identifier: GPL-3.0-or-later */
/* open.c - a trace of any format that can be replayed, as a source */
#include "traces/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "traces/gen.h"
#include "traces/gmt.h"
#include "traces/import.h"

/* Formats by their first bytes.  A reader owns @fd; messages call it @path. */
static const struct format {
	const char *magic;
	size_t len;
	int (*open)(int fd, const char *path, struct gs_source **out);
} formats[] = {
	{ GMT_MAGIC, 8, gmt_open },
	{ "{", 1, tr_jsonl_open },
	{ "\x28\xb5\x2f\xfd", 4, tr_jsonl_open }, /* zstd */
	{ "\x1f\x8b", 2, tr_jsonl_open },	  /* gzip */
};

static const struct format *format_of(const char *magic, size_t len)
{
	for (size_t i = 0; i < GS_ARRAY_SIZE(formats); i++)
		if (len >= formats[i].len && !memcmp(magic, formats[i].magic, formats[i].len))
			return &formats[i];
	return NULL;
}

static int unknown(const char *path, const char *magic, ssize_t len)
{
	if (len == 0)
		gs_err("%s: is empty", path);
	else if (len < 8 && !memcmp(magic, GMT_MAGIC, (size_t)len))
		gs_err("%s: offset %zd: is truncated: the end of the trace is missing (copy, "
		       "record or import it again)",
		       path, len);
	else
		gs_err("%s: is not a trace that can be read directly (a .gmt, or our recorder's "
		       "JSON lines); `gmemsim trace import` reads other formats",
		       path);
	return -EINVAL;
}

/* A trace as it is, not checked. */
int tr_open_raw(const char *path, struct gs_source **out)
{
	const struct format *f;
	char magic[8];
	struct stat st;
	ssize_t len;
	int fd;

	if (!strncmp(path, GEN_SCHEME, strlen(GEN_SCHEME)))
		return gen_open(path, out);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		int ret = -errno;

		gs_err("%s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return ret;
	}
	if (!S_ISREG(st.st_mode)) {
		gs_err("%s: is not a file%s", path,
		       S_ISDIR(st.st_mode) ? "; a folder is imported by `gmemsim trace import`"
					   : "");
		close(fd);
		return -EINVAL;
	}
	len = pread(fd, magic, sizeof(magic), 0);
	f = format_of(magic, len > 0 ? (size_t)len : 0);
	if (f)
		return f->open(fd, path, out);
	close(fd);
	return unknown(path, magic, len > 0 ? len : 0);
}

int tr_open(const char *path, struct gs_source **out)
{
	struct gs_source *raw;
	int ret = tr_open_raw(path, &raw);

	if (!ret)
		*out = tr_checked(raw, path);
	return ret;
}
