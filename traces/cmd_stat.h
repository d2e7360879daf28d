/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cmd_stat.h - what `gmemsim trace stat` collects (cmd_stat.c) and shows (_print, _csv) */
#ifndef TR_CMD_STAT_H
#define TR_CMD_STAT_H

#include "sim/out.h"
#include "traces/lives.h"
#include "traces/pages.h"
#include "traces/reuse_pages.h"

enum { STAT_SIZES = 10 }; /* memories of 10 % of the footprint, 20 %, ... */

struct stat_kernel { /* all of one name and class */
	char *name;
	u64 calls, ps, flops, bytes;
	u8 opclass;
};

struct stat_kind {
	u64 tensors, bytes, live, most, at_peak;
};

struct stat_state {
	struct stat_kernel *kernels; /* hash table, half full at most */
	u32 nslots, nkernels;
	struct stat_kind kinds[GS_NR_TENSOR_KINDS];
	struct tr_kind_lives kind_lives[GS_NR_TENSOR_KINDS];
	struct stat_kernel classes[GS_NR_OPCLASSES];
	u64 phase_ps[GS_NR_PHASES];
	u64 live, peak;
	u64 reserved, at_peak;	    /* bytes of segments: now, when most was alive */
	u64 touches[4], touched[4]; /* by access */
	struct tr_numbers *pages;
	u64 page, ntensors; /* bytes; of the job: pages are objects behind them */
	u64 first_page;
	bool few; /* pages are numbered by their addresses */
	struct tr_lives lives;
	struct tr_reuse reuse;
	struct tr_reuse_pages page_reuse; /* where there are no tensors */
	u64 sizes[STAT_SIZES], above[STAT_SIZES], misses[STAT_SIZES];
};

void stat_print(struct stat_state *s, const struct gs_job *job, u64 top);
/* The files of --csv but for idle.csv, which was written while reading.  0 or -EIO (said). */
int stat_csv(struct stat_state *s, struct gs_outdir *dir);

#endif
