#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# kmod-cost.sh - what a fault costs, in a guest whose time is its instructions
#
#	scripts/kmod-cost.sh [SERIES...]	6.1 6.12 unless given
#
# Beside the first touch of an anonymous page of the unit's size, with and without
# the bytes that are copied or cleared; then, where there is valgrind, how many
# instructions of that are the core's own, by making the guest's calls again.
set -eu
cd "$(dirname "$0")/.."
work=build/kmod-test

# The allocator would clear each page once more, which is neither side's doing.
PLAN=cost SETTLE=10 SMP=1 ICOUNT=shift=1,sleep=off APPEND="${APPEND:-} init_on_alloc=0" scripts/kmod-test.sh "$@"
command -v valgrind >/dev/null || { echo "skipped: no valgrind, so no count of the core's instructions"; exit 0; }
for series in ${*:-6.1 6.12}; do
	log=$work/$series.log.sent/cost.oplog
	[ ! -s "$log" ] || scripts/core-cost.py "$log" $work/gm_replay | sed "s/^/$series  /"
done
