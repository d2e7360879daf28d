/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * layout.h - where tensors lie: PyTorch's caching allocator, modelled
 *
 * A trace recorded on a CPU has the CPU allocator's addresses, which mean
 * nothing on an accelerator.  This allocator lays tensors out as PyTorch's CUDA
 * caching allocator would (c10/cuda/CUDACachingAllocator.cpp: sizes and
 * thresholds below): blocks are cut from segments, kept and reused after a
 * free, and segments are never given back.
 */
#ifndef GS_LAYOUT_H
#define GS_LAYOUT_H

#include "sim/base.h"

struct gs_layout;

/*
 * @segment is told each new segment of device @device.  0 or -errno, which
 * gs_layout_alloc() passes on.
 */
struct gs_layout *
gs_layout_new(u32 ndevices, int (*segment)(void *arg, u16 device, u64 va, u64 bytes), void *arg);
void gs_layout_free(struct gs_layout *l);

/* What an allocation got; @bytes may exceed the request. */
struct gs_block {
	u64 va, bytes;
	u16 device;
};

/* Place @bytes (0 is legal) on @device.  0, -ENOMEM or what segment() said. */
int gs_layout_alloc(struct gs_layout *l, u16 device, u64 bytes, struct gs_block *b);
/* Give @b back as gs_layout_alloc() filled it. */
void gs_layout_release(struct gs_layout *l, const struct gs_block *b);

#endif
