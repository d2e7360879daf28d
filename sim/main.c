/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main.c - the commands of gmemsim
 */
#include "sim/main.h"
#include "sim/version.h"
#include "traces/cmd.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct command {
	const char *name, *args, *help;
	int (*run)(int argc, char **argv); /* NULL: of a later version */
	const char *more;		   /* options and examples */
};

static const char run_more[] =
	"  --trace FILE     replay FILE in place of workload.trace\n"
	"  --set KEY=VALUE  any key of the configuration; may be repeated, wins over files\n"
	"  -o DIR           write summary.json and the tables to DIR, whole or not at all\n"
	"  --json           print summary.json in place of the page\n"
	"  --quiet          print nothing but errors\n"
	"  --help-config    every key, with unit, default, range and source\n"
	"\n"
	"  gmemsim run configs/exp/single.yaml\n"
	"  gmemsim run configs/exp/single.yaml --set manager.type=uvm \\\n"
	"          --set device.hbm.capacity=\"40 GiB\" --set workload.iterations=2\n"
	"  gmemsim run configs/exp/single.yaml --set device.hbm.capacity_percent=\"50 %\" -o out\n"
	"\n"
	"Exit status: 0 done, 1 the run failed (static: does not fit), 2 your input, 3 a bug.\n";

static const char sweep_more[] =
	"  -j N             points at a time (as many as there are processors)\n"
	"  -o DIR           where results go (results/NAME for NAME.yaml)\n"
	"  --resume         keep the points in DIR that are finished and still the same\n"
	"  --retry-failed   the same, but run those again that failed\n"
	"  --timeout TIME   a point that takes longer has failed (\"90 s\", \"10 min\", \"2 h\")\n"
	"  --engine local   this machine; slurm comes with a later version\n"
	"  --set, --trace, --quiet   as for run\n"
	"\n"
	"The section `sweep` of the configuration names the axes; the points are their grid:\n"
	"\n"
	"  sweep:\n"
	"    axes:\n"
	"      - hbm_percent: [100, 75, 50, 25]       # of the job's footprint\n"
	"      - key: link.h2d                        # any key: a list of values ...\n"
	"        values: [25 GB/s, 50 GB/s]\n"
	"      - key: manager.unit                    # ... or from, to, step\n"
	"        from: 2 MiB\n"
	"        to: 8 MiB\n"
	"        step: 2 MiB\n"
	"      - name: policy                         # several keys together\n"
	"        cases:\n"
	"          - {label: uvm, set: {manager.type: uvm}}\n"
	"          - {label: tree, set: {manager.type: gmem, manager.prefetcher: tree}}\n"
	"\n"
	"DIR/sweep.csv has one row a point, in the order of the grid; a point that fails, crashes\n"
	"or hangs is a row with its reason.  DIR/points has summary.json of each.  A sweep may be\n"
	"killed at any moment: --resume goes on, and the results are the same to the byte.\n";

static const char config_more[] =
	"  --schema         every key as a page of Markdown; needs no configuration\n"
	"  --set, --trace   as for run\n"
	"\n"
	"Prints the configuration as it takes effect: files, bases, --set and defaults.\n";

static const char calibrate_more[] =
	"  -o FILE          write the preset there, not to standard output\n"
	"\n"
	"The configuration (configs/exp/a100.yaml) names the machine, the values to begin with,\n"
	"and under a100.calibrate folders of the G10 artifact, below $GMEMSIM_DATA/g10.\n";

static const char validate_more[] =
	"  --fitted         a100: the kernels that were fitted (a100.calibrate), not "
	"a100.validate\n"
	"  -o FILE.csv      the table as a file besides\n"
	"\n"
	"  gmemsim validate a100      kernels that fault on an A100, predicted by the uvm model:\n"
	"                             errors by network and class, the worst with an explanation\n"
	"  gmemsim validate points    figures that others published, each beside a run of ours\n"
	"\n"
	"Folders of the G10 artifact are below $GMEMSIM_DATA/g10.  An experiment of `points` is a\n"
	"configuration, mostly with a sweep, and a section that says what its runs are to show:\n"
	"\n"
	"  points:\n"
	"    hmm-fault:\n"
	"      what: a 2 MiB fault of HMM\n"
	"      source: who published it\n"
	"      published: 966 us\n"
	"      value: stall_ps            # a column of sweep.csv, or uvm.batches of summary.json\n"
	"      at: 4 KiB                  # a case of each axis; * for the range over all of them\n"
	"      why: what is assumed\n"
	"\n"
	"over, over_at: divide by that counter, or by the same of another run; per: by a number;\n"
	"saved: 1 less that; within, or low and high: what is accepted; open: why it is off.\n"
	"Exit status 1: a figure is off and nothing says why.\n";

static const char module_more[] =
	"  replay OPLOG     make the calls again that gmem.ko recorded (debugfs gmem/oplog)\n"
	"  run PROGRAM      run a program as gmem.ko does with its parameter serial\n"
	"    --decisions FILE   write the decisions there, not to standard output\n"
	"    --expect FILE      compare them with the kernel's (debugfs gmem/decisions), byte for "
	"byte\n"
	"    --variant gmem+, --evictor auto, --prefetcher auto, --seed 1, --serial 1\n"
	"                       of run: the module's parameters; a log tells its own\n"
	"    --quiet            print nothing but errors\n"
	"  program TRACE    write a trace as a program, times left out\n"
	"    -o FILE            there, not to standard output\n"
	"    --unit \"4 KiB\"     of the module\n"
	"    --trace-unit \"2 MiB\"  of the trace: becomes one of the module's\n"
	"    --hbm \"50 %\"       memory of a device, of all that is mapped\n"
	"    --iterations 1     0: all\n"
	"    --kernels 0        that many at most; 0: all\n"
	"    --prefetch         advise before each kernel what it will touch\n"
	"    --free-eager       advise that freed tensors are dropped\n"
	"\n"
	"  gmemsim module program job.gmt -o job.prog\n"
	"  gmemsim module run job.prog --variant gmem-olk66 --decisions here\n"
	"\n"
	"Exit status: 0 the same, 1 the kernel decided otherwise, 2 your input.\n"
	"kernel-core/linux/README.md tells how logs are recorded.\n";

