// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * example.c - training of a model that is larger than the device's memory
 *
 *	example [LAYERS [MIB A LAYER [STEPS]]]
 *
 * Weights and gradients of all layers are one peer-shared range.  In each step the
 * CPU makes the gradients of a layer while the device applies those of the layer
 * before, weight -= rate * gradient, in 64-bit integers that wrap; what comes next
 * is prefetched on the stream, and used gradients are freed without a copy.  The
 * end is known in closed form, so every weight is checked, by the CPU and by a
 * checksum of the device's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gmem.h"

#define RATE 3ULL

static uint64_t words; /* of a layer */

static uint64_t gradient(uint64_t layer, uint64_t step, uint64_t i)
{
	return (layer + 1) * 1000003 + (step + 1) * i;
}

static int failed(const char *what, int err)
{
	fprintf(stderr, "example: %s: %s\n", what, strerror(-err));
	return 1;
}

/* The device's part of a layer's step. */
static int apply(uint64_t *weight, uint64_t *grad, void *stream)
{
	struct gmem_prog p = { .op = GMEM_OP_ADD,
			       .dst = (uintptr_t)weight,
			       .src = (uintptr_t)grad,
			       .bytes = words * 8,
			       .value = 0 - RATE };
	int err = gmemPrefetch((uintptr_t)weight, words * 8, gmemGetNumaId(), stream);

	err = err ? err : gmemRun(&p, stream);
	return err ? err : gmemFreeEager((uintptr_t)grad, words * 8, stream);
}

static uint64_t expected(uint64_t layer, uint64_t steps, uint64_t i)
{
	uint64_t sum = i, s;

	for (s = 0; s < steps; s++)
		sum -= RATE * gradient(layer, s, i);
	return sum;
}

int main(int argc, char **argv)
{
	uint64_t layers = argc > 1 ? strtoull(argv[1], NULL, 0) : 24;
	uint64_t bytes = (argc > 2 ? strtoull(argv[2], NULL, 0) : 8) << 20;
	uint64_t steps = argc > 3 ? strtoull(argv[3], NULL, 0) : 2, l, s, i, sum, bad = 0;
	struct gmem_info info = { 0 };
	void *stream = gmemStreamCreate();
	uint64_t *weight, *grad;
	int err = gmemInfo(&info);

	if (err || !stream)
		return failed("/dev/gmem", err ? err : -1);
	words = bytes / 8;
	weight = gmemMap(layers * bytes * 2);
	if (!weight)
		return failed("gmemMap", -1);
	grad = weight + layers * words;
	printf("example: %llu MiB shared, %llu MiB on the device\n",
	       (unsigned long long)(layers * bytes * 2 >> 20),
	       (unsigned long long)(info.hbm_bytes >> 20));
	for (l = 0; l < layers; l++) {
		struct gmem_prog fill = { .op = GMEM_OP_FILL,
					  .dst = (uintptr_t)(weight + l * words),
					  .bytes = bytes,
					  .step = 1 };

		err = err ? err : gmemRun(&fill, stream);
	}
	for (s = 0; s < steps; s++) {
		for (l = 0; l < layers && !err; l++) {
			for (i = 0; i < words; i++)
				grad[l * words + i] = gradient(l, s, i);
			err = apply(weight + l * words, grad + l * words, stream);
		}
		err = err ? err : gmemStreamSync(stream, NULL);
	}
	if (err)
		return failed("step", err);
	for (l = 0; l < layers; l++) {
		struct gmem_prog check = { .op = GMEM_OP_CHECKSUM,
					   .dst = (uintptr_t)(weight + l * words),
					   .bytes = bytes };

		for (i = sum = 0; i < words; i++)
			sum += expected(l, steps, i) * (2 * i + 1);
		err = gmemRun(&check, NULL);
		bad += err || check.result != sum;
		for (i = 0; i < words; i += 509)
			bad += weight[l * words + i] != expected(l, steps, i);
	}
	printf("example: %llu wrong\n", (unsigned long long)bad);
	return bad != 0;
}
