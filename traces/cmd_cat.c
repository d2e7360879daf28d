/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cmd_cat.c - `gmemsim trace cat`: the operations, for people or as JSON lines */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

#include "sim/json.h"
#include "traces/cmd.h"
#include "traces/trace.h"

static const char *access_name(u8 access)
{
	static const char *const names[] = { "", "r", "w", "rw" };

	return names[access & 3];
}

static const char *segment_event(const struct gs_op *op)
{
	return op->type == GS_OP_SEGMENT_ALLOC ? "segment_alloc" : "segment_free";
}

/* ---- for people ------------------------------------------------------- */

static void print_name(const char *name)
{
	if (*name)
		printf(" %s", name);
}

static void print_part(u32 tensor, u64 off, u64 bytes)
{
	printf(" t%u", tensor);
	if (off)
		printf("[%llu+%llu]", off, bytes);
	else
		printf("[%llu]", bytes);
}

static void print_kernel(const struct gs_op *op)
{
	printf("kernel");
	print_name(op->kernel.name);
	printf(" %s %s %s device %u stream %u %llu ps", gs_opclass_names[op->kernel.opclass],
	       gs_dtype_names[op->kernel.dtype], gs_phase_names[op->kernel.phase], op->device,
	       op->stream, op->kernel.duration_ps);
	if (op->kernel.fault_out_ps || op->kernel.fault_all_ps)
		printf(" faults %llu ps %llu ps", op->kernel.fault_out_ps, op->kernel.fault_all_ps);
	if (op->kernel.flops)
		printf(" %llu flop", op->kernel.flops);
	if (op->kernel.bytes)
		printf(" %llu bytes", op->kernel.bytes);
	for (u32 i = 0; i < op->kernel.ntouches; i++) {
		const struct gs_touch *t = &op->kernel.touches[i];

		printf("%s %s", i ? "," : ":", access_name(t->access));
		print_part(t->tensor, t->off, t->bytes);
		if (t->pattern != GS_SEQUENTIAL)
			printf(" %s", gs_pattern_names[t->pattern]);
	}
}

void tr_print_op(const struct gs_op *op)
{
	printf("%llu ", op->index);
	switch (op->type) {
	case GS_OP_ALLOC:
		printf("alloc t%u %llu bytes at 0x%llx device %u %s", op->alloc.tensor,
		       op->alloc.bytes, op->alloc.va, op->device,
		       gs_tensor_kind_names[op->alloc.kind]);
		print_name(op->alloc.name);
		break;
	case GS_OP_FREE:
		printf("free t%u", op->free.tensor);
		break;
	case GS_OP_KERNEL:
		print_kernel(op);
		break;
	case GS_OP_HOST:
		printf("host %s", access_name(op->host.access));
		print_part(op->host.tensor, op->host.off, op->host.bytes);
		printf(" %llu ps", op->host.duration_ps);
		break;
	case GS_OP_ADVICE:
		printf("advice %s device %u", gs_advice_names[op->advice.advice], op->device);
		print_part(op->advice.tensor, op->advice.off, op->advice.bytes);
		break;
	case GS_OP_MARK:
		printf("mark %s %u", op->mark.name, op->mark.number);
		break;
	case GS_OP_SEGMENT_ALLOC:
	case GS_OP_SEGMENT_FREE:
		printf("%s %llu bytes at 0x%llx device %u", segment_event(op), op->segment.bytes,
		       op->segment.va, op->device);
		break;
	default:
		printf("page %s 0x%llx %u bytes device %u at %llu ps", access_name(op->page.access),
		       op->page.va, op->page.bytes, op->device, op->page.when_ps);
	}
	putchar('\n');
}

/* ---- as JSON lines ----------------------------------------------------- */

static void json_line_end(struct gs_json *j)
{
	gs_json_end(j);
	putchar('\n');
}

static void json_begin(struct gs_json *j, const char *event)
{
	gs_json_init(j, stdout, false);
	gs_json_object(j, NULL);
	gs_json_str(j, "ev", event);
}

