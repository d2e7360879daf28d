#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# validate-pages.sh PROGRAM [TRACE...] - misses of page traces against scripts/pages.counts
#   Every policy at every size with manager.type=policy; with time (type=gmem)
#   for the traces of training and for lru, or for all with TIMED=all.
#   Traces are made from GMEMSIM_DATA (../shared/data) in build/pages, and kept there.
#   OUT=FILE.csv: how many counts of each trace are equal, and how many are not.
set -u
cd "$(dirname "$0")/.."
program=$1
shift
data=${GMEMSIM_DATA:-../shared/data}
dir=build/pages
if [ ! -f "$data/gen_oracle.c" ]; then
	echo "skipped: no gen_oracle.c in $data (GMEMSIM_DATA may point to it)"
	exit 0
fi
mkdir -p $dir

# The oracleGeneral file of a trace: build/pages/NAME.bin.
generate() {
	local sample=
	case $1 in
	zipf | cyclic)
		[ -x $dir/gen ] || gcc -O2 -std=c11 -o $dir/gen "$data/gen_oracle.c" || return 1
		$dir/gen "$1" 20000000 1000000 "$([ "$1" = zipf ] && echo 42 || echo 0)" "$dir/$1.bin"
		return
		;;
	resnet-*) sample=param_resnet_1gpu_et.json.tar.gz ;;
	gpt2-*) sample=param_hf_GPT2_et.json.tar.gz ;;
	linear-*) sample=param_linear_et.json.gz ;;
	esac
	python3 "$data/et2oracle.py" "$data/samples/$sample" \
		"$([ "${1##*-}" = 2M ] && echo 2097152 || echo 65536)" "$dir/$1.bin"
}

trace() {
	[ -f "$dir/$1.gmt" ] && return
	generate "$1" >"$dir/$1.log" 2>&1 &&
		"$program" trace import oracle "$dir/$1.bin" -o "$dir/$1.gmt" >>"$dir/$1.log" 2>&1 ||
		{ cat "$dir/$1.log" >&2; return 1; }
	rm -f "$dir/$1.bin"
}

equal=0 different=0
declare -A count
# TRACE SIZE TYPE EVICTOR WANTED
compare() {
	local got
	got=$("$program" run configs/exp/pages.yaml --trace "$dir/$1.gmt" --json --quiet \
		--set device.hbm.capacity_units="$2" --set manager.type="$3" \
		--set manager.evictor="$4" |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["result"]["iterations"][0]["misses"])')
	if [ "$got" = "$5" ]; then
		equal=$((equal + 1))
		count[$1,$3,equal]=$((${count[$1,$3,equal]:-0} + 1))
	else
		different=$((different + 1))
		count[$1,$3,different]=$((${count[$1,$3,different]:-0} + 1))
		echo "$1, $2 units, $4, $3: ${got:-no result}, not $5"
	fi
}

while read -r name size lru fifo clock arc s3fifo lfu min; do
	case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
	trace "$name" || exit 1
	before=$different
	for e in lru fifo clock arc s3fifo lfu min; do
		compare "$name" "$size" policy $e "${!e}"
		case $name:$e:${TIMED:-} in
		*:all | *-*:*:* | *:lru:*) compare "$name" "$size" gmem $e "${!e}" ;;
		esac
	done
	[ $before != $different ] || echo "$name, $size units: equal"
done < <(grep -v '^#' scripts/pages.counts)
echo "$equal counts are equal, $different are not"
if [ -n "${OUT:-}" ]; then
	mkdir -p "$(dirname "$OUT")"
	{
		echo "trace,manager,equal,different"
		for key in $(printf '%s\n' "${!count[@]}" | cut -d, -f1,2 | sort -u); do
			echo "$key,${count[$key,equal]:-0},${count[$key,different]:-0}"
		done
	} >"$OUT.new" && mv "$OUT.new" "$OUT"
fi
[ $different = 0 ] && [ $equal != 0 ]
