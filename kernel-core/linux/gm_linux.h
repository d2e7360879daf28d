/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_linux.h - the core's host in Linux, as its parts see each other
 *
 *	 tasks ─► gm_space.c ─┐                        ┌─► gm_engine.c ─► workers
 *	                      ├─► gm_call.c ─► core ───┤    answers come back by one
 *	streams ─► gm_accel.c ─┘   (lock, op log)      └─► gm_call.c: decisions
 *
 * One mutex, gml.lock, is around every call of the core.  Translations, CPU's and
 * devices', are installed under it too, while the core says that the unit is
 * there; they are removed by workers without it.  A unit is in flight from the
 * moment its removal is submitted, so nobody installs behind a worker's back.
 *
 * Lock order: mmap_lock, gml.lock, gml_dev.tlb, page table locks.  Workers take
 * i_mmap_rwsem (to zap) or gml_dev.tlb, and nothing else.
 */
#ifndef GM_LINUX_H
#define GM_LINUX_H

#include "gm_core.h"
#include "gm_log.h"
#include "gm_uapi.h"
#include "gm_variant.h"

#include <linux/completion.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#define GML_MAX_DEVICES 8

/* ---- memory ----------------------------------------------------------- */

struct gml_space;

/* What holds one unit's content, of the host or of a device. */
struct gml_frame {
	struct gml_space *space; /* whose CPU translations lead here */
	u32 order;		 /* log2 of its pages */
	bool whole;		 /* contiguous: pages[0] leads the rest */
	struct page *pages[];
};

struct gml_frame *gml_frame_alloc(u32 order);
void gml_frame_free(struct gml_frame *f);

static inline void *gml_frame_addr(const struct gml_frame *f, u32 page)
{
	return f->whole ? page_address(f->pages[0]) + page * PAGE_SIZE
			: page_address(f->pages[page]);
}
static inline unsigned long gml_frame_pfn(const struct gml_frame *f, u32 page)
{
	return f->whole ? page_to_pfn(f->pages[0]) + page : page_to_pfn(f->pages[page]);
}

/* ---- operations ------------------------------------------------------- */

/* Does what it is given one after another; time is booked when it is given. */
struct gml_engine {
	spinlock_t lock; /* of ops */
	struct list_head ops;
	struct work_struct work;
	u64 free_at; /* ns; under gml.lock */
};

/* A frame of a device, and the address that the device reaches it by. */
struct gml_dframe {
	struct gml_frame *mem;
	u64 va;
	bool mapped;
};

struct gml_dev {
	u32 id;
	u64 frames;
	struct gm_dev *core;
	struct gml_engine in, out, own; /* DMA in and out; its own kernel */
	struct rw_semaphore tlb;	/* read: accesses in progress */
	struct gml_dframe *frame;
};

enum gml_fail { GML_FAIL_COPY, GML_FAIL_ALLOC, GML_FAIL_MSG, GML_NR_FAILS };

struct gml_decision {
	u64 va;
	s16 from, to;
	u8 cause;
};

/* What exists; all are 0 when nobody has the file open. */
struct gml_live {
	atomic_t spaces, streams, waits, ops, host_frames;
};

/* What workers have done of one type of operation. */
struct gml_work {
	atomic64_t done, ns;
};

struct gml {
	struct mutex lock;
	struct gm_core *core;
	struct gm_params params;
	u64 start; /* ktime of loading */
	u32 order; /* log2 of the pages of a unit */
	u32 nr_devs;
	struct gml_dev *devs;
	struct list_head spaces;
	u32 next_space;
	struct gml_live live;
	struct gml_work work[GM_NR_OP_TYPES];

	/* gm_engine.c */
	struct workqueue_struct *wq;
	struct gml_engine host;
	spinlock_t due_lock;
	struct list_head due; /* operations, by time */
	bool kicked;
	wait_queue_head_t due_wait;
	wait_queue_head_t progress; /* something has been answered */
	struct task_struct *answerer;
	struct {
		u32 in; /* 0: never; 1: the next one */
		u32 every;
		u32 done;
	} fail[GML_NR_FAILS]; /* under lock */

	/* gm_call.c */
	struct gm_log_head head;
	struct gm_log_entry *log;
	u64 logged, log_room;
	struct gml_decision *decisions; /* a ring */
	u64 decided, decision_room;
};

extern struct gml gml;

