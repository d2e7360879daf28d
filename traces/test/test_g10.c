/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_g10.c - networks of the G10 artifact keep their times, sizes and lives */
#define _GNU_SOURCE /* nftw */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "traces/import.h"
#include "traces/test/said.h"

static const char folder[] = "build/test_g10";

/* A network of three kernels and five tensors, the last one a workspace. */
static const struct {
	const char *name, *text;
} small[] = {
	{ "tensors.config",
	  "tensor0 Is weight (global)?: 0, Size in byte: 8192, Range:0--8192\n"
	  "tensor1 Is weight (global)?: 1, Size in byte: 4096, Range:0--4096\n"
	  "tensor2 Is weight (global)?: 0, Size in byte: 4096, Range:8192--12288\n"
	  "tensor3 Is weight (global)?: 0, Size in byte: 4096, Range:12288--16384\n"
	  "tensor4 Is weight (global)?: 0, Size in byte: 4096, Range:16384--20480\n" },
	{ "kernels.config",
	  "Kernel ID: 0, Name: LoadData_A0\nParent Layer ID:0; Name:Conv2d\n"
	  "Execution Time: 1\n(1,3,2,2)\nInput Tensors:\nOutput Tensors:\n"
	  "tensor0 Is weight (global)?: 0, Size in byte: 8192, Range:0--8192\n____\n"
	  "Kernel ID: 1, Name: Conv2d_Forward\nExecution Time: 1\nInput Tensors:\n"
	  "tensor1 Is weight (global)?: 1, Size in byte: 4096, Range:0--4096\n"
	  "tensor0 Is weight (global)?: 0, Size in byte: 8192, Range:0--8192\n"
	  "Output Tensors:\n"
	  "tensor4 Is weight (global)?: 0, Size in byte: 4096, Range:16384--20480\n"
	  "tensor2 Is weight (global)?: 0, Size in byte: 4096, Range:8192--12288\n____\n"
	  "Kernel ID: 2, Name: Conv2d_Backward_Weight\nExecution Time: 1\nInput Tensors:\n"
	  "tensor0 Is weight (global)?: 0, Size in byte: 8192, Range:0--8192\n"
	  "tensor2 Is weight (global)?: 0, Size in byte: 4096, Range:8192--12288\n"
	  "Output Tensors:\n"
	  "tensor3 Is weight (global)?: 0, Size in byte: 4096, Range:12288--16384\n"
	  "tensor2 Is weight (global)?: 0, Size in byte: 4096, Range:8192--12288\n____\n" },
	{ "cudnn1.txt", "0000 0.000001 ms\n0001 0.000001 ms\n0002 0.000001 ms\n" },
	{ "cudnn1Workspace.txt", "0000 0 B\n0001 100 B\n0002 0 B\n" },
};

