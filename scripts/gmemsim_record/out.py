# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows to a file, by its name: .gmt, .jsonl or .jsonl.zst. The file appears whole or not
at all; until then it is called FILE.part."""
import importlib.util
import json
import os

FORMATS = (".gmt", ".jsonl.zst", ".jsonl")


def format_of(path):
    return next((f for f in FORMATS if path.endswith(f)), None)


def missing_module(path):
    """What is not installed and is needed for @path."""
    if path.endswith((".gmt", ".zst")) and importlib.util.find_spec("zstandard") is None:
        return "zstandard"
    return None


def open_out(path, meta):
    return (Gmt if path.endswith(".gmt") else Jsonl)(path, meta)


class Rounded:
    """Durations to @precision (0.001: 0.1 %), as `gmemsim trace cut --precision` does: to
    multiples of a power of two of ns. What one loses goes to later ones, so sums stay."""

    def __init__(self, out, precision):
        self.out, self.precision, self.owed = out, precision, {}
        self.size, self.close, self.drop = out.size, out.close, out.drop

    def put(self, row):
        if row.get("ns"):
            key = row.get("dev", row["ev"])
            row["ns"] = self.rounded(row["ns"], key)
        self.out.put(row)

    def rounded(self, ns, key):
        limit = int(ns * self.precision)
        if limit < 1:
            return ns
        step = 1 << (2 * limit).bit_length() - 1
        owed = self.owed.get(key, 0)
        to = (ns + max(-step // 2, min(step // 2, owed)) + step // 2) // step * step
        if to > ns + limit:
            to -= step
        elif to + limit < ns:
            to += step
        self.owed[key] = owed + ns - to
        return to


def discard(f, path):
    try:
        f.close()
    except OSError:                                 # what was not written yet cannot be either
        pass
    os.unlink(path)


class Gmt:
    """By way of the reader and writer that belongs to the format, traces/gmt.py."""

    def __init__(self, path, meta):
        here = os.path.dirname(os.path.abspath(__file__))
        spec = importlib.util.spec_from_file_location(
            "gmemsim_record.gmt", os.path.join(here, "..", "..", "traces", "gmt.py"))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self.path, self.file = path, module.Writer(path, meta, level=19)
        self.put = self.file.put

    def size(self):
        """At most this: what is not compressed yet counts in full."""
        return self.file.size()

    def close(self):
        self.file.close()

    def drop(self):
        discard(self.file.f, self.file.temporary)


class Jsonl:
    def __init__(self, path, meta):
        self.path, self.part = path, path + ".part"
        self.raw = self.out = open(self.part, "wb")
        if path.endswith(".zst"):
            import zstandard
            self.out = zstandard.ZstdCompressor(level=19).stream_writer(self.raw, closefd=False)
        self.encode = json.JSONEncoder(separators=(",", ":")).encode
        self.kernels = self.iterations = 0
        self._line({"ev": "meta", "format": "gmemsim-jsonl", "version": 1, **meta})

    def _line(self, row):
        self.out.write(self.encode(row).encode() + b"\n")

    def put(self, row):
        self.kernels += row["ev"] == "kernel"
        self.iterations += row["ev"] == "mark"
        self._line(row)

    def size(self):
        self.out.flush()
        return self.raw.tell()

    def close(self):
        self._line({"ev": "end", "kernels": self.kernels, "iterations": self.iterations})
        self.out.close()
        self.raw.close()
        os.replace(self.part, self.path)

    def drop(self):
        discard(self.raw, self.part)
