#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# test_g10.sh - the analysed networks of the G10 artifact, imported and replayed
#   `ideal` takes as long as the measured kernels together, on every network;
#   BERT-256 in 40 GiB runs under uvm and each gmem variant, and checks itself.
# Data: GMEMSIM_DATA, or ../shared/data beside the project; skipped where absent.
set -u
cd "$(dirname "$0")/../.."
program=${GMEMSIM:-build/gmemsim}
data=${GMEMSIM_DATA:-../shared/data}/g10
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

if [ ! -d "$data" ]; then
	echo "ok networks of G10 # SKIP no folder $data"
	exit 0
fi

field() { python3 -c 'import json,sys; r=json.load(open(sys.argv[1]))["result"]; print(eval(sys.argv[2], {"r": r}))' "$1" "$2"; }
verdict() { if [ "$1" = 0 ]; then echo "ok $2"; else echo "not ok $2"; failed=1; fi; }
failed=0

for dir in "$data"/*/; do
	net=$(basename "$dir")
	[ -f "$dir/kernels.config" ] || continue
	"$program" trace import g10 "$dir" -o "$tmp/$net.gmt" >/dev/null 2>"$tmp/err" &&
		"$program" run configs/exp/single.yaml --trace "$tmp/$net.gmt" --set manager.type=ideal \
			--set workload.iterations=2 --json --quiet >"$tmp/ideal.json" 2>>"$tmp/err"
	# a cycle of 1.2 GHz is 2500/3 ps; each kernel is rounded to whole ps
	cycles=$(sed -n 's/^Execution Time: //p' "$dir/kernels.config" |
		awk '{s += $1; n++} END {printf "%.0f %d", s, n}')
	python3 - "$tmp/ideal.json" $cycles <<'EOF'
import json, sys
r = json.load(open(sys.argv[1]))["result"]
cycles, kernels = int(sys.argv[2]), int(sys.argv[3])
for i in r["iterations"]:
    assert abs(i["time_ps"] - cycles * 2500 / 3) <= kernels, (i["time_ps"], cycles)
    assert i["stall_ps"] == 0
EOF
	verdict $? "ideal is the sum of kernel times: $net"
done

bert=$tmp/BERT_Base-256.gmt
[ -f "$bert" ] || exit $failed
for manager in "type=uvm" "type=gmem --set manager.variant=gmem-23.09" \
	"type=gmem --set manager.variant=gmem-olk66" "type=gmem --set manager.variant=gmem+"; do
	# shellcheck disable=SC2086
	"$program" run configs/exp/single.yaml --trace "$bert" --set manager.$manager \
		--set workload.iterations=2 --set sim.check=true --json --quiet >"$tmp/run.json" 2>"$tmp/err"
	rc=$?
	cat "$tmp/err"
	# it overcommits 3.7 times: it must move data, and cannot beat the ideal
	[ $rc = 0 ] && [ "$(field "$tmp/run.json" \
		'r["slowdown"] > 1 and all(i["evictions"] > 0 and i["h2d_bytes"] > 0 for i in r["iterations"]) and r["hbm_peak_bytes"] <= 40 << 30')" = True ]
	verdict $? "BERT-256 in 40 GiB: ${manager#type=}"
done
exit $failed
