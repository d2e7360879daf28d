/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tr_kineto_read.c - the events of PyTorch's profiler, as small tables
 *
 * Category names changed over the years ("Kernel", "kernel"); both are known.
 * Times are microseconds with up to three decimals; they are kept in ns.
 */
#include <errno.h>
#include <strings.h>

#include "traces/kineto.h"

struct event {
	struct kn *k;
	const struct tr_tree *t;
	const struct tr_value *v, *args;
	const char *name;
	u64 start, duration;
};

static u64 ns(const struct event *e, const char *key)
{
	return tr_decimal(e->t, tr_member(e->t, e->v, key), 1000);
}

static u64 arg(const struct event *e, const char *key, u64 absent)
{
	return tr_number(e->t, tr_member(e->t, e->args, key), absent);
}

const struct kn_name *kn_name(struct kn *k, u32 name)
{
	struct kn_name *n = &k->names[name % KN_NAMES];
	const char *text = tb_text(k->b, name);

	if (!n->known || n->name != name)
		*n = (struct kn_name){ .name = name,
				       .opclass = tr_aten_class(text),
				       .phase = tr_aten_phase(text),
				       .known = true,
				       .idle = tr_aten_idle(text) };
	return n;
}

static u16 thread_of(const struct event *e)
{
	struct kn *k = e->k;
	char text[128];
	u32 name;

	snprintf(text, sizeof(text), "%s/%s", tr_text(e->t, tr_member(e->t, e->v, "pid")),
		 tr_text(e->t, tr_member(e->t, e->v, "tid")));
	name = tb_name(k->b, text);
	for (size_t i = k->nthreads; i-- > 0;)
		if (k->threads[i] == name)
			return (u16)i;
	if (k->nthreads == KN_THREADS)
		return KN_THREADS;
	GS_PUSH_ROOM(k->threads, k->nthreads, k->threads_cap);
	k->threads[k->nthreads++] = name;
	return (u16)(k->nthreads - 1);
}

static void add_sorted(u16 **v, size_t *n, size_t *cap, u16 what)
{
	size_t i = *n;

	while (i && (*v)[i - 1] > what)
		i--;
	if ((i && (*v)[i - 1] == what) || *n == KN_THREADS)
		return; /* more streams than any device has: they count as the first */
	GS_PUSH_ROOM(*v, *n, *cap);
	memmove(*v + i + 1, *v + i, (*n - i) * sizeof(**v));
	(*v)[i] = what;
	++*n;
}

/* ---- operands --------------------------------------------------------- */

static bool is_float(u8 dtype)
{
	return dtype <= GS_F8;
}

/* Dimensions and strides of a tensor; false when it is none, or empty. */
static bool parse_shape(const struct tr_tree *t, const struct tr_value *dims,
			const struct tr_value *strides, struct tr_shape *s, u64 *span)
{
	const struct tr_value *st =
		strides && strides->type == TJ_LIST && strides->count == dims->count ? strides + 1
										     : NULL;

	*s = (struct tr_shape){ 0 };
	*span = 1;
	if (!dims->count || dims->count > TR_DIMS)
		return false;
	tr_each_child(d, dims) {
		u64 n = tr_number(t, d, 0);
		u64 step = st ? tr_number(t, st, 0) : 0;

		if (!n || n > 1ULL << 48)
			return false;
		s->dim[s->ndims++] = n;
		if (st && (__builtin_mul_overflow(n - 1, step, &step) ||
			   __builtin_add_overflow(*span, step, span)))
			return false;
		st = st ? st + st->skip : NULL;
	}
	if (!strides || strides->count != dims->count)
		*span = tr_shape_elements(s);
	return *span < 1ULL << 44;
}

