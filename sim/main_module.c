/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_module.c - `gmemsim module`: gmem.ko and this program decide the same
 *
 * replay: the calls of an operation log that gmem.ko recorded, made again here.
 * run: a program, as gmem.ko runs it with parameter serial.  Either prints the
 * decisions, or compares them with those of the kernel, byte for byte.
 */
#include "kernel-core/replay/gm_replay.h"
#include "kernel-core/replay/gm_run.h"
#include "sim/main.h"
#include "sim/main_module.h"
#include "sim/out.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

struct options {
	const char *input, *decisions, *expect;
	struct gm_run run;
	bool quiet, help;
};

/* Decisions as text, and where they come from. */
struct text {
	char *p;
	size_t n;
	FILE *f;
};

static void write_decision(void *arg, u64 n, u64 va, s16 from, s16 to, const char *cause)
{
	fprintf(((struct text *)arg)->f, GM_DECISION_FORMAT, n, va, from, to, cause);
}

static const struct option longs[] = {
	{ "decisions", required_argument, NULL, 'd' },
	{ "expect", required_argument, NULL, 'e' },
	{ "variant", required_argument, NULL, 'v' },
	{ "evictor", required_argument, NULL, 'E' },
	{ "prefetcher", required_argument, NULL, 'p' },
	{ "seed", required_argument, NULL, 's' },
	{ "serial", required_argument, NULL, 'S' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static bool number(const char *text, u64 *to)
{
	char *end;

	errno = 0;
	*to = strtoull(text, &end, 0);
	if (*text >= '0' && *text <= '9' && !*end && !errno)
		return true;
	gs_err("module: '%s' is no number", text);
	return false;
}

/* Of `run` only; false: refused (said). */
static bool run_option(struct options *o, int c)
{
	switch (c) {
	case 'v':
		o->run.variant = optarg;
		return true;
	case 'E':
		o->run.evictor = optarg;
		return true;
	case 'p':
		o->run.prefetcher = optarg;
		return true;
	case 's':
		return number(optarg, &o->run.seed);
	case 'S':
		if (!number(optarg, &o->run.serial))
			return false;
		if (!o->run.serial)
			gs_err("module run: --serial 0 has no order: 1, or a number to draw it "
			       "from");
		return o->run.serial;
	default:
		return false; /* getopt has said it */
	}
}

static int parse(struct options *o, int argc, char **argv, const char *what)
{
	bool of_run = !strcmp(argv[0], "run");
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "qh", longs, NULL)) != -1) {
		if (c == 'd') {
			o->decisions = optarg;
		} else if (c == 'e') {
			o->expect = optarg;
		} else if (c == 'q') {
			o->quiet = true;
		} else if (c == 'h') {
			o->help = true;
		} else if (c != '?' && !of_run) {
			gs_err("module replay: a log tells its core itself: --%s is for `module "
			       "run`",
			       c == 'v'	  ? "variant"
			       : c == 'E' ? "evictor"
			       : c == 'p' ? "prefetcher"
			       : c == 's' ? "seed"
					  : "serial");
			return GS_EXIT_USER;
		} else if (!run_option(o, c)) {
			return GS_EXIT_USER;
		}
	}
	if (optind == argc - 1)
		o->input = argv[optind];
	if (o->help || o->input)
		return GS_EXIT_OK;
	gs_err("module %s: one %s is due; try `gmemsim module --help`", argv[0], what);
	return GS_EXIT_USER;
}

/* ---- decisions, found and expected -------------------------------------- */

static int read_whole(const char *path, struct text *t)
{
	FILE *f = fopen(path, "rb"), *to;
	char buf[1 << 16];
	size_t n;

	if (!f)
		return gs_cannot("read", path);
	to = open_memstream(&t->p, &t->n);
	while ((n = fread(buf, 1, sizeof(buf), f)))
		fwrite(buf, 1, n, to);
	n = (size_t)ferror(f);
	fclose(f);
	fclose(to);
	return n ? gs_cannot("read", path) : 0;
}

