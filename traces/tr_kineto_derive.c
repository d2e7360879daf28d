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

/*
 * PyTorch's allocator rounds to 512 bytes, and leaves up to 1 MiB at the end
 * of a block of more than 1 MiB: the block is reported, not what was asked for.
 */
enum { ROUND = 512, SLACK = 1 << 20 };

/*
 * Buffers of about one size on one device: live ones by class (of 512 bytes, or
 * of 1 MiB above that), those that were there before by their exact size.
 */
struct pool {
	u64 key; /* 0: empty slot */
	u32 *live;
	size_t n, cap;
	u32 *old; /* there before, in order of first use */
	size_t nold, old_cap;
	size_t cursor; /* in old: forward goes up from 0, backward down */
};

struct derive {
	struct kn *k;
	struct kn_told *told;
	struct pool *pools;
	u32 npools, nslots;
	u32 *next_alloc; /* by buffer: the one that its operator allocated before */
	u32 *last_read;	 /* by buffer: number of the kernel, from 1 */
	u32 *stamps;	 /* by buffer: when it was written or allocated last */
	u32 stamp;
	size_t nstamps, stamps_cap;
	u32 last_op; /* whose operands are in in[] */
	u32 *in;
	size_t nin, in_cap;
	size_t run_end; /* work of the operator goes up to here */
	size_t longest; /* ... and this kernel of it gets its FLOPs */
	u8 phase_before;
	size_t memory, step; /* events that come */
};

/* ---- pools ------------------------------------------------------------ */

enum sort_of_pool { EXACT, CLASS };

static u64 key_of(enum sort_of_pool sort, u16 device, u64 bytes)
{
	u64 round = (bytes + ROUND - 1) / ROUND;

	if (sort == CLASS && bytes > SLACK)
		round = 1ULL << 40 | bytes / SLACK;
	return round << 12 | (u64)sort << 11 | (u64)(device + 1);
}

static struct pool *pool_slot(struct pool *pools, u32 nslots, u64 key)
{
	u32 i = (u32)gs_hash(&key, sizeof(key), 0) & (nslots - 1);

	while (pools[i].key && pools[i].key != key)
		i = (i + 1) & (nslots - 1);
	return &pools[i];
}

static struct pool *pool_of(struct derive *d, enum sort_of_pool sort, u16 device, u64 bytes)
{
	u64 key = key_of(sort, device, bytes);
	struct pool *p;

	if (2 * d->npools >= d->nslots) {
		u32 n = d->nslots ? 2 * d->nslots : 256;
		struct pool *pools = gs_calloc(n, sizeof(*pools));

		for (u32 i = 0; i < d->nslots; i++)
			if (d->pools[i].key)
				*pool_slot(pools, n, d->pools[i].key) = d->pools[i];
		free(d->pools);
		d->pools = pools;
		d->nslots = n;
	}
	p = pool_slot(d->pools, d->nslots, key);
	d->npools += !p->key;
	p->key = key;
	return p;
}

static void stamp(struct derive *d, u32 buf)
{
	while (d->nstamps <= buf) {
		GS_PUSH_ROOM(d->stamps, d->nstamps, d->stamps_cap);
		d->stamps[d->nstamps++] = 0;
	}
	d->stamps[buf] = ++d->stamp;
}

static void live_add(struct derive *d, u32 buf)
{
	const struct tb_buf *f = &d->k->b->bufs[buf];
	struct pool *p = pool_of(d, CLASS, f->device, f->bytes);

	GS_PUSH_ROOM(p->live, p->n, p->cap);
	p->live[p->n++] = buf;
	stamp(d, buf);
}

static void live_remove(struct derive *d, u32 buf)
{
	const struct tb_buf *f = &d->k->b->bufs[buf];
	struct pool *p = pool_of(d, CLASS, f->device, f->bytes);

	for (size_t i = p->n; i-- > 0;) {
		if (p->live[i] != buf)
			continue;
		memmove(p->live + i, p->live + i + 1, (p->n - i - 1) * sizeof(*p->live));
		p->n--;
		return;
	}
}

