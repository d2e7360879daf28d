// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_engine.c - operations are done by workers and answered by one thread
 *
 *	submit ─► engine of the link, the device or the host ─► due ─► answer
 *	      └─► (messages, timers, what costs nothing) ──────┘
 *
 * A link is a server: an operation's time on it is booked at submit, as bytes over
 * bandwidth behind what is booked already, then its latency.  The worker really
 * copies; the answer waits for the later of the two.
 */
#include "gm_linux.h"

#include <linux/highmem.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/sched/signal.h>

/* Lives in gm_op.host[]. */
struct linux_op {
	struct list_head link; /* gml_engine.ops or gml.due */
	u64 due;	       /* ns */
	int err;
};

static struct linux_op *linux_op(struct gm_op *op)
{
	BUILD_BUG_ON(sizeof(struct linux_op) > sizeof(op->host));
	return (struct linux_op *)op->host;
}

static struct gm_op *op_of(struct linux_op *lo)
{
	return container_of((u64(*)[ARRAY_SIZE(((struct gm_op *)0)->host)])lo, struct gm_op, host);
}

static u64 now_ns(void)
{
	return ktime_get_ns() - gml.start;
}

u64 gml_clock(void *host)
{
	return now_ns();
}

/* ---- frames ----------------------------------------------------------- */

struct gml_frame *gml_frame_alloc(u32 order)
{
	gfp_t gfp = GFP_KERNEL | __GFP_NOWARN;
	u32 i, n = 1U << order;
	struct gml_frame *f;
	struct page *page;

	page = alloc_pages(gfp | __GFP_COMP | (order ? __GFP_NORETRY : 0), order);
	f = kvzalloc(struct_size(f, pages, page ? 1 : n), GFP_KERNEL);
	if (!f) {
		if (page)
			__free_pages(page, order);
		return NULL;
	}
	f->order = order;
	f->whole = page;
	if (page) {
		f->pages[0] = page;
		return f;
	}
	for (i = 0; i < n; i++) {
		f->pages[i] = alloc_page(gfp);
		if (!f->pages[i]) {
			gml_frame_free(f);
			return NULL;
		}
	}
	return f;
}

void gml_frame_free(struct gml_frame *f)
{
	u32 i, n = 1U << f->order;

	if (f->whole)
		__free_pages(f->pages[0], f->order);
	else
		for (i = 0; i < n && f->pages[i]; i++)
			__free_page(f->pages[i]);
	kvfree(f);
}

void gml_host_free(void *host, u64 frame)
{
	atomic_dec(&gml.live.host_frames);
	gml_frame_free((struct gml_frame *)(unsigned long)frame);
}

static struct gml_frame *host_frame(u64 cookie)
{
	return (struct gml_frame *)(unsigned long)cookie;
}

static void copy_frame(struct gml_frame *to, const struct gml_frame *from)
{
	u32 i, n = 1U << to->order;

	for (i = 0; i < n; i++) {
		copy_page(gml_frame_addr(to, i), gml_frame_addr(from, i));
		cond_resched();
	}
}

static void zero_frame(struct gml_frame *f)
{
	u32 i, n = 1U << f->order;

	for (i = 0; i < n; i++) {
		clear_page(gml_frame_addr(f, i));
		cond_resched();
	}
}

/* ---- doing ------------------------------------------------------------ */

/* Memory of one end of @op. */
static struct gml_frame *end_frame(s16 node, u64 host, u32 frame)
{
	return node == GM_HOST_NODE ? host_frame(host) : gml.devs[node].frame[frame].mem;
}

static int do_host_alloc(struct gm_op *op)
{
	u64 limit = gml_config.host_limit >> gml.order >> PAGE_SHIFT;
	struct gml_frame *f = NULL;

	if (atomic_inc_return(&gml.live.host_frames) <= limit || !limit)
		f = gml_frame_alloc(gml.order);
	if (!f) {
		atomic_dec(&gml.live.host_frames);
		return -ENOMEM;
	}
	op->frame = (unsigned long)f;
	return 0;
}

