/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_points_print.c - published figures and ours: a table for people, CSV for scripts
 */
#include "sim/main_points.h"

#include <math.h>
#include <string.h>

const char *const verdict_names[] = { "ok", "in range", "open", "OFF" };

/* "966 us" with another number. */
static void with_unit(const struct figure *f, double x, char *buf, size_t size)
{
	const char *unit = f->published + strcspn(f->published, " ");

	if (isnan(x))
		snprintf(buf, size, "does not run");
	else
		snprintf(buf, size, "%.4g%s", x, unit);
}

static void deviation(const struct figure *f, char *buf, size_t size)
{
	double d = f->simulated / f->wanted - 1;

	if (isnan(d) || (f->high > 0 && figure_verdict(f) == POINT_OK)) /* a bound, and kept */
		snprintf(buf, size, "-");
	else if (fabs(d) >= 10)
		snprintf(buf, size, "x %.1f", d + 1);
	else
		snprintf(buf, size, "%+.1f %%", 100 * d);
}

static void print_range(FILE *out, const struct figure *f)
{
	char min[32], max[32];

	with_unit(f, f->min, min, sizeof(min));
	with_unit(f, f->max, max, sizeof(max));
	fprintf(out, "    the geometric mean of %llu combinations, from %s to %s; what matters:\n",
		f->combinations, min, max);
	for (size_t i = 0; i < f->neffects; i++) {
		const struct effect *x = &f->effects[i];

		if (x->lowest != x->highest)
			fprintf(out, "      x %5.2f  %s, from '%s' to '%s'\n", x->factor, x->axis,
				x->lowest, x->highest);
	}
}

static void print_figure(FILE *out, const struct figure *f)
{
	char simulated[32], off[32];

	with_unit(f, f->simulated, simulated, sizeof(simulated));
	deviation(f, off, sizeof(off));
	fprintf(out, "%-22s %12s %14s %10s  %-8s %s\n", f->name, f->published, simulated, off,
		verdict_names[figure_verdict(f)], f->what);
	fprintf(out, "    %s.  %s\n", f->source, f->why);
	if (f->neffects)
		print_range(out, f);
	if (figure_verdict(f) >= POINT_OPEN && *f->open)
		fprintf(out, "    %s\n", f->open);
}

void points_print(FILE *out, const struct experiment *e, size_t n)
{
	u64 count[GS_ARRAY_SIZE(verdict_names)] = { 0 };

	fprintf(out, "%-22s %12s %14s %10s  %-8s %s\n", "", "published", "simulated", "deviation",
		"", "what");
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < e[i].nfigures; k++) {
			print_figure(out, &e[i].figures[k]);
			count[figure_verdict(&e[i].figures[k])]++;
		}
	fprintf(out,
		"\n%llu within what is accepted, %llu within the range of what is not known, "
		"%llu off and said why, %llu off\n",
		count[POINT_OK], count[POINT_INSIDE], count[POINT_OPEN], count[POINT_OFF]);
}

static void text(FILE *out, const char *s)
{
	fputc(',', out);
	gs_csv_text(out, s);
}

static void csv_effects(FILE *out, const struct figure *f)
{
	char buf[1024];
	size_t n = 0;

	buf[0] = 0;
	for (size_t i = 0; i < f->neffects && n < sizeof(buf); i++)
		n += (size_t)snprintf(buf + n, sizeof(buf) - n, "%s%s x %.2f (%s to %s)",
				      i ? "; " : "", f->effects[i].axis, f->effects[i].factor,
				      f->effects[i].lowest, f->effects[i].highest);
	text(out, buf);
}

static void csv_figure(FILE *out, const struct experiment *e, const struct figure *f)
{
	const char *slash = strrchr(e->path, '/');
	char simulated[32], min[32], max[32], off[32];

	with_unit(f, f->simulated, simulated, sizeof(simulated));
	with_unit(f, f->min, min, sizeof(min));
	with_unit(f, f->max, max, sizeof(max));
	deviation(f, off, sizeof(off));
	gs_csv_text(out, f->name);
	text(out, slash ? slash + 1 : e->path);
	text(out, f->what);
	text(out, f->source);
	text(out, f->published);
	text(out, simulated);
	text(out, off);
	text(out, verdict_names[figure_verdict(f)]);
	text(out, f->neffects ? min : "");
	text(out, f->neffects ? max : "");
	csv_effects(out, f);
	text(out, f->why);
	text(out, f->open);
	fputc('\n', out);
}

void points_csv(FILE *out, const struct experiment *e, size_t n)
{
	fputs("name,file,what,source,published,simulated,deviation,verdict,min,max,matters,why,"
	      "open\n",
	      out);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < e[i].nfigures; k++)
			csv_figure(out, &e[i], &e[i].figures[k]);
}