static void add_operand(struct kn *k, const struct tr_tree *t, const struct tr_value *dims,
			const struct tr_value *strides, const char *type, u32 position)
{
	static const u8 sizes[GS_NR_DTYPES] = { 8, 4, 4, 2, 2, 1, 8, 4, 1, 0 };
	struct kn_operand o = { .position = position };
	u64 span;
	u32 bytes;

	if (!parse_shape(t, dims, strides, &o.shape, &span))
		return;
	o.shape.dtype = tr_aten_dtype(type, &bytes);
	if (bytes && is_float(o.shape.dtype))
		k->float_dtype = o.shape.dtype;
	if (!bytes) { /* a list of tensors does not tell */
		o.unsure = true;
		o.shape.dtype = k->float_dtype;
		bytes = sizes[k->float_dtype];
	}
	o.bytes = span * bytes;
	GS_PUSH_ROOM(k->operands, k->noperands, k->operands_cap);
	memset(&k->operands[k->noperands], 0, sizeof(o)); /* padding is hashed */
	k->operands[k->noperands].shape = o.shape;
	k->operands[k->noperands].bytes = o.bytes;
	k->operands[k->noperands].position = position;
	k->operands[k->noperands].unsure = o.unsure;
	k->noperands++;
}

static bool same_sig(const struct kn *k, const struct kn_sig *a, u32 first, u32 n)
{
	return a->n == n &&
	       !memcmp(&k->operands[a->first], &k->operands[first], n * sizeof(*k->operands));
}

static u64 sig_hash(const struct kn *k, u32 first, u32 n)
{
	return gs_hash(&k->operands[first], n * sizeof(*k->operands), 0);
}

static void sigs_grow(struct kn *k)
{
	u32 n = k->nsig_slots ? 2 * k->nsig_slots : 1024;

	free(k->sig_slots);
	k->sig_slots = gs_calloc(n, sizeof(u32));
	k->nsig_slots = n;
	for (u32 s = 0; s < k->nsigs; s++) {
		u32 i = (u32)sig_hash(k, k->sigs[s].first, k->sigs[s].n) & (n - 1);

		while (k->sig_slots[i])
			i = (i + 1) & (n - 1);
		k->sig_slots[i] = s + 1;
	}
}

/* Operands from @first on as a signature; those known already are dropped again. */
static u32 intern_sig(struct kn *k, u32 first)
{
	u32 n = (u32)(k->noperands - first), i;

	if (!n)
		return 0;
	if (2 * k->nsigs >= k->nsig_slots)
		sigs_grow(k);
	i = (u32)sig_hash(k, first, n) & (k->nsig_slots - 1);
	for (; k->sig_slots[i]; i = (i + 1) & (k->nsig_slots - 1)) {
		if (!same_sig(k, &k->sigs[k->sig_slots[i] - 1], first, n))
			continue;
		k->noperands = first;
		return k->sig_slots[i];
	}
	GS_PUSH_ROOM(k->sigs, k->nsigs, k->sigs_cap);
	k->sigs[k->nsigs++] = (struct kn_sig){ first, n };
	k->sig_slots[i] = (u32)k->nsigs;
	return (u32)k->nsigs;
}

/* The elements of a list, one behind the other; NULL behind the last. */
struct walk {
	const struct tr_value *at, *end;
};

static struct walk walk(const struct tr_value *list)
{
	bool some = list && list->type == TJ_LIST && list->count;

	return (struct walk){ some ? list + 1 : NULL, some ? list + list->skip : NULL };
}

static const struct tr_value *step(struct walk *w)
{
	const struct tr_value *v = w->at;

	if (v)
		w->at = v + v->skip < w->end ? v + v->skip : NULL;
	return v;
}

/* An argument: a tensor, a list of tensors, or nothing of interest. */
static void add_argument(const struct event *e, const struct tr_value *dims,
			 const struct tr_value *strides, const char *type, u32 position)
{
	struct walk st = walk(strides);

	if (dims->type != TJ_LIST)
		return;
	if (!dims->count || dims[1].type != TJ_LIST) {
		add_operand(e->k, e->t, dims, strides, type, position);
		return;
	}
	tr_each_child(each, dims) {
		if (each->type == TJ_LIST)
			add_operand(e->k, e->t, each, step(&st), type, position);
	}
}

