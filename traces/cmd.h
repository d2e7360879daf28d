/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * cmd.h - the commands `gmemsim trace ...`
 *
 * Each takes its own name as argv[0] and returns the exit code of the program.
 */
#ifndef TR_CMD_H
#define TR_CMD_H

#include "sim/op.h"

/* The dispatcher; argv[0] is "trace". */
int tr_cmd(int argc, char **argv);

int tr_cmd_info(int argc, char **argv);
int tr_cmd_cut(int argc, char **argv);
int tr_cmd_merge(int argc, char **argv);
int tr_cmd_diff(int argc, char **argv);
int tr_cmd_stat(int argc, char **argv);
int tr_cmd_cat(int argc, char **argv);
int tr_cmd_verify(int argc, char **argv);
int tr_cmd_import(int argc, char **argv);
int tr_cmd_gen(int argc, char **argv);

/* One operation as a line on stdout, for people. */
void tr_print_op(const struct gs_op *op);

/* Say "trace NAME: ..." and how NAME is used, on stderr; GS_EXIT_USER. */
int tr_cmd_usage(const char *name, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* An option that getopt did not know, or --help: prints, and gives the exit code. */
int tr_cmd_option(const char *name, int opt, char **argv);
/* The exit code for an error that was said. */
int tr_cmd_code(int err);

#endif
