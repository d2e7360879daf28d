/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * replay_book.c - who stalled where: the rows of the result
 *
 * Kernels are summed by name, class and phase of training; stall goes to the
 * kernel, to the tensor that it stopped at and to the phases of the fault that
 * let it go on.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/replay_impl.h"

#define FIRST_HASH 256

void book_init(struct replay *r)
{
	r->row_hash_size = FIRST_HASH;
	r->row_hash = gs_calloc(r->row_hash_size, sizeof(*r->row_hash));
	r->sample_step = GS_MS;
}

void book_fini(struct replay *r)
{
	free(r->row_hash);
	free(r->iter_own);
}

static u32 row_slot(const struct replay *r, const struct gs_kernel_result *key)
{
	u64 h = gs_hash(key->name, strlen(key->name), key->opclass * 16ULL + key->phase);

	for (;; h++) {
		u32 i = r->row_hash[h & (r->row_hash_size - 1)];
		const struct gs_kernel_result *k = i ? &r->res->kernels[i - 1] : NULL;

		if (!k || (k->opclass == key->opclass && k->phase == key->phase &&
			   !strcmp(k->name, key->name)))
			return h & (r->row_hash_size - 1);
	}
}

static void grow_rows(struct replay *r)
{
	free(r->row_hash);
	r->row_hash_size *= 2;
	r->row_hash = gs_calloc(r->row_hash_size, sizeof(*r->row_hash));
	for (size_t i = 0; i < r->res->nkernels; i++)
		r->row_hash[row_slot(r, &r->res->kernels[i])] = (u32)i + 1;
}

u32 book_row(struct replay *r, const char *name, u8 opclass, u8 phase)
{
	struct gs_kernel_result key = { .name = name, .opclass = opclass, .phase = phase };
	struct gs_result *res = r->res;
	u32 slot = row_slot(r, &key);

	if (r->row_hash[slot])
		return r->row_hash[slot] - 1;
	key.name = gs_strdup(name);
	GS_PUSH_ROOM(res->kernels, res->nkernels, r->cap_rows);
	res->kernels[res->nkernels++] = key;
	r->row_hash[slot] = (u32)res->nkernels;
	if (2 * res->nkernels > r->row_hash_size)
		grow_rows(r);
	return (u32)res->nkernels - 1;
}

/* The open iteration, NULL before the first. */
static struct gs_iter_result *open_iteration(struct replay *r)
{
	return r->iteration < r->res->niterations ? &r->res->iterations[r->iteration] : NULL;
}

/* A row of series.csv when its time has come; half of them go when too many. */
static void sample(struct replay *r)
{
	struct gs_result *res = r->res;
	gs_time now = gs_now(r->sim);
	const struct mm_stats *m = &r->mm->stats;
	struct gs_sample s;

	if (!r->mm || now < r->next_sample)
		return;
	s = (struct gs_sample){
		.t = now,
		.hbm_bytes = m->hbm_bytes,
		.h2d_bytes = m->h2d_demand_bytes + m->h2d_prefetch_bytes,
		.d2h_bytes = m->d2h_evict_bytes + m->d2h_cpu_bytes,
		.faults = m->faults,
		.misses = m->misses,
		.stall_ps = r->stall_total,
	};
	if (r->a->links)
		r->a->links(r->a->arg, &s);
	GS_PUSH_ROOM(res->samples, res->nsamples, r->cap_samples);
	res->samples[res->nsamples++] = s;
	if (res->nsamples > 2ULL * r->a->cfg->series_points) {
		for (size_t i = 0; 2 * i < res->nsamples; i++)
			res->samples[i] = res->samples[2 * i];
		res->nsamples = (res->nsamples + 1) / 2;
		r->sample_step *= 2;
	}
	r->next_sample = now + r->sample_step;
}

void book_kernel(struct replay *r, const struct item *it)
{
	struct gs_kernel_result *k = &r->res->kernels[it->row];
	struct gs_iter_result *i = open_iteration(r);

	k->calls++;
	k->kernel_ps += it->duration;
	if (i)
		i->kernel_ps += it->duration;
	if (r->mm)
		sample(r);
}

void book_pages(struct replay *r, struct stream *s, const struct item *it)
{
	book_kernel(r, it);
	r->res->kernels[it->row].calls += it->npages - 1;
	s->page_work += it->duration;
}

void book_misses(struct replay *r, const struct item *it, u32 tensor, u64 units)
{
	r->res->kernels[it->row].faults += units;
	if (tensor < r->job->ntensors)
		r->tensors[tensor].misses += units;
}

/* Split [from, to) at the ends of the fault's phases. */
static void split(gs_time from, gs_time to, const gs_time end[MM_NR_PHASES],
		  gs_time by[MM_NR_PHASES])
{
	for (u32 p = 0; p < MM_FINISH; p++) {
		gs_time cut = gs_min(gs_max(end[p], from), to);

		by[p] = cut - from;
		from = cut;
	}
	by[MM_FINISH] = to - from;
}

