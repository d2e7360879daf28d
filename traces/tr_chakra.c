/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tr_chakra.c - an execution trace of Chakra (MLCommons), as a job
 *
 * Protobuf (.et): messages one behind the other, each after its length as a
 * varint; the first is GlobalMetadata, the others are Node:
 *
 *	1 id  2 name  3 type  4 ctrl_deps  5 data_deps  6 start_time_micros
 *	7 duration_micros  8 inputs  9 outputs  10 attr
 *
 * inputs and outputs hold texts: 1 values, 2 shapes, 3 types.  JSON: a list
 * "workload_graph" of nodes with the same fields under several spellings.
 * Nodes of a device (is_cpu_op false) are the kernels; operators of the host
 * tell where their storages come from.
 */
#include <ctype.h>
#include <errno.h>

#include "sim/result.h"
#include "traces/et.h"
#include "traces/import.h"
#include "traces/reprs.h"

enum { MOST_MESSAGE = 1 << 26, HALF_US = 500000, MOST_STREAMS = 4096 };

struct reader {
	struct et e;
	struct tr_reprs reprs;
	struct tr_buf message;
	u32 schema; /* a name of the builder */
	u64 messages, devices, timed, untimed;
	u16 *streams; /* numbers in the file, ascending is not needed */
	size_t nstreams, streams_cap;
};

/* A node, whichever way it was written. */
struct node {
	u64 id, parent, micros; /* U64_MAX: not told */
	u64 stream;
	bool host;
	struct tr_cur name, schema;
	struct tr_cur in[3], out[3]; /* values, shapes, types */
};

static u16 stream_of(struct reader *r, u64 number)
{
	u16 key = (u16)gs_min(number, U16_MAX);

	for (size_t i = 0; i < r->nstreams; i++)
		if (r->streams[i] == key)
			return (u16)i;
	if (r->nstreams == MOST_STREAMS)
		return MOST_STREAMS - 1;
	GS_PUSH_ROOM(r->streams, r->nstreams, r->streams_cap);
	r->streams[r->nstreams++] = key;
	return (u16)(r->nstreams - 1);
}

static void add_side(struct reader *r, const struct tr_cur *side, bool outputs, u64 written)
{
	u32 roots[3];
	struct tr_tree t;

	tr_reprs_clear(&r->reprs);
	for (int i = 0; i < 3; i++)
		roots[i] = tr_reprs_add(&r->reprs, (const char *)side[i].p, tr_left(&side[i]));
	t = tr_reprs_tree(&r->reprs);
	et_tensors(&r->e, &t, tr_reprs_root(&r->reprs, roots[0]),
		   tr_reprs_root(&r->reprs, roots[1]), tr_reprs_root(&r->reprs, roots[2]), outputs,
		   written);
}

static char *text_of(struct tr_cur c)
{
	return gs_asprintf("%.*s", (int)gs_min(tr_left(&c), 1 << 16), (const char *)c.p);
}

static void add_node(struct reader *r, const struct node *n)
{
	char *name = text_of(n->name), *schema = text_of(n->schema);
	struct et_node *to = et_node(&r->e, n->id, n->parent, name);

	to->device = !n->host;
	if (!n->host) {
		to->idle = false;
		to->stream = stream_of(r, n->stream);
		r->devices++;
		*(n->micros == U64_MAX ? &r->untimed : &r->timed) += 1;
	}
	if (n->micros < 1ULL << 40)
		to->ps = n->micros * 1000000;
	add_side(r, n->in, false, et_written(schema));
	add_side(r, n->out, true, 0);
	free(name);
	free(schema);
}

/* ---- protobuf --------------------------------------------------------- */

enum wire { VARINT, FIXED64, BYTES, FIXED32 = 5 };

struct field {
	u64 number;
	u64 value;	    /* VARINT */
	struct tr_cur part; /* BYTES */
	u8 wire;
};

/* The next field of a message; false at its end, or when it is damaged (m->bad). */
static bool next_field(struct tr_cur *m, struct field *f)
{
	u64 key;

	if (m->p == m->end || m->bad)
		return false;
	key = tr_get(m);
	*f = (struct field){ .number = key >> 3, .wire = key & 7 };
	f->part = (struct tr_cur){ m->p, m->p, false };
	if (f->wire == VARINT)
		f->value = tr_get(m);
	else if (f->wire == BYTES)
		f->part = tr_get_part(m, tr_get(m));
	else if (f->wire == FIXED64 || f->wire == FIXED32)
		f->part = tr_get_part(m, f->wire == FIXED64 ? 8 : 4);
	else
		tr_cur_fail(m);
	return !m->bad;
}

static bool is(const struct tr_cur *c, const char *text)
{
	return tr_left(c) == strlen(text) && !memcmp(c->p, text, tr_left(c));
}

