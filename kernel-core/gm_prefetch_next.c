// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_prefetch_next.c - the next n units
 *
 * Fires on a fault and on the first touch of a unit that it brought (tagged
 * prefetching), so that a sequential reader meets one fault and then stays n
 * units behind the prefetcher.
 */
#include "gm_policies.h"

static u32 next_fire(struct gm_ctx *ctx, struct gm_range *r, u64 index, struct gm_span *out)
{
	u64 want = gm_core_policy_params(ctx->core)->next_n;

	out[0].first = index + 1;
	out[0].n = min(want, r->n - index - 1);
	return out[0].n ? 1 : 0;
}

const struct gm_prefetch_ops gm_prefetch_next = {
	.name = "next-n",
	.help = "the n units behind a fault, and again when they are first touched",
	.on_fault = next_fire,
	.on_hit = next_fire,
};
