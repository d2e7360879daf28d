/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * event.h - simulated time and the future event list
 *
 * Time is an integer count of picoseconds.  An event is embedded in the object
 * that it wakes (container_of finds the object) and is never allocated.
 * Events fire in the total order (when, prio, order of scheduling), so that a
 * run is a function of configuration, trace and seed alone.
 */
#ifndef GS_EVENT_H
#define GS_EVENT_H

#include "sim/base.h"

typedef u64 gs_time; /* picoseconds; 2^64 ps are 213 days */

#define GS_NEVER ((gs_time)-1)
#define GS_NS	 ((gs_time)1000)
#define GS_US	 (1000 * GS_NS)
#define GS_MS	 (1000 * GS_US)
#define GS_S	 (1000 * GS_MS)

struct gs_sim;

struct gs_event {
	void (*fn)(struct gs_sim *sim, struct gs_event *ev);
	u32 slot; /* private: heap index + 1, 0 = idle */
	u16 prio; /* lower first among equal times; 0 for most */
};

struct gs_sim *gs_sim_new(u64 seed);
void gs_sim_free(struct gs_sim *sim);

gs_time gs_now(const struct gs_sim *sim);
u64 gs_seed(const struct gs_sim *sim);

/* Start @ev at @when.  [not queued; when >= now]  The event stays the caller's. */
void gs_at(struct gs_sim *sim, struct gs_event *ev, gs_time when);
/* The same, @delay after now. */
void gs_after(struct gs_sim *sim, struct gs_event *ev, gs_time delay);
/* Take @ev back; an idle event is left alone. */
void gs_cancel(struct gs_sim *sim, struct gs_event *ev);
static inline bool gs_queued(const struct gs_event *ev)
{
	return ev->slot;
}

/* Time of the earliest pending event, GS_NEVER if there is none. */
gs_time gs_next_time(const struct gs_sim *sim);
/*
 * Move the clock forward from inside an event handler, so that a kernel can
 * pass many resident units without an event for each.
 * [now <= when <= gs_next_time()]
 */
void gs_advance(struct gs_sim *sim, gs_time when);

/* Run until no event is left or gs_stop() was called. */
void gs_run(struct gs_sim *sim);
void gs_stop(struct gs_sim *sim);
/* Events fired so far. */
u64 gs_fired(const struct gs_sim *sim);

#endif
