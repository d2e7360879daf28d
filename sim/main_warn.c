/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_warn.c - when a result means nothing, it says so
 *
 * None of these is an error: a sweep may well begin where everything fits.  But
 * who quotes a number is to know that memory was never short, that a key did
 * nothing, or that no such link exists.
 */
#include "kernel-core/gm_core.h"
#include "kernel-core/gm_variant.h"
#include "models/hw_limits.h"
#include "sim/main.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* ---- saying ------------------------------------------------------------------- */

static void GS_PRINTF(4, 5)
	warn(struct run *r, const char *kind, const char *key, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	GS_PUSH_ROOM(r->warnings, r->nwarnings, r->cap_warnings);
	r->warnings[r->nwarnings++] = (struct gs_warning){
		.kind = kind,
		.key = gs_strdup(key),
		.at = gs_config_where(r->setup->cfg, key),
		.text = gs_strdup(text),
	};
}

void warn_free(struct run *r)
{
	for (size_t i = 0; i < r->nwarnings; i++) {
		free(r->warnings[i].key);
		free(r->warnings[i].at);
		free(r->warnings[i].text);
	}
	free(r->warnings);
}

/* Managers that are the same whatever the memory: for them nothing is strange. */
bool warn_is_exempt(const char *manager)
{
	return !strcmp(manager, "ideal") || !strcmp(manager, "static");
}

/* ---- keys that nothing reads ---------------------------------------------------- */

struct view {
	const struct setup *s;
	struct gm_variant variant; /* as it takes effect; zeroes if not gmem */
};

static bool is_gmem(const struct view *v)
{
	return !strcmp(v->s->ops->name, "gmem");
}
static bool has_evictor(const struct view *v)
{
	return is_gmem(v) || !strcmp(v->s->ops->name, "policy");
}
/* "hints" turns on workload.hints for every manager, "planned" the planner */
static bool has_prefetcher(const struct view *v)
{
	return is_gmem(v) || !strcmp(v->s->manager.prefetcher, "hints") || v->s->planned;
}
/* a share of the footprint is counted in units */
static bool has_unit(const struct view *v)
{
	return has_evictor(v) || v->s->hbm_percent;
}
static bool is_next_n(const struct view *v)
{
	return !strcmp(v->s->manager.prefetcher, "next-n");
}
static bool is_stride(const struct view *v)
{
	return !strcmp(v->s->manager.prefetcher, "stride");
}
static bool is_tree(const struct view *v)
{
	return !strcmp(v->s->manager.prefetcher, "tree");
}
static bool damps(const struct view *v)
{
	return v->variant.thrash_damping;
}
static bool has_watermarks(const struct view *v)
{
	return v->variant.background;
}
static bool evicts_ahead(const struct view *v)
{
	return v->variant.async_evict;
}
static bool batches(const struct view *v)
{
	return v->variant.batching;
}
static bool has_hints(const struct view *v)
{
	return v->s->workload.hints;
}
static bool has_ssd(const struct view *v)
{
	return v->s->machine.ssd.count;
}
static bool is_scaled(const struct view *v)
{
	return v->s->workload.timing == GS_SCALED;
}

