#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# check-layers.sh - who may include whom; one table, first matching row
#
# kernel-core -> its own flat headers; sim -> sim and the row header; traces ->
# sim; models -> sim, traces, kernel-core; sim/main* -> all.  Tests may reach
# all of their folder, sources too, and what lies below it.
set -eu
cd "$(dirname "$0")/.."

files() {
	if [ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$(pwd -P)" ]; then
		git ls-files -- "$@"
	else
		find . -name build -prune -o -type f \( -name '*.c' -o -name '*.h' \) -print | sed 's,^\./,,'
	fi
}

files '*.c' '*.h' | while read -r f; do [ ! -f "$f" ] || echo "$f"; done | xargs -r awk '
function row(from, to, angle) { n++; From[n] = from; To[n] = to; Angle[n] = angle }
BEGIN {
	own    = "^gm_[a-z0-9_]+\\.h$"
	core   = "^kernel-core/gm_[a-z0-9_]+\\.h$|^kernel-core/port/user/gm_port_host\\.h$"
	replay = "^kernel-core/replay/gm_[a-z0-9_]+\\.h$"
	sim    = "^sim/[^/]*\\.h$"
	traces = "^traces/[^/]*\\.h$"
	models = "^models/[^/]*\\.h$"
	desc   = "^kernel-core/gm_desc\\.h$"
	libc   = "."
	#   file                       may include "..."                     and <...>
	row("^kernel-core/test/",      own "|^gm_[a-z0-9_]+\\.c$|^kernel-core/",      libc)
	row("^kernel-core/replay/",    own,                                           libc)
	row("^kernel-core/port/user/", "^gm_port(_host)?\\.h$",                       libc)
	row("^kernel-core/port/linux/", "^$",                                         "^linux/")
	row("^kernel-core/linux/(lib|test)/", own "|^gmem\\.h$",                     libc)
	row("^kernel-core/linux/",     own,                                           "^(uapi/)?(linux|asm)/")
	row("^kernel-core/[^/]*$",     own,                                           "^$")
	row("^sim/test/",              "^sim/|^kernel-core/",                         libc)
	row("^sim/main[^/]*$",         sim "|" traces "|" models "|" core "|" replay,                libc)
	row("^sim/[^/]*$",             sim "|" desc,                                  libc)
	row("^traces/test/",           "^traces/|^sim/|^kernel-core/",                libc)
	row("^traces/[^/]*$",          traces "|" sim,                                libc)
	row("^models/test/",           "^models/|^traces/|^sim/|^kernel-core/",       libc)
	row("^models/[^/]*$",          models "|" traces "|" sim "|" core,            libc)
}
FNR == 1 {
	for (r = 1; r <= n && FILENAME !~ From[r]; r++)
		;
	if (r > n) {
		print FILENAME ":1: belongs to no layer of scripts/check-layers.sh"
		bad = 1
	}
}
r <= n && match($0, /^[ \t]*#[ \t]*include[ \t]*["<][^">]*/) {
	what = substr($0, RSTART, RLENGTH)
	angle = what ~ /</
	sub(/^[^"<]*["<]/, "", what)
	ok = what ~ (angle ? Angle[r] : To[r])
	# a path of ours in angle brackets would slip through
	if (angle && what ~ /^(kernel-core|sim|traces|models|gm_)/)
		ok = 0
	# the composition root is above all
	if (what ~ /^sim\/main/ && FILENAME !~ /^sim\/(main|test\/)/)
		ok = 0
	# only its own port and tests know that the user port has a host side
	if (what == "gm_port_host.h" && FILENAME !~ /^kernel-core\/(port\/user|test)\//)
		ok = 0
	if (!ok) {
		print FILENAME ":" FNR ": may not include " (angle ? "<" what ">" : "\"" what "\"")
		bad = 1
	}
}
END { exit bad }' >&2 || exit 1
