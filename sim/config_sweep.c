/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * config_sweep.c - the section `sweep`: axes and their grid
 */
#include "sim/config_sweep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CASES = 10000, MAX_POINTS = 1000000, PATH = 256 };

/* The path of a child, in @buf. */
static const char *below(char buf[PATH], const char *path, const char *child)
{
	int n = snprintf(buf, PATH, "%s.%s", path, child);

	gs_assert(n < PATH);
	return buf;
}

static const char *element(char buf[PATH], const char *path, size_t i)
{
	char number[24];

	snprintf(number, sizeof(number), "%zu", i);
	return below(buf, path, number);
}

static struct gs_case *add_case(struct gs_axis *a, const char *label)
{
	struct gs_case *c;

	GS_PUSH_ROOM(a->cases, a->n, a->cap);
	c = &a->cases[a->n++];
	*c = (struct gs_case){ .label = gs_strdup(label) };
	return c;
}

static void add_set(struct gs_case *c, const char *key, const char *value)
{
	GS_PUSH_ROOM(c->sets, c->nsets, c->cap);
	c->sets[c->nsets++] = gs_asprintf("%s=%s", key, value);
}

/* ---- a list of values ---------------------------------------------------- */

static int load_values(struct gs_axis *a, const struct gs_config *cfg, const char *path,
		       const char *key, const char *unit)
{
	size_t n = gs_config_children(cfg, path);

	if (!n)
		return gs_config_error(cfg, path, "a list of values is due, as in [1, 2, 4]");
	for (size_t i = 0; i < n; i++) {
		const char *name, *value;
		char *text;

		gs_config_child(cfg, path, i, &name, &value);
		if (!value || *name)
			return gs_config_error(cfg, path, "a list of plain values is due");
		text = gs_asprintf("%s%s", value, strchr(value, '%') ? "" : unit);
		add_set(add_case(a, text), key, text);
		free(text);
	}
	return 0;
}

/* ---- a range --------------------------------------------------------------- */

static const struct gm_param *find_row(const struct gs_section *sections, const char *key)
{
	for (; sections->prefix; sections++) {
		size_t n = strlen(sections->prefix);

		if (strncmp(key, sections->prefix, n) || key[n] != '.')
			continue;
		for (const struct gm_param *row = sections->rows; row->key; row++)
			if (!strcmp(row->key, key + n + 1))
				return row;
	}
	return NULL;
}

/* A field of its own for one value, so that no struct is needed around it. */
union value {
	u64 whole;
	u32 small;
	double real;
};

static double value_get(const struct gm_param *row, const union value *v)
{
	return row->kind == GM_KIND_REAL  ? v->real
	       : row->kind == GM_KIND_U32 ? (double)v->small
					  : (double)v->whole;
}

static void value_step(const struct gm_param *row, union value *v, const union value *step)
{
	if (row->kind == GM_KIND_REAL)
		v->real += step->real;
	else if (row->kind == GM_KIND_U32)
		v->small += step->small;
	else
		v->whole += step->whole;
}

static int range_value(const struct gs_config *cfg, const char *path, const char *what,
		       const struct gm_param *row, union value *v)
{
	struct gm_param bare = *row;
	const char *text, *why;
	char key[PATH];

	text = gs_config_get(cfg, below(key, path, what));
	if (!text)
		return gs_config_error(cfg, path, "a range has from, to and step; %s is missing",
				       what);
	bare.offset = 0;
	bare.min = 0;
	if (gs_param_parse(&bare, text, v, &why))
		return gs_config_error(cfg, key, "%s", why);
	return 0;
}

static int load_range(struct gs_axis *a, const struct gs_config *cfg, const char *path,
		      const struct gm_param *row, const char *key)
{
	union value v = { 0 }, to = { 0 }, step = { 0 };
	struct gm_param bare = *row;
	int err;

	if (row->kind != GM_KIND_U64 && row->kind != GM_KIND_U32 && row->kind != GM_KIND_REAL)
		return gs_config_error(cfg, path, "%s is no number; give it values: [...]", key);
	err = range_value(cfg, path, "from", row, &v);
	if (!err)
		err = range_value(cfg, path, "to", row, &to);
	if (!err)
		err = range_value(cfg, path, "step", row, &step);
	if (err)
		return err;
	if (value_get(row, &step) <= 0 || value_get(row, &to) < value_get(row, &v))
		return gs_config_error(cfg, path, "step must be above 0 and `to` not below `from`");
	/* A thousandth of a step forgives what sums of reals lose. */
	bare.offset = 0;
	for (double end = value_get(row, &to) + value_get(row, &step) / 1000;
	     value_get(row, &v) <= end; value_step(row, &v, &step)) {
		char text[64];

		if (a->n == MAX_CASES)
			return gs_config_error(cfg, path, "more than %d values", MAX_CASES);
		gs_param_format(&bare, &v, text, sizeof(text));
		add_set(add_case(a, text), key, text);
	}
	return 0;
}

/* ---- cases ----------------------------------------------------------------- */

