/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_a100.h - kernels timed alone on a real A100, and the same by mm_uvm
 *
 *	main_a100_data.c	the measurements (G10 artifact, MICRO'23)
 *	main_a100_ops.c		what each operator touches: the one table
 *	main_a100_kernel.c	one kernel under the uvm manager
 *	main_a100_compare.c	errors, what simpler models make of the same, what is no measurement
 *	main_a100_report.c	the tables
 *
 * Each kernel was timed three times: all resident; inputs resident and outputs
 * not (FIRST); nothing resident (ALL).  The first is given, the others are
 * predicted: time = resident + what mm_uvm makes of the kernel's faults.
 */
#ifndef GS_MAIN_A100_H
#define GS_MAIN_A100_H

#include "sim/main.h"

enum a100_case { A100_FIRST, A100_ALL, A100_CASES };

/* Where an operand is when the timed kernel begins. */
enum a100_role {
	A100_IN,   /* written by the CPU, and by the device before FIRST */
	A100_OUT,  /* never touched */
	A100_HOST, /* an output that the CPU has written: it migrates */
};

enum { A100_MAX_OPERANDS = 16 };

struct a100_operand {
	u64 bytes;   /* of the allocation */
	u64 touched; /* of it, from its beginning */
	u8 role;
};

/* In which order the thread blocks that run at once come to the pages. */
enum a100_order {
	A100_STREAM, /* one narrow front goes through each operand */
	A100_WIDE,   /* a wide one: soon a page of every 64 KiB of it */
};

struct a100_op {
	const char *name; /* as in kernels.config */
	const char *class;
	const char *operands; /* see main_a100_ops.c */
	u8 order;
	u32 window;	 /* pages of each operand that the device asks for at once */
	bool by_channel; /* launched as one thread a channel: fails above 1024 */
	const char *why;
};

struct a100_kernel {
	const struct a100_op *op;
	struct a100_operand operand[A100_MAX_OPERANDS];
	u32 noperands, index;
	u64 listed; /* bytes of its tensors by kernels.config, each once */
	double resident_ms;
	double measured_ms[A100_CASES], predicted_ms[A100_CASES];
	u32 net;  /* index into a100_data.nets */
	u32 same; /* first kernel that is equal in what it touches */
};

struct a100_net {
	char *name; /* folder */
	size_t first, n;
};

struct a100_data {
	struct a100_net *nets;
	size_t nnets, nets_cap;
	struct a100_kernel *kernels;
	size_t nkernels, cap;
};

/* Add the folder @dir.  0 or -errno (said). */
int a100_read(struct a100_data *d, const char *dir);
/*
 * Configuration @config (NULL: exp/a100.yaml) and the folders that it names under
 * a100.@list.  0 or -errno (said); fini of both in either case.
 */
int a100_load(struct setup *s, struct a100_data *d, const char *config, const char *list);
/* Only the folders under a100.@list of @s.  0 or -errno (said). */
int a100_list(const struct setup *s, struct a100_data *d, const char *list);
void a100_fini(struct a100_data *d);

const struct a100_op *a100_find(const char *name);
extern const struct a100_op a100_ops[];

/* What the timed program allocates, from what the artifact lists. */
struct a100_listed {
	u64 in[A100_MAX_OPERANDS], out[A100_MAX_OPERANDS], workspace;
	u32 nin, nout;
	u32 channels;	   /* of the layer; 0: not a layer */
	u32 producers;	   /* inputs of the layer */
	u64 forward_in[2]; /* of the operation whose gradient this is; 0: none */
};
/* Fill @k from @l by k->op.  0, or -EINVAL if there are too many. */
int a100_operands(struct a100_kernel *k, const struct a100_listed *l);

/* The kernel's faults under s->ops with s->ops_params, in ps. */
gs_time a100_simulate(struct setup *s, const struct a100_kernel *k, enum a100_case c, u64 limit);
/* The same, beyond @limit by the steady state that it has reached there. */
double a100_fault_ms(struct setup *s, const struct a100_kernel *k, enum a100_case c);
/* Fill in predicted_ms of all. */
void a100_predict(struct setup *s, struct a100_data *d);

/* ---- main_a100_compare.c ---- */

struct a100_errors { /* of predicted / measured - 1 */
	size_t n;
	double median, p75, p90; /* of its size */
	double total;		 /* of the sums of time, signed */
};
/* Of the kernels that @pick (NULL: all) takes, where kernel i is predicted to take @ms[i]. */
struct a100_errors a100_errors_of(const struct a100_data *d, enum a100_case c, const double *ms,
				  bool (*pick)(const struct a100_kernel *k, const void *arg),
				  const void *arg);

/* Times that need no simulator: resident + listed bytes / rate. */
enum a100_rival {
	RIVAL_LINK,   /* the machine's rate */
	RIVAL_RATE,   /* the one with the smallest median error */
	RIVAL_MEDIAN, /* of an operator, the median of its kernels' */
	RIVAL_TOTAL,  /* ... that gives the sum of their times */
	A100_RIVALS
};
struct a100_rivals {
	double link_bps, rate_bps;
	size_t noperators;	 /* with a rate of their own */
	double *ms[A100_RIVALS]; /* one a kernel */
};
/* Fitted to @fit, applied to @d; @link_bps is the machine's. */
void a100_rivals(struct a100_rivals *r, const struct a100_data *d, const struct a100_data *fit,
		 enum a100_case c, double link_bps);
void a100_rivals_fini(struct a100_rivals *r);

/*
 * Two other networks of @d between which, or beyond which, each kernel of @net lies on a
 * straight line: it was not measured.  False: there are none.
 */
bool a100_interpolated(const struct a100_data *d, size_t net, size_t *one, size_t *other);

/* ---- main_a100_report.c ---- */

/* `gmemsim validate a100`: the networks under a100.validate, or a100.calibrate if
 * @fitted; CSV to @csv, if any. */
int validate_a100(const char *config, bool fitted, const char *csv);

#endif
