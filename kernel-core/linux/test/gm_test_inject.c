// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_test_inject.c - the kernel's own allocations fail, one at a time
 *
 * For a kernel with FAILSLAB and FAIL_PAGE_ALLOC (make kmod-debug).  The n-th
 * allocation of a task fails (/proc/PID/fail-nth), n counts up until the work has
 * no n-th; what was refused is tried again and then has to succeed.  Workers have
 * no number that lasts, so theirs fail by chance.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "gm_test.h"

#define RETRIES 100

static u64 refused;

static bool put_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	bool good = fd >= 0 && write(fd, text, strlen(text)) >= 0;

	if (fd >= 0)
		close(fd);
	return good;
}

/* ---- the n-th --------------------------------------------------------- */

static int nth = -1; /* a task's fail-nth */

static void of_task(const char *task)
{
	char path[64];

	if (nth >= 0)
		close(nth);
	snprintf(path, sizeof(path), "/proc/%s/fail-nth", task);
	nth = open(path, O_RDWR);
	expect(nth >= 0);
}

static void arm(u32 n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	expect(pwrite(nth, text, (size_t)len, 0) == len);
}

/* Has it failed?  Nothing will any more. */
static bool fired(void)
{
	char text[16] = "";

	expect(pread(nth, text, sizeof(text) - 1, 0) > 0);
	arm(0);
	return !atoi(text);
}

/* ---- what a program does ---------------------------------------------- */

/* Until it succeeds; memory is the only thing that may be short. */
#define insist(call)                                                               \
	do {                                                                       \
		int err_, tries_ = 0;                                              \
		while ((err_ = (call)) == -ENOMEM && ++tries_ < RETRIES)           \
			refused++;                                                 \
		if (err_)                                                          \
			die("%s:%d: %s gave %d", __FILE__, __LINE__, #call, err_); \
	} while (0)

static int open_again(void)
{
	dev = open("/dev/gmem", O_RDWR);
	return dev < 0 ? -errno : 0;
}

static int map_at(u64 **p, u64 bytes)
{
	void *at =
		mmap(*p, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | (*p ? MAP_FIXED : 0), dev, 0);

	if (at == MAP_FAILED)
		return -errno;
	*p = at;
	return 0;
}

static int unmap(u64 *p, u64 bytes)
{
	return munmap(p, bytes) ? -errno : 0;
}

static int add_one(u64 *p)
{
	u64 value;

	return try_read(p, &value) || try_write(p, value + 1) ? -ENOMEM : 0;
}

/* The device adds, or has not begun: one unit at a time. */
static int device_adds(u64 *p)
{
	return prog(GMEM_OP_STRIDE, 0, p, NULL, 8, 1, 8, NULL);
}

static int submit_and_sync(u64 *p)
{
	struct gmem_prog q = {
		.op = GMEM_OP_FILL, .stream = 2, .dst = (uintptr_t)p, .bytes = unit, .value = 5
	};
	struct gmem_sync y = { .stream = 2 };

	if (ioctl(dev, GMEM_PROG_SUBMIT, &q) || ioctl(dev, GMEM_STREAM_SYNC, &y))
		return -errno;
	return y.err;
}

static void life(void)
{
	u64 *p = NULL, *hole, w = unit / 8, i;

	insist(open_again());
	insist(map_at(&p, 6 * unit));
	for (i = 0; i < 6; i++)
		insist(add_one(p + i * w));
	for (i = 0; i < 6; i++)
		insist(device_adds(p + i * w));
	insist(advise(0, p, 3 * unit, GMEM_MADV_PREFETCH));
	insist(submit_and_sync(p + 5 * w));
	hole = p + 2 * w;
	insist(unmap(hole, unit));
	insist(map_at(&hole, unit));
	for (i = 0; i < 6; i++)
		expect(p[i * w] == (i == 2 ? 0 : i == 5 ? 5 : 2));
	insist(advise(-1, p, 2 * unit, GMEM_MADV_DONTNEED));
	insist(unmap(p, 3 * unit));
	insist(unmap(p + 3 * w, 3 * unit));
	close(dev);
}

/* Each @step-th allocation of this task's, from opening to closing: how many there are. */
static u32 fail_own(u32 step)
{
	u32 n = 1;

	of_task("thread-self");
	for (arm(n); life(), fired(); arm(n))
		n += step;
	return n - 1;
}

/* ---- the module's threads --------------------------------------------- */

/* Calls @fn with the number of each task whose name is like @name. */
static u32 each_task(const char *name, void (*fn)(const char *pid))
{
	DIR *dir = opendir("/proc");
	struct dirent *d;
	char path[300], comm[64];
	u32 n = 0;

	expect(dir);
	while ((d = readdir(dir))) {
		FILE *f;

		if (!isdigit((unsigned char)d->d_name[0]))
			continue;
		snprintf(path, sizeof(path), "/proc/%s/comm", d->d_name);
		f = fopen(path, "r");
		if (f && fgets(comm, sizeof(comm), f) && !fnmatch(name, comm, 0)) {
			fn(d->d_name);
			n++;
		}
		if (f)
			fclose(f);
	}
	closedir(dir);
	return n;
}

/* Each allocation of the stream's thread, and of the one that answers. */
static u32 fail_thread(const char *name, u64 *p)
{
	u64 value = p[0], i;
	u32 n = 0;
	bool more;

	expect(each_task(name, of_task) == 1);
	do {
		arm(++n);
		for (i = 0; i < 3; i++) {
			insist(device_adds(p));
			expect(p[0] == ++value);
		}
		insist(advise(0, p, unit, GMEM_MADV_PREFETCH));
		more = fired();
	} while (more);
	return n - 1;
}

static void may_fail(const char *pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/make-it-fail", pid);
	put_text(path, "1"); /* a worker may have ended by now */
}

static void may_not(const char *pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/make-it-fail", pid);
	put_text(path, "0");
}

static void set_all(const char *name, const char *value)
{
	static const char *const kinds[] = { "failslab", "fail_page_alloc" };
	char path[64];
	u32 i;

	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", kinds[i], name);
		if (!put_text(path, value) && strcmp(name, "min-order"))
			die("%s: %s (is this a kernel for it?)", path, strerror(errno));
	}
}

