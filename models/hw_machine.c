/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * hw_machine.c - the rows of a machine, and its live state
 *
 * Defaults are an A100-40 on PCIe 4 with an eight-channel DDR4 host.
 */
#include <errno.h>
#include <stdlib.h>

#include "models/hw.h"

#define DEV  struct hw_device_cfg
#define HOST struct hw_host_cfg

#define PEAK(type, key, def, src)                                           \
	GM_P_U64(DEV, flops[type], "flops." key, GM_FLOPS, def, 0, U64_MAX, \
		 "Dense peak for " key " operands; 0: as f32", src)

const struct gm_param hw_device_rows[] = {
	GM_P_STR(DEV, name, "name", "A100-40", "What the device is called in reports", "label"),
	GM_P_U32(DEV, count, "count", GM_NONE, "1", 1, HW_MAX_DEVICES, "Devices, all alike",
		 "guess: most questions are about one"),
	GM_P_U64(DEV, hbm_capacity, "hbm.capacity", GM_BYTES, "40 GiB", 0, U64_MAX,
		 "Device memory, before the reserve", "NVIDIA A100 datasheet"),
	GM_P_U64(DEV, hbm_capacity_units, "hbm.capacity_units", GM_NONE, "0", 0, U64_MAX,
		 "If not 0: this many units of the manager, in place of capacity and reserve",
		 "0: hbm.capacity holds"),
	GM_P_U64(DEV, hbm_reserve, "hbm.reserve", GM_BYTES, "0 B", 0, U64_MAX,
		 "Kept by driver and context",
		 "0, so that \"40 GiB\" means 40 GiB of job; a real context takes 0.5 to 2 GiB"),
	GM_P_U64(DEV, hbm_bps, "hbm.bandwidth", GM_BPS, "1350 GB/s", 1, U64_MAX,
		 "Device memory rate that kernels achieve",
		 "A100-40 datasheet 1555 GB/s; guess: 87 % of it is achieved"),
	PEAK(GS_F64, "f64", "19.5 TFLOP/s", "NVIDIA A100 datasheet, tensor cores"),
	PEAK(GS_F32, "f32", "19.5 TFLOP/s", "NVIDIA A100 datasheet"),
	PEAK(GS_TF32, "tf32", "156 TFLOP/s", "NVIDIA A100 datasheet, dense"),
	PEAK(GS_F16, "f16", "312 TFLOP/s", "NVIDIA A100 datasheet, dense"),
	PEAK(GS_BF16, "bf16", "312 TFLOP/s", "NVIDIA A100 datasheet, dense"),
	PEAK(GS_F8, "f8", "0 FLOP/s", "not in hardware before H100"),
	PEAK(GS_I64, "i64", "0 FLOP/s", "no dense peak published"),
	PEAK(GS_I32, "i32", "0 FLOP/s", "no dense peak published"),
	PEAK(GS_I8, "i8", "624 TFLOP/s", "NVIDIA A100 datasheet, dense"),
	GM_P_U32(DEV, fault_window, "fault_window", GM_NONE, "256", 1, U32_MAX,
		 "Distinct faulting units before a kernel stalls; 1: strictly blocking",
		 "Allen & Ge SC21: at most 56 outstanding faults a uTLB; 100 to 500 pages in all"),
	GM_P_U64(DEV, fault_reach, "fault_reach", GM_BYTES, "4 MiB", 1, U64_MAX,
		 "Span of addresses that the warps in flight cover: cuts the window",
		 "guess: 221k threads of an A100 x 16 B each"),
	GM_P_U64(DEV, launch_ps, "launch_gap", GM_PS, "0 ns", 0, U64_MAX,
		 "Gap between two kernels of a stream",
		 "0: recorded times hold it; an asynchronous launch takes 3 to 8 us of host time"),
	GM_P_END
};

const struct gm_param hw_host_rows[] = {
	GM_P_U64(HOST, dram_capacity, "dram.capacity", GM_BYTES, "512 GiB", 0, U64_MAX,
		 "Host memory for what leaves the devices", "guess: eight channels of 64 GiB"),
	GM_P_U64(HOST, dram_bps, "dram.bandwidth", GM_BPS, "160 GB/s", 1, U64_MAX,
		 "Host memory rate, all links together",
		 "DDR4-3200, 8 channels: 205 GB/s; guess: 78 % usable"),
	GM_P_U32(HOST, fault_threads, "fault_threads", GM_NONE, "1", 1, 4096,
		 "CPU threads that serve faults",
		 "UVM has one servicer a device (uvm_gpu_isr.c); GMEM one message thread"),
	GM_P_U64(HOST, msg_latency_ps, "msg_latency", GM_PS, "5 us", 0, U64_MAX,
		 "Remote pager: one way of a message, with dispatch",
		 "guess: interrupt to handler takes 3 to 10 us"),
	GM_P_U64(HOST, msg_gap_ps, "msg_gap", GM_PS, "500 ns", 0, U64_MAX,
		 "Time for which one message occupies the remote pager's channel",
		 "guess: copy of about 100 bytes and a doorbell"),
	GM_P_U64(HOST, alloc_huge_ps, "alloc_huge", GM_PS, "10 us", 0, U64_MAX,
		 "Take a 2 MiB host page, without zeroing", "guess: buddy allocator, order 9"),
	GM_P_U64(HOST, zero_bps, "zero_bandwidth", GM_BPS, "10 GB/s", 1, U64_MAX,
		 "One CPU core clears host memory", "guess: memset of one core, 8 to 15 GB/s"),
	GM_P_U64(HOST, device_zero_bps, "device_zero_bandwidth", GM_BPS, "700 GB/s", 1, U64_MAX,
		 "Copy engine clears device memory", "guess: 2 MiB in 3 us"),
	GM_P_U64(HOST, device_alloc_ps, "device_alloc", GM_PS, "1 us", 0, U64_MAX,
		 "Take a device frame", "guess: a list under a lock"),
	GM_P_U64(HOST, host_unmap_ps, "host_unmap", GM_PS, "3 us", 0, U64_MAX,
		 "Zap the CPU translation of a unit, with TLB shootdown",
		 "guess: shootdown takes 1 to 3 us for a few cores, 14 us at 64"),
	GM_P_U64(HOST, device_map_ps, "device_map", GM_PS, "2 us", 0, U64_MAX,
		 "Write device translations of a unit", "guess: one push to a copy engine"),
	GM_P_U64(HOST, device_unmap_ps, "device_unmap", GM_PS, "3 us", 0, U64_MAX,
		 "Remove them, with the device's TLB flush",
		 "guess: one push, and invalidate with acknowledgement takes 1 to 3 us"),
	GM_P_U64(HOST, dma_map_ps, "dma_map", GM_PS, "1 us", 0, U64_MAX,
		 "Make a unit of host memory reachable for the device",
		 "guess: one IOMMU entry of 2 MiB"),
	GM_P_END
};

