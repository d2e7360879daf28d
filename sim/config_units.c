/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * config_units.c - whole numbers with their units, exactly
 *
 * Decimals are integers with a power of ten below them, so "1.3 us" is exactly
 * 1300000 ps and what is printed parses to what it was.
 */
#include "sim/config_impl.h"

#include <errno.h>
#include <string.h>

typedef unsigned __int128 u128;

struct unit {
	const char *name;
	u64 factor; /* base units in one; 0 ends the table */
	bool alias; /* read, but never printed */
};

static const struct unit no_units[] = { { NULL, 0, false } };

static const struct unit byte_units[] = { { "TiB", 1ULL << 40, false },
					  { "GiB", 1ULL << 30, false },
					  { "MiB", 1ULL << 20, false },
					  { "KiB", 1ULL << 10, false },
					  { "TB", 1000000000000, false },
					  { "GB", 1000000000, false },
					  { "MB", 1000000, false },
					  { "KB", 1000, false },
					  { "kB", 1000, true },
					  { "B", 1, false },
					  { NULL, 0, false } };

/* Links are quoted in powers of ten; networks in bits. */
static const struct unit rate_units[] = { { "TB/s", 1000000000000, false },
					  { "GB/s", 1000000000, false },
					  { "MB/s", 1000000, false },
					  { "KB/s", 1000, false },
					  { "kB/s", 1000, true },
					  { "TiB/s", 1ULL << 40, false },
					  { "GiB/s", 1ULL << 30, false },
					  { "MiB/s", 1ULL << 20, false },
					  { "KiB/s", 1ULL << 10, false },
					  { "Tbit/s", 125000000000, true },
					  { "Gbit/s", 125000000, true },
					  { "Mbit/s", 125000, true },
					  { "kbit/s", 125, true },
					  { "B/s", 1, false },
					  { NULL, 0, false } };

/* Both code points that look like the micro sign. */
static const struct unit time_units[] = { { "s", 1000000000000, false },
					  { "ms", 1000000000, false },
					  { "us", 1000000, false },
					  { "\xc2\xb5s", 1000000, true },
					  { "\xce\xbcs", 1000000, true },
					  { "ns", 1000, false },
					  { "ps", 1, false },
					  { NULL, 0, false } };

static const struct unit flop_units[] = { { "EFLOP/s", 1000000000000000000, false },
					  { "PFLOP/s", 1000000000000000, false },
					  { "TFLOP/s", 1000000000000, false },
					  { "GFLOP/s", 1000000000, false },
					  { "MFLOP/s", 1000000, false },
					  { "kFLOP/s", 1000, false },
					  { "FLOP/s", 1, false },
					  { NULL, 0, false } };

static const struct unit percent_units[] = { { "%", 1, false }, { NULL, 0, false } };

/* What a value of each enum gm_unit is called, and how it is written. */
static const struct quantity {
	const char *noun, *example;
	const struct unit *units;
	bool rounds; /* to the nearest base unit; else it must be whole */
} quantities[] = {
	[GM_NONE] = { "a number", "12", no_units, false },
	[GM_BYTES] = { "a size", "40 GiB", byte_units, false },
	[GM_BPS] = { "a bandwidth", "25 GB/s", rate_units, true },
	[GM_PS] = { "a time", "1.3 us", time_units, true },
	[GM_FLOPS] = { "a rate of operations", "19.5 TFLOP/s", flop_units, true },
	[GM_PERCENT] = { "a percentage", "51 %", percent_units, false },
};

const char *gs_unit_noun(u8 unit)
{
	return quantities[unit].noun;
}

const char *gs_unit_base(u8 unit)
{
	const struct unit *u = quantities[unit].units;

	while (u->name && u->factor != 1)
		u++;
	return u->name ? u->name : "";
}

/* ---- complaints --------------------------------------------------------- */

/* gs_param_parse() promises a static text; sweeps may parse in threads. */
static _Thread_local char complaint[512];

int gs_refuse(const char **why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(complaint, sizeof(complaint), fmt, ap);
	va_end(ap);
	*why = complaint;
	return -EINVAL;
}

/* Names of the units of @q that are worth proposing, as words or as a list. */
static size_t unit_names(const struct quantity *q, const char **names)
{
	size_t n = 0;

	for (const struct unit *u = q->units; u->name; u++)
		names[n++] = u->name;
	names[n] = NULL;
	return n;
}

static int refuse_unit(const struct quantity *q, const char *text, const char *unit,
		       const char **why)
{
	const char *names[GS_ARRAY_SIZE(rate_units)], *near;

	for (size_t k = 0; k < GS_ARRAY_SIZE(quantities); k++)
		for (const struct unit *u = quantities[k].units; u->name; u++)
			if (!strcmp(unit, u->name))
				return gs_refuse(why, "\"%.60s\" is %s; %s is due, such as \"%s\"",
						 text, quantities[k].noun, q->noun, q->example);
	unit_names(q, names);
	near = gs_nearest(unit, names);
	if (near)
		return gs_refuse(why, "unknown unit in \"%.60s\"; did you mean \"%s\"?", text,
				 near);
	return gs_refuse(why, "unknown unit in \"%.60s\"; write %s as in \"%s\"", text, q->noun,
			 q->example);
}

int gs_refuse_range(const struct gm_param *row, u64 max, const char *text, const char **why)
{
	char lo[48], hi[48];

	gs_format_whole(row->unit, row->min, lo, sizeof(lo));
	gs_format_whole(row->unit, max, hi, sizeof(hi));
	if (max == U64_MAX && row->min > 0)
		return gs_refuse(why, "\"%.60s\" is out of range: at least %s", text, lo);
	return gs_refuse(why, "\"%.60s\" is out of range: %s to %s", text, lo, hi);
}

