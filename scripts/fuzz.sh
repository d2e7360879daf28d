#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# fuzz.sh SECONDS PROGRAM... - libFuzzer on each target, one after another
#
# Begins with the committed seeds and what earlier runs found (build/fuzz/found);
# the words of the seeds are the dictionary.  An input that breaks a target stays
# in build/fuzz/crash-NAME-...; mended, it becomes a seed in
# FOLDER/test/corpus/NAME.  Prints a line a target, with the processor time that
# it had: on a busy machine that is less than SECONDS.
set -u
cd "$(dirname "$0")/.."
seconds=$1
shift
bad=0
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm # importers write a file for each input
TIMEFORMAT=%U+%S

for program in "$@"; do
	name=${program##*/fuzz_}
	seeds=${program#build/fuzz/}
	seeds=${seeds%/fuzz_*}/corpus/$name
	found=build/fuzz/found/$name
	log=build/fuzz/$name.log
	mkdir -p "$found"
	words=build/fuzz/$name.dict
	{ echo '#' && cat "$seeds"/* | grep -aoE '[A-Za-z_][A-Za-z0-9_.#:]{2,40}' | sort -u | sed 's/.*/"&"/'; } >"$words"
	result=ok
	cpu=$({ time "$program" -max_total_time="$seconds" -print_final_stats=1 -timeout=20 -rss_limit_mb=4096 \
		-dict="$words" -artifact_prefix="build/fuzz/crash-$name-" \
		"$found" "$seeds" </dev/null >"$log" 2>&1; } 2>&1) || result="BROKEN: build/fuzz/$name.log" bad=1
	awk -v name="$name" -v result="$result" -v cpu="$cpu" '
		/^stat::number_of_executed_units/ { n = $2 }
		/cov: / { for (i = 1; i < NF; i++) if ($i == "cov:") cov = $(i + 1) }
		END {
			split(cpu, t, "+")
			printf "%-12s %10d executions, %6.0f s of processor, %6d edges: %s\n",
				name, n, t[1] + t[2], cov, result
		}' "$log"
done
exit $bad
