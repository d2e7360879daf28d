/* SPDX-License-Identifier: GPL-3.0-or-later */
/* command.h - a command of `gmemsim trace` as a user types it, and what it answers */
#ifndef TR_TEST_COMMAND_H
#define TR_TEST_COMMAND_H

#include "traces/cmd.h"
#include "traces/test/said.h"

static char *out; /* what the last command printed */
static const char *err;

/* Run `gmemsim trace WORDS...`; the exit code. */
static inline int run(const char *words)
{
	char *argv[24] = { "trace" }, *line = gs_strdup(words), *save;
	FILE *real = stdout;
	size_t len;
	int argc = 1, code;

	for (char *w = strtok_r(line, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	free(out);
	stdout = open_memstream(&out, &len);
	said_begin();
	code = tr_cmd(argc, argv);
	err = said_end();
	fclose(stdout);
	stdout = real;
	free(line);
	return code;
}

#endif
