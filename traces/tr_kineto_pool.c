/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tr_kineto_pool.c - buffers by size: which is alive and was written last */
#include "traces/kineto_pool.h"

/*
 * PyTorch's allocator rounds to 512 bytes, and leaves up to 1 MiB at the end
 * of a block of more than 1 MiB: the block is reported, not what was asked for.
 */
enum { ROUND = 512, SLACK = 1 << 20 };

/*
 * Buffers of about one size on one device: live ones by class (of 512 bytes, or
 * of 1 MiB above that), those that were there before by their exact size.
 */
struct kn_pool {
	u64 key; /* 0: empty slot */
	u32 *live;
	size_t n, cap;
	u32 *old; /* there before, in order of first use */
	size_t nold, old_cap;
	size_t cursor; /* in old: forward goes up from 0, backward down */
	u32 epoch;     /* of the cursor */
	u32 round;     /* of live */
};

enum sort_of_pool { EXACT, CLASS };

static u64 key_of(enum sort_of_pool sort, u16 device, u64 bytes)
{
	u64 round = (bytes + ROUND - 1) / ROUND;

	if (sort == CLASS && bytes > SLACK)
		round = 1ULL << 40 | bytes / SLACK;
	return round << 12 | (u64)sort << 11 | (u64)(device + 1);
}

static struct kn_pool *slot(struct kn_pool *pools, u32 nslots, u64 key)
{
	u32 i = (u32)gs_hash(&key, sizeof(key), 0) & (nslots - 1);

	while (pools[i].key && pools[i].key != key)
		i = (i + 1) & (nslots - 1);
	return &pools[i];
}

static void grow(struct kn_pools *p)
{
	u32 n = p->nslots ? 2 * p->nslots : 256;
	struct kn_pool *pools = gs_calloc(n, sizeof(*pools));

	for (u32 i = 0; i < p->nslots; i++)
		if (p->pools[i].key)
			*slot(pools, n, p->pools[i].key) = p->pools[i];
	free(p->pools);
	p->pools = pools;
	p->nslots = n;
}

static struct kn_pool *pool_of(struct kn_pools *p, enum sort_of_pool sort, u16 device, u64 bytes)
{
	u64 key = key_of(sort, device, bytes);
	struct kn_pool *pool;

	if (2 * p->npools >= p->nslots)
		grow(p);
	pool = slot(p->pools, p->nslots, key);
	p->npools += !pool->key;
	pool->key = key;
	if (pool->round != p->round)
		pool->n = 0;
	pool->round = p->round;
	return pool;
}

static struct kn_pool *class_of(struct kn_pools *p, u32 buf)
{
	return pool_of(p, CLASS, p->b->bufs[buf].device, p->b->bufs[buf].bytes);
}

void kn_pools_fini(struct kn_pools *p)
{
	for (u32 i = 0; i < p->nslots; i++) {
		free(p->pools[i].live);
		free(p->pools[i].old);
	}
	free(p->pools);
	free(p->stamps);
}

/* ---- what is alive ------------------------------------------------------- */

void kn_pool_written(struct kn_pools *p, u32 buf)
{
	while (p->nstamps <= buf) {
		GS_PUSH_ROOM(p->stamps, p->nstamps, p->stamps_cap);
		p->stamps[p->nstamps++] = 0;
	}
	p->stamps[buf] = ++p->stamp;
}

void kn_pool_add(struct kn_pools *p, u32 buf)
{
	struct kn_pool *pool = class_of(p, buf);

	GS_PUSH_ROOM(pool->live, pool->n, pool->cap);
	pool->live[pool->n++] = buf;
	kn_pool_written(p, buf);
}

void kn_pool_remove(struct kn_pools *p, u32 buf)
{
	struct kn_pool *pool = class_of(p, buf);

	for (size_t i = pool->n; i-- > 0;) {
		if (pool->live[i] != buf)
			continue;
		memmove(pool->live + i, pool->live + i + 1,
			(pool->n - i - 1) * sizeof(*pool->live));
		pool->n--;
		return;
	}
}

bool kn_pool_has(struct kn_pools *p, u32 buf)
{
	const struct kn_pool *pool = class_of(p, buf);

	for (size_t i = pool->n; i-- > 0;)
		if (pool->live[i] == buf)
			return true;
	return false;
}

static bool among(const u32 *v, size_t n, u32 what)
{
	while (n--)
		if (v[n] == what)
			return true;
	return false;
}

u32 kn_pool_newest(struct kn_pools *p, u64 bytes, u16 device, const u32 * not, size_t n)
{
	const u64 need = (bytes + ROUND - 1) / ROUND * ROUND;
	const u64 most = bytes > SLACK ? need + SLACK : need;
	u32 best = U32_MAX;

	for (u64 look = need; look <= most; look += SLACK) {
		const struct kn_pool *pool = pool_of(p, CLASS, device, look);

		for (size_t i = 0; i < pool->n; i++) {
			u32 buf = pool->live[i];
			u64 have = p->b->bufs[buf].bytes;

			if (have < bytes || have > most || among(not, n, buf))
				continue;
			if (best == U32_MAX || p->stamps[buf] > p->stamps[best])
				best = buf;
		}
	}
	return best;
}

const u32 *kn_pool_class(struct kn_pools *p, u64 bytes, u16 device, size_t *n)
{
	const struct kn_pool *pool = pool_of(p, CLASS, device, bytes);

	*n = pool->n;
	return pool->live;
}

/* ---- what was there before ------------------------------------------------- */

u32 kn_pool_old(struct kn_pools *p, u64 bytes, u16 device, u8 phase)
{
	struct kn_pool *pool = pool_of(p, EXACT, device, bytes);

	if (pool->epoch != p->epoch)
		pool->cursor = 0;
	pool->epoch = p->epoch;
	if (phase == GS_BACKWARD && pool->nold) {
		pool->cursor = pool->cursor ? pool->cursor - 1 : pool->nold - 1;
		return pool->old[pool->cursor];
	}
	if (phase == GS_STEP && pool->nold)
		return pool->old[pool->cursor++ % pool->nold];
	return pool->cursor++ < pool->nold ? pool->old[pool->cursor - 1] : U32_MAX;
}

void kn_pool_add_old(struct kn_pools *p, u32 buf)
{
	const struct tb_buf *f = &p->b->bufs[buf];
	struct kn_pool *pool = pool_of(p, EXACT, f->device, f->bytes);

	GS_PUSH_ROOM(pool->old, pool->nold, pool->old_cap);
	pool->old[pool->nold++] = buf;
}
