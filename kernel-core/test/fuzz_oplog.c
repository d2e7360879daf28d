// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * fuzz_oplog.c - any bytes as an operation log: refused, or replayed to its end
 */
#include <stdlib.h>

#include "kernel-core/port/user/gm_port_host.h"
#include "kernel-core/replay/gm_replay.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static u64 heard;

static void listen(void *arg, u64 n, u64 va, s16 from, s16 to, const char *cause)
{
	if (n != heard++ || !cause)
		abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct gm_replay r = { .decision = listen, .most_units = 4096 };
	FILE *f = size ? fmemopen((void *)data, size, "rb") : NULL;
	u64 live = gm_port_live();
	enum gm_replay_end end;

	if (!f)
		return 0;
	heard = 0;
	end = gm_replay_file(&r, f);
	fclose(f);
	if (gm_port_live() != live || heard != r.decided || !end != !*r.why ||
	    r.offset > size + sizeof(struct gm_log_entry))
		abort();
	return 0;
}
