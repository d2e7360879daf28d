/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * config_impl.h - what the files of the configuration share among themselves
 *
 * A configuration is one tree of nodes, merged from files and --set.  Nodes
 * and texts live until the configuration goes, also when something overrode
 * them, so that strings in bound structs never dangle.
 */
#ifndef GS_CONFIG_IMPL_H
#define GS_CONFIG_IMPL_H

#include <stdarg.h>

#include "sim/config.h"

enum gs_node_type {
	GS_NODE_MAP,
	GS_NODE_SEQ,
	GS_NODE_SCALAR,
	GS_NODE_EMPTY /* "key:" and nothing behind it */
};

/* Where something was written; line 0: @name says it all (--set). */
struct gs_place {
	const char *name; /* of the file, as it was opened */
	const char *dir;  /* its folder */
	u32 line, col;	  /* from 1 */
};

struct gs_node {
	enum gs_node_type type;
	const char *key;  /* in a mapping; "" elsewhere */
	const char *text; /* of a scalar; "" elsewhere */
	struct gs_place at, key_at;
	struct gs_node **child;
	size_t n, cap;
	/* only in the tree that is printed */
	const struct gm_param *row;
	const void *obj;
};

struct gs_config {
	struct gs_node *root; /* always a mapping */
	struct gs_node **nodes;
	size_t nnodes, cap_nodes;
	char **texts;
	size_t ntexts, cap_texts;
	u32 files; /* read so far: a bound on bases that include each other's */
};

/* config_tree.c */
struct gs_node *gs_node_new(struct gs_config *cfg, enum gs_node_type type, struct gs_place at);
const char *gs_config_keep(struct gs_config *cfg, char *text); /* takes it over */
struct gs_node *gs_node_child(const struct gs_node *map, const char *key, size_t len);
void gs_node_append(struct gs_node *parent, struct gs_node *child);
/* The node at dotted @path below @node, NULL if there is none. */
struct gs_node *gs_node_find(const struct gs_node *node, const char *path);
/* Put @leaf at @path, making mappings on the way. */
void gs_node_put(struct gs_config *cfg, const char *path, struct gs_node *leaf);
/* What @over says wins over what @node says, key by key. */
void gs_node_merge(struct gs_node *node, struct gs_node *over);
/* "gmemsim: FILE:LINE:COL: what: message"; @what may be NULL. */
void gs_place_error(const struct gs_place *at, const char *what, const char *fmt, va_list ap);
int gs_place_err(const struct gs_place *at, const char *what, const char *fmt, ...)
	GS_PRINTF(3, 4); /* the same, returns -EINVAL */

/* config_yaml.c: the only user of yaml.h */
/* Text to a tree, NULL on error (said).  With @file->line 0 nodes have no positions. */
struct gs_node *gs_yaml_parse(struct gs_config *cfg, struct gs_place file, const char *data,
			      size_t len);

/* config_units.c: numbers with units; errors set *why to a static text */
const char *gs_unit_noun(u8 unit); /* "a size" */
const char *gs_unit_base(u8 unit); /* "B"; "" for bare numbers */
const char *gs_skip_blanks(const char *s);
int gs_parse_whole(const struct gm_param *row, const char *text, u64 *out, const char **why);
void gs_format_whole(u8 unit, u64 v, char *buf, size_t size);
/* Base units in what is written at @s, behind the number of @text; 0: *why. */
u64 gs_read_unit(u8 kind, const char *text, const char *s, const char **why);
int gs_refuse(const char **why, const char *fmt, ...) GS_PRINTF(2, 3); /* -EINVAL */
int gs_refuse_number(u8 kind, const char *text, const char **why);
int gs_refuse_range(const struct gm_param *row, u64 max, const char *text, const char **why);

/* config_value.c */
/* What a row takes: "a size, 1 MiB to 8 TiB". */
void gs_param_domain(const struct gm_param *row, char *buf, size_t size);

#endif
