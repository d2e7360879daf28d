/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tr_jsonl.c - the trace of our own recorder (gmemsim-jsonl), as operations
 *
 * The schema is in FORMAT.md.  A file without its "end" line is truncated.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "traces/check.h"
#include "traces/import.h"
#include "traces/jsonl.h"

#define BIT(k) (1ULL << JK_##k)

enum { VERSION = 1 };

struct reader {
	struct jsonl *json;
	struct tr_writer *w;
	const char *path, *out;
	u64 nops;
	bool ended;
};

/* ---- fields ----------------------------------------------------------- */

/* An optional word; @other when it is absent, -EINVAL (said) when it is unknown. */
static int word(const struct reader *r, const struct jsonl_row *row, enum jsonl_key k,
		const char *const *names, int other)
{
	if (!jsonl_has(row, k))
		return other;
	return jsonl_word(r->json, row->column[k], row->text[k], names, jsonl_key_names[k]);
}

/* A number that must fit into a field. */
static int below(const struct reader *r, const struct jsonl_row *row, enum jsonl_key k, u64 limit)
{
	if (row->number[k] < limit)
		return 0;
	return jsonl_err(r->json, row->column[k], "%llu is too large for '%s'", row->number[k],
			 jsonl_key_names[k]);
}

/* "ns", or "ps" where nanoseconds are too coarse. */
static int duration(const struct reader *r, const struct jsonl_row *row, u64 *ps)
{
	if (jsonl_has(row, JK_NS) && jsonl_has(row, JK_PS))
		return jsonl_err(r->json, row->column[JK_PS], "'ns' and 'ps' exclude each other");
	if (below(r, row, JK_NS, U64_MAX / 1000))
		return -EINVAL;
	*ps = row->number[JK_PS] + 1000 * row->number[JK_NS];
	return 0;
}

static int access_of(const struct reader *r, const struct jsonl_row *row, u8 *access)
{
	*access = jsonl_access(row->text[JK_RW]);
	if (*access)
		return 0;
	return jsonl_err(r->json, row->column[JK_RW], "'%s' is not \"r\", \"w\" or \"rw\"",
			 row->text[JK_RW]);
}

static int put(struct reader *r, const struct jsonl_row *row, struct gs_op *op)
{
	size_t column = row->column[JK_T] ? row->column[JK_T] : row->column[JK_EV];
	int ret;

	if (below(r, row, JK_DEV, 1 << 16) || below(r, row, JK_STREAM, 1 << 16) ||
	    below(r, row, JK_T, U32_MAX))
		return -EINVAL;
	op->device = (u16)row->number[JK_DEV];
	op->stream = (u16)row->number[JK_STREAM];
	op->index = r->nops++;
	ret = tr_writer_put(r->w, op);
	if (ret == -EINVAL)
		jsonl_err(r->json, column, "%s", tr_writer_why(r->w));
	return ret;
}

/* ---- events ----------------------------------------------------------- */

static int on_meta(struct reader *r, const struct jsonl_row *row)
{
	static const char *const suffixes[] = { ".gz", ".zst", ".jsonl", NULL };
	char *name;
	struct tr_meta meta = { 0 };

	if (r->w)
		return jsonl_err(r->json, row->column[JK_EV], "a second 'meta'");
	if (strcmp(row->text[JK_FORMAT], "gmemsim-jsonl"))
		return jsonl_err(r->json, row->column[JK_FORMAT],
				 "the format is '%s', not 'gmemsim-jsonl'", row->text[JK_FORMAT]);
	if (row->number[JK_VERSION] != VERSION)
		return jsonl_err(r->json, row->column[JK_VERSION],
				 "was written by a newer recorder: version %llu, this one reads %d",
				 row->number[JK_VERSION], VERSION);
	if (!row->ndevices || row->ndevices > TR_MAX_DEVICES)
		return jsonl_err(r->json, row->column[JK_DEVICES], "%u devices (1 to %d)",
				 row->ndevices, TR_MAX_DEVICES);
	name = *row->text[JK_NAME] ? gs_strdup(row->text[JK_NAME])
				   : tr_base_name(r->path, suffixes);
	meta = (struct tr_meta){ name,
				 row->text[JK_FRAMEWORK],
				 row->text[JK_SOURCE],
				 row->text[JK_RECORDED],
				 (const char *const *)row->devices,
				 row->ndevices,
				 row->number[JK_PAGE_HINT] };
	r->w = tr_writer_new(r->out, &meta);
	free(name);
	return r->w ? 0 : -EINVAL;
}

static int on_alloc(struct reader *r, const struct jsonl_row *row)
{
	int kind = word(r, row, JK_KIND, gs_tensor_kind_names, GS_OTHER_KIND);
	struct gs_op op = { .type = GS_OP_ALLOC };

	if (kind < 0)
		return kind;
	op.alloc.tensor = (u32)row->number[JK_T];
	op.alloc.kind = (u8)kind;
	op.alloc.va = row->number[JK_VA];
	op.alloc.bytes = row->number[JK_BYTES];
	op.alloc.name = row->text[JK_NAME];
	return put(r, row, &op);
}

