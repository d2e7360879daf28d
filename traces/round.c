/* SPDX-License-Identifier: GPL-3.0-or-later */
/* round.c - durations to a stated precision */
#include "traces/round.h"

#include <stdlib.h>
#include <string.h>

bool tr_round_parse(const char *text, u32 *ppm)
{
	char *end;
	double percent = strtod(text, &end);

	while (*end == ' ')
		end++;
	if (end == text || strcmp(end, "%") ||
	    !(percent >= 0.0001 && percent <= TR_ROUND_MAX / 1e4))
		return false;
	*ppm = (u32)(percent * 1e4 + 0.5);
	return true;
}

static u64 rounded(u32 ppm, s64 *owed, u64 ps)
{
	u64 limit = ps / 1000000 * ppm + ps % 1000000 * ppm / 1000000, step, to;
	s64 pay;

	if (2 * limit < 1000 || ps >> 62)
		return ps;
	step = 1000ULL << (fls64(2 * limit / 1000) - 1);
	/* a short one does not pay what a long one owes */
	pay = *owed < -(s64)(step / 2)	? -(s64)(step / 2)
	      : *owed > (s64)(step / 2) ? (s64)(step / 2)
					: *owed;
	to = (ps + (u64)pay + step / 2) / step * step;
	if (to > ps + limit)
		to -= step;
	else if (to + limit < ps)
		to += step;
	*owed += (s64)(ps - to);
	return to;
}

void tr_round(struct tr_round *r, struct gs_op *op)
{
	if (op->type == GS_OP_KERNEL)
		op->kernel.duration_ps =
			rounded(r->ppm, &r->owed[op->device], op->kernel.duration_ps);
	else if (op->type == GS_OP_HOST)
		op->host.duration_ps =
			rounded(r->ppm, &r->owed[TR_MAX_DEVICES], op->host.duration_ps);
}
