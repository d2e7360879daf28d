/* SPDX-License-Identifier: GPL-3.0-or-later */
/* sniff.c - what a file looks like, from its first bytes */
#define _GNU_SOURCE /* memmem */
#include "traces/sniff.h"

#include <string.h>

static bool holds(const char *p, size_t n, const char *what)
{
	return memmem(p, n, what, strlen(what)) != NULL;
}

static bool begins(const char *p, size_t n, const char *with)
{
	return n >= strlen(with) && !memcmp(p, with, strlen(with));
}

/* The first letter that is no white space. */
static char first(const char *p, size_t n)
{
	for (; n; p++, n--)
		if (!strchr(" \t\r\n", *p))
			return *p;
	return 0;
}

bool tr_like_jsonl(const char *p, size_t n)
{
	return begins(p, n, "{") && holds(p, n < 256 ? n : 256, "\"ev\"");
}

bool tr_like_kineto(const char *p, size_t n)
{
	char c = first(p, n);

	return (c == '{' &&
		(holds(p, n, "\"traceEvents\"") || holds(p, n, "\"deviceProperties\""))) ||
	       (c == '[' && holds(p, n, "\"ph\""));
}

bool tr_like_et(const char *p, size_t n)
{
	return first(p, n) == '{' && holds(p, n, "\"nodes\"") && holds(p, n, "\"schema\"");
}

/* JSON, or a short message of strings behind its length. */
bool tr_like_chakra(const char *p, size_t n)
{
	if (first(p, n) == '{' && holds(p, n, "\"workload_graph\""))
		return true;
	return n > 4 && (u8)p[0] < 0x80 && (p[1] == 0x0a || p[1] == 0x12) && (u8)p[2] < 0x80 &&
	       p[0] > p[2] && holds(p, n < 256 ? n : 256, "schema");
}

bool tr_like_nsys(const char *p, size_t n)
{
	return n >= 16 && !memcmp(p, "SQLite format 3", 16);
}

/* "==12== Lackey, ...", or accesses such as "I  0401ab,3". */
bool tr_like_lackey(const char *p, size_t n)
{
	static const char *const marks[] = { "I  ", " L ", " S ", " M " };

	if (begins(p, n, "=="))
		return holds(p, n, "Lackey") || holds(p, n, "lackey");
	for (size_t i = 0; i < GS_ARRAY_SIZE(marks); i++)
		if (begins(p, n, marks[i]))
			return n > 4 && strspn(p + 3, "0123456789abcdef") >= 4;
	return false;
}

static bool like_pickle(const char *p, size_t n)
{
	return n > 2 && (u8)p[0] == 0x80 && p[1] >= 2 && p[1] <= 5;
}

static bool like_gmt(const char *p, size_t n)
{
	return begins(p, n, "\x89GMT");
}

static bool like_timeline(const char *p, size_t n)
{
	return begins(p, n, "[[") && n > 3 && strchr("-0123456789", p[2]);
}

static bool like_accelsim(const char *p, size_t n)
{
	return begins(p, n, "MemcpyHtoD,") || begins(p, n, "-kernel name");
}

static bool like_requests(const char *p, size_t n)
{
	return begins(p, n, "arrived_at,");
}

static bool like_probe(const char *p, size_t n)
{
	return begins(p, n, "{") && holds(p, n < 256 ? n : 256, "\"probe-1\"");
}

const char *tr_like_foreign(const char *p, size_t n)
{
	static const struct {
		bool (*like)(const char *p, size_t n);
		const char *what;
	} kinds[] = {
		{ like_gmt, "is a .gmt already" },
		{ like_pickle,
		  "looks like a pickle, such as PyTorch's memory snapshot: it tells what was "
		  "allocated, and no kernel and no access" },
		{ like_timeline,
		  "looks like a memory timeline of PyTorch's profiler: it tells sizes "
		  "and times, and no kernel and no access" },
		{ like_accelsim,
		  "looks like an instruction trace of Accel-Sim, which is not read" },
		{ like_requests,
		  "looks like arrivals of requests: it tells no memory and no kernel" },
		{ like_probe,
		  "looks like lines of an early recorder, probe-1; record it again with "
		  "scripts/record_torch.py" },
	};

	for (size_t i = 0; i < GS_ARRAY_SIZE(kinds); i++)
		if (kinds[i].like(p, n))
			return kinds[i].what;
	return NULL;
}
