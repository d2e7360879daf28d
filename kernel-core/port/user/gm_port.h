/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_port.h - the names that kernel-core may use, for userland
 *
 * Kernel spelling is the common tongue: port/linux/gm_port.h is a list of
 * includes, this file says the same in plain C.  It includes nothing, works
 * under -nostdinc, and lives beside <stdbool.h>, <stddef.h>, <errno.h>,
 * <string.h> and <stdio.h> in either order.  What is not here, the core does
 * not use: no sleeping, no threads, no locks (its host holds one around every
 * call), no timers, no struct page, no floating point.
 *
 * Each entry is one of
 *	dup	does what the kernel's does
 *	stub	does less: there is nothing to do here
 *	custom	does more: counts, checks or can be told to fail
 */
#ifndef GM_PORT_H
#define GM_PORT_H

/* ---- types: dup ------------------------------------------------------- */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef signed char s8;
typedef short s16;
typedef int s32;
typedef long long s64;
typedef __SIZE_TYPE__ size_t;
typedef long ssize_t;

#define bool _Bool
#define true 1
#define false 0
#ifndef NULL
#define NULL ((void *)0)
#endif
#ifndef offsetof
#define offsetof(type, member) __builtin_offsetof(type, member)
#endif

#define U8_MAX	((u8)~0U)
#define U16_MAX ((u16)~0U)
#define U32_MAX ((u32)~0U)
#define U64_MAX ((u64)~0ULL)
#define S64_MAX ((s64)(U64_MAX >> 1))

/* ---- compiler: dup ---------------------------------------------------- */

#define __must_check	    __attribute__((__warn_unused_result__))
#define __maybe_unused	    __attribute__((__unused__))
#define __printf(fmt, args) __attribute__((__format__(printf, fmt, args)))
#define likely(x)	    __builtin_expect(!!(x), 1)
#define unlikely(x)	    __builtin_expect(!!(x), 0)
#define READ_ONCE(x)	    (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v)    ((void)(*(volatile __typeof__(x) *)&(x) = (v)))
#define ARRAY_SIZE(a)	    (sizeof(a) / sizeof((a)[0]))
#define prefetchw(p)	    __builtin_prefetch(p, 1)
/* Evaluates nothing; a pointer to another type than @member's is an error. */
#define container_of(ptr, type, member) \
	((type *)((char *)(ptr)-0 * sizeof((ptr) == &((type *)0)->member) - offsetof(type, member)))

/* stub: one program, no symbol table */
#define EXPORT_SYMBOL_GPL(sym) extern __typeof__(sym) sym

/* ---- errors: dup; the values of asm-generic/errno*.h ------------------- */

#define EPERM	    1
#define ENOENT	    2
#define EIO	    5
#define E2BIG	    7
#define EAGAIN	    11
#define ENOMEM	    12
#define EFAULT	    14
#define EBUSY	    16
#define EEXIST	    17
#define ENODEV	    19
#define EINVAL	    22
#define ENOSPC	    28
#define ERANGE	    34
#define ENODATA	    61
#define EOVERFLOW   75
#define EOPNOTSUPP  95
#define ESHUTDOWN   108
#define ETIMEDOUT   110
#define EALREADY    114
#define EINPROGRESS 115
#define ECANCELED   125

#define MAX_ERRNO 4095

static inline void *ERR_PTR(long err)
{
	return (void *)err;
}
static inline long PTR_ERR(const void *p)
{
	return (long)p;
}
static inline bool IS_ERR(const void *p)
{
	return (unsigned long)p >= -(unsigned long)MAX_ERRNO;
}
static inline bool IS_ERR_OR_NULL(const void *p)
{
	return !p || IS_ERR(p);
}

/* ---- memory: custom; counted, the n-th can fail (gm_port_host.h) ------- */

typedef unsigned int gfp_t;
#define GFP_KERNEL ((gfp_t)1)
#define GFP_NOWAIT ((gfp_t)2)

/* Zeroed memory or NULL, also when n * size does not fit into a size_t. */
void *gm_port_alloc(size_t n, size_t size, bool kv);
/* @kv is to be as it was: kfree() of what kvcalloc() gave ends the program. */
void gm_port_free(const void *p, bool kv);

static inline void *kzalloc(size_t size, gfp_t gfp)
{
	return gm_port_alloc(1, size, false);
}
static inline void *kcalloc(size_t n, size_t size, gfp_t gfp)
{
	return gm_port_alloc(n, size, false);
}
static inline void *kvzalloc(size_t size, gfp_t gfp)
{
	return gm_port_alloc(1, size, true);
}
static inline void *kvcalloc(size_t n, size_t size, gfp_t gfp)
{
	return gm_port_alloc(n, size, true);
}
static inline void kfree(const void *p)
{
	gm_port_free(p, false);
}
/* As in the kernel, also for what kzalloc() and kcalloc() gave. */
static inline void kvfree(const void *p)
{
	gm_port_free(p, true);
}

