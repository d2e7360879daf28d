/* SPDX-License-Identifier: GPL-3.0-or-later */
/* progress.c - a bar on a terminal, a line now and then elsewhere */
#include "sim/out.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BAR = 24 };

static const u64 second_ns = 1000000000;

static u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * second_ns + (u64)t.tv_nsec;
}

/* Blanks the line of the bar; messages call it too, so that both stay readable. */
static void clear_line(void)
{
	fputs("\r\033[K", stderr);
	fflush(stderr);
}

void gs_progress_begin(struct gs_progress *p, const char *what, u64 total)
{
	const char *term = getenv("TERM");

	*p = (struct gs_progress){ .what = what, .total = total, .start_ns = now_ns() };
	p->shown_ns = p->start_ns;
	p->tty = isatty(STDERR_FILENO) && term && strcmp(term, "dumb");
	if (p->tty && !gs_quiet)
		gs_before_message = clear_line;
}

/* "40 s", "3 min 20 s", "2 h 5 min" */
static void duration(u64 s, char *buf, size_t size)
{
	if (s < 60)
		snprintf(buf, size, "%llu s", s);
	else if (s < 3600)
		snprintf(buf, size, "%llu min %llu s", s / 60, s % 60);
	else
		snprintf(buf, size, "%llu h %llu min", s / 3600, s / 60 % 60);
}

/* ", 40 s left" by the mean rate so far; "" while that says nothing. */
static void time_left(const struct gs_progress *p, u64 now, char *buf, size_t size)
{
	u64 ns = now - p->start_ns;
	char text[64];

	buf[0] = 0;
	if (p->done <= p->base || p->done >= p->total)
		return;
	ns = gs_muldiv_up(ns, p->total - p->done, p->done - p->base);
	duration((ns + second_ns - 1) / second_ns, text, sizeof(text));
	snprintf(buf, size, ", %s left", text);
}

static void draw(const struct gs_progress *p, u64 now)
{
	double s = (double)(now - p->start_ns) / (double)second_ns;
	u64 done = p->total ? gs_min(p->done, p->total) : 0;
	u64 filled = p->total ? gs_muldiv(done, BAR, p->total) : 0;
	char bar[BAR + 1], left[80];

	for (u64 i = 0; i < BAR; i++)
		bar[i] = i < filled ? '#' : '.';
	bar[BAR] = 0;
	time_left(p, now, left, sizeof(left));
	fprintf(stderr, "\r%.20s [%s] %llu %%, %.3g/s%s\033[K", p->what, bar,
		p->total ? gs_muldiv(done, 100, p->total) : 0,
		s > 0 ? (double)(p->done - p->base) / s : 0.0, left);
	fflush(stderr);
}

static void line(const struct gs_progress *p, u64 now)
{
	char left[80];

	time_left(p, now, left, sizeof(left));
	if (p->total)
		gs_info("%s: %llu of %llu (%llu %%)%s", p->what, p->done, p->total,
			gs_muldiv(gs_min(p->done, p->total), 100, p->total), left);
	else
		gs_info("%s: %llu done", p->what, p->done);
}

/* Lines come at longer and longer intervals: a night of them is still a page. */
static u64 pause_ns(const struct gs_progress *p, u64 now)
{
	if (p->tty)
		return second_ns / 10;
	return gs_min(gs_max((now - p->start_ns) / 8, 10 * second_ns), 600 * second_ns);
}

void gs_progress_update(struct gs_progress *p, u64 done)
{
	u64 now = now_ns();

	p->done = done;
	if (gs_quiet || now - p->shown_ns < pause_ns(p, now))
		return;
	p->shown_ns = now;
	if (p->tty)
		draw(p, now);
	else
		line(p, now);
}

void gs_progress_end(struct gs_progress *p)
{
	if (!p->tty || gs_quiet)
		return;
	gs_before_message = NULL;
	clear_line();
}
