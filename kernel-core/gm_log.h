/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_log.h - what is recorded in the kernel and replayed in userland
 *
 * Every call of the core is an entry, in the order of the lock around it, and
 * so is every answer to an operation.  The core is a function of these: the same
 * entries give the same decisions, wherever it runs.
 */
#ifndef GM_LOG_H
#define GM_LOG_H

#include "gm_core.h"

#define GM_LOG_MAGIC   0x31676f6c6d656d67ULL /* "gmemlog1" */
#define GM_LOG_DEVICES 8

struct gm_log_head {
	u64 magic, unit, seed, frames; /* frames: of each device */
	u32 devices, lost;	       /* lost: entries that found no room */
	char variant[16], evictor[16], prefetcher[16];
};

enum gm_log_what {
	GM_LOG_CREATE, /* space */
	GM_LOG_ATTACH, /* space, dev */
	GM_LOG_DESTROY,
	GM_LOG_MMAP,
	GM_LOG_MUNMAP,
	GM_LOG_CPU_FAULT, /* arg: write */
	GM_LOG_DEV_TOUCH, /* arg: write; bytes: units; ret: of these resident */
	GM_LOG_DEV_FAULT, /* arg: write */
	GM_LOG_ADVISE,	  /* arg: advice */
	GM_LOG_DONE,	  /* va: ticket of the operation; arg: its type; ret: answer */
	GM_NR_LOG
};

/* [as enum gm_log_what] */
#define GM_LOG_NAMES                                                                       \
	{                                                                                  \
		"create", "attach", "destroy", "mmap", "munmap", "cpu_fault", "dev_touch", \
			"dev_fault", "advise", "done"                                      \
	}

struct gm_log_entry {
	u8 what; /* enum gm_log_what */
	u8 arg;
	s16 dev;
	s32 ret;
	u32 space, pad;
	u64 va, bytes;
};

/* A line of the decision log: number, address, from, to, cause. */
#define GM_DECISION_FORMAT "%llu %llx %d %d %s\n"

/* [as enum gm_cause] */
#define GM_CAUSE_NAMES                                                                            \
	{                                                                                         \
		"dev_fault", "cpu_fault", "prefetch", "evict_direct", "evict_background", "free", \
			"unmap", "detach"                                                         \
	}

#endif
