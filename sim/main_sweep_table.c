/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_sweep_table.c - sweep.csv, sweep.json and the table on the terminal
 */
#include "sim/json.h"
#include "sim/main_sweep.h"
#include "sim/version.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* ---- files ---------------------------------------------------------------- */

static void csv_header(FILE *f, const struct sweep *sw)
{
	fputs("point,", f);
	for (size_t a = 0; a < sw->grid.naxes; a++) {
		gs_csv_text(f, sw->grid.axes[a].name);
		fputc(',', f);
	}
	fputs("status,reason,", f);
	gs_csv_names(f, gs_mean_rows);
	fputc('\n', f);
}

static void csv_point(FILE *f, const struct sweep *sw, size_t i)
{
	const struct point *p = &sw->points[i];

	fprintf(f, "%zu,", i);
	for (size_t a = 0; a < sw->grid.naxes; a++) {
		gs_csv_text(f, gs_grid_case(&sw->grid, i, a)->label);
		fputc(',', f);
	}
	if (p->row) {
		fprintf(f, "done,,%s\n", p->row);
		return;
	}
	fputs("failed,", f);
	gs_csv_text(f, p->reason);
	for (const struct gm_stat *s = gs_mean_rows; s->name; s++)
		fputc(',', f);
	fputc('\n', f);
}

static void write_csv(FILE *f, const struct sweep *sw)
{
	csv_header(f, sw);
	for (size_t i = 0; i < sw->grid.npoints; i++)
		csv_point(f, sw, i);
}

static void json_warnings(struct gs_json *j, const struct sweep *sw)
{
	size_t n;
	char **texts = sweep_warnings(sw, &n);

	gs_json_array(j, "warnings");
	for (size_t i = 0; i < n; i++) {
		gs_json_str(j, NULL, texts[i]);
		free(texts[i]);
	}
	gs_json_end_array(j);
	free(texts);
}

static void write_json(FILE *f, const struct sweep *sw)
{
	struct gs_json j;

	gs_json_init(&j, f, true);
	gs_json_object(&j, NULL);
	gs_json_u64(&j, "schema", 1);
	gs_json_object(&j, "provenance");
	gs_json_str(&j, "program", "gmemsim");
	gs_json_str(&j, "version", gs_version);
	gs_json_str(&j, "commit", gs_commit);
	gs_json_str(&j, "config", sw->config);
	gs_json_hash(&j, "config_hash", sw->config_hash);
	gs_json_hash(&j, "trace_hash", sw->trace_hash);
	gs_json_end(&j);
	gs_json_u64(&j, "points", sw->grid.npoints);
	gs_json_array(&j, "axes");
	for (size_t a = 0; a < sw->grid.naxes; a++) {
		gs_json_object(&j, NULL);
		gs_json_str(&j, "name", sw->grid.axes[a].name);
		gs_json_array(&j, "cases");
		for (size_t c = 0; c < sw->grid.axes[a].n; c++)
			gs_json_str(&j, NULL, sw->grid.axes[a].cases[c].label);
		gs_json_end_array(&j);
		gs_json_end(&j);
	}
	gs_json_end_array(&j);
	json_warnings(&j, sw);
	gs_json_end(&j);
	fputc('\n', f);
}

static int write_one(const struct sweep *sw, const char *name,
		     void (*write)(FILE *f, const struct sweep *sw))
{
	char *path = gs_asprintf("%s/%s", sw->out, name), *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	int err;

	gs_assert(f);
	write(f, sw);
	fclose(f);
	err = gs_write_file(path, text, size);
	free(text);
	free(path);
	return err;
}

int sweep_write(const struct sweep *sw)
{
	int err = write_one(sw, "sweep.json", write_json);

	return err ? err : write_one(sw, "sweep.csv", write_csv);
}

/* ---- the table --------------------------------------------------------------- */

enum { CELL = 17 };

/* The value of column @name of a row of sweep.csv. */
static double row_value(const char *row, const char *name)
{
	for (const struct gm_stat *s = gs_mean_rows; strcmp(s->name, name); s++)
		row = strchr(row, ',') + 1;
	return strtod(row, NULL);
}

static void print_cell(FILE *f, const struct point *p)
{
	char time[24], cell[64];

	if (p->row)
		snprintf(cell, sizeof(cell), "%s %7.2fx",
			 gs_text_time((gs_time)row_value(p->row, "iteration_ps"), time),
			 row_value(p->row, "slowdown"));
	else
		snprintf(cell, sizeof(cell), "failed");
	fprintf(f, " %*s", CELL, cell);
}

static size_t axis_width(const struct gs_axis *a)
{
	size_t width = strlen(a->name);

	for (size_t c = 0; c < a->n; c++)
		width = gs_max(width, strlen(a->cases[c].label));
	return width;
}

/* Labels of a line, or the heads above them: all axes but the last.  Returns their width. */
static size_t print_labels(FILE *f, const struct sweep *sw, const size_t *point)
{
	size_t width = 0;

	for (size_t a = 0; a + 1 < sw->grid.naxes; a++) {
		const struct gs_axis *axis = &sw->grid.axes[a];
		const char *text = point ? gs_grid_case(&sw->grid, *point, a)->label : axis->name;

		if (f)
			fprintf(f, "%-*s", (int)axis_width(axis) + 2, text);
		width += axis_width(axis) + 2;
	}
	return width;
}

static size_t terminal_width(void)
{
	struct winsize ws;

	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) && ws.ws_col)
		return ws.ws_col;
	return 100;
}

/* Columns [from, to) of the last axis. */
static void print_block(FILE *f, const struct sweep *sw, size_t from, size_t to)
{
	const struct gs_axis *last = &sw->grid.axes[sw->grid.naxes - 1];

	fputc('\n', f);
	print_labels(f, sw, NULL);
	for (size_t c = from; c < to; c++)
		fprintf(f, " %*.*s", CELL, CELL, last->cases[c].label);
	fputc('\n', f);
	for (size_t i = 0; i < sw->grid.npoints; i += last->n) {
		print_labels(f, sw, &i);
		for (size_t c = from; c < to; c++)
			print_cell(f, &sw->points[i + c]);
		fputc('\n', f);
	}
}

enum { SHOWN = 12 };

static void print_failures(FILE *f, const struct sweep *sw)
{
	size_t failed = 0, shown = 0;

	for (size_t i = 0; i < sw->grid.npoints; i++)
		failed += !!sw->points[i].reason;
	if (failed)
		fprintf(f, "\n%zu of %zu points failed:\n", failed, sw->grid.npoints);
	for (size_t i = 0; i < sw->grid.npoints && shown < SHOWN; i++) {
		if (!sw->points[i].reason)
			continue;
		fprintf(f, "  point %zu: %s\n", i, sw->points[i].reason);
		shown++;
	}
	if (failed > shown)
		fprintf(f, "  ... all reasons are in sweep.csv\n");
	if (failed)
		fprintf(f, "  --retry-failed runs these again\n");
}

void sweep_print(FILE *f, const struct sweep *sw)
{
	size_t n = sw->grid.axes[sw->grid.naxes - 1].n;
	size_t width = print_labels(NULL, sw, NULL), room = terminal_width(), fit = 1;

	while (width + (fit + 1) * (CELL + 1) <= room)
		fit++;
	fputs("\ntime of an iteration, and slowdown over the ideal\n", f);
	for (size_t from = 0; from < n; from += fit)
		print_block(f, sw, from, gs_min(from + fit, n));
	print_failures(f, sw);
	fprintf(f, "\nwritten to %s/sweep.csv; each point's summary is in %s/points\n", sw->out,
		sw->out);
}
