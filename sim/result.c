/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * result.c - summary.json and the CSV files
 */
#include "sim/json.h"
#include "sim/result.h"
#include "sim/version.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct gm_stat gs_mean_rows[] = {
	GM_COUNT(struct gs_mean, iterations, GM_NONE, "Iterations that the means are of"),
	GM_RATIO(struct gs_mean, "slowdown", iteration_ps, ideal_ps, "Time over ideal time"),
	GM_GAUGE(struct gs_mean, iteration_ps, GM_PS, "Time of an iteration"),
	GM_GAUGE(struct gs_mean, ideal_ps, GM_PS, "The same if nothing were ever missing"),
	GM_GAUGE(struct gs_mean, kernel_ps, GM_PS, "Kernels at full residency"),
	GM_GAUGE(struct gs_mean, stall_ps, GM_PS, "Kernels waiting for memory"),
	GM_GAUGE(struct gs_mean, stall_queue_ps, GM_PS, "Stall until a fault is taken up"),
	GM_GAUGE(struct gs_mean, stall_service_ps, GM_PS, "Stall in driver, CPU and messages"),
	GM_GAUGE(struct gs_mean, stall_evict_ps, GM_PS, "Stall waiting for room"),
	GM_GAUGE(struct gs_mean, stall_link_ps, GM_PS, "Stall in copies and waiting for links"),
	GM_GAUGE(struct gs_mean, stall_finish_ps, GM_PS, "Stall in mapping and replay"),
	GM_GAUGE(struct gs_mean, touches, GM_NONE, "Units touched"),
	GM_GAUGE(struct gs_mean, misses, GM_NONE, "Units absent when touched"),
	GM_GAUGE(struct gs_mean, faults, GM_NONE, "Faults served"),
	GM_GAUGE(struct gs_mean, remote, GM_NONE, "Units used over the link"),
	GM_GAUGE(struct gs_mean, evictions, GM_NONE, "Units evicted"),
	GM_GAUGE(struct gs_mean, clean_drops, GM_NONE, "Evictions without a copy"),
	GM_GAUGE(struct gs_mean, h2d_bytes, GM_BYTES, "Host to device"),
	GM_GAUGE(struct gs_mean, d2h_bytes, GM_BYTES, "Device to host"),
	GM_GAUGE(struct gs_mean, d2d_bytes, GM_BYTES, "Device to device"),
	GM_GAUGE(struct gs_mean, zeroed_bytes, GM_BYTES, "First touches: no transfer"),
	GM_GAUGE(struct gs_mean, discarded_bytes, GM_BYTES, "Freed without a copy"),
	GM_GAUGE(struct gs_mean, prefetched_bytes, GM_BYTES, "Brought before the touch"),
	GM_GAUGE(struct gs_mean, prefetch_useful, GM_NONE, "Prefetched units touched in time"),
	GM_GAUGE(struct gs_mean, prefetch_late, GM_NONE, "Prefetched units touched under way"),
	GM_GAUGE(struct gs_mean, prefetch_wasted, GM_NONE, "Prefetched units never touched"),
	GM_GAUGE(struct gs_mean, hbm_bytes, GM_BYTES,
		 "Memory for the job's units, all devices it uses"),
	GM_GAUGE(struct gs_mean, hbm_peak_bytes, GM_BYTES, "Most bytes resident at once"),
	GM_GAUGE(struct gs_mean, footprint_bytes, GM_BYTES, "Units that the job maps, at most"),
	GM_GAUGE(struct gs_mean, h2d_demand_bytes, GM_BYTES, "To the device since it was missing"),
	GM_GAUGE(struct gs_mean, h2d_prefetch_bytes, GM_BYTES, "To the device ahead of need"),
	GM_GAUGE(struct gs_mean, d2h_evict_bytes, GM_BYTES, "To the host to make room"),
	GM_GAUGE(struct gs_mean, d2h_cpu_bytes, GM_BYTES, "To the host since the CPU touched it"),
	GM_GAUGE(struct gs_mean, ssd_read_bytes, GM_BYTES, "Read from the SSD"),
	GM_GAUGE(struct gs_mean, ssd_write_bytes, GM_BYTES, "Written to the SSD"),
	GM_STAT_END
};
GM_STATS_COMPLETE(struct gs_mean, gs_mean_rows, 1);

static u64 h2d(const struct mm_stats *s)
{
	return s->h2d_demand_bytes + s->h2d_prefetch_bytes;
}

