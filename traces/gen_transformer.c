/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gen_transformer.c - GPT, Llama, BERT and ViT: blocks of attention and MLP
 *
 * Tensor parallel as in Megatron: heads, the MLP's inner width and the
 * vocabulary are divided; x stands whole on each device and is summed after
 * attention and MLP, forward and backward; under sp each device has its rows of
 * x, which are gathered before and scattered after.  Keys and values have at
 * least one head on each device.
 */
#include <errno.h>
#include <stdlib.h>

#include "traces/gen_transformer.h"

static int refuse(const struct gen *g, const char *why)
{
	gs_err("trace gen: %s: %s", g->m.name, why);
	return -EINVAL;
}

/* What the description says of a block, and how tp cuts it. */
static int check_block(const struct gen *g)
{
	const struct gen_model *m = &g->m;
	u32 n = g->s.tp, kv = m->kv_heads ? m->kv_heads : m->heads;

	if (!m->layers || !m->width || !m->heads || !m->ffn)
		return refuse(g, "block.count, block.width, block.heads and block.ffn are due");
	if (m->width % m->heads)
		return refuse(g, "block.heads must divide block.width");
	if (m->heads % kv)
		return refuse(g, "block.kv_heads must divide block.heads");
	if (m->heads % n || m->ffn % n) {
		gs_err("trace gen: %s has %u heads and an MLP of %u: tp=%u must divide both",
		       m->name, m->heads, m->ffn, n);
		return -EINVAL;
	}
	if (kv % n && n % kv)
		return refuse(g, "tp must divide the heads of keys, or they it");
	if (g->s.pp > m->layers)
		return refuse(g, "pp wants a layer at least on each stage");
	return 0;
}

static int check_vision(const struct gen *g)
{
	u32 edge = g->o.image ? g->o.image : g->m.image;

	if (g->m.head != GEN_CLASSES)
		return refuse(g, "images (patch) are put into classes: head: classes");
	if (edge < g->m.patch || !g->m.classes)
		return refuse(g, "an image (--image) is a patch wide at least, and has a class");
	if (g->o.phase == GEN_DECODE)
		return refuse(g, "only causal networks decode");
	return 0;
}

static int check_text(const struct gen *g)
{
	const struct gen_model *m = &g->m;
	u64 last = g->o.seq + (g->o.phase == GEN_DECODE ? g->o.iterations : 0);

	if (!m->vocab)
		return refuse(g, "vocab is due: rows of the table of tokens");
	if (g->o.phase == GEN_DECODE && !m->causal)
		return refuse(g, "only causal networks decode");
	if (m->position == GEN_LEARNT && last > m->context) {
		gs_err("trace gen: %s: %llu tokens (--seq%s) are longer than the table of "
		       "positions, %u (positions in the description)",
		       m->name, last, last > g->o.seq ? " and --iterations" : "", m->context);
		return -EINVAL;
	}
	return 0;
}

static int transformer_check(const struct gen *g)
{
	int err = check_block(g);

	if (!err)
		err = gen_vision(g) ? check_vision(g) : check_text(g);
	if (!err && g->s.sp && (gen_vision(g) || g->m.head != GEN_LM || g->o.seq % g->s.tp))
		err = refuse(g, "sp is for networks that predict the next token, with tp that "
				"divides --seq");
	return err;
}

/* A product of every token with the widest matrix, or with every other token. */
static double transformer_largest(const struct gen *g)
{
	const struct gen_model *m = &g->m;
	double edge = g->o.image ? g->o.image : m->image;
	double len = m->patch ? edge * edge / m->patch / m->patch + 1 : g->o.seq;
	double widest = (double)gs_max(gs_max(m->vocab, 3ULL * m->ffn), 3ULL * m->width);
	double pixels = m->patch ? 3. * m->patch * m->patch : 0;

	return 10. * g->o.batch * len * m->width * (widest + len + pixels);
}

/* ---- parameters -------------------------------------------------------------- */

