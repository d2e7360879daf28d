/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config.c - rows are bound to what was written, and unknown keys refused */
#include "sim/config_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- what is known ------------------------------------------------------ */

/* All key paths of the sections, and what bind's caller lets pass. */
struct known {
	const char **paths; /* NULL-terminated, owned */
	size_t n, cap;
	const char *const *ignore;
};

static char *join(const char *a, const char *b)
{
	return gs_asprintf("%s%s%s", a, *a && *b ? "." : "", b);
}

static void known_init(struct known *k, const struct gs_section *sections,
		       const char *const *ignore)
{
	*k = (struct known){ .ignore = ignore };
	for (; sections->prefix; sections++) {
		for (const struct gm_param *row = sections->rows; row && row->key; row++) {
			GS_PUSH_ROOM(k->paths, k->n, k->cap);
			k->paths[k->n++] = join(sections->prefix, row->key);
		}
	}
	GS_PUSH_ROOM(k->paths, k->n, k->cap);
	k->paths[k->n] = NULL;
}

static void known_fini(struct known *k)
{
	for (size_t i = 0; i < k->n; i++)
		free((char *)k->paths[i]);
	free(k->paths);
}

/* Does @path stand above (or with @same at) @full? */
static bool is_above(const char *path, const char *full, bool same)
{
	size_t n = strlen(path);

	if (strncmp(path, full, n))
		return false;
	return full[n] == '.' || (same && !full[n]) || !n;
}

static bool is_ignored(const struct known *k, const char *path)
{
	for (size_t i = 0; k->ignore && k->ignore[i]; i++)
		if (is_above(k->ignore[i], path, true))
			return true;
	return false;
}

static bool is_row(const struct known *k, const char *path)
{
	for (size_t i = 0; i < k->n; i++)
		if (!strcmp(k->paths[i], path))
			return true;
	return false;
}

static bool is_interior(const struct known *k, const char *path)
{
	for (size_t i = 0; i < k->n; i++)
		if (is_above(path, k->paths[i], false))
			return true;
	for (size_t i = 0; k->ignore && k->ignore[i]; i++)
		if (is_above(path, k->ignore[i], false))
			return true;
	return false;
}

/* ---- unknown keys ------------------------------------------------------- */

/* The words that may stand below @parent, each once. */
static size_t siblings(const struct known *k, const char *parent, char **words)
{
	size_t n = 0, skip = strlen(parent) + (*parent != 0);

	for (size_t i = 0; i < k->n; i++) {
		const char *s;
		size_t len, j = 0;

		if (!is_above(parent, k->paths[i], false))
			continue;
		s = k->paths[i] + skip;
		len = strcspn(s, ".");
		while (j < n && (strncmp(words[j], s, len) || words[j][len]))
			j++;
		if (j == n)
			words[n++] = gs_asprintf("%.*s", (int)len, s);
	}
	words[n] = NULL;
	return n;
}

/* Where @key is a word that is known, as text of its own; NULL if nowhere. */
static char *same_word_elsewhere(const struct known *k, const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; len && i < k->n; i++) {
		const char *s = k->paths[i];

		while ((s = strchr(s, '.'))) {
			s++;
			if (!strncmp(s, key, len) && (!s[len] || s[len] == '.'))
				return gs_asprintf("%.*s", (int)(s + len - k->paths[i]),
						   k->paths[i]);
		}
	}
	return NULL;
}

static int refuse_key(const struct known *k, const struct gs_node *nd, const char *parent,
		      const char *path)
{
	char **words = gs_calloc(k->n + 1, sizeof(*words));
	size_t n = siblings(k, parent, words);
	const char *near = gs_nearest(nd->key, (const char *const *)words);
	char *elsewhere = same_word_elsewhere(k, nd->key);

	if (strchr(nd->key, '.') && is_interior(k, path))
		gs_place_err(&nd->key_at, path,
			     "keys nest in a file: write \"%.*s:\" and below it the rest",
			     (int)strcspn(nd->key, "."), nd->key);
	else if (strchr(nd->key, '.') && is_row(k, path))
		gs_place_err(&nd->key_at, path,
			     "keys nest in a file: write \"%.*s:\" and below it \"%s:\"",
			     (int)strcspn(nd->key, "."), nd->key, strchr(nd->key, '.') + 1);
	else if (near)
		gs_place_err(&nd->key_at, path, "unknown key; did you mean \"%s%s%s\"?", parent,
			     *parent ? "." : "", near);
	else if (elsewhere)
		gs_place_err(&nd->key_at, path, "unknown key; did you mean \"%s\"?", elsewhere);
	else
		gs_place_err(&nd->key_at, path, "unknown key; see --help-config");
	for (size_t i = 0; i < n; i++)
		free(words[i]);
	free(words);
	free(elsewhere);
	return -EINVAL;
}

static int check_keys(const struct known *k, const struct gs_node *map, const char *parent);

