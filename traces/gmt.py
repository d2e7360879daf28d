#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""gmt.py - read and write .gmt traces from Python, in one file

    with gmt.Reader("job.gmt") as r:
        print(r.meta["devices"], r.totals["kernels"])
        for row in r:
            ...

    with gmt.Writer("job.gmt", {"devices": ["gpu"]}) as w:
        w.put({"ev": "alloc", "t": 0, "va": 0, "bytes": 4096, "kind": "weight", "dev": 0})

A row is a dict as gmemsim-jsonl has it (FORMAT.md, section 4), without the
lines meta and end.  Needs nothing but the module zstandard.  From a shell:

    gmt.py cat FILE.gmt > FILE.jsonl      gmt.py make FILE.jsonl FILE.gmt

Errors are gmt.Error: file, offset, reason.  Written from FORMAT.md.
"""
import json
import os
import struct
import sys

import zstandard

MAJOR, MINOR = 2, 1
MAGIC = b"\x89GMT\r\n\x1a\n"
END = b"GMT-END\n"
RAW_MAX = 1 << 24
FRAME = 1 << 21  # raw bytes after which the writer begins a new frame

KINDS = "weight gradient optimizer activation workspace input kv_cache".split()
CLASSES = "gemm conv attention norm softmax reduce elementwise gather pool copy optimizer".split()
DTYPES = "f64 f32 tf32 f16 bf16 f8 i64 i32 i8".split()
PHASES = "data forward backward optimizer".split()
ADVICE = ("prefetch free_eager pin unpin willneed prefetch_host prefer prefer_host unprefer "
          "accessed_by unaccessed_by read_mostly unread_mostly").split()
PATTERNS = "sequential strided random".split()
ACCESS = ["", "r", "w", "rw"]

# Sections of a frame, and those that hold bytes or bare varints.
(TYPES, DURATIONS, PAGE_VA, PAGE_TIME, PAGE_KIND, NAMES, A_KIND, A_ID, A_PLACE, A_VA, A_BYTES,
 A_NAME, F_TENSOR, K_NAME, K_FLAGS, K_PLACE, K_WHAT, K_FLOPS, K_BYTES, K_TOUCHES, K_FAULTS,
 T_FLAGS, T_TENSOR, T_LIKE, T_BYTES, T_OFF, T_STEP, T_PATTERN, T_REST, O_BYTES,
 O_NUMBERS, SEGMENTS) = range(1, 33)
SECTIONS = 33
BYTES = {TYPES, PAGE_VA, PAGE_TIME, PAGE_KIND, NAMES, A_KIND, K_FLAGS, K_WHAT, T_FLAGS, T_PATTERN,
         O_BYTES}
PLACES = 64  # addresses of each size that are remembered
TEXTS = {1: "name", 2: "framework", 3: "source", 4: "recorded"}
TOTALS = {16: "operations", 17: "kernels", 18: "pages", 19: "tensors", 20: "iterations",
          21: "streams", 22: "va_low", 23: "va_high", 24: "bytes", 25: "peak", 26: "touches",
          27: "kernel_ps", 28: "reserved", 29: "segments_low", 30: "segments_high"}
U64 = (1 << 64) - 1


class Error(Exception):
    """What is wrong with a file, and where."""


# ---- XXH3-64, seed 0 -----------------------------------------------------------

_SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e")
_P32 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
_P64 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63,
        0x27D4EB2F165667C5)


def _le(b, at, n=8):
    return int.from_bytes(b[at:at + n], "little")


_S = [_le(_SECRET, i) for i in range(185)]


def _fold(a, b):
    p = a * b
    return (p & U64) ^ (p >> 64)


def _avalanche(h):
    h = (h ^ h >> 37) * 0x165667919E3779F9 & U64
    return h ^ h >> 32


def _avalanche64(h):
    h = (h ^ h >> 33) * _P64[1] & U64
    h = (h ^ h >> 29) * _P64[2] & U64
    return h ^ h >> 32


def _mix16(b, at, s):
    return _fold(_le(b, at) ^ _S[s], _le(b, at + 8) ^ _S[s + 8])


def _short(b, n):
    if n == 0:
        return _avalanche64(_S[56] ^ _S[64])
    if n <= 3:
        word = b[0] << 16 | b[n >> 1] << 24 | b[n - 1] | n << 8
        return _avalanche64(word ^ _le(_SECRET, 0, 4) ^ _le(_SECRET, 4, 4))
    if n <= 8:
        h = _le(b, n - 4, 4) + (_le(b, 0, 4) << 32) & U64
        h ^= _S[8] ^ _S[16]
        h ^= (h << 49 | h >> 15) & U64 ^ (h << 24 | h >> 40) & U64
        h = h * 0x9FB21C651E98DF25 & U64
        h = (h ^ (h >> 35) + n) * 0x9FB21C651E98DF25 & U64
        return h ^ h >> 28
    low, high = _le(b, 0) ^ _S[24] ^ _S[32], _le(b, n - 8) ^ _S[40] ^ _S[48]
    swapped = int.from_bytes(low.to_bytes(8, "little"), "big")
    return _avalanche(n + swapped + high + _fold(low, high) & U64)


def _middle(b, n):
    acc = n * _P64[0]
    if n <= 128:
        for i in range((n - 1) // 32 + 1):
            acc += _mix16(b, 16 * i, 32 * i) + _mix16(b, n - 16 * (i + 1), 32 * i + 16)
        return _avalanche(acc & U64)
    acc = _avalanche(acc + sum(_mix16(b, 16 * i, 16 * i) for i in range(8)) & U64)
    acc += sum(_mix16(b, 16 * i, 16 * (i - 8) + 3) for i in range(8, n // 16))
    return _avalanche(acc + _mix16(b, n - 16, 136 - 17) & U64)


def _stripe(acc, words, keys):
    for i in range(8):
        v = words[i]
        k = v ^ keys[i]
        acc[i ^ 1] += v
        acc[i] = acc[i] + (k & 0xffffffff) * (k >> 32) & U64


def xxh3(b):
    """The 64-bit XXH3 of bytes, seed 0."""
    n = len(b)
    if n <= 16:
        return _short(b, n)
    if n <= 240:
        return _middle(b, n)
    acc = [_P32[2], _P64[0], _P64[1], _P64[2], _P64[3], _P32[1], _P64[4], _P32[0]]
    keys = [_S[8 * s:8 * s + 64:8] for s in range(17)]
    last = (n - 1) // 64  # stripes before the last
    for i in range(last):
        _stripe(acc, struct.unpack_from("<8Q", b, 64 * i), keys[i % 16])
        if i % 16 == 15:
            for j in range(8):
                a = acc[j] & U64
                acc[j] = (a ^ a >> 47 ^ keys[16][j]) * _P32[0] & U64
    _stripe(acc, struct.unpack_from("<8Q", b, n - 64), _S[121:185:8])
    acc = [a & U64 for a in acc]
    h = n * _P64[0] + sum(_fold(acc[2 * i] ^ _S[11 + 16 * i], acc[2 * i + 1] ^ _S[19 + 16 * i])
                          for i in range(4))
    return _avalanche(h & U64)


# ---- numbers -------------------------------------------------------------------


class Cursor:
    """Bytes that are read from the front; IndexError behind the end."""

    def __init__(self, b, at=0, end=None):
        self.b, self.at, self.end = b, at, len(b) if end is None else end

    def u8(self):
        if self.at >= self.end:
            raise IndexError("ends too early")
        self.at += 1
        return self.b[self.at - 1]

    def number(self):
        v = shift = 0
        while True:
            c = self.u8()
            v |= (c & 127) << shift
            shift += 7
            if c < 128:
                break
        if v > U64 or shift > 70:
            raise IndexError("a number of more than 64 bits")
        return v

    def signed(self, base=0):
        v = self.number()
        return base + (v >> 1 ^ -(v & 1)) & U64

    def part(self, n):
        if n > self.end - self.at:
            raise IndexError("ends too early")
        self.at += n
        return Cursor(self.b, self.at - n, self.at)

    def bytes(self, n):
        c = self.part(n)
        return bytes(self.b[c.at:c.end])

    def more(self):
        return self.at < self.end


class Parts(Cursor):
    """Numbers whose lengths are bytes and whose rest is bits."""

    def __init__(self, c):
        n = c.number()
        classes = c.part(n)
        super().__init__(c.b, classes.at, classes.end)
        self.rest = c.bytes(c.end - c.at)
        self.bit = 0

    def number(self):
        c = self.u8()
        n = (c >> 2) - 1
        if n < 1:
            return c
        if n > 61 or self.bit + n > 8 * len(self.rest):
            raise IndexError("ends too early")
        v = int.from_bytes(self.rest[self.bit >> 3:(self.bit >> 3) + 9], "little")
        v = v >> (self.bit & 7) & (1 << n) - 1
        self.bit += n
        return (1 << n | v) << 2 | c & 3

    def more(self):
        return super().more() or self.bit + 7 >> 3 != len(self.rest)


def numbers(c):
    """A section of numbers by its coding."""
    coding = c.u8()
    if coding > 1:
        raise IndexError("unknown coding %d" % coding)
    return Parts(c) if coding else c


def number(v):
    """A varint."""
    out = bytearray()
    while v > 127:
        out.append(v & 127 | 128)
        v >>= 7
    out.append(v)
    return bytes(out)


def zigzag(v):
    v &= U64
    return (v << 1 & U64) ^ (U64 if v >> 63 else 0)


def signed(v, base=0):
    return number(zigzag(v - base))


def weights(column):
    """Bits of both codings behind a compressor, about: runs of four come again for nothing."""
    seen, varints, parts = set(), 0, 0
    for i, v in enumerate(column):
        run = tuple(column[max(i - 3, 0):i + 1])
        parts += max((v >> 2).bit_length() - 1, 0)
        if run not in seen:
            seen.add(run)
            parts += 3
            varints += 8 * len(number(v))
    return varints, parts


def coded(column):
    """A column of numbers as a section: (bytes, where bits begin or 0). Varints, which
    zstd finds again, or parts for what never comes again, as FORMAT.md has them."""
    varints = b"".join(map(number, column))
    whole, parts = weights(column)
    if len(column) < 64 or parts >= whole:
        return b"\0" + varints, 0
    rest = at = 0
    out, low = bytearray(), b"".join(bytes([(v >> 2).bit_length() << 2 | v & 3]) for v in column)
    for v in column:
        v >>= 2
        if v > 1:
            n = v.bit_length() - 1
            rest |= (v & (1 << n) - 1) << at
            at += n
            out += (rest & (1 << (at & ~7)) - 1).to_bytes(at >> 3, "little")
            rest >>= at & ~7
            at &= 7
    out += bytes([rest]) if at else b""
    head = b"\1" + number(len(column)) + low
    return (head + bytes(out), len(head)) if len(head) + len(out) <= len(varints) * 5 // 4 else \
        (b"\0" + varints, 0)


def word(words, i):
    return words[i] if i < len(words) else "other"


def index(words, w):
    return 255 if w == "other" else words.index(w)


def _time(ps):
    return {"ps": ps} if ps % 1000 else {"ns": ps // 1000} if ps else {}


def _ps(row):
    return row.get("ps", 0) + 1000 * row.get("ns", 0)


def _duration(v):
    return v >> 1 if v & 1 else (v >> 1) * 1000


def _put_duration(ps):
    return ps << 1 | 1 if ps % 1000 else ps // 1000 << 1


# ---- reading -------------------------------------------------------------------


class _Frame:
    """The state in which a frame is decoded. A field is read from its column; in version 1
    the fields of a record stand one behind the other, so all columns are that record."""

    def __init__(self, raw, major):
        self.v1 = major == 1
        c = Cursor(raw)
        pre = c.part(c.number())
        self.first, self.count = pre.number(), pre.number()
        self.next_id, self.next_va = pre.number(), pre.number()
        self.col = [Cursor(b"") for _ in range(SECTIONS)]
        self.alike = False
        while c.more():
            i = c.number()
            part = c.part(c.number())
            if i >= (6 if self.v1 else SECTIONS):
                continue
            self.col[i] = part if self.v1 or i in BYTES else numbers(part)
            self.alike |= i == T_LIKE
        self.names, self.kinds = [None, None], [None]
        self.place, self.what = (0, 0), ("other",) * 3
        self.places = {}  # bytes: addresses, the one used last first
        self.last, self.told = {}, 0  # name: tensors of its last kernel; told last

    def name(self, section):
        v = self.col[section].number()
        if v == 1:
            c = self.col[NAMES]
            n = c.number() if self.v1 else c.b.index(b"\0", c.at, c.end) - c.at
            text = c.bytes(n).decode()
            c.u8()
            self.names.append(text)
            return text
        return self.names[v] if v else ""

    def tensor(self, section):
        v = self.col[section].number()
        return self.next_id - 1 - (v >> 1) if v & 1 else v >> 1

    def rows(self):
        types, done = self.col[TYPES], 0
        makers = {1: self.alloc, 2: self.free, 3: self.kernel, 4: self.host, 5: self.advice,
                  6: self.mark, 8: self.segment}
        while types.more():
            kind = types.u8()
            if self.v1:
                self.col[6:] = [types.part(types.number())] * (SECTIONS - 6)
            if kind == 7:
                for row in self.pages():
                    done += 1
                    yield row
                continue
            done += 1
            row = makers[kind]() if kind in makers else None
            if row:
                yield row
        if done != self.count or any(c.more() for c in self.col[2:6 if self.v1 else SECTIONS]):
            raise IndexError("holds other than the announced operations")

    def alloc(self):
        row = {"ev": "alloc"}
        kind, dev = word(KINDS, self.col[A_KIND].u8()), self.col[A_ID].number()
        row["t"] = self.col[A_ID].signed(self.next_id)
        row["va"] = self.col[A_VA].signed(self.next_va) if self.v1 else 0
        row["bytes"] = self.col[A_BYTES].number()
        if not self.v1:
            row["va"] = self.address(self.places.setdefault(row["bytes"], []))
        row["kind"] = kind
        name = self.name(A_NAME)
        if name:
            row["name"] = name
        row["dev"] = dev
        self.next_id, self.next_va = row["t"] + 1, row["va"] + row["bytes"] & U64
        return row

    def address(self, known):
        place = self.col[A_PLACE].number()
        va = known.pop(place - 1) if place else self.col[A_VA].signed(self.next_va)
        known.insert(0, va)
        del known[PLACES:]
        return va

    def free(self):
        return {"ev": "free", "t": self.tensor(F_TENSOR)}

    def kernel(self):
        row = {"ev": "kernel", "name": self.name(K_NAME)}
        flags = self.col[K_FLAGS].u8()
        if flags & 1:
            self.place = self.col[K_PLACE].number(), self.col[K_PLACE].number()
        if flags & 2:
            c = self.col[K_WHAT]
            self.what = word(CLASSES, c.u8()), word(DTYPES, c.u8()), word(PHASES, c.u8())
        row["class"], row["dtype"], row["phase"] = self.what
        row["dev"], row["stream"] = self.place
        row.update(_time(_duration(self.col[DURATIONS].number())))
        for flag, key, section in ((4, "flops", K_FLOPS), (8, "bytes", K_BYTES)):
            v = self.col[section].number() if flags & flag else 0
            if v:
                row[key] = v
        t, row["touch"] = (0, 0, 0), []
        before, now = self.last.get(row["name"], []), []
        for _ in range(self.col[K_TOUCHES].number()):
            t = self.touch(t, before, now, row["touch"])
        self.last[row["name"]] = now
        if flags & 16:
            for key in ("fault_out_ps", "fault_all_ps"):
                v = _duration(self.col[K_FAULTS].number())
                if v:
                    row[key] = v
        return row

    def touched(self, before, now):
        if not self.alike:
            return self.tensor(T_TENSOR)
        guess = before[len(now)] if len(now) < len(before) else self.told
        self.told = self.col[T_LIKE].signed(guess)
        now.append(self.told)
        return self.told

    def touch(self, t, before, now, to):
        flags = self.col[T_FLAGS].u8()
        tensor = t[0] if flags & 0x40 else self.touched(before, now)
        size = t[2] if flags & 8 else self.col[T_BYTES].number()
        off = 0
        if flags & 0x40:
            s = self.col[T_STEP].number()
            off = t[1] + t[2] + (s >> 2 ^ -(s >> 1 & 1)) * (size if s & 1 else 1) & U64
        elif flags & 4:
            off = self.col[T_OFF].number()
        pattern, stride = "sequential", 0
        if flags & 0x10:
            p = self.col[T_PATTERN].u8()
            pattern = PATTERNS[p] if p < len(PATTERNS) else "sequential"
            stride = self.col[T_REST].number() if p == 1 else 0
        share = self.col[T_REST].number() if flags & 0x20 else 0
        if flags & 0x80 and self.v1:
            self.col[T_REST].part(self.col[T_REST].number())
        row = [tensor, off, size, ACCESS[flags & 3]]
        to.append(row + [pattern, stride, share] if pattern != "sequential" or share else row)
        return tensor, off, size

    def host(self):
        rw, c = ACCESS[self.col[O_BYTES].u8() & 3], self.col[O_NUMBERS]
        row = {"ev": "host", "t": self.tensor(O_NUMBERS), "off": c.number(), "bytes": c.number(),
               "rw": rw}
        row.update(_time(_duration(self.col[DURATIONS].number())))
        return row

    def advice(self):
        what, c = self.col[O_BYTES].u8(), self.col[O_NUMBERS]
        dev = c.number()
        row = {"ev": "advice", "advice": word(ADVICE, what), "t": self.tensor(O_NUMBERS),
               "off": c.number(), "bytes": c.number(), "dev": dev}
        return row if what < len(ADVICE) else None

    def mark(self):
        flags, n = self.col[O_BYTES].u8(), self.col[O_NUMBERS].number()
        name = self.name(O_NUMBERS)
        return {"ev": "mark", "name": "iteration" if flags & 1 else name, "index": n}

    def segment(self):
        c = self.col[SEGMENTS]
        row = {"ev": "segment_free" if c.number() & 1 else "segment_alloc"}
        row["dev"], row["va"], row["bytes"] = c.number(), c.number(), c.number()
        return row

    def pages(self):
        head, small = self.col[O_NUMBERS], self.col[O_BYTES]
        count, flags, shift, base = head.number(), small.u8(), small.u8(), head.number()
        when = head.number() if flags & 2 else 0
        vas, times, kinds = self.col[PAGE_VA], self.col[PAGE_TIME], self.col[PAGE_KIND]
        for _ in range(count):
            if flags & 1:
                va = base + vas.number() << shift & U64
            else:
                base = vas.signed(base)
                va = base << shift & U64
            if flags & 2:
                when = times.signed(when)
            kind = kinds.number()
            if not kind:
                self.kinds.append((kinds.number(), kinds.u8(), kinds.number()))
                kind = len(self.kinds) - 1
            dev, access, size = self.kinds[kind]
            row = {"ev": "page", "va": va, "bytes": size, "rw": ACCESS[access & 3], "dev": dev}
            row.update(_time(when * 1000 if flags & 4 else when))
            yield row


class Reader:
    """Rows of a file, in order; iterate as often as wanted."""

    def __init__(self, path, check=True):
        self.path, self.check = path, check
        self.meta, self.totals = {"devices": []}, {}
        self.f = open(path, "rb")
        try:
            self._open()
        except (IndexError, UnicodeDecodeError) as e:
            self.f.close()
            raise Error("%s: damaged: %s" % (path, e)) from None
        except Error:
            self.f.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.f.close()

    def _fail(self, at, why):
        raise Error("%s: offset %d: %s" % (self.path, at, why))

    def _at(self, at, n):
        self.f.seek(at)
        b = self.f.read(n)
        if len(b) != n:
            self._fail(at, "is truncated")
        return b

    def _hash(self, b, want, at, what):
        if self.check and xxh3(b) != want:
            self._fail(at, what + ": checksum differs")

    def _block(self, at, tag, frame=0):
        head = self._at(at, 32)
        self._hash(head[:24], _le(head, 24), at, "head of a block")
        if head[:4] != tag or _le(head, 4, 4) != frame or _le(head, 8, 4) > RAW_MAX:
            self._fail(at, "no block %s" % tag.decode())
        try:
            raw = zstandard.ZstdDecompressor().decompress(self._at(at + 32, _le(head, 12, 4)),
                                                          max_output_size=_le(head, 8, 4))
        except zstandard.ZstdError as e:
            self._fail(at, str(e))
        if len(raw) != _le(head, 8, 4):
            self._fail(at, "block of another size")
        self._hash(raw, _le(head, 16), at, "content of a block")
        return raw, _le(head, 16)

    def _rows(self, raw):
        c = Cursor(raw)
        while c.more():
            key = c.number()
            value = c.part(c.number())
            if key in TEXTS:
                text = value.bytes(value.end - value.at).decode()
                self.meta.pop(TEXTS[key], None)
                if text:
                    self.meta[TEXTS[key]] = text
            elif key == 5:
                self.meta["devices"].append(value.bytes(value.end - value.at).decode())
            elif key == 6:
                self.meta["page_hint"] = value.number()
            elif key in TOTALS:
                self.totals[TOTALS[key]] = value.number()

    def _open(self):
        size = os.fstat(self.f.fileno()).st_size
        if size < 80 or self._at(0, 8) != MAGIC:
            self._fail(0, "is no .gmt")
        self.major = _le(self._at(8, 2), 0, 2)
        if not 1 <= self.major <= MAJOR:
            self._fail(8, "was written by another major version")
        foot = self._at(size - 64, 64)
        if foot[56:] != END:
            self._fail(size, "is truncated: the end of the trace is missing")
        self._hash(foot[:48], _le(foot, 48), size - 64, "footer")
        if foot[36:40] != self._at(8, 4) or self._at(12, 4) != bytes(4):
            self._fail(8, "the version is not that of the footer")
        if _le(foot, 24) != size:
            self._fail(size - 64, "the file had another size when it was written")
        head, hashes = self._block(16, b"HEAD")
        hashes = [hashes]
        self._rows(head)
        self._rows(self._block(_le(foot, 0), b"SUMM")[0])
        c = Cursor(self._block(_le(foot, 8), b"INDX")[0])
        self.frames, at, op = [], 0, 0
        for _ in range(c.number()):
            at += c.number()
            n = c.number()
            hashes.append(_le(c.bytes(8), 0))
            self.frames.append((at, op, hashes[-1]))
            op += n
        self.marks, op = [], 0
        for _ in range(c.number()):
            op += c.number()
            self.marks.append(op)
        self.hash = _le(foot, 16)
        if self.check and xxh3(b"".join(h.to_bytes(8, "little") for h in hashes)) != self.hash:
            self._fail(size - 64, "the hash of the content differs")

    def _frame(self, i):
        at, op, want = self.frames[i]
        raw, have = self._block(at, b"DATA", i)
        frame = _Frame(raw, self.major)
        if have != want or frame.first != op:
            self._fail(at, "is not the frame of the index")
        return frame

    def __iter__(self):
        for i in range(len(self.frames)):
            try:
                yield from self._frame(i).rows()
            except (IndexError, ValueError) as e:
                self._fail(self.frames[i][0], "frame %d: %s" % (i, e))


# ---- writing -------------------------------------------------------------------


class Writer:
    """A new file; it gets its name when it is whole, at close()."""

    def __init__(self, path, meta, level=3):
        self.path, self.temporary = path, path + ".part"
        self.f = open(self.temporary, "wb")
        self.zstd = zstandard.ZstdCompressor(level=level)
        self.totals = dict.fromkeys(TOTALS.values(), 0)
        self.live, self.alive, self.reserved = {}, 0, 0
        self.frames, self.marks, self.hashes = [], [], []
        self.next_id = self.next_va = self.recent = 0
        head = b"".join(self._row(k, meta[TEXTS[k]].encode()) for k in TEXTS if meta.get(TEXTS[k]))
        head += b"".join(self._row(5, d.encode()) for d in meta["devices"])
        if meta.get("page_hint"):
            head += self._row(6, number(meta["page_hint"]))
        self.f.write(MAGIC + struct.pack("<HHI", MAJOR, MINOR, 0))
        self._block(b"HEAD", 0, head)
        self._begin()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None:
            self.close()
        else:
            self.f.close()
            os.unlink(self.temporary)

    @staticmethod
    def _row(key, value):
        return number(key) + number(len(value)) + value

    def _pack(self, raw, ends):
        """One zstd frame; blocks of it end where what is alike ends."""
        z, out, at = self.zstd.compressobj(size=len(raw)), [], 0
        for end in ends:
            out += [z.compress(raw[at:end]), z.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)]
            at = end
        return b"".join(out + [z.compress(raw[at:]), z.flush()])

    def _block(self, tag, frame, raw, ends=()):
        at, packed, h = self.f.tell(), self._pack(raw, ends), xxh3(raw)
        head = tag + struct.pack("<IIIQ", frame, len(raw), len(packed), h)
        self.f.write(head + xxh3(head).to_bytes(8, "little") + packed)
        if tag in (b"HEAD", b"DATA"):
            self.hashes.append(h)
        return at

    def _begin(self):
        self.preamble = [self.totals["operations"], 0, self.next_id, self.next_va]
        self.small = {i: bytearray() for i in BYTES}
        self.col = {i: [] for i in range(1, SECTIONS) if i not in BYTES}
        self.waiting = 0  # bytes of this frame, about
        self.names, self.kinds = {"": 0}, {}
        self.place, self.what = (0, 0), (255, 255, 255)
        self.places, self.last, self.told = {}, {}, 0
        self.run = []  # pages that are one record

    def _add(self, section, *values):
        self.col[section] += values
        self.waiting += sum(v.bit_length() // 7 + 1 for v in values)

    def _bytes(self, section, *values):
        self.small[section] += bytes(values)
        self.waiting += len(values)

    def size(self):
        """Bytes of the file so far, at most: what is not compressed yet counts in full."""
        return self.f.tell() + self.waiting + 16 * len(self.run)

    def _end(self):
        self._end_run()
        if not self.preamble[1]:
            return
        pre = b"".join(number(v) for v in self.preamble)
        raw, ends = bytearray(number(len(pre)) + pre), []
        told, like = (weights(self.col[i])[0] for i in (T_TENSOR, T_LIKE))
        self.col[T_LIKE if told <= like else T_TENSOR] = []
        for i in range(1, SECTIONS):
            part, bits = (self.small[i], 0) if i in BYTES else coded(self.col[i]) \
                if self.col[i] else (b"", 0)
            if not part:
                continue
            begin = len(raw)
            raw += number(i) + number(len(part)) + part
            if len(part) >= 1024:
                ends += [begin] + [len(raw) - len(part) + bits] * (bits > 0) + [len(raw)]
        at = self._block(b"DATA", len(self.frames), bytes(raw), ends)
        self.frames.append((at, self.preamble[1], self.hashes[-1]))

    def _name(self, name):
        if name in self.names:
            return self.names[name]
        self.names[name] = max(1, len(self.names)) + 1
        self._bytes(NAMES, *name.encode(), 0)
        return 1

    def put(self, row):
        """One row.  What makes no sense is left to `gmemsim trace verify` to find."""
        if self.waiting + 16 * len(self.run) >= FRAME:
            self._end()
            self._begin()
        getattr(self, "_" + row["ev"])(row)
        self.totals["operations"] += 1
        self.preamble[1] += 1

    def _extent(self, va, n, of="va"):
        t, low, high = self.totals, of + "_low", of + "_high"
        if n:
            t[low] = va if not t[high] else min(t[low], va)
            t[high] = max(t[high], va + n)

    def _record(self, kind):
        self._end_run()
        self._bytes(TYPES, kind)

    def _alloc(self, row):
        t, va, n = row["t"], row.get("va", 0), row["bytes"]
        self._record(1)
        self._bytes(A_KIND, index(KINDS, row.get("kind", "other")))
        self._add(A_ID, row.get("dev", 0), zigzag(t - self.next_id))
        self._add(A_BYTES, n)
        known = self.places.setdefault(n, [])
        if va in known:
            self._add(A_PLACE, known.index(va) + 1)
            known.remove(va)
        else:
            self._add(A_PLACE, 0)
            self._add(A_VA, zigzag(va - self.next_va))
        known.insert(0, va)
        del known[PLACES:]
        self._add(A_NAME, self._name(row.get("name", "")))
        self.next_id, self.next_va = t + 1, va + n & U64
        self._extent(va, n)
        self.live[t] = n
        self.alive += n
        self.totals["tensors"] = max(self.totals["tensors"], t + 1)
        self.totals["bytes"] += n
        self.totals["peak"] = max(self.totals["peak"], self.alive)

    def _tensor(self, t):
        return (self.next_id - 1 - t) << 1 | 1 if t >= self.recent else t << 1

    def _free(self, row):
        self._record(2)
        self._add(F_TENSOR, self._tensor(row["t"]))
        self.alive -= self.live.pop(row["t"])

    def _kernel(self, row):
        place = row.get("dev", 0), row.get("stream", 0)
        what = (index(CLASSES, row.get("class", "other")), index(DTYPES, row.get("dtype", "other")),
                index(PHASES, row.get("phase", "other")))
        touches = [t for t in row.get("touch", []) if t[2]]
        faults = [row.get("fault_out_ps", 0), row.get("fault_all_ps", 0)]
        flags = (1 if place != self.place else 0) | (2 if what != self.what else 0) | \
                (4 if row.get("flops") else 0) | (8 if row.get("bytes") else 0) | \
                (16 if any(faults) else 0)
        self._record(3)
        self._add(K_NAME, self._name(row["name"]))
        self._bytes(K_FLAGS, flags)
        self._add(K_PLACE, *(place if flags & 1 else ()))
        self._bytes(K_WHAT, *(what if flags & 2 else ()))
        for flag, key, section in ((4, "flops", K_FLOPS), (8, "bytes", K_BYTES)):
            self._add(section, *([row[key]] if flags & flag else ()))
        self._add(K_TOUCHES, len(touches))
        before, now, t = self.last.get(row["name"], []), [], None
        for touch in touches:
            t = self._touch(touch, t, before, now)
        self.last[row["name"]] = now
        self._add(K_FAULTS, *(map(_put_duration, faults) if flags & 16 else ()))
        self._add(DURATIONS, _put_duration(_ps(row)))
        self.place, self.what = place, what
        self.totals["kernels"] += 1
        self.totals["touches"] += len(touches)
        self.totals["kernel_ps"] += _ps(row)
        self.totals["streams"] = max(self.totals["streams"], place[1] + 1)

    def _touch(self, t, prev, before, now):
        pattern, stride, share = (list(t[4:]) + [0, 0, 0][len(t) - 4:]) if len(t) > 4 else (0, 0, 0)
        pattern = PATTERNS.index(pattern) if pattern else 0
        tensor, off, size = t[:3]
        step = off - prev[1] - prev[2] if prev and prev[0] == tensor else None
        if step is not None and not -1 << 61 <= step < 1 << 61:
            step = None
        flags = ACCESS.index(t[3]) | (0x40 if step is not None else 4 if off else 0) | \
            (8 if prev and prev[2] == size else 0) | (0x10 if pattern else 0) | \
            (0x20 if share else 0)
        self._bytes(T_FLAGS, flags)
        if step is None:
            guess = before[len(now)] if len(now) < len(before) else self.told
            self._add(T_TENSOR, self._tensor(tensor))
            self._add(T_LIKE, zigzag(tensor - guess))
            now.append(tensor)
            self.told = tensor
        else:
            self._add(T_STEP, zigzag(step // size) << 1 | 1 if step % size == 0 else
                      zigzag(step) << 1)
        self._add(T_BYTES, *(() if flags & 8 else [size]))
        self._add(T_OFF, *([off] if flags & 4 else ()))
        self._bytes(T_PATTERN, *([pattern] if pattern else ()))
        self._add(T_REST, *([stride] if pattern == 1 else ()), *([share] if share else ()))
        return tensor, off, size

    def _host(self, row):
        self._record(4)
        self._bytes(O_BYTES, ACCESS.index(row["rw"]))
        self._add(O_NUMBERS, self._tensor(row["t"]), row.get("off", 0), row["bytes"])
        self._add(DURATIONS, _put_duration(_ps(row)))

    def _advice(self, row):
        self._record(5)
        self._bytes(O_BYTES, ADVICE.index(row["advice"]))
        self._add(O_NUMBERS, row.get("dev", 0), self._tensor(row["t"]), row.get("off", 0),
                  row["bytes"])

    def _mark(self, row):
        iteration = row["name"] == "iteration"
        if iteration:
            self.marks.append(self.totals["operations"])
            self.totals["iterations"] += 1
        self._record(6)
        self._bytes(O_BYTES, iteration)
        self._add(O_NUMBERS, row.get("index", 0), self._name(row["name"]))
        if iteration:
            self.recent = self.next_id

    def _segment(self, row, free):
        self._record(8)
        self._add(SEGMENTS, free, row.get("dev", 0), row["va"], row["bytes"])
        self.reserved += -row["bytes"] if free else row["bytes"]
        self.totals["reserved"] = max(self.totals["reserved"], self.reserved)

    def _segment_alloc(self, row):
        self._segment(row, 0)
        self._extent(row["va"], row["bytes"], "segments")

    def _segment_free(self, row):
        self._segment(row, 1)

    def _page(self, row):
        self.run.append(row)
        self.totals["pages"] += 1
        self._extent(row["va"], row["bytes"])

    def _end_run(self):
        run, self.run = self.run, []
        if not run:
            return
        timed = any(map(_ps, run))
        base = when = 0
        for row in run:
            self._bytes(PAGE_VA, *signed(row["va"], base))
            base = row["va"]
            if timed:
                self._bytes(PAGE_TIME, *signed(_ps(row), when))
                when = _ps(row)
            kind = row.get("dev", 0), ACCESS.index(row["rw"]), row["bytes"]
            if kind in self.kinds:
                self._bytes(PAGE_KIND, *number(self.kinds[kind]))
                continue
            self.kinds[kind] = len(self.kinds) + 1
            self._bytes(PAGE_KIND, 0, *number(kind[0]), kind[1], *number(kind[2]))
        self._bytes(TYPES, 7)
        self._bytes(O_BYTES, 2 if timed else 0, 0)
        self._add(O_NUMBERS, len(run), 0, *([0] if timed else ()))

    def close(self):
        self._end()
        summ = self._block(b"SUMM", 0, b"".join(self._row(k, number(self.totals[name]))
                                                for k, name in TOTALS.items() if self.totals[name]))
        indx, at = number(len(self.frames)), 0
        for where, n, h in self.frames:
            indx += number(where - at) + number(n) + h.to_bytes(8, "little")
            at = where
        indx, at = indx + number(len(self.marks)), 0
        for op in self.marks:
            indx += number(op - at)
            at = op
        where = self._block(b"INDX", 0, indx)
        content = xxh3(b"".join(h.to_bytes(8, "little") for h in self.hashes))
        foot = struct.pack("<QQQQIHHQ", summ, where, content, self.f.tell() + 64,
                           len(self.frames), MAJOR, MINOR, 0)
        self.f.write(foot + xxh3(foot).to_bytes(8, "little") + END)
        self.f.close()
        os.replace(self.temporary, self.path)


# ---- from a shell ----------------------------------------------------------------


def cat(path, out):
    with Reader(path) as r:
        head = {"ev": "meta", "format": "gmemsim-jsonl", "version": 1}
        print(json.dumps(dict(head, **r.meta)), file=out)
        kernels = iterations = 0
        for row in r:
            kernels += row["ev"] == "kernel"
            iterations += row == {"ev": "mark", "name": "iteration", "index": row.get("index")}
            print(json.dumps(row), file=out)
        print(json.dumps({"ev": "end", "kernels": kernels, "iterations": iterations}), file=out)


def make(source, path):
    with open(source, encoding="utf-8") as f:
        meta = json.loads(f.readline())
        with Writer(path, meta) as w:
            for line in f:
                row = json.loads(line)
                if row["ev"] != "end":
                    w.put(row)


def main(argv):
    try:
        if len(argv) == 3 and argv[1] == "cat":
            cat(argv[2], sys.stdout)
        elif len(argv) == 4 and argv[1] == "make":
            make(argv[2], argv[3])
        else:
            raise SystemExit(__doc__)
    except Error as e:
        raise SystemExit("gmt.py: %s" % e)


if __name__ == "__main__":
    main(sys.argv)
