/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * fuzz_config.c - configurations: loaded, bound to all sections, swept
 *
 * One that is taken is printed, and what was printed loads back as the same.
 */
#include "sim/test/fuzz.h"

#include "sim/config_sweep.h"
#include "sim/main_setup.c"

static void print_and_load(const struct setup *s)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	struct setup again;

	gs_config_print_yaml(f, s->sections);
	fclose(f);
	fuzz_check(!setup_load(&again, fuzz_file((u8 *)text, size), NULL, 0));
	fuzz_check(setup_hash(&again) == setup_hash(s));
	setup_fini(&again);
	free(text);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct gs_grid grid;
	struct setup s;

	fuzz_listen();
	if (fuzz_good(setup_load(&s, fuzz_file(data, size), NULL, 0))) {
		if (gs_config_children(s.cfg, "sweep")) {
			fuzz_good(gs_grid_load(&grid, s.cfg, s.sections));
			gs_grid_free(&grid); /* what there is of it */
		}
		print_and_load(&s);
	}
	setup_fini(&s);
	return 0;
}
