/* SPDX-License-Identifier: GPL-3.0-or-later */
/* jsonl.c - one line of our recorder's trace, as keys and values */
#include "traces/jsonl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "traces/buf.h"
#include "traces/check.h"

enum type { NUMBER, TEXT, TOUCHES, TEXTS };

const char *const jsonl_key_names[] = {
	[JK_EV] = "ev",
	[JK_T] = "t",
	[JK_VA] = "va",
	[JK_BYTES] = "bytes",
	[JK_KIND] = "kind",
	[JK_NAME] = "name",
	[JK_DEV] = "dev",
	[JK_STREAM] = "stream",
	[JK_CLASS] = "class",
	[JK_DTYPE] = "dtype",
	[JK_PHASE] = "phase",
	[JK_NS] = "ns",
	[JK_PS] = "ps",
	[JK_FLOPS] = "flops",
	[JK_FAULT_OUT] = "fault_out_ps",
	[JK_FAULT_ALL] = "fault_all_ps",
	[JK_TOUCH] = "touch",
	[JK_INDEX] = "index",
	[JK_OFF] = "off",
	[JK_RW] = "rw",
	[JK_ADVICE] = "advice",
	[JK_FORMAT] = "format",
	[JK_VERSION] = "version",
	[JK_FRAMEWORK] = "framework",
	[JK_SOURCE] = "source",
	[JK_RECORDED] = "recorded",
	[JK_DEVICES] = "devices",
	[JK_PAGE_HINT] = "page_hint",
	[JK_KERNELS] = "kernels",
	[JK_ITERATIONS] = "iterations",
	[JK_NR] = NULL,
};

static const u8 types[JK_NR] = {
	[JK_EV] = TEXT,	      [JK_KIND] = TEXT,	     [JK_NAME] = TEXT,	 [JK_CLASS] = TEXT,
	[JK_DTYPE] = TEXT,    [JK_PHASE] = TEXT,     [JK_RW] = TEXT,	 [JK_ADVICE] = TEXT,
	[JK_FORMAT] = TEXT,   [JK_FRAMEWORK] = TEXT, [JK_SOURCE] = TEXT, [JK_RECORDED] = TEXT,
	[JK_TOUCH] = TOUCHES, [JK_DEVICES] = TEXTS,
};

/* Where in the line the parser is. */
enum place { OUTSIDE, ROW, LIST, ITEM };

struct jsonl {
	struct tr_lines *lines;
	yajl_handle yajl;
	const char *line;
	size_t len, token_end; /* bytes of it that are done */
	enum place place;
	bool complete; /* one object was read */
	bool said;
	int err;
	enum jsonl_key key; /* whose value comes */
	struct jsonl_row row;
	struct tr_buf texts[JK_NR];
	u32 touches_cap, devices_cap;
	u32 item; /* position in a touch */
};

/* [tensor, off, bytes, "rw", "pattern", stride, share] */
enum {
	ITEM_TENSOR,
	ITEM_OFF,
	ITEM_BYTES,
	ITEM_RW,
	ITEM_NEEDED,
	ITEM_PATTERN = ITEM_NEEDED,
	ITEM_STRIDE,
	ITEM_SHARE,
	ITEM_NR
};

/* ---- messages --------------------------------------------------------- */

