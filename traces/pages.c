/* SPDX-License-Identifier: GPL-3.0-or-later */
/* pages.c - what importers of page traces share */
#include "traces/pages.h"

#include <stdlib.h>

struct tr_writer *tr_pages_writer(const char *out, const char *name, const char *source,
				  u32 ndevices, u64 page)
{
	const char **devices = gs_calloc(ndevices, sizeof(*devices));
	struct tr_meta meta = {
		.name = name,
		.source = source,
		.device_names = devices,
		.ndevices = ndevices,
		.page_hint = page,
	};
	struct tr_writer *w;

	for (u32 i = 0; i < ndevices; i++)
		devices[i] = gs_asprintf("device %u", i);
	w = tr_writer_new(out, &meta);
	for (u32 i = 0; i < ndevices; i++)
		free((char *)devices[i]);
	free(devices);
	return w;
}

/* ---- numbers ------------------------------------------------------------ */

struct slot {
	u64 name;
	u64 number; /* + 1; 0: free */
};

struct tr_numbers {
	struct slot *slots; /* half full at most */
	u64 nslots, n;
};

struct tr_numbers *tr_numbers_new(void)
{
	struct tr_numbers *t = gs_calloc(1, sizeof(*t));

	t->nslots = 1024;
	t->slots = gs_calloc(t->nslots, sizeof(*t->slots));
	return t;
}

void tr_numbers_free(struct tr_numbers *t)
{
	if (!t)
		return;
	free(t->slots);
	free(t);
}

static struct slot *slot_of(const struct tr_numbers *t, u64 name)
{
	u64 i = (name * 0x9e3779b97f4a7c15ULL) >> 20;

	for (;; i++) {
		struct slot *s = &t->slots[i & (t->nslots - 1)];

		if (!s->number || s->name == name)
			return s;
	}
}

static void grow(struct tr_numbers *t)
{
	struct slot *old = t->slots;
	u64 n = t->nslots;

	t->nslots *= 2;
	t->slots = gs_calloc(t->nslots, sizeof(*t->slots));
	for (u64 i = 0; i < n; i++)
		if (old[i].number)
			*slot_of(t, old[i].name) = old[i];
	free(old);
}

u64 tr_numbers_count(const struct tr_numbers *t)
{
	return t->n;
}

u64 tr_number_of(struct tr_numbers *t, u64 name)
{
	struct slot *s = slot_of(t, name);

	if (!s->number) {
		if (2 * (t->n + 1) > t->nslots) {
			grow(t);
			s = slot_of(t, name);
		}
		*s = (struct slot){ name, ++t->n };
	}
	return s->number - 1;
}
