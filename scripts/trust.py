#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""trust.py print|write|check - the tables of README, "How far can you trust it"

From results/trust/*.csv, which scripts/trust.sh measures.  print: on standard
output; write: into README.md, between its marks; check: exit 1 if README.md
has something else there.
"""
import collections
import csv
import os
import sys

FOLDER = "results/trust"
BEGIN = "<!-- written by `make trust` from results/trust/*.csv; do not edit -->"
END = "<!-- end of what `make trust` writes -->"


def rows(name):
    with open(os.path.join(FOLDER, name), newline="") as f:
        return list(csv.DictReader(f))


def table(head, lines):
    """Texts left, the rest right."""
    marks = ["---" if i in (0, len(head)) else "---:" for i in range(len(head))]
    yield "| " + " | ".join(head) + " |"
    yield "|" + "|".join(marks) + "|"
    for line in lines:
        yield "| " + " | ".join(line) + " |"
    yield ""


def percents(r):
    return [r["median"] + " %", r["p75"] + " %", r["p90"] + " %", r["total"] + " %"]


def a100():
    all_rows = rows("a100.csv")
    nets = [r["name"] for r in all_rows if r["kind"] == "network" and r["case"] == "nothing resident"]
    yield "**Kernels that fault on a real A100** (the G10 artifact timed each alone). The fit has not seen"
    yield "these: %s. Relative errors; \"total\" is of the summed time." % ", ".join(nets)
    yield ""
    for case, title in (("nothing resident", "nothing resident"), ("first touch", "only outputs fault")):
        mine = [r for r in all_rows if r["case"] == case]
        whole = next(r for r in mine if r["kind"] == "all")
        lines = [["**uvm, five fitted times**"] + percents(whole)]
        lines += [[r["name"]] + percents(r) for r in mine if r["kind"] == "rival"]
        yield from table([title + ", %s kernels" % whole["kernels"], "median", "75th", "90th", "total"], lines)
    yield "The lines below the first know a kernel's bytes and nothing else. By class of operator, nothing resident:"
    yield ""
    classes = [r for r in all_rows if r["kind"] == "class" and r["case"] == "nothing resident"]
    yield from table(["class", "kernels", "median", "75th", "90th", "total"],
                     [[r["name"], r["kernels"]] + percents(r) for r in classes])
    worst = [r for r in all_rows if r["kind"] == "worst"]
    noise = sum("noise" in r["text"] for r in worst)
    yield "Of the %d worst, %d are noise: equal kernels in one network were measured as far apart. All of" % (
        len(worst), noise)
    yield "them with reasons: `gmemsim validate a100`, `results/trust/a100.csv`."
    yield ""


def plain(points):
    """One line a figure; a file whose many figures are all met is one line."""
    files = collections.OrderedDict()
    for r in points:
        files.setdefault(r["file"], []).append(r)
    for name, figures in files.items():
        if len(figures) > 8 and all(r["verdict"] == "ok" for r in figures):
            off = max((r["deviation"].strip("+- %") for r in figures), key=float)
            yield ["%s (%d figures)" % (figures[0]["source"].split(",")[0].split(";")[0], len(figures)),
                   "", "", "at most %s %%" % off, "ok"]
            continue
        for r in figures:
            if not r["matters"]:
                yield [r["what"] + " [" + r["source"] + "]", r["published"], r["simulated"], r["deviation"],
                       r["verdict"]]


def points():
    all_points = rows("points.csv")
    yield "**Published figures**, each from a run of ours (`gmemsim validate points`, `configs/exp/points`):"
    yield ""
    yield from table(["what", "published", "ours", "off by", ""], plain(all_points))
    for r in all_points:
        if r["verdict"] == "open":
            yield "* Open, %s: %s." % (r["name"], r["open"])
    yield ""
    yield "Where what was published hangs on things that were not, ours is a range over them:"
    yield ""
    ranges = [r for r in all_points if r["matters"]]
    yield from table(["what", "published", "ours, from", "to", "geometric mean", "what matters most"],
                     [[r["what"] + " [" + r["source"] + "]", r["published"], r["min"], r["max"], r["simulated"],
                       "; ".join(r["matters"].split("; ")[:2])] for r in ranges])
    yield "![UVM's slowdown against overcommit](results/overcommit.png)"
    yield ""


def g10():
    count = collections.OrderedDict()
    for r in rows("g10.csv"):
        count.setdefault(r["system"], collections.Counter())[r["grade"]] += int(r["cells"])
    yield "**Tables of the G10 paper** (`make validate`): cells of all its figures on the three shared networks."
    yield ""
    yield from table(["system", "equal to the last digit", "within 3 %", "off"],
                     [[s, str(n["equal"]), str(n["within 3 %"]), str(n["off"])] for s, n in count.items()])


def pages():
    count = collections.OrderedDict()
    for r in rows("pages.csv"):
        c = count.setdefault(r["trace"], [0, 0])
        c[0] += int(r["equal"])
        c[1] += int(r["different"])
    yield "**Misses of page traces** (`make validate-pages`): counts equal to those of another simulator, for seven"
    yield "policies, as a policy alone and with timing."
    yield ""
    yield from table(["trace", "equal", "different"], [[t, str(a), str(b)] for t, (a, b) in count.items()])


def render():
    lines = [BEGIN, ""]
    for part in (a100, points, g10, pages):
        if os.path.exists(os.path.join(FOLDER, part.__name__ + ".csv")):
            lines += list(part())
    return "\n".join(lines + [END])


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in ("print", "write", "check"):
        sys.exit("usage: " + __doc__)
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    text = render()
    if sys.argv[1] == "print":
        print(text)
        return
    with open("README.md") as f:
        readme = f.read()
    if BEGIN not in readme or END not in readme:
        sys.exit("README.md: the marks are gone: %s ... %s" % (BEGIN, END))
    new = readme[:readme.index(BEGIN)] + text + readme[readme.index(END) + len(END):]
    if sys.argv[1] == "check":
        sys.exit(0 if new == readme else "README.md is not what `scripts/trust.py write` makes of results/trust")
    with open("README.md.new", "w") as f:
        f.write(new)
    os.replace("README.md.new", "README.md")


if __name__ == "__main__":
    main()