int jsonl_err(const struct jsonl *j, size_t column, const char *fmt, ...)
{
	char what[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	gs_err("%s:%llu:%zu: %s", tr_lines_path(j->lines), tr_lines_number(j->lines), column, what);
	return -EINVAL;
}

int jsonl_word(const struct jsonl *j, size_t column, const char *word, const char *const *names,
	       const char *what)
{
	const char *near;

	for (int i = 0; names[i]; i++)
		if (!strcmp(word, names[i]))
			return i;
	near = gs_nearest(word, names);
	return jsonl_err(j, column, "unknown %s '%s'%s%s%s", what, word,
			 near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* Column of the token that has just ended; the next one begins behind it. */
static size_t column(struct jsonl *j)
{
	size_t at = j->token_end;

	while (at < j->len && strchr(" \t\r,:", j->line[at]))
		at++;
	j->token_end = yajl_get_bytes_consumed(j->yajl);
	return at + 1;
}

/* Stop parsing: the message is out. */
static int stop(struct jsonl *j)
{
	j->said = true;
	return 0;
}

static int unexpected(struct jsonl *j, const char *what)
{
	jsonl_err(j, column(j), "%s is not expected here", what);
	return stop(j);
}

/* ---- the parser's callbacks: 1 go on, 0 stop ---------------------------- */

static int on_touch_number(struct jsonl *j, u64 v, size_t col)
{
	struct gs_touch *t = &j->row.touches[j->row.ntouches - 1];

	if (j->item == ITEM_TENSOR && v < U32_MAX)
		t->tensor = (u32)v;
	else if (j->item == ITEM_OFF)
		t->off = v;
	else if (j->item == ITEM_BYTES)
		t->bytes = v;
	else if (j->item == ITEM_STRIDE)
		t->stride = v;
	else if (j->item == ITEM_SHARE && v <= U16_MAX)
		t->share = (u16)v;
	else {
		jsonl_err(j, col,
			  "a touch is [tensor, offset, bytes, \"r|w|rw\", \"pattern\", "
			  "stride, share]");
		return stop(j);
	}
	j->item++;
	return 1;
}

static int on_touch_text(struct jsonl *j, const char *s, size_t col)
{
	struct gs_touch *t = &j->row.touches[j->row.ntouches - 1];
	int pattern;

	if (j->item == ITEM_RW) {
		t->access = jsonl_access(s);
		if (!t->access)
			jsonl_err(j, col, "'%s' is not \"r\", \"w\" or \"rw\"", s);
	} else if (j->item == ITEM_PATTERN) {
		pattern = jsonl_word(j, col, s, gs_pattern_names, "pattern");
		if (pattern < 0)
			return stop(j);
		t->pattern = (u8)pattern;
	} else {
		jsonl_err(j, col, "a number is due here, not a text");
		return stop(j);
	}
	j->item++;
	return t->access ? 1 : stop(j);
}

/* Whole numbers up to 2^64 - 1: addresses need all bits. */
static int on_number(void *arg, const char *s, size_t len)
{
	struct jsonl *j = arg;
	size_t col = column(j);
	u64 v = 0;

	for (size_t i = 0; i < len; i++) {
		u64 digit = (u64)(s[i] - '0');

		if (s[i] < '0' || s[i] > '9' || v > (U64_MAX - digit) / 10) {
			jsonl_err(j, col, "%.*s is not a whole number below 2^64", (int)len, s);
			return stop(j);
		}
		v = 10 * v + digit;
	}
	if (j->place == ITEM)
		return on_touch_number(j, v, col);
	if (j->place != ROW || types[j->key] != NUMBER) {
		jsonl_err(j, col, "a number is not expected here");
		return stop(j);
	}
	j->row.number[j->key] = v;
	j->row.column[j->key] = col;
	return 1;
}

static void add_device(struct jsonl *j, const char *name)
{
	GS_PUSH_ROOM(j->row.devices, j->row.ndevices, j->devices_cap);
	j->row.devices[j->row.ndevices++] = gs_strdup(name);
}

static int on_text(void *arg, const unsigned char *s, size_t len)
{
	struct jsonl *j = arg;
	size_t col = column(j);
	struct tr_buf *b = &j->texts[j->key];

	if (!tr_check_name((const char *)s, len)) {
		jsonl_err(j, col, "a text with control characters, or of more than %d bytes",
			  TR_MAX_NAME);
		return stop(j);
	}
	b->n = 0;
	tr_put_bytes(b, s, len);
	tr_put_u8(b, 0);
	if (j->place == ITEM)
		return on_touch_text(j, (char *)b->p, col);
	if (j->place == LIST && types[j->key] == TEXTS) {
		add_device(j, (char *)b->p);
		return 1;
	}
	if (j->place != ROW || types[j->key] != TEXT) {
		jsonl_err(j, col, "a text is not expected here");
		return stop(j);
	}
	j->row.text[j->key] = (char *)b->p;
	j->row.column[j->key] = col;
	return 1;
}

static int on_key(void *arg, const unsigned char *s, size_t len)
{
	struct jsonl *j = arg;
	size_t col = column(j);
	char name[64];
	int key;

	snprintf(name, sizeof(name), "%.*s", (int)gs_min(len, 63), (const char *)s);
	key = jsonl_word(j, col, name, jsonl_key_names, "key");
	if (key < 0)
		return stop(j);
	j->key = (enum jsonl_key)key;
	if (jsonl_has(&j->row, j->key)) {
		jsonl_err(j, col, "key '%s' comes twice", name);
		return stop(j);
	}
	j->row.seen |= 1ULL << key;
	return 1;
}

static int on_object(void *arg)
{
	struct jsonl *j = arg;

	if (j->place != OUTSIDE || j->complete)
		return unexpected(j, "an object");
	column(j);
	j->place = ROW;
	return 1;
}

static int on_object_end(void *arg)
{
	struct jsonl *j = arg;

	column(j);
	j->place = OUTSIDE;
	j->complete = true;
	return 1;
}

static int on_array(void *arg)
{
	struct jsonl *j = arg;

	if (j->place == ROW && types[j->key] >= TOUCHES) {
		j->row.column[j->key] = column(j);
		j->place = LIST;
		return 1;
	}
	if (j->place != LIST || types[j->key] != TOUCHES)
		return unexpected(j, "an array");
	column(j);
	j->place = ITEM;
	j->item = 0;
	GS_PUSH_ROOM(j->row.touches, j->row.ntouches, j->touches_cap);
	j->row.touches[j->row.ntouches++] = (struct gs_touch){ 0 };
	return 1;
}

static int on_array_end(void *arg)
{
	struct jsonl *j = arg;
	size_t col = column(j);

	if (j->place == ITEM && j->item < ITEM_NEEDED) {
		jsonl_err(j, col,
			  "a touch is [tensor, offset, bytes, \"r|w|rw\", \"pattern\", "
			  "stride, share]");
		return stop(j);
	}
	/* an operand without bytes (an empty tensor) is no operand */
	if (j->place == ITEM && !j->row.touches[j->row.ntouches - 1].bytes)
		j->row.ntouches--;
	j->place = j->place == ITEM ? LIST : ROW;
	return 1;
}

static int on_null(void *arg)
{
	return unexpected(arg, "null");
}

static int on_bool(void *arg, int value)
{
	return unexpected(arg, value ? "true" : "false");
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_bool,
	.yajl_number = on_number,
	.yajl_string = on_text,
	.yajl_start_map = on_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_object_end,
	.yajl_start_array = on_array,
	.yajl_end_array = on_array_end,
};

/* ---- lines ------------------------------------------------------------ */

struct jsonl *jsonl_new(struct tr_lines *lines)
{
	struct jsonl *j = gs_calloc(1, sizeof(*j));

	j->lines = lines;
	j->yajl = yajl_alloc(&callbacks, NULL, j);
	gs_assert(j->yajl);
	yajl_config(j->yajl, yajl_allow_multiple_values, 1);
	return j;
}

static void clear_devices(struct jsonl *j)
{
	while (j->row.ndevices)
		free(j->row.devices[--j->row.ndevices]);
}

void jsonl_free(struct jsonl *j)
{
	if (!j)
		return;
	clear_devices(j);
	free(j->row.devices);
	free(j->row.touches);
	for (int k = 0; k < JK_NR; k++)
		tr_buf_fini(&j->texts[k]);
	yajl_free(j->yajl);
	free(j);
}

static void row_begin(struct jsonl *j)
{
	clear_devices(j);
	j->row.seen = 0;
	j->row.ntouches = 0;
	memset(j->row.number, 0, sizeof(j->row.number));
	memset(j->row.column, 0, sizeof(j->row.column));
	for (int k = 0; k < JK_NR; k++)
		j->row.text[k] = "";
	j->token_end = 0;
	j->complete = false;
}

/* What yajl has against the line, without the name of the kind of error. */
static int syntax_error(struct jsonl *j)
{
	u8 *text = yajl_get_error(j->yajl, 0, (const u8 *)j->line, j->len);
	size_t at = yajl_get_bytes_consumed(j->yajl);
	int ret;

	text[strcspn((char *)text, "\n")] = 0;
	ret = jsonl_err(j, at ? at : 1, "%s", (char *)text);
	yajl_free_error(j->yajl, text);
	return ret;
}

static int parse(struct jsonl *j)
{
	yajl_status status;

	row_begin(j);
	status = yajl_parse(j->yajl, (const u8 *)j->line, j->len);
	if (j->said)
		return -EINVAL;
	if (status != yajl_status_ok)
		return syntax_error(j);
	if (!j->complete || j->place != OUTSIDE)
		return jsonl_err(j, j->len + 1, "the line ends before its object does");
	return 1;
}

int jsonl_next(struct jsonl *j, const struct jsonl_row **row)
{
	char *line;
	int ret;

	if (j->err)
		return j->err;
	do {
		ret = tr_lines_next(j->lines, &line, &j->len);
		j->line = line;
	} while (ret == 1 && !line[strspn(line, " \t\r")] && strlen(line) == j->len);
	if (ret == 1)
		ret = parse(j);
	if (ret < 0)
		j->err = ret;
	*row = &j->row;
	return ret;
}

u8 jsonl_access(const char *s)
{
	return !strcmp(s, "r")	  ? GS_READ
	       : !strcmp(s, "w")  ? GS_WRITE
	       : !strcmp(s, "rw") ? GS_READ | GS_WRITE
				  : 0;
}
