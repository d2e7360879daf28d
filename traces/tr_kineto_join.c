/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tr_kineto_join.c - which operator launched which kernel
 *
 *	kernel --correlation--> runtime call --time, thread--> operator
 *
 * An operator's operands belong to its kernels.  "External id" would be a
 * shorter way, but in most files it is not that of the operator.
 */
#include "traces/kineto.h"

static int by_thread_and_start(const void *x, const void *y)
{
	const struct kn_op *a = x, *b = y;

	if (a->thread != b->thread)
		return a->thread < b->thread ? -1 : 1;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->end != b->end)
		return a->end > b->end ? -1 : 1; /* the one around comes first */
	return a->name < b->name ? -1 : a->name > b->name;
}

static int launches_by_thread(const void *x, const void *y)
{
	const struct kn_launch *a = x, *b = y;

	if (a->thread != b->thread)
		return a->thread < b->thread ? -1 : 1;
	if (a->when != b->when)
		return a->when < b->when ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static int launches_by_id(const void *x, const void *y)
{
	const struct kn_launch *a = x, *b = y;

	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return a->when < b->when ? -1 : a->when > b->when;
}

static int work_by_id(const void *x, const void *y)
{
	const struct kn_work *a = x, *b = y;

	return a->id < b->id ? -1 : a->id > b->id;
}

static int memory_by_thread(const void *x, const void *y)
{
	const struct kn_memory *a = x, *b = y;

	if (a->thread != b->thread)
		return a->thread < b->thread ? -1 : 1;
	if (a->when != b->when)
		return a->when < b->when ? -1 : 1;
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

static int memory_by_time(const void *x, const void *y)
{
	const struct kn_memory *a = x, *b = y;

	if (a->when != b->when)
		return a->when < b->when ? -1 : 1;
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

static int work_by_launch(const void *x, const void *y)
{
	const struct kn_work *a = x, *b = y;

	if (a->when != b->when)
		return a->when < b->when ? -1 : 1;
	if (a->start != b->start)
		return a->start < b->start ? -1 : 1;
	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	if (a->stream != b->stream)
		return a->stream < b->stream ? -1 : 1;
	return a->name < b->name ? -1 : a->name > b->name;
}

void kn_init(struct kn *k, struct tr_build *b)
{
	*k = (struct kn){
		.b = b,
		.ops = tr_spill_new(sizeof(struct kn_op), by_thread_and_start, KN_MEMORY),
		.launches = tr_spill_new(sizeof(struct kn_launch), launches_by_thread, KN_MEMORY),
		.work = tr_spill_new(sizeof(struct kn_work), work_by_id, KN_MEMORY),
		.memory = tr_spill_new(sizeof(struct kn_memory), memory_by_thread, KN_MEMORY),
		.first_total = U64_MAX,
		.most_total = U64_MAX,
		.float_dtype = GS_F32,
	};
}

/* @with, which may be NULL, takes the place of a table that was read.  0 or -EIO (said). */
static int replace(struct tr_spill **table, struct tr_spill *with)
{
	int ret = tr_spill_err(*table);

	tr_spill_free(*table);
	*table = with;
	if (with)
		tr_spill_rewind(with);
	return ret | tr_spill_err(with);
}

/* ---- launches and allocations, to operators -------------------------------- */

/* The operators that are open at a moment of a thread, outermost first. */
struct open {
	struct kn_op op;
	u32 owner; /* KN_NONE: did nothing yet */
};

struct nest {
	struct kn *k;
	const struct kn_op *next; /* that begins next */
	struct open *open;
	size_t n, cap;
};

/* Go to @when on @thread; times and threads only grow. */
static void nest_to(struct nest *s, u16 thread, u64 when)
{
	while (s->n && s->open[s->n - 1].op.thread != thread)
		s->n--;
	for (; s->next; s->next = tr_spill_next(s->k->ops)) {
		const struct kn_op *op = s->next;

		if (op->thread > thread || (op->thread == thread && op->start > when))
			break;
		if (op->thread < thread)
			continue;
		while (s->n && s->open[s->n - 1].op.end < op->start)
			s->n--;
		GS_PUSH_ROOM(s->open, s->n, s->cap);
		s->open[s->n++] = (struct open){ *op, KN_NONE };
	}
	while (s->n && s->open[s->n - 1].op.end < when)
		s->n--;
}

static u32 owner_of(struct kn *k, struct open *o)
{
	if (o->owner == KN_NONE) {
		GS_PUSH_ROOM(k->owners, k->nowners, k->owners_cap);
		k->owners[k->nowners] = (struct kn_owner){ o->op.name, o->op.sig, KN_NONE };
		o->owner = (u32)k->nowners++;
	}
	return o->owner;
}

/*
 * The operator whose operands are meant: the innermost that has tensors and
 * does something; else the innermost that does something.
 */
static u32 nest_owner(const struct nest *s)
{
	struct open *any = NULL;

	for (size_t i = s->n; i-- > 0;) {
		struct open *o = &s->open[i];

		if (kn_name(s->k, o->op.name)->idle)
			continue;
		if (o->op.sig)
			return owner_of(s->k, o);
		any = any ? any : o;
	}
	return any ? owner_of(s->k, any) : KN_NONE;
}

static u8 nest_phase(const struct nest *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->open[i].op.phase != GS_OTHER_PHASE)
			return s->open[i].op.phase;
	return GS_FORWARD;
}

static u16 dense(const u16 *v, size_t n, u16 what)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] == what)
			return (u16)i;
	return 0; /* one of too many */
}

