/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cmd_stat.c - `gmemsim trace stat`: memory, kernels and operands of a job */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "sim/result.h"
#include "traces/cmd.h"
#include "traces/cmd_stat.h"
#include "traces/trace.h"

/* A table by page is smaller than one by hash, and its neighbours are near. */
#define FEW_PAGES (1ULL << 26)

/* ---- collection ------------------------------------------------------- */

static struct stat_kernel *kernel_slot(struct stat_kernel *table, u32 nslots, const char *name,
				       u8 opclass)
{
	u32 i = (u32)gs_hash(name, strlen(name), opclass) & (nslots - 1);

	while (table[i].name && (table[i].opclass != opclass || strcmp(table[i].name, name)))
		i = (i + 1) & (nslots - 1);
	return &table[i];
}

static struct stat_kernel *kernel_of(struct stat_state *s, const char *name, u8 opclass)
{
	struct stat_kernel *k, *old = s->kernels;
	u32 n = s->nslots;

	if (2 * s->nkernels >= s->nslots) {
		s->nslots = n ? 2 * n : 256;
		s->kernels = gs_calloc(s->nslots, sizeof(*s->kernels));
		for (u32 i = 0; i < n; i++)
			if (old[i].name)
				*kernel_slot(s->kernels, s->nslots, old[i].name, old[i].opclass) =
					old[i];
		free(old);
	}
	k = kernel_slot(s->kernels, s->nslots, name, opclass);
	if (!k->name) {
		*k = (struct stat_kernel){ .name = gs_strdup(name), .opclass = opclass };
		s->nkernels++;
	}
	return k;
}

static void add_kernel(struct stat_kernel *k, const struct gs_op *op)
{
	k->calls++;
	k->ps += op->kernel.duration_ps;
	k->flops += op->kernel.flops;
	k->bytes += op->kernel.bytes;
}

static void on_kernel(struct stat_state *s, const struct gs_op *op)
{
	add_kernel(kernel_of(s, op->kernel.name, op->kernel.opclass), op);
	add_kernel(&s->classes[op->kernel.opclass], op);
	s->phase_ps[op->kernel.phase] += op->kernel.duration_ps;
	for (u32 i = 0; i < op->kernel.ntouches; i++) {
		const struct gs_touch *t = &op->kernel.touches[i];

		s->touches[t->access]++;
		s->touched[t->access] += t->bytes;
		tr_reuse_touch(&s->reuse, t->tensor, t->off, t->off + t->bytes);
	}
}

static void on_alloc(struct stat_state *s, const struct gs_op *op)
{
	struct stat_kind *k = &s->kinds[op->alloc.kind];

	k->tensors++;
	k->bytes += op->alloc.bytes;
	k->live += op->alloc.bytes;
	k->most = gs_max(k->most, k->live);
	s->live += op->alloc.bytes;
	if (s->live <= s->peak)
		return;
	s->peak = s->live;
	s->at_peak = s->reserved;
	for (int i = 0; i < GS_NR_TENSOR_KINDS; i++)
		s->kinds[i].at_peak = s->kinds[i].live;
}

static void on_free(struct stat_state *s, const struct gs_op *op)
{
	const struct tr_life *t = &s->lives.lives[op->free.tensor];

	s->kinds[t->kind].live -= t->bytes;
	s->live -= t->bytes;
	tr_reuse_drop(&s->reuse, op->free.tensor);
}

static void on_page(struct stat_state *s, const struct gs_op *op)
{
	u64 last = (op->page.va + op->page.bytes - 1) / s->page;

	s->touches[op->page.access]++;
	s->touched[op->page.access] += op->page.bytes;
	for (u64 page = op->page.va / s->page; page <= last; page++) {
		/* beyond only where the summary lies, which is told at the end */
		u64 number = s->few ? gs_min(page - s->first_page, FEW_PAGES)
				    : tr_number_of(s->pages, page);

		if (s->ntensors)
			tr_reuse_touch(&s->reuse, s->ntensors + number, 0, s->page);
		else
			tr_reuse_page(&s->page_reuse, number);
	}
}

