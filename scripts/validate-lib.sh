# SPDX-License-Identifier: GPL-3.0-or-later
# validate-lib.sh - sourced: G10's networks as traces
#   networks CONFIG...: those that the configurations name, imported into $out/traces
#   by $program unless they are there; exits where they cannot be had.
data=${GMEMSIM_DATA:-../shared/data}/g10

networks() {
	local net
	if [ ! -f "$data/published.csv" ]; then
		echo "skipped: no $data/published.csv (GMEMSIM_DATA may point to the folder above it)"
		exit 0
	fi
	[ "$out" = results/validate ] || { echo "${0##*/}: the sweeps look for traces in results/validate" >&2; exit 2; }
	mkdir -p "$out/traces"
	for net in $(sed -n 's|.*/traces/\(.*\)\.gmt.*|\1|p' "$@" | sort -u); do
		[ "$out/traces/$net.gmt" -nt "$data/$net/kernels.config" ] && [ "$out/traces/$net.gmt" -nt "$program" ] && continue
		"$program" trace import g10 "$data/$net" -o "$out/traces/$net.gmt" >/dev/null 2>"$out/import.log" ||
			{ cat "$out/import.log" >&2; exit 1; }
	done
}
