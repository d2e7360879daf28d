/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_uvm_thrash.c - pages that processors take from each other (uvm_perf_thrashing.c)
 *
 *   quiet --two processors within a lapse--> watched --3 events in a row-->
 *   throttled: one processor at a time may have it, for a nap -->
 *   pinned: after 10 naps; the others map it from afar --pin time over--> quiet
 *
 * Events are copies for faults and for access counters.  Evictions are none, so
 * a device that is merely too small never thrashes in this sense; calls wipe
 * the slate.  Revocations of atomics, the driver's second kind of event, have
 * no counterpart here: traces do not tell atomics from writes.
 */
#include <stdlib.h>

#include "models/mm_uvm_extra.h"

#define MOST_EVENTS    7	    /* three bits in the driver */
#define MOST_THROTTLES 255	    /* eight bits */
#define GRANULARITY    (20 * GS_US) /* of its timer */
#define DEFAULT_LAPSE  (500 * GS_US)
#define LONGEST_LAPSE  (500 * GS_MS)

struct processors {
	u64 devices;
	bool host;
};

struct page_state {
	gs_time last; /* event; 0: none */
	gs_time throttle_end, unpin_at;
	struct processors fighting, throttled;
	u16 pinned_at;
	u16 spared; /* not throttled in this nap */
	u8 events, throttles;
	bool pinned;
};

struct uvm_thrash {
	gs_time last; /* event on a thrashing page */
	gs_time next_unpin;
	struct gm_bitmap pages, pinned;
	u32 resets;
	bool watched; /* two processors were close once; else pages are not */
	bool ever_pinned;
	struct page_state page[UVM_PAGES];
};

/* ---- sets of processors ---- */

static void add(struct processors *s, u16 who)
{
	if (who == UVM_HOST)
		s->host = true;
	else
		s->devices |= 1ULL << who;
}

static void drop(struct processors *s, u16 who)
{
	if (who == UVM_HOST)
		s->host = false;
	else
		s->devices &= ~(1ULL << who);
}

static bool has(const struct processors *s, u16 who)
{
	return who == UVM_HOST ? s->host : who < UVM_HOST && s->devices >> who & 1;
}

static bool all(const struct mm_uvm *u, const struct processors *s, u16 place,
		bool (*reaches)(const struct mm_uvm *u, u16 who, u16 place))
{
	if (place == UVM_NOBODY || (s->host && !reaches(u, UVM_HOST, place)))
		return false;
	for (u16 d = 0; d < u->ndevices; d++)
		if (s->devices >> d & 1 && !reaches(u, d, place))
			return false;
	return true;
}

static void put_bit(struct gm_bitmap *m, u32 page, bool value)
{
	u64 bit = 1ULL << page % 64;

	m->w[page / 64] = value ? m->w[page / 64] | bit : m->w[page / 64] & ~bit;
}

/* First page of @m from @i on; UVM_PAGES: none. */
static u32 next_page(const struct gm_bitmap *m, u32 i)
{
	return bits_find(m, i, UVM_PAGES, true);
}

/* ---- reset ---- */

static void reset_page(struct uvm_thrash *th, u32 page)
{
	struct page_state *p = &th->page[page];

	p->throttled = p->fighting = (struct processors){ 0 };
	p->throttle_end = p->last = 0;
	p->events = 0;
	p->pinned = false;
	put_bit(&th->pages, page, false);
	put_bit(&th->pinned, page, false);
}

void uvm_thrash_reset(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *pages)
{
	struct uvm_thrash *th = b->extra ? b->extra->thrash : NULL;
	struct gm_bitmap m;

	if (!th)
		return;
	m = bits_and(pages, &th->pages);
	for (u32 i = next_page(&m, 0); i < UVM_PAGES; i = next_page(&m, i + 1))
		reset_page(th, i);
}

static void forget_all(struct uvm_thrash *th, u32 resets)
{
	*th = (struct uvm_thrash){ .resets = resets, .next_unpin = GS_NEVER };
	for (u32 i = 0; i < UVM_PAGES; i++)
		th->page[i].spared = UVM_NOBODY;
}

