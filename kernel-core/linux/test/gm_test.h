/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_test.h - tests of gmem.ko, to be run in a guest as root
 *
 * One static program; its first argument names the test.  A test ends the program
 * with a line to stderr at the first thing that is wrong.
 */
#ifndef GM_TEST_H
#define GM_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gm_uapi.h"

typedef uint64_t u64;
typedef uint32_t u32;

#define DEBUG "/sys/kernel/debug/gmem/"

extern int dev; /* /dev/gmem */
extern u64 unit;
extern u32 devices;
extern __thread u32 on_device; /* of prog() */

void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
#define expect(cond)                                                     \
	do {                                                             \
		if (!(cond))                                             \
			die("%s:%d: not %s", __FILE__, __LINE__, #cond); \
	} while (0)

void open_dev(void);
u64 *map(u64 bytes); /* or die */
/* A program on stream 0: 0 or -errno. */
int prog(u32 op, u32 stream, const void *dst, const void *src, u64 bytes, u64 value, u64 step,
	 u64 *result);
int advise(int hnid, const void *p, u64 bytes, int behavior);
/* What GMEM_OP_CHECKSUM gives for words first + i * step. */
u64 checksum(u64 words, u64 first, u64 step);

/* Reads and writes that may meet SIGBUS or SIGSEGV: the signal, or 0. */
int try_read(const volatile u64 *p, u64 *value);
int try_write(volatile u64 *p, u64 value);

u64 stat_of(const char *name);
u64 live_of(const char *name);
u64 work_of(const char *name);
/* Where the unit of @p is, as debugfs shows it. */
char place(const void *p);
void check_core(void);
/* All counts of live are 0, now or soon. */
void check_gone(void);
void fail_nth(const char *what, u32 nth, u32 every);
u32 failed_so_far(const char *what);
void set_param(const char *name, u64 value);
u64 param_of(const char *name);
u64 next_random(u64 *state);
double seconds(void);
/*
 * More units than the devices hold, each incremented here and there in turn, whatever
 * is refused on the way.
 */
void walk(u64 *p, u64 units);

void test_turns(int argc, char **argv);
void test_ioctl(int argc, char **argv);
void test_maps(int argc, char **argv);
void test_huge(int argc, char **argv);
void test_fail(int argc, char **argv);
void test_kill(int argc, char **argv);
void test_signals(int argc, char **argv);
void test_oom(int argc, char **argv);
void test_ops(int argc, char **argv);
void test_trace(int argc, char **argv);
void test_cost(int argc, char **argv);
void test_fuzz(int argc, char **argv);
void test_inject(int argc, char **argv);
void test_load(int argc, char **argv);
void test_other(int argc, char **argv);
void test_inherited(int argc, char **argv);

#endif