static int on_free(struct reader *r, const struct jsonl_row *row)
{
	struct gs_op op = { .type = GS_OP_FREE };

	op.free.tensor = (u32)row->number[JK_T];
	return put(r, row, &op);
}

static int on_kernel(struct reader *r, const struct jsonl_row *row)
{
	int opclass = word(r, row, JK_CLASS, gs_opclass_names, GS_OTHER_CLASS);
	int dtype = word(r, row, JK_DTYPE, gs_dtype_names, GS_OTHER_DTYPE);
	int phase = word(r, row, JK_PHASE, gs_phase_names, GS_OTHER_PHASE);
	struct gs_op op = { .type = GS_OP_KERNEL };

	if (opclass < 0 || dtype < 0 || phase < 0)
		return -EINVAL;
	if (duration(r, row, &op.kernel.duration_ps))
		return -EINVAL;
	op.kernel.name = row->text[JK_NAME];
	op.kernel.opclass = (u8)opclass;
	op.kernel.dtype = (u8)dtype;
	op.kernel.phase = (u8)phase;
	op.kernel.fault_out_ps = row->number[JK_FAULT_OUT];
	op.kernel.fault_all_ps = row->number[JK_FAULT_ALL];
	op.kernel.flops = row->number[JK_FLOPS];
	op.kernel.bytes = row->number[JK_BYTES];
	op.kernel.ntouches = row->ntouches;
	op.kernel.touches = row->touches;
	return put(r, row, &op);
}

/* "iteration" marks are numbered; every other name is a phase. */
static int on_mark(struct reader *r, const struct jsonl_row *row)
{
	struct gs_op op = { .type = GS_OP_MARK };

	if (below(r, row, JK_INDEX, U32_MAX))
		return -EINVAL;
	op.mark.name = row->text[JK_NAME];
	op.mark.iteration = !strcmp(op.mark.name, "iteration");
	op.mark.number = (u32)row->number[JK_INDEX];
	return put(r, row, &op);
}

static int on_host(struct reader *r, const struct jsonl_row *row)
{
	struct gs_op op = { .type = GS_OP_HOST };

	if (access_of(r, row, &op.host.access) || duration(r, row, &op.host.duration_ps))
		return -EINVAL;
	op.host.tensor = (u32)row->number[JK_T];
	op.host.off = row->number[JK_OFF];
	op.host.bytes = row->number[JK_BYTES];
	return put(r, row, &op);
}

static int on_advice(struct reader *r, const struct jsonl_row *row)
{
	int advice = word(r, row, JK_ADVICE, gs_advice_names, 0);
	struct gs_op op = { .type = GS_OP_ADVICE };

	if (advice < 0)
		return advice;
	op.advice.tensor = (u32)row->number[JK_T];
	op.advice.advice = (u8)advice;
	op.advice.off = row->number[JK_OFF];
	op.advice.bytes = row->number[JK_BYTES];
	return put(r, row, &op);
}

static int on_page(struct reader *r, const struct jsonl_row *row)
{
	struct gs_op op = { .type = GS_OP_PAGE };

	if (access_of(r, row, &op.page.access) || duration(r, row, &op.page.when_ps) ||
	    below(r, row, JK_BYTES, 1ULL << 32))
		return -EINVAL;
	op.page.va = row->number[JK_VA];
	op.page.bytes = (u32)row->number[JK_BYTES];
	return put(r, row, &op);
}

static int put_segment(struct reader *r, const struct jsonl_row *row, u8 type)
{
	struct gs_op op = { .type = type };

	op.segment.va = row->number[JK_VA];
	op.segment.bytes = row->number[JK_BYTES];
	return put(r, row, &op);
}

static int on_segment_alloc(struct reader *r, const struct jsonl_row *row)
{
	return put_segment(r, row, GS_OP_SEGMENT_ALLOC);
}

static int on_segment_free(struct reader *r, const struct jsonl_row *row)
{
	return put_segment(r, row, GS_OP_SEGMENT_FREE);
}

static int on_end(struct reader *r, const struct jsonl_row *row)
{
	const struct gs_job *job = tr_writer_job(r->w);

	if (row->number[JK_KERNELS] != job->nkernels)
		return jsonl_err(r->json, row->column[JK_KERNELS],
				 "the recorder counted %llu kernels, the file holds %llu",
				 row->number[JK_KERNELS], job->nkernels);
	if (row->number[JK_ITERATIONS] != job->niterations)
		return jsonl_err(r->json, row->column[JK_ITERATIONS],
				 "the recorder counted %llu iterations, the file holds %u",
				 row->number[JK_ITERATIONS], job->niterations);
	r->ended = true;
	return 0;
}