/* The first row that matches and does not hold is the reason. */
static const struct {
	const char *key; /* the whole, or how it begins */
	bool (*is_read)(const struct view *v);
	const char *by;
} readers[] = {
	{ "manager.variant", is_gmem, "manager.type: gmem" },
	{ "manager.evictor", has_evictor, "manager.type: gmem or policy" },
	{ "manager.prefetcher", has_prefetcher, "manager.type: gmem" },
	{ "manager.unit", has_unit, "manager.type: gmem or policy" },
	{ "manager.gmem.next_n", is_next_n, "manager.prefetcher: next-n" },
	{ "manager.gmem.stride_", is_stride, "manager.prefetcher: stride" },
	{ "manager.gmem.tree_", is_tree, "manager.prefetcher: tree" },
	{ "manager.gmem.thrash_share", damps, "manager.gmem.thrash_damping: on" },
	{ "manager.gmem.thrash_lease", damps, "manager.gmem.thrash_damping: on" },
	{ "manager.gmem.wmark_", has_watermarks, "manager.gmem.background: on" },
	{ "manager.gmem.evict_groups", evicts_ahead, "manager.gmem.async_evict: on" },
	{ "manager.gmem.batch_max", batches, "manager.gmem.batching: on" },
	{ "manager.gmem.fault_groups", batches, "manager.gmem.batching: on" },
	{ "ssd.capacity", has_ssd, "ssd.count: 1" },
	{ "ssd.read.", has_ssd, "ssd.count: 1" },
	{ "ssd.write.", has_ssd, "ssd.count: 1" },
	{ "ssd.queue_depth", has_ssd, "ssd.count: 1" },
	{ "ssd.command", has_ssd, "ssd.count: 1" },
	{ "ssd.gpu_direct", has_ssd, "ssd.count: 1" },
	{ "ssd.headroom", has_ssd, "ssd.count: 1" },
	{ "workload.hint_depth", has_hints, "workload.hints: true" },
	{ "workload.scale", is_scaled, "workload.timing: scaled" },
};

/*
 * A base that chooses a manager may be overruled by who includes it, and a file
 * by --set: what it says about its own manager is nobody's mistake then.  In a
 * sweep, managers come and go; there a key is a mistake if none of them reads it.
 */
static bool is_excused(const struct setup *s, const char *key)
{
	const char *file = gs_config_file(s->cfg, key);
	const char *chosen = gs_config_file(s->cfg, "manager.type");

	if (!file)
		return false; /* --set */
	if (gs_config_get(s->cfg, "manager.type") && !chosen)
		return !s->swept || strcmp(file, s->path);
	return chosen && strcmp(file, s->path) && strcmp(file, chosen);
}

/* The manager that @key is a parameter of, if that is another; NULL: it is not. */
static const char *owner(const struct setup *s, const char *key)
{
	const char *name = NULL;

	for (size_t i = 0; mm_managers[i]; i++) {
		const char *prefix = mm_managers[i]->prefix;

		if (!prefix || strncmp(key, prefix, strlen(prefix)) || key[strlen(prefix)] != '.')
			continue;
		if (mm_managers[i] == s->ops || (mm_managers[i] == &mm_g10 && s->planned))
			return NULL;
		name = mm_managers[i]->name;
	}
	return name;
}

static void check_key(struct run *r, const struct view *v, const char *key)
{
	const char *other = owner(v->s, key);

	if (!gs_config_get(v->s->cfg, key) || is_excused(v->s, key))
		return;
	if (other) {
		warn(r, "unread", key, "nothing reads it; it takes manager.type: %s", other);
		return;
	}
	for (size_t i = 0; i < GS_ARRAY_SIZE(readers); i++) {
		const char *k = readers[i].key;
		bool begins = strchr("._", k[strlen(k) - 1]);

		if ((begins ? strncmp(key, k, strlen(k)) : strcmp(key, k)) || readers[i].is_read(v))
			continue;
		warn(r, "unread", key, "nothing reads it; it takes %s", readers[i].by);
		return;
	}
}

static void check_keys(struct run *r)
{
	const struct setup *s = r->setup;
	struct view v = { .s = s };

	if (is_gmem(&v) && gm_variant_resolve(s->manager.variant, s->ops_params, &v.variant))
		return;
	for (const struct gs_section *sec = s->sections; sec->prefix; sec++) {
		for (const struct gm_param *row = sec->rows; row->key; row++) {
			char *key = gs_asprintf("%s.%s", sec->prefix, row->key);

			check_key(r, &v, key);
			free(key);
		}
	}
}

/* ---- rates that nothing carries --------------------------------------------------- */

