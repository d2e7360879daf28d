// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_module.c - gmem.ko: parameters, loading, unloading
 */
#include "gm_linux.h"

#include <linux/ktime.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/random.h>

struct gml gml;
struct gml_config gml_config = {
	.unit = 2UL << 20, /* GMEM's: one PMD of 4 KiB pages */
	.hbm = 128UL << 20,
	.max_units = 1UL << 20, /* 64 MiB of table a file */
	.bandwidth = 8000UL << 20,
	.devices = 1,
	.latency_ns = 2000,
	.msg_latency_ns = 5000,
	.huge = true,
};

static char *variant = "gmem+";
module_param(variant, charp, 0444);
MODULE_PARM_DESC(variant, "gmem-23.09, gmem-olk66 or gmem+ (default)");

static char *evictor = "auto";
module_param(evictor, charp, 0444);
MODULE_PARM_DESC(evictor, "fifo, lru, clock, lfu, arc, s3fifo or random; auto: the variant's own");

static char *prefetcher = "auto";
module_param(prefetcher, charp, 0444);
MODULE_PARM_DESC(prefetcher, "none, hints, next-n, stride or tree; auto: the variant's own");

static ulong seed;
module_param(seed, ulong, 0444);
MODULE_PARM_DESC(seed, "of the random evictor; 0: any");

static ulong decisions = 4096;
module_param(decisions, ulong, 0444);
MODULE_PARM_DESC(decisions, "entries of the decision log, a ring");

static ulong oplog;
module_param(oplog, ulong, 0444);
MODULE_PARM_DESC(oplog, "calls of the core to record from loading on; 0: none");

module_param_named(serial, gml_config.serial, ulong, 0444);
MODULE_PARM_DESC(
	serial,
	"operations are done by who calls: 0 no (default), 1 in order, n in an order drawn from n");

module_param_named(unit, gml_config.unit, ulong, 0444);
MODULE_PARM_DESC(unit, "bytes of a unit: a power of two, 4096 to 2 MiB (default)");
module_param_named(devices, gml_config.devices, uint, 0444);
MODULE_PARM_DESC(devices, "emulated accelerators, 1 to 8");
module_param_named(hbm, gml_config.hbm, ulong, 0444);
MODULE_PARM_DESC(hbm, "bytes of memory of each accelerator");
module_param_named(bandwidth, gml_config.bandwidth, ulong, 0644);
MODULE_PARM_DESC(bandwidth, "bytes a second of a link, each way; 0: as fast as it copies");
module_param_named(latency_ns, gml_config.latency_ns, uint, 0644);
MODULE_PARM_DESC(latency_ns, "of a copy");
module_param_named(msg_latency_ns, gml_config.msg_latency_ns, uint, 0644);
MODULE_PARM_DESC(msg_latency_ns, "of a message");
module_param_named(host_limit, gml_config.host_limit, ulong, 0644);
MODULE_PARM_DESC(host_limit, "bytes of host memory that ranges may hold; 0: no limit");
module_param_named(max_units, gml_config.max_units, ulong, 0644);
MODULE_PARM_DESC(max_units, "units that one open file may map");
module_param_named(huge, gml_config.huge, bool, 0644);
MODULE_PARM_DESC(huge, "map units of 2 MiB by one entry where they are contiguous");

static const struct gm_host_ops linux_ops = {
	.submit = gml_submit,
	.host_free = gml_host_free,
	.clock = gml_clock,
	.decision = gml_decision,
};

static struct miscdevice misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "gmem",
	.fops = &gml_fops,
	.mode = 0600, /* root decides who may hold host memory by it */
};

static int check_config(void)
{
	ulong unit = gml_config.unit;

	if (unit < PAGE_SIZE || unit > PMD_SIZE || !is_power_of_2(unit) || !gml_config.devices ||
	    gml_config.devices > GML_MAX_DEVICES || gml_config.hbm < unit)
		return -EINVAL;
	gml.order = (u32)ilog2(unit) - PAGE_SHIFT;
	return 0;
}

