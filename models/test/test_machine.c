/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "models/test/rig.h"

#include <glob.h>

static void load(const char *path, struct gs_machine *m)
{
	struct gs_section sections[] = { { "device", hw_device_rows, &m->device },
					 { "host", hw_host_rows, &m->host },
					 { "link", hw_link_rows, &m->link },
					 { "peer_link", hw_peer_rows, &m->peer },
					 { NULL, NULL, NULL } };
	struct gs_config *cfg = gs_config_new();

	memset(m, 0, sizeof(*m));
	assert_int_equal(gs_config_load(cfg, path), 0);
	assert_int_equal(gs_config_bind(cfg, sections, NULL), 0);
	assert_int_equal(hw_machine_init(m, cfg), 0);
	hw_machine_fini(m);
	gs_config_free(cfg);
}

static void every_drive_is_one(void **state)
{
	glob_t g;

	assert_int_equal(glob("configs/ssd/*.yaml", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		struct hw_ssd_cfg ssd;
		struct gs_section sections[] = { { "ssd", hw_ssd_rows, &ssd },
						 { NULL, NULL, NULL } };
		struct gs_config *cfg = gs_config_new();

		assert_int_equal(gs_config_load(cfg, g.gl_pathv[i]), 0);
		assert_int_equal(gs_config_bind(cfg, sections, NULL), 0);
		assert_int_equal(ssd.count, 1);
		assert_true(ssd.bps[HW_SSD_READ] >= ssd.bps[HW_SSD_WRITE]);
		gs_config_free(cfg);
	}
	globfree(&g);
}

static void every_preset_is_a_machine(void **state)
{
	glob_t g;

	assert_int_equal(glob("configs/machine/*.yaml", 0, NULL, &g), 0);
	assert_true(g.gl_pathc >= 9);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		struct gs_machine m;

		load(g.gl_pathv[i], &m);
		assert_true(m.device.hbm_capacity >= 32 * GIB);
		assert_true(m.device.flops[GS_F16] > m.device.flops[GS_F32]);
		assert_true(m.peer.h2d_bps >= 20000000000);
	}
	globfree(&g);
}

/* Each value of a preset says where it is from. */
static void every_value_of_a_preset_has_a_source(void **state)
{
	char line[512];
	glob_t g;

	assert_int_equal(glob("configs/machine/*.yaml", 0, NULL, &g), 0);
	assert_int_equal(glob("configs/ssd/*.yaml", GLOB_APPEND, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		FILE *f = fopen(g.gl_pathv[i], "r");

		assert_non_null(f);
		while (fgets(line, sizeof(line), f)) {
			char *value = strchr(line, ':');

			if (line[0] == '#' || !value ||
			    strspn(value + 1, " \n") == strlen(value + 1))
				continue;
			if (!strstr(value, "  # "))
				fail_msg("%s: no source: %s", g.gl_pathv[i], line);
		}
		fclose(f);
	}
	globfree(&g);
}

static void the_defaults_are_an_a100_40(void **state)
{
	struct gs_machine m;
	struct rig r;

	load("configs/machine/a100-40.yaml", &m);
	rig_machine(&r, NULL, NULL);
	assert_int_equal(m.device.hbm_capacity, r.machine.device.hbm_capacity);
	assert_int_equal(m.device.hbm_bps, r.machine.device.hbm_bps);
	assert_memory_equal(m.device.flops, r.machine.device.flops, sizeof(m.device.flops));
	assert_int_equal(m.link.h2d_bps, r.machine.link.h2d_bps);
	assert_int_equal(m.link.duplex_pct, r.machine.link.duplex_pct);
	hw_machine_fini(&r.machine);
	gs_config_free(r.cfg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_preset_is_a_machine),
		cmocka_unit_test(every_drive_is_one),
		cmocka_unit_test(every_value_of_a_preset_has_a_source),
		cmocka_unit_test(the_defaults_are_an_a100_40),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
