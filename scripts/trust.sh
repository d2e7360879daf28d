#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# trust.sh PROGRAM - measure what README's "How far can you trust it" tells, and write it there
#   Into results/trust: points.csv (and results/overcommit.png); from GMEMSIM_DATA
#   (../shared/data) a100.csv, g10.csv, pages.csv, which stay as they are without it.
#   ONLY="points a100 g10 pages" measures some of them; pages takes a quarter of an hour.
set -eu
cd "$(dirname "$0")/.."
program=${1:?usage: trust.sh PROGRAM}
data=${GMEMSIM_DATA:-../shared/data}
out=results/trust
only=${ONLY:-points a100 g10 pages}
mkdir -p $out
[ -f "$data/g10/published.csv" ] || only=$(printf '%s\n' $only | grep -x points || true)

curves() {
	"$program" sweep configs/exp/points/uvm-overcommit.yaml --quiet -o results/overcommit
	# "order compute" a block, then what was published; the sweep has no quoted fields
	awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) col[$i] = i; next }
		$2 "," $3 != last {
			last = $2 "," $3
			printf("%s\"%s, %s a GiB\"\n", (NR > 2 ? "\n\n" : ""), $2, $3)
		}
		{ print $4 + 0, $col["slowdown"] }
		END { print "\n\n\"ARIADNE, mean of its programs\"\n200 33.2\n300 60.7" }' \
		results/overcommit/sweep.csv >results/overcommit/curves
	gnuplot -e "scripts='scripts'; data='results/overcommit/curves'; format='png'; zoom=1; width=760; height=420" \
		-e "ours=$(($(grep -c '^"' results/overcommit/curves) - 1)); out='results/overcommit.png'" scripts/overcommit.gp
}

for part in $only; do
	case $part in
	points)
		"$program" validate points -o $out/points.csv
		! command -v gnuplot >/dev/null || curves
		;;
	a100) "$program" validate a100 -o $out/a100.csv ;;
	g10)
		scripts/validate.sh "$program" || true
		python3 - results/validate/cells.csv $out/g10.csv <<'PY'
import collections, csv, sys
count = collections.Counter((r["figure"], r["system"], r["grade"]) for r in csv.DictReader(open(sys.argv[1], newline="")))
with open(sys.argv[2], "w", newline="") as f:
    w = csv.writer(f, lineterminator="\n")
    w.writerow(["figure", "system", "grade", "cells"])
    w.writerows([*k, n] for k, n in sorted(count.items()))
PY
		;;
	pages) OUT=$out/pages.csv TIMED=${TIMED:-} scripts/validate-pages.sh "$program" || true ;;
	*) echo "trust.sh: what is '$part'?" >&2 && exit 2 ;;
	esac
done
python3 scripts/trust.py write
echo "written: $out, README.md"
