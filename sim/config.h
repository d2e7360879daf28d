/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * config.h - YAML files to structs, by rows
 *
 * A section is a prefix ("device"), a table of rows and the struct that they
 * fill.  gs_config_load() reads a file and its `base:` files (a base is read
 * first, the including file overrides it key by key), gs_config_set() applies
 * --set, gs_config_bind() fills the structs.  Every value remembers where it
 * was written; unknown keys, wrong units and values out of range are errors
 * that name file, line, column and the remedy.
 */
#ifndef GS_CONFIG_H
#define GS_CONFIG_H

#include "sim/base.h"

struct gs_section {
	const char *prefix; /* "device", "manager.uvm" */
	const struct gm_param *rows;
	void *obj; /* filled by bind; NULL: only checked */
};

struct gs_config;

struct gs_config *gs_config_new(void);
void gs_config_free(struct gs_config *cfg);

/* Read @path and its bases.  0 or -EINVAL, -ENOENT ... (said already). */
int gs_config_load(struct gs_config *cfg, const char *path);
/*
 * @assignment is "key.path=value"; wins over what is loaded so far.  A value that
 * begins with [ or { is YAML.
 */
int gs_config_set(struct gs_config *cfg, const char *assignment);

/*
 * Give every row of every section its value (the written one or the default)
 * and refuse what no section knows, but for keys below a prefix of
 * @ignore (NULL-terminated or NULL), which another reader uses ("sweep").
 * @sections ends with a NULL prefix.  Strings live as long as @cfg.  A row
 * whose default is NULL must be written where its section has an obj.
 */
int gs_config_bind(struct gs_config *cfg, const struct gs_section *sections,
		   const char *const *ignore);

/*
 * Complain about the value of @key ("device.hbm.capacity") at the place where
 * it was written, or "(default)".  Returns -EINVAL for convenience.
 */
int gs_config_error(const struct gs_config *cfg, const char *key, const char *fmt, ...)
	GS_PRINTF(3, 4);

/* The scalar written at @key, or NULL.  [after load/set] */
const char *gs_config_get(const struct gs_config *cfg, const char *key);
/* "FILE:LINE:COL", "--set KEY=VALUE" or "(default)", to be freed. */
char *gs_config_where(const struct gs_config *cfg, const char *key);
/* The file in which @key was written, as it was opened; NULL: none (--set, default). */
const char *gs_config_file(const struct gs_config *cfg, const char *key);
/* Folder of the file in which @key was written: relative paths start there. */
const char *gs_config_dir(const struct gs_config *cfg, const char *key);

/*
 * Raw access for the sweep section: number of children of the mapping or
 * sequence at @key (0 if absent), and the i-th child's key ("" in a sequence)
 * and scalar value (NULL if it is no scalar).  Key paths may go through
 * keys with dots of their own and name elements by number ("sweep.axes.0").
 */
size_t gs_config_children(const struct gs_config *cfg, const char *key);
int gs_config_child(const struct gs_config *cfg, const char *key, size_t i, const char **child_key,
		    const char **value);

/*
 * Text <-> value of one row, as in files.  0 or -EINVAL with *why set (static,
 * until the thread's next call).  A string field points to @text itself.
 */
int gs_param_parse(const struct gm_param *row, const char *text, void *obj, const char **why);
/* Spell the value so that parsing gives it back exactly ("40 GiB"). */
void gs_param_format(const struct gm_param *row, const void *obj, char *buf, size_t size);

/*
 * Effective configuration: YAML on @f, which loads back as the same; members of
 * the object that is open in @j.
 */
void gs_config_print_yaml(FILE *f, const struct gs_section *sections);
struct gs_json;
void gs_config_print_json(struct gs_json *j, const struct gs_section *sections);
/* --help-config (text) and SCHEMA.md (markdown) from the rows. */
void gs_config_print_help(FILE *f, const struct gs_section *sections, bool markdown);

#endif
