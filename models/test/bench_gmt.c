/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bench_gmt.c - size and speed of .gmt files, and of their replay, by the CPU second
 *
 * A recorded job (every duration and address is new), one of many equal
 * iterations, and one of many devices.  A record is an operation: an allocation,
 * a kernel with its operands.  Prints lines "name value unit".
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "models/test/world.h"
#include "traces/cmd.h"
#include "traces/trace.h"

static const char copy[] = "build/bench_gmt_copy.gmt";

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void line(const char *job, const char *name, double value, const char *unit)
{
	printf("gmt.%s_%s %.*f %s\n", job, name,
	       value < 10     ? 3
	       : value < 1000 ? 1
			      : 0,
	       value, unit);
	fflush(stdout);
}

static u64 touches; /* of the job that was read last */

/* Every operation, and where @w is none of NULL into that. */
static void read_all(struct gs_source *src, struct tr_writer *w)
{
	struct gs_op op;

	touches = 0;
	gs_assert(!gs_source_seek(src, GS_REWIND));
	while (gs_source_next(src, &op) == 1) {
		touches += op.type == GS_OP_KERNEL ? op.kernel.ntouches : 0;
		gs_assert(!w || !tr_writer_put(w, &op));
	}
}

/* Seconds to read @src once; it is read often enough to tell. */
static double time_read(struct gs_source *src)
{
	double t0;
	u32 n = 0;

	read_all(src, NULL); /* the checker has seen all of it now */
	t0 = cpu_seconds();
	do {
		read_all(src, NULL);
		n++;
	} while (cpu_seconds() - t0 < 0.5);
	return (cpu_seconds() - t0) / n;
}

/* Seconds to write what is in @src, reading not counted. */
static double time_write(struct gs_source *src, double read, off_t *bytes)
{
	const struct gs_job *j = &src->job;
	const struct tr_meta meta = { .name = j->name,
				      .framework = j->framework,
				      .source = j->source,
				      .recorded = j->recorded,
				      .device_names = j->device_names,
				      .ndevices = j->ndevices,
				      .page_hint = j->page_hint };
	double t0 = cpu_seconds();
	struct stat st;
	u32 n = 0;

	do {
		struct tr_writer *w = tr_writer_new(copy, &meta);

		gs_assert(w);
		read_all(src, w);
		gs_assert(!tr_writer_finish(w));
		n++;
	} while (cpu_seconds() - t0 < 0.5);
	gs_assert(!stat(copy, &st));
	unlink(copy);
	*bytes = st.st_size;
	return (cpu_seconds() - t0) / n - read;
}

/* Seconds of a replay in so much memory that nothing is evicted. */
static double time_replay(struct gs_source *src, const char *manager)
{
	double t0;
	struct world w;

	world_init(&w, manager, 1 << 20);
	w.unchecked = true;
	w.machine.device.count = src->job.ndevices;
	t0 = cpu_seconds();
	gs_assert(!world_replay(&w, src));
	t0 = cpu_seconds() - t0;
	world_fini(&w);
	return t0;
}

static void bench(const char *job, const char *path)
{
	static const char *const managers[] = { "ideal", "gmem" };
	struct gs_source *src;
	double read, write;
	char name[32];
	off_t bytes;

	gs_assert(!tr_open(path, &src));
	read = time_read(src);
	write = time_write(src, read, &bytes);
	line(job, "size", (double)bytes / (double)touches, "bytes/touch");
	line(job, "write", (double)src->job.nops / write / 1e6, "M/s");
	line(job, "read", (double)src->job.nops / read / 1e6, "M/s");
	line(job, "read_touches", (double)touches / read / 1e6, "M/s");
	for (size_t i = 0; i < GS_ARRAY_SIZE(managers); i++) {
		snprintf(name, sizeof(name), "replay_%s_over_read", managers[i]);
		line(job, name, time_replay(src, managers[i]) / read, "ratio");
	}
	gs_source_close(src);
}

/* The same for a job of the generator. */
static void bench_generated(const char *job, char **words)
{
	static char path[] = "build/bench_gmt.gmt";
	char *argv[32] = { "trace", "gen", "-o", path };
	FILE *out = stdout;
	int argc = 4;

	while (*words)
		argv[argc++] = *words++;
	stdout = fopen("/dev/null", "w");
	gs_assert(tr_cmd(argc, argv) == GS_EXIT_OK);
	fclose(stdout);
	stdout = out;
	bench(job, path);
	unlink(path);
}

int main(void)
{
	static char *gpt2[] = { "--model", "gpt2", "--iterations", "50", NULL };
	static char *llama[] = { "--model",	 "llama-70b", "--dtype", "bf16",       "--seq",
				 "4096",	 "--devices", "8",	 "--parallel", "tp",
				 "--checkpoint", "block",     NULL };

	bench("recorded", "traces/sample/gpt2-small.gmt");
	bench_generated("iterations", gpt2);
	bench_generated("devices", llama);
	return 0;
}
