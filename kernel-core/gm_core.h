/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_core.h - the core as its host sees it
 *
 * One address space is shared by the CPU and by devices.  For each unit
 * (2 MiB by default) the core knows where its content is, and moves it on
 * faults, on advice and when a device runs out of memory.
 *
 * The core does no I/O and never sleeps.  Whatever takes time is an operation
 * (struct gm_op) that it submits to its host, which answers with gm_op_done():
 * from a worker or DMA engine in Linux, from an event in the simulator.  All
 * entry points are to be called under one lock of the host's (single threaded
 * in the simulator); they never call back into the caller but through the
 * waiters' wake() and the host operations.
 */
#ifndef GM_CORE_H
#define GM_CORE_H

#include "gm_desc.h"

#define GM_HOST_NODE   (-1) /* hNUMA id of host memory; devices are 0, 1, ... */
#define GM_MAX_DEVICES 64

struct gm_core;	   /* devices, spaces, policies, counters */
struct gm_as;	   /* an address space shared by CPU and devices */
struct gm_dev;	   /* an accelerator and its memory */
struct gm_ctx;	   /* a device attached to a space */
struct gm_mapping; /* one unit of a space: gm_map.h */

/* ---- what takes time -------------------------------------------------- */

enum gm_op_type {
	GM_OP_MSG,	  /* deliver message @msg from node to node */
	GM_OP_COPY,	  /* move @bytes between nodes */
	GM_OP_ZERO,	  /* clear a fresh frame on node @to */
	GM_OP_HOST_ALLOC, /* get a host frame: sets @frame; -ENOMEM */
	GM_OP_DEV_ALLOC,  /* the cost of taking a device frame */
	GM_OP_DMA_MAP,	  /* make a host frame reachable for the device */
	GM_OP_HOST_UNMAP, /* zap CPU translations, TLB shootdown */
	GM_OP_HOST_MAP,	  /* install a CPU translation */
	GM_OP_DEV_MAP,	  /* install a device translation */
	GM_OP_DEV_UNMAP,  /* remove it, TLB flush */
	GM_OP_TIMER,	  /* call me after @delay clock ticks */
	GM_NR_OP_TYPES
};

/* Messages of the remote pager, numbered as openEuler's (gmem.md 4.1). */
enum gm_msg {
	GM_MSG_TASK_PAIRING,
	GM_MSG_TASK_EXIT_ORIGIN,
	GM_MSG_TASK_EXIT_REMOTE,
	GM_MSG_ALLOC_VMA,
	GM_MSG_FREE_VMA,
	GM_MSG_ALLOC_PAGE,
	GM_MSG_FREE_PAGE,
	GM_MSG_PAGE_FAULT,
	GM_MSG_EVICT_PAGE,
	GM_MSG_HMADVISE,
	GM_MSG_HMEMCPY,
	GM_MSG_RESPONSE,
	GM_NR_MSGS
};

/* Why a unit moves; also the cause in the decision log. */
enum gm_cause {
	GM_CAUSE_DEV_FAULT,
	GM_CAUSE_CPU_FAULT,
	GM_CAUSE_PREFETCH,
	GM_CAUSE_EVICT_DIRECT,
	GM_CAUSE_EVICT_BACKGROUND,
	GM_CAUSE_FREE,
	GM_CAUSE_UNMAP,
	GM_CAUSE_DETACH,
	GM_NR_CAUSES
};

struct gm_op {
	u8 type;      /* enum gm_op_type */
	u8 msg;	      /* enum gm_msg */
	u8 cause;     /* enum gm_cause */
	s16 from, to; /* nodes; one of them is the device concerned */
	u32 units;    /* units covered (a batch has more than one) */
	u64 va, bytes;
	u64 frame;				 /* host frame cookie (HOST_ALLOC: answer) */
	u64 delay;				 /* GM_OP_TIMER, in ticks of clock() */
	u64 ticket;				 /* of this request alone; 0: answered */
	void (*done)(struct gm_op *op, int err); /* the core's */
	u64 host[8];				 /* the host's: its event or work item */
};

/*
 * The host's answers to the core.  All slots but next_use and decision are
 * required.
 */
