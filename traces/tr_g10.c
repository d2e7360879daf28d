/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tr_g10.c - a network of the G10 artifact, as one training iteration
 *
 * Durations are the execution cycles of kernels.config, at 1.2 GHz: the
 * artifact's ideal time is their sum.  A cycle is 2500/3 ps; a kernel gets the
 * whole picoseconds between two running sums, so that the total is exact.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "traces/g10.h"
#include "traces/import.h"

/* Operator class by the beginning of a kernel's name; the first that fits. */
static const struct {
	const char *prefix;
	u8 opclass;
} classes[] = {
	{ "Conv", GS_CONV },
	{ "BatchNorm", GS_NORM },
	{ "LayerNorm", GS_NORM },
	{ "Linear", GS_GEMM },
	{ "BatchMatMul", GS_GEMM },
	{ "MatMul", GS_GEMM },
	{ "Softmax", GS_SOFTMAX },
	{ "Sum", GS_REDUCE },
	{ "Gather", GS_GATHER },
	{ "MaxPool", GS_POOL },
	{ "AvgPool", GS_POOL },
	{ "AdaptiveAvgPool", GS_POOL },
	{ "Concat", GS_COPY },
	{ "LoadData", GS_COPY },
	{ "makeLoss", GS_REDUCE },
	{ "ReLU", GS_ELEMENTWISE },
	{ "Add", GS_ELEMENTWISE },
	{ "Subtract", GS_ELEMENTWISE },
	{ "Multiply", GS_ELEMENTWISE },
	{ "Divide", GS_ELEMENTWISE },
	{ "Sqrt", GS_ELEMENTWISE },
	{ "Power", GS_ELEMENTWISE },
	{ "Tanh", GS_ELEMENTWISE },
	{ "Erf", GS_ELEMENTWISE },
	{ "Dropout", GS_ELEMENTWISE },
	{ "Scale", GS_ELEMENTWISE },
	{ "Sigmoid", GS_ELEMENTWISE },
};

static bool is_update(const char *name)
{
	return strstr(name, "Apply_Grad");
}

static u8 class_of(const char *name)
{
	if (is_update(name))
		return GS_OPTIMIZER_STEP;
	for (size_t i = 0; i < GS_ARRAY_SIZE(classes); i++)
		if (!strncmp(name, classes[i].prefix, strlen(classes[i].prefix)))
			return classes[i].opclass;
	return GS_OTHER_CLASS;
}

/* What is computed once the loss is known is backward; so is the loss's own gradient. */
static u8 phase_of(const char *name)
{
	if (is_update(name))
		return GS_STEP;
	if (strstr(name, "_Backward") || strstr(name, "MultiGredient"))
		return GS_BACKWARD;
	return strncmp(name, "LoadData", 8) ? GS_FORWARD : GS_DATA;
}

/* ---- what the files do not say ----------------------------------------- */

/* Inputs, then outputs; NULL where no kernel of the network has any. */
static const u32 *ids_of(const struct g10 *g, const struct g10_kernel *k)
{
	return g->uses ? g->uses + k->uses : NULL;
}

static bool among(const u32 *ids, u32 n, u32 id)
{
	while (n--)
		if (ids[n] == id)
			return true;
	return false;
}

/*
 * The kind of a local tensor from the kernel that uses it first: read before
 * anything was written, or loaded: input; written on the way back: gradient.
 */
static u8 kind_at_birth(const struct g10_kernel *k, bool output)
{
	u8 phase = phase_of(k->name);

	if (!output || phase == GS_DATA)
		return GS_INPUT;
	return phase == GS_BACKWARD || !strcmp(k->name, "makeLoss") ? GS_GRADIENT : GS_ACTIVATION;
}

/*
 * Lifetimes are those of the artifact's planner, first use to last read: no
 * network writes a tensor after its last read, but for tensors never read,
 * which live in their one kernel.
 */
