/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_sweep.h - a sweep under way: its grid, its points, its directory
 *
 *	DIR/points/0007.json	summary.json of point 7
 *	DIR/points/0007.csv	its stamp, row and warnings: there when the point is done
 *	DIR/points/0007.log	what a failed point said
 *	DIR/points/0007.fail	its stamp and the reason
 *	DIR/sweep.lock		while a sweep is at work: its process
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
	u64 due_ns;   /* running: when it has taken too long */
	bool overdue; /* killed for that */
	int log;      /* running: what it says */
	char *row;    /* values of gs_mean_rows as in sweep.csv; NULL: not done */
	char *reason; /* why it failed; NULL: it did not */
	char **notes; /* "# exempt" or "# KIND KEY warning" */
	size_t nnotes, cap_notes;
};

struct sweep {
	const char *config;
	char *out;
	struct sets sets;
	u32 jobs;
	u64 timeout; /* seconds for a point; 0: any */
	bool resume, retry;
	int lock;	  /* descriptor of sweep.lock, -1: not held */
	const char *stop; /* why it ends early; NULL: it does not */
	int stop_signal;
	u32 running;
	struct gs_grid grid;
	struct point *points; /* grid.npoints of them */
	u64 config_hash, trace_hash;
};

/* Bind the configuration of one point.  0 or -errno (said). */
int sweep_setup(const struct sweep *sw, size_t point, struct setup *s);
/* A file of a point: "DIR/points/0007.csv", to be freed. */
char *sweep_path(const struct sweep *sw, size_t point, const char *suffix);

/* Make, lock and clear the directory.  0 or -errno (said). */
int sweep_open(struct sweep *sw);
void sweep_close(struct sweep *sw);

/* In a process of its own: the answer is its exit status, GS_EXIT_* or the one below. */
int sweep_point(const struct sweep *sw, size_t point);
enum { SWEEP_CANNOT_WRITE = 4 }; /* the run is well, its result cannot be written */
/* It ended with @status of wait(): row, reason, or sweep_stop(). */
void sweep_point_ended(struct sweep *sw, size_t point, int status);
/*
 * Run all points that are due, sw->jobs at a time; each ends with row or reason,
 * or sw->stop says why not all were run.
 */
void sweep_run(struct sweep *sw);
/* No more points: @why is the beginning of a message. */
void sweep_stop(struct sweep *sw, const char *why);
/* Take up the points that an earlier sweep finished, or that failed unless sw->retry. */
void sweep_take_up(struct sweep *sw);

/* sweep.csv and sweep.json.  0 or -errno (said). */
int sweep_write(const struct sweep *sw);
/* What makes the sweep mean nothing, in order; texts and array are to be freed. */
char **sweep_warnings(const struct sweep *sw, size_t *n);
/* The table: a line for each case of the axes but the last, a column for each of the last. */
void sweep_print(FILE *f, const struct sweep *sw);

#endif
