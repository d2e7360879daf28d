/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * json.h - a small JSON writer
 *
 * Commas, nesting and escapes are kept right by the writer; output is
 * byte-identical everywhere (integers as integers, reals with %.9g).  Nests
 * at most 64 deep.
 */
#ifndef GS_JSON_H
#define GS_JSON_H

#include "sim/base.h"

struct gs_json {
	FILE *f;
	int depth;
	bool first;  /* nothing written at this depth yet */
	bool pretty; /* new line and indent for each member */
	u64 arrays;  /* bit d: what is open at depth d + 1 is an array */
};

void gs_json_init(struct gs_json *j, FILE *f, bool pretty);
/* @key is NULL inside arrays and for the outermost value. */
void gs_json_object(struct gs_json *j, const char *key);
void gs_json_array(struct gs_json *j, const char *key);
void gs_json_end(struct gs_json *j);	   /* closes the innermost of both */
void gs_json_end_array(struct gs_json *j); /* the same; it is an array */
void gs_json_u64(struct gs_json *j, const char *key, u64 v);
void gs_json_real(struct gs_json *j, const char *key, double v);
void gs_json_bool(struct gs_json *j, const char *key, bool v);
void gs_json_str(struct gs_json *j, const char *key, const char *v);

/* All rows of one statistics struct as members of an object @key. */
void gs_json_stats(struct gs_json *j, const char *key, const struct gm_stat *rows, const void *obj);

#endif
