#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# test_trust.sh - README's tables are those of results/trust, and a changed figure shows
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

verdict() { # NAME REASON: ok without a reason
	[ -z "$2" ] && echo "ok $1" || { echo "not ok $1" && printf '%s\n' "$2" | sed 's/^/# /'; }
}

mkdir -p "$tmp/scripts" "$tmp/results"
cp "$top/README.md" "$tmp/"
cp "$top/scripts/trust.py" "$tmp/scripts/"
cp -r "$top/results/trust" "$tmp/results/"
trust() { python3 "$tmp/scripts/trust.py" "$@" 2>&1; }

verdict "README has the tables of results/trust" "$(trust check)"
sed -i 's/^hmm-fault,\(.*\),966 us,[^,]* us,/hmm-fault,\1,966 us,777 us,/' "$tmp/results/trust/points.csv"
why=$(trust check) && why="nothing noticed" || why=
verdict "a figure that changed is noticed" "$why"
trust write
grep -q '| 966 us | 777 us |' "$tmp/README.md" && why= || why="not in README"
verdict "... and written" "$why"
verdict "what was written is what is checked" "$(trust check)"
sed -i '/end of what `make trust` writes/d' "$tmp/README.md"
why=$(trust write) && why="it wrote" || { grep -q 'marks are gone' <<<"$why" && why= || true; }
verdict "without its marks README stays as it is" "$why"
