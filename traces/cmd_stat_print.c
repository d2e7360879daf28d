/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cmd_stat_print.c - the tables of `gmemsim trace stat` */
#include <stdlib.h>
#include <string.h>

#include "sim/result.h"
#include "traces/cmd_stat.h"

/* A time, or the number of a kernel. */
static const char *text_time(const struct tr_lives *l, u64 time, char buf[24])
{
	if (!l->by_kernels)
		return gs_text_time(time, buf);
	snprintf(buf, 24, "%llu krn", time);
	return buf;
}

/* What the job's allocator holds beyond what lives in it. */
static void print_segments(const struct stat_state *s, const struct gs_job *j)
{
	u64 slack = s->at_peak - gs_min(s->at_peak, s->peak);
	char a[24], b[24], c[24];

	printf("segments: %s (%llu bytes) reserved at most; where most is alive %s, slack %s "
	       "(%.1f %%)\n",
	       gs_text_bytes(j->bytes_reserved, a), j->bytes_reserved, gs_text_bytes(s->at_peak, b),
	       gs_text_bytes(slack, c), 100.0 * (double)slack / (double)gs_max(s->at_peak, 1));
}

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
	if (j->bytes_reserved)
		print_segments(s, j);
	if (j->ntensors && j->nkernels)
		printf("most of it after %s of %s%s\n", text_time(&s->lives, s->lives.peak_at, a),
		       text_time(&s->lives, s->lives.now, b),
		       s->lives.by_kernels ? " (no kernel tells its time)" : "");
	if (j->npages)
		printf("footprint: %llu pages of %llu bytes, %llu accesses\n",
		       s->ntensors ? tr_numbers_count(s->pages) : s->page_reuse.n, s->page,
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
		const struct stat_kind *k = &s->kinds[i];

		if (k->tensors)
			printf("%-11s %9llu %10s %10s %10s\n", gs_tensor_kind_names[i], k->tensors,
			       gs_text_bytes(k->bytes, a), gs_text_bytes(k->most, b),
			       gs_text_bytes(k->at_peak, c));
	}
}

static void print_kernel(const char *name, const struct stat_kernel *k, u64 all_ps)
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
	const struct stat_kernel *x = a, *y = b;

	if (!x->name || !y->name)
		return !x->name - !y->name;
	if (x->ps != y->ps)
		return x->ps < y->ps ? 1 : -1;
	if (x->calls != y->calls)
		return x->calls < y->calls ? 1 : -1;
	return strcmp(x->name, y->name) ?: (int)x->opclass - (int)y->opclass;
}

static const struct tr_life *all_lives; /* of the table that is sorted */

static int by_traffic(const void *a, const void *b)
{
	u32 i = *(const u32 *)a, k = *(const u32 *)b;
	u64 x = all_lives[i].touched, y = all_lives[k].touched;

	if (x != y)
		return x < y ? 1 : -1;
	return i < k ? -1 : i > k;
}

static void print_tensors(const struct stat_state *s, u64 top)
{
	const struct tr_lives *l = &s->lives;
	u32 *order = gs_calloc(l->n + 1, sizeof(*order));
	char a[24], b[24], c[24];

	for (size_t i = 0; i < l->n; i++)
		order[i] = (u32)i;
	all_lives = l->lives;
	qsort(order, l->n, sizeof(*order), by_traffic);
	printf("\n%-36s %-11s %10s %8s %10s %12s\n", "tensor", "kind", "size", "operands",
	       "touched", "longest idle");
	for (size_t i = 0; i < l->n && i < top; i++) {
		const struct tr_life *t = &l->lives[order[i]];
		char name[40];

		snprintf(name, sizeof(name), "t%u %s", order[i], t->name ? t->name : "");
		printf("%-36.36s %-11s %10s %8llu %10s %12s\n", name, gs_tensor_kind_names[t->kind],
		       gs_text_bytes(t->bytes, a), t->touches, gs_text_bytes(t->touched, b),
		       text_time(l, t->longest, c));
	}
	free(order);
}

static void print_top(struct stat_state *s, u64 top, u64 all_ps)
{
	qsort(s->kernels, s->nslots, sizeof(*s->kernels), by_time);
	printf("\n%-36s %8s %10s %7s %10s %10s\n", "kernel", "calls", "time", "", "GFLOP", "moved");
	for (u32 i = 0; i < s->nkernels && i < top; i++)
		print_kernel(*s->kernels[i].name ? s->kernels[i].name : "(no name)", &s->kernels[i],
			     all_ps);
}

