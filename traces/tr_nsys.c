/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tr_nsys.c - a SQLite export of Nsight Systems, as a job
 *
 * Kernels, copies and fills take their time; they have no operands.  What
 * memory is touched, only the events of unified memory tell: faults of a
 * device, or where those were not recorded migrations to it.  Tables and
 * columns are created as needed, so each is looked for.
 */
#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "sim/out.h"
#include "sim/result.h"
#include "traces/aten.h"
#include "traces/import.h"

enum { PAGE = 4096 }; /* of a fault */

/* Copies of unified memory, as CUPTI numbers them. */
#define UVM_IN	"11"
#define UVM_ALL "(11, 12, 13)"

enum what { KERNEL, COPY, FILL, FAULT, MIGRATION };

struct reader {
	sqlite3 *db;
	const char *path;
	struct tr_writer *w;
	u64 kernels, copies, fills, gpu_faults, cpu_faults, migrations;
	u64 copied, migrated;
	u64 *devices, *streams; /* numbers in the file, ascending */
	size_t ndevices, nstreams, devices_cap, streams_cap;
	u64 nops, begin;
};

static int fail(struct reader *r)
{
	gs_err("%s: %s", r->path, sqlite3_errmsg(r->db));
	return -EINVAL;
}

static sqlite3_stmt *query(struct reader *r, const char *sql)
{
	sqlite3_stmt *s;

	if (sqlite3_prepare_v2(r->db, sql, -1, &s, NULL) == SQLITE_OK)
		return s;
	fail(r);
	return NULL;
}

static bool has(struct reader *r, const char *table, const char *column)
{
	sqlite3_stmt *s;
	bool found = false;

	if (sqlite3_prepare_v2(r->db, "SELECT 1 FROM pragma_table_info(?) WHERE name = ?", -1, &s,
			       NULL) != SQLITE_OK)
		return false;
	sqlite3_bind_text(s, 1, table, -1, SQLITE_STATIC);
	sqlite3_bind_text(s, 2, column, -1, SQLITE_STATIC);
	found = sqlite3_step(s) == SQLITE_ROW;
	sqlite3_finalize(s);
	return found;
}

static u64 at_least_0(sqlite3_int64 x)
{
	return x < 0 ? 0 : (u64)x;
}

/* The first two columns of the first row; 0 where there is none.  0 or -errno (said). */
static int numbers(struct reader *r, const char *sql, u64 *a, u64 *b)
{
	sqlite3_stmt *s = query(r, sql);
	int step, ret = s ? 0 : -EINVAL;

	if (ret)
		return ret;
	step = sqlite3_step(s);
	if (step == SQLITE_ROW) {
		*a = at_least_0(sqlite3_column_int64(s, 0));
		*b = at_least_0(sqlite3_column_int64(s, 1));
	} else if (step != SQLITE_DONE) {
		ret = fail(r);
	}
	sqlite3_finalize(s);
	return ret;
}

/* ---- what there is ------------------------------------------------------ */

#define KERNELS "CUPTI_ACTIVITY_KIND_KERNEL"
#define COPIES	"CUPTI_ACTIVITY_KIND_MEMCPY"
#define FILLS	"CUPTI_ACTIVITY_KIND_MEMSET"
#define FAULTS	"CUDA_UM_GPU_PAGE_FAULT_EVENTS"
#define HFAULTS "CUDA_UM_CPU_PAGE_FAULT_EVENTS"

static int count(struct reader *r)
{
	u64 none;
	int ret = numbers(r, "SELECT count(*), 0 FROM sqlite_master", &none, &none);

	if (!ret && has(r, KERNELS, "start"))
		ret = numbers(r, "SELECT count(*), 0 FROM " KERNELS, &r->kernels, &none);
	if (!ret && has(r, COPIES, "copyKind"))
		ret = numbers(r,
			      "SELECT count(*), sum(bytes) FROM " COPIES
			      " WHERE copyKind NOT IN " UVM_ALL,
			      &r->copies, &r->copied);
	if (!ret && has(r, COPIES, "virtualAddress"))
		ret = numbers(r,
			      "SELECT count(*), sum(bytes) FROM " COPIES
			      " WHERE copyKind IN " UVM_ALL,
			      &r->migrations, &r->migrated);
	if (!ret && has(r, FILLS, "bytes"))
		ret = numbers(r, "SELECT count(*), 0 FROM " FILLS, &r->fills, &none);
	if (!ret && has(r, FAULTS, "address"))
		ret = numbers(r, "SELECT count(*), 0 FROM " FAULTS, &r->gpu_faults, &none);
	if (!ret && has(r, HFAULTS, "address"))
		ret = numbers(r, "SELECT count(*), 0 FROM " HFAULTS, &r->cpu_faults, &none);
	return ret;
}

static void tell(const struct reader *r)
{
	char a[24], b[24];

	gs_info("%s: found: %llu kernels, %llu copies (%s), %llu fills; unified memory: %llu "
		"faults of devices, %llu of the host, %llu migrations (%s)",
		r->path, r->kernels, r->copies, gs_text_bytes(r->copied, a), r->fills,
		r->gpu_faults, r->cpu_faults, r->migrations, gs_text_bytes(r->migrated, b));
}

