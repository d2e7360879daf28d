/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * main_sweep_dir.c - the directory of a sweep, which one sweep has to itself
 *
 * The lock is one of fcntl(): it goes with its process however that ends, and
 * the processes of points do not inherit it.  What the file says is for people,
 * and for telling that an earlier sweep was killed.
 */
#include "sim/main_sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *lock_path(const struct sweep *sw)
{
	return gs_asprintf("%s/sweep.lock", sw->out);
}

/* Whoever held it may have removed the file between our open and our lock. */
static bool is_still_there(int fd, const char *path)
{
	struct stat a, b;

	return !fstat(fd, &a) && !stat(path, &b) && a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static int taken(const struct sweep *sw, int fd)
{
	char holder[64] = "";
	ssize_t n = pread(fd, holder, sizeof(holder) - 1, 0);

	holder[n > 0 ? strcspn(holder, "\n") : 0] = 0;
	gs_err("%s: another sweep is at work in it (%s); wait for it, or choose another folder "
	       "with -o",
	       sw->out, *holder ? holder : "just begun");
	return -EBUSY;
}

/* Write down who has it; an earlier name in it is that of a killed sweep. */
static void sign(const struct sweep *sw, int fd)
{
	char text[320], host[256] = "", earlier[64] = "";
	ssize_t n = pread(fd, earlier, sizeof(earlier) - 1, 0);

	if (n > 0) {
		earlier[strcspn(earlier, "\n")] = 0;
		gs_info("%s: an earlier sweep (%s) was killed; its lock is void", sw->out, earlier);
	}
	gethostname(host, sizeof(host) - 1);
	n = snprintf(text, sizeof(text), "process %ld on %s\n", (long)getpid(), host);
	if (ftruncate(fd, 0) || pwrite(fd, text, (size_t)n, 0) < 0)
		gs_warn("%s: sweep.lock is held, but cannot be written: %s", sw->out,
			strerror(errno));
}

static int lock(struct sweep *sw)
{
	struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	char *path = lock_path(sw);
	int fd, err = 0;

	do {
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
		if (fd < 0) {
			err = gs_cannot("create", path);
		} else if (!fcntl(fd, F_SETLK, &whole)) {
			if (is_still_there(fd, path))
				break;
			close(fd);
		} else if (errno == EACCES || errno == EAGAIN) {
			err = taken(sw, fd);
			close(fd);
		} else {
			gs_warn("%s: no locks on this file system (%s): see that no other sweep "
				"runs there",
				sw->out, strerror(errno));
			break;
		}
	} while (!err);
	free(path);
	if (err)
		return err;
	sw->lock = fd;
	sign(sw, fd);
	return 0;
}

static int not_dots(const struct dirent *e)
{
	return strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
}

/* How many entries @dir has; they are removed if @remove. */
static int entries(const char *dir, bool and_remove)
{
	struct dirent **e = NULL;
	int n = scandir(dir, &e, not_dots, NULL);

	for (int i = 0; i < n; i++) {
		char *path = gs_asprintf("%s/%s", dir, e[i]->d_name);

		if (and_remove)
			unlink(path);
		free(path);
		free(e[i]);
	}
	free(e);
	return n;
}

static int check_empty(const struct sweep *sw, const char *points)
{
	if (!access(points, F_OK) || entries(sw->out, false) <= 0)
		return 0;
	gs_err("%s: there is something in it, and it is no earlier sweep; choose another "
	       "folder with -o",
	       sw->out);
	return -EEXIST;
}

/* What killed processes left behind, a sweep's or its points'. */
static void clear_leftovers(const struct sweep *sw)
{
	char *out = gs_asprintf("%s/", sw->out), *points = gs_asprintf("%s/points/", sw->out);

	gs_leftovers(out);
	gs_leftovers(points);
	free(out);
	free(points);
}

int sweep_open(struct sweep *sw)
{
	char *points = gs_asprintf("%s/points/", sw->out);
	char *table = gs_asprintf("%s/sweep.csv", sw->out);
	int err = check_empty(sw, points);

	if (!err)
		err = gs_make_parents(points);
	if (!err)
		err = lock(sw);
	if (!err) {
		unlink(table); /* an unfinished sweep has none */
		clear_leftovers(sw);
		if (!sw->resume)
			entries(points, true);
	}
	free(points);
	free(table);
	return err;
}

void sweep_close(struct sweep *sw)
{
	char *path;

	if (sw->lock < 0)
		return;
	clear_leftovers(sw); /* of points that were still dying when this one began */
	path = lock_path(sw);
	unlink(path);
	close(sw->lock);
	free(path);
	sw->lock = -1;
}
