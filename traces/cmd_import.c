/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cmd_import.c - `gmemsim trace import`, `info` and `verify` */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sim/result.h"
#include "traces/cmd.h"
#include "traces/gmt.h"
#include "traces/import.h"

static const struct option import_longs[] = { { "help", no_argument, NULL, 'h' },
					      { "page", required_argument, NULL, 'p' },
					      { "columns", required_argument, NULL, 'c' },
					      { 0 } };
static const struct option help_only[] = { { "help", no_argument, NULL, 'h' }, { 0 } };

/* ---- import ----------------------------------------------------------- */

static int unknown_format(const char *name)
{
	const char *names[16] = { NULL };

	for (size_t i = 0; tr_importers[i].name && i < GS_ARRAY_SIZE(names) - 1; i++)
		names[i] = tr_importers[i].name;
	name = gs_nearest(name, names);
	if (name)
		return tr_cmd_usage("import", "unknown FORMAT; did you mean '%s'?", name);
	return tr_cmd_usage("import", "unknown FORMAT; --help lists all");
}

/* OUT for an input: its name, ending in .gmt, in the working directory. */
static char *default_out(const char *input)
{
	static const char *const suffixes[] = { ".gz",	 ".zst", ".tar",	   ".tgz",
						".json", ".et",	 ".sqlite",	   ".jsonl",
						".csv",	 ".bin", ".oracleGeneral", NULL };
	char *name = tr_base_name(input, suffixes), *out = gs_asprintf("%s.gmt", name);

	free(name);
	return out;
}

static void print_result(const char *out, const struct gs_job *job, u64 kernel_ps)
{
	char time[24], peak[24], size[24];
	struct stat st;

	if (stat(out, &st))
		st.st_size = 0;
	printf("%s: ", out);
	if (job->npages)
		printf("%llu page accesses", job->npages);
	if (job->nkernels || !job->npages)
		printf("%s%llu kernels in %s, %u tensors with a peak of %s",
		       job->npages ? ", " : "", job->nkernels, gs_text_time(kernel_ps, time),
		       job->ntensors, gs_text_bytes(job->bytes_peak, peak));
	printf(", %u iteration%s; %s\n", job->niterations, job->niterations == 1 ? "" : "s",
	       gs_text_bytes((u64)st.st_size, size));
}

static int import_to(const struct tr_importer *imp, const char *input, const char *out,
		     const struct tr_page_options *o)
{
	struct tr_writer *w;
	struct gs_job job;
	u64 kernel_ps;
	struct stat st;
	int ret;

	if (!stat(out, &st) && !S_ISREG(st.st_mode)) {
		gs_err("%s: is there already and is not a file", out);
		return GS_EXIT_USER;
	}
	ret = tr_import_sniff(imp, input);
	if (ret)
		return tr_cmd_code(ret);
	ret = imp->import ? imp->import(input, out, &w) : imp->import_pages(input, out, o, &w);
	if (ret)
		return tr_cmd_code(ret);
	job = *tr_writer_job(w);
	kernel_ps = tr_writer_kernel_ps(w);
	ret = tr_writer_finish(w);
	if (!ret)
		print_result(out, &job, kernel_ps);
	return tr_cmd_code(ret);
}

int tr_cmd_import(int argc, char **argv)
{
	const struct tr_importer *imp = tr_importers;
	const char *why, *page = tr_page_rows->def;
	struct tr_page_options o = { 0 };
	char *out = NULL;
	int opt, code;

	while ((opt = getopt_long(argc, argv, ":ho:", import_longs, NULL)) != -1) {
		if (opt == 'o')
			out = optarg;
		else if (opt == 'p')
			page = optarg;
		else if (opt == 'c')
			o.columns = optarg;
		else
			return tr_cmd_option("import", opt, argv);
	}
	if (gs_param_parse(tr_page_rows, page, &o, &why))
		return tr_cmd_usage("import", "--page: %s", why);
	if (argc - optind < 1)
		return tr_cmd_usage("import", "no FORMAT");
	while (imp->name && strcmp(imp->name, argv[optind]))
		imp++;
	if (!imp->name)
		return unknown_format(argv[optind]);
	if (argc - optind != 2)
		return tr_cmd_usage("import", "one INPUT is wanted");
	out = out ? gs_strdup(out) : default_out(argv[optind + 1]);
	code = import_to(imp, argv[optind + 1], out, &o);
	free(out);
	return code;
}

