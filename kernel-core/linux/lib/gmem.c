// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gmem.c - libgmem
 *
 * The file belongs to the process that opened it, so a child opens its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gmem.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int file = -1;
static pid_t owner;
static unsigned int streams = 1; /* 0 is for those who wait */

static int gmem_file(void)
{
	int fd;

	pthread_mutex_lock(&lock);
	if (file < 0 || owner != getpid()) {
		if (file >= 0)
			close(file);
		file = open("/dev/gmem", O_RDWR | O_CLOEXEC);
		owner = getpid();
		streams = 1;
	}
	fd = file < 0 ? -errno : file;
	pthread_mutex_unlock(&lock);
	return fd;
}

static int call(unsigned long nr, void *arg)
{
	int fd = gmem_file();

	if (fd < 0)
		return fd;
	return ioctl(fd, nr, arg) < 0 ? -errno : 0;
}

static int advise(unsigned long addr, size_t size, int hnid, int behavior, void *stream)
{
	struct hmadvise_arg a = { .hnid = hnid, .start = addr, .len_in = size };
	struct gmem_prog p = { .op = GMEM_OP_ADVISE, .device = hnid, .dst = addr, .bytes = size };

	if (stream) {
		p.value = (uint64_t)behavior;
		return gmemRun(&p, stream);
	}
	a.behavior = behavior;
	return call(GMEM_MADVISE, &a);
}

int gmemPrefetch(unsigned long addr, size_t size, int hnid, void *stream)
{
	return advise(addr, size, hnid, GMEM_MADV_PREFETCH, stream);
}

int gmemFreeEager(unsigned long addr, size_t size, void *stream)
{
	return advise(addr, size, -1, GMEM_MADV_DONTNEED, stream);
}

int gmemGetNumaId(void)
{
	int id, err = call(GMEM_GET_HNUMA_ID, &id);

	return err ? err : id;
}

void *gmemMap(size_t size)
{
	int fd = gmem_file();
	void *p;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return p == MAP_FAILED ? NULL : p;
}

int gmemUnmap(void *addr, size_t size)
{
	return munmap(addr, size) ? -errno : 0;
}

int gmemInfo(struct gmem_info *info)
{
	return call(GMEM_INFO, info);
}

/* ---- streams ---------------------------------------------------------- */

/* A handle is a number that looks like an address. */
static uint32_t number(void *stream)
{
	return (uint32_t)(uintptr_t)stream;
}

void *gmemStreamCreate(void)
{
	void *stream = NULL;

	if (gmem_file() < 0)
		return NULL;
	pthread_mutex_lock(&lock);
	if (streams < GMEM_MAX_STREAMS)
		stream = (void *)(uintptr_t)streams++;
	pthread_mutex_unlock(&lock);
	return stream;
}

int gmemStreamSync(void *stream, uint64_t *result)
{
	struct gmem_sync y = { .stream = number(stream) };
	int err;

	do
		err = call(GMEM_STREAM_SYNC, &y);
	while (err == -EINTR);
	if (!err && result)
		*result = y.result;
	return err ? err : y.err;
}

int gmemRun(struct gmem_prog *prog, void *stream)
{
	int err;

	prog->stream = number(stream);
	err = call(stream ? GMEM_PROG_SUBMIT : GMEM_PROG_RUN, prog);
	return err ? err : stream ? 0 : prog->err;
}
