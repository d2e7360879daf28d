/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * out.h - results that appear whole or not at all, and progress on stderr
 *
 * A result directory is built under a temporary name beside its final one,
 * synced, and renamed.  A single file likewise.
 */
#ifndef GS_OUT_H
#define GS_OUT_H

#include "sim/base.h"

struct gs_outdir;

/* Could a result be written to @path?  Asked before a long run.  0 or -errno (said). */
int gs_outdir_check(const char *path);
/* Begin directory @path (parents are made).  NULL on error (said already). */
struct gs_outdir *gs_outdir_begin(const char *path);
/* Open a file in it for writing; closed by commit or abort.  NULL on error. */
FILE *gs_outdir_file(struct gs_outdir *d, const char *name);
/* Sync and rename; replaces an earlier result of ours.  0 or -errno (said). */
int gs_outdir_commit(struct gs_outdir *d);
void gs_outdir_abort(struct gs_outdir *d);

/* Whole-file replacement: write @len bytes to @path by way of a temporary. */
int gs_write_file(const char *path, const void *data, size_t len);

/* mkdir -p for what stands before the last slash in @path.  0 or -errno (said). */
int gs_make_parents(const char *path);
int gs_remove_tree(const char *path);
/*
 * Clear away what killed processes left beside @path under its temporary names;
 * "DIR/": under those of any name in DIR.
 */
void gs_leftovers(const char *path);
/* The temporary name of @path that gs_leftovers() knows, to be freed. */
char *gs_tmp_beside(const char *path);
/* "cannot WHAT PATH: why; remedy" by errno; returns -errno. */
int gs_cannot(const char *what, const char *path);

/* A progress bar on a terminal, a line every few seconds otherwise. */
struct gs_progress {
	const char *what;
	u64 total, done;
	u64 base;		/* done before it began: no part of the rate */
	u64 start_ns, shown_ns; /* private */
	bool tty;
};
void gs_progress_begin(struct gs_progress *p, const char *what, u64 total);
void gs_progress_update(struct gs_progress *p, u64 done);
void gs_progress_end(struct gs_progress *p);

#endif
