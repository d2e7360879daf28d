/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_g10_net.c - the job in advance: lives and inactive intervals of tensors
 *
 * One iteration repeats for ever.  A tensor that outlives it is global and
 * always alive; any other lives from its first use to its last reader:
 *
 *	kernel   0   1   2   3   4   5   6   7
 *	local    .   W   .   .   R   R   .   .     born 1, dead at 6, interval [2, 4)
 *	global   .   R   .   .   .   R   .   .     [2, 5) and, looped, [6, 1)
 */
#include <stdlib.h>
#include <string.h>

#include "models/mm_g10.h"

/* ---- kernels and operands ---------------------------------------------------- */

static bool among(const u32 *ids, u32 n, u32 id)
{
	while (n--)
		if (ids[n] == id)
			return true;
	return false;
}

/*
 * Measured times travel as ps, and the artifact cut them to whole cycles from a
 * product of doubles: do the same, from ms.
 */
static u64 cut_cycles(gs_time ps, u64 hz)
{
	return (u64)((double)ps / (double)GS_MS * (double)hz / 1000.0);
}

/* Durations are differences of cut running sums: less than 1 ps off. */
static u64 near_cycles(gs_time ps, u64 hz)
{
	return gs_muldiv(ps, hz, GS_S) + (gs_muldiv(2 * ps, hz, GS_S) & 1);
}

/* Operands of one sort, each once: inputs, or outputs that are no inputs. */
static u32 collect(struct g10_net *n, u64 at, const struct mm_kernel *k, bool inputs)
{
	u32 count = 0;

	for (u32 i = 0; i < k->noperands; i++) {
		const struct mm_operand *o = &k->operands[i];

		if (!!(o->access & GS_READ) == inputs && n->tensors[o->tensor].bytes &&
		    !among(n->uses + at, count, o->tensor))
			n->uses[at + count++] = o->tensor;
	}
	return count;
}

static void fill_kernel(struct g10_net *n, u32 i, const struct mm_kernel *from, u64 hz)
{
	struct g10_kernel *k = &n->kernels[i];
	const struct g10_kernel *before = i ? k - 1 : NULL;
	u32 nout;

	k->first = before ? before->first + before->nin + before->nout : 0;
	k->nin = collect(n, k->first, from, true);
	/* an operand may be listed twice, read once and written once */
	nout = collect(n, k->first + k->nin, from, false);
	for (u32 o = 0; o < nout; o++) {
		u32 t = n->uses[k->first + k->nin + o];

		if (!among(n->uses + k->first, k->nin, t))
			n->uses[k->first + k->nin + k->nout++] = t;
	}
	k->phase = from->phase;
	k->cycles = near_cycles(from->duration, hz);
	k->fault_out = gs_max(cut_cycles(from->fault_out, hz), k->cycles);
	k->fault_all = gs_max(cut_cycles(from->fault_all, hz), k->fault_out);
}

static void fill_kernels(struct g10_net *n, const struct mm_plan *plan, u64 hz)
{
	u64 operands = 0;

	for (u32 i = 0; i < plan->nkernels; i++)
		operands += plan->kernels[i].noperands;
	n->nkernels = plan->nkernels;
	n->kernels = gs_calloc(gs_max(n->nkernels, 1), sizeof(*n->kernels));
	n->uses = gs_calloc(gs_max(operands, 1), sizeof(*n->uses));
	n->border = (int)n->nkernels;
	for (u32 i = 0; i < n->nkernels; i++) {
		fill_kernel(n, i, &plan->kernels[i], hz);
		if (n->border == (int)n->nkernels && plan->kernels[i].phase == GS_BACKWARD)
			n->border = (int)i - 1;
	}
}

/* ---- tensors ---------------------------------------------------------------------- */

static void fill_tensors(struct g10_net *n, const struct mm_plan *plan)
{
	n->ntensors = plan->ntensors;
	n->tensors = gs_calloc(gs_max(n->ntensors, 1), sizeof(*n->tensors));
	for (u32 t = 0; t < n->ntensors; t++) {
		struct g10_tensor *x = &n->tensors[t];

		x->bytes = round_up(plan->tensors[t].bytes, G10_PAGE);
		x->global = plan->tensors[t].lasting;
		x->birth = x->death = -1;
		n->total_bytes += x->bytes;
		n->global_bytes += x->global ? x->bytes : 0;
	}
}

/* Which kernels use which tensor, ascending. */
static void fill_users(struct g10_net *n)
{
	u64 *at = gs_calloc((u64)n->ntensors + 1, sizeof(*at)), total = 0;

	n->first_user = gs_calloc((u64)n->ntensors + 1, sizeof(*n->first_user));
	for (u32 i = 0; i < n->nkernels; i++) {
		const struct g10_kernel *k = &n->kernels[i];

		for (u32 u = 0; u < k->nin + k->nout; u++)
			n->first_user[n->uses[k->first + u] + 1]++;
		total += k->nin + k->nout;
	}
	for (u32 t = 0; t < n->ntensors; t++)
		at[t + 1] = n->first_user[t + 1] += n->first_user[t];
	n->users = gs_calloc(gs_max(total, 1), sizeof(*n->users));
	for (u32 i = 0; i < n->nkernels; i++) {
		const struct g10_kernel *k = &n->kernels[i];

		for (u32 u = 0; u < k->nin + k->nout; u++)
			n->users[at[n->uses[k->first + u]]++] = i;
	}
	free(at);
}