static void derive(struct g10 *g)
{
	for (u32 i = 0; i < g->nkernels; i++) {
		const struct g10_kernel *k = &g->kernels[i];
		const u32 *ids = ids_of(g, k);

		for (u32 j = 0; j < k->ninputs + k->noutputs; j++) {
			struct g10_tensor *t = &g->tensors[ids[j]];
			bool output = among(ids + k->ninputs, k->noutputs, ids[j]);

			if (!t->used) {
				t->birth = i;
				t->kind = t->global	 ? GS_WEIGHT
					  : t->workspace ? GS_WORKSPACE
							 : kind_at_birth(k, output);
			}
			t->used = true;
			t->death = i;
		}
	}
}

/* ---- the job ---------------------------------------------------------- */

struct job {
	const struct g10 *g;
	struct tr_writer *w;
	u64 nops, cycles, locals_at;
	struct gs_touch *touches;
};

static int put(struct job *j, struct gs_op *op)
{
	int ret;

	op->index = j->nops++;
	ret = tr_writer_put(j->w, op);
	if (ret == -EINVAL)
		gs_err("%s: operation %llu: %s", j->g->dir, op->index, tr_writer_why(j->w));
	return ret;
}

/*
 * Local tensors lie behind all global ones.  A tensor is called after the
 * kernel that uses it first: the files have numbers only, and those are ids.
 */
static int put_alloc(struct job *j, u32 id)
{
	const struct g10_tensor *t = &j->g->tensors[id];
	struct gs_op op = { .type = GS_OP_ALLOC };

	op.alloc.tensor = id;
	op.alloc.kind = t->used ? t->kind : t->global ? GS_WEIGHT : GS_OTHER_KIND;
	op.alloc.va = t->addr + (t->global ? 0 : j->locals_at);
	op.alloc.bytes = t->bytes;
	op.alloc.name = t->used ? j->g->kernels[t->birth].name : "";
	return put(j, &op);
}

static int put_free(struct job *j, u32 id)
{
	struct gs_op op = { .type = GS_OP_FREE };

	op.free.tensor = id;
	return put(j, &op);
}

/* Inputs in order, then outputs that are no inputs; in both: read and written. */
static u32 collect_touches(struct job *j, const struct g10_kernel *k)
{
	const u32 *ids = ids_of(j->g, k);
	u32 n = 0;

	for (u32 i = 0; i < k->ninputs + k->noutputs; i++) {
		bool in = among(ids, k->ninputs, ids[i]);
		bool out = among(ids + k->ninputs, k->noutputs, ids[i]);

		if (among(ids, i, ids[i]) || !j->g->tensors[ids[i]].bytes)
			continue;
		j->touches[n++] = (struct gs_touch){
			.tensor = ids[i],
			.access = (u8)((in ? GS_READ : 0) | (out ? GS_WRITE : 0)),
			.bytes = j->g->tensors[ids[i]].bytes,
		};
	}
	return n;
}

static u64 cycles_to_ps(u64 cycles)
{
	return gs_muldiv(cycles, 2500, 3);
}

static int put_kernel(struct job *j, const struct g10_kernel *k)
{
	struct gs_op op = { .type = GS_OP_KERNEL };

	op.kernel.name = k->name;
	op.kernel.opclass = class_of(k->name);
	op.kernel.dtype = GS_F32;
	op.kernel.phase = phase_of(k->name);
	op.kernel.duration_ps = cycles_to_ps(j->cycles + k->cycles) - cycles_to_ps(j->cycles);
	op.kernel.fault_out_ps = k->fault_out_ps;
	op.kernel.fault_all_ps = k->fault_all_ps;
	op.kernel.ntouches = collect_touches(j, k);
	op.kernel.touches = j->touches;
	j->cycles += k->cycles;
	return put(j, &op);
}

