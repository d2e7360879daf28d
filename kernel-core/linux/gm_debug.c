// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_debug.c - /sys/kernel/debug/gmem
 *
 *	stats	    the core's counters, by the rows that the simulator prints
 *	units	    where each unit of each space is, a letter a unit
 *	decisions   the last moves: number, address, from, to, cause
 *	oplog	    calls of the core, binary (gm_log.h), if module parameter oplog
 *	check	    the core's invariants: "ok", or which one is broken
 *	live	    what exists now; all 0 when nobody has the file open
 *	work	    operations that workers did, and the ns that they took
 *	fail_copy, fail_alloc, fail_msg
 *		    write n: the n-th from now fails; "n m": and then each m-th;
 *		    read: n, m, and how many have failed
 */
#include "gm_linux.h"

#include <linux/debugfs.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include "gm_map.h"
#include "gm_stats.h"

static struct dentry *dir;

static int stats_show(struct seq_file *f, void *unused)
{
	const struct gm_stat *row;
	const char *stats;

	mutex_lock(&gml.lock);
	stats = (const char *)gm_core_stats(gml.core);
	for (row = gm_stat_rows; row->name; row++) {
		u64 value = *(const u64 *)(stats + row->offset), den;
		u32 thousandths;

		if (row->kind != GM_STAT_RATIO) {
			seq_printf(f, "%-28s %llu\n", row->name, value);
			continue;
		}
		den = *(const u64 *)(stats + row->den);
		value = den ? div64_u64(value * 1000, den) : 0;
		value = div_u64_rem(value, 1000, &thousandths);
		seq_printf(f, "%-28s %llu.%03u\n", row->name, value, thousandths);
	}
	mutex_unlock(&gml.lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

/* ---- units ------------------------------------------------------------ */

/* . nowhere, c on the host, C mapped there, 0-7 a device, > < = in flight */
static char letter(const struct gm_mapping *m)
{
	static const char states[] = ".c0><=";

	if (m->state == GM_CPU && m->flags & GM_MAP_CPU_PTE)
		return 'C';
	if (m->state == GM_DEVICE)
		return (char)('0' + m->owner);
	return states[m->state];
}

static void show_range(struct seq_file *f, const struct gm_range *r)
{
	u64 i;

	seq_printf(f, " %llx %llu ", r->va, r->n);
	for (i = 0; i < r->n; i++)
		seq_putc(f, letter(&r->map[i]));
	seq_putc(f, '\n');
}

static int units_show(struct seq_file *f, void *unused)
{
	struct gml_space *s;
	struct gm_range *r;

	mutex_lock(&gml.lock);
	list_for_each_entry(s, &gml.spaces, link) {
		seq_printf(f, "space %u pid %d\n", s->id, s->pid);
		gm_for_each_range(r, s->as)
			show_range(f, r);
	}
	mutex_unlock(&gml.lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(units);

/* ---- decisions -------------------------------------------------------- */

static void *decision_start(struct seq_file *f, loff_t *pos)
{
	mutex_lock(&gml.lock);
	if (gml.decided > gml.decision_room && (u64)*pos < gml.decided - gml.decision_room)
		*pos = (loff_t)(gml.decided - gml.decision_room);
	return (u64)*pos < gml.decided ? pos : NULL;
}

static void *decision_next(struct seq_file *f, void *v, loff_t *pos)
{
	return (u64)++ * pos < gml.decided ? pos : NULL;
}

static void decision_stop(struct seq_file *f, void *v)
{
	mutex_unlock(&gml.lock);
}

static int decision_show(struct seq_file *f, void *v)
{
	static const char *const causes[GM_NR_CAUSES] = GM_CAUSE_NAMES;
	u64 n = (u64) * (loff_t *)v, slot;
	const struct gml_decision *d;

	div64_u64_rem(n, gml.decision_room, &slot);
	d = &gml.decisions[slot];
	seq_printf(f, GM_DECISION_FORMAT, n, d->va, d->from, d->to, causes[d->cause]);
	return 0;
}

static const struct seq_operations decisions_sops = {
	.start = decision_start,
	.next = decision_next,
	.stop = decision_stop,
	.show = decision_show,
};
DEFINE_SEQ_ATTRIBUTE(decisions);

/* ---- the operation log ------------------------------------------------ */

/* Entries are only added, so what is copied without the lock stays as it is. */
static ssize_t oplog_read(struct file *file, char __user *buf, size_t n, loff_t *pos)
{
	struct gm_log_head head;
	loff_t at = *pos;
	u64 bytes;
	ssize_t got;

	mutex_lock(&gml.lock);
	head = gml.head;
	bytes = gml.logged * sizeof(*gml.log);
	mutex_unlock(&gml.lock);
	if (at < (loff_t)sizeof(head))
		return simple_read_from_buffer(buf, n, pos, &head, sizeof(head));
	at -= sizeof(head);
	got = simple_read_from_buffer(buf, n, &at, gml.log, bytes);
	*pos = at + sizeof(head);
	return got;
}

static const struct file_operations oplog_fops = {
	.owner = THIS_MODULE,
	.read = oplog_read,
	.llseek = default_llseek,
};

/* ---- health ----------------------------------------------------------- */

static int check_show(struct seq_file *f, void *unused)
{
	char why[160] = "";
	int broken;

	mutex_lock(&gml.lock);
	broken = gm_check(gml.core, why, sizeof(why));
	mutex_unlock(&gml.lock);
	if (broken)
		seq_printf(f, "I%d %s\n", broken, why);
	else
		seq_puts(f, "ok\n");
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(check);

static int live_show(struct seq_file *f, void *unused)
{
	u64 used = 0;
	u32 i;

	gml_serial_run(NULL);
	mutex_lock(&gml.lock);
	for (i = 0; i < gml.nr_devs; i++)
		used += gm_dev_used(gml.devs[i].core);
	mutex_unlock(&gml.lock);
	seq_printf(f, "spaces %d\nstreams %d\nwaits %d\nops %d\nhost_frames %d\ndev_frames %llu\n",
		   atomic_read(&gml.live.spaces), atomic_read(&gml.live.streams),
		   atomic_read(&gml.live.waits), atomic_read(&gml.live.ops),
		   atomic_read(&gml.live.host_frames), used);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(live);

static int work_show(struct seq_file *f, void *unused)
{
	static const char *const names[GM_NR_OP_TYPES] = {
		[GM_OP_COPY] = "copy",
		[GM_OP_ZERO] = "zero",
		[GM_OP_HOST_ALLOC] = "host_alloc",
		[GM_OP_HOST_UNMAP] = "host_unmap",
		[GM_OP_DEV_MAP] = "dev_map",
		[GM_OP_DEV_UNMAP] = "dev_unmap",
	};
	u32 i;

	for (i = 0; i < GM_NR_OP_TYPES; i++)
		if (names[i])
			seq_printf(f, "%s %lld\n%s_ns %lld\n", names[i],
				   atomic64_read(&gml.work[i].done), names[i],
				   atomic64_read(&gml.work[i].ns));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(work);

/* ---- failures on demand ----------------------------------------------- */

static u32 which(const struct file *file)
{
	return (u32)(unsigned long)file_inode(file)->i_private;
}

static ssize_t fail_read(struct file *file, char __user *buf, size_t n, loff_t *pos)
{
	u32 i = which(file);
	char line[48];
	int len;

	mutex_lock(&gml.lock);
	len = scnprintf(line, sizeof(line), "%u %u %u\n", gml.fail[i].in, gml.fail[i].every,
			gml.fail[i].done);
	mutex_unlock(&gml.lock);
	return simple_read_from_buffer(buf, n, pos, line, len);
}

static ssize_t fail_write(struct file *file, const char __user *buf, size_t n, loff_t *pos)
{
	u32 i = which(file), in = 0, every = 0;
	char line[48] = "";

	if (n >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, buf, n))
		return -EFAULT;
	if (sscanf(line, "%u %u", &in, &every) < 1)
		return -EINVAL;
	mutex_lock(&gml.lock);
	gml.fail[i].in = in;
	gml.fail[i].every = every;
	gml.fail[i].done = 0;
	mutex_unlock(&gml.lock);
	return (ssize_t)n;
}

static const struct file_operations fail_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = fail_read,
	.write = fail_write,
	.llseek = default_llseek,
};

/* Like everybody else, do not mind when there is no debugfs. */
void gml_debug_start(void)
{
	static const char *const fails[GML_NR_FAILS] = { "fail_copy", "fail_alloc", "fail_msg" };
	unsigned long i;

	dir = debugfs_create_dir("gmem", NULL);
	debugfs_create_file("stats", 0400, dir, NULL, &stats_fops);
	debugfs_create_file("units", 0400, dir, NULL, &units_fops);
	debugfs_create_file("decisions", 0400, dir, NULL, &decisions_fops);
	debugfs_create_file("oplog", 0400, dir, NULL, &oplog_fops);
	debugfs_create_file("check", 0400, dir, NULL, &check_fops);
	debugfs_create_file("live", 0400, dir, NULL, &live_fops);
	debugfs_create_file("work", 0400, dir, NULL, &work_fops);
	for (i = 0; i < GML_NR_FAILS; i++)
		debugfs_create_file(fails[i], 0600, dir, (void *)i, &fail_fops);
}

void gml_debug_stop(void)
{
	debugfs_remove(dir);
}
