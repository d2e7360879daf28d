// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_variant.c - the three GMEMs and the parameters over them
 */
#include "gm_variant.h"

#define MIB (1ULL << 20)

const char *const gm_switch_names[] = { "auto", "off", "on", NULL };

static const struct gm_variant variants[] = {
	{
		.name = "gmem-23.09",
		.help = "openEuler 23.09: the device owns frames and lists, 4 messages a fault",
		.evictor = "fifo",
		.prefetcher = "hints",
		.family = GM_FAMILY_DEVICE,
		.put_back = GM_PUT_BACK_NEVER,
		.background = true,
		.cap_enforced = true,
		.hint_message = true,
		.zero_first = true,
		/* swap_manager.c: LOW 0x8000000, HIGH twice that, one page at a time */
		.wmark_low = 128 * MIB,
		.wmark_high = 256 * MIB,
		.evict_batch = 1,
		.evict_rounds = 10, /* msg_handler_peer.c: MAX_RETRY_TIME */
		.evict_groups = 1,
		.import_batch = 0,
		.batch_max = 1,
		.fault_groups = 0,
		.prefetch_workers = 4, /* gmem.c: GM_WORK_CONCURRENCY */
	},
	{
		.name = "gmem-olk66",
		.help = "OLK-6.6 of 2025: the host owns frames and lists, batches of 16",
		.evictor = "fifo",
		.prefetcher = "hints",
		.family = GM_FAMILY_HOST,
		.put_back = GM_PUT_BACK_HOST,
		.youngest_first = true, /* gmem_phys.c: list_move() onto the batch */
		.zero_first = true,
		.pins = true,
		.unpin_fetches = true,
		.evict_batch = 16,  /* NUM_SWAP_PAGES */
		.evict_rounds = 11, /* MAX_SWAP_RETRY_TIMES 10, tested with > */
		.evict_groups = 1,
		.import_batch = 16, /* NUM_IMPORT_PAGES */
		.batch_max = 1,
		.fault_groups = 0,
		.prefetch_workers = 4,
	},
	{
		.name = "gmem+",
		.help = "ours: GMEM with its broken invariants mended and every improvement on",
		.evictor = "lru",
		.prefetcher = "hints",
		.family = GM_FAMILY_HOST,
		.put_back = GM_PUT_BACK_ALWAYS,
		.dirty_tracking = true,
		.background = true,
		.async_evict = true,
		.batching = true,
		.thrash_damping = true,
		.d2d = true,
		.multi_device = true,
		.cap_enforced = true,
		.pins = true,
		.wmark_low = 128 * MIB,
		.wmark_high = 256 * MIB,
		.evict_batch = 16,
		.evict_rounds = 11,
		.evict_groups = 4,
		.import_batch = 0,
		.batch_max = 16,
		.fault_groups = 2,
		.prefetch_workers = 4,
	},
};

const char *const gm_variant_names[] = { "gmem-23.09", "gmem-olk66", "gmem+", NULL };

const char *gm_variant_help(u32 i)
{
	return i < ARRAY_SIZE(variants) ? variants[i].help : NULL;
}

#define SWITCH(f, help)                                                   \
	GM_P_ENUM(struct gm_params, f, #f, gm_switch_names, "auto", help, \
		  "auto: as the variant has it")