/* A matrix, of which @n-th parts stand on n devices, and its bias (of all, or cut too). */
static struct gen_param *matrix(struct gen *g, struct gen_seg *seg, u64 full, u64 local,
				const char *name, u32 number)
{
	char text[96];

	snprintf(text, sizeof(text), name, number);
	return gen_param_new(g, seg, full, local, "%s", text);
}

static void layer_attn(struct gen *g, struct gen_net *t, struct gen_layer *l)
{
	const struct gen_model *m = &g->m;
	u64 h = m->width, d = h / m->heads, kv = d * (m->kv_heads ? m->kv_heads : m->heads);
	struct gen_seg *s = &l->seg;
	u32 i = l->number;

	if (m->fused_qkv) {
		l->q = matrix(g, s, h * (h + 2 * kv), h * t->qkv, "h.%u.attn.c_attn.weight", i);
		if (m->bias)
			l->qb = matrix(g, s, h + 2 * kv, t->qkv, "h.%u.attn.c_attn.bias", i);
	} else {
		u64 q = t->attn.heads * d;

		l->q = matrix(g, s, h * h, h * q, "h.%u.attn.q.weight", i);
		l->k = matrix(g, s, h * kv, h * t->kv_width, "h.%u.attn.k.weight", i);
		l->v = matrix(g, s, h * kv, h * t->kv_width, "h.%u.attn.v.weight", i);
		if (m->bias) {
			l->qb = matrix(g, s, h, q, "h.%u.attn.q.bias", i);
			l->kb = matrix(g, s, kv, t->kv_width, "h.%u.attn.k.bias", i);
			l->vb = matrix(g, s, kv, t->kv_width, "h.%u.attn.v.bias", i);
		}
	}
	l->o = matrix(g, s, h * h, h * h / g->s.tp, "h.%u.attn.c_proj.weight", i);
	if (m->bias)
		l->ob = matrix(g, s, h, h, "h.%u.attn.c_proj.bias", i);
}

/* Under sp these have the gradient of one device's rows. */
static void partial(const struct gen *g, struct gen_param **p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			p[i]->partial = g->s.sp;
}

static void layer_new(struct gen *g, struct gen_net *t, struct gen_layer *l, u32 i)
{
	const struct gen_model *m = &g->m;
	u64 h = m->width, f = m->ffn;
	bool layer_norm = m->norm == GEN_LAYER_NORM;
	struct gen_seg *s = &l->seg;

	l->number = i;
	l->net = t;
	l->n1w = matrix(g, s, h, h, "h.%u.ln_1.weight", i);
	l->n1b = layer_norm ? matrix(g, s, h, h, "h.%u.ln_1.bias", i) : NULL;
	layer_attn(g, t, l);
	l->n2w = matrix(g, s, h, h, "h.%u.ln_2.weight", i);
	l->n2b = layer_norm ? matrix(g, s, h, h, "h.%u.ln_2.bias", i) : NULL;
	if (m->mlp == GEN_SWIGLU)
		l->gate = matrix(g, s, h * f, h * t->ffn, "h.%u.mlp.gate.weight", i);
	l->up = matrix(g, s, h * f, h * t->ffn, "h.%u.mlp.c_fc.weight", i);
	if (m->bias)
		l->upb = matrix(g, s, f, t->ffn, "h.%u.mlp.c_fc.bias", i);
	l->down = matrix(g, s, h * f, h * t->ffn, "h.%u.mlp.c_proj.weight", i);
	if (m->bias)
		l->downb = matrix(g, s, h, h, "h.%u.mlp.c_proj.bias", i);
	partial(g, (struct gen_param *[]){ l->n1w, l->n2w, l->n1b, l->n2b }, 4);
}

