/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * et.h - a graph of operators with the storages they use, as a job
 *
 * Execution traces of PyTorch (tr_et.c) and of Chakra (tr_chakra.c) tell which
 * storage an operand lies in, but not when it is allocated or freed.  Nodes are
 * collected here in any order; et_finish() puts them in order and derives.
 * Operands, of which there are most, lie in a temporary file meanwhile.
 */
#ifndef TR_ET_H
#define TR_ET_H

#include "traces/aten.h"
#include "traces/build.h"
#include "traces/jsontree.h"

enum { ET_DEVICES = 32, ET_OPERANDS = 1 << 14 }; /* of a trace; of a node */

/* [tensor id, storage id, offset, elements, bytes of an element, device] */
struct et_operand {
	u64 node; /* its id */
	u64 tensor, storage, off, bytes;
	struct tr_shape shape;
	u16 device; /* in et.devices */
	u8 access;
	bool output;
};

struct et_node {
	u64 id, parent;
	u64 ps;		    /* U64_MAX: not told */
	u32 name, first, n; /* operands, counted as they came */
	u32 devices;	    /* bit d: an operand is on device d */
	u16 stream;
	u8 mark;      /* phase that it announces for all below it */
	bool idle;    /* launches nothing by itself */
	bool working; /* something below it launches */
	bool device;  /* runs there as a whole: what it returns it writes */
	bool step;    /* an iteration begins */
};

struct et {
	struct tr_build *b;
	struct et_node *nodes;
	size_t nnodes, nodes_cap;
	struct tr_spill *operands; /* by node */
	u64 noperands;
	struct et_operand *now; /* of the node that is looked at */
	u32 *devices;		/* names */
	size_t ndevices, devices_cap;
	u32 cpu;		 /* bit d: device d is a CPU */
	u16 numbers[ET_DEVICES]; /* of devices that count: in the order of their names */
	bool too_many;		 /* operands of a node */
	u64 kernels, without, idle, host_only, storages, generations, roofline, iterations;
};

void et_init(struct et *e, struct tr_build *b);
void et_fini(struct et *e);

/* A node; its operands by et_tensors() right behind, inputs first. */
struct et_node *et_node(struct et *e, u64 id, u64 parent, const char *name);
/*
 * Operands in a list of values with its shapes and types, nested as may be.
 * @written: bit i: value i is written although it is an input; @outputs: all are.
 */
void et_tensors(struct et *e, const struct tr_tree *t, const struct tr_value *values,
		const struct tr_value *shapes, const struct tr_value *types, bool outputs,
		u64 written);
/* Bit i: argument i of a schema is written ("Tensor(a!) self"). */
u64 et_written(const char *schema);
/*
 * Kernels of all nodes that work, into the builder.  Only nodes of a device
 * (no CPU) count, unless there are none.  0, or -EINVAL (said).
 */
int et_finish(struct et *e);
/* Write the job; names of devices come from the trace. */
int et_write(struct et *e, const char *out, struct tr_meta *meta, struct tr_writer **w);

#endif
