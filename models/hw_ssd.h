/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * hw_ssd.h - NVMe drives below the host's memory
 *
 * A transfer is cut into commands.  Each way a drive works on at most
 * `queue_depth` of them at once: their latencies overlap, their bytes do not.
 * Drives are striped command by command.  Like all resources here a transfer's
 * end is known when it is handed in.
 */
#ifndef HW_SSD_H
#define HW_SSD_H

#include "sim/config.h"
#include "sim/event.h"

enum hw_ssd_way { HW_SSD_READ, HW_SSD_WRITE, HW_SSD_WAYS };

struct hw_ssd_cfg { /* `ssd.*` */
	u32 count;  /* of drives; 0: there is no third tier */
	u64 capacity;
	u64 bps[HW_SSD_WAYS];
	gs_time latency[HW_SSD_WAYS]; /* of one command, without its bytes */
	u32 queue_depth;	      /* commands of a drive at work, each way */
	u64 command;		      /* bytes of one command */
	bool direct;		      /* devices reach it without host memory */
	u64 headroom;		      /* host memory kept free by writing ahead of need */
};
extern const struct gm_param hw_ssd_rows[];

struct hw_ssd_stats {
	u64 transfers, commands, bytes, busy_ps, wait_ps;
};
extern const struct gm_stat hw_ssd_stat_rows[];

struct hw_ssd {
	const struct hw_ssd_cfg *cfg; /* NULL: there is none */
	struct hw_ssd_queue {
		gs_time free_at; /* the last command's bytes are over */
		gs_time *ends;	 /* of the last queue_depth commands */
		u32 next;	 /* the oldest of them */
	} * queues[HW_SSD_WAYS]; /* one a drive */
	u32 turn[HW_SSD_WAYS];	 /* drive of the next command */
	struct hw_ssd_stats stats[HW_SSD_WAYS];
};

void hw_ssd_init(struct hw_ssd *s, const struct hw_ssd_cfg *cfg);
void hw_ssd_fini(struct hw_ssd *s);
/* Read or write @bytes from @earliest on; returns when the last one is there. */
gs_time hw_ssd_send(struct hw_ssd *s, enum hw_ssd_way way, u64 bytes, gs_time earliest);

#endif