static void parse_side(struct tr_cur m, struct tr_cur *side)
{
	struct field f;

	while (next_field(&m, &f))
		if (f.wire == BYTES && f.number >= 1 && f.number <= 3)
			side[f.number - 1] = f.part;
}

/* An attribute: 1 name, then its value in the field of its type. */
static void parse_attr(struct reader *r, struct tr_cur m, struct node *n)
{
	char *text;
	struct tr_cur name = { 0 };
	struct field f;

	while (next_field(&m, &f)) {
		if (f.number == 1 && f.wire == BYTES)
			name = f.part;
		else if (is(&name, "is_cpu_op") && f.wire == VARINT)
			n->host = f.value;
		else if (is(&name, "tid") && f.wire == VARINT)
			n->stream = f.value;
		else if (is(&name, "op_schema") && f.wire == BYTES)
			n->schema = f.part;
		else if (is(&name, "schema") && f.wire == BYTES) {
			text = text_of(f.part);
			r->schema = tb_name(r->e.b, text);
			free(text);
		}
	}
}

static u64 first_of(const struct field *f)
{
	struct tr_cur c = f->part;

	return f->wire == VARINT ? f->value : tr_get(&c);
}

/* 0, or -EINVAL: this is no node. */
static int parse_message(struct reader *r, struct tr_cur m)
{
	struct node n = { .parent = U64_MAX, .micros = U64_MAX, .host = true };
	bool has_id = false, has_name = false;
	struct field f;

	while (next_field(&m, &f)) {
		if (f.number == 1 && f.wire == VARINT) {
			n.id = f.value;
			has_id = true;
		} else if (f.number == 2 && f.wire == BYTES) {
			n.name = f.part;
			has_name = true;
			if (!has_id) /* attributes of GlobalMetadata */
				parse_attr(r, f.part, &n);
		} else if (f.number == 4) {
			n.parent = first_of(&f);
		} else if (f.number == 7 && f.wire == VARINT) {
			n.micros = f.value;
		} else if ((f.number == 8 || f.number == 9) && f.wire == BYTES) {
			parse_side(f.part, f.number == 8 ? n.in : n.out);
		} else if (f.number == 10 && f.wire == BYTES) {
			parse_attr(r, f.part, &n);
		}
	}
	if (m.bad || (has_id != has_name && r->messages > 1))
		return -EINVAL;
	if (has_id && has_name)
		add_node(r, &n);
	return 0;
}

/* The length of the next message.  1; 0: the end; -errno (said). */
static int read_length(struct reader *r, struct tr_bytes *in, u64 *len)
{
	unsigned int shift = 0;
	u8 byte = 0x80;
	int ret;

	for (*len = 0; byte & 0x80; shift += 7) {
		ret = tr_bytes_exact(in, &byte, 1);
		if (ret < 0 || (!ret && !shift))
			return ret;
		if (!ret || shift > 28) {
			gs_err("%s: offset %llu: %s", r->e.b->path, tr_bytes_at(in),
			       ret ? "this is no trace of Chakra" : "the file is truncated");
			return -EINVAL;
		}
		*len |= (u64)(byte & 0x7f) << shift;
	}
	return 1;
}

static int read_protobuf(struct reader *r, struct tr_bytes *in)
{
	u64 len, at;
	int ret;

	while ((ret = read_length(r, in, &len)) == 1) {
		at = tr_bytes_at(in);
		if (len > MOST_MESSAGE) {
			gs_err("%s: offset %llu: a message of %llu bytes: this is no trace of "
			       "Chakra, or it is damaged",
			       r->e.b->path, at, len);
			return -EINVAL;
		}
		r->message.n = 0;
		ret = tr_bytes_exact(in, tr_buf_room(&r->message, len + 1), len);
		if (ret < 0)
			return ret;
		r->messages++;
		if ((len && !ret) ||
		    parse_message(r, (struct tr_cur){ r->message.p, r->message.p + len, false })) {
			gs_err("%s: offset %llu: message %llu is %s", r->e.b->path, at, r->messages,
			       len && !ret ? "truncated" : "no node of Chakra, or damaged");
			return -EINVAL;
		}
	}
	return ret;
}

/* ---- JSON ------------------------------------------------------------- */

static const struct tr_value *either(const struct tr_tree *t, const char *const *names)
{
	const struct tr_value *v = NULL;

	for (; *names && !v; names++)
		v = tr_member(t, t->root, *names);
	return v;
}

static struct tr_cur letters(const struct tr_tree *t, const struct tr_value *v)
{
	const char *s = tr_text(t, v);

	return (struct tr_cur){ (const u8 *)s, (const u8 *)s + strlen(s), false };
}

static void json_side(const struct tr_tree *t, const char *name, struct tr_cur *side)
{
	const struct tr_value *v = tr_member(t, t->root, name);

	side[0] = letters(t, tr_member(t, v, "values"));
	side[1] = letters(t, tr_member(t, v, "shapes"));
	side[2] = letters(t, tr_member(t, v, "types"));
}

