/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * hw_limits.h - the most that links and memories can carry
 *
 * Rates above are no error, since a machine may be one that nobody has yet; but
 * a result from them is to say so.
 */
#ifndef HW_LIMITS_H
#define HW_LIMITS_H

#include "sim/base.h"

struct hw_limit {
	const char *device; /* device.name; NULL: any other */
	u64 hbm_bps;	    /* raw peak of the memory */
	u64 link_bps;	    /* to the host, one direction, raw */
	u64 peer_bps;	    /* to other devices, one direction, raw */
	const char *hbm;    /* what these are, for people ... */
	const char *link, *peer;
};

/* The row of @device, or the one for all others. */
const struct hw_limit *hw_limit_of(const char *device);

#endif
