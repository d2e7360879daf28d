/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * result_text.c - a run on one page, for people
 */
#include "sim/result.h"

#include <string.h>

enum { TOP = 5 };

static const char *scaled(double v, const char *const *units, double step, char buf[24])
{
	while (v >= step * 0.99995 && units[1]) {
		v /= step;
		units++;
	}
	if (v >= 99.95 || v == (double)(u64)v)
		snprintf(buf, 24, "%.0f %s", v, *units);
	else
		snprintf(buf, 24, "%.*f %s", v >= 9.995 ? 1 : 2, v, *units);
	return buf;
}

const char *gs_text_time(gs_time ps, char buf[24])
{
	static const char *const units[] = { "ns", "us", "ms", "s", NULL };

	return scaled((double)ps / (double)GS_NS, units, 1000, buf);
}

const char *gs_text_bytes(u64 bytes, char buf[24])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", NULL };

	return scaled((double)bytes, units, 1024, buf);
}

static double percent(u64 part, u64 whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void print_head(FILE *f, const struct gs_report *r)
{
	const struct gs_result *res = r->res;
	u64 devices = gs_max(1, r->job->ndevices);
	char hbm[24], foot[24], unit[24];

	fprintf(f, "%s under %s, timing %s\n", r->job->name, r->title,
		gs_timing_names[r->workload->timing]);
	fprintf(f, "HBM %s%s for a footprint of %s (%.0f %%), units of %s\n\n",
		gs_text_bytes(r->hbm_usable, hbm), devices > 1 ? " a device" : "",
		gs_text_bytes(res->footprint_bytes, foot),
		percent(devices * r->hbm_usable, res->footprint_bytes),
		gs_text_bytes(r->unit, unit));
}

static void print_iterations(FILE *f, const struct gs_report *r)
{
	const struct gs_result *res = r->res;
	char time[24], stall[24], ahead[24], in[24], out[24];

	fprintf(f, "%9s %9s %9s %9s %10s %10s %10s %10s\n", "iteration", "time", "stall", "faults",
		"evictions", "to device", "(ahead)", "to host");
	for (u32 i = 0; i < res->niterations; i++) {
		const struct gs_iter_result *it = &res->iterations[i];
		const struct mm_stats *s = &it->mm;

		fprintf(f, "%9u %9s %9s %9llu %10llu %10s %10s %10s\n", i,
			gs_text_time(it->time_ps, time), gs_text_time(it->stall_ps, stall),
			s->faults, s->evictions,
			gs_text_bytes(s->h2d_demand_bytes + s->h2d_prefetch_bytes, in),
			gs_text_bytes(s->h2d_prefetch_bytes, ahead),
			gs_text_bytes(s->d2h_evict_bytes + s->d2h_cpu_bytes, out));
	}
}

static void print_mean(FILE *f, const struct gs_result *res, const struct gs_mean *m)
{
	const struct {
		const char *what;
		u64 ps;
	} stall[] = {
		{ "waiting to be served", m->stall_queue_ps },
		{ "driver, CPU, messages", m->stall_service_ps },
		{ "waiting for room", m->stall_evict_ps },
		{ "copies, waiting for links", m->stall_link_ps },
		{ "mapping, answer, replay", m->stall_finish_ps },
	};
	char time[24], ideal[24];

	if (m->ideal_ps)
		fprintf(f, "\nslowdown %.3f: %s where nothing missing would take %s",
			gs_result_slowdown(res), gs_text_time(m->iteration_ps, time),
			gs_text_time(m->ideal_ps, ideal));
	else /* page accesses without times */
		fprintf(f, "\nall of %s is waiting: nothing missing would take no time",
			gs_text_time(m->iteration_ps, time));
	fprintf(f, " (mean of the last %llu iteration%s)\n", m->iterations,
		m->iterations == 1 ? "" : "s");
	if (!m->stall_ps)
		return;
	fprintf(f, "\n%-26s %10s %7s\n", "stall of kernels", "time", "share");
	for (size_t i = 0; i < GS_ARRAY_SIZE(stall); i++)
		fprintf(f, "%-26s %10s %6.1f%%\n", stall[i].what, gs_text_time(stall[i].ps, time),
			percent(stall[i].ps, m->stall_ps));
}

/* Indices of the rows that stalled longest, at most TOP; ties by position. */
static size_t top(const void *rows, size_t n, size_t size, size_t offset, size_t out[TOP])
{
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		size_t at = found < TOP ? found : TOP;
		u64 ps = *(const u64 *)((const char *)rows + i * size + offset);

		while (at > 0 &&
		       ps > *(const u64 *)((const char *)rows + out[at - 1] * size + offset))
			at--;
		if (!ps || at == TOP)
			continue;
		found = gs_min(found + 1, TOP);
		memmove(&out[at + 1], &out[at], (found - at - 1) * sizeof(out[0]));
		out[at] = i;
	}
	return found;
}

static const char *or_unnamed(const char *name)
{
	return *name ? name : "(unnamed)";
}

static u64 stall_total(const struct gs_result *res)
{
	u64 sum = 0;

	for (u32 i = 0; i < res->niterations; i++)
		sum += res->iterations[i].stall_ps;
	return sum;
}

static void print_top(FILE *f, const struct gs_result *res)
{
	size_t best[TOP], n;
	u64 all = stall_total(res);
	char t[24], b[24];

	n = top(res->kernels, res->nkernels, sizeof(*res->kernels),
		offsetof(struct gs_kernel_result, stall_ps), best);
	if (n)
		fprintf(f, "\n%-34s %11s %8s %10s %7s\n", "kernels that stalled most", "class",
			"calls", "stall", "share");
	for (size_t i = 0; i < n; i++) {
		const struct gs_kernel_result *k = &res->kernels[best[i]];

		fprintf(f, "%-34.34s %11s %8llu %10s %6.1f%%\n", or_unnamed(k->name),
			gs_opclass_names[k->opclass], k->calls, gs_text_time(k->stall_ps, t),
			percent(k->stall_ps, all));
	}
	n = top(res->tensors, res->ntensors, sizeof(*res->tensors),
		offsetof(struct gs_tensor_result, stall_ps), best);
	if (n)
		fprintf(f, "\n%-34s %11s %8s %10s %7s\n", "tensors that cost most stall", "kind",
			"size", "stall", "share");
	for (size_t i = 0; i < n; i++) {
		const struct gs_tensor_result *k = &res->tensors[best[i]];

		fprintf(f, "%-34.34s %11s %8s %10s %6.1f%%\n", or_unnamed(k->name),
			gs_tensor_kind_names[k->kind], gs_text_bytes(k->bytes, b),
			gs_text_time(k->stall_ps, t), percent(k->stall_ps, all));
	}
}

void gs_report_print(FILE *f, const struct gs_report *r)
{
	struct gs_mean mean;

	gs_report_mean(r, &mean);
	print_head(f, r);
	print_iterations(f, r);
	print_mean(f, r->res, &mean);
	print_top(f, r->res);
}
