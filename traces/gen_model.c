/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gen_model.c - descriptions of networks (YAML) and what may be asked for (options) */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "traces/gen.h"

static const char *const family_names[] = { "transformer", "cnn", "dlrm", NULL };
static const char *const norm_names[] = { "layer", "rms", NULL };
static const char *const mlp_names[] = { "gelu", "relu", "swiglu", NULL };
static const char *const position_names[] = { "learnt", "rotary", NULL };
static const char *const head_names[] = { "lm", "mlm", "classes", NULL };
static const char *const attention_names[] = { "model", "math", "flash", NULL };

#define M struct gen_model
#define NUM(field, key, def, max, help) \
	GM_P_U32(M, field, key, GM_NONE, def, 0, max, help, "the network")
const struct gm_param gen_model_rows[] = {
	GM_P_STR(M, name, "name", "unnamed", "What it is called", "the network"),
	GM_P_STR(M, source, "source", "", "Who published these dimensions", "the network"),
	GM_P_ENUM(M, family, "family", family_names, "transformer", "How it is built", "choice"),
	NUM(vocab, "vocab", "0", 10000000, "Rows of the table of tokens"),
	NUM(context, "positions", "0", 10000000, "Rows of the table of positions"),
	NUM(types, "types", "0", 1000, "Rows of the table of segments (BERT); 0: none"),
	GM_P_ENUM(M, position, "position", position_names, "learnt",
		  "Positions: a table that is added, or rotated into queries and keys",
		  "the network"),
	NUM(layers, "block.count", "0", 10000, "Blocks, all alike"),
	NUM(width, "block.width", "0", 1000000, "Elements of a token between blocks"),
	NUM(heads, "block.heads", "0", 10000, "Attention heads"),
	NUM(kv_heads, "block.kv_heads", "0", 10000, "Heads of keys and values; 0: as many"),
	NUM(ffn, "block.ffn", "0", 10000000, "Inner width of the MLP"),
	GM_P_ENUM(M, norm, "block.norm", norm_names, "layer", "Normalisation", "the network"),
	GM_P_BOOL(M, post_norm, "block.post_norm", "false",
		  "Normalise after the sums (BERT), not before attention and MLP", "the network"),
	GM_P_ENUM(M, mlp, "block.mlp", mlp_names, "gelu", "Activation; swiglu has a third matrix",
		  "the network"),
	GM_P_BOOL(M, bias, "block.bias", "true", "Linear layers have biases", "the network"),
	GM_P_BOOL(M, fused_qkv, "block.fused_qkv", "false", "One matrix for q, k and v",
		  "the implementation"),
	GM_P_BOOL(M, causal, "block.causal", "true", "Tokens see only those before them",
		  "the network"),
	GM_P_ENUM(M, attention, "block.attention", attention_names, "math",
		  "Attention where --attention does not tell: written out, or fused",
		  "the implementation"),
	GM_P_REAL(M, dropout, "dropout", GM_NONE, "0", 0, 1,
		  "Dropped while training; 0: no kernels", "the network"),
	GM_P_BOOL(M, embed_norm, "embed_norm", "false", "Normalise the embeddings (BERT)",
		  "the network"),
	GM_P_BOOL(M, tied, "tied", "false", "The output layer is the table of tokens",
		  "the network"),
	GM_P_ENUM(M, head, "head", head_names, "lm",
		  "Output: next token; BERT's masked tokens and next sentence; classes",
		  "the network"),
	NUM(image, "image", "224", 100000, "Edge of an image in pixels"),
	NUM(patch, "patch", "0", 10000, "Edge of a patch (ViT); 0: tokens are read"),
	NUM(classes, "classes", "1000", 10000000, "Classes of images"),
	NUM(stem, "stem", "64", 100000, "cnn: channels behind the first convolution"),
	GM_P_STR(M, blocks, "blocks", "", "cnn: bottlenecks of each stage (\"3, 4, 6, 3\")",
		 "the network"),
	NUM(dense, "dense", "13", 100000, "dlrm: dense features"),
	NUM(dim, "dim", "128", 100000, "dlrm: elements of a row"),
	NUM(pooling, "pooling", "1", 100000, "dlrm: rows looked up in a table for one sample"),
	GM_P_STR(M, tables, "tables", "", "dlrm: rows of each table", "the network"),
	GM_P_STR(M, bottom, "bottom", "", "dlrm: widths of the lower MLP", "the network"),
	GM_P_STR(M, top, "top", "", "dlrm: widths of the upper MLP", "the network"),
	GM_P_END
};

