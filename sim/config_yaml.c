/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_yaml.c - YAML text to a tree of nodes with positions (the only user of libyaml) */
#include "sim/config_impl.h"

#include <stdlib.h>
#include <string.h>
#include <yaml.h>

/*
 * Aliases are copied, so a few lines could ask for a tree without end ("billion
 * laughs"); and whatever walks the tree recurses.  People stay far below both.
 */
enum { MAX_NODES = 1 << 15, MAX_DEPTH = 64 };

struct reader {
	struct gs_config *cfg;
	yaml_document_t doc;
	struct gs_place file;
	u32 depth;
};

static struct gs_place place(const struct reader *r, yaml_mark_t mark)
{
	struct gs_place at = r->file;

	if (at.line) {
		at.line = (u32)mark.line + 1;
		at.col = (u32)mark.column + 1;
	}
	return at;
}

static struct gs_node *convert(struct reader *r, const yaml_node_t *y);

/* A scalar's bytes as a string of ours; NULL (said) if it holds a 0. */
static const char *text_of(struct reader *r, const yaml_node_t *y)
{
	const char *s = (const char *)y->data.scalar.value;
	struct gs_place at = place(r, y->start_mark);

	if (strlen(s) != y->data.scalar.length) {
		gs_place_err(&at, NULL, "a NUL character in a value");
		return NULL;
	}
	return gs_config_keep(r->cfg, gs_strdup(s));
}

static struct gs_node *convert_scalar(struct reader *r, const yaml_node_t *y)
{
	bool empty = !y->data.scalar.length && y->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	struct gs_node *nd = gs_node_new(r->cfg, empty ? GS_NODE_EMPTY : GS_NODE_SCALAR,
					 place(r, y->start_mark));

	nd->text = text_of(r, y);
	return nd->text ? nd : NULL;
}

static struct gs_node *convert_seq(struct reader *r, const yaml_node_t *y)
{
	struct gs_node *nd = gs_node_new(r->cfg, GS_NODE_SEQ, place(r, y->start_mark));
	const yaml_node_item_t *it;

	for (it = y->data.sequence.items.start; it < y->data.sequence.items.top; it++) {
		struct gs_node *c = convert(r, yaml_document_get_node(&r->doc, *it));

		if (!c)
			return NULL;
		gs_node_append(nd, c);
	}
	return nd;
}

static struct gs_node *convert_pair(struct reader *r, struct gs_node *map, const yaml_node_t *key,
				    const yaml_node_t *value)
{
	struct gs_place at = place(r, key->start_mark);
	struct gs_node *c, *twin;
	const char *name;

	if (key->type != YAML_SCALAR_NODE) {
		gs_place_err(&at, NULL, "a key must be a word");
		return NULL;
	}
	name = text_of(r, key);
	if (!name)
		return NULL;
	twin = gs_node_child(map, name, strlen(name));
	if (twin) {
		gs_place_err(&at, name, "this key was written already, in line %u",
			     twin->key_at.line);
		return NULL;
	}
	c = convert(r, value);
	if (!c)
		return NULL;
	c->key = name;
	c->key_at = at;
	gs_node_append(map, c);
	return c;
}

static struct gs_node *convert_map(struct reader *r, const yaml_node_t *y)
{
	struct gs_node *nd = gs_node_new(r->cfg, GS_NODE_MAP, place(r, y->start_mark));
	const yaml_node_pair_t *p;

	for (p = y->data.mapping.pairs.start; p < y->data.mapping.pairs.top; p++)
		if (!convert_pair(r, nd, yaml_document_get_node(&r->doc, p->key),
				  yaml_document_get_node(&r->doc, p->value)))
			return NULL;
	return nd;
}

static struct gs_node *convert(struct reader *r, const yaml_node_t *y)
{
	struct gs_place at = place(r, y->start_mark);
	struct gs_node *nd;

	if (r->cfg->nnodes > MAX_NODES || r->depth >= MAX_DEPTH) {
		gs_place_err(&at, NULL, "more than %d values, or nested deeper than %d", MAX_NODES,
			     MAX_DEPTH);
		return NULL;
	}
	r->depth++;
	if (y->type == YAML_MAPPING_NODE)
		nd = convert_map(r, y);
	else if (y->type == YAML_SEQUENCE_NODE)
		nd = convert_seq(r, y);
	else
		nd = convert_scalar(r, y);
	r->depth--;
	return nd;
}

