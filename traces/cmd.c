/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cmd.c - the commands `gmemsim trace ...`: which there are, and their help */
#include "traces/cmd.h"

#include <errno.h>
#include <stdarg.h>
#include <getopt.h>
#include <string.h>

#include "traces/import.h"

static const struct command {
	const char *name, *args, *help;
	int (*run)(int argc, char **argv); /* NULL: of a later version */
	const char *more;
} commands[] = {
	{ "import", "FORMAT INPUT [-o OUT.gmt] ...", "make a .gmt of somebody else's trace",
	  tr_cmd_import,
	  "  -o OUT.gmt   where it goes (NAME.gmt here, for an INPUT called NAME)\n"
	  "  --page SIZE  page traces: bytes of a page (\"4 KiB\")\n"
	  "  --columns A,B,...   csv: names of the columns, where no first line tells\n"
	  "\n"
	  "What does not fit into memory lies in temporary files meanwhile (in TMPDIR): about a\n"
	  "third of the size of a dense profile.\n"
	  "\n"
	  "  gmemsim trace import g10 BERT_Base-256 -o bert.gmt\n"
	  "  gmemsim trace import jsonl job.jsonl.zst -o job.gmt\n" },
	{ "info", "FILE...", "what a trace says about itself; reads no operations", tr_cmd_info,
	  "" },
	{ "stat", "[--top N] [--csv DIR] FILE", "memory, kernels and operands, from all operations",
	  tr_cmd_stat,
	  "  --top N     so many kernels and tensors (10)\n"
	  "  --csv DIR   all of it as tables there: live memory over time, tensors, kernels,\n"
	  "              idle periods, reuse distances, smaller memories (times in ps);\n"
	  "              scripts/plot-stat.sh DIR draws them\n\n"
	  "Reuse distances are exact: bytes touched between two touches of a byte, of tensors\n"
	  "that are alive. A memory of a size that replaces what was used longest ago (LRU)\n"
	  "fetches again what is touched at a greater distance.\n" },
	{ "cat", "[--json] [--from N] [--count N] FILE", "the operations, one a line", tr_cmd_cat,
	  "  --json      as JSON lines, which `import jsonl` takes back (all of them)\n"
	  "  --from N    begin with operation N, counted from 0\n"
	  "  --count N   stop after N operations\n" },
	{ "cut", "--iterations A-B | --time A-B | --precision P FILE -o OUT.gmt",
	  "a part of a trace", tr_cmd_cut,
	  "  --iterations A-B   iterations A to B, counted from 0; A alone is one\n"
	  "  --time A-B         kernels that begin then, such as \"10 ms-25 ms\", by the\n"
	  "                     durations that are recorded; pages by their times\n"
	  "  --precision P      durations to P, such as \"0.1 %\", which takes a tenth off a\n"
	  "                     recorded file; sums stay. By itself: of the whole trace\n"
	  "\n"
	  "What is alive where the part begins is allocated before it.\n" },
	{ "merge", "FILE FILE... -o OUT.gmt", "jobs of one device each, side by side", tr_cmd_merge,
	  "Devices are numbered through in the order of the files; iterations run together.\n"
	  "The order within each file stays; addresses are moved apart.\n" },
	{ "diff", "FILE FILE", "the first difference, and how counts differ", tr_cmd_diff,
	  "Exit status: 0 the same, 1 different, 2 a file cannot be read.\n" },
	{ "verify", "FILE...", "read everything and check it", tr_cmd_verify,
	  "Prints ok, or the place and the reason; then the exit status is 2.\n" },
	{ "gen", "--model NAME [options] [-o OUT.gmt]",
	  "work a job out from a network's dimensions", tr_cmd_gen,
	  "`gmemsim trace gen --help` tells all options.\n" },
};

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < GS_ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static void help_all(FILE *f)
{
	fputs("usage: gmemsim trace COMMAND ...\n\n", f);
	for (size_t i = 0; i < GS_ARRAY_SIZE(commands); i++)
		if (commands[i].run)
			fprintf(f, "  %-7s %-38s %s\n", commands[i].name, commands[i].args,
				commands[i].help);
	fputs("\nFILE is a .gmt, or JSON lines of scripts/record_torch.py (plain, .gz or .zst).\n"
	      "`gmemsim trace COMMAND --help` tells more; traces/FORMAT.md describes the files.\n",
	      f);
}

static void help(FILE *f, const struct command *c)
{
	fprintf(f, "usage: gmemsim trace %s %s\n\n%s\n%s%s", c->name, c->args, c->help,
		*c->more ? "\n" : "", c->more);
	if (c->run == tr_cmd_import) {
		fputs("\nFORMAT is one of\n", f);
		tr_import_list(f);
		fputs("One file of several in a tar is called ARCHIVE.tar.gz:FILE.\n", f);
	}
}

int tr_cmd_usage(const char *name, const char *fmt, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	gs_err("trace %s: %s; usage: gmemsim trace %s %s", name, what, name, find(name)->args);
	return GS_EXIT_USER;
}

int tr_cmd_option(const char *name, int opt, char **argv)
{
	if (opt == 'h') {
		help(stdout, find(name));
		return GS_EXIT_OK;
	}
	if (opt == ':')
		return tr_cmd_usage(name, "%s wants a value", argv[optind - 1]);
	return tr_cmd_usage(name, "unknown option %s", argv[optind - 1]);
}

int tr_cmd_code(int err)
{
	if (!err)
		return GS_EXIT_OK;
	/* a full or failing disk is nobody's input */
	return err == -ENOSPC || err == -EIO || err == -EDQUOT ? GS_EXIT_FAILED : GS_EXIT_USER;
}

static int unknown(const char *name)
{
	const char *names[GS_ARRAY_SIZE(commands) + 1] = { NULL }, *near;

	for (size_t i = 0; i < GS_ARRAY_SIZE(commands); i++)
		names[i] = commands[i].name;
	near = gs_nearest(name, names);
	gs_err("trace: there is no command '%s'%s%s%s", name,
	       near ? "; did you mean '" : "; `gmemsim trace --help` lists all", near ? near : "",
	       near ? "'?" : "");
	return GS_EXIT_USER;
}

int tr_cmd(int argc, char **argv)
{
	const struct command *c;

	if (argc < 2) {
		help_all(stderr);
		return GS_EXIT_USER;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		c = argc > 2 ? find(argv[2]) : NULL;
		if (c && c->run)
			help(stdout, c);
		else
			help_all(stdout);
		return GS_EXIT_OK;
	}
	c = find(argv[1]);
	if (!c)
		return unknown(argv[1]);
	if (!c->run) {
		gs_err("trace %s comes with a later version", c->name);
		return GS_EXIT_USER;
	}
	optind = 0; /* glibc: begin anew, whatever was parsed before */
	opterr = 0;
	return c->run(argc - 1, argv + 1);
}
