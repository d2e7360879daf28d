// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_stream.c - programs of the emulated accelerator, and streams of them
 *
 * A stream is a kernel thread that runs small programs in order.  A program loads
 * words into a buffer (its registers), computes, and stores them, so it never
 * needs two units at once.
 */
#include "gm_linux.h"

#include <linux/kthread.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

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

/* ---- programs --------------------------------------------------------- */

static int load(struct gml_stream *st, u64 va, u64 *to, u64 n)
{
	return gml_access(st->space, st->dev, va, to, n, false);
}

static int store(struct gml_stream *st, u64 va, u64 *from, u64 n)
{
	return gml_access(st->space, st->dev, va, from, n, true);
}

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
