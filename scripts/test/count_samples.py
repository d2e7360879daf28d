#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Count what is in traces of others, without gmemsim: for comparison with what it imports.

    count_samples.py FORMAT FILE [MEMBER]      one JSON object on stdout

Formats: kineto, et, chakra, nsys.  FILE may be .gz or a tar with MEMBER in it.
Written from the descriptions of the formats, not from the importers.
"""
import gzip
import json
import re
import sqlite3
import sys
import tarfile


def load(path, member=None):
    """The bytes of a file, uncompressed, out of its archive."""
    if ".tar" in path or path.endswith(".tgz"):
        with tarfile.open(path) as tar:
            for m in tar.getmembers():
                leaf = m.name.rsplit("/", 1)[-1]
                if m.isfile() and not leaf.startswith("._") and member in (None, m.name, leaf):
                    return tar.extractfile(m).read()
        raise SystemExit("no such member: %s" % member)
    data = open(path, "rb").read()
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


# ---- Kineto ------------------------------------------------------------------


def nanoseconds(text):
    """A duration in us, as written, in ps; cut to whole ns as the file's clock is."""
    whole, _, part = text.partition(".")
    return (int(whole) * 1000 + int((part + "000")[:3])) * 1000


def kineto(data):
    top = json.loads(data, parse_float=str)
    events = top["traceEvents"] if isinstance(top, dict) else top
    n = dict.fromkeys(("kernels", "copies", "fills", "allocs", "frees", "alloc_bytes", "shapes",
                       "steps", "old", "kernel_ps"), 0)
    live, counted = set(), {}
    for e in events:
        cat, args = str(e.get("cat", "")).lower(), e.get("args", {})
        if e.get("ph") == "X" and cat in ("kernel", "gpu_memcpy", "memcpy", "gpu_memset", "memset"):
            n["kernels" if cat == "kernel" else "copies" if "memcpy" in cat else "fills"] += 1
            n["kernel_ps"] += nanoseconds(str(e["dur"]))
        if e.get("ph") == "X" and cat in ("cpu_op", "operator", "user_annotation"):
            n["shapes"] += "Input Dims" in args
            n["steps"] += e["name"].startswith("ProfilerStep#")
    memory = [e for e in events if e.get("name") == "[memory]" and e["args"].get("Device Type") == 1]
    for e in sorted(memory, key=lambda e: float(e["ts"])):
        a = e["args"]
        key = (a["Device Id"], a["Addr"]) if "Addr" in a else (a["Device Id"], abs(a["Bytes"]))
        if a["Bytes"] > 0:
            n["allocs"] += 1
            n["alloc_bytes"] += a["Bytes"]
            counted[key] = counted.get(key, 0) + 1
        else:
            n["frees"] += 1
            n["old"] += not counted.get(key, 0)
            counted[key] = max(0, counted.get(key, 0) - 1)
    return n


# ---- execution traces: storages, and the deepest operators that do something -----------------

NOTHING = re.compile(
    r"^(aten::)?(_?unsafe_view|view|_reshape_alias|view_as|as_strided_?|reshape|transpose_?|t_?|"
    r"numpy_T|permute|expand|expand_as|squeeze_?|unsqueeze_?|slice|select|narrow|split|"
    r"split_with_sizes|chunk|unbind|unflatten|unfold|diagonal|detach_?|alias|lift_fresh|"
    r"result_type|can_cast|empty|empty_like|empty_strided|new_empty|new_empty_strided|resize_|"
    r"resize_as_|set_|record_stream|is_same_size|is_nonzero|is_pinned|is_floating_point|is_complex|"
    r"resolve_conj|resolve_neg|to|contiguous|_?conj|size|stride|item|data_ptr|flatten|"
    r"flatten_dense_tensors|unflatten_dense_tensors|requires_grad_|retain_grad|output_nr|_version|"
    r"zeros|zeros_like|new_zeros|ones|ones_like)(\..*)?$")
