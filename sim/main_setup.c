/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_setup.c - which keys fill which structs
 *
 * The sections of all managers are always known, so that one file can hold the
 * keys of several and a sweep can go from one to the other.
 */
#include "kernel-core/gm_core.h"
#include "sim/main.h"
#include "traces/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETUP struct setup
static const struct gm_param share_rows[] = {
	GM_P_U32(
		SETUP, hbm_percent, "hbm.capacity_percent", GM_PERCENT, "0 %", 0, 100000,
		"If not 0: capacity is this share of the job's footprint, the reserve comes on top",
		"0: hbm.capacity holds"),
	GM_P_END
};

static void add_section(struct setup *s, size_t *n, const char *prefix, const struct gm_param *rows,
			void *obj)
{
	gs_assert(*n + 1 < MAX_SECTIONS);
	s->sections[(*n)++] = (struct gs_section){ prefix, rows, obj };
	s->sections[*n] = (struct gs_section){ .prefix = NULL };
}

void setup_sections(struct setup *s)
{
	size_t n = 0;

	add_section(s, &n, "sim", gs_sim_rows, &s->sim);
	add_section(s, &n, "workload", gs_workload_rows, &s->workload);
	add_section(s, &n, "device", hw_device_rows, &s->machine.device);
	add_section(s, &n, "device", share_rows, s);
	add_section(s, &n, "host", hw_host_rows, &s->machine.host);
	add_section(s, &n, "link", hw_link_rows, &s->machine.link);
	add_section(s, &n, "peer_link", hw_peer_rows, &s->machine.peer);
	add_section(s, &n, "ssd", hw_ssd_rows, &s->machine.ssd);
	add_section(s, &n, "manager", mm_common_rows, &s->manager);
	for (size_t i = 0; mm_managers[i]; i++) {
		const struct mm_ops *ops = mm_managers[i];

		if (!ops->params)
			continue;
		s->params[i] = gs_calloc(1, ops->params_size);
		add_section(s, &n, ops->prefix, ops->params, s->params[i]);
	}
}

/* manager.type, .variant, .evictor and .prefetcher are names: say which there are. */
static int check_name(const struct setup *s, const char *key, const char *name,
		      const char *const *known)
{
	const char *near;

	for (size_t i = 0; known[i]; i++)
		if (!strcmp(name, known[i]))
			return 0;
	near = gs_nearest(name, known);
	return gs_config_error(s->cfg, key, "there is no '%s'%s%s%s", name,
			       near ? "; did you mean '" : "; `gmemsim list` shows all",
			       near ? near : "", near ? "'?" : "");
}

static bool is_auto(const char *name)
{
	return !*name || !strcmp(name, "auto");
}

static int choose_manager(struct setup *s)
{
	const char *types[MAX_SECTIONS] = { NULL };
	const struct mm_common *m = &s->manager;
	int err;

	for (size_t i = 0; mm_managers[i]; i++) {
		types[i] = mm_managers[i]->name;
		if (mm_managers[i] == &mm_g10)
			s->g10_params = s->params[i];
		if (strcmp(m->type, mm_managers[i]->name))
			continue;
		s->ops = mm_managers[i];
		s->ops_params = s->params[i];
	}
	err = check_name(s, "manager.type", m->type, types);
	if (!err)
		err = check_name(s, "manager.variant", m->variant, gm_variant_names);
	if (!err && !is_auto(m->evictor))
		err = check_name(s, "manager.evictor", m->evictor, gm_evictor_names);
	if (!err && !is_auto(m->prefetcher))
		err = check_name(s, "manager.prefetcher", m->prefetcher, gm_prefetcher_names);
	if (!err && m->unit & (m->unit - 1))
		err = gs_config_error(s->cfg, "manager.unit", "%llu bytes are no power of two",
				      m->unit);
	/* asked for by name, hints come from what the job will do */
	s->workload.hints |= !strcmp(m->prefetcher, "hints");
	s->planned = !strcmp(m->prefetcher, "planned");
	return err;
}

/* Beside the configuration, for what a case of its sweep names; NULL: not there. */
static char *trace_beside(const struct setup *s, const char *name)
{
	const char *slash = strrchr(s->path, '/');
	char *path;

	if (!slash || !access(name, F_OK))
		return NULL;
	path = gs_asprintf("%.*s/%s", (int)(slash - s->path), s->path, name);
	if (!access(path, F_OK))
		return path;
	free(path);
	return NULL;
}

int setup_trace(struct setup *s)
{
	const char *name = s->workload.trace, *dir;

	if (!*name)
		return gs_config_error(s->cfg, "workload.trace",
				       "no trace to replay; name one here or with --trace FILE");
	dir = gs_config_dir(s->cfg, "workload.trace");
	if (*name == '/' || !strncmp(name, GEN_SCHEME, strlen(GEN_SCHEME)))
		s->trace = gs_strdup(name);
	else if (dir && *dir && strcmp(dir, "."))
		s->trace = gs_asprintf("%s/%s", dir, name);
	else
		s->trace = trace_beside(s, name);
	if (!s->trace)
		s->trace = gs_strdup(name);
	return 0;
}

int setup_load(struct setup *s, const char *path, char *const *sets, size_t nsets)
{
	static const char *const others[] = { "sweep", "a100", "points", NULL };
	int err;

	memset(s, 0, sizeof(*s));
	s->path = path;
	s->cfg = gs_config_new();
	setup_sections(s);
	err = gs_config_load(s->cfg, path);
	for (size_t i = 0; i < nsets && !err; i++)
		err = gs_config_set(s->cfg, sets[i]);
	if (!err)
		err = gs_config_bind(s->cfg, s->sections, others);
	if (!err)
		err = choose_manager(s);
	if (!err && s->hbm_percent && s->machine.device.hbm_capacity_units)
		err = gs_config_error(s->cfg, "device.hbm.capacity_percent",
				      "device.hbm.capacity_units is set as well; choose one");
	return err;
}

void setup_fini(struct setup *s)
{
	for (size_t i = 0; i < MAX_SECTIONS; i++)
		free(s->params[i]);
	free(s->trace);
	gs_config_free(s->cfg);
	memset(s, 0, sizeof(*s));
}

u64 setup_hash(const struct setup *s)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	u64 hash;

	gs_assert(f);
	gs_config_print_yaml(f, s->sections);
	fclose(f);
	hash = gs_hash(text, size, 0);
	free(text);
	return hash;
}
