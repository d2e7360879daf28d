/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_importers.c - what importers of foreign traces are built of */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "traces/aten.h"
#include "traces/build.h"
#include "traces/et.h"
#include "traces/reprs.h"
#include "traces/test/files.h"
#include "traces/test/said.h"

static const char file[] = "build/test_importers.json", out[] = "build/test_importers.gmt";

/* ---- schemas, names, shapes ------------------------------------------------ */

static void a_schema_tells_what_is_written(void **state)
{
	static const struct {
		const char *schema;
		u64 written;
	} rows[] = {
		{ "", 0 },
		{ "aten::mm(Tensor self, Tensor mat2) -> Tensor", 0 },
		{ "aten::add_.Tensor(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> "
		  "Tensor(a!)",
		  1 },
		{ "aten::add.out(Tensor self, Tensor other, *, Scalar alpha=1, Tensor(a!) out) -> "
		  "Tensor(a!)",
		  8 },
		{ "aten::_foreach_add_.List(Tensor(a!)[] self, Tensor[] other) -> ()", 1 },
		{ "aten::view(Tensor(a) self, SymInt[] size) -> Tensor(a)", 0 },
		{ "f(int[2] a=[1, 2], Tensor(b!) x", 2 },
	};

	for (size_t i = 0; i < GS_ARRAY_SIZE(rows); i++)
		assert_int_equal(et_written(rows[i].schema), rows[i].written);
}

static void names_tell_classes_and_what_does_nothing(void **state)
{
	assert_int_equal(tr_aten_class("aten::addmm"), GS_GEMM);
	assert_int_equal(tr_aten_class("aten::convolution_backward"), GS_CONV);
	assert_int_equal(tr_aten_class("aten::_softmax_backward_data"), GS_SOFTMAX);
	assert_int_equal(tr_aten_class("volta_sgemm_64x64_tn"), GS_GEMM);
	assert_int_equal(tr_aten_class("void cudnn::bn_bw_1C11_kernel_new<float>"), GS_NORM);
	assert_int_equal(tr_aten_class("frobnicate"), GS_OTHER_CLASS);
	assert_true(tr_aten_idle("aten::view"));
	assert_true(tr_aten_idle("detach"));
	assert_true(tr_aten_idle("AddmmBackward0"));
	assert_true(tr_aten_idle("autograd::engine::evaluate_function: X"));
	assert_false(tr_aten_idle("aten::mm"));
	assert_false(tr_aten_idle("fbgemm::view"));
	assert_true(tr_aten_in_place("aten::add_"));
	assert_false(tr_aten_in_place("aten::add"));
	assert_false(tr_aten_in_place("aten::__and__"));
}

static void shapes_tell_flops_and_results(void **state)
{
	const struct tr_shape mm[] = { { { 64, 256 }, 2, GS_F32 }, { { 256, 128 }, 2, GS_F32 } };
	const struct tr_shape conv[] = { { { 8, 3, 32, 32 }, 4, GS_F32 },
					 { { 16, 3, 3, 3 }, 4, GS_F32 } };
	const struct tr_shape image = { { 8, 16, 30, 30 }, 4, GS_F32 };
	const u64 bytes[] = { 64 * 256 * 4, 256 * 128 * 4 };

	assert_int_equal(tr_aten_flops("aten::mm", mm, 2, NULL), 2 * 64 * 256 * 128);
	assert_int_equal(tr_aten_flops("aten::add", mm, 2, NULL), 0);
	assert_int_equal(tr_aten_flops("aten::conv2d", conv, 2, &image),
			 2ULL * 8 * 16 * 30 * 30 * 3 * 3 * 3);
	assert_int_equal(tr_aten_flops("aten::conv2d", conv, 2, NULL), 0);
	assert_int_equal(tr_aten_result("aten::mm", mm, bytes, 2), 64 * 128 * 4);
	assert_int_equal(tr_aten_result("aten::cat", mm, bytes, 2), bytes[0] + bytes[1]);
	assert_int_equal(tr_aten_result("aten::add", mm, bytes, 2), bytes[1]);
	assert_int_equal(tr_aten_result("aten::add_", mm, bytes, 2), 0);
}

