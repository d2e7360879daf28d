// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_tree.c - UVM's density rule for prefetching, as a function of bits
 *
 * The leaves of one block (512 pages of 4 KiB in UVM) hang under an implicit
 * binary tree.  Let B be the leaves that are resident or faulted, with each
 * aligned group that holds a fault taken as a whole (64 KiB in UVM).  For each
 * faulted leaf the largest node above it with
 *
 *	popcount(B in node) * 100 > leaves of node * threshold
 *
 * is fetched; smaller nodes on the way need not pass.  B does not grow with
 * what was chosen in the same pass, and a threshold of 100 chooses nothing.
 */
#include "gm_tree.h"

/* All bits of a word from @first % 64 on; all up to @last, which is not 0. */
static u64 mask_from(u32 first)
{
	return ~0ULL << first % 64;
}

static u64 mask_to(u32 last)
{
	return ~0ULL >> (64 - last) % 64;
}

static void set_range(struct gm_bitmap *b, u32 first, u32 last)
{
	u32 w = first / 64, end = (last - 1) / 64;

	if (w == end) {
		b->w[w] |= mask_from(first) & mask_to(last);
		return;
	}
	b->w[w] |= mask_from(first);
	while (++w < end)
		b->w[w] = ~0ULL;
	b->w[end] |= mask_to(last);
}

/* Full and empty words are the rule. */
static u32 count_word(u64 bits)
{
	return bits + 1 > 1 ? (u32)hweight64(bits) : (u32)(bits & 64);
}

static u32 count_range(const struct gm_bitmap *b, u32 first, u32 last)
{
	u32 w = first / 64, end = (last - 1) / 64, n;

	if (w == end)
		return count_word(b->w[w] & mask_from(first) & mask_to(last));
	n = count_word(b->w[w] & mask_from(first));
	while (++w < end)
		n += count_word(b->w[w]);
	return n + count_word(b->w[end] & mask_to(last));
}

/* The first bit at or behind @at and before @npages that is @value, else @npages. */
static u32 next_bit(const struct gm_bitmap *b, u32 at, u32 npages, bool value)
{
	u64 flip = value ? 0 : ~0ULL, bits;
	u32 w = at / 64;

	if (at >= npages)
		return npages;
	bits = (b->w[w] ^ flip) & ~0ULL << at % 64;
	while (!bits) {
		if (++w * 64 >= npages)
			return npages;
		bits = b->w[w] ^ flip;
	}
	return min(w * 64 + (u32)__ffs64(bits), npages);
}

void gm_tree_grow(struct gm_bitmap *b, const struct gm_bitmap *faulted, u32 skip, u32 npages,
		  u32 group)
{
	u32 at = next_bit(faulted, skip, npages, true);

	while (at < npages) { /* a run of faults at a time */
		u32 start = at - at % group, end = next_bit(faulted, at, npages, false);

		end = min(end + group - 1 - (end - 1) % group, npages);
		set_range(b, max(start, skip), end);
		at = next_bit(faulted, end, npages, true);
	}
}

bool gm_tree_node(const struct gm_bitmap *b, u32 npages, u32 leaf, u32 threshold, u32 *first,
		  u32 *last)
{
	u32 size = 1;

	while (size < npages)
		size *= 2;
	/* Nodes on one path are nested: the first that passes is the largest. */
	for (; size; size /= 2) {
		*first = round_down(leaf, size);
		*last = min(*first + size, npages); /* the tree ends with the block */
		if ((u64)count_range(b, *first, *last) * 100 > (u64)(*last - *first) * threshold)
			return true;
	}
	return false;
}

void gm_tree_expand(const struct gm_bitmap *resident, const struct gm_bitmap *faulted, u32 npages,
		    u32 group, u32 threshold, struct gm_bitmap *out)
{
	struct gm_bitmap b = *resident;
	u32 at = 0, w, first, last;

	memset(out, 0, sizeof(*out));
	npages = min_t(u32, npages, GM_TREE_MAX);
	for (w = 0; w < GM_TREE_WORDS; w++)
		b.w[w] |= faulted->w[w];
	gm_tree_grow(&b, faulted, 0, npages, max_t(u32, group, 1));

	/*
	 * A fault inside a node that was just chosen has that node or a smaller
	 * one (a larger one would have been chosen), so the walk goes on behind.
	 */
	while ((at = next_bit(faulted, at, npages, true)) < npages) {
		if (gm_tree_node(&b, npages, at, threshold, &first, &last)) {
			set_range(out, first, last);
			at = last;
		} else {
			at++;
		}
	}

	for (w = 0; w < GM_TREE_WORDS; w++)
		out->w[w] &= ~(faulted->w[w] | resident->w[w]);
}
