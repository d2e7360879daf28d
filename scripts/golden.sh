#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# golden.sh check|update PROGRAM     small runs against results/golden, byte for byte
# golden.sh compare PROGRAM PROGRAM  two programs, or one twice: the same bytes
# Version and commit are left out of the comparison: they change with each commit.
set -eu
cd "$(dirname "$0")/.."
golden=results/golden
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# All golden results of program $1 in folder $2.
results() {
	local config name
	for config in configs/exp/golden*.yaml; do
		name=$(basename "$config" .yaml)
		"$1" sweep "$config" --quiet -o "$tmp/sweep" >/dev/null
		mkdir -p "$2/$name"
		cp "$tmp/sweep/sweep.csv" "$2/$name/"
		for json in "$tmp"/sweep/points/*.json; do
			[ ! -e "$json" ] || grep -vE '"(version|commit)":' "$json" >"$2/$name/${json##*/}"
		done
		rm -rf "$tmp/sweep"
	done
	"$1" config --schema >"$2/SCHEMA.md"
}

case ${1-} in
update)
	results "$2" "$tmp/new"
	mv "$tmp/new/SCHEMA.md" configs/SCHEMA.md
	rm -rf $golden && mkdir -p $golden && cp -r "$tmp/new/." $golden
	git status --short $golden configs/SCHEMA.md 2>/dev/null || true
	;;
check)
	results "$2" "$tmp/new"
	diff -u configs/SCHEMA.md "$tmp/new/SCHEMA.md"
	rm "$tmp/new/SCHEMA.md"
	diff -ru $golden "$tmp/new"
	;;
compare)
	results "$2" "$tmp/one"
	results "$3" "$tmp/two"
	diff -r "$tmp/one" "$tmp/two"
	;;
*)
	sed -n '3,5s/^# //p' "$0" >&2
	exit 2
	;;
esac
