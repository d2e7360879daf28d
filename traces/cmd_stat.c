/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cmd_stat.c - `gmemsim trace stat`: memory, kernels and operands of a job */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "sim/result.h"
#include "traces/cmd.h"
#include "traces/trace.h"

struct tensor {
	char *name;
	u64 bytes, touched; /* touched: bytes, over all operands */
	u64 touches;
	u32 id;
	u8 kind;
};

struct kernel { /* all of one name and class */
	char *name;
	u64 calls, ps, flops, bytes;
	u8 opclass;
};

struct kind {
	u64 tensors, bytes, live, most, at_peak;
};

struct stat_state {
	struct tensor *tensors;
	size_t ntensors, tensors_cap;
	struct kernel *kernels; /* hash table, half full at most */
	u32 nslots, nkernels;
	struct kind kinds[GS_NR_TENSOR_KINDS];
	struct kernel classes[GS_NR_OPCLASSES];
	u64 phase_ps[GS_NR_PHASES];
	u64 live, peak;
	u64 touches[4], touched[4]; /* by access */
	u64 *pages;		    /* hash set of page numbers + 1 */
	u64 npages, page_slots, page;
};

/* ---- collection ------------------------------------------------------- */

static struct kernel *kernel_slot(struct kernel *table, u32 nslots, const char *name, u8 opclass)
{
	u32 i = (u32)gs_hash(name, strlen(name), opclass) & (nslots - 1);

	while (table[i].name && (table[i].opclass != opclass || strcmp(table[i].name, name)))
		i = (i + 1) & (nslots - 1);
	return &table[i];
}

static struct kernel *kernel_of(struct stat_state *s, const char *name, u8 opclass)
{
	struct kernel *k, *old = s->kernels;
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
		*k = (struct kernel){ .name = gs_strdup(name), .opclass = opclass };
		s->nkernels++;
	}
	return k;
}

static void add_kernel(struct kernel *k, const struct gs_op *op)
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
		s->tensors[t->tensor].touches++;
		s->tensors[t->tensor].touched += t->bytes;
	}
}

static void on_alloc(struct stat_state *s, const struct gs_op *op)
{
	struct kind *k = &s->kinds[op->alloc.kind];

	while (s->ntensors <= op->alloc.tensor) {
		GS_PUSH_ROOM(s->tensors, s->ntensors, s->tensors_cap);
		s->tensors[s->ntensors] = (struct tensor){ .id = (u32)s->ntensors };
		s->ntensors++;
	}
	s->tensors[op->alloc.tensor] = (struct tensor){ .name = gs_strdup(op->alloc.name),
							.bytes = op->alloc.bytes,
							.id = op->alloc.tensor,
							.kind = op->alloc.kind };
	k->tensors++;
	k->bytes += op->alloc.bytes;
	k->live += op->alloc.bytes;
	k->most = gs_max(k->most, k->live);
	s->live += op->alloc.bytes;
	if (s->live <= s->peak)
		return;
	s->peak = s->live;
	for (int i = 0; i < GS_NR_TENSOR_KINDS; i++)
		s->kinds[i].at_peak = s->kinds[i].live;
}

static void on_free(struct stat_state *s, const struct gs_op *op)
{
	const struct tensor *t = &s->tensors[op->free.tensor];

	s->kinds[t->kind].live -= t->bytes;
	s->live -= t->bytes;
}

static u64 *page_slot(u64 *set, u64 nslots, u64 key)
{
	u64 i = gs_hash(&key, sizeof(key), 0) & (nslots - 1);

	while (set[i] && set[i] != key)
		i = (i + 1) & (nslots - 1);
	return &set[i];
}

