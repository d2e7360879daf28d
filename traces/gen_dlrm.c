/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gen_dlrm.c - recommendation: tables, dot products, two small MLPs (Naumov et al. 2019)
 *
 *	dense --- bottom MLP ---+-- T (1 + tables vectors) -- T T^T -- lower triangle --+-- top MLP
 *	ids ----- table rows ---+                        \-- the dense vector ----------/
 *
 * Tables take plain SGD on the rows that were read, the MLPs the optimizer that
 * was asked for.  Under tp rows are spread over the devices and sums of bags
 * are reduced; the MLPs stand whole on each.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "traces/gen.h"

enum { MAX_TABLES = 256, MAX_MLP = 16 };

struct mlp {
	int n; /* matrices; width[0] is the input's */
	u64 width[MAX_MLP + 1];
	struct gen_param *w[MAX_MLP], *b[MAX_MLP];
	bool sigmoid; /* at the end */
};

struct dlrm {
	struct gen_seg seg;
	struct gen_param *table[MAX_TABLES];
	u64 rows[MAX_TABLES];
	int ntables;
	struct mlp bottom, top;
	struct gen_val *index[MAX_TABLES], *dense, *labels;
};

/* The vectors that meet; owned by the node. */
struct meeting {
	u64 batch, dim, n, pairs;
	struct gen_val *in[MAX_TABLES + 1];
};

static int refuse(const struct gen *g, const char *why)
{
	gs_err("trace gen: %s: %s", g->m.name, why);
	return -EINVAL;
}

/* How many numbers are in the list; 0 where it is none, or has a 0 (said). */
static int positive(const struct gen *g, const char *key, const char *text, u64 *list, u32 max)
{
	int n = gen_list(text, list, max);

	for (int i = 0; i < n; i++) {
		if (list[i])
			continue;
		gs_err("trace gen: %s: %s: number %d is 0", g->m.name, key, i + 1);
		return 0;
	}
	return n > 0 ? n : 0;
}

static int dlrm_check(const struct gen *g)
{
	u64 list[MAX_TABLES];
	int n;

	if (!positive(g, "tables", g->m.tables, list, MAX_TABLES))
		return -EINVAL;
	n = positive(g, "bottom", g->m.bottom, list, MAX_MLP);
	if (n && list[n - 1] != g->m.dim)
		return refuse(g, "bottom must end in dim, which meets the rows of the tables");
	n = n ? positive(g, "top", g->m.top, list, MAX_MLP) : 0;
	if (n && list[n - 1] != 1)
		return refuse(g, "top must end in 1, the click");
	if (!n)
		return -EINVAL;
	if (!g->m.dense || !g->m.dim || !g->m.pooling)
		return refuse(g, "dense, dim and pooling are 1 at least");
	if (g->o.phase != GEN_TRAIN || g->s.dp > 1 || g->s.pp > 1)
		return refuse(g, "generated for --phase train, on several devices by --parallel "
				 "tp");
	if (g->o.microbatches > 1)
		return refuse(g, "its batch is not divided (--microbatches)");
	return 0;
}

static double mlp_largest(const char *text, double in)
{
	u64 width[MAX_MLP];
	double most = 0;

	for (int i = 0, n = gen_list(text, width, MAX_MLP); i < n; i++) {
		most = fmax(most, in * (double)width[i]);
		in = (double)width[i];
	}
	return most;
}

/* A layer of an MLP, the meeting of all vectors, or rows that are read. */
static double dlrm_largest(const struct gen *g)
{
	u64 rows[MAX_TABLES];
	double n = 1 + gen_list(g->m.tables, rows, MAX_TABLES), dim = g->m.dim, most;

	most = fmax(mlp_largest(g->m.bottom, g->m.dense), mlp_largest(g->m.top, n * n + dim));
	most = fmax(most, n * n * dim);
	return 16. * g->o.batch * fmax(most, g->m.pooling * dim);
}

/* ---- parameters ------------------------------------------------------------- */

static void mlp_new(struct gen *g, struct gen_seg *seg, struct mlp *m, const char *text, u64 in,
		    const char *name)
{
	m->width[0] = in;
	m->n = gen_list(text, m->width + 1, MAX_MLP);
	for (int i = 0; i < m->n; i++) {
		u64 n = m->width[i] * m->width[i + 1];

		m->w[i] = gen_param_new(g, seg, n, n, "%s.%d.weight", name, i);
		m->b[i] = gen_param_new(g, seg, m->width[i + 1], m->width[i + 1], "%s.%d.bias",
					name, i);
	}
}

static void dlrm_setup(struct gen *g)
{
	struct dlrm *t = g->net = gs_calloc(1, sizeof(*t));
	u64 n = g->s.tp, vectors;

	t->ntables = gen_list(g->m.tables, t->rows, MAX_TABLES);
	for (int i = 0; i < t->ntables; i++) {
		u64 rows = t->rows[i];

		t->table[i] = gen_param_new(g, &t->seg, rows * g->m.dim,
					    (rows + n - 1) / n * g->m.dim, "table.%d", i);
		t->table[i]->sparse = true;
	}
	vectors = (u64)t->ntables + 1;
	mlp_new(g, &t->seg, &t->bottom, g->m.bottom, g->m.dense, "bottom");
	mlp_new(g, &t->seg, &t->top, g->m.top, g->m.dim + vectors * (vectors - 1) / 2, "top");
	t->top.sigmoid = true;
}

static void dlrm_fini(struct gen *g)
{
	struct dlrm *t = g->net;

	for (int i = 0; i < t->ntables; i++)
		free(t->index[i]);
	free(t->dense);
	free(t->labels);
	gen_seg_fini(&t->seg);
	free(t);
}

