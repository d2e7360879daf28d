// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_accel.c - an accelerator that is not there
 *
 * Its memory is pages that no CPU translation ever leads to; content gets in and
 * out by copies only.  It reaches memory through a table of its own, filled by
 * DEV_MAP and emptied by DEV_UNMAP, and faults on what is not there.
 *
 * A stream is a kernel thread that runs small programs in order.  A program loads
 * words into a buffer (its registers), computes, and stores them, so it never
 * needs two units at once.  Each load or store holds dev->tlb; an unmap waits for
 * it as for the TLB flush of a real device.
 */
#include "gm_linux.h"

#include <linux/kthread.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "gm_map.h"

#define REGISTERS (64U << 10) /* bytes a stream loads at once, twice */
#define MAX_QUEUE 4096	      /* programs waiting in a stream */

struct cmd {
	struct list_head link;
	struct gmem_prog p;
	struct completion done;
	refcount_t refs;
};

struct gml_stream {
	struct gml_space *space;
	struct gml_dev *dev; /* that runs the program */
	struct task_struct *task;
	spinlock_t lock;
	struct list_head cmds;
	u32 queued;
	int err; /* the first since the last sync */
	u64 result;
	wait_queue_head_t wait; /* for programs, and for their end */
	u64 *a, *b;		/* registers */
};

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

static int access(struct gml_stream *st, u64 va, void *buf, u64 n, bool write)
{
	u64 unit = gml_config.unit;
	char *p = buf;

	while (n) {
		u64 at = va & (unit - 1), k = min(n, unit - at);
		struct gml_dframe *f = reach(st->space, st->dev, va - at, write);

		if (IS_ERR(f))
			return PTR_ERR(f);
		move_bytes(f->mem, at, p, k, write);
		up_read(&st->dev->tlb);
		cond_resched();
		va += k;
		p += k;
		n -= k;
	}
	return 0;
}

static int load(struct gml_stream *st, u64 va, u64 *to, u64 n)
{
	return access(st, va, to, n, false);
}

static int store(struct gml_stream *st, u64 va, u64 *from, u64 n)
{
	return access(st, va, from, n, true);
}

/* ---- programs --------------------------------------------------------- */

/* Words [first, first + n) of the program's range, n at most REGISTERS / 8. */
typedef int (*step_fn)(struct gml_stream *st, struct gmem_prog *p, u64 first, u64 n);

static int run_fill(struct gml_stream *st, struct gmem_prog *p, u64 first, u64 n)
{
	u64 i;

	for (i = 0; i < n; i++)
		st->a[i] = p->value + (first + i) * p->step;
	return store(st, p->dst + first * 8, st->a, n * 8);
}

static int run_copy(struct gml_stream *st, struct gmem_prog *p, u64 first, u64 n)
{
	int err = load(st, p->src + first * 8, st->a, n * 8);

	return err ? err : store(st, p->dst + first * 8, st->a, n * 8);
}

static int run_add(struct gml_stream *st, struct gmem_prog *p, u64 first, u64 n)
{
	int err = load(st, p->src + first * 8, st->b, n * 8);
	u64 i;

	err = err ? err : load(st, p->dst + first * 8, st->a, n * 8);
	if (err)
		return err;
	for (i = 0; i < n; i++)
		st->a[i] += st->b[i] * p->value;
	return store(st, p->dst + first * 8, st->a, n * 8);
}

static int run_checksum(struct gml_stream *st, struct gmem_prog *p, u64 first, u64 n)
{
	int err = load(st, p->dst + first * 8, st->a, n * 8);
	u64 i;

	for (i = 0; i < n && !err; i++)
		p->result += st->a[i] * (2 * (first + i) + 1);
	return err;
}

static int add_to_word(struct gml_stream *st, u64 va, u64 value)
{
	int err = load(st, va, st->a, 8);

	st->a[0] += value;
	return err ? err : store(st, va, st->a, 8);
}

static int run_stride(struct gml_stream *st, struct gmem_prog *p)
{
	u64 at;
	int err = 0;

	for (at = 0; at < p->bytes && !err; at += p->step)
		err = add_to_word(st, p->dst + at, p->value);
	return err;
}

