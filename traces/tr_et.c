/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tr_et.c - an execution trace of PyTorch (ExecutionTraceObserver), as a job
 *
 * Two layouts: schema 1.0.1 has "inputs", "input_shapes" ... and "parent" in
 * each node, from 1.0.2 on there are "inputs": {"values", "shapes", "types"},
 * "ctrl_deps" and a list "attrs".
 */
#include <errno.h>

#include "sim/result.h"
#include "traces/et.h"
#include "traces/import.h"

struct reader {
	struct et e;
	u32 schema;  /* a name of the builder */
	u64 strange; /* elements that are no nodes */
};

static const struct tr_value *attr(const struct tr_tree *t, const char *name)
{
	const struct tr_value *attrs = tr_member(t, t->root, "attrs");

	tr_each_child(a, attrs)
		if (!strcmp(tr_text(t, tr_member(t, a, "name")), name))
			return tr_member(t, a, "value");
	return tr_member(t, t->root, name);
}

static void add_side(struct reader *r, const struct tr_tree *t, const char *side, bool outputs,
		     u64 written)
{
	char key[32];
	const struct tr_value *v = tr_member(t, t->root, side);
	const struct tr_value *shapes, *types;

	if (v && v->type == TJ_OBJECT) {
		et_tensors(&r->e, t, tr_member(t, v, "values"), tr_member(t, v, "shapes"),
			   tr_member(t, v, "types"), outputs, written);
		return;
	}
	snprintf(key, sizeof(key), "%.*s_shapes", (int)strlen(side) - 1, side);
	shapes = tr_member(t, t->root, key);
	snprintf(key, sizeof(key), "%.*s_types", (int)strlen(side) - 1, side);
	types = tr_member(t, t->root, key);
	et_tensors(&r->e, t, v, shapes, types, outputs, written);
}

static int element(void *arg, const char *list, const struct tr_tree *t)
{
	struct reader *r = arg;
	const struct tr_value *up;
	const char *name;
	u64 id, parent, written;

	if (strcmp(list, "nodes"))
		return 0;
	id = tr_number(t, tr_member(t, t->root, "id"), U64_MAX);
	name = tr_text(t, tr_member(t, t->root, "name"));
	if (id == U64_MAX || !*name) {
		r->strange++;
		return 0;
	}
	up = tr_member(t, t->root, "ctrl_deps");
	parent = tr_number(t, up ? up : tr_member(t, t->root, "parent"), U64_MAX);
	written = et_written(tr_text(t, attr(t, "op_schema")));
	et_node(&r->e, id, parent, name);
	add_side(r, t, "inputs", false, written);
	add_side(r, t, "outputs", true, 0);
	if (r->e.nnodes < U32_MAX / 2 && r->e.noperands < U32_MAX / 2)
		return 0;
	gs_err("%s: more than 2^31 nodes or operands", r->e.b->path);
	return -EFBIG;
}

static int member(void *arg, const char *key, const struct tr_tree *t)
{
	struct reader *r = arg;

	if (!strcmp(key, "schema"))
		r->schema = tb_name(r->e.b, tr_text(t, t->root));
	return 0;
}

static void tell(const struct reader *r)
{
	const struct et *e = &r->e;

	gs_info("%s: found: schema %s, %zu nodes, %llu operands, %llu storages; %llu kernels; %llu "
		"nodes without work of their own, %llu of the host",
		e->b->path, r->schema ? tb_text(e->b, r->schema) : "unknown", e->nnodes,
		e->noperands, e->storages, e->kernels, e->idle, e->host_only);
	gs_info("%s: derived: durations by the " TR_ATEN_ROOFLINE_TEXT
		"; %llu tensors (storages, born anew when handed out anew), lifetimes from first "
		"to last use, addresses, kinds",
		e->b->path, e->generations);
	gs_info("%s: missing: times, frees, workspaces, streams (all is in one)", e->b->path);
}

static int import(struct reader *r, const char *out, struct tr_writer **w)
{
	static const char *const suffixes[] = { ".gz", ".zst", ".tar", ".tgz", ".json", NULL };
	char *name, *recorded;
	struct tr_meta meta = { .framework = "PyTorch", .source = "execution trace of PyTorch" };
	int ret;

	if (!r->e.nnodes) {
		gs_err("%s: cannot be replayed: it holds no \"nodes\" of an execution trace",
		       r->e.b->path);
		return -EINVAL;
	}
	ret = et_finish(&r->e);
	if (ret)
		return ret;
	tell(r);
	name = tr_base_name(r->e.b->path, suffixes);
	recorded = gs_asprintf("schema %s; durations by roofline, lifetimes from first to last use",
			       r->schema ? tb_text(r->e.b, r->schema) : "unknown");
	meta.name = name;
	meta.recorded = recorded;
	ret = et_write(&r->e, out, &meta, w);
	free(name);
	free(recorded);
	return ret;
}

int tr_et_import(const char *path, const char *out, struct tr_writer **w)
{
	static const struct tr_json_ops ops = { .element = element, .member = member };
	struct tr_bytes *in = tr_bytes_open(path);
	struct tr_build b;
	struct reader r = { 0 };
	int ret;

	*w = NULL;
	if (!in)
		return -EINVAL;
	tb_init(&b, path);
	et_init(&r.e, &b);
	ret = tr_json_read(in, &ops, &r);
	tr_bytes_close(in);
	if (!ret)
		ret = import(&r, out, w);
	et_fini(&r.e);
	tb_fini(&b);
	return ret;
}