/*
 * Nobody maps the unit again before we are done: it is in flight.  A frame that
 * never was mapped has no space.
 */
static void do_host_unmap(const struct gm_op_unit *u)
{
	struct gml_frame *f = host_frame(u->host_frame);

	if (f && f->space)
		unmap_mapping_range(&f->space->mapping, u->va, gml_config.unit, 1);
}

static void do_unit(struct gm_op *op, const struct gm_op_unit *u)
{
	struct gml_dev *dev = &gml.devs[op->to == GM_HOST_NODE ? 0 : op->to];

	switch (op->type) {
	case GM_OP_COPY:
		copy_frame(end_frame(op->to, u->host_frame, u->to_frame),
			   end_frame(op->from, u->host_frame, u->from_frame));
		break;
	case GM_OP_ZERO:
		zero_frame(end_frame(op->to, u->host_frame, u->to_frame));
		break;
	case GM_OP_HOST_UNMAP:
		do_host_unmap(u);
		break;
	case GM_OP_DEV_MAP:
		gml_dev_map(dev, u->owner == op->to ? u->from_frame : u->to_frame, u->va);
		break;
	case GM_OP_DEV_UNMAP:
		gml_dev_unmap(dev, u->from_frame);
		break;
	}
}

static int do_op(struct gm_op *op)
{
	struct gm_op_unit u;
	u32 i;

	if (op->type == GM_OP_HOST_ALLOC)
		return do_host_alloc(op);
	for (i = 0; i < op->units; i++) {
		gm_op_unit(op, i, &u);
		do_unit(op, &u);
	}
	return 0;
}

int gml_do_op(struct gm_op *op)
{
	struct gml_work *w = &gml.work[op->type];
	u64 start = ktime_get_ns();
	int err = do_op(op);

	atomic64_add((s64)(ktime_get_ns() - start), &w->ns);
	atomic64_inc(&w->done);
	return err;
}

static void finish(struct linux_op *lo)
{
	struct linux_op *at;

	spin_lock(&gml.due_lock);
	list_for_each_entry_reverse(at, &gml.due, link) if (at->due <= lo->due) break;
	list_add(&lo->link, &at->link);
	if (list_is_first(&lo->link, &gml.due)) {
		gml.kicked = true;
		wake_up(&gml.due_wait);
	}
	spin_unlock(&gml.due_lock);
}

static struct linux_op *next_op(struct gml_engine *e)
{
	struct linux_op *lo;

	spin_lock(&e->lock);
	lo = list_first_entry_or_null(&e->ops, struct linux_op, link);
	if (lo)
		list_del(&lo->link);
	spin_unlock(&e->lock);
	return lo;
}

static void engine_work(struct work_struct *work)
{
	struct gml_engine *e = container_of(work, struct gml_engine, work);
	struct linux_op *lo;

	while ((lo = next_op(e))) {
		lo->err = gml_do_op(op_of(lo));
		finish(lo);
	}
}

void gml_engine_init(struct gml_engine *e)
{
	spin_lock_init(&e->lock);
	INIT_LIST_HEAD(&e->ops);
	INIT_WORK(&e->work, engine_work);
	e->free_at = 0;
}

/* ---- submitting ------------------------------------------------------- */

static bool fails(u32 which)
{
	if (!gml.fail[which].in || --gml.fail[which].in)
		return false;
	gml.fail[which].in = gml.fail[which].every;
	gml.fail[which].done++;
	return true;
}

/* An error that was asked for, 0 for most. */
static int injected(const struct gm_op *op)
{
	if (op->type == GM_OP_COPY && fails(GML_FAIL_COPY))
		return -EIO;
	if (op->type == GM_OP_HOST_ALLOC && fails(GML_FAIL_ALLOC))
		return -ENOMEM;
	if (op->type == GM_OP_MSG && fails(GML_FAIL_MSG))
		return -ETIMEDOUT;
	return 0;
}

