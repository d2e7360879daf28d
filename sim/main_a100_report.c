/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_a100_report.c - `gmemsim validate a100`: predicted against measured kernels
 *
 * Each line of a table goes to the terminal and to the CSV alike.
 */
#include "sim/main_a100.h"
#include "sim/out.h"
#include "sim/result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WORST = 10 };

static const char *const case_names[] = { "first touch", "nothing resident" };
static const char *const case_titles[] = { "outputs touched first, inputs resident",
					   "nothing resident" };

struct report {
	const struct setup *s;
	const struct a100_data *d, *fit;
	double *ms[A100_CASES]; /* predictions of d, one a kernel */
	FILE *csv;		/* NULL: none is asked for */
};

static double error_of(const struct a100_kernel *k, enum a100_case c)
{
	return fabs(k->predicted_ms[c] / k->measured_ms[c] - 1);
}

/* ---- tables ---- */

static void line(const struct report *r, enum a100_case c, const char *kind, const char *name,
		 const struct a100_errors *e)
{
	if (!e->n)
		return;
	printf("  %-36s %6zu %8.1f %% %8.1f %% %8.1f %% %+8.1f %%\n", name, e->n, 100 * e->median,
	       100 * e->p75, 100 * e->p90, 100 * e->total);
	if (!r->csv)
		return;
	fprintf(r->csv, "%s,%s,", case_names[c], kind);
	gs_csv_text(r->csv, name);
	fprintf(r->csv, ",%zu,%.1f,%.1f,%.1f,%+.1f,\n", e->n, 100 * e->median, 100 * e->p75,
		100 * e->p90, 100 * e->total);
}

static bool of_net(const struct a100_kernel *k, const void *arg)
{
	return k->net == *(const u32 *)arg;
}

static bool of_class(const struct a100_kernel *k, const void *arg)
{
	return !strcmp(k->op->class, arg);
}

static bool first_of_class(const struct a100_op *op)
{
	for (const struct a100_op *o = a100_ops; o != op; o++)
		if (!strcmp(o->class, op->class))
			return false;
	return true;
}

static void rivals(const struct report *r, enum a100_case c)
{
	struct a100_rivals v;
	char name[64];
	struct a100_errors e[A100_RIVALS];

	a100_rivals(&v, r->d, r->fit, c, (double)r->s->machine.link.h2d_bps);
	for (int i = 0; i < A100_RIVALS; i++)
		e[i] = a100_errors_of(r->d, c, v.ms[i], NULL, NULL);
	printf("  for comparison, resident time + listed bytes / rate\n");
	snprintf(name, sizeof(name), "the link's rate, %.0f GB/s", v.link_bps / 1e9);
	line(r, c, "rival", name, &e[RIVAL_LINK]);
	snprintf(name, sizeof(name), "the best single rate, %.1f GB/s", v.rate_bps / 1e9);
	line(r, c, "rival", name, &e[RIVAL_RATE]);
	snprintf(name, sizeof(name), "%zu operators' median rates", v.noperators);
	line(r, c, "rival", name, &e[RIVAL_MEDIAN]);
	snprintf(name, sizeof(name), "%zu operators' rates in total", v.noperators);
	line(r, c, "rival", name, &e[RIVAL_TOTAL]);
	a100_rivals_fini(&v);
}

