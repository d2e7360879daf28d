/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_pager.h - moves in progress
 *
 * A gm_txn moves one unit.  Several that execute the same script together are a
 * group: the first of them leads, its members share messages, and operations
 * cover runs of consecutive addresses.  A group splits when some of it fails or
 * when there are frames for only a part of it, so no move holds what another
 * one waits for.
 *
 * Nothing here recurses.  Whatever becomes possible is put on one of the lists
 * of gm_core, and gm_run() works on these until nothing is left; entry points
 * and completions end with it.
 */
#ifndef GM_PAGER_H
#define GM_PAGER_H

#include "gm_hnode.h"
#include "gm_stats.h"
#include "gm_variant.h"

#define GM_ANYWHERE (-2) /* gm_waiter.node: whatever becomes of the unit */

/* Victims on their way out, for a move that waits or ahead of need. */
struct gm_reclaim {
	struct gm_hnode *node;
	struct gm_txn *owner;	  /* NULL: background */
	struct list_head victims; /* isolated, not begun */
	struct list_head kick;	  /* gm_core.reclaims: one eviction has ended */
	u32 inflight, freed;
	u8 cause;
};

struct gm_txn {
	struct list_head link;	  /* leader->members, or gm_core.pool */
	struct list_head waiters; /* gm_waiter.link */
	struct gm_core *core;
	struct gm_mapping *m;
	u64 va;
	struct gm_dev *dev; /* it comes to, or the only one */
	struct gm_dev *src; /* it leaves */
	struct gm_txn *leader;
	struct gm_work *work;	    /* began it */
	struct gm_reclaim *reclaim; /* began it */
	u32 frame;		    /* on @dev, while framed */
	u32 run;		    /* members that ->op covers, 0: none */
	int err, op_err;
	s16 dest;     /* node where it is to be */
	u8 kind;      /* enum gm_case */
	u8 from;      /* enum gm_state before */
	u8 cause;     /* enum gm_cause */
	bool framed;  /* holds @frame */
	bool alloced; /* the host frame is new */
	bool copies;  /* content has to be moved */
	bool demand;  /* somebody waits for it */
	bool pin;     /* pinned when it lands */
	bool late;    /* a prefetch that was wanted before it landed */
	bool refault;
	u64 born, mark, spent[GM_NR_PHASES]; /* clock */

	/* of leaders */
	struct list_head members;
	struct list_head queue; /* on one of gm_core's or gm_hnode's lists */
	const struct gm_step *script;
	u32 pc, n;   /* step, members */
	u32 pending; /* operations not answered */
	u32 owed;    /* requests not answered by a message */
	u32 rounds;  /* of direct eviction without any success */
	u32 imported;
	bool queued; /* on gm_hnode.demand or .ahead */
	bool issued; /* the step's operations have been submitted */
	bool committed, undoing;
	bool slot;	       /* counts as one of dev->groups */
	bool submitted;	       /* the host has seen any of it */
	struct gm_reclaim own; /* victims for it */

	struct gm_op op;
};

enum gm_work_kind {
	GM_W_PREFETCH,
	GM_W_PIN,
	GM_W_UNPIN,
	GM_W_WILLNEED,
	GM_W_TO_HOST,
	GM_W_FREE,
	GM_W_UNMAP,
	GM_W_DETACH
};

/* Something that goes over many units, in order of address. */
struct gm_work {
	struct list_head link; /* gm_core.works, .queued, .spans or .works_free */
	struct gm_core *core;
	struct gm_as *as;
	struct gm_dev *dev;
	struct gm_waiter *waiter; /* of the caller, may be NULL */
	struct gm_waiter join;	  /* on a unit that somebody else moves */
	struct gm_txn *group;	  /* being gathered */
	struct list_head dying;	  /* munmap: its ranges ... */
	struct list_head as_link; /* ... gm_as.dying */
	struct gm_range *at;	  /* munmap: where it is */
	struct gm_txn *spare;	  /* munmap: it goes on without memory */
	u64 va, end;
	u32 pending; /* moves of its own in progress */
	u32 told;    /* munmap: devices that know */
	int err;
	u8 kind;      /* enum gm_work_kind */
	bool joined;  /* waits with ->join */
	bool asking;  /* waits for ->op */
	bool starved; /* no memory: goes on when one of its moves has landed */
	bool ready;   /* is on gm_core.works */
	bool advice;  /* asked for by the program, not by a policy */
	struct gm_op op;
};