/* Who does it; NULL: it takes time only, or nothing. */
static struct gml_engine *engine_of(const struct gm_op *op)
{
	switch (op->type) {
	case GM_OP_COPY:
		return op->to == GM_HOST_NODE ? &gml.devs[op->from].out : &gml.devs[op->to].in;
	case GM_OP_ZERO:
		return op->to == GM_HOST_NODE ? &gml.host : &gml.devs[op->to].own;
	case GM_OP_DEV_MAP:
	case GM_OP_DEV_UNMAP:
		return &gml.devs[op->to].own;
	case GM_OP_HOST_ALLOC:
	case GM_OP_HOST_UNMAP:
		return &gml.host;
	}
	return NULL;
}

/* When the answer may come at the earliest. */
static u64 due(const struct gm_op *op, struct gml_engine *e)
{
	u64 now = now_ns();

	if (op->type == GM_OP_MSG)
		return now + gml_config.msg_latency_ns;
	if (op->type == GM_OP_TIMER)
		return now + op->delay;
	if (op->type != GM_OP_COPY)
		return now;
	if (gml_config.bandwidth)
		e->free_at =
			max(e->free_at, now) + div64_u64(op->bytes * 1000, gml_config.bandwidth);
	else
		e->free_at = now;
	return e->free_at + gml_config.latency_ns;
}

void gml_submit(void *host, struct gm_op *op)
{
	struct gml_engine *e = engine_of(op);
	struct linux_op *lo = linux_op(op);

	lockdep_assert_held(&gml.lock);
	atomic_inc(&gml.live.ops);
	if (gml_config.serial) {
		gml_serial_add(op, injected(op), e);
		return;
	}
	lo->due = due(op, e);
	lo->err = injected(op);
	if (!e || lo->err) {
		finish(lo);
		return;
	}
	spin_lock(&e->lock);
	list_add_tail(&lo->link, &e->ops);
	spin_unlock(&e->lock);
	queue_work(gml.wq, &e->work);
}

/* ---- answering -------------------------------------------------------- */

static struct linux_op *next_due(u64 *sleep)
{
	struct linux_op *lo;
	u64 now = now_ns();

	spin_lock(&gml.due_lock);
	gml.kicked = false;
	lo = list_first_entry_or_null(&gml.due, struct linux_op, link);
	*sleep = !lo ? KTIME_MAX : lo->due > now ? lo->due - now : 0;
	if (lo && !*sleep)
		list_del(&lo->link);
	spin_unlock(&gml.due_lock);
	return *sleep ? NULL : lo;
}

static int answer(void *unused)
{
	struct linux_op *lo;
	u64 sleep;

	while (!kthread_should_stop()) {
		lo = next_due(&sleep);
		if (!lo) {
			wait_event_interruptible_hrtimeout(gml.due_wait,
							   READ_ONCE(gml.kicked) ||
								   kthread_should_stop(),
							   ns_to_ktime(sleep));
			continue;
		}
		mutex_lock(&gml.lock);
		do {
			atomic_dec(&gml.live.ops);
			gml_call_done(op_of(lo), lo->err);
		} while ((lo = next_due(&sleep)));
		mutex_unlock(&gml.lock);
		wake_up_all(&gml.progress);
		cond_resched();
	}
	return 0;
}

int gml_engine_start(void)
{
	gml_engine_init(&gml.host);
	spin_lock_init(&gml.due_lock);
	INIT_LIST_HEAD(&gml.due);
	init_waitqueue_head(&gml.due_wait);
	init_waitqueue_head(&gml.progress);
	gml.wq = alloc_workqueue("gmem", WQ_UNBOUND, 0);
	if (!gml.wq)
		return -ENOMEM;
	gml.answerer = kthread_run(answer, NULL, "gmem-answers");
	if (IS_ERR(gml.answerer)) {
		destroy_workqueue(gml.wq);
		return PTR_ERR(gml.answerer);
	}
	return 0;
}

/* [no space is left] */
void gml_engine_stop(void)
{
	gml_serial_run(NULL);
	wait_event(gml.progress, !atomic_read(&gml.live.ops));
	kthread_stop(gml.answerer);
	destroy_workqueue(gml.wq);
}
