// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_test_map.c - ioctls and mappings: what they do and what they refuse
 */
#define _GNU_SOURCE /* mremap() */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gm_test.h"

static void bad_advice(u64 *p)
{
	u64 max = ~0ULL;

	expect(advise(0, p, unit, 12345) == -EINVAL);
	expect(advise(-1, p, unit, GMEM_MADV_PREFETCH) == -EINVAL);
	expect(advise(99, p, unit, GMEM_MADV_PREFETCH) == -EINVAL);
	expect(advise(65536, p, unit, GMEM_MADV_PREFETCH) == -EINVAL);
	expect(advise(-2, p, unit, GMEM_MADV_DONTNEED) == -EINVAL);
	/* openEuler's I80KLC: this brought a machine down */
	expect(advise(-1, (void *)max, max, GMEM_MADV_DONTNEED) == -EINVAL);
	expect(advise(0, p, max, GMEM_MADV_PREFETCH) == -EINVAL);
	expect(advise(0, p, 5 * unit, GMEM_MADV_PREFETCH) == -EINVAL); /* beyond the range */
	expect(advise(0, (void *)4096, unit, GMEM_MADV_PREFETCH) == -EINVAL);
	expect(advise(-1, (void *)4096, unit, GMEM_MADV_DONTNEED) == 0); /* nothing there */
	expect(ioctl(dev, GMEM_MADVISE, (void *)1) < 0 && errno == EFAULT);
	expect(ioctl(dev, GMEM_GET_HNUMA_ID, NULL) < 0 && errno == EFAULT);
	expect(ioctl(dev, _IO(GMEM_MAGIC, 9), NULL) < 0 && errno == EINVAL);
}

static void bad_programs(u64 *p)
{
	struct gmem_prog q = { .op = GMEM_NR_OPS };

	expect(ioctl(dev, GMEM_PROG_RUN, &q) < 0 && errno == EINVAL);
	expect(prog(GMEM_OP_FILL, GMEM_MAX_STREAMS, p, NULL, 8, 1, 0, NULL) == -EINVAL);
	expect(prog(GMEM_OP_FILL, 0, (char *)p + 1, NULL, 8, 1, 0, NULL) == -EINVAL);
	expect(prog(GMEM_OP_FILL, 0, p, NULL, ~7ULL, 1, 0, NULL) == -EINVAL);
	expect(prog(GMEM_OP_STRIDE, 0, p, NULL, 64, 1, 0, NULL) == -EINVAL);
	expect(prog(GMEM_OP_RANDOM, 0, p, NULL, 0, 1, 5, NULL) == -EINVAL);
	expect(prog(GMEM_OP_FILL, 0, (void *)4096, NULL, 8, 1, 0, NULL) == -EFAULT);
	expect(prog(GMEM_OP_COPY, 0, p, (void *)4096, 8, 1, 0, NULL) == -EFAULT);
	expect(prog(GMEM_OP_FILL, 0, p, NULL, 5 * unit, 1, 0, NULL) == -EFAULT);
}

static void programs_do_what_they_say(u64 *p)
{
	u64 i, n = unit / 8, sum, state = 42;
	u64 *q = calloc(n, 8);

	expect(!prog(GMEM_OP_FILL, 0, p, NULL, unit, 5, 3, NULL));
	expect(!prog(GMEM_OP_STRIDE, 0, p, NULL, unit, 100, 64, NULL));
	expect(!prog(GMEM_OP_RANDOM, 0, p, NULL, unit, state, 1000, NULL));
	expect(!prog(GMEM_OP_CHECKSUM, 0, p, NULL, unit, 0, 0, &sum));
	for (i = 0; i < n; i++)
		q[i] = 5 + 3 * i + (i % 8 ? 0 : 100);
	for (i = 0; i < 1000; i++)
		q[next_random(&state) % n]++;
	expect(!memcmp(p, q, unit));
	for (i = 0; i < n; i++)
		sum -= q[i] * (2 * i + 1);
	expect(!sum);
	free(q);
}

static void streams_keep_order(u64 *p)
{
	struct gmem_prog a = {
		.op = GMEM_OP_FILL, .stream = 3, .dst = (uintptr_t)p, .bytes = unit
	};
	struct gmem_prog b = { .op = GMEM_OP_ADVISE,
			       .stream = 3,
			       .dst = (uintptr_t)p,
			       .bytes = unit,
			       .device = -1,
			       .value = GMEM_MADV_DONTNEED };
	struct gmem_prog c = {
		.op = GMEM_OP_CHECKSUM, .stream = 3, .dst = (uintptr_t)p, .bytes = unit
	};
	struct gmem_sync y = { .stream = 3 };

	a.value = 7;
	expect(!ioctl(dev, GMEM_PROG_SUBMIT, &a) && !ioctl(dev, GMEM_PROG_SUBMIT, &c));
	expect(!ioctl(dev, GMEM_STREAM_SYNC, &y) && !y.err);
	expect(y.result == checksum(unit / 8, 7, 0));
	expect(!ioctl(dev, GMEM_PROG_SUBMIT, &b) && !ioctl(dev, GMEM_PROG_SUBMIT, &c));
	expect(!ioctl(dev, GMEM_STREAM_SYNC, &y) && !y.err && !y.result);
	c.dst = 4096;
	expect(!ioctl(dev, GMEM_PROG_SUBMIT, &c) && !ioctl(dev, GMEM_PROG_SUBMIT, &a));
	expect(!ioctl(dev, GMEM_STREAM_SYNC, &y) && y.err == -EFAULT);
	expect(!ioctl(dev, GMEM_STREAM_SYNC, &y) && !y.err);
}

