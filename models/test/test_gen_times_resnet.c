/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_gen_times_resnet.c - times of a generated ResNet-152 by the A100's roofline,
 * kernel by kernel, beside those that the G10 artifact measured on an A100 (f32)
 *
 * Nothing is fitted to these numbers.  The artifact timed each kernel once, without
 * warm-up, so that many carry the first call of a library on top: 64 ms for a batch
 * norm of 13 MB as for one of 3 GB, 110 or 600 ms for convolutions.  A roofline is not
 * meant to know these; they are counted, and left out.
 */
#include "models/test/times.h"

#include <math.h>

/* What takes longer carries a first call: none of these kernels is between 30 and 60 ms. */
#define FIRST_CALL_MS 50.0

enum { MAX_PARTS = 2, MAX_KERNELS = 512, PAGE = 4096, SMALL = 32768 };

static const struct row {
	const char *name;
	const char *measured[MAX_PARTS]; /* the generated kernel is their sum */
	const char *generated;
	bool largest; /* kernels are the same if their largest operand is, else if all are */
} rows[] = {
	{ "convolution, forward", { "Conv2d_Forward" }, "aten.convolution", false },
	{ "convolution, backward",
	  { "Conv2d_Backward_Input", "Conv2d_Backward_Weight" },
	  "aten.convolution_backward",
	  false },
	{ "batch norm, forward", { "BatchNorm2d_Forward" }, "aten.native_batch_norm", true },
	{ "batch norm, backward",
	  { "BatchNorm2d_Backward" },
	  "aten.native_batch_norm_backward",
	  true },
	{ "ReLU, forward", { "ReLU_Forward" }, "aten.relu_", true },
	{ "ReLU, backward", { "ReLU_Backward" }, "aten.threshold_backward", true },
	{ "sums", { "Add_Forward" }, "aten.add_", true },
	{ "sums of gradients", { "Add_MultiGredient" }, "aten.add", true },
	{ "max pool, forward", { "MaxPool2d_Forward" }, "aten.max_pool2d_with_indices", true },
	{ "average pool, forward", { "AdaptiveAvgPool2d_Forward" }, "aten.mean", true },
	{ "linear, forward", { "Linear_Forward" }, "aten.addmm", false },
};

/* Kernels of one row and one shape. */
struct shape {
	u32 row;
	u64 key;
	double made;
	double ms[MAX_PARTS][MAX_KERNELS]; /* measured, without first calls */
	u32 n[MAX_PARTS];
};

struct shapes {
	struct shape *s;
	size_t n, cap;
	ptrdiff_t last; /* generated */
	double before;	/* conversions that wait for their convolution */
	u32 measured[GS_ARRAY_SIZE(rows)], first_calls[GS_ARRAY_SIZE(rows)];
};

static struct shape *shape_of(struct shapes *all, u32 row, u64 key)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->s[i].row == row && all->s[i].key == key)
			return &all->s[i];
	GS_PUSH_ROOM(all->s, all->n, all->cap);
	all->s[all->n] = (struct shape){ .row = row, .key = key };
	return &all->s[all->n++];
}

/* Sizes of the operands, in whole pages as the artifact has them: their largest, or the
 * sum of the different ones (a gradient is as large as what it is of). */
static u64 key_of(const struct gs_op *op, const u64 *bytes, bool largest)
{
	u64 seen[16], n = 0, key = 0;

	for (u32 i = 0; i < op->kernel.ntouches && n < GS_ARRAY_SIZE(seen); i++) {
		u64 b = (bytes[op->kernel.touches[i].tensor] + PAGE - 1) / PAGE * PAGE, k = 0;

		while (k < n && seen[k] != b)
			k++;
		if (k < n || b < SMALL)
			continue;
		seen[n++] = b;
		key = largest ? gs_max(key, b) : key + b;
	}
	return key;
}

static void add_measured(struct shapes *all, struct shape *s, u32 part, double ms)
{
	all->measured[s->row]++;
	if (ms > FIRST_CALL_MS)
		all->first_calls[s->row]++;
	else if (s->n[part] < MAX_KERNELS)
		s->ms[part][s->n[part]++] = ms;
}

/* Conversions of the layout are part of the convolution they are for. */
static bool is_conversion(struct shapes *all, const struct gs_op *op, const struct gs_machine *m)
{
	bool in = !strcmp(op->kernel.name, "nchw_to_nhwc");

	if (in)
		all->before += times_ms(m, op);
	else if (!strcmp(op->kernel.name, "nhwc_to_nchw"))
		all->s[all->last].made += times_ms(m, op);
	else
		return false;
	return true;
}