static bool is_earlier(const struct kn_launch *l, const struct kn_memory *m)
{
	return l->thread != m->thread ? l->thread < m->thread : l->when < m->when;
}

/* In one go through the operators, so that both find the same owners. */
static int join_operators(struct kn *k)
{
	struct tr_spill *launches =
		tr_spill_new(sizeof(struct kn_launch), launches_by_id, KN_MEMORY);
	struct tr_spill *memory = tr_spill_new(sizeof(struct kn_memory), memory_by_time, KN_MEMORY);
	const struct kn_launch *l = tr_spill_next(k->launches);
	const struct kn_memory *m = tr_spill_next(k->memory);
	struct nest s = { .k = k, .next = tr_spill_next(k->ops) };

	while (l || m) {
		if (l && (!m || is_earlier(l, m))) {
			struct kn_launch to = *l;

			nest_to(&s, l->thread, l->when);
			to.owner = nest_owner(&s);
			to.phase = nest_phase(&s);
			tr_spill_put(launches, &to);
			l = tr_spill_next(k->launches);
		} else {
			struct kn_memory to = *m;

			nest_to(&s, m->thread, m->when);
			to.owner = nest_owner(&s);
			to.device = dense(k->devices, k->ndevices, m->device);
			tr_spill_put(memory, &to);
			m = tr_spill_next(k->memory);
		}
	}
	free(s.open);
	return replace(&k->ops, NULL) | replace(&k->launches, launches) |
	       replace(&k->memory, memory);
}

/* ---- kernels, to launches -------------------------------------------------- */

/* Several kernels may have one launch; of launches with one id the first counts. */
static int join_work(struct kn *k)
{
	struct tr_spill *work = tr_spill_new(sizeof(struct kn_work), work_by_launch, KN_MEMORY);
	const struct kn_launch *l = tr_spill_next(k->launches);
	const struct kn_work *w;

	while ((w = tr_spill_next(k->work))) {
		struct kn_work to = *w;

		while (l && l->id < w->id)
			l = tr_spill_next(k->launches);
		to.device = dense(k->devices, k->ndevices, w->device);
		to.stream = dense(k->streams, k->nstreams, w->stream);
		if (l && l->id == w->id) {
			to.when = l->when;
			to.owner = l->owner;
			to.phase = l->phase;
		}
		tr_spill_put(work, &to);
	}
	return replace(&k->launches, NULL) | replace(&k->work, work);
}

static int steps_by_time(const void *x, const void *y)
{
	const struct kn_step *a = x, *b = y;

	return a->when < b->when ? -1 : a->when > b->when;
}

int kn_join(struct kn *k)
{
	int ret;

	if (k->nsteps)
		qsort(k->steps, k->nsteps, sizeof(*k->steps), steps_by_time);
	tr_spill_rewind(k->ops);
	tr_spill_rewind(k->launches);
	tr_spill_rewind(k->memory);
	tr_spill_rewind(k->work);
	ret = join_operators(k);
	return ret ? ret : join_work(k);
}
