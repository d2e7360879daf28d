/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gen_blocks.c - embeddings, blocks and heads of transformers, forward */
#include "traces/gen_transformer.h"

static void scope(struct gen *g, const struct gen_layer *l, const char *what)
{
	snprintf(g->scope, sizeof(g->scope), "h.%u%s%s", l->number, *what ? "." : "", what);
}

static struct gen_val *rope(struct gen *g, struct gen_val *x)
{
	return g->m.position == GEN_ROTARY ? gen_next(g, x, gen_unary(g, x, &gen_rope)) : x;
}

/* Attention over what is here, or over the cache; fills the cache. */
static struct gen_val *attend(struct gen *g, struct gen_layer *l, struct gen_val *q,
			      struct gen_val *k, struct gen_val *v)
{
	const struct gen_attn *a = &l->net->attn;

	if (g->o.phase != GEN_TRAIN && a->causal)
		gen_kv_append(g, &l->kv[g->micro], a, k ? k : q, v ? v : q, a->len);
	if (g->o.phase == GEN_DECODE)
		return gen_attend_kv(g, &l->kv[g->micro], a, q);
	return gen_attention(g, a, q, k, v);
}

/* Into a matrix that tp cuts by columns: x whole on each device, its gradient summed. */
static struct gen_val *enter(struct gen *g, struct gen_val *x)
{
	if (g->s.sp)
		return gen_gather_rows(g, x);
	gen_reduce_grad(g, x);
	return gen_hold(x);
}

/* Behind a matrix that tp cuts by rows: the sum of all. */
static struct gen_val *leave(struct gen *g, struct gen_val *y)
{
	if (g->s.sp)
		return gen_next(g, y, gen_scatter_rows(g, y));
	gen_all_reduce(g, y);
	return y;
}

static struct gen_val *attention(struct gen *g, struct gen_layer *l, struct gen_val *x)
{
	const struct gen_net *t = l->net;
	u64 r = t->rows, h = t->width, q_width = t->attn.heads * t->attn.depth;
	struct gen_val *q, *k = NULL, *v = NULL, *y;

	scope(g, l, "attn");
	x = enter(g, x);
	if (g->m.fused_qkv) {
		q = gen_linear(g, x, l->q, l->qb, r, h, t->qkv);
	} else {
		q = rope(g, gen_linear(g, x, l->q, l->qb, r, h, q_width));
		k = rope(g, gen_linear(g, x, l->k, l->kb, r, h, t->kv_width));
		v = gen_linear(g, x, l->v, l->vb, r, h, t->kv_width);
	}
	gen_drop(g, x);
	y = attend(g, l, q, k, v);
	gen_drop(g, q);
	gen_drop(g, k);
	gen_drop(g, v);
	y = leave(g, gen_next(g, y, gen_linear(g, y, l->o, l->ob, r, q_width, h)));
	return gen_next(g, y, gen_dropout(g, y));
}

static struct gen_val *mlp(struct gen *g, struct gen_layer *l, struct gen_val *x)
{
	const struct gen_net *t = l->net;
	u64 r = t->rows, h = t->width;
	struct gen_val *y, *gate;

	scope(g, l, "mlp");
	x = enter(g, x);
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
	gen_drop(g, x);
	y = leave(g, gen_next(g, y, gen_linear(g, y, l->down, l->downb, r, t->ffn, h)));
	return gen_next(g, y, gen_dropout(g, y));
}

static struct gen_val *block_run(struct gen *g, const void *arg, struct gen_val *x)
{
	struct gen_layer *l = (struct gen_layer *)arg;
	u64 r = l->net->own_rows;
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
	bool add = elems == x->elems;
	struct gen_val *y =
		gen_op(g, name, add ? GS_ELEMENTWISE : GS_COPY, add ? elems : 0, x, p->w, elems);
	struct gen_node *n = gen_node(g, added_back, x, y);

	if (n)
		n->p[0] = p;
	return y;
}

static struct gen_val *embed_patches(struct gen *g, const struct gen_net *t, struct gen_val *images)
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

static struct gen_val *embed_positions(struct gen *g, const struct gen_net *t, struct gen_val *x)
{
	struct gen_val *ids = gen_tmp(g, GS_I64, t->len, "arange"), *p;
	struct gen_node *n;
	u64 first; /* row: tokens that were there before */

