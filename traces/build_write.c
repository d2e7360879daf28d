/* SPDX-License-Identifier: GPL-3.0-or-later */
/* build_write.c - a job put together: kinds, lives and addresses are derived, all is written */
#define _GNU_SOURCE /* qsort_r */
#include <errno.h>

#include "sim/out.h"
#include "traces/build.h"

enum {
	SMALL_ROUND = 512, /* as PyTorch's allocator rounds */
	LARGE = 1 << 20,   /* from here on to whole ... */
	LARGE_ROUND = 1 << 21
};
#define FIRST_VA (1ULL << 32) /* of buffers whose address is not known */

/* ---- kinds ------------------------------------------------------------ */

/*
 * What a buffer is for.  There before the first kernel: a weight, unless no
 * forward kernel uses it: then a gradient where backward kernels do, else
 * state of the optimizer.  Born later: after the phase of its first kernel.
 */
static u8 kind_of(const struct tb_buf *f)
{
	const u8 used = f->reads | f->writes, step = 1 << GS_STEP, back = 1 << GS_BACKWARD;

	if (f->kind != GS_NR_TENSOR_KINDS)
		return f->kind;
	if (f->first == U32_MAX)
		return GS_OTHER_KIND;
	if (f->life == TB_BEFORE || f->old) {
		if (used == step)
			return GS_OPTIMIZER;
		return used && !(used & ~(step | back)) ? GS_GRADIENT : GS_WEIGHT;
	}
	if (f->first == f->last)
		return GS_WORKSPACE;
	if (f->born == GS_BACKWARD)
		return GS_GRADIENT;
	return f->born == GS_STEP ? GS_WORKSPACE : GS_ACTIVATION;
}

/* ---- addresses --------------------------------------------------------- */

/* Free addresses of one rounded size: a caching allocator that never splits. */
struct bin {
	u64 bytes;
	u64 *va;
	size_t n, cap;
};

struct space {
	u64 next;
	struct bin *bins; /* hash table by size */
	u32 nslots, nbins;
};

static u64 rounded(u64 bytes)
{
	u64 unit = bytes < LARGE ? SMALL_ROUND : LARGE_ROUND;

	return gs_max(1, (bytes + unit - 1) / unit) * unit;
}

static struct bin *bin_slot(struct bin *bins, u32 nslots, u64 bytes)
{
	u32 i = (u32)gs_hash(&bytes, sizeof(bytes), 0) & (nslots - 1);

	while (bins[i].bytes && bins[i].bytes != bytes)
		i = (i + 1) & (nslots - 1);
	return &bins[i];
}

static struct bin *bin_of(struct space *s, u64 bytes)
{
	struct bin *bin;

	if (2 * s->nbins >= s->nslots) {
		u32 n = s->nslots ? 2 * s->nslots : 256;
		struct bin *bins = gs_calloc(n, sizeof(*bins));

		for (u32 i = 0; i < s->nslots; i++)
			if (s->bins[i].bytes)
				*bin_slot(bins, n, s->bins[i].bytes) = s->bins[i];
		free(s->bins);
		s->bins = bins;
		s->nslots = n;
	}
	bin = bin_slot(s->bins, s->nslots, bytes);
	s->nbins += !bin->bytes;
	bin->bytes = bytes;
	return bin;
}

static u64 place(struct space *s, u64 bytes)
{
	struct bin *bin = bin_of(s, rounded(bytes));
	u64 unit = bytes < LARGE ? SMALL_ROUND : LARGE_ROUND;

	if (bin->n)
		return bin->va[--bin->n];
	s->next = (s->next + unit - 1) / unit * unit;
	s->next += rounded(bytes);
	return s->next - rounded(bytes);
}

static void give_back(struct space *s, u64 va, u64 bytes)
{
	struct bin *bin = bin_of(s, rounded(bytes));

	GS_PUSH_ROOM(bin->va, bin->n, bin->cap);
	bin->va[bin->n++] = va;
}

