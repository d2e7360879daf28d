/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_gmem.h - what the parts of the gmem manager share; nobody else includes it
 *
 *   mm_gmem.c       operations of the core on the machine; touches, advice
 *   mm_gmem_host.c  host frames, and what of them is on the SSD
 *
 * The core knows host frames by a cookie and believes that they are in memory.
 * Those that host memory has no room for are not: then a copy from them begins
 * when they are back, and a new one is there when another has left.
 */
#ifndef MM_GMEM_H
#define MM_GMEM_H

#include "kernel-core/gm_policy.h"
#include "models/mm_host.h"

struct gmem_frame {
	struct hw_hold hold;
	u64 va;	     /* of its unit */
	bool filled; /* something was written to it */
	u32 next;    /* idle ones, by cookie */
};

struct gmem_frames {
	struct mm *mm;
	struct gm_as *as;
	u64 unit;
	struct gmem_frame **slabs;
	size_t n, cap;
	u32 idle; /* cookie of the first; 0: none */
};

void gmem_frames_init(struct gmem_frames *f, struct mm *m, struct gm_as *as, u64 unit);
void gmem_frames_fini(struct gmem_frames *f);
/* A host frame for @op, GM_OP_HOST_ALLOC.  Returns when; GS_NEVER: there is no room. */
gs_time gmem_frame_get(struct gmem_frames *f, struct gm_op *op);
void gmem_frame_put(struct gmem_frames *f, u64 cookie);
/* The host's side of @op, a copy: when it may begin ... */
gs_time gmem_frames_open(struct gmem_frames *f, struct gm_op *op);
/* ... and when it is over that takes the link from @start to @end. */
gs_time gmem_frames_copied(struct gmem_frames *f, struct gm_op *op, gs_time start, gs_time end);
/* The CPU wants the unit at @va, which it has mapped: when it has it. */
gs_time gmem_cpu_open(struct gmem_frames *f, u64 va, bool write);

#endif
