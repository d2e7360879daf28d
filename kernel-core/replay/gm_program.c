// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_program.c - reading programs (the guest's test program links this too)
 */
#include <stdio.h>
#include <string.h>

#include "gm_program.h"

int gm_program_parse_head(const char *text, struct gm_program_head *head)
{
	int end = 0;

	if (sscanf(text, GM_PROGRAM_HEAD " %n", &head->unit, &head->frames, &head->devices, &end) !=
		    3 ||
	    !end || text[end])
		return -1;
	return head->unit >= 4096 && !(head->unit & (head->unit - 1)) && head->unit <= 1ULL << 40 &&
			       head->frames && head->devices && head->devices <= 8
		       ? 0
		       : -1;
}

/* What each kind of line looks like; %n at the end of it. */
static const struct form {
	const char *name, *rest;
	unsigned char device, word;
} forms[] = {
	[GM_PROGRAM_MAP] = { "map", "%llx %llu %n", 0, 0 },
	[GM_PROGRAM_UNMAP] = { "unmap", "%llx %llu %n", 0, 0 },
	[GM_PROGRAM_DEV] = { "dev", "%llx %llu %15s %n", 1, 1 },
	[GM_PROGRAM_CPU] = { "cpu", "%llx %llu %15s %n", 0, 1 },
	[GM_PROGRAM_ADVISE] = { "advise", "%llx %llu %15s %n", 1, 1 },
};
enum { NR_FORMS = sizeof(forms) / sizeof(forms[0]) };

static int access_of(const char *word, struct gm_program_line *l, const char **why)
{
	l->write = word[0] == 'w';
	if ((word[0] == 'r' || word[0] == 'w') && !word[1])
		return 0;
	*why = "an access is r or w";
	return -1;
}

static int advice_of(const char *word, struct gm_program_line *l, const char **why)
{
	static const char *const names[] = GM_PROGRAM_ADVICE;

	for (l->advice = 0; l->advice < sizeof(names) / sizeof(names[0]); l->advice++)
		if (!strcmp(names[l->advice], word))
			return 0;
	*why = "advice is prefetch, free_eager, pin, unpin or willneed";
	return -1;
}

static int check(const struct gm_program_line *l, const struct gm_program_head *head,
		 const char **why)
{
	if (l->device < 0 || (unsigned int)l->device >= head->devices)
		*why = "there is no such device";
	else if (l->va % head->unit)
		*why = "an address of whole units is due";
	else if (!l->units || l->units > (1ULL << 40) / head->unit || l->va >= 1ULL << 46)
		*why = "no or too many units";
	else
		return 1;
	return -1;
}

int gm_program_parse(const char *text, const struct gm_program_head *head,
		     struct gm_program_line *l, const char **why)
{
	char name[16], word[16] = "";
	const struct form *f;
	int end = 0, at = 0, n;

	if (sscanf(text, "%15s %n", name, &at) != 1 || name[0] == '#')
		return 0;
	*l = (struct gm_program_line){ .what = 0 };
	while (l->what < NR_FORMS && strcmp(forms[l->what].name, name))
		l->what++;
	*why = "a line begins with map, unmap, dev, cpu or advise";
	if (l->what == NR_FORMS)
		return -1;
	f = &forms[l->what];
	text += at;
	at = 0;
	*why = "numbers are missing, or there is more than belongs there";
	if (f->device && sscanf(text, "%d %n", &l->device, &at) != 1)
		return -1;
	n = f->word ? sscanf(text + at, f->rest, &l->va, &l->units, word, &end)
		    : sscanf(text + at, f->rest, &l->va, &l->units, &end);
	if (n != 2 + f->word || !end || text[at + end])
		return -1;
	if (l->what == GM_PROGRAM_ADVISE ? advice_of(word, l, why)
					 : f->word && access_of(word, l, why))
		return -1;
	return check(l, head, why);
}
