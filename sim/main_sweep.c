/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_sweep.c - `gmemsim sweep`: a grid of runs
 */
#include "sim/main_sweep.h"
#include "sim/version.h"
#include "traces/trace.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *sweep_path(const struct sweep *sw, size_t point, const char *suffix)
{
	return gs_asprintf("%s/points/%04zu%s", sw->out, point, suffix);
}

int sweep_setup(const struct sweep *sw, size_t point, struct setup *s)
{
	struct sets all = { 0 };
	int err;

	for (size_t i = 0; i < sw->sets.n; i++)
		sets_add(&all, sw->sets.v[i]);
	for (size_t a = 0; a < sw->grid.naxes; a++) {
		const struct gs_case *c = gs_grid_case(&sw->grid, point, a);

		for (size_t i = 0; i < c->nsets; i++)
			sets_add(&all, c->sets[i]);
	}
	err = setup_load(s, sw->config, all.v, all.n);
	s->swept = true;
	sets_fini(&all);
	return err;
}

/* ---- checks before anything is written -------------------------------------- */

static int load_grid(struct sweep *sw)
{
	struct setup s;
	int err = setup_load(&s, sw->config, sw->sets.v, sw->sets.n);

	if (!err && !gs_config_children(s.cfg, "sweep")) {
		gs_err("%s: has no section `sweep`; `gmemsim sweep --help` shows one", sw->config);
		err = -EINVAL;
	}
	if (!err)
		err = gs_grid_load(&sw->grid, s.cfg, s.sections);
	if (!err)
		sw->config_hash = setup_hash(&s);
	setup_fini(&s);
	return err;
}

/* The trace that the last point used stays open: mostly all use the same. */
struct checker {
	char *path;
	struct gs_source *source;
};

static int check_trace(struct checker *c, struct setup *s)
{
	int err = setup_trace(s);

	if (err || (c->path && !strcmp(c->path, s->trace)))
		return err;
	gs_source_close(c->source);
	c->source = NULL;
	free(c->path);
	c->path = gs_strdup(s->trace);
	return tr_open(s->trace, &c->source);
}

static int check_point(struct sweep *sw, size_t i, struct checker *c)
{
	struct setup s;
	int err = sweep_setup(sw, i, &s);

	if (!err)
		err = check_trace(c, &s);
	if (!err)
		err = setup_machine(&s, &c->source->job);
	if (!err) {
		u64 parts[2] = { setup_hash(&s), c->source->job.hash };

		sw->trace_hash = c->source->job.hash;
		sw->points[i].stamp =
			gs_hash(parts, sizeof(parts), 0) ^ gs_hash(gs_commit, strlen(gs_commit), 1);
		hw_machine_fini(&s.machine);
	}
	setup_fini(&s);
	return err;
}

static int check_points(struct sweep *sw)
{
	struct checker c = { NULL, NULL };
	int err = 0;

	sw->points = gs_calloc(sw->grid.npoints, sizeof(*sw->points));
	for (size_t i = 0; i < sw->grid.npoints && !err; i++)
		err = check_point(sw, i, &c);
	gs_source_close(c.source);
	free(c.path);
	return err;
}

/* ---- the command ----------------------------------------------------------------- */

static int parse_jobs(u32 *jobs, const char *text)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || n < 1 || n > 4096) {
		gs_err("sweep: -j takes a number of points at a time, not '%s'", text);
		return GS_EXIT_USER;
	}
	*jobs = (u32)n;
	return -1;
}

/* "90", "90 s", "10 min", "2 h" */
static int parse_timeout(u64 *seconds, const char *text)
{
	static const struct {
		const char *name;
		u64 seconds;
	} units[] = { { "", 1 }, { "s", 1 }, { "min", 60 }, { "h", 3600 } };
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	while (*end == ' ')
		end++;
	for (size_t i = 0; i < GS_ARRAY_SIZE(units) && n > 0 && n < 1000000; i++) {
		if (strcmp(end, units[i].name))
			continue;
		*seconds = n * units[i].seconds;
		return -1;
	}
	gs_err("sweep: --timeout takes a time, as in \"90 s\", \"10 min\" or \"2 h\", not '%s'",
	       text);
	return GS_EXIT_USER;
}

static int check_engine(const char *name)
{
	if (!strcmp(name, "local"))
		return -1;
	if (!strcmp(name, "slurm"))
		gs_err("sweep: the engine slurm comes with a later version");
	else
		gs_err("sweep: there is no engine '%s'; known: local", name);
	return GS_EXIT_USER;
}

