/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tr_kineto_derive.c - which memory a kernel of the profiler's trace touches
 *
 * The profiler tells operands by shape, not by address.  An operand is taken
 * to be the buffer of its size that was written last; parameters, and what
 * no buffer fits, are buffers that were there before.  FORMAT.md has the
 * rules in full.
 */
#include "traces/kineto.h"
#include "traces/kineto_pool.h"

struct derive {
	struct kn *k;
	struct kn_told *told;
	struct kn_pools pools;
	u32 *next_alloc; /* by buffer: the one that its operator allocated before */
	u32 *last_read;	 /* by buffer: number of the kernel, from 1 */
	u32 *in;	 /* operands of the operator */
	size_t nin, in_cap;
	struct kn_work *run; /* what it launched, without a break */
	size_t nrun, run_cap;
	size_t longest; /* ... and this kernel of it gets its FLOPs */
	u8 phase, phase_before;
	const struct kn_work *work; /* events that come; NULL: none */
	const struct kn_memory *memory;
	size_t step;
};

/* ---- allocations and frees ------------------------------------------------ */

/*
 * The buffer that a free without an address means: one that the same operator
 * allocated; else of those of its size the one that was read last, else the newest.
 */
static u32 freed(struct derive *d, const struct kn_memory *m)
{
	const struct tb_buf *bufs = d->k->b->bufs;
	size_t n;
	const u32 *live = kn_pool_class(&d->pools, -(u64)m->bytes, m->device, &n);
	u32 best = KN_NONE;

	for (size_t i = n; i-- > 0;) {
		u32 buf = live[i];

		if (bufs[buf].bytes != -(u64)m->bytes || bufs[buf].life != TB_EVENTS)
			continue;
		if (m->owner != KN_NONE && d->k->owners[m->owner].allocs == buf)
			return buf;
		if (best == KN_NONE || d->last_read[buf] > d->last_read[best])
			best = buf;
	}
	return best;
}

static void on_memory(struct derive *d, const struct kn_memory *m)
{
	u32 buf = m->buf;

	if (m->bytes < 0) {
		if (buf == KN_NONE)
			buf = freed(d, m);
		gs_assert(buf != KN_NONE);
		kn_pool_remove(&d->pools, buf);
		tb_free(d->k->b, buf);
		return;
	}
	tb_alloc(d->k->b, m->buf);
	kn_pool_add(&d->pools, m->buf);
	if (m->owner == KN_NONE)
		return;
	d->next_alloc[m->buf] = d->k->owners[m->owner].allocs;
	d->k->owners[m->owner].allocs = m->buf;
}

/* ---- operands of an operator ---------------------------------------------- */

static u32 new_old(struct derive *d, u16 device, u64 bytes)
{
	d->told->guesses++;
	d->told->guessed_bytes += bytes;
	return tb_buffer(d->k->b, bytes, TB_BEFORE, device);
}

static u32 find_buffer(struct derive *d, const struct kn_operand *o, bool parameter, u8 phase,
		       u16 device)
{
	u32 buf = KN_NONE;

	if (!parameter || phase != GS_FORWARD)
		buf = kn_pool_newest(&d->pools, o->bytes, device, d->in, d->nin);
	if (buf != KN_NONE)
		return buf;
	buf = kn_pool_old(&d->pools, o->bytes, device, phase);
	if (buf == KN_NONE) {
		buf = new_old(d, device, o->bytes);
		kn_pool_add_old(&d->pools, buf);
	}
	return buf;
}

static void find_operands(struct derive *d, const struct kn_work *w)
{
	const struct kn_owner *op = &d->k->owners[w->owner];
	u32 parameters = tr_aten_parameters(tb_text(d->k->b, op->name)), n;
	const struct kn_operand *o = kn_operands(d->k, op, &n);

	d->nin = 0;
	for (u32 i = 0; i < n; i++) {
		bool parameter = o[i].position < 32 && (parameters >> o[i].position & 1);
		u32 buf = find_buffer(d, &o[i], parameter, w->phase, w->device);

		GS_PUSH_ROOM(d->in, d->nin, d->in_cap);
		d->in[d->nin++] = buf;
	}
}

/* ---- kernels ---------------------------------------------------------- */

static void written(struct derive *d, u32 buf)
{
	if (d->k->b->bufs[buf].life != TB_BEFORE)
		kn_pool_written(&d->pools, buf);
}

