/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_points.h - figures that others published, beside what is simulated
 *
 *	main_points.c		an experiment: its runs
 *	main_points_eval.c	a figure: which runs, which counters, what comes out
 *	main_points_print.c	the table and the CSV
 *
 * An experiment is a configuration with a section `points`, one entry a figure,
 * and mostly a section `sweep`: the runs are its grid, those that a figure names.
 */
#ifndef GS_MAIN_POINTS_H
#define GS_MAIN_POINTS_H

#include "sim/config_sweep.h"
#include "sim/main.h"

/* What one unknown does to a range: mean of the figure at its highest over its lowest case. */
struct effect {
	const char *axis, *lowest, *highest;
	double factor;
};

enum verdict { POINT_OK, POINT_INSIDE, POINT_OPEN, POINT_OFF };

struct figure { /* `points.NAME`: figure_rows */
	const char *name;
	const char *what, *source, *published;
	const char *value, *at, *over, *over_at;
	double per;
	bool saved;
	double low, high;
	u32 within;
	const char *why, *open;

	/* understood */
	double wanted, unit; /* in base units: published = wanted * unit */
	u64 *select[2];	     /* cases of each axis, a bit each; of value and of over */
	size_t counter[2];
	bool ratio;

	/* found, in the unit of `published` */
	double simulated, min, max; /* a range: its geometric mean and ends */
	u64 combinations;
	struct effect *effects; /* largest first */
	size_t neffects;
};
enum { MAX_CASES = 64 }; /* of an axis */

struct experiment {
	const char *path;
	struct setup setup; /* keeps the strings */
	struct gs_grid grid;
	struct figure *figures;
	size_t nfigures;
	const char **counters; /* that some figure asks for */
	size_t ncounters, cap_counters;
	bool *wanted;	 /* a grid point: some figure asks for it */
	double *counted; /* [grid point][counter]; NAN: the run failed */
};

/* ---- main_points_eval.c ---- */

/* Fill in what each figure of @e means, and which runs it wants.  0 or -errno (said). */
int figures_load(struct experiment *e);
void figures_fini(struct experiment *e);
/* The value of counter @name of a finished run; NAN: there is none. */
double figure_counter(const struct run *r, const char *name);
/* From e->counted: simulated, min, max, effects. */
void figure_eval(const struct experiment *e, struct figure *f);
enum verdict figure_verdict(const struct figure *f);

/* ---- main_points_print.c ---- */

extern const char *const verdict_names[];
void points_print(FILE *out, const struct experiment *e, size_t n);
void points_csv(FILE *out, const struct experiment *e, size_t n);

/* `gmemsim validate points`: files (none: all of configs/exp/points), CSV to @csv. */
int validate_points(char **files, int n, const char *csv);

#endif
