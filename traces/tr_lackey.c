/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tr_lackey.c - memory traces of valgrind --tool=lackey --trace-mem=yes
 *
 *	I  04000a70,3		instruction: a read
 *	 L 1ffefff9f0,8		load
 *	 S 1ffefff9f8,8		store
 *	 M 04a21048,4		modify: a read and a write
 *
 * Addresses are hexadecimal.  Lines of valgrind itself begin with ==, those of
 * the program are not told apart from the trace: lackey writes to stderr.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "traces/import.h"
#include "traces/pages.h"

static u8 access_of(char c)
{
	switch (c) {
	case 'I':
	case 'L':
		return GS_READ;
	case 'S':
		return GS_WRITE;
	case 'M':
		return GS_READ | GS_WRITE;
	default:
		return 0;
	}
}

/* False: not a line of the trace. */
static bool parse(const char *line, struct gs_op *op)
{
	char *end;
	u64 bytes;

	line += *line == ' ';
	op->page.access = access_of(*line);
	if (!op->page.access || *++line != ' ')
		return false;
	line += strspn(line, " ");
	errno = 0;
	op->page.va = strtoull(line, &end, 16);
	if (!isxdigit((unsigned char)*line) || errno || *end != ',' ||
	    !isdigit((unsigned char)end[1]))
		return false;
	bytes = strtoull(end + 1, &end, 10);
	end += strspn(end, " \r");
	op->page.bytes = (u32)bytes;
	return !*end && bytes && bytes <= U32_MAX;
}

static int put_lines(struct tr_lines *lines, struct tr_writer *w)
{
	struct gs_op op = { .type = GS_OP_PAGE };
	char *line;
	size_t len;
	int ret;

	while ((ret = tr_lines_next(lines, &line, &len)) == 1) {
		if (!*line || !strncmp(line, "==", 2))
			continue;
		if (!parse(line, &op))
			return tr_lines_err(lines,
					    "\"%.40s\" is not an access such as \" L "
					    "1ffefff9f0,8\"",
					    line);
		ret = tr_writer_put(w, &op);
		if (ret)
			return ret == -EINVAL ? tr_lines_err(lines, "%s", tr_writer_why(w)) : ret;
	}
	return ret;
}

int tr_lackey_import(const char *path, const char *out, const struct tr_page_options *o,
		     struct tr_writer **w)
{
	static const char *const suffixes[] = { ".gz", ".zst", ".txt", ".log", NULL };
	struct tr_lines *lines = tr_lines_open(path);
	char *name = tr_base_name(path, suffixes);
	int ret = -EINVAL;

	*w = lines ? tr_pages_writer(out, name, "valgrind lackey", 1, o->page) : NULL;
	if (*w)
		ret = put_lines(lines, *w);
	if (ret)
		tr_writer_abort(*w);
	tr_lines_close(lines);
	free(name);
	return ret;
}
