/* SPDX-License-Identifier: GPL-3.0-or-later */
/* checked.c - a source that passes on only operations that make sense */
#include "traces/check.h"

#include <errno.h>
#include <stdlib.h>

struct checked {
	struct gs_source base;
	struct gs_source *inner;
	char *path;
	struct tr_check check;
	u64 seen; /* operations below this index were checked */
	int err;
};

/* The whole trace was read: it holds what its reader promised. */
static int checked_end(struct checked *k)
{
	const struct gs_job *got = &k->check.job, *said = &k->base.job;
	int ret = tr_check_end(&k->check);

	if (ret) {
		gs_err("%s: %s", k->path, k->check.why);
		return ret;
	}
	if (got->nkernels == said->nkernels && got->npages == said->npages &&
	    got->ntensors == said->ntensors && got->niterations == said->niterations &&
	    got->nstreams == said->nstreams && got->va_low == said->va_low &&
	    got->va_high == said->va_high && got->bytes_total == said->bytes_total &&
	    got->bytes_peak == said->bytes_peak && got->bytes_reserved == said->bytes_reserved &&
	    got->segments_low == said->segments_low && got->segments_high == said->segments_high)
		return 0;
	gs_err("%s: the totals are not those of the operations (the file is damaged; record or "
	       "import it again)",
	       k->path);
	return -EINVAL;
}

/* What the inner source said, an operation that is new among it. */
static int checked_news(struct checked *k, const struct gs_op *op, int ret)
{
	if (ret == 0) {
		ret = checked_end(k);
	} else if (ret == 1) {
		k->seen = op->index + 1;
		if (tr_check_op(&k->check, op)) {
			gs_err("%s: offset %llu: operation %llu: %s", k->path, op->where, op->index,
			       k->check.why);
			ret = -EINVAL;
		}
	}
	if (ret < 0)
		k->err = ret;
	return ret;
}

static int checked_next(struct gs_source *src, struct gs_op *op)
{
	struct checked *k = gs_container_of(src, struct checked, base);
	int ret;

	if (k->err)
		return k->err;
	ret = k->inner->ops->next(k->inner, op);
	return ret == 1 && op->index < k->seen ? 1 : checked_news(k, op, ret);
}

static int checked_pages(struct gs_source *src, struct gs_page *p, u32 max, u64 *first)
{
	struct checked *k = gs_container_of(src, struct checked, base);
	u64 done;
	int n;

	if (k->err || !k->inner->ops->pages)
		return k->err;
	n = k->inner->ops->pages(k->inner, p, max, first);
	if (n < 0)
		k->err = n;
	if (n <= 0 || *first + (u64)n <= k->seen)
		return n;
	done = k->seen > *first ? k->seen - *first : 0;
	k->seen = *first + (u64)n;
	if (!tr_check_pages(&k->check, p + done, (u32)((u64)n - done)))
		return n;
	gs_err("%s: operation %llu or after: %s", k->path, *first, k->check.why);
	k->err = -EINVAL;
	return k->err;
}

/* Until the mark of iteration @n has been checked. */
static int read_up_to(struct checked *k, u32 n)
{
	struct gs_op op;

	while (k->check.job.niterations <= n) {
		int ret = checked_next(&k->base, &op);

		if (ret < 0)
			return ret;
		gs_assert(ret);
	}
	return 0;
}

static int checked_seek(struct gs_source *src, u32 n)
{
	struct checked *k = gs_container_of(src, struct checked, base);
	int ret = k->err;

	if (!ret && n != GS_REWIND) {
		gs_assert(n < k->base.job.niterations);
		ret = read_up_to(k, n);
	}
	return ret ? ret : k->inner->ops->seek(k->inner, n);
}

static void checked_close(struct gs_source *src)
{
	struct checked *k = gs_container_of(src, struct checked, base);

	gs_source_close(k->inner);
	tr_check_fini(&k->check);
	free(k->path);
	free(k);
}

static const struct gs_source_ops checked_ops = {
	.name = "checked",
	.next = checked_next,
	.pages = checked_pages,
	.seek = checked_seek,
	.close = checked_close,
};

struct gs_source *tr_checked(struct gs_source *inner, const char *path)
{
	struct checked *k = gs_calloc(1, sizeof(*k));

	k->base.ops = &checked_ops;
	k->base.job = inner->job;
	k->inner = inner;
	k->path = gs_strdup(path);
	tr_check_init(&k->check, inner->job.ndevices);
	return &k->base;
}

const struct tr_check *tr_checked_state(const struct gs_source *src)
{
	gs_assert(src->ops == &checked_ops);
	return &gs_container_of((struct gs_source *)src, struct checked, base)->check;
}
