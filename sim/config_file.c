/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_file.c - files, their bases and --set become one tree */
#include "sim/config_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- files -------------------------------------------------------------- */

enum {
	MAX_BYTES = 4 << 20, /* of one file */
	MAX_FILES = 256,     /* bases of bases ... could double at each step */
};

/* The files that are being read: each wants the one below it. */
struct chain {
	const struct chain *up;
	const char *path;
	dev_t dev;
	ino_t ino;
};

/* What @f holds, NULL with errno set. */
static char *slurp(FILE *f, size_t *len)
{
	size_t room = 1 << 13, n;
	char *data = gs_calloc(room, 1);

	errno = 0;
	for (*len = 0; (n = fread(data + *len, 1, room - *len, f)); *len += n)
		if (*len + n == room && room <= MAX_BYTES)
			data = gs_realloc_array(data, room *= 2, 1);
	if (!ferror(f) && *len <= MAX_BYTES)
		return data;
	if (!ferror(f))
		errno = EFBIG;
	free(data);
	return NULL;
}

/* @wanted is where a base was named; NULL for the file of the command line. */
static int cannot_read(const struct gs_place *wanted, const char *path)
{
	int err = errno ? errno : EIO;

	if (wanted)
		gs_place_err(wanted, "base", "cannot read %s: %s", path, strerror(err));
	else
		gs_err("cannot read %s: %s", path, strerror(err));
	return -err;
}

/* Is the file of @me among those that want it?  Then says so. */
static bool is_cycle(const struct chain *me, const struct gs_place *wanted)
{
	const struct chain *c = me->up;
	char *text;

	while (c && (c->dev != me->dev || c->ino != me->ino))
		c = c->up;
	if (!c)
		return false;
	text = gs_strdup(me->path);
	for (const struct chain *i = me->up; i; i = i == c ? NULL : i->up) {
		char *longer = gs_asprintf("%s -> %s", i->path, text);

		free(text);
		text = longer;
	}
	gs_place_err(wanted, "base", "a file cannot be its own base: %s", text);
	free(text);
	return true;
}

static int load(struct gs_config *cfg, const char *path, const struct gs_place *wanted,
		const struct chain *up);

static const char *folder_of(struct gs_config *cfg, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return ".";
	return gs_config_keep(cfg, gs_asprintf("%.*s", (int)gs_max(slash - path, 1), path));
}

/* @name as seen from @dir, without a "./" that nobody wrote. */
static char *path_from(const char *dir, const char *name)
{
	if (*name == '/' || !strcmp(dir, "."))
		return gs_strdup(name);
	return gs_asprintf("%s/%s", dir, name);
}

static int load_base(struct gs_config *cfg, const struct gs_node *nd, const struct chain *me)
{
	const char *path;

	if (nd->type != GS_NODE_SCALAR || !*nd->text)
		return gs_place_err(&nd->at, "base", "a file name or a list of them is due");
	path = gs_config_keep(cfg, path_from(nd->at.dir, nd->text));
	return load(cfg, path, &nd->at, me);
}

static int load_bases(struct gs_config *cfg, struct gs_node *root, const struct chain *me)
{
	const struct gs_node *base = gs_node_child(root, "base", 4);

	if (!base)
		return 0;
	if (base->type != GS_NODE_SEQ)
		return load_base(cfg, base, me);
	for (size_t i = 0; i < base->n; i++) {
		int err = load_base(cfg, base->child[i], me);

		if (err)
			return err;
	}
	return 0;
}

/* What the bases say comes first, so that this file overrides it. */
static int load_text(struct gs_config *cfg, const char *data, size_t len, const struct chain *me)
{
	struct gs_place file = { me->path, folder_of(cfg, me->path), 1, 1 };
	struct gs_node *root = gs_yaml_parse(cfg, file, data, len);
	int err;

	if (!root)
		return -EINVAL;
	if (root->type != GS_NODE_MAP && root->type != GS_NODE_EMPTY)
		return gs_place_err(&root->at, NULL, "\"key: value\" is due");
	err = load_bases(cfg, root, me);
	if (err)
		return err;
	for (size_t i = 0; i < root->n; i++) {
		if (strcmp(root->child[i]->key, "base"))
			continue;
		memmove(&root->child[i], &root->child[i + 1],
			(--root->n - i) * sizeof(root->child[0]));
		break;
	}
	gs_node_merge(cfg->root, root);
	return 0;
}

static int load(struct gs_config *cfg, const char *path, const struct gs_place *wanted,
		const struct chain *up)
{
	struct chain me = { .up = up, .path = path };
	struct stat st;
	char *data;
	size_t len;
	FILE *f;
	int err = -EINVAL;

	if (cfg->files++ >= MAX_FILES) {
		gs_err("%s: more than %d files for one configuration", path, MAX_FILES);
		return -EINVAL;
	}
	f = fopen(path, "rb");
	if (!f || fstat(fileno(f), &st)) {
		err = cannot_read(wanted, path);
		goto out;
	}
	me.dev = st.st_dev;
	me.ino = st.st_ino;
	if (wanted && is_cycle(&me, wanted))
		goto out;
	data = slurp(f, &len);
	if (!data) {
		err = cannot_read(wanted, path);
		goto out;
	}
	err = load_text(cfg, data, len, &me);
	free(data);
out:
	if (f)
		fclose(f);
	return err;
}

int gs_config_load(struct gs_config *cfg, const char *path)
{
	return load(cfg, gs_config_keep(cfg, gs_strdup(path)), NULL, NULL);
}

/* ---- --set -------------------------------------------------------------- */

static bool is_utf8(const char *s)
{
	size_t n;
	u32 cp;

	while ((n = gs_utf8(s, &cp)))
		s += n;
	return !*s;
}

/* "a.b.c": words between single dots. */
static bool is_key_path(const char *s, size_t len)
{
	if (!len || s[0] == '.' || s[len - 1] == '.')
		return false;
	for (size_t i = 1; i < len; i++)
		if (s[i] == '.' && s[i - 1] == '.')
			return false;
	return true;
}

int gs_config_set(struct gs_config *cfg, const char *assignment)
{
	const char *eq = strchr(assignment, '=');
	const char *name = gs_config_keep(cfg, gs_asprintf("--set %s", assignment));
	struct gs_place at = { name, ".", 0, 0 };
	struct gs_node *leaf;
	char *path;

	if (!eq || !is_key_path(assignment, (size_t)(eq - assignment)))
		return gs_place_err(&at, NULL, "write --set key.path=value");
	if (!is_utf8(assignment))
		return gs_place_err(&at, NULL, "not UTF-8");
	if (eq[1] == '[' || eq[1] == '{') { /* lists, for sweeps */
		leaf = gs_yaml_parse(cfg, at, eq + 1, strlen(eq + 1));
		if (!leaf)
			return -EINVAL;
	} else {
		leaf = gs_node_new(cfg, GS_NODE_SCALAR, at);
		leaf->text = gs_config_keep(cfg, gs_strdup(eq + 1));
	}
	path = gs_asprintf("%.*s", (int)(eq - assignment), assignment);
	gs_node_put(cfg, path, leaf);
	free(path);
	return 0;
}
