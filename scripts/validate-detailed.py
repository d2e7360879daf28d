#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""validate-detailed.py DATA OUT - the detailed managers beside the published systems

DATA/published.csv against the sweeps OUT/detailed*.  Of two iterations the shorter
one counts, as in the paper.  Prints each point as times over ideal, and the share of
the gap between the paper's base UVM and its G10 that each manager closes: 0 % is as
slow as base UVM, 100 % as fast as G10, below 0 % slower than base UVM.
Writes OUT/detailed.csv, detailed.md (the table of the documents) and detailed.dat.
"""
import collections
import csv
import json
import os
import sys

HZ = 1200000000
SWEEPS = (("15", "detailed"), ("16", "detailed-host"), ("18", "detailed-ssd"))
FIGURES = {"overall": "11", "batchsize": "15", "host_memory_GB": "16", "ssd_bandwidth_GBps": "18"}
PUBLISHED = (("lru", "base UVM"), ("deepUM", "DeepUM"), ("prefetch_lru", "G10"))
NETWORKS = ("BERT_Base", "Inceptionv3", "ResNet152")


def number(text):
    return "%g" % float(text.split()[0]) if text else ""


def load(folder):
    """(network, batch, value) -> system -> (time, ideal) in seconds, None where it failed."""
    path = os.path.join(folder, "sweep.csv")
    points = collections.OrderedDict()
    if not os.path.exists(path):
        return points
    with open(path, newline="") as f:
        for r in csv.DictReader(f):
            network, batch = r["job"].rsplit(" ", 1)
            at = points.setdefault((network, batch, number(r.get("value", ""))), collections.OrderedDict())
            at[r["system"]] = None
            if r["status"] != "done":
                continue
            with open(os.path.join(folder, "points", "%04d.json" % int(r["point"]))) as p:
                its = json.load(p)["result"]["iterations"]
            best = min(its, key=lambda i: i["time_ps"])
            at[r["system"]] = (best["time_ps"] / 1e12, best["kernel_ps"] / 1e12)
    return points


def published(data):
    """(figure, network, batch, value) -> system -> seconds."""
    out = collections.defaultdict(dict)
    with open(os.path.join(data, "published.csv"), newline="") as f:
        for r in csv.DictReader(f):
            if r["cycles_at_1.2GHz"] not in ("", "inf"):
                key = (FIGURES[r["figure"]], r["network"], r["batch"], number(r["value"]))
                out[key][r["system"]] = float(r["cycles_at_1.2GHz"]) / HZ
    return out


def share(time, base, g10):
    return (base - time) / (base - g10) if base and g10 and base != g10 else None


def percent(x):
    return "-" if x is None else "%.0f %%" % (100 * x)


def times(x):
    return "-" if x is None else "%.2f" % x


def median(v):
    v = sorted(v)
    return None if not v else v[len(v) // 2] if len(v) % 2 else (v[len(v) // 2 - 1] + v[len(v) // 2]) / 2


Row = collections.namedtuple("Row", "figure network batch value paper ours")


def all_rows(data, out):
    """Times over ideal; the paper's ideal is ours to a cycle."""
    paper = published(data)
    for figure, folder in SWEEPS:
        for (network, batch, value), at in load(os.path.join(out, folder)).items():
            ideal = next((v[1] for v in at.values() if v), None)
            if not ideal:
                continue
            pub = paper.get((figure, network, batch, value), {})
            yield Row(figure, network, batch, value,
                      {name: pub[key] / ideal if key in pub else None for key, name in PUBLISHED},
                      collections.OrderedDict((s, v[0] / v[1] if v else None) for s, v in at.items()))