static void space_fini(struct space *s)
{
	for (u32 i = 0; i < s->nslots; i++)
		free(s->bins[i].va);
	free(s->bins);
}

/* ---- writing ---------------------------------------------------------- */

struct output {
	struct tr_build *b;
	struct tr_writer *w;
	struct space space;
	struct gs_touch *touches;
	u64 nops;
	u32 ntensors, niterations;
	u32 *born, *dead; /* buffers of life TB_USED by first and by last kernel */
	size_t nlife, next_born, next_dead;
};

static int put(struct output *o, struct gs_op *op)
{
	int ret;

	op->index = o->nops++;
	ret = tr_writer_put(o->w, op);
	if (ret == -EINVAL)
		gs_err("%s: operation %llu: %s", o->b->path, op->index, tr_writer_why(o->w));
	return ret;
}

static int put_alloc(struct output *o, u32 buf)
{
	struct tb_buf *f = &o->b->bufs[buf];
	struct gs_op op = { .type = GS_OP_ALLOC, .device = f->device };

	if (!f->va)
		f->va = place(&o->space, f->bytes);
	f->id = o->ntensors++;
	op.alloc.tensor = f->id;
	op.alloc.kind = kind_of(f);
	op.alloc.va = f->va;
	op.alloc.bytes = f->bytes;
	op.alloc.name = tb_text(o->b, f->name);
	return put(o, &op);
}

static int put_free(struct output *o, u32 buf)
{
	const struct tb_buf *f = &o->b->bufs[buf];
	struct gs_op op = { .type = GS_OP_FREE };

	if (f->life == TB_USED)
		give_back(&o->space, f->va, f->bytes);
	op.free.tensor = f->id;
	return put(o, &op);
}

static int put_iteration(struct output *o)
{
	struct gs_op op = { .type = GS_OP_MARK };

	op.mark.iteration = true;
	op.mark.number = o->niterations++;
	op.mark.name = "iteration";
	return put(o, &op);
}

static int put_kernel(struct output *o, const struct tb_kernel *k)
{
	struct gs_op op = { .type = GS_OP_KERNEL, .device = k->device, .stream = k->stream };
	u64 bytes = 0;

	for (u32 i = 0; i < k->nuses; i++) {
		const struct tb_use *u = tr_spill_next(o->b->kernel_uses);

		if (!u)
			return tr_spill_err(o->b->kernel_uses);
		o->touches[i] = (struct gs_touch){ .tensor = o->b->bufs[u->buf].id,
						   .access = u->access,
						   .off = u->off,
						   .bytes = u->bytes };
		bytes += u->bytes;
	}
	op.kernel.name = tb_text(o->b, k->name);
	op.kernel.opclass = k->opclass;
	op.kernel.dtype = k->dtype;
	op.kernel.phase = k->phase;
	op.kernel.duration_ps = k->ps;
	op.kernel.flops = k->flops;
	op.kernel.bytes = bytes;
	op.kernel.ntouches = k->nuses;
	op.kernel.touches = o->touches;
	return put(o, &op);
}

static int put_event(struct output *o, const struct tb_event *e)
{
	return e->type == TB_ALLOC  ? put_alloc(o, e->buf)
	       : e->type == TB_FREE ? put_free(o, e->buf)
				    : put_iteration(o);
}

/* Everything that is there before the first kernel. */
static int put_old(struct output *o)
{
	int ret = 0;

	for (u32 i = 0; !ret && i < o->b->nbufs; i++) {
		const struct tb_buf *f = &o->b->bufs[i];

		if ((f->life == TB_BEFORE && f->bytes) || f->old)
			ret = put_alloc(o, i);
	}
	return ret;
}

