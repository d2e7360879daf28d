/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * version.h - which program this is; only version.o knows, so that a commit
 * compiles one file
 */
#ifndef GS_VERSION_H
#define GS_VERSION_H

extern const char gs_version[]; /* "0.1.0" */
extern const char gs_commit[];	/* "1a2b3c4", "1a2b3c4-dirty", "unknown" */

#endif
