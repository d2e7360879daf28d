// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_port.c - the part of the user port that needs a C library
 *
 * Every allocation carries a header, so that live bytes can be counted and a
 * kfree() of kvcalloc()ed memory, which Linux would not survive, is seen here.
 * Large tables are mapped by themselves: in lines of the cache, on huge pages
 * where the system has them, and nothing of them is touched before its use.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, madvise */
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "gm_port_host.h"

#define MAGIC_K	   0x6b616c6cu /* "kall" */
#define MAGIC_KV   0x6b76616cu /* "kval" */
#define MAGIC_MAP  0x6d617070u /* "mapp": kval, by mmap() */
#define MAGIC_DEAD 0x64656164u

struct header {
	u64 bytes;
	u32 magic;
	u32 pad; /* what follows is aligned for any type */
};
#define MAP_FROM ((size_t)2 << 20) /* a huge page */
#define MAP_HEAD 64		   /* a line, which ends in the header */
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

static struct header *map_large(size_t bytes)
{
	size_t n;
	char *p;

	if (__builtin_add_overflow(bytes, (size_t)MAP_HEAD, &n))
		return NULL;
	p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return NULL;
	madvise(p, n, MADV_HUGEPAGE); /* as it likes */
	return (struct header *)(void *)(p + MAP_HEAD) - 1;
}

static void unmap_large(struct header *h)
{
	munmap((char *)(h + 1) - MAP_HEAD, h->bytes + MAP_HEAD);
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
	h = kv && bytes >= MAP_FROM ? map_large(bytes) : calloc(1, n);
	if (!h)
		return NULL;
	h->bytes = bytes;
	h->magic = !kv ? MAGIC_K : bytes >= MAP_FROM ? MAGIC_MAP : MAGIC_KV;
	count(&live, 1);
	count(&live_bytes, bytes);
	return h + 1;
}

void gm_port_free(const void *p, bool kv)
{
	struct header *h;
	bool is_kv, mapped;

	if (!p)
		return;
	h = (struct header *)p - 1;
	mapped = h->magic == MAGIC_MAP;
	is_kv = h->magic == MAGIC_KV || mapped;
	if (h->magic != MAGIC_K && !(kv && is_kv)) {
		fprintf(stderr, "gmem: %s of %p: %s\n", kv ? "kvfree" : "kfree", p,
			is_kv ? "is kvcalloc()ed" : "is not allocated");
		abort();
	}
	h->magic = MAGIC_DEAD;
	count(&live, -1ULL);
	count(&live_bytes, -h->bytes);
	if (mapped)
		unmap_large(h);
	else
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