void test_ioctl(int argc, char **argv)
{
	u64 value, *p = map(4 * unit);
	int id = -1;

	expect(GMEM_GET_HNUMA_ID == 0x40085501 && GMEM_MADVISE == 0x40205502);
	expect(sizeof(struct hmadvise_arg) == 32 && offsetof(struct hmadvise_arg, start) == 8 &&
	       offsetof(struct hmadvise_arg, len_in) == 16 &&
	       offsetof(struct hmadvise_arg, behavior) == 24);
	expect(!ioctl(dev, GMEM_GET_HNUMA_ID, &id) && id == 0);
	expect(place(p) == '.');
	p[0] = 11;
	expect(place(p) == 'C');
	expect(!advise(id, p + 10, 8, GMEM_MADV_PREFETCH)); /* rounds outward */
	expect(place(p) == '0' && place(p + unit / 8) == '.');
	expect(p[0] == 11 && place(p) == 'C');
	expect(!advise(-1, p + 1, unit, GMEM_MADV_DONTNEED)); /* rounds inward */
	expect(p[0] == 11);
	expect(!advise(-1, p, unit, GMEM_MADV_DONTNEED));
	expect(place(p) == '.' && p[0] == 0);
	if (!advise(id, p, unit, GMEM_MADV_PINNED)) {
		expect(place(p) == '0' && try_read(p, &value) == SIGBUS);
		expect(!advise(id, p, unit, GMEM_MADV_UNPINNED) && !try_read(p, &value));
	}
	expect(!advise(id, p, unit, GMEM_MADV_WILLNEED));
	bad_advice(p);
	bad_programs(p);
	programs_do_what_they_say(p);
	streams_keep_order(p);
	munmap(p, 4 * unit);
}

/* ---- mappings --------------------------------------------------------- */

static int in_child(void (*fn)(u64 *p), u64 *p)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		fn(p);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

/* The file came along, the range did not; with its own file all is well. */
static void child(u64 *p)
{
	struct hmadvise_arg a = {
		.hnid = 0, .start = (uintptr_t)p, .len_in = unit, .behavior = GMEM_MADV_PREFETCH
	};
	u64 value;

	expect(try_read(p, &value) == SIGSEGV);
	expect(ioctl(dev, GMEM_MADVISE, &a) < 0 && errno == EPERM);
	expect(prog(GMEM_OP_FILL, 0, p, NULL, 8, 1, 0, NULL) == -EPERM);
	expect(mmap(NULL, unit, PROT_READ, MAP_SHARED, dev, 0) == MAP_FAILED && errno == EPERM);
	dev = -1;
	open_dev();
	/* the same address, another space */
	expect(mmap(p, unit, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, dev, 0) == p);
	expect(p[0] == 0);
	p[0] = 99;
	expect(!prog(GMEM_OP_STRIDE, 0, p, NULL, 8, 1, 8, NULL) && p[0] == 100);
}

static void fork_does_not_inherit(u64 *p)
{
	p[0] = 1;
	expect(madvise(p, unit, MADV_DOFORK) < 0);
	expect(in_child(child, p) == 0);
	expect(p[0] == 1);
	expect(!prog(GMEM_OP_STRIDE, 0, p, NULL, 8, 1, 8, NULL));
	expect(in_child(child, p) == 0);
	expect(p[0] == 2);
}

