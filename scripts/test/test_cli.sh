#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The command line: exit codes, messages, and that bad input writes nothing.
# One TAP line a case; the program is $GMEMSIM (build/gmemsim).
set -u
cd "$(dirname "$0")/../.."
sim=$PWD/${GMEMSIM:-build/gmemsim}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
[ -x "$sim" ] || { echo "not ok $sim is not built"; exit 1; }
sample=$PWD/traces/sample/tiny.jsonl
n=0

verdict() { # NAME REASON: ok without a reason
	n=$((n + 1))
	if [ -z "$2" ]; then
		echo "ok $1"
	else
		echo "not ok $1"
		printf '%s\n' "$2" "--- said:" "$(head -c 2000 "$tmp/err")" "--- printed:" \
			"$(head -c 1000 "$tmp/stdout")" | sed 's/^/# /'
	fi
}

# expect NAME CODE PATTERN ARGS...: the exit code, a line on stderr (or, for code
# 0, stdout) that matches, and no file written when it is not 0.
expect() {
	local name=$1 code=$2 pattern=$3 rc=0 why='' file
	shift 3
	rm -rf "$tmp/out" && mkdir "$tmp/out"
	"$sim" "$@" >"$tmp/stdout" 2>"$tmp/err" </dev/null || rc=$?
	file=$tmp/err
	[ "$code" = 0 ] && file=$tmp/stdout
	[ $rc = "$code" ] || why="exit $rc, not $code"
	[ -z "$pattern" ] || grep -qE -- "$pattern" "$file" || why="$why; nothing says /$pattern/"
	if [ "$code" != 0 ]; then
		[ -z "$(ls -A "$tmp/out")" ] || why="$why; written: $(ls -A "$tmp/out")"
		[ "$(grep -c '^gmemsim: ' "$tmp/err")" = 1 ] || why="$why; not one message"
	fi
	verdict "$name" "$why"
}

config() { # a configuration on stdin -> $tmp/NAME.yaml
	cat >"$tmp/$1.yaml"
}

config good <<END
workload:
  trace: $sample
  timing: roofline
  iterations: 2
device:
  hbm:
    capacity: 64 MiB
manager:
  type: ideal
END
good=$tmp/good.yaml
run() { # NAME CODE PATTERN ARGS...: `run` of the good configuration, with -o
	local name=$1 code=$2 pattern=$3
	shift 3
	expect "$name" "$code" "$pattern" run "$good" -o "$tmp/out/result" "$@"
}

# ---- the program --------------------------------------------------------------
expect 'no command is an error' 2 . nonsense-that-is-near-nothing
expect 'a command nearly right is suggested' 2 "did you mean 'sweep'" sweeep
expect 'a later command says so' 2 'later version' explain
expect 'version' 0 '^gmemsim [0-9]+\.[0-9]+\.[0-9]+ \(' --version
expect 'help teaches by examples' 0 'gmemsim run configs/exp/single.yaml' --help
expect 'run --help tells the exit codes' 0 '2 your input' run --help
expect 'run --help-config has the keys' 0 'capacity_percent' run --help-config
expect 'config --schema is a page' 0 '^\|' config --schema
expect 'list has managers' 0 '^  uvm ' list
expect 'list has policies' 0 '^  tree ' list
expect 'config shows defaults' 0 'capacity_units' config "$good"
expect 'run wants a configuration' 2 'which configuration' run

# ---- configurations -------------------------------------------------------------
config unknown <<END
workload:
  trace: $sample
  timming: roofline
END
expect 'an unknown key has position and near word' 2 'unknown.yaml:3:3: .*timing' run "$tmp/unknown.yaml" -o "$tmp/out/result"
config unit <<END
workload:
  trace: $sample
device:
  hbm:
    capacity: 40 GB/s
END
expect 'a wrong unit has its position' 2 'unit.yaml:5:15: ' run "$tmp/unit.yaml" -o "$tmp/out/result"
config bare <<END
workload:
  trace: $sample
device:
  hbm:
    capacity: 40
