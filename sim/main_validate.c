/* SPDX-License-Identifier: GPL-3.0-or-later */
/* main_validate.c - `gmemsim validate`: what was measured or published, and ours */
#include "sim/main_a100.h"
#include "sim/main_points.h"

#include <getopt.h>
#include <string.h>

static const struct option longs[] = {
	{ "fitted", no_argument, NULL, 'f' },
	{ "output", required_argument, NULL, 'o' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

int cmd_validate(int argc, char **argv)
{
	const char *csv = NULL, *what;
	bool fitted = false;
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "o:h", longs, NULL)) != -1) {
		if (c == 'f') {
			fitted = true;
		} else if (c == 'o') {
			csv = optarg;
		} else {
			main_help(c == 'h' ? stdout : stderr, "validate");
			return c == 'h' ? GS_EXIT_OK : GS_EXIT_USER;
		}
	}
	what = optind < argc ? argv[optind++] : "";
	if (!strcmp(what, "points"))
		return validate_points(argv + optind, argc - optind, csv);
	if (!strcmp(what, "a100"))
		return validate_a100(argv[optind], fitted, csv);
	gs_err("validate: name what to compare with: a100 or points");
	return GS_EXIT_USER;
}
