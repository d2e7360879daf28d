/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * hw_limits.c - raw rates of memories and links, by device
 *
 * PCIe x16, one direction, by its line code (PCI-SIG): 8, 16, 32 GT/s times 16
 * lanes times 128/130.  NVLink by NVIDIA's datasheets, which add both directions:
 * halved here.  Memories by datasheets.
 */
#include "models/hw_limits.h"

#include <string.h>

#define GB 1000000000ULL

#define PCIE3 15754000000ULL, "PCIe 3 x16"
#define PCIE4 31508000000ULL, "PCIe 4 x16"
#define PCIE5 63015000000ULL, "PCIe 5 x16"

#define ROW(device_, hbm_gb, hbm_, link_, peer_gb, peer_) \
	ROW_(device_, hbm_gb, hbm_, link_, peer_gb, peer_)
#define ROW_(device_, hbm_gb, hbm_, bps_, link_, peer_gb, peer_)                          \
	{                                                                                 \
		.device = (device_), .hbm_bps = (hbm_gb)*GB, .link_bps = (bps_),          \
		.peer_bps = (peer_gb)*GB, .hbm = (hbm_), .link = (link_), .peer = (peer_) \
	}

static const struct hw_limit limits[] = {
	ROW("V100-32", 900, "HBM2 of a V100", PCIE3, 150, "NVLink 2"),
	ROW("A100-40", 1555, "HBM2 of an A100-40", PCIE4, 300, "NVLink 3"),
	ROW("A100-80", 2039, "HBM2e of an A100-80", PCIE4, 300, "NVLink 3"),
	ROW("H100", 3350, "HBM3 of an H100", PCIE5, 450, "NVLink 4"),
	ROW("H200", 4800, "HBM3e of an H200", PCIE5, 450, "NVLink 4"),
	/* NVLink-C2C: 900 GB/s both directions together (GH200 datasheet) */
	ROW_("GH200-96", 4000, "HBM3 of a GH200", 450 * GB, "NVLink-C2C", 450, "NVLink 4"),
	/* seven xGMI links of 64 GB/s each way (MI300X datasheet) */
	ROW("MI300X", 5300, "HBM3 of an MI300X", PCIE5, 448, "seven xGMI links"),
	/* public specifications; HCCS: three links of 30 GB/s, seven of 28 */
	ROW("Ascend-910A", 1200, "HBM2 of an Ascend 910", PCIE4, 90, "three HCCS links"),
	ROW("Ascend-910B", 1600, "HBM2e of an Ascend 910B", PCIE5, 196, "seven HCCS links"),
	/* B200 datasheet: 8 TB/s, NVLink 5 with 1.8 TB/s both directions together */
	ROW_(NULL, 8000, "the fastest HBM that is sold", 450 * GB,
	     "NVLink-C2C, the fastest link to a host", 900, "NVLink 5"),
};

const struct hw_limit *hw_limit_of(const char *device)
{
	const struct hw_limit *l = limits;

	while (l->device && strcmp(l->device, device))
		l++;
	return l;
}
