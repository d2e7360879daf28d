/* SPDX-License-Identifier: GPL-3.0-or-later */
/* out.c - results that appear whole or not at all */
#include "sim/out.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct outfile {
	FILE *f;
	char *name;
};

struct gs_outdir {
	char *path; /* where it is to be */
	char *tmp;  /* where it is built: beside it, so that rename() can do */
	struct outfile *files;
	size_t n, cap;
};

/* What the user can do about it. */
static const char *remedy(int err)
{
	switch (err) {
	case ENOSPC:
	case EDQUOT:
		return "; make room there, or write elsewhere";
	case EFBIG:
		return "; raise the limit on file sizes (ulimit -f)";
	case EROFS:
	case EACCES:
	case EPERM:
		return "; choose a place that you may write to";
	default:
		return "";
	}
}

int gs_cannot(const char *what, const char *path)
{
	int err = errno ? errno : EIO;

	gs_err("cannot %s %s: %s%s", what, path, strerror(err), remedy(err));
	return -err;
}

/* ---- paths -------------------------------------------------------------- */

/* @path without slashes at its end. */
static char *trimmed(const char *path)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	return gs_asprintf("%.*s", (int)n, path);
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* ".NAME.tmp-PID" beside @path; @word is "tmp" or "old". */
static char *beside(const char *path, const char *word)
{
	const char *name = name_of(path);

	return gs_asprintf("%.*s.%s.%s-%ld", (int)(name - path), path, name, word, (long)getpid());
}

char *gs_tmp_beside(const char *path)
{
	return beside(path, "tmp");
}

static int sync_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;

	/* some file systems cannot sync folders; they say EINVAL */
	if (fd < 0 || (fsync(fd) && errno != EINVAL))
		err = gs_cannot("sync", folder);
	if (fd >= 0)
		close(fd);
	return err;
}

/* A rename is on disk only when the folder around it is. */
static int sync_parent(const char *path)
{
	const char *name = name_of(path);
	char *folder =
		name == path ? gs_strdup(".") : gs_asprintf("%.*s", (int)(name - path), path);
	int err = sync_folder(folder);

	free(folder);
	return err;
}

int gs_make_parents(const char *path)
{
	char *p = gs_strdup(path);
	int err = 0;

	for (char *s = p + 1; *p && *s && !err; s++) {
		struct stat st;

		if (*s != '/')
			continue;
		*s = 0;
		if (stat(p, &st) && mkdir(p, 0777) && errno != EEXIST)
			err = gs_cannot("make the folder", p);
		*s = '/';
	}
	free(p);
	return err;
}

/* ---- directories -------------------------------------------------------- */

/* Of all that a folder may be, only what we made or what is empty may go. */
static bool holds_a_result(const char *path)
{
	bool empty = true, ours = false;
	struct dirent *e;
	DIR *d = opendir(path);

	if (!d)
		return false;
	while ((e = readdir(d))) {
		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		empty = false;
		ours |= !strcmp(e->d_name, "summary.json") || !strcmp(e->d_name, "live.csv");
	}
	closedir(d);
	return empty || ours;
}

/* 0 if nothing is there or it may be replaced; *exists says which. */
static int may_replace(const char *path, bool *exists)
{
	struct stat st;

	*exists = !lstat(path, &st);
	if (!*exists)
		return errno == ENOENT ? 0 : gs_cannot("look at", path);
	if (S_ISDIR(st.st_mode) && holds_a_result(path))
		return 0;
	gs_err("%s exists and is no result of gmemsim: it is left alone; name another folder",
	       path);
	return -EEXIST;
}

/* Its files are closed already. */
static void outdir_free(struct gs_outdir *d)
{
	for (size_t i = 0; i < d->n; i++)
		free(d->files[i].name);
	free(d->files);
	free(d->path);
	free(d->tmp);
	free(d);
}

static int make_tmp(const char *tmp)
{
	if (!mkdir(tmp, 0777))
		return 0;
	/* left by a killed process that had our number */
	if (errno == EEXIST && !gs_remove_tree(tmp) && !mkdir(tmp, 0777))
		return 0;
	return gs_cannot("make the folder", tmp);
}

/* A name that can stand for a folder of ours.  0 or -errno (said). */
static int check_name(const char *path, const char *trimmed_path)
{
	const char *name = name_of(trimmed_path);

	if (*name && strcmp(name, ".") && strcmp(name, ".."))
		return 0;
	gs_err("\"%s\" cannot be a result folder: name a new one", path);
	return -EINVAL;
}

/* The nearest folder above @path that is there. */
static char *folder_above(const char *path)
{
	char *p = gs_strdup(path), *slash;

	while ((slash = strrchr(p, '/'))) {
		slash[slash == p] = 0;
		if (slash == p || !access(p, F_OK))
			return p;
	}
	free(p);
	return gs_strdup(".");
}

