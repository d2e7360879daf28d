/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_g10_tensors.c - the tensor simulator: FlashNeuron, and G10 over GPUDirect
 *
 * Whole tensors in device memory, first fit; one channel a direction to the SSD,
 * and one to the host, each a queue.  A kernel starts when its tensors have
 * space and their data; what it waits for is a loop over the channels' ends.
 *
 *   FlashNeuron  offloads on the way forth, the first that the way back reads;
 *                waits for all of it; fetches ahead into what space is left
 *   GPUDirect    follows G10's plan; a fetch waits for space in a queue
 *
 * Times are ms; a channel carries GB of 2^30 bytes.
 */
#include <stdlib.h>

#include "models/mm_g10.h"

enum channel { OUT_SSD, OUT_HOST, IN_SSD, IN_HOST, NR_CHANNELS };

struct transfer {
	u32 tensor;
	double ms;
};

struct line { /* transfers in order; the first is under way */
	struct transfer *v;
	size_t n, cap, head;
	double end;
	u64 order; /* of its start, among equal ends */
};

struct place { /* a tensor's */
	u64 first;
	bool here, coming, waiting, on_host;
	bool chosen; /* FlashNeuron: to be offloaded */
};

struct g10_tsim {
	const struct g10_params *par;
	const struct g10_net *net;
	const struct g10_plan *plan;
	struct g10_stats *stats;
	bool flash;
	u64 gpu_bytes, most_pages;	 /* largest kernel, without what stays */
	double now, ssd_rate, host_rate; /* bytes per ms */
	double moved, exec;
	struct line lines[NR_CHANNELS];
	u64 starts;
	struct g10_room room;
	struct place *places;
	u32 *queue; /* tensors that wait for space to be fetched */
	size_t nqueue, queue_cap, queue_head;
	struct offload {
		int at;
		u32 tensor;
	} * offloads;
	size_t noffloads, next_offload, next_hint;
};

static u64 pages_of(const struct g10_tsim *s, u32 t)
{
	return s->net->tensors[t].bytes / G10_PAGE;
}

/* ---- channels ------------------------------------------------------------------ */

static void start_next(struct g10_tsim *s, struct line *l)
{
	if (l->head == l->n)
		return;
	l->end = s->now + l->v[l->head].ms;
	l->order = s->starts++;
}

static void enqueue(struct g10_tsim *s, enum channel c, u32 tensor)
{
	struct line *l = &s->lines[c];
	double rate = c == OUT_HOST || c == IN_HOST ? s->host_rate : s->ssd_rate;
	u64 pages = pages_of(s, tensor);
	bool idle = l->head == l->n;

	GS_PUSH_ROOM(l->v, l->n, l->cap);
	l->v[l->n++] = (struct transfer){ tensor, (double)s->net->tensors[tensor].bytes / rate };
	if (idle)
		start_next(s, l);
	*(c == OUT_SSD	  ? &s->stats->ssd_out_pages
	  : c == OUT_HOST ? &s->stats->host_out_pages
	  : c == IN_SSD	  ? &s->stats->ssd_in_pages
			  : &s->stats->host_in_pages) += pages;
	s->places[tensor].coming |= c >= IN_SSD;
}

static bool busy(const struct g10_tsim *s)
{
	for (int c = 0; c < NR_CHANNELS; c++)
		if (s->lines[c].head < s->lines[c].n)
			return true;
	return false;
}

static void release(struct g10_tsim *s, u32 t)
{
	if (!s->places[t].here)
		return;
	s->places[t].here = false;
	g10_room_give(&s->room, s->places[t].first, pages_of(s, t));
}

static void complete(struct g10_tsim *s, enum channel c)
{
	struct line *l = &s->lines[c];
	u32 t = l->v[l->head++].tensor;

	s->moved += l->end - s->now;
	s->now = l->end;
	if (c < IN_SSD) {
		release(s, t);
	} else {
		s->places[t].coming = false;
		if (c == IN_HOST)
			s->places[t].on_host = false;
	}
	start_next(s, l);
}

/* The channel that is done first, by @until at the latest; NR_CHANNELS: none. */
static enum channel first_done(const struct g10_tsim *s)
{
	enum channel best = NR_CHANNELS;

	for (int c = 0; c < NR_CHANNELS; c++) {
		const struct line *l = &s->lines[c];

		if (l->head == l->n)
			continue;
		if (best == NR_CHANNELS || l->end < s->lines[best].end ||
		    (l->end == s->lines[best].end && l->order < s->lines[best].order))
			best = (enum channel)c;
	}
	return best;
}

