/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_tree.c - the tree of what was written, and where */
#include "sim/config_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct gs_node *gs_node_new(struct gs_config *cfg, enum gs_node_type type, struct gs_place at)
{
	struct gs_node *nd = gs_calloc(1, sizeof(*nd));

	nd->type = type;
	nd->key = nd->text = "";
	nd->at = nd->key_at = at;
	GS_PUSH_ROOM(cfg->nodes, cfg->nnodes, cfg->cap_nodes);
	cfg->nodes[cfg->nnodes++] = nd;
	return nd;
}

const char *gs_config_keep(struct gs_config *cfg, char *text)
{
	GS_PUSH_ROOM(cfg->texts, cfg->ntexts, cfg->cap_texts);
	cfg->texts[cfg->ntexts++] = text;
	return text;
}

struct gs_config *gs_config_new(void)
{
	struct gs_config *cfg = gs_calloc(1, sizeof(*cfg));

	cfg->root = gs_node_new(cfg, GS_NODE_MAP, (struct gs_place){ "", ".", 0, 0 });
	return cfg;
}

void gs_config_free(struct gs_config *cfg)
{
	if (!cfg)
		return;
	for (size_t i = 0; i < cfg->nnodes; i++) {
		free(cfg->nodes[i]->child);
		free(cfg->nodes[i]);
	}
	for (size_t i = 0; i < cfg->ntexts; i++)
		free(cfg->texts[i]);
	free(cfg->nodes);
	free(cfg->texts);
	free(cfg);
}

struct gs_node *gs_node_child(const struct gs_node *map, const char *key, size_t len)
{
	for (size_t i = 0; i < map->n; i++)
		if (!strncmp(map->child[i]->key, key, len) && !map->child[i]->key[len])
			return map->child[i];
	return NULL;
}

void gs_node_append(struct gs_node *parent, struct gs_node *child)
{
	GS_PUSH_ROOM(parent->child, parent->n, parent->cap);
	parent->child[parent->n++] = child;
}

/* Elements of a sequence go by their numbers, "sweep.axes.0". */
static struct gs_node *find_element(const struct gs_node *seq, const char *path)
{
	char *end;
	unsigned long i = strtoul(path, &end, 10);

	if (*path < '0' || *path > '9' || i >= seq->n || (*end && *end != '.'))
		return NULL;
	return *end ? gs_node_find(seq->child[i], end + 1) : seq->child[i];
}

/*
 * A key may have dots of its own (a sweep's axes are named by key paths), so
 * each child whose key begins the path is followed.
 */
struct gs_node *gs_node_find(const struct gs_node *node, const char *path)
{
	if (node->type == GS_NODE_SEQ)
		return find_element(node, path);
	for (size_t i = 0; i < node->n; i++) {
		struct gs_node *c = node->child[i];
		size_t len = strlen(c->key);

		if (!len || strncmp(c->key, path, len))
			continue;
		if (!path[len])
			return c;
		if (path[len] == '.')
			c = gs_node_find(c, path + len + 1);
		else
			c = NULL;
		if (c)
			return c;
	}
	return NULL;
}

static void put_child(struct gs_node *map, struct gs_node *child)
{
	for (size_t i = 0; i < map->n; i++) {
		if (strcmp(map->child[i]->key, child->key))
			continue;
		map->child[i] = child;
		return;
	}
	gs_node_append(map, child);
}

void gs_node_put(struct gs_config *cfg, const char *path, struct gs_node *leaf)
{
	struct gs_node *map = cfg->root, *next;
	size_t len;

	for (; len = strcspn(path, "."), path[len]; path += len + 1, map = next) {
		next = gs_node_child(map, path, len);
		if (next && next->type == GS_NODE_MAP)
			continue;
		next = gs_node_new(cfg, GS_NODE_MAP, leaf->at);
		next->key = gs_config_keep(cfg, gs_asprintf("%.*s", (int)len, path));
		put_child(map, next);
	}
	leaf->key = gs_config_keep(cfg, gs_strdup(path));
	put_child(map, leaf);
}

void gs_node_merge(struct gs_node *node, struct gs_node *over)
{
	for (size_t i = 0; i < over->n; i++) {
		struct gs_node *c = over->child[i];
		struct gs_node *old = gs_node_child(node, c->key, strlen(c->key));

		if (old && old->type == GS_NODE_MAP && c->type == GS_NODE_MAP)
			gs_node_merge(old, c);
		else if (!old || old->type != GS_NODE_MAP || c->type != GS_NODE_EMPTY)
			put_child(node, c); /* an empty "device:" overrides nothing */
	}
}

void gs_place_error(const struct gs_place *at, const char *what, const char *fmt, va_list ap)
{
	char message[2048];

	vsnprintf(message, sizeof(message), fmt, ap);
	if (!what)
		what = "";
	if (at->line)
		gs_err("%s:%u:%u: %.512s%s%s", at->name, at->line, at->col, what, *what ? ": " : "",
		       message);
	else
		gs_err("%s: %.512s%s%s", at->name, what, *what ? ": " : "", message);
}

int gs_place_err(const struct gs_place *at, const char *what, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	gs_place_error(at, what, fmt, ap);
	va_end(ap);
	return -EINVAL;
}
