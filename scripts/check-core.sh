#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# check-core.sh - kernel-core is the same bytes in Linux and in the simulator
#
# Reads the core's files without comments and strings: no libc, no floating
# point, no question which world it is, no #if, no name that Linux takes.
# Then builds core.a and compares what it wants with the port's names.
set -eu
cd "$(dirname "$0")/.."
bad=0

# Linux makes macros of these: a function of that name breaks gmem.ko.
taken='guard scoped_guard current get_current smp_processor_id'

awk -v taken="$taken" '
function say(what) { print FILENAME ":" FNR ": " what; bad = 1 }
# $0 without comments and with empty strings; a comment may go on.
function code(   s, out, c, two, i, quote) {
	s = $0; out = ""; quote = ""
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1); two = substr(s, i, 2)
		if (comment) {
			if (two == "*/") { comment = 0; i++ }
		} else if (quote != "") {
			if (c == "\\") i++
			else if (c == quote) { quote = ""; out = out c }
		} else if (two == "/*") { comment = 1; i++
		} else if (two == "//") { break
		} else {
			if (c == "\"" || c == "\047") quote = c
			out = out c
		}
	}
	return out
}
function word(s, w) { return s ~ ("(^|[^A-Za-z0-9_])(" w ")([^A-Za-z0-9_]|$)") }
BEGIN {
	n = split(taken, Taken, " ")
	world = "__KERNEL__|LINUX_VERSION_CODE|KERNEL_VERSION|GM_USER|MODULE|__linux__|CONFIG_[A-Z0-9_]+"
}
FNR == 1 {
	comment = 0; guards = 0
	if ($0 !~ /SPDX-License-Identifier: GPL-2\.0-or-later OR BSD-2-Clause/)
		say("the first line is not the licence of kernel-core")
}
{
	line = code()
	if (line ~ /^[ \t]*#[ \t]*include[ \t]*</)
		say("a core file includes its own headers only")
	# a row may describe a double of the host; the core has none
	if (word(line, "float|double") && !(FILENAME ~ /gm_desc\.h$/ && line ~ /GM_KIND_REAL/))
		say("floating point")
	if (word(line, world))
		say("asks in which world it is")
	if (line ~ /^[ \t]*#[ \t]*(if|elif|else)/ &&
	    !(FILENAME ~ /\.h$/ && line ~ /^#ifndef GM_[A-Z0-9_]*_H$/ && !guards++))
		say("conditional compilation")
	for (i = 1; i <= n; i++)
		if (line ~ ("(^|[^A-Za-z0-9_>.])" Taken[i] "[ \t]*\\("))
			say(Taken[i] "() is a macro in Linux")
}
END { exit bad }' kernel-core/*.[ch] >&2 || bad=1

# What the user port and the compiler give.
port='gm_port_alloc gm_port_free gm_port_log gm_port_warn gm_port_scnprintf gm_port_strscpy
memcpy memmove memset memcmp strcmp strlen snprintf __stack_chk_fail _GLOBAL_OFFSET_TABLE_'

# In a folder of its own, so that it does not meet another make's objects.
lib=build/lint/core.a
mkdir -p build
if ! env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL make -s --no-print-directory \
	BUILD=build/lint CC=gcc SAN= $lib >build/lint.log 2>&1; then
	grep -E 'error|warning' build/lint.log >&2 || cat build/lint.log >&2
	exit 1
fi
nm -A $lib | awk -v port="$port" '
BEGIN { n = split(port, P, /[ \n]+/); for (i = 1; i <= n; i++) Known[P[i]] = 1 }
{ sym = $NF; type = $(NF - 1); split($1, At, ":") }
type == "U" { if (!(sym in Where)) Where[sym] = At[2]; next }
{ Known[sym] = 1 }
END {
	for (s in Where)
		if (!(s in Known)) {
			o = Where[s]; sub(/\.o$/, ".c", o)
			print "kernel-core/" o ":1: wants " s ", which is not of the port"
			bad = 1
		}
	exit bad
}' >build/lint.nm || bad=1
sort build/lint.nm >&2
exit $bad
