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

#include "traces/gen.h"

enum { MAX_LAYERS = 10000, NSP = 2 };

struct layer {
	struct gen_seg seg;
	u32 number;
	struct gen_param *n1w, *n1b, *n2w, *n2b;
	struct gen_param *q, *qb, *k, *kb, *v, *vb, *o, *ob;
	struct gen_param *gate, *up, *upb, *down, *downb;
	struct gen_kv kv;
	struct net *net;
};

struct net {
	struct gen_attn attn;
	u64 rows, micro_batch, len, width, qkv, kv_width, ffn, vocab; /* of this device */
	struct layer *layer;
	struct gen_seg embed_seg, head_seg;
	struct gen_param *word, *pos, *type, *enw, *enb, *patch, *patchb, *cls;
	struct gen_param *fnw, *fnb, *head, *headb;
	struct gen_param *pool, *poolb, *nsp, *nspb, *tr, *trb, *tnw, *tnb;
	struct gen_val **tokens, **labels; /* one a micro-batch */
	struct gen_val *ids;		   /* positions */
};

static bool vision(const struct gen *g)
{
	return g->m.patch > 0;
}

static u64 tp(const struct gen *g)
{
	return g->o.parallel == GEN_TP ? g->o.devices : 1;
}

static int refuse(const struct gen *g, const char *why)
{
	gs_err("trace gen: %s: %s", g->m.name, why);
	return -EINVAL;
}

static int transformer_check(const struct gen *g)
{
	const struct gen_model *m = &g->m;
	u64 n = tp(g);

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
	if (!vision(g) && m->position == GEN_LEARNT && g->o.seq > m->context)
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

static void layer_attn(struct gen *g, struct net *t, struct layer *l)
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
	l->o = matrix(g, s, h * h, h * h / tp(g), "h.%u.attn.c_proj.weight", i);
	if (m->bias)
		l->ob = matrix(g, s, h, h, "h.%u.attn.c_proj.bias", i);
}

static void layer_new(struct gen *g, struct net *t, struct layer *l, u32 i)
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

