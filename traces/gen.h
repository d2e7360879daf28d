/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gen.h - the generator: jobs worked out from a network's dimensions
 *
 * A small eager autograd.  Operators emit the kernels of their forward pass and
 * put a node on a tape, which holds the tensors that backward will read; the
 * tape is run from its end.  So a tensor lives as long as PyTorch keeps it, and
 * nothing but live tensors and the tape is in memory.
 *
 *	gen_cmd.c     the command line          gen_help.c   what it tells
 *	gen_model.c   rows: YAML, options       gen_find.c   descriptions by name
 *	gen_job.c     what may be asked for     gen_run.c    iterations, pipeline
 *	gen_parallel.c  shares of devices       gen_param.c  parameters, optimizers
 *	gen_transformer.c gen_blocks.c gen_cnn.c gen_dlrm.c  families of networks
 *	gen_ops.c gen_loss.c gen_attn.c gen_conv.c gen_rows.c  operators, both ways
 *	gen_comm.c    collectives               gen_tape.c   nodes and gradients
 *	gen_emit.c    tensors with addresses, kernels, the writer
 *
 * Devices that run the same kernels on tensors of the same shape are a group:
 * a value (struct gen_val) is one tensor on each of them.
 */
#ifndef TR_GEN_H
#define TR_GEN_H

#include "sim/config.h"
#include "traces/trace.h"

/* ---- what the user asks for -------------------------------------------- */

enum gen_dtype { GEN_F32, GEN_F16, GEN_BF16 };
enum gen_optimizer { GEN_SGD, GEN_MOMENTUM, GEN_ADAM, GEN_ADAMW };
enum gen_phase { GEN_TRAIN, GEN_PREFILL, GEN_DECODE };
enum gen_attention { GEN_ATTN_MODEL, GEN_ATTN_MATH, GEN_ATTN_FLASH };
enum gen_kernels { GEN_CUDA, GEN_CPU };
enum gen_layout { GEN_NCHW, GEN_NHWC };
enum gen_comm { GEN_PEER, GEN_LOCAL };
enum gen_checkpoint { GEN_KEEP_ALL, GEN_ATTN_AGAIN, GEN_BLOCK_AGAIN };

struct gen_options { /* rows: gen_option_rows */
	u32 batch, seq, image;
	u32 dtype, optimizer, devices, microbatches, checkpoint;
	const char *parallel; /* gen_parallel_parse() */
	u32 phase, iterations;
	u32 attention, kernels, layout, comm, lookup, kv_block;
	u64 link_bps;
	double zipf;
	u64 seed;
};
extern const struct gm_param gen_option_rows[];

/* ---- what a network is -------------------------------------------------- */

enum gen_family_id { GEN_TRANSFORMER, GEN_CNN, GEN_DLRM };
enum gen_norm { GEN_LAYER_NORM, GEN_RMS_NORM };
enum gen_mlp { GEN_GELU, GEN_RELU, GEN_SWIGLU };
enum gen_position { GEN_LEARNT, GEN_ROTARY };
enum gen_head { GEN_LM, GEN_MLM, GEN_CLASSES };

struct gen_model { /* rows: gen_model_rows; `model:` in configs/model/NAME.yaml */
	const char *name, *source;
	u32 family;
	/* transformer */
	u32 vocab, context, types, position;
	u32 layers, width, heads, kv_heads, ffn, norm, mlp, attention;
	bool bias, fused_qkv, causal, post_norm, tied, embed_norm;
	double dropout;
	u32 head;
	/* images */
	u32 image, patch, classes, stem;
	const char *blocks;
	/* recommendation */
	u32 dense, dim, pooling;
	const char *tables, *bottom, *top;
};
extern const struct gm_param gen_model_rows[];

/*
 * How the devices share the job: pp stages of dp * tp devices.  Device i of a
 * stage has tensor rank i % tp and data rank i / tp, so that the devices which
 * talk most are neighbours (as in Megatron-LM).
 */
