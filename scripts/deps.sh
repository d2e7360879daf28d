#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# deps.sh GROUP... - install the Debian packages of the groups that are missing
#   build  compiler and libraries     plot  gnuplot and a font
#   test   test library, second compiler, kernel headers, Python; for kmod-test,
#          which is skipped without them, QEMU and what makes a guest
# Does nothing, and needs no root, when all are there.
set -eu

build='gcc libc6-dev pkg-config libyaml-dev libzstd-dev libgsl-dev libxxhash-dev libyajl-dev zlib1g-dev libsqlite3-dev'
plot='gnuplot-nox fonts-dejavu-core'
guest='qemu-system-x86 busybox-static cpio perl'
test='libcmocka-dev clang clang-format libclang-rt-dev linux-headers-amd64 python3 python3-zstandard'

want= wish=
for group in "$@"; do
	case $group in
	build) want="$want $build" ;;
	plot) want="$want $plot" ;;
	test) want="$want $test" wish=$guest ;;
	*) echo "deps.sh: no group '$group'; known: build plot test" >&2; exit 2 ;;
	esac
done

if ! command -v dpkg-query >/dev/null; then
	echo "deps.sh: no Debian packages here; needed by their Debian names:$want" >&2
	exit 0
fi

missing_of() {
	local package
	for package in "$@"; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || :)" = installed ] ||
			echo -n " $package"
	done
}
missing=$(missing_of $want)
wished=$(missing_of $wish)
[ -n "$missing$wished" ] || exit 0

root=
if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null || { ! [ -t 0 ] && ! sudo -n true 2>/dev/null; }; then
		echo "deps.sh: missing packages; as root:  apt-get install --no-install-recommends$missing$wished" >&2
		[ -z "$missing" ]
		exit
	fi
	root=sudo
fi
echo "deps.sh: installing$missing$wished" >&2
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt() { $root env DEBIAN_FRONTEND=noninteractive apt-get -q -y "$@" >"$log" 2>&1; }
install() { [ $# = 0 ] || apt install --no-install-recommends "$@"; }
# Lists may be absent or old on a new machine: fetch them and try once more.
install $missing || { apt update && install $missing; } || {
	tail -n 20 "$log" >&2
	echo "deps.sh: apt-get failed; as root:  apt-get install --no-install-recommends$missing" >&2
	exit 1
}
install $wished || { apt update && install $wished; } ||
	echo "deps.sh: no$wished: kmod-test will be skipped" >&2
