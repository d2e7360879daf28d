/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_a100_data.c - kernel times of the G10 artifact, with their operands
 *
 * traces/ reads kernels, tensors and resident times; here come the two files of
 * fault times, and what kernels.config says of layers.
 */
#include "sim/main_a100.h"
#include "traces/g10.h"
#include "traces/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Of a layer or an operation, found by the id that its kernels name. */
struct parent {
	u32 id, channels;
	u32 producers; /* whose outputs a layer puts together */
	u64 in[2];     /* of the forward kernel */
	bool layer;
};

struct reader {
	const struct g10 *g;
	struct parent *of; /* one a kernel */
	size_t at;
};

static int each_line(const char *dir, const char *name, struct reader *r,
		     int (*each)(struct reader *r, struct tr_lines *l, char *line))
{
	char *path = gs_asprintf("%s/%s", dir, name), *line;
	struct tr_lines *l = tr_lines_open(path);
	size_t len;
	int ret = l ? 0 : -ENOENT, more;

	if (!l)
		gs_err("%s: cannot be read", path);
	free(path);
	r->at = 0;
	while (!ret) {
		more = tr_lines_next(l, &line, &len);
		if (more <= 0) {
			ret = more;
			break;
		}
		ret = each(r, l, line);
	}
	if (l)
		tr_lines_close(l);
	return ret;
}

static int parent_line(struct reader *r, struct tr_lines *l, char *line)
{
	unsigned int id, n, c, h, w;
	struct parent *p;

	if (!strncmp(line, "Kernel ID:", 10)) {
		r->at++;
		return 0;
	}
	if (!r->at || r->at > r->g->nkernels)
		return 0;
	p = &r->of[r->at - 1];
	if (sscanf(line, "Parent Layer ID:%u", &id) == 1) {
		p->layer = true;
		p->id = id;
	} else if (sscanf(line, "Parent OP ID:%u", &id) == 1) {
		p->id = id;
	} else if (sscanf(line, "(%u,%u,%u,%u)", &n, &c, &h, &w) == 4) {
		p->channels = c;
	}
	return 0;
}

struct times {
	struct reader r;
	struct a100_kernel *k;
	enum a100_case c;
};

static int time_line(struct reader *r, struct tr_lines *l, char *line)
{
	struct times *t = gs_container_of(r, struct times, r);
	unsigned int id;
	double ms;

	if (!*line)
		return 0;
	if (sscanf(line, "%u %lf ms", &id, &ms) != 2 || id != r->at || id >= r->g->nkernels)
		return tr_lines_err(l, "this is not the time of kernel %zu", r->at);
	t->k[r->at++].measured_ms[t->c] = ms;
	return 0;
}

static int read_times(const struct g10 *g, struct a100_kernel *k)
{
	static const char *const suffix[] = { "InputPF", "PF" };
	struct times t = { .r = { .g = g }, .k = k };
	int ret = 0;

	for (int c = 0; c < A100_CASES && !ret; c++) {
		char *name = gs_asprintf("cudnn%u%s.txt", g->batch, suffix[c]);

		t.c = c;
		ret = each_line(g->dir, name, &t.r, time_line);
		if (!ret && t.r.at != g->nkernels) {
			gs_err("%s/%s: ends after %zu kernels of %zu", g->dir, name, t.r.at,
			       g->nkernels);
			ret = -EINVAL;
		}
		free(name);
	}
	return ret;
}

static u64 bytes_of(const struct g10 *g, const struct g10_kernel *k, u32 i)
{
	return g->tensors[g->uses[k->uses + i]].bytes;
}

/* Forward kernels come first: what they read tells what their gradients are timed with. */
static void find_forward(struct reader *r)
{
	const struct g10 *g = r->g;

	for (size_t i = 0; i < g->nkernels; i++) {
		const struct g10_kernel *k = &g->kernels[i];

		r->of[i].producers = gs_max(r->of[i].producers, 1);
		if (!strstr(k->name, "_Forward"))
			continue;
		if (!strcmp(k->name, "Concat_Forward") || !strcmp(k->name, "Add_Forward"))
			r->of[i].producers = k->ninputs;
		for (u32 n = 0; n < 2 && k->ninputs; n++)
			r->of[i].in[n] = bytes_of(g, k, gs_min(n, k->ninputs - 1));
		for (size_t j = i + 1; j < g->nkernels; j++)
			if (r->of[j].id == r->of[i].id && r->of[j].layer == r->of[i].layer) {
				r->of[j].producers = r->of[i].producers;
				memcpy(r->of[j].in, r->of[i].in, sizeof(r->of[j].in));
			}
	}
}

/* Of all tensors of @k, each once. */
static u64 listed_bytes(const struct g10 *g, const struct g10_kernel *k)
{
	const u32 *use = &g->uses[k->uses];
	u64 sum = 0;

	for (u32 i = 0; i < k->ninputs + k->noutputs; i++) {
		u32 j = 0;

		while (use[j] != use[i])
			j++;
		sum += j == i ? g->tensors[use[i]].bytes : 0;
	}
	return sum;
}

