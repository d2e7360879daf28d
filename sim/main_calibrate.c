/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_calibrate.c - `gmemsim calibrate`: times of the uvm model from an A100
 *
 * Least squares on the logarithm of predicted over measured time, by GSL.  A
 * residual counts as its square while small and as itself when large, because
 * equal kernels were measured 3 % apart at the median and 20 % at the tail.
 */
#include "sim/main_a100.h"
#include "sim/out.h"

#include <errno.h>
#include <getopt.h>
#include <gsl/gsl_blas.h>
#include <gsl/gsl_multifit_nlinear.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct fitted {
	const char *key, *what;
} fitted[] = {
	{ "cost.block", "begin a block's service" },
	{ "cost.chunk", "take a chunk, once a block" },
	{ "cost.copy_page", "copy engine, a 4 KiB host page" },
	{ "cost.warm_up", "until the servicer is at full speed" },
	{ "cost.cold", "... and how much slower it begins" },
};

/* What the data do not tell apart from these: kept as it is, written with them. */
static const struct fitted kept = { "cost.prep",
				    "a distinct page of a batch: kept, hidden by block" };

enum { NFIT = GS_ARRAY_SIZE(fitted), ROUNDS = 12 };

static const double knee = 0.1;		   /* guess: about the noise of equal kernels */
static const double weight[] = { 0.5, 1 }; /* guess: the second includes the first */

struct fit {
	struct setup *s;
	struct a100_data *d;
	const struct gm_param *row[NFIT];
	double x[NFIT], sd[NFIT]; /* logarithms of the values; of 1 % */
	struct gs_progress bar;
};

/* ---- parameters as numbers ---- */

static void *field_of(const struct fit *f, size_t i)
{
	return (char *)f->s->ops_params + f->row[i]->offset;
}

static void set(const struct fit *f, size_t i, double value)
{
	if (f->row[i]->kind == GM_KIND_U32)
		*(u32 *)field_of(f, i) = (u32)lround(value);
	else
		*(u64 *)field_of(f, i) = (u64)llround(value);
}

static double get(const struct fit *f, size_t i)
{
	return f->row[i]->kind == GM_KIND_U32 ? *(u32 *)field_of(f, i)
					      : (double)*(u64 *)field_of(f, i);
}

static const struct gm_param *row_of(const struct setup *s, const char *key)
{
	const struct gm_param *r = s->ops->params;

	while (r->key && strcmp(r->key, key))
		r++;
	gs_assert(r->key);
	return r;
}

static int find_rows(struct fit *f)
{
	for (size_t i = 0; i < NFIT; i++) {
		const struct gm_param *r = row_of(f->s, fitted[i].key);

		f->row[i] = r;
		if (get(f, i) > 0)
			continue;
		gs_err("manager.uvm.%s is 0; a fit needs a value to begin with", r->key);
		return -EINVAL;
	}
	return 0;
}

/* ---- least squares ---- */

/* Pseudo-Huber: its square is the square of a small @r, linear in a large one. */
static double soften(double r)
{
	double q = r / knee, v = knee * sqrt(2 * (sqrt(1 + q * q) - 1));

	return r < 0 ? -v : v;
}

static int residuals(const gsl_vector *x, void *arg, gsl_vector *out)
{
	struct fit *f = arg;

	for (size_t i = 0; i < NFIT; i++)
		set(f, i, exp(gsl_vector_get(x, i)));
	a100_predict(f->s, f->d);
	for (size_t i = 0; i < f->d->nkernels; i++)
		for (size_t c = 0; c < A100_CASES; c++) {
			const struct a100_kernel *k = &f->d->kernels[i];
			double r = log(k->predicted_ms[c] / k->measured_ms[c]);

			gsl_vector_set(out, A100_CASES * i + c, weight[c] * soften(r));
		}
	gs_progress_update(&f->bar, gs_min(f->bar.done + 1, f->bar.total));
	return GSL_SUCCESS;
}

