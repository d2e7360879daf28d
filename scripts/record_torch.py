#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Record a PyTorch script as a trace: record_torch.py -o job.gmt -- train.py ...

`--help` says more; the recorder is in gmemsim_record/. A script may import this module
and call mark_iteration() where its iterations begin.
"""
import os
import sys

if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[0] = here                              # replaced by the script's own folder below
    from gmemsim_record import cli
    sys.path.pop(0)
    sys.modules["record_torch"] = sys.modules["__main__"]


def mark_iteration():
    """An iteration begins here. Does nothing when no recorder runs."""
    loop = sys.modules.get("gmemsim_record.loop")
    if loop is not None and loop.active is not None:
        loop.active.iteration_begins()


if __name__ == "__main__":
    sys.exit(cli.main())