/* After a quiet epoch the block begins anew, but not for ever again. */
static bool epoch_over(struct mm_uvm *u, struct uvm_block *b, gs_time now)
{
	struct uvm_thrash *th = b->extra->thrash;

	if (!th->last || now - th->last <= u->p->lapse * u->p->epoch || th->ever_pinned ||
	    th->resets >= u->p->max_resets)
		return false;
	forget_all(th, th->resets + 1);
	b->mover = 0;
	return true;
}

/* ---- events ---- */

void uvm_thrash_init(struct mm_uvm *u)
{
	u->lapse = u->p->lapse;
}

static struct uvm_thrash *watch(struct mm_uvm *u, struct uvm_block *b)
{
	struct uvm_extra *x = uvm_extra_get(u, b);

	if (!x->thrash) {
		x->thrash = gs_calloc(1, sizeof(*x->thrash));
		forget_all(x->thrash, 0);
	}
	x->thrash->watched = true;
	return x->thrash;
}

static void event(struct mm_uvm *u, struct uvm_thrash *th, u32 page, u16 who, gs_time t)
{
	struct page_state *p = &th->page[page];
	gs_time before = p->last;

	add(&p->fighting, who);
	p->last = t;
	if (!before)
		return;
	if (t - before > u->lapse) {
		if (p->events >= u->p->threshold && !p->pinned)
			reset_page(th, page);
		return;
	}
	p->events = (u8)gs_min(p->events + 1, MOST_EVENTS);
	if (p->events == u->p->threshold) {
		put_bit(&th->pages, page, true);
		u->stats.thrashing_pages++;
	}
	if (p->events >= u->p->threshold)
		th->last = t;
}

void uvm_thrash_moved(struct mm_uvm *u, struct uvm_block *b, u16 who, const struct gm_bitmap *pages,
		      enum uvm_cause cause, gs_time t)
{
	struct uvm_thrash *th = b->extra ? b->extra->thrash : NULL;
	struct gm_bitmap m = *pages;

	if (!u->p->thrashing || !bits_any(pages))
		return;
	if (b->extra) {
		struct gm_bitmap by_word = bits_and(pages, &b->extra->read_mostly);

		uvm_thrash_reset(u, b, cause == UVM_CALL ? pages : &by_word);
		bits_clear(&m, &by_word);
	}
	if (cause == UVM_CALL)
		return;
	if (th)
		bits_clear(&m, &th->pinned);
	if (!bits_any(&m))
		return;
	if (th && !th->watched)
		th = NULL;
	if (!th && b->mover && b->mover != who + 1 && t - b->moved <= u->lapse)
		th = watch(u, b);
	for (u32 i = th ? next_page(&m, 0) : UVM_PAGES; i < UVM_PAGES; i = next_page(&m, i + 1))
		event(u, th, i, who, t);
	b->moved = t;
	b->mover = (u16)(who + 1);
}

const struct gm_bitmap *uvm_thrashing(const struct uvm_block *b)
{
	return b->extra && b->extra->thrash ? &b->extra->thrash->pages : NULL;
}

/* ---- hints ---- */

/*
 * The driver lengthens the lapse by an eighth whenever votes are enough, and
 * compares a signed count of votes with an unsigned bound, so that one vote
 * against is enough too: by default it only grows (release 595).
 */
static void adjust_lapse(struct mm_uvm *u, gs_time since)
{
	if (!u->p->lapse_grows || u->p->lapse != DEFAULT_LAPSE)
		return;
	u->lapse_votes += since < u->lapse ? -1 : 1;
	if ((u32)u->lapse_votes < u->p->lapse_votes || u->lapse >= LONGEST_LAPSE)
		return;
	u->lapse += gs_min(u->lapse / 8, LONGEST_LAPSE / 10);
	u->lapse_votes /= 2;
}

