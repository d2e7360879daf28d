#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# bench-g10.sh - BERT at batch 256 of the G10 artifact in 40 GiB, two iterations
#   CPU seconds of the whole process (median of five) and its memory, and the
#   ratio to the published simulator: 170 CPU seconds and 3.52 GiB for this job
#   under its base UVM (measured on a 2-core machine like the ones used here).
# Data: GMEMSIM_DATA, or ../shared/data beside the project; skipped where absent.
set -eu
cd "$(dirname "$0")/.."
data=${GMEMSIM_DATA:-../shared/data}/g10/BERT_Base-256
if [ ! -d "$data" ]; then
	echo "skipped: no folder $data"
	exit 0
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
build/gmemsim trace import g10 "$data" -o "$tmp/bert.gmt" >/dev/null 2>&1
python3 - "$tmp/bert.gmt" <<'EOF'
import os, statistics, subprocess, sys

def measure(*sets):
    command = ["build/gmemsim", "run", "configs/exp/single.yaml", "--quiet", "--trace", sys.argv[1],
               "--set", "workload.iterations=2"]
    for s in sets:
        command += ["--set", s]
    seconds, peak = [], 0
    for _ in range(5):
        child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        assert status == 0, command
        seconds.append(usage.ru_utime + usage.ru_stime)
        peak = max(peak, usage.ru_maxrss / 1024)
    return statistics.median(seconds), peak

for name, sets in (("uvm", ["manager.type=uvm"]),
                   ("gmem-23.09", ["manager.type=gmem", "manager.variant=gmem-23.09"]),
                   ("gmem-olk66", ["manager.type=gmem", "manager.variant=gmem-olk66"]),
                   ("gmem+", ["manager.type=gmem", "manager.variant=gmem+"])):
    seconds, peak = measure(*sets)
    print(f"g10_bert256_{name}_cpu {seconds:.3f} s")
    print(f"g10_bert256_{name}_memory {peak:.1f} MiB")
    if name == "uvm":
        print(f"g10_bert256_published_over_uvm_cpu {170 / seconds:.0f} ratio")
        print(f"g10_bert256_published_over_uvm_memory {3.52 * 1024 / peak:.0f} ratio")
EOF
