/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_hnode.h - the frames of a device
 *
 * Who has which frame, how many may be used, and on which list each resident
 * unit hangs.  A resident unit (GM_DEVICE) is in exactly one of these places:
 *
 *	           insert                  guard (refault)
 *	  LISTED ◄──────── landed ──────────────────────────► GUARDED
 *	    │ ▲               │ advice                           │
 *	    │ └──── expired ──┼──────────────────────────────────┘
 *	    │                 ▼
 *	    │              PINNED
 *	    ▼ victim
 *	  isolated (on a gm_reclaim) ──► eviction begins: in flight
 *	                                   │ failed
 *	                                   ├──► LISTED   put back
 *	                                   └──► stranded on no list, if the
 *	                                        variant has that defect
 */
#ifndef GM_HNODE_H
#define GM_HNODE_H

#include "gm_map.h"

struct gm_dev {
	struct gm_core *core;
	u32 id;
	struct gm_hnode node;
	/* faults that wait to share a group (batching) */
	struct list_head faults;
	u32 groups;	       /* groups begun, not SENT yet */
	struct list_head kick; /* gm_core.kicked_devs */
};

/* n->dev and n->core are set.  0 or -ENOMEM. */
int gm_hnode_init(struct gm_hnode *n, u64 frames);
void gm_hnode_fini(struct gm_hnode *n);

/* Frames that could be handed out without evicting anything. */
u64 gm_hnode_avail(const struct gm_hnode *n);
/* Take one for @m; *imported counts those that had to be imported.  [avail] */
u32 gm_hnode_take(struct gm_hnode *n, struct gm_mapping *m, u32 *imported);
/* [not on any list] */
void gm_hnode_give(struct gm_hnode *n, u32 frame);

/* @m has landed: where does it belong?  @guard: thrash damping wants it. */
void gm_hnode_insert(struct gm_hnode *n, struct gm_mapping *m, bool guard);
/* @m leaves, is pinned or is chosen: off whatever list it is on. */
void gm_hnode_remove(struct gm_hnode *n, struct gm_mapping *m);
/* An eviction of @m failed and the variant forgets it. */
void gm_hnode_strand(struct gm_hnode *n, struct gm_mapping *m);
/* Mark a resident unit recently used, found again if it was stranded. */
void gm_hnode_hint(struct gm_hnode *n, struct gm_mapping *m);
/* Take the next victim off its list and put it on @out; false: none. */
bool gm_hnode_isolate(struct gm_hnode *n, struct list_head *out, bool front);

/* @m holds a host frame besides (HOSTED in GM_DEVICE), or does no more. */
void gm_hnode_copy_add(struct gm_hnode *n, struct gm_mapping *m);
void gm_hnode_copy_del(struct gm_hnode *n, struct gm_mapping *m);
/* A device writes: a host frame is of no use but as a frame, so it goes first. */
void gm_hnode_dirty(struct gm_hnode *n, struct gm_mapping *m);
/* Give up a copy of some device for its host frame; false: there is none. */
bool gm_core_reuse_copy(struct gm_core *core, u64 *host_frame);

#endif
