/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cmd_diff.c - `gmemsim trace diff`: where two traces begin to differ, and by how much */
#include <getopt.h>
#include <string.h>

#include "traces/check.h"
#include "traces/cmd.h"
#include "traces/trace.h"

static bool same_touch(const struct gs_touch *a, const struct gs_touch *b)
{
	return a->tensor == b->tensor && a->access == b->access && a->pattern == b->pattern &&
	       a->share == b->share && a->off == b->off && a->bytes == b->bytes &&
	       a->stride == b->stride;
}

static bool same_kernel(const struct gs_op *a, const struct gs_op *b)
{
	if (strcmp(a->kernel.name, b->kernel.name) || a->stream != b->stream ||
	    a->kernel.opclass != b->kernel.opclass || a->kernel.dtype != b->kernel.dtype ||
	    a->kernel.phase != b->kernel.phase || a->kernel.duration_ps != b->kernel.duration_ps ||
	    a->kernel.fault_out_ps != b->kernel.fault_out_ps ||
	    a->kernel.fault_all_ps != b->kernel.fault_all_ps ||
	    a->kernel.flops != b->kernel.flops || a->kernel.bytes != b->kernel.bytes ||
	    a->kernel.ntouches != b->kernel.ntouches)
		return false;
	for (u32 i = 0; i < a->kernel.ntouches; i++)
		if (!same_touch(&a->kernel.touches[i], &b->kernel.touches[i]))
			return false;
	return true;
}

static bool same(const struct gs_op *a, const struct gs_op *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case GS_OP_ALLOC:
		return a->device == b->device && a->alloc.tensor == b->alloc.tensor &&
		       a->alloc.kind == b->alloc.kind && a->alloc.va == b->alloc.va &&
		       a->alloc.bytes == b->alloc.bytes && !strcmp(a->alloc.name, b->alloc.name);
	case GS_OP_FREE:
		return a->free.tensor == b->free.tensor;
	case GS_OP_KERNEL:
		return a->device == b->device && same_kernel(a, b);
	case GS_OP_HOST:
		return a->host.tensor == b->host.tensor && a->host.access == b->host.access &&
		       a->host.off == b->host.off && a->host.bytes == b->host.bytes &&
		       a->host.duration_ps == b->host.duration_ps;
	case GS_OP_ADVICE:
		return a->device == b->device && a->advice.tensor == b->advice.tensor &&
		       a->advice.advice == b->advice.advice && a->advice.off == b->advice.off &&
		       a->advice.bytes == b->advice.bytes;
	case GS_OP_MARK:
		return a->mark.iteration == b->mark.iteration && a->mark.number == b->mark.number &&
		       !strcmp(a->mark.name, b->mark.name);
	case GS_OP_SEGMENT_ALLOC:
	case GS_OP_SEGMENT_FREE:
		return a->device == b->device && a->segment.va == b->segment.va &&
		       a->segment.bytes == b->segment.bytes;
	default:
		return a->device == b->device && a->page.va == b->page.va &&
		       a->page.bytes == b->page.bytes && a->page.access == b->page.access &&
		       a->page.when_ps == b->page.when_ps;
	}
}

/* ---- counts ----------------------------------------------------------- */

static void row(const char *what, u64 a, u64 b)
{
	if (a != b)
		printf("  %-12s %20llu %20llu %+lld\n", what, a, b, (long long)(b - a));
}

static void print_counts(const struct tr_check *a, const struct tr_check *b)
{
	row("operations", a->job.nops, b->job.nops);
	row("kernels", a->job.nkernels, b->job.nkernels);
	row("kernel ps", a->kernel_ps, b->kernel_ps);
	row("operands", a->ntouches, b->ntouches);
	row("tensors", a->job.ntensors, b->job.ntensors);
	row("bytes", a->job.bytes_total, b->job.bytes_total);
	row("peak bytes", a->job.bytes_peak, b->job.bytes_peak);
	row("reserved", a->job.bytes_reserved, b->job.bytes_reserved);
	row("pages", a->job.npages, b->job.npages);
	row("iterations", a->job.niterations, b->job.niterations);
	row("streams", a->job.nstreams, b->job.nstreams);
}

/* Operations that only one has, or that are not the same. */
struct result {
	u64 differ, first;
};

static void print_first(const struct gs_op *a, const struct gs_op *b)
{
	printf("- ");
	if (a)
		tr_print_op(a);
	else
		puts("(the end)");
	printf("+ ");
	if (b)
		tr_print_op(b);
	else
		puts("(the end)");
}

static int compare(struct gs_source *const *src, struct result *r)
{
	struct gs_op op[2];
	int ret[2];

	for (;;) {
		for (int i = 0; i < 2; i++) {
			ret[i] = gs_source_next(src[i], &op[i]);
			if (ret[i] < 0)
				return ret[i];
		}
		if (!ret[0] && !ret[1])
			return 0;
		if (ret[0] && ret[1] && same(&op[0], &op[1]))
			continue;
		if (!r->differ++)
			print_first(ret[0] ? &op[0] : NULL, ret[1] ? &op[1] : NULL);
	}
}

/* Devices and times are not in the operations. */
static u64 compare_heads(const struct gs_job *a, const struct gs_job *b)
{
	u64 differ = 0;

	if (a->ndevices != b->ndevices) {
		printf("devices: %u against %u\n", a->ndevices, b->ndevices);
		return 1;
	}
	for (u32 i = 0; i < a->ndevices; i++) {
		if (!strcmp(a->device_names[i], b->device_names[i]))
			continue;
		printf("device %u: %s against %s\n", i, a->device_names[i], b->device_names[i]);
		differ++;
	}
	return differ;
}

static int diff(struct gs_source *const *src, char **paths)
{
	struct result r = { 0 };
	u64 heads = compare_heads(&src[0]->job, &src[1]->job);
	int ret = compare(src, &r);

	if (ret)
		return tr_cmd_code(ret);
	if (!r.differ && !heads) {
		printf("the same: %llu operations\n", tr_checked_state(src[0])->job.nops);
		return GS_EXIT_OK;
	}
	printf("%llu operations differ, place by place; where counts differ (%s, %s):\n", r.differ,
	       paths[0], paths[1]);
	print_counts(tr_checked_state(src[0]), tr_checked_state(src[1]));
	return GS_EXIT_FAILED;
}

int tr_cmd_diff(int argc, char **argv)
{
	static const struct option options[] = { { "help", no_argument, NULL, 'h' }, { 0 } };
	struct gs_source *src[2] = { NULL, NULL };
	int opt = getopt_long(argc, argv, ":h", options, NULL), code, ret;

	if (opt != -1)
		return tr_cmd_option("diff", opt, argv);
	if (argc - optind != 2)
		return tr_cmd_usage("diff", "two FILEs are wanted");
	ret = tr_open(argv[optind], &src[0]);
	if (!ret)
		ret = tr_open(argv[optind + 1], &src[1]);
	code = ret ? tr_cmd_code(ret) : diff(src, argv + optind);
	gs_source_close(src[0]);
	gs_source_close(src[1]);
	return code;
}
