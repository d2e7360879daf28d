#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# validate.sh PROGRAM [OUT] - the published results of the G10 paper, and ours
#   Imports its networks from GMEMSIM_DATA (../shared/data) into OUT/traces, sweeps
#   configs/exp/g10/fig*.yaml into OUT (results/validate), prints every cell
#   published, simulated and their deviation, and draws one against the other.
#   Fails when a cell is off by more than 3 %.
# PICK=first|last compares that iteration, not the shorter one.
set -eu
cd "$(dirname "$0")/.."
program=${1:?usage: validate.sh PROGRAM [OUT]}
out=${2:-results/validate}
. scripts/validate-lib.sh

start=$(date +%s)
networks configs/exp/g10/fig*.yaml
for config in configs/exp/g10/fig*.yaml; do
	figure=$(basename "$config" .yaml)
	rm -rf "${out:?}/$figure"
	# points that do not fit are results here
	"$program" sweep "$config" -j "$(nproc)" -o "$out/$figure" >"$out/$figure.log" 2>&1 ||
		[ -f "$out/$figure/sweep.csv" ] || { cat "$out/$figure.log" >&2; exit 1; }
done
status=0
python3 scripts/validate-g10.py "$data" "$out" --pick "${PICK:-shorter}" || status=$?
if command -v gnuplot >/dev/null; then
	for kind in png svg; do
		gnuplot -e "scripts='scripts'; folder='$out'; format='$kind'; zoom=1.5; width=760; height=620" \
			-e "out='$out/published.$kind'" scripts/validate-g10.gp
	done
	echo "written: $out/cells.csv, $out/published.png, $out/published.svg"
else
	echo "written: $out/cells.csv (no picture: gnuplot is missing)"
fi
echo "took $(($(date +%s) - start)) s"
exit $status