void book_stall(struct replay *r, const struct item *it, u32 tensor, gs_time from, gs_time to,
		const gs_time end[MM_NR_PHASES])
{
	struct gs_kernel_result *k = &r->res->kernels[it->row];
	struct gs_iter_result *i = open_iteration(r);
	gs_time length = to - from, by[MM_NR_PHASES];

	split(from, to, end, by);
	r->stall_total += length;
	k->stall_ps += length;
	for (u32 p = 0; p < MM_NR_PHASES; p++)
		k->stall_by[p] += by[p];
	if (tensor < r->job->ntensors)
		r->tensors[tensor].stall_ps += length;
	if (!i)
		return;
	i->stall_ps += length;
	for (u32 p = 0; p < MM_NR_PHASES; p++)
		i->stall_by[p] += by[p];
}

/* All u64 counters of @a less those of @b; gauges stay as they are in @a. */
static struct mm_stats difference(struct mm_stats a, const struct mm_stats *b)
{
	for (const struct gm_stat *row = mm_stat_rows; row->name; row++)
		if (row->kind == GM_STAT_COUNT)
			*(u64 *)((char *)&a + row->offset) -=
				*(const u64 *)((const char *)b + row->offset);
	return a;
}

/* Bytes of the struct that @rows describe: u64s all of it. */
static size_t bytes_of(const struct gm_stat *rows)
{
	size_t n = 0;

	for (; rows->name; rows++)
		n = gs_max(n, rows->offset + sizeof(u64));
	return n;
}

/* What the manager counted in its own rows in iteration @i, if any is open. */
static void book_own(struct replay *r, struct gs_iter_result *i)
{
	const struct mm_ops *ops = r->mm->ops;
	const char *now = (const char *)r->mm + ops->stats_offset;
	size_t n;

	if (!ops->stats_by_iteration)
		return;
	n = bytes_of(ops->stats);
	r->res->own_rows = ops->stats;
	if (i) {
		i->own = gs_calloc(1, n);
		memcpy(i->own, now, n);
		for (const struct gm_stat *row = ops->stats; row->name; row++)
			if (row->kind == GM_STAT_COUNT)
				*(u64 *)((char *)i->own + row->offset) -=
					*(const u64 *)((const char *)r->iter_own + row->offset);
	}
	free(r->iter_own);
	r->iter_own = gs_calloc(1, n);
	memcpy(r->iter_own, now, n);
}

void book_iteration(struct replay *r, u32 begins)
{
	struct gs_iter_result *i = open_iteration(r);
	gs_time now = gs_now(r->sim);

	if (i) {
		i->start_ps = r->iter_start;
		i->time_ps = now - r->iter_start;
		if (r->mm)
			i->mm = difference(r->mm->stats, &r->iter_mm);
	}
	for (u32 s = 0; s < r->nstreams; s++) {
		if (i && r->page_ideal)
			r->page_ideal[r->iteration] =
				gs_max(r->page_ideal[r->iteration], r->streams[s].page_work);
		r->streams[s].page_work = 0;
	}
	r->iteration = begins;
	r->iter_start = now;
	if (r->mm) {
		book_own(r, i);
		r->iter_mm = r->mm->stats;
	}
}

void book_uses(struct replay *r, const struct item *it, const struct operand *o)
{
	u64 first = o->va / r->unit, last = (o->va + o->bytes - 1) / r->unit;

	for (u64 u = first; u <= last; u++)
		gs_future_use(r->future, it->device, u * r->unit);
}

void book_finish(struct replay *r)
{
	struct gs_result *res = r->res;

	res->tensors = gs_calloc(r->job->ntensors + 1, sizeof(*res->tensors));
	res->ntensors = r->job->ntensors;
	for (u32 t = 0; t < r->job->ntensors; t++)
		res->tensors[t] = (struct gs_tensor_result){
			.name = r->tensors[t].name ? r->tensors[t].name : gs_strdup(""),
			.kind = r->tensors[t].kind,
			.bytes = r->tensors[t].bytes,
			.touches = r->tensors[t].touches,
			.misses = r->tensors[t].misses,
			.stall_ps = r->tensors[t].stall_ps,
			.va = r->tensors[t].va,
			.born_ps = r->tensors[t].born,
			.died_ps = r->tensors[t].alive ? gs_now(r->sim) : r->tensors[t].died,
		};
	for (u32 t = 0; t < r->job->ntensors; t++)
		r->tensors[t].name = NULL; /* the result owns it now */
}

void gs_result_free(struct gs_result *res)
{
	for (size_t i = 0; i < res->nkernels; i++)
		free((char *)res->kernels[i].name);
	for (size_t i = 0; i < res->ntensors; i++)
		free((char *)res->tensors[i].name);
	for (u32 i = 0; i < res->niterations && res->iterations; i++)
		free(res->iterations[i].own);
	free(res->kernels);
	free(res->tensors);
	free(res->iterations);
	free(res->samples);
	memset(res, 0, sizeof(*res));
}
