/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_g10_tick.c - what one tick of the link moves
 *
 * The link carries so many pages each way in a tick, the SSD so many of them.
 * Queues are served in a fixed order; a page that comes to a full device first
 * sends the oldest away.  Victims go to the host; once that is full, to the SSD.
 * A page fetched from the host leaves a frame there, and the next victim takes it.
 *
 * Pages are moved as many at once as share source, victims and their
 * destination: what one would do, all do.
 */
#include "models/mm_g10.h"

static bool host_full(const struct g10_sim *s)
{
	return s->host_used == s->host_pages;
}

static struct g10_act *new_act(struct g10_sim *s, u8 queue)
{
	u32 n = s->nacts[s->now]++;
	struct g10_act *a = &s->acts[s->now][gs_min(n, G10_MAX_ACTS - 1)];
	const struct g10_fifo *q = &s->queues[queue];

	*a = (struct g10_act){ .queue = queue, .to = G10_ANYWHERE, .tensor = q->v[q->head].tensor };
	return a;
}

u32 g10_front(struct g10_sim *s, u8 queue)
{
	struct g10_fifo *q = &s->queues[queue];
	struct g10_part *p = &q->v[q->head];

	p->run = g10_cut(&s->runs, g10_find(&s->runs, p->tensor, p->first, p->run), p->first);
	return p->run;
}

void g10_pop(struct g10_sim *s, u8 queue, u32 pages)
{
	struct g10_fifo *q = &s->queues[queue];
	struct g10_part *p = &q->v[q->head];

	gs_assert(pages <= p->pages);
	s->queued -= pages;
	p->first += pages;
	p->pages -= pages;
	if (p->pages)
		return;
	q->head = (q->head + 1) & (q->cap - 1);
	q->n--;
}

/* ---- out -------------------------------------------------------------------- */

/* The first @pages of @run leave.  If the running kernel needs them, they fault. */
void g10_leave(struct g10_sim *s, u32 run, u32 pages, u8 to)
{
	const struct g10_run *v = g10_run(&s->runs, run);
	u32 first = v->first;
	u8 queue = G10_Q_NONE;

	if (s->runs.sets[v->tensor].needed)
		queue = to == G10_SSD	 ? G10_FAULT_SSD
			: to == G10_DRAM ? G10_FAULT_HOST
					 : G10_FAULT_NEW;
	run = g10_become(&s->runs, run, pages, to, queue);
	if (queue)
		g10_push(s, queue, run, first, pages);
	s->gpu_free += pages;
	s->host_used += to == G10_DRAM ? pages : 0;
	s->stats->ssd_out_pages += to == G10_SSD ? pages : 0;
	s->stats->host_out_pages += to == G10_DRAM ? pages : 0;
	s->stats->dropped_pages += to == G10_NOWHERE ? pages : 0;
}

static void evict(struct g10_sim *s, u32 run, u32 pages, u8 to)
{
	struct g10_tick *t = &s->tick;

	g10_leave(s, run, pages, to);
	if (to == G10_NOWHERE) {
		t->dropped += pages;
		return;
	}
	t->out += pages;
	if (to == G10_SSD) {
		t->out_ssd += pages;
		if (t->out_ssd == s->ssd_batch)
			t->force = G10_TO_HOST;
		return;
	}
	t->out_host += pages;
	if (t->out_host == s->host_batch || host_full(s))
		t->force = G10_TO_SSD;
}

static u8 forced(const struct g10_sim *s, u8 to)
{
	return !s->tick.force ? to : s->tick.force == G10_TO_SSD ? G10_SSD : G10_DRAM;
}

/* Evictions by hint, meant to go to @to. */
static void send(struct g10_sim *s, u8 queue, u8 to)
{
	const struct g10_fifo *q = &s->queues[queue];
	const struct g10_tick *t = &s->tick;

	while (q->n && t->out < s->host_batch) {
		u64 pages = gs_min(q->v[q->head].pages, s->host_batch - t->out);
		struct g10_act *a;
		u32 run;

		if (queue == G10_OUT_SSD || host_full(s))
			pages = gs_min(pages, s->ssd_batch - t->out_ssd);
		else
			pages = gs_min(pages, s->host_batch - t->out_host);
		if (!pages)
			return;
		a = new_act(s, queue);
		a->to = forced(s, to);
		if (a->to == G10_DRAM)
			pages = gs_min(pages, s->host_pages - s->host_used);
		gs_assert(pages);
		a->pages = (u32)pages;
		run = g10_front(s, queue);
		g10_pop(s, queue, a->pages);
		evict(s, run, a->pages, a->to);
	}
}

