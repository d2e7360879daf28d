/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main.h - what the commands share: a configuration bound, a run put together
 *
 * Only sim/main*.c, the composition root, sees every folder.
 */
#ifndef GS_MAIN_H
#define GS_MAIN_H

#include "models/table.h"
#include "sim/result.h"

enum { MAX_SECTIONS = 24 };

/* A configuration, checked and bound. */
struct setup {
	struct gs_config *cfg;
	struct gs_sim_cfg sim;
	struct gs_workload_cfg workload;
	struct gs_machine machine;
	struct mm_common manager;
	u32 hbm_percent; /* device.hbm.capacity_percent */
	struct gs_section sections[MAX_SECTIONS];
	void *params[MAX_SECTIONS]; /* of the managers, as in mm_managers[] */
	const struct mm_ops *ops;   /* the chosen one */
	const void *ops_params;
	char *trace;	  /* as a path to open */
	const char *path; /* of the configuration */
	bool swept;	  /* a point of a sweep */
	bool planned;	  /* G10's planner advises */
	const void *g10_params;
};

/* Files and --set assignments in @sets; 0 or -errno (said). */
int setup_load(struct setup *s, const char *path, char *const *sets, size_t nsets);
/* Find s->trace; a path in a file is relative to that file.  0 or -errno (said). */
int setup_trace(struct setup *s);
/* Start the machine, if the job can run on it.  0 or -errno (said). */
int setup_machine(struct setup *s, const struct gs_job *job);
void setup_fini(struct setup *s);
/* All sections, nothing bound: for help and schema. */
void setup_sections(struct setup *s);

/* A run: everything that lives while a job is replayed. */
struct run {
	struct setup *setup;
	struct gs_source *source;
	u32 recorded; /* iterations, where the manager takes the last one only; else 0 */
	struct gs_sim *sim;
	struct mm *mm;
	struct gs_result res;
	struct gs_progress *bar; /* NULL: none */
	struct gs_stat_block stats[8];
	char title[128];
	struct gs_warning *warnings;
	size_t nwarnings, cap_warnings;
	struct gs_report report;
};

/* Open the trace, build machine and manager.  GS_EXIT_* (said). */
int run_prepare(struct run *r, struct setup *s);
/* Replay; then r->report is whole.  @bar may be NULL.  GS_EXIT_* (said). */
int run_replay(struct run *r, struct gs_progress *bar);
void run_fini(struct run *r);
/* Find what makes the finished run mean nothing: into r->report. */
void warn_collect(struct run *r);
void warn_free(struct run *r);
/* A manager whose results do not depend on memory is no witness that it was short. */
bool warn_is_exempt(const char *manager);
/* Of the effective configuration. */
u64 setup_hash(const struct setup *s);

/* --set and --trace, gathered in order. */
struct sets {
	char **v;
	size_t n, cap;
};
void sets_add(struct sets *s, const char *assignment);
void sets_trace(struct sets *s, const char *path);
void sets_fini(struct sets *s);

/* Commands.  argv[0] is the command's name; the answer is GS_EXIT_*. */
int cmd_run(int argc, char **argv);
int cmd_sweep(int argc, char **argv);
int cmd_list(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_calibrate(int argc, char **argv);
int cmd_validate(int argc, char **argv);
int cmd_module(int argc, char **argv);
/* Print the help of a command, or of the program ("") on @f. */
void main_help(FILE *f, const char *command);
/* Path of @name below configs/, wherever that is; free() it. */
char *main_configs(const char *name);
/* Every key, as text or as SCHEMA.md. */
void help_config(FILE *f, bool markdown);

#endif
