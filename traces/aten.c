/* SPDX-License-Identifier: GPL-3.0-or-later */
/* aten.c - what the names and shapes of PyTorch's operators say */
#include "traces/aten.h"

#include <ctype.h>
#include <string.h>

/* ---- names ------------------------------------------------------------ */

/* "aten::add_.Tensor" -> "add_": the part that tables know, in @to. */
static const char *bare(const char *name, char *to, size_t size)
{
	const char *colon = strstr(name, "::");
	size_t n;

	if (colon && !strchr(name, '('))
		name = colon + 2;
	n = strcspn(name, ".");
	n = n < size ? n : size - 1;
	memcpy(to, name, n);
	to[n] = 0;
	return to;
}

static bool begins(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

static bool listed(const char *const *names, const char *name)
{
	char b[96];

	bare(name, b, sizeof(b));
	for (; *names; names++)
		if (!strcmp(*names, b))
			return true;
	return false;
}

/* The first part that is found in the name, in lower case, decides. */
static const struct {
	const char *part;
	u8 opclass;
} classes[] = {
	{ "nccl", GS_COPY },
	{ "all_reduce", GS_COPY },
	{ "allreduce", GS_COPY },
	{ "all2all", GS_COPY },
	{ "alltoall", GS_COPY },
	{ "all_gather", GS_COPY },
	{ "allgather", GS_COPY },
	{ "broadcast_", GS_COPY },
	{ "memcpy", GS_COPY },
	{ "memset", GS_COPY },
	{ "attention", GS_ATTENTION },
	{ "flash_fwd", GS_ATTENTION },
	{ "flash_bwd", GS_ATTENTION },
	{ "fmha", GS_ATTENTION },
	{ "multi_tensor_apply", GS_OPTIMIZER_STEP },
	{ "_fused_adam", GS_OPTIMIZER_STEP },
	{ "_fused_sgd", GS_OPTIMIZER_STEP },
	{ "_foreach_", GS_OPTIMIZER_STEP },
	{ "softmax", GS_SOFTMAX },
	{ "convol", GS_CONV },
	{ "conv1d", GS_CONV },
	{ "conv2d", GS_CONV },
	{ "conv3d", GS_CONV },
	{ "scudnn", GS_CONV },
	{ "wgrad", GS_CONV },
	{ "dgrad", GS_CONV },
	{ "fprop", GS_CONV },
	{ "winograd", GS_CONV },
	{ "batch_norm", GS_NORM },
	{ "batchnorm", GS_NORM },
	{ "layer_norm", GS_NORM },
	{ "layernorm", GS_NORM },
	{ "group_norm", GS_NORM },
	{ "rms_norm", GS_NORM },
	{ "bn_fw", GS_NORM },
	{ "bn_bw", GS_NORM },
	{ "pool", GS_POOL },
	{ "embedding", GS_GATHER },
	{ "gather", GS_GATHER },
	{ "index", GS_GATHER },
	{ "scatter", GS_GATHER },
	{ "gemm", GS_GEMM },
	{ "gemv", GS_GEMM },
	{ "cutlass", GS_GEMM },
	{ "addmm", GS_GEMM },
	{ "matmul", GS_GEMM },
	{ "aten::mm", GS_GEMM },
	{ "aten::bmm", GS_GEMM },
	{ "baddbmm", GS_GEMM },
	{ "linear", GS_GEMM },
	{ "reduce", GS_REDUCE },
	{ "aten::sum", GS_REDUCE },
	{ "aten::mean", GS_REDUCE },
	{ "aten::max", GS_REDUCE },
	{ "aten::norm", GS_REDUCE },
	{ "nll_loss", GS_REDUCE },
	{ "copy", GS_COPY },
	{ "::cat", GS_COPY },
	{ "catarray", GS_COPY },
	{ "clone", GS_COPY },
	{ "contiguous", GS_COPY },
	{ "aten::to", GS_COPY },
	{ "elementwise", GS_ELEMENTWISE },
	{ "aten::", GS_ELEMENTWISE },
	{ "triton_poi", GS_ELEMENTWISE },
	{ "triton_red", GS_REDUCE },
	{ "triton_per", GS_REDUCE },
};

u8 tr_aten_class(const char *name)
{
	char low[512];
	size_t n = 0;

	for (; name[n] && n < sizeof(low) - 1; n++)
		low[n] = (char)tolower((unsigned char)name[n]);
	low[n] = 0;
	for (size_t i = 0; i < GS_ARRAY_SIZE(classes); i++)
		if (strstr(low, classes[i].part))
			return classes[i].opclass;
	return GS_OTHER_CLASS;
}

static const struct {
	const char *name;
	u8 dtype, bytes;
} dtypes[] = {
	{ "float", GS_F32, 4 },
	{ "c10::Half", GS_F16, 2 },
	{ "c10::BFloat16", GS_BF16, 2 },
	{ "long int", GS_I64, 8 },
	{ "long", GS_I64, 8 },
	{ "int", GS_I32, 4 },
	{ "double", GS_F64, 8 },
	{ "unsigned char", GS_I8, 1 },
	{ "signed char", GS_I8, 1 },
	{ "bool", GS_I8, 1 },
	{ "short int", GS_OTHER_DTYPE, 2 },
	{ "short", GS_OTHER_DTYPE, 2 },
	{ "c10::Float8_e4m3fn", GS_F8, 1 },
	{ "c10::Float8_e5m2", GS_F8, 1 },
	{ "c10::Float8_e4m3fnuz", GS_F8, 1 },
	{ "c10::Float8_e5m2fnuz", GS_F8, 1 },
	{ "c10::complex<float>", GS_OTHER_DTYPE, 8 },
	{ "c10::complex<double>", GS_OTHER_DTYPE, 16 },
};

u8 tr_aten_dtype(const char *type, u32 *bytes)
{
	const char *open = strstr(type, "Tensor(");
	size_t n;

	type = open ? open + 7 : type;
	n = strcspn(type, ")]");
	for (size_t i = 0; i < GS_ARRAY_SIZE(dtypes); i++) {
		if (strlen(dtypes[i].name) != n || strncmp(type, dtypes[i].name, n))
			continue;
		*bytes = dtypes[i].bytes;
		return dtypes[i].dtype;
	}
	*bytes = 0;
	return GS_OTHER_DTYPE;
}

/* Views, allocations and questions: no kernel, no byte moved. */
static const char *const idle[] = {
	"view",
	"_unsafe_view",
	"view_as",
	"as_strided",
	"as_strided_",
	"reshape",
	"_reshape_alias",
	"transpose",
	"transpose_",
	"t",
	"t_",
	"numpy_T",
	"permute",
	"expand",
	"expand_as",
	"squeeze",
	"squeeze_",
	"unsqueeze",
	"unsqueeze_",
	"slice",
	"select",
	"narrow",
	"split",
	"split_with_sizes",
	"chunk",
	"unbind",
	"unflatten",
	"unfold",
	"diagonal",
	"detach",
	"detach_",
	"alias",
	"lift_fresh",
	"result_type",
	"can_cast",
	"empty",
	"empty_like",
	"empty_strided",
	"new_empty",
	"new_empty_strided",
	"resize_",
	"resize_as_",
	"set_",
	"record_stream",
	"is_same_size",
	"is_nonzero",
	"is_pinned",
	"is_floating_point",
	"is_complex",
	"resolve_conj",
	"resolve_neg",
	"to",
	"contiguous",
	"conj",
	"_conj",
	"size",
	"stride",
	"item",
	"data_ptr",
	"flatten",
	"flatten_dense_tensors",
	"unflatten_dense_tensors",
	"requires_grad_",
	"retain_grad",
	"output_nr",
	"_version",
	"zeros",
	"zeros_like",
	"new_zeros",
	"ones",
	"ones_like",
	NULL,
};

/* What only wraps others: "AddBackward0", annotations, autograd's own steps. */
static bool is_wrapper(const char *name)
{
	static const char *const prefixes[] = {
		"torch::autograd::AccumulateGrad",
		"autograd::engine::",
		"torch::distributed::reducer::",
		"torch.distributed.ddp.reducer::",
		"Optimizer.",
		"##",
		"ProfilerStep#",
		"[pytorch",
		"record_param_comms",
		"enumerate(DataLoader)",
		"DistributedDataParallel.",
	};
	size_t n = strlen(name);

	for (size_t i = 0; i < GS_ARRAY_SIZE(prefixes); i++)
		if (begins(name, prefixes[i]))
			return true;
	return n > 9 && isdigit((unsigned char)name[n - 1]) &&
	       !strncmp(name + n - 9, "Backward", 8);
}

bool tr_aten_idle(const char *name)
{
	bool ours = begins(name, "aten::") || !strchr(name, ':');

	return is_wrapper(name) || (ours && listed(idle, name));
}

bool tr_aten_in_place(const char *name)
{
	char b[96];
	size_t n = strlen(bare(name, b, sizeof(b)));

	return n > 1 && b[n - 1] == '_' && b[n - 2] != '_';
}

bool tr_aten_overwrites(const char *name)
{
	static const char *const names[] = { "fill_",	     "zero_",	   "copy_",
					     "uniform_",     "normal_",	   "random_",
					     "exponential_", "bernoulli_", NULL };

	return listed(names, name);
}

u32 tr_aten_parameters(const char *name)
{
	static const struct {
		const char *name;
		u32 operands;
	} rows[] = {
		{ "addmm", 1 << 0 | 1 << 2 },
		{ "mm", 1 << 1 },
		{ "linear", 1 << 1 | 1 << 2 },
		{ "conv1d", 1 << 1 | 1 << 2 },
		{ "conv2d", 1 << 1 | 1 << 2 },
		{ "convolution", 1 << 1 | 1 << 2 },
		{ "_convolution", 1 << 1 | 1 << 2 },
		{ "cudnn_convolution", 1 << 1 },
		{ "miopen_convolution", 1 << 1 },
		{ "batch_norm", 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 },
		{ "native_batch_norm", 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 },
		{ "cudnn_batch_norm", 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 },
		{ "layer_norm", 1 << 2 | 1 << 3 },
		{ "native_layer_norm", 1 << 2 | 1 << 3 },
		{ "embedding", 1 << 0 },
		{ "index_select", 1 << 0 },
	};
	char b[96];

	bare(name, b, sizeof(b));
	for (size_t i = 0; i < GS_ARRAY_SIZE(rows); i++)
		if (!strcmp(rows[i].name, b))
			return rows[i].operands;
	return 0;
}

u8 tr_aten_phase(const char *name)
{
	if (begins(name, "Optimizer.step") || begins(name, "## optimizer"))
		return GS_STEP;
	if (begins(name, "autograd::engine::") || begins(name, "## backward") ||
	    strstr(name, "Backward") || begins(name, "torch::autograd::"))
		return GS_BACKWARD;
	return begins(name, "## forward") ? GS_FORWARD : GS_OTHER_PHASE;
}

bool tr_aten_is_step(const char *name)
{
	return begins(name, "ProfilerStep#");
}

/* ---- shapes ----------------------------------------------------------- */

static u64 times(u64 a, u64 b)
{
	u64 c;

	return __builtin_mul_overflow(a, b, &c) ? U64_MAX : c;
}

u64 tr_shape_elements(const struct tr_shape *s)
{
	u64 n = 1;

	for (u8 i = 0; i < s->ndims; i++)
		n = times(n, s->dim[i]);
	return n;
}

static u64 last(const struct tr_shape *s, u8 from_end)
{
	return s->ndims >= from_end ? s->dim[s->ndims - from_end] : 1;
}

/* The two matrices of a product among the operands: addmm(bias, a, b), mm(a, b). */
static bool product(const char *name, const struct tr_shape *in, u32 n, const struct tr_shape **a,
		    const struct tr_shape **b)
{
	static const char *const with_bias[] = { "addmm", "addmm_", "baddbmm", NULL };
	static const char *const plain[] = { "mm", "bmm", "matmul", NULL };
	u32 at = listed(with_bias, name) ? 1 : 0;

	if ((!at && !listed(plain, name)) || n < at + 2)
		return false;
	*a = &in[at];
	*b = &in[at + 1];
	return (*a)->ndims >= 2 && (*b)->ndims >= 2 && last(*a, 1) == last(*b, 2);
}

static u64 conv_flops(const char *name, const struct tr_shape *in, u32 n,
		      const struct tr_shape *out)
{
	static const char *const forward[] = { "cudnn_convolution",  "convolution",
					       "_convolution",	     "conv2d",
					       "miopen_convolution", NULL };
	static const char *const backward[] = { "convolution_backward",
						"cudnn_convolution_backward", NULL };
	bool back = listed(backward, name);
	const struct tr_shape *weight = &in[back ? 2 : 1];

	if ((!back && !listed(forward, name)) || n < (back ? 3 : 2) || (!back && !out) ||
	    weight->ndims < 3 || !weight->dim[0])
		return 0;
	/* each output takes one filter; backward does it for data and for weights */
	return times(times(back ? 4 : 2, tr_shape_elements(back ? &in[0] : out)),
		     tr_shape_elements(weight) / weight->dim[0]);
}

u64 tr_aten_flops(const char *name, const struct tr_shape *in, u32 n, const struct tr_shape *out)
{
	static const char *const linear[] = { "linear", NULL };
	const struct tr_shape *a, *b;

	if (product(name, in, n, &a, &b))
		return times(times(2, tr_shape_elements(a)), last(b, 1));
	if (listed(linear, name) && n >= 2 && in[1].ndims == 2)
		return times(times(2, tr_shape_elements(&in[0])), in[1].dim[0]);
	return conv_flops(name, in, n, out);
}

u64 tr_aten_result(const char *name, const struct tr_shape *in, const u64 *bytes, u32 n)
{
	static const char *const sums[] = { "cat", "stack", "_cat", NULL };
	static const char *const small[] = { "sum",
					     "mean",
					     "max",
					     "min",
					     "norm",
					     "any",
					     "all",
					     "_local_scalar_dense",
					     "nll_loss_forward",
					     NULL };
	const struct tr_shape *a, *b;
	u64 most = 0, sum = 0;

	if (tr_aten_in_place(name) || begins(name, "aten::_foreach_") || listed(small, name))
		return 0;
	for (u32 i = 0; i < n; i++) {
		most = gs_max(most, bytes[i]);
		sum += bytes[i];
	}
	if (product(name, in, n, &a, &b) && tr_shape_elements(a) && last(a, 1))
		return times(tr_shape_elements(a) / last(a, 1), last(b, 1)) *
		       (bytes[a - in] / tr_shape_elements(a));
	return listed(sums, name) ? sum : most;
}

u64 tr_aten_roofline_ps(u8 dtype, u64 flops, u64 bytes)
{
	/* NVIDIA A100 datasheet; the share that is reached is a guess */
	const u64 half = dtype == GS_F16 || dtype == GS_BF16;
	const u64 gflops = (half ? 312000 : dtype == GS_F64 ? 9700 : 19500) * 60 / 100;
	const u64 compute = gs_muldiv(gs_min(flops, 1ULL << 62), 1000, gflops);
	const u64 memory = gs_muldiv(gs_min(bytes, 1ULL << 62), 1000, 1555 * 80 / 100);

	return gs_max(2000000, gs_max(compute, memory));
}
