/* SPDX-License-Identifier: GPL-3.0-or-later */
/* lines.c - lines of a text file, plain or compressed */
#include "traces/lines.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "traces/buf.h"
#include "traces/bytes.h"

struct tr_lines {
	struct tr_bytes *in;
	int err;
	u64 number;
	bool eof;
	struct tr_buf text; /* lines to come, from pos on */
	size_t pos;
};

static struct tr_lines *new_lines(struct tr_bytes *in)
{
	struct tr_lines *l;

	if (!in)
		return NULL;
	l = gs_calloc(1, sizeof(*l));
	l->in = in;
	return l;
}

struct tr_lines *tr_lines_new(int fd, const char *path)
{
	return new_lines(tr_bytes_new(fd, path));
}

struct tr_lines *tr_lines_open(const char *path)
{
	return new_lines(tr_bytes_open(path));
}

void tr_lines_close(struct tr_lines *l)
{
	if (!l)
		return;
	tr_bytes_close(l->in);
	tr_buf_fini(&l->text);
	free(l);
}

/* Make l->text longer.  0, or -errno; l->eof when there is no more. */
static int fill(struct tr_lines *l)
{
	const u8 *p;
	size_t n;
	int ret;

	if (l->pos) {
		l->text.n -= l->pos;
		memmove(l->text.p, l->text.p + l->pos, l->text.n);
		l->pos = 0;
	}
	if (l->text.n > TR_MAX_LINE) {
		gs_err("%s: line %llu: a line of more than 32 MiB", tr_lines_path(l),
		       l->number + 1);
		l->err = -EINVAL;
		return l->err;
	}
	ret = tr_bytes_next(l->in, &p, &n);
	if (ret == 1)
		tr_put_bytes(&l->text, p, n);
	l->eof = !ret;
	l->err = ret < 0 ? ret : 0;
	return l->err;
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
	while (l->text.n - l->pos < n && !l->eof && !l->err)
		fill(l);
	if (l->err)
		return l->err;
	n = gs_min(n, l->text.n - l->pos);
	*bytes = n ? l->text.p + l->pos : NULL;
	l->pos += n;
	return (ssize_t)n;
}

u64 tr_lines_number(const struct tr_lines *l)
{
	return l->number;
}

const char *tr_lines_path(const struct tr_lines *l)
{
	return tr_bytes_path(l->in);
}

int tr_lines_err(const struct tr_lines *l, const char *fmt, ...)
{
	char what[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	gs_err("%s:%llu: %s", tr_lines_path(l), l->number, what);
	return -EINVAL;
}
