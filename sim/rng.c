/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * rng.c - named random streams
 *
 * The bits are GSL's MT19937, which is integer arithmetic and the same
 * everywhere.  What is made of them uses no logarithm and nothing else that one
 * libm rounds in another way than the next: a run is byte-identical on every
 * machine.
 */
#include "sim/rng.h"

#include <stdlib.h>
#include <string.h>
#include <gsl/gsl_rng.h>

struct gs_rng {
	gsl_rng *mt;
};

/* MT19937 takes 32 bits of seed; the hash has mixed all of @seed and @name. */
struct gs_rng *gs_rng_new(u64 seed, const char *name)
{
	struct gs_rng *r = gs_calloc(1, sizeof(*r));

	r->mt = gsl_rng_alloc(gsl_rng_mt19937);
	gs_assert(r->mt);
	gsl_rng_set(r->mt, (unsigned long)(gs_hash(name, strlen(name), seed) & U32_MAX));
	return r;
}

void gs_rng_free(struct gs_rng *r)
{
	if (!r)
		return;
	gsl_rng_free(r->mt);
	free(r);
}

u64 gs_rng_bits(struct gs_rng *r)
{
	u64 high = gsl_rng_get(r->mt); /* the order of two calls in one expression is open */

	return high << 32 | gsl_rng_get(r->mt);
}

/*
 * Lemire's multiplication (ACM TOMACS 29:1, 2019): the high half of bits * n is
 * the answer; the low half says whether it fell into the part of the range that
 * would make some answers likelier than others, and is then drawn again.
 */
u64 gs_rng_below(struct gs_rng *r, u64 n)
{
	unsigned __int128 m;
	u64 uneven;

	gs_assert(n > 0);
	m = (unsigned __int128)gs_rng_bits(r) * n;
	if ((u64)m >= n)
		return (u64)(m >> 64);
	uneven = (0 - n) % n; /* 2^64 mod n */
	while ((u64)m < uneven)
		m = (unsigned __int128)gs_rng_bits(r) * n;
	return (u64)(m >> 64);
}

/* 53 bits: every result is a double exactly, and 1 is out of reach. */
double gs_rng_uniform(struct gs_rng *r)
{
	return (double)(gs_rng_bits(r) >> 11) * 0x1p-53;
}

/*
 * Von Neumann's way to an exponential by comparing uniforms only: the length of
 * a falling run that begins with u is odd with probability exp(-u).  If it is,
 * u is the fraction; if not, the whole part grows by one and all begins anew.
 */
double gs_rng_exponential(struct gs_rng *r, double mean)
{
	for (double whole = 0;; whole++) {
		double first = gs_rng_uniform(r), last = first;
		bool odd = true;

		for (;;) {
			double u = gs_rng_uniform(r);

			if (u >= last)
				break;
			last = u;
			odd = !odd;
		}
		if (odd)
			return mean * (whole + first);
	}
}