static void pools_fini(struct derive *d)
{
	for (u32 i = 0; i < d->nslots; i++) {
		free(d->pools[i].live);
		free(d->pools[i].old);
	}
	free(d->pools);
}

/* ---- buffers that the allocator's events tell ------------------------------ */

/* By address, or where there are none by size: what is allocated. */
struct known {
	u64 key; /* 0: empty */
	u32 *bufs;
	size_t n, cap;
};

static struct known *known_slot(struct known *t, u32 n, u64 key)
{
	u32 i = (u32)gs_hash(&key, sizeof(key), 0) & (n - 1);

	while (t[i].key && t[i].key != key)
		i = (i + 1) & (n - 1);
	return &t[i];
}

static u64 memory_key(const struct kn *k, const struct kn_memory *m)
{
	u64 bytes = m->bytes < 0 ? -(u64)m->bytes : (u64)m->bytes;
	u64 what[2] = { m->device, k->no_addresses ? bytes : m->va };

	return gs_hash(what, sizeof(what), 0) | 1;
}

/*
 * A buffer of each allocation.  Freed without having been allocated: was there
 * before.  Without addresses only sizes can be counted here: which buffer is
 * freed is decided when its readers are known.
 */
void kn_buffers(struct kn *k)
{
	u32 n = 1024;
	struct known *table;

	while (n < 2 * k->nmemory)
		n *= 2;
	table = gs_calloc(n, sizeof(*table));
	for (size_t i = 0; i < k->nmemory; i++) {
		struct kn_memory *m = &k->memory[i];
		struct known *s = known_slot(table, n, memory_key(k, m));

		s->key = memory_key(k, m);
		if (m->bytes < 0 && s->n) {
			m->buf = s->bufs[--s->n];
			m->buf = k->no_addresses ? KN_NONE : m->buf;
			continue;
		}
		m->buf = tb_buffer(k->b, m->bytes < 0 ? -(u64)m->bytes : (u64)m->bytes, TB_EVENTS,
				   m->device);
		k->b->bufs[m->buf].va = m->va;
		k->b->bufs[m->buf].old = m->bytes < 0;
		if (m->bytes < 0)
			continue;
		GS_PUSH_ROOM(s->bufs, s->n, s->cap);
		s->bufs[s->n++] = m->buf;
	}
	for (u32 i = 0; i < n; i++)
		free(table[i].bufs);
	free(table);
}

/*
 * The buffer that a free without an address means: one that the same operator
 * allocated; else of those of its size the one that was read last, else the newest.
 */
static u32 freed(struct derive *d, const struct kn_memory *m)
{
	const struct tb_buf *bufs = d->k->b->bufs;
	const struct pool *p = pool_of(d, CLASS, m->device, -(u64)m->bytes);
	u32 best = KN_NONE;

	for (size_t i = p->n; i-- > 0;) {
		u32 buf = p->live[i];

		if (bufs[buf].bytes != -(u64)m->bytes || bufs[buf].life != TB_EVENTS)
			continue;
		if (m->op != KN_NONE && d->k->ops[m->op].allocs == buf)
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
		live_remove(d, buf);
		tb_free(d->k->b, buf);
		return;
	}
	tb_alloc(d->k->b, m->buf);
	live_add(d, m->buf);
	if (m->op == KN_NONE)
		return;
	d->next_alloc[m->buf] = d->k->ops[m->op].allocs;
	d->k->ops[m->op].allocs = m->buf;
}

/* ---- operands of an operator ---------------------------------------------- */

static bool taken(const struct derive *d, u32 buf)
{
	for (size_t i = 0; i < d->nin; i++)
		if (d->in[i] == buf)
			return true;
	return false;
}

static u32 new_old(struct derive *d, struct pool *p, u16 device, u64 bytes)
{
	u32 buf = tb_buffer(d->k->b, bytes, TB_BEFORE, device);

	d->told->guesses++;
	d->told->guessed_bytes += bytes;
	GS_PUSH_ROOM(p->old, p->nold, p->old_cap);
	p->old[p->nold++] = buf;
	return buf;
}

/*
 * The n-th buffer of a size that forward kernels want is the n-th in each
 * iteration; backward kernels want them in the opposite order.
 */
