#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# test_gates.sh - the gates of `make lint` find planted faults; prints TAP
#
# Each fault goes into a small tree of its own, beside one that is clean.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
n=0

# A clean tree with one file in each layer.
clean() {
	rm -rf "$tree/kernel-core" "$tree/sim" "$tree/traces" "$tree/models" "$tree/other"
	mkdir -p "$tree/scripts" "$tree"/{sim,traces,models}/test "$tree/kernel-core/port" \
		"$tree"/kernel-core/{linux,test}
	cp "$top"/scripts/check-*.sh "$tree/scripts/"
	cp "$top/Makefile" "$top/.clang-format" "$tree/"
	cp -r "$top/kernel-core/port/." "$tree/kernel-core/port/"
	touch "$tree/scripts/version.sh" && chmod +x "$tree/scripts/version.sh"
	put kernel-core/gm_x.h '#ifndef GM_X_H' '#define GM_X_H' '#include "gm_port.h"' 'int gm_x(u64 n);' '#endif'
	put kernel-core/gm_x.c '#include "gm_x.h"' '' '/* double, __KERNEL__ and guard() are words here */' \
		'int gm_x(u64 n)' '{' '	pr_debug("float %llu\n", n);' '	return 0;' '}'
	put kernel-core/linux/gm_module.c '#include <linux/module.h>' '#include "gm_x.h"'
	put kernel-core/test/test_x.c '#include <stdio.h>' '#include "gm_x.c"' '#include "gm_port_host.h"'
	put sim/base.h '#include <stdio.h>' '#include "kernel-core/gm_desc.h"'
	put sim/mm.h '#include "sim/base.h"'
	put sim/main.c '#include "models/table.h"' '#include "traces/trace.h"' '#include "sim/main.h"'
	put sim/test/test_base.c '#include "sim/base.c"' '#include "sim/test/fake.h"'
	put traces/trace.c '#include "traces/trace.h"' '#include "sim/mm.h"'
	put models/mm_gmem.c '#include "models/table.h"' '#include "kernel-core/gm_core.h"' '#include "sim/mm.h"'
	put models/test/test_mm.c '#include "models/mm_gmem.c"' '#include "traces/trace.h"'
}

# put FILE LINE...: the licence line and these
put() {
	local f=$tree/$1
	shift
	printf '%s\n' '/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */' "$@" >"$f"
}

# passes GATE WHAT
passes() {
	n=$((n + 1))
	if out=$("$tree/scripts/check-$1.sh" 2>&1); then
		echo "ok $n - $1: $2"
	else
		echo "$out"
		echo "not ok $n - $1: $2"
	fi
}

# fails GATE WHERE WHAT: says WHERE ("file:line") and exits 1; the tree is clean again
fails() {
	local rc=0
	n=$((n + 1))
	out=$("$tree/scripts/check-$1.sh" 2>&1) || rc=$?
	if [ $rc = 1 ] && grep -q "^$2:" <<<"$out"; then
		echo "ok $n - $1: $3"
	else
		echo "exit $rc: $out"
		echo "not ok $n - $1: $3"
	fi
	clean
}

plan=$(grep -cE '^(passes|fails) ' "$0")
echo "1..$((plan + 2))"
clean

passes layers 'a clean tree passes'
put sim/event.c '#include "sim/base.h"' '#include "models/table.h"'
fails layers sim/event.c:3 'sim may not include models'
put sim/event.c '#include "kernel-core/gm_core.h"'
fails layers sim/event.c:2 'sim may include no header of the core but the rows'
put sim/event.c '#include "sim/main.h"'
fails layers sim/event.c:2 'sim may not include the composition root'
put sim/event.c '#include <models/table.h>'
fails layers sim/event.c:2 'angle brackets are no way out'
put sim/event.c '  #  include "traces/trace.h"'
fails layers sim/event.c:2 'blanks are no way out'
put traces/tr_csv.c '#include "models/table.h"'
fails layers traces/tr_csv.c:2 'traces may not include models'
put models/hw_link.c '#include "sim/main.h"'
fails layers models/hw_link.c:2 'models may not include the composition root'
put models/hw_link.c '#include "sim/base.c"'
fails layers models/hw_link.c:2 'only tests include sources'
put kernel-core/gm_x.c '#include "sim/base.h"'
fails layers kernel-core/gm_x.c:2 'the core may not include sim'
put kernel-core/gm_x.c '#include <string.h>'
fails layers kernel-core/gm_x.c:2 'the core may not include libc'
put kernel-core/gm_x.c '#include "gm_port_host.h"'
fails layers kernel-core/gm_x.c:2 'the core may not include the host side of the port'
put kernel-core/linux/gm_module.c '#include <stdio.h>'
fails layers kernel-core/linux/gm_module.c:2 'the module may not include libc'
put kernel-core/port/linux/gm_port.h '#include "gm_core.h"'
fails layers kernel-core/port/linux/gm_port.h:2 'the port may not include the core'
mkdir "$tree/other"
put other/x.c '#include <stdio.h>'
fails layers other/x.c:1 'a new folder wants a row'

