/* SPDX-License-Identifier: GPL-3.0-or-later */
/* import.c - the formats that `gmemsim trace import` knows */
#define _GNU_SOURCE /* memrchr */
#include "traces/import.h"

#include <string.h>

#define JOB(n, what, fn)                               \
	{                                              \
		.name = n, .input = what, .import = fn \
	}
#define PAGES(n, what, fn)                                   \
	{                                                    \
		.name = n, .input = what, .import_pages = fn \
	}

const struct tr_importer tr_importers[] = {
	JOB("g10", "folder of a network of the G10 artifact (kernels.config, tensors.config, ...)",
	    tr_g10_import),
	JOB("jsonl", "JSON lines of scripts/record_torch.py, plain or .zst", tr_jsonl_import),
	JOB("kineto", "JSON of PyTorch's profiler, plain, .gz, .zst, in a .tar", tr_kineto_import),
	JOB("et", "JSON of PyTorch's ExecutionTraceObserver, plain, .gz, .zst, in a .tar",
	    tr_et_import),
	JOB("chakra", "Chakra execution trace, protobuf (.et) or JSON, plain, .gz, .zst, in a .tar",
	    tr_chakra_import),
	JOB("nsys", "SQLite export of Nsight Systems, with events of unified memory",
	    tr_nsys_import),
	PAGES("lackey", "valgrind --tool=lackey --trace-mem=yes", tr_lackey_import),
	PAGES("oracle", "oracleGeneral page trace, plain or .zst", tr_oracle_import),
	PAGES("csv", "page trace: address or page, size, rw, device, time; plain or .zst",
	      tr_csv_import),
	{ .name = NULL },
};

#define O struct tr_page_options
const struct gm_param tr_page_rows[] = { GM_P_U64(O, page, "page", GM_BYTES, "4 KiB", 1, 1ULL << 40,
						  "Bytes of a page", "Linux"),
					 GM_P_END };

char *tr_base_name(const char *path, const char *const *suffixes)
{
	size_t len = strlen(path);
	const char *slash;
	char *name;

	while (len > 1 && path[len - 1] == '/')
		len--;
	slash = memrchr(path, '/', len);
	if (slash && slash + 1 < path + len) {
		len -= (size_t)(slash + 1 - path);
		path = slash + 1;
	}
	name = gs_asprintf("%.*s", (int)len, path);
	for (; *suffixes; suffixes++) {
		size_t n = strlen(*suffixes), have = strlen(name);

		if (have > n && !strcmp(name + have - n, *suffixes))
			name[have - n] = 0;
	}
	return name;
}
