/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_g10_budget.c - how much of each kernel's link time is given away
 *
 * While a kernel runs, each direction carries bandwidth times its duration.
 * A transfer takes what is free from kernel to kernel, forward from where it
 * begins; how far it gets is when it is over.  Rests are whole bytes, as the
 * artifact has them, so they are cut at each step.
 */
#include <stdlib.h>

#include "models/mm_g10.h"

void g10_budget_init(struct g10_budget *b, const struct g10_net *n, double ssd_gbps,
		     double pcie_gbps)
{
	b->n = n->nkernels;
	b->ssd = gs_calloc(gs_max(b->n, 1), sizeof(*b->ssd));
	b->pcie = gs_calloc(gs_max(b->n, 1), sizeof(*b->pcie));
	for (u32 i = 0; i < b->n; i++) {
		double us = n->us[i + 1] - n->us[i];

		/* "GB/s" is 2^30 B/s here, while the page simulator has 10^9 */
		b->ssd[i].capacity = ssd_gbps * 1024 * 1024 * 1024 / 1000000 * us;
		b->pcie[i].capacity = pcie_gbps * 1024 * 1024 * 1024 / 1000000 * us;
	}
}

void g10_budget_fini(struct g10_budget *b)
{
	free(b->ssd);
	free(b->pcie);
}

static long long less(long long rest, const struct g10_slot *s)
{
	return s->full ? rest : (long long)((double)rest - (s->capacity - s->used));
}

int g10_walk_out(const struct g10_slot *s, u32 n, u64 bytes, int from)
{
	long long rest = (long long)bytes;
	int i = from;

	while (rest > 0) {
		rest = less(rest, &s[i]);
		if (rest <= 0 || i == (int)n - 1)
			break;
		i++;
	}
	return i;
}

int g10_walk_in(const struct g10_slot *s, u64 bytes, int needed)
{
	long long rest = (long long)bytes;
	int i = needed - 1;

	while (rest > 0 && i >= 0) {
		rest = less(rest, &s[i]);
		if (rest <= 0 || i == 0)
			break;
		i--;
	}
	return i;
}

static void fill(struct g10_slot *s)
{
	s->used = s->capacity;
	s->full = true;
}

static void mark_full(struct g10_slot *s)
{
	s->full |= s->used >= s->capacity;
}

void g10_book_ssd(struct g10_budget *b, u64 bytes, int from)
{
	long long rest = (long long)bytes;

	for (u32 i = (u32)from; rest > 0 && i < b->n; i++) {
		struct g10_slot *s = &b->ssd[i], *p = &b->pcie[i];
		double left = s->capacity - s->used;

		if (s->full)
			continue;
		if ((double)rest + s->used > s->capacity) {
			rest = (long long)((double)rest - left);
			p->used += left;
			mark_full(p);
			fill(s);
		} else {
			s->used += (double)rest;
			p->used += (double)rest;
			mark_full(p);
			rest = -1;
		}
	}
}

/* What the host's transfers leave of the link, the SSD's have to do with. */
static void squeeze(struct g10_slot *s, const struct g10_slot *p)
{
	if (p->used < p->capacity - s->capacity)
		return;
	s->used += p->used - (p->capacity - s->capacity);
	if (s->used >= s->capacity)
		fill(s);
}

void g10_book_pcie(struct g10_budget *b, u64 bytes, int from)
{
	long long rest = (long long)bytes;

	for (u32 i = (u32)from; rest > 0 && i < b->n; i++) {
		struct g10_slot *s = &b->ssd[i], *p = &b->pcie[i];

		if (p->full)
			continue;
		if ((double)rest + p->used > p->capacity) {
			rest = (long long)((double)rest - (p->capacity - p->used));
			fill(p);
			fill(s);
		} else {
			p->used += (double)rest;
			squeeze(s, p);
			rest = -1;
		}
	}
}
