/* SPDX-License-Identifier: GPL-3.0-or-later */
/* et_graph.c - a graph of operators: which are kernels, which tensors they use */
#include <errno.h>

#include "traces/et.h"

/* ---- the graph -------------------------------------------------------- */

static int by_id(const void *x, const void *y)
{
	const struct et_node *a = x, *b = y;

	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return a->first < b->first ? -1 : a->first > b->first;
}

static struct et_node *find(const struct et *e, u64 id)
{
	size_t low = 0, high = e->nnodes;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (e->nodes[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < e->nnodes && e->nodes[low].id == id ? &e->nodes[low] : NULL;
}

/* Ancestors of a node that does something do nothing by themselves. */
static void mark_ancestors(struct et *e, const struct et_node *n)
{
	struct et_node *up = find(e, n->parent);

	for (int depth = 0; up && up != n && !up->working && depth < 1024; depth++) {
		up->working = true;
		up = find(e, up->parent);
	}
}

/* The phase that the node nearest to the root announces. */
static u8 phase_of(const struct et *e, const struct et_node *n)
{
	u8 phase = GS_FORWARD;

	for (int depth = 0; n && depth < 1024; depth++) {
		if (n->mark != GS_OTHER_PHASE)
			phase = n->mark;
		n = n->parent < n->id ? find(e, n->parent) : NULL;
	}
	return phase;
}

static bool counts(const struct et *e, const struct et_operand *o)
{
	return !(e->cpu >> o->device & 1);
}

static bool on_device(const struct et *e, const struct et_node *n)
{
	return n->devices & ~e->cpu;
}

/* ---- storages --------------------------------------------------------- */

/*
 * A storage id names an address, which the allocator hands out again: what an
 * operator returns under a tensor id never seen, without having been given the
 * storage, is a new buffer at an old address.
 */
struct storage {
	u64 key; /* id + 1; 0: empty */
	u32 buf;
};

struct seen {
	u64 *keys;
	size_t n, slots;
};

struct storages {
	struct storage *rows;
	size_t n, slots;
	struct seen tensors;
};

static size_t probe(const u64 *keys, size_t stride, size_t slots, u64 key)
{
	size_t i = gs_hash(&key, sizeof(key), 0) & (slots - 1);

	while (keys[i * stride] && keys[i * stride] != key)
		i = (i + 1) & (slots - 1);
	return i;
}

/* Was @tensor never met before? */
static bool first_time(struct seen *s, u64 tensor)
{
	size_t i;

	if (2 * s->n >= s->slots) {
		size_t slots = s->slots ? 2 * s->slots : 1024;
		u64 *keys = gs_calloc(slots, sizeof(*keys));

		for (i = 0; i < s->slots; i++)
			if (s->keys[i])
				keys[probe(keys, 1, slots, s->keys[i])] = s->keys[i];
		free(s->keys);
		s->keys = keys;
		s->slots = slots;
	}
	i = probe(s->keys, 1, s->slots, tensor + 1);
	if (s->keys[i])
		return false;
	s->keys[i] = tensor + 1;
	s->n++;
	return true;
}

static struct storage *storage_of(struct storages *s, u64 id)
{
	const size_t stride = sizeof(*s->rows) / sizeof(u64);
	struct storage *row;

	if (2 * s->n >= s->slots) {
		size_t slots = s->slots ? 2 * s->slots : 1024;
		struct storage *rows = gs_calloc(slots, sizeof(*rows));

		for (size_t i = 0; i < s->slots; i++)
			if (s->rows[i].key)
				rows[probe(&rows->key, stride, slots, s->rows[i].key)] = s->rows[i];
		free(s->rows);
		s->rows = rows;
		s->slots = slots;
	}
	row = &s->rows[probe(&s->rows->key, stride, s->slots, id + 1)];
	if (!row->key)
		*row = (struct storage){ id + 1, U32_MAX };
	s->n += row->buf == U32_MAX;
	return row;
}

static bool given(const struct et *e, const struct et_node *n, u64 storage)
{
	for (u32 i = 0; i < n->n; i++) {
		const struct et_operand *o = &e->now[i];

		if (!o->output && o->storage == storage)
			return true;
	}
	return false;
}

/* The buffers behind the operands of a node, kernel or not: views and allocations count. */
static void name_buffers(struct et *e, struct storages *s, const struct et_node *n, u32 *bufs)
{
	for (u32 i = 0; i < n->n; i++) {
		const struct et_operand *o = &e->now[i];
		bool fresh = first_time(&s->tensors, o->tensor);
		struct storage *row = storage_of(s, o->storage);
		bool born = o->output && fresh && !given(e, n, o->storage);

		if (row->buf != U32_MAX && !born) {
			bufs[i] = row->buf;
			continue;
		}
		e->storages += row->buf == U32_MAX;
		e->generations++;
		row->buf =
			tb_buffer(e->b, 0, o->output ? TB_USED : TB_BEFORE, e->numbers[o->device]);
		bufs[i] = row->buf;
	}
}

/* ---- kernels ---------------------------------------------------------- */

static u64 flops_of(const struct et *e, const struct et_node *n)
{
	const struct tr_shape *out = NULL;
	struct tr_shape in[8];
	u32 nin = 0;

	for (u32 i = 0; i < n->n; i++) {
		const struct et_operand *o = &e->now[i];

		if (!o->output && nin < GS_ARRAY_SIZE(in))
			in[nin++] = o->shape;
		else if (o->output && !out)
			out = &o->shape;
	}
	return tr_aten_flops(tb_text(e->b, n->name), in, nin, out);
}

static void use_operands(struct et *e, const struct et_node *n, const u32 *bufs)
{
	const char *name = tb_text(e->b, n->name);
	bool collective = !strncmp(name, "nccl:", 5);

	for (u32 i = 0; i < n->n; i++) {
		const struct et_operand *o = &e->now[i];
		u8 access = o->access;

		if (!counts(e, o))
			continue;
		if (!o->output && !i && tr_aten_overwrites(name))
			access = GS_WRITE;
		else if (!o->output && collective)
			access = GS_READ | GS_WRITE;
		else if (o->output && !n->device && given(e, n, o->storage))
			continue; /* what it was given; the schema told whether it is written */
		tb_use(e->b, bufs[i], access, o->off, o->bytes);
	}
}

static u16 first_device(const struct et *e)
{
	return (u16)__builtin_ctz(~e->cpu);
}

static void add_kernel(struct et *e, const struct et_node *n, const u32 *bufs)
{
	const char *name = tb_text(e->b, n->name);
	struct tb_kernel *k = tb_kernel(e->b);
	const struct et_operand *first = NULL;

	for (u32 i = 0; i < n->n && !first; i++)
		if (counts(e, &e->now[i]))
			first = &e->now[i];
	k->device = e->numbers[first ? first->device : first_device(e)];
	k->name = n->name;
	k->opclass = tr_aten_class(name);
	k->phase = phase_of(e, n);
	k->dtype = first ? first->shape.dtype : GS_OTHER_DTYPE;
	k->stream = n->stream;
	k->flops = flops_of(e, n);
	use_operands(e, n, bufs);
	if (!k->nuses && !n->device) {
		tb_kernel_drop(e->b);
		return;
	}
	k->ps = n->ps;
	if (n->ps == U64_MAX) {
		k->ps = tr_aten_roofline_ps(k->dtype, k->flops, tb_kernel_bytes(e->b));
		e->roofline++;
	}
	e->kernels++;
	e->without += !k->nuses;
}

static void iterate(struct et *e, const struct et_node *n, bool steps, u8 *before)
{
	u8 phase;

	if (steps) {
		if (n->step) {
			tb_iteration(e->b);
			e->iterations++;
		}
		return;
	}
	if (n->idle || n->working || !on_device(e, n))
		return;
	phase = phase_of(e, n);
	if (!e->iterations || (*before == GS_STEP && phase != GS_STEP)) {
		tb_iteration(e->b);
		e->iterations++;
	}
	*before = phase;
}

/* Operands of @n, which comes behind all that were read before. */
static void read_operands(struct et *e, const struct et_node *n)
{
	for (u32 i = 0; i < n->n; i++) {
		const struct et_operand *o = tr_spill_next(e->operands);

		e->now[i] = o ? *o : (struct et_operand){ 0 };
	}
}

static int add_kernels(struct et *e)
{
	struct storages s = { 0 };
	u8 before = GS_OTHER_PHASE;
	bool steps = false;
	u32 most = 1, *bufs;

	for (size_t i = 0; i < e->nnodes; i++) {
		most = (u32)gs_max(most, e->nodes[i].n);
		steps |= e->nodes[i].step;
	}
	bufs = gs_calloc(most, sizeof(*bufs));
	e->now = gs_calloc(most, sizeof(*e->now));
	tr_spill_rewind(e->operands);
	for (size_t i = 0; i < e->nnodes && !tr_spill_err(e->operands); i++) {
		const struct et_node *n = &e->nodes[i];

		read_operands(e, n);
		name_buffers(e, &s, n, bufs);
		iterate(e, n, steps, &before);
		if (n->idle || (n->working && !n->device))
			e->idle++;
		else if (!on_device(e, n) && !n->device)
			e->host_only++;
		else
			add_kernel(e, n, bufs);
	}
	free(bufs);
	free(s.rows);
	free(s.tensors.keys);
	return tr_spill_err(e->operands);
}

/* The devices that count, in the order of their names; how many. */
static u32 sort_devices(struct et *e, u16 *devices)
{
	u32 n = 0;

	for (u16 i = 0; i < e->ndevices; i++) {
		const char *name = tb_text(e->b, e->devices[i]);
		u32 j = n;

		if (e->cpu >> i & 1)
			continue;
		for (; j && strcmp(tb_text(e->b, e->devices[devices[j - 1]]), name) > 0; j--)
			devices[j] = devices[j - 1];
		devices[j] = i;
		n++;
	}
	return n;
}

static void number_devices(struct et *e)
{
	u16 devices[ET_DEVICES];

	for (u32 i = sort_devices(e, devices); i-- > 0;)
		e->numbers[devices[i]] = (u16)i;
}

int et_finish(struct et *e)
{
	u32 all = (u32)((1ULL << e->ndevices) - 1);
	int ret;

	if (e->too_many) {
		gs_err("%s: a node with more than %d tensors", e->b->path, ET_OPERANDS);
		return -EINVAL;
	}
	if (!e->noperands) {
		gs_err("%s: cannot be replayed: no node of %zu tells the tensors it uses",
		       e->b->path, e->nnodes);
		return -EINVAL;
	}
	if (e->cpu == all)
		e->cpu = 0;
	number_devices(e);
	qsort(e->nodes, e->nnodes, sizeof(*e->nodes), by_id);
	for (size_t i = 0; i < e->nnodes; i++)
		if (!e->nodes[i].idle && on_device(e, &e->nodes[i]))
			mark_ancestors(e, &e->nodes[i]);
	ret = add_kernels(e);
	if (ret || e->kernels > e->without)
		return ret;
	gs_err("%s: cannot be replayed: none of %zu nodes does something with a tensor", e->b->path,
	       e->nnodes);
	return -EINVAL;
}

int et_write(struct et *e, const char *out, struct tr_meta *meta, struct tr_writer **w)
{
	const char *names[ET_DEVICES];
	u16 devices[ET_DEVICES];

	meta->ndevices = sort_devices(e, devices);
	for (u32 i = 0; i < meta->ndevices; i++)
		names[i] = tb_text(e->b, e->devices[devices[i]]);
	meta->device_names = names;
	return tb_write(e->b, out, meta, w);
}
