/* SPDX-License-Identifier: GPL-3.0-or-later */
/* relabel.c - operations with other tensor numbers */
#include "traces/relabel.h"

#include <stdlib.h>
#include <string.h>

void tr_relabel_init(struct tr_relabel *r, u32 *next)
{
	*r = (struct tr_relabel){ .next = next };
}

void tr_relabel_fini(struct tr_relabel *r)
{
	free(r->to);
	free(r->touches);
}

static u32 drawn(struct tr_relabel *r, u32 tensor)
{
	while (r->n <= tensor) {
		GS_PUSH_ROOM(r->to, r->n, r->cap);
		r->to[r->n++] = U32_MAX;
	}
	r->to[tensor] = (*r->next)++;
	return r->to[tensor];
}

static u32 number(const struct tr_relabel *r, u32 tensor)
{
	gs_assert(tensor < r->n && r->to[tensor] != U32_MAX);
	return r->to[tensor];
}

static const struct gs_touch *touches(struct tr_relabel *r, const struct gs_op *op)
{
	while (r->touches_cap < op->kernel.ntouches) {
		r->touches_cap = r->touches_cap ? 2 * r->touches_cap : 64;
		r->touches = gs_realloc_array(r->touches, r->touches_cap, sizeof(*r->touches));
	}
	for (u32 i = 0; i < op->kernel.ntouches; i++) {
		r->touches[i] = op->kernel.touches[i];
		r->touches[i].tensor = number(r, r->touches[i].tensor);
	}
	return r->touches;
}

void tr_relabel(struct tr_relabel *r, const struct gs_op *op, struct gs_op *out)
{
	*out = *op;
	switch (op->type) {
	case GS_OP_ALLOC:
		out->alloc.tensor = drawn(r, op->alloc.tensor);
		break;
	case GS_OP_FREE:
		out->free.tensor = number(r, op->free.tensor);
		break;
	case GS_OP_KERNEL:
		out->kernel.touches = touches(r, op);
		break;
	case GS_OP_HOST:
		out->host.tensor = number(r, op->host.tensor);
		break;
	case GS_OP_ADVICE:
		out->advice.tensor = number(r, op->advice.tensor);
		break;
	default:
		break;
	}
}

/* ---- the clock -------------------------------------------------------- */

static u64 *stream_slot(struct tr_clock *c, u32 key)
{
	u32 i = (u32)gs_hash(&key, sizeof(key), 0) & (c->slots - 1);

	while (c->keys[i] && c->keys[i] != key + 1)
		i = (i + 1) & (c->slots - 1);
	c->n += !c->keys[i];
	c->keys[i] = key + 1;
	return &c->streams[i];
}

static u64 *stream_of(struct tr_clock *c, u32 key)
{
	if (2 * c->n >= c->slots) {
		struct tr_clock old = *c;

		c->slots = old.slots ? 2 * old.slots : 64;
		c->n = 0;
		c->keys = gs_calloc(c->slots, sizeof(*c->keys));
		c->streams = gs_calloc(c->slots, sizeof(*c->streams));
		for (u32 i = 0; i < old.slots; i++)
			if (old.keys[i])
				*stream_slot(c, old.keys[i] - 1) = old.streams[i];
		free(old.keys);
		free(old.streams);
	}
	return stream_slot(c, key);
}

void tr_clock_fini(struct tr_clock *c)
{
	free(c->keys);
	free(c->streams);
}

u64 tr_clock_pass(struct tr_clock *c, const struct gs_op *op)
{
	u64 begin = c->now, *stream;

	if (op->type == GS_OP_KERNEL) {
		stream = stream_of(c, (u32)(op->device & 0x7fff) << 16 | op->stream);
		begin = *stream;
		*stream += op->kernel.duration_ps;
		c->now = gs_max(c->now, *stream);
	} else if (op->type == GS_OP_PAGE) {
		if (!c->pages)
			c->first_page = op->page.when_ps;
		c->pages = true;
		if (op->page.when_ps >= c->first_page)
			c->now = gs_max(c->now, op->page.when_ps - c->first_page);
		begin = c->now;
	}
	return begin;
}