/* ---- memory over time ----------------------------------------------------- */

static void print_lives(const struct stat_state *s)
{
	char a[24];

	printf("\nTensors by what they do while they are alive, in shares of their bytes times "
	       "time:\n"
	       "%-11s %9s %10s %7s %7s %7s %7s\n",
	       "kind", "tensors", "mean life", "before", "in use", "idle", "after");
	for (int i = 0; i < GS_NR_TENSOR_KINDS; i++) {
		const struct tr_kind_lives *k = &s->kind_lives[i];
		double all = (k->before + k->busy + k->idle + k->after) / 100;

		if (!k->tensors)
			continue;
		all = all ? all : 1;
		printf("%-11s %9llu %10s %5.1f %% %5.1f %% %5.1f %% %5.1f %%\n",
		       gs_tensor_kind_names[i], k->tensors,
		       text_time(&s->lives, (u64)(k->life / (double)k->tensors), a),
		       k->before / all, k->busy / all, k->idle / all, k->after / all);
	}
}

static void print_idle(const struct stat_state *s)
{
	double all = 0, over = 0, bytes = 0;
	u64 periods = 0, from = 1;
	char a[24], b[40];

	for (int i = 0; i < TR_IDLE_BUCKETS; i++)
		all += s->lives.idle[i].byte_times;
	if (!all)
		return;
	printf("\n%-20s %9s %12s %14s\n", "idle between touches", "periods", "bytes",
	       "bytes x time");
	for (int i = 1; i < TR_IDLE_BUCKETS; i++)
		from *= 10;
	for (int i = TR_IDLE_BUCKETS - 1; i >= 0; i--, from /= 10) {
		periods += s->lives.idle[i].periods;
		bytes += s->lives.idle[i].bytes;
		over += s->lives.idle[i].byte_times;
		if (!s->lives.idle[i].periods)
			continue;
		snprintf(b, sizeof(b), "%s or more", text_time(&s->lives, from, a));
		printf("%-20s %9llu %12s %12.1f %%\n", b, periods,
		       gs_text_bytes(bytes < 1.8e19 ? (u64)bytes : U64_MAX, a), 100 * over / all);
	}
}

static void print_reuse(const struct stat_state *s)
{
	const struct tr_reuse *r = &s->reuse;
	u64 all = 0, within = 0;
	char a[24], b[40];

	for (int i = 0; i < TR_REUSE_BUCKETS; i++)
		all += r->again[i];
	printf("\ntouched for the first time: %s, again: %s\n", gs_text_bytes(r->first, a),
	       gs_text_bytes(all, b));
	if (!all)
		return;
	printf("%-24s %10s %9s\n", "other bytes in between", "touched", "up to it");
	for (int i = 0; i < TR_REUSE_BUCKETS; i += 2) {
		u64 here = r->again[i] + r->again[i + 1];

		within += here;
		if (!here)
			continue;
		snprintf(b, sizeof(b), "below %s", gs_text_bytes(1ULL << (i + 1), a));
		printf("%-24s %10s %7.1f %%\n", b, gs_text_bytes(here, a),
		       100.0 * (double)within / (double)all);
	}
}

static void print_overcommit(const struct stat_state *s)
{
	char a[24], b[24], c[24];

	printf("\n%-9s %10s %12s %15s %20s\n", "memory", "", "short by", "of the time",
	       "LRU fetches again");
	for (int i = STAT_SIZES - 1; i >= 0; i--)
		printf("%6d %%  %10s %12s %13.1f %% %20s\n", 100 * (i + 1) / STAT_SIZES,
		       gs_text_bytes(s->sizes[i], a),
		       gs_text_bytes(s->peak - gs_min(s->peak, s->sizes[i]), b),
		       s->lives.now ? 100.0 * (double)s->above[i] / (double)s->lives.now : 0,
		       gs_text_bytes(s->misses[i], c));
}

void stat_print(struct stat_state *s, const struct gs_job *job, u64 top)
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
	if (job->ntensors) {
		print_tensors(s, top);
		print_lives(s);
		print_idle(s);
	}
	if (job->nkernels || job->npages)
		print_reuse(s);
	if (job->ntensors)
		print_overcommit(s);
}
