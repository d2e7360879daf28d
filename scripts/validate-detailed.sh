#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# validate-detailed.sh PROGRAM [OUT] - the detailed managers beside the published systems
#   Sweeps configs/exp/g10/detailed*.yaml, the machine, networks and points of the G10
#   paper's figures 11 and 15 to 18, into OUT (results/validate).  Prints what uvm, hmm,
#   svm and gmem say at each point, how much of the paper's gap between base UVM and G10
#   each closes, and draws it.  About ten CPU minutes; FIGURES="15 18" runs only these.
set -eu
cd "$(dirname "$0")/.."
program=${1:?usage: validate-detailed.sh PROGRAM [OUT]}
out=${2:-results/validate}
. scripts/validate-lib.sh

start=$(date +%s)
networks configs/exp/g10/detailed*.yaml
for figure in ${FIGURES:-15 16 18}; do
	case $figure in
	15) name=detailed ;;
	16) name=detailed-host ;;
	18) name=detailed-ssd ;;
	*) echo "validate-detailed.sh: FIGURES are of 15, 16 and 18" >&2; exit 2 ;;
	esac
	echo "figure $figure ..." >&2
	# what is there from the same program and configuration is kept
	"$program" sweep "configs/exp/g10/$name.yaml" -j "$(nproc)" -o "$out/$name" --resume >"$out/$name.log" 2>&1 ||
		[ -f "$out/$name/sweep.csv" ] || { cat "$out/$name.log" >&2; exit 1; }
done
python3 scripts/validate-detailed.py "$data" "$out"
if command -v gnuplot >/dev/null; then
	for kind in png svg; do
		gnuplot -e "scripts='scripts'; folder='$out'; format='$kind'; zoom=1.5; width=980; height=430" \
			-e "out='$out/detailed.$kind'" scripts/validate-detailed.gp
	done
	echo "written: $out/detailed.csv, $out/detailed.md, $out/detailed.png, $out/detailed.svg"
else
	echo "written: $out/detailed.csv, $out/detailed.md (no picture: gnuplot is missing)"
fi
echo "took $(($(date +%s) - start)) s"
