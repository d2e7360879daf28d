/* SPDX-License-Identifier: GPL-3.0-or-later */
/* build.c - a job put together from what a foreign trace tells: collection */
#include "traces/build.h"

enum { NAME_MAX_BYTES = 1024, TABLE_MEMORY = 1 << 20 };

void tb_init(struct tr_build *b, const char *path)
{
	*b = (struct tr_build){ .path = path };
	b->kernels = tr_spill_new(sizeof(struct tb_kernel), NULL, TABLE_MEMORY);
	b->kernel_uses = tr_spill_new(sizeof(struct tb_use), NULL, TABLE_MEMORY);
	b->events = tr_spill_new(sizeof(struct tb_event), NULL, TABLE_MEMORY);
	tr_put_u8(&b->texts, 0);
}

void tb_fini(struct tr_build *b)
{
	free(b->bufs);
	free(b->uses);
	tr_spill_free(b->kernels);
	tr_spill_free(b->kernel_uses);
	tr_spill_free(b->events);
	free(b->slots);
	tr_buf_fini(&b->texts);
}

/* ---- names ------------------------------------------------------------ */

const char *tb_text(const struct tr_build *b, u32 name)
{
	return (const char *)b->texts.p + name;
}

static u32 *name_slot(const struct tr_build *b, u32 *slots, u32 nslots, const char *s)
{
	u32 i = (u32)gs_hash(s, strlen(s), 0) & (nslots - 1);

	while (slots[i] && strcmp(tb_text(b, slots[i]), s))
		i = (i + 1) & (nslots - 1);
	return &slots[i];
}

static void names_grow(struct tr_build *b)
{
	u32 n = b->nslots ? 2 * b->nslots : 1024, *slots = gs_calloc(n, sizeof(*slots));

	for (u32 i = 0; i < b->nslots; i++)
		if (b->slots[i])
			*name_slot(b, slots, n, tb_text(b, b->slots[i])) = b->slots[i];
	free(b->slots);
	b->slots = slots;
	b->nslots = n;
}

/* Up to NAME_MAX_BYTES of @s, whole characters; '?' for what is none, ' ' for controls. */
static void clean(const char *s, char *to)
{
	size_t n = 0;

	while (*s) {
		u32 cp;
		size_t len = gs_utf8(s, &cp);

		if (n + (len ? len : 1) > NAME_MAX_BYTES)
			break;
		if (!len) {
			to[n++] = '?';
			s++;
			continue;
		}
		if (cp < 32 || (cp >= 127 && cp < 160))
			to[n++] = ' ';
		else
			for (size_t i = 0; i < len; i++)
				to[n++] = s[i];
		s += len;
	}
	to[n] = 0;
}

u32 tb_name(struct tr_build *b, const char *s)
{
	char text[NAME_MAX_BYTES + 1];
	u32 *slot;

	if (!*s)
		return 0;
	clean(s, text);
	if (2 * b->nnames >= b->nslots)
		names_grow(b);
	slot = name_slot(b, b->slots, b->nslots, text);
	if (!*slot) {
		*slot = (u32)b->texts.n;
		tr_put_bytes(&b->texts, text, strlen(text) + 1);
		b->nnames++;
	}
	return *slot;
}

/* ---- collection ------------------------------------------------------- */

u32 tb_buffer(struct tr_build *b, u64 bytes, enum tb_life life, u16 device)
{
	GS_PUSH_ROOM(b->bufs, b->nbufs, b->bufs_cap);
	b->bufs[b->nbufs] = (struct tb_buf){ .bytes = bytes,
					     .first = U32_MAX,
					     .id = U32_MAX,
					     .device = device,
					     .life = (u8)life,
					     .kind = GS_NR_TENSOR_KINDS };
	return (u32)b->nbufs++;
}

static void kernel_end(struct tr_build *b)
{
	if (!b->open)
		return;
	tr_spill_put(b->kernels, &b->last);
	for (u32 i = 0; i < b->last.nuses; i++)
		tr_spill_put(b->kernel_uses, &b->uses[i]);
	b->most_uses = (u32)gs_max(b->most_uses, b->last.nuses);
	b->open = false;
}

struct tb_kernel *tb_kernel(struct tr_build *b)
{
	kernel_end(b);
	b->last = (struct tb_kernel){ .opclass = GS_OTHER_CLASS,
				      .dtype = GS_OTHER_DTYPE,
				      .phase = GS_OTHER_PHASE };
	b->open = true;
	b->nkernels++;
	return &b->last;
}

void tb_kernel_drop(struct tr_build *b)
{
	gs_assert(b->open && !b->last.nuses);
	b->open = false;
	b->nkernels--;
}

/* One operand for ranges of a buffer that touch each other. */
static bool join(struct tr_build *b, const struct tb_use *u)
{
	for (u32 i = 0; i < b->last.nuses; i++) {
		struct tb_use *o = &b->uses[i];
		u64 end = gs_max(o->off + o->bytes, u->off + u->bytes);

		if (o->buf != u->buf || o->off > u->off + u->bytes || u->off > o->off + o->bytes)
			continue;
		o->off = gs_min(o->off, u->off);
		o->bytes = end - o->off;
		o->access |= u->access;
		return true;
	}
	return false;
}

void tb_use(struct tr_build *b, u32 buf, u8 access, u64 off, u64 bytes)
{
	struct tb_kernel *k = &b->last;
	struct tb_buf *f = &b->bufs[buf];
	struct tb_use use = { buf, access, off, bytes };

	if (!bytes || off > U64_MAX - bytes || k->nuses == U16_MAX)
		return;
	f->bytes = gs_max(f->bytes, off + bytes);
	if (f->first == U32_MAX) {
		f->first = b->nkernels - 1;
		f->born = k->phase;
	}
	f->last = b->nkernels - 1;
	if (access & GS_READ)
		f->reads |= (u8)(1 << k->phase);
	if (access & GS_WRITE)
		f->writes |= (u8)(1 << k->phase);
	if (join(b, &use))
		return;
	GS_PUSH_ROOM(b->uses, k->nuses, b->uses_cap);
	b->uses[k->nuses++] = use;
}

static void event(struct tr_build *b, enum tb_event_type type, u32 buf)
{
	struct tb_event e = { .kernel = b->nkernels, .type = type, .buf = buf };

	tr_spill_put(b->events, &e);
}

void tb_alloc(struct tr_build *b, u32 buf)
{
	event(b, TB_ALLOC, buf);
}

void tb_free(struct tr_build *b, u32 buf)
{
	event(b, TB_FREE, buf);
}

void tb_iteration(struct tr_build *b)
{
	event(b, TB_ITERATION, 0);
	b->iterations = true;
}

void tb_rewind(struct tr_build *b)
{
	kernel_end(b);
	tr_spill_rewind(b->kernels);
	tr_spill_rewind(b->kernel_uses);
	tr_spill_rewind(b->events);
}

u64 tb_kernel_bytes(const struct tr_build *b)
{
	u64 n = 0;

	for (u32 i = 0; i < b->last.nuses; i++)
		n += b->uses[i].bytes;
	return n;
}
