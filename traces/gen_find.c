/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gen_find.c - configs/model/NAME.yaml: where it is, what there is, what was meant */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "traces/gen.h"

enum { MAX_MODELS = 256 };

/* In the working directory, beside build/, or installed: the first that has it. */
static const char *const places[] = { NULL, "../configs", "../../configs", "../../../configs",
				      "../share/gmemsim/configs" };

/* Folder @i of models; the caller's. */
static char *folder(size_t i)
{
	char exe[4096];
	ssize_t n;

	if (!places[i])
		return gs_strdup("configs/model");
	n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = 0;
	if (strrchr(exe, '/'))
		*strrchr(exe, '/') = 0;
	return gs_asprintf("%s/%s/model", exe, places[i]);
}

static char *find_model(const char *name)
{
	for (size_t i = 0; i < GS_ARRAY_SIZE(places); i++) {
		char *dir = folder(i), *path = gs_asprintf("%s/%s.yaml", dir, name);

		free(dir);
		if (!access(path, R_OK))
			return path;
		free(path);
	}
	return NULL;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "gpt2.yaml" in @dir becomes "gpt2" in @names, unless it is there. */
static size_t add_names(const char *dir, char **names, size_t n)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	while (d && n < MAX_MODELS && (e = readdir(d))) {
		size_t len = strlen(e->d_name), i = 0;

		if (len < 6 || strcmp(e->d_name + len - 5, ".yaml"))
			continue;
		e->d_name[len - 5] = 0;
		while (i < n && strcmp(names[i], e->d_name))
			i++;
		if (i == n)
			names[n++] = gs_strdup(e->d_name);
	}
	if (d)
		closedir(d);
	return n;
}

char **gen_model_names(void)
{
	char **names = gs_calloc(MAX_MODELS + 1, sizeof(*names));
	size_t n = 0;

	for (size_t i = 0; i < GS_ARRAY_SIZE(places); i++) {
		char *dir = folder(i);

		n = add_names(dir, names, n);
		free(dir);
	}
	qsort(names, n, sizeof(*names), by_text);
	return names;
}

void gen_model_names_free(char **names)
{
	for (char **n = names; *n; n++)
		free(*n);
	free(names);
}

/* The name that @name may have been meant to be: the nearest, or the only one it begins. */
static const char *meant(const char *name, char **names)
{
	const char *near = gs_nearest(name, (const char *const *)names), *begun = NULL;

	for (char **n = names; *n && !near; n++) {
		if (strncasecmp(*n, name, strlen(name)))
			continue;
		if (begun)
			return NULL;
		begun = *n;
	}
	return near ? near : begun;
}

static int refuse_name(const char *name)
{
	char **names = gen_model_names();
	const char *near = meant(name, names);

	gs_err("trace gen: no configs/model/%s.yaml%s%s%s; `--model list` shows the known models, "
	       "a FILE.yaml may describe another",
	       name, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
	gen_model_names_free(names);
	return -ENOENT;
}

int gen_model_load(const char *name, const char *path, struct gs_config **cfg, struct gen_model *m)
{
	const struct gs_section sections[] = { { "model", gen_model_rows, m }, { 0 } };
	char *found = path ? gs_strdup(path) : find_model(name);
	int err;

	*cfg = gs_config_new();
	if (!found)
		return refuse_name(name);
	err = gs_config_load(*cfg, found);
	if (!err)
		err = gs_config_bind(*cfg, sections, NULL);
	free(found);
	return err;
}
