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
exit $failed