static void table(const struct report *r, enum a100_case c)
{
	const struct a100_data *d = r->d;
	struct a100_errors e;

	printf("%s\n  %-36s %6s %10s %10s %10s %10s\n", case_titles[c], "", "n", "median", "75th",
	       "90th", "total");
	for (u32 i = 0; i < d->nnets; i++) {
		e = a100_errors_of(d, c, r->ms[c], of_net, &i);
		line(r, c, "network", d->nets[i].name, &e);
	}
	for (const struct a100_op *op = a100_ops; op->name; op++) {
		if (!first_of_class(op))
			continue;
		e = a100_errors_of(d, c, r->ms[c], of_class, op->class);
		line(r, c, "class", op->class, &e);
	}
	e = a100_errors_of(d, c, r->ms[c], NULL, NULL);
	line(r, c, "all", "all", &e);
	rivals(r, c);
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

/* Fastest and slowest among kernels of one network that touch the same; how many. */
static u32 spread(const struct a100_data *d, const struct a100_kernel *k, double *least,
		  double *most)
{
	u32 n = 0;

	*least = *most = k->measured_ms[A100_ALL];
	for (size_t i = 0; i < d->nkernels; i++) {
		const struct a100_kernel *o = &d->kernels[i];

		if (o->net != k->net || o->op != k->op || o->same != k->same)
			continue;
		*least = fmin(*least, o->measured_ms[A100_ALL]);
		*most = fmax(*most, o->measured_ms[A100_ALL]);
		n++;
	}
	return n;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Median of predicted / measured - 1 over the kernels of an operator; NAN: there are none. */
static double bias(const struct a100_data *d, const struct a100_op *op)
{
	double *v = gs_calloc(d->nkernels + 1, sizeof(*v)), median;
	size_t n = 0;

	for (size_t i = 0; i < d->nkernels; i++) {
		const struct a100_kernel *k = &d->kernels[i];

		if (k->op == op)
			v[n++] = k->predicted_ms[A100_ALL] / k->measured_ms[A100_ALL] - 1;
	}
	qsort(v, n, sizeof(*v), by_value);
	median = n ? v[n / 2] : NAN;
	free(v);
	return median;
}

static u64 touched(const struct a100_kernel *k)
{
	u64 sum = 0;

	for (u32 i = 0; i < k->noperands; i++)
		sum += k->operand[i].touched;
	return sum;
}

/* Why, from what is known of the kernel and of its like. */
static void explain(FILE *f, const struct report *r, const struct a100_kernel *k)
{
	double least, most, p = k->predicted_ms[A100_ALL], fitted = bias(r->fit, k->op);
	u32 n = spread(r->d, k, &least, &most);

	fprintf(f, "%u operands, %.3g MiB: ", k->noperands, (double)touched(k) / (1 << 20));
	if (k->measured_ms[A100_ALL] < k->resident_ms)
		fprintf(f, "measured faster than resident, which is the first use of a library");
	else if (n > 1 && most > 1.5 * least && p >= 0.8 * least && p <= 1.25 * most)
		fprintf(f, "noise, %u equal kernels were measured from %.2f to %.2f ms", n, least,
			most);
	else if (!k->noperands)
		fprintf(f, "touches nothing here, %s", k->op->why);
	else
		fprintf(f, "order of access, taken to be '%s'", k->op->why);
	if (!isnan(fitted))
		fprintf(f,
			"; all of this operator are %+.0f %% off at the median, fitted ones %+.0f "
			"%%",
			100 * bias(r->d, k->op), 100 * fitted);
}

static void worst_one(const struct report *r, const struct a100_kernel *k)
{
	const char *net = r->d->nets[k->net].name;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	gs_assert(f);
	explain(f, r, k);
	fclose(f);
	printf("  %-16s %4u %-24s resident %9.3f  measured %9.3f  predicted %9.3f ms\n    %s\n",
	       net, k->index, k->op->name, k->resident_ms, k->measured_ms[A100_ALL],
	       k->predicted_ms[A100_ALL], text);
	if (r->csv) {
		fprintf(r->csv, "%s,worst,%s %u %s,1,,,,%+.1f,", case_names[A100_ALL], net,
			k->index, k->op->name,
			100 * (k->predicted_ms[A100_ALL] / k->measured_ms[A100_ALL] - 1));
		gs_csv_text(r->csv, text);
		fputc('\n', r->csv);
	}
	free(text);
}

static void worst(const struct report *r)
{
	const struct a100_data *d = r->d;
	u32 *order = gs_calloc(d->nkernels, sizeof(*order));

	for (size_t i = 0; i < d->nkernels; i++)
		order[i] = (u32)i;
	sorted = d;
	qsort(order, d->nkernels, sizeof(*order), by_error);
	printf("worst %d, nothing resident\n", WORST);
	for (size_t i = 0; i < gs_min(WORST, d->nkernels); i++)
		worst_one(r, &d->kernels[order[i]]);
	free(order);
}

/* ---- the command ---- */

static void warn_of_lines(const struct a100_data *d)
{
	size_t one, other;

	for (size_t i = 0; i < d->nnets; i++)
		if (a100_interpolated(d, i, &one, &other))
			gs_warn("%s is a straight line through %s and %s: no measurement of its "
				"own",
				d->nets[i].name, d->nets[one].name, d->nets[other].name);
}

static double *predictions(const struct a100_data *d, enum a100_case c)
{
	double *ms = gs_calloc(d->nkernels + 1, sizeof(*ms));

	for (size_t i = 0; i < d->nkernels; i++)
		ms[i] = d->kernels[i].predicted_ms[c];
	return ms;
}

static void tell(struct report *r)
{
	if (r->csv)
		fprintf(r->csv, "case,kind,name,kernels,median,p75,p90,total,text\n");
	for (int c = A100_CASES; c-- > 0;) {
		r->ms[c] = predictions(r->d, c);
		table(r, c);
		free(r->ms[c]);
	}
	worst(r);
}

static int tell_and_write(struct report *r, const char *path)
{
	char *text = NULL;
	size_t size = 0;
	int err;

	if (!path) {
		tell(r);
		return 0;
	}
	r->csv = open_memstream(&text, &size);
	gs_assert(r->csv);
	tell(r);
	fclose(r->csv);
	err = gs_make_parents(path);
	if (!err)
		err = gs_write_file(path, text, size);
	free(text);
	return err;
}

int validate_a100(const char *config, bool fitted, const char *csv)
{
	struct setup s;
	struct a100_data d = { 0 }, fit = { 0 };
	struct report r = { .s = &s, .d = &d, .fit = &fit };
	int err = a100_load(&s, &d, config, fitted ? "calibrate" : "validate");

	if (!err)
		err = a100_list(&s, &fit, "calibrate");
	if (!err) {
		warn_of_lines(&d);
		a100_predict(&s, &d);
		a100_predict(&s, &fit);
		err = tell_and_write(&r, csv);
	}
	a100_fini(&d);
	a100_fini(&fit);
	setup_fini(&s);
	return err ? GS_EXIT_USER : GS_EXIT_OK;
}
