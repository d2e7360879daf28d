/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * import.h - formats of others, turned into .gmt
 */
#ifndef TR_IMPORT_H
#define TR_IMPORT_H

#include "sim/config.h"
#include "traces/lines.h"
#include "traces/trace.h"

/* Of page traces. */
struct tr_page_options {
	u64 page;	     /* bytes of a page */
	const char *columns; /* csv: names instead of a header line; NULL: none */
};
extern const struct gm_param tr_page_rows[];

struct tr_importer {
	const char *name;
	const char *input; /* what INPUT is, for help */
	/* Do its first bytes look like it?  NULL: they do not tell. */
	bool (*like)(const char *p, size_t n);
	/*
	 * Read @input and put all of it into a new writer for @out, which the
	 * caller finishes.  What was derived is told by gs_info().  0 or -errno
	 * (said).  NULL: comes with a later version.
	 */
	int (*import)(const char *input, const char *out, struct tr_writer **w);
	/* The same for page traces, which have options. */
	int (*import_pages)(const char *input, const char *out, const struct tr_page_options *o,
			    struct tr_writer **w);
};
extern const struct tr_importer tr_importers[]; /* ends with a NULL name */

/* 0 when @input may be what @imp reads; -EINVAL when it is something else (said). */
int tr_import_sniff(const struct tr_importer *imp, const char *input);
/* A line for each format. */
void tr_import_list(FILE *f);

int tr_g10_import(const char *dir, const char *out, struct tr_writer **w);
int tr_kineto_import(const char *path, const char *out, struct tr_writer **w);
int tr_et_import(const char *path, const char *out, struct tr_writer **w);
int tr_chakra_import(const char *path, const char *out, struct tr_writer **w);
int tr_nsys_import(const char *path, const char *out, struct tr_writer **w);
int tr_jsonl_import(const char *path, const char *out, struct tr_writer **w);

int tr_oracle_import(const char *path, const char *out, const struct tr_page_options *o,
		     struct tr_writer **w);
int tr_csv_import(const char *path, const char *out, const struct tr_page_options *o,
		  struct tr_writer **w);

int tr_lackey_import(const char *path, const char *out, const struct tr_page_options *o,
		     struct tr_writer **w);

/* A source over the JSON lines open at @fd, which it owns. */
int tr_jsonl_open(int fd, const char *path, struct gs_source **out);

/* The last part of @path without @suffixes (NULL-terminated): the name of a job. */
char *tr_base_name(const char *path, const char *const *suffixes);

#endif
