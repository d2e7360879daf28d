/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_g10_fault.c - what faults add to a kernel's time
 *
 * Rates come from three measurements of the kernel: with all data resident, with
 * its outputs faulting, and with its inputs faulting as well.  The added time is
 * that of the SSD's pages or of all the others, whichever takes longer.  The
 * order of the arithmetic is the artifact's, since results are cut to cycles.
 */
#include <math.h>

#include "models/mm_g10.h"

/* "As fast as the link lets": bytes per ms where nothing was measured. */
static const double unmeasured = 1063004400;

struct side {			     /* inputs or outputs */
	double bytes, faulted, ssd;  /* shares */
	double rate, ssd_rate, rest; /* bytes per ms */
};

/* The artifact divides integers here, so that all below a second is nothing. */
static double ms_of(const struct g10_sim *s, u64 cycles)
{
	if (s->par->whole_seconds)
		return (double)(cycles / s->par->clock_hz * 1000);
	return (double)cycles / (double)s->par->clock_hz * 1000;
}

static struct side side_of(const struct g10_missing *m, int i, bool charge)
{
	u64 fresh = charge ? m->fresh[i] : 0, all = m->host[i] + m->ssd[i] + fresh;
	struct side s = { .bytes = (double)(m->pages[i] * G10_PAGE) };

	s.faulted = m->pages[i] ? (double)all / (double)m->pages[i] : 0;
	s.ssd = all ? (double)m->ssd[i] / (double)all : 0;
	return s;
}

static void rate(const struct g10_sim *s, struct side *x, double slow, double fast)
{
	double system = (double)(s->par->system_latency / GS_US);
	double ssd = (double)(s->par->ssd_latency / GS_US);

	x->rate = slow == fast ? unmeasured : x->bytes / (slow - fast);
	x->ssd_rate = x->rate * system / (system + ssd);
	x->ssd_rate = fmin(x->ssd_rate, s->ssd_bpms);
	if (x->ssd == 0)
		x->ssd_rate = 0;
}

static double ssd_ms(const struct side *x)
{
	return x->ssd == 0 ? 0 : x->faulted * x->ssd * x->bytes / x->ssd_rate;
}

static double host_ms(const struct side *x)
{
	return x->faulted * (1 - x->ssd) * x->bytes / x->rate;
}

u64 g10_fault_cycles(const struct g10_sim *s, const struct g10_kernel *k, u64 cycles,
		     const struct g10_missing *miss)
{
	struct side in = side_of(miss, 0, s->par->charge_alloc);
	struct side out = side_of(miss, 1, s->par->charge_alloc);
	double scale = (double)cycles / (double)gs_max(k->cycles, 1);
	double exec = ms_of(s, cycles), both = exec, outputs = exec, left, ms;

	if (!s->par->faults_cost)
		return 0;
	if (s->par->measured) {
		both = ms_of(s, (u64)((double)k->fault_all * scale));
		outputs = ms_of(s, (u64)((double)k->fault_out * scale));
	}
	both = both <= exec ? exec : both;
	outputs = outputs < exec ? exec : outputs;
	outputs = outputs > both ? both : outputs;
	rate(s, &in, both, outputs);
	rate(s, &out, outputs, exec);
	left = s->pcie_bpms - fmax(in.ssd_rate, out.ssd_rate);
	in.rate = fmin(in.rate, left);
	out.rate = fmin(out.rate, left);
	ms = fmax(ssd_ms(&in) + ssd_ms(&out), host_ms(&in) + host_ms(&out));
	return (u64)(ms / 1000 * (double)s->par->clock_hz);
}
