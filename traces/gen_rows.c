/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gen_rows.c - tables of which a kernel reads some rows
 *
 * Rows are drawn by Zipf's law, the r-th most popular with weight r^-s.  The
 * tokens of a tokenizer stand in order of their frequency, about; identifiers
 * of a recommender do not, so their ranks are spread over the table.
 */
#include <math.h>
#include <stdlib.h>

#include "sim/rng.h"
#include "traces/gen.h"

enum {
	MAX_DRAWS = 1 << 18, /* of one kernel; more would only fill in popular rows */
	MAX_SPANS = 1 << 16
};

/* Rejection-inversion (Hormann, Derflinger 1996): constant time for any number of rows. */
struct zipf {
	double s, low, high, cut;
	u64 n;
};

static double area(double s, double x)
{
	return fabs(1 - s) < 1e-9 ? log(x) : (pow(x, 1 - s) - 1) / (1 - s);
}

static double area_inverse(double s, double y)
{
	double t = y * (1 - s);

	if (fabs(1 - s) < 1e-9)
		return exp(y);
	return pow(t > -1 ? 1 + t : 0, 1 / (1 - s));
}

static void zipf_init(struct zipf *z, double s, u64 n)
{
	z->s = s;
	z->n = n;
	z->low = area(s, 1.5) - 1;
	z->high = area(s, (double)n + 0.5);
	z->cut = 2 - area_inverse(s, area(s, 2.5) - pow(2, -s));
}

static u64 zipf_draw(const struct zipf *z, struct gs_rng *rng)
{
	for (;;) {
		double u = z->high + gs_rng_uniform(rng) * (z->low - z->high);
		double x = area_inverse(z->s, u), k = floor(x + 0.5);

		k = k < 1 ? 1 : k > (double)z->n ? (double)z->n : k;
		if (k - x <= z->cut || u >= area(z->s, k + 0.5) - pow(k, -z->s))
			return (u64)k - 1;
	}
}