struct gm_core {
	const struct gm_host_ops *ops;
	void *host;
	const struct gm_params *params;
	struct gm_variant variant;
	const struct gm_evict_ops *evictor;
	const struct gm_prefetch_ops *prefetcher;
	u64 unit;
	u32 unit_shift;
	u64 random;
	u32 evictions; /* done so far, modulo 2^32, never 0 */
	u64 tickets;   /* given to operations so far */
	struct gm_dev *devs[GM_MAX_DEVICES];
	u32 nr_devs;
	struct list_head spaces;
	u32 spaces_created;
	struct gm_stats stats;

	/* what gm_run() has to do, in this order */
	bool running;
	struct list_head landed;   /* moves whose waiters are to be woken */
	struct list_head woken;	   /* waiters of works */
	struct list_head runnable; /* leaders */
	struct list_head reclaims;
	struct list_head kicked;      /* hnodes whose queues are to be looked at */
	struct list_head kicked_devs; /* devices with faults to group */
	struct list_head retries;     /* waiters whose unit went elsewhere */
	struct list_head works;	      /* works that can go on */
	struct list_head queued;      /* advice that waits for a worker */
	struct list_head spans;	      /* a prefetcher's wishes that wait for one */
	u32 nr_spans;
	u32 workers; /* busy */

	struct list_head pool; /* free moves */
	u64 txns;	       /* allocated */
	struct list_head works_free;
	u64 nr_works;
	u32 works_asking; /* messages of works in progress */
};

static inline s16 gm_dev_node(const struct gm_dev *dev)
{
	return (s16)dev->id;
}
static inline u64 gm_now(struct gm_core *core)
{
	return core->ops->clock(core->host);
}
static inline bool gm_in_flight(const struct gm_mapping *m)
{
	return m->state >= GM_TO_DEVICE;
}
static inline bool gm_on_device(const struct gm_mapping *m, const struct gm_dev *dev)
{
	return m->state == GM_DEVICE && m->owner == gm_dev_node(dev);
}

/* ---- gm_pager.c: the interpreter and the loop --------------------------- */

void gm_run(struct gm_core *core);

/* ---- gm_txn.c: life of a move, groups --------------------------------- */

/* Memory for a move, on no list; goes back to core->pool.  NULL: none. */
struct gm_txn *gm_txn_alloc(struct gm_core *core);
/*
 * A move of @m as in script @kind.  @m goes in flight at once, the script begins
 * when gm_txn_start() says so.  NULL: no memory, nothing has changed.
 */
struct gm_txn *gm_txn_new(struct gm_mapping *m, u8 kind, u8 cause, struct gm_dev *dev);
/* @t goes with @leader.  [same script and devices, neither started] */
void gm_txn_group(struct gm_txn *leader, struct gm_txn *t);
void gm_txn_start(struct gm_txn *leader);
/* The script goes on (or fails with @err) where it waited for frames. */
void gm_txn_resume(struct gm_txn *leader, int err);
/* All but the first @keep members become a group of their own, the result. */
struct gm_txn *gm_txn_split(struct gm_txn *leader, u32 keep);
/* Members with an error go to the end; how many have none. */
u32 gm_txn_sort_failed(struct gm_txn *leader);
/* The first of the members has to lead: the group's leader from now on. */
struct gm_txn *gm_txn_hand_over(struct gm_txn *old);
void gm_txn_wait(struct gm_txn *t, struct gm_waiter *w, struct gm_mapping *m, s16 node, bool write);
/* The time since the last call belongs to @phase. */
void gm_txn_charge(struct gm_txn *leader, u8 phase);

/* ---- gm_step.c: one step ---------------------------------------------- */