static void solve(struct fit *f, gsl_multifit_nlinear_workspace *w, gsl_multifit_nlinear_fdf *fdf)
{
	gsl_vector *x = gsl_vector_alloc(NFIT);
	gsl_matrix *cov = gsl_matrix_alloc(NFIT, NFIT);
	double sum;
	int info;

	for (size_t i = 0; i < NFIT; i++)
		gsl_vector_set(x, i, log(get(f, i)));
	gsl_multifit_nlinear_init(x, fdf, w);
	gsl_multifit_nlinear_driver(ROUNDS, 1e-3, 1e-4, 1e-4, NULL, NULL, &info, w);
	gsl_multifit_nlinear_covar(gsl_multifit_nlinear_jac(w), 0, cov);
	gsl_blas_ddot(gsl_multifit_nlinear_residual(w), gsl_multifit_nlinear_residual(w), &sum);
	for (size_t i = 0; i < NFIT; i++) {
		f->x[i] = gsl_vector_get(gsl_multifit_nlinear_position(w), i);
		f->sd[i] = sqrt(sum / (double)(fdf->n - NFIT) * gsl_matrix_get(cov, i, i));
		set(f, i, exp(f->x[i]));
	}
	gsl_vector_free(x);
	gsl_matrix_free(cov);
}

static void fit(struct fit *f)
{
	gsl_multifit_nlinear_parameters p = gsl_multifit_nlinear_default_parameters();
	gsl_multifit_nlinear_fdf fdf = {
		.f = residuals, .n = A100_CASES * f->d->nkernels, .p = NFIT, .params = f
	};
	gsl_multifit_nlinear_workspace *w;

	p.h_df = 0.01; /* simulated times are whole picoseconds, batches whole pages */
	w = gsl_multifit_nlinear_alloc(gsl_multifit_nlinear_trust, &p, fdf.n, fdf.p);
	gs_progress_begin(&f->bar, "calibrate", (ROUNDS + 1) * (NFIT + 1));
	solve(f, w, &fdf);
	gs_progress_end(&f->bar);
	gsl_multifit_nlinear_free(w);
}

/* ---- the preset ---- */

static void print_row(FILE *out, const struct fit *f, size_t i)
{
	bool percent = f->row[i]->kind == GM_KIND_U32;
	const char *unit = percent ? "%" : "ns";
	double v = exp(f->x[i]) / (percent ? 1 : GS_NS), wide = exp(1.96 * f->sd[i]);

	fprintf(out, "      %s: %.0f %s  # [%.0f, %.0f] %s\n", strchr(fitted[i].key, '.') + 1, v,
		unit, v / wide, v * wide, fitted[i].what);
}

static void print_preset(FILE *out, const struct fit *f)
{
	char value[64];

	fprintf(out, "# SPDX-License-Identifier: GPL-3.0-or-later\n"
		     "# NVIDIA UVM with times fitted to kernels that fault on an A100\n"
		     "# Written by `gmemsim calibrate` from");
	for (size_t i = 0; i < f->d->nnets; i++)
		fprintf(out, "%s%s", i % 4 ? " " : "\n#   ", f->d->nets[i].name);
	fprintf(out,
		"\n# (G10 artifact, MICRO'23).  In brackets: 95 %% interval, as if errors were\n"
		"# independent.  warm_up and cold are of a process that has just begun to fault:\n"
		"# set cold to 0 %% for jobs that run on.\n"
		"manager:\n  type: uvm\n  uvm:\n    cost:\n");
	gs_param_format(row_of(f->s, kept.key), f->s->ops_params, value, sizeof(value));
	fprintf(out, "      %s: %s  # %s\n", strchr(kept.key, '.') + 1, value, kept.what);
	for (size_t i = 0; i < NFIT; i++)
		print_row(out, f, i);
}

static int write_preset(const struct fit *f, const char *path)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = path ? open_memstream(&text, &size) : stdout;
	int ret = 0;

	gs_assert(out);
	print_preset(out, f);
	if (path) {
		fclose(out);
		ret = gs_write_file(path, text, size);
		free(text);
	}
	return ret;
}

int cmd_calibrate(int argc, char **argv)
{
	static const struct option options[] = { { "help", no_argument, NULL, 'h' }, { 0 } };
	struct setup s;
	struct a100_data d = { 0 };
	struct fit f = { .s = &s, .d = &d };
	const char *path = NULL;
	int c, err;

	optind = 1;
	while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (c == 'o') {
			path = optarg;
			continue;
		}
		main_help(c == 'h' ? stdout : stderr, "calibrate");
		return c == 'h' ? GS_EXIT_OK : GS_EXIT_USER;
	}
	err = a100_load(&s, &d, argv[optind], "calibrate");
	if (!err)
		err = find_rows(&f);
	if (!err) {
		fit(&f);
		err = write_preset(&f, path);
	}
	a100_fini(&d);
	setup_fini(&s);
	return err ? GS_EXIT_USER : GS_EXIT_OK;
}
