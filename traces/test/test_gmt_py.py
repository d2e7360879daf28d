#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_gmt_py.py - the Python reader and writer of .gmt agree with the program's"""
import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(ROOT, os.environ.get("GMEMSIM", "build/gmemsim"))

try:
    import zstandard  # noqa: F401
except ImportError:
    print("ok gmt.py # SKIP no module zstandard")
    raise SystemExit(0)

spec = importlib.util.spec_from_file_location("gmt", os.path.join(ROOT, "traces/gmt.py"))
gmt = importlib.util.module_from_spec(spec)
spec.loader.exec_module(gmt)


def program(*words):
    return subprocess.run([PROGRAM, "trace", *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE)


def lines(path):
    p = program("cat", "--json", path)
    assert p.returncode == 0, p.stderr
    return [json.loads(line) for line in p.stdout.decode().splitlines()]


def job(seed, n=400, pages=False):
    """Random rows that make sense."""
    rng = random.Random(seed)
    rows, live, tensors, marks, segments = [], {}, 0, 0, {}
    wide = lambda: rng.getrandbits(rng.randrange(1, 44)) + 1

    def part():
        t = rng.choice(list(live))
        off = rng.choice([0, rng.randrange(live[t])])
        return t, off, 1 + rng.randrange(live[t] - off)

    for _ in range(n):
        what = rng.choice("alloc alloc free kernel kernel kernel host advice mark page "
                          "segment".split())
        if what == "alloc" or not live:
            size = wide()
            row = {"ev": "alloc", "t": tensors, "va": wide() << 9, "bytes": size,
                   "kind": rng.choice(gmt.KINDS + ["other"]), "dev": rng.randrange(2)}
            if rng.random() < .6:
                row["name"] = rng.choice(["w", "t\u00e9", "layer %d" % rng.randrange(50)])
            live[tensors] = size
            tensors += 1
        elif what == "free":
            row = {"ev": "free", "t": rng.choice(list(live))}
            del live[row["t"]]
        elif what == "kernel":
            row = {"ev": "kernel", "name": rng.choice(["", "mm", "relu %d" % rng.randrange(9)]),
                   "class": rng.choice(gmt.CLASSES + ["other"]), "dev": rng.randrange(2),
                   "stream": rng.randrange(3), "dtype": rng.choice(gmt.DTYPES + ["other"]),
                   "phase": rng.choice(gmt.PHASES + ["other"]), "touch": []}
            row.update(gmt._time(rng.choice([0, wide() * 1000, wide()])))
            for key in ("flops", "bytes", "fault_out_ps", "fault_all_ps"):
                if rng.random() < .4:
                    row[key] = wide()
            for _ in range(rng.randrange(5)):
                t = [*part(), rng.choice(["r", "w", "rw"])]
                if rng.random() < .3:
                    t += rng.choice([["strided", 128, 7], ["random", 0, 0], ["sequential", 0, 9]])
                row["touch"].append(t)
        elif what in ("host", "advice"):
            t, off, size = part()
            row = {"ev": what, "t": t, "off": off, "bytes": size}
            row.update({"rw": "rw"} if what == "host" else
                       {"advice": rng.choice(gmt.ADVICE), "dev": rng.randrange(2)})
            row.update(gmt._time(wide()) if what == "host" else {})
        elif what == "mark":
            row = {"ev": "mark", "name": "iteration", "index": marks}
            if rng.random() < .4:
                row["name"] = "warm-up"
            marks += row["name"] == "iteration"
        elif what == "segment":
            i = rng.randrange(9)
            row = segments.pop(i, None)
            if row:
                row = dict(row, ev="segment_free")
            else:
                row = segments[i] = {"ev": "segment_alloc", "dev": i % 2, "va": 1 << 63 | i << 44,
                                     "bytes": wide()}
        else:
            if not pages:
                continue
            for _ in range(rng.randrange(9)):
                rows.append({"ev": "page", "va": wide() << 12, "bytes": rng.choice([4096, 65536]),
                             "rw": rng.choice(["r", "w", "rw"]), "dev": rng.randrange(2),
                             **gmt._time(rng.choice([0, wide()]))})
            continue
        rows.append(row)
    return rows


META = {"name": "a job", "framework": "none \u00e9", "source": "s", "recorded": "r",
        "devices": ["one", "two"], "page_hint": 4096}


class Gmt(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory(prefix="gmemsim-gmt-py-")
        self.addCleanup(self.dir.cleanup)
        self.path = os.path.join(self.dir.name, "a.gmt")

    def test_hashes_of_all_lengths(self):
        # the program checks each hash of what is written: names of all lengths
        for n in list(range(0, 40)) + [63, 64, 65, 127, 128, 129, 240, 241, 1023, 1024, 1025, 5000]:
            with gmt.Writer(self.path, dict(META, name="x" * n)) as w:
                w.put({"ev": "mark", "name": "y" * n, "index": 0})
            p = program("verify", self.path)
            self.assertEqual(p.returncode, 0, (n, p.stderr))

    def test_the_program_reads_what_python_writes(self):
        for seed in range(12):
            rows = job(seed, pages=seed % 2)
            with gmt.Writer(self.path, META) as w:
                for row in rows:
                    w.put(row)
            p = program("verify", self.path)
            self.assertEqual(p.returncode, 0, p.stderr)
            self.assertEqual(lines(self.path)[1:-1], rows)

    def test_python_reads_what_the_program_writes(self):
        text = os.path.join(self.dir.name, "a.jsonl")
        for seed in range(12):
            rows = job(seed + 100, pages=seed % 2)
            with open(text, "w", encoding="utf-8") as f:
                for row in [dict({"ev": "meta", "format": "gmemsim-jsonl", "version": 1}, **META),
                            *rows, {"ev": "end",
                                    "kernels": sum(r["ev"] == "kernel" for r in rows),
                                    "iterations": sum(r.get("name") == "iteration" and
                                                      r["ev"] == "mark" for r in rows)}]:
                    print(json.dumps(row), file=f)
            p = program("import", "jsonl", text, "-o", self.path)
            self.assertEqual(p.returncode, 0, p.stderr)
            with gmt.Reader(self.path) as r:
                self.assertEqual(list(r), rows)
                self.assertEqual(r.meta, META)
                self.assertEqual(r.totals["operations"], len(rows))
                self.assertEqual("%016x" % r.hash,
                                 program("info", self.path).stdout.decode().split("hash")[1].split()[0])

    def test_several_frames(self):
        rows = [{"ev": "page", "va": 4096 * (i * 7919 % 100000), "bytes": 4096, "rw": "r", "dev": 0,
                 "ns": i + 1} for i in range(20000)]
        self.addCleanup(setattr, gmt, "FRAME", gmt.FRAME)
        gmt.FRAME = 1 << 16
        with gmt.Writer(self.path, META) as w:
            for row in rows:
                w.put(row)
        self.assertEqual(program("verify", self.path).returncode, 0)
        with gmt.Reader(self.path) as r:
            self.assertGreater(len(r.frames), 1)
            self.assertEqual(list(r), rows)

    def test_the_sample_both_ways(self):
        folder = os.path.join(ROOT, "traces/sample")
        samples = [f for f in sorted(os.listdir(folder)) if f.endswith(".gmt")]
        self.assertTrue(samples)
        for name in samples[:2]:
            with gmt.Reader(os.path.join(folder, name)) as r:
                rows = list(r)
                self.assertEqual(rows, lines(os.path.join(folder, name))[1:-1])
                with gmt.Writer(self.path, r.meta) as w:
                    for row in rows:
                        w.put(row)
            p = program("diff", os.path.join(folder, name), self.path)
            self.assertEqual(p.returncode, 0, p.stdout)

    def test_files_of_version_1(self):
        for name in ("two_devices", "pages"):
            new = os.path.join(ROOT, "traces/test/corpus/gmt", name + ".gmt")
            old, want = new.replace(".gmt", "_v1.gmt"), lines(new)
            self.assertEqual(lines(old), want)
            with gmt.Reader(old) as r:
                self.assertEqual(r.major, 1)
                self.assertEqual(list(r), want[1:-1])

    def test_columns_of_any_numbers(self):
        rng = random.Random(2)
        for n in (1, 63, 64, 200, 3000):
            for wide in (1, 6, 13, 33, 64):
                column = [rng.getrandbits(rng.randrange(wide) + 1) for _ in range(n)]
                c = gmt.numbers(gmt.Cursor(gmt.coded(column)[0]))
                self.assertEqual([c.number() for _ in column], column)
                self.assertFalse(c.more())

    def test_damage_is_told(self):
        with gmt.Writer(self.path, META) as w:
            for row in job(5):
                w.put(row)
        with open(self.path, "rb") as f:
            data = f.read()
        rng = random.Random(1)
        for i in range(150):
            bad = bytearray(data)
            if i % 2:
                bad = bad[:rng.randrange(len(bad))]
            else:
                bad[rng.randrange(len(bad))] ^= 1 + rng.randrange(255)
            with open(self.path, "wb") as f:
                f.write(bad)
            with self.assertRaises(gmt.Error):
                with gmt.Reader(self.path) as r:
                    list(r)

    def test_a_failed_write_leaves_nothing(self):
        with self.assertRaises(KeyError):
            with gmt.Writer(self.path, META) as w:
                w.put({"ev": "free", "t": 3})
        self.assertEqual(os.listdir(self.dir.name), [])


if __name__ == "__main__":
    unittest.main()
