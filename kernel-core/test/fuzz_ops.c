// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * fuzz_ops.c - the core against the naive model, its course told by bytes
 *
 * The input is a row of choices: variant, policies, switches, then operations,
 * what ends when and what goes wrong (walk.h).
 */
#include "kernel-core/test/walk.h"

#define MOST 600 /* steps */

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static const char *pick(struct world *w, const char *const *names)
{
	u32 n = 0;

	while (names[n])
		n++;
	return names[rnd(w, n)];
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct world *w = calloc(1, sizeof(*w));
	const char *variant, *evictor, *prefetcher;
	u64 live = gm_port_live();

	w->rnd = 1;
	w->glance = true;
	w->in = data;
	w->in_end = data + size;
	variant = pick(w, gm_variant_names);
	evictor = pick(w, gm_evictor_names);
	prefetcher = pick(w, gm_prefetcher_names);
	snprintf(where, sizeof(where), "%s/%s/%s", variant, evictor, prefetcher);
	walk_begin(w, variant, evictor, prefetcher, false);
	while (w->in < w->in_end && w->steps < MOST)
		walk_step(w);
	w->in = w->in_end;
	tear_down(w);
	CHECK(gm_port_live() == live, "%llu allocations are left", gm_port_live() - live);
	free(w);
	return 0;
}
