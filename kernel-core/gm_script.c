// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_script.c - the event sequences of GMEM
 *
 * Family DEVICE is openEuler 23.09 with its remote pager: the device owns its
 * frames, so the host has to ask for one in the middle of a fault that the
 * device asked about (4 messages), and an eviction is asked for by the device
 * and then ordered by the host (4 messages).
 *
 * Family HOST is OLK-6.6 of 2025: the host owns the frames, finds one first,
 * and what is left of the protocol are the pairs peer_map and peer_unmap
 * (2 messages each).  How a fault reaches the host is not published; an
 * interrupt is assumed, whose cost is the host's to model.
 */
#include "gm_script.h"

#define STEP(t, m, f, o, p)                                                     \
	{                                                                       \
		.type = GM_S_##t, .msg = (m), .from = GM_E_##f, .to = GM_E_##o, \
		.phase = GM_PHASE_##p,                                          \
	}
/* The device asks the host, the host orders, and the answers to both. */
#define ASK(m)	     STEP(MSG, GM_MSG_##m, DEV, HOST, SERVICE)
#define ORDER(m)     STEP(MSG, GM_MSG_##m, HOST, DEV, SERVICE)
#define ORDER_SRC(m) STEP(MSG, GM_MSG_##m, HOST, SRC, SERVICE)
#define DID	     STEP(MSG, GM_MSG_RESPONSE, DEV, HOST, FINISH)
#define DID_SRC	     STEP(MSG, GM_MSG_RESPONSE, SRC, HOST, FINISH)
#define ANSWER	     STEP(MSG, GM_MSG_RESPONSE, HOST, DEV, FINISH)
#define HOST_UNMAP   STEP(HOST_UNMAP, 0, DEV, HOST, SERVICE)
#define HOST_MAP     STEP(HOST_MAP, 0, DEV, HOST, FINISH)
#define HOST_ALLOC   STEP(HOST_ALLOC, 0, DEV, HOST, SERVICE)
#define HOST_ZERO    STEP(HOST_ZERO, 0, DEV, HOST, SERVICE)
#define HOST_FREE    STEP(HOST_FREE, 0, DEV, HOST, FINISH)
#define DMA_MAP	     STEP(DMA_MAP, 0, HOST, DEV, SERVICE)
#define FRAME	     STEP(FRAME, 0, HOST, DEV, EVICT)
#define IMPORT	     STEP(IMPORT, 0, HOST, DEV, SERVICE)
#define DEV_ALLOC    STEP(DEV_ALLOC, 0, HOST, DEV, SERVICE)
#define DEV_ZERO     STEP(DEV_ZERO, 0, HOST, DEV, SERVICE)
#define COPY_IN	     STEP(COPY, 0, HOST, DEV, LINK)
#define COPY_OUT     STEP(COPY, 0, DEV, HOST, LINK)
#define COPY_PEER    STEP(COPY, 0, SRC, DEV, LINK)
#define DEV_MAP	     STEP(DEV_MAP, 0, HOST, DEV, FINISH)
#define DEV_UNMAP    STEP(DEV_UNMAP, 0, HOST, DEV, SERVICE)
#define SRC_UNMAP    STEP(DEV_UNMAP, 0, HOST, SRC, SERVICE)
#define DEV_FREE     STEP(DEV_FREE, 0, HOST, DEV, FINISH)
#define SRC_FREE     STEP(DEV_FREE, 0, HOST, SRC, FINISH)
#define VETO	     STEP(VETO, 0, HOST, DEV, SERVICE)
#define SENT	     STEP(SENT, 0, HOST, DEV, SERVICE)
#define COMMIT	     STEP(COMMIT, 0, HOST, DEV, FINISH)
#define SCRIPT(...)                                          \
	(const struct gm_step[])                             \
	{                                                    \
		__VA_ARGS__, STEP(END, 0, HOST, DEV, FINISH) \
	}

/* clang-format off */
#define CPU_SIDE \
	[GM_C_CPU_ZERO] = SCRIPT(HOST_ALLOC, HOST_ZERO, COMMIT, HOST_MAP), \
	[GM_C_CPU_REMAP] = SCRIPT(COMMIT, HOST_MAP), \
	[GM_C_FREE_CPU] = SCRIPT(HOST_UNMAP, COMMIT), \
	[GM_C_DROP_CPU] = SCRIPT(COMMIT, HOST_UNMAP), \
	[GM_C_FREE_DEV] = SCRIPT(ORDER(FREE_PAGE), DEV_UNMAP, COMMIT, DEV_FREE, DID), \
	[GM_C_DROP_DEV] = SCRIPT(COMMIT, ORDER(FREE_PAGE), DEV_UNMAP, DEV_FREE, DID)