struct gen_shares {
	u32 tp, pp, dp;
	u32 zero; /* 0 to 3: what dp divides among its replicas */
	bool sp;  /* norms and dropouts are divided along the sequence by tp */
};
/* "tp=8,pp=2,zero1"; who says no number takes what is left of *devices (0: 1).
 * Sets *devices.  0 or -EINVAL (said). */
int gen_parallel_parse(const char *text, u32 *devices, struct gen_shares *out);

/*
 * Read @path, or configs/model/@name.yaml where @path is NULL.  Strings live as
 * long as *cfg, which the caller frees whatever happened.  0 or -errno (said).
 */
int gen_model_load(const char *name, const char *path, struct gs_config **cfg, struct gen_model *m);
/* All NAMEs of configs/model/NAME.yaml, in order, NULL-terminated. */
char **gen_model_names(void);
void gen_model_names_free(char **names);
/* "3, 4, 6": up to @max numbers; how many, or -EINVAL. */
int gen_list(const char *text, u64 *out, u32 max);

/* ---- values -------------------------------------------------------------- */

struct gen;
struct gen_arena; /* addresses of one group: holes between live tensors */

struct gen_group {
	u16 first, n; /* devices */
	struct gen_arena *arena;
	struct gen_val *flag; /* comm local: what others wait for */
};

struct gen_param;

struct gen_val {
	u32 id; /* on the group's first device; the others follow */
	u8 kind, dtype;
	bool fixed;	 /* lives between iterations: never freed by counting */
	bool wants_grad; /* backward goes through it */
	u32 holds;	 /* who needs the bytes; 0: freed in the trace */
	u32 refs;	 /* who knows the struct, holders included */
	u64 elems, bytes, off;
	struct gen_group *grp;
	struct gen_val *grad;
	/* sp: the rows that it was gathered from, and itself gathered again in backward */
	struct gen_val *rows, *again;
};

struct gen_param {
	const char *name; /* owned */
	u64 full;	  /* elements of the whole network's parameter */
	u64 local;	  /* ... on one device, but for ZeRO */
	struct gen_val *w;
	struct gen_val *shard;	/* zero3: what lives between uses of w */
	struct gen_val *grad;	/* of the whole w */
	struct gen_val *gshard; /* zero: reduced */
	struct gen_val *master, *m, *v;
	bool sparse;  /* rows are updated in backward; no gradient, no state */
	bool partial; /* sp: each device's gradient is that of its rows of x */
};

/* Parameters used together: a block.  The unit of gathering and reducing. */
struct gen_seg {
	struct gen_param **p;
	bool *owner; /* reduces its gradient */
	size_t n, cap;
};

struct gen_node {
	struct gen_node *prev;
	void (*backward)(struct gen *g, struct gen_node *n);
	struct gen_val *in[3], *out;
	struct gen_val *saved[8];
	struct gen_param *p[2];
	u64 dim[8];
	const void *arg;
	struct gen_seg *seg;
};

struct gen_tape {
	struct gen_node *last;
};

struct gen {
	struct gen_options o;
	struct gen_shares s;
	struct gen_model m;
	struct tr_writer *w;
	int err; /* of the writer; nothing is written behind it */

	struct gen_group *groups; /* one, or one a stage */
	u32 ngroups;
	struct gen_group *grp; /* current */
	u16 stream;
	u8 phase, dtype;       /* of kernels; GS_* */
	bool forward;	       /* what is made is an activation, though it be made again */
	struct gen_tape *tape; /* NULL: nothing is kept for backward */
	char scope[96];
	u32 micro;	 /* batch */
	bool last_micro; /* gradients are complete after it */

	u32 next_id;
	struct gs_op op; /* kernel under construction */
	struct gen_val **tvals;
	struct gs_touch *touches;
	size_t ntouches, captouches;
	u64 kbytes;

	struct gen_param **params;
	size_t nparams, cap_params;
	struct gs_rng *rng;
	u64 nparams_full; /* parameters of the network */
	void *net;	  /* the family's */
};

/* ---- gen_emit.c ---------------------------------------------------------- */

