/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_a100_kernel.c - one kernel alone on the device, its faults served by mm_uvm
 *
 * The CPU writes, the device writes, then the kernel asks for its pages in the
 * order of the table, never for more at once than its thread blocks hold.  A
 * kernel goes through its operands in the same way all along: what the last
 * half of a part of it took, the rest takes in proportion.
 */
#include "models/mm_uvm.h"
#include "sim/main_a100.h"

#include <math.h>
#include <stdlib.h>

enum { MIB = 1 << 20, CHUNK = 64 << 10, LIMIT = 16 * MIB };
#define VA (1ULL << 40)

struct ask {
	u64 va, bytes;
};

struct player {
	struct mm_wait wait;
	struct gs_sim *sim;
	struct mm *mm;
	struct ask *asks;
	size_t n, cap, at;
	u32 window, outstanding;
	bool asking;
	gs_time end;
};

/* ---- asking ---- */

static void pump(struct player *p)
{
	if (p->asking)
		return;
	p->asking = true;
	while (p->at < p->n && p->outstanding < p->window) {
		struct ask *a = &p->asks[p->at];
		struct mm_touch t = { .access = GS_READ | GS_WRITE,
				      .va = a->va,
				      .bytes = a->bytes,
				      .window = p->window - p->outstanding,
				      .wait = &p->wait };

		mm_touch(p->mm, &t);
		if (t.kind == MM_MISS)
			p->outstanding += t.units;
		a->va += t.covered;
		a->bytes -= t.covered;
		p->at += !a->bytes;
	}
	p->asking = false;
}

static void resolved(struct mm_wait *w, u32 units, const gs_time end[MM_NR_PHASES])
{
	struct player *p = gs_container_of(w, struct player, wait);

	p->outstanding -= units;
	p->end = gs_now(p->sim);
	pump(p);
}

static void play(struct player *p, u32 window)
{
	p->window = window;
	p->at = 0;
	p->end = gs_now(p->sim);
	pump(p);
	gs_run(p->sim);
	gs_assert(p->at == p->n && !p->outstanding);
	p->n = 0;
}

static void ask(struct player *p, u64 va, u64 bytes)
{
	GS_PUSH_ROOM(p->asks, p->n, p->cap);
	p->asks[p->n++] = (struct ask){ va, bytes };
}

/* ---- the kernel ---- */

struct placed {
	struct a100_operand o; /* cut */
	u64 va;
	bool faults;
};

/* The runtime packs small allocations; large ones begin at blocks of their own. */
static void place(struct placed *v, const struct a100_kernel *k, enum a100_case c, u64 limit)
{
	u64 small = VA, large = VA + (1ULL << 32), most = 1;

	for (u32 i = 0; i < k->noperands; i++)
		if (c == A100_ALL || k->operand[i].role != A100_IN)
			most = gs_max(most, k->operand[i].touched);
	for (u32 i = 0; i < k->noperands; i++) {
		struct a100_operand o = k->operand[i];
		bool packed = o.bytes < MIB;

		if (most > limit && o.touched > CHUNK)
			o.touched = gs_max(gs_muldiv(o.touched, limit, most) & ~4095ULL, CHUNK);
		v[i] = (struct placed){ o, packed ? small : large, false };
		v[i].faults = c == A100_ALL || o.role != A100_IN;
		if (packed)
			small += (o.bytes + 4095) & ~4095ULL;
		else
			large += ((o.touched | (2 * MIB - 1)) + 1);
	}
}

static u64 chunks(const struct placed *v)
{
	return (v->o.touched + CHUNK - 1) / CHUNK;
}

/* Operands go by side by side, each at its own speed, so that all end together. */
static u32 list_kernel(struct player *p, const struct a100_kernel *k, const struct placed *v)
{
	u64 grain = k->op->order == A100_WIDE ? 4096 : CHUNK, steps = 0;
	u32 faulting = 0;

	for (u32 i = 0; i < k->noperands; i++)
		if (v[i].faults)
			steps = gs_max(steps, chunks(&v[i]));
	for (u64 s = 0; s < steps; s++)
		for (u32 i = 0; i < k->noperands; i++) {
			u64 from = s * chunks(&v[i]) / steps, to = (s + 1) * chunks(&v[i]) / steps;

			if (v[i].faults && from < to)
				ask(p, v[i].va + from * CHUNK,
				    gs_min(v[i].o.touched - from * CHUNK, grain));
		}
	for (u32 i = 0; i < k->noperands; i++) {
		faulting += v[i].faults;
		if (v[i].faults && grain < CHUNK) /* what was left out is there by now, or comes */
			ask(p, v[i].va, v[i].o.touched);
	}
	return faulting * k->op->window;
}

