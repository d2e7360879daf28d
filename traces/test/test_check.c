/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_check.c - operations that make no sense are found, whoever brings them */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "traces/check.h"
#include "traces/test/ops.h"
#include "traces/test/said.h"

static struct tr_check check;

static int begin(void **state)
{
	tr_check_init(&check, 2);
	return 0;
}

static int end(void **state)
{
	tr_check_fini(&check);
	return 0;
}

static struct gs_op alloc_op(u32 tensor, u64 bytes)
{
	struct gs_op op = { .type = GS_OP_ALLOC };

	op.alloc.tensor = tensor;
	op.alloc.bytes = bytes;
	op.alloc.name = "";
	return op;
}

static struct gs_op free_op(u32 tensor)
{
	struct gs_op op = { .type = GS_OP_FREE };

	op.free.tensor = tensor;
	return op;
}

static struct gs_op kernel_op(const struct gs_touch *touches, u32 n)
{
	struct gs_op op = { .type = GS_OP_KERNEL };

	op.kernel.name = "k";
	op.kernel.ntouches = n;
	op.kernel.touches = touches;
	return op;
}

static void accept_op(struct gs_op op)
{
	if (tr_check_op(&check, &op))
		fail_msg("refused: %s", check.why);
}

static void refuse_op(struct gs_op op, const char *words)
{
	assert_int_equal(tr_check_op(&check, &op), -EINVAL);
	if (!strstr(check.why, words))
		fail_msg("wanted '%s', got '%s'", words, check.why);
}

static void a_tensor_lives_once(void **state)
{
	refuse_op(free_op(0), "tensor 0 is used before it is allocated");
	accept_op(alloc_op(0, 10));
	refuse_op(alloc_op(0, 10), "tensor 0 is allocated twice");
	accept_op(free_op(0));
	refuse_op(free_op(0), "tensor 0 is used after it was freed");
	refuse_op(alloc_op(0, 10), "tensor 0 is allocated twice");
	refuse_op(alloc_op(4000000000U, 10), "ids must be dense");
	accept_op(alloc_op(2, 1));
	assert_int_equal(tr_check_end(&check), -EINVAL);
	assert_non_null(strstr(check.why, "tensor 1 is never allocated"));
	accept_op(alloc_op(1, 1));
	assert_int_equal(tr_check_end(&check), 0);
}

static void the_dead_are_remembered_in_little_memory(void **state)
{
	struct gs_touch t = { .tensor = 5, .access = GS_READ, .bytes = 1 };

	for (u32 i = 0; i < 100000; i++) {
		accept_op(alloc_op(i, 10));
		accept_op(free_op(i));
	}
	refuse_op(kernel_op(&t, 1), "tensor 5 is used after it was freed");
	refuse_op(alloc_op(99, 1), "tensor 99 is allocated twice");
	assert_int_equal(check.job.bytes_peak, 10);
	assert_int_equal(check.job.bytes_total, 1000000);
	assert_int_equal(check.job.ntensors, 100000);
}

static void accesses_stay_inside_their_tensor(void **state)
{
	static const struct gs_touch good[] = {
		{ .tensor = 0, .access = GS_READ, .bytes = 10 },
		{ .tensor = 0, .access = GS_WRITE, .off = 9, .bytes = 1 },
	};
	static const struct {
		struct gs_touch t;
		const char *words;
	} bad[] = {
		{ { .access = GS_READ, .bytes = 11 }, "11 bytes at 0 are outside tensor 0" },
		{ { .access = GS_READ, .off = 10, .bytes = 1 }, "outside" },
		{ { .access = GS_READ, .off = U64_MAX, .bytes = 2 }, "outside" },
		{ { .access = GS_READ }, "no bytes" },
		{ { .access = 0, .bytes = 1 }, "access 0" },
		{ { .access = 4, .bytes = 1 }, "access 4" },
		{ { .access = GS_READ, .pattern = 9, .bytes = 1 }, "pattern 9 is unknown" },
		{ { .tensor = 7, .access = GS_READ, .bytes = 1 }, "tensor 7 is used before" },
	};

	accept_op(alloc_op(0, 10));
	accept_op(kernel_op(good, 2));
	for (size_t i = 0; i < GS_ARRAY_SIZE(bad); i++)
		refuse_op(kernel_op(&bad[i].t, 1), bad[i].words);
	refuse_op(kernel_op(good, TR_MAX_TOUCHES + 1), "a kernel with 262145 operands");
}

