/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "sim/out.h"

/* ---- a folder of its own, and stderr in a string -------------------------- */

static char folder[64];
static char said[4096];
static int saved_stderr;
static char heard[64];

static int setup(void **state)
{
	snprintf(folder, sizeof(folder), "/tmp/gs-out-XXXXXX");
	assert_non_null(mkdtemp(folder));
	said[0] = 0;
	gs_quiet = false;
	return chdir(folder);
}

static int teardown(void **state)
{
	char *command = gs_asprintf("chmod -R u+w %s && rm -rf %s", folder, folder);
	int err = chdir("/") || system(command);

	free(command);
	return err;
}

static void listen(void)
{
	fflush(stderr);
	saved_stderr = dup(STDERR_FILENO);
	snprintf(heard, sizeof(heard), "/tmp/gs-out-stderr-%ld", (long)getpid());
	assert_non_null(freopen(heard, "w+", stderr));
}

static void hear(void)
{
	size_t n;

	fflush(stderr);
	rewind(stderr);
	n = fread(said, 1, sizeof(said) - 1, stderr);
	said[n] = 0;
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	unlink(heard);
}

static u32 entries(const char *path)
{
	DIR *d = opendir(path);
	u32 n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n - 2; /* . and .. */
}

static void holds(const char *path, const char *text)
{
	char buf[256];
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(buf, 1, sizeof(buf) - 1, f);
	fclose(f);
	buf[n] = 0;
	assert_string_equal(buf, text);
}

