/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_policies.h - the policies there are, for the two arrays in gm_policy.c
 *
 * Also the queue that several evictors are made of: units in an order, the
 * head leaves first.
 */
#ifndef GM_POLICIES_H
#define GM_POLICIES_H

#include "gm_policy.h"

/* A new policy is one file, one line here and one word in gm_policy.c. */
extern const struct gm_evict_ops gm_evict_fifo;
extern const struct gm_evict_ops gm_evict_lru;
extern const struct gm_evict_ops gm_evict_clock;
extern const struct gm_evict_ops gm_evict_lfu;
extern const struct gm_evict_ops gm_evict_arc;
extern const struct gm_evict_ops gm_evict_s3fifo;
extern const struct gm_evict_ops gm_evict_random;
extern const struct gm_evict_ops gm_evict_min;

extern const struct gm_prefetch_ops gm_prefetch_next;
extern const struct gm_prefetch_ops gm_prefetch_stride;
extern const struct gm_prefetch_ops gm_prefetch_tree;

struct gm_queue {
	struct list_head units; /* gm_mapping.lru */
	u64 n;
};

int gm_queue_init(struct gm_hnode *node);
void gm_queue_fini(struct gm_hnode *node);
void gm_queue_insert(struct gm_hnode *node, struct gm_mapping *m);
void gm_queue_to_tail(struct gm_hnode *node, struct gm_mapping *m);
void gm_queue_remove(struct gm_hnode *node, struct gm_mapping *m);
struct gm_mapping *gm_queue_head(struct gm_hnode *node);
u64 gm_queue_count(const struct gm_hnode *node);

#endif
