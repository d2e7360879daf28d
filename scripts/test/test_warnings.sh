#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A result that means nothing says so: each warning with its key and place, on stderr
# and in summary.json, and none where there is nothing to warn of.
set -u
cd "$(dirname "$0")/../.."
sim=$PWD/${GMEMSIM:-build/gmemsim}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
[ -x "$sim" ] || { echo "not ok $sim is not built"; exit 1; }

verdict() { # NAME REASON: ok without a reason
	[ -z "$2" ] && echo "ok $1" || { echo "not ok $1" && printf '%s\n' "$2" | sed 's/^/# /'; }
}

cat >"$tmp/job.yaml" <<END
workload:
  trace: $PWD/traces/sample/tiny.jsonl
  timing: roofline
  layout: caching
  iterations: 3
device:
  hbm:
    capacity_percent: 50 %
manager:
  type: gmem
  unit: 64 KiB
END

# warns NAME PATTERN ARGS...: just this warning, in both places; PATTERN "": none at all
warns() {
	local name=$1 pattern=$2 config=$tmp/job.yaml why='' told
	shift 2
	case ${1-} in *.yaml) config=$tmp/$1 && shift ;; esac
	rm -rf "$tmp/out"
	"$sim" run "$config" "$@" -o "$tmp/out" >/dev/null 2>"$tmp/err" </dev/null || why="exit $?"
	told=$(grep -c 'gmemsim: warning: ' "$tmp/err")
	if [ -z "$pattern" ]; then
		[ "$told" = 0 ] || why="$why; it warns"
		grep -q '"warnings": \[\]' "$tmp/out/summary.json" || why="$why; not empty in summary.json"
	else
		[ "$told" = 1 ] || why="$why; $told warnings"
		grep -qE "^gmemsim: warning: .*$pattern" "$tmp/err" || why="$why; nobody says /$pattern/"
		sed -n '/"warnings": \[$/,/\]/p' "$tmp/out/summary.json" | grep -qE "$pattern" || why="$why; not in summary.json"
	fi
	verdict "$name" "$why${why:+
$(cat "$tmp/err")}"
}

warns 'a run that is in need of memory has no warning' ''
warns 'what fits is said' "capacity_percent=100 %: the job's 4 MiB fit" --set device.hbm.capacity_percent='100 %'
warns 'ideal is never in need of memory' '' --set manager.type=ideal --set device.hbm.capacity_percent='100 %'
warns 'a warm-up longer than the replay is said' 'workload.warmup=3: 3 iterations .* only 3' --set workload.warmup=3
warns 'a warm-up within the replay is none' '' --set workload.warmup=2
warns 'a link above its generation is said' 'link.h2d.bandwidth=32 GB/s: .*PCIe 4 x16 carries \(31.508' --set link.h2d.bandwidth='32 GB/s'
warns 'the same link on an H100 is none' '' --set link.h2d.bandwidth='32 GB/s' --set device.name=H100
warns 'memory above its peak is said' 'device.hbm.bandwidth=1600 GB/s: .*A100-40' --set device.hbm.bandwidth='1600 GB/s'
warns 'an unknown device is measured by the fastest' 'device.hbm.bandwidth=9 TB/s: .*fastest' \
	--set device.name=mine --set device.hbm.bandwidth='9 TB/s'
for machine in configs/machine/*.yaml; do
	printf 'base: [%s, %s]\n' "$PWD/$machine" "$tmp/job.yaml" >"$tmp/machine.yaml"
	warns "${machine##*/} is plausible" '' machine.yaml
done

# ---- keys that nothing reads -----------------------------------------------------------
cat >"$tmp/uvm.yaml" <<END
base: job.yaml
manager:
  type: uvm
  evictor: clock
device: {hbm: {capacity: 2 MiB, capacity_percent: 0 %}}
END
warns 'a key for another manager is said at its place' 'uvm.yaml:4:12: manager.evictor: nothing reads it; it takes manager.type: gmem or policy' uvm.yaml
printf 'base: [%s, job.yaml]\nmanager: {type: uvm}\ndevice: {hbm: {capacity: 2 MiB, capacity_percent: 0 %%}}\n' \
	"$PWD/configs/manager/gmem-23.09.yaml" >"$tmp/over.yaml"