/* Kernel @i with the tensors that are born and die around it. */
static int put_step(struct job *j, u32 i)
{
	const struct g10_kernel *k = &j->g->kernels[i];
	u32 n = k->ninputs + k->noutputs;
	const u32 *ids = ids_of(j->g, k);
	int ret = 0;

	for (u32 u = 0; !ret && u < n; u++) {
		const struct g10_tensor *t = &j->g->tensors[ids[u]];

		if (!t->global && t->birth == i && !among(ids, u, ids[u]))
			ret = put_alloc(j, ids[u]);
	}
	if (!ret)
		ret = put_kernel(j, k);
	for (u32 u = 0; !ret && u < n; u++) {
		const struct g10_tensor *t = &j->g->tensors[ids[u]];

		if (!t->global && t->death == i && !among(ids, u, ids[u]))
			ret = put_free(j, ids[u]);
	}
	return ret;
}

/* Weights, and what no kernel uses so that ids stay those of tensors.config. */
static int put_globals(struct job *j)
{
	int ret = 0;

	for (u32 i = 0; !ret && i < j->g->ntensors; i++) {
		const struct g10_tensor *t = &j->g->tensors[i];

		if (t->global || !t->used)
			ret = put_alloc(j, i);
		if (!ret && !t->global && !t->used)
			ret = put_free(j, i);
	}
	return ret;
}

static int put_job(struct job *j)
{
	struct gs_op mark = { .type = GS_OP_MARK };
	u32 most = 0;
	int ret = put_globals(j);

	for (size_t i = 0; i < j->g->nkernels; i++)
		most = (u32)gs_max(most, j->g->kernels[i].ninputs + j->g->kernels[i].noutputs);
	j->touches = gs_calloc(most, sizeof(*j->touches));
	mark.mark.iteration = true;
	mark.mark.name = "iteration";
	if (!ret)
		ret = put(j, &mark);
	for (u32 i = 0; !ret && i < j->g->nkernels; i++)
		ret = put_step(j, i);
	free(j->touches);
	return ret;
}

static u64 global_bytes(const struct g10 *g)
{
	u64 n = 0;

	for (size_t i = 0; i < g->ntensors; i++)
		n += g->tensors[i].global ? g->tensors[i].bytes : 0;
	return n;
}

/* The folder's name: "BERT_Base-256", also for ".". */
static char *network_name(const char *dir)
{
	static const char *const none[] = { NULL };
	char real[PATH_MAX];

	return tr_base_name(realpath(dir, real) ? real : dir, none);
}

static struct tr_writer *new_writer(const char *dir, const char *out)
{
	static const char *const devices[] = { "NVIDIA A100 40 GB" };
	char *name = network_name(dir);
	struct tr_meta meta = {
		.name = name,
		.framework = "G10 artifact (CUDA, cuDNN)",
		.source = "kernels.config and tensors.config of the G10 artifact (MICRO'23)",
		.recorded = "each kernel timed alone, all data resident; imported with cycles of "
			    "1.2 GHz as durations",
		.device_names = devices,
		.ndevices = 1,
		.page_hint = 4096,
	};
	struct tr_writer *w = tr_writer_new(out, &meta);

	free(name);
	return w;
}

/* What was found, and what was not. */
static void tell(const struct g10 *g, u64 cycles)
{
	const char *strange = NULL;

	for (size_t i = 0; i < g->nkernels && !strange; i++)
		if (class_of(g->kernels[i].name) == GS_OTHER_CLASS)
			strange = g->kernels[i].name;
	if (strange)
		gs_warn("%s: the class of some kernels is not known, such as %s", g->dir, strange);
	gs_info("%s: batch %u, %llu cycles of 1.2 GHz; lifetimes, kinds and classes are derived, "
		"FLOPs are not known",
		g->dir, g->batch, cycles);
}

int tr_g10_import(const char *dir, const char *out, struct tr_writer **w)
{
	struct g10 g;
	struct job j = { .g = &g };
	int ret = g10_read(&g, dir);

	if (!ret) {
		derive(&g);
		j.locals_at = global_bytes(&g);
		j.w = new_writer(dir, out);
		ret = j.w ? put_job(&j) : -EINVAL;
	}
	if (ret)
		tr_writer_abort(j.w);
	else
		tell(&g, j.cycles);
	*w = ret ? NULL : j.w;
	g10_fini(&g);
	return ret;
}
