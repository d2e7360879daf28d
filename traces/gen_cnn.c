/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gen_cnn.c - residual networks of bottlenecks
 *
 *	x --- 1x1 --- 3x3 --- 1x1 --+-- relu      each convolution with batch norm;
 *	 \--- (1x1, stride) --------/             the stride is on the 3x3 ("v1.5")
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "traces/gen.h"

enum { EXPANSION = 4, MAX_STAGES = 8, MAX_BLOCKS = 1000, NCONV = 4, SHORT = 3 };

struct unit { /* convolution and its norm */
	struct gen_conv c;
	struct gen_param *w;
	struct gen_bn bn;
};

struct block {
	struct gen_seg seg;
	struct unit u[NCONV];
	bool down;
	u64 edge; /* of its input */
};

struct cnn {
	u64 blocks[MAX_STAGES];
	int nstages;
	struct gen_seg stem_seg, head_seg;
	struct unit stem;
	struct block *block;
	u32 nblocks;
	u64 batch, channels; /* of a micro-batch; at the end */
	struct gen_param *fc_w, *fc_b;
	struct gen_val **images, **labels; /* one a micro-batch */
};

static u64 edge_of(const struct gen *g)
{
	return g->o.image ? g->o.image : g->m.image;
}

static int refuse(const struct gen *g, const char *why)
{
	gs_err("trace gen: %s: %s", g->m.name, why);
	return -EINVAL;
}

static int cnn_check(const struct gen *g)
{
	u64 list[MAX_STAGES];
	int n = gen_list(g->m.blocks, list, MAX_STAGES);

	if (n <= 0)
		return -EINVAL;
	for (int i = 0; i < n; i++)
		if (!list[i] || list[i] > MAX_BLOCKS)
			return refuse(g, "a stage (blocks) has 1 to 1000 bottlenecks");
	if (!g->m.stem || !g->m.classes || !edge_of(g))
		return refuse(g, "stem, classes and image are 1 at least");
	if (g->o.phase != GEN_TRAIN)
		return refuse(g, "generated for --phase train only");
	if (g->s.tp > 1 || g->s.pp > 1)
		return refuse(g, "spread over devices by --parallel dp, zero1, zero2 or zero3");
	return 0;
}

/* A convolution of 3 x 3 in one of the stages, or of 7 x 7 over the image. */
static double cnn_largest(const struct gen *g)
{
	u64 list[MAX_STAGES];
	int n = gen_list(g->m.blocks, list, MAX_STAGES);
	double edge = edge_of(g), stem = g->m.stem, most = 300. * edge * edge * stem;

	for (int s = 0; s < n; s++) {
		double e = edge / (4 << s) + 1, mid = stem * (1 << s);

		most = fmax(most, 36. * e * e * mid * mid);
	}
	return most * g->o.batch;
}

/* ---- parameters ------------------------------------------------------------ */

static struct gen_val *running(struct gen *g, u64 n, u8 dtype, const char *name, const char *what)
{
	struct gen_val *v = gen_new(g, GS_WEIGHT, dtype, n, "%s.%s", name, what);

	v->fixed = true;
	return v;
}

static void unit_new(struct gen *g, struct gen_seg *seg, struct unit *u, struct gen_conv c,
		     const char *conv, const char *norm)
{
	u64 n = c.cin * c.cout * c.kernel * c.kernel;

	u->c = c;
	u->w = gen_param_new(g, seg, n, n, "%s.weight", conv);
	u->bn.w = gen_param_new(g, seg, c.cout, c.cout, "%s.weight", norm);
	u->bn.b = gen_param_new(g, seg, c.cout, c.cout, "%s.bias", norm);
	u->bn.mean = running(g, c.cout, GS_F32, norm, "running_mean");
	u->bn.var = running(g, c.cout, GS_F32, norm, "running_var");
	u->bn.count = running(g, 1, GS_I64, norm, "num_batches_tracked");
}

static void block_new(struct gen *g, struct block *b, u32 stage, u32 number, u64 cin, u64 mid)
{
	u64 stride = stage && !number ? 2 : 1;
	char conv[64], norm[64];

	for (u64 i = 0; i < 3; i++) {
		struct gen_conv c = { i ? mid : cin, i == 2 ? EXPANSION * mid : mid, i == 1 ? 3 : 1,
				      i == 1 ? stride : 1, i == 1 };

		snprintf(conv, sizeof(conv), "layer%u.%u.conv%llu", stage + 1, number, i + 1);
		snprintf(norm, sizeof(norm), "layer%u.%u.bn%llu", stage + 1, number, i + 1);
		unit_new(g, &b->seg, &b->u[i], c, conv, norm);
	}
	b->down = stride > 1 || cin != EXPANSION * mid;
	if (!b->down)
		return;
	snprintf(conv, sizeof(conv), "layer%u.%u.downsample.0", stage + 1, number);
	snprintf(norm, sizeof(norm), "layer%u.%u.downsample.1", stage + 1, number);
	unit_new(g, &b->seg, &b->u[SHORT], (struct gen_conv){ cin, EXPANSION * mid, 1, stride, 0 },
		 conv, norm);
}

