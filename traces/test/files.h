/* SPDX-License-Identifier: GPL-3.0-or-later */
/* files.h - whole files in tests; include after cmocka.h */
#ifndef TR_TEST_FILES_H
#define TR_TEST_FILES_H

#include "sim/base.h"

/* All bytes of a file; to be freed. */
static inline u8 *slurp(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	u8 *p;

	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	*n = (size_t)ftell(f);
	rewind(f);
	p = gs_calloc(*n, 1);
	assert_int_equal(fread(p, 1, *n, f), *n);
	fclose(f);
	return p;
}

/* @n bytes become the file. */
static inline void spill(const char *path, const void *p, size_t n)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, n, f), n);
	fclose(f);
}

#endif