/* A new nap begins; nobody is spared twice running. */
static void update_nap(const struct mm_uvm *u, struct page_state *p, u16 who, gs_time now)
{
	if (now > p->throttle_end) {
		p->throttle_end = now + u->p->lapse * u->p->nap;
		p->spared = p->spared == who ? UVM_NOBODY : who;
	} else if (p->spared == UVM_NOBODY) {
		p->spared = who;
	}
}

static u16 place_by_advice(const struct mm_uvm *u, const struct uvm_block *b, u32 page)
{
	for (u16 d = 0; d < u->ndevices; d++)
		if (b->extra->side[d].preferred.w[page / 64] >> page % 64 & 1)
			return d;
	return b->extra->prefer_host.w[page / 64] >> page % 64 & 1 ? UVM_HOST : UVM_NOBODY;
}

/* A place that all reach; the host is one always. */
static u16 common_place(const struct mm_uvm *u, const struct processors *s)
{
	for (u16 d = 0; d < u->ndevices; d++)
		if (all(u, s, d, uvm_can_access))
			return d;
	return UVM_HOST;
}

static enum uvm_hint at(u16 place, u16 *where)
{
	*where = place;
	return UVM_HINT_PIN;
}

/* The place is the requester's own by advice, and others cannot reach it. */
static enum uvm_hint hint_at_home(const struct mm_uvm *u, const struct page_state *p, u16 who,
				  u16 *where)
{
	if (p->pinned)
		return p->pinned_at == who || p->spared == who ? at(who, where) : UVM_HINT_THROTTLE;
	if (p->spared != who)
		return UVM_HINT_THROTTLE;
	return p->throttles >= u->p->pin_threshold ? at(who, where) : UVM_HINT_NONE;
}

static enum uvm_hint hint_pinned(const struct mm_uvm *u, const struct page_state *p, u16 who,
				 u16 *where)
{
	if (p->spared == who)
		return at(all(u, &p->fighting, who, uvm_can_access) ? who
								    : common_place(u, &p->fighting),
			  where);
	if (uvm_can_access(u, who, p->pinned_at))
		return at(p->pinned_at, where);
	return UVM_HINT_THROTTLE;
}

static enum uvm_hint hint_for(const struct mm_uvm *u, const struct uvm_block *b, u32 page,
			      const struct page_state *p, u16 who, u16 *where)
{
	u16 preferred = place_by_advice(u, b, page), now_at = uvm_place_of(u, b, page);

	if (all(u, &p->fighting, preferred, uvm_can_access))
		return at(preferred, where);
	if (!has(&p->fighting, preferred) && all(u, &p->fighting, now_at, uvm_is_near)) {
		if (now_at != UVM_HOST)
			return at(now_at, where);
		/* the CPU is the one to reach over */
		return who == UVM_HOST ? UVM_HINT_NONE : at(who, where);
	}
	if (who == preferred)
		return hint_at_home(u, p, who, where);
	if (p->pinned)
		return hint_pinned(u, p, who, where);
	if (p->spared != who)
		return UVM_HINT_THROTTLE;
	return p->throttles >= u->p->pin_threshold ? at(who, where) : UVM_HINT_NONE;
}

static void pin(struct mm_uvm *u, struct uvm_block *b, u32 page, u16 where, gs_time now)
{
	struct uvm_thrash *th = b->extra->thrash;
	struct page_state *p = &th->page[page];
	struct gm_bitmap there = uvm_content_at(b, where);

	if (!p->pinned || !(there.w[page / 64] >> page % 64 & 1)) {
		p->throttled = (struct processors){ 0 };
		p->throttle_end = 0;
	}
	p->pinned_at = where;
	if (p->pinned)
		return;
	p->pinned = true;
	p->throttles = 0;
	p->unpin_at = u->p->pin ? now + u->p->lapse * u->p->pin : GS_NEVER;
	th->next_unpin = gs_min(th->next_unpin, p->unpin_at);
	th->ever_pinned = true;
	put_bit(&th->pinned, page, true);
	u->stats.pinned_pages++;
}

