/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gen_job.c - a whole job: what may be asked for, the writer, setting up, the end */
#include <errno.h>
#include <stdlib.h>

#include "sim/rng.h"
#include "traces/gen.h"

/*
 * Numbers of bytes and of FLOPs are products of 64 bits; families know their
 * largest from above before anything is made.
 */
static int check_size(const struct gen *g, const struct gen_family *f)
{
	double most = f->largest(g);

	if (most < 0x1p63)
		return 0;
	gs_err("trace gen: %s at --batch %u%s%.0u: a kernel may count more than 2^63 bytes or "
	       "FLOPs "
	       "(%.2g); make the batch, the sequence or the images smaller",
	       g->m.name, g->o.batch, g->m.family == GEN_TRANSFORMER ? " and --seq " : "",
	       g->m.family == GEN_TRANSFORMER ? g->o.seq : 0, most);
	return -EINVAL;
}

static int check_batch(struct gen_options *o, const struct gen_shares *s)
{
	if (!o->microbatches)
		o->microbatches = s->pp;
	if (o->batch % o->microbatches == 0)
		return 0;
	gs_err("trace gen: --microbatches %u must divide --batch %u%s", o->microbatches, o->batch,
	       s->pp > 1 ? "; under pp there are as many as stages if nothing is said" : "");
	return -EINVAL;
}

static int check(struct gen *g, const struct gen_family *f)
{
	int err = gen_parallel_parse(g->o.parallel, &g->o.devices, &g->s);

	if (!err)
		err = check_batch(&g->o, &g->s);
	if (!err && g->o.phase != GEN_TRAIN && (g->s.zero || g->s.sp)) {
		gs_err("trace gen: zero1, zero2, zero3 and sp are for --phase train");
		err = -EINVAL;
	}
	if (!err)
		err = f->check(g);
	return err ?: check_size(g, f);
}

static struct tr_writer *open_writer(const struct gen *g, const char *out)
{
	const char **names = gs_calloc(g->o.devices, sizeof(*names));
	char *text = gs_calloc(g->o.devices, 24);
	struct tr_meta meta = { .name = g->m.name,
				.framework = "generated",
				.source = g->m.source,
				.recorded =
					"worked out by gmemsim trace gen; no durations: time it "
					"with workload.timing: roofline",
				.device_names = names,
				.ndevices = g->o.devices,
				.page_hint = 4096 };
	struct tr_writer *w;

	for (u32 i = 0; i < g->o.devices; i++) {
		names[i] = text + 24 * (size_t)i;
		snprintf(text + 24 * (size_t)i, 24, "device %u", i);
	}
	w = tr_writer_new(out, &meta);
	free(text);
	free(names);
	return w;
}

static void fini(struct gen *g, const struct gen_family *f)
{
	gen_params_fini(g);
	f->fini(g);
	gen_emit_fini(g);
	gs_rng_free(g->rng);
	if (g->err)
		tr_writer_abort(g->w);
}

int gen_job(const struct gen_options *o, const struct gen_model *m, const char *out,
	    struct tr_writer **w, u64 *nparams)
{
	static const struct gen_family *const families[] = { &gen_transformer, &gen_cnn,
							     &gen_dlrm };
	static const u8 dtypes[] = { GS_F32, GS_F16, GS_BF16 };
	const struct gen_family *f = families[m->family];
	struct gen g = { .o = *o, .m = *m, .dtype = dtypes[o->dtype] };
	int err = check(&g, f);

	if (err)
		return err;
	*w = g.w = open_writer(&g, out);
	if (!g.w)
		return -EIO;
	g.rng = gs_rng_new(o->seed, "gen");
	gen_groups_init(&g, g.s.pp, g.s.tp * g.s.dp);
	f->setup(&g);
	if (o->phase == GEN_TRAIN)
		gen_params_state(&g);
	gen_comm_init(&g);
	gen_iterations(&g, f);
	*nparams = g.nparams_full;
	fini(&g, f);
	return g.err;
}