void gen_groups_init(struct gen *g, u32 groups, u32 devices_each);
void gen_emit_fini(struct gen *g);
u64 gen_dtype_bytes(u8 dtype);
/* A value on the current group, held and known by the caller. */
struct gen_val *gen_new(struct gen *g, u8 kind, u8 dtype, u64 elems, const char *fmt, ...)
	GS_PRINTF(5, 6);
/* As gen_new() with the scope as prefix: an activation, or a workspace in backward. */
struct gen_val *gen_tmp(struct gen *g, u8 dtype, u64 elems, const char *what);
struct gen_val *gen_hold(struct gen_val *v);	 /* bytes and struct */
void gen_drop(struct gen *g, struct gen_val *v); /* NULL is accepted */
struct gen_val *gen_ref(struct gen_val *v);	 /* the struct only */
void gen_unref(struct gen *g, struct gen_val *v);
/* Drop @old and go on with @v. */
static inline struct gen_val *gen_next(struct gen *g, struct gen_val *old, struct gen_val *v)
{
	gen_drop(g, old);
	return v;
}

/* One kernel on each device of the group: begin, operands, end. */
void gen_k(struct gen *g, const char *name, u8 opclass, u64 flops);
void gen_touch(struct gen *g, struct gen_val *v, u8 access);
void gen_touch_part(struct gen *g, struct gen_val *v, u64 off, u64 bytes, u8 access);
void gen_touch_row(struct gen *g, struct gen_val *v, u64 stride, u8 access); /* strided */
/* Operand on device number @i of its group, whatever device runs the kernel. */
void gen_touch_peer(struct gen *g, struct gen_val *v, u32 i, u64 off, u64 bytes, u8 access);
void gen_k_end(struct gen *g);
void gen_k_end_bytes(struct gen *g, u64 bytes); /* what is moved is not what is touched */
/* Only on device number @i of the group; duration in ps (0: by roofline). */
void gen_k_end_on(struct gen *g, u32 i, u64 bytes, u64 duration_ps);
/* A whole kernel: reads @a and @b (or NULL), writes a new value, which is named after it. */
struct gen_val *gen_op(struct gen *g, const char *name, u8 opclass, u64 flops, struct gen_val *a,
		       struct gen_val *b, u64 elems);
void gen_host(struct gen *g, struct gen_val *v, u64 off, u64 bytes, u8 access);
/* An input in place of *v, written by the host. */
void gen_refill(struct gen *g, struct gen_val **v, u8 dtype, u64 elems, const char *fmt, ...)
	GS_PRINTF(5, 6);
void gen_mark(struct gen *g, u32 iteration);

/* Operands that are whole values, NULL-terminated: reads, then writes. */
#define gen_in(g, ...)	gen_touch_all(g, GS_READ, (struct gen_val *[]){ __VA_ARGS__, NULL })
#define gen_out(g, ...) gen_touch_all(g, GS_WRITE, (struct gen_val *[]){ __VA_ARGS__, NULL })
void gen_touch_all(struct gen *g, u8 access, struct gen_val **v);

/* ---- gen_tape.c ----------------------------------------------------------- */

/* A node at the end of the tape, which knows in and out; NULL without a tape. */
struct gen_node *gen_node(struct gen *g, void (*backward)(struct gen *, struct gen_node *),
			  struct gen_val *in, struct gen_val *out);
void gen_also(struct gen_node *n, struct gen_val *in);	     /* another input; n may be NULL */
void gen_save(struct gen_node *n, u32 i, struct gen_val *v); /* holds; n may be NULL */
/* Give @grad (the caller's hold) to @v: kept, added, or dropped. */
void gen_give_grad(struct gen *g, struct gen_val *v, struct gen_val *grad);
/* Take the gradient of the node's output. */
struct gen_val *gen_take_grad(struct gen_node *n);
/* Backward by one kernel: from the output's gradient and @saved to the input's, of @elems. */
void gen_back_op(struct gen *g, struct gen_node *n, const char *name, u8 opclass, u64 flops,
		 struct gen_val *saved, u64 elems);
/* Run backward from the end of @t and empty it. */
void gen_backward(struct gen *g, struct gen_tape *t);

