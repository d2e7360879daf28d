/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_gen.c - the generator against published numbers and recorded jobs */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "traces/cmd.h"
#include "traces/gen.h"
#include "traces/test/said.h"

/* What a job comes to; totals are of all iterations. */
struct sums {
	u64 params;
	double flops[GS_NR_OPCLASSES];
	u64 kernels[GS_NR_OPCLASSES];
	u64 peak, hash;
	u64 kind[GS_NR_TENSOR_KINDS];	     /* alive at the end */
	u64 at_backward[GS_NR_TENSOR_KINDS]; /* ... where backward begins, first iteration */
	u64 before[GS_NR_TENSOR_KINDS];	     /* ... at the first mark */
	u64 peer_bytes, host_ops, touches, most_touches; /* read from other devices' tensors */
};

struct life {
	u64 bytes;
	u16 device;
	u8 kind;
};

static void count_kernel(struct sums *s, const struct gs_op *op, const struct life *life,
			 const u64 *live, bool *backward)
{
	s->flops[op->kernel.opclass] += (double)op->kernel.flops;
	s->kernels[op->kernel.opclass]++;
	s->touches += op->kernel.ntouches;
	s->most_touches = gs_max(s->most_touches, op->kernel.ntouches);
	for (u32 i = 0; i < op->kernel.ntouches; i++)
		if (life[op->kernel.touches[i].tensor].device != op->device)
			s->peer_bytes += op->kernel.touches[i].bytes;
	if (op->kernel.phase == GS_BACKWARD && !*backward) {
		*backward = true;
		memcpy(s->at_backward, live, sizeof(s->at_backward));
	}
}

static void count(struct gs_source *src, struct sums *s)
{
	struct life *life = gs_calloc(src->job.ntensors + 1, sizeof(*life));
	bool backward = false;
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
			count_kernel(s, &op, life, s->kind, &backward);
		} else if (op.type == GS_OP_MARK && op.mark.iteration && !op.mark.number) {
			memcpy(s->before, s->kind, sizeof(s->before));
		}
		s->host_ops += op.type == GS_OP_HOST;
	}
	assert_int_equal(ret, 0);
	free(life);
	gs_source_close(src);
}