static int load_case(struct gs_axis *a, const struct gs_config *cfg, const char *path)
{
	char key[PATH];
	const char *label;
	struct gs_case *c;
	size_t n;

	label = gs_config_get(cfg, below(key, path, "label"));
	if (!label)
		return gs_config_error(cfg, path, "a case needs a label");
	for (size_t i = 0; i < a->n; i++)
		if (!strcmp(a->cases[i].label, label))
			return gs_config_error(cfg, key, "two cases are called '%s'", label);
	c = add_case(a, label);
	n = gs_config_children(cfg, below(key, path, "set"));
	for (size_t i = 0; i < n; i++) {
		const char *name, *value;

		gs_config_child(cfg, key, i, &name, &value);
		if (!*name || !value)
			return gs_config_error(cfg, key, "`set` has lines `key.path: value`");
		add_set(c, name, value);
	}
	return 0;
}

static int load_cases(struct gs_axis *a, const struct gs_config *cfg, const char *path)
{
	size_t n = gs_config_children(cfg, path);
	char key[PATH];

	for (size_t i = 0; i < n; i++) {
		int err;

		err = load_case(a, cfg, element(key, path, i));
		if (err)
			return err;
	}
	return n ? 0 : gs_config_error(cfg, path, "a list of cases is due");
}

/* ---- axes ------------------------------------------------------------------ */

/* Every key of an axis is one of these; what is missing is told by who needs it. */
static int check_axis_keys(const struct gs_config *cfg, const char *path)
{
	static const char *const known[] = { "name", "key",   "values",	     "from", "to",
					     "step", "cases", "hbm_percent", NULL };

	for (size_t i = 0; i < gs_config_children(cfg, path); i++) {
		const char *name, *value, *near;
		size_t k = 0;
		char key[PATH];

		gs_config_child(cfg, path, i, &name, &value);
		while (known[k] && strcmp(known[k], name))
			k++;
		if (known[k])
			continue;
		near = gs_nearest(name, known);
		return gs_config_error(cfg, below(key, path, name), "an axis has no '%s'%s%s%s",
				       name, near ? "; did you mean '" : "", near ? near : "",
				       near ? "'?" : "");
	}
	return 0;
}

static int load_key_axis(struct gs_axis *a, const struct gs_config *cfg, const char *path,
			 const struct gs_section *sections, const char *key)
{
	const struct gm_param *row = find_row(sections, key);
	char sub[PATH];

	if (!row)
		return gs_config_error(cfg, below(sub, path, "key"),
				       "there is no key '%s' to sweep", key);
	if (gs_config_children(cfg, below(sub, path, "values")))
		return load_values(a, cfg, sub, key, "");
	return load_range(a, cfg, path, row, key);
}

static int load_axis(struct gs_axis *a, const struct gs_config *cfg, const char *path,
		     const struct gs_section *sections)
{
	char sub[PATH];
	const char *name, *key;
	int err = check_axis_keys(cfg, path);

	if (err)
		return err;
	name = gs_config_get(cfg, below(sub, path, "name"));
	key = gs_config_get(cfg, below(sub, path, "key"));
	if (key) {
		a->name = gs_strdup(name ? name : key);
		return load_key_axis(a, cfg, path, sections, key);
	}
	if (gs_config_children(cfg, below(sub, path, "hbm_percent"))) {
		a->name = gs_strdup(name ? name : "hbm_percent");
		return load_values(a, cfg, sub, "device.hbm.capacity_percent", " %");
	}
	if (!gs_config_children(cfg, below(sub, path, "cases")))
		return gs_config_error(cfg, path,
				       "an axis is `key:` with `values:` or from, to, step; "
				       "or `hbm_percent:`; or `cases:`");
	a->name = gs_strdup(name ? name : "case");
	return load_cases(a, cfg, sub);
}

int gs_grid_load(struct gs_grid *g, const struct gs_config *cfg, const struct gs_section *sections)
{
	size_t n = gs_config_children(cfg, "sweep.axes");

	*g = (struct gs_grid){ .npoints = 1 };
	if (!n)
		return gs_config_error(cfg, "sweep.axes",
				       "nothing to sweep: a list of axes is due "
				       "(`gmemsim sweep --help` shows one)");
	g->axes = gs_calloc(n, sizeof(*g->axes));
	g->naxes = n;
	for (size_t i = 0; i < n; i++) {
		char path[PATH];
		int err;

		err = load_axis(&g->axes[i], cfg, element(path, "sweep.axes", i), sections);
		if (err)
			return err;
		if (g->axes[i].n > MAX_POINTS / g->npoints)
			return gs_config_error(cfg, path, "more than %d points", MAX_POINTS);
		g->npoints *= g->axes[i].n;
	}
	return 0;
}

void gs_grid_free(struct gs_grid *g)
{
	for (size_t a = 0; a < g->naxes; a++) {
		struct gs_axis *axis = &g->axes[a];

		for (size_t c = 0; c < axis->n; c++) {
			for (size_t i = 0; i < axis->cases[c].nsets; i++)
				free(axis->cases[c].sets[i]);
			free(axis->cases[c].sets);
			free(axis->cases[c].label);
		}
		free(axis->cases);
		free(axis->name);
	}
	free(g->axes);
	*g = (struct gs_grid){ .axes = NULL };
}

const struct gs_case *gs_grid_case(const struct gs_grid *g, size_t point, size_t a)
{
	for (size_t later = g->naxes - 1; later > a; later--)
		point /= g->axes[later].n;
	return &g->axes[a].cases[point % g->axes[a].n];
}
