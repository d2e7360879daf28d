/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tr_kineto.c - a trace of PyTorch's profiler (Kineto, Chrome JSON), as a job */
#include <errno.h>

#include "sim/result.h"
#include "traces/import.h"
#include "traces/kineto.h"

/* Why a file supports no replay; NULL: it does. */
static const char *why_not(const struct kn *k)
{
	if (k->too_many)
		return "has an operator with more tensors than any";
	if (!k->nevents)
		return "holds no events of a Chrome trace";
	if (!k->nkernels)
		return "holds no kernel of a GPU (profile with ProfilerActivity.CUDA)";
	if (!k->nshapes && !k->nmemory)
		return "tells neither shapes nor allocations: which memory the kernels touch is "
		       "not known (profile with record_shapes=True, profile_memory=True)";
	if (!k->nshapes)
		return "tells no shapes: which memory the kernels read is not known (profile "
		       "with record_shapes=True)";
	return NULL;
}

static void tell_found(const struct kn *k)
{
	char a[24], c[24];

	gs_info("%s: found: %llu kernels, %llu copies (%s), %llu fills, %zu streams, %zu devices",
		k->b->path, k->nkernels, k->ncopies, gs_text_bytes(k->copied, c), k->nfills,
		k->nstreams, k->ndevices);
	gs_info("%s: found: shapes of %llu operators, %llu allocations of %llu bytes (%s), %llu "
		"frees, %zu steps",
		k->b->path, k->nshapes, k->nallocs, k->alloc_bytes,
		gs_text_bytes(k->alloc_bytes, a), k->nmemory - k->nallocs, k->nsteps);
}

static void tell_derived(const struct kn *k, const struct kn_told *t)
{
	char a[24], c[24];

	gs_info("%s: derived: operands of %llu kernels by size and order; %llu tensors there "
		"before (%s)%s",
		k->b->path, t->with, t->guesses, gs_text_bytes(t->guessed_bytes, a),
		!k->nmemory	  ? "; results, lifetimes and addresses"
		: k->no_addresses ? "; addresses; which allocation is freed"
				  : "");
	if (k->first_total != U64_MAX)
		gs_info("%s: the allocator held %s before the first event, and %s at most",
			k->b->path, gs_text_bytes(k->first_total, a),
			gs_text_bytes(k->most_total, c));
	gs_info("%s: missing: %soperands of %llu kernels%s%s", k->b->path,
		k->nmemory ? "" : "allocations, ", t->without,
		k->nsteps ? "" : ", steps of the profiler",
		k->nmemory ? "" : " (profile_memory=True tells allocations)");
}

static char *device_name(const struct kn *k, u16 device)
{
	if (device < k->ndevice_names && k->device_names[device])
		return gs_strdup(tb_text(k->b, k->device_names[device]));
	return gs_asprintf("cuda:%u", device);
}

static int write_job(struct kn *k, const char *out, struct tr_writer **w)
{
	static const char *const suffixes[] = { ".gz", ".zst", ".json", ".trace",
						".pt", ".tar", ".tgz",	NULL };
	char **devices = gs_calloc(k->ndevices + 1, sizeof(*devices));
	char *name = tr_base_name(k->b->path, suffixes);
	struct tr_meta meta = {
		.name = name,
		.framework = "PyTorch",
		.source = "trace of PyTorch's profiler (Kineto)",
		.recorded = "kernels and durations as recorded; operands derived from shapes and "
			    "allocations",
		.device_names = (const char *const *)devices,
		.ndevices = (u32)k->ndevices,
	};
	int ret;

	for (size_t i = 0; i < k->ndevices; i++)
		devices[i] = device_name(k, k->devices[i]);
	ret = tb_write(k->b, out, &meta, w);
	for (size_t i = 0; i < k->ndevices; i++)
		free(devices[i]);
	free(devices);
	free(name);
	return ret;
}

static int import(struct kn *k, const char *out, struct tr_writer **w)
{
	const char *why = why_not(k);
	struct kn_told told = { 0 };
	int ret;

	if (why && k->nevents)
		tell_found(k);
	if (why) {
		gs_err("%s: cannot be replayed: it %s", k->b->path, why);
		return -EINVAL;
	}
	ret = kn_join(k);
	ret = ret ? ret : kn_buffers(k);
	ret = ret ? ret : kn_resolve(k, &told);
	if (ret)
		return ret;
	tell_found(k);
	if (!told.with) {
		gs_err("%s: cannot be replayed: no kernel belongs to an operator with shapes",
		       k->b->path);
		return -EINVAL;
	}
	tell_derived(k, &told);
	kn_drop_events(k); /* the writer needs room of its own */
	return write_job(k, out, w);
}

int tr_kineto_import(const char *path, const char *out, struct tr_writer **w)
{
	struct tr_bytes *in = tr_bytes_open(path);
	struct tr_build b;
	struct kn k;
	int ret;

	*w = NULL;
	if (!in)
		return -EINVAL;
	tb_init(&b, path);
	kn_init(&k, &b);
	ret = kn_read(&k, in);
	tr_bytes_close(in);
	if (!ret)
		ret = import(&k, out, w);
	kn_fini(&k);
	tb_fini(&b);
	return ret;
}
