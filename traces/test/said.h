/* SPDX-License-Identifier: GPL-3.0-or-later */
/* said.h - what the code under test says on stderr, as a string */
#ifndef TR_TEST_SAID_H
#define TR_TEST_SAID_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *said_text;
static size_t said_len;
static FILE *said_stderr;

/* glibc lets stderr be assigned; sanitizers write to the descriptor and are still heard. */
static inline void said_begin(void)
{
	said_stderr = stderr;
	stderr = open_memstream(&said_text, &said_len);
}

/* The words since said_begin(); valid until the next one. */
static inline const char *said_end(void)
{
	static char last[4096];

	fclose(stderr);
	stderr = said_stderr;
	snprintf(last, sizeof(last), "%s", said_text);
	free(said_text);
	return last;
}

#endif
