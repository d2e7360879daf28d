/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * hw_ssd.c - NVMe drives: commands, their queues, their bytes
 *
 * One way of a drive with two commands at work at once:
 *
 *   command 0   |-- latency --|== bytes ==|
 *           1   |-- latency --|           |== bytes ==|
 *           2                             |-- latency --|== bytes ==|
 *
 * so that a deep queue is bound by the rate and a shallow one by the latency.
 */
#include <stdlib.h>

#include "models/hw_ssd.h"

#define SSD struct hw_ssd_cfg

/* Announced in 2020 for the U.2 model: heise.de/-4720224, computerbase.de 2020-05 */
#define PM9A3 "Samsung PM9A3, U.2, as announced"

const struct gm_param hw_ssd_rows[] = {
	GM_P_U32(SSD, count, "count", GM_NONE, "0", 0, 64,
		 "NVMe drives, striped; 0: what does not fit into host memory ends the run",
		 "choice: a third tier has to be asked for"),
	GM_P_U64(SSD, capacity, "capacity", GM_BYTES, "3840 GB", 1, U64_MAX, "Of one drive", PM9A3),
	GM_P_U64(SSD, bps[HW_SSD_READ], "read.bandwidth", GM_BPS, "6.5 GB/s", 1, U64_MAX,
		 "Of one drive, large reads", PM9A3),
	GM_P_U64(SSD, bps[HW_SSD_WRITE], "write.bandwidth", GM_BPS, "3.5 GB/s", 1, U64_MAX,
		 "Of one drive, large writes that go on", PM9A3),
	GM_P_U64(SSD, latency[HW_SSD_READ], "read.latency", GM_PS, "80 us", 0, GS_S,
		 "Command to first byte", "guess: a TLC flash page takes 60 to 90 us"),
	GM_P_U64(SSD, latency[HW_SSD_WRITE], "write.latency", GM_PS, "20 us", 0, GS_S,
		 "The same of a write", "guess: acknowledged from a buffer that power loss spares"),
	GM_P_U32(SSD, queue_depth, "queue_depth", GM_NONE, "128", 1, 65536,
		 "Commands of a drive at work at once, each way",
		 "guess: swap and page cache keep tens; a queue of Linux has 1023 entries"),
	GM_P_U64(SSD, command, "command", GM_BYTES, "128 KiB", 512, 1ULL << 30,
		 "Bytes of one command", "guess: MDTS of many drives is 128 KiB"),
	GM_P_BOOL(SSD, direct, "gpu_direct", "false",
		  "Devices read the SSD, and write to it when host memory is full, without a copy "
		  "in host memory",
		  "off: GPUDirect Storage has to be asked for"),
	GM_P_U64(SSD, headroom, "headroom", GM_BYTES, "64 MiB", 0, U64_MAX,
		 "Host memory kept free by writing to the SSD ahead of need; 0: none",
		 "guess: as Linux's kswapd between watermarks"),
	GM_P_END
};

#define S struct hw_ssd_stats

const struct gm_stat hw_ssd_stat_rows[] = {
	GM_COUNT(S, transfers, GM_NONE, "Transfers"),
	GM_COUNT(S, commands, GM_NONE, "Commands"),
	GM_COUNT(S, bytes, GM_BYTES, "Payload carried"),
	GM_COUNT(S, busy_ps, GM_PS, "Time that drives moved bytes"),
	GM_COUNT(S, wait_ps, GM_PS, "Time that transfers waited for others"),
	GM_RATIO(S, "bytes_per_transfer", bytes, transfers, "Mean size"),
	GM_STAT_END
};
GM_STATS_COMPLETE(S, hw_ssd_stat_rows, 1);

void hw_ssd_init(struct hw_ssd *s, const struct hw_ssd_cfg *cfg)
{
	*s = (struct hw_ssd){ .cfg = cfg->count ? cfg : NULL };
	for (u32 w = 0; s->cfg && w < HW_SSD_WAYS; w++) {
		s->queues[w] = gs_calloc(cfg->count, sizeof(*s->queues[w]));
		for (u32 i = 0; i < cfg->count; i++)
			s->queues[w][i].ends = gs_calloc(cfg->queue_depth, sizeof(gs_time));
	}
}

void hw_ssd_fini(struct hw_ssd *s)
{
	for (u32 w = 0; w < HW_SSD_WAYS; w++) {
		for (u32 i = 0; s->queues[w] && i < s->cfg->count; i++)
			free(s->queues[w][i].ends);
		free(s->queues[w]);
	}
	*s = (struct hw_ssd){ .cfg = NULL };
}

/* One command from @earliest on; returns its end. */
static gs_time command(struct hw_ssd *s, enum hw_ssd_way way, u64 bytes, gs_time earliest)
{
	const struct hw_ssd_cfg *cfg = s->cfg;
	struct hw_ssd_queue *q = &s->queues[way][s->turn[way]];
	gs_time length = gs_muldiv_up(bytes, GS_S, cfg->bps[way]);
	gs_time begin = gs_max(earliest, q->ends[q->next]);

	q->free_at = gs_max(begin + cfg->latency[way], q->free_at) + length;
	q->ends[q->next] = q->free_at;
	q->next = (q->next + 1) % cfg->queue_depth;
	s->turn[way] = (s->turn[way] + 1) % cfg->count;
	s->stats[way].commands++;
	s->stats[way].busy_ps += length;
	return q->free_at;
}

gs_time hw_ssd_send(struct hw_ssd *s, enum hw_ssd_way way, u64 bytes, gs_time earliest)
{
	const struct hw_ssd_queue *q = &s->queues[way][s->turn[way]];
	gs_time end = earliest;

	if (!bytes)
		return end;
	s->stats[way].transfers++;
	s->stats[way].bytes += bytes;
	s->stats[way].wait_ps += q->free_at > earliest ? q->free_at - earliest : 0;
	while (bytes) {
		u64 n = gs_min(bytes, s->cfg->command);

		end = gs_max(end, command(s, way, n, earliest));
		bytes -= n;
	}
	return end;
}
