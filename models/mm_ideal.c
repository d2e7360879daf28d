/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_ideal.c - device memory without end: the bound that slowdowns refer to
 */
#include "models/table.h"

static int ideal_add(struct mm *m, u64 va, u64 bytes)
{
	m->stats.hbm_bytes += bytes;
	return 0;
}

static int ideal_remove(struct mm *m, u64 va, u64 bytes, struct mm_done *d)
{
	gs_assert(m->stats.hbm_bytes >= bytes);
	m->stats.hbm_bytes -= bytes;
	return 0;
}

static void ideal_touch(struct mm *m, struct mm_touch *t)
{
	t->kind = MM_HIT;
	t->covered = t->bytes;
}

/* Everything is where it is wanted already. */
static int ideal_advise(struct mm *m, u16 device, u8 advice, u64 va, u64 bytes, struct mm_done *d)
{
	return 0;
}

/* Nothing is ever moved; the unit only says how finely touches are counted. */
static u64 ideal_unit(const struct mm *m)
{
	return m->common->unit;
}

const struct mm_ops mm_ideal = {
	.name = "ideal",
	.help = "device memory without end: the lower bound",
	.state_size = sizeof(struct mm),
	.add = ideal_add,
	.remove = ideal_remove,
	.touch = ideal_touch,
	.advise = ideal_advise,
	.unit = ideal_unit,
};
