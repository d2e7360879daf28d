/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * g10.h - an analysed network of the G10 artifact (MICRO'23), in memory
 *
 * tr_g10_read.c reads and compares the files, tr_g10.c makes a job of them.
 */
#ifndef TR_G10_H
#define TR_G10_H

#include "sim/op.h"

struct g10_tensor {
	u64 addr, bytes; /* in the address space of its sort */
	bool global;	 /* lives for ever */
	bool workspace;
	u8 kind;
	bool used;
	u32 birth, death; /* first and last kernel that use it */
};

struct g10_kernel {
	char *name;
	u64 cycles;
	u64 fault_out_ps, fault_all_ps; /* 0: no such file */
	u32 uses, ninputs, noutputs;	/* g10.uses[uses ...]: inputs, then outputs */
};

struct g10 {
	const char *dir;
	u32 batch;
	struct g10_tensor *tensors;
	size_t ntensors, tensors_cap;
	struct g10_kernel *kernels;
	size_t nkernels, kernels_cap;
	u32 *uses; /* ids of tensors */
	size_t nuses, uses_cap;

	/* while reading: */
	bool in_outputs; /* the rows that come are outputs */
	size_t due;	 /* kernel whose time or workspace comes next */
	size_t nspaces;	 /* kernels with a workspace */
	size_t space;	 /* the tensor that the next workspace must be */
};

/* Read folder @dir.  0 or -errno (said); fini in either case. */
int g10_read(struct g10 *g, const char *dir);
void g10_fini(struct g10 *g);

#endif
