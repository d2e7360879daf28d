/* SPDX-License-Identifier: GPL-3.0-or-later */
/* main_module.h - the parts of `gmemsim module` */
#ifndef GS_MAIN_MODULE_H
#define GS_MAIN_MODULE_H

int cmd_module_program(int argc, char **argv);

#endif
