/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * bench_gmt.c - size and speed of .gmt files, and of their replay, by the CPU second
 *
 * Recorded jobs (every duration and address is new), one of many equal
 * iterations, and one of many devices.  A record is an operation: an allocation,
 * a kernel with its operands.  What is read is opened, unpacked and checked, what
 * is replayed is that too, in memory that suffices; of several times the best
 * counts, since others use the machine as well.  Prints lines "name value unit".
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

enum { SECONDS = 3 }; /* for a job */

static double least(double a, double b)
{
	return a < b ? a : b;
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

/* What is timed: reading, or a replay with so much memory of the job's peak. */
static const struct what {
	const char *name, *manager;
	u32 percent;
} whats[] = {
	{ "read", NULL, 0 },
	{ "replay_ideal", "ideal", 200 },
	{ "replay_gmem", "gmem", 200 },
	{ "replay_in_half", "gmem", 50 },
};
enum { READ, IDEAL, GMEM, HALF, WHATS };

static void replay(struct gs_source *src, const struct what *what)
{
	u64 peak = src->job.bytes_peak / src->job.ndevices;
	struct world w;

	world_init(&w, what->manager, 1);
	w.unchecked = true;
	w.common.variant = "gmem+";
	w.machine.device.count = src->job.ndevices;
	w.machine.device.hbm_capacity = peak / UNIT * what->percent / 100 * UNIT;
	gs_assert(!world_replay(&w, src));
	world_fini(&w);
}

/* Seconds of each, from opening the trace on: the best of some rounds. */
static void time_all(const char *path, double best[WHATS])
{
	double t, begin = cpu_seconds();
	struct gs_source *src;

	for (u32 i = 0; i < WHATS; i++)
		best[i] = 1e9;
	for (u32 i = 0; i < WHATS || cpu_seconds() - begin < SECONDS; i++) {
		const struct what *what = &whats[i % WHATS];

		t = cpu_seconds();
		gs_assert(!tr_open(path, &src));
		if (what->manager)
			replay(src, what);
		else
			read_all(src, NULL);
		gs_source_close(src);
		best[i % WHATS] = least(best[i % WHATS], cpu_seconds() - t);
	}
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

static double least_over_read = 1e9; /* of replays under gmem+, of all jobs */

static void bench(const char *job, const char *path)
{
	struct gs_source *src;
	double best[WHATS], write;
	char name[64];
	off_t bytes;

	time_all(path, best);
	gs_assert(!tr_open(path, &src));
	write = time_write(src, best[READ], &bytes);
	line(job, "size", (double)bytes / (double)touches, "bytes/touch");
	line(job, "write", (double)src->job.nops / write / 1e6, "M/s");
	line(job, "read", (double)src->job.nops / best[READ] / 1e6, "M/s");
	line(job, "read_touches", (double)touches / best[READ] / 1e6, "M/s");
	for (u32 i = IDEAL; i < WHATS; i++) {
		snprintf(name, sizeof(name), "%s_over_read", whats[i].name);
		line(job, name, best[i] / best[READ], "ratio");
	}
	least_over_read = least(least_over_read, best[GMEM] / best[READ]);
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
	bench("resnet50", "traces/sample/resnet50.gmt");
	bench("vit", "traces/sample/vit-small.gmt");
	bench("dlrm", "traces/sample/dlrm.gmt");
	bench_generated("iterations", gpt2);
	bench_generated("devices", llama);
	line("all", "least_replay_gmem_over_read", least_over_read, "ratio");
	return 0;
}