/*
 * The artifact keeps a kernel's tensors in a hash set of pointers.  Its chains
 * are one list: a newcomer goes to the front, or to the front of those in its
 * bucket.  Tensors were allocated one after the other, so that two meet where
 * their numbers differ by a multiple of the buckets.
 */
static void hash(struct g10_net *n, const struct g10_kernel *k, u32 buckets)
{
	u32 *out = n->hashed + k->first, count = k->nin + k->nout;

	for (u32 i = 0; i < count; i++) {
		u32 id = n->uses[k->first + i], at = 0;

		while (at < i && out[at] % buckets != id % buckets)
			at++;
		at = at == i ? 0 : at;
		memmove(out + at + 1, out + at, (i - at) * sizeof(*out));
		out[at] = id;
	}
}

static void fill_hashed(struct g10_net *n, u64 uses, const struct g10_params *par)
{
	n->hashed = gs_calloc(gs_max(uses, 1), sizeof(*n->hashed));
	if (par->buckets)
		for (u32 i = 0; i < n->nkernels; i++)
			hash(n, &n->kernels[i], par->buckets);
	else
		memcpy(n->hashed, n->uses, uses * sizeof(*n->hashed));
}

bool g10_uses(const struct g10_net *n, u32 k, u32 t)
{
	const struct g10_kernel *x = &n->kernels[k];

	return among(n->uses + x->first, x->nin + x->nout, t);
}

static void fill_lives(struct g10_net *n)
{
	for (u32 i = 0; i < n->nkernels; i++) {
		const struct g10_kernel *k = &n->kernels[i];

		for (u32 u = 0; u < k->nin + k->nout; u++) {
			struct g10_tensor *t = &n->tensors[n->uses[k->first + u]];

			if (t->birth < 0)
				t->birth = (int)i;
			if (u < k->nin)
				t->death = (int)i + 1;
		}
	}
}

/* ---- time and intervals -------------------------------------------------------------- */

static void fill_times(struct g10_net *n, u64 hz)
{
	double per_us = (double)hz / 1e9 * 1000, us = 0;

	n->us = gs_calloc(2 * (u64)n->nkernels + 1, sizeof(*n->us));
	for (u32 i = 0; i < 2 * n->nkernels; i++) {
		us += (double)n->kernels[i % n->nkernels].cycles / per_us;
		n->us[i + 1] = us;
	}
}

static void add_interval(struct g10_net *n, u32 *cap, u32 tensor, int a, int b)
{
	bool looped = b < a;

	GS_PUSH_ROOM(n->intervals, n->nintervals, *cap);
	n->intervals[n->nintervals++] = (struct g10_interval){
		.tensor = tensor,
		.a = a,
		.b = b,
		.looped = looped,
		.us = n->us[b + (looped ? (int)n->nkernels : 0)] - n->us[a],
		.half_out = -1,
	};
}

static void find_intervals(struct g10_net *n, u32 *cap, u32 t)
{
	const struct g10_tensor *x = &n->tensors[t];
	const u32 *u = n->users + n->first_user[t];
	u64 count = n->first_user[t + 1] - n->first_user[t];
	int end = x->global ? (int)n->nkernels : x->death;

	if (!count)
		return;
	for (u64 i = 0; i + 1 < count && (int)u[i + 1] < end; i++)
		if (u[i + 1] > u[i] + 1)
			add_interval(n, cap, t, (int)u[i] + 1, (int)u[i + 1]);
	if (!x->global)
		return;
	if (u[count - 1] + 1 < n->nkernels)
		add_interval(n, cap, t, (int)u[count - 1] + 1, (int)u[0]);
	else if (u[0])
		add_interval(n, cap, t, 0, (int)u[0]);
}

void g10_net_init(struct g10_net *n, const struct mm_plan *plan, const struct g10_params *par)
{
	u64 clock_hz = par->clock_hz;
	u32 cap = 0;

	*n = (struct g10_net){ .nkernels = 0 };
	fill_tensors(n, plan);
	fill_kernels(n, plan, clock_hz);
	fill_users(n);
	fill_hashed(n, n->first_user[n->ntensors], par);
	fill_lives(n);
	fill_times(n, clock_hz);
	for (u32 t = 0; t < n->ntensors; t++)
		find_intervals(n, &cap, t);
}

void g10_net_fini(struct g10_net *n)
{
	free(n->kernels);
	free(n->tensors);
	free(n->uses);
	free(n->hashed);
	free(n->us);
	free(n->users);
	free(n->first_user);
	free(n->intervals);
}
