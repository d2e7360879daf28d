/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_a100_compare.c - how far predictions are off, and what simpler ones would be
 *
 * The rivals know how many bytes a kernel lists and nothing of what it does
 * with them: one rate for all, or one for each operator.
 */
#include "sim/main_a100.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- errors ---- */

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

struct a100_errors a100_errors_of(const struct a100_data *d, enum a100_case c, const double *ms,
				  bool (*pick)(const struct a100_kernel *k, const void *arg),
				  const void *arg)
{
	double *v = gs_calloc(d->nkernels + 1, sizeof(*v)), measured = 0, predicted = 0;
	struct a100_errors e = { 0 };

	for (size_t i = 0; i < d->nkernels; i++) {
		const struct a100_kernel *k = &d->kernels[i];

		if (pick && !pick(k, arg))
			continue;
		v[e.n++] = fabs(ms[i] / k->measured_ms[c] - 1);
		measured += k->measured_ms[c];
		predicted += ms[i];
	}
	qsort(v, e.n, sizeof(*v), by_size);
	e.median = v[e.n / 2];
	e.p75 = v[e.n * 3 / 4];
	e.p90 = v[e.n * 9 / 10];
	e.total = e.n ? predicted / measured - 1 : 0;
	free(v);
	return e;
}

/* ---- rivals ---- */

static double with_rate(const struct a100_kernel *k, double ms_a_byte)
{
	return k->resident_ms + (double)k->listed * ms_a_byte;
}

static bool of_op(const struct a100_kernel *k, const void *arg)
{
	return k->op == arg;
}

/* Rates of 0.1 to 1000 GB/s, 1 % apart: the one with the smallest median error. */
static double best_rate(const struct a100_data *fit, enum a100_case c)
{
	double *ms = gs_calloc(fit->nkernels + 1, sizeof(*ms)), best = 0, least = INFINITY;

	for (double bps = 1e8; bps < 1e12; bps *= 1.01) {
		double median;

		for (size_t i = 0; i < fit->nkernels; i++)
			ms[i] = with_rate(&fit->kernels[i], 1e3 / bps);
		median = a100_errors_of(fit, c, ms, NULL, NULL).median;
		if (median < least) {
			least = median;
			best = bps;
		}
	}
	free(ms);
	return best;
}

struct constants {
	size_t n;
	double median, total; /* ms a byte, beyond the resident time */
};

/* Of the kernels of @op. */
static struct constants constants_of(const struct a100_data *fit, enum a100_case c,
				     const struct a100_op *op)
{
	double *v = gs_calloc(fit->nkernels + 1, sizeof(*v)), ms = 0, bytes = 0;
	struct constants k = { 0 };

	for (size_t i = 0; i < fit->nkernels; i++) {
		const struct a100_kernel *o = &fit->kernels[i];

		if (!of_op(o, op) || !o->listed)
			continue;
		v[k.n++] = (o->measured_ms[c] - o->resident_ms) / (double)o->listed;
		ms += o->measured_ms[c] - o->resident_ms;
		bytes += (double)o->listed;
	}
	qsort(v, k.n, sizeof(*v), by_size);
	if (k.n) {
		k.median = v[k.n / 2];
		k.total = ms / bytes;
	}
	free(v);
	return k;
}

void a100_rivals(struct a100_rivals *r, const struct a100_data *d, const struct a100_data *fit,
		 enum a100_case c, double link_bps)
{
	*r = (struct a100_rivals){ .link_bps = link_bps, .rate_bps = best_rate(fit, c) };
	for (int i = 0; i < A100_RIVALS; i++)
		r->ms[i] = gs_calloc(d->nkernels + 1, sizeof(double));
	for (size_t i = 0; i < d->nkernels; i++) {
		r->ms[RIVAL_LINK][i] = with_rate(&d->kernels[i], 1e3 / link_bps);
		r->ms[RIVAL_RATE][i] = with_rate(&d->kernels[i], 1e3 / r->rate_bps);
		/* for operators that the fit has not seen */
		r->ms[RIVAL_MEDIAN][i] = r->ms[RIVAL_TOTAL][i] = r->ms[RIVAL_RATE][i];
	}
	for (const struct a100_op *op = a100_ops; op->name; op++) {
		struct constants k = constants_of(fit, c, op);

		r->noperators += k.n > 0;
		for (size_t i = 0; k.n && i < d->nkernels; i++) {
			if (!of_op(&d->kernels[i], op))
				continue;
			r->ms[RIVAL_MEDIAN][i] = with_rate(&d->kernels[i], k.median);
			r->ms[RIVAL_TOTAL][i] = with_rate(&d->kernels[i], k.total);
		}
	}
}

void a100_rivals_fini(struct a100_rivals *r)
{
	for (int i = 0; i < A100_RIVALS; i++)
		free(r->ms[i]);
}

/* ---- straight lines ---- */

/* "Network-256": where the number begins, and the number. */
static size_t family(const char *name, double *batch)
{
	const char *dash = strrchr(name, '-');

	*batch = dash ? atof(dash + 1) : 0;
	return dash ? (size_t)(dash - name) : strlen(name);
}

static bool same_family(const struct a100_net *a, const struct a100_net *b)
{
	double x;
	size_t n = family(a->name, &x);

	return a->n == b->n && family(b->name, &x) == n && !strncmp(a->name, b->name, n);
}

/* Do nearly all kernels of @b lie on the line through those of @a and @c? */
static bool on_line(const struct a100_data *d, const struct a100_net *a, const struct a100_net *b,
		    const struct a100_net *c)
{
	double xa, xb, xc;
	size_t on = 0;

	family(a->name, &xa);
	family(b->name, &xb);
	family(c->name, &xc);
	for (size_t i = 0; i < b->n; i++) {
		double ya = d->kernels[a->first + i].measured_ms[A100_ALL];
		double yc = d->kernels[c->first + i].measured_ms[A100_ALL];
		double y = ya + (yc - ya) * (xb - xa) / (xc - xa);

		on += fabs(d->kernels[b->first + i].measured_ms[A100_ALL] - y) < 1e-3 * fabs(y);
	}
	return on * 10 > b->n * 9;
}

bool a100_interpolated(const struct a100_data *d, size_t net, size_t *one, size_t *other)
{
	const struct a100_net *b = &d->nets[net];

	for (size_t i = 0; i < d->nnets; i++)
		for (size_t j = i + 1; j < d->nnets; j++) {
			if (i == net || j == net || !same_family(b, &d->nets[i]) ||
			    !same_family(b, &d->nets[j]) ||
			    !on_line(d, &d->nets[i], b, &d->nets[j]))
				continue;
			*one = i;
			*other = j;
			return true;
		}
	return false;
}
