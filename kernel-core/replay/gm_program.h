/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_program.h - what a process does with shared memory, as text
 *
 *	gmem-program 1 unit 4096 frames 700 devices 1
 *	map ADDRESS UNITS
 *	unmap ADDRESS UNITS
 *	dev DEVICE ADDRESS UNITS r|w	a device reads or writes each unit, in order
 *	cpu ADDRESS UNITS r|w		the CPU does
 *	advise DEVICE ADDRESS UNITS prefetch|free_eager|pin|unpin|willneed
 *
 * Addresses are hexadecimal and of whole units; # begins a comment.  The first
 * line tells for which module it was made: size of a unit, units of memory of each
 * device.  The test program runs it on /dev/gmem, gm_program_run() on the core
 * that it is linked with; with the module's parameter serial both have to come to
 * the same decisions.
 */
#ifndef GM_PROGRAM_H
#define GM_PROGRAM_H

#define GM_PROGRAM_HEAD "gmem-program 1 unit %llu frames %llu devices %u"

struct gm_program_head {
	unsigned long long unit, frames;
	unsigned int devices;
};

enum gm_program_what {
	GM_PROGRAM_MAP,
	GM_PROGRAM_UNMAP,
	GM_PROGRAM_DEV,
	GM_PROGRAM_CPU,
	GM_PROGRAM_ADVISE
};

struct gm_program_line {
	unsigned char what; /* enum gm_program_what */
	unsigned char write;
	unsigned char advice; /* enum gm_advice */
	int device;
	unsigned long long va, units;
};

/* [as enum gm_advice] */
#define GM_PROGRAM_ADVICE                                            \
	{                                                            \
		"prefetch", "free_eager", "pin", "unpin", "willneed" \
	}

/* The first line.  0, or -1. */
int gm_program_parse_head(const char *text, struct gm_program_head *head);
/* 1: a line; 0: nothing in it; -1: *why it is none. */
int gm_program_parse(const char *text, const struct gm_program_head *head,
		     struct gm_program_line *line, const char **why);

#endif
