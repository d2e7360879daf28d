/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * hw_link.c - a link: one FIFO server a direction
 *
 *   send()      start                       free for the next        end
 *     |--- wait --|--- setup + bytes / rate ---|                      |
 *                 |                            |------ latency -------|
 *
 * The latency is a pipeline and delays only the arrival.  A measured curve
 * "size:rate, ..." takes the place of setup + bytes / rate.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <gsl/gsl_interp.h>

#include "models/hw.h"

/* clang-format off */
#define LINK_ROWS(h2d, h2d_src, d2h, d2h_src, latency, latency_src, setup, setup_src, duplex, \
		  duplex_src) \
	GM_P_U64(struct hw_link_cfg, h2d_bps, "h2d.bandwidth", GM_BPS, h2d, 1, U64_MAX, \
		 "Payload rate towards the device, large transfers", h2d_src), \
	GM_P_U64(struct hw_link_cfg, d2h_bps, "d2h.bandwidth", GM_BPS, d2h, 1, U64_MAX, \
		 "Payload rate away from the device, large transfers", d2h_src), \
	GM_P_U64(struct hw_link_cfg, latency_ps, "latency", GM_PS, latency, 0, GS_S, \
		 "First byte in to first byte out; pipelined", latency_src), \
	GM_P_U64(struct hw_link_cfg, setup_ps, "setup", GM_PS, setup, 0, GS_S, \
		 "Occupies the direction before each transfer", setup_src), \
	GM_P_U32(struct hw_link_cfg, duplex_pct, "duplex", GM_PERCENT, duplex, 1, 100, \
		 "Rate of each direction while both are busy", duplex_src), \
	GM_P_STR(struct hw_link_cfg, curve, "curve", "", \
		 "Measured rates by size, in place of setup: \"64 KiB:10.6 GB/s, 2 MiB:48 GB/s\"", \
		 "none: setup + bytes / rate")

const struct gm_param hw_link_rows[] = {
	LINK_ROWS("25 GB/s", "nvbandwidth issue 53: 25.1 GB/s on an A100, PCIe 4 x16",
		  "25 GB/s", "nvbandwidth issue 53: about 25 GB/s on an A100",
		  "900 ns", "guess: PCIe 4 round trip through the root complex",
		  "1.5 us", "guess: copy-engine push by the driver takes 1.5 to 2 us",
		  "80 %", "guess: 72 % with SM copies (nvbandwidth issue 53), more with engines"),
	GM_P_END
};

const struct gm_param hw_peer_rows[] = {
	LINK_ROWS("260 GB/s", "guess: 87 % of NVLink 3's 300 GB/s per direction",
		  "260 GB/s", "guess: 87 % of NVLink 3's 300 GB/s per direction",
		  "1 us", "guess: NVLink load through a switch",
		  "2.5 us", "UCX cuda_ipc: launch of a peer copy takes about 2.5 us",
		  "100 %", "guess: a switch has a path of its own for each direction"),
	GM_P_END
};
/* clang-format on */

/* ---- measured curve ---- */

/* Occupied time against size, both as logarithms: straight lines at both ends. */
struct hw_curve {
	size_t n;
	double *x, *y;	    /* log2 bytes, log2 ps */
	gsl_interp *spline; /* NULL for fewer than three points: a straight line */
};

static void curve_free(struct hw_curve *c)
{
	if (!c)
		return;
	if (c->spline)
		gsl_interp_free(c->spline);
	free(c->x);
	free(c->y);
	free(c);
}

/* "64 KiB:10.6 GB/s" -> the next point. */
static const char *curve_point(struct hw_curve *c, char *text)
{
	static const struct gm_param size_row = {
		.key = "size", .kind = GM_KIND_U64, .unit = GM_BYTES, .min = 1, .max = U64_MAX
	};
	static const struct gm_param rate_row = {
		.key = "rate", .kind = GM_KIND_U64, .unit = GM_BPS, .min = 1, .max = U64_MAX
	};
	char *colon = strchr(text, ':');
	const char *why = NULL;
	u64 size, rate;

	if (!colon)
		return "a point is written \"size:rate\", as in \"64 KiB:10.6 GB/s\"";
	*colon = 0;
	if (gs_param_parse(&size_row, text, &size, &why) ||
	    gs_param_parse(&rate_row, colon + 1, &rate, &why))
		return why;
	c->x[c->n] = log2((double)size);
	c->y[c->n] = log2((double)size * (double)GS_S / (double)rate);
	if (c->n && c->x[c->n] <= c->x[c->n - 1])
		return "the sizes of a curve ascend";
	if (c->n && c->y[c->n] < c->y[c->n - 1])
		return "a larger transfer of a curve may not be faster than a smaller one";
	c->n++;
	return NULL;
}

static const char *curve_parse(struct hw_curve *c, char *text)
{
	const char *why = NULL;

	for (char *rest = text, *point; !why && (point = strsep(&rest, ",")) != NULL;)
		why = curve_point(c, point);
	if (why || c->n < 3)
		return why;
	/* steffen: monotonic between points, so that no size beats a larger one */
	c->spline = gsl_interp_alloc(gsl_interp_steffen, c->n);
	gsl_interp_init(c->spline, c->x, c->y, c->n);
	return NULL;
}

