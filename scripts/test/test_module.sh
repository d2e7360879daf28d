#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# test_module.sh - gmemsim module: logs of gmem.ko, and traces as programs
#
# failing.oplog was recorded in Linux 6.12: 120 operations, failures among them.
set -u
cd "$(dirname "$0")/../.."
gmemsim=$PWD/${GMEMSIM:-build/gmemsim}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
log=kernel-core/linux/test/sample/failing.oplog
decided=kernel-core/linux/test/sample/failing.decisions

# is NAME STATUS COMMAND...  its exit status; what it says is in $tmp/out
is() {
	local name=$1 status=$2 got=0
	shift 2
	"$@" >"$tmp/out" 2>&1 </dev/null || got=$?
	if [ $got = "$status" ]; then
		echo "ok $name"
	else
		echo "not ok $name"
		echo "# exit $got: $(head -c 300 "$tmp/out")"
	fi
}
says() { # NAME TEXT
	if grep -q -- "$2" "$tmp/out"; then echo "ok $1"; else echo "not ok $1: $(head -c 300 "$tmp/out")"; fi
}
patch() { printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null; }

# ---- logs --------------------------------------------------------------------
is 'a log of a real kernel gives its decisions' 0 "$gmemsim" module replay $log --expect $decided
is '... which can be written' 0 "$gmemsim" module replay $log --decisions "$tmp/d"
is '... and are the same bytes' 0 cmp "$tmp/d" $decided
tail -n 20 $decided >"$tmp/ring"
is 'a ring that lost its first decisions is compared from there on' 0 \
	"$gmemsim" module replay $log --expect "$tmp/ring"

sed '30s/ -1 0 / 0 -1 /; 30s/ 0 -1 / -1 0 /' $decided | sed '40s/^\([0-9]*\) ./\1 f/' >"$tmp/other"
is 'another decision is found' 1 "$gmemsim" module replay $log --expect "$tmp/other"
says '... and named by line and byte' 'other:[34]0 (byte [0-9]*): the kernel decided'
head -n 10 $decided >"$tmp/short"
is 'fewer decisions are a difference' 1 "$gmemsim" module replay $log --expect "$tmp/short"

cp $log "$tmp/log" && patch "$tmp/log" 56 'fifo\0'
is 'another evictor decides otherwise' 1 "$gmemsim" module replay "$tmp/log" --expect $decided
cp $log "$tmp/log" && patch "$tmp/log" $((88 + 32 * 100)) '\377'
is 'a damaged entry is refused' 2 "$gmemsim" module replay "$tmp/log"
says '... with its place' 'byte 3288: there is no call 255'
head -c 1000 $log >"$tmp/log"
is 'a cut entry is refused' 2 "$gmemsim" module replay "$tmp/log"
says '... with its place too' 'byte 984: the file ends in the middle'
cp $log "$tmp/log" && patch "$tmp/log" 36 '\003'
is 'a log that lost entries is refused' 2 "$gmemsim" module replay "$tmp/log"
says '... and tells the remedy' 'oplog='
is 'a trace is no log' 2 "$gmemsim" module replay traces/sample/resnet50.gmt
is 'a log tells its variant itself' 2 "$gmemsim" module replay $log --variant gmem+
is 'a log that is not there' 2 "$gmemsim" module replay "$tmp/none"

# ---- programs ----------------------------------------------------------------
is 'a trace becomes a program' 0 \
	"$gmemsim" module program traces/sample/resnet50.gmt --kernels 100 --prefetch -o "$tmp/p"
for v in gmem+ gmem-olk66 gmem-23.09; do
	for serial in 1 7; do
		"$gmemsim" module run "$tmp/p" --variant $v --serial $serial --decisions "$tmp/$v.$serial" --quiet
	done
	is "$v runs it" 0 test -s "$tmp/$v.1"
	is "$v decides the same twice" 0 "$gmemsim" module run "$tmp/p" --variant $v --serial 7 --expect "$tmp/$v.7"
done
is 'variants decide differently' 1 cmp "$tmp/gmem+.1" "$tmp/gmem-olk66.1"
is 'a smaller unit of the module changes addresses only' 0 \
	"$gmemsim" module program traces/sample/resnet50.gmt --kernels 100 --prefetch --unit '64 KiB' -o "$tmp/p64"
"$gmemsim" module run "$tmp/p64" --decisions "$tmp/d64" --quiet
is '... not one decision' 0 cmp <(cut -d' ' -f1,3- "$tmp/gmem+.1") <(cut -d' ' -f1,3- "$tmp/d64")

refused() { # NAME LINE...
	local name=$1
	shift
	{ echo 'gmem-program 1 unit 4096 frames 4 devices 1'; printf '%s\n' "$@"; } >"$tmp/bad"
	is "$name is refused" 2 "$gmemsim" module run "$tmp/bad"
	says "... with its line" "bad:$(($# + 1)): "
}
refused 'an unknown line' 'map 80000000 4' 'jump 80000000 4'
refused 'an access that is none' 'map 80000000 4' 'dev 0 80000000 4 x'
refused 'a device that is not there' 'dev 1 80000000 4 r'
refused 'half a unit' 'map 80000800 4'
refused 'a word too many' 'map 80000000 4 4'
refused 'a mapping on another' 'map 80000000 4' 'map 80002000 4'
refused 'more units than memory' 'map 80000000 200000000'
echo 'map 80000000 4' >"$tmp/bad"
is 'a program without its head is refused' 2 "$gmemsim" module run "$tmp/bad"
is 'what is no trace is refused' 2 "$gmemsim" module program kernel-core/linux/test/sample/failing.oplog
is 'no order is refused' 2 "$gmemsim" module run "$tmp/p" --serial 0
is 'no such variant' 2 "$gmemsim" module run "$tmp/p" --variant gmem
