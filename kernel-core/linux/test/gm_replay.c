// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_replay.c - what `gmemsim module replay` does, small enough for a guest
 *
 *	gm_replay OPLOG >decisions
 */
#include <stdio.h>

#include "gm_replay.h"

static void print(void *arg, u64 n, u64 va, s16 from, s16 to, const char *cause)
{
	printf(GM_DECISION_FORMAT, n, va, from, to, cause);
}

int main(int argc, char **argv)
{
	FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
	struct gm_replay r = { .decision = print };
	enum gm_replay_end end;

	if (!f) {
		fprintf(stderr, "usage: gm_replay OPLOG\n");
		return 2;
	}
	end = gm_replay_file(&r, f);
	fclose(f);
	if (end)
		fprintf(stderr, "gm_replay: byte %llu: %s\n", r.offset, r.why);
	else
		fprintf(stderr, "gm_replay: %llu calls, %llu decisions\n", r.calls, r.decided);
	return (int)end;
}