static int refuse(const struct reader *r)
{
	if (!r->kernels && !r->copies && !r->gpu_faults && !r->migrations)
		gs_err("%s: cannot be replayed: it holds no CUDA activity", r->path);
	else
		gs_err("%s: cannot be replayed: it tells neither faults nor migrations of unified "
		       "memory: which memory its %llu kernels touch is not known (nsys profile "
		       "--cuda-um-gpu-page-faults=true)",
		       r->path, r->kernels);
	return -EINVAL;
}

/* ---- in order of time ------------------------------------------------------ */

/* @sql and one more part of it; frees both. */
static char *with(char *sql, char *more)
{
	char *both = gs_asprintf("%s%s%s", sql, *sql ? " UNION ALL " : "", more);

	free(sql);
	free(more);
	return both;
}

/* All that happened: what, start, duration, device, stream, name, address, bytes, access. */
static char *all_events(struct reader *r)
{
	const char *name = has(r, KERNELS, "demangledName") ? "demangledName" : "shortName";
	const char *access = has(r, FAULTS, "faultAccessType") ? "faultAccessType" : "0";
	char *sql = gs_strdup("");

	sql = with(sql,
		   gs_asprintf("SELECT 0 AS what, 0 AS start, 0, 0 AS deviceId, 0 AS streamId, "
			       "'', 0, 0, 0 WHERE 0"));
	if (r->kernels)
		sql = with(sql, gs_asprintf("SELECT %d, start, end - start, deviceId, streamId, "
					    "value, 0, 0, 0 FROM " KERNELS
					    " LEFT JOIN StringIds ON StringIds.id = %s",
					    KERNEL, name));
	if (r->copies)
		sql = with(sql, gs_asprintf("SELECT %d, start, end - start, deviceId, streamId, "
					    "'memcpy', 0, bytes, 0 FROM " COPIES
					    " WHERE copyKind NOT IN " UVM_ALL,
					    COPY));
	if (r->fills)
		sql = with(sql, gs_asprintf("SELECT %d, start, end - start, deviceId, streamId, "
					    "'memset', 0, bytes, 0 FROM " FILLS,
					    FILL));
	if (r->gpu_faults)
		return with(sql, gs_asprintf("SELECT %d, start, 0, deviceId, 0, '', address, 0, %s "
					     "FROM " FAULTS,
					     FAULT, access));
	return with(sql,
		    gs_asprintf("SELECT %d, start, 0, deviceId, 0, '', virtualAddress, bytes, 0 "
				"FROM " COPIES " WHERE copyKind = " UVM_IN,
				MIGRATION));
}

static int add_sorted(u64 **v, size_t *n, size_t *cap, u64 what)
{
	size_t i = *n;

	while (i && (*v)[i - 1] > what)
		i--;
	if (i && (*v)[i - 1] == what)
		return 0;
	if (*n == 1024)
		return -EINVAL;
	GS_PUSH_ROOM(*v, *n, *cap);
	memmove(*v + i + 1, *v + i, (*n - i) * sizeof(**v));
	(*v)[i] = what;
	++*n;
	return 0;
}

static u16 dense(const u64 *v, size_t n, u64 what)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] == what)
			return (u16)i;
	return 0;
}

/* Which devices and streams there are, and when it all began. */
static int survey(struct reader *r, const char *events)
{
	char *sql = gs_asprintf(
		"SELECT deviceId, streamId, min(start), min(what) FROM (%s) GROUP BY 1, 2", events);
	sqlite3_stmt *s = query(r, sql);
	int step = SQLITE_ERROR, ret = s ? 0 : -EINVAL;

	free(sql);
	r->begin = U64_MAX;
	while (!ret && (step = sqlite3_step(s)) == SQLITE_ROW) {
		ret = add_sorted(&r->devices, &r->ndevices, &r->devices_cap,
				 (u64)sqlite3_column_int64(s, 0));
		if (!ret && sqlite3_column_int(s, 3) <= FILL)
			ret = add_sorted(&r->streams, &r->nstreams, &r->streams_cap,
					 (u64)sqlite3_column_int64(s, 1));
		if (ret)
			gs_err("%s: more than 1024 devices or streams", r->path);
		r->begin = gs_min(r->begin, (u64)sqlite3_column_int64(s, 2));
	}
	if (!ret && step != SQLITE_DONE)
		ret = fail(r);
	sqlite3_finalize(s);
	return ret;
}

static void clean(const char *s, char *to, size_t size)
{
	size_t n = 0;

	for (; s && *s && n + 1 < size; s++)
		to[n++] = *s >= ' ' && *s < 127 ? *s : '?';
	to[n] = 0;
}

