/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * kineto_pool.h - buffers by size: which is alive and was written last
 *
 * The profiler tells operands by size only; tr_kineto_derive.c looks them up here.
 */
#ifndef TR_KINETO_POOL_H
#define TR_KINETO_POOL_H

#include "traces/build.h"

struct kn_pools {
	const struct tr_build *b;
	u32 epoch; /* grows where counting of old buffers begins anew */
	u32 round; /* grows where nothing is alive any more */

	struct kn_pool *pools; /* private: hash table */
	u32 npools, nslots;
	u32 *stamps; /* by buffer: when it was written or allocated last */
	u32 stamp;
	size_t nstamps, stamps_cap;
};

void kn_pools_fini(struct kn_pools *p);

/* @buf is alive from now on; it dies; is it alive?  It is written. */
void kn_pool_add(struct kn_pools *p, u32 buf);
void kn_pool_remove(struct kn_pools *p, u32 buf);
bool kn_pool_has(struct kn_pools *p, u32 buf);
void kn_pool_written(struct kn_pools *p, u32 buf);

/* The live buffer that @bytes fit, none of @not, written last; U32_MAX: none. */
u32 kn_pool_newest(struct kn_pools *p, u64 bytes, u16 device, const u32 * not, size_t n);
/* Live buffers of about a size, in the order in which they came. */
const u32 *kn_pool_class(struct kn_pools *p, u64 bytes, u16 device, size_t *n);

/*
 * Buffers that were there before.  The n-th of a size that forward kernels want
 * is the n-th in each epoch; backward kernels want them in the opposite order.
 * U32_MAX: there is no such buffer yet; add one.
 */
u32 kn_pool_old(struct kn_pools *p, u64 bytes, u16 device, u8 phase);
void kn_pool_add_old(struct kn_pools *p, u32 buf);

#endif