/* ---- checks ---- */

static int check_capacity(const struct gs_machine *m, const struct gs_config *cfg)
{
	const struct hw_device_cfg *d = &m->device;

	if (d->hbm_capacity_units)
		return 0;
	if (!d->hbm_capacity)
		return gs_config_error(cfg, "device.hbm.capacity",
				       "a device without memory cannot run a job; write its size, "
				       "as in \"40 GiB\"");
	if (d->hbm_reserve >= d->hbm_capacity)
		return gs_config_error(cfg, "device.hbm.reserve",
				       "the reserve (%llu bytes) takes all of device.hbm.capacity "
				       "(%llu bytes); lower the one or raise the other",
				       d->hbm_reserve, d->hbm_capacity);
	return 0;
}

u64 hw_hbm_usable(const struct gs_machine *m, u64 unit)
{
	const struct hw_device_cfg *d = &m->device;

	gs_assert(unit > 0);
	if (d->hbm_capacity_units)
		return d->hbm_capacity_units > U64_MAX / unit ? U64_MAX / unit * unit
							      : d->hbm_capacity_units * unit;
	return (d->hbm_capacity - d->hbm_reserve) / unit * unit;
}

int hw_check_unit(const struct gs_machine *m, const struct gs_config *cfg, u64 unit)
{
	if (hw_hbm_usable(m, unit) >= unit)
		return 0;
	return gs_config_error(cfg, "device.hbm.capacity",
			       "%llu usable bytes do not hold one unit of the manager "
			       "(%llu bytes); raise the capacity or lower manager.unit",
			       m->device.hbm_capacity - m->device.hbm_reserve, unit);
}

u32 hw_fault_window(const struct gs_machine *m, u64 unit)
{
	u64 in_reach = m->device.fault_reach / unit;

	return (u32)gs_max(gs_min(m->device.fault_window, in_reach), 1);
}

/* ---- live state ---- */

static int links_init(struct hw_link **links, u32 n, const struct hw_link_cfg *cfg,
		      const struct gs_config *config, const char *key)
{
	*links = gs_calloc(n, sizeof(**links));
	for (u32 i = 0; i < n; i++) {
		const char *why;

		if (hw_link_init(&(*links)[i], cfg, &why))
			return gs_config_error(config, key, "%s", why);
	}
	return 0;
}

int hw_machine_init(struct gs_machine *m, const struct gs_config *cfg)
{
	u32 n = m->device.count;
	int err = check_capacity(m, cfg);

	if (!err)
		err = links_init(&m->links, n, &m->link, cfg, "link.curve");
	if (!err)
		err = links_init(&m->peers, n, &m->peer, cfg, "peer_link.curve");
	if (err) {
		hw_machine_fini(m);
		return err;
	}
	m->dram = (struct hw_dram){ m->host.dram_bps, n, m->links };
	for (u32 i = 0; i < n; i++)
		m->links[i].dram = &m->dram;
	for (u32 d = 0; d < HW_NR_DIRS; d++)
		m->msg[d] = gs_calloc(n, sizeof(*m->msg[d]));
	hw_pool_init(&m->fault_threads, m->host.fault_threads);
	hw_ssd_init(&m->drives, &m->ssd);
	hw_host_init(&m->hostmem, m->host.dram_capacity, &m->drives);
	return 0;
}

static void links_fini(struct hw_link **links, u32 n)
{
	for (u32 i = 0; *links && i < n; i++)
		hw_link_fini(&(*links)[i]);
	free(*links);
	*links = NULL;
}

void hw_machine_fini(struct gs_machine *m)
{
	links_fini(&m->links, m->device.count);
	links_fini(&m->peers, m->device.count);
	for (u32 d = 0; d < HW_NR_DIRS; d++) {
		free(m->msg[d]);
		m->msg[d] = NULL;
	}
	hw_pool_fini(&m->fault_threads);
	hw_host_fini(&m->hostmem);
	hw_ssd_fini(&m->drives);
}
