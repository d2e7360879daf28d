// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_test_other.c - another process neither sees a range nor changes it
 *
 * Root with a file of its own, at the same addresses, on the same devices, taking
 * their memory away; root who reaches over by ptrace's ways; somebody who is not
 * root; and he who gets the memory next.
 */
#define _GNU_SOURCE /* process_vm_readv() */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gm_test.h"

#define SECRET 0x5ec2e75ec2e7ULL

static u64 *range, units;

/* Every word of a range that was just mapped is 0, for the device and for the CPU. */
static void all_zero(u64 *p)
{
	u64 i, sum, odd = 0;

	on_device = (on_device + 1) % devices;
	expect(!prog(GMEM_OP_CHECKSUM, 0, p, NULL, units / 2 * unit, 0, 0, &sum) && !sum);
	for (i = 0; i < units * unit / 8; i++)
		odd |= p[i];
	expect(!odd);
}

/* The parent's addresses in a space of one's own; it takes all that the devices have. */
static void neighbour(void)
{
	u32 d;

	dev = -1;
	open_dev();
	expect(prog(GMEM_OP_FILL, 0, range, NULL, unit, 1, 0, NULL) == -EFAULT);
	expect(advise(0, range, unit, GMEM_MADV_PREFETCH) == -EINVAL);
	expect(!advise(-1, range, units * unit, GMEM_MADV_DONTNEED));
	expect(mmap(range, units * unit, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, dev, 0) ==
	       range);
	all_zero(range);
	for (d = 0; d < devices; d++) {
		on_device = d;
		expect(!prog(GMEM_OP_FILL, 0, range, NULL, units * unit, d, 1, NULL));
	}
	advise(-1, range, units * unit, GMEM_MADV_DONTNEED);
}

/* Nobody's memory but by its owner's own accesses: no page of it can be pinned. */
static void debugger(void)
{
	u64 word = 1;
	struct iovec here = { &word, 8 }, there = { range, 8 }, his = { &units, 8 };
	pid_t owner = getppid();
	char path[64];
	int fd;

	expect(process_vm_readv(owner, &here, 1, &his, 1, 0) == 8 && word == units);
	expect(process_vm_readv(owner, &here, 1, &there, 1, 0) < 0);
	expect(process_vm_writev(owner, &here, 1, &there, 1, 0) < 0);
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)owner);
	fd = open(path, O_RDWR);
	expect(fd >= 0);
	expect(pread(fd, &word, 8, (off_t)(uintptr_t)range) <= 0);
	expect(pwrite(fd, &word, 8, (off_t)(uintptr_t)range) <= 0);
}

static void nobody(void)
{
	u64 word;

	expect(!setgid(65534) && !setuid(65534));
	expect(open("/dev/gmem", O_RDWR) < 0 && errno == EACCES);
	expect(open("/dev/gmem", O_RDONLY) < 0 && errno == EACCES);
	expect(open(DEBUG "units", O_RDONLY) < 0 && errno == EACCES);
	expect(open(DEBUG "fail_copy", O_WRONLY) < 0 && errno == EACCES);
	/* the file came along, and is of no use */
	expect(advise(-1, range, unit, GMEM_MADV_DONTNEED) == -EPERM);
	expect(read(dev, &word, 8) < 0 && write(dev, &word, 8) < 0);
}

/* Another program in the same process number: its memory is another. */
static void successor(void)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", dev);
	execl("/proc/self/exe", "gm_test", "inherited", number, NULL);
	die("exec: %d", errno);
}

/* inherited FD: what the successor finds */
void test_inherited(int argc, char **argv)
{
	struct gmem_info info;

	expect(argc == 1 && sscanf(argv[0], "%d", &dev) == 1);
	expect(ioctl(dev, GMEM_INFO, &info) < 0 && errno == EPERM);
	expect(mmap(NULL, 2 << 20, PROT_READ, MAP_SHARED, dev, 0) == MAP_FAILED && errno == EPERM);
}

static void check_secret(void)
{
	u64 i;

	for (i = 0; i < units * unit / 8; i++)
		expect(range[i] == SECRET + i);
}

void test_other(int argc, char **argv)
{
	static void (*const others[])(void) = { neighbour, debugger, nobody, successor };
	struct gmem_info info;
	u32 i;
	int status;

	expect(!ioctl(dev, GMEM_INFO, &info));
	units = info.hbm_bytes / unit * devices * 3 / 2;
	range = map(units * unit);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		/* some of it with the devices, some with the CPU */
		expect(!prog(GMEM_OP_FILL, 0, range, NULL, units * unit, SECRET, 1, NULL));
		expect(range[0] == SECRET);
		if (!fork()) {
			others[i]();
			_exit(0);
		}
		expect(wait(&status) > 0);
		if (status)
			die("somebody else, number %u, ended with 0x%x", i, (unsigned int)status);
		check_secret();
	}
	/* what was here is nowhere when somebody gets the memory next */
	expect(!prog(GMEM_OP_FILL, 0, range, NULL, units * unit, SECRET, 1, NULL));
	munmap(range, units * unit);
	open_dev();
	range = map(units * unit);
	all_zero(range);
	check_core();
	munmap(range, units * unit);
	close(dev);
	check_gone();
}
