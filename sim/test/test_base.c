/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "sim/base.h"
#include "sim/op.h"

static const char *const words[] = { "capacity", "reserve", "lru",   "clock",
				     "fifo",	 "uvm",	    "count", NULL };

static void near(const char *word, const char *expected)
{
	const char *got = gs_nearest(word, words);

	if (!expected)
		assert_null(got);
	else
		assert_string_equal(got ? got : "(none)", expected);
}

static void test_nearest_forgives_a_letter_and_a_swap(void **state)
{
	near("capcity", "capacity");
	near("capactiy", "capacity"); /* a swap is one edit */
	near("capacityy", "capacity");
	near("lur", "lru");
	near("uvn", "uvm");
	near("LRU", "lru"); /* capitals are no edit */
}

static void test_nearest_is_the_word_itself_when_it_is_known(void **state)
{
	for (size_t i = 0; words[i]; i++)
		near(words[i], words[i]);
}

static void test_nearest_of_another_word_is_none(void **state)
{
	near("zzzzzzzz", NULL);
	near("x", NULL);
	near("", NULL);
	near("bandwidth", NULL);
}

static void test_nearest_of_a_huge_word_is_none(void **state)
{
	char big[1000];

	memset(big, 'a', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	near(big, NULL);
}

static void test_nearest_of_equally_near_words_is_the_first(void **state)
{
	static const char *const two[] = { "h2d", "d2h", "p2p", NULL };

	assert_string_equal(gs_nearest("d2d", two), "h2d");
}

static void test_hash_is_xxh3_with_seed(void **state)
{
	/* published value for the empty input and seed 0 */
	assert_true(gs_hash("", 0, 0) == 0x2d06800538d394c2ULL);
	assert_true(gs_hash("abc", 3, 0) == 0x78af5f94892f3950ULL);
	assert_true(gs_hash("abc", 3, 1) != gs_hash("abc", 3, 2));
}

static void test_muldiv_has_no_overflow_in_between(void **state)
{
	assert_true(gs_muldiv(U64_MAX, 1000, 1000) == U64_MAX);
	assert_true(gs_muldiv(7, 3, 2) == 10);
	assert_true(gs_muldiv_up(7, 3, 2) == 11);
	assert_true(gs_muldiv_up(8, 3, 2) == 12);
}

static void test_utf8_refuses_what_is_none(void **state)
{
	static const char *const bad[] = { "\x80",
					   "\xc3",
					   "\xc0\x80",
					   "\xed\xa0\x80",
					   "\xf4\x90\x80\x80",
					   "\xff",
					   "\xe2\x82",
					   "\xf8\x88\x80\x80\x80" };
	u32 cp;

	for (size_t i = 0; i < GS_ARRAY_SIZE(bad); i++)
		assert_int_equal(gs_utf8(bad[i], &cp), 0);
	assert_int_equal(gs_utf8("", &cp), 0);
}

static void test_utf8_reads_each_length(void **state)
{
	u32 cp;

	assert_int_equal(gs_utf8("a", &cp), 1);
	assert_int_equal(cp, 'a');
	assert_int_equal(gs_utf8("\xc2\xb5", &cp), 2);
	assert_int_equal(cp, 0xb5);
	assert_int_equal(gs_utf8("\xe2\x82\xac", &cp), 3);
	assert_int_equal(cp, 0x20ac);
	assert_int_equal(gs_utf8("\xf0\x9f\x98\x80", &cp), 4);
	assert_int_equal(cp, 0x1f600);
}

static void test_push_room_grows_and_keeps(void **state)
{
	u32 *v = NULL;
	size_t n = 0, cap = 0;

	for (u32 i = 0; i < 1000; i++) {
		GS_PUSH_ROOM(v, n, cap);
		v[n++] = i;
	}
	for (u32 i = 0; i < 1000; i++)
		assert_int_equal(v[i], i);
	free(v);
}

/* Runs @fn in a child with stderr in @text; returns the exit code. */
static int in_child(void (*fn)(void), char *text, size_t size)
{
	int fds[2], status = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		fn();
		_exit(0);
	}
	close(fds[1]);
	n = read(fds[0], text, size - 1);
	text[n > 0 ? n : 0] = 0;
	close(fds[0]);
	assert_true(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void fail_check(void)
{
	u64 now = 1234;

	gs_clock = &now;
	gs_assert(1 + 1 == 3);
}

static void test_a_failed_check_says_where_and_when_and_exits_3(void **state)
{
	char text[512];

	assert_int_equal(in_child(fail_check, text, sizeof(text)), GS_EXIT_BUG);
	assert_non_null(strstr(text, "gmemsim: sim/test/test_base.c:"));
	assert_non_null(strstr(text, "at 1234 ps: 1 + 1 == 3\n"));
}

static void say_much(void)
{
	char big[9000];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	gs_err("%s", big);
}

static void test_a_long_message_is_one_cut_line(void **state)
{
	char text[9000];

	assert_int_equal(in_child(say_much, text, sizeof(text)), 0);
	assert_int_equal(strlen(text), 4095);
	assert_int_equal(strchr(text, '\n') - text, 4094);
}

static void inform(void)
{
	gs_quiet = true;
	gs_info("not heard");
	gs_warn("heard");
}

static void test_quiet_silences_information_but_no_warning(void **state)
{
	char text[512];

	assert_int_equal(in_child(inform, text, sizeof(text)), 0);
	assert_string_equal(text, "gmemsim: warning: heard\n");
}

static void test_asprintf_and_strdup_give_memory_of_their_own(void **state)
{
	char *a = gs_asprintf("%s %d", "seven", 7), *b = gs_strdup(a);

	assert_string_equal(a, "seven 7");
	assert_string_equal(b, a);
	assert_ptr_not_equal(a, b);
	free(a);
	free(b);
}

static void test_names_stand_at_their_enums(void **state)
{
	assert_string_equal(gs_tensor_kind_names[GS_KV_CACHE], "kv_cache");
	assert_string_equal(gs_opclass_names[GS_OPTIMIZER_STEP], "optimizer");
	assert_string_equal(gs_dtype_names[GS_BF16], "bf16");
	assert_string_equal(gs_phase_names[GS_STEP], "optimizer");
	assert_string_equal(gs_advice_names[GS_ADV_FREE_EAGER], "free_eager");
	assert_string_equal(gs_pattern_names[GS_STRIDED], "strided");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nearest_forgives_a_letter_and_a_swap),
		cmocka_unit_test(test_nearest_is_the_word_itself_when_it_is_known),
		cmocka_unit_test(test_nearest_of_another_word_is_none),
		cmocka_unit_test(test_nearest_of_a_huge_word_is_none),
		cmocka_unit_test(test_nearest_of_equally_near_words_is_the_first),
		cmocka_unit_test(test_hash_is_xxh3_with_seed),
		cmocka_unit_test(test_muldiv_has_no_overflow_in_between),
		cmocka_unit_test(test_utf8_refuses_what_is_none),
		cmocka_unit_test(test_utf8_reads_each_length),
		cmocka_unit_test(test_push_room_grows_and_keeps),
		cmocka_unit_test(test_a_failed_check_says_where_and_when_and_exits_3),
		cmocka_unit_test(test_a_long_message_is_one_cut_line),
		cmocka_unit_test(test_quiet_silences_information_but_no_warning),
		cmocka_unit_test(test_asprintf_and_strdup_give_memory_of_their_own),
		cmocka_unit_test(test_names_stand_at_their_enums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
