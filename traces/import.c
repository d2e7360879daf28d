/* SPDX-License-Identifier: GPL-3.0-or-later */
/* import.c - the formats that `gmemsim trace import` knows */
#define _GNU_SOURCE /* memrchr */
#include "traces/import.h"

#include <string.h>

const struct tr_importer tr_importers[] = {
	{ "g10", "folder of a network of the G10 artifact (kernels.config, tensors.config, ...)",
	  tr_g10_import },
	{ "jsonl", "JSON lines of scripts/record_torch.py, plain or .zst", tr_jsonl_import },
	{ "kineto", "PyTorch profiler", NULL },
	{ "et", "PyTorch execution trace", NULL },
	{ "chakra", "Chakra execution trace", NULL },
	{ "nsys", "Nsight Systems SQLite export", NULL },
	{ "lackey", "valgrind --tool=lackey --trace-mem=yes", NULL },
	{ "oracle", "oracleGeneral page trace", NULL },
	{ "csv", "page trace", NULL },
	{ .name = NULL },
};

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
