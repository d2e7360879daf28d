/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * gen_transformer.h - what gen_transformer.c sets up and gen_blocks.c runs
 *
 * Sizes are those of one device; nobody else includes it.
 */
#ifndef TR_GEN_TRANSFORMER_H
#define TR_GEN_TRANSFORMER_H

#include "traces/gen.h"

enum { GEN_NSP = 2 }; /* is it the next sentence? */

struct gen_layer {
	struct gen_seg seg;
	u32 number;
	struct gen_param *n1w, *n1b, *n2w, *n2b;
	struct gen_param *q, *qb, *k, *kb, *v, *vb, *o, *ob;
	struct gen_param *gate, *up, *upb, *down, *downb;
	struct gen_kv *kv; /* one a micro-batch */
	struct gen_net *net;
};

struct gen_net {
	struct gen_attn attn;
	u64 rows, micro_batch, len, width, qkv, kv_width, ffn, vocab; /* of this device */
	u64 own_rows; /* of those between blocks; fewer under sp */
	struct gen_layer *layer;
	struct gen_seg embed_seg, head_seg;
	struct gen_param *word, *pos, *type, *enw, *enb, *patch, *patchb, *cls;
	struct gen_param *fnw, *fnb, *head, *headb;
	struct gen_param *pool, *poolb, *nsp, *nspb, *tr, *trb, *tnw, *tnb;
	struct gen_val **tokens, **labels; /* one a micro-batch */
	struct gen_val *ids;		   /* positions */
};

static inline bool gen_vision(const struct gen *g)
{
	return g->m.patch > 0;
}

/* The stage of layer @i: as even as can be, the longer ones last. */
static inline u32 gen_stage_of(const struct gen *g, u32 i)
{
	return (u32)((u64)i * g->ngroups / g->m.layers);
}

/* gen_blocks.c: what stage @stage does to @x (NULL: tokens or images). */
struct gen_val *gen_blocks_forward(struct gen *g, u32 stage, struct gen_val *x);

#endif
