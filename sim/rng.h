/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * rng.h - one random stream per named component (the only user of GSL's
 * generators), seeded by hash(seed, name): a new component shifts nobody's
 * numbers.
 */
#ifndef GS_RNG_H
#define GS_RNG_H

#include "sim/base.h"

struct gs_rng;
struct gs_rng *gs_rng_new(u64 seed, const char *name);
void gs_rng_free(struct gs_rng *r);
u64 gs_rng_below(struct gs_rng *r, u64 n); /* uniform in [0, n); n > 0 */
double gs_rng_uniform(struct gs_rng *r);   /* in [0, 1) */
double gs_rng_exponential(struct gs_rng *r, double mean);
u64 gs_rng_bits(struct gs_rng *r);

#endif
