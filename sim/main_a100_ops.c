/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_a100_ops.c - what each operator touches, in which order, from how many blocks
 *
 * From the profiling programs of the G10 artifact (src/cudnn/src, and the
 * arguments that src/codegen.cc hands them): each kernel is timed alone with
 * operands of its own, which are not always the tensors that are listed.
 *
 * Operands are words "ROLE SIZE", loads first:
 *	i  input: the CPU has written it, for FIRST the device as well
 *	o  output, never touched before
 *	h  output that the program lets the CPU fill: it has to migrate
 *	I0 I1   listed inputs        O0 O1  listed outputs      W  workspace
 *	M  the largest listed input  m      the smallest        A  all inputs, one each
 *	P  each input of the layer is as large as O0
 *	F0 F1   inputs of the forward operation      S  the smaller of them
 *	L  the first listed input in a layer, one element in an operation (no dimensions)
 *	e  one element               p      one page at the head of an operand as large as M
 *	H  one page at the head of each input       J  ... of each output
 */
#include "sim/main_a100.h"

#include <errno.h>
#include <string.h>

/*
 * Distinct pages of one operand that a device has on record at once.  A page is
 * asked for by 32 warps, so that a ring of 256 entries that is fetched and
 * flushed (SC'21: 4 blocks and 15 faults a block in "stream") knows few pages
 * of what is in flight.  The numbers are guesses of such steps, set on the
 * networks that are fitted; the mechanism does the rest.
 */
enum {
	IN_TURN = 5,	  /* three operands of a thread, one after the other: 16 in all */
	ONE_FLOAT = 16,	  /* 64 KiB */
	FOUR_FLOATS = 32, /* vector accesses, tiles: the front is wider */
	ALL_PLANES = 16,  /* each of another 64 KiB */
	ALL_ROWS = 256,	  /* ... from everywhere: the ring is full of distinct pages */
};

#define STREAM(window) A100_STREAM, window
#define WIDE(window)   A100_WIDE, window
#define GRID                                                                           \
	"grid-stride loop: 512 blocks of 1024 threads, a float each; all operands of " \
	"the output's size, also where the graph broadcasts a small one"
#define CUDNN "cuDNN: a thread takes neighbouring floats of one contiguous tensor"

