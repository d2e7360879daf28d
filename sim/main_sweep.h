/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_sweep.h - a sweep under way: its grid, its points, its directory
 *
 *	DIR/points/0007.json	summary.json of point 7
 *	DIR/points/0007.csv	its stamp and its row: there when the point is done
 *	DIR/points/0007.log	what a failed point said
 *	DIR/sweep.csv		one row a point, in the order of the grid
 *	DIR/sweep.json		provenance, axes
 */
#ifndef GS_MAIN_SWEEP_H
#define GS_MAIN_SWEEP_H

#include "sim/config_sweep.h"
#include "sim/main.h"

#include <sys/types.h>

struct point {
	u64 stamp;    /* hash of all that the result depends on */
	pid_t pid;    /* 0: not running */
	char *row;    /* values of gs_mean_rows as in sweep.csv; NULL: not done */
	char *reason; /* why it failed; NULL: it did not */
};

struct sweep {
	const char *config;
	char *out;
	struct sets sets;
	u32 jobs;
	bool resume;
	struct gs_grid grid;
	struct point *points; /* grid.npoints of them */
	u64 config_hash, trace_hash;
};

/* Bind the configuration of one point.  0 or -errno (said). */
int sweep_setup(const struct sweep *sw, size_t point, struct setup *s);
/* A file of a point: "DIR/points/0007.csv", to be freed. */
char *sweep_path(const struct sweep *sw, size_t point, const char *suffix);

/* Run all points that are due, sw->jobs at a time; each ends with row or reason. */
void sweep_run(struct sweep *sw);
/* Take up the points that an earlier sweep finished. */
void sweep_take_up(struct sweep *sw);

/* sweep.csv and sweep.json.  0 or -errno (said). */
int sweep_write(const struct sweep *sw);
/* The table: a line for each case of the axes but the last, a column for each of the last. */
void sweep_print(FILE *f, const struct sweep *sw);

#endif