/* ---- room for who comes --------------------------------------------------------- */

/* May anything come to the device at all? */
static bool gate_open(const struct g10_sim *s)
{
	if (s->gpu_free)
		return true;
	return s->tick.out < s->host_batch && (!host_full(s) || s->tick.out_ssd < s->ssd_batch);
}

/* Whose pages are they, and how many in a row?  0: a prefetch has to wait. */
static u32 choose_victims(struct g10_sim *s, bool fault, struct g10_act *a, u64 *pages)
{
	u32 run, row = 0;

	a->spared = s->par->policy == G10_DEEPUM && !fault;
	if (a->spared && s->exhausted)
		return 0;
	run = g10_oldest(&s->runs, a->spared, &row);
	if (!run) {
		gs_assert(a->spared);
		s->exhausted = true;
		return 0;
	}
	*pages = gs_min(*pages, row);
	return run;
}

/*
 * The artifact searches from a cursor.  Once that stands behind the newest page,
 * it stays there until the next kernel begins, whatever comes meanwhile.
 */
static void move_cursor(struct g10_sim *s, const struct g10_act *a, u64 pages)
{
	if (a->spared && pages == 1 && !s->runs.heaps[0].n &&
	    g10_newest(&s->runs) < a->victim_arrival)
		s->exhausted = true;
}

static u8 destination(const struct g10_sim *s, u32 tensor)
{
	bool drops = s->par->policy == G10_DEEPUM ? s->par->drop_dead : !s->par->keep_dead;

	if (drops && !g10_alive(&s->net->tensors[tensor], (int)s->kernel))
		return G10_NOWHERE;
	return forced(s, G10_DRAM);
}

/* Victims for up to @pages that come from @from; how many there is room for. */
static u64 make_room(struct g10_sim *s, u64 pages, u8 from, bool fault, struct g10_act *a)
{
	const struct g10_tick *t = &s->tick;
	bool frames = from == G10_DRAM; /* each that comes leaves one there */

	if (s->gpu_free)
		return gs_min(pages, s->gpu_free);
	a->victim = choose_victims(s, fault, a, &pages);
	if (!a->victim)
		return 0;
	a->victim_arrival = g10_run(&s->runs, a->victim)->arrival;
	a->to = destination(s, g10_run(&s->runs, a->victim)->tensor);
	if (a->to == G10_SSD) {
		pages = gs_min(pages, gs_min(s->ssd_batch - t->out_ssd, s->host_batch - t->out));
		pages = frames ? gs_min(pages, 1) : pages;
	} else if (a->to == G10_DRAM) {
		pages = gs_min(pages, gs_min(s->host_batch - t->out_host, s->host_batch - t->out));
		pages = frames ? pages : gs_min(pages, s->host_pages - s->host_used);
	}
	gs_assert(pages);
	return pages;
}

/*
 * The victims go, and those that come leave their frames on the host.  Page by
 * page a full host is full no more, so that the next victim may choose again.
 */
static void exchange(struct g10_sim *s, const struct g10_act *a, u8 from, u64 pages)
{
	bool frames = from == G10_DRAM, tight = s->host_pages - s->host_used == 1;

	if (frames && a->to == G10_DRAM) {
		s->host_used -= pages;
		evict(s, a->victim, (u32)pages, a->to);
		if (tight)
			s->tick.force = G10_FREE_CHOICE;
	} else {
		if (a->victim)
			evict(s, a->victim, (u32)pages, a->to);
		s->host_used -= frames ? pages : 0;
	}
	if (a->victim)
		move_cursor(s, a, pages);
	if (frames && s->tick.force == G10_TO_SSD)
		s->tick.force = G10_FREE_CHOICE;
}