const struct a100_op a100_ops[] = {
	/* ---- element-wise, the artifact's own kernels ---- */
	{ "Add_Forward", "element", "iO0 iO0 hO0", STREAM(IN_TURN), true,
	  GRID "; adds to an output that the CPU has filled" },
	{ "Subtract_Forward", "element", "iO0 iO0 hO0", STREAM(IN_TURN), false,
	  "timed as Add_Forward" },
	{ "Add_MultiGredient", "element", "iP hO0", STREAM(IN_TURN), true,
	  "timed as Add_Forward with as many inputs as the layer has" },
	{ "Add_Backward", "element", "iI0 hI0 hI0", STREAM(ONE_FLOAT), false,
	  GRID "; copies to outputs that the CPU has filled" },
	{ "Subtract_Backward", "element", "iI0 hI0 hI0", STREAM(ONE_FLOAT), false,
	  "timed as Add_Backward" },
	{ "Divide_Forward", "element", "iO0 iO0 oO0", STREAM(ONE_FLOAT), false, GRID },
	{ "Divide_Backward_A", "element", "iM iM oM", STREAM(ONE_FLOAT), false, GRID },
	{ "Divide_Backward_B", "element", "iM iM iM oM", STREAM(ONE_FLOAT), false, GRID },
	{ "Multiply_Forward", "element", "iO0 iO0 oO0", STREAM(ONE_FLOAT), false, GRID },
	{ "Multiply_Backward", "element", "iM iM oM", STREAM(ONE_FLOAT), false,
	  "timed as Divide_Forward" },
	{ "Power_Forward", "element", "iO0 iO0 oO0", STREAM(ONE_FLOAT), false, GRID },
	{ "Power_Backward", "element", "iM iM iM oM", STREAM(ONE_FLOAT), false, GRID },
	{ "Sqrt_Forward", "element", "iI0 oI0", STREAM(ONE_FLOAT), false,
	  GRID "; sized by its input" },
	{ "Sqrt_Backward", "element", "iO0 iO0 oO0", STREAM(ONE_FLOAT), false,
	  GRID "; sized by its input" },
	{ "Tanh_Forward", "element", "iO0 oO0", STREAM(ONE_FLOAT), false, GRID },
	{ "Tanh_Backward", "element", "iM iM oM", STREAM(ONE_FLOAT), false, GRID },
	{ "Erf_Forward", "element", "iO0 oO0", STREAM(ONE_FLOAT), false, GRID },
	{ "Erf_Backward", "element", "iM iM oM", STREAM(ONE_FLOAT), false, GRID },
	{ "makeLoss", "element", "iO0 oO0", STREAM(ONE_FLOAT), true,
	  "a thread takes its part of the tensor; few floats a thread" },
	{ "Apply_Grad", "update", "iO0 hO0", STREAM(ONE_FLOAT), false,
	  GRID "; adds to a weight that the CPU has filled" },
	{ "Linear_Apply_Grad_Weight", "update", "iO0 hO0", STREAM(ONE_FLOAT), true,
	  "as Apply_Grad; in a layer one thread a channel" },
	{ "Linear_Apply_Grad_Bias", "update", "iO0 hO0", STREAM(ONE_FLOAT), true,
	  "as Apply_Grad; in a layer one thread a channel" },
	{ "Conv2d_Apply_Grad", "update", "iO0 hO0", STREAM(ONE_FLOAT), true,
	  "as Apply_Grad; one thread a channel" },
	{ "BatchNorm2d_Apply_Grad", "update", "iO0 hO0", STREAM(ONE_FLOAT), true,
	  "as Apply_Grad; one thread a channel" },

	/* ---- gather: a copy of as much as the output holds ---- */
	{ "GatherV2_Forward", "gather", "iO0 oO0", STREAM(ONE_FLOAT), false,
	  GRID "; indices are not read" },
	{ "GatherV2_Backward", "gather", "iI1 oI1", STREAM(ONE_FLOAT), false,
	  GRID "; indices are not read" },

	/* ---- reductions ---- */
	{ "Sum_Forward", "reduce", "iI0 hO0", WIDE(ALL_ROWS), false,
	  "a thread sums a row: blocks of 1024 rows begin all over the input" },
	{ "Sum_Backward", "reduce", "im oO0", STREAM(FOUR_FLOATS), false,
	  "a thread fills a row: blocks of 1024 rows begin all over the output" },

	/* ---- GEMM tiles (cuBLAS, and one of the artifact's own) ---- */
	{ "Linear_Forward", "gemm", "iA oO0", STREAM(ONE_FLOAT), false,
	  "columns of the input go by, all row tiles at once" },
	{ "Linear_Backward_Weight", "gemm", "iA oO0", STREAM(FOUR_FLOATS), false,
	  "the batch is the inner dimension: both inputs go by" },
	{ "Linear_Backward_Input", "gemm", "iA oO0", STREAM(FOUR_FLOATS), false,
	  "own kernel, 128 rows a block, column after column" },
	{ "Linear_Backward_Bias", "gemm", "iI0 oO0", STREAM(FOUR_FLOATS), true,
	  "a thread sums a column; one thread a channel" },
	{ "BatchMatMul_Forward", "gemm", "iF0 iF1 oS", WIDE(ALL_ROWS), false,
	  "batch after batch of small matrices" },
	{ "BatchMatMul_Backward", "gemm", "iF0 iF1 oS", WIDE(ALL_ROWS), false,
	  "timed as its forward operation" },

	/* ---- convolutions ---- */
	{ "Conv2d_Forward", "conv", "iA oO0 oW", STREAM(ONE_FLOAT), false,
	  "image after image, tiles of an image at once" },
	{ "Conv2d_Backward_Input", "conv", "iA oO0 hW", STREAM(FOUR_FLOATS), false,
	  "image after image; the CPU has filled the workspace" },
	{ "Conv2d_Backward_Weight", "conv", "iA hO0 hW", STREAM(FOUR_FLOATS), false,
	  "image after image; the CPU has filled the workspace and the gradient" },

	/* ---- batch normalisation: a block a channel, images go by ---- */
	{ "BatchNorm2d_Forward", "norm", "iM ip ip oM", WIDE(ALL_PLANES), false,
	  "all channels of an image at once; running values are read at their heads" },
	{ "BatchNorm2d_Backward", "norm", "iM iM oM", WIDE(ALL_PLANES), false,
	  "all channels of an image at once" },

	/* ---- activations and pooling by cuDNN ---- */
	{ "ReLU_Forward", "act", "iL oL", STREAM(FOUR_FLOATS), false, CUDNN },
	{ "ReLU_Backward", "act", "iL iL oL", STREAM(FOUR_FLOATS), false,
	  CUDNN "; reads two of its three inputs" },
	{ "SoftmaxBasic_Forward", "act", "ie oe", STREAM(FOUR_FLOATS), false,
	  "timed with one element: the operation has no dimensions" },
	{ "SoftmaxBasic_Backward", "act", "ie ie oe", STREAM(FOUR_FLOATS), false,
	  "timed with one element" },
	{ "MaxPool2d_Forward", "pool", "iI0 oO0", STREAM(ONE_FLOAT), false, CUDNN },
	{ "MaxPool2d_Backward", "pool", "iI0 iI1 oO0", WIDE(ALL_PLANES), false,
	  CUDNN "; does not read the pooled values" },
	{ "AdaptiveAvgPool2d_Forward", "pool", "iM oO0", WIDE(ALL_PLANES), false, CUDNN },
	{ "AdaptiveAvgPool2d_Backward", "pool", "im oO0", STREAM(ONE_FLOAT), false,
	  CUDNN "; reads the gradient only" },
	{ "Dropout_Forward", "act", "iM oM oW", STREAM(FOUR_FLOATS), false, CUDNN },
	{ "Dropout_Backward", "act", "iM oM oW", STREAM(FOUR_FLOATS), false, CUDNN },

	/* ---- what hardly touches anything ---- */
	{ "Concat_Forward", "head", "iH oJ", STREAM(1), false,
	  "loops over channels, not elements: one page of each operand" },
	{ "Concat_Backward", "head", "iH oJ", STREAM(1), false,
	  "loops over channels, not elements: one page of each operand" },
	{ "LoadData_A0", "head", "", STREAM(1), false, "a copy by the driver: no fault" },
	{ .name = NULL }
};

