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

/* qsort() that takes an empty table without an address. */
static void sort(void *v, size_t n, size_t size, int (*compare)(const void *, const void *))
{
	if (n)
		qsort(v, n, size, compare);
}

/* The operators that are open at a moment of a thread, outermost first. */
struct nest {
	const struct kn *k;
	u32 *open;
	size_t n, cap, next; /* next: operator that begins next */
};

/* Go to @when on @thread; times and threads only grow. */
static void nest_to(struct nest *s, u16 thread, u64 when)
{
	const struct kn *k = s->k;

	while (s->n && (k->ops[s->open[s->n - 1]].thread != thread))
		s->n--;
	for (; s->next < k->nops; s->next++) {
		const struct kn_op *op = &k->ops[s->next];

		if (op->thread > thread || (op->thread == thread && op->start > when))
			break;
		if (op->thread < thread)
			continue;
		while (s->n && k->ops[s->open[s->n - 1]].end < op->start)
			s->n--;
		GS_PUSH_ROOM(s->open, s->n, s->cap);
		s->open[s->n++] = (u32)s->next;
	}
	while (s->n && k->ops[s->open[s->n - 1]].end < when)
		s->n--;
}

/*
 * The operator whose operands are meant: the innermost that has tensors and
 * does something; else the innermost that does something.
 */
static u32 nest_carrier(const struct nest *s)
{
	u32 any = KN_NONE;

	for (size_t i = s->n; i-- > 0;) {
		const struct kn_op *op = &s->k->ops[s->open[i]];

		if (tr_aten_idle(tb_text(s->k->b, op->name)))
			continue;
		if (op->sig)
			return s->open[i];
		any = any == KN_NONE ? s->open[i] : any;
	}
	return any;
}

static u8 nest_phase(const struct nest *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->k->ops[s->open[i]].phase != GS_OTHER_PHASE)
			return s->k->ops[s->open[i]].phase;
	return GS_FORWARD;
}

static void join_launches(struct kn *k)
{
	struct nest s = { .k = k };

	sort(k->launches, k->nlaunches, sizeof(*k->launches), launches_by_thread);
	for (size_t i = 0; i < k->nlaunches; i++) {
		struct kn_launch *l = &k->launches[i];

		nest_to(&s, l->thread, l->when);
		l->op = nest_carrier(&s);
		l->phase = nest_phase(&s);
	}
	free(s.open);
	sort(k->launches, k->nlaunches, sizeof(*k->launches), launches_by_id);
}

static void join_memory(struct kn *k)
{
	struct nest s = { .k = k };

	sort(k->memory, k->nmemory, sizeof(*k->memory), memory_by_thread);
	for (size_t i = 0; i < k->nmemory; i++) {
		nest_to(&s, k->memory[i].thread, k->memory[i].when);
		k->memory[i].op = nest_carrier(&s);
	}
	free(s.open);
	sort(k->memory, k->nmemory, sizeof(*k->memory), memory_by_time);
}

static const struct kn_launch *find_launch(const struct kn *k, u64 id)
{
	size_t low = 0, high = k->nlaunches;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (k->launches[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return id && low < k->nlaunches && k->launches[low].id == id ? &k->launches[low] : NULL;
}

static u16 dense(const u16 *v, size_t n, u16 what)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] == what)
			return (u16)i;
	return 0; /* one of too many */
}

static int steps_by_time(const void *x, const void *y)
{
	const struct kn_step *a = x, *b = y;

	return a->when < b->when ? -1 : a->when > b->when;
}

void kn_join(struct kn *k)
{
	sort(k->ops, k->nops, sizeof(*k->ops), by_thread_and_start);
	sort(k->steps, k->nsteps, sizeof(*k->steps), steps_by_time);
	join_launches(k);
	join_memory(k);
	for (size_t i = 0; i < k->nwork; i++) {
		struct kn_work *w = &k->work[i];
		const struct kn_launch *l = find_launch(k, w->id);

		w->device = dense(k->devices, k->ndevices, w->device);
		w->stream = dense(k->streams, k->nstreams, w->stream);
		if (!l)
			continue;
		w->when = l->when;
		w->op = l->op;
		w->phase = l->phase;
	}
	free(k->launches); /* have passed on all that they know */
	k->launches = NULL;
	k->nlaunches = 0;
	for (size_t i = 0; i < k->nmemory; i++)
		k->memory[i].device = dense(k->devices, k->ndevices, k->memory[i].device);
	sort(k->work, k->nwork, sizeof(*k->work), work_by_launch);
}
