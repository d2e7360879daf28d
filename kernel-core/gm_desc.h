/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_desc.h - rows that describe parameters and statistics
 *
 * A parameter or a counter is written down once, as a row in a table that
 * stands beside the struct it describes.  Parsing, ranges, help, the schema,
 * the echoed configuration, JSON, CSV and debugfs are all loops over such
 * rows.  The rows are plain data: this header is shared by the kernel module
 * and by the simulator and holds no code but the type checks of its macros.
 */
#ifndef GM_DESC_H
#define GM_DESC_H

#include "gm_port.h"

/* The C type of the field that a parameter row fills. */
enum gm_kind {
	GM_KIND_U64,
	GM_KIND_U32,
	GM_KIND_BOOL,
	GM_KIND_ENUM, /* u32 field, index into row->names */
	GM_KIND_STR,  /* const char * field, owned by the configuration */
	GM_KIND_REAL  /* double field; host side only, never in kernel-core */
};

/* What a number counts.  Values are held in the base unit named here. */
enum gm_unit {
	GM_NONE,   /* a bare number */
	GM_BYTES,  /* bytes:            "40 GiB", "64 KiB", "1.5 GB" */
	GM_BPS,	   /* bytes per second: "25 GB/s" */
	GM_PS,	   /* picoseconds:      "1.3 us", "400 ns" */
	GM_FLOPS,  /* operations per second: "19.5 TFLOP/s" */
	GM_PERCENT /* whole percent, 0..100 and above: "51 %" */
};

struct gm_param {
	const char *key;	  /* dotted path below the section's prefix */
	u32 offset;		  /* of the field in the section's struct */
	u8 kind;		  /* enum gm_kind */
	u8 unit;		  /* enum gm_unit */
	const char *def;	  /* default, spelt as a user would write it */
	u64 min, max;		  /* inclusive, in the base unit */
	const char *const *names; /* GM_KIND_ENUM: NULL-terminated */
	const char *help;	  /* one line, says what it does */
	const char *source;	  /* where the default is from, or "guess: ..." */
};

#define GM_FIELD_IS(s, f, type) (0 * sizeof(char[_Generic(((s *)0)->f, type : 1, default : -1)]))

#define GM_P(s, f, key_, kind_, type_, unit_, def_, min_, max_, nm_, h_, src_)                 \
	{                                                                                      \
		.key = (key_),                                                                 \
		.offset = (u32)(__builtin_offsetof(s, f) + GM_FIELD_IS(s, f, type_)),          \
		.kind = (kind_), .unit = (unit_), .def = (def_), .min = (min_), .max = (max_), \
		.names = (nm_), .help = (h_), .source = (src_)                                 \
	}

/* One row: struct, field, key, unit, default, min, max, help, source. */
#define GM_P_U64(s, f, key, unit, def, min, max, help, src) \
	GM_P(s, f, key, GM_KIND_U64, u64, unit, def, min, max, NULL, help, src)
#define GM_P_U32(s, f, key, unit, def, min, max, help, src) \
	GM_P(s, f, key, GM_KIND_U32, u32, unit, def, min, max, NULL, help, src)
#define GM_P_BOOL(s, f, key, def, help, src) \
	GM_P(s, f, key, GM_KIND_BOOL, bool, GM_NONE, def, 0, 1, NULL, help, src)
#define GM_P_ENUM(s, f, key, names, def, help, src) \
	GM_P(s, f, key, GM_KIND_ENUM, u32, GM_NONE, def, 0, 0, names, help, src)
#define GM_P_STR(s, f, key, def, help, src) \
	GM_P(s, f, key, GM_KIND_STR, const char *, GM_NONE, def, 0, 0, NULL, help, src)
#define GM_P_REAL(s, f, key, unit, def, min, max, help, src) \
	GM_P(s, f, key, GM_KIND_REAL, double, unit, def, min, max, NULL, help, src)
#define GM_P_END            \
	{                   \
		.key = NULL \
	}

enum gm_stat_kind {
	GM_STAT_COUNT, /* u64, only ever grows */
	GM_STAT_GAUGE, /* u64, a level */
	GM_STAT_RATIO  /* computed at print: num / den, both offsets */
};

struct gm_stat {
	const char *name;
	u32 offset; /* of a u64 field in the statistics struct */
	u32 den;    /* GM_STAT_RATIO: offset of the denominator */
	u8 kind;    /* enum gm_stat_kind */
	u8 unit;    /* enum gm_unit */
	const char *help;
};

#define GM_S(s, f, kind_, unit_, h_)                                                            \
	{                                                                                       \
		.name = #f, .offset = (u32)(__builtin_offsetof(s, f) + GM_FIELD_IS(s, f, u64)), \
		.kind = (kind_), .unit = (unit_), .help = (h_)                                  \
	}
#define GM_COUNT(s, f, unit, help) GM_S(s, f, GM_STAT_COUNT, unit, help)
#define GM_GAUGE(s, f, unit, help) GM_S(s, f, GM_STAT_GAUGE, unit, help)
#define GM_RATIO(s, name_, num_, den_, h_)                                                \
	{                                                                                 \
		.name = (name_),                                                          \
		.offset = (u32)(__builtin_offsetof(s, num_) + GM_FIELD_IS(s, num_, u64)), \
		.den = (u32)(__builtin_offsetof(s, den_) + GM_FIELD_IS(s, den_, u64)),    \
		.kind = GM_STAT_RATIO, .help = (h_)                                       \
	}
#define GM_STAT_END          \
	{                    \
		.name = NULL \
	}

/* Every u64 of @s has a row in @rows (which has @extra ratio rows besides). */
#define GM_STATS_COMPLETE(s, rows, extra)                                                         \
	_Static_assert(sizeof(rows) / sizeof((rows)[0]) - 1 - (extra) == sizeof(s) / sizeof(u64), \
		       "a counter without a row")

#endif
