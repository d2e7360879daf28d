# SPDX-License-Identifier: GPL-3.0-or-later
# kmod-lib.sh - a guest that tests gmem.ko; sourced by kmod-test.sh and kmod-debug.sh
#
# The caller sets top, work and src, and stands in top.

limit=${LIMIT:-600} # seconds that a guest may take on a busy machine

# tools COMMAND:PACKAGE...  ends the script, well, if one is missing
tools() {
	local tool
	for tool in "$@"; do
		if ! command -v ${tool%:*} >/dev/null; then
			echo "skipped: no ${tool%:*} (apt-get install --no-install-recommends ${tool#*:})"
			exit 0
		fi
	done
}

build_programs() {
	local w="-std=gnu11 -Wall -Wextra -Werror -Wvla -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-unused-parameter"
	local cc="gcc $w -O2 -static -I$src"
	make -s --no-print-directory SAN= FUZZ= CC=gcc all >$work/make.log 2>&1 ||
		{ tail -20 $work/make.log >&2; return 1; }
	$cc -Ikernel-core/replay -o $work/gm_test $src/test/gm_test*.c \
		kernel-core/replay/gm_program.c -lpthread
	$cc -I$src/lib -o $work/example $src/lib/example.c $src/lib/gmem.c -lpthread
	$cc -Ikernel-core -Ikernel-core/port/user -Ikernel-core/replay -o $work/gm_replay \
		$src/test/gm_replay.c build/{replay,core,port}.a
}

# Traces as programs, and what the simulator decides in them: NAME.prog, then
# NAME.prog.VARIANT.SERIAL
build_traces() {
	local to=$work/programs trace p v serial
	rm -rf $to
	mkdir -p $to
	for trace in ${TRACES:-resnet50 gpt2-small}; do
		p=$to/$trace.prog
		build/gmemsim module program traces/sample/$trace.gmt -o $p \
			--kernels "${KERNELS:-150}" --prefetch --free-eager
		for v in gmem+ gmem-olk66 gmem-23.09; do
			for serial in 1 7; do
				build/gmemsim module run $p --quiet --variant $v --serial $serial \
					--decisions $p.$v.$serial
			done
		done
	done
}

# initrd OUT MODULE
initrd() {
	local root=$1.root
	rm -rf $root
	mkdir -p $root/bin $root/dev $root/proc $root/sys
	cp "$(command -v busybox)" $root/bin/busybox
	cp $work/gm_test $work/gm_replay $work/example $root/bin/
	cp -r $work/programs $root/programs
	cp "$2" $root/gmem.ko
	cp $src/test/guest.sh $root/init
	chmod +x $root/init
	cat >$root/guest.conf <<-E
		PLAN="${PLAN:-all}" OPS=${OPS:-300} SEEDS="${SEEDS:-1}" KINDS="${KINDS:-random failing}"
		EVICTORS="${EVICTORS:-fifo lru clock lfu arc s3fifo random}" SERIALS="${SERIALS:-0 2}"
		FAILS=${FAILS:-10} FAIL_STEP=${FAIL_STEP:-1} KILLS=${KILLS:-40}
		FUZZ=${FUZZ:-1} FUZZ_SEED=${FUZZ_SEED:-1} TURNS_MIB=${TURNS_MIB:-512} TURNS_ROUNDS=${TURNS_ROUNDS:-1} INJECT_STEP=${INJECT_STEP:-5} SETTLE=${SETTLE:-0}
	E
	(cd $root && find . | cpio -o -H newc --quiet) >"$1"
	rm -rf $root
}

boot() {
	timeout $limit qemu-system-x86_64 -accel tcg,thread=$([ -n "${ICOUNT:-}" ] && echo single || echo multi) ${ICOUNT:+-icount $ICOUNT} \
		-cpu ${CPU:-max,-erms,-fsrm} -smp ${SMP:-2} -m 1536 \
		-nodefaults -no-user-config -display none -no-reboot \
		-device isa-debug-exit,iobase=0xf4,iosize=4 \
		-kernel "$1" -initrd "$2" -serial file:"$3" -serial file:"$3.logs" \
		-append "console=ttyS0 panic=-1 oops=panic quiet loglevel=4 ${APPEND:-}"
}

# replay LOG NAME  what the guest has sent decides the same in gmemsim
replay() {
	local dir=$1.sent log n=0
	rm -rf $dir
	mkdir -p $dir
	tar -xz -C $dir -f $1.logs 2>/dev/null || return 0 # nothing was recorded
	for log in $dir/*.oplog; do
		if ! build/gmemsim module replay $log --expect ${log%.oplog}.decisions --quiet; then
			echo "not ok $2: gmemsim replays $log"
			return 1
		fi
		n=$((n + 1))
	done
	echo "ok $2: gmemsim replays $n logs"
}

# heard NAME STATUS LOG  what a guest said, and whether it was content
heard() {
	grep -a '^guest: \|^gm_test: \|^cost: \|: ok, ' $3 | tr -d '\r' | sed "s/^/$1  /" || :
	if [ $2 -ne 1 ]; then # 2 * 0 + 1
		tail -60 $3 | tr -d '\r' >&2
		echo "$(basename "$0" .sh): $1 failed (qemu: $2), see $3" >&2
		return 1
	fi
}
