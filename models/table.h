/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * table.h - the memory managers that there are
 *
 * To add one: write models/mm_<name>.c with its struct mm_ops, and a row here;
 * readers[] in sim/main_warn.c says which of the common keys it reads.
 */
#ifndef HW_TABLE_H
#define HW_TABLE_H

#include "models/hw.h"
#include "sim/mm.h"

extern const struct mm_ops mm_ideal, mm_static, mm_policy, mm_uvm, mm_gmem, mm_hmm, mm_svm, mm_g10;
extern const struct mm_ops *const mm_managers[]; /* NULL-terminated */

/*
 * What G10's planner advises for the job on the machine, of whose device memory
 * @spare stays free.  @params: as bound to mm_g10.params.
 */
struct g10_params;
void g10_hints(const struct mm_plan *p, const struct g10_params *params,
	       const struct gs_machine *mc, u64 spare, struct mm_hints *out);

/* By manager.type; NULL if there is none of that name. */
const struct mm_ops *mm_find(const char *name);

/*
 * Allocate the manager's state and start it.  All arguments must outlive it;
 * @params are as bound to ops->params, NULL where there are none.  NULL on
 * error (said already); errno tells which: ENOSPC when the job does not fit.
 */
struct mm *mm_create(const struct mm_ops *ops, struct gs_sim *sim, struct gs_machine *machine,
		     const struct gs_job *job, const struct mm_common *common, const void *params);
void mm_free(struct mm *m);

#endif
