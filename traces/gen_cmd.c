/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gen_cmd.c - `gmemsim trace gen`: the options are the rows of gen_model.c, the help is gen_help.c */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sim/result.h"
#include "traces/cmd.h"
#include "traces/gen.h"

enum { MAX_OPTIONS = 32, ROWS = 256 }; /* row i is getopt's value ROWS + i */

static int set_row(const struct gm_param *row, const char *text, struct gen_options *o)
{
	const char *why;

	if (gs_param_parse(row, text, o, &why))
		return tr_cmd_usage("gen", "--%s: %s", row->key, why);
	return GS_EXIT_OK;
}

struct request {
	struct gen_options o;
	const char *model, *config, *out;
};

static void long_options(struct option *longs)
{
	size_t n = 0;

	longs[n++] = (struct option){ "help", no_argument, NULL, 'h' };
	longs[n++] = (struct option){ "model", required_argument, NULL, 'm' };
	longs[n++] = (struct option){ "config", required_argument, NULL, 'c' };
	for (int i = 0; gen_option_rows[i].key; i++)
		longs[n++] = (struct option){ gen_option_rows[i].key, required_argument, NULL,
					      ROWS + i };
	gs_assert(n < MAX_OPTIONS);
}

/* Is it the name of a description's file, not that of a network? */
static bool is_file(const char *name)
{
	size_t n = strlen(name);

	return n > 5 && !strcmp(name + n - 5, ".yaml");
}

/* GS_EXIT_OK and *done: there was --help. */
static int parse(int argc, char **argv, struct request *r, bool *done)
{
	struct option longs[MAX_OPTIONS] = { 0 };
	int opt, code = GS_EXIT_OK;

	long_options(longs);
	for (const struct gm_param *row = gen_option_rows; row->key; row++)
		gs_assert(!set_row(row, row->def, &r->o));
	while (!code && (opt = getopt_long(argc, argv, ":ho:", longs, NULL)) != -1) {
		if (opt >= ROWS)
			code = set_row(&gen_option_rows[opt - ROWS], optarg, &r->o);
		else if (opt == 'o')
			r->out = optarg;
		else if (opt == 'm' && !is_file(optarg))
			r->model = optarg;
		else if (opt == 'm' || opt == 'c')
			r->config = optarg;
		else if (opt != 'h')
			return tr_cmd_option("gen", opt, argv);
		if (opt == 'h') {
			gen_help();
			*done = true;
			return GS_EXIT_OK;
		}
	}
	if (!code && optind < argc)
		code = tr_cmd_usage("gen", "what is '%s'?", argv[optind]);
	if (!code && !r->model && !r->config)
		code = tr_cmd_usage("gen", "no --model");
	return code;
}

/* ---- as a source ---- */

enum { MAX_WORDS = 64 };

/* The words of @text, cut in place; how many. */
static int cut_words(char *text, char *words[MAX_WORDS])
{
	int n = 0;

	for (char *w = strtok(text, " "); w && n < MAX_WORDS - 1; w = strtok(NULL, " "))
		words[n++] = w;
	words[n] = NULL;
	return n;
}

static int make_source(const struct request *r, const char *spec, struct gs_source **out)
{
	struct gs_config *cfg = NULL;
	struct gen_model m = { 0 };
	struct tr_writer *w;
	u64 nparams;
	int err = gen_model_load(r->model, r->config, &cfg, &m);

	if (!err)
		err = gen_job(&r->o, &m, NULL, &w, &nparams);
	if (!err)
		err = tr_writer_source(w, spec, out);
	gs_config_free(cfg);
	return err;
}

int gen_open(const char *spec, struct gs_source **out)
{
	char *text = gs_asprintf("gen --model %s", spec + strlen(GEN_SCHEME));
	char *words[MAX_WORDS];
	struct request r = { 0 };
	bool help = false;
	int n = cut_words(text, words), err;

	optind = 0;
	err = parse(n, words, &r, &help) ? -EINVAL : 0;
	if (!err && (help || r.out)) {
		gs_err("%s: a network and its options are due, no files to write", spec);
		err = -EINVAL;
	}
	if (!err)
		err = make_source(&r, spec, out);
	free(text);
	return err;
}

/* ---- as a file ---- */

static void print_result(const char *out, const struct gs_job *job, u64 nparams)
{
	char peak[24], size[24];
	struct stat st;

	if (stat(out, &st))
		st.st_size = 0;
	printf("%s: %llu parameters, %llu kernels, %u tensors with a peak of %s, %u device%s, "
	       "%u iteration%s; %s\n",
	       out, nparams, job->nkernels, job->ntensors, gs_text_bytes(job->bytes_peak, peak),
	       job->ndevices, job->ndevices == 1 ? "" : "s", job->niterations,
	       job->niterations == 1 ? "" : "s", gs_text_bytes((u64)st.st_size, size));
	printf("replay it: gmemsim run configs/exp/single.yaml --trace %s", out);
	if (job->ndevices > 1)
		printf(" --set device.count=%u", job->ndevices);
	putchar('\n');
}

static int generate(const struct request *r, const struct gen_model *m, const char *out)
{
	struct tr_writer *w;
	struct gs_job job;
	struct stat st;
	u64 nparams;
	int err;

	if (!stat(out, &st) && !S_ISREG(st.st_mode)) {
		gs_err("%s: is there already and is not a file", out);
		return GS_EXIT_USER;
	}
	err = gen_job(&r->o, m, out, &w, &nparams);
	if (err)
		return tr_cmd_code(err);
	job = *tr_writer_job(w);
	err = tr_writer_finish(w);
	if (!err)
		print_result(out, &job, nparams);
	return tr_cmd_code(err);
}

/* "dir/mine.yaml" and "mine" become "mine.gmt", here. */
static char *name_out(const char *network)
{
	const char *base = strrchr(network, '/') ? strrchr(network, '/') + 1 : network;
	int n = (int)strlen(base) - (is_file(base) ? 5 : 0);

	return gs_asprintf("%.*s.gmt", n, base);
}

int tr_cmd_gen(int argc, char **argv)
{
	struct request r = { 0 };
	struct gs_config *cfg = NULL;
	struct gen_model m = { 0 };
	bool done = false;
	int code = parse(argc, argv, &r, &done), err;
	char *out;

	if (code || done)
		return code;
	if (r.model && !strcmp(r.model, "list"))
		return tr_cmd_code(gen_print_models(&r.o));
	err = gen_model_load(r.model, r.config, &cfg, &m);
	if (err) {
		gs_config_free(cfg);
		return GS_EXIT_USER;
	}
	out = r.out ? gs_strdup(r.out) : name_out(r.model ? r.model : r.config);
	code = generate(&r, &m, out);
	free(out);
	gs_config_free(cfg);
	return code;
}
