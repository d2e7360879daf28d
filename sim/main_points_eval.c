/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_points_eval.c - what a published figure is, in terms of runs and counters
 *
 *	figure = value(at) [/ over(over_at)] / per        1 - that, if `saved`
 *
 * `at` names a case of each axis of the sweep, as a pattern of the shell.  Where that
 * fits several, the figure is a range over them, and their geometric mean; an axis
 * with the same cases in `at` and `over_at` goes along in both, else each varies alone.
 */
#include "sim/main_points.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define F struct figure
static const struct gm_param figure_rows[] = {
	GM_P_STR(F, what, "what", NULL, "What was measured or claimed", ""),
	GM_P_STR(F, source, "source", NULL, "Who published it, and on what", ""),
	GM_P_STR(F, published, "published", NULL, "The number and its unit", ""),
	GM_P_STR(F, value, "value", NULL, "Counter of a run: slowdown, stall_ps, uvm.batches", ""),
	GM_P_STR(F, at, "at", "", "Which run: a case of each axis, separated by commas; or *", ""),
	GM_P_STR(F, over, "over", "", "Counter to divide by", "\"\": none, or the same at over_at"),
	GM_P_STR(F, over_at, "over_at", "", "Which run that is of", "\"\": as `at`"),
	GM_P_REAL(F, per, "per", GM_NONE, "1", 0, U32_MAX, "Divided by this besides", ""),
	GM_P_BOOL(F, saved, "saved", "false", "The figure is 1 less that", ""),
	GM_P_U32(F, within, "within", GM_PERCENT, "10 %", 0, 1000, "Deviation that is accepted",
		 ""),
	GM_P_REAL(F, low, "low", GM_NONE, "0", 0, U32_MAX, "What is accepted, in place of within",
		  ""),
	GM_P_REAL(F, high, "high", GM_NONE, "0", 0, U32_MAX, "... up to here; 0: `within` holds",
		  ""),
	GM_P_STR(F, why, "why", NULL, "What the comparison assumes, in a line", ""),
	GM_P_STR(F, open, "open", "", "Why it is off, if that is known", ""),
	GM_P_END
};

/* ---- units ---- */

static const struct unit {
	const char *name;
	double base; /* ps, bytes, bytes a ps */
} units[] = {
	{ "", 1 },	    { "%", 0.01 },	   { "ns", GS_NS },	    { "us", GS_US },
	{ "ms", GS_MS },    { "s", (double)GS_S }, { "GB/s", 1e-3 },	    { "KiB", 1ULL << 10 },
	{ "MiB", 1 << 20 }, { "GiB", 1ULL << 30 }, { "pages", 1ULL << 12 },
};

static int parse_published(const struct experiment *e, const char *key, struct figure *f)
{
	char *end;

	f->wanted = strtod(f->published, &end);
	while (*end == ' ')
		end++;
	for (size_t i = 0; i < GS_ARRAY_SIZE(units); i++)
		if (!strcmp(units[i].name, end))
			f->unit = units[i].base;
	if (end == f->published || !f->unit || f->wanted <= 0)
		return gs_config_error(e->setup.cfg, key,
				       "a number above 0 is due, and as unit nothing, %%, ns, us, "
				       "ms, s, GB/s, KiB, MiB, GiB or pages");
	return 0;
}

/* ---- which runs ---- */

/* The cases of @a that @pattern fits, a bit each. */
static u64 find_cases(const struct gs_axis *a, const char *pattern)
{
	u64 found = 0;

	for (u32 i = 0; i < a->n && i < MAX_CASES; i++)
		if (!fnmatch(pattern, a->cases[i].label, 0))
			found |= 1ULL << i;
	return found;
}

/* "uvm, *, 25 GB/s": a case of each axis.  Cuts @text in place. */
static int parse_select(const struct experiment *e, const char *key, char *text, u64 *out)
{
	for (size_t a = 0; a < e->grid.naxes; a++) {
		char *word = text + strspn(text, " "), *end = word + strcspn(word, ",");

		text = end + (*end == ',');
		while (end > word && end[-1] == ' ')
			end--;
		*end = 0;
		if (!*word)
			return gs_config_error(e->setup.cfg, key,
					       "names %zu of %zu axes; the next is '%s'", a,
					       e->grid.naxes, e->grid.axes[a].name);
		out[a] = find_cases(&e->grid.axes[a], word);
		if (!out[a])
			return gs_config_error(e->setup.cfg, key, "axis '%s' has no case '%s'",
					       e->grid.axes[a].name, word);
	}
	if (*text)
		return gs_config_error(e->setup.cfg, key, "names more than %zu axes: '%s'",
				       e->grid.naxes, text);
	return 0;
}

/* ---- which counters ---- */

