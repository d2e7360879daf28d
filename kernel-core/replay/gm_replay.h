/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_replay.h - the calls that a kernel recorded, made again in userland
 *
 * The core that is linked here gets the calls and the answers of a log
 * (gm_log.h).  Each call has to give the answer that it gave in the kernel, each
 * operation answered there has to be one that was asked here, and the decisions
 * that come out are given to the caller.  Any bytes may be read: what is not a log
 * is refused with its place and the reason.
 */
#ifndef GM_REPLAY_H
#define GM_REPLAY_H

#include <stdio.h>

#include "gm_log.h"

struct gm_replay {
	/* the caller's */
	void (*decision)(void *arg, u64 n, u64 va, s16 from, s16 to, const char *cause);
	void *arg;
	u64 most_units; /* mapped and of devices, together; 0: GM_REPLAY_UNITS */

	/* the answer */
	struct gm_log_head head;
	u64 calls, decided;
	u64 offset; /* of the entry that is wrong, in bytes */
	char why[160];
};
#define GM_REPLAY_UNITS (1ULL << 24) /* 1 GiB of tables */

enum gm_replay_end {
	GM_REPLAY_SAME,
	GM_REPLAY_DIFFERS, /* the core here and in the kernel disagree */
	GM_REPLAY_BAD,	   /* not a log, or a damaged one */
};

/* Read @f to its end.  What went wrong is in @r->offset and @r->why. */
enum gm_replay_end gm_replay_file(struct gm_replay *r, FILE *f);

#endif
