#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""
test_gen_published.py - generated jobs beside published numbers, through the command line

Each row is what the program wrote, read back with `trace cat --json`, beside what a
paper or a model card says.  `test_gen_published.py --table` prints the rows as they
stand in traces/GENERATOR.md, and one test sees that they do.
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(ROOT, os.environ.get("GMEMSIM", "build/gmemsim"))
MATRIX = ("gemm", "conv", "attention")


def program(*words):
    p = subprocess.run([PROGRAM, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       cwd=ROOT)
    assert p.returncode == 0, (words, p.stderr)
    return p.stdout.decode()


class Job:
    """What a generated job comes to, all devices together."""

    def __init__(self, words, net=None, read=True, keep=None):
        """@net: rows of a description below `model:`, in place of --model."""
        with tempfile.TemporaryDirectory() as tmp:
            path = keep or os.path.join(tmp, "job.gmt")
            if net:
                with open(os.path.join(tmp, "net.yaml"), "w") as f:
                    f.write("model:\n" + net)
                words += " --config " + f.name
            said = program("trace", "gen", *words.split(), "-o", path)
            self.params = int(said.split(" parameters")[0].split()[-1])
            self.rows = [json.loads(row) for row in
                         program("trace", "cat", "--json", path).splitlines()] if read else []
        self.flops = {}        # by class
        self.forward = 0       # of matrix classes, forward
        self.at_backward = {}  # bytes by kind where backward begins
        self.alive = {}        # ... at the end
        self.count()

    def count(self):
        tensors = {}
        for r in self.rows[:1]:
            self.devices = len(r["devices"])
        for r in self.rows:
            if r["ev"] == "alloc":
                tensors[r["t"]] = r
                self.alive[r["kind"]] = self.alive.get(r["kind"], 0) + r["bytes"]
            elif r["ev"] == "free":
                self.alive[tensors[r["t"]]["kind"]] -= tensors[r["t"]]["bytes"]
            elif r["ev"] == "kernel":
                self.count_kernel(r)

    def count_kernel(self, r):
        if r.get("phase") == "backward" and not self.at_backward:
            self.at_backward = dict(self.alive)
        flops = r.get("flops", 0)
        self.flops[r["class"]] = self.flops.get(r["class"], 0) + flops
        if r.get("phase") == "forward" and r["class"] in MATRIX:
            self.forward += flops

    def matrix(self):
        return sum(self.flops.get(c, 0) for c in MATRIX)

    def state(self):
        """Bytes of weights, gradients and optimizer state of one device."""
        return sum(self.alive.get(k, 0)
                   for k in ("weight", "gradient", "optimizer")) / self.devices


def block_bytes(net, words):
    """What one more block keeps for backward, on one device."""
    a, b = (Job(words, net % n) for n in (2, 3))
    return (b.at_backward["activation"] - a.at_backward["activation"]) / a.devices


def gpt(layers, width, heads, vocab, length):
    return ("  vocab: %d\n  positions: %d\n  tied: true\n  dropout: 0.1\n  block: {count: %s, "
            "width: %d, heads: %d, ffn: %d, fused_qkv: true}\n"
            % (vocab, length, layers, width, heads, 4 * width))


# ---- rows: what, published, got, tolerance in percent ------------------------------

def parameters():
    src = {"gpt2": "HuggingFace", "opt": "HuggingFace", "bert": "`BertForPreTraining`"}
    for name, n in (
            ("gpt2", 124439808), ("gpt2-medium", 354823168), ("gpt2-large", 774030080),
            ("gpt2-xl", 1557611200), ("bert-base", 110106428), ("bert-large", 336226108),
            ("opt-13b", 12853473280), ("llama-7b", 6738415616), ("llama-13b", 13015864320),
            ("llama-70b", 68976648192), ("llama-3-8b", 8030261248),
            ("llama-3-70b", 70553706496), ("llama-405b", 405853388800),
            ("mistral-7b", 7241732096), ("vit-b", 86567656), ("vit-l", 304326632),
            ("vit-h", 632045800), ("resnet50", 25557032), ("resnet101", 44549160),
            ("resnet152", 60192808)):
        where = src.get(name.split("-")[0], "torchvision" if name[0] in "vr" else "HuggingFace")
        yield ("parameters of %s (%s)" % (name, where), n,
               Job("--model %s --batch 1 --seq 16 --optimizer sgd" % name, read=False).params, 0)
    yield ("parameters of gpt3-175b, millions (Brown et al. 2020, table D.1)", 174600,
           Job("--model gpt3-175b --batch 1 --seq 16 --optimizer sgd", read=False).params / 1e6, 0.1)
    # Narayanan et al. 2021, table 1: V = 51,200, s = 2,048
    for billions, layers, width, heads in ((3.6, 30, 3072, 32), (18.4, 40, 6144, 48),
                                           (145.6, 80, 12288, 96), (1008.0, 128, 25600, 160)):
        net = gpt(layers, width, heads, 51200, 2048)
        yield ("parameters of Megatron-LM's GPT %.1fB, in 1e9 (Narayanan et al. 2021, table 1)" % billions, billions,
               Job("--batch 1 --seq 16 --optimizer sgd", net, read=False).params / 1e9, 1.4)


def flops():
    for name, gmacs in (("resnet50", 4.09), ("resnet101", 7.80), ("resnet152", 11.51),
                        ("vit-b", 17.56), ("vit-l", 61.55), ("vit-h", 167.29)):
        yield ("GMAC of an image forward, %s (torchvision)" % name, gmacs,
               Job("--model %s --batch 1" % name).forward / 2e9, 1)
    # PaLM (Chowdhery et al. 2022), appendix B: 6 N + 12 layers heads depth length a token
    for name, words, n, lhs in (
            ("gpt2-xl", "--batch 4 --seq 1024", 1557611200 - 1024 * 1600, 48 * 1600 * 1024),
            ("llama-7b", "--batch 2 --seq 2048 --dtype bf16 --attention math",
             6738415616 - 32000 * 4096, 32 * 4096 * 2048),
            ("llama-3-70b", "--batch 1 --seq 4096 --dtype bf16 --attention math",
             70553706496 - 128256 * 8192, 80 * 8192 * 4096)):
        tokens = 4096
        yield ("FLOPs of products, %s: tokens (6 N + 12 layers width length) (Chowdhery et al. "
               "2022, appendix B)" % name, tokens * (6 * n + 12 * lhs),
               Job("--model %s %s" % (name, words)).matrix(), 1)
    # Narayanan et al. 2021, section 3.1, which recomputes blocks; Korthikanti et al., eq. 7
    b, s, l, h, v = 2, 2048, 4, 12288, 51200
    net = gpt(l, h, 96, v, s)
    words = "--batch %d --seq %d --dtype f16" % (b, s)
    yield ("FLOPs, GPT of 12288: 72 Bslh² (1 + s/6h + V/12lh) (Korthikanti et al. 2022)",
           72 * b * s * l * h * h * (1 + s / (6 * h) + v / (12 * l * h)), Job(words, net).matrix(), 1)
    yield ("... recomputing blocks: 96 Bslh² (1 + s/6h + V/16lh) (Narayanan et al. 2021)",
           96 * b * s * l * h * h * (1 + s / (6 * h) + v / (16 * l * h)),
           Job(words + " --checkpoint block", net).matrix(), 1)


def activations():
    """Korthikanti et al. 2022 (arXiv 2205.05198), table 2: a block in f16, attention written out"""
    s, b, h, a, t = 2048, 1, 6144, 64, 8
    sbh, net = s * b * h, gpt(0, h, a, 51200, s).replace("count: 0", "count: %d")
    words = "--dtype f16 --batch %d --seq %d " % (b, s)
    tp, sp = "--parallel tp=8 ", "--parallel tp=8,sp "
    again, block = "--checkpoint attention", "--checkpoint block"
    for what, how, want in (
            ("sbh (34 + 5as/h)", "", sbh * (34 + 5 * a * s / h)),
            ("tp: sbh (10 + 24/t + 5as/ht)", tp, sbh * (10 + 24 / t + 5 * a * s / (h * t))),
            ("tp, sp: sbh/t (34 + 5as/h)", sp, sbh / t * (34 + 5 * a * s / h)),
            ("tp, attention again: sbh (10 + 24/t)", tp + again, sbh * (10 + 24 / t)),
            ("tp, sp, attention again: 34 sbh/t", sp + again, sbh / t * 34),
            ("blocks again: 2 sbh", block, 2 * sbh),
            ("tp, sp, blocks again: 2 sbh/t", sp + block, 2 * sbh / t)):
        yield ("bytes a block of GPT 22B keeps; " + what + " (Korthikanti et al. 2022, table 2)",
               want, block_bytes(net, words + how), 1)


def zero():
    """Rajbhandari et al. 2020, figure 1: 7.5 thousand million parameters on 64 devices, GB"""
    net = gpt(2, 1024, 16, 1000, 16)
    for kind, gb in (("dp", 120), ("zero1", 31.4), ("zero2", 16.6), ("zero3", 1.9)):
        job = Job("--batch 1 --seq 16 --dtype f16 --parallel %s=64" % kind, net)
        yield ("%s: GB a device for 7.5e9 parameters on 64 (Rajbhandari et al. 2020, figure 1)"
               % kind, gb, job.state() / job.params * 7.5, 2)


def caches():
    for name, kib, src in (("opt-13b", 800, "Kwon et al. 2023 (vLLM), section 3"),
                           ("llama-7b", 512, "2 layers key heads depth"),
                           ("llama-70b", 320, "2 layers key heads depth"),
                           ("llama-3-8b", 128, "2 layers key heads depth"),
                           ("llama-405b", 504, "2 layers key heads depth")):
        job = Job("--model %s --dtype f16 --phase decode --batch 1 --seq 255" % name)
        yield ("KiB of cache a token, %s, f16 (%s)" % (name, src), kib,
               job.alive["kv_cache"] / 256 / 1024, 0)


def recommenders():
    job = Job("--model dlrm --batch 1 --optimizer sgd")
    tables = sum(r["bytes"] for r in job.rows
                 if r["ev"] == "alloc" and r.get("name", "").startswith("table."))
    yield ("rows of MLPerf's DLRM tables, millions (cut at 40 million a table)", 187.77,
           tables / 512 / 1e6, 0.1)
    yield ("parameters of its two MLPs (13-512-256-128, 479-1024-1024-512-256-1)",
           13 * 512 + 512 + 512 * 256 + 256 + 256 * 128 + 128
           + 479 * 1024 + 1024 + 1024 * 1024 + 1024 + 1024 * 512 + 512 + 512 * 256 + 256 + 257,
           job.params - tables // 4, 0)


def replay(words, net=None, gap="0 ns", machine="a100-80"):
    """Result of a generated job by the roofline, with memory enough."""
    with tempfile.TemporaryDirectory() as tmp:
        path, config = os.path.join(tmp, "job.gmt"), os.path.join(tmp, "run.yaml")
        with open(config, "w") as f:
            f.write("base: [%s/configs/machine/%s.yaml]\nworkload: {timing: roofline}\n"
                    "manager: {type: ideal}\n" % (ROOT, machine))
        Job(words, net, read=False, keep=path)
        devices = json.loads(program("trace", "cat", "--json", path).split("\n", 1)[0])["devices"]
        return json.loads(program("run", config, "--trace", path, "--set", "device.count=%d"
                                  % len(devices), "--set", "device.launch_gap=" + gap,
                                  "--json", "--quiet"))["result"]


def times():
    """
    Tuned jobs on A100s of 80 GB; nothing is fitted to these numbers.  Gap between kernels:
    Gray 2019 (NVIDIA blog on CUDA graphs), 3.8 us each for kernels of 2.9 us.
    """
    gap = "900 ns"
    src = "(NVIDIA DeepLearningExamples, resnet50v1.5)"
    words = "--model resnet50 --batch 256 --optimizer momentum "
    for what, how, rate in (("TF32, nchw", "", 938),
                            ("f16, nhwc", "--dtype f16 --layout nhwc", 2470)):
        t = replay(words + how, None, gap)["total_ps"] / 1e12
        yield "images/s, training ResNet-50 in %s %s" % (what, src), rate, 256 / t, 40
    words = "--batch 4 --seq 2048 --dtype f16 --optimizer adam --comm local --parallel tp=8"
    for what, how, seconds in (
            ("recomputing blocks", " --checkpoint block", 1.42),
            ("with sp, attention again", ",sp --checkpoint attention", 1.10)):
        t = replay(words + how, gpt(48, 6144, 64, 51200, 2048), gap)["total_ps"] / 1e12
        yield ("seconds an iteration, GPT 22B on 8, %s (Korthikanti et al. 2022, table 5)" % what,
               seconds, t, 15)
    for name, devices, rate in (("llama-7b", 1, 104.9), ("llama-70b", 2, 21.32),
                                ("llama-70b", 8, 62.5)):
        t = replay("--model %s --phase decode --batch 1 --seq 100 --dtype bf16 --comm local "
                   "--parallel tp=%d" % (name, devices), None, gap)["total_ps"] / 1e12
        yield ("tokens/s, %s on %d in bf16, one sequence (gpt-fast's README)"
               % (name, devices), rate, 1 / t, 50)


def pipelines():
    """Narayanan et al. 2021, section 2.2: idle / busy time is (p - 1) / m"""
    net = ("  vocab: 1\n  position: rotary\n  block: {count: 8, width: 1024, heads: 8, ffn: 4096, "
           "attention: flash}\n")
    for p, m in ((4, 4), (4, 8), (8, 16)):
        r = replay("--batch %d --seq 8192 --dtype f16 --parallel pp=%d --microbatches %d "
                   "--optimizer sgd --comm local --link 1000000GB/s" % (m, p, m), net)
        yield ("idle/busy of %d stages, %d micro-batches: (p - 1)/m (Narayanan et al. 2021, 2.2)"
               % (p, m), (p - 1) / m, r["total_ps"] * p / r["mean"]["kernel_ps"] - 1, 5)


GROUPS = (parameters, flops, activations, zero, caches, recommenders, pipelines, times)


def number(x):
    return "{:,.0f}".format(x) if x >= 1000 else "%.4g" % x


def line(what, want, got):
    error = 100 * (got / want - 1)
    digits = 3 if abs(error) < 0.1 else 1 if abs(error) < 1 else 0
    return "| %s | %s | %s |" % (what, number(want), "0" if abs(error) < 5e-4
                                 else "%+.*f %%" % (digits, error))


class Published(unittest.TestCase):
    """One test a group; filled in below."""


def compare(group):
    def test(self):
        with open(os.path.join(ROOT, "traces/GENERATOR.md")) as f:
            told = f.read()
        for what, want, got, percent in group():
            row = line(what, want, got)
            print("  " + row)
            self.assertLessEqual(abs(got / want - 1) * 100, percent + 1e-9, row)
            self.assertTrue(row in told, "traces/GENERATOR.md does not tell: " + row)
    return test


for g in GROUPS:
    setattr(Published, "test_" + g.__name__, compare(g))

if __name__ == "__main__":
    if "--table" in sys.argv:
        for g in GROUPS:
            for what, want, got, _ in g():
                print(line(what, want, got))
    else:
        unittest.main()
