/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_g10_sort.c - sorting with the order of equals that the artifact's has
 *
 * libstdc++'s std::sort: quicksort around the median of three down to 16
 * elements, heap sort below 2 log2(n) levels, one insertion sort over the whole
 * at the end.  It is not stable, and a plan goes on from the order that the round
 * before left, so another algorithm gives (slightly) other plans.
 */
#include "models/mm_g10.h"

enum { FEW = 16 };

struct order {
	bool (*before)(const void *arg, u32 a, u32 b);
	const void *arg;
};

static bool before(const struct order *o, u32 a, u32 b)
{
	return o->before(o->arg, a, b);
}

/* ---- heap sort, where quicksort degenerates --------------------------------- */

static void push_up(u32 *v, size_t hole, size_t top, u32 value, const struct order *o)
{
	while (hole > top && before(o, v[(hole - 1) / 2], value)) {
		v[hole] = v[(hole - 1) / 2];
		hole = (hole - 1) / 2;
	}
	v[hole] = value;
}

static void adjust(u32 *v, size_t hole, size_t n, u32 value, const struct order *o)
{
	size_t top = hole, child = hole;

	while (child < (n - 1) / 2) {
		child = 2 * (child + 1);
		if (before(o, v[child], v[child - 1]))
			child--;
		v[hole] = v[child];
		hole = child;
	}
	if (!(n & 1) && child == (n - 2) / 2) {
		child = 2 * (child + 1);
		v[hole] = v[child - 1];
		hole = child - 1;
	}
	push_up(v, hole, top, value, o);
}

static void heap_sort(u32 *v, size_t n, const struct order *o)
{
	for (size_t i = n / 2; i-- > 0;)
		adjust(v, i, n, v[i], o);
	while (n > 1) {
		u32 value = v[--n];

		v[n] = v[0];
		adjust(v, 0, n, value, o);
	}
}

/* ---- quicksort ---------------------------------------------------------------- */

static void median_first(u32 *v, u32 *a, u32 *b, u32 *c, const struct order *o)
{
	if (before(o, *a, *b)) {
		if (before(o, *b, *c))
			swap(*v, *b);
		else
			swap(*v, *(before(o, *a, *c) ? c : a));
	} else if (before(o, *a, *c)) {
		swap(*v, *a);
	} else {
		swap(*v, *(before(o, *b, *c) ? c : b));
	}
}

/* Elements before the pivot to the left; the pivot stands at v[0]. */
static size_t partition(u32 *v, size_t n, const struct order *o)
{
	size_t left = 1, right = n;

	median_first(v, v + 1, v + n / 2, v + n - 1, o);
	for (;;) {
		while (left < n && before(o, v[left], v[0]))
			left++;
		right--;
		while (right > 0 && before(o, v[0], v[right]))
			right--;
		if (left >= right)
			return left;
		swap(v[left], v[right]);
		left++;
	}
}

static void quick_sort(u32 *v, size_t n, unsigned int depth, const struct order *o)
{
	while (n > FEW) {
		size_t cut;

		if (!depth--) {
			heap_sort(v, n, o);
			return;
		}
		cut = partition(v, n, o);
		quick_sort(v + cut, n - cut, depth, o);
		n = cut;
	}
}

/* ---- insertion sort --------------------------------------------------------------- */

static void insert(u32 *v, size_t i, const struct order *o)
{
	u32 value = v[i];

	for (; i && before(o, value, v[i - 1]); i--)
		v[i] = v[i - 1];
	v[i] = value;
}

/* Of the first few, one that comes before the first goes straight to the front. */
static void insert_few(u32 *v, size_t i, const struct order *o)
{
	u32 value = v[i];

	if (!before(o, value, v[0])) {
		insert(v, i, o);
		return;
	}
	for (; i; i--)
		v[i] = v[i - 1];
	v[0] = value;
}

void g10_sort(u32 *v, size_t n, bool (*cmp)(const void *arg, u32 a, u32 b), const void *arg)
{
	const struct order o = { cmp, arg };

	if (n < 2)
		return;
	quick_sort(v, n, 2 * (63 - (unsigned int)__builtin_clzll(n)), &o);
	for (size_t i = 1; i < n; i++) {
		if (i < FEW)
			insert_few(v, i, &o);
		else
			insert(v, i, &o);
	}
}
