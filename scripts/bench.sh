#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# bench.sh PROGRAM... - run benchmarks; append their figures to results/bench.csv
#   a benchmark prints lines "name value unit"; other lines are for people
set -euo pipefail
cd "$(dirname "$0")/.."
out=results/bench.csv
commit=$(scripts/version.sh | sed -n 's/.*GS_COMMIT "\(.*\)"/\1/p')
cpu=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1 | tr ',' ' ')
tmp=$(mktemp)
trap 'rm -f "$tmp"' EXIT
mkdir -p results
[ -e $out ] || echo 'date,commit,cpu,bench,name,value,unit' >$out
for bench in "$@"; do
	echo "== ${bench##*/}"
	"$bench" | tee "$tmp"
	LC_ALL=C awk -v head="$(date -u +%FT%TZ),$commit,$cpu,${bench##*/}" '
		NF == 3 && $2 ~ /^[0-9.]+$/ { print head "," $1 "," $2 "," $3 }' "$tmp" >>$out
done
echo "appended to $out"