WRAPPER = re.compile(
    r"^(torch::autograd::AccumulateGrad|autograd::engine::|torch::distributed::reducer::|"
    r"torch\.distributed\.ddp\.reducer::|Optimizer\.|##|ProfilerStep#|\[pytorch|record_param_comms|"
    r"enumerate\(DataLoader\)|DistributedDataParallel\.)|Backward\d$")


def tensors(x):
    if isinstance(x, (list, tuple)):
        if len(x) == 6 and isinstance(x[5], str) and all(type(v) is int for v in x[:5]):
            if x[3] > 0 and x[4] > 0:
                yield x
        else:
            for y in x:
                yield from tensors(y)


def mutated(schema):
    """Positions of the arguments that a schema marks as written."""
    inside, depth, parts = schema.partition("(")[2], 0, [""]
    for c in inside:
        if c == ")" and not depth:
            break
        depth += (c in "([") - (c in ")]")
        if c == "," and not depth:
            parts.append("")
        else:
            parts[-1] += c
    return {i for i, p in enumerate(p for p in parts if p.strip() != "*") if "!" in p}


def union(ranges):
    """Ranges (from, to, access), those that touch joined in the order they come."""
    out = []
    for lo, hi, access in ranges:
        for r in out:
            if lo <= r[1] and hi >= r[0]:
                r[0], r[1], r[2] = min(r[0], lo), max(r[1], hi), r[2] | access
                break
        else:
            out.append([lo, hi, access])
    return out


def graph(nodes, device_nodes):
    """Kernels and tensors of nodes: dicts with id, up, name, ins, outs, written, device."""
    nodes.sort(key=lambda q: q["id"])
    by_id = {q["id"]: q for q in nodes}
    names = {t[5] for q in nodes for t in q["ins"] + q["outs"]}
    cpu = {d for d in names if d.startswith(("cpu", "meta"))}
    cpu = set() if cpu == names else cpu
    on = lambda q: any(t[5] not in cpu for t in q["ins"] + q["outs"])
    works = lambda q: q["device"] if device_nodes else not (
        NOTHING.match(q["name"]) and (q["name"].startswith("aten::") or ":" not in q["name"])
        or WRAPPER.search(q["name"]))
    above = set()
    for q in nodes:
        if not device_nodes and works(q) and on(q):
            up = by_id.get(q["up"])
            while up is not None and up["id"] not in above and up is not q:
                above.add(up["id"])
                up = by_id.get(up["up"])
    seen, where, sizes = set(), {}, {}
    n = {"kernels": 0, "touches": 0, "read": 0, "written": 0}
    for q in nodes:
        given = {t[1] for t in q["ins"]}
        use = {}
        overwrites = re.match(r"aten::(fill_|zero_|copy_|uniform_|normal_|random_|exponential_|"
                              r"bernoulli_)(\.|$)", q["name"])
        first = True
        for outs, t, arg in [(0, t, a) for a, v in enumerate(q["args"]) for t in tensors(v)] + \
                            [(1, t, -1) for t in q["outs"]]:
            fresh = t[0] not in seen
            seen.add(t[0])
            if t[1] not in where or (outs and fresh and t[1] not in given):
                where[t[1]] = len(sizes)
                sizes[len(sizes)] = 0
            buf = where[t[1]]
            access = 2 if outs else 3 if arg in q["written"] or q["name"].startswith("nccl:") else 1
            if first and not outs and overwrites:
                access = 2
            first = False
            if t[5] in cpu or (outs and t[1] in given and not q["device"]):
                continue
            use.setdefault(buf, []).append((t[2] * t[4], (t[2] + t[3]) * t[4], access))
        if not works(q) or (not device_nodes and (q["id"] in above or not use)):
            continue
        n["kernels"] += 1
        for buf, ranges in use.items():
            for lo, hi, access in union(ranges):
                n["touches"] += 1
                n["read"] += (hi - lo) * (access & 1)
                n["written"] += (hi - lo) * (access >> 1)
                sizes[buf] = max(sizes[buf], hi)
    n["tensors"] = sum(1 for s in sizes.values() if s)
    n["bytes"] = sum(sizes.values())
    return n