struct gm_host_ops {
	/* Take @op; answer later, exactly once, with gm_op_done(). */
	void (*submit)(void *host, struct gm_op *op);
	/* Give back host frames that HOST_ALLOC gave; takes no time. */
	void (*host_free)(void *host, u64 frame);
	/* Monotonic clock in the host's ticks; used for stamps, never for policy
	 * other than thrash damping. */
	u64 (*clock)(void *host);
	/* min evictor: ordinal of the next use of @va on @dev; ~0ULL never. */
	u64 (*next_use)(void *host, u32 dev, u64 va);
	/* The decision log, NULL if nobody listens. */
	void (*decision)(void *host, u64 va, s16 from, s16 to, u8 cause);
};

/*
 * The @i-th unit that @op covers (the op tells the first one): its host frame,
 * its frame on the device it leaves or comes to.  A DEV_MAP for @owner undoes an
 * unmap of @from_frame.  For ops on units, not for messages; good until the op
 * is answered.  O(i).
 */
struct gm_op_unit {
	u64 va, host_frame;
	u32 from_frame, to_frame; /* ~0U where there is none */
	s16 owner;		  /* of from_frame, else GM_HOST_NODE */
};
void gm_op_unit(const struct gm_op *op, u32 i, struct gm_op_unit *out);

/* The host reports the end of @op: 0 or -errno (-EIO, -ENOMEM, -ETIMEDOUT). */
static inline void gm_op_done(struct gm_op *op, int err)
{
	op->ticket = 0;
	op->done(op, err);
}

/*
 * The same for a host whose messages get lost, come late or come twice: who
 * gives up waiting answers -ETIMEDOUT, and whatever arrives after that bears a
 * ticket (op->ticket as it was at submit) that nobody waits for any more.  It is
 * counted and changes nothing: false.  @op may be looked at until @core is freed.
 */
bool gm_op_answer(struct gm_core *core, struct gm_op *op, u64 ticket, int err);

/* ---- waiting ---------------------------------------------------------- */

/* Parts of a fault's life, each ending at a stamp of clock(). */
enum gm_phase {
	GM_PHASE_QUEUE,
	GM_PHASE_SERVICE,
	GM_PHASE_EVICT,
	GM_PHASE_LINK,
	GM_PHASE_FINISH,
	GM_NR_PHASES
};

/*
 * Embedded in the caller's object; idle before, queued until wake().  A call
 * that answers -EINPROGRESS never wakes before it has returned.
 */
struct gm_waiter {
	struct list_head link; /* private */
	struct gm_as *as;      /* private: the unit waited for ... */
	u64 va;		       /* private */
	s16 node;	       /* private: ... and where it is to be */
	bool write;	       /* private */
	bool via_host;	       /* private: not from device to device */
	u64 pending;	       /* private: parts still to come */
	int err;	       /* private: first error */
	/* @end[]: when each phase ended; all equal for what took no time. */
	void (*wake)(struct gm_waiter *w, int err, const u64 end[GM_NR_PHASES]);
};

/* ---- parameters ------------------------------------------------------- */

/* Three-way switches: as the variant has it, or forced. */
enum gm_switch { GM_AUTO, GM_OFF, GM_ON };
extern const char *const gm_switch_names[]; /* "auto", "off", "on", NULL */

struct gm_params; /* gm_variant.h; rows for the prefix "manager.gmem": */
extern const struct gm_param gm_param_rows[];
extern const size_t gm_params_size;

/* Names for `manager.variant`, `.evictor`, `.prefetcher`, NULL-terminated. */
extern const char *const gm_variant_names[];
extern const char *const gm_evictor_names[];
extern const char *const gm_prefetcher_names[];
/* One-line helps, index as above. */
const char *gm_variant_help(u32 i);
const char *gm_evictor_help(u32 i);
const char *gm_prefetcher_help(u32 i);

struct gm_setup {
	const struct gm_params *params;
	const char *variant; /* "gmem-23.09", "gmem-olk66", "gmem+" */
	const char *evictor; /* "" or "auto": the variant's own */
	const char *prefetcher;
	u64 unit;	 /* bytes, power of two >= 4096 */
	u64 random_seed; /* for the random evictor */
};

/* ---- life ------------------------------------------------------------- */

/*
 * ERR_PTR(-EINVAL) for unknown names or a bad unit, ERR_PTR(-ENOMEM).  The
 * setup is copied but params must outlive the core.
 */