static const char *const dtype_names[] = { "f32", "f16", "bf16", NULL };
static const char *const optimizer_names[] = { "sgd", "momentum", "adam", "adamw", NULL };
static const char *const checkpoint_names[] = { "none", "attention", "block", NULL };
static const char *const phase_names[] = { "train", "prefill", "decode", NULL };
static const char *const kernel_names[] = { "cuda", "cpu", NULL };
static const char *const layout_names[] = { "nchw", "nhwc", NULL };
static const char *const comm_names[] = { "peer", "local", NULL };
static const char *const lookup_names[] = { "device", "host", NULL };

/* In the order of --help, whose headings gen_help.c puts between them. */
#define O struct gen_options
const struct gm_param gen_option_rows[] = {
	GM_P_ENUM(O, phase, "phase", phase_names, "train",
		  "prefill: forward, fills the cache; decode: a token an iteration", "choice"),
	GM_P_U32(O, batch, "batch", GM_NONE, "8", 1, 1 << 24,
		 "samples of an iteration, of each replica under dp", "choice"),
	GM_P_U32(O, seq, "seq", GM_NONE, "512", 1, 1 << 24,
		 "tokens of a sequence; decode: those in the cache before", "choice"),
	GM_P_U32(O, image, "image", GM_NONE, "0", 0, 100000,
		 "edge of the images; 0: the description's", "choice"),
	GM_P_U32(O, iterations, "iterations", GM_NONE, "1", 1, 1000000,
		 "iterations; a replay can repeat the last one", "choice"),
	GM_P_ENUM(O, dtype, "dtype", dtype_names, "f32",
		  "f16, bf16: mixed precision, f32 master weights and moments", "choice"),
	GM_P_ENUM(O, optimizer, "optimizer", optimizer_names, "adamw", "its state is f32",
		  "choice"),

	GM_P_ENUM(O, checkpoint, "checkpoint", checkpoint_names, "none",
		  "block: keep blocks' inputs only; attention: all but its squares", "choice"),
	GM_P_ENUM(O, attention, "attention", attention_names, "model",
		  "written out, fused, or as the description has it", "choice"),
	GM_P_U32(O, microbatches, "microbatches", GM_NONE, "0", 0, 1 << 16,
		 "parts of the batch, one after another; 0: as many as stages", "choice"),
	GM_P_U32(O, kv_block, "kv-block", GM_NONE, "256", 0, 1 << 24,
		 "tokens of a piece of the cache; 0: one piece for all", "choice"),
	GM_P_ENUM(O, kernels, "kernels", kernel_names, "cuda",
		  "cuda: dropout and optimizers fused; cpu: as PyTorch 1.13 there", "choice"),
	GM_P_ENUM(O, layout, "layout", layout_names, "nchw",
		  "of images in memory; nchw: cuDNN converts them back and forth", "choice"),

	GM_P_U32(O, devices, "devices", GM_NONE, "0", 0, 1024,
		 "devices; 0: as many as --parallel names", "choice"),
	GM_P_STR(O, parallel, "parallel", "dp", "tensor, pipeline, data, ZeRO: tp=8,pp=2,zero1",
		 "choice"),
	GM_P_ENUM(O, comm, "comm", comm_names, "peer",
		  "collectives: read peers' tensors, or last as --link needs", "choice"),
	GM_P_U64(O, link_bps, "link", GM_BPS, "260 GB/s", 1, ~0ULL,
		 "rate of one direction of a device's links, for --comm local",
		 "guess: 87 % of NVLink 3, 300 GB/s"),

	GM_P_ENUM(O, lookup, "lookup", lookup_names, "device",
		  "dlrm: who reads and updates the tables", "choice"),
	GM_P_REAL(O, zipf, "zipf", GM_NONE, "1.05", 0, 10,
		  "exponent of Zipf's law for rows of tables; 0: all alike",
		  "guess: clicks are near 1"),
	GM_P_U64(O, seed, "seed", GM_NONE, "1", 0, ~0ULL, "seed of the draws", "choice"),
	GM_P_END
};

int gen_list(const char *text, u64 *out, u32 max)
{
	const char *s = text;
	u32 n = 0;

	while (*s) {
		char *end;
		u64 v = strtoull(s, &end, 10);

		if (end == s || n == max || *s == '-' || v > 1ULL << 40)
			break;
		out[n++] = v;
		s = end + strspn(end, " ");
		if (!*s)
			return (int)n;
		if (*s != ',')
			break;
		s += 1 + strspn(s + 1, " ");
	}
	gs_err("trace gen: \"%s\" is no list of up to %u numbers (\"3, 4, 6\")", text, max);
	return -EINVAL;
}
