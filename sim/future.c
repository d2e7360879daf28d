/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * future.c - when each unit is used next, for Belady's min
 *
 * The dry pass writes down every use (unit, ordinal) in order; begin() sorts
 * them by unit without comparing (a counting sort keeps the order of time),
 * and a cursor for each unit then moves forward only.  Memory is 8 bytes a use,
 * spent only where min is asked for.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/replay_impl.h"

struct use {
	u32 unit; /* index into units */
	u32 ordinal;
};

struct unit_uses {
	u64 key;	   /* device and unit number */
	u32 begin, end;	   /* of its ordinals */
	u32 cursor, count; /* count: while collecting */
};

struct gs_future {
	u64 unit;
	struct use *uses;
	size_t nuses, cap_uses;
	struct unit_uses *units;
	size_t nunits, cap_units;
	u32 *hash; /* of units: index + 1 */
	size_t hash_size;
	u32 *ordinals;
};

struct gs_future *gs_future_new(u64 unit)
{
	struct gs_future *f = gs_calloc(1, sizeof(*f));

	f->unit = unit;
	f->hash_size = 1024;
	f->hash = gs_calloc(f->hash_size, sizeof(*f->hash));
	return f;
}

void gs_future_free(struct gs_future *f)
{
	if (!f)
		return;
	free(f->uses);
	free(f->units);
	free(f->hash);
	free(f->ordinals);
	free(f);
}

static u64 key_of(const struct gs_future *f, u16 device, u64 va)
{
	return va / f->unit << 8 | device;
}

static size_t slot_of(const struct gs_future *f, u64 key)
{
	size_t i = (key * 0x9e3779b97f4a7c15ULL) >> 20;

	for (;; i++) {
		u32 h = f->hash[i & (f->hash_size - 1)];

		if (!h || f->units[h - 1].key == key)
			return i & (f->hash_size - 1);
	}
}

static void grow_hash(struct gs_future *f)
{
	free(f->hash);
	f->hash_size *= 2;
	f->hash = gs_calloc(f->hash_size, sizeof(*f->hash));
	for (size_t i = 0; i < f->nunits; i++)
		f->hash[slot_of(f, f->units[i].key)] = (u32)i + 1;
}

void gs_future_use(struct gs_future *f, u16 device, u64 va, u64 ordinal)
{
	u64 key = key_of(f, device, va);
	size_t slot = slot_of(f, key);

	if (!f->hash[slot]) {
		GS_PUSH_ROOM(f->units, f->nunits, f->cap_units);
		f->units[f->nunits++] = (struct unit_uses){ .key = key };
		f->hash[slot] = (u32)f->nunits;
		if (2 * f->nunits > f->hash_size) {
			grow_hash(f);
			slot = slot_of(f, key);
		}
	}
	GS_PUSH_ROOM(f->uses, f->nuses, f->cap_uses);
	f->uses[f->nuses++] = (struct use){ f->hash[slot] - 1, (u32)ordinal };
	f->units[f->hash[slot] - 1].count++;
}

void gs_future_begin(struct gs_future *f)
{
	u32 at = 0;

	for (size_t i = 0; i < f->nunits; i++) {
		f->units[i].begin = f->units[i].end = f->units[i].cursor = at;
		at += f->units[i].count;
	}
	f->ordinals = gs_calloc(f->nuses + 1, sizeof(*f->ordinals));
	for (size_t i = 0; i < f->nuses; i++)
		f->ordinals[f->units[f->uses[i].unit].end++] = f->uses[i].ordinal;
	free(f->uses);
	f->uses = NULL;
}

u64 gs_future_next(struct gs_future *f, u16 device, u64 va, u64 now)
{
	u32 h = f->hash[slot_of(f, key_of(f, device, va))];
	struct unit_uses *u;

	if (!h)
		return ~0ULL;
	u = &f->units[h - 1];
	while (u->cursor < u->end && f->ordinals[u->cursor] <= now)
		u->cursor++;
	return u->cursor < u->end ? f->ordinals[u->cursor] : ~0ULL;
}