def tell(rows):
    systems = list(rows[0].ours)
    print("time over ideal; published systems, then the detailed managers on the same machine and trace\n")
    for i in range(0, len(systems)):
        print("  (%d) %s" % (i + 1, systems[i]))
    print("\n%-3s %-12s %5s %5s %9s %9s %9s |%s" % ("fig", "network", "batch", "value", "base UVM", "DeepUM", "G10",
          "".join("%8s" % ("(%d)" % (i + 1)) for i in range(len(systems)))))
    for r in rows:
        print("%-3s %-12s %5s %5s %9s %9s %9s |%s" % (
            r.figure, r.network, r.batch, r.value, times(r.paper["base UVM"]), times(r.paper["DeepUM"]),
            times(r.paper["G10"]), "".join("%8s" % (times(v) if v else "fails") for v in r.ours.values())))


def shares(rows):
    """System -> network -> median share of the gap, over figures 15 and 18."""
    out = collections.OrderedDict()
    for system in rows[0].ours:
        out[system] = {n: median([s for r in rows if r.network == n and r.ours.get(system)
                                  for s in [share(r.ours[system], r.paper["base UVM"], r.paper["G10"])]
                                  if s is not None]) for n in NETWORKS}
    return out


def markdown(rows, gaps):
    """The points of figure 11 and the shares."""
    keys = [("BERT_Base", "256"), ("Inceptionv3", "1536"), ("ResNet152", "1280")]
    three = [next((r for r in rows if r.figure == "15" and (r.network, r.batch) == k), None) for k in keys]
    lines = ["| time over ideal | " + " | ".join("%s, %s" % k for k in keys) + " | gap closed, median |",
             "|---|" + "---:|" * (len(keys) + 1)]
    for _, name in PUBLISHED:
        lines.append("| published: %s | %s | |" % (name, " | ".join(times(r.paper[name]) if r else "-" for r in three)))
    for system, gap in gaps.items():
        lines.append("| %s | %s | %s |" % (system, " | ".join(times(r.ours.get(system)) if r else "-" for r in three),
                                           ", ".join(percent(gap[n]) for n in NETWORKS)))
    return "\n".join(lines) + "\n"


def draw(rows, out):
    """A block a network and system of figure 15: batch, time over ideal."""
    with open(os.path.join(out, "detailed.dat"), "w") as f:
        for network in NETWORKS:
            mine = [r for r in rows if r.figure == "15" and r.network == network]
            for side in ("paper", "ours"):
                names = [n for _, n in PUBLISHED] if side == "paper" else list(rows[0].ours)
                for name in names:
                    f.write('"%s%s"\n' % ("published: " if side == "paper" else "", name))
                    for r in mine:
                        v = getattr(r, side).get(name)
                        if v:
                            f.write("%s %.4f\n" % (r.batch, v))
                    f.write("\n\n")


def write_csv(rows, path):
    with open(path, "w") as f:
        f.write("figure,network,batch,value,kind,system,time_over_ideal,share_of_gap\n")
        for r in rows:
            for kind, side in (("published", r.paper), ("detailed", r.ours)):
                for system, v in side.items():
                    gap = share(v, r.paper["base UVM"], r.paper["G10"]) if v else None
                    f.write('%s,%s,%s,%s,%s,"%s",%s,%s\n' % (r.figure, r.network, r.batch, r.value, kind, system,
                                                             "%.4f" % v if v else "",
                                                             "" if gap is None else "%.4f" % gap))


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: " + __doc__)
    data, out = sys.argv[1:]
    rows = list(all_rows(data, out))
    if not rows:
        sys.exit("validate-detailed.py: nothing to compare in " + out)
    tell(rows)
    gaps = shares(rows)
    table = markdown(rows, gaps)
    print("\nshare of the paper's gap between base UVM and G10 that each closes; medians over figures 15 and 18")
    print("of %s (0 %%: as base UVM, 100 %%: as G10)\n\n%s" % (", ".join(NETWORKS), table))
    write_csv(rows, os.path.join(out, "detailed.csv"))
    draw(rows, out)
    with open(os.path.join(out, "detailed.md"), "w") as f:
        f.write(table)


if __name__ == "__main__":
    main()