static void embed_new(struct gen *g, struct gen_net *t)
{
	const struct gen_model *m = &g->m;
	struct gen_seg *s = &t->embed_seg;
	u64 h = m->width;

	if (gen_vision(g)) {
		u64 n = h * 3 * m->patch * m->patch;

		t->cls = gen_param_new(g, s, h, h, "cls_token");
		t->pos = gen_param_new(g, s, t->len * h, t->len * h, "pos_embed");
		t->patch = gen_param_new(g, s, n, n, "patch.weight");
		t->patchb = gen_param_new(g, s, h, h, "patch.bias");
		return;
	}
	t->word = gen_param_new(g, s, m->vocab * h, t->vocab * h, "wte.weight");
	if (m->position == GEN_LEARNT)
		t->pos = gen_param_new(g, s, m->context * h, m->context * h, "wpe.weight");
	if (m->types)
		t->type = gen_param_new(g, s, m->types * h, m->types * h, "wtt.weight");
	if (m->embed_norm) {
		t->enw = gen_param_new(g, s, h, h, "ln_e.weight");
		t->enb = gen_param_new(g, s, h, h, "ln_e.bias");
	}
}

static void mlm_new(struct gen *g, struct gen_net *t)
{
	struct gen_seg *s = &t->head_seg;
	u64 h = g->m.width;

	t->pool = gen_param_new(g, s, h * h, h * h, "pooler.weight");
	t->poolb = gen_param_new(g, s, h, h, "pooler.bias");
	t->tr = gen_param_new(g, s, h * h, h * h, "transform.weight");
	t->trb = gen_param_new(g, s, h, h, "transform.bias");
	t->tnw = gen_param_new(g, s, h, h, "transform.ln.weight");
	t->tnb = gen_param_new(g, s, h, h, "transform.ln.bias");
	t->headb = gen_param_new(g, s, g->m.vocab, t->vocab, "decoder.bias");
	t->nsp = gen_param_new(g, s, GEN_NSP * h, GEN_NSP * h, "nsp.weight");
	t->nspb = gen_param_new(g, s, GEN_NSP, GEN_NSP, "nsp.bias");
}

static void head_new(struct gen *g, struct gen_net *t)
{
	const struct gen_model *m = &g->m;
	struct gen_seg *s = &t->head_seg;
	u64 h = m->width;
	bool far = g->ngroups > 1; /* a tied table has a copy on the last stage */

	if (!m->post_norm) {
		t->fnw = gen_param_new(g, s, h, h, "ln_f.weight");
		if (m->norm == GEN_LAYER_NORM)
			t->fnb = gen_param_new(g, s, h, h, "ln_f.bias");
		partial(g, (struct gen_param *[]){ t->fnw, t->fnb }, 2);
	}
	if (m->head == GEN_CLASSES) {
		t->head = gen_param_new(g, s, h * m->classes, h * m->classes, "head.weight");
		t->headb = gen_param_new(g, s, m->classes, m->classes, "head.bias");
		return;
	}
	if (m->tied && !far) {
		t->head = t->word;
		gen_param_share(s, t->word);
	} else {
		t->head = gen_param_new(g, s, m->tied ? 0 : m->vocab * h, t->vocab * h,
					"lm_head.weight");
	}
	if (m->head == GEN_MLM)
		mlm_new(g, t);
}

static void dimensions(struct gen *g, struct gen_net *t)
{
	const struct gen_model *m = &g->m;
	u64 n = g->s.tp, d = m->width / m->heads, kv = m->kv_heads ? m->kv_heads : m->heads;
	u32 edge = g->o.image ? g->o.image : m->image;
	u32 how = g->o.attention ? g->o.attention : m->attention;

	t->micro_batch = g->o.batch / g->o.microbatches;
	t->len = gen_vision(g) ? (u64)(edge / m->patch) * (edge / m->patch) + 1 : g->o.seq;
	if (g->o.phase == GEN_DECODE)
		t->len = 1;
	t->rows = t->micro_batch * t->len;
	t->own_rows = t->rows / (g->s.sp ? n : 1);
	t->width = m->width;
	t->attn = (struct gen_attn){ .batch = t->micro_batch,
				     .len = t->len,
				     .heads = m->heads / n,
				     .kv_heads = gs_max(1, kv / n),
				     .depth = d,
				     .causal = m->causal,
				     .flash = how == GEN_ATTN_FLASH };
	t->kv_width = t->attn.kv_heads * d;
	t->qkv = t->attn.heads * d + 2 * t->kv_width;
	t->ffn = m->ffn / n;
	t->vocab = (m->vocab + n - 1) / n;
}

