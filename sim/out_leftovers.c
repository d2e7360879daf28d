/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * out_leftovers.c - what killed processes left is cleared away
 *
 * A result is built in ".NAME.tmp-PID", and an older one steps aside to
 * ".NAME.old-PID" for the moment of a rename.  Whoever finds either when that
 * process is gone is the one to tidy up.
 */
#define _GNU_SOURCE /* nftw() */
#include "sim/out.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

int gs_remove_tree(const char *path)
{
	return nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ".NAME.tmp-PID" or ".NAME.old-PID" -> PID and the length of NAME; 0: neither. */
static long maker_of(const char *entry, size_t *name)
{
	const char *dash = strrchr(entry, '-');
	char *end;
	long pid;

	if (*entry != '.' || !dash || dash - entry < 6 || dash[1] < '1' || dash[1] > '9')
		return 0;
	if (strncmp(dash - 4, ".tmp", 4) && strncmp(dash - 4, ".old", 4))
		return 0;
	pid = strtol(dash + 1, &end, 10);
	*name = (size_t)(dash - 4 - entry) - 1;
	return *end ? 0 : pid;
}

/* Dead, or a zombie that nobody waits for (as in a container without an init). */
static bool is_gone(long pid)
{
	char *path = gs_asprintf("/proc/%ld/stat", pid), state = 0;
	FILE *f = fopen(path, "r");

	if (!f || fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	if (f)
		fclose(f);
	free(path);
	return state == 'Z' || state == 'X' || (kill((pid_t)pid, 0) && errno == ESRCH);
}

/* An older result whose place is empty goes back to it: the newer one never came. */
static void tidy(const char *folder, const char *entry, size_t name)
{
	char *path = gs_asprintf("%s%s", folder, entry);
	char *place = gs_asprintf("%s%.*s", folder, (int)name, entry + 1);
	bool old = !strncmp(entry + 1 + name, ".old", 4);
	struct stat st;

	if (old && lstat(place, &st) && errno == ENOENT && !rename(path, place))
		gs_info("%s is back: the run that was to replace it was killed", place);
	else
		gs_remove_tree(path); /* failing is harmless: it is tried again next time */
	free(path);
	free(place);
}

void gs_leftovers(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char *folder = gs_asprintf("%.*s", (int)(name - path), path);
	DIR *d = opendir(*folder ? folder : ".");
	struct dirent *e;
	size_t len;
	long pid;

	while (d && (e = readdir(d))) {
		pid = maker_of(e->d_name, &len);
		if (!pid || !is_gone(pid))
			continue;
		if (!*name || (strlen(name) == len && !strncmp(e->d_name + 1, name, len)))
			tidy(folder, e->d_name, len);
	}
	if (d)
		closedir(d);
	free(folder);
}