typedef struct gen_val *(*gen_fn)(struct gen *g, const void *arg, struct gen_val *x);
/*
 * Run fn(arg, x), whose parameters are @seg: gathers them under zero3, reduces
 * their gradients in backward, recomputes if @checkpoint.
 */
struct gen_val *gen_segment(struct gen *g, struct gen_seg *seg, gen_fn fn, const void *arg,
			    struct gen_val *x, bool checkpoint);

/* ---- gen_param.c ----------------------------------------------------------- */

/* @full elements, of which this device keeps @local. */
struct gen_param *gen_param_new(struct gen *g, struct gen_seg *seg, u64 full, u64 local,
				const char *fmt, ...) GS_PRINTF(5, 6);
void gen_param_share(struct gen_seg *seg, struct gen_param *p); /* tied */
void gen_params_state(struct gen *g); /* master copies and moments, before the first iteration */
void gen_params_fini(struct gen *g);
void gen_seg_fini(struct gen_seg *seg);
/* Where the gradient of @p goes: begin (maybe a temporary), then end. */
struct gen_val *gen_grad_begin(struct gen *g, struct gen_param *p);
void gen_grad_end(struct gen *g, struct gen_param *p, struct gen_val *grad);
void gen_zero_grad(struct gen *g);
void gen_step(struct gen *g);

/* ---- gen_comm.c ------------------------------------------------------------- */

void gen_comm_init(struct gen *g);
/* The sum of @v over the devices that share a block (tp), on each of them. */
void gen_all_reduce(struct gen *g, struct gen_val *v);
/* In backward: the gradient of @x is summed over them once it is complete. */
void gen_reduce_grad(struct gen *g, struct gen_val *x);
/* sp, with backward: rows of all, held; the sum of all, cut into rows; own rows of @x. */
struct gen_val *gen_gather_rows(struct gen *g, struct gen_val *x);
struct gen_val *gen_scatter_rows(struct gen *g, struct gen_val *x);
struct gen_val *gen_split_rows(struct gen *g, struct gen_val *x);
/* In backward: the whole of @x, which gen_gather_rows() made and nobody kept. */
struct gen_val *gen_gathered(struct gen *g, struct gen_val *x);
void gen_seg_gather(struct gen *g, struct gen_seg *seg);  /* zero3: weights whole again */
void gen_seg_release(struct gen *g, struct gen_seg *seg); /* ... and gone */
void gen_seg_reduce(struct gen *g, struct gen_seg *seg);  /* gradients; dp, zero */
/* zero1, zero2: updated parts from all into the whole weight. */
void gen_gather_into(struct gen *g, struct gen_val *part, struct gen_val *whole);
/* A copy of @v, of another group, on the current one. */
struct gen_val *gen_receive(struct gen *g, struct gen_val *v, const char *name);

/* ---- operators ---------------------------------------------------------------- */

/* gen_ops.c: the result is the caller's; operands stay the caller's */
struct gen_val *gen_linear(struct gen *g, struct gen_val *x, struct gen_param *w,
			   struct gen_param *b, u64 rows, u64 in, u64 out);
struct gen_val *gen_norm(struct gen *g, struct gen_val *x, struct gen_param *w, struct gen_param *b,
			 u64 rows);
/* What an element-wise function costs and keeps. */
enum gen_keep { GEN_KEEP_NONE, GEN_KEEP_IN, GEN_KEEP_OUT };
struct gen_unary {
	const char *name, *back;
	u32 flops, back_flops; /* an element */
	enum gen_keep keep;
};
extern const struct gen_unary gen_gelu, gen_relu, gen_silu, gen_tanh, gen_sigmoid, gen_rope;
struct gen_val *gen_unary(struct gen *g, struct gen_val *x, const struct gen_unary *u);
struct gen_val *gen_relu_(struct gen *g, struct gen_val *x); /* in place: @x itself, held */
struct gen_val *gen_add(struct gen *g, struct gen_val *a, struct gen_val *b);
struct gen_val *gen_add_(struct gen *g, struct gen_val *a, struct gen_val *b); /* in place */
struct gen_val *gen_mul(struct gen *g, struct gen_val *a, struct gen_val *b);
struct gen_val *gen_dropout(struct gen *g, struct gen_val *x);
/* Some of the rows: the first token of each sequence. */
struct gen_val *gen_select(struct gen *g, struct gen_val *x, u64 elems);
/* gen_loss.c: cross entropy; @cut: each device of tp has some of the classes. */
struct gen_val *gen_loss(struct gen *g, struct gen_val *logits, struct gen_val *labels, u64 rows,
			 u64 classes, bool cut);

