/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_variant.h - what makes the core behave as one GMEM or another
 *
 * A variant is a row of one table: which scripts, how victims are taken, which
 * improvements are on.  The user's parameters override single fields of it; what
 * they leave at 0 or auto stays as the variant has it.
 */
#ifndef GM_VARIANT_H
#define GM_VARIANT_H

#include "gm_map.h"
#include "gm_script.h"

/* `manager.gmem.*` */
struct gm_params {
	/* switches: enum gm_switch */
	u32 host_frames, put_back, dirty_tracking, background, async_evict, batching;
	u32 thrash_damping, d2d, multi_device, cap_enforced;
	/* 0: as the variant has it */
	u64 wmark_low, wmark_high; /* bytes */
	u32 evict_batch, evict_rounds, evict_groups, import_batch;
	u32 batch_max, fault_groups, prefetch_workers;
	/* the same in all variants */
	u64 cap;						  /* bytes, 0: none */
	u32 pin_limit, thrash_window, thrash_share, thrash_lease; /* percent */
	struct gm_policy_params policy;
};

enum gm_put_back {
	GM_PUT_BACK_NEVER, /* 23.09: a failed victim is lost to the policy */
	GM_PUT_BACK_HOST,  /* olk66: not after an error of the device */
	GM_PUT_BACK_ALWAYS
};

struct gm_variant {
	const char *name, *help;
	const char *evictor, *prefetcher; /* of its own */
	u8 family;			  /* enum gm_family */
	u8 put_back;			  /* enum gm_put_back */
	bool dirty_tracking;		  /* clean copies stay on the host */
	bool background;		  /* watermarks */
	bool async_evict;		  /* evictions are started ahead of need, several at once */
	bool batching;
	bool thrash_damping;
	bool d2d;
	bool multi_device;
	bool cap_enforced;
	bool youngest_first; /* order inside a batch of victims */
	bool hint_message;   /* prefetch of a resident unit costs a message pair */
	bool zero_first;     /* a host frame is cleared before it is copied over */
	bool pins;	     /* pin and unpin are known ... */
	bool unpin_fetches;  /* ... and unpin brings what was not there */
	u64 wmark_low, wmark_high;
	u32 evict_batch, evict_rounds, evict_groups, import_batch;
	u32 batch_max, fault_groups, prefetch_workers;
};

/* The row of @name with @p put over it.  0 or -EINVAL. */
int gm_variant_resolve(const char *name, const struct gm_params *p, struct gm_variant *out);
/* What the rows say, for hosts that read no configuration. */
void gm_params_init(struct gm_params *p);

#endif