/* What is absent is read as 0 or "". */
static void json_some(struct gs_json *j, const char *key, u64 v)
{
	if (v)
		gs_json_u64(j, key, v);
}

static void json_text(struct gs_json *j, const char *key, const char *v)
{
	if (*v)
		gs_json_str(j, key, v);
}

static void json_time(struct gs_json *j, u64 ps)
{
	if (ps % 1000)
		gs_json_u64(j, "ps", ps);
	else
		json_some(j, "ns", ps / 1000);
}

static void json_meta(const struct gs_job *job)
{
	struct gs_json j;

	json_begin(&j, "meta");
	gs_json_str(&j, "format", "gmemsim-jsonl");
	gs_json_u64(&j, "version", 1);
	json_text(&j, "name", job->name);
	json_text(&j, "framework", job->framework);
	json_text(&j, "source", job->source);
	json_text(&j, "recorded", job->recorded);
	gs_json_array(&j, "devices");
	for (u32 i = 0; i < job->ndevices; i++)
		gs_json_str(&j, NULL, job->device_names[i]);
	gs_json_end_array(&j);
	json_some(&j, "page_hint", job->page_hint);
	json_line_end(&j);
}

static void json_touch(struct gs_json *j, const struct gs_touch *t)
{
	gs_json_array(j, NULL);
	gs_json_u64(j, NULL, t->tensor);
	gs_json_u64(j, NULL, t->off);
	gs_json_u64(j, NULL, t->bytes);
	gs_json_str(j, NULL, access_name(t->access));
	if (t->pattern != GS_SEQUENTIAL || t->share) {
		gs_json_str(j, NULL, gs_pattern_names[t->pattern]);
		gs_json_u64(j, NULL, t->stride);
		gs_json_u64(j, NULL, t->share);
	}
	gs_json_end_array(j);
}

static void json_kernel(struct gs_json *j, const struct gs_op *op)
{
	json_begin(j, "kernel");
	gs_json_str(j, "name", op->kernel.name);
	gs_json_str(j, "class", gs_opclass_names[op->kernel.opclass]);
	gs_json_u64(j, "dev", op->device);
	gs_json_u64(j, "stream", op->stream);
	json_time(j, op->kernel.duration_ps);
	json_some(j, "fault_out_ps", op->kernel.fault_out_ps);
	json_some(j, "fault_all_ps", op->kernel.fault_all_ps);
	json_some(j, "flops", op->kernel.flops);
	json_some(j, "bytes", op->kernel.bytes);
	gs_json_str(j, "dtype", gs_dtype_names[op->kernel.dtype]);
	gs_json_str(j, "phase", gs_phase_names[op->kernel.phase]);
	gs_json_array(j, "touch");
	for (u32 i = 0; i < op->kernel.ntouches; i++)
		json_touch(j, &op->kernel.touches[i]);
	gs_json_end_array(j);
}

static void json_alloc(struct gs_json *j, const struct gs_op *op)
{
	json_begin(j, "alloc");
	gs_json_u64(j, "t", op->alloc.tensor);
	gs_json_u64(j, "va", op->alloc.va);
	gs_json_u64(j, "bytes", op->alloc.bytes);
	gs_json_str(j, "kind", gs_tensor_kind_names[op->alloc.kind]);
	json_text(j, "name", op->alloc.name);
	gs_json_u64(j, "dev", op->device);
}

static void json_part(struct gs_json *j, u32 tensor, u64 off, u64 bytes)
{
	gs_json_u64(j, "t", tensor);
	gs_json_u64(j, "off", off);
	gs_json_u64(j, "bytes", bytes);
}

static void json_page(struct gs_json *j, const struct gs_op *op)
{
	json_begin(j, "page");
	gs_json_u64(j, "va", op->page.va);
	gs_json_u64(j, "bytes", op->page.bytes);
	gs_json_str(j, "rw", access_name(op->page.access));
	gs_json_u64(j, "dev", op->device);
	json_time(j, op->page.when_ps);
}