static void add_kernel(struct shapes *all, const struct gs_op *op, const u64 *bytes,
		       const struct gs_machine *m)
{
	for (u32 i = 0; i < GS_ARRAY_SIZE(rows); i++) {
		u64 key = key_of(op, bytes, rows[i].largest);

		if (m && !strcmp(op->kernel.name, rows[i].generated)) {
			all->last = shape_of(all, i, key) - all->s;
			all->s[all->last].made = times_ms(m, op) + all->before;
		}
		for (u32 p = 0; !m && p < MAX_PARTS && rows[i].measured[p]; p++)
			if (!strcmp(op->kernel.name, rows[i].measured[p]))
				add_measured(all, shape_of(all, i, key), p, times_ms(NULL, op));
	}
}

static void add_job(struct shapes *all, struct gs_source *src, const struct gs_machine *m)
{
	u64 *bytes = gs_calloc(src->job.ntensors + 1, sizeof(*bytes));
	struct gs_op op;

	while (gs_source_next(src, &op) == 1) {
		if (op.type == GS_OP_ALLOC) /* workspaces are no operands of the network */
			bytes[op.alloc.tensor] =
				op.alloc.kind == GS_WORKSPACE && !m ? 0 : op.alloc.bytes;
		if (op.type != GS_OP_KERNEL || is_conversion(all, &op, m))
			continue;
		add_kernel(all, &op, bytes, m);
		all->before = 0;
	}
	free(bytes);
	gs_source_close(src);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double quantile(double *v, u32 n, double q)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[(u32)(q * (n - 1) + 0.5)];
}

/* Errors of a row: of each kernel that has a counterpart (its shape's median), and of all. */
struct errors {
	double each[MAX_KERNELS], size[MAX_KERNELS];
	double made, real;
	u32 n;
};

static void add_errors(struct shape *s, struct errors *e)
{
	u32 parts = rows[s->row].measured[1] ? 2 : 1, n = s->n[0];
	double real = 0;

	for (u32 p = 0; p < parts; p++) {
		if (!s->n[p] || s->made <= 0)
			return;
		real += quantile(s->ms[p], s->n[p], 0.5);
		n = (u32)gs_min(n, s->n[p]);
	}
	e->made += n * s->made;
	e->real += n * real;
	for (u32 i = 0; i < n && e->n < MAX_KERNELS; i++) {
		e->each[e->n] = 100 * (s->made / real - 1);
		e->size[e->n] = fabs(e->each[e->n]);
		e->n++;
	}
}

/* What the batch before came to, a kernel: the difference is free of what is done once. */
struct before {
	double made, real;
};

static void print_row(struct shapes *all, u32 row, struct before *b)
{
	struct errors e = { .n = 0 };
	double median, made, real;

	for (size_t i = 0; i < all->n; i++)
		if (all->s[i].row == row)
			add_errors(&all->s[i], &e);
	printf("    %-24s %4u %4u", rows[row].name, all->measured[row], all->first_calls[row]);
	if (!e.n) {
		printf("    0\n");
		return;
	}
	median = quantile(e.each, e.n, 0.5);
	made = e.made / e.n;
	real = e.real / e.n;
	printf(" %4u %8.1f %8.1f %+7.0f %% %7.0f %% %+7.0f %%", e.n, e.made, e.real, median,
	       quantile(e.size, e.n, 0.75), 100 * (made / real - 1));
	if (b->real && real > b->real)
		printf(" %+7.0f %%", 100 * ((made - b->made) / (real - b->real) - 1));
	printf("\n");
	*b = (struct before){ made, real };
	/* f32 convolutions on the vector units would be two to seven times as slow */
	if (row < 2)
		assert_true(fabs(median) < 75);
}

static void as_measured(struct gen_options *o, struct gen_model *m)
{
	(void)m;
	o->optimizer = GEN_SGD;
}

static void times_of_resnet_beside_measured_ones(void **state)
{
	static const u64 batches[] = { 256, 512, 1024 }; /* not interpolated */
	struct before before[GS_ARRAY_SIZE(rows)] = { 0 };
	struct rig r;
	int n = 0;

	rig_machine(&r, NULL, NULL);
	for (size_t i = 0; i < GS_ARRAY_SIZE(batches); i++) {
		struct gs_source *src = times_measured("ResNet152", batches[i]);
		struct shapes all = { 0 };

		if (!src)
			continue;
		n++;
		add_job(&all, src, NULL);
		add_job(&all, times_generated("resnet152", batches[i], as_measured), &r.machine);
		printf("  ResNet-152, batch %llu: kernels measured, first calls, compared; ms "
		       "generated, measured; median error, 75 %% within, of the sum, of what "
		       "the larger batch adds\n",
		       batches[i]);
		for (u32 k = 0; k < GS_ARRAY_SIZE(rows); k++)
			print_row(&all, k, &before[k]);
		free(all.s);
	}
	hw_machine_fini(&r.machine);
	gs_config_free(r.cfg);
	if (!n)
		times_skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_of_resnet_beside_measured_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
