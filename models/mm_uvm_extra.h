/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_uvm_extra.h - what only some blocks have: advice, far mappings, copies, thrashing
 *
 * A block gets a `struct uvm_extra` when the first of these concerns it, and
 * from then on its touches and faults go the long way; all others never look.
 * A page's content is still in one place, with one exception: of a page in
 * `copied` there are two or more, all alike, and nobody may write any of them.
 *
 *   mm_uvm_extra.c   who reaches what; copies; far touches; self-check
 *   mm_uvm_policy.c  advice, and where a faulted page goes because of it
 *   mm_uvm_serve.c   services of such blocks, for devices and for the CPU
 *   mm_uvm_thrash.c  detection, throttling, pinning
 *   mm_uvm_counter.c access counters: notifications and what they bring
 */
#ifndef MM_UVM_EXTRA_H
#define MM_UVM_EXTRA_H

#include "models/mm_uvm.h"

#define UVM_HOST   HW_MAX_DEVICES /* as a place, or a processor, beside the devices */
#define UVM_NOBODY (HW_MAX_DEVICES + 1)

struct uvm_extra_side {		      /* of one device */
	struct gm_bitmap preferred;   /* pages whose place it is */
	struct gm_bitmap accessed_by; /* that stay mapped, wherever they are */
	struct gm_bitmap far;	      /* mapped, and the content is elsewhere */
	struct gm_bitmap wants_write; /* on record as to be written */
	/* access counters, since they were cleared */
	struct list_head note;
	struct uvm_block *block;
	u32 count, regions; /* bit a 64 KiB region that was accessed */
	u16 device;
	u8 last_region;
	bool noted; /* the driver has been told */
};

struct uvm_extra {
	struct gm_bitmap prefer_host, read_mostly;
	struct gm_bitmap copied;  /* content is in several places */
	struct gm_bitmap cpu_far; /* the CPU has it mapped on a device */
	struct uvm_thrash *thrash;
	struct uvm_extra_side side[];
};

/* ---- mm_uvm_extra.c ---- */

struct uvm_extra *uvm_extra_get(struct mm_uvm *u, struct uvm_block *b);
void uvm_extra_fini(struct uvm_block *b);
/* May @who (a device or UVM_HOST) map memory of @place?  And with atomics, over a fast link? */
bool uvm_can_access(const struct mm_uvm *u, u16 who, u16 place);
bool uvm_is_near(const struct mm_uvm *u, u16 who, u16 place);
/* Pages with content at @place; anywhere; of the job's whose place it is by advice. */
struct gm_bitmap uvm_content_at(const struct uvm_block *b, u16 place);
struct gm_bitmap uvm_content(const struct mm_uvm *u, const struct uvm_block *b);
const struct gm_bitmap *uvm_preferred(const struct mm_uvm *u, const struct uvm_block *b, u16 place);
/* Pages that somebody else prefers than @place. */
struct gm_bitmap uvm_preferred_elsewhere(const struct mm_uvm *u, const struct uvm_block *b,
					 u16 place);
/* Where @page is read from: the host if it has it, else a device, else UVM_NOBODY. */
u16 uvm_place_of(const struct mm_uvm *u, const struct uvm_block *b, u32 page);
/* Pages that @device has mapped, here or far, with the right it asked for; arrived or not. */
struct gm_bitmap uvm_authorised(const struct mm_uvm *u, const struct uvm_block *b, u16 device);
/* ... and may touch now. */
struct gm_bitmap uvm_reach(const struct mm_uvm *u, const struct uvm_block *b, u16 device);
/* Of @pages only the copy at @keep is left, or if there is none at some place. */
void uvm_collapse(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *pages, u16 keep);
/* Content of @pages came, went or multiplied: mappings follow; returns the CPU time. */
gs_time uvm_remap(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *pages);
/* @device has @pages mapped wherever they are. */
void uvm_map_far(struct mm_uvm *u, struct uvm_block *b, u16 device, const struct gm_bitmap *pages);
/* The host's pages are where @device can access them: in DRAM, mapped for DMA. */
gs_time uvm_host_in_place(struct mm_uvm *u, struct uvm_block *b, u16 device, gs_time t);
/* The job has @pages no more. */
void uvm_forget(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *pages);
/* Content of @pages comes to the host, or copies do; b->host_ready is its end. */
gs_time uvm_bring_home(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *pages,
		       bool keep, gs_time t);
