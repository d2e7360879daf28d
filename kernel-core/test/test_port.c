// SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
/*
 * test_port.c - the user port says what Linux would
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gm_port_host.h"

/* ---- memory ------------------------------------------------------------- */

static void memory_is_zeroed_and_counted(void **state)
{
	u64 live = gm_port_live(), bytes = gm_port_live_bytes(), allocs = gm_port_allocs();
	u8 *a = kzalloc(100, GFP_KERNEL), *b = kvcalloc(10, 30, GFP_KERNEL);

	for (u32 i = 0; i < 100; i++)
		assert_int_equal(a[i], 0);
	assert_int_equal(gm_port_live(), live + 2);
	assert_int_equal(gm_port_live_bytes(), bytes + 400);
	assert_int_equal(gm_port_allocs(), allocs + 2);
	assert_true(IS_ALIGNED((uintptr_t)a, 16));
	kfree(a);
	kvfree(b);
	kfree(NULL);
	kvfree(NULL);
	assert_int_equal(gm_port_live(), live);
	assert_int_equal(gm_port_live_bytes(), bytes);
}

static void kvfree_takes_both_kinds(void **state)
{
	kvfree(kcalloc(2, 8, GFP_KERNEL));
	kvfree(kvcalloc(2, 8, GFP_KERNEL));
	assert_int_equal(gm_port_live(), 0);
}

static void products_that_overflow_give_nothing(void **state)
{
	assert_null(kcalloc((size_t)1 << 33, (size_t)1 << 33, GFP_KERNEL));
	assert_null(kvcalloc((size_t)-1, 1, GFP_KERNEL)); /* with its header */
	assert_int_equal(gm_port_live(), 0);
}

static void the_nth_allocation_fails_once(void **state)
{
	void *a, *b, *c;

	gm_port_fail_nth(2);
	a = kzalloc(1, GFP_KERNEL);
	assert_false(gm_port_failed());
	b = kzalloc(1, GFP_KERNEL);
	assert_true(gm_port_failed());
	c = kzalloc(1, GFP_KERNEL);
	assert_non_null(a);
	assert_null(b);
	assert_non_null(c);
	kfree(a);
	kfree(c);
	gm_port_fail_nth(0);
	assert_false(gm_port_failed());
}

/* ---- lists -------------------------------------------------------------- */

struct item {
	char name;
	struct list_head link;
};

static const char *names(const struct list_head *head)
{
	static char text[16];
	struct item *it;
	u32 n = 0, back;

	list_for_each_entry(it, head, link)
		text[n++] = it->name;
	text[n] = 0;
	back = n;
	list_for_each_entry_reverse(it, head, link) assert_int_equal(text[--back], it->name);
	return text;
}

static void lists_keep_their_order(void **state)
{
	struct item a = { .name = 'a' }, b = { .name = 'b' }, c = { .name = 'c' },
		    d = { .name = 'd' };
	struct item *it, *tmp;
	LIST_HEAD(x);
	LIST_HEAD(y);

	list_add(&b.link, &x);
	list_add(&a.link, &x);
	list_add_tail(&c.link, &x);
	list_add_tail(&d.link, &y);
	assert_string_equal(names(&x), "abc");
	list_move(&c.link, &x);
	list_move_tail(&a.link, &x);
	assert_string_equal(names(&x), "cba");
	assert_true(list_is_first(&c.link, &x) && list_is_last(&a.link, &x));
	assert_ptr_equal(list_next_entry(&c, link), &b);
	assert_ptr_equal(list_prev_entry(&a, link), &b);
	list_splice_tail_init(&x, &y);
	assert_string_equal(names(&y), "dcba");
	assert_true(list_empty(&x));
	list_splice_tail_init(&x, &y); /* an empty one changes nothing */
	list_splice_init(&x, &y);
	assert_string_equal(names(&y), "dcba");
	list_del_init(&d.link);
	assert_true(list_empty(&d.link));
	list_add(&d.link, &x);
	assert_true(list_is_singular(&x));
	list_splice_init(&y, &x);
	assert_string_equal(names(&x), "cbad");
	list_for_each_entry_safe(it, tmp, &x, link)
		list_del(&it->link);
	assert_true(list_empty(&x));
	assert_null(list_first_entry_or_null(&x, struct item, link));
}

/* ---- arithmetic --------------------------------------------------------- */

static u32 calls;

static u32 once(u32 v)
{
	calls++;
	return v;
}

