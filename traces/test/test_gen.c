/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * test_gen.c - the generator against recorded jobs; shares of devices, phases, tables
 *
 * Published numbers are in test_gen_published.py, the command in test_gen_cmd.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "traces/gen.h"

/* What a job comes to; totals are of all iterations. */
struct sums {
	u64 params;
	double flops[GS_NR_OPCLASSES];
	u64 kernels[GS_NR_OPCLASSES];
	u64 peak, hash;
	u64 kind[GS_NR_TENSOR_KINDS];			 /* alive at the end */
	u64 before[GS_NR_TENSOR_KINDS];			 /* ... at the first mark */
	u64 peer_bytes, host_ops, touches, most_touches; /* read from other devices' tensors */
};

struct life {
	u64 bytes;
	u16 device;
	u8 kind;
};

static void count_kernel(struct sums *s, const struct gs_op *op, const struct life *life)
{
	s->flops[op->kernel.opclass] += (double)op->kernel.flops;
	s->kernels[op->kernel.opclass]++;
	s->touches += op->kernel.ntouches;
	s->most_touches = gs_max(s->most_touches, op->kernel.ntouches);
	for (u32 i = 0; i < op->kernel.ntouches; i++)
		if (life[op->kernel.touches[i].tensor].device != op->device)
			s->peer_bytes += op->kernel.touches[i].bytes;
}

static void count(struct gs_source *src, struct sums *s)
{
	struct life *life = gs_calloc(src->job.ntensors + 1, sizeof(*life));
	struct gs_op op;
	int ret;

	s->peak = src->job.bytes_peak;
	s->hash = src->job.hash;
	while ((ret = gs_source_next(src, &op)) == 1) {
		if (op.type == GS_OP_ALLOC) {
			life[op.alloc.tensor] =
				(struct life){ op.alloc.bytes, op.device, op.alloc.kind };
			s->kind[op.alloc.kind] += op.alloc.bytes;
		} else if (op.type == GS_OP_FREE) {
			s->kind[life[op.free.tensor].kind] -= life[op.free.tensor].bytes;
		} else if (op.type == GS_OP_KERNEL) {
			count_kernel(s, &op, life);
		} else if (op.type == GS_OP_MARK && op.mark.iteration && !op.mark.number) {
			memcpy(s->before, s->kind, sizeof(s->before));
		}
		s->host_ops += op.type == GS_OP_HOST;
	}
	assert_int_equal(ret, 0);
	free(life);
	gs_source_close(src);
}

/* "--batch 8 --dtype f16": rows of the option table.  Strings last until the next call. */
static struct gen_options options(const char *words)
{
	static char text[256];
	struct gen_options o = { 0 };
	char *save, *key, *value;
	const char *why;

	snprintf(text, sizeof(text), "%s", words);

	for (const struct gm_param *row = gen_option_rows; row->key; row++)
		assert_int_equal(gs_param_parse(row, row->def, &o, &why), 0);
	for (key = strtok_r(text, " ", &save); key; key = strtok_r(NULL, " ", &save)) {
		const struct gm_param *row = gen_option_rows;

		value = strtok_r(NULL, " ", &save);
		while (row->key && strcmp(row->key, key + 2))
			row++;
		assert_non_null(row->key);
		assert_int_equal(gs_param_parse(row, value, &o, &why), 0);
	}
	return o;
}

/* Generate; @layers > 0 replaces the number of blocks. */
static struct sums job_of(const char *model, u32 layers, const char *words)
{
	struct gen_options o = options(words);
	struct gs_config *cfg;
	struct gen_model m = { 0 };
	struct gs_source *src;
	struct tr_writer *w;
	struct sums s = { 0 };

	assert_int_equal(gen_model_load(model, NULL, &cfg, &m), 0);
	if (layers)
		m.layers = layers;
	assert_int_equal(gen_job(&o, &m, NULL, &w, &s.params), 0);
	assert_int_equal(tr_writer_source(w, model, &src), 0);
	count(src, &s);
	gs_config_free(cfg);
	return s;
}

static struct sums job(const char *model, const char *words)
{
	return job_of(model, 0, words);
}

static double error_of(double got, double want)
{
	return want ? 100 * (got / want - 1) : 0;
}

static void within(const char *what, double got, double want, double percent)
{
	double e = error_of(got, want);

	printf("  %-44s %18.0f %18.0f %+8.3f %%\n", what, got, want, e);
	if (fabs(e) > percent)
		fail_msg("%s: %.0f is %.2f %% off %.0f", what, got, e, want);
}