static size_t counter(struct experiment *e, const char *name)
{
	for (size_t i = 0; i < e->ncounters; i++)
		if (!strcmp(e->counters[i], name))
			return i;
	GS_PUSH_ROOM(e->counters, e->ncounters, e->cap_counters);
	e->counters[e->ncounters] = name;
	return e->ncounters++;
}

static double stat_of(const struct gm_stat *rows, const void *obj, const char *name)
{
	const char *base = obj;

	for (const struct gm_stat *s = rows; s->name; s++) {
		double v;

		if (strcmp(s->name, name))
			continue;
		v = (double)*(const u64 *)(base + s->offset);
		return s->kind == GM_STAT_RATIO ? v / (double)*(const u64 *)(base + s->den) : v;
	}
	return NAN;
}

double figure_counter(const struct run *r, const char *name)
{
	const char *dot = strchr(name, '.');
	struct gs_mean mean;

	if (!dot) {
		gs_report_mean(&r->report, &mean);
		return stat_of(gs_mean_rows, &mean, name);
	}
	for (const struct gs_stat_block *b = r->stats; b->name; b++)
		if (!strncmp(b->name, name, (size_t)(dot - name)) && !b->name[dot - name])
			return stat_of(b->rows, b->obj, dot + 1);
	return NAN;
}

/* ---- what varies ---- */

struct vary {
	size_t axis, i, n;
	u32 cases[MAX_CASES];
	bool in[2];	       /* of value, of over */
	double sum[MAX_CASES]; /* of logarithms */
};
enum { MAX_VARY = 32 };

static void add_vary(struct vary *v, size_t *n, size_t axis, u64 cases, bool in0, bool in1)
{
	struct vary *x = &v[*n];

	if (hweight64(cases) < 2)
		return;
	gs_assert(*n < MAX_VARY);
	*x = (struct vary){ .axis = axis, .in = { in0, in1 } };
	for (u32 i = 0; i < MAX_CASES; i++)
		if (cases >> i & 1)
			x->cases[x->n++] = i;
	(*n)++;
}

static size_t find_varying(const struct experiment *e, const struct figure *f, struct vary *v)
{
	size_t n = 0;

	for (size_t a = 0; a < e->grid.naxes; a++) {
		bool along = !f->ratio || f->select[0][a] == f->select[1][a];

		add_vary(v, &n, a, f->select[0][a], true, along);
		if (!along)
			add_vary(v, &n, a, f->select[1][a], false, true);
	}
	return n;
}

/* The grid point of value (0) or over (1) where what varies is as in @v. */
static size_t point_of(const struct experiment *e, const struct figure *f, int side,
		       const struct vary *v, size_t nv)
{
	size_t point = 0;

	for (size_t a = 0; a < e->grid.naxes; a++) {
		size_t c = (size_t)__builtin_ctzll(f->select[side][a]);

		for (size_t i = 0; i < nv; i++)
			if (v[i].axis == a && v[i].in[side])
				c = v[i].cases[v[i].i];
		point = point * e->grid.axes[a].n + c;
	}
	return point;
}

/* The next combination; false: that was the last. */
static bool next_combination(struct vary *v, size_t nv)
{
	for (size_t i = nv; i-- > 0;) {
		if (++v[i].i < v[i].n)
			return true;
		v[i].i = 0;
	}
	return false;
}

static void mark_wanted(struct experiment *e, const struct figure *f)
{
	struct vary *v = gs_calloc(MAX_VARY, sizeof(*v));
	size_t nv = find_varying(e, f, v);

	do {
		e->wanted[point_of(e, f, 0, v, nv)] = true;
		if (f->ratio)
			e->wanted[point_of(e, f, 1, v, nv)] = true;
	} while (next_combination(v, nv));
	free(v);
}

/* ---- loading ---- */

static int understand_select(const struct experiment *e, struct figure *f, int side,
			     const char *key, const char *text)
{
	char *path = gs_asprintf("points.%s.%s", f->name, key), *cut = gs_strdup(text);
	int err;

	f->select[side] = gs_calloc(e->grid.naxes + 1, sizeof(u64));
	err = parse_select(e, path, cut, f->select[side]);
	free(cut);
	free(path);
	return err;
}

static int understand(struct experiment *e, struct figure *f)
{
	char *key = gs_asprintf("points.%s.published", f->name);
	int err = parse_published(e, key, f);

	free(key);
	if (!err)
		err = understand_select(e, f, 0, "at", f->at);
	if (!err)
		err = understand_select(e, f, 1, *f->over_at ? "over_at" : "at",
					*f->over_at ? f->over_at : f->at);
	f->ratio = *f->over || *f->over_at;
	f->counter[0] = counter(e, f->value);
	f->counter[1] = counter(e, *f->over ? f->over : f->value);
	return err;
}

