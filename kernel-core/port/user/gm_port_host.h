/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_port_host.h - what the simulator and tests may ask of the user port
 *
 * The core never includes this.  Counters are for the whole process and safe
 * to use from several threads; gm_port_fail_nth() is for the calling thread.
 */
#ifndef GM_PORT_HOST_H
#define GM_PORT_HOST_H

#include "gm_port.h"

/*
 * The @n-th allocation from now on (1 is the next) returns NULL, all others
 * succeed; 0 calls it off.
 */
void gm_port_fail_nth(u64 n);
/* Whether the failure that was asked for has happened. */
bool gm_port_failed(void);

/* Allocations not freed yet, and their sum as asked for. */
u64 gm_port_live(void);
u64 gm_port_live_bytes(void);
/* Allocations ever made; a bound for gm_port_fail_nth(). */
u64 gm_port_allocs(void);

/* WARN_ON_ONCE() conditions that came true, also silent repetitions. */
u64 gm_port_warned(void);

enum { GM_PORT_ERR = 3, GM_PORT_WARN = 4, GM_PORT_INFO = 6, GM_PORT_DEBUG = 7 };

/*
 * Lines of pr_err() and the like go to @sink without their final newline,
 * levels above @max_level nowhere.  NULL: standard error, as "gmem: ...".
 * At first: NULL and GM_PORT_WARN.
 */
void gm_port_set_log(void (*sink)(void *arg, int level, const char *line), void *arg,
		     int max_level);

#endif
