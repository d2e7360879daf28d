#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# test_segments.sh - a job whose allocator maps and unmaps memory
#   traces/test/segments.jsonl has 22 MiB of weights' segments, and in each of two
#   iterations one of 64 MiB and, when that is given back, one of 96 MiB.
set -u
cd "$(dirname "$0")/../.."
program=${GMEMSIM:-build/gmemsim}
job=traces/test/segments.jsonl
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
failed=0
verdict() { if [ "$1" = 0 ]; then echo "ok $2"; else echo "not ok $2"; failed=1; fi; }
mib() { echo $(($1 << 20)); }

# ---- tools

"$program" trace import jsonl "$job" -o "$tmp/a.gmt" >/dev/null &&
	"$program" trace cat --json "$tmp/a.gmt" >"$tmp/a.jsonl" &&
	"$program" trace diff "$job" "$tmp/a.jsonl" >/dev/null
verdict $? "segments go there and back"

"$program" trace info "$tmp/a.gmt" | grep -q "segments *at most 118 MiB ($(mib 118) bytes), 0x7f5a00000000 to 0x7f5a46000000"
verdict $? "info tells how much is mapped at most"

"$program" trace stat "$tmp/a.gmt" | grep -qx "segments: 118 MiB ($(mib 118) bytes) reserved at most; where most is alive 118 MiB, slack 22.0 MiB (18.6 %)"
verdict $? "stat tells the allocator's slack"

"$program" trace cut --iterations 1 "$tmp/a.gmt" -o "$tmp/cut.gmt" >/dev/null &&
	"$program" trace cat "$tmp/cut.gmt" | grep segment | cut -d' ' -f2-3 | tr '\n' ' ' |
	grep -qx "segment_alloc $(mib 20) segment_alloc $(mib 2) segment_alloc $(mib 64) segment_free $(mib 64) segment_alloc $(mib 96) segment_free $(mib 96) "
verdict $? "a part begins with the segments that are there"

"$program" trace merge "$job" "$job" -o "$tmp/two.gmt" >/dev/null &&
	"$program" trace verify "$tmp/two.gmt" >/dev/null &&
	[ "$("$program" trace cat "$tmp/two.gmt" | grep -c segment)" = 20 ] &&
	"$program" trace info "$tmp/two.gmt" | grep -q "at most 236 MiB"
verdict $? "segments of merged jobs lie apart"

sed 's/"va":140024523784192,"bytes":20971520/"va":140024523784192,"bytes":20971008/' "$job" >"$tmp/b.jsonl"
"$program" trace diff "$job" "$tmp/b.jsonl" >"$tmp/diff"
[ $? = 1 ] && grep -q '^- 0 segment_alloc 20971520 bytes at 0x7f5a00000000 device 0$' "$tmp/diff" &&
	grep -q '^  reserved ' "$tmp/diff"
verdict $? "diff sees a smaller segment"

# ---- replay

# run JOB EXPRESSION [OPTION...]: does the expression hold of the result?
run() {
	"$program" run configs/exp/single.yaml --trace "$1" --json --quiet --set sim.check=true \
		--set workload.timing=recorded --set workload.layout=recorded "${@:3}" | python3 -c '
import json, sys
text = sys.stdin.read()
if not text:
	sys.exit(1)
r = json.loads(text)
mib, mm, it = 1 << 20, r["stats"]["mm"], [i["time_ps"] for i in r["result"]["iterations"]]
footprint = r["result"]["footprint_bytes"] / mib
if not eval(sys.argv[1]):
	sys.exit(f"{footprint} MiB, {mm}, {it}")' "$2"
}

run "$job" 'footprint == 118 and mm["hbm_peak_bytes"] == 118 * mib and mm["hbm_bytes"] == 22 * mib' --set manager.type=ideal
verdict $? "the footprint is what was mapped at once, and what was unmapped is free"
grep -v segment_ "$job" >"$tmp/tensors.jsonl"
run "$tmp/tensors.jsonl" 'footprint == 16 + 2 + 48 + 80' --set manager.type=ideal
verdict $? "without segments it is all that ever was touched"
run "$job" 'footprint == 118 and mm["hbm_peak_bytes"] == 118 * mib' --set manager.type=static --set device.hbm.capacity="118 MiB" --set device.hbm.reserve="0 B"
verdict $? "cudaMalloc takes what the segments take"
run "$job" 'True' --set manager.type=static --set device.hbm.capacity="117 MiB" --set device.hbm.reserve="0 B" 2>/dev/null
[ $? != 0 ]
verdict $? "... and no less"
run "$job" 'footprint == 118 and it == 5 * it[:1]' --set manager.type=ideal --set workload.iterations=5
verdict $? "segments repeat with their iteration"
for options in type=policy type=uvm type=hmm type=svm variant=gmem-23.09 variant=gmem-olk66 variant=gmem+; do
	run "$job" 'footprint == 118 and mm["hbm_peak_bytes"] <= 98 * mib and mm["hbm_bytes"] <= 18 * mib' \
		--set manager.$options &&
		run "$job" 'footprint == 118 and mm["hbm_peak_bytes"] <= 72 * mib and mm["hbm_bytes"] <= 18 * mib' \
			--set manager.$options --set workload.iterations=4 --set workload.hints=true \
			--set device.hbm.capacity_percent="60 %"
	verdict $? "${options#*=} drops what is unmapped"
done
exit $failed