/* Everything that setup_load() has bound already. */
static const char **bound_elsewhere(const struct experiment *e)
{
	const char **v = gs_calloc(MAX_SECTIONS + 2, sizeof(*v));
	size_t n = 0;

	for (const struct gs_section *s = e->setup.sections; s->prefix; s++)
		v[n++] = s->prefix;
	v[n++] = "sweep";
	return v;
}

int figures_load(struct experiment *e)
{
	const struct gs_config *cfg = e->setup.cfg;
	const char **others = bound_elsewhere(e), *name, *scalar;
	struct gs_section *sections;
	int err;

	e->nfigures = gs_config_children(cfg, "points");
	e->figures = gs_calloc(e->nfigures, sizeof(*e->figures));
	e->wanted = gs_calloc(e->grid.npoints, sizeof(*e->wanted));
	sections = gs_calloc(e->nfigures + 1, sizeof(*sections));
	for (size_t i = 0; i < e->nfigures; i++) {
		gs_config_child(cfg, "points", i, &name, &scalar);
		e->figures[i].name = name;
		sections[i] = (struct gs_section){ gs_asprintf("points.%s", name), figure_rows,
						   &e->figures[i] };
	}
	err = gs_config_bind(e->setup.cfg, sections, others);
	for (size_t i = 0; i < e->nfigures && !err; i++) {
		err = understand(e, &e->figures[i]);
		if (!err)
			mark_wanted(e, &e->figures[i]);
	}
	for (size_t i = 0; i < e->nfigures; i++)
		free((char *)sections[i].prefix);
	free(sections);
	free(others);
	return err;
}

void figures_fini(struct experiment *e)
{
	for (size_t i = 0; i < e->nfigures; i++) {
		free(e->figures[i].select[0]);
		free(e->figures[i].select[1]);
		free(e->figures[i].effects);
	}
	free(e->figures);
	free(e->counters);
	free(e->wanted);
	free(e->counted);
}

/* ---- evaluating ---- */

static double combine(const struct experiment *e, const struct figure *f, const struct vary *v,
		      size_t nv)
{
	double x = e->counted[point_of(e, f, 0, v, nv) * e->ncounters + f->counter[0]];

	if (f->ratio)
		x /= e->counted[point_of(e, f, 1, v, nv) * e->ncounters + f->counter[1]];
	x /= f->per;
	return (f->saved ? 1 - x : x) / f->unit;
}

static int by_factor(const void *a, const void *b)
{
	const struct effect *x = a, *y = b;

	return x->factor < y->factor ? 1 : x->factor > y->factor ? -1 : 0;
}

static struct effect effect_of(const struct experiment *e, const struct vary *v, u64 combinations)
{
	const struct gs_axis *axis = &e->grid.axes[v->axis];
	size_t least = 0, most = 0;

	for (size_t i = 1; i < v->n; i++) {
		least = v->sum[i] < v->sum[least] ? i : least;
		most = v->sum[i] > v->sum[most] ? i : most;
	}
	return (struct effect){
		axis->name, axis->cases[v->cases[least]].label, axis->cases[v->cases[most]].label,
		exp((v->sum[most] - v->sum[least]) * (double)v->n / (double)combinations)
	};
}

void figure_eval(const struct experiment *e, struct figure *f)
{
	struct vary *v = gs_calloc(MAX_VARY, sizeof(*v));

	double sum = 0;

	f->neffects = find_varying(e, f, v);
	f->min = f->max = combine(e, f, v, f->neffects);
	do {
		double x = combine(e, f, v, f->neffects);

		sum += log(x);
		f->min = fmin(f->min, x);
		f->max = fmax(f->max, x);
		f->combinations++;
		for (size_t i = 0; i < f->neffects; i++)
			v[i].sum[v[i].i] += log(x);
	} while (next_combination(v, f->neffects));
	f->simulated = f->neffects ? exp(sum / (double)f->combinations) : f->min;
	f->effects = gs_calloc(f->neffects, sizeof(*f->effects));
	for (size_t i = 0; i < f->neffects; i++)
		f->effects[i] = effect_of(e, &v[i], f->combinations);
	qsort(f->effects, f->neffects, sizeof(*f->effects), by_factor);
	free(v);
}

enum verdict figure_verdict(const struct figure *f)
{
	double low = f->high > 0 ? f->low : f->wanted * (1 - f->within / 100.0);
	double high = f->high > 0 ? f->high : f->wanted * (1 + f->within / 100.0);

	if (f->neffects ? f->wanted >= f->min && f->wanted <= f->max
			: f->simulated >= low && f->simulated <= high)
		return f->neffects ? POINT_INSIDE : POINT_OK;
	return *f->open ? POINT_OPEN : POINT_OFF;
}