static int put_row(struct reader *r, sqlite3_stmt *s)
{
	enum what what = (enum what)sqlite3_column_int(s, 0);
	struct gs_op op = { .type = GS_OP_PAGE, .index = r->nops++ };
	u64 ns = (u64)sqlite3_column_int64(s, 2), type = (u64)sqlite3_column_int64(s, 8);
	char name[512];
	int ret;

	op.device = dense(r->devices, r->ndevices, (u64)sqlite3_column_int64(s, 3));
	op.stream = dense(r->streams, r->nstreams, (u64)sqlite3_column_int64(s, 4));
	clean((const char *)sqlite3_column_text(s, 5), name, sizeof(name));
	if (what <= FILL) {
		op.type = GS_OP_KERNEL;
		op.kernel.name = name;
		op.kernel.opclass = tr_aten_class(name);
		op.kernel.dtype = GS_OTHER_DTYPE;
		op.kernel.phase = GS_OTHER_PHASE;
		op.kernel.duration_ps = ns < 1ULL << 50 ? ns * 1000 : 0;
		op.kernel.bytes = (u64)sqlite3_column_int64(s, 7);
	} else {
		op.stream = 0;
		op.page.va = (u64)sqlite3_column_int64(s, 6);
		op.page.bytes = what == FAULT
					? PAGE
					: (u32)gs_min((u64)sqlite3_column_int64(s, 7), U32_MAX);
		op.page.access = (u8)(type == 2	  ? GS_WRITE
				      : type == 3 ? GS_READ | GS_WRITE
						  : GS_READ);
		op.page.when_ps = ((u64)sqlite3_column_int64(s, 1) - r->begin) * 1000;
		if (op.page.when_ps >= 1ULL << 63)
			op.page.when_ps = 0;
	}
	ret = tr_writer_put(r->w, &op);
	if (ret == -EINVAL)
		gs_err("%s: event %llu in time: %s", r->path, op.index, tr_writer_why(r->w));
	return ret;
}

static int put_all(struct reader *r, const char *events)
{
	char *sql =
		gs_asprintf("SELECT * FROM (%s) ORDER BY start, what, deviceId, streamId", events);
	sqlite3_stmt *s = query(r, sql);
	int step = SQLITE_DONE, ret = s ? 0 : -EINVAL;
	struct gs_progress bar;

	free(sql);
	gs_progress_begin(&bar, "write",
			  r->kernels + r->copies + r->fills +
				  (r->gpu_faults ? r->gpu_faults : r->migrations));
	while (!ret && (step = sqlite3_step(s)) == SQLITE_ROW) {
		ret = put_row(r, s);
		if (!(r->nops & 0xfff))
			gs_progress_update(&bar, r->nops);
	}
	gs_progress_end(&bar);
	if (!ret && step != SQLITE_DONE)
		ret = fail(r);
	sqlite3_finalize(s);
	return ret;
}

/* ---- the job ---------------------------------------------------------- */

static struct tr_writer *new_writer(const struct reader *r, const char *out)
{
	static const char *const suffixes[] = { ".sqlite", ".db", ".nsys-rep", NULL };
	char **devices = gs_calloc(r->ndevices + 1, sizeof(*devices));
	char *name = tr_base_name(r->path, suffixes);
	struct tr_meta meta = {
		.name = name,
		.framework = "CUDA",
		.source = "SQLite export of Nsight Systems",
		.recorded = r->gpu_faults ? "kernels, and faults of unified memory as accesses"
					  : "kernels, and migrations to devices as accesses",
		.device_names = (const char *const *)devices,
		.ndevices = (u32)r->ndevices,
		.page_hint = PAGE
	};
	struct tr_writer *w;

	for (size_t i = 0; i < r->ndevices; i++)
		devices[i] = gs_asprintf("cuda:%llu", r->devices[i]);
	w = tr_writer_new(out, &meta);
	for (size_t i = 0; i < r->ndevices; i++)
		free(devices[i]);
	free(devices);
	free(name);
	return w;
}

static int import(struct reader *r, const char *out)
{
	char *events;
	int ret = count(r);

	if (ret)
		return ret;
	tell(r);
	if (!r->gpu_faults && !r->migrations)
		return refuse(r);
	events = all_events(r);
	ret = survey(r, events);
	if (!ret) {
		r->w = new_writer(r, out);
		ret = r->w ? put_all(r, events) : -EIO;
	}
	free(events);
	if (ret)
		return ret;
	gs_info("%s: derived: an access of %s; missing: operands of kernels, accesses that hit%s",
		r->path,
		r->gpu_faults ? "4 KiB for each fault of a device"
			      : "as many bytes as moved for each migration to a device",
		r->cpu_faults ? ", what the host touched (its faults are not used)" : "");
	return 0;
}

int tr_nsys_import(const char *path, const char *out, struct tr_writer **w)
{
	struct reader r = { .path = path };
	int ret;

	*w = NULL;
	if (sqlite3_open_v2(path, &r.db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK) {
		ret = fail(&r);
	} else {
		/* the file is somebody else's: its schema may do nothing */
		sqlite3_db_config(r.db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
		sqlite3_db_config(r.db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
		ret = import(&r, out);
	}
	sqlite3_close(r.db);
	if (ret)
		tr_writer_abort(r.w);
	else
		*w = r.w;
	free(r.devices);
	free(r.streams);
	return ret;
}
