// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_prefetch_tree.c - UVM's density tree over the units of a space
 *
 * A tree spans an aligned window of tree_region bytes (2 MiB in UVM), clipped
 * to the mapped range; its leaves are units.  UVM grows a fault to 64 KiB
 * before it looks at densities, so leaves are counted from a 64 KiB boundary;
 * those before the range weigh in the density but are never set.
 *
 *	window   |................................|
 *	range          |----------------->
 *	leaves       |xx0123...
 */
#include "gm_policies.h"
#include "gm_tree.h"

#define UVM_GROUP_BYTES 65536 /* a "big page": systems.md A.3, step 4 */

/* On the device already or on the way to it. */
static bool coming(const struct gm_mapping *m, u32 dev)
{
	return (m->state == GM_DEVICE || m->state == GM_TO_DEVICE) && m->owner == (s16)dev;
}

static u32 tree_on_fault(struct gm_ctx *ctx, struct gm_range *r, u64 index, struct gm_span *out)
{
	const struct gm_policy_params *p = gm_core_policy_params(ctx->core);
	u32 shift = (u32)ilog2(gm_core_unit(ctx->core)), dev = gm_dev_id(ctx->dev);
	u64 window = 1ULL << ilog2(clamp_t(u64, p->tree_region >> shift, 1, GM_TREE_MAX));
	u64 group = max_t(u64, UVM_GROUP_BYTES >> shift, 1);
	struct gm_bitmap b = { 0 }, faulted = { 0 };
	u64 va = r->va >> shift, start, end;
	u32 i, n, skip, leaf, first, last;

	/* Unit numbers of the space; @index and the answer count from @va. */
	start = round_down(va + index, window);
	end = min(start + window, va + r->n);
	start = max(start, round_down(va, group));
	n = (u32)(end - start);
	skip = (u32)(max(start, va) - start);
	leaf = (u32)(va + index - start);

	for (i = skip; i < n; i++)
		if (coming(&r->map[start + i - va], dev))
			b.w[i / 64] |= BIT_ULL(i % 64);
	faulted.w[leaf / 64] = BIT_ULL(leaf % 64);
	gm_tree_grow(&b, &faulted, skip, n, (u32)group);
	if (!gm_tree_node(&b, n, leaf, p->tree_threshold, &first, &last))
		return 0;
	out[0].first = start + max(first, skip) - va;
	out[0].n = last - max(first, skip);
	return 1;
}

const struct gm_prefetch_ops gm_prefetch_tree = {
	.name = "tree",
	.help = "UVM's density tree: the largest node filled above the threshold",
	.on_fault = tree_on_fault,
};