/* ---- space ---------------------------------------------------------------------- */

static bool take(struct g10_tsim *s, u32 t, bool high)
{
	u64 first = g10_room_take(&s->room, pages_of(s, t), high);

	if (first == ~0ULL)
		return false;
	s->places[t].first = first;
	s->places[t].here = true;
	return true;
}

/* The first fetch that waits for space begins if there is enough. */
static void start_fetch(struct g10_tsim *s)
{
	u32 t;

	if (s->queue_head == s->nqueue)
		return;
	t = s->queue[s->queue_head];
	if (!take(s, t, true))
		return;
	s->queue_head++;
	s->places[t].waiting = false;
	enqueue(s, s->places[t].on_host ? IN_HOST : IN_SSD, t);
}

/* Let one transfer end.  False: none is under way. */
static bool serve(struct g10_tsim *s)
{
	enum channel c = first_done(s);

	if (c == NR_CHANNELS)
		return false;
	complete(s, c);
	if (!s->flash)
		start_fetch(s);
	return true;
}

/* Space for @t, sooner or later. */
static bool make_space(struct g10_tsim *s, u32 t, bool high)
{
	while (!take(s, t, high)) {
		enum channel c = first_done(s);

		if (c == NR_CHANNELS) {
			gs_err("g10sim: does not fit: no block of %llu bytes for tensor %u, and "
			       "nothing will leave",
			       s->net->tensors[t].bytes, t);
			return false;
		}
		complete(s, c);
	}
	if (!s->flash)
		start_fetch(s);
	return true;
}

static void wait_for(struct g10_tsim *s, u32 t)
{
	while (s->places[t].coming && serve(s))
		;
}

/* ---- a kernel's tensors ------------------------------------------------------------ */

/* Not here: space, and the data if it had any. */
static bool bring(struct g10_tsim *s, u32 t, int k, bool left)
{
	const struct g10_tensor *x = &s->net->tensors[t];

	if (!make_space(s, t, left))
		return false;
	if (left && x->birth != k && !x->global) {
		enqueue(s, IN_SSD, t);
		wait_for(s, t);
	}
	return true;
}

static bool prepare(struct g10_tsim *s, u32 t, int k)
{
	const struct g10_tensor *x = &s->net->tensors[t];
	struct place *p = &s->places[t];

	if (s->flash && (x->global || x->death < 0))
		return true;
	if (p->waiting) {
		start_fetch(s);
		while (!p->here && serve(s))
			;
		/* the artifact does not wait for the data of one that got its space so late */
		if (!s->par->start_early)
			wait_for(s, t);
		return true;
	}
	if (!p->here)
		return bring(s, t, k, s->flash ? p->chosen : s->plan->leaves[t]);
	wait_for(s, t);
	return true;
}

static void bury(struct g10_tsim *s, u32 k)
{
	const struct g10_kernel *x = &s->net->kernels[k];

	for (u32 u = 0; u < x->nin + x->nout; u++) {
		u32 id = s->net->hashed[x->first + u];
		const struct g10_tensor *t = &s->net->tensors[id];

		if (!t->global && (t->death == (int)k + 1 || (t->death < 0 && !s->flash)))
			release(s, id);
	}
	if (!s->flash)
		start_fetch(s);
}

static void execute(struct g10_tsim *s, double ms)
{
	double end = s->now + ms;
	enum channel c;

	while ((c = first_done(s)) != NR_CHANNELS && s->lines[c].end < end)
		serve(s);
	if (busy(s))
		s->moved += end - s->now;
	s->now = end;
	s->exec += ms;
	if (!s->flash)
		start_fetch(s);
}

/* ---- G10's plan over GPUDirect ------------------------------------------------------- */

static void follow_hints(struct g10_tsim *s, u32 k)
{
	while (s->next_hint < s->plan->nhints && s->plan->hints[s->next_hint].at == k) {
		const struct g10_hint *h = &s->plan->hints[s->next_hint++];
		struct place *p = &s->places[h->tensor];

		if (h->to == G10_SSD) {
			enqueue(s, OUT_SSD, h->tensor);
		} else if (h->to == G10_DRAM) {
			p->on_host = true;
			enqueue(s, OUT_HOST, h->tensor);
		} else if (!p->here || !s->net->tensors[h->tensor].global) {
			GS_PUSH_ROOM(s->queue, s->nqueue, s->queue_cap);
			s->queue[s->nqueue++] = h->tensor;
			p->waiting = true;
			start_fetch(s);
		}
	}
}