static u32 parse_operands(const struct event *e)
{
	const struct tr_value *dims = tr_member(e->t, e->args, "Input Dims");
	struct walk types = walk(tr_member(e->t, e->args, "Input type"));
	struct walk strides = walk(tr_member(e->t, e->args, "Input Strides"));
	u32 first = (u32)e->k->noperands, i = 0;

	if (!dims || dims->type != TJ_LIST)
		return 0;
	if (dims->skip > 8 * KN_OPERANDS) {
		e->k->too_many = true;
		return 0;
	}
	e->k->nshapes++;
	tr_each_child(d, dims) {
		const struct tr_value *type = step(&types), *st = step(&strides);

		add_argument(e, d, st, tr_text(e->t, type), i++);
	}
	return intern_sig(e->k, first);
}

/* ---- events ----------------------------------------------------------- */

static void on_op(const struct event *e)
{
	struct kn *k = e->k;
	u32 sig = parse_operands(e), name = tb_name(k->b, e->name);

	tr_spill_put(k->ops, &(struct kn_op){ .start = e->start,
					      .end = e->start + e->duration,
					      .name = name,
					      .sig = sig,
					      .thread = thread_of(e),
					      .phase = kn_name(k, name)->phase });
	if (!tr_aten_is_step(e->name))
		return;
	GS_PUSH_ROOM(k->steps, k->nsteps, k->steps_cap);
	k->steps[k->nsteps++].when = e->start;
}

/* Only calls that can start work are kept. */
static void on_runtime(const struct event *e)
{
	struct kn *k = e->k;
	u64 id = arg(e, "correlation", 0);

	if (!id ||
	    !(strstr(e->name, "Launch") || strstr(e->name, "emcpy") || strstr(e->name, "emset")))
		return;
	tr_spill_put(k->launches, &(struct kn_launch){ .when = e->start,
						       .id = id,
						       .owner = KN_NONE,
						       .thread = thread_of(e),
						       .phase = GS_OTHER_PHASE });
}

static void on_work(const struct event *e, enum kn_sort sort)
{
	struct kn *k = e->k;
	struct kn_work w = { .start = e->start,
			     .when = e->start,
			     .ps = e->duration * 1000,
			     .id = arg(e, "correlation", 0),
			     .bytes = arg(e, "bytes", 0),
			     .name = tb_name(k->b, e->name),
			     .owner = KN_NONE,
			     .device = (u16)gs_min(arg(e, "device", 0), 1023),
			     .stream = (u16)gs_min(arg(e, "stream", 0), U16_MAX - 1),
			     .sort = (u8)sort,
			     .phase = GS_OTHER_PHASE };

	tr_spill_put(k->work, &w);
	add_sorted(&k->devices, &k->ndevices, &k->devices_cap, w.device);
	add_sorted(&k->streams, &k->nstreams, &k->streams_cap, w.stream);
	k->nkernels += sort == KN_KERNEL;
	k->nfills += sort == KN_FILL;
	k->ncopies += sort != KN_KERNEL && sort != KN_FILL;
	if (sort != KN_KERNEL)
		*(sort == KN_FILL ? &k->filled : &k->copied) += w.bytes;
}

static void on_kernel(const struct event *e)
{
	on_work(e, KN_KERNEL);
}

static void on_copy(const struct event *e)
{
	on_work(e, strstr(e->name, "HtoD")   ? KN_COPY_IN
		   : strstr(e->name, "DtoH") ? KN_COPY_OUT
					     : KN_COPY);
}

static void on_fill(const struct event *e)
{
	on_work(e, KN_FILL);
}

static void on_memory(const struct event *e)
{
	struct kn *k = e->k;
	s64 bytes = tr_signed(e->t, tr_member(e->t, e->args, "Bytes"));
	u64 total = arg(e, "Total Allocated", U64_MAX);
	struct kn_memory m = { .when = e->start,
			       .va = arg(e, "Addr", 0),
			       .bytes = bytes,
			       .owner = KN_NONE,
			       .buf = KN_NONE,
			       .seq = (u32)k->nmemory,
			       .device = (u16)gs_min(arg(e, "Device Id", 0), 1023) };

	if (arg(e, "Device Type", 1) == 0 || !bytes || bytes > 1LL << 44 || bytes < -(1LL << 44)) {
		k->nhost_memory++;
		return;
	}
	m.thread = thread_of(e);
	tr_spill_put(k->memory, &m);
	add_sorted(&k->devices, &k->ndevices, &k->devices_cap, m.device);
	k->nmemory++;
	k->nallocs += bytes > 0;
	k->alloc_bytes += bytes > 0 ? (u64)bytes : 0;
	k->no_addresses |= !m.va;
	if (total == U64_MAX)
		return;
	if (k->first_total == U64_MAX)
		k->first_total = total - (u64)bytes;
	k->most_total = k->most_total == U64_MAX ? total : gs_max(k->most_total, total);
}