static int by_value(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

struct rows {
	u64 *row; /* sorted, distinct */
	u64 n, width_bytes;
};

/* @count draws; the same for the same @seed. */
static void rows_draw(const struct gen *g, struct rows *r, u64 rows, u64 count, u64 seed,
		      bool spread)
{
	struct gs_rng *rng = gs_rng_new(seed, "gen.rows");
	struct zipf z;
	u64 n = 0;

	zipf_init(&z, g->o.zipf, rows);
	count = gs_min(count, MAX_DRAWS);
	r->row = gs_calloc(count, sizeof(*r->row));
	for (u64 i = 0; i < count; i++) {
		u64 rank = zipf_draw(&z, rng);

		r->row[i] = spread ? rank * 2654435761ULL % rows : rank;
	}
	gs_rng_free(rng);
	qsort(r->row, count, sizeof(*r->row), by_value);
	for (u64 i = 0; i < count; i++)
		if (!n || r->row[n - 1] != r->row[i])
			r->row[n++] = r->row[i];
	r->n = n;
}

/*
 * Runs of rows, at most MAX_SPANS: a run also closes gaps of @gap rows.  Each is
 * handed to fn.  The number of runs.
 */
typedef void (*span_fn)(struct gen *g, struct gen_val *v, u64 off, u64 bytes, u8 access);

static u64 rows_runs(struct gen *g, const struct rows *r, struct gen_val *table, u64 gap, u8 access,
		     span_fn fn)
{
	u64 runs = 0;

	for (u64 i = 0, j; i < r->n; i = j) {
		for (j = i + 1; j < r->n && r->row[j] - r->row[j - 1] <= gap; j++)
			;
		runs++;
		if (fn)
			fn(g, table, r->row[i] * r->width_bytes,
			   (r->row[j - 1] - r->row[i] + 1) * r->width_bytes, access);
	}
	return runs;
}

static void rows_touch(struct gen *g, const struct rows *r, struct gen_val *table, u8 access,
		       span_fn fn)
{
	u64 gap = 1;

	while (rows_runs(g, r, table, gap, access, NULL) > MAX_SPANS)
		gap *= 2;
	rows_runs(g, r, table, gap, access, fn);
}

/* ---- one row for each index -------------------------------------------------- */

static void embedding_back(struct gen *g, struct gen_node *n)
{
	struct gen_val *dy = gen_take_grad(n), *dw = gen_grad_begin(g, n->p[0]);

	gen_k(g, "aten.embedding_dense_backward", GS_GATHER, 0);
	gen_in(g, dy, n->saved[0]);
	gen_out(g, dw);
	gen_k_end(g);
	gen_grad_end(g, n->p[0], dw);
	gen_drop(g, dy);
}

/* Of @n rows or draws those on one device, where the table is cut. */
static u64 here(const struct gen *g, const struct gen_param *table, u64 n)
{
	return table->local < table->full ? (n + g->s.tp - 1) / g->s.tp : n;
}

struct gen_val *gen_embedding(struct gen *g, struct gen_param *table, struct gen_val *index,
			      u64 rows, u64 width, u64 count)
{
	struct gen_val *y = gen_tmp(g, g->dtype, count * width, "embedding");
	struct gen_node *n = gen_node(g, embedding_back, NULL, y);
	struct rows r = { .width_bytes = width * gen_dtype_bytes(g->dtype) };

	rows_draw(g, &r, here(g, table, rows), here(g, table, count), gs_rng_bits(g->rng), false);
	gen_k(g, "aten.embedding", GS_GATHER, 0);
	rows_touch(g, &r, table->w, GS_READ, gen_touch_part);
	gen_in(g, index);
	gen_out(g, y);
	gen_k_end(g);
	free(r.row);
	gen_save(n, 0, index);
	if (n)
		n->p[0] = table;
	if (table->local < table->full)
		gen_all_reduce(g, y);
	return y;
}

/* ---- bags: rows summed, updated where they lie ----------------------------------- */

static void bag_rows(struct gen *g, const struct gen_node *n, struct rows *r)
{
	*r = (struct rows){ .width_bytes = n->dim[1] * gen_dtype_bytes(g->dtype) };
	rows_draw(g, r, here(g, n->p[0], n->dim[0]), here(g, n->p[0], n->dim[2]), n->dim[3], true);
}

/* Gradient and SGD in one kernel, as in FBGEMM; or by the host, in place. */
static void bag_back(struct gen *g, struct gen_node *n)
{
	struct gen_val *dy = gen_take_grad(n);
	struct rows r;

	bag_rows(g, n, &r);
	if (n->dim[4]) {
		gen_host(g, dy, 0, dy->bytes, GS_READ);
		rows_touch(g, &r, n->p[0]->w, GS_READ | GS_WRITE, gen_host);
	} else {
		gen_k(g, "embedding_bag_backward_sgd", GS_GATHER, 2 * n->dim[2] * n->dim[1]);
		gen_in(g, dy, n->saved[0]);
		rows_touch(g, &r, n->p[0]->w, GS_READ | GS_WRITE, gen_touch_part);
		gen_k_end(g);
	}
	free(r.row);
	gen_drop(g, dy);
}

struct gen_val *gen_embedding_bag(struct gen *g, struct gen_param *table, struct gen_val *index,
				  u64 rows, u64 width, u64 bags, bool host)
{
	struct gen_val *y = gen_tmp(g, g->dtype, bags * width, "_embedding_bag");
	struct gen_node *n = gen_node(g, bag_back, NULL, y), plain = { 0 };
	struct gen_node *d = n ? n : &plain;
	struct rows r;

	d->p[0] = table;
	d->dim[0] = rows;
	d->dim[1] = width;
	d->dim[2] = index->elems;
	d->dim[3] = gs_rng_bits(g->rng);
	d->dim[4] = host;
	bag_rows(g, d, &r);
	if (host) {
		rows_touch(g, &r, table->w, GS_READ, gen_host);
		gen_host(g, y, 0, y->bytes, GS_WRITE);
	} else {
		gen_k(g, "aten._embedding_bag", GS_GATHER, 0);
		rows_touch(g, &r, table->w, GS_READ, gen_touch_part);
		gen_in(g, index);
		gen_out(g, y);
		gen_k_end(g);
	}
	free(r.row);
	gen_save(n, 0, index);
	return y;
}
