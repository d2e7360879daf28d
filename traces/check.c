/* SPDX-License-Identifier: GPL-3.0-or-later */
/* check.c - what every operation of a trace must fulfil */
#include "traces/check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 1024 };

enum life { NEVER, LIVE, DEAD };

/* Tensors [i * CHUNK, (i + 1) * CHUNK); rows are dropped when all are dead. */
struct tr_tensors {
	struct row {
		u64 va, bytes;
		u8 life;
	} * rows;
	u32 ndead;
};

void tr_check_init(struct tr_check *c, u32 ndevices)
{
	*c = (struct tr_check){ .job = { .ndevices = ndevices } };
}

void tr_check_fini(struct tr_check *c)
{
	for (size_t i = 0; i < c->nchunks; i++)
		free(c->chunks[i].rows);
	free(c->chunks);
	tr_segments_fini(&c->segments);
	*c = (struct tr_check){ 0 };
}

static GS_PRINTF(2, 3) int bad(struct tr_check *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static enum life life_of(const struct tr_check *c, u32 tensor, const struct row **row)
{
	const struct tr_tensors *t;

	if (tensor / CHUNK >= c->nchunks)
		return NEVER;
	t = &c->chunks[tensor / CHUNK];
	if (!t->rows)
		return t->ndead == CHUNK ? DEAD : NEVER;
	*row = &t->rows[tensor % CHUNK];
	return (enum life)(*row)->life;
}

bool tr_check_live(const struct tr_check *c, u32 tensor, u64 *bytes)
{
	const struct row *row = NULL;

	if (life_of(c, tensor, &row) != LIVE)
		return false;
	*bytes = row->bytes;
	return true;
}

/* The row of a tensor that is about to be allocated. */
static struct row *row_new(struct tr_check *c, u32 tensor)
{
	size_t want = tensor / CHUNK + 1;
	struct tr_tensors *t;

	if (want > c->nchunks) {
		size_t n = want > 2 * c->nchunks ? want : 2 * c->nchunks;

		c->chunks = gs_realloc_array(c->chunks, n, sizeof(*c->chunks));
		memset(c->chunks + c->nchunks, 0, (n - c->nchunks) * sizeof(*c->chunks));
		c->nchunks = n;
	}
	t = &c->chunks[tensor / CHUNK];
	if (!t->rows)
		t->rows = gs_calloc(CHUNK, sizeof(*t->rows));
	return &t->rows[tensor % CHUNK];
}

static int check_live(struct tr_check *c, u32 tensor, u64 *bytes)
{
	const struct row *row = NULL;
	enum life life = life_of(c, tensor, &row);

	if (life == NEVER)
		return bad(c, "tensor %u is used before it is allocated", tensor);
	if (life == DEAD)
		return bad(c, "tensor %u is used after it was freed", tensor);
	*bytes = row->bytes;
	return 0;
}

/* Bytes [off, off + bytes) of a live tensor. */
static int check_range(struct tr_check *c, u32 tensor, u64 off, u64 bytes)
{
	u64 size = 0;
	int ret = check_live(c, tensor, &size);

	if (ret)
		return ret;
	if (!bytes)
		return bad(c, "no bytes of tensor %u are named", tensor);
	if (off > size || bytes > size - off)
		return bad(c, "%llu bytes at %llu are outside tensor %u, which has %llu", bytes,
			   off, tensor, size);
	return 0;
}

static int check_device(struct tr_check *c, u16 device)
{
	if (device >= c->job.ndevices)
		return bad(c, "device %u does not exist (the trace names %u)", device,
			   c->job.ndevices);
	return 0;
}

static int check_access(struct tr_check *c, u8 access)
{
	if (!access || access > (GS_READ | GS_WRITE))
		return bad(c, "access %u is neither read nor write", access);
	return 0;
}

static int check_word(struct tr_check *c, const char *what, u32 value, u32 count)
{
	if (value >= count)
		return bad(c, "%s %u is unknown", what, value);
	return 0;
}

/* Durations add up; their sum is the least time that a replay takes. */
static int check_time(struct tr_check *c, u64 ps)
{
	if (ps >> 63 || c->kernel_ps + ps < ps)
		return bad(c, "durations add up to more than 213 days");
	return 0;
}

static int check_extent(struct tr_check *c, u64 va, u64 bytes)
{
	struct gs_job *j = &c->job;

	if (va + bytes < va)
		return bad(c, "%llu bytes at address %llu pass the end of memory", bytes, va);
	if (!bytes)
		return 0;
	if (!j->va_high || va < j->va_low)
		j->va_low = va;
	j->va_high = gs_max(j->va_high, va + bytes);
	return 0;
}

static int check_alloc(struct tr_check *c, const struct gs_op *op)
{
	const struct row *old = NULL;
	u32 tensor = op->alloc.tensor;
	u64 bytes = op->alloc.bytes;
	struct row *row;
	int ret;

	ret = check_word(c, "tensor kind", op->alloc.kind, GS_NR_TENSOR_KINDS);
	if (!ret)
		ret = check_device(c, op->device);
	if (!ret && life_of(c, tensor, &old) != NEVER)
		ret = bad(c, "tensor %u is allocated twice", tensor);
	/* ids are dense at the end; until then holes cost memory, so they are bounded */
	if (!ret && tensor > 2 * c->nallocs + (1U << 20))
		ret = bad(c, "tensor %u: ids must be dense, and only %llu were allocated so far",
			  tensor, c->nallocs);
	if (!ret && c->job.bytes_total + bytes < bytes)
		ret = bad(c, "tensors add up to more than 2^64 bytes");
	if (!ret)
		ret = check_extent(c, op->alloc.va, bytes);
	if (ret)
		return ret;
	row = row_new(c, tensor);
	*row = (struct row){ op->alloc.va, bytes, LIVE };
	c->nallocs++;
	c->live_tensors++;
	c->live_bytes += bytes;
	c->job.bytes_total += bytes;
	c->job.bytes_peak = gs_max(c->job.bytes_peak, c->live_bytes);
	c->job.ntensors = (u32)gs_max(c->job.ntensors, (u64)tensor + 1);
	return 0;
}

static int check_free(struct tr_check *c, const struct gs_op *op)
{
	struct tr_tensors *t;
	u64 bytes = 0;
	int ret = check_live(c, op->free.tensor, &bytes);

	if (ret)
		return ret;
	t = &c->chunks[op->free.tensor / CHUNK];
	t->rows[op->free.tensor % CHUNK].life = DEAD;
	if (++t->ndead == CHUNK) {
		free(t->rows);
		t->rows = NULL;
	}
	c->live_tensors--;
	c->live_bytes -= bytes;
	return 0;
}

static int check_touch(struct tr_check *c, const struct gs_touch *t)
{
	int ret = check_access(c, t->access);

	if (!ret)
		ret = check_word(c, "pattern", t->pattern, GS_NR_PATTERNS);
	if (!ret)
		ret = check_range(c, t->tensor, t->off, t->bytes);
	return ret;
}

/* One look at each; what is wrong is found out afterwards. */
static bool touches_are_good(const struct tr_check *c, const struct gs_touch *t, u32 n)
{
	for (u32 i = 0; i < n; i++, t++) { /* without any @t may be NULL */
		u32 chunk = t->tensor / CHUNK;
		const struct row *row;

		if (chunk >= c->nchunks || !c->chunks[chunk].rows)
			return false;
		row = &c->chunks[chunk].rows[t->tensor % CHUNK];
		if (row->life != LIVE || t->off > row->bytes || t->bytes > row->bytes - t->off ||
		    !t->bytes || (u8)(t->access - 1) >= (GS_READ | GS_WRITE) ||
		    t->pattern >= GS_NR_PATTERNS)
			return false;
	}
	return true;
}

static int check_kernel(struct tr_check *c, const struct gs_op *op)
{
	int ret = check_device(c, op->device);

	if (!ret)
		ret = check_word(c, "operator class", op->kernel.opclass, GS_NR_OPCLASSES);
	if (!ret)
		ret = check_word(c, "element type", op->kernel.dtype, GS_NR_DTYPES);
	if (!ret)
		ret = check_word(c, "phase", op->kernel.phase, GS_NR_PHASES);
	if (!ret)
		ret = check_time(c, op->kernel.duration_ps);
	if (!ret)
		ret = check_time(c, op->kernel.fault_out_ps);
	if (!ret)
		ret = check_time(c, op->kernel.fault_all_ps);
	if (!ret && op->kernel.ntouches > TR_MAX_TOUCHES)
		ret = bad(c, "a kernel with %u operands (at most %u)", op->kernel.ntouches,
			  TR_MAX_TOUCHES);
	if (!ret && !touches_are_good(c, op->kernel.touches, op->kernel.ntouches))
		for (u32 i = 0; !ret && i < op->kernel.ntouches; i++)
			ret = check_touch(c, &op->kernel.touches[i]);
	if (ret)
		return ret;
	c->job.nkernels++;
	c->ntouches += op->kernel.ntouches;
	c->kernel_ps += op->kernel.duration_ps;
	c->job.nstreams = (u32)gs_max(c->job.nstreams, op->stream + 1U);
	return 0;
}

static int check_host(struct tr_check *c, const struct gs_op *op)
{
	int ret = check_access(c, op->host.access);

	if (!ret)
		ret = check_range(c, op->host.tensor, op->host.off, op->host.bytes);
	if (!ret)
		ret = check_time(c, op->host.duration_ps);
	return ret;
}

static int check_advice(struct tr_check *c, const struct gs_op *op)
{
	int ret = check_word(c, "advice", op->advice.advice, GS_NR_ADVICE);

	if (!ret)
		ret = check_device(c, op->device);
	if (!ret)
		ret = check_range(c, op->advice.tensor, op->advice.off, op->advice.bytes);
	return ret;
}

static int check_mark(struct tr_check *c, const struct gs_op *op)
{
	if (!op->mark.iteration)
		return 0;
	if (op->mark.number != c->job.niterations)
		return bad(c, "iteration %u begins where %u is due", op->mark.number,
			   c->job.niterations);
	c->job.niterations++;
	return 0;
}

static int check_page(struct tr_check *c, const struct gs_op *op)
{
	int ret = check_device(c, op->device);

	if (!ret)
		ret = check_access(c, op->page.access);
	if (!ret && !op->page.bytes)
		ret = bad(c, "an access of 0 bytes");
	if (!ret)
		ret = check_extent(c, op->page.va, op->page.bytes);
	if (!ret)
		c->job.npages++;
	return ret;
}

/* What is wrong with one of @n page accesses. */
static int find_bad_page(struct tr_check *c, const struct gs_page *p, u32 n)
{
	int ret = 0;

	for (u32 i = 0; i < n && !ret; i++) {
		ret = check_device(c, p[i].device);
		if (!ret)
			ret = check_access(c, p[i].access);
		if (!ret && !p[i].bytes)
			ret = bad(c, "an access of 0 bytes");
		if (!ret)
			ret = check_extent(c, p[i].va, p[i].bytes);
	}
	return ret;
}

/* One look at each; what is wrong is found out afterwards. */
int tr_check_pages(struct tr_check *c, const struct gs_page *p, u32 n)
{
	u64 low = U64_MAX, high = 0;
	bool good = true;

	for (u32 i = 0; i < n; i++) {
		u64 end = p[i].va + p[i].bytes;

		good &= end > p[i].va && p[i].device < c->job.ndevices &&
			(u8)(p[i].access - 1) < (GS_READ | GS_WRITE);
		low = gs_min(low, p[i].va);
		high = gs_max(high, end);
	}
	if (!good || check_extent(c, low, high - low))
		return find_bad_page(c, p, n);
	c->job.npages += n;
	c->job.nops += n;
	return 0;
}

/* What is unmapped holds no tensor. */
static int check_empty(struct tr_check *c, u64 begin, u64 end)
{
	for (size_t i = 0; i < c->nchunks; i++)
		for (u32 k = 0; c->chunks[i].rows && k < CHUNK; k++) {
			const struct row *r = &c->chunks[i].rows[k];

			if (r->life == LIVE && r->va < end && r->va + r->bytes > begin)
				return bad(c,
					   "the segment at address %llu is freed, but tensor "
					   "%zu lives in it",
					   begin, i * CHUNK + k);
		}
	return 0;
}

static int check_segment(struct tr_check *c, const struct gs_op *op)
{
	u64 va = op->segment.va, bytes = op->segment.bytes;
	int ret = check_device(c, op->device);
	const char *why;

	if (ret)
		return ret;
	why = tr_segments_pass(&c->segments, c->job.ndevices, op);
	if (why)
		return bad(c, "a segment of %llu bytes at address %llu: %s", bytes, va, why);
	c->job.segments_low = c->segments.low;
	c->job.segments_high = c->segments.high;
	c->job.bytes_reserved = c->segments.most;
	return op->type == GS_OP_SEGMENT_FREE ? check_empty(c, va, va + bytes) : 0;
}

int tr_check_op(struct tr_check *c, const struct gs_op *op)
{
	static int (*const checks[])(struct tr_check *, const struct gs_op *) = {
		[GS_OP_ALLOC] = check_alloc,
		[GS_OP_FREE] = check_free,
		[GS_OP_KERNEL] = check_kernel,
		[GS_OP_HOST] = check_host,
		[GS_OP_ADVICE] = check_advice,
		[GS_OP_MARK] = check_mark,
		[GS_OP_PAGE] = check_page,
		[GS_OP_SEGMENT_ALLOC] = check_segment,
		[GS_OP_SEGMENT_FREE] = check_segment,
	};
	int ret = check_word(c, "operation", op->type, GS_ARRAY_SIZE(checks));

	if (!ret)
		ret = checks[op->type](c, op);
	if (!ret)
		c->job.nops++;
	return ret;
}

int tr_check_end(struct tr_check *c)
{
	const struct row *row;

	if (c->nallocs == c->job.ntensors)
		return 0;
	for (u32 i = 0; i < c->job.ntensors; i++)
		if (life_of(c, i, &row) == NEVER)
			return bad(c, "tensor %u is never allocated (ids must be dense)", i);
	return 0;
}

bool tr_check_name(const char *s, size_t len)
{
	const char *end = s + len;
	u32 cp;

	if (len > TR_MAX_NAME)
		return false;
	while (s < end) {
		size_t n;

		if (*s >= 0x20 && *s < 0x7f) {
			s++;
			continue;
		}
		n = gs_utf8(s, &cp);
		if (!n || cp < 0x20 || cp == 0x7f)
			return false;
		s += n;
	}
	return s == end;
}
