/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cmd_cut.c - `gmemsim trace cut`: some iterations, a window of time, or fewer digits
 *
 * What is alive where the part begins is allocated in front of it, as it was.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "sim/config.h"
#include "sim/result.h"
#include "traces/cmd.h"
#include "traces/relabel.h"
#include "traces/round.h"
#include "traces/segments.h"
#include "traces/trace.h"

/* A tensor that is alive, as it was allocated. */
struct alive {
	u64 va, bytes;
	char *name;
	u16 device;
	u8 kind;
	bool yes;
};

struct cut {
	struct gs_source *src;
	struct tr_writer *w;
	const char *path;
	bool by_time;
	u64 from, to; /* iterations: both are in; time in ps: to is not */
	struct alive *alive;
	size_t nalive, alive_cap;
	struct tr_segments segments;
	struct tr_relabel relabel;
	struct tr_clock clock;
	struct tr_round round;
	u32 next_tensor, next_iteration;
	u32 iteration; /* that is read, plus 1 */
	bool begun, ended;
	u64 nops;
};

static int put(struct cut *c, struct gs_op *op)
{
	int ret;

	tr_round(&c->round, op);
	op->index = c->nops++;
	ret = tr_writer_put(c->w, op);
	if (ret == -EINVAL)
		gs_err("%s: operation %llu: %s", c->path, op->index, tr_writer_why(c->w));
	return ret;
}

/* ---- before the part ---------------------------------------------------- */

static void keep(struct cut *c, const struct gs_op *op)
{
	if (op->type == GS_OP_SEGMENT_ALLOC || op->type == GS_OP_SEGMENT_FREE)
		tr_segments_pass(&c->segments, c->src->job.ndevices, op);
	if (op->type == GS_OP_FREE) {
		c->alive[op->free.tensor].yes = false;
		free(c->alive[op->free.tensor].name);
		c->alive[op->free.tensor].name = NULL;
	}
	if (op->type != GS_OP_ALLOC)
		return;
	while (c->nalive <= op->alloc.tensor) {
		GS_PUSH_ROOM(c->alive, c->nalive, c->alive_cap);
		c->alive[c->nalive++] = (struct alive){ 0 };
	}
	c->alive[op->alloc.tensor] = (struct alive){ .va = op->alloc.va,
						     .bytes = op->alloc.bytes,
						     .name = gs_strdup(op->alloc.name),
						     .device = op->device,
						     .kind = op->alloc.kind,
						     .yes = true };
}

static int put_segments(struct cut *c, u16 device)
{
	const struct gs_ranges *r = &c->segments.of[device];
	int ret = 0;

	for (size_t i = 0; !ret && i < r->n; i++) {
		struct gs_op op = { .type = GS_OP_SEGMENT_ALLOC, .device = device };

		op.segment.va = r->v[i].begin;
		op.segment.bytes = r->v[i].end - r->v[i].begin;
		ret = put(c, &op);
	}
	return ret;
}

static int put_alive(struct cut *c)
{
	int ret = 0;

	for (u32 d = 0; !ret && d < c->segments.ndevices; d++)
		ret = put_segments(c, (u16)d);

	for (size_t i = 0; !ret && i < c->nalive; i++) {
		const struct alive *a = &c->alive[i];
		struct gs_op op = { .type = GS_OP_ALLOC, .device = a->device }, out;

		if (!a->yes)
			continue;
		op.alloc.tensor = (u32)i;
		op.alloc.kind = a->kind;
		op.alloc.va = a->va;
		op.alloc.bytes = a->bytes;
		op.alloc.name = a->name;
		tr_relabel(&c->relabel, &op, &out);
		ret = put(c, &out);
	}
	c->begun = true;
	return ret;
}

/* ---- the part --------------------------------------------------------- */

/* Is the operation in the part?  A window is of the busiest stream, so that it is one piece. */
static bool look(struct cut *c, const struct gs_op *op)
{
	u64 at = c->clock.now;

	tr_clock_pass(&c->clock, op);
	if (op->type == GS_OP_PAGE)
		at = c->clock.now;
	if (op->type == GS_OP_MARK && op->mark.iteration)
		c->iteration = op->mark.number + 1;
	if (c->by_time) {
		c->ended = at >= c->to;
		return at >= c->from && !c->ended;
	}
	c->ended = c->iteration > c->to + 1;
	return c->iteration > c->from && !c->ended;
}

static int pass(struct cut *c, const struct gs_op *op)
{
	struct gs_op out;
	int ret;

	if (!look(c, op)) {
		keep(c, op);
		return 0;
	}
	ret = c->begun ? 0 : put_alive(c);
	if (ret)
		return ret;
	tr_relabel(&c->relabel, op, &out);
	if (op->type == GS_OP_MARK && op->mark.iteration)
		out.mark.number = c->next_iteration++;
	return put(c, &out);
}

static int cut(struct cut *c)
{
	struct gs_op op;
	int ret;

	do {
		ret = gs_source_next(c->src, &op);
		if (ret == 1)
			ret = pass(c, &op) ?: 1;
	} while (ret == 1 && !c->ended);
	ret = ret < 0 ? ret : 0;
	if (!ret && !c->begun) {
		gs_err("%s: holds nothing of what was asked for", c->path);
		ret = -EINVAL;
	}
	return ret;
}

/* ---- the command ------------------------------------------------------ */

