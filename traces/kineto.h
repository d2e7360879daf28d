/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * kineto.h - a trace of PyTorch's profiler, as tables
 *
 * tr_kineto_read.c keeps of each event what a replay needs; tr_kineto_join.c finds
 * which operator launched which kernel; tr_kineto_derive.c derives operands.  Tables
 * of events are sorted and merged in temporary files.  Memory goes with operators
 * that work and with allocations: 110 MB for a file of 1 GB with a kernel in 800 bytes.
 */
#ifndef TR_KINETO_H
#define TR_KINETO_H

#include "traces/aten.h"
#include "traces/build.h"
#include "traces/jsontree.h"

#define KN_NONE U32_MAX
enum { KN_MEMORY = 1 << 20 };			      /* bytes of a table that stay in memory */
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

/* What a name says: asked once as long as no other of its slot comes between. */
struct kn_name {
	u32 name;
	u8 opclass, phase;
	bool known, idle;
};
enum { KN_NAMES = 1024 };

struct kn_op {
	u64 start, end; /* ns */
	u32 name, sig;	/* sig: index + 1; 0: no tensors */
	u16 thread;
	u8 phase;
};

/* An operator that launches or allocates. */
struct kn_owner {
	u32 name, sig; /* as of kn_op */
	u32 allocs;    /* KN_NONE, or the buffer it allocated last */
};

/* A call of the host that started work of a device. */
struct kn_launch {
	u64 when, id;
	u32 owner; /* KN_NONE: none */
	u16 thread;
	u8 phase;
};

enum kn_sort { KN_KERNEL, KN_COPY_IN, KN_COPY_OUT, KN_COPY, KN_FILL };

struct kn_work {
	u64 when, start, ps; /* launched and begun, ns */
	u64 id;		     /* of the launch; 0: not told */
	u64 bytes;	     /* copies and fills */
	u32 name, owner;
	u16 device, stream; /* as the trace numbers them, later dense */
	u8 sort, phase;
};

struct kn_memory {
	u64 when, va;
	s64 bytes;	     /* below 0: freed */
	u32 owner, buf, seq; /* seq: in the order of the file */
	u16 thread, device;
};

struct kn_step {
	u64 when;
};

struct kn {
	struct tr_build *b;
	struct tr_spill *ops;	   /* by thread and start */
	struct tr_spill *launches; /* by thread and time; later by id */
	struct tr_spill *work;	   /* by id of the launch; later by time of it */
	struct tr_spill *memory;   /* by thread and time; later by time */
	struct kn_owner *owners;
	size_t nowners, owners_cap;
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

	struct kn_name names[KN_NAMES]; /* by number of the name */

	/* what was met */
	u64 nevents, nshapes, nkernels, ncopies, nfills, nhost_memory;
	u64 nmemory, nallocs, alloc_bytes;	     /* allocations and frees; the former */
	u64 copied, filled, first_total, most_total; /* bytes; U64_MAX: not told */
	bool no_addresses, too_many;		     /* operands of an operator */
	u8 float_dtype;				     /* met last */
};

void kn_init(struct kn *k, struct tr_build *b);
/* This and what follows: 0 or -errno (said).  Read @in into @k. */
int kn_read(struct kn *k, struct tr_bytes *in);
/* Give each launch, and with it each kernel, its operator; order them as launched. */
int kn_join(struct kn *k);
/* Make a buffer of each allocation, and of what was there and is freed. */
int kn_buffers(struct kn *k);
/* Kernels with operands, into the builder. */
struct kn_told {
	u64 with, without, guessed_bytes, guesses, iterations;
};
int kn_resolve(struct kn *k, struct kn_told *told);
/* The builder has all: what was kept of events goes.  kn_fini() does that too. */
void kn_drop_events(struct kn *k);
void kn_fini(struct kn *k);

const struct kn_name *kn_name(struct kn *k, u32 name);

static inline const struct kn_operand *kn_operands(const struct kn *k, const struct kn_owner *op,
						   u32 *n)
{
	const struct kn_sig *s = op->sig ? &k->sigs[op->sig - 1] : NULL;

	*n = s ? s->n : 0;
	return s ? &k->operands[s->first] : NULL;
}

#endif
