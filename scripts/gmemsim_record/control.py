# SPDX-License-Identifier: GPL-3.0-or-later
"""What watching cost that no clock of ours could see, taken off the recorded iterations.

The recorder knows its own time, but the way to it can only be probed, and the job's code ran
with colder caches beside it. So some iterations run unwatched after the recorded ones. What a
recorded one took longer than their median is the recorder's after all, and every operator
bore the same part of it; where iterations are not alike, the median of what they took longer.
"""
from statistics import median

from .events import GAP, KERNEL, of_host


def excess(iterations, unwatched, probed):
    """ns an operator, for each iteration of (ns, ns of the recorder, operators). Bounded, lest
    the job's own ups and downs be taken for it: colder caches cost at most as much as what made
    them so, and no more is given back than was taken off for the way, @probed an operator."""
    if not unwatched or not min(n for _, _, n in iterations):
        return [0] * len(iterations)
    usual = median(unwatched)
    more = [max(-probed, min((ns - usual) / n, own / n)) for ns, own, n in iterations]
    alike = len({n for _, _, n in iterations}) == 1
    return more if alike else [median(more)] * len(more)


def takes_time(e):
    """A kernel on the host; what a device takes is its own clock's."""
    return e[0] == KERNEL and e[2] is None and not of_host(e[3], e[5])


def host_ns(events):
    return sum(e[1] for e in events if e[0] == GAP or takes_time(e))


def relieved(events, operators, each, share):
    """@events less @each ns for each of @operators, @share of it in what was timed of one."""
    left, out = round(each * operators), []
    for e in events:
        less = 0
        if takes_time(e):
            less = round(each * share)
        elif e[0] == GAP:
            less = round(each * (1 - share) * e[3])
        if less:
            less = min(less, e[1], left) if each > 0 else less
            left -= less
            e = (e[0], e[1] - less, *e[2:])
        out.append(e)
    return shortened(out, left)


def shortened(events, ns):
    """Nothing takes less than no time: @ns that some could not bear go from the time between
    operators, then from all of them, each in proportion."""
    out = list(events)
    for kernels in (False, True):
        some = [i for i, e in enumerate(out) if (takes_time(e) if kernels else e[0] == GAP)]
        total = sum(out[i][1] for i in some)
        take = min(ns, total)
        ns -= take
        done = past = 0                             # so that no rounding adds up
        for i in some if take else ():
            e = out[i]
            past += e[1]
            less = past * take // total - done
            done += less
            out[i] = (e[0], e[1] - less, *e[2:])
    return out
