/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * trace.h - traces as the rest of the program sees them
 *
 * A trace is opened as a source of operations (sim/op.h), whatever its format,
 * and written through struct tr_writer.  Both let only operations pass that
 * make sense (check.h): consumers need not look again.
 */
#ifndef TR_TRACE_H
#define TR_TRACE_H

#include "sim/op.h"

/*
 * Open @path; the reader is chosen by the first bytes.  "gen:NAME --batch 4" is no
 * file but what `trace gen --model NAME --batch 4` would write.  0, or -errno (said).
 * The source is closed by gs_source_close().
 */
int tr_open(const char *path, struct gs_source **out);
#define GEN_SCHEME "gen:"
/* The same, its operations not checked: to look at what a file says of itself. */
int tr_open_raw(const char *path, struct gs_source **out);

/*
 * *src becomes a trace of its last iteration alone, with what is alive before it;
 * the old one is closed.  [it has iterations]  0, or -errno (said) and NULL.
 */
int tr_last_iteration(struct gs_source **src);

/* What is known of a job before its first operation; strings may be NULL. */
struct tr_meta {
	const char *name;      /* of the job */
	const char *framework; /* "PyTorch 1.13.1" */
	const char *source;    /* what ran */
	const char *recorded;  /* how and when it was recorded */
	const char *const *device_names;
	u32 ndevices; /* at least 1 */
	u64 page_hint;
};

/*
 * Write a .gmt file in one pass.  It appears under @path, whole, at finish;
 * with @path NULL it never gets a name (tr_writer_source() reads it back).
 */
struct tr_writer *tr_writer_new(const char *path, const struct tr_meta *meta); /* NULL: said */
/* 0; -EINVAL: the operation makes no sense, tr_writer_why() tells; other -errno: said. */
int tr_writer_put(struct tr_writer *w, const struct gs_op *op);
const char *tr_writer_why(const struct tr_writer *w);
/* What was put so far; complete after the last operation. */
const struct gs_job *tr_writer_job(const struct tr_writer *w);
/* ... and the sum of all durations. */
u64 tr_writer_kernel_ps(const struct tr_writer *w);
/* End the file and free @w, whatever the outcome.  0 or -errno (said). */
int tr_writer_finish(struct tr_writer *w);
/* End a file without a name, free @w, and read it; messages call it @name. */
int tr_writer_source(struct tr_writer *w, const char *name, struct gs_source **out);
/* Drop the file and free @w; NULL is accepted. */
void tr_writer_abort(struct tr_writer *w);

#endif
