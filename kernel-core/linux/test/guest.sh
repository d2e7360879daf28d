#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause
# guest.sh - init of the guest that tests gmem.ko; says what failed, then leaves
#
# /guest.conf sets PLAN (words of "plan" below, "all" for all) and the sizes.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t debugfs debug /sys/kernel/debug
. /guest.conf
D=/sys/kernel/debug/gmem
bad=0 sum=0 logs=0 calls=0 lines=0

say() { echo "guest: $*"; }
wrong() { say "FAILED: $*"; bad=1; }
load() { insmod /gmem.ko $* || wrong "insmod $*"; }
unload() {
	[ "$(cat $D/check)" = ok ] || wrong "$(cat $D/check)"
	rmmod gmem || wrong "rmmod"
}
# Real concurrency where it matters; one processor is faster where it does not, for
# an idle one is the host's to wake.
cpus() {
	f=/sys/devices/system/cpu/cpu1/online
	[ ! -e $f ] || echo $(($1 - 1)) >$f
}
t() { gm_test "$@" || wrong "gm_test $*"; }

# A log of the test $1..., replayed outside the kernel, gives the same decisions.
compare() {
	"$@" >/test.out 2>&1 || { cat /test.out; wrong "$*"; }
	cat $D/oplog >/oplog
	cat $D/decisions >/decisions
	if gm_replay /oplog >/replayed 2>/replay.err && cmp -s /decisions /replayed; then
		logs=$((logs + 1)) calls=$((calls + $(sed 's/.*: \([0-9]*\) calls.*/\1/' /replay.err)))
		lines=$((lines + $(wc -l </decisions)))
	else
		cat /replay.err
		cmp /decisions /replayed
		keep different
		wrong "replay of $* with $(cat /sys/module/gmem/parameters/variant) $(cat /sys/module/gmem/parameters/evictor)"
	fi
}
# The last log goes to the host, where gmemsim replays it.
keep() { mkdir -p /keep && cp /oplog /keep/$1.oplog && cp /decisions /keep/$1.decisions; }
send() {
	[ -d /keep ] || return
	stty raw -echo -F /dev/ttyS1
	(cd /keep && tar -cz -f - .) >/dev/ttyS1
}