static void use(struct derive *d, u32 buf, u8 access, u64 bytes)
{
	tb_use(d->k->b, buf, access, 0, gs_min(bytes, d->k->b->bufs[buf].bytes));
	if ((access & GS_READ) && d->k->b->bufs[buf].life == TB_EVENTS)
		d->last_read[buf] = (u32)d->k->b->nkernels;
	if (access & GS_WRITE)
		written(d, buf);
}

/* What the operator allocated and still has is written.  Was there any? */
static bool use_allocated(struct derive *d, const struct kn_owner *op, u64 bytes)
{
	bool any = false;

	for (u32 a = op->allocs; a != KN_NONE; a = d->next_alloc[a]) {
		if (!kn_pool_has(&d->pools, a))
			continue;
		use(d, a, GS_WRITE, bytes);
		any = true;
	}
	return any;
}

static void use_operands(struct derive *d, const struct kn_owner *op)
{
	const char *name = tb_text(d->k->b, op->name);
	u8 first = tr_aten_overwrites(name) ? GS_WRITE : GS_READ | GS_WRITE;
	bool in_place = tr_aten_in_place(name), list;
	u32 n;
	const struct kn_operand *o = kn_operands(d->k, op, &n);

	list = strstr(name, "_foreach_") || strstr(name, "_fused_");
	for (u32 i = 0; i < n; i++)
		use(d, d->in[i],
		    in_place && (list ? o[i].position == o[0].position : !i) ? first : GS_READ,
		    o[i].bytes);
}

/* Without the allocator's events: the result is a new buffer, from shapes. */
static void use_result(struct derive *d, const struct kn_owner *op, const struct kn_work *w)
{
	struct tr_shape shapes[16];
	u64 bytes[16], result;
	u32 n;
	const struct kn_operand *o = kn_operands(d->k, op, &n);

	n = n < 16 ? n : 16;
	for (u32 i = 0; i < n; i++) {
		shapes[i] = o[i].shape;
		bytes[i] = o[i].bytes;
	}
	result = tr_aten_result(tb_text(d->k->b, op->name), shapes, bytes, n);
	if (!result)
		return;
	GS_PUSH_ROOM(d->in, d->nin, d->in_cap);
	d->in[d->nin] = tb_buffer(d->k->b, result, TB_USED, w->device);
	kn_pool_add(&d->pools, d->in[d->nin++]);
}

static void use_copy(struct derive *d, const struct kn_owner *op, const struct kn_work *w)
{
	u32 n;

	kn_operands(d->k, op, &n);
	if (w->sort == KN_COPY_IN || w->sort == KN_FILL) {
		if (!use_allocated(d, op, w->bytes) && n)
			use(d, d->in[0], GS_WRITE, w->bytes);
	} else if (w->sort == KN_COPY_OUT && n) {
		use(d, d->in[n - 1], GS_READ, w->bytes);
	}
}

static u64 flops_of(const struct derive *d, const struct kn_owner *op)
{
	static const u8 sizes[GS_NR_DTYPES] = { 8, 4, 4, 2, 2, 1, 8, 4, 1, 1 };
	struct tr_shape shapes[16], out = { .ndims = 1 };
	u32 n;
	const struct kn_operand *o = kn_operands(d->k, op, &n);

	n = n < 16 ? n : 16;
	for (u32 i = 0; i < n; i++)
		shapes[i] = o[i].shape;
	if (n && op->allocs != KN_NONE)
		out.dim[0] = d->k->b->bufs[op->allocs].bytes / sizes[o[0].shape.dtype];
	return tr_aten_flops(tb_text(d->k->b, op->name), shapes, n, out.dim[0] ? &out : NULL);
}

/* A run of kernels of one operator begins. */
static void begin_run(struct derive *d)
{
	const struct kn_work *w = d->run;

	d->longest = 0;
	for (size_t i = 1; i < d->nrun; i++)
		if (w[i].sort == KN_KERNEL && w[i].ps > w[d->longest].ps)
			d->longest = i;
	find_operands(d, w);
	if (!d->k->nmemory)
		use_result(d, &d->k->owners[w->owner], w);
}

static void use_all(struct derive *d, const struct kn_work *w)
{
	const struct kn_owner *op = &d->k->owners[w->owner];
	u32 n;

	if (w == d->run)
		begin_run(d);
	if (w->sort != KN_KERNEL && w->sort != KN_COPY) {
		use_copy(d, op, w);
		return;
	}
	use_operands(d, op);
	use_allocated(d, op, U64_MAX);
	kn_operands(d->k, op, &n);
	for (size_t j = n; j < d->nin; j++)
		use(d, d->in[j], GS_WRITE, U64_MAX);
	if (w == &d->run[d->longest])
		d->k->b->last.flops = flops_of(d, op);
}

