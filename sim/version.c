/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/version.h"
#include <version.h> /* generated: scripts/version.sh */

const char gs_version[] = GS_VERSION;
const char gs_commit[] = GS_COMMIT;