static bool exists(const char *path)
{
	struct stat st;

	return !lstat(path, &st);
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* A result folder with a summary that says @text. */
static int result(const char *path, const char *text)
{
	struct gs_outdir *d = gs_outdir_begin(path);

	if (!d)
		return -1;
	fputs(text, gs_outdir_file(d, "summary.json"));
	return gs_outdir_commit(d);
}

/* ---- directories ------------------------------------------------------------ */

static void test_a_result_is_not_there_before_it_is_whole(void **state)
{
	struct gs_outdir *d = gs_outdir_begin("r");

	fputs("x", gs_outdir_file(d, "summary.json"));
	fputs("y", gs_outdir_file(d, "kernels.csv"));
	assert_false(exists("r"));
	assert_int_equal(gs_outdir_commit(d), 0);
	holds("r/summary.json", "x");
	holds("r/kernels.csv", "y");
	assert_int_equal(entries("r"), 2);
	assert_int_equal(entries("."), 1); /* nothing temporary is left */
}

static void test_an_aborted_result_leaves_nothing(void **state)
{
	struct gs_outdir *d = gs_outdir_begin("r");

	gs_outdir_file(d, "summary.json");
	gs_outdir_abort(d);
	gs_outdir_abort(NULL);
	assert_int_equal(entries("."), 0);
}

static void test_an_older_result_is_replaced_whole(void **state)
{
	assert_int_equal(result("r", "old"), 0);
	put("r/more.csv", "old");
	assert_int_equal(result("r", "new"), 0);
	holds("r/summary.json", "new");
	assert_int_equal(entries("r"), 1);
	assert_int_equal(entries("."), 1);
}

static void test_an_aborted_result_keeps_the_older_one(void **state)
{
	assert_int_equal(result("r", "old"), 0);
	gs_outdir_abort(gs_outdir_begin("r"));
	holds("r/summary.json", "old");
}

static void test_an_empty_folder_is_replaced(void **state)
{
	assert_int_equal(mkdir("r", 0777), 0);
	assert_int_equal(result("r/", "x"), 0);
	holds("r/summary.json", "x");
}

static void test_parents_are_made(void **state)
{
	char *path = gs_asprintf("%s/a/b/c", folder);

	assert_int_equal(result(path, "x"), 0);
	holds("a/b/c/summary.json", "x");
	free(path);
}

static void refused(const char *path, const char *message)
{
	listen();
	assert_null(gs_outdir_begin(path));
	hear();
	assert_string_equal(said, message);
}

static void test_a_folder_of_somebody_else_is_left_alone(void **state)
{
	assert_int_equal(mkdir("home", 0777), 0);
	put("home/thesis.tex", "x");
	refused("home", "gmemsim: home exists and is no result of gmemsim: it is left alone; name "
			"another folder\n");
	holds("home/thesis.tex", "x");
	assert_int_equal(entries("."), 1);
}

static void test_a_file_or_a_link_is_left_alone(void **state)
{
	put("f", "x");
	assert_int_equal(mkdir("d", 0777), 0);
	assert_int_equal(symlink("d", "l"), 0);
	refused("f", "gmemsim: f exists and is no result of gmemsim: it is left alone; name "
		     "another folder\n");
	refused("l", "gmemsim: l exists and is no result of gmemsim: it is left alone; name "
		     "another folder\n");
}

static void test_a_folder_that_fills_meanwhile_is_left_alone(void **state)
{
	struct gs_outdir *d = gs_outdir_begin("r");

	gs_outdir_file(d, "summary.json");
	assert_int_equal(mkdir("r", 0777), 0);
	put("r/thesis.tex", "x");
	listen();
	assert_int_equal(gs_outdir_commit(d), -EEXIST);
	hear();
	holds("r/thesis.tex", "x");
	assert_int_equal(entries("."), 1);
}

static void test_dots_are_no_result_folder(void **state)
{
	refused(".", "gmemsim: \".\" cannot be a result folder: name a new one\n");
	refused("a/..", "gmemsim: \"a/..\" cannot be a result folder: name a new one\n");
	refused("/", "gmemsim: \"/\" cannot be a result folder: name a new one\n");
	refused("", "gmemsim: \"\" cannot be a result folder: name a new one\n");
}

static void test_a_file_in_the_way_of_a_parent_is_said(void **state)
{
	put("f", "x");
	listen();
	assert_null(gs_outdir_begin("f/r"));
	hear();
	assert_non_null(strstr(said, ": Not a directory\n"));
}

static void test_a_folder_that_forbids_writing_is_said(void **state)
{
	if (!geteuid())
		skip(); /* nothing is forbidden to root */
	assert_int_equal(mkdir("ro", 0555), 0);
	listen();
	assert_null(gs_outdir_begin("ro/r"));
	hear();
	assert_non_null(strstr(said, ": Permission denied\n"));
}

/* A limit on the size of files stands for a full disk. */
static void limit_files(rlim_t bytes)
{
	struct rlimit l;

	signal(SIGXFSZ, bytes == RLIM_INFINITY ? SIG_DFL : SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &l), 0);
	l.rlim_cur = bytes == RLIM_INFINITY ? l.rlim_max : bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

static void test_a_full_disk_is_said_and_keeps_the_older_result(void **state)
{
	struct gs_outdir *d;
	FILE *f;
	int err;

	assert_int_equal(result("r", "old"), 0);
	d = gs_outdir_begin("r");
	f = gs_outdir_file(d, "summary.json");
	gs_outdir_file(d, "kernels.csv");
	listen();
	limit_files(10000);
	for (int i = 0; i < 10000; i++)
		fputs("0123456789", f);
	err = gs_outdir_commit(d);
	limit_files(RLIM_INFINITY);
	hear();
	assert_int_equal(err, -EFBIG);
	assert_string_equal(said, "gmemsim: cannot write summary.json: File too large; "
				  "raise the limit on file sizes (ulimit -f)\n");
	holds("r/summary.json", "old");
	assert_int_equal(entries("."), 1);
}

/* One large write goes past the stream's buffer, which loses the reason. */
static void test_a_full_disk_is_said_of_large_writes_too(void **state)
{
	static const char big[50000];
	struct gs_outdir *d = gs_outdir_begin("r");
	FILE *f = gs_outdir_file(d, "summary.json");
	int err;

	listen();
	limit_files(10000);
	fwrite(big, 1, sizeof(big), f);
	err = gs_outdir_commit(d);
	limit_files(RLIM_INFINITY);
	hear();
	assert_int_equal(err, -EFBIG);
	assert_string_equal(said, "gmemsim: cannot write summary.json: File too large; "
				  "raise the limit on file sizes (ulimit -f)\n");
	assert_int_equal(entries("."), 0);
}

static void test_what_a_killed_process_left_is_no_obstacle(void **state)
{
	char *tmp = gs_asprintf(".r.tmp-%ld", (long)getpid());

	assert_int_equal(mkdir(tmp, 0777), 0);
	assert_int_equal(chdir(tmp), 0);
	put("junk", "x");
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(result("r", "x"), 0);
	assert_int_equal(entries("r"), 1);
	free(tmp);
}

/* The number of a process that is no more. */
static long gone(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	return (long)pid;
}

static void test_what_processes_left_goes_when_they_are_gone(void **state)
{
	char *dead = gs_asprintf(".r.tmp-%ld", gone()), *other = gs_asprintf(".s.tmp-%ld", gone());
	char *alive = gs_asprintf(".r.tmp-%ld", (long)getppid());

	assert_int_equal(mkdir(dead, 0777) | mkdir(other, 0777) | mkdir(alive, 0777), 0);
	put(".r.tmp-12x", "not ours");
	gs_outdir_abort(gs_outdir_begin("r"));
	assert_int_not_equal(access(dead, F_OK), 0);
	assert_int_equal(access(other, F_OK), 0); /* of another result */
	assert_int_equal(access(alive, F_OK), 0);
	assert_int_equal(access(".r.tmp-12x", F_OK), 0);
	gs_leftovers("./");
	assert_int_not_equal(access(other, F_OK), 0);
	free(dead);
	free(other);
	free(alive);
}

static void test_a_result_that_stood_aside_comes_back(void **state)
{
	char *old = gs_asprintf(".r.old-%ld", gone());

	assert_int_equal(result(old, "old"), 0);
	gs_quiet = true;
	gs_leftovers("r");
	assert_int_equal(entries("r"), 1);
	assert_int_equal(entries("."), 1);
	free(old);
}

static void test_a_place_is_checked_before_a_run(void **state)
{
	assert_int_equal(gs_outdir_check("a/b/r"), 0);
	assert_int_equal(entries("."), 0); /* asking makes nothing */
	put("f", "x");
	listen();
	assert_int_equal(gs_outdir_check("f"), -EEXIST);
	assert_int_equal(gs_outdir_check("."), -EINVAL);
	hear();
}

/* ---- files ------------------------------------------------------------------ */

static void test_a_file_is_replaced_whole(void **state)
{
	put("f", "old and longer");
	assert_int_equal(gs_write_file("f", "new", 3), 0);
	holds("f", "new");
	assert_int_equal(gs_write_file("g/h", "", 0), 0);
	holds("g/h", "");
	assert_int_equal(entries("."), 2);
}

static void test_a_failed_write_keeps_the_older_file(void **state)
{
	char big[20000] = "";
	int err;

	put("f", "old");
	listen();
	limit_files(10000);
	err = gs_write_file("f", big, sizeof(big));
	limit_files(RLIM_INFINITY);
	hear();
	assert_int_equal(err, -EFBIG);
	assert_non_null(strstr(said, "File too large; "
				     "raise the limit on file sizes (ulimit -f)\n"));
	holds("f", "old");
	assert_int_equal(entries("."), 1);
}

static void test_a_link_to_a_file_stays_a_link(void **state)
{
	struct stat st;

	put("f", "old");
	assert_int_equal(symlink("f", "l"), 0);
	assert_int_equal(gs_write_file("l", "new", 3), 0);
	holds("f", "new");
	assert_int_equal(lstat("l", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void test_a_full_device_is_said(void **state)
{
	listen();
	assert_int_equal(gs_write_file("/dev/full", "x", 1), -ENOSPC);
	hear();
	assert_string_equal(said, "gmemsim: cannot write /dev/full: No space left on device; "
				  "make room there, or write elsewhere\n");
}

static void test_a_folder_is_no_file_to_write(void **state)
{
	assert_int_equal(mkdir("d", 0777), 0);
	listen();
	assert_int_equal(gs_write_file("d", "x", 1), -EISDIR);
	hear();
	assert_string_equal(said, "gmemsim: cannot write d: Is a directory\n");
	assert_int_equal(entries("."), 1);
}

/* ---- progress --------------------------------------------------------------- */

static const u64 second = 1000000000;

static void test_progress_without_a_terminal_is_a_line_every_ten_seconds(void **state)
{
	struct gs_progress p;

	listen();
	gs_progress_begin(&p, "sweep", 48);
	p.tty = false;
	gs_progress_update(&p, 1); /* too early */
	p.start_ns -= 13 * second;
	p.shown_ns -= 13 * second;
	gs_progress_update(&p, 12);
	gs_progress_update(&p, 13); /* too early again */
	gs_progress_end(&p);
	hear();
	assert_string_equal(said, "gmemsim: sweep: 12 of 48 (25 %), 40 s left\n");
}

static void test_the_rate_is_of_what_was_done_since_the_beginning(void **state)
{
	struct gs_progress p;

	listen();
	gs_progress_begin(&p, "sweep", 48);
	p.tty = false;
	p.base = 24;
	p.start_ns -= 13 * second;
	p.shown_ns -= 13 * second;
	gs_progress_update(&p, 36); /* 12 in 13 s, 12 to go */
	hear();
	assert_string_equal(said, "gmemsim: sweep: 36 of 48 (75 %), 14 s left\n");
}

static void test_lines_come_at_longer_intervals(void **state)
{
	struct gs_progress p;

	listen();
	gs_progress_begin(&p, "sweep", 48);
	p.tty = false;
	p.start_ns -= 4000 * second;
	p.shown_ns -= 400 * second;
	gs_progress_update(&p, 24); /* too early: an eighth of 4000 s is not over */
	hear();
	assert_string_equal(said, "");
}

static void test_progress_without_an_end_says_what_is_done(void **state)
{
	struct gs_progress p;

	listen();
	gs_progress_begin(&p, "import", 0);
	p.tty = false;
	p.shown_ns -= 13 * second;
	gs_progress_update(&p, 12);
	gs_progress_end(&p);
	hear();
	assert_string_equal(said, "gmemsim: import: 12 done\n");
}

static void test_a_bar_is_redrawn_at_most_ten_times_a_second_and_cleared(void **state)
{
	struct gs_progress p;

	listen();
	gs_progress_begin(&p, "sweep", 48);
	p.tty = true;
	p.start_ns -= 100 * second;
	p.shown_ns -= second;
	gs_progress_update(&p, 24);
	for (u64 i = 25; i < 40; i++)
		gs_progress_update(&p, i);
	gs_progress_end(&p);
	hear();
	assert_string_equal(said, "\rsweep [############............] 50 %, 0.24/s, 1 min 41 s "
				  "left\033[K\r\033[K");
}

static void test_quiet_silences_progress(void **state)
{
	struct gs_progress p;

	gs_quiet = true;
	listen();
	gs_progress_begin(&p, "sweep", 48);
	p.shown_ns -= 20 * second;
	gs_progress_update(&p, 24);
	p.tty = true;
	p.shown_ns -= 20 * second;
	gs_progress_update(&p, 25);
	gs_progress_end(&p);
	hear();
	assert_string_equal(said, "");
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_result_is_not_there_before_it_is_whole),
		TEST(test_an_aborted_result_leaves_nothing),
		TEST(test_an_older_result_is_replaced_whole),
		TEST(test_an_aborted_result_keeps_the_older_one),
		TEST(test_an_empty_folder_is_replaced),
		TEST(test_parents_are_made),
		TEST(test_a_folder_of_somebody_else_is_left_alone),
		TEST(test_a_file_or_a_link_is_left_alone),
		TEST(test_a_folder_that_fills_meanwhile_is_left_alone),
		TEST(test_dots_are_no_result_folder),
		TEST(test_a_file_in_the_way_of_a_parent_is_said),
		TEST(test_a_folder_that_forbids_writing_is_said),
		TEST(test_a_full_disk_is_said_and_keeps_the_older_result),
		TEST(test_a_full_disk_is_said_of_large_writes_too),
		TEST(test_what_a_killed_process_left_is_no_obstacle),
		TEST(test_what_processes_left_goes_when_they_are_gone),
		TEST(test_a_result_that_stood_aside_comes_back),
		TEST(test_a_place_is_checked_before_a_run),
		TEST(test_a_file_is_replaced_whole),
		TEST(test_a_failed_write_keeps_the_older_file),
		TEST(test_a_link_to_a_file_stays_a_link),
		TEST(test_a_full_device_is_said),
		TEST(test_a_folder_is_no_file_to_write),
		TEST(test_progress_without_a_terminal_is_a_line_every_ten_seconds),
		TEST(test_the_rate_is_of_what_was_done_since_the_beginning),
		TEST(test_lines_come_at_longer_intervals),
		TEST(test_progress_without_an_end_says_what_is_done),
		TEST(test_a_bar_is_redrawn_at_most_ten_times_a_second_and_cleared),
		TEST(test_quiet_silences_progress),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