put models/mm_y.c '/* fitted on BERT and' 'ResNet152 */' 'static const char *what = "gilbert; vitality"; // GPT-2'
passes names 'comments and other words may'
put models/mm_y.c 'static int x;' 'static int is_bert(const char *s)' '{' '	return 0;' '}'
fails names models/mm_y.c:3 'a network in a name is found'
put sim/y.c '/* a' 'comment */' '	if (!strcmp(name, "ResNet152"))'
fails names sim/y.c:4 'a network in a string is found'
put kernel-core/gm_y.c 'enum { VIT_LAYERS = 12 };'
fails names kernel-core/gm_y.c:2 'a network in the core is found'

passes core 'a clean core passes'
put kernel-core/gm_y.c '#include <stdio.h>'
fails core kernel-core/gm_y.c:2 'libc is found'
put kernel-core/gm_y.c '#include "gm_x.h"' 'double gm_half;'
fails core kernel-core/gm_y.c:3 'double is found'
put kernel-core/gm_y.c '#include "gm_x.h"' '/* a' 'comment */ static float gm_half;'
fails core kernel-core/gm_y.c:4 'float behind a comment is found'
put kernel-core/gm_y.c '#include "gm_x.h"' '#ifdef __KERNEL__' '#endif'
fails core kernel-core/gm_y.c:3 'a question which world it is, is found'
put kernel-core/gm_y.c '#include "gm_x.h"' '#if 1' '#endif'
fails core kernel-core/gm_y.c:3 'any #if in a source is found'
put kernel-core/gm_y.h '#ifndef GM_Y_H' '#define GM_Y_H' '#ifdef FAST' '#endif' '#endif'
fails core kernel-core/gm_y.h:4 'a header has its guard and no other #if'
put kernel-core/gm_y.c '#include "gm_x.h"' 'int guard(u64 n);'
fails core kernel-core/gm_y.c:3 'a name that is a macro in Linux is found'
printf '/* SPDX-License-Identifier: MIT */\n' >"$tree/kernel-core/gm_y.c"
fails core kernel-core/gm_y.c:1 'another licence is found'
put kernel-core/gm_y.c '#include "gm_x.h"' 'int gm_x(u64 n) { return puts("x"); }'
fails core kernel-core/gm_y.c:3 'a function nobody declared stops the compiler'
put kernel-core/gm_y.c '#include "gm_x.h"' 'int puts(const char *s);' 'int gm_y(void);' 'int gm_y(void)' '{' '	return puts("x");' '}'
fails core kernel-core/gm_y.c:1 'a function that is not of the port is found'

if command -v clang-format-14 >/dev/null || clang-format --version 2>/dev/null | grep -q 'version 14'; then
	skip=
else
	skip=' # SKIP clang-format 14 is not here'
fi
fmt() {
	if [ -n "$skip" ]; then
		n=$((n + 1))
		echo "ok $n - $2 $skip"
		clean
	elif [ "$1" = clean ]; then
		passes format "$2"
	else
		fails format "$1" "$2"
	fi
}

rm -rf "$tree"/{sim,traces,models}/test "$tree/kernel-core/linux" "$tree/kernel-core/test"
fmt clean 'a clean tree passes'
put kernel-core/gm_y.c 'static int  x;'
fmt kernel-core/gm_y.c:2 'a blank too many is found'
[ $n = $((plan + 2)) ] || echo "not ok $((n + 1)) - $n cases, planned $((plan + 2))"