/* splitmix64, as the core's own. */
static u64 next_random(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static int run_random(struct gml_stream *st, struct gmem_prog *p)
{
	u64 i, word, state = p->value;
	int err = 0;

	for (i = 0; i < p->step && !err; i++) {
		div64_u64_rem(next_random(&state), p->bytes / 8, &word);
		err = add_to_word(st, p->dst + word * 8, 1);
	}
	return err;
}

static int run_chunks(struct gml_stream *st, struct gmem_prog *p, step_fn step)
{
	u64 words = p->bytes / 8, first, n;
	int err = 0;

	for (first = 0; first < words && !err; first += n) {
		n = min(words - first, (u64)REGISTERS / 8);
		err = step(st, p, first, n);
	}
	return err;
}

static int run(struct gml_stream *st, struct gmem_prog *p)
{
	static const step_fn steps[GMEM_NR_OPS] = {
		[GMEM_OP_FILL] = run_fill,
		[GMEM_OP_COPY] = run_copy,
		[GMEM_OP_ADD] = run_add,
		[GMEM_OP_CHECKSUM] = run_checksum,
	};

	if (p->op == GMEM_OP_ADVISE)
		return gml_space_advise(st->space, p->device, p->dst, p->bytes, (int)p->value,
					TASK_UNINTERRUPTIBLE);
	st->dev = &gml.devs[p->device];
	if (p->op == GMEM_OP_STRIDE)
		return run_stride(st, p);
	if (p->op == GMEM_OP_RANDOM)
		return run_random(st, p);
	return run_chunks(st, p, steps[p->op]);
}

/* ---- streams ---------------------------------------------------------- */

static void cmd_put(struct cmd *c)
{
	if (refcount_dec_and_test(&c->refs))
		kfree(c);
}

static struct cmd *first_cmd(struct gml_stream *st)
{
	struct cmd *c;

	spin_lock(&st->lock);
	c = list_first_entry_or_null(&st->cmds, struct cmd, link);
	spin_unlock(&st->lock);
	return c;
}

/* @c stays first in the list while it runs. */
static void end_cmd(struct gml_stream *st, struct cmd *c)
{
	spin_lock(&st->lock);
	list_del(&c->link);
	st->queued--;
	if (c->p.err && !st->err)
		st->err = c->p.err;
	if (c->p.op == GMEM_OP_CHECKSUM)
		st->result = c->p.result;
	spin_unlock(&st->lock);
	complete_all(&c->done);
	cmd_put(c);
	wake_up_all(&st->wait);
}

static int stream_thread(void *arg)
{
	struct gml_stream *st = arg;
	struct cmd *c;

	while (!kthread_should_stop()) {
		c = first_cmd(st);
		if (c) {
			c->p.err = run(st, &c->p);
			end_cmd(st, c);
			continue;
		}
		wait_event_interruptible(st->wait, first_cmd(st) || kthread_should_stop());
	}
	while ((c = first_cmd(st))) {
		c->p.err = -ESHUTDOWN;
		end_cmd(st, c);
	}
	return 0;
}

static void stream_free(struct gml_stream *st)
{
	kvfree(st->a);
	kvfree(st->b);
	kfree(st);
	atomic_dec(&gml.live.streams);
}

static struct gml_stream *stream_new(struct gml_space *s, u32 id)
{
	struct gml_stream *st = kzalloc(sizeof(*st), GFP_KERNEL_ACCOUNT);
	int err = -ENOMEM;

	if (!st)
		return ERR_PTR(-ENOMEM);
	atomic_inc(&gml.live.streams);
	st->space = s;
	spin_lock_init(&st->lock);
	INIT_LIST_HEAD(&st->cmds);
	init_waitqueue_head(&st->wait);
	st->a = kvmalloc(REGISTERS, GFP_KERNEL_ACCOUNT);
	st->b = kvmalloc(REGISTERS, GFP_KERNEL_ACCOUNT);
	if (!st->a || !st->b)
		goto fail;
	st->task = kthread_run(stream_thread, st, "gmem-%u.%u", s->id, id);
	if (!IS_ERR(st->task))
		return st;
	err = PTR_ERR(st->task);
fail:
	stream_free(st);
	return ERR_PTR(err);
}

static struct gml_stream *stream_get(struct gml_space *s, u32 id)
{
	struct gml_stream *st;

	if (id >= GMEM_MAX_STREAMS)
		return ERR_PTR(-EINVAL);
	mutex_lock(&s->stream_lock);
	st = s->streams[id];
	if (!st) {
		st = stream_new(s, id);
		if (!IS_ERR(st))
			s->streams[id] = st;
	}
	mutex_unlock(&s->stream_lock);
	return st;
}

void gml_streams_stop(struct gml_space *s)
{
	u32 i;

	for (i = 0; i < GMEM_MAX_STREAMS; i++) {
		if (!s->streams[i])
			continue;
		kthread_stop(s->streams[i]->task);
		stream_free(s->streams[i]);
	}
}

/* ---- ioctls ----------------------------------------------------------- */

static bool words(u64 va, u64 bytes)
{
	return IS_ALIGNED(va | bytes, 8) && va + bytes >= va && va + bytes <= TASK_SIZE;
}

static int check_prog(const struct gml_space *s, const struct gmem_prog *p)
{
	if (p->op >= GMEM_NR_OPS)
		return -EINVAL;
	if (p->op == GMEM_OP_ADVISE)
		return 0; /* checked there */
	if (p->device < 0 || (u32)p->device >= gml.nr_devs || !words(p->dst, p->bytes))
		return -EINVAL;
	if (!s->ctx[p->device])
		return -ENODEV;
	if ((p->op == GMEM_OP_COPY || p->op == GMEM_OP_ADD) && !words(p->src, p->bytes))
		return -EINVAL;
	if (p->op == GMEM_OP_STRIDE && (!p->step || !words(p->step, 0)))
		return -EINVAL;
	return p->op == GMEM_OP_RANDOM && !p->bytes ? -EINVAL : 0;
}

/* Queue @p; the caller's reference to the result is his to put. */
static struct cmd *enqueue(struct gml_space *s, const struct gmem_prog *p)
{
	struct gml_stream *st = stream_get(s, p->stream);
	struct cmd *c;
	bool full;

	if (IS_ERR(st))
		return ERR_CAST(st);
	c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);
	if (!c)
		return ERR_PTR(-ENOMEM);
	c->p = *p;
	c->p.result = 0;
	init_completion(&c->done);
	refcount_set(&c->refs, 2);
	spin_lock(&st->lock);
	full = st->queued >= MAX_QUEUE;
	if (!full) {
		st->queued++;
		list_add_tail(&c->link, &st->cmds);
	}
	spin_unlock(&st->lock);
	if (full) {
		kfree(c);
		return ERR_PTR(-EAGAIN);
	}
	wake_up_all(&st->wait);
	return c;
}

