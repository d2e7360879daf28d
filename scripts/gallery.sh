#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# gallery.sh DEMO - what `make plots` does: the pictures of README, from committed
# configurations: configs/exp/demo.yaml (swept into DEMO unless it is there) and
# configs/exp/gallery.yaml, and of its trace.  Small copies go to results/*.png, which are committed.
set -eu
cd "$(dirname "$0")/.."
demo=${1:-results/demo}
run=results/gallery
stat=results/gallery-stat
if [ ! -e "$demo/sweep.csv" ] || ! head -n 1 "$demo/sweep.csv" | grep -q d2h_cpu_bytes; then
	build/gmemsim sweep configs/exp/demo.yaml --quiet -o "$demo"
fi
build/gmemsim run configs/exp/gallery.yaml --quiet -o "$run"
build/gmemsim trace stat --csv "$stat" traces/sample/gpt2-small.gmt >/dev/null
ZOOM=1 scripts/plot.sh "$demo" >/dev/null
ZOOM=1 scripts/plot-run.sh "$run" >/dev/null
ZOOM=1 scripts/plot-stat.sh "$stat" "GPT-2 small as recorded" >/dev/null
cp "$demo/time.png" results/demo-time.png
cp "$demo/stall.png" results/gallery-stall.png
cp "$demo/reasons.png" results/gallery-traffic.png
cp "$demo/faults.png" results/gallery-faults.png
cp "$run/memory.png" results/gallery-memory.png
cp "$run/tensors.png" results/gallery-tensors.png
cp "$stat/live.png" results/gallery-live.png
cp "$stat/idle.png" results/gallery-idle.png
scripts/plot.sh "$demo"
scripts/plot-stat.sh "$stat" "GPT-2 small as recorded"
scripts/plot-run.sh "$run"
ls results/*.png
