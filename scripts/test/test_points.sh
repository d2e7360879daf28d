#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# test_points.sh - `gmemsim validate points`: what an experiment may say, and the quick ones
set -u
cd "$(dirname "$0")/../.."
sim=$PWD/${GMEMSIM:-build/gmemsim}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
[ -x "$sim" ] || { echo "not ok $sim is not built"; exit 1; }

verdict() { # NAME REASON: ok without a reason
	[ -z "$2" ] && echo "ok $1" || { echo "not ok $1" && printf '%s\n' "$2" | sed 's/^/# /'; }
}

# An experiment of two runs, one with twice the memory; $1 is put into its figure.
experiment() {
	cat >"$tmp/x.yaml" <<END
workload:
  trace: $PWD/configs/exp/points/in-order.jsonl
manager: {type: gmem, unit: 16 MiB}
sweep:
  axes:
    - hbm_percent: [50, 25]
    - key: link.latency
      values: [1 us, 2 us]
points:
  twice:
    what: time with less memory
    source: nobody
    why: nothing
$(printf '%s\n' "$1" | sed 's/^/    /')
END
}

# expect NAME CODE PATTERN FIGURE
expect() {
	local name=$1 code=$2 pattern=$3 rc=0 why=
	experiment "$4"
	"$sim" validate points "$tmp/x.yaml" >"$tmp/out" 2>&1 </dev/null || rc=$?
	[ $rc = "$code" ] || why="exit $rc"
	grep -qE -- "$pattern" "$tmp/out" || why="$why; no '$pattern'"
	[ -z "$why" ] || why="$why: $(cat "$tmp/out")"
	verdict "$name" "$why"
}

same='published: 1
value: h2d_bytes'
expect 'a run over itself is 1' 0 'twice .* 1 .*\+0.0 %  ok' "$same
at: 50 %, 1 us
over_at: 50 %, 1 us"
expect 'what is saved is the rest' 0 'twice .*30 % .* 0 % .*-100.0 %  open' 'published: 30 %
value: h2d_bytes
saved: true
open: of course
at: 50 %, 1 us
over_at: 50 %, 1 us'
expect 'a figure that is off, and nobody says why' 1 ' OFF ' 'published: 2
value: h2d_bytes
at: 50 %, 1 us
over_at: 50 %, 1 us'
expect 'a range: what varies, and by how much' 0 "x +1.[0-9]*  link.latency, from '1 us' to '2 us'" 'published: 3 s
value: iteration_ps
open: only the range is looked at
at: "*, *"'
expect 'an axis that varies on one side alone' 0 'of 2 combinations' "$same
within: 1000 %
at: 25 %, *
over_at: 50 %, 1 us"
expect 'an axis that goes along on both sides' 0 'of 2 combinations' "$same
within: 1000 %
at: 25 %, *
over_at: 50 %, *"
expect 'some cases of an axis, by a pattern' 0 'of 2 combinations' "$same
within: 1000 %
at: ?? %, 1 us
over_at: 50 %, 1 us"
expect 'a published figure within the range is no failure' 0 '0.75 .* in range' 'published: 0.75
value: hbm_peak_bytes
at: "*, 1 us"
over_at: 50 %, 1 us'
expect 'an unknown case' 2 "x.yaml:[0-9]+:[0-9]+: points.twice.at: axis 'link.latency' has no case '3 us'" "$same
at: 50 %, 3 us"
expect 'an axis is missing' 2 "names 1 of 2 axes; the next is 'link.latency'" "$same
at: 50 %"
expect 'an axis too many' 2 'names more than 2 axes' "$same
at: 50 %, 1 us, 7"
expect 'an unknown counter' 2 "no counter 'faultz'" 'published: 1
value: faultz
at: 50 %, 1 us'
expect 'a number without sense' 2 'points.twice.published: a number above 0' 'published: 7 apples
value: faults
at: 50 %, 1 us'
expect 'an unknown key' 2 'did you mean "points.twice.over_at"' "$same
over_att: 50 %, 1 us"

why=
"$sim" validate points configs/exp/hbm-none.yaml >"$tmp/out" 2>&1 && why='exit 0'
verdict 'no such file' "$why"

mkdir "$tmp/jobs" && python3 scripts/points-traces.py "$tmp/jobs"
why=$(for f in configs/exp/points/*.jsonl; do cmp "$f" "$tmp/jobs/${f##*/}" 2>&1; done)
verdict 'the jobs are those that scripts/points-traces.py makes' "$why"

for f in tree hmm; do
	"$sim" validate points configs/exp/points/$f.yaml -o "$tmp/$f.csv" >"$tmp/out" 2>&1 </dev/null
	why=$?
	[ $why = 0 ] && why= || why="exit $why: $(cat "$tmp/out")"
	[ "$(wc -l <"$tmp/$f.csv")" -gt 4 ] || why="$why; no rows in the CSV"
	verdict "published and simulated agree: $f" "$why"
done