/* "--batch 8 --dtype f16": rows of the option table. */
static struct gen_options options(const char *words)
{
	struct gen_options o = { 0 };
	char *text = gs_strdup(words), *save, *key, *value;
	const char *why;

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
	free(text);
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

/* ---- published numbers --------------------------------------------------------- */

static void parameters_are_those_published(void **state)
{
	/* BERT with the heads of its pre-training, ViT with 1000 classes */
	static const struct {
		const char *model;
		u64 n;
	} rows[] = {
		{ "gpt2", 124439808 },		{ "gpt2-xl", 1557611200 },
		{ "bert-base", 110106428 },	{ "bert-large", 336226108 },
		{ "llama-7b", 6738415616 },	{ "llama-70b", 68976648192 },
		{ "llama-405b", 405853388800 }, { "vit-h", 632045800 },
		{ "resnet50", 25557032 },	{ "resnet152", 60192808 },
	};

	for (size_t i = 0; i < GS_ARRAY_SIZE(rows); i++) {
		struct sums s = job(rows[i].model, "--batch 1 --seq 16 --optimizer sgd");

		within(rows[i].model, (double)s.params, (double)rows[i].n, 0.1);
	}
}

/* Bytes that one more block keeps for backward. */
static double block_bytes(const char *model, const char *words)
{
	struct sums a = job_of(model, 3, words), b = job_of(model, 4, words);

	return (double)(b.at_backward[GS_ACTIVATION] - a.at_backward[GS_ACTIVATION]);
}

/* Korthikanti et al. 2022 (arXiv 2205.05198), table 2: fp16, attention written out */
static void activations_are_those_of_korthikanti(void **state)
{
	static const struct {
		const char *model, *words;
		double s, b, h, a;
	} rows[] = {
		{ "gpt2", "--dtype f16 --batch 8 --seq 512", 512, 8, 768, 12 },
		{ "gpt2-xl", "--dtype f16 --batch 4 --seq 1024", 1024, 4, 1600, 25 },
		{ "bert-large", "--dtype f16 --batch 8 --seq 512", 512, 8, 1024, 16 },
	};

	for (size_t i = 0; i < GS_ARRAY_SIZE(rows); i++) {
		double sbh = rows[i].s * rows[i].b * rows[i].h;
		double want = sbh * (34 + 5 * rows[i].a * rows[i].s / rows[i].h);
		char words[128];

		within(rows[i].model, block_bytes(rows[i].model, rows[i].words), want, 5);
		snprintf(words, sizeof(words), "%s --checkpoint block", rows[i].words);
		within("  checkpointed: 2 sbh", block_bytes(rows[i].model, words), 2 * sbh, 5);
	}
}

/* Tensor parallel: sbh (10 + 24/t + 5as/ht), the same table. */
static void activations_shrink_with_tensor_parallelism(void **state)
{
	double s = 512, b = 8, h = 768, a = 12, t = 4;
	double want = s * b * h * (10 + 24 / t + 5 * a * s / (h * t));

	within("gpt2, tp 4",
	       block_bytes("gpt2", "--dtype f16 --batch 8 --seq 512 --devices 4 --parallel tp") / t,
	       want, 5);
}

/* Kaplan et al. 2020: 6 N a token, and 12 layers x width x length for attention. */
static void flops_are_six_a_parameter_and_token(void **state)
{
	static const struct {
		const char *model, *words;
		double n, tokens, l, h, s, passes;
	} rows[] = {
		/* n: without tables that are only looked up */
		{ "gpt2-xl", "--batch 4 --seq 1024", 1557611200 - 1024 * 1600., 4096, 48, 1600,
		  1024, 6 },
		{ "llama-7b", "--batch 2 --seq 2048 --dtype bf16 --attention math",
		  6738415616. - 32000 * 4096., 4096, 32, 4096, 2048, 6 },
		{ "llama-70b", "--batch 1 --seq 4096 --dtype bf16 --attention math",
		  68976648192. - 32000 * 8192., 4096, 80, 8192, 4096, 6 },
	};

	for (size_t i = 0; i < GS_ARRAY_SIZE(rows); i++) {
		struct sums s = job(rows[i].model, rows[i].words);
		double all = 0, want;

		for (u32 c = 0; c < GS_NR_OPCLASSES; c++)
			all += s.flops[c];
		want = rows[i].passes * rows[i].tokens *
		       (rows[i].n + 2 * rows[i].l * rows[i].h * rows[i].s);
		within(rows[i].model, s.flops[GS_GEMM], want, 1);
		within("  with all other operators", all, want, 5);
	}
}

static void recomputing_costs_a_third_more(void **state)
{
	const char *plain = "--batch 1 --seq 512 --dtype bf16 --attention math";
	const char *again = "--batch 1 --seq 512 --dtype bf16 --attention math --checkpoint block";

	within("llama-7b recomputed",
	       job("llama-7b", again).flops[GS_GEMM] - job("llama-7b", plain).flops[GS_GEMM],
	       2. * 512 * (6738415616. - 2 * 32000 * 4096. + 2. * 32 * 4096 * 512), 1);
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

static u64 state_bytes(const struct sums *s)
{
	return s->kind[GS_WEIGHT] + s->kind[GS_GRADIENT] + s->kind[GS_OPTIMIZER];
}

/* Rajbhandari et al. 2020 (ZeRO), figure 1: 16 bytes a parameter, shared by degrees. */
static void zero_divides_what_is_kept(void **state)
{
	const double n = 124439808, d = 4;
	struct sums dp, z1, z3;

	dp = job("gpt2", "--batch 1 --seq 16 --dtype f16 --devices 4 --parallel dp");
	z1 = job("gpt2", "--batch 1 --seq 16 --dtype f16 --devices 4 --parallel zero1");
	z3 = job("gpt2", "--batch 1 --seq 16 --dtype f16 --devices 4 --parallel zero3");
	within("dp: 16 bytes", (double)state_bytes(&dp) / d, 16 * n, 1);
	within("zero3: 16/n bytes", (double)state_bytes(&z3) / d, 16 * n / d, 1);
	within("zero1: 2 + 2 + 12/n, and the reduced 2/n", (double)state_bytes(&z1) / d,
	       (4 + 14 / d) * n, 1);
}

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
	static const char *const ways[] = { "tp", "pp", "dp", "zero1", "zero3" };
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

/* ---- the command ------------------------------------------------------------------------ */

static const char *err;
static char *out;

static int run(const char *words)
{
	char *argv[24] = { "trace", "gen" }, *line = gs_strdup(words), *save;
	FILE *real = stdout;
	size_t len;
	int argc = 2, code;

	for (char *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	free(out);
	stdout = open_memstream(&out, &len);
	said_begin();
	code = tr_cmd(argc, argv);
	err = said_end();
	fclose(stdout);
	stdout = real;
	free(line);
	return code;
}

static void wrong_usage_is_the_users_fault(void **state)
{
	static const char *const words[][2] = {
		{ "", "no --model" },
		{ "--model nonsense", "no configs/model/nonsense.yaml" },
		{ "--model gpt2 --dtype f17", "--dtype: \"f17\" is none of f32, f16, bf16" },
		{ "--model gpt2 --batch 0", "--batch" },
		{ "--model gpt2 --seq 2000", "longer than the table of positions" },
		{ "--model gpt2 x", "what is 'x'?" },
		{ "--model gpt2 --nonsense 1", "unknown option --nonsense" },
		{ "--model gpt2 --devices 5 --parallel tp", "must divide" },
		{ "--model gpt2 --batch 13 --devices 13 --parallel pp", "a layer at least" },
		{ "--model gpt2 --batch 4 --microbatches 3", "must divide --batch" },
		{ "--model llama-7b --batch 16777216 --seq 1048576", "more than 2^64 bytes" },
		{ "--model resnet50 --batch 16777216 --image 100000", "more than 2^64 bytes" },
		{ "--model resnet50 --devices 2 --parallel tp", "by --parallel dp" },
		{ "--model resnet50 --phase decode", "--phase train only" },
		{ "--model bert-base --phase decode", "only causal networks decode" },
		{ "--model dlrm --devices 2 --parallel dp", "by --parallel tp" },
		{ "--model gpt2 --batch 1 --seq 8 -o build", "is not a file" },
	};

	for (size_t i = 0; i < GS_ARRAY_SIZE(words); i++) {
		assert_int_equal(run(words[i][0]), GS_EXIT_USER);
		if (!strstr(err, words[i][1]))
			fail_msg("%s: wanted '%s', got '%s'", words[i][0], words[i][1], err);
		assert_string_equal(out, "");
	}
}

static void help_teaches(void **state)
{
	assert_int_equal(run("--help"), GS_EXIT_OK);
	for (const struct gm_param *row = gen_option_rows; row->key; row++) {
		char word[64];

		snprintf(word, sizeof(word), "--%s ", row->key);
		assert_non_null(strstr(out, word));
	}
}

static void a_job_is_written(void **state)
{
	assert_int_equal(run("--model gpt2 --batch 1 --seq 8 -o build/test_gen.gmt"), GS_EXIT_OK);
	assert_non_null(strstr(out, "build/test_gen.gmt: 124439808 parameters, "));
	unlink("build/test_gen.gmt");
	free(out);
	out = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_are_those_published),
		cmocka_unit_test(activations_are_those_of_korthikanti),
		cmocka_unit_test(activations_shrink_with_tensor_parallelism),
		cmocka_unit_test(flops_are_six_a_parameter_and_token),
		cmocka_unit_test(recomputing_costs_a_third_more),
		cmocka_unit_test(gpt2_is_like_the_recorded_one),
		cmocka_unit_test(resnet50_is_like_the_recorded_one),
		cmocka_unit_test(zero_divides_what_is_kept),
		cmocka_unit_test(collectives_move_what_a_ring_does),
		cmocka_unit_test(every_way_to_share_makes_a_valid_job),
		cmocka_unit_test(decoding_grows_the_cache),
		cmocka_unit_test(prefill_leaves_a_cache),
		cmocka_unit_test(tables_are_touched_row_by_row),
		cmocka_unit_test(wrong_usage_is_the_users_fault),
		cmocka_unit_test(help_teaches),
		cmocka_unit_test(a_job_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