static void check_rate(struct run *r, const char *key, u64 bps, u64 most, const char *what)
{
	if (bps > most)
		warn(r, "bandwidth", key, "%.6g GB/s is more than %s carries (%.6g GB/s)",
		     (double)bps / 1e9, what, (double)most / 1e9);
}

static void check_rates(struct run *r)
{
	const struct gs_machine *m = &r->setup->machine;
	const struct hw_limit *l = hw_limit_of(m->device.name);

	check_rate(r, "device.hbm.bandwidth", m->device.hbm_bps, l->hbm_bps, l->hbm);
	check_rate(r, "link.h2d.bandwidth", m->link.h2d_bps, l->link_bps, l->link);
	check_rate(r, "link.d2h.bandwidth", m->link.d2h_bps, l->link_bps, l->link);
	check_rate(r, "peer_link.h2d.bandwidth", m->peer.h2d_bps, l->peer_bps, l->peer);
	check_rate(r, "peer_link.d2h.bandwidth", m->peer.d2h_bps, l->peer_bps, l->peer);
}

/* ---- runs that show nothing ---------------------------------------------------------- */

static const char *capacity_key(const struct setup *s)
{
	return s->hbm_percent			      ? "device.hbm.capacity_percent"
	       : s->machine.device.hbm_capacity_units ? "device.hbm.capacity_units"
						      : "device.hbm.capacity";
}

static void check_pressure(struct run *r)
{
	const struct gs_result *res = &r->res;
	u64 hbm = r->report.hbm_usable * gs_max(1, r->source->job.ndevices), evictions = 0;
	char foot[24];

	for (u32 i = 0; i < res->niterations; i++)
		evictions += res->iterations[i].mm.evictions;
	if (warn_is_exempt(r->setup->ops->name) || evictions)
		return;
	gs_text_bytes(res->footprint_bytes, foot);
	if (hbm >= res->footprint_bytes)
		warn(r, "fits", capacity_key(r->setup),
		     "the job's %s fit, memory is never short; device.hbm.capacity_percent: 50 %% "
		     "gives it half",
		     foot);
	else
		warn(r, "idle", capacity_key(r->setup),
		     "memory for %.0f %% of the job's %s, and yet nothing was evicted",
		     100.0 * (double)hbm / (double)gs_max(1, res->footprint_bytes), foot);
}

static void check_warmup(struct run *r)
{
	u32 warmup = r->setup->workload.warmup, n = r->res.niterations;

	if (warmup && warmup >= n)
		warn(r, "warmup", "workload.warmup",
		     "%u iterations were to be left out, and only %u were replayed: the means are "
		     "of all of them",
		     warmup, n);
}

/* Who gave an advice that the manager does not know. */
static const char *adviser(const struct setup *s, u32 advice)
{
	if (advice == GS_ADV_FREE_EAGER && s->workload.on_free == GS_FREE_DISCARD)
		return "workload.on_free";
	return advice == GS_ADV_PREFETCH && s->workload.hints ? "workload.hints" : "workload.trace";
}

static void check_advice(struct run *r)
{
	if (warn_is_exempt(r->setup->ops->name))
		return;
	for (u32 i = 0; i < GS_NR_ADVICE; i++)
		if (r->mm->unknown_advice >> i & 1)
			warn(r, "advice", adviser(r->setup, i),
			     "%s does not know %s: it is ignored", r->setup->ops->name,
			     gs_advice_names[i]);
}

/* What a manager plans for is one iteration: which one is to be known. */
static void check_recorded(struct run *r)
{
	if (r->recorded)
		warn(r, "iteration", "manager.type",
		     "%s plans one iteration: the last of %u recorded ones is replayed, %u times",
		     r->setup->ops->name, r->recorded, r->res.niterations);
}

void warn_collect(struct run *r)
{
	check_recorded(r);
	check_keys(r);
	check_advice(r);
	check_rates(r);
	check_warmup(r);
	check_pressure(r);
	r->report.warnings = r->warnings;
	r->report.nwarnings = r->nwarnings;
}
