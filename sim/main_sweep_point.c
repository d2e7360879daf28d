/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_sweep_point.c - one point of a sweep: run it, and what it leaves in files
 *
 * The file with stamp and row (or stamp and reason) is written last and whole:
 * where it is, the point has ended, and a later sweep can take it up.
 */
#include "sim/main_sweep.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- writing ---------------------------------------------------------------- */

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
	if (warn_is_exempt(r->manager))
		fputs("# exempt\n", f);
	for (size_t i = 0; i < r->nwarnings; i++) {
		char *text = gs_warning_text(&r->warnings[i], false);

		fprintf(f, "# %s %s %s\n", r->warnings[i].kind, r->warnings[i].key, text);
		free(text);
	}
}

int sweep_point(const struct sweep *sw, size_t i)
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
		rc = SWEEP_CANNOT_WRITE;
	run_fini(&r);
	setup_fini(&s);
	return rc;
}

/* ---- reading ---------------------------------------------------------------- */

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

/* Line @n of the point's file with @suffix, if its stamp is the point's. */
static char *stamped_line(const struct sweep *sw, size_t i, const char *suffix, int n)
{
	char *path = sweep_path(sw, i, suffix), *first = read_line(path, 0), *line = NULL;
	char stamp[24];

	snprintf(stamp, sizeof(stamp), "# %016llx", sw->points[i].stamp);
	if (first && !strcmp(first, stamp))
		line = read_line(path, n);
	free(first);
	free(path);
	return line;
}

static void forget(const struct sweep *sw, size_t i, const char *suffix)
{
	char *path = sweep_path(sw, i, suffix);

	unlink(path);
	free(path);
}

/* The point's row, if it is done; then nothing of a failure is left. */
static bool take_row(struct sweep *sw, size_t i)
{
	struct point *p = &sw->points[i];
	char *line;

	p->row = stamped_line(sw, i, ".csv", 2);
	if (!p->row)
		return false;
	for (int n = 3; (line = stamped_line(sw, i, ".csv", n)); n++) {
		GS_PUSH_ROOM(p->notes, p->nnotes, p->cap_notes);
		p->notes[p->nnotes++] = line;
	}
	forget(sw, i, ".log");
	forget(sw, i, ".fail");
	return true;
}

/* ---- ends ------------------------------------------------------------------- */

/* All that the point has said. */
static char *read_log(const struct point *p)
{
	off_t size = lseek(p->log, 0, SEEK_END);
	char *text = gs_calloc((size_t)gs_max(0, (u64)size) + 1, 1);
	ssize_t n = pread(p->log, text, (size_t)size, 0);

	text[n > 0 ? n : 0] = 0;
	return text;
}

/* The last line of @log that is no warning; NULL: there is none. */
static char *last_words(const char *log)
{
	static const char own[] = "gmemsim: ", warning[] = "gmemsim: warning: ";
	const char *last = NULL;
	size_t len;

	for (; *log; log += len + !!log[len]) {
		len = strcspn(log, "\n");
		if (len && strncmp(log, warning, strlen(warning)))
			last = log;
	}
	if (last && !strncmp(last, own, strlen(own)))
		last += strlen(own);
	return last ? gs_asprintf("%.*s", (int)strcspn(last, "\n"), last) : NULL;
}

static char *why_failed(const struct sweep *sw, size_t i, const char *log, int status)
{
	char *words;

	if (sw->points[i].overdue)
		return gs_asprintf("took longer than %llu s (--timeout)", sw->timeout);
	if (WIFSIGNALED(status))
		return gs_asprintf("killed by signal %d (%s)", WTERMSIG(status),
				   strsignal(WTERMSIG(status)));
	words = last_words(log);
	return words ? words : gs_asprintf("exit status %d", WEXITSTATUS(status));
}

static void write_failure(struct sweep *sw, size_t i, const char *log)
{
	const struct point *p = &sw->points[i];
	char *log_path = sweep_path(sw, i, ".log"), *path = sweep_path(sw, i, ".fail");
	char *text = gs_asprintf("# %016llx\n%s\n", p->stamp, p->reason);

	if ((*log && gs_write_file(log_path, log, strlen(log))) ||
	    gs_write_file(path, text, strlen(text)))
		sweep_stop(sw, "results cannot be written: the sweep ends");
	free(text);
	free(path);
	free(log_path);
}

void sweep_point_ended(struct sweep *sw, size_t i, int status)
{
	struct point *p = &sw->points[i];
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	char *log, *words;

	if (code == GS_EXIT_OK && take_row(sw, i))
		return;
	log = read_log(p);
	if (code == SWEEP_CANNOT_WRITE) {
		words = last_words(log);
		if (!sw->stop)
			gs_err("point %zu: %s", i, words ? words : "its result is lost");
		free(words);
		sweep_stop(sw, "results cannot be written: the sweep ends");
	} else {
		p->reason = why_failed(sw, i, log, status);
		write_failure(sw, i, log);
	}
	free(log);
}

void sweep_take_up(struct sweep *sw)
{
	size_t done = 0, failed = 0;

	for (size_t i = 0; i < sw->grid.npoints; i++) {
		if (take_row(sw, i)) {
			done++;
		} else if (!sw->retry) {
			sw->points[i].reason = stamped_line(sw, i, ".fail", 1);
			failed += !!sw->points[i].reason;
		}
	}
	gs_info("%zu of %zu points are there already", done + failed, sw->grid.npoints);
	if (failed)
		gs_info("%zu of them failed; --retry-failed runs those again", failed);
}
