/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_script.h - what happens in which order when a unit moves
 *
 * A script is a row of steps, the event sequence of GMEM as data (the templates
 * that the simulator's cost model is checked against).  gm_pager.c executes it:
 * one step's operations are submitted, their answers lead to the next.
 *
 *	step step step COMMIT step step END
 *	───────────────►                      an error here is undone backwards
 *	                     ───────────►     from here on nothing is undone
 */
#ifndef GM_SCRIPT_H
#define GM_SCRIPT_H

#include "gm_core.h"

enum gm_step_type {
	GM_S_END,
	GM_S_MSG,
	GM_S_HOST_UNMAP,
	GM_S_HOST_MAP,
	GM_S_HOST_ALLOC, /* unless the unit has a host frame already */
	GM_S_HOST_ZERO,
	GM_S_DMA_MAP,
	GM_S_FRAME,  /* get a device frame; may wait for evictions */
	GM_S_IMPORT, /* pay for frames that FRAME imported */
	GM_S_DEV_ALLOC,
	GM_S_DEV_ZERO,
	GM_S_COPY,
	GM_S_DEV_MAP,
	GM_S_DEV_UNMAP,
	GM_S_VETO,	/* stop here if the unit is wanted again */
	GM_S_DEV_FREE,	/* give back the frame it leaves */
	GM_S_HOST_FREE, /* give back the host frame, or keep it as a clean copy */
	GM_S_SENT,	/* the next fault may begin (batching) */
	GM_S_COMMIT,
	GM_NR_STEPS
};

/* Ends of a step: the host, the device it comes to (or only one), it leaves. */
enum gm_end { GM_E_HOST, GM_E_DEV, GM_E_SRC };

struct gm_step {
	u8 type;
	u8 msg;	     /* enum gm_msg */
	u8 from, to; /* enum gm_end */
	u8 phase;    /* enum gm_phase that its time counts as */
};

enum gm_case {
	GM_C_DEV_ZERO,	 /* device fault, no content */
	GM_C_DEV_FETCH,	 /* device fault, content on the host */
	GM_C_AHEAD_ZERO, /* prefetch, no content */
	GM_C_AHEAD_FETCH,
	GM_C_PEER, /* device fault, content on another device */
	GM_C_AHEAD_PEER,
	GM_C_CPU_ZERO,	/* CPU fault, no content */
	GM_C_CPU_REMAP, /* CPU fault, content on the host (evicted) */
	GM_C_CPU_FETCH, /* CPU fault, content on a device */
	GM_C_EVICT,
	GM_C_OUT,      /* the host moves it off a device: detach, via host */
	GM_C_FREE_DEV, /* free-eager */
	GM_C_FREE_CPU,
	GM_C_DROP_DEV, /* munmap: cannot fail */
	GM_C_DROP_CPU,
	GM_NR_CASES
};

/* Who owns device frames decides who asks whom. */
enum gm_family { GM_FAMILY_DEVICE, GM_FAMILY_HOST, GM_NR_FAMILIES };

extern const struct gm_step *const gm_scripts[GM_NR_FAMILIES][GM_NR_CASES];

#endif
