/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * hw_host.h - host memory of limited size, above an SSD
 *
 * A manager keeps a hold for each chunk that it may put into host memory, and
 * opens it before a copy from or to it.  When memory is full, holds leave for
 * the SSD, the least recently copied first; what nobody wants back goes without
 * a write.  Without an SSD a full memory is the end.
 *
 *   NONE --open--> DRAM --room for others--> SSD --open--> DRAM
 *     \---open by a device, gpu_direct, full--->/
 */
#ifndef HW_HOST_H
#define HW_HOST_H

#include "models/hw_ssd.h"

enum hw_tier { HW_NO_TIER, HW_DRAM, HW_SSD };

/* Embedded in the manager's chunk; begins as zeroes. */
struct hw_hold {
	struct list_head lru; /* in DRAM, with an SSD below */
	u64 bytes;	      /* frames, or what they would be */
	u64 saved;	      /* bytes that the SSD has of it */
	gs_time ready;	      /* its last copy is over */
	u8 tier;	      /* enum hw_tier */
};

enum hw_opener { HW_BY_CPU, HW_BY_DEVICE };

struct hw_host_stats {
	u64 spills, drops, unchanged; /* holds that left DRAM */
	u64 fetches;		      /* ... that came back */
	u64 direct_in_bytes, direct_out_bytes;
	u64 dram_bytes, dram_peak_bytes, ssd_bytes; /* gauges */
};
extern const struct gm_stat hw_host_stat_rows[];

struct hw_host {
	u64 capacity;
	u64 free;	      /* frames, at once */
	struct hw_ssd *ssd;   /* NULL: none */
	struct list_head lru; /* holds; the head leaves first */
	struct hw_freed {     /* frames that leave later, in order of time */
		gs_time at;
		u64 bytes;
	} * freed;
	size_t first_freed, nfreed, cap_freed;
	u64 freed_bytes;
	/* Bytes of @h that are wanted back.  NULL: all. */
	u64 (*content)(void *arg, const struct hw_hold *h);
	void *arg;
	struct hw_host_stats stats;
};

/* @ssd without a configuration: there is none. */
void hw_host_init(struct hw_host *m, u64 capacity, struct hw_ssd *ssd);
void hw_host_fini(struct hw_host *m);

/*
 * Before a copy from or to @h: there are frames for @bytes at least, with what
 * was in them.  Returns when the copy may begin; GS_NEVER: there is no room.
 */
gs_time hw_host_open(struct hw_host *m, struct hw_hold *h, u64 bytes, gs_time t,
		     enum hw_opener who);
/*
 * @bytes are copied over a device's link from @start to @end, to @h or from it.
 * Returns the end of the copy, which is the SSD's where that is the other side.
 */
gs_time hw_host_copied(struct hw_host *m, struct hw_hold *h, bool to, u64 bytes, gs_time start,
		       gs_time end);
/* The CPU writes to it: what the SSD has of it is old.  [open] */
void hw_host_written(struct hw_host *m, struct hw_hold *h);
/* Nobody wants anything of it back; its frames stay, and go first. */
void hw_host_stale(struct hw_host *m, struct hw_hold *h);
/* It keeps frames for @bytes; 0: it is over. */
void hw_host_shrink(struct hw_host *m, struct hw_hold *h, u64 bytes);

#endif