/* Those of @pages that are nowhere come into being there. */
gs_time uvm_fill_home(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *pages,
		      gs_time t);
/* The touch is answered from afar, if that can be. */
bool uvm_far_touch(struct mm_uvm *u, struct uvm_block *b, struct mm_touch *t);
/* Time of the CPU for @bytes on a device. */
gs_time uvm_cpu_far(const struct mm_uvm *u, u16 device, u64 bytes, u8 access);
const char *uvm_extra_check(const struct mm_uvm *u, const struct uvm_block *b);

/* ---- mm_uvm_policy.c ---- */

/* What becomes of the pages that somebody faulted on. */
struct uvm_choice {
	struct gm_bitmap throttled;
	struct gm_bitmap copy; /* who faulted gets one of his own */
	struct gm_bitmap *to;  /* by device, the host last; until the next choice */
	gs_time until;	       /* throttled ones may be asked for again */
};
void uvm_choose(struct mm_uvm *u, struct uvm_block *b, u16 who, const struct gm_bitmap *pages,
		const struct gm_bitmap *written, enum uvm_cause cause, struct uvm_choice *c);
static inline struct gm_bitmap *uvm_chosen(const struct mm_uvm *u, const struct uvm_choice *c,
					   u16 place)
{
	return &c->to[place == UVM_HOST ? u->ndevices : place];
}
static inline u16 uvm_nth_place(const struct mm_uvm *u, u32 n)
{
	return n < u->ndevices ? (u16)n : UVM_HOST;
}
int uvm_set_policy(struct mm_uvm *u, u16 device, u8 advice, u64 va, u64 end);

/* ---- mm_uvm_serve.c ---- */

/* @faulted of @b at @t, for the device of @g; returns when the CPU is done. */
gs_time uvm_serve_extra(struct uvm_gpu *g, struct uvm_block *b, const struct gm_bitmap *faulted,
			enum uvm_cause cause, gs_time t);
/* A call has @want, none of it there, brought to @device. */
gs_time uvm_call_extra(struct mm_uvm *u, struct uvm_block *b, u16 device,
		       const struct gm_bitmap *want, gs_time t);
/* The CPU touches @pages; *again: it has to try once more then. */
gs_time uvm_serve_cpu(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *pages,
		      u8 access, gs_time t, bool *again);

/* ---- mm_uvm_thrash.c ---- */

enum uvm_hint { UVM_HINT_NONE, UVM_HINT_THROTTLE, UVM_HINT_PIN };

void uvm_thrash_init(struct mm_uvm *u);
/* Content of @pages was copied to @who at @t, for @cause. */
void uvm_thrash_moved(struct mm_uvm *u, struct uvm_block *b, u16 who, const struct gm_bitmap *pages,
		      enum uvm_cause cause, gs_time t);
/* Pages known to thrash; NULL: none. */
const struct gm_bitmap *uvm_thrashing(const struct uvm_block *b);
/* What is to be done about a fault of @who on @page; *where to pin it, *until to throttle. */
enum uvm_hint uvm_thrash_hint(struct mm_uvm *u, struct uvm_block *b, u32 page, u16 who, u16 *where,
			      gs_time *until);
/* All processors that fight for @pages, which are where they are pinned, map them. */
void uvm_thrash_map(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *pages);
void uvm_thrash_reset(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *pages);
/* Unpin what has been pinned long enough.  [b->extra] */
void uvm_thrash_expire(struct mm_uvm *u, struct uvm_block *b);
const char *uvm_thrash_check(const struct mm_uvm *u, const struct uvm_block *b);

/* ---- mm_uvm_counter.c ---- */

/* @device accessed @bytes from page @first on, far away. */
void uvm_count(struct mm_uvm *u, struct uvm_block *b, u16 device, u32 first, u64 bytes);
/* How many bytes may be accessed before a notification. */
u64 uvm_count_left(const struct mm_uvm *u, const struct uvm_extra_side *s);
bool uvm_counter_pending(const struct uvm_gpu *g);
/* The servicer turns to notifications at once, then from event to event. */
void uvm_counter_begin(struct uvm_gpu *g);
void uvm_counter_step(struct uvm_gpu *g);
void uvm_counter_clear(struct uvm_extra_side *s);

#endif