warns 'what an overruled base says of its manager is no mistake' '' over.yaml --set manager.prefetcher=hints
warns 'nor what a file says whose manager --set overrules' '' --set manager.type=ideal
unread() { # KEY ONE OTHER SETS...: it is said, and it is true: both values give the same
	local key=$1 one=$2 other=$3 args=() s results=()
	shift 3
	for s in "$@"; do args+=(--set "$s"); done
	warns "$key is not read: $*" "$key=.*: nothing reads it" "${args[@]}" --set "$key=$one"
	for s in "$one" "$other"; do
		results+=("$("$sim" run "$tmp/job.yaml" "${args[@]}" --set "$key=$s" --json --quiet 2>/dev/null </dev/null |
			sed -n '/^\t"result"/,/^\t"warnings"/p' | cksum)")
	done
	[ "${results[0]}" = "${results[1]}" ] && s='' || s="$one and $other differ"
	verdict "$key is not read indeed: $*" "$s"
}
unread manager.variant gmem-23.09 gmem-olk66 manager.type=policy
unread manager.uvm.perf_fault_batch_count 1 64 manager.type=gmem
unread manager.gmem.batch_max 1 8 manager.type=policy
unread manager.gmem.next_n 1 8 manager.prefetcher=tree
unread manager.gmem.stride_degree 1 8 manager.prefetcher=next-n
unread manager.gmem.stride_confirm 1 8 manager.prefetcher=next-n
unread manager.gmem.tree_region '128 KiB' '1 MiB' manager.prefetcher=none
unread manager.gmem.tree_threshold '10 %' '90 %' manager.prefetcher=stride
unread manager.gmem.thrash_share '1 %' '90 %' manager.variant=gmem-olk66
unread manager.gmem.thrash_lease '1 %' '900 %' manager.gmem.thrash_damping=off
unread manager.gmem.wmark_low '64 KiB' '512 KiB' manager.gmem.background=off
unread manager.gmem.wmark_high '64 KiB' '512 KiB' manager.variant=gmem-olk66
unread manager.gmem.evict_groups 1 8 manager.gmem.async_evict=off
unread manager.gmem.batch_max 1 8 manager.gmem.batching=off
unread manager.gmem.fault_groups 1 8 manager.gmem.batching=off
unread workload.hint_depth 1 8 workload.hints=false
unread workload.scale 2 3 workload.timing=roofline

# ---- advice that a manager does not know -------------------------------------------------
awk '{print} /"alloc","t":0,/{print "{\"ev\":\"advice\",\"advice\":\"read_mostly\",\"t\":0,\"bytes\":64}"}' \
	traces/sample/tiny.jsonl >"$tmp/advised.jsonl"
warns 'advice that the manager does not know is said' 'workload.trace=.*gmem does not know read_mostly: it is ignored' \
	--set workload.trace="$tmp/advised.jsonl"
warns 'advice that it knows is none' '' --set workload.trace="$tmp/advised.jsonl" --set manager.type=uvm \
	--set device.hbm.capacity_percent='0 %' --set device.hbm.capacity='2 MiB'
warns 'a discard that nobody hears is said' 'workload.on_free=discard: svm does not know free_eager' \
	--set workload.on_free=discard --set manager.type=svm --set manager.svm.default_granularity=4

# ---- sweeps ----------------------------------------------------------------------------
sweeps() { # NAME PATTERN PERCENTS SET: as warns(), of a sweep over two managers
	local name=$1 pattern=$2 why=''
	cat >"$tmp/sweep.yaml" <<-END
		base: job.yaml
		manager: {$4}
		sweep:
		  axes:
		    - hbm_percent: [$3]
		    - key: manager.type
		      values: [ideal, gmem]
	END
	rm -rf "$tmp/out"
	"$sim" sweep "$tmp/sweep.yaml" -j 2 -o "$tmp/out" >/dev/null 2>"$tmp/err" </dev/null || why="exit $?"
	if [ -z "$pattern" ]; then
		! grep -q warning "$tmp/err" || why="$why; it warns"
		grep -q '"warnings": \[\]' "$tmp/out/sweep.json" || why="$why; not empty in sweep.json"
	else
		[ "$(grep -c 'gmemsim: warning: ' "$tmp/err")" = 1 ] || why="$why; not one warning"
		grep -qE "warning: .*$pattern" "$tmp/err" || why="$why; nobody says /$pattern/"
		grep -qE "^\s*\".*$pattern" "$tmp/out/sweep.json" || why="$why; not in sweep.json"
	fi
	verdict "$name" "$why${why:+
$(cat "$tmp/err")}"
}
sweeps 'a sweep that begins where all fits has no warning' '' '100, 50' ''
sweeps 'a sweep in which all fits says so' 'fit, memory is never short.* \(2 of 4 points\)' '100, 200' ''
sweeps 'a key that no point reads is said' 'manager.uvm.cost.irq: nothing reads it.* \(1 of 2 points\)' '50' 'uvm: {cost: {irq: 9 us}}'
sweeps 'a key that some points read is none' '' '50' 'evictor: clock'