static const struct {
	const char *category;
	void (*take)(const struct event *e);
} categories[] = {
	{ "cpu_op", on_op },	      { "kernel", on_kernel },	      { "gpu_memcpy", on_copy },
	{ "gpu_memset", on_fill },    { "cuda_runtime", on_runtime }, { "cuda_driver", on_runtime },
	{ "user_annotation", on_op }, { "operator", on_op },	      { "memcpy", on_copy },
	{ "memset", on_fill },	      { "runtime", on_runtime },      { "hip_runtime", on_runtime },
};

static void device_property(struct kn *k, const struct tr_tree *t)
{
	u64 id = tr_number(t, tr_member(t, t->root, "id"), U64_MAX);

	if (id >= 1024)
		return;
	while (k->ndevice_names <= id) {
		GS_PUSH_ROOM(k->device_names, k->ndevice_names, k->device_names_cap);
		k->device_names[k->ndevice_names++] = 0;
	}
	k->device_names[id] = tb_name(k->b, tr_text(t, tr_member(t, t->root, "name")));
}

/* What a temporary file met. */
static int table_err(const struct kn *k)
{
	return tr_spill_err(k->ops) | tr_spill_err(k->launches) | tr_spill_err(k->work) |
	       tr_spill_err(k->memory);
}

static int element(void *to, const char *list, const struct tr_tree *t)
{
	struct kn *k = to;
	struct event e = { .k = k, .t = t, .v = t->root };
	const char *ph, *category;

	if (!strcmp(list, "deviceProperties"))
		device_property(k, t);
	if (*list && strcmp(list, "traceEvents"))
		return 0;
	ph = tr_text(t, tr_member(t, e.v, "ph"));
	k->nevents += *ph != 0;
	e.name = tr_text(t, tr_member(t, e.v, "name"));
	e.args = tr_member(t, e.v, "args");
	e.start = ns(&e, "ts");
	if (*ph == 'i' && !strcmp(e.name, "[memory]"))
		on_memory(&e);
	if (*ph != 'X')
		return 0;
	e.duration = gs_min(ns(&e, "dur"), 1ULL << 50);
	e.start = gs_min(e.start, 1ULL << 62);
	category = tr_text(t, tr_member(t, e.v, "cat"));
	for (size_t i = 0; i < GS_ARRAY_SIZE(categories); i++) {
		if (!strcasecmp(category, categories[i].category)) {
			categories[i].take(&e);
			break;
		}
	}
	if (k->nevents > U32_MAX / 2) {
		gs_err("%s: more than 2^31 events", k->b->path);
		return -EFBIG;
	}
	return table_err(k);
}

int kn_read(struct kn *k, struct tr_bytes *in)
{
	static const struct tr_json_ops ops = { .element = element };

	return tr_json_read(in, &ops, k);
}

void kn_drop_events(struct kn *k)
{
	tr_spill_free(k->ops);
	tr_spill_free(k->launches);
	tr_spill_free(k->work);
	tr_spill_free(k->memory);
	free(k->owners);
	free(k->steps);
	k->ops = k->launches = k->work = k->memory = NULL;
	k->owners = NULL;
	k->steps = NULL;
}

void kn_fini(struct kn *k)
{
	kn_drop_events(k);
	free(k->sigs);
	free(k->operands);
	free(k->sig_slots);
	free(k->threads);
	free(k->device_names);
	free(k->devices);
	free(k->streams);
}