int gs_outdir_check(const char *path)
{
	char *p = trimmed(path), *folder = folder_above(p);
	bool exists;
	int err = check_name(path, p);

	if (!err)
		err = may_replace(p, &exists);
	if (!err && access(folder, W_OK | X_OK))
		err = gs_cannot("write into", folder);
	free(folder);
	free(p);
	return err;
}

struct gs_outdir *gs_outdir_begin(const char *path)
{
	struct gs_outdir *d = gs_calloc(1, sizeof(*d));
	bool exists;

	d->path = trimmed(path);
	d->tmp = beside(d->path, "tmp");
	gs_leftovers(d->path);
	if (!check_name(path, d->path) && !gs_make_parents(d->path) &&
	    !may_replace(d->path, &exists) && !make_tmp(d->tmp))
		return d;
	outdir_free(d);
	return NULL;
}

FILE *gs_outdir_file(struct gs_outdir *d, const char *name)
{
	char *path = gs_asprintf("%s/%s", d->tmp, name);
	FILE *f;

	gs_assert(!strchr(name, '/'));
	f = fopen(path, "wxe");
	if (!f) {
		gs_cannot("create", path);
	} else {
		GS_PUSH_ROOM(d->files, d->n, d->cap);
		d->files[d->n++] = (struct outfile){ f, gs_strdup(name) };
	}
	free(path);
	return f;
}

/*
 * Why could @f not be written?  A stream keeps the fact and loses the reason, so
 * the disk is asked again; what this adds is thrown away with the rest.
 */
static int reason_of(FILE *f)
{
	static const char probe[1 << 16];
	ssize_t n = write(fileno(f), probe, sizeof(probe));

	return n < 0 ? errno : n < (ssize_t)sizeof(probe) ? ENOSPC : EIO;
}

static int finish_file(FILE *f, const char *name)
{
	int err = 0;

	if (fflush(f) || fsync(fileno(f)))
		err = gs_cannot("write", name);
	else if (ferror(f) && (errno = reason_of(f)))
		err = gs_cannot("write", name);
	if (fclose(f) && !err)
		err = gs_cannot("write", name);
	return err;
}

static int finish_files(struct gs_outdir *d)
{
	int err = 0;

	for (; d->n; d->n--) {
		struct outfile *o = &d->files[d->n - 1];

		/* one message: when the disk is full, it is full for all */
		if (err)
			fclose(o->f);
		else
			err = finish_file(o->f, o->name);
		free(o->name);
	}
	return err;
}

/* An older result steps aside and comes back if the new one cannot take its place. */
static int put_in_place(const struct gs_outdir *d)
{
	char *old = beside(d->path, "old");
	bool exists;
	int err = may_replace(d->path, &exists);

	if (!err && exists && rename(d->path, old))
		err = gs_cannot("replace", d->path);
	if (!err && rename(d->tmp, d->path)) {
		err = gs_cannot("make the folder", d->path);
		if (exists && rename(old, d->path))
			gs_err("the older result is in %s", old);
	} else if (!err && exists && gs_remove_tree(old)) {
		gs_cannot("remove the older result in", old); /* the new one is there */
	}
	free(old);
	return err ? err : sync_parent(d->path);
}

int gs_outdir_commit(struct gs_outdir *d)
{
	int err = finish_files(d);

	if (!err)
		err = sync_folder(d->tmp);
	if (!err)
		err = put_in_place(d);
	if (err)
		gs_remove_tree(d->tmp);
	outdir_free(d);
	return err;
}

void gs_outdir_abort(struct gs_outdir *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n; i++)
		fclose(d->files[i].f);
	gs_remove_tree(d->tmp);
	outdir_free(d);
}

/* ---- single files ------------------------------------------------------- */

static int write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* To @path, synced if that means anything there; @name is what messages say. */
static int write_to(const char *path, const char *name, const void *data, size_t len, bool sync)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), err = 0;

	if (fd < 0 || write_all(fd, data, len) || (sync && fsync(fd)))
		err = gs_cannot("write", name);
	if (fd >= 0 && close(fd) && !err)
		err = gs_cannot("write", name);
	return err;
}

int gs_write_file(const char *path, const void *data, size_t len)
{
	struct stat st;
	char *real, *tmp;
	int err;

	/* a device or a pipe (/dev/stdout) has no whole to replace */
	if (!stat(path, &st) && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return write_to(path, path, data, len, false);
	real = realpath(path, NULL); /* what a link names is replaced, not the link */
	if (!real)
		real = gs_strdup(path);
	tmp = beside(real, "tmp");
	err = gs_make_parents(real);
	if (!err)
		err = write_to(tmp, path, data, len, true);
	if (!err && rename(tmp, real))
		err = gs_cannot("write", path);
	if (err)
		unlink(tmp);
	else
		err = sync_parent(real);
	free(tmp);
	free(real);
	return err;
}
