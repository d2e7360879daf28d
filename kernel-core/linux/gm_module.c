// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_module.c - the core as a Linux module, without devices as yet
 *
 * Loading it creates a core with the default parameters and shows its counters
 * in debugfs as gmem/stats.  The host operations are the least that is honest:
 * timers run, and whatever would move memory ends with -EOPNOTSUPP, from a
 * worker as the core expects.  One mutex is held around all calls to the core.
 */
#include "gm_core.h"
#include "gm_variant.h"

#include <linux/debugfs.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/random.h>
#include <linux/seq_file.h>
#include <linux/workqueue.h>

static char *variant = "gmem+";
module_param(variant, charp, 0444);
MODULE_PARM_DESC(variant, "gmem-23.09, gmem-olk66 or gmem+ (default)");

static char *evictor = "auto";
module_param(evictor, charp, 0444);
MODULE_PARM_DESC(evictor, "fifo, lru, clock, lfu or random; auto: the variant's own");

static char *prefetcher = "auto";
module_param(prefetcher, charp, 0444);
MODULE_PARM_DESC(prefetcher, "none, hints, next-n, stride or tree; auto: the variant's own");

static ulong unit = 2UL << 20; /* GMEM's: one PMD of 4 KiB pages */
module_param(unit, ulong, 0444);
MODULE_PARM_DESC(unit, "bytes of a unit, a power of two of at least 4096");

struct gm_linux {
	struct mutex lock; /* around the core */
	struct gm_core *core;
	struct gm_params params;
	struct list_head ops; /* submitted, not answered */
	struct delayed_work work;
	u64 start; /* ktime of loading, so that picoseconds last */
	struct dentry *dir;
};

static struct gm_linux gm;

/* ---- host operations -------------------------------------------------- */

/* Lives in gm_op.host[]. */
struct linux_op {
	struct list_head link;
	struct gm_op *op;
	u64 due;
};

static u64 linux_clock(void *host)
{
	struct gm_linux *g = host;

	return (ktime_get_ns() - g->start) * 1000;
}

static void linux_submit(void *host, struct gm_op *op)
{
	struct gm_linux *g = host;
	struct linux_op *lo = (struct linux_op *)op->host;

	BUILD_BUG_ON(sizeof(*lo) > sizeof(op->host));
	lockdep_assert_held(&g->lock);
	lo->op = op;
	lo->due = op->type == GM_OP_TIMER ? linux_clock(g) + op->delay : 0;
	list_add_tail(&lo->link, &g->ops);
	mod_delayed_work(system_wq, &g->work, 0);
}

/* HOST_ALLOC never succeeds here, so there is nothing to give back. */
static void linux_host_free(void *host, u64 frame)
{
	WARN_ON_ONCE(1);
}

static const struct gm_host_ops linux_ops = {
	.submit = linux_submit,
	.host_free = linux_host_free,
	.clock = linux_clock,
};

static void linux_finish(struct linux_op *lo, int err)
{
	list_del(&lo->link);
	gm_op_done(lo->op, err);
}

/* Answer what is due; come back when the next timer is. */
static void linux_work(struct work_struct *work)
{
	struct gm_linux *g = container_of(to_delayed_work(work), struct gm_linux, work);
	u64 now, next = U64_MAX;
	struct linux_op *lo, *tmp;
	LIST_HEAD(due);

	mutex_lock(&g->lock);
	now = linux_clock(g);
	list_for_each_entry_safe(lo, tmp, &g->ops, link) {
		if (lo->due <= now)
			list_move_tail(&lo->link, &due);
		else
			next = min(next, lo->due);
	}
	/* Answers may submit anew, which goes to g->ops and queues the work. */
	list_for_each_entry_safe(lo, tmp, &due, link)
		linux_finish(lo, lo->op->type == GM_OP_TIMER ? 0 : -EOPNOTSUPP);
	if (next != U64_MAX && !delayed_work_pending(&g->work))
		schedule_delayed_work(&g->work, nsecs_to_jiffies(div_u64(next - now, 1000)) + 1);
	mutex_unlock(&g->lock);
}

/* ---- debugfs ----------------------------------------------------------- */

static int stats_show(struct seq_file *s, void *unused)
{
	const struct gm_stat *row;
	const char *stats;

	mutex_lock(&gm.lock);
	stats = (const char *)gm_core_stats(gm.core);
	for (row = gm_stat_rows; row->name; row++) {
		u64 value = *(const u64 *)(stats + row->offset), den;
		u32 thousandths;

		if (row->kind != GM_STAT_RATIO) {
			seq_printf(s, "%-28s %llu\n", row->name, value);
			continue;
		}
		den = *(const u64 *)(stats + row->den);
		value = den ? div64_u64(value * 1000, den) : 0;
		value = div_u64_rem(value, 1000, &thousandths);
		seq_printf(s, "%-28s %llu.%03u\n", row->name, value, thousandths);
	}
	mutex_unlock(&gm.lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

/* ---- life --------------------------------------------------------------- */

static int __init gm_module_init(void)
{
	struct gm_setup setup = {
		.params = &gm.params,
		.variant = variant,
		.evictor = evictor,
		.prefetcher = prefetcher,
		.unit = unit,
		.random_seed = get_random_u64(),
	};
	int err;

	mutex_init(&gm.lock);
	INIT_LIST_HEAD(&gm.ops);
	INIT_DELAYED_WORK(&gm.work, linux_work);
	gm.start = ktime_get_ns();
	gm_params_init(&gm.params);

	mutex_lock(&gm.lock);
	gm.core = gm_core_new(&setup, &linux_ops, &gm);
	mutex_unlock(&gm.lock);
	if (IS_ERR(gm.core)) {
		err = PTR_ERR(gm.core);
		pr_err("no core: variant %s, evictor %s, prefetcher %s, unit %lu: %d\n", variant,
		       evictor, prefetcher, unit, err);
		return err;
	}

	/* Like everybody else, do not mind when there is no debugfs. */
	gm.dir = debugfs_create_dir("gmem", NULL);
	debugfs_create_file("stats", 0444, gm.dir, NULL, &stats_fops);
	pr_info("%s, evictor %s, prefetcher %s, unit %lu\n", variant, evictor, prefetcher, unit);
	return 0;
}

static void __exit gm_module_exit(void)
{
	struct linux_op *lo, *tmp;
	LIST_HEAD(left);

	debugfs_remove(gm.dir);
	cancel_delayed_work_sync(&gm.work);
	mutex_lock(&gm.lock);
	list_splice_init(&gm.ops, &left);
	list_for_each_entry_safe(lo, tmp, &left, link)
		linux_finish(lo, -ECANCELED);
	WARN_ON(!list_empty(&gm.ops));
	gm_core_free(gm.core);
	mutex_unlock(&gm.lock);
	cancel_delayed_work_sync(&gm.work);
}

module_init(gm_module_init);
module_exit(gm_module_exit);
MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("Page mapping and remote pager in the sense of GMEM");