/* ---- FlashNeuron ------------------------------------------------------------------------ */

static void offload(struct g10_tsim *s, u32 k)
{
	if ((int)k >= s->net->border) {
		while (s->par->wait_offloads && s->lines[OUT_SSD].head < s->lines[OUT_SSD].n)
			serve(s);
		return;
	}
	while (s->next_offload < s->noffloads && s->offloads[s->next_offload].at == (int)k)
		enqueue(s, OUT_SSD, s->offloads[s->next_offload++].tensor);
}

/* On the way back: fetch for the next kernels while space is left for any of them. */
static void fetch_ahead(struct g10_tsim *s, u32 k)
{
	long long rest = (long long)(g10_room_largest(&s->room) - s->most_pages);

	if ((int)k < s->net->border)
		return;
	while (++k < s->net->nkernels) {
		const struct g10_kernel *x = &s->net->kernels[k];

		for (u32 u = 0; u < x->nin + x->nout; u++) {
			u32 t = s->net->hashed[x->first + u];

			if (!s->places[t].chosen || s->places[t].here)
				continue;
			if (rest <= (long long)pages_of(s, t) || !take(s, t, true))
				return;
			enqueue(s, IN_SSD, t);
			rest -= (long long)pages_of(s, t);
		}
	}
}

static u64 kernel_bytes(const struct g10_net *n, u32 k, bool globals)
{
	const struct g10_kernel *x = &n->kernels[k];
	u64 bytes = 0;

	for (u32 u = 0; u < x->nin + x->nout; u++) {
		const struct g10_tensor *t = &n->tensors[n->uses[x->first + u]];

		bytes += globals || !t->global ? t->bytes : 0;
	}
	return bytes;
}

/* The kernel at which @t can leave for the way back; -1: never. */
static int leaves_at(const struct g10_net *n, u32 t)
{
	int at = -1;

	for (u32 i = 0; i < n->nintervals; i++) {
		const struct g10_interval *v = &n->intervals[i];

		if (v->tensor == t && v->a <= n->border)
			at = v->a;
	}
	return at;
}

static bool earlier(const void *arg, u32 a, u32 b)
{
	const struct offload *o = arg;

	return o[a].at < o[b].at;
}

static void sort_offloads(struct g10_tsim *s)
{
	u32 *order = gs_calloc(gs_max(s->noffloads, 1), sizeof(*order));
	struct offload *sorted = gs_calloc(gs_max(s->noffloads, 1), sizeof(*sorted));

	for (u32 i = 0; i < s->noffloads; i++)
		order[i] = i;
	g10_sort(order, s->noffloads, earlier, s->offloads);
	for (u32 i = 0; i < s->noffloads; i++)
		sorted[i] = s->offloads[order[i]];
	free(s->offloads);
	free(order);
	s->offloads = sorted;
}

/* Tensors of the way forth that the way back reads, in order of first use. */
static u64 list_candidates(const struct g10_net *n, u32 *list, u32 *count)
{
	bool *seen = gs_calloc(gs_max(n->ntensors, 1), sizeof(*seen));
	u64 bytes = 0;

	for (int k = 0; k < n->border; k++) {
		const struct g10_kernel *x = &n->kernels[k];

		for (u32 u = 0; u < x->nin + x->nout; u++) {
			u32 t = n->hashed[x->first + u];

			if (seen[t] || n->tensors[t].global || n->tensors[t].death <= n->border)
				continue;
			seen[t] = true;
			list[(*count)++] = t;
			bytes += n->tensors[t].bytes;
		}
	}
	free(seen);
	return bytes;
}

static bool choose_offloads(struct g10_tsim *s, long long room)
{
	const struct g10_net *n = s->net;
	u32 *list = gs_calloc(gs_max(n->ntensors, 1), sizeof(*list)), count = 0;
	long long bytes = (long long)list_candidates(n, list, &count);
	size_t cap = 0;

	for (u32 i = 0; i < count && bytes >= room; i++) {
		int at = leaves_at(n, list[i]);

		if (at < 0)
			continue;
		GS_PUSH_ROOM(s->offloads, s->noffloads, cap);
		s->offloads[s->noffloads++] = (struct offload){ at, list[i] };
		s->places[list[i]].chosen = true;
		bytes -= (long long)n->tensors[list[i]].bytes;
	}
	free(list);
	sort_offloads(s);
	return bytes <= room;
}

