/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_gen_times.c - times of a generated BERT by the A100's roofline, beside those
 * that the G10 artifact measured on an A100 (f32, attention written out, 128 tokens)
 *
 * Nothing is fitted: the table shows how far off a roofline is.  Element-wise,
 * norm and reduce are one row, since the artifact's layer norms are chains of both.
 */
#include "models/test/rig.h"

#include <math.h>

#include "traces/gen.h"
#include "traces/import.h"

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
		gs_time ps;

		if (op.type == GS_OP_ALLOC)
			kind[op.alloc.tensor] = op.alloc.kind;
		if (op.type != GS_OP_KERNEL || !op.kernel.ntouches)
			continue;
		weight = strstr(op.kernel.name, "Weight") ||
			 (m &&
			  kind[op.kernel.touches[op.kernel.ntouches - 1].tensor] == GS_GRADIENT);
		ps = m ? hw_roofline(m, op.kernel.opclass, op.kernel.dtype, op.kernel.flops,
				     op.kernel.bytes)
		       : op.kernel.duration_ps;
		t->ms[row_of(&op, weight)] += (double)ps / 1e9;
	}
	free(kind);
	gs_source_close(src);
}

/* BERT base as the artifact has it: ReLU, one matrix for q, k, v, no dropout, no word logits. */
static void generated(u64 batch, struct times *t)
{
	struct gen_options o = { 0 };
	struct gen_model m = { 0 };
	struct gs_config *cfg;
	struct gs_source *src;
	struct tr_writer *w;
	struct rig r;
	const char *why;
	u64 n;

	for (const struct gm_param *row = gen_option_rows; row->key; row++)
		assert_int_equal(gs_param_parse(row, row->def, &o, &why), 0);
	assert_int_equal(gen_model_load("bert-base", NULL, &cfg, &m), 0);
	m.dropout = 0;
	m.mlp = GEN_RELU;
	m.fused_qkv = true;
	m.head = GEN_CLASSES;
	m.classes = 2;
	o.batch = (u32)batch;
	o.seq = 128;
	o.optimizer = GEN_SGD;
	assert_int_equal(gen_job(&o, &m, NULL, &w, &n), 0);
	assert_int_equal(tr_writer_source(w, "bert", &src), 0);
	rig_machine(&r, NULL, NULL);
	add_up(src, &r.machine, t);
	hw_machine_fini(&r.machine);
	gs_config_free(r.cfg);
	gs_config_free(cfg);
}

/* The measured ones; false where the data are not here. */
static bool measured(u64 batch, struct times *t)
{
	const char *data = getenv("GMEMSIM_DATA");
	char *dir = gs_asprintf("%s/g10/BERT_Base-%llu", data ? data : "../shared/data", batch);
	char *kernels = gs_asprintf("%s/kernels.config", dir);
	FILE *f = fopen(kernels, "r");
	struct gs_source *src;
	struct tr_writer *w;

	if (f) {
		fclose(f);
		gs_quiet = true;
		assert_int_equal(tr_g10_import(dir, NULL, &w), 0);
		assert_int_equal(tr_writer_source(w, dir, &src), 0);
		add_up(src, NULL, t);
	}
	free(kernels);
	free(dir);
	return f;
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
	int n = 0;

	for (size_t i = 0; i < GS_ARRAY_SIZE(batches); i++) {
		struct times made = { 0 }, real = { 0 };

		if (!measured(batches[i], &real))
			continue;
		n++;
		generated(batches[i], &made);
		table(batches[i], &made, &real);
	}
	if (!n) {
		print_message("g10 is absent: skipped (GMEMSIM_DATA may point to its folder)\n");
		skip();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_of_bert_beside_measured_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
