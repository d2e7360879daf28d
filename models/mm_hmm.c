/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_hmm.c - Linux HMM: device-private pages, as drm_gpusvm and Xe use them
 *
 * A fault moves the largest aligned chunk by migrate_vma, synchronously.  XeTHP
 * is F. Dugast, "Enable THP support in drm_pagemap", dri-devel, January 2026: a
 * fault of 2 MiB in 966 us with 4 KiB pages, of which 223 us are the copy, and
 * in 132 us with huge pages, of which 106 us are the copy.
 */
#include "models/mm_range.h"
#include "models/table.h"

struct mm_hmm_params {
	u64 chunk;
	bool thp;
	u32 threads;
	gs_time entry, entry_huge, page, huge, copy_page, bind, bind_huge, evict, timeslice,
		cpu_fault;
};

#define P struct mm_hmm_params
#define COST(field, key, def, help, src) \
	GM_P_U64(P, field, "cost." key, GM_PS, def, 0, GS_S, help, src)

static const struct gm_param rows[] = {
	GM_P_U64(P, chunk, "chunk", GM_BYTES, "2 MiB", 4096, 1ULL << 30,
		 "What a fault moves: 2 MiB, 64 KiB or 4 KiB", "drm_gpusvm, Xe: the largest"),
	GM_P_BOOL(P, thp, "thp", "false", "Device pages of 2 MiB where a chunk allows",
		  "in Linux since drm_pagemap has them (XeTHP); before: 4 KiB pages"),
	GM_P_U32(P, threads, "threads", GM_NONE, "1", 1, 1024,
		 "Threads that serve faults of a device",
		 "guess: faults of one address space queue up behind each other"),
	GM_P_U64(P, timeslice, "timeslice", GM_PS, "5 ms", 0, GS_S,
		 "What came to the device stays so long before the CPU takes it back",
		 "drm_gpusvm timeslice_ms; guess: 5 to 10 ms"),
	COST(entry, "entry", "5 us", "Fault to the service, with locks",
	     "XeTHP: what is left of 966 us"),
	COST(entry_huge, "entry_huge", "1 us", "... of a chunk of huge pages",
	     "XeTHP: what is left of 132 us"),
	COST(page, "page", "1.4 us", "Collect, isolate, unmap and remap of a 4 KiB page",
	     "XeTHP: (942 - 223) us / 512"),
	COST(huge, "huge", "22 us", "... of a 2 MiB page", "XeTHP: (128 - 106) us"),
	COST(copy_page, "copy_page", "229 ns", "Copy engine, each 4 KiB page",
	     "XeTHP: (223 - 106) us / 512"),
	COST(bind, "bind", "19 us", "Get pages, write PTEs, of a chunk of small pages",
	     "XeTHP: 9 + 10 us"),
	COST(bind_huge, "bind_huge", "3 us", "... of a huge page", "XeTHP: 1 + 2 us"),
	COST(evict, "evict", "5 us", "Notifier: invalidate in the device",
	     "guess: 2 us for the device's TLB, and the wait for running work"),
	COST(cpu_fault, "cpu_fault", "5 us", "A CPU fault's way to migrate_to_ram", "guess"),
	GM_P_END
};

static int init(struct mm *m)
{
	struct mm_range *r = gs_container_of(m, struct mm_range, mm);
	const struct mm_hmm_params *p = m->params;
	bool huge = p->thp && p->chunk % RANGE_HUGE == 0;

	r->c = (struct range_costs){
		.chunk = p->chunk,
		.threads = p->threads,
		.entry = huge ? p->entry_huge : p->entry,
		.page = p->page,
		.huge = huge ? p->huge : 0,
		.copy_page = p->copy_page,
		.bind = huge ? p->bind_huge : p->bind,
		.copy_window = p->chunk,
		.evict = p->evict,
		.timeslice = p->timeslice,
		.cpu_fault = p->cpu_fault,
	};
	return range_init(r);
}

const struct mm_ops mm_hmm = {
	.name = "hmm",
	.help = "Linux HMM: migrate_vma of whole chunks, with and without huge pages",
	.prefix = "manager.hmm",
	.params = rows,
	.params_size = sizeof(struct mm_hmm_params),
	.init = init,
	MM_RANGE_OPS,
};
