/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tr_kineto_buffers.c - buffers that the allocator's events in a profiler's trace tell */
#include "traces/kineto.h"

/* By address, or where there are none by size: what is allocated. */
struct known {
	u64 key; /* 0: empty */
	u32 top; /* newest buffer; KN_NONE: none is allocated */
};

struct knowns {
	struct known *slots; /* hash table, half full at most */
	u32 n, nslots;
	u32 *below; /* by buffer: the one that is older under the same key */
	size_t nbelow, below_cap;
};

static struct known *known_slot(struct known *t, u32 n, u64 key)
{
	u32 i = (u32)gs_hash(&key, sizeof(key), 0) & (n - 1);

	while (t[i].key && t[i].key != key)
		i = (i + 1) & (n - 1);
	return &t[i];
}

static struct known *known_of(struct knowns *t, u64 key)
{
	struct known *old = t->slots, *s;
	u32 n = t->nslots;

	if (2 * t->n >= n) {
		t->nslots = n ? 2 * n : 1024;
		t->slots = gs_calloc(t->nslots, sizeof(*t->slots));
		for (u32 i = 0; i < n; i++)
			if (old[i].key)
				*known_slot(t->slots, t->nslots, old[i].key) = old[i];
		free(old);
	}
	s = known_slot(t->slots, t->nslots, key);
	if (!s->key) {
		*s = (struct known){ key, KN_NONE };
		t->n++;
	}
	return s;
}

static u64 memory_key(const struct kn *k, const struct kn_memory *m)
{
	u64 bytes = m->bytes < 0 ? -(u64)m->bytes : (u64)m->bytes;
	u64 what[2] = { m->device, k->no_addresses ? bytes : m->va };

	return gs_hash(what, sizeof(what), 0) | 1;
}

static void name_buffer(struct kn *k, struct knowns *t, struct kn_memory *m)
{
	struct known *s = known_of(t, memory_key(k, m));

	if (m->bytes < 0 && s->top != KN_NONE) {
		m->buf = k->no_addresses ? KN_NONE : s->top;
		s->top = t->below[s->top];
		return;
	}
	m->buf = tb_buffer(k->b, m->bytes < 0 ? -(u64)m->bytes : (u64)m->bytes, TB_EVENTS,
			   m->device);
	k->b->bufs[m->buf].va = m->va;
	k->b->bufs[m->buf].old = m->bytes < 0;
	GS_PUSH_ROOM(t->below, t->nbelow, t->below_cap);
	t->below[t->nbelow++] = s->top;
	if (m->bytes > 0)
		s->top = m->buf;
}

/*
 * A buffer of each allocation.  Freed without having been allocated: was there
 * before.  Without addresses only sizes can be counted here: which buffer is
 * freed is decided when its readers are known.
 */
int kn_buffers(struct kn *k)
{
	struct tr_spill *named = tr_spill_new(sizeof(struct kn_memory), NULL, KN_MEMORY);
	const struct kn_memory *m;
	struct knowns t = { 0 };
	int ret;

	while ((m = tr_spill_next(k->memory))) {
		struct kn_memory to = *m;

		name_buffer(k, &t, &to);
		tr_spill_put(named, &to);
	}
	free(t.slots);
	free(t.below);
	ret = tr_spill_err(k->memory);
	tr_spill_free(k->memory);
	k->memory = named;
	return ret ? ret : tr_spill_err(named);
}
