/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_uapi.h - what programs say to /dev/gmem
 *
 * The first two ioctls are openEuler's, numbers and structure; the others are
 * ours and begin at 0x40.  A mapping of the device file is a peer-shared range:
 * CPU and devices use the same addresses for it, and its units move to who
 * touches them.  An open file belongs to the address space that opened it.
 */
#ifndef GM_UAPI_H
#define GM_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define GMEM_MAGIC 0x55

struct hmadvise_arg {
	int hnid; /* -1: any, for MADV_DONTNEED only */
	unsigned long start;
	__kernel_size_t len_in;
	int behavior;
};

/* The id of the first device's memory; -ENODEV if there is none. */
#define GMEM_GET_HNUMA_ID _IOW(GMEM_MAGIC, 1, int *)
/* Returns when the advice has been followed. */
#define GMEM_MADVISE _IOW(GMEM_MAGIC, 2, struct hmadvise_arg)

/*
 * Behaviours besides MADV_DONTNEED (free eagerly) and MADV_WILLNEED.  Trees
 * differ; these are OLK-6.6's.
 */
#ifndef GMEM_MADV_PREFETCH
#define GMEM_MADV_PREFETCH 0x1000
#define GMEM_MADV_PINNED   0x1001
#define GMEM_MADV_UNPINNED 0x1002
#endif
#define GMEM_MADV_DONTNEED 4
#define GMEM_MADV_WILLNEED 3

/*
 * Programs of the emulated accelerator work on 64-bit words, i counts them from
 * 0 in [dst, dst + bytes); everything is a multiple of 8.
 */
enum gmem_op {
	GMEM_OP_FILL,	  /* dst[i] = value + i * step */
	GMEM_OP_COPY,	  /* dst[i] = src[i] */
	GMEM_OP_ADD,	  /* dst[i] += src[i] * value */
	GMEM_OP_CHECKSUM, /* result = sum of dst[i] * (2 * i + 1) */
	GMEM_OP_STRIDE,	  /* dst[i * step / 8] += value, while within bytes */
	GMEM_OP_RANDOM,	  /* step times: dst[splitmix64(value) % words] += 1 */
	GMEM_OP_ADVISE,	  /* hmadvise(device, dst, bytes, value) in the stream */
	GMEM_NR_OPS
};

#define GMEM_MAX_STREAMS 16

struct gmem_prog {
	__u32 op;     /* enum gmem_op */
	__s32 device; /* or hnid */
	__u32 stream; /* of this file; made by its first use */
	__s32 err;    /* answer: 0 or -errno */
	__u64 dst, src, bytes, value, step;
	__u64 result; /* answer */
};

struct gmem_sync {
	__u32 stream;
	__s32 err;    /* answer: first error since the last sync */
	__u64 result; /* answer: of the last program with one */
};

struct gmem_info {
	__u64 unit, hbm_bytes; /* of each device */
	__u32 devices, pad;
};

/* Behind what the stream does already; returns when it is done. */
#define GMEM_PROG_RUN _IOWR(GMEM_MAGIC, 0x40, struct gmem_prog)
/* The same, returns at once. */
#define GMEM_PROG_SUBMIT _IOW(GMEM_MAGIC, 0x41, struct gmem_prog)
#define GMEM_STREAM_SYNC _IOWR(GMEM_MAGIC, 0x42, struct gmem_sync)
#define GMEM_INFO	 _IOR(GMEM_MAGIC, 0x43, struct gmem_info)

#endif