static void embed_new(struct gen *g, struct net *t)
{
	const struct gen_model *m = &g->m;
	struct gen_seg *s = &t->embed_seg;
	u64 h = m->width;

	if (vision(g)) {
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

static void mlm_new(struct gen *g, struct net *t)
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
	t->nsp = gen_param_new(g, s, NSP * h, NSP * h, "nsp.weight");
	t->nspb = gen_param_new(g, s, NSP, NSP, "nsp.bias");
}

static void head_new(struct gen *g, struct net *t)
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

/* The stage of layer @i: as even as can be, the longer ones last. */
static u32 stage_of(const struct gen *g, u32 i)
{
	return (u32)((u64)i * g->ngroups / g->m.layers);
}

static void dimensions(struct gen *g, struct net *t)
{
	const struct gen_model *m = &g->m;
	u64 n = tp(g), d = m->width / m->heads, kv = m->kv_heads ? m->kv_heads : m->heads;
	u32 edge = g->o.image ? g->o.image : m->image;
	u32 how = g->o.attention ? g->o.attention : m->attention;

	t->micro_batch = g->o.batch / g->o.microbatches;
	t->len = vision(g) ? (u64)(edge / m->patch) * (edge / m->patch) + 1 : g->o.seq;
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
	struct net *t = g->net = gs_calloc(1, sizeof(*t));

	dimensions(g, t);
	t->tokens = gs_calloc(g->o.microbatches, sizeof(*t->tokens));
	t->labels = gs_calloc(g->o.microbatches, sizeof(*t->labels));
	t->layer = gs_calloc(g->m.layers, sizeof(*t->layer));
	g->grp = &g->groups[0];
	embed_new(g, t);
	for (u32 i = 0; i < g->m.layers; i++) {
		g->grp = &g->groups[stage_of(g, i)];
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
	struct net *t = g->net;

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

/* ---- forward --------------------------------------------------------------------- */

static void scope(struct gen *g, const struct layer *l, const char *what)
{
	snprintf(g->scope, sizeof(g->scope), "h.%u%s%s", l->number, *what ? "." : "", what);
}

static struct gen_val *rope(struct gen *g, struct gen_val *x)
{
	return g->m.position == GEN_ROTARY ? gen_next(g, x, gen_unary(g, x, &gen_rope)) : x;
}

/* Attention over what is here, or over the cache; fills the cache. */
static struct gen_val *attend(struct gen *g, struct layer *l, struct gen_val *q, struct gen_val *k,
			      struct gen_val *v)
{
	const struct gen_attn *a = &l->net->attn;

	if (g->o.phase != GEN_TRAIN && a->causal)
		gen_kv_append(g, &l->kv, a, k ? k : q, v ? v : q, a->len);
	if (g->o.phase == GEN_DECODE)
		return gen_attend_kv(g, &l->kv, a, q);
	return gen_attention(g, a, q, k, v);
}

static struct gen_val *attention(struct gen *g, struct layer *l, struct gen_val *x)
{
	const struct net *t = l->net;
	u64 r = t->rows, h = t->width, q_width = t->attn.heads * t->attn.depth;
	struct gen_val *q, *k = NULL, *v = NULL, *y;

	scope(g, l, "attn");
	gen_reduce_grad(g, x);
	if (g->m.fused_qkv) {
		q = gen_linear(g, x, l->q, l->qb, r, h, t->qkv);
	} else {
		q = rope(g, gen_linear(g, x, l->q, l->qb, r, h, q_width));
		k = rope(g, gen_linear(g, x, l->k, l->kb, r, h, t->kv_width));
		v = gen_linear(g, x, l->v, l->vb, r, h, t->kv_width);
	}
	y = attend(g, l, q, k, v);
	gen_drop(g, q);
	gen_drop(g, k);
	gen_drop(g, v);
	y = gen_next(g, y, gen_linear(g, y, l->o, l->ob, r, q_width, h));
	if (tp(g) > 1)
		gen_all_reduce(g, y);
	return gen_next(g, y, gen_dropout(g, y));
}

static struct gen_val *mlp(struct gen *g, struct layer *l, struct gen_val *x)
{
	const struct net *t = l->net;
	u64 r = t->rows, h = t->width;
	struct gen_val *y, *gate;

	scope(g, l, "mlp");
	gen_reduce_grad(g, x);
	if (l->gate) {
		gate = gen_linear(g, x, l->gate, NULL, r, h, t->ffn);
		gate = gen_next(g, gate, gen_unary(g, gate, &gen_silu));
		y = gen_linear(g, x, l->up, l->upb, r, h, t->ffn);
		y = gen_next(g, y, gen_mul(g, gate, y));
		gen_drop(g, gate);
	} else {
		y = gen_linear(g, x, l->up, l->upb, r, h, t->ffn);
		y = gen_next(g, y, gen_unary(g, y, g->m.mlp == GEN_RELU ? &gen_relu : &gen_gelu));
	}
	y = gen_next(g, y, gen_linear(g, y, l->down, l->downb, r, t->ffn, h));
	if (tp(g) > 1)
		gen_all_reduce(g, y);
	return gen_next(g, y, gen_dropout(g, y));
}

static struct gen_val *block_run(struct gen *g, const void *arg, struct gen_val *x)
{
	struct layer *l = (struct layer *)arg;
	u64 r = l->net->rows;
	struct gen_val *y, *in;

	scope(g, l, "ln_1");
	in = g->m.post_norm ? gen_hold(x) : gen_norm(g, x, l->n1w, l->n1b, r);
	y = attention(g, l, in);
	gen_drop(g, in);
	scope(g, l, "");
	y = gen_next(g, y, gen_add(g, x, y));
	if (g->m.post_norm)
		y = gen_next(g, y, gen_norm(g, y, l->n1w, l->n1b, r));
	scope(g, l, "ln_2");
	in = g->m.post_norm ? gen_hold(y) : gen_norm(g, y, l->n2w, l->n2b, r);
	x = y;
	y = mlp(g, l, in);
	gen_drop(g, in);
	scope(g, l, "");
	y = gen_next(g, y, gen_add(g, x, y));
	gen_drop(g, x);
	if (g->m.post_norm)
		y = gen_next(g, y, gen_norm(g, y, l->n2w, l->n2b, r));
	return y;
}

/* A parameter that is added to every sample: its gradient is a sum over the batch. */
static void added_back(struct gen *g, struct gen_node *n)
{
	struct gen_val *dy = gen_take_grad(n), *dw = gen_grad_begin(g, n->p[0]);

	gen_k(g, "aten.sum", GS_REDUCE, dy->elems);
	gen_in(g, dy);
	gen_out(g, dw);
	gen_k_end(g);
	gen_grad_end(g, n->p[0], dw);
	gen_give_grad(g, n->in[0], dy);
}

/* x + p, or p as its first rows (cat): one kernel that reads both. */
static struct gen_val *with_param(struct gen *g, struct gen_val *x, struct gen_param *p, u64 elems,
				  const char *name)
{
	struct gen_val *y = gen_tmp(g, g->dtype, elems, name + 5);
	struct gen_node *n = gen_node(g, added_back, x, y);
	bool add = elems == x->elems;

	gen_k(g, name, add ? GS_ELEMENTWISE : GS_COPY, add ? elems : 0);
	gen_in(g, x, p->w);
	gen_out(g, y);
	gen_k_end(g);
	if (n)
		n->p[0] = p;
	return y;
}

static struct gen_val *embed_patches(struct gen *g, const struct net *t, struct gen_val *images)
{
	u64 edge = g->o.image ? g->o.image : g->m.image, elems = t->rows * t->width;
	const struct gen_conv c = { 3, t->width, g->m.patch, g->m.patch, 0 };
	struct gen_val *x;

	x = gen_convolution(g, images, t->patch, t->patchb, &c, t->micro_batch, edge);
	x = gen_next(g, x, with_param(g, x, t->cls, elems, "aten.cat"));
	x = gen_next(g, x, with_param(g, x, t->pos, elems, "aten.add"));
	return gen_next(g, x, gen_dropout(g, x));
}

static void positions_back(struct gen *g, struct gen_node *n)
{
	struct gen_val *dy = gen_take_grad(n), *dw = gen_grad_begin(g, n->p[0]);

	gen_k(g, "aten.embedding_dense_backward", GS_GATHER, 0);
	gen_in(g, dy);
	gen_out(g, dw);
	gen_k_end(g);
	gen_grad_end(g, n->p[0], dw);
	gen_drop(g, dy);
}

static struct gen_val *embed_positions(struct gen *g, const struct net *t, struct gen_val *x)
{
	struct gen_val *ids = gen_tmp(g, GS_I64, t->len, "arange"), *p;
	struct gen_node *n;

	gen_k(g, "aten.arange", GS_COPY, 0);
	g->op.kernel.dtype = GS_I64;
	gen_out(g, ids);
	gen_k_end(g);
	p = gen_tmp(g, g->dtype, t->len * t->width, "embedding");
	gen_k(g, "aten.embedding", GS_GATHER, 0);
	gen_touch_part(g, t->pos->w, 0, p->bytes, GS_READ);
	gen_in(g, ids);
	gen_out(g, p);
	gen_k_end(g);
	gen_drop(g, ids);
	n = gen_node(g, positions_back, NULL, p);
	if (n)
		n->p[0] = t->pos;
	x = gen_next(g, x, gen_add(g, x, p));
	gen_drop(g, p);
	return x;
}

static struct gen_val *embed_run(struct gen *g, const void *arg, struct gen_val *tokens)
{
	const struct net *t = arg;
	struct gen_val *x, *y;

	snprintf(g->scope, sizeof(g->scope), "embed");
	if (vision(g))
		return embed_patches(g, t, tokens);
	x = gen_embedding(g, t->word, tokens, g->m.vocab, t->width, t->rows);
	if (t->type) {
		y = gen_embedding(g, t->type, tokens, g->m.types, t->width, t->rows);
		x = gen_next(g, x, gen_add(g, x, y));
		gen_drop(g, y);
	}
	if (t->pos)
		x = embed_positions(g, t, x);
	if (t->enw)
		x = gen_next(g, x, gen_norm(g, x, t->enw, t->enb, t->rows));
	return gen_next(g, x, gen_dropout(g, x));
}

/* Pooled first tokens -> is it the next sentence?  All tokens -> what the table is asked for. */
static struct gen_val *mlm_run(struct gen *g, const struct net *t, struct gen_val *x,
			       struct gen_val *labels)
{
	u64 h = t->width, b = t->micro_batch;
	struct gen_val *first = gen_select(g, x, b * h);

	first = gen_next(g, first, gen_linear(g, first, t->pool, t->poolb, b, h, h));
	first = gen_next(g, first, gen_unary(g, first, &gen_tanh));
	first = gen_next(g, first, gen_linear(g, first, t->nsp, t->nspb, b, h, NSP));
	if (labels)
		first = gen_next(g, first, gen_loss(g, first, labels, b, NSP));
	gen_drop(g, first);
	x = gen_linear(g, x, t->tr, t->trb, t->rows, h, h);
	x = gen_next(g, x, gen_unary(g, x, &gen_gelu));
	return gen_next(g, x, gen_norm(g, x, t->tnw, t->tnb, t->rows));
}

struct head_arg {
	const struct net *net;
	struct gen_val *labels;
};

static struct gen_val *head_rows(struct gen *g, const struct net *t, struct gen_val *x, u64 rows,
				 struct gen_val *labels)
{
	u64 classes = g->m.head == GEN_CLASSES ? g->m.classes : t->vocab;

	if (g->m.head != GEN_CLASSES)
		gen_reduce_grad(g, x);
	x = gen_linear(g, x, t->head, t->headb, rows, t->width, classes);
	if (!labels)
		return x;
	return gen_next(g, x, gen_loss(g, x, labels, rows, classes));
}

static struct gen_val *head_run(struct gen *g, const void *arg, struct gen_val *x)
{
	const struct head_arg *a = arg;
	const struct net *t = a->net;
	bool train = g->o.phase == GEN_TRAIN;
	u64 rows = t->rows;

	snprintf(g->scope, sizeof(g->scope), "head");
	x = t->fnw ? gen_norm(g, x, t->fnw, t->fnb, rows) : gen_hold(x);
	if (g->m.head == GEN_CLASSES || (!train && g->m.head == GEN_LM)) {
		rows = t->micro_batch; /* class token, or the last one */
		x = gen_next(g, x, gen_select(g, x, rows * t->width));
	}
	if (g->m.head == GEN_MLM)
		x = gen_next(g, x, mlm_run(g, t, x, a->labels));
	return gen_next(g, x, head_rows(g, t, x, rows, a->labels));
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
	struct net *t = g->net;
	u64 edge = g->o.image ? g->o.image : g->m.image;
	u64 pixels = t->micro_batch * 3 * edge * edge;

	for (u32 i = 0; i < g->o.microbatches; i++) {
		if (!stage)
			refill(g, &t->tokens[i], vision(g) ? g->dtype : GS_I64,
			       vision(g) ? pixels : t->rows, "tokens");
		if (stage + 1 == g->ngroups && g->o.phase == GEN_TRAIN)
			refill(g, &t->labels[i], GS_I64,
			       g->m.head == GEN_CLASSES ? t->micro_batch : t->rows, "labels");
	}
	for (u32 i = 0; i < g->m.layers && g->o.phase == GEN_PREFILL; i++)
		if (stage_of(g, i) == stage)
			gen_kv_drop(g, &t->layer[i].kv);
}

static struct gen_val *transformer_forward(struct gen *g, u32 stage, u32 micro, struct gen_val *x)
{
	struct net *t = g->net;
	struct head_arg a = { t, t->labels[micro] };

	x = stage ? gen_hold(x)
		  : gen_segment(g, &t->embed_seg, embed_run, t, t->tokens[micro], false);
	for (u32 i = 0; i < g->m.layers; i++)
		if (stage_of(g, i) == stage)
			x = gen_next(g, x,
				     gen_segment(g, &t->layer[i].seg, block_run, &t->layer[i], x,
						 g->o.checkpoint));
	if (stage + 1 < g->ngroups)
		return x;
	return gen_next(g, x, gen_segment(g, &t->head_seg, head_run, &a, x, false));
}

const struct gen_family gen_transformer = {
	.name = "transformer",
	.check = transformer_check,
	.setup = transformer_setup,
	.inputs = transformer_inputs,
	.forward = transformer_forward,
	.fini = transformer_fini,
};