/* libyaml knows only the offset of a byte that it could not decode. */
static yaml_mark_t mark_of_offset(const char *data, size_t len, size_t offset)
{
	yaml_mark_t m = { .index = offset };

	for (size_t i = 0; i < offset && i < len; i++) {
		m.column = data[i] == '\n' ? 0 : m.column + 1;
		m.line += data[i] == '\n';
	}
	return m;
}

static void say_syntax(const struct reader *r, const yaml_parser_t *p, const char *data, size_t len)
{
	const char *problem = p->problem ? p->problem : "not YAML";
	bool bytes = p->error == YAML_READER_ERROR;
	yaml_mark_t m = bytes ? mark_of_offset(data, len, p->problem_offset) : p->problem_mark;
	const char *hint = !bytes && m.index < len && data[m.index] == '\t'
				   ? "; indent with spaces, not tabs"
				   : "";
	struct gs_place at = place(r, m);

	gs_assert(p->error != YAML_MEMORY_ERROR);
	if (p->context)
		gs_place_err(&at, NULL, "%s (%s that begins in line %zu)%s", problem, p->context,
			     p->context_mark.line + 1, hint);
	else
		gs_place_err(&at, NULL, "%s%s", problem, hint);
}

/* The tree of the only document in the text. */
static struct gs_node *only_document(struct reader *r, yaml_parser_t *p, const char *data,
				     size_t len)
{
	struct gs_node *nd = NULL;
	yaml_node_t *y;
	bool more;

	if (!yaml_parser_load(p, &r->doc)) {
		say_syntax(r, p, data, len);
		return NULL;
	}
	y = yaml_document_get_root_node(&r->doc);
	if (y)
		nd = convert(r, y);
	else
		nd = gs_node_new(r->cfg, GS_NODE_EMPTY, place(r, r->doc.start_mark));
	yaml_document_delete(&r->doc);
	if (!nd || !y)
		return nd;
	if (!yaml_parser_load(p, &r->doc)) {
		say_syntax(r, p, data, len);
		return NULL;
	}
	more = yaml_document_get_root_node(&r->doc);
	if (more) {
		struct gs_place at = place(r, r->doc.start_mark);

		gs_place_err(&at, NULL, "a second document; a configuration is one");
	}
	yaml_document_delete(&r->doc);
	return more ? NULL : nd;
}

/*
 * libyaml's loader takes time quadratic in the depth of brackets, so a look at
 * the events comes first and stops where nobody means it.  Syntax errors are left
 * to the loader, which says more.
 */
static bool is_too_deep(const struct reader *r, const char *data, size_t len)
{
	yaml_parser_t p;
	yaml_event_t ev;
	bool done = false;
	int depth = 0;

	gs_assert(yaml_parser_initialize(&p));
	yaml_parser_set_input_string(&p, (const unsigned char *)data, len);
	while (!done && yaml_parser_parse(&p, &ev)) {
		depth +=
			ev.type == YAML_SEQUENCE_START_EVENT || ev.type == YAML_MAPPING_START_EVENT;
		depth -= ev.type == YAML_SEQUENCE_END_EVENT || ev.type == YAML_MAPPING_END_EVENT;
		done = depth > MAX_DEPTH || ev.type == YAML_STREAM_END_EVENT;
		if (depth > MAX_DEPTH) {
			struct gs_place at = place(r, ev.start_mark);

			gs_place_err(&at, NULL, "nested deeper than %d", MAX_DEPTH);
		}
		yaml_event_delete(&ev);
	}
	yaml_parser_delete(&p);
	return depth > MAX_DEPTH;
}

struct gs_node *gs_yaml_parse(struct gs_config *cfg, struct gs_place file, const char *data,
			      size_t len)
{
	struct reader r = { .cfg = cfg, .file = file };
	yaml_parser_t p;
	struct gs_node *nd;

	if (is_too_deep(&r, data, len))
		return NULL;
	gs_assert(yaml_parser_initialize(&p));
	yaml_parser_set_input_string(&p, (const unsigned char *)data, len);
	nd = only_document(&r, &p, data, len);
	yaml_parser_delete(&p);
	return nd;
}