/* One in five of what workers and the module's threads ask for. */
static void fail_workers(u64 *p, u64 units, u32 rounds)
{
	u32 i;

	set_all("task-filter", "Y");
	set_all("probability", "20");
	for (i = 0; i < rounds; i++) {
		each_task("gmem-*", may_fail);
		each_task("kworker/u*", may_fail);
		walk(p, units);
		check_core();
	}
	each_task("gmem-*", may_not);
	each_task("kworker/u*", may_not);
	set_all("probability", "0");
	set_all("task-filter", "N");
}

/* inject [ROUNDS [STEP]] */
void test_inject(int argc, char **argv)
{
	u32 rounds = argc > 0 ? (u32)atoi(argv[0]) : 3, step = argc > 1 ? (u32)atoi(argv[1]) : 1;
	u32 own, stream, answers;
	struct gmem_info info;
	u64 units, *p;

	set_all("verbose", "0");
	set_all("times", "-1");
	set_all("ignore-gfp-wait", "N");
	set_all("min-order", "0");
	expect(!ioctl(dev, GMEM_INFO, &info));
	close(dev);
	own = fail_own(step);
	printf("inject: each %u-th of %u allocations of a task failed\n", step, own);
	open_dev();
	units = info.hbm_bytes / unit * devices * 3 / 2;
	p = map(units * unit);
	insist(device_adds(p));
	stream = fail_thread("gmem-[0-9]*", p);
	answers = fail_thread("gmem-answers*", p);
	fail_workers(p, units, rounds);
	printf("inject: each of %u of a stream's, of %u of answers', workers' by chance\n", stream,
	       answers);
	printf("inject: %llu calls repeated\n", (unsigned long long)refused);
	munmap(p, units * unit);
	close(dev);
	check_gone();
}

/* ---- loading ---------------------------------------------------------- */

/* load PARAMETERS [STEP]: each STEP-th allocation of loading fails */
void test_load(int argc, char **argv)
{
	u32 step = argc > 1 ? (u32)atoi(argv[1]) : 1, n, failed = 0;
	bool more = true;
	int fd, err;

	expect(argc > 0);
	fd = open("/gmem.ko", O_RDONLY);
	expect(fd >= 0);
	set_all("verbose", "0");
	set_all("ignore-gfp-wait", "N");
	set_all("min-order", "0");
	of_task("thread-self");
	for (n = 1; more; n += step) {
		arm(n);
		err = syscall(SYS_finit_module, fd, argv[0], 0) ? -errno : 0;
		more = fired();
		if (err && (err != -ENOMEM || !more))
			die("loading with allocation %u failed: %d", n, err);
		failed += err != 0;
		if (!err && syscall(SYS_delete_module, "gmem", O_NONBLOCK))
			die("unloading: %s", strerror(errno));
	}
	printf("load: each %u-th of %u allocations failed, and %u loads\n", step, n - step - 1,
	       failed);
}
