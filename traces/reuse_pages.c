/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reuse_pages.c - reuse distances where all objects are pages that never die */
#include "traces/reuse_pages.h"

#include <stdlib.h>
#include <string.h>

enum { FEW = 1 << 16 }; /* times that there are at least */

void tr_reuse_pages_init(struct tr_reuse_pages *p, struct tr_reuse *counts, u64 bytes)
{
	*p = (struct tr_reuse_pages){ .counts = counts, .bytes = bytes };
}

void tr_reuse_pages_fini(struct tr_reuse_pages *p)
{
	free(p->last);
	free(p->page);
	free(p->bits);
	free(p->sums);
}

/* ---- sums ---------------------------------------------------------------- */

static void add(struct tr_reuse_pages *p, u32 time, u32 what)
{
	const u32 words = p->slots / 64;

	for (u32 i = time / 64 + 1; i <= words; i += i & -i)
		p->sums[i] += what;
}

/* Bits before @time. */
static u32 before(const struct tr_reuse_pages *p, u32 time)
{
	u64 here = p->bits[time / 64] & ((1ULL << time % 64) - 1);
	u32 n = (u32)__builtin_popcountll(here);

	for (u32 i = time / 64; i; i &= i - 1)
		n += p->sums[i];
	return n;
}

/* Sums of each word, then of the spans that the tree wants. */
static void sum_up(struct tr_reuse_pages *p)
{
	const u32 words = p->slots / 64;

	p->sums[0] = 0;
	for (u32 i = 1; i <= words; i++)
		p->sums[i] = (u32)__builtin_popcountll(p->bits[i - 1]);
	for (u32 i = 1; i <= words; i++)
		if (i + (i & -i) <= words)
			p->sums[i + (i & -i)] += p->sums[i];
}

/* ---- times --------------------------------------------------------------- */

/* The times are used up: those of last touches move together, and leave half free. */
static void renumber(struct tr_reuse_pages *p)
{
	u32 n = 0;

	for (u32 time = 0; time < p->now; time++) {
		if (!(p->bits[time / 64] >> time % 64 & 1))
			continue;
		p->page[n] = p->page[time];
		p->last[p->page[n]] = n;
		n++;
	}
	gs_assert(n < 1U << 30);
	for (p->slots = FEW; p->slots < 4 * n;)
		p->slots *= 2;
	p->page = gs_realloc_array(p->page, p->slots, sizeof(*p->page));
	free(p->bits);
	free(p->sums);
	p->bits = gs_calloc(p->slots / 64, sizeof(*p->bits));
	p->sums = gs_calloc(p->slots / 64 + 1, sizeof(*p->sums));
	memset(p->bits, 0xff, n / 64 * sizeof(*p->bits));
	p->bits[n / 64] = (1ULL << n % 64) - 1;
	sum_up(p);
	p->now = n;
}

void tr_reuse_page(struct tr_reuse_pages *p, size_t page)
{
	u32 last;

	if (p->now == p->slots)
		renumber(p);
	while (p->nlast <= page) {
		GS_PUSH_ROOM(p->last, p->nlast, p->last_cap);
		p->last[p->nlast++] = U32_MAX;
	}
	last = p->last[page];
	if (last == U32_MAX) {
		p->n++;
		p->counts->first += p->bytes;
	} else {
		tr_reuse_count(p->counts, p->bytes, (p->n - before(p, last)) * p->bytes);
		p->bits[last / 64] &= ~(1ULL << last % 64);
		add(p, last, -1U);
	}
	p->last[page] = p->now;
	p->page[p->now] = (u32)page;
	p->bits[p->now / 64] |= 1ULL << p->now % 64;
	add(p, p->now++, 1);
}