static u64 d2h(const struct mm_stats *s)
{
	return s->d2h_evict_bytes + s->d2h_cpu_bytes;
}

static void mean_add(struct gs_mean *m, const struct gs_iter_result *it)
{
	const struct mm_stats *s = &it->mm;

	m->iteration_ps += it->time_ps;
	m->kernel_ps += it->kernel_ps;
	m->stall_ps += it->stall_ps;
	m->stall_queue_ps += it->stall_by[MM_QUEUE];
	m->stall_service_ps += it->stall_by[MM_SERVICE];
	m->stall_evict_ps += it->stall_by[MM_EVICT];
	m->stall_link_ps += it->stall_by[MM_LINK];
	m->stall_finish_ps += it->stall_by[MM_FINISH];
	m->touches += s->touches;
	m->misses += s->misses;
	m->faults += s->faults;
	m->remote += s->remote;
	m->evictions += s->evictions;
	m->clean_drops += s->clean_drops;
	m->h2d_bytes += h2d(s);
	m->d2h_bytes += d2h(s);
	m->h2d_demand_bytes += s->h2d_demand_bytes;
	m->h2d_prefetch_bytes += s->h2d_prefetch_bytes;
	m->d2h_evict_bytes += s->d2h_evict_bytes;
	m->d2h_cpu_bytes += s->d2h_cpu_bytes;
	m->d2d_bytes += s->d2d_bytes;
	m->ssd_read_bytes += s->ssd_read_bytes;
	m->ssd_write_bytes += s->ssd_write_bytes;
	m->zeroed_bytes += s->zeroed_bytes;
	m->discarded_bytes += s->discarded_bytes;
	m->prefetched_bytes += s->prefetched_bytes;
	m->prefetch_useful += s->prefetch_useful;
	m->prefetch_late += s->prefetch_late;
	m->prefetch_wasted += s->prefetch_wasted;
}

void gs_report_mean(const struct gs_report *r, struct gs_mean *mean)
{
	const struct gs_result *res = r->res;
	u32 first = r->workload->warmup < res->niterations ? r->workload->warmup : 0;
	u32 n = res->niterations - first;
	u64 *field = (u64 *)mean;

	memset(mean, 0, sizeof(*mean));
	for (u32 i = first; i < res->niterations; i++)
		mean_add(mean, &res->iterations[i]);
	mean->ideal_ps = res->ideal_ps;
	/* Sums to means, rounded to the nearest; all fields are u64. */
	for (size_t i = 0; n && i < sizeof(*mean) / sizeof(u64); i++)
		field[i] = (field[i] + n / 2) / n;
	mean->iterations = n;
	mean->hbm_bytes = r->hbm_usable * gs_max(1, r->job->ndevices);
	mean->hbm_peak_bytes = res->hbm_peak_bytes;
	mean->footprint_bytes = res->footprint_bytes;
}

double gs_result_slowdown(const struct gs_result *res)
{
	return res->ideal_ps ? (double)res->total_ps / (double)res->ideal_ps : 1;
}

/* ---- JSON -------------------------------------------------------------- */

void gs_json_hash(struct gs_json *j, const char *key, u64 hash)
{
	char text[17];

	snprintf(text, sizeof(text), "%016llx", hash);
	gs_json_str(j, key, text);
}

static void json_provenance(struct gs_json *j, const struct gs_report *r)
{
	gs_json_object(j, "provenance");
	gs_json_str(j, "program", "gmemsim");
	gs_json_str(j, "version", gs_version);
	gs_json_str(j, "commit", gs_commit);
	gs_json_hash(j, "config_hash", r->config_hash);
	gs_json_hash(j, "trace_hash", r->job->hash);
	gs_json_str(j, "job", r->job->name);
	gs_json_str(j, "framework", r->job->framework);
	gs_json_str(j, "source", r->job->source);
	gs_json_str(j, "recorded", r->job->recorded);
	gs_json_u64(j, "seed", r->seed);
	gs_json_end(j);
}

static void json_stall_by(struct gs_json *j, const gs_time by[MM_NR_PHASES])
{
	gs_json_object(j, "stall_by");
	for (int p = 0; p < MM_NR_PHASES; p++)
		gs_json_u64(j, mm_phase_names[p], by[p]);
	gs_json_end(j);
}

