#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# test_devices.sh - two devices that share one address space
#   gmem+ moves data between them; the faithful variants refuse, as they must.
set -u
cd "$(dirname "$0")/../.."
program=${GMEMSIM:-build/gmemsim}
failed=0
verdict() { if [ "$1" = 0 ]; then echo "ok $2"; else echo "not ok $2"; failed=1; fi; }

run() { "$program" run configs/exp/single.yaml --trace traces/test/two_devices.jsonl \
	--set workload.timing=recorded --set device.count=2 --set sim.check=true --json --quiet "$@" 2>&1; }

run --set manager.variant=gmem+ | python3 -c '
import json, sys
r = json.load(sys.stdin)
it = r["result"]["iterations"]
mib = 1 << 20
# everything begins on the host and comes once; then the boundary and its gradient
# (16 MiB each) cross between the devices, there and back, and nothing else moves
assert it[0]["h2d_bytes"] == (24 + 24 + 8 + 16 + 16) * mib, it[0]
assert it[1]["h2d_bytes"] == 0 and it[1]["d2h_bytes"] == 0, it[1]
assert r["stats"]["mm"]["d2d_bytes"] == (2 + 4) * 16 * mib, r["stats"]["mm"]
# stage 0 forward, stage 1 forward and backward, stage 0 backward: one after another
assert it[1]["kernel_ps"] == 2800 * 10**6, it[1]
assert r["result"]["ideal_ps"] <= r["result"]["total_ps"]
'
verdict $? "gmem+ exchanges data between two devices"

for type in ideal uvm; do
	run --set manager.type=$type >/dev/null
	verdict $? "$type runs two devices"
done
# More accesses wait than a batch has room for: duplicates must not keep them from their turn.
for policy in block batch batch_flush once; do
	timeout 120 "$program" run configs/exp/single.yaml --trace "gen:gpt2 --batch 2 --seq 64 --parallel dp=2" \
		--set device.count=2 --set manager.type=uvm --set manager.uvm.perf_fault_replay_policy=$policy \
		--json --quiet 2>/dev/null | grep -q total_ps
	verdict $? "uvm shares gradients between two devices, replay policy $policy"
done
for variant in gmem-23.09 gmem-olk66; do
	message=$(run --set manager.variant=$variant)
	[ $? = 1 ] && grep -q "$variant has one device in an address space" <<<"$message"
	verdict $? "$variant refuses a second device and says why"
done
run --set manager.variant=gmem+ --set manager.gmem.d2d=off >/dev/null
verdict $? "without d2d the data go through the host"
message=$(run --set device.count=1)
[ $? = 2 ] && grep -q "device.count" <<<"$message"
verdict $? "a machine with too few devices is refused"
exit $failed
