/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_value.c - text to values and back, by rows: reals, words, ranges */
#include "sim/config_impl.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- reals -------------------------------------------------------------- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Behind the digits of a real at @s; @s itself if there are none. */
static const char *skip_real(const char *s)
{
	const char *p = s, *e;

	if (!is_digit(*p))
		return s;
	p += strspn(p, "0123456789");
	if (*p == '.' && is_digit(p[1]))
		p += 1 + strspn(p + 1, "0123456789");
	if (*p != 'e' && *p != 'E')
		return p;
	e = p + 1 + (p[1] == '+' || p[1] == '-');
	return is_digit(*e) ? e + strspn(e, "0123456789") : p;
}

static int parse_real(const struct gm_param *row, const char *text, double *out, const char **why)
{
	const char *s = gs_skip_blanks(text), *end = skip_real(s);
	u64 factor;

	if (end == s)
		return gs_refuse_number(row->unit, s, why);
	factor = gs_read_unit(row->unit, text, end, why);
	if (!factor)
		return -EINVAL;
	*out = strtod(s, NULL) * (double)factor;
	if (!isfinite(*out) || *out < (double)row->min || *out > (double)row->max)
		return gs_refuse_range(row, row->max, text, why);
	return 0;
}

/* The shortest spelling that reads back as @v, in the base unit. */
static void format_real(u8 unit, double v, char *buf, size_t size)
{
	const char *base = gs_unit_base(unit);
	int n = 0;

	for (int digits = 15; digits <= 17; digits++) {
		n = snprintf(buf, size, "%.*g", digits, v);
		if (strtod(buf, NULL) == v)
			break;
	}
	if (*base && n > 0 && (size_t)n < size)
		snprintf(buf + n, size - (size_t)n, " %s", base);
}

/* ---- words -------------------------------------------------------------- */

static int parse_bool(const char *text, bool *out, const char **why)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on", NULL };

	for (u32 i = 0; words[i]; i++) {
		if (strcasecmp(text, words[i]))
			continue;
		*out = i & 1;
		return 0;
	}
	return gs_refuse(why, "\"%.60s\" is neither true nor false", text);
}

static int parse_enum(const struct gm_param *row, const char *text, u32 *out, const char **why)
{
	const char *near;
	char all[256] = "";

	for (u32 i = 0; row->names[i]; i++) {
		size_t n = strlen(all);

		if (!strcmp(text, row->names[i])) {
			*out = i;
			return 0;
		}
		snprintf(all + n, sizeof(all) - n, "%s%s", i ? ", " : "", row->names[i]);
	}
	near = gs_nearest(text, row->names);
	if (near)
		return gs_refuse(why, "\"%.60s\" is none of %s; did you mean \"%s\"?", text, all,
				 near);
	return gs_refuse(why, "\"%.60s\" is none of %s", text, all);
}

/* ---- rows --------------------------------------------------------------- */

union value {
	u64 u64;
	u32 u32;
	bool flag;
	const char *str;
	double real;
};

static const size_t kind_size[] = {
	[GM_KIND_U64] = sizeof(u64),	[GM_KIND_U32] = sizeof(u32),
	[GM_KIND_BOOL] = sizeof(bool),	[GM_KIND_ENUM] = sizeof(u32),
	[GM_KIND_STR] = sizeof(char *), [GM_KIND_REAL] = sizeof(double),
};

static int parse_value(const struct gm_param *row, const char *text, union value *v,
		       const char **why)
{
	u64 whole = 0;
	int err;

	switch ((enum gm_kind)row->kind) {
	case GM_KIND_U64:
		return gs_parse_whole(row, text, &v->u64, why);
	case GM_KIND_U32:
		err = gs_parse_whole(row, text, &whole, why);
		v->u32 = (u32)whole;
		return err;
	case GM_KIND_BOOL:
		return parse_bool(text, &v->flag, why);
	case GM_KIND_ENUM:
		return parse_enum(row, text, &v->u32, why);
	case GM_KIND_STR:
		v->str = text;
		return 0;
	case GM_KIND_REAL:
		return parse_real(row, text, &v->real, why);
	}
	gs_assert(!"a row of unknown kind");
	return -EINVAL;
}

int gs_param_parse(const struct gm_param *row, const char *text, void *obj, const char **why)
{
	union value v = { .u64 = 0 };
	int err = parse_value(row, text, &v, why);

	if (!err && obj)
		memcpy((char *)obj + row->offset, &v, kind_size[row->kind]);
	return err;
}

void gs_param_format(const struct gm_param *row, const void *obj, char *buf, size_t size)
{
	union value v = { .u64 = 0 };

	memcpy(&v, (const char *)obj + row->offset, kind_size[row->kind]);
	switch ((enum gm_kind)row->kind) {
	case GM_KIND_U64:
		gs_format_whole(row->unit, v.u64, buf, size);
		break;
	case GM_KIND_U32:
		gs_format_whole(row->unit, v.u32, buf, size);
		break;
	case GM_KIND_BOOL:
		snprintf(buf, size, "%s", v.flag ? "true" : "false");
		break;
	case GM_KIND_ENUM:
		snprintf(buf, size, "%s", row->names[v.u32]);
		break;
	case GM_KIND_STR:
		snprintf(buf, size, "%s", v.str ? v.str : "");
		break;
	case GM_KIND_REAL:
		format_real(row->unit, v.real, buf, size);
		break;
	}
}

/* Spells out what a row accepts: "a size, 1 MiB to 8 TiB". */
void gs_param_domain(const struct gm_param *row, char *buf, size_t size)
{
	u64 all = row->kind == GM_KIND_U32 ? U32_MAX : U64_MAX;
	const char *noun = gs_unit_noun(row->unit);
	char lo[48], hi[48];
	size_t n = 0;

	if (row->kind == GM_KIND_BOOL || row->kind == GM_KIND_STR) {
		snprintf(buf, size, "%s", row->kind == GM_KIND_BOOL ? "true or false" : "text");
		return;
	}
	if (row->kind == GM_KIND_ENUM) {
		buf[0] = 0;
		for (u32 i = 0; row->names[i] && n < size; i++, n = strlen(buf))
			snprintf(buf + n, size - n, "%s%s", i ? ", " : "", row->names[i]);
		return;
	}
	gs_format_whole(row->unit, row->min, lo, sizeof(lo));
	gs_format_whole(row->unit, row->max, hi, sizeof(hi));
	if (row->max < all)
		snprintf(buf, size, "%s, %s to %s", noun, lo, hi);
	else if (row->min)
		snprintf(buf, size, "%s, at least %s", noun, lo);
	else
		snprintf(buf, size, "%s", noun);
}