static u32 old_buffer(struct derive *d, struct pool *p, u8 phase, u16 device, u64 bytes)
{
	if (phase == GS_BACKWARD && p->nold) {
		p->cursor = p->cursor ? p->cursor - 1 : p->nold - 1;
		return p->old[p->cursor];
	}
	if (phase == GS_STEP && p->nold)
		return p->old[p->cursor++ % p->nold];
	if (p->cursor < p->nold)
		return p->old[p->cursor++];
	p->cursor++;
	return new_old(d, p, device, bytes);
}

/* The live buffer that fits and was written last. */
static u32 find_live(struct derive *d, u64 bytes, u16 device)
{
	const u64 need = (bytes + ROUND - 1) / ROUND * ROUND;
	const u64 most = bytes > SLACK ? need + SLACK : need;
	u32 best = KN_NONE;

	for (u64 look = need; look <= most; look += SLACK) {
		const struct pool *p = pool_of(d, CLASS, device, look);

		for (size_t i = 0; i < p->n; i++) {
			u64 have = d->k->b->bufs[p->live[i]].bytes;

			if (have < bytes || have > most || taken(d, p->live[i]))
				continue;
			if (best == KN_NONE || d->stamps[p->live[i]] > d->stamps[best])
				best = p->live[i];
		}
	}
	return best;
}

static u32 find_buffer(struct derive *d, const struct kn_operand *o, bool parameter, u8 phase,
		       u16 device)
{
	u32 buf = KN_NONE;

	if (!parameter || phase != GS_FORWARD)
		buf = find_live(d, o->bytes, device);
	if (buf != KN_NONE)
		return buf;
	return old_buffer(d, pool_of(d, EXACT, device, o->bytes), phase, device, o->bytes);
}

static void find_operands(struct derive *d, const struct kn_work *w)
{
	const struct kn_op *op = &d->k->ops[w->op];
	u32 parameters = tr_aten_parameters(tb_text(d->k->b, op->name)), n;
	const struct kn_operand *o = kn_operands(d->k, op, &n);

	d->nin = 0;
	d->last_op = w->op;
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
		stamp(d, buf);
}

static void use(struct derive *d, u32 buf, u8 access, u64 bytes)
{
	tb_use(d->k->b, buf, access, 0, gs_min(bytes, d->k->b->bufs[buf].bytes));
	if ((access & GS_READ) && d->k->b->bufs[buf].life == TB_EVENTS)
		d->last_read[buf] = (u32)d->k->b->nkernels;
	if (access & GS_WRITE)
		written(d, buf);
}

static bool is_live(struct derive *d, u32 buf)
{
	const struct tb_buf *f = &d->k->b->bufs[buf];
	const struct pool *p = pool_of(d, CLASS, f->device, f->bytes);

	for (size_t i = p->n; i-- > 0;)
		if (p->live[i] == buf)
			return true;
	return false;
}

/* What the operator allocated and still has is written.  Was there any? */
static bool use_allocated(struct derive *d, const struct kn_op *op, u64 bytes)
{
	bool any = false;

	for (u32 a = op->allocs; a != KN_NONE; a = d->next_alloc[a]) {
		if (!is_live(d, a))
			continue;
		use(d, a, GS_WRITE, bytes);
		any = true;
	}
	return any;
}

static void use_operands(struct derive *d, const struct kn_op *op)
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
static void use_result(struct derive *d, const struct kn_op *op, const struct kn_work *w)
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
	live_add(d, d->in[d->nin++]);
}

static void use_copy(struct derive *d, const struct kn_op *op, const struct kn_work *w)
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

static u64 flops_of(const struct derive *d, const struct kn_op *op)
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

/* A run of kernels of one operator begins at @i. */
static void begin_run(struct derive *d, size_t i)
{
	const struct kn *k = d->k;

	d->longest = i;
	for (d->run_end = i; d->run_end < k->nwork; d->run_end++) {
		const struct kn_work *w = &k->work[d->run_end];

		if (w->op != k->work[i].op)
			break;
		if (w->sort == KN_KERNEL && w->ps > k->work[d->longest].ps)
			d->longest = d->run_end;
	}
	find_operands(d, &k->work[i]);
	if (!k->nmemory)
		use_result(d, &k->ops[k->work[i].op], &k->work[i]);
}

