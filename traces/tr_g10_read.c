/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tr_g10_read.c - the files of a network that the G10 artifact has analysed
 *
 *	kernels.config		kernels in order, with cycles, inputs and outputs
 *	tensors.config		tensors with size and address range
 *	cudnnN.txt		"0012 0.014336 ms": each kernel's time at batch N
 *	cudnnNWorkspace.txt	"0012 114048 B": each kernel's workspace
 *	cudnnNInputPF.txt	times when the outputs fault; may be absent
 *	cudnnNPF.txt		... when the inputs do so as well; may be absent
 *
 * The same facts stand in several of them; where they differ, the folder was
 * put together wrongly and is refused.
 */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "traces/g10.h"
#include "traces/lines.h"

enum { PAGE = 4096, CYCLES_PER_MS = 1200000 };

/* A tensor, as tensors.config and kernels.config write it. */
struct row {
	unsigned int id, global;
	u64 bytes, from, to;
};

static bool parse_row(const char *line, struct row *r)
{
	int end = -1;

	sscanf(line, "tensor%u Is weight (global)?: %u, Size in byte: %llu, Range:%llu--%llu%n",
	       &r->id, &r->global, &r->bytes, &r->from, &r->to, &end);
	return end > 0 && !line[end];
}

/* Call @each for every line of @name in the folder. */
static int read_file(struct g10 *g, const char *name,
		     int (*each)(struct g10 *g, struct tr_lines *l, char *line))
{
	char *path = gs_asprintf("%s/%s", g->dir, name), *line;
	struct tr_lines *l = tr_lines_open(path);
	size_t len;
	int ret = -ENOENT, err;

	free(path);
	if (!l) {
		gs_err("%s: is not a complete network of the G10 artifact (kernels.config, "
		       "tensors.config, cudnnN.txt, cudnnNWorkspace.txt)",
		       g->dir);
		return ret;
	}
	for (ret = 0; !ret;) {
		err = tr_lines_next(l, &line, &len);
		if (err <= 0) {
			ret = err;
			break;
		}
		if (len && line[len - 1] == '\r')
			line[len - 1] = 0;
		ret = each(g, l, line);
	}
	tr_lines_close(l);
	return ret;
}

/* ---- tensors.config --------------------------------------------------- */

static int tensor_line(struct g10 *g, struct tr_lines *l, char *line)
{
	struct row r;

	if (!*line)
		return 0;
	if (!parse_row(line, &r))
		return tr_lines_err(l, "this is not a tensor of the G10 artifact");
	if (r.id != g->ntensors)
		return tr_lines_err(l, "tensor %u stands where %zu is due", r.id, g->ntensors);
	if (r.global > 1 || r.to < r.from || r.to - r.from != r.bytes || r.bytes % PAGE)
		return tr_lines_err(l, "size and address range of tensor %u do not agree", r.id);
	GS_PUSH_ROOM(g->tensors, g->ntensors, g->tensors_cap);
	g->tensors[g->ntensors++] =
		(struct g10_tensor){ .addr = r.from, .bytes = r.bytes, .global = r.global };
	return 0;
}

/* ---- kernels.config --------------------------------------------------- */

/* A tensor of the kernel read last: input until its outputs begin. */
static int use_line(struct g10 *g, struct tr_lines *l, const char *line)
{
	struct g10_kernel *k = &g->kernels[g->nkernels - 1];
	const struct g10_tensor *t;
	struct row r;

	if (!parse_row(line, &r))
		return tr_lines_err(l, "this is not a tensor of the G10 artifact");
	if (r.id >= g->ntensors)
		return tr_lines_err(l, "tensor %u is not in tensors.config", r.id);
	t = &g->tensors[r.id];
	if (t->global != r.global || t->bytes != r.bytes || t->addr != r.from)
		return tr_lines_err(l, "tensor %u is another in tensors.config", r.id);
	GS_PUSH_ROOM(g->uses, g->nuses, g->uses_cap);
	g->uses[g->nuses++] = r.id;
	k->ninputs += !g->in_outputs;
	k->noutputs += g->in_outputs;
	return 0;
}

