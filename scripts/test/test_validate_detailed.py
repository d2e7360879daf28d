#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_validate_detailed.py - shares of a gap with round numbers, and what the sweeps name"""
import csv
import glob
import json
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPT = os.path.join(ROOT, "scripts/validate-detailed.py")
HZ = 1200000000


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(text)


class Shares(unittest.TestCase):
    def setUp(self):
        self.tmp = tempfile.TemporaryDirectory()
        d = self.tmp.name
        head = "figure,network,batch,parameter,value,system,cycles_at_1.2GHz,seconds\n"
        # ideal 10 s, base UVM 50 s, G10 10 s
        write(d + "/data/published.csv", head + "".join(
            "batchsize,BERT_Base,256,,,%s,%s,\n" % x for x in
            (("lru", 50 * HZ), ("prefetch_lru", 10 * HZ), ("FlashNeuron", "inf"))))
        write(d + "/out/detailed/sweep.csv", "point,job,system,status,reason\n"
              "0,BERT_Base 256,fast,done,\n1,BERT_Base 256,slow,done,\n2,BERT_Base 256,none,failed,no room\n")
        for point, times in ((0, (30, 20)), (1, (90, 95))):
            write(d + "/out/detailed/points/%04d.json" % point, json.dumps(
                {"result": {"iterations": [{"time_ps": t * 10**12, "kernel_ps": 10**13} for t in times]}}))

    def tearDown(self):
        self.tmp.cleanup()

    def run_script(self):
        d = self.tmp.name
        return subprocess.run([sys.executable, SCRIPT, d + "/data", d + "/out"], check=True,
                              stdout=subprocess.PIPE, universal_newlines=True).stdout

    def test_the_shorter_iteration_counts_and_its_share_of_the_gap(self):
        self.run_script()
        with open(self.tmp.name + "/out/detailed.csv", newline="") as f:
            rows = {r["system"]: r for r in csv.DictReader(f)}
        self.assertEqual(rows["fast"]["time_over_ideal"], "2.0000")
        self.assertEqual(rows["fast"]["share_of_gap"], "0.7500")
        self.assertEqual(rows["slow"]["share_of_gap"], "-1.0000")
        self.assertEqual(rows["base UVM"]["share_of_gap"], "0.0000")
        self.assertEqual(rows["G10"]["share_of_gap"], "1.0000")
        self.assertEqual(rows["none"]["time_over_ideal"], "")

    def test_a_run_that_fails_is_said(self):
        self.assertIn("fails", self.run_script())

    def test_the_same_gives_the_same_bytes(self):
        self.assertEqual(self.run_script(), self.run_script())

    def test_every_job_of_the_sweeps_has_a_published_figure(self):
        named = set()
        for path in glob.glob(os.path.join(ROOT, "configs/exp/g10/fig*.yaml")):
            with open(path) as f:
                named.update(w for w in f.read().split() if w.startswith("results/validate/traces/"))
        for path in glob.glob(os.path.join(ROOT, "configs/exp/g10/detailed*.yaml")):
            with open(path) as f:
                for word in f.read().split():
                    if word.startswith("results/validate/traces/"):
                        self.assertIn(word.strip("},"), {n.strip("},") for n in named})


if __name__ == "__main__":
    unittest.main()
