/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * mm_uvm_policy.c - advice (cudaMemAdvise), and where a faulted page goes
 *
 * The rules are those of the driver's choice of a residency (uvm_va_block.c),
 * in its order, for all pages of a block at once:
 *
 *   1 read-mostly: a reader gets a copy, a writer the only one
 *   2 who faults is the preferred location: there
 *   3 it thrashes and is pinned: where it is pinned
 *   4 it is nowhere: to the preferred location if that can be reached, else here
 *   5 accessed-by, and it can be reached where it is: stays (not for counters)
 *   6 the preferred location can be reached: there
 *   7 here
 */
#include "models/mm_uvm_extra.h"

/* ---- the choice ---- */

struct asked {
	struct mm_uvm *u;
	struct uvm_block *b;
	u16 who;
	enum uvm_cause cause;
	struct uvm_choice *c;
	struct gm_bitmap left; /* pages that no rule has caught yet */
};

static void send_to(struct asked *a, u16 place, struct gm_bitmap pages)
{
	pages = bits_and(&pages, &a->left);
	bits_set(uvm_chosen(a->u, a->c, place), &pages);
	bits_clear(&a->left, &pages);
}

static void mark(struct gm_bitmap *m, u32 page)
{
	m->w[page / 64] |= 1ULL << page % 64;
}

/* Of thrashing pages: some wait, some (returned, and by place) are pinned. */
static struct gm_bitmap hints(struct asked *a, struct gm_bitmap *pinned_to)
{
	const struct gm_bitmap *thrashing = uvm_thrashing(a->b);
	struct gm_bitmap pages, all = { 0 };

	if (!thrashing)
		return all;
	pages = bits_and(&a->left, thrashing);
	for (u32 i = bits_find(&pages, 0, UVM_PAGES, true); i < UVM_PAGES;
	     i = bits_find(&pages, i + 1, UVM_PAGES, true)) {
		u16 where = UVM_NOBODY;
		gs_time until = 0;
		enum uvm_hint hint = uvm_thrash_hint(a->u, a->b, i, a->who, &where, &until);

		if (hint == UVM_HINT_THROTTLE) {
			mark(&a->c->throttled, i);
			a->c->until = gs_max(a->c->until, until);
		} else if (hint == UVM_HINT_PIN) {
			mark(&all, i);
			mark(&pinned_to[where == UVM_HOST ? a->u->ndevices : where], i);
		}
	}
	bits_clear(&a->left, &a->c->throttled);
	return all;
}

static void duplicate(struct asked *a, const struct gm_bitmap *written,
		      const struct gm_bitmap *pinned)
{
	const struct uvm_extra *x = a->b->extra;
	struct gm_bitmap may = bits_andnot(&x->copied, pinned), writes;

	bits_set(&may, &x->read_mostly);
	may = bits_and(&may, &a->left);
	writes = bits_and(&may, written);
	send_to(a, a->who, writes);
	a->c->copy = bits_andnot(&may, &writes);
	bits_clear(&a->left, &may);
}

/* Pages of @among whose preferred location @who can reach. */
static void to_preferred(struct asked *a, struct gm_bitmap among)
{
	for (u32 n = 0; n <= a->u->ndevices; n++) {
		u16 place = uvm_nth_place(a->u, n);

		if (uvm_can_access(a->u, a->who, place))
			send_to(a, place, bits_and(&among, uvm_preferred(a->u, a->b, place)));
	}
}

static void stay(struct asked *a)
{
	const struct uvm_extra *x = a->b->extra;

	if (a->who == UVM_HOST || a->cause == UVM_COUNTER)
		return;
	for (u32 n = 0; n <= a->u->ndevices; n++) {
		u16 place = uvm_nth_place(a->u, a->u->ndevices - n); /* the host first */
		struct gm_bitmap there = uvm_content_at(a->b, place);

		if (uvm_can_access(a->u, a->who, place))
			send_to(a, place, bits_and(&there, &x->side[a->who].accessed_by));
	}
}

void uvm_choose(struct mm_uvm *u, struct uvm_block *b, u16 who, const struct gm_bitmap *pages,
		const struct gm_bitmap *written, enum uvm_cause cause, struct uvm_choice *c)
{
	struct asked a = { u, b, who, cause, c, *pages };
	struct gm_bitmap *pinned_to = u->chosen + u->ndevices + 1, pinned, content;

	*c = (struct uvm_choice){ .to = u->chosen };
	memset(u->chosen, 0, 2 * (u->ndevices + 1) * sizeof(*u->chosen));
	pinned = hints(&a, pinned_to);
	duplicate(&a, written, &pinned);
	send_to(&a, who, *uvm_preferred(u, b, who));
	for (u32 n = 0; n <= u->ndevices; n++)
		send_to(&a, uvm_nth_place(u, n), pinned_to[n]);
	content = uvm_content(u, b);
	to_preferred(&a, bits_andnot(&a.left, &content));
	send_to(&a, who, bits_andnot(&a.left, &content));
	stay(&a);
	to_preferred(&a, a.left);
	send_to(&a, who, a.left);
}

/* ---- advice ---- */

static void prefer(struct mm_uvm *u, struct uvm_extra *x, u16 place, const struct gm_bitmap *pages)
{
	bits_clear(&x->prefer_host, pages);
	for (u32 d = 0; d < u->ndevices; d++)
		bits_clear(&x->side[d].preferred, pages);
	if (place == UVM_HOST)
		bits_set(&x->prefer_host, pages);
	else if (place != UVM_NOBODY)
		bits_set(&x->side[place].preferred, pages);
}

static void set_block(struct mm_uvm *u, struct uvm_block *b, u16 device, u8 advice,
		      const struct gm_bitmap *pages)
{
	struct uvm_extra *x = uvm_extra_get(u, b);

	switch (advice) {
	case GS_ADV_PREFER:
		prefer(u, x, device, pages);
		break;
	case GS_ADV_PREFER_HOST:
		prefer(u, x, UVM_HOST, pages);
		break;
	case GS_ADV_UNPREFER:
		prefer(u, x, UVM_NOBODY, pages);
		break;
	case GS_ADV_ACCESSED_BY: /* mapped at once, if there is something to map */
		bits_set(&x->side[device].accessed_by, pages);
		uvm_map_far(u, b, device, pages);
		break;
	case GS_ADV_UNACCESSED_BY: /* what is mapped stays so */
		bits_clear(&x->side[device].accessed_by, pages);
		break;
	case GS_ADV_READ_MOSTLY:
		uvm_thrash_reset(u, b, pages);
		bits_set(&x->read_mostly, pages);
		break;
	case GS_ADV_UNREAD_MOSTLY:
		bits_clear(&x->read_mostly, pages);
		uvm_collapse(u, b, pages, UVM_NOBODY);
		break;
	}
}

/* Costs nothing: a call before the work, not on its way.  Ranges grow to whole pages. */
int uvm_set_policy(struct mm_uvm *u, u16 device, u8 advice, u64 va, u64 end)
{
	for (; va < end; va = (va | (UVM_BLOCK - 1)) + 1) {
		struct uvm_block *b = uvm_block_at(u, va);
		struct gm_bitmap pages = uvm_pages_touched(va, end);

		if (!b || !b->leaf)
			continue;
		pages = bits_and(&pages, &b->mapped);
		if (bits_any(&pages))
			set_block(u, b, device, advice, &pages);
	}
	return 0;
}
