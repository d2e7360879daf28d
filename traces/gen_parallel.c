/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gen_parallel.c - "tp=8,pp=2,zero1": how many devices share what */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "traces/gen.h"

enum { MAX_DEVICES = 1024 };

static const struct word {
	const char *name;
	size_t degree; /* offset in struct gen_shares */
	u32 zero;
} words[] = {
	{ "tp", offsetof(struct gen_shares, tp), 0 },
	{ "pp", offsetof(struct gen_shares, pp), 0 },
	{ "dp", offsetof(struct gen_shares, dp), 0 },
	{ "zero1", offsetof(struct gen_shares, dp), 1 },
	{ "zero2", offsetof(struct gen_shares, dp), 2 },
	{ "zero3", offsetof(struct gen_shares, dp), 3 },
};

static const char *const known[] = { "tp", "pp", "dp", "zero1", "zero2", "zero3", "sp", NULL };

static int refuse(const char *text, const char *why)
{
	gs_err("trace gen: --parallel \"%s\": %s", text, why);
	return -EINVAL;
}

static int unknown(const char *text, const char *word)
{
	const char *near = gs_nearest(word, known);

	gs_err("trace gen: --parallel \"%s\": '%s' is none of tp, pp, dp, zero1, zero2, zero3, "
	       "sp%s%s%s",
	       text, word, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	return -EINVAL;
}

static const struct word *find(const char *name)
{
	for (size_t i = 0; i < GS_ARRAY_SIZE(words); i++)
		if (!strcmp(words[i].name, name))
			return &words[i];
	return NULL;
}

/* One "tp=8" or "tp", cut in place.  *open: whose degree is yet to be found. */
static int parse_word(const char *text, char *word, struct gen_shares *s, u32 **open)
{
	char *value = strchr(word, '='), *end;
	const struct word *w;
	u32 *degree;

	if (value)
		*value++ = 0;
	if (!strcmp(word, "sp") && !value) {
		s->sp = true;
		return 0;
	}
	w = find(word);
	if (!w)
		return unknown(text, word);
	degree = (u32 *)((char *)s + w->degree);
	if (*degree || degree == *open)
		return refuse(text, "the same twice (zero1 to zero3 are kinds of dp)");
	s->zero = w->zero ? w->zero : s->zero;
	if (!value) {
		if (*open)
			return refuse(text, "only one may go without a number, such as tp=8");
		*open = degree;
		return 0;
	}
	*degree = (u32)strtoul(value, &end, 10);
	if (*end || *value == '-' || !*degree || *degree > MAX_DEVICES)
		return refuse(text, "a number of devices from 1 to 1024 is due behind =");
	return 0;
}

static u32 or_one(u32 n)
{
	return n ? n : 1;
}

int gen_parallel_parse(const char *text, u32 *devices, struct gen_shares *out)
{
	char *copy = gs_strdup(text), *save;
	struct gen_shares s = { 0 };
	u32 *open = NULL;
	u64 said;
	int err = 0;

	for (char *w = strtok_r(copy, ", ", &save); w && !err; w = strtok_r(NULL, ", ", &save))
		err = parse_word(text, w, &s, &open);
	free(copy);
	if (err)
		return err;
	said = (u64)or_one(s.tp) * or_one(s.pp) * or_one(s.dp);
	if (open && *devices % said == 0)
		*open = (u32)(*devices / said);
	s.tp = or_one(s.tp);
	s.pp = or_one(s.pp);
	s.dp = or_one(s.dp);
	said = (u64)s.tp * s.pp * s.dp;
	if (said > MAX_DEVICES || (*devices && said != *devices)) {
		gs_err("trace gen: --parallel \"%s\" is for %llu devices%s, --devices says %u",
		       text, said, said > MAX_DEVICES ? " and 1024 are the most" : "", *devices);
		return -EINVAL;
	}
	if (s.sp && s.tp == 1)
		return refuse(text, "sp divides what tp leaves whole, and wants tp with it");
	*devices = (u32)said;
	*out = s;
	return 0;
}