const struct gm_step *const gm_scripts[GM_NR_FAMILIES][GM_NR_CASES] = {
[GM_FAMILY_DEVICE] = {
	CPU_SIDE,
	[GM_C_DEV_ZERO] = SCRIPT(
		ASK(PAGE_FAULT), ORDER(ALLOC_PAGE), FRAME, IMPORT, DEV_ALLOC, SENT,
		DEV_ZERO, DEV_MAP, COMMIT, DID, ANSWER),
	[GM_C_DEV_FETCH] = SCRIPT(
		ASK(PAGE_FAULT), HOST_UNMAP, DMA_MAP, ORDER(ALLOC_PAGE), FRAME, IMPORT,
		DEV_ALLOC, SENT, COPY_IN, DEV_MAP, COMMIT, DID, HOST_FREE, ANSWER),
	[GM_C_AHEAD_ZERO] = SCRIPT(
		ORDER(ALLOC_PAGE), FRAME, IMPORT, DEV_ALLOC,
		DEV_ZERO, DEV_MAP, COMMIT, DID),
	[GM_C_AHEAD_FETCH] = SCRIPT(
		HOST_UNMAP, DMA_MAP, ORDER(ALLOC_PAGE), FRAME, IMPORT,
		DEV_ALLOC, COPY_IN, DEV_MAP, COMMIT, DID, HOST_FREE),
	[GM_C_PEER] = SCRIPT(
		ASK(PAGE_FAULT), ORDER(ALLOC_PAGE), FRAME, IMPORT, DEV_ALLOC, SENT,
		ORDER_SRC(FREE_PAGE), SRC_UNMAP, COPY_PEER, DEV_MAP, COMMIT,
		SRC_FREE, DID_SRC, DID, ANSWER),
	[GM_C_AHEAD_PEER] = SCRIPT(
		ORDER(ALLOC_PAGE), FRAME, IMPORT, DEV_ALLOC,
		ORDER_SRC(FREE_PAGE), SRC_UNMAP, COPY_PEER, DEV_MAP, COMMIT,
		SRC_FREE, DID_SRC, DID),
	[GM_C_CPU_FETCH] = SCRIPT(
		HOST_ALLOC, HOST_ZERO, DMA_MAP, ORDER(FREE_PAGE), DEV_UNMAP, COPY_OUT,
		COMMIT, DEV_FREE, DID, HOST_MAP),
	[GM_C_EVICT] = SCRIPT(
		ASK(EVICT_PAGE), VETO, HOST_ALLOC, DMA_MAP, ORDER(FREE_PAGE), DEV_UNMAP,
		COPY_OUT, COMMIT, DEV_FREE, DID, ANSWER),
	[GM_C_OUT] = SCRIPT(
		HOST_ALLOC, DMA_MAP, ORDER(FREE_PAGE), DEV_UNMAP,
		COPY_OUT, COMMIT, DEV_FREE, DID),
},
[GM_FAMILY_HOST] = {
	CPU_SIDE,
	[GM_C_DEV_ZERO] = SCRIPT(
		FRAME, IMPORT, ORDER(ALLOC_PAGE), SENT, DEV_ZERO, DEV_MAP, COMMIT, DID),
	[GM_C_DEV_FETCH] = SCRIPT(
		FRAME, IMPORT, HOST_UNMAP, DMA_MAP, ORDER(ALLOC_PAGE), SENT, COPY_IN, DEV_MAP,
		COMMIT, DID, HOST_FREE),
	[GM_C_AHEAD_ZERO] = SCRIPT(
		FRAME, IMPORT, ORDER(ALLOC_PAGE), DEV_ZERO, DEV_MAP, COMMIT, DID),
	[GM_C_AHEAD_FETCH] = SCRIPT(
		FRAME, IMPORT, HOST_UNMAP, DMA_MAP, ORDER(ALLOC_PAGE), COPY_IN, DEV_MAP,
		COMMIT, DID, HOST_FREE),
	[GM_C_PEER] = SCRIPT(
		FRAME, IMPORT, ORDER_SRC(FREE_PAGE), SRC_UNMAP, ORDER(ALLOC_PAGE), SENT,
		COPY_PEER, DEV_MAP, COMMIT, DID, DID_SRC, SRC_FREE),
	[GM_C_AHEAD_PEER] = SCRIPT(
		FRAME, IMPORT, ORDER_SRC(FREE_PAGE), SRC_UNMAP, ORDER(ALLOC_PAGE),
		COPY_PEER, DEV_MAP, COMMIT, DID, DID_SRC, SRC_FREE),
	[GM_C_CPU_FETCH] = SCRIPT(
		HOST_ALLOC, HOST_ZERO, DMA_MAP, ORDER(FREE_PAGE), DEV_UNMAP, COPY_OUT,
		COMMIT, DID, DEV_FREE, HOST_MAP),
	[GM_C_EVICT] = SCRIPT(
		HOST_ALLOC, DMA_MAP, VETO, ORDER(FREE_PAGE), DEV_UNMAP, COPY_OUT,
		COMMIT, DID, DEV_FREE),
	[GM_C_OUT] = SCRIPT(
		HOST_ALLOC, DMA_MAP, ORDER(FREE_PAGE), DEV_UNMAP, COPY_OUT,
		COMMIT, DID, DEV_FREE),
},
};
/* clang-format on */
