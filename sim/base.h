/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * base.h - what every file above kernel-core leans on
 *
 * Exit codes, messages, checks and memory.  Messages go to stderr as one line
 * "gmemsim: ..."; what a user did wrong is said once, where file and position
 * are known, and travels upward as -errno.
 */
#ifndef GS_BASE_H
#define GS_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "kernel-core/gm_desc.h"

/* Exit codes of every command. */
enum {
	GS_EXIT_OK = 0,
	GS_EXIT_FAILED = 1, /* the run failed; `static`: does not fit */
	GS_EXIT_USER = 2,   /* the user's input is at fault */
	GS_EXIT_BUG = 3	    /* internal error */
};

#define GS_PRINTF(f, a) __attribute__((format(printf, f, a)))

void gs_err(const char *fmt, ...) GS_PRINTF(1, 2);  /* "gmemsim: ..." */
void gs_warn(const char *fmt, ...) GS_PRINTF(1, 2); /* "gmemsim: warning: ..." */
void gs_info(const char *fmt, ...) GS_PRINTF(1, 2); /* silent under gs_quiet */
extern bool gs_quiet;

/* Called before a message is written, so that a progress bar can step aside. */
extern void (*gs_before_message)(void);

/* Simulated time in ps that a failed check reports; NULL outside a run. */
extern _Thread_local const u64 *gs_clock;

/* Our own mistake: says where, and exits with GS_EXIT_BUG.  Always on. */
#define gs_assert(cond) ((cond) ? (void)0 : gs_assert_failed(#cond, __FILE__, __LINE__))
void gs_assert_failed(const char *cond, const char *file, int line) __attribute__((noreturn));

/* Memory that cannot be had ends the program (exit 3); never return NULL. */
void *gs_calloc(size_t n, size_t size);
void *gs_realloc_array(void *p, size_t n, size_t size);
char *gs_strdup(const char *s);
char *gs_asprintf(const char *fmt, ...) GS_PRINTF(1, 2);

/*
 * Make room for one more element in a growing array.
 *	struct x *v = NULL; size_t n = 0, cap = 0;
 *	GS_PUSH_ROOM(v, n, cap); v[n++] = ...;
 */
#define GS_PUSH_ROOM(v, n, cap)                               \
	((n) < (cap) ? (void)0                                \
		     : (void)((cap) = (cap) ? 2 * (cap) : 16, \
			      (v) = gs_realloc_array((v), (cap), sizeof(*(v)))))

#define GS_ARRAY_SIZE(a)		 (sizeof(a) / sizeof((a)[0]))
#define gs_container_of(p, type, member) ((type *)((char *)(p)-offsetof(type, member)))

static inline u64 gs_min(u64 a, u64 b)
{
	return a < b ? a : b;
}
static inline u64 gs_max(u64 a, u64 b)
{
	return a > b ? a : b;
}

/* a * b / c without overflow in between, rounded down / up.  [c > 0] */
static inline u64 gs_muldiv(u64 a, u64 b, u64 c)
{
	return (u64)((unsigned __int128)a * b / c);
}
static inline u64 gs_muldiv_up(u64 a, u64 b, u64 c)
{
	return (u64)(((unsigned __int128)a * b + c - 1) / c);
}

/* 64-bit hash of bytes (XXH3), for provenance and checksums. */
u64 gs_hash(const void *p, size_t n, u64 seed);

/*
 * Length of the UTF-8 character at @s and its code point in @cp; 0 for the end
 * of the string and for bytes that are no UTF-8 (surrogates, overlong forms).
 */
size_t gs_utf8(const char *s, u32 *cp);

/* The known word nearest to @word by edit distance, NULL if none is near. */
const char *gs_nearest(const char *word, const char *const *known);

#endif
