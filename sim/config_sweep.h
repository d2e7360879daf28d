/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * config_sweep.h - the section `sweep` of a configuration: axes and their grid
 *
 * An axis is a list of cases; a case is a label and the assignments that make
 * it.  The three ways to write an axis (a key with values, a key with a range,
 * named cases) and the short form hbm_percent all become that.  The points are
 * the grid of all axes, the last axis running fastest.
 */
#ifndef GS_CONFIG_SWEEP_H
#define GS_CONFIG_SWEEP_H

#include "sim/config.h"

struct gs_case {
	char *label;
	char **sets; /* "key.path=value" */
	size_t nsets, cap;
};

struct gs_axis {
	char *name; /* column of sweep.csv: the key, or the name of the cases */
	struct gs_case *cases;
	size_t n, cap;
};

struct gs_grid {
	struct gs_axis *axes;
	size_t naxes, npoints;
};

/* Read `sweep.axes`; @sections know the units of ranges.  0 or -EINVAL (said). */
int gs_grid_load(struct gs_grid *g, const struct gs_config *cfg, const struct gs_section *sections);
void gs_grid_free(struct gs_grid *g);
/* The case of axis @a at @point. */
const struct gs_case *gs_grid_case(const struct gs_grid *g, size_t point, size_t a);

#endif