static void json_iteration(struct gs_json *j, const struct gs_report *r,
			   const struct gs_iter_result *it)
{
	gs_json_object(j, NULL);
	gs_json_u64(j, "time_ps", it->time_ps);
	gs_json_u64(j, "kernel_ps", it->kernel_ps);
	gs_json_u64(j, "stall_ps", it->stall_ps);
	gs_json_u64(j, "faults", it->mm.faults);
	gs_json_u64(j, "prefetched_bytes", it->mm.prefetched_bytes);
	gs_json_u64(j, "h2d_bytes", h2d(&it->mm));
	gs_json_u64(j, "d2h_bytes", d2h(&it->mm));
	gs_json_u64(j, "ssd_read_bytes", it->mm.ssd_read_bytes);
	gs_json_u64(j, "ssd_write_bytes", it->mm.ssd_write_bytes);
	gs_json_u64(j, "evictions", it->mm.evictions);
	gs_json_u64(j, "misses", it->mm.misses);
	gs_json_u64(j, "touches", it->mm.touches);
	json_stall_by(j, it->stall_by);
	if (it->own)
		gs_json_stats(j, r->manager, r->res->own_rows, it->own);
	gs_json_end(j);
}

static void json_result(struct gs_json *j, const struct gs_report *r)
{
	const struct gs_result *res = r->res;
	struct gs_mean mean;

	gs_report_mean(r, &mean);
	gs_json_object(j, "result");
	gs_json_str(j, "manager", r->manager);
	gs_json_real(j, "slowdown", gs_result_slowdown(res));
	gs_json_u64(j, "ideal_ps", res->ideal_ps);
	gs_json_u64(j, "total_ps", res->total_ps);
	gs_json_u64(j, "unit_bytes", r->unit);
	gs_json_u64(j, "hbm_usable_bytes", r->hbm_usable);
	gs_json_u64(j, "hbm_peak_bytes", res->hbm_peak_bytes);
	gs_json_u64(j, "footprint_bytes", res->footprint_bytes);
	gs_json_stats(j, "mean", gs_mean_rows, &mean);
	gs_json_array(j, "iterations");
	for (u32 i = 0; i < res->niterations; i++)
		json_iteration(j, r, &res->iterations[i]);
	gs_json_end_array(j);
	gs_json_end(j);
}

char *gs_warning_text(const struct gs_warning *w, bool with_folder)
{
	const char *slash = with_folder ? NULL : strrchr(w->at, '/');

	if (!strncmp(w->at, "--set ", 6)) /* says the key already */
		return gs_asprintf("%s: %s", w->at, w->text);
	return gs_asprintf("%s: %s: %s", slash ? slash + 1 : w->at, w->key, w->text);
}

static void json_warnings(struct gs_json *j, const struct gs_report *r)
{
	gs_json_array(j, "warnings");
	for (size_t i = 0; i < r->nwarnings; i++) {
		char *text = gs_warning_text(&r->warnings[i], false);

		gs_json_str(j, NULL, text);
		free(text);
	}
	gs_json_end_array(j);
}

void gs_report_json(FILE *f, const struct gs_report *r)
{
	struct gs_json j;

	gs_json_init(&j, f, true);
	gs_json_object(&j, NULL);
	gs_json_u64(&j, "schema", 1);
	json_provenance(&j, r);
	gs_json_object(&j, "config");
	gs_config_print_json(&j, r->sections);
	gs_json_end(&j);
	json_result(&j, r);
	gs_json_object(&j, "stats");
	for (const struct gs_stat_block *b = r->stats; b->name; b++)
		gs_json_stats(&j, b->name, b->rows, b->obj);
	gs_json_end(&j);
	json_warnings(&j, r);
	gs_json_end(&j);
	fputc('\n', f);
}

/* ---- CSV --------------------------------------------------------------- */

void gs_csv_names(FILE *f, const struct gm_stat *rows)
{
	for (const struct gm_stat *s = rows; s->name; s++)
		fprintf(f, "%s%s", s == rows ? "" : ",", s->name);
}

void gs_csv_values(FILE *f, const struct gm_stat *rows, const void *obj)
{
	const char *base = obj;

	for (const struct gm_stat *s = rows; s->name; s++) {
		u64 v = *(const u64 *)(base + s->offset), den;

		fputs(s == rows ? "" : ",", f);
		if (s->kind != GM_STAT_RATIO) {
			fprintf(f, "%llu", v);
			continue;
		}
		den = *(const u64 *)(base + s->den);
		fprintf(f, "%.9g", den ? (double)v / (double)den : 0.0);
	}
}