static void refusals(u64 *p)
{
	void *q;

	expect(mmap(NULL, unit, PROT_READ, MAP_PRIVATE, dev, 0) == MAP_FAILED);
	expect(mmap(NULL, unit, PROT_READ | PROT_EXEC, MAP_SHARED, dev, 0) == MAP_FAILED);
	expect(mprotect(p, unit, PROT_READ | PROT_EXEC) < 0);
	if (unit > 4096) {
		expect(mmap(NULL, unit / 2, PROT_READ, MAP_SHARED, dev, 0) == MAP_FAILED);
		expect(munmap(p, 4096) < 0 && errno == EINVAL);
		expect(mprotect(p, 4096, PROT_READ) < 0 && errno == EINVAL);
	}
	expect(mremap(p, 8 * unit, 16 * unit, MREMAP_MAYMOVE) == MAP_FAILED);
	q = mmap(NULL, 16 * unit, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect(mremap(p, 8 * unit, 8 * unit, MREMAP_MAYMOVE | MREMAP_FIXED, q) == MAP_FAILED);
	expect(mremap(p, 0, unit, MREMAP_MAYMOVE) == MAP_FAILED);
	munmap(q, 16 * unit);
}

/* Cut holes, map them again, look that what remains is what it was. */
static void parts(u64 *p)
{
	u64 w = unit / 8, i, value;

	for (i = 0; i < 8; i++)
		p[i * w] = i + 1;
	expect(!prog(GMEM_OP_STRIDE, 0, p, NULL, 4 * unit, 10, unit, NULL));
	expect(!munmap(p + 2 * w, unit) && !munmap(p + 6 * w, unit));
	expect(try_read(p + 2 * w, &value) == SIGSEGV);
	expect(prog(GMEM_OP_FILL, 0, p + 2 * w, NULL, 8, 1, 0, NULL) == -EFAULT);
	expect(advise(0, p, 4 * unit, GMEM_MADV_PREFETCH) == -EINVAL);
	expect(!advise(-1, p + 5 * w, 3 * unit, GMEM_MADV_DONTNEED)); /* over the hole */
	expect(mmap(p + 2 * w, unit, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, dev, 0) ==
	       p + 2 * w);
	expect(p[2 * w] == 0);
	for (i = 0; i < 5; i++)
		expect(i == 2 || p[i * w] == i + 1 + (i < 4 ? 10 : 0));
	expect(p[5 * w] == 0 && p[7 * w] == 0);
	/* over itself */
	expect(mmap(p, unit, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, dev, 0) == p);
	expect(p[0] == 0);
}

static void protection(u64 *p)
{
	u64 w = unit / 8;

	p[w] = 5;
	expect(!mprotect(p + w, unit, PROT_READ));
	expect(try_write(p + w, 6) == SIGSEGV && p[w] == 5);
	expect(!prog(GMEM_OP_STRIDE, 0, p + w, NULL, 8, 1, 8, NULL) && p[w] == 6);
	expect(!mprotect(p + w, unit, PROT_READ | PROT_WRITE));
	p[w] = 7;
	expect(p[w] == 7);
}

/* System calls copy to and from a range; nobody pins its pages. */
static void system_calls(u64 *p)
{
	int fds[2];

	expect(!pipe(fds));
	p[0] = 0x1234;
	expect(!advise(0, p, unit, GMEM_MADV_PREFETCH));
	expect(write(fds[1], p, 8) == 8);
	expect(!advise(0, p, 2 * unit, GMEM_MADV_PREFETCH));
	expect(place(p) == '0' && place(p + unit / 8) == '0');
	expect(read(fds[0], p + unit / 8, 8) == 8 && p[unit / 8] == 0x1234);
	close(fds[0]);
	close(fds[1]);
}

void test_maps(int argc, char **argv)
{
	u64 *p = map(8 * unit), i;

	fork_does_not_inherit(p);
	refusals(p);
	parts(p);
	protection(p);
	system_calls(p + 3 * unit / 8);
	check_core();
	for (i = 0; i < 200; i++) { /* gone while on its way */
		u64 *q = map(8 * unit);
		struct gmem_prog a = { .op = GMEM_OP_ADVISE,
				       .stream = 1,
				       .dst = (uintptr_t)q,
				       .bytes = 8 * unit,
				       .value = GMEM_MADV_PREFETCH };

		q[i % 8 * unit / 8] = 1;
		expect(!ioctl(dev, GMEM_PROG_SUBMIT, &a));
		expect(!munmap(q, 4 * unit) && !munmap(q + 4 * unit / 8, 4 * unit));
	}
	munmap(p, 6 * unit);
	close(dev); /* a range outlives the file's number */
	expect(p[7 * unit / 8] == 0);
	p[7 * unit / 8] = 1;
	munmap(p + 7 * unit / 8, unit);
	munmap(p + 6 * unit / 8, unit);
	check_gone();
}

/* ---- huge mappings ---------------------------------------------------- */

/* A unit of 2 MiB is one fault, and with huge=0 it is one too, of 512 entries. */
void test_huge(int argc, char **argv)
{
	u64 faults, i, k, *p;

	for (k = 0; k < 2; k++) {
		set_param("huge", !k);
		p = map(8 * unit);
		faults = stat_of("cpu_fault_zero");
		for (i = 0; i < 8 * unit / 8; i += 512)
			p[i] = i;
		expect(stat_of("cpu_fault_zero") - faults == 8);
		for (i = 0; i < 8 * unit / 8; i += 512)
			expect(p[i] == i);
		expect(!prog(GMEM_OP_STRIDE, 0, p, NULL, 8 * unit, 1, 4096, NULL));
		for (i = 0; i < 8 * unit / 8; i += 512)
			expect(p[i] == i + 1);
		munmap(p, 8 * unit);
	}
	set_param("huge", 1);
}
