// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_test.c - the test program's main, and what the tests share
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "gm_test.h"

int dev = -1;
u64 unit;
u32 devices;
__thread u32 on_device;

void die(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("gm_test: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	_exit(1);
}

void open_dev(void)
{
	struct gmem_info info;

	if (dev >= 0)
		close(dev);
	dev = open("/dev/gmem", O_RDWR);
	if (dev < 0)
		die("/dev/gmem: %s", strerror(errno));
	if (ioctl(dev, GMEM_INFO, &info))
		die("GMEM_INFO: %s", strerror(errno));
	unit = info.unit;
	devices = info.devices;
}

u64 *map(u64 bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, dev, 0);

	if (p == MAP_FAILED)
		die("mmap of %llu bytes: %s", (unsigned long long)bytes, strerror(errno));
	if ((uintptr_t)p % unit)
		die("mmap gave %p, which is not aligned", p);
	return p;
}

int prog(u32 op, u32 stream, const void *dst, const void *src, u64 bytes, u64 value, u64 step,
	 u64 *result)
{
	struct gmem_prog p = { .op = op,
			       .device = (int)on_device,
			       .stream = stream,
			       .dst = (uintptr_t)dst,
			       .src = (uintptr_t)src,
			       .bytes = bytes,
			       .value = value,
			       .step = step };

	if (ioctl(dev, GMEM_PROG_RUN, &p))
		return -errno;
	if (result)
		*result = p.result;
	return p.err;
}

int advise(int hnid, const void *p, u64 bytes, int behavior)
{
	struct hmadvise_arg a = {
		.hnid = hnid, .start = (uintptr_t)p, .len_in = bytes, .behavior = behavior
	};

	return ioctl(dev, GMEM_MADVISE, &a) ? -errno : 0;
}

u64 checksum(u64 words, u64 first, u64 step)
{
	u64 i, sum = 0;

	for (i = 0; i < words; i++)
		sum += (first + i * step) * (2 * i + 1);
	return sum;
}

u64 next_random(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- accesses that may fail ------------------------------------------- */

static __thread sigjmp_buf out;
static __thread volatile sig_atomic_t trying;

static void on_signal(int sig)
{
	if (trying)
		siglongjmp(out, sig);
	die("signal %d", sig);
}

static void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_NODEFER };

	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
}

static int try_access(volatile u64 *p, u64 *value, bool write)
{
	int sig = sigsetjmp(out, 1);

	if (!sig) {
		trying = 1;
		if (write)
			*p = *value;
		else
			*value = *p;
	}
	trying = 0;
	return sig;
}

int try_read(const volatile u64 *p, u64 *value)
{
	return try_access((volatile u64 *)p, value, false);
}

int try_write(volatile u64 *p, u64 value)
{
	return try_access(p, &value, true);
}

/* ---- debugfs ---------------------------------------------------------- */

static u64 row_of(const char *file, const char *name)
{
	FILE *f = fopen(file, "r");
	unsigned long long value;
	char row[64];

	if (!f)
		die("%s: %s", file, strerror(errno));
	while (fscanf(f, "%63s %llu%*[^\n]", row, &value) >= 2)
		if (!strcmp(row, name)) {
			fclose(f);
			return value;
		}
	die("%s has no row %s", file, name);
}

u64 stat_of(const char *name)
{
	return row_of(DEBUG "stats", name);
}

u64 live_of(const char *name)
{
	return row_of(DEBUG "live", name);
}

u64 work_of(const char *name)
{
	return row_of(DEBUG "work", name);
}

char place(const void *p)
{
	FILE *f = fopen(DEBUG "units", "r");
	u64 at = (uintptr_t)p / unit * unit;
	unsigned long long va, n;
	static char line[1 << 20];
	int skip;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, " %llx %llu %n", &va, &n, &skip) < 2 || line[0] != ' ')
			continue;
		if (at >= va && at < va + n * unit) {
			fclose(f);
			return line[(u64)skip + (at - va) / unit];
		}
	}
	if (f)
		fclose(f);
	return '?';
}

void check_core(void)
{
	FILE *f = fopen(DEBUG "check", "r");
	char line[256] = "?";

	if (!f || !fgets(line, sizeof(line), f) || strcmp(line, "ok\n"))
		die("invariants: %s", line);
	fclose(f);
}

void check_gone(void)
{
	static const char *const rows[] = { "spaces",	   "streams",	 "waits", "ops",
					    "host_frames", "dev_frames", NULL };
	double start = seconds();
	u32 i;

	for (i = 0; rows[i]; i++)
		while (live_of(rows[i])) {
			if (seconds() > start + 10)
				die("%llu %s are left", (unsigned long long)live_of(rows[i]),
				    rows[i]);
			usleep(1000);
		}
	check_core();
}

static void write_file(const char *dir, const char *name, const char *text)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s%s", dir, name);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		die("%s: %s", path, strerror(errno));
	close(fd);
}

void fail_nth(const char *what, u32 nth, u32 every)
{
	char text[32];

	snprintf(text, sizeof(text), "%u %u", nth, every);
	write_file(DEBUG, what, text);
}

u32 failed_so_far(const char *what)
{
	char path[128];
	u32 n = 0;
	FILE *f;

	snprintf(path, sizeof(path), DEBUG "%s", what);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%*u %*u %u", &n) != 1)
		die("%s cannot be read", path);
	fclose(f);
	return n;
}

#define PARAMS "/sys/module/gmem/parameters/"

void set_param(const char *name, u64 value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	write_file(PARAMS, name, text);
}

u64 param_of(const char *name)
{
	unsigned long long value = 0;
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), PARAMS "%s", name);
	f = fopen(path, "r");
	if (!f || fscanf(f, "%llu", &value) != 1)
		die("%s cannot be read", path);
	fclose(f);
	return value;
}

/* ---- main ------------------------------------------------------------- */

/* Ends QEMU by its isa-debug-exit device; the host sees 2 * code + 1. */
static void leave_guest(int argc, char **argv)
{
	if (iopl(3))
		die("iopl: %s", strerror(errno));
	outl(argc > 0 ? (unsigned int)atoi(argv[0]) : 0, 0xf4);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(int argc, char **argv);
		bool file; /* needs it open */
	} tests[] = {
		{ "turns", test_turns, true },
		{ "ioctl", test_ioctl, true },
		{ "maps", test_maps, true },
		{ "huge", test_huge, true },
		{ "fail", test_fail, true },
		{ "kill", test_kill, true },
		{ "oom", test_oom, true },
		{ "signals", test_signals, true },
		{ "ops", test_ops, true },
		{ "trace", test_trace, true },
		{ "cost", test_cost, true },
		{ "fuzz", test_fuzz, true },
		{ "leave", leave_guest, false },
		{ "other", test_other, true },
		{ "inherited", test_inherited, false },
		{ "inject", test_inject, true },
		{ "load", test_load, false },
	};
	double start = seconds();
	u32 i;

	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		if (argc < 2 || strcmp(tests[i].name, argv[1]))
			continue;
		setvbuf(stdout, NULL, _IOLBF, 0);
		catch_signals();
		if (tests[i].file)
			open_dev();
		tests[i].run(argc - 2, argv + 2);
		printf("%s: ok, %.1f s\n", argv[1], seconds() - start);
		return 0;
	}
	die("usage: gm_test TEST [ARGUMENT...]");
}
