#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""core-cost.py OPLOG GM_REPLAY - instructions of the core for each fault of a cost run

The log of gm_test's "cost" (kernel-core/linux/gm_log.h) is replayed up to the end of
each of its phases under callgrind, which counts inside the core's calls only: not the
host's answers to them, nor the log's reading.  A phase is the difference of two.
"""
import os
import re
import struct
import subprocess
import sys
import tempfile

HEAD = struct.Struct("<QQQQII16s16s16s")
ENTRY = struct.Struct("<BBhiIIQQ")
CPU_FAULT, DEV_TOUCH, DEV_FAULT, ADVISE, MUNMAP = 5, 6, 7, 8, 4
PHASES = [  # what ends each, what is counted in it, and its name
    ({DEV_TOUCH}, CPU_FAULT, "CPU's first touch"),
    ({CPU_FAULT}, DEV_FAULT, "device's touch of what the CPU has"),
    ({ADVISE}, CPU_FAULT, "CPU's touch of what the device has"),
    ({DEV_TOUCH}, None, None),  # freeing
    ({MUNMAP}, DEV_FAULT, "device's first touch"),
]
EINPROGRESS = -115
CALLS = ["gm_cpu_fault", "gm_dev_touch", "gm_dev_fault", "gm_advise", "gm_op_done"]
HOST = ["submit", "woken", "decision", "host_free", "host_clock"]


def phases(entries):
    """(end, faults, name) of each phase: its faults that had to wait."""
    at = 0
    for stop, counted, name in PHASES:
        faults = 0
        while at < len(entries) and entries[at][0] not in stop:
            faults += entries[at][0] == counted and entries[at][3] == EINPROGRESS
            at += 1
        yield at, faults, name


def instructions(replay, log):
    """What callgrind counts in the core's calls while @replay reads @log."""
    with tempfile.NamedTemporaryFile() as out:
        command = ["valgrind", "--tool=callgrind", "--collect-atstart=no",
                   f"--callgrind-out-file={out.name}"]
        command += [f"--toggle-collect={name}" for name in CALLS + HOST]
        done = subprocess.run(command + [replay, log], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, check=True)
    return int(re.search(r"Collected\s*:\s*(\d+)", done.stderr).group(1))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.split(" - ")[0].join(["usage: ", ""]))
    data = open(sys.argv[1], "rb").read()
    head, body = HEAD.unpack_from(data), data[HEAD.size:]
    entries = list(ENTRY.iter_unpack(body[:len(body) // ENTRY.size * ENTRY.size]))
    before = 0
    with tempfile.TemporaryDirectory() as folder:
        prefix = os.path.join(folder, "oplog")
        for end, faults, name in phases(entries):
            with open(prefix, "wb") as f:
                f.write(data[:HEAD.size + end * ENTRY.size])
            count = instructions(sys.argv[2], prefix)
            if name and faults:
                print(f"core: unit {head[1]}, {name}: {(count - before) / faults:.0f}"
                      f" instructions a fault, {faults} faults")
            before = count


if __name__ == "__main__":
    main()