static void use_all(struct derive *d, size_t i)
{
	const struct kn_work *w = &d->k->work[i];
	const struct kn_op *op = &d->k->ops[w->op];
	u32 n;

	if (d->last_op != w->op || i >= d->run_end)
		begin_run(d, i);
	if (w->sort != KN_KERNEL && w->sort != KN_COPY) {
		use_copy(d, op, w);
		return;
	}
	use_operands(d, op);
	use_allocated(d, op, U64_MAX);
	kn_operands(d->k, op, &n);
	for (size_t j = n; j < d->nin; j++)
		use(d, d->in[j], GS_WRITE, U64_MAX);
	if (i == d->longest)
		d->k->b->kernels[d->k->b->nkernels - 1].flops = flops_of(d, op);
}

static void on_work(struct derive *d, size_t i)
{
	struct kn_work *w = &d->k->work[i];
	struct tb_kernel *t = tb_kernel(d->k->b);
	const struct kn_op *op = w->op == KN_NONE ? NULL : &d->k->ops[w->op];
	const struct kn_operand *o;
	u32 n = 0;

	if (w->sort == KN_COPY_IN && w->phase == GS_FORWARD)
		w->phase = GS_DATA;
	t->name = w->name;
	t->ps = w->ps;
	t->device = w->device;
	t->stream = w->stream;
	t->phase = w->phase;
	t->opclass = tr_aten_class(tb_text(d->k->b, w->name));
	if (op && (w->sort == KN_KERNEL) &&
	    tr_aten_class(tb_text(d->k->b, op->name)) != GS_OTHER_CLASS)
		t->opclass = tr_aten_class(tb_text(d->k->b, op->name));
	if (op) {
		o = kn_operands(d->k, op, &n);
		t->dtype = n ? o->shape.dtype : GS_OTHER_DTYPE;
		use_all(d, i);
	}
	t = &d->k->b->kernels[d->k->b->nkernels - 1];
	*(t->nuses ? &d->told->with : &d->told->without) += 1;
}

/* ---- in order --------------------------------------------------------- */

static void new_iteration(struct derive *d)
{
	tb_iteration(d->k->b);
	d->told->iterations++;
	for (u32 i = 0; i < d->nslots; i++)
		d->pools[i].cursor = 0;
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
	for (u32 i = 0; i < d->nslots; i++)
		d->pools[i].cursor = 0;
}

static void old_ones_live(struct derive *d)
{
	for (size_t i = d->k->nmemory; i-- > 0;)
		if (d->k->memory[i].bytes < 0 && d->k->memory[i].buf != KN_NONE &&
		    d->k->b->bufs[d->k->memory[i].buf].old)
			live_add(d, d->k->memory[i].buf);
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
	const struct kn *k = d->k;

	for (; d->memory < k->nmemory && k->memory[d->memory].when <= when; d->memory++) {
		steps_until(d, k->memory[d->memory].when);
		on_memory(d, &k->memory[d->memory]);
	}
	steps_until(d, when);
}

void kn_resolve(struct kn *k, struct kn_told *told)
{
	struct derive d = { .k = k, .told = told, .last_op = KN_NONE };
	u8 phase = GS_OTHER_PHASE;

	d.next_alloc = gs_calloc(k->b->nbufs + 1, sizeof(u32));
	d.last_read = gs_calloc(k->b->nbufs + 1, sizeof(u32));
	old_ones_live(&d);
	for (size_t i = 0; i < k->nwork; i++) {
		const struct kn_work *w = &k->work[i];

		memory_until(&d, w->when);
		if (!k->nsteps)
			guess_iteration(&d, w);
		if (w->phase == GS_STEP && phase != GS_STEP)
			begin_optimizer(&d);
		phase = w->phase;
		on_work(&d, i);
	}
	for (; d.memory < k->nmemory; d.memory++)
		on_memory(&d, &k->memory[d.memory]);
	pools_fini(&d);
	free(d.next_alloc);
	free(d.last_read);
	free(d.stamps);
	free(d.in);
}
