/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_sweep_warn.c - the warnings of all points as those of the sweep
 *
 * That everything fits, or that a key is not read, is no news at one point: a
 * sweep begins at 100 % and goes from manager to manager.  It is news where it
 * holds for every point that could tell.  The rest is said if it holds anywhere.
 */
#include "sim/main_sweep.h"

#include <stdlib.h>
#include <string.h>

struct tally {
	const char *note; /* the first of its kind and key */
	size_t n;
};

/* Length of "# KIND KEY ", which is what makes two notes the same. */
static size_t head(const char *note)
{
	size_t len = 2;

	for (int words = 0; words < 2 && note[len]; words++) {
		len += strcspn(note + len, " ");
		len += note[len] == ' ';
	}
	return len;
}

static void count(struct tally **v, size_t *n, size_t *cap, const char *note)
{
	size_t i = 0, len = head(note);

	while (i < *n && (head((*v)[i].note) != len || strncmp((*v)[i].note, note, len)))
		i++;
	if (i == *n) {
		GS_PUSH_ROOM(*v, *n, *cap);
		(*v)[(*n)++] = (struct tally){ .note = note };
	}
	(*v)[i].n++;
}

static bool is_news(const struct tally *t, size_t witnesses)
{
	const char *kind = t->note + 2;

	if (!strncmp(kind, "fits ", 5) || !strncmp(kind, "unread ", 7))
		return t->n >= witnesses;
	return true;
}

char **sweep_warnings(const struct sweep *sw, size_t *n)
{
	struct tally *v = NULL;
	size_t kinds = 0, cap = 0, done = 0, exempt = 0;
	char **texts;

	for (size_t i = 0; i < sw->grid.npoints; i++) {
		const struct point *p = &sw->points[i];
		bool is_exempt = false;

		done += !!p->row;
		for (size_t k = 0; k < p->nnotes; k++)
			is_exempt |= !strcmp(p->notes[k], "# exempt");
		exempt += is_exempt;
		for (size_t k = 0; k < p->nnotes; k++)
			if (!is_exempt || !strncmp(p->notes[k], "# bandwidth ", 12))
				count(&v, &kinds, &cap, p->notes[k]);
	}
	texts = gs_calloc(kinds, sizeof(*texts));
	*n = 0;
	for (size_t i = 0; i < kinds; i++)
		if (is_news(&v[i], done - exempt))
			texts[(*n)++] = gs_asprintf("%s (%zu of %zu points)",
						    v[i].note + head(v[i].note), v[i].n, done);
	free(v);
	return texts;
}
