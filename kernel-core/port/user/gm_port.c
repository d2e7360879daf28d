// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_port.c - the part of the user port that needs a C library
 *
 * Every allocation carries a header, so that live bytes can be counted and a
 * kfree() of kvcalloc()ed memory, which Linux would not survive, is seen here.
 */
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gm_port_host.h"

#define MAGIC_K	   0x6b616c6cu /* "kall" */
#define MAGIC_KV   0x6b76616cu /* "kval" */
#define MAGIC_DEAD 0x64656164u

struct header {
	u64 bytes;
	u32 magic;
	u32 pad; /* what follows is aligned for any type */
};
_Static_assert(sizeof(struct header) % _Alignof(max_align_t) == 0, "misaligned memory");

static _Atomic u64 live, live_bytes, allocs, warned;
static _Thread_local u64 fail_in;
static _Thread_local bool failed;

static void (*log_sink)(void *arg, int level, const char *line);
static void *log_arg;
static int log_max = GM_PORT_WARN;

void gm_port_fail_nth(u64 n)
{
	fail_in = n;
	failed = false;
}

bool gm_port_failed(void)
{
	return failed;
}

u64 gm_port_live(void)
{
	return atomic_load_explicit(&live, memory_order_relaxed);
}

u64 gm_port_live_bytes(void)
{
	return atomic_load_explicit(&live_bytes, memory_order_relaxed);
}

u64 gm_port_allocs(void)
{
	return atomic_load_explicit(&allocs, memory_order_relaxed);
}

u64 gm_port_warned(void)
{
	return atomic_load_explicit(&warned, memory_order_relaxed);
}

static void count(_Atomic u64 *what, u64 by)
{
	atomic_fetch_add_explicit(what, by, memory_order_relaxed);
}

void *gm_port_alloc(size_t n, size_t size, bool kv)
{
	struct header *h;
	size_t bytes;

	count(&allocs, 1);
	if (fail_in && --fail_in == 0) {
		failed = true;
		return NULL;
	}
	if (__builtin_mul_overflow(n, size, &bytes) ||
	    __builtin_add_overflow(bytes, sizeof(*h), &n))
		return NULL;
	h = calloc(1, n);
	if (!h)
		return NULL;
	h->bytes = bytes;
	h->magic = kv ? MAGIC_KV : MAGIC_K;
	count(&live, 1);
	count(&live_bytes, bytes);
	return h + 1;
}

void gm_port_free(const void *p, bool kv)
{
	struct header *h;

	if (!p)
		return;
	h = (struct header *)p - 1;
	if (h->magic != MAGIC_K && !(kv && h->magic == MAGIC_KV)) {
		fprintf(stderr, "gmem: %s of %p: %s\n", kv ? "kvfree" : "kfree", p,
			h->magic == MAGIC_KV ? "is kvcalloc()ed" : "is not allocated");
		abort();
	}
	h->magic = MAGIC_DEAD;
	count(&live, -1ULL);
	count(&live_bytes, -h->bytes);
	free(h);
}

void gm_port_set_log(void (*sink)(void *arg, int level, const char *line), void *arg, int max_level)
{
	log_sink = sink;
	log_arg = arg;
	log_max = max_level;
}

void gm_port_log(int level, const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int n;

	if (level > log_max)
		return;
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	n = clamp(n, 0, (int)sizeof(line) - 1);
	if (n && line[n - 1] == '\n')
		line[n - 1] = 0;
	if (log_sink)
		log_sink(log_arg, level, line);
	else
		fprintf(stderr, "gmem: %s\n", line);
}

bool gm_port_warn(bool cond, bool *seen, const char *what, const char *file, int line)
{
	if (!cond)
		return false;
	count(&warned, 1);
	if (!*seen)
		gm_port_log(GM_PORT_WARN, "%s:%d: %s\n", file, line, what);
	*seen = true;
	return true;
}

int gm_port_scnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (!size)
		return 0;
	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	if (n < 0)
		return 0;
	return (size_t)n < size ? n : (int)(size - 1);
}

ssize_t gm_port_strscpy(char *to, const char *from, size_t size)
{
	size_t n = strlen(from);

	if (n >= size) {
		memcpy(to, from, size - 1);
		to[size - 1] = 0;
		return -E2BIG;
	}
	memcpy(to, from, n + 1);
	return (ssize_t)n;
}