static int fill(const struct g10 *g, const struct parent *p, size_t i, struct a100_kernel *k)
{
	const struct g10_kernel *from = &g->kernels[i];
	struct a100_listed l = { .channels = p->layer ? p->channels : 0,
				 .producers = p->layer ? p->producers : from->ninputs,
				 .forward_in = { p->in[0], p->in[1] } };

	for (u32 n = 0; n < from->ninputs && l.nin < A100_MAX_OPERANDS; n++)
		l.in[l.nin++] = bytes_of(g, from, n);
	for (u32 n = 0; n < from->noutputs && l.nout < A100_MAX_OPERANDS; n++) {
		const struct g10_tensor *t = &g->tensors[g->uses[from->uses + from->ninputs + n]];

		if (t->workspace)
			l.workspace = t->bytes;
		else
			l.out[l.nout++] = t->bytes;
	}
	k->index = (u32)i;
	k->listed = listed_bytes(g, from);
	k->resident_ms = (double)from->cycles / 1.2e6; /* the artifact counts at 1.2 GHz */
	k->op = a100_find(from->name);
	if (!k->op) {
		gs_err("%s: operator '%s' of kernel %zu is not in the table of operators", g->dir,
		       from->name, i);
		return -EINVAL;
	}
	if (a100_operands(k, &l)) {
		gs_err("%s: kernel %zu has more operands than %d", g->dir, i, A100_MAX_OPERANDS);
		return -EINVAL;
	}
	return 0;
}

static bool touches_same(const struct a100_kernel *a, const struct a100_kernel *b)
{
	return a->op->order == b->op->order && a->op->window == b->op->window &&
	       a->noperands == b->noperands &&
	       !memcmp(a->operand, b->operand, a->noperands * sizeof(a->operand[0]));
}

static void find_same(struct a100_data *d, size_t from)
{
	for (size_t i = from; i < d->nkernels; i++) {
		size_t j = 0;

		while (j < i &&
		       !(d->kernels[j].same == j && touches_same(&d->kernels[j], &d->kernels[i])))
			j++;
		d->kernels[i].same = (u32)j;
	}
}

static int add_net(struct a100_data *d, const struct g10 *g, const struct parent *p)
{
	size_t first = d->nkernels;
	struct a100_net *net;
	const char *base = strrchr(g->dir, '/');
	int ret = 0;

	GS_PUSH_ROOM(d->nets, d->nnets, d->nets_cap);
	net = &d->nets[d->nnets++];
	*net = (struct a100_net){ gs_strdup(base ? base + 1 : g->dir), first, g->nkernels };
	for (size_t i = 0; i < g->nkernels && !ret; i++) {
		GS_PUSH_ROOM(d->kernels, d->nkernels, d->cap);
		d->kernels[d->nkernels] = (struct a100_kernel){ .net = (u32)d->nnets - 1 };
		ret = fill(g, &p[i], i, &d->kernels[d->nkernels++]);
	}
	if (!ret)
		ret = read_times(g, d->kernels + first);
	if (!ret)
		find_same(d, first);
	return ret;
}

int a100_read(struct a100_data *d, const char *dir)
{
	struct g10 g;
	struct reader r = { .g = &g };
	int ret = g10_read(&g, dir);

	if (!ret) {
		r.of = gs_calloc(g.nkernels, sizeof(*r.of));
		ret = each_line(dir, "kernels.config", &r, parent_line);
	}
	if (!ret) {
		find_forward(&r);
		ret = add_net(d, &g, r.of);
	}
	free(r.of);
	g10_fini(&g);
	return ret;
}

static const char *data_folder(void)
{
	const char *dir = getenv("GMEMSIM_DATA");

	return dir && *dir ? dir : "../shared/data";
}

int a100_list(const struct setup *s, struct a100_data *d, const char *list)
{
	char *key = gs_asprintf("a100.%s", list);
	size_t n = gs_config_children(s->cfg, key);
	int err = n ? 0 : gs_config_error(s->cfg, key, "names no folders");

	for (size_t i = 0; i < n && !err; i++) {
		const char *child, *name;
		char *dir;

		err = gs_config_child(s->cfg, key, i, &child, &name);
		if (err || !name)
			break;
		dir = gs_asprintf("%s/g10/%s", data_folder(), name);
		err = a100_read(d, dir);
		free(dir);
	}
	free(key);
	return err;
}

int a100_load(struct setup *s, struct a100_data *d, const char *config, const char *list)
{
	char *found = config ? NULL : main_configs("exp/a100.yaml");
	int err = setup_load(s, config ? config : found, NULL, 0);

	if (!err && s->ops != &mm_uvm)
		err = gs_config_error(s->cfg, "manager.type", "only uvm can be compared here");
	if (!err)
		err = a100_list(s, d, list);
	free(found);
	return err;
}

void a100_fini(struct a100_data *d)
{
	for (size_t i = 0; i < d->nnets; i++)
		free(d->nets[i].name);
	free(d->nets);
	free(d->kernels);
	*d = (struct a100_data){ 0 };
}