/* ---- info ------------------------------------------------------------- */

static void text_row(const char *what, const char *value)
{
	if (*value)
		printf("  %-12s %s\n", what, value);
}

static void number_row(const char *what, u64 value)
{
	if (value)
		printf("  %-12s %llu\n", what, value);
}

static void print_job(const char *path, const struct gs_source *src)
{
	const struct gs_job *j = &src->job;
	struct gmt_info info;
	char a[24], b[24];

	gmt_info(src, &info);
	printf("%s\n", path);
	text_row("name", j->name);
	text_row("framework", j->framework);
	text_row("source", j->source);
	text_row("recorded", j->recorded);
	for (u32 i = 0; i < j->ndevices; i++)
		printf("  %-12s %u: %s\n", "device", i, j->device_names[i]);
	number_row("page hint", j->page_hint);
	printf("  %-12s %llu: %llu kernels, %llu page accesses, %u iterations\n", "operations",
	       j->nops, j->nkernels, j->npages, j->niterations);
	printf("  %-12s %llu operands, %u streams, %s at full residency\n", "kernels",
	       info.ntouches, j->nstreams, gs_text_time(info.kernel_ps, a));
	printf("  %-12s %u: %s in all, at most %s (%llu bytes) alive\n", "tensors", j->ntensors,
	       gs_text_bytes(j->bytes_total, a), gs_text_bytes(j->bytes_peak, b), j->bytes_peak);
	if (j->bytes_reserved)
		printf("  %-12s at most %s (%llu bytes), 0x%llx to 0x%llx\n", "segments",
		       gs_text_bytes(j->bytes_reserved, a), j->bytes_reserved, j->segments_low,
		       j->segments_high);
	printf("  %-12s 0x%llx to 0x%llx\n", "addresses", j->va_low, j->va_high);
	printf("  %-12s %016llx\n", "hash", j->hash);
	printf("  %-12s .gmt %u.%u, %u frame%s, %llu bytes\n", "file", info.major, info.minor,
	       info.nframes, info.nframes == 1 ? "" : "s", info.file_bytes);
}

int tr_cmd_info(int argc, char **argv)
{
	int opt = getopt_long(argc, argv, ":h", help_only, NULL), code = GS_EXIT_OK, ret;

	if (opt != -1)
		return tr_cmd_option("info", opt, argv);
	if (optind == argc)
		return tr_cmd_usage("info", "no FILE");
	for (; optind < argc; optind++) {
		struct gs_source *src;

		ret = tr_open_raw(argv[optind], &src);
		if (ret) {
			code = tr_cmd_code(ret);
			continue;
		}
		print_job(argv[optind], src);
		gs_source_close(src);
	}
	return code;
}

/* ---- verify ----------------------------------------------------------- */

static int verify(const char *path)
{
	struct gs_source *src;
	struct gs_op op;
	u64 nops = 0;
	int ret = tr_open(path, &src);

	if (ret)
		return ret;
	while ((ret = gs_source_next(src, &op)) == 1)
		nops++;
	if (!ret)
		printf("%s: ok, %llu operations, hash %016llx\n", path, nops, src->job.hash);
	gs_source_close(src);
	return ret;
}

int tr_cmd_verify(int argc, char **argv)
{
	int opt = getopt_long(argc, argv, ":h", help_only, NULL), code = GS_EXIT_OK, ret;

	if (opt != -1)
		return tr_cmd_option("verify", opt, argv);
	if (optind == argc)
		return tr_cmd_usage("verify", "no FILE");
	for (; optind < argc; optind++) {
		ret = verify(argv[optind]);
		code = ret ? tr_cmd_code(ret) : code;
	}
	return code;
}