/* ---- recorded jobs ----------------------------------------------------------------- */

static void like_recorded(const char *path, const char *model, const char *words)
{
	struct sums made = job(model, words), real = { 0 };
	struct gs_source *src;

	assert_int_equal(tr_open(path, &src), 0);
	count(src, &real);
	printf("  %s\n", path);
	within("live bytes at most", (double)made.peak, (double)real.peak, 10);
	for (u32 c = 0; c < GS_NR_OPCLASSES; c++) {
		char what[64];

		snprintf(what, sizeof(what), "%s, FLOP", gs_opclass_names[c]);
		within(what, made.flops[c], real.flops[c], 1);
		assert_int_equal(made.kernels[c], real.kernels[c]);
	}
}

static void gpt2_is_like_the_recorded_one(void **state)
{
	like_recorded("traces/sample/gpt2-small.gmt", "gpt2",
		      "--batch 8 --seq 512 --iterations 3 --kernels cpu");
}

static void resnet50_is_like_the_recorded_one(void **state)
{
	like_recorded("traces/sample/resnet50.gmt", "resnet50",
		      "--batch 32 --iterations 3 --kernels cpu --optimizer momentum");
}

/* ---- several devices ------------------------------------------------------------------ */

/* A ring moves 2 (n-1)/n of what it sums; under tp twice forward and backward a block. */
static void collectives_move_what_a_ring_does(void **state)
{
	const char *words = "--dtype f16 --batch 2 --seq 256 --devices 4 --parallel tp";
	double x = 2. * 2 * 256 * 768;
	struct sums a = job_of("gpt2", 2, words), b = job_of("gpt2", 3, words);

	within("tp: 4 all-reduces a block", (double)(b.peer_bytes - a.peer_bytes),
	       4 * 4 * x * 2 * 3 / 4, 1);
	a = job("gpt2", "--dtype f16 --batch 1 --seq 16 --devices 4 --parallel dp");
	within("dp: one of all gradients", (double)a.peer_bytes, 4 * 2. * 124439808 * 2 * 3 / 4, 1);
}

static void every_way_to_share_makes_a_valid_job(void **state)
{
	static const char *const ways[] = {
		"tp",	      "pp",	    "dp",	    "zero1",	     "zero2",
		"zero3",      "tp,sp",	    "tp=2,pp",	    "tp=2,dp",	     "pp=2,dp=2",
		"tp=2,zero3", "pp=2,zero1", "tp=2,pp=2,sp", "tp=2,zero2,sp",
	};
	static const char *const rest[] = { "", "--checkpoint block --dtype bf16",
					    "--microbatches 2 --comm local --optimizer momentum" };
	char words[160];

	for (size_t i = 0; i < GS_ARRAY_SIZE(ways); i++) {
		for (size_t k = 0; k < GS_ARRAY_SIZE(rest); k++) {
			struct sums s;

			snprintf(words, sizeof(words),
				 "--batch 4 --seq 32 --devices 4 --iterations 2 --parallel %s %s",
				 ways[i], rest[k]);
			s = job("gpt2", words);
			/* what is left: loss and activations are gone */
			assert_int_equal(s.kind[GS_ACTIVATION], 0);
			assert_int_equal(s.params, 124439808);
			assert_true(k == 2 || s.peer_bytes > 0);
			assert_true(s.kind[GS_WORKSPACE] <= 4 * 512);
		}
	}
}

/* A batch in parts is the same work, but for optimizer and sums of gradients. */
static void micro_batches_divide_the_batch(void **state)
{
	static const char *const models[][2] = {
		{ "resnet50", "--batch 8" },
		{ "gpt2", "--batch 8 --seq 64" },
	};
	char words[64];

	for (size_t i = 0; i < GS_ARRAY_SIZE(models); i++) {
		struct sums whole = job(models[i][0], models[i][1]), parts;

		snprintf(words, sizeof(words), "%s --microbatches 4", models[i][1]);
		parts = job(models[i][0], words);
		within(models[i][0], parts.flops[GS_GEMM] + parts.flops[GS_CONV],
		       whole.flops[GS_GEMM] + whole.flops[GS_CONV], 0.01);
		within("  the step", parts.flops[GS_OPTIMIZER_STEP], whole.flops[GS_OPTIMIZER_STEP],
		       0);
	}
}