void gs_csv_text(FILE *f, const char *text)
{
	if (!text[strcspn(text, ",\"\n")]) {
		fputs(text, f);
		return;
	}
	fputc('"', f);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', f);
		fputc(*text == '\n' ? ' ' : *text, f);
	}
	fputc('"', f);
}

static void csv_stall_names(FILE *f)
{
	for (int p = 0; p < MM_NR_PHASES; p++)
		fprintf(f, ",stall_%s_ps", mm_phase_names[p]);
	fputc('\n', f);
}

static void csv_stall(FILE *f, const gs_time by[MM_NR_PHASES])
{
	for (int p = 0; p < MM_NR_PHASES; p++)
		fprintf(f, ",%llu", by[p]);
	fputc('\n', f);
}

static void csv_summary(FILE *f, const struct gs_report *r)
{
	struct gs_mean mean;

	gs_report_mean(r, &mean);
	fputs("manager,", f);
	gs_csv_names(f, gs_mean_rows);
	fputc('\n', f);
	gs_csv_text(f, r->manager);
	fputc(',', f);
	gs_csv_values(f, gs_mean_rows, &mean);
	fputc('\n', f);
}

static void csv_iterations(FILE *f, const struct gs_report *r)
{
	fputs("iteration,start_ps,time_ps,kernel_ps,stall_ps,", f);
	gs_csv_names(f, mm_stat_rows);
	csv_stall_names(f);
	for (u32 i = 0; i < r->res->niterations; i++) {
		const struct gs_iter_result *it = &r->res->iterations[i];

		fprintf(f, "%u,%llu,%llu,%llu,%llu,", i, it->start_ps, it->time_ps, it->kernel_ps,
			it->stall_ps);
		gs_csv_values(f, mm_stat_rows, &it->mm);
		csv_stall(f, it->stall_by);
	}
}

static void csv_kernels(FILE *f, const struct gs_report *r)
{
	fputs("kernel,class,phase,calls,faults,kernel_ps,stall_ps", f);
	csv_stall_names(f);
	for (size_t i = 0; i < r->res->nkernels; i++) {
		const struct gs_kernel_result *k = &r->res->kernels[i];

		gs_csv_text(f, k->name);
		fprintf(f, ",%s,%s,%llu,%llu,%llu,%llu", gs_opclass_names[k->opclass],
			gs_phase_names[k->phase], k->calls, k->faults, k->kernel_ps, k->stall_ps);
		csv_stall(f, k->stall_by);
	}
}

static void csv_tensors(FILE *f, const struct gs_report *r)
{
	fputs("tensor,kind,bytes,touches,misses,stall_ps,va,born_ps,died_ps\n", f);
	for (size_t i = 0; i < r->res->ntensors; i++) {
		const struct gs_tensor_result *t = &r->res->tensors[i];

		gs_csv_text(f, t->name);
		fprintf(f, ",%s,%llu,%llu,%llu,%llu,%llu,%llu,%llu\n",
			gs_tensor_kind_names[t->kind], t->bytes, t->touches, t->misses, t->stall_ps,
			t->va, t->born_ps, t->died_ps);
	}
}

static void csv_series(FILE *f, const struct gs_report *r)
{
	fputs("time_ps,hbm_bytes,h2d_bytes,d2h_bytes,faults,misses,stall_ps,h2d_busy_ps,"
	      "d2h_busy_ps\n",
	      f);
	for (size_t i = 0; i < r->res->nsamples; i++) {
		const struct gs_sample *s = &r->res->samples[i];

		fprintf(f, "%llu,%llu,%llu,%llu,%llu,%llu,%llu,%llu,%llu\n", s->t, s->hbm_bytes,
			s->h2d_bytes, s->d2h_bytes, s->faults, s->misses, s->stall_ps,
			s->h2d_busy_ps, s->d2h_busy_ps);
	}
}

int gs_report_write(struct gs_outdir *dir, const struct gs_report *r)
{
	static const struct {
		const char *name;
		void (*write)(FILE *f, const struct gs_report *r);
	} files[] = {
		{ "summary.json", gs_report_json },   { "summary.csv", csv_summary },
		{ "iterations.csv", csv_iterations }, { "kernels.csv", csv_kernels },
		{ "tensors.csv", csv_tensors },	      { "series.csv", csv_series },
	};

	for (size_t i = 0; i < GS_ARRAY_SIZE(files); i++) {
		FILE *f = gs_outdir_file(dir, files[i].name);

		if (!f)
			return -EIO;
		files[i].write(f, r);
	}
	return 0;
}
