#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# check-format.sh - the tree's C files stand as clang-format lays them out
#
# Versions disagree in details and ours is that of Debian 12.  Another one says
# what it would change but does not fail; without any there is nothing to do.
set -eu
cd "$(dirname "$0")/.."
ours=14

files() {
	if [ "$(git rev-parse --show-toplevel 2>/dev/null)" = "$(pwd -P)" ]; then
		git ls-files -- '*.c' '*.h'
	else
		find . -name build -prune -o -type f \( -name '*.c' -o -name '*.h' \) -print | sed 's,^\./,,'
	fi
}

for tool in clang-format-$ours clang-format ''; do
	[ -n "$tool" ] || { echo "skipped: no clang-format"; exit 0; }
	if command -v $tool >/dev/null; then break; fi
done
version=$($tool --version | sed -n 's/.*version \([0-9]*\).*/\1/p')

out=$(files | while read -r f; do [ ! -f "$f" ] || echo "$f"; done |
	xargs -r $tool --dry-run 2>&1 |
	sed -n 's/^\([^ :]*:[0-9]*\):[0-9]*: .*/\1: not as clang-format lays it out/p' | sort -u -V)
[ -n "$out" ] || exit 0
echo "$out" >&2
if [ "$version" != $ours ]; then
	echo "clang-format is $version, the tree is laid out by $ours: not a failure" >&2
	exit 0
fi
echo "clang-format -i $(echo "$out" | cut -d: -f1 | uniq | tr '\n' ' ')" >&2
exit 1