/* A ring of decisions may have lost its first: where those that are left begin. */
static size_t begin_of(const struct text *ours, const struct text *theirs)
{
	u64 first = strtoull(theirs->p, NULL, 10);
	const char *at = ours->p;

	while (first-- && at && *at) {
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	return at ? (size_t)(at - ours->p) : ours->n;
}

static int differ(const char *path, const struct text *theirs, const char *ours, size_t at)
{
	size_t from = at, line = 1;

	while (from && theirs->p[from - 1] != '\n')
		from--;
	for (size_t i = 0; i < from; i++)
		line += theirs->p[i] == '\n';
	gs_err("%s:%zu (byte %zu): the kernel decided '%.*s', this core '%.*s'", path, line, at,
	       (int)strcspn(theirs->p + from, "\n"), theirs->p + from,
	       (int)strcspn(ours + from, "\n"), ours + from);
	return GS_EXIT_FAILED;
}

static int compare(const struct options *o, const struct text *ours)
{
	struct text theirs = { 0 };
	const char *p;
	size_t n, i = 0;
	int rc = GS_EXIT_OK;

	if (read_whole(o->expect, &theirs)) {
		free(theirs.p);
		return GS_EXIT_USER;
	}
	p = ours->p + begin_of(ours, &theirs);
	n = strlen(p);
	while (i < n && i < theirs.n && p[i] == theirs.p[i])
		i++;
	if (i < n || i < theirs.n)
		rc = differ(o->expect, &theirs, p, i);
	free(theirs.p);
	return rc;
}

static int give(const struct options *o, const struct text *t, u64 calls, u64 decided)
{
	if (o->decisions && gs_write_file(o->decisions, t->p, t->n))
		return GS_EXIT_USER;
	if (o->expect && compare(o, t))
		return GS_EXIT_FAILED;
	if (!o->decisions && !o->expect)
		fwrite(t->p, 1, t->n, stdout);
	if (!o->quiet)
		gs_info("%llu calls, %llu decisions%s", calls, decided,
			o->expect ? ", no difference" : "");
	return GS_EXIT_OK;
}

/* ---- the two commands --------------------------------------------------- */

static int replay(struct options *o, FILE *f, struct text *t)
{
	static const int rcs[] = { [GM_REPLAY_SAME] = GS_EXIT_OK,
				   [GM_REPLAY_DIFFERS] = GS_EXIT_FAILED,
				   [GM_REPLAY_BAD] = GS_EXIT_USER };
	struct gm_replay r = { .decision = write_decision, .arg = t };
	enum gm_replay_end end = gm_replay_file(&r, f);

	fflush(t->f);
	if (!end)
		return give(o, t, r.calls, r.decided);
	gs_err("%s: byte %llu: %s", o->input, r.offset, r.why);
	return rcs[end];
}

static int run(struct options *o, FILE *f, struct text *t)
{
	struct gm_run *r = &o->run;
	int err;

	r->decision = write_decision;
	r->arg = t;
	err = gm_run_file(r, f);
	fflush(t->f);
	if (err) {
		gs_err("%s:%llu: %s", o->input, r->line, r->why);
		return GS_EXIT_USER;
	}
	if (r->refused && !o->quiet)
		gs_info("%llu lines were refused by the core, as the module refuses them",
			r->refused);
	return give(o, t, r->calls, r->decided);
}

static int with_file(struct options *o, int (*fn)(struct options *, FILE *, struct text *))
{
	FILE *f = fopen(o->input, "rb");
	struct text t = { 0 };
	int rc;

	if (!f) {
		gs_cannot("read", o->input);
		return GS_EXIT_USER;
	}
	t.f = open_memstream(&t.p, &t.n);
	rc = fn(o, f, &t);
	fclose(f);
	fclose(t.f);
	free(t.p);
	return rc;
}

static int sub(int argc, char **argv, const char *what,
	       int (*fn)(struct options *, FILE *, struct text *))
{
	struct options o = { .run = { .variant = "gmem+",
				      .evictor = "auto",
				      .prefetcher = "auto",
				      .seed = 1,
				      .serial = 1 } };
	int rc = parse(&o, argc, argv, what);

	if (rc)
		return rc;
	if (o.help) {
		main_help(stdout, "module");
		return GS_EXIT_OK;
	}
	return with_file(&o, fn);
}

int cmd_module(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "replay"))
		return sub(argc - 1, argv + 1, "operation log", replay);
	if (!strcmp(what, "run"))
		return sub(argc - 1, argv + 1, "program", run);
	if (!strcmp(what, "program"))
		return cmd_module_program(argc - 1, argv + 1);
	if (!strcmp(what, "--help") || !strcmp(what, "-h")) {
		main_help(stdout, "module");
		return GS_EXIT_OK;
	}
	gs_err("module: replay, run or program is due; try `gmemsim module --help`");
	return GS_EXIT_USER;
}
