/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_points.c - `gmemsim validate points`: experiments and their runs
 */
#include "sim/main_points.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int experiment_load(struct experiment *e, const char *path)
{
	int err;

	e->path = path;
	err = setup_load(&e->setup, path, NULL, 0);
	if (!err && !gs_config_children(e->setup.cfg, "points")) {
		gs_err("%s: has no section `points`; configs/exp/points has examples", path);
		err = -EINVAL;
	}
	e->grid = (struct gs_grid){ .npoints = 1 };
	if (!err && gs_config_children(e->setup.cfg, "sweep"))
		err = gs_grid_load(&e->grid, e->setup.cfg, e->setup.sections);
	return err ? err : figures_load(e);
}

static void experiment_fini(struct experiment *e)
{
	figures_fini(e);
	gs_grid_free(&e->grid);
	setup_fini(&e->setup);
}

static int point_setup(const struct experiment *e, size_t point, struct setup *s)
{
	struct sets all = { 0 };
	int err;

	for (size_t a = 0; a < e->grid.naxes; a++) {
		const struct gs_case *c = gs_grid_case(&e->grid, point, a);

		for (size_t i = 0; i < c->nsets; i++)
			sets_add(&all, c->sets[i]);
	}
	err = setup_load(s, e->path, all.v, all.n);
	sets_fini(&all);
	return err;
}

/* A run that fails ("does not fit") leaves its counters NAN: a result, too. */
static int run_point(struct experiment *e, size_t point)
{
	double *counted = &e->counted[point * e->ncounters];
	struct setup s;
	struct run r = { 0 };
	int rc = point_setup(e, point, &s) ? GS_EXIT_USER : GS_EXIT_OK;

	if (!rc)
		rc = run_prepare(&r, &s);
	if (!rc)
		rc = run_replay(&r, NULL);
	for (size_t i = 0; i < e->ncounters; i++)
		counted[i] = rc ? NAN : figure_counter(&r, e->counters[i]);
	for (size_t i = 0; i < e->ncounters && !rc; i++) {
		if (!isnan(counted[i]))
			continue;
		gs_err("%s: there is no counter '%s' in a run of manager %s", e->path,
		       e->counters[i], s.ops->name);
		rc = GS_EXIT_USER;
	}
	run_fini(&r);
	setup_fini(&s);
	return rc == GS_EXIT_FAILED ? GS_EXIT_OK : rc;
}

static int run_experiment(struct experiment *e, struct gs_progress *bar)
{
	int rc = GS_EXIT_OK;

	e->counted = gs_calloc(e->grid.npoints * e->ncounters, sizeof(*e->counted));
	for (size_t i = 0; i < e->grid.npoints && !rc; i++) {
		if (!e->wanted[i])
			continue;
		rc = run_point(e, i);
		if (bar)
			gs_progress_update(bar, bar->done + 1);
	}
	for (size_t i = 0; i < e->nfigures && !rc; i++)
		figure_eval(e, &e->figures[i]);
	return rc;
}

static u64 runs_of(const struct experiment *e, size_t n)
{
	u64 sum = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t p = 0; p < e[i].grid.npoints; p++)
			sum += e[i].wanted[p];
	return sum;
}

static int run_all(struct experiment *e, size_t n)
{
	struct gs_progress bar, *shown = isatty(STDERR_FILENO) && !gs_quiet ? &bar : NULL;
	int rc = GS_EXIT_OK;

	if (shown)
		gs_progress_begin(shown, "points", runs_of(e, n));
	for (size_t i = 0; i < n && !rc; i++)
		rc = run_experiment(&e[i], shown);
	if (shown)
		gs_progress_end(shown);
	return rc;
}

static int write_csv(const struct experiment *e, size_t n, const char *path)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	int err;

	gs_assert(f);
	points_csv(f, e, n);
	fclose(f);
	err = gs_make_parents(path);
	if (!err)
		err = gs_write_file(path, text, size);
	free(text);
	return err ? GS_EXIT_USER : GS_EXIT_OK;
}

/* A figure that is off without a word about it is a failure. */
static int judge(const struct experiment *e, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < e[i].nfigures; k++)
			if (figure_verdict(&e[i].figures[k]) == POINT_OFF)
				return GS_EXIT_FAILED;
	return GS_EXIT_OK;
}

static int validate_files(char **files, size_t n, const char *csv)
{
	struct experiment *e = gs_calloc(n, sizeof(*e));
	int rc = GS_EXIT_OK;

	for (size_t i = 0; i < n && !rc; i++)
		rc = experiment_load(&e[i], files[i]) ? GS_EXIT_USER : GS_EXIT_OK;
	if (!rc)
		rc = run_all(e, n);
	if (!rc && csv)
		rc = write_csv(e, n, csv);
	if (!rc) {
		points_print(stdout, e, n);
		rc = judge(e, n);
	}
	for (size_t i = 0; i < n; i++)
		experiment_fini(&e[i]);
	free(e);
	return rc;
}

static int is_yaml(const struct dirent *d)
{
	const char *dot = strrchr(d->d_name, '.');

	return dot && !strcmp(dot, ".yaml");
}

int validate_points(char **files, int n, const char *csv)
{
	char *dir, **all;
	struct dirent **d = NULL;
	int rc;

	if (n)
		return validate_files(files, (size_t)n, csv);
	dir = main_configs("exp/points");
	n = scandir(dir, &d, is_yaml, alphasort);
	all = gs_calloc((size_t)n + 1, sizeof(*all));
	for (int i = 0; i < n; i++) {
		all[i] = gs_asprintf("%s/%s", dir, d[i]->d_name);
		free(d[i]);
	}
	if (n > 0)
		rc = validate_files(all, (size_t)n, csv);
	else
		rc = gs_cannot("read", dir) ? GS_EXIT_USER : GS_EXIT_OK;
	for (int i = 0; i < n; i++)
		free(all[i]);
	free(all);
	free(d);
	free(dir);
	return rc;
}
