/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * layout.c - PyTorch's caching allocator, as far as it decides addresses
 *
 * Per device two pools, small and large, each an array of free blocks in
 * address order; neighbours of one segment merge.  Best fit is the smallest free block that holds the request, the lowest
 * address among equals, as there.  A few thousand blocks live at a time, so a
 * sorted array of free blocks beats a tree.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/layout.h"

/* CUDACachingAllocator.cpp: kMinBlockSize, kSmallSize, kSmallBuffer,
 * kLargeBuffer, kMinLargeAlloc, kRoundLarge. */
#define MIN_BLOCK     (512ULL)
#define SMALL_SIZE    (1ULL << 20)
#define SMALL_SEGMENT (2ULL << 20)
#define LARGE_SEGMENT (20ULL << 20)
#define MIN_LARGE     (10ULL << 20)
#define ROUND_LARGE   (2ULL << 20)

/* Devices get address ranges of their own in the shared space. */
#define DEVICE_STRIDE (1ULL << 44)
#define DEVICE_BASE   (1ULL << 40)

struct span { /* a free block, or a segment */
	u64 va, bytes;
};

struct pool {
	struct span *free; /* in address order */
	size_t nfree, cap;
	struct span *segments; /* in address order */
	size_t nsegments, segcap;
};

struct gs_layout {
	u32 ndevices;
	int (*segment)(void *arg, u16 device, u64 va, u64 bytes);
	void *arg;
	u64 *next_va;	    /* by device: where the next segment goes */
	struct pool *pools; /* small and large of each device */
};

struct gs_layout *gs_layout_new(u32 ndevices,
				int (*segment)(void *arg, u16 device, u64 va, u64 bytes), void *arg)
{
	struct gs_layout *l = gs_calloc(1, sizeof(*l));

	l->ndevices = ndevices;
	l->segment = segment;
	l->arg = arg;
	l->next_va = gs_calloc(ndevices, sizeof(*l->next_va));
	l->pools = gs_calloc(2 * (size_t)ndevices, sizeof(*l->pools));
	for (u32 d = 0; d < ndevices; d++)
		l->next_va[d] = DEVICE_BASE + d * DEVICE_STRIDE;
	return l;
}

void gs_layout_free(struct gs_layout *l)
{
	if (!l)
		return;
	for (u32 i = 0; i < 2 * l->ndevices; i++) {
		free(l->pools[i].free);
		free(l->pools[i].segments);
	}
	free(l->pools);
	free(l->next_va);
	free(l);
}

static u64 round_size(u64 bytes)
{
	return bytes < MIN_BLOCK ? MIN_BLOCK : (bytes + MIN_BLOCK - 1) / MIN_BLOCK * MIN_BLOCK;
}

static u64 segment_size(u64 bytes)
{
	if (bytes <= SMALL_SIZE)
		return SMALL_SEGMENT;
	if (bytes < MIN_LARGE)
		return LARGE_SEGMENT;
	return (bytes + ROUND_LARGE - 1) / ROUND_LARGE * ROUND_LARGE;
}

static struct pool *pool_of(struct gs_layout *l, u16 device, u64 bytes)
{
	return &l->pools[2 * device + (bytes > SMALL_SIZE)];
}

/* First element of @v whose address is not below @va. */
static size_t lower_bound(const struct span *v, size_t n, u64 va)
{
	size_t lo = 0;

	while (lo < n) {
		size_t mid = lo + (n - lo) / 2;

		if (v[mid].va < va)
			lo = mid + 1;
		else
			n = mid;
	}
	return lo;
}

static void insert_at(struct span **v, size_t *n, size_t *cap, size_t i, struct span s)
{
	GS_PUSH_ROOM(*v, *n, *cap);
	memmove(*v + i + 1, *v + i, (*n - i) * sizeof(s));
	(*v)[i] = s;
	(*n)++;
}

static void remove_at(struct pool *p, size_t i)
{
	memmove(p->free + i, p->free + i + 1, (--p->nfree - i) * sizeof(*p->free));
}

/* Index of the best fit for @bytes, p->nfree if there is none. */
static size_t best_fit(const struct pool *p, u64 bytes)
{
	size_t best = p->nfree;

	for (size_t i = 0; i < p->nfree; i++)
		if (p->free[i].bytes >= bytes &&
		    (best == p->nfree || p->free[i].bytes < p->free[best].bytes))
			best = i;
	return best;
}

static int grow(struct gs_layout *l, struct pool *p, u16 device, u64 bytes)
{
	struct span s = { l->next_va[device], segment_size(bytes) };
	int err;

	if (s.bytes < bytes || s.bytes > DEVICE_STRIDE / 2 ||
	    s.va + s.bytes > DEVICE_BASE + (device + 1) * DEVICE_STRIDE - LARGE_SEGMENT)
		return -ENOMEM;
	err = l->segment(l->arg, device, s.va, s.bytes);
	if (err)
		return err;
	l->next_va[device] += s.bytes;
	/* two pools share the address range: keep both arrays in order */
	insert_at(&p->segments, &p->nsegments, &p->segcap,
		  lower_bound(p->segments, p->nsegments, s.va), s);
	insert_at(&p->free, &p->nfree, &p->cap, lower_bound(p->free, p->nfree, s.va), s);
	return 0;
}

int gs_layout_alloc(struct gs_layout *l, u16 device, u64 bytes, struct gs_block *b)
{
	u64 size = round_size(bytes);
	struct pool *p = pool_of(l, device, size);
	size_t i = best_fit(p, size);
	u64 rest;

	if (i == p->nfree) {
		int err = grow(l, p, device, size);

		if (err)
			return err;
		i = best_fit(p, size);
	}
	/* a block is cut only if what remains is worth keeping */
	rest = p->free[i].bytes - size;
	if (size <= SMALL_SIZE ? rest < MIN_BLOCK : rest <= SMALL_SIZE)
		size += rest;
	*b = (struct gs_block){ .va = p->free[i].va, .bytes = size, .device = device };
	p->free[i].va += size;
	p->free[i].bytes -= size;
	if (!p->free[i].bytes)
		remove_at(p, i);
	return 0;
}

/* Does a segment begin at @va?  Blocks of two segments never merge. */
static bool segment_begins(const struct pool *p, u64 va)
{
	size_t i = lower_bound(p->segments, p->nsegments, va);

	return i < p->nsegments && p->segments[i].va == va;
}

void gs_layout_release(struct gs_layout *l, const struct gs_block *b)
{
	struct pool *p = pool_of(l, b->device, b->bytes);
	struct span s = { b->va, b->bytes };
	size_t i = lower_bound(p->free, p->nfree, s.va);

	if (i < p->nfree && s.va + s.bytes == p->free[i].va && !segment_begins(p, p->free[i].va)) {
		s.bytes += p->free[i].bytes;
		remove_at(p, i);
	}
	if (i > 0 && p->free[i - 1].va + p->free[i - 1].bytes == s.va && !segment_begins(p, s.va)) {
		p->free[i - 1].bytes += s.bytes;
		return;
	}
	insert_at(&p->free, &p->nfree, &p->cap, i, s);
}