/* Which keys an event must and may have besides "ev". */
static const struct event {
	const char *name;
	u64 must, may;
	int (*put)(struct reader *r, const struct jsonl_row *row);
} events[] = {
	{ "kernel", BIT(NAME),
	  BIT(CLASS) | BIT(DTYPE) | BIT(PHASE) | BIT(DEV) | BIT(STREAM) | BIT(NS) | BIT(PS) |
		  BIT(FAULT_OUT) | BIT(FAULT_ALL) | BIT(FLOPS) | BIT(BYTES) | BIT(TOUCH),
	  on_kernel },
	{ "alloc", BIT(T) | BIT(BYTES), BIT(VA) | BIT(KIND) | BIT(NAME) | BIT(DEV), on_alloc },
	{ "free", BIT(T), 0, on_free },
	{ "page", BIT(VA) | BIT(BYTES) | BIT(RW), BIT(DEV) | BIT(NS) | BIT(PS), on_page },
	{ "host", BIT(T) | BIT(BYTES) | BIT(RW), BIT(OFF) | BIT(NS) | BIT(PS), on_host },
	{ "advice", BIT(T) | BIT(BYTES) | BIT(ADVICE), BIT(OFF) | BIT(DEV), on_advice },
	{ "mark", BIT(NAME), BIT(INDEX), on_mark },
	{ "segment_alloc", BIT(VA) | BIT(BYTES), BIT(DEV), on_segment_alloc },
	{ "segment_free", BIT(VA) | BIT(BYTES), BIT(DEV), on_segment_free },
	{ "meta", BIT(FORMAT) | BIT(VERSION) | BIT(DEVICES),
	  BIT(NAME) | BIT(FRAMEWORK) | BIT(SOURCE) | BIT(RECORDED) | BIT(PAGE_HINT), on_meta },
	{ "end", BIT(KERNELS) | BIT(ITERATIONS), 0, on_end },
};

static int check_keys(const struct reader *r, const struct event *e, const struct jsonl_row *row)
{
	u64 missing = e->must & ~row->seen, extra = row->seen & ~(e->must | e->may | BIT(EV));
	int k;

	if (missing) {
		k = __builtin_ctzll(missing);
		return jsonl_err(r->json, row->column[JK_EV], "'%s' lacks its key '%s'", e->name,
				 jsonl_key_names[k]);
	}
	if (extra) {
		k = __builtin_ctzll(extra);
		return jsonl_err(r->json, row->column[k], "'%s' has no key '%s'", e->name,
				 jsonl_key_names[k]);
	}
	return 0;
}

static const struct event *find_event(const struct reader *r, const struct jsonl_row *row)
{
	const char *names[GS_ARRAY_SIZE(events) + 1] = { NULL };
	int i;

	if (!jsonl_has(row, JK_EV)) {
		jsonl_err(r->json, 1, "a line without its key 'ev'");
		return NULL;
	}
	for (size_t e = 0; e < GS_ARRAY_SIZE(events); e++) {
		if (!strcmp(events[e].name, row->text[JK_EV]))
			return &events[e];
		names[e] = events[e].name;
	}
	i = jsonl_word(r->json, row->column[JK_EV], row->text[JK_EV], names, "event");
	gs_assert(i < 0);
	return NULL;
}

static int on_row(struct reader *r, const struct jsonl_row *row)
{
	const struct event *e = find_event(r, row);

	if (!e || check_keys(r, e, row))
		return -EINVAL;
	if (r->ended)
		return jsonl_err(r->json, row->column[JK_EV], "'%s' after 'end'", e->name);
	if (!r->w && e->put != on_meta)
		return jsonl_err(r->json, row->column[JK_EV], "the first line must be 'meta'");
	return e->put(r, row);
}

/* All of @lines (freed) into a new writer for @out. */
static int read_lines(struct tr_lines *lines, const char *path, const char *out,
		      struct tr_writer **w)
{
	struct reader r = { .json = jsonl_new(lines), .path = path, .out = out };
	const struct jsonl_row *row;
	int ret;

	do {
		ret = jsonl_next(r.json, &row);
		if (ret == 1)
			ret = on_row(&r, row) ?: 1;
	} while (ret == 1);
	if (!ret && !r.ended) {
		ret = tr_lines_err(lines, "is truncated: the line 'end' is missing (record it "
					  "again)");
	}
	if (ret)
		tr_writer_abort(r.w);
	*w = ret ? NULL : r.w;
	jsonl_free(r.json);
	tr_lines_close(lines);
	return ret;
}

int tr_jsonl_import(const char *path, const char *out, struct tr_writer **w)
{
	struct tr_lines *lines = tr_lines_open(path);

	return lines ? read_lines(lines, path, out, w) : -EINVAL;
}

/* A .gmt without a name stands in between: sources seek, text does not. */
int tr_jsonl_open(int fd, const char *path, struct gs_source **out)
{
	struct tr_lines *lines = tr_lines_new(fd, path);
	struct tr_writer *w;
	int ret = lines ? read_lines(lines, path, NULL, &w) : -EINVAL;

	return ret ? ret : tr_writer_source(w, path, out);
}