static void cpu_done(struct mm_done *d, int err)
{
	gs_assert(!err);
}

/* What came before the kernel: writes of the CPU, then of the device. */
static void prepare(struct player *p, const struct a100_kernel *k, const struct placed *v,
		    enum a100_case c)
{
	struct mm_done done = { cpu_done };

	for (u32 i = 0; i < k->noperands; i++) {
		mm_add(p->mm, v[i].va, gs_min(v[i].o.bytes, gs_max(v[i].o.touched, 2 * MIB)));
		if (v[i].o.role == A100_OUT)
			continue;
		mm_cpu_touch(p->mm, v[i].va, gs_min(v[i].o.bytes, gs_max(v[i].o.touched, 2 * MIB)),
			     GS_WRITE, &done);
		gs_run(p->sim);
	}
	/* of what is resident, as much as others can feel: its first block */
	for (u32 i = 0; c == A100_FIRST && i < k->noperands; i++)
		if (v[i].o.role == A100_IN)
			ask(p, v[i].va, gs_min(v[i].o.bytes, 2 * MIB));
	play(p, 256);
}

gs_time a100_simulate(struct setup *s, const struct a100_kernel *k, enum a100_case c, u64 limit)
{
	static const struct gs_job job = { .name = "kernel", .ndevices = 1 };
	struct player p = { .wait = { .resolved = resolved }, .sim = gs_sim_new(1) };
	struct placed v[A100_MAX_OPERANDS];
	gs_time begin;

	if (hw_machine_init(&s->machine, s->cfg))
		gs_assert(!"a machine that was accepted is accepted again");
	p.mm = mm_create(s->ops, p.sim, &s->machine, &job, &s->manager, s->ops_params);
	gs_assert(p.mm);
	place(v, k, c, limit);
	prepare(&p, k, v, c);
	begin = gs_now(p.sim);
	p.end = begin;
	play(&p, gs_max(list_kernel(&p, k, v), 1));
	free(p.asks);
	mm_free(p.mm);
	hw_machine_fini(&s->machine);
	gs_sim_free(p.sim);
	return p.end - begin;
}

/* Without the slow start. */
static double steady_ms(struct setup *s, const struct a100_kernel *k, enum a100_case c, u64 limit)
{
	struct mm_uvm_params *p = (struct mm_uvm_params *)s->ops_params;
	u32 cold = p->cold_pct;
	double ms;

	p->cold_pct = 0;
	ms = (double)a100_simulate(s, k, c, limit) / GS_MS;
	p->cold_pct = cold;
	return ms;
}

/*
 * With r the steady time, what the start at a low clock adds to a kernel of time
 * T is L * T / (warm_up + T), from the integral of mm_uvm's slope: the part that
 * was simulated tells L, and T = r + L * T / (warm_up + T) the whole.
 */
static double with_slow_start(double r, double part, double steady_part, double warm_up)
{
	double l = (part - steady_part) * (warm_up + part) / part;
	double b = (warm_up - r - l) / 2;

	return -b + sqrt(b * b + warm_up * r);
}

double a100_fault_ms(struct setup *s, const struct a100_kernel *k, enum a100_case c)
{
	const struct mm_uvm_params *p = s->ops_params;
	double whole, half, steady, t;
	u64 most = 0;

	for (u32 i = 0; i < k->noperands; i++)
		if (c == A100_ALL || k->operand[i].role != A100_IN)
			most = gs_max(most, k->operand[i].touched);
	if (!most)
		return 0;
	t = (double)a100_simulate(s, k, c, LIMIT) / GS_MS;
	if (most <= LIMIT)
		return t;
	whole = steady_ms(s, k, c, LIMIT);
	half = steady_ms(s, k, c, LIMIT / 2);
	steady = whole + (whole - half) * ((double)most - LIMIT) / (LIMIT / 2.0);
	return with_slow_start(steady, t, whole, (double)p->warm_up / GS_MS);
}

void a100_predict(struct setup *s, struct a100_data *d)
{
	double *fault = gs_calloc(d->nkernels * A100_CASES, sizeof(*fault));

	for (size_t i = 0; i < d->nkernels; i++) {
		struct a100_kernel *k = &d->kernels[i];

		for (int c = 0; c < A100_CASES; c++) {
			double *f = &fault[i * A100_CASES + (size_t)c];

			*f = k->same == i ? a100_fault_ms(s, k, c)
					  : fault[k->same * A100_CASES + (size_t)c];
			k->predicted_ms[c] = k->resident_ms + *f;
		}
	}
	free(fault);
}
