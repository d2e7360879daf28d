/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * hw_server.c - FIFO servers that know the end of a request when it comes in
 */
#include <stdlib.h>

#include "models/hw.h"

gs_time hw_reserve(struct hw_server *s, gs_time earliest, gs_time length)
{
	gs_time start = gs_max(earliest, s->free_at);

	s->free_at = start + length;
	s->requests++;
	s->busy_ps += length;
	s->wait_ps += start - earliest;
	return start;
}

void hw_pool_init(struct hw_pool *p, u32 n)
{
	gs_assert(n > 0);
	p->n = n;
	p->server = gs_calloc(n, sizeof(*p->server));
}

void hw_pool_fini(struct hw_pool *p)
{
	free(p->server);
	p->server = NULL;
	p->n = 0;
}

/* The server that is free first, the lowest index among equals: a machine has few. */
gs_time hw_pool_reserve(struct hw_pool *p, gs_time earliest, gs_time length)
{
	struct hw_server *best = &p->server[0];

	for (u32 i = 1; i < p->n && best->free_at > earliest; i++)
		if (p->server[i].free_at < best->free_at)
			best = &p->server[i];
	return hw_reserve(best, earliest, length);
}
