#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Sweeps that last: killed at any moment they resume to the same bytes; points that
# crash, hang or cannot be written; two sweeps in one folder; what is left behind.
# KILLS=20 sets how often the sweep is killed, SEED when.
set -u
cd "$(dirname "$0")/../.."
sim=$PWD/${GMEMSIM:-build/gmemsim}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
[ -x "$sim" ] || { echo "not ok $sim is not built"; exit 1; }
kills=${KILLS:-20}
RANDOM=${SEED:-$$}
export ASAN_OPTIONS=${ASAN_OPTIONS:-}:handle_segv=0 # a crash is to end as in a plain build
: >"$tmp/err"

verdict() { # NAME REASON: ok without a reason
	if [ -z "$2" ]; then
		echo "ok $1"
	else
		echo "not ok $1"
		printf '%s\n' "$2" "--- said:" "$(head -c 2000 "$tmp/err")" | sed 's/^/# /'
	fi
}

sweep() { # DIR ARGS...
	local dir=$1
	shift
	"$sim" sweep "$tmp/sweep.yaml" -j 2 --quiet -o "$dir" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
}

same() { # DIR: like the undisturbed sweep, file by file?
	diff -r "$tmp/whole" "$1" >"$tmp/diff" 2>&1 || { head -n 5 "$tmp/diff"; false; }
}

running() { # PID: its points, once there is one (not those that are about to exit)
	local i pids
	for i in $(seq 200); do
		pids=$(cat "/proc/$1/task/$1/children" 2>/dev/null)
		[ -z "$pids" ] || { echo "$pids"; return; }
		sleep 0.01
	done
}

cat >"$tmp/sweep.yaml" <<END
workload:
  trace: $PWD/traces/sample/tiny.jsonl
  timing: roofline
  layout: caching
  iterations: 3
manager:
  unit: 64 KiB
sweep:
  axes:
    - hbm_percent: [100, 70, 50, 40]
    - name: policy
      cases:
        - {label: uvm, set: {manager.type: uvm}}
        - {label: static, set: {manager.type: static}}
        - {label: "gmem+", set: {manager.type: gmem}}
END

