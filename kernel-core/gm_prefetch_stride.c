// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_prefetch_stride.c - equal steps in the order of faults
 *
 * Each range has a stream: the unit seen last, the step to it, and how often
 * that step came in a row.  After stride_confirm equal steps the next
 * stride_degree units along the step are fetched.  First touches of what was
 * fetched are seen as well, so that a stream does not break by being right.
 * A context follows GM_STREAMS ranges, the least recently seen one gives way.
 */
#include "gm_policies.h"

#define GM_STREAMS 16 /* guess: more tensors than one kernel touches */

struct stream {
	struct list_head link; /* most recently seen first */
	u64 va;		       /* start of its range: survives the range */
	u64 last;
	s64 step;
	u32 equal; /* 0: @step means nothing yet */
	bool used;
};

struct stride {
	struct list_head streams;
	struct stream stream[GM_STREAMS];
};

static int stride_init(struct gm_ctx *ctx)
{
	struct stride *s = kzalloc(sizeof(*s), GFP_KERNEL);
	u32 i;

	if (!s)
		return -ENOMEM;
	INIT_LIST_HEAD(&s->streams);
	for (i = 0; i < GM_STREAMS; i++)
		list_add(&s->stream[i].link, &s->streams);
	ctx->prefetch = s;
	return 0;
}

static void stride_fini(struct gm_ctx *ctx)
{
	kfree(ctx->prefetch);
	ctx->prefetch = NULL;
}

/* The stream of @r, moved to the front; a new one has not been used. */
static struct stream *stream_of(struct stride *s, const struct gm_range *r)
{
	struct stream *st;

	list_for_each_entry(st, &s->streams, link)
		if (st->used && st->va == r->va)
			goto found;
	st = list_last_entry(&s->streams, struct stream, link);
	st->used = false;
	st->va = r->va;
found:
	list_move(&st->link, &s->streams);
	return st;
}

/* Whether the step to @index is the confirm-th equal one. */
static bool stream_step(struct stream *st, u64 index, u32 confirm)
{
	s64 step = (s64)(index - st->last);

	if (!st->used) {
		st->used = true;
		st->equal = 0;
		st->last = index;
		return false;
	}
	if (!step)
		return false;
	st->equal = st->equal && step == st->step ? min(st->equal + 1, U32_MAX - 1) : 1;
	st->step = step;
	st->last = index;
	return st->equal >= confirm;
}

static u32 stride_fire(struct gm_ctx *ctx, struct gm_range *r, u64 index, struct gm_span *out)
{
	const struct gm_policy_params *p = gm_core_policy_params(ctx->core);
	struct stream *st = stream_of(ctx->prefetch, r);
	u32 i, n = 0;

	if (!stream_step(st, index, p->stride_confirm))
		return 0;
	for (i = 0; i < p->stride_degree; i++) {
		index += (u64)st->step; /* below 0 wraps beyond r->n */
		if (index >= r->n)
			break;
		if (n && st->step == 1) {
			out[n - 1].n++;
			continue;
		}
		if (n && st->step == -1) {
			out[n - 1].first--;
			out[n - 1].n++;
			continue;
		}
		if (n == GM_MAX_SPANS)
			break;
		out[n].first = index;
		out[n++].n = 1;
	}
	return n;
}

const struct gm_prefetch_ops gm_prefetch_stride = {
	.name = "stride",
	.help = "units ahead along a step that was seen several times in a row",
	.init = stride_init,
	.fini = stride_fini,
	.on_fault = stride_fire,
	.on_hit = stride_fire,
};