static const struct gm_param time_rows[] = {
	GM_P_U64(struct cut, from, "from", GM_PS, "0 ps", 0, U64_MAX, "Begin of the window", ""),
	GM_P_U64(struct cut, to, "to", GM_PS, "0 ps", 0, U64_MAX, "End of the window", ""), GM_P_END
};

static bool parse_number(const char *s, u64 *v)
{
	char *end;

	errno = 0;
	*v = strtoull(s, &end, 10);
	return *s >= '0' && *s <= '9' && !*end && !errno && *v < U32_MAX - 1;
}

/* "A-B"; "A" alone is an iteration. */
static int parse_range(struct cut *c, const char *text, bool time)
{
	char *from = gs_strdup(text), *dash = strchr(from, '-'), *to = dash ? dash + 1 : from;
	const char *why = "want A-B";
	bool ok;

	if (dash)
		*dash = 0;
	c->by_time = time;
	if (time)
		ok = dash && !gs_param_parse(&time_rows[0], from, c, &why) &&
		     !gs_param_parse(&time_rows[1], to, c, &why);
	else
		ok = parse_number(from, &c->from) && parse_number(to, &c->to);
	free(from);
	if (!ok)
		return tr_cmd_usage("cut", "'%s': %s", text, why);
	if (c->from > c->to || (time && c->from == c->to))
		return tr_cmd_usage("cut", "'%s' is empty", text);
	return 0;
}

static int check_range(const struct cut *c)
{
	if (c->by_time || c->to < c->src->job.niterations)
		return 0;
	gs_err("%s: has %u iterations, counted from 0", c->path, c->src->job.niterations);
	return -EINVAL;
}

static struct tr_writer *new_writer(const struct cut *c, const char *out)
{
	const struct gs_job *j = &c->src->job;
	char *recorded = c->round.ppm ? gs_asprintf("%s%sdurations rounded to %g %%", j->recorded,
						    *j->recorded ? "; " : "", c->round.ppm / 1e4)
				      : gs_strdup(j->recorded);
	struct tr_meta meta = { j->name,	 j->framework, j->source,   recorded,
				j->device_names, j->ndevices,  j->page_hint };
	struct tr_writer *w = tr_writer_new(out, &meta);

	free(recorded);
	return w;
}

/* The part of c->src is in c->w, or that is gone; c->src is closed. */
static int write_part(struct cut *c, const char *out)
{
	int ret = check_range(c);

	tr_relabel_init(&c->relabel, &c->next_tensor);
	if (!ret) {
		c->w = new_writer(c, out);
		ret = c->w ? cut(c) : -EIO;
	}
	if (ret)
		tr_writer_abort(c->w);
	for (size_t i = 0; i < c->nalive; i++)
		free(c->alive[i].name);
	free(c->alive);
	tr_segments_fini(&c->segments);
	tr_relabel_fini(&c->relabel);
	tr_clock_fini(&c->clock);
	gs_source_close(c->src);
	return ret;
}

int tr_last_iteration(struct gs_source **src)
{
	u32 last = (*src)->job.niterations - 1;
	u64 hash = (*src)->job.hash;
	char *name = gs_strdup((*src)->job.name);
	struct cut c = { .src = *src, .path = name, .from = last, .to = last };
	int ret = write_part(&c, NULL);

	*src = NULL;
	if (!ret)
		ret = tr_writer_source(c.w, name, src);
	if (!ret)
		(*src)->job.hash = hash; /* of the file that it is a part of */
	free(name);
	return ret;
}

static int run(struct cut *c, const char *out)
{
	int ret = tr_open(c->path, &c->src);

	if (ret)
		return ret;
	ret = write_part(c, out);
	if (!ret)
		ret = tr_writer_finish(c->w);
	if (!ret)
		printf("%s: %llu operations, %u tensors, %u iterations\n", out, c->nops,
		       c->next_tensor, c->next_iteration);
	return ret;
}

int tr_cmd_cut(int argc, char **argv)
{
	static const struct option options[] = { { "help", no_argument, NULL, 'h' },
						 { "iterations", required_argument, NULL, 'i' },
						 { "time", required_argument, NULL, 't' },
						 { "precision", required_argument, NULL, 'p' },
						 { 0 } };
	struct cut c = { .by_time = true, .to = U64_MAX };
	const char *out = NULL, *range = NULL;
	int opt, bad = 0;
	bool time = false;

	while ((opt = getopt_long(argc, argv, ":ho:", options, NULL)) != -1) {
		if (opt == 'o') {
			out = optarg;
			continue;
		}
		if (opt == 'p' && !tr_round_parse(optarg, &c.round.ppm))
			return tr_cmd_usage("cut", "--precision '%s': want 0.0001 %% to %d %%",
					    optarg, TR_ROUND_MAX / 10000);
		if (opt == 'p')
			continue;
		if (opt != 'i' && opt != 't')
			return tr_cmd_option("cut", opt, argv);
		if (range)
			return tr_cmd_usage("cut", "one of --iterations and --time");
		range = optarg;
		time = opt == 't';
	}
	if (!range && !c.round.ppm)
		return tr_cmd_usage("cut", "one of --iterations and --time is wanted");
	if (range)
		bad = parse_range(&c, range, time);
	if (bad)
		return bad;
	if (argc - optind != 1 || !out)
		return tr_cmd_usage("cut", "one FILE and -o OUT.gmt are wanted");
	c.path = argv[optind];
	return tr_cmd_code(run(&c, out));
}
