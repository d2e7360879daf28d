/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_svm.c - AMD KFD shared virtual memory, XNACK on or off
 *
 * With XNACK a fault stalls the wave and restores the range: migrate the
 * granularity-aligned window in 4 KiB pages, map it page by page.  Without, a
 * notifier stops the queues and a delayed worker restores them.  Buffers of SVM
 * may be evicted for others of the same process (amdgpu_amdkfd_fence.c), so
 * when device memory is full TTM evicts, waiting, the window that was validated
 * longest ago; a fault is served from host memory only if that fails
 * (kfd_svm.c).  The worker that restores queues does not migrate: without XNACK
 * what left stays mapped where it is.
 */
#include "models/mm_range.h"
#include "models/table.h"

struct mm_svm_params {
	u32 granularity;
	bool xnack, map_remote;
	u32 remote_rate;
	gs_time restore_delay, filter;
	gs_time ih, locks, page, sdma_wait, map, map_page, quiesce, evict, cpu_fault;
};

#define P struct mm_svm_params
#define COST(field, key, def, help, src) \
	GM_P_U64(P, field, "cost." key, GM_PS, def, 0, GS_S, help, src)

static const struct gm_param rows[] = {
	GM_P_U32(P, granularity, "default_granularity", GM_NONE, "9", 0, 18,
		 "A fault moves 2^n pages of 4 KiB", "amdgpu.svm_default_granularity: 9"),
	GM_P_BOOL(P, xnack, "xnack", "true", "Faults can be retried; else queues are stopped",
		  "gfx9 with HSA_XNACK=1"),
	GM_P_BOOL(P, map_remote, "map_remote", "false",
		  "Full device memory: map host pages, do not evict",
		  "amdkfd_fence_check_mm: SVM overcommits, TTM evicts its buffers; "
		  "svm_range_restore_pages falls back when that fails"),
	GM_P_U32(P, remote_rate, "remote_rate", GM_PERCENT, "70 %", 1, 100,
		 "Of the link's rate, when a kernel reads host memory", "guess: 60 to 80 %"),
	GM_P_U64(P, restore_delay, "restore_delay", GM_PS, "1 ms", 0, GS_S,
		 "XNACK off: from an invalidation to the worker that restores",
		 "AMDGPU_SVM_RANGE_RESTORE_DELAY_MS: 1"),
	GM_P_U64(P, filter, "retry_fault_pending", GM_PS, "2 ms", 0, GS_S,
		 "XNACK: faults on what was mapped so recently are dropped",
		 "AMDGPU_SVM_RANGE_RETRY_FAULT_PENDING: 2 ms"),
	COST(ih, "ih", "5 us", "Interrupt to the service", "guess"),
	COST(locks, "locks", "2 us", "mmap, svms and range locks", "guess"),
	COST(page, "page", "1.15 us", "Unmap and remap of a 4 KiB page by migrate_vma",
	     "guess: 1.4 us on Xe, less here: faulting then runs at the 2.8 GB/s of MI250X"),
	COST(sdma_wait, "sdma_wait", "3 us", "Start of an SDMA window, and its fence",
	     "guess: AMDGPU_GTT_MAX_TRANSFER_SIZE, 512 pages, one after the other"),
	COST(map, "map", "5 us", "Validate and map: PTEs and TLB", "guess"),
	COST(map_page, "map_page", "100 ns", "... DMA map of a page", "guess"),
	COST(quiesce, "quiesce", "200 us", "XNACK off: stop and resume the queues",
	     "guess: 50 to 500 us"),
	COST(evict, "evict", "5 us", "Begin to evict a window: fence, worker", "guess"),
	COST(cpu_fault, "cpu_fault", "5 us", "A CPU fault's way to migrate_to_ram", "guess"),
	GM_P_END
};

static int init(struct mm *m)
{
	struct mm_range *r = gs_container_of(m, struct mm_range, mm);
	const struct mm_svm_params *p = m->params;

	r->c = (struct range_costs){
		.chunk = RANGE_PAGE << p->granularity,
		.threads = 1, /* one lock a process: svms */
		.entry = p->ih + p->locks,
		.page = p->page,
		.bind = p->map,
		.bind_page = p->map_page,
		.copy_window = 512 * RANGE_PAGE,
		.copy_wait = p->sdma_wait,
		.evict = p->evict,
		.filter = p->xnack ? p->filter : 0,
		.restore = p->xnack ? 0 : p->restore_delay + p->quiesce,
		.cpu_fault = p->cpu_fault,
		.remote_pct = p->map_remote ? p->remote_rate : 0,
	};
	return range_init(r);
}

const struct mm_ops mm_svm = {
	.name = "svm",
	.help = "AMD KFD SVM: windows of 2 MiB, XNACK on or off, TTM evicts when full",
	.prefix = "manager.svm",
	.params = rows,
	.params_size = sizeof(struct mm_svm_params),
	.init = init,
	MM_RANGE_OPS,
};