static void throttle(struct mm_uvm *u, struct page_state *p, u16 who)
{
	u->stats.throttles++;
	if (has(&p->throttled, who))
		return;
	add(&p->throttled, who);
	if (!p->pinned)
		p->throttles = (u8)gs_min(p->throttles + 1, MOST_THROTTLES);
}

enum uvm_hint uvm_thrash_hint(struct mm_uvm *u, struct uvm_block *b, u32 page, u16 who, u16 *where,
			      gs_time *until)
{
	struct page_state *p = &b->extra->thrash->page[page];
	gs_time now = gs_now(u->mm.sim);
	enum uvm_hint hint;

	if (epoch_over(u, b, now) || p->events < u->p->threshold)
		return UVM_HINT_NONE;
	*until = p->throttle_end;
	if (has(&p->throttled, who)) {
		if (now < p->throttle_end && who != p->spared) {
			u->stats.throttles++;
			return UVM_HINT_THROTTLE;
		}
		drop(&p->throttled, who);
		if (!p->throttled.devices && !p->throttled.host)
			p->throttle_end = 0;
	}
	adjust_lapse(u, now - p->last);
	if (now - p->last > u->lapse && !p->pinned)
		return UVM_HINT_NONE;
	add(&p->fighting, who);
	update_nap(u, p, who, now);
	hint = hint_for(u, b, page, p, who, where);
	if (hint == UVM_HINT_PIN)
		pin(u, b, page, *where, now);
	else if (hint == UVM_HINT_THROTTLE)
		throttle(u, p, who);
	*until = p->throttle_end;
	return hint;
}

void uvm_thrash_map(struct mm_uvm *u, struct uvm_block *b, const struct gm_bitmap *pages)
{
	struct uvm_thrash *th = b->extra->thrash;
	struct gm_bitmap pinned;

	if (!th)
		return;
	pinned = bits_and(pages, &th->pinned);
	for (u32 i = next_page(&pinned, 0); i < UVM_PAGES; i = next_page(&pinned, i + 1)) {
		const struct page_state *p = &th->page[i];
		struct gm_bitmap one = bits_range(i, i + 1);

		for (u16 d = 0; d < u->ndevices; d++)
			if (has(&p->fighting, d) && d != p->pinned_at)
				uvm_map_far(u, b, d, &one);
	}
}

/* ---- the end of pinning ---- */

/*
 * The driver's timer does this behind everybody's back.  Here it is done when
 * somebody next looks: nobody can tell the difference.
 */
void uvm_thrash_expire(struct mm_uvm *u, struct uvm_block *b)
{
	struct uvm_extra *x = b->extra;
	struct uvm_thrash *th = x->thrash;
	gs_time now = gs_now(u->mm.sim) + GRANULARITY, next = GS_NEVER;

	if (!th || now < th->next_unpin)
		return;
	for (u32 i = next_page(&th->pinned, 0); i < UVM_PAGES; i = next_page(&th->pinned, i + 1)) {
		if (th->page[i].unpin_at > now) {
			next = gs_min(next, th->page[i].unpin_at);
			continue;
		}
		reset_page(th, i);
		u->stats.unpinned_pages++;
		put_bit(&x->cpu_far, i, false);
		for (u32 d = 0; d < u->ndevices; d++)
			if (!(x->side[d].accessed_by.w[i / 64] >> i % 64 & 1))
				put_bit(&x->side[d].far, i, false);
	}
	th->next_unpin = next;
}

const char *uvm_thrash_check(const struct mm_uvm *u, const struct uvm_block *b)
{
	const struct uvm_thrash *th = b->extra->thrash;
	struct gm_bitmap bad;

	if (!th)
		return NULL;
	bad = bits_andnot(&th->pinned, &th->pages);
	if (bits_any(&bad))
		return "a page is pinned that does not thrash";
	for (u32 i = 0; i < UVM_PAGES; i++)
		if (th->page[i].pinned != (th->pinned.w[i / 64] >> i % 64 & 1))
			return "a page is pinned in one book only";
	return NULL;
}
