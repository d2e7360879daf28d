/* SPDX-License-Identifier: GPL-3.0-or-later */
/* base.c - messages, checks, memory, hashes and near words */
#include "sim/base.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

bool gs_quiet;
void (*gs_before_message)(void);
_Thread_local const u64 *gs_clock;

/*
 * One line in one write, so that the messages of parallel runs do not mix.
 * What does not fit is cut: a message is for a person.
 */
static void say(const char *prefix, const char *fmt, va_list ap)
{
	char line[4096];
	int n = snprintf(line, sizeof(line), "gmemsim: %s", prefix);

	n += vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	if (n > (int)sizeof(line) - 2)
		n = (int)sizeof(line) - 2;
	/* file names and keys are other people's: no escape codes on a terminal */
	for (int i = 0; i < n; i++)
		if ((u8)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[n] = '\n';
	if (gs_before_message)
		gs_before_message();
	fwrite(line, 1, (size_t)n + 1, stderr);
}

void gs_err(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
}

void gs_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("warning: ", fmt, ap);
	va_end(ap);
}

void gs_info(const char *fmt, ...)
{
	va_list ap;

	if (gs_quiet)
		return;
	va_start(ap, fmt);
	say("", fmt, ap);
	va_end(ap);
}

/* _exit(): handlers would run on a state that was just found to be wrong. */
static void __attribute__((noreturn)) die(void)
{
	fflush(stderr);
	_exit(GS_EXIT_BUG);
}

void gs_assert_failed(const char *cond, const char *file, int line)
{
	if (gs_clock)
		gs_err("%s:%d: internal error at %llu ps: %s", file, line, *gs_clock, cond);
	else
		gs_err("%s:%d: internal error: %s", file, line, cond);
	die();
}

static void *checked(void *p, size_t n, size_t size)
{
	if (p)
		return p;
	gs_err("out of memory (%zu times %zu bytes)", n, size);
	die();
}

void *gs_calloc(size_t n, size_t size)
{
	/* calloc(0) may return NULL without being out of memory */
	return checked(calloc(n ? n : 1, size ? size : 1), n, size);
}

void *gs_realloc_array(void *p, size_t n, size_t size)
{
	return checked(reallocarray(p, n ? n : 1, size ? size : 1), n, size);
}

char *gs_strdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(gs_calloc(n, 1), s, n);
}

char *gs_asprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	gs_assert(n >= 0);
	s = gs_calloc((size_t)n + 1, 1);
	va_start(ap, fmt);
	vsnprintf(s, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return s;
}

u64 gs_hash(const void *p, size_t n, u64 seed)
{
	return XXH3_64bits_withSeed(p, n, seed);
}

size_t gs_utf8(const char *s, u32 *cp)
{
	static const u32 least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const u8 *p = (const u8 *)s;
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	u32 c;

	if (!p[0] || n == 0 || p[0] > 0xf7)
		return 0;
	c = n == 1 ? p[0] : p[0] & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fU);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*cp = c;
	return n;
}

enum { NEAR_MAX = 64 }; /* longer words are not compared */

static u32 min3(u32 a, u32 b, u32 c)
{
	u32 m = a < b ? a : b;

	return m < c ? m : c;
}

/* "gib" for "GiB" is no edit at all. */
static bool same(char a, char b)
{
	return tolower((u8)a) == tolower((u8)b);
}

/*
 * Edits (a letter more, less, other, or two swapped) that turn @a into @b.
 * Three rows of the usual table suffice: a swap looks two rows back.
 */
static u32 distance(const char *a, size_t na, const char *b, size_t nb)
{
	u32 rows[3][NEAR_MAX + 1];

	for (u32 j = 0; j <= nb; j++)
		rows[0][j] = j;
	for (u32 i = 1; i <= na; i++) {
		u32 *cur = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

		cur[0] = i;
		for (u32 j = 1; j <= nb; j++) {
			u32 other = up[j - 1] + !same(a[i - 1], b[j - 1]);

			cur[j] = min3(up[j] + 1, cur[j - 1] + 1, other);
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) &&
			    same(a[i - 2], b[j - 1]) && up2[j - 2] + 1 < cur[j])
				cur[j] = up2[j - 2] + 1;
		}
	}
	return rows[na % 3][nb];
}

const char *gs_nearest(const char *word, const char *const *known)
{
	const char *best = NULL;
	size_t n = strlen(word);
	/* one slip in three letters is a slip, more is another word */
	u32 limit = n < 3 ? 1 : (u32)(n + 2) / 3;

	if (n > NEAR_MAX)
		return NULL;
	for (; *known; known++) {
		size_t len = strlen(*known);
		u32 d;

		if (len > NEAR_MAX)
			continue;
		d = distance(word, n, *known, len);
		/* nothing in common is not near, however short the words are */
		if (d > limit || d >= gs_max(n, len))
			continue;
		if (d < limit || !best) {
			best = *known;
			limit = d;
		}
	}
	return best;
}