static struct hw_curve *curve_new(const char *text, const char **why)
{
	struct hw_curve *c = gs_calloc(1, sizeof(*c));
	char *copy = gs_strdup(text);
	size_t points = 1;

	for (const char *p = text; *p; p++)
		points += *p == ',';
	c->x = gs_calloc(points, sizeof(*c->x));
	c->y = gs_calloc(points, sizeof(*c->y));
	*why = curve_parse(c, copy);
	free(copy);
	if (!*why)
		return c;
	curve_free(c);
	return NULL;
}

static gs_time curve_time(const struct hw_curve *c, u64 bytes)
{
	double x = log2((double)bytes), y;
	size_t last = c->n - 1;

	if (x <= c->x[0]) /* bound by latency: no shorter than the first point */
		y = c->y[0];
	else if (x >= c->x[last]) /* bound by rate */
		y = c->y[last] + (x - c->x[last]);
	else if (c->spline)
		y = gsl_interp_eval(c->spline, c->x, c->y, x, NULL);
	else
		y = c->y[0] + (c->y[last] - c->y[0]) * (x - c->x[0]) / (c->x[last] - c->x[0]);
	/* whole ns: the last bits of log2() differ from one libm to the next */
	return (gs_time)llround(exp2(y) / (double)GS_NS) * GS_NS;
}

/* ---- link ---- */

int hw_link_init(struct hw_link *l, const struct hw_link_cfg *cfg, const char **why)
{
	*why = NULL;
	*l = (struct hw_link){ .cfg = cfg };
	if (cfg->curve && *cfg->curve)
		l->curve = curve_new(cfg->curve, why);
	return *why ? -EINVAL : 0;
}

void hw_link_fini(struct hw_link *l)
{
	curve_free(l->curve);
	l->curve = NULL;
}

static u64 rate_of(const struct hw_link_cfg *cfg, enum hw_dir dir)
{
	return dir == HW_H2D ? cfg->h2d_bps : cfg->d2h_bps;
}

/* Time of one transfer without and with what the duplex penalty stretches. */
static gs_time occupation(const struct hw_link *l, enum hw_dir dir, u64 bytes, u32 duplex_pct)
{
	const struct hw_link_cfg *cfg = l->cfg;
	gs_time setup = cfg->setup_ps, payload;

	if (l->curve) {
		/* the curve was measured towards the device: the other way scales */
		setup = 0;
		payload = curve_time(l->curve, bytes);
		if (dir == HW_D2H)
			payload = gs_muldiv_up(payload, cfg->h2d_bps, cfg->d2h_bps);
	} else {
		payload = gs_muldiv_up(bytes, GS_S, rate_of(cfg, dir));
	}
	return setup + (duplex_pct == 100 ? payload : gs_muldiv_up(payload, 100, duplex_pct));
}

gs_time hw_link_time(const struct hw_link *l, enum hw_dir dir, u64 bytes)
{
	return bytes ? occupation(l, dir, bytes, 100) : 0;
}

/* Directions of all links on @dram that are busy at @when, and one more. */
static u32 sharers(const struct hw_dram *dram, gs_time when)
{
	u32 n = 1;

	for (u32 i = 0; i < dram->nlinks; i++)
		for (u32 d = 0; d < HW_NR_DIRS; d++)
			n += dram->links[i].dir[d].free_at > when;
	return n;
}

/* Host memory's share bounds what the link itself could do. */
static gs_time dram_time(const struct hw_dram *dram, u64 bytes, gs_time when)
{
	return dram ? gs_muldiv_up(bytes, sharers(dram, when) * GS_S, dram->bps) : 0;
}

gs_time hw_link_send_runs(struct hw_link *l, enum hw_dir dir, u64 bytes, u32 runs, gs_time extra,
			  gs_time earliest, gs_time *start)
{
	struct hw_server *own = &l->dir[dir], *other = &l->dir[!dir];
	struct hw_link_stats *stats = &l->stats[dir];
	gs_time begin = gs_max(earliest, own->free_at), length = 0;
	u32 duplex = other->free_at > begin ? l->cfg->duplex_pct : 100;

	if (bytes)
		length = gs_max(extra + runs * occupation(l, dir, gs_max(bytes / runs, 1), duplex),
				dram_time(l->dram, bytes, begin));
	begin = hw_reserve(own, earliest, length);
	stats->transfers += runs;
	stats->bytes += bytes;
	stats->busy_ps += length;
	stats->wait_ps += begin - earliest;
	if (start)
		*start = begin;
	return begin + length + l->cfg->latency_ps;
}

gs_time hw_link_send(struct hw_link *l, enum hw_dir dir, u64 bytes, gs_time earliest,
		     gs_time *start)
{
	return hw_link_send_runs(l, dir, bytes, 1, 0, earliest, start);
}
