/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * sniff.h - what a file looks like, from its first bytes
 *
 * Files are named wrongly and formats confused; a message that names the right
 * one helps more than a syntax error.
 */
#ifndef TR_SNIFF_H
#define TR_SNIFF_H

#include "sim/base.h"

enum { TR_SNIFF = 4096 }; /* bytes that are looked at */

/* Do these first bytes look like the format? */
bool tr_like_jsonl(const char *p, size_t n);
bool tr_like_kineto(const char *p, size_t n);
bool tr_like_et(const char *p, size_t n);
bool tr_like_chakra(const char *p, size_t n);
bool tr_like_nsys(const char *p, size_t n);
bool tr_like_lackey(const char *p, size_t n);

/*
 * Something that no importer reads: what it is, and why it cannot be replayed;
 * NULL when it is not known.
 */
const char *tr_like_foreign(const char *p, size_t n);

#endif
