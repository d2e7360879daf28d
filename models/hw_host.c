/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * hw_host.c - host memory of limited size, above an SSD
 *
 * Frames that a spill frees are free when its write is over.  With headroom,
 * writes run ahead: who wants frames takes those whose write began earlier.
 *
 *	free now | freed at t0 | at t1 | at t2        spill until headroom is left
 *	<- taken from here                  here ->
 */
#include <stdlib.h>
#include <string.h>

#include "models/hw_host.h"

void hw_host_init(struct hw_host *m, u64 capacity, struct hw_ssd *ssd)
{
	*m = (struct hw_host){ .capacity = capacity, .free = capacity };
	m->ssd = ssd->cfg ? ssd : NULL;
	INIT_LIST_HEAD(&m->lru);
}

void hw_host_fini(struct hw_host *m)
{
	free(m->freed);
	*m = (struct hw_host){ .capacity = 0 };
}

/* ---- frames ------------------------------------------------------------------ */

static void give_later(struct hw_host *m, gs_time at, u64 bytes)
{
	if (m->first_freed == m->nfreed)
		m->first_freed = m->nfreed = 0;
	GS_PUSH_ROOM(m->freed, m->nfreed, m->cap_freed);
	/* writes end in order; a frame without one waits for those before it */
	if (m->nfreed > m->first_freed)
		at = gs_max(at, m->freed[m->nfreed - 1].at);
	m->freed[m->nfreed++] = (struct hw_freed){ at, bytes };
	m->freed_bytes += bytes;
}

/* Those taken already are forgotten, when they are most. */
static void compact(struct hw_host *m)
{
	size_t n = m->nfreed - m->first_freed;

	if (m->first_freed < 64 || m->first_freed < n)
		return;
	memmove(m->freed, m->freed + m->first_freed, n * sizeof(*m->freed));
	m->first_freed = 0;
	m->nfreed = n;
}

/* @bytes, the earliest ones.  [there are so many]  Returns when all are free. */
static gs_time take(struct hw_host *m, u64 bytes, gs_time t)
{
	u64 now = gs_min(bytes, m->free);

	m->free -= now;
	bytes -= now;
	while (bytes) {
		struct hw_freed *f = &m->freed[m->first_freed];
		u64 n = gs_min(bytes, f->bytes);

		t = gs_max(t, f->at);
		f->bytes -= n;
		bytes -= n;
		m->freed_bytes -= n;
		m->first_freed += !f->bytes;
	}
	compact(m);
	return t;
}

static void count_dram(struct hw_host *m)
{
	struct hw_host_stats *s = &m->stats;

	s->dram_bytes = m->capacity - m->free - m->freed_bytes;
	s->dram_peak_bytes = gs_max(s->dram_peak_bytes, s->dram_bytes);
}

/* ---- what the SSD has ----------------------------------------------------------- */

static void save(struct hw_host *m, struct hw_hold *h, u64 bytes)
{
	m->stats.ssd_bytes += bytes - h->saved;
	h->saved = bytes;
}

static bool ssd_holds(const struct hw_host *m, u64 more)
{
	const struct hw_ssd_cfg *cfg = m->ssd->cfg;

	return m->stats.ssd_bytes + more <= cfg->capacity * cfg->count;
}

/* ---- leaving ----------------------------------------------------------------------- */

/* @h leaves DRAM from @t on.  False: the SSD is full. */
static bool spill(struct hw_host *m, struct hw_hold *h, gs_time t)
{
	u64 content = m->content ? m->content(m->arg, h) : h->bytes;

	t = gs_max(t, h->ready);
	if (!content) {
		m->stats.drops++;
		save(m, h, 0);
	} else if (h->saved) {
		m->stats.unchanged++;
	} else if (ssd_holds(m, content)) {
		t = hw_ssd_send(m->ssd, HW_SSD_WRITE, content, t);
		save(m, h, content);
		m->stats.spills++;
	} else {
		return false;
	}
	list_del_init(&h->lru);
	give_later(m, t, h->bytes);
	h->ready = t;
	h->tier = content ? HW_SSD : HW_NO_TIER;
	if (!content)
		h->bytes = 0;
	return true;
}

/* Are there @bytes, now or later?  Others leave for it from @t on. */
static bool make_room(struct hw_host *m, u64 bytes, gs_time t)
{
	u64 wanted = bytes + (m->ssd ? m->ssd->cfg->headroom : 0);

	while (m->ssd && m->free + m->freed_bytes < wanted && !list_empty(&m->lru))
		if (!spill(m, list_first_entry(&m->lru, struct hw_hold, lru), t))
			break;
	return m->free + m->freed_bytes >= bytes;
}

/* ---- coming ------------------------------------------------------------------------ */

