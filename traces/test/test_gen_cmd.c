/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_gen_cmd.c - `gmemsim trace gen` as a user types it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "traces/gen.h"
#include "traces/test/command.h"

static int gen(const char *words)
{
	char *line = gs_asprintf("gen %s", words);
	int code = run(line);

	free(line);
	return code;
}

static void wrong_usage_is_the_users_fault(void **state)
{
	static const char *const words[][2] = {
		{ "", "no --model" },
		{ "--model nonsense", "no configs/model/nonsense.yaml; `--model list`" },
		{ "--model lama-70b", "did you mean 'llama-70b'?" },
		{ "--model GPT2-XL", "did you mean 'gpt2-xl'?" },
		{ "--model gpt2 --dtype f17", "--dtype: \"f17\" is none of f32, f16, bf16" },
		{ "--model gpt2 --batch 0", "--batch" },
		{ "--model gpt2 --seq 2000", "longer than the table of positions, 1024" },
		{ "--model gpt2 --seq 1024 --phase decode", "--seq and --iterations" },
		{ "--model vit-h --image 13", "a patch wide at least" },
		{ "--model dlrm --microbatches 2", "its batch is not divided" },
		{ "--model gpt2 x", "what is 'x'?" },
		{ "--model gpt2 --nonsense 1", "unknown option --nonsense" },
		{ "--model gpt2 --devices 5 --parallel tp", "tp=5 must divide" },
		{ "--model gpt2 --batch 13 --devices 13 --parallel pp", "a layer at least" },
		{ "--model gpt2 --parallel tq=2", "'tq' is none of tp, pp" },
		{ "--model gpt2 --parallel tp=0", "a number of devices" },
		{ "--model gpt2 --parallel tp,pp --devices 4", "only one may go without" },
		{ "--model gpt2 --parallel dp=2,zero1=2", "the same twice" },
		{ "--model gpt2 --parallel tp=2,pp=2 --devices 8", "is for 4 devices" },
		{ "--model gpt2 --parallel tp=4,pp --devices 6", "is for 4 devices" },
		{ "--model gpt2 --parallel tp=1000,dp=1000", "1024 are the most" },
		{ "--model gpt2 --parallel sp", "wants tp with it" },
		{ "--model bert-base --parallel tp=2,sp", "predict the next token" },
		{ "--model gpt2 --phase prefill --parallel zero1=2", "for --phase train" },
		{ "--model gpt2 --batch 4 --microbatches 3", "must divide --batch" },
		{ "--model llama-7b --batch 16777216 --seq 1048576", "more than 2^63 bytes" },
		{ "--model resnet50 --batch 16777216 --image 100000", "more than 2^63 bytes" },
		{ "--model vit-h --batch 100000 --parallel dp=2", "more than 16 TiB" },
		{ "--model resnet50 --devices 2 --parallel tp", "by --parallel dp" },
		{ "--model resnet50 --phase decode", "--phase train only" },
		{ "--model bert-base --phase decode", "only causal networks decode" },
		{ "--model dlrm --devices 2 --parallel dp", "by --parallel tp" },
		{ "--model gpt2 --batch 1 --seq 8 -o build", "is not a file" },
	};

	for (size_t i = 0; i < GS_ARRAY_SIZE(words); i++) {
		assert_int_equal(gen(words[i][0]), GS_EXIT_USER);
		if (!strstr(err, words[i][1]))
			fail_msg("%s: wanted '%s', got '%s'", words[i][0], words[i][1], err);
		assert_string_equal(out, "");
	}
}

/* Generate what is described by @rows below `model:`. */
static int describe(const char *rows, const char *words)
{
	FILE *f = fopen("build/test_gen.yaml", "w");
	char *line = gs_asprintf("--model build/test_gen.yaml %s", words);
	int code;

	fprintf(f, "model:\n  name: mine\n  %s\n", rows);
	fclose(f);
	code = gen(line);
	free(line);
	return code;
}