def et(data):
    nodes = []
    for q in json.loads(data)["nodes"]:
        attrs = {a["name"]: a.get("value") for a in q.get("attrs", [])}
        values = lambda k: q[k]["values"] if isinstance(q[k], dict) else q[k]
        schema = attrs.get("op_schema", q.get("op_schema", "")) or ""
        nodes.append({"id": q["id"], "up": q.get("ctrl_deps", q.get("parent")), "name": q["name"],
                      "args": values("inputs"), "ins": list(tensors(values("inputs"))),
                      "outs": list(tensors(values("outputs"))), "written": mutated(schema),
                      "device": False})
    return graph(nodes, False)


# ---- Chakra ------------------------------------------------------------------


def varint(b, i):
    v = shift = 0
    while True:
        v |= (b[i] & 127) << shift
        i, shift = i + 1, shift + 7
        if b[i - 1] < 128:
            return v, i


def fields(b):
    i = 0
    while i < len(b):
        key, i = varint(b, i)
        if key & 7 == 0:
            v, i = varint(b, i)
        elif key & 7 == 2:
            size, i = varint(b, i)
            v, i = b[i:i + size], i + size
        else:
            size = 8 if key & 7 == 1 else 4
            v, i = b[i:i + size], i + size
        yield key >> 3, v


def chakra(data):
    import ast
    if data[:1] in b"{[":
        rows = json.loads(data)["workload_graph"]
        return {"nodes": len(rows), "device": sum(not r["is_cpu_op"] for r in rows),
                "timed": sum(not r["is_cpu_op"] and "runtime" in r for r in rows)}
    nodes, i, n = [], 0, {"nodes": 0, "device": 0, "timed": 0, "kernel_ps": 0}
    while i < len(data):
        size, i = varint(data, i)
        f, i = list(fields(data[i:i + size])), i + size
        if not f or f[0][0] != 1 or not isinstance(f[0][1], int):
            continue
        one = dict(f)
        attrs = {}
        for k, v in f:
            if k == 10:
                a = list(fields(v))
                attrs[a[0][1].decode()] = a[1][1] if len(a) > 1 else 0
        side = {k: dict(fields(one[k])) for k in (8, 9) if k in one}
        values = lambda k: ast.literal_eval(side[k][1].decode()) if side.get(k, {}).get(1) else []
        device = not attrs.get("is_cpu_op", 1)
        n["nodes"] += 1
        n["device"] += device
        n["timed"] += device and 7 in one
        n["kernel_ps"] += device * (one[7] * 10**6 if 7 in one else 500000)
        up = one.get(4, b"")
        nodes.append({"id": one[1], "up": varint(up, 0)[0] if isinstance(up, bytes) and up else up,
                      "name": one[2].decode(), "args": values(8), "ins": list(tensors(values(8))),
                      "outs": list(tensors(values(9))), "device": device,
                      "written": mutated(attrs.get("op_schema", b"").decode()
                                         if isinstance(attrs.get("op_schema"), bytes) else "")})
    n.update(graph(nodes, True))
    return n


# ---- Nsight Systems ----------------------------------------------------------


def nsys(path):
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    tables = {r[0] for r in db.execute("SELECT name FROM sqlite_master")}
    one = lambda table, what="count(*)": db.execute(
        "SELECT %s FROM %s" % (what, table)).fetchone()[0] if table in tables else 0
    return {"kernels": one("CUPTI_ACTIVITY_KIND_KERNEL"),
            "copies": one("CUPTI_ACTIVITY_KIND_MEMCPY"),
            "fills": one("CUPTI_ACTIVITY_KIND_MEMSET"),
            "faults": one("CUDA_UM_GPU_PAGE_FAULT_EVENTS")}


def main(argv):
    if len(argv) < 3 or argv[1] not in ("kineto", "et", "chakra", "nsys"):
        raise SystemExit(__doc__)
    count = {"kineto": kineto, "et": et, "chakra": chakra}
    result = nsys(argv[2]) if argv[1] == "nsys" else \
        count[argv[1]](load(argv[2], argv[3] if len(argv) > 3 else None))
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv)
