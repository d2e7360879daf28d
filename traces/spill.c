/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * spill.c - a table of records that need not fit into memory
 *
 * Full memory is sorted and written as a run; reading merges the runs, and the
 * memory is cut into one piece for each.
 *
 *	put:	mem [ 4 1 9 ] -> run [ 1 4 9 ], [ 2 3 7 ], ... in the file
 *	next:	mem [ 4 9 | 3 7 | ... ], a heap of the pieces' first records
 */
#define _GNU_SOURCE /* qsort_r */
#include "traces/spill.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FEW = 64, STAGE = 1 << 16 }; /* records to begin with; bytes of a write */

struct run {
	u64 at, n; /* first byte in the file, records */
};

/* A run that is being read. */
struct head {
	u64 at, left; /* of what is not in memory yet */
	u8 *piece, *p, *end;
};

struct tr_spill {
	size_t size, room; /* of a record; records that memory may hold */
	tr_order *order;
	u64 count;
	int fd, err;
	u64 bytes; /* of the file */

	u8 *mem;
	size_t n, cap;
	u32 *ranks; /* of what is in memory: in order; NULL: it lies in order */
	struct run *runs;
	size_t nruns, runs_cap;

	bool reading, given; /* the first head's record is the caller's */
	size_t next;	     /* in memory, without runs */
	struct head *heads;  /* a heap */
	size_t nheads;
};

struct tr_spill *tr_spill_new(size_t size, tr_order *order, size_t memory)
{
	struct tr_spill *s = gs_calloc(1, sizeof(*s));

	s->size = size;
	s->order = order;
	s->room = gs_max(memory / size, 2);
	s->fd = -1;
	return s;
}

void tr_spill_free(struct tr_spill *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	free(s->mem);
	free(s->ranks);
	free(s->runs);
	free(s->heads);
	free(s);
}

u64 tr_spill_count(const struct tr_spill *s)
{
	return s->count;
}

int tr_spill_err(const struct tr_spill *s)
{
	return s ? s->err : 0;
}

/* ---- the file --------------------------------------------------------- */

int tr_spill_file(void)
{
	const char *dir = getenv("TMPDIR");
	char *name = gs_asprintf("%s/gmemsim.XXXXXX", dir && *dir ? dir : "/tmp");
	int fd = mkstemp(name);

	if (fd >= 0)
		unlink(name);
	free(name);
	return fd;
}

static void fail(struct tr_spill *s, const char *what, int err)
{
	gs_err("temporary file: %s: %s (TMPDIR says where it lies)", what, strerror(err));
	s->err = -EIO;
}

static void write_out(struct tr_spill *s, const u8 *p, size_t n)
{
	if (s->fd < 0 && !s->err) {
		s->fd = tr_spill_file();
		if (s->fd < 0)
			fail(s, "cannot create", errno);
	}
	while (n && !s->err) {
		ssize_t done = pwrite(s->fd, p, n, (off_t)s->bytes);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0) {
			fail(s, "cannot write", errno);
			return;
		}
		p += done;
		n -= (size_t)done;
		s->bytes += (u64)done;
	}
}

/* ---- putting ------------------------------------------------------------ */

static u8 *record(const struct tr_spill *s, size_t i)
{
	return s->mem + i * s->size;
}

static int by_order(const void *x, const void *y, void *arg)
{
	const struct tr_spill *s = arg;
	u32 a = *(const u32 *)x, b = *(const u32 *)y;
	int d = s->order(record(s, a), record(s, b));

	return d ? d : a < b ? -1 : 1;
}

static bool lies_in_order(const struct tr_spill *s)
{
	for (size_t i = 1; s->order && i < s->n; i++)
		if (s->order(record(s, i - 1), record(s, i)) > 0)
			return false;
	return true;
}

/* Memory is moved by rank where it is not in order already, as most files are. */
static void rank(struct tr_spill *s)
{
	free(s->ranks);
	s->ranks = NULL;
	if (lies_in_order(s))
		return;
	s->ranks = gs_calloc(s->n, sizeof(*s->ranks));
	for (u32 i = 0; i < s->n; i++)
		s->ranks[i] = i;
	qsort_r(s->ranks, s->n, sizeof(*s->ranks), by_order, s);
}

