/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gmt.c - facts of the .gmt format that writer and reader share */
#include "traces/gmt.h"

#define ROW(key, field)                                         \
	{                                                       \
		key, sizeof(((struct gmt_totals *)0)->field),   \
			(u32)offsetof(struct gmt_totals, field) \
	}

const struct gmt_total_row gmt_total_rows[] = {
	ROW(GMT_KEY_NOPS, job.nops),
	ROW(GMT_KEY_NKERNELS, job.nkernels),
	ROW(GMT_KEY_NPAGES, job.npages),
	ROW(GMT_KEY_NTENSORS, job.ntensors),
	ROW(GMT_KEY_NITERATIONS, job.niterations),
	ROW(GMT_KEY_NSTREAMS, job.nstreams),
	ROW(GMT_KEY_VA_LOW, job.va_low),
	ROW(GMT_KEY_VA_HIGH, job.va_high),
	ROW(GMT_KEY_BYTES_TOTAL, job.bytes_total),
	ROW(GMT_KEY_BYTES_PEAK, job.bytes_peak),
	ROW(GMT_KEY_NTOUCHES, ntouches),
	ROW(GMT_KEY_KERNEL_PS, kernel_ps),
	ROW(GMT_KEY_BYTES_RESERVED, job.bytes_reserved),
	ROW(GMT_KEY_SEGMENTS_LOW, job.segments_low),
	ROW(GMT_KEY_SEGMENTS_HIGH, job.segments_high),
};
const size_t gmt_ntotal_rows = GS_ARRAY_SIZE(gmt_total_rows);

/*
 * The file holds the numbers of these words: op.h may add words before "other",
 * which is written as GMT_OTHER, but may not move one.
 */
_Static_assert(GS_WEIGHT == 0 && GS_GRADIENT == 1 && GS_OPTIMIZER == 2 && GS_ACTIVATION == 3 &&
		       GS_WORKSPACE == 4 && GS_INPUT == 5 && GS_KV_CACHE == 6,
	       "kinds of tensors are part of the format");
_Static_assert(GS_GEMM == 0 && GS_CONV == 1 && GS_ATTENTION == 2 && GS_NORM == 3 &&
		       GS_SOFTMAX == 4 && GS_REDUCE == 5 && GS_ELEMENTWISE == 6 && GS_GATHER == 7 &&
		       GS_POOL == 8 && GS_COPY == 9 && GS_OPTIMIZER_STEP == 10,
	       "operator classes are part of the format");
_Static_assert(GS_F64 == 0 && GS_F32 == 1 && GS_TF32 == 2 && GS_F16 == 3 && GS_BF16 == 4 &&
		       GS_F8 == 5 && GS_I64 == 6 && GS_I32 == 7 && GS_I8 == 8,
	       "element types are part of the format");
_Static_assert(GS_DATA == 0 && GS_FORWARD == 1 && GS_BACKWARD == 2 && GS_STEP == 3,
	       "phases are part of the format");
_Static_assert(GS_ADV_PREFETCH == 0 && GS_ADV_FREE_EAGER == 1 && GS_ADV_PIN == 2 &&
		       GS_ADV_UNPIN == 3 && GS_ADV_WILLNEED == 4 && GS_ADV_PREFETCH_HOST == 5 &&
		       GS_ADV_PREFER == 6 && GS_ADV_PREFER_HOST == 7 && GS_ADV_UNPREFER == 8 &&
		       GS_ADV_ACCESSED_BY == 9 && GS_ADV_UNACCESSED_BY == 10 &&
		       GS_ADV_READ_MOSTLY == 11 && GS_ADV_UNREAD_MOSTLY == 12,
	       "advice is part of the format");
_Static_assert(GS_SEQUENTIAL == 0 && GS_STRIDED == 1 && GS_RANDOM == 2,
	       "patterns are part of the format");