static void json_op(const struct gs_op *op)
{
	struct gs_json j;

	switch (op->type) {
	case GS_OP_ALLOC:
		json_alloc(&j, op);
		break;
	case GS_OP_FREE:
		json_begin(&j, "free");
		gs_json_u64(&j, "t", op->free.tensor);
		break;
	case GS_OP_KERNEL:
		json_kernel(&j, op);
		break;
	case GS_OP_HOST:
		json_begin(&j, "host");
		json_part(&j, op->host.tensor, op->host.off, op->host.bytes);
		gs_json_str(&j, "rw", access_name(op->host.access));
		json_time(&j, op->host.duration_ps);
		break;
	case GS_OP_ADVICE:
		json_begin(&j, "advice");
		gs_json_str(&j, "advice", gs_advice_names[op->advice.advice]);
		json_part(&j, op->advice.tensor, op->advice.off, op->advice.bytes);
		gs_json_u64(&j, "dev", op->device);
		break;
	case GS_OP_MARK:
		json_begin(&j, "mark");
		gs_json_str(&j, "name", op->mark.iteration ? "iteration" : op->mark.name);
		gs_json_u64(&j, "index", op->mark.number);
		break;
	case GS_OP_SEGMENT_ALLOC:
	case GS_OP_SEGMENT_FREE:
		json_begin(&j, segment_event(op));
		gs_json_u64(&j, "va", op->segment.va);
		gs_json_u64(&j, "bytes", op->segment.bytes);
		gs_json_u64(&j, "dev", op->device);
		break;
	default:
		json_page(&j, op);
	}
	json_line_end(&j);
}

static void json_finish(u64 kernels, u64 iterations)
{
	struct gs_json j;

	json_begin(&j, "end");
	gs_json_u64(&j, "kernels", kernels);
	gs_json_u64(&j, "iterations", iterations);
	json_line_end(&j);
}

/* ---- the command ------------------------------------------------------ */

struct choice {
	bool json;
	u64 from, count;
};

/* Operations of @src that were asked for; stops early when nobody reads them. */
static int cat(struct gs_source *src, const struct choice *c)
{
	u64 kernels = 0, iterations = 0, end = c->from + c->count;
	struct gs_op op;
	int ret;

	if (end < c->from)
		end = U64_MAX;
	if (c->json)
		json_meta(&src->job);
	while ((ret = gs_source_next(src, &op)) == 1 && op.index < end && !ferror(stdout)) {
		if (op.index < c->from)
			continue;
		kernels += op.type == GS_OP_KERNEL;
		iterations += op.type == GS_OP_MARK && op.mark.iteration;
		if (c->json)
			json_op(&op);
		else
			tr_print_op(&op);
	}
	if (c->json && ret >= 0)
		json_finish(kernels, iterations);
	return ret < 0 ? ret : 0;
}

static bool parse_count(const char *s, u64 *v)
{
	char *end;

	errno = 0;
	*v = strtoull(s, &end, 10);
	return *s >= '0' && *s <= '9' && !*end && !errno;
}

int tr_cmd_cat(int argc, char **argv)
{
	static const struct option options[] = { { "help", no_argument, NULL, 'h' },
						 { "json", no_argument, NULL, 'j' },
						 { "from", required_argument, NULL, 'f' },
						 { "count", required_argument, NULL, 'c' },
						 { 0 } };
	struct choice c = { .count = U64_MAX };
	struct gs_source *src;
	int opt, ret;

	while ((opt = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (opt == 'j')
			c.json = true;
		else if (opt != 'f' && opt != 'c')
			return tr_cmd_option("cat", opt, argv);
		else if (!parse_count(optarg, opt == 'f' ? &c.from : &c.count))
			return tr_cmd_usage("cat", "'%s' is not a number", optarg);
	}
	if (argc - optind != 1)
		return tr_cmd_usage("cat", "one FILE is wanted");
	ret = tr_open(argv[optind], &src);
	if (ret)
		return tr_cmd_code(ret);
	ret = cat(src, &c);
	gs_source_close(src);
	return tr_cmd_code(ret);
}
