/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_gen_times.c - times of a generated BERT by the A100's roofline, beside those
 * that the G10 artifact measured on an A100 (f32, attention written out, 128 tokens)
 *
 * Nothing is fitted: the table shows how far off a roofline is.  Element-wise,
 * norm and reduce are one row, since the artifact's layer norms are chains of both.
 */
#include "models/test/times.h"

#include <math.h>

enum { GEMM_F, GEMM_B, GEMM_W, SOFTMAX_F, SOFTMAX_B, VECTOR, GATHER, STEP, NROWS };

static const char *const row_names[NROWS] = {
	"gemm, forward",
	"gemm, gradients of inputs",
	"gemm, gradients of weights",
	"softmax, forward",
	"softmax, backward",
	"element-wise, norm, reduce",
	"gather",
	"optimizer",
};

struct times {
	double ms[NROWS];
};

/* @weight: the kernel makes a weight's gradient. */
static int row_of(const struct gs_op *op, bool weight)
{
	bool back = op->kernel.phase == GS_BACKWARD;

	if (op->kernel.phase == GS_STEP || op->kernel.opclass == GS_OPTIMIZER_STEP)
		return STEP;
	switch (op->kernel.opclass) {
	case GS_GEMM:
		return !back ? GEMM_F : weight ? GEMM_W : GEMM_B;
	case GS_SOFTMAX:
		return back ? SOFTMAX_B : SOFTMAX_F;
	case GS_GATHER:
		return GATHER;
	default:
		return VECTOR; /* copies too: the artifact has none */
	}
}

static void add_up(struct gs_source *src, const struct gs_machine *m, struct times *t)
{
	u8 *kind = gs_calloc(src->job.ntensors + 1, 1);
	struct gs_op op;

	while (gs_source_next(src, &op) == 1) {
		bool weight;

		if (op.type == GS_OP_ALLOC)
			kind[op.alloc.tensor] = op.alloc.kind;
		if (op.type != GS_OP_KERNEL || !op.kernel.ntouches)
			continue;
		weight = strstr(op.kernel.name, "Weight") ||
			 (m &&
			  kind[op.kernel.touches[op.kernel.ntouches - 1].tensor] == GS_GRADIENT);
		t->ms[row_of(&op, weight)] += times_ms(m, &op);
	}
	free(kind);
	gs_source_close(src);
}

/* BERT base as the artifact has it: ReLU, one matrix for q, k, v, no dropout, no word logits. */
static void as_measured(struct gen_options *o, struct gen_model *m)
{
	m->dropout = 0;
	m->mlp = GEN_RELU;
	m->fused_qkv = true;
	m->head = GEN_CLASSES;
	m->classes = 2;
	o->seq = 128;
	o->optimizer = GEN_SGD;
}

static void table(u64 batch, const struct times *made, const struct times *real)
{
	double a = 0, b = 0;

	printf("  BERT base, batch %llu: ms generated, measured, error\n", batch);
	for (int i = 0; i < NROWS; i++) {
		printf("    %-28s %10.1f %10.1f %+8.1f %%\n", row_names[i], made->ms[i],
		       real->ms[i], real->ms[i] ? 100 * (made->ms[i] / real->ms[i] - 1) : 0.0);
		a += made->ms[i];
		b += real->ms[i];
	}
	printf("    %-28s %10.1f %10.1f %+8.1f %%\n", "all", a, b, 100 * (a / b - 1));
	/* the rows that are one library call each; the artifact's other kernels are plain ones */
	assert_true(fabs(made->ms[GEMM_F] / real->ms[GEMM_F] - 1) < 0.3);
	assert_true(fabs(made->ms[GEMM_W] / real->ms[GEMM_W] - 1) < 0.5);
}

static void times_of_bert_beside_measured_ones(void **state)
{
	static const u64 batches[] = { 128, 256, 512, 768 }; /* not interpolated */
	struct rig r;
	int n = 0;

	rig_machine(&r, NULL, NULL);
	for (size_t i = 0; i < GS_ARRAY_SIZE(batches); i++) {
		struct gs_source *src = times_measured("BERT_Base", batches[i]);
		struct times made = { 0 }, real = { 0 };

		if (!src)
			continue;
		n++;
		add_up(src, NULL, &real);
		add_up(times_generated("bert-base", batches[i], as_measured), &r.machine, &made);
		table(batches[i], &made, &real);
	}
	hw_machine_fini(&r.machine);
	gs_config_free(r.cfg);
	if (!n)
		times_skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_of_bert_beside_measured_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