static void write_file(const char *name, const char *text)
{
	char *path = gs_asprintf("%s/%s", folder, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	free(path);
}

/* The small network; @changed, if any, holds @text in place of its own. */
static void write_small(const char *changed, const char *text)
{
	mkdir(folder, 0777);
	for (size_t i = 0; i < GS_ARRAY_SIZE(small); i++)
		write_file(small[i].name,
			   changed && !strcmp(changed, small[i].name) ? text : small[i].text);
}

static struct gs_source *import(const char *dir)
{
	struct gs_source *src;
	struct tr_writer *w;

	gs_quiet = true;
	assert_int_equal(tr_g10_import(dir, NULL, &w), 0);
	assert_int_equal(tr_writer_source(w, dir, &src), 0);
	return src;
}

static void refused(const char *words)
{
	struct tr_writer *w;
	const char *said;

	said_begin();
	assert_true(tr_g10_import(folder, NULL, &w) < 0);
	said = said_end();
	if (!strstr(said, words))
		fail_msg("wanted '%s', got '%s'", words, said);
}

static void a_network_becomes_one_iteration(void **state)
{
	static const u8 types[] = { GS_OP_ALLOC, GS_OP_MARK,   GS_OP_ALLOC,  GS_OP_KERNEL,
				    GS_OP_ALLOC, GS_OP_ALLOC,  GS_OP_KERNEL, GS_OP_FREE,
				    GS_OP_ALLOC, GS_OP_KERNEL, GS_OP_FREE,   GS_OP_FREE,
				    GS_OP_FREE };
	static const u32 ids[] = { 1, 0, 0, 0, 4, 2, 0, 4, 3, 0, 0, 2, 3 };
	static const u8 kinds[] = { GS_INPUT, GS_WEIGHT, GS_ACTIVATION, GS_GRADIENT, GS_WORKSPACE };
	static const u64 addresses[] = { 4096, 0, 12288, 16384, 20480 };
	struct gs_source *src;
	struct gs_op op;

	write_small(NULL, NULL);
	src = import(folder);
	assert_string_equal(src->job.name, "test_g10");
	assert_int_equal(src->job.nops, GS_ARRAY_SIZE(types));
	for (size_t i = 0; i < GS_ARRAY_SIZE(types); i++) {
		assert_int_equal(gs_source_next(src, &op), 1);
		assert_int_equal(op.type, types[i]);
		if (op.type == GS_OP_FREE)
			assert_int_equal(op.free.tensor, ids[i]);
		if (op.type != GS_OP_ALLOC)
			continue;
		assert_int_equal(op.alloc.tensor, ids[i]);
		assert_int_equal(op.alloc.kind, kinds[ids[i]]);
		assert_int_equal(op.alloc.va, addresses[ids[i]]);
	}
	gs_source_close(src);
}

static void kernels_have_class_phase_and_operands(void **state)
{
	struct gs_source *src;
	const struct gs_touch *t;
	struct gs_op op;

	write_small(NULL, NULL);
	src = import(folder);
	for (int k = 0; k < 3; k++) {
		do {
			assert_int_equal(gs_source_next(src, &op), 1);
		} while (op.type != GS_OP_KERNEL);
		/* thirds of a cycle are not lost: 833 + 833 + 834 ps are three cycles */
		assert_int_equal(op.kernel.duration_ps, k == 2 ? 834 : 833);
	}
	assert_string_equal(op.kernel.name, "Conv2d_Backward_Weight");
	assert_true(op.kernel.opclass == GS_CONV && op.kernel.phase == GS_BACKWARD);
	assert_int_equal(op.kernel.ntouches, 3);
	t = op.kernel.touches;
	assert_true(t[0].tensor == 0 && t[0].access == GS_READ && t[0].bytes == 8192);
	assert_true(t[1].tensor == 2 && t[1].access == (GS_READ | GS_WRITE));
	assert_true(t[2].tensor == 3 && t[2].access == GS_WRITE);
	gs_source_close(src);
}

static void files_that_contradict_each_other_are_refused(void **state)
{
	write_small("cudnn1.txt", "0000 0.000001 ms\n0001 0.100000 ms\n0002 0.000001 ms\n");
	refused("build/test_g10/cudnn1.txt:2: kernel 1 takes 0.100000 ms here and 1 cycles");
	write_small("cudnn1.txt", "0000 0.000001 ms\n0001 0.000001 ms\n");
	refused("build/test_g10/cudnn1.txt:2: ends after 2 kernels of 3");
	write_small("cudnn1.txt", "0000 0.000001 ms\n0002 0.000001 ms\n");
	refused("build/test_g10/cudnn1.txt:2: kernel 2 stands where 1 is due");
	write_small("cudnn1.txt", "hello\n");
	refused("build/test_g10/cudnn1.txt:1: this is not \"KERNEL NUMBER ms\"");
	write_small("cudnn1Workspace.txt", "0000 0 B\n0001 5000 B\n0002 0 B\n");
	refused("cudnn1Workspace.txt:2: the workspace of kernel 1 is not tensor 4");
	write_small("tensors.config",
		    "tensor0 Is weight (global)?: 0, Size in byte: 8192, Range:0--4096\n");
	refused("tensors.config:1: size and address range of tensor 0 do not agree");
	write_small("tensors.config",
		    "tensor0 Is weight (global)?: 0, Size in byte: 4096, Range:0--4096\n");
	refused("kernels.config:7: tensor 0 is another in tensors.config");
	write_small("kernels.config", "Kernel ID: 1, Name: x\n");
	refused("kernels.config:1: kernel 1 stands where 0 is due");
	write_small("kernels.config", "what is this?\n");
	refused("kernels.config:1: this is not a kernels.config");
	write_small("kernels.config", "");
	refused("kernels.config: holds no kernel");
}

static void incomplete_folders_are_refused(void **state)
{
	struct tr_writer *w;

	write_small(NULL, NULL);
	for (size_t i = 0; i < GS_ARRAY_SIZE(small); i++) {
		char *path = gs_asprintf("%s/%s", folder, small[i].name);

		unlink(path);
		refused(i == 2 ? "holds no cudnnN.txt" : small[i].name + 5);
		write_small(NULL, NULL);
		free(path);
	}
	write_file("cudnn2.txt", "");
	refused("holds several cudnnN.txt");
	said_begin();
	assert_true(tr_g10_import("build/no_such_folder", NULL, &w) < 0);
	assert_non_null(strstr(said_end(), "build/no_such_folder: No such file"));
}

/* ---- all networks at hand ---------------------------------------------- */

/* Sum of the cycles in kernels.config and of the bytes of tensors, by another way. */
static void count_by_hand(const char *dir, u64 *cycles, u64 *bytes, u64 *kernels)
{
	char *path = gs_asprintf("%s/kernels.config", dir), line[512];
	FILE *f = fopen(path, "r");
	char *at;

	assert_non_null(f);
	*cycles = *bytes = *kernels = 0;
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "Execution Time: ", 16)) {
			*cycles += strtoull(line + 16, NULL, 10);
			++*kernels;
		}
	}
	fclose(f);
	free(path);
	path = gs_asprintf("%s/tensors.config", dir);
	f = fopen(path, "r");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		at = strstr(line, "Size in byte: ");
		*bytes += at ? strtoull(at + 14, NULL, 10) : 0;
	}
	fclose(f);
	free(path);
}

