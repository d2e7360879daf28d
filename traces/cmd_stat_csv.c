/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cmd_stat_csv.c - the tables of `gmemsim trace stat` as files, for plots */
#include <errno.h>

#include "sim/result.h"
#include "traces/cmd_stat.h"

static FILE *begin(struct gs_outdir *dir, const char *name, const char *columns)
{
	FILE *f = gs_outdir_file(dir, name);

	if (f)
		fprintf(f, "%s\n", columns);
	return f;
}

static void put_live(const struct stat_state *s, FILE *f)
{
	for (size_t i = 0; i < s->lives.nsamples; i++) {
		const struct tr_live *l = &s->lives.samples[i];

		fprintf(f, "%llu,%llu", l->time, l->bytes);
		for (int k = 0; k < GS_NR_TENSOR_KINDS; k++)
			fprintf(f, ",%llu", l->kinds[k]);
		fputc('\n', f);
	}
}

static void put_tensors(const struct stat_state *s, FILE *f)
{
	for (size_t i = 0; i < s->lives.n; i++) {
		const struct tr_life *t = &s->lives.lives[i];

		fprintf(f, "%zu,", i);
		gs_csv_text(f, t->name);
		fprintf(f, ",%s,%llu,%llu,%llu,%llu,%llu,%llu,%llu\n",
			gs_tensor_kind_names[t->kind], t->bytes, t->born,
			gs_min(t->died, s->lives.now), t->touches, t->touched, t->idle, t->longest);
	}
}

static void put_kernels(const struct stat_state *s, FILE *f)
{
	for (u32 i = 0; i < s->nslots; i++) {
		const struct stat_kernel *k = &s->kernels[i];

		if (!k->name)
			continue;
		gs_csv_text(f, k->name);
		fprintf(f, ",%s,%llu,%llu,%llu,%llu\n", gs_opclass_names[k->opclass], k->calls,
			k->ps, k->flops, k->bytes);
	}
}

static void put_reuse(const struct stat_state *s, FILE *f)
{
	for (int i = 0; i < TR_REUSE_BUCKETS; i++)
		if (s->reuse.again[i])
			fprintf(f, "%llu,%llu\n", 1ULL << i, s->reuse.again[i]);
}

static void put_memory(const struct stat_state *s, FILE *f)
{
	for (int i = 0; i < STAT_SIZES; i++)
		fprintf(f, "%llu,%llu,%llu,%llu\n", s->sizes[i],
			s->peak - gs_min(s->peak, s->sizes[i]), s->above[i], s->misses[i]);
}

int stat_csv(struct stat_state *s, struct gs_outdir *dir)
{
	static const struct {
		const char *name, *columns;
		void (*put)(const struct stat_state *s, FILE *f);
	} files[] = {
		{ "live.csv",
		  "time,bytes,weight,gradient,optimizer,activation,workspace,input,kv_cache,other",
		  put_live },
		{ "tensors.csv",
		  "tensor,name,kind,bytes,born,died,operands,touched_bytes,idle,longest_idle",
		  put_tensors },
		{ "kernels.csv", "name,class,calls,ps,flops,bytes", put_kernels },
		{ "reuse.csv", "distance_below,bytes", put_reuse },
		{ "memory.csv", "bytes,short_by,time_short,lru_fetched", put_memory },
	};

	for (size_t i = 0; i < GS_ARRAY_SIZE(files); i++) {
		FILE *f = begin(dir, files[i].name, files[i].columns);

		if (!f)
			return -EIO;
		files[i].put(s, f);
	}
	return 0;
}
