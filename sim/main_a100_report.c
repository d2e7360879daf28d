/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_a100_report.c - `gmemsim validate a100`: predicted against measured kernels
 */
#include "sim/main_a100.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WORST = 10 };

struct errors {
	double *v;
	size_t n;
	double measured, predicted;
};

static double error_of(const struct a100_kernel *k, enum a100_case c)
{
	return fabs(k->predicted_ms[c] / k->measured_ms[c] - 1);
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Of the kernels of @net (all: NULL) and @class (all: NULL). */
static void print_row(const struct a100_data *d, const char *name, const struct a100_net *net,
		      const char *class, enum a100_case c)
{
	struct errors e = { gs_calloc(d->nkernels, sizeof(double)), 0, 0, 0 };

	for (size_t i = 0; i < d->nkernels; i++) {
		const struct a100_kernel *k = &d->kernels[i];

		if ((net && net != &d->nets[k->net]) || (class && strcmp(class, k->op->class)))
			continue;
		e.v[e.n++] = error_of(k, c);
		e.measured += k->measured_ms[c];
		e.predicted += k->predicted_ms[c];
	}
	qsort(e.v, e.n, sizeof(double), by_size);
	if (e.n)
		printf("  %-18s %6zu %8.1f %% %8.1f %% %8.1f %% %+8.1f %%\n", name, e.n,
		       100 * e.v[e.n / 2], 100 * e.v[e.n * 3 / 4], 100 * e.v[e.n * 9 / 10],
		       100 * (e.predicted / e.measured - 1));
	free(e.v);
}

static bool first_of_class(const struct a100_op *op)
{
	for (const struct a100_op *o = a100_ops; o != op; o++)
		if (!strcmp(o->class, op->class))
			return false;
	return true;
}

static void print_table(const struct a100_data *d, enum a100_case c)
{
	static const char *const title[] = { "outputs touched first, inputs resident",
					     "nothing resident" };

	printf("%s\n  %-18s %6s %10s %10s %10s %10s\n", title[c], "", "n", "median", "75th", "90th",
	       "total");
	for (size_t i = 0; i < d->nnets; i++)
		print_row(d, d->nets[i].name, &d->nets[i], NULL, c);
	for (const struct a100_op *op = a100_ops; op->name; op++)
		if (first_of_class(op))
			print_row(d, op->class, NULL, op->class, c);
	print_row(d, "all", NULL, NULL, c);
	printf("\n");
}

/* ---- the worst ---- */

static const struct a100_data *sorted; /* qsort has no argument to hand down */

static int by_error(const void *a, const void *b)
{
	double x = error_of(&sorted->kernels[*(const u32 *)a], A100_ALL);
	double y = error_of(&sorted->kernels[*(const u32 *)b], A100_ALL);

	return x > y ? -1 : x < y;
}

/* Fastest and slowest among kernels of one network that touch the same. */
static void spread(const struct a100_data *d, const struct a100_kernel *k, double *least,
		   double *most)
{
	*least = *most = k->measured_ms[A100_ALL];
	for (size_t i = 0; i < d->nkernels; i++) {
		const struct a100_kernel *o = &d->kernels[i];

		if (o->net != k->net || o->op != k->op || o->same != k->same)
			continue;
		*least = fmin(*least, o->measured_ms[A100_ALL]);
		*most = fmax(*most, o->measured_ms[A100_ALL]);
	}
}

static void explain(const struct a100_data *d, const struct a100_kernel *k)
{
	double least, most, p = k->predicted_ms[A100_ALL];

	spread(d, k, &least, &most);
	if (k->measured_ms[A100_ALL] < k->resident_ms)
		printf("measured faster than resident: the first use of a library, timed anew\n");
	else if (most > 1.5 * least && p >= 0.8 * least && p <= 1.25 * most)
		printf("equal kernels were measured from %.2f to %.2f ms\n", least, most);
	else if (!k->noperands)
		printf("touches nothing here: %s\n", k->op->why);
	else
		printf("pattern: %s\n", k->op->why);
}

static void print_worst(const struct a100_data *d)
{
	u32 *order = gs_calloc(d->nkernels, sizeof(*order));

	for (size_t i = 0; i < d->nkernels; i++)
		order[i] = (u32)i;
	sorted = d;
	qsort(order, d->nkernels, sizeof(*order), by_error);
	printf("worst %d, nothing resident\n", WORST);
	for (size_t i = 0; i < gs_min(WORST, d->nkernels); i++) {
		const struct a100_kernel *k = &d->kernels[order[i]];

		printf("  %-16s %4u %-24s resident %9.3f  measured %9.3f  predicted %9.3f ms\n    ",
		       d->nets[k->net].name, k->index, k->op->name, k->resident_ms,
		       k->measured_ms[A100_ALL], k->predicted_ms[A100_ALL]);
		explain(d, k);
	}
	free(order);
}

int validate_a100(const char *config, bool fitted)
{
	struct setup s;
	struct a100_data d = { 0 };
	int err = a100_load(&s, &d, config, fitted ? "calibrate" : "validate");

	if (!err) {
		a100_predict(&s, &d);
		for (int c = A100_CASES; c-- > 0;)
			print_table(&d, c);
		print_worst(&d);
	}
	a100_fini(&d);
	setup_fini(&s);
	return err ? GS_EXIT_USER : GS_EXIT_OK;
}
