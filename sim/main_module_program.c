/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_module_program.c - `gmemsim module program`: a trace as a program
 *
 * Tensors are laid out as PyTorch's allocator would (sim/layout.h), and each unit
 * of theirs becomes one of the module's, which may be smaller: what matters to the
 * core is which unit is touched when, not how large it is.  Times are left out.
 */
#include "kernel-core/replay/gm_program.h"
#include "sim/config.h"
#include "sim/layout.h"
#include "sim/main.h"
#include "sim/main_module.h"
#include "sim/out.h"
#include "traces/trace.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

struct program_cfg {
	u64 unit, trace_unit;
	u32 hbm_percent, iterations, kernels;
};

static const struct gm_param rows[] = {
	GM_P_U64(struct program_cfg, unit, "unit", GM_BYTES, "4 KiB", 4096, 2ULL << 20,
		 "A unit of the module: its parameter unit", ""),
	GM_P_U64(struct program_cfg, trace_unit, "trace-unit", GM_BYTES, "2 MiB", 4096, 1ULL << 30,
		 "A unit of the trace, which becomes one of the module's", ""),
	GM_P_U32(struct program_cfg, hbm_percent, "hbm", GM_PERCENT, "50 %", 1, 100,
		 "Memory of a device, of all units that are mapped", ""),
	GM_P_U32(struct program_cfg, iterations, "iterations", GM_NONE, "1", 0, U32_MAX,
		 "Iterations to take; 0: all", ""),
	GM_P_U32(struct program_cfg, kernels, "kernels", GM_NONE, "0", 0, U32_MAX,
		 "Kernels to take; 0: all", ""),
	GM_P_END
};

struct program {
	struct program_cfg cfg;
	bool prefetch, free_eager;
	const char *input, *out;

	struct gs_layout *layout;
	struct gs_block *blocks; /* by tensor */
	FILE *f;
	u32 kernels, iterations;
	u64 mapped; /* units */
	struct segment {
		u64 va, units;
	} * segments;
	size_t nsegments, cap;
};

/* First unit of [va, va + bytes), and how many in @n. */
static u64 units_of(const struct program *p, u64 va, u64 bytes, u64 *n)
{
	u64 unit = p->cfg.trace_unit, first = va / unit;

	*n = (va + bytes + unit - 1) / unit - first;
	return first * p->cfg.unit;
}

static int segment(void *arg, u16 device, u64 va, u64 bytes)
{
	struct program *p = arg;
	u64 n, at = units_of(p, va, bytes, &n);
	struct segment *last = p->nsegments ? &p->segments[p->nsegments - 1] : NULL;

	(void)device;
	/* where a unit is larger than a segment, neighbours share it */
	if (last && at < last->va + last->units * p->cfg.unit && at >= last->va) {
		u64 shared = (last->va + last->units * p->cfg.unit - at) / p->cfg.unit;

		at += gs_min(shared, n) * p->cfg.unit;
		n -= gs_min(shared, n);
	}
	if (!n)
		return 0;
	fprintf(p->f, "map %llx %llu\n", at, n);
	GS_PUSH_ROOM(p->segments, p->nsegments, p->cap);
	p->segments[p->nsegments++] = (struct segment){ at, n };
	p->mapped += n;
	return 0;
}

/* @what [device] address units @word for that part of a tensor. */
static void put(struct program *p, const char *what, u32 tensor, u64 off, u64 bytes,
		const char *word)
{
	const struct gs_block *b = &p->blocks[tensor];
	u64 n, at;

	if (!bytes)
		return;
	at = units_of(p, b->va + off, bytes, &n);
	if (!strcmp(what, "cpu"))
		fprintf(p->f, "cpu %llx %llu %s\n", at, n, word);
	else
		fprintf(p->f, "%s %u %llx %llu %s\n", what, b->device, at, n, word);
}

/*
 * Whole units only: what they hold besides is other tensors'.  A range of one
 * segment, so units cut by its borders are left.
 */
static void put_free(struct program *p, u32 tensor)
{
	const struct gs_block *b = &p->blocks[tensor];
	u64 unit = p->cfg.trace_unit, first = (b->va + unit - 1) / unit,
	    end = (b->va + b->bytes) / unit;

	if (p->free_eager && first < end)
		fprintf(p->f, "advise %u %llx %llu free_eager\n", b->device, first * p->cfg.unit,
			end - first);
}

static const char *access_word(u8 access)
{
	return access & GS_WRITE ? "w" : "r";
}

static void kernel(struct program *p, const struct gs_op *op)
{
	const struct gs_touch *t = op->kernel.touches;
	u32 i, n = op->kernel.ntouches;

	fprintf(p->f, "# %s\n", op->kernel.name);
	for (i = 0; i < n && p->prefetch; i++)
		put(p, "advise", t[i].tensor, t[i].off, t[i].bytes, "prefetch");
	for (i = 0; i < n; i++)
		put(p, "dev", t[i].tensor, t[i].off, t[i].bytes, access_word(t[i].access));
	p->kernels++;
}

static void advice(struct program *p, const struct gs_op *op)
{
	static const char *const names[] = GM_PROGRAM_ADVICE;

	if (op->advice.advice < GS_ARRAY_SIZE(names)) /* others are not the module's */
		put(p, "advise", op->advice.tensor, op->advice.off, op->advice.bytes,
		    names[op->advice.advice]);
}

static int alloc(struct program *p, const struct gs_op *op)
{
	int err = gs_layout_alloc(p->layout, op->device, op->alloc.bytes,
				  &p->blocks[op->alloc.tensor]);

	if (err)
		gs_err("%s: operation %llu: %llu bytes cannot be laid out", p->input, op->index,
		       op->alloc.bytes);
	return err;
}

