# SPDX-License-Identifier: GPL-3.0-or-later
# kmod-lib.sh - a guest that tests gmem.ko; sourced by kmod-test.sh and kmod-debug.sh
#
# The caller sets top, work and src, and stands in top.

limit=${LIMIT:-400} # seconds that a guest may take on a busy machine

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
	make -s --no-print-directory BUILD=$work/lib SAN= CC=gcc $work/lib/core.a $work/lib/port.a >$work/lib.log 2>&1 ||
		{ tail -20 $work/lib.log >&2; return 1; }
	$cc -o $work/gm_test $src/test/gm_test*.c -lpthread
	$cc -I$src/lib -o $work/example $src/lib/example.c $src/lib/gmem.c -lpthread
	$cc -Ikernel-core -Ikernel-core/port/user -o $work/gm_replay $src/test/gm_replay.c \
		$work/lib/core.a $work/lib/port.a
}

# initrd OUT MODULE
initrd() {
	local root=$work/root
	rm -rf $root
	mkdir -p $root/bin $root/dev $root/proc $root/sys
	cp "$(command -v busybox)" $root/bin/busybox
	cp $work/gm_test $work/gm_replay $work/example $root/bin/
	cp "$2" $root/gmem.ko
	cp $src/test/guest.sh $root/init
	chmod +x $root/init
	cat >$root/guest.conf <<-E
		PLAN="${PLAN:-all}" OPS=${OPS:-1500} SEEDS="${SEEDS:-1}" KINDS="${KINDS:-random}"
		FAILS=${FAILS:-16} FAIL_STEP=${FAIL_STEP:-1} KILLS=${KILLS:-40}
		FUZZ=${FUZZ:-2} FUZZ_SEED=${FUZZ_SEED:-1} TURNS_MIB=${TURNS_MIB:-512} TURNS_ROUNDS=${TURNS_ROUNDS:-1}
	E
	(cd $root && find . | cpio -o -H newc --quiet | gzip -1) >"$1"
}

boot() {
	timeout $limit qemu-system-x86_64 -accel tcg,thread=$([ -n "${ICOUNT:-}" ] && echo single || echo multi) ${ICOUNT:+-icount $ICOUNT} \
		-cpu ${CPU:-max,-erms,-fsrm} -smp ${SMP:-2} -m 1536 \
		-nodefaults -no-user-config -display none -no-reboot \
		-device isa-debug-exit,iobase=0xf4,iosize=4 \
		-kernel "$1" -initrd "$2" -serial file:"$3" \
		-append "console=ttyS0 panic=-1 quiet loglevel=4 ${APPEND:-}"
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
