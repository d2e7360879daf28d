/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gmem.h - libgmem: openEuler's three calls, and what ours needs besides
 *
 * Returns are 0 or -errno.  A @stream of NULL means: return when it is done.
 * Otherwise it is done in order with what else the stream was given, 0 only says
 * that it is queued, and gmemStreamSync() tells how it went.
 *
 * openEuler's programs get peer-shared memory by a flag of mmap(); here it is
 * gmemMap(), a mapping of /dev/gmem.  A child of fork() has no share in it.
 */
#ifndef GMEM_H
#define GMEM_H

#include <stddef.h>
#include <stdint.h>

#include "gm_uapi.h"

/* ---- as openEuler declares them --------------------------------------- */

int gmemPrefetch(unsigned long addr, size_t size, int hnid, void *stream);
int gmemFreeEager(unsigned long addr, size_t size, void *stream);
int gmemGetNumaId(void);

/* ---- ours ------------------------------------------------------------- */

/* A shared range of whole units (gmemInfo), NULL with errno set. */
void *gmemMap(size_t size);
int gmemUnmap(void *addr, size_t size);
int gmemInfo(struct gmem_info *info);

/* One of GMEM_MAX_STREAMS - 1 streams, NULL if all are taken. */
void *gmemStreamCreate(void);
/* Wait for it; the first error since the last time. */
int gmemStreamSync(void *stream, uint64_t *result);

/* Run @prog; without a stream its result is in @prog. */
int gmemRun(struct gmem_prog *prog, void *stream);

#endif
