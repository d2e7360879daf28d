/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_static.c - explicit allocation (cudaMalloc): it fits, or the job does not run
 */
#include <errno.h>

#include "models/table.h"

struct mm_static {
	struct mm mm;
	u64 capacity; /* of all devices that the job uses */
};

static struct mm_static *of(struct mm *m)
{
	return gs_container_of(m, struct mm_static, mm);
}

static int refuse(const struct mm_static *s, u64 wanted)
{
	gs_err("static: does not fit: %llu bytes are short (the job needs %llu, the devices have "
	       "%llu); raise device.hbm.capacity or choose a manager that overcommits",
	       wanted - s->capacity, wanted, s->capacity);
	return -ENOSPC;
}

/* The job's own peak gives the whole shortage; add() below sees it bit by bit. */
static int static_init(struct mm *m)
{
	struct mm_static *s = of(m);
	u64 devices = gs_max(1, gs_min(m->job->ndevices, m->machine->device.count));
	u64 one = hw_hbm_usable(m->machine, mm_unit(m));

	s->capacity = one > U64_MAX / devices ? U64_MAX : one * devices;
	return m->job->bytes_peak > s->capacity ? refuse(s, m->job->bytes_peak) : 0;
}

static int static_add(struct mm *m, u64 va, u64 bytes)
{
	struct mm_static *s = of(m);

	if (bytes > s->capacity - m->stats.hbm_bytes)
		return refuse(s, m->stats.hbm_bytes + bytes);
	m->stats.hbm_bytes += bytes;
	return 0;
}

static int static_remove(struct mm *m, u64 va, u64 bytes, struct mm_done *d)
{
	gs_assert(m->stats.hbm_bytes >= bytes);
	m->stats.hbm_bytes -= bytes;
	return 0;
}

static void static_touch(struct mm *m, struct mm_touch *t)
{
	t->kind = MM_HIT;
	t->covered = t->bytes;
}

const struct mm_ops mm_static = {
	.name = "static",
	.help = "explicit allocation: runs at full speed, or not at all",
	.state_size = sizeof(struct mm_static),
	.exact = true,
	.init = static_init,
	.add = static_add,
	.remove = static_remove,
	.touch = static_touch,
};