static void the_roofline_has_a_floor(void **state)
{
	assert_int_equal(tr_aten_roofline_ps(GS_F32, 0, 0), 2000000);
	/* 60 % of 312 TFLOP/s and 80 % of 1555 GB/s */
	assert_int_equal(tr_aten_roofline_ps(GS_BF16, 187200000000000ULL, 0), 1000000000000ULL);
	assert_int_equal(tr_aten_roofline_ps(GS_BF16, 0, 1244000000000ULL), 1000000000000ULL);
	assert_true(tr_aten_roofline_ps(GS_F32, U64_MAX, U64_MAX) < 1ULL << 63);
}

/* ---- lists in texts -------------------------------------------------------- */

static u32 parse(struct tr_reprs *r, const char *s)
{
	return tr_reprs_add(r, s, strlen(s));
}

static void lists_of_python_are_trees(void **state)
{
	struct tr_reprs r;
	struct tr_tree t;
	const struct tr_value *v;
	u32 a, b;

	tr_reprs_init(&r);
	a = parse(&r, "[[4, 5, 0, 64, 4, 'cuda:0'], True, [], (1,)]");
	b = parse(&r, "['x']");
	t = tr_reprs_tree(&r);
	v = tr_reprs_root(&r, a);
	assert_int_equal(v->count, 4);
	assert_int_equal(v[1].count, 6);
	assert_int_equal(tr_number(&t, &v[5], 0), 64);
	assert_string_equal(tr_text(&t, &v[7]), "cuda:0");
	assert_string_equal(tr_text(&t, tr_reprs_root(&r, b) + 1), "x");
	for (const char *bad = "[[1, [2"; *bad; bad++)
		assert_int_equal(parse(&r, bad), U32_MAX);
	assert_null(tr_reprs_root(&r, U32_MAX));
	tr_reprs_fini(&r);
}

/* ---- JSON, an element at a time ----------------------------------------------- */

struct seen {
	char text[256];
	int stop;
};

static int element(void *arg, const char *list, const struct tr_tree *t)
{
	struct seen *s = arg;
	size_t n = strlen(s->text);

	snprintf(s->text + n, sizeof(s->text) - n, "%s:%s:%llu ", list,
		 tr_text(t, tr_member(t, t->root, "a")),
		 tr_decimal(t, tr_member(t, t->root, "us"), 1000));
	return s->stop;
}

static int member(void *arg, const char *key, const struct tr_tree *t)
{
	struct seen *s = arg;
	size_t n = strlen(s->text);

	snprintf(s->text + n, sizeof(s->text) - n, "%s=%s ", key, tr_text(t, t->root));
	return 0;
}

static int read_json(const char *text, struct seen *s)
{
	static const struct tr_json_ops ops = { element, member };
	struct tr_bytes *in;
	int ret;

	spill(file, text, strlen(text));
	in = tr_bytes_open(file);
	assert_non_null(in);
	ret = tr_json_read(in, &ops, s);
	tr_bytes_close(in);
	return ret;
}

static void elements_of_lists_come_one_by_one(void **state)
{
	struct seen s = { .stop = 0 };

	assert_int_equal(read_json("{\"v\": 3, \"l\": [{\"a\": \"x\", \"us\": 1.5}, {\"us\": 1e3}, "
				   "{\"a\": 7, \"us\": 12.3456}], \"o\": {\"l\": [1]}, \"e\": []}",
				   &s),
			 0);
	assert_string_equal(s.text, "v=3 l:x:1500 l::0 l:7:12345 o= ");
	s = (struct seen){ .stop = 0 };
	assert_int_equal(read_json("[{\"a\": 1}, [2]]", &s), 0);
	assert_string_equal(s.text, ":1:0 ::0 ");
}

static void bad_json_is_told_by_place(void **state)
{
	static const char *const rows[][2] = {
		{ "{\"l\": [{\"a\": 1}", "truncated" },
		{ "{\"l\": [}", "offset 7" },
		{ "3", "neither an object nor a list" },
		{ "", "is empty" },
	};

	for (size_t i = 0; i < GS_ARRAY_SIZE(rows); i++) {
		struct seen s = { .stop = 0 };
		const char *said;
		int ret;

		said_begin();
		ret = read_json(rows[i][0], &s);
		said = said_end();
		assert_true(ret < 0);
		if (!strstr(said, rows[i][1]))
			fail_msg("wanted '%s', got '%s'", rows[i][1], said);
	}
}