/* ---- lists: dup ------------------------------------------------------- */

struct list_head {
	struct list_head *next, *prev;
};

#define LIST_HEAD_INIT(name)     \
	{                        \
		&(name), &(name) \
	}
#define LIST_HEAD(name) struct list_head name = LIST_HEAD_INIT(name)

static inline void INIT_LIST_HEAD(struct list_head *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool list_empty(const struct list_head *head)
{
	return head->next == head;
}
static inline bool list_is_singular(const struct list_head *head)
{
	return head->next != head && head->next == head->prev;
}
static inline bool list_is_first(const struct list_head *e, const struct list_head *head)
{
	return e->prev == head;
}
static inline bool list_is_last(const struct list_head *e, const struct list_head *head)
{
	return e->next == head;
}

static inline void gm_port_list_link(struct list_head *before, struct list_head *after)
{
	before->next = after;
	after->prev = before;
}

static inline void list_add(struct list_head *e, struct list_head *head)
{
	gm_port_list_link(e, head->next);
	gm_port_list_link(head, e);
}

static inline void list_add_tail(struct list_head *e, struct list_head *head)
{
	gm_port_list_link(head->prev, e);
	gm_port_list_link(e, head);
}

/* custom: a second list_del() or a walk over a dead entry traps */
static inline void list_del(struct list_head *e)
{
	gm_port_list_link(e->prev, e->next);
	e->next = (struct list_head *)0x100;
	e->prev = (struct list_head *)0x122;
}

static inline void list_del_init(struct list_head *e)
{
	gm_port_list_link(e->prev, e->next);
	INIT_LIST_HEAD(e);
}

static inline void list_move(struct list_head *e, struct list_head *head)
{
	gm_port_list_link(e->prev, e->next);
	list_add(e, head);
}

static inline void list_move_tail(struct list_head *e, struct list_head *head)
{
	gm_port_list_link(e->prev, e->next);
	list_add_tail(e, head);
}

/* All of @from goes between @at and its successor. */
static inline void gm_port_list_splice(struct list_head *from, struct list_head *at)
{
	struct list_head *next = at->next;

	if (list_empty(from))
		return;
	gm_port_list_link(at, from->next);
	gm_port_list_link(from->prev, next);
}

static inline void list_splice_init(struct list_head *from, struct list_head *head)
{
	gm_port_list_splice(from, head);
	INIT_LIST_HEAD(from);
}

static inline void list_splice_tail_init(struct list_head *from, struct list_head *head)
{
	gm_port_list_splice(from, head->prev);
	INIT_LIST_HEAD(from);
}

#define list_entry(ptr, type, member)	     container_of(ptr, type, member)
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_last_entry(head, type, member)  list_entry((head)->prev, type, member)
#define list_first_entry_or_null(head, type, member) \
	(list_empty(head) ? NULL : list_first_entry(head, type, member))
#define list_next_entry(e, member)	      list_entry((e)->member.next, __typeof__(*(e)), member)
#define list_prev_entry(e, member)	      list_entry((e)->member.prev, __typeof__(*(e)), member)
#define list_entry_is_head(pos, head, member) (&(pos)->member == (head))

#define list_for_each_entry(pos, head, member)                       \
	for (pos = list_first_entry(head, __typeof__(*pos), member); \
	     !list_entry_is_head(pos, head, member); pos = list_next_entry(pos, member))
#define list_for_each_entry_reverse(pos, head, member)              \
	for (pos = list_last_entry(head, __typeof__(*pos), member); \
	     !list_entry_is_head(pos, head, member); pos = list_prev_entry(pos, member))
#define list_for_each_entry_safe(pos, n, head, member)               \
	for (pos = list_first_entry(head, __typeof__(*pos), member), \
	    n = list_next_entry(pos, member);                        \
	     !list_entry_is_head(pos, head, member); pos = n, n = list_next_entry(n, member))

/* ---- arithmetic: dup -------------------------------------------------- */

/* Both sides have one type, as Linux 6.1 wants it; each is evaluated once. */
#define gm_port_cat_(a, b) a##b
#define gm_port_cat(a, b)  gm_port_cat_(a, b)
#define gm_port_pick(x, y, op, tx, ty)  \
	({                              \
		__typeof__(x) tx = (x); \
		__typeof__(y) ty = (y); \
		(void)(&tx == &ty);     \
		tx op ty ? tx : ty;     \
	})
#define gm_port_pick_t(type, x, y, op, tx, ty) \
	({                                     \
		type tx = (x);                 \
		type ty = (y);                 \
		tx op ty ? tx : ty;            \
	})
#define gm_port_tmp(name)	 gm_port_cat(name, __COUNTER__)
#define min(x, y)		 gm_port_pick(x, y, <, gm_port_tmp(gm_x), gm_port_tmp(gm_y))
#define max(x, y)		 gm_port_pick(x, y, >, gm_port_tmp(gm_x), gm_port_tmp(gm_y))
#define min_t(type, x, y)	 gm_port_pick_t(type, x, y, <, gm_port_tmp(gm_x), gm_port_tmp(gm_y))
#define max_t(type, x, y)	 gm_port_pick_t(type, x, y, >, gm_port_tmp(gm_x), gm_port_tmp(gm_y))
#define clamp(x, lo, hi)	 min(max(x, lo), hi)
#define clamp_t(type, x, lo, hi) min_t(type, max_t(type, x, lo), hi)
#define gm_port_swap(a, b, t)          \
	do {                           \
		__typeof__(a) t = (a); \
		(a) = (b);             \
		(b) = t;               \
	} while (0)
#define swap(a, b) gm_port_swap(a, b, gm_port_tmp(gm_s))

/* @y is a power of two. */
#define gm_port_mask(x, y) ((__typeof__(x))((y)-1))
#define round_up(x, y)	   ((((x)-1) | gm_port_mask(x, y)) + 1)
#define round_down(x, y)   ((x) & ~gm_port_mask(x, y))
#define ALIGN(x, a)	   (((x) + gm_port_mask(x, a)) & ~gm_port_mask(x, a))
#define ALIGN_DOWN(x, a)   round_down(x, a)
#define IS_ALIGNED(x, a)   (((x)&gm_port_mask(x, a)) == 0)
#define DIV_ROUND_UP(n, d) (((n) + (d)-1) / (d))

#define BIT_ULL(n) (1ULL << (n))
/* Bits @h down to @l.  [h >= l] */
#define GENMASK_ULL(h, l) ((~0ULL << (l)) & (~0ULL >> (63 - (h))))

/* Position of the highest bit counted from 1; 0 if there is none. */
static inline int fls64(u64 x)
{
	return x ? 64 - __builtin_clzll(x) : 0;
}
static inline int fls(unsigned int x)
{
	return x ? 32 - __builtin_clz(x) : 0;
}
/* Of the lowest or highest bit counted from 0.  [x != 0] */
static inline unsigned long __ffs(unsigned long x)
{
	return (unsigned long)__builtin_ctzl(x);
}
static inline unsigned long __ffs64(u64 x)
{
	return (unsigned long)__builtin_ctzll(x);
}
static inline bool is_power_of_2(unsigned long n)
{
	return n && !(n & (n - 1));
}
#define ilog2(n) (fls64(n) - 1)

/* Not the builtin, which would call libgcc on a machine without popcnt. */
static inline unsigned long hweight64(u64 x)
{
	x -= (x >> 1) & 0x5555555555555555ULL;
	x = (x & 0x3333333333333333ULL) + ((x >> 2) & 0x3333333333333333ULL);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return (unsigned long)((x * 0x0101010101010101ULL) >> 56);
}

static inline u64 div_u64(u64 n, u32 d)
{
	return n / d;
}
static inline u64 div64_u64(u64 n, u64 d)
{
	return n / d;
}
static inline u64 div64_u64_rem(u64 n, u64 d, u64 *rem)
{
	*rem = n % d;
	return n / d;
}

/* ---- text: dup -------------------------------------------------------- */

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *p, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
int strcmp(const char *a, const char *b);
size_t strlen(const char *s);
/* parenthesised, because a C library may have made it a macro */
int(snprintf)(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
/* What was written, without the final 0. */
int gm_port_scnprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
/* Length, or -E2BIG when cut; always ends in 0.  [size > 0] */
ssize_t gm_port_strscpy(char *to, const char *from, size_t size);
#define scnprintf(...)		gm_port_scnprintf(__VA_ARGS__)
#define strscpy(to, from, size) gm_port_strscpy(to, from, size)

/* ---- log and checks: custom; the sink and the count are the host's ----- */

#ifndef pr_fmt
#define pr_fmt(fmt) fmt
#endif
void gm_port_log(int level, const char *fmt, ...) __printf(2, 3);
/* Returns @cond, logs a true one the first time that *seen is passed. */
bool gm_port_warn(bool cond, bool *seen, const char *what, const char *file, int line);

#define pr_err(fmt, ...)   gm_port_log(3, pr_fmt(fmt), ##__VA_ARGS__)
#define pr_warn(fmt, ...)  gm_port_log(4, pr_fmt(fmt), ##__VA_ARGS__)
#define pr_info(fmt, ...)  gm_port_log(6, pr_fmt(fmt), ##__VA_ARGS__)
#define pr_debug(fmt, ...) gm_port_log(7, pr_fmt(fmt), ##__VA_ARGS__)

#define WARN_ON_ONCE(cond)                                                                      \
	({                                                                                      \
		static bool gm_port_seen;                                                       \
		unlikely(cond) && gm_port_warn(true, &gm_port_seen, #cond, __FILE__, __LINE__); \
	})
#define BUILD_BUG_ON(cond) ((void)sizeof(char[1 - 2 * !!(cond)]))

#endif
