/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_host.h - host memory as managers use it: counted, and a full one ends the run
 */
#ifndef MM_HOST_H
#define MM_HOST_H

#include "models/hw.h"
#include "sim/mm.h"

/* hw_host_open() */
gs_time mm_host_try(struct mm *m, struct hw_hold *h, u64 bytes, gs_time t, enum hw_opener who);
/* ... what cannot be had ends the run, and @t is returned. */
gs_time mm_host_open(struct mm *m, struct hw_hold *h, u64 bytes, gs_time t, enum hw_opener who);
/* hw_host_copied() */
gs_time mm_host_copied(struct mm *m, struct hw_hold *h, bool to, u64 bytes, gs_time start,
		       gs_time end);
/* Say that host memory, or the SSD below it, is full, and what to do. */
void mm_host_full(struct mm *m);

#endif
