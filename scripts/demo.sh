#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# demo.sh DIR - what `make demo` does once build/gmemsim is there
set -eu
cd "$(dirname "$0")/.."
dir=${1:-results/demo}
config=configs/exp/demo.yaml

cat <<'TEXT'
A recorded training of GPT-2 small (124 M parameters) is replayed on an A100 with 40 GB,
whose memory shrinks from all of what the job needs to a quarter of it.  Kernel times are
the roofline of the A100 (workload.timing: roofline): the recording was made on a CPU,
whose durations mean nothing here.
TEXT
start=$(date +%s)
build/gmemsim sweep "$config" -o "$dir"
pictures=$(scripts/plot.sh "$dir")
printf '\npictures\n'
for picture in $pictures; do echo "  $picture"; done
printf '\n%s s for sweep and pictures; what it swept: %s\n' $(($(date +%s) - start)) "$config"