static void write_ranked(struct tr_spill *s)
{
	size_t most = gs_max(STAGE / s->size, 1), n = 0;
	u8 *stage = gs_calloc(most, s->size);

	for (size_t i = 0; i < s->n; i++) {
		memcpy(stage + n++ * s->size, record(s, s->ranks[i]), s->size);
		if (n < most && i + 1 < s->n)
			continue;
		write_out(s, stage, n * s->size);
		n = 0;
	}
	free(stage);
}

/* What is in memory becomes a run; without an order there is but one. */
static void write_run(struct tr_spill *s)
{
	if (!s->nruns || s->order) {
		GS_PUSH_ROOM(s->runs, s->nruns, s->runs_cap);
		s->runs[s->nruns++] = (struct run){ .at = s->bytes };
	}
	s->runs[s->nruns - 1].n += s->n;
	rank(s);
	if (s->ranks)
		write_ranked(s);
	else
		write_out(s, s->mem, s->n * s->size);
	s->n = 0;
}

void tr_spill_put(struct tr_spill *s, const void *rec)
{
	gs_assert(!s->reading);
	if (s->err)
		return;
	if (s->n == s->room)
		write_run(s);
	if (s->n == s->cap) {
		s->cap = gs_min(gs_max(2 * s->cap, FEW), s->room);
		s->mem = gs_realloc_array(s->mem, s->cap, s->size);
	}
	memcpy(record(s, s->n++), rec, s->size);
	s->count++;
}

/* ---- reading ------------------------------------------------------------ */

/* The next records of a run; false when there are none. */
static bool refill(struct tr_spill *s, struct head *h)
{
	size_t room = gs_max(s->room / s->nruns, 1);
	size_t want = gs_min(room, h->left) * s->size, have = 0;

	while (have < want) {
		ssize_t got = pread(s->fd, h->piece + have, want - have, (off_t)(h->at + have));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			fail(s, "cannot read", got ? errno : EIO);
			return false;
		}
		have += (size_t)got;
	}
	h->p = h->piece;
	h->end = h->piece + have;
	h->at += have;
	h->left -= have / s->size;
	return have > 0;
}

static bool before(const struct tr_spill *s, const struct head *a, const struct head *b)
{
	int d = s->order ? s->order(a->p, b->p) : 0;

	return d ? d < 0 : a->piece < b->piece; /* pieces lie as the runs came */
}

static void sift(struct tr_spill *s, size_t i)
{
	struct head h = s->heads[i];

	for (;;) {
		size_t c = 2 * i + 1;

		if (c >= s->nheads)
			break;
		c += c + 1 < s->nheads && before(s, &s->heads[c + 1], &s->heads[c]);
		if (!before(s, &s->heads[c], &h))
			break;
		s->heads[i] = s->heads[c];
		i = c;
	}
	s->heads[i] = h;
}

static void rewind_runs(struct tr_spill *s)
{
	size_t room;

	if (s->n)
		write_run(s);
	room = gs_max(s->room / s->nruns, 1);
	if (!s->heads) {
		s->mem = gs_realloc_array(s->mem, gs_max(s->room, room * s->nruns), s->size);
		s->heads = gs_calloc(s->nruns, sizeof(*s->heads));
	}
	s->nheads = 0;
	for (size_t i = 0; i < s->nruns && !s->err; i++) {
		struct head *h = &s->heads[s->nheads];

		*h = (struct head){ .at = s->runs[i].at,
				    .left = s->runs[i].n,
				    .piece = record(s, i * room) };
		s->nheads += refill(s, h);
	}
	for (size_t i = s->nheads / 2; i-- > 0;)
		sift(s, i);
}

void tr_spill_rewind(struct tr_spill *s)
{
	if (s->nruns)
		rewind_runs(s);
	else if (!s->reading)
		rank(s);
	s->reading = true;
	s->given = false;
	s->next = 0;
}

/* Behind the record that was given last. */
static void advance(struct tr_spill *s)
{
	struct head *h = &s->heads[0];

	h->p += s->size;
	if (h->p == h->end && !refill(s, h))
		*h = s->heads[--s->nheads];
	if (s->nheads)
		sift(s, 0);
}

const void *tr_spill_next(struct tr_spill *s)
{
	size_t i = s->next;

	if (s->err)
		return NULL;
	if (!s->nruns) {
		s->next += i < s->n;
		return i < s->n ? record(s, s->ranks ? s->ranks[i] : i) : NULL;
	}
	if (s->given)
		advance(s);
	s->given = s->nheads && !s->err;
	return s->given ? s->heads[0].p : NULL;
}