static void network_is_whole(const char *dir)
{
	struct gs_source *src = import(dir);
	u64 cycles, bytes, kernels, ps = 0;
	struct gs_op op;

	count_by_hand(dir, &cycles, &bytes, &kernels);
	assert_int_equal(src->job.nkernels, kernels);
	assert_int_equal(src->job.bytes_total, bytes);
	/* addresses are dense: global tensors first, then all others */
	assert_int_equal(src->job.va_high, bytes);
	assert_int_equal(src->job.niterations, 1);
	while (gs_source_next(src, &op) == 1)
		if (op.type == GS_OP_KERNEL)
			ps += op.kernel.duration_ps;
	assert_int_equal(ps, cycles * 2500 / 3);
	gs_source_close(src);
}

static void every_network_keeps_its_sums(void **state)
{
	const char *data = getenv("GMEMSIM_DATA");
	char *g10 = gs_asprintf("%s/g10", data ? data : "../shared/data");
	DIR *d = opendir(g10);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d))) {
		char *dir = gs_asprintf("%s/%s", g10, e->d_name);
		struct stat st;

		if (*e->d_name != '.' && !stat(dir, &st) && S_ISDIR(st.st_mode)) {
			network_is_whole(dir);
			n++;
		}
		free(dir);
	}
	if (d)
		closedir(d);
	if (n)
		print_message("%d networks\n", n);
	else
		print_message("%s is absent: skipped (GMEMSIM_DATA may point to it)\n", g10);
	free(g10);
	if (!n)
		skip();
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static int clean(void **state)
{
	return nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_network_becomes_one_iteration),
		cmocka_unit_test(kernels_have_class_phase_and_operands),
		cmocka_unit_test(files_that_contradict_each_other_are_refused),
		cmocka_unit_test(incomplete_folders_are_refused),
		cmocka_unit_test(every_network_keeps_its_sums),
	};

	return cmocka_run_group_tests(tests, NULL, clean);
}
