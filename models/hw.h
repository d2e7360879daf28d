/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * hw.h - the described machine: devices with HBM, host, links, fault threads
 *
 * Resources are servers whose completion time is known when work is handed
 * in, so that queueing costs no events: a caller reserves, gets start and end,
 * and schedules its own event at the end.  Rows beside each struct are the
 * YAML keys; every default carries its source or the word guess.
 */
#ifndef HW_H
#define HW_H

#include "models/hw_host.h"
#include "sim/op.h"

#define HW_MAX_DEVICES 64

/* One FIFO server: serves one request at a time in order of arrival. */
struct hw_server {
	gs_time free_at; /* end of the last reservation */
	u64 requests, busy_ps, wait_ps;
};
/* Occupy @s for @length from @earliest on; returns the start. */
gs_time hw_reserve(struct hw_server *s, gs_time earliest, gs_time length);

/* k equal servers, one queue (the CPU threads that serve faults). */
struct hw_pool {
	u32 n;
	struct hw_server *server; /* n of them, owned */
};
void hw_pool_init(struct hw_pool *p, u32 n);
void hw_pool_fini(struct hw_pool *p);
gs_time hw_pool_reserve(struct hw_pool *p, gs_time earliest, gs_time length);

struct hw_link_cfg {
	u64 h2d_bps, d2h_bps; /* payload, large transfers, one direction */
	gs_time latency_ps;   /* first byte in to first byte out */
	gs_time setup_ps;     /* per transfer, occupies the direction (alpha) */
	u32 duplex_pct;	      /* rate of each direction while both are busy */
	const char *curve;    /* "64 KiB:10.6 GB/s, 2 MiB:48 GB/s" or "" */
};

enum hw_dir { HW_H2D, HW_D2H, HW_NR_DIRS };

struct hw_link_stats {
	u64 transfers, bytes, busy_ps, wait_ps;
};

struct hw_link {
	const struct hw_link_cfg *cfg;
	struct hw_server dir[HW_NR_DIRS];
	struct hw_link_stats stats[HW_NR_DIRS];
	struct hw_curve *curve;	    /* NULL: setup + bytes / rate */
	const struct hw_dram *dram; /* what its host end shares; NULL: no bound */
};

/* Host memory behind all host links: transfers that run at once share it. */
struct hw_dram {
	u64 bps;
	u32 nlinks;
	const struct hw_link *links;
};

/* Reserve a transfer; returns its end (last byte arrived), *start its start. */
gs_time hw_link_send(struct hw_link *l, enum hw_dir dir, u64 bytes, gs_time earliest,
		     gs_time *start);
/*
 * The same for @bytes in @runs transfers of equal size, back to back, which
 * occupy the direction for @extra besides.  [runs > 0]
 */
gs_time hw_link_send_runs(struct hw_link *l, enum hw_dir dir, u64 bytes, u32 runs, gs_time extra,
			  gs_time earliest, gs_time *start);
/* Time that @bytes would occupy the direction, alone. */
gs_time hw_link_time(const struct hw_link *l, enum hw_dir dir, u64 bytes);

/* Read cfg->curve.  0, or -EINVAL with *why set (static). */
int hw_link_init(struct hw_link *l, const struct hw_link_cfg *cfg, const char **why);
void hw_link_fini(struct hw_link *l);

struct hw_device_cfg { /* `device.*`: all devices are alike */
	const char *name;
	u32 count;
	u64 hbm_capacity;	 /* bytes, before the reserve */
	u64 hbm_capacity_units;	 /* if > 0: capacity = this many manager units */
	u64 hbm_reserve;	 /* driver and context */
	u64 hbm_bps;		 /* achievable */
	u64 flops[GS_NR_DTYPES]; /* dense peak by type, op/s; 0: as f32 */
	u32 fault_window;	 /* distinct faulting units before a kernel stalls */
	u64 fault_reach;	 /* span of addresses that warps in flight cover */
	gs_time launch_ps;	 /* gap between two kernels of a stream */
};

struct hw_host_cfg {	   /* `host.*` */
	u64 dram_capacity; /* bytes */
	u64 dram_bps;
	u32 fault_threads;	/* CPU threads that serve faults */
	gs_time msg_latency_ps; /* remote pager: one way incl. dispatch */
	gs_time msg_gap_ps;	/* channel occupancy of one message */
	gs_time alloc_huge_ps;	/* 2 MiB host page, without zeroing */
	u64 zero_bps;		/* host zeroing */
	u64 device_zero_bps;	/* zeroing in HBM */
	gs_time device_alloc_ps;
	gs_time host_unmap_ps;			/* zap + TLB shootdown of one unit */
	gs_time device_map_ps, device_unmap_ps; /* PTE write; unmap + TLB */
	gs_time dma_map_ps;			/* per unit */
};

struct gs_machine {
	struct hw_device_cfg device;
	struct hw_host_cfg host;
	struct hw_link_cfg link, peer; /* `link.*`, `peer_link.*` */
	struct hw_ssd_cfg ssd;
	/* live state, one per device; set up by hw_machine_init() */
	struct hw_link *links;		   /* host <-> device d */
	struct hw_link *peers;		   /* device d's peer port (out = HW_D2H) */
	struct hw_server *msg[HW_NR_DIRS]; /* message channel of device d */
	struct hw_pool fault_threads;
	struct hw_dram dram;
	struct hw_ssd drives;
	struct hw_host hostmem;
};

extern const struct gm_param hw_device_rows[], hw_host_rows[], hw_link_rows[];
/* Peer link: the same rows with other defaults. */
extern const struct gm_param hw_peer_rows[];

/* After the configuration is bound.  0 or -errno (said). */
int hw_machine_init(struct gs_machine *m, const struct gs_config *cfg);
void hw_machine_fini(struct gs_machine *m);
/* Bytes that pages of the job may use on one device. */
u64 hw_hbm_usable(const struct gs_machine *m, u64 unit);
/* Does one unit of the manager fit at all?  0 or -EINVAL (said). */
int hw_check_unit(const struct gs_machine *m, const struct gs_config *cfg, u64 unit);
/* Units that a kernel may miss before it stalls: the window, cut by the reach; >= 1. */
u32 hw_fault_window(const struct gs_machine *m, u64 unit);

/*
 * Duration of a kernel by the roofline of the configured device: the larger of
 * flops / (peak * efficiency of the class) and bytes / (HBM rate * efficiency),
 * plus nothing; efficiencies and their sources are rows of hw_roofline.c.
 */
gs_time hw_roofline(const struct gs_machine *m, u8 opclass, u8 dtype, u64 flops, u64 bytes);

#endif
