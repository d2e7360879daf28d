/* SPDX-License-Identifier: GPL-3.0-or-later */
/* et.c - a graph of operators with the storages they use: collection */
#include "traces/et.h"

enum { OPERANDS_MEMORY = 1 << 20 };

static int by_node(const void *x, const void *y)
{
	const struct et_operand *a = x, *b = y;

	return a->node < b->node ? -1 : a->node > b->node;
}

void et_init(struct et *e, struct tr_build *b)
{
	*e = (struct et){ .b = b };
	e->operands = tr_spill_new(sizeof(struct et_operand), by_node, OPERANDS_MEMORY);
}

void et_fini(struct et *e)
{
	free(e->nodes);
	free(e->now);
	tr_spill_free(e->operands);
	free(e->devices);
}

/* ---- collection ------------------------------------------------------- */

struct et_node *et_node(struct et *e, u64 id, u64 parent, const char *name)
{
	struct et_node *n;

	GS_PUSH_ROOM(e->nodes, e->nnodes, e->nodes_cap);
	n = &e->nodes[e->nnodes++];
	*n = (struct et_node){ .id = id,
			       .parent = parent,
			       .ps = U64_MAX,
			       .name = tb_name(e->b, name),
			       .first = (u32)e->noperands,
			       .mark = tr_aten_phase(name),
			       .idle = tr_aten_idle(name),
			       .step = tr_aten_is_step(name) };
	return n;
}

/* A device by its name; those beyond the limit are the last one. */
static u16 device_of(struct et *e, const char *name)
{
	u32 text = tb_name(e->b, name);

	for (size_t i = 0; i < e->ndevices; i++)
		if (e->devices[i] == text)
			return (u16)i;
	if (e->ndevices == ET_DEVICES)
		return ET_DEVICES - 1;
	GS_PUSH_ROOM(e->devices, e->ndevices, e->devices_cap);
	if (!strncmp(name, "cpu", 3) || !strncmp(name, "meta", 4))
		e->cpu |= 1U << e->ndevices;
	e->devices[e->ndevices++] = text;
	return (u16)(e->ndevices - 1);
}

static bool is_tensor(const struct tr_value *v)
{
	const struct tr_value *c = v + 1;

	if (v->type != TJ_LIST || v->count != 6)
		return false;
	for (int i = 0; i < 5; i++, c += c->skip)
		if (c->type != TJ_NUMBER)
			return false;
	return c->type == TJ_TEXT;
}

static void parse_dims(const struct tr_tree *t, const struct tr_value *dims, struct tr_shape *s)
{
	if (!dims || dims->type != TJ_LIST || dims->count > TR_DIMS)
		return;
	tr_each_child(d, dims)
		s->dim[s->ndims++] = gs_min(tr_number(t, d, 0), 1ULL << 48);
}

static void add_tensor(struct et *e, const struct tr_tree *t, const struct tr_value *v,
		       const struct tr_value *dims, const char *type, u8 access, bool output)
{
	struct et_node *n = &e->nodes[e->nnodes - 1];
	u64 field[5], i = 0;
	const char *device = "";
	struct et_operand o = { .node = n->id, .access = access, .output = output };
	u32 size;

	tr_each_child(c, v) {
		if (i < 5)
			field[i++] = tr_number(t, c, 0);
		else
			device = tr_text(t, c);
	}
	o.tensor = field[0];
	o.storage = field[1];
	if (!field[3] || !field[4] || __builtin_mul_overflow(field[2], field[4], &o.off) ||
	    __builtin_mul_overflow(field[3], field[4], &o.bytes) || o.off > 1ULL << 48 ||
	    o.bytes > 1ULL << 48)
		return; /* empty, or nonsense */
	if (n->n == ET_OPERANDS) {
		e->too_many = true;
		return;
	}
	o.device = device_of(e, *device ? device : "other");
	parse_dims(t, dims, &o.shape);
	o.shape.dtype = tr_aten_dtype(type, &size);
	tr_spill_put(e->operands, &o);
	e->noperands++;
	n->devices |= 1U << o.device;
	n->n++;
}

static void add_nested(struct et *e, const struct tr_tree *t, const struct tr_value *v,
		       const struct tr_value *shape, const char *type, u8 access, bool output)
{
	const struct tr_value *s = shape && shape->type == TJ_LIST ? shape + 1 : NULL;
	u32 left = s ? shape->count : 0;

	if (is_tensor(v)) {
		add_tensor(e, t, v, shape, type, access, output);
		return;
	}
	if (v->type != TJ_LIST)
		return;
	tr_each_child(c, v) {
		add_nested(e, t, c, left ? s : NULL, type, access, output);
		s = left ? s + s->skip : NULL;
		left -= left > 0;
	}
}

void et_tensors(struct et *e, const struct tr_tree *t, const struct tr_value *values,
		const struct tr_value *shapes, const struct tr_value *types, bool outputs,
		u64 written)
{
	const struct tr_value *s = shapes && shapes->count ? shapes + 1 : NULL;
	const struct tr_value *y = types && types->count ? types + 1 : NULL;
	u32 i = 0;

	if (!values || values->type != TJ_LIST)
		return;
	tr_each_child(v, values) {
		bool w = outputs || (i < 64 && (written >> i & 1));
		u8 access = (u8)(outputs ? GS_WRITE : w ? GS_READ | GS_WRITE : GS_READ);

		add_nested(e, t, v, s && i < shapes->count ? s : NULL,
			   y && i < types->count ? tr_text(t, y) : "", access, outputs);
		i++;
		s = s && i < shapes->count ? s + s->skip : NULL;
		y = y && i < types->count ? y + y->skip : NULL;
	}
}

u64 et_written(const char *schema)
{
	const char *p = strchr(schema, '(');
	unsigned int depth = 0, i = 0;
	u64 mask = 0;

	if (!p)
		return 0;
	for (p++; *p && !(*p == ')' && !depth); p++) {
		depth += *p == '(' || *p == '[';
		depth -= depth && (*p == ')' || *p == ']');
		if (*p == '!' && i < 64)
			mask |= 1ULL << i;
		if (*p == '*' && !depth && (p[1] == ',' || p[1] == ')'))
			i--; /* only keywords follow: no argument */
		if (*p == ',' && !depth)
			i++;
	}
	return mask;
}