static void cnn_setup(struct gen *g)
{
	struct cnn *t = g->net = gs_calloc(1, sizeof(*t));
	u64 channels = g->m.stem, edge = edge_of(g);
	u32 k = 0;

	t->batch = g->o.batch / g->o.microbatches;
	t->images = gs_calloc(g->o.microbatches, sizeof(*t->images));
	t->labels = gs_calloc(g->o.microbatches, sizeof(*t->labels));
	t->nstages = gen_list(g->m.blocks, t->blocks, MAX_STAGES);
	for (int s = 0; s < t->nstages; s++)
		t->nblocks += (u32)t->blocks[s];
	t->block = gs_calloc(t->nblocks, sizeof(*t->block));
	unit_new(g, &t->stem_seg, &t->stem, (struct gen_conv){ 3, channels, 7, 2, 3 }, "conv1",
		 "bn1");
	edge = gen_conv_edge(&t->stem.c, edge);
	edge = (edge + 2 - 3) / 2 + 1;
	for (int s = 0; s < t->nstages; s++) {
		for (u32 i = 0; i < t->blocks[s]; i++) {
			struct block *b = &t->block[k++];

			b->edge = edge;
			block_new(g, b, (u32)s, i, channels, (u64)g->m.stem << s);
			edge = gen_conv_edge(&b->u[1].c, edge);
			channels = EXPANSION * ((u64)g->m.stem << s);
		}
	}
	t->channels = channels;
	t->fc_w = gen_param_new(g, &t->head_seg, channels * g->m.classes, channels * g->m.classes,
				"fc.weight");
	t->fc_b = gen_param_new(g, &t->head_seg, g->m.classes, g->m.classes, "fc.bias");
}

static void unit_fini(struct unit *u)
{
	free(u->bn.mean);
	free(u->bn.var);
	free(u->bn.count);
}

static void cnn_fini(struct gen *g)
{
	struct cnn *t = g->net;

	unit_fini(&t->stem);
	for (u32 i = 0; i < t->nblocks; i++) {
		for (u32 k = 0; k < NCONV; k++)
			unit_fini(&t->block[i].u[k]);
		gen_seg_fini(&t->block[i].seg);
	}
	gen_seg_fini(&t->stem_seg);
	gen_seg_fini(&t->head_seg);
	for (u32 i = 0; i < g->o.microbatches; i++) {
		free(t->images[i]);
		free(t->labels[i]);
	}
	free(t->images);
	free(t->labels);
	free(t->block);
	free(t);
}

/* ---- forward ------------------------------------------------------------------ */

/* Convolution and norm of @x, whose edge changes. */
static struct gen_val *unit_run(struct gen *g, const struct unit *u, struct gen_val *x, u64 batch,
				u64 *edge)
{
	struct gen_val *y = gen_convolution(g, x, u->w, NULL, &u->c, batch, *edge);

	*edge = gen_conv_edge(&u->c, *edge);
	return gen_next(g, y, gen_batch_norm(g, y, &u->bn, u->c.cout));
}

static struct gen_val *stem_run(struct gen *g, const void *arg, struct gen_val *x)
{
	const struct cnn *t = arg;
	u64 edge = edge_of(g);

	x = unit_run(g, &t->stem, x, t->batch, &edge);
	x = gen_next(g, x, gen_relu_(g, x));
	return gen_next(g, x, gen_max_pool(g, x, t->batch, t->stem.c.cout, edge));
}

static struct gen_val *block_run(struct gen *g, const void *arg, struct gen_val *x)
{
	const struct block *b = arg;
	struct gen_val *shortcut, *y = gen_hold(x);
	u64 edge = b->edge, same = b->edge, batch = ((struct cnn *)g->net)->batch;

	shortcut = b->down ? unit_run(g, &b->u[SHORT], x, batch, &same) : gen_hold(x);
	for (u32 i = 0; i < 3; i++) {
		y = gen_next(g, y, unit_run(g, &b->u[i], y, batch, &edge));
		if (i < 2)
			y = gen_next(g, y, gen_relu_(g, y));
	}
	y = gen_next(g, y, gen_add_(g, y, shortcut));
	gen_drop(g, shortcut);
	return gen_next(g, y, gen_relu_(g, y));
}

static struct gen_val *head_run(struct gen *g, const void *arg, struct gen_val *x)
{
	const struct cnn *t = arg;
	u64 batch = t->batch;

	x = gen_avg_pool(g, x, batch * t->channels);
	x = gen_next(g, x, gen_linear(g, x, t->fc_w, t->fc_b, batch, t->channels, g->m.classes));
	return gen_next(g, x, gen_loss(g, x, t->labels[g->micro], batch, g->m.classes, false));
}

static void cnn_inputs(struct gen *g, u32 stage)
{
	struct cnn *t = g->net;

	(void)stage;
	for (u32 i = 0; i < g->o.microbatches; i++) {
		gen_refill(g, &t->images[i], g->dtype, t->batch * 3 * edge_of(g) * edge_of(g),
			   "images");
		gen_refill(g, &t->labels[i], GS_I64, t->batch, "labels");
	}
}

static struct gen_val *cnn_forward(struct gen *g, u32 stage, struct gen_val *x)
{
	struct cnn *t = g->net;

	(void)stage;
	x = gen_segment(g, &t->stem_seg, stem_run, t, t->images[g->micro], false);
	for (u32 i = 0; i < t->nblocks; i++)
		x = gen_next(g, x,
			     gen_segment(g, &t->block[i].seg, block_run, &t->block[i], x,
					 g->o.checkpoint == GEN_BLOCK_AGAIN));
	return gen_next(g, x, gen_segment(g, &t->head_seg, head_run, t, x, false));
}

const struct gen_family gen_cnn = {
	.name = "cnn",
	.check = cnn_check,
	.largest = cnn_largest,
	.setup = cnn_setup,
	.inputs = cnn_inputs,
	.forward = cnn_forward,
	.fini = cnn_fini,
};