/* ---- whole numbers ------------------------------------------------------ */

struct decimal {
	u128 digits; /* the number without its point, < 10^20 */
	u32 scale;   /* digits after the point, < 20 */
};

/* 20 digits hold any u64, and times the largest factor they fit 128 bits. */
enum { MAX_DIGITS = 20 };

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/*
 * Read a decimal from *s and move *s behind it.  Zeros at the end of a
 * fraction are counted but taken only when another digit follows.
 */
static int read_decimal(const char **s, struct decimal *d)
{
	u32 digits = 0, zeros = 0;
	bool point = false;

	*d = (struct decimal){ 0, 0 };
	if (!is_digit(**s))
		return -EINVAL;
	for (; is_digit(**s) || (**s == '.' && !point && is_digit((*s)[1])); (*s)++) {
		if (**s == '.') {
			point = true;
			continue;
		}
		zeros++;
		if (point && **s == '0')
			continue;
		for (; zeros; zeros--) {
			d->digits = d->digits * 10 + (u128)(zeros == 1 ? **s - '0' : 0);
			digits += d->digits > 0;
			d->scale += point;
			if (digits > MAX_DIGITS || d->scale >= MAX_DIGITS)
				return -ERANGE;
		}
	}
	return 0;
}

/* @d times @factor as a whole number; false if it is none and may not be rounded. */
static bool scale_up(const struct decimal *d, u64 factor, bool rounds, u128 *v)
{
	u128 n = d->digits * factor, ten = 1, rest;

	for (u32 i = 0; i < d->scale; i++)
		ten *= 10;
	rest = n % ten;
	*v = n / ten + (rest * 2 >= ten && rest > 0);
	return !rest || rounds;
}

const char *gs_skip_blanks(const char *s)
{
	return s + strspn(s, " \t");
}

/* Copy the word that ends @text, without the blanks around it. */
static void copy_unit(char *unit, size_t size, const char *s)
{
	size_t n;

	s = gs_skip_blanks(s);
	n = strlen(s);
	while (n && (s[n - 1] == ' ' || s[n - 1] == '\t'))
		n--;
	snprintf(unit, size, "%.*s", (int)gs_min(n, size), s);
}

/* Factor of what is written behind the number; 0 and *why if it is no unit of @q. */
u64 gs_read_unit(u8 kind, const char *text, const char *s, const char **why)
{
	const struct quantity *q = &quantities[kind];
	char unit[32];

	copy_unit(unit, sizeof(unit), s);
	if (q->units == no_units && !*unit)
		return 1;
	for (const struct unit *u = q->units; u->name; u++)
		if (!strcmp(unit, u->name))
			return u->factor;
	if (!*unit)
		gs_refuse(why, "%s needs a unit, such as \"%s\"", q->noun, q->example);
	else
		refuse_unit(q, text, unit, why);
	return 0;
}

int gs_refuse_number(u8 kind, const char *text, const char **why)
{
	const struct quantity *q = &quantities[kind];

	if (*text == '-')
		return gs_refuse(why, "\"%.60s\" is negative; %s is due, such as \"%s\"", text,
				 q->noun, q->example);
	return gs_refuse(why, "\"%.60s\" is not %s, such as \"%s\"", text, q->noun, q->example);
}

int gs_parse_whole(const struct gm_param *row, const char *text, u64 *out, const char **why)
{
	const struct quantity *q = &quantities[row->unit];
	u64 max = row->kind == GM_KIND_U32 ? gs_min(row->max, U32_MAX) : row->max, factor;
	const char *s = gs_skip_blanks(text);
	struct decimal d;
	int err = read_decimal(&s, &d);
	u128 v;

	if (err == -ERANGE)
		return gs_refuse(why, "\"%.60s\" has too many digits", text);
	if (err)
		return gs_refuse_number(row->unit, gs_skip_blanks(text), why);
	factor = gs_read_unit(row->unit, text, s, why);
	if (!factor)
		return -EINVAL;
	if (!scale_up(&d, factor, q->rounds, &v))
		return gs_refuse(why, "\"%.60s\" is not a whole number%s", text,
				 row->unit == GM_BYTES ? " of bytes" : "");
	if (v < row->min || v > max)
		return gs_refuse_range(row, max, text, why);
	*out = (u64)v;
	return 0;
}

/*
 * @v in units of @factor with at most three decimals, which most values that
 * people write have; 0 if it takes more.
 */
static int format_in(const struct unit *u, u64 v, char *buf, size_t size)
{
	u128 thousandths = (u128)v * 1000;
	u64 whole = v / u->factor, frac;
	int decimals = 3;

	if (thousandths % u->factor)
		return 0;
	frac = (u64)(thousandths / u->factor % 1000);
	while (decimals && frac % 10 == 0) {
		frac /= 10;
		decimals--;
	}
	if (!decimals)
		return snprintf(buf, size, "%llu %s", whole, u->name);
	return snprintf(buf, size, "%llu.%0*llu %s", whole, decimals, frac, u->name);
}

/* In the unit that needs the fewest letters; of several the first one. */
void gs_format_whole(u8 unit, u64 v, char *buf, size_t size)
{
	int best = 0;

	if (unit == GM_NONE)
		snprintf(buf, size, "%llu", v);
	for (const struct unit *u = quantities[unit].units; u->name; u++) {
		char text[48];
		int n;

		if (u->alias || (v < u->factor && u->factor > 1))
			continue;
		n = format_in(u, v, text, sizeof(text));
		if (n && (!best || n < best)) {
			best = n;
			snprintf(buf, size, "%s", text);
		}
	}
}
