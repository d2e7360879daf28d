/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_sweep_run.c - the points of a sweep, each in a process of its own
 *
 * A point that crashes takes nobody with it, and no state can leak from one
 * to the next.  A sweep that dies takes its points along, so that they are not
 * still at work when another takes it up.
 */
#define _GNU_SOURCE /* memfd_create() */
#include "sim/main_sweep.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

/* ---- processes --------------------------------------------------------------- */

static void __attribute__((noreturn))
be_point(const struct sweep *sw, size_t i, pid_t parent, const sigset_t *mask)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it died before we asked */
		_exit(GS_EXIT_BUG);
	sigprocmask(SIG_SETMASK, mask, NULL);
	dup2(sw->points[i].log, STDERR_FILENO);
	_exit(sweep_point(sw, i));
}

static void start(struct sweep *sw, size_t i, const sigset_t *mask)
{
	pid_t self = getpid(), pid;

	fflush(NULL);
	/* what it says is kept in memory: the disk may be what it complains of */
	sw->points[i].log = memfd_create("point", MFD_CLOEXEC);
	pid = sw->points[i].log < 0 ? -1 : fork();
	if (!pid)
		be_point(sw, i, self, mask);
	if (pid < 0) {
		gs_err("cannot start a process: %s; try a smaller -j", strerror(errno));
		sweep_stop(sw, "no more processes: the sweep ends");
		return;
	}
	sw->points[i].pid = pid;
	sw->points[i].due_ns = now_ns() + sw->timeout * 1000000000;
	sw->running++;
}

/* Those that have taken too long, or all. */
static void kill_points(struct sweep *sw, bool all)
{
	u64 now = now_ns();

	for (size_t i = 0; i < sw->grid.npoints; i++) {
		struct point *p = &sw->points[i];

		if (!p->pid || (!all && (!sw->timeout || now < p->due_ns)))
			continue;
		p->overdue = !all;
		kill(p->pid, SIGKILL);
	}
}

/* Take note of all that have ended. */
static void reap(struct sweep *sw)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (size_t i = 0; i < sw->grid.npoints; i++) {
			struct point *p = &sw->points[i];

			if (p->pid != pid)
				continue;
			p->pid = 0;
			sw->running--;
			/* whom we killed to stop has not failed */
			if (!sw->stop_signal || !WIFSIGNALED(status))
				sweep_point_ended(sw, i, status);
			close(p->log);
		}
	}
}

/* ---- the sweep --------------------------------------------------------------- */

void sweep_stop(struct sweep *sw, const char *why)
{
	if (!sw->stop)
		sw->stop = why;
}

/* Signals that we wait for; one that is ignored (nohup) stays so. */
static void block_signals(sigset_t *ours, sigset_t *before)
{
	static const int stops[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction sa;

	signal(SIGCHLD, SIG_DFL);
	sigemptyset(ours);
	sigaddset(ours, SIGCHLD);
	for (size_t i = 0; i < GS_ARRAY_SIZE(stops); i++)
		if (!sigaction(stops[i], NULL, &sa) && sa.sa_handler != SIG_IGN)
			sigaddset(ours, stops[i]);
	sigprocmask(SIG_BLOCK, ours, before);
}

/* Until a point ends, somebody stops us, or a second is over. */
static void wait_a_moment(struct sweep *sw, const sigset_t *ours)
{
	static const struct timespec second = { .tv_sec = 1 };
	int sig = sigtimedwait(ours, NULL, &second);

	if (sig > 0 && sig != SIGCHLD) {
		sw->stop_signal = sig;
		sweep_stop(sw, "stopped by a signal");
		kill_points(sw, true);
	}
	kill_points(sw, false);
	reap(sw);
}

static size_t ended(const struct sweep *sw)
{
	size_t n = 0;

	for (size_t i = 0; i < sw->grid.npoints; i++)
		n += sw->points[i].row || sw->points[i].reason;
	return n;
}

void sweep_run(struct sweep *sw)
{
	struct gs_progress bar;
	sigset_t ours, before;
	size_t i = 0;

	block_signals(&ours, &before);
	gs_progress_begin(&bar, "sweep", sw->grid.npoints);
	bar.base = ended(sw);
	while ((i < sw->grid.npoints && !sw->stop) || sw->running) {
		if (i < sw->grid.npoints && (sw->points[i].row || sw->points[i].reason))
			i++;
		else if (i < sw->grid.npoints && !sw->stop && sw->running < sw->jobs)
			start(sw, i++, &before);
		else
			wait_a_moment(sw, &ours);
		gs_progress_update(&bar, ended(sw));
	}
	gs_progress_end(&bar);
	sigprocmask(SIG_SETMASK, &before, NULL);
}
