/* SPDX-License-Identifier: GPL-3.0-or-later */
/* import.c - the formats that `gmemsim trace import` knows */
#define _GNU_SOURCE /* memrchr, memmem */
#include "traces/import.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "traces/bytes.h"
#include "traces/sniff.h"

#define JOB(n, looks, what, fn)                                       \
	{                                                             \
		.name = n, .like = looks, .input = what, .import = fn \
	}
#define PAGES(n, looks, what, fn)                                           \
	{                                                                   \
		.name = n, .like = looks, .input = what, .import_pages = fn \
	}

const struct tr_importer tr_importers[] = {
	JOB("g10", NULL, "folder of a network analysed by the G10 artifact (MICRO'23)",
	    tr_g10_import),
	JOB("jsonl", tr_like_jsonl, "JSON lines of scripts/record_torch.py; also .gz .zst",
	    tr_jsonl_import),
	JOB("kineto", tr_like_kineto,
	    "JSON of PyTorch's profiler (Chrome trace); also .gz .zst .tar", tr_kineto_import),
	JOB("et", tr_like_et, "PyTorch execution trace, JSON; also .gz .zst .tar", tr_et_import),
	JOB("chakra", tr_like_chakra, "Chakra execution trace, .et or JSON; also .gz .zst .tar",
	    tr_chakra_import),
	JOB("nsys", tr_like_nsys, "SQLite export of Nsight Systems with unified memory",
	    tr_nsys_import),
	PAGES("lackey", tr_like_lackey, "valgrind --tool=lackey --trace-mem=yes; also .gz .zst",
	      tr_lackey_import),
	PAGES("oracle", NULL, "page trace of libCacheSim (oracleGeneral); also .gz .zst",
	      tr_oracle_import),
	PAGES("csv", NULL, "page trace: address or page, size, rw, device, time; also .gz .zst",
	      tr_csv_import),
	{ .name = NULL },
};

void tr_import_list(FILE *f)
{
	for (const struct tr_importer *i = tr_importers; i->name; i++)
		fprintf(f, "  %-12s %s\n", i->name, i->input);
}

/* What is said when the first bytes are those of something else. */
static int other_than(const struct tr_importer *imp, const char *input, const char *p, size_t n)
{
	const char *foreign = tr_like_foreign(p, n);

	if (foreign) {
		gs_err("%s: %s", input, foreign);
		return -EINVAL;
	}
	if (imp->like && imp->like(p, n))
		return 0;
	for (const struct tr_importer *i = tr_importers; i->name; i++) {
		if (i == imp || !i->like || !i->like(p, n))
			continue;
		gs_err("%s: is not what '%s' reads: it looks like '%s' (%s); try `gmemsim trace "
		       "import %s`",
		       input, imp->name, i->name, i->input, i->name);
		return -EINVAL;
	}
	return 0;
}

int tr_import_sniff(const struct tr_importer *imp, const char *input)
{
	struct tr_bytes *in;
	struct stat st;
	const u8 *p;
	size_t n;
	int ret;

	if (imp->import == tr_g10_import)
		return 0;
	if (!stat(input, &st) && !S_ISREG(st.st_mode)) {
		if (!S_ISDIR(st.st_mode))
			return 0; /* what is read from a pipe is gone */
		gs_err("%s: is a folder; only 'g10' reads one", input);
		return -EINVAL;
	}
	in = tr_bytes_open(input);
	if (!in)
		return -EINVAL;
	n = tr_bytes_peek(in, &p, TR_SNIFF);
	ret = other_than(imp, input, (const char *)p, n);
	tr_bytes_close(in);
	return ret;
}

#define O struct tr_page_options
const struct gm_param tr_page_rows[] = { GM_P_U64(O, page, "page", GM_BYTES, "4 KiB", 1, 1ULL << 40,
						  "Bytes of a page", "Linux"),
					 GM_P_END };

char *tr_base_name(const char *path, const char *const *suffixes)
{
	size_t len = strlen(path);
	const char *slash, *colon;
	char *name;

	while (len > 1 && path[len - 1] == '/')
		len--;
	slash = memrchr(path, '/', len);
	if (slash && slash + 1 < path + len) {
		len -= (size_t)(slash + 1 - path);
		path = slash + 1;
	}
	colon = memrchr(path, ':', len); /* a file in an archive: ARCHIVE.tar.gz:FILE */
	if (colon && colon + 1 < path + len && memmem(path, (size_t)(colon - path), ".t", 2)) {
		len -= (size_t)(colon + 1 - path);
		path = colon + 1;
	}
	name = gs_asprintf("%.*s", (int)len, path);
	for (; *suffixes; suffixes++) {
		size_t n = strlen(*suffixes), have = strlen(name);

		if (have > n && !strcmp(name + have - n, *suffixes))
			name[have - n] = 0;
	}
	return name;
}