/* @h has frames for @bytes in all; returns when. */
static gs_time get_frames(struct hw_host *m, struct hw_hold *h, u64 bytes, gs_time t)
{
	u64 more = bytes - (h->tier == HW_DRAM ? h->bytes : 0);

	if (more && !make_room(m, more, t))
		return GS_NEVER;
	h->bytes = bytes;
	t = take(m, more, t);
	count_dram(m);
	return t;
}

/* Does @h better not come to DRAM at all? */
static bool goes_direct(const struct hw_host *m, const struct hw_hold *h, u64 bytes,
			enum hw_opener who)
{
	if (!m->ssd || !m->ssd->cfg->direct || who != HW_BY_DEVICE)
		return false;
	return h->tier == HW_SSD || (h->tier == HW_NO_TIER && m->free < bytes);
}

static gs_time fetch(struct hw_host *m, struct hw_hold *h, gs_time t)
{
	m->stats.fetches++;
	return hw_ssd_send(m->ssd, HW_SSD_READ, h->saved, gs_max(t, h->ready));
}

gs_time hw_host_open(struct hw_host *m, struct hw_hold *h, u64 bytes, gs_time t, enum hw_opener who)
{
	bool below = h->tier == HW_SSD;

	bytes = gs_max(bytes, h->bytes);
	if (goes_direct(m, h, bytes, who)) {
		h->bytes = bytes;
		h->tier = HW_SSD;
		return gs_max(t, h->ready);
	}
	if (h->tier == HW_DRAM && m->ssd)
		list_del(&h->lru); /* it is not its own victim */
	t = get_frames(m, h, bytes, t);
	if (t == GS_NEVER) {
		if (h->tier == HW_DRAM && m->ssd)
			list_add(&h->lru, &m->lru);
		return t;
	}
	h->tier = HW_DRAM;
	if (m->ssd)
		list_add_tail(&h->lru, &m->lru);
	return below ? h->ready = fetch(m, h, t) : t;
}

gs_time hw_host_copied(struct hw_host *m, struct hw_hold *h, bool to, u64 bytes, gs_time start,
		       gs_time end)
{
	if (!m->ssd)
		return end;
	if (h->tier == HW_SSD) {
		end = gs_max(end,
			     hw_ssd_send(m->ssd, to ? HW_SSD_WRITE : HW_SSD_READ, bytes, start));
		*(to ? &m->stats.direct_out_bytes : &m->stats.direct_in_bytes) += bytes;
		if (to)
			save(m, h, gs_min(h->saved + bytes, h->bytes));
	} else if (to) {
		save(m, h, 0);
	}
	h->ready = gs_max(h->ready, end);
	return end;
}

void hw_host_written(struct hw_host *m, struct hw_hold *h)
{
	if (h->tier == HW_DRAM)
		save(m, h, 0);
}

void hw_host_stale(struct hw_host *m, struct hw_hold *h)
{
	if (h->tier == HW_SSD) {
		hw_host_shrink(m, h, 0);
	} else if (h->tier == HW_DRAM && m->ssd) {
		save(m, h, 0);
		list_move(&h->lru, &m->lru);
	}
}

void hw_host_shrink(struct hw_host *m, struct hw_hold *h, u64 bytes)
{
	u64 less = h->bytes > bytes ? h->bytes - bytes : 0;

	h->bytes -= less;
	if (h->tier == HW_DRAM)
		m->free += less;
	save(m, h, gs_min(h->saved, h->bytes));
	if (!h->bytes) {
		if (h->tier == HW_DRAM && m->ssd)
			list_del_init(&h->lru);
		h->tier = HW_NO_TIER;
	}
	count_dram(m);
}

#define S struct hw_host_stats

const struct gm_stat hw_host_stat_rows[] = {
	GM_COUNT(S, spills, GM_NONE, "Chunks written to the SSD for room in host memory"),
	GM_COUNT(S, drops, GM_NONE, "... that left without a write: nobody wanted them back"),
	GM_COUNT(S, unchanged, GM_NONE, "... likewise: the SSD had them still"),
	GM_COUNT(S, fetches, GM_NONE, "Chunks read back into host memory"),
	GM_COUNT(S, direct_in_bytes, GM_BYTES, "From the SSD to a device, past host memory"),
	GM_COUNT(S, direct_out_bytes, GM_BYTES, "From a device to the SSD, likewise"),
	GM_GAUGE(S, dram_bytes, GM_BYTES, "Host memory held"),
	GM_GAUGE(S, dram_peak_bytes, GM_BYTES, "Most that was held"),
	GM_GAUGE(S, ssd_bytes, GM_BYTES, "On the SSD now"),
	GM_STAT_END
};
GM_STATS_COMPLETE(S, hw_host_stat_rows, 0);
