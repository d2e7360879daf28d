#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A job larger than device and host memory: it runs with an SSD, twice the same, with
# all bytes accounted for, and says what it lacks without one.
set -u
cd "$(dirname "$0")/../.."
sim=$PWD/${GMEMSIM:-build/gmemsim}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
[ -x "$sim" ] || { echo "not ok $sim is not built"; exit 1; }

verdict() { # NAME REASON: ok without a reason
	[ -z "$2" ] && echo "ok $1" || { echo "not ok $1" && printf '%s\n' "$2" | sed 's/^/# /'; }
}

# 4 MiB in chunks of 64 KiB (uvm: 2 MiB), half of it on the device, 1 MiB on the host
cat >"$tmp/job.yaml" <<END
workload:
  trace: $PWD/traces/sample/tiny.jsonl
  timing: roofline
  layout: caching
  iterations: 4
device:
  hbm:
    capacity_percent: 50 %
host:
  dram:
    capacity: 1 MiB
manager:
  unit: 64 KiB
  hmm:
    chunk: 64 KiB
  svm:
    default_granularity: 4
ssd:
  headroom: 128 KiB
sim:
  check: true
END
sed 's/capacity: 1 MiB/capacity: 2 MiB/; s/capacity_percent.*/capacity: 2 MiB/; s/headroom.*/headroom: 0 B/' "$tmp/job.yaml" >"$tmp/uvm.yaml"

number() { # FILE KEY: the first one
	sed -n 's/.*"'"$2"'": \([0-9]*\),*$/\1/p' "$1" | head -1
}

for manager in gmem uvm hmm svm; do
	config=$tmp/job.yaml
	[ $manager = uvm ] && config=$tmp/uvm.yaml
	set -- "$config" --set manager.type=$manager --quiet --json
	for direct in false true; do
		name="$manager, gpu_direct $direct"
		on="--set ssd.count=1 --set ssd.gpu_direct=$direct"
		why=''
		"$sim" run "$@" $on >"$tmp/one" 2>"$tmp/err" || why="exit $?: $(cat "$tmp/err")"
		"$sim" run "$@" $on >"$tmp/two" 2>/dev/null
		cmp -s "$tmp/one" "$tmp/two" || why="$why; two runs differ"
		read=$(number "$tmp/one" ssd_read_bytes) write=$(number "$tmp/one" ssd_write_bytes)
		[ "${read:-0}" -gt 0 ] && [ "${write:-0}" -gt 0 ] || why="$why; read ${read:-?} and wrote ${write:-?} bytes"
		verdict "$name: a job larger than device and host runs" "$why"
		why=''
		peak=$(number "$tmp/one" dram_peak_bytes)
		[ "${peak:-0}" -gt 0 ] && [ "${peak:-0}" -le $((2 << 20)) ] || why="$peak bytes of host memory were taken"
		[ $manager != uvm ] && [ "${peak:-0}" -gt $((1 << 20)) ] && why="$peak bytes of host memory were taken"
		verdict "$name: host memory holds" "$why"
	done
	rc=0
	"$sim" run "$@" --set ssd.count=0 >"$tmp/out" 2>"$tmp/err" || rc=$?
	why=''
	[ $rc = 1 ] || why="exit $rc"
	grep -q "$manager: host memory is full: .*ssd.count: 1" "$tmp/err" || why="$why; $(cat "$tmp/err")"
	verdict "$manager: without an SSD it ends, and says so" "$why"
	rc=0
	"$sim" run "$@" --set ssd.count=1 --set ssd.capacity='64 KiB' >"$tmp/out" 2>"$tmp/err" || rc=$?
	why=''
	[ $rc = 1 ] || why="exit $rc"
	grep -q "$manager: host memory .* the SSD's 65536 bytes" "$tmp/err" || why="$why; $(cat "$tmp/err")"
	verdict "$manager: a full SSD ends it, and says so" "$why"
done
