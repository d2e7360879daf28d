/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gen_help.c - what `gmemsim trace gen` tells: --help, --model list */
#include <errno.h>
#include <string.h>

#include "traces/gen.h"

/* Headings, each before the option named. */
static const char *const headings[][2] = {
	{ "phase", "What runs" },
	{ "checkpoint", "How, and what is kept in memory" },
	{ "devices", "Several devices" },
	{ "lookup", "Tables of which some rows are read" },
};

static const char *value_of(const struct gm_param *r, char *words, size_t size)
{
	size_t n = 0;

	for (u32 i = 0; r->names && r->names[i] && n < size; i++)
		n += (size_t)snprintf(words + n, size - n, "%s%s", i ? "|" : "", r->names[i]);
	return r->names			 ? words
	       : r->unit == GM_BPS	 ? "RATE"
	       : r->kind == GM_KIND_REAL ? "X"
	       : r->kind == GM_KIND_STR	 ? "HOW"
					 : "N";
}

static void print_row(const struct gm_param *r)
{
	char left[96], words[64];

	snprintf(left, sizeof(left), "--%s %s", r->key, value_of(r, words, sizeof(words)));
	printf("  %-36s %s (%s)\n", left, r->help, r->def);
}

static void print_rows(void)
{
	for (const struct gm_param *r = gen_option_rows; r->key; r++) {
		for (size_t i = 0; i < GS_ARRAY_SIZE(headings); i++)
			if (!strcmp(headings[i][0], r->key))
				printf("\n%s\n", headings[i][1]);
		print_row(r);
	}
}

void gen_help(void)
{
	fputs("usage: gmemsim trace gen --model NAME [options] [-o OUT.gmt]\n\n"
	      "works a job out from a network's dimensions: its tensors, their lives, its kernels\n"
	      "with FLOPs and bytes.  Durations depend on the device: replay with\n"
	      "`workload.timing: roofline`, and device.launch_gap for small kernels (decoding).\n"
	      "traces/GENERATOR.md tells what is assumed and how far it is right.\n\n"
	      "  --model NAME                         configs/model/NAME.yaml; `--model list` "
	      "shows "
	      "all\n"
	      "  --model FILE.yaml                    another description (or --config FILE)\n"
	      "  -o OUT.gmt                           where it goes (NAME.gmt here)\n",
	      stdout);
	print_rows();
	fputs("\n--parallel names shares, the product of which is --devices: tp=8 cuts matrices in "
	      "8,\n"
	      "pp=4 makes 4 stages, dp=2 is 2 replicas, zero1 to zero3 divide what replicas "
	      "repeat\n"
	      "(optimizer state, gradients, weights), sp divides with tp what it leaves whole.  "
	      "One\n"
	      "may go without a number and takes the devices that are left: --devices 8 --parallel "
	      "tp.\n\n"
	      "GPT-2 as the recorded sample, and Llama-70B on eight devices, recomputing blocks:\n"
	      "  gmemsim trace gen --model gpt2 --batch 8 --seq 512 -o gpt2.gmt\n"
	      "  gmemsim trace gen --model llama-70b --dtype bf16 --batch 8 --seq 4096 --devices 8 "
	      "\\\n"
	      "      --parallel tp --checkpoint block -o llama.gmt\n"
	      "  gmemsim run configs/exp/single.yaml --trace llama.gmt --set device.count=8\n"
	      "Without a file, where a trace is named (so that a sweep can go over it):\n"
	      "  gmemsim run configs/exp/single.yaml --trace \"gen:gpt2 --batch 8\"\n"
	      "  gmemsim run configs/exp/single.yaml --trace \"gen:mine.yaml --batch 8\"\n"
	      "A recommender whose tables the host reads, and a chat that grows its cache:\n"
	      "  gmemsim trace gen --model dlrm --batch 2048 --lookup host -o dlrm.gmt\n"
	      "  gmemsim trace gen --model llama-7b --dtype f16 --phase decode --seq 2048 \\\n"
	      "      --iterations 100 -o chat.gmt\n",
	      stdout);
}

/* One line of --model list: its parameters are counted, by making the smallest job. */
static int print_model(const struct gen_options *o, const char *name)
{
	struct gs_config *cfg = NULL;
	struct gen_model m = { 0 };
	struct tr_writer *w;
	u64 nparams;
	int err = gen_model_load(name, NULL, &cfg, &m);

	if (!err)
		err = gen_job(o, &m, NULL, &w, &nparams);
	if (!err) {
		tr_writer_abort(w);
		printf("%-14s %15llu   %s; %s\n", name, nparams, m.name, m.source);
	}
	gs_config_free(cfg);
	return err;
}

int gen_print_models(const struct gen_options *o)
{
	struct gen_options small = *o;
	char **names = gen_model_names();
	int err = 0;

	small.batch = small.seq = 1;
	printf("%-14s %15s\n", "NAME", "parameters");
	for (char **n = names; *n && !err; n++)
		err = print_model(&small, *n);
	gen_model_names_free(names);
	return err;
}