static void add_page(struct stat_state *s, u64 page)
{
	u64 *old = s->pages, n = s->page_slots, *slot;

	if (2 * s->npages >= n) {
		s->page_slots = n ? 2 * n : 4096;
		s->pages = gs_calloc(s->page_slots, sizeof(u64));
		for (u64 i = 0; i < n; i++)
			if (old[i])
				*page_slot(s->pages, s->page_slots, old[i]) = old[i];
		free(old);
	}
	slot = page_slot(s->pages, s->page_slots, page + 1);
	s->npages += !*slot;
	*slot = page + 1;
}

static void on_page(struct stat_state *s, const struct gs_op *op)
{
	u64 last = (op->page.va + op->page.bytes - 1) / s->page;

	s->touches[op->page.access]++;
	s->touched[op->page.access] += op->page.bytes;
	for (u64 page = op->page.va / s->page; page <= last; page++)
		add_page(s, page);
}

static int collect(struct stat_state *s, struct gs_source *src)
{
	struct gs_op op;
	int ret;

	while ((ret = gs_source_next(src, &op)) == 1) {
		if (op.type == GS_OP_KERNEL)
			on_kernel(s, &op);
		else if (op.type == GS_OP_ALLOC)
			on_alloc(s, &op);
		else if (op.type == GS_OP_FREE)
			on_free(s, &op);
		else if (op.type == GS_OP_PAGE)
			on_page(s, &op);
	}
	return ret;
}

/* ---- tables ----------------------------------------------------------- */

static void print_head(const struct stat_state *s, const struct gs_job *j)
{
	static const char *const names[] = { "", "read", "written", "read and written" };
	char a[24], b[24];

	printf("%s: %llu operations, %u iterations, %u devices\n", j->name, j->nops, j->niterations,
	       j->ndevices);
	if (j->ntensors)
		printf("footprint: %s (%llu bytes) alive at most, %u tensors of %s in all\n",
		       gs_text_bytes(s->peak, a), s->peak, j->ntensors,
		       gs_text_bytes(j->bytes_total, b));
	if (j->npages)
		printf("footprint: %llu pages of %llu bytes, %llu accesses\n", s->npages, s->page,
		       j->npages);
	for (int i = 1; i < 4; i++)
		if (s->touches[i])
			printf("%s: %llu operands, %s\n", names[i], s->touches[i],
			       gs_text_bytes(s->touched[i], a));
}

static void print_kinds(const struct stat_state *s)
{
	char a[24], b[24], c[24];

	printf("\n%-11s %9s %10s %10s %10s\n", "kind", "tensors", "in all", "at most", "at peak");
	for (int i = 0; i < GS_NR_TENSOR_KINDS; i++) {
		const struct kind *k = &s->kinds[i];

		if (k->tensors)
			printf("%-11s %9llu %10s %10s %10s\n", gs_tensor_kind_names[i], k->tensors,
			       gs_text_bytes(k->bytes, a), gs_text_bytes(k->most, b),
			       gs_text_bytes(k->at_peak, c));
	}
}

static void print_kernel(const char *name, const struct kernel *k, u64 all_ps)
{
	char a[24], b[24];

	printf("%-36.36s %8llu %10s %5.1f %% %10.4g %10s\n", name, k->calls, gs_text_time(k->ps, a),
	       all_ps ? 100.0 * (double)k->ps / (double)all_ps : 0, (double)k->flops / 1e9,
	       gs_text_bytes(k->bytes, b));
}

static void print_classes(const struct stat_state *s, u64 all_ps)
{
	char a[24];

	printf("\n%-36s %8s %10s %7s %10s %10s\n", "operator class", "kernels", "time", "", "GFLOP",
	       "moved");
	for (int i = 0; i < GS_NR_OPCLASSES; i++)
		if (s->classes[i].calls)
			print_kernel(gs_opclass_names[i], &s->classes[i], all_ps);
	printf("\nphases:");
	for (int i = 0; i < GS_NR_PHASES; i++)
		if (s->phase_ps[i])
			printf(" %s %s", gs_phase_names[i], gs_text_time(s->phase_ps[i], a));
	putchar('\n');
}

