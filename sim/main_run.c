/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_run.c - `gmemsim run`: one configuration, one result
 */
#include "sim/main.h"

#include <getopt.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct options {
	struct sets sets;
	const char *config, *out;
	bool json, quiet, help_config, help;
};

static const struct option longs[] = {
	{ "trace", required_argument, NULL, 't' },  { "set", required_argument, NULL, 's' },
	{ "output", required_argument, NULL, 'o' }, { "json", no_argument, NULL, 'j' },
	{ "quiet", no_argument, NULL, 'q' },	    { "help-config", no_argument, NULL, 'c' },
	{ "help", no_argument, NULL, 'h' },	    { NULL, 0, NULL, 0 },
};

static int parse(struct options *o, int argc, char **argv)
{
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "o:qh", longs, NULL)) != -1) {
		switch (c) {
		case 't':
			sets_trace(&o->sets, optarg);
			break;
		case 's':
			sets_add(&o->sets, optarg);
			break;
		case 'o':
			o->out = optarg;
			break;
		case 'j':
			o->json = true;
			break;
		case 'q':
			o->quiet = true;
			break;
		case 'c':
			o->help_config = true;
			break;
		case 'h':
			o->help = true;
			break;
		default:
			return GS_EXIT_USER; /* getopt has said it */
		}
	}
	if (optind < argc)
		o->config = argv[optind++];
	if (optind == argc && (o->config || o->help || o->help_config))
		return GS_EXIT_OK;
	gs_err("run: %s; try `gmemsim run --help`",
	       optind < argc ? "one configuration at a time" : "which configuration?");
	return GS_EXIT_USER;
}

static int write_results(const struct run *r, const char *path)
{
	struct gs_outdir *dir = gs_outdir_begin(path);

	if (!dir)
		return GS_EXIT_USER;
	if (gs_report_write(dir, &r->report)) {
		gs_outdir_abort(dir);
		return GS_EXIT_USER;
	}
	return gs_outdir_commit(dir) ? GS_EXIT_USER : GS_EXIT_OK;
}

/* What the run took of this machine: on stderr, since no result depends on it. */
static void tell_cost(const struct timespec *start)
{
	struct timespec end;
	struct rusage ru;
	char peak[24];

	clock_gettime(CLOCK_MONOTONIC, &end);
	getrusage(RUSAGE_SELF, &ru);
	gs_info("took %.2f s and %s",
		(double)(end.tv_sec - start->tv_sec) +
			1e-9 * (double)(end.tv_nsec - start->tv_nsec),
		gs_text_bytes((u64)ru.ru_maxrss * 1024, peak));
}

static void tell_warnings(const struct gs_report *r)
{
	for (size_t i = 0; i < r->nwarnings && !gs_quiet; i++) {
		char *text = gs_warning_text(&r->warnings[i], true);

		gs_warn("%s", text);
		free(text);
	}
}

/* Nothing is written before the run is over. */
static int run(const struct options *o)
{
	struct gs_progress bar, *shown = !o->quiet && isatty(STDERR_FILENO) ? &bar : NULL;
	struct timespec start;
	struct setup s;
	struct run r = { 0 };
	int rc;

	clock_gettime(CLOCK_MONOTONIC, &start);
	rc = setup_load(&s, o->config, o->sets.v, o->sets.n) ? GS_EXIT_USER : GS_EXIT_OK;

	if (!rc && o->out && gs_outdir_check(o->out))
		rc = GS_EXIT_USER;
	if (!rc)
		rc = run_prepare(&r, &s);
	if (!rc) {
		if (shown)
			gs_progress_begin(shown, "replay", r.source->job.nops);
		rc = run_replay(&r, shown);
		if (shown)
			gs_progress_end(shown);
	}
	if (!rc && o->out)
		rc = write_results(&r, o->out);
	if (!rc && o->json)
		gs_report_json(stdout, &r.report);
	else if (!rc && !o->quiet)
		gs_report_print(stdout, &r.report);
	if (!rc && o->out && !o->json && !o->quiet)
		printf("\nwritten to %s\n", o->out);
	fflush(stdout);
	if (!rc)
		tell_warnings(&r.report);
	if (!rc)
		tell_cost(&start);
	run_fini(&r);
	setup_fini(&s);
	return rc;
}

int cmd_run(int argc, char **argv)
{
	struct options o = { .config = NULL };
	int rc = parse(&o, argc, argv);

	if (!rc && o.help)
		main_help(stdout, "run");
	else if (!rc && o.help_config)
		help_config(stdout, false);
	else if (!rc) {
		gs_quiet = o.quiet;
		rc = run(&o);
	}
	sets_fini(&o.sets);
	return rc;
}