# ---- killed at any moment ------------------------------------------------------
begin=$(date +%s%N)
sweep "$tmp/whole" && why='' || why='it failed'
whole_ns=$(($(date +%s%N) - begin))
[ "$(ls "$tmp/whole")" = "points
sweep.csv
sweep.json" ] || why="$why; it holds $(ls "$tmp/whole" | tr '\n' ' ')"
verdict 'an undisturbed sweep leaves its results and no lock' "$why"

why='' unfinished=0
for i in $(seq "$kills"); do
	"$sim" sweep "$tmp/sweep.yaml" -j 2 --quiet -o "$tmp/killed" >/dev/null 2>&1 &
	pid=$!
	sleep "$(awk -v ns=$whole_ns -v r=$RANDOM 'BEGIN { print ns * r / 32768 / 1.2e9 }')"
	kill -KILL $pid 2>/dev/null
	wait $pid 2>/dev/null
	[ -e "$tmp/killed/sweep.csv" ] || unfinished=$((unfinished + 1))
	sweep "$tmp/killed" --resume || why="$why; kill $i: cannot resume: $(head -n 1 "$tmp/err")"
	differs=$(same "$tmp/killed") || why="$why; kill $i: $differs"
	[ -z "$(find "$tmp/killed" -name '.*')" ] || why="$why; kill $i: leftovers"
	rm -rf "$tmp/killed"
done
[ $unfinished -ge $((kills / 4)) ] || why="$why; only $unfinished of $kills kills came in time"
verdict "killed $kills times ($unfinished unfinished), resumed to the same bytes" "$why"

# ---- failed points ----------------------------------------------------------------
why=''
cp -r "$tmp/whole" "$tmp/again" && rm "$tmp/again/sweep.csv" "$tmp/again"/points/0000.*
touch -d 2001-01-01 "$tmp/again/points/0010.fail" "$tmp/again/points/0002.csv"
sweep "$tmp/again" --resume || why='it failed'
[ "$(stat -c %Y "$tmp/again/points/0010.fail")" -lt 1000000000 ] || why="$why; a failed point ran again"
verdict 'a resumed sweep keeps failed points and their reasons' "$why$(same "$tmp/again")"
sweep "$tmp/again" --retry-failed && why='' || why='it failed'
[ "$(stat -c %Y "$tmp/again/points/0010.fail")" -gt 1000000000 ] || why="$why; a failed point did not run again"
[ "$(stat -c %Y "$tmp/again/points/0002.csv")" -lt 1000000000 ] || why="$why; a finished point ran again"
verdict '--retry-failed runs those again, and no others' "$why$(same "$tmp/again")"

stuck() { # SIGNAL ARGS...: a sweep whose first point gets SIGNAL
	local signal=$1 pid point
	shift
	rm -rf "$tmp/stuck"
	"$sim" sweep "$tmp/sweep.yaml" -j 1 -o "$tmp/stuck" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null &
	pid=$!
	point=$(running $pid)
	kill "-$signal" $point 2>/dev/null
	wait $pid
}
why=''
for try in 1 2 3 4 5; do
	stuck SEGV
	grep -q 'failed,killed by signal 11' "$tmp/stuck/sweep.csv" && break
done
grep -q '^[0-9]*,.*,failed,killed by signal 11 (Segmentation fault),' "$tmp/stuck/sweep.csv" || why='no such row'
[ "$(grep -c ',done,' "$tmp/stuck/sweep.csv")" -ge 7 ] || why="$why; others were lost"
grep -q 'killed by signal 11' "$tmp/out" || why="$why; the reason is not listed"
grep -q -- '--retry-failed' "$tmp/out" || why="$why; no remedy"
verdict 'a point that crashes is a row with its reason' "$why"
"$sim" sweep "$tmp/sweep.yaml" --retry-failed --quiet -o "$tmp/stuck" >"$tmp/out" 2>"$tmp/err"
! grep -q 'signal 11' "$tmp/stuck/sweep.csv" && why='' || why='still failed'
[ -z "$(ls "$tmp/stuck/points" | grep -E '0000.(fail|log)')" ] || why="$why; old reasons are left"
verdict 'what crashed is well when retried' "$why"
why=''
for try in 1 2 3 4 5; do
	stuck STOP --timeout '1 s'
	grep -q 'took longer' "$tmp/stuck/sweep.csv" && break
done
grep -q ',failed,took longer than 1 s (--timeout),' "$tmp/stuck/sweep.csv" || why='no such row'
[ "$(grep -c ',done,' "$tmp/stuck/sweep.csv")" -ge 7 ] || why="$why; others were lost"
verdict 'a point that hangs is a row with its reason' "$why"

# ---- stopped, locked -----------------------------------------------------------------
rm -rf "$tmp/two"
"$sim" sweep "$tmp/sweep.yaml" -j 1 --quiet -o "$tmp/two" >/dev/null 2>"$tmp/first" &
pid=$!
kill -STOP $(running $pid) 2>/dev/null # the first goes no further
kill -STOP $pid
sweep "$tmp/two" && why='not refused' || why=''
grep -q "another sweep is at work in it (process $pid on " "$tmp/err" || why="$why; not said"
verdict 'two sweeps in one folder are refused' "$why"
disown $pid # no word of bash about it
kill -KILL $pid
while [ -e /proc/$pid/task/$pid/children ] && [ "$(cut -d" " -f3 /proc/$pid/stat 2>/dev/null)" != Z ]; do sleep 0.01; done
grep -q "process $pid on" "$tmp/two/sweep.lock" && why='' || why='no stale lock to test'
"$sim" sweep "$tmp/sweep.yaml" -j 2 --resume -o "$tmp/two" >/dev/null 2>"$tmp/err" || why="$why; it failed"
grep -q "an earlier sweep (process $pid on .*) was killed" "$tmp/err" || why="$why; not said"
verdict 'the lock of a killed sweep is void' "$why$(same "$tmp/two")"
rm -rf "$tmp/two"
"$sim" sweep "$tmp/sweep.yaml" -j 1 --quiet -o "$tmp/two" >/dev/null 2>"$tmp/err" &
pid=$!
running $pid >/dev/null
kill -TERM $pid
wait $pid
[ $? = 143 ] && why='' || why='the shell is not told'
grep -q 'stopped by a signal after [0-9]* of 12 points; with --resume' "$tmp/err" || why="$why; not said"
[ ! -e "$tmp/two/sweep.lock" ] || why="$why; the lock is left"
sweep "$tmp/two" --resume || why="$why; it cannot be resumed"
verdict 'SIGTERM stops a sweep, which can be resumed' "$why$(same "$tmp/two")"

# ---- disks ---------------------------------------------------------------------------
mkdir -p "$tmp/left/points" && sweep "$tmp/left"
gone=$(bash -c 'echo $$')
mkdir "$tmp/left/.x.tmp-$gone" && touch "$tmp/left/.x.tmp-$gone/f" "$tmp/left/points/.0001.csv.tmp-$gone"
touch "$tmp/left/points/.0001.csv.tmp-$$"
sweep "$tmp/left" --resume
[ "$(find "$tmp/left" -name '.*')" = "$tmp/left/points/.0001.csv.tmp-$$" ] && why='' || why=$(find "$tmp/left" -name '.*')
verdict 'leftovers go when their process is gone, and not before' "$why"
(ulimit -f 2; sweep "$tmp/full")
[ $? = 2 ] && why='' || why='exit status'
grep -q 'cannot write .*File too large; raise the limit' "$tmp/err" || why="$why; cause or remedy not said"
grep -q 'after 0 of 12 points; with --resume' "$tmp/err" || why="$why; no way on"
sweep "$tmp/full" --resume || why="$why; it cannot be resumed"
verdict 'files that cannot grow stop a sweep, which can be resumed' "$why$(same "$tmp/full")"
if [ "$(id -u)" = 0 ] && mkdir "$tmp/disk" && mount -t tmpfs -o size=64k none "$tmp/disk" 2>/dev/null; then
	sweep "$tmp/disk/sweep"
	[ $? = 2 ] && why='' || why='exit status'
	grep -q 'No space left on device; make room there' "$tmp/err" || why="$why; cause or remedy not said"
	mount -o remount,size=8m "$tmp/disk"
	sweep "$tmp/disk/sweep" --resume || why="$why; it cannot be resumed"
	why="$why$(same "$tmp/disk/sweep")"
	rm -rf "$tmp/disk/sweep"
	mount -o remount,ro "$tmp/disk"
	verdict 'a full disk stops a sweep, which resumes when there is room' "$why"
	sweep "$tmp/disk/sweep" && why='no error' || why=''
	grep -q 'Read-only file system; choose a place' "$tmp/err" || why="$why; cause or remedy not said"
	verdict 'a read-only place is said before anything runs' "$why"
	umount "$tmp/disk"
else
	echo "ok a full disk # SKIP no tmpfs may be mounted here"
	echo "ok a read-only place # SKIP no tmpfs may be mounted here"
fi
