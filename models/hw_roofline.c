/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * hw_roofline.c - how long a kernel takes with everything resident
 *
 * The larger of computing and moving its bytes.  Matrix kernels compute at the
 * dense peak of their type; all others run on the vector units, whose peak is
 * that of f32 whatever the operands are, and are bound by bytes anyway.
 * device.hbm.bandwidth is what a plain stream achieves, so the bytes column
 * says how much worse than a stream a class does.
 */
#include "models/hw.h"

struct efficiency {
	u8 flops_pct; /* of the peak */
	u8 bytes_pct; /* of device.hbm.bandwidth */
	bool matrix;  /* runs on the matrix units */
	const char *source;
};

/* clang-format off */
static const struct efficiency efficiencies[GS_NR_OPCLASSES] = {
	[GS_GEMM] = { 70, 90, true,
		"guess: 80 to 87 % are the best shapes of A100 and H100, usual ones do less" },
	[GS_CONV] = { 50, 80, true,
		"guess: implicit GEMM with padded tiles" },
	[GS_ATTENTION] = { 55, 80, true,
		"FlashAttention-2 paper (arXiv 2307.08691): 50 to 73 % of the peak on an A100" },
	[GS_NORM] = { 50, 80, false, "guess: two passes, the second from cache" },
	[GS_SOFTMAX] = { 50, 80, false, "guess: as norm" },
	[GS_REDUCE] = { 50, 85, false, "guess: a stream with a tail" },
	[GS_ELEMENTWISE] = { 50, 95, false, "guess: a stream" },
	[GS_GATHER] = { 50, 40, false,
		"guess: rows of some 100 bytes out of 2 KiB DRAM pages" },
	[GS_POOL] = { 50, 75, false, "guess: overlapping windows from cache" },
	[GS_COPY] = { 50, 95, false, "guess: a stream" },
	[GS_OPTIMIZER_STEP] = { 50, 90, false, "guess: four or five streams at once" },
	[GS_OTHER_CLASS] = { 50, 80, false, "guess" },
};
/* clang-format on */

static u64 peak_of(const struct hw_device_cfg *d, const struct efficiency *e, u8 dtype)
{
	u64 peak = 0;

	if (e->matrix || dtype == GS_F64)
		peak = d->flops[dtype];
	return peak ? peak : d->flops[GS_F32];
}

gs_time hw_roofline(const struct gs_machine *m, u8 opclass, u8 dtype, u64 flops, u64 bytes)
{
	const struct efficiency *e;
	gs_time compute = 0;
	u64 peak;

	gs_assert(opclass < GS_NR_OPCLASSES && dtype < GS_NR_DTYPES);
	e = &efficiencies[opclass];
	peak = peak_of(&m->device, e, dtype);
	/* percent and ps in one constant, so that no rate is rounded */
	if (peak)
		compute = gs_muldiv_up(flops, 100 * GS_S / e->flops_pct, peak);
	return gs_max(compute, gs_muldiv_up(bytes, 100 * GS_S / e->bytes_pct, m->device.hbm_bps));
}