static int check_key(const struct known *k, const struct gs_node *nd, const char *parent,
		     const char *path)
{
	if (is_ignored(k, path))
		return 0;
	if (strchr(nd->key, '.'))
		return refuse_key(k, nd, parent, path);
	if (is_row(k, path)) {
		if (nd->type == GS_NODE_SCALAR)
			return 0;
		return gs_place_err(&nd->at, path, "a single value is due, not %s",
				    nd->type == GS_NODE_MAP   ? "keys"
				    : nd->type == GS_NODE_SEQ ? "a list"
							      : "nothing");
	}
	if (!is_interior(k, path))
		return refuse_key(k, nd, parent, path);
	if (nd->type == GS_NODE_SCALAR || nd->type == GS_NODE_SEQ)
		return gs_place_err(&nd->at, path, "keys are due below it, not %s",
				    nd->type == GS_NODE_SEQ ? "a list" : "a single value");
	return check_keys(k, nd, path);
}

static int check_keys(const struct known *k, const struct gs_node *map, const char *parent)
{
	for (size_t i = 0; i < map->n; i++) {
		char *path = join(parent, map->child[i]->key);
		int err = check_key(k, map->child[i], parent, path);

		free(path);
		if (err)
			return err;
	}
	return 0;
}

/* ---- values ------------------------------------------------------------- */

/* A default that its own row refuses is our mistake, not the user's. */
static int bind_default(const struct gs_section *s, const struct gm_param *row, const char *path)
{
	const char *why;

	if (!row->def) {
		if (!s->obj)
			return 0;
		gs_err("%s: this key has no default and must be written", path);
		return -EINVAL;
	}
	if (!gs_param_parse(row, row->def, s->obj, &why))
		return 0;
	gs_err("%s: default: %s", path, why);
	gs_assert(!"a default that its row refuses");
	return -EINVAL;
}

static int bind_section(const struct gs_config *cfg, const struct gs_section *s)
{
	for (const struct gm_param *row = s->rows; row && row->key; row++) {
		char *path = join(s->prefix, row->key);
		const struct gs_node *nd = gs_node_find(cfg->root, path);
		const char *why;
		int err;

		if (!nd)
			err = bind_default(s, row, path);
		else if ((err = gs_param_parse(row, nd->text, s->obj, &why)))
			gs_place_err(&nd->at, path, "%s", why);
		free(path);
		if (err)
			return err;
	}
	return 0;
}

int gs_config_bind(struct gs_config *cfg, const struct gs_section *sections,
		   const char *const *ignore)
{
	struct known k;
	int err;

	known_init(&k, sections, ignore);
	err = check_keys(&k, cfg->root, "");
	known_fini(&k);
	for (; !err && sections->prefix; sections++)
		err = bind_section(cfg, sections);
	return err;
}

/* ---- questions ---------------------------------------------------------- */

int gs_config_error(const struct gs_config *cfg, const char *key, const char *fmt, ...)
{
	const struct gs_node *nd = gs_node_find(cfg->root, key);
	const struct gs_place none = { "(default)", ".", 0, 0 };
	va_list ap;

	va_start(ap, fmt);
	gs_place_error(nd ? &nd->at : &none, key, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

const char *gs_config_get(const struct gs_config *cfg, const char *key)
{
	const struct gs_node *nd = gs_node_find(cfg->root, key);

	return nd && nd->type == GS_NODE_SCALAR ? nd->text : NULL;
}

char *gs_config_where(const struct gs_config *cfg, const char *key)
{
	const struct gs_node *nd = gs_node_find(cfg->root, key);

	if (!nd)
		return gs_strdup("(default)");
	if (!nd->at.line)
		return gs_strdup(nd->at.name);
	return gs_asprintf("%s:%u:%u", nd->at.name, nd->at.line, nd->at.col);
}

const char *gs_config_file(const struct gs_config *cfg, const char *key)
{
	const struct gs_node *nd = gs_node_find(cfg->root, key);

	return nd && nd->at.line ? nd->at.name : NULL;
}

const char *gs_config_dir(const struct gs_config *cfg, const char *key)
{
	const struct gs_node *nd = gs_node_find(cfg->root, key);

	return nd ? nd->at.dir : ".";
}

size_t gs_config_children(const struct gs_config *cfg, const char *key)
{
	const struct gs_node *nd = gs_node_find(cfg->root, key);

	return nd ? nd->n : 0;
}

int gs_config_child(const struct gs_config *cfg, const char *key, size_t i, const char **child_key,
		    const char **value)
{
	const struct gs_node *nd = gs_node_find(cfg->root, key);

	if (!nd || i >= nd->n)
		return -ENOENT;
	*child_key = nd->child[i]->key;
	*value = nd->child[i]->type == GS_NODE_SCALAR ? nd->child[i]->text : NULL;
	return 0;
}