static int element(void *arg, const char *list, const struct tr_tree *t)
{
	static const char *const ids[] = { "Id", "id", NULL };
	static const char *const names[] = { "Name", "name", NULL };
	static const char *const deps[] = { "ctrlDeps", "ctrl_deps", NULL };
	static const char *const times[] = { "runtime", "duration_micros", "durationMicros", NULL };
	struct reader *r = arg;
	const struct tr_value *up = either(t, deps), *host = tr_member(t, t->root, "is_cpu_op");
	struct node n = { .id = tr_number(t, either(t, ids), U64_MAX),
			  .micros = tr_number(t, either(t, times), U64_MAX),
			  .stream = tr_number(t, tr_member(t, t->root, "tid"), 0),
			  .name = letters(t, either(t, names)),
			  .host = !host || host->type != TJ_FALSE };

	if (strcmp(list, "workload_graph") || n.id == U64_MAX)
		return 0;
	up = up && up->type == TJ_LIST && up->count ? up + 1 : up;
	n.parent = tr_number(t, up, U64_MAX);
	n.schema = letters(t, tr_member(t, t->root, "op_schema"));
	json_side(t, "inputs", n.in);
	json_side(t, "outputs", n.out);
	r->messages++;
	add_node(r, &n);
	return 0;
}

/* JSON begins with a bracket and, unlike a length, goes on as text. */
static bool is_json(struct tr_bytes *in)
{
	const u8 *p;
	size_t n = tr_bytes_peek(in, &p, 64);

	if (!n || (*p != '{' && *p != '['))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isprint(p[i]) && !isspace(p[i]))
			return false;
	return true;
}

/* ---- the job ---------------------------------------------------------- */

static void tell_found(const struct reader *r)
{
	gs_info("%s: found: schema %s, %zu nodes, %llu of a device (%llu with a duration), %llu "
		"operands",
		r->e.b->path, r->schema ? tb_text(r->e.b, r->schema) : "unknown", r->e.nnodes,
		r->devices, r->timed, r->e.noperands);
}

static void tell_derived(const struct reader *r)
{
	const struct et *e = &r->e;

	gs_info("%s: derived: %llu kernels; %llu tensors of %llu storages, lifetimes from first to "
		"last use, addresses, kinds%s",
		e->b->path, e->kernels, e->generations, e->storages,
		e->roofline  ? "; durations by the " TR_ATEN_ROOFLINE_TEXT
		: r->untimed ? "; half a microsecond for kernels that took none"
			     : "");
	gs_info("%s: missing: frees, workspaces, when kernels began, operands of %llu kernels",
		e->b->path, e->without);
}

/*
 * Nodes of a device are the kernels, if there are any.  Whole microseconds are
 * kept, and zero is not written: what has none took less than one.
 */
static void choose_kernels(struct reader *r)
{
	for (size_t i = 0; r->devices && i < r->e.nnodes; i++) {
		struct et_node *n = &r->e.nodes[i];

		n->idle |= !n->device;
		if (n->device && n->ps == U64_MAX && r->timed)
			n->ps = HALF_US;
	}
}

static int import(struct reader *r, const char *out, struct tr_writer **w)
{
	static const char *const suffixes[] = {
		".gz", ".zst", ".tar", ".tgz", ".json", ".et", NULL
	};
	struct tr_meta meta = { .framework = "Chakra",
				.source = "execution trace of Chakra",
				.recorded = "durations as recorded, lifetimes from first to last "
					    "use" };
	char *name;
	int ret;

	if (!r->e.nnodes) {
		gs_err("%s: cannot be replayed: it holds no node of Chakra", r->e.b->path);
		return -EINVAL;
	}
	tell_found(r);
	choose_kernels(r);
	ret = et_finish(&r->e);
	if (ret)
		return ret;
	tell_derived(r);
	name = tr_base_name(r->e.b->path, suffixes);
	meta.name = name;
	ret = et_write(&r->e, out, &meta, w);
	free(name);
	return ret;
}

int tr_chakra_import(const char *path, const char *out, struct tr_writer **w)
{
	static const struct tr_json_ops ops = { .element = element };
	struct tr_bytes *in = tr_bytes_open(path);
	struct tr_build b;
	struct reader r = { 0 };
	int ret;

	*w = NULL;
	if (!in)
		return -EINVAL;
	tb_init(&b, path);
	et_init(&r.e, &b);
	tr_reprs_init(&r.reprs);
	ret = is_json(in) ? tr_json_read(in, &ops, &r) : read_protobuf(&r, in);
	tr_bytes_close(in);
	if (!ret)
		ret = import(&r, out, w);
	et_fini(&r.e);
	tb_fini(&b);
	tr_reprs_fini(&r.reprs);
	tr_buf_fini(&r.message);
	free(r.streams);
	return ret;
}