END
expect 'a bare number where a unit is due' 2 'bare.yaml:5:15: ' run "$tmp/bare.yaml" -o "$tmp/out/result"
expect 'a missing configuration' 2 'nowhere.yaml' run "$tmp/nowhere.yaml" -o "$tmp/out/result"
config yaml <<END
workload: {trace: [
END
expect 'broken YAML has its position' 2 'yaml.yaml:[0-9]+:[0-9]+: ' run "$tmp/yaml.yaml" -o "$tmp/out/result"
run 'an unknown key in --set' 2 'manager.tipe' --set manager.tipe=uvm
run 'an unknown manager' 2 "no 'uvmm'; did you mean 'uvm'" --set manager.type=uvmm
run 'an unknown evictor' 2 "no 'lruu'; did you mean 'lru'" --set manager.evictor=lruu
run 'HBM of 0' 2 'device.hbm.capacity' --set device.hbm.capacity='0 B'
run 'a unit larger than HBM' 2 'unit' --set manager.type=gmem --set manager.unit='1 GiB'
run 'no trace' 2 'workload.trace' --set workload.trace=

# ---- traces -----------------------------------------------------------------------
run 'a generated job needs no file' 0 . --trace "gen:gpt2 --batch 1 --seq 8" --set workload.timing=roofline
run 'a described job needs no file' 0 . --trace "gen:configs/model/gpt2.yaml --batch 1 --seq 8" --set workload.timing=roofline
run 'a generated job of no known network' 2 'configs/model/gpt9.yaml' --trace gen:gpt9
run 'a generated job with a wrong option' 2 'unknown option --bathc' --trace "gen:gpt2 --bathc 1"
run 'a generated job is no file' 2 'no files' --trace "gen:gpt2 -o x"
run 'a missing trace' 2 'nowhere.gmt' --trace "$tmp/nowhere.gmt"
"$sim" trace import jsonl "$sample" -o "$tmp/tiny.gmt" >"$tmp/stdout" 2>"$tmp/err" </dev/null ||
	verdict 'import makes a .gmt' "exit $?"
touch "$tmp/.tiny.gmt.tmp-$(bash -c 'echo $$')" # as a killed import leaves it
"$sim" trace import jsonl "$sample" -o "$tmp/tiny.gmt" >"$tmp/stdout" 2>"$tmp/err" </dev/null
[ -z "$(find "$tmp" -name '.tiny*')" ] && why='' || why="$(find "$tmp" -name '.tiny*')"
verdict 'what a killed import left goes with the next' "$why"
size=$(stat -c %s "$tmp/tiny.gmt" 2>/dev/null || echo 0)
run 'a .gmt runs' 0 'slowdown' --trace "$tmp/tiny.gmt"
for keep in 4 $((size / 2)) $((size - 1)); do
	head -c $keep "$tmp/tiny.gmt" >"$tmp/short.gmt" 2>/dev/null
	run "a trace cut to $keep of $size bytes" 2 'short.gmt: offset [0-9]+: .*(truncat|damage|end)' --trace "$tmp/short.gmt"
done
flip() { # OFFSET: the trace with one bit of that byte flipped
	cp "$tmp/tiny.gmt" "$tmp/flip.gmt"
	local byte
	byte=$(od -An -tu1 -j "$1" -N1 "$tmp/tiny.gmt")
	printf "\\x$(printf %02x $((byte ^ 4)))" |
		dd of="$tmp/flip.gmt" bs=1 seek="$1" conv=notrunc 2>/dev/null
}
for at in $((size / 3)) $((size / 2)) $((size * 4 / 5)); do
	flip $at
	run "a bit flipped at $at of $size" 2 'flip.gmt: .*offset [0-9]+: ' --trace "$tmp/flip.gmt"
done
cp "$tmp/tiny.gmt" "$tmp/future.gmt"
printf '\xff' | dd of="$tmp/future.gmt" bs=1 seek=8 conv=notrunc 2>/dev/null # major version
run 'a trace from a future version' 2 'future.gmt: .*newer gmemsim: format 255' --trace "$tmp/future.gmt"
printf 'not a trace at all\n' >"$tmp/text.gmt"
run 'a file that is no trace' 2 'text.gmt' --trace "$tmp/text.gmt"

# ---- runs ---------------------------------------------------------------------------
run 'static that does not fit exits 1' 1 'short' --set manager.type=static --set device.hbm.capacity='1 MiB'
run 'a run prints its slowdown' 0 'slowdown 1.000'
why=''
for f in summary.json summary.csv iterations.csv kernels.csv tensors.csv series.csv; do
	[ -s "$tmp/out/result/$f" ] || why="$why $f is missing"
done
[ "$(ls -A "$tmp/out")" = result ] || why="$why left over: $(ls -A "$tmp/out")"
verdict 'a run writes its directory and nothing else' "$why"
run 'quiet prints nothing' 0 '' --quiet
[ ! -s "$tmp/stdout" ] && why='' || why='something was printed'
verdict 'quiet is quiet' "$why"
run 'json on stdout' 0 '"schema": 1' --json
cmp -s "$tmp/stdout" "$tmp/out/result/summary.json" && why='' || why='they differ'
verdict 'json on stdout is summary.json' "$why"
if command -v python3 >/dev/null; then
	python3 -c 'import json,sys; d = json.load(open(sys.argv[1])); i = d["result"]["iterations"][0]
for k in "time_ps kernel_ps stall_ps faults prefetched_bytes h2d_bytes d2h_bytes evictions misses touches stall_by".split(): i[k]
for k in "provenance config result stats".split(): d[k]
for k in "manager slowdown ideal_ps total_ps hbm_peak_bytes".split(): d["result"][k]' \
		"$tmp/stdout" 2>"$tmp/err" && why='' || why='a key is missing'
	verdict 'summary.json has the keys of the contract' "$why"
fi

two=$PWD/traces/test/two_devices.jsonl
run 'two devices share a space under gmem+' 0 'slowdown' --trace "$two" --set device.count=2 \
	--set manager.type=gmem --set sim.check=true
for variant in gmem-23.09 gmem-olk66; do
	run "two devices are refused by $variant" 1 'the job has 2' --trace "$two" \
		--set device.count=2 --set manager.type=gmem --set manager.variant=$variant
done
run 'more devices than the machine has' 2 'device.count' --trace "$two"

same() { # NAME ARGS...: two runs give the same files
	local name=$1
	shift
	rm -rf "$tmp/one" "$tmp/two"
	"$sim" run "$good" "$@" --quiet -o "$tmp/one" 2>"$tmp/err" &&
		"$sim" run "$good" "$@" --quiet -o "$tmp/two" 2>>"$tmp/err" &&
		diff -r "$tmp/one" "$tmp/two" >"$tmp/stdout" && why='' || why='they differ'
	verdict "$name" "$why"
}
same 'two runs under uvm are alike' --set manager.type=uvm --set device.hbm.capacity='2 MiB'
same 'two runs under gmem are alike' --set manager.type=gmem --set manager.unit='64 KiB' \
	--set device.hbm.capacity_percent='50 %'

# ---- sweeps ---------------------------------------------------------------------------
config sweep <<END
base: good.yaml
manager:
  unit: 64 KiB
sweep:
  axes:
    - hbm_percent: [100, 50]
    - name: policy
      cases:
        - {label: ideal, set: {manager.type: ideal}}
        - {label: static, set: {manager.type: static}}
        - {label: "gmem+", set: {manager.type: gmem}}
END
expect 'a sweep prints its table' 0 'gmem\+' sweep "$tmp/sweep.yaml" -j 1 -o "$tmp/out/one"
cp -r "$tmp/out/one" "$tmp/sweep-one" 2>/dev/null
expect 'a sweep with three workers' 0 'sweep.csv' sweep "$tmp/sweep.yaml" -j 3 -o "$tmp/out/three"
cmp -s "$tmp/sweep-one/sweep.csv" "$tmp/out/three/sweep.csv" && why='' || why='they differ'
verdict 'workers do not change sweep.csv' "$why"
grep -q 'static,failed,.*short' "$tmp/sweep-one/sweep.csv" 2>/dev/null && why='' || why='no such row'
verdict 'a point that fails is a row with its reason' "$why"
mkdir -p "$tmp/keep" && cp -r "$tmp/sweep-one/." "$tmp/keep" 2>/dev/null
rm -f "$tmp/keep/sweep.csv" "$tmp/keep/points/0002".*
touch -d '2001-01-01' "$tmp/keep/points/0000.csv" 2>/dev/null
"$sim" sweep "$tmp/sweep.yaml" --resume --quiet -o "$tmp/keep" >"$tmp/stdout" 2>"$tmp/err"
why=''
cmp -s "$tmp/keep/sweep.csv" "$tmp/sweep-one/sweep.csv" || why='sweep.csv differs'
[ "$(stat -c %Y "$tmp/keep/points/0000.csv")" = "$(date -d 2001-01-01 +%s)" ] || why="$why; point 0 ran again"
verdict 'a sweep resumes where it was' "$why"
expect 'slurm is of a later version' 2 'later version' sweep "$tmp/sweep.yaml" --engine slurm -o "$tmp/out/x"
expect 'nothing to sweep' 2 'no section .sweep' sweep "$good" -o "$tmp/out/x"
config axis <<END
base: good.yaml
sweep:
  axes:
    - key: device.hbm.capacitee
      values: [1 GiB]
END
expect 'an axis over an unknown key has its position' 2 'axis.yaml:4:12: ' sweep "$tmp/axis.yaml" -o "$tmp/out/x"
config case <<END
base: good.yaml
sweep:
  axes:
    - key: device.hbm.capacity
      values: [1 GiB, 2 GB/s]
END
expect 'a bad value on an axis stops before anything runs' 2 'device.hbm.capacity' sweep "$tmp/case.yaml" -o "$tmp/out/x"
mkdir -p "$tmp/precious" && touch "$tmp/precious/thesis.tex"
"$sim" sweep "$tmp/sweep.yaml" -o "$tmp/precious" >"$tmp/stdout" 2>"$tmp/err" && why='it did not refuse' || why=''
[ "$(ls "$tmp/precious")" = thesis.tex ] || why='it wrote there'
verdict 'a folder of other things is left alone' "$why"
echo "1..$n"
