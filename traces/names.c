/* SPDX-License-Identifier: GPL-3.0-or-later */
/* names.c - the names of one frame and the numbers that stand for them */
#include "traces/names.h"

struct tr_name {
	u64 hash;
	u32 off, len; /* in the arena */
	u32 number;   /* plus 1; 0: free slot */
};

void tr_names_init(struct tr_names *t)
{
	*t = (struct tr_names){ .nslots = 256 };
	t->slots = gs_calloc(t->nslots, sizeof(*t->slots));
}

void tr_names_fini(struct tr_names *t)
{
	free(t->slots);
	tr_buf_fini(&t->arena);
}

void tr_names_clear(struct tr_names *t)
{
	memset(t->slots, 0, t->nslots * sizeof(*t->slots));
	t->n = 0;
	t->arena.n = 0;
}

static struct tr_name *slot_of(const struct tr_names *t, const char *s, size_t len, u64 hash)
{
	u32 i = (u32)hash & (t->nslots - 1);

	for (;; i = (i + 1) & (t->nslots - 1)) {
		struct tr_name *n = &t->slots[i];

		if (!n->number)
			return n;
		if (n->hash == hash && n->len == len && !memcmp(t->arena.p + n->off, s, len))
			return n;
	}
}

static void grow(struct tr_names *t)
{
	struct tr_name *old = t->slots;
	u32 n = t->nslots;

	t->nslots *= 2;
	t->slots = gs_calloc(t->nslots, sizeof(*t->slots));
	for (u32 i = 0; i < n; i++)
		if (old[i].number)
			*slot_of(t, (char *)t->arena.p + old[i].off, old[i].len, old[i].hash) =
				old[i];
	free(old);
}

s64 tr_names_find(struct tr_names *t, const char *s, size_t len)
{
	u64 hash = gs_hash(s, len, 0);
	struct tr_name *n = slot_of(t, s, len, hash);

	if (n->number)
		return n->number - 1;
	*n = (struct tr_name){ hash, (u32)t->arena.n, (u32)len, ++t->n };
	tr_put_bytes(&t->arena, s, len);
	if (2 * t->n > t->nslots)
		grow(t);
	return -1;
}