/* Own descriptions: what stands in the file, and what is said of it. */
static void wrong_descriptions_are_refused(void **state)
{
	static const char *const files[][2] = {
		{ "block: {count: 2, width: 64, heads: 4, ffn: 256}", "vocab is due" },
		{ "vocab: 9\n  block: {count: 2, width: 64, ffn: 256}", "block.heads" },
		{ "vocab: 9\n  block: {count: 2, width: 64, heads: 5, ffn: 256}",
		  "block.heads must divide block.width" },
		{ "vocab: 9\n  block: {count: 2, width: 64, heads: 4, kv_heads: 3, ffn: 256}",
		  "block.kv_heads must divide" },
		{ "patch: 16\n  block: {count: 2, width: 64, heads: 4, ffn: 256}",
		  "head: classes" },
		{ "family: cnn", "is no list of up to 8 numbers" },
		{ "family: cnn\n  blocks: \"3, 0\"", "1 to 1000 bottlenecks" },
		{ "family: cnn\n  blocks: \"3, 4000000000\"", "1 to 1000 bottlenecks" },
		{ "family: cnn\n  blocks: \"1, 1, 1, 1, 1, 1, 1, 1\"\n  stem: 100000\n"
		  "  image: 100000",
		  "more than 2^63" },
		{ "family: dlrm\n  tables: \"9, 0\"\n  bottom: \"128\"\n  top: \"1\"",
		  "tables: number 2 is 0" },
		{ "family: dlrm\n  tables: \"9\"\n  bottom: \"64\"\n  top: \"1\"",
		  "bottom must end in dim" },
		{ "family: dlrm\n  tables: \"9\"\n  bottom: \"128\"\n  top: \"8\"",
		  "top must end in 1" },
		{ "family: dlrm\n  tables: \"9\"\n  bottom: \"128\"\n  top: \"1\"\n  pooling: 0",
		  "pooling are 1 at least" },
		{ "family: dlrm\n  tables: \"9\"\n  bottom: \"1099511627776, 1099511627776, 128\"\n"
		  "  top: \"1\"",
		  "more than 2^63" },
	};

	for (size_t i = 0; i < GS_ARRAY_SIZE(files); i++) {
		assert_int_equal(describe(files[i][0], ""), GS_EXIT_USER);
		if (!strstr(err, files[i][1]))
			fail_msg("%s: wanted '%s', got '%s'", files[i][0], files[i][1], err);
	}
	unlink("build/test_gen.yaml");
}

static void own_descriptions_are_made(void **state)
{
	/* one matrix for queries and for the keys that heads share */
	assert_int_equal(describe("vocab: 9\n  position: rotary\n  block: {count: 1, width: 32, "
				  "heads: 4, kv_heads: 2, ffn: 16, fused_qkv: true, bias: false}",
				  "--batch 2 --seq 8 -o build/test_gen.gmt"),
			 GS_EXIT_OK);
	/* tables 2 x 288, norms 3 x 64, attention 32 x (32 + 2 x 16) + 1024, MLP 2 x 512 */
	assert_non_null(strstr(out, ": 4864 parameters, "));
	unlink("build/test_gen.gmt");
	unlink("build/test_gen.yaml");
}

static void help_teaches(void **state)
{
	assert_int_equal(gen("--help"), GS_EXIT_OK);
	for (const struct gm_param *row = gen_option_rows; row->key; row++) {
		char word[64];

		snprintf(word, sizeof(word), "--%s ", row->key);
		assert_non_null(strstr(out, word));
	}
	assert_int_equal(gen("--model list"), GS_EXIT_OK);
	assert_non_null(
		strstr(out, "gpt2-xl             1557611200   GPT-2 XL; Radford et al. 2019"));
}

static void a_job_is_written(void **state)
{
	assert_int_equal(gen("--model gpt2 --batch 1 --seq 8 -o build/test_gen.gmt"), GS_EXIT_OK);
	assert_non_null(strstr(out, "build/test_gen.gmt: 124439808 parameters, "));
	assert_int_equal(gen("--model gpt2 --batch 1 --seq 8 --parallel dp=2 -o "
			     "build/test_gen.gmt"),
			 GS_EXIT_OK);
	assert_non_null(strstr(out, "--trace build/test_gen.gmt --set device.count=2\n"));
	unlink("build/test_gen.gmt");
	free(out);
	out = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_usage_is_the_users_fault),
		cmocka_unit_test(wrong_descriptions_are_refused),
		cmocka_unit_test(own_descriptions_are_made),
		cmocka_unit_test(help_teaches),
		cmocka_unit_test(a_job_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
