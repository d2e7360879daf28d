/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_list.c - `gmemsim list` and `gmemsim config`: what there is to choose
 */
#include "kernel-core/gm_core.h"
#include "sim/main.h"

#include <dirent.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void row(const char *name, const char *help)
{
	printf("  %-14s %s\n", name, help);
}

static void list_policies(const char *title, const char *const *names, const char *(*help)(u32 i))
{
	printf("\n%s\n", title);
	for (u32 i = 0; names[i]; i++)
		row(names[i], help(i));
}

/* The first comment of a YAML file that says something. */
static void first_comment(const char *path, char *buf, size_t size)
{
	FILE *f = fopen(path, "r");
	char line[256];

	*buf = '\0';
	while (f && fgets(line, sizeof(line), f) && *line == '#') {
		const char *text = line + 1 + strspn(line + 1, " #");

		if (*text == '\n' || !*text || !strncmp(text, "SPDX", 4))
			continue;
		snprintf(buf, size, "%.*s", (int)strcspn(text, "\n"), text);
		break;
	}
	if (f)
		fclose(f);
}

static int is_yaml(const struct dirent *e)
{
	const char *dot = strrchr(e->d_name, '.');

	return dot && !strcmp(dot, ".yaml");
}

/* configs/ is in the working directory, beside build/, or installed. */
char *main_configs(const char *folder)
{
	static const char *const places[] = { "../configs", "../../configs",
					      "../share/gmemsim/configs" };
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *path = gs_asprintf("configs/%s", folder);

	for (size_t i = 0; access(path, R_OK) && n > 0 && i < GS_ARRAY_SIZE(places); i++) {
		free(path);
		exe[n] = '\0';
		*strrchr(exe, '/') = '\0';
		path = gs_asprintf("%s/%s/%s", exe, places[i], folder);
	}
	return path;
}

static void list_files(const char *title, const char *folder)
{
	struct dirent **e = NULL;
	char *dir = main_configs(folder);
	int n = scandir(dir, &e, is_yaml, alphasort);

	if (n > 0)
		printf("\n%s (base: %s/NAME.yaml)\n", title, dir);
	for (int i = 0; i < n; i++) {
		char *path = gs_asprintf("%s/%s", dir, e[i]->d_name), help[100];

		first_comment(path, help, sizeof(help));
		*strrchr(e[i]->d_name, '.') = '\0';
		row(e[i]->d_name, help);
		free(path);
		free(e[i]);
	}
	free(e);
	free(dir);
}

static const char *timing_help(u32 i)
{
	static const char *const help[] = {
		[GS_RECORDED] = "durations as they were recorded",
		[GS_SCALED] = "recorded durations times workload.scale",
		[GS_ROOFLINE] = "from FLOPs and bytes, by the roofline of the configured device",
	};

	return help[i];
}

int cmd_list(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--help") && strcmp(argv[1], "-h")) {
		gs_err("list takes no arguments");
		return GS_EXIT_USER;
	}
	if (argc > 1) {
		main_help(stdout, "list");
		return GS_EXIT_OK;
	}
	puts("memory managers (manager.type)");
	for (size_t i = 0; mm_managers[i]; i++)
		row(mm_managers[i]->name, mm_managers[i]->help);
	list_policies("variants of gmem (manager.variant)", gm_variant_names, gm_variant_help);
	list_policies("evictors of gmem (manager.evictor)", gm_evictor_names, gm_evictor_help);
	list_policies("prefetchers of gmem (manager.prefetcher)", gm_prefetcher_names,
		      gm_prefetcher_help);
	list_policies("timing (workload.timing)", gs_timing_names, timing_help);
	list_files("machines", "machine");
	list_files("drives below host memory", "ssd");
	list_files("managers, ready made", "manager");
	return GS_EXIT_OK;
}

void help_config(FILE *f, bool markdown)
{
	struct setup s = { 0 };

	setup_sections(&s);
	gs_config_print_help(f, s.sections, markdown);
	setup_fini(&s);
}

static int print_effective(const char *path, const struct sets *sets)
{
	struct setup s;
	int err = setup_load(&s, path, sets->v, sets->n);

	if (!err)
		gs_config_print_yaml(stdout, s.sections);
	setup_fini(&s);
	return err ? GS_EXIT_USER : GS_EXIT_OK;
}

int cmd_config(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "trace", required_argument, NULL, 't' },
		{ "set", required_argument, NULL, 's' },
		{ "schema", no_argument, NULL, 'S' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct sets sets = { 0 };
	int c, rc = -1;

	optind = 0;
	while (rc < 0 && (c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (c == 't')
			sets_trace(&sets, optarg);
		else if (c == 's')
			sets_add(&sets, optarg);
		else
			rc = c == '?' ? GS_EXIT_USER : GS_EXIT_OK;
		if (c == 'S')
			help_config(stdout, true);
		else if (c == 'h')
			main_help(stdout, "config");
	}
	if (rc < 0 && optind + 1 == argc) {
		rc = print_effective(argv[optind], &sets);
	} else if (rc < 0) {
		gs_err("config: which configuration?  try `gmemsim config --help`");
		rc = GS_EXIT_USER;
	}
	sets_fini(&sets);
	return rc;
}
