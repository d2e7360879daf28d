/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * kineto.h - a trace of PyTorch's profiler, in memory
 *
 * tr_kineto_read.c keeps of each event what a replay needs, in small tables;
 * tr_kineto_join.c finds which operator launched which kernel; tr_kineto.c
 * derives operands and makes a job of it.  Memory goes with operators, kernels
 * and allocations: 120 MB for a training's file of 1 GB.
 */
#ifndef TR_KINETO_H
#define TR_KINETO_H

#include "traces/aten.h"
#include "traces/build.h"
#include "traces/jsontree.h"

#define KN_NONE U32_MAX
enum { KN_OPERANDS = 1 << 14, KN_THREADS = 1 << 12 }; /* of an operator; of a trace */

/* A tensor operand of an operator. */
struct kn_operand {
	struct tr_shape shape;
	u64 bytes;    /* that it spans, by its strides */
	u32 position; /* among the operator's arguments */
	bool unsure;  /* the element type is not told */
};

/* The operands of an operator; operators with the same share one. */
struct kn_sig {
	u32 first, n; /* in kn.operands */
};

struct kn_op {
	u64 start, end; /* ns */
	u32 name, sig;	/* sig: index + 1; 0: no tensors */
	u32 allocs;	/* KN_NONE, or the buffer it allocated last */
	u16 thread;
	u8 phase;
};

/* A call of the host that started work of a device. */
struct kn_launch {
	u64 when, id;
	u32 op;
	u16 thread;
	u8 phase;
};

enum kn_sort { KN_KERNEL, KN_COPY_IN, KN_COPY_OUT, KN_COPY, KN_FILL };

struct kn_work {
	u64 when, start, ps; /* launched and begun, ns */
	u64 id;		     /* of the launch; 0: not told */
	u64 bytes;	     /* copies and fills */
	u32 name, op;
	u16 device, stream; /* as the trace numbers them, later dense */
	u8 sort, phase;
};

struct kn_memory {
	u64 when, va;
	s64 bytes;	  /* below 0: freed */
	u32 op, buf, seq; /* seq: in the order of the file */
	u16 thread, device;
};

struct kn_step {
	u64 when;
};

struct kn {
	struct tr_build *b;
	struct kn_op *ops;
	size_t nops, ops_cap;
	struct kn_launch *launches;
	size_t nlaunches, launches_cap;
	struct kn_work *work;
	size_t nwork, work_cap;
	struct kn_memory *memory;
	size_t nmemory, memory_cap;
	struct kn_step *steps;
	size_t nsteps, steps_cap;
	struct kn_sig *sigs;
	size_t nsigs, sigs_cap;
	struct kn_operand *operands;
	size_t noperands, operands_cap;
	u32 *sig_slots, nsig_slots;
	u32 *threads; /* names "pid/tid" */
	size_t nthreads, threads_cap;
	u32 *device_names; /* by number in the file; 0: not told */
	size_t ndevice_names, device_names_cap;
	u16 *devices, *streams; /* that are used, ascending */
	size_t ndevices, nstreams, devices_cap, streams_cap;

	/* what was met */
	u64 nevents, nshapes, nkernels, ncopies, nfills, nhost_memory;
	u64 copied, filled, first_total, most_total; /* bytes; U64_MAX: not told */
	bool no_addresses, too_many;		     /* operands of an operator */
	u8 float_dtype;				     /* met last */
};

/* Read @in into @k.  0 or -errno (said). */
int kn_read(struct kn *k, struct tr_bytes *in);
/* Give each launch, and with it each kernel, its operator; order them as launched. */
void kn_join(struct kn *k);
/* Make a buffer of each allocation, and of what was there and is freed. */
void kn_buffers(struct kn *k);
/* Kernels with operands, into the builder. */
struct kn_told {
	u64 with, without, guessed_bytes, guesses, iterations;
};
void kn_resolve(struct kn *k, struct kn_told *told);
/* The builder has all: what was kept of events goes.  kn_fini() does that too. */
void kn_drop_events(struct kn *k);
void kn_fini(struct kn *k);

static inline const struct kn_operand *kn_operands(const struct kn *k, const struct kn_op *op,
						   u32 *n)
{
	const struct kn_sig *s = op->sig ? &k->sigs[op->sig - 1] : NULL;

	*n = s ? s->n : 0;
	return s ? &k->operands[s->first] : NULL;
}

#endif