/* Rows of x on each device: norms and dropouts are divided too, products are not. */
static void sequence_parallel_divides_what_tp_leaves(void **state)
{
	const char *words = "--batch 2 --seq 64 --parallel tp=4", *rows = "--batch 2 --seq 64 "
									  "--parallel tp=4,sp";
	struct sums tp = job("gpt2", words), sp = job("gpt2", rows);

	within("norm", sp.flops[GS_NORM], tp.flops[GS_NORM] / 4, 0);
	within("gemm", sp.flops[GS_GEMM], tp.flops[GS_GEMM], 0);
	/* all-gather and reduce-scatter are an all-reduce; x is gathered once more for dW */
	assert_true(sp.peer_bytes > tp.peer_bytes && sp.peer_bytes < 1.6 * (double)tp.peer_bytes);
}

/* ---- phases, tables ------------------------------------------------------------------- */

static void decoding_grows_the_cache(void **state)
{
	const double token = 2. * 2 * 32 * 4096; /* keys and values, f16, layers, width */
	struct sums s = job("llama-7b", "--phase decode --seq 256 --batch 1 --dtype f16 "
					"--iterations 2");

	within("cache of 256 tokens", (double)s.before[GS_KV_CACHE], 256 * token, 0.1);
	within("pieces of 256 tokens", (double)s.kind[GS_KV_CACHE], 512 * token, 0.1);
	assert_int_equal(s.kind[GS_ACTIVATION], 0);
	assert_int_equal(s.before[GS_GRADIENT] + s.before[GS_OPTIMIZER], 0);
}

/* However devices share a network, they cache each token of each sequence once. */
static void every_share_caches_the_same(void **state)
{
	static const char *const ways[] = { "--devices 4 --parallel pp",
					    "--devices 4 --parallel tp",
					    "--parallel tp=2,pp=2",
					    "--microbatches 2",
					    "--kv-block 16",
					    "--kv-block 0" };
	static const char *const phases[] = { "prefill", "decode" };
	char words[128];

	for (size_t p = 0; p < 2; p++) {
		for (size_t i = 0; i < GS_ARRAY_SIZE(ways); i++) {
			/* 128 a piece or whatever it is cut into: 128 tokens fill them */
			u64 seq = p ? 127 : 128;
			struct sums s;

			snprintf(words, sizeof(words),
				 "--phase %s --batch 4 --seq %llu --kv-block 128 --dtype f16 %s",
				 phases[p], seq, ways[i]);
			s = job_of("llama-70b", 4, words);
			within(words, (double)s.kind[GS_KV_CACHE], 4. * 128 * 4 * 2 * 2 * 8 * 128,
			       0);
		}
	}
}

static void prefill_leaves_a_cache(void **state)
{
	struct sums s = job("llama-70b", "--phase prefill --seq 512 --batch 2 --dtype f16 "
					 "--iterations 2");

	within("8 heads of 128, 80 layers", (double)s.kind[GS_KV_CACHE],
	       2. * 2 * 512 * 2 * 8 * 128 * 80, 0.1);
	assert_int_equal(s.kind[GS_ACTIVATION], 0);
}

static void tables_are_touched_row_by_row(void **state)
{
	struct sums a = job("dlrm", "--batch 512"), b = job("dlrm", "--batch 512"), c, h;

	assert_true(a.most_touches > 100);
	assert_int_equal(a.hash, b.hash);
	c = job("dlrm", "--batch 512 --seed 2");
	assert_int_not_equal(a.hash, c.hash);
	h = job("dlrm", "--batch 512 --lookup host");
	assert_true(h.host_ops > a.host_ops + 26 * 100);
	/* more skew, fewer distinct rows */
	assert_true(job("dlrm", "--batch 512 --zipf 1.5").touches < a.touches);
	assert_true(job("dlrm", "--batch 512 --zipf 0").touches > a.touches);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gpt2_is_like_the_recorded_one),
		cmocka_unit_test(resnet50_is_like_the_recorded_one),
		cmocka_unit_test(collectives_move_what_a_ring_does),
		cmocka_unit_test(every_way_to_share_makes_a_valid_job),
		cmocka_unit_test(micro_batches_divide_the_batch),
		cmocka_unit_test(sequence_parallel_divides_what_tp_leaves),
		cmocka_unit_test(decoding_grows_the_cache),
		cmocka_unit_test(every_share_caches_the_same),
		cmocka_unit_test(prefill_leaves_a_cache),
		cmocka_unit_test(tables_are_touched_row_by_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