static void on_work(struct derive *d, const struct kn_work *w)
{
	struct tb_kernel *t = tb_kernel(d->k->b);
	const struct kn_owner *op = w->owner == KN_NONE ? NULL : &d->k->owners[w->owner];
	const struct kn_operand *o;
	u32 n = 0;

	t->name = w->name;
	t->ps = w->ps;
	t->device = w->device;
	t->stream = w->stream;
	t->phase = w->phase;
	t->opclass = kn_name(d->k, w->name)->opclass;
	if (op && w->sort == KN_KERNEL && kn_name(d->k, op->name)->opclass != GS_OTHER_CLASS)
		t->opclass = kn_name(d->k, op->name)->opclass;
	if (op) {
		o = kn_operands(d->k, op, &n);
		t->dtype = n ? o->shape.dtype : GS_OTHER_DTYPE;
		use_all(d, w);
	}
	*(t->nuses ? &d->told->with : &d->told->without) += 1;
}

/* ---- in order --------------------------------------------------------- */

/* Where allocations are not told, results end with their iteration. */
static void new_iteration(struct derive *d)
{
	tb_iteration(d->k->b);
	d->told->iterations++;
	d->pools.epoch++;
	d->pools.round += !d->k->nmemory;
}

/* Without steps of the profiler: an iteration ends with its optimizer. */
static void guess_iteration(struct derive *d, const struct kn_work *w)
{
	if (!d->told->iterations || (d->phase_before == GS_STEP && w->phase != GS_STEP))
		new_iteration(d);
	/* each phase begins to count anew */
	d->phase_before = w->phase;
}

static void begin_optimizer(struct derive *d)
{
	d->pools.epoch++;
}

static void old_ones_live(struct derive *d)
{
	for (u32 i = (u32)d->k->b->nbufs; i-- > 0;)
		if (d->k->b->bufs[i].old)
			kn_pool_add(&d->pools, i);
}

/* Steps of the profiler that began by @when. */
static void steps_until(struct derive *d, u64 when)
{
	const struct kn *k = d->k;

	for (; d->step < k->nsteps && k->steps[d->step].when <= when; d->step++)
		new_iteration(d);
}

/* Allocations and frees by @when, and the steps between them. */
static void memory_until(struct derive *d, u64 when)
{
	for (; d->memory && d->memory->when <= when; d->memory = tr_spill_next(d->k->memory)) {
		steps_until(d, d->memory->when);
		on_memory(d, d->memory);
	}
	steps_until(d, when);
}

/* The kernels that come next of one operator, or one of none.  False: there are none. */
static bool next_run(struct derive *d)
{
	u32 owner = d->work ? d->work->owner : KN_NONE;

	d->nrun = 0;
	do {
		if (!d->work)
			break;
		GS_PUSH_ROOM(d->run, d->nrun, d->run_cap);
		d->run[d->nrun++] = *d->work;
		d->work = tr_spill_next(d->k->work);
	} while (owner != KN_NONE && d->work && d->work->owner == owner);
	return d->nrun > 0;
}

static void resolve_work(struct derive *d, struct kn_work *w)
{
	memory_until(d, w->when);
	if (!d->k->nsteps)
		guess_iteration(d, w);
	if (w->phase == GS_STEP && d->phase != GS_STEP)
		begin_optimizer(d);
	d->phase = w->phase;
	if (w->sort == KN_COPY_IN && w->phase == GS_FORWARD)
		w->phase = GS_DATA;
	on_work(d, w);
}

int kn_resolve(struct kn *k, struct kn_told *told)
{
	struct derive d = { .k = k, .told = told, .pools.b = k->b, .phase = GS_OTHER_PHASE };
	int ret;

	d.next_alloc = gs_calloc(k->b->nbufs + 1, sizeof(u32));
	d.last_read = gs_calloc(k->b->nbufs + 1, sizeof(u32));
	tr_spill_rewind(k->memory);
	d.memory = tr_spill_next(k->memory);
	d.work = tr_spill_next(k->work);
	old_ones_live(&d);
	while (next_run(&d))
		for (size_t i = 0; i < d.nrun; i++)
			resolve_work(&d, &d.run[i]);
	for (; d.memory; d.memory = tr_spill_next(k->memory))
		on_memory(&d, d.memory);
	kn_pools_fini(&d.pools);
	free(d.next_alloc);
	free(d.last_read);
	free(d.run);
	free(d.in);
	ret = tr_spill_err(k->memory);
	return ret ? ret : tr_spill_err(k->work);
}
