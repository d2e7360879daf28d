// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_test_fuzz.c - anybody calls anything with anything
 *
 * Processes of several threads map, unmap, touch, fork, advise and submit with
 * arguments that are right, nearly right or rubbish, while failures are injected.
 * Nothing is expected but that the kernel lives, its invariants hold and nothing
 * is left; one page holds a secret that nobody may change.
 */
#define _GNU_SOURCE /* mremap(), process_vm_readv() */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gm_test.h"

#define SLOTS	4
#define UNITS	12
#define THREADS 3

static void *arena; /* SLOTS ranges of UNITS */
static double deadline;
static pthread_barrier_t all_there; /* or a stack would lie in a hole of the arena */
static u64 calls;		    /* of one process */

static u64 some_number(u64 *s)
{
	switch (next_random(s) % 6) {
	case 0:
		return next_random(s);
	case 1:
		return 0 - next_random(s) % 5;
	case 2:
		return 1ULL << next_random(s) % 64;
	default:
		return next_random(s) % (UNITS * unit + 1) & ~7ULL;
	}
}

static u64 some_address(u64 *s)
{
	u64 r = next_random(s);

	if (r % 16 == 0) {
		/* nowhere: an answer must not be written into this very program */
		u64 wild = some_number(s);

		return wild >> 47 ? wild : wild | 1ULL << 46;
	}
	return (uintptr_t)arena + (r >> 8) % (SLOTS * UNITS) * unit +
	       (r % 3 ? 0 : r % unit & ~7ULL);
}

static void fuzz_ioctl(u64 *s)
{
	static const int behaviors[] = { 0, 3, 4, 0x1000, 0x1001, 0x1002, 0x1003, -1 };
	struct hmadvise_arg a = { .hnid = (int)(next_random(s) % 4) - 1,
				  .start = some_address(s),
				  .len_in = some_number(s),
				  .behavior = behaviors[next_random(s) % 8] };
	struct gmem_prog p = { .op = (u32)next_random(s) % (GMEM_NR_OPS + 1),
			       .device = (int)(next_random(s) % 4) - 1,
			       .stream = (u32)next_random(s) % 6,
			       .dst = some_address(s),
			       .src = some_address(s),
			       .bytes = some_number(s) % (4 * unit) & ~7ULL,
			       .value = next_random(s) % 5000,
			       .step = next_random(s) % 512 * 8 };
	struct gmem_sync y = { .stream = (u32)next_random(s) % 20 };

	switch (next_random(s) % 8) {
	case 0:
		ioctl(dev, (unsigned long)next_random(s), some_address(s));
		break;
	case 1:
		ioctl(dev, GMEM_STREAM_SYNC, &y);
		break;
	case 2:
	case 3:
		ioctl(dev, GMEM_PROG_SUBMIT, &p);
		break;
	case 4:
		/* the argument itself may lie in a range, or nowhere */
		ioctl(dev, next_random(s) % 2 ? GMEM_PROG_RUN : GMEM_MADVISE, some_address(s));
		break;
	case 5:
		ioctl(dev, GMEM_PROG_RUN, &p);
		break;
	default:
		ioctl(dev, GMEM_MADVISE, &a);
	}
}

static void fuzz_map(u64 *s)
{
	char *at = (char *)arena + next_random(s) % (SLOTS * UNITS) * unit;
	u64 n = 1 + next_random(s) % UNITS, room = (char *)arena + SLOTS * UNITS * unit - at, m;
	int prot[] = { PROT_READ, PROT_READ | PROT_WRITE, PROT_NONE };

	n = n * unit < room ? n * unit : room;
	switch (next_random(s) % 8) {
	case 0:
	case 1:
		munmap(at, n);
		break;
	case 2:
		mprotect(at, n, prot[next_random(s) % 3]);
		break;
	case 3:
		madvise(at, n, (int)(next_random(s) % 26));
		break;
	case 4:
		/* to elsewhere in the arena, or to where there is room */
		m = n + (next_random(s) % 3 - 1) * unit;
		mremap(at, n, m, MREMAP_MAYMOVE | (next_random(s) % 2 ? MREMAP_FIXED : 0),
		       (char *)arena + next_random(s) % (SLOTS * UNITS - m / unit) * unit);
		break;
	default:
		mmap(at, n, prot[next_random(s) % 3 ? 1 : 0], MAP_SHARED | MAP_FIXED, dev, 0);
	}
}