/* Module parameters that others need. */
struct gml_config {
	ulong unit, hbm, host_limit, bandwidth, max_units, serial;
	uint devices, latency_ns, msg_latency_ns;
	bool huge;
};
extern struct gml_config gml_config;

int gml_engine_start(void);
void gml_engine_stop(void);
void gml_engine_init(struct gml_engine *e);
void gml_submit(void *host, struct gm_op *op);
void gml_host_free(void *host, u64 frame);
u64 gml_clock(void *host);
/* Do it, on whatever thread: 0 or -errno. */
int gml_do_op(struct gm_op *op);

/* With gml_config.serial: @op fails with @err if that is not 0, else is done if @work. */
void gml_serial_add(struct gm_op *op, int err, bool work);
/*
 * Who waits for @until does and answers what was asked for, and what comes of it;
 * NULL: all of it.  [gml.lock is not held]
 */
void gml_serial_run(struct completion *until);

/* ---- calls of the core, recorded -------------------------------------- */

int gml_log_start(u64 log_room, u64 decision_room);
void gml_log_stop(void);
void gml_decision(void *host, u64 va, s16 from, s16 to, u8 cause);

/* Someone who waits, on the heap: he may be killed and go before he is woken. */
struct gml_wait {
	struct gm_waiter w;
	struct completion done;
	refcount_t refs;
	int err;
};
struct gml_wait *gml_wait_new(void);
void gml_wait_put(struct gml_wait *w);
/*
 * After -EINPROGRESS: the answer, and @w is gone; -EINTR if a signal of
 * @state (TASK_KILLABLE, TASK_INTERRUPTIBLE) came before it.
 */
int gml_wait_for(struct gml_wait *w, u32 state);

/* [gml.lock is held].  A waiter whose call answers -EINPROGRESS is the core's. */
int gml_call_create(struct gml_space *s);
void gml_call_destroy(struct gml_space *s);
int gml_call_mmap(struct gml_space *s, u64 va, u64 bytes);
int gml_call_munmap(struct gml_space *s, u64 va, u64 bytes);
int gml_call_cpu_fault(struct gml_space *s, u64 va, bool write, struct gml_wait *w);
bool gml_call_dev_touch(struct gml_space *s, u32 dev, u64 va, bool write);
int gml_call_dev_fault(struct gml_space *s, u32 dev, u64 va, bool write, struct gml_wait *w);
int gml_call_advise(struct gml_space *s, s32 hnid, u64 va, u64 bytes, u32 advice,
		    struct gml_wait *w);
void gml_call_done(struct gm_op *op, int err);

/* ---- spaces ----------------------------------------------------------- */

struct gml_stream;

/* An open file. */
struct gml_space {
	struct list_head link; /* gml.spaces */
	u32 id;
	pid_t pid;
	struct mm_struct *mm;	      /* who opened it; for comparison only */
	struct address_space mapping; /* of this file alone: offset = address */
	struct gm_as *as;
	struct gm_ctx *ctx[GML_MAX_DEVICES]; /* NULL: not attached */
	u64 units;			     /* mapped */
	struct mutex stream_lock;
	struct gml_stream *streams[GMEM_MAX_STREAMS];
};

extern const struct file_operations gml_fops;
/* Wait until what @s was advised is done.  @state as in gml_wait_for(). */
int gml_space_advise(struct gml_space *s, s32 hnid, u64 va, u64 bytes, int behavior, u32 state);

/* ---- the emulated accelerator ----------------------------------------- */

int gml_dev_init(struct gml_dev *dev, u32 id);
void gml_dev_fini(struct gml_dev *dev);
/* What the device is told to do; workers call these. */
void gml_dev_map(struct gml_dev *dev, u32 frame, u64 va);
void gml_dev_unmap(struct gml_dev *dev, u32 frame);

/*
 * A stream's thread reads or writes @n bytes at @va, faulting as needed: 0, the
 * core's error, or -ESHUTDOWN when the file is being closed.
 */
int gml_access(struct gml_space *s, struct gml_dev *dev, u64 va, void *buf, u64 n, bool write);

/* ---- its streams ------------------------------------------------------ */

long gml_prog_ioctl(struct gml_space *s, unsigned int cmd, void __user *arg);
void gml_streams_stop(struct gml_space *s);

/* ---- debugfs ---------------------------------------------------------- */

void gml_debug_start(void);
void gml_debug_stop(void);

#endif