static void words_and_devices_exist(void **state)
{
	struct gs_op op = alloc_op(0, 1);

	op.device = 2;
	refuse_op(op, "device 2 does not exist");
	op = alloc_op(0, 1);
	op.alloc.kind = GS_NR_TENSOR_KINDS;
	refuse_op(op, "tensor kind 8 is unknown");
	op = kernel_op(NULL, 0);
	op.device = 9;
	refuse_op(op, "device 9");
	op = kernel_op(NULL, 0);
	op.kernel.opclass = 200;
	refuse_op(op, "operator class 200");
	op = kernel_op(NULL, 0);
	op.kernel.dtype = 200;
	refuse_op(op, "element type 200");
	op = kernel_op(NULL, 0);
	op.kernel.phase = 200;
	refuse_op(op, "phase 200");
	op.type = 200;
	refuse_op(op, "operation 200 is unknown");
}

static void sums_do_not_overflow(void **state)
{
	struct gs_op op = kernel_op(NULL, 0);

	op.kernel.duration_ps = 1ULL << 63;
	refuse_op(op, "213 days");
	op.kernel.duration_ps--;
	accept_op(op);
	accept_op(op);
	refuse_op(op, "213 days");
	accept_op(alloc_op(0, 1ULL << 63));
	refuse_op(alloc_op(1, 1ULL << 63), "2^64 bytes");
	op = alloc_op(1, 2);
	op.alloc.va = U64_MAX;
	refuse_op(op, "pass the end of memory");
}

static struct gs_op segment_op(u8 type, u16 device, u64 va, u64 bytes)
{
	struct gs_op op = { .type = type, .device = device };

	op.segment.va = va;
	op.segment.bytes = bytes;
	return op;
}

static void segments_do_not_overlap(void **state)
{
	enum { MAP = GS_OP_SEGMENT_ALLOC, UNMAP = GS_OP_SEGMENT_FREE };

	accept_op(segment_op(MAP, 0, 1000, 100));
	refuse_op(segment_op(MAP, 0, 1099, 100), "some of it is mapped already");
	refuse_op(segment_op(MAP, 1, 901, 100), "some of it is mapped already");
	refuse_op(segment_op(MAP, 2, 5000, 100), "device 2 does not exist");
	refuse_op(segment_op(MAP, 0, 5000, 0), "it has no bytes");
	refuse_op(segment_op(MAP, 0, U64_MAX, 2), "it passes the end of memory");
	accept_op(segment_op(MAP, 0, 1100, 100)); /* beside the first */
	accept_op(segment_op(MAP, 1, 1200, 100));
	refuse_op(segment_op(UNMAP, 0, 1200, 100), "not all of it is mapped on this device");
	refuse_op(segment_op(UNMAP, 0, 1150, 100), "not all of it is mapped on this device");
	accept_op(segment_op(UNMAP, 0, 1050, 100)); /* a part of two */
	refuse_op(segment_op(UNMAP, 0, 1050, 1), "not all of it is mapped on this device");
	accept_op(segment_op(MAP, 1, 1050, 100));
	assert_int_equal(check.job.bytes_reserved, 300);
	assert_true(check.job.segments_low == 1000 && check.job.segments_high == 1300);
	assert_true(!check.job.va_low && !check.job.va_high);
}

static void what_is_unmapped_holds_no_tensor(void **state)
{
	struct gs_op op = alloc_op(0, 10);

	op.alloc.va = 95;
	accept_op(op);
	accept_op(segment_op(GS_OP_SEGMENT_ALLOC, 0, 0, 1000));
	accept_op(segment_op(GS_OP_SEGMENT_FREE, 0, 105, 895));
	accept_op(segment_op(GS_OP_SEGMENT_FREE, 0, 0, 95));
	refuse_op(segment_op(GS_OP_SEGMENT_FREE, 0, 104, 1), "tensor 0 lives in it");
	accept_op(free_op(0));
	accept_op(segment_op(GS_OP_SEGMENT_FREE, 0, 95, 9));
}

static void iterations_count_from_zero(void **state)
{
	struct gs_op op = { .type = GS_OP_MARK };

	op.mark.iteration = true;
	op.mark.name = "iteration";
	op.mark.number = 1;
	refuse_op(op, "iteration 1 begins where 0 is due");
	op.mark.number = 0;
	accept_op(op);
	refuse_op(op, "iteration 0 begins where 1 is due");
}

