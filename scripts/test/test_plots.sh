#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Pictures are drawn of whatever a sweep or a run left, and the tables behind them
# add up.
set -u
cd "$(dirname "$0")/../.."
sim=$PWD/${GMEMSIM:-build/gmemsim}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
[ -x "$sim" ] || { echo "not ok $sim is not built"; exit 1; }

verdict() { # NAME REASON: ok without a reason
	[ -z "$2" ] && echo "ok $1" || { echo "not ok $1" && printf '# %s\n' "$2"; }
}

drawn() { # DIR PICTURE...: what is missing, empty, or too wide
	local dir=$1 p
	shift
	for p in "$@"; do
		[ "$(head -c 4 "$dir/$p.png" 2>/dev/null | tail -c 3)" = PNG ] || echo "$p.png"
		grep -q '</svg>' "$dir/$p.svg" 2>/dev/null || echo "$p.svg"
	done
}

cat >"$tmp/sweep.yaml" <<END
workload:
  trace: $PWD/traces/sample/tiny.jsonl
  timing: roofline
  layout: caching
  iterations: 3
  warmup: 1
manager:
  unit: 64 KiB
sim:
  series_points: 50
sweep:
  axes:
    - hbm_percent: [100, 50]
    - name: policy
      cases:
        - {label: ideal, set: {manager.type: ideal}}
        - {label: static, set: {manager.type: static}}
        - {label: uvm, set: {manager.type: uvm}}
        - {label: "it's gmem+, 100 %", set: {manager.type: gmem}}
END
"$sim" sweep "$tmp/sweep.yaml" --quiet -o "$tmp/sweep" && ZOOM=1 scripts/plot.sh "$tmp/sweep" >"$tmp/out" 2>&1
verdict 'a sweep has its pictures' "$(drawn "$tmp/sweep" time stall traffic reasons faults)$(grep -i 'warning\|error' "$tmp/out")"
grep -q "it.s gmem+, 100 %" "$tmp/sweep/stall.svg" && why='' || why='it is not in the picture'
verdict 'a curve may be called anything' "$why"

for type in ideal uvm gmem; do
	"$sim" run "$tmp/sweep.yaml" --set manager.type=$type --set device.hbm.capacity_percent='50 %' \
		--quiet -o "$tmp/$type" && ZOOM=1 scripts/plot-run.sh "$tmp/$type" >"$tmp/out" 2>&1
	verdict "a run under $type has its pictures" "$(drawn "$tmp/$type" memory tensors)$(grep -i 'warning\|error' "$tmp/out")"
	why=$(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next }
		{ a = $c["h2d_busy_ps"]; b = $c["d2h_busy_ps"]
		  if (a < la || b < lb) print "row " NR ": less busy than before"
		  if (a - la > $1 - t || b - lb > $1 - t) print "row " NR ": busier than time allows"
		  t = $1; la = a; lb = b }' "$tmp/$type/series.csv")
	verdict "links under $type are never busier than time allows" "$why"
done
why=$(awk -F, 'NR > 1 { if ($(NF - 1) > $NF) print $1 " dies before it is born"; n++ } END { if (!n) print "no tensors" }' "$tmp/gmem/tensors.csv")
verdict 'tensors are born before they die' "$why"
why=$(awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) c[$i] = i; next }
	NR > 2 && $c["start_ps"] != end { print "iteration " $1 " does not begin where the last ended" }
	{ end = $c["start_ps"] + $c["time_ps"]; n++ } END { if (n != 3) print n " iterations" }' "$tmp/gmem/iterations.csv")
verdict 'iterations follow each other' "$why"
scripts/plot-run.sh "$tmp" >"$tmp/out" 2>&1 && why='no error' || why=''
grep -q 'is not there: gmemsim run' "$tmp/out" || why="$why; no remedy"
verdict 'a folder without a run is said' "$why"

"$sim" trace stat --csv "$tmp/stat" traces/sample/tiny.jsonl >/dev/null && ZOOM=1 scripts/plot-stat.sh "$tmp/stat" >"$tmp/out" 2>&1
verdict 'a trace has its pictures' "$(drawn "$tmp/stat" live idle)$(grep -i 'warning\|error' "$tmp/out")"
scripts/plot-stat.sh "$tmp" >"$tmp/out" 2>&1 && why='no error' || why=''
grep -q 'is not there: gmemsim trace stat --csv' "$tmp/out" || why="$why; no remedy"
verdict 'a folder without the tables of a trace is said' "$why"