static const char trace_more[] = "  gmemsim trace help tells more.\n";

static const struct command commands[] = {
	{ "run", "CONFIG.yaml [--trace FILE] [--set KEY=VALUE]... [-o DIR] [--json] [--quiet]",
	  "replay one job on one machine under one manager", cmd_run, run_more },
	{ "sweep", "CONFIG.yaml [-j N] [--resume | --retry-failed] [--timeout TIME] [-o DIR]",
	  "the same over a grid of settings, in parallel", cmd_sweep, sweep_more },
	{ "trace", "info|cat|stat|verify|import ...", "look at, check and import traces", tr_cmd,
	  trace_more },
	{ "list", "", "managers, policies, machines and timings to choose from", cmd_list, "" },
	{ "config", "CONFIG.yaml | --schema", "the configuration as it takes effect", cmd_config,
	  config_more },
	{ "size", NULL, NULL, NULL, NULL },
	{ "mrc", NULL, NULL, NULL, NULL },
	{ "explain", NULL, NULL, NULL, NULL },
	{ "compare", NULL, NULL, NULL, NULL },
	{ "report", NULL, NULL, NULL, NULL },
	{ "migrate", NULL, NULL, NULL, NULL },
	{ "calibrate", "[CONFIG.yaml] [-o PRESET.yaml]",
	  "fit times of the uvm model to kernels timed on an A100", cmd_calibrate, calibrate_more },
	{ "validate", "a100 [CONFIG.yaml] [--fitted] | points [CONFIG.yaml]... [-o FILE.csv]",
	  "compare models with what was measured or published", cmd_validate, validate_more },
	{ "module", "replay OPLOG | run PROGRAM | program TRACE ...",
	  "decide again what gmem.ko decided, and compare", cmd_module, module_more },
};

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < GS_ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static void program_help(FILE *f)
{
	fputs("gmemsim - what overcommitting device memory costs a training job\n\n"
	      "Replays a recorded job on a described machine under a memory manager (GMEM, UVM,\n"
	      "explicit allocation, or the ideal of memory without end) and tells where the time\n"
	      "goes.\n\n",
	      f);
	for (size_t i = 0; i < GS_ARRAY_SIZE(commands) && commands[i].run; i++)
		fprintf(f, "  gmemsim %-9s %s\n", commands[i].name, commands[i].help);
	fputs("\nBegin with\n\n"
	      "  gmemsim run configs/exp/single.yaml          one run, one page\n"
	      "  gmemsim sweep configs/exp/demo.yaml          iteration time against memory size\n"
	      "  gmemsim list                                 what there is to choose\n"
	      "  gmemsim COMMAND --help                       options and examples\n",
	      f);
}

void main_help(FILE *f, const char *command)
{
	const struct command *c = find(command);

	if (!c || !c->run) {
		program_help(f);
		return;
	}
	fprintf(f, "usage: gmemsim %s %s\n\n%s\n%s%s", c->name, c->args, c->help,
		*c->more ? "\n" : "", c->more);
}

void sets_add(struct sets *s, const char *assignment)
{
	GS_PUSH_ROOM(s->v, s->n, s->cap);
	s->v[s->n++] = gs_strdup(assignment);
}

void sets_trace(struct sets *s, const char *path)
{
	GS_PUSH_ROOM(s->v, s->n, s->cap);
	s->v[s->n++] = gs_asprintf("workload.trace=%s", path);
}

void sets_fini(struct sets *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->v[i]);
	free(s->v);
	*s = (struct sets){ 0 };
}

static int unknown(const char *name)
{
	const char *names[GS_ARRAY_SIZE(commands) + 1] = { NULL }, *near;

	for (size_t i = 0; i < GS_ARRAY_SIZE(commands); i++)
		names[i] = commands[i].name;
	near = gs_nearest(name, names);
	gs_err("there is no command '%s'%s%s%s", name,
	       near ? "; did you mean '" : "; `gmemsim --help` lists all", near ? near : "",
	       near ? "'?" : "");
	return GS_EXIT_USER;
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "--help";
	const struct command *c;
	int rc;

	signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is an error like a full disk */
	if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
		main_help(argc > 1 ? stdout : stderr, argc > 2 ? argv[2] : "");
		return argc > 1 ? GS_EXIT_OK : GS_EXIT_USER;
	}
	if (!strcmp(name, "--version")) {
		printf("gmemsim %s (%s)\n", gs_version, gs_commit);
		return GS_EXIT_OK;
	}
	c = find(name);
	if (!c)
		return unknown(name);
	if (!c->run) {
		gs_err("%s comes with a later version", name);
		return GS_EXIT_USER;
	}
	rc = c->run(argc - 1, argv + 1);
	if (fflush(stdout) || ferror(stdout)) {
		gs_err("standard output cannot be written");
		return rc ? rc : GS_EXIT_USER;
	}
	return rc;
}
