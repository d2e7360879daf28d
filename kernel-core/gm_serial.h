/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * gm_serial.h - which operation is answered next where nothing runs by itself
 *
 * A host without workers keeps what the core has asked for in the order of asking,
 * and takes the next from there: the module under its parameter serial, and
 * userland when it runs the same program.
 */
#ifndef GM_SERIAL_H
#define GM_SERIAL_H

#include "gm_port.h"

/*
 * Which of @n: the first for serial 1, else any, by a splitmix64 (Steele, Lea,
 * Flood 2014) that begins with @serial.  *state is 0 before the first.
 */
static inline u64 gm_serial_pick(u64 *state, u64 serial, u64 n)
{
	u64 z, i;

	if (serial == 1)
		return 0;
	if (!*state)
		*state = serial;
	z = *state += 0x9e3779b97f4a7c15ULL;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	div64_u64_rem(z ^ (z >> 31), n, &i);
	return i;
}

#endif
