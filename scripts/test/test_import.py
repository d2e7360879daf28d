#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""test_import.py - traces of others are imported as they are, or refused with the true reason

Small inputs made here have counts that can be checked by hand.  Published
samples (GMEMSIM_DATA/samples) are compared with what count_samples.py finds in
them by itself.  Damaged inputs end in a message, never in a crash.
"""
import gzip
import io
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PROGRAM = os.path.join(ROOT, os.environ.get("GMEMSIM", "build/gmemsim"))
SAMPLES = os.path.join(ROOT, os.environ.get("GMEMSIM_DATA", "../shared/data"), "samples")
TMP = tempfile.mkdtemp(prefix="gmemsim-import-")


def tearDownModule():
    shutil.rmtree(TMP)


def run(*words):
    p = subprocess.run([PROGRAM, "trace", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def spill(name, data):
    path = os.path.join(TMP, name)
    with open(path, "wb") as f:
        f.write(data if isinstance(data, bytes) else data.encode())
    return path


def ops(path):
    rc, out, err = run("cat", "--json", path)
    assert rc == 0, err
    return [json.loads(line) for line in out.splitlines()]


def totals(rows):
    """What a trace holds, by its JSON lines."""
    kernels = [r for r in rows if r["ev"] == "kernel"]
    touches = [t for k in kernels for t in k.get("touch", [])]
    allocs = [r for r in rows if r["ev"] == "alloc"]
    return {"kernels": len(kernels), "touches": len(touches), "tensors": len(allocs),
            "bytes": sum(a["bytes"] for a in allocs),
            "read": sum(t[2] for t in touches if "r" in t[3]),
            "written": sum(t[2] for t in touches if "w" in t[3]),
            "kernel_ps": sum(k.get("ps", 0) + 1000 * k.get("ns", 0) for k in kernels)}


class Import(unittest.TestCase):
    def setUp(self):
        self.out = os.path.join(TMP, "out.gmt")

    def imported(self, fmt, path):
        rc, out, err = run("import", fmt, path, "-o", self.out)
        self.assertEqual(rc, 0, err)
        return ops(self.out), err

    def refused(self, fmt, path, words):
        rc, out, err = run("import", fmt, path, "-o", self.out)
        self.assertEqual(rc, 2, err)
        self.assertIn(words, err)

    def peak_of(self, fmt, path):
        """Bytes of memory that the import needed, or this process if that has more."""
        env = dict(os.environ, ASAN_OPTIONS="quarantine_size_mb=1")  # freed memory is not kept
        pid = os.posix_spawn(PROGRAM, [PROGRAM, "trace", "import", fmt, path, "-o", self.out], env,
                             file_actions=[(os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
                                           (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
        _, status, used = os.wait4(pid, 0)
        self.assertEqual(status, 0)
        return used.ru_maxrss * 1024


# ---- Kineto ------------------------------------------------------------------

GPU = {"device": 0, "stream": 7}


def op(name, ts, dur, dims=None, types=None):
    args = {}
    if dims is not None:
        args = {"Input Dims": dims, "Input type": types or ["float"] * len(dims)}
    return {"ph": "X", "cat": "cpu_op", "name": name, "pid": 1, "tid": 1, "ts": ts, "dur": dur,
            "args": args}


def launch(ts, corr):
    return {"ph": "X", "cat": "cuda_runtime", "name": "cudaLaunchKernel", "pid": 1, "tid": 1,
            "ts": ts, "dur": 1, "args": {"correlation": corr}}


def kernel(name, ts, dur, corr, cat="kernel", **more):
    return {"ph": "X", "cat": cat, "name": name, "pid": 0, "tid": 7, "ts": ts, "dur": dur,
            "args": dict(GPU, correlation=corr, **more)}


def memory(ts, size, addr=None):
    args = {"Bytes": size, "Device Id": 0, "Device Type": 1}
    if addr is not None:
        args["Addr"] = addr
    return {"ph": "i", "s": "t", "name": "[memory]", "pid": 1, "tid": 1, "ts": ts, "args": args}


def step(n, ts, dur):
    return {"ph": "X", "cat": "user_annotation", "name": "ProfilerStep#%d" % n, "pid": 1, "tid": 1,
            "ts": ts, "dur": dur, "args": {}}


def two_steps(addresses=True):
    """Twice: y = x W + b, then y = relu(y) in place, then y is freed."""
    events = []
    for n in range(2):
        t = 1000 * n
        a = 0x7000000 if addresses else None
        events += [
            step(n + 5, t, 900),
            op("aten::linear", t + 5, 100, [[64, 256], [128, 256], [128]]),
            op("aten::addmm", t + 10, 80, [[128], [64, 256], [256, 128]]),
            memory(t + 12, 64 * 128 * 4, a), launch(t + 20, 10 + n),
            kernel("sgemm", t + 30, 12.345, 10 + n),
            op("aten::relu_", t + 200, 50, [[64, 128]]),
            launch(t + 210, 20 + n), kernel("relu", t + 260, 3, 20 + n),
            memory(t + 400, -64 * 128 * 4, a)]
    return events


def chrome(events, **more):
    return json.dumps(dict({"schemaVersion": 1, "deviceProperties": [{"id": 0, "name": "Card"}],
                            "traceEvents": events}, **more))


class Kineto(Import):
    def check_two_steps(self, rows):
        kernels = [r for r in rows if r["ev"] == "kernel"]
        self.assertEqual([k["name"] for k in kernels], ["sgemm", "relu"] * 2)
        self.assertEqual([k["class"] for k in kernels], ["gemm", "elementwise"] * 2)
        self.assertEqual(kernels[0]["ns"], 12345)
        self.assertEqual(kernels[0]["flops"], 2 * 64 * 256 * 128)
        self.assertEqual(sum(r["ev"] == "mark" for r in rows), 2)
        # bias, x and W were there before, and are the same in both steps
        before = [r for r in rows[1:rows.index({"ev": "mark", "name": "iteration", "index": 0})]]
        self.assertEqual(sorted(r["bytes"] for r in before), [512, 65536, 131072])
        self.assertEqual({t[0] for t in kernels[0]["touch"] if t[3] == "r"},
                         {t[0] for t in kernels[2]["touch"] if t[3] == "r"})
        # the result is written, and the next kernel changes it in place
        (result,) = [t[0] for t in kernels[0]["touch"] if t[3] == "w"]
        self.assertEqual(kernels[1]["touch"], [[result, 0, 32768, "rw"]])
        self.assertEqual(sum(r["ev"] == "free" for r in rows), 2)

    def peak_of_long(self, rounds, rest):
        """What two steps, repeated with @rest behind each, need; and the size of that file."""
        text = json.dumps(two_steps(), separators=(",", ":"))[1:-1].replace("%", "%%")
        text = re.sub(r'"(ts|correlation)":(\d+)',
                      lambda m: '"%s":%%(at)d%04d' % (m[1], int(m[2])), text) + ","
        path = os.path.join(TMP, "long.json")
        with open(path, "w") as f:
            f.write('{"traceEvents": [')
            for at in range(rounds):
                f.write(text % {"at": at + 1} + rest)
            f.write("{}]}")
        size = os.path.getsize(path)
        peak = self.peak_of("kineto", path)
        os.unlink(path)
        return peak, size

    def test_needs_less_memory_than_the_file_has(self):
        """64 MB with as many kernels as real files have (one in 3.5 KB), the rest stacks."""
        stack = {"ph": "X", "cat": "python_function", "name": "train.py(7): " + "f" * 400, "pid": 1,
                 "tid": 1, "ts": 1, "dur": 1, "args": {"Python id": 1, "Python thread": 0}}
        peak, size = self.peak_of_long(4700, (json.dumps(stack) + ",") * 20)
        self.assertGreater(size, 60e6)
        self.assertLess(peak, size)

    def test_needs_few_bytes_for_a_kernel(self):
        """Four times as many kernels, one in 690 bytes: tables of events lie in files."""
        few, _ = self.peak_of_long(10000, "")
        many, size = self.peak_of_long(40000, "")
        self.assertLess(size / 160000, 800)
        self.assertLess((many - few) / 120000, 130)

    def test_operands_by_size_and_order(self):
        rows, err = self.imported("kineto", spill("k.json", chrome(two_steps())))
        self.check_two_steps(rows)
        self.assertEqual(rows[0]["devices"], ["Card"])
        self.assertEqual([r["va"] for r in rows if r["ev"] == "alloc"][3:], [0x7000000] * 2)
        self.assertIn("4 kernels, 0 copies", err)
        self.assertIn("2 allocations of 65536 bytes", err)
        self.assertIn("3 tensors there before", err)

    def test_allocations_without_addresses(self):
        rows, err = self.imported("kineto", spill("k.json", chrome(two_steps(False))))
        self.check_two_steps(rows)
        self.assertIn("addresses; which allocation is freed", err)

    def test_the_order_of_events_does_not_matter(self):
        events = two_steps()
        random.Random(7).shuffle(events)
        a, _ = self.imported("kineto", spill("k.json", chrome(events)))
        b, _ = self.imported("kineto", spill("k.json", chrome(two_steps())))
        self.assertEqual(a, b)

    def test_without_allocations_results_are_derived(self):
        events = [e for e in two_steps() if e["name"] != "[memory]"]
        rows, err = self.imported("kineto", spill("k.json", chrome(events)))
        kernels = [r for r in rows if r["ev"] == "kernel"]
        (result,) = [t for t in kernels[0]["touch"] if t[3] == "w"]
        self.assertEqual(result[2], 64 * 128 * 4)
        self.assertEqual(kernels[1]["touch"], [[result[0], 0, 32768, "rw"]])
        self.assertIn("missing: allocations", err)

    def test_freed_without_allocation_was_there_before(self):
        events = two_steps() + [memory(1500, -4096, 0x9000000)]
        rows, _ = self.imported("kineto", spill("k.json", chrome(events)))
        alloc = [r for r in rows if r["ev"] == "alloc" and r["va"] == 0x9000000]
        self.assertEqual(rows.index(alloc[0]) < rows.index(
            {"ev": "mark", "name": "iteration", "index": 0}), True)
        self.assertIn({"ev": "free", "t": alloc[0]["t"]}, rows)

    def test_names_of_2021(self):
        events = json.loads(chrome(two_steps(False))
                            .replace('"cpu_op"', '"Operator"').replace('"kernel"', '"Kernel"')
                            .replace('"cuda_runtime"', '"Runtime"'))["traceEvents"]
        rows, _ = self.imported("kineto", spill("k.json", chrome(events)))
        self.check_two_steps(rows)

    def test_packed(self):
        text = chrome(two_steps()).encode()
        plain, _ = self.imported("kineto", spill("k.json", text))
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w:gz") as t:
            for name in ("./._one.json", "d/one.json", "d/two.json"):
                info = tarfile.TarInfo(name)
                info.size = len(text)
                t.addfile(info, io.BytesIO(text))
        path = spill("k.tar.gz", tar.getvalue())
        strip = lambda rows: [dict(r, name="") if r["ev"] == "meta" else r for r in rows]
        for packed in (spill("k.json.gz", gzip.compress(text)), path + ":two.json",
                       spill("twice.json.gz", gzip.compress(text[:500]) + gzip.compress(text[500:]))):
            rows, _ = self.imported("kineto", packed)
            self.assertEqual(strip(rows), strip(plain))
        self.refused("kineto", path, "holds 2 files; name one as ARCHIVE:MEMBER: one.json, two.json")
        self.refused("kineto", path + ":three", "holds no 'three'")
        self.refused("kineto", spill("cut.gz", gzip.compress(text)[:-200]), "truncated")
        if shutil.which("zstd"):
            z = subprocess.run(["zstd", "-qc"], input=text, stdout=subprocess.PIPE).stdout
            rows, _ = self.imported("kineto", spill("k.json.zst", z))
            self.assertEqual(strip(rows), strip(plain))

    def test_what_cannot_be_replayed_is_refused(self):
        bare = [dict(e, args={k: v for k, v in e["args"].items() if not k.startswith("Input")})
                for e in two_steps()]
        self.refused("kineto", spill("a.json", chrome(bare)), "tells no shapes")
        self.refused("kineto", spill("b.json", chrome([e for e in bare if e["name"] != "[memory]"])),
                     "neither shapes nor allocations")
        self.refused("kineto", spill("c.json", chrome([op("aten::mm", 1, 1, [[2, 2], [2, 2]])])),
                     "no kernel of a GPU")
        self.refused("kineto", spill("d.json", chrome([])), "no events of a Chrome trace")
        self.refused("kineto", spill("e.json", '{"traceEvents": [{"ph": "X"'), "truncated")
        self.refused("kineto", spill("f.json", '{"traceEvents": [{"ph": X}]}'), "offset 24")


# ---- execution traces --------------------------------------------------------


def node(i, up, name, ins, outs, schema="", new=True):
    if not new:
        return {"id": i, "parent": up, "name": name, "op_schema": schema, "inputs": ins,
                "input_shapes": [[]] * len(ins), "input_types": ["Tensor(float)"] * len(ins),
                "outputs": outs, "output_shapes": [[]] * len(outs),
                "output_types": ["Tensor(float)"] * len(outs)}
    side = lambda v: {"values": v, "shapes": [[64, 64]] * len(v),
                      "types": ["Tensor(float)"] * len(v)}
    return {"id": i, "ctrl_deps": up, "name": name, "inputs": side(ins), "outputs": side(outs),
            "attrs": [{"name": "op_schema", "type": "string", "value": schema}]}


def t(tensor, storage, off=0, numel=4096, dev="cuda:0"):
    return [tensor, storage, off, numel, 4, dev]


def small_et(new=True, dev="cuda:0"):
    """linear over a view of w; add_ in place; the storage of y is handed out again."""
    n = lambda *a: node(*a, new=new)
    T = lambda *a: t(*a, dev=dev)
    nodes = [
        n(2, 1, "ProfilerStep#0", [], []),
        n(9, 8, "aten::mm", [T(1, 100), T(4, 101)], [T(5, 102)]),
        n(3, 2, "aten::linear", [T(1, 100), T(2, 101)], [T(5, 102)]),
        n(7, 3, "aten::t", [T(2, 101)], [T(4, 101)]),
        n(8, 3, "aten::matmul", [T(1, 100), T(4, 101)], [T(5, 102)]),
        n(12, 2, "aten::add_", [T(5, 102), [T(6, 103), 7]], [T(5, 102)],
          "aten::add_.Tensor(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> Tensor(a!)"),
        n(20, 2, "aten::empty", [[64, 64]], [T(8, 102)]),
        n(22, 2, "aten::fill_", [T(8, 102)], [T(8, 102)],
          "aten::fill_.Scalar(Tensor(a!) self, Scalar value) -> Tensor(a!)"),
        n(30, 1, "ProfilerStep#1", [], []),
        n(31, 30, "aten::mul", [T(8, 102, 16, 32)], [T(9, 104, 0, 32)]),
    ]
    return json.dumps({"schema": "1.1.1-chakra.0.0.4" if new else "1.0.1", "nodes": nodes})


class ExecutionTrace(Import):
    def check(self, rows):
        kernels = [r for r in rows if r["ev"] == "kernel"]
        self.assertEqual([k["name"] for k in kernels],
                         ["aten::mm", "aten::add_", "aten::fill_", "aten::mul"])
        mm, add, fill, mul = (k["touch"] for k in kernels)
        x, w, y = (i[0] for i in mm)
        self.assertEqual([i[3] for i in mm], ["r", "r", "w"])
        self.assertEqual(add[0], [y, 0, 16384, "rw"])
        self.assertEqual(add[1][3], "r")
        self.assertNotEqual(fill[0][0], y)  # the same storage, handed out again
        self.assertEqual(fill, [[fill[0][0], 0, 16384, "w"]])
        self.assertEqual(mul[0], [fill[0][0], 64, 128, "r"])
        self.assertEqual(len({r["t"] for r in rows if r["ev"] == "alloc"}), 6)
        self.assertEqual(sum(r["ev"] == "mark" for r in rows), 2)
        self.assertTrue(all(k["ns"] >= 2000 for k in kernels))

    def test_deepest_operators_are_kernels(self):
        rows, err = self.imported("et", spill("e.json", small_et()))
        self.check(rows)
        self.assertEqual([r["flops"] for r in rows if "flops" in r], [2 * 64 ** 3])
        self.assertIn("schema 1.1.1-chakra.0.0.4, 10 nodes", err)

    def test_needs_few_bytes_for_an_operand(self):
        """Lists of 100 tensors: but for those of one node, operands lie in a file."""
        peaks = []
        for nodes in (400, 3400):
            many = [t(i, i, dev="cpu") for i in range(100)]
            rows = (json.dumps(node(i + 3, 1, "aten::_foreach_add", [many], []))
                    for i in range(nodes))
            path = os.path.join(TMP, "many.json")
            with open(path, "w") as f:  # row by row: this process stays small
                f.write('{"schema": "1.1.1-chakra.0.0.4", "nodes": [')
                f.writelines(row + "," for row in rows)
                f.write(json.dumps(node(2, 1, "aten::relu_", [t(100, 100)], [])) + "]}")
            peaks.append(self.peak_of("et", path))
        os.unlink(path)
        self.assertLess((peaks[1] - peaks[0]) / 300000, 60)

    def test_the_old_layout(self):
        rows, _ = self.imported("et", spill("e.json", small_et(new=False)))
        self.check(rows)

    def test_of_a_cpu_alone(self):
        rows, _ = self.imported("et", spill("e.json", small_et(dev="cpu")))
        self.check(rows)
        self.assertEqual(rows[0]["devices"], ["cpu"])

    def test_refused(self):
        self.refused("et", spill("a.json", '{"schema": "1.0.1", "nodes": []}'), "holds no \"nodes\"")
        empty = json.dumps({"schema": "1", "nodes": [node(1, 0, "aten::mm", [], [])]})
        self.refused("et", spill("b.json", empty), "no node of 1 tells the tensors it uses")


# ---- Chakra ------------------------------------------------------------------


def varint(v):
    out = bytearray()
    while v > 127:
        out.append(v & 127 | 128)
        v >>= 7
    return bytes(out + bytes([v]))


def field(number, v):
    if isinstance(v, int):
        return varint(number << 3) + varint(v)
    v = v.encode() if isinstance(v, str) else v
    return varint(number << 3 | 2) + varint(len(v)) + v


def message(*parts):
    body = b"".join(parts)
    return varint(len(body)) + body


def io_info(values):
    return field(1, repr(values)) + field(2, "[]") + field(3, "[]")


def chakra_node(i, name, up, host, ins, outs, micros=None):
    parts = [field(1, i), field(2, name), field(3, 4), field(4, varint(up))]
    if micros:
        parts.append(field(7, micros))
    parts += [field(8, io_info(ins)), field(9, io_info(outs)),
              field(10, field(1, "is_cpu_op") + field(27, int(host)))]
    return message(*parts)


def small_chakra():
    return b"".join([
        message(field(2, field(1, "schema") + field(29, "1.0.1"))),
        chakra_node(5, "aten::mm", 1, True, [t(1, 100), t(2, 101)], [t(3, 102)], 90),
        chakra_node(6, "sgemm", 5, False, [t(1, 100), t(2, 101)], [t(3, 102)], 7),
        chakra_node(8, "Memcpy DtoD", 5, False, [t(3, 102), t(4, 103)], [t(3, 102)]),
        chakra_node(9, "barrier", 5, False, [], [], 3)])


class Chakra(Import):
    def test_nodes_of_a_device_are_kernels(self):
        rows, err = self.imported("chakra", spill("c.et", small_chakra()))
        kernels = [r for r in rows if r["ev"] == "kernel"]
        self.assertEqual([(k["name"], k["ns"]) for k in kernels],
                         [("sgemm", 7000), ("Memcpy DtoD", 500), ("barrier", 3000)])
        self.assertEqual([i[3] for i in kernels[0]["touch"]], ["r", "r", "w"])
        self.assertEqual([i[3] for i in kernels[1]["touch"]], ["rw", "r"])
        self.assertEqual(kernels[2]["touch"], [])
        self.assertIn("4 nodes, 3 of a device (2 with a duration)", err)

    def test_refused(self):
        self.refused("chakra", spill("c.et", small_chakra()[:-3]), "truncated")
        rows = {"workload_graph": [{"Id": 1, "Name": "k", "NodeType": 4, "runtime": 3,
                                    "data_deps": [], "is_cpu_op": False}]}
        self.refused("chakra", spill("c.json", json.dumps(rows)),
                     "no node of 1 tells the tensors it uses")


# ---- Nsight Systems ----------------------------------------------------------


def nsys(name, faults=True, migrations=True):
    path = os.path.join(TMP, name)
    if os.path.exists(path):
        os.remove(path)
    db = sqlite3.connect(path)
    db.executescript("""
        CREATE TABLE StringIds(id INTEGER PRIMARY KEY, value TEXT);
        INSERT INTO StringIds VALUES(1, 'volta_sgemm'), (2, 'relu');
        CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL(start, end, deviceId, streamId, shortName);
        INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES(1000, 3000, 2, 7, 1), (5000, 5500, 3, 9, 2);
        CREATE TABLE CUPTI_ACTIVITY_KIND_MEMCPY(start, end, deviceId, streamId, bytes, copyKind,
            virtualAddress);
        INSERT INTO CUPTI_ACTIVITY_KIND_MEMCPY VALUES(100, 200, 2, 7, 4096, 1, NULL);""")
    if migrations:
        db.executescript("""INSERT INTO CUPTI_ACTIVITY_KIND_MEMCPY VALUES
            (1500, 1600, 2, 0, 65536, 11, 140000000000000),
            (4000, 4100, 2, 0, 65536, 12, 140000000000000);""")
    if faults:
        db.executescript("""
            CREATE TABLE CUDA_UM_GPU_PAGE_FAULT_EVENTS(start, deviceId, address, faultAccessType);
            INSERT INTO CUDA_UM_GPU_PAGE_FAULT_EVENTS VALUES
            (1450, 2, 140000000004096, 2), (1400, 2, 140000000000000, 1);""")
    db.commit()
    db.close()
    return path


class Nsys(Import):
    def brief(self, rows):
        return [(r["ev"], r.get("name", r.get("va")), r.get("rw", ""), r.get("dev"))
                for r in rows[1:-1]]

    def test_faults_are_accesses(self):
        rows, err = self.imported("nsys", nsys("a.sqlite"))
        self.assertEqual(self.brief(rows), [
            ("kernel", "memcpy", "", 0), ("kernel", "volta_sgemm", "", 0),
            ("page", 140000000000000, "r", 0), ("page", 140000000004096, "w", 0),
            ("kernel", "relu", "", 1)])
        self.assertEqual(rows[0]["devices"], ["cuda:2", "cuda:3"])
        self.assertIn("2 kernels, 1 copies (4 KiB), 0 fills; unified memory: 2 faults", err)

    def test_else_migrations_are(self):
        rows, _ = self.imported("nsys", nsys("a.sqlite", faults=False))
        self.assertEqual([(r["va"], r["bytes"]) for r in rows if r["ev"] == "page"],
                         [(140000000000000, 65536)])

    def test_refused(self):
        self.refused("nsys", nsys("a.sqlite", False, False), "neither faults nor migrations")
        with open(nsys("a.sqlite"), "rb") as f:
            self.refused("nsys", spill("b.sqlite", f.read()[:5000]), "malformed")


# ---- the registry --------------------------------------------------------------


class Registry(Import):
    def test_help_lists_all(self):
        rc, out, _ = run("import", "--help")
        self.assertEqual(rc, 0)
        for name in "g10 jsonl kineto et chakra nsys lackey oracle csv".split():
            self.assertRegex(out, r"(?m)^  %s +\S" % name)

    def test_what_a_file_looks_like_is_told(self):
        files = {"kineto": spill("k", chrome(two_steps())), "et": spill("e", small_et()),
                 "chakra": spill("c", small_chakra()), "nsys": nsys("n.sqlite"),
                 "lackey": spill("l", "I  04001a,3\n L 1ffe00e7e0,8\n")}
        for fmt in files:
            for looks, path in files.items():
                if fmt != looks:
                    self.refused(fmt, path, "it looks like '%s'" % looks)
        self.refused("kineto", spill("p", b"\x80\x04\x95abc"), "looks like a pickle")
        self.refused("kineto", TMP, "is a folder; only 'g10' reads one")


# ---- parts ---------------------------------------------------------------------


class Parts(Import):
    def setUp(self):
        super().setUp()
        self.imported("kineto", spill("k.json", chrome(two_steps())))
        self.part = os.path.join(TMP, "part.gmt")

    def test_all_iterations_are_the_whole(self):
        self.assertEqual(run("cut", "--iterations", "0-1", self.out, "-o", self.part)[0], 0)
        rc, out, _ = run("diff", self.out, self.part)
        self.assertEqual((rc, out[:9]), (0, "the same:"))

    def test_an_iteration_begins_with_what_is_alive(self):
        self.assertEqual(run("cut", "--iterations", "1", self.out, "-o", self.part)[0], 0)
        rows = ops(self.part)
        self.assertEqual([r["ev"] for r in rows],
                         ["meta"] + ["alloc"] * 3 + ["mark", "alloc", "kernel", "kernel", "free",
                                                     "end"])
        self.assertEqual(rows[4]["index"], 0)
        whole = [r for r in ops(self.out) if r["ev"] == "kernel"][2:]
        self.assertEqual([r["touch"][0][2] for r in rows if r["ev"] == "kernel"],
                         [r["touch"][0][2] for r in whole])

    def test_a_window_of_time(self):
        # sgemm 12.345 us, relu 3 us, twice: the window holds the first relu
        self.assertEqual(run("cut", "--time", "10 us-14 us", self.out, "-o", self.part)[0], 0)
        self.assertEqual([r["name"] for r in ops(self.part) if r["ev"] == "kernel"], ["relu"])
        rc, _, err = run("cut", "--time", "10 s-14 s", self.out, "-o", self.part)
        self.assertEqual(rc, 2)
        self.assertIn("holds nothing", err)

    def test_merged_side_by_side(self):
        self.assertEqual(run("merge", self.out, self.out, self.out, "-o", self.part)[0], 0)
        one, all3 = ops(self.out), ops(self.part)
        self.assertEqual(all3[0]["devices"], ["Card"] * 3)
        self.assertEqual(sum(r["ev"] == "mark" for r in all3), 2)
        for dev in range(3):
            mine = [r["name"] for r in all3 if r["ev"] == "kernel" and r["dev"] == dev]
            self.assertEqual(mine, [r["name"] for r in one if r["ev"] == "kernel"])
        spans = [(min(a["va"] for a in all3 if a["ev"] == "alloc" and a["dev"] == d),
                  max(a["va"] + a["bytes"] for a in all3 if a["ev"] == "alloc" and a["dev"] == d))
                 for d in range(3)]
        self.assertTrue(spans[0][1] <= spans[1][0] and spans[1][1] <= spans[2][0])
        self.assertEqual(run("verify", self.part)[0], 0)

    def test_merge_wants_as_many_iterations(self):
        run("cut", "--iterations", "0", self.out, "-o", self.part)
        rc, _, err = run("merge", self.out, self.part, "-o", os.path.join(TMP, "m.gmt"))
        self.assertEqual(rc, 2)
        self.assertIn("cannot run side by side", err)

    def test_the_first_difference(self):
        events = two_steps()
        events[5]["dur"] = 13
        other = os.path.join(TMP, "other.gmt")
        run("import", "kineto", spill("k.json", chrome(events)), "-o", other)
        rc, out, _ = run("diff", self.out, other)
        self.assertEqual(rc, 1)
        self.assertIn("- 5 kernel sgemm", out)
        self.assertIn("+ 5 kernel sgemm", out)
        self.assertIn("1 operations differ", out)
        self.assertRegex(out, r"kernel ps +30690000 +31345000 \+655000")


# ---- damaged inputs --------------------------------------------------------------


class Hostile(Import):
    def damaged(self, data, rng):
        """Cut off, or with some bytes changed, or with a part twice."""
        kind = rng.randrange(4)
        if kind == 0:
            return data[:rng.randrange(len(data))]
        out = bytearray(data)
        for _ in range(1 + rng.randrange(8)):
            at = rng.randrange(len(out))
            if kind == 1:
                out[at] = rng.randrange(256)
            elif kind == 2:
                out[at:at + 1] = rng.choice([b"9999999999999999999", b"-1", b"[", b"]", b"\xff\xff"])
            else:
                del out[at:at + rng.randrange(40)]
        return bytes(out)

    def survives(self, fmt, data, times=25):
        rng = random.Random(20240)
        for i in range(times):
            path = spill("hostile", self.damaged(data, rng))
            rc, out, err = run("import", fmt, path, "-o", self.out)
            self.assertIn(rc, (0, 2), "variant %d of %s: %s" % (i, fmt, err))
            if rc == 2:
                self.assertIn("gmemsim: ", err)
            else:
                self.assertEqual(run("verify", self.out)[0], 0)

    def test_kineto(self):
        self.survives("kineto", chrome(two_steps()).encode())

    def test_gzip_and_tar(self):
        self.survives("kineto", gzip.compress(chrome(two_steps()).encode()))
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w") as a:
            text = chrome(two_steps()).encode()
            info = tarfile.TarInfo("one.json")
            info.size = len(text)
            a.addfile(info, io.BytesIO(text))
        self.survives("kineto", tar.getvalue()[:len(text) + 1536])

    def test_et(self):
        self.survives("et", small_et().encode())

    def test_chakra(self):
        self.survives("chakra", small_chakra(), 40)

    def test_nsys(self):
        with open(nsys("h.sqlite"), "rb") as f:
            self.survives("nsys", f.read())


# ---- published samples -------------------------------------------------------------

KINETO = ("tells neither shapes nor allocations")
TABLE = [  # format, file, member; then None: imports, or why not
    ("kineto", "tracelens_h100_bert_small_kineto.json.gz", "", None),
    ("kineto", "tracelens_h100_qwen1.5_0.5b_kineto.json.gz", "", None),
    ("kineto", "kineto_tb_resnet50_num_workers_0_worker0.1623143089861.pt.trace.json.gz", "", None),
    ("kineto", "hta_alexnet_kineto.json.gz", "", KINETO),
    ("kineto", "hta_ns_resolution_kineto.json.gz", "", KINETO),
    ("kineto", "hta_simple_add2_kineto.json.gz", "", KINETO),
    ("kineto", "hta_simple_add_kineto.json.gz", "", KINETO),
    ("kineto", "param_linear_kineto.json.gz", "", KINETO),
    ("kineto", "param_resnet_kineto.json.gz", "", KINETO),
    ("kineto", "param_dlrm_kineto.tar.gz", "", "holds 8 files"),
    ("et", "param_resnet_1gpu_et.json.tar.gz", "", None),
    ("et", "param_hf_GPT2_et.json.tar.gz", "", None),
    ("et", "param_linear_et.json.gz", "", None),
    ("et", "hta_simple_add2_et.json.gz", "", None),
    ("et", "chakra_1.0.2-chakra.0.0.4.tgz", "", None),
    ("et", "param_dlrm_pytorch_et.tar.gz", "", "holds 8 files"),
    ("chakra", "chakra_feeder_tests_trace.tar.gz", "", None),
    ("chakra", "chakra_json_trace.tar.gz", "chakra.0.json", "tells the tensors it uses"),
    ("chakra", "chakra_json_trace.tar.gz", "small_chakra.0.json", "tells the tensors it uses"),
    ("nsys", "nsysai_h100_2gpu_1s.sqlite", "", "neither faults nor migrations"),
    ("kineto", "mosaic_output_snapshot.pickle", "", "looks like a pickle"),
    ("kineto", "hta_memory_timeline.raw.gz", "", "looks like a memory timeline"),
    ("csv", "vidur_splitwise_conv.csv", "", "looks like arrivals of requests"),
    ("jsonl", "torch113_gpt_small.jsonl.zst", "", "looks like lines of an early recorder"),
    ("kineto", "accelsim_vectoradd", "", "is a folder"),
]


@unittest.skipUnless(os.path.isdir(SAMPLES), "no folder " + SAMPLES)
class Samples(Import):
    def counted(self, fmt, name, member):
        words = [sys.executable, os.path.join(HERE, "count_samples.py"), fmt,
                 os.path.join(SAMPLES, name)] + ([member] if member else [])
        return json.loads(subprocess.check_output(words))

    def compare(self, fmt, name, member):
        rows, err = self.imported(fmt, os.path.join(SAMPLES, name) + (":" + member if member else ""))
        got, want = totals(rows), self.counted(fmt, name, member)
        if fmt == "kineto":
            before = int(err.split(" tensors there before")[0].split()[-1])
            want["bytes"] = got["bytes"]  # of those there before: by shapes, not counted
            want["tensors"] = want["allocs"] + want["old"] + before if want["allocs"] else \
                got["tensors"]
            self.assertIn("found: %(kernels)d kernels, %(copies)d copies" % want, err)
            self.assertIn("shapes of %(shapes)d operators, %(allocs)d allocations of "
                          "%(alloc_bytes)d bytes" % want, err)
            self.assertIn("%(frees)d frees, %(steps)d steps" % want, err)
            want["kernels"] += want["copies"] + want["fills"]
        for key in got:
            if key in want:
                self.assertEqual(got[key], want[key], key)
        return got, want

    def test_table(self):
        for fmt, name, member, why in TABLE:
            with self.subTest(fmt=fmt, name=name, member=member):
                if why:
                    path = os.path.join(SAMPLES, name) + (":" + member if member else "")
                    self.refused(fmt, path, why)
                else:
                    self.compare(fmt, name, member)

    def test_each_rank_of_dlrm(self):
        for fmt, name in (("et", "param_dlrm_pytorch_et.tar.gz"),
                          ("kineto", "param_dlrm_kineto.tar.gz")):
            with tarfile.open(os.path.join(SAMPLES, name)) as tar:
                members = [m.name for m in tar.getmembers() if m.isfile()]
            self.assertEqual(len(members), 8)
            for member in members[:3]:
                with self.subTest(member=member):
                    self.compare(fmt, name, member)

    def test_nsys_counts(self):
        want = self.counted("nsys", "nsysai_h100_2gpu_1s.sqlite", "")
        rc, _, err = run("import", "nsys", os.path.join(SAMPLES, "nsysai_h100_2gpu_1s.sqlite"),
                         "-o", self.out)
        self.assertIn("found: %(kernels)d kernels, %(copies)d copies" % want, err)
        self.assertIn("%(fills)d fills" % want, err)

    def test_every_sample_is_in_the_table(self):
        self.assertEqual(sorted(set(os.listdir(SAMPLES))), sorted({row[1] for row in TABLE}))

    def test_what_was_there_before_is_near_what_the_allocator_held(self):
        for name, held in (("bert_small", 87.1), ("qwen1.5_0.5b", 939)):
            _, err = self.imported("kineto", os.path.join(
                SAMPLES, "tracelens_h100_%s_kineto.json.gz" % name))
            got = float(err.split("there before (")[1].split(" MiB")[0])
            self.assertLess(abs(got / held - 1), 0.07, err)


if __name__ == "__main__":
    unittest.main()
