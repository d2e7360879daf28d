#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# kmod-debug.sh - gmem.ko in a kernel that watches it: KASAN, lockdep, kmemleak,
#	DEBUG_VM, page table check, failing allocations
#
#	scripts/kmod-debug.sh [SERIES...]	6.1 unless given; 6.12
#	PLAN="fuzz"  FUZZ=seconds ...		as for kmod-test.sh, with smaller defaults
#
# Builds the kernel from Debian's linux-source in build/kmod-debug (nothing is
# installed; 1.5 GB, ten minutes of a processor the first time), an allnoconfig with
# kernel-core/linux/test/debug.config, boots it under QEMU's TCG with the tests that
# stock kernels get, and fails on whatever the kernel has to complain about.
# Says "skipped: ..." and succeeds where it cannot be done.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
work=build/kmod-debug
src=kernel-core/linux
LIMIT=${LIMIT:-3600}
. scripts/kmod-lib.sh
tools qemu-system-x86_64:qemu-system-x86 busybox:busybox-static cpio:cpio apt-get:apt dpkg-deb:dpkg \
	bc:bc perl:perl xz:xz-utils lz4:lz4
mkdir -p $work

# What the tests take here, where everything is some ten times slower.
export PLAN=${PLAN:-maps data example fail kill equal fuzz leak inject}
export OPS=${OPS:-100} EVICTORS=${EVICTORS:-fifo lru arc} SERIALS=${SERIALS:-0 1} FAILS=${FAILS:-9} FAIL_STEP=${FAIL_STEP:-2} KILLS=${KILLS:-15} FUZZ=${FUZZ:-15}
export TURNS_MIB=${TURNS_MIB:-192}
# noapic: without ACPI the timer is not found behind the IO-APIC
export APPEND="${APPEND:-} noapic loglevel=5 rcupdate.rcu_cpu_stall_timeout=120"
complaints='BUG|WARNING|KASAN: |UBSAN: |ODEBUG|Oops|unreferenced object|INFO: |possible .* (locking|lock)|inconsistent lock|page_table_check|gmem: leak'

# Packages PACKAGE... unpacked into directory $1.
unpack() {
	local to=$1
	shift
	mkdir -p "$to/deb"
	(cd "$to/deb" && apt-get -q -o APT::Sandbox::User=root download "$@") >"$to.log" 2>&1 || return 1
	for deb in "$to"/deb/*.deb; do
		dpkg-deb -x "$deb" "$to" || return 1
	done
	rm -r "$to/deb"
}

# What building a kernel needs besides a compiler, where the host has it not.
build_tools() {
	local want= t=$top/$work/tools/usr
	command -v flex >/dev/null || want+=" flex"
	command -v bison >/dev/null || want+=" bison"
	command -v m4 >/dev/null || want+=" m4"
	echo '#include <gelf.h>' | gcc -E - >/dev/null 2>&1 || want+=" libelf-dev libelf1"
	[ -n "$want" ] || return 0
	if [ "$(cat $work/tools/have 2>/dev/null)" != "$want" ]; then
		unpack $work/tools $want || return 1
		echo "$want" >$work/tools/have
	fi
	export PATH=$t/bin:$PATH BISON_PKGDATADIR=$t/share/bison HOSTCFLAGS=-I$t/include
	export HOSTLDFLAGS=-L$t/lib/x86_64-linux-gnu LD_LIBRARY_PATH=$t/lib/x86_64-linux-gnu
	case $want in *m4*) export M4=$t/bin/m4 ;; esac
}

# The source of series $1 in $2, as its newest package has it.
fetch_source() {
	local package=linux-source-$1 version
	version=$(apt-cache policy $package | sed -n 's/ *Candidate: //p')
	[ "$(cat $2.version 2>/dev/null)" != "$version" ] || return 0
	[ -n "$version" ] || [ -f $2.version ] || return 1
	rm -rf $2 $2.deb
	unpack $2.deb $package || return 1
	mkdir $2
	# two thirds of the tree are graphics cards' registers
	tar -x -C $2 --strip-components=1 --exclude='*/drivers/gpu/*.[ch]' \
		-f $2.deb/usr/src/linux-source-$1.tar.xz || return 1
	rm -r $2.deb
	echo "$version" >$2.version
}

# build_kernel SOURCE OUT
build_kernel() {
	local config=$top/$src/test/debug.config make="nice make -s -C $1 O=$top/$2 HOSTCFLAGS=${HOSTCFLAGS:-} HOSTLDFLAGS=${HOSTLDFLAGS:-}"
	mkdir -p $2
	if ! cmp -s $config $2/debug.config; then
		env -u MAKEFLAGS $make KCONFIG_ALLCONFIG=$config allnoconfig >$2.log 2>&1 || return 1
		# a name that has changed would be a check that has gone
		if grep '^CONFIG' $config | grep -vxFf $2/.config >&2; then
			echo "kmod-debug: not taken by this kernel's configuration" >&2
			return 1
		fi
		cp $config $2/debug.config
	fi
	env -u MAKEFLAGS $make -j2 bzImage modules >>$2.log 2>&1
}

debug_series() {
	local start=$SECONDS status=0 tree=$work/$1 out=$work/$1-o mod=$work/$1-m log=$work/$1-console.log
	if ! build_tools || ! fetch_source "$1" $tree; then
		echo "skipped: linux-source-$1 or the tools to build it cannot be had"
		return 0
	fi
	if ! build_kernel $tree $out; then
		tail -20 $out.log >&2
		return 1
	fi
	KDIR=$top/$out scripts/kmod.sh $mod || return 1
	initrd $work/$1.cpio $mod/kmod/gmem.ko
	boot $out/arch/x86/boot/bzImage $work/$1.cpio $log || status=$?
	heard "$1" $status $log || return 1
	if grep -aE "$complaints" $log >&2; then
		echo "kmod-debug: $1 complains, see $log" >&2
		return 1
	fi
	echo "kmod-debug: $(cat $tree.version): no complaint, $((SECONDS - start)) s"
}

build_programs
mkdir -p $work/programs # none: traces take too long here
bad=0
for series in ${*:-6.1}; do
	debug_series "$series" || bad=1
done
exit $bad