	gen_k(g, "aten.arange", GS_COPY, 0);
	g->op.kernel.dtype = GS_I64;
	gen_out(g, ids);
	gen_k_end(g);
	p = gen_tmp(g, g->dtype, t->len * t->width, "embedding");
	first = t->layer->kv[g->micro].len * t->width * gen_dtype_bytes(g->dtype);
	gen_k(g, "aten.embedding", GS_GATHER, 0);
	gen_touch_part(g, t->pos->w, first, p->bytes, GS_READ);
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
	const struct gen_net *t = arg;
	struct gen_val *x, *y;

	snprintf(g->scope, sizeof(g->scope), "embed");
	if (gen_vision(g))
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
	if (g->s.sp)
		x = gen_next(g, x, gen_split_rows(g, x));
	return gen_next(g, x, gen_dropout(g, x));
}

/* Pooled first tokens -> is it the next sentence?  All tokens -> what the table is asked for. */
static struct gen_val *mlm_run(struct gen *g, const struct gen_net *t, struct gen_val *x,
			       struct gen_val *labels)
{
	u64 h = t->width, b = t->micro_batch;
	struct gen_val *first = gen_select(g, x, b * h);

	first = gen_next(g, first, gen_linear(g, first, t->pool, t->poolb, b, h, h));
	first = gen_next(g, first, gen_unary(g, first, &gen_tanh));
	first = gen_next(g, first, gen_linear(g, first, t->nsp, t->nspb, b, h, GEN_NSP));
	if (labels)
		first = gen_next(g, first, gen_loss(g, first, labels, b, GEN_NSP, false));
	gen_drop(g, first);
	x = gen_linear(g, x, t->tr, t->trb, t->rows, h, h);
	x = gen_next(g, x, gen_unary(g, x, &gen_gelu));
	return gen_next(g, x, gen_norm(g, x, t->tnw, t->tnb, t->rows));
}

struct head_arg {
	const struct gen_net *net;
	struct gen_val *labels;
};

static struct gen_val *head_rows(struct gen *g, const struct gen_net *t, struct gen_val *x,
				 u64 rows, struct gen_val *labels)
{
	bool cut = g->s.tp > 1 && g->m.head != GEN_CLASSES;
	u64 classes = g->m.head == GEN_CLASSES ? g->m.classes : t->vocab;

	x = cut ? enter(g, x) : gen_hold(x);
	x = gen_next(g, x, gen_linear(g, x, t->head, t->headb, rows, t->width, classes));
	if (!labels)
		return x;
	return gen_next(g, x, gen_loss(g, x, labels, rows, classes, cut));
}

static struct gen_val *head_run(struct gen *g, const void *arg, struct gen_val *x)
{
	const struct head_arg *a = arg;
	const struct gen_net *t = a->net;
	bool train = g->o.phase == GEN_TRAIN;
	u64 rows = t->rows;

	snprintf(g->scope, sizeof(g->scope), "head");
	x = t->fnw ? gen_norm(g, x, t->fnw, t->fnb, t->own_rows) : gen_hold(x);
	if (g->m.head == GEN_CLASSES || (!train && g->m.head == GEN_LM)) {
		rows = t->micro_batch; /* class token, or the last one */
		x = gen_next(g, x, gen_select(g, x, rows * t->width));
	}
	if (g->m.head == GEN_MLM)
		x = gen_next(g, x, mlm_run(g, t, x, a->labels));
	return gen_next(g, x, head_rows(g, t, x, rows, a->labels));
}

struct gen_val *gen_blocks_forward(struct gen *g, u32 stage, struct gen_val *x)
{
	struct gen_net *t = g->net;
	struct head_arg a = { t, t->labels[g->micro] };

	x = stage ? gen_hold(x)
		  : gen_segment(g, &t->embed_seg, embed_run, t, t->tokens[g->micro], false);
	for (u32 i = 0; i < g->m.layers; i++)
		if (gen_stage_of(g, i) == stage)
			x = gen_next(g, x,
				     gen_segment(g, &t->layer[i].seg, block_run, &t->layer[i], x,
						 g->o.checkpoint == GEN_BLOCK_AGAIN));
	if (stage + 1 < g->ngroups)
		return x;
	return gen_next(g, x, gen_segment(g, &t->head_seg, head_run, &a, x, false));
}
