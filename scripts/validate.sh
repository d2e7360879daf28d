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
data=${GMEMSIM_DATA:-../shared/data}/g10
if [ ! -f "$data/published.csv" ]; then
	echo "skipped: no $data/published.csv (GMEMSIM_DATA may point to the folder above it)"
	exit 0
fi
[ "$out" = results/validate ] || { echo "validate.sh: the sweeps look for traces in results/validate" >&2; exit 2; }

start=$(date +%s)
mkdir -p "$out/traces"
for net in $(sed -n 's|.*/traces/\(.*\)\.gmt.*|\1|p' configs/exp/g10/fig*.yaml | sort -u); do
	[ "$out/traces/$net.gmt" -nt "$data/$net/kernels.config" ] && [ "$out/traces/$net.gmt" -nt "$program" ] && continue
	"$program" trace import g10 "$data/$net" -o "$out/traces/$net.gmt" >/dev/null 2>"$out/import.log" ||
		{ cat "$out/import.log" >&2; exit 1; }
done
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