static int collect(struct stat_state *s, struct gs_source *src)
{
	struct gs_progress bar;
	struct gs_op op;
	u64 n = 0;
	int ret;

	gs_progress_begin(&bar, "stat", src->job.nops);
	while ((ret = gs_source_next(src, &op)) == 1) {
		if (!(++n & 0xffff))
			gs_progress_update(&bar, n);
		if (op.type == GS_OP_KERNEL)
			on_kernel(s, &op);
		else if (op.type == GS_OP_ALLOC)
			on_alloc(s, &op);
		else if (op.type == GS_OP_FREE)
			on_free(s, &op);
		else if (op.type == GS_OP_PAGE)
			on_page(s, &op);
		else if (op.type == GS_OP_SEGMENT_ALLOC)
			s->reserved += op.segment.bytes;
		else if (op.type == GS_OP_SEGMENT_FREE)
			s->reserved -= op.segment.bytes;
		tr_lives_pass(&s->lives, &op);
	}
	gs_progress_end(&bar);
	tr_lives_end(&s->lives, s->kind_lives);
	return ret;
}

/* Does any kernel say how long it takes? */
static int has_times(struct gs_source *src, bool *times)
{
	struct gs_op op;
	int ret = 1;

	for (*times = false; !*times && ret == 1;) {
		ret = gs_source_next(src, &op);
		*times = ret == 1 && op.type == GS_OP_KERNEL && op.kernel.duration_ps;
	}
	return ret < 0 ? ret : gs_source_seek(src, GS_REWIND);
}

/* ---- the command ---------------------------------------------------------- */

static void stat_fini(struct stat_state *s)
{
	for (u32 i = 0; i < s->nslots; i++)
		free(s->kernels[i].name);
	free(s->kernels);
	tr_numbers_free(s->pages);
	tr_reuse_pages_fini(&s->page_reuse);
	tr_lives_fini(&s->lives);
	tr_reuse_fini(&s->reuse);
}

struct options {
	u64 top;
	const char *csv;
};

static int stat_file(const char *path, const struct options *o)
{
	struct gs_outdir *dir = NULL;
	struct stat_state s = { 0 };
	struct gs_source *src;
	FILE *idle = NULL;
	bool times = false;
	int ret = tr_open(path, &src);

	if (ret)
		return ret;
	ret = has_times(src, &times);
	if (!ret && o->csv) {
		dir = gs_outdir_begin(o->csv);
		idle = dir ? gs_outdir_file(dir, "idle.csv") : NULL;
		ret = idle ? 0 : -EIO;
	}
	if (idle)
		fputs("tensor,kind,bytes,from,to\n", idle);
	/* a hint of bytes is none */
	s.page = src->job.page_hint >= 512 ? src->job.page_hint : 4096;
	for (u32 i = 0; i < STAT_SIZES; i++)
		s.sizes[i] = gs_muldiv_up(src->job.bytes_peak, i + 1, STAT_SIZES);
	tr_lives_init(&s.lives, !times, s.sizes, s.above, STAT_SIZES, idle);
	tr_reuse_init(&s.reuse, s.sizes, s.misses, STAT_SIZES);
	tr_reuse_pages_init(&s.page_reuse, &s.reuse, s.page);
	s.ntensors = src->job.ntensors;
	s.pages = tr_numbers_new();
	s.first_page = src->job.va_low / s.page;
	s.few = !s.ntensors && src->job.va_high / s.page - s.first_page < FEW_PAGES;
	ret = ret ? ret : collect(&s, src);
	if (!ret)
		stat_print(&s, &src->job, o->top); /* sorts */
	if (!ret && dir)
		ret = stat_csv(&s, dir);
	if (dir && !ret)
		ret = gs_outdir_commit(dir);
	else if (dir)
		gs_outdir_abort(dir);
	stat_fini(&s);
	gs_source_close(src);
	return ret;
}

int tr_cmd_stat(int argc, char **argv)
{
	static const struct option options[] = { { "help", no_argument, NULL, 'h' },
						 { "top", required_argument, NULL, 't' },
						 { "csv", required_argument, NULL, 'c' },
						 { 0 } };
	struct options o = { .top = 10 };
	char *end;
	int opt;

	while ((opt = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (opt == 'c') {
			o.csv = optarg;
			continue;
		}
		if (opt != 't')
			return tr_cmd_option("stat", opt, argv);
		o.top = strtoull(optarg, &end, 10);
		if (*optarg < '0' || *optarg > '9' || *end)
			return tr_cmd_usage("stat", "'%s' is not a number", optarg);
	}
	if (argc - optind != 1)
		return tr_cmd_usage("stat", "one FILE is wanted");
	if (o.csv && gs_outdir_check(o.csv))
		return GS_EXIT_USER;
	return tr_cmd_code(stat_file(argv[optind], &o));
}