/* gen_rows.c */
struct gen_val *gen_embedding(struct gen *g, struct gen_param *table, struct gen_val *index,
			      u64 rows, u64 width, u64 count);
struct gen_val *gen_embedding_bag(struct gen *g, struct gen_param *table, struct gen_val *index,
				  u64 rows, u64 width, u64 bags, bool host);

/* gen_attn.c */
struct gen_attn {
	u64 batch, len, heads, kv_heads, depth; /* of this device */
	bool causal, flash;
};
/* @q alone: queries, keys and values in one value. */
struct gen_val *gen_attention(struct gen *g, const struct gen_attn *a, struct gen_val *q,
			      struct gen_val *k, struct gen_val *v);
/* Keys and values of a layer, in pieces of --kv-block tokens. */
struct gen_kv {
	struct gen_val **piece;
	size_t n, cap;
	u64 len, block; /* tokens in it, in a piece */
};
void gen_kv_append(struct gen *g, struct gen_kv *kv, const struct gen_attn *a, struct gen_val *k,
		   struct gen_val *v, u64 tokens);
void gen_kv_drop(struct gen *g, struct gen_kv *kv);
struct gen_val *gen_attend_kv(struct gen *g, const struct gen_kv *kv, const struct gen_attn *a,
			      struct gen_val *q);

/* gen_conv.c */
struct gen_conv {
	u64 cin, cout, kernel, stride, pad;
};
u64 gen_conv_edge(const struct gen_conv *c, u64 edge);
struct gen_val *gen_convolution(struct gen *g, struct gen_val *x, struct gen_param *w,
				struct gen_param *b, const struct gen_conv *c, u64 batch, u64 edge);
struct gen_bn {
	struct gen_param *w, *b;
	struct gen_val *mean, *var, *count; /* running */
};
struct gen_val *gen_batch_norm(struct gen *g, struct gen_val *x, const struct gen_bn *bn,
			       u64 channels);
struct gen_val *gen_max_pool(struct gen *g, struct gen_val *x, u64 batch, u64 channels, u64 edge);
struct gen_val *gen_avg_pool(struct gen *g, struct gen_val *x, u64 rows);

/* ---- families and runs ---------------------------------------------------------- */

struct gen_family {
	const char *name;
	/* Can it be done?  0 or -EINVAL (said). */
	int (*check)(const struct gen *g);
	/* At least the bytes and the FLOPs of its largest kernel. */
	double (*largest)(const struct gen *g);
	/* Parameters of all stages, on the groups. */
	void (*setup)(struct gen *g);
	/* This iteration's inputs, on the current group (stage). */
	void (*inputs)(struct gen *g, u32 stage);
	/* What stage @stage does to @x (NULL: the inputs) of micro-batch g->micro. */
	struct gen_val *(*forward)(struct gen *g, u32 stage, struct gen_val *x);
	void (*fini)(struct gen *g);
};
extern const struct gen_family gen_transformer, gen_cnn, gen_dlrm;

/* gen_run.c: all iterations. */
void gen_iterations(struct gen *g, const struct gen_family *f);
/* gen_job.c: generate into @out (NULL: without a name).  0 or -errno (said); *w is finished by the caller. */
int gen_job(const struct gen_options *o, const struct gen_model *m, const char *out,
	    struct tr_writer **w, u64 *nparams);
/* gen_help.c: --help; --model list, with the parameters of each. */
void gen_help(void);
int gen_print_models(const struct gen_options *o);
/* A job from "gen:NAME OPTIONS", as a source.  0 or -errno (said). */
int gen_open(const char *spec, struct gs_source **out);

#endif
