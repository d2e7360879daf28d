/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_spill.c - a table comes back sorted and whole, however little of it memory holds */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "traces/spill.h"
#include "traces/test/ops.h"

struct row {
	u32 key, seq;
	u8 more[13]; /* a size that divides nothing */
};

static int by_key(const void *x, const void *y)
{
	const struct row *a = x, *b = y;

	return a->key < b->key ? -1 : a->key > b->key;
}

static void put_rows(struct tr_spill *s, u32 n, u32 keys, struct ops *o)
{
	for (u32 i = 0; i < n; i++) {
		struct row r = { .key = (u32)ops_random(o, keys), .seq = i };

		r.more[12] = (u8)(r.key + i);
		tr_spill_put(s, &r);
	}
}

/* All rows, each once, by key where @sorted and then as they came. */
static void check_rows(struct tr_spill *s, u32 n, bool sorted)
{
	u8 *seen = gs_calloc(n + 1, 1);
	struct row last = { 0 };
	const struct row *r;
	u32 rows = 0;

	tr_spill_rewind(s);
	for (; (r = tr_spill_next(s)); rows++) {
		assert_true(r->seq < n && !seen[r->seq]++);
		assert_int_equal(r->more[12], (u8)(r->key + r->seq));
		if (rows && sorted)
			assert_true(last.key <= r->key);
		if (rows && (!sorted || last.key == r->key))
			assert_true(last.seq < r->seq);
		last = *r;
	}
	assert_null(tr_spill_next(s));
	assert_int_equal(rows, n);
	assert_int_equal(tr_spill_count(s), n);
	assert_int_equal(tr_spill_err(s), 0);
	free(seen);
}

static void rows_come_in_order_and_equal_ones_as_they_came(void **state)
{
	static const u32 counts[] = { 0, 1, 2, 3, 63, 64, 65, 127, 128, 129, 1000, 20000 };
	static const size_t memories[] = { 1, 100, 64 * sizeof(struct row), 5000, 1 << 20 };
	struct ops o = { .state = 1 };

	for (u32 i = 0; i < GS_ARRAY_SIZE(counts); i++) {
		for (u32 m = 0; m < 2 * GS_ARRAY_SIZE(memories); m++) {
			struct tr_spill *s = tr_spill_new(sizeof(struct row), m & 1 ? by_key : NULL,
							  memories[m / 2]);

			put_rows(s, counts[i], m & 2 ? 7 : 1 << 30, &o);
			check_rows(s, counts[i], m & 1);
			check_rows(s, counts[i], m & 1); /* and again */
			tr_spill_free(s);
		}
	}
}

/* A file may not grow: said once, nothing comes back, the rest is harmless. */
static void a_full_disk_is_an_error_that_stays(void **state)
{
	struct rlimit was, none = { 4096, 4096 };
	struct tr_spill *s = tr_spill_new(sizeof(struct row), by_key, 1 << 12);
	struct ops o = { .state = 2 };

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	none.rlim_max = was.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	put_rows(s, 10000, 100, &o);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(tr_spill_err(s), -EIO);
	put_rows(s, 10, 100, &o);
	tr_spill_rewind(s);
	assert_null(tr_spill_next(s));
	assert_int_equal(tr_spill_err(s), -EIO);
	tr_spill_free(s);
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
	struct tr_spill *s = tr_spill_new(sizeof(struct row), NULL, 1);
	struct ops o = { .state = 3 };
	char *was = getenv("TMPDIR") ? gs_strdup(getenv("TMPDIR")) : NULL;

	setenv("TMPDIR", "/nowhere", 1);
	put_rows(s, 2, 100, &o);
	assert_int_equal(tr_spill_err(s), 0);
	put_rows(s, 1, 100, &o);
	assert_int_equal(tr_spill_err(s), -EIO);
	if (was)
		setenv("TMPDIR", was, 1);
	else
		unsetenv("TMPDIR");
	free(was);
	tr_spill_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_come_in_order_and_equal_ones_as_they_came),
		cmocka_unit_test(a_full_disk_is_an_error_that_stays),
		cmocka_unit_test(a_folder_that_is_not_there_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
