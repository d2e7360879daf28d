/* SPDX-License-Identifier: GPL-3.0-or-later */
/* gen_emit.c - values with addresses, kernels with operands, to the writer */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "traces/gen.h"

enum { ALIGN = 512, DEVICE_SHIFT = 44 }; /* as the caching allocator rounds; 16 TiB a device */

struct hole {
	u64 off, bytes;
};

/* Holes below `end`, by address, never adjacent. */
struct gen_arena {
	struct hole *hole;
	size_t n, cap;
	u64 end;
};

/* ---- addresses ----------------------------------------------------------- */

static u64 aligned(u64 bytes)
{
	return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static void hole_remove(struct gen_arena *a, size_t i)
{
	memmove(a->hole + i, a->hole + i + 1, (--a->n - i) * sizeof(*a->hole));
}

/* Best fit; the lowest among equals. */
static u64 arena_take(struct gen_arena *a, u64 bytes)
{
	size_t best = a->n;
	u64 off;

	bytes = aligned(bytes);
	for (size_t i = 0; i < a->n; i++)
		if (a->hole[i].bytes >= bytes &&
		    (best == a->n || a->hole[i].bytes < a->hole[best].bytes))
			best = i;
	if (best == a->n) {
		off = a->end;
		a->end += bytes;
		return off;
	}
	off = a->hole[best].off;
	a->hole[best].off += bytes;
	a->hole[best].bytes -= bytes;
	if (!a->hole[best].bytes)
		hole_remove(a, best);
	return off;
}

static void arena_give(struct gen_arena *a, u64 off, u64 bytes)
{
	size_t i = 0, top = a->n;

	bytes = aligned(bytes);
	while (i < top) { /* the first hole above @off */
		size_t mid = (i + top) / 2;

		if (a->hole[mid].off > off)
			top = mid;
		else
			i = mid + 1;
	}
	if (i && a->hole[i - 1].off + a->hole[i - 1].bytes == off) {
		a->hole[--i].bytes += bytes;
	} else {
		GS_PUSH_ROOM(a->hole, a->n, a->cap);
		memmove(a->hole + i + 1, a->hole + i, (a->n++ - i) * sizeof(*a->hole));
		a->hole[i] = (struct hole){ off, bytes };
	}
	if (i + 1 < a->n && a->hole[i].off + a->hole[i].bytes == a->hole[i + 1].off) {
		a->hole[i].bytes += a->hole[i + 1].bytes;
		hole_remove(a, i + 1);
	}
}

void gen_groups_init(struct gen *g, u32 groups, u32 devices_each)
{
	g->ngroups = groups;
	g->groups = gs_calloc(groups, sizeof(*g->groups));
	for (u32 i = 0; i < groups; i++) {
		g->groups[i].first = (u16)(i * devices_each);
		g->groups[i].n = (u16)devices_each;
		g->groups[i].arena = gs_calloc(1, sizeof(struct gen_arena));
	}
	g->grp = g->groups;
}

void gen_emit_fini(struct gen *g)
{
	for (u32 i = 0; i < g->ngroups; i++) {
		free(g->groups[i].arena->hole);
		free(g->groups[i].arena);
		free(g->groups[i].flag);
	}
	free(g->groups);
	free(g->touches);
	free(g->tvals);
}

/* ---- values ---------------------------------------------------------------- */

u64 gen_dtype_bytes(u8 dtype)
{
	static const u8 bytes[GS_NR_DTYPES] = {
		[GS_F64] = 8, [GS_F32] = 4, [GS_TF32] = 4, [GS_F16] = 2, [GS_BF16] = 2,
		[GS_F8] = 1,  [GS_I64] = 8, [GS_I32] = 4,  [GS_I8] = 1,	 [GS_OTHER_DTYPE] = 1,
	};

	return bytes[dtype];
}

static void put(struct gen *g, const struct gs_op *op)
{
	if (g->err)
		return;
	g->err = tr_writer_put(g->w, op);
	if (g->err)
		gs_err("generator: %s", tr_writer_why(g->w));
}

static void put_allocs(struct gen *g, const struct gen_val *v, const char *name)
{
	for (u32 i = 0; i < v->grp->n; i++) {
		struct gs_op op = { .type = GS_OP_ALLOC, .device = (u16)(v->grp->first + i) };

		op.alloc.tensor = v->id + i;
		op.alloc.kind = v->kind;
		op.alloc.va = ((u64)op.device + 1) << DEVICE_SHIFT | v->off;
		op.alloc.bytes = v->bytes;
		op.alloc.name = name;
		put(g, &op);
	}
}

/* Addresses of a device end where the next one's begin, and there are 2^32 tensors. */
static void check_room(struct gen *g, const struct gen_val *v)
{
	if (g->err)
		return;
	if (g->o.devices > 1 && v->off + v->bytes > 1ULL << DEVICE_SHIFT)
		gs_err("trace gen: a device of several would hold more than 16 TiB");
	else if (g->next_id < v->id)
		gs_err("trace gen: more than 2^32 tensors; ask for fewer --iterations");
	else
		return;
	g->err = -EINVAL;
}

struct gen_val *gen_new(struct gen *g, u8 kind, u8 dtype, u64 elems, const char *fmt, ...)
{
	struct gen_val *v = gs_calloc(1, sizeof(*v));
	char name[192];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	v->id = g->next_id;
	g->next_id += g->grp->n;
	v->kind = kind;
	v->dtype = dtype;
	v->elems = elems;
	v->bytes = elems * gen_dtype_bytes(dtype);
	v->grp = g->grp;
	v->holds = v->refs = 1;
	v->off = arena_take(v->grp->arena, v->bytes);
	check_room(g, v);
	put_allocs(g, v, name);
	return v;
}

struct gen_val *gen_tmp(struct gen *g, u8 dtype, u64 elems, const char *what)
{
	bool forward = g->forward;
	struct gen_val *v;

	v = gen_new(g, forward ? GS_ACTIVATION : GS_WORKSPACE, dtype, elems, "%s%s%s",
		    forward ? g->scope : "", forward && *g->scope ? "/" : "", what);
	v->wants_grad = forward;
	return v;
}

struct gen_val *gen_hold(struct gen_val *v)
{
	v->holds++;
	return gen_ref(v);
}

struct gen_val *gen_ref(struct gen_val *v)
{
	v->refs++;
	return v;
}

void gen_unref(struct gen *g, struct gen_val *v)
{
	(void)g;
	if (!v || --v->refs)
		return;
	gs_assert(!v->holds && !v->grad);
	free(v);
}

void gen_drop(struct gen *g, struct gen_val *v)
{
	if (!v)
		return;
	gs_assert(v->holds);
	if (!--v->holds) {
		for (u32 i = 0; i < v->grp->n; i++) {
			struct gs_op op = { .type = GS_OP_FREE,
					    .device = (u16)(v->grp->first + i) };

			op.free.tensor = v->id + i;
			put(g, &op);
		}
		arena_give(v->grp->arena, v->off, v->bytes);
	}
	gen_unref(g, v);
}

/* ---- kernels ----------------------------------------------------------------- */

void gen_k(struct gen *g, const char *name, u8 opclass, u64 flops)
{
	g->op = (struct gs_op){ .type = GS_OP_KERNEL, .stream = g->stream };
	g->op.kernel.name = name;
	g->op.kernel.opclass = opclass;
	g->op.kernel.dtype = g->dtype;
	g->op.kernel.phase = g->phase;
	g->op.kernel.flops = flops;
	g->ntouches = 0;
	g->kbytes = 0;
}

static struct gs_touch *touch_new(struct gen *g, struct gen_val *v, u64 off, u64 bytes, u8 access)
{
	struct gs_touch *t;

	gs_assert(v->holds);
	if (g->ntouches == g->captouches) {
		g->captouches = g->captouches ? 2 * g->captouches : 64;
		g->touches = gs_realloc_array(g->touches, g->captouches, sizeof(*g->touches));
		g->tvals = gs_realloc_array(g->tvals, g->captouches, sizeof(*g->tvals));
	}
	g->tvals[g->ntouches] = v;
	t = &g->touches[g->ntouches++];
	*t = (struct gs_touch){ .tensor = v->id, .access = access, .off = off, .bytes = bytes };
	g->kbytes += bytes * (access == (GS_READ | GS_WRITE) ? 2 : 1);
	return t;
}

void gen_touch_part(struct gen *g, struct gen_val *v, u64 off, u64 bytes, u8 access)
{
	if (bytes)
		touch_new(g, v, off, bytes, access);
}

void gen_touch(struct gen *g, struct gen_val *v, u8 access)
{
	gen_touch_part(g, v, 0, v->bytes, access);
}

void gen_touch_row(struct gen *g, struct gen_val *v, u64 stride, u8 access)
{
	struct gs_touch *t = touch_new(g, v, 0, v->bytes, access);

	t->pattern = GS_STRIDED;
	t->stride = stride;
}

void gen_touch_peer(struct gen *g, struct gen_val *v, u32 i, u64 off, u64 bytes, u8 access)
{
	if (!bytes)
		return;
	touch_new(g, v, off, bytes, access)->tensor += i;
	g->tvals[g->ntouches - 1] = NULL; /* the same for all devices */
}

void gen_touch_all(struct gen *g, u8 access, struct gen_val **v)
{
	for (; *v; v++)
		gen_touch(g, *v, access);
}

void gen_k_end_on(struct gen *g, u32 i, u64 bytes, u64 duration_ps)
{
	for (size_t t = 0; t < g->ntouches; t++)
		if (g->tvals[t])
			g->touches[t].tensor = g->tvals[t]->id + i;
	g->op.device = (u16)(g->grp->first + i);
	g->op.kernel.bytes = bytes;
	g->op.kernel.duration_ps = duration_ps;
	g->op.kernel.ntouches = (u32)g->ntouches;
	g->op.kernel.touches = g->touches;
	put(g, &g->op);
}

void gen_k_end_bytes(struct gen *g, u64 bytes)
{
	for (u32 i = 0; i < g->grp->n; i++)
		gen_k_end_on(g, i, bytes, 0);
}

void gen_k_end(struct gen *g)
{
	gen_k_end_bytes(g, g->kbytes);
}

struct gen_val *gen_op(struct gen *g, const char *name, u8 opclass, u64 flops, struct gen_val *a,
		       struct gen_val *b, u64 elems)
{
	const char *bare = strncmp(name, "aten.", 5) ? name : name + 5;
	struct gen_val *out = gen_tmp(g, g->dtype, elems, bare);

	gen_k(g, name, opclass, flops);
	gen_in(g, a, b);
	gen_out(g, out);
	gen_k_end(g);
	return out;
}

void gen_host(struct gen *g, struct gen_val *v, u64 off, u64 bytes, u8 access)
{
	for (u32 i = 0; i < v->grp->n && bytes; i++) {
		struct gs_op op = { .type = GS_OP_HOST };

		op.host.tensor = v->id + i;
		op.host.off = off;
		op.host.bytes = bytes;
		op.host.access = access;
		put(g, &op);
	}
}

void gen_refill(struct gen *g, struct gen_val **v, u8 dtype, u64 elems, const char *fmt, ...)
{
	struct gen_val *fresh;
	char name[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	fresh = gen_new(g, GS_INPUT, dtype, elems, "%s", name);
	gen_host(g, fresh, 0, fresh->bytes, GS_WRITE);
	gen_drop(g, *v);
	*v = fresh;
}

void gen_mark(struct gen *g, u32 iteration)
{
	struct gs_op op = { .type = GS_OP_MARK };

	op.mark.iteration = true;
	op.mark.number = iteration;
	op.mark.name = "iteration";
	put(g, &op);
}