#define COUNT(f, max, help, src) GM_P_U32(struct gm_params, f, #f, GM_NONE, "0", 0, max, help, src)
#define PERCENT(f, def, max, help, src) \
	GM_P_U32(struct gm_params, f, #f, GM_PERCENT, def, 0, max, help, src)
#define BYTES(f, help, src) \
	GM_P_U64(struct gm_params, f, #f, GM_BYTES, "0 B", 0, S64_MAX, help, src)
#define POLICY(type, f, unit, def, lo, hi, help, src) \
	GM_P_##type(struct gm_params, policy.f, #f, unit, def, lo, hi, help, src)

/* clang-format off */
const struct gm_param gm_param_rows[] = {
	SWITCH(host_frames, "the host owns device frames: 2 messages a fault instead of 4"),
	SWITCH(put_back, "a unit whose eviction failed can be evicted again"),
	SWITCH(dirty_tracking, "keep clean copies on the host, evict them without a copy"),
	SWITCH(background, "evict between watermarks before memory runs out"),
	SWITCH(async_evict, "evictions run ahead and several at once, beside fetches"),
	SWITCH(batching, "faults, prefetches and evictions share messages and copies"),
	SWITCH(thrash_damping, "units that return soon after eviction stay for a while"),
	SWITCH(d2d, "move from device to device directly"),
	SWITCH(multi_device, "a space may have several devices"),
	SWITCH(cap_enforced, "the cap holds to the unit; off: overshot by an import batch"),
	BYTES(wmark_low, "background eviction starts below so much free memory; 0: variant's",
	      "openEuler 23.09 swap_manager.c: 128 MiB; at most 1/8 of the device (guess)"),
	BYTES(wmark_high, "... and ends above this; 0: variant's",
	      "openEuler 23.09 swap_manager.c: 256 MiB; at most 1/4 of the device (guess)"),
	COUNT(evict_batch, 1024, "victims taken at once; 0: variant's",
	      "1: 23.09 swap_manager.c; 16: OLK-6.6 gmem_phys.c NUM_SWAP_PAGES"),
	COUNT(evict_rounds, 1024, "fruitless rounds before -ENOMEM; 0: variant's",
	      "10: 23.09 MAX_RETRY_TIME; 11: OLK-6.6 MAX_SWAP_RETRY_TIMES"),
	COUNT(evict_groups, 64, "groups of evictions at once with async_evict; 0: variant's",
	      "guess: enough to hide messages behind copies"),
	COUNT(import_batch, 65536, "frames handed to the host at once; 0: variant's",
	      "OLK-6.6 gmem.h NUM_IMPORT_PAGES: 16"),
	COUNT(batch_max, 512, "units that share one message and copy; 0: variant's",
	      "guess: as the eviction batch of OLK-6.6"),
	COUNT(fault_groups, 1024, "groups of faults before their copy; 0: variant's",
	      "guess: one is prepared while one asks"),
	COUNT(prefetch_workers, 64, "prefetches served at once; 0: variant's",
	      "openEuler gmem.c GM_WORK_CONCURRENCY: 4"),
	BYTES(cap, "device memory that may be used; 0: all",
	      "OLK-6.6 max_memsize: 0, unlimited"),
	PERCENT(pin_limit, "50 %", 100, "frames that may be pinned", "guess: half of a device"),
	PERCENT(thrash_window, "100 %", 10000,
		"a fault within so many evictions (of frames) of its eviction is a refault",
		"Linux workingset.c: a refault within the size of memory would have been a hit"),
	PERCENT(thrash_share, "50 %", 100, "frames that damping may keep", "guess: half of a device"),
	PERCENT(thrash_lease, "400 %", 100000, "evictions (of frames) that a unit is kept for",
		"guess: several rounds of a loop twice the memory"),
	POLICY(U32, next_n, GM_NONE, "16", 1, 1 << 20, "next-n: units ahead",
	       "guess: 32 MiB at 2 MiB units"),
	POLICY(U32, stride_degree, GM_NONE, "8", 1, 1 << 20, "stride: units ahead", "guess"),
	POLICY(U32, stride_confirm, GM_NONE, "2", 1, 1 << 20,
	       "stride: equal steps before it fires", "guess: as hardware stride prefetchers"),
	POLICY(U64, tree_region, GM_BYTES, "2 MiB", 4096, 1ULL << 40, "tree: bytes one tree spans",
	       "NVIDIA UVM uvm_va_block: 2 MiB"),
	POLICY(U32, tree_threshold, GM_PERCENT, "51 %", 1, 100,
	       "tree: subtrees denser than this come whole",
	       "NVIDIA UVM uvm_perf_prefetch_threshold: 51"),
	GM_P_END
};
/* clang-format on */
const size_t gm_params_size = sizeof(struct gm_params);

static u32 name_index(const char *const *names, const char *s)
{
	u32 i;

	for (i = 0; names[i]; i++)
		if (!strcmp(names[i], s))
			return i;
	return 0;
}

/* "16", "51 %", "2 MiB": what the rows above use and no more. */
static u64 row_value(const char *s)
{
	u64 v = 0;

	for (; *s >= '0' && *s <= '9'; s++)
		v = v * 10 + (u64)(*s - '0');
	return !strcmp(s, " MiB") ? v * MIB : v;
}

void gm_params_init(struct gm_params *p)
{
	const struct gm_param *row;

	memset(p, 0, sizeof(*p));
	for (row = gm_param_rows; row->key; row++) {
		void *field = (char *)p + row->offset;

		if (row->kind == GM_KIND_U64)
			*(u64 *)field = row_value(row->def);
		else if (row->kind == GM_KIND_U32)
			*(u32 *)field = (u32)row_value(row->def);
		else if (row->kind == GM_KIND_ENUM)
			*(u32 *)field = name_index(row->names, row->def);
	}
}

static bool flip(u32 sw, bool own)
{
	return sw == GM_AUTO ? own : sw == GM_ON;
}

static void override_counts(const struct gm_params *p, struct gm_variant *v)
{
	static const struct gm_variant *const plus = &variants[2];

	v->wmark_low = p->wmark_low ? p->wmark_low : v->wmark_low ? v->wmark_low : plus->wmark_low;
	v->wmark_high = p->wmark_high	? p->wmark_high
			: v->wmark_high ? v->wmark_high
					: plus->wmark_high;
	v->wmark_high = max(v->wmark_high, v->wmark_low);
	v->evict_batch = p->evict_batch ? p->evict_batch : v->evict_batch;
	v->evict_rounds = p->evict_rounds ? p->evict_rounds : v->evict_rounds;
	v->import_batch = p->import_batch ? p->import_batch : v->import_batch;
	v->prefetch_workers = p->prefetch_workers ? p->prefetch_workers : v->prefetch_workers;
	/* a variant that is made to batch or run ahead does it as gmem+ does */
	v->evict_groups = p->evict_groups  ? p->evict_groups
			  : v->async_evict ? max(v->evict_groups, plus->evict_groups)
					   : v->evict_groups;
	v->batch_max = !v->batching ? 1 : p->batch_max ? p->batch_max : plus->batch_max;
	v->fault_groups = !v->batching ? 0 : p->fault_groups ? p->fault_groups : plus->fault_groups;
}

int gm_variant_resolve(const char *name, const struct gm_params *p, struct gm_variant *v)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(variants) && strcmp(variants[i].name, name); i++)
		;
	if (i == ARRAY_SIZE(variants))
		return -EINVAL;
	*v = variants[i];
	v->family = flip(p->host_frames, v->family == GM_FAMILY_HOST) ? GM_FAMILY_HOST
								      : GM_FAMILY_DEVICE;
	if (p->put_back != GM_AUTO)
		v->put_back = p->put_back == GM_ON ? GM_PUT_BACK_ALWAYS : GM_PUT_BACK_NEVER;
	v->dirty_tracking = flip(p->dirty_tracking, v->dirty_tracking);
	v->background = flip(p->background, v->background);
	v->async_evict = flip(p->async_evict, v->async_evict);
	v->batching = flip(p->batching, v->batching);
	v->thrash_damping = flip(p->thrash_damping, v->thrash_damping);
	v->d2d = flip(p->d2d, v->d2d);
	v->multi_device = flip(p->multi_device, v->multi_device);
	v->cap_enforced = flip(p->cap_enforced, v->cap_enforced);
	override_counts(p, v);
	return 0;
}