static void count_in(struct g10_sim *s, u8 queue, u8 from, u64 pages)
{
	struct g10_tick *t = &s->tick;

	if (queue >= G10_AHEAD_SSD && from != G10_NOWHERE)
		s->stats->ahead_pages += pages;

	t->fresh += (u32)pages;
	if (from == G10_NOWHERE) {
		s->stats->new_pages += pages;
		return;
	}
	t->in += (u32)pages;
	if (from == G10_SSD) {
		t->in_ssd += (u32)pages;
		s->stats->ssd_in_pages += pages;
	} else {
		t->in_host += (u32)pages;
		s->stats->host_in_pages += pages;
	}
}

/* ---- in ----------------------------------------------------------------------- */

static u64 budget(const struct g10_sim *s, u8 queue, u8 from, bool fault)
{
	const struct g10_tick *t = &s->tick;
	u64 fresh = s->new_batch - t->fresh, in = s->host_batch - t->in;

	if (from == G10_NOWHERE)
		return t->fresh < s->new_batch ? fresh : 0;
	if (fault && t->fresh >= s->new_batch)
		return 0;
	in = gs_min(in, from == G10_SSD ? s->ssd_batch - t->in_ssd : s->host_batch - t->in_host);
	return fault ? gs_min(in, fresh) : in;
}

static u8 source(u8 queue)
{
	static const u8 from[G10_NR_QUEUES] = {
		[G10_FAULT_SSD] = G10_SSD,     [G10_AHEAD_SSD] = G10_SSD,
		[G10_FAULT_HOST] = G10_DRAM,   [G10_AHEAD_HOST] = G10_DRAM,
		[G10_FAULT_NEW] = G10_NOWHERE, [G10_AHEAD_NEW] = G10_NOWHERE,
	};

	return from[queue];
}

/* Serve @queue while budgets last.  False: no victim for a prefetch. */
static bool serve(struct g10_sim *s, u8 queue, bool fault)
{
	const struct g10_fifo *q = &s->queues[queue];
	u8 from = source(queue);

	while (q->n && gate_open(s)) {
		u64 pages = gs_min(q->v[q->head].pages, budget(s, queue, from, fault));
		bool needed = s->runs.sets[q->v[q->head].tensor].needed;
		struct g10_act *a;
		u32 run;

		if (!pages)
			break;
		a = new_act(s, queue);
		pages = make_room(s, pages, from, fault || needed, a);
		if (!pages) {
			s->nacts[s->now] = G10_MAX_ACTS + 1;
			return false;
		}
		a->pages = (u32)pages;
		exchange(s, a, from, pages);
		a->arrival = s->runs.arrivals;
		s->runs.arrivals += pages;
		s->gpu_free -= pages;
		run = g10_front(s, queue);
		g10_pop(s, queue, a->pages);
		g10_arrive(&s->runs, run, a->pages, a->arrival, a->pages, a->pages);
		count_in(s, queue, from, pages);
	}
	return true;
}

/*
 * DeepUM: prefetches that a kernel waits for find no victim outside the window,
 * and nothing else moves: serve them as faults.
 */
static void unlock(struct g10_sim *s)
{
	if (s->par->policy != G10_DEEPUM || !s->waits || s->tick.in + s->tick.out)
		return;
	if (!g10_needed_queued(s) && !g10_faults_pending(s))
		return;
	s->nacts[s->now] = G10_MAX_ACTS + 1;
	serve(s, G10_AHEAD_SSD, true);
	serve(s, G10_AHEAD_HOST, true);
	serve(s, G10_AHEAD_NEW, true);
}

void g10_tick(struct g10_sim *s)
{
	s->tick = (struct g10_tick){ .force = host_full(s) ? G10_TO_SSD : G10_FREE_CHOICE };
	s->now ^= 1;
	s->nacts[s->now] = 0;
	s->host_before = s->host_used;
	s->gpu_before = s->gpu_free;
	send(s, G10_OUT_SSD, G10_SSD);
	send(s, G10_OUT_HOST, G10_DRAM);
	serve(s, G10_FAULT_SSD, true);
	serve(s, G10_FAULT_HOST, true);
	serve(s, G10_FAULT_NEW, true);
	if (serve(s, G10_AHEAD_SSD, false))
		serve(s, G10_AHEAD_HOST, false);
	serve(s, G10_AHEAD_NEW, false);
	unlock(s);
	s->stats->ticks++;
}