static void min_and_max_evaluate_once(void **state)
{
	u32 a = 1, b = 2;

	calls = 0;
	assert_int_equal(min(once(3), max(once(1), once(2))), 2);
	assert_int_equal(calls, 3);
	assert_int_equal(clamp(once(7), 1u, 5u), 5);
	assert_int_equal(clamp_t(int, -3, 0, 5), 0);
	assert_int_equal(min_t(u64, -1, 5), 5);
	swap(a, b);
	assert_int_equal(a, 2);
}

static void rounding_and_bits(void **state)
{
	assert_int_equal(round_up(4097ULL, 4096), 8192);
	assert_int_equal(round_up(1ULL << 40, 4096), 1ULL << 40);
	assert_int_equal(round_down((1ULL << 40) + 5, 4096), 1ULL << 40);
	assert_int_equal(ALIGN(5ULL, 4), 8);
	assert_int_equal(DIV_ROUND_UP(9, 4), 3);
	assert_int_equal(ilog2(1), 0);
	assert_int_equal(ilog2(1ULL << 63), 63);
	assert_int_equal(fls64(0), 0);
	assert_int_equal(fls64(1ULL << 40), 41);
	assert_int_equal(__ffs64(1ULL << 40), 40);
	assert_true(is_power_of_2(4096) && !is_power_of_2(0) && !is_power_of_2(3));
	assert_true(GENMASK_ULL(63, 0) == U64_MAX && GENMASK_ULL(5, 4) == 0x30);
	for (u64 x = 1, i = 0; i < 1000; i++, x = x * 6364136223846793005ULL + 1)
		assert_int_equal(hweight64(x), __builtin_popcountll(x));
}

static void error_pointers(void **state)
{
	assert_true(IS_ERR(ERR_PTR(-ENOMEM)));
	assert_int_equal(PTR_ERR(ERR_PTR(-ENOMEM)), -ENOMEM);
	assert_false(IS_ERR(&calls) || IS_ERR(NULL));
	assert_true(IS_ERR_OR_NULL(NULL));
}

/* ---- text --------------------------------------------------------------- */

static void cut_text_ends_in_zero(void **state)
{
	char buf[4];

	assert_int_equal(scnprintf(buf, sizeof(buf), "%d", 12345), 3);
	assert_string_equal(buf, "123");
	assert_int_equal(scnprintf(buf, 0, "x"), 0);
	assert_int_equal(strscpy(buf, "abc", sizeof(buf)), 3);
	assert_int_equal(strscpy(buf, "wxyz", sizeof(buf)), -E2BIG);
	assert_string_equal(buf, "wxy");
}

static char last[256];
static int last_level;

static void sink(void *arg, int level, const char *line)
{
	assert_ptr_equal(arg, last);
	strscpy(last, line, sizeof(last));
	last_level = level;
}

static bool warn_on(u32 v)
{
	return WARN_ON_ONCE(v > 1);
}

static void the_log_has_levels_and_a_sink(void **state)
{
	gm_port_set_log(sink, last, GM_PORT_INFO);
	pr_warn("unit %u\n", 7u);
	assert_string_equal(last, "unit 7");
	assert_int_equal(last_level, GM_PORT_WARN);
	pr_debug("too chatty\n");
	assert_string_equal(last, "unit 7");
	gm_port_set_log(NULL, NULL, GM_PORT_WARN);
}

static void warnings_are_logged_once_and_counted(void **state)
{
	u64 before = gm_port_warned();

	gm_port_set_log(sink, last, GM_PORT_WARN);
	assert_false(warn_on(1));
	assert_true(warn_on(2));
	assert_non_null(strstr(last, "v > 1"));
	last[0] = 0;
	assert_true(warn_on(3));
	assert_string_equal(last, "");
	assert_int_equal(gm_port_warned(), before + 2);
	gm_port_set_log(NULL, NULL, GM_PORT_WARN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_is_zeroed_and_counted),
		cmocka_unit_test(kvfree_takes_both_kinds),
		cmocka_unit_test(products_that_overflow_give_nothing),
		cmocka_unit_test(the_nth_allocation_fails_once),
		cmocka_unit_test(lists_keep_their_order),
		cmocka_unit_test(min_and_max_evaluate_once),
		cmocka_unit_test(rounding_and_bits),
		cmocka_unit_test(error_pointers),
		cmocka_unit_test(cut_text_ends_in_zero),
		cmocka_unit_test(the_log_has_levels_and_a_sink),
		cmocka_unit_test(warnings_are_logged_once_and_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
