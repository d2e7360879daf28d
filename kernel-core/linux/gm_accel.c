// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_accel.c - an accelerator that is not there: its memory
 *
 * It is pages that no CPU translation ever leads to; content gets in and out by
 * copies only.  The device reaches memory through a table of its own, filled by
 * DEV_MAP and emptied by DEV_UNMAP, and faults on what is not there.  Each load or
 * store holds dev->tlb; an unmap waits for it as for the TLB flush of a real
 * device.
 */
#include "gm_linux.h"

#include <linux/kthread.h>

#include "gm_map.h"

/* ---- memory ----------------------------------------------------------- */

int gml_dev_init(struct gml_dev *dev, u32 id)
{
	u64 i;

	dev->id = id;
	dev->frames = gml_config.hbm >> gml.order >> PAGE_SHIFT;
	gml_engine_init(&dev->in);
	gml_engine_init(&dev->out);
	gml_engine_init(&dev->own);
	init_rwsem(&dev->tlb);
	dev->frame = kvcalloc(dev->frames, sizeof(*dev->frame), GFP_KERNEL);
	if (!dev->frame)
		return -ENOMEM;
	for (i = 0; i < dev->frames; i++) {
		dev->frame[i].mem = gml_frame_alloc(gml.order);
		if (!dev->frame[i].mem)
			return -ENOMEM;
		cond_resched();
	}
	return 0;
}

/* [also after a failed gml_dev_init()] */
void gml_dev_fini(struct gml_dev *dev)
{
	u64 i;

	for (i = 0; dev->frame && i < dev->frames && dev->frame[i].mem; i++) {
		WARN_ON_ONCE(dev->frame[i].mapped);
		gml_frame_free(dev->frame[i].mem);
	}
	kvfree(dev->frame);
}

void gml_dev_map(struct gml_dev *dev, u32 frame, u64 va)
{
	struct gml_dframe *f = &dev->frame[frame];

	down_write(&dev->tlb);
	WARN_ON_ONCE(f->mapped);
	f->va = va;
	f->mapped = true;
	up_write(&dev->tlb);
}

void gml_dev_unmap(struct gml_dev *dev, u32 frame)
{
	struct gml_dframe *f = &dev->frame[frame];

	down_write(&dev->tlb);
	WARN_ON_ONCE(!f->mapped);
	f->mapped = false;
	up_write(&dev->tlb);
}

/* ---- accesses --------------------------------------------------------- */

/* [locked]  The unit is there by what the core says: enter it, or -EIO. */
static struct gml_dframe *enter(struct gml_space *s, struct gml_dev *dev, u64 va)
{
	struct gml_dframe *f = &dev->frame[gm_as_find(s->as, va)->frame];

	down_read(&dev->tlb);
	if (!WARN_ON_ONCE(!f->mapped || f->va != va))
		return f;
	up_read(&dev->tlb);
	return ERR_PTR(-EIO);
}

/* The stream's thread waits for a fault; -ESHUTDOWN: the file is closed. */
static int wait_fault(struct gml_wait *w)
{
	int err;

	gml_serial_run(&w->done);
	while (!wait_for_completion_timeout(&w->done, HZ / 20))
		if (kthread_should_stop())
			break;
	err = kthread_should_stop() ? -ESHUTDOWN : w->err;
	gml_wait_put(w);
	return err;
}

/* [locked]  -EINPROGRESS: @w has to be waited for. */
static int begin_fault(struct gml_space *s, struct gml_dev *dev, u64 va, bool write,
		       struct gml_wait **w)
{
	int err;

	*w = gml_wait_new();
	if (!*w)
		return -ENOMEM;
	err = gml_call_dev_fault(s, dev->id, va, write, *w);
	if (err == -EINPROGRESS)
		return err;
	gml_wait_put(*w);
	*w = NULL;
	return err;
}

/*
 * Memory of the unit at @va, to be left with up_read(&dev->tlb).  A unit that is
 * not there faults; one that leaves again before we come back faults again.
 */
static struct gml_dframe *reach(struct gml_space *s, struct gml_dev *dev, u64 va, bool write)
{
	struct gml_dframe *f = NULL;
	struct gml_wait *w;
	int err;

	do {
		mutex_lock(&gml.lock);
		err = 0;
		w = NULL;
		if (gml_call_dev_touch(s, dev->id, va, write))
			f = enter(s, dev, va);
		else
			err = begin_fault(s, dev, va, write, &w);
		mutex_unlock(&gml.lock);
		if (w)
			err = wait_fault(w);
		if (!err && kthread_should_stop())
			err = -ESHUTDOWN;
	} while (!f && !err);
	if (err && !IS_ERR_OR_NULL(f)) {
		up_read(&dev->tlb);
		f = NULL;
	}
	return f ? f : ERR_PTR(err);
}

/* One unit at most. */
static void move_bytes(const struct gml_frame *f, u64 at, char *buf, u64 n, bool write)
{
	while (n) {
		u64 in_page = at & (PAGE_SIZE - 1), k = min(n, (u64)PAGE_SIZE - in_page);
		char *mem = gml_frame_addr(f, (u32)(at >> PAGE_SHIFT)) + in_page;

		if (write)
			memcpy(mem, buf, k);
		else
			memcpy(buf, mem, k);
		at += k;
		buf += k;
		n -= k;
	}
}

int gml_access(struct gml_space *s, struct gml_dev *dev, u64 va, void *buf, u64 n, bool write)
{
	u64 unit = gml_config.unit;
	char *p = buf;

	while (n) {
		u64 at = va & (unit - 1), k = min(n, unit - at);
		struct gml_dframe *f = reach(s, dev, va - at, write);

		if (IS_ERR(f))
			return PTR_ERR(f);
		move_bytes(f->mem, at, p, k, write);
		up_read(&dev->tlb);
		cond_resched();
		va += k;
		p += k;
		n -= k;
	}
	return 0;
}