static int kernel_begins(struct g10 *g, struct tr_lines *l, const char *line)
{
	unsigned int id;
	int name = -1;

	sscanf(line, "Kernel ID: %u, Name: %n", &id, &name);
	if (name < 0 || !line[name])
		return tr_lines_err(l, "this is not a kernel of the G10 artifact");
	if (id != g->nkernels)
		return tr_lines_err(l, "kernel %u stands where %zu is due", id, g->nkernels);
	GS_PUSH_ROOM(g->kernels, g->nkernels, g->kernels_cap);
	g->kernels[g->nkernels++] =
		(struct g10_kernel){ .name = gs_strdup(line + name), .uses = (u32)g->nuses };
	return 0;
}

static bool begins(const char *line, const char *with)
{
	return !strncmp(line, with, strlen(with));
}

static int kernel_line(struct g10 *g, struct tr_lines *l, char *line)
{
	int end = -1;

	if (begins(line, "Kernel ID:")) {
		g->in_outputs = false;
		return kernel_begins(g, l, line);
	}
	if (!*line || begins(line, "____") || begins(line, "Parent ") || *line == '(')
		return 0;
	if (!g->nkernels)
		return tr_lines_err(l, "this is not a kernels.config of the G10 artifact");
	if (begins(line, "Input Tensors:") || begins(line, "Output Tensors:")) {
		g->in_outputs = *line == 'O';
		return 0;
	}
	if (begins(line, "tensor"))
		return use_line(g, l, line);
	sscanf(line, "Execution Time: %llu%n", &g->kernels[g->nkernels - 1].cycles, &end);
	if (end < 0 || line[end])
		return tr_lines_err(l, "this line belongs to no kernel of the G10 artifact");
	return 0;
}

/* ---- cudnnN.txt, cudnnNWorkspace.txt ----------------------------------- */

/* "0012 0.014336 ms": the line of the kernel that is due. */
static int value_line(struct g10 *g, struct tr_lines *l, const char *line, const char *unit,
		      double *value)
{
	unsigned int id;
	char got[4];
	int end = -1;

	sscanf(line, "%u %lf %3s%n", &id, value, got, &end);
	if (end < 0 || line[end] || strcmp(got, unit) || !(*value >= 0 && *value < 1e15))
		return tr_lines_err(l, "this is not \"KERNEL NUMBER %s\"", unit);
	if (g->due >= g->nkernels)
		return tr_lines_err(l, "kernel %u is not in kernels.config", id);
	if (id != g->due)
		return tr_lines_err(l, "kernel %u stands where %zu is due", id, g->due);
	g->due++;
	return 0;
}

/* The artifact cuts to whole cycles, from a product that may be a hair too small. */
static int time_line(struct g10 *g, struct tr_lines *l, char *line)
{
	double ms, want;
	u64 cycles;
	int ret;

	if (!*line)
		return 0;
	ret = value_line(g, l, line, "ms", &ms);
	if (ret)
		return ret;
	want = ms * CYCLES_PER_MS;
	cycles = g->kernels[g->due - 1].cycles;
	if (fabs(floor(want + 0.5) - (double)cycles) > 1)
		return tr_lines_err(l,
				    "kernel %zu takes %.6f ms here and %llu cycles (of 1.2 GHz) in "
				    "kernels.config",
				    g->due - 1, ms, cycles);
	return 0;
}

/* Whole ns: the files have six digits behind the point. */
static int fault_line(struct g10 *g, struct tr_lines *l, const char *line, bool inputs)
{
	double ms;
	int ret = *line ? value_line(g, l, line, "ms", &ms) : 0;

	if (ret || !*line)
		return ret;
	if (ms > 1e9)
		return tr_lines_err(l, "a kernel of more than ten days");
	if (inputs)
		g->kernels[g->due - 1].fault_all_ps = GS_NS * (u64)(ms * 1e6 + 0.5);
	else
		g->kernels[g->due - 1].fault_out_ps = GS_NS * (u64)(ms * 1e6 + 0.5);
	return 0;
}

static int fault_out_line(struct g10 *g, struct tr_lines *l, char *line)
{
	return fault_line(g, l, line, false);
}

static int fault_all_line(struct g10 *g, struct tr_lines *l, char *line)
{
	return fault_line(g, l, line, true);
}

static int count_spaces(struct g10 *g, struct tr_lines *l, char *line)
{
	double bytes;
	int ret = *line ? value_line(g, l, line, "B", &bytes) : 0;

	if (!ret && *line && bytes > 0)
		g->nspaces++;
	return ret;
}