const struct a100_op *a100_find(const char *name)
{
	for (const struct a100_op *op = a100_ops; op->name; op++)
		if (!strcmp(op->name, name))
			return op;
	return NULL;
}

/* ---- operands ---- */

enum { PAGE = 4096, MAX_THREADS = 1024 };

static void add(struct a100_kernel *k, u8 role, u64 bytes, u64 touched)
{
	if (bytes && k->noperands < A100_MAX_OPERANDS)
		k->operand[k->noperands] = (struct a100_operand){ bytes, touched, role };
	k->noperands += bytes > 0;
}

static void add_all(struct a100_kernel *k, u8 role, const u64 *bytes, u32 n, bool heads)
{
	for (u32 i = 0; i < n; i++)
		add(k, role, bytes[i], heads ? PAGE : bytes[i]);
}

static u64 largest(const u64 *bytes, u32 n)
{
	u64 x = 0;

	for (u32 i = 0; i < n; i++)
		x = gs_max(x, bytes[i]);
	return x;
}

static u64 smallest(const u64 *bytes, u32 n)
{
	u64 x = n ? bytes[0] : 0;

	for (u32 i = 1; i < n; i++)
		x = gs_min(x, bytes[i]);
	return x;
}

/*
 * Attention multiplies (n, s, s) by (n, s, d), or (n, s, d) by (n, d, s): from the
 * smaller operand twice comes the larger one, which the listed output is then.
 */
static u64 forward_output(const struct a100_listed *l)
{
	u64 a = l->forward_in[0], b = l->forward_in[1];

	return a == b ? gs_max(largest(l->out, l->nout), largest(l->in, l->nin)) : gs_min(a, b);
}

/* Sizes that are a single number of bytes; 0 if @word is none of them. */
static u64 size_of(const char *word, const struct a100_listed *l)
{
	u32 i = word[1] == '1';

	switch (*word) {
	case 'I':
		return i < l->nin ? l->in[i] : 0;
	case 'O':
		return i < l->nout ? l->out[i] : 0;
	case 'W':
		return l->workspace;
	case 'M':
		return largest(l->in, l->nin);
	case 'm':
		return smallest(l->in, l->nin);
	case 'F':
		return l->forward_in[i];
	case 'S':
		return forward_output(l);
	case 'e':
		return PAGE;
	case 'L':
		return l->channels ? l->in[0] : PAGE;
	default:
		return 0;
	}
}

static void add_word(struct a100_kernel *k, const struct a100_listed *l, const char *word)
{
	u8 role = *word == 'i' ? A100_IN : *word == 'o' ? A100_OUT : A100_HOST;
	u64 bytes;

	switch (word[1]) {
	case 'A':
	case 'H':
		add_all(k, role, l->in, l->nin, word[1] == 'H');
		break;
	case 'J':
		add_all(k, role, l->out, l->nout, true);
		break;
	case 'P':
		for (u32 i = 0; i < l->producers; i++)
			add(k, role, l->out[0], l->out[0]);
		break;
	case 'p':
		bytes = largest(l->in, l->nin);
		add(k, role, bytes, PAGE);
		break;
	default:
		bytes = size_of(word + 1, l);
		add(k, role, bytes, bytes);
	}
}

int a100_operands(struct a100_kernel *k, const struct a100_listed *l)
{
	k->noperands = 0;
	/* the launch fails, and the times are those of nothing */
	if (k->op->by_channel && l->channels > MAX_THREADS)
		return 0;
	for (const char *w = k->op->operands; *w; w += strcspn(w, " ")) {
		w += strspn(w, " ");
		add_word(k, l, w);
	}
	return k->noperands > A100_MAX_OPERANDS ? -EINVAL : 0;
}
