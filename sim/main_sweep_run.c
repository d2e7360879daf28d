/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_sweep_run.c - the points of a sweep, each in a process of its own
 *
 * A point that crashes takes nobody with it, and no state can leak from one
 * to the next.  The file with stamp and row is written last and whole: where
 * it is, the point is done.
 */
#include "sim/main_sweep.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the child ------------------------------------------------------------- */

/* Let @write fill a file that appears at @path whole. */
static int write_file(const struct sweep *sw, size_t i, const char *suffix,
		      void (*write)(FILE *f, const struct gs_report *r, u64 stamp),
		      const struct gs_report *r)
{
	char *path = sweep_path(sw, i, suffix), *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	int err;

	gs_assert(f);
	write(f, r, sw->points[i].stamp);
	fclose(f);
	err = gs_write_file(path, text, size);
	free(text);
	free(path);
	return err;
}

static void write_summary(FILE *f, const struct gs_report *r, u64 stamp)
{
	gs_report_json(f, r);
}

static void write_row(FILE *f, const struct gs_report *r, u64 stamp)
{
	struct gs_mean mean;

	gs_report_mean(r, &mean);
	fprintf(f, "# %016llx\n", stamp);
	gs_csv_names(f, gs_mean_rows);
	fputc('\n', f);
	gs_csv_values(f, gs_mean_rows, &mean);
	fputc('\n', f);
}

static int run_point(const struct sweep *sw, size_t i)
{
	struct setup s;
	struct run r = { 0 };
	int rc = sweep_setup(sw, i, &s) ? GS_EXIT_USER : GS_EXIT_OK;

	if (!rc)
		rc = run_prepare(&r, &s);
	if (!rc)
		rc = run_replay(&r, NULL);
	if (!rc && (write_file(sw, i, ".json", write_summary, &r.report) ||
		    write_file(sw, i, ".csv", write_row, &r.report)))
		rc = GS_EXIT_USER;
	run_fini(&r);
	setup_fini(&s);
	return rc;
}

static void start(struct sweep *sw, size_t i)
{
	char *log = sweep_path(sw, i, ".log");

	fflush(NULL);
	sw->points[i].pid = fork();
	if (sw->points[i].pid < 0) {
		gs_err("cannot start a process: %s", strerror(errno));
		exit(GS_EXIT_BUG);
	}
	if (!sw->points[i].pid) {
		int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0666);

		if (fd >= 0)
			dup2(fd, STDERR_FILENO);
		_exit(run_point(sw, i));
	}
	free(log);
}

/* ---- the parent ------------------------------------------------------------- */

/* Line @n of a file, without its end; NULL if there is none. */
static char *read_line(const char *path, int n)
{
	FILE *f = fopen(path, "r");
	char *line = NULL;
	size_t cap = 0;
	ssize_t len = -1;

	for (int i = 0; f && i <= n; i++)
		len = getline(&line, &cap, f);
	if (f)
		fclose(f);
	if (len < 0) {
		free(line);
		return NULL;
	}
	line[strcspn(line, "\n")] = '\0';
	return line;
}

/* The point's row, if a finished one with the same stamp is there. */
static char *finished_row(const struct sweep *sw, size_t i)
{
	char *path = sweep_path(sw, i, ".csv"), *first = read_line(path, 0), *row = NULL;
	char stamp[24];

	snprintf(stamp, sizeof(stamp), "# %016llx", sw->points[i].stamp);
	if (first && !strcmp(first, stamp))
		row = read_line(path, 2);
	free(first);
	free(path);
	return row;
}

/* What the point said last, or how it ended. */
static char *why_failed(const struct sweep *sw, size_t i, int status)
{
	static const char own[] = "gmemsim: ";
	char *path = sweep_path(sw, i, ".log"), *line = read_line(path, 0), *why;

	free(path);
	if (WIFSIGNALED(status))
		why = gs_asprintf("killed by signal %d", WTERMSIG(status));
	else if (line && !strncmp(line, own, strlen(own)))
		why = gs_strdup(line + strlen(own));
	else if (line)
		why = gs_strdup(line);
	else
		why = gs_asprintf("exit status %d", WEXITSTATUS(status));
	free(line);
	return why;
}

static void finish(struct sweep *sw, size_t i, int status)
{
	struct point *p = &sw->points[i];
	char *log = sweep_path(sw, i, ".log");

	p->pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == GS_EXIT_OK)
		p->row = finished_row(sw, i);
	if (p->row)
		unlink(log);
	else
		p->reason = why_failed(sw, i, status);
	free(log);
}

static void wait_for_one(struct sweep *sw)
{
	int status;
	pid_t pid = wait(&status);

	gs_assert(pid > 0);
	for (size_t i = 0; i < sw->grid.npoints; i++)
		if (sw->points[i].pid == pid)
			finish(sw, i, status);
}

void sweep_run(struct sweep *sw)
{
	struct gs_progress bar;
	size_t done = 0;
	u32 running = 0;

	gs_progress_begin(&bar, "sweep", sw->grid.npoints);
	for (size_t i = 0; i < sw->grid.npoints || running;) {
		if (i < sw->grid.npoints && sw->points[i].row) {
			i++;
			done++;
		} else if (i < sw->grid.npoints && running < sw->jobs) {
			start(sw, i++);
			running++;
		} else {
			wait_for_one(sw);
			running--;
			done++;
		}
		gs_progress_update(&bar, done);
	}
	gs_progress_end(&bar);
}

void sweep_take_up(struct sweep *sw)
{
	size_t n = 0;

	for (size_t i = 0; i < sw->grid.npoints; i++) {
		sw->points[i].row = finished_row(sw, i);
		n += !!sw->points[i].row;
	}
	gs_info("%zu of %zu points are there already", n, sw->grid.npoints);
}