/* Most first; ties by name, so that the table is the same everywhere. */
static int by_time(const void *a, const void *b)
{
	const struct kernel *x = a, *y = b;

	if (!x->name || !y->name)
		return !x->name - !y->name;
	if (x->ps != y->ps)
		return x->ps < y->ps ? 1 : -1;
	if (x->calls != y->calls)
		return x->calls < y->calls ? 1 : -1;
	return strcmp(x->name, y->name) ?: (int)x->opclass - (int)y->opclass;
}

static int by_traffic(const void *a, const void *b)
{
	const struct tensor *x = a, *y = b;

	if (x->touched != y->touched)
		return x->touched < y->touched ? 1 : -1;
	return x->id < y->id ? -1 : x->id > y->id;
}

static void print_top(struct stat_state *s, u64 top, u64 all_ps)
{
	char a[24], b[24];

	qsort(s->kernels, s->nslots, sizeof(*s->kernels), by_time);
	printf("\n%-36s %8s %10s %7s %10s %10s\n", "kernel", "calls", "time", "", "GFLOP", "moved");
	for (u32 i = 0; i < s->nkernels && i < top; i++)
		print_kernel(*s->kernels[i].name ? s->kernels[i].name : "(no name)", &s->kernels[i],
			     all_ps);
	qsort(s->tensors, s->ntensors, sizeof(*s->tensors), by_traffic);
	printf("\n%-36s %-11s %10s %8s %10s\n", "tensor", "kind", "size", "operands", "touched");
	for (size_t i = 0; i < s->ntensors && i < top; i++) {
		const struct tensor *t = &s->tensors[i];
		char name[40];

		snprintf(name, sizeof(name), "t%u %s", t->id, t->name ? t->name : "");
		printf("%-36.36s %-11s %10s %8llu %10s\n", name, gs_tensor_kind_names[t->kind],
		       gs_text_bytes(t->bytes, a), t->touches, gs_text_bytes(t->touched, b));
	}
}

static void print_stat(struct stat_state *s, const struct gs_job *job, u64 top)
{
	u64 all_ps = 0;

	for (int i = 0; i < GS_NR_OPCLASSES; i++)
		all_ps += s->classes[i].ps;
	print_head(s, job);
	if (job->ntensors)
		print_kinds(s);
	if (job->nkernels)
		print_classes(s, all_ps);
	if (job->nkernels)
		print_top(s, top, all_ps);
}

static void stat_fini(struct stat_state *s)
{
	for (size_t i = 0; i < s->ntensors; i++)
		free(s->tensors[i].name);
	for (u32 i = 0; i < s->nslots; i++)
		free(s->kernels[i].name);
	free(s->tensors);
	free(s->kernels);
	free(s->pages);
}

int tr_cmd_stat(int argc, char **argv)
{
	static const struct option options[] = { { "help", no_argument, NULL, 'h' },
						 { "top", required_argument, NULL, 't' },
						 { 0 } };
	struct stat_state s = { 0 };
	struct gs_source *src;
	u64 top = 10;
	char *end;
	int opt, ret;

	while ((opt = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (opt != 't')
			return tr_cmd_option("stat", opt, argv);
		top = strtoull(optarg, &end, 10);
		if (*optarg < '0' || *optarg > '9' || *end)
			return tr_cmd_usage("stat", "'%s' is not a number", optarg);
	}
	if (argc - optind != 1)
		return tr_cmd_usage("stat", "one FILE is wanted");
	ret = tr_open(argv[optind], &src);
	if (ret)
		return tr_cmd_code(ret);
	s.page =
		src->job.page_hint >= 512 ? src->job.page_hint : 4096; /* a hint of bytes is none */
	ret = collect(&s, src);
	if (!ret)
		print_stat(&s, &src->job, top);
	stat_fini(&s);
	gs_source_close(src);
	return tr_cmd_code(ret);
}