static bool enough(const struct program *p)
{
	return (p->cfg.kernels && p->kernels >= p->cfg.kernels) ||
	       (p->cfg.iterations && p->iterations > p->cfg.iterations);
}

static int operation(struct program *p, const struct gs_op *op)
{
	switch (op->type) {
	case GS_OP_ALLOC:
		return alloc(p, op);
	case GS_OP_FREE:
		put_free(p, op->free.tensor);
		gs_layout_release(p->layout, &p->blocks[op->free.tensor]);
		break;
	case GS_OP_KERNEL:
		kernel(p, op);
		break;
	case GS_OP_HOST:
		put(p, "cpu", op->host.tensor, op->host.off, op->host.bytes,
		    access_word(op->host.access));
		break;
	case GS_OP_ADVICE:
		advice(p, op);
		break;
	case GS_OP_MARK:
		p->iterations += op->mark.iteration;
		break;
	case GS_OP_SEGMENT_ALLOC: /* the layout has its own */
	case GS_OP_SEGMENT_FREE:
		break;
	default:
		gs_err("%s: a page trace has no tensors to map: record or import a job", p->input);
		return -EINVAL;
	}
	return 0;
}

static int operations(struct program *p, struct gs_source *src)
{
	struct gs_op op;
	int got = 0, err = 0;

	while (!err && !enough(p) && (got = gs_source_next(src, &op)) > 0)
		err = operation(p, &op);
	for (size_t i = 0; i < p->nsegments; i++)
		fprintf(p->f, "unmap %llx %llu\n", p->segments[i].va, p->segments[i].units);
	return got < 0 ? got : err;
}

/* The lines are known before the first, which tells how much memory that is. */
static int write_all(const struct program *p, u32 ndevices, const char *lines, size_t n)
{
	u64 frames = gs_max(p->mapped * p->cfg.hbm_percent / 100, 1);
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	int err = 0;

	fprintf(f, GM_PROGRAM_HEAD "\n# made by gmemsim from %s, one unit for each %llu bytes\n",
		p->cfg.unit, frames, ndevices, p->input, p->cfg.trace_unit);
	fwrite(lines, 1, n, f);
	fclose(f);
	if (p->out)
		err = gs_write_file(p->out, text, size);
	else
		fwrite(text, 1, size, stdout);
	free(text);
	return err;
}

static int convert(struct program *p)
{
	struct gs_source *src;
	char *lines = NULL;
	size_t n = 0;
	int err = tr_open(p->input, &src);

	if (err)
		return err;
	if (src->job.ndevices > 8) {
		gs_err("%s: the module has at most 8 devices, the job %u", p->input,
		       src->job.ndevices);
		gs_source_close(src);
		return -EINVAL;
	}
	p->f = open_memstream(&lines, &n);
	p->layout = gs_layout_new(src->job.ndevices, segment, p);
	p->blocks = gs_calloc(gs_max(src->job.ntensors, 1), sizeof(*p->blocks));
	err = operations(p, src);
	fclose(p->f);
	if (!err)
		err = write_all(p, src->job.ndevices, lines, n);
	free(lines);
	free(p->blocks);
	free(p->segments);
	gs_layout_free(p->layout);
	gs_source_close(src);
	return err;
}

/* ---- options ------------------------------------------------------------ */

static const struct option longs[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "prefetch", no_argument, NULL, 'p' },
	{ "free-eager", no_argument, NULL, 'f' },
	{ "help", no_argument, NULL, 'h' },
	{ "unit", required_argument, NULL, 0x100 }, /* as in rows */
	{ "trace-unit", required_argument, NULL, 0x101 },
	{ "hbm", required_argument, NULL, 0x102 },
	{ "iterations", required_argument, NULL, 0x103 },
	{ "kernels", required_argument, NULL, 0x104 },
	{ NULL, 0, NULL, 0 },
};

static int set_row(struct program *p, size_t i, const char *text)
{
	const char *why;

	if (!gs_param_parse(&rows[i], text, &p->cfg, &why))
		return GS_EXIT_OK;
	gs_err("module program: --%s '%s': %s", rows[i].key, text, why);
	return GS_EXIT_USER;
}

static bool is_unit(u64 bytes)
{
	return !(bytes & (bytes - 1));
}

static int parse(struct program *p, int argc, char **argv, bool *help)
{
	int c, rc = GS_EXIT_OK;

	for (size_t i = 0; rows[i].key; i++)
		set_row(p, i, rows[i].def);
	optind = 0;
	while (!rc && (c = getopt_long(argc, argv, "o:h", longs, NULL)) != -1) {
		if (c == 'o')
			p->out = optarg;
		else if (c == 'p')
			p->prefetch = true;
		else if (c == 'f')
			p->free_eager = true;
		else if (c == 'h')
			*help = true;
		else if (c >= 0x100)
			rc = set_row(p, (size_t)c - 0x100, optarg);
		else
			rc = GS_EXIT_USER; /* getopt has said it */
	}
	if (rc || *help)
		return rc;
	if (!is_unit(p->cfg.unit) || !is_unit(p->cfg.trace_unit)) {
		gs_err("module program: a unit is a power of two");
		return GS_EXIT_USER;
	}
	if (optind == argc - 1) {
		p->input = argv[optind];
		return GS_EXIT_OK;
	}
	gs_err("module program: one trace is due; try `gmemsim module --help`");
	return GS_EXIT_USER;
}

int cmd_module_program(int argc, char **argv)
{
	struct program p = { 0 };
	bool help = false;
	int rc = parse(&p, argc, argv, &help);

	if (help)
		main_help(stdout, "module");
	if (rc || help)
		return rc;
	return convert(&p) ? GS_EXIT_USER : GS_EXIT_OK;
}
