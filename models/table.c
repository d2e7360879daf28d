/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * table.c - the memory managers that there are
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "models/table.h"

const struct mm_ops *const mm_managers[] = { &mm_ideal, &mm_static, &mm_policy, &mm_gmem, &mm_uvm,
					     &mm_hmm,	&mm_svm,    &mm_g10,	NULL };

const struct mm_ops *mm_find(const char *name)
{
	for (size_t i = 0; mm_managers[i]; i++)
		if (!strcmp(mm_managers[i]->name, name))
			return mm_managers[i];
	return NULL;
}

struct mm *mm_create(const struct mm_ops *ops, struct gs_sim *sim, struct gs_machine *machine,
		     const struct gs_job *job, const struct mm_common *common, const void *params)
{
	struct mm *m;
	int err;

	gs_assert(ops->state_size >= sizeof(*m) && ops->touch);
	m = gs_calloc(1, ops->state_size);
	m->ops = ops;
	m->sim = sim;
	m->machine = machine;
	m->job = job;
	m->common = common;
	m->params = params;
	err = ops->init ? ops->init(m) : 0;
	if (!err)
		return m;
	mm_free(m);
	errno = -err;
	return NULL;
}

void mm_free(struct mm *m)
{
	if (!m)
		return;
	if (m->ops->fini)
		m->ops->fini(m);
	free(m);
}