void gm_step_issue(struct gm_txn *leader, const struct gm_step *s);
void gm_step_submit(struct gm_txn *t, const struct gm_step *s, u8 type, u32 units);
/* Apply what has been answered.  Who goes on with the next step, or NULL. */
struct gm_txn *gm_step_done(struct gm_txn *leader, const struct gm_step *s);
/* Take back the step before; operations may be in progress on return ... */
void gm_step_undo(struct gm_txn *leader);
/* ... and now they are answered. */
void gm_step_undone(struct gm_txn *leader);
void gm_host_release(struct gm_mapping *m, struct gm_core *core);
void gm_slot_release(struct gm_txn *t);

/* ---- gm_land.c -------------------------------------------------------- */

void gm_txn_land(struct gm_txn *leader);
/* Wake who waited for @t, one by one: each may call us again. */
void gm_txn_wake(struct gm_txn *t);

static inline struct gm_stats *gm_stats_of(const struct gm_txn *t)
{
	return &t->core->stats;
}

/* ---- gm_reclaim.c ----------------------------------------------------- */

/* A step FRAME: true if the group (or what is left of it) has its frames. */
bool gm_frames_get(struct gm_txn *leader);
/* Look again at who waits for frames of @n and at its watermarks. */
void gm_hnode_kick(struct gm_hnode *n);
void gm_hnode_serve(struct gm_hnode *n);
/* A move that waits for frames as a prefetch is wanted now. */
void gm_frames_promote(struct gm_txn *leader);
void gm_reclaim_step(struct gm_reclaim *r);
/* The eviction @t has ended. */
void gm_reclaim_landed(struct gm_txn *t, bool evicted);

/* ---- gm_fault.c ------------------------------------------------------- */

int gm_fault_dev(struct gm_as *as, struct gm_dev *dev, u64 va, bool write, struct gm_waiter *w);
int gm_fault_cpu(struct gm_as *as, u64 va, struct gm_waiter *w);
/* Begin the faults that wait for @dev, as many in a group as may be. */
void gm_faults_serve(struct gm_dev *dev);
/* The first touch of a unit that a prefetch brought or is bringing. */
void gm_prefetch_hit(struct gm_ctx *ctx, struct gm_mapping *m);
/* ---- gm_as.c ---------------------------------------------------------- */

void gm_ctx_free(struct gm_ctx *ctx);
/* A range has gone: moves that waited for its addresses may begin. */
void gm_as_unpark(struct gm_as *as);

struct gm_ctx *gm_as_ctx(const struct gm_as *as, const struct gm_dev *dev);

/* ---- gm_work.c: going over many units --------------------------------- */

/* Over [va, end); NULL: no memory. */
struct gm_work *gm_work_new(struct gm_as *as, u8 kind, u64 va, u64 end);
void gm_work_free(struct gm_work *w);
/*
 * Begin @w, or all on @works, for @waiter (NULL: nobody waits, the answer is 0).
 * 0 or an error if that was all, else -EINPROGRESS.
 */
int gm_work_start(struct gm_work *w, struct gm_waiter *waiter);
int gm_work_launch(struct gm_core *core, struct list_head *works, struct gm_waiter *waiter);
void gm_work_run(struct gm_work *w);
void gm_work_ready(struct gm_work *w);
/* The move @t that @w began has ended. */
void gm_work_landed(struct gm_work *w, const struct gm_txn *t);
/* Prefetch [va, end) because a policy says so. */
void gm_prefetch_span(struct gm_as *as, struct gm_dev *dev, u64 va, u64 end);

/* For visits: begin a move (false: no memory), wait for another's, send. */
bool gm_work_begin(struct gm_work *w, struct gm_mapping *m, u8 kind, u8 cause, struct gm_dev *dev);
void gm_work_join(struct gm_work *w, struct gm_mapping *m);
void gm_work_tell(struct gm_work *w, u8 msg, struct gm_dev *dev);

static inline bool gm_work_takes_worker(const struct gm_work *w)
{
	return w->kind <= GM_W_UNPIN;
}

/* ---- gm_advice.c ------------------------------------------------------ */

/* Do what @w is about to @m: true if that is all, false to come back. */
bool gm_work_visit(struct gm_work *w, struct gm_mapping *m);

#endif
