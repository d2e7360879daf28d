/* SPDX-License-Identifier: GPL-3.0-or-later */
/* segments.c - which device memory a job's allocator has mapped */
#include "traces/segments.h"

#include <stdlib.h>

void tr_segments_fini(struct tr_segments *s)
{
	for (u32 d = 0; d < s->ndevices; d++)
		gs_ranges_fini(&s->of[d]);
	free(s->of);
	*s = (struct tr_segments){ 0 };
}

static const char *map(struct tr_segments *s, u16 device, u64 begin, u64 end)
{
	/* devices share one space of addresses */
	for (u32 d = 0; d < s->ndevices; d++)
		if (gs_ranges_some(&s->of[d], begin, end))
			return "some of it is mapped already";
	gs_ranges_add(&s->of[device], begin, end);
	s->bytes += end - begin;
	s->low = s->high ? gs_min(s->low, begin) : begin;
	s->high = gs_max(s->high, end);
	s->most = gs_max(s->most, s->bytes);
	return NULL;
}

static const char *unmap(struct tr_segments *s, u16 device, u64 begin, u64 end)
{
	if (!gs_ranges_all(&s->of[device], begin, end))
		return "not all of it is mapped on this device";
	gs_ranges_remove(&s->of[device], begin, end);
	s->bytes -= end - begin;
	return NULL;
}

const char *tr_segments_pass(struct tr_segments *s, u32 ndevices, const struct gs_op *op)
{
	u64 begin = op->segment.va, end = begin + op->segment.bytes;

	if (end <= begin)
		return op->segment.bytes ? "it passes the end of memory" : "it has no bytes";
	if (!s->of) {
		s->ndevices = ndevices;
		s->of = gs_calloc(ndevices, sizeof(*s->of));
	}
	return (op->type == GS_OP_SEGMENT_ALLOC ? map : unmap)(s, op->device, begin, end);
}
