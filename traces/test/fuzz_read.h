/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fuzz_read.h - traces read to their end, for fuzz targets */
#ifndef TR_TEST_FUZZ_READ_H
#define TR_TEST_FUZZ_READ_H

#include "sim/test/fuzz.h"

#include "traces/import.h"

/* All operations, and those of the last iteration once more. */
static inline int fuzz_drain(struct gs_source *src)
{
	struct gs_op op;
	u64 n = 0;
	int ret;

	while ((ret = gs_source_next(src, &op)) == 1)
		n++;
	fuzz_check(ret || n == src->job.nops);
	if (!ret && src->job.niterations && !gs_source_seek(src, src->job.niterations - 1))
		while ((ret = gs_source_next(src, &op)) == 1)
			;
	return ret;
}

/* The same from the beginning, page accesses many at a time; how many operations. */
static inline int fuzz_pages(struct gs_source *src, u64 *nops)
{
	struct gs_page page[100];
	struct gs_op op;
	int ret = gs_source_seek(src, GS_REWIND);

	for (*nops = 0; !ret;) {
		ret = gs_source_pages(src, page, GS_ARRAY_SIZE(page));
		if (ret > 0) {
			*nops += (u64)ret;
			ret = 0;
		} else if (!ret) {
			ret = gs_source_next(src, &op);
			if (ret != 1)
				return ret;
			++*nops;
			ret = 0;
		}
	}
	return ret;
}

static inline void fuzz_open(const char *path)
{
	struct gs_source *src;
	u64 nops;

	fuzz_listen();
	if (!fuzz_good(tr_open(path, &src)))
		return;
	if (fuzz_good(fuzz_drain(src)))
		fuzz_check(!fuzz_pages(src, &nops) && nops == src->job.nops);
	gs_source_close(src);
}

/* What an importer takes becomes a trace that can be read. */
static inline void fuzz_import(const char *format, const char *path, const char *columns)
{
	const struct tr_page_options pages = { .page = 4096, .columns = columns };
	const struct tr_importer *imp = tr_importers;
	struct tr_writer *w = NULL;
	struct gs_source *src;
	u64 nops;
	int ret;

	while (strcmp(imp->name, format))
		imp++;
	if (!imp->import && !imp->import_pages)
		return;
	fuzz_listen();
	ret = imp->import ? imp->import(path, NULL, &w) : imp->import_pages(path, NULL, &pages, &w);
	if (!fuzz_good(ret))
		return;
	fuzz_check(!tr_writer_source(w, "fuzz", &src));
	fuzz_check(!fuzz_drain(src));
	fuzz_check(!fuzz_pages(src, &nops) && nops == src->job.nops);
	gs_source_close(src);
}

#endif
