/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gen_transformer.c - GPT, Llama, BERT and ViT: blocks of attention and MLP
 *
 * Tensor parallel as in Megatron: heads, the MLP's inner width and the
 * vocabulary are divided; x stands whole on each device and is summed after
 * attention and MLP, forward and backward.  Keys and values have at least one
 * head on each device.
 */
#include <errno.h>
#include <stdlib.h>

#include "traces/gen_transformer.h"

static int refuse(const struct gen *g, const char *why)
{
	gs_err("trace gen: %s: %s", g->m.name, why);
	return -EINVAL;
}

static int transformer_check(const struct gen *g)
{
	const struct gen_model *m = &g->m;
	u64 n = gen_tp(g);

	if (!m->layers || !m->width || !m->heads || !m->ffn || m->width % m->heads)
		return refuse(g,
			      "layers, width, heads and ffn are due, and heads must divide width");
	if (m->kv_heads && m->heads % m->kv_heads)
		return refuse(g, "kv_heads must divide heads");
	if (m->heads % n || m->ffn % n)
		return refuse(g, "--devices must divide the heads and the MLP under --parallel tp");
	if (g->o.devices > 1 && g->o.parallel == GEN_PP && g->o.devices > m->layers)
		return refuse(g, "--parallel pp wants a layer at least on each device");
	if (g->o.phase == GEN_DECODE && !m->causal)
		return refuse(g, "only causal networks decode");
	if (!gen_vision(g) && m->position == GEN_LEARNT && g->o.seq > m->context)
		return refuse(g, "--seq is longer than the table of positions (positions in the "
				 "description)");
	return 0;
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
	l->o = matrix(g, s, h * h, h * h / gen_tp(g), "h.%u.attn.c_proj.weight", i);
	if (m->bias)
		l->ob = matrix(g, s, h, h, "h.%u.attn.c_proj.bias", i);
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
	u64 n = gen_tp(g), d = m->width / m->heads, kv = m->kv_heads ? m->kv_heads : m->heads;
	u32 edge = g->o.image ? g->o.image : m->image;
	u32 how = g->o.attention ? g->o.attention : m->attention;

	t->micro_batch = g->o.batch / g->o.microbatches;
	t->len = gen_vision(g) ? (u64)(edge / m->patch) * (edge / m->patch) + 1 : g->o.seq;
	if (g->o.phase == GEN_DECODE)
		t->len = 1;
	t->rows = t->micro_batch * t->len;
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
		snprintf(g->scope, sizeof(g->scope), "h.%u.attn", i);
		if (g->o.phase == GEN_DECODE)
			gen_kv_append(g, &t->layer[i].kv, &t->attn, NULL, NULL, g->o.seq);
	}
	g->grp = &g->groups[g->ngroups - 1];
	head_new(g, t);
	g->grp = &g->groups[0];
}

static void kv_fini(struct gen_kv *kv)
{
	for (size_t i = 0; i < kv->n; i++)
		free(kv->piece[i]);
	free(kv->piece);
}

static void transformer_fini(struct gen *g)
{
	struct gen_net *t = g->net;

	for (u32 i = 0; i < g->m.layers; i++) {
		kv_fini(&t->layer[i].kv);
		gen_seg_fini(&t->layer[i].seg);
	}
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

static void refill(struct gen *g, struct gen_val **v, u8 dtype, u64 elems, const char *name)
{
	struct gen_val *fresh = gen_new(g, GS_INPUT, dtype, elems, "%s", name);

	gen_host(g, fresh, 0, fresh->bytes, GS_WRITE);
	gen_drop(g, *v);
	*v = fresh;
}

static void transformer_inputs(struct gen *g, u32 stage)
{
	struct gen_net *t = g->net;
	u64 edge = g->o.image ? g->o.image : g->m.image;
	u64 pixels = t->micro_batch * 3 * edge * edge;

	for (u32 i = 0; i < g->o.microbatches; i++) {
		if (!stage)
			refill(g, &t->tokens[i], gen_vision(g) ? g->dtype : GS_I64,
			       gen_vision(g) ? pixels : t->rows, "tokens");
		if (stage + 1 == g->ngroups && g->o.phase == GEN_TRAIN)
			refill(g, &t->labels[i], GS_I64,
			       g->m.head == GEN_CLASSES ? t->micro_batch : t->rows, "labels");
	}
	for (u32 i = 0; i < g->m.layers && g->o.phase == GEN_PREFILL; i++)
		if (gen_stage_of(g, i) == stage)
			gen_kv_drop(g, &t->layer[i].kv);
}

const struct gen_family gen_transformer = {
	.name = "transformer",
	.check = transformer_check,
	.setup = transformer_setup,
	.inputs = transformer_inputs,
	.forward = gen_blocks_forward,
	.fini = transformer_fini,
};
