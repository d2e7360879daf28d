/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * future.c - when each unit is used next, for Belady's min
 *
 * The dry pass tells every use (unit, ordinal) in order.  A use remembers the
 * next one of its unit, so that all uses of a unit are a chain, along which the
 * unit's cursor moves forward only:
 *
 *	ordinal  0    1    2    3    4    5
 *	unit     a    b    a    c    a    b
 *	next     2    5    4    -    -    -
 *
 * Memory is 4 bytes a use, spent only where min is asked for.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/replay_impl.h"

#define NEVER (~0U)

struct unit_uses {
	u64 key;    /* device and unit number */
	u32 last;   /* while collecting; NEVER: not used yet */
	u32 cursor; /* first use after the last question */
};

struct gs_future {
	u64 unit;
	u32 shift; /* unit is 1 << shift; 64: it is no power of two */
	u32 *next; /* by ordinal */
	size_t nuses, cap_uses;
	struct unit_uses *units;
	size_t nunits, cap_units;
	u64 first, span; /* unit numbers are in [first, first + span): no hash */
	u32 *hash;	 /* of units: index + 1 */
	size_t hash_size;
};

struct gs_future *gs_future_new(u64 unit)
{
	struct gs_future *f = gs_calloc(1, sizeof(*f));

	f->unit = unit;
	f->shift = unit & (unit - 1) ? 64 : (u32)__builtin_ctzll(unit);
	f->hash_size = 1024;
	f->hash = gs_calloc(f->hash_size, sizeof(*f->hash));
	return f;
}

void gs_future_span(struct gs_future *f, u64 va, u64 bytes, u32 ndevices)
{
	f->first = va / f->unit;
	f->span = (va + bytes - 1) / f->unit - f->first + 1;
	f->nunits = f->cap_units = f->span * ndevices;
	f->units = gs_calloc(f->nunits, sizeof(*f->units));
	for (size_t i = 0; i < f->nunits; i++)
		f->units[i] = (struct unit_uses){ .last = NEVER, .cursor = NEVER };
}

void gs_future_free(struct gs_future *f)
{
	if (!f)
		return;
	free(f->next);
	free(f->units);
	free(f->hash);
	free(f);
}

static u64 number_of(const struct gs_future *f, u64 va)
{
	return f->shift < 64 ? va >> f->shift : va / f->unit;
}

static u64 key_of(const struct gs_future *f, u16 device, u64 va)
{
	return number_of(f, va) << 8 | device;
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

/* NULL: never used. */
static struct unit_uses *find(const struct gs_future *f, u16 device, u64 va)
{
	u64 u = number_of(f, va) - f->first;
	u32 h;

	if (f->span)
		return u < f->span ? &f->units[device * f->span + u] : NULL;
	h = f->hash[slot_of(f, key_of(f, device, va))];
	return h ? &f->units[h - 1] : NULL;
}

static struct unit_uses *add(struct gs_future *f, u16 device, u64 va)
{
	u64 key = key_of(f, device, va);

	gs_assert(!f->span);
	GS_PUSH_ROOM(f->units, f->nunits, f->cap_units);
	f->units[f->nunits++] = (struct unit_uses){ .key = key, .last = NEVER, .cursor = NEVER };
	f->hash[slot_of(f, key)] = (u32)f->nunits;
	if (2 * f->nunits > f->hash_size)
		grow_hash(f);
	return &f->units[f->nunits - 1];
}

void gs_future_use(struct gs_future *f, u16 device, u64 va)
{
	struct unit_uses *u = find(f, device, va);
	u32 ordinal = (u32)f->nuses;

	gs_assert(f->nuses < NEVER);
	u = u ? u : add(f, device, va);
	GS_PUSH_ROOM(f->next, f->nuses, f->cap_uses);
	f->next[f->nuses++] = NEVER;
	if (u->last == NEVER)
		u->cursor = ordinal;
	else
		f->next[u->last] = ordinal;
	u->last = ordinal;
}

u64 gs_future_next(struct gs_future *f, u16 device, u64 va, u64 now)
{
	struct unit_uses *u = find(f, device, va);

	if (!u)
		return ~0ULL;
	while (u->cursor != NEVER && u->cursor <= now)
		u->cursor = f->next[u->cursor];
	return u->cursor == NEVER ? ~0ULL : u->cursor;
}
