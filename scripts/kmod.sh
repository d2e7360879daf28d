#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# kmod.sh - build gmem.ko from a copy of kernel-core; nothing is installed
#
#	scripts/kmod.sh [BUILD]		BUILD is "build" unless given
#	KDIR=...			kernel headers, else the newest that are found
#
# Says "skipped: no kernel headers" and succeeds where there are none.  Any
# warning at W=1 (which needs perl) is an error, and so is a core file that differs from the tree's.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
src=$top/kernel-core
build=${1:-build}
case $build in /*) ;; *) build=$top/$build ;; esac
out=$build/kmod

find_headers() {
	for d in "/lib/modules/$(uname -r)/build" \
		 $(ls -d /lib/modules/*/build /usr/src/linux-headers-* 2>/dev/null | sort -rV); do
		if [ -f "$d/Makefile" ] && [ -f "$d/Module.symvers" ]; then
			echo "$d"
			return
		fi
	done
}

kdir=${KDIR:-$(find_headers)}
if [ -z "$kdir" ] || [ ! -f "$kdir/Makefile" ]; then
	echo "skipped: no kernel headers"
	exit 0
fi

# The files of the module, relative to kernel-core.
files() {
	(cd "$src" && ls Kbuild *.c *.h linux/*.[ch] port/linux/*.h 2>/dev/null)
}

mkdir -p "$out/linux" "$out/port/linux"
# What left the tree leaves the copy.
(cd "$out" && ls *.c *.h linux/*.[ch] port/linux/*.h 2>/dev/null || :) |
while read -r f; do
	[ -f "$src/$f" ] || rm -f "$out/$f"
done
for f in $(files); do
	cmp -s "$src/$f" "$out/$f" || cp "$src/$f" "$out/$f"
done

# Newer headers bring vmlinux and then want pahole for type information.
btf=
command -v pahole >/dev/null || btf=CONFIG_DEBUG_INFO_BTF_MODULES=

# W=1 reads the comments by a Perl script.
warn=W=1
perl -MPod::Usage -e 1 2>/dev/null || warn=

# Our own make's flags (SAN=1, CC=clang) are not meant for the kernel's.
log=$out/kmod.log
status=0
env -u MAKEFLAGS -u MFLAGS -u MAKEOVERRIDES -u CC -u CFLAGS \
	make -C "$kdir" M="$out" $warn $btf -j2 modules >"$log" 2>&1 || status=$?
if [ $status -ne 0 ] || grep -q 'warning:' "$log"; then
	grep -e 'error' -e 'warning:' -e 'undefined' "$log" >&2 || tail -20 "$log" >&2
	echo "kmod: failed against $kdir, see ${log#"$top"/}" >&2
	exit 1
fi

for f in $(files); do
	if ! cmp -s "$src/$f" "$out/$f"; then
		echo "kmod: kernel-core/$f is not the file that was built" >&2
		exit 1
	fi
done
for f in $(cd "$src" && ls *.c); do
	if ! grep -q "${f%.c}\.o" "$out/gmem.mod"; then
		echo "kmod: kernel-core/$f is not in gmem.ko" >&2
		exit 1
	fi
done
echo "gmem.ko: $(ls "$src"/*.c | wc -l) core files, $(basename "$(readlink -f "$kdir")")"