static const struct option longs[] = {
	{ "trace", required_argument, NULL, 't' },
	{ "set", required_argument, NULL, 's' },
	{ "output", required_argument, NULL, 'o' },
	{ "jobs", required_argument, NULL, 'j' },
	{ "engine", required_argument, NULL, 'e' },
	{ "resume", no_argument, NULL, 'r' },
	{ "retry-failed", no_argument, NULL, 'f' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "timeout", required_argument, NULL, 'T' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* -1: go on; otherwise the exit code. */
static int parse(struct sweep *sw, int argc, char **argv)
{
	int c, rc = -1;

	optind = 0;
	while (rc < 0 && (c = getopt_long(argc, argv, "o:j:qh", longs, NULL)) != -1) {
		if (c == 't')
			sets_trace(&sw->sets, optarg);
		else if (c == 's')
			sets_add(&sw->sets, optarg);
		else if (c == 'o')
			sw->out = gs_strdup(optarg);
		else if (c == 'j')
			rc = parse_jobs(&sw->jobs, optarg);
		else if (c == 'e')
			rc = check_engine(optarg);
		else if (c == 'T')
			rc = parse_timeout(&sw->timeout, optarg);
		else if (c == 'r' || c == 'f')
			sw->resume = true;
		else if (c == 'q')
			gs_quiet = true;
		else
			rc = c == 'h' ? GS_EXIT_OK : GS_EXIT_USER;
		sw->retry |= c == 'f';
		if (c == 'h')
			main_help(stdout, "sweep");
	}
	if (rc < 0 && optind + 1 != argc) {
		gs_err("sweep: which configuration?  try `gmemsim sweep --help`");
		rc = GS_EXIT_USER;
	}
	sw->config = argv[optind];
	return rc;
}

/* results/NAME for a/b/NAME.yaml */
static char *default_out(const char *config)
{
	const char *base = strrchr(config, '/');
	const char *dot;

	base = base ? base + 1 : config;
	dot = strrchr(base, '.');
	return gs_asprintf("results/%.*s",
			   (int)(dot && dot > base ? dot - base : (long)strlen(base)), base);
}

/* Why it ended early, and how to go on. */
static int stopped(const struct sweep *sw)
{
	size_t done = 0;

	for (size_t i = 0; i < sw->grid.npoints; i++)
		done += sw->points[i].row || sw->points[i].reason;
	gs_err("%s after %zu of %zu points; with --resume the same command goes on from there",
	       sw->stop, done, sw->grid.npoints);
	return GS_EXIT_USER;
}

static void tell_warnings(const struct sweep *sw)
{
	size_t n;
	char **texts = sweep_warnings(sw, &n);

	fflush(stdout);
	for (size_t i = 0; i < n; i++) {
		gs_warn("%s", texts[i]);
		free(texts[i]);
	}
	free(texts);
}

static int sweep(struct sweep *sw)
{
	size_t failed = 0;

	if (sw->resume)
		sweep_take_up(sw);
	sweep_run(sw);
	if (sw->stop)
		return stopped(sw);
	if (sweep_write(sw))
		return GS_EXIT_USER;
	for (size_t i = 0; i < sw->grid.npoints; i++)
		failed += !!sw->points[i].reason;
	if (!gs_quiet) {
		sweep_print(stdout, sw);
		tell_warnings(sw);
	}
	return failed == sw->grid.npoints ? GS_EXIT_FAILED : GS_EXIT_OK;
}

int cmd_sweep(int argc, char **argv)
{
	struct sweep sw = { .jobs = (u32)sysconf(_SC_NPROCESSORS_ONLN), .lock = -1 };
	int rc = parse(&sw, argc, argv);

	if (rc < 0 && !sw.out)
		sw.out = default_out(sw.config);
	if (rc < 0 && (load_grid(&sw) || check_points(&sw) || sweep_open(&sw)))
		rc = GS_EXIT_USER;
	if (rc < 0)
		rc = sweep(&sw);
	sweep_close(&sw);
	for (size_t i = 0; sw.points && i < sw.grid.npoints; i++) {
		free(sw.points[i].row);
		free(sw.points[i].reason);
		for (size_t k = 0; k < sw.points[i].nnotes; k++)
			free(sw.points[i].notes[k]);
		free(sw.points[i].notes);
	}
	free(sw.points);
	gs_grid_free(&sw.grid);
	sets_fini(&sw.sets);
	free(sw.out);
	if (sw.stop_signal) /* the shell is to know */
		raise(sw.stop_signal);
	return rc;
}