static int make_core(void)
{
	struct gm_setup setup = {
		.params = &gml.params,
		.variant = variant,
		.evictor = evictor,
		.prefetcher = prefetcher,
		.unit = gml_config.unit,
		.random_seed = seed ? seed : get_random_u64(),
	};

	gm_params_init(&gml.params);
	gml.head = (struct gm_log_head){
		.magic = GM_LOG_MAGIC,
		.unit = setup.unit,
		.seed = setup.random_seed,
		.frames = gml_config.hbm / setup.unit,
		.devices = gml_config.devices,
	};
	strscpy(gml.head.variant, variant, sizeof(gml.head.variant));
	strscpy(gml.head.evictor, evictor, sizeof(gml.head.evictor));
	strscpy(gml.head.prefetcher, prefetcher, sizeof(gml.head.prefetcher));
	gml.core = gm_core_new(&setup, &linux_ops, NULL);
	if (IS_ERR(gml.core))
		pr_err("no core: variant %s, evictor %s, prefetcher %s\n", variant, evictor,
		       prefetcher);
	return PTR_ERR_OR_ZERO(gml.core);
}

static void free_devices(void)
{
	u32 i;

	for (i = 0; i < gml_config.devices; i++)
		gml_dev_fini(&gml.devs[i]);
	kfree(gml.devs);
}

static int make_devices(void)
{
	int err = 0;
	u32 i;

	gml.devs = kcalloc(gml_config.devices, sizeof(*gml.devs), GFP_KERNEL);
	if (!gml.devs)
		return -ENOMEM;
	for (i = 0; i < gml_config.devices && !err; i++) {
		err = gml_dev_init(&gml.devs[i], i);
		if (err)
			break;
		gml.devs[i].core = gm_dev_create(gml.core, gml.devs[i].frames);
		err = PTR_ERR_OR_ZERO(gml.devs[i].core);
		gml.nr_devs++;
	}
	if (err) {
		pr_err("no memory for %u accelerators of %lu bytes\n", gml_config.devices,
		       gml_config.hbm);
		free_devices();
	}
	return err;
}

static int __init gml_init(void)
{
	int err = check_config();

	if (err)
		return err;
	mutex_init(&gml.lock);
	INIT_LIST_HEAD(&gml.spaces);
	gml.start = ktime_get_ns();
	err = gml_log_start(oplog, decisions);
	if (err)
		return err;
	err = make_core();
	if (err)
		goto no_core;
	err = make_devices();
	if (err)
		goto no_devices;
	err = gml_engine_start();
	if (err)
		goto no_engine;
	gml_debug_start();
	err = misc_register(&misc);
	if (err)
		goto no_file;
	pr_info("%s, evictor %s, prefetcher %s, unit %lu, %u emulated of %lu MiB\n", variant,
		evictor, prefetcher, gml_config.unit, gml.nr_devs, gml_config.hbm >> 20);
	return 0;
no_file:
	gml_debug_stop();
	gml_engine_stop();
no_engine:
	free_devices();
no_devices:
	gm_core_free(gml.core);
no_core:
	gml_log_stop();
	return err;
}

static void report_leaks(void)
{
	const struct gml_live *l = &gml.live;

	if (atomic_read(&l->spaces) || atomic_read(&l->streams) || atomic_read(&l->waits) ||
	    atomic_read(&l->host_frames))
		pr_err("leak: %d spaces, %d streams, %d waits, %d host frames\n",
		       atomic_read(&l->spaces), atomic_read(&l->streams), atomic_read(&l->waits),
		       atomic_read(&l->host_frames));
}

static void __exit gml_exit(void)
{
	misc_deregister(&misc);
	gml_debug_stop();
	gml_engine_stop();
	report_leaks();
	gm_core_free(gml.core);
	free_devices();
	gml_log_stop();
}

module_init(gml_init);
module_exit(gml_exit);
MODULE_LICENSE("Dual BSD/GPL");
MODULE_DESCRIPTION("Page mapping and remote pager in the sense of GMEM, with emulated devices");