/* ---- forward and backward ------------------------------------------------------ */

static struct gen_val *mlp_run(struct gen *g, const struct mlp *m, struct gen_val *x, u64 rows)
{
	x = gen_hold(x);
	for (int i = 0; i < m->n; i++) {
		bool last = i + 1 == m->n;

		x = gen_next(g, x,
			     gen_linear(g, x, m->w[i], m->b[i], rows, m->width[i],
					m->width[i + 1]));
		if (!last || !m->sigmoid)
			x = gen_next(g, x, gen_unary(g, x, &gen_relu));
	}
	return x;
}

/* d(T T^T) = (D + D^T) T: two products, then back to the vectors. */
static void meet_back(struct gen *g, struct gen_node *n)
{
	const struct meeting *m = n->arg;
	u64 all = m->batch * m->n * m->dim, sq = m->batch * m->n * m->n;
	struct gen_val *dy = gen_take_grad(n), *d, *dt;

	d = gen_tmp(g, g->dtype, sq, "index_backward");
	gen_k(g, "aten.index_put_", GS_GATHER, 0);
	gen_in(g, dy);
	gen_out(g, d);
	gen_k_end(g);
	gen_drop(g, dy);
	dt = gen_tmp(g, g->dtype, all, "bmm");
	gen_k(g, "aten.bmm", GS_GEMM, 4 * sq * m->dim);
	gen_in(g, d, n->saved[0]);
	gen_out(g, dt);
	gen_k_end(g);
	gen_drop(g, d);
	for (u64 i = 0; i < m->n; i++) {
		struct gen_val *part = gen_tmp(g, g->dtype, m->batch * m->dim, "clone");

		gen_k(g, "aten.clone", GS_COPY, 0);
		gen_touch_part(g, dt, i * part->bytes, part->bytes, GS_READ);
		gen_out(g, part);
		gen_k_end(g);
		gen_give_grad(g, m->in[i], part);
		gen_unref(g, m->in[i]);
	}
	gen_drop(g, dt);
	free((void *)n->arg);
}

static struct gen_val *gather_vectors(struct gen *g, const struct meeting *m)
{
	struct gen_val *t = gen_tmp(g, g->dtype, m->batch * m->n * m->dim, "cat");

	gen_k(g, "aten.cat", GS_COPY, 0);
	for (u64 i = 0; i < m->n; i++)
		gen_touch(g, m->in[i], GS_READ);
	gen_out(g, t);
	gen_k_end(g);
	return t;
}

static struct gen_val *meet(struct gen *g, struct meeting *m)
{
	u64 sq = m->batch * m->n * m->n;
	struct gen_val *t = gather_vectors(g, m), *z, *y;
	struct gen_node *n;

	z = gen_tmp(g, g->dtype, sq, "bmm");
	gen_k(g, "aten.bmm", GS_GEMM, 2 * sq * m->dim);
	gen_in(g, t);
	gen_out(g, z);
	gen_k_end(g);
	y = gen_tmp(g, g->dtype, m->batch * (m->dim + m->pairs), "index");
	gen_k(g, "aten.index", GS_GATHER, 0);
	gen_in(g, z, m->in[0]);
	gen_out(g, y);
	gen_k_end(g);
	gen_drop(g, z);
	n = gen_node(g, meet_back, NULL, y);
	gen_save(n, 0, t);
	gen_drop(g, t);
	n->arg = m;
	for (u64 i = 0; i < m->n; i++) {
		gen_ref(m->in[i]);
		gen_drop(g, m->in[i]); /* the caller's */
	}
	return y;
}

static struct gen_val *dlrm_run(struct gen *g, const void *arg, struct gen_val *dense)
{
	const struct dlrm *t = arg;
	struct meeting *m = gs_calloc(1, sizeof(*m));
	struct gen_val *x;

	m->batch = g->o.batch;
	m->dim = g->m.dim;
	m->n = (u64)t->ntables + 1;
	m->pairs = m->n * (m->n - 1) / 2;
	m->in[0] = mlp_run(g, &t->bottom, dense, m->batch);
	for (int i = 0; i < t->ntables; i++) {
		m->in[i + 1] = gen_embedding_bag(g, t->table[i], t->index[i], t->rows[i], m->dim,
						 m->batch, g->o.lookup);
		gen_all_reduce(g, m->in[i + 1]);
	}
	x = meet(g, m);
	x = gen_next(g, x, mlp_run(g, &t->top, x, g->o.batch));
	x = gen_next(g, x, gen_unary(g, x, &gen_sigmoid));
	return gen_next(g, x, gen_loss(g, x, t->labels, g->o.batch, 1, false));
}

static void dlrm_inputs(struct gen *g, u32 stage)
{
	struct dlrm *t = g->net;
	u64 batch = g->o.batch;

	(void)stage;
	gen_refill(g, &t->dense, g->dtype, batch * g->m.dense, "dense");
	gen_refill(g, &t->labels, GS_F32, batch, "labels");
	for (int i = 0; i < t->ntables; i++)
		gen_refill(g, &t->index[i], GS_I64, batch * g->m.pooling, "index.%d", i);
}

static struct gen_val *dlrm_forward(struct gen *g, u32 stage, struct gen_val *x)
{
	struct dlrm *t = g->net;

	(void)stage;
	(void)x;
	return gen_segment(g, &t->seg, dlrm_run, t, t->dense, false);
}

const struct gen_family gen_dlrm = {
	.name = "dlrm",
	.check = dlrm_check,
	.largest = dlrm_largest,
	.setup = dlrm_setup,
	.inputs = dlrm_inputs,
	.forward = dlrm_forward,
	.fini = dlrm_fini,
};