/* Is @t an output of @k and of no other place? */
static bool only_output(const struct g10 *g, const struct g10_kernel *k, u32 t)
{
	u32 first = k->uses + k->ninputs, n = 0;

	for (size_t i = 0; i < g->nuses; i++)
		if (g->uses[i] == t)
			n += i >= first && i < first + k->noutputs ? 1 : 2;
	return n == 1;
}

/* Workspaces are the last tensors, in the order of their kernels. */
static int space_line(struct g10 *g, struct tr_lines *l, char *line)
{
	const struct g10_tensor *t;
	double bytes;
	int ret;

	if (!*line)
		return 0;
	ret = value_line(g, l, line, "B", &bytes);
	if (ret || bytes <= 0)
		return ret;
	t = &g->tensors[g->space];
	if (t->global || (double)t->bytes != ceil(bytes / PAGE) * PAGE ||
	    !only_output(g, &g->kernels[g->due - 1], (u32)g->space))
		return tr_lines_err(
			l, "the workspace of kernel %zu is not tensor %zu of tensors.config",
			g->due - 1, g->space);
	g->tensors[g->space++].workspace = true;
	return 0;
}

/* A file with one line a kernel. */
static int read_values(struct g10 *g, const char *suffix,
		       int (*each)(struct g10 *g, struct tr_lines *l, char *line))
{
	char *name = gs_asprintf("cudnn%u%s.txt", g->batch, suffix);
	int ret;

	g->due = 0;
	ret = read_file(g, name, each);
	if (!ret && g->due != g->nkernels) {
		gs_err("%s/%s:%zu: ends after %zu kernels of %zu", g->dir, name, g->due, g->due,
		       g->nkernels);
		ret = -EINVAL;
	}
	free(name);
	return ret;
}

/* The same, where there is such a file. */
static int read_if_there(struct g10 *g, const char *suffix,
			 int (*each)(struct g10 *g, struct tr_lines *l, char *line))
{
	char *path = gs_asprintf("%s/cudnn%u%s.txt", g->dir, g->batch, suffix);
	bool there = !access(path, F_OK);

	free(path);
	return there ? read_values(g, suffix, each) : 0;
}

static int read_workspaces(struct g10 *g)
{
	int ret = read_values(g, "Workspace", count_spaces);

	if (ret)
		return ret;
	if (g->nspaces > g->ntensors) {
		gs_err("%s: %zu kernels have a workspace, but there are %zu tensors", g->dir,
		       g->nspaces, g->ntensors);
		return -EINVAL;
	}
	g->space = g->ntensors - g->nspaces;
	return read_values(g, "Workspace", space_line);
}

/* ---- the folder ------------------------------------------------------- */

/* N of the one cudnnN.txt in the folder. */
static int find_batch(struct g10 *g)
{
	DIR *d = opendir(g->dir);
	struct dirent *e;
	unsigned int n, found = 0;
	int end;

	if (!d) {
		gs_err("%s: %s", g->dir, strerror(errno));
		return -errno;
	}
	while ((e = readdir(d))) {
		end = -1;
		sscanf(e->d_name, "cudnn%u.txt%n", &n, &end);
		if (end < 0 || e->d_name[end])
			continue;
		g->batch = n;
		found++;
	}
	closedir(d);
	if (found == 1)
		return 0;
	gs_err("%s: %s (want one of kernels.config, tensors.config, cudnnN.txt, "
	       "cudnnNWorkspace.txt each)",
	       g->dir,
	       found ? "holds several cudnnN.txt" : "holds no cudnnN.txt of the G10 artifact");
	return -EINVAL;
}

int g10_read(struct g10 *g, const char *dir)
{
	int ret;

	*g = (struct g10){ .dir = dir };
	ret = find_batch(g);
	if (!ret)
		ret = read_file(g, "tensors.config", tensor_line);
	if (!ret)
		ret = read_file(g, "kernels.config", kernel_line);
	if (!ret && !g->nkernels) {
		gs_err("%s/kernels.config: holds no kernel", dir);
		ret = -EINVAL;
	}
	if (!ret)
		ret = read_values(g, "", time_line);
	if (!ret)
		ret = read_workspaces(g);
	if (!ret)
		ret = read_if_there(g, "InputPF", fault_out_line);
	if (!ret)
		ret = read_if_there(g, "PF", fault_all_line);
	return ret;
}

void g10_fini(struct g10 *g)
{
	for (size_t i = 0; i < g->nkernels; i++)
		free(g->kernels[i].name);
	free(g->kernels);
	free(g->tensors);
	free(g->uses);
}
