/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_uvm_bits.c - sets of the 512 pages of a block
 */
#include "models/mm_uvm.h"

struct gm_bitmap bits_range(u32 first, u32 last)
{
	struct gm_bitmap r = { 0 };

	gs_assert(first < last && last <= UVM_PAGES);
	for (u32 i = first / 64; i * 64 < last; i++)
		r.w[i] = ~0ULL;
	r.w[first / 64] &= ~0ULL << first % 64;
	if (last % 64)
		r.w[last / 64] &= ~(~0ULL << last % 64);
	return r;
}

u32 bits_runs(const struct gm_bitmap *a)
{
	u64 carry = 0;
	u32 n = 0;

	for (int i = 0; i < UVM_WORDS; i++) {
		u64 starts = a->w[i] & ~(a->w[i] << 1 | carry);

		if (starts)
			n += (u32)hweight64(starts);
		carry = a->w[i] >> 63;
	}
	return n;
}

struct gm_bitmap bits_lowest(const struct gm_bitmap *a, u32 n)
{
	struct gm_bitmap r = { 0 };

	for (int i = 0; i < UVM_WORDS && n; i++) {
		u64 word = a->w[i];
		u32 here = (u32)hweight64(word);

		if (here <= n) {
			r.w[i] = word;
			n -= here;
			continue;
		}
		for (; n; n--, word &= word - 1)
			r.w[i] |= word & -word;
	}
	return r;
}
