/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_host.c - host memory as managers use it: counted, and a full one ends the run
 */
#include <errno.h>

#include "models/mm_host.h"

static void count(struct mm *m)
{
	const struct gs_machine *mc = m->machine;

	m->stats.ssd_read_bytes = mc->drives.stats[HW_SSD_READ].bytes;
	m->stats.ssd_write_bytes = mc->drives.stats[HW_SSD_WRITE].bytes;
	m->stats.host_evictions = mc->hostmem.stats.spills + mc->hostmem.stats.unchanged;
}

void mm_host_full(struct mm *m)
{
	const struct hw_host *h = &m->machine->hostmem;

	if (h->ssd)
		mm_fail(m, -ENOMEM,
			"%s: host memory of %llu bytes is full, and %llu of the SSD's %llu bytes "
			"are taken; raise host.dram.capacity (one chunk at least has to fit), "
			"ssd.capacity or ssd.count",
			m->ops->name, h->capacity, h->stats.ssd_bytes,
			h->ssd->cfg->capacity * h->ssd->cfg->count);
	else
		mm_fail(m, -ENOMEM,
			"%s: host memory is full: host.dram.capacity is %llu bytes, of which %llu "
			"are taken; raise it, or let the rest go to an SSD (ssd.count: 1)",
			m->ops->name, h->capacity, h->stats.dram_bytes);
}

gs_time mm_host_try(struct mm *m, struct hw_hold *h, u64 bytes, gs_time t, enum hw_opener who)
{
	t = hw_host_open(&m->machine->hostmem, h, bytes, t, who);
	count(m);
	return t;
}

gs_time mm_host_open(struct mm *m, struct hw_hold *h, u64 bytes, gs_time t, enum hw_opener who)
{
	gs_time at = mm_host_try(m, h, bytes, t, who);

	if (at != GS_NEVER)
		return at;
	mm_host_full(m);
	return t;
}

gs_time mm_host_copied(struct mm *m, struct hw_hold *h, bool to, u64 bytes, gs_time start,
		       gs_time end)
{
	end = hw_host_copied(&m->machine->hostmem, h, to, bytes, start, end);
	count(m);
	return end;
}