struct gm_core *gm_core_new(const struct gm_setup *setup, const struct gm_host_ops *ops,
			    void *host);
void gm_core_free(struct gm_core *core); /* [no operation in flight] */

/* A device with @frames units of memory; ids count up from 0. */
struct gm_dev *gm_dev_create(struct gm_core *core, u64 frames);
struct gm_as *gm_as_create(struct gm_core *core);
void gm_as_destroy(struct gm_as *as); /* [nothing in flight] */
/*
 * Nothing is mapped and nothing is in progress, neither what was asked for nor
 * what a policy began: @as can be destroyed.  A host that cannot tell by itself
 * unmaps everything and looks again after each answer.
 */
bool gm_as_is_idle(const struct gm_as *as);
/*
 * -EOPNOTSUPP for a second device under a variant without multi_device
 * (gmem-23.09 loses or strands pages there, gmem-olk66 drops the first
 * context: gmem.md 1.3), -EBUSY if attached already.
 */
struct gm_ctx *gm_as_attach(struct gm_as *as, struct gm_dev *dev);
/* Everything of @ctx goes back to the host; wakes @w when it has. */
int gm_as_detach(struct gm_ctx *ctx, struct gm_waiter *w);

/* Add or drop [va, va + bytes), unit aligned.  -EEXIST, -EINVAL, -ENOMEM. */
int gm_mmap(struct gm_as *as, u64 va, u64 bytes);
/* Contents are dropped; units in flight go when they land, then @w wakes.
 * 0: done at once (w unused), -EINPROGRESS: later, else an error. */
int gm_munmap(struct gm_as *as, u64 va, u64 bytes, struct gm_waiter *w);

/* ---- accesses --------------------------------------------------------- */

/*
 * The device touches @n units from @va on, in order.  Returns how many leading
 * ones are resident on it; those are marked used (and dirty if @write).
 */
u64 gm_dev_touch(struct gm_ctx *ctx, u64 va, u64 n, bool write);
/*
 * The device touches @n units, one after the other: addresses, with a bit set
 * for a write (those below the unit are free).  Returns as above.
 */
enum { GM_ACCESS_WRITE = 1 };
u32 gm_dev_touch_each(struct gm_ctx *ctx, const u64 *access, u32 n);
/*
 * The device faults on the unit at @va: 0 resident by now, -EINPROGRESS: @w
 * wakes when it is, -EFAULT: not mapped, -ENOMEM ...  A unit on its way is
 * joined, not moved twice (I17).
 */
int gm_dev_fault(struct gm_ctx *ctx, u64 va, bool write, struct gm_waiter *w);
/* The CPU touches one unit; the same answers.  -EBUSY: pinned on a device. */
int gm_cpu_fault(struct gm_as *as, u64 va, bool write, struct gm_waiter *w);

enum gm_advice {
	GM_ADVISE_PREFETCH,
	GM_ADVISE_FREE_EAGER,
	GM_ADVISE_PIN,
	GM_ADVISE_UNPIN,
	GM_ADVISE_WILLNEED,
	GM_NR_ADVICE
};
/*
 * hmadvise(): prefetch rounds outward, free-eager inward (I19).  A prefetch to
 * GM_HOST_NODE takes whole units off devices, and rounds inward too.  0 done,
 * -EINPROGRESS: @w wakes when all of it is done (w may be NULL: nobody waits).
 */
int gm_advise(struct gm_as *as, s32 hnid, u64 va, u64 bytes, u32 advice, struct gm_waiter *w);

/* ---- looking ---------------------------------------------------------- */

struct gm_stats; /* gm_stats.h; rows: */
extern const struct gm_stat gm_stat_rows[];
const struct gm_stats *gm_core_stats(const struct gm_core *core);
u64 gm_core_unit(const struct gm_core *core);
/* Frames of @dev in use now (resident, in flight), and in all. */
u64 gm_dev_used(const struct gm_dev *dev);
u64 gm_dev_frames(const struct gm_dev *dev);
u32 gm_dev_id(const struct gm_dev *dev);

/*
 * Verify the invariants I1-I22 (DESIGN.md lists them).  0, or the number of
 * the first one broken, described in @why (@size bytes).  O(units).
 */
int gm_check(const struct gm_core *core, char *why, size_t size);

#endif
