/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * times.h - generated jobs and those of the G10 artifact, kernel by kernel
 *
 * All functions are static inline: a test program is one file.
 */
#ifndef HW_TEST_TIMES_H
#define HW_TEST_TIMES_H

#include "models/test/rig.h"

#include "traces/gen.h"
#include "traces/import.h"

/* @model as @change makes it, of @batch samples in f32. */
static inline struct gs_source *times_generated(const char *model, u64 batch,
						void (*change)(struct gen_options *,
							       struct gen_model *))
{
	struct gen_options o = { 0 };
	struct gen_model m = { 0 };
	struct gs_config *cfg;
	struct gs_source *src;
	struct tr_writer *w;
	const char *why;
	u64 n;

	for (const struct gm_param *row = gen_option_rows; row->key; row++)
		assert_int_equal(gs_param_parse(row, row->def, &o, &why), 0);
	assert_int_equal(gen_model_load(model, NULL, &cfg, &m), 0);
	o.batch = (u32)batch;
	change(&o, &m);
	assert_int_equal(gen_job(&o, &m, NULL, &w, &n), 0);
	assert_int_equal(tr_writer_source(w, model, &src), 0);
	gs_config_free(cfg);
	return src;
}

/* The artifact's @net at @batch; NULL where the data are not here. */
static inline struct gs_source *times_measured(const char *net, u64 batch)
{
	const char *data = getenv("GMEMSIM_DATA");
	char *dir = gs_asprintf("%s/g10/%s-%llu", data ? data : "../shared/data", net, batch);
	char *kernels = gs_asprintf("%s/kernels.config", dir);
	FILE *f = fopen(kernels, "r");
	struct gs_source *src = NULL;
	struct tr_writer *w;

	if (f) {
		fclose(f);
		gs_quiet = true;
		assert_int_equal(tr_g10_import(dir, NULL, &w), 0);
		assert_int_equal(tr_writer_source(w, dir, &src), 0);
	}
	free(kernels);
	free(dir);
	return src;
}

/* Time of a kernel: by @m's roofline, or (NULL) as it was measured. */
static inline double times_ms(const struct gs_machine *m, const struct gs_op *op)
{
	gs_time ps = m ? hw_roofline(m, op->kernel.opclass, op->kernel.dtype, op->kernel.flops,
				     op->kernel.bytes)
		       : op->kernel.duration_ps;

	return (double)ps / 1e9;
}

static inline void times_skip(void)
{
	print_message("g10 is absent: skipped (GMEMSIM_DATA may point to its folder)\n");
	skip();
}

#endif