static void names_are_text(void **state)
{
	assert_true(tr_check_name("", 0));
	assert_true(tr_check_name("h.0 \xc3\xa9", 6));
	assert_false(tr_check_name("a\nb", 3));
	assert_false(tr_check_name("a\0b", 3));
	assert_false(tr_check_name("\x7f", 1));
	assert_false(tr_check_name("\xc3\xa9", 1)); /* cut in the middle of a character */
	assert_false(tr_check_name("\xff", 1));
}

/* ---- a source that is wrong -------------------------------------------- */

struct list {
	struct gs_source base;
	struct gs_op ops[8];
	u64 n, at;
};

static int list_next(struct gs_source *src, struct gs_op *op)
{
	struct list *l = gs_container_of(src, struct list, base);

	if (l->at == l->n)
		return 0;
	*op = l->ops[l->at];
	op->index = l->at++;
	op->where = 1000 + op->index;
	return 1;
}

static int list_seek(struct gs_source *src, u32 n)
{
	struct list *l = gs_container_of(src, struct list, base);

	l->at = n == GS_REWIND ? 0 : n; /* every operation is a mark in these tests */
	return 0;
}

static void list_close(struct gs_source *src) {}

static const struct gs_source_ops list_ops = {
	.name = "list",
	.next = list_next,
	.seek = list_seek,
	.close = list_close,
};

static void a_faulty_source_is_told_by_place(void **state)
{
	struct list l = { .base = { .ops = &list_ops, .job = { .ndevices = 1 } }, .n = 2 };
	struct gs_source *src;
	struct gs_op op;

	l.ops[0] = alloc_op(0, 4);
	l.ops[1] = free_op(1);
	src = tr_checked(&l.base, "x.gmt");
	assert_int_equal(gs_source_next(src, &op), 1);
	said_begin();
	assert_int_equal(gs_source_next(src, &op), -EINVAL);
	assert_string_equal(said_end(), "gmemsim: x.gmt: offset 1001: operation 1: tensor 1 is "
					"used before it is allocated\n");
	assert_int_equal(gs_source_next(src, &op), -EINVAL);
	gs_source_close(src);
}

static void totals_must_be_those_of_the_operations(void **state)
{
	struct list l = { .base = { .ops = &list_ops, .job = { .ndevices = 1 } }, .n = 1 };
	struct gs_source *src;
	struct gs_op op;

	l.ops[0] = kernel_op(NULL, 0);
	l.base.job.nkernels = 2;
	src = tr_checked(&l.base, "x.gmt");
	assert_int_equal(gs_source_next(src, &op), 1);
	said_begin();
	assert_int_equal(gs_source_next(src, &op), -EINVAL);
	assert_non_null(strstr(said_end(), "the totals are not those of the operations"));
	gs_source_close(src);
}

static void seeking_skips_no_check(void **state)
{
	struct list l = { .base = { .ops = &list_ops, .job = { .ndevices = 1 } }, .n = 3 };
	struct gs_source *src;
	struct gs_op op;

	for (u32 i = 0; i < 3; i++) {
		l.ops[i] = (struct gs_op){ .type = GS_OP_MARK };
		l.ops[i].mark.iteration = true;
		l.ops[i].mark.number = i == 1 ? 7 : i;
		l.ops[i].mark.name = "iteration";
	}
	l.base.job.niterations = 3;
	src = tr_checked(&l.base, "x.gmt");
	said_begin();
	assert_int_equal(gs_source_seek(src, 2), -EINVAL);
	assert_non_null(strstr(said_end(), "iteration 7 begins where 1 is due"));
	assert_int_equal(gs_source_next(src, &op), -EINVAL);
	gs_source_close(src);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_tensor_lives_once, begin, end),
		cmocka_unit_test_setup_teardown(the_dead_are_remembered_in_little_memory, begin,
						end),
		cmocka_unit_test_setup_teardown(accesses_stay_inside_their_tensor, begin, end),
		cmocka_unit_test_setup_teardown(words_and_devices_exist, begin, end),
		cmocka_unit_test_setup_teardown(sums_do_not_overflow, begin, end),
		cmocka_unit_test_setup_teardown(segments_do_not_overlap, begin, end),
		cmocka_unit_test_setup_teardown(what_is_unmapped_holds_no_tensor, begin, end),
		cmocka_unit_test_setup_teardown(iterations_count_from_zero, begin, end),
		cmocka_unit_test(names_are_text),
		cmocka_unit_test(a_faulty_source_is_told_by_place),
		cmocka_unit_test(totals_must_be_those_of_the_operations),
		cmocka_unit_test(seeking_skips_no_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