static long run_and_wait(struct gml_space *s, const struct gmem_prog *p, void __user *arg)
{
	struct cmd *c = enqueue(s, p);
	long err;

	if (IS_ERR(c))
		return PTR_ERR(c);
	err = wait_for_completion_interruptible(&c->done) ? -EINTR : 0;
	if (!err && copy_to_user(arg, &c->p, sizeof(c->p)))
		err = -EFAULT;
	cmd_put(c);
	return err;
}

static bool is_drained(struct gml_stream *st)
{
	return !first_cmd(st);
}

static long ioctl_sync(struct gml_space *s, void __user *arg)
{
	struct gml_stream *st;
	struct gmem_sync y;

	if (copy_from_user(&y, arg, sizeof(y)))
		return -EFAULT;
	st = stream_get(s, y.stream);
	if (IS_ERR(st))
		return PTR_ERR(st);
	if (wait_event_interruptible(st->wait, is_drained(st)))
		return -EINTR;
	spin_lock(&st->lock);
	y.err = st->err;
	y.result = st->result;
	st->err = 0;
	spin_unlock(&st->lock);
	return copy_to_user(arg, &y, sizeof(y)) ? -EFAULT : 0;
}

long gml_prog_ioctl(struct gml_space *s, unsigned int cmd, void __user *arg)
{
	struct gmem_prog p;
	struct cmd *c;
	int err;

	if (cmd == GMEM_STREAM_SYNC)
		return ioctl_sync(s, arg);
	if (copy_from_user(&p, arg, sizeof(p)))
		return -EFAULT;
	err = check_prog(s, &p);
	if (err)
		return err;
	if (cmd == GMEM_PROG_RUN)
		return run_and_wait(s, &p, arg);
	c = enqueue(s, &p);
	if (IS_ERR(c))
		return PTR_ERR(c);
	cmd_put(c);
	return 0;
}
