/* SPDX-License-Identifier: GPL-3.0-or-later */
/* config_print.c - the effective configuration and the help, from the rows */
#include "sim/config_impl.h"

#include <stdlib.h>
#include <string.h>

#include "sim/json.h"

/*
 * Sections share prefixes ("manager" and "manager.uvm"), so their rows are put
 * into one tree first: each mapping is then written once.
 */
static struct gs_config *tree_of(const struct gs_section *sections)
{
	struct gs_config *tree = gs_config_new();

	for (; sections->prefix; sections++) {
		for (const struct gm_param *row = sections->rows; row && row->key; row++) {
			const char *dot = *sections->prefix ? "." : "";
			struct gs_node *leaf;
			char *path;

			if (!sections->obj)
				continue;
			path = gs_asprintf("%s%s%s", sections->prefix, dot, row->key);
			leaf = gs_node_new(tree, GS_NODE_SCALAR, tree->root->at);
			leaf->row = row;
			leaf->obj = sections->obj;
			gs_node_put(tree, path, leaf);
			free(path);
		}
	}
	return tree;
}

static const char *string_of(const struct gs_node *nd)
{
	const char *s;

	memcpy(&s, (const char *)nd->obj + nd->row->offset, sizeof(s));
	return s ? s : "";
}

/* ---- YAML --------------------------------------------------------------- */

/* YAML takes these as they are; the rest of Unicode must be escaped. */
static bool is_plain(u32 cp)
{
	return (cp >= 0x20 && cp <= 0x7e) || (cp >= 0xa0 && cp <= 0xd7ff) ||
	       (cp >= 0xe000 && cp <= 0xfffd && cp != 0xfeff) || cp >= 0x10000;
}

static void yaml_string(FILE *f, const char *s)
{
	u32 cp = 0;
	size_t n;

	fputc('"', f);
	for (; (n = gs_utf8(s, &cp)); s += n) {
		if (cp == '"' || cp == '\\')
			fprintf(f, "\\%c", (char)cp);
		else if (!is_plain(cp))
			fprintf(f, "\\u%04X", cp);
		else
			fwrite(s, 1, n, f);
	}
	fputc('"', f);
}

static void yaml_node(FILE *f, const struct gs_node *nd, int depth)
{
	char buf[64];

	for (size_t i = 0; i < nd->n; i++) {
		const struct gs_node *c = nd->child[i];

		fprintf(f, "%*s%s:", 2 * depth, "", c->key);
		if (c->type == GS_NODE_MAP) {
			fputc('\n', f);
			yaml_node(f, c, depth + 1);
			continue;
		}
		fputc(' ', f);
		if (c->row->kind == GM_KIND_STR) {
			yaml_string(f, string_of(c));
		} else {
			gs_param_format(c->row, c->obj, buf, sizeof(buf));
			fputs(buf, f);
		}
		fputc('\n', f);
	}
}

void gs_config_print_yaml(FILE *f, const struct gs_section *sections)
{
	struct gs_config *tree = tree_of(sections);

	yaml_node(f, tree->root, 0);
	gs_config_free(tree);
}

/* ---- JSON --------------------------------------------------------------- */

/* Bare numbers as numbers, what has a unit as text: both load back. */
static void json_leaf(struct gs_json *j, const struct gs_node *nd)
{
	const char *field = (const char *)nd->obj + nd->row->offset;
	bool bare = nd->row->unit == GM_NONE;
	char buf[64];

	if (nd->row->kind == GM_KIND_STR) {
		gs_json_str(j, nd->key, string_of(nd));
	} else if (nd->row->kind == GM_KIND_BOOL) {
		gs_json_bool(j, nd->key, *(const bool *)field);
	} else if (nd->row->kind == GM_KIND_REAL && bare) {
		gs_json_real(j, nd->key, *(const double *)field);
	} else if (nd->row->kind == GM_KIND_U64 && bare) {
		gs_json_u64(j, nd->key, *(const u64 *)field);
	} else if (nd->row->kind == GM_KIND_U32 && bare) {
		gs_json_u64(j, nd->key, *(const u32 *)field);
	} else {
		gs_param_format(nd->row, nd->obj, buf, sizeof(buf));
		gs_json_str(j, nd->key, buf);
	}
}

static void json_members(struct gs_json *j, const struct gs_node *nd)
{
	for (size_t i = 0; i < nd->n; i++) {
		const struct gs_node *c = nd->child[i];

		if (c->type != GS_NODE_MAP) {
			json_leaf(j, c);
			continue;
		}
		gs_json_object(j, c->key);
		json_members(j, c);
		gs_json_end(j);
	}
}

void gs_config_print_json(struct gs_json *j, const struct gs_section *sections)
{
	struct gs_config *tree = tree_of(sections);

	json_members(j, tree->root);
	gs_config_free(tree);
}

/* ---- help --------------------------------------------------------------- */

static const char *default_of(const struct gm_param *row)
{
	if (!row->def)
		return "(must be written)";
	return *row->def ? row->def : "\"\"";
}

static void text_row(FILE *f, const char *prefix, const struct gm_param *row)
{
	char domain[256];

	gs_param_domain(row, domain, sizeof(domain));
	fprintf(f, "  %s%s%s = %s\n", prefix, *prefix ? "." : "", row->key, default_of(row));
	fprintf(f, "        %s\n", row->help ? row->help : "");
	fprintf(f, "        takes %s", domain);
	if (row->source && *row->source)
		fprintf(f, "; default from: %s", row->source);
	fputc('\n', f);
}

/* A bar would end the cell, whatever stands around it. */
static void cell(FILE *f, const char *s)
{
	fputs(" ", f);
	for (; s && *s; s++) {
		if (*s == '|')
			fputc('\\', f);
		fputc(*s, f);
	}
	fputs(" |", f);
}

static void markdown_row(FILE *f, const char *prefix, const struct gm_param *row)
{
	char domain[256];

	gs_param_domain(row, domain, sizeof(domain));
	fprintf(f, "| `%s%s%s` |", prefix, *prefix ? "." : "", row->key);
	cell(f, default_of(row));
	cell(f, domain);
	cell(f, row->help);
	cell(f, row->source);
	fputc('\n', f);
}

void gs_config_print_help(FILE *f, const struct gs_section *sections, bool markdown)
{
	const char *blank = "";

	for (; sections->prefix; sections++) {
		const char *title = *sections->prefix ? sections->prefix : "top";

		if (markdown)
			fprintf(f,
				"%s## `%s`\n\n| key | default | takes | what it does | "
				"where the default is from |\n|---|---|---|---|---|\n",
				blank, title);
		else
			fprintf(f, "%s%s\n", blank, title);
		for (const struct gm_param *row = sections->rows; row && row->key; row++) {
			if (markdown)
				markdown_row(f, sections->prefix, row);
			else
				text_row(f, sections->prefix, row);
		}
		blank = "\n";
	}
}