static bool flash_init(struct g10_tsim *s)
{
	const struct g10_net *n = s->net;
	u64 most = 0, largest = 0;
	u32 space = ~0U;
	long long room;

	for (u32 k = 0; k < n->nkernels; k++) {
		most = gs_max(most, kernel_bytes(n, k, true));
		s->most_pages = gs_max(s->most_pages, kernel_bytes(n, k, false) / G10_PAGE);
	}
	room = (long long)s->gpu_bytes - (long long)n->global_bytes - (long long)most;
	if (room <= 0 || !choose_offloads(s, room)) {
		gs_err("g10sim: does not fit: FlashNeuron needs %llu bytes for weights and %llu "
		       "for a kernel beside what it cannot offload, the device has %llu",
		       n->global_bytes, most, s->gpu_bytes);
		return false;
	}
	/* one block for all that lives for one kernel only */
	for (u32 t = 0; t < n->ntensors; t++)
		if (!n->tensors[t].global && n->tensors[t].death < 0 &&
		    n->tensors[t].bytes > largest) {
			largest = n->tensors[t].bytes;
			space = t;
		}
	for (u32 t = 0; t < n->ntensors; t++)
		if (n->tensors[t].global && !take(s, t, false))
			return false;
	return space == ~0U || take(s, space, false);
}

/* ---- begin and end ------------------------------------------------------------------------ */

static bool gds_init(struct g10_tsim *s)
{
	for (u32 t = 0; t < s->net->ntensors; t++)
		if (s->net->tensors[t].global && s->net->tensors[t].bytes &&
		    !take(s, t, s->plan->leaves[t])) {
			gs_err("g10sim: does not fit: weights are larger than "
			       "manager.g10.gds_memory");
			return false;
		}
	return true;
}

struct g10_tsim *g10_tsim_new(const struct g10_params *par, const struct g10_net *net,
			      const struct g10_plan *plan, const struct g10_machine *m,
			      struct g10_stats *stats)
{
	struct g10_tsim *s = gs_calloc(1, sizeof(*s));
	double ssd = (double)m->ssd_bps / 1e9, pcie = (double)m->pcie_bps / 1e9;

	*s = (struct g10_tsim){ .par = par, .net = net, .plan = plan, .stats = stats };
	s->flash = par->policy == G10_FLASHNEURON;
	s->gpu_bytes = m->gpu_bytes;
	s->ssd_rate = ssd * 1024 * 1024 * 1024 / 1000;
	s->host_rate = (pcie - ssd) * 1024 * 1024 * 1024 / 1000;
	s->places = gs_calloc(gs_max(net->ntensors, 1), sizeof(*s->places));
	g10_room_init(&s->room, (s->flash ? m->gpu_bytes : par->gds_memory) / G10_PAGE);
	if (s->flash ? flash_init(s) : gds_init(s))
		return s;
	g10_tsim_free(s);
	return NULL;
}

void g10_tsim_free(struct g10_tsim *s)
{
	if (!s)
		return;
	for (int c = 0; c < NR_CHANNELS; c++)
		free(s->lines[c].v);
	g10_room_fini(&s->room);
	free(s->places);
	free(s->queue);
	free(s->offloads);
	free(s);
}

static void breakdown(struct g10_tsim *s)
{
	double cycles = (double)s->par->clock_hz / 1000, stall = s->now - s->exec;
	double overlap = s->moved - stall;

	s->stats->exec_cycles = (u64)(s->exec * cycles);
	s->stats->total_cycles = (u64)(s->now * cycles);
	s->stats->stall_cycles = (u64)(stall > 0 ? stall * cycles : 0);
	s->stats->overlap_cycles = (u64)(overlap > 0 ? overlap * cycles : 0);
	s->stats->compute_cycles = (u64)((s->exec - overlap) * cycles);
}

double g10_tsim_kernel(struct g10_tsim *s, u32 k, double exec_ms)
{
	const struct g10_kernel *x = &s->net->kernels[k];

	if (s->flash)
		offload(s, k);
	else
		follow_hints(s, k);
	for (u32 u = 0; u < x->nin + x->nout; u++)
		if (!prepare(s, s->net->hashed[x->first + u], (int)k))
			return -1;
	execute(s, exec_ms);
	bury(s, k);
	if (s->flash)
		fetch_ahead(s, k);
	breakdown(s);
	return s->now;
}
