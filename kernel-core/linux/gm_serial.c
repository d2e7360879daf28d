// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * gm_serial.c - operations without workers, clock or chance (parameter serial)
 *
 * Whoever waits for the core does what it has asked for, one operation after
 * another, until what he waits for is there.  He goes no further: a unit that just
 * came could be the next victim before he has touched it.  What the core decides
 * is then a function of what programs do: a simulator that runs the same program
 * comes to the same decisions, and needs no log for it (gm_program.h).
 */
#include "gm_linux.h"

#include "gm_serial.h"

/* Lives in gm_op.host[]. */
struct serial_op {
	struct list_head link;
	struct gm_op *op;
	int err;
	bool work; /* else it only takes time, of which there is none */
};

static LIST_HEAD(asked); /* under gml.lock, in the order of asking */
static u64 nr_asked, state;

void gml_serial_add(struct gm_op *op, int err, bool work)
{
	struct serial_op *so = (struct serial_op *)op->host;

	BUILD_BUG_ON(sizeof(*so) > sizeof(op->host));
	so->op = op;
	so->err = err;
	so->work = work;
	list_add_tail(&so->link, &asked);
	nr_asked++;
}

static struct serial_op *next(void)
{
	u64 i = gm_serial_pick(&state, gml_config.serial, nr_asked);
	struct serial_op *so;

	list_for_each_entry(so, &asked, link)
		if (!i--)
			break;
	list_del(&so->link);
	nr_asked--;
	return so;
}

void gml_serial_run(struct completion *until)
{
	if (!gml_config.serial)
		return;
	mutex_lock(&gml.lock);
	while (nr_asked && !(until && completion_done(until))) {
		struct serial_op *so = next();
		int err = so->err || !so->work ? so->err : gml_do_op(so->op);

		atomic_dec(&gml.live.ops);
		gml_call_done(so->op, err);
	}
	mutex_unlock(&gml.lock);
	wake_up_all(&gml.progress);
}
