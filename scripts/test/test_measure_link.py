#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What measure_link.py makes of measured times. The copies themselves need a GPU."""
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SCRIPT = os.path.join(ROOT, "scripts", "measure_link.py")
GMEMSIM = os.path.abspath(os.environ.get("GMEMSIM", os.path.join(ROOT, "build", "gmemsim")))

spec = importlib.util.spec_from_file_location("measure_link", SCRIPT)
ml = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ml)


class Link:
    """10 us and 20 GB/s there, 10 GB/s back; both at once take 1.25 times the slower one."""

    def seconds(self, ways, size, copies):
        each = [1e-5 + size / (20e9, 10e9)[w] for w in ways]
        return max(each) * (1.25 if len(ways) > 1 else 1)


class Measured(unittest.TestCase):
    def test_rates_duplex_and_curve(self):
        rows, duplex = ml.measure(Link(), rounds=1)
        self.assertEqual(len(rows), len(ml.SIZES))
        n = ml.SIZES[-1]
        self.assertAlmostEqual(rows[-1][1], 1e-5 + n / 20e9)
        self.assertEqual(duplex, 60)                # (1/2 + 1) / 2 / 1.25
        points = ml.curve_of(rows).split(", ")
        self.assertEqual(points[0], "4 KiB:0.3973921 GB/s") # 4096 B / (10 us + 0.3072 us)

    def test_larger_copy_is_never_faster(self):
        rows = [(4096, 3e-6, 3e-6), (8192, 2e-6, 2e-6), (16384, 4e-6, 4e-6)]
        rates = [float(x) for x in re.findall(r":([\d.]+) GB/s", ml.curve_of(rows))]
        times = [n / r for (n, _, _), r in zip(rows, rates)]
        self.assertEqual(times, sorted(times))
        self.assertAlmostEqual(rates[1], 8192 / 3e-6 / 1e9, places=4)

    def test_configuration_is_one(self):
        if not os.path.exists(GMEMSIM):
            self.skipTest("gmemsim is not built")
        with tempfile.TemporaryDirectory() as d:
            path = os.path.join(d, "link.yaml")
            base = os.path.relpath(os.path.join(ROOT, "configs", "exp", "single.yaml"), d)
            with open(path, "w") as f:
                f.write(ml.configuration("a link", base, *ml.measure(Link(), rounds=1)))
            p = subprocess.run([GMEMSIM, "run", path, "--trace",
                                os.path.join(ROOT, "traces/sample/tiny.jsonl"), "--quiet"],
                               capture_output=True, text=True)
            self.assertEqual(p.returncode, 0, p.stderr)
            p = subprocess.run([GMEMSIM, "config", path], capture_output=True, text=True)
            self.assertIn("duplex: 60 %", p.stdout)

    def test_machine_without_gpu_is_told(self):
        p = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True)
        if not p.returncode:
            self.skipTest("there is a GPU")
        self.assertEqual(p.returncode, 2)
        self.assertRegex(p.stderr, "has no PyTorch|sees no GPU")


if __name__ == "__main__":
    unittest.main()
