/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cmd_merge.c - `gmemsim trace merge`: jobs of one device each, as one of several
 *
 * Operations are mixed by time at full residency, iteration by iteration; what
 * one file tells stays in its order.  Each file gets addresses of its own.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "traces/check.h"
#include "traces/cmd.h"
#include "traces/relabel.h"
#include "traces/trace.h"

#define PLACE (1ULL << 30) /* addresses of files begin at multiples of it */

struct input {
	const char *path;
	struct gs_source *src;
	struct tr_relabel relabel;
	struct tr_clock clock;
	struct gs_op op; /* that comes */
	bool have;	 /* there is one */
	u16 device;	 /* its first */
	u64 shift;	 /* of addresses */
	u64 begin;	 /* when op begins */
};

struct merge {
	struct input *in;
	size_t n;
	struct tr_writer *w;
	u32 next_tensor, ndevices;
	u64 nops;
};

static int advance(struct input *i)
{
	int ret = gs_source_next(i->src, &i->op);

	i->have = ret == 1;
	if (i->have)
		i->begin = gs_max(i->begin, tr_clock_pass(&i->clock, &i->op));
	return ret < 0 ? ret : 0;
}

static int put(struct merge *m, struct input *i)
{
	struct gs_op op;
	int ret;

	tr_relabel(&i->relabel, &i->op, &op);
	op.device = (u16)(op.device + i->device);
	if (op.type == GS_OP_ALLOC)
		op.alloc.va += i->shift;
	if (op.type == GS_OP_PAGE)
		op.page.va += i->shift;
	if (op.type == GS_OP_SEGMENT_ALLOC || op.type == GS_OP_SEGMENT_FREE)
		op.segment.va += i->shift;
	op.index = m->nops++;
	ret = tr_writer_put(m->w, &op);
	if (ret == -EINVAL)
		gs_err("%s: operation %llu: %s", i->path, i->op.index, tr_writer_why(m->w));
	return ret ? ret : advance(i);
}

static bool at_iteration(const struct input *i)
{
	return !i->have || (i->op.type == GS_OP_MARK && i->op.mark.iteration);
}

/* Whose operation comes: the earliest, of those the first file's. */
static struct input *earliest(struct merge *m)
{
	struct input *best = NULL;

	for (size_t k = 0; k < m->n; k++)
		if (!at_iteration(&m->in[k]) && (!best || m->in[k].begin < best->begin))
			best = &m->in[k];
	return best;
}

/* All are at a mark, or at their end: one mark for all. */
static int next_iteration(struct merge *m)
{
	struct input *first = NULL;
	int ret = 0;

	for (size_t k = 0; k < m->n; k++)
		if (m->in[k].have && !first)
			first = &m->in[k];
	if (!first)
		return 0;
	for (size_t k = 0; !ret && k < m->n; k++) {
		struct input *i = &m->in[k];

		if (i->have)
			ret = i == first ? put(m, i) : advance(i);
	}
	return ret ? ret : 1;
}

static int mix(struct merge *m)
{
	int ret = 0;

	for (size_t k = 0; !ret && k < m->n; k++)
		ret = advance(&m->in[k]);
	while (!ret) {
		struct input *i = earliest(m);

		if (i) {
			ret = put(m, i);
			continue;
		}
		ret = next_iteration(m);
		if (ret != 1)
			break;
		ret = 0;
	}
	return ret;
}

/* ---- files ------------------------------------------------------------ */

static int open_input(struct merge *m, size_t k, u64 *va)
{
	struct input *i = &m->in[k];
	const struct gs_job *j;
	u64 low, high;
	int ret = tr_open(i->path, &i->src);

	if (ret)
		return ret;
	j = &i->src->job;
	tr_relabel_init(&i->relabel, &m->next_tensor);
	i->device = (u16)m->ndevices;
	m->ndevices += j->ndevices;
	if (m->ndevices > TR_MAX_DEVICES) {
		gs_err("%s: more than %d devices together", i->path, TR_MAX_DEVICES);
		return -EINVAL;
	}
	if (j->niterations != m->in[0].src->job.niterations) {
		gs_err("%s: has %u iterations, %s has %u: they cannot run side by side", i->path,
		       j->niterations, m->in[0].path, m->in[0].src->job.niterations);
		return -EINVAL;
	}
	low = j->va_high ? j->va_low : j->segments_low;
	high = gs_max(j->va_high, j->segments_high);
	if (j->segments_high)
		low = gs_min(low, j->segments_low);
	if (high > low) {
		i->shift = k ? *va - low / PLACE * PLACE : 0;
		*va = (high + i->shift + PLACE - 1) / PLACE * PLACE;
	}
	if (*va < U64_MAX / 2)
		return 0;
	gs_err("%s: its addresses do not fit behind those of the others", i->path);
	return -EINVAL;
}

static struct tr_writer *new_writer(const struct merge *m, const char *out)
{
	const struct gs_job *first = &m->in[0].src->job;
	const char **names = gs_calloc(m->ndevices, sizeof(*names));
	struct tr_meta meta = { .name = first->name,
				.framework = first->framework,
				.source = first->source,
				.recorded = first->recorded,
				.device_names = names,
				.page_hint = first->page_hint };
	struct tr_writer *w;

	for (size_t k = 0; k < m->n; k++)
		for (u32 d = 0; d < m->in[k].src->job.ndevices; d++)
			names[meta.ndevices++] = m->in[k].src->job.device_names[d];
	w = tr_writer_new(out, &meta);
	free(names);
	return w;
}

static int run(struct merge *m, const char *out)
{
	u64 va = 0;
	int ret = 0;

	for (size_t k = 0; !ret && k < m->n; k++)
		ret = open_input(m, k, &va);
	if (!ret) {
		m->w = new_writer(m, out);
		ret = m->w ? mix(m) : -EIO;
	}
	if (ret)
		tr_writer_abort(m->w);
	else
		ret = tr_writer_finish(m->w);
	if (!ret)
		printf("%s: %llu operations, %u tensors, %u devices\n", out, m->nops,
		       m->next_tensor, m->ndevices);
	return ret;
}

int tr_cmd_merge(int argc, char **argv)
{
	static const struct option options[] = { { "help", no_argument, NULL, 'h' }, { 0 } };
	struct merge m = { 0 };
	const char *out = NULL;
	int opt, ret;

	while ((opt = getopt_long(argc, argv, ":ho:", options, NULL)) != -1) {
		if (opt != 'o')
			return tr_cmd_option("merge", opt, argv);
		out = optarg;
	}
	if (argc - optind < 2 || !out)
		return tr_cmd_usage("merge", "two FILEs or more and -o OUT.gmt are wanted");
	m.n = (size_t)(argc - optind);
	m.in = gs_calloc(m.n, sizeof(*m.in));
	for (size_t k = 0; k < m.n; k++)
		m.in[k].path = argv[optind + (int)k];
	ret = run(&m, out);
	for (size_t k = 0; k < m.n; k++) {
		tr_relabel_fini(&m.in[k].relabel);
		tr_clock_fini(&m.in[k].clock);
		gs_source_close(m.in[k].src);
	}
	free(m.in);
	return tr_cmd_code(ret);
}