/* Caches, filled before decoding begins. */
static void kv_new(struct gen *g, struct gen_net *t, struct gen_layer *l)
{
	bool decode = g->o.phase == GEN_DECODE;
	u64 all = g->o.seq + (decode ? g->o.iterations : 0);

	l->kv = gs_calloc(g->o.microbatches, sizeof(*l->kv));
	snprintf(g->scope, sizeof(g->scope), "h.%u.attn", l->number);
	for (u32 m = 0; m < g->o.microbatches; m++) {
		l->kv[m].block = g->o.kv_block ? g->o.kv_block : all;
		if (decode)
			gen_kv_append(g, &l->kv[m], &t->attn, NULL, NULL, g->o.seq);
	}
}

static void transformer_setup(struct gen *g)
{
	struct gen_net *t = g->net = gs_calloc(1, sizeof(*t));

	dimensions(g, t);
	t->tokens = gs_calloc(g->o.microbatches, sizeof(*t->tokens));
	t->labels = gs_calloc(g->o.microbatches, sizeof(*t->labels));
	t->layer = gs_calloc(g->m.layers, sizeof(*t->layer));
	g->grp = &g->groups[0];
	embed_new(g, t);
	for (u32 i = 0; i < g->m.layers; i++) {
		g->grp = &g->groups[gen_stage_of(g, i)];
		layer_new(g, t, &t->layer[i], i);
		kv_new(g, t, &t->layer[i]);
	}
	g->grp = &g->groups[g->ngroups - 1];
	head_new(g, t);
	g->grp = &g->groups[0];
}

static void layer_fini(struct gen *g, struct gen_layer *l)
{
	for (u32 m = 0; m < g->o.microbatches; m++) {
		for (size_t i = 0; i < l->kv[m].n; i++)
			free(l->kv[m].piece[i]);
		free(l->kv[m].piece);
	}
	free(l->kv);
	gen_seg_fini(&l->seg);
}

static void transformer_fini(struct gen *g)
{
	struct gen_net *t = g->net;

	for (u32 i = 0; i < g->m.layers; i++)
		layer_fini(g, &t->layer[i]);
	for (u32 i = 0; i < g->o.microbatches; i++) {
		free(t->tokens[i]);
		free(t->labels[i]);
	}
	gen_seg_fini(&t->embed_seg);
	gen_seg_fini(&t->head_seg);
	free(t->tokens);
	free(t->labels);
	free(t->layer);
	free(t);
}

/* ---- an iteration ------------------------------------------------------------------ */

static void transformer_inputs(struct gen *g, u32 stage)
{
	struct gen_net *t = g->net;
	u64 edge = g->o.image ? g->o.image : g->m.image;
	u64 pixels = t->micro_batch * 3 * edge * edge;

	for (u32 i = 0; i < g->o.microbatches; i++) {
		if (!stage)
			gen_refill(g, &t->tokens[i], gen_vision(g) ? g->dtype : GS_I64,
				   gen_vision(g) ? pixels : t->rows, "tokens");
		if (stage + 1 == g->ngroups && g->o.phase == GEN_TRAIN)
			gen_refill(g, &t->labels[i], GS_I64,
				   g->m.head == GEN_CLASSES ? t->micro_batch : t->rows, "labels");
	}
	for (u32 i = 0; i < g->m.layers && g->o.phase == GEN_PREFILL; i++)
		if (gen_stage_of(g, i) == stage)
			for (u32 m = 0; m < g->o.microbatches; m++)
				gen_kv_drop(g, &t->layer[i].kv[m]);
}

const struct gen_family gen_transformer = {
	.name = "transformer",
	.check = transformer_check,
	.largest = transformer_largest,
	.setup = transformer_setup,
	.inputs = transformer_inputs,
	.forward = gen_blocks_forward,
	.fini = transformer_fini,
};
