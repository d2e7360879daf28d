/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * result.h - writing down what a run found
 *
 * A report points at everything that is to be told of one run; whoever put the
 * run together fills it in.  The writers turn it into summary.json (all of it),
 * tables in CSV, and a page for people.  Nothing here depends on the machine,
 * the compiler or the time of day: the same run gives the same bytes.
 */
#ifndef GS_RESULT_H
#define GS_RESULT_H

#include "sim/out.h"
#include "sim/replay.h"

/* One component's counters. */
struct gs_stat_block {
	const char *name;
	const struct gm_stat *rows;
	const void *obj;
};

/* Why the result may mean nothing; texts are owned by whoever made the report. */
struct gs_warning {
	const char *kind;      /* "fits", "idle", "unread", "warmup", "bandwidth" */
	char *key, *at, *text; /* the key, where it was written, what about it */
};

struct gs_report {
	const char *manager; /* its name */
	const char *title;   /* the same with variant and policies, for people */
	const struct gs_section *sections;
	const struct gs_job *job;
	const struct gs_workload_cfg *workload;
	const struct gs_result *res;
	const struct gs_stat_block *stats; /* ends with a NULL name */
	u64 seed, config_hash;
	u64 unit;	/* bytes that a fault brings */
	u64 hbm_usable; /* bytes of one device that the job's pages may use */
	const struct gs_warning *warnings;
	size_t nwarnings;
};

/*
 * One iteration, as the mean of those after workload.warmup (of all if none
 * is left): the columns of summary.csv and sweep.csv.
 */
struct gs_mean {
	u64 iterations; /* that the mean is of */
	u64 iteration_ps, ideal_ps, kernel_ps, stall_ps;
	u64 stall_queue_ps, stall_service_ps, stall_evict_ps, stall_link_ps, stall_finish_ps;
	u64 touches, misses, faults, remote, evictions, clean_drops;
	u64 h2d_bytes, d2h_bytes, d2d_bytes, zeroed_bytes, discarded_bytes;
	u64 prefetched_bytes, prefetch_useful, prefetch_late, prefetch_wasted;
	u64 hbm_bytes, hbm_peak_bytes, footprint_bytes;
	u64 h2d_demand_bytes, h2d_prefetch_bytes, d2h_evict_bytes, d2h_cpu_bytes;
	u64 ssd_read_bytes, ssd_write_bytes;
};
extern const struct gm_stat gs_mean_rows[];
void gs_report_mean(const struct gs_report *r, struct gs_mean *mean);
/* Total over ideal time of the same iterations. */
double gs_result_slowdown(const struct gs_result *res);

/* A row of comma-separated names or values, without the new line. */
void gs_csv_names(FILE *f, const struct gm_stat *rows);
void gs_csv_values(FILE *f, const struct gm_stat *rows, const void *obj);
void gs_csv_text(FILE *f, const char *text); /* quoted where it must be */

struct gs_json;
void gs_json_hash(struct gs_json *j, const char *key, u64 hash); /* 16 hex digits */

void gs_report_json(FILE *f, const struct gs_report *r);
/* All files of a result directory.  0 or -errno (said). */
int gs_report_write(struct gs_outdir *dir, const struct gs_report *r);
/*
 * "PLACE: KEY: TEXT", to be freed.  In results the place is the file's name without
 * its folder, so that they are the same wherever it lies.
 */
char *gs_warning_text(const struct gs_warning *w, bool with_folder);
/* The page for people. */
void gs_report_print(FILE *f, const struct gs_report *r);

/* "1.234 ms", "3.50 GiB" for tables. */
const char *gs_text_time(gs_time ps, char buf[24]);
const char *gs_text_bytes(u64 bytes, char buf[24]);

#endif
