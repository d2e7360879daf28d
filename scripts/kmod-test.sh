#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# kmod-test.sh - gmem.ko in real kernels, in a virtual machine
#
#	scripts/kmod-test.sh [SERIES...]	6.1 6.12 unless given
#	ICOUNT=shift=1,sleep=off  time by instructions, for PLAN=cost
#	PLAN="maps equal"	what the guest does (kernel-core/linux/test/guest.sh)
#	OPS=... SEEDS=... KINDS=... EVICTORS=... SERIALS=... KERNELS=... FAILS=... KILLS=... FUZZ=seconds FUZZ_SEED=... TURNS_MIB=... TURNS_ROUNDS=...
#
# Fetches Debian's kernel and headers into build/kmod-test (nothing is installed),
# builds the module against them, boots it under QEMU's TCG, and ends with the
# guest's verdict.  KVM is not used: on nested hosts the device file is there but
# kernels die.  Says "skipped: ..." and succeeds where it cannot be done.  Both
# kernels run at the same time; each case is a line "ok ..." or "not ok ...".
set -eu -o pipefail
top=$(cd "$(dirname "$0")/.." && pwd)
cd "$top"
work=build/kmod-test
src=kernel-core/linux
. scripts/kmod-lib.sh
tools qemu-system-x86_64:qemu-system-x86 busybox:busybox-static cpio:cpio apt-get:apt dpkg-deb:dpkg
mkdir -p $work

# The newest image of a series, without architecture meta packages in between.
image_of() {
	apt-cache search -n "^linux-image-$1[.0-9]*[-+.0-9a-z]*-amd64(-unsigned)?\$" 2>/dev/null |
		sed 's/ .*//' | grep -Ev -- '-(rt|cloud|dbg)-|-dbg' |
		grep -E "^linux-image-$1(\.[0-9]+)?(-[0-9]+|\+deb[0-9]+)-amd64" | sort -V | tail -1
}

# Puts headers and image of package $1 into $2.
fetch() {
	local image=$1 to=$2 abi common pkgs
	abi=${image#linux-image-}
	abi=${abi%-unsigned}
	common=${abi%-amd64}
	# linux-kbuild is named after the series (6.1) or the version (6.12.x+deb12)
	pkgs="$image linux-headers-$abi linux-headers-$common-common"
	if apt-cache show "linux-kbuild-$common" >/dev/null 2>&1; then
		pkgs+=" linux-kbuild-$common"
	else
		pkgs+=" linux-kbuild-$(cut -d. -f1-2 <<<"$common")"
	fi
	rm -rf "$to.new"
	mkdir -p "$to.new/deb"
	(cd "$to.new/deb" && timeout 300 apt-get -q -o APT::Sandbox::User=root download $pkgs) >"$to.log" 2>&1 || return 1
	for deb in "$to.new"/deb/*.deb; do
		# of the image the kernel only: its modules are 400 MB
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$to.new" --exclude='./lib/modules' || return 1
	done
	rm -r "$to.new/deb"
	rm -rf "$to"
	mv "$to.new" "$to"
	sed -i "s#\([ =]\|^include \)/usr/src#\1$top/$to/usr/src#" \
		"$to/usr/src/linux-headers-$abi/Makefile"
}

test_series() {
	local image kernel kdir start=$SECONDS status=0 dir=$work/$1 log=$work/$1.log
	image=$(image_of "$1") || : # none
	if [ ! -f $dir/image ] || { [ -n "$image" ] && [ "$(cat $dir/image)" != "$image" ]; }; then
		if [ -z "$image" ] || ! fetch "$image" $dir; then
			echo "ok Linux $1 # SKIP its packages cannot be had"
			return 0
		fi
		echo "$image" >$dir/image
	fi
	kernel=$(ls $dir/boot/vmlinuz-*)
	kdir=$(ls -d "$top"/$dir/usr/src/linux-headers-*-amd64)
	KDIR=$kdir scripts/kmod.sh $dir || return 1
	initrd $work/$1.cpio $dir/kmod/gmem.ko
	boot "$kernel" $work/$1.cpio $log || status=$?
	heard $1 $status $log || status=0
	sed -n "s/^guest: \(ok\|not ok\) /\1 Linux $1: /p" $log | tr -d '\r'
	replay $log "Linux $1" || status=0
	if [ $status -ne 1 ]; then
		echo "not ok Linux $1: the guest's verdict, see $log"
		return 1
	fi
	echo "ok Linux $1: ${kernel##*/vmlinuz-}, $((SECONDS - start)) s"
}

build_programs
build_traces
# side by side: a guest is one thread's work for most of its time
declare -A job
for series in ${*:-6.1 6.12}; do
	test_series "$series" >$work/$series.out 2>&1 & # no "||" here: it would mean set +e
	job[$series]=$!
done
bad=0
for series in ${*:-6.1 6.12}; do
	good=yes
	wait ${job[$series]} || good=
	cat $work/$series.out
	[ -z "$good" ] || continue
	bad=1
	grep -q '^not ok' $work/$series.out || echo "not ok Linux $series: broke off"
done
exit $bad