/* ---- the builder --------------------------------------------------------- */

static const char *const devices[] = { "d" };

/* Build @b and read it back: kinds of operations as letters. */
static void written(struct tr_build *b, char *to, size_t size, u64 *va)
{
	struct tr_meta meta = { .name = "n", .device_names = devices, .ndevices = 1 };
	static const char letters[] = "AFKhamp";
	struct tr_writer *w;
	struct gs_source *src;
	struct gs_op op;
	size_t n = 0, nva = 0;

	assert_int_equal(tb_write(b, out, &meta, &w), 0);
	assert_int_equal(tr_writer_finish(w), 0);
	assert_int_equal(tr_open(out, &src), 0);
	while (gs_source_next(src, &op) == 1 && n + 1 < size) {
		if (op.type == GS_OP_ALLOC)
			va[nva++] = op.alloc.va;
		to[n++] = letters[op.type];
	}
	to[n] = 0;
	gs_source_close(src);
	tb_fini(b);
}

static void tensors_live_from_first_to_last_use(void **state)
{
	struct tr_build b;
	char ops[64];
	u64 va[8];
	u32 x, y, w;

	tb_init(&b, "x");
	w = tb_buffer(&b, 0, TB_BEFORE, 0);
	x = tb_buffer(&b, 0, TB_USED, 0);
	y = tb_buffer(&b, 0, TB_USED, 0);
	tb_kernel(&b);
	tb_use(&b, w, GS_READ, 0, 100);
	tb_use(&b, x, GS_WRITE, 0, 1000);
	tb_kernel(&b);
	tb_use(&b, x, GS_READ, 0, 500);
	tb_kernel(&b);
	tb_use(&b, y, GS_WRITE, 24, 1000);
	written(&b, ops, sizeof(ops), va);
	assert_string_equal(ops, "AmAKKFAKF");
	assert_int_equal(va[1], va[2]); /* the address is used again */
	assert_true(va[0] + 100 <= va[1]);
}

static void parts_that_touch_are_one_operand(void **state)
{
	struct tr_build b;
	u32 x;

	tb_init(&b, "x");
	x = tb_buffer(&b, 0, TB_USED, 0);
	tb_kernel(&b);
	tb_use(&b, x, GS_READ, 0, 100);
	tb_use(&b, x, GS_WRITE, 100, 50);
	tb_use(&b, x, GS_READ, 200, 50);
	tb_use(&b, x, GS_READ, 300, 0);
	assert_int_equal(b.last.nuses, 2);
	assert_int_equal(b.uses[0].bytes, 150);
	assert_int_equal(b.uses[0].access, GS_READ | GS_WRITE);
	assert_int_equal(b.bufs[x].bytes, 250);
	tb_fini(&b);
}

static void names_are_made_texts(void **state)
{
	struct tr_build b;

	tb_init(&b, "x");
	assert_string_equal(tb_text(&b, tb_name(&b, "a\nb\xff\xc3\xa9")), "a b?\xc3\xa9");
	assert_int_equal(tb_name(&b, "same"), tb_name(&b, "same"));
	assert_int_equal(tb_name(&b, ""), 0);
	tb_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_schema_tells_what_is_written),
		cmocka_unit_test(names_tell_classes_and_what_does_nothing),
		cmocka_unit_test(shapes_tell_flops_and_results),
		cmocka_unit_test(the_roofline_has_a_floor),
		cmocka_unit_test(lists_of_python_are_trees),
		cmocka_unit_test(elements_of_lists_come_one_by_one),
		cmocka_unit_test(bad_json_is_told_by_place),
		cmocka_unit_test(tensors_live_from_first_to_last_use),
		cmocka_unit_test(parts_that_touch_are_one_operand),
		cmocka_unit_test(names_are_made_texts),
	};

	gs_quiet = true;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
