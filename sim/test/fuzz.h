/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * fuzz.h - what fuzz targets above kernel-core share; include it first
 *
 * A target is LLVMFuzzerTestOneInput() of libFuzzer; without that, mutate.c calls
 * it.  Whatever the input: no crash, no internal error (those end the process),
 * and what is refused has been said.
 */
#ifndef GS_TEST_FUZZ_H
#define GS_TEST_FUZZ_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memfd_create */
#endif
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sim/base.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* Messages go to memory from now on.  glibc lets stderr be assigned. */
static inline void fuzz_listen(void)
{
	static FILE *ear;
	static char *text;
	static size_t len;

	if (!ear) {
		ear = open_memstream(&text, &len);
		stderr = ear;
		gs_quiet = true;
	}
	rewind(ear);
}

/* What holds for every input. */
static inline void fuzz_check(bool ok)
{
	if (!ok)
		abort();
}

/* @ret is 0, or an error that was said since fuzz_listen(). */
static inline bool fuzz_good(int ret)
{
	fuzz_check(ret <= 0 && (!ret || ftell(stderr) > 0));
	return !ret;
}

/* A file of these bytes, good until the next call. */
static inline const char *fuzz_file(const u8 *data, size_t size)
{
	static char path[32];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("fuzz", 0);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	fuzz_check(!ftruncate(fd, 0) && pwrite(fd, data, size, 0) == (ssize_t)size);
	return path;
}

#endif
