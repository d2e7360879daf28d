#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# test-all.sh WHAT... - run tests and gates, count them, repeat what failed
#   tests   every */test/test_*.c (built with sanitizers), .py and .sh; every
#           */test/fuzz_*.c: its seeds and some changes of them
#   other   a make target that is one case by itself: lint-core, golden ...
# Every case is a TAP line, "ok name" or "not ok name".  Full output: build/log/.
set -u
cd "$(dirname "$0")/.."
unset MAKEFLAGS MAKELEVEL MFLAGS
log=build/log
limit=${TEST_LIMIT:-600} # seconds for one test file: what hangs fails by its name

# Debian's modules belong to Debian's Python, which need not be the first in PATH.
python=python3
! /usr/bin/python3 -c 'import zstandard' 2>/dev/null || python=/usr/bin/python3

# TAP of one test file on stdout: its own lines, and one more if it broke off.
one() {
	local rc=0 planned seen
	case $1 in
	*.py) timeout -k 10 "$limit" $python scripts/test/tap.py "$1" ;;
	*.sh) timeout -k 10 "$limit" bash "$1" ;;
	*) CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 10 "$limit" "./$1" ;;
	esac >"$2.out" 2>&1 </dev/null || rc=$?
	grep -E '^(ok|not ok) ' "$2.out" >"$2.tap"
	planned=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$2.out" | tail -n 1)
	seen=$(wc -l <"$2.tap")
	if [ $rc = 124 ] || [ $rc = 137 ]; then
		echo "not ok still running after $limit s" >>"$2.tap"
	elif [ "$seen" = 0 ] || [ "$seen" -lt "${planned:-0}" ]; then
		echo "not ok broke off after $seen of ${planned:-?} cases (exit $rc)" >>"$2.tap"
	elif [ $rc != 0 ] && ! grep -q '^not ok' "$2.tap"; then
		echo "not ok exit status $rc" >>"$2.tap"
	fi
	# "ok 3 - name" and "ok name" alike become "ok FILE: name"
	sed -i -E "s#^(ok|not ok) ([0-9]+ )?(- )?#\1 ${1##*/}: #" "$2.tap"
	if grep -v SKIP "$2.tap" | grep -q '^not ok'; then
		echo "--- $1 (exit $rc; $2.out)"
		grep -vE '^(ok |1\.\.)' "$2.out" | tail -n 40
	fi
}

# One case, or those that it tells itself.
gate() {
	local rc=0
	make -k $1 >"$2.out" 2>&1 </dev/null || rc=$?
	grep -E '^(ok|not ok) ' "$2.out" | sed -E "s#^(ok|not ok) #\\1 make $1: #" >"$2.tap"
	if [ $rc = 0 ] && [ ! -s "$2.tap" ]; then
		echo "ok make $1$(sed -n 's/^skipped: / # SKIP /p' "$2.out" | head -n 1)" >"$2.tap"
	elif [ $rc != 0 ]; then
		echo "not ok make $1" >>"$2.tap"
		echo "--- make $1 (exit $rc; $2.out)"
		{ grep -A3 -E '(error|warning): ' "$2.out" || cat "$2.out"; } | tail -n 30
	fi
}

tests() {
	local jobs
	gate "SAN=1 programs" $log/build
	export GMEMSIM=build/san/gmemsim
	jobs=$(nproc)
	for t in */test/test_*.c */test/fuzz_*.c */test/test_*.py */test/test_*.sh; do
		[ -e "$t" ] || continue
		case $t in *.c) t=build/san/${t%.c} ;; esac
		echo "$t"
	done | xargs -P "$jobs" -I{} bash "$0" --one {}
}

if [ "${1-}" = --one ]; then
	one "$2" "$log/$(echo "$2" | tr / -)"
	exit 0
fi
rm -rf $log && mkdir -p $log
for what in "$@"; do
	case $what in
	tests) tests ;;
	*) gate "$what" "$log/$what" ;;
	esac
done

cat $log/*.tap >$log/all
skipped=$(grep -c SKIP $log/all)
failed=$(grep -v SKIP $log/all | grep -c '^not ok')
passed=$(grep -v SKIP $log/all | grep -c '^ok')
grep -v SKIP $log/all | sed -n 's/^not ok /failed: /p'
[ "$skipped" = 0 ] || echo "$skipped skipped"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