/* Kernel @i with the buffers that live for it. */
static int put_step(struct output *o, const struct tb_kernel *k, u32 i)
{
	const struct tr_build *b = o->b;
	int ret = 0;

	while (!ret && o->next_born < o->nlife && b->bufs[o->born[o->next_born]].first == i)
		ret = put_alloc(o, o->born[o->next_born++]);
	if (!ret)
		ret = put_kernel(o, k);
	while (!ret && o->next_dead < o->nlife && b->bufs[o->dead[o->next_dead]].last == i)
		ret = put_free(o, o->dead[o->next_dead++]);
	return ret;
}

/* A job without marks is one iteration. */
static int put_all(struct output *o)
{
	const struct tr_build *b = o->b;
	const struct tb_event *e = tr_spill_next(b->events);
	const struct tb_kernel *k = tr_spill_next(b->kernels);
	struct gs_progress bar;
	int ret = put_old(o);

	gs_progress_begin(&bar, "write", b->nkernels);
	if (!ret && !b->iterations)
		ret = put_iteration(o);
	for (u32 i = 0; !ret && (k || e); i++) {
		for (; !ret && e && (!k || e->kernel == i); e = tr_spill_next(b->events))
			ret = put_event(o, e);
		if (!ret && k)
			ret = put_step(o, k, i);
		if (!(i & 0xfff))
			gs_progress_update(&bar, i);
		k = k ? tr_spill_next(b->kernels) : NULL;
	}
	gs_progress_end(&bar);
	ret = ret ? ret : tr_spill_err(b->events);
	return ret ? ret : tr_spill_err(b->kernels);
}

static int by_first(const void *x, const void *y, void *arg)
{
	const struct tb_buf *bufs = arg;
	u32 a = *(const u32 *)x, b = *(const u32 *)y;

	if (bufs[a].first != bufs[b].first)
		return bufs[a].first < bufs[b].first ? -1 : 1;
	return a < b ? -1 : a > b;
}

static int by_last(const void *x, const void *y, void *arg)
{
	const struct tb_buf *bufs = arg;
	u32 a = *(const u32 *)x, b = *(const u32 *)y;

	if (bufs[a].last != bufs[b].last)
		return bufs[a].last < bufs[b].last ? -1 : 1;
	return a < b ? -1 : a > b;
}

static void plan_lives(struct output *o)
{
	struct tr_build *b = o->b;

	o->born = gs_calloc(b->nbufs + 1, sizeof(u32));
	for (u32 i = 0; i < b->nbufs; i++)
		if (b->bufs[i].life == TB_USED && b->bufs[i].first != U32_MAX)
			o->born[o->nlife++] = i;
	o->dead = gs_calloc(o->nlife + 1, sizeof(u32));
	memcpy(o->dead, o->born, o->nlife * sizeof(u32));
	qsort_r(o->born, o->nlife, sizeof(u32), by_first, b->bufs);
	qsort_r(o->dead, o->nlife, sizeof(u32), by_last, b->bufs);
}

/* Derived addresses lie behind all recorded ones. */
static u64 first_va(const struct tr_build *b)
{
	u64 va = FIRST_VA;

	for (size_t i = 0; i < b->nbufs; i++)
		if (b->bufs[i].va && b->bufs[i].va < U64_MAX / 2)
			va = gs_max(va, b->bufs[i].va + b->bufs[i].bytes);
	return va;
}

int tb_write(struct tr_build *b, const char *out, const struct tr_meta *meta, struct tr_writer **w)
{
	struct output o = { .b = b, .w = tr_writer_new(out, meta) };
	int ret;

	*w = NULL;
	if (!o.w)
		return -EIO;
	tb_rewind(b);
	o.touches = gs_calloc(b->most_uses + 1, sizeof(*o.touches));
	o.space.next = first_va(b);
	plan_lives(&o);
	ret = put_all(&o);
	if (ret)
		tr_writer_abort(o.w);
	else
		*w = o.w;
	space_fini(&o.space);
	free(o.touches);
	free(o.born);
	free(o.dead);
	return ret;
}