plan_data() {
	cpus 2
	load hbm=134217728
	t turns $TURNS_MIB 4 $TURNS_ROUNDS
	unload
	load hbm=33554432 devices=2 variant=gmem+
	t turns 96 4 1
	unload
	load hbm=33554432 variant=gmem-23.09
	t turns 96 4 1
	unload
	load hbm=33554432 variant=gmem-olk66 unit=65536
	t turns 48 4 1
	unload
}
plan_maps() {
	cpus 2
	load hbm=33554432
	t ioctl
	t maps
	t huge
	t signals
	t oom
	unload
	load hbm=1048576 unit=4096
	t ioctl
	t maps
	unload
	load hbm=4194304 devices=2
	t other
	unload
}
plan_cost() {
	cpus 1
	sleep $SETTLE # what booting leaves to be done is not to be counted
	load hbm=33554432
	t cost
	unload
	load hbm=1048576 unit=4096 oplog=20000
	compare gm_test cost
	cat /test.out
	keep cost
	unload
}
plan_example() {
	cpus 2
	load hbm=67108864
	example 12 4 2 || wrong "example"
	unload
}
plan_fail() {
	cpus 1
	load hbm=524288 unit=65536 devices=2
	t fail $FAILS $((FAIL_STEP * 3))
	unload
	for v in gmem+ gmem-olk66 gmem-23.09; do
		load hbm=1048576 unit=65536 variant=$v
		t fail $FAILS $FAIL_STEP
		unload
	done
}
plan_kill() {
	cpus 2
	for v in gmem+ gmem-olk66 gmem-23.09; do
		load hbm=1048576 unit=65536 variant=$v latency_ns=200000
		t kill $KILLS
		unload
	done
}
# One log of each kind, variant and evictor; serial=$1.
equal_logs() {
	for v in gmem+ gmem-olk66 gmem-23.09; do
		for e in $EVICTORS; do
			for kind in $KINDS; do
				load hbm=131072 unit=4096 variant=$v evictor=$e seed=$seed serial=$1 \
					oplog=$((OPS * 20 + 20000)) decisions=$((OPS * 6 + 6000)) latency_ns=0 msg_latency_ns=0
				compare gm_test ops $seed $OPS $kind
				[ $kind$e != failinglru ] || keep $v-$1
				unload
			done
		done
	done
}
plan_equal() {
	cpus 1
	for seed in $SEEDS; do
		for serial in $SERIALS; do
			# 1: in order, anything else: an order of its own for each seed
			[ $serial -lt 2 ] && equal_logs $serial || equal_logs $((serial * seed))
		done
		load hbm=65536 unit=4096 devices=2 seed=$seed oplog=$((OPS * 20 + 20000)) decisions=$((OPS * 6 + 6000))
		compare gm_test ops $seed $OPS random
		unload
		say "equal: seed $seed, $logs logs, $calls calls, $lines decisions so far"
	done
	for v in gmem+ gmem-olk66 gmem-23.09; do
		load hbm=1048576 unit=65536 variant=$v prefetcher=stride oplog=300000 decisions=100000
		compare gm_test turns 4 4 2
		unload
	done
	# and a replay by another evictor would be found out (gm_log_head.evictor)
	load hbm=131072 unit=4096 evictor=lru oplog=300000 decisions=100000
	compare gm_test ops 5 300 random
	unload
	printf 'fifo\0' | dd of=/oplog bs=1 seek=56 conv=notrunc 2>/dev/null
	gm_replay /oplog >/replayed 2>/dev/null && cmp -s /decisions /replayed && wrong "any replay will do"
	say "equal: $logs logs, $calls calls of the core, $lines decisions: no difference"
}
# A trace's program decides here what the simulator decided when it ran it.
plan_trace() {
	cpus 1
	traces=0 made=0
	for f in /programs/*.prog; do
		# gmem-program 1 unit BYTES frames N devices N
		set -- $(head -1 $f)
		for expected in $f.*; do
			serial=${expected##*.} v=${expected#$f.} v=${v%.*}
			load unit=$4 hbm=$(($4 * $6)) devices=$8 variant=$v serial=$serial seed=1 \
				decisions=200000 oplog=1000000
			compare gm_test trace $f
			if cmp $expected /decisions; then
				traces=$((traces + 1)) made=$((made + $(wc -l <$expected)))
			else
				wrong "${f##*/} with $v decides otherwise than in the simulator"
			fi
			unload
		done
	done
	say "trace: $traces runs of traces, $made decisions: as in the simulator"
}
plan_fuzz() {
	cpus 2
	load hbm=16777216
	t fuzz $FUZZ $FUZZ_SEED
	unload
	for v in gmem+ gmem-olk66 gmem-23.09; do
		load hbm=1048576 unit=65536 variant=$v devices=2 latency_ns=20000
		t fuzz $FUZZ $FUZZ_SEED
		unload
	done
}
plan_leak() {
	cpus 1
	load hbm=1048576 unit=65536
	unload
	before=$(awk '/^Slab:|^VmallocUsed:/ { n += $2 } END { print n }' /proc/meminfo)
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		load hbm=1048576 unit=65536
		gm_test turns 4 2 1 >/dev/null || wrong "turns"
		unload
	done
	after=$(awk '/^Slab:|^VmallocUsed:/ { n += $2 } END { print n }' /proc/meminfo)
	say "leak: slab and vmalloc $before kB, after 20 rounds $after kB"
	[ $after -lt $((before + 1024)) ] || wrong "memory is lost"
}
# For a kernel that lets its allocations fail.
plan_inject() {
	cpus 2
	t load "hbm=262144 unit=65536 devices=2" $INJECT_STEP
	for v in "gmem+ devices=2" gmem-olk66 gmem-23.09; do # which has one device only
		load hbm=524288 unit=65536 variant=$v
		t inject 2 $INJECT_STEP
		unload
	done
}
# Do they watch, those that make a kernel one for debugging?
watched() {
	dmesg | grep -q 'kasan: KernelAddressSanitizer initialized' || wrong "no KASAN"
	grep -q 'debug_locks: *1' /proc/lockdep_stats || wrong "lockdep is off"
	echo scan=off >$LEAKS
	echo scan >$LEAKS
	echo clear >$LEAKS # what booting left is not ours
}
# kmemleak does not look at what is younger than 5 s, nor believe its first look.
unwatched() {
	grep -q 'debug_locks: *1' /proc/lockdep_stats || wrong "lockdep went off"
	sleep 6
	echo scan >$LEAKS || wrong "kmemleak went off"
	echo scan >$LEAKS
	cat $LEAKS
	[ -z "$(cat $LEAKS)" ] || wrong "kmemleak"
	say "watched by KASAN, lockdep, kmemleak"
}

LEAKS=/sys/kernel/debug/kmemleak
COMPLAINTS='BUG|WARNING|KASAN|UBSAN|Oops|gmem: leak|possible circular|unreferenced|hung'
# an allocation that was made to fail may leave a trace of calls
[ -e $LEAKS ] || COMPLAINTS="$COMPLAINTS|Call Trace"
say "$(uname -r), up $(cut -d' ' -f1 /proc/uptime) s"
[ "$PLAN" = all ] && PLAN="maps cost data example fail kill equal trace fuzz leak"
[ ! -e $LEAKS ] || watched
for p in $PLAN; do
	s=$(cut -d. -f1 /proc/uptime) sum=$((sum | bad)) bad=0
	plan_$p
	[ $bad = 0 ] && word=ok || word="not ok"
	say "$word $p, $(($(cut -d. -f1 /proc/uptime) - s)) s"
done
sum=$((sum | bad)) bad=0
[ ! -e $LEAKS ] || unwatched
dmesg | grep -E "$COMPLAINTS" && wrong "the kernel complains" && dmesg | tail -80
[ $bad = 0 ] && say "ok no complaints of the kernel" || say "not ok the kernel complains"
bad=$((bad | sum))
send
say "verdict $bad, up $(cut -d' ' -f1 /proc/uptime) s"
gm_test leave $bad
poweroff -f