/* System calls that read, write, lock or look at memory, with memory of a range. */
static void fuzz_system(u64 *s)
{
	void *at = (void *)(uintptr_t)some_address(s);
	struct iovec one = { at, 64 }, two = { (void *)(uintptr_t)some_address(s), 64 };
	unsigned char there[UNITS];
	int fds[2];

	switch (next_random(s) % 6) {
	case 0:
		if (pipe(fds))
			break;
		if (write(fds[1], at, 100) > 0 && read(fds[0], two.iov_base, 50) < 0)
			expect(errno == EFAULT);
		close(fds[0]);
		close(fds[1]);
		break;
	case 1:
		mlock(at, unit);
		break;
	case 2:
		munlock(at, unit);
		break;
	case 3:
		msync(at, unit, MS_SYNC);
		break;
	case 4:
		mincore(at, UNITS * 4096, there);
		break;
	default:
		process_vm_readv(getpid(), &one, 1, &two, 1, 0);
	}
}

/* A child looks around, maps the same place with a file of its own, and is gone. */
static void fuzz_child(u64 *s, u64 *p)
{
	u64 value;

	try_read(p, &value);
	fuzz_ioctl(s);
	if (next_random(s) % 2) {
		dev = open("/dev/gmem", O_RDWR);
		fuzz_map(s);
		fuzz_ioctl(s);
		try_write(p, 1);
	}
	_exit(0);
}

static void *fuzz_thread(void *arg)
{
	u64 s = (uintptr_t)arg, value, n = 0;

	pthread_barrier_wait(&all_there);
	while (seconds() < deadline) {
		u64 *p = (u64 *)((uintptr_t)arena + next_random(&s) % (SLOTS * UNITS) * unit);

		n++;
		switch (next_random(&s) % 9) {
		case 0:
			fuzz_map(&s);
			break;
		case 8:
			fuzz_system(&s);
			break;
		case 1:
		case 2:
		case 3:
			fuzz_ioctl(&s);
			break;
		case 4:
			try_read(p, &value);
			break;
		default:
			try_write(p, n);
		}
		if (next_random(&s) % 512 == 0 && !fork())
			fuzz_child(&s, p);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	__atomic_fetch_add(&calls, n, __ATOMIC_RELAXED);
	return NULL;
}

static void no_more(int sig) {}

/* A stream has minutes of work in its queue: who waits for it is interrupted. */
static void join(pthread_t thread)
{
	struct timespec until;

	for (;;) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
		if (!pthread_timedjoin_np(thread, NULL, &until))
			return;
		if (seconds() > deadline)
			pthread_kill(thread, SIGUSR1);
	}
}

static void fuzz_process(u64 s)
{
	struct sigaction sa = { .sa_handler = no_more };
	pthread_t thread[THREADS];
	u64 i;

	dev = -1;
	open_dev();
	sigaction(SIGUSR1, &sa, NULL);
	pthread_barrier_init(&all_there, NULL, THREADS);
	for (i = 0; i < THREADS; i++)
		expect(!pthread_create(&thread[i], NULL, fuzz_thread,
				       (void *)(uintptr_t)next_random(&s)));
	for (i = 0; i < THREADS; i++)
		join(thread[i]);
	printf("fuzz: %llu calls\n", (unsigned long long)calls);
	_exit(0);
}

/* fuzz SECONDS SEED */
void test_fuzz(int argc, char **argv)
{
	double length = argc > 0 ? atof(argv[0]) : 10, end = seconds() + length;
	u64 s = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, i, *secret = map(unit), round = 0;
	int status;
	pid_t pid[2];

	arena = mmap(NULL, SLOTS * UNITS * unit + unit, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		     0);
	expect(arena != MAP_FAILED);
	arena = (void *)(((uintptr_t)arena + unit - 1) / unit * unit);
	for (; seconds() < end; round++) {
		secret[0] = round;
		if (round % 2)
			expect(!prog(GMEM_OP_STRIDE, 0, secret, NULL, 8, 0, 8, NULL));
		deadline = seconds() + 2;
		fail_nth("fail_copy", round % 3 ? 0 : 5, 11);
		fail_nth("fail_alloc", round % 3 ? 0 : 6, 13);
		fail_nth("fail_msg", round % 3 ? 0 : 7, 17);
		for (i = 0; i < 2; i++) {
			u64 seed = next_random(&s);

			pid[i] = fork();
			if (!pid[i])
				fuzz_process(seed);
		}
		if (round % 4 == 3) {
			usleep((useconds_t)(next_random(&s) % 1000000));
			kill(pid[0], SIGKILL);
		}
		for (i = 0; i < 2; i++) {
			waitpid(pid[i], &status, 0);
			if (status && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
				die("round %llu: a process ended with 0x%x",
				    (unsigned long long)round, (unsigned int)status);
		}
		fail_nth("fail_copy", 0, 0);
		fail_nth("fail_alloc", 0, 0);
		fail_nth("fail_msg", 0, 0);
		check_core();
		expect(secret[0] == round);
	}
	munmap(secret, unit);
	close(dev);
	check_gone();
}
